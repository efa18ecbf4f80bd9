"""ptio.Tensor: what ptio.load() gives where PyTorch cannot be imported, beside what PyTorch says of the same file."""
import collections
import copy
import io
import pickle

import numpy as np
import pytest
import torch

from bare import Bare, hidden, memory


@pytest.fixture(scope="module")
def bare():
    return Bare()


def saved(value, tmp_path, name="a.pt", **options):
    path = tmp_path / name
    torch.save(value, path, **options)
    return path


def several():
    torch.manual_seed(0)
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "base": base, "view": base[1:3, ::2], "transposed": base.t(), "expanded": torch.ones(1, 3).expand(4, 3), "scalar": torch.tensor(3),
        "empty": torch.empty(0, 3), "empty in the middle": torch.empty(2, 0, 3), "parameter": torch.nn.Parameter(torch.ones(2)),
        "requires_grad": torch.ones(2, requires_grad=True), "conj": torch.randn(3, dtype=torch.complex64).conj(),
        "neg": torch.randn(3, dtype=torch.complex64).conj().imag, "big": torch.randn(50, 50), "bool": torch.tensor([True, False]),
    }
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128, torch.float8_e4m3fn,
                  torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz):
        tensors[str(dtype)] = torch.randn(3, 2).to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64):
        tensors[str(dtype)] = torch.arange(6).reshape(2, 3).to(dtype)
    return tensors


def composed():
    eye = torch.eye(4)
    return {
        "coo": eye.to_sparse(), "csr": eye.to_sparse_csr(), "csc": eye.to_sparse_csc(), "bsr": eye.to_sparse_bsr((2, 2)),
        "quantized": torch.quantize_per_tensor(torch.randn(5), 0.1, 3, torch.qint8), "meta": torch.empty(3, device="meta"),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    }


def test_tells_what_torch_tells(bare, tmp_path):
    path = saved(several(), tmp_path)
    for name, expected in torch.load(path).items():
        got = bare.load(path)[name]
        assert type(got) is bare.Tensor
        assert (got.shape, got.ndim, got.dim()) == (tuple(expected.shape), expected.ndim, expected.dim()), name
        assert (got.size(), got.stride(), got.storage_offset()) == (tuple(expected.shape), expected.stride(), expected.storage_offset()), name
        assert (got.numel(), got.nbytes, got.itemsize, got.element_size()) == (
            expected.numel(), expected.nbytes, expected.itemsize, expected.element_size()), name
        assert (repr(got.dtype), got.device, got.layout) == (str(expected.dtype), "cpu", "torch.strided"), name
        assert (got.requires_grad, got.is_contiguous(), got.is_sparse, got.is_quantized) == (
            expected.requires_grad, expected.is_contiguous(), False, False), name
        assert got.is_parameter == isinstance(expected, torch.nn.Parameter)
        if expected.ndim:
            assert got.size(-1) == expected.size(-1) and got.stride(0) == expected.stride(0) and len(got) == len(expected)
        with pytest.raises(IndexError) as problem:
            got.size(5)
        with pytest.raises(IndexError) as said:
            expected.size(5)
        assert str(problem.value) == str(said.value)


def test_prints_as_torch(bare, tmp_path):
    values = {**several(), **composed()}
    path = saved(values, tmp_path)
    expected, got = torch.load(path, weights_only=False), bare.load(path, weights_only=False)
    for name in values:
        assert repr(got[name]) == repr(expected[name]), name


def test_elements_as_numbers(bare, tmp_path):
    path = saved(several(), tmp_path)
    for name, expected in torch.load(path).items():
        got = bare.load(path)[name]
        assert got.tolist() == expected.tolist(), name
        if expected.numel() == 1:
            assert got.item() == expected.item() and type(got.item()) is type(expected.item())
        else:
            for tensor in (got, expected):
                with pytest.raises(RuntimeError, match="cannot be converted to Scalar"):
                    tensor.item()


