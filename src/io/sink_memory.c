/*
 * A sink of memory: a buffer that is never emptied. It grows by half, so that the whole costs a few times the bytes at most.
 */
#include <string.h>

#include "io/sink_kind.h"

static ptio_status grow(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    uint64_t need;
    if (!ptio_add_u64(sink->buffered, size, &need) || need > SIZE_MAX)
        return ptio_fail_memory(err, "the bytes written to memory");
    if (need <= sink->capacity)
        return PTIO_OK;
    uint8_t *bytes = ptio_heap_grow(&sink->heap, sink->buffer, &sink->capacity, (size_t)need, 1);
    if (!bytes)
        return ptio_fail_memory(err, "the bytes written to memory");
    sink->buffer = bytes;
    return PTIO_OK;
}

static ptio_status expect(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    return size > sink->position ? grow(sink, size - sink->position, err) : PTIO_OK;
}

static ptio_status begin_pieces(ptio_sink *sink, uint64_t size, bool *can, ptio_error *err)
{
    *can = true;
    return grow(sink, size, err);
}

static ptio_status write_at(const ptio_sink *sink, uint64_t position, const void *data, size_t size, ptio_error *err)
{
    (void)err;
    memcpy(sink->buffer + position, data, size);
    return PTIO_OK;
}

static ptio_status end_pieces(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    (void)err;
    sink->buffered += (size_t)size;
    return PTIO_OK;
}

static const ptio_sink_kind memory_kind = {
    .grow = grow, .begin_pieces = begin_pieces, .write_at = write_at, .end_pieces = end_pieces, .expect = expect};

ptio_status ptio_sink_to_memory(const ptio_memory *memory, ptio_sink **ret, ptio_error *err)
{
    return ptio_sink_new("<memory>", &memory_kind, memory, ret, err);
}

ptio_text ptio_sink_bytes(const ptio_sink *sink)
{
    if (!sink || sink->kind != &memory_kind)
        return (ptio_text){0};
    return (ptio_text){sink->buffer ? (const char *)sink->buffer : "", sink->buffered};
}
