#!/usr/bin/env python3
"""Compare what `ptio save` changes with the same changes made in Python.

    edits.py --ptio COMMAND [--count N] [--seed N] [--only INDEX [--folder FOLDER]]

Each time a checkpoint is drawn: a state dict, or a training checkpoint with one in it, tied and overlapping tensors, lists and tuples. Some
options are drawn with it: --select, --drop, --rename, --rename-regex, --strip-prefix, --cast, --compact, --add. PyTorch loads the file, what the options
say is done to the object (here, independently of ptio), and torch.save writes it; `ptio save` must write the same bytes.
"""
import argparse
import collections
import contextlib
import fnmatch
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import torch
import torch.nn as nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
WORDS = ("module", "encoder", "decoder", "fc", "norm", "0", "1", "layers", "ab", "x")


class Refused(Exception):
    """ptio has to refuse the edit."""


# ---- what there is to change


class Maker:
    def __init__(self, r):
        self.r = r

    def name(self):
        return ".".join(self.r.choice(WORDS) for _ in range(self.r.randrange(1, 4)))

    def tensor(self, bases):
        r = self.r
        if bases and r.random() < 0.4:
            base = r.choice(bases)
            kind = r.randrange(6)
            if kind == 0 and base.numel():
                first = r.randrange(base.numel())
                return base.flatten()[first:r.randrange(first, base.numel() + 1)] if base.is_contiguous() else base
            if kind == 1 and base.dim() == 2:
                return base.t()
            if kind == 4:
                return base.permute(r.sample(range(base.dim()), base.dim()))
            if kind == 5:
                wide = base.unsqueeze(r.randrange(base.dim() + 1))
                wide = wide.expand([r.choice((2, 3)) if size == 1 and r.random() < 0.7 else -1 for size in wide.shape])
                return wide.permute(r.sample(range(wide.dim()), wide.dim()))
            return base.detach() if kind == 2 else base[:, ::2] if base.dim() == 2 else base
        shape = [r.randrange(1, 6) for _ in range(r.randrange(4))]
        made = (torch.rand(shape) * 50).to(r.choice(FLOATS + (torch.int64, torch.int32, torch.uint8, torch.complex64)))
        if made.dim() == 4:
            made = made.to(memory_format=torch.channels_last)
        if r.random() < 0.2 and made.is_floating_point():
            made = nn.Parameter(made) if r.random() < 0.5 else made.requires_grad_(True)
        bases.append(made.detach() if made.requires_grad else made)
        return made

    def flat(self, bases):
        made = self.r.choice((dict, collections.OrderedDict))()
        for _ in range(self.r.randrange(1, 12)):
            made[self.name() + self.r.choice((".weight", ".bias", ""))] = self.tensor(bases)
        return made

    def state_dict(self):
        net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Sequential(nn.Linear(3, 1), nn.Dropout()))
        for _ in range(self.r.randrange(3)):
            outer = nn.Module()
            setattr(outer, self.r.choice(("module", "encoder", "model")), net)
            net = outer
        return net.state_dict()

    def value(self, bases):
        r = self.r
        return r.choice((lambda: self.flat(bases), self.state_dict, lambda: self.tensor(bases), lambda: r.randrange(1000), lambda: self.name(),
                         lambda: [self.tensor(bases), self.flat(bases), 3], lambda: (1, self.tensor(bases)),
                         lambda: {0: {"exp_avg": self.tensor(bases)}, 1: {"step": 2.5}}))()

    def checkpoint(self):
        bases = []
        kind = self.r.randrange(4)
        if kind == 0:
            return self.state_dict()
        if kind == 1:
            return self.flat(bases)
        made = {self.r.choice(("model", "optimizer", "epoch", "state_dict", "ema", "extra")): self.value(bases) for _ in range(4)}
        if kind == 3:
            made["again"] = self.r.choice(list(made.values()))
        return made

    def glob(self, names):
        name = self.r.choice(names)
        kind = self.r.randrange(5)
        if kind == 0:
            return name
        if kind == 1:
            return name.split(".")[0] + "*"
        if kind == 2:
            return "*" + name.split(".")[-1]
        if kind == 3:
            return "*" + self.r.choice(("weight", "bias", "fc", "0", "o")) + "*"
        at = self.r.randrange(len(name) + 1)
        return name[:at] + "?" + name[at + 1:]

    def options(self, names, other):
        r, made = self.r, []
        for _ in range(r.randrange(1, 4)):
            name = r.choice(names)
            parts = name.split(".")
            made.append(r.choice((
                lambda: ("--select", self.glob(names)), lambda: ("--drop", self.glob(names)), lambda: ("--drop", self.glob(names)),
                lambda: ("--rename", "%s=%s" % (".".join(parts[:r.randrange(1, len(parts) + 1)]), self.name())),
                lambda: ("--rename", "%s=%s" % (name, ".".join(parts[:-1] + ["new"]))),
                lambda: ("--rename-regex", r.choice((r"(weight|bias)$=the_\1", r"\.([0-9])\.=.block\1.", r"e=E", r"^([a-z]+)\.([a-z0-9]+)\.=\1.\2_", r"x+=-"))),
                lambda: ("--strip-prefix", r.choice((parts[0] + ".", "module.", "encoder.", "e"))),
                lambda: ("--cast", r.choice(("bfloat16", "float16", "float64", "float"))),
                lambda: ("--cast", "%s:%s" % (r.choice(("int32", "float32", "uint8", "complex128", "float8_e5m2", "uint16")), self.glob(names))),
                lambda: ("--compact",), lambda: ("--add", other)))())
        return made


