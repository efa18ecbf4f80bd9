/*
 * Reading one tensor of an open file, or a slice of one: only the bytes that are needed, into memory of its own.
 */
#include <string.h>

#include "file.h"

/* ---- reading ---- */

/* A dtype that DLPack has, of elements of the same size. */
static ptio_dtype carrier_of(ptio_dtype dtype)
{
    if (torch_has_dlpack(dtype))
        return dtype;
    switch (ptio_dtype_itemsize(dtype)) {
    case 1: return PTIO_UINT8;
    case 2: return PTIO_INT16;
    case 4: return PTIO_INT32;
    default: return PTIO_INT64;
    }
}

static PyObject *torch_over_block(module_state *state, void *block, ptio_dtype dtype, size_t ndim, const int64_t *shape)
{
    int64_t stride[MOST_DIMENSIONS], step = 1;
    for (size_t i = ndim; i-- > 0; step *= shape[i] > 1 ? shape[i] : 1)
        stride[i] = step;
    ptio_dtype carrier = carrier_of(dtype);
    PyObject *tensor = torch_over_memory(state->torch, block, carrier, ndim, shape, stride, block_release, block);
    if (!tensor || carrier == dtype)
        return tensor;
    PyObject *as = torch_dtype(state->torch, dtype), *viewed = as ? PyObject_CallMethod(tensor, "view", "(O)", as) : NULL;
    Py_DECREF(tensor);
    return viewed;
}

/* What cannot be read element by element. */
static bool is_refused(const ptio_tensor *t)
{
    ptio_layout layout = ptio_tensor_layout(t);
    if (layout == PTIO_NESTED || layout == PTIO_JAGGED)
        PyErr_SetString(PyExc_TypeError, "a nested tensor is read by its parts, or by ptio.load()");
    else if (ptio_tensor_is_meta(t))
        PyErr_SetString(PyExc_TypeError, "a tensor on the meta device has no elements");
    return PyErr_Occurred() != NULL;
}

static ptio_dtype dtype_as_read(const ptio_tensor *t)
{
    return ptio_tensor_quantizer(t).scheme == PTIO_NOT_QUANTIZED ? ptio_tensor_dtype(t) : PTIO_FLOAT32;
}

static bool is_sparse(const ptio_tensor *t)
{
    ptio_layout layout = ptio_tensor_layout(t);
    return layout != PTIO_STRIDED && layout != PTIO_NESTED && layout != PTIO_JAGGED && !ptio_tensor_is_meta(t);
}

/* A list of the parts of a sparse tensor, its indices first, and its size. */
static PyObject *sparse_arguments(file_object *self, const ptio_tensor *t)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < ptio_tensor_part_count(t); i++) {
        PyObject *part = file_read(self, ptio_tensor_part(t, i, NULL), NULL);
        if (!part || PyList_Append(list, part) < 0)
            Py_CLEAR(list);
        Py_XDECREF(part);
    }
    PyObject *size = list ? int_tuple(ptio_tensor_ndim(t), ptio_tensor_shape(t)) : NULL;
    if (!size || PyList_Append(list, size) < 0)
        Py_CLEAR(list);
    Py_XDECREF(size);
    return list;
}

