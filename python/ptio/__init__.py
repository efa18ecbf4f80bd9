"""torch.save and torch.load, written in C."""

from ._ptio import File, Slice, Tensor, __version__, dtype, load, open, save
from . import serialization

__all__ = ["File", "Slice", "Tensor", "dtype", "load", "open", "save", "serialization"]
