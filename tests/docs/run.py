#!/usr/bin/env python3
"""Run the examples of the documents, so that they stay true.

    run.py --ptio COMMAND       PTIO_BUILD_DIR in the environment names the build

Each ```c block of README.md and docs/*.md is compiled and run, each line of a ```sh block is run, in a folder with digits.pth.
All must succeed. A line that ends in `# exit N` must give N. The manual page and --help must name the same commands and options.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ["PTIO_BUILD_DIR"])
BLOCK = re.compile(r"^```(c|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")
OPTION = re.compile(r"--[a-z][a-z-]+")


def run(command, **settings):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **settings)
    return done.returncode, done.stdout


def documents():
    return [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", SOURCE / "SECURITY.md", *sorted((SOURCE / "docs").glob("*.md"))]


def check_c(code, folder, env):
    (folder / "example.c").write_text(code)
    compiler = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE}/include", "example.c"]
    status, output = run([*compiler, f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-lptio", "-o", "example"], cwd=folder)
    if status == 0:
        status, output = run(["./example"], cwd=folder, env=env)
    return None if status == 0 and output else f"exit code {status}:\n{output}"


def check_line(line, folder, env):
    expected = re.search(r"# exit (\d+)$", line)
    status, output = run(["sh", "-c", line], cwd=folder, env=env)
    if status == int(expected.group(1) if expected else 0) and output:
        return None
    return f"exit code {status}:\n{output}"


def check_links(document):
    """Links to files of this repository that are not there."""
    for target in LINK.findall(document.read_text()):
        if "://" not in target and not (document.parent / target).exists():
            yield f"links to {target}", "there is no such file"


def check_manual(ptio):
    """Words that the manual page or --help has, and the other has not."""
    manual = (SOURCE / "man/ptio.1").read_text().replace("\\-", "-")
    _, usage = run([ptio, "--help"])
    commands = re.findall(r"^  ([a-z]+) ", usage.partition("example:")[0], re.MULTILINE)
    if not commands:
        yield "ptio --help", "names no command"
    for command in commands:
        _, text = run([ptio, command, "--help"])
        if f".SS {command}" not in manual:
            yield f"man/ptio.1: {command}", "is in ptio --help only"
        for option in sorted(set(OPTION.findall(text))):
            if option not in manual:
                yield f"man/ptio.1: {option}", f"is in ptio {command} --help only"
        usage += text
    for option in sorted(set(OPTION.findall(manual))):
        if option not in usage:
            yield f"man/ptio.1: {option}", "is in no --help"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ptio", required=True, type=pathlib.Path)
    options, _ = parser.parse_known_args()
    passed, failures = 0, []
    env = dict(os.environ, PATH=f"{options.ptio.resolve().parent}:{os.environ['PATH']}")
    with tempfile.TemporaryDirectory(prefix="ptio-docs-") as folder:
        folder = pathlib.Path(folder)
        shutil.copy(SOURCE / "examples/digits/digits.pth", folder)
        for document in documents():
            for language, text in BLOCK.findall(document.read_text()):
                pieces = [text] if language == "c" else text.splitlines()
                check = check_c if language == "c" else check_line
                for piece in filter(str.strip, pieces):
                    wrong = check(piece, folder, env)
                    passed += not wrong
                    if wrong:
                        failures.append((f"{document.name}: {piece}", wrong))
            broken = list(check_links(document))
            passed += not broken
            failures += [(f"{document.name} {what}", why) for what, why in broken]
    disagreements = list(check_manual(options.ptio))
    passed += not disagreements
    failures += disagreements
    for what, why in failures:
        print(f"{what}: {why}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
