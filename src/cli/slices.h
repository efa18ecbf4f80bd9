/*
 * --slice: what of a tensor, in Python's words: "0:10,::2,3".
 */
#ifndef PTIO_CLI_SLICES_H
#define PTIO_CLI_SLICES_H

#include "cli/pieces.h"

/** A part of a tensor. An index takes one place of its dimension, which the part does not have then. */
typedef struct sliced {
    pieces_cut cuts[PIECES_DIMENSIONS]; /* of each dimension of the tensor */
    bool dropped[PIECES_DIMENSIONS];
    size_t ndim; /* of the part, with its shape and strides in elements of the storage */
    int64_t shape[PIECES_DIMENSIONS], stride[PIECES_DIMENSIONS];
    uint64_t numel;
} sliced;

/** Read it; text NULL takes all. PTIO_ERR_ARGUMENT with what is wrong, as Python words it. */
ptio_status slices_read(const char *text, const ptio_tensor *tensor, sliced *ret, ptio_error *err);

#endif
