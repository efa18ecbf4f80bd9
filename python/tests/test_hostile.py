"""ptio.load(weights_only=True) over pickles made to harm: it comes to an end, and what it takes PyTorch takes too, as the same object.

tests/oracle/hostile.py makes them; there the verdicts of the command are compared one by one.
"""
import io

import pytest
import torch

import alike
import hostile
import ptio
from conftest import share

hostile.build_cases()
NAMES = list(hostile.CASES)

# What takes PyTorch years, or all the memory: ptio alone is asked.
ENDLESS = ("bomb", "deep", "mebibyte")
ENDLESS_NAMES = [n for n in NAMES if any(word in n for word in ENDLESS)]


@pytest.mark.parametrize("name", ENDLESS_NAMES[: share(len(ENDLESS_NAMES))])
def test_it_ends(child, tmp_path, name):
    path = tmp_path / "x.pt"
    path.write_bytes(hostile.CASES[name])
    child(
        """
        import sys, ptio
        try:
            ptio.load(sys.argv[1], weights_only=True)
        except Exception as e:
            print(e)
        """,
        path,
        timeout=60,
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(10))
def test_what_is_taken(part):
    names = [n for n in NAMES if not any(word in n for word in ENDLESS)][part :: 10]
    for name in names[: share(len(names))]:
        body = hostile.CASES[name]
        try:
            ours = ptio.load(io.BytesIO(body), weights_only=True)
        except Exception:
            continue
        theirs = torch.load(io.BytesIO(body), weights_only=True)
        if name != "tensor: v3 quantized":  # which has no quantizer to compare
            assert not alike.difference(ours, theirs), name
