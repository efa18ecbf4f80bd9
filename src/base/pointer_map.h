/*
 * A map from the addresses of objects to numbers. Objects that were made one after another lie so in an arena, and their slots here
 * too, so that a walk in the order of making stays in the cache.
 */
#ifndef PTIO_BASE_POINTER_MAP_H
#define PTIO_BASE_POINTER_MAP_H

#include <string.h>

#include "base/memory.h"

typedef struct ptio_pointer_slot {
    const void *pointer; /* NULL: free */
    uint64_t number;
} ptio_pointer_slot;

/** Ready when zeroed. */
typedef struct ptio_pointer_map {
    ptio_pointer_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
} ptio_pointer_map;

/* Neighbours of 256 bytes stay neighbours, 32 slots; where those are is spread by a multiplication, since the addresses of an arena are
 * more than the table has slots, and would pile up on one another if they were taken as they are. */
static inline size_t ptio_pointer_home(const void *pointer)
{
    uint64_t address = (uint64_t)(uintptr_t)pointer;
    return (size_t)((address >> 8) * 0x9E3779B97F4A7C15u >> 32 << 5 | (address >> 3 & 31));
}

PTIO_INLINE ptio_pointer_slot *ptio_pointer_slot_of(ptio_pointer_slot *slots, size_t count, const void *pointer)
{
    for (size_t i = ptio_pointer_home(pointer);; i++) {
        ptio_pointer_slot *slot = &slots[i & (count - 1)];
        if (slot->pointer == pointer || !slot->pointer)
            return slot;
    }
}

/** Whether `pointer` is in the map; then *number is what it stands for, of numbers that fit. */
PTIO_INLINE bool ptio_pointer_map_get(const ptio_pointer_map *map, const void *pointer, uint32_t *number)
{
    if (PTIO_UNLIKELY(!map->slot_count))
        return false;
    const ptio_pointer_slot *slot = ptio_pointer_slot_of(map->slots, map->slot_count, pointer);
    *number = (uint32_t)slot->number;
    return slot->pointer != NULL;
}

/** Make room for one more, or for `count` in all. False where there is no memory. */
bool ptio_pointer_map_grow(ptio_pointer_map *map, ptio_heap *heap);
bool ptio_pointer_map_reserve(ptio_pointer_map *map, ptio_heap *heap, size_t count);

/** Put or replace. False where there is no memory. */
PTIO_INLINE bool ptio_pointer_map_put(ptio_pointer_map *map, ptio_heap *heap, const void *pointer, uint32_t number)
{
    if (PTIO_UNLIKELY(map->used >= map->slot_count / 2) && !ptio_pointer_map_grow(map, heap))
        return false;
    ptio_pointer_slot *slot = ptio_pointer_slot_of(map->slots, map->slot_count, pointer);
    map->used += !slot->pointer;
    *slot = (ptio_pointer_slot){pointer, number};
    return true;
}

/** Put where it is new. *ret is what the pointer stands for, from before or now. False where there is no memory. */
bool ptio_pointer_map_add(ptio_pointer_map *map, ptio_heap *heap, const void *pointer, uint64_t number, uint64_t *ret,
                          bool *is_new);

/** Take a pointer out again, if it is there. */
void ptio_pointer_map_remove(ptio_pointer_map *map, const void *pointer);

void ptio_pointer_map_free(ptio_pointer_map *map, ptio_heap *heap);

#endif
