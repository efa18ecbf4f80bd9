/*
 * Reading records: where their bytes are, all of them, a part, or only to see whether they are whole.
 *
 * A CRC is computed over each piece right after it was read, while it is in the cache, so that it costs no second pass.
 */
#include <string.h>

#include "archive/crc32.h"
#include "archive/inflate.h"
#include "archive/zip.h"

#define PIECE ((size_t)512 << 10)

static uint64_t known_offset(ptio_archive *archive, size_t index)
{
    ptio_mutex_lock(&archive->lock);
    uint64_t known = archive->entries[index].data_offset;
    ptio_mutex_unlock(&archive->lock);
    return known;
}

static void note_offset(ptio_archive *archive, size_t index, uint64_t offset)
{
    ptio_mutex_lock(&archive->lock);
    archive->entries[index].data_offset = offset;
    ptio_mutex_unlock(&archive->lock);
}

ptio_status ptio_archive_locate(ptio_archive *archive, size_t index, uint64_t *data_offset, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    uint64_t known = known_offset(archive, index);
    if (archive->kind == PTIO_ARCHIVE_ZIP && !known) {
        ptio_zip_member member;
        status = ptio_zip_check_method(&archive->entries[index], err);
        if (status == PTIO_OK)
            status = ptio_zip_read_local(archive, index, &member, err);
        if (status != PTIO_OK)
            return ptio_error_in_record(err, status, ptio_archive_name(archive, index));
        known = member.data_offset;
        note_offset(archive, index, known);
    }
    *data_offset = known;
    return PTIO_OK;
}

static ptio_status compare_crc(const ptio_archive *archive, size_t index, uint32_t computed, uint64_t data_offset,
                               ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    if (!ptio_archive_has_crc32(archive, index) || computed == entry->crc32)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_FORMAT, "zip.crc", data_offset,
                     "the record is damaged: its CRC is %08x, the archive says %08x", (unsigned)computed, (unsigned)entry->crc32);
}

/* Where the bytes go: into `buffer`, or through `spare` of PIECE bytes where that is NULL, to `take` if there is one; and who is told. */
typedef struct goal {
    uint8_t *buffer, *spare;
    const ptio_watch *watch;
    ptio_take_piece take;
    void *ctx;
} goal;

static ptio_status tell(const ptio_watch *watch, uint64_t piece, uint64_t done, uint64_t total, ptio_error *err)
{
    if (!watch || watch->step(watch->ctx, piece, done, total))
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_CANCELLED, "cancelled", PTIO_NO_OFFSET, "the caller stopped the reading");
}

static ptio_status take_piece(const goal *g, const uint8_t *bytes, size_t size, ptio_error *err)
{
    return g->take && size ? g->take(g->ctx, bytes, size, err) : PTIO_OK;
}

/* Take a stored record to its end. */
static ptio_status read_stored(ptio_archive *archive, size_t index, uint64_t data_offset, const goal *g, ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    bool has_crc = ptio_archive_has_crc32(archive, index);
    uint32_t crc = 0;
    for (uint64_t done = 0; done < entry->size;) {
        uint64_t left = entry->size - done;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        uint8_t *to = g->buffer ? g->buffer + (size_t)done : g->spare;
        const uint8_t *bytes = g->buffer ? NULL : ptio_source_view(archive->source, data_offset + done, n);
        ptio_status status = bytes ? PTIO_OK : ptio_source_read(archive->source, data_offset + done, to, n, err);
        if (status != PTIO_OK)
            return status;
        if (has_crc)
            crc = ptio_crc32(crc, bytes ? bytes : to, n);
        done += n;
        status = take_piece(g, bytes ? bytes : to, n, err);
        if (status == PTIO_OK)
            status = tell(g->watch, n, done, entry->size, err);
        if (status != PTIO_OK)
            return status;
    }
    return compare_crc(archive, index, crc, data_offset, err);
}

static ptio_status read_deflated(ptio_archive *archive, size_t index, uint64_t data_offset, const goal *g, ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    ptio_inflate *stream;
    ptio_status status = ptio_inflate_new(archive, index, data_offset, &stream, err);
    if (status != PTIO_OK)
        return status;
    uint32_t crc = 0;
    for (uint64_t done = 0; status == PTIO_OK && done < entry->size;) {
        uint64_t left = entry->size - done;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        uint8_t *to = g->buffer ? g->buffer + (size_t)done : g->spare;
        status = ptio_inflate_next(stream, to, n, err);
        done += n;
        if (status == PTIO_OK) {
            crc = ptio_crc32(crc, to, n);
            status = take_piece(g, to, n, err);
            if (status == PTIO_OK)
                status = tell(g->watch, n, done, entry->size, err);
        }
    }
    if (status == PTIO_OK)
        status = ptio_inflate_finish(stream, err);
    ptio_inflate_free(stream);
    return status == PTIO_OK ? compare_crc(archive, index, crc, data_offset, err) : status;
}

/* Bytes from a local header to the next one that are worth reading along with the record's own. */
#define SMALL_MEMBER 4096

/* A small stored record whose local header was not looked at yet: header, data and descriptor in one piece. *done is left alone
 * where it is none. */
