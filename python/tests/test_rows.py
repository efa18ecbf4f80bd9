"""A test for each function of PyTorch's test_serialization.py that is about Python's objects.

docs/pytorch-tests.md has a row for each: those of class B, and of class A+B, whose other part tests/oracle/replay.py does. A test has the name of its
row, and does what the function does by ptio.save() and ptio.load() and by torch.save() and torch.load() on the same input: bytes, objects, exceptions
and warnings are compared. Where a function is run for the archive and the stream, so is its test. Those of subclasses of tensors and of skip_data
are in rows_tensors.py.
"""
import collections
import importlib.util
import io
import pickle
import re
import struct
import sys
import zoneinfo

import dill
import numpy as np
import pytest
import torch
from torch.serialization import safe_globals
from torch.testing._internal.two_tensor import TwoTensor

import conftest
import ptio
from both import both_ways, compare, containers, load, save, told
from rows_tensors import *  # noqa: F401,F403  its tests are run here

pytestmark = pytest.mark.usefixtures("nothing_allowed")
ROWS = {"A+B": 11, "B": 17}


def rows_of_document():
    page = (conftest.SOURCE / "docs" / "pytorch-tests.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([a-z0-9_]+)` \| (A\+B|B) \| [^|]+ \| (?:same|more)", page, re.MULTILINE)


def test_that_every_row_has_its_test():
    rows = rows_of_document()
    assert collections.Counter(kind for _, kind in rows) == ROWS
    tests = [name for name in globals() if name.startswith("test_") and name != "test_that_every_row_has_its_test"]
    assert sorted(tests) == sorted("test_" + name for name, _ in rows)


# ---------------------------------------------------------------------------------------------------------------------
# pickle_module


@containers
def test_pickle_module(options):
    class Throwing(pickle.Unpickler):
        def load(self, *arguments, **keywords):
            raise RuntimeError("this is the caller's own")

    class Module:
        Unpickler, load = Throwing, Throwing.load

    class Asking(pickle.Unpickler):
        def find_class(self, module, name):
            asked.append((module, name))
            return super().find_class(module, name)

    class Listening:
        Unpickler, load = Asking, staticmethod(pickle.load)

    body = save({"x": torch.eye(3), "parameter": torch.nn.Parameter(torch.ones(2)), "point": Point(1, 2)}, **options)
    assert str(load(body, pickle_module=Module, weights_only=False)) == "this is the caller's own"
    lists = []
    for function in (torch.load, ptio.load):
        asked = []
        function(io.BytesIO(body), pickle_module=Listening, weights_only=False)
        lists.append(asked)
    assert lists[0] == lists[1] and lists[0]
    load(body, pickle_module=Listening, weights_only=False)


@containers
def test_serialization_dill(options):
    body = save(torch.arange(25.0).reshape(5, 5), pickle_module=dill, **options)
    load(body, pickle_module=dill, encoding="utf-8", weights_only=False)
    load(body, pickle_module=dill, weights_only=False)
    # What only dill can.
    body = save({"x": torch.ones(2), "f": eval("lambda x: x + 1")}, pickle_module=dill, **options)
    assert ptio.load(io.BytesIO(body), pickle_module=dill, weights_only=False)["f"](1) == 2


# ---------------------------------------------------------------------------------------------------------------------
# Saving


@containers
def test_serialization_save_warnings(options):
    found, warned = compare(*(told(function, torch.nn.Linear(2, 3), io.BytesIO(), **options) for function in (torch.save, ptio.save)))
    assert found is None and not warned


@containers
def test_serialization_filelike_exceptions(options):
    """What is no file: an exception in PyTorch's words, and nothing worse."""

    def sinks():
        tensor = torch.rand(10)
        yield tensor
        tensor.write, tensor.flush = "bar", "baz"
        yield tensor
        tensor.write, tensor.flush = str.__add__, str.__mul__
        yield tensor
        yield torch.CharStorage([1, 2, 3])
        yield np.zeros((3, 3))

    for one, other in zip(sinks(), sinks()):
        ((_, expected), _), ((_, found), _) = told(torch.save, "foo", one, **options), told(ptio.save, "foo", other, **options)
        assert type(found) is type(expected) and isinstance(found, (AttributeError, TypeError))
        # The words of streams are those of what is called first.
        assert options or str(found) == str(expected)


@both_ways
def test_serialization_efficient_zerotensor(weights_only):
    t = torch._efficientzerotensor((4, 5))
    assert isinstance(save(t), RuntimeError)
    # Without a flag of PyTorch it can be saved, as what it is then.
    load(save(t.clone()), weights_only=weights_only)


