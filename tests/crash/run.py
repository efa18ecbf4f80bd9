#!/usr/bin/env python3
"""`ptio save`, killed before and after every system call, and in a file system that says no: OUT is wholly the old file or the new one.

    run.py --ptio COMMAND

The command runs under ptrace(), as a debugger would run it, and is killed at its n-th stop, n = 1, 2, ... until it comes to its end.
PTIO_TEST_SHARE (environment, 0 to 1) takes a part of the n. Closes with "N passed, N failed".
"""
import argparse
import ctypes
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

SHARE = float(os.environ.get("PTIO_TEST_SHARE", "1"))
MOST = 3000  # kills of one way of saving
CORPUS = pathlib.Path(__file__).parent.parent / "data" / "corpus"
OLD = b"the old file, which is whole"
OLDER = b"an older one"
TEMPORARY = re.compile(r"\.(out|in)\.pt(\.bak)?\.[0-9a-f]{16}\.ptio-tmp")
TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200  # requests of ptrace()
GOOD_STOPS, KILL_WITH_TRACER = 1, 0x100000  # its options: stops at calls can be told, the command dies with us
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
# Leaks cannot be looked for under ptrace(), and are not the matter here.
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")


def ptrace(request, pid, data=0):
    if LIBC.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), "ptrace: " + os.strerror(ctypes.get_errno()))


class Way:
    """A way of saving: the files there are, the command's arguments, and what may be there afterwards."""

    def __init__(self, title, arguments, files, target="out.pt", kept=None):
        self.title, self.arguments, self.files, self.target, self.kept = title, arguments, files, target, kept

    def prepare(self, folder):
        for path in folder.iterdir():
            path.unlink()
        for name, body in self.files.items():
            (folder / name).write_bytes(body)

    def wrong(self, folder, new, is_done):
        """What is wrong with the folder, or None."""
        body = (folder / self.target).read_bytes() if (folder / self.target).exists() else None
        if body != new and (is_done or body != self.files.get(self.target)):
            return "%s is neither the old file nor the new one" % self.target if not is_done else "%s is not the new file" % self.target
        for path in folder.iterdir():
            if path.name in (self.target, self.kept):
                continue
            if TEMPORARY.fullmatch(path.name):
                if is_done:
                    return "a temporary file is left"
            elif path.name not in self.files or path.read_bytes() != self.files[path.name]:
                return "%s is touched" % path.name
        if self.kept:
            backup = (folder / self.kept).read_bytes() if (folder / self.kept).exists() else None
            if backup != OLD and (body == new or backup != self.files.get(self.kept)):
                return "the backup is not the old file"
        return None


def ways():
    zip_file = (CORPUS / "2.13.0" / "seed_model.pt").read_bytes()
    legacy = (CORPUS / "1.0.0-py27" / "seed_model.pt").read_bytes()
    return [
        Way("a new file", ["in.pt", "out.pt"], {"in.pt": zip_file}),
        Way("an old file replaced", ["in.pt", "out.pt"], {"in.pt": zip_file, "out.pt": OLD}),
        Way("an old file kept", ["--backup", "in.pt", "out.pt"], {"in.pt": zip_file, "out.pt": OLD, "out.pt.bak": OLDER}, kept="out.pt.bak"),
        Way("a file replaced by itself", ["in.pt", "in.pt"], {"in.pt": legacy}, target="in.pt"),
    ]


def start(command, folder):
    """The command, stopped at its beginning. The folder is entered here, so that nothing but the tracing is done in the child."""
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            ptrace(TRACEME, 0)
            os.execve(command[0], command, ENVIRONMENT)
        finally:
            os._exit(126)
    _, state = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(state):
        raise SystemExit("the command cannot be traced here: ptrace() is not allowed, or %s does not run" % command[0])
    ptrace(SETOPTIONS, pid, KILL_WITH_TRACER | GOOD_STOPS)
    return pid