# ---- the same in Python


def names_of(value, path="", seen=None):
    """(name, container, key, value) of everything that has a name."""
    seen = set() if seen is None else seen
    if id(value) in seen or not isinstance(value, (dict, list, tuple)):
        return
    seen.add(id(value))
    for key, item in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        name = (path + "." if path else "") + str(key)
        yield name, value, key, item
        yield from names_of(item, name, seen)


def matches(globs, name):
    found = [g for g in globs if fnmatch.fnmatchcase(name, g[0])]
    for g in found:
        g[1] += 1
    return bool(found)


def cut(value, selects, drops, path="", chosen=False, walks=None):
    """Take out entries. True where something of it stays."""
    stays = chosen
    if not isinstance(value, (dict, list, tuple)):
        return stays
    walks[id(value)] = walks.get(id(value), 0) + 1000
    gone = []
    for key, item in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        name = (path + "." if path else "") + str(key)
        is_entry = isinstance(value, dict)
        inner = is_entry and matches(selects, name) or chosen
        if is_entry and matches(drops, name):
            gone.append(key)
            continue
        stays = stays or inner
        kept = inner
        if isinstance(item, (dict, list, tuple)) and walks.get(id(item), 0) < 16:
            kept = cut(item, selects, drops, name, inner, walks) or inner
            stays = stays or kept
        if not kept and is_entry:
            gone.append(key)
    if not stays:
        walks[id(value)] -= 999
    if isinstance(value, dict) and (stays or not path):
        remove(value, gone)
    return stays


def remove(mapping, keys):
    """Keys, and the notes of modules that have no parameter left."""
    before = modules(mapping)
    for key in keys:
        del mapping[key]
    after = modules(mapping)
    metadata = getattr(mapping, "_metadata", None)
    if metadata is None or not keys:
        return
    for name in list(metadata):
        parts = name.split(".")
        around = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        known = next((m for m in around if m in before), None)
        if known and known not in after:
            del metadata[name]


def modules(mapping):
    return {key[:i] for key in mapping if isinstance(key, str) for i, c in enumerate(key) if c == "."}


def dicts_of(value, path="", seen=None):
    seen = set() if seen is None else seen
    if id(value) in seen or not isinstance(value, (dict, list, tuple)):
        return
    seen.add(id(value))
    if isinstance(value, dict):
        yield path, value
    for key, item in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield from dicts_of(item, (path + "." if path else "") + str(key), seen)


