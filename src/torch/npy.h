/*
 * The .npy format of NumPy: a header that tells dtype, order and shape, then the elements, or a pickle where they are objects.
 *
 *     \x93NUMPY  major minor  header size (2 bytes in 1.0, 4 in 2.0 and 3.0)  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *
 * Source: numpy/lib/format.py
 */
#ifndef PTIO_TORCH_NPY_H
#define PTIO_TORCH_NPY_H

#include "torch/make.h"

/** Bytes before the header's text, at most; so many are read to learn how long the header is. */
#define PTIO_NPY_START 12

typedef struct ptio_npy {
    const ptio_npdtype *dtype;
    size_t ndim;
    const int64_t *shape;
    bool fortran;
    uint64_t data_offset; /* from the magic on                                    */
    uint64_t nbytes;      /* of the elements; of arrays of objects without meaning */
} ptio_npy;

/** The size of magic and header, from the first bytes: PTIO_NPY_START of them, or as many as there are. */
ptio_status ptio_npy_header_size(ptio_text start, uint64_t *ret, ptio_error *err);

/** Parse a header that is in memory whole, magic and all. Offsets of errors count from the magic. */
ptio_status ptio_npy_parse_header(ptio_loader *loader, ptio_text header, ptio_npy *ret, ptio_error *err);

/** The array: over `data`, which has the array's bytes and lives as long as the checkpoint; or of objects, whose pickle begins
 *  `data`. *used is how many bytes of it they take. `record` and `offset` (of data, in the record) are for errors. */
ptio_status ptio_npy_value(ptio_maker *maker, const ptio_npy *npy, ptio_text data, ptio_text record, uint64_t offset,
                           const ptio_value **ret, uint64_t *used, ptio_error *err);

#endif
