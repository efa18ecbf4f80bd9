/*
 * The elements of a tensor for others, without a copy: by the buffer protocol, to NumPy, by DLPack.
 *
 * They are writable, as those of a torch.Tensor are, but where a shared map cannot take what is written. What is exported keeps what
 * it is in. Sparse, quantized and conjugated tensors do not lie in memory as they are read: numpy() gives a copy of those.
 */
#include <stdlib.h>
#include <string.h>

#include "dlpack_abi.h"
#include "tensor.h"

static char nothing[16]; /* where tensors without elements are */

static module_state *state_of_tensor(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- the buffer protocol ---- */

/* As of the struct module and PEP 3118, in the sizes of this machine; NULL: there is none. */
static const char *format_of(ptio_dtype dtype)
{
    switch (dtype) {
    case PTIO_FLOAT64: return "d";
    case PTIO_FLOAT32: return "f";
    case PTIO_FLOAT16: return "e";
    case PTIO_INT64: return "q";
    case PTIO_INT32: return "i";
    case PTIO_INT16: return "h";
    case PTIO_INT8: return "b";
    case PTIO_UINT8: return "B";
    case PTIO_BOOL: return "?";
    case PTIO_UINT16: return "H";
    case PTIO_UINT32: return "I";
    case PTIO_UINT64: return "Q";
    case PTIO_COMPLEX64: return "Zf";
    case PTIO_COMPLEX128: return "Zd";
    default: return NULL;
    }
}

/* In which the bytes are. */
static const holder *base_of(const tensor_object *self)
{
    return self->holder->base ? self->holder->base : self->holder;
}

/* The bytes of its storage. False with an exception. */
static bool storage_bytes(tensor_object *self, char **ret, bool *readonly)
{
    const ptio_storage *storage = ptio_tensor_storage(self->tensor);
    const holder *base = base_of(self);
    ptio_error err = {0};
    void *bytes = NULL;
    const void *read = NULL;
    /* ptio would copy bytes that are not its own before they are written. */
    ptio_status status = base->in_place ? PTIO_ERR_ARGUMENT : ptio_storage_writable(storage, &bytes, &err);
    *readonly = status == PTIO_ERR_ARGUMENT && (!base->in_place || base->readonly);
    if (status == PTIO_ERR_ARGUMENT) {
        err = (ptio_error){0};
        status = ptio_storage_data(storage, &read, &err);
        bytes = (void *)(uintptr_t)read;
    }
    if (status != PTIO_OK)
        return raise_error(state_of_tensor((PyObject *)self), &err), false;
    *ret = bytes ? bytes : nothing;
    return true;
}

static bool element_bytes(tensor_object *self, char **ret, bool *readonly)
{
    const ptio_tensor *t = self->tensor;
    if (!tensor_is_plain(t)) {
        PyErr_SetString(PyExc_BufferError,
                        "only tensors of the strided layout that are not quantized, conjugated or on the meta device "
                        "are in memory as they are; numpy() gives a copy");
        return false;
    }
    if (!storage_bytes(self, ret, readonly))
        return false;
    if (ptio_tensor_numel(t))
        *ret += (size_t)ptio_tensor_storage_offset(t) * ptio_dtype_itemsize(ptio_tensor_dtype(t));
    else
        *ret = nothing;
    return true;
}

/* Shape and strides in bytes, behind each other. */
static Py_ssize_t *dimensions_of(const ptio_tensor *t)
{
    size_t ndim = ptio_tensor_ndim(t);
    Py_ssize_t *dims = malloc((2 * ndim + 1) * sizeof *dims);
    for (size_t i = 0; dims && i < ndim; i++) {
        dims[i] = (Py_ssize_t)ptio_tensor_shape(t)[i];
        dims[ndim + i] = (Py_ssize_t)(ptio_tensor_stride(t)[i] * (int64_t)ptio_dtype_itemsize(ptio_tensor_dtype(t)));
    }
    return dims;
}

static int fill_bytes(Py_buffer *view, PyObject *self, char *bytes, size_t size, bool readonly, int flags)
{
    return PyBuffer_FillInfo(view, self, bytes, (Py_ssize_t)size, readonly, flags);
}

/* Whether who asks can take the elements as they lie. */
static bool can_take(const ptio_tensor *t, bool readonly, int flags)
{
    bool contiguous = ptio_tensor_is_contiguous(t), one = ptio_tensor_ndim(t) <= 1;
    const char *problem = NULL;
    if (readonly && (flags & PyBUF_WRITABLE) == PyBUF_WRITABLE)
        problem = "the elements cannot be written: they are in a shared map that does not show them as they are, or of an owner "
                  "who forbids it";
    else if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES && !contiguous)
        problem = "the tensor is not contiguous, and strides were not asked for";
    else if ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS && !contiguous)
        problem = "the tensor is not contiguous in C order";
    else if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !(contiguous && one))
        problem = "the tensor is not contiguous in Fortran's order";
    else if ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS && !contiguous)
        problem = "the tensor is not contiguous";
    if (problem)
        PyErr_SetString(PyExc_BufferError, problem);
    return !problem;
}

