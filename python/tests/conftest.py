"""What the tests of the Python module share."""
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CORPUS = SOURCE / "tests" / "data" / "corpus"
SHARE = float(os.environ.get("PTIO_TEST_SHARE", "1"))
sys.path[:0] = [str(SOURCE / "tests" / "oracle"), str(CORPUS)]


def share(count):
    """How much of a long test is to be done."""
    return max(1, int(count * SHARE))


@pytest.fixture
def child():
    """child(program, *arguments): run it in a Python of its own, which must end well; gives what it printed."""

    def run(program, *arguments, timeout=300, env=None):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        assert done.returncode == 0, "exit code %d\n%s" % (done.returncode, done.stderr)
        return done.stdout

    return run


@pytest.fixture
def nothing_allowed():
    """PyTorch's list of what weights_only takes is empty, and as it was afterwards."""
    import torch
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


# Put before a program for child(): the same Python as if it had no PyTorch.
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None\n"
