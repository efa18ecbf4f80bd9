"""Whether two object graphs are the same: types, values, and what is one object in both."""
import collections
import math
import re
import types
import warnings

import numpy as np
import torch
import torch._dynamo  # noqa: F401  weights_only takes jagged tensors only where it was imported

import ptio

IDENTICAL = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.ModuleType, torch.dtype, torch.layout,
             torch.memory_format, torch.qscheme, type(None), bool, type(Ellipsis), type(NotImplemented))


# Attributes that tell of the load, not of the object: a mark of torch.load() of legacy files; the number of a jagged tensor's sizes.
PASSING = ("_torch_load_uninitialized", "_size", "_strides")


class Unlike(Exception):
    pass


class Comparer:
    """`to` is a map of storages from those of the first graph to those of the second; all that was compared is kept, so that id() is unique."""

    def __init__(self):
        self.forward, self.backward, self.keep, self.waiting = {}, {}, [], []

    def want(self, a, b, where, what):
        if a != b:
            raise Unlike("%s: %s is %r, should be %r" % (where, what, b, a))

    def paired(self, a, b, where):
        """Whether the two were met before, which they must have been together."""
        key_a, key_b = id(a), id(b)
        if key_a in self.forward or key_b in self.backward:
            self.want((key_b, key_a), (self.forward.get(key_a), self.backward.get(key_b)), where, "what it is one object with")
            return True
        self.forward[key_a], self.backward[key_b] = key_b, key_a
        self.keep += (a, b)
        return False

    def compare(self, a, b):
        self.waiting.append((a, b, "the object"))
        while self.waiting:
            self.one(*self.waiting.pop())

    def later(self, a, b, where):
        self.waiting.append((a, b, where))

    def one(self, a, b, where):
        self.want(type(a), type(b), where, "the type")
        if isinstance(a, IDENTICAL):
            if a is not b:
                raise Unlike("%s: %r, should be %r" % (where, b, a))
        elif type(a) in (int, str, bytes):
            self.want(a, b, where, "the value")
        elif type(a) is float:
            self.want((a, math.copysign(1, a)) if a == a else "nan", (b, math.copysign(1, b)) if b == b else "nan", where, "the value")
        elif type(a) is complex:
            self.later(a.real, b.real, where + ".real")
            self.later(a.imag, b.imag, where + ".imag")
        elif type(a) in (tuple, torch.Size, frozenset) and not a or self.paired(a, b, where):
            self.want(len(a) if isinstance(a, (tuple, frozenset)) else 0, len(b) if isinstance(a, (tuple, frozenset)) else 0, where, "the length")
        else:
            self.whole(a, b, where)

    def whole(self, a, b, where):
        if isinstance(a, torch.Tensor):
            self.tensor(a, b, where)
        elif isinstance(a, (torch.UntypedStorage, torch.TypedStorage)):
            self.storage(a, b, where)
        elif isinstance(a, torch.Generator):
            self.want((str(a.device), a.initial_seed(), a.get_state().tolist()), (str(b.device), b.initial_seed(), b.get_state().tolist()), where, "the state")
        elif isinstance(a, np.ndarray):
            self.array(a, b, where)
        elif isinstance(a, (np.generic, np.dtype)):
            self.want(repr(a), repr(b), where, "the value")
            if isinstance(a, np.generic) and a.dtype != object:
                self.want(a.tobytes(), b.tobytes(), where, "the value")
        elif isinstance(a, (dict, collections.OrderedDict)):
            self.items(list(dict.items(a)), list(dict.items(b)), where)
            self.later(getattr(a, "default_factory", None), getattr(b, "default_factory", None), where + ".default_factory")
        elif isinstance(a, (set, frozenset)):
            self.items(sorted(a, key=repr), sorted(b, key=repr), where)
        elif isinstance(a, (list, tuple, collections.deque)):
            self.items(list(a), list(b), where)
            self.want(getattr(a, "maxlen", None), getattr(b, "maxlen", None), where, "maxlen")
        elif isinstance(a, bytearray):
            self.want(bytes(a), bytes(b), where, "the value")
        elif type(a).__repr__ is not object.__repr__ and not hasattr(a, "__dict__"):
            self.want(text_of(a), text_of(b), where, "the text")
        self.attributes(a, b, where)

    def items(self, a, b, where):
        self.want(len(a), len(b), where, "the length")
        for i, (x, y) in enumerate(zip(a, b)):
            self.later(x, y, "%s[%d]" % (where, i))

    def attributes(self, a, b, where):
        mine, theirs = (getattr(x, "__dict__", None) for x in (a, b))
        self.want(mine is None, theirs is None, where, "no __dict__")
        if isinstance(mine, dict):
            mine, theirs = ([key for key in x if key not in PASSING] for x in (mine, theirs))
            self.want(mine, theirs, where, "the attributes")
            for key in mine:
                self.later(a.__dict__[key], b.__dict__[key], "%s.%s" % (where, key))
        for cls in type(a).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__"):
                    self.later(getattr(a, name, None), getattr(b, name, None), "%s.%s" % (where, name))

    def array(self, a, b, where):
        self.want((a.dtype, repr(a.dtype), a.shape, a.strides, a.flags.writeable), (b.dtype, repr(b.dtype), b.shape, b.strides, b.flags.writeable), where, "the array")
        if a.dtype.hasobject:
            self.later(a.tolist(), b.tolist(), where + ".tolist()")
        else:
            self.want(a.tobytes(), b.tobytes(), where, "the elements")

    def storage(self, a, b, where):
        if isinstance(a, torch.TypedStorage):
            self.want(a.dtype, b.dtype, where, "the dtype")
            a, b = a._untyped_storage, b._untyped_storage
        self.want((str(a.device), a.nbytes()), (str(b.device), b.nbytes()), where, "device and size of the storage")
        known = self.forward.get(("storage", a._cdata)), self.backward.get(("storage", b._cdata))
        if known == (None, None):
            self.forward[("storage", a._cdata)], self.backward[("storage", b._cdata)] = b._cdata, a._cdata
            self.keep += (a, b)
            if a.device.type == "cpu" and bytes_of(a) != bytes_of(b):
                raise Unlike("%s: other bytes" % where)
        else:
            self.want((b._cdata, a._cdata), known, where, "the shared storage")

    def tensor(self, a, b, where):
        self.want(facts(a), facts(b), where, "the tensor")
        with torch.no_grad():
            for name, parts in parts_of(a).items():
                self.items(parts, parts_of(b)[name], "%s.%s" % (where, name))
        if not parts_of(a) and a.device.type == "cpu" and not hasattr(a, "fake_mode"):
            self.storage(a.untyped_storage(), b.untyped_storage(), where)
        self.later(a.grad, b.grad, where + ".grad")
        # What was not loaded has None; each load gives it an empty OrderedDict.
        ours = b._backward_hooks
        self.later(a._backward_hooks, ours or None if a._backward_hooks is None else ours, where + "._backward_hooks")


