"""Cases of replay.py: values, tensors, dtypes, byte order."""
import collections
import itertools
import json
import sys

import torch

import prints
from replaying import CORPUS, FORMS, case, lines_of, need, saved_bytes

# ---------------------------------------------------------------------------------------------------------------------
# Values


def shared():
    """Tensors, a storage, and views of both, some of them several times."""
    a, b = torch.randn(5, 5), torch.randint(-9, 9, (3, 4))
    storage = a.storage()
    return [a, b, a, b, storage, a.storage(), a[1:3], a.t(), b.reshape(-1)[2:7], torch.FloatTensor().set_(storage, 1, (3,)), storage.clone(),
            torch.tensor(storage[3]), b.clone().storage(), [a, {"again": b}]]


@case("serialization", "serialization_safe")
def shared_values(bench, row):
    safe = row.endswith("_safe")
    for legacy in FORMS:
        path = bench.save(shared(), legacy)
        value = bench.loads_same(path, weights_only=safe)
        need(value[0] is value[2] and value[0].data_ptr() == value[6].data_ptr() - 20, "PyTorch itself lost an identity")
        need(len(set(line["storage"] for line in listed(bench, path) if line["name"] in ("0", "2", "6", "7"))) == 1, "views are no views")
    if safe:
        return
    for name in ("seed_state_dict", "seed_tensors", "python_containers"):
        for encoding in ("utf-8", "bytes", "latin1", "ascii"):
            path = CORPUS / "1.0.0-py27" / (name + ".pt")
            text = prints.text_of(torch.load(path, encoding=encoding, weights_only=False)) + "\n"
            shown = bench.run("show", "--python", "%d.%d" % sys.version_info[:2], "--encoding", encoding, path).decode()
            need(shown == text, name, encoding, shown, "PyTorch", text)


def listed(bench, path, *options):
    return [json.loads(line) for line in bench.run("ls", "--json", "--hash", *options, path).splitlines()]


@case("safe_load_basic_types")
def basic_types(bench):
    for value in (1, -(1 << 70), "text", 1.5, True, [1, "a", 2.0, False, None]):
        for legacy in FORMS:
            bench.loads_same(bench.save(value, legacy), weights_only=True)


@case("sets_are_loadable_with_weights_only")
def sets(bench):
    for legacy in FORMS:
        bench.loads_same(bench.save({"set": {1, 2, 3}, "empty": set()}, legacy), weights_only=True)


@case("serialization_byte_literal")
def octets(bench):
    for value in (b"bytes", b"\x00\xff\x80", bytearray(b"an array"), bytearray()):
        for safe in (False, True):
            bench.loads_same(bench.save(value), weights_only=safe)


@case("lr_scheduler_serialization")
def scheduler(bench):
    model = torch.nn.Linear(1000, 1000)
    state = torch.optim.lr_scheduler.OneCycleLR(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), max_lr=1, total_steps=9).state_dict()
    path = bench.save(state)
    value = bench.loads_same(path, weights_only=True)
    again = bench.path(path.name)
    bench.run("save", path, again)
    need(again.stat().st_size < 1 << 20, "the file has", again.stat().st_size, "bytes")
    torch.save(value, path)
    bench.same_bytes(again, path, "ptio save")


# ---------------------------------------------------------------------------------------------------------------------
# Tensors


def sparse_tensors():
    dense = torch.zeros(4, 6)
    dense[0, 1], dense[1, 3], dense[3, 0] = 1, 2, 3
    coo = dense.to_sparse()
    return {"coo": coo, "uncoalesced": torch.sparse_coo_tensor(torch.tensor([[0, 0], [1, 1]]), torch.ones(2), (2, 3)),
            "hybrid": torch.sparse_coo_tensor(torch.tensor([[0, 2]]), torch.randn(2, 3), (3, 3)), "csr": dense.to_sparse_csr(), "csc": dense.to_sparse_csc(),
            "bsr": dense.to_sparse_bsr((2, 2)), "bsc": dense.to_sparse_bsc((2, 3)), "empty": torch.sparse_coo_tensor(size=(3, 4))}


@case("serialization_sparse", "serialization_sparse_safe")
def sparse(bench, row):
    for legacy in FORMS:
        value = bench.loads_same(bench.save(sparse_tensors(), legacy), weights_only=row.endswith("_safe"))
        need(value["coo"].is_coalesced() and not value["uncoalesced"].is_coalesced(), "PyTorch lost is_coalesced")


