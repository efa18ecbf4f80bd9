"""Tests of test_rows.py, of subclasses of tensors and skip_data. They are run there, so that PyTorch is imported once for both."""
import contextlib
import io

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorConverter, FakeTensorMode
from torch.serialization import safe_globals, skip_data
from torch.testing._internal.two_tensor import TwoTensor

import ptio
from both import both_ways, compare, containers, load, save, told

# ---------------------------------------------------------------------------------------------------------------------
# Subclasses of tensors


class Wrapper(torch.Tensor):
    """Holds its elements in an attribute; itself it has none."""

    __slots__ = ["elem", "other"]

    @staticmethod
    def __new__(cls, elem, *arguments, **keywords):
        made = torch.Tensor._make_subclass(cls, elem.to("meta"), elem.requires_grad)
        made.elem = elem
        return made

    def clone(self):
        return type(self)(self.elem.clone())


class OwnState(Wrapper):
    __slots__ = []

    def __getstate__(self):
        return "marker", getattr(self, "elem", None), self.__dict__

    def __setstate__(self, state):
        marker, self.elem, self.__dict__ = state
        assert marker == "marker"
        self.reloaded = True


class Empty(torch.Tensor):
    pass


class Unsigned4(torch.Tensor):
    """Numbers of four bits, two in each byte."""

    dtype_ = torch.uint4

    @staticmethod
    def __new__(cls, elem):
        return torch.Tensor._make_wrapper_subclass(cls, (*elem.shape[:-1], elem.shape[-1] * 2), dtype=cls.dtype_)

    def __init__(self, elem):
        self.elem = elem

    @classmethod
    def __torch_dispatch__(cls, function, kinds, arguments, keywords=None):
        if function is torch.ops.aten.detach.default:
            return cls(arguments[0].elem)
        raise NotImplementedError(str(function))


class Signed4(Unsigned4):
    dtype_ = torch.int4


@both_ways
@containers
def test_tensor_subclass_wrapper_serialization(options, weights_only):
    x = Wrapper(torch.rand(2))
    x.foo = "bar"
    with safe_globals([Wrapper]):
        found = load(save(x, **options), weights_only=weights_only)
    assert type(found) is Wrapper and torch.equal(found.elem, x.elem) and found.foo == "bar"


@both_ways
@containers
def test_tensor_subclass_getstate_overwrite(options, weights_only):
    x = OwnState(torch.rand(2))
    x.foo = "bar"
    with safe_globals([OwnState]):
        found = load(save(x, **options), weights_only=weights_only)
    assert type(found) is OwnState and torch.equal(found.elem, x.elem) and found.foo == "bar" and found.reloaded


@both_ways
@containers
def test_empty_class_serialization(options, weights_only):
    with safe_globals([Empty]):
        assert type(load(save(Empty([1.0]), **options), weights_only=weights_only)) is Empty
        assert load(save(Empty(), **options), weights_only=weights_only).numel() == 0


@both_ways
def test_serialization_uintx_intx(weights_only):
    for kind, dtype in ((Unsigned4, torch.uint4), (Signed4, torch.int4)):
        elem = torch.randint(0, 256, (4, 4), dtype=torch.uint8)
        with safe_globals([kind]):
            (well, theirs), _ = told(torch.load, io.BytesIO(save(kind(elem))), weights_only=weights_only)
            (is_well, ours), _ = told(ptio.load, io.BytesIO(save(kind(elem))), weights_only=weights_only)
        assert well and is_well
        for found in (theirs, ours):
            assert (type(found), found.dtype, found.shape) == (kind, dtype, (4, 8)) and torch.equal(found.elem, elem)


@both_ways
def test_serialization_python_attr(weights_only):
    for x in (torch.zeros(3, 3), torch.nn.Parameter(torch.zeros(3, 3))):
        x.foo, x.more = "bar", [torch.ones(1)]
        found = load(save(x), weights_only=weights_only)
        assert type(found) is type(x) and found.foo == "bar" and torch.equal(found.more[0], torch.ones(1))


# ---------------------------------------------------------------------------------------------------------------------
# skip_data


def sizes(x):
    """What can be told of tensors whose bytes are not there."""
    parts = [x.a, x.b] if isinstance(x, TwoTensor) else [x]
    return type(x), [(t.dtype, t.shape, t.stride(), str(t.device), t.untyped_storage().nbytes()) for t in parts]


@both_ways
@containers
def test_skip_data_load(options, weights_only):
    x = {"t": torch.arange(6.0).reshape(2, 3), "two": TwoTensor(torch.ones(2), torch.zeros(2)), "e": torch.empty(0), "half": torch.ones(3).half()}
    body = save(x, **options)
    with safe_globals([TwoTensor]):
        with skip_data():
            theirs, ours = (function(io.BytesIO(body), weights_only=weights_only) for function in (torch.load, ptio.load))
        assert list(ours) == list(theirs)
        assert [sizes(t) for t in ours.values()] == [sizes(t) for t in theirs.values()] == [sizes(t) for t in x.values()]
        found = load(body, weights_only=weights_only)  # the next one has the bytes
    assert torch.equal(found["t"], x["t"])


@pytest.mark.parametrize("fake", [True, False])
def test_skip_data_serialization(fake):
    mode, converter = FakeTensorMode(), FakeTensorConverter()
    x = {"v2": torch.randn(2, 3), "v3": torch.randn(2, 3, dtype=torch.complex32), "two": TwoTensor(torch.randn(2), torch.randn(2))}
    if fake:
        x = {name: converter.from_real_tensor(mode, t) for name, t in x.items()}
    else:
        x["sparse"] = torch.eye(3).to_sparse()
    with skip_data(materialize_fake_tensors=fake):
        body = save(x)
    with safe_globals([TwoTensor]):
        found = load(body, weights_only=True)
    assert list(found) == list(x) and type(found["two"]) is TwoTensor and not found["v2"].any() and not found["two"].a.any()
    if not fake:  # fake tensors are not made real by the context manager alone
        with skip_data():
            assert isinstance(save(converter.from_real_tensor(mode, torch.randn(2))), AttributeError)


@pytest.mark.parametrize("fake", [True, False])
def test_skip_data_serialization_preserves_views(fake):
    with FakeTensorMode() if fake else contextlib.nullcontext():
        t = torch.randn(2, 3)
        x = {"t": t, "view": t.view(-1), "slice": t[1]}
    with skip_data(materialize_fake_tensors=fake):
        body = save(x)
    found = load(body, weights_only=True)
    assert len({t.untyped_storage()._cdata for t in found.values()}) == 1
    assert found["slice"].storage_offset() == 3 and found["t"].untyped_storage().nbytes() == 24


def test_skip_data_serialization_error_cases():
    with skip_data():
        nested = save(torch.nested.nested_tensor([torch.randn(2), torch.randn(3)]))
        _, warned = compare(*(told(function, torch.empty(2, 3, device="meta"), io.BytesIO()) for function in (torch.save, ptio.save)))
        stream = save(torch.ones(2), _use_new_zipfile_serialization=False)
    assert "Cannot serialize nested tensor under skip_data context manager" in str(nested)
    assert len(warned) == 1 and "meta device under skip_data context manager is a no-op" in warned[0][1]
    assert "Cannot use skip_data=True with _use_new_zipfile_serialization=False" in str(stream)