static int fill_elements(tensor_object *self, Py_buffer *view, int flags)
{
    const ptio_tensor *t = self->tensor;
    const char *format = format_of(ptio_tensor_dtype(t));
    char *bytes;
    bool readonly;
    if (!format) {
        PyErr_Format(PyExc_BufferError, "the buffer protocol has no format for %s: use numpy() or DLPack",
                     ptio_dtype_name(ptio_tensor_dtype(t)));
        return -1;
    }
    if (!element_bytes(self, &bytes, &readonly) || !can_take(t, readonly, flags))
        return -1;
    Py_ssize_t *dims = dimensions_of(t);
    if (!dims)
        return PyErr_NoMemory(), -1;
    size_t ndim = ptio_tensor_ndim(t), itemsize = ptio_dtype_itemsize(ptio_tensor_dtype(t));
    *view = (Py_buffer){.buf = bytes,
                        .obj = Py_NewRef((PyObject *)self),
                        .len = (Py_ssize_t)(ptio_tensor_numel(t) * itemsize),
                        .itemsize = (Py_ssize_t)itemsize,
                        .readonly = readonly,
                        .ndim = (int)ndim,
                        .format = flags & PyBUF_FORMAT ? (char *)(uintptr_t)format : NULL,
                        .shape = flags & PyBUF_ND ? dims : NULL,
                        .strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? dims + ndim : NULL,
                        .internal = dims};
    return 0;
}

int tensor_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    tensor_object *self = (tensor_object *)object;
    view->obj = NULL;
    if (!self->is_whole)
        return fill_elements(self, view, flags);
    const ptio_storage *storage = ptio_tensor_storage(self->tensor);
    char *bytes;
    bool readonly;
    if (!storage_bytes(self, &bytes, &readonly))
        return -1;
    return fill_bytes(view, object, bytes, (size_t)ptio_storage_nbytes(storage), readonly, flags);
}

void tensor_releasebuffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    free(view->internal);
}

/* ---- NumPy ---- */

static bool is_of_ml_dtypes(ptio_dtype dtype)
{
    return dtype == PTIO_BFLOAT16 || dtype == PTIO_FLOAT8_E4M3FN || dtype == PTIO_FLOAT8_E5M2 || dtype == PTIO_FLOAT8_E4M3FNUZ ||
           dtype == PTIO_FLOAT8_E5M2FNUZ || dtype == PTIO_FLOAT8_E8M0FNU;
}

bool numpy_has(ptio_dtype dtype)
{
    return format_of(dtype) || is_of_ml_dtypes(dtype);
}

/* numpy.dtype of a dtype. */
static PyObject *numpy_dtype(PyObject *numpy, ptio_dtype dtype)
{
    const char *name = ptio_dtype_name(dtype);
    if (format_of(dtype))
        return PyObject_CallMethod(numpy, "dtype", "s", name);
    if (!is_of_ml_dtypes(dtype))
        return PyErr_Format(PyExc_TypeError, "NumPy has no dtype for %s", name);
    PyObject *ml_dtypes = PyImport_ImportModule("ml_dtypes");
    PyObject *scalar = ml_dtypes ? PyObject_GetAttrString(ml_dtypes, name) : NULL;
    if (!scalar && (PyErr_ExceptionMatches(PyExc_ImportError) || PyErr_ExceptionMatches(PyExc_AttributeError))) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "NumPy has %s only with the package ml_dtypes, which %s", name,
                     ml_dtypes ? "is too old here" : "cannot be imported");
    }
    Py_XDECREF(ml_dtypes);
    PyObject *found = scalar ? PyObject_CallMethod(numpy, "dtype", "O", scalar) : NULL;
    Py_XDECREF(scalar);
    return found;
}

