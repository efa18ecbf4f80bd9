/*
 * Elements of a tensor that are not in memory: read as they are shown.
 */
#ifndef PTIO_PRINT_WINDOW_H
#define PTIO_PRINT_WINDOW_H

#include "print/grid.h"

/** The shape of a tensor, and its strides; NULL: side by side. */
void ptio_grid_shape(ptio_grid *grid, const ptio_tensor *tensor, const int64_t *stride, size_t itemsize);

/**
 * Call `show` with the grid, over the elements of a strided tensor that has some, as `dtype`: no more than 64 KiB of them are in memory at
 * once, with conj and neg resolved. The grid's `cut` and `edge` are the caller's. Gives the first failure of reading.
 */
ptio_status ptio_window_show(const ptio_tensor *tensor, ptio_dtype dtype, ptio_grid *grid, ptio_heap *heap,
                             void (*show)(void *ctx, ptio_grid *grid), void *ctx, ptio_error *err);

#endif
