"""torch.save and torch.load, written in C."""

from ._ptio import __version__, load, save
from . import serialization

__all__ = ["load", "save", "serialization"]
