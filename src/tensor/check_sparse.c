/*
 * Sparse tensors. The shape is [batch…, sparse…, dense…]; nnz elements (or blocks) are present.
 *
 *     COO        indices [sparse dimensions, nnz] int64      values [nnz, dense…]       no batch
 *     CSR, BSR   crow [batch…, rows + 1]     col [batch…, nnz]     values [batch…, nnz, (block,) dense…]
 *     CSC, BSC   ccol [batch…, columns + 1]  row [batch…, nnz]     values as above
 *
 * Pointers (crow, ccol) begin at 0, never fall and end at nnz; between two of them are the indices of one row or column, rising.
 * Of block layouts, rows and columns count blocks. Pointers and indices are both int32 or both int64.
 * Source: torch/aten SparseTensor.cpp, SparseCsrTensor.cpp, sparse/ValidateCompressedIndicesCommon.h.
 */
#include "tensor/check.h"
#include "tensor/integers.h"

#define SHAPE(err, ...) PTIO_REFUSE(err, "sparse.shape", __VA_ARGS__)

/* ---- what a sparse tensor is made of ---- */

static ptio_status find_part(const ptio_tensor *tensor, const char *name, const ptio_tensor **ret, ptio_error *err)
{
    *ret = ptio_tensor_part_named(tensor, name);
    if (*ret && (*ret)->layout == PTIO_STRIDED)
        return PTIO_OK;
    return PTIO_REFUSE(err, "sparse.part", "a tensor of layout %s has no %s", ptio_layout_name((ptio_layout)tensor->layout),
                       name);
}

static ptio_status find_values(const ptio_tensor *tensor, const ptio_tensor **ret, ptio_error *err)
{
    ptio_status status = find_part(tensor, "values", ret, err);
    if (status == PTIO_OK && (*ret)->dtype != tensor->dtype)
        return PTIO_REFUSE(err, "sparse.dtype", "a sparse tensor of %s has values of %s", ptio_dtype_rows[tensor->dtype].name,
                           ptio_dtype_rows[(*ret)->dtype].name);
    return status;
}

static ptio_status find_indices(const ptio_tensor *tensor, const char *name, bool narrow, const ptio_tensor **ret,
                                ptio_error *err)
{
    ptio_status status = find_part(tensor, name, ret, err);
    if (status == PTIO_OK && !ptio_is_index_tensor(*ret, narrow))
        return PTIO_REFUSE(err, "sparse.dtype", "the %s of a sparse tensor are %s, not int64%s", name,
                           ptio_dtype_rows[(*ret)->dtype].name, narrow ? " or int32" : "");
    return status;
}

static bool same_sizes(const int64_t *a, const int64_t *b, size_t count)
{
    return count == 0 || memcmp(a, b, count * sizeof *a) == 0;
}

/* ---- COO ---- */

static ptio_status find_coo(const ptio_tensor *tensor, const ptio_tensor **indices, const ptio_tensor **values, ptio_error *err)
{
    ptio_status status = find_indices(tensor, "indices", false, indices, err);
    return status == PTIO_OK ? find_values(tensor, values, err) : status;
}

static ptio_status check_coo_parts(const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *indices, *values;
    ptio_status status = find_coo(tensor, &indices, &values, err);
    if (status != PTIO_OK)
        return status;
    if (indices->ndim != 2)
        return SHAPE(err, "the indices of a sparse tensor have %u dimensions, not 2", indices->ndim);
    if (values->ndim < 1 || values->dims[0] != indices->dims[1])
        return SHAPE(err, "a sparse tensor does not have a value for each of its %lld indices", (long long)indices->dims[1]);
    uint64_t ndim = (uint64_t)indices->dims[0] + (values->ndim - 1);
    if (ndim != tensor->ndim)
        return SHAPE(err, "the parts of a sparse tensor are of %llu dimensions, its shape has %u", (unsigned long long)ndim,
                     tensor->ndim);
    if (!same_sizes(values->dims + 1, tensor->dims + indices->dims[0], values->ndim - 1))
        return SHAPE(err, "the values of a sparse tensor differ from its shape in their dense dimensions");
    return PTIO_OK;
}

