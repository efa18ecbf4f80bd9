#!/usr/bin/env python3
"""Hostile pickles, and whether torch.load(weights_only=True) of PyTorch 2.13 and ptio take the same of them.

    hostile.py --ptio COMMAND [--only NAME] [--write FOLDER]

Run by a Python that has PyTorch. The pickles are the rows of attacks on the pickle machine and on tensors: every byte as an opcode, cut
pickles, changed bytes, stacks and marks that lack, calls with wrong arguments, states and items of wrong values, ids of storages, views
beyond their storage, keys that cannot be hashed or take for ever, depth, memo, names. Each stands in a zip with three storages; some in a
legacy stream. All follow from a fixed seed.

PyTorch loads them in another process, since some take for ever. ptio's verdict is that of `ptio check --json`: whole, and weights_only
loads it. They must be equal, but for the pickles of stricter.json, by name and reason, which PyTorch loads (or never ends with, or dies of) and ptio
refuses; each reason has a row in the table of docs/weights-only.md that says what is stricter. A pickle more or less, and a row that no
pickle needs, is a failure. `--record` writes stricter.json anew.

Closes with "N passed, N failed".
"""
import argparse
import collections
import io
import json
import os
import pathlib
import random
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "weights-only.md"
STRICTER = HERE / "stricter.json"
SEED = 20260
SECONDS = 3  # of PyTorch for one file
MEMORY = 6 << 30

# ---------------------------------------------------------------------------------------------------------------------
# Words of pickles

MARK, NONE, TRUE, FALSE = b"(", b"N", b"\x88", b"\x89"
LIST, DICT, TUPLE0, SET = b"]", b"}", b")", b"\x8f"
REDUCE, NEWOBJ, BUILD, PERSID, STOP = b"R", b"\x81", b"b", b"Q", b"."
APPEND, APPENDS, SETITEM, SETITEMS = b"a", b"e", b"s", b"u"


def text(value):
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def py2(value):
    return b"U" + bytes([len(value)]) + value