def damaged(layout):
    """A sparse tensor whose indices do not fit, and what PyTorch says of it."""
    if layout == "sparse":
        return torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 9]]), torch.ones(2), (2, 6), check_invariants=False), "size is inconsistent with indices: for dim 1, size is 6 but found index 9"
    make = getattr(torch, "sparse_%s_tensor" % layout)
    values = torch.ones(2, 1, 1) if layout.startswith("bs") else torch.ones(2)
    pointers = "ccol" if layout.endswith("c") else "crow"
    return make(torch.tensor([1, 1, 2]), torch.tensor([0, 1]), values, (2, 2), check_invariants=False), "`%s_indices[..., 0] == 0` is not satisfied" % pointers


@case("serialization_sparse_invalid", "serialization_sparse_csr_invalid", "serialization_sparse_csc_invalid", "serialization_sparse_bsr_invalid", "serialization_sparse_bsc_invalid")
def sparse_invalid(bench, row):
    tensor, words = damaged(row.split("_")[-2])
    for legacy in FORMS:
        path = bench.save({"t": tensor}, legacy)
        for safe in (False, True):
            with torch.sparse.check_sparse_tensor_invariants():
                bench.both_refuse(path, words, verb="check", weights_only=safe) if not safe else need(refused_by_torch(path, words), "PyTorch takes it")


def refused_by_torch(path, words):
    try:
        torch.load(path, weights_only=True)
    except RuntimeError as problem:
        return words in str(problem)
    return False


@case("serialization_math_bits")
def math_bits(bench):
    c = torch.randn(3, 4, dtype=torch.complex64)
    value = {"conj": c.conj(), "neg": torch.randn(3, dtype=torch.complex128).conj().imag, "both": torch._neg_view(c.conj()), "view": torch._neg_view(torch.arange(4.0))[1:3], "plain": c}
    need(value["conj"].is_conj() and value["neg"].is_neg(), "PyTorch has no lazy bits")
    for safe in (False, True):
        path = bench.save(value)
        loaded = bench.loads_same(path, weights_only=safe)
        bench.same_tensors("path", path, loaded)


@case("meta_serialization")
def meta(bench):
    big = torch.empty_strided((1000, 57600, 1000), (57600000, 1000, 1), device="meta")
    need(big.numel() * 4 > 230e9 - 1e9, "the shape is not of 230 GB")
    for safe in (False, True):
        value = bench.loads_same(bench.save({"big": big, "view": big[:, ::2], "dtype": torch.empty(3, device="meta", dtype=torch.bfloat16)}), weights_only=safe)
        need(value["big"].is_meta and value["big"].size() == big.size(), "PyTorch lost the shape")


@case("serialization_python_attr")
def attributes(bench):
    for tensor in (torch.zeros(3), torch.nn.Parameter(torch.ones(2, 2))):
        tensor.foo, tensor.bar = "hello", {"list": [1, 2], "tensor": torch.arange(3)}
        for legacy in FORMS:
            value = bench.loads_same(bench.save({"t": tensor, "again": tensor}, legacy), weights_only=True)
            need(value["t"].foo == "hello", "PyTorch lost an attribute")
            path = bench.save(value, legacy)
            again = bench.path(path.name)
            bench.run("save", path, again)
            if not legacy:
                bench.same_bytes(again, bench.save(torch.load(path)), "ptio save")


# ---------------------------------------------------------------------------------------------------------------------
# Dtypes

LATE = ("float8_e5m2", "float8_e4m3fn", "complex32", "uint16", "uint32", "uint64")
ALL = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")


def random_of(dtype, shape=(4, 5)):
    numel = 1
    for size in shape:
        numel *= size
    bits = torch.randint(0, 2 if dtype == torch.bool else 256, (numel * dtype.itemsize,), dtype=torch.uint8)
    return bits.view(dtype).reshape(shape)


@case("serialization_dtype")
def late_dtypes(bench):
    for name in LATE:
        t = random_of(getattr(torch, name))
        for safe in (False, True):
            path = bench.save({"t": t, "view": t[1:3], "turned": t.t(), "row": t[2], "scalar": t[0, 0]})
            loaded = bench.loads_same(path, weights_only=safe)
            need(loaded["view"].untyped_storage().data_ptr() == loaded["t"].untyped_storage().data_ptr(), "PyTorch lost a view")
            need(b"_rebuild_tensor_v3" in bench.run("dis", path), "not by _rebuild_tensor_v3")


