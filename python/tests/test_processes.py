"""ptio.load() in many threads, in children, in other interpreters, ten thousand times; and that nothing of PyTorch's own loading is used."""
import gc
import io
import os
import subprocess
import sysconfig
import threading
import time

import pytest
import torch

import alike
import conftest
import ptio
from bare import memory

CORPUS = conftest.CORPUS


def value():
    return {"a": torch.arange(1000.0), "state": torch.nn.Linear(20, 30).state_dict(), "p": torch.nn.Parameter(torch.ones(3)), "n": [1, "x", (2.5, None)]}


@pytest.fixture(params=["path", "mmap", "memory", "legacy"])
def opened(request, tmp_path):
    """open(): arguments of a load, anew each time."""
    path = str(tmp_path / "a.pt")
    torch.save(value(), path, _use_new_zipfile_serialization=request.param != "legacy")
    body = open(path, "rb").read()
    return {"path": lambda: (path, {}), "legacy": lambda: (path, {}), "mmap": lambda: (path, {"mmap": True}), "memory": lambda: (io.BytesIO(body), {})}[request.param]


def load(opened, **more):
    f, arguments = opened()
    return ptio.load(f, **arguments, **more)


# ---------------------------------------------------------------------------------------------------------------------
# Threads


@pytest.mark.parametrize("weights_only", [True, False])
def test_threads(opened, weights_only):
    expected, found = load(opened), []
    start = threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(25):
            got = alike.difference(expected, load(opened, weights_only=weights_only))
            if got:
                found.append(got)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not found


def test_tensors_of_other_threads(opened):
    """A storage goes in another thread than the one that loaded it."""
    loaded = [load(opened) for _ in range(50)]
    threads = [threading.Thread(target=lambda part=part: [part.pop() for _ in range(len(part))]) for part in (loaded[:25], loaded[25:])]
    del loaded
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_others_run_meanwhile(tmp_path):
    """The lock of the interpreter is free while a large file is read."""
    path = str(tmp_path / "big.pt")
    torch.save(torch.zeros(48 << 20, dtype=torch.uint8), path)
    count, done = 0, threading.Event()

    def work():
        for _ in range(5):
            ptio.load(path)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        count += 1
        time.sleep(0.0005)
    thread.join()
    assert count > 5


# ---------------------------------------------------------------------------------------------------------------------
# Processes and interpreters


def test_fork(opened):
    before = load(opened)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if not alike.difference(before, load(opened)) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not alike.difference(before, load(opened))


INTERPRETERS = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    import _interpreters as interpreters  # Python 3.13 and later
except ImportError:
    import _xxsubinterpreters as interpreters


def create(own_lock=False):
    if sys.version_info >= (3, 13):
        return interpreters.create("isolated" if own_lock else "legacy")
    return interpreters.create(isolated=own_lock)


# What it raised, which comes as an exception up to Python 3.12, and as a note of one since.
def run(interpreter, program):
    try:
        raised = interpreters.run_string(interpreter, program)
        return raised and raised.formatted
    except interpreters.RunFailedError as e:
        return str(e)


work = '''
import sys
sys.path.insert(0, {!r})
sys.modules["torch"] = None
import ptio
t = ptio.load({!r})
assert t.tolist() == {!r}, t
del t
'''.format(sys.argv[1], sys.argv[2], eval(sys.argv[3]))
for _ in range(3):
    one, other = create(), create()
    for interpreter in (one, other, one, other):
        assert not run(interpreter, work)
    interpreters.destroy(one)
    assert not run(other, work)
    interpreters.destroy(other)
exec(work)
if sys.version_info >= (3, 12):
    own = create(own_lock=True)
    raised = run(own, work)
    assert "_ptio does not support loading in subinterpreters" in raised, raised
    interpreters.destroy(own)