def test_numpy_is_the_same_memory(bare, tmp_path):
    tensors = {name: t for name, t in several().items() if t.dtype in (torch.float32, torch.int64, torch.complex64, torch.bool, torch.uint16)}
    path = saved(tensors, tmp_path)
    for name, expected in torch.load(path).items():
        got = bare.load(path)[name].numpy()
        expected = expected.detach().resolve_conj().resolve_neg().numpy()
        assert got.dtype == expected.dtype and got.shape == expected.shape and np.array_equal(got, expected), name
        assert got.flags.writeable
    loaded = bare.load(path)
    base = loaded["base"].numpy()
    base[:] += 100
    assert loaded["view"].tolist() == (torch.load(path)["view"] + 100).tolist()
    assert np.shares_memory(base, loaded["transposed"].numpy()) and np.shares_memory(base, np.asarray(loaded["base"]))
    del loaded
    assert base[3, 5] == 123


def test_numpy_without_ml_dtypes(child, tmp_path):
    path = saved([torch.tensor([1.5, 2]).bfloat16(), torch.ones(2).to(torch.float8_e5m2)], tmp_path)
    said = child("""
        import sys
        sys.modules["torch"] = sys.modules["ml_dtypes"] = None
        import ptio
        for tensor in ptio.load(sys.argv[1]):
            try:
                tensor.numpy()
            except TypeError as problem:
                print(problem)
        """, path)
    assert said == ("NumPy has bfloat16 only with the package ml_dtypes, which cannot be imported\n"
                    "NumPy has float8_e5m2 only with the package ml_dtypes, which cannot be imported\n")


def test_numpy_with_ml_dtypes(child, tmp_path):
    """Whether it is that package or another module of its name: a scalar type of two bytes."""
    path = saved([torch.tensor([1.5, 2]).bfloat16()], tmp_path)
    assert child("""
        import sys, types, numpy
        sys.modules["torch"] = None
        sys.modules["ml_dtypes"] = types.SimpleNamespace(bfloat16=numpy.uint16)
        import ptio
        (tensor,) = ptio.load(sys.argv[1])
        print(tensor.numpy().tolist(), tensor.numpy().dtype)
        """, path) == "[16320, 16384] uint16\n"


def test_copies_of_what_is_no_plain_memory(bare, tmp_path):
    values = composed()
    path = saved(values, tmp_path)
    expected, got = torch.load(path), bare.load(path)
    for name in ("coo", "csr", "csc", "bsr"):
        assert got[name].layout == str(expected[name].layout) and got[name].is_sparse == (name == "coo")
        assert np.array_equal(got[name].numpy(), expected[name].to_dense().numpy()), name
        assert np.array_equal(got[name].to_dense().numpy(), expected[name].to_dense().numpy()), name
    assert got["quantized"].is_quantized
    assert np.array_equal(got["quantized"].numpy(), expected["quantized"].dequantize().numpy())
    assert got["quantized"].dequantize().tolist() == expected["quantized"].dequantize().tolist()
    assert got["meta"].device == "meta"
    for name in ("meta", "nested"):
        with pytest.raises(TypeError):
            got[name].numpy()
    for name in values:
        with pytest.raises(BufferError):
            memoryview(got[name])
        with pytest.raises(TypeError):
            got[name][0]
    with pytest.raises(TypeError, match="no shape"):
        got["nested"].shape


@pytest.mark.parametrize("flags", ["C", "F", "A"])
def test_buffers(bare, tmp_path, flags):
    tensors = several()
    path = saved(tensors, tmp_path)
    for name, got in bare.load(path).items():
        expected = tensors[name].detach()
        if expected.dtype in (torch.bfloat16,) or "float8" in str(expected.dtype):
            with pytest.raises(BufferError, match="no format"):
                memoryview(got)
            continue
        if expected.is_conj() or expected.is_neg():
            continue
        view = memoryview(got)
        array = expected.numpy()
        assert (view.shape, view.itemsize, view.nbytes, view.readonly) == (array.shape, array.itemsize, array.nbytes, False), name
        assert array.size == 0 or view.strides == array.strides, name
        assert np.dtype(np.asarray(view).dtype) == array.dtype and np.array_equal(np.asarray(view), array), name
        assert view.c_contiguous == array.flags.c_contiguous, name
        assert bytes(view.tobytes(order=flags) if view.format[0] != "Z" else array.tobytes()) == (
            array.tobytes(order=flags) if view.format[0] != "Z" else array.tobytes()), name
    with pytest.raises(BufferError):
        io.BytesIO().write(bare.load(path)["view"])
    assert io.BytesIO(bare.load(path)["base"]).getvalue() == tensors["base"].numpy().tobytes()


