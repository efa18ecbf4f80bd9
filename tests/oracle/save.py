#!/usr/bin/env python3
"""Compare what ptio saves with what PyTorch 2.13 saves.

    save.py --ptio COMMAND [--corpus GLOB] [--count N] [--seed N] [--only INDEX] [--keep FOLDER]

Run by a Python that has PyTorch. For each file of the corpus, and for each of 2,000 random object graphs (graphs.py) that PyTorch wrote,

    `ptio save` [--protocol N] [--legacy]       must write the bytes that torch.save(torch.load(file)) writes, and
    `ptio save --profile RELEASE`               must write a file from which PyTorch loads the same values (same.py decides).

The keys of a legacy stream are memory addresses in PyTorch: here they are numbers, in the order in which the storages come, as ptio has them. The
source code of module classes, which PyTorch looks up for a stream, is left out.
Storages that were on a device stay in memory and keep their tag. Sets of texts have an order that only the process that made them
knows, so random graphs have none of more than one member.

What only running a class can tell is excused, file by file, in EXCUSED: an excuse that nothing needs any more is a failure itself.

There are two runs of random graphs, one of seed 0 and one of a fresh seed; with --seed there is one run of that seed, and with --only one graph.
PTIO_TEST_SHARE asks for a part. Files of failures stay in build/oracle-save: IN, and what PyTorch and ptio made of it.
"""
import argparse
import builtins
import collections
import concurrent.futures
import fnmatch
import io
import json
import multiprocessing
import os
import pickle
import pickletools
import random
import subprocess
import sys
import tempfile
import warnings
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
CORPUS = os.path.join(TESTS, "data", "corpus")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(TESTS, "corpus"), CORPUS]

import torch  # noqa: E402
import torch._dynamo  # noqa: E402,F401
import torch.serialization  # noqa: E402

import graphs  # noqa: E402
import run  # noqa: E402
import same  # noqa: E402
import seeding  # noqa: E402
import zoo  # noqa: E402

WORKERS = 2
TRIES = 50
NAME = "out.pt"
FORMS = ((2, False), (2, True), (1, False), (3, False), (4, False), (5, False), (4, True))  # protocol, legacy
PROFILES = ("2.7", "2.1", "2.0", "1.13", "1.10", "1.6")

MODULE = "nn.Module.__setstate__ adds the attributes that later releases have, in the order of its own code"
ARRAY = "array.array has one form below protocol 3 and another above; it keeps the one that it was loaded from"
OPTIMIZER = "Optimizer.__setstate__ and those of its classes add options that later releases have"
SCHEDULER = "a scheduler's __getstate__ and __setstate__ leave out and add attributes; methods of it are looked up by their names"
RANDOM = "NumPy makes the generator anew: its constructor has a bit generator for argument, its state is made of other texts"
PLACE = "from protocol 4 on Python looks for the module of a memory format among those that are imported, in their order"
GENERATOR = "a generator of PyTorch 1.4 has no state: the one that its constructor makes is written"
JAGGED = "the attributes of a jagged tensor are those that its constructor sets"
BASE = "only the class tells on what type it is built, which protocol 1 writes"

# What the profiles of 1.x and 2.0 refuse, with these words.
REFUSED_BY_OLD = ("is not recognized", "PyTorch 1.13 and older", "PyTorch 2.0 and older")

# Here PyTorch ends its process: Python's copyreg makes an object of C++ without its constructor.
CRASHES = [("*/quantized_*", "protocol 1"), ("*/script_*", "protocol 1"), ("*/generator*", "protocol 1")]

# (file, form, reason). A form is "" for all, "legacy", or a protocol.
EXCUSED = [
    ("2.*/nested_jagged.pt", "", JAGGED),
    ("*/numpy_more.pt", "", RANDOM),
    ("2.9.1/torch_values.pt", "", PLACE),
    ("1.4.0-py27/generator.pt", "", GENERATOR),
    ("1.5.1/zip_before_1_6.pt", "", MODULE),
] + [
    ("*/python_more.pt", form, ARRAY) for form in ("protocol 3", "protocol 4", "protocol 5", "legacy, protocol 4")
] + [
    ("*/python_reduce%s.pt" % name, "protocol 1", BASE) for name in ("", "_protocol_4")
] + [
    (releases + name, "", MODULE) for releases in ("1.*/", "2.0.1/") for name in ("module_*", "seed_model.pt", "legacy_module_*", "legacy_seed_model.pt", "quantized_dynamic.pt")
] + [
    (releases + name, "", reason)
    for releases, name, reason in (("1.*/", "optimizer_object.pt", OPTIMIZER), ("2.1.2/", "optimizer_object.pt", OPTIMIZER), ("1.*/", "scheduler_object.pt", SCHEDULER),
                                   ("2.1.2/", "scheduler_object.pt", SCHEDULER), ("1.*/", "schedulers.pt", SCHEDULER), ("2.0.1/", "schedulers.pt", SCHEDULER))
]