def integer(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def floating(value):
    return b"G" + struct.pack(">d", value)


def glob(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def tup(*items):
    return {0: TUPLE0}.get(len(items)) or (b"".join(items) + bytes([0x84 + len(items)]) if len(items) <= 3 else MARK + b"".join(items) + b"t")


def lst(*items):
    return LIST + MARK + b"".join(items) + APPENDS


def dct(*pairs):
    return DICT + MARK + b"".join(k + v for k, v in pairs) + SETITEMS


def call(function, *arguments):
    return function + tup(*arguments) + REDUCE


def put(index):
    return b"q" + bytes([index])


def get(index):
    return b"h" + bytes([index])


def ints(*values):
    return tup(*map(integer, values))


def storage(kind="FloatStorage", key="0", numel=16, location="cpu", module="torch"):
    return tup(text("storage"), glob(module, kind), text(key), text(location), integer(numel)) + PERSID


ORDERED = glob("collections", "OrderedDict")
HOOKS = call(ORDERED)
REBUILD = glob("torch._utils", "_rebuild_tensor_v2")


def tensor(size=(4,), stride=(1,), offset=0, base=None, grad=FALSE, hooks=HOOKS):
    return call(REBUILD, base or storage(), integer(offset), ints(*size), ints(*stride), grad, hooks)


def longs(size=(1,), stride=(1,), offset=0):
    return tensor(size, stride, offset, storage("LongStorage", "1", 8))


def with_protocol(body):
    return b"\x80\x02" + body + STOP


# ---------------------------------------------------------------------------------------------------------------------
# Files

FLOATS = struct.pack("<16f", *range(16))
LONGS = struct.pack("<8q", 0, 1, 2, 3, 4, -1, 1 << 40, 7)
BYTES = bytes(range(16))


def archive(pickle):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, data in (("data.pkl", pickle), ("byteorder", b"little"), ("data/0", FLOATS), ("data/1", LONGS), ("data/2", BYTES), ("version", b"3\n")):
            info = zipfile.ZipInfo("archive/" + name, (1980, 1, 1, 0, 0, 0))
            file.writestr(info, data)
    return out.getvalue()


def legacy(pickle, keys=("0",)):
    """A stream of one object, with the storages that `keys` names."""
    records = {"0": (FLOATS, 4), "1": (LONGS, 8), "2": (BYTES, 1)}
    head = with_protocol(b"\x8a\x0a" + 0x1950A86A20F9469CFC6C.to_bytes(10, "little")) + with_protocol(b"M\xe9\x03")
    head += with_protocol(dct((text("protocol_version"), b"M\xe9\x03"), (text("little_endian"), TRUE),
                              (text("type_sizes"), dct((text("short"), integer(2)), (text("int"), integer(4)), (text("long"), integer(4))))))
    tail = with_protocol(lst(*map(text, keys)))
    for key in keys:
        data, width = records.get(key, (b"", 1))
        tail += struct.pack("<q", len(data) // width) + data
    return head + pickle + tail


def legacy_storage(kind="FloatStorage", key="0", numel=16, view=NONE, location="cpu"):
    return tup(text("storage"), glob("torch", kind), text(key), text(location), integer(numel), view) + PERSID


# ---------------------------------------------------------------------------------------------------------------------
# The attacks

CASES = {}


def add(name, body, whole=False):
    """A pickle in a zip: the value that `body` leaves, or the whole pickle."""
    assert name not in CASES, name
    CASES[name] = archive(body if whole else with_protocol(body))


# What stands on the stack, by the name of its kind.
VALUES = {
    "none": NONE, "true": TRUE, "int": integer(1), "negative": integer(-1), "big": integer(1 << 70), "float": floating(0.5), "text": text("a"), "bytes": py2(b"a"),
    "tuple0": TUPLE0, "tuple1": tup(integer(1)), "tuple2": tup(text("a"), integer(1)), "list0": LIST, "list": lst(integer(1)), "dict0": DICT, "dict": dct((text("a"), integer(1))),
    "intdict": dct((integer(1), integer(2))), "set": SET, "ordered": HOOKS, "counter": call(glob("collections", "Counter")), "tensor": tensor(), "parameter": call(glob("torch._utils", "_rebuild_parameter"), tensor(), TRUE, HOOKS),
    "storage": storage(), "size": call(glob("torch", "Size"), ints(1, 2)), "device": call(glob("torch", "device"), text("cpu")), "dtype": glob("torch", "float32"), "class": ORDERED,
    "function": REBUILD, "complex": call(glob("builtins", "complex"), floating(1), floating(2)), "bytearray": call(glob("builtins", "bytearray"), py2(b"ab")),
    "encoded": call(glob("_codecs", "encode"), text("a"), text("latin1")), "layout": call(glob("torch.serialization", "_get_layout"), text("torch.strided")), "scheme": glob("torch", "per_tensor_affine"),
}

CALLABLES = {
    "OrderedDict": ORDERED, "Counter": glob("collections", "Counter"), "set": glob("builtins", "set"), "complex": glob("builtins", "complex"), "bytearray": glob("builtins", "bytearray"),
    "encode": glob("_codecs", "encode"), "Size": glob("torch", "Size"), "device": glob("torch", "device"), "layout": glob("torch.serialization", "_get_layout"), "Tensor": glob("torch", "Tensor"),
    "Parameter": glob("torch.nn.parameter", "Parameter"), "FloatTensor": glob("torch", "FloatTensor"), "sparse": glob("torch.sparse", "FloatTensor"),
    "FloatStorage": glob("torch", "FloatStorage"), "UntypedStorage": glob("torch.storage", "UntypedStorage"), "TypedStorage": glob("torch.storage", "TypedStorage"), "dtype": glob("torch", "float32"),
    "scheme": glob("torch", "per_tensor_affine"), "rebuild_v1": glob("torch._utils", "_rebuild_tensor"), "rebuild_v2": REBUILD, "rebuild_v3": glob("torch._utils", "_rebuild_tensor_v3"),
    "rebuild_parameter": glob("torch._utils", "_rebuild_parameter"), "rebuild_state": glob("torch._utils", "_rebuild_parameter_with_state"), "rebuild_q": glob("torch._utils", "_rebuild_qtensor"),
    "rebuild_sparse": glob("torch._utils", "_rebuild_sparse_tensor"), "rebuild_nested": glob("torch._utils", "_rebuild_nested_tensor"), "rebuild_meta": glob("torch._utils", "_rebuild_meta_tensor_no_storage"),
    "rebuild_wrapper": glob("torch._utils", "_rebuild_wrapper_subclass"), "rebuild_numpy": glob("torch._utils", "_rebuild_device_tensor_from_numpy"), "rebuild_cpu": glob("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"),
    "rebuild_type": glob("torch._tensor", "_rebuild_from_type_v2"), "njt": glob("torch.nested._internal.nested_tensor", "_rebuild_njt"), "NestedTensor": glob("torch.nested._internal.nested_tensor", "NestedTensor"),
    "mesh": glob("torch.distributed._mesh_layout", "_MeshLayout"),
}


def good():
    """A checkpoint as people save them."""
    return dct((text("model"), call(ORDERED) + MARK + text("w") + tensor((2, 3), (3, 1)) + text("b") + tensor((3,), (1,), 6) + SETITEMS + dct((text("_metadata"), DICT)) + BUILD),
               (text("epoch"), integer(300)), (text("lr"), floating(0.1)), (text("shape"), call(glob("torch", "Size"), ints(2, 3))), (text("seed"), integer(1 << 40)),
               (text("names"), lst(text("a"), text("b"), NONE, TRUE)), (text("steps"), longs((3,))))


def opcodes():
    """Every byte as an opcode, over a stack that has something for each."""
    arguments = {"J": bytes(4), "K": b"\1", "M": b"\1\0", "G": bytes(8), "X": b"\1\0\0\0a", "T": b"\1\0\0\0a", "U": b"\1a", "B": b"\1\0\0\0a", "C": b"\1a", "\x8a": b"\1\1", "\x8b": b"\1\0\0\0\1",
                 "\x8c": b"\1a", "\x8d": b"\1" + bytes(7) + b"a", "\x8e": b"\1" + bytes(7) + b"a", "\x96": b"\1" + bytes(7) + b"a", "h": b"\0", "j": bytes(4), "q": b"\1", "r": b"\1\0\0\0", "c": b"torch\nSize\n",
                 "i": b"torch\nSize\n", "I": b"1\n", "L": b"1L\n", "F": b"1.0\n", "S": b"'a'\n", "V": b"a\n", "g": b"0\n", "p": b"1\n", "P": b"0\n", "\x80": b"\2", "\x82": b"\1", "\x83": b"\1\0", "\x84": b"\1\0\0\0", "\x95": bytes(8)}
    for byte in range(256):
        argument = arguments.get(chr(byte), b"")
        add("opcode %02x" % byte, text("kept") + put(0) + LIST + MARK + integer(1) + integer(2) + bytes([byte]) + argument)
        if byte in b"()*]})NRabcdeslotuQ0123\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94":
            add("opcode %02x on nothing" % byte, bytes([byte]) + argument)


def damage(r):
    """Prefixes of a good pickle, and one byte of it changed."""
    whole = with_protocol(good())
    add("whole", whole, True)
    for size in sorted(r.sample(range(len(whole)), 60)):
        add("cut at %d" % size, whole[:size], True)
    for index in range(160):
        at, byte = r.randrange(len(whole)), r.randrange(256)
        add("changed %d: %d to %d" % (index, at, byte), whole[:at] + bytes([byte]) + whole[at + 1:], True)
    for index in range(40):
        at, size = r.randrange(len(whole)), r.randrange(1, 9)
        add("removed %d: %d of %d" % (index, size, at), whole[:at] + whole[at + size:], True)


def stacks():
    for name, body in {"two marks": MARK + MARK + integer(1), "mark left": MARK + LIST, "values left": integer(1) + integer(2), "only mark": MARK, "setitems odd": DICT + MARK + text("a") + SETITEMS, "setitems of nothing": DICT + MARK + SETITEMS,
                       "appends of nothing": LIST + MARK + APPENDS, "appends without mark": LIST + integer(1) + APPENDS, "setitems without mark": DICT + text("a") + integer(1) + SETITEMS, "tuple without mark": integer(1) + b"t",
                       "append below mark": LIST + MARK + integer(1) + APPEND, "reduce below mark": ORDERED + MARK + TUPLE0 + REDUCE, "tuple2 of one": integer(1) + b"\x86", "tuple3 of two": integer(1) + integer(2) + b"\x87",
                       "tuple2 below mark": integer(1) + MARK + integer(2) + b"\x86", "tuple3 below mark": integer(1) + integer(2) + MARK + integer(3) + b"\x87", "tuple1 below mark": integer(1) + MARK + b"\x85",
                       "build of one": DICT + BUILD, "setitem of two": text("a") + integer(1) + SETITEM, "setitem below mark": DICT + MARK + text("a") + integer(1) + SETITEM, "put of nothing": put(1), "put below mark": integer(1) + MARK + put(1),
                       "stop below mark": integer(1) + MARK, "persid of nothing": PERSID, "nothing": b"", "million marks": MARK * 1000000 + integer(1), "million nones": NONE * 1000000, "million lists": LIST * 1000000, "million dicts": DICT * 1000000}.items():
        add("stack: " + name, body)
    for name, body in {"empty": b"", "only stop": STOP, "no proto": integer(1) + STOP, "proto twice": b"\x80\2\x80\2" + integer(1) + STOP, "proto late": integer(1) + b"\x80\2" + STOP, "proto cut": b"\x80", "trailing": with_protocol(integer(1)) + b"junk",
                       "two pickles": with_protocol(integer(1)) * 2, "no stop": b"\x80\2" + integer(1)}.items():
        add("frame: " + name, body, True)
    for version in (0, 1, 3, 4, 5, 6, 99, 255):
        add("frame: proto %d" % version, b"\x80" + bytes([version]) + integer(1) + STOP, True)
    add("frame: proto 3 tensor", b"\x80\3" + tensor() + STOP, True)
    add("frame: proto 4 tensor", b"\x80\4" + tensor() + STOP, True)


def items():
    """What is appended to, set in and restored of every kind of value."""
    for name, value in VALUES.items():
        add("append to " + name, value + integer(1) + APPEND)
        add("appends to " + name, value + MARK + integer(1) + integer(2) + APPENDS)
        add("setitem of " + name, value + text("a") + integer(1) + SETITEM)
        add("setitems of " + name, value + MARK + integer(0) + integer(1) + SETITEMS)
        add("build %s of nothing" % name, value + DICT + BUILD)
        add("build %s of attributes" % name, value + dct((text("a"), integer(1))) + BUILD)
        add("reduce of " + name, value + TUPLE0 + REDUCE)
        add("newobj of " + name, value + TUPLE0 + NEWOBJ)
        add("persid of " + name, value + PERSID)
        add("key " + name, DICT + value + integer(1) + SETITEM)
        add("item of a set " + name, call(glob("builtins", "set"), lst(value)))
    for name in ("ordered", "counter", "set", "tensor", "parameter", "size", "device", "complex", "bytearray", "encoded", "storage"):
        for state in ("none", "int", "text", "tuple0", "tuple1", "tuple2", "list0", "list", "intdict", "ordered", "tensor"):
            add("build %s of %s" % (name, state), VALUES[name] + VALUES[state] + BUILD)
        add("build %s of slots" % name, VALUES[name] + tup(NONE, dct((text("a"), integer(1)))) + BUILD)
        add("build %s of two dicts" % name, VALUES[name] + tup(dct((text("b"), integer(1))), dct((text("a"), integer(1)))) + BUILD)


def calls():
    lists = {"nothing": (), "none": (NONE,), "int": (integer(1),), "negative": (integer(-1),), "text": (text("a"),), "list": (lst(integer(1)),), "pairs": (lst(tup(text("a"), integer(1))),), "dict": (dct((text("a"), integer(1))),), "two": (integer(1), integer(2)),
             "texts": (text("cpu"), text("a")), "tensor": (tensor(),), "tensor and true": (tensor(), TRUE), "three": (tensor(), TRUE, HOOKS), "nine": (integer(1),) * 9}
    for name, function in CALLABLES.items():
        for arguments, values in lists.items():
            add("call %s of %s" % (name, arguments), call(function, *values))
        for arguments in ("nothing", "int", "list", "pairs", "tensor"):
            add("new %s of %s" % (name, arguments), function + tup(*lists[arguments]) + NEWOBJ)
        for arguments in ("none", "list0", "list", "text", "dict"):
            add("call %s with a %s" % (name, arguments), function + VALUES[arguments] + REDUCE)


def names():
    for module, name in (("os", "system"), ("posix", "system"), ("nt", "system"), ("sys", "exit"), ("sys", "modules"), ("builtins", "eval"), ("__builtin__", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("subprocess", "Popen"), ("os.path", "join"),
                         ("operator", "attrgetter"), ("functools", "partial"), ("torch", "load"), ("torch.hub", "load"), ("torch.storage", "_load_from_bytes"), ("torch", "nn.Parameter"), ("torch.nn", "Parameter"), ("torch.nn.parameter", "UninitializedParameter"),
                         ("torch", "nn.parameter.Parameter"), ("torch.nn", "parameter.Parameter"), ("", "torch.Tensor"), ("torch.Tensor", ""), ("", ""), ("torch", "Tensor "), (" torch", "Tensor"), ("Torch", "Tensor"), ("torch", "tensor"), ("torch", "Тensor"), ("tоrch", "Tensor"),
                         ("torch\x00", "Tensor"), ("torch", "Tensor\x00"), ("torch", "Tensor\r"), ("torch._utils", "torch"), ("torch._utils", "_rebuild_tensor_v2.__globals__"), ("collections", "OrderedDict.fromkeys"), ("collections", "namedtuple"), ("collections", "defaultdict"),
                         ("collections", "deque"), ("__builtin__", "set"), ("__builtin__", "bytearray"), ("__builtin__", "complex"), ("__builtin__", "xrange"), ("__builtin__", "unicode"), ("__builtin__", "intern"), ("__builtin__", "reduce"), ("__builtin__", "bytes"), ("exceptions", "StandardError"),
                         ("exceptions", "ValueError"), ("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor"), ("cPickle", "loads"), ("UserDict", "UserDict"), ("itertools", "imap"), ("itertools", "izip"), ("builtins", "set"), ("builtins", "slice"), ("builtins", "range"),
                         ("builtins", "frozenset"), ("builtinsx", "set"), ("builtins.set", "x"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "scalar"), ("torch", "bcomplex32"), ("torch", "uint7"), ("torch", "int4"), ("torch", "float4_e2m1fn_x2"),
                         ("torch", "qint8"), ("torch", "quint2x4"), ("torch", "bits16"), ("torch", "complex32"), ("torch", "chalf"), ("torch", "half"), ("torch", "float"), ("torch", "float128"), ("torch", "contiguous_format"), ("torch", "strided"), ("torch", "dtype"), ("torch", "Generator"),
                         ("torch._C", "Generator"), ("torch", "QInt8Storage"), ("torch.cuda", "QInt8Storage"), ("torch.cuda", "FloatStorage"), ("torch.cuda", "ComplexFloatStorage"), ("torch", "UntypedStorage"), ("torch", "TypedStorage"), ("torch.storage", "_UntypedStorage"), ("torch", "_UntypedStorage"),
                         ("mine", "FloatStorage"), ("torch.sparse", "BoolTensor"), ("torch.sparse", "FloatTensor"), ("torch.cuda.sparse", "HalfTensor"), ("torch.mps", "FloatTensor"), ("torch", "BoolTensor"), ("torch", "ComplexFloatTensor"), ("torch.tensor", "_rebuild_from_type_v2"), ("torch._tensor", "_rebuild_from_type"),
                         ("torch._utils", "_rebuild_xla_tensor"), ("torch._utils", "_rebuild_sparse_csr_tensor"), ("torch.distributed.tensor", "DTensor"), ("torch._dynamo.decorators", "_DimRange"), ("torch.distributed._mesh_layout", "_MeshLayout"), ("a" * 300, "b"), ("a", "b" * 2000), ("a.b" * 100, "c.d" * 100)):
        add("name %s %s" % (module[:20], name[:40]) + " %d" % len(CASES), glob(module, name))
    add("name not utf-8", b"ctorch\n\xff\n")
    add("name without an end", b"ctorch\nTensor", True)
    add("name of one line", b"ctorch\n", True)
    add("name of a surrogate", b"ctorch\n\xed\xa0\x80\n")
    add("name of a mebibyte", b"c" + b"a" * (1 << 20) + b"\nb\n")


def ids():
    word, kind, key, where, count = text("storage"), glob("torch", "FloatStorage"), text("0"), text("cpu"), integer(16)
    rows = {"plain": (word, kind, key, where, count), "of bytes": (py2(b"storage"), kind, py2(b"0"), py2(b"cpu"), count), "nothing": (), "word": (word,), "two": (word, kind), "four": (word, kind, key, where), "six": (word, kind, key, where, count, NONE), "other word": (text("module"), kind, key, where, count),
            "STORAGE": (text("STORAGE"), kind, key, where, count), "no word": (NONE, kind, key, where, count), "int word": (integer(1), kind, key, where, count), "class is text": (word, text("FloatStorage"), key, where, count), "class is none": (word, NONE, key, where, count),
            "class is a dtype": (word, glob("torch", "float32"), key, where, count), "class is Tensor": (word, glob("torch", "Tensor"), key, where, count), "untyped": (word, glob("torch.storage", "UntypedStorage"), key, where, integer(64)), "typed": (word, glob("torch.storage", "TypedStorage"), key, where, count),
            "int key": (word, kind, integer(0), where, count), "no key": (word, kind, NONE, where, count), "missing key": (word, kind, text("9"), where, count), "empty key": (word, kind, text(""), where, count), "key with a slash": (word, kind, text("../data/0"), where, count), "key of a record": (word, kind, text("../version"), where, integer(0)),
            "key with a nul": (word, kind, text("0\0"), where, count), "long key": (word, kind, text("0" * 5000), where, count), "no location": (word, kind, key, NONE, count), "int location": (word, kind, key, integer(0), count), "odd location": (word, kind, key, text("nowhere:0"), count), "cuda": (word, kind, key, text("cuda:0"), count),
            "meta": (word, kind, key, text("meta"), count), "less": (word, kind, key, where, integer(8)), "none of it": (word, kind, key, where, integer(0)), "more": (word, kind, key, where, integer(17)), "much more": (word, kind, key, where, integer(1 << 28)), "wrapping": (word, kind, key, where, integer(0x4000000000000010)),
            "negative": (word, kind, key, where, integer(-1)), "very negative": (word, kind, key, where, integer(-(1 << 62))), "numel beyond 64 bits": (word, kind, key, where, integer(1 << 70)), "numel true": (word, kind, key, where, TRUE), "numel float": (word, kind, key, where, floating(16)), "numel text": (word, kind, key, where, text("16")),
            "numel none": (word, kind, key, where, NONE), "numel tensor": (word, kind, key, where, tensor()), "doubles": (word, glob("torch", "DoubleStorage"), key, where, integer(8)), "odd doubles": (word, glob("torch", "DoubleStorage"), key, where, integer(9))}
    for name, row in rows.items():
        add("id: " + name, tup(*row) + PERSID)
    for name, row in {"list": lst(word, kind, key, where, count), "text": text("0"), "bytes": py2(b"0"), "int": integer(0), "none": NONE, "dict": DICT, "size": call(glob("torch", "Size"), ints(1))}.items():
        add("id is " + name, row + PERSID)
    for name, (one, other) in {"one key, two types": (("FloatStorage", 16), ("IntStorage", 16)), "one key, two widths": (("FloatStorage", 16), ("DoubleStorage", 8)), "one key, two sizes": (("FloatStorage", 16), ("FloatStorage", 8)), "one key, more": (("FloatStorage", 16), ("FloatStorage", 32)),
                               "one key, wider": (("FloatStorage", 16), ("DoubleStorage", 16))}.items():
        add("id: " + name, tup(storage(one[0], "0", one[1]), storage(other[0], "0", other[1])))
    add("id: one key, two places", tup(storage(), storage(location="cuda:0")))


def views():
    rows = {"plain": ((4,), (1,), 0), "all": ((16,), (1,), 0), "one too many": ((17,), (1,), 0), "beyond": ((4,), (1,), 13), "at the end": ((1,), (1,), 15), "behind the end": ((1,), (1,), 16), "empty behind the end": ((0,), (1,), 16), "empty far behind": ((0, 3), (3, 1), 1000), "empty beyond 64 bits": ((0,), (1,), 1 << 62),
            "negative size": ((-1,), (1,), 0), "negative empty": ((0, -1), (1, 1), 0), "negative stride": ((4,), (-1,), 3), "negative stride of one": ((1,), (-1,), 3), "negative offset": ((4,), (1,), -1), "negative offset, empty": ((0,), (1,), -1), "zero stride": ((4,), (0,), 0), "endless": ((1 << 42,), (0,), 0), "endless square": ((1 << 31, 1 << 31), (0, 0), 0),
            "too many": ((1 << 40, 1 << 40), (0, 0), 0), "overlap": ((3, 3), (1, 1), 0), "scalar": ((), (), 0), "scalar behind": ((), (), 16), "fewer strides": ((2, 2), (1,), 0), "more strides": ((2,), (1, 1), 0), "no strides": ((2,), (), 0), "huge stride": ((2,), (1 << 62,), 0), "wrapping stride": ((3,), (1 << 63 - 1,), 0), "huge stride of one": ((1,), (1 << 62,), 0),
            "wrapping": ((2, 2), (1 << 62, 1 << 62), 0), "64 dimensions": ((1,) * 64, (1,) * 64, 0), "65 dimensions": ((1,) * 65, (1,) * 65, 0), "200 dimensions": ((1,) * 200, (1,) * 200, 0), "size beyond 64 bits": ((1 << 63,), (1,), 0), "stride beyond 64 bits": ((1,), (1 << 63,), 0), "offset beyond 64 bits": ((1,), (1,), 1 << 63), "largest offset": ((1,), (1,), (1 << 63) - 1)}
    for name, (size, stride, offset) in rows.items():
        add("view: " + name, tensor(size, stride, offset))
    base, zero, one, hooks = storage(), integer(0), ints(4), HOOKS
    for name, arguments in {"no storage": (NONE, zero, one, ints(1), FALSE, hooks), "int storage": (zero, zero, one, ints(1), FALSE, hooks), "tensor for storage": (tensor(), zero, one, ints(1), FALSE, hooks), "class for storage": (glob("torch", "FloatStorage"), zero, one, ints(1), FALSE, hooks), "offset true": (base, TRUE, one, ints(1), FALSE, hooks),
                            "offset float": (base, floating(0), one, ints(1), FALSE, hooks), "offset none": (base, NONE, one, ints(1), FALSE, hooks), "offset text": (base, text("0"), one, ints(1), FALSE, hooks), "size list": (base, zero, lst(integer(4)), lst(integer(1)), FALSE, hooks), "size int": (base, zero, integer(4), ints(1), FALSE, hooks), "size none": (base, zero, NONE, ints(1), FALSE, hooks),
                            "size Size": (base, zero, call(glob("torch", "Size"), ints(4)), ints(1), FALSE, hooks), "size of floats": (base, zero, tup(floating(4)), ints(1), FALSE, hooks), "size of trues": (base, zero, tup(TRUE), ints(1), FALSE, hooks), "size of nones": (base, zero, tup(NONE), ints(1), FALSE, hooks), "size of texts": (base, zero, tup(text("4")), ints(1), FALSE, hooks), "stride int": (base, zero, one, integer(1), FALSE, hooks),
                            "stride of floats": (base, zero, one, tup(floating(1)), FALSE, hooks), "grad none": (base, zero, one, ints(1), NONE, hooks), "grad int": (base, zero, one, ints(1), integer(1), hooks), "grad text": (base, zero, one, ints(1), text("yes"), hooks), "grad true": (base, zero, one, ints(1), TRUE, hooks), "no hooks": (base, zero, one, ints(1), FALSE), "hooks none": (base, zero, one, ints(1), FALSE, NONE),
                            "hooks dict": (base, zero, one, ints(1), FALSE, DICT), "hooks int": (base, zero, one, ints(1), FALSE, zero), "hooks full": (base, zero, one, ints(1), TRUE, HOOKS + integer(0) + REBUILD + SETITEM), "metadata": (base, zero, one, ints(1), FALSE, hooks, dct((text("conj"), TRUE))), "metadata neg": (base, zero, one, ints(1), FALSE, hooks, dct((text("neg"), TRUE))),
                            "metadata odd": (base, zero, one, ints(1), FALSE, hooks, dct((text("odd"), TRUE))), "metadata none": (base, zero, one, ints(1), FALSE, hooks, NONE), "metadata list": (base, zero, one, ints(1), FALSE, hooks, lst(text("neg"))), "eight": (base, zero, one, ints(1), FALSE, hooks, NONE, NONE), "grad of ints": (storage("LongStorage", "1", 8), zero, one, ints(1), TRUE, hooks)}.items():
        add("rebuild: " + name, call(REBUILD, *arguments))
    meta = glob("torch._utils", "_rebuild_meta_tensor_no_storage")
    v3 = glob("torch._utils", "_rebuild_tensor_v3")
    untyped = tup(text("storage"), glob("torch.storage", "UntypedStorage"), text("0"), text("cpu"), integer(64)) + PERSID
    for name, body in {"v1": call(glob("torch._utils", "_rebuild_tensor"), base, zero, one, ints(1)), "v1 beyond": call(glob("torch._utils", "_rebuild_tensor"), base, integer(14), one, ints(1)), "v3": call(v3, untyped, zero, one, ints(1), FALSE, hooks, glob("torch", "uint16")), "v3 wider": call(v3, untyped, zero, ints(16), ints(1), FALSE, hooks, glob("torch", "float64")),
                       "v3 typed": call(v3, base, zero, one, ints(1), FALSE, hooks, glob("torch", "float32")), "v3 of text": call(v3, untyped, zero, one, ints(1), FALSE, hooks, text("float32")), "v3 quantized": call(v3, untyped, zero, one, ints(1), FALSE, hooks, glob("torch", "qint8")), "v3 bits": call(v3, untyped, zero, one, ints(1), FALSE, hooks, glob("torch", "bits8")),
                       "v3 int4": call(v3, untyped, zero, one, ints(1), FALSE, hooks, glob("torch", "int4")), "meta": call(meta, glob("torch", "float32"), ints(2, 3), ints(3, 1), FALSE), "meta huge": call(meta, glob("torch", "float32"), ints(1 << 40, 1 << 40), ints(1 << 40, 1), FALSE), "meta negative": call(meta, glob("torch", "float32"), ints(-1), ints(1), FALSE),
                       "meta fewer strides": call(meta, glob("torch", "float32"), ints(2, 3), ints(3), FALSE), "meta of text": call(meta, text("float32"), ints(2), ints(1), FALSE), "meta ints with grad": call(meta, glob("torch", "int64"), ints(2), ints(1), TRUE)}.items():
        add("tensor: " + name, body)


def composed():
    hooks, state = HOOKS, dct((text("a"), integer(1)))
    parameter, with_state, typed = glob("torch._utils", "_rebuild_parameter"), glob("torch._utils", "_rebuild_parameter_with_state"), glob("torch._tensor", "_rebuild_from_type_v2")
    for name, body in {"plain": call(parameter, tensor(), TRUE, hooks), "of ints": call(parameter, longs(), TRUE, hooks), "of ints without grad": call(parameter, longs(), FALSE, hooks), "of none": call(parameter, NONE, TRUE, hooks), "of a list": call(parameter, LIST, TRUE, hooks), "grad int": call(parameter, tensor(), integer(1), hooks), "grad none": call(parameter, tensor(), NONE, hooks),
                       "hooks none": call(parameter, tensor(), TRUE, NONE), "hooks int": call(parameter, tensor(), TRUE, integer(1)), "two": call(parameter, tensor(), TRUE), "of a parameter": call(parameter, VALUES["parameter"], TRUE, hooks), "state": call(with_state, tensor(), TRUE, hooks, state), "state none": call(with_state, tensor(), TRUE, hooks, NONE), "state list": call(with_state, tensor(), TRUE, hooks, lst(integer(1))),
                       "state int": call(with_state, tensor(), TRUE, hooks, integer(1)), "state of ints": call(with_state, tensor(), TRUE, hooks, VALUES["intdict"]), "state of slots": call(with_state, tensor(), TRUE, hooks, tup(NONE, state)), "new": glob("torch.nn.parameter", "Parameter") + tup(tensor()) + NEWOBJ, "new of none": glob("torch.nn.parameter", "Parameter") + tup(NONE) + NEWOBJ,
                       "new of three": glob("torch.nn.parameter", "Parameter") + tup(tensor(), TRUE, NONE) + NEWOBJ}.items():
        add("parameter: " + name, body)
    for name, body in {"plain": call(typed, REBUILD, glob("torch", "Tensor"), tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), state), "parameter": call(typed, REBUILD, glob("torch.nn.parameter", "Parameter"), tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), state), "dict": call(typed, ORDERED, ORDERED, TUPLE0, state), "set": call(typed, glob("builtins", "set"), glob("builtins", "set"), TUPLE0, NONE),
                       "of text": call(typed, text("a"), glob("torch", "Tensor"), TUPLE0, NONE), "type none": call(typed, REBUILD, NONE, tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), state), "arguments none": call(typed, REBUILD, glob("torch", "Tensor"), NONE, state), "state none": call(typed, REBUILD, glob("torch", "Tensor"), tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), NONE),
                       "state int": call(typed, REBUILD, glob("torch", "Tensor"), tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), integer(1)), "three": call(typed, REBUILD, glob("torch", "Tensor"), TUPLE0), "itself": call(typed, typed, glob("torch", "Tensor"), tup(REBUILD, glob("torch", "Tensor"), tup(storage(), integer(0), ints(4), ints(1), FALSE, hooks), state), state),
                       "device": call(typed, glob("torch", "device"), glob("torch", "device"), tup(text("cpu")), NONE)}.items():
        add("type: " + name, body)
    quantized = glob("torch._utils", "_rebuild_qtensor")
    octets, affine, channel = storage("QInt8Storage", "2", 16), glob("torch", "per_tensor_affine"), glob("torch", "per_channel_affine")
    scales, points = tensor((2,), (1,), 1, storage()), longs((2,))
    doubles = tensor((2,), (1,), 0, storage("DoubleStorage", "1", 8))
    for name, arguments in {"plain": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(0.5), integer(3)), FALSE, hooks), "beyond": (octets, integer(0), ints(9, 3), ints(3, 1), tup(affine, floating(0.5), integer(3)), FALSE, hooks), "far": (octets, integer(1 << 40), ints(2, 3), ints(3, 1), tup(affine, floating(0.5), integer(3)), FALSE, hooks), "scale zero": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(0), integer(3)), FALSE, hooks),
                            "scale nan": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(float("nan")), integer(3)), FALSE, hooks), "scale negative": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(-1), integer(3)), FALSE, hooks), "scale int": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, integer(1), integer(3)), FALSE, hooks), "point far": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(0.5), integer(1000)), FALSE, hooks),
                            "point float": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(0.5), floating(3)), FALSE, hooks), "scheme text": (octets, integer(0), ints(2, 3), ints(3, 1), tup(text("affine"), floating(0.5), integer(3)), FALSE, hooks), "scheme alone": (octets, integer(0), ints(2, 3), ints(3, 1), tup(affine), FALSE, hooks), "no scheme": (octets, integer(0), ints(2, 3), ints(3, 1), NONE, FALSE, hooks),
                            "float storage": (storage(), integer(0), ints(2, 3), ints(3, 1), tup(affine, floating(0.5), integer(3)), FALSE, hooks), "channel": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, doubles, points, integer(0)), FALSE, hooks), "channel floats": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, scales, points, integer(0)), FALSE, hooks), "channel axis": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, doubles, points, integer(2)), FALSE, hooks),
                            "channel axis negative": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, doubles, points, integer(-1)), FALSE, hooks), "channel other axis": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, doubles, points, integer(1)), FALSE, hooks), "channel lists": (octets, integer(0), ints(2, 3), ints(3, 1), tup(channel, lst(floating(1), floating(2)), lst(integer(0), integer(0)), integer(0)), FALSE, hooks)}.items():
        add("quantized: " + name, call(quantized, *arguments))
    sparse = glob("torch._utils", "_rebuild_sparse_tensor")
    coo, csr = (call(glob("torch.serialization", "_get_layout"), text("torch.sparse_" + n)) for n in ("coo", "csr"))
    size = ints(4, 4)
    indices, values = longs((2, 2), (2, 1)), tensor((2,))
    for name, body in {"plain": call(sparse, coo, tup(indices, values, size, FALSE)), "three": call(sparse, coo, tup(indices, values, size)), "coalesced": call(sparse, coo, tup(indices, values, size, TRUE)), "outside": call(sparse, coo, tup(indices, values, ints(2, 2), FALSE)), "negative": call(sparse, coo, tup(longs((2, 2), (2, 1), 3), values, size, FALSE)), "huge": call(sparse, coo, tup(longs((2, 1), (1, 1), 5), tensor((1,)), size, FALSE)),
                       "float indices": call(sparse, coo, tup(tensor((2, 2), (2, 1)), values, size, FALSE)), "other count": call(sparse, coo, tup(indices, tensor((3,)), size, FALSE)), "other rank": call(sparse, coo, tup(indices, values, ints(4, 4, 4), FALSE)), "size negative": call(sparse, coo, tup(indices, values, ints(4, -4), FALSE)), "size huge": call(sparse, coo, tup(indices, values, ints(1 << 40, 1 << 40), FALSE)), "size none": call(sparse, coo, tup(indices, values, NONE, FALSE)),
                       "unsorted coalesced": call(sparse, coo, tup(longs((1, 2), (2, 1), 1), values, ints(4), TRUE)), "twice coalesced": call(sparse, coo, tup(longs((1, 2), (2, 0), 1), values, ints(4), TRUE)), "flag int": call(sparse, coo, tup(indices, values, size, integer(1))), "layout text": call(sparse, text("torch.sparse_coo"), tup(indices, values, size, FALSE)), "layout strided": call(sparse, VALUES["layout"], tup(indices, values, size, FALSE)),
                       "csr": call(sparse, csr, tup(longs((3,), (1,)), longs((2,), (1,)), tensor((2,)), ints(2, 2))), "csr rows": call(sparse, csr, tup(longs((3,), (1,), 3), longs((2,), (1,)), tensor((2,)), ints(2, 2))), "csr columns": call(sparse, csr, tup(longs((3,), (1,)), longs((2,), (1,), 2), tensor((2,)), ints(2, 2))), "csr counts": call(sparse, csr, tup(longs((3,), (1,)), longs((3,), (1,)), tensor((2,)), ints(2, 2))), "data none": call(sparse, coo, NONE)}.items():
        add("sparse: " + name, body)
    nested = glob("torch._utils", "_rebuild_nested_tensor")
    for name, arguments in {"plain": (tensor((4,)), longs((2, 1), (1, 1), 1), longs((2, 1), (1, 1), 0), longs((2,), (1,), 0)), "beyond": (tensor((4,)), longs((2, 1), (1, 1), 3), longs((2, 1), (1, 1), 0), longs((2,), (1,), 2)), "float sizes": (tensor((4,)), tensor((2, 1), (1, 1)), longs((2, 1), (1, 1)), longs((2,))), "negative sizes": (tensor((4,)), longs((2, 1), (1, 1), 4), longs((2, 1), (1, 1)), longs((2,))),
                            "flat sizes": (tensor((4,)), longs((2,)), longs((2,)), longs((2,))), "none": (NONE, NONE, NONE, NONE), "three": (tensor(), longs((2, 1), (1, 1)), longs((2, 1), (1, 1)))}.items():
        add("nested: " + name, call(nested, *arguments))
    for name, body in {"cpu": call(glob("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"), tensor(), glob("torch", "float32"), text("cpu"), FALSE), "cpu to float64": call(glob("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"), tensor(), glob("torch", "float64"), text("cpu"), FALSE), "nowhere": call(glob("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"), tensor(), glob("torch", "float32"), text("nowhere"), FALSE),
                       "of none": call(glob("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"), NONE, glob("torch", "float32"), text("cpu"), FALSE), "wrapper of Tensor": call(glob("torch._utils", "_rebuild_wrapper_subclass"), glob("torch", "Tensor"), glob("torch", "float32"), ints(2), ints(1), integer(0), VALUES["layout"], text("cpu"), FALSE),
                       "wrapper of Parameter": call(glob("torch._utils", "_rebuild_wrapper_subclass"), glob("torch.nn.parameter", "Parameter"), glob("torch", "float32"), ints(2), ints(1), integer(0), VALUES["layout"], text("cpu"), FALSE), "wrapper of set": call(glob("torch._utils", "_rebuild_wrapper_subclass"), glob("builtins", "set"), glob("torch", "float32"), ints(2), ints(1), integer(0), VALUES["layout"], text("cpu"), FALSE)}.items():
        add("device: " + name, body)