def test_dlpack_to_torch_and_numpy(bare, tmp_path):
    tensors = {name: t for name, t in several().items() if not t.is_conj() and not t.is_neg()}
    path = saved(tensors, tmp_path)
    loaded = bare.load(path)
    for name, got in loaded.items():
        taken = torch.from_dlpack(got)
        assert taken.dtype == tensors[name].dtype and torch.equal(taken.to(torch.complex64), tensors[name].detach().to(torch.complex64)), name
    torch.from_dlpack(loaded["base"])[0, 0] = 77
    assert loaded["base"][0, 0].item() == 77 and np.from_dlpack(loaded["base"])[0, 0] == 77
    taken = torch.from_dlpack(loaded["base"])
    del loaded
    assert taken[0, 0] == 77


def test_dlpack_protocol(bare, tmp_path):
    got = bare.load(saved({"a": torch.arange(4.), "c": torch.ones(2, dtype=torch.complex64).conj()}, tmp_path))
    a = got["a"]
    assert a.__dlpack_device__() == (1, 0)
    assert '"dltensor"' in repr(a.__dlpack__()) and '"dltensor"' in repr(a.__dlpack__(max_version=(0, 8)))
    assert '"dltensor_versioned"' in repr(a.__dlpack__(max_version=(1, 1), dl_device=(1, 0), copy=False))
    taken = torch.from_dlpack(a.__dlpack__(copy=True))
    taken[0] = 9
    assert a.tolist() == [0, 1, 2, 3] and taken.tolist() == [9, 1, 2, 3]
    for options in ({"dl_device": (2, 0)}, {"stream": 1}):
        with pytest.raises(BufferError):
            a.__dlpack__(**options)
    for options in ({"max_version": 1}, {"dl_device": 1}):
        with pytest.raises(TypeError):
            a.__dlpack__(**options)
    with pytest.raises(BufferError, match="conjugate"):
        got["c"].__dlpack__()


def test_array_protocol(bare, tmp_path):
    got = bare.load(saved([torch.arange(4.)], tmp_path))[0]
    assert np.asarray(got, dtype="int32").tolist() == [0, 1, 2, 3]
    assert np.shares_memory(got.__array__(), got.numpy()) and not np.shares_memory(got.__array__(copy=True), got.numpy())
    assert got.__array__("float64").dtype == np.float64
    with pytest.raises(ValueError):
        got.__array__("float64", copy=False)


