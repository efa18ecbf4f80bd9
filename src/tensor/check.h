/*
 * The checks of each kind of composed tensor, for check.c.
 */
#ifndef PTIO_TENSOR_CHECK_H
#define PTIO_TENSOR_CHECK_H

#include "base/error.h"
#include "tensor/tensor.h"

#define PTIO_REFUSE(err, reason, ...) ptio_fail((err), PTIO_ERR_FORMAT, (reason), PTIO_NO_OFFSET, __VA_ARGS__)

ptio_status ptio_check_sparse_parts(const ptio_tensor *tensor, ptio_error *err);
ptio_status ptio_check_sparse_elements(const ptio_tensor *tensor, ptio_error *err);
ptio_status ptio_check_nested_parts(const ptio_tensor *tensor, ptio_error *err);
ptio_status ptio_check_nested_elements(const ptio_tensor *tensor, ptio_error *err);
ptio_status ptio_check_quantizer_parts(const ptio_tensor *tensor, ptio_error *err);
ptio_status ptio_check_quantizer_elements(const ptio_tensor *tensor, ptio_error *err);

/** Whether a part is an ordinary tensor of int64 (or int32, where `narrow` allows it) that holds its numbers as they are. */
bool ptio_is_index_tensor(const ptio_tensor *part, bool narrow);

#endif
