/*
 * Sinks: what all kinds share. A kind takes bytes; here they are gathered, counted, and a failure kept.
 *
 *     path        a temporary file that takes the place of the target     sink_file.c, replace.c
 *     fd          at its position                                         sink_file.c
 *     FILE*       by stdio                                                sink_stream.c
 *     callbacks   the caller's own                                        sink_stream.c
 *     memory      a block that grows by half                              sink_memory.c
 */
#define _POSIX_C_SOURCE 200809L
#include "io/sink.h"

#include <string.h>

#include "base/text.h"
#include "io/sink_kind.h"
#include "io/source_kind.h"

ptio_status ptio_sink_fail(ptio_error *err, const char *reason, const char *what, int number)
{
    return ptio_source_fail(err, reason, PTIO_NO_OFFSET, what, number);
}

/* ---- a sink's life ---- */

ptio_status ptio_sink_new(const char *name, const ptio_sink_kind *kind, const ptio_memory *memory, ptio_sink **ret,
                          ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_sink *sink = ptio_heap_resize(&heap, NULL, 0, sizeof *sink);
    if (!sink)
        return ptio_fail_memory(err, "a sink");
    *sink = (ptio_sink){.heap = heap, .kind = kind, .fd = -1, .name_size = strlen(name)};
    sink->name = ptio_heap_resize(&sink->heap, NULL, 0, sink->name_size + 1);
    if (sink->name)
        memcpy(sink->name, name, sink->name_size + 1);
    if (sink->name && !kind->grow)
        sink->buffer = ptio_heap_resize(&sink->heap, NULL, 0, PTIO_SINK_BUFFER);
    if (!sink->name || (!kind->grow && !sink->buffer)) {
        ptio_sink_free(sink);
        return ptio_fail_memory(err, "a sink");
    }
    sink->capacity = kind->grow ? 0 : PTIO_SINK_BUFFER;
    *ret = sink;
    return PTIO_OK;
}

void ptio_sink_free(ptio_sink *sink)
{
    if (!sink)
        return;
    if (sink->kind->release)
        sink->kind->release(sink);
    ptio_sink_free_blocks(sink);
    ptio_heap_free(&sink->heap, sink->buffer, sink->capacity);
    ptio_heap_free(&sink->heap, sink->name, sink->name_size + 1);
    ptio_heap heap = sink->heap;
    ptio_heap_free(&heap, sink, sizeof *sink);
}

ptio_status ptio_sink_made(ptio_sink *sink, ptio_status status, ptio_sink **ret, ptio_error *err)
{
    if (status == PTIO_OK) {
        *ret = sink;
        return PTIO_OK;
    }
    ptio_error_in_record(err, status, ptio_sink_name(sink));
    ptio_sink_free(sink);
    return status;
}

/* ---- failures ---- */

ptio_status ptio_sink_tell(ptio_sink *sink, ptio_status status, ptio_error *err)
{
    if (status == PTIO_OK)
        return PTIO_OK;
    ptio_error_in_record(&sink->failure, status, ptio_sink_name(sink));
    if (err && err->status == PTIO_OK)
        *err = sink->failure;
    return status;
}

/* Whether the sink takes bytes, and what it says if it does not. */
static ptio_status is_open(ptio_sink *sink)
{
    if (sink->failure.status != PTIO_OK)
        return sink->failure.status;
    if (sink->finished)
        return ptio_fail(&sink->failure, PTIO_ERR_ARGUMENT, "io.finished", PTIO_NO_OFFSET,
                         "it is finished and takes no more bytes");
    return PTIO_OK;
}

ptio_status ptio_sink_may_grow(ptio_sink *sink, uint64_t size)
{
    ptio_status status = is_open(sink);
    if (status == PTIO_OK && size > UINT64_MAX - sink->position)
        status = ptio_fail(&sink->failure, PTIO_ERR_LIMIT, "io.size", PTIO_NO_OFFSET, "no file can be of more than 2^64 bytes");
    return status;
}

/* ---- watching ---- */

void ptio_sink_watch(ptio_sink *sink, int (*watch)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
    sink->watch = watch;
    sink->watch_ctx = ctx;
    sink->watched = sink->position;
}

ptio_status ptio_sink_tell_watcher(ptio_sink *sink)
{
    if (!sink->watch || sink->position - sink->watched < PTIO_SINK_WATCH)
        return PTIO_OK;
    sink->watched = sink->position;
    if (sink->watch(sink->watch_ctx, sink->position, sink->expected) == 0)
        return PTIO_OK;
    return ptio_fail(&sink->failure, PTIO_ERR_CANCELLED, "io.cancelled", PTIO_NO_OFFSET, "the caller cancelled it");
}

/* How much is written or copied before the watcher is told. */
static uint64_t watched_piece(const ptio_sink *sink, uint64_t size)
{
    return sink->watch && size > PTIO_SINK_WATCH ? PTIO_SINK_WATCH : size;
}

/* ---- bytes ---- */