ENUM = "Python 3.11.0 to 3.11.3 look a member of an enumeration up by its name; all others make it of its value"
if (3, 11) <= sys.version_info < (3, 11, 4):
    EXCUSED += [("*/python_enum_dataclass.pt", "", ENUM), ("*/python_reduce_protocol_4.pt", "", ENUM)]


# ---------------------------------------------------------------------------------------------------------------------
# PyTorch


class Tags:
    """Storages that were on a device stay in memory and keep their tag."""

    def __init__(self):
        self.of, self.kept = {}, []
        torch.serialization.register_package(0, self.tag, self.restore)

    def restore(self, storage, location):
        if location in ("cpu", "meta"):
            return None
        self.kept.append(storage)
        self.of[storage._cdata] = location
        return storage

    def tag(self, storage):
        location = self.of.get(storage._cdata)
        return location and ("".join(list(location)) if ":" in location else sys.intern(location))

    def forget(self):
        self.of.clear()
        self.kept.clear()


class NumberedType(type):
    def __instancecheck__(cls, value):
        return isinstance(value, builtins.str)


def numbered():
    """What `str` is for torch.serialization while it writes a stream: addresses of storages become numbers."""
    numbers = {}

    class Numbered(builtins.str, metaclass=NumberedType):
        def __new__(cls, value):
            return builtins.str(numbers.setdefault(value, len(numbers)) if isinstance(value, int) else value)

    return Numbered


class NoModule:
    pass


def load(path):
    return torch.load(path, weights_only=False)


def save(value, path, protocol, legacy):
    if not legacy:
        return torch.save(value, path, pickle_protocol=protocol)
    # Without Module no class is one, and nothing looks for its source code.
    with zoo.patched(torch.serialization, str=numbered()), zoo.patched(torch.nn, Module=NoModule):
        torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


def meet_classes():
    """Files of the corpus have the classes of zoo.py in __main__."""
    main = sys.modules["__main__"]
    for name, value in list(vars(zoo).items()):
        if getattr(value, "__module__", None) == "zoo" and isinstance(value, (type, type(meet_classes))):
            value.__module__ = "__main__"
            for inner in [getattr(v, "__func__", v) for v in vars(value).values()] if isinstance(value, type) else ():
                if isinstance(inner, (type, type(meet_classes))) and inner.__module__ == "zoo":
                    inner.__module__ = "__main__"
        if not name.startswith("__") and not hasattr(main, name):
            setattr(main, name, value)


# ---------------------------------------------------------------------------------------------------------------------
# What differs


def operations(pickled):
    return ["%s %r" % (op.name, argument) if argument is not None else op.name for op, argument, _ in pickletools.genops(pickled)]


def pickles_differ(theirs, ours):
    a, b = operations(theirs), operations(ours)
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y and not x.startswith("FRAME")), min(len(a), len(b)))
    return "opcode %d of %d: after %s PyTorch has %s, ptio %s" % (at, len(a), a[max(0, at - 3):at], a[at:at + 4], b[at:at + 4])


def streams_differ(theirs, ours):
    a, b = io.BytesIO(theirs), io.BytesIO(ours)
    for part in ("the magic number", "the version", "the system", "the object", "the keys"):
        starts = a.tell(), b.tell()
        for stream in (a, b):
            for _ in pickletools.genops(stream):
                pass
        pickled = theirs[starts[0]:a.tell()], ours[starts[1]:b.tell()]
        if pickled[0] != pickled[1]:
            return "%s: %s" % (part, pickles_differ(*pickled))
    return "storages"


def zips_differ(theirs, ours):
    with zipfile.ZipFile(io.BytesIO(theirs)) as a, zipfile.ZipFile(io.BytesIO(ours)) as b:
        for name in a.namelist():
            if name.endswith("/data.pkl") and name in b.namelist() and a.read(name) != b.read(name):
                return pickles_differ(a.read(name), b.read(name))
        if a.namelist() != b.namelist():
            return "records: PyTorch has %s, ptio %s" % (a.namelist(), b.namelist())
        differ = [name for name in a.namelist() if a.read(name) != b.read(name)]
    return "records %s" % differ if differ else "the archive around the records"


