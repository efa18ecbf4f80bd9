/*
 * A hash table from addresses to numbers: open addressing, at most three quarters full.
 */
#include "cli/seen.h"

#include <stdlib.h>

static size_t slot_of(const seen *set, const void *thing)
{
    size_t mask = set->capacity - 1;
    size_t at = (size_t)((uint64_t)(uintptr_t)thing * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (set->entries[at].thing && set->entries[at].thing != thing)
        at = (at + 1) & mask;
    return at;
}

static bool grow(seen *set)
{
    seen larger = {.capacity = set->capacity ? set->capacity * 2 : 256, .count = set->count};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries)
        return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->entries[i].thing)
            larger.entries[slot_of(&larger, set->entries[i].thing)] = set->entries[i];
    free(set->entries);
    *set = larger;
    return true;
}

seen_entry *seen_find(seen *set, const void *thing, bool *fresh)
{
    if (set->count >= set->capacity / 4 * 3 && !grow(set))
        return NULL;
    seen_entry *entry = &set->entries[slot_of(set, thing)];
    *fresh = !entry->thing;
    if (*fresh) {
        entry->thing = thing;
        set->count++;
    }
    return entry;
}

void seen_free(seen *set)
{
    free(set->entries);
    *set = (seen){0};
}
