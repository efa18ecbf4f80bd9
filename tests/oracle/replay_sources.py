"""Cases of replay.py: where bytes come from, containers, devices, Python 2."""
import gzip
import io
import pathlib
import pickle
import sys
import zipfile

import torch
import torch.serialization

import zoo
from replaying import CORPUS, FORMS, Differs, case, lines_of, need, saved_bytes, tensors_of

HOWS = ("path", "fd", "file", "memory", "map", "callbacks", "bare", "small", "forward")


def values():
    a = torch.randn(7, 5)
    return {"a": a, "view": a[2:4], "ints": torch.arange(9), "bits": torch.tensor([True, False]), "list": [torch.randn(3).bfloat16(), a]}


# ---------------------------------------------------------------------------------------------------------------------
# Streams, memory, functions


@case("serialization_filelike")
def in_memory(bench):
    for legacy in FORMS:
        body = saved_bytes(values(), _use_new_zipfile_serialization=not legacy)
        path, again = bench.write(body), bench.path()
        value = torch.load(io.BytesIO(body))
        bench.same_tensors("memory", path, value)
        code, told = bench.write_by("save", path, "memory", again, *(["legacy"] if legacy else []))
        need(code == 0, told)
        bench.same(again, value)
        if not legacy:
            bench.same_bytes(again, saved_bytes(value), "saved to memory")


@case("serialization_gzip")
def packed_stream(bench):
    for legacy in FORMS:
        path = bench.path("file.pt.gz")
        with gzip.open(path, "wb") as f:
            f.write(saved_bytes(values(), _use_new_zipfile_serialization=not legacy))
        with gzip.open(path) as f:
            bench.same_tensors("gzip", path, torch.load(f))


@case("serialization_offset_gzip")
def packed_stream_behind_another(bench):
    for legacy in FORMS:
        path = bench.path("file.pt.gz")
        with gzip.open(path, "wb") as f:
            pickle.dump(["a foreign pickle", 41], f)
            f.write(saved_bytes(values(), _use_new_zipfile_serialization=not legacy))
        with gzip.open(path) as f:
            need(pickle.load(f)[1] == 41, "no pickle")
            at = f.tell()
            bench.same_tensors("gzip", path, torch.load(f), at)


class Bare:
    """What torch.load and torch.save ask of a file, and nothing else."""

    def __init__(self, file, *names):
        for name in names:
            setattr(self, name, getattr(file, name))


@case("serialization_filelike_api_requirements")
def bare_functions(bench):
    for legacy in FORMS:
        out = io.BytesIO()
        torch.save(values(), Bare(out, "write", "flush"), _use_new_zipfile_serialization=not legacy)
        path, again = bench.write(out.getvalue()), bench.path()
        value = torch.load(Bare(open(path, "rb"), "read", "readline", "seek", "tell"))
        bench.same_tensors("bare", path, value)
        code, told = bench.write_by("save", path, "functions", again, *(["legacy"] if legacy else []))
        need(code == 0, told)
        need(lines_of(torch.load(again)) == lines_of(value), "saved through functions, other tensors come back")


@case("serialization_filelike_missing_attrs")
def missing_attributes(bench):
    for legacy in FORMS:
        path = bench.save(values(), legacy)
        for names in (("read", "readline", "seek", "tell"), ("read", "readinto", "readline", "seek", "tell"), ("read", "readinto", "readline", "seek", "tell", "fileno")):
            with open(path, "rb") as f:
                value = torch.load(Bare(f, *names))
            for how in HOWS:
                bench.same_tensors(how, path, value)


@case("serialization_filelike_stress")
def stress(bench):
    numel = 57_000_000 // 4 // 11
    value = [torch.randn(max(1000, int(numel * bench.share))) for _ in range(11)]
    for legacy in FORMS:
        path = bench.save(value, legacy)
        with open(path, "rb") as f:
            loaded = torch.load(Bare(f, "read", "readline", "seek", "tell"))
        for how in ("callbacks", "small"):
            bench.same_tensors(how, path, loaded)


