#!/usr/bin/env python3
"""Compare ptio with PyTorch 2.13 over random object graphs.

    run.py --ptio COMMAND [--count N] [--seed N] [--only INDEX] [--keep FOLDER]

Run by a Python that has PyTorch. Each graph (graphs.py) is written by PyTorch with options drawn at random: the zip container, the legacy
stream, or a plain pickle; protocols 1 to 5; alignment, CRC, location tags; some archives are packed again, some with a byte order
record that makes PyTorch swap. PyTorch loads the file, zoo.Describer tells what it got, and

    `ptio tree --json`         must tell the same (same.py decides),
    `ptio ls --json --hash`    must list the same tensors (listing.py),
    `ptio show`                must print what print() does under random printoptions, where every class in it is one that ptio can know; at
                               least half of the graphs are, and
    `ptio check --json`        must know whether torch.load(weights_only=True) takes the file; these are counted by themselves.

Random tensors, 2,500 for each seed, values of Python's library and every module of torch.nn are printed by both (prints.py).

Archives of random records, 200 for each seed, are compared byte for byte with those of PyTorch's writer (archives.py), and so are files that
`ptio save` changed, 100 for each seed, with what torch.save writes after the same change in Python (edits.py). Where storages go,
map_location, is compared for 200 graphs of each seed and the files of the corpus (places.py).

What PyTorch cannot write or read back is drawn again. There are two runs of 2,000, one of seed 0 and one of a fresh seed; with --seed there is one
run of that seed, and with --only one graph. PTIO_TEST_SHARE asks for a part. Files of failures stay in build/oracle, with the truth beside them.
"""
import argparse
import contextlib
import io
import json
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import tempfile
import warnings
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(TESTS, "corpus"), os.path.join(TESTS, "data", "corpus")]

import torch  # noqa: E402
import torch._dynamo  # noqa: E402,F401  weights_only takes jagged tensors only where it was imported
import torch.serialization  # noqa: E402
import torch.utils.serialization  # noqa: E402,F401

import archives  # noqa: E402
import edits  # noqa: E402
import graphs  # noqa: E402
import listing  # noqa: E402
import places  # noqa: E402
import printed  # noqa: E402
import prints  # noqa: E402
import same  # noqa: E402
import seeding  # noqa: E402
import zoo  # noqa: E402

WORKERS = 2
TRIES = 50  # until something could be saved
NOT_COMPARED = "not compared"


# ---------------------------------------------------------------------------------------------------------------------
# Writing


@contextlib.contextmanager
def writing(r, crc):
    """The settings around torch.save."""
    config = torch.utils.serialization.config.save
    alignment = r.choice((64, 64, 64, 1, 16, 4096))
    tag = r.choice((None, None, None, None, "cuda:0", "mps", "odd tag"))
    before = config.storage_alignment
    with contextlib.ExitStack() as stack:
        if tag is not None:
            stack.enter_context(zoo.patched(torch.serialization, location_tag=lambda storage: tag if storage.device.type == "cpu" else "meta"))
        try:
            config.storage_alignment = alignment
            torch.serialization.set_crc32_options(crc)
            yield
        finally:
            config.storage_alignment = before
            torch.serialization.set_crc32_options(True)


