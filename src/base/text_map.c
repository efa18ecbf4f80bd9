#include "base/text_map.h"

static ptio_text_slot *slot_of(const ptio_text_map *map, ptio_text_slot *slots, size_t count, ptio_text text)
{
    for (size_t i = (size_t)ptio_hash(map->hash_key, text.bytes, text.size);; i++) {
        ptio_text_slot *slot = &slots[i & (count - 1)];
        if (!slot->text.bytes || ptio_text_equal(slot->text, text))
            return slot;
    }
}

static bool grow(ptio_text_map *map, ptio_heap *heap)
{
    size_t bytes, count = map->slot_count ? map->slot_count * 2 : 64;
    ptio_text_slot *slots = ptio_mul_size(count, sizeof *slots, &bytes) ? ptio_heap_resize(heap, NULL, 0, bytes) : NULL;
    if (!slots)
        return false;
    memset(slots, 0, bytes);
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].text.bytes)
            *slot_of(map, slots, count, map->slots[i].text) = map->slots[i];
    ptio_heap_free(heap, map->slots, map->slot_count * sizeof *map->slots);
    map->slots = slots;
    map->slot_count = count;
    return true;
}

bool ptio_text_map_get(const ptio_text_map *map, ptio_text text, uint32_t *ret)
{
    if (!map->slot_count)
        return false;
    const ptio_text_slot *slot = slot_of(map, map->slots, map->slot_count, text);
    *ret = slot->number;
    return slot->text.bytes != NULL;
}

bool ptio_text_map_put(ptio_text_map *map, ptio_heap *heap, ptio_text text, uint32_t number)
{
    if (map->used >= map->slot_count / 2 && !grow(map, heap))
        return false;
    ptio_text_slot *slot = slot_of(map, map->slots, map->slot_count, text);
    map->used += !slot->text.bytes;
    *slot = (ptio_text_slot){text, number};
    return true;
}

void ptio_text_map_free(ptio_text_map *map, ptio_heap *heap)
{
    ptio_heap_free(heap, map->slots, map->slot_count * sizeof *map->slots);
    map->slots = NULL;
    map->slot_count = map->used = 0;
}
