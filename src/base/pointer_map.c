#include "base/pointer_map.h"

bool ptio_pointer_map_grow(ptio_pointer_map *map, ptio_heap *heap)
{
    size_t count = map->slot_count ? map->slot_count * 4 : 256, bytes;
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

void ptio_pointer_map_free(ptio_pointer_map *map, ptio_heap *heap)
{
    ptio_heap_free(heap, map->slots, map->slot_count * sizeof *map->slots);
    *map = (ptio_pointer_map){0};
}
