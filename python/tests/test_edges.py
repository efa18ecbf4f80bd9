"""ptio.load() and ptio.save() as torch.load() and torch.save() at the edges: arguments that are seldom given, and what is refused how."""
import codecs
import collections
import io
import os
import pickle
import tempfile
import warnings

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.two_tensor import TwoTensor

import alike
import conftest
import ptio

containers = pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["archive", "stream"])
both_ways = pytest.mark.parametrize("weights_only", [True, False])


class OwnDict(collections.OrderedDict):
    pass


class OwnList(list):
    pass


class OwnTensor(torch.Tensor):
    pass


class OwnItems:
    """Items of both kinds, and a state."""

    def __reduce__(self):
        return OwnItems, (), {"state": 1}, iter([1, 2]), iter({"a": 1}.items())

    def append(self, x):
        pass

    def extend(self, x):
        pass

    def __setitem__(self, key, value):
        pass


def body_of(x, **options):
    out = io.BytesIO()
    torch.save(x, out, **options)
    return out.getvalue()


def pair(f, **arguments):
    """What both make of it, with their warnings left out."""
    return [alike.outcome(load, f(), **arguments) for load in (torch.load, ptio.load)]


def same(f, **arguments):
    """Both load it to the same, or raise the same."""
    (well, theirs), (is_well, ours) = pair(f, **arguments)
    assert well == is_well, "torch: %r, ptio: %r" % (theirs, ours)
    if well:
        assert not alike.difference(theirs, ours)
    else:
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    return ours


@pytest.fixture(params=[True, False], ids=["archive", "stream"])
def opened(request):
    body = body_of({"a": torch.arange(6.0), "v": torch.arange(6.0)[2:], "n": 1}, _use_new_zipfile_serialization=request.param)
    return lambda: io.BytesIO(body)


# ---------------------------------------------------------------------------------------------------------------------
# pickle_load_args

ARGUMENTS = [{"foo": 1}, {"errors": "strict"}, {"errors": 3}, {"encoding": None}, {"encoding": 3}, {"encoding": "latin1", "foo": 1}, {"fix_imports": False},
             {"fix_imports": True}, {"buffers": []}, {"encoding": "bytes", "errors": "replace"}]


@both_ways
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_load_args(opened, arguments, weights_only):
    """What the unpickler does not know it refuses."""
    same(opened, weights_only=weights_only, **arguments)


def test_load_args_go_to_the_callers_own():
    class Mine(pickle.Unpickler):
        def __init__(self, file, *, mine=None, **more):
            seen.append((mine, sorted(more)))
            super().__init__(file, **more)

    class Module:
        Unpickler = Mine

    seen = []
    for load in (torch.load, ptio.load):
        load(io.BytesIO(body_of(torch.ones(1))), pickle_module=Module, weights_only=False, mine=5)
    assert seen[0] == seen[1] and seen[0][0] == 5


class Reader:
    """An unpickler without find_class(): it makes no use of it."""

    def __init__(self, file, **more):
        self.file = file

    def load(self):
        return self.file.read(2)


class Failing(Reader):
    def load(self):
        raise RuntimeError("not today")


def test_an_unpickler_of_any_kind():
    class Module:
        Unpickler = Reader

    assert same(lambda: io.BytesIO(body_of([1, 2])), pickle_module=Module, weights_only=False) == b"\x80\x02"


