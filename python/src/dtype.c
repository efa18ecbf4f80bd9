/*
 * ptio.dtype: one object for each dtype, as torch.float32 is one.
 */
#include <string.h>

#include "tensor.h"

typedef struct dtype_data {
    PyObject ob_base;
    ptio_dtype dtype;
} dtype_data;

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

dtype_class class_of(ptio_dtype dtype)
{
    const char *name = ptio_dtype_name(dtype);
    return begins_with(name, "float") || begins_with(name, "bfloat")       ? DTYPE_FLOAT
           : begins_with(name, "complex") || begins_with(name, "bcomplex") ? DTYPE_COMPLEX
           : begins_with(name, "int")                                      ? DTYPE_SIGNED
           : begins_with(name, "uint")                                     ? DTYPE_UNSIGNED
           : begins_with(name, "bool")                                     ? DTYPE_BOOL
                                                                           : DTYPE_OTHER;
}

static ptio_dtype of(PyObject *self)
{
    return ((dtype_data *)self)->dtype;
}

PyObject *dtype_object(module_state *state, ptio_dtype dtype)
{
    if (state->dtypes[dtype])
        return Py_NewRef(state->dtypes[dtype]);
    allocfunc allocate = (allocfunc)PyType_GetSlot(state->dtype_type, Py_tp_alloc);
    dtype_data *made = (dtype_data *)allocate(state->dtype_type, 0);
    if (!made)
        return NULL;
    made->dtype = dtype;
    state->dtypes[dtype] = (PyObject *)made;
    return Py_NewRef(state->dtypes[dtype]);
}

ptio_dtype dtype_of(module_state *state, PyObject *object)
{
    return Py_TYPE(object) == state->dtype_type ? of(object) : PTIO_NO_DTYPE;
}

/* ptio.dtype("float32") */
static PyObject *dtype_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    module_state *state = PyType_GetModuleState(type);
    const char *name;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "dtype() takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "s:dtype", &name))
        return NULL;
    ptio_dtype dtype = ptio_dtype_from_name(name);
    return dtype == PTIO_NO_DTYPE ? PyErr_Format(PyExc_ValueError, "there is no dtype '%s'", name) : dtype_object(state, dtype);
}

static void dtype_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *dtype_repr(PyObject *self)
{
    return PyUnicode_FromFormat("torch.%s", ptio_dtype_name(of(self)));
}

static PyObject *dtype_reduce(PyObject *self, PyObject *none)
{
    (void)none;
    return Py_BuildValue("O(s)", Py_TYPE(self), ptio_dtype_name(of(self)));
}

static PyObject *get_name(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(ptio_dtype_name(of(self)));
}

static PyObject *get_itemsize(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromSize_t(ptio_dtype_itemsize(of(self)));
}

static PyObject *get_is_floating_point(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(class_of(of(self)) == DTYPE_FLOAT);
}

static PyObject *get_is_complex(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(class_of(of(self)) == DTYPE_COMPLEX);
}

static PyGetSetDef getters[] = {
    {"name", get_name, NULL, "Its name: \"float32\".", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of one element.", NULL},
    {"is_floating_point", get_is_floating_point, NULL, "Whether its elements are floats.", NULL},
    {"is_complex", get_is_complex, NULL, "Whether its elements are complex numbers.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"__reduce__", dtype_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, dtype_new},
    {Py_tp_dealloc, dtype_dealloc},
    {Py_tp_repr, dtype_repr},
    {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {Py_tp_doc, "dtype(name)\n--\n\nThe type of a tensor's elements: dtype(\"float32\"). There is one object for each."},
    {0, NULL},
};

PyType_Spec dtype_spec = {.name = "ptio.dtype",
                          .basicsize = sizeof(dtype_data),
                          .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                          .slots = slots};
