"""What torch.serialization is set by, where there is no PyTorch. The values are those that the module in C goes by."""

import enum
import mmap
import threading

from ._ptio import _settings as _values, _safe_globals

_lock = threading.Lock()


class SourceChangeWarning(Warning):
    """The source of a module is another than the one that was saved."""


class LoadEndianness(enum.Enum):
    """The byte order of files that do not tell it."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def get_default_load_endianness():
    """The byte order of files that do not tell it; None: little."""
    name = _values["load_endianness"]
    return None if name is None else LoadEndianness[name]


def set_default_load_endianness(endianness):
    """Set the byte order of files that do not tell it."""
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _values["load_endianness"] = None if endianness is None else endianness.name


def get_crc32_options():
    """Whether save() computes checksums."""
    return _values["crc32"]


def set_crc32_options(compute_crc32):
    """Set whether save() computes checksums."""
    _values["crc32"] = bool(compute_crc32)


def get_default_mmap_options():
    """mmap.MAP_PRIVATE or mmap.MAP_SHARED: how load(mmap=True) maps a file."""
    return _values["mmap"]


class set_default_mmap_options:
    """Set how load(mmap=True) maps a file, for good or, as a context manager, for a while."""

    def __init__(self, flags):
        if flags not in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, "
                f"expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got {flags}"
            )
        self.before = _values["mmap"]
        _values["mmap"] = flags

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        _values["mmap"] = self.before


class safe_globals:
    """Let weights_only take these classes and functions too, for a while."""

    def __init__(self, safe_globals):
        self.items = list(safe_globals)

    def __enter__(self):
        with _lock:
            _safe_globals.update(self.items)

    def __exit__(self, *exception):
        with _lock:
            _safe_globals.difference_update(self.items)


class skip_data:
    """Let save() leave out the bytes of tensors, for a while: the file has room for them."""

    def __init__(self, materialize_fake_tensors=False):
        self.before = False

    def __enter__(self):
        self.before, _values["skip_data"] = _values["skip_data"], True

    def __exit__(self, *exception):
        _values["skip_data"] = self.before


def location_tag(storage):
    """Where a storage is: everything is on the CPU here."""
    return "cpu"


def default_restore_location(storage, location):
    """The storage where it belongs: everything is on the CPU here."""
    if location != "cpu":
        raise RuntimeError(f"don't know how to restore data location of {type(storage).__name__} (tagged with {location})")
    return storage


def register_package(priority, tagger, deserializer):
    """Devices are PyTorch's."""
    raise RuntimeError("register_package() needs PyTorch, which cannot be imported")
