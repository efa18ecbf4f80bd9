/*
 * The elements of a tensor, or of a part of it, in pieces: memory stays bounded whatever a tensor's size.
 */
#ifndef PTIO_CLI_PIECES_H
#define PTIO_CLI_PIECES_H

#include "cli/cli.h"

/** Dimensions that a tensor can have, as in PyTorch. */
#define PIECES_DIMENSIONS 64

/** Elements of a piece: 1 MiB of float64. */
#define PIECES_ELEMENTS ((uint64_t)1 << 17)

/** Room for a piece in every dtype. */
#define PIECES_BYTES ((size_t)PIECES_ELEMENTS * 16)

/** What is left of one dimension: `count` elements from `start` on, each `step` further. */
typedef struct pieces_cut {
    int64_t start, count, step;
} pieces_cut;

typedef enum pieces_order {
    PIECES_IN_C_ORDER, /* piece after piece is the part in C order          */
    PIECES_AS_STORED   /* by falling stride: a file is read from one end to the other */
} pieces_order;

/** Where a walk over the pieces is. A piece is a block: `count` elements, of size[d] from first[d] on in each dimension. */
typedef struct pieces {
    const ptio_tensor *tensor;
    size_t ndim;
    pieces_cut cuts[PIECES_DIMENSIONS]; /* of the whole part                                 */
    size_t order[PIECES_DIMENSIONS];    /* dimensions, outermost first                       */
    size_t split;                       /* of those, the one that pieces divide; ndim: none  */
    int64_t most;                       /* of that one, in a piece                           */
    int64_t first[PIECES_DIMENSIONS], size[PIECES_DIMENSIONS];
    uint64_t count; /* elements of the piece          */
    uint64_t total; /* of the whole part              */
    uint64_t done;  /* in the pieces before this one  */
    ptio_slice slices[PIECES_DIMENSIONS];
} pieces;

/** Begin. `cuts` has one for each dimension; NULL: all of all. */
void pieces_begin(pieces *p, const ptio_tensor *tensor, const pieces_cut *cuts, pieces_order order);

/** Go to the next piece, the first at first. False behind the last. */
bool pieces_next(pieces *p);

/** Copy the elements of this piece, in C order, cast to `dtype`. Units: bytes. */
ptio_status pieces_read(const pieces *p, ptio_dtype dtype, void *buffer, ptio_error *err);

/** Read the same piece of another tensor of this shape. */
ptio_status pieces_read_other(const pieces *p, const ptio_tensor *other, ptio_dtype dtype, void *buffer, ptio_error *err);

/** Where element `at` of the piece is in the part: `ndim` indexes. */
void pieces_place(const pieces *p, uint64_t at, int64_t *place);

/** Refuse a tensor that shows the elements of its storage far more often than a file has them, as copies of whole ones do. */
ptio_status pieces_check(const ptio_tensor *tensor, uint64_t numel, const ptio_limits *limits, ptio_error *err);

/** Whether a tensor is one of elements that can be asked for: neither composed nor on the meta device. */
bool pieces_has_elements(const ptio_tensor *tensor);

/** Storages of up to so many bytes are read whole; larger ones are read in pieces, after their checksum was compared. */
#define PIECES_WHOLE ((uint64_t)64 << 20)

/** All of a tensor is about to be read: reads its storage if that is not too large, compares its checksum, if it is not to be `mapped`, and
 *  gives back the one that was read before. `*held` is the caller's, NULL at first. */
ptio_status pieces_hold(const ptio_tensor *tensor, const ptio_storage **held, bool mapped, ptio_error *err);

#endif
