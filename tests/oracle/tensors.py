#!/usr/bin/env python3
"""Elements of tensors in the caller's memory against PyTorch.

    tensors.py --library LIBPTIO [--count N]

Random tensors, strided with any strides and the conj and neg bits, quantized, sparse of every layout with duplicates, hybrid and batched,
are saved by PyTorch. ptio_tensor_copy() and ptio_tensor_copy_slice() must give, bit for bit, the elements of tensor.resolve_conj(),
.dequantize() or .int_repr(), .to_dense() and their slices, cast as .to(dtype) does. Any NaN is as good as another.

All patterns of float16, bfloat16 and float8, and all float32 and float64 values at which a cast to them changes its answer, are cast to every
float dtype.
"""
import argparse
import ctypes
import os
import random
import sys
import tempfile
import warnings
from ctypes import POINTER, byref, c_int, c_int64, c_uint64, c_void_p

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]

import torch  # noqa: E402

from library import MAP, Error, Library, good  # noqa: E402

REALS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)
INTS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
COMPLEX = (torch.complex64, torch.complex128, torch.complex32)
QUANTIZED = (torch.qint8, torch.quint8, torch.qint32)
ODD = (float("nan"), float("inf"), -float("inf"), -0.0, 1e30, 1e-30, 65519.0, -3.5)


class Slice(ctypes.Structure):
    _fields_ = [("start", c_int64), ("stop", c_int64), ("step", c_int64)]


def declare(path):
    library = Library(path)
    library.declare("ptio_tensor_copy", c_int, c_void_p, c_int, c_void_p, c_uint64, POINTER(Error))
    library.declare("ptio_tensor_copy_slice", c_int, c_void_p, POINTER(Slice), c_int, c_void_p, c_uint64, POINTER(Error))
    library.declare("ptio_tensor_slice_shape", c_int, c_void_p, POINTER(Slice), POINTER(c_int64), POINTER(Error))
    return library


# ---------------------------------------------------------------------------------------------------------------------
# Tensors


def numbers(r, shape, dtype, odd=0.1):
    count = int(torch.Size(shape).numel())

    def one():
        return r.choice(ODD) if dtype not in INTS and r.random() < odd else r.uniform(-40, 40)

    if dtype in COMPLEX:
        # A complex number with an infinite part is a matter of its own: see to_dense().
        flat = torch.tensor([complex(r.uniform(-40, 40), r.choice((-0.0, 1.5, r.uniform(-9, 9)))) for _ in range(count)])
        return flat.to(torch.complex128).to(dtype).reshape(shape)
    return torch.tensor([one() for _ in range(count)], dtype=torch.float64).to(dtype).reshape(shape)


def some_shape(r, least=0, most=4):
    return [r.choice((0, 1, 2, 3, 5)) if r.random() < 0.3 else r.randrange(1, 6) for _ in range(r.randrange(least, most + 1))]


def strided(r):
    dtype = r.choice(REALS + FLOAT8 + INTS + COMPLEX)
    shape = some_shape(r)
    large = shape and r.random() < 0.2 and 0 not in shape
    if large:
        shape[r.randrange(len(shape))] = r.randrange(2000, 20000) // max(1, int(torch.Size(shape).numel()) // 8)
    tensor = numbers(r, [1], dtype).expand(shape).clone() if large and dtype in FLOAT8 else numbers(r, shape, dtype)
    if tensor.dim():
        dims = list(range(tensor.dim()))
        r.shuffle(dims)
        tensor = tensor.permute(dims)
        if r.random() < 0.5:
            tensor = tensor[tuple(slice(r.randrange(2), None, r.randrange(1, 3)) for _ in dims)]
    if dtype in COMPLEX[:2] and r.random() < 0.5:
        tensor = tensor.conj()
        if r.random() < 0.5:
            tensor = tensor.imag
    return tensor


def quantized(r):
    dtype = r.choice(QUANTIZED)
    tensor = numbers(r, some_shape(r, 1), torch.float32, 0)
    if r.random() < 0.5 or tensor.numel() == 0:
        return torch.quantize_per_tensor(tensor, r.uniform(0.01, 3), r.randrange(100), dtype)
    axis = r.randrange(tensor.dim())
    size = tensor.shape[axis]
    scales = torch.tensor([r.uniform(0.01, 3) for _ in range(size)], dtype=torch.float64)
    return torch.quantize_per_channel(tensor, scales, torch.tensor([r.randrange(100) for _ in range(size)]), axis, dtype)


