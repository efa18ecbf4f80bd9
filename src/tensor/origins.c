/*
 * Where the bytes of storages come from: records of an archive, memory, nothing but zeros. Other kinds are beside what loads them.
 */
#include "base/error.h"
#include "tensor/storage.h"

static ptio_archive *archive_of(const ptio_storage *storage)
{
    /* An archive notes in itself which local headers it has checked, under its own lock. */
    return (ptio_archive *)storage->origin_data;
}

/* Why: the archive fills a buffer of the record's own size. */
static ptio_status check_record_size(const ptio_storage *storage, ptio_error *err)
{
    const ptio_entry *entry = &archive_of(storage)->entries[storage->origin_index];
    if (entry->size == storage->nbytes)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_FORMAT, "storage.size", PTIO_NO_OFFSET, "the record %s has %llu bytes, the storage in it %llu",
                     ptio_quote((ptio_text){entry->name, entry->name_size}).text, (unsigned long long)entry->size,
                     (unsigned long long)storage->nbytes);
}

static void note_verified(const ptio_storage *storage)
{
    atomic_fetch_or_explicit(&((ptio_storage *)storage)->flags, PTIO_STORAGE_VERIFIED, memory_order_relaxed);
}

static ptio_status record_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    ptio_status status = check_record_size(storage, err);
    if (status == PTIO_OK)
        status = ptio_archive_read_all(archive_of(storage), (size_t)storage->origin_index, buffer, watch, err);
    if (status == PTIO_OK)
        note_verified(storage);
    return status;
}

ptio_status ptio_storage_verify(const ptio_storage *storage, ptio_error *err)
{
    if (!storage || ptio_storage_is_meta(storage))
        return PTIO_OK;
    storage = ptio_storage_whole(storage);
    if (storage->origin != &ptio_storage_of_record ||
        (atomic_load_explicit(&storage->flags, memory_order_relaxed) & PTIO_STORAGE_VERIFIED))
        return PTIO_OK;
    ptio_status status = ptio_archive_verify(archive_of(storage), (size_t)storage->origin_index, storage->pool->watch, err);
    if (status == PTIO_OK)
        note_verified(storage);
    return status;
}

static bool record_is_stored(const ptio_storage *storage)
{
    return archive_of(storage)->entries[storage->origin_index].method == 0;
}

static const void *record_view(const ptio_storage *storage, ptio_error *err)
{
    uint64_t offset;
    if (!ptio_source_view(archive_of(storage)->source, 0, 0)) /* nothing is in memory, so there is no need to know where */
        return NULL;
    if (!record_is_stored(storage) || check_record_size(storage, err) != PTIO_OK ||
        ptio_archive_locate(archive_of(storage), (size_t)storage->origin_index, &offset, err) != PTIO_OK)
        return NULL;
    return ptio_source_view(archive_of(storage)->source, offset, storage->nbytes);
}

static bool record_range(const ptio_storage *storage, uint64_t *offset, uint64_t *nbytes)
{
    if (!record_is_stored(storage) || check_record_size(storage, NULL) != PTIO_OK ||
        ptio_archive_locate(archive_of(storage), (size_t)storage->origin_index, offset, NULL) != PTIO_OK)
        return false;
    *nbytes = storage->nbytes;
    return true;
}

static bool record_place(const ptio_storage *storage, uint64_t *offset)
{
    uint64_t nbytes;
    return record_range(storage, offset, &nbytes);
}

static ptio_status memory_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    (void)err;
    memcpy(buffer, storage->origin_data, (size_t)storage->nbytes);
    return PTIO_OK;
}

static const void *memory_view(const ptio_storage *storage, ptio_error *err)
{
    (void)err;
    return storage->origin_data;
}

static ptio_status zeros_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    (void)err;
    memset(buffer, 0, (size_t)storage->nbytes);
    return PTIO_OK;
}

static const ptio_source *record_source(const ptio_storage *storage)
{
    return archive_of(storage)->source;
}

const ptio_storage_origin ptio_storage_of_record = {record_read, record_view, record_range, record_source, record_place};
const ptio_storage_origin ptio_storage_of_memory = {memory_read, memory_view, NULL, NULL, NULL};
const ptio_storage_origin ptio_storage_of_zeros = {zeros_read, NULL, NULL, NULL, NULL};
const ptio_storage_origin ptio_storage_of_slice = {NULL, NULL, NULL, NULL, NULL};

bool ptio_storage_record(const ptio_storage *storage, ptio_archive **archive, size_t *index)
{
    return ptio_storage_read_unit(storage) <= 1 && ptio_storage_in_record(storage, archive, index);
}

bool ptio_storage_in_record(const ptio_storage *storage, ptio_archive **archive, size_t *index)
{
    if (storage->origin != &ptio_storage_of_record || ptio_storage_is_meta(storage) ||
        check_record_size(storage, NULL) != PTIO_OK)
        return false;
    *archive = archive_of(storage);
    *index = (size_t)storage->origin_index;
    return true;
}

bool ptio_storage_find(const ptio_storage *storage, ptio_read_ahead *ahead, ptio_storage_place *ret)
{
    uint64_t nbytes;
    if (storage->origin != &ptio_storage_of_record || ptio_storage_is_resident(storage) || ptio_storage_is_meta(storage) ||
        ptio_storage_read_unit(storage) > 1)
        return false;
    ptio_archive *archive = archive_of(storage);
    size_t index = (size_t)storage->origin_index;
    *ret = (ptio_storage_place){
        .source = archive->source, .has_crc32 = ptio_archive_has_crc32(archive, index), .crc32 = archive->entries[index].crc32};
    if (check_record_size(storage, NULL) == PTIO_OK && ptio_read_ahead_find(ahead, archive, index, &ret->bytes))
        return true;
    ret->bytes = NULL;
    return ptio_storage_range(storage, &ret->offset, &nbytes);
}
