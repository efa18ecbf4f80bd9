"""Compare what ptio writes in the profile of an old release with what that release itself writes.

    PYTHON tests/releases/compare.py --ptio build/check/bin/ptio --profile 1.13 FILE.pt ...

PYTHON has the release of PyTorch installed. Each file is loaded by it and saved again, and saved by `ptio save --profile`: the bytes must
be equal. Files that the release cannot load are told and left out; so are those that it cannot save, which ptio must refuse too.

It is not part of ./dev check, since old releases want old Pythons and some GB. docs/saving.md has what it said.
"""
import argparse
import io
import pathlib
import pickletools
import subprocess
import sys
import tempfile
import warnings
import zipfile

import torch


def opcodes(archive):
    file = zipfile.ZipFile(io.BytesIO(archive))
    name = next(n for n in file.namelist() if n.endswith("/data.pkl"))
    return [(op.name, repr(argument)) for op, argument, _ in pickletools.genops(file.read(name))]


def tell(theirs, ours):
    """The first opcode that differs, or that only the archives do."""
    a, b = opcodes(theirs), opcodes(ours)
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return f"opcode {i}: {' '.join(x)}, ptio {' '.join(y)}"
    return "the pickles are equal" if a == b else f"{len(a)} opcodes, ptio {len(b)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--classes", help="a module whose classes the files name as those of __main__")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    if options.classes:
        sys.path.insert(0, str(pathlib.Path(options.classes).parent))
        module = __import__(pathlib.Path(options.classes).stem)
        for name, value in vars(module).items():
            if callable(value) and getattr(value, "__module__", None) == module.__name__:
                value.__module__ = "__main__"
            if not name.startswith("__"):
                setattr(sys.modules["__main__"], name, value)
    warnings.simplefilter("ignore")
    counts = {"equal": 0, "different": 0, "refused by both": 0, "not loaded": 0}
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = (pathlib.Path(folder, name, "saved.pt") for name in ("theirs", "ours"))
        for path in (theirs, ours):
            path.parent.mkdir()
        for file in options.files:
            try:
                value = torch.load(file, map_location="cpu")
            except Exception as error:  # whatever an old release says of a new file
                counts["not loaded"] += 1
                continue
            try:
                torch.save(value, theirs)
            except Exception as error:
                expected = str(error)
            else:
                expected = None
            done = subprocess.run([options.ptio, "save", "--no-sync", "--profile", options.profile, file, ours],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
            if expected is not None and done.returncode:
                counts["refused by both"] += 1
            elif expected is None and not done.returncode and theirs.read_bytes() == ours.read_bytes():
                counts["equal"] += 1
            else:
                counts["different"] += 1
                why = expected or done.stderr.strip() or tell(theirs.read_bytes(), ours.read_bytes())
                print(f"{file}: {why}")
    print(f"PyTorch {torch.__version__}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
