"""torch.save and torch.load, written in C."""

try:
    from ._ptio import File, Slice, Tensor, __version__, dtype, from_dlpack, load, open, save
except ImportError as e:
    import sys

    if "t" in getattr(sys, "abiflags", ""):
        raise ImportError("ptio needs a Python with the global lock: this is a free-threaded build") from e
    raise
from . import serialization

__all__ = ["File", "Slice", "Tensor", "dtype", "from_dlpack", "load", "open", "save", "serialization"]
