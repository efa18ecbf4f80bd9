#!/usr/bin/env python3
"""ptio_list_unsafe_globals() beside torch.serialization.get_unsafe_globals_in_checkpoint().

    unsafe.py --library LIBPTIO

Over every .pt file of the corpus and the hostile pickles (hostile.py): the same names, or both fail. A line of more than 64 KiB is beyond
ptio's limit.

Closes with "N passed, N failed".
"""
import argparse
import os
import pathlib
import sys
import tempfile
import warnings
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import torch  # noqa: E402
import torch._dynamo  # noqa: E402,F401  allows what jagged tensors and DTensors need

import hostile  # noqa: E402
from library import Error, Library, Text  # noqa: E402

CORPUS = HERE.parent / "data" / "corpus"


def by_ptio(p, path):
    """The names, or the reason."""
    listed, error = c_void_p(), Error()
    if p.ptio_list_unsafe_globals(os.fsencode(path), None, byref(listed), byref(error)):
        return error.reason.decode()
    names = [str(p.ptio_global_list_name(listed, i)) for i in range(p.ptio_global_list_count(listed))]
    p.ptio_global_list_free(listed)
    return names


def by_torch(path):
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception as e:  # whatever it makes of a damaged one
        return "%s: %s" % (type(e).__name__, str(e)[:100])


def problem_of(p, path):
    ours, theirs = by_ptio(p, path), by_torch(path)
    if ours == theirs or isinstance(ours, str) and (isinstance(theirs, str) or ours == "limit.line-bytes"):
        return None
    return "PyTorch %s, ptio %s" % (theirs, ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    library = Library(options.library)
    library.declare("ptio_list_unsafe_globals", c_int, c_char_p, c_void_p, POINTER(c_void_p), POINTER(Error))
    library.declare("ptio_global_list_count", c_size_t, c_void_p)
    library.declare("ptio_global_list_name", Text, c_void_p, c_size_t)
    library.declare("ptio_global_list_free", None, c_void_p)
    hostile.build_cases()
    passed = failed = 0

    def compare(name, path):
        nonlocal passed, failed
        problem = problem_of(library.p, str(path))
        passed, failed = passed + (not problem), failed + bool(problem)
        if problem:
            print("%s: %s" % (name, problem.encode("ascii", "backslashreplace").decode()[:400]))

    for path in sorted(CORPUS.glob("*/*.pt")):
        compare(path.relative_to(CORPUS), path)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "file.pt")
        for name, body in hostile.CASES.items():
            path.write_bytes(body)
            compare(name, path)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
