/*
 * Archives as such: making, freeing, and the public view of their records. The table is in table.c, reading in record_read.c.
 */
#include "archive/archive.h"

#include <string.h>

#include "archive/table.h"
#include "base/text.h"

ptio_status ptio_archive_new(ptio_source *source, uint64_t offset, ptio_heap *heap, ptio_report *report, ptio_archive **ret,
                             ptio_error *err)
{
    uint64_t size = ptio_source_size(source);
    if (offset > size)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.offset", size, "the offset %llu is beyond the end at byte %llu",
                         (unsigned long long)offset, (unsigned long long)size);
    ptio_archive *archive = ptio_heap_resize(heap, NULL, 0, sizeof *archive);
    if (!archive)
        return ptio_heap_fail(heap, err, "an archive");
    *archive = (ptio_archive){.kind = PTIO_ARCHIVE_LEGACY, .heap = heap, .source = source, .report = report};
    archive->start = offset;
    archive->end = size;
    archive->hash_key = ptio_os_random();
    archive->root = PTIO_TEXT("");
    ptio_arena_init(&archive->arena, heap);
    if (!ptio_mutex_init(&archive->lock)) {
        ptio_heap_free(heap, archive, sizeof *archive);
        return ptio_fail_memory(err, "an archive");
    }
    *ret = archive;
    return PTIO_OK;
}

/* Everything but the archive itself. */
static void clear(ptio_archive *archive)
{
    ptio_heap *heap = archive->heap;
    if (archive->capacity)
        ptio_heap_free(heap, archive->entries, archive->capacity * sizeof *archive->entries);
    ptio_heap_free(heap, archive->block, archive->block_size);
    ptio_heap_free(heap, archive->slots, archive->slot_count * sizeof *archive->slots);
    ptio_heap_free(heap, archive->order, archive->count * sizeof *archive->order);
    ptio_arena_free(&archive->arena);
    ptio_mutex_destroy(&archive->lock);
}

void ptio_archive_close(ptio_archive *archive)
{
    if (!archive)
        return;
    clear(archive);
    ptio_heap_free(archive->heap, archive, sizeof *archive);
}

ptio_status ptio_archive_add(ptio_archive *archive, ptio_text name, uint64_t offset, uint64_t size, ptio_error *err)
{
    if (name.size > PTIO_NAME_MOST)
        return ptio_fail(err, PTIO_ERR_FORMAT, "archive.name-long", offset, "the name of a record has %zu bytes, more than %d",
                         name.size, PTIO_NAME_MOST);
    ptio_status status = ptio_table_reserve(archive, archive->count + 1, err);
    if (status != PTIO_OK)
        return status;
    ptio_text copy = ptio_arena_text(&archive->arena, name);
    if (!copy.bytes)
        return ptio_heap_fail(archive->heap, err, "the name of a record");
    archive->entries[archive->count] = (ptio_entry){
        .name = copy.bytes,
        .name_size = (uint32_t)copy.size,
        .header_offset = offset,
        .data_offset = offset,
        .stored_size = size,
        .size = size,
    };
    if (ptio_table_insert(archive, archive->count) != SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "archive.duplicate", offset, "two records are called '%s'",
                         ptio_quote(name).text);
    archive->count++;
    return PTIO_OK;
}

/* ---- the public view ---- */

