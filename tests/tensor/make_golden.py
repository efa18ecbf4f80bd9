#!/usr/bin/env python3
"""Write golden.h: what PyTorch makes of many elements, as one digest for each pair of dtypes.

    python tests/tensor/make_golden.py > tests/tensor/golden.h       (PyTorch 2.13, x86-64)

test_convert.c makes the same inputs by the same rules (golden_inputs.c), converts them and compares digests. Left out are the
inputs for which PyTorch answers differently from one memory layout to the next: NaNs, and floats outside uint32 cast to it.
"""
import sys
import warnings

import numpy as np
import torch

WORDS = 4096
MASK = (1 << 64) - 1

DTYPES = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 complex32 uint16 uint32 uint64
            float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu""".split()


def words():
    """A linear congruential sequence; the upper half of each state."""
    state, out = 1, []
    for _ in range(2 * WORDS):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        out.append(state)
    return np.array(out, dtype=np.uint64)


def moderate(bits, mantissa, exponent, bias):
    """Floats of whose bits every second has an exponent near 0, so that casts to narrow types say something."""
    field = np.uint64((1 << exponent) - 1)
    near = np.uint64(bias - 20) + (bits >> np.uint64(3)) % np.uint64(40)
    tamed = (bits & ~(field << np.uint64(mantissa))) | (near << np.uint64(mantissa))
    return np.where(np.arange(len(bits)) % 2 == 0, bits, tamed)


def inputs(name):
    dtype = getattr(torch, name)
    if dtype.itemsize == 1:
        raw = np.arange(256, dtype=np.uint8)
    elif dtype.itemsize == 2:
        raw = np.arange(65536, dtype=np.uint16)
    elif name == "complex32":
        raw = (words() >> np.uint64(48)).astype(np.uint16)
    elif name in ("float32", "complex64"):
        raw = moderate(words() >> np.uint64(32), 23, 8, 127).astype(np.uint32)
    elif name in ("float64", "complex128"):
        raw = moderate(words(), 52, 11, 1023)
    elif dtype.itemsize == 4:
        raw = (words() >> np.uint64(32)).astype(np.uint32)
    else:
        raw = words() >> (np.arange(2 * WORDS, dtype=np.uint64) % np.uint64(64))
    return torch.from_numpy(raw.view(np.uint8).copy()).view(dtype)


def kept(x, target):
    """Which elements the digest is made of."""
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        return torch.ones(len(x), dtype=torch.bool)
    wide = x.to(torch.complex64) if x.dtype == torch.complex32 else x
    parts = [wide.real, wide.imag] if x.dtype.is_complex else [x]
    parts = [p.to(torch.float64) for p in parts]
    keep = torch.ones(len(x), dtype=torch.bool)
    for p in parts:
        keep &= ~torch.isnan(p)
    if target == "uint32":
        keep &= (parts[0] >= -(2.0**31)) & (parts[0] < 2.0**32)
    return keep


def digest(data):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def main():
    assert sys.byteorder == "little"
    warnings.simplefilter("ignore")
    print("/* Made by make_golden.py with PyTorch %s. */" % torch.__version__.split("+")[0])
    print("static const struct golden {\n    ptio_dtype from, to;\n    uint32_t count;\n    uint64_t digest;\n} goldens[] = {")
    for source in DTYPES:
        x = inputs(source)
        for target in DTYPES:
            if source == target:
                continue
            y = x.to(getattr(torch, target)).contiguous()[kept(x, target)].contiguous()
            data = y.view(torch.uint8).numpy().tobytes()
            print("    {PTIO_%s, PTIO_%s, %d, 0x%016xu}," % (source.upper(), target.upper(), len(y), digest(data)))
    print("};")


main()