def rename(value, function):
    """Of every dict the keys, by their whole names; of what is in them the names are those that were found."""
    hits = 0
    plans = []
    for path, mapping in dicts_of(value):
        after = function(path)[0] if path else ""
        plans.append((mapping, path + "." if path else "", after + "." if path else ""))
    for name, container, key, _ in names_of(value):
        if not isinstance(container, dict):
            new, hit = function(name)
            hits += hit
            parent = name[:-len(str(key)) - 1]
            if new != function(parent)[0] + "." + str(key):
                raise Refused
    done = []
    for mapping, before, after in plans:
        entries, keys = [], []
        for key, item in mapping.items():
            new, hit = function(before + str(key))
            hits += hit
            if not new.startswith(after):
                raise Refused
            new = new[len(after):]
            if new != str(key) and (not isinstance(key, str) or not new or new.startswith(".")):
                raise Refused
            keys.append(key if new == str(key) else new)
            entries.append((keys[-1], item))
        done.append((mapping, before, after, entries))
    for mapping, before, after, entries in done:
        metadata = getattr(mapping, "_metadata", None)
        if len({k for k, _ in entries}) < len(entries):
            raise Refused
        changed = [k for k, _ in entries] != list(mapping)
        mapping.clear()
        mapping.update(entries)
        if metadata is None or not changed:
            continue
        notes = []
        for key, item in metadata.items():
            new = function(before + key + ".")[0][len(after):] if key else key
            new = new[:-1] if new.endswith(".") else new
            notes.append((key if new == key else new, item))
        metadata.clear()
        metadata.update(notes)
    return hits


def strip(value, prefix):
    hits = 0
    for _, mapping in dicts_of(value):
        found = [key for key in mapping if isinstance(key, str) and key.startswith(prefix)]
        hits += len(found)
        stripped = [key[len(prefix):] for key in found]
        rest = [key for key in mapping if key not in found]
        if len(set(stripped + rest)) < len(mapping) or any(not key or key.startswith(".") for key in stripped):
            raise Refused
        if found:
            consume_prefix_in_state_dict_if_present(mapping, prefix)
    return hits


def cast(value, rules):
    made, alike, containers = {}, {}, []
    for name, container, key, item in names_of(value):
        if not isinstance(item, torch.Tensor):
            continue
        dtype = None
        for rule in rules:
            if rule[1] is None:
                hit = item.is_floating_point()
                rule[2] += hit
            else:
                hit = fnmatch.fnmatchcase(name, rule[1])
                rule[2] += hit
            dtype = rule[0] if hit else dtype
        if dtype is None or id(item) in made or item.dtype == dtype:
            containers.append((container, key, item))
            continue
        same = (item.untyped_storage()._cdata, item.storage_offset(), tuple(sorted(zip(item.stride(), item.shape))), item.dtype, dtype)
        new = item.detach().to(dtype)
        if same in alike:
            new = alike[same].as_strided(new.shape, new.stride())
        alike[same] = new
        grad = item.requires_grad and (dtype.is_floating_point or dtype.is_complex)
        if isinstance(item, nn.Parameter):
            new = nn.Parameter(new, requires_grad=grad)
        elif grad:
            new = new.detach().requires_grad_(True)
        made[id(item)] = (new, item)
        containers.append((container, key, item))
    for container, key, item in containers:
        if id(item) in made and not isinstance(container, tuple):
            container[key] = made[id(item)][0]
    return [item for container, _, item in containers if isinstance(container, tuple) and id(item) in made]


