"""Seeds of what is drawn at random: 0, which is always the same, and one that is another for each commit.

A run that fails fails again, on the same commit; PTIO_TEST_SEED draws something else.
"""
import os
import subprocess
import time


def fresh():
    """The seed of this commit; where there is no git, of this second."""
    if os.environ.get("PTIO_TEST_SEED"):
        return int(os.environ["PTIO_TEST_SEED"])
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        name = subprocess.check_output(["git", "-C", here, "rev-parse", "HEAD"], text=True, stderr=subprocess.DEVNULL)
        return int(name[:8], 16)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return int(time.time())