static ptio_status put(ptio_sink *sink, const uint8_t *data, size_t size)
{
    while (size) {
        size_t taken = 0;
        ptio_status status =
            sink->kind->write(sink, data, size < PTIO_SINK_PIECE ? size : PTIO_SINK_PIECE, &taken, &sink->failure);
        if (status != PTIO_OK)
            return status;
        data += taken;
        size -= taken;
    }
    return PTIO_OK;
}

static size_t room(const ptio_sink *sink)
{
    return sink->capacity - sink->buffered;
}

static void keep(ptio_sink *sink, const uint8_t *data, size_t size)
{
    memcpy(sink->buffer + sink->buffered, data, size);
    sink->buffered += size;
}

ptio_status ptio_sink_empty_buffer(ptio_sink *sink)
{
    if (sink->kind->grow)
        return PTIO_OK;
    size_t size = sink->buffered;
    sink->buffered = 0;
    return put(sink, sink->buffer, size);
}

/* Room for `size` bytes where the buffer grows, for some of them otherwise. */
static ptio_status make_room(ptio_sink *sink, uint64_t size)
{
    return sink->kind->grow ? sink->kind->grow(sink, size, &sink->failure) : ptio_sink_empty_buffer(sink);
}

/* The buffer is filled up to a multiple of PTIO_SINK_LARGE in the file, whole multiples pass it by, and the rest is kept: what the
 * file system has aligned in its cache it writes a third faster. */
static ptio_status write_large(ptio_sink *sink, const uint8_t *data, size_t size)
{
    size_t past = (size_t)((sink->base + sink->position) % PTIO_SINK_LARGE), first = past ? PTIO_SINK_LARGE - past : 0;
    if (first > room(sink))
        first = 0;
    keep(sink, data, first);
    size_t whole = (size - first) / PTIO_SINK_LARGE * PTIO_SINK_LARGE;
    ptio_status status = ptio_sink_empty_buffer(sink);
    if (status == PTIO_OK)
        status = put(sink, data + first, whole);
    if (status == PTIO_OK)
        keep(sink, data + first + whole, size - first - whole);
    return status;
}

/* More than there is room for. A large write passes the buffer by; a small one fills it up first, so that it goes out whole. */
static ptio_status write_more(ptio_sink *sink, const uint8_t *data, size_t size)
{
    if (!sink->kind->grow && size >= PTIO_SINK_LARGE)
        return write_large(sink, data, size);
    size_t first = sink->kind->grow ? 0 : room(sink);
    if (first)
        keep(sink, data, first);
    ptio_status status = make_room(sink, size - first);
    if (status == PTIO_OK)
        keep(sink, data + first, size - first);
    return status;
}

/* A few bytes for the buffer, while nobody watches and nothing has failed: most writes of small records are that. */
static inline bool is_easy(const ptio_sink *sink, size_t size)
{
    return size <= room(sink) && !sink->watch && sink->failure.status == PTIO_OK && !sink->finished &&
           sink->position <= UINT64_MAX - size && size;
}

ptio_status ptio_sink_write(ptio_sink *sink, const void *data, size_t size, ptio_error *err)
{
    if (PTIO_LIKELY(is_easy(sink, size))) {
        keep(sink, data, size);
        sink->position += size;
        return PTIO_OK;
    }
    ptio_status status = ptio_sink_may_grow(sink, size);
    if (status != PTIO_OK || !size)
        return ptio_sink_tell(sink, status, err);
    for (const uint8_t *at = data; status == PTIO_OK && size;) {
        size_t piece = (size_t)watched_piece(sink, size);
        if (piece <= room(sink))
            keep(sink, at, piece);
        else
            status = write_more(sink, at, piece);
        sink->position += piece;
        at += piece;
        size -= piece;
        if (status == PTIO_OK)
            status = ptio_sink_tell_watcher(sink);
    }
    return ptio_sink_tell(sink, status, err);
}

static ptio_status write_zeros(ptio_sink *sink, uint64_t size)
{
    ptio_status status = PTIO_OK;
    while (size) {
        if (!room(sink) || sink->kind->grow)
            status = make_room(sink, size);
        if (status != PTIO_OK)
            return status;
        size_t piece = size < room(sink) ? (size_t)size : room(sink);
        memset(sink->buffer + sink->buffered, 0, piece);
        sink->buffered += piece;
        sink->position += piece;
        size -= piece;
    }
    return PTIO_OK;
}

ptio_status ptio_sink_skip(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    ptio_status status = ptio_sink_may_grow(sink, size);
    uint64_t done = 0;
    if (status == PTIO_OK && sink->kind->skip && size >= PTIO_SINK_LARGE) {
        status = ptio_sink_empty_buffer(sink);
        if (status == PTIO_OK)
            status = sink->kind->skip(sink, size, &done, &sink->failure);
        sink->position += done;
    }
    if (status == PTIO_OK)
        status = write_zeros(sink, size - done);
    return ptio_sink_tell(sink, status, err);
}

