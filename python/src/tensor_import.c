/*
 * Elements that other libraries hand over by DLPack: read where they lie, or taken over as a ptio.Tensor, which gives them back when the last
 * tensor and array over them goes.
 */
#include "dlpack_abi.h"
#include "tensor.h"

static const char NAME_NOW[] = "dltensor_versioned", NAME_BEFORE[] = "dltensor"; /* since 1.0, and before */

static ptio_dtype find_dtype(dl_type type)
{
    static const struct {
        uint8_t code, bits;
        ptio_dtype dtype;
    } rows[] = {
        {DL_FLOAT, 64, PTIO_FLOAT64},     {DL_FLOAT, 32, PTIO_FLOAT32},
        {DL_FLOAT, 16, PTIO_FLOAT16},     {DL_BFLOAT, 16, PTIO_BFLOAT16},
        {DL_INT, 64, PTIO_INT64},         {DL_INT, 32, PTIO_INT32},
        {DL_INT, 16, PTIO_INT16},         {DL_INT, 8, PTIO_INT8},
        {DL_UINT, 64, PTIO_UINT64},       {DL_UINT, 32, PTIO_UINT32},
        {DL_UINT, 16, PTIO_UINT16},       {DL_UINT, 8, PTIO_UINT8},
        {DL_BOOL, 8, PTIO_BOOL},          {DL_COMPLEX, 128, PTIO_COMPLEX128},
        {DL_COMPLEX, 64, PTIO_COMPLEX64}, {DL_COMPLEX, 32, PTIO_COMPLEX32},
        {10, 8, PTIO_FLOAT8_E4M3FN},      {11, 8, PTIO_FLOAT8_E4M3FNUZ},
        {12, 8, PTIO_FLOAT8_E5M2},        {13, 8, PTIO_FLOAT8_E5M2FNUZ},
        {14, 8, PTIO_FLOAT8_E8M0FNU},
    };
    for (size_t i = 0; type.lanes == 1 && i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == type.code && rows[i].bits == type.bits)
            return rows[i].dtype;
    return PTIO_NO_DTYPE;
}

static bool read_tensor(const dl_tensor *dl, dlpack_elements *ret)
{
    ptio_dtype dtype = find_dtype(dl->dtype);
    if (dl->device_type != DL_CPU) {
        PyErr_SetString(PyExc_BufferError, "only arrays on the CPU can be taken without PyTorch");
        return false;
    }
    if (dtype == PTIO_NO_DTYPE || dl->ndim < 0 || dl->ndim > MOST_DIMENSIONS) {
        PyErr_SetString(PyExc_TypeError, "there is no dtype for what __dlpack__() gives");
        return false;
    }
    ret->dtype = dtype;
    ret->ndim = (size_t)dl->ndim;
    ret->data = dl->data ? (const char *)dl->data + dl->byte_offset : NULL;
    int64_t step = 1;
    for (size_t i = ret->ndim; i-- > 0;) {
        ret->shape[i] = dl->shape[i];
        ret->stride[i] = dl->strides ? dl->strides[i] : step;
        step *= dl->shape[i] > 1 ? dl->shape[i] : 1;
    }
    return true;
}

PyObject *dlpack_ask(PyObject *object)
{
    PyObject *method = PyObject_GetAttrString(object, "__dlpack__"), *none = method ? PyTuple_New(0) : NULL;
    PyObject *keywords = none ? Py_BuildValue("{s(ii)}", "max_version", 1, 0) : NULL;
    PyObject *capsule = keywords ? PyObject_Call(method, none, keywords) : NULL;
    if (!capsule && keywords && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear(); /* it is older than that argument */
        capsule = PyObject_CallNoArgs(method);
    }
    Py_XDECREF(keywords);
    Py_XDECREF(none);
    Py_XDECREF(method);
    return capsule;
}