def run(command, folder, most=None):
    """Run to the stop of number `most`, and kill it there. Gives the number of stops and the exit code, None for a killed one."""
    pid, stops, sent = start(command, folder), 0, 0
    while stops != most:
        ptrace(SYSCALL, pid, sent)
        _, state = os.waitpid(pid, 0)
        if os.WIFEXITED(state):
            return stops, os.WEXITSTATUS(state)
        if os.WIFSIGNALED(state):
            return stops, -os.WTERMSIG(state)
        is_call = os.WSTOPSIG(state) == signal.SIGTRAP | 0x80
        stops, sent = stops + is_call, 0 if is_call or os.WSTOPSIG(state) == signal.SIGTRAP else os.WSTOPSIG(state)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return stops, None


class Judge:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def __call__(self, what, wrong):
        if wrong is None:
            self.passed += 1
            return
        self.failed += 1
        if self.failed <= 20:
            print("%s: %s" % (what, wrong))


def kill_everywhere(way, ptio, folder, judge):
    command = [ptio, "save", *way.arguments]
    way.prepare(folder)
    stops, code = run(command, folder)
    new = (folder / way.target).read_bytes()
    judge(way.title, way.wrong(folder, new, True) if code == 0 else "exit code %d" % code)
    step = max(1, round(stops / min(stops, max(MOST * SHARE, 10))))
    kills = range(1, stops + 1, step)
    for n in kills:
        way.prepare(folder)
        _, code = run(command, folder, n)
        if code is None:
            judge("%s, killed at stop %d of %d" % (way.title, n, stops), way.wrong(folder, new, False))
        else:  # some stops are of chance, such as waiting
            judge("%s, ended before stop %d of %d" % (way.title, n, stops), way.wrong(folder, new, True) if code == 0 else "exit code %d" % code)
    return len(kills), new


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def fill_everywhere(way, ptio, folder, new, judge):
    """No file may be longer than so much."""
    step = max(1, round(len(new) / max(200 * SHARE, 5)))
    for size in range(step, len(new), step):
        way.prepare(folder)
        done = subprocess.run([ptio, "save", *way.arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              restore_signals=False, preexec_fn=lambda: limit(size))
        left = {path.name: path.read_bytes() for path in folder.iterdir()}
        said = done.stderr.decode(errors="replace")
        wrong = None
        if left != way.files:
            wrong = "the folder is not as it was"
        elif done.returncode != 3:
            wrong = "exit code %d" % done.returncode
        elif way.target not in said or os.strerror(27) not in said:
            wrong = "it does not say what happened to which file: %s" % said
        judge("%s, no file longer than %d bytes" % (way.title, size), wrong)


def write_directly(ptio, folder, judge):
    """What is no regular file is written to as it is, and a failure is told."""
    way = ways()[0]
    way.prepare(folder)
    done = subprocess.run([ptio, "save", "in.pt", "/dev/full"], cwd=folder, stderr=subprocess.PIPE)
    told = done.returncode == 3 and b"/dev/full" in done.stderr and os.strerror(28).encode() in done.stderr
    judge("/dev/full", None if told else "exit code %d, %s" % (done.returncode, done.stderr))
    plain = subprocess.run([ptio, "save", "--root", "archive", "in.pt", "out.pt"], cwd=folder)
    piped = subprocess.run([ptio, "save", "--root", "archive", "in.pt", "/dev/stdout"], cwd=folder, stdout=subprocess.PIPE)
    same = plain.returncode == piped.returncode == 0 and piped.stdout == (folder / "out.pt").read_bytes()
    judge("/dev/stdout", None if same else "a pipe does not get the bytes that a file gets")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ptio", required=True)
    ptio = os.path.abspath(parser.parse_args().ptio)
    judge, kills = Judge(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for way in ways():
            count, new = kill_everywhere(way, ptio, folder, judge)
            kills += count
            fill_everywhere(way, ptio, folder, new, judge)
        write_directly(ptio, folder, judge)
    print("%d kills" % kills)
    print("%d passed, %d failed" % (judge.passed, judge.failed))
    return 1 if judge.failed or not judge.passed else 0


if __name__ == "__main__":
    sys.exit(main())
