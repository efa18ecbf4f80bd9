/*
 * ptio.Tensor: a tensor of a checkpoint that tells what torch.Tensor tells of itself, and hands its elements to others. It computes
 * nothing.
 *
 * It keeps the whole checkpoint, of which it is a part; copies (clone(), ptio.open()) keep their own bytes only.
 */
#include <stdlib.h>
#include <string.h>

#include "tensor.h"

static module_state *state_of_tensor(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

static const ptio_tensor *of(PyObject *self)
{
    return ((tensor_object *)self)->tensor;
}

PyObject *tensor_new(module_state *state, holder *h, const ptio_tensor *tensor, const ptio_value *value)
{
    if (ptio_tensor_ndim(tensor) > MOST_DIMENSIONS) {
        holder_release(h);
        return PyErr_Format(PyExc_RuntimeError, "a tensor has more than %d dimensions", MOST_DIMENSIONS);
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(state->tensor_type, Py_tp_alloc);
    tensor_object *made = (tensor_object *)allocate(state->tensor_type, 0);
    if (!made) {
        holder_release(h);
        return NULL;
    }
    made->holder = h;
    made->tensor = tensor;
    made->value = value;
    return (PyObject *)made;
}

bool is_tensor(module_state *state, PyObject *object)
{
    return Py_TYPE(object) == state->tensor_type;
}

static void tensor_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    holder_release(((tensor_object *)self)->holder);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* ---- its text ---- */

typedef struct text_buffer {
    char *bytes;
    size_t size, room;
} text_buffer;

static int gather(void *ctx, const char *bytes, size_t size)
{
    text_buffer *text = ctx;
    if (size > text->room - text->size) {
        size_t room = 2 * text->room + size + 256;
        char *grown = realloc(text->bytes, room);
        if (!grown)
            return -1;
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    return 0;
}

PyObject *printed(module_state *state, const ptio_value *value)
{
    text_buffer text = {0};
    ptio_error err = {0};
    PyObject *result = NULL;
    ptio_status status = ptio_print(value, NULL, gather, &text, &err);
    if (status == PTIO_OK)
        result = PyUnicode_DecodeUTF8(text.bytes ? text.bytes : "", (Py_ssize_t)text.size, "replace");
    else if (status == PTIO_ERR_CANCELLED)
        PyErr_NoMemory();
    else
        raise_error(state, &err);
    free(text.bytes);
    return result;
}

static PyObject *tensor_repr(PyObject *self)
{
    return printed(state_of_tensor(self), ((tensor_object *)self)->value);
}

/* ---- what it tells ---- */

PyObject *int_tuple(size_t count, const int64_t *numbers)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *number = PyLong_FromLongLong(numbers[i]);
        if (!number || PyTuple_SetItem(tuple, (Py_ssize_t)i, number) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static bool has_no_shape(const ptio_tensor *t)
{
    if (ptio_tensor_layout(t) != PTIO_NESTED && ptio_tensor_layout(t) != PTIO_JAGGED)
        return false;
    PyErr_SetString(PyExc_TypeError, "a nested tensor has no shape");
    return true;
}

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    return has_no_shape(of(self)) ? NULL : int_tuple(ptio_tensor_ndim(of(self)), ptio_tensor_shape(of(self)));
}

static PyObject *get_ndim(PyObject *self, void *closure)
{
    (void)closure;
    return has_no_shape(of(self)) ? NULL : PyLong_FromSize_t(ptio_tensor_ndim(of(self)));
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return dtype_object(state_of_tensor(self), ptio_tensor_dtype(of(self)));
}

static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    ptio_text device = ptio_tensor_device(of(self));
    return PyUnicode_DecodeUTF8(device.bytes ? device.bytes : "cpu", device.bytes ? (Py_ssize_t)device.size : 3, "replace");
}

static PyObject *get_layout(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(ptio_layout_name(ptio_tensor_layout(of(self))));
}

static PyObject *get_requires_grad(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(ptio_tensor_requires_grad(of(self)));
}

static PyObject *get_is_parameter(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(ptio_tensor_is_parameter(of(self)));
}

static PyObject *get_is_sparse(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(ptio_tensor_layout(of(self)) == PTIO_SPARSE_COO);
}

static PyObject *get_is_quantized(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(ptio_tensor_quantizer(of(self)).scheme != PTIO_NOT_QUANTIZED);
}

static PyObject *get_itemsize(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromSize_t(ptio_dtype_itemsize(ptio_tensor_dtype(of(self))));
}

static PyObject *get_nbytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLongLong(ptio_tensor_numel(of(self)) * ptio_dtype_itemsize(ptio_tensor_dtype(of(self))));
}

static PyObject *tensor_numel(PyObject *self, PyObject *none)
{
    (void)none;
    return PyLong_FromUnsignedLongLong(ptio_tensor_numel(of(self)));
}

/* The whole of a tuple, or one item of it. */
static PyObject *one_or_all(PyObject *args, const char *name, size_t ndim, const int64_t *numbers)
{
    PyObject *dim = Py_None;
    if (!PyArg_UnpackTuple(args, name, 0, 1, &dim))
        return NULL;
    if (dim == Py_None)
        return int_tuple(ndim, numbers);
    Py_ssize_t at = PyNumber_AsSsize_t(dim, PyExc_IndexError), count = (Py_ssize_t)ndim;
    if (at == -1 && PyErr_Occurred())
        return NULL;
    if (!count)
        return PyErr_Format(PyExc_IndexError, "Dimension specified as %zd but tensor has no dimensions", at);
    if (at < -count || at >= count)
        return PyErr_Format(PyExc_IndexError, "Dimension out of range (expected to be in range of [%zd, %zd], but got %zd)",
                            -count, count - 1, at);
    return PyLong_FromLongLong(numbers[at < 0 ? at + count : at]);
}

static PyObject *tensor_size(PyObject *self, PyObject *args)
{
    return has_no_shape(of(self)) ? NULL : one_or_all(args, "size", ptio_tensor_ndim(of(self)), ptio_tensor_shape(of(self)));
}

static bool is_strided(const ptio_tensor *t, const char *what)
{
    bool strided = ptio_tensor_layout(t) == PTIO_STRIDED;
    if (!strided)
        PyErr_Format(PyExc_RuntimeError, "a tensor of the layout %s has no %s", ptio_layout_name(ptio_tensor_layout(t)), what);
    return strided;
}

static PyObject *tensor_stride(PyObject *self, PyObject *args)
{
    const ptio_tensor *t = of(self);
    return is_strided(t, "strides") ? one_or_all(args, "stride", ptio_tensor_ndim(t), ptio_tensor_stride(t)) : NULL;
}

static PyObject *tensor_storage_offset(PyObject *self, PyObject *none)
{
    (void)none;
    return is_strided(of(self), "storage") ? PyLong_FromLongLong(ptio_tensor_storage_offset(of(self))) : NULL;
}

static PyObject *tensor_is_contiguous(PyObject *self, PyObject *none)
{
    (void)none;
    return PyBool_FromLong(ptio_tensor_is_contiguous(of(self)));
}

static PyObject *tensor_itself(PyObject *self, PyObject *none)
{
    (void)none;
    return Py_NewRef(self);
}

/* ---- copies ---- */

static PyObject *tensor_clone(PyObject *self, PyObject *none)
{
    (void)none;
    const ptio_tensor *t = of(self);
    if (ptio_tensor_quantizer(t).scheme != PTIO_NOT_QUANTIZED) {
        PyErr_SetString(PyExc_TypeError, "a quantized tensor is not copied as such: dequantize() gives its numbers");
        return NULL;
    }
    return has_no_shape(t) ? NULL : tensor_copied(state_of_tensor(self), t, NULL, ptio_tensor_dtype(t), false);
}

static PyObject *tensor_contiguous(PyObject *self, PyObject *none)
{
    return tensor_is_plain(of(self)) && ptio_tensor_is_contiguous(of(self)) ? Py_NewRef(self) : tensor_clone(self, none);
}

static PyObject *tensor_to_dense(PyObject *self, PyObject *none)
{
    return ptio_tensor_layout(of(self)) == PTIO_STRIDED ? Py_NewRef(self) : tensor_clone(self, none);
}

static PyObject *tensor_dequantize(PyObject *self, PyObject *none)
{
    (void)none;
    const ptio_tensor *t = of(self);
    return has_no_shape(t) ? NULL : tensor_copied(state_of_tensor(self), t, NULL, PTIO_FLOAT32, false);
}

/* ---- as a sequence and a number ---- */

static Py_ssize_t tensor_length(PyObject *self)
{
    if (has_no_shape(of(self)))
        return -1;
    if (ptio_tensor_ndim(of(self)) == 0) {
        PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
        return -1;
    }
    return (Py_ssize_t)ptio_tensor_shape(of(self))[0];
}

/* For iteration, which ends with the IndexError. */
static PyObject *tensor_at(PyObject *self, Py_ssize_t at)
{
    if (ptio_tensor_ndim(of(self)) == 0) {
        PyErr_SetString(PyExc_TypeError, "iteration over a 0-d tensor");
        return NULL;
    }
    PyObject *index = PyLong_FromSsize_t(at), *item = index ? tensor_subscript(self, index) : NULL;
    Py_XDECREF(index);
    return item;
}

static PyObject *tensor_number(PyObject *self, PyObject *(*convert)(PyObject *))
{
    PyObject *item = tensor_item((tensor_object *)self), *number = item ? convert(item) : NULL;
    Py_XDECREF(item);
    return number;
}

static PyObject *tensor_float(PyObject *self)
{
    return tensor_number(self, PyNumber_Float);
}

static PyObject *tensor_int(PyObject *self)
{
    return tensor_number(self, PyNumber_Long);
}

static PyObject *tensor_index(PyObject *self)
{
    dtype_class class = class_of(ptio_tensor_dtype(of(self)));
    if ((class != DTYPE_SIGNED && class != DTYPE_UNSIGNED && class != DTYPE_BOOL) || ptio_tensor_numel(of(self)) != 1) {
        PyErr_SetString(PyExc_TypeError, "only integer tensors of a single element can be converted to an index");
        return NULL;
    }
    return tensor_number(self, PyNumber_Long);
}

static int tensor_bool(PyObject *self)
{
    uint64_t numel = ptio_tensor_numel(of(self));
    if (numel != 1) {
        PyErr_Format(PyExc_RuntimeError, "Boolean value of Tensor with %s is ambiguous",
                     numel ? "more than one value" : "no values");
        return -1;
    }
    PyObject *item = tensor_item((tensor_object *)self);
    int truth = item ? PyObject_IsTrue(item) : -1;
    Py_XDECREF(item);
    return truth;
}

static PyObject *tensor_complex(PyObject *self, PyObject *none)
{
    (void)none;
    PyObject *item = tensor_item((tensor_object *)self);
    PyObject *number = item ? PyObject_CallFunctionObjArgs((PyObject *)&PyComplex_Type, item, NULL) : NULL;
    Py_XDECREF(item);
    return number;
}

static PyObject *method_tolist(PyObject *self, PyObject *none)
{
    (void)none;
    return has_no_shape(of(self)) ? NULL : tensor_tolist((tensor_object *)self);
}

static PyObject *method_item(PyObject *self, PyObject *none)
{
    (void)none;
    return has_no_shape(of(self)) ? NULL : tensor_item((tensor_object *)self);
}

static PyObject *tensor_reduce(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    PyErr_SetString(PyExc_TypeError, "a ptio.Tensor cannot be pickled: ptio.save() writes it");
    return NULL;
}

/* ---- the type ---- */

#define KEYWORD_METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyGetSetDef getters[] = {
    {"shape", get_shape, NULL, "Its sizes: a tuple.", NULL},
    {"ndim", get_ndim, NULL, "How many dimensions it has.", NULL},
    {"dtype", get_dtype, NULL, "The ptio.dtype of its elements.", NULL},
    {"device", get_device, NULL, "Where its elements are: \"cpu\", or \"meta\" for none.", NULL},
    {"layout", get_layout, NULL, "\"torch.strided\", \"torch.sparse_coo\", ...", NULL},
    {"requires_grad", get_requires_grad, NULL, "Whether it was saved with requires_grad.", NULL},
    {"is_parameter", get_is_parameter, NULL, "Whether it was saved as a torch.nn.Parameter.", NULL},
    {"is_sparse", get_is_sparse, NULL, "Whether its layout is torch.sparse_coo.", NULL},
    {"is_quantized", get_is_quantized, NULL, "Whether it is quantized.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of one element.", NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"size", tensor_size, METH_VARARGS, "size($self, dim=None, /)\n--\n\nIts sizes, or that of one dimension."},
    {"stride", tensor_stride, METH_VARARGS,
     "stride($self, dim=None, /)\n--\n\nIts strides in elements, or that of one dimension."},
    {"dim", (PyCFunction)(void (*)(void))get_ndim, METH_NOARGS, "dim($self, /)\n--\n\nHow many dimensions it has."},
    {"numel", tensor_numel, METH_NOARGS, "numel($self, /)\n--\n\nHow many elements it has."},
    {"element_size", (PyCFunction)(void (*)(void))get_itemsize, METH_NOARGS,
     "element_size($self, /)\n--\n\nBytes of one element."},
    {"storage_offset", tensor_storage_offset, METH_NOARGS,
     "storage_offset($self, /)\n--\n\nWhere its first element is in the storage, in elements."},
    {"is_contiguous", tensor_is_contiguous, METH_NOARGS,
     "is_contiguous($self, /)\n--\n\nWhether its elements lie in C order, without gaps."},
    {"item", method_item, METH_NOARGS, "item($self, /)\n--\n\nThe only element as a number of Python."},
    {"tolist", method_tolist, METH_NOARGS,
     "tolist($self, /)\n--\n\nThe elements as nested lists of numbers; of a scalar, the number."},
    {"numpy", KEYWORD_METHOD(tensor_numpy), METH_VARARGS | METH_KEYWORDS,
     "numpy($self, /, *, force=False)\n--\n\nA NumPy array of the same memory. bfloat16 and the float8 dtypes need the package "
     "ml_dtypes.\n\n"
     "Of a sparse tensor it is a dense copy, of a quantized one a copy of its numbers as float32."},
    {"detach", tensor_itself, METH_NOARGS, "detach($self, /)\n--\n\nThe tensor itself, for programs written for torch.Tensor."},
    {"cpu", tensor_itself, METH_NOARGS, "cpu($self, /)\n--\n\nThe tensor itself, for programs written for torch.Tensor."},
    {"clone", tensor_clone, METH_NOARGS,
     "clone($self, /)\n--\n\nA contiguous copy, which does not keep the checkpoint; of a sparse tensor a dense one."},
    {"contiguous", tensor_contiguous, METH_NOARGS,
     "contiguous($self, /)\n--\n\nThe tensor itself if it is contiguous, else a copy that is."},
    {"to_dense", tensor_to_dense, METH_NOARGS, "to_dense($self, /)\n--\n\nA sparse tensor as a dense one."},
    {"dequantize", tensor_dequantize, METH_NOARGS, "dequantize($self, /)\n--\n\nThe numbers of a quantized tensor as float32."},
    {"__array__", KEYWORD_METHOD(tensor_array), METH_VARARGS | METH_KEYWORDS,
     "__array__($self, /, dtype=None, *, copy=None)\n--\n\nFor numpy.asarray()."},
    {"__dlpack__", KEYWORD_METHOD(tensor_dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\nFor from_dlpack() of any "
     "library."},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, "__dlpack_device__($self, /)\n--\n\nThe CPU: (1, 0)."},
    {"__complex__", tensor_complex, METH_NOARGS, NULL},
    {"__reduce_ex__", tensor_reduce, METH_O, NULL},
    {"__deepcopy__", tensor_clone, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, tensor_dealloc},
    {Py_tp_repr, tensor_repr},
    {Py_tp_getset, getters},
    {Py_tp_methods, methods},
    {Py_mp_length, tensor_length},
    {Py_mp_subscript, tensor_subscript},
    {Py_sq_length, tensor_length},
    {Py_sq_item, tensor_at},
    {Py_nb_float, tensor_float},
    {Py_nb_int, tensor_int},
    {Py_nb_index, tensor_index},
    {Py_nb_bool, tensor_bool},
    {Py_bf_getbuffer, tensor_getbuffer},
    {Py_bf_releasebuffer, tensor_releasebuffer},
    {Py_tp_doc,
     "A tensor of a checkpoint, where PyTorch cannot be imported.\n\n"
     "It has the names of torch.Tensor for what it tells. numpy(), the buffer protocol and DLPack give its elements without\n"
     "a copy; t[1, ::2] is a view of the same memory."},
    {0, NULL},
};

PyType_Spec tensor_spec = {.name = "ptio.Tensor",
                           .basicsize = sizeof(tensor_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};