@case("load_error_msg", more=True)
def not_seekable(bench):
    """PyTorch wants a file that can seek; ptio reads one that cannot to its end."""
    for legacy in FORMS:
        path = bench.save(values(), legacy)
        with open(path, "rb") as f:
            try:
                torch.load(Bare(f, "read", "readline", "readinto"))
                raise Differs("PyTorch takes a file without seek and tell")
            except AttributeError as problem:
                need("You can only torch.load from a file that is seekable" in str(problem), problem)
        told = bench.same_tensors("forward", path, torch.load(path))
        need(int(told["opened"]) == path.stat().st_size, "it was not read to its end")


@case("serialization_zipfile")
def places_of_a_zip(bench):
    value = values()
    for name in ("file.pt", "\u0444\u043e\u043b\u0434\u0435\u0440/\u4e2d\u6587.pt"):
        path = bench.path()
        path = path.parent / name
        path.parent.mkdir(exist_ok=True)
        for safe in (False, True):
            torch.save(value, path)
            loaded = bench.loads_same(path, weights_only=safe)
            for how in HOWS:
                bench.same_tensors(how, path, loaded, *(["weights-only"] if safe else []))
            again = path.parent / "again" / path.name
            again.parent.mkdir(exist_ok=True)
            bench.run("save", path, again)
            torch.save(loaded, path)
            bench.same_bytes(again, path, "ptio save")


@case("pathlike_serialization")
def paths(bench):
    value = values()
    for name in ("model.pt", "with space.pt", "-dash.pt"):
        path = bench.save(value, name=name)
        loaded = torch.load(pathlib.Path(path))
        bench.same(path, loaded)
        need(bench.run("ls", "--", path.name, cwd=path.parent) == bench.run("ls", path), "a relative path lists other tensors")


@case("serialization_with_header")
def behind_a_header(bench):
    value = values()
    path, again = bench.save(value), bench.path()
    out = io.BytesIO(b"header")
    out.seek(6)
    torch.save(torch.load(path), out)
    code, told = bench.write_by("save", path, "file", again)
    need(code == 0, told)
    bench.same_bytes(again, out.getvalue(), "saved behind a header")
    out.seek(6)
    loaded = torch.load(out)
    for how in ("file", "fd", "path", "memory", "map", "small"):
        bench.same_tensors(how, again, loaded, 6)


# ---------------------------------------------------------------------------------------------------------------------
# Several objects in one stream


def many_objects(f, big):
    pickle.dump(1, f)
    torch.save(torch.arange(5.0), f, _use_new_zipfile_serialization=False)
    pickle.dump([2, "two"], f)
    torch.save(torch.full((big,), 7, dtype=torch.uint8), f, _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(3, 2), f, _use_new_zipfile_serialization=False)


def compare_objects(bench, path, hows, safe):
    options = ["weights-only"] if safe else []
    with open(path, "rb") as f:
        for is_pickle in (True, False, True, False, False):
            if is_pickle:
                pickle.load(f)
                continue
            at = f.tell()
            try:
                value = torch.load(f, weights_only=safe)
            except pickle.UnpicklingError:  # the module
                need(safe, "PyTorch refuses without weights_only")
                need(bench.output([*bench.program("replay_open"), hows[0], path, at, *options])[0] == 2, "weights_only takes a module")
                return
            value = value.state_dict() if isinstance(value, torch.nn.Module) else value
            for how in hows:
                told = bench.same_tensors(how, path, value, at, *options)
                need(int(told["end"]) + (at if how in ("fd", "file") and int(told["end"]) < at else 0) == f.tell(), how, "ends at", told["end"], "PyTorch at", f.tell())
                need(how not in ("fd", "file") or int(told["position"]) == f.tell(), how, "stands at", told.get("position"), "PyTorch at", f.tell())


