/*
 * A hash set of pointers with one bit each: open addressing, at most three quarters full, eight bytes a slot.
 *
 * Pointers into an arena are not chosen by a file, so a multiplication is hash enough.
 */
#include "print/visited.h"

#include <string.h>

#define FIRST_CAPACITY 64
#define INSIDE ((uintptr_t)1)

static size_t slot_of(const ptio_visited *set, uintptr_t pointer)
{
    size_t mask = set->capacity - 1;
    size_t at = (size_t)((uint64_t)pointer * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (set->slots[at] && (set->slots[at] & ~INSIDE) != pointer)
        at = (at + 1) & mask;
    return at;
}

static bool grow(ptio_visited *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : FIRST_CAPACITY, bytes;
    if (!ptio_mul_size(capacity, sizeof *set->slots, &bytes))
        return false;
    uintptr_t *slots = ptio_heap_resize(set->heap, NULL, 0, bytes);
    if (!slots)
        return false;
    memset(slots, 0, bytes);
    ptio_visited old = *set;
    set->slots = slots;
    set->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i])
            set->slots[slot_of(set, old.slots[i] & ~INSIDE)] = old.slots[i];
    ptio_heap_free(set->heap, old.slots, old.capacity * sizeof *old.slots);
    return true;
}

ptio_visit_state ptio_visited_enter(ptio_visited *set, const void *value)
{
    if (set->count >= set->capacity / 4 * 3 && !grow(set))
        return PTIO_VISIT_FAILED;
    uintptr_t *slot = &set->slots[slot_of(set, (uintptr_t)value)];
    if (*slot & INSIDE)
        return PTIO_VISIT_CYCLE;
    bool first = !*slot;
    *slot = (uintptr_t)value | INSIDE;
    set->count += first;
    return first ? PTIO_VISIT_FIRST : PTIO_VISIT_AGAIN;
}

void ptio_visited_leave(ptio_visited *set, const void *value)
{
    set->slots[slot_of(set, (uintptr_t)value)] &= ~INSIDE;
}

void ptio_visited_free(ptio_visited *set)
{
    ptio_heap_free(set->heap, set->slots, set->capacity * sizeof *set->slots);
    *set = (ptio_visited){.heap = set->heap};
}
