/*
 * The records that a writer has written so far: what the directory will say of each, and whether a name is taken.
 */
#ifndef PTIO_ARCHIVE_WRITTEN_H
#define PTIO_ARCHIVE_WRITTEN_H

#include <string.h>

#include "archive/zip_layout.h"
#include "base/error.h"
#include "base/memory.h"

typedef struct ptio_written {
    const char *name; /* without root */
    uint32_t name_size;
    uint32_t hash; /* of the name folded */
    ptio_zip_item item;
} ptio_written;

typedef struct ptio_written_table {
    ptio_heap *heap;
    ptio_arena names;
    ptio_written *records; /* in the order of writing */
    size_t count, capacity;
    uint32_t *slots; /* hash table of names: index + 1, 0 empty */
    size_t slot_count;
    uint64_t hash_key;

    /* data/0, data/1 and so on, as long as they come in this order and one behind the other: found by their numbers, and in no slot. */
    size_t first, numbered; /* index of data/0, and how many there are */
    char next[16];          /* the name of the next one                */
    size_t next_size;
    bool is_mixed; /* there are other names below data/: all are in the hash table */
} ptio_written_table;

static inline ptio_text ptio_written_name(const ptio_written *record)
{
    return (ptio_text){record->name, record->name_size};
}

void ptio_written_init(ptio_written_table *table, ptio_heap *heap);
void ptio_written_free(ptio_written_table *table);

/** Add a record. The name is copied.
 *  Errors     PTIO_ERR_ARGUMENT "zip.duplicate", also where the names differ as readers do not see it: "A", "a"; PTIO_ERR_MEMORY */
ptio_status ptio_written_add(ptio_written_table *table, ptio_text name, const ptio_zip_item *item, ptio_error *err);

/** Bytes of the longest name that is found by its number. */
#define PTIO_WRITTEN_NUMBERED 14

/** Whether a record is the next of those by number: a plain path, and one that is not taken. */
static inline bool ptio_written_is_next(const ptio_written_table *table, ptio_text name)
{
    return name.size == table->next_size && name.size <= PTIO_WRITTEN_NUMBERED &&
           memcmp(name.bytes, table->next, name.size) == 0 && !table->is_mixed &&
           (!table->numbered || table->count == table->first + table->numbered);
}

/** The record of exactly this name, or NULL. */
const ptio_written *ptio_written_find(const ptio_written_table *table, ptio_text name);

#endif
