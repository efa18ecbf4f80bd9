/*
 * Pieces of a storage: the elements of a tensor, read in the order in which they lie in the file, so that no byte is read twice.
 *
 *     dimensions by falling stride     the runs ascend; dimensions of stride 0 are read once
 *     a long run                       is read straight to its place
 *     short runs near each other       come out of a window that moves over the file
 *     short runs far from each other   are read one by one
 */
#include "tensor/pieces.h"

#include "base/error.h"
#include "io/source.h"
#include "tensor/convert.h"
#include "tensor/walk.h"

enum {
    WINDOW = 16384 /* bytes; a jump over less costs more than reading them */
};

typedef struct fetcher {
    ptio_source *source;
    uint64_t first, end; /* where the storage begins in the source, and how far the tensor reaches */
    uint64_t start;      /* of the window, in the source */
    size_t held;         /* bytes in it */
    bool ahead;          /* whether what comes behind a run is needed soon */
    char window[WINDOW];
} fetcher;

void ptio_tensor_view_of(ptio_tensor_view *view, const ptio_tensor *tensor)
{
    view->tensor = *tensor;
    view->tensor.dims = view->dims;
    if (tensor->ndim)
        memcpy(view->dims, tensor->dims, 2 * tensor->ndim * sizeof *view->dims);
}

/* The dimensions that lead to other elements, by falling stride; equal strides in the order of the tensor. */
static size_t sort_dimensions(const ptio_tensor *tensor, size_t *order)
{
    const int64_t *stride = tensor->dims + tensor->ndim;
    size_t count = 0;
    for (size_t i = 0; i < tensor->ndim; i++) {
        if (tensor->dims[i] == 1 || stride[i] == 0)
            continue;
        size_t at = count++;
        for (; at > 0 && stride[order[at - 1]] < stride[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return count;
}

uint64_t ptio_tensor_compact(ptio_tensor_view *compact, const ptio_tensor *tensor)
{
    size_t order[PTIO_MOST_DIMENSIONS], count = sort_dimensions(tensor, order);
    int64_t numel = 1, *stride = compact->dims + tensor->ndim;
    ptio_tensor_view_of(compact, tensor);
    compact->tensor.storage_offset = 0;
    for (size_t i = 0; i < tensor->ndim; i++)
        stride[i] = 0;
    while (count-- > 0) {
        stride[order[count]] = numel;
        numel *= tensor->dims[order[count]]; /* not more than the tensor has */
    }
    return (uint64_t)numel;
}

bool ptio_tensor_in_pieces(const ptio_tensor *tensor, ptio_storage_pieces *ret)
{
    return ptio_dtype_per_byte((ptio_dtype)tensor->dtype) == 1 && ptio_storage_in_pieces(tensor->storage, ret) &&
           ptio_dtype_rows[tensor->dtype].itemsize % ret->swap_unit == 0;
}

/* ---- bytes through the window ---- */

static ptio_status move_window(fetcher *f, uint64_t at, ptio_error *err)
{
    size_t size = f->end - at < WINDOW ? (size_t)(f->end - at) : WINDOW;
    f->held = 0;
    ptio_status status = ptio_source_read(f->source, at, f->window, size, err);
    if (status != PTIO_OK)
        return status;
    f->start = at;
    f->held = size;
    return PTIO_OK;
}

/* Units: bytes; `at` is a position in the source. */
static ptio_status fetch(fetcher *f, uint64_t at, char *out, size_t size, ptio_error *err)
{
    while (size > 0) {
        if (at >= f->start && at - f->start < f->held) {
            size_t from = (size_t)(at - f->start), n = f->held - from < size ? f->held - from : size;
            memcpy(out, f->window + from, n);
            at += n;
            out += n;
            size -= n;
        } else if (size >= WINDOW || !f->ahead) {
            return ptio_source_read(f->source, at, out, size, err);
        } else {
            ptio_status status = move_window(f, at, err);
            if (status != PTIO_OK)
                return status;
        }
    }
    return PTIO_OK;
}

/* Whether the next run, or the next element of a run that has gaps, begins within a window's reach. */
static bool is_near(const ptio_element_walk *walk, size_t itemsize)
{
    size_t last = walk->ndim - 1;
    int64_t step = walk->step[last];
    if (step == 1 && last > 0)
        step = walk->step[last - 1];
    return step > 1 && step < (int64_t)(WINDOW / itemsize);
}

static ptio_status fetch_run(fetcher *f, uint64_t at, uint64_t gap, size_t itemsize, char *out, uint64_t count, ptio_error *err)
{
    if (gap == itemsize)
        return fetch(f, at, out, (size_t)count * itemsize, err);
    ptio_status status = PTIO_OK;
    for (uint64_t i = 0; i < count && status == PTIO_OK; i++)
        status = fetch(f, at + i * gap, out + i * itemsize, itemsize, err);
    return status;
}

/* The elements with their dimensions in the order of the storage. Gives the last one's place. */
static int64_t sort_view(ptio_tensor_view *sorted, const ptio_tensor *tensor)
{
    size_t order[PTIO_MOST_DIMENSIONS], count = sort_dimensions(tensor, order);
    int64_t last = tensor->storage_offset;
    ptio_tensor_view_of(sorted, tensor);
    sorted->tensor.ndim = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        sorted->dims[i] = tensor->dims[order[i]];
        sorted->dims[count + i] = tensor->dims[tensor->ndim + order[i]];
        last += (sorted->dims[i] - 1) * sorted->dims[count + i];
    }
    return last;
}

static ptio_status fetch_all(fetcher *f, ptio_element_walk *walk, size_t itemsize, char *out, uint64_t numel, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    uint64_t gap = (uint64_t)ptio_element_walk_step(walk) * itemsize;
    f->ahead = is_near(walk, itemsize);
    while (numel > 0 && status == PTIO_OK) {
        uint64_t n, at = f->first + (uint64_t)ptio_element_walk_next(walk, numel, &n) * itemsize;
        status = fetch_run(f, at, gap, itemsize, out, n, err);
        out += n * itemsize;
        numel -= n;
    }
    return status;
}

ptio_status ptio_tensor_read_pieces(const ptio_tensor *tensor, const ptio_storage_pieces *pieces, void *out, ptio_error *err)
{
    ptio_tensor_view view;
    ptio_element_walk walk;
    fetcher f;
    size_t itemsize = ptio_dtype_rows[tensor->dtype].itemsize;
    uint64_t numel = ptio_tensor_compact(&view, tensor);
    int64_t last = sort_view(&view, tensor);
    f.source = pieces->source;
    f.first = pieces->offset;
    f.end = pieces->offset + ((uint64_t)last + 1) * itemsize;
    f.start = f.held = 0;
    ptio_element_walk_begin(&walk, &view.tensor);
    ptio_status status = fetch_all(&f, &walk, itemsize, out, numel, err);
    if (status == PTIO_OK && pieces->swap_unit > 1)
        ptio_swap_bytes(out, numel * (itemsize / pieces->swap_unit), pieces->swap_unit);
    return status;
}