class Count(io.BytesIO):
    """A file that counts the calls of its methods."""

    def __init__(self, body):
        super().__init__(body)
        self.calls = collections.Counter()

    def read(self, *arguments):
        self.calls["read"] += 1
        return super().read(*arguments)

    def readinto(self, buffer):
        self.calls["readinto"] += 1
        return super().readinto(buffer)


@containers
def test_serialization_filelike_uses_readinto(options):
    body = save(torch.rand(5, 4), **options)
    theirs, ours = Count(body), Count(body)
    compare(told(torch.load, theirs), told(ptio.load, ours))
    assert ours.calls["readinto"] and theirs.calls["readinto"]
    assert not ours.calls["read"]


# ---------------------------------------------------------------------------------------------------------------------
# The source of modules, in streams

NETWORK = "import torch\n\n\nclass Net(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.linear = torch.nn.Linear(%d, 20)\n"


def network(folder, name, size):
    """A module with a class Net, whose source tells `size`."""
    path = folder / ("%s_%d.py" % (name, size))
    path.write_text(NETWORK % size)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def container(folder, name, opened):
    try:
        model = network(folder, name, 10).Net()
        body = save(model, _use_new_zipfile_serialization=False)
        (folder / "net.pt").write_bytes(body)
        for size, count in ((10, 0), (11, 1)):
            net = network(folder, name, size).Net
            found, warned = compare(*(told(function, opened(body), weights_only=False) for function in (torch.load, ptio.load)))
            assert type(found) is net
            assert [category for category, _ in warned] == [torch.serialization.SourceChangeWarning] * count
    finally:
        del sys.modules[name]


def test_serialization_container(tmp_path):
    container(tmp_path, "ptio_network_file", lambda body: tmp_path / "net.pt")


def test_serialization_container_filelike(tmp_path):
    container(tmp_path, "ptio_network_filelike", io.BytesIO)


# ---------------------------------------------------------------------------------------------------------------------
# weights_only


class Point(collections.namedtuple("Point", "x y")):
    pass


class Plain:
    def __init__(self, x):
        self.x = x


class Stated(Plain):
    def __setstate__(self, state):
        self.__dict__.update(state, restored=True)


class Slots:
    __slots__ = ("x", "y")

    def __init__(self, x):
        self.x, self.y = x, [x]


class SlotsAndMore(Slots):
    def __init__(self, x):
        super().__init__(x)
        self.z = x


class Outer:
    class Inner:
        class Innermost(Plain):
            pass

        def __init__(self):
            self.x = 1


def refused_then_allowed(x, allowed, *, also=()):
    """Refused in PyTorch's words, built once it is allowed, refused again afterwards. Gives the object."""
    body = save(x)
    refusal = load(body, weights_only=True)
    assert type(refusal) is pickle.UnpicklingError and "was not an allowed global by default" in str(refusal)
    for less in also:  # lists that are not enough
        with safe_globals(less):
            assert type(load(body, weights_only=True)) is pickle.UnpicklingError
    with safe_globals(allowed):
        found = load(body, weights_only=True)
    assert type(found) is type(x)
    assert str(load(body, weights_only=True)) == str(refusal)
    return found


class Printed:
    def __reduce__(self):
        return print, ("ran",)


def test_weights_only_assert(capsys):
    body = save(Printed())
    assert "GLOBAL print was not an allowed global" in str(load(body, weights_only=True))
    assert capsys.readouterr().out == ""
    with safe_globals([print]):
        assert load(body, weights_only=True) is None
    assert capsys.readouterr().out == "ran\n" * 2


def test_weights_only_safe_globals_newobj():
    assert refused_then_allowed(Point(1, torch.ones(2)), [Point]).x == 1


def test_weights_only_safe_globals_build():
    assert refused_then_allowed(Plain([1]), [Plain]).x == [1]
    assert refused_then_allowed(Stated([1]), [Stated]).restored


def test_weights_only_safe_globals_build_with_slots():
    for kind in (Slots, SlotsAndMore):
        found = refused_then_allowed(kind(5), [kind])
        assert found.x == 5 and found.y == [5]
    assert found.z == 5


def test_serialization_nested_class():
    """A class in a class is asked of it by getattr()."""
    x = Outer.Inner()
    assert refused_then_allowed(x, [getattr, Outer, Outer.Inner], also=([Outer.Inner], [getattr, Outer])).x == 1
    allowed = [getattr, Outer, Outer.Inner, Outer.Inner.Innermost]
    assert refused_then_allowed(Outer.Inner.Innermost(2), allowed, also=([getattr, Outer, Outer.Inner],)).x == 2