def compact(value):
    used = {}
    for _, _, _, item in names_of(value):
        if isinstance(item, torch.Tensor):
            size = item.element_size()
            place = used.setdefault(item.untyped_storage()._cdata, [item.untyped_storage(), None, None, size, []])
            place[4].append(item)
            place[3] = max(place[3], size)
            if item.numel():
                first = item.storage_offset() * size
                end = first + (sum((n - 1) * s for n, s in zip(item.shape, item.stride())) + 1) * size
                place[1] = first if place[1] is None else min(place[1], first)
                place[2] = end if place[2] is None else max(place[2], end)
    for storage, first, end, size, tensors in used.values():
        first, end = (first, end) if first is not None else (0, 0)
        part = storage[first:end].clone() if end > first else torch.UntypedStorage(0)
        done = set()
        for t in tensors:
            if id(t) not in done:
                done.add(id(t))
                with torch.no_grad():
                    t.set_(part, max(t.storage_offset() - first // t.element_size(), 0), t.shape, t.stride())


def change(value, options, other):
    """Do what the options say, in the order in which ptio does it. Raises Refused."""
    selects = [[o[1], 0] for o in options if o[0] == "--select"]
    drops = [[o[1], 0] for o in options if o[0] == "--drop"]
    if selects or drops:
        cut(value, selects, drops, "", not selects, {})
    if not all(g[1] for g in selects + drops):
        raise Refused
    if any(o[0] == "--cast" for o in options):
        rules = [[dtype_of(o[1].partition(":")[0]), o[1].partition(":")[2] or None, 0] for o in options if o[0] == "--cast"]
        if cast(value, rules):
            return None  # a tuple would have to be another one
        if not all(rule[2] for rule in rules):
            raise Refused
    for o in options:
        hits = 1
        if o[0] == "--rename":
            old, new = o[1].split("=")
            hits = rename(value, lambda name: renamed(name, old, new))
        elif o[0] == "--rename-regex":
            old, new = o[1].split("=")
            hits = rename(value, lambda name: re.subn(old, new, name))
        elif o[0] == "--strip-prefix":
            hits = strip(value, o[1])
        if not hits:
            raise Refused
    for o in options:
        if o[0] == "--add":
            for key, item in torch.load(other).items():
                if key in value:
                    raise Refused
                value[key] = item
    if ("--compact",) in options:
        compact(value)
    return value


def renamed(name, old, new):
    return (new + name[len(old):], 1) if name == old or name.startswith(old + ".") else (name, 0)


def dtype_of(name):
    return getattr(torch, name)


# ---- comparing


def compare(ptio, seed, index, folder):
    """None where all is well, else what is wrong; False where the edit says nothing."""
    r = random.Random("%d %d" % (seed, index))
    torch.manual_seed(r.getrandbits(32))
    maker = Maker(r)
    source, other, ours, theirs = (os.path.join(folder, name) for name in ("in.pt", "other.pt", "out.pt", "torch/out.pt"))
    os.makedirs(os.path.dirname(theirs), exist_ok=True)
    value = maker.checkpoint()
    torch.save(value, source)
    torch.save({"added.weight": torch.arange(3.0), "added.bias": torch.zeros(1)}, other)
    names = [name for name, _, _, _ in names_of(value)]
    options = maker.options(names, other)
    loaded = torch.load(source, weights_only=False)
    expected = 0
    try:
        loaded = change(loaded, options, other)
    except Refused:
        expected = 1
    if loaded is None:
        return False
    with contextlib.suppress(FileNotFoundError):
        os.remove(ours)
    done = subprocess.run([ptio, "save", "--endian", "little", *(word for o in options for word in o), source, ours], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = "%s: %s" % (" ".join(word for o in options for word in o), done.stderr.decode())
    if expected:
        return None if done.returncode in (1, 4) and done.stderr else "%s\nexit %d, but it should be refused" % (said, done.returncode)
    if done.returncode:
        return "%s\nexit %d" % (said, done.returncode)
    torch.save(loaded, theirs)
    with open(ours, "rb") as a, open(theirs, "rb") as b:
        return None if a.read() == b.read() else "%s\nother bytes than torch.save" % said


def run(ptio, seed, count):
    """(passed, failed) of so many edits. Those that would make another tuple are drawn again."""
    passed, failed, index = 0, 0, 0
    while passed + failed < count:
        with tempfile.TemporaryDirectory(prefix="ptio-edits-") as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = compare(os.path.abspath(ptio), seed, index, folder)
        if wrong:
            print("edits.py --seed %d --only %d: %s" % (seed, index, wrong), flush=True)
        passed += wrong is None
        failed += bool(wrong)
        index += 1
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--folder")
    options = parser.parse_args()
    if options.only is not None:
        with contextlib.nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as folder:
            print(compare(os.path.abspath(options.ptio), options.seed, options.only, folder))
        return 0
    passed, failed = run(options.ptio, options.seed, options.count)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
