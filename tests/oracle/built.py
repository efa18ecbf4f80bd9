#!/usr/bin/env python3
"""Compare values that are built in C with the same objects of Python, as PyTorch 2.13 saves them.

    built.py --ptio COMMAND [--count N] [--seed N] [--only INDEX]

Run by a Python that has PyTorch. Each time a graph is drawn, made as an object of Python, and described by the calls of ptio.h that make it:
every maker, and every change of lists, dicts, objects and tensors. build_values.c follows the description and saves. The bytes must be those of
torch.save(), and where torch.load(weights_only=True) takes the object, PyTorch must load from ptio's file what it was made of.

Every fifth graph begins with a file of the corpus, which both load; its dicts, lists and tensors are changed, and may hold one another.

There are two runs of 2,000 graphs, one of seed 0 and one of a fresh seed; with --seed there is one run of that seed, and with --only one graph,
whose description is printed. PTIO_TEST_SHARE asks for a part.
"""
import argparse
import collections
import io
import os
import pickle
import random
import shlex
import struct
import subprocess
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True

import torch  # noqa: E402
import torch.nn as nn  # noqa: E402

import seeding  # noqa: E402

BATCH = 50
FOLDER = os.path.join(os.path.dirname(HERE), "data", "corpus", "2.13.0")
FILES = [os.path.join(FOLDER, name + ".pt") for name in (
    "seed_state_dict", "seed_tensors", "checkpoint_adam", "checkpoint_training", "checkpoint_lightning", "checkpoint_sgd_scheduler", "state_dict_batchnorm",
    "state_dict_lstm", "state_dict_transformer", "state_dict_half", "keys_not_str", "tied", "views", "sparse_coo", "quantized_per_channel", "alignment_16",
    "batch_1001", "legacy_tied", "empty_tensors", "meta", "overlapping", "python_containers", "numpy_arrays", "storages", "with_grad",
    "requires_grad", "optimizers", "non_tensor_only", "storage_slices", "torch_values")]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WIDE = [torch.complex64, torch.complex128, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
OTHERS = [torch.uint16, torch.uint32, torch.uint64, torch.complex32, torch.float8_e4m3fn, torch.float8_e5m2]
TEXTS = ["", "a", "\xe9", "weight", "layer.0.bias", "\n", "\x00", "it's", "\u65e5\u672c", "\U0001f600", "\ud800", "k" * 255, "k" * 256, "\xff" * 130]


class Call:
    """An object by its __reduce__. Its arguments hold nothing that could hold it: what becomes of those is the business of each class."""

    def __init__(self, function, arguments, state):
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self):
        return (self.function, self.arguments) if self.state is None else (self.function, self.arguments, self.state)


given = {}  # the arguments of objects, by their id


class Plain:
    """An object by the arguments of its __new__, and its state."""

    def __getnewargs__(self):
        return given[id(self)]


FUNCTIONS = [Plain, collections.OrderedDict, nn.Linear, len, torch.Size, nn.functional.relu]
# Found under one name, however the file is run.
Call.__module__ = Plain.__module__ = "built"
sys.modules["built"] = sys.modules[__name__]


def hexed(data):
    return "x" + data.hex()


def utf8(text):
    return hexed(text.encode("utf-8", "surrogatepass"))


def bits(value):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", value))


def listed(values):
    return " ".join([str(len(values)), *map(str, values)])


def name_of(dtype):
    return str(dtype).split(".")[1]


