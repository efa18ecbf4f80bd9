"""Files that are no checkpoint, and arguments that are none: the exceptions of torch.load() and torch.save(), by type and, where nothing more is
known than PyTorch knows, by text."""
import contextlib
import io
import os
import pickle
import re
import warnings
import zipfile

import pytest
import torch

import ptio

# PyTorch's unpickler fails by luck at these: whatever byte is a key of its memo.
STUMBLES = (KeyError, IndexError)


def body_of(**options):
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(6.0)}, buffer, **options)
    return buffer.getvalue()


GOOD, STREAM = body_of(), body_of(_use_new_zipfile_serialization=False)


def archive(records):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, body in records.items():
            file.writestr(name, body)
    return buffer.getvalue()


def changed(end, body):
    """The good archive with another record, or None: without it."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as file:
        records = {name: body if name.endswith(end) else file.read(name) for name in file.namelist()}
    return archive({name: body for name, body in records.items() if body is not None})


BODIES = {
    "empty": b"", "text": b"hello world, this is text\n", "zeros": bytes(100), "one byte": b"\x80", "newline": b"\n",
    "gzip": b"\x1f\x8b\x08" + bytes(20), "xz": b"\xfd7zXZ\0" + bytes(20), "png": b"\x89PNG\r\n\x1a\n" + bytes(30), "page": b"<!DOCTYPE html><html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n", "half": GOOD[:len(GOOD) // 2], "tail cut": GOOD[:-10],
    "end cut": GOOD[:-1], "head": GOOD[:30], "no record": archive({}), "other record": archive({"a.txt": b"x"}), "no data.pkl": changed("data.pkl", None),
    "no storage": changed("data/0", None), "byte order": changed("byteorder", b"middle"), "no byte order": changed("byteorder", b""),
    "empty pickle": archive({"a/data.pkl": b"", "a/version": b"3"}), "cut pickle": archive({"a/data.pkl": b"\x80\x02}q\0", "a/version": b"3"}),
    "garbage": archive({"a/data.pkl": b"garbage!", "a/version": b"3"}), "version": archive({"a/data.pkl": pickle.dumps(1, 2), "a/version": b"99"}),
    "cut stream": STREAM[:20], "half stream": STREAM[:STREAM.index(b"ctorch._utils")], "storage cut": STREAM[:-4],
}
EXACT = {"byte order", "no byte order"}


def pair(functions, *arguments, **keywords):
    """What both raised, or None where they did not."""
    raised = []
    for function in functions:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                function(*(a() if callable(a) else a for a in arguments), **keywords)
                raised.append(None)
            except Exception as e:
                raised.append(e)
    return raised


def same(functions, *arguments, **keywords):
    theirs, ours = pair(functions, *arguments, **keywords)
    assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    assert theirs is not None


LOADS, SAVES = (torch.load, ptio.load), (torch.save, ptio.save)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("name", BODIES)
def test_bad_files(tmp_path, name, weights_only):
    path = str(tmp_path / "x.pt")
    with open(path, "wb") as file:
        file.write(BODIES[name])
    for f in (path, lambda: io.BytesIO(BODIES[name])):
        theirs, ours = pair(LOADS, f, weights_only=weights_only)
        assert theirs is not None and ours is not None
        assert type(ours) is (pickle.UnpicklingError if isinstance(theirs, STUMBLES) else type(theirs)), (theirs, ours)
        assert name not in EXACT or str(ours) == str(theirs)


@pytest.mark.parametrize("name", ["empty", "text", "zeros", "gzip", "png", "no record"])
def test_what_cannot_be_mapped(tmp_path, name):
    path = str(tmp_path / "x.pt")
    with open(path, "wb") as file:
        file.write(BODIES[name])
    same(LOADS, path, mmap=True)


@pytest.mark.parametrize("f", ["none/x.pt", ".", "a\0b", "", 5, None, [1], {}, 1.5, b"bytes", os, "x" * 5000, "\udc80"], ids=repr)
@pytest.mark.parametrize("options", [{}, {"mmap": True}], ids=str)
def test_what_is_no_file(tmp_path, f, options):
    if f == "." and not options:
        f = str(tmp_path)
    same(LOADS, f, **options)


@pytest.mark.parametrize("arguments, keywords", [
    ((), {}), (("x", "cpu", None, True), {}), (("x",), {"f": "x"}), (("x", "cpu"), {"map_location": "cpu"}), ((1, 2, 3, 4, 5), {})], ids=str)
def test_calls_of_load(arguments, keywords):
    same(LOADS, *arguments, **keywords)


PLACES = ["nope", "cpu:5", "cuda:x", "", 5, 3.5, [1], b"cpu", {"cpu": "nope"}, {"cpu": 5}]


@pytest.mark.parametrize("keywords", [*({"map_location": place} for place in PLACES), {"pickle_module": pickle, "weights_only": True}, {"pickle_module": os},
                                      {"foo": 1, "weights_only": False}, {"encoding": 5, "weights_only": False}], ids=str)
def test_arguments_of_load(keywords):
    for body in (GOOD, STREAM):
        theirs, ours = pair(LOADS, lambda: io.BytesIO(body), **keywords)
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


@pytest.mark.parametrize("arguments, keywords", [
    ((), {}), ((1,), {}), ((), {"f": "x"}), ((1, 2, 3, 4, 5, 6, 7), {}), ((1, "x"), {"foo": 1}), ((1, "x"), {"obj": 1}), ((1, 5), {}), ((1, None), {}),
    ((1, []), {}), ((1, io.StringIO()), {}), ((1, "none/x.pt"), {})], ids=str)
def test_calls_of_save(arguments, keywords):
    same(SAVES, *arguments, **keywords)


@pytest.mark.parametrize("protocol", [6, 100, "x", 2.5], ids=repr)
@pytest.mark.parametrize("new", [True, False])
def test_protocols(protocol, new):
    same(SAVES, torch.ones(2), lambda: io.BytesIO(), pickle_protocol=protocol, _use_new_zipfile_serialization=new)


def local():
    return lambda: 1


@pytest.mark.parametrize("what", [local(), (x for x in ()), os, torch.ones(2, requires_grad=True) * 2], ids=["lambda", "generator", "module", "tensor"])
def test_what_cannot_be_saved(what):
    theirs, ours = ([], [])
    for save, found in zip(SAVES, (theirs, ours)):
        try:
            save(what, io.BytesIO())
        except Exception as e:
            found.append((type(e), re.sub("0x[0-9a-f]+", "", str(e))))
    assert ours == theirs
