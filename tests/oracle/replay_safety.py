"""Cases of replay.py: weights_only, what it allows and what it says."""
import collections
import contextlib
import io
import json
import os
import sys
import zlib
import zoneinfo

import torch
from torch.testing._internal.two_tensor import TwoTensor

from replaying import FORMS, Differs, bytes_of, case, need

safe_globals = torch.serialization.safe_globals


# Classes of the program that saves, as files name them.


class Plain:
    def __init__(self):
        self.x, self.y = torch.arange(3), "text"

    def __eq__(self, other):
        return type(self) is type(other) and self.y == other.y and bool((self.x == other.x).all())


class Restored(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state)


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self):
        self.x, self.y = torch.arange(4), [1, 2]


class SlottedToo(Slotted):
    """Slots and attributes."""

    def __init__(self):
        Slotted.__init__(self)
        self.z = "attribute"


class Printing:
    def __reduce__(self):
        return print, ("said while it is loaded",)


class Executing:
    def __reduce__(self):
        return os.execv, ("/bin/sh", ("/bin/sh", "-c", "echo no"))


class Outer:
    class Inner:
        def __init__(self):
            self.x = 5


Point = collections.namedtuple("Point", ["x", "y"])

for one in (Plain, Restored, Slotted, SlottedToo, Printing, Executing, Outer, Point):
    one.__module__ = "__main__"
    setattr(sys.modules["__main__"], one.__name__, one)


def words_of(name):
    return "GLOBAL %s was not an allowed global by default" % name


def refused_then_allowed(bench, value, name, legacy=False):
    """Both refuse the file, naming the class and the call that allows it; with it allowed both take it. Gives PyTorch's value and ptio's tree."""
    path = bench.save(value, legacy)
    bench.both_refuse(path, words_of(name), weights_only=True)
    bench.both_refuse(path, "torch.serialization.add_safe_globals([%s])" % name, weights_only=True)
    found = bench.check(path)
    need(not found["weights_only_loads"] and "add_safe_globals([%s])" % name in found["allow"], found)
    allowed = [getattr(sys.modules["__main__"], name.rpartition(".")[2])] if name.startswith("__main__.") else [TwoTensor]
    before = torch.serialization.get_safe_globals()
    with safe_globals(allowed):
        loaded = torch.load(path, weights_only=True)
    need(set(before) == set(torch.serialization.get_safe_globals()), "PyTorch's list has changed")
    tree = bench.tree(path, "--weights-only", "--allow", name)
    need(bench.check(path, "--allow", name)["weights_only_loads"], "ptio check --allow", name)
    bench.refuses(path, words_of(name), "--weights-only")  # the list of one call is not that of the next
    return path, loaded, tree


@case("weights_only_assert")
def calls_print(bench):
    path = bench.save(Printing())
    bench.both_refuse(path, words_of("print"), weights_only=True)
    bench.both_refuse(path, "Unsupported global: GLOBAL print".partition(": ")[2], weights_only=True)
    with safe_globals([print]):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            need(torch.load(path, weights_only=True) is None and "said while" in said.getvalue(), "PyTorch did not call it")
    output = bench.run("tree", "--json", "--weights-only", "--allow", "print", path)
    need(b'"t":"object"' in output and b"said while" in output, "ptio:", output)
    bench.both_refuse(bench.save(print), words_of("print"), weights_only=True)


@case("weights_only_safe_globals_newobj")
def newobj(bench):
    path, loaded, tree = refused_then_allowed(bench, Point(torch.arange(2), 5), "__main__.Point")
    need(loaded.y == 5 and tree["cls"] == "__main__.Point", loaded, tree)
    bench.same(path, loaded, "--weights-only", "--allow", "__main__.Point")
    # A class inside a class is reached by getattr, and has to be allowed itself.
    path = bench.save(Outer.Inner())
    with safe_globals([getattr, Outer]):
        bench.both_refuse(path, "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got", "--allow", "getattr", "--allow", "__main__.Outer", weights_only=True)
    with safe_globals([getattr, Outer, Outer.Inner]):
        need(torch.load(path, weights_only=True).x == 5, "PyTorch made something else")
    bench.run("tree", "--weights-only", "--allow", "getattr", "--allow", "__main__.Outer", "--allow", "__main__.Outer.Inner", path)


@case("weights_only_safe_globals_build")
def build(bench):
    for value in (Plain(), Restored()):
        name = "__main__." + type(value).__name__
        path, loaded, tree = refused_then_allowed(bench, value, name)
        need(loaded == value, "PyTorch built another object")
        bench.same(path, loaded, "--weights-only", "--allow", name)


@case("weights_only_safe_globals_build_with_slots")
def build_slots(bench):
    for value in (Slotted(), SlottedToo()):
        name = "__main__." + type(value).__name__
        path, loaded, tree = refused_then_allowed(bench, value, name)
        need(loaded.y == [1, 2] and dict((k["v"], v) for k, v in slots_of(tree))["y"]["v"][1]["v"] == "2", json.dumps(tree))


def slots_of(tree):
    slots = tree["slots"]
    return slots["v"] if "v" in slots else [({"v": k}, v) for k, v in slots.items()]


