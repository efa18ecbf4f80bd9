#!/usr/bin/env python3
"""Choose the seeds of the fuzz targets from the corpus of the tests.

    make_seeds.py

Writes fuzz/corpus/{load,save,zip,legacy,tar,pickle}: small files, each of which brings something that those before it have not (pairs of opcodes,
names of globals, the containers' own fields), at most 60 a folder. Files that are there already stay: findings are kept as seeds.
"""
import io
import os
import pickletools
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(os.path.dirname(HERE), "tests", "data", "corpus")
MOST = 60
LARGEST = 2048
HEAD = 137  # bytes of the three pickles that fuzz_legacy.c puts in front
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def corpus():
    """(name, bytes) of every file that is no truth and no script."""
    for folder, folders, names in os.walk(FILES):
        folders.sort()
        for name in sorted(names):
            if not name.endswith((".json", ".py", ".md")):
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    yield os.path.relpath(path, FILES).replace(os.sep, "-"), f.read()


def ascii_name(name):
    return "".join(c if c.isascii() else "_" for c in name)


def pickle_features(body, start=0):
    """Pairs of opcodes and names of globals of the pickles that stand one after another."""
    found, stream = set(), io.BytesIO(body[start:])
    try:
        while True:
            before = None
            for op, argument, _ in pickletools.genops(stream):
                found.add((before, op.name))
                before = op.name
                if op.name in ("GLOBAL", "INST") or "UNICODE" in op.name and argument and ("torch" in argument or argument.startswith("_")):
                    found.add(argument)
    except Exception:
        return found


def zip_features(body):
    found = set()
    with zipfile.ZipFile(io.BytesIO(body)) as z:
        found.add(("comment", bool(z.comment)))
        for info in z.infolist():
            tail = info.filename.split("/", 1)[-1].split("/")[0]
            found.add((tail, info.compress_type, info.flag_bits, info.create_version, len(info.extra) > 0, info.CRC == 0))
            if tail == "data.pkl":
                found |= pickle_features(z.read(info))
    return found


def features(body):
    if body[1:3] == b"PK" or body[1:].startswith(MAGIC):  # with the options of a save in front
        body = body[1:]
    try:
        return zip_features(body) if body[:2] == b"PK" else pickle_features(body) or {body[:2]}
    except Exception:
        return {("broken", body[:2], len(body) // 64)}


def pickle_of(body):
    """The pickle of the object in a zip, or the bytes themselves."""
    if body[:2] != b"PK":
        return body if body[:1] in (b"\x80", b"(", b"c", b"]", b"}") and not body.startswith(MAGIC) else b""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as z:
            return z.read(next(n for n in z.namelist() if n.endswith("data.pkl")))
    except Exception:
        return b""


def without_tail(body):
    """A tar without the zeros at its end, but for the two blocks that end it."""
    return body[:(len(body.rstrip(b"\0")) + 511) // 512 * 512] + bytes(1024)


def legacy_rest(body):
    if body.startswith(MAGIC) and len(body) > HEAD and body[HEAD - 1:HEAD] == b".":
        return body[HEAD:]
    return b""


def choose(folder, cut, largest=LARGEST):
    """Take from all that `cut` gives what has features of its own, the richest first."""
    pool = []
    for name, body in corpus():
        part = cut(name, body)
        if 0 < len(part) <= largest:
            pool.append((ascii_name(name), part, features(part)))
    seen, target = set(), os.path.join(HERE, "corpus", folder)
    os.makedirs(target, exist_ok=True)
    for _ in range(MOST):
        best = max(pool, key=lambda x: (len(x[2] - seen), -len(x[1]), x[0]), default=None)
        if best is None or not best[2] - seen:
            break
        seen |= best[2]
        pool.remove(best)
        with open(os.path.join(target, best[0]), "wb") as f:
            f.write(best[1])


if __name__ == "__main__":
    choose("load", lambda name, body: body)
    choose("save", lambda name, body: bytes([sum(name.encode()) % 120]) + body)
    choose("zip", lambda name, body: body if body[:2] == b"PK" else b"")
    choose("legacy", lambda name, body: legacy_rest(body))
    choose("tar", lambda name, body: without_tail(body) if body[257:262] == b"ustar" else b"", 8192)
    choose("pickle", lambda name, body: pickle_of(body))
