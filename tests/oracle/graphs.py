"""Random object graphs of everything that torch.save meets, each determined by its seed.

    Maker(seed).graph()     an object; what PyTorch cannot make or save is for the caller to draw again

Values are drawn from small tables of kinds. Every thing that has an identity may be used again later in the graph; containers may
contain themselves. `swappable` is false after a graph got something whose values constrain each other (sparse indices, quantizers):
their bytes must not be reversed by a byte order record that lies.
"""
import argparse
import collections
import datetime
import decimal
import fractions
import math
import random
import types

import numpy as np
import torch
import torch.nn as nn

import zoo

DTYPES = [getattr(torch, n) for n in (
    "float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool complex32 complex64 complex128 uint16 uint32 uint64 float8_e4m3fn "
    "float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 bits8 bits16 bits1x8 bits2x4 bits4x2").split() if hasattr(torch, n)]
PLAIN = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool, torch.complex64]
NUMPY = ["<f4", "<f8", "<f2", "<i8", "<i4", "<i2", "|i1", "|u1", "<u2", "<u8", "|b1", "<c8", "<c16", ">f4", ">i8", ">u2", ">c8", "<U3", "|S4", "<M8[D]", "<m8[s]", "|V3"]
LETTERS = "abcdefgh_XYZ0189 .-/"
ODD_TEXTS = [u"", u"\n", u"\x00", u"'", u'"', u"\\", u"\x1b[1m", u"\u202e", u"\xe9", u"\u65e5\u672c", u"\U0001f600", u"\ud800", u"a.b.c", u"k" * 255, u"k" * 256, u"m" * 5000]


class Noted(torch.Tensor):
    """A tensor whose state is saved in two parts: attributes and slots."""
    __slots__ = ("unit", "scale")


class Describer(zoo.Describer):
    """Tells of a tensor what is in its slots, too."""

    def tensor(self, t):
        made = super().tensor(t)
        slots = [name for name in Noted.__slots__ if isinstance(t, Noted) and hasattr(t, name)]
        if slots:
            made["slots"] = {name: self.node(getattr(t, name)) for name in slots}
        return made


