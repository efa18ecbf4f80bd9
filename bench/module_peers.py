"""The Python module beside torch.load and torch.save, in one process and in turns.

    python module_peers.py PACKAGE FOLDER [SECONDS]

PACKAGE is the folder that the module `ptio` is in. Like peers.py.
"""

import os
import subprocess
import sys
import time

import torch


def alternate(name, ours, theirs, seconds, before=None):
    """Both in turns, so that what else the machine does meets both."""
    times = {"": [], ".torch": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times[""]) < 3:
        for suffix, work in (("", ours), (".torch", theirs)):
            if before:
                before()
            start = time.perf_counter_ns()
            result = work()
            times[suffix].append(time.perf_counter_ns() - start)
            del result
    for suffix, all in times.items():
        all.sort()
        print(f"{name}{suffix}", all[0], all[len(all) // 2], all[-1], len(all), sep="\t", flush=True)


def import_times(package):
    """Of `import ptio`, by what the interpreter without it takes."""

    def start(program):
        begin = time.perf_counter_ns()
        subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": package})
        return time.perf_counter_ns() - begin

    both = sorted(start("import ptio") - start("pass") for _ in range(11))
    print("py.import", both[0], both[5], both[-1], 11, sep="\t", flush=True)


def main(package, folder, seconds):
    sys.path.insert(0, package)
    import ptio

    import_times(package)
    for job, name, options in (
        ("py.b", "b", {}),
        ("py.c", "c", {}),
        ("py.a", "a", {}),
        ("py.a.mmap", "a", {"mmap": True}),
    ):
        path = f"{folder}/{name}.pt"
        alternate(job, lambda: ptio.load(path, **options), lambda: torch.load(path, **options), seconds)
    out = f"{folder}/saved-by-python.pt"

    def fresh():
        if os.path.exists(out):
            os.remove(out)

    for job, name in (("py.save.b", "b"), ("py.save.c", "c"), ("py.save.a", "a")):
        value = torch.load(f"{folder}/{name}.pt", weights_only=False)
        alternate(job, lambda: ptio.save(value, out), lambda: torch.save(value, out), seconds, fresh)
        del value
    fresh()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 4)
