/*
 * The rules of composed tensors, which PyTorch's kernels rely on without asking: an index outside the shape is a write outside the
 * memory there. Each kind has a file: check_sparse.c, check_nested.c, check_quantizer.c.
 */
#include "tensor/check.h"

bool ptio_is_index_tensor(const ptio_tensor *part, bool narrow)
{
    return part->layout == PTIO_STRIDED && !(part->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) &&
           (part->dtype == PTIO_INT64 || (narrow && part->dtype == PTIO_INT32));
}

static bool is_quantized(const ptio_tensor *tensor)
{
    return ptio_dtype_rows[tensor->dtype].class_ == PTIO_DTYPE_QUANTIZED;
}

ptio_status ptio_tensor_check_parts(const ptio_tensor *tensor, ptio_error *err)
{
    switch ((ptio_layout)tensor->layout) {
    case PTIO_STRIDED:
        if (is_quantized(tensor) || ptio_tensor_quantizer(tensor).scheme != PTIO_NOT_QUANTIZED)
            return ptio_check_quantizer_parts(tensor, err);
        return PTIO_OK;
    case PTIO_SPARSE_COO:
    case PTIO_SPARSE_CSR:
    case PTIO_SPARSE_CSC:
    case PTIO_SPARSE_BSR:
    case PTIO_SPARSE_BSC: return ptio_check_sparse_parts(tensor, err);
    case PTIO_NESTED:
    case PTIO_JAGGED: return ptio_check_nested_parts(tensor, err);
    }
    return PTIO_OK;
}

static bool has_meta_part(const ptio_tensor *tensor)
{
    for (size_t i = 0; i < ptio_tensor_part_count(tensor); i++) {
        const ptio_tensor *part = ptio_tensor_part(tensor, i, NULL);
        if (ptio_tensor_is_meta(part) || !part->storage)
            return true;
    }
    return false;
}

ptio_status ptio_tensor_check_elements(const ptio_tensor *tensor, ptio_heap *heap, ptio_error *err)
{
    (void)heap;
    ptio_status status = ptio_tensor_check_parts(tensor, err);
    if (status != PTIO_OK || has_meta_part(tensor))
        return status;
    switch ((ptio_layout)tensor->layout) {
    case PTIO_STRIDED: return is_quantized(tensor) ? ptio_check_quantizer_elements(tensor, err) : PTIO_OK;
    case PTIO_SPARSE_COO:
    case PTIO_SPARSE_CSR:
    case PTIO_SPARSE_CSC:
    case PTIO_SPARSE_BSR:
    case PTIO_SPARSE_BSC: return ptio_check_sparse_elements(tensor, err);
    case PTIO_NESTED:
    case PTIO_JAGGED: return ptio_check_nested_elements(tensor, err);
    }
    return PTIO_OK;
}
