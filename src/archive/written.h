/*
 * The records that a writer has written so far: what the directory will say of each, and whether a name is taken.
 */
#ifndef PTIO_ARCHIVE_WRITTEN_H
#define PTIO_ARCHIVE_WRITTEN_H

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

/** The record of exactly this name, or NULL. */
const ptio_written *ptio_written_find(const ptio_written_table *table, ptio_text name);

#endif
