#!/usr/bin/env python3
"""Hold the command `ptio` against the corpus: files by real PyTorch releases with the truth about each.

    run.py --ptio COMMAND [--only GLOB] [-v]

GLOB is matched with names such as 2.13.0/views.pt or extra/dcp/two_ranks. For each file, after its SHA-256 was found right:

    tree    `ptio tree --json` tells the same as the truth; same.py decides
    ls      `ptio ls --json --hash` agrees with the tensors of the truth; listing.py derives them
    show    `ptio show` prints what PyTorch printed, where the text does not depend on the release; printed.py tells what is set aside
    check   `ptio check --json` calls a file that loads whole and no other, and knows the answer of weights_only=True where the truth
            is that of PyTorch 2.13
    opens   a truth without a tree: the file opens all the same
    names   a file that is no checkpoint is refused with exit code 2, and the message says what it is (refused.json)

PTIO_TEST_SHARE (environment, 0 to 1) asks for an even part of the files of each folder, the same each time.

exceptions.json names, with the reason, the places that only running a class or only another release can tell ("at": of the tree;
"unlisted": names that `ls` has not; "printed": true where the text differs). There the truth and ptio must differ: a row that nothing needs any more is a failure itself. Prints the first difference of each check that failed, then `N passed, N failed`.

Needs nothing but Python.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(os.path.dirname(HERE), "data", "corpus")
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, CORPUS]

import listing  # noqa: E402
import printed  # noqa: E402
import same  # noqa: E402

WORKERS = 2
GOOD, FINDINGS, REFUSED = 0, 1, 2


def load_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Failure(Exception):
    pass


class Excusing(same.Matcher):
    """Compares trees, but for the places in `excused`, and remembers which of these did differ.

    A place is a node, such as tree.v[0]; a property of one, such as tree.v[0].dtype; or the state of an object, such as tree.state, in
    which either side may then have entries that the other has not. They are named as same.py names them.
    """

    def __init__(self, excused):
        same.Matcher.__init__(self)
        self.excused, self.differed = set(excused), set()

    def node(self, truth, found, where):
        if self.excused and isinstance(found, dict):
            truth = self.with_excused_properties(truth, found, where)
        if where not in self.excused:
            return same.Matcher.node(self, truth, found, where)
        before = dict(self.forward), dict(self.backward)
        try:
            same.Matcher.node(self, truth, found, where)
        except same.Different:
            self.forward, self.backward = before
            self.differed.add(where)

    def entries(self, a, b, where, any_order):
        if where in self.excused and len(a) != len(b):
            self.differed.add(where)
            keys = {same.key_text(x) for x in a} & {same.key_text(x) for x in b}
            a, b = ([x for x in entries if same.key_text(x) in keys] for entries in (a, b))
        same.Matcher.entries(self, a, b, where, any_order)

    def with_excused_properties(self, truth, found, where):
        for key in set(truth) | set(found):
            place = "%s.%s" % (where, key)
            if place in self.excused and not isinstance(found.get(key), dict) and truth.get(key) != found.get(key, self):
                self.differed.add(place)
                truth = {k: v for k, v in truth.items() if k != key}
                if key in found:
                    truth[key] = found[key]
        return truth


def tree_difference(truth, found, excused=()):
    matcher = Excusing(excused)
    try:
        matcher.node(truth, found, "tree")
    except same.Different as d:
        return str(d)
    idle = sorted(matcher.excused - matcher.differed)
    return "nothing differs at %s any more: take the row out of exceptions.json" % idle[0] if idle else None


class Ptio(object):
    def __init__(self, command):
        self.command = command

    def __call__(self, *arguments):
        """Exit code, output, message."""
        done = subprocess.run((self.command,) + arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        if done.returncode < 0:
            raise Failure("killed by signal %d: ptio %s" % (-done.returncode, " ".join(arguments)))
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()

    def tell(self, *arguments):
        """Output of a call that must succeed."""
        code, output, message = self(*arguments)
        if code != GOOD:
            raise Failure("exit code %d: %s" % (code, message))
        return output

    def tree(self, path, *options):
        return json.loads(self.tell("tree", "--json", *options, path))

    def ls(self, path, *options):
        return [json.loads(line) for line in self.tell("ls", "--json", "--hash", *options, path).splitlines()]


# ---------------------------------------------------------------------------------------------------------------------
# The files


class File(object):
    """One truth and what it is about."""

    def __init__(self, truth_path, truth):
        self.truth = truth
        folder = os.path.dirname(truth_path)
        self.path = os.path.join(folder, self.truth["file"] if "file" in self.truth else self.truth["name"] + ".pt")
        self.name = os.path.relpath(self.path, CORPUS).replace(os.sep, "/")
        self.group = self.name.rsplit("/", 1)[0]
        self.operand = self.path  # what the command is given
        if self.group == "extra/shards":
            self.operand = os.path.join(self.path, next(n for n in sorted(self.truth["files"]) if n.endswith(".index.json")))

    def damage(self):
        """What is wrong with the copy of the corpus itself, or None."""
        for path, digest in [(self.path, self.truth["sha256"])] if "sha256" in self.truth else [
                (os.path.join(self.path, n), d) for n, d in self.truth["files"].items()]:
            with open(path, "rb") as f:
                body = f.read()
            if hashlib.sha256(body).hexdigest() != digest or len(body) != self.truth.get("nbytes", len(body)):
                return "%s is not the file that its truth tells of" % os.path.relpath(path, CORPUS)
        return None


def all_files(pattern):
    for folder, folders, names in os.walk(CORPUS):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            truth = load_json(path) if name.endswith(".json") else {}
            if "sha256" in truth or "files" in truth:
                file = File(path, truth)
                if fnmatch.fnmatch(file.name, pattern):
                    yield file


def even_part(files, share):
    """That share of the files, evenly of each group, and at least one of each."""
    places = collections.Counter()
    for file in files:
        place = places[file.group]
        places[file.group] += 1
        if not place or int(place * share) > int((place - 1) * share):
            yield file


def row_for(table, name):
    """The entry of refused.json for a file, or None."""
    return table.get(name, next((v for k, v in table.items() if "*" in k and fnmatch.fnmatch(name, k)), None))


def rows_of(rows, file):
    """The rows of exceptions.json for a file."""
    return [row for row in rows if any(fnmatch.fnmatch(file.name, pattern) for pattern in row["files"])]


# ---------------------------------------------------------------------------------------------------------------------
# The checks. Each raises Failure, or returns a difference as text or None.


def check_tree(ptio, file, excused):
    """Compare the trees, but for what exceptions.json excuses."""
    return tree_difference(file.truth["tree"], ptio.tree(file.operand), excused)


def check_ls(ptio, file, unlisted):
    return listing.difference(file.truth["tree"], ptio.ls(file.operand), "py27" in file.group, unlisted)


def check_script(ptio, file):
    """The truth of a TorchScript archive is {"parameters": , "buffers": }: all of these are in the file, by name."""
    found = {line["name"]: line for line in ptio.ls(file.operand)}
    ptio.tree(file.operand)
    for name, tensor in ((key["v"], tensor) for _, part in file.truth["tree"]["v"] for key, tensor in part["v"]):
        if name not in found:
            return "ls: %s is missing" % name
        for what in ("dtype", "shape", "sha256"):
            if found[name][what] != tensor[what]:
                return "ls: %s: %s %s, in the tree %s" % (name, what, found[name][what], tensor[what])
    return None


def check_offsets(ptio, file):
    """Several objects in one file, each at its offset."""
    for place in file.truth["offsets"]:
        option = "--offset=%d" % place["offset"]
        problem = tree_difference(place["tree"], ptio.tree(file.operand, option)) or \
            listing.difference(place["tree"], ptio.ls(file.operand, option))
        if problem:
            return "%s: %s" % (option, problem)
    return None


def check_byte_order(ptio, file):
    """What each default byte order gives for a file that does not record its own."""
    for order in ("little", "big"):
        outcome = file.truth["endianness"].get(order.upper(), file.truth["endianness"].get(order))
        if isinstance(outcome, dict) and "tree" in outcome:
            problem = tree_difference(outcome["tree"], ptio.tree(file.operand, "--byte-order=" + order))
            if problem:
                return "--byte-order=%s: %s" % (order, problem)
    return None


def check_refused(ptio, file, row):
    code, _, message = ptio("ls", file.operand)
    if code != REFUSED:
        return "exit code %d, not %d; %s" % (code, REFUSED, message)
    size = file.truth.get("nbytes")
    words = ["ends at byte %d" % size, "cut off at byte %d" % size, "byte %d:" % size] if row == "CUT" else row.split("|")
    if not any(word.lower() in message.lower() for word in words):
        return "the message says none of %s: %s" % (words, message)
    return None


def check_show(ptio, file, excused):
    """Compare the text; long ones are known by their digest."""
    version = file.truth["python"].rsplit(".", 1)[0]
    output = ptio.tell("show", "--python=" + version, file.operand).rstrip(b"\n")
    if file.truth.get("print") is not None:
        problem = printed.difference(file.truth["print"].rstrip("\n"), output.decode("utf-8", "surrogatepass"))
    else:
        same_digest = hashlib.sha256(output).hexdigest() == file.truth["print_sha256"]
        problem = None if same_digest else "the digest of the text is another; %d bytes" % len(output)
    if excused:
        return None if problem else "the text does not differ any more: take the row out of exceptions.json"
    return problem


def check_opens(ptio, file):
    ptio.tree(file.operand)
    ptio.ls(file.operand)
    ptio.tell("show", file.operand)


def has_print(file):
    """Whether the truth tells a text that other versions than its own print too: Python 2 and NumPy 1 show their values otherwise."""
    truth = file.truth
    if truth.get("tree_of", "").endswith("torch.jit.load"):
        return False  # printed is what the truth was made of
    return (truth.get("print") is not None or "print_sha256" in truth) and (
        file.group == "2.13.0" or (truth["torch"].startswith("2.") and truth["torch"] >= "2.6") or "numpy" not in file.name) and \
        truth["python"].startswith("3.")


def weights_only_truth(truth):
    """Whether weights_only=True of PyTorch 2.13 loads the file; None where the truth is silent."""
    answer = truth.get("weights_only")
    if not truth["torch"].startswith("2.13.") or answer is None:
        return None
    return answer == "loads" if isinstance(answer, str) else bool(answer.get("ok"))


def check_whole(ptio, file, must_be_whole):
    code, output, message = ptio("check", "--json", file.operand)
    if code not in (GOOD, FINDINGS, REFUSED) or not output:
        return "check: exit code %d: %s" % (code, message)
    result = json.loads(output)
    if (result["verdict"] == "whole") != must_be_whole:
        return "check: the verdict is %s: %s" % (result["verdict"], brief_findings(result))
    loads = weights_only_truth(file.truth)
    if must_be_whole and loads is not None and result["weights_only_loads"] != loads:
        return "check: weights_only %s it, PyTorch says %s; %s" % (
            "loads" if result["weights_only_loads"] else "refuses", file.truth["weights_only"], brief_findings(result))
    return None


def brief_findings(result):
    return "; ".join(f["message"] for f in result.get("findings", ()) if f.get("severity") != "note")[:300]


def checks_of(ptio, file, refused, rows):
    """Names and calls of all checks that a file takes."""
    excused, unlisted = ([place for row in rows for place in row.get(key, ())] for key in ("at", "unlisted"))
    row, tree = row_for(refused, file.name), "tree" in file.truth
    opens = row is None or row.startswith("OPENS")
    if not opens:
        yield "names", lambda: check_refused(ptio, file, row)
    elif not tree:
        yield "opens", lambda: check_opens(ptio, file)
    elif file.truth.get("tree_of", "").endswith("torch.jit.load"):
        yield "script", lambda: check_script(ptio, file)
    else:
        yield "tree", lambda: check_tree(ptio, file, excused)
        yield "ls", lambda: check_ls(ptio, file, unlisted)
    if opens and has_print(file):
        yield "show", lambda: check_show(ptio, file, any(row.get("printed") for row in rows))
    if "offsets" in file.truth:
        yield "offsets", lambda: check_offsets(ptio, file)
    if "endianness" in file.truth and opens:
        yield "endianness", lambda: check_byte_order(ptio, file)
    yield "check", lambda: check_whole(ptio, file, opens)


# ---------------------------------------------------------------------------------------------------------------------


def run_file(ptio, file, refused, rows):
    """Results of all checks of a file: (name of the check, difference or None)."""
    damage = file.damage()
    if damage:
        return [("corpus", damage)]
    results = []
    for name, check in checks_of(ptio, file, refused, rows):
        try:
            results.append((name, check()))
        except (Failure, ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as e:
            results.append((name, "%s%s" % ("" if isinstance(e, Failure) else type(e).__name__ + ": ", e)))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--only", default="*", metavar="GLOB")
    parser.add_argument("-v", action="store_true", help="name what passes too")
    options = parser.parse_args()
    sys.setrecursionlimit(100000)
    threading.stack_size(256 << 20)
    ptio = Ptio(options.ptio)
    refused = load_json(os.path.join(HERE, "refused.json"))
    rows = load_json(os.path.join(HERE, "exceptions.json"))
    files = list(all_files(options.only))
    names = [file.name for file in files]
    files = list(even_part(files, float(os.environ.get("PTIO_TEST_SHARE", "1"))))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for file, results in zip(files, pool.map(lambda file: run_file(ptio, file, refused, rows_of(rows, file)), files)):
            for name, problem in results:
                passed, failed = passed + (problem is None), failed + (problem is not None)
                if problem is not None or options.v:
                    print("%s: %s: %s" % (file.name, name, "passed" if problem is None else problem), flush=True)
    for pattern in list(refused)[1:] + [pattern for row in rows for pattern in row["files"]]:
        if options.only == "*" and not any(fnmatch.fnmatch(name, pattern) for name in names):
            print("%s: a row without a file" % pattern)
            failed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
