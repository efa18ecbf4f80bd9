"""ptio.open(): tensors by their names, each read when it is asked for; with PyTorch and without."""
import io
import os
import pickle
import threading

import numpy as np
import pytest
import torch

import ptio
from bare import Bare, memory

CLOSED = "closed file"


@pytest.fixture(scope="module", params=["torch", "bare"])
def module(request):
    return ptio if request.param == "torch" else Bare()


def tensors():
    torch.manual_seed(0)
    base = torch.arange(20.).reshape(4, 5)
    return {
        "model": {"fc.weight": base, "fc.bias": base[0]}, "list": [base.t(), base[1:3, ::2]], "scalar": torch.tensor(3), "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)), "conj": torch.ones(3, dtype=torch.complex64).mul(1j).conj(), "bfloat16": torch.ones(2, 2).bfloat16(),
        "float8": torch.ones(3).to(torch.float8_e4m3fn), "uint16": torch.arange(3).to(torch.uint16), "bool": torch.tensor([True, False]), 7: {"x": torch.ones(1)},
    }


NAMES = ["model.fc.weight", "model.fc.bias", "list.0", "list.1", "scalar", "empty", "parameter", "conj", "bfloat16", "float8", "uint16", "bool", "7.x"]


def at(value, name):
    for part in {"model.fc.weight": ["model", "fc.weight"], "model.fc.bias": ["model", "fc.bias"]}.get(name, name.split(".")):
        value = value[int(part) if part.isdigit() else part]
    return value


@pytest.fixture
def path(tmp_path):
    torch.save(tensors(), tmp_path / "a.pt")
    return tmp_path / "a.pt"


def kind(module):
    return torch.Tensor if module is ptio else module.Tensor


def test_names(module, path):
    with module.open(path) as f:
        assert f.keys() == list(f) == NAMES and len(f) == len(NAMES)
        assert "scalar" in f and "other" not in f and 7 not in f
        for wrong in ("other", 7, None):
            with pytest.raises(KeyError) as problem:
                f[wrong]
            assert problem.value.args == (wrong,)
            with pytest.raises(KeyError):
                f.get_slice(wrong)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "stream"])
@pytest.mark.parametrize("source", ["path", "file", "memory"])
def test_tensors(module, tmp_path, source, legacy):
    value = {key: item for key, item in tensors().items() if not (legacy and key in ("uint16", "float8"))}
    torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    f = tmp_path / "a.pt"
    if source == "file":
        f = open(f, "rb")
    elif source == "memory":
        f = io.BytesIO(f.read_bytes())
    with module.open(f) as opened:
        for name in opened:
            got, expected = opened[name], at(tensors(), name).detach()
            assert type(got) is kind(module) and not got.requires_grad and got.is_contiguous() and got.storage_offset() == 0
            assert (tuple(got.shape), repr(got.dtype)) == (tuple(expected.shape), repr(expected.dtype)), name
            assert got.tolist() == expected.tolist(), name
            assert repr(got) == repr(expected.resolve_conj().contiguous()), name
            assert opened.get_tensor(name).tolist() == expected.tolist()
    assert got.tolist() == expected.tolist()


