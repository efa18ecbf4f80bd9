/*
 * Nested tensors: n components in one buffer.
 *
 *     buffer             [elements]
 *     sizes, strides     [n, dimensions] int64      (no components: any shape without elements)
 *     offsets            [n] int64, where each component begins; of a jagged tensor [n + 1], which never fall
 */
#include "tensor/check.h"
#include "tensor/integers.h"

static ptio_status check_integers(const ptio_tensor *part, const char *name, ptio_error *err)
{
    if (part && !ptio_is_index_tensor(part, false))
        return PTIO_REFUSE(err, "nested.dtype", "the %s of a nested tensor are %s, not int64", name,
                           ptio_dtype_rows[part->dtype].name);
    return PTIO_OK;
}

static bool same_shape(const ptio_tensor *a, const ptio_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, a->ndim * sizeof *a->dims) == 0;
}

static ptio_status check_shapes(const ptio_tensor *sizes, const ptio_tensor *strides, const ptio_tensor *offsets, ptio_error *err)
{
    bool empty = sizes->numel == 0 && sizes->ndim == 1;
    if (sizes->ndim != 2 && !empty)
        return PTIO_REFUSE(err, "nested.shape", "the sizes of a nested tensor have %u dimensions, not 2", sizes->ndim);
    if (strides && !same_shape(sizes, strides))
        return PTIO_REFUSE(err, "nested.shape", "the sizes and strides of a nested tensor differ in shape");
    if (offsets && (offsets->ndim != 1 || offsets->dims[0] != sizes->dims[0]))
        return PTIO_REFUSE(err, "nested.shape", "the offsets of a nested tensor are not one for each of %lld components",
                           (long long)sizes->dims[0]);
    return PTIO_OK;
}

ptio_status ptio_check_nested_parts(const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *buffer = ptio_tensor_part_named(tensor, "buffer"), *sizes = ptio_tensor_part_named(tensor, "sizes"),
                      *strides = ptio_tensor_part_named(tensor, "strides"), *offsets = ptio_tensor_part_named(tensor, "offsets");
    ptio_status status = check_integers(sizes, "sizes", err);
    if (status == PTIO_OK)
        status = check_integers(strides, "strides", err);
    if (status == PTIO_OK)
        status = check_integers(offsets, "offsets", err);
    if (status != PTIO_OK)
        return status;
    if (tensor->layout == PTIO_JAGGED) {
        if (offsets && (offsets->ndim != 1 || offsets->dims[0] < 1))
            return PTIO_REFUSE(err, "nested.shape", "the offsets of a jagged tensor are not a list of one or more");
        return PTIO_OK;
    }
    if (buffer && buffer->ndim != 1)
        return PTIO_REFUSE(err, "nested.shape", "the buffer of a nested tensor has %u dimensions, not 1", buffer->ndim);
    return sizes ? check_shapes(sizes, strides, offsets, err) : PTIO_OK;
}

/* One component, as the bounds proof of a tensor. */
static bool is_inside(ptio_integers *sizes, ptio_integers *strides, int64_t offset, int64_t ndim, uint64_t buffer)
{
    int64_t last = offset, span;
    bool good = offset >= 0, empty = false;
    for (int64_t i = 0; i < ndim; i++) {
        int64_t size = ptio_integers_next(sizes), stride = ptio_integers_next(strides);
        if (size < 0 || stride < 0)
            good = false;
        else if (size == 0)
            empty = true;
        else if (!ptio_mul_i64(size - 1, stride, &span) || !ptio_add_i64(last, span, &last))
            good = false;
    }
    return good && (empty || (uint64_t)last < buffer);
}

static ptio_status check_components(const ptio_tensor *buffer, const ptio_tensor *sizes, const ptio_tensor *strides,
                                    const ptio_tensor *offsets, ptio_error *err)
{
    ptio_integers size, stride, offset;
    ptio_status status = ptio_integers_begin(&size, sizes, err);
    if (status == PTIO_OK)
        status = ptio_integers_begin(&stride, strides, err);
    if (status == PTIO_OK)
        status = ptio_integers_begin(&offset, offsets, err);
    for (int64_t i = 0; status == PTIO_OK && i < sizes->dims[0]; i++)
        if (!is_inside(&size, &stride, ptio_integers_next(&offset), sizes->dims[1], buffer->numel))
            status =
                PTIO_REFUSE(err, "nested.bounds", "component %lld of a nested tensor is not inside its buffer of %llu elements",
                            (long long)i, (unsigned long long)buffer->numel);
    return status;
}

static ptio_status check_rising(const ptio_tensor *offsets, ptio_error *err)
{
    ptio_integers integers;
    ptio_status status = ptio_integers_begin(&integers, offsets, err);
    int64_t before = 0;
    for (int64_t i = 0; status == PTIO_OK && i < offsets->dims[0]; i++) {
        int64_t offset = ptio_integers_next(&integers);
        if (offset < before)
            return PTIO_REFUSE(err, "nested.bounds", "offset %lld of a jagged tensor is %lld, after %lld", (long long)i,
                               (long long)offset, (long long)before);
        before = offset;
    }
    return status;
}

ptio_status ptio_check_nested_elements(const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *buffer = ptio_tensor_part_named(tensor, "buffer"), *sizes = ptio_tensor_part_named(tensor, "sizes"),
                      *strides = ptio_tensor_part_named(tensor, "strides"), *offsets = ptio_tensor_part_named(tensor, "offsets");
    if (tensor->layout == PTIO_JAGGED)
        return offsets ? check_rising(offsets, err) : PTIO_OK;
    if (!buffer || !sizes || !strides || !offsets || sizes->ndim != 2)
        return PTIO_OK;
    return check_components(buffer, sizes, strides, offsets, err);
}