def octets(tensor):
    return bytes(tensor.contiguous().untyped_storage()) if tensor.numel() else b""


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines, self.values = [], []   # values: (number, object)
        self.lists, self.dicts, self.objects = [], [], []
        self.fixed = set()                 # objects that something immutable holds: they cannot be replaced
        self.storages, self.others = [], []
        self.alive = []                    # keeps what is known by id()

    # ---- describing

    def line(self, *words):
        self.lines.append(" ".join(map(str, words)))
        return len(self.lines) - 1

    def add(self, made, *words):
        number = self.line(*words)
        self.values.append((number, made))
        self.alive.append(made)
        return "%%%d" % number, made

    def any(self):
        if self.values and self.r.random() < 0.75:
            number, made = self.r.choice(self.values)
            return "%%%d" % number, made
        return self.leaf()

    def fix(self, made):
        self.fixed.add(id(made))
        self.alive.append(made)
        return made

    # ---- Python's own types

    def text(self):
        made = self.r.choice(TEXTS) if self.r.random() < 0.5 else "text %d" % self.r.randrange(50)
        return "".join(list(made))

    def str_(self):
        made = self.text()
        return self.add(made, "str", utf8(made))

    def bytes_(self):
        made = pickle.loads(pickle.dumps(self.r.randbytes(self.r.choice((0, 1, 5, 255, 256))), 4))  # one byte is an object of its own
        return self.add(made, "bytes", hexed(made))

    def integer(self):
        number = self.r.choice((1, -1)) * self.r.getrandbits(self.r.choice((1, 8, 9, 16, 17, 31, 32, 62, 63)))
        return self.add(number, "int", number)

    def big(self):
        number = self.r.choice((1, -1)) * self.r.getrandbits(self.r.choice((40, 64, 65, 128, 255, 2040, 2100)))
        return self.add(number, "intbytes", hexed(number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)))

    def real(self):
        return self.r.choice((0.0, -0.0, 1.5, 1e300, float("inf"), float("nan"), self.r.random()))

    def float_(self):
        made = self.real()
        return self.add(made, "float", bits(made))

    def complex_(self):
        made = complex(self.real(), self.real())
        return self.add(made, "complex", bits(made.real), bits(made.imag))

    def bytearray_(self):
        made = bytearray(self.r.getrandbits(8) for _ in range(self.r.choice((0, 1, 300))))
        return self.add(made, "bytearray", hexed(bytes(made)))

    def word(self):
        kind = self.r.randrange(5)
        if kind == 0:
            made = torch.Size([self.r.choice((0, 1, 300, 70000)) for _ in range(self.r.randrange(5))])
            return self.add(made, "size", listed(made))
        if kind == 1:
            made = self.r.choice(FLOATS + WIDE + OTHERS + [torch.quint8])
            return self.add(made, "dtype", name_of(made))
        if kind == 2:
            made = self.r.choice(("cpu", "cuda", "cuda:1", "meta", "cuda:12"))
            return self.add(torch.device(made), "device", utf8(made))
        if kind == 3:
            made = self.r.choice((torch.strided, torch.sparse_coo, torch.sparse_csr))
            return self.add(made, "layout", made)
        function = self.r.choice(FUNCTIONS)
        return self.add(function, "global", utf8(function.__module__), utf8(function.__qualname__))

    def leaf(self):
        return self.r.choice((lambda: self.add(None, "none"), lambda: self.add(True, "bool", 1), lambda: self.add(False, "bool", 0), self.integer, self.big,
                              self.float_, self.complex_, self.str_, self.str_, self.bytes_, self.bytearray_, self.word))()

    def key(self):
        return self.r.choice((self.str_, self.str_, self.integer, self.bytes_, self.float_, lambda: self.add(None, "none"), self.pair))()

    def pair(self):
        first, second = self.r.choice((self.str_, self.integer))(), self.integer()
        return self.add((self.fix(first[1]), self.fix(second[1])), "tuple", 2, first[0], second[0])

    def tuple_(self):
        items = [self.any() for _ in range(self.r.choice((0, 1, 2, 3, 4, 7)))]
        return self.add(tuple(self.fix(made) for _, made in items), "tuple", listed([number for number, _ in items]))

    def set_(self):
        members = [self.r.choice((self.str_, self.integer, self.bytes_, self.pair))() for _ in range(self.r.randrange(6))]
        made = self.r.choice((set, frozenset))(self.fix(member) for _, member in members)
        numbers = {id(member): number for number, member in reversed(members)}
        return self.add(made, type(made).__name__, listed([numbers[id(member)] for member in made]))

    def list_(self):
        number, made = self.add([], "list")
        self.lists.append((number, made))
        for _ in range(self.r.choice((0, 1, 2, 5))):
            self.append(number, made)
        return number, made

    def append(self, number, made):
        item = self.any()
        made.append(item[1])
        self.line("append", number, item[0])

    def dict_(self):
        kind, words = self.r.choice(((dict, "dict"), (collections.OrderedDict, "odict")))
        number, made = self.add(kind(), words)
        self.dicts.append((number, made))
        for _ in range(self.r.choice((0, 1, 3, 12))):
            self.put(number, made)
        return number, made

    def put(self, number, made):
        item = self.any()
        if self.r.random() < 0.6:
            key = self.text().replace("\x00", "").replace("\ud800", "")
            made["".join(list(key))] = item[1]
            self.line("put", number, utf8(key), item[0])
        else:
            key = self.key()
            made[self.fix(key[1])] = item[1]
            self.line("putkey", number, key[0], item[0])

    def arguments(self):
        """A tuple of what cannot hold the object."""
        items = [item for item in (self.any() for _ in range(self.r.randrange(6))) if not isinstance(item[1], (list, dict, tuple, Call, Plain)) or type(item[1]) is torch.Size]
        return self.add(tuple(self.fix(made) for _, made in items), "tuple", listed([number for number, _ in items]))

    def state(self):
        """The number of a dict, and what is in it."""
        state, attributes = "%%%d" % self.line("dict"), {}
        for i in range(self.r.randrange(1, 4)):
            name, item = "attribute %d" % i, self.any()
            attributes[sys.intern(name)] = self.fix(item[1])
            self.line("put", state, utf8(name), item[0])
        return state, attributes

    def call(self):
        function = self.add(Plain, "global", utf8("built"), utf8("Plain"))
        arguments = self.arguments()
        state, attributes = self.state() if self.r.random() < 0.3 else ("-", None)
        return self.add(Call(function[1], self.fix(arguments[1]), attributes), "call", function[0], arguments[0], state)

    def object_(self):
        class_ = self.add(Plain, "global", utf8("built"), utf8("Plain"))
        arguments = self.arguments() if self.r.random() < 0.4 else ("-", ())
        state, attributes = self.state()
        made = Plain.__new__(Plain)
        made.__dict__.update(attributes)
        given[id(made)] = self.fix(arguments[1])
        made = self.add(made, "object", class_[0], arguments[0], state)
        self.objects.append(made)
        return made

    # ---- tensors

    def elements(self, dtype, count):
        size = torch.empty(0, dtype=dtype).element_size()
        if dtype == torch.bool:
            return torch.tensor([self.r.random() < 0.5 for _ in range(count)], dtype=dtype)
        return torch.tensor(list(self.r.randbytes(count * size)), dtype=torch.uint8).view(dtype) if count else torch.empty(0, dtype=dtype)

    def dtype(self):
        return self.r.choice(self.r.choices((FLOATS, WIDE, OTHERS), (5, 3, 1))[0])

    def tensor(self):
        dtype = self.dtype()
        shape = [self.r.choice((0, 1, 2, 3)) for _ in range(self.r.randrange(4))]
        count = int(torch.Size(shape).numel())
        zeros = self.r.random() < 0.2
        made = torch.zeros(shape, dtype=dtype) if zeros or not count else self.elements(dtype, count).reshape(shape)
        return self.add(made, "tensor", name_of(dtype), listed(shape), hexed(b"" if zeros or not count else octets(made)))

    def storage(self):
        dtype = self.dtype()
        word = self.r.choice(("storage", "copied", "zeros"))
        base = torch.zeros(12, dtype=dtype) if word == "zeros" else self.elements(dtype, self.r.choice((4, 12)))
        named = "uint8" if dtype in OTHERS[:3] + OTHERS[4:] or dtype is torch.complex32 else name_of(dtype)
        size = base.untyped_storage().nbytes()
        self.storages.append(("%%%d" % self.line(word, named, size if word == "zeros" else name_of(dtype) + " " + hexed(octets(base))), base))
        self.alive.append(base)
        return self.storages[-1]

    def view(self):
        number, base = self.r.choice(self.storages) if self.storages and self.r.random() < 0.7 else self.storage()
        shape = [self.r.choice((1, 1, 2)) for _ in range(self.r.randrange(3))]
        stride, step = [], 1
        for n in reversed(shape):
            stride.insert(0, step)
            step *= n
        given = list(stride)
        if self.r.random() < 0.4:
            given = stride = [self.r.choice((0, 1)) for _ in shape]
        elif self.r.random() < 0.5:
            given = []
        last = sum((n - 1) * s for n, s in zip(shape, stride))
        offset = self.r.randrange(max(base.numel() - last, 1))
        made = base.detach().as_strided(shape, stride, offset)
        grad = (base.dtype.is_floating_point or base.dtype.is_complex) and base.dtype not in OTHERS and self.r.random() < 0.3
        made.requires_grad_(grad)
        if not shape:
            given = []
        return self.add(made, "view", number, name_of(base.dtype), listed(shape), listed(given), offset, int(grad))

    def parameter(self):
        number, tensor = self.view()
        grad = tensor.dtype in FLOATS and self.r.random() < 0.7
        return self.add(nn.Parameter(tensor.detach(), requires_grad=grad), "parameter", number, int(grad))

    def meta(self):
        dtype = self.r.choice(FLOATS + WIDE)
        shape = [self.r.choice((0, 1, 3, 5000)) for _ in range(self.r.randrange(4))]
        return self.add(torch.empty(shape, dtype=dtype, device="meta"), "meta", name_of(dtype), listed(shape))

    def part(self, values, dtype):
        made = torch.tensor(values, dtype=dtype)
        number = self.line("tensor", name_of(dtype), listed(made.shape), hexed(octets(made)))
        return "%%%d" % number, made

    def sparse(self):
        r = self.r
        dtype = r.choice((torch.float32, torch.int64, torch.complex64, torch.float16))
        values = self.part([r.randrange(9) for _ in range(2)], dtype)
        if r.random() < 0.5:
            indices = self.part([[0, r.randrange(1, 4)]], torch.int64)
            made = torch.sparse_coo_tensor(indices[1], values[1], (5,))
            coalesced = r.random() < 0.5
            made = made._coalesced_(coalesced)
            return self.add(made, "coo", indices[0], values[0], listed([5]), int(coalesced))
        kind = r.choice((torch.sparse_csr, torch.sparse_csc))
        index = r.choice((torch.int64, torch.int32))
        compressed, plain = self.part([0, 1, 2], index), self.part([r.randrange(2), 0], index)
        made = torch.sparse_compressed_tensor(compressed[1], plain[1], values[1], (2, 2), layout=kind)
        return self.add(made, "compressed", kind, compressed[0], plain[0], values[0], listed([2, 2]))

    def quantized(self):
        dtype = self.r.choice((torch.quint8, torch.qint8, torch.qint32))
        scale, zero = self.r.choice((0.5, 0.25, 2.0)), self.r.randrange(5)
        plain = torch.tensor([[self.r.randrange(5) for _ in range(3)] for _ in range(2)], dtype=torch.float32)
        if self.r.random() < 0.5:
            made = torch.quantize_per_tensor(plain, scale, zero, dtype)
            number = self.line("copied", name_of(dtype), name_of(dtype), hexed(octets(made)))
            return self.add(made, "quantized", "%%%d" % number, listed(made.shape), bits(scale), zero)
        scales, zeros = torch.tensor([scale, 1.0], dtype=torch.float64), torch.tensor([zero, 1])
        made = torch.quantize_per_channel(plain, scales, zeros, 0, dtype)
        number = self.line("copied", name_of(dtype), name_of(dtype), hexed(octets(made)))
        parts = [self.part(values.tolist(), values.dtype)[0] for values in (scales, zeros)]
        return self.add(made, "perchannel", "%%%d" % number, listed(made.shape), *parts, 0)

    def cast(self):
        """Of a tensor that nothing else shows."""
        source, target = self.r.choice(FLOATS + [torch.int32, torch.uint8]), self.r.choice(FLOATS + [torch.int64])
        made = torch.tensor([self.r.randrange(100) for _ in range(4)]).to(source).reshape(self.r.choice(((4,), (2, 2))))
        number = self.line("tensor", name_of(source), listed(made.shape), hexed(octets(made)))
        return self.add(made.to(target), "cast", "%%%d" % number, name_of(target))

    def attributed(self):
        number, tensor = self.parameter() if self.r.random() < 0.4 else self.view()
        edited = self.add(tensor, "edit", number)
        for i in range(self.r.randrange(1, 3)):
            item = self.any()
            if item[1] is tensor:
                continue
            setattr(tensor, "note_%d" % i, self.fix(item[1]))
            self.line("attribute", edited[0], utf8("note_%d" % i), item[0])
        self.values = [(n, made) for n, made in self.values if made is not tensor]
        self.values.append((int(edited[0][1:]), tensor))
        return edited

    # ---- changes

    def change(self):
        r, kind = self.r, self.r.randrange(10)
        if kind < 3 and self.lists:
            number, made = r.choice(self.lists)
            self.change_list(number, made, kind)
        elif kind < 7 and self.dicts:
            number, made = r.choice(self.dicts)
            self.change_dict(number, made, kind - 3)
        elif kind == 7 and self.objects:
            number, made = r.choice(self.objects)
            item = self.any()
            setattr(made, "changed", self.fix(item[1]))
            self.line("attribute", number, utf8("changed"), item[0])
        elif kind == 8 and self.values:
            self.replace()

    def change_list(self, number, made, kind):
        if kind == 0 or not made:
            self.append(number, made)
        elif kind == 1:
            index = self.r.randrange(len(made))
            item = self.any()
            made[index] = item[1]
            self.line("putat", number, index, item[0])
        else:
            index = self.r.randrange(len(made))
            del made[index]
            self.line("remove", number, index)

    def change_dict(self, number, made, kind):
        index = self.r.randrange(len(made)) if made else 0
        if kind == 0 or not made:
            self.put(number, made)
        elif kind == 1:
            del made[list(made)[index]]
            self.line("remove", number, index)
        elif kind == 2:
            key = self.key()
            if key[1] not in made and key[1] == key[1]:
                items = [(self.fix(key[1]) if i == index else k, v) for i, (k, v) in enumerate(made.items())]
                made.clear()
                made.update(items)
                self.line("rename", number, index, key[0])
        else:
            for k in [k for k, v in made.items() if type(v) is int and abs(v) < 2 ** 63 and v % 3 == 0]:
                del made[k]
            self.line("removeints", number, 3)

    def replace(self):
        """A value that only lists and dicts of the description hold."""
        number, old = self.r.choice(self.values)
        by = self.any()
        mutable = isinstance(old, (list, dict, bytearray, torch.Tensor)) or type(old) is torch.device
        if not mutable or id(old) in self.fixed or by[1] is old or any(old is made for _, made in self.lists + self.dicts):
            return
        for _, made in self.lists:
            made[:] = [by[1] if item is old else item for item in made]
        for _, made in self.dicts:
            for key in [key for key, item in made.items() if item is old]:
                made[key] = by[1]
        self.line("replace", "%%%d" % number, by[0])
        self.values = [(n, made) for n, made in self.values if made is not old]

    # ---- files

    def load(self):
        """A file of the corpus: its lists and dicts can be changed, its tensors be put elsewhere."""
        path = self.r.choice(FILES)
        root = self.add(self.fix(torch.load(path, weights_only=False)), "load", hexed(path.encode()))
        waiting, met = [root], set()
        while waiting:
            number, made = waiting.pop()
            if id(made) in met or type(made) not in (list, tuple, dict, collections.OrderedDict):
                continue
            met.add(id(made))
            if type(made) is not tuple:
                edited = self.add(made, "edit", number)
                (self.lists if type(made) is list else self.dicts).append(edited)
                self.objects += [edited] if type(made) is collections.OrderedDict else []
            for index, item in enumerate(made.values() if isinstance(made, dict) else made):
                if index < 30 and (type(item) in (list, tuple, dict, collections.OrderedDict) or isinstance(item, torch.Tensor)):
                    waiting.append(self.add(self.fix(item), "item", number, index))
        return root

    def graph(self, is_loaded):
        """(object, protocol)"""
        r = self.r
        loaded = self.load() if is_loaded else None
        makers = (self.leaf, self.tuple_, self.set_, self.list_, self.dict_, self.dict_, self.call, self.object_, self.tensor, self.view, self.view,
                  self.parameter, self.meta, self.sparse, self.quantized, self.cast, self.attributed)
        for _ in range(r.choice((3, 10, 30, 60))):
            r.choice(makers)()
            if r.random() < (0.9 if loaded else 0.4):
                self.change()
        root = self.add([], "list")
        for number, made in r.sample(self.values[:-1], min(len(self.values) - 1, 25)):
            root[1].append(made)
            self.line("append", root[0], "%%%d" % number)
        if loaded:
            root[1].append(loaded[1])
            self.line("append", root[0], loaded[0])
        if r.random() < 0.3:
            root[1].append(root[1])
            self.line("append", root[0], root[0])
        if r.random() < 0.5:
            self.line("collect", 1, root[0])
        protocol = r.choice((2, 2, 2, 3, 4, 5))
        self.line("save", root[0], protocol)
        self.line("end")
        return root[1], protocol