def differ(theirs, ours, legacy):
    """The first difference between two files in words, or None."""
    if theirs == ours:
        return None
    try:
        return streams_differ(theirs, ours) if legacy else zips_differ(theirs, ours)
    except Exception as e:  # a file that cannot be taken apart
        return "ptio's file cannot be read: %s" % e


def read(path):
    with open(path, "rb") as f:
        return f.read()


# ---------------------------------------------------------------------------------------------------------------------
# One file


class Untestable(Exception):
    pass


def form_name(form):
    return ("legacy, " if form[1] else "") + "protocol %d" % form[0]


class Bench:
    """A folder with the file that is loaded, IN, and what PyTorch and ptio make of it."""

    def __init__(self, command, folder):
        self.command, self.folder = command, folder
        self.theirs, self.ours = (os.path.join(folder, who, NAME) for who in ("torch", "ptio"))
        for path in (self.theirs, self.ours):
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def ptio(self, source, *arguments):
        done = subprocess.run((self.command, "save", "--no-sync", "--endian", "little") + arguments + (source, self.ours), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300)
        return done.stderr.decode("utf-8", "replace").strip() if done.returncode else None

    def bytes_problem(self, source, form):
        protocol, legacy = form
        try:
            save(load(source), self.theirs, protocol, legacy)
        except Exception as e:
            raise Untestable(str(e))
        message = self.ptio(source, "--protocol", str(protocol), *(["--legacy"] if legacy else []))
        return message or differ(read(self.theirs), read(self.ours), legacy)

    def profile_problem(self, source, profile):
        # What PyTorch's own file of today gives: NumPy makes arrays native when it loads them from protocol 2.
        try:
            save(load(source), self.theirs, 2, False)
            truth = run.Describer().node(load(self.theirs))
        except Exception as e:
            raise Untestable(str(e))
        old = profile.startswith("1.") or profile == "2.0"
        message = self.ptio(source, "--profile", profile)
        if message:
            return None if old and any(words in message for words in REFUSED_BY_OLD) else message
        try:
            found = run.Describer().node(load(self.ours))
        except Exception as e:
            return None if profile.startswith("1.") and "_rebuild_sparse_csr_tensor" in str(e) else "PyTorch cannot load it: %s" % e
        # The oldest leave attributes of tensors out, and all before 2.1 do not say whether a tensor is coalesced.
        if profile.startswith("1.") and '"attrs"' in json.dumps(truth):
            return None
        if old:
            forget(truth, "coalesced"), forget(found, "coalesced")
        return same.difference(truth, found)


