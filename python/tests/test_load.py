"""ptio.load() as torch.load() is documented and used: sources, options, settings of PyTorch, what it leaves alone."""
import collections
import gzip
import io
import os
import pathlib
import pickle
import sys
import types
import warnings
import zipfile

import pytest
import torch
import torch.utils.serialization.config as config

import alike
import conftest
import ptio

CORPUS = conftest.CORPUS
PY2 = CORPUS / "1.0.0-py27" / "numpy_arrays.pt"


class Point(collections.namedtuple("Point", "x y")):
    pass


class Stated:
    def __init__(self):
        self.a = 1

    def __setstate__(self, state):
        self.__dict__.update(state, restored=True)


def value():
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {"base": base, "view": base.t()[1:], "parameter": torch.nn.Parameter(torch.ones(2)), "state": torch.nn.Linear(2, 3).state_dict(), "n": [1, "a"]}


@pytest.fixture
def path(tmp_path):
    torch.save(value(), tmp_path / "tensors.pth")
    return str(tmp_path / "tensors.pth")


def body_of(obj, **arguments):
    out = io.BytesIO()
    torch.save(obj, out, **arguments)
    return out.getvalue()


def same(f, **arguments):
    """Both load it, to the same; gives what ptio.load() gives."""
    opened = (lambda: f()) if callable(f) else (lambda: f)
    ours = ptio.load(opened(), **arguments)
    found = alike.difference(torch.load(opened(), **arguments), ours)
    assert not found, found
    return ours


def same_error(f, expected, **arguments):
    opened = (lambda: f()) if callable(f) else (lambda: f)
    with pytest.raises(expected) as theirs:
        torch.load(opened(), **arguments)
    with pytest.raises(expected) as ours:
        ptio.load(opened(), **arguments)
    assert (type(theirs.value), str(theirs.value)) == (type(ours.value), str(ours.value))


# ---------------------------------------------------------------------------------------------------------------------
# The examples of torch.load's documentation


def test_example_path(path):
    same(path, weights_only=True)


def test_example_device(path):
    same(path, map_location=torch.device("cpu"), weights_only=True)


def test_example_function(path):
    same(path, map_location=lambda storage, loc: storage, weights_only=True)


def test_example_cuda_function(tmp_path):
    """Where there is no CUDA, PyTorch's exception comes through."""
    if torch.cuda.is_available():
        same(CORPUS / "2.13.0" / "located_cuda_0.pt", map_location=lambda storage, loc: storage.cuda(0), weights_only=True)
    else:
        same_error(CORPUS / "2.13.0" / "located_cuda_0.pt", Exception, map_location=lambda storage, loc: storage.cuda(0), weights_only=True)


def test_example_dict(path):
    same(path, map_location={"cuda:1": "cuda:0"}, weights_only=True)


def test_example_bytes_io(path):
    same(lambda: io.BytesIO(pathlib.Path(path).read_bytes()), weights_only=True)


def test_example_latin1():
    same(PY2, encoding="latin1", weights_only=False)


def test_example_encodings():
    for file in (PY2, PY2.parent / "seed_state_dict.pt", PY2.parent / "python_stdlib.pt", PY2.parent / "numpy_scalars.pt"):
        for arguments in ({"encoding": "latin1"}, {"encoding": "bytes"}, {"encoding": "cp1252"}, {"encoding": "ascii", "errors": "replace"}):
            found = alike.loaded_difference(file, weights_only=False, map_location="cpu", **arguments)
            assert not found, "%s, %s: %s" % (file.name, arguments, found)
    same_error(PY2, UnicodeDecodeError, encoding="ascii", weights_only=False)


def test_example_mmap(path):
    same(path, map_location="cpu", weights_only=True, mmap=True)


# ---------------------------------------------------------------------------------------------------------------------
# map_location