def saved(value, protocol):
    out = io.BytesIO()
    torch.save(value, out, pickle_protocol=protocol)
    return out.getvalue()


class Graph:
    def __init__(self, name):
        self.name = name
        maker = Maker(name)
        self.value, self.protocol = maker.graph(name[-1] in "37")
        self.lines = maker.lines
        self.truth = saved(self.value, self.protocol)


def build(program, graphs):
    done = subprocess.run(program, input="".join(line + "\n" for graph in graphs for line in graph.lines).encode(), capture_output=True, timeout=600)
    out = io.BytesIO(done.stdout)
    found = []
    for _ in graphs:
        size = out.read(8)
        found.append(out.read(struct.unpack("<Q", size)[0]) if len(size) == 8 else None)
    return found, done.stderr.decode("utf-8", "replace")


def weights(data):
    try:
        return torch.load(io.BytesIO(data), weights_only=True)
    except pickle.UnpicklingError:
        return None


def wrong(graph, found, said, counts):
    if found is None:
        return said or "nothing was saved"
    if found != graph.truth:
        at = next((i for i, (a, b) in enumerate(zip(found, graph.truth)) if a != b), min(len(found), len(graph.truth)))
        return "%d bytes, PyTorch %d; they differ at %d: %r, PyTorch %r" % (len(found), len(graph.truth), at, found[at - 8:at + 24], graph.truth[at - 8:at + 24])
    loaded = weights(found)
    if loaded is not None:
        counts["weights_only"] += 1
        if type(loaded) is not list or len(loaded) != len(graph.value):
            return "weights_only loads something else"
    return None