INDICES = [0, -1, 3, slice(1, 3), slice(None, None, 2), slice(-2, None), slice(5, 2), slice(10, 20), (1, 2), (slice(1, 3), 1), (slice(None), slice(0, 6, 3)),
           ..., (..., 1), (1, ...), (1, ..., 2), (), (slice(None), -1), np.int64(2)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indices(bare, tmp_path, index):
    base = torch.arange(24.).reshape(4, 6)
    loaded = bare.load(saved([base, base.t()], tmp_path))
    for got, expected in zip(loaded, (base, base.t())):
        part, expected = got[index], expected[index]
        assert part.tolist() == expected.tolist() and part.shape == tuple(expected.shape) and part.stride() == expected.stride()
        assert expected.numel() == 0 or part.storage_offset() == expected.storage_offset()
        assert repr(part) == repr(expected)
        assert part[...].tolist() == expected.tolist()


@pytest.mark.parametrize("index", [9, -5, (0, 6), (0, 0, 0), slice(None, None, -1), 2**70], ids=str)
def test_refused_indices(bare, tmp_path, index):
    base = torch.arange(24.).reshape(4, 6)
    (got,) = bare.load(saved([base], tmp_path))
    with pytest.raises((IndexError, ValueError)) as problem:
        got[index]
    if index != 2**70:
        with pytest.raises(type(problem.value)) as said:
            base[index]
        assert str(problem.value) == str(said.value)
    for other in ([1], True, None, "a"):
        with pytest.raises(TypeError, match="numpy"):
            got[other]


def test_as_a_sequence_and_a_number(bare, tmp_path):
    got = bare.load(saved({"v": torch.arange(6.).reshape(3, 2), "i": torch.tensor([3]), "f": torch.tensor(0.5), "z": torch.tensor(0),
                           "c": torch.tensor(1 + 2j)}, tmp_path))
    assert [row.tolist() for row in got["v"]] == [[0, 1], [2, 3], [4, 5]]
    assert range(9)[got["i"]] == 3 and int(got["i"]) == 3 and float(got["f"]) == 0.5 and complex(got["c"]) == 1 + 2j
    assert bool(got["i"]) and not got["z"]
    for wrong in (lambda: bool(got["v"]), lambda: float(got["v"])):
        with pytest.raises(RuntimeError):
            wrong()
    for wrong in (lambda: len(got["f"]), lambda: list(got["f"]), lambda: range(9)[got["f"]]):
        with pytest.raises(TypeError):
            wrong()


def test_copies(bare, tmp_path):
    got = bare.load(saved([torch.arange(6.).reshape(2, 3).t()], tmp_path))[0]
    for made in (got.clone(), copy.deepcopy(got), got.contiguous()):
        assert made.is_contiguous() and made.tolist() == got.tolist() and not np.shares_memory(made.numpy(), got.numpy())
    assert got.detach() is got and got.cpu() is got and got.clone().contiguous() is not got


def test_what_it_is_not(bare, tmp_path):
    got = bare.load(saved([torch.ones(1)], tmp_path))[0]
    with pytest.raises(TypeError, match="ptio.save"):
        pickle.dumps(got)
    with pytest.raises(TypeError):
        bare.Tensor()
    with pytest.raises(TypeError):
        type("Mine", (bare.Tensor,), {})
    with pytest.raises(AttributeError):
        got.attribute = 1


def test_dtypes(bare, tmp_path):
    names = ["float32", "bfloat16", "int64", "bool", "complex64", "float8_e4m3fn", "uint16", "qint8"]
    loaded = bare.load(saved([getattr(torch, name) for name in names], tmp_path))
    for dtype, name in zip(loaded, names):
        expected = getattr(torch, name)
        assert dtype is bare.dtype(name) and dtype == bare.dtype(str(expected)) and hash(dtype) == hash(bare.dtype(name))
        assert (repr(dtype), dtype.name, dtype.itemsize) == (str(expected), name, expected.itemsize)
        assert (dtype.is_floating_point, dtype.is_complex) == (expected.is_floating_point, expected.is_complex)
        assert copy.deepcopy(dtype) is dtype
    assert len(set(loaded)) == len(names)
    with pytest.raises(ValueError):
        bare.dtype("float31")


def test_other_values(bare, tmp_path):
    state = torch.nn.Linear(2, 2).state_dict()
    value = {"size": torch.Size([2, 3]), "device": torch.device("cuda:1"), "layout": torch.sparse_coo, "state": state, "list": [1, 2.5, None, 2**100],
             "storage": torch.arange(3.).untyped_storage(), "again": None, "array": np.arange(3)}
    value["again"] = value["storage"]
    got = bare.load(saved(value, tmp_path), weights_only=False)
    assert got["size"] == (2, 3) and type(got["size"]) is tuple
    assert (got["device"], got["layout"], got["list"]) == ("cuda:1", "torch.sparse_coo", [1, 2.5, None, 2**100])
    assert type(got["state"]) is collections.OrderedDict and got["state"]._metadata == state._metadata
    assert type(got["array"]) is np.ndarray and got["array"].tolist() == [0, 1, 2]
    assert type(got["storage"]) is bare.Tensor and got["again"] is got["storage"]
    assert got["storage"].shape == (12,) and bytes(got["storage"]) == torch.arange(3.).numpy().tobytes()


def test_shared_tensors_are_one(bare, tmp_path):
    a = torch.ones(2)
    got = bare.load(saved({"a": a, "b": a, "c": a[:1]}, tmp_path))
    assert got["a"] is got["b"] and np.shares_memory(got["a"].numpy(), got["c"].numpy())


def test_classes_of_torch_are_named(bare, tmp_path):
    path = saved(torch.nn.Linear(1, 1), tmp_path)
    with pytest.raises(ModuleNotFoundError, match="torch.nn.modules.linear.Linear"):
        bare.load(path, weights_only=False)
    with pytest.raises(pickle.UnpicklingError, match="torch.nn.modules.linear.Linear"):
        bare.load(path)


class Settings:
    def __init__(self, rate):
        self.rate = rate


def test_allowed_classes(bare, tmp_path):
    path = saved({"settings": Settings(0.5), "t": torch.ones(1)}, tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="Settings"):
        bare.load(path)
    with hidden():
        bare.serialization.add_safe_globals([Settings])
    try:
        got = bare.load(path)
        assert type(got["settings"]) is Settings and got["settings"].rate == 0.5
    finally:
        with hidden():
            bare.serialization.clear_safe_globals()
    assert type(bare.load(path, weights_only=False)["settings"]) is Settings


def test_nested_tensors_need_no_module(bare, tmp_path):
    """PyTorch's weights_only takes them once torch.nested was imported."""
    path = saved(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), tmp_path)
    got = bare.load(path)
    assert type(got) is bare.Tensor and got.layout == "torch.jagged" and repr(got).startswith("NestedTensor(size=(2, j")


