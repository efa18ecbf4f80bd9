"""Seeds of what is drawn at random: 0, which is always the same, and one that is another for each change of code or tests.

A run that fails fails again, until something is changed; PTIO_TEST_SEED draws something else.
"""
import os
import subprocess
import time


def fresh():
    """The seed of the last commit to the code; where there is no git, of this second."""
    if os.environ.get("PTIO_TEST_SEED"):
        return int(os.environ["PTIO_TEST_SEED"])
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    try:
        command = ["git", "-C", root, "log", "-1", "--format=%H", "--", "include", "python", "src", "tests"]
        name = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
        return int(name[:8], 16)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return int(time.time())
