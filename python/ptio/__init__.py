"""torch.save and torch.load, written in C."""

from ._ptio import __version__, load
from . import serialization

__all__ = ["load", "serialization"]
