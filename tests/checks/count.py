#!/usr/bin/env python3
"""Count the tests in what `ctest --output-junit` wrote, and print them as `N passed, N failed`.

    count.py [--name TEXT] [--failed N] REPORT.xml...

One program of ctest holds many tests. A program that closes with lines "N passed, N failed" counts as those; one of cmocka by
its [  OK  ] and [  FAILED  ] lines; any other as one test. A program that failed without naming a failed test, by a crash or
a time-out, counts as one failure more. The exit code is 0 if nothing failed and something passed.
"""
import argparse
import re
import sys
import xml.etree.ElementTree

PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed$", re.MULTILINE)
CMOCKA_PASSED = re.compile(r"^\[ +OK \] ", re.MULTILINE)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test)(.*)", re.MULTILINE)


def count(case):
    """Tests passed and failed in one program of ctest."""
    output = case.findtext("system-out") or ""
    ran_well = case.get("status") == "run"
    plain = PLAIN.findall(output)
    if plain:
        passed, failed = (sum(int(line[i]) for line in plain) for i in (0, 1))
    elif CMOCKA_PASSED.search(output) or CMOCKA_FAILED.search(output):
        passed, failed = len(CMOCKA_PASSED.findall(output)), len(set(CMOCKA_FAILED.findall(output)))
    else:
        passed, failed = int(ran_well), 0
    if not ran_well and not failed:
        failed = 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", help="a word before the numbers, for one of several runs")
    parser.add_argument("--failed", type=int, default=0, help="failures that no report knows of")
    parser.add_argument("reports", nargs="*")
    options = parser.parse_args()
    passed, failed = 0, options.failed
    for report in options.reports:
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            case_passed, case_failed = count(case)
            passed, failed = passed + case_passed, failed + case_failed
    if options.name:
        print(f"{options.name:10} {passed:6} passed {failed:4} failed")
    else:
        print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
