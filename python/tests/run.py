#!/usr/bin/env python3
"""Run pytest over some of the files here, on the module of a build.

    run.py --package FOLDER --ptio COMMAND [PYTEST ARGUMENTS]

FOLDER holds the package `ptio`. The command is in $PTIO_COMMAND for the tests. PTIO_TEST_SHARE (environment, 0 to 1) asks the long tests for
a part of their work. A skipped test has not been run: it counts as failed. Closes with "N passed, N failed".
"""
import argparse
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Counter:
    def __init__(self):
        self.passed = self.failed = 0

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.passed += 1
        elif not report.passed:
            self.failed += 1

    def pytest_collectreport(self, report):
        self.failed += report.failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", required=True)
    parser.add_argument("--ptio", required=True)
    options, arguments = parser.parse_known_args()
    sys.dont_write_bytecode = True
    package = os.path.abspath(options.package)
    sys.path.insert(0, package)
    # Tests start other Pythons, too.
    os.environ.update(PYTHONPATH=package, PYTHONDONTWRITEBYTECODE="1", PTIO_COMMAND=os.path.abspath(options.ptio))
    try:
        import pytest
    except ImportError:
        sys.exit("%s has no pytest: python -m pip install pytest" % sys.executable)
    counter = Counter()
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), *(arguments or [str(HERE)])], plugins=[counter])
    failed = counter.failed or int(status != 0)
    print("%d passed, %d failed" % (counter.passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
