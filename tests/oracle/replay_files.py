"""Cases of replay.py: archives, their writer, maps, large files."""
import json
import os
import zipfile

import torch
import torch.serialization
import torch.utils.serialization

from replaying import FORMS, Differs, case, lines_of, need, saved_bytes, setting, tensors_of

CONFIG = torch.utils.serialization.config


def model(size=10):
    return torch.nn.Linear(size, size).state_dict()


def offsets_of(path):
    """Where PyTorch finds the data of each record of a storage."""
    reader = torch._C.PyTorchFileReader(str(path))
    return {name: reader.get_record_offset(name) for name in reader.get_all_records() if name.startswith("data/")}


def saved_by_ptio(bench, path, *options):
    again = bench.path(path.name)
    bench.run("save", *options, path, again)
    return again


# ---------------------------------------------------------------------------------------------------------------------
# What the writer writes


@case("has_format_version")
def format_version(bench):
    path = bench.save(model())
    again = saved_by_ptio(bench, path)
    for each in (path, again):
        need(torch._C.PyTorchFileReader(str(each)).get_record(".format_version") == b"1", each)
        need(json.loads(bench.run("info", "--json", each))["format_version"] == "1", "ptio info says another version")


@case("storage_alignment")
def alignment(bench):
    for boundary, places in ((64, (832, 1344)), (4096, (20480, 24576))):
        with setting(CONFIG.save, storage_alignment=boundary):
            path = bench.save(model())
        need(tuple(offsets_of(path).values()) == places, "PyTorch has the data at", offsets_of(path))
        value = bench.loads_same(path)
        again = saved_by_ptio(bench, path, "--align", boundary)
        need(tuple(offsets_of(again).values()) == places, "ptio has the data at", offsets_of(again))
        bench.same_bytes(again, path, "ptio save --align %d" % boundary)
        bench.same(again, value, "--mmap")


@case("crc32_options")
def checksums(bench):
    value = model(100)
    for crc in (True, False):
        for block in (1024, 100):
            torch.serialization.set_crc32_options(crc)
            try:
                path = bench.save({**value, "more": torch.randn(block)})
                theirs = bench.save(torch.load(path))
            finally:
                torch.serialization.set_crc32_options(True)
            loaded = bench.loads_same(path)
            again = saved_by_ptio(bench, path, *([] if crc else ["--no-crc"]))
            bench.same_bytes(again, theirs, "ptio save" + ("" if crc else " --no-crc"))
            for each in (path, again):
                with zipfile.ZipFile(each) as archive:
                    reads = attempt(archive.testzip)
                need((reads is None) == crc, "a reader that checks says", reads)
                need(lines_of(torch.load(each)) == lines_of(loaded), "other tensors come back")
                need(bench.check(each)["verdict"] == "whole", "ptio check")


def attempt(call):
    try:
        return call()
    except zipfile.BadZipFile as problem:
        return str(problem)


def skipping(bench, value, name="file.pt"):
    path = bench.path(name)
    with torch.serialization.skip_data():
        torch.save(value, path)
    return path


@case("filewriter_metadata_writing")
def metadata_only(bench):
    """Records of which only the header is written lie where they lie in the whole file."""
    value = model(20)
    path = bench.save(value)
    again = bench.path(path.name)
    code, told = bench.write_by("save", path, "path", again, "skip-data")
    need(code == 0, told)
    need(offsets_of(again) == offsets_of(path) == offsets_of(skipping(bench, value)), "other places:", offsets_of(again), offsets_of(path))
    need(again.stat().st_size == path.stat().st_size, "another size")
    # The elements, put into the holes, make it the whole file.
    for name, at in offsets_of(path).items():
        size = torch._C.PyTorchFileReader(str(path)).get_record(name)
        with open(again, "r+b") as f:
            f.seek(at)
            f.write(size)
    need(lines_of(torch.load(again)) == lines_of(value), "filled, it loads as something else")