def test_safe_globals_for_weights_only():
    body = save(TwoTensor(torch.ones(2), torch.zeros(2)))
    refusal = load(body, weights_only=True)
    assert "GLOBAL torch.testing._internal.two_tensor.TwoTensor was not an allowed global" in str(refusal)
    ptio.serialization.add_safe_globals([TwoTensor])
    assert ptio.serialization.get_safe_globals() == torch.serialization.get_safe_globals() == [TwoTensor]
    assert type(load(body, weights_only=True)) is TwoTensor
    ptio.serialization.clear_safe_globals()
    assert ptio.serialization.get_safe_globals() == torch.serialization.get_safe_globals() == []
    assert str(load(body, weights_only=True)) == str(refusal)


def test_safe_globals_context_manager_weights_only():
    ptio.serialization.add_safe_globals([Point])
    bodies = {kind: save(x) for kind, x in ((Point, Point(1, 2)), (TwoTensor, TwoTensor(torch.ones(2), torch.zeros(2))), (Plain, Plain(1)))}

    def loaded():
        return {kind for kind, body in bodies.items() if type(load(body, weights_only=True)) is kind}

    with pytest.raises(KeyError), ptio.serialization.safe_globals([TwoTensor]):
        assert loaded() == {Point, TwoTensor}
        with safe_globals([Plain]):
            assert loaded() == {Point, TwoTensor, Plain}
        assert loaded() == {Point, TwoTensor}
        raise KeyError
    assert loaded() == {Point}
    assert ptio.serialization.get_safe_globals() == [Point]


@pytest.fixture
def zone(tmp_path):
    """Where there is no data of time zones: one that is UTC."""
    (tmp_path / "Test").mkdir()
    header = b"TZif" + b"\0" * 16 + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    (tmp_path / "Test" / "Zone").write_bytes(header + struct.pack(">lbb", 0, 0, 0) + b"UTC\0")
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    yield zoneinfo.ZoneInfo("Test/Zone")
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


def test_weights_only_blocked_func_error_msg(zone):
    body = save(zone)
    load(body, weights_only=True)
    with safe_globals([getattr, zoneinfo.ZoneInfo]):
        refusal = load(body, weights_only=True)
    assert type(refusal) is pickle.UnpicklingError and "_unpickle" in str(refusal) and "zoneinfo.ZoneInfo" in str(refusal)


def test_weights_only_with_zoneinfo_unpickle_registration_success(zone):
    with safe_globals([getattr, zoneinfo.ZoneInfo, zoneinfo.ZoneInfo._unpickle]):
        assert load(save(zone), weights_only=True) is zone


@pytest.mark.parametrize("variable", ["TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
def test_weights_only_env_variables(tmp_path, monkeypatch, variable):
    path = tmp_path / "linear.pt"
    ptio.save(torch.nn.Linear(3, 5), path)
    monkeypatch.setenv(variable, "1")
    results = {}
    for weights_only in (True, False, None):
        results[weights_only] = compare(*(told(function, path, weights_only=weights_only) for function in (torch.load, ptio.load)))
    assert type(results[True][0]) is pickle.UnpicklingError
    if "NO" in variable:
        assert type(results[False][0]) is torch.nn.Linear and not results[False][1]
        assert type(results[None][0]) is torch.nn.Linear and "forcing weights_only=False" in results[None][1][0][1]
    else:
        assert type(results[False][0]) is type(results[None][0]) is pickle.UnpicklingError


NESTED = """
import sys
import torch
if sys.argv[2] == "imported":
    import torch._dynamo
import ptio
for load in (torch.load, ptio.load):
    try:
        x = load(sys.argv[1], weights_only=True)
        print(repr((type(x).__name__, [t.tolist() for t in x.unbind()])))
    except Exception as e:
        print(repr((type(e).__name__, str(e))))
"""


@pytest.mark.parametrize("imported", ["imported", "not imported"])
def test_load_njt_weights_only(child, tmp_path, imported):
    path = tmp_path / "nested.pt"
    path.write_bytes(save(torch.nested.nested_tensor([[1, 2, 3], [4, 5]], layout=torch.jagged)))
    theirs, ours = child(NESTED, path, imported).splitlines()
    assert theirs == ours
    assert ("must be imported to load nested jagged tensors" in ours) == (imported == "not imported")
