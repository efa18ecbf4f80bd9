"""torch.save and torch.load, written in C."""

import sys as _sys

if "t" in getattr(_sys, "abiflags", ""):  # it would load the module of the stable ABI, which is another one there
    raise ImportError("ptio needs a Python with the global lock: this is a free-threaded build")

from ._ptio import File, Slice, Tensor, __version__, dtype, from_dlpack, load, open, save
from . import serialization

__all__ = ["File", "Slice", "Tensor", "dtype", "from_dlpack", "load", "open", "save", "serialization"]
