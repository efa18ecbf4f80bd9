/* The objects that a pickler has written. See known.h. */
#include "pickle/known.h"

#include <string.h>

static bool grow_slots(ptio_known *known, ptio_heap *heap)
{
    size_t count = known->slot_count ? known->slot_count * 2 : 64, bytes;
    if (known->count >= UINT32_MAX || !ptio_mul_size(count, sizeof *known->slots, &bytes))
        return false;
    uint32_t *slots = ptio_heap_resize(heap, NULL, 0, bytes);
    if (!slots)
        return false;
    memset(slots, 0, bytes);
    ptio_heap_free(heap, known->slots, known->slot_count * sizeof *slots);
    known->slots = slots;
    known->slot_count = count;
    for (size_t i = 0; i < known->count; i++)
        *ptio_known_slot(known, known->objects[i].object) = (uint32_t)i + 1;
    return true;
}

bool ptio_known_grow(ptio_known *known, ptio_heap *heap)
{
    if (known->count == known->capacity) {
        ptio_known_object *grown =
            ptio_heap_grow(heap, known->objects, &known->capacity, known->count + 1, sizeof *known->objects);
        if (!grown)
            return false;
        known->objects = grown;
    }
    return known->count < known->slot_count / 2 || grow_slots(known, heap);
}

void ptio_known_free(ptio_known *known, ptio_heap *heap)
{
    ptio_heap_free(heap, known->objects, known->capacity * sizeof *known->objects);
    ptio_heap_free(heap, known->slots, known->slot_count * sizeof *known->slots);
    *known = (ptio_known){0};
}
