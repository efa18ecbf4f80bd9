"""Compare what `ptio show` prints with what print() of PyTorch printed.

Memory addresses, the order of sets and the numbers of symbolic sizes are those of one process. An object that Python shows by its address
is shown with its contents by ptio: `<__main__.Point object at 0x7f…>` is `<ptio object __main__.Point state={…}>`. In both, the class remains.
"""
import os
import re

DTYPE = re.compile(r"\bdtype\('[<>]?\w+'\)")
ADDRESS = re.compile(r"<([\w.]+) object at 0x[0-9a-f]+>")
SET = re.compile(r"\{('[^'{}:]*'|\d+)(, ('[^'{}:]*'|\d+))+\}")
SYMBOL = re.compile(r"\bj\d+\b")
RANDOM = {"RandomState": "numpy.random.mtrand.RandomState", "Generator": "numpy.random._generator.Generator"}
RANDOM_ADDRESS = re.compile(r"\b(RandomState|Generator)\(\w+\) at 0x[0-9A-F]+")
OPENINGS = ("<ptio object ", "<ptio torch.Generator ")


def end_of_object(text, start):
    """Behind the '>' that ends the object which begins at `start`: quotes are skipped, and objects inside it."""
    depth, quote, i = 0, None, start
    while i < len(text):
        c = text[i]
        if quote:
            i += c == "\\"
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c == "<":
            depth += 1
        elif c == ">":
            depth -= 1
            if not depth:
                return i + 1
        i += 1
    return len(text)


def without_contents(text):
    """Each object of ptio as its class alone."""
    parts, at = [], 0
    while True:
        starts = [text.find(opening, at) for opening in OPENINGS]
        start = min((s for s in starts if s >= 0), default=-1)
        if start < 0:
            return "".join(parts) + text[at:]
        name = re.match(r"<ptio (?:object )?([\w.]+)", text[start:]).group(1)
        parts += [text[at:start], "<%s>" % name.replace("torch.Generator", "torch._C.Generator")]
        at = end_of_object(text, start)


def without_process(text):
    """The same text whichever process printed it."""
    text = ADDRESS.sub(r"<\1>", text)
    text = RANDOM_ADDRESS.sub(lambda m: "<%s>" % RANDOM[m.group(1)], text)
    text = SET.sub(lambda m: "{%s}" % ", ".join(sorted(m.group(0)[1:-1].split(", "))), text)
    return SYMBOL.sub("j", text)


def difference(truth, found):
    """The place where two texts begin to differ, or None."""
    a, b = without_process(truth), without_process(without_contents(found))
    if "s390x" in os.environ.get("PTIO_RUN", ""):
        if "dtype='<" in b:
            return None  # a big-endian machine names NumPy's dtypes otherwise: docs/differences.md
        a, b = DTYPE.sub("dtype()", a), DTYPE.sub("dtype()", b)
    if a == b:
        return None
    place = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
    start = max(0, place - 30)
    return "PyTorch prints %r, ptio %r" % (a[start:place + 60], b[start:place + 60])
