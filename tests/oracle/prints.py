"""Compare what `ptio show` prints with what print() of PyTorch prints: random tensors and arrays, Python's library, and every kind of module.

    tensors(seed, index)    a list of random tensors of one file, and the print options that both sides take
    arrays.py               random NumPy arrays
    kinds.py                objects of each kind that PyTorch prints by their state; the test fails where fewer were compared than it says

Values are drawn so that the notation changes: whole, tiny, huge, equal, infinite, NaN, negative zeros.
"""
import argparse
import array
import collections
import contextlib
import datetime
import decimal
import fractions
import ipaddress
import itertools
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import types
import uuid

import torch
import torch.nn as nn

import arrays
import kinds
import printed

PER_FILE = 20
PYTHON = "%d.%d" % sys.version_info[:2]

FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz,
          torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
INTEGERS = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool]
COMPLEX = [torch.complex64, torch.complex128, torch.complex32]


# ---------------------------------------------------------------------------------------------------------------------
# Tensors


def numbers(r, count):
    """Doubles of one kind."""
    kind = r.randrange(9)
    scale = 10.0 ** r.randrange(-12, 13)
    draw = [lambda: float(r.randrange(-9, 10)), lambda: r.gauss(0, 1), lambda: r.gauss(0, scale), lambda: scale, lambda: 0.0,
            lambda: r.choice((math.inf, -math.inf, math.nan, 0.0, -0.0, 1.5)), lambda: 10.0 ** r.uniform(-6, 9),
            lambda: float(r.randrange(-2 ** 40, 2 ** 40)), lambda: round(r.uniform(-100, 100), r.randrange(6))][kind]
    values = [draw() for _ in range(count)]
    if r.random() < 0.2 and values:
        values[r.randrange(count)] = r.choice((math.inf, -math.inf, math.nan, -0.0, 1e-30, 1e30))
    return values


def shape(r):
    ndim = r.choice((0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5))
    sizes = [r.choice((0, 1, 2, 3, 4, 5, 7, 9, 20)) if r.random() < 0.9 else r.choice((40, 300, 1100)) for _ in range(ndim)]
    while math.prod(sizes) > 20000:
        sizes[sizes.index(max(sizes))] //= 2
    return sizes


def dense(r, sizes=None, dtype=None):
    sizes = shape(r) if sizes is None else sizes
    dtype = dtype or r.choice(FLOATS + FLOATS[:2] * 4 + INTEGERS + COMPLEX)
    count = math.prod(sizes)
    if dtype in INTEGERS:
        if dtype == torch.bool:
            values = [r.random() < 0.5 for _ in range(count)]
        else:
            info = torch.iinfo(dtype)
            span = r.choice((10, 1000, 2 ** 63))
            values = [r.randrange(max(info.min, -span), min(info.max, span) + 1) for _ in range(count)]
        return torch.tensor(values, dtype=dtype).reshape(sizes)
    if dtype.is_complex:
        wide = torch.complex(torch.tensor(numbers(r, count), dtype=torch.float64), torch.tensor(numbers(r, count), dtype=torch.float64))
        return wide.reshape(sizes).to(dtype)
    return torch.tensor(numbers(r, count), dtype=torch.float64).reshape(sizes).to(dtype)


def strided(r):
    t = dense(r)
    if t.dim() > 1 and r.random() < 0.5:
        t = t.transpose(0, r.randrange(1, t.dim()))
    if t.dim() and t.shape[0] > 1 and r.random() < 0.3:
        t = t[::2]
    if t.dtype in COMPLEX[:2] and r.random() < 0.3:
        t = t.conj()
    return t