/* In PyTorch's words, and which of the indices it is. */
static ptio_status fail_coo_index(int64_t index, int64_t dim, int64_t size, int64_t place, ptio_error *err)
{
    if (index < 0)
        return PTIO_REFUSE(err, "sparse.index", "found negative index %lld for dim %lld (index %lld of a sparse tensor)",
                           (long long)index, (long long)dim, (long long)place);
    return PTIO_REFUSE(
        err, "sparse.index",
        "size is inconsistent with indices: for dim %lld, size is %lld but found index %lld (index %lld of a sparse tensor)",
        (long long)dim, (long long)size, (long long)index, (long long)place);
}

static ptio_status check_coo_range(const ptio_tensor *tensor, const ptio_tensor *indices, ptio_error *err)
{
    ptio_integers integers;
    ptio_status status = ptio_integers_begin(&integers, indices, err);
    for (int64_t d = 0; status == PTIO_OK && d < indices->dims[0]; d++)
        for (int64_t i = 0; i < indices->dims[1]; i++) {
            int64_t index = ptio_integers_next(&integers);
            if (index < 0 || index >= tensor->dims[d])
                return fail_coo_index(index, d, tensor->dims[d], i, err);
        }
    return status;
}

static int64_t index_at(const ptio_tensor *indices, const char *data, int64_t d, int64_t i)
{
    const int64_t *stride = ptio_tensor_stride(indices);
    int64_t index;
    memcpy(&index, data + (d * stride[0] + i * stride[1]) * (int64_t)sizeof index, sizeof index);
    return index;
}

/* Whether index i comes after the one before it, the first dimension counting most. */
static bool is_after(const ptio_tensor *indices, const char *data, int64_t i)
{
    for (int64_t d = 0; d < indices->dims[0]; d++) {
        int64_t before = index_at(indices, data, d, i - 1), here = index_at(indices, data, d, i);
        if (before != here)
            return before < here;
    }
    return false;
}

static ptio_status check_coo_order(const ptio_tensor *indices, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status = ptio_tensor_data(indices, &data, err);
    for (int64_t i = 1; status == PTIO_OK && i < indices->dims[1]; i++)
        if (!is_after(indices, data, i))
            return PTIO_REFUSE(err, "sparse.order",
                               "a sparse tensor says it is coalesced, but index %lld does not follow the one before",
                               (long long)i);
    return status;
}

static ptio_status check_coo_elements(const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *indices, *values;
    ptio_status status = find_coo(tensor, &indices, &values, err);
    if (status == PTIO_OK)
        status = check_coo_range(tensor, indices, err);
    /* Of no sparse dimensions there is nothing to be in order. */
    if (status == PTIO_OK && ptio_tensor_is_coalesced(tensor) && indices->numel > 0)
        status = check_coo_order(indices, err);
    return status;
}

/* ---- compressed layouts ---- */

typedef struct compressed {
    const ptio_tensor *pointers, *indices, *values;
    const char *pointers_name, *indices_name;
    bool by_row; /* crow and col, not ccol and row */
    bool blocks;
    size_t batch;            /* batch dimensions                                                   */
    int64_t nnz;             /* in each batch                                                      */
    int64_t slices, columns; /* rows of CSR, columns of CSC; the others; in blocks, if there are   */
} compressed;