@case("skip_data_serialization")
def holes(bench):
    for value in (model(), {"t": torch.randn(3), "list": [torch.ones(2, 2).half(), 5, "text"]}):
        path = bench.save(value)
        theirs, ours = skipping(bench, torch.load(path)), bench.path()
        code, told = bench.write_by("save", path, "path", ours, "skip-data")
        need(code == 0, told)
        bench.same_bytes(ours, theirs, "a save with skip_data")
        for each in (theirs, ours):
            loaded = bench.loads_same(each, weights_only=True)
            need(all(not t.any() for _, t in tensors_of(loaded)), "PyTorch reads no zeros")


@case("skip_data_serialization_preserves_views")
def holes_of_views(bench):
    t = torch.randn(4, 6)
    path = bench.save({"t": t, "view": t[1:3], "flat": t.view(-1)[5:], "again": t})
    theirs, ours = skipping(bench, torch.load(path)), bench.path()
    code, told = bench.write_by("save", path, "path", ours, "skip-data")
    need(code == 0, told)
    bench.same_bytes(ours, theirs, "a save with skip_data")
    loaded = bench.loads_same(ours)
    need(len(set(t.untyped_storage().data_ptr() for _, t in tensors_of(loaded))) == 1, "the views share nothing")
    need(len(offsets_of(ours)) == 1, "storages:", offsets_of(ours))


@case("save_different_dtype_error")
def two_dtypes(bench):
    words = "Cannot save multiple tensors or storages that view the same data as different types"
    a = torch.zeros(4)
    for value in ([a, a.view(torch.int32)], [a, torch.tensor([], dtype=torch.int32).set_(a.untyped_storage())]):
        for legacy in FORMS:
            try:
                saved_bytes(value, _use_new_zipfile_serialization=not legacy)
                raise Differs("PyTorch saves it")
            except RuntimeError as problem:
                need(words in str(problem), problem)
    path = bench.path()
    code, told = bench.write_by("two-dtypes", path)
    need(code == 2 and words in told, "ptio says", told)
    need(not path.exists(), "there is a file")


# ---------------------------------------------------------------------------------------------------------------------
# Maps


@case("serialization_mmap_loading_options")
def mapped(bench):
    path = bench.save({"t": torch.randn(7, 3), **model(30)})
    for theirs in (str(path), path):
        for safe in (False, True):
            value = torch.load(theirs, mmap=True, weights_only=safe)
            need(lines_of(value) == lines_of(torch.load(theirs, mmap=False)), "PyTorch's map shows other elements")
            options = ["--weights-only"] if safe else []
            bench.same(path, value, "--mmap", *options)
            bench.same(path, value, *options)
            for how in ("map", "shared"):
                bench.same_tensors(how, path, value, *(["weights-only"] if safe else []))


def poked(value):
    """What it is when 255 is written into the first byte of each storage."""
    for _, t in tensors_of(value):
        t.untyped_storage()[0] = 255
    return value


@case("serialization_mmap_loading")
def maps_and_the_file(bench):
    for how, flags in (("map", "MAP_PRIVATE"), ("shared", "MAP_SHARED")):
        value = model(50)
        ours, theirs = bench.save(value), bench.save(value)
        with torch.serialization.set_default_mmap_options(getattr(__import__("mmap"), flags)):
            poked(torch.load(theirs, mmap=True))
        code, told = bench.write_by("poke", how, ours)
        need(code == 0, told)
        bench.same_bytes(ours, theirs, "the file after writing to a %s map" % how)
        need((lines_of(torch.load(ours)) == lines_of(value)) == (how == "map"), "PyTorch sees", how)
        bench.same_tensors("map", ours, value if how == "map" else poked(value))
        if how == "shared":  # PyTorch does not look at checksums, which are those of the elements before
            need(b"refused zip.crc" in bench.output([*bench.program("replay_open"), "path", ours])[1], "the checksum still fits")


@case("serialization_mmap_loading_ctx")
def map_of_one_call(bench):
    """A shared map of one call, and a private one after it."""
    value = model(50)
    path = bench.save(value)
    code, told = bench.write_by("poke", "shared", path)
    changed = torch.load(path)
    need(code == 0 and lines_of(changed) == lines_of(poked(torch.load(path))) != lines_of(value), told)
    before = path.read_bytes()
    torch.save(value, path)
    fresh = path.read_bytes()
    code, told = bench.write_by("poke", "map", path)
    need(code == 0 and path.read_bytes() == fresh != before, "a private map changed the file")
    bench.same_tensors("map", path, value)