def packed_again(body, r, swappable):
    """The same archive as another tool would pack it; with a byte order record that makes PyTorch reverse the elements."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        big = swappable and r.random() < 0.6
        names = old.namelist()
        if r.random() < 0.3:
            r.shuffle(names)
        for name in names:
            data = old.read(name)
            if name.endswith("/byteorder"):
                data = b"big" if big else data
            new.writestr(name, data, r.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    return out.getvalue()


def written(obj, r, swappable):
    """The bytes of a file, and how to load it."""
    out, protocol = io.BytesIO(), r.choice((2, 2, 2, 2, 2, 1, 3, 4, 5))
    form = r.choice(("zip", "zip", "zip", "zip", "legacy", "legacy", "packed", "pickle"))
    if form == "pickle":
        return pickle.dumps(obj, protocol=r.choice((0, 1, 2, 3, 4, 5))), pickle.loads
    with writing(r, crc=form != "zip" or r.random() < 0.9):
        torch.save(obj, out, pickle_protocol=protocol, _use_new_zipfile_serialization=form != "legacy")
    body = packed_again(out.getvalue(), r, swappable) if form == "packed" else out.getvalue()
    return body, lambda b: torch.load(io.BytesIO(b), map_location="cpu", weights_only=False)


def draw(seed, index):
    """A file, its tree, its text, and the options of that. Everything follows from the two numbers."""
    for attempt in range(TRIES):
        name = "%d/%d/%d" % (seed, index, attempt)
        try:
            maker = graphs.Maker(name)
            obj = maker.graph()
            body, load = written(obj, random.Random(name + "/file"), maker.swappable)
            value = load(body)
            tree = graphs.Describer().node(value)
            options = prints.print_options(random.Random(name + "/print"))
            with prints.printing(options[0]):
                return body, tree, (print_of(value, tree), options[1])
        except Exception:  # whatever PyTorch or NumPy cannot do
            continue
    raise SystemExit("nothing of seed %d, %d could be saved" % (seed, index))


# Classes that print themselves, or are no more than a name in the file; those of zoo.py and graphs.py.
OWN_WORDS = ("MyList", "MyDict", "Pair", "Color", "Config", "Wrapper", "Noted")


def prints_itself(node):
    """Whether a tree has something whose text only a class knows, or which depends on the process."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            cls = str(node.get("cls", ""))
            items = node.get("v")
            if cls.rsplit(".", 1)[-1] in OWN_WORDS or node.get("t") == "global":
                return True
            if node.get("t") in ("set", "frozenset") and len(items or ()) > 1:
                return True
            waiting += node.values()
    return False


def print_of(value, tree):
    """What print() shows, or None where it fails, or ptio cannot know."""
    try:
        return None if prints_itself(tree) else prints.text_of(value)
    except Exception:
        return None


def weights_only(body):
    """Whether PyTorch takes the file with weights_only=True. None where that is a matter of luck."""
    failures = set()
    for _ in range(3):
        try:
            torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
            return True
        except pickle.UnpicklingError:
            return False
        except Exception as e:
            failures.add(str(e))
    # Of a nested tensor in a legacy stream, PyTorch looks at the sizes before it has read them.
    return None if len(failures) > 1 or "Storage size calculation overflowed" in failures.pop() else False


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


