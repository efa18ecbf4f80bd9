/*
 * The dense elements of a sparse tensor: zeros but for those that it has.
 */
#ifndef PTIO_TENSOR_DENSE_H
#define PTIO_TENSOR_DENSE_H

#include "tensor/tensor.h"

/** COO, CSR, CSC, BSR, BSC. */
bool ptio_tensor_is_sparse(const ptio_tensor *tensor);

/** What ptio_tensor_copy() says of a sparse tensor of `numel` elements, all or a slice, before it reads anything. */
ptio_status ptio_dense_check(const ptio_tensor *tensor, uint64_t numel, ptio_dtype dtype, uint64_t size, ptio_error *err);

/** As ptio_tensor_copy(), of a sparse tensor that ptio_dense_check() has taken. */
ptio_status ptio_dense_copy(const ptio_tensor *tensor, ptio_dtype dtype, void *buffer, ptio_error *err);

/** The elements in memory of their own, in the tensor's dtype: *ret is *size bytes, to be given to ptio_dense_free(). */
ptio_status ptio_dense_new(const ptio_tensor *tensor, void **ret, size_t *size, ptio_error *err);
void ptio_dense_free(const ptio_tensor *tensor, void *bytes, size_t size);

#endif