class Maker(object):
    def __init__(self, seed):
        self.r = random.Random(seed)
        torch.manual_seed(self.r.getrandbits(63))
        np.random.seed(self.r.getrandbits(32))
        self.made = []      # what may be used again
        self.tensors = []   # strided ones, whose storages may be shared
        self.left = self.r.choice((3, 10, 30, 80))
        self.swappable = True

    def one_of(self, *calls):
        return self.r.choice(calls)()

    # ----- leaves

    def text(self):
        if self.r.random() < 0.25:
            return self.r.choice(ODD_TEXTS)
        return "".join(self.r.choice(LETTERS) for _ in range(self.r.randrange(1, 12)))

    def integer(self):
        bits = self.r.choice((1, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 62, 63, 64, 65, 127, 128, 256, 2040, 2100))
        return self.r.choice((1, -1)) * (self.r.getrandbits(bits) if self.r.random() < 0.6 else 2 ** bits + self.r.choice((-1, 0, 1)))

    def real(self):
        return self.r.choice((0.0, -0.0, 1.5, 1e300, 5e-324, math.inf, -math.inf, math.nan, self.r.random(), self.r.uniform(-1e6, 1e6)))

    def octets(self):
        return bytes(self.r.getrandbits(8) for _ in range(self.r.choice((0, 1, 5, 255, 256, 300))))

    def simple(self):
        return self.one_of(lambda: None, lambda: True, lambda: False, self.integer, self.real, self.text, self.octets,
                           lambda: complex(self.real(), self.real()))

    def torch_value(self):
        return self.r.choice((
            torch.Size([self.r.randrange(9) for _ in range(self.r.randrange(4))]), self.r.choice(DTYPES), torch.device("cpu"), torch.device("cuda", 1),
            torch.device("meta"), torch.strided, torch.sparse_coo, torch.sparse_csr, torch.contiguous_format, torch.channels_last, torch.per_tensor_affine))

    def named(self):
        return self.r.choice((nn.Linear, nn.functional.relu, collections.OrderedDict, int, len, zoo.Point, zoo.Outer.method, torch.optim.Adam, np.float32,
                              datetime.date, torch.Tensor, nn.Parameter))

    def python_object(self):
        return self.one_of(
            lambda: range(self.r.randrange(9)), lambda: fractions.Fraction(self.integer(), 7), lambda: decimal.Decimal("1.50"),
            lambda: datetime.date(2024, 2, 29), lambda: datetime.timedelta(3, 4), lambda: datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
            lambda: zoo.Pair(self.value(), self.value()), lambda: zoo.Point(self.value(), self.value()), lambda: slice(1, self.r.randrange(9)),
            lambda: argparse.Namespace(lr=self.value(), name=self.text()), lambda: types.SimpleNamespace(a=self.value()), lambda: self.slotted())

    def slotted(self):
        made = zoo.Slotted.__new__(zoo.Slotted)
        for name in zoo.Slotted.__slots__:
            setattr(made, name, self.value())
        return made

    def array(self):
        dtype = np.dtype(self.r.choice(NUMPY))
        if self.r.random() < 0.1:
            made = np.empty(self.r.randrange(1, 4), dtype=object)
            for i in range(len(made)):
                made[i] = self.value()
            return made
        shape = tuple(self.r.randrange(4) for _ in range(self.r.randrange(4)))
        size = int(np.prod(shape, dtype=int)) * dtype.itemsize
        if dtype.kind == "U":
            made = np.array(["ab\xe9"] * int(np.prod(shape, dtype=int)), dtype=dtype).reshape(shape)
        else:
            made = np.frombuffer(self.r.randbytes(size) if dtype.kind != "b" else bytes(self.r.randrange(2) for _ in range(size)), dtype=dtype).reshape(shape).copy()
        return self.r.choice((made, made.T, np.asfortranarray(made), made[::2] if made.ndim else made))

    def structured_dtype(self, depth=0):
        """Fields, arrays in fields, titles, gaps, alignment, fields of fields; of numpy.record too."""
        fields = []
        for i in range(self.r.randrange(1, 5)):
            of = self.structured_dtype(depth + 1) if depth < 2 and self.r.random() < 0.25 else self.r.choice(NUMPY + ["O", "S3", "V3"])
            name = self.r.choice(("f%d", "it's %d", "\xe9\u65e5%d", '"%d"', "%d" + "x" * 70)) % i
            name = ("title %d" % i, name) if self.r.random() < 0.1 else name
            fields.append((name, of) if self.r.random() < 0.7 else (name, of, self.r.choice(((2,), (1, 3), (2, 1, 2)))))
        made = np.dtype(fields, align=self.r.random() < 0.3)
        if self.r.random() < 0.2:
            made = np.dtype({"names": made.names, "formats": [made.fields[n][0] for n in made.names],
                             "offsets": [made.fields[n][1] + 8 for n in made.names], "itemsize": made.itemsize + 16})
        return np.dtype((np.record, made)) if self.r.random() < 0.1 else made

    def numpy_value(self):
        scalar = np.dtype(self.r.choice(NUMPY[:12] + ["<M8[D]", "<m8[s]"]))
        return self.one_of(self.array, self.array, lambda: np.frombuffer(self.r.randbytes(scalar.itemsize) if scalar.kind != "b" else b"\x01", dtype=scalar)[0],
                           lambda: np.dtype(self.r.choice(NUMPY)), self.structured_dtype, lambda: np.str_(self.r.choice(("s", "\xe9t"))), lambda: np.bytes_(b"ab"))

    # ----- tensors

    def shape(self, most=4):
        return [self.r.choice((0, 1, 1, 2, 3, 4, 5)) for _ in range(self.r.randrange(most + 1))]

    def elements(self, dtype, count):
        """A tensor of `count` elements of any bit pattern that the dtype allows."""
        if dtype == torch.bool:
            return torch.tensor([self.r.random() < 0.5 for _ in range(count)], dtype=torch.bool)
        size = torch.empty(0, dtype=dtype).element_size()
        made = torch.tensor(list(self.r.randbytes(count * size)), dtype=torch.uint8).view(dtype) if count else torch.empty(0, dtype=dtype)
        if dtype in (torch.float16, torch.bfloat16):
            # PyTorch copies elements of these by way of float32, where a signalling NaN becomes a quiet one: its truth is not the file's.
            made[made.isnan()] = float("nan")
        return made

    def strided(self, dtypes=DTYPES):
        if self.tensors and self.r.random() < 0.35:
            base = self.r.choice(self.tensors)
        else:
            base = self.elements(self.r.choice(dtypes), self.r.choice((0, 1, 2, 7, 24, 60)))
            self.tensors.append(base)
        count = base.untyped_storage().nbytes() // base.element_size()
        for _ in range(20):
            shape = self.shape()
            stride = [self.r.choice((0, 1, 1, 2, 3, 4, 6, 12)) for _ in shape]
            if self.r.random() < 0.6:  # in C order
                stride, step = [], 1
                for n in reversed(shape):
                    stride.insert(0, step)
                    step *= max(n, 1)
            offset = self.r.choice((0, 0, 1, 3))
            last = offset + sum((n - 1) * s for n, s in zip(shape, stride))
            if 0 in shape and offset <= count or 0 not in shape and last < count:
                return base.detach().as_strided(shape, stride, offset)
        return base.detach()

    def floating(self):
        return self.strided([torch.float32, torch.float64, torch.float16, torch.bfloat16])

    def with_grad(self):
        t = self.floating()
        return t.requires_grad_(True) if t.dtype.is_floating_point else t

    def parameter(self):
        t = self.floating()
        return nn.Parameter(t, requires_grad=self.r.random() < 0.7 and t.dtype.is_floating_point) if not isinstance(t, nn.Parameter) else t

    def conj_or_neg(self):
        t = torch.randn(self.shape(2), dtype=torch.complex64)
        return self.r.choice((t.conj(), torch.view_as_real(t), t.conj().imag, t.imag, t.real))

    def sparse(self):
        self.swappable = False
        shape = [self.r.choice((2, 4, 6)), self.r.choice((2, 4))]
        dense = (torch.rand(shape) < 0.4) * torch.randn(shape)
        dense = dense.to(self.r.choice((torch.float32, torch.float64, torch.int64, torch.complex64, torch.float16)))
        made = self.one_of(dense.to_sparse, lambda: dense.to_sparse(1), dense.to_sparse_csr, dense.to_sparse_csc, lambda: dense.to_sparse_bsr((2, 2)),
                           lambda: dense.to_sparse_bsc((2, 1)), lambda: torch.sparse_coo_tensor([[0, 1, 1], [1, 0, 0]], [1.0, 2.0, 3.0], (2, 3)),
                           lambda: torch.sparse_coo_tensor(torch.zeros((0, 3), dtype=torch.int64), torch.ones(3, 2), (2,)),
                           lambda: torch.stack([dense, dense]).to_sparse_csr(),
                           lambda: torch.sparse_csr_tensor(torch.tensor([0, 1, 2], dtype=torch.int32), torch.tensor([1, 0], dtype=torch.int32), torch.ones(2), (2, 2)))
        if self.r.random() < 0.2 and (made.dtype.is_floating_point or made.dtype.is_complex):
            made = self.r.choice((nn.Parameter, lambda t: t.requires_grad_(True)))(made)
        return made

    def quantized(self):
        self.swappable = False
        t, dtype = torch.randn(3, 4), self.r.choice((torch.quint8, torch.qint8, torch.qint32))
        made = self.one_of(
            lambda: torch.quantize_per_tensor(t, self.r.choice((0.1, 0.5, 1e-3)), self.r.randrange(5), dtype),
            lambda: torch.quantize_per_channel(t, torch.rand(3, dtype=torch.float64) + 0.1, torch.arange(3), 0, dtype),
            lambda: torch.quantize_per_channel(t, torch.rand(4, dtype=torch.float64) + 0.1, torch.zeros(4, dtype=torch.int64), 1, dtype),
            lambda: torch.quantize_per_channel(t, torch.rand(3) + 0.1, torch.rand(3), 0, torch.quint8))
        return made[:2] if made.qscheme() == torch.per_tensor_affine and self.r.random() < 0.5 else made

    def nested(self):
        self.swappable = False
        parts = [torch.randn(self.r.randrange(1, 4), 3) for _ in range(self.r.randrange(1, 4))]
        made = torch.nested.nested_tensor(parts, layout=self.r.choice((torch.strided, torch.jagged)))
        if made.layout == torch.jagged and self.r.random() < 0.3:
            made = made.transpose(1, 2)
        return self.r.choice((nn.Parameter, lambda t: t.requires_grad_(True)))(made) if self.r.random() < 0.2 else made

    def meta(self):
        t = torch.empty(self.shape(), dtype=self.r.choice(PLAIN), device="meta")
        return self.r.choice((t, t, t.t() if t.dim() == 2 else t))

    def attributed(self):
        t = self.floating()
        t.note = self.one_of(self.simple, lambda: [self.simple(), {self.text(): self.real()}], self.strided, self.torch_value)
        return t

    def noted(self):
        t = self.floating().as_subclass(Noted)
        t.unit = self.one_of(self.simple, lambda: [self.text()], self.strided)
        if self.r.random() < 0.5:
            t.scale = self.real()
        if self.r.random() < 0.5:
            t.note = self.simple()
        return t

    def storage(self):
        base = self.r.choice(self.tensors) if self.tensors and self.r.random() < 0.6 else torch.arange(3.0)
        return base.untyped_storage() if self.r.random() < 0.5 else base.storage()

    def tensor(self):
        return self.one_of(self.strided, self.strided, self.strided, self.strided, self.strided, self.with_grad, self.parameter, self.parameter, self.conj_or_neg, self.sparse,
                           self.quantized, self.nested, self.meta, self.attributed, self.noted, lambda: nn.Buffer(self.strided(PLAIN)))

    # ----- what is made of many parts

    def module(self):
        made = self.one_of(
            lambda: nn.Linear(3, 2, bias=self.r.random() < 0.5), lambda: nn.Conv1d(2, 3, 2), lambda: nn.BatchNorm1d(3), lambda: nn.Embedding(4, 2, padding_idx=0),
            lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(0.1)), lambda: nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.GELU()}),
            lambda: nn.ParameterList([nn.Parameter(torch.randn(2))]), lambda: nn.LayerNorm(3), lambda: nn.GRU(2, 2), lambda: nn.MultiheadAttention(4, 2),
            zoo.SimpleNet, zoo.Tower, zoo.Bare)
        if self.r.random() < 0.3:
            made.eval()
        if self.r.random() < 0.3:
            made.to(self.r.choice((torch.float64, torch.bfloat16)))
        return made

    def state_dict(self):
        return self.module().state_dict()

    def optimizer(self):
        net = nn.Linear(2, 2)
        made = self.r.choice((torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad))(net.parameters(), lr=0.01)
        for _ in range(self.r.randrange(2)):
            net(torch.ones(1, 2)).sum().backward()
            made.step()
        return made.state_dict()

    # ----- containers

    def key(self):
        return self.one_of(self.text, self.text, self.text, self.text, self.integer, lambda: self.r.randrange(300), lambda: None, self.real, self.octets,
                           lambda: (self.text(), self.integer()), lambda: self.r.choice(DTYPES), lambda: self.r.random() < 0.5)

    def count(self):
        return self.r.choice((0, 1, 2, 3, 5, 8)) if self.r.random() < 0.97 else self.r.choice((999, 1000, 1001, 2001))

    def items(self):
        n = self.count()
        return (self.value() for _ in range(n)) if n < 100 else (i % 7 for i in range(n))

    def list_(self):
        made = []
        self.made.append(made)  # so that it may contain itself
        made.extend(self.items())
        return made

    def dict_(self):
        made = self.r.choice((dict, dict, collections.OrderedDict, lambda: collections.defaultdict(self.r.choice((list, int, None))), zoo.MyDict))()
        self.made.append(made)
        least = type(made) is zoo.MyDict  # only its class tells that an empty one is a dict
        for _ in range(max(self.r.choice((0, 1, 3, 6)), least)):
            made[self.key()] = self.value()
        if type(made) is collections.OrderedDict and self.r.random() < 0.3:
            made.note = self.value()
        return made

    def members(self):
        """Of a set: with nothing in it that the rest of the graph shares, since sets have no order."""
        return [self.one_of(self.integer, self.text, self.octets, lambda: None, lambda: (self.integer(), self.text())) for _ in range(self.r.randrange(6))]

    def container(self):
        return self.one_of(
            self.list_, self.list_, self.dict_, self.dict_, self.dict_, lambda: tuple(self.items()), lambda: tuple(self.value() for _ in range(self.r.randrange(5))),
            lambda: set(self.members()), lambda: frozenset(self.members()), lambda: bytearray(self.octets()), lambda: collections.deque(self.items()),
            lambda: collections.deque([self.value()], maxlen=3), lambda: collections.Counter(self.text() for _ in range(3)), lambda: zoo.MyList([self.value()]))

    def value(self):
        if self.made and self.r.random() < 0.15:
            return self.r.choice(self.made)
        self.left -= 1
        if self.left < 0:
            return self.simple()
        made = self.r.choices((self.simple, self.tensor, self.container, self.torch_value, self.named, self.python_object, self.numpy_value, self.state_dict,
                               self.module, self.optimizer, self.storage, lambda: torch.Generator().manual_seed(self.r.randrange(99))),
                              (8, 14, 12, 2, 2, 3, 4, 1, 1, 1, 1, 0.3))[0]()
        self.made.append(made)
        return made

    def graph(self):
        made = self.r.choices((self.container, self.dict_, self.tensor, self.value, self.state_dict), (3, 6, 2, 2, 1))[0]()
        return made