def bombs():
    def doubled(levels, start=TUPLE0):
        return start + b"".join(put(0) + get(0) + b"\x86" for _ in range(levels))

    add("bomb: chain", LIST + b"".join(put(i) + LIST + get(i) + APPEND for i in range(60)))
    add("bomb: tuples", doubled(60, tup(integer(1))))
    add("bomb: shared lists", LIST + b"".join(put(i) + LIST + MARK + get(i) * 10 + APPENDS for i in range(30)))
    add("bomb: key", DICT + doubled(40, tup(integer(1))) + integer(1) + SETITEM)
    add("bomb: item of a set", call(glob("builtins", "set"), lst(doubled(40, tup(integer(1))))))
    add("bomb: key of an OrderedDict", HOOKS + doubled(40, tup(integer(1))) + integer(1) + SETITEM)
    add("bomb: key of a Counter", VALUES["counter"] + doubled(40, tup(integer(1))) + integer(1) + SETITEM)
    add("bomb: equal keys", DICT + doubled(28, tup(integer(1))) + put(1) + integer(1) + SETITEM + doubled(28, tup(integer(1))) + integer(2) + SETITEM)
    add("bomb: small key", DICT + doubled(4, tup(integer(1))) + integer(1) + SETITEM)
    for depth in (1000, 100000):
        add("deep: lists %d" % depth, LIST * depth + APPEND * (depth - 1))
        add("deep: tuples %d" % depth, TUPLE0 + b"\x85" * depth)
        add("deep: dicts %d" % depth, (DICT + text("a")) * depth + NONE + SETITEM * depth)
        add("deep: ordered %d" % depth, (HOOKS + text("a")) * depth + NONE + SETITEM * depth)
    add("deep: key", DICT + TUPLE0 + b"\x85" * 500 + integer(1) + SETITEM)
    add("deep: key of 100000", DICT + TUPLE0 + b"\x85" * 100000 + integer(1) + SETITEM)
    add("cycle: list", LIST + put(0) + get(0) + APPEND)
    add("cycle: dict", DICT + put(0) + text("a") + get(0) + SETITEM)
    add("cycle: tuple", LIST + put(0) + get(0) + b"\x85" + APPEND)
    add("cycle: key", DICT + put(0) + get(0) + b"\x85" + integer(1) + SETITEM)
    add("cycle: ordered", HOOKS + put(0) + text("a") + get(0) + SETITEM)
    add("cycle: attribute", HOOKS + put(0) + DICT + text("a") + get(0) + SETITEM + BUILD)
    add("keys: colliding ints", DICT + MARK + b"".join(integer(i * ((1 << 61) - 1)) + NONE for i in range(3000)) + SETITEMS)
    for name, pairs in {"nan twice": ((floating(float("nan")), integer(1)),) * 2, "one": ((integer(1), integer(1)), (floating(1), integer(2)), (TRUE, integer(3))), "tensors": ((tensor(), integer(1)), (tensor(), integer(2))), "tuple of a list": ((tup(LIST), integer(1)),), "tuple of a dict": ((tup(DICT), integer(1)),), "list": ((LIST, integer(1)),), "none": ((NONE, integer(1)),),
                        "bytes and text": ((py2(b"a"), integer(1)), (text("a"), integer(2))), "dtype": ((VALUES["dtype"], integer(1)),), "device": ((VALUES["device"], integer(1)),), "size": ((VALUES["size"], integer(1)), (ints(1, 2), integer(2))), "storage": ((storage(), integer(1)),), "big": ((integer(1 << 70), integer(1)), (floating(float(1 << 70)), integer(2)))}.items():
        add("keys: " + name, dct(*pairs))
        add("keys of an OrderedDict: " + name, HOOKS + MARK + b"".join(a + b for a, b in pairs) + SETITEMS)


