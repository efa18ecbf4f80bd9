/*
 * One column width and one notation for all elements of a tensor that are shown.
 */
#ifndef PTIO_PRINT_CELL_H
#define PTIO_PRINT_CELL_H

#include "print/grid.h"

/** What is asked of floats. */
typedef struct ptio_number_format {
    size_t places; /* behind the point, at most PTIO_MOST_PLACES */
    ptio_print_notation notation;
} ptio_number_format;

/** The least and the largest magnitude of numbers of one sign. */
typedef struct ptio_extent {
    double low, high;
    bool any;
} ptio_extent;

/** How the numbers of one real column are written. */
typedef struct ptio_column {
    bool floating, integral, scientific, e8m0;
    unsigned places;
    size_t width;
    /* while looking at the values: */
    ptio_extent of[2]; /* [1]: those below 0 */
    bool nan;
} ptio_column;

/** The format of the elements of a grid. */
typedef struct ptio_cells {
    ptio_dtype dtype;
    ptio_number_format format;
    bool conj, neg;
    bool complex_;
    ptio_column real, imag;
    /* ints: the texts of these are the longest */
    int64_t least;
    uint64_t most;
    bool zero;
} ptio_cells;

/** Whether elements of this dtype can be shown at all. */
bool ptio_cells_can_show(ptio_dtype dtype);

/** Look at all elements of the grid that are shown and settle how they are written. False where they cannot be loaded. */
bool ptio_cells_fit(ptio_cells *cells, const ptio_grid *grid);

/** Width of a cell, and its text: a ptio_grid_style.cell whose ctx is the ptio_cells. */
size_t ptio_cells_width(const ptio_cells *cells);
size_t ptio_cells_text(void *ctx, const char *element, char *text);

/** One element as Python writes the number: 1.5, 3, True, (1+2j). Elements without arithmetic by their bytes: 0x1f. */
void ptio_repr_element(ptio_out *out, ptio_dtype dtype, const char *element);

#endif
