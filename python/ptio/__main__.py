"""`python -m ptio`: the command `ptio`, which is a program of its own beside this file."""

import os
import pathlib
import sys


def main():
    command = str(pathlib.Path(__file__).parent / "bin" / "ptio")
    os.execv(command, ["ptio", *sys.argv[1:]])


if __name__ == "__main__":
    main()