@pytest.mark.parametrize("file", ["located_cuda_0.pt", "seed_tensors.pt"])
@pytest.mark.parametrize("place", ["cpu", "meta", torch.device("cpu"), torch.device("meta"), {"cuda:0": "cpu"}, {"cuda:0": "meta", "cpu": "cpu"}, {}])
def test_map_location(file, place):
    path = CORPUS / "2.13.0" / file
    if place == {} and file == "located_cuda_0.pt":
        same_error(path, RuntimeError, map_location=place)
    else:
        same(path, map_location=place)


def test_cuda_is_not_there():
    if not torch.cuda.is_available():
        same_error(CORPUS / "2.13.0" / "located_cuda_0.pt", RuntimeError)


def test_function_sees_what_torch_shows():
    seen = []
    for load in (torch.load, ptio.load):
        calls = []

        def place(storage, location):
            calls.append((type(storage), str(storage.device), storage.nbytes(), bytes(storage), location))
            return storage

        load(CORPUS / "2.13.0" / "located_cuda_0.pt", map_location=place)
        seen.append(calls)
    assert seen[0] == seen[1] and seen[0]


def test_function_may_pass():
    """None is the answer of a function that leaves the matter to the registry."""
    same(CORPUS / "2.13.0" / "seed_tensors.pt", map_location=lambda storage, location: None)


def test_function_may_answer_another_storage(path):
    same(path, map_location=lambda storage, location: storage.clone())


def test_exception_of_a_function(path):
    def place(storage, location):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ptio.load(path, map_location=place)


def test_default_device(path):
    loaded = []
    for load in (torch.load, ptio.load):
        with torch.device("meta"):
            loaded.append(load(path))
    assert not alike.difference(*loaded)


def test_registry(monkeypatch):
    monkeypatch.setattr(torch.serialization, "_package_registry", list(torch.serialization._package_registry))
    asked = []

    def restore(storage, location):
        asked.append(location)
        return storage if location == "cuda:0" else None

    torch.serialization.register_package(5, lambda storage: None, restore)
    loaded = ptio.load(CORPUS / "2.13.0" / "located_cuda_0.pt")
    assert "cuda:0" in asked
    assert not alike.difference(torch.load(CORPUS / "2.13.0" / "located_cuda_0.pt"), loaded)


# ---------------------------------------------------------------------------------------------------------------------
# Sources


class Least:
    """A file-like object with what torch.load() asks for, and no more."""

    def __init__(self, body):
        self.file = io.BytesIO(body)

    def read(self, n=-1):
        return self.file.read(n)

    def readline(self):
        return self.file.readline()

    def tell(self):
        return self.file.tell()

    def seek(self, *where):
        return self.file.seek(*where)


class ReadsInto(Least):
    into = 0

    def readinto(self, buffer):
        ReadsInto.into += len(buffer)
        return self.file.readinto(buffer)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("source", [io.BytesIO, Least, ReadsInto])
def test_file_likes(source, new):
    body = body_of(value(), _use_new_zipfile_serialization=new)
    same(lambda: source(body), weights_only=True)
    same(lambda: source(body), weights_only=False)


def test_readinto_is_used():
    ReadsInto.into = 0
    ptio.load(ReadsInto(body_of(torch.ones(100000))))
    assert ReadsInto.into > 400000


@pytest.mark.parametrize("form", [str, pathlib.Path])
def test_paths(path, form):
    same(form(path))


def test_path_with_other_letters(tmp_path):
    folder = tmp_path / "\u5e8f\u5217 \u00e9"
    folder.mkdir()
    torch.save(value(), folder / "\u6570.pt")
    same(folder / "\u6570.pt")
    same(str(folder / "\u6570.pt"), mmap=True)


def test_open_file(path):
    def opened():
        return open(path, "rb")

    same(opened)
    with open(path, "rb") as file:
        ptio.load(file)
        assert not file.closed


@pytest.mark.parametrize("new", [True, False])
def test_gzip(tmp_path, new):
    path = tmp_path / "a.pt.gz"
    with gzip.open(path, "wb") as file:
        torch.save(value(), file, _use_new_zipfile_serialization=new)
    with gzip.open(path, "rb") as file:
        assert not alike.difference(value()["base"], ptio.load(file)["base"])


