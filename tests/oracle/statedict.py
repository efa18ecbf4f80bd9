#!/usr/bin/env python3
"""load_state_dict() of ptio against that of PyTorch.

    statedict.py --library LIBPTIO [--count N]

Random trees of modules with random parameters and buffers, and state dicts that fit them but for some keys: left out, added, of another shape
or dtype, of no tensor at all, below "module.". PyTorch and ptio load the same file into the same model. The message of PyTorch's
RuntimeError, the missing and unexpected keys, and the bytes of every parameter afterwards must be equal, with strict and without,
copied and assigned.
"""
import argparse
import ctypes
import os
import random
import sys
import tempfile
import warnings
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]

import torch  # noqa: E402
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present  # noqa: E402

from library import Error, Library, Text, good  # noqa: E402

DTYPES = (torch.float32, torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool,
          torch.complex64, torch.float8_e4m3fn)  # fmt: skip
MISMATCH = b"statedict.mismatch"


class Parameter(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("dtype", c_int), ("ndim", c_size_t), ("shape", POINTER(c_int64)), ("data", c_void_p),
                ("tensor", c_void_p)]  # fmt: skip


class Options(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("strict", c_bool), ("assign", c_bool), ("prefix", c_char_p), ("class_name", c_char_p)]


class Incompatible(ctypes.Structure):
    _fields_ = [("missing", POINTER(Text)), ("missing_count", c_size_t), ("unexpected", POINTER(Text)), ("unexpected_count", c_size_t),
                ("errors", POINTER(Text)), ("error_count", c_size_t), ("text", c_char_p)]  # fmt: skip


def declare(path):
    library = Library(path)
    library.declare("ptio_load_state_dict", c_int, c_void_p, c_void_p, POINTER(Parameter), c_size_t, POINTER(Options),
                    POINTER(POINTER(Incompatible)), POINTER(Error))  # fmt: skip
    library.declare("ptio_incompatible_free", None, POINTER(Incompatible))
    library.declare("ptio_state_dict_version", c_bool, c_void_p, c_char_p, POINTER(c_int64))
    library.declare("ptio_root", c_void_p, c_void_p)
    return library


# ---------------------------------------------------------------------------------------------------------------------
# Models and state dicts


class Net(torch.nn.Module):
    pass


def some_shape(r):
    return [r.choice((0, 1, 1, 2, 3)) for _ in range(r.randrange(4))]


def some_tensor(r, shape, dtype=None):
    dtype = dtype or r.choice(DTYPES)
    values = torch.tensor([r.choice((0, 1, 2, 100, -3, 0.5, 7.25)) for _ in range(int(torch.Size(shape).numel()))]).reshape(shape)
    return values.to(torch.float32).to(dtype)


def some_name(r):
    return r.choice(("weight", "bias", "w", "running_mean", "fc1", "0", "1", "größe", "a b", 'q"', "_extra_state"))


def grow(r, module, depth):
    """Parameters first, as __init__ makes them, then children; every module has something, or its name would tell nobody of it."""
    for _ in range(r.randrange(0 if depth else 1, 4)):
        name = some_name(r)
        if name in module._parameters or name in module._buffers or name == "_extra_state":
            continue
        tensor = some_tensor(r, some_shape(r))
        if r.random() < 0.6:
            module.register_parameter(name, torch.nn.Parameter(tensor, requires_grad=False))
        else:
            module.register_buffer(name, tensor, persistent=r.random() < 0.9)
    for _ in range(r.randrange(0, 4) if depth < 3 else 0):
        name = some_name(r)
        if hasattr(module, name) or name == "_extra_state":
            continue
        child = torch.nn.Module()
        grow(r, child, depth + 1)
        if child.state_dict():
            module.add_module(name, child)
    return module


def odd_value(r, shape):
    flat = [max(1, size) for size in shape] or [1]
    kind = r.randrange(9)
    if kind == 0:
        return r.choice((5, "text", None, 1.5, [torch.zeros(1)], {"a": 1}, torch.Size([2]), torch.float32, b"b"))
    if kind == 1 and flat != [1]:
        return torch.zeros(flat).to_sparse()
    if kind == 2 and len(shape) == 2:
        return torch.zeros(flat).to_sparse_csr()
    if kind == 3:
        return torch.quantize_per_tensor(torch.zeros(shape), 0.1, 3, torch.qint8)
    if kind == 4:
        return torch.zeros(shape, device="meta")
    if kind == 5:
        return torch.zeros(shape, dtype=torch.uint8).view(torch.bits8)
    if kind == 6 and shape == []:
        return some_tensor(r, [1])
    return some_tensor(r, some_shape(r))


def spoil(r, state):
    """Change a state dict here and there."""
    changes = r.choice((0, 1, 1, 3, 8))
    for _ in range(changes):
        names = list(state)
        change = r.randrange(5)
        if change == 0 and names:
            del state[r.choice(names)]
        elif change == 1:
            below = r.choice([""] + [name + "." for name in names] + [name.rpartition(".")[0] + "." for name in names if "." in name])
            state[below + some_name(r)] = some_tensor(r, some_shape(r))
        elif change == 2 and names:
            name = r.choice(names)
            if isinstance(state[name], torch.Tensor):
                state[name] = odd_value(r, list(state[name].shape))
        elif change == 3 and names:
            name = r.choice(names)
            if isinstance(state[name], torch.Tensor) and state[name].layout == torch.strided and state[name].dim():
                state[name] = state[name].transpose(0, -1).contiguous().transpose(0, -1)
        elif names:
            state.move_to_end(r.choice(names))


