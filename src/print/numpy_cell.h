/*
 * How NumPy writes the elements of an array: like cell.h, by other rules.
 */
#ifndef PTIO_PRINT_NUMPY_CELL_H
#define PTIO_PRINT_NUMPY_CELL_H

#include "print/grid.h"

/** A dtype's code, "<f4", taken apart. */
typedef struct ptio_npcode {
    char order, kind;
    bool swapped;     /* the other byte order                         */
    ptio_dtype dtype; /* of numbers; else PTIO_NO_DTYPE               */
    const char *name; /* "float32" of numbers; else NULL              */
    ptio_text text;
} ptio_npcode;

ptio_npcode ptio_npcode_read(ptio_text text);

/** Whether an array need not tell its dtype: one that Python's own numbers become. */
bool ptio_npcode_is_implied(const ptio_npcode *code);

/** The value of a float, or both parts of a complex number. */
void ptio_npcode_floats(const ptio_npcode *code, const char *element, double ret[2]);

/** The format of one real column of floats. */
typedef struct ptio_npcolumn {
    bool scientific;
    size_t left, right; /* characters before and behind the point; of scientific ones `right` are the places */
    size_t exponent;    /* digits of the exponent                                                            */
    double low, high;
    double near[2], far[2]; /* magnitudes that were measured; [1]: of negative numbers */
    bool any, finite, odd, minus_inf;
} ptio_npcolumn;

typedef struct ptio_npcells {
    ptio_npcode code;
    size_t itemsize;
    size_t width; /* of whole numbers and bools          */
    bool one;     /* of no dimensions: a bool is not padded */
    ptio_npcolumn real, imag;
} ptio_npcells;

/** Look at all elements that are shown and settle how they are written. */
void ptio_npcells_fit(ptio_npcells *cells, const ptio_grid *grid);

/** The same one by one: look at each, settle, measure each, and end. */
void ptio_npcells_look(ptio_npcells *cells, const char *element);
void ptio_npcells_settle(ptio_npcells *cells);
void ptio_npcells_measure(ptio_npcells *cells, const char *element);
void ptio_npcells_end(ptio_npcells *cells);

/** The text of an element: at most PTIO_CELL_ROOM bytes. */
size_t ptio_npcells_text(const ptio_npcells *cells, const char *element, char *text);

/** The same of elements that are no numbers. */
size_t ptio_npcells_other(const ptio_npcells *cells, const char *element, char *text);

/** One element of `size` bytes as the repr() of its scalar has it between the parentheses: 0.1 of a float32, 1+2j. */
void ptio_repr_npscalar_value(ptio_out *out, const ptio_npcode *code, const char *element, size_t size);

#endif