def numbers():
    for name, body in {"text of surrogates": text(b"\xed\xa0\x80"), "text of bad bytes": text(b"\xff\xfe"), "text cut in a letter": text(b"\xc3"), "text of overlong": text(b"\xc0\x80"), "text beyond Unicode": text(b"\xf4\x90\x80\x80"), "text of a nul": text("\0"), "text longer than the file": b"X\xff\xff\xff\x7f" + b"a", "text of 4 GiB": b"X\xff\xff\xff\xff" + b"a", "bytes of 255": py2(bytes(range(255))),
                       "bytes cut": b"U\xff" + b"a", "bad bytes": py2(b"\xff"), "long of nothing": b"\x8a\0", "long of 255": b"\x8a\xff" + b"\x7f" * 255, "long cut": b"\x8a\x09" + b"a", "long negative": b"\x8a\x09" + b"\xff" * 9, "long padded": b"\x8a\x09" + b"\1" + bytes(8), "int cut": b"J\1", "float cut": b"G\1", "nan": floating(float("nan")), "signalling nan": b"G\x7f\xf0\0\0\0\0\0\1", "inf": floating(float("inf"))}.items():
        add("number: " + name, body)
    for name, body in {"missing": get(0), "missing long": b"j\xff\xff\xff\xff", "largest": integer(1) + b"r\xff\xff\xff\xff" + b"j\xff\xff\xff\xff" + b"\x86", "again": integer(1) + put(0) + integer(2) + put(0) + get(0) + b"\x87", "of a mark": MARK + put(0), "gap": integer(1) + put(200) + get(200) + b"\x86", "long of short": integer(1) + put(7) + b"j\7\0\0\0" + b"\x86", "cut": integer(1) + b"r\xff\xff"}.items():
        add("memo: " + name, body)