static ptio_status read_small(ptio_archive *archive, size_t index, uint8_t *buffer, bool *done, ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    if (entry->size > SMALL_MEMBER || entry->method)
        return PTIO_OK;
    uint64_t size = ptio_zip_next(archive, index) - entry->header_offset;
    uint8_t bytes[SMALL_MEMBER];
    if (size > sizeof bytes || ptio_zip_check_method(entry, NULL) != PTIO_OK)
        return PTIO_OK;
    *done = true;
    ptio_zip_member member;
    ptio_status status = ptio_source_read(archive->source, entry->header_offset, bytes, (size_t)size, err);
    if (status == PTIO_OK)
        status = ptio_zip_check_local(archive, index, bytes, (size_t)size, &member, err);
    if (status != PTIO_OK)
        return status;
    note_offset(archive, index, member.data_offset);
    memcpy(buffer, bytes + (size_t)(member.data_offset - entry->header_offset), (size_t)entry->size);
    uint32_t crc = ptio_archive_has_crc32(archive, index) ? ptio_crc32(0, buffer, (size_t)entry->size) : 0;
    return compare_crc(archive, index, crc, member.data_offset, err);
}

static ptio_status read_whole(ptio_archive *archive, size_t index, const goal *g, ptio_error *err)
{
    uint64_t data_offset = known_offset(archive, index);
    ptio_status status = PTIO_OK;
    if (archive->kind == PTIO_ARCHIVE_ZIP && !data_offset) {
        bool done = false;
        status = read_small(archive, index, g->buffer ? g->buffer : g->spare, &done, err);
        if (done && status == PTIO_OK)
            status = take_piece(g, g->buffer ? g->buffer : g->spare, (size_t)archive->entries[index].size, err);
        if (done && status == PTIO_OK)
            status =
                tell(g->watch, archive->entries[index].size, archive->entries[index].size, archive->entries[index].size, err);
        if (done)
            return status == PTIO_OK ? PTIO_OK : ptio_error_in_record(err, status, ptio_archive_name(archive, index));
        status = ptio_archive_locate(archive, index, &data_offset, err);
    }
    if (status != PTIO_OK)
        return status;
    const ptio_entry *entry = &archive->entries[index];
    /* An entry of no bytes may be called deflated; some writers put an empty stream there, some nothing. */
    if (entry->method == 8 && entry->stored_size)
        status = read_deflated(archive, index, data_offset, g, err);
    else
        status = read_stored(archive, index, data_offset, g, err);
    return status == PTIO_OK ? PTIO_OK : ptio_error_in_record(err, status, ptio_archive_name(archive, index));
}

ptio_status ptio_archive_read_all(ptio_archive *archive, size_t index, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    uint8_t none;
    return read_whole(archive, index, &(goal){.buffer = buffer ? buffer : &none, .watch = watch}, err);
}

ptio_status ptio_archive_verify(ptio_archive *archive, size_t index, const ptio_watch *watch, ptio_error *err)
{
    return ptio_archive_read_pieces(archive, index, NULL, NULL, watch, err);
}

ptio_status ptio_archive_read_pieces(ptio_archive *archive, size_t index, ptio_take_piece take, void *ctx,
                                     const ptio_watch *watch, ptio_error *err)
{
    const ptio_memory *hooks = &archive->heap->hooks;
    const ptio_entry *entry = &archive->entries[index];
    size_t size = entry->size < PIECE ? (size_t)entry->size + 1 : PIECE;
    uint8_t *spare = hooks->alloc(hooks->ctx, size, PTIO_STORAGE_ALIGN);
    if (!spare)
        return ptio_error_in_record(err, ptio_fail_memory(err, "checking a record"), ptio_archive_name(archive, index));
    ptio_status status = read_whole(archive, index, &(goal){.spare = spare, .watch = watch, .take = take, .ctx = ctx}, err);
    hooks->free(hooks->ctx, spare, size);
    return status;
}

static ptio_status inflate_part(ptio_archive *archive, size_t index, uint64_t data_offset, uint64_t offset, void *buffer,
                                size_t size, ptio_error *err)
{
    ptio_inflate *stream;
    ptio_status status = ptio_inflate_new(archive, index, data_offset, &stream, err);
    if (status != PTIO_OK)
        return status;
    for (uint64_t skipped = 0; status == PTIO_OK && skipped < offset;) {
        uint64_t left = offset - skipped;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        status = ptio_inflate_next(stream, NULL, n, err);
        skipped += n;
    }
    if (status == PTIO_OK)
        status = ptio_inflate_next(stream, buffer, size, err);
    ptio_inflate_free(stream);
    return status;
}

ptio_status ptio_archive_read_part(ptio_archive *archive, size_t index, uint64_t offset, void *buffer, size_t size,
                                   ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    if (offset == 0 && size == entry->size)
        return ptio_archive_read_all(archive, index, buffer, NULL, err);
    uint64_t data_offset = 0;
    ptio_status status = ptio_archive_locate(archive, index, &data_offset, err);
    if (status != PTIO_OK)
        return status;
    if (entry->method == 8)
        status = size ? inflate_part(archive, index, data_offset, offset, buffer, size, err) : PTIO_OK;
    else
        status = ptio_source_read(archive->source, data_offset + offset, buffer, size, err);
    return status == PTIO_OK ? PTIO_OK : ptio_error_in_record(err, status, ptio_archive_name(archive, index));
}