def add_prefix(r, state):
    for name in list(state):
        if r.random() < 0.9:
            state["module." + name] = state.pop(name)


# ---------------------------------------------------------------------------------------------------------------------
# Loading


def raw(tensor):
    size = tensor.element_size()
    tensor = tensor.contiguous()
    if tensor.is_complex():
        tensor, size = torch.view_as_real(tensor), size // 2
    return tensor.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[size]).numpy().tobytes()


def by_torch(model, path, prefix, strict, assign):
    """(message, missing, unexpected)"""
    state = torch.load(path, weights_only=False)
    if prefix:
        consume_prefix_in_state_dict_if_present(state, prefix)
    try:
        keys = model.load_state_dict(state, strict=strict, assign=assign)
        return "", keys.missing_keys, keys.unexpected_keys
    except RuntimeError as error:
        return str(error), None, None


def by_ptio(library, model, path, prefix, strict, assign):
    """(message, missing, unexpected, parameters, what keeps their memory)"""
    state = model.state_dict()
    parameters, kept = (Parameter * max(1, len(state)))(), []
    for p, (name, tensor) in zip(parameters, state.items()):
        buffer = ctypes.create_string_buffer(raw(tensor) + b"\0" * 16)
        shape = (c_int64 * max(1, tensor.dim()))(*tensor.shape)
        kept.append((buffer, shape, tensor))
        dtype = library.p.ptio_dtype_from_name(str(tensor.dtype).encode())
        p.name, p.dtype, p.ndim, p.shape = name.encode(), dtype, tensor.dim(), shape
        p.data = ctypes.cast(buffer, c_void_p)
    ckpt, source = library.load(path)
    keys, error = POINTER(Incompatible)(), Error()
    options = Options(ctypes.sizeof(Options), strict, assign, prefix.encode() if prefix else None, type(model).__name__.encode())
    status = library.p.ptio_load_state_dict(ckpt, None, parameters, len(state), byref(options), byref(keys), byref(error))
    if status and error.reason != MISMATCH:
        good(status, error)
    seen = keys.contents
    text = seen.text.decode()
    assert (status != 0) == (text != ""), (status, text)
    missing = [str(seen.missing[i]) for i in range(seen.missing_count)]
    unexpected = [str(seen.unexpected[i]) for i in range(seen.unexpected_count)]
    library.p.ptio_incompatible_free(keys)
    return text, missing, unexpected, parameters, kept, ckpt, source


def compare_values(library, model, parameters, kept, assign, where):
    for p, (buffer, _, before), (name, tensor) in zip(parameters, kept, model.state_dict().items()):
        if not assign or not p.tensor:
            size = tensor.numel() * tensor.element_size()
            assert tensor.dtype == before.dtype and buffer.raw[:size] == raw(tensor), (where, name)
        elif tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized:
            assert p.dtype == library.p.ptio_dtype_from_name(str(tensor.dtype).encode()), (where, name)
            assert (p.data is not None) == (tensor.is_contiguous()), (where, name)
            if p.data:
                assert ctypes.string_at(p.data, tensor.numel() * tensor.element_size()) == raw(tensor), (where, name)


def one_model(library, r, path, number):
    model = grow(r, Net(), 0)
    state = model.state_dict()
    for name in list(state):
        state[name] = some_tensor(r, list(state[name].shape), r.choice((state[name].dtype, None)))
    metadata = state._metadata
    spoil(r, state)
    prefix = r.choice((None, None, "module."))
    if prefix:
        add_prefix(r, state)
    for part in metadata.values():
        part["version"] = r.randrange(5)
    torch.save(state, path)
    strict, assign = r.random() < 0.7, r.random() < 0.3
    text, missing, unexpected, parameters, kept, ckpt, source = by_ptio(library, model, path, prefix, strict, assign)
    for name, part in metadata.items():
        version = c_int64(-1)
        assert library.p.ptio_state_dict_version(library.p.ptio_root(ckpt), name.encode(), byref(version)), (number, name)
        assert version.value == part["version"], (number, name)
    want, missing_there, unexpected_there = by_torch(model, path, prefix, strict, assign)
    assert text == want, f"model {number}\n--- ptio\n{text}\n--- PyTorch\n{want}"
    if missing_there is not None:
        assert missing == missing_there and unexpected == unexpected_there, (number, missing, missing_there, unexpected, unexpected_there)
    compare_values(library, model, parameters, kept, assign, number)
    library.p.ptio_checkpoint_free(ckpt)
    library.p.ptio_source_free(source)
    return want != ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True)
    parser.add_argument("--count", type=int, default=2000, help="models")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    library = declare(options.library)
    count = max(1, int(options.count * float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state.pt")
        refused = sum(one_model(library, random.Random(options.seed * 1000003 + i), path, i) for i in range(count))
    print(f"state dicts: {count} models, {refused} with errors, as PyTorch {torch.__version__}")


if __name__ == "__main__":
    sys.exit(main())
