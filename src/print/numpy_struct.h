/*
 * The elements of NumPy's arrays of records, and the records themselves: (1, [0.5, 2. ], 'a').
 */
#ifndef PTIO_PRINT_NUMPY_STRUCT_H
#define PTIO_PRINT_NUMPY_STRUCT_H

#include "print/grid.h"
#include "torch/meaning.h"

/** How each field that is no record itself is written. */
typedef struct ptio_nprecord {
    const ptio_npdtype *dtype;
    struct ptio_npcells *cells; /* `count`, in the order of the fields */
    size_t count;
    bool one; /* of an array of no dimensions, or of none */
    ptio_heap *heap;
} ptio_nprecord;

/** What an element of a dtype costs to write: values and brackets. 0 where it is not written as a record: its fields nest too deeply, hold
 * objects, or arrays that would be cut; or it has none. */
size_t ptio_nprecord_cost(const ptio_npdtype *dtype);

/** Look at all elements that are shown and settle how their fields are written. False: no memory. */
bool ptio_nprecord_fit(ptio_nprecord *ret, const ptio_npdtype *dtype, const ptio_grid *grid, ptio_heap *heap);

/** Write an element. */
void ptio_nprecord_write(const ptio_nprecord *record, ptio_out *out, const char *element);

/** Write one that is no element of an array: its floats as str() has them. False: no memory. */
bool ptio_nprecord_write_one(ptio_out *out, const ptio_npdtype *dtype, const char *element, ptio_heap *heap);

void ptio_nprecord_free(ptio_nprecord *record);

#endif