@case("serialization_offset")
def stream_of_objects(bench):
    path = bench.path()
    with open(path, "wb") as f:
        many_objects(f, max(1 << 20, int((1 << 31) * bench.share)) + 5)
    compare_objects(bench, path, ("file", "fd"), False)


@case("serialization_offset_filelike")
def memory_of_objects(bench):
    out = io.BytesIO()
    many_objects(out, max(1 << 20, int((1 << 27) * bench.share)))
    path = bench.write(out.getvalue())
    for safe in (False, True):
        compare_objects(bench, path, ("memory", "callbacks"), safe)


# ---------------------------------------------------------------------------------------------------------------------
# Containers


@case("serialization_fake_zip")
def fake_zip(bench):
    """Elements that look like the end of an archive, which Python's zipfile believes."""
    end = b"PK\x05\x06" + bytes(18)
    for body in (b"PK\x05\x06" + bytes(100), end + bytes(80), bytes(80) + end):
        for legacy in FORMS:
            path = bench.save([torch.tensor(list(body), dtype=torch.uint8)], legacy)
            need(zipfile.is_zipfile(path), "Python's zipfile is not fooled")
            loaded = bench.loads_same(path)
            for how in HOWS:
                bench.same_tensors(how, path, loaded)


@case("serialization_new_format_old_format_compat")
def two_forms(bench):
    value = [torch.randn(200, 200) for _ in range(30)]
    paths = [bench.save(value, legacy) for legacy in FORMS]
    for path in paths:
        bench.loads_same(path)
        need(not [f for f in bench.check(path)["findings"] if f["severity"] != "note"], "ptio check warns of", path)
    bench.run("diff", *paths)


@case("serialization_backwards_compat")
def tar(bench):
    for name in ("state", "types", "gnu", "reordered"):
        path = CORPUS / "extra" / "tar" / (name + ".pth.tar")
        value = bench.loads_same(path)
        need(any(True for _ in tensors_of(value)), "no tensor in", name)


@case("serialization_backwards_compat_safe")
def tar_safe(bench):
    for name in ("state", "types", "gnu"):
        bench.both_refuse(CORPUS / "extra" / "tar" / (name + ".pth.tar"), "Cannot use ``weights_only=True`` with files saved in the legacy .tar format", weights_only=True)
    # Tensors as those files have them, `Tensor() + state` and _rebuild_tensor, in a stream.
    loaded = 0
    for path in sorted((CORPUS / "extra" / "legacy").glob("[!z]*.pt")):
        try:
            value = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            continue
        bench.same(path, value, "--weights-only")
        loaded += any(word in path.read_bytes() for word in (b"ctorch._utils\n_rebuild_tensor\n", b"_rebuild_tensor_v2", b"ctorch\nFloatTensor\n"))
    need(loaded >= 2, "no stream with old tensors")


@case("serialization_storage_slice")
def slices_of_storages(bench):
    """A stream of 0.3.1, in which two storages are parts of a third."""
    path = CORPUS / "extra" / "legacy" / "storage_views.pt"
    for safe in (False, True):
        value = bench.loads_same(path, weights_only=safe)
    views = [s for s in find_storages(value)]
    need(len(views) >= 2 and views[0].data_ptr() != views[1].data_ptr(), "PyTorch has no views")


def find_storages(value):
    if isinstance(value, torch.Tensor):
        yield value.untyped_storage()
    elif isinstance(value, (torch.UntypedStorage, torch.storage.TypedStorage)):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from find_storages(item)


