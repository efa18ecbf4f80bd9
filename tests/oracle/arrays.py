"""Random NumPy arrays and scalars, for what they print: numbers, records, masked, of objects, of other classes."""
import math

import numpy as np

NUMBERS = ("i1", "u1", "i2", "<i4", ">i4", "i8", "u8", "f2", "f4", "f8", ">f8", "c8", "c16", "?")
TEXTS = ("U1", "U5", "S3")
OTHERS = ("M8[D]", "M8[s]", "m8[s]", "V2")


def shape(r):
    return tuple(r.choice((0, 1, 2, 3, 3, 4, 9, 30, 120)) for _ in range(r.choice((0, 1, 1, 1, 2, 2, 3))))


def numbers(r, dtype, count):
    kind = np.dtype(dtype).kind
    if kind == "b":
        return [r.random() < 0.5 for _ in range(count)]
    if kind in "iu":
        info = np.iinfo(dtype)
        span = r.choice((9, 1000, 2 ** 64))
        return [r.randrange(max(info.min, -span), min(info.max, span) + 1) for _ in range(count)]
    scale = 10.0 ** r.choice((0, 0, 0, -3, 4, -9))
    draw = r.choice((lambda: r.gauss(0, scale), lambda: float(r.randrange(-9, 10)), lambda: r.choice((math.nan, math.inf, -math.inf, 1.5, -0.0))))
    return [complex(draw(), draw()) if kind == "c" else draw() for _ in range(count)]


def values(r, dtype, count):
    kind = np.dtype(dtype).kind
    if kind in "US":
        texts = ["".join(r.choice("ab'\"\\\n\u00e9 " if kind == "U" else "ab'\"\\\n ") for _ in range(r.randrange(6))) for _ in range(count)]
        return texts if kind == "U" else [text.encode() for text in texts]
    if kind in "Mm":
        return [r.choice((r.randrange(-10 ** 5, 10 ** 5), -2 ** 63)) for _ in range(count)]
    if kind == "V":
        return [bytes([r.randrange(256), r.randrange(256)]) for _ in range(count)]
    return numbers(r, dtype, count)


def plain(r, dtypes=NUMBERS + TEXTS + OTHERS, sizes=None):
    dtype, sizes = r.choice(dtypes), shape(r) if sizes is None else sizes
    with np.errstate(all="ignore"):
        array = np.array(values(r, dtype, math.prod(sizes)), dtype="i8" if np.dtype(dtype).kind in "Mm" else dtype)
        return array.reshape(sizes).view(dtype) if sizes or np.dtype(dtype).kind not in "Mm" else np.array(array[0]).view(dtype)


def record_dtype(r, depth=0):
    fields = []
    for i in range(r.choice((1, 1, 2, 2, 3))):
        kind = r.randrange(8)
        if kind == 0 and depth < 3:
            fields.append(("f%d" % i, record_dtype(r, depth + 1), r.choice(((), (2,)))))
        elif kind < 3:
            fields.append(("f%d" % i, r.choice(NUMBERS + TEXTS), r.choice(((1,), (2,), (3, 2), (0,), (2, 0)))))
        else:
            fields.append(("f%d" % i, r.choice(NUMBERS + TEXTS + OTHERS)))
    return np.dtype(fields, align=r.random() < 0.2)


def fill(r, array):
    """All fields of all records."""
    for name in array.dtype.names:
        field = array[name]
        if field.dtype.names:
            fill(r, field)
        elif field.size:
            with np.errstate(all="ignore"):
                field[...] = plain(r, (field.dtype.str,), field.shape)


def records(r):
    array = np.zeros(shape(r), record_dtype(r))
    fill(r, array)
    kind = r.randrange(6)
    if kind == 0 and array.size:
        return array.flat[0]
    return array.view(np.recarray) if kind == 1 else np.asfortranarray(array) if kind == 2 else array


def masked(r):
    array = plain(r, NUMBERS + TEXTS)
    mask = np.array([r.random() < 0.4 for _ in range(array.size)], bool).reshape(array.shape)
    made = np.ma.array(array, mask=mask)
    if r.random() < 0.3 and array.dtype.kind in "iuf":
        made.fill_value = 7
    return np.ma.asarray(np.asfortranarray(made)) if array.ndim > 1 and r.random() < 0.2 else made


def objects(r):
    sizes = shape(r)
    draw = (lambda: None, lambda: r.randrange(1000), lambda: "a'b", lambda: [1, [2]], lambda: (1,), lambda: {"k": 1}, lambda: 0.5, lambda: plain(r, ("f8",), (2, 2)),
            lambda: "x" * 40)
    array = np.empty(math.prod(sizes), object)
    for i in range(array.size):
        array[i] = r.choice(draw)()
    return array.reshape(sizes)


def array(r):
    made = r.choice((plain, plain, records, records, masked, objects))(r)
    if isinstance(made, np.ndarray) and made.ndim == 2 and made.dtype.kind in "if" and type(made) is np.ndarray and r.random() < 0.3:
        return np.matrix(made)
    return made