def ptio(command, *arguments):
    done = subprocess.run((command,) + arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()


def tree_problem(command, path, truth):
    code, output, message = ptio(command, "tree", "--json", path)
    if code != 0:
        return "tree: exit code %d: %s" % (code, message)
    return same.difference(truth, json.loads(output))


def ls_problem(command, path, truth):
    code, output, message = ptio(command, "ls", "--json", "--hash", path)
    if code != 0:
        return "ls: exit code %d: %s" % (code, message)
    return listing.difference(truth, [json.loads(line) for line in output.splitlines()])


def show_problem(command, path, printing):
    text, options = printing
    if text is None:
        return NOT_COMPARED
    problem = printed.difference(text, prints.shown(command, path, options))
    return problem and "%s: %s" % (" ".join(["show"] + options), problem)


def check_problem(command, path, body):
    code, output, message = ptio(command, "check", "--json", path)
    if not output:
        return "check: exit code %d: %s" % (code, message)
    result = json.loads(output)
    findings = "; ".join(f["message"] for f in result.get("findings", ()))[:300]
    if result["verdict"] != "whole":
        return "check: the verdict is %s: %s" % (result["verdict"], findings)
    loads = weights_only(body)
    if loads is not None and result["weights_only_loads"] != loads:
        return "check: weights_only %s it, PyTorch %s; %s" % ("loads" if result["weights_only_loads"] else "refuses", "loads" if loads else "refuses", findings)
    return None


def compare(command, seed, index, keep):
    """What is wrong with the value, with the verdict, and with the text: texts or None."""
    body, truth, printing = draw(seed, index)
    fd, path = tempfile.mkstemp(suffix=".pt")
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(body)
        problems = []
        for find, argument in ((lambda c, p, t: tree_problem(c, p, t) or ls_problem(c, p, t), truth), (check_problem, body),
                               (show_problem, printing)):
            try:
                problems.append(find(command, path, argument))
            except (ValueError, KeyError, TypeError, RecursionError, subprocess.TimeoutExpired) as e:
                problems.append("%s: %s" % (type(e).__name__, e))
    finally:
        os.unlink(path)
    if any(problem not in (None, NOT_COMPARED) for problem in problems):
        os.makedirs(keep, exist_ok=True)
        stem = os.path.join(keep, "%d-%d" % (seed, index))
        with open(stem + ".pt", "wb") as f:
            f.write(body)
        with open(stem + ".json", "w", encoding="ascii") as f:
            json.dump({"tree": truth, "problems": problems}, f)
    return index, problems


def start_worker():
    sys.setrecursionlimit(10000)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def compare_one(job):
    return compare(*job)


def run(command, seed, indexes, keep):
    """(passed, failed) of the values, of the verdicts, and of the texts."""
    counts = [[0, 0], [0, 0], [0, 0]]
    with multiprocessing.get_context("fork").Pool(WORKERS, start_worker) as pool:
        for index, problems in pool.imap_unordered(compare_one, [(command, seed, i, keep) for i in indexes], 8):
            for count, problem in zip(counts, problems):
                if problem == NOT_COMPARED:
                    continue
                count[problem is not None] += 1
                if problem is not None:
                    print("--seed %d --only %d: %s" % (seed, index, problem.encode("ascii", "backslashreplace").decode()), flush=True)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", type=int, metavar="INDEX")
    parser.add_argument("--keep", default=os.path.join(os.path.dirname(TESTS), "build", "oracle"), metavar="FOLDER")
    options = parser.parse_args()
    count = max(1, int(options.count * float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    indexes = range(count) if options.only is None else [options.only]
    seeds = [0, seeding.fresh()] if options.seed is None else [options.seed]
    start_worker()
    totals = [[0, 0], [0, 0], [0, 0]]
    archive_totals, edit_totals, print_totals, place_totals = [0, 0], [0, 0], [0, 0], [0, 0]
    for seed in seeds:
        print("seed %d: %d graphs" % (seed, len(indexes)), flush=True)
        if options.only is None:
            archive_totals = [a + b for a, b in zip(archive_totals, archives.run(options.ptio, seed, range(-(-count // 10))))]
            edit_totals = [a + b for a, b in zip(edit_totals, edits.run(options.ptio, seed, -(-count // 20)))]
            place_totals = [a + b for a, b in zip(place_totals, places.run(options.ptio, seed, -(-count // 10), seed == seeds[0]))]
            found = prints.run(options.ptio, seed, -(-count * 5 // 4), seed == seeds[0])
            print_totals = [a + b for a, b in zip(print_totals, found)]
        for total, part in zip(totals, run(options.ptio, seed, indexes, options.keep)):
            total[0], total[1] = total[0] + part[0], total[1] + part[1]
    if options.only is None and sum(totals[2]) * 2 < len(seeds) * count:
        print("show: only %d texts were compared" % sum(totals[2]))
        totals[2][1] += 1
    print("archives: %d passed, %d failed" % tuple(archive_totals))
    print("edits: %d passed, %d failed" % tuple(edit_totals))
    print("places: %d passed, %d failed" % tuple(place_totals))
    print("prints: %d passed, %d failed" % tuple(print_totals))
    print("show: %d passed, %d failed" % tuple(totals[2]))
    print("weights_only: %d passed, %d failed" % tuple(totals[1]))
    print("%d passed, %d failed" % tuple(totals[0]))
    return 1 if any(total[1] for total in totals + [archive_totals, edit_totals, print_totals, place_totals]) else 0


if __name__ == "__main__":
    sys.exit(main())