@pytest.mark.parametrize("unpickler", [pickle._Unpickler, Failing])
@containers
def test_files_are_closed(tmp_path, options, unpickler):
    class Module:
        Unpickler, load = unpickler, staticmethod(pickle.load)

    torch.save([torch.ones(3)], tmp_path / "x.pt", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = os.listdir("/proc/self/fd")
        for _ in range(5):
            alike.outcome_as_it_is(ptio.load, tmp_path / "x.pt", pickle_module=Module, weights_only=False)
        assert os.listdir("/proc/self/fd") == before


def test_names_of_python_2_stay():
    pickled = b"\x80\x02ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nh\x00Ntq\x01R."
    body = body_of(None, _use_new_zipfile_serialization=False).replace(b"\x80\x02N.", b"\x80\x02ccopy_reg\n_reconstructor\n.")
    assert pickled and b"copy_reg" in body
    same(lambda: io.BytesIO(body), weights_only=False)
    assert isinstance(same(lambda: io.BytesIO(body), weights_only=False, fix_imports=False), ModuleNotFoundError)


def test_unknown_encodings():
    text = b"\x80\x02U\x03\xd0\xcf\xa5."
    body = body_of(None, _use_new_zipfile_serialization=False).replace(b"\x80\x02N.", text)
    same(lambda: io.BytesIO(body), weights_only=False, encoding="koi8-r")
    for arguments in ({"encoding": "no such"}, {"encoding": "ascii", "errors": "no such"}):
        (_, theirs), (_, ours) = pair(lambda: io.BytesIO(body), weights_only=False, **arguments)
        assert type(ours) is type(theirs) is LookupError
    assert codecs.lookup("koi8-r")


@pytest.mark.parametrize("module", [5, "pickle", io.BytesIO()], ids=str)
def test_no_pickle_module(opened, module):
    (_, theirs), (_, ours) = pair(opened, pickle_module=module)
    assert type(ours) is type(theirs)
    if not hasattr(module, "__name__"):
        assert str(ours) == str(theirs)


# ---------------------------------------------------------------------------------------------------------------------
# mmap and map_location


def test_mmap_of_objects(opened):
    assert isinstance(same(opened, mmap=True), (ValueError, RuntimeError))
    for x in (5, None, b"bytes"):
        assert isinstance(same(lambda: x, mmap=True), AttributeError)


def untyped(n, **more):
    return torch.UntypedStorage(n, **more)


ANSWERS = {
    "the storage": lambda s, where: s,
    "a copy": lambda s, where: s.clone(),
    "meta": lambda s, where: untyped(s.nbytes(), device="meta"),
    "nothing": lambda s, where: None,
    "a text": lambda s, where: "cpu",
    "a number": lambda s, where: 3,
    "a typed one": lambda s, where: torch.storage.TypedStorage(wrap_storage=s, dtype=torch.float32, _internal=True),
    "an exception": lambda s, where: 1 // 0,
    "one argument": lambda s: s,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_a_function_answers(opened, name):
    same(opened, map_location=ANSWERS[name])


def test_streams_are_read_into_the_answer():
    """The bytes of a stream come after the storages; an archive's are the caller's to copy."""
    body = body_of([torch.arange(6.0), torch.ones(3)], _use_new_zipfile_serialization=False)
    for size in (lambda n: n, lambda n: 4):
        assert same(lambda: io.BytesIO(body), map_location=lambda s, where: untyped(size(s.nbytes())))[0].tolist() == [0, 1, 2, 3, 4, 5]
    body = body_of(torch.arange(6.0), _use_new_zipfile_serialization=False)
    assert "storage has wrong byte size" in str(same(lambda: io.BytesIO(body), map_location=lambda s, where: untyped(s.nbytes() + 4)))


@pytest.mark.parametrize("place", [0, b"cpu", [], "nope", "cpu:0", "meta:0", "cuda", torch.device("cpu:0"), collections.OrderedDict(cpu="meta"), {"cpu": torch.device("meta")},
                                   {"cpu": 0}, {"cpu": None}, torch.device, collections.defaultdict(lambda: "meta")], ids=str)
@both_ways
def test_places(opened, place, weights_only):
    same(opened, map_location=place, weights_only=weights_only)


@containers
def test_function_and_tensors_without_storage(options):
    """PyTorch tells subclasses of map_location when it reads an archive, and not when it reads a stream."""
    body = body_of(TwoTensor(torch.ones(2), torch.zeros(2)), **options)
    same(lambda: io.BytesIO(body), weights_only=False, map_location=lambda s, where: s)
    same(lambda: io.BytesIO(body), weights_only=False, map_location="cpu")


@containers
@pytest.mark.parametrize("place", [None, "cpu", "meta", {"cpu": "meta"}, lambda s, where: s], ids=str)
def test_fake_mode(options, place):
    body = body_of({"t": torch.arange(6.0), "p": torch.nn.Parameter(torch.ones(2)), "own": torch.ones(2).as_subclass(OwnTensor)}, **options)
    with FakeTensorMode():
        (well, theirs), (is_well, ours) = pair(lambda: io.BytesIO(body), map_location=place, weights_only=False)
    assert well == is_well
    if well:
        facts = [{name: (type(t), t.device, t.shape, t.requires_grad, getattr(t.untyped_storage(), "_checkpoint_offset", None), vars(t.untyped_storage()).keys())
                  for name, t in x.items()} for x in (theirs, ours)]
        assert facts[0] == facts[1]
    else:
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


def test_sources_that_cannot_seek():
    """With advice where they have no such method, and with their own words where it fails."""

    class File(io.BytesIO):
        def seek(self, *arguments):
            raise self.what

    for what, advice in ((io.UnsupportedOperation("seek"), True), (io.UnsupportedOperation("no"), False), (OSError(29, "Illegal seek"), False), (AttributeError("tell"), True)):
        File.what = what
        assert ("You can only torch.load from a file that is seekable" in str(same(File))) == advice


# ---------------------------------------------------------------------------------------------------------------------
# Refusals of weights_only, in PyTorch's words


@pytest.mark.parametrize("x", [OwnDict(a=1), OwnDict(a=1, b=2), OwnList([1]), OwnList([1, 2]), OwnItems()], ids=repr)
def test_classes_are_printed(x):
    body = body_of(x)
    with torch.serialization.safe_globals([OwnDict, OwnList, OwnItems]):
        refusal = same(lambda: io.BytesIO(body), weights_only=True)
    assert "but got <class 'test_edges.Own" in str(refusal)


def test_sources_of_modules():
    body = body_of(torch.nn.ReLU(), _use_new_zipfile_serialization=False)
    with torch.serialization.safe_globals([torch.nn.ReLU]):
        refusal = same(lambda: io.BytesIO(body), weights_only=True)
    assert "Only persistent_load of storage is allowed" in str(refusal)


@containers
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("x", [{"a": torch.ones(2), "n": [1, "x"]}, {"d": OwnDict()}], ids=["taken", "refused"])
def test_protocols_are_warned_of(x, protocol, options):
    """weights_only is made for protocol 2. PyTorch says so for each pickle of a stream."""
    body, told = body_of(x, pickle_protocol=protocol, **options), []
    for load in (torch.load, ptio.load):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            well, result = alike.outcome_as_it_is(load, io.BytesIO(body), weights_only=True)
        told.append((well, None if well else str(result), {str(w.message) for w in caught if "TypedStorage" not in str(w.message)}))
    assert told[0] == told[1] and (protocol > 2) == bool(told[1][2])


def test_unsafe_globals_of_what_is_no_checkpoint(tmp_path):
    """Paths and files that hold none: PyTorch's exceptions."""
    calls = [function.get_unsafe_globals_in_checkpoint for function in (torch.serialization, ptio.serialization)]
    script = str(conftest.CORPUS / "extra" / "archives" / "scripted_small.pt")
    for f in (lambda: str(tmp_path / "none"), lambda: io.BytesIO(b"text"), lambda: io.BytesIO(body_of(1, _use_new_zipfile_serialization=False)), lambda: script, lambda: 5):
        (_, theirs), (_, ours) = [alike.outcome(call, f()) for call in calls]
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


# ---------------------------------------------------------------------------------------------------------------------
# Where nothing can be saved


READ_ONLY = """
import io, mmap, os, sys
import torch, ptio
folder = sys.argv[1]
for name in ("w.pt", "long.b.pt", "protected.pt"):
    torch.save(torch.ones(5000), os.path.join(folder, name))
    os.chmod(os.path.join(folder, name), 0o666 if name != "protected.pt" else 0o444)
    for module in (torch, ptio):  # what is imported late is there
        for legacy in (False, True):
            module.save(torch.ones(1), io.BytesIO(), _use_new_zipfile_serialization=not legacy)
        module.load(os.path.join(folder, name), mmap=True)
os.chmod(folder, 0o555)
if os.getuid() == 0:
    os.setuid(65534)
for legacy in (False, True):
    for name in ("w.pt", "long.b.pt", "protected.pt", "new.pt"):
        path, told = os.path.join(folder, name), []
        for save in (torch.save, ptio.save):
            try:
                save([torch.arange(3.0)], path, _use_new_zipfile_serialization=not legacy)
                told.append(open(path, "rb").read() if not legacy else torch.load(path)[0].tolist())
            except Exception as e:
                told.append((type(e), "Permission denied" in str(e), e.errno if legacy else None))
        assert told[0] == told[1], (legacy, name, told)
    assert told[1][1], "the folder takes new files"
    before = open(os.path.join(folder, "w.pt"), "rb").read()
    try:
        ptio.save([torch.ones(1), lambda: 0], os.path.join(folder, "w.pt"))
    except Exception:
        assert open(os.path.join(folder, "w.pt"), "rb").read() == before
with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
    for load in (torch.load, ptio.load):
        try:
            load(os.path.join(folder, "protected.pt"), mmap=True)
            raise SystemExit("it was opened")
        except RuntimeError as e:
            assert "in read-write mode" in str(e) and "Permission denied" in str(e), e
print("well")
"""


def test_folders_that_take_no_files(child):
    """A file in it that may be written is written where it is."""
    with tempfile.TemporaryDirectory() as folder:  # not in tmp_path, which is for one user
        os.chmod(folder, 0o755)
        inside = os.path.join(folder, "folder")
        os.mkdir(inside)
        try:
            assert child(READ_ONLY, inside) == "well\n"
        finally:
            os.chmod(inside, 0o755)


@containers
@pytest.mark.parametrize("place", ["folder", "none/x.pt", "x" * 300, ""])
def test_paths_that_cannot_be_opened(tmp_path, options, place):
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / place) if place else ""
    raised = []
    for save in (torch.save, ptio.save):
        with pytest.raises(Exception) as e, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            save(torch.ones(1), path, **options)
        raised.append(e.value)
    assert type(raised[0]) is type(raised[1])
    if options:
        assert str(raised[0]) == str(raised[1]) and raised[0].errno == raised[1].errno
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(tmp_path / "folder") == []
