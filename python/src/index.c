/*
 * What t[index] selects: ints, slices, `...` and tuples of these, by PyTorch's rules and in its words. Lists, tensors and None need a
 * library that computes.
 */
#include "tensor.h"

static bool select_int(PyObject *item, size_t dim, int64_t size, selection *s)
{
    long long at = PyLong_AsLongLong(item);
    if (at == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return false;
        PyErr_Clear();
        PyErr_Format(PyExc_IndexError, "index %S is out of bounds for dimension %zu with size %lld", item, dim, (long long)size);
        return false;
    }
    if (at < -size || at >= size) {
        PyErr_Format(PyExc_IndexError, "index %lld is out of bounds for dimension %zu with size %lld", at, dim, (long long)size);
        return false;
    }
    at += at < 0 ? size : 0;
    s->slices[dim] = (ptio_slice){at, at + 1, 1};
    s->sizes[dim] = 1;
    s->drops[dim] = true;
    return true;
}

static bool select_slice(PyObject *item, size_t dim, int64_t size, selection *s)
{
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(item, &start, &stop, &step) < 0)
        return false;
    if (step <= 0) {
        PyErr_SetString(PyExc_ValueError, "step must be greater than zero");
        return false;
    }
    Py_ssize_t count = PySlice_AdjustIndices((Py_ssize_t)size, &start, &stop, step);
    s->sizes[dim] = count;
    s->slices[dim] = count ? (ptio_slice){start, start + (count - 1) * step + 1, step} : (ptio_slice){0, 0, 1};
    return true;
}

static bool select_item(PyObject *item, size_t dim, int64_t size, selection *s)
{
    if (PySlice_Check(item))
        return select_slice(item, dim, size, s);
    if (PyIndex_Check(item) && !PyBool_Check(item)) {
        PyObject *number = PyNumber_Index(item);
        bool done = number && select_int(number, dim, size, s);
        Py_XDECREF(number);
        return done;
    }
    PyObject *name = PyType_GetName(Py_TYPE(item));
    if (name)
        PyErr_Format(PyExc_TypeError,
                     "an index is an int, a slice, ... or a tuple of these, not %U: numpy() gives an array that takes all", name);
    Py_XDECREF(name);
    return false;
}

static void select_all(size_t dim, int64_t size, selection *s)
{
    s->slices[dim] = (ptio_slice){0, size, 1};
    s->sizes[dim] = size;
}

/* An index of a scalar. */
static void raise_for_scalar(PyObject *index)
{
    selection none;
    if (PySlice_Check(index))
        PyErr_SetString(PyExc_IndexError, "slice() cannot be applied to a 0-dim tensor.");
    else if (PyLong_CheckExact(index) && !PyObject_IsTrue(index))
        PyErr_SetString(PyExc_IndexError,
                        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
                        "to convert a 0-dim tensor to a number");
    else
        (void)select_item(index, 0, 0, &none);
}

bool select_index(PyObject *index, size_t ndim, const int64_t *shape, selection *ret)
{
    PyObject *items = PyTuple_Check(index) ? Py_NewRef(index) : PyTuple_Pack(1, index);
    if (!items)
        return false;
    size_t count = (size_t)PyTuple_Size(items), given = count, dim = 0;
    bool done = true, skipped = false;
    ret->ndim = ndim;
    for (size_t i = 0; i < ndim; i++)
        ret->drops[i] = false;
    for (size_t i = 0; i < count; i++)
        given -= PyTuple_GetItem(items, (Py_ssize_t)i) == Py_Ellipsis;
    if (ndim == 0 && given == 1 && !PyTuple_Check(index)) {
        raise_for_scalar(index);
        done = false;
    } else if (given > ndim) {
        PyErr_Format(PyExc_IndexError, "too many indices for tensor of dimension %zu", ndim);
        done = false;
    }
    for (size_t i = 0; done && i < count; i++) {
        PyObject *item = PyTuple_GetItem(items, (Py_ssize_t)i);
        if (item != Py_Ellipsis) {
            done = select_item(item, dim, shape[dim], ret);
            dim++;
            continue;
        }
        /* A second one stands for nothing. */
        for (size_t left = skipped ? 0 : ndim - given; left; left--, dim++)
            select_all(dim, shape[dim], ret);
        skipped = true;
    }
    for (; done && dim < ndim; dim++)
        select_all(dim, shape[dim], ret);
    Py_DECREF(items);
    return done;
}

size_t selected_shape(const selection *s, int64_t *shape)
{
    size_t ndim = 0;
    for (size_t i = 0; i < s->ndim; i++)
        if (!s->drops[i])
            shape[ndim++] = s->sizes[i];
    return ndim;
}

PyObject *tensor_subscript(PyObject *object, PyObject *index)
{
    tensor_object *self = (tensor_object *)object;
    const ptio_tensor *t = self->tensor;
    if (!tensor_is_plain(t)) {
        PyErr_SetString(PyExc_TypeError,
                        "only tensors of the strided layout that are not quantized, conjugated or on the meta device "
                        "take an index; clone(), to_dense() and dequantize() make one");
        return NULL;
    }
    selection s;
    if (!select_index(index, ptio_tensor_ndim(t), ptio_tensor_shape(t), &s))
        return NULL;
    int64_t shape[MOST_DIMENSIONS], stride[MOST_DIMENSIONS], offset = ptio_tensor_storage_offset(t);
    size_t ndim = selected_shape(&s, shape), kept = 0;
    for (size_t i = 0; i < s.ndim; i++) {
        offset += s.slices[i].start * ptio_tensor_stride(t)[i];
        if (!s.drops[i])
            stride[kept++] = ptio_tensor_stride(t)[i] * s.slices[i].step;
    }
    return tensor_view(PyType_GetModuleState(Py_TYPE(object)), self->holder, ptio_tensor_storage(t), ptio_tensor_dtype(t), ndim,
                       shape, stride, offset);
}
