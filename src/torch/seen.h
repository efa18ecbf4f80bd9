/*
 * A set of values by identity, each with a number: which were met before, in walks and lists.
 */
#ifndef PTIO_TORCH_SEEN_H
#define PTIO_TORCH_SEEN_H

#include "base/memory.h"

typedef struct ptio_seen_slot {
    const void *value; /* NULL: empty */
    uint64_t number;
} ptio_seen_slot;

/** Ready when zeroed, but for `heap`. */
typedef struct ptio_seen {
    ptio_heap *heap;
    ptio_seen_slot *slots;
    size_t count, capacity; /* capacity is 0 or a power of two */
} ptio_seen;

/** The number of `value`; it becomes `number`, and *is_new true, where it is new. False where there is no memory. */
bool ptio_seen_add(ptio_seen *seen, const void *value, uint64_t number, uint64_t *ret, bool *is_new);

/** Make room for `count` values at once. False where there is no memory. */
bool ptio_seen_reserve(ptio_seen *seen, size_t count);

/** Take a value out again. */
void ptio_seen_remove(ptio_seen *seen, const void *value);

void ptio_seen_free(ptio_seen *seen);

#endif
