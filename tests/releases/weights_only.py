"""Compare the verdicts of weights_only by `--rules` with those of the release itself.

    PYTHON tests/releases/weights_only.py --ptio build/check/bin/ptio --rules 2.6 [FILE.pt ...]

PYTHON has the release of PyTorch installed. Three things are loaded by it with weights_only=True, and checked by `ptio check --rules`: every
name of its own list and of the lists of other releases, alone in a pickle; the hostile pickles of tests/oracle/hostile.py; the files that
are given. What ptio refuses for a reason of the tables in docs/weights-only.md is counted by itself.

It is not part of ./dev check, since other releases want some GB. docs/weights-only.md has what it said.
"""
import argparse
import pathlib
import sys
import tempfile
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import hostile  # noqa: E402

OTHERS = ("torch.int4 torch.uint7 torch.float8_e8m0fnu torch.float4_e2m1fn_x2 torch.bcomplex32 torch.half torch.distributed._mesh_layout._MeshLayout "
          "torch.distributed._mesh_layout._FlatLayout torch.distributed.tensor.placement_types._StridedShard torch.distributed.tensor._dtensor_spec.ShardOrderEntry "
          "torch.distributed.tensor.DTensor torch.distributed.device_mesh.DeviceMesh torch._dynamo.decorators._DimRange torch.nn.parameter.UninitializedParameter "
          "builtins.ValueError builtins.ExceptionGroup builtins.BaseException builtins.StopAsyncIteration builtins.slice builtins.range builtins.frozenset builtins.eval "
          "exceptions.ValueError exceptions.StandardError exceptions.eval traceback.StackSummary traceback.FrameSummary collections.defaultdict collections.deque "
          "datetime.datetime numpy.dtype numpy.ndarray torch.Generator torch._C.Generator torch.storage._load_from_bytes torch._utils._rebuild_sparse_csr_tensor").split()


def full_name(item):
    return item[1] if isinstance(item, tuple) else "%s.%s" % (item.__module__, item.__qualname__)


def lists(torch):
    """Pickles of a name each: those of the release, and of others."""
    from torch._weights_only_unpickler import _get_allowed_globals

    names = sorted(set(_get_allowed_globals()) | {full_name(item) for item in torch.serialization.get_safe_globals()} | set(OTHERS))
    return {"name " + name: hostile.archive(hostile.with_protocol(hostile.glob(*name.rsplit(".", 1)))) for name in names}


def compare(judge, options, name, path, stricter, counts):
    judge.ask(str(path))
    ours = hostile.ptio_verdict(options.ptio, str(path), options.rules)
    theirs = judge.answer()
    problem, reason = hostile.compare(theirs, ours, stricter)
    counts["different" if problem else "stricter" if reason else "taken by both" if ours == "loads" else "refused by both"] += 1
    if problem:
        print("%s: %s" % (name, problem.encode("ascii", "backslashreplace").decode()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ptio", required=True)
    parser.add_argument("--rules", required=True)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    import torch
    import torch._dynamo
    import torch.distributed.tensor  # noqa: F401  these allow names of their own

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    hostile.build_cases()
    counts = dict.fromkeys(("taken by both", "refused by both", "stricter", "different"), 0)
    judge, stricter = hostile.Judge(torch), hostile.stricter()
    if options.rules in ("2.6", "2.9"):
        stricter |= hostile.stricter("Stricter than older releases")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "file.pt")
        for name, body in list(lists(torch).items()) + list(hostile.CASES.items()):
            path.write_bytes(body)
            compare(judge, options, name, path, stricter, counts)
    for file in options.files:
        compare(judge, options, file, file, stricter, counts)
    judge.stop()
    print("PyTorch %s, rules %s: %s" % (torch.__version__, options.rules, ", ".join("%d %s" % (count, what) for what, count in counts.items())))
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
