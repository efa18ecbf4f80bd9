/*
 * The elements of a tensor as numbers of Python: a flat list first, then from the last dimension on so many of them to a list.
 */
#include <stdlib.h>

#include "tensor.h"

/* What numbers of Python are made from: the widest dtype of the kind. */
static ptio_dtype widest(const ptio_tensor *t)
{
    if (ptio_tensor_quantizer(t).scheme != PTIO_NOT_QUANTIZED)
        return PTIO_FLOAT64;
    switch (class_of(ptio_tensor_dtype(t))) {
    case DTYPE_BOOL: return PTIO_BOOL;
    case DTYPE_SIGNED: return PTIO_INT64;
    case DTYPE_UNSIGNED: return PTIO_UINT64;
    case DTYPE_FLOAT: return PTIO_FLOAT64;
    case DTYPE_COMPLEX: return PTIO_COMPLEX128;
    case DTYPE_OTHER: break;
    }
    return ptio_tensor_dtype(t);
}

static PyObject *number_at(const void *elements, ptio_dtype dtype, size_t i)
{
    switch (dtype) {
    case PTIO_BOOL: return PyBool_FromLong(((const unsigned char *)elements)[i]);
    case PTIO_INT64: return PyLong_FromLongLong(((const int64_t *)elements)[i]);
    case PTIO_UINT64: return PyLong_FromUnsignedLongLong(((const uint64_t *)elements)[i]);
    case PTIO_FLOAT64: return PyFloat_FromDouble(((const double *)elements)[i]);
    default: return PyComplex_FromDoubles(((const double *)elements)[2 * i], ((const double *)elements)[2 * i + 1]);
    }
}

/* All elements in C order, in `dtype`. To be freed by free(). */
static void *elements_of(tensor_object *self, ptio_dtype dtype)
{
    module_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    const ptio_tensor *t = self->tensor;
    uint64_t nbytes;
    if (dtype != PTIO_BOOL && dtype != PTIO_INT64 && dtype != PTIO_UINT64 && dtype != PTIO_FLOAT64 && dtype != PTIO_COMPLEX128) {
        PyErr_Format(PyExc_TypeError, "elements of %s are no numbers of Python", ptio_dtype_name(dtype));
        return NULL;
    }
    if (!count_bytes(ptio_tensor_ndim(t), ptio_tensor_shape(t), dtype, &nbytes))
        return NULL;
    void *elements = malloc(nbytes ? (size_t)nbytes : 1);
    if (!elements)
        return PyErr_NoMemory();
    ptio_error err = {0};
    if (ptio_tensor_copy(t, dtype, elements, nbytes, &err) == PTIO_OK)
        return elements;
    free(elements);
    return raise_error(state, &err);
}

PyObject *tensor_item(tensor_object *self)
{
    uint64_t numel = ptio_tensor_numel(self->tensor);
    if (numel != 1)
        return PyErr_Format(PyExc_RuntimeError, "a Tensor with %llu elements cannot be converted to Scalar",
                            (unsigned long long)numel);
    ptio_dtype dtype = widest(self->tensor);
    void *elements = elements_of(self, dtype);
    PyObject *number = elements ? number_at(elements, dtype, 0) : NULL;
    free(elements);
    return number;
}

static PyObject *flat_list(tensor_object *self)
{
    ptio_dtype dtype = widest(self->tensor);
    void *elements = elements_of(self, dtype);
    size_t count = (size_t)ptio_tensor_numel(self->tensor);
    PyObject *list = elements ? PyList_New((Py_ssize_t)count) : NULL;
    for (size_t i = 0; list && i < count; i++) {
        PyObject *number = number_at(elements, dtype, i);
        if (!number || PyList_SetItem(list, (Py_ssize_t)i, number) < 0)
            Py_CLEAR(list);
    }
    free(elements);
    return list;
}

/* A list of `count` lists of `size` items each of `list`, which goes. */
static PyObject *grouped(PyObject *list, size_t count, size_t size)
{
    PyObject *groups = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; groups && i < count; i++) {
        PyObject *group = PyList_GetSlice(list, (Py_ssize_t)(i * size), (Py_ssize_t)((i + 1) * size));
        if (!group || PyList_SetItem(groups, (Py_ssize_t)i, group) < 0)
            Py_CLEAR(groups);
    }
    Py_DECREF(list);
    return groups;
}

PyObject *tensor_tolist(tensor_object *self)
{
    size_t ndim = ptio_tensor_ndim(self->tensor);
    const int64_t *shape = ptio_tensor_shape(self->tensor);
    if (ndim == 0)
        return tensor_item(self);
    PyObject *list = flat_list(self);
    for (size_t dim = ndim - 1; list && dim > 0; dim--) {
        uint64_t count;
        if (!count_bytes(dim, shape, PTIO_UINT8, &count)) {
            Py_DECREF(list);
            return NULL;
        }
        list = grouped(list, (size_t)count, (size_t)shape[dim]);
    }
    return list;
}
