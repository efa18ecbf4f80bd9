"""The names of torch.serialization.

Where PyTorch can be imported these are its own objects, so that what is set here counts there and the other way round.
"""

from ._ptio import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    get_unsafe_globals_in_checkpoint,
    load,
    save,
)

# Looked up when they are first asked for: to import PyTorch takes a second.
_OF_TORCH = (
    "LoadEndianness",
    "SourceChangeWarning",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "location_tag",
    "register_package",
    "safe_globals",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
)

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "save",
    *_OF_TORCH,
]


def __getattr__(name):
    if name not in _OF_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import torch.serialization as owner
    except ImportError:
        from . import _settings as owner
    return getattr(owner, name)


def __dir__():
    return sorted({*globals(), *_OF_TORCH})
