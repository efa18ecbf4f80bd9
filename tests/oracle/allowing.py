#!/usr/bin/env python3
"""The lines of Python that `ptio check` prints, run.

    allowing.py --ptio COMMAND

Each file of the corpus that PyTorch 2.13 refuses with weights_only=True for its classes alone is checked; the lines that ptio says are run,
and PyTorch must load the file then, and not before. Left out are files of classes that are not installed here, and those that fail
when their classes are called with weights_only=False too.

Closes with "N passed, N failed".
"""
import argparse
import json
import pathlib
import subprocess
import sys
import warnings

TESTS = pathlib.Path(__file__).resolve().parent.parent
CORPUS = TESTS / "data" / "corpus"
sys.dont_write_bytecode = True
sys.path.insert(0, str(CORPUS))

import torch  # noqa: E402
import torch._dynamo  # noqa: E402,F401
import zoo  # noqa: E402

CURABLE = {"weights-only.global", "weights-only.build"}


def classes_of_main():
    """The files name the classes of the zoo as those of the program that saved them."""
    main = sys.modules["__main__"]
    for name, value in vars(zoo).items():
        if isinstance(value, type) and value.__module__ in ("zoo", "__main__"):
            value.__module__ = "__main__"
            setattr(main, name, value)


def loads(path, weights_only):
    try:
        torch.load(path, map_location="cpu", weights_only=weights_only)
        return None
    except Exception as e:
        return "%s: %s" % (type(e).__name__, str(e).replace("\n", " ")[-300:])


def checked(command, path):
    done = subprocess.run([command, "check", "--json", path], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return json.loads(done.stdout) if done.stdout else None


def try_file(result, path, own):
    """None: it loads by the lines. False: it is no file for this test. Else what is wrong."""
    if not result or result["weights_only_loads"] or not result["allow"]:
        return False
    if {f["reason"] for f in result["findings"] if f["severity"] == "refused"} - CURABLE or loads(path, False):
        return False
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(own)
    if not loads(path, True):
        return "PyTorch loads it without"
    try:
        exec(result["allow"], {"torch": torch})
    except (ImportError, AttributeError):
        return False  # a class of another release
    return loads(path, True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    classes_of_main()
    own = torch.serialization.get_safe_globals()
    passed = failed = 0
    for path in sorted(CORPUS.glob("[0-9]*/*.pt")):
        problem = try_file(checked(options.ptio, path), path, own)
        passed += problem is None
        failed += bool(problem)
        if problem:
            print("%s: %s" % (path.relative_to(CORPUS), problem.encode("ascii", "backslashreplace").decode()))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