@pytest.mark.parametrize("new", [True, False])
def test_offset(new):
    body = b"header" + body_of(value(), _use_new_zipfile_serialization=new)

    def opened():
        file = io.BytesIO(body)
        file.seek(6)
        return file

    same(opened)


def test_several_objects_in_a_stream():
    body = b"".join(body_of(x, _use_new_zipfile_serialization=False) for x in (value(), [1], torch.ones(3))) + b"rest"
    for load in (torch.load, ptio.load):
        file = io.BytesIO(body)
        assert load(file)["n"] == [1, "a"]
        assert load(file) == [1]
        assert load(file).tolist() == [1, 1, 1]
        assert file.read() == b"rest"


def test_between_other_pickles():
    """As PyTorch's test_serialization_offset has it."""
    file = io.BytesIO()
    pickle.dump(41, file)
    torch.save(torch.arange(5), file, _use_new_zipfile_serialization=False)
    pickle.dump(42, file)
    file.seek(0)
    assert pickle.load(file) == 41
    assert ptio.load(file).tolist() == [0, 1, 2, 3, 4]
    assert pickle.load(file) == 42


def test_no_such_file(tmp_path):
    same_error(str(tmp_path / "no.pt"), FileNotFoundError)
    for load in (torch.load, ptio.load):
        with pytest.raises(IsADirectoryError):
            load(str(tmp_path))


def test_no_file_at_all():
    same_error(lambda: 17, AttributeError)
    with pytest.raises(Exception):
        ptio.load(io.StringIO("text"))


def test_without_seek():
    class NoSeek:
        def __init__(self):
            self.file = io.BytesIO(body_of(1))

        def read(self, *n):
            return self.file.read(*n)

        def readline(self):
            return self.file.readline()

    with pytest.raises(AttributeError, match="You can only torch.load from a file that is seekable"):
        ptio.load(NoSeek())


def test_exception_of_a_source():
    class Failing(Least):
        def read(self, n=-1):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        ptio.load(Failing(body_of(value())))


@pytest.mark.parametrize("body", [b"", b"P", b"PK\3\4", b"hello, world", b"\x80\2", b"\0" * 1000])
def test_no_checkpoint(body):
    for load in (torch.load, ptio.load):
        with pytest.raises((EOFError, RuntimeError, pickle.UnpicklingError)) as raised:
            load(io.BytesIO(body), weights_only=False)
    if not body:
        assert raised.type is EOFError


