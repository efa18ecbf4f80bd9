"""ptio.save() where PyTorch cannot be imported: the files are those that torch.save() writes for tensors of the same arrays."""
import collections
import io
import pathlib
import random
import sys

import numpy as np
import pytest
import torch

from bare import Bare, memory
from conftest import share


@pytest.fixture(scope="module")
def bare():
    return Bare()


class Exporter:
    """Something of which only __dlpack__() is known."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OldExporter(Exporter):
    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()


def as_tensors(value, known=None):
    """The same with tensors in the place of arrays; views of one array of one storage."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    if type(value) is np.ndarray:
        base = value.base if type(value.base) is np.ndarray else value
        whole = known.setdefault(("base", id(base)), torch.from_numpy(base))
        start = (value.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // base.itemsize
        made = whole if base is value else torch.as_strided(whole, value.shape, [step // base.itemsize for step in value.strides], start)
    elif type(value) in (dict, collections.OrderedDict):
        made = known[id(value)] = type(value)()
        made.update({as_tensors(key, known): as_tensors(item, known) for key, item in value.items()})
        if hasattr(value, "_metadata"):
            made._metadata = as_tensors(value._metadata, known)
    elif type(value) is list:
        made = known[id(value)] = []
        made.extend(as_tensors(item, known) for item in value)
    elif type(value) is tuple:
        made = tuple([as_tensors(item, known) for item in value])
        made = known.get(id(value), made)  # it may hold itself
    else:
        return value
    known[id(value)] = made
    return made


def saved(save, value, **options):
    file = io.BytesIO()
    save(value, file, **options)
    return file.getvalue()


def state_dict():
    state = collections.OrderedDict([("fc.weight", np.ones((2, 3), np.float32)), ("fc.bias", np.zeros(2, np.float32))])
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("fc", {"version": 1})])
    return state


def cyclic_list():
    value = [1, "a"]
    value.append(value)
    return value


def cyclic_tuple():
    value = ([], 1)
    value[0].append(value)
    return [value, value[0]]


def cyclic_dict():
    value = {"a": 1}
    value["self"] = [value]
    return value


text, array, base = "".join(["not", " interned"]), np.arange(12, dtype=np.float32).reshape(3, 4), np.arange(24, dtype=np.int64).reshape(4, 6)
VALUES = {
    "none": None, "numbers": [0, 1, 255, 256, 65536, -1, -(2**31), 2**31, 2**63, -(2**63), 2**80, -(2**70), 1.5, float("inf"), True, False],
    "texts": ["", "a", "\xe9", "\u20ac" * 300, text, text, "".join(["again", "!"]), "\ud800", "nul\0"], "complex": [1 + 2j],
    "bytes": [b"", b"a", b"\x00\xff" * 200, bytearray(b"abc"), bytearray()], "containers": [[], {}, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {1, 2}, frozenset([3])],
    "keys": {1: 1, "a": 2, (1, 2): 3, None: 4, 1.5: 5, b"b": 6, frozenset([1]): 7}, "long": list(range(3000)), "long dict": {i: str(i) for i in range(2500)},
    "state": state_dict(), "ordered": collections.OrderedDict([(1, 2)]), "cyclic list": cyclic_list(), "cyclic tuple": cyclic_tuple(), "cyclic dict": cyclic_dict(),
    "words": {"cpu": array, "storage": 1, "latin1": b"\xff\xfe", "_metadata": 2}, "array": array, "twice": [array, array], "transposed": {"t": array.T},
    "shared": [array, array[1:], array[:, 1], array[::2]], "views before": [array[2:], array[:, 3], array], "scalar": np.array(3.5), "empty": [np.empty((0, 3)), np.empty(0)],
    "many": {"layer.%d" % i: np.full(i, i, np.float32) for i in range(300)}, "base": [base.T, base],
    "dtypes": [np.ones(3, name) for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128",
                                             "uint16", "uint32", "uint64")],
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", VALUES)
def test_bytes_are_those_of_torch(bare, name, protocol):
    value = VALUES[name]
    assert saved(bare.save, value, pickle_protocol=protocol) == saved(torch.save, as_tensors(value), pickle_protocol=protocol)


WORDS = ("storage", "cpu", "latin1", "torch", "torch._utils", "torch.storage", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "UntypedStorage", "OrderedDict", "collections",
         "_metadata", "encode", "_codecs", "builtins", "complex", "bytearray", "set", "float32", "copyreg", "little", "",
         *("%sStorage" % name for name in ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexDouble", "ComplexFloat")))


@pytest.mark.parametrize("protocol", [1, 2, 4])
@pytest.mark.parametrize("word", WORDS)
def test_words_that_pytorch_writes_too(bare, word, protocol):
    """A word in a file is one object with PyTorch's own where it is in Python: where both are interned."""
    word, other = sys.intern(word), "".join(list(word))
    arrays = [np.ones(2, name) for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128", "uint16")]
    for value in ([word, arrays, other, word], {"arrays": arrays, word: [word, other]}, [b"\xff", word, 1j, {1}, bytearray(b"ab"), other, word]):
        assert saved(bare.save, value, pickle_protocol=protocol) == saved(torch.save, as_tensors(value), pickle_protocol=protocol)


@pytest.mark.parametrize("options", [{"_disable_byteorder_record": True}, {"pickle_protocol": 1}], ids=str)
def test_options(bare, options):
    assert saved(bare.save, state_dict(), **options) == saved(torch.save, as_tensors(state_dict()), **options)


@pytest.mark.parametrize("name", [name for name in VALUES if name not in ("dtypes",)])
def test_streams_load(bare, name):
    """A stream names storages by addresses, so its bytes are not repeatable."""
    file = io.BytesIO(saved(bare.save, VALUES[name], _use_new_zipfile_serialization=False))
    loaded = torch.load(file, weights_only=False)
    assert saved(torch.save, loaded) == saved(torch.save, torch.load(io.BytesIO(saved(torch.save, as_tensors(VALUES[name]))), weights_only=False))


def test_paths(bare, tmp_path):
    for path in (tmp_path / "model.pt", str(tmp_path / "x.y.pth")):
        assert bare.save(state_dict(), path) is None
        other = tmp_path / "folder" / pathlib.Path(path).name
        other.parent.mkdir(exist_ok=True)
        torch.save(as_tensors(state_dict()), other)
        assert pathlib.Path(path).read_bytes() == other.read_bytes()


def random_value(chance, depth, pool):
    kind = chance.randrange(12 if depth else 6)
    if kind == 0 and pool:
        return chance.choice(pool)
    if kind <= 2:
        made = np.full([chance.randrange(1, 4) for _ in range(chance.randrange(3))], chance.randrange(100), chance.choice([np.float32, np.int64, np.uint8]))
        if chance.random() < 0.3 and made.ndim:
            pool.append(made[1:] if len(made) > 1 else made)
    elif kind == 3:
        return chance.choice([None, True, 2**40, 2**70, 1.25, -3, 1j])
    elif kind <= 5:
        made = chance.choice(["text", b"bytes", bytearray(b"x"), ()]) if chance.random() < 0.5 else "".join(chance.choice("abc") for _ in range(5))
    elif kind <= 8:
        made = {chance.choice(["k%d" % i, i, (i, "k")]): random_value(chance, depth - 1, pool) for i in range(chance.randrange(4))}
        if chance.random() < 0.3:
            made = collections.OrderedDict(made)
    elif kind <= 10:
        made = [random_value(chance, depth - 1, pool) for _ in range(chance.randrange(4))]
    else:
        made = tuple(random_value(chance, depth - 1, pool) for _ in range(chance.randrange(4)))
    pool.append(made)
    return made


def test_random_graphs(bare):
    for seed in range(share(2000)):
        value = random_value(random.Random(seed), 4, [])
        try:
            expected = saved(torch.save, as_tensors(value))
        except RuntimeError:
            continue  # a view of other bytes than the array begins with
        assert saved(bare.save, value) == expected, seed


def test_arrays_that_overlap_share_a_storage(bare):
    array = np.arange(10, dtype=np.float32)
    loaded = torch.load(io.BytesIO(saved(bare.save, {"a": array[2:6], "b": array[4:8], "c": array[8:]})))
    assert loaded["a"].untyped_storage().data_ptr() == loaded["b"].untyped_storage().data_ptr() and loaded["a"].untyped_storage().nbytes() == 24
    assert [loaded[name].tolist() for name in "abc"] == [[2, 3, 4, 5], [4, 5, 6, 7], [8, 9]]
    assert loaded["c"].untyped_storage().nbytes() == 8
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        bare.save([array, array.view(np.int32)], io.BytesIO())


def test_memory_maps(bare, tmp_path):
    array = np.arange(5, dtype=np.int16)
    array.tofile(tmp_path / "raw")
    mapped = np.memmap(tmp_path / "raw", np.int16)
    assert saved(bare.save, [mapped]) == saved(torch.save, [torch.from_numpy(array)])


@pytest.mark.parametrize("exporter", [Exporter, OldExporter])
def test_dlpack(bare, exporter):
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    value = {"a": exporter(array), "b": exporter(torch.ones(2, dtype=torch.bfloat16)), "c": exporter(torch.arange(3, dtype=torch.int16))}
    expected = {"a": torch.from_numpy(array), "b": torch.ones(2, dtype=torch.bfloat16), "c": torch.arange(3, dtype=torch.int16)}
    assert saved(bare.save, value) == saved(torch.save, expected)


def test_tensors_of_ptio(bare, tmp_path):
    """What was loaded is saved as torch.save() saves what torch.load() gives; its views share its storages."""
    base = torch.arange(6.).reshape(2, 3)
    value = {"p": torch.nn.Parameter(base), "t": base.t(), "sparse": torch.eye(3).to_sparse(), "half": base.half(), "storage": base.storage().untyped(),
             "conj": torch.ones(2, dtype=torch.complex64).conj(), "u": torch.ones(2, dtype=torch.uint16), "meta": torch.ones(2, device="meta")}
    del value["storage"]
    path = tmp_path / "a.pt"
    torch.save(value, path)
    loaded = bare.load(path)
    assert saved(bare.save, loaded) == saved(torch.save, torch.load(path))
    mixed = torch.load(io.BytesIO(saved(bare.save, {"all": loaded["t"], "row": loaded["p"][1], "copy": loaded["p"].clone(), "again": loaded["t"]})))
    assert mixed["row"].tolist() == [3, 4, 5] and mixed["row"].data_ptr() == mixed["all"].data_ptr() + 12 and mixed["again"] is mixed["all"]
    assert mixed["copy"].untyped_storage().data_ptr() != mixed["all"].untyped_storage().data_ptr()
    loaded["half"].numpy()[0, 0] = 9
    assert torch.load(io.BytesIO(saved(bare.save, loaded)))["half"][0, 0] == 9


def test_dtypes_and_storages(bare, tmp_path):
    path = tmp_path / "a.pt"
    torch.save([torch.float16, torch.arange(3.).untyped_storage()], path)
    loaded = torch.load(io.BytesIO(saved(bare.save, bare.load(path))), weights_only=False)
    assert loaded[0] is torch.float16 and type(loaded[1]) is torch.storage.UntypedStorage or loaded[1].nbytes() == 12


class Dict(dict):
    pass


@pytest.mark.parametrize("value, said", [
    (object(), r"obj is an object of builtins.object"),
    ({"a": [1, (2, {3: object()})]}, r"obj\['a'\]\[1\]\[1\]\[3\] is an object of builtins.object"),
    ([np.float32(1)], r"obj\[0\] is an object of numpy.float32"),
    (Dict(), r"obj is an object of .*Dict"),
    ({"a": np.array(["x"])}, r"obj\['a'\] is an array of dtype <U1"),
    ([np.array([None])], r"obj\[0\] is an array of dtype object"),
    ([np.ma.array([1], mask=[1])], r"obj\[0\] is an object of numpy.ma"),
    ({frozenset([int])}, r"obj\{0\}\{0\} is an object of builtins.type"),
    (collections.defaultdict(list), r"obj is an object of collections.defaultdict"),
])
def test_what_is_refused_is_named(bare, value, said):
    with pytest.raises(TypeError, match=said):
        bare.save(value, io.BytesIO())


def test_attributes_are_named(bare):
    value = collections.OrderedDict(a=1)
    value._metadata = {"x": int}
    with pytest.raises(TypeError, match=r"obj._metadata\['x'\]"):
        bare.save(value, io.BytesIO())


def test_arrays_that_torch_refuses(bare):
    for value in (np.arange(3.)[::-1], np.arange(3, dtype=">f4"), np.zeros(3, [("a", "u1"), ("b", "<f4")])["b"]):
        with pytest.raises(ValueError) as problem:
            bare.save([value], io.BytesIO())
        with pytest.raises(ValueError) as said:
            torch.from_numpy(value)
        assert str(problem.value) == str(said.value)


def test_wrong_calls(bare, tmp_path):
    for exception, f, options in ((RuntimeError, tmp_path / "none" / "x.pt", {}), (AttributeError, 1, {}), (ValueError, io.BytesIO(), {"pickle_protocol": 6}),
                                  (TypeError, io.BytesIO(), {"pickle_module": random})):
        with pytest.raises(exception):
            bare.save(1, f, **options)
    class Broken:
        def write(self, data):
            raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        bare.save(1, Broken())
    path = tmp_path / "x.pt"
    path.write_bytes(b"before")
    with pytest.raises(TypeError):
        bare.save([object()], path)
    assert path.read_bytes() == b"before"


def test_depth(bare):
    value = []
    for _ in range(100_000):
        value = [value]
    loaded = bare.load(io.BytesIO(saved(bare.save, value)))
    depth = 0
    while loaded:
        loaded, depth = loaded[0], depth + 1
    while value:
        value = value[0]
    assert depth == 100_000


def test_memory_goes(bare):
    value = {"a": np.zeros(50_000), "b": [Exporter(np.ones(1000)) for _ in range(5)], "c": state_dict(), "d": cyclic_list()}
    tensor = bare.load(io.BytesIO(saved(bare.save, value)))["a"]
    for i in range(220):
        if i == 20:
            before = memory()
        bare.save({**value, "t": tensor, "v": tensor[1:]}, io.BytesIO())
        with pytest.raises(TypeError):
            bare.save({**value, "wrong": object()}, io.BytesIO())
    assert memory() - before < 2000
