"""Where storages go: map_location in all its forms, compared with PyTorch over random graphs and the files of the corpus.

Each file is loaded by both with places drawn at random: a device for all, a table, as saved. Both refuse it, or `ptio tree --json` tells what
PyTorch got; where the tensors are on the meta device, the parts that PyTorch cannot describe are left out. Callbacks are compared by how
they are called: with which storages, tags and bytes, in which order (call_places.c).
"""
import contextlib
import glob
import io
import json
import os
import random
import shlex
import subprocess
import tempfile

import torch
import torch.serialization

import graphs
import same
import zoo

TAGS = ("cpu", "cpu", "cuda:0", "cuda:1", "mps", "meta", "xpu:0", "odd tag", "cuda:x", "hpu")
PLACES = ("cpu", "cpu", "cpu", "meta", "meta", "cuda", "cuda:7", "cuda:-1", "cpu:0", "mps", "xpu:1", "hpu:0", "privateuseone:0", "mtia:0", "xla:0", "nowhere")


def draw_map(r):
    """A map_location, and the options of the command for it."""
    if r.random() < 0.5:
        place = r.choice(PLACES)
        return place, ["--map-location", place]
    tags = sorted(set(r.choice(TAGS) for _ in range(r.randrange(1, 6))))
    table = {tag: r.choice(("cpu", "cpu", "cpu", "meta", "cuda:0")) for tag in tags}
    if r.random() < 0.5:
        table.update((tag, "cpu") for tag in TAGS if tag not in table)
    return table, [word for tag, place in table.items() for word in ("--map-location", "%s=%s" % (tag, place))]


@contextlib.contextmanager
def tagged(r):
    """Storages of the CPU are saved with tags drawn at random; of one storage always the same."""
    tags, choice = {}, r.choice((TAGS, ("cpu",), ("cuda:0", "cpu")))

    def tag_of(storage):
        if storage.device.type != "cpu":
            return "meta"
        return tags.setdefault(storage.data_ptr(), r.choice(choice)) if storage.data_ptr() else "cpu"

    with zoo.patched(torch.serialization, location_tag=tag_of):
        yield


def draw_file(r, name):
    while True:
        try:
            with tagged(r):
                out = io.BytesIO()
                torch.save(graphs.Maker("%s/%d" % (name, r.getrandbits(32))).graph(), out, _use_new_zipfile_serialization=r.random() < 0.7)
            torch.load(io.BytesIO(out.getvalue()), map_location="cpu", weights_only=False)
            return out.getvalue()
        except Exception:  # whatever PyTorch or NumPy cannot do
            continue


class Refused(Exception):
    pass


def is_refusal(problem):
    """Whether PyTorch says that something cannot go where it should, rather than that it stumbled."""
    text = str(problem)
    return isinstance(problem, RuntimeError) and any(word in text for word in (
        "Attempting to deserialize object on", "device module is not registered", "don't know how to restore", "Invalid device string",
        "Storage device not recognized", "without MTIA backend", "Could not run 'aten::_empty_", "aten::_nested_view_from_buffer"))


def load(body, where):
    try:
        return torch.load(io.BytesIO(body), map_location=where, weights_only=False)
    except Exception as problem:
        raise Refused(str(problem)) if is_refusal(problem) else problem


def describe(value):
    """The tree of a value, or None where PyTorch has no answer to some question about it on the meta device."""
    try:
        return graphs.Describer().node(value)
    except (NotImplementedError, RuntimeError, AttributeError, TypeError):
        return None