print("done")
"""


def test_interpreters(child):
    """Each interpreter has a module of its own; those with a lock of their own, which come with 3.12, are refused by Python."""
    path = CORPUS / "2.13.0" / "dtype_float32.pt"
    package = os.path.dirname(os.path.dirname(ptio.__file__))
    assert child(INTERPRETERS, package, path, torch.load(path).tolist()).strip() == "done"


def test_free_threaded_builds_are_refused(child):
    """By a sentence: where the package is imported, and where its sources are compiled."""
    program = """
        import sys
        sys.abiflags += "t"
        try:
            import ptio
        except ImportError as e:
            print(e)
    """
    assert child(program).strip() == "ptio needs a Python with the global lock: this is a free-threaded build"
    folders = [sysconfig.get_paths()["include"], conftest.SOURCE / "include"]
    command = [os.environ.get("CC", "cc"), "-fsyntax-only", *("-I%s" % folder for folder in folders), conftest.SOURCE / "python" / "src" / "module.c"]
    assert subprocess.run(command).returncode == 0
    done = subprocess.run([*command, "-DPy_GIL_DISABLED"], capture_output=True, text=True)
    assert done.returncode and "needs a Python with the global lock: this is a free-threaded build" in done.stderr, done.stderr


def test_import_is_light(child):
    """PyTorch is looked for when something is loaded; it takes a second."""
    program = """
        import sys, time
        import collections, threading, enum  # of Python itself
        begin = time.perf_counter()
        import ptio
        took = time.perf_counter() - begin
        print("torch" in sys.modules, "numpy" in sys.modules, took)
    """
    best = []
    for _ in range(5):
        torch_too, numpy_too, took = child(program).split()
        assert (torch_too, numpy_too) == ("False", "False")
        best.append(float(took))
    assert min(best) < 0.1  # 2 milliseconds where nothing else runs


# ---------------------------------------------------------------------------------------------------------------------
# Memory


def leak(work, count):
    """KiB more after `count` calls than after a tenth of them."""
    for _ in range(count // 10):
        work()
    gc.collect()
    before = memory()
    for _ in range(count):
        work()
    gc.collect()
    return memory() - before


@pytest.mark.parametrize("weights_only", [True, False])
def test_loads_leak_nothing(opened, weights_only):
    # 1,250 each of four sources and both ways: 10,000.
    count = conftest.share(1250)
    assert leak(lambda: load(opened, weights_only=weights_only), count) < 1000 + count // 4


def test_failures_leak_nothing():
    out = io.BytesIO()
    torch.save([torch.ones(100), value, {"a": torch.ones(3)}], out)
    body = out.getvalue()
    bodies = [body] + [body[:size] for size in range(10, len(body), 97)]

    def work():
        for body in bodies:
            with pytest.raises(Exception):
                ptio.load(io.BytesIO(body))

    count = conftest.share(300)
    assert leak(work, count) < 1000 + count


# ---------------------------------------------------------------------------------------------------------------------
# Nothing falls back

GUARDED = """
import io, os, pickle, sys
import torch, torch.serialization, torch._weights_only_unpickler
body, legacy = io.BytesIO(), io.BytesIO()
value = {"a": torch.arange(10.0), "p": torch.nn.Parameter(torch.ones(2)), "module": torch.nn.Linear(2, 3), "s": {1, 2}}
torch.save(value, body)
torch.save(value, legacy, _use_new_zipfile_serialization=False)
state = {"a": torch.arange(10.0), "state": value["module"].state_dict()}
weights = io.BytesIO()
torch.save(state, weights)
with open(sys.argv[1], "wb") as file:
    file.write(weights.getvalue())

class Forbidden:
    def __init__(self, *arguments, **keywords):
        raise AssertionError("something of PyTorch's own loading was used")

    __new__ = staticmethod(lambda *arguments, **keywords: Forbidden.__init__(None))
    __class_getitem__ = classmethod(lambda cls, item: cls)

import ptio
for owner, names in ((torch, ("load", "save")), (torch.serialization, ("load", "save", "_load", "_legacy_load", "_save", "_legacy_save",
                     "_open_zipfile_reader", "_open_zipfile_writer", "_open_file_like", "_is_zipfile")),
                     (torch._C, ("PyTorchFileReader", "PyTorchFileWriter")), (pickle, ("Unpickler", "load", "loads", "_Unpickler")),
                     (torch._weights_only_unpickler, ("Unpickler", "load")), (torch.storage, ("_load_from_bytes",))):
    for name in names:
        assert hasattr(owner, name), name
        setattr(owner, name, Forbidden)
try:
    torch.load(body)
except AssertionError:
    pass
else:
    raise SystemExit("the guard does not work")
for f in (body, legacy):
    f.seek(0)
    got = ptio.load(f, weights_only=False)
    assert torch.equal(got["a"], value["a"]) and torch.equal(got["module"].weight, value["module"].weight)
for f, arguments in ((weights, {}), (sys.argv[1], {}), (sys.argv[1], {"mmap": True})):
    if f is weights:
        f.seek(0)
    got = ptio.load(f, weights_only=True, **arguments)
    assert torch.equal(got["a"], state["a"]) and list(got["state"]) == list(state["state"])
out = io.BytesIO()
ptio.save(state, out)
assert out.getvalue() == weights.getvalue()
out = io.BytesIO()
ptio.save(value, out, _use_new_zipfile_serialization=False)
assert out.getvalue() == legacy.getvalue() or len(out.getvalue()) == len(legacy.getvalue())
body.seek(0)
try:
    ptio.load(body)
except pickle.UnpicklingError as e:
    assert "torch.nn.modules.linear.Linear was not an allowed global" in str(e)
else:
    raise SystemExit("weights_only took a module")
print("done")
"""


def test_nothing_falls_back(child, tmp_path):
    assert child(GUARDED, tmp_path / "weights.pt").strip() == "done"
