/*
 * Open addressing with linear probing over addresses, at most half full.
 */
#include "torch/seen.h"

#include <string.h>

static size_t home_of(const ptio_seen *seen, const void *value)
{
    /* Addresses are not chosen by the file, so a plain multiplication spreads them well enough. */
    return (size_t)((uint64_t)(uintptr_t)value * 0x9E3779B97F4A7C15u >> 24) & (seen->capacity - 1);
}

static ptio_seen_slot *slot_of(const ptio_seen *seen, const void *value)
{
    size_t at = home_of(seen, value);
    while (seen->slots[at].value && seen->slots[at].value != value)
        at = (at + 1) & (seen->capacity - 1);
    return &seen->slots[at];
}

static bool grow_to(ptio_seen *seen, size_t capacity)
{
    ptio_seen grown = {.heap = seen->heap, .count = seen->count, .capacity = capacity};
    grown.slots = ptio_heap_resize(seen->heap, NULL, 0, grown.capacity * sizeof *grown.slots);
    if (!grown.slots)
        return false;
    memset(grown.slots, 0, grown.capacity * sizeof *grown.slots);
    for (size_t i = 0; i < seen->capacity; i++) {
        if (seen->slots[i].value)
            *slot_of(&grown, seen->slots[i].value) = seen->slots[i];
    }
    ptio_seen_free(seen);
    *seen = grown;
    return true;
}

bool ptio_seen_reserve(ptio_seen *seen, size_t count)
{
    size_t capacity = 64;
    while (capacity / 2 <= count && capacity <= SIZE_MAX / 64)
        capacity *= 2;
    return capacity <= seen->capacity || grow_to(seen, capacity);
}

bool ptio_seen_add(ptio_seen *seen, const void *value, uint64_t number, uint64_t *ret, bool *is_new)
{
    if (seen->count * 2 >= seen->capacity && !grow_to(seen, seen->capacity ? seen->capacity * 2 : 64))
        return false;
    ptio_seen_slot *slot = slot_of(seen, value);
    *is_new = !slot->value;
    if (*is_new) {
        *slot = (ptio_seen_slot){value, number};
        seen->count++;
    }
    *ret = slot->number;
    return true;
}

void ptio_seen_remove(ptio_seen *seen, const void *value)
{
    if (!seen->capacity)
        return;
    size_t hole = (size_t)(slot_of(seen, value) - seen->slots);
    if (!seen->slots[hole].value)
        return;
    seen->count--;
    /* Move up what probed past the hole, so that no search stops at it. */
    for (size_t at = hole;;) {
        seen->slots[hole].value = NULL;
        for (;;) {
            at = (at + 1) & (seen->capacity - 1);
            if (!seen->slots[at].value)
                return;
            size_t home = home_of(seen, seen->slots[at].value);
            if (((at - home) & (seen->capacity - 1)) >= ((at - hole) & (seen->capacity - 1)))
                break;
        }
        seen->slots[hole] = seen->slots[at];
        hole = at;
    }
}

void ptio_seen_free(ptio_seen *seen)
{
    ptio_heap_free(seen->heap, seen->slots, seen->capacity * sizeof *seen->slots);
    seen->slots = NULL;
    seen->count = seen->capacity = 0;
}