def text_of(value):
    return re.sub(" at 0x[0-9A-Fa-f]+", "", repr(value))


def bytes_of(storage):
    return bytes(torch.empty(0, dtype=torch.uint8).set_(storage).numpy()) if storage.nbytes() else b""


def facts(t):
    """What can be told of a tensor in words."""
    found = {"dtype": t.dtype, "device": str(t.device), "layout": t.layout, "requires_grad": t.requires_grad, "leaf": t.is_leaf,
             "conj": t.is_conj(), "neg": t.is_neg(), "nested": t.is_nested}
    if not t.is_nested:
        found["shape"] = tuple(t.shape)
    if t.layout == torch.strided and not t.is_nested:
        found["stride"], found["offset"] = t.stride(), t.storage_offset()
    if t.layout == torch.sparse_coo:
        found["coalesced"] = t.is_coalesced()
    if t.is_quantized:
        found["qscheme"] = t.qscheme()
        found["scale"] = (repr(t.q_scale()), t.q_zero_point()) if "tensor" in str(t.qscheme()) else t.q_per_channel_axis()
    return found


def parts_of(t):
    """The tensors that a sparse, nested or quantized one is made of."""
    t = t.detach()
    if t.is_nested:
        return {"parts": list(t.unbind())}
    if t.layout == torch.sparse_coo:
        return {"parts": [t._indices(), t._values()]}
    if t.layout in (torch.sparse_csr, torch.sparse_bsr):
        return {"parts": [t.crow_indices(), t.col_indices(), t.values()]}
    if t.layout in (torch.sparse_csc, torch.sparse_bsc):
        return {"parts": [t.ccol_indices(), t.row_indices(), t.values()]}
    if t.is_quantized and "channel" in str(t.qscheme()):
        return {"parts": [t.int_repr(), t.q_per_channel_scales(), t.q_per_channel_zero_points()]}
    return {"parts": [t.int_repr()]} if t.is_quantized else {}


def difference(a, b):
    """What the second graph has otherwise than the first, or None."""
    try:
        Comparer().compare(a, b)
    except Unlike as e:
        return str(e)
    return None


def outcome_as_it_is(load, f, **arguments):
    """(True, object), or (False, what was raised)."""
    try:
        return True, load(f, **arguments)
    except Exception as e:
        return False, e


def outcome(load, f, **arguments):
    """The same, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcome_as_it_is(load, f, **arguments)


# PyTorch fails at these by luck: it reads nested tensors' sizes before they are there; a generator's state after an error that was passed.
LUCK = ("Storage size calculation overflowed", "returned a result with an exception set")


def loaded_difference(f, **arguments):
    """What ptio.load() makes of a file otherwise than torch.load(), or None. `f` is a path, or a function that opens the file."""
    (loads, theirs), (ours_loads, ours) = (outcome(load, f() if callable(f) else f, **arguments) for load in (torch.load, ptio.load))
    if not loads and any(text in str(theirs) for text in LUCK):
        return None
    if loads != ours_loads:
        return "torch: %r, ptio: %r" % (theirs, ours)
    if loads:
        return difference(theirs, ours)
    if (type(theirs), str(theirs)) != (type(ours), str(ours)):
        return "torch: %s: %s\nptio: %s: %s" % (type(theirs).__name__, theirs, type(ours).__name__, ours)
    return None
