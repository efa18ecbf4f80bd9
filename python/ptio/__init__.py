"""torch.save and torch.load, written in C."""

from ._ptio import Tensor, __version__, dtype, load, save
from . import serialization

__all__ = ["Tensor", "dtype", "load", "save", "serialization"]
