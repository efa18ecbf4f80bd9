#include "base/pointer_map.h"

static bool grow_to(ptio_pointer_map *map, ptio_heap *heap, size_t count)
{
    size_t bytes;
    ptio_pointer_slot *slots = ptio_mul_size(count, sizeof *slots, &bytes) ? ptio_heap_resize(heap, NULL, 0, bytes) : NULL;
    if (!slots)
        return false;
    memset(slots, 0, bytes);
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].pointer)
            *ptio_pointer_slot_of(slots, count, map->slots[i].pointer) = map->slots[i];
    ptio_heap_free(heap, map->slots, map->slot_count * sizeof *map->slots);
    map->slots = slots;
    map->slot_count = count;
    return true;
}

bool ptio_pointer_map_grow(ptio_pointer_map *map, ptio_heap *heap)
{
    return grow_to(map, heap, map->slot_count ? map->slot_count * 4 : 256);
}

bool ptio_pointer_map_reserve(ptio_pointer_map *map, ptio_heap *heap, size_t count)
{
    size_t slots = 256;
    while (slots / 2 <= count && slots <= SIZE_MAX / 64)
        slots *= 2;
    return slots <= map->slot_count || grow_to(map, heap, slots);
}

bool ptio_pointer_map_add(ptio_pointer_map *map, ptio_heap *heap, const void *pointer, uint64_t number, uint64_t *ret,
                          bool *is_new)
{
    if (map->used >= map->slot_count / 2 && !ptio_pointer_map_grow(map, heap))
        return false;
    ptio_pointer_slot *slot = ptio_pointer_slot_of(map->slots, map->slot_count, pointer);
    *is_new = !slot->pointer;
    if (*is_new) {
        *slot = (ptio_pointer_slot){pointer, number};
        map->used++;
    }
    *ret = slot->number;
    return true;
}

void ptio_pointer_map_remove(ptio_pointer_map *map, const void *pointer)
{
    if (!map->slot_count)
        return;
    size_t mask = map->slot_count - 1;
    size_t hole = (size_t)(ptio_pointer_slot_of(map->slots, map->slot_count, pointer) - map->slots);
    if (!map->slots[hole].pointer)
        return;
    map->used--;
    /* Move up what probed past the hole, so that no search stops at it. */
    for (size_t at = hole;;) {
        map->slots[hole].pointer = NULL;
        for (;;) {
            at = (at + 1) & mask;
            if (!map->slots[at].pointer)
                return;
            size_t home = ptio_pointer_home(map->slots[at].pointer) & mask;
            if (((at - home) & mask) >= ((at - hole) & mask))
                break;
        }
        map->slots[hole] = map->slots[at];
        hole = at;
    }
}

void ptio_pointer_map_free(ptio_pointer_map *map, ptio_heap *heap)
{
    ptio_heap_free(heap, map->slots, map->slot_count * sizeof *map->slots);
    *map = (ptio_pointer_map){0};
}