/* numpy.ndarray(shape, dtype, buffer, offset, strides) over the storage of a plain tensor. */
static PyObject *array_over(tensor_object *self, PyObject *numpy, PyObject *dtype)
{
    const ptio_tensor *t = self->tensor;
    size_t ndim = ptio_tensor_ndim(t);
    int64_t itemsize = (int64_t)ptio_dtype_itemsize(ptio_tensor_dtype(t)), strides[MOST_DIMENSIONS];
    for (size_t i = 0; i < ndim; i++)
        strides[i] = ptio_tensor_stride(t)[i] * itemsize;
    PyObject *shape = int_tuple(ndim, ptio_tensor_shape(t)), *steps = shape ? int_tuple(ndim, strides) : NULL, *array = NULL;
    PyObject *bytes = steps ? tensor_new(state_of_tensor((PyObject *)self), holder_hold(self->holder), t, self->value) : NULL;
    if (bytes && !ptio_tensor_numel(t)) {
        array = PyObject_CallMethod(numpy, "empty", "OO", shape, dtype);
    } else if (bytes) {
        ((tensor_object *)bytes)->is_whole = true;
        array = PyObject_CallMethod(numpy, "ndarray", "OOOLO", shape, dtype, bytes,
                                    (long long)(ptio_tensor_storage_offset(t) * itemsize), steps);
    }
    Py_XDECREF(bytes);
    Py_XDECREF(steps);
    Py_XDECREF(shape);
    return array;
}

/* `copied` tells whether the array has memory of its own. */
static PyObject *as_array(tensor_object *self, bool *copied)
{
    const ptio_tensor *t = self->tensor;
    bool plain = tensor_is_plain(t), is_quantized = ptio_tensor_quantizer(t).scheme != PTIO_NOT_QUANTIZED;
    *copied = !plain;
    if (ptio_tensor_is_meta(t) || ptio_tensor_layout(t) == PTIO_NESTED || ptio_tensor_layout(t) == PTIO_JAGGED)
        return PyErr_Format(PyExc_TypeError, "a tensor %s is no array",
                            ptio_tensor_is_meta(t) ? "on the meta device, which has no elements," : "of nested tensors");
    ptio_dtype dtype = is_quantized ? PTIO_FLOAT32 : ptio_tensor_dtype(t);
    PyObject *numpy = PyImport_ImportModule("numpy"), *array = NULL;
    PyObject *type = numpy ? numpy_dtype(numpy, dtype) : NULL;
    PyObject *from = type && !plain ? tensor_copied(state_of_tensor((PyObject *)self), t, NULL, dtype, false)
                     : type         ? Py_NewRef((PyObject *)self)
                                    : NULL;
    if (from)
        array = array_over((tensor_object *)from, numpy, type);
    Py_XDECREF(from);
    Py_XDECREF(type);
    Py_XDECREF(numpy);
    return array;
}

PyObject *tensor_numpy(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"force", NULL};
    int force = 0;
    bool copied;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$p:numpy", names, &force))
        return NULL;
    return as_array((tensor_object *)self, &copied);
}

PyObject *tensor_array(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"dtype", "copy", NULL};
    PyObject *dtype = Py_None, *copy = Py_None;
    bool copied;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O$O:__array__", names, &dtype, &copy))
        return NULL;
    PyObject *array = as_array((tensor_object *)self, &copied);
    if (array && dtype != Py_None) {
        PyObject *astype = PyObject_GetAttrString(array, "astype"), *positional = Py_BuildValue("(O)", dtype);
        PyObject *named = Py_BuildValue("{sO}", "copy", Py_False);
        PyObject *cast = astype && positional && named ? PyObject_Call(astype, positional, named) : NULL;
        Py_XDECREF(named);
        Py_XDECREF(positional);
        Py_XDECREF(astype);
        copied = copied || cast != array;
        Py_DECREF(array);
        array = cast;
    }
    if (array && copy == Py_False && copied) {
        PyErr_SetString(PyExc_ValueError, "the array cannot be made without a copy");
        Py_CLEAR(array);
    }
    if (array && copy == Py_True && !copied)
        set_reference(&array, PyObject_CallMethod(array, "copy", NULL));
    return array;
}

/* ---- DLPack ---- */

/* What ptio hands over, and what must outlive it. */
typedef struct handed {
    struct DLManagedTensorVersioned versioned; /* one of the two */
    struct DLManagedTensor unversioned;
    struct DLManagedTensorVersioned *versioned_inside;
    struct DLManagedTensor *unversioned_inside;
    holder *holder;
} handed;

static void free_handed(handed *h)
{
    if (h->versioned_inside)
        h->versioned_inside->deleter(h->versioned_inside);
    if (h->unversioned_inside)
        h->unversioned_inside->deleter(h->unversioned_inside);
    holder_release(h->holder);
    free(h);
}

static void delete_versioned(struct DLManagedTensorVersioned *self)
{
    free_handed(self->manager_ctx);
}