@case("save_load_preserves_dtype")
def preserves_dtype(bench):
    for name in ALL:
        dtype = getattr(torch, name)
        for legacy in FORMS:
            value = collections.OrderedDict(weight=random_of(dtype), scalar=random_of(dtype, ()), empty=torch.empty(0, dtype=dtype))
            path = bench.save(value, legacy)
            bench.same_tensors("path", path, bench.loads_same(path, weights_only=True))
            number = torch.ones((), dtype=dtype).item()
            need(type(bench.loads_same(bench.save(number, legacy))) is type(number), "PyTorch changed a number")


@case("save_different_dtype_unallocated")
def unallocated(bench):
    """Empty storages, which have no address, are told apart by nothing but their place."""
    for first, legacy, form in itertools.product(ALL, FORMS, ("tensor", "storage", "untyped")):
        def made(name):
            t = torch.tensor([], dtype=getattr(torch, name))
            return t if form == "tensor" else t.storage() if form == "storage" else t.untyped_storage()

        if legacy and form == "untyped":
            continue  # PyTorch cannot load one from a stream
        value = [[made(first), made(second)] for second in ALL]
        path = bench.save(value, legacy)
        loaded = bench.loads_same(path)
        again, theirs = bench.path(path.name), bench.path(path.name)
        bench.run("save", *(["--legacy"] if legacy else []), path, again)
        if not legacy:
            torch.save(loaded, theirs)
            bench.same_bytes(again, theirs, "ptio save of %s and the others, %s" % (first, form))
        bench.same(again, loaded)


# ---------------------------------------------------------------------------------------------------------------------
# Byte order


def turned(body, unit):
    return b"".join(body[i:i + unit][::-1] for i in range(0, len(body), unit))


def literals(bench, value, unit):
    """{(order, recorded): path} of one value in both byte orders, with and without the record that tells which."""
    path = bench.save(value)

    def as_order(order, recorded):
        def change(records):
            out = {}
            for name, body in records.items():
                if name.endswith("/byteorder"):
                    if not recorded:
                        continue
                    body = order.encode()
                out[name] = turned(body, unit) if "/data/" in name and order == "big" else body
            return out

        return bench.repacked(path, change)

    return {(order, recorded): as_order(order, recorded) for order in ("little", "big") for recorded in (True, False)}


def byte_orders(bench, value, unit):
    endianness = torch.serialization.LoadEndianness
    orders = {None: None, "little": endianness.LITTLE, "big": endianness.BIG, "native": endianness.NATIVE}
    truth = lines_of(value)
    for (order, recorded), path in literals(bench, value, unit).items():
        for word, default in orders.items():
            before = torch.serialization.get_default_load_endianness()
            torch.serialization.set_default_load_endianness(default)
            try:
                loaded = bench.loads_same(path, *(["--byte-order", word] if word else []), weights_only=True)
            finally:
                torch.serialization.set_default_load_endianness(before)
            right = recorded or order == (word if word in ("little", "big") else "little")
            need((lines_of(loaded) == truth) == right or unit == 1, "PyTorch read", order, "by default", word)


DTYPES = {"double": torch.float64, "float": torch.float32, "half": torch.float16, "long": torch.int64, "int": torch.int32, "int16": torch.int16, "int8": torch.int8,
          "uint8": torch.uint8, "bool": torch.bool, "bfloat16": torch.bfloat16, "cdouble": torch.complex128, "cfloat": torch.complex64}


@case(*("serialization_load_bom_data_" + name for name in DTYPES))
def byte_order_of(bench, row):
    dtype = DTYPES[row[len("serialization_load_bom_data_"):]]
    t = torch.arange(1, 21).to(dtype).reshape(4, 5)
    byte_orders(bench, {"t": t, "view": t[1:3, 2]}, dtype.itemsize // (2 if dtype.is_complex else 1))


@case("serialization_load_bom_data")
def byte_order_of_lstm(bench):
    byte_orders(bench, torch.nn.LSTM(3, 4, 2, bidirectional=True).state_dict(), 4)


@case("serialization_byteorder_mark")
def byteorder_mark(bench):
    for kept in (True, False):
        value = torch.arange(3)
        theirs = saved_bytes(value, _disable_byteorder_record=not kept)
        path = bench.write(theirs)
        told = json.loads(bench.run("info", "--json", path))
        need(told["byte_order"] == "little" and told["byte_order_recorded"] == (b"/byteorder" in theirs), told)
        bench.loads_same(path)
    again = bench.path()
    bench.run("save", path, again)
    need(b"byteorder" in again.read_bytes(), "ptio save writes no record of the byte order")
