/*
 * A map from texts to numbers. Its hash is keyed, so that a file cannot choose texts that collide.
 */
#ifndef PTIO_BASE_TEXT_MAP_H
#define PTIO_BASE_TEXT_MAP_H

#include "base/memory.h"
#include "base/text.h"

typedef struct ptio_text_slot {
    ptio_text text; /* bytes NULL: free */
    uint32_t number;
} ptio_text_slot;

/** Ready when zeroed, but for the key: ptio_os_random(). */
typedef struct ptio_text_map {
    uint64_t hash_key;
    ptio_text_slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
} ptio_text_map;

/** Whether the text is in the map; then *ret is what it stands for. */
bool ptio_text_map_get(const ptio_text_map *map, ptio_text text, uint32_t *ret);

/** Put or replace. The bytes, which are not NULL, must live as long as the map. False where there is no memory. */
bool ptio_text_map_put(ptio_text_map *map, ptio_heap *heap, ptio_text text, uint32_t number);

void ptio_text_map_free(ptio_text_map *map, ptio_heap *heap);

#endif