static ptio_status find_compressed(const ptio_tensor *tensor, compressed *c, ptio_error *err)
{
    c->by_row = tensor->layout == PTIO_SPARSE_CSR || tensor->layout == PTIO_SPARSE_BSR;
    c->blocks = tensor->layout == PTIO_SPARSE_BSR || tensor->layout == PTIO_SPARSE_BSC;
    c->pointers_name = c->by_row ? "crow" : "ccol";
    c->indices_name = c->by_row ? "col" : "row";
    ptio_status status = find_indices(tensor, c->pointers_name, true, &c->pointers, err);
    if (status == PTIO_OK)
        status = find_indices(tensor, c->indices_name, true, &c->indices, err);
    if (status == PTIO_OK)
        status = find_values(tensor, &c->values, err);
    if (status == PTIO_OK && c->pointers->dtype != c->indices->dtype)
        return PTIO_REFUSE(err, "sparse.dtype", "%s and %s of a sparse tensor have different dtypes", c->pointers_name,
                           c->indices_name);
    return status;
}

/* How many dimensions each part has, which the batch dimensions follow from. */
static ptio_status check_dimensions(const ptio_tensor *tensor, compressed *c, ptio_error *err)
{
    if (c->pointers->ndim < 1 || c->indices->ndim != c->pointers->ndim)
        return SHAPE(err, "%s and %s of a sparse tensor have %u and %u dimensions", c->pointers_name, c->indices_name,
                     c->pointers->ndim, c->indices->ndim);
    c->batch = c->pointers->ndim - 1;
    size_t least = c->batch + 1 + (c->blocks ? 2 : 0);
    if (c->values->ndim < least)
        return SHAPE(err, "the values of a sparse tensor have %u dimensions, not %zu or more", c->values->ndim, least);
    size_t ndim = c->batch + 2 + (c->values->ndim - least);
    if (ndim != tensor->ndim)
        return SHAPE(err, "the parts of a sparse tensor are of %zu dimensions, its shape has %u", ndim, tensor->ndim);
    if (!same_sizes(c->pointers->dims, tensor->dims, c->batch) || !same_sizes(c->indices->dims, tensor->dims, c->batch) ||
        !same_sizes(c->values->dims, tensor->dims, c->batch))
        return SHAPE(err, "the parts of a sparse tensor differ from its shape in their batch dimensions");
    if (!same_sizes(c->values->dims + least, tensor->dims + c->batch + 2, c->values->ndim - least))
        return SHAPE(err, "the values of a sparse tensor differ from its shape in their dense dimensions");
    return PTIO_OK;
}

/* Rows and columns, in blocks. */
static ptio_status count_slices(const ptio_tensor *tensor, compressed *c, ptio_error *err)
{
    int64_t rows = tensor->dims[c->batch], columns = tensor->dims[c->batch + 1];
    if (c->blocks) {
        const int64_t *block = c->values->dims + c->batch + 1;
        if (block[0] < 1 || block[1] < 1 || rows % block[0] || columns % block[1])
            return SHAPE(err, "blocks of %lld x %lld do not fill a sparse tensor of %lld x %lld", (long long)block[0],
                         (long long)block[1], (long long)rows, (long long)columns);
        rows /= block[0];
        columns /= block[1];
    }
    c->slices = c->by_row ? rows : columns;
    c->columns = c->by_row ? columns : rows;
    return PTIO_OK;
}

static ptio_status open_compressed(const ptio_tensor *tensor, compressed *c, ptio_error *err)
{
    ptio_status status = find_compressed(tensor, c, err);
    if (status == PTIO_OK)
        status = check_dimensions(tensor, c, err);
    if (status == PTIO_OK)
        status = count_slices(tensor, c, err);
    if (status != PTIO_OK)
        return status;
    c->nnz = c->indices->dims[c->batch];
    if (c->pointers->dims[c->batch] - 1 != c->slices)
        return SHAPE(err, "%s of a sparse tensor has %lld pointers for %lld slices", c->pointers_name,
                     (long long)c->pointers->dims[c->batch], (long long)c->slices);
    if (c->values->dims[c->batch] != c->nnz)
        return SHAPE(err, "a sparse tensor has %lld values for %lld indices", (long long)c->values->dims[c->batch],
                     (long long)c->nnz);
    return PTIO_OK;
}