def run_tree(command, path, options):
    done = subprocess.run([command, "tree", "--json"] + options + [path], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()


def compare(command, path, body, where, options):
    """"refused", "loaded" or "left out", and what is wrong."""
    try:
        value = load(body, where)
    except Refused as problem:
        code, _, message = run_tree(command, path, options)
        return "refused", None if code in (2, 4) else "exit code %d, but PyTorch: %s" % (code, str(problem)[:150])
    except Exception:  # generators on the meta device, mixed devices in one tensor
        return "left out", None
    tree = describe(value)
    if tree is None:
        return "left out", None
    code, output, message = run_tree(command, path, options)
    if code:
        return "loaded", "exit code %d: %s" % (code, message)
    return "loaded", same.difference(tree, json.loads(output))


def calls_of_pytorch(body):
    calls = []

    def place(storage, tag):
        calls.append((storage.nbytes(), tag, sum(bytes(storage)) if storage.nbytes() else 0))
        return None if tag == "cpu" else storage

    torch.load(io.BytesIO(body), map_location=place, weights_only=False)
    return calls


def calls_of_ptio(command, path):
    build = os.environ.get("PTIO_BUILD_DIR") or os.path.dirname(os.path.dirname(os.path.abspath(command)))
    program = shlex.split(os.environ.get("PTIO_RUN", "")) + [os.path.join(build, "bin", "call_places")]
    lines = subprocess.run(program + [path], capture_output=True, timeout=300).stdout.decode("utf-8").splitlines()
    if not lines or lines[-1] != "loaded":
        raise ValueError("call_places: %s" % lines[-1:])
    return [(int(line.split(" ", 1)[0]), line[line.index("'") + 1:line.rindex("'")], int(line.rsplit(" ", 1)[1])) for line in lines[:-1]]


def compare_calls(command, path, body):
    truth, found = calls_of_pytorch(body), calls_of_ptio(command, path)
    if not body.startswith(b"PK"):  # of a stream PyTorch reads the storages afterwards
        truth, found = [c[:2] for c in truth], [c[:2] for c in found]
    return None if truth == found else "calls: %r, PyTorch %r" % (found[:8], truth[:8])


def is_luck(body):
    """Of a nested tensor in a legacy stream, PyTorch looks at the sizes before it has read them."""
    return not body.startswith(b"PK\x03\x04") and b"_rebuild_nested_tensor" in body


def one(command, name, body, r, folder, counts):
    """Compare one file; gives how often it failed."""
    if is_luck(body):
        return 0
    path = os.path.join(folder, "places.pt")
    with open(path, "wb") as f:
        f.write(body)
    where, options = draw_map(r)
    failed = 0
    for what, how in (("map_location=%r" % (where,), lambda: compare(command, path, body, where, options)),
                      ("callback", lambda: ("called", compare_calls(command, path, body)))):
        try:
            outcome, problem = how()
        except SystemError:  # of PyTorch, now and then, where it restores a generator
            outcome, problem = "lost", None
        except Exception as e:
            outcome, problem = "called", "%s: %s" % (type(e).__name__, e)
        counts[outcome] = counts.get(outcome, 0) + 1
        if problem:
            failed += 1
            print("places %s, %s: %s" % (name, what, problem.encode("ascii", "backslashreplace").decode()), flush=True)
    return failed


def corpus_files():
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "corpus", "2.13.0")
    return sorted(glob.glob(os.path.join(folder, "*.pt")))


# What only a class can tell (exceptions.json), and an archive of TorchScript, for which PyTorch takes no callback.
LEFT_OUT = ("optimizer_object", "scheduler_object", "script_module", "python_reduce", "python_enum_dataclass", "python_objects", "quantized_dynamic")


def is_wanted(path, body):
    if os.path.basename(path).startswith(LEFT_OUT):
        return False
    try:
        torch.load(io.BytesIO(body), map_location="cpu", weights_only=False)
        return True
    except Exception:
        return False


def run(command, seed, count, corpus):
    """(passed, failed)."""
    failed, counts = 0, {}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            name = "%d/%d" % (seed, i)
            r = random.Random(name + "/places")
            failed += one(command, name, draw_file(r, name), r, folder, counts)
        for path in corpus_files() if corpus else ():
            with open(path, "rb") as f:
                body = f.read()
            if is_wanted(path, body):
                failed += one(command, os.path.basename(path), body, random.Random(path.rsplit("/", 1)[-1] + str(seed)), folder, counts)
    print("places: " + ", ".join("%d %s" % (counts[k], k) for k in sorted(counts)), flush=True)
    return sum(counts.values()) - failed, failed


if __name__ == "__main__":
    import argparse
    import warnings

    parser = argparse.ArgumentParser()
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    print("%d passed, %d failed" % run(chosen.ptio, chosen.seed, chosen.count, True))
