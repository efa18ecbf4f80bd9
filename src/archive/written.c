/*
 * An array in the order of writing, its names in an arena, and an open hash table over it, which is keyed, since names may come from a
 * file. Names are hashed and compared folded, as the reader does it: what it refuses as ambiguous is not written either.
 *
 * Nearly all records are called data/NUMBER, the numbers from 0 on. While that is so they are found by their number and are in no table,
 * which is most of the cost of a small record. The first other name below data/ ends it.
 */
#include "archive/written.h"

#include "archive/table.h"
#include "base/text.h"

void ptio_written_init(ptio_written_table *table, ptio_heap *heap)
{
    *table = (ptio_written_table){.heap = heap, .hash_key = ptio_os_random()};
    ptio_arena_init(&table->names, heap);
    memcpy(table->next, "data/0", 6);
    table->next_size = 6;
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

/* Whether it is data/NUMBER, a number as is written for it. */
static bool has_number(ptio_text name, size_t *ret)
{
    size_t number = 0, digits = name.size - 5;
    if (name.size < 6 || memcmp(name.bytes, "data/", 5) != 0 || digits > 9 || (name.bytes[5] == '0' && digits > 1))
        return false;
    for (size_t i = 5; i < name.size; i++) {
        unsigned digit = (unsigned)(unsigned char)name.bytes[i] - '0';
        if (digit > 9)
            return false;
        number = number * 10 + digit;
    }
    *ret = number;
    return true;
}

/* Whether readers may take it for a name below data/. */
static bool is_below_data(ptio_text name)
{
    char folded[5];
    if (name.size < sizeof folded)
        return false;
    ptio_table_fold(folded, name.bytes, sizeof folded);
    return memcmp(folded, "data/", sizeof folded) == 0;
}

/* 9 becomes 10. */
static void count_up(ptio_written_table *table)
{
    size_t at = table->next_size;
    while (at > 5 && table->next[at - 1] == '9')
        table->next[--at] = '0';
    if (at > 5) {
        table->next[at - 1]++;
        return;
    }
    table->next[5] = '1';
    table->next[table->next_size++] = '0';
}

const ptio_written *ptio_written_find(const ptio_written_table *table, ptio_text name)
{
    size_t number;
    if (!table->is_mixed && has_number(name, &number))
        return number < table->numbered ? &table->records[table->first + number] : NULL;
    if (!table->slot_count)
        return NULL;
    uint32_t slot = *find_slot(table, name, hash_name(table, name));
    const ptio_written *found = slot ? &table->records[slot - 1] : NULL;
    return found && ptio_text_equal(name, ptio_written_name(found)) ? found : NULL;
}

static bool is_in_slot(const ptio_written_table *table, size_t index)
{
    return table->is_mixed || index - table->first >= table->numbered;
}

static ptio_status make_slots(ptio_written_table *table, size_t slot_count, ptio_error *err)
{
    size_t mask = slot_count - 1;
    uint32_t *slots = ptio_heap_resize(table->heap, NULL, 0, slot_count * sizeof *slots);
    if (!slots)
        return ptio_heap_fail(table->heap, err, "the table of records");
    memset(slots, 0, slot_count * sizeof *slots);
    for (size_t i = 0; i < table->count; i++) {
        if (!is_in_slot(table, i))
            continue;
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

/* At most half of the slots are taken. */
static ptio_status reserve_slot(ptio_written_table *table, ptio_error *err)
{
    size_t taken = table->count - (table->is_mixed ? 0 : table->numbered);
    if (taken < table->slot_count / 2)
        return PTIO_OK;
    return make_slots(table, table->slot_count ? table->slot_count * 2 : 64, err);
}

/* From now on all names are in the hash table. */
static ptio_status mix(ptio_written_table *table, ptio_error *err)
{
    size_t slot_count = table->slot_count ? table->slot_count : 64;
    while (slot_count / 2 <= table->count)
        slot_count *= 2;
    for (size_t i = 0; i < table->numbered; i++) {
        ptio_written *record = &table->records[table->first + i];
        record->hash = hash_name(table, ptio_written_name(record));
    }
    table->is_mixed = true;
    ptio_status status = table->numbered ? make_slots(table, slot_count, err) : PTIO_OK;
    table->is_mixed = status == PTIO_OK;
    return status;
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

/* There is room for it. */
static ptio_status keep(ptio_written_table *table, ptio_text name, uint32_t hash, const ptio_zip_item *item, ptio_error *err)
{
    ptio_text kept = ptio_arena_text(&table->names, name);
    if (!kept.bytes)
        return ptio_heap_fail(table->heap, err, "the name of a record");
    table->records[table->count++] =
        (ptio_written){.name = kept.bytes, .name_size = (uint32_t)kept.size, .hash = hash, .item = *item};
    return PTIO_OK;
}

static ptio_status add_next(ptio_written_table *table, ptio_text name, const ptio_zip_item *item, ptio_error *err)
{
    ptio_status status = keep(table, name, 0, item, err);
    if (status != PTIO_OK)
        return status;
    if (!table->numbered++)
        table->first = table->count - 1;
    count_up(table);
    return PTIO_OK;
}

static ptio_status add_hashed(ptio_written_table *table, ptio_text name, const ptio_zip_item *item, ptio_error *err)
{
    ptio_status status = !table->is_mixed && is_below_data(name) ? mix(table, err) : PTIO_OK;
    if (status == PTIO_OK)
        status = reserve_slot(table, err);
    if (status != PTIO_OK)
        return status;
    uint32_t hash = hash_name(table, name), *slot = find_slot(table, name, hash);
    if (*slot)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.duplicate", PTIO_NO_OFFSET,
                         "'%s' cannot be added: there is a record '%s' already", ptio_quote(name).text,
                         ptio_quote(ptio_written_name(&table->records[*slot - 1])).text);
    status = keep(table, name, hash, item, err);
    if (status == PTIO_OK)
        *slot = (uint32_t)table->count;
    return status;
}

ptio_status ptio_written_add(ptio_written_table *table, ptio_text name, const ptio_zip_item *item, ptio_error *err)
{
    ptio_status status = reserve_record(table, err);
    if (status != PTIO_OK)
        return status;
    return ptio_written_is_next(table, name) ? add_next(table, name, item, err) : add_hashed(table, name, item, err);
}
