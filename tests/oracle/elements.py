#!/usr/bin/env python3
"""Compare what `ptio stats` and `ptio diff` say of tensors, and what `ptio get` gives of them, with PyTorch and NumPy.

    elements.py --ptio COMMAND [--seed N]

Run by a Python that has PyTorch. A file of random tensors of each dtype, of several shapes and strides, is told by both, and slices of them become
files of NumPy; a second file has some elements changed. Closes with
"N passed, N failed". PTIO_TEST_SHARE is not needed: it takes seconds.
"""
import argparse
import io
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import warnings

import numpy
import torch

import seeding

DTYPES = [getattr(torch, name) for name in
          ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "int64",
           "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128", "complex32")]
SHAPES = [(), (1,), (0,), (2, 0, 3), (7,), (40, 50), (3, 4, 5, 6)]
LARGE = [(1, 300000), (300000, 1), (2, 140000)]  # more than one piece


def numbers(r, dtype, shape):
    """A tensor with everything that its dtype has."""
    count = math.prod(shape)
    generator = torch.Generator().manual_seed(r.getrandbits(60))
    if dtype == torch.bool:
        return torch.rand(count, generator=generator).gt(0.3).reshape(shape)
    if not dtype.is_floating_point and not dtype.is_complex:
        return torch.randint(0, 256, (count * dtype.itemsize,), dtype=torch.uint8, generator=generator).view(dtype).reshape(shape)
    scale = r.choice((1.0, 1e-3, 100.0))
    flat = torch.randn(count, dtype=torch.complex128 if dtype.is_complex else torch.float64, generator=generator) * scale + r.choice((0, 0, 50.0))
    for odd in (0.0, -0.0, math.nan, math.inf, -math.inf):
        if count and r.random() < 0.15:
            flat[r.randrange(count)] = complex(1, odd) if dtype.is_complex and r.random() < 0.5 else odd
    return flat.to(dtype).reshape(shape)


def viewed(r, t):
    """The same elements or some of them, by other strides."""
    kind = r.randrange(5)
    if kind == 0 and t.dim() > 1:
        return t.transpose(0, -1)
    if kind == 1 and t.dim() > 0 and t.shape[0] > 2:
        return t[1::2]
    if kind == 2 and t.dim() > 1:
        return t[..., -1]
    if kind == 3 and t.dtype.is_complex:
        return t.conj()
    return t


def tensors(seed):
    r = random.Random(seed)
    return {"%s.%d" % (str(dtype)[6:], i): viewed(r, numbers(r, dtype, shape)) for dtype in DTYPES
            for i, shape in enumerate([*SHAPES, r.choice(LARGE)])}


def wide(t):
    """In float64, whose operators all dtypes share."""
    t = t.resolve_conj()
    return t.to(torch.complex128) if t.dtype.is_complex else t.to(torch.float64)


def is_close(found, right):
    found, right = float(found), float(right)
    return found == right or (math.isnan(found) and math.isnan(right)) or math.isclose(found, right, rel_tol=1e-9, abs_tol=1e-12)


def stats_differ(t, line):
    """What `ptio stats --json` has wrong about a tensor."""
    w = wide(t)
    exact = t.tolist() if t.dtype in (torch.int64, torch.uint64) else w.flatten().tolist()
    while exact and isinstance(exact, list) and isinstance(exact[0], list):
        exact = [x for row in exact for x in row]
    if not isinstance(exact, list):
        exact = [exact]
    right = {"nan": int(w.isnan().sum()), "inf": int(w.isinf().sum()), "zeros": int((w == 0).sum())}
    wrong = [key for key in right if line[key] != right[key]]
    mean, std = w.mean(), w.std() if t.numel() > 1 else torch.tensor(math.nan)
    if t.dtype.is_complex:
        found = line["mean"]
        wrong += ["mean"] * (not is_close(found[0], mean.real) or not is_close(found[1], mean.imag))
        wrong += ["min, max"] * (line["min"] is not None or line["max"] is not None)
    else:
        wrong += ["mean"] * (not is_close(line["mean"], mean))
        for key, of in (("min", min), ("max", max)):
            whole = t.dtype in (torch.int64, torch.uint64)
            best = None if not exact else of(exact) if whole else float(getattr(w, key)())
            found = line[key]
            wrong += [key] * (found != best if best is None or whole else not is_close(found, best))
    wrong += ["std"] * (not is_close(line["std"], std))
    return wrong