@case("weights_only_safe_globals_blocklist")
def blocked(bench):
    path = bench.save(Executing())
    words = "Trying to load unsupported GLOBAL posix.execv whose module posix is blocked"
    bench.both_refuse(path, words, weights_only=True)
    with safe_globals([os.execv]):
        bench.both_refuse(path, words, "--allow", "posix.execv", weights_only=True)


@case("weights_only_error")
def error_names_all(bench):
    value = TwoTensor(torch.ones(2), torch.zeros(2))
    name = "torch.testing._internal.two_tensor.TwoTensor"
    for legacy in FORMS:
        path = bench.save(value, legacy)
        bench.both_refuse(path, "torch.serialization.add_safe_globals([%s])" % name, weights_only=True)
    path = bench.save(value, pickle_protocol=5)
    bench.both_refuse(path, "Unsupported operand 149", theirs="Please file an issue with the following so that we can make `weights_only=True` compatible with your use case: WeightsUnpickler error: \n\nUnsupported operand 149", weights_only=True)


@case("weights_only_blocked_func_error_msg")
def method(bench):
    path = bench.save(zoneinfo.ZoneInfo("UTC"))
    bench.both_refuse(path, words_of("getattr"), weights_only=True)
    with safe_globals([getattr, zoneinfo.ZoneInfo]):
        for words in ("_unpickle", "zoneinfo.ZoneInfo"):
            bench.both_refuse(path, words, "--allow", "getattr", "--allow", "zoneinfo.ZoneInfo", weights_only=True)
    # What `ptio check` says to allow is enough for both.
    with safe_globals([]):
        exec(bench.check(path)["allow"], {"torch": torch})
        need(torch.load(path, weights_only=True).key == "UTC", "PyTorch made something else")
        torch.serialization.clear_safe_globals()
    bench.run("show", "--weights-only", "--allow", "getattr", "--allow", "zoneinfo.ZoneInfo", "--allow", "zoneinfo.ZoneInfo._unpickle", path)


@case("safe_globals_for_weights_only", "safe_globals_context_manager_weights_only")
def two_tensors(bench, row):
    name = "torch.testing._internal.two_tensor.TwoTensor"
    for legacy in FORMS:
        path, loaded, tree = refused_then_allowed(bench, TwoTensor(torch.randn(2, 3), torch.randn(2, 3)), name, legacy)
        need(type(loaded) is TwoTensor and tree["cls"] == name, json.dumps(tree)[:500])
        told = bench.opened("path", path)
        need([line.split()[2:] for line in told["tensors"]] == [["float32", "2,3", str(zlib.adler32(bytes_of(t)))] for t in (loaded.a, loaded.b)], told, tree)


@case("get_unsafe_globals_in_checkpoint")
def unsafe_globals(bench):
    value = [TwoTensor(torch.ones(2), torch.zeros(2)), Plain(), torch.nn.Parameter(torch.ones(1)), collections.OrderedDict(a=1), torch.arange(2), {1}, torch.float16]
    path = bench.save(value)
    theirs = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    found = [f for f in bench.check(path)["findings"] if f["reason"] == "weights-only.global"]
    need(sorted("%s.%s" % (f["module"], f["name"]) for f in found) == sorted(theirs) and len(theirs) >= 2, theirs, found)
    allowed = ["__main__.Plain"]
    with safe_globals([Plain]):
        fewer = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    found = [f for f in bench.check(path, "--allow", *allowed)["findings"] if f["reason"] == "weights-only.global"]
    need(sorted("%s.%s" % (f["module"], f["name"]) for f in found) == sorted(fewer) != sorted(theirs), fewer, found)
    # With an empty list PyTorch names every global of the file, as `ptio dis` does.
    with Emptied():
        every = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    lines = [line.split(b'"') for line in bench.run("dis", path).splitlines() if b" GLOBAL " in line]
    named = {"%s.%s" % (line[1].decode().replace("__builtin__", "builtins"), line[3].decode()) for line in lines}
    need(named == set(every) and len(every) >= 9, sorted(named ^ set(every)))


class Emptied:
    """The default list of weights_only is empty."""

    def __enter__(self):
        self.module = torch._weights_only_unpickler
        self.before = self.module._get_allowed_globals
        self.module._get_allowed_globals = dict

    def __exit__(self, *_):
        self.module._get_allowed_globals = self.before


@case("serialization_zipfile_actually_jit")
def torchscript(bench):
    path = bench.path()
    torch.jit.script(torch.nn.Linear(3, 2)).save(str(path))
    try:
        torch.load(path, weights_only=True)
        raise Differs("PyTorch takes an archive of TorchScript")
    except RuntimeError as problem:
        words = "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``."
        need(words in str(problem), problem)
    bench.refuses(path, words, "--weights-only")
    need(json.loads(bench.run("info", "--json", path))["container"] == "torchscript", "it is not recognised")
    loaded = torch.load(path, weights_only=False)
    told = bench.opened("path", path)
    need(len(told["tensors"]) == len(list(loaded.parameters())) == 2, told)
