/*
 * Elements in nested brackets, as tensors and arrays are shown: in rows, the middle of big ones left out.
 */
#ifndef PTIO_PRINT_GRID_H
#define PTIO_PRINT_GRID_H

#include "print/out.h"
#include "tensor/tensor.h"

/** Room for the text of one element. */
#define PTIO_CELL_ROOM 820

/** The elements of something strided: how they lie in memory and which of them are shown. */
typedef struct ptio_grid {
    const char *base; /* element [0, …, 0]; NULL with `load`                    */
    size_t ndim;
    const int64_t *shape;
    int64_t step[PTIO_MOST_DIMENSIONS]; /* bytes from one element to the next                   */
    size_t edge;                        /* with `cut`: elements shown at each end of a dimension */
    bool cut;
    /*
     * For elements that are not in memory: lay some of them side by side, as `step` tells. Those at index[0], index[1], … of the first
     * dimensions, `count` of dimension `dim` from index[dim] on, and all of the others: at most `room` elements, or one.
     * NULL where that fails, and then nothing more is shown.
     */
    const char *(*load)(void *ctx, const int64_t *index, size_t dim, size_t count);
    void *load_ctx;
    size_t room;
} ptio_grid;

/** How many elements are shown; UINT64_MAX where the number does not fit. */
uint64_t ptio_grid_shown(const ptio_grid *grid);

/** Slots of a dimension: its elements, or both edges and the dots between them. */
size_t ptio_grid_slots(const ptio_grid *grid, size_t dim);
bool ptio_grid_is_dots(const ptio_grid *grid, size_t dim, size_t slot);

/** The element of a dimension that a slot shows. */
int64_t ptio_grid_index(const ptio_grid *grid, size_t dim, size_t slot);

/** Call `visit` for all elements that are shown, in order: `count` of them each time, `step` bytes apart. False where some cannot be
 * loaded. */
typedef void (*ptio_grid_visitor)(void *ctx, const char *first, int64_t step, size_t count);
bool ptio_grid_visit(const ptio_grid *grid, ptio_grid_visitor visit, void *ctx);

/** What a grid needs to be written. */
typedef struct ptio_grid_style {
    size_t indent;                                              /* column of the first bracket                              */
    size_t width;                                               /* of a cell, for the number of cells in a line             */
    size_t (*cell)(void *ctx, const char *element, char *text); /* at most PTIO_CELL_ROOM bytes */
    void *ctx;
    size_t line_width; /* as many cells of `width` as fit this many columns stand in a line */
} ptio_grid_style;

/** Write all brackets. Gives the column behind the last one. A grid of no dimensions is one cell. */
size_t ptio_grid_write(const ptio_grid *grid, const ptio_grid_style *style, ptio_out *out);

#endif
