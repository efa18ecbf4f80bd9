"""libptio in PyTorch's process, by ctypes: what the tests of its interface have in common."""
import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p

MAP = 1


class Error(ctypes.Structure):
    """As ptio_error; the texts behind `offset` are read as one."""

    _fields_ = [("status", c_int), ("reason", c_char_p), ("offset", ctypes.c_uint64), ("texts", ctypes.c_char * 400)]


class Text(ctypes.Structure):
    _fields_ = [("bytes", c_void_p), ("size", c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.bytes, self.size).decode("utf-8", "surrogatepass")


def good(status, error):
    if status:
        raise RuntimeError(f"{error.reason}: {bytes(error.texts)!r}")


class Library:
    """The functions that every test needs; others are declared by the test."""

    def __init__(self, path):
        p = self.p = ctypes.CDLL(path)
        p.ptio_source_open.argtypes = [c_char_p, c_uint, c_void_p, c_void_p, POINTER(c_void_p), POINTER(Error)]
        p.ptio_load_source.argtypes = [c_void_p, c_void_p, POINTER(c_void_p), POINTER(Error)]
        self.declare("ptio_at", c_void_p, c_void_p, c_char_p)
        self.declare("ptio_value_tensor", c_void_p, c_void_p)
        self.declare("ptio_dtype_from_name", c_int, c_char_p)
        for name in ("ptio_checkpoint_free", "ptio_source_free"):
            self.declare(name, None, c_void_p)

    def declare(self, name, result, *arguments):
        function = getattr(self.p, name)
        function.restype, function.argtypes = result, arguments

    def load(self, path, flags=0):
        """(checkpoint, source), to be freed in this order."""
        source, ckpt, error = c_void_p(), c_void_p(), Error()
        good(self.p.ptio_source_open(os.fsencode(path), flags, None, None, byref(source), byref(error)), error)
        good(self.p.ptio_load_source(source, None, byref(ckpt), byref(error)), error)
        return ckpt, source

    def tensor(self, ckpt, path):
        return self.p.ptio_value_tensor(self.p.ptio_at(ckpt, path.encode()))
