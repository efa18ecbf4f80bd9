/*
 * The memo: a flat array for the numbers that count up, a hash table for the others. A number may be in both, when the array
 * grew over it; the array is right then.
 */
#include "pickle/memo.h"

#include <string.h>

#include "base/text.h"

static ptio_memo_slot *find_slot(const ptio_memo *memo, uint64_t number)
{
    size_t i = (size_t)ptio_hash(memo->hash_key, &number, sizeof number);
    for (;; i++) {
        ptio_memo_slot *slot = &memo->slots[i & (memo->slot_count - 1)];
        if (!slot->value || slot->number == number)
            return slot;
    }
}

ptio_value *ptio_memo_get(const ptio_memo *memo, uint64_t number)
{
    if (number < memo->flat_count && memo->flat[number])
        return memo->flat[number];
    return memo->slot_count ? find_slot(memo, number)->value : NULL;
}

static bool grow_slots(ptio_memo *memo)
{
    ptio_memo grown = *memo;
    size_t bytes;
    grown.slot_count = memo->slot_count ? memo->slot_count * 2 : 64;
    if (!ptio_mul_size(grown.slot_count, sizeof *grown.slots, &bytes))
        return false;
    grown.slots = ptio_heap_resize(memo->heap, NULL, 0, bytes);
    if (!grown.slots)
        return false;
    memset(grown.slots, 0, bytes);
    for (size_t i = 0; i < memo->slot_count; i++)
        if (memo->slots[i].value)
            *find_slot(&grown, memo->slots[i].number) = memo->slots[i];
    ptio_heap_free(memo->heap, memo->slots, memo->slot_count * sizeof *memo->slots);
    *memo = grown;
    return true;
}

static bool put_slot(ptio_memo *memo, uint64_t number, ptio_value *value)
{
    memo->straight_most = 0;
    if (memo->slots_used >= memo->slot_count / 4 * 3 && !grow_slots(memo))
        return false;
    ptio_memo_slot *slot = find_slot(memo, number);
    memo->slots_used += !slot->value;
    memo->count += !slot->value;
    *slot = (ptio_memo_slot){number, value};
    return true;
}

bool ptio_memo_reserve(ptio_memo *memo, size_t count)
{
    ptio_value **flat = ptio_arena_grow(memo->arena, memo->flat, &memo->flat_capacity, count, sizeof *flat);
    if (!flat)
        return false;
    memo->flat = flat;
    if (memo->count == memo->flat_count && !memo->slot_count)
        memo->straight_most = memo->flat_capacity;
    return true;
}

/* Make use of the array up to a number. */
static void extend(ptio_memo *memo, size_t number)
{
    if (number != memo->flat_count)
        memo->straight_most = 0;
    if (number < memo->flat_count)
        return;
    memset(memo->flat + memo->flat_count, 0, (number + 1 - memo->flat_count) * sizeof *memo->flat);
    memo->flat_count = number + 1;
}

/* Numbers below this are near enough: each PUT so far pays for two more places. */
static uint64_t flat_limit(const ptio_memo *memo)
{
    return 1024 + 2 * (uint64_t)memo->count;
}

bool ptio_memo_put(ptio_memo *memo, uint64_t number, ptio_value *value)
{
    if (number >= memo->flat_capacity && number < flat_limit(memo) && !ptio_memo_reserve(memo, (size_t)number + 1))
        return false;
    if (number >= memo->flat_capacity)
        return put_slot(memo, number, value);
    memo->count += !ptio_memo_get(memo, number);
    extend(memo, (size_t)number);
    memo->flat[number] = value;
    return true;
}

void ptio_memo_free(ptio_memo *memo)
{
    ptio_arena_give_back(memo->arena, memo->flat, memo->flat_capacity * sizeof *memo->flat);
    ptio_heap_free(memo->heap, memo->slots, memo->slot_count * sizeof *memo->slots);
    memo->flat = NULL;
    memo->slots = NULL;
}
