"""ptio.load() beside torch.load() over random graphs of everything that torch.save() meets: tests/oracle/graphs.py makes them.

2,000 of them, one in two of seed 0 and the others of the seed of this commit, which is in the name of the test. PTIO_TEST_SHARE asks for a part.
"""
import importlib.util
import io
import pickle
import random

import pytest

import conftest
import alike
import graphs
import places
import seeding

FRESH = seeding.fresh()
TRIES = 50  # until something could be saved

spec = importlib.util.spec_from_file_location("oracle_run", conftest.SOURCE / "tests" / "oracle" / "run.py")
oracle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oracle)


def is_copied_in_a_cycle(body):
    """Whether a dict or list of a class may be copied before it is full: in protocols 0 and 1, as part of a cycle (docs/python.md)."""
    return b"copy_reg\n_reconstructor\n" in body and (b"c__builtin__\ndict\n" in body or b"c__builtin__\nlist\n" in body)


def file_of(name):
    """The bytes of a file by torch.save(). They follow from the name; what PyTorch cannot write or read back is drawn again."""
    for attempt in range(TRIES):
        seed = "%s/%d" % (name, attempt)
        try:
            maker = graphs.Maker(seed)
            made = maker.graph()
            body, load = oracle.written(made, random.Random(seed + "/file"), maker.swappable)
            load(body)
        except Exception:
            continue
        if load is not pickle.loads and not is_copied_in_a_cycle(body) and not places.is_luck(body):
            return body
    raise AssertionError("nothing of %s could be saved" % name)


@pytest.mark.parametrize("name", ["%d/%d" % ((0, FRESH)[i % 2], i) for i in range(conftest.share(2000))])
def test_same_as_torch(name):
    body = file_of(name)
    for weights_only in (True, False):
        found = alike.loaded_difference(lambda: io.BytesIO(body), weights_only=weights_only, map_location="cpu")
        assert not found, "weights_only=%s: %s" % (weights_only, found)
