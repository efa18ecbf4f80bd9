/*
 * A tensor cut into blocks of some 100,000 elements.
 *
 *     order[0] ... order[split - 1]    one index in each piece
 *     order[split]                     a run of indexes
 *     order[split + 1] ...             whole
 *
 * Each block is one call of ptio_tensor_copy_slice(), which reads only what the block shows.
 */
#include "cli/pieces.h"

#include <string.h>

/* By falling stride; equal ones in the order of the tensor. */
static void order_as_stored(pieces *p, const int64_t *stride)
{
    for (size_t i = 0; i < p->ndim; i++) {
        size_t at = i;
        for (; at > 0 && stride[p->order[at - 1]] < stride[i]; at--)
            p->order[at] = p->order[at - 1];
        p->order[at] = i;
    }
}

/* The longest run of inner dimensions that fits into a piece, and how many of the next one do. */
static void divide(pieces *p)
{
    uint64_t inner = 1;
    p->split = p->ndim;
    p->most = 1;
    while (p->split > 0) {
        int64_t count = p->cuts[p->order[p->split - 1]].count;
        p->split--;
        if ((uint64_t)count > PIECES_ELEMENTS / inner) {
            p->most = (int64_t)(PIECES_ELEMENTS / inner);
            return;
        }
        p->most = count;
        inner *= (uint64_t)count;
    }
}

void pieces_begin(pieces *p, const ptio_tensor *tensor, const pieces_cut *cuts, pieces_order order)
{
    *p = (pieces){.tensor = tensor, .ndim = ptio_tensor_ndim(tensor), .total = 1};
    for (size_t i = 0; i < p->ndim; i++) {
        p->cuts[i] = cuts ? cuts[i] : (pieces_cut){0, ptio_tensor_shape(tensor)[i], 1};
        p->order[i] = i;
        p->total *= (uint64_t)p->cuts[i].count; /* not more than the tensor has */
    }
    if (order == PIECES_AS_STORED && ptio_tensor_stride(tensor))
        order_as_stored(p, ptio_tensor_stride(tensor));
    if (p->total)
        divide(p);
}

/* The next block as an odometer has it: the innermost divided dimension moves first. False where all have come round. */
static bool advance(pieces *p)
{
    for (size_t at = p->split + 1; at-- > 0;) {
        size_t d = p->order[at];
        p->first[d] += p->size[d];
        if (p->first[d] < p->cuts[d].count)
            return true;
        p->first[d] = 0;
    }
    return false;
}

static void measure(pieces *p)
{
    p->count = 1;
    for (size_t at = 0; at < p->ndim; at++) {
        size_t d = p->order[at];
        int64_t left = p->cuts[d].count - p->first[d];
        p->size[d] = at < p->split ? 1 : at > p->split || left < p->most ? left : p->most;
        p->count *= (uint64_t)p->size[d];
        int64_t start = p->cuts[d].start + p->first[d] * p->cuts[d].step;
        p->slices[d] = (ptio_slice){start, start + (p->size[d] - 1) * p->cuts[d].step + 1, p->cuts[d].step};
    }
}

bool pieces_next(pieces *p)
{
    bool begun = p->count > 0;
    p->done += p->count;
    if (p->done >= p->total)
        return false;
    if (begun && !advance(p))
        return false;
    measure(p);
    return true;
}

ptio_status pieces_read_other(const pieces *p, const ptio_tensor *other, ptio_dtype dtype, void *buffer, ptio_error *err)
{
    return ptio_tensor_copy_slice(other, p->slices, dtype, buffer, p->count * ptio_dtype_itemsize(dtype), err);
}

ptio_status pieces_read(const pieces *p, ptio_dtype dtype, void *buffer, ptio_error *err)
{
    return pieces_read_other(p, p->tensor, dtype, buffer, err);
}

void pieces_place(const pieces *p, uint64_t at, int64_t *place)
{
    for (size_t d = p->ndim; d-- > 0;) {
        place[d] = p->first[d] + (int64_t)(at % (uint64_t)p->size[d]);
        at /= (uint64_t)p->size[d];
    }
}

ptio_status pieces_check(const ptio_tensor *tensor, uint64_t numel, const ptio_limits *limits, ptio_error *err)
{
    uint64_t factor = limits && limits->expand_factor ? limits->expand_factor : 16, itemsize = 1;
    if (ptio_dtype_itemsize(ptio_tensor_dtype(tensor)))
        itemsize = ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
    uint64_t elements = ptio_storage_nbytes(ptio_tensor_storage(tensor)) / itemsize * 4; /* of packed ones, at most */
    if (numel <= (uint64_t)1 << 20 || numel / factor <= elements)
        return PTIO_OK;
    *err = (ptio_error){.status = PTIO_ERR_LIMIT, .reason = "limit.expand", .offset = PTIO_NO_OFFSET};
    (void)snprintf(err->message, sizeof err->message,
                   "a tensor shows the elements of its storage as %llu; expand_factor allows %llu for each",
                   (unsigned long long)numel, (unsigned long long)factor);
    return PTIO_ERR_LIMIT;
}

bool pieces_has_elements(const ptio_tensor *tensor)
{
    return ptio_tensor_layout(tensor) == PTIO_STRIDED && !ptio_tensor_is_meta(tensor) && ptio_tensor_storage(tensor);
}

/* Small ones are left for the tensors that share them. */
ptio_status pieces_hold(const ptio_tensor *tensor, const ptio_storage **held, bool mapped, ptio_error *err)
{
    const ptio_storage *storage = ptio_tensor_storage(tensor);
    const void *data;
    if (*held && *held != storage && ptio_storage_nbytes(*held) > 65536)
        ptio_storage_drop(*held);
    *held = storage;
    ptio_status status = ptio_storage_nbytes(storage) <= PIECES_WHOLE ? ptio_storage_data(storage, &data, err) : PTIO_OK;
    return status == PTIO_OK && !mapped ? ptio_storage_verify(storage, err) : status;
}
