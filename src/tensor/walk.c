/*
 * Walking the elements of a tensor without recursion: an odometer, whose last wheel is the run.
 */
#include "tensor/walk.h"

void ptio_element_walk_begin(ptio_element_walk *walk, const ptio_tensor *tensor)
{
    const int64_t *shape = tensor->dims, *stride = tensor->dims + tensor->ndim;
    walk->ndim = 0;
    walk->at = tensor->storage_offset;
    for (size_t i = 0; i < tensor->ndim; i++) {
        size_t last = walk->ndim - 1;
        if (shape[i] == 1)
            continue;
        if (walk->ndim > 0 && (uint64_t)walk->step[last] == (uint64_t)stride[i] * (uint64_t)shape[i]) {
            walk->size[last] *= shape[i];
            walk->step[last] = stride[i];
            continue;
        }
        walk->size[walk->ndim] = shape[i];
        walk->step[walk->ndim] = stride[i];
        walk->index[walk->ndim++] = 0;
    }
    if (walk->ndim == 0) {
        walk->ndim = 1;
        walk->size[0] = 1;
        walk->step[0] = 1;
        walk->index[0] = 0;
    }
}

/* Turn the wheels before the last one, which has come full circle. */
static void carry(ptio_element_walk *walk)
{
    for (size_t i = walk->ndim; i-- > 0;) {
        if (walk->index[i] < walk->size[i])
            return;
        walk->at -= walk->size[i] * walk->step[i];
        walk->index[i] = 0;
        if (i == 0)
            return;
        walk->index[i - 1]++;
        walk->at += walk->step[i - 1];
    }
}

int64_t ptio_element_walk_next(ptio_element_walk *walk, uint64_t most, uint64_t *length)
{
    size_t last = walk->ndim - 1;
    int64_t first = walk->at;
    uint64_t left = (uint64_t)(walk->size[last] - walk->index[last]);
    *length = left < most ? left : most;
    walk->index[last] += (int64_t)*length;
    walk->at += (int64_t)*length * walk->step[last];
    carry(walk);
    return first;
}
