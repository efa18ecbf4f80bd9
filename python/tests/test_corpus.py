"""ptio.load() beside torch.load() over the corpus: files by real releases of PyTorch, and odd ones."""
import fnmatch
import sys

import pytest

import conftest
import alike
import zoo

FILES = sorted(str(p.relative_to(conftest.CORPUS)) for p in conftest.CORPUS.glob("**/*.pt"))
FILES = [f for i, f in enumerate(FILES) if int(i * conftest.SHARE) != int((i + 1) * conftest.SHARE)]

# Where the two differ, and why: pattern, weights_only, reason. A row that a file has no need of is a failure. BOTH is either weights_only.
BOTH = (True, False)
DIFFERENT = [
    # What PyTorch 2.13 cannot load, and ptio can; with weights_only both refuse, but in other words.
    ("*/protocol_0.pt", (False,), "persistent ids of protocol 0, which are texts"),
    ("2.*/legacy_storages.pt", BOTH, "untyped storages in a legacy file"),
    ("extra/pickles/late_dtypes_legacy.pt", BOTH, "untyped storages in a legacy file"),
    ("1.4.0-py27/zip_before_1_6.pt", BOTH, "an archive that lies about its storages"),
    ("extra/archives/packaged.pt", BOTH, "torch.package"),
    # What ptio refuses, since another archive lies before it.
    ("extra/legacy/zip_then_zip.pt", BOTH, "two archives in a file"),
    # Refused by both, each in its own words.
    ("extra/endian/byteorder_big_newline.pt", BOTH, "a control character in the name of the byte order is escaped"),
    ("extra/endian/byteorder_little_nul.pt", BOTH, "a control character in the name of the byte order is escaped"),
    ("2.13.0/nested_empty.pt", (True,), "PyTorch fails in an assertion of C++"),
    ("extra/legacy/*at_offset_1000.pt", BOTH, "PyTorch runs any bytes as a pickle"),
    ("1.*-py27/numpy_*.pt", (True,), "all strings are decoded before the names are judged"),
    ("1.0.0-py27/protocol_[12].pt", (True,), "all strings are decoded before the names are judged"),
    ("1.0.0-py27/python_stdlib.pt", (True,), "all strings are decoded before the names are judged"),
]


@pytest.fixture(autouse=True, scope="module")
def classes():
    """The files name the classes of zoo.py as those of the program that was run."""
    for name, value in vars(zoo).items():
        if not name.startswith("__"):
            vars(sys.modules["__main__"]).setdefault(name, value)


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("file", FILES)
def test_same_as_torch(file, weights_only):
    rows = [row for row in DIFFERENT if weights_only in row[1] and fnmatch.fnmatch(file, row[0])]
    found = alike.loaded_difference(str(conftest.CORPUS / file), weights_only=weights_only, map_location="cpu")
    if rows:
        assert found, "nothing differs any more: %s" % (rows,)
    else:
        assert not found, found