static void delete_unversioned(struct DLManagedTensor *self)
{
    free_handed(self->manager_ctx);
}

/* Capsules that nobody took. */
static void delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        delete_versioned(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
    else if (PyCapsule_IsValid(capsule, "dltensor"))
        delete_unversioned(PyCapsule_GetPointer(capsule, "dltensor"));
}

/* A view that its taker may write. ptio would copy bytes that are not its own before: those are handed over as they are. */
static ptio_status view_of(const ptio_tensor *t, const holder *base, struct DLManagedTensorVersioned **ret, ptio_error *err)
{
    ptio_status status = ptio_tensor_to_dlpack(t, !base->in_place, ret, err);
    if (status == PTIO_ERR_ARGUMENT && err->reason && strncmp(err->reason, "storage.", 8) == 0) {
        *err = (ptio_error){0};
        status = ptio_tensor_to_dlpack(t, false, ret, err);
    }
    if (status == PTIO_OK && base->in_place && !base->readonly)
        (*ret)->flags &= ~(uint64_t)DL_READ_ONLY;
    return status;
}

static ptio_status hand_over(const ptio_tensor *t, const holder *base, bool versioned, bool is_copy, handed *h, ptio_error *err)
{
    if (!versioned && !base->in_place) {
        ptio_status status = ptio_tensor_to_dlpack_unversioned(t, &h->unversioned_inside, err);
        if (status == PTIO_OK)
            h->unversioned = (struct DLManagedTensor){h->unversioned_inside->dl_tensor, h, delete_unversioned};
        return status;
    }
    ptio_status status = view_of(t, base, &h->versioned_inside, err);
    if (status == PTIO_OK) {
        h->versioned = *h->versioned_inside;
        h->versioned.manager_ctx = h;
        h->versioned.deleter = delete_versioned;
        h->versioned.flags |= is_copy ? DL_IS_COPIED : 0;
        h->unversioned = (struct DLManagedTensor){h->versioned.dl_tensor, h, delete_unversioned};
    }
    return status;
}

static PyObject *capsule_of(tensor_object *self, bool versioned, bool is_copy)
{
    const holder *base = base_of(self);
    if (!versioned && base->readonly) {
        PyErr_SetString(PyExc_BufferError, "the elements cannot be written, which only DLPack 1.0 and later can tell");
        return NULL;
    }
    handed *h = calloc(1, sizeof *h);
    ptio_error err = {0};
    if (!h)
        return PyErr_NoMemory();
    h->holder = holder_hold(self->holder);
    ptio_status status = hand_over(self->tensor, base, versioned, is_copy, h, &err);
    if (status != PTIO_OK) {
        free_handed(h);
        if (status != PTIO_ERR_ARGUMENT)
            return raise_error(state_of_tensor((PyObject *)self), &err);
        PyErr_SetString(PyExc_BufferError, err.message);
        return NULL;
    }
    PyObject *capsule = versioned ? PyCapsule_New(&h->versioned, "dltensor_versioned", delete_capsule)
                                  : PyCapsule_New(&h->unversioned, "dltensor", delete_capsule);
    if (!capsule)
        free_handed(h);
    return capsule;
}

/* Whether dl_device names another device than the CPU. */
static bool is_elsewhere(PyObject *device)
{
    int type = 1, index = 0;
    return device != Py_None && (!PyArg_ParseTuple(device, "ii", &type, &index) || type != DL_CPU);
}

PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    int major = 0, minor = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$OOOO:__dlpack__", names, &stream, &version, &device, &copy))
        return NULL;
    if (version != Py_None && (!PyTuple_Check(version) || !PyArg_ParseTuple(version, "ii", &major, &minor)))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "max_version is a tuple of two ints");
    if (device != Py_None && !PyTuple_Check(device))
        return PyErr_Format(PyExc_TypeError, "dl_device is a tuple of two ints");
    if (stream != Py_None || is_elsewhere(device)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_BufferError, "a ptio.Tensor is on the CPU, which has no streams");
        return NULL;
    }
    if (copy != Py_True)
        return capsule_of((tensor_object *)self, major >= 1, false);
    const ptio_tensor *t = ((tensor_object *)self)->tensor;
    PyObject *copied = tensor_copied(state_of_tensor(self), t, NULL, ptio_tensor_dtype(t), false);
    PyObject *capsule = copied ? capsule_of((tensor_object *)copied, major >= 1, true) : NULL;
    Py_XDECREF(copied);
    return capsule;
}

PyObject *tensor_dlpack_device(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return Py_BuildValue("(ii)", DL_CPU, 0);
}