def coo(r):
    dtype = r.choice(REALS + INTS + COMPLEX[:2])
    shape = some_shape(r, 1)
    sparse = r.randrange(1, len(shape) + 1)
    nnz = r.randrange(30) if 0 not in shape[:sparse] else 0
    indices = torch.tensor([[r.randrange(size) for _ in range(nnz)] for size in shape[:sparse]], dtype=torch.int64).reshape(sparse, nnz)
    tensor = torch.sparse_coo_tensor(indices, numbers(r, [nnz, *shape[sparse:]], dtype), shape)
    return tensor.coalesce() if r.random() < 0.3 else tensor


def compressed(r):
    dtype = r.choice(REALS + INTS + COMPLEX[:2])
    layout = r.choice((torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc))
    block = (r.randrange(1, 4), r.randrange(1, 4)) if layout in (torch.sparse_bsr, torch.sparse_bsc) else None
    rows, columns = r.randrange(1, 5) * (block[0] if block else 1), r.randrange(1, 5) * (block[1] if block else 1)
    dense = [r.randrange(1, 3)] if r.random() < 0.3 else []
    tensor = numbers(r, [rows, columns, *dense], dtype)
    keep = torch.rand(rows // (block[0] if block else 1), columns // (block[1] if block else 1)) < 0.5
    if block:
        keep = keep.repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)
    tensor[~keep] = 0
    batch = r.random() < 0.3
    if batch:
        tensor = torch.stack([tensor, tensor * 1])
    return tensor.to_sparse(layout=layout, blocksize=block, dense_dim=len(dense))


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def elements(tensor, dtype):
    """What PyTorch makes of it in `dtype`, dense and contiguous."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    elif tensor.is_quantized:
        tensor = tensor.dequantize() if dtype.is_floating_point else tensor.int_repr()
    return tensor.resolve_conj().resolve_neg().to(dtype)


def halves(tensor):
    """As ints of the size of a number, with every NaN the same."""
    tensor = torch.empty(tensor.numel(), dtype=tensor.dtype).copy_(tensor.reshape(-1))
    if tensor.is_complex():
        words = {2: torch.float16, 4: torch.float32, 8: torch.float64}
        size = tensor.element_size() // 2
        tensor = torch.view_as_real(tensor).contiguous() if size > 2 else tensor.view(words[size])
    nan = torch.isnan(tensor.to(torch.float32)) if tensor.dtype.is_floating_point else None
    ints = tensor.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]).clone()
    if nan is not None:
        ints[nan] = 1
    return ints


def from_buffer(buffer, dtype, shape):
    count = int(torch.Size(shape).numel())
    return torch.frombuffer(buffer, dtype=dtype, count=count).reshape(shape) if count else torch.empty(shape, dtype=dtype)


def some_slices(r, shape):
    def one(size):
        reach = size + 2
        return slice(r.choice((None, r.randrange(-reach, reach))), r.choice((None, r.randrange(-reach, reach))), r.randrange(1, 4))

    return tuple(one(size) for size in shape)


def compare(library, r, handle, tensor, where):
    dtypes = REALS + (INTS if not tensor.is_complex() else COMPLEX[:2]) + FLOAT8[:2]
    own = tensor.dtype if not tensor.is_quantized else torch.float32
    dtype = own if r.random() < 0.5 else r.choice(dtypes)
    if dtype in INTS and not tensor.is_quantized and tensor.dtype not in INTS:
        dtype = torch.float32  # what does not fit an int differs between machines
    want = elements(tensor, dtype)
    word, error = library.p.ptio_dtype_from_name(str(dtype).encode()), Error()
    buffer = bytearray(max(1, want.numel() * want.element_size()))
    address = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    good(library.p.ptio_tensor_copy(handle, word, address, want.numel() * want.element_size(), byref(error)), error)
    got = from_buffer(buffer, dtype, want.shape)
    assert torch.equal(halves(got), halves(want)), (where, tensor, dtype, got, want)
    slices = some_slices(r, want.shape)
    part = want[slices] if slices else want
    asked = (Slice * max(1, len(slices)))()
    for ours, theirs in zip(asked, slices):
        ours.start = 0 if theirs.start is None else theirs.start
        ours.stop = 2**63 - 1 if theirs.stop is None else theirs.stop
        ours.step = theirs.step
    shape = (c_int64 * max(1, len(slices)))()
    good(library.p.ptio_tensor_slice_shape(handle, asked, shape, byref(error)), error)
    assert list(shape)[: len(slices)] == list(part.shape), (where, slices, list(shape), part.shape)
    good(library.p.ptio_tensor_copy_slice(handle, asked, word, address, part.numel() * part.element_size(), byref(error)), error)
    got = from_buffer(buffer, dtype, part.shape)
    assert torch.equal(halves(got), halves(part)), (where, tensor, dtype, slices, got, part)


def one_file(library, r, path, number):
    makers = (strided, strided, quantized, coo, compressed)
    saved = [r.choice(makers)(r) for _ in range(10)]
    # PyTorch does not read what it writes to legacy streams of the dtypes without a storage class.
    legacy = all(tensor.dtype not in FLOAT8 + COMPLEX[2:] for tensor in saved)
    torch.save(saved, path, _use_new_zipfile_serialization=not legacy)
    loaded = torch.load(path)
    ckpt, source = library.load(path, r.choice((0, MAP)))
    for i, tensor in enumerate(loaded):
        compare(library, r, library.tensor(ckpt, f"[{i}]"), tensor, (number, i))
    library.p.ptio_checkpoint_free(ckpt)
    library.p.ptio_source_free(source)
    return len(saved)


# ---------------------------------------------------------------------------------------------------------------------
# Every rounding


def patterns(dtype):
    """Every value of a narrow dtype, as float32."""
    if dtype.itemsize == 1:
        return torch.arange(256, dtype=torch.int16).to(torch.uint8).view(dtype).to(torch.float32)
    return torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16).view(dtype).to(torch.float32)


def edges(dtype):
    """Float32 values at which the cast to a narrow dtype changes its answer: halfway between neighbours, and right beside that."""
    values = patterns(dtype)
    finite = values[torch.isfinite(values)].unique()
    beyond = 2 * finite[-1:] - finite[-2:-1]  # where the next one would be, if there were one
    ladder = torch.cat((-beyond, finite, beyond)).to(torch.float64).unique()
    halfway = ((ladder[1:] + ladder[:-1]) / 2).to(torch.float32)
    up, down = torch.tensor(float("inf")), torch.tensor(-float("inf"))
    return torch.cat((values, halfway, torch.nextafter(halfway, up), torch.nextafter(halfway, down), torch.stack((up, down, up * 0))))


def roundings(library, path):
    """All values of the narrow floats to all others, and all edges from float32 and float64; gives how many casts."""
    narrow = (torch.float16, torch.bfloat16, *FLOAT8, torch.float8_e8m0fnu)
    saved = [patterns(dtype).to(dtype) for dtype in narrow]
    for dtype in narrow:
        saved += [edges(dtype), edges(dtype).to(torch.float64)]
    torch.save(saved, path)
    ckpt, source = library.load(path)
    casts = 0
    for i, tensor in enumerate(saved):
        handle, error = library.tensor(ckpt, f"[{i}]"), Error()
        for dtype in (*narrow, torch.float32, torch.float64):
            want, buffer = tensor.to(dtype), bytearray(tensor.numel() * dtype.itemsize)
            word = library.p.ptio_dtype_from_name(str(dtype).encode())
            good(library.p.ptio_tensor_copy(handle, word, (ctypes.c_char * len(buffer)).from_buffer(buffer), len(buffer), byref(error)), error)
            got = from_buffer(buffer, dtype, want.shape)
            wrong = (halves(got) != halves(want)).nonzero()
            assert not len(wrong), (tensor.dtype, dtype, tensor[wrong[0]], got[wrong[0]], want[wrong[0]], len(wrong))
            casts += tensor.numel()
    library.p.ptio_checkpoint_free(ckpt)
    library.p.ptio_source_free(source)
    return casts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--count", type=int, default=300, help="files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    library = declare(options.library)
    count = max(1, int(options.count * float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    torch.manual_seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.pt")
        casts = roundings(library, path)
        tensors = sum(one_file(library, random.Random(options.seed * 1000003 + i), path, i) for i in range(count))
    print(f"tensors: {casts} casts of every rounding; {tensors} of {count} files, copies and slices, as PyTorch {torch.__version__}")


if __name__ == "__main__":
    sys.exit(main())
