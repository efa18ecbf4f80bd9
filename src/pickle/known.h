/*
 * The objects that a pickler has written, and the memo's number of each.
 *
 * They lie one after another, in the order of writing; a table of their places finds them by address. What was made one after another
 * is mostly written so too, and its places lie side by side in the table, four bytes each: a walk stays in the cache.
 */
#ifndef PTIO_PICKLE_KNOWN_H
#define PTIO_PICKLE_KNOWN_H

#include "base/memory.h"

typedef struct ptio_known_object {
    const ptio_value *object;
    uint32_t number;
} ptio_known_object;

/** Ready when zeroed. */
typedef struct ptio_known {
    ptio_known_object *objects;
    size_t count, capacity;
    uint32_t *slots;   /* place in `objects` + 1; 0: free     */
    size_t slot_count; /* a power of two, at least twice `count`; or 0 */
} ptio_known;

/* Neighbours within 4 KiB get slots side by side, at a place that looks random: objects written in the order of making walk through the
 * table as through memory. */
PTIO_INLINE size_t ptio_known_home(const ptio_value *object)
{
    uint64_t address = (uintptr_t)object, page = (address >> 12) * 0x9E3779B97F4A7C15u >> 32;
    return (size_t)(page << 8 | (address >> 4 & 255));
}

/* From a taken slot on to one of another page's. Why not the next: that is the neighbour's, and where two pages meet all of them pile up.
 * Odd, so that every slot is reached. */
#define PTIO_KNOWN_STEP 257

/** Where an object's place is, or belongs; there are slots. */
PTIO_INLINE uint32_t *ptio_known_slot(const ptio_known *known, const ptio_value *object)
{
    for (size_t i = ptio_known_home(object);; i += PTIO_KNOWN_STEP) {
        uint32_t *slot = &known->slots[i & (known->slot_count - 1)];
        if (!*slot || known->objects[*slot - 1].object == object)
            return slot;
    }
}

/** The object's entry, or NULL. */
PTIO_INLINE const ptio_known_object *ptio_known_find(const ptio_known *known, const ptio_value *object)
{
    uint32_t place = known->slot_count ? *ptio_known_slot(known, object) : 0;
    return place ? &known->objects[place - 1] : NULL;
}

/** Room for one more. False where there is no memory. */
bool ptio_known_grow(ptio_known *known, ptio_heap *heap);

/** Put an object, or give it another number. False where there is no memory. */
PTIO_INLINE bool ptio_known_put(ptio_known *known, ptio_heap *heap, const ptio_value *object, uint32_t number)
{
    if (PTIO_UNLIKELY(known->count >= known->slot_count / 2 || known->count == known->capacity) && !ptio_known_grow(known, heap))
        return false;
    uint32_t *slot = ptio_known_slot(known, object);
    if (!*slot)
        *slot = (uint32_t)++known->count;
    known->objects[*slot - 1] = (ptio_known_object){object, number};
    return true;
}

void ptio_known_free(ptio_known *known, ptio_heap *heap);

#endif