bool dlpack_read(PyObject *capsule, dlpack_elements *ret)
{
    if (!PyCapsule_IsValid(capsule, NAME_NOW)) {
        struct DLManagedTensor *dl = PyCapsule_GetPointer(capsule, NAME_BEFORE);
        ret->readonly = false;
        return dl && read_tensor(&dl->dl_tensor, ret);
    }
    struct DLManagedTensorVersioned *dl = PyCapsule_GetPointer(capsule, NAME_NOW);
    if (dl->major > 1) {
        PyErr_Format(PyExc_BufferError, "DLPack %u.%u is newer than this version of ptio, which takes 1.x", (unsigned)dl->major,
                     (unsigned)dl->minor);
        return false;
    }
    ret->readonly = dl->flags & DL_READ_ONLY;
    return read_tensor(&dl->dl_tensor, ret);
}

bool count_span(ptio_dtype dtype, size_t ndim, const int64_t *shape, const int64_t *stride, uint64_t *ret)
{
    uint64_t nbytes;
    int64_t last = 0;
    *ret = 0;
    if (!count_bytes(ndim, shape, dtype, &nbytes))
        return false;
    for (size_t i = 0; i < ndim; i++) {
        if (stride[i] < 0) {
            PyErr_SetString(PyExc_ValueError, "At least one stride in the given numpy array is negative, and tensors with "
                                              "negative strides are not currently supported. (You can probably work around this "
                                              "by making a copy of your array  with array.copy().) ");
            return false;
        }
        if (nbytes)
            last += (shape[i] - 1) * stride[i];
    }
    if (nbytes)
        *ret = (uint64_t)(last + 1) * ptio_dtype_itemsize(dtype);
    return true;
}

/* ---- taken over ---- */

static void give_back_now(void *managed)
{
    struct DLManagedTensorVersioned *dl = managed;
    if (dl->deleter)
        dl->deleter(dl);
}

static void give_back_before(void *managed)
{
    struct DLManagedTensor *dl = managed;
    if (dl->deleter)
        dl->deleter(dl);
}

/* What the capsule has is the holder's from here on. False with an exception. */
static bool take_over(PyObject *capsule, holder *h)
{
    bool now = PyCapsule_IsValid(capsule, NAME_NOW);
    void *managed = PyCapsule_GetPointer(capsule, now ? NAME_NOW : NAME_BEFORE);
    if (!managed || PyCapsule_SetName(capsule, now ? "used_dltensor_versioned" : "used_dltensor") != 0)
        return false;
    h->managed = managed;
    h->give_back = now ? give_back_now : give_back_before;
    return true;
}

static PyObject *tensor_over(module_state *state, PyObject *capsule, const dlpack_elements *e)
{
    uint64_t span;
    if (!count_span(e->dtype, e->ndim, e->shape, e->stride, &span))
        return NULL;
    ptio_builder *builder = builder_new(state);
    holder *h = builder ? holder_new(NULL, builder) : NULL;
    if (!h) {
        ptio_builder_free(builder);
        return NULL;
    }
    h->in_place = true;
    h->readonly = e->readonly;
    const ptio_storage *storage = ptio_new_storage(builder, e->dtype, e->data, span, NULL);
    const ptio_value *value = ptio_new_view(builder, storage, e->dtype, e->ndim, e->shape, e->stride, 0, false);
    if (!value)
        raise_builder(state, builder);
    if (value && take_over(capsule, h))
        return tensor_new(state, h, ptio_value_tensor(value), value);
    holder_release(h);
    return NULL;
}

PyObject *py_from_dlpack(PyObject *module, PyObject *object)
{
    dlpack_elements elements;
    PyObject *capsule = PyCapsule_CheckExact(object) ? Py_NewRef(object) : dlpack_ask(object), *tensor = NULL;
    if (capsule && dlpack_read(capsule, &elements))
        tensor = tensor_over(state_of(module), capsule, &elements);
    Py_XDECREF(capsule);
    return tensor;
}
