"""The same call by PyTorch and by ptio, compared: objects, bytes, exceptions and warnings."""
import io
import warnings

import pytest
import torch

import alike
import ptio

containers = pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["archive", "stream"])
both_ways = pytest.mark.parametrize("weights_only", [True, False])


def told(call, *arguments, **keywords):
    """What a call comes to: (True, what it gives) or (False, what it raises), and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = alike.outcome_as_it_is(lambda first: call(first, *arguments[1:], **keywords), arguments[0])
    # PyTorch says this once in a process, whoever asks.
    return result, [(w.category, str(w.message)) for w in caught if "TypedStorage is deprecated" not in str(w.message)]


def compare(theirs, ours):
    """The same outcome and warnings. Gives what ptio gave or raised, and the warnings."""
    ((well, expected), expected_warnings), ((is_well, found), found_warnings) = theirs, ours
    assert well == is_well, "torch: %r, ptio: %r" % (expected, found)
    if well:
        difference = alike.difference(expected, found)
        assert not difference, difference
    else:
        assert (type(found), str(found)) == (type(expected), str(expected))
    assert found_warnings == expected_warnings
    return found, found_warnings


def load(body, **arguments):
    """Both load these bytes."""
    return compare(told(torch.load, io.BytesIO(body), **arguments), told(ptio.load, io.BytesIO(body), **arguments))[0]


def save(x, **options):
    """Both save it, to the same bytes, which are given, or the exception."""

    def saved(function, sink):
        function(x, sink, **options)
        return sink.getvalue()

    return compare(told(lambda f: saved(torch.save, f), io.BytesIO()), told(lambda f: saved(ptio.save, f), io.BytesIO()))[0]