def run(program, seed, indexes, judge):
    failed, counts = 0, collections.Counter()
    for first in range(0, len(indexes), BATCH):
        graphs = [Graph("%d/%d" % (seed, index)) for index in indexes[first:first + BATCH]]
        found, said = build(program, graphs)
        for graph, data in zip(graphs, found):
            for word in {line.split()[0] for line in graph.lines}:
                counts[word] += 1
            problem = wrong(graph, data, said, counts)
            failed += problem is not None
            if problem and failed <= 10:
                print("graph %s: %s" % (graph.name, problem), flush=True)
            if judge.only is not None:
                print("\n".join(graph.lines))
    return failed, counts


OPERATIONS = ("none bool int intbytes float complex str bytes bytearray tuple set frozenset list dict odict global call object size dtype device layout storage copied "
              "zeros tensor view meta parameter coo compressed quantized perchannel cast append put putkey rename putat remove removeints attribute edit replace "
              "load item collect save end weights_only").split()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    directory = os.environ.get("PTIO_BUILD_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(options.ptio)))
    program = shlex.split(os.environ.get("PTIO_RUN", "")) + [os.path.join(directory, "bin", "build_values")]
    count = max(1, round(options.count * float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    seeds = [options.seed] if options.seed is not None else [0, seeding.fresh()]
    passed = failed = 0
    counts = collections.Counter()
    for seed in seeds:
        indexes = [options.only] if options.only is not None else range(count)
        bad, met = run(program, seed, indexes, options)
        counts += met
        failed += bad
        passed += len(indexes) - bad
        print("seed %d: %d of %d" % (seed, len(indexes) - bad, len(indexes)))
    missing = [word for word in OPERATIONS if not counts[word]]
    if missing and count >= 100 and options.only is None:
        failed += 1
        print("never drawn: %s" % " ".join(missing))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
