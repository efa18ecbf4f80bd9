/*
 * Tensors made of others: copies, and views of the same storage. A copy has a builder of its own over one block; a view has a builder
 * too, which holds no bytes, and keeps what the bytes are in.
 */
#include <string.h>

#include "tensor.h"

bool count_bytes(size_t ndim, const int64_t *shape, ptio_dtype dtype, uint64_t *ret)
{
    uint64_t most = PY_SSIZE_T_MAX, nbytes = ptio_dtype_itemsize(dtype);
    for (size_t i = 0; i < ndim; i++)
        if (shape[i] == 0) {
            *ret = 0;
            return true;
        }
    for (size_t i = 0; i < ndim; i++) {
        if ((uint64_t)shape[i] > most / nbytes)
            return PyErr_NoMemory(), false;
        nbytes *= (uint64_t)shape[i];
    }
    *ret = nbytes;
    return true;
}

bool tensor_is_plain(const ptio_tensor *t)
{
    return ptio_tensor_layout(t) == PTIO_STRIDED && ptio_tensor_storage(t) && !ptio_tensor_is_meta(t) &&
           ptio_tensor_quantizer(t).scheme == PTIO_NOT_QUANTIZED && !ptio_tensor_is_conj(t) && !ptio_tensor_is_neg(t);
}

void *block_copied(module_state *state, const ptio_tensor *from, const ptio_slice *slices, ptio_dtype dtype, bool without_gil,
                   int64_t *shape)
{
    ptio_error err = {0};
    ptio_status status = PTIO_OK;
    size_t ndim = ptio_tensor_ndim(from);
    uint64_t nbytes;
    if (slices)
        status = ptio_tensor_slice_shape(from, slices, shape, &err);
    else if (ndim)
        memcpy(shape, ptio_tensor_shape(from), ndim * sizeof *shape);
    if (status != PTIO_OK)
        return raise_error(state, &err);
    if (!count_bytes(ndim, shape, dtype, &nbytes))
        return NULL;
    void *block = block_new((size_t)nbytes);
    if (!block)
        return PyErr_NoMemory();
    PyThreadState *thread = without_gil ? PyEval_SaveThread() : NULL;
    status = ptio_tensor_copy_slice(from, slices, dtype, block, nbytes, &err);
    if (thread)
        PyEval_RestoreThread(thread);
    if (status == PTIO_OK)
        return block;
    block_release(block);
    return raise_error(state, &err);
}

PyObject *tensor_over_block(module_state *state, void *block, ptio_dtype dtype, size_t ndim, const int64_t *shape)
{
    ptio_builder *builder = builder_new(state);
    holder *h = builder ? holder_new(NULL, builder) : NULL;
    if (!h) {
        ptio_builder_free(builder);
        block_release(block);
        return NULL;
    }
    h->block = block;
    h->in_place = true;
    uint64_t nbytes;
    const ptio_value *value = NULL;
    if (count_bytes(ndim, shape, dtype, &nbytes))
        value = ptio_new_view(builder, ptio_new_storage(builder, dtype, block, nbytes, NULL), dtype, ndim, shape, NULL, 0, false);
    if (value)
        return tensor_new(state, h, ptio_value_tensor(value), value);
    raise_builder(state, builder);
    holder_release(h);
    return NULL;
}

PyObject *tensor_copied(module_state *state, const ptio_tensor *from, const ptio_slice *slices, ptio_dtype dtype,
                        bool without_gil)
{
    int64_t shape[MOST_DIMENSIONS];
    void *block = block_copied(state, from, slices, dtype, without_gil, shape);
    return block ? tensor_over_block(state, block, dtype, ptio_tensor_ndim(from), shape) : NULL;
}

/* A holder of a view of what is in `h`. */
static holder *view_holder(module_state *state, holder *h)
{
    ptio_builder *builder = builder_new(state);
    holder *view = builder ? holder_new(NULL, builder) : NULL;
    if (view)
        view->base = holder_hold(h->base ? h->base : h);
    else
        ptio_builder_free(builder);
    return view;
}

PyObject *tensor_view(module_state *state, holder *h, const ptio_storage *storage, ptio_dtype dtype, size_t ndim,
                      const int64_t *shape, const int64_t *stride, int64_t offset)
{
    holder *view = view_holder(state, h);
    if (!view)
        return NULL;
    const ptio_value *value = ptio_new_view(view->builder, storage, dtype, ndim, shape, stride, offset, false);
    if (value)
        return tensor_new(state, view, ptio_value_tensor(value), value);
    raise_builder(state, view->builder);
    holder_release(view);
    return NULL;
}

PyObject *tensor_of_storage(module_state *state, holder *h, const ptio_storage *storage)
{
    ptio_dtype dtype = ptio_storage_dtype(storage);
    int64_t count = (int64_t)(ptio_storage_nbytes(storage) / ptio_dtype_itemsize(dtype));
    return tensor_view(state, h, storage, dtype, 1, &count, NULL, 0);
}
