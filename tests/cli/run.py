#!/usr/bin/env python3
"""The command, from outside: what it prints, its exit codes, and that nothing of a file reaches the terminal as it is.

    run.py --ptio COMMAND [NAME ...]

Closes with "N passed, N failed". Needs nothing but Python; the files are made here (pickles.py).
"""
import argparse
import collections
import datetime
import fractions
import hashlib
import json
import math
import os
import pathlib
import pickle
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from pickles import archive, dct, floats, get, glob, integer, lst, put, storage, tensor, text, tup  # noqa: E402

SHARE = float(os.environ.get("PTIO_TEST_SHARE", "1"))
VERBS = ("show", "ls", "tree", "info", "dis", "check", "stats", "get")
SAVING = ("save", "new")
TESTS = {}


def test(function):
    TESTS[function.__name__] = function
    return function


class Bench:
    """The command, and a folder for files."""

    def __init__(self, ptio, folder):
        self.ptio, self.folder = ptio, folder

    def file(self, name, body):
        path = self.folder / name
        path.write_bytes(body)
        return path

    def run(self, *arguments, **settings):
        settings.setdefault("stdin", subprocess.DEVNULL)
        if "input" in settings:
            del settings["stdin"]
        return subprocess.run([self.ptio, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **settings)

    def good(self, *arguments, **settings):
        done = self.run(*arguments, **settings)
        assert done.returncode == 0, "%s: exit %d: %s" % (arguments, done.returncode, done.stderr.decode())
        assert done.stderr == b"", done.stderr
        return done.stdout.decode("utf-8")

    def fails(self, code, *arguments, **settings):
        done = self.run(*arguments, **settings)
        assert done.returncode == code, "%s: exit %d, not %d: %s" % (arguments, done.returncode, code, done.stderr.decode())
        assert done.stderr.startswith(b"ptio"), done.stderr
        return done.stderr.decode("utf-8")

    def shown(self, value, *options):
        """What `show` prints of a Python value, pickled."""
        path = self.file("value.pkl", pickle.dumps(value, 2))
        return self.good("show", *options, path)[:-1]

    def tree(self, *arguments, **settings):
        return json.loads(self.good("tree", "--json", *arguments, **settings))


def same(found, expected):
    assert found == expected, "\n  found:    %r\n  expected: %r" % (found, expected)


def sample():
    """A training checkpoint: tied weights, a view, numbers and text."""
    w = put(1, tensor(put(2, storage("0", 6)), (2, 3)))
    value = dct((text("model"), dct((text("fc.weight"), w), (text("tied"), get(1)), (text("view"), tensor(get(2), (3,), offset=3)),
                                    (text("fc.bias"), tensor(storage("1", 2, location="cuda:0"), (2,), requires_grad=True)))),
                (text("epoch"), integer(7)))
    return archive(value, [("0", floats(0, 1, 2, 3, 4, 5)), ("1", floats(0.5, -0.5))])


# ---- show

@test
def show_values(bench):
    for value in (None, True, 7, -2 ** 70, 10 ** 100, 2.5, -0.0, math.inf, math.nan, 1e-5, 1e16, "text", "it's", [1, [2, []]], (), (1,), (1, 2),
                  {"a": 1, 2: None, (1, 2): "x"}, {1}, frozenset([2]), set(), b"", 1 + 2j, [[]] * 3, "\u65e5\u672c", "\x1b\u202e"):
        if sys.version_info >= (3, 12) or not isinstance(value, (set, frozenset)) or value:
            same(bench.shown([value]), repr([value]))


@test
def show_is_print(bench):
    """A str at the top goes without quotes; what could move the cursor is escaped all the same, unless --raw asks for it."""
    for value in ("it's", "a\\b", "\u65e5\u672c", 2.5, None, ValueError("bad", 3), KeyError("k"), datetime.timedelta(1), fractions.Fraction(1, 2)):
        same(bench.shown(value), str(value))
    same(bench.shown("a\x1b[2J\n"), "a\\x1b[2J\\n")
    same(bench.shown("a\x1b[2J\n", "--raw"), "a\x1b[2J\n")
    same(bench.shown(collections.OrderedDict(a=1), "--python=3.11"), "OrderedDict([('a', 1)])")
    same(bench.shown(collections.OrderedDict(a=1), "--python", "3.12"), "OrderedDict({'a': 1})")
    for option in ("--python=2.7", "--python=x", "--precision=61", "--precision=-1", "--sci-mode=yes", "--profile=long"):
        bench.fails(4, "show", option, bench.file("value.pkl", pickle.dumps(1, 2)))


@test
def map_location(bench):
    """Places for all, and for tags; a tag without a place is refused. The sample's fc.bias was on cuda:0."""
    path = bench.file("sample.pt", sample())
    bias = "model.fc.bias"
    assert "cuda:0" in bench.good("ls", path)
    same(bench.good("show", "--devices", path, bias), "tensor([ 0.5000, -0.5000], device='cuda:0', requires_grad=True)\n")
    same(bench.good("show", "--devices", "--map-location=cpu", path, bias), "tensor([ 0.5000, -0.5000], requires_grad=True)\n")
    for options in (("--map-location", "cpu"), ("--map-location=cuda:0=cpu",), ("--map-location=mps=cpu", "--map-location=cuda:0=cpu")):
        assert "cuda:0" not in bench.good("ls", *options, path)
    same(bench.good("show", "--map-location=meta", path, bias), "tensor(..., device='meta', size=(2,), requires_grad=True)\n")
    same(bench.good("show", "--map-location=cuda:0=meta", path, "model.tied"), bench.good("show", path, "model.tied"))
    same([line["device"] for line in map(json.loads, bench.good("ls", "--json", "--map-location=cuda:0=meta", path).splitlines())],
         ["cpu", "cpu", "cpu", "meta"])
    for verb in ("show", "ls", "tree", "info"):
        message = bench.fails(2, verb, "--map-location=cpu=cpu", path)
        assert "storage 1 of model.fc.bias belongs on cuda:0" in message, message
    bench.fails(4, "show", "--map-location=cuda:x", path)
    bench.fails(4, "show", "--map-location=", path)
    bench.fails(4, "show", "--map-location=cpu", "--map-location=a=b", path)
    bench.fails(4, "check", "--map-location=cpu", path)
    bench.good("save", "--map-location=cpu", path, bench.folder / "out.pt")
    assert "cuda:0" not in bench.good("ls", bench.folder / "out.pt")


@test
def map_location_to_a_device(bench):
    """A library that stands in for the driver of a GPU, found by the name of that."""
    build = os.environ.get("PTIO_BUILD_DIR") or str(pathlib.Path(bench.ptio).parent.parent)
    path = bench.file("sample.pt", sample())
    (bench.folder / "libcuda.so.1").symlink_to(os.path.join(build, "standin", "cuda.so"))
    env = dict(os.environ, LD_LIBRARY_PATH="%s:%s" % (bench.folder, os.environ.get("LD_LIBRARY_PATH", "")))
    words = os.environ.get("PTIO_RUN", "").split()
    if "--library-path" in words:  # a loader that is told its folders does not look into the environment
        at = words.index("--library-path") + 1
        words[at] = "%s:%s" % (bench.folder, words[at])
        script = bench.folder / "ptio"
        script.write_text('#!/bin/sh\nexec %s %s "$@"\n' % (" ".join(words), os.path.join(build, "bin", "ptio")))
        script.chmod(0o700)
        bench.ptio = str(script)
    same(bench.good("show", "--map-location=cuda", path, "model.view", env=env), "tensor([3., 4., 5.], device='cuda:0')\n")
    same([json.loads(line)["device"] for line in bench.good("ls", "--json", "--map-location=cpu=cpu", path, env=env).splitlines()],
         ["cpu", "cpu", "cpu", "cuda:0"])
    same(bench.tree("--map-location=cuda:0", path, "model.tied", env=env)["device"], "cuda:0")
    message = bench.fails(2, "show", "--map-location=cuda:1", path, env=env)
    assert "belongs on cuda:1, but there are 1 such devices here" in message, message
    bench.good("save", "--map-location=cuda", path, bench.folder / "out.pt", env=env)
    assert "cuda:0" in bench.good("ls", bench.folder / "out.pt")


@test
def show_options_of_tensors(bench):
    path = bench.file("t.pt", archive(tensor(storage("0", 4), (4,)), [("0", floats(1.5, 20.25, 3e-5, 2))]))
    for options, expected in (((), "[1.5000e+00, 2.0250e+01, 3.0000e-05, 2.0000e+00]"),
                              (("--sci-mode=off",), "[ 1.5000, 20.2500,  0.0000,  2.0000]"),
                              (("--sci-mode=off", "--precision=1"), "[ 1.5, 20.2,  0.0,  2.0]"),
                              (("--sci-mode=off", "--precision=0"), "[ 2, 20,  0,  2]"),
                              (("--profile=short", "--sci-mode=off"), "[ 1.50, 20.25,  0.00,  2.00]"),
                              (("--threshold=3", "--edgeitems=1"), "[1.5000,  ..., 2.0000]"),
                              (("--linewidth=30", "--sci-mode=off"), "[ 1.5000, 20.2500,\n         0.0000,  2.0000]")):
        same(bench.good("show", *options, path), "tensor(%s)\n" % expected)
    same(bench.good("show", "--threshold=0", "--edgeitems=0", path), "tensor([...], size=(4,))\n")


@test
def show_devices(bench):
    """Where a tensor was: a suffix as all others."""
    for tag, device in (("cpu", ""), ("cuda:1", ", device='cuda:1'"), ("cuda", ", device='cuda:0'"), ("mps", ", device='mps:0'"), ("xpu:0", ", device='xpu:0'"),
                        ("\x1b[m'", ", device=\"\\x1b[m'\"")):
        path = bench.file("placed.pt", archive(tensor(storage("0", 2, location=tag), (2,)), [("0", floats(1, 2.5))]))
        same(bench.good("show", "--devices", path), "tensor([1.0000, 2.5000]%s)\n" % device)
        same(bench.good("show", path), "tensor([1.0000, 2.5000])\n")
    path = bench.file("placed.pt", archive(storage("0", 1, location="cuda:2"), [("0", floats(1))]))
    same(bench.good("show", "--devices", path), " 1.0\n[torch.storage.TypedStorage(dtype=torch.float32, device=cuda:2) of size 1]\n")


@test
def show_in_constant_memory(bench):
    """Ten million values take no more memory than a hundred thousand."""
    def peak(count):
        numbers = struct.pack("<1000f", *(i / 16 for i in range(1000)))
        path = bench.file("many.pt", archive(tensor(storage("0", count), (count // 100, 100)), [("0", numbers * (count // 1000))]))
        with open(os.devnull, "wb") as nothing:
            process = subprocess.Popen([bench.ptio, "show", "--all", str(path)], stdout=nothing)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = 0
        same(status, 0)
        return used.ru_maxrss

    # The memory of this program, which makes the files, counts as that of its children: so the smallest is run last.
    large = peak(int(10000000 * max(SHARE, 0.3)))
    assert large < peak(100000) + 6000, (large, peak(100000))


@test
def show_shared_and_cyclic(bench):
    cycle = [1]
    cycle.append(cycle)
    same(bench.shown(cycle), "[1, [...]]")
    loop = {"a": []}
    loop["me"] = (loop,)
    same(bench.shown(loop), "{'a': [], 'me': ({...},)}")


@test
def show_floats_as_python(bench):
    generator = random.Random(11)
    values = [struct.unpack("<d", struct.pack("<Q", generator.getrandbits(64)))[0] for _ in range(int(60000 * SHARE))]
    values += [round(generator.uniform(-1e6, 1e6), generator.randrange(9)) for _ in range(int(30000 * SHARE))]
    values += [generator.choice((1, 10)) * 2.0 ** generator.randrange(-1074, 1023) for _ in range(int(10000 * SHARE))]
    same(bench.shown(values), repr(values))


def assigned(string):
    """Python's tables and ours may be of different releases of Unicode."""
    return all(unicodedata.category(c) != "Cn" for c in string)


@test
def show_strings_as_python(bench):
    generator = random.Random(12)
    pool = "ab'\"\\\n\t\r\x00\x1b\x7f \xe9\xa0\xad\u202e\u200b\u3000\u65e5\ud800\udfff\U0001f600\ue000"
    values = ["".join(generator.choice(pool) for _ in range(generator.randrange(20))) for _ in range(int(20000 * SHARE))]
    values += [c for c in map(chr, range(0x110000)) if assigned(c)][::1 if SHARE == 1 else 16]
    same(bench.shown(values), repr(values))


@test
def show_bytes_as_python(bench):
    generator = random.Random(13)
    values = [bytes(generator.randrange(256) for _ in range(generator.randrange(20))) for _ in range(1000)] + [b"'", b"\"", b"'\"", bytes(range(256))]
    path = bench.file("bytes.pkl", pickle.dumps(values, 4))
    same(bench.good("show", path), repr(values) + "\n")


@test
def show_tensors_and_paths(bench):
    path = bench.file("sample.pt", sample())
    same(bench.good("show", path, "model.fc.weight"), "tensor([[0., 1., 2.],\n        [3., 4., 5.]])\n")
    same(bench.good("show", path, "model.fc.bias"), "tensor([ 0.5000, -0.5000], requires_grad=True)\n")
    same(bench.good("show", path, "epoch"), "7\n")
    same(bench.fails(1, "show", path, "model.no\x1bthing").split(": ")[-1], "nothing is at model.no\\x1bthing\n")
    same(bench.good("show", "--max-depth", "1", path), "{'model': {...}, 'epoch': 7}\n")
    same(bench.good("show", "--head=1", "--max-depth=1", path), "{'model': {...}, ...}\n")
    big = bench.file("big.pt", archive(tensor(storage("0", 2000), (2000,)), [("0", floats(*range(2000)))]))
    assert " ...," in bench.good("show", big)
    assert "..." not in bench.good("show", "--all", big)


# ---- ls

@test
def ls_json(bench):
    path = bench.file("sample.pt", sample())
    lines = [json.loads(line) for line in bench.good("ls", "--json", "--hash", path).splitlines()]
    same([line["name"] for line in lines], ["model.fc.weight", "model.tied", "model.view", "model.fc.bias"])
    same(list(lines[0]), ["path", "name", "dtype", "shape", "stride", "offset", "device", "requires_grad", "layout", "storage", "sha256"])
    same(lines[0], {"path": ["model", "fc.weight"], "name": "model.fc.weight", "dtype": "float32", "shape": [2, 3], "stride": [3, 1], "offset": 0,
                    "device": "cpu", "requires_grad": False, "layout": "torch.strided", "storage": 0,
                    "sha256": hashlib.sha256(floats(0, 1, 2, 3, 4, 5)).hexdigest()})
    same([line["storage"] for line in lines], [0, 0, 0, 1])
    same(lines[2]["sha256"], hashlib.sha256(floats(3, 4, 5)).hexdigest())
    same(lines[3]["requires_grad"], True)
    assert "sha256" not in json.loads(bench.good("ls", "--json", path).splitlines()[0])
    same(len(bench.good("ls", "--json", "--head", "2", path).splitlines()), 2)
    same([json.loads(line)["path"] for line in bench.good("ls", "--json", path, "model").splitlines()][0], ["fc.weight"])


@test
def ls_paths(bench):
    item = tensor(storage("0", 1), (1,))
    value = dct((integer(5), item), (tup(integer(1), text("a")), lst(item)), (b"N", item))
    path = bench.file("paths.pt", archive(value, [("0", floats(1))]))
    lines = [json.loads(line) for line in bench.good("ls", "--json", path).splitlines()]
    same([line["path"] for line in lines], [[5], ["(1, 'a')", 0], ["None"]])


@test
def ls_table(bench):
    path = bench.file("sample.pt", sample())
    table = bench.good("ls", path)
    same(table.splitlines()[0].split(), ["name", "dtype", "shape", "bytes"])
    assert re.search(r"^model\.fc\.weight +float32 +\[2, 3\] +24 +shares storage 0$", table, re.MULTILINE), table
    assert re.search(r"^model\.fc\.bias +float32 +\[2\] +8 +cuda:0 +grad$", table, re.MULTILINE), table
    same(table.splitlines()[-1], "3 tensors, 11 elements, 44 B; 2 storages, 32 B, 1 shared")
    assert "..." in bench.good("ls", "--head", "1", path)


# ---- tree

@test
def tree_json(bench):
    path = bench.file("sample.pt", sample())
    tree = bench.tree(path)
    entries = {key["v"]: value for key, value in tree["v"][0][1]["v"]}
    weight = entries["fc.weight"]
    same(weight, {"t": "tensor", "id": weight["id"], "cls": "torch.Tensor", "dtype": "float32", "shape": [2, 3], "device": "cpu", "requires_grad": False,
                  "layout": "torch.strided", "stride": [3, 1], "offset": 0, "storage": 0, "storage_nbytes": 24,
                  "sha256": hashlib.sha256(floats(0, 1, 2, 3, 4, 5)).hexdigest()})
    same(entries["tied"], {"t": "ref", "id": weight["id"]})
    same(tree["v"][1], [{"t": "str", "v": "epoch"}, {"t": "int", "v": "7"}])
    same(bench.tree(path, "epoch"), {"t": "int", "v": "7"})


@test
def tree_of_leaves(bench):
    values = [None, True, -1, 2 ** 200, 0.1, 1j, "a\x1b\u65e5\U0001f525", "\ud800", b"\x00\xff", bytearray(b"x"), "k" * 5000, b"k" * 5000, ()]
    tree = bench.tree(bench.file("leaves.pkl", pickle.dumps(values, 5)))["v"]
    same([x["t"] for x in tree], ["none", "bool", "int", "int", "float", "complex", "str", "str", "bytes", "bytearray", "str", "bytes", "tuple"])
    same(tree[3]["v"], str(2 ** 200))
    same(tree[4], {"t": "float", "v": "0.1", "ieee": "3fb999999999999a"})
    same(tree[5]["im"], {"t": "float", "v": "1.0", "ieee": "3ff0000000000000"})
    same(tree[6]["v"], values[6])
    same(tree[7], {"t": "str", "utf8_surrogatepass_hex": "eda080"})
    same(tree[8], {"t": "bytes", "hex": "00ff"})
    same(tree[10], {"t": "str", "nbytes": 5000, "sha256": hashlib.sha256(b"k" * 5000).hexdigest()})
    same(tree[11]["sha256"], tree[10]["sha256"])


@test
def tree_of_python_2(bench):
    path = bench.file("py2.pkl", b"\x80\x02](U\x02hiU\x01\xffe.")
    same(bench.tree("--encoding=latin1", path)["v"], [{"t": "py2str", "hex": "6869"}, {"t": "py2str", "hex": "ff"}])


@test
def tree_of_objects(bench):
    """Arguments are told beside the state; a value met in them first is still told in full among the contents."""
    made = glob("__main__", "F") + tup(put(1, lst(integer(1)))) + b"R" + dct((text("x"), get(1))) + b"b"
    tree = bench.tree(bench.file("object.pkl", b"\x80\x02" + lst(made, get(1)) + b"."))
    first, second = tree["v"]
    same((first["t"], first["cls"]), ("object", "__main__.F"))
    same(first["state"]["v"][0][1]["v"], [{"t": "int", "v": "1"}])
    same(second, {"t": "ref", "id": first["state"]["v"][0][1]["id"]})
    only = glob("__main__", "F") + tup(put(1, lst(integer(1)))) + b"R"
    tree = bench.tree(bench.file("object.pkl", b"\x80\x02" + lst(only, get(1), get(1)) + b"."))
    same(tree["v"][1]["t"], "list")
    same(tree["v"][2], {"t": "ref", "id": tree["v"][1]["id"]})
    same(tree["v"][0]["args"]["v"][0]["id"], tree["v"][1]["id"])


@test
def tree_raw(bench):
    path = bench.file("sample.pt", sample())
    tree = json.loads(bench.good("tree", "--raw", "--json", path))
    same(tree["node"], "dict")
    first = tree["entries"][0][1]["entries"][0][1]
    same((first["node"], first["op"], first["seen"]), ("reduced", "REDUCE", "tensor"))
    same(first["callable"], {"node": "global", "module": "torch._utils", "name": "_rebuild_tensor_v2"})
    same(first["args"]["items"][0]["node"], "persistent")
    same(tree["entries"][0][1]["entries"][1][1], {"node": "ref", "id": first["id"]})


@test
def tree_text(bench):
    path = bench.file("sample.pt", sample())
    lines = bench.good("tree", path).splitlines()
    same(lines[0], "dict, 2 entries")
    assert "    'fc.weight': torch.Tensor float32 [2, 3]" in lines, lines
    assert "    'tied': torch.Tensor float32 [2, 3] (again)" in lines, lines
    assert "  'epoch': 7" in lines, lines
    same(bench.good("tree", "--max-depth", "1", path), "dict, 2 entries\n")
    assert "__main__ F" in bench.good("tree", "--raw", bench.file("f.pkl", b"c__main__\nF\n)R."))


@test
def deep(bench):
    """A million levels; the library's own tests go to ten."""
    levels = int(1000000 * SHARE)
    path = bench.file("deep.pkl", b"]" * levels + b"a" * (levels - 1) + b".")
    room = "--limit=heap_per_byte=1000"  # sanitizers make small objects larger
    same(len(bench.good("show", room, path)), 2 * levels + 1)
    same(bench.good("tree", "--json", room, path).count('"list"'), levels)
    same(bench.good("tree", "--raw", "--json", room, path).count('"list"'), levels)
    same(bench.good("tree", room, path).count("\n"), levels)
    assert bench.good("ls", room, path).startswith("name")


# ---- info, dis, check

@test
def info(bench):
    path = bench.file("sample.pt", sample())
    facts = json.loads(bench.good("info", "--json", path))
    same((facts["container"], facts["protocol"], facts["records"], facts["tensors"], facts["elements"], facts["storages"], facts["shared_storages"]),
         ("zip", 2, 5, 3, 11, 2, 1))
    same((facts["byte_order"], facts["byte_order_recorded"], facts["root"], facts["source_bytes"]), ("little", True, "archive", path.stat().st_size))
    assert re.search(r"^container +zip$", bench.good("info", path), re.MULTILINE)


@test
def dis(bench):
    path = bench.file("sample.pt", sample())
    lines = bench.good("dis", path).splitlines()
    assert "PROTO" in lines[0] and "STOP" in lines[-1], lines
    cut = bench.run("dis", bench.file("cut.pkl", b"\x80\x02](K\x01K"))
    same(cut.returncode, 2)
    assert b"BININT1" in cut.stdout and b"byte" in cut.stderr, cut


@test
def check_verdicts(bench):
    whole = sample()
    assert "whole" in bench.good("check", bench.file("sample.pt", whole))
    place = whole.index(floats(3, 4))
    damaged = bench.run("check", bench.file("damaged.pt", whole[:place] + b"\xff" + whole[place + 1:]))
    same(damaged.returncode, 2)
    assert b"damaged" in damaged.stdout and b"archive/data/0" in damaged.stdout, damaged
    result = json.loads(bench.run("check", "--json", bench.folder / "damaged.pt").stdout)
    same(result["verdict"], "damaged")
    assert any(finding["severity"] == "refused" for finding in result["findings"]), result
    same(bench.run("check", bench.file("page.pt", b"<html><body>not found</body></html>")).returncode, 2)


@test
def check_weights_only(bench):
    value = lst(glob("__main__", "Net") + b")R", glob("argparse", "Namespace") + b")R", glob("__main__", "Net"))
    path = bench.file("classes.pt", archive(value))
    done = bench.run("check", path)
    same(done.returncode, 1)
    lines = "import __main__, argparse\ntorch.serialization.add_safe_globals([__main__.Net, argparse.Namespace])\n"
    assert done.stdout.decode().endswith("refuses it\nto allow what it names, if you trust the file:\n" + lines), done.stdout
    result = json.loads(bench.run("check", "--json", path).stdout)
    same((result["verdict"], result["weights_only_loads"], result["allow"]), ("whole", False, lines))
    same([(f["module"], f["name"]) for f in result["findings"]], [("__main__", "Net"), ("argparse", "Namespace"), ("__main__", "Net")])
    assert "__main__.Net" in bench.fails(2, "show", "--weights-only", path)


@test
def check_allow(bench):
    """What is allowed is taken, by its own name or by the one in the file; what is left is told."""
    path = bench.file("classes.pt", archive(lst(glob("__main__", "Net") + b")R", glob("__builtin__", "getattr"))))
    allowed = ("--allow", "models.Net=__main__.Net", "--allow", "getattr")
    for verb in ("show", "ls", "tree", "info"):
        bench.fails(2, verb, "--weights-only", path)
        assert "getattr" in bench.fails(2, verb, "--weights-only", "--allow=__main__.Net", path)
        bench.good(verb, "--weights-only", *allowed, path)
    bench.fails(2, "save", "--weights-only", path, bench.folder / "out.pt")
    bench.good("save", "--weights-only", *allowed, path, bench.folder / "out.pt")
    bench.good("check", *allowed, path)
    bench.fails(4, "check", "--allow=", path)
    bench.fails(4, "check", "--allow", "=a.b", path)
    bench.fails(4, "check", *["--allow=a.b"] * 257, path)
    same(bench.run("check", "--allow", "os.system", bench.file("os.pt", archive(glob("os", "system")))).returncode, 1)


@test
def check_rules(bench):
    path = bench.file("dtype.pt", archive(glob("torch", "uint7")))
    for release, code in (("2.6", 1), ("2.9", 0), ("2.13", 0), ("2.14", 0)):
        same(bench.run("check", "--rules", release, path).returncode, code)
        same(bench.run("show", "--weights-only", "--rules", release, path).returncode, 2 * code)
    for release in ("2.8", "2.13.0", "3", ""):
        bench.fails(4, "check", "--rules", release, path)


@test
def damaged_elements(bench):
    """No number of a record whose checksum is wrong is told, however small the tensor in it is."""
    numbers = list(range(100000))
    whole = archive(dct((text("all"), tensor(put(1, storage("0", 100000)), (100000,))), (text("few"), tensor(get(1), (5,)))), [("0", floats(*numbers))])
    place = whole.index(floats(54321, 54322))
    path, damaged = bench.file("whole.pt", whole), bench.file("damaged.pt", whole[:place] + b"\xff" + whole[place + 1:])
    for arguments in (("stats", damaged), ("stats", damaged, "few"), ("diff", path, damaged), ("diff", damaged, path), ("get", "--raw", damaged, "all"), ("get", "--npy", damaged, "few"),
                      ("get", "--text", damaged, "few"), ("get", "--json", damaged, "all"),
                      ("get", "--json", damaged), ("get", damaged, "all")):
        assert "archive/data/0" in bench.fails(2, *arguments), arguments
    good = archive(dct((text("good"), tensor(storage("0", 3), (3,))), (text("bad"), tensor(storage("1", 3), (3,)))), [("0", floats(1, 2, 3)), ("1", floats(4, 5, 6))])
    done = bench.run("ls", "--json", "--hash", bench.file("half.pt", good.replace(floats(5), floats(7))))
    same(done.returncode, 2)
    same([json.loads(line)["name"] for line in done.stdout.splitlines()], ["good"])
    same(got(bench, "--raw", "--slice=:2", damaged, "all"), floats(0, 1))


@test
def damaged_elements_of_large_storages(bench):
    """Larger than what is read whole: their checksums are compared all the same, but not in a map."""
    size = (64 << 20) + 4096
    whole = archive(tensor(storage("0", size, "ByteStorage"), (size,)), [("0", bytes(size))])
    place = len(whole) // 2
    path, damaged = bench.file("whole.pt", whole), bench.file("damaged.pt", whole[:place] + b"\7" + whole[place + 1:])
    for arguments in (("stats", damaged), ("diff", path, damaged), ("diff", damaged, path), ("get", "--raw", damaged), ("get", "--npy", damaged)):
        assert "archive/data/0" in bench.fails(2, *arguments), arguments
    same(stats(bench, path)[0]["max"], 0)
    same(stats(bench, "--mmap", damaged)[0]["max"], 7)
    same(got(bench, "--raw", "--slice=:2", damaged), bytes(2))


@test
def stats_of_floats(bench):
    """float32 has a way of its own: far from zero, jumping, with what is not finite in between; float16 and bfloat16 go along with it."""
    for values in ([0.1] * 5000, [1e8 + i % 3 for i in range(6000)], [1e6] * 4096 + [1 + i % 100 / 1e4 for i in range(9001)],
                   [math.sin(i) for i in range(20001)], [(-1) ** i * 3e38 for i in range(10000)], [0.0, -0.0, 1.0] * 3000):
        exact = struct.unpack("<%df" % len(values), floats(*values))
        mean = math.fsum(exact) / len(exact)
        std = math.sqrt(math.fsum((x - mean) ** 2 for x in exact) / (len(exact) - 1))
        odd = list(exact)
        odd[len(odd) // 2:len(odd) // 2] = [math.nan, math.inf, -math.inf]
        for numbers, options in ((exact, ()), (odd, ("--finite",))):
            body = archive(tensor(storage("0", len(numbers)), (len(numbers),)), [("0", floats(*numbers))])
            for more in ((), ("--mmap",)):
                line = stats(bench, *options, *more, bench.file("floats.pt", body))[0]
                same((line["min"], line["max"], line["zeros"]), (min(exact), max(exact), exact.count(0)))
                assert math.isclose(line["mean"], mean, rel_tol=1e-14, abs_tol=1e-15 * max(map(abs, exact))), (line, mean)
                assert math.isclose(line["std"], std, rel_tol=1e-9, abs_tol=1e-15 * max(map(abs, exact))), (line, std)
        same((line["nan"], line["inf"]), (1, 2))
    halves = [i % 2048 / 8 for i in range(9000)]
    body = struct.pack("<%de" % len(halves), *halves)
    line = stats(bench, bench.file("halves.pt", archive(tensor(storage("0", 9000, "HalfStorage"), (9000,)), [("0", body)])))[0]
    same((line["min"], line["max"], line["zeros"]), (0, 255.875, 5))
    assert math.isclose(line["mean"], sum(halves) / 9000, rel_tol=1e-14), line
    strided = tensor(storage("0", 9000, "HalfStorage"), (3000,), (3,))
    line = stats(bench, bench.file("strided.pt", archive(strided, [("0", body)])))[0]
    assert math.isclose(line["mean"], sum(halves[::3]) / 3000, rel_tol=1e-14), line


# ---- diff

def differences(bench, a, b, *options, code=1):
    done = bench.run("diff", "--json", *options, a, b)
    same((done.returncode, done.stderr), (code, b""))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1]["summary"]


def pickled(bench, name, value):
    return bench.file(name, pickle.dumps(value, 4))


@test
def diff_same(bench):
    path = bench.file("sample.pt", sample())
    same(bench.good("diff", path, path), "tensors: 4 equal; other values: 1 equal\n")
    same(differences(bench, path, path, code=0), ([], {"tensors_equal": 4, "tensors_close": 0, "tensors_different": 0, "values_equal": 1, "values_close": 0,
                                                     "values_different": 0, "only_a": 0, "only_b": 0}))
    with open(path, "rb") as stream:
        bench.good("diff", "-", path, stdin=stream)
    bench.good("diff", path, path, "model.fc.weight")
    bench.fails(4, "diff", path)
    bench.fails(4, "diff", "-", "-")
    bench.fails(4, "diff", path, path, "model", "more")
    bench.fails(3, "diff", path, bench.folder / "none.pt")
    bench.fails(2, "diff", path, bench.file("page.pt", b"<html><body>not found</body></html>"))
    bench.fails(1, "diff", path, path, "none")
    for option in ("--rtol=x", "--rtol=-1", "--atol=inf", "--atol=nan", "--rtol=", "--atol=1x"):
        bench.fails(4, "diff", option, path, path)


@test
def diff_values(bench):
    """As Python's == has it; two NaNs are the same."""
    for a, b, right in ((1, 1.0, None), (True, 1, None), (2 ** 70, 2 ** 70, None), (2 ** 70, 2 ** 70 + 1, "value"), (2 ** 53 + 1, float(2 ** 53), "value"), (2 ** 70, 2.0 ** 70, None),
                        (math.nan, math.nan, None), (0.0, -0.0, None), (1.5, "1.5", "type"), ("a", "b", "value"), ("a", b"a", "type"), ([1], (1,), "type"),
                        (None, None, None), (None, 0, "type"), (b"a", bytearray(b"a"), None), ({3, 1}, frozenset((1, 3)), None), ({1, 2}, {1, 3}, "value"), (1j, 1j, None),
                        (1j, 2j, "value"), (collections.OrderedDict(a=1), {"a": 1}, None), (list, dict, "value"), (fractions.Fraction(1, 2), fractions.Fraction(1, 2), None),
                        (fractions.Fraction(1, 2), fractions.Fraction(1, 3), "value"), (datetime.timedelta(1), fractions.Fraction(1), "class")):
        found, summary = differences(bench, pickled(bench, "a.pkl", {"x": a}), pickled(bench, "b.pkl", {"x": b}), code=0 if right is None else 1)
        same([line["difference"] for line in found], [right] if right else [])
        assert all(line["name"].startswith("x") for line in found), found


@test
def diff_containers(bench):
    a = {"keep": [1, 2], "gone": {"x": 1}, (1, 2): "tuple", 3: "int", "list": [1, 2, 3], "deep": [[{"lr": 0.1}]], 1j: 1, 2j: 2}
    b = {2j: 3, (1, 2): "tuple!", 3: "int", "deep": [[{"lr": 0.2}]], "list": [1, 2], "keep": [1, 2], "new": None, 1j: 1}
    found, summary = differences(bench, pickled(bench, "a.pkl", a), pickled(bench, "b.pkl", b))
    same(sorted((line["name"], line["difference"], line.get("a"), line.get("b")) for line in found if "complex" not in line["name"]),
         [("(1, 2)", "value", "'tuple'", "'tuple!'"), ("deep.0.0.lr", "value", "0.1", "0.2"), ("gone", "only-a", "dict of 1", None), ("list.2", "only-a", "3", None),
          ("new", "only-b", None, "None")])
    same(summary["only_a"], 2 + 2)  # keys that are found by themselves only, at other places: two of each file
    found, summary = differences(bench, bench.folder / "a.pkl", bench.folder / "b.pkl", "--select=deep", "--atol=0.2", code=0)
    same(summary["values_close"], 1)


@test
def diff_knots(bench):
    """Containers that hold themselves and each other, of periods that have nothing in common; a value shared by every level."""
    def ring(count, last=0):
        cells = [[0] for _ in range(count)]
        for i, cell in enumerate(cells):
            cell.append(cells[(i + 1) % count])
        cells[-1][0] = last
        return cells[0]

    count = int(3000 * SHARE)
    room = sys.getrecursionlimit()
    sys.setrecursionlimit(200000)
    import threading
    made = {}
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=lambda: made.update(a=pickle.dumps(ring(count)), b=pickle.dumps(ring(count + 1)), c=pickle.dumps(ring(count + 1, 1))))
    thread.start()
    thread.join()
    threading.stack_size(0)
    sys.setrecursionlimit(room)
    a, b, c = (bench.file(name, made[name]) for name in "abc")
    bench.good("diff", a, b)
    same(len(differences(bench, a, c)[0]) > 0, True)
    ladder = []
    for _ in range(200):
        ladder = [ladder, ladder]
    bench.good("diff", pickled(bench, "l.pkl", ladder), pickled(bench, "m.pkl", ladder))


@test
def diff_tensors(bench):
    def one(name, dtype, values, shape, stride=None, requires_grad=False):
        form = {"FloatStorage": "f", "DoubleStorage": "d", "LongStorage": "q", "ByteStorage": "B"}[dtype]
        body = struct.pack("<%d%s" % (len(values), form), *values)
        return bench.file(name, archive(dct((text("w"), tensor(storage("0", len(values), dtype), shape, stride, requires_grad=requires_grad))), [("0", body)]))

    a = one("a.pt", "FloatStorage", (0, 1, 2, 3, 4, 5), (2, 3))
    found, summary = differences(bench, a, one("b.pt", "FloatStorage", (0, 1, 2.5, 3, 4, 5.25), (2, 3)))
    same(found, [{"name": "w", "difference": "elements", "numel": 6, "different": 2, "allclose": False,
                  "max_abs": {"difference": 0.5, "at": [0, 2], "a": 2.0, "b": 2.5}, "max_rel": {"difference": 0.2, "at": [0, 2], "a": 2.0, "b": 2.5}}])
    same((summary["tensors_equal"], summary["tensors_different"]), (0, 1))
    same(differences(bench, a, bench.folder / "b.pt", "--rtol=0.2", code=0)[1]["tensors_close"], 1)
    same(differences(bench, a, bench.folder / "b.pt", "--atol=0.5", "--rtol=0", code=0)[0], [])
    differences(bench, a, bench.folder / "b.pt", "--atol=0.49", "--rtol=0")
    same(differences(bench, a, one("t.pt", "FloatStorage", (0, 3, 1, 4, 2, 5), (2, 3), (1, 2)), code=0)[0], [])
    for b, right in ((one("s.pt", "FloatStorage", (0, 1, 2, 3, 4, 5), (3, 2)), {"name": "w", "difference": "shape", "a": [2, 3], "b": [3, 2]}),
                     (one("d.pt", "DoubleStorage", (0, 1, 2, 3, 4, 5), (2, 3)), {"name": "w", "difference": "dtype", "a": "float32", "b": "float64"}),
                     (one("g.pt", "FloatStorage", (0, 1, 2, 3, 4, 5), (2, 3), None, True), {"name": "w", "difference": "requires_grad", "a": "False", "b": "True"}),
                     (pickled(bench, "n.pkl", {"w": 1}), {"name": "w", "difference": "type", "a": "float32 [2, 3]", "b": "1"})):
        same(differences(bench, a, b)[0], [right])
    # Bits count unless told otherwise, and integers are exact.
    found = differences(bench, one("z.pt", "FloatStorage", (0.0, math.nan), (2,)), one("y.pt", "FloatStorage", (-0.0, math.nan), (2,)))[0]
    same((found[0]["different"], found[0]["allclose"], found[0]["max_abs"]["difference"]), (1, True, 0))
    differences(bench, bench.folder / "z.pt", bench.folder / "y.pt", "--atol=0", code=0)
    found = differences(bench, one("i.pt", "LongStorage", (2 ** 53, -2 ** 63), (2,)), one("j.pt", "LongStorage", (2 ** 53 + 1, 2 ** 63 - 1), (2,)))[0]
    same((found[0]["max_abs"]["difference"], found[0]["max_abs"]["a"], found[0]["max_abs"]["b"], found[0]["different"]), (2.0 ** 64, -2 ** 63, 2 ** 63 - 1, 2))
    found = differences(bench, one("o.pt", "FloatStorage", (math.nan, 1), (2,)), one("p.pt", "FloatStorage", (1, 1), (2,)), "--atol=1e300")[0]
    same((found[0]["max_abs"]["difference"], found[0]["allclose"]), ("inf", False))


@test
def diff_in_pieces(bench):
    size = 300000
    values = list(range(size))
    a = bench.file("a.pt", archive(tensor(storage("0", size), (2, 150000)), [("0", floats(*values))]))
    values[size - 7] += 1
    b = bench.file("b.pt", archive(tensor(storage("0", size), (2, 150000), (1, 2)), [("0", floats(*[values[i // 2 + i % 2 * 150000] for i in range(size)]))]))
    found = differences(bench, a, b)[0]
    same((found[0]["different"], found[0]["max_abs"]["at"], found[0]["name"]), (1, [1, 149993], ""))
    assert "(root): 1 of 300000 elements differs, all are close\n    by up to 1 at [1, 149993]: 299993.0 -> 299994.0\n" in bench.run("diff", a, b).stdout.decode()


@test
def diff_selects(bench):
    path = bench.file("sample.pt", sample())
    changed = bench.folder / "changed.pt"
    bench.good("save", "--drop=model.tied", "--rename=epoch=epochs", path, changed)
    same([line["name"] for line in differences(bench, path, changed)[0]], ["model.tied", "epoch", "epochs"])
    same(differences(bench, path, changed, "--select=model.fc", code=0)[1]["tensors_equal"], 2)
    same([line["name"] for line in differences(bench, path, changed, "--drop=epoch*")[0]], ["model.tied"])
    assert "nothing has such a name" in bench.fails(1, "diff", "--drop=none", path, path)


# ---- get

def npy(descr, shape, body, fortran=False):
    """The file that numpy.save() of NumPy 2 makes."""
    header = "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (descr, fortran, shape)
    header += " " * (21 - len(str(shape[-1 if fortran else 0])) if shape else 0)
    header += " " * (64 - (11 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + body


def got(bench, *arguments):
    done = bench.run("get", *arguments)
    same((done.returncode, done.stderr), (0, b""))
    return done.stdout


def cube():
    """Of 3 x 4 x 5, and the same turned round."""
    body = floats(*range(60))
    return archive(dct((text("t"), tensor(storage("0", 60), (3, 4, 5))), (text("turned"), tensor(storage("1", 60), (5, 4, 3), (1, 5, 20)))),
                   [("0", body), ("1", body)])


@test
def get_forms(bench):
    path = bench.file("sample.pt", sample())
    same(got(bench, path, "model.fc.weight"), b"tensor([[0., 1., 2.],\n        [3., 4., 5.]])\n")
    same(got(bench, "--raw", path, "model.view"), floats(3, 4, 5))
    same(got(bench, "--npy", path, "model.fc.weight"), npy("<f4", (2, 3), floats(0, 1, 2, 3, 4, 5)))
    same(got(bench, "--text", path, "model.fc.weight"), b"0.0 1.0 2.0\n3.0 4.0 5.0\n")
    same(json.loads(got(bench, "--json", path, "model.fc.weight")), {"dtype": "float32", "shape": [2, 3], "data": [[0, 1, 2], [3, 4, 5]]})
    same(got(bench, path, "epoch", "--json"), b"7\n")
    same(json.loads(got(bench, path, "--json"))["model"]["fc.bias"]["data"], [0.5, -0.5])
    same(got(bench, path, "model.fc.bias", "--cast=int8", "--raw", "--slice=-1"), b"\0")
    same(got(bench, path, "model.fc.bias", "--cast=float64", "--npy"), npy("<f8", (2,), struct.pack("<2d", 0.5, -0.5)))
    with open(path, "rb") as stream:
        same(bench.run("get", "--raw", "-", "model.fc.bias", stdin=stream).stdout, floats(0.5, -0.5))


@test
def get_slices(bench):
    path = bench.file("cube.pt", cube())
    t = [[[float(20 * i + 5 * j + k) for k in range(5)] for j in range(4)] for i in range(3)]
    for slices, right in (("0", t[0]), ("-1,-1,-1", t[2][3][4]), ("::2", t[::2]), ("1:,0", [row[0] for row in t[1:]]), ("...,4", [[c[4] for c in b] for b in t]),
                          ("0,...", t[0]), (" 1 , 2: ", t[1][2:]), ("5:", []), ("-2:-1", t[-2:-1]), ("0:99999999999999999999", t), ("1,1:3,::3", [c[::3] for c in t[1][1:3]]),
                          ("0,", t[0]), (":,:,:", t), ("...", t)):
        found = json.loads(got(bench, "--json", "--slice", slices, path, "t"))
        same(found["data"], right)
        if right != []:
            same(json.loads(got(bench, "--json", bench.file("part.npy", got(bench, "--npy", "--slice", slices, path, "t")))), found)
            flat = re.findall(r"[0-9.]+", json.dumps(right))
            same(got(bench, "--raw", "--slice", slices, path, "t"), floats(*map(float, flat)))
            same(got(bench, "--text", "--slice", slices, path, "t").decode().split(), flat)
    same(got(bench, "--slice=0,1:3,:2", path, "t"), b"tensor([[ 5.,  6.],\n        [10., 11.]])\n")
    for slices, why in (("3", "index 3 is out of bounds for dimension 0 with size 3"), ("0,0,0,0", "too many indices for tensor of dimension 3"),
                        ("::0", "slice step must be positive"), ("::-1", "slice step must be positive"), ("...,...", "single ellipsis"), ("a", "is no slice"),
                        ("1 2", "is no slice"), ("1,,2", "is no slice"), ("1:2:3:4", "is no slice"), ("None", "is no slice"), ("99999999999999999999", "out of bounds")):
        assert why in bench.fails(4, "get", "--slice", slices, path, "t"), slices


@test
def get_npy_orders(bench):
    """As numpy.save(), which keeps the order of Fortran."""
    path = bench.file("cube.pt", cube())
    turned = got(bench, "--npy", path, "turned")
    assert b"'fortran_order': True, 'shape': (5, 4, 3), }" in turned
    same(turned[128:], floats(*range(60)))
    assert b"'fortran_order': False" in got(bench, "--npy", "--slice=::2", path, "turned")
    same(got(bench, "--raw", path, "turned")[:12], floats(0, 20, 40))


@test
def get_other_values(bench):
    values = {"text": "a\u65e5\x1b", "bytes": b"\0\xff", "list": [1, (2.5, None, True)], "keys": {1: "a", None: 0.1, 2.0: 3, True: []}, "nan": math.nan, "big": 2 ** 70,
              "same": [[1]] * 2, "set": {7}, "object": [fractions.Fraction(1, 2)], "bytekey": {b"x": 1}}
    path = bench.file("values.pkl", pickle.dumps(values, 4))
    same(got(bench, "--raw", path, "text").decode(), values["text"])
    same(got(bench, "--raw", path, "bytes"), values["bytes"])
    same(got(bench, path, "bytes"), b"b'\\x00\\xff'\n")
    for key in ("text", "list", "keys", "big", "same"):
        same(json.loads(got(bench, "--json", path, key)), json.loads(json.dumps(values[key])))
    same(json.loads(got(bench, "--json", path, "set")), [7])
    same(json.loads(got(bench, "--json", path, "nan")), "nan")
    for form, key in (("--json", "bytes"), ("--json", "object"), ("--json", "bytekey"), ("--npy", "list"), ("--raw", "list"), ("--slice=0", "list"), ("--cast=int8", "text")):
        bench.fails(4, "get", form, path, key)
    cycle = []
    cycle.append(cycle)
    assert "holds itself" in bench.fails(4, "get", "--json", bench.file("cycle.pkl", pickle.dumps(cycle)))
    ladder = []
    for _ in range(60):
        ladder = [ladder, ladder]
    done = subprocess.Popen([bench.ptio, "get", "--json", bench.file("ladder.pkl", pickle.dumps(ladder))], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    same(len(done.stdout.read(100000)), 100000)
    done.stdout.close()
    same((done.wait(timeout=60), done.stderr.read()), (3, b""))
    done.stderr.close()
    assert "nothing" in bench.fails(1, "get", path, "none")


@test
def get_arrays(bench):
    """NumPy's arrays too, of dtypes that PyTorch has and of others."""
    for descr, body in (("<f4", floats(1, 2)), (">i4", struct.pack(">2i", 1, 2)), ("<U1", "a\u65e5".encode("utf-32-le")), ("|S2", b"abcd"), ("<M8[s]", bytes(16)), ("|b1", b"\1\0")):
        made = npy(descr, (2,), body)
        path = bench.file("a.npy", made)
        same(got(bench, "--npy", path), made)
        same(got(bench, "--raw", path), body)
    for descr, form in ((">u2", ">6H"), ("<U1", "<6I")):
        made = npy(descr, (2, 1, 3), struct.pack(form, *range(65, 71)), True)
        path = bench.file("f.npy", made)
        same(got(bench, "--npy", path), made)
        same(got(bench, "--raw", path), struct.pack(form, 65, 67, 69, 66, 68, 70))


@test
def get_to_file(bench):
    """All or nothing; one form; bytes of a file without elements are refused with the reason."""
    path, out = bench.file("sample.pt", sample()), bench.folder / "out"
    same(got(bench, "--raw", "-o", out, path, "model.fc.bias"), b"")
    same(out.read_bytes(), floats(0.5, -0.5))
    same(got(bench, "--json", "--output=%s" % out, path, "epoch"), b"")
    same(out.read_bytes(), b"7\n")
    bench.fails(4, "get", "--npy", "-o", out, path, "epoch")
    same(out.read_bytes(), b"7\n")
    same(got(bench, "--raw", "-o", "-", path, "model.fc.bias"), floats(0.5, -0.5))
    bench.fails(4, "get", "--raw", "--npy", path, "model.fc.bias")
    bench.fails(4, "get", "-o")
    bench.fails(4, "get", "--cast=float31", path, "model.fc.bias")
    bench.fails(3, "get", "--raw", "-o", bench.folder / "no" / "out", path, "model.fc.bias")
    same(sorted(p.name for p in bench.folder.iterdir()), ["out", "sample.pt"])
    half = bench.file("half.pt", archive(tensor(storage("0", 2, "BFloat16Storage"), (2,)), [("0", b"\x80\x3f\0\0")]))
    assert "NumPy has no dtype bfloat16" in bench.fails(4, "get", "--npy", half)
    same(got(bench, "--cast=float32", "--npy", half), npy("<f4", (2,), floats(1, 0)))
    same(got(bench, "--raw", half), b"\x80\x3f\0\0")


# ---- stats

def stats(bench, *arguments):
    return [json.loads(line) for line in bench.good("stats", "--json", *arguments).splitlines()]


@test
def stats_json(bench):
    path = bench.file("sample.pt", sample())
    lines = stats(bench, path)
    same([line["name"] for line in lines], ["model.fc.weight", "model.tied", "model.view", "model.fc.bias"])
    same(lines[0], {"path": ["model", "fc.weight"], "name": "model.fc.weight", "dtype": "float32", "shape": [2, 3], "min": 0.0, "max": 5.0, "mean": 2.5,
                    "std": math.sqrt(3.5), "nan": 0, "inf": 0, "zeros": 1})
    same({**lines[1], "path": 0, "name": 0}, {**lines[0], "path": 0, "name": 0})
    same([line["name"] for line in stats(bench, path, "model")], ["fc.weight", "tied", "view", "fc.bias"])
    same([line["name"] for line in stats(bench, "--select=*weight", "--select=*bias", path)], ["model.fc.weight", "model.fc.bias"])
    same([line["name"] for line in stats(bench, "--select=model.fc", path)], ["model.fc.weight", "model.fc.bias"])
    same([line["name"] for line in stats(bench, "--drop=model.fc", "--select", "model", path)], ["model.tied", "model.view"])
    assert "--select none: nothing has such a name" in bench.fails(1, "stats", "--select", "none", path)
    same(stats(bench, path, "epoch"), [])


@test
def stats_of_odd_numbers(bench):
    """As PyTorch has it, a NaN is in everything; --finite leaves out what is not finite."""
    for values, expected, finite in (((1, math.nan, math.inf, 0, -0.0), ("nan", "nan", "nan", "nan", 1, 1, 2), (0, 1, 1 / 3, math.sqrt(1 / 3), 1, 1, 2)),
                                     ((1, math.inf, 2), (1, "inf", "inf", "nan", 0, 1, 0), (1, 2, 1.5, math.sqrt(0.5), 0, 1, 0)),
                                     ((-math.inf, math.inf), ("-inf", "inf", "nan", "nan", 0, 2, 0), (None, None, "nan", "nan", 0, 2, 0)),
                                     ((math.inf, math.inf), ("inf", "inf", "inf", "nan", 0, 2, 0), (None, None, "nan", "nan", 0, 2, 0)),
                                     ((-2.5,), (-2.5, -2.5, -2.5, "nan", 0, 0, 0), (-2.5, -2.5, -2.5, "nan", 0, 0, 0)),
                                     ((), (None, None, "nan", "nan", 0, 0, 0), (None, None, "nan", "nan", 0, 0, 0))):
        path = bench.file("odd.pt", archive(tensor(storage("0", len(values)), (len(values),)), [("0", floats(*values))]))
        for options, right in (((), expected), (("--finite",), finite)):
            line = stats(bench, *options, path)[0]
            found = [line[key] for key in ("min", "max", "mean", "std", "nan", "inf", "zeros")]
            assert all(f == r or isinstance(r, float) and isinstance(f, float) and math.isclose(f, r, rel_tol=1e-12) for f, r in zip(found, right)), (found, right)


@test
def stats_in_pieces(bench):
    """More than a piece holds, in every order; far from zero, where sums of squares lose everything."""
    shape, size = (3, 7, 50000), 1050000
    body = struct.pack("<%dd" % size, *(1e9 + i % 1000 / 1000 for i in range(size)))
    for dims, strides in ((shape, None), (shape[::-1], (1, 50000, 350000)), ((7, 50000, 3), (50000, 1, 350000)), ((size,), None)):
        path = bench.file("big.pt", archive(tensor(storage("0", size, "DoubleStorage"), dims, strides), [("0", body)]))
        line = stats(bench, path)[0]
        same((line["min"], line["max"], line["zeros"]), (1e9, 1e9 + 0.999, 0))
        assert math.isclose(line["mean"], 1e9 + 0.4995, rel_tol=1e-15), line
        assert math.isclose(line["std"], math.sqrt((1000 ** 2 - 1) / 12) / 1000, rel_tol=1e-5), line


@test
def stats_costs_no_memory(bench):
    """One number that is shown a million million times is refused, as a copy of it would be."""
    huge = tensor(storage("0", 1), (1000000, 1000000), (0, 0))
    path = bench.file("huge.pt", archive(huge, [("0", floats(1))]))
    assert "expand_factor" in bench.fails(5, "stats", path)
    wide = bench.file("wide.pt", archive(tensor(storage("0", 1), (1000, 2000), (0, 0)), [("0", floats(1))]))
    same(stats(bench, "--limit=expand_factor=2000000", wide)[0]["mean"], 1.0)


@test
def stats_table(bench):
    lines = bench.good("stats", bench.file("sample.pt", sample())).splitlines()
    same(lines[0].split(), ["name", "min", "max", "mean", "std", "zeros", "nan", "inf"])
    same(lines[1].split(), ["model.fc.weight", "0", "5", "2.5", "1.871", "1", "0", "0"])
    same(lines[-1], "4 tensors")
    assert all(len(line) <= 80 for line in lines)


# ---- save and new

def names(bench, path):
    return [json.loads(line)["name"] for line in bench.good("ls", "--json", path).splitlines()]


def state_dict(*keys, metadata=()):
    """An OrderedDict of tensors of two floats, each with its own storage, with the notes of modules."""
    value = glob("collections", "OrderedDict") + b")R(" + b"".join(text(key) + tensor(storage(str(i), 2), (2,)) for i, key in enumerate(keys)) + b"u"
    if metadata:
        notes = glob("collections", "OrderedDict") + b")R(" + b"".join(text(m) + dct((text("version"), integer(i))) for i, m in enumerate(metadata)) + b"u"
        value += dct((text("_metadata"), notes)) + b"b"
    return archive(value, [(str(i), floats(i, i + 0.5)) for i in range(len(keys))])


def metadata(bench, path):
    """[(module, version)] of the notes of modules."""
    found = bench.tree(path)["attrs"]["v"][0][1]["v"]
    return [(key["v"], int(value["v"][0][1]["v"])) for key, value in found]


@test
def save_again(bench):
    path, out = bench.file("sample.pt", sample()), bench.folder / "out.pt"
    same(bench.good("save", path, out), "")
    tree = lambda p: bench.good("tree", "--json", p)
    same(tree(out), tree(path))
    same(bench.run("save", path, "-").stdout[:4], b"PK\x03\x04")
    with open(path, "rb") as stream:
        done = bench.run("save", "--root=out", "-", "-", stdin=stream)
    same(done.stdout, out.read_bytes())
    again = bench.folder / "again.pt"
    bench.good("save", "--legacy", path, again)
    assert not again.read_bytes().startswith(b"PK")
    same(tree(again), tree(path))
    bench.good("save", "--profile=keep", again, bench.folder / "kept.pt")
    same((bench.folder / "kept.pt").read_bytes(), again.read_bytes())


@test
def save_selects_and_drops(bench):
    path, out = bench.file("sample.pt", sample()), bench.folder / "out.pt"
    for options, left in ((("--drop=*bias",), ["model.fc.weight", "model.tied", "model.view"]), (("--select=model.fc.*",), ["model.fc.weight", "model.fc.bias"]),
                          (("--select=model", "--drop=*[td]"), ["model.view", "model.fc.bias"]), (("--select", "*view"), ["model.view"]), (("--drop=model",), [])):
        bench.good("save", *options, path, out)
        same(names(bench, out), left)
    same(bench.good("show", out), "{'epoch': 7}\n")
    for options in (("--drop", "fc*"), ("--select", "epoch", "--drop", "nothing"), ("--cast", "float16:epoch"), ("--rename", "epoc=x"), ("--strip-prefix", "module.")):
        said = bench.fails(1, "save", *options, path, bench.folder / "none.pt")
        assert options[-1] in said, said
    assert not (bench.folder / "none.pt").exists()


@test
def save_renames(bench):
    path, out = bench.file("sd.pt", state_dict("module.a.weight", "module.a.bias", "module.ab.weight", "x", metadata=("", "module", "module.a", "module.a.act", "module.ab"))), bench.folder / "out.pt"
    bench.good("save", "--rename=module.a=b", path, out)
    same(names(bench, out), ["b.weight", "b.bias", "module.ab.weight", "x"])
    same(metadata(bench, out), [("", 0), ("module", 1), ("b", 2), ("b.act", 3), ("module.ab", 4)])
    bench.good("save", "--strip-prefix=module.", path, out)
    same(names(bench, out), ["x", "a.weight", "a.bias", "ab.weight"])
    same(metadata(bench, out), [("", 1), ("a", 2), ("a.act", 3), ("ab", 4)])
    bench.good("save", "--drop=module.a.*", path, out)
    same(metadata(bench, out), [("", 0), ("module", 1), ("module.ab", 4)])
    bench.good("save", "--rename-regex", r"([a-z]+)\.(weight|bias)$=\2_\1\\", "--rename", "x=y", path, out)
    same(names(bench, out), ["module.weight_a\\", "module.bias_a\\", "module.weight_ab\\", "y"])
    bench.good("save", "--rename", "x=y", "--rename", "y=z.z", path, out)
    same(names(bench, out)[3], "z.z")
    swapped = bench.folder / "swapped.pt"
    bench.good("save", "--rename-regex", "^x$=t", "--rename=module.a.bias=x", "--rename=t=module.a.bias", path, swapped)
    same(names(bench, swapped), ["module.a.weight", "x", "module.ab.weight", "module.a.bias"])
    for wrong in ("--rename=x=module.a.bias", "--rename-regex=weight$=bias", "--strip-prefix=module", "--rename=x=", "--rename=x", "--rename==x", "--rename-regex=(=x",
                  r"--rename-regex=a=\1", r"--rename-regex=a=\n"):
        bench.fails(4, "save", wrong, path, bench.folder / "none.pt")
    nested = bench.file("sample.pt", sample())
    bench.good("save", "--rename=model=net", "--rename=net.fc=net.layer", nested, out)
    same(names(bench, out), ["net.layer.weight", "net.tied", "net.view", "net.layer.bias"])
    assert "outside of the dict" in bench.fails(4, "save", "--rename=model.view=view", nested, out)
    dotted = bench.file("dotted.pt", state_dict(".x", "a.b"))
    bench.good("save", "--rename-regex=x=y", dotted, out)
    same(names(bench, out), [".y", "a.b"])
    assert "begins with a dot" in bench.fails(4, "save", "--rename-regex=^a=", dotted, bench.folder / "none.pt")
    assert not (bench.folder / "none.pt").exists()


@test
def save_casts(bench):
    path, out = bench.file("sample.pt", sample()), bench.folder / "out.pt"
    bench.good("save", "--cast=half", "--cast=int8:*view", path, out)
    lines = [json.loads(line) for line in bench.good("ls", "--json", out).splitlines()]
    same([(line["dtype"], line["storage"]) for line in lines], [("float16", 0), ("float16", 0), ("int8", 1), ("float16", 2)])
    same([line["requires_grad"] for line in lines], [False, False, False, True])
    same(bench.good("show", out, "model.view"), "tensor([3, 4, 5], dtype=torch.int8)\n")
    for wrong in ("--cast=int8", "--cast=float99", "--cast=", "--cast=qint8:*"):
        bench.fails(4, "save", wrong, path, bench.folder / "none.pt")
    assert not (bench.folder / "none.pt").exists()


@test
def save_compact(bench):
    whole = archive(lst(put(1, tensor(put(2, storage("0", 9)), (2,), offset=3)), tensor(get(2), (2,), stride=(2,), offset=4)), [("0", floats(*range(9)))])
    path, out = bench.file("views.pt", whole), bench.folder / "out.pt"
    bench.good("save", "--compact", path, out)
    same(bench.good("show", out), "[tensor([3., 4.]), tensor([4., 6.])]\n")
    same(json.loads(bench.good("info", "--json", out))["storage_bytes"], 16)
    damaged = bench.file("damaged.pt", whole.replace(floats(1), floats(7)))
    assert "damaged.pt" in bench.fails(2, "save", "--compact", damaged, bench.folder / "none.pt")
    assert not (bench.folder / "none.pt").exists()


@test
def save_data_only(bench):
    item, out = tensor(storage("0", 1), (1,)), bench.folder / "out.pt"
    fc = glob("torch.nn.modules.linear", "Linear") + b")\x81" + dct((text("training"), b"\x88"), (text("_parameters"), dct((text("weight"), item))),
                                                                  (text("_buffers"), b"}"), (text("_modules"), b"}")) + b"b"
    net = glob("__main__", "Net") + b")\x81" + dct((text("_parameters"), b"}"), (text("_buffers"), b"}"), (text("_modules"), dct((text("fc"), fc)))) + b"b"
    other = glob("argparse", "Namespace") + b")\x81" + dct((text("lr"), integer(1))) + b"b"
    path = bench.file("mixed.pt", archive(dct((text("net"), net), (text("args"), other), (text("f"), glob("os", "system")), (text("l"), lst(other, integer(5)))), [("0", floats(2))]))
    done = bench.run("save", "--data-only", path, out)
    same(done.returncode, 0)
    said = done.stderr.decode().replace(str(path), "mixed.pt").splitlines()
    same(said, ["ptio: mixed.pt: now its state_dict: net (__main__.Net)", "ptio: mixed.pt: left out: args (argparse.Namespace)", "ptio: mixed.pt: left out: f (os.system)",
                "ptio: mixed.pt: left out: l.0 (argparse.Namespace)"])
    same(bench.good("show", "--python=3.12", out), "{'net': OrderedDict({'fc.weight': tensor([2.])}), 'l': [None, 5]}\n")
    same(bench.good("get", out, "net._metadata", "--python=3.12"), "OrderedDict({'': {'version': 1}, 'fc': {'version': 1}})\n")
    bench.good("check", out)
    done = bench.run("save", "--data-only", "--select=net*", "--rename=net.fc=net.x", path, out)
    same((done.returncode, len(done.stderr.splitlines())), (0, 1))
    same(bench.good("get", out, "net._metadata", "--python=3.12"), "OrderedDict({'': {'version': 1}, 'x': {'version': 1}})\n")
    same(names(bench, out), ["net.x.weight"])
    bench.fails(2, "save", "--data-only", bench.file("object.pkl", b"\x80\x02" + other + b"."), bench.folder / "none.pt")
    norm = glob("torch.nn.modules.batchnorm", "BatchNorm1d") + b")\x81" + dct((text("_parameters"), b"}"), (text("_buffers"), b"}"), (text("_modules"), b"}")) + b"b"
    same(bench.run("save", "--data-only", bench.file("norm.pkl", b"\x80\x02" + norm + b"."), out).returncode, 0)
    same(bench.good("get", out, "_metadata", "--python=3.12"), "OrderedDict({'': {'version': 2}})\n")
    module = bench.file("module.pt", archive(net, [("0", floats(2))]))
    assert "--data-only" in bench.fails(1, "save", "--drop=fc.*", module, bench.folder / "none.pt")
    same(bench.run("save", "--data-only", "--strip-prefix=fc.", module, out).returncode, 0)
    same(names(bench, out), ["weight"])


@test
def save_adds(bench):
    path, other, out = bench.file("sample.pt", sample()), bench.file("more:x=1.pt", state_dict("a.x", "a.y", "b")), bench.folder / "out.pt"
    bench.good("save", "--add", other, path, out)
    same(names(bench, out)[4:], ["a.x", "a.y", "b"])
    bench.good("save", "--add", "%s:a*" % other, "--add", "model=%s:b" % other, path, out)
    same(names(bench, out)[4:], ["model.b", "a.x", "a.y"])
    same(bench.good("show", out, "model.b"), "tensor([2.0000, 2.5000])\n")
    bench.good("save", "--drop=b", "--add", other, bench.file("b.pt", state_dict("b")), out)
    same(names(bench, out), ["a.x", "a.y", "b"])
    bench.fails(4, "save", "--add", "%s:b" % other, bench.folder / "b.pt", bench.folder / "none.pt")
    bench.fails(1, "save", "--add", "%s:nothing" % other, path, bench.folder / "none.pt")
    bench.fails(1, "save", "--add", "epoch=%s" % other, path, bench.folder / "none.pt")
    bench.fails(1, "save", "--add", "nowhere=%s" % other, path, bench.folder / "none.pt")
    assert "left out" in bench.fails(4, "save", "--drop=model", "--add", "model=%s" % other, path, bench.folder / "none.pt")
    bench.good("save", "--offset=3", "--add", other, bench.file("behind.pkl", b"..." + pickle.dumps({"epoch": 1}, 2)), out)
    assert "'epoch': 1, 'a" in bench.good("show", out)
    bench.fails(3, "save", "--add", bench.folder / "missing.pt", path, bench.folder / "none.pt")
    bench.fails(2, "save", "--add", bench.file("bad.pkl", b"\x80\x02K"), path, bench.folder / "none.pt")
    assert not (bench.folder / "none.pt").exists()


@test
def save_in_place(bench):
    body = sample()
    path = bench.file("sample.pt", body)
    listed = bench.good("save", "--dry-run", "--drop=model.view", "--rename=epoch=step", "--cast=bfloat16:*bias", "--in-place", path)
    same(path.read_bytes(), body)
    same(listed.splitlines()[:3], ["drop    model.view", "cast    model.fc.bias  float32 -> bfloat16", "rename  epoch -> step"])
    assert re.fullmatch(r"\d+ bytes would be written", listed.splitlines()[3])
    same(sorted(p.name for p in bench.folder.iterdir()), ["sample.pt"])
    bench.good("save", "--in-place", "--backup", "--drop=model.view", path)
    same((bench.folder / "sample.pt.bak").read_bytes(), body)
    same(names(bench, path), ["model.fc.weight", "model.tied", "model.fc.bias"])
    same(int(bench.good("save", "--dry-run", path).split()[0]), len(bench.run("save", path, "-").stdout))
    array = bench.file("a.npy", npy("<f4", (1,), floats(1)))
    assert "npy" in bench.fails(4, "save", "--in-place", array)
    assert "standard output has no old file" in bench.fails(4, "save", "--backup", path, "-")
    assert array.read_bytes().startswith(b"\x93NUMPY")
    bench.good("save", "--rename-regex=^epoch$=a=b", path, bench.folder / "odd.pt")
    bench.good("save", "--in-place", r"--rename=a\=b=c", bench.folder / "odd.pt")
    assert "'c'" in bench.good("show", bench.folder / "odd.pt")
    assert "epoch: would have no name" in bench.fails(4, "save", "--rename=epoch=", path, bench.folder / "none.pt")
    for wrong in ((path, "out.pt"), ("-",), ()):
        bench.fails(4, "save", "--in-place", *wrong)
    bench.fails(4, "save", path)
    bench.fails(4, "save", "--profile=keep", "--cast=half", path, "out.pt")
    bench.fails(4, "save", *(["--drop=x"] * 65), path, bench.folder / "out.pt")
    kept = bench.folder / "kept.pt"
    bench.good("save", "--profile=keep", "--drop=model.tied", "--rename=epoch=step", path, kept)
    same(names(bench, kept), ["model.fc.weight", "model.fc.bias"])


@test
def save_dry_run(bench):
    """What is told is what happens: the bytes to one, the failure in the same words."""
    path = bench.file("sample.pt", sample())
    for options in ((), ("--legacy",), ("--profile=1.6",), ("--align=4096",), ("--cast=float64",), ("--root=x",), ("--profile=keep",)):
        for name in ("a.pt", "a_longer_name_of_a_file.pt"):
            out = bench.folder / name
            told = bench.good("save", "--dry-run", *options, path, out)
            assert not out.exists()
            bench.good("save", *options, path, out)
            same(int(told.splitlines()[-1].split()[0]), out.stat().st_size)
            out.unlink()
    for release, same_as in (("2.13", "2.7"), ("2.6", "2.1"), ("2.0", "1.13"), ("1.12", "1.10"), ("1.9", "1.6")):
        same(bench.run("save", "--profile", release, path, "-").stdout, bench.run("save", "--profile", same_as, path, "-").stdout)
    for wrong in ("1.5", "0.4", "3.0", "2", "2.", "2.x", "2.1.2", "", "kept"):
        bench.fails(4, "save", "--profile", wrong, path, "-")
    told = bench.good("new", "--dry-run", "--profile=1.13", bench.folder / "new.pt", "w=%s:model.fc.weight" % path)
    bench.good("new", "--profile=1.13", bench.folder / "new.pt", "w=%s:model.fc.weight" % path)
    same(told, "%d bytes would be written\n" % (bench.folder / "new.pt").stat().st_size)
    bench.fails(4, "new", "--profile=keep", bench.folder / "new.pt", "w=%s:model.fc.weight" % path)
    for form, options in (("--legacy", ("--align=8", "--no-crc", "--root=x")), ("--profile=keep", ("--align=8", "--no-crc", "--root=x", "--legacy", "--protocol=3", "--endian=big"))):
        for option in options:
            assert form.replace("=", " ") in bench.fails(4, "save", form, option, path, bench.folder / "none.pt"), (form, option)
    assert "--align" in bench.fails(4, "new", "--legacy", "--align=8", bench.folder / "none.pt", "w=%s:model.fc.weight" % path)
    for code, out in ((3, bench.folder / "nowhere" / "a.pt"), (4, bench.folder / ".pt"), (4, bench.folder)):
        same(bench.fails(code, "save", "--dry-run", path, out), bench.fails(code, "save", path, out))


@test
def save_where_it_fails(bench):
    """Standard output is called so, and a limit on the size of files leaves nothing behind."""
    path = bench.file("sample.pt", sample())
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([bench.ptio, "save", path, "-"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
        same((done.returncode, done.stderr), (3, b"ptio: standard output: writing failed: No space left on device\n"))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    done = subprocess.run([bench.ptio, "save", path, bench.folder / "out.pt"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limit)
    same(done.returncode, 3)
    same([p.name for p in bench.folder.iterdir()], ["sample.pt"])


@test
def save_many(bench):
    """Each change of 20,000 entries is linear."""
    count = int(20000 * SHARE)
    value = dct(*((text("module.layer%d.weight" % i), integer(i)) for i in range(count)))
    path, out = bench.file("many.pt", archive(value)), bench.folder / "out.pt"
    start = time.time()
    bench.good("save", "--drop=*7.weight", "--strip-prefix=module.", "--rename-regex=^layer([0-9]+)=l\\1", path, out)
    assert time.time() - start < 10
    same(len(bench.tree(out)["v"]), count - sum(i % 10 == 7 for i in range(count)))


@test
def save_hostile_names(bench):
    """No byte of a name reaches the terminal as it is; names with NULs are names."""
    pairs = [(text(name), integer(i)) for i, name in enumerate(HOSTILE)]
    objects = [(text("\x1b[31m"), glob("\x1b]0;owned\x07", "\u202e") + b")\x81")]
    path, out = bench.file("hostile.pt", archive(dct(*pairs, *objects))), bench.folder / "out.pt"
    for options in (("--drop=*",), ("--rename-regex=^=x",), ("--data-only",), ("--rename-regex=.*=x",), ("--drop=\x1b[31m",), ("--drop", "\\x00")):
        done = bench.run("save", "--dry-run", "--protocol=4", *options, path, out)
        output = (done.stdout + done.stderr).decode("utf-8")
        bad = [c for c in output if c != "\n" and (unicodedata.category(c)[0] == "C" or c in "\u2028\u2029")]
        assert not bad, (options, bad)
        assert done.returncode in (0, 1, 4), (options, done)
    assert "can't pickle global identifier '\\u202e' using pickle protocol 2" in bench.fails(2, "save", path, out)


@test
def save_shared_and_cyclic(bench):
    """A container has the name of its first place; one that holds itself is walked once."""
    shared = put(1, dct((text("x"), integer(1)), (text("y"), integer(2))))
    loop = put(2, b"}") + text("me") + get(2) + b"s" + text("z") + integer(3) + b"s"
    path, out = bench.file("shared.pt", archive(dct((text("a"), shared), (text("b"), get(1)), (text("loop"), loop)))), bench.folder / "out.pt"
    bench.good("save", "--drop=a.x", path, out)
    same(bench.good("show", out), "{'a': {'y': 2}, 'b': {'y': 2}, 'loop': {'me': {...}, 'z': 3}}\n")
    bench.fails(1, "save", "--drop=b.x", path, out)
    bench.good("save", "--drop=a", "--select=b", path, out)
    same(bench.good("show", out), "{'b': {'x': 1, 'y': 2}}\n")
    bench.good("save", "--rename=loop=l", path, out)
    same(bench.good("show", out, "l"), "{'me': {...}, 'z': 3}\n")
    levels = max(5000, int(100000 * SHARE))
    deep = bench.file("deep.pkl", b"\x80\x02" + b"}U\x01k" * levels + b"}" + b"s" * levels + b".")
    bench.good("save", "--drop=k.k.k.k", "--limit=heap_per_byte=1000", deep, out)
    same(bench.good("show", out), "{'k': {'k': {'k': {}}}}\n")
    assert "more than 4096 bytes" in bench.fails(5, "save", "--data-only", "--limit=heap_per_byte=1000", deep, out)
    same(bench.good("show", out), "{'k': {'k': {'k': {}}}}\n")


@test
def save_globs(bench):
    """Those of the shell, over characters, not bytes."""
    names = ("a.b", "ab", "\u65e5\u672c", "\u00e9", "a*", "[x", "7")
    path, out = bench.file("globs.pt", archive(dct(*((text(name), integer(i)) for i, name in enumerate(names))))), bench.folder / "out.pt"
    for glob, found in (("*", names), ("?", ("\u00e9", "7")), ("??", ("ab", "\u65e5\u672c", "a*", "[x")), ("a?b", ("a.b",)), ("*b", ("a.b", "ab")),
                        ("[\u65e5\u6708]?", ("\u65e5\u672c",)), ("[!a-z0-9]", ("\u00e9",)), ("[\u00e0-\u00ff]", ("\u00e9",)), ("a\\*", ("a*",)), ("[[]x", ("[x",)),
                        ("[x", ("[x",)), ("[[:digit:]]", ("7",)), ("a*.*b*", ("a.b",))):
        bench.good("save", "--select", glob, path, out)
        same(json.loads(bench.good("get", "--json", out)), {name: names.index(name) for name in found})


@test
def save_long_names(bench):
    """A key may have any length: it is cast, found and renamed as any other."""
    long, out = "L" * 70000, bench.folder / "out.pt"
    path = bench.file("long.pt", archive(dct((text(long), tensor(storage("0", 2), (2,))), (text("s"), tensor(storage("1", 1), (1,)))), [("0", floats(1, 2)), ("1", floats(3))]))
    bench.good("save", "--cast=float64", path, out)
    same([json.loads(line)["dtype"] for line in bench.good("ls", "--json", out).splitlines()], ["float64"] * 2)
    bench.good("save", "--drop=L*", path, out)
    same(bench.good("show", out), "{'s': tensor([3.])}\n")
    bench.good("save", "--select=*L", "--rename=%s=l" % long, path, out)
    same(bench.good("show", out), "{'l': tensor([1., 2.])}\n")


@test
def save_interrupted(bench):
    """The target is the old file or the new one, and no temporary file stays."""
    path = bench.file("wide.pt", archive(tensor(storage("0", 1), (1 << 25,), stride=(0,)), [("0", floats(1))]))
    out = bench.file("out.pt", b"old")
    with subprocess.Popen([bench.ptio, "save", "--cast=float64", "--limit=expand_factor=100000000", "--no-sync", path, out], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as process:
        while process.poll() is None and len(list(bench.folder.iterdir())) == 2:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        code, said = process.wait(timeout=60), process.stderr.read()
    same((code, said, out.stat().st_size > 3), (130, b"", False) if code else (0, b"", True))
    same(sorted(p.name for p in bench.folder.iterdir()), ["out.pt", "wide.pt"])


@test
def new(bench):
    out = bench.folder / "new.pt"
    little, big = bench.file("a.npy", npy("<f4", (2, 2), floats(1, 2, 3, 4))), bench.file("b.npy", npy(">i2", (2,), b"\x00\x01\xff\xff"))
    path = bench.file("sample.pt", sample())
    bench.good("new", out, "fc.weight=%s" % little, "n=%s" % big, "bias=%s:model.fc.bias" % path)
    same(bench.good("show", out), "{'fc.weight': tensor([[1., 2.],\n        [3., 4.]]), 'n': tensor([ 1, -1], dtype=torch.int16), 'bias': tensor([ 0.5000, -0.5000])}\n")
    bench.good("check", out)
    same(bench.run("new", "--legacy", "-", "w=%s" % little).stdout[:2], b"\x80\x02")
    # As torch.from_numpy(np.load(file).astype(native)): the order of the elements stays.
    fortran = [bench.file("%s.npy" % order, npy(dtype, (2, 3), struct.pack(form, 1, 4, 2, 5, 3, 6), True)) for order, dtype, form in (("little", "<u2", "<6H"), ("big", ">u2", ">6H"))]
    bench.good("new", out, *("%s=%s" % (path.stem, path) for path in fortran))
    same([(t["stride"], t["dtype"], t["sha256"]) for t in map(json.loads, bench.good("ls", "--json", "--hash", out).splitlines())],
         [([1, 2], "uint16", hashlib.sha256(struct.pack("<6H", *range(1, 7))).hexdigest())] * 2)
    bench.good("new", out, "x=-", input=npy("<f4", (2,), floats(1, 2)))
    same(bench.good("show", out), "{'x': tensor([1., 2.])}\n")
    bench.good("new", out, "x=-:model.fc.bias", input=sample())
    same(bench.good("show", out), "{'x': tensor([ 0.5000, -0.5000])}\n")
    assert "standard input" in bench.fails(2, "new", out, "x=-", input=b"")
    for code, arguments in ((4, ()), (4, (out,)), (4, (out, "nothing")), (4, (out, "=a.npy")), (4, (out, "w=")), (3, (out, "w=missing.npy")), (4, (out, "w=%s" % path)),
                            (1, (out, "w=%s:nowhere" % path)), (4, (out, "w=%s" % little, "w=%s" % big)),
                            (2, (out, "w=%s" % bench.file("u.npy", npy("<U1", (1,), b"a\x00\x00\x00"))))):
        bench.fails(code, "new", *arguments)


# ---- errors, options, surroundings

@test
def exit_codes(bench):
    path = bench.file("sample.pt", sample())
    bench.fails(2, "show", bench.file("empty.pt", b""))
    bench.fails(2, "ls", bench.file("bad.pkl", b"\x80\x02K\x01K"))
    bench.fails(3, "ls", bench.folder / "missing.pt")
    bench.fails(4, "ls")
    bench.fails(4, "ls", "--nonsense", path)
    bench.fails(4, "ls", "--json=1", path)
    bench.fails(4, "ls", path, "model", "more")
    bench.fails(4, "info", path, "model")
    bench.fails(4, "show", "--max-depth", path)
    bench.fails(4, "show", "--max-depth", "many", path)
    bench.fails(4, "show", "--limit", "nothing=3", path)
    bench.fails(4, "show", "--encoding", "no-such-code", bench.file("py2.pkl", b"U\x02hi."))
    bench.fails(4, "nonsense", path)
    same(bench.run().returncode, 4)
    bench.fails(5, "show", "--limit", "pickle_bytes=10", path)
    laughs = b"]q\x01" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(1, 40)) + b"."
    bench.fails(5, "show", "--limit=walk_nodes=1000", bench.file("laughs.pkl", laughs))


@test
def error_texts(bench):
    path = bench.file("bad.pkl", b"\x80\x02K\x01\x87.")
    message = bench.fails(2, "show", path)
    assert re.fullmatch(r"ptio: .*bad\.pkl: (.*: )?byte 4: .*TUPLE3.*\n", message), message
    message = bench.fails(3, "show", bench.folder / "\x1b[31m\u202e.pt")
    assert "\x1b" not in message and "\u202e" not in message and "\\x1b[31m\\u202e" in message, message


@test
def help_texts(bench):
    for arguments in ((), *((verb,) for verb in VERBS + SAVING)):
        help_text = bench.good(*arguments, "--help")
        assert all(len(line) <= 80 for line in help_text.splitlines()), help_text
        assert "example:\n  ptio " in help_text, help_text
    for verb in VERBS + SAVING:
        assert "\n  %s " % verb in bench.good("--help")
        same(bench.good(verb, "-h"), bench.good(verb, "--help"))
    assert re.fullmatch(r"ptio \d+\.\d+\.\d+\n", bench.good("--version"))


@test
def standard_input(bench):
    body = sample()
    path = bench.file("sample.pt", body)
    for verb in VERBS:
        from_file = bench.good(verb, path).replace(str(path), "standard input")
        same(bench.good(verb, "-", input=body), from_file)
        with open(path, "rb") as stream:
            same(bench.good(verb, "-", stdin=stream), from_file)
    assert "standard input" in bench.fails(2, "ls", "-", input=b"nonsense")


@test
def option_forms(bench):
    path = bench.file("sample.pt", sample())
    same(bench.good("show", "--max-depth=1", path), bench.good("show", path, "--max-depth", "1"))
    os.rename(path, bench.folder / "--json")
    same(bench.run("ls", "--", "--json", cwd=bench.folder).returncode, 0)
    for option in ("--mmap", "--byte-order=big", "--errors=replace", "--limit=heap_bytes=1000000"):
        bench.good("info", option, "--", bench.folder / "--json")


@test
def offset(bench):
    path = bench.file("later.pkl", b"rubbish" + pickle.dumps([1, 2], 2))
    same(bench.good("show", "--offset", "7", path), "[1, 2]\n")


HOSTILE = ("\x1b[2J", "\x07", "\x9b31m", "\n", "\r", "\u202e", "\u200b", "\ud800", "a\\nb", "\x00", "\u2028")


@test
def hostile_names(bench):
    """No byte of a name reaches the output as it is, whatever the verb."""
    item = put(1, tensor(storage("0", 1), (1,)))
    pairs = [(text(name), item if i == 0 else get(1)) for i, name in enumerate(HOSTILE)]
    classes = [(text("class"), glob("__main__", "\x1b]0;owned\x07") + b")R"), (text("global"), glob("\x1b[1m", "\x1b[7m"))]
    path = bench.file("hostile.pt", archive(dct(*pairs, *classes), [("0", floats(1))]))
    for arguments in (("show",), ("ls",), ("ls", "--json"), ("tree",), ("tree", "--json"), ("tree", "--raw"), ("tree", "--raw", "--json"), ("info",),
                      ("info", "--json"), ("dis",), ("check",), ("check", "--json")):
        done = bench.run(*arguments, path)
        assert done.returncode in (0, 1), (arguments, done)
        output = (done.stdout + done.stderr).decode("utf-8")
        bad = [c for c in output if c != "\n" and (unicodedata.category(c)[0] == "C" or c in "\u2028\u2029")]
        assert not bad, (arguments, bad)
        if "--json" in arguments:
            for line in output.splitlines():
                json.loads(line)
    same(len(bench.good("ls", path).splitlines()), len(HOSTILE) + 3)


@test
def broken_pipe(bench):
    path = bench.file("long.pkl", pickle.dumps(list(range(200000)), 2))
    for verb in ("show", "tree", "dis"):
        with subprocess.Popen([bench.ptio, verb, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(10)
            process.stdout.close()
            said = process.stderr.read()
            process.wait(timeout=60)
        same((process.returncode, said), (3, b""))


@test
def full_disk(bench):
    if not os.path.exists("/dev/full"):
        return
    path = bench.file("sample.pt", sample())
    with open("/dev/full", "wb") as full:
        done = subprocess.run([bench.ptio, "ls", path], stdout=full, stderr=subprocess.PIPE)
    same(done.returncode, 3)
    assert done.stderr.startswith(b"ptio: standard output:"), done.stderr


@test
def interrupted(bench):
    """Waiting for standard input that never ends."""
    with subprocess.Popen([bench.ptio, "ls", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        same(process.wait(timeout=60), 130)


@test
def no_terminal_no_colours(bench):
    path = bench.file("sample.pt", sample())
    for verb in VERBS:
        assert "\x1b" not in bench.good(verb, path)
    assert "\x1b" not in bench.good("tree", "--color=auto", path) + bench.good("tree", "--color=never", path)
    assert "\x1b[36m" in bench.good("tree", "--color=always", path)
    plain = re.sub("\x1b\\[[0-9]+m", "", bench.good("tree", "--color=always", path))
    same(plain, bench.good("tree", path))
    bench.fails(4, "tree", "--color=blue", path)


@test
def terminal(bench):
    """On a terminal: emphasis, and lines of a tree cut at its width."""
    try:
        import fcntl
        import pty
        import termios
    except ImportError:
        return
    path = bench.file("wide.pkl", pickle.dumps({"k" * 200: ["v" * 200]}, 2))

    def on_terminal(*arguments, **env):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        done = subprocess.Popen([bench.ptio, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                                env=dict(os.environ, **env))
        os.close(theirs)
        output = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            output += piece
        os.close(ours)
        same((done.wait(timeout=60), done.stderr.read()), (0, b""))
        done.stderr.close()
        return output.decode("utf-8")

    coloured = on_terminal("tree", str(path))
    assert all(len(re.sub("\x1b\\[[0-9]+m", "", line)) <= 60 for line in coloured.splitlines())
    assert "\x1b[36m" in coloured and coloured.splitlines()[-1].endswith("\x1b[0m")
    same(on_terminal("tree", str(path), NO_COLOR="1"), re.sub("\x1b\\[[0-9]+m", "", coloured))
    same(on_terminal("tree", str(path), TERM="dumb"), on_terminal("tree", "--color=never", str(path)))
    assert "\x1b[1m" in on_terminal("ls", str(path))
    assert "\x1b" not in on_terminal("ls", str(path), NO_COLOR="1")
    path = bench.file("names.pt", archive(dct((text("n" * 50), tensor(storage("0", 2), (2,))), (text("n"), tensor(storage("0", 2), (2,)))), [("0", floats(1, 2))]))
    assert all(len(line) <= 80 for line in on_terminal("stats", str(path), NO_COLOR="1").splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ptio", required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    failures = 0
    names = options.names or list(TESTS)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="ptio-cli-") as folder:
            try:
                TESTS[name](Bench(os.path.abspath(options.ptio), pathlib.Path(folder)))
            except (AssertionError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as problem:
                failures += 1
                print("%s: %s: %s" % (name, type(problem).__name__, str(problem)[:3000]))
    print("%d passed, %d failed" % (len(names) - failures, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
