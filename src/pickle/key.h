/*
 * Keys: which values are one key of a dict or one item of a set, and their hashes.
 *
 * As in Python, 1, 1.0 and True are one key, NaN equals only itself, and a str never equals bytes. Tuples are compared by their
 * items, frozensets by theirs in any order, globals by module and name; objects and persistent ids are keys by identity.
 *
 * What an object is seen as counts: bytes of a pickle below protocol 3 are a call of _codecs.encode, frozensets of one below 4 a
 * call too. So a key that is or holds an object is the key it is only once the objects were interpreted.
 */
#ifndef PTIO_PICKLE_KEY_H
#define PTIO_PICKLE_KEY_H

#include "pickle/graph.h"

/** What a key is compared by: numbers of all types are one class. */
typedef enum ptio_key_class {
    PTIO_KEY_IDENTITY,
    PTIO_KEY_NUMBER,
    PTIO_KEY_STR,
    PTIO_KEY_BYTES,
    PTIO_KEY_DEVICE,
    PTIO_KEY_LAYOUT,
    PTIO_KEY_GLOBAL,
    PTIO_KEY_TUPLE,
    PTIO_KEY_FROZENSET,
    PTIO_KEY_UNHASHABLE
} ptio_key_class;

ptio_key_class ptio_key_class_of(const ptio_value *key);

/** Whether a key is a number that equals an int of 64 bits; then *ret is it. */
bool ptio_key_int64(const ptio_value *key, int64_t *ret);

/** The text that a key of the classes STR, BYTES, DEVICE and LAYOUT is compared by. */
ptio_text ptio_key_text(const ptio_value *key);

/** Whether what a key equals may depend on objects: it is one, or a frozenset, or holds one. Of tuples that were checked. */
static inline bool ptio_key_is_late(const ptio_value *key)
{
    return key->type == PTIO_NODE_TYPE_REDUCED || key->type == PTIO_NODE_TYPE_FROZENSET || (key->flags & PTIO_NODE_LATE_KEY);
}

/** A tuple or frozenset whose items are being looked at, up to `next`. */
typedef struct ptio_key_frame {
    const ptio_value *key;
    const ptio_value *const *items, *const *others; /* of it, and of what it is compared with           */
    uint64_t hash;                                  /* so far                                            */
    uint32_t count, next;
    uint32_t tried;     /* frozensets: other items that item `next` does not equal   */
    bool any_order;     /* a frozenset                                               */
    bool item_compared; /* what item `next` gave is to be looked at                  */
    bool late;          /* checks: an item is (ptio_key_is_late)                     */
} ptio_key_frame;

typedef struct ptio_key_hash_slot {
    const ptio_value *key; /* NULL: empty */
    uint64_t hash;
} ptio_key_hash_slot;

/**
 * What hashing and comparing need beside the keys. Without a heap there is room for the frames that the caller gives, and no
 * hash is remembered.
 */
typedef struct ptio_key_work {
    ptio_heap *heap;
    ptio_error *err;
    uint64_t hash_key;
    uint64_t steps; /* left: items that may be hashed or compared */
    ptio_key_frame *frames;
    size_t depth, frame_capacity;
    ptio_key_hash_slot *hashes;       /* of each tuple and frozenset that was hashed           */
    size_t hash_count, hash_capacity; /* a power of two, or 0                                  */
} ptio_key_work;

/** Work for a pickle of `size` bytes. */
void ptio_key_work_begin(ptio_key_work *work, ptio_heap *heap, uint64_t hash_key, size_t size, ptio_error *err);
void ptio_key_work_end(ptio_key_work *work);

/** Take steps. PTIO_ERR_LIMIT where there are too few. */
ptio_status ptio_key_take_steps(ptio_key_work *work, uint64_t steps);

/** The hashes of an int, and of a text of this class. */
uint64_t ptio_key_hash_int(uint64_t hash_key, int64_t value);
uint64_t ptio_key_hash_text(uint64_t hash_key, ptio_key_class class, ptio_text text);

/**
 * The hash of any key, and whether two are equal.
 *
 * Errors     PTIO_ERR_MEMORY; PTIO_ERR_LIMIT the steps are used up
 */
ptio_status ptio_key_hash_any(ptio_key_work *work, const ptio_value *key, uint64_t *ret);
ptio_status ptio_key_equal(ptio_key_work *work, const ptio_value *a, const ptio_value *b, bool *ret);

/** Like ptio_key_hash_any(), for the keys that nearly all dicts have. */
static inline ptio_status ptio_key_hash(ptio_key_work *work, const ptio_value *key, uint64_t *ret)
{
    if (key->type != PTIO_NODE_TYPE_STR)
        return ptio_key_hash_any(work, key, ret);
    *ret = ptio_key_hash_text(work->hash_key, PTIO_KEY_STR, ptio_node_text_of(key));
    return PTIO_OK;
}

/**
 * Whether a value may be a key of a dict or an item of a set: no list, dict, set or bytearray, nor a tuple that holds one.
 *
 * Tuples that may are marked, so that each is looked at once however often it is used. Where it is not `settled`, objects may be
 * anything yet: a tuple that holds some is looked at once more after they were interpreted.
 */
ptio_status ptio_key_check(ptio_heap *heap, const ptio_value *key, bool settled, bool *ret, ptio_error *err);

#endif
