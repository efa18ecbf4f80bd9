"""What works where there is no PyTorch, with nothing but NumPy to compare: these tests run in a Python that has no PyTorch, too."""
import collections
import importlib.util
import io

import numpy as np
import pytest

from bare import Bare

NAMES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "complex128", "uint16", "uint32", "uint64"]


@pytest.fixture(scope="module")
def bare():
    return Bare()


def again(bare, value, **options):
    """Not all that is saved here is what weights_only takes: frozensets, late dtypes in a stream."""
    file = io.BytesIO()
    bare.save(value, file, **options)
    return bare.load(io.BytesIO(file.getvalue()), weights_only=False)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize("name", NAMES)
def test_arrays_come_back(bare, name, legacy):
    array = np.arange(24).reshape(2, 3, 4).astype(name)
    got = again(bare, {"a": array, "t": array.T, "part": array[1, ::2], "scalar": array[1, 1, 1, ...], "empty": array[:0]}, _use_new_zipfile_serialization=not legacy)
    for key, expected in (("a", array), ("t", array.T), ("part", array[1, ::2]), ("scalar", array[1, 1, 1, ...]), ("empty", array[:0])):
        assert repr(got[key].dtype) == "torch." + name and got[key].shape == expected.shape
        assert np.array_equal(got[key].numpy(), expected) and got[key].numpy().dtype == expected.dtype
        assert got[key].tolist() == expected.tolist()
    assert np.shares_memory(got["a"].numpy(), got["t"].numpy())


def test_values_come_back(bare):
    state = collections.OrderedDict([("w", np.ones(2, np.float32))])
    state._metadata = {"": {"version": 1}}
    value = {"numbers": [1, -2.5, 2**70, True, None, 1j], "texts": ["a", "\u20ac", b"\xff", bytearray(b"x")], "sets": [{1}, frozenset([2]), (3,)], "state": state}
    got = again(bare, value)
    assert {key: item for key, item in got.items() if key != "state"} == {key: item for key, item in value.items() if key != "state"}
    assert type(got["state"]) is collections.OrderedDict and got["state"]._metadata == state._metadata
    got["self"] = got
    assert (lambda twice: twice["self"] is twice)(again(bare, got))


def test_files_are_opened(bare, tmp_path):
    array = np.arange(20, dtype=np.float32).reshape(4, 5)
    bare.save({"model": {"a": array, "b": [array[0]]}}, tmp_path / "x.pt")
    with bare.open(tmp_path / "x.pt") as f:
        assert f.keys() == ["model.a", "model.b.0"]
        assert np.array_equal(f["model.a"].numpy(), array) and f.get_slice("model.a")[1:3, ::2].tolist() == array[1:3, ::2].tolist()


def test_dtypes_of_ml_dtypes(bare):
    """With the package ml_dtypes they are arrays, without it an error names it."""
    (got,) = again(bare, [np.arange(4, dtype=np.float32)])
    assert got.tolist() == [0, 1, 2, 3]
    if importlib.util.find_spec("ml_dtypes"):
        import ml_dtypes

        for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"):
            array = np.array([0.5, 1, 2], np.float32).astype(getattr(ml_dtypes, name))
            (got,) = again(bare, [array])
            assert repr(got.dtype) == "torch." + name and got.numpy().dtype == array.dtype and got.tolist() == [0.5, 1, 2]
            assert np.asarray(got).tobytes() == array.tobytes()
