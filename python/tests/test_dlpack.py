"""ptio.from_dlpack(): tensors over memory of others, with PyTorch and without."""
import gc
import io
import sys

import numpy as np
import pytest
import torch

import ptio
from bare import Bare
from test_tensor import several


@pytest.fixture(scope="module", params=["with torch", "without torch"])
def module(request):
    return ptio if request.param == "with torch" else Bare()


def test_every_dtype(module):
    for name, tensor in several().items():
        if tensor.is_conj() or tensor.is_neg():
            continue
        got = module.from_dlpack(tensor.detach())
        assert (repr(got), got.shape, got.stride(), str(got.dtype)) == (
            repr(tensor.detach()), tuple(tensor.shape), tuple(tensor.stride()), str(tensor.dtype)), name


def test_memory_is_shared(module):
    array = np.arange(12.).reshape(3, 4)
    tensor = module.from_dlpack(array)
    part = module.from_dlpack(tensor[1])
    array[0, 0] = 99
    memoryview(tensor)[0, 1] = 55
    tensor.numpy()[2, 3] = 7
    part.numpy()[0] = -1
    torch.from_dlpack(tensor)[1, 1] = -5
    torch.from_dlpack(tensor.__dlpack__())[1, 2] = -6
    assert tensor.tolist() == array.tolist() == [[99, 55, 2, 3], [-1, -5, -6, 7], [8, 9, 10, 7]]
    assert tensor.clone().numpy()[1, 0] == -1 and not np.shares_memory(tensor.clone().numpy(), array)


def test_copies_are_written_in_place(module):
    copy = module.from_dlpack(np.arange(4.)).clone()
    first, second = copy.numpy(), copy.numpy()
    torch.from_dlpack(copy)[1] = 8
    first[0] = 9
    assert second.tolist() == copy.tolist() == [9, 8, 2, 3]


def test_read_only(module):
    array = np.arange(3)
    array.flags.writeable = False
    tensor = module.from_dlpack(array)
    assert memoryview(tensor).readonly and not tensor.numpy().flags.writeable and not np.from_dlpack(tensor).flags.writeable
    with pytest.raises(BufferError, match="cannot be written"):
        tensor.__dlpack__()
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(b"x" * 24).readinto(tensor)


def test_owner_is_kept_as_long_as_it_is_needed(module):
    array = np.arange(5)
    before = sys.getrefcount(array)
    tensors = [module.from_dlpack(array) for _ in range(10)]
    assert sys.getrefcount(array) == before + 10
    kept = [tensors[0].numpy(), tensors[1][1:3], tensors[2].__dlpack__(), memoryview(tensors[3])]
    del tensors
    gc.collect()
    assert sys.getrefcount(array) == before + 4
    assert kept[1].tolist() == [1, 2]
    kept.clear()
    gc.collect()
    assert sys.getrefcount(array) == before


def test_capsules(module):
    array = np.arange(5)
    capsule = array.__dlpack__()
    assert module.from_dlpack(capsule).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError):
        module.from_dlpack(capsule)


def test_empty_and_scalar(module):
    assert module.from_dlpack(np.zeros((0, 3))).shape == (0, 3)
    assert module.from_dlpack(np.array(2.5)).item() == 2.5


class Elsewhere:
    def __dlpack__(self, **options):
        raise BufferError("it is far away")


@pytest.mark.parametrize("what, error", [(3, AttributeError), (np.arange(4)[::-1], ValueError), (np.array(["a"]), BufferError), (Elsewhere(), BufferError),
                                         (torch.ones(2, requires_grad=True), BufferError)])
def test_refused(module, what, error):
    with pytest.raises(error):
        module.from_dlpack(what)


def test_saved(module):
    """As torch.save() saves torch.from_dlpack() of the same."""
    def value(make, new):
        shared, last = make(np.arange(6, dtype=np.int32).reshape(2, 3)), np.arange(3, dtype=np.uint16 if new else np.uint8)
        return {"a": shared, "b": [shared], "c": make(torch.ones(2, 3, dtype=torch.bfloat16).t()), "d": make(last), "n": 1}

    for new in (True, False):
        ours, theirs = io.BytesIO(), io.BytesIO()
        module.save(value(module.from_dlpack, new), ours, _use_new_zipfile_serialization=new)
        torch.save(value(torch.from_dlpack, new), theirs, _use_new_zipfile_serialization=new)
        loaded = [torch.load(io.BytesIO(f.getvalue())) for f in (ours, theirs)]
        assert repr(loaded[0]) == repr(loaded[1]) and loaded[0]["a"] is loaded[0]["b"][0]
        assert not new or ours.getvalue() == theirs.getvalue()