INDICES = [0, -1, slice(1, 3), (slice(1, 3), 1), (..., slice(None, None, 2)), (), ..., (2, slice(4, 2)), (slice(None, None, 3), slice(-2, None)), (1, 2)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_slices(module, path, index):
    with module.open(path) as f:
        for name in ("model.fc.weight", "list.0", "conj", "scalar", "float8", "bfloat16"):
            whole = at(tensors(), name)
            part = f.get_slice(name)
            assert part.shape == tuple(whole.shape) and part.get_shape() == list(whole.shape) and repr(part.dtype) == repr(whole.dtype)
            try:
                expected = whole[index]
            except IndexError as problem:
                with pytest.raises(IndexError) as said:
                    part[index]
                assert str(said.value) == str(problem)
                continue
            got = part[index]
            assert type(got) is kind(module) and got.tolist() == expected.tolist() and tuple(got.shape) == tuple(expected.shape), name
            assert got.is_contiguous() and repr(got.dtype) == repr(expected.dtype)


def test_refused_slices(module, path):
    with module.open(path) as f:
        part = f.get_slice("model.fc.weight")
        for index, exception in ((9, IndexError), ((0, 0, 0), IndexError), (slice(None, None, -1), ValueError), ([1], TypeError), (True, TypeError), ("a", TypeError)):
            with pytest.raises(exception):
                part[index]


def test_only_what_is_needed_is_read(module, tmp_path):
    """A tensor of 64 MiB, of which rows are read from a file of holes."""
    torch.save({"big": torch.zeros(1 << 24), "small": torch.ones(3)}, tmp_path / "a.pt")

    class Counting(io.FileIO):
        read_bytes = 0

        def readinto(self, buffer):
            count = super().readinto(buffer)
            self.read_bytes += count
            return count

    file = Counting(tmp_path / "a.pt")
    with module.open(file) as f:
        before = file.read_bytes
        assert before < 1 << 20
        assert f["small"].tolist() == [1, 1, 1]
        assert f.get_slice("big")[1000:1010].tolist() == [0] * 10
        assert file.read_bytes - before < 1 << 20
        assert f["big"].shape[0] == 1 << 24
        assert file.read_bytes - before >= 1 << 26


def test_composed_tensors(module, tmp_path):
    value = {"sparse": torch.eye(3).to_sparse(), "csr": torch.eye(3).to_sparse_csr(), "quantized": torch.quantize_per_tensor(torch.ones(3), 0.5, 1, torch.qint8),
             "meta": torch.ones(2, device="meta"), "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}
    torch.save(value, tmp_path / "a.pt")
    with module.open(tmp_path / "a.pt") as f:
        assert f["sparse"].to_dense().tolist() == f["csr"].to_dense().tolist() == torch.eye(3).tolist()
        assert f.get_slice("sparse")[0].tolist() == f.get_slice("csr")[0].tolist() == [1, 0, 0]
        assert f["sparse.values"].tolist() == [1, 1, 1] and f["sparse.indices"].tolist() == [[0, 1, 2], [0, 1, 2]]
        assert f["quantized"].tolist() == [1, 1, 1] and repr(f.get_slice("quantized").dtype) == "torch.float32"
        for name in ("meta", "nested"):
            with pytest.raises(TypeError):
                f[name]
            with pytest.raises(TypeError):
                f.get_slice(name)[0]


def test_sparse_tensors_are_sparse(tmp_path):
    eye = torch.eye(4)
    twice = torch.sparse_coo_tensor([[1, 1]], [2.0, 3.0], (4,))
    value = {"coo": eye.to_sparse(), "twice": twice, "hybrid": torch.ones(2, 3, 2).to_sparse(1), "csr": eye.to_sparse_csr(), "csc": eye.to_sparse_csc(),
             "bsr": eye.to_sparse_bsr((2, 2)), "bsc": eye.to_sparse_bsc((2, 2)), "bad": torch.sparse_coo_tensor([[9]], [1.0], (4,), check_invariants=False)}
    torch.save(value, tmp_path / "a.pt")
    loaded = ptio.load(tmp_path / "a.pt")
    with ptio.open(tmp_path / "a.pt") as f:
        for name in list(value)[:-1]:
            got = f[name]
            assert got.layout == loaded[name].layout and repr(got) == repr(loaded[name]), name
            assert name[0] in "bc" or got.is_coalesced() == loaded[name].is_coalesced()
        with pytest.raises(RuntimeError):
            f["bad"]


class Trap:
    def __reduce__(self):
        return os.mkdir, (os.environ["PTIO_TRAP"],)


def test_nothing_of_the_file_is_run(module, tmp_path, monkeypatch):
    monkeypatch.setenv("PTIO_TRAP", str(tmp_path / "trap"))
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save({"trap": Trap(), "net": net, "x": torch.ones(2)}, tmp_path / "a.pt")
    with module.open(tmp_path / "a.pt") as f:
        assert f.keys() == ["net." + name for name in net.state_dict()] + ["x"]
        for name, tensor in net.state_dict().items():
            assert f["net." + name].tolist() == tensor.tolist()
    assert not (tmp_path / "trap").exists()
    torch.save(net, tmp_path / "b.pt")
    with module.open(tmp_path / "b.pt") as f:
        assert f.keys() == list(net.state_dict())


def test_after_close(module, path):
    f = module.open(path)
    part = f.get_slice("scalar")
    assert not f.closed and "13 tensors" in repr(f) and "int64" in repr(part)
    f.close()
    f.close()
    assert f.closed and "closed" in repr(f) and "closed" in repr(part)
    for use in (lambda: f["scalar"], lambda: f.get_slice("scalar"), lambda: part[...], lambda: part.shape, lambda: part.dtype, f.keys, f.metadata, lambda: len(f),
                lambda: list(f), lambda: "scalar" in f, f.__enter__):
        with pytest.raises(ValueError, match=CLOSED):
            use()


def test_closed_by_an_index(module, path):
    class Closing:
        def __index__(self):
            f.close()
            return 1

    f = module.open(path)
    assert f.get_slice("model.fc.weight")[Closing(), Closing()].tolist() == 6
    assert f.closed


def test_metadata(module, path):
    with module.open(path) as f:
        told = f.metadata()
    assert told["container"] == "zip" and told["byte_order"] == "little" and told["protocol"] == 2 and told["bytes"] == path.stat().st_size
    assert told["format_version"] == "1" and told["storages"] == 10


def test_failures(module, tmp_path):
    with pytest.raises(FileNotFoundError):
        module.open(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises((RuntimeError, pickle.UnpicklingError)):
        module.open(tmp_path / "text")
    torch.save({"a": torch.ones(100_000)}, tmp_path / "a.pt")
    data = bytearray((tmp_path / "a.pt").read_bytes())
    data[len(data) // 2] ^= 1
    with module.open(io.BytesIO(data)) as f:
        with pytest.raises(RuntimeError, match="CRC|crc|damaged"):
            f["a"]

    class Failing(io.BytesIO):
        fails = False

        def readinto(self, buffer):
            if self.fails:
                raise ZeroDivisionError
            return super().readinto(buffer)

    file = Failing((tmp_path / "a.pt").read_bytes())
    with module.open(file) as f:
        file.fails = True
        with pytest.raises(ZeroDivisionError):
            f["a"]
    for where in ({"cuda:0": "cpu"}, lambda storage, tag: storage):
        with pytest.raises(TypeError):
            module.open(tmp_path / "a.pt", map_location=where)
    with pytest.raises(TypeError):
        module.open()


def test_map_location(path):
    with ptio.open(path, map_location="meta") as f:
        assert f["list.0"].device.type == "meta" and f.get_slice("list.0")[1].shape == (4,)
    with ptio.open(path, map_location=torch.device("cpu")) as f:
        assert f["scalar"].item() == 3
    with Bare().open(path, map_location="cpu") as f:
        assert f["scalar"].item() == 3
    with pytest.raises(RuntimeError, match="CPU"):
        Bare().open(path, map_location="cuda")


def test_torch_is_imported_for_tensors_only(child, path):
    assert child("""
        import sys, ptio
        with ptio.open(sys.argv[1]) as f:
            names, part = f.keys(), f.get_slice("scalar")
            print(len(names), part.shape, "torch" in sys.modules)
            print(type(f["scalar"]).__module__, part.dtype)
        """, path) == "13 () False\ntorch torch.int64\n"


def test_threads(module, path):
    with module.open(path) as f:
        wrong = []

        def work():
            for _ in range(50):
                for name in NAMES:
                    if f[name].tolist() != at(tensors(), name).tolist():
                        wrong.append(name)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_closed_while_it_is_read(module, tmp_path):
    torch.save([torch.full((1 << 22,), 2.)], tmp_path / "a.pt")
    f = module.open(tmp_path / "a.pt")
    results = []

    def work():
        try:
            for _ in range(20):
                results.append(float(f["0"][-1]))
        except ValueError as problem:
            results.append(str(problem))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not results:
        pass
    f.close()
    for thread in threads:
        thread.join()
    assert set(results) <= {2.0, "I/O operation on closed file."}


def test_memory_goes(module, path):
    def once():
        with module.open(path) as f:
            parts = [f.get_slice(name) for name in f]
            values = [f[name] for name in f]
            repr(parts), repr(f)
        module.open(path)

    for i in range(320):
        if i == 20:
            before = memory()
        once()
    assert memory() - before < 2000
