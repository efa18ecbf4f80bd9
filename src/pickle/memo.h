/*
 * The memo of the pickle machine: numbers to nodes.
 *
 * Picklers count up from 0 or 1, so numbers near those seen before lie in a flat array. A number far ahead would make that
 * array as large as the file pleases; it goes to a hash table, whose cost is bounded by the five bytes that each such PUT takes.
 */
#ifndef PTIO_PICKLE_MEMO_H
#define PTIO_PICKLE_MEMO_H

#include "base/memory.h"

typedef struct ptio_memo_slot {
    uint64_t number;
    ptio_value *value; /* NULL: empty */
} ptio_memo_slot;

typedef struct ptio_memo {
    ptio_value **flat; /* NULL where there is nothing */
    size_t flat_capacity;
    size_t flat_count;    /* of them made use of: the others are not even zeroed */
    size_t count;         /* distinct numbers, in both: the next one of MEMOIZE */
    size_t straight_most; /* flat_capacity while all numbers counted up from 0, each taken once; 0 from then on */
    ptio_memo_slot *slots;
    size_t slot_count, slots_used; /* a power of two, or 0 */
    uint64_t hash_key;
    ptio_heap *heap;
    ptio_arena *arena; /* of the flat array, which is given back to it */
} ptio_memo;

/** Room for the numbers below `count`, so that the array needs not grow to it. False where there is no memory. */
bool ptio_memo_reserve(ptio_memo *memo, size_t count);

/** What is under a number, or NULL. */
ptio_value *ptio_memo_get(const ptio_memo *memo, uint64_t number);

/** Put a value under a number, in place of what was there. False where there is no memory. */
bool ptio_memo_put(ptio_memo *memo, uint64_t number, ptio_value *value);

void ptio_memo_free(ptio_memo *memo);

#endif
