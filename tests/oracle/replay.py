#!/usr/bin/env python3
"""Replay what PyTorch's own tests of serialization check.

    replay.py --ptio COMMAND [--only ROW]

Run by a Python that has PyTorch. docs/pytorch-tests.md has a table with a row for each function of test_serialization.py whose behaviour is one
of files: each row has a case here (replay_values.py, replay_sources.py, replay_safety.py, replay_files.py), which makes such files with PyTorch, has
both open them with the same options, and compares values, verdicts and, where the function names a sentence, words. A row without a case,
a case without a row, and a row that tells another result than its case has are failures.

PTIO_TEST_SHARE makes the large files smaller. Closes with "N passed, N failed".
"""
import argparse
import os
import pathlib
import re
import sys
import tempfile
import traceback
import warnings

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "corpus")]

import torch  # noqa: E402

import replaying  # noqa: E402
import replay_files  # noqa: E402,F401
import replay_safety  # noqa: E402,F401
import replay_sources  # noqa: E402,F401
import replay_values  # noqa: E402,F401

DOCUMENT = HERE.parent.parent / "docs" / "pytorch-tests.md"
FUNCTIONS = {"A": 69, "A+B": 11}  # of PyTorch's file


def rows_of_document():
    """{row: (class, result)} of the first table."""
    page = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (A|A\+B) \| [^|]+ \| (same|more)", page, re.MULTILINE)
    if len(rows) != len(set(name for name, _, _ in rows)):
        raise SystemExit("docs/pytorch-tests.md has a row twice")
    return {name: (class_, result) for name, class_, result in rows}


def problems_of_table():
    rows = rows_of_document()
    for class_, count in FUNCTIONS.items():
        found = sum(c == class_ for c, _ in rows.values())
        if found != count:
            yield "docs/pytorch-tests.md has %d rows of class %s, not %d" % (found, class_, count)
    for name in sorted(set(rows) - set(replaying.CASES)):
        yield "%s: a row without a case" % name
    for name in sorted(set(replaying.CASES) - set(rows)):
        yield "%s: a case without a row" % name
    for name in sorted(set(rows) & set(replaying.CASES)):
        if (rows[name][1] == "more") != (name in replaying.MORE):
            yield "%s: the row says %r, the case does not" % (name, rows[name][1])


def problem_of(command, name, share):
    with tempfile.TemporaryDirectory() as folder:
        try:
            replaying.CASES[name](replaying.Bench(command, folder, share))
        except replaying.Differs as problem:
            return str(problem)
        except Exception:
            return traceback.format_exc()
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--only", metavar="ROW")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    share = min(1.0, float(os.environ.get("PTIO_TEST_SHARE", "1")))
    problems = list(problems_of_table())
    for name in [options.only] if options.only else sorted(replaying.CASES):
        torch.manual_seed(0)
        problem = problem_of(options.ptio, name, share)
        if problem:
            problems.append("%s: %s" % (name, problem))
    for problem in problems:
        print(problem.encode("ascii", "backslashreplace").decode())
    passed = (1 if options.only else len(replaying.CASES)) + 1 - len(problems)
    print("%d passed, %d failed" % (max(0, passed), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