def streams():
    """Legacy streams."""
    one = legacy_storage()
    tensor_of = lambda base: call(REBUILD, base, integer(0), ints(4), ints(1), FALSE, HOOKS)  # noqa: E731
    for name, body, keys in (("plain", tensor_of(one), ("0",)), ("no key", tensor_of(one), ()), ("key too many", tensor_of(one), ("0", "1")), ("key twice", tensor_of(one), ("0", "0")), ("other key", tensor_of(one), ("1",)), ("numel less", tensor_of(legacy_storage(numel=8)), ("0",)), ("numel more", tensor_of(legacy_storage(numel=32)), ("0",)), ("numel huge", tensor_of(legacy_storage(numel=1 << 40)), ("0",)),
                             ("numel negative", tensor_of(legacy_storage(numel=-1)), ("0",)), ("other type", tensor_of(legacy_storage("DoubleStorage", numel=16)), ("0",)), ("two types", tup(tensor_of(one), legacy_storage("IntStorage")), ("0",)), ("two sizes", tup(tensor_of(one), legacy_storage(numel=8)), ("0",)), ("view", tensor_of(legacy_storage(view=tup(text("v"), integer(2), integer(8)))), ("0",)),
                             ("view beyond", tensor_of(legacy_storage(view=tup(text("v"), integer(10), integer(8)))), ("0",)), ("view negative", tensor_of(legacy_storage(view=tup(text("v"), integer(-1), integer(8)))), ("0",)), ("view of two", tensor_of(legacy_storage(view=tup(text("v"), integer(2)))), ("0",)), ("view of text", tensor_of(legacy_storage(view=text("v"))), ("0",)),
                             ("id of five", tup(text("storage"), glob("torch", "FloatStorage"), text("0"), text("cpu"), integer(16)) + PERSID, ("0",)), ("module", tup(text("module"), ORDERED, text("a.py"), text("x")) + PERSID, ()), ("system", call(glob("os", "system"), text("true")), ()), ("class", glob("mine", "Net") + TUPLE0 + REDUCE, ()), ("long text", text("a" * 100000), ()),
                             ("opcode", b"C\1a", ()), ("int", integer(1), ())):
        CASES["stream: " + name] = legacy(with_protocol(body), keys)
    whole = legacy(with_protocol(tensor_of(one)))
    CASES["stream: trailing"] = whole + b"junk"
    CASES["stream: twice"] = whole * 2
    for size in (10, 20, 100, 200, 260, len(whole) - 70, len(whole) - 64, len(whole) - 1):
        CASES["stream: cut at %d" % size] = whole[:size]
    CASES["stream: magic"] = whole.replace(b"\x6c\xfc\x9c\x46", b"\x6d\xfc\x9c\x46", 1)
    CASES["stream: version"] = whole.replace(b"M\xe9\x03", b"M\xe8\x03", 1)


