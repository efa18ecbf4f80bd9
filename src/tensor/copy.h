/*
 * The steps of a copy, for those who have the bytes of a tensor elsewhere than in its storage.
 */
#ifndef PTIO_TENSOR_COPY_H
#define PTIO_TENSOR_COPY_H

#include "tensor/dequantize.h"

/** What ptio_tensor_copy() says of its arguments before it reads anything. */
ptio_status ptio_tensor_check_copy(const ptio_tensor *tensor, ptio_dtype dtype, uint64_t size, ptio_error *err);

/** Whether a copy gives the numbers that the ints of a quantized tensor stand for. */
bool ptio_tensor_is_dequantized(const ptio_tensor *tensor, ptio_dtype dtype);

/**
 * Copy all elements of a strided tensor that has some, as ptio_tensor_copy() does, out of `base`: the bytes that its strides and
 * offset are over. `dequantizer` is NULL but for ptio_tensor_is_dequantized().
 */
void ptio_tensor_read_elements(const ptio_tensor *tensor, const void *base, ptio_dequantizer *dequantizer, ptio_dtype dtype,
                               void *out);

#endif
