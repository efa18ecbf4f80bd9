"""Run the bench: ptio beside PyTorch, safetensors and what the machine allows, as Markdown.

    python run.py --ptio BUILD/bin/ptio [--folder FOLDER] [--keep] [--seconds N] [--output FILE]

The Python that runs this must have torch, numpy and safetensors. `make_files.py` writes the files into FOLDER (build/bench), 2.2 GiB;
the large ones are removed at the end unless --keep is given. --seconds is the time for each measurement of a peer.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

JOBS = (
    ("1a", "list 200 tensors, 1 GiB"),
    ("1b", "list 20,000 tensors of 1 KiB"),
    ("1c.e", "list 100,000 tensors of 16 B"),
    ("1c.f", "list 100,000 views of one storage"),
    ("4a", "copy 1 of 200 tensors, 5 MiB"),
    ("4b", "copy 1,000 of 20,000 tensors"),
    ("7", "load 200,000 scalars, each under a string"),
    ("9b", "check 1 GiB: every byte, every CRC"),
)
SAVE_JOBS = (
    ("5a", "save 200 tensors, 1 GiB"),
    ("5b", "the same, durable (fsync)"),
    ("5a.2", "save 200 tensors, 1 GiB, with two threads"),
    ("5c.b", "save 20,000 tensors of 1 KiB"),
    ("5c.e", "save 100,000 tensors of 16 B"),
    ("7b", "save 200,000 scalars, each under a string, to memory"),
    ("13", "rename a key of 1 GiB: load, edit, save as another file"),
)
WHOLE_JOBS = (
    ("2a", "map 1 GiB, read every byte of every tensor", None),
    ("2b", "copy 200 tensors, 1 GiB, into warm buffers", None),
    ("2c.1", "read all storages, 1 GiB, into fresh memory", "2c.torch.fresh"),
    ("2c", "the same with two threads", "2c.torch.fresh"),
    ("3", "the same, the file not in the page cache", "3.torch.fresh"),
    ("9b.2", "check 1 GiB with two threads", None),
    ("8.f32.f16", "4 Mi float32 copied as float16", "8.f32.f16.torch"),
    ("8.f32.bf16", "4 Mi float32 copied as bfloat16", "8.f32.bf16.torch"),
    ("8.f16.f32", "4 Mi float16 copied as float32", "8.f16.f32.torch"),
    ("8.bf16.f32", "4 Mi bfloat16 copied as float32", "8.bf16.f32.torch"),
)
MODULE_JOBS = (
    ("py.b", "ptio.load(): 20,000 tensors of 1 KiB", 10),
    ("py.c", "200,000 scalars, each under a string", 20),
    ("py.a", "200 tensors, 1 GiB, into new memory", 2),
    ("py.a.mmap", "the same with mmap=True", 2),
    ("py.save.b", "ptio.save(): 20,000 tensors of 1 KiB", 2),
    ("py.save.c", "200,000 scalars, each under a string", 2),
    ("py.save.a", "200 tensors, 1 GiB", 2),
)
# Whole processes: job, work, command, peers. 10b is of 1,000,000 numbers, so a millisecond is a nanosecond for each.
STATS_JOBS = (
    ("10a", "every statistic of 1 GiB float32", ("stats", "a.pt"), ("10a.torch", "10a.torch.mean")),
    ("10a.mmap", "the same, mapped, without checksums", ("stats", "--mmap", "a.pt"), ("10a.torch", "10a.torch.mean")),
    ("10b", "1,000,000 floats as print(tensor) has them, all of them", ("show", "--all", "p.pt"), ("10b.snprintf", "10b.python")),
    ("10b.text", "the same with the fewest digits that give each back", ("get", "--text", "p.pt"), ("10b.snprintf", "10b.python")),
)
PEERS = ("torch", "torch.unrestricted", "torch.mmap", "torch.mmap.unrestricted", "safetensors", "cpickle")
PEER_TITLES = (
    "torch.load",
    "weights_only=False",
    "mmap=True",
    "mmap=True, weights_only=False",
    "safetensors",
    "C unpickler alone",
)


class Results(dict):
    """Lines of bench/timing.h, by name: a list of min, median, max, runs for a time, of one number for a count."""

    def collect(self, *command):
        print("  " + " ".join(os.path.basename(word) for word in command[:3]), file=sys.stderr)
        for line in subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
            name, *numbers = line.split("\t")
            self[name] = [int(number) for number in numbers]

    def median(self, name):
        return self[name][1] if name in self else None

    def ratio(self, slow, fast):
        return self.median(slow) / self.median(fast)


def targets(r):
    """Each with its job, its text, what was measured, the bound, and whether the bound is the most or the least."""

    def at_most(job, ms, name=None):
        return job, f"at most {ms:g} ms", r.median(name or job) / 1e6, ms, "most"

    def faster(job, times, peer, title):
        return job, f"at least {times:g} times as fast as {title}", r.ratio(peer, job), times, "least"

    mmap, free = "mmap=True", "mmap=True, weights_only=False"
    yield at_most("1a", 0.2)
    yield faster("1a", 20, "1a.torch.mmap", mmap)
    yield at_most("1b", 4)
    yield faster("1b", 400, "1b.torch.mmap", mmap)
    yield faster("1b", 150, "1b.torch.mmap.unrestricted", free)
    yield faster("1b", 1, "1b.safetensors", "safetensors")
    yield at_most("1c.e", 26)
    yield faster("1c.e", 100, "1c.e.torch.mmap", mmap)
    yield at_most("1c.f", 26)
    yield faster("1c.f", 60, "1c.f.torch.mmap", mmap)
    yield at_most("4a", 1.2)
    yield faster("4a", 700, "4a.torch.fresh", "the first torch.load of a process")
    yield faster("4a", 4, "4a.torch.mmap", mmap)
    yield at_most("4b", 5)
    yield faster("4b", 90, "4b.torch.mmap", mmap)
    more = (r["4b.bytes"][0] - r["b.metadata"][0]) / r["4b.needed"][0]
    yield "4b", "at most 1.2 times the bytes needed, beside the metadata", more, 1.2, "most"
    yield at_most("7", 6)
    yield faster("7", 6, "7.cpickle", "the C unpickler")
    yield faster("7", 75, "7.torch", "torch.load")
    text = "read and verify 1 MiB in the cache: at least 0.95 of copy and CRC by libdeflate"
    yield "9a", text, r.ratio("9a.1MiB.limit", "9a.1MiB"), 0.95, "least"
    yield "9b", "at least 0.9 of a mapped read", r.ratio("9b.limit", "9b"), 0.9, "least"
    zlib = r.median("9a.1MiB.zlib") * r["limit.bytes"][0] / 2**20 / r.median("9b")
    yield "9b", "at least 5 times the rate of zlib's CRC", zlib, 5, "least"
    for file, ms, times in (("a", 1.5, 1000), ("b", 12, 150)):
        job = f"11.{file}"
        yield at_most(job, ms)
        yield faster(job, times, f"{job}.python", "python with torch")
        allowed = 8 + 4 * r[f"{file}.metadata"][0] / 2**20
        used = (r[f"12.{file}.peak"][0] - r["12.none.peak"][0]) / 1024
        yield f"12.{file}", f"peak memory of listing: at most {allowed:.2f} MiB", used, allowed, "most"


def save_targets(r):
    """The same of saving."""

    def faster(job, times):
        return job, f"at least {times:g} times as fast as torch.save", r.ratio(f"{job}.torch", job), times, "least"

    def of_limit(job, limit):
        return job, f"at least 0.9 of {limit}", r.ratio(f"{job}.limit", job), 0.9, "least"

    def at_most(job, ms):
        return job, f"at most {ms:g} ms", r.median(job) / 1e6, ms, "most"

    yield of_limit("5a", "a write of the same bytes with their CRC")
    yield "5a", "the CRC adds at most 0.1 of the time without", r.ratio("5a", "5a.nocrc") - 1, 0.1, "most"
    yield faster("5a", 2)
    yield "5a.2", "with two threads: at least 2.7 times as fast as torch.save", r.ratio("5a.torch", "5a.2"), 2.7, "least"
    yield of_limit("5b", "a write of the same bytes with their CRC and fsync")
    yield faster("5b", 1.7)
    yield at_most("5c.b", 25)
    yield faster("5c.b", 27)
    yield at_most("5c.e", 45)
    yield faster("5c.e", 80)
    yield at_most("7b", 7)
    for file in "abe":
        allowed = 32 + r[f"{file}.metadata"][0] / 2**20
        used = (r[f"12.save.{file}.peak"][0] - r["12.none.peak"][0]) / 1024
        yield f"12.{file}", f"peak memory of load and save: at most {allowed:.2f} MiB", used, allowed, "most"
    yield at_most("13", 5) if r["13.shares"][0] else of_limit("13", "a copy of the file by the system")


def whole_targets(r):
    """The same of loads of everything."""

    def of_limit(job, least, limit):
        return job, f"at least {least:g} of {limit}", r.ratio(f"{job}.limit", job), least, "least"

    def faster(job, times, peer, title="torch"):
        return job, f"at least {times:g} times as fast as {title}", r.ratio(peer, job), times, "least"

    first = "the first torch.load of a process"
    yield of_limit("2a", 0.95, "a mapped read")
    yield of_limit("2b", 0.95, "pread into the same buffers")
    yield faster("2c.1", 2.5, "2c.torch.fresh", first)
    yield of_limit("2c", 0.9, "pread by two threads into huge pages")
    yield faster("2c", 4, "2c.torch.fresh", first)
    yield of_limit("3", 0.9, "a read past the page cache")
    yield faster("3", 1.4, "3.torch.fresh", first)
    yield of_limit("9b.2", 0.9, "a mapped read by two threads")
    for kind in ("f32.f16", "f32.bf16", "f16.f32", "bf16.f32"):
        yield of_limit(f"8.{kind}", 0.9, "a copy of as many bytes")
        yield faster(f"8.{kind}", 1.5, f"8.{kind}.torch")


def stats_targets(r):
    """The same of statistics and printing, whole processes."""
    for job in ("10a", "10a.mmap"):
        yield job, "at most 115 ms", r.median(job) / 1e6, 115, "most"
        yield job, "at least 25 times as fast as torch in five calls", r.ratio("10a.torch", job), 25, "least"
        yield job, "at least 0.9 of torch.mean alone", r.ratio("10a.torch.mean", job), 0.9, "least"
    for job in ("10b", "10b.text"):
        yield job, "at most 45 ns for each number", r.median(job) / 1e6, 45, "most"
        yield job, "at least 7 times as fast as snprintf", r.ratio("10b.snprintf", job), 7, "least"


def module_targets(r):
    """The same of the Python module."""
    for job, _, times in MODULE_JOBS:
        title = "torch.save" if ".save." in job else "torch.load"
        yield job, f"at least {times} times as fast as {title}", r.ratio(f"{job}.torch", job), times, "least"
    yield "py.import", "import ptio: at most 20 ms", r.median("py.import") / 1e6, 20, "most"


def number(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def ms(ns):
    return number(ns / 1e6) if ns is not None else ""


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def head(*titles):
    return [row(*titles), "|" + "---|" * len(titles)]


def times_table(r):
    yield from head("job", "work", "ptio: min", "median", "max", "limit", "of the limit", *PEER_TITLES)
    for job, work in JOBS:
        low, median, high, _ = r[job]
        limit = r[f"{job}.limit"]
        noisy = "*" if limit[1] > 1.25 * limit[0] else ""
        share = f"{limit[1] / median:.2f}"
        peers = (ms(r.median(f"{job}.{peer}")) for peer in PEERS)
        yield row(job, work, ms(low), ms(median), ms(high), ms(limit[1]) + noisy, share, *peers)


def save_table(r):
    yield from head("job", "work", "ptio: min", "median", "max", "limit", "of the limit", "torch.save", "C pickler alone")
    for job, work in SAVE_JOBS:
        low, median, high, _ = r[job]
        limit = r.get(f"{job}.limit")
        shown, share = "", ""
        if limit:
            shown = ms(limit[1]) + ("*" if limit[1] > 1.25 * limit[0] else "")
            share = f"{limit[1] / median:.2f}"
        peers = (ms(r.median(f"{job}.{peer}")) for peer in ("torch", "cpickle"))
        yield row(job, work, ms(low), ms(median), ms(high), shown, share, *peers)


def whole_table(r):
    yield from head("job", "work", "ptio: min", "median", "max", "limit", "of the limit", "torch")
    for job, work, peer in WHOLE_JOBS:
        low, median, high, _ = r[job]
        limit = r[f"{job}.limit"]
        shown = ms(limit[1]) + ("*" if limit[1] > 1.25 * limit[0] else "")
        yield row(job, work, ms(low), ms(median), ms(high), shown, f"{limit[1] / median:.2f}", ms(r.median(peer)))


def stats_table(r):
    yield from head("job", "work", "ptio: min", "median", "max", "torch in five calls / snprintf", "torch.mean alone / repr of Python")
    for job, work, _, peers in STATS_JOBS:
        low, median, high, _ = r[job]
        yield row(job, work, ms(low), ms(median), ms(high), *(ms(r.median(peer)) for peer in peers))


def module_table(r):
    yield from head("job", "work", "ptio: min", "median", "max", "PyTorch", "times as fast")
    for job, work, _ in MODULE_JOBS:
        low, median, high, _ = r[job]
        yield row(job, work, ms(low), ms(median), ms(high), ms(r.median(f"{job}.torch")), number(r.ratio(f"{job}.torch", job)))


def processes_table(r):
    yield from head("job 11: whole process", "ptio ls", "python with torch", "unzip -l")
    for file, work in (("a", JOBS[0][1]), ("b", JOBS[1][1])):
        yield row(work, *(ms(r.median(f"11.{file}{other}")) for other in ("", ".python", ".unzip")))


def targets_table(r):
    yield from head("job", "target", "measured", "")
    module = module_targets(r) if "py.b" in r else ()
    for job, text, measured, bound, kind in (*targets(r), *whole_targets(r), *stats_targets(r), *save_targets(r), *module):
        met = measured <= bound if kind == "most" else measured >= bound
        by = measured / bound if kind == "most" else bound / measured
        yield row(job, text, number(measured), "met" if met else f"**missed by {by:.2f} x**")


def machine_table(r):
    def rate(name, size):
        return f"{size / r.median(name):.1f} GB/s"

    yield from head("what the machine allows", "")
    yield row("read a mapped file of 1 GiB", rate("limit.mapped", r["limit.bytes"][0]))
    yield row("pread it into one small buffer", rate("limit.pread", r["limit.bytes"][0]))
    yield row("memcpy, warm", rate("limit.memcpy", r["limit.copied"][0]))
    yield row("copy a record of 1 MiB in the cache and its CRC by libdeflate", rate("9a.1MiB.limit", 2**20))
    yield row("the CRC alone by zlib", rate("9a.1MiB.zlib", 2**20))
    for size in ("64", "512"):
        least, whole = r.median(f"9a.{size}.limit"), r.median(f"9a.{size}")
        yield row(f"copy a record of {size} bytes and its CRC by libdeflate / ptio_archive_read()", f"{least} ns / {whole} ns")


def instructions_table(r):
    yield from head("open and list", "opcodes", "metadata", "instructions", "for each opcode")
    for file in "abcef":
        opcodes, count = r[f"{file}.opcodes"][0], r[f"{file}.instructions"][0]
        yield row(f"file {file}", f"{opcodes:,}", f"{r[f'{file}.metadata'][0]:,} B", f"{count:,}", f"{count / opcodes:.1f}")


def save_instructions_table(r):
    yield from head("save, built in memory", "objects", "instructions", "for each")
    for what, text, objects in (("b", "5c.b", 20_000), ("e", "5c.e", 100_000), ("c", "7b", 200_000)):
        count = r[f"save.{what}.instructions"][0]
        yield row(f"job {text}", f"{objects:,}", f"{count:,}", f"{count / objects:,.0f}")


def count_instructions(r, bench, folder):
    """Of open and list, and of saving, by callgrind: a figure that no neighbour disturbs."""

    def count(*arguments):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", bench, *arguments]
        output = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
        return int(re.search(r"Collected : (\d+)", output)[1])

    start = count("list")
    for file in "abcef":
        r[f"{file}.instructions"] = [count("list", f"{folder}/{file}.pt") - start]
    for what in "bec":
        r[f"save.{what}.instructions"] = [count("build", what, "save") - count("build", what)]


PYTHON_LS = "import sys, torch\nfor k, v in torch.load(sys.argv[1], mmap=True).items(): print(k, v.dtype, v.shape)"


def measure(ptio, bench, folder, seconds):
    r = Results()
    peers = os.path.join(HERE, "peers.py")
    r.collect(bench, "jobs", folder)
    for file in "ab":
        path = f"{folder}/{file}.pt"
        r.collect(bench, "spawn", f"11.{file}", "50", ptio, "ls", path)
        r.collect(bench, "spawn", f"11.{file}.python", "5", sys.executable, "-c", PYTHON_LS, path)
        if shutil.which("unzip"):
            r.collect(bench, "spawn", f"11.{file}.unzip", "20", "unzip", "-l", path)
        r.collect(bench, "spawn", f"12.{file}", "3", bench, "list", path)
    r.collect(bench, "spawn", "12.none", "3", bench, "list")
    for job, _, (verb, *options, file), _ in STATS_JOBS:
        r.collect(bench, "spawn", job, "9", ptio, verb, *options, f"{folder}/{file}")
    r.collect(bench, "whole-jobs", folder)
    r.collect(bench, "save-jobs", folder)
    for file in "abe":
        r.collect(bench, "spawn", f"12.save.{file}", "2", bench, "save", f"{folder}/{file}.pt", f"{folder}/saved.pt")
    r.collect(sys.executable, os.path.join(HERE, "save_peers.py"), folder, str(min(float(seconds), 4)))
    r.collect(sys.executable, peers, folder, seconds)
    for job, work in (("4a", "copy"), ("2c", "load"), ("3", "cold")):
        command = [sys.executable, peers, "--fresh", folder, work]
        fresh = sorted(int(subprocess.check_output(command)) for _ in range(5))
        r[f"{job}.torch.fresh"] = [fresh[0], fresh[2], fresh[4], 5]
    package = os.path.join(os.path.dirname(os.path.dirname(ptio)), "python")
    if os.path.isdir(package):
        r.collect(sys.executable, os.path.join(HERE, "module_peers.py"), package, folder, str(min(float(seconds), 4)))
    if shutil.which("valgrind"):
        count_instructions(r, bench, folder)
    return r


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    import safetensors
    import torch

    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} threads, "
        f"{platform.system()} {platform.release().split('-')[0]}; Python {platform.python_version()}, "
        f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}"
    )


def report(r):
    yield "# How fast it is"
    yield ""
    yield "Made by `./dev bench`, all in one run; times are medians in milliseconds where nothing else is said. The files are in the"
    yield "page cache, but for job 3. The jobs are those of `bench/*.c`, the files those of `bench/make_files.py`. One thread where no other number is given."
    yield ""
    yield machine() + "."
    yield ""
    yield "## Targets"
    yield ""
    yield from targets_table(r)
    yield ""
    yield "## Times"
    yield ""
    yield from times_table(r)
    yield ""
    yield from processes_table(r)
    yield ""
    yield "The limit is measured in the same process, alternating with the job (`bench/limits.c`): to list and load, directory and pickle read"
    yield "into a warm buffer and passed over once, entry by entry and opcode by opcode, nothing built; to copy, those and the bytes"
    yield "of the tensors; to check, the mapped file read once. A star: its median is more than 1.25 times its fewest, the machine was busy."
    yield f"Mapped (`mmap`), 4a takes {ms(r.median('4a.mmap'))}, 4b {ms(r.median('4b.mmap'))}, 9b {ms(r.median('9b.mmap'))}."
    yield ""
    yield from whole_table(r)
    yield ""
    yield "The limits of whole loads (`bench/whole.c`) compute no CRC, which ptio does but for 2a. torch is `torch.load(weights_only=False)`, the first of a"
    yield "process, since later ones find memory that earlier ones gave back, which ptio returns to the system; and `Tensor.copy_` into a tensor that is there."
    yield ""
    yield from stats_table(r)
    yield ""
    yield "Statistics and numbers as text are whole processes that read the file, compare its checksums and write; their peers begin with the numbers in"
    yield "memory. PyTorch takes aminmax, mean, std, count_nonzero and isfinite for what `ptio stats` tells in one pass."
    yield ""
    yield from save_table(r)
    yield ""
    yield "Saved is what ptio's builder has made over memory of the process, to a new file; 13 begins with a file. The limit (`bench/save_limits.c`)"
    yield "is a write of the same bytes with their CRC, block by block, and of many small ones through a buffer, with as many bytes"
    yield f"between them as the file has; of 13 copy_file_range(). Without CRC 5a takes {ms(r.median('5a.nocrc'))}, the write alone {ms(r.median('5a.nocrc.limit'))}."
    yield ""
    if "py.b" in r:
        yield from module_table(r)
        yield ""
        yield "The Python module and PyTorch in one process and in turns (`bench/module_peers.py`): weights_only=True, objects made and freed;"
        yield f"saves to a new file. `import ptio` takes {ms(r.median('py.import'))}."
        yield ""
    yield from machine_table(r)
    if "a.instructions" in r:
        yield ""
        yield "## Instructions"
        yield ""
        yield "Counted by callgrind, the start of the process left out: a figure that does not depend on what else the machine does."
        yield ""
        yield from instructions_table(r)
        yield ""
        yield from save_instructions_table(r)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ptio", required=True, help="the built command; ptio_bench is built beside it")
    parser.add_argument("--folder", default="build/bench", help="for the files (2.2 GiB)")
    parser.add_argument("--keep", action="store_true", help="keep the files of 1 GiB")
    parser.add_argument("--seconds", default="10", help="for each measurement of a peer")
    parser.add_argument("--output", help="write the Markdown there too")
    options = parser.parse_args()

    ptio = os.path.abspath(options.ptio)
    build = os.path.dirname(os.path.dirname(ptio))
    subprocess.run(["cmake", "--build", build, "--target", "ptio_bench"], check=True, stdout=sys.stderr)
    subprocess.run([sys.executable, os.path.join(HERE, "make_files.py"), options.folder], check=True)
    results = measure(ptio, os.path.join(os.path.dirname(ptio), "ptio_bench"), options.folder, options.seconds)
    text = "\n".join(report(results)) + "\n"
    print(text, end="")
    if options.output:
        with open(options.output, "w") as file:
            file.write(text)
    if not options.keep:
        for name in ("a.pt", "a.safetensors"):
            os.remove(os.path.join(options.folder, name))


if __name__ == "__main__":
    main()
