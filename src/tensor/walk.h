/*
 * The elements of a strided tensor in C order, run by run: a run is a part of the innermost dimension, evenly spaced.
 */
#ifndef PTIO_TENSOR_WALK_H
#define PTIO_TENSOR_WALK_H

#include "tensor/tensor.h"

/** Units: elements, counted from the beginning of the storage. Dimensions that follow each other without a gap are one. */
typedef struct ptio_element_walk {
    size_t ndim; /* at least 1 */
    int64_t size[PTIO_MOST_DIMENSIONS + 1], step[PTIO_MOST_DIMENSIONS + 1];
    int64_t index[PTIO_MOST_DIMENSIONS + 1];
    int64_t at; /* the element that comes next */
} ptio_element_walk;

/** Begin a walk over a tensor of the strided layout that has elements. */
void ptio_element_walk_begin(ptio_element_walk *walk, const ptio_tensor *tensor);

/** The first element of the next run, and its length, at most `most` > 0. Not to be called behind the last element. */
int64_t ptio_element_walk_next(ptio_element_walk *walk, uint64_t most, uint64_t *length);

/** Between the elements of a run. */
static inline int64_t ptio_element_walk_step(const ptio_element_walk *walk)
{
    return walk->step[walk->ndim - 1];
}

/** The length of whole runs. */
static inline int64_t ptio_element_walk_run(const ptio_element_walk *walk)
{
    return walk->size[walk->ndim - 1];
}

#endif
