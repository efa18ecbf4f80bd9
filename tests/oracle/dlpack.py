#!/usr/bin/env python3
"""Tensors that ptio hands over by DLPack, taken by PyTorch.

    dlpack.py --library LIBPTIO [--count N]

Random tensors (every dtype that DLPack has, any strides and offsets, shared storages) are saved by PyTorch and loaded by ptio, both from the
file and from a map of it. torch.from_dlpack() takes each from a capsule, after the checkpoint was freed: dtype, shape, strides and bytes must
be those that were saved, what was handed over as writable can be written, and every deleter is called once, when its tensor is gone.
"""
import argparse
import ctypes
import gc
import os
import random
import sys
import tempfile
import warnings
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_void_p

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]

import torch  # noqa: E402

from library import MAP, Error, Library, good  # noqa: E402

DTYPES = [
    getattr(torch, name)
    for name in "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 complex32 uint16 uint32 uint64 "
    "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2".split()
]
PLAIN, VERSIONED = b"dltensor", b"dltensor_versioned"

new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [c_void_p, c_char_p, c_void_p]


def declare(path):
    library = Library(path)
    library.declare("ptio_tensor_to_dlpack", c_int, c_void_p, c_bool, POINTER(c_void_p), POINTER(Error))
    library.declare("ptio_tensor_to_dlpack_unversioned", c_int, c_void_p, POINTER(c_void_p), POINTER(Error))
    return library


# ---------------------------------------------------------------------------------------------------------------------
# What is saved


def some_tensor(r, shared):
    dtype = r.choice(DTYPES)
    if shared and r.random() < 0.3:
        base = r.choice(shared)
    else:
        base = torch.frombuffer(bytearray(r.randbytes(64 * 16)), dtype=torch.uint8)
        if dtype is torch.bool:
            base = base % 2
        base = base.view(dtype)
        shared.append(base)
    shape, stride = [], []
    for _ in range(r.randrange(4)):
        shape.append(r.choice((0, 1, 2, 3, 4)))
        stride.append(r.choice((0, 1, 2, 4, 5)))
    return torch.as_strided(base, shape, stride, r.randrange(0, 14))


def raw(tensor):
    """Its bytes in C order."""
    size = tensor.element_size()
    words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    if size == 16:
        return torch.view_as_real(tensor).contiguous().view(torch.int64).numpy().tobytes()
    return tensor.view(words[size]).contiguous().numpy().tobytes()


# ---------------------------------------------------------------------------------------------------------------------
# What is taken


class Deleters:
    """Stands before the deleter of each export, and counts."""

    def __init__(self, handed):
        self.calls, self.made, self.kept = 0, 0, []
        self.place = {PLAIN: handed["plain"], VERSIONED: handed["versioned"]}

    def watch(self, address, name):
        slot = c_void_p.from_address(address + self.place[name])
        ours = ctypes.CFUNCTYPE(None, c_void_p)
        original = ours(slot.value)

        def deleter(self_address):
            self.calls += 1
            original(self_address)

        self.kept.append(ours(deleter))
        self.made += 1
        slot.value = ctypes.cast(self.kept[-1], c_void_p).value


def places():
    """Where `deleter` is in each structure: behind the tensor and a pointer, or behind two numbers and a pointer."""

    class Tensor(ctypes.Structure):
        _fields_ = [("data", c_void_p), ("device", c_int * 2), ("ndim", c_int), ("dtype", ctypes.c_uint8 * 4), ("shape", c_void_p),
                    ("strides", c_void_p), ("byte_offset", ctypes.c_uint64)]  # fmt: skip

    class Plain(ctypes.Structure):
        _fields_ = [("tensor", Tensor), ("ctx", c_void_p), ("deleter", c_void_p)]

    class Versioned(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32 * 2), ("ctx", c_void_p), ("deleter", c_void_p)]

    return {"plain": Plain.deleter.offset, "versioned": Versioned.deleter.offset}


def hand_over(library, tensor, r, deleters):
    p, address, error = library.p, c_void_p(), Error()
    name, writable = r.choice((PLAIN, VERSIONED)), r.random() < 0.5
    if name == PLAIN:
        good(p.ptio_tensor_to_dlpack_unversioned(tensor, byref(address), byref(error)), error)
    else:
        good(p.ptio_tensor_to_dlpack(tensor, writable, byref(address), byref(error)), error)
    deleters.watch(address.value, name)
    return torch.utils.dlpack.from_dlpack(new_capsule(address, name, None)), name == PLAIN or writable


def compare(got, want, where):
    assert got.dtype == want.dtype, (where, got.dtype, want.dtype)
    assert got.shape == want.shape and got.stride() == want.stride(), (where, got.shape, got.stride(), want.shape, want.stride())
    assert raw(got) == raw(want), (where, got, want)


def one_file(library, r, path, number):
    shared = []
    saved = {str(i): some_tensor(r, shared) for i in range(8)}
    torch.save(saved, path)
    saved = torch.load(path)
    ckpt, source = library.load(path, r.choice((0, MAP)))
    deleters = Deleters(places())
    taken = {}
    for name in saved:
        taken[name] = hand_over(library, library.tensor(ckpt, name), r, deleters)
    library.p.ptio_checkpoint_free(ckpt)
    for name, (tensor, _) in taken.items():
        compare(tensor, saved[name], (number, name))
    for tensor, writable in taken.values():
        if writable and tensor.numel() and 0 not in tensor.stride():
            tensor.view(torch.uint8 if tensor.element_size() == 1 else tensor.dtype).fill_(1)
    assert deleters.calls == 0, "a deleter was called too early"
    del tensor, taken
    gc.collect()
    assert deleters.calls == deleters.made == len(saved), (deleters.calls, deleters.made)
    library.p.ptio_source_free(source)
    return len(saved)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--count", type=int, default=300, help="files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # complex32 is experimental
    library = declare(options.library)
    r = random.Random(options.seed)
    count = max(1, int(options.count * float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    with tempfile.TemporaryDirectory() as folder:
        tensors = sum(one_file(library, r, os.path.join(folder, "t.pt"), i) for i in range(count))
    print(f"dlpack: {tensors} tensors of {count} files taken by PyTorch {torch.__version__}")


if __name__ == "__main__":
    sys.exit(main())