/* The indices of one slice: inside, and each more than the one before. */
static ptio_status check_slice(const compressed *c, ptio_integers *indices, int64_t count, ptio_error *err)
{
    int64_t before = -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t index = ptio_integers_next(indices);
        if (index < 0 || index >= c->columns)
            return PTIO_REFUSE(err, "sparse.index", "`0 <= %s_indices < n%ss` is not satisfied: %lld, of %lld", c->indices_name,
                               c->indices_name, (long long)index, (long long)c->columns);
        if (index <= before)
            return PTIO_REFUSE(err, "sparse.order", "%s_indices are not sorted and distinct: %lld, after %lld in the same slice",
                               c->indices_name, (long long)index, (long long)before);
        before = index;
    }
    return PTIO_OK;
}

/* Pointers that do not begin at 0, do not end with the number of indices, or fall. In PyTorch's words. */
static ptio_status fail_begin(const compressed *c, int64_t pointer, ptio_error *err)
{
    return PTIO_REFUSE(err, "sparse.pointers", "`%s_indices[..., 0] == 0` is not satisfied: %lld", c->pointers_name,
                       (long long)pointer);
}

static ptio_status fail_end(const compressed *c, int64_t pointer, ptio_error *err)
{
    return PTIO_REFUSE(err, "sparse.pointers", "`%s_indices[..., -1] == nnz` is not satisfied: %lld, with %lld indices",
                       c->pointers_name, (long long)pointer, (long long)c->nnz);
}

static ptio_status fail_step(const compressed *c, int64_t pointer, int64_t before, ptio_error *err)
{
    return PTIO_REFUSE(
        err, "sparse.pointers",
        "`0 <= %s_indices[..., 1:] - %s_indices[..., :-1] <= n%ss` is not satisfied: %lld, after %lld, with %lld indices",
        c->pointers_name, c->pointers_name, c->indices_name, (long long)pointer, (long long)before, (long long)c->nnz);
}

/* One batch: all its pointers, and all its indices on the way. */
static ptio_status check_batch(const compressed *c, ptio_integers *pointers, ptio_integers *indices, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    int64_t before = ptio_integers_next(pointers);
    if (before != 0)
        return fail_begin(c, before, err);
    for (int64_t i = 0; i < c->slices && status == PTIO_OK; i++) {
        int64_t pointer = ptio_integers_next(pointers);
        if (pointer < before || pointer > c->nnz)
            return fail_step(c, pointer, before, err);
        status = check_slice(c, indices, pointer - before, err);
        before = pointer;
    }
    if (status == PTIO_OK && before != c->nnz)
        return fail_end(c, before, err);
    return status;
}

static ptio_status check_compressed_elements(const ptio_tensor *tensor, ptio_error *err)
{
    compressed c;
    ptio_integers pointers, indices;
    ptio_status status = open_compressed(tensor, &c, err);
    if (status == PTIO_OK)
        status = ptio_integers_begin(&pointers, c.pointers, err);
    if (status == PTIO_OK)
        status = ptio_integers_begin(&indices, c.indices, err);
    if (status != PTIO_OK)
        return status;
    uint64_t batches = c.pointers->numel / (uint64_t)c.pointers->dims[c.batch];
    for (uint64_t i = 0; i < batches && status == PTIO_OK; i++)
        status = check_batch(&c, &pointers, &indices, err);
    return status;
}

/* ---- all ---- */

ptio_status ptio_check_sparse_parts(const ptio_tensor *tensor, ptio_error *err)
{
    compressed c;
    return tensor->layout == PTIO_SPARSE_COO ? check_coo_parts(tensor, err) : open_compressed(tensor, &c, err);
}

ptio_status ptio_check_sparse_elements(const ptio_tensor *tensor, ptio_error *err)
{
    return tensor->layout == PTIO_SPARSE_COO ? check_coo_elements(tensor, err) : check_compressed_elements(tensor, err);
}