def sparse(r):
    """Of every layout: hybrid, in batches, not coalesced, empty."""
    dtype = r.choice((torch.float32, torch.float64, torch.int64, torch.complex64, torch.bool, torch.uint8, torch.float16))
    sizes = [r.choice((1, 2, 4, 6, 40)), r.choice((2, 4, 6, 60))]
    layout = r.choice((torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc))
    if layout in (torch.sparse_bsr, torch.sparse_bsc):
        return dense(r, [4, 6], torch.float32).to_sparse(layout=layout, blocksize=(2, 3))
    if r.random() < 0.3:
        sizes = [2] + sizes if layout != torch.sparse_coo else sizes + [r.choice((1, 3))]
    t = dense(r, sizes, dtype)
    keep = torch.rand(sizes[-2:] if len(sizes) > 2 and layout != torch.sparse_coo else sizes[:2]) < 0.5
    t = t * (keep if layout != torch.sparse_coo or len(sizes) == 2 else keep.unsqueeze(2))
    if layout != torch.sparse_coo:
        return t.to_sparse(layout=layout)
    if r.random() < 0.2:
        return torch.sparse_coo_tensor(size=r.choice(((3, 0), (0,), (2, 3), ())), dtype=dtype)
    if r.random() < 0.2:
        return torch.sparse_coo_tensor(torch.tensor([[0, 1, 0, 1]]), dense(r, [4, 2], dtype), (3, 2))
    return t.to_sparse(2)


def quantized(r):
    sizes = r.choice(([3, 4], [3, 4], [3, 500], [3, 0], [3]))
    t = torch.tensor([r.uniform(-5, 5) for _ in range(math.prod(sizes))]).reshape(sizes)
    dtype = r.choice((torch.qint8, torch.quint8, torch.qint32))
    if r.random() < 0.5:
        return torch.quantize_per_tensor(t, r.uniform(0.01, 0.3), r.randrange(0, 20), dtype)
    if r.random() < 0.3:
        return torch.quantize_per_channel(t, torch.rand(3) + 0.01, torch.rand(3), 0, torch.quint8)
    return torch.quantize_per_channel(t, torch.rand(3, dtype=torch.float64) + 0.01, torch.tensor([0, 1, 2]), 0, dtype)


def nested(r):
    dtype = r.choice((torch.float32, torch.float64, torch.int64))
    parts = [torch.tensor(numbers(r, n * 2)).reshape(n, 2).nan_to_num(0, 1, 1).clamp(-9e9, 9e9).to(dtype) for n in (1, 3, r.choice((0, 2, 700)))]
    return torch.nested.nested_tensor(parts, layout=r.choice((torch.strided, torch.jagged)))


def repeated(r):
    """Of one element, or one row, that stands for many."""
    return dense(r, [r.choice((1, 3)), 1]).expand(-1, r.choice((0, 5, 2000, 10 ** 7)))


def odd(r):
    """Of dtypes without arithmetic, and views that negate."""
    dtype = r.choice((torch.float4_e2m1fn_x2, torch.float8_e8m0fnu, torch.uint16, torch.uint32, torch.uint64))
    if r.random() < 0.4:
        return torch._neg_view(dense(r, dtype=r.choice((torch.float32, torch.float64))))  # complex zeros: as many as its vectors hold
    return torch.tensor([r.randrange(256) for _ in range(8)], dtype=torch.uint8).view(dtype)


def drawn(r):
    """What PyTorch cannot make is drawn again."""
    while True:
        with contextlib.suppress(RuntimeError, NotImplementedError):
            return r.choice((strided,) * 24 + (sparse,) * 6 + (quantized, quantized, nested, nested, meta, meta, repeated, odd))(r)


def tensor(r):
    t = drawn(r)
    if (t.dtype.is_floating_point or t.dtype.is_complex) and r.random() < 0.3:
        t = t.detach() if t.numel() > 10 ** 5 else t.detach().clone()
        return nn.Parameter(t, requires_grad=r.random() < 0.7) if r.random() < 0.5 and not t.is_nested else t.requires_grad_()
    return t


def meta(r):
    return torch.empty(shape(r), dtype=r.choice((torch.float32, torch.float64, torch.int64)), device="meta")