/* Bytes up to where the buffer is passed on best: a multiple of its size in the file. */
static size_t up_to_border(const ptio_sink *sink)
{
    return PTIO_SINK_BUFFER - (size_t)((sink->base + sink->position) % PTIO_SINK_BUFFER);
}

/* The source is read into the buffer, without a second copy. */
static ptio_status copy_pieces(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size)
{
    ptio_status status = PTIO_OK;
    while (size) {
        if (!room(sink) || sink->kind->grow)
            status = make_room(sink, size);
        if (status != PTIO_OK)
            return status;
        size_t piece = sink->kind->grow || room(sink) < up_to_border(sink) ? room(sink) : up_to_border(sink);
        if (size < piece)
            piece = (size_t)size;
        status = ptio_source_read(source, offset, sink->buffer + sink->buffered, piece, &sink->failure);
        if (status != PTIO_OK)
            return ptio_error_in_record(&sink->failure, status, ptio_source_name(source));
        sink->buffered += piece;
        sink->position += piece;
        offset += piece;
        size -= piece;
        if (!sink->kind->grow && up_to_border(sink) == PTIO_SINK_BUFFER)
            status = ptio_sink_empty_buffer(sink);
    }
    return status;
}

static ptio_status copy_plain(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size)
{
    const uint8_t *view = ptio_source_view(source, offset, size);
    return view ? ptio_sink_write(sink, view, (size_t)size, NULL) : copy_pieces(sink, source, offset, size);
}

/* As much as the system can copy by itself. */
static ptio_status copy_inside(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size, uint64_t *done)
{
    uint64_t head = sink->kind->copy_head(sink, offset), inside = 0;
    ptio_status status = copy_plain(sink, source, offset, head);
    if (status == PTIO_OK)
        status = ptio_sink_empty_buffer(sink);
    if (status != PTIO_OK)
        return status;
    ptio_sink_range range = {ptio_source_fd(source), offset + head, size - head, ptio_source_view(source, offset, size) != NULL};
    status = sink->kind->copy(sink, &range, &inside, &sink->failure);
    sink->position += inside;
    *done = head + inside;
    return status;
}

static ptio_status copy(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size)
{
    ptio_status status = PTIO_OK;
    uint64_t done = 0;
    if (size >= PTIO_SINK_LARGE && sink->kind->copy && ptio_source_fd(source) >= 0)
        status = copy_inside(sink, source, offset, size, &done);
    return status == PTIO_OK ? copy_plain(sink, source, offset + done, size - done) : status;
}

ptio_status ptio_sink_copy(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size, ptio_error *err)
{
    ptio_status status = ptio_sink_may_grow(sink, size);
    uint64_t whole = ptio_source_size(source);
    if (status == PTIO_OK && (offset > whole || size > whole - offset))
        status = ptio_fail(&sink->failure, PTIO_ERR_FORMAT, "io.beyond-end", offset < whole ? offset : whole,
                           "%llu bytes are wanted at byte %llu, but the source has %llu bytes", (unsigned long long)size,
                           (unsigned long long)offset, (unsigned long long)whole);
    while (status == PTIO_OK && size) {
        uint64_t piece = watched_piece(sink, size);
        status = copy(sink, source, offset, piece);
        offset += piece;
        size -= piece;
        if (status == PTIO_OK)
            status = ptio_sink_tell_watcher(sink);
    }
    return ptio_sink_tell(sink, status, err);
}

ptio_status ptio_sink_expect(ptio_sink *sink, uint64_t size, bool holes, ptio_error *err)
{
    if (!sink)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the sink is NULL");
    ptio_status status = ptio_sink_may_grow(sink, size);
    if (status == PTIO_OK)
        sink->expected = sink->position + size;
    if (status == PTIO_OK && sink->kind->expect && !holes)
        status = sink->kind->expect(sink, sink->expected, &sink->failure);
    return ptio_sink_tell(sink, status, err);
}

void ptio_sink_spoil(ptio_sink *sink, const ptio_error *why)
{
    if (sink->failure.status == PTIO_OK)
        sink->failure = *why;
}

/* ---- the end ---- */

ptio_status ptio_sink_finish(ptio_sink *sink, ptio_error *err)
{
    if (!sink)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the sink is NULL");
    if (sink->finished)
        return ptio_sink_tell(sink, sink->failure.status, err);
    ptio_status status = is_open(sink);
    if (status == PTIO_OK)
        status = ptio_sink_empty_buffer(sink);
    if (status == PTIO_OK && sink->kind->finish)
        status = sink->kind->finish(sink, &sink->failure);
    sink->finished = status == PTIO_OK;
    return ptio_sink_tell(sink, status, err);
}

/* ---- what it is ---- */

uint64_t ptio_sink_position(const ptio_sink *sink)
{
    return sink ? sink->position : 0;
}

ptio_text ptio_sink_name(const ptio_sink *sink)
{
    return (ptio_text){sink->name, sink->name_size};
}

ptio_text ptio_sink_path(const ptio_sink *sink)
{
    return sink->has_path ? ptio_sink_name(sink) : (ptio_text){0};
}