def build_cases():
    r = random.Random(SEED)
    opcodes()
    damage(r)
    stacks()
    items()
    calls()
    names()
    ids()
    views()
    composed()
    bombs()
    numbers()
    streams()


# ---------------------------------------------------------------------------------------------------------------------
# PyTorch


class Judge:
    """A process that loads files with PyTorch; another one follows where it does not answer."""

    def __init__(self, torch):
        self.torch, self.child, self.path = torch, None, None

    def start(self):
        theirs, self.to = os.pipe()
        self.back, mine = os.pipe()
        self.child = os.fork()
        if self.child:
            os.close(theirs)
            os.close(mine)
            return
        os.close(self.to)
        os.close(self.back)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        while os.read(theirs, 1):
            os.write(mine, self.verdict().encode("utf-8", "backslashreplace"))
        os._exit(0)

    def verdict(self):
        try:
            self.torch.load(self.path, map_location="cpu", weights_only=True)
            return "loads"
        except BaseException as e:  # whatever PyTorch makes of it
            return "refuses: %s: %s" % (type(e).__name__, str(e).replace("\n", " ")[:200])

    def ask(self, path):
        if not self.child or path != self.path:
            self.stop()
            self.path = path
            self.start()
        os.write(self.to, b"?")

    def answer(self):
        """ "loads", "refuses: ...", "does not end" or "dies"."""
        ready, _, _ = select.select([self.back], [], [], SECONDS)
        said = os.read(self.back, 4096).decode("utf-8", "replace") if ready else ""
        if said:
            return said
        self.stop()
        return "dies" if ready else "does not end"

    def stop(self):
        if self.child:
            os.close(self.to)
            os.close(self.back)
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.child = None


