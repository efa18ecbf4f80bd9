"""ptio.serialization: PyTorch's own objects where there is PyTorch, and their like where there is none."""
import io
import mmap

import pytest
import torch

import ptio
from conftest import WITHOUT_TORCH


def test_objects_are_torchs():
    for name in ptio.serialization._OF_TORCH:
        assert getattr(ptio.serialization, name) is getattr(torch.serialization, name), name
    assert set(ptio.serialization.__all__) <= set(dir(ptio.serialization))
    with pytest.raises(AttributeError, match="no_such_name"):
        ptio.serialization.no_such_name


def test_what_is_set_counts():
    x = {"w": torch.arange(5.0)}
    files = {}
    for crc in (True, False):
        ptio.serialization.set_crc32_options(crc)
        try:
            ours, theirs = io.BytesIO(), io.BytesIO()
            ptio.save(x, ours)
            torch.save(x, theirs)
        finally:
            ptio.serialization.set_crc32_options(True)
        assert ours.getvalue() == theirs.getvalue()
        files[crc] = ours.getvalue()
    assert files[True] != files[False]


def test_skip_data():
    x = {"w": torch.arange(5.0), "v": torch.ones(3, dtype=torch.float8_e5m2)}
    ours, theirs = io.BytesIO(), io.BytesIO()
    with ptio.serialization.skip_data():
        ptio.save(x, ours)
        torch.save(x, theirs)
        with pytest.raises(RuntimeError, match="Cannot use skip_data=True with _use_new_zipfile_serialization=False"):
            ptio.save(x, io.BytesIO(), _use_new_zipfile_serialization=False)
    assert ours.getvalue() == theirs.getvalue()
    ours.seek(0)
    assert ptio.load(ours)["w"].tolist() == [0.0] * 5


def test_mmap_options(tmp_path):
    path = tmp_path / "x.pt"
    ptio.save({"w": torch.zeros(4)}, path)
    ptio.load(path, mmap=True)["w"].fill_(1)
    assert ptio.load(path)["w"].sum() == 0
    with ptio.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        ptio.load(path, mmap=True)["w"].fill_(1)
    assert ptio.load(path)["w"].sum() == 4
    assert ptio.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE


def test_without_torch(child):
    assert child(WITHOUT_TORCH + """
import mmap
import ptio.serialization as s
assert s.get_crc32_options() is True
s.set_crc32_options(False)
assert s.get_crc32_options() is False
s.set_default_load_endianness(s.LoadEndianness.BIG)
assert s.get_default_load_endianness() is s.LoadEndianness.BIG
s.set_default_load_endianness(None)
try:
    s.set_default_load_endianness("big")
    raise AssertionError
except TypeError as e:
    assert str(e) == "Invalid argument type in function set_default_load_endianness"
with s.set_default_mmap_options(mmap.MAP_SHARED):
    assert s.get_default_mmap_options() == mmap.MAP_SHARED
assert s.get_default_mmap_options() == mmap.MAP_PRIVATE
class Mine:
    pass
with s.safe_globals([Mine]):
    assert s.get_safe_globals() == [Mine]
assert s.get_safe_globals() == []
s.add_safe_globals([Mine, (Mine, "other.Name")])
assert len(s.get_safe_globals()) == 2
s.clear_safe_globals()
assert s.get_safe_globals() == [] and s.location_tag(None) == "cpu"
for call in (lambda: s.register_package(1, None, None), lambda: s.default_restore_location(0, "cuda:0")):
    try:
        call()
        raise AssertionError
    except RuntimeError:
        pass
print("well")
""") == "well\n"
