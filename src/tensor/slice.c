/*
 * A part of a tensor, cut out by a slice of each dimension as Python does: t[2:10, ::3].
 *
 * The part is a tensor itself, a view of the same storage, so that it is copied as any other. Where the storage was not read yet and
 * its bytes stand in the file as they are, only those that the part shows are read.
 */
#include "base/error.h"
#include "tensor/copy.h"
#include "tensor/dense.h"
#include "tensor/pieces.h"

/* What is left of one dimension. */
typedef struct cut {
    int64_t start, count, step;
} cut;

/* As Python: from the end where it is negative, then into the dimension. */
static int64_t place_in(int64_t at, int64_t size)
{
    if (at < 0)
        at = at < -size ? 0 : at + size;
    return at < size ? at : size;
}

static cut cut_of(const ptio_slice *slice, int64_t size)
{
    if (!slice)
        return (cut){0, size, 1};
    int64_t start = place_in(slice->start, size), stop = place_in(slice->stop, size);
    return (cut){start, start < stop ? (stop - start - 1) / slice->step + 1 : 0, slice->step};
}

static ptio_status check_slices(const ptio_tensor *tensor, const ptio_slice *slices, ptio_error *err)
{
    if (!tensor)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.none", PTIO_NO_OFFSET, "there is no tensor");
    for (size_t i = 0; slices && i < tensor->ndim; i++)
        if (slices[i].step <= 0)
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "slice.step", PTIO_NO_OFFSET,
                             "slice step must be positive; that of dimension %zu is %lld", i, (long long)slices[i].step);
    return PTIO_OK;
}

static void cut_dimension(ptio_tensor *tensor, int64_t *size, int64_t *stride, const cut *c)
{
    *size = c->count;
    tensor->numel *= (uint64_t)c->count;
    if (c->count > 0)
        tensor->storage_offset += c->start * *stride;
    if (c->count > 1)
        *stride *= c->step; /* its last element lies in the storage, so the product is small */
}

/* Of a strided tensor. Where nothing is left the offset means nothing. */
static void cut_view(ptio_tensor_view *view, const ptio_tensor *tensor, const ptio_slice *slices)
{
    ptio_tensor_view_of(view, tensor);
    view->tensor.numel = 1;
    for (size_t i = 0; i < tensor->ndim; i++) {
        cut c = cut_of(slices ? &slices[i] : NULL, tensor->dims[i]);
        cut_dimension(&view->tensor, &view->dims[i], &view->dims[tensor->ndim + i], &c);
    }
}

static ptio_status begin_dequantizer(ptio_dequantizer *dequantizer, const ptio_tensor *tensor, const ptio_tensor *part,
                                     const ptio_slice *slices, ptio_error *err)
{
    ptio_status status = ptio_dequantizer_begin(dequantizer, tensor, err);
    if (status != PTIO_OK || dequantizer->quantizer.scheme == PTIO_PER_TENSOR_AFFINE)
        return status;
    size_t axis = (size_t)dequantizer->quantizer.axis;
    cut c = cut_of(slices ? &slices[axis] : NULL, tensor->dims[axis]);
    ptio_dequantizer_cut(dequantizer, part->ndim, part->dims, c.start, c.count > 1 ? c.step : 1);
    return PTIO_OK;
}

/* ---- only what is shown ---- */

/* Whether the compact elements are what the caller gets, so that they can be read into his memory. */
static bool is_result(const ptio_tensor *part, const ptio_tensor *compact, ptio_dtype dtype)
{
    return part->dtype == dtype && dtype != PTIO_BOOL && !(part->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) &&
           ptio_tensor_is_contiguous(compact);
}

static ptio_status copy_pieces(const ptio_tensor *part, const ptio_storage_pieces *pieces, ptio_dequantizer *dequantizer,
                               ptio_dtype dtype, void *buffer, ptio_error *err)
{
    ptio_tensor_view compact;
    uint64_t bytes = ptio_tensor_compact(&compact, part) * ptio_dtype_rows[part->dtype].itemsize;
    if (!dequantizer && is_result(part, &compact.tensor, dtype))
        return ptio_tensor_read_pieces(part, pieces, buffer, err);
    const ptio_memory *hooks = &part->storage->pool->hooks;
    void *held = bytes <= SIZE_MAX - PTIO_STORAGE_ALIGN ? hooks->alloc(hooks->ctx, (size_t)bytes, PTIO_STORAGE_ALIGN) : NULL;
    if (!held)
        return ptio_fail(err, PTIO_ERR_MEMORY, "memory", PTIO_NO_OFFSET, "no memory for the %llu bytes of a slice",
                         (unsigned long long)bytes);
    ptio_status status = ptio_tensor_read_pieces(part, pieces, held, err);
    if (status == PTIO_OK)
        ptio_tensor_read_elements(&compact.tensor, held, dequantizer, dtype, buffer);
    hooks->free(hooks->ctx, held, (size_t)bytes);
    return status;
}