def test_map_location(bare, tmp_path):
    path = saved({"a": torch.ones(2), "b": torch.ones(3)}, tmp_path)
    asked = []
    for where in (None, "cpu", {"cuda:0": "cpu"}, lambda storage, tag: asked.append((storage.nbytes, tag)), lambda storage, tag: storage):
        assert bare.load(path, map_location=where)["a"].device == "cpu"
    assert asked == [(8, "cpu"), (12, "cpu")]
    assert bare.load(path, map_location="meta")["a"].device == "meta"
    with pytest.raises(RuntimeError):
        bare.load(path, map_location="nowhere")
    with pytest.raises(TypeError, match="storage"):
        bare.load(path, map_location=lambda storage, tag: 1)
    with pytest.raises(ZeroDivisionError):
        bare.load(path, map_location=lambda storage, tag: 1 / 0)


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "stream"])
def test_sources(bare, tmp_path, options):
    path = saved([torch.arange(4.)], tmp_path, **options)
    assert bare.load(io.BytesIO(path.read_bytes()))[0].tolist() == [0, 1, 2, 3]
    with open(path, "rb") as file:
        tensor = bare.load(file)[0]
    assert tensor.numpy().tolist() == [0, 1, 2, 3]
    if not options:
        mapped = bare.load(path, mmap=True)[0]
        mapped.numpy()[0] = 5
        assert mapped.tolist() == [5, 1, 2, 3] and bare.load(path)[0].tolist() == [0, 1, 2, 3]


def test_memory_goes(bare, tmp_path):
    path = saved({**several(), "much": torch.zeros(200_000)}, tmp_path)
    kept = []

    def once(i):
        loaded = bare.load(path, mmap=bool(i % 2))
        for tensor in loaded.values():
            repr(tensor)
        kept[:] = [loaded["much"][5:9], loaded["base"].numpy(), memoryview(loaded["base"]), loaded["base"].__dlpack__()]

    for i in range(20):
        once(i)
    before = memory()
    for i in range(200):
        once(i)
    assert memory() - before < 2000