def test_cut_files(path):
    body = pathlib.Path(path).read_bytes()
    for size in range(1, len(body), max(1, len(body) // 60)):
        with pytest.raises((EOFError, RuntimeError, pickle.UnpicklingError)):
            ptio.load(io.BytesIO(body[:size]))


# ---------------------------------------------------------------------------------------------------------------------
# mmap


def test_mmap_is_private(path):
    loaded = ptio.load(path, mmap=True)
    loaded["base"].zero_()
    assert torch.load(path)["base"].sum() == 66


def test_mmap_shared(path):
    import mmap
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        ptio.load(path, mmap=True)["base"].zero_()
    assert torch.load(path)["base"].sum() == 0
    ptio.load(path, mmap=True)["base"].fill_(1)
    assert torch.load(path)["base"].sum() == 0


def test_mmap_by_configuration(path):
    config.load.mmap = True
    try:
        same(path)
        ptio.load(path)["base"].zero_()  # which has not been read into memory, and stays in it
        same_error(lambda: io.BytesIO(body_of(1)), ValueError)
    finally:
        config.load.mmap = False
    same(path)


def test_mmap_errors(tmp_path):
    torch.save(1, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    same_error(str(tmp_path / "old.pt"), RuntimeError, mmap=True)
    same_error(lambda: io.BytesIO(body_of(1)), ValueError, mmap=True)


def test_mmap_outlives_the_file(path):
    loaded = ptio.load(path, mmap=True)
    os.unlink(path)
    assert loaded["base"].sum() == 66


# ---------------------------------------------------------------------------------------------------------------------
# weights_only


def test_refused(nothing_allowed):
    body = body_of([Point(1, 2)])
    same_error(lambda: io.BytesIO(body), pickle.UnpicklingError)
    same(lambda: io.BytesIO(body), weights_only=False)


def test_blocked():
    class Evil:
        def __reduce__(self):
            return os.system, ("exit 1",)

    body = body_of(Evil())
    same_error(lambda: io.BytesIO(body), pickle.UnpicklingError)


def test_never_runs_what_it_refuses():
    ran = []
    module = types.ModuleType("evil")
    module.run = lambda *a: ran.append(a)
    module.run.__module__, module.run.__qualname__ = "evil", "run"
    sys.modules["evil"] = module
    try:

        class Evil:
            def __reduce__(self):
                return module.run, (1,)

        with pytest.raises(pickle.UnpicklingError, match="GLOBAL evil.run was not an allowed global"):
            ptio.load(io.BytesIO(body_of([torch.ones(1), Evil()])))
    finally:
        del sys.modules["evil"]
    assert not ran


def test_allowed_by_torch(nothing_allowed):
    body = body_of([Point(1, torch.ones(1)), Stated()])
    with torch.serialization.safe_globals([Point, Stated]):
        loaded = same(lambda: io.BytesIO(body))
    assert type(loaded[0]) is Point and loaded[1].restored
    same_error(lambda: io.BytesIO(body), pickle.UnpicklingError)


def test_allowed_by_ptio(nothing_allowed):
    ptio.serialization.add_safe_globals([Point])
    assert Point in torch.serialization.get_safe_globals() and Point in ptio.serialization.get_safe_globals()
    same(lambda: io.BytesIO(body_of(Point(1, 2))))
    ptio.serialization.clear_safe_globals()
    assert not torch.serialization.get_safe_globals() and not ptio.serialization.get_safe_globals()
    same_error(lambda: io.BytesIO(body_of(Point(1, 2))), pickle.UnpicklingError)


def test_allowed_under_another_name(nothing_allowed):
    body = body_of(Point(1, 2)).replace(b"Point", b"Pqint")
    with torch.serialization.safe_globals([(Point, "test_load.Pqint")]):
        try:
            same(lambda: io.BytesIO(body))
        except RuntimeError:  # its checksum
            pytest.fail("the file does not load")


def test_unsafe_globals(tmp_path):
    for name in ("checkpoint_adam.pt", "seed_state_dict.pt", "every_dtype.pt", "numpy_arrays.pt"):
        path = CORPUS / "2.13.0" / name
        if path.exists():
            assert sorted(ptio.serialization.get_unsafe_globals_in_checkpoint(path)) == sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    torch.save([Point(1, 2), Stated()], tmp_path / "a.pt")
    assert sorted(ptio.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "a.pt")) == ["test_load.Point", "test_load.Stated"]


@pytest.mark.parametrize("variable", ["TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
@pytest.mark.parametrize("text", ["1", "y", "yes", "true", "TRUE", "0", "", "no"])
@pytest.mark.parametrize("weights_only", [None, True, False])
def test_environment(monkeypatch, nothing_allowed, variable, text, weights_only):
    monkeypatch.setenv(variable, text)
    body = body_of(Point(1, 2))
    warned, outcomes = [], []
    for load in (torch.load, ptio.load):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcomes.append(alike.outcome_as_it_is(load, io.BytesIO(body), weights_only=weights_only))
        warned.append([(w.category, str(w.message)) for w in caught])
    assert outcomes[0][0] == outcomes[1][0] and str(outcomes[0][1]) == str(outcomes[1][1])
    assert warned[0] == warned[1]


def test_both_variables(monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    same_error(lambda: io.BytesIO(body_of(1)), RuntimeError)


def test_pickle_module():
    same_error(lambda: io.BytesIO(body_of(1)), RuntimeError, pickle_module=pickle, weights_only=True)
    body = body_of(value())
    same(lambda: io.BytesIO(body), pickle_module=pickle)


@pytest.mark.parametrize("arguments", [(), (1, 2, 3, 4)])
def test_wrong_arguments(arguments):
    for load in (torch.load, ptio.load):
        with pytest.raises(TypeError):
            load(*arguments)


# ---------------------------------------------------------------------------------------------------------------------
# What PyTorch is set to


def test_endianness():
    body = (CORPUS / "extra" / "endian" / "big_no_byteorder.pt").read_bytes()
    for order in torch.serialization.LoadEndianness:
        before = torch.serialization.get_default_load_endianness()
        torch.serialization.set_default_load_endianness(order)
        try:
            same(lambda: io.BytesIO(body))
        finally:
            torch.serialization.set_default_load_endianness(before)


def test_fake_mode(path):
    from torch._subclasses.fake_tensor import FakeTensorMode
    loaded = []
    for load in (torch.load, ptio.load):
        with FakeTensorMode():
            loaded.append(load(path))
    theirs, ours = (x["base"] for x in loaded)
    assert type(theirs) is type(ours) and (theirs.shape, theirs.dtype, theirs.device) == (ours.shape, ours.dtype, ours.device)
    assert theirs.untyped_storage()._checkpoint_offset == ours.untyped_storage()._checkpoint_offset


def test_skip_data(path):
    with torch.serialization.skip_data():
        loaded = ptio.load(path)
    assert loaded["base"].shape == (3, 4) and loaded["base"].untyped_storage().nbytes() == 48
    assert loaded["view"].untyped_storage()._cdata == loaded["base"].untyped_storage()._cdata


def test_torchscript():
    path = str(CORPUS / "extra" / "archives" / "scripted_small.pt")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs, ours = torch.load(path, weights_only=False), ptio.load(path, weights_only=False)
    assert type(theirs) is type(ours)
    assert len({str(w.message) for w in caught if w.category is UserWarning}) == 1
    same_error(path, RuntimeError, weights_only=True)


# ---------------------------------------------------------------------------------------------------------------------
# What a loaded object is


def test_state_dict_metadata(path):
    state = same(path)["state"]
    assert isinstance(state, collections.OrderedDict) and "version" in state._metadata[""]
    torch.nn.Linear(2, 3).load_state_dict(state)


def test_storages_are_their_own(path):
    """Each is as large as it was: writing again writes no more."""
    loaded = ptio.load(path)
    assert loaded["base"].untyped_storage().nbytes() == 48
    assert loaded["view"].data_ptr() == loaded["base"].data_ptr() + 4
    out = io.BytesIO()
    torch.save(loaded, out)
    assert abs(len(out.getvalue()) - os.path.getsize(path)) < 2000


def test_tensors_can_be_used(path):
    loaded = ptio.load(path)
    base = loaded["base"]
    base += 1
    assert loaded["view"][0, 0] == 2
    parameter = loaded["parameter"]
    (parameter * 2).sum().backward()
    assert parameter.grad.tolist() == [2, 2]
    assert base.numpy().base is not None and base.share_memory_().is_shared()


def test_alignment(path):
    assert all(t.data_ptr() % 64 == 0 for t in (ptio.load(path)["base"], ptio.load(io.BytesIO(pathlib.Path(path).read_bytes()))["base"]))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_names_of_python_2(protocol):
    """weights_only takes them whatever the protocol, pickle before protocol 3 only."""
    buffer = io.BytesIO()
    pickled = b"\x80" + bytes([protocol]) + b"c__builtin__\nset\n(]K\x01atR."
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
    for weights_only in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert not alike.loaded_difference(lambda: io.BytesIO(buffer.getvalue()), weights_only=weights_only)
