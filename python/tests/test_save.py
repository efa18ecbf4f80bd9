"""ptio.save() writes what torch.save() writes: the same bytes, the same exceptions, to paths and objects."""
import collections
import io
import os

import pytest
import torch

import graphs
import seeding
import ptio
from conftest import share

OPTIONS = ({}, {"pickle_protocol": 3}, {"pickle_protocol": 5}, {"_disable_byteorder_record": True})


def bytes_of(save, x, **options):
    buffer = io.BytesIO()
    save(x, buffer, **options)
    return buffer.getvalue()


def assert_same(x, **options):
    assert bytes_of(ptio.save, x, **options) == bytes_of(torch.save, x, **options)


def kinds():
    base = torch.arange(24.0).view(2, 3, 4)
    attributed = torch.ones(2)
    attributed.note = {"a": [attributed]}
    parameter = torch.nn.Parameter(torch.ones(3), requires_grad=False)
    noted = torch.nn.Parameter(torch.ones(3))
    noted.tag = "x"
    yield "views", {"base": base, "row": base[1], "turned": base.permute(2, 0, 1), "last": base[..., -1:], "again": base}
    yield "empty", [torch.empty(0), torch.empty(0, 3, dtype=torch.int8), torch.tensor(5)]
    yield "gradients", [torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True) * 2, parameter, noted]
    yield "attributes", attributed
    yield "bits", [torch.ones(2, dtype=torch.complex64).conj(), torch.ones(2, dtype=torch.complex64).conj().imag]
    yield "meta", torch.empty(3, 4, device="meta")
    yield "sparse", [torch.eye(3).to_sparse(), torch.eye(4).to_sparse_csr(), torch.eye(4).to_sparse_bsc((2, 2))]
    yield "texts", {"cpu": "storage", "storage": "cpu", "0": "1", "w": torch.ones(1), "x": torch.ones(1)}
    yield "containers", [(1, 2.5, None), {1, 2}, frozenset([3]), b"ab", bytearray(b"c"), 10**40, 1j, collections.Counter("aab"), collections.deque([1])]
    yield "torch", [torch.Size([1, 2]), torch.float16, torch.device("cuda:1"), torch.strided]
    yield "model", torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    yield "state", torch.nn.LSTM(2, 3).state_dict()
    yield "optimizer", torch.optim.AdamW(torch.nn.Linear(2, 2).parameters(), lr=1e-3).state_dict()


@pytest.mark.parametrize("name, x", [pytest.param(name, x, id=name) for name, x in kinds()])
def test_kinds(name, x):
    for options in OPTIONS:
        assert_same(x, **options)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storages():
    tensor = torch.arange(6.0)
    assert_same([tensor.untyped_storage(), tensor, torch.FloatStorage(3), torch.UntypedStorage(7), tensor.storage()][1:])


@pytest.mark.parametrize("dtype", sorted(str(t)[6:] for t in {*torch.storage._dtype_to_storage_type_map(), *torch.storage._new_dtypes()}))
def test_dtypes(dtype):
    bare = getattr(torch, dtype)
    if dtype in ("qint8", "quint8", "qint32"):
        assert_same(torch.quantize_per_tensor(torch.ones(4), 0.5, 1, bare))
    elif not dtype.startswith("q"):
        raw = torch.arange(4 * bare.itemsize, dtype=torch.uint8)
        assert_same({"x": torch.empty(4, dtype=bare).set_(raw.untyped_storage(), 0, (4,), (1,))})


FRESH = seeding.fresh()


@pytest.mark.parametrize("name", ["%d/%d" % ((0, FRESH)[i % 2], i) for i in range(share(2000))])
def test_graphs(name):
    """2,000 random graphs, one in two of seed 0 and the others of the seed of this commit."""
    x = graphs.Maker("save/" + name).graph()
    try:
        expected = bytes_of(torch.save, x)
    except Exception as e:
        with pytest.raises(type(e)) as raised:
            bytes_of(ptio.save, x)
        assert str(raised.value) == str(e)
    else:
        assert bytes_of(ptio.save, x) == expected


