/*
 * A window over a tensor: a buffer into which the grid has its next elements read. What the buffer holds already is not read again, so
 * that a small tensor is read once, though it is looked at first and written then.
 */
#include "print/window.h"

#include <string.h>

#include "tensor/pieces.h"

#define WINDOW_BYTES 65536

typedef struct window {
    const ptio_tensor *tensor;
    ptio_dtype dtype;
    char *held;
    uint64_t count; /* elements in it, from index[0] … on */
    int64_t index[PTIO_MOST_DIMENSIONS];
    ptio_status status;
    ptio_error *err;
} window;

void ptio_grid_shape(ptio_grid *grid, const ptio_tensor *tensor, const int64_t *stride, size_t itemsize)
{
    grid->ndim = ptio_tensor_ndim(tensor);
    grid->shape = ptio_tensor_shape(tensor);
    int64_t next = (int64_t)itemsize;
    for (size_t i = grid->ndim; i-- > 0;) {
        grid->step[i] = stride ? stride[i] * (int64_t)itemsize : next;
        next *= grid->shape[i];
    }
}

static const char *load(void *ctx, const int64_t *index, size_t dim, size_t count)
{
    window *w = ctx;
    size_t ndim = ptio_tensor_ndim(w->tensor);
    ptio_slice slices[PTIO_MOST_DIMENSIONS];
    uint64_t elements = count;
    for (size_t i = 0; i < ndim; i++) {
        slices[i] =
            i > dim ? (ptio_slice){0, INT64_MAX, 1} : (ptio_slice){index[i], index[i] + (i < dim ? 1 : (int64_t)count), 1};
        if (i > dim)
            elements *= (uint64_t)ptio_tensor_shape(w->tensor)[i];
    }
    if (w->count == elements && (!ndim || memcmp(w->index, index, (dim + 1) * sizeof *index) == 0))
        return w->held;
    w->status = ptio_tensor_copy_only(w->tensor, slices, w->dtype, w->held, elements * ptio_dtype_itemsize(w->dtype), w->err);
    w->count = w->status == PTIO_OK ? elements : 0;
    if (ndim)
        memcpy(w->index, index, (dim + 1) * sizeof *index);
    return w->status == PTIO_OK ? w->held : NULL;
}

ptio_status ptio_window_show(const ptio_tensor *tensor, ptio_dtype dtype, ptio_grid *grid, ptio_heap *heap,
                             void (*show)(void *ctx, ptio_grid *grid), void *ctx, ptio_error *err)
{
    size_t itemsize = ptio_dtype_itemsize(dtype), room = WINDOW_BYTES / itemsize;
    if (ptio_tensor_numel(tensor) < room)
        room = (size_t)ptio_tensor_numel(tensor);
    window w = {.tensor = tensor, .dtype = dtype, .err = err};
    w.held = ptio_heap_resize(heap, NULL, 0, room * itemsize);
    if (!w.held)
        return ptio_heap_fail(heap, err, "the elements of a tensor");
    grid->load = load;
    grid->load_ctx = &w;
    grid->room = room;
    ptio_grid_shape(grid, tensor, NULL, itemsize);
    show(ctx, grid);
    ptio_heap_free(heap, w.held, room * itemsize);
    return w.status;
}
