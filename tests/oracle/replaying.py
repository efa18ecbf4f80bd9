"""What the cases of replay.py have in common: files by PyTorch, opened by ptio, and what both make of them."""
import contextlib
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
import zipfile
import zlib

import torch

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "data" / "corpus"
sys.path[:0] = [str(HERE), str(HERE.parent / "corpus"), str(CORPUS)]

import graphs  # noqa: E402
import same  # noqa: E402

CASES = {}  # row of PyTorch's tests: the function that replays it
MORE = set()  # rows of which ptio does more than PyTorch


def case(*rows, more=False):
    """The decorated function replays these rows of docs/pytorch-tests.md. With several rows it is told which one."""

    def register(function):
        for row in rows:
            if row in CASES:
                raise ValueError("two cases for " + row)
            CASES[row] = (lambda bench, row=row: function(bench, row)) if len(rows) > 1 else function
            if more:
                MORE.add(row)
        return function

    return register


class Differs(Exception):
    pass


def need(condition, *words):
    if not condition:
        raise Differs(" ".join(str(word)[:600] for word in words))


def message_of(problem):
    return "%s: %s" % (type(problem).__name__, problem)


def tensors_of(value, name=""):
    """(name, tensor) of all tensors in lists, tuples and dicts, in order, as `ptio ls` names them."""
    if isinstance(value, torch.Tensor):
        yield name, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, item in items:
        yield from tensors_of(item, "%s.%s" % (name, key) if name else str(key))


def bytes_of(tensor):
    """The elements in C order, in this machine's order, which is little-endian."""
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b""


def lines_of(value):
    """What replay_open tells of the tensors of a value."""
    return ["tensor %s %s %s %d" % (name, str(t.dtype)[len("torch."):], ",".join(map(str, t.shape)), zlib.adler32(bytes_of(t)))
            for name, t in tensors_of(value)]


@contextlib.contextmanager
def setting(object, **values):
    before = {name: getattr(object, name) for name in values}
    try:
        for name, value in values.items():
            setattr(object, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(object, name, value)


class Bench:
    """A folder for the files of one case, and ptio."""

    def __init__(self, command, folder, share):
        self.command, self.folder, self.share, self.made = command, pathlib.Path(folder), share, 0

    # ---- files

    def path(self, name="file.pt"):
        """A path that was not used yet, of this name in a folder of its own."""
        self.made += 1
        folder = self.folder / str(self.made)
        folder.mkdir()
        return folder / name

    def save(self, value, legacy=False, name="file.pt", **options):
        path = self.path(name)
        torch.save(value, path, _use_new_zipfile_serialization=not legacy, **options)
        return path

    def write(self, body, name="file.pt"):
        path = self.path(name)
        path.write_bytes(body)
        return path

    def repacked(self, path, change):
        """An archive again as another tool writes it, with records as `change` gives them: a dict to a dict."""
        with zipfile.ZipFile(path) as old:
            records = change({name: old.read(name) for name in old.namelist()})
        again = self.path(path.name)
        with zipfile.ZipFile(again, "w") as new:
            for name, body in records.items():
                new.writestr(name, body)
        return again

    # ---- ptio

    def program(self, name):
        build = os.environ.get("PTIO_BUILD_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(self.command)))
        return shlex.split(os.environ.get("PTIO_RUN", "")) + [os.path.join(build, "bin", name)]

    @staticmethod
    def output(command, **settings):
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, timeout=600, **settings)
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()

    def run(self, verb, *arguments, **settings):
        """The output of the command, which must succeed."""
        code, output, message = self.output([self.command, verb, *arguments], **settings)
        need(code == 0, "ptio", verb, *arguments, "exit code %d: %s" % (code, message))
        return output

    def tree(self, path, *options):
        return json.loads(self.run("tree", "--json", *options, path))

    def check(self, path, *options):
        """The findings, whatever the exit code."""
        _, output, message = self.output([self.command, "check", "--json", *options, path])
        need(output, "ptio check", path, message)
        return json.loads(output)

    def opened(self, how, path, *options):
        """Lines of replay_open by their first word; those of tensors whole."""
        code, output, message = self.output([*self.program("replay_open"), how, path, *options])
        need(code == 0, "replay_open", how, *options, output, message)
        lines = output.decode("utf-8").splitlines()
        return dict([line.split(" ", 1) for line in lines if not line.startswith("tensor ")], tensors=[l for l in lines if l.startswith("tensor ")])

    def write_by(self, *arguments):
        code, output, message = self.output([*self.program("replay_save"), *arguments])
        return code, output.decode("utf-8", "replace") + message

    # ---- comparing

    def same(self, path, value, *options):
        """`ptio tree --json` tells what PyTorch got."""
        wrong = same.difference(graphs.Describer().node(value), self.tree(path, *options))
        need(not wrong, path.name, *options, wrong)

    def loads_same(self, path, *options, **settings):
        """The same from PyTorch and ptio; gives what PyTorch got."""
        settings.setdefault("weights_only", False)
        value = torch.load(path, **settings)
        self.same(path, value, *(["--weights-only"] if settings["weights_only"] else []), *options)
        return value

    def same_tensors(self, how, path, value, *options):
        """replay_open tells of the tensors of a value; gives what else it told."""
        told = self.opened(how, path, *options)
        need(told["tensors"] == lines_of(value), how, path.name, "opened", told["tensors"][:4], "PyTorch", lines_of(value)[:4])
        return told

    def both_refuse(self, path, words, *options, theirs=None, verb="ls", **settings):
        """PyTorch says `words`, or `theirs`, and so does ptio (`words` without back-quotes or with)."""
        settings.setdefault("weights_only", False)
        try:
            torch.load(path, **settings)
        except Exception as problem:
            need((theirs or words) in str(problem), "PyTorch says", message_of(problem), "not", theirs or words)
        else:
            raise Differs("PyTorch takes " + path.name)
        self.refuses(path, words, *(["--weights-only"] if settings["weights_only"] else []), *options, verb=verb)

    def refuses(self, path, words, *options, verb="ls"):
        code, output, message = self.output([self.command, verb, *options, path])
        text = message if verb != "check" else output.decode("utf-8", "replace")
        need(code == 2, "ptio", verb, *options, "exit code", code, text)
        need(words.replace("`", "") in text.replace("`", ""), "ptio says", text, "not", words)

    def same_bytes(self, ours, theirs, what):
        a, b = pathlib.Path(ours).read_bytes(), theirs if isinstance(theirs, bytes) else pathlib.Path(theirs).read_bytes()
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        need(a == b, what, "%d bytes, PyTorch %d; they differ at %d" % (len(a), len(b), at))


def saved_bytes(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


FORMS = (False, True)  # legacy
