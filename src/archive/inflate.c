/*
 * Inflating with zlib, in steps of 64 KiB at both ends.
 *
 * The record says how many bytes go in and how many come out; both must be exact. A stream that wants to give more than it said
 * is stopped at the first byte too many, so nothing that a file claims decides how much memory or time is spent. The pieces come
 * from the storage hooks, since any thread may be here; zlib's own state (some 40 KiB) comes from the C library.
 */
#include "archive/inflate.h"

#include <string.h>
#include <zlib.h>

#define STEP ((size_t)64 << 10)

struct ptio_inflate {
    ptio_archive *archive;
    const ptio_entry *entry;
    uint64_t data_offset, taken; /* taken of the stored bytes so far */
    uint64_t given;
    z_stream zlib;
    bool ended;
    uint8_t input[STEP];
    uint8_t discarded[STEP];
};

ptio_status ptio_inflate_new(ptio_archive *archive, size_t index, uint64_t data_offset, ptio_inflate **ret, ptio_error *err)
{
    const ptio_memory *hooks = &archive->heap->hooks;
    ptio_inflate *stream = hooks->alloc(hooks->ctx, sizeof *stream, PTIO_STORAGE_ALIGN);
    if (!stream)
        return ptio_fail_memory(err, "inflating a record");
    memset(&stream->zlib, 0, sizeof stream->zlib);
    stream->archive = archive;
    stream->entry = &archive->entries[index];
    stream->data_offset = data_offset;
    stream->taken = stream->given = 0;
    stream->ended = false;
    if (inflateInit2(&stream->zlib, -15) != Z_OK) {
        hooks->free(hooks->ctx, stream, sizeof *stream);
        return ptio_fail_memory(err, "inflating a record");
    }
    *ret = stream;
    return PTIO_OK;
}

void ptio_inflate_free(ptio_inflate *stream)
{
    if (!stream)
        return;
    (void)inflateEnd(&stream->zlib);
    const ptio_memory *hooks = &stream->archive->heap->hooks;
    hooks->free(hooks->ctx, stream, sizeof *stream);
}

static ptio_status damaged(const ptio_inflate *stream, const char *reason, const char *what, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_FORMAT, reason, stream->data_offset + stream->taken - stream->zlib.avail_in,
                     "%s, after %llu bytes", what, (unsigned long long)stream->given);
}

static ptio_status refill(ptio_inflate *stream, ptio_error *err)
{
    uint64_t left = stream->entry->stored_size - stream->taken;
    size_t n = left < STEP ? (size_t)left : STEP;
    if (stream->zlib.avail_in || !n)
        return PTIO_OK;
    ptio_status status = ptio_source_read(stream->archive->source, stream->data_offset + stream->taken, stream->input, n, err);
    if (status != PTIO_OK)
        return status;
    stream->taken += n;
    stream->zlib.next_in = stream->input;
    stream->zlib.avail_in = (uInt)n;
    return PTIO_OK;
}

/* Inflate up to `size` bytes, at most STEP; *got may be fewer. */
static ptio_status step(ptio_inflate *stream, uint8_t *to, size_t size, size_t *got, ptio_error *err)
{
    ptio_status status = refill(stream, err);
    if (status != PTIO_OK)
        return status;
    stream->zlib.next_out = to;
    stream->zlib.avail_out = (uInt)size;
    int result = inflate(&stream->zlib, Z_NO_FLUSH);
    *got = size - stream->zlib.avail_out;
    stream->given += *got;
    stream->ended = result == Z_STREAM_END;
    bool starved = !stream->zlib.avail_in && stream->taken == stream->entry->stored_size && !*got;
    if (result == Z_MEM_ERROR)
        return ptio_fail_memory(err, "inflating a record");
    if (result == Z_DATA_ERROR || result == Z_NEED_DICT || result == Z_STREAM_ERROR)
        return damaged(stream, "zip.deflate", "the record's deflated data are damaged", err);
    if (!stream->ended && starved)
        return damaged(stream, "zip.deflate-cut", "the record's deflated data end early", err);
    return PTIO_OK;
}

ptio_status ptio_inflate_next(ptio_inflate *stream, void *buffer, size_t size, ptio_error *err)
{
    uint8_t *to = buffer;
    while (size) {
        size_t n = size < STEP ? size : STEP, got = 0;
        if (stream->ended)
            return damaged(stream, "zip.deflate-short", "the record inflates to fewer bytes than it says", err);
        ptio_status status = step(stream, to ? to : stream->discarded, n, &got, err);
        if (status != PTIO_OK)
            return status;
        if (to)
            to += got;
        size -= got;
    }
    return PTIO_OK;
}

ptio_status ptio_inflate_finish(ptio_inflate *stream, ptio_error *err)
{
    while (!stream->ended) {
        uint8_t extra;
        size_t got = 0;
        ptio_status status = step(stream, &extra, 1, &got, err);
        if (status != PTIO_OK)
            return status;
        if (got)
            return damaged(stream, "zip.deflate-long", "the record inflates to more bytes than it says", err);
    }
    if (stream->zlib.avail_in || stream->taken != stream->entry->stored_size)
        return damaged(stream, "zip.deflate-trailing", "bytes follow the end of the record's deflated data", err);
    return PTIO_OK;
}