/* torch.sparse_coo_tensor() or torch.sparse_compressed_tensor(), told to look at the indices: any file is safe here. */
static PyObject *read_sparse(file_object *self, const ptio_tensor *t)
{
    module_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    bool is_coo = ptio_tensor_layout(t) == PTIO_SPARSE_COO;
    const char *name = strchr(ptio_layout_name(ptio_tensor_layout(t)), '.'); /* "torch.sparse_csr" */
    PyObject *list = sparse_arguments(self, t), *args = list ? PyList_AsTuple(list) : NULL, *result = NULL;
    PyObject *make = PyObject_GetAttrString(state->torch->torch, is_coo ? "sparse_coo_tensor" : "sparse_compressed_tensor");
    PyObject *detail =
        is_coo ? PyBool_FromLong(ptio_tensor_is_coalesced(t)) : PyObject_GetAttrString(state->torch->torch, name + 1);
    PyObject *keywords =
        detail ? Py_BuildValue("{sOsO}", is_coo ? "is_coalesced" : "layout", detail, "check_invariants", Py_True) : NULL;
    if (args && make && keywords)
        result = PyObject_Call(make, args, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(detail);
    Py_XDECREF(make);
    Py_XDECREF(args);
    Py_XDECREF(list);
    return result;
}

PyObject *file_read(file_object *self, const ptio_tensor *t, const selection *what)
{
    module_state *state = PyType_GetModuleState(Py_TYPE((PyObject *)self));
    int64_t shape[MOST_DIMENSIONS];
    size_t ndim = ptio_tensor_ndim(t);
    ptio_dtype dtype = dtype_as_read(t);
    bool with_torch;
    if (is_refused(t) || !file_torch(self, &with_torch))
        return NULL;
    if (with_torch && !what && is_sparse(t)) {
        file_use(self);
        PyObject *sparse = read_sparse(self, t);
        file_leave(self);
        return sparse;
    }
    file_use(self);
    void *block = block_copied(state, t, what ? what->slices : NULL, dtype, self->in.path != NULL, shape);
    file_leave(self);
    if (!block)
        return NULL;
    if (what)
        ndim = selected_shape(what, shape);
    if (!with_torch)
        return tensor_over_block(state, block, dtype, ndim, shape);
    PyObject *tensor = torch_over_block(state, block, dtype, ndim, shape);
    if (tensor && self->device)
        set_reference(&tensor, PyObject_CallMethod(tensor, "to", "(O)", self->device));
    return tensor;
}

/* ---- slices ---- */

typedef struct slice_object {
    PyObject ob_base;
    PyObject *file, *name;
} slice_object;

static file_object *file_of(PyObject *self)
{
    return (file_object *)((slice_object *)self)->file;
}

/* NULL with an exception once the file is closed. */
static const ptio_tensor *tensor_of(PyObject *self)
{
    const ptio_tensor_entry *entry = file_find(file_of(self), ((slice_object *)self)->name);
    return entry ? entry->tensor : NULL;
}

PyObject *slice_new(PyObject *file, PyObject *name)
{
    module_state *state = PyType_GetModuleState(Py_TYPE(file));
    allocfunc allocate = (allocfunc)PyType_GetSlot(state->slice_type, Py_tp_alloc);
    slice_object *self = (slice_object *)allocate(state->slice_type, 0);
    if (self) {
        self->file = Py_NewRef(file);
        self->name = Py_NewRef(name);
    }
    return (PyObject *)self;
}

static void slice_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((slice_object *)self)->file);
    Py_XDECREF(((slice_object *)self)->name);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *slice_subscript(PyObject *self, PyObject *index)
{
    const ptio_tensor *t = tensor_of(self);
    selection what;
    PyObject *tensor = NULL;
    if (!t || is_refused(t))
        return NULL;
    file_use(file_of(self)); /* an index of the caller's may close the file */
    if (select_index(index, ptio_tensor_ndim(t), ptio_tensor_shape(t), &what))
        tensor = file_read(file_of(self), t, &what);
    file_leave(file_of(self));
    return tensor;
}

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    const ptio_tensor *t = tensor_of(self);
    return t ? int_tuple(ptio_tensor_ndim(t), ptio_tensor_shape(t)) : NULL;
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    const ptio_tensor *t = tensor_of(self);
    module_state *state = PyType_GetModuleState(Py_TYPE(self));
    bool with_torch;
    if (!t || !file_torch(file_of(self), &with_torch))
        return NULL;
    return with_torch ? Py_XNewRef(torch_dtype(state->torch, dtype_as_read(t))) : dtype_object(state, dtype_as_read(t));
}

static PyObject *slice_get_shape(PyObject *self, PyObject *none)
{
    (void)none;
    PyObject *shape = get_shape(self, NULL), *list = shape ? PySequence_List(shape) : NULL;
    Py_XDECREF(shape);
    return list;
}

static PyObject *slice_repr(PyObject *self)
{
    if (!file_of(self)->is_open)
        return PyUnicode_FromFormat("<ptio.Slice: %R of a closed file>", ((slice_object *)self)->name);
    const ptio_tensor *t = tensor_of(self);
    PyObject *shape = t ? get_shape(self, NULL) : NULL, *text = NULL;
    if (shape)
        text = PyUnicode_FromFormat("<ptio.Slice: %R, %s%R>", ((slice_object *)self)->name, ptio_dtype_name(dtype_as_read(t)),
                                    shape);
    Py_XDECREF(shape);
    return text;
}

static PyGetSetDef getters[] = {
    {"shape", get_shape, NULL, "The sizes of the whole tensor: a tuple.", NULL},
    {"dtype", get_dtype, NULL, "The dtype of what is read.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"get_shape", slice_get_shape, METH_NOARGS, "get_shape($self, /)\n--\n\nThe sizes of the whole tensor: a list."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, slice_dealloc},
    {Py_tp_repr, slice_repr},
    {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {Py_mp_subscript, slice_subscript},
    {Py_tp_doc, "A tensor of an open file, unread: an index of ints, slices and ... reads that part of it."},
    {0, NULL},
};

PyType_Spec slice_spec = {.name = "ptio.Slice",
                          .basicsize = sizeof(slice_object),
                          .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                          .slots = slots};
