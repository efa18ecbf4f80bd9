"""ptio.load() beside torch.load() over random graphs of everything that torch.save() meets: tests/oracle/graphs.py makes them.

2,000 of them, one in two of seed 0 and the others of the seed of this commit, which is in the name of the test. PTIO_TEST_SHARE asks for a part.
"""
import importlib.util
import io
import pickle
import random

import pytest
import torch

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
        if load is not pickle.loads and not places.is_luck(body):
            return body
    raise AssertionError("nothing of %s could be saved" % name)


@pytest.mark.parametrize("name", ["%d/%d" % ((0, FRESH)[i % 2], i) for i in range(conftest.share(2000))])
def test_same_as_torch(name):
    body = file_of(name)
    for weights_only in (True, False):
        found = alike.loaded_difference(lambda: io.BytesIO(body), weights_only=weights_only, map_location="cpu")
        assert not found, "weights_only=%s: %s" % (weights_only, found)


class Attributes:
    pass


class OfDict(dict):
    pass


class OfList(list):
    pass


class OfSet(set):
    pass


def dict_in_a_cycle():
    d, o = OfDict(), Attributes()
    d["o"], o.d, d["x"] = o, d, [d]
    return d


def dict_by_its_holder():
    return dict_in_a_cycle()["o"]


def dict_in_its_list():
    d, items = OfDict(), []
    d["items"] = items
    items += [d, 5, items]
    return d


def list_in_a_cycle():
    made, o = OfList(), Attributes()
    made += [o, 3]
    o.list, o.twice, made.own = made, (made, [made]), made
    return made


def set_in_a_cycle():
    made, o = OfSet(), Attributes()
    made |= {o, 4}
    o.set, made.own = made, made
    return made


def two_that_hold_each_other():
    a, b, o = OfDict(), OfList(), Attributes()
    a["b"], a["o"], o.a, o.b = b, o, a, b
    b += [o, 6]
    return [b, a]


CYCLES = (dict_in_a_cycle, dict_by_its_holder, dict_in_its_list, list_in_a_cycle, set_in_a_cycle, two_that_hold_each_other)


@pytest.mark.parametrize("protocol", (0, 1, 2, 4))
@pytest.mark.parametrize("made", CYCLES)
def test_copies_in_cycles(made, protocol):
    """In protocols 0 and 1 objects of classes derived from dict or list are copies of plain ones, which must be full by then."""
    file = io.BytesIO()
    torch.save(made(), file, pickle_protocol=protocol)
    found = alike.loaded_difference(lambda: io.BytesIO(file.getvalue()), weights_only=False)
    assert not found, found
