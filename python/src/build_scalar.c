/*
 * Numbers and texts, which are made at once and hold nothing.
 */
#include "build.h"

static PyObject *big_int(module_state *state, const ptio_value *value)
{
    size_t size = ptio_value_int_bytes(value, NULL, 0);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size), *result = NULL;
    if (!bytes)
        return NULL;
    ptio_value_int_bytes(value, PyBytes_AsString(bytes), size);
    PyObject *from = PyObject_GetAttr((PyObject *)&PyLong_Type, NAME(state, from_bytes));
    PyObject *args = Py_BuildValue("(Os)", bytes, "little"), *keywords = Py_BuildValue("{sO}", "signed", Py_True);
    if (from && args && keywords)
        result = PyObject_Call(from, args, keywords);
    Py_XDECREF(from);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_DECREF(bytes);
    return result;
}

PyObject *make_scalar(builder *b, const ptio_value *value)
{
    int64_t number;
    double real;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_BOOL: return PyBool_FromLong(ptio_value_bool(value));
    case PTIO_KIND_INT: return ptio_value_int(value, &number) ? PyLong_FromLongLong(number) : big_int(b->state, value);
    default: return ptio_value_float(value, &real) ? PyFloat_FromDouble(real) : NULL;
    }
}

PyObject *make_text(const ptio_value *value)
{
    ptio_kind kind = ptio_value_kind(value);
    ptio_text bytes = kind == PTIO_KIND_STR ? ptio_value_str(value) : ptio_value_bytes(value);
    switch (kind) {
    case PTIO_KIND_BYTES: return PyBytes_FromStringAndSize(bytes.bytes, (Py_ssize_t)bytes.size);
    case PTIO_KIND_BYTEARRAY: return PyByteArray_FromStringAndSize(bytes.bytes, (Py_ssize_t)bytes.size);
    default: return PyUnicode_DecodeUTF8(bytes.bytes, (Py_ssize_t)bytes.size, "surrogatepass");
    }
}