ptio_status ptio_archive_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, const ptio_memory *memory,
                              ptio_report *report, ptio_archive **ret, ptio_error *err)
{
    if (!source)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the source is NULL");
    ptio_heap heap;
    ptio_heap_init(&heap, memory, limits && limits->heap_bytes ? limits->heap_bytes : (uint64_t)4 << 30);
    ptio_probe probe;
    ptio_archive *archive = NULL;
    ptio_status status = ptio_probe_source(source, offset, &probe, err);
    if (status == PTIO_OK && probe.format == PTIO_FORMAT_ZIP)
        status = ptio_zip_open(source, offset, limits, &heap, report, &archive, err);
    else if (status == PTIO_OK && probe.format == PTIO_FORMAT_TAR)
        status = ptio_tar_open(source, offset, limits, &heap, report, &archive, err);
    else if (status == PTIO_OK && probe.format == PTIO_FORMAT_FOREIGN)
        status = ptio_fail(err, probe.status, probe.reason, offset, "%s", probe.what);
    else if (status == PTIO_OK)
        status = ptio_fail(err, PTIO_ERR_FORMAT, "archive.none", offset, "it is neither a zip archive nor a tar file");
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, ptio_source_name(source));
    archive->own_heap = heap;
    archive->heap = archive->arena.heap = &archive->own_heap;
    *ret = archive;
    return PTIO_OK;
}

void ptio_archive_free(ptio_archive *archive)
{
    if (!archive)
        return;
    clear(archive);
    ptio_heap heap = archive->own_heap; /* it must outlive the archive that it is in */
    ptio_heap_free(&heap, archive, sizeof *archive);
}

size_t ptio_archive_count(const ptio_archive *archive)
{
    return archive ? archive->count : 0;
}

bool ptio_archive_has_crc32(const ptio_archive *archive, size_t index)
{
    const ptio_entry *entry = &archive->entries[index];
    if (archive->kind != PTIO_ARCHIVE_ZIP || archive->crc_ignored)
        return false;
    if (entry->crc32 || !entry->size)
        return true;
    if (archive->crc_absent)
        return false;
    size_t root = archive->root.size;
    return !(archive->storage_crc_absent && entry->name_size > root + 6 && memcmp(entry->name + root, "/data/", 6) == 0);
}

/* Where the data of a record are, or 0 if nobody has asked yet. */
static uint64_t known_data_offset(const ptio_archive *archive, size_t index)
{
    ptio_archive *shared = (ptio_archive *)(uintptr_t)archive; /* the lock is not part of what const promises */
    ptio_mutex_lock(&shared->lock);
    uint64_t offset = archive->entries[index].data_offset;
    ptio_mutex_unlock(&shared->lock);
    return offset;
}

bool ptio_archive_record(const ptio_archive *archive, size_t index, ptio_record *ret)
{
    if (!archive || index >= archive->count)
        return false;
    const ptio_entry *entry = &archive->entries[index];
    uint64_t data_offset = known_data_offset(archive, index);
    *ret = (ptio_record){
        .name = ptio_archive_name(archive, index),
        .offset = data_offset || archive->kind != PTIO_ARCHIVE_ZIP ? data_offset : PTIO_NO_OFFSET,
        .header_offset = entry->header_offset,
        .stored_size = entry->stored_size,
        .size = entry->size,
        .crc32 = entry->crc32,
        .has_crc32 = ptio_archive_has_crc32(archive, index),
        .is_deflated = entry->method == 8,
        .is_folder = entry->is_folder,
    };
    return true;
}

size_t ptio_archive_find(const ptio_archive *archive, const char *name)
{
    return archive && name ? ptio_archive_lookup(archive, ptio_text_of(name)) : SIZE_MAX;
}

ptio_status ptio_archive_read(ptio_archive *archive, size_t index, uint64_t offset, void *buffer, size_t size, ptio_error *err)
{
    if (!archive || index >= archive->count)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.index", PTIO_NO_OFFSET, "there is no record %zu", index);
    uint64_t whole = archive->entries[index].size;
    if (offset > whole || size > whole - offset) {
        ptio_status status = ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.range", whole,
                                       "%zu bytes at byte %llu are beyond the end of the record at byte %llu", size,
                                       (unsigned long long)offset, (unsigned long long)whole);
        return ptio_error_in_record(err, status, ptio_archive_name(archive, index));
    }
    return ptio_archive_read_part(archive, index, offset, buffer, size, err);
}