def test_streams():
    x = {"a": torch.arange(5.0), "b": [torch.ones(2, dtype=torch.bfloat16), torch.zeros(0)], "m": torch.nn.Linear(2, 3)}
    x["c"] = x["a"][1:]
    for protocol in range(2, 6):
        assert_same(x, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    buffer = io.BytesIO()
    for i in range(3):
        ptio.save({"i": i, "t": torch.full((2,), i)}, buffer, _use_new_zipfile_serialization=False)
    buffer.seek(0)
    assert [ptio.load(buffer)["t"].tolist() for i in range(3)] == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize("name", ["a.pt", "a.b.pt", "noending", "ünicode.pt", "with space.bin"])
def test_paths(tmp_path, name):
    x = {"w": torch.ones(3)}
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        torch.save(x, tmp_path / name, **options)
        expected = (tmp_path / name).read_bytes()
        for path in (tmp_path / name, str(tmp_path / name)):
            os.remove(path)
            ptio.save(x, path, **options)
            assert (tmp_path / name).read_bytes() == expected
    assert os.listdir(tmp_path) == [name]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.pt"
    ptio.save([1], path)
    before = path.read_bytes()
    with pytest.raises(Exception):
        ptio.save([torch.ones(1000), lambda: 0], path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["x.pt"]


def test_refused():
    same = torch.arange(4, dtype=torch.int32)
    for x, f, options in (
        ([same, same.view(torch.float32)], io.BytesIO(), {}),
        ([1], 3, {}),
        ([1], "/no/such/folder/x.pt", {}),
        ([1], None, {}),
        ([1], type("", (), {"write": 5})(), {}),
    ):
        with pytest.raises(Exception) as theirs:
            torch.save(x, f, **options)
        with pytest.raises(type(theirs.value)) as ours:
            ptio.save(x, f, **options)
        assert str(ours.value) == str(theirs.value)


class Failing:
    def __init__(self, after):
        self.after = after

    def write(self, data):
        self.after -= 1
        if self.after < 0:
            raise OSError(28, "no room")
        return len(data)

    def flush(self):
        pass


def test_objects_that_fail():
    x = [torch.ones(100_000) for i in range(5)]
    writes = 0
    while True:
        try:
            ptio.save(x, Failing(writes))
            break
        except OSError as e:
            assert e.errno == 28
        writes += 1
    assert writes > 1


class Short:
    """Takes a few bytes at a time, as a raw file may."""

    def __init__(self):
        self.bytes = b""

    def write(self, data):
        part = bytes(data[: max(1, len(data) // 2)])
        self.bytes += part
        return len(part)

    def flush(self):
        self.flushed = True


def test_short_writes():
    x = {"w": torch.arange(1000.0)}
    short = Short()
    ptio.save(x, short)
    assert short.bytes == bytes_of(torch.save, x) and short.flushed


def test_own_pickle_module():
    import pickle

    class Mine:
        __name__ = "mine"
        dump = pickle.dump

        class Pickler(pickle.Pickler):
            def reducer_override(self, x):
                return (int, (7,)) if isinstance(x, complex) else NotImplemented

    Mine = Mine()
    x = {"w": torch.ones(2), "c": 3j}
    assert bytes_of(ptio.save, x, pickle_module=Mine) == bytes_of(torch.save, x, pickle_module=Mine)


def test_reference_counts():
    import gc
    import sys

    x = {"w": torch.ones(2), "p": torch.nn.Parameter(torch.ones(2))}
    ptio.save(x, io.BytesIO())
    gc.collect()
    before = sys.getrefcount(x["w"]), sys.getrefcount(x["p"]), len(gc.get_objects())
    for i in range(50):
        ptio.save(x, io.BytesIO())
    gc.collect()
    after = sys.getrefcount(x["w"]), sys.getrefcount(x["p"]), len(gc.get_objects())
    assert after[:2] == before[:2] and after[2] < before[2] + 200
