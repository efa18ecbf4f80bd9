"""ptio.load() as it is without PyTorch beside torch.load(), over the corpus: what PyTorch takes with weights_only."""
import collections
import warnings

import numpy as np
import pytest
import torch

import conftest
from bare import Bare

FILES = sorted(str(p.relative_to(conftest.CORPUS)) for p in conftest.CORPUS.glob("**/*.pt"))
FILES.remove("extra/legacy/zip_then_zip.pt")  # ptio refuses it, since another archive lies before it
FILES = [f for i, f in enumerate(FILES) if int(i * conftest.SHARE) != int((i + 1) * conftest.SHARE)]


@pytest.fixture(scope="module")
def bare():
    return Bare()


def is_plain(tensor):
    return tensor.layout == torch.strided and not tensor.is_nested and tensor.device.type != "meta"


def printed(tensor):
    """None where PyTorch cannot print it: bits16."""
    try:
        return repr(tensor)
    except (NotImplementedError, RuntimeError):
        return None


def compare_tensors(got, expected, place):
    assert repr(got) == printed(expected) or expected.layout == torch.jagged or printed(expected) is None, place
    assert repr(got.dtype) == repr(expected.dtype) and got.requires_grad == expected.requires_grad, place
    if expected.is_nested:
        return
    assert got.shape == tuple(expected.shape), place
    if not is_plain(expected) or expected.is_quantized:
        return
    assert got.stride() == expected.stride() and got.is_contiguous() == expected.is_contiguous(), place
    copy = np.frombuffer(got.clone().contiguous().numpy().tobytes() if got.dtype.name not in LATE else b"", np.uint8)
    if got.dtype.name not in LATE:
        assert np.array_equal(copy, np.frombuffer(expected.detach().resolve_conj().resolve_neg().numpy().tobytes(), np.uint8)), place
    elif got.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        assert repr(got.tolist()) == repr(expected.tolist()), place


LATE = {"bfloat16", "complex32", "bcomplex32", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
        *("%s%d" % (kind, bits) for kind in ("int", "uint") for bits in range(1, 8)), "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2"}


def compare(bare, got, expected, place="obj", known=None):
    """Walks both without recursion."""
    todo, known = [(got, expected, place)], {}
    while todo:
        got, expected, place = todo.pop()
        # What is one object there is one here.
        if isinstance(expected, (torch.Tensor, dict, list)):
            if id(expected) in known:
                assert known[id(expected)] is got, place
                continue
            known[id(expected)] = got
        if isinstance(expected, torch.Tensor):
            assert type(got) is bare.Tensor, place
            compare_tensors(got, expected, place)
        elif isinstance(expected, (torch.UntypedStorage, torch.storage.TypedStorage)):
            assert type(got) is bare.Tensor and got.nbytes == expected.nbytes(), place
        elif type(expected) is torch.Size:
            assert type(got) is tuple and got == tuple(expected), place
        elif isinstance(expected, torch.dtype):
            assert type(got) is bare.dtype and repr(got) == repr(expected), place
        elif isinstance(expected, (torch.device, torch.layout, torch.qscheme, torch.memory_format)):
            assert got == str(expected), place
        elif isinstance(expected, dict):
            assert type(got).__name__ == type(expected).__name__ and len(got) == len(expected), place
            for (key, item), (key_there, item_there) in zip(got.items(), expected.items()):
                todo += [(key, key_there, place), (item, item_there, "%s[%r]" % (place, key_there))]
            if isinstance(expected, collections.OrderedDict):
                todo.append((vars(got), dict(vars(expected)), place + ".__dict__"))
        elif isinstance(expected, (list, tuple)):
            assert type(got) is type(expected) and len(got) == len(expected), place
            todo += [(a, b, "%s[%d]" % (place, i)) for i, (a, b) in enumerate(zip(got, expected))]
        else:
            assert type(got) is type(expected) and repr(got) == repr(expected), place


@pytest.mark.parametrize("file", FILES)
def test_same_as_torch(bare, file):
    path = str(conftest.CORPUS / file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            expected = None
        try:
            got = bare.load(path, weights_only=True)
        except Exception:
            assert expected is None
            return
        if expected is not None:
            compare(bare, got, expected)
