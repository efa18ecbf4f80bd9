"""Archives of random records, written by the library and by PyTorch's own writer: the bytes must be the same.

The records go to a stream or to a path, their number, names, sizes, alignment and CRC are drawn; some data and names look like data
descriptors, which PyTorch's serialization id takes for such. write_archives.c writes with the library.
"""
import io
import os
import random
import shlex
import struct
import subprocess
import sys
import tempfile

import torch
import torch.serialization
import torch.utils.serialization

NO_CRC, TO_PATH = 1, 8
DESCRIPTOR = b"PK\x07\x08"
BATCH = 25


# ---------------------------------------------------------------------------------------------------------------------
# Drawing


def draw_name(r):
    form = r.randrange(8)
    if form < 4:
        return "data/%d" % r.randrange(3000)
    if form < 6:
        return r.choice(("data.pkl", ".format_version", ".storage_alignment", "constants.pkl", "version", ".data/version", "code/__torch__.py",
                         ".data/serialization_id"))
    letters = "abcXYZ0189_-. " + ("äß中\U0001f600" if r.random() < 0.3 else "")
    size = r.choice((1, 2, 5, 9, 17, 30, 33, 64, 65, 200, r.randrange(1, 5000)))
    name = "x" + "".join(r.choice(letters) for _ in range(size))
    return name if r.random() < 0.5 else "folder/" + name + "/" + name[::-1]


def draw_data(r):
    size = r.choice((0, 0, 1, 2, 3, 7, 8, 9, 40, 63, 64, 65, 1000, 4096, r.randrange(20000), r.randrange(20000), r.randrange(1500000) if r.random() < 0.1 else 5))
    data = r.randbytes(size)
    return (DESCRIPTOR + data)[:size] if r.random() < 0.15 else data


def draw_records(r):
    records, taken = [], set()
    for _ in range(r.choice((0, 1, 2, 3, 5, 12, 13, 14, 29, 30, 60, 130, 260))):
        name = draw_name(r)
        # Names that differ in case only are refused, since no reader tells them apart.
        if name.lower() not in taken:
            taken.add(name.lower())
            records.append((name, draw_data(r)))
    # What the writer adds by itself is that of its machine, which may be emulated.
    if "byteorder" not in taken and (r.random() < 0.5 or os.environ.get("PTIO_RUN")):
        records.insert(r.randrange(len(records) + 1), ("byteorder", r.choice((b"little", b"big"))))
    return records


PATHS = ("a.pt", "model.tar.gz", "no dot", "trail.", "..pt", "a:b.pt", "new\nline.pt", "PK\x07\x08.pt", "PK\x07\x08 longer.pt", "n\u00e9t.pt", "\u4e2d/a.pt", "x" * 200)


class Job:
    def __init__(self, name, folder):
        r = random.Random(name)
        self.name = name
        self.records = draw_records(r)
        self.pieces = [r.choice((0, 0, 0, 1 + len(data) // 3, 70000)) for _, data in self.records]
        self.crc = r.random() < 0.8
        self.alignment = r.choice((64, 64, 64, 1, 2, 63, 100, 4096, 65000, 65504, r.randrange(1, 65505)))
        self.path = os.path.join(folder, name.replace("/", "-"), r.choice(PATHS)) if r.random() < 0.4 else None

    def by_pytorch(self):
        config = torch.utils.serialization.config.save
        before = config.storage_alignment, torch.serialization.get_crc32_options()
        try:
            config.storage_alignment = self.alignment
            torch.serialization.set_crc32_options(self.crc)
            out = io.BytesIO() if self.path is None else self.path
            if self.path is not None:
                os.makedirs(os.path.dirname(self.path))
            with torch.serialization._open_zipfile_writer(out) as writer:
                for name, data in self.records:
                    writer.write_record(name, data, len(data))
            return out.getvalue() if self.path is None else self.taken()
        finally:
            config.storage_alignment = before[0]
            torch.serialization.set_crc32_options(before[1])

    def taken(self):
        """The bytes at the path, which is free again afterwards."""
        with open(self.path, "rb") as f:
            body = f.read()
        os.unlink(self.path)
        return body

    def described(self):
        def text(data):
            return struct.pack("<I", len(data)) + data

        flags = (0 if self.crc else NO_CRC) | (0 if self.path is None else TO_PATH)
        parts = [struct.pack("<II", flags, self.alignment), text((self.path or "").encode()), struct.pack("<I", len(self.records))]
        for (name, data), piece in zip(self.records, self.pieces):
            parts += [struct.pack("<I", piece), text(name.encode()), text(data)]
        return b"".join(parts)


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def by_library(program, jobs):
    done = subprocess.run(program, input=b"".join(job.described() for job in jobs), capture_output=True, timeout=600)
    if done.returncode:
        raise AssertionError("write_archives: exit code %d: %s" % (done.returncode, done.stderr.decode("utf-8", "replace")))
    out = io.BytesIO(done.stdout)
    for job in jobs:
        body = out.read(struct.unpack("<Q", out.read(8))[0])
        yield body if job.path is None else job.taken()


def difference(found, truth):
    if found == truth:
        return None
    at = next((i for i, (a, b) in enumerate(zip(found, truth)) if a != b), min(len(found), len(truth)))
    return "archives: %d bytes, PyTorch %d; they differ at %d: %r, PyTorch %r" % (len(found), len(truth), at, found[at:at + 20], truth[at:at + 20])


def program_of(command):
    build = os.environ.get("PTIO_BUILD_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(command)))
    return shlex.split(os.environ.get("PTIO_RUN", "")) + [os.path.join(build, "bin", "write_archives")]


def run(command, seed, indexes):
    """(passed, failed)."""
    failed, indexes = 0, list(indexes)
    with tempfile.TemporaryDirectory() as folder:
        for at in range(0, len(indexes), BATCH):
            jobs = [Job("%d/%d" % (seed, i), folder) for i in indexes[at:at + BATCH]]
            truths = [job.by_pytorch() for job in jobs]
            for job, found, truth in zip(jobs, by_library(program_of(command), jobs), truths):
                problem = difference(found, truth)
                if problem:
                    failed += 1
                    print("archive %s: %s" % (job.name, problem), file=sys.stdout, flush=True)
    return len(indexes) - failed, failed