def compare_stats(ptio, path, saved):
    done = subprocess.run([ptio, "stats", "--json", path], stdout=subprocess.PIPE, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["name"] for line in lines] == list(saved)
    for line in lines:
        wrong = stats_differ(saved[line["name"]], line)
        yield "stats: %s: %s: %s" % (line["name"], wrong, line) if wrong else None


def random_slices(r, t):
    """A slice as text: of some dimensions a slice, an index or all."""
    parts = []
    for size in t.shape:
        kind = r.randrange(4)
        if kind == 0 and size:
            parts.append(str(r.randrange(-size, size)))
        elif kind == 1:
            parts.append("%s:%s%s" % (r.choice(("", 0, 1, -2)), r.choice(("", 3, -1, 1000)), r.choice(("", ":", ":2", ":3"))))
        else:
            parts.append(":")
    if r.random() < 0.5:
        parts = parts[:r.randrange(len(parts) + 1)] + r.choice(([], ["..."]))
    return ",".join(parts) or "..."


def numpy_file(t):
    file = io.BytesIO()
    numpy.save(file, t.resolve_conj().numpy())
    return file.getvalue()


def get(ptio, path, name, *options):
    return subprocess.run([ptio, "get", *options, path, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def get_differs(ptio, path, name, t, slices):
    """What `ptio get` has wrong about a slice."""
    part = eval("t[%s]" % slices, {"t": t})
    at = ("--slice=" + slices,)
    flat = torch.empty(part.numel(), dtype=t.dtype)
    flat.copy_(part.reshape(-1))
    raw = flat.view(torch.uint8).numpy().tobytes()
    wrong = ["--raw"] * (get(ptio, path, name, "--raw", *at).stdout != raw)
    done = get(ptio, path, name, "--npy", *at)
    try:
        right = numpy_file(part)
    except TypeError:
        wrong += ["--npy"] * (done.returncode != 4)
        done = get(ptio, path, name, "--npy", "--cast=" + ("complex128" if t.dtype.is_complex else "float64"), *at)
        found = numpy.load(io.BytesIO(done.stdout))
        # By value: the bits of a NaN depend on the strides in PyTorch.
        wrong += ["--cast --npy"] * (not numpy.array_equal(found, wide(part).numpy(), equal_nan=True))
    else:
        wrong += ["--npy"] * (done.stdout != right)
    if part.numel() < 3000:
        numbers = get(ptio, path, name, "--text", *at).stdout.decode().replace("True", "1").replace("False", "0").split()
        found = numpy.array([complex(x) for x in numbers]).astype(numpy.complex128)
        right = wide(part).to(torch.complex128).numpy().ravel()
        # Floats of 32 bits stand with the fewest digits that give these 32 bits back.
        narrow = t.dtype not in (torch.float64, torch.complex128) and (t.dtype.is_floating_point or t.dtype.is_complex)
        if narrow:
            found, right = found.astype(numpy.complex64), right.astype(numpy.complex64)
        wrong += ["--text"] * (not numpy.array_equal(found, right, equal_nan=True))
    return wrong


def compare_get(ptio, path, saved, seed):
    r = random.Random(seed)
    for name, t in saved.items():
        slices = random_slices(r, t)
        wrong = get_differs(ptio, path, name, t, slices)
        yield "get: %s[%s]: %s" % (name, slices, wrong) if wrong else None


def changed(r, t):
    """A copy with some other elements: far from the old ones, near them, odd ones; or with other bits of the same numbers."""
    other = t.clone(memory_format=torch.contiguous_format).resolve_conj()
    flat = other.view(-1)
    for _ in range(r.randrange(4) if t.numel() else 0):
        at = r.randrange(t.numel())
        if t.dtype == torch.bool:
            flat[at] = not flat[at]
        elif not t.dtype.is_floating_point and not t.dtype.is_complex:
            flat[at] = r.randrange(2 if t.dtype == torch.bool else 100)
        else:
            near = wide(flat[at]) * (1 + 10.0 ** r.uniform(-9, -1))
            flat[at] = r.choice((near, near, torch.tensor(-0.0), torch.tensor(math.nan), torch.tensor(math.inf))).to(t.dtype)
    return other


def bits(t):
    flat = torch.empty(t.numel(), dtype=t.dtype)
    flat.copy_(t.reshape(-1))
    return flat.view(torch.uint8).reshape(t.numel(), -1)


def diff_differs(a, b, line):
    """What `ptio diff --json` has wrong about two tensors; `line` is None where it says nothing."""
    different = int((bits(a) != bits(b)).any(dim=1).sum()) if a.numel() else 0
    if line is None:
        return ["it says nothing"] if different else []
    x, y = wide(a).reshape(-1), wide(b).reshape(-1)
    same = (x == y) | (x.isnan() & y.isnan())
    distance = torch.where(same, 0.0, (x - y).abs().nan_to_num(nan=math.inf, posinf=math.inf))
    wrong = ["different"] * (line["different"] != different)
    whole = a.dtype in (torch.int64, torch.uint64)
    if whole:
        pairs = [(p, q) for p, q in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist())]
        wrong += ["max_abs"] * (line["max_abs"]["difference"] != float(max(abs(p - q) for p, q in pairs)))
        return wrong
    wrong += ["max_abs"] * (not is_close(line["max_abs"]["difference"], distance.max()))
    at = tuple(line["max_abs"]["at"])
    found = [complex(*v) if isinstance(v, list) else complex(float(v)) for v in (line["max_abs"]["a"], line["max_abs"]["b"])] if not a.dtype.is_complex else None
    if found:
        right = [complex(wide(a)[at]), complex(wide(b)[at])]
        wrong += ["at"] * any(f != r and not (f != f and r != r) for f, r in zip(found, right))
    if not a.dtype.is_complex:
        wrong += ["allclose"] * (line["allclose"] != torch.allclose(x, y, equal_nan=True))
    return wrong


def compare_diff(ptio, path, saved, seed):
    r = random.Random(seed)
    others = {name: changed(r, t) for name, t in saved.items()}
    torch.save(others, path + ".other")
    done = subprocess.run([ptio, "diff", "--json", path, path + ".other"], stdout=subprocess.PIPE)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = {line["name"]: line for line in lines[:-1]}
    yield None if done.returncode == (1 if told else 0) and all(line["difference"] == "elements" for line in told.values()) else "diff: exit %d: %s" % (done.returncode, lines)
    for name, t in saved.items():
        wrong = diff_differs(t, others[name], told.get(name))
        yield "diff: %s: %s: %s" % (name, wrong, told.get(name)) if wrong else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    passed, failures = 0, []
    for seed in [0, seeding.fresh()] if options.seed is None else [options.seed]:
        with tempfile.TemporaryDirectory(prefix="ptio-elements-") as folder:
            path = os.path.join(folder, "t.pt")
            saved = tensors(seed)
            torch.save(saved, path)
            for wrong in (*compare_stats(options.ptio, path, saved), *compare_get(options.ptio, path, saved, seed),
                          *compare_diff(options.ptio, path, saved, seed)):
                passed += not wrong
                failures += ["seed %d: %s" % (seed, wrong)] if wrong else []
    for failure in failures[:20]:
        print(failure)
    print("%d passed, %d failed" % (passed, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