def print_options(r):
    """Arguments of torch.set_printoptions() and of `ptio show`."""
    if r.random() < 0.4:
        return {}, []
    python, command = {}, []
    if r.random() < 0.3:
        python["profile"] = r.choice(("default", "short", "full"))
        command.append("--profile=" + python["profile"])
    for name, option, values in (("precision", "--precision", (0, 1, 2, 3, 5, 8, 12, 30)), ("threshold", "--threshold", (0, 5, 10, 100, 5000)),
                                 ("edgeitems", "--edgeitems", (0, 1, 2, 5, 500)), ("linewidth", "--linewidth", (0, 1, 20, 40, 60, 120, 200))):
        if r.random() < 0.4:
            python[name] = r.choice(values)
            command.append("%s=%d" % (option, python[name]))
    if python.get("profile") == "full" and python.get("threshold") is None:
        python["threshold"] = 3000  # what is repeated is not for printing whole
        command.append("--threshold=3000")
    if r.random() < 0.4:
        python["sci_mode"] = r.random() < 0.5
        command.append("--sci-mode=" + ("on" if python["sci_mode"] else "off"))
    return python, command


@contextlib.contextmanager
def printing(options):
    torch.set_printoptions(profile="default", sci_mode=None)
    torch.set_printoptions(**options)
    try:
        yield
    finally:
        torch.set_printoptions(profile="default", sci_mode=None)


# ---------------------------------------------------------------------------------------------------------------------
# Python's library


