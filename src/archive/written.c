/*
 * An array in the order of writing, its names in an arena, and an open hash table over it, which is keyed, since names may come from a
 * file. Names are hashed and compared folded, as the reader does it: what it refuses as ambiguous is not written either.
 */
#include "archive/written.h"

#include <string.h>

#include "archive/table.h"
#include "base/text.h"

void ptio_written_init(ptio_written_table *table, ptio_heap *heap)
{
    *table = (ptio_written_table){.heap = heap, .hash_key = ptio_os_random()};
    ptio_arena_init(&table->names, heap);
}

void ptio_written_free(ptio_written_table *table)
{
    ptio_heap_free(table->heap, table->slots, table->slot_count * sizeof *table->slots);
    ptio_heap_free(table->heap, table->records, table->capacity * sizeof *table->records);
    ptio_arena_free(&table->names);
}

/* In pieces, so that no memory is needed for a long name. */
static uint32_t hash_name(const ptio_written_table *table, ptio_text name)
{
    char folded[64];
    uint64_t hash = table->hash_key;
    for (size_t i = 0, n; i < name.size; i += n) {
        n = name.size - i < sizeof folded ? name.size - i : sizeof folded;
        ptio_table_fold(folded, name.bytes + i, n);
        hash = ptio_hash(hash, folded, n);
    }
    return (uint32_t)hash;
}

/* Where the name is, or belongs. There is always an empty slot. */
static uint32_t *find_slot(const ptio_written_table *table, ptio_text name, uint32_t hash)
{
    size_t mask = table->slot_count - 1, slot = hash & mask;
    for (; table->slots[slot]; slot = (slot + 1) & mask) {
        const ptio_written *other = &table->records[table->slots[slot] - 1];
        if (other->hash == hash && ptio_table_same(name, ptio_written_name(other)))
            break;
    }
    return &table->slots[slot];
}

const ptio_written *ptio_written_find(const ptio_written_table *table, ptio_text name)
{
    if (!table->slot_count)
        return NULL;
    uint32_t slot = *find_slot(table, name, hash_name(table, name));
    const ptio_written *found = slot ? &table->records[slot - 1] : NULL;
    return found && ptio_text_equal(name, ptio_written_name(found)) ? found : NULL;
}

/* At most half of the slots are taken. */
static ptio_status reserve_slot(ptio_written_table *table, ptio_error *err)
{
    if (table->count < table->slot_count / 2)
        return PTIO_OK;
    size_t slot_count = table->slot_count ? table->slot_count * 2 : 64, mask = slot_count - 1;
    uint32_t *slots = ptio_heap_resize(table->heap, NULL, 0, slot_count * sizeof *slots);
    if (!slots)
        return ptio_heap_fail(table->heap, err, "the table of records");
    memset(slots, 0, slot_count * sizeof *slots);
    for (size_t i = 0; i < table->count; i++) {
        size_t slot = table->records[i].hash & mask;
        while (slots[slot])
            slot = (slot + 1) & mask;
        slots[slot] = (uint32_t)i + 1;
    }
    ptio_heap_free(table->heap, table->slots, table->slot_count * sizeof *slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return PTIO_OK;
}

static ptio_status reserve_record(ptio_written_table *table, ptio_error *err)
{
    if (table->count < table->capacity)
        return PTIO_OK;
    ptio_written *moved = ptio_heap_grow(table->heap, table->records, &table->capacity, table->count + 1, sizeof *moved);
    if (!moved)
        return ptio_heap_fail(table->heap, err, "the table of records");
    table->records = moved;
    return PTIO_OK;
}

ptio_status ptio_written_add(ptio_written_table *table, ptio_text name, const ptio_zip_item *item, ptio_error *err)
{
    ptio_status status = reserve_slot(table, err);
    if (status == PTIO_OK)
        status = reserve_record(table, err);
    if (status != PTIO_OK)
        return status;
    uint32_t hash = hash_name(table, name), *slot = find_slot(table, name, hash);
    if (*slot)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.duplicate", PTIO_NO_OFFSET,
                         "'%s' cannot be added: there is a record '%s' already", ptio_quote(name).text,
                         ptio_quote(ptio_written_name(&table->records[*slot - 1])).text);
    ptio_text kept = ptio_arena_text(&table->names, name);
    if (!kept.bytes)
        return ptio_heap_fail(table->heap, err, "the name of a record");
    table->records[table->count] =
        (ptio_written){.name = kept.bytes, .name_size = (uint32_t)kept.size, .hash = hash, .item = *item};
    *slot = (uint32_t)++table->count;
    return PTIO_OK;
}