static ptio_status copy_part(const ptio_tensor *part, ptio_dequantizer *dequantizer, ptio_dtype dtype, void *buffer,
                             ptio_error *err)
{
    ptio_storage_pieces pieces;
    const void *base = NULL;
    ptio_status status = ptio_tensor_check_expansion(part, err);
    if (status != PTIO_OK)
        return status;
    if (ptio_tensor_in_pieces(part, &pieces))
        return copy_pieces(part, &pieces, dequantizer, dtype, buffer, err);
    status = ptio_storage_data(part->storage, &base, err);
    if (status == PTIO_OK)
        ptio_tensor_read_elements(part, base, dequantizer, dtype, buffer);
    return status;
}

/* ---- sparse tensors, which are made dense first ---- */

static void make_contiguous(ptio_tensor_view *view, const ptio_tensor *sparse)
{
    int64_t step = 1;
    view->tensor = *sparse;
    view->tensor.layout = PTIO_STRIDED;
    view->tensor.storage_offset = 0;
    view->tensor.dims = view->dims;
    for (size_t i = sparse->ndim; i-- > 0;) {
        view->dims[i] = sparse->dims[i];
        view->dims[sparse->ndim + i] = step;
        step *= sparse->dims[i];
    }
}

static ptio_status copy_sparse(const ptio_tensor *tensor, const ptio_slice *slices, ptio_dtype dtype, void *buffer, uint64_t size,
                               ptio_error *err)
{
    ptio_tensor_view all, part;
    void *elements;
    size_t bytes;
    make_contiguous(&all, tensor);
    cut_view(&part, &all.tensor, slices);
    ptio_status status = ptio_dense_check(tensor, part.tensor.numel, dtype, size, err);
    if (status != PTIO_OK || part.tensor.numel == 0)
        return status;
    status = ptio_dense_new(tensor, &elements, &bytes, err);
    if (status != PTIO_OK)
        return status;
    ptio_tensor_read_elements(&part.tensor, elements, NULL, dtype, buffer);
    ptio_dense_free(tensor, elements, bytes);
    return PTIO_OK;
}

/* ---- the public part ---- */

ptio_status ptio_tensor_slice_shape(const ptio_tensor *tensor, const ptio_slice *slices, int64_t *shape, ptio_error *err)
{
    ptio_status status = check_slices(tensor, slices, err);
    for (size_t i = 0; status == PTIO_OK && i < tensor->ndim; i++)
        shape[i] = cut_of(slices ? &slices[i] : NULL, tensor->dims[i]).count;
    return status;
}

ptio_status ptio_tensor_copy_only(const ptio_tensor *tensor, const ptio_slice *slices, ptio_dtype dtype, void *buffer,
                                  uint64_t size, ptio_error *err)
{
    ptio_tensor_view part;
    ptio_dequantizer dequantizer;
    cut_view(&part, tensor, slices);
    ptio_status status = ptio_tensor_check_copy(&part.tensor, dtype, size, err);
    if (status != PTIO_OK || part.tensor.numel == 0)
        return status;
    bool dequantized = ptio_tensor_is_dequantized(tensor, dtype);
    if (dequantized)
        status = begin_dequantizer(&dequantizer, tensor, &part.tensor, slices, err);
    return status == PTIO_OK ? copy_part(&part.tensor, dequantized ? &dequantizer : NULL, dtype, buffer, err) : status;
}

ptio_status ptio_tensor_copy_slice(const ptio_tensor *tensor, const ptio_slice *slices, ptio_dtype dtype, void *buffer,
                                   uint64_t size, ptio_error *err)
{
    ptio_tensor_view part;
    uint64_t all;
    ptio_status status = check_slices(tensor, slices, err);
    if (status == PTIO_OK && ptio_tensor_is_sparse(tensor))
        return copy_sparse(tensor, slices, dtype, buffer, size, err);
    if (status == PTIO_OK)
        status = ptio_tensor_check_cast(tensor, dtype, &all, err);
    if (status != PTIO_OK)
        return status;
    cut_view(&part, tensor, slices);
    if (part.tensor.numel == tensor->numel)
        return ptio_tensor_copy(tensor, dtype, buffer, size, err);
    return ptio_tensor_copy_only(tensor, slices, dtype, buffer, size, err);
}