@case("serialization_zipfile_utils")
def records(bench):
    bodies = {"a": b"012", "b": b"012345", "c/d": b"012345678"}
    theirs, ours, out = bench.path(), bench.path(), io.BytesIO()
    for target in (theirs, out):
        with torch.serialization._open_zipfile_writer(str(target) if target is theirs else target) as writer:
            for name, body in bodies.items():
                writer.write_record(name, body, len(body))
    code, told = bench.write_by("records", ours)
    need(code == 0, told)
    bench.same_bytes(ours, theirs, "the archive")
    for path in (theirs, bench.write(out.getvalue())):
        code, told = bench.write_by("list", path)
        found = {line.split()[0].split("/", 1)[1]: tuple(map(int, line.split()[1:])) for line in told.splitlines()}
        need(code == 0 and all(found.get(name) == (len(body), sum(body)) for name, body in bodies.items()), told)
    for file in (str(ours), io.BytesIO(ours.read_bytes())):
        with torch.serialization._open_zipfile_reader(file) as reader:
            need(all(reader.get_record(name) == body for name, body in bodies.items()), "PyTorch reads other records")


@case("skip_data_load")
def skipped(bench):
    """Shapes, dtypes and sizes without the elements: ptio reads these when they are asked for."""
    value = torch.nn.Sequential(torch.nn.Linear(700, 600), torch.nn.BatchNorm1d(600)).state_dict()
    path = bench.save(value)
    with torch.serialization.skip_data():
        theirs = torch.load(path)
    told = bench.same_tensors("callbacks", path, torch.load(path))
    need(int(told["opened"]) < 100_000 < 1_000_000 < path.stat().st_size, "it read", told["opened"], "bytes to open")
    tree = dict((key["v"], node) for key, node in bench.tree(path)["v"])
    for name, t in theirs.items():
        need(tree[name]["shape"] == list(t.shape) and tree[name]["storage_nbytes"] == t.untyped_storage().nbytes(), name, tree[name])


# ---------------------------------------------------------------------------------------------------------------------
# Devices, Python 2


def tagged(bench, value, tag, legacy):
    with zoo.patched(torch.serialization, location_tag=lambda storage: tag):
        return bench.save(value, legacy)


@case("serialization_map_location")
def map_location(bench):
    for legacy in FORMS:
        path = tagged(bench, values(), "cuda:0", legacy)
        for where, options in (("cpu", ["cpu"]), (torch.device("cpu"), ["cpu"]), ({"cuda:0": "cpu"}, ["cuda:0=cpu"]), ("meta", ["meta"])):
            value = torch.load(path, map_location=where)
            bench.same(path, value, "--map-location", *options)
            if where != "meta":
                bench.same_tensors("memory", path, value)
        value = torch.load(path, map_location=lambda storage, tag: storage)
        code, output, message = bench.output([*bench.program("call_places"), path])
        need(code == 0 and output.endswith(b"loaded\n") and output.count(b"'cuda:0'") == len(set(t.untyped_storage().data_ptr() for _, t in tensors_of(value))), output, message)


@case("load_nonexistent_device")
def no_device(bench):
    if torch.cuda.is_available():
        raise Differs("this machine has a CUDA device")
    for legacy in FORMS:
        path = tagged(bench, values(), "cuda:0", legacy)
        bench.both_refuse(path, "Attempting to deserialize object on a CUDA device", "--map-location", "cuda:0=cuda:0")
        code, output, _ = bench.output([*bench.program("replay_open"), "path", path, "as-saved"])
        need(code == 2 and b"Attempting to deserialize object on a CUDA device" in output, output)


@case("load_unicode_error_msg")
def not_ascii(bench):
    path = CORPUS / "1.0.0-py27" / "py2_byte_strings.pt"
    bench.both_refuse(path, "'ascii' codec can't decode byte", "--encoding", "ascii", encoding="ascii")


@case("load_python2_unicode_module")
def module_of_python_2(bench):
    for name, class_ in vars(zoo).items():
        if isinstance(class_, type) and not hasattr(sys.modules["__main__"], name):
            setattr(sys.modules["__main__"], name, class_)
    for name in ("module_tower", "module_resnet_block", "seed_model"):
        path = CORPUS / "1.0.0-py27" / (name + ".pt")
        truth = lines_of(torch.load(path, weights_only=False).state_dict())
        told = bench.opened("path", path)
        need(truth and told["tensors"] == truth, name, told["tensors"][:3], "PyTorch", truth[:3])
