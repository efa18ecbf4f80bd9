/*
 * A stream of integers out of a tensor, for checks that compare each with its neighbours.
 */
#include "tensor/integers.h"

ptio_status ptio_integers_begin(ptio_integers *integers, const ptio_tensor *tensor, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status = ptio_tensor_read_storage(tensor, &data, err);
    if (status != PTIO_OK)
        return status;
    integers->base = data;
    integers->dtype = (ptio_dtype)tensor->dtype;
    integers->itemsize = (int64_t)ptio_dtype_itemsize(integers->dtype);
    integers->unread = tensor->numel;
    integers->at = integers->count = 0;
    ptio_element_walk_begin(&integers->walk, tensor);
    return PTIO_OK;
}

void ptio_integers_fill(ptio_integers *integers)
{
    integers->at = integers->count = 0;
    while (integers->unread > 0 && integers->count < PTIO_INTEGERS_AT_ONCE) {
        uint64_t n;
        int64_t first = ptio_element_walk_next(&integers->walk, PTIO_INTEGERS_AT_ONCE - integers->count, &n);
        (void)ptio_convert(integers->dtype, integers->base + first * integers->itemsize,
                           ptio_element_walk_step(&integers->walk) * integers->itemsize, PTIO_INT64,
                           integers->buffer + integers->count, n);
        integers->count += (size_t)n;
        integers->unread -= n;
    }
}