@case("mmap_load_offset_calculation")
def calculated_offsets(bench):
    """PyTorch calculates where records are instead of reading their headers; ptio reads these when a storage is used, and sees the same."""
    value = {"a": torch.randn(50, 20), "b": torch.arange(7), **model(40), "empty": torch.empty(0)}
    for boundary in (64, 4096, 1):
        with setting(CONFIG.save, storage_alignment=boundary):
            path = bench.save(value)
        with setting(CONFIG.load, calculate_storage_offsets=True):
            for mapped in (False, True):
                loaded = torch.load(path, mmap=mapped)
                need(lines_of(loaded) == lines_of(value), "PyTorch calculates wrong offsets")
                bench.same(path, loaded, *(["--mmap"] if mapped else []))
    # Packed again by another tool the records lie elsewhere: ptio gives the values.
    again = bench.repacked(path, lambda records: {"another name" + name: body for name, body in sorted(records.items(), reverse=True)})
    for how in ("path", "map", "memory", "small"):
        bench.same_tensors(how, again, value)


# ---------------------------------------------------------------------------------------------------------------------
# Large files: holes in them stand for zeros


def large(bench, sizes, name):
    """A state dict of uint8 tensors whose elements are holes, but for the first and last ones of each."""
    with torch.device("meta"):
        shapes = [torch.empty(size, dtype=torch.uint8) for size in sizes]
    value = {"t%d" % i: torch.empty_strided(t.shape, t.stride(), dtype=torch.uint8) for i, t in enumerate(shapes)}  # pages that nobody touches
    path = skipping(bench, value, name)
    ends = {}
    for i, (record, at) in enumerate(offsets_of(path).items()):
        ends["t%d" % i] = (i + 1, 200 + i)
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(bytes([i + 1]))
            f.seek(at + sizes[i] - 1)
            f.write(bytes([200 + i]))
    return path, ends


def compare_large(bench, path, sizes, ends):
    loaded = torch.load(path, mmap=True)
    lines = [json.loads(line) for line in bench.run("ls", "--json", path).splitlines()]
    need([(line["name"], line["shape"]) for line in lines] == [(name, list(t.shape)) for name, t in loaded.items()], lines)
    for name, (first, last) in ends.items():
        need((int(loaded[name][0]), int(loaded[name][-1])) == (first, last), "PyTorch reads other elements of", name)
        for options in ([], ["--mmap"]):
            found = [int(bench.run("get", *options, path, name, "--text", "--slice", str(at))) for at in (0, -1)]
            need(found == [first, last], "ptio get", *options, name, found)
    need(sum(sizes) < path.stat().st_size < sum(sizes) + 10000, "the file has", path.stat().st_size, "bytes")
    return loaded


@case("serialization_2gb_file")
def two_gigabytes(bench):
    """Beyond 2^31 bytes, by pages that are not there."""
    sizes = [1_150_000_000, 1_150_000_000, 5]
    path, ends = large(bench, sizes, "two.pt")
    compare_large(bench, path, sizes, ends)


@case("serialization_4gb_file")
def four_gigabytes(bench):
    """A storage of more than 2^32 bytes, whose sizes behind the data have 64 bits, and two tiny ones behind it."""
    sizes = [(1 << 32) + 5, 3, 3]
    path, ends = large(bench, sizes, "four.pt")
    loaded = compare_large(bench, path, sizes, ends)
    small = {name: t for name, t in loaded.items() if t.numel() < 9}
    for name, t in small.items():
        need(json.loads(bench.run("get", path, name, "--json"))["data"] == t.tolist(), "ptio get", name)
    # ptio's own file of that size, its elements holes.
    again = bench.path("four.pt")
    code, told = bench.write_by("save", path, "path", again, "skip-data")
    need(code == 0 and again.stat().st_size == path.stat().st_size, told)
    need(offsets_of(again) == offsets_of(path) and os.stat(again).st_blocks * 512 < 1 << 24, "the records are elsewhere")