def library(r):
    """A value of the classes that ptio writes by a form."""
    zone = r.choice((None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(minutes=r.randrange(-700, 700)))))
    text = "".join(r.choice("ab'\"\\\n\x1b\u00e9\u4e2d\u200b\U0001f600 ") for _ in range(r.randrange(6)))
    return r.choice((
        lambda: datetime.datetime(r.randrange(1, 9999), r.randrange(1, 13), r.randrange(1, 29), r.randrange(24), r.choice((0, 5)), r.choice((0, 7)),
                                  r.choice((0, 9)), zone),
        lambda: datetime.date(r.randrange(1, 9999), r.randrange(1, 13), r.randrange(1, 29)),
        lambda: datetime.time(r.randrange(24), r.randrange(60), r.choice((0, 8)), r.choice((0, 9)), zone),
        lambda: datetime.timedelta(r.randrange(-3, 3), r.randrange(3), r.randrange(3)),
        lambda: decimal.Decimal(r.choice(("1.50", "-0", "NaN", "1E+30", "Infinity"))),
        lambda: fractions.Fraction(r.randrange(-9, 9), r.randrange(1, 9)),
        lambda: uuid.UUID(int=r.getrandbits(r.choice((3, 128)))),
        lambda: r.choice((pathlib.PurePosixPath, pathlib.PureWindowsPath))(*r.choice((("/", "a", text), ("b", "c"), (), ("C:\\x", "y")))),
        lambda: re.compile("a" * r.choice((1, 300)), r.choice((0, re.I, re.M | re.S, re.A, re.X | re.I))),
        lambda: types.SimpleNamespace(a=text, b=[1]),
        lambda: slice(r.randrange(3), None, r.randrange(3)), lambda: range(r.randrange(3), 9, r.randrange(1, 3)),
        lambda: r.choice((ValueError, KeyError, RuntimeError))(*r.choice(((), (text,), (text, 2)))), lambda: OSError(2, text, "f"),
        lambda: collections.OrderedDict(a=text, b=2), lambda: collections.Counter(text), lambda: collections.deque([text], 3),
        lambda: collections.defaultdict(list, {text: [1]}), lambda: text, lambda: torch.device("cuda", 1), lambda: torch.Size([1, 2]),
        lambda: Ellipsis, lambda: NotImplemented, lambda: argparse.Namespace(**{"a": text, "b-c": 1, "d e": [text]}),
        lambda: array.array(r.choice("bdqu")), lambda: array.array("u", text), lambda: array.array("d", [0.5, 2]),
        lambda: re.I | re.M, lambda: ipaddress.ip_address(r.getrandbits(32)), lambda: ipaddress.ip_address("::%x" % r.getrandbits(16)),
        lambda: itertools.count(r.randrange(3), r.randrange(1, 3)), lambda: itertools.repeat(text, 2), lambda: collections.ChainMap({"a": text}, {}),
        lambda: collections.UserDict(a=text), lambda: collections.UserList([text]), lambda: collections.UserString(text),
        lambda: time.gmtime(r.randrange(10 ** 9)), lambda: zone or 0))()


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def shown(command, path, options=()):
    done = subprocess.run([command, "show", "--python=" + PYTHON, *options, path], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    if done.returncode:
        return "exit code %d: %s" % (done.returncode, done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "surrogatepass")[:-1]


def escaped(text):
    """What Python prints of a bare str, as ptio has it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def text_of(value):
    bare = isinstance(value, (str, BaseException, pathlib.PurePath, collections.UserString)) or getattr(getattr(value, "dtype", None), "kind", None) == "U" and not value.shape
    return escaped(str(value)) if bare else str(value)


class Unprintable(Exception):
    """PyTorch cannot save, load or print it."""


def compare(command, value, python, options, **saving):
    """The first difference between what both print of a value that was saved, or None."""
    fd, path = tempfile.mkstemp(suffix=".pt")
    os.close(fd)
    try:
        try:
            torch.save(value, path, **saving)
            with printing(python):
                expected = text_of(torch.load(path, weights_only=False))
        except Exception as e:
            raise Unprintable(str(e))
        return printed.difference(expected, shown(command, path, options))
    finally:
        os.unlink(path)


def one_by_one(command, values, python, options, **saving):
    """(compared, problems) of values that are saved together; where PyTorch refuses one of them, one by one."""
    try:
        problem = compare(command, values, python, options, **saving)
        return len(values), [problem] if problem else []
    except Unprintable:
        compared, problems = 0, []
        for value in values:
            with contextlib.suppress(Unprintable):
                problem = compare(command, value, python, options, **saving)
                compared += 1
                problems += [problem] if problem else []
        return compared, problems


def compare_tensors(command, seed, index):
    r = random.Random("%d/%d/tensors" % (seed, index))
    torch.manual_seed(r.getrandbits(30))
    values = [tensor(r) for _ in range(PER_FILE)]
    python, options = print_options(r)
    compared, problems = one_by_one(command, values, python, options, _use_new_zipfile_serialization=r.random() < 0.8)
    return compared, ["--seed %d, tensors %d %s: %s" % (seed, index, " ".join(options), problem) for problem in problems]


def compare_library(command, seed, index):
    r = random.Random("%d/%d/library" % (seed, index))
    values = [library(r) for _ in range(PER_FILE)]
    protocol = r.choice((2, 2, 2, 4))
    compared, problems = one_by_one(command, values, {}, [], pickle_protocol=protocol)
    for value in values[:3]:  # as print() has them, which is not repr()
        problem = compare(command, value, {}, [], pickle_protocol=protocol)
        compared, problems = compared + 1, problems + ([problem] if problem else [])
    return compared, ["--seed %d, library %d: %s" % (seed, index, problem) for problem in problems]


def compare_arrays(command, seed, index):
    r = random.Random("%d/%d/arrays" % (seed, index))
    values = [arrays.array(r) for _ in range(PER_FILE)]
    protocol = r.choice((2, 2, 2, 4))
    compared, problems = one_by_one(command, values, {}, [], pickle_protocol=protocol)
    for value in values[:3]:  # as print() has them
        with contextlib.suppress(Unprintable):
            problem = compare(command, value, {}, [], pickle_protocol=protocol)
            compared, problems = compared + 1, problems + ([problem] if problem else [])
    return compared, ["--seed %d, arrays %d: %s" % (seed, index, problem) for problem in problems]


def compare_kinds(command):
    compared, problems = [], []
    for name, value in kinds.everything():
        try:
            problem = compare(command, value, {}, [])
        except Unprintable:
            continue
        compared.append(type(value))
        problems += ["%s: %s" % (name, problem)] if problem else []
    return len(compared), problems + kinds.too_few(compared)


def run(command, seed, count, with_kinds):
    """(passed, failed) of `count` tensors, some other values, and of all kinds."""
    parts = [compare_kinds(command)] if with_kinds else []
    parts += [compare_tensors(command, seed, i) for i in range(-(-count // PER_FILE))]
    parts += [compare_arrays(command, seed, i) for i in range(-(-count // PER_FILE // 2))]
    parts += [compare_library(command, seed, i) for i in range(-(-count // PER_FILE // 5))]
    compared, failed = sum(part[0] for part in parts), 0
    for _, problems in parts:
        failed += len(problems)
        for problem in problems:
            print("prints: " + problem.encode("ascii", "backslashreplace").decode(), flush=True)
    return compared - failed, failed