def ptio_verdict(command, path, rules="2.13"):
    """ "loads", or the reasons."""
    done = subprocess.run([command, "check", "--json", "--rules", rules, path], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    if not done.stdout:
        return ["exit code %d: %s" % (done.returncode, done.stderr.decode("utf-8", "replace"))]
    result = json.loads(done.stdout)
    refused = [f["reason"] for f in result["findings"] if f["severity"] == "refused"]
    if result["verdict"] == "whole" and result["weights_only_loads"]:
        return "loads" if not refused else ["it loads with refusals"]
    return refused or ["no reason"]


def stricter(section="Stricter"):
    """The reasons of a table of the document."""
    page = DOCUMENT.read_text(encoding="utf-8")
    table = page[page.index("## %s\n" % section) + 3:].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z0-9.-]+)` \|", table, re.MULTILINE))


def compare(theirs, ours, allowed):
    """What is wrong, or None; and the reason for which ptio alone refuses, or None."""
    if ours == "loads":
        return None if theirs in ("loads", "does not end") else "PyTorch %s, ptio loads" % theirs, None
    if theirs.startswith("refuses"):
        return None, None
    if ours[0] in allowed:
        return None, ours[0]
    if theirs != "loads":
        return None, None  # it may have been about to refuse
    return "PyTorch %s, ptio refuses: %s" % (theirs, ", ".join(ours[:3])), None


def problems_of_list(found, listed, names):
    """Names that stricter.json lacks, has under another reason, or has in vain."""
    for name in names:
        if found.get(name) != listed.get(name):
            yield "%s: stricter for %s, in stricter.json for %s" % (name, found.get(name), listed.get(name))
    for name in sorted(set(listed) - set(CASES)):
        yield "%s: in stricter.json, and there is no such pickle" % name


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio")
    parser.add_argument("--only", metavar="NAME")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--write", metavar="FOLDER", help="write the files and a list of them, and compare nothing")
    options = parser.parse_args()
    build_cases()
    share = min(1, float(os.environ.get("PTIO_TEST_SHARE", "1")))
    names_of = [n for i, n in enumerate(CASES) if options.only == n or (not options.only and int(i * share) != int((i + 1) * share))]
    if options.write:
        folder = pathlib.Path(options.write)
        folder.mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(names_of):
            (folder / ("%04d.pt" % index)).write_bytes(CASES[name])
        (folder / "names.json").write_text(json.dumps(names_of))
        return 0
    import torch
    import torch._dynamo  # noqa: F401  allows what jagged tensors and DTensors need

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    allowed, needed, found, failed = stricter(), collections.Counter(), {}, 0
    listed = {} if options.record else json.loads(STRICTER.read_text())
    judge = Judge(torch)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.pt")
        for name in names_of:
            with open(path, "wb") as file:
                file.write(CASES[name])
            judge.ask(path)
            ours = ptio_verdict(options.ptio, path)
            theirs = judge.answer()
            problem, reason = compare(theirs, ours, allowed)
            needed[reason] += 1
            if reason and (theirs == "loads" or name in listed or options.record):  # a slow machine proves nothing
                found[name] = reason
            if problem:
                failed += 1
                print("%s: %s" % (name, problem.encode("ascii", "backslashreplace").decode()), flush=True)
    judge.stop()
    if options.record:
        listed = found
        STRICTER.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")
    for problem in problems_of_list(found, listed, names_of):
        failed += 1
        print(problem.encode("ascii", "backslashreplace").decode())
    if not options.only and share == 1:
        for reason in sorted(allowed - set(needed)):
            failed += 1
            print("docs/weights-only.md: no pickle needs the row of %s" % reason)
    print("%d by the table of what is stricter: %s" % (sum(n for r, n in needed.items() if r), ", ".join("%s %d" % (r, n) for r, n in sorted(needed.items(), key=str) if r)))
    print("%d passed, %d failed" % (len(names_of) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