def forget(tree, key):
    """Remove a property everywhere in a tree."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            node.pop(key, None)
        left.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())


# ---------------------------------------------------------------------------------------------------------------------
# The corpus


def corpus_files(pattern):
    names = []
    for release in sorted(os.listdir(CORPUS)):
        if release[0].isdigit():
            names += [release + "/" + name for name in sorted(os.listdir(os.path.join(CORPUS, release))) if name.endswith(".pt")]
    return [name for name in names if fnmatch.fnmatch(name, pattern)]


def excuses(name, form):
    return [i for i, (files, forms, _) in enumerate(EXCUSED) if fnmatch.fnmatch(name, files) and (not forms or form_name(form) == forms)]


def corpus_job(job):
    command, name = job
    results = []
    with tempfile.TemporaryDirectory() as folder:
        bench, source = Bench(command, folder), os.path.join(CORPUS, name)
        for form in FORMS:
            tags.forget()
            if any(fnmatch.fnmatch(name, files) and form_name(form) == forms for files, forms in CRASHES):
                continue
            try:
                results.append((name, form, bench.bytes_problem(source, form)))
            except Untestable as e:
                results.append((name, form, e))
    return results


def run_corpus(command, pattern, share):
    names = corpus_files(pattern)
    names = names[::max(1, round(1 / share))]
    passed = failed = skipped = 0
    needed = set()
    with workers() as pool:
        for results in pool.map(corpus_job, [(command, name) for name in names], chunksize=4):
            for name, form, problem in results:
                rows = excuses(name, form)
                if isinstance(problem, Untestable):
                    skipped += 1
                elif problem is None or rows:
                    passed += 1
                    needed.update(rows if problem else ())
                else:
                    failed += 1
                    print("%s, %s: %s" % (name, form_name(form), problem), flush=True)
    if share == 1 and pattern == "*":
        for i in set(range(len(EXCUSED))) - needed:
            failed += 1
            print("nothing needs the excuse %s" % (EXCUSED[i],))
    print("corpus: %d passed, %d failed, %d that PyTorch itself cannot load or save" % (passed, failed, skipped), flush=True)
    return failed


# ---------------------------------------------------------------------------------------------------------------------
# Random graphs


class Maker(graphs.Maker):
    """Graphs of which everything is data: no sets of several members, whose order is the process's, no jagged tensors, and no named
    tuples, whose class alone tells how the one of a pickle of protocol 0 is written by protocol 2."""

    def python_object(self):
        made = super().python_object()
        return made if not isinstance(made, zoo.Pair) else tuple(made)

    def members(self):
        return super().members()[:1]

    def nested(self):
        self.swappable = False
        return torch.nested.nested_tensor([torch.randn(self.r.randrange(1, 4), 3) for _ in range(self.r.randrange(1, 4))])


def write_graph(seed, index, path):
    """A random file that PyTorch can load and save; how it is saved. Everything follows from the two numbers."""
    for attempt in range(TRIES):
        tags.forget()
        name = "save/%d/%d/%d" % (seed, index, attempt)
        r = random.Random(name + "/file")
        try:
            maker = Maker(name)
            body, _ = run.written(maker.graph(), r, maker.swappable)
            with open(path, "wb") as f:
                f.write(body)
            load(path)
            if tags.of and (body[:2] != b"PK" or any(isinstance(value, torch.Generator) for value in maker.made)):
                continue  # the state of a generator, and empty storages of streams, are made anew, and without a device that is in memory
            return r
        except Exception:  # whatever PyTorch or NumPy cannot do
            continue
    raise SystemExit("nothing of seed %d, %d could be saved" % (seed, index))


def keep_failure(keep, stem, source, bench):
    os.makedirs(keep, exist_ok=True)
    for path, who in ((source, "in"), (bench.theirs, "torch"), (bench.ours, "ptio")):
        if os.path.exists(path):
            with open(os.path.join(keep, "%s-%s.pt" % (stem, who)), "wb") as f:
                f.write(read(path))


def graph_job(job):
    command, seed, index, keep = job
    with tempfile.TemporaryDirectory() as folder:
        bench, source = Bench(command, folder), os.path.join(folder, "in.pt")
        r = write_graph(seed, index, source)
        form, profile = r.choice(FORMS[:1] * 6 + FORMS), r.choice(PROFILES)
        try:
            problem = bench.bytes_problem(source, form)
            if problem:
                problem = "%s: %s" % (form_name(form), problem)
            else:
                problem = r.random() < 0.3 and bench.profile_problem(source, profile)
                problem = problem and "profile %s: %s" % (profile, problem)
        except Untestable:
            return index, None, False
        if problem:
            keep_failure(keep, "%d-%d" % (seed, index), source, bench)
        return index, problem or None, True


def run_graphs(command, seed, indexes, keep):
    counts = collections.Counter()
    with workers() as pool:
        for index, problem, tested in pool.map(graph_job, [(command, seed, i, keep) for i in indexes], chunksize=8):
            counts["failed" if problem else "passed" if tested else "skipped"] += 1
            if problem:
                print("--seed %d --only %d: %s" % (seed, index, problem.encode("ascii", "backslashreplace").decode()), flush=True)
    print("seed %d: %d passed, %d failed, %d that PyTorch itself cannot save" % (seed, counts["passed"], counts["failed"], counts["skipped"]), flush=True)
    return counts["failed"]


# ---------------------------------------------------------------------------------------------------------------------


def start_worker():
    global tags
    sys.setrecursionlimit(10000)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.serialization.str = str  # a name that save() can change
    zipfile.ZipExtFile._update_crc = lambda self, data: None  # archives may have no sums
    tags = Tags()


def workers():
    """A crash of PyTorch ends the run, instead of making it wait."""
    return concurrent.futures.ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork"), start_worker)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--corpus", metavar="GLOB", help="only files such as 2.13.0/views.pt")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", type=int, metavar="INDEX")
    parser.add_argument("--keep", default=os.path.join(os.path.dirname(TESTS), "build", "oracle-save"), metavar="FOLDER")
    options = parser.parse_args()
    share = float(os.environ.get("PTIO_TEST_SHARE", "1"))
    meet_classes()
    failed = 0
    if options.corpus or options.seed is None:
        failed += run_corpus(options.ptio, options.corpus or "*", share)
    if not options.corpus:
        indexes = range(max(1, int(options.count * share))) if options.only is None else [options.only]
        for seed in [0, seeding.fresh()] if options.seed is None else [options.seed]:
            failed += run_graphs(options.ptio, seed, indexes, options.keep)
    print("%d failed" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
