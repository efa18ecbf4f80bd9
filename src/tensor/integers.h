/*
 * Reading the elements of a tensor of int32 or int64 one after another, in C order.
 */
#ifndef PTIO_TENSOR_INTEGERS_H
#define PTIO_TENSOR_INTEGERS_H

#include "tensor/convert.h"
#include "tensor/walk.h"

enum { PTIO_INTEGERS_AT_ONCE = 128 };

typedef struct ptio_integers {
    ptio_element_walk walk;
    const char *base; /* of the storage            */
    ptio_dtype dtype;
    int64_t itemsize;
    uint64_t unread; /* elements not yet buffered */
    size_t at, count;
    int64_t buffer[PTIO_INTEGERS_AT_ONCE];
} ptio_integers;

/** Read the storage of a strided tensor of integers. */
ptio_status ptio_integers_begin(ptio_integers *integers, const ptio_tensor *tensor, ptio_error *err);

/** Fill the empty buffer. */
void ptio_integers_fill(ptio_integers *integers);

/** The next element, of which there must be one. */
static inline int64_t ptio_integers_next(ptio_integers *integers)
{
    if (PTIO_UNLIKELY(integers->at == integers->count))
        ptio_integers_fill(integers);
    return integers->buffer[integers->at++];
}

#endif
