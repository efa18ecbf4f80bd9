/*
 * Sources: what all kinds share, and those that are in memory.
 *
 *     path, fd    read at a position by pread(); a map on request               source_file.c
 *     FILE*       used under its own lock, its position put back                source_stream.c
 *     callbacks   used under a lock of the source                               source_stream.c
 *     memory      there already; so is whatever could only be read forwards
 *
 * The size of a source is fixed when it is opened: a file that grows later is read as it was then, one that shrinks gives a
 * clean error.
 */
#define _POSIX_C_SOURCE 200809L
#include "io/source.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "io/source_kind.h"

ptio_status ptio_source_new(const char *name, const ptio_memory *memory, ptio_source **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_source *source = ptio_heap_resize(&heap, NULL, 0, sizeof *source);
    if (!source)
        return ptio_fail_memory(err, "a source");
    *source = (ptio_source){.heap = heap, .fd = -1};
    source->name_size = strlen(name);
    source->name = ptio_heap_resize(&source->heap, NULL, 0, source->name_size + 1);
    if (!source->name || !ptio_mutex_init(&source->lock)) {
        ptio_heap_free(&source->heap, source->name, source->name_size + 1);
        heap = source->heap;
        ptio_heap_free(&heap, source, sizeof *source);
        return ptio_fail_memory(err, "a source");
    }
    memcpy(source->name, name, source->name_size + 1);
    *ret = source;
    return PTIO_OK;
}

/* Everything but the caller's close function, which is for sources that were handed out. */
static void release(ptio_source *source)
{
    if (source->map)
        (void)munmap(source->map, source->map_size);
    if (source->close_fd)
        (void)close(source->fd);
    ptio_heap_free(&source->heap, source->owned, source->owned_capacity);
    ptio_heap_free(&source->heap, source->name, source->name_size + 1);
    ptio_mutex_destroy(&source->lock);
    ptio_heap heap = source->heap;
    ptio_heap_free(&heap, source, sizeof *source);
}

void ptio_source_free(ptio_source *source)
{
    if (!source)
        return;
    if (source->has_callbacks && source->callbacks.close)
        source->callbacks.close(source->ctx);
    release(source);
}

ptio_status ptio_source_finish(ptio_source *source, ptio_status status, ptio_source **ret, ptio_error *err)
{
    if (status == PTIO_OK) {
        *ret = source;
        return PTIO_OK;
    }
    ptio_error_in_record(err, status, ptio_source_name(source));
    release(source);
    return status;
}

ptio_status ptio_source_fail(ptio_error *err, const char *reason, uint64_t offset, const char *what, int number)
{
    char text[128] = "";
    if (strerror_r(number, text, sizeof text) != 0 || !text[0])
        (void)snprintf(text, sizeof text, "error %d", number);
    return ptio_fail(err, PTIO_ERR_IO, reason, offset, "%s: %s", what, text);
}

ptio_status ptio_source_from_memory(const void *data, size_t size, const ptio_memory *memory, ptio_source **ret, ptio_error *err)
{
    if (!data && size)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "data is NULL, but size is %zu", size);
    ptio_source *source;
    ptio_status status = ptio_source_new("<memory>", memory, &source, err);
    if (status != PTIO_OK)
        return status;
    source->bytes = data ? data : "";
    source->size = size;
    *ret = source;
    return PTIO_OK;
}

#define FIRST_PIECE ((size_t)64 << 10)

static uint64_t stream_limit(const ptio_limits *limits)
{
    return limits && limits->stream_bytes ? limits->stream_bytes : (uint64_t)16 << 30;
}

/* Room for at least one more byte, doubling: a stream does not say how long it is. */
static ptio_status grow(ptio_source *source, uint64_t limit, ptio_error *err)
{
    size_t capacity = source->owned_capacity ? source->owned_capacity * 2 : FIRST_PIECE;
    if (capacity < source->owned_capacity)
        return ptio_fail_memory(err, "a stream");
    if (capacity > limit && limit + 1 < capacity)
        capacity = (size_t)limit + 1; /* one byte more tells a stream that ends there from one that does not */
    void *moved = ptio_heap_resize(&source->heap, source->owned, source->owned_capacity, capacity);
    if (!moved)
        return ptio_fail_memory(err, "a stream that can only be read forwards");
    source->owned = moved;
    source->owned_capacity = capacity;
    return PTIO_OK;
}

ptio_status ptio_source_slurp(ptio_source *source, ptio_source_take take, const ptio_limits *limits, ptio_error *err)
{
    uint64_t limit = stream_limit(limits);
    size_t used = 0, got = 1;
    while (got) {
        if (used > limit)
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.stream", PTIO_NO_OFFSET,
                             "it can only be read forwards, and is longer than the %llu bytes of stream_bytes",
                             (unsigned long long)limit);
        ptio_status status = used == source->owned_capacity ? grow(source, limit, err) : PTIO_OK;
        size_t room = source->owned_capacity - used;
        if (status == PTIO_OK)
            status = take(source, source->owned + used, room < PTIO_SOURCE_PIECE ? room : PTIO_SOURCE_PIECE, &got, err);
        if (status != PTIO_OK)
            return status;
        used += got;
    }
    void *fitted = used ? ptio_heap_resize(&source->heap, source->owned, source->owned_capacity, used) : NULL;
    if (fitted) {
        source->owned = fitted;
        source->owned_capacity = used;
    }
    source->bytes = source->owned;
    source->size = used;
    source->read_at = NULL;
    return PTIO_OK;
}

static ptio_status beyond_end(const ptio_source *source, uint64_t offset, uint64_t size, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_FORMAT, "io.beyond-end", offset < source->size ? offset : source->size,
                     "%llu bytes are wanted at byte %llu, but the file has %llu bytes", (unsigned long long)size,
                     (unsigned long long)offset, (unsigned long long)source->size);
}

static bool is_inside(const ptio_source *source, uint64_t offset, uint64_t size)
{
    return offset <= source->size && size <= source->size - offset;
}

ptio_status ptio_source_read(ptio_source *source, uint64_t offset, void *buffer, size_t size, ptio_error *err)
{
    if (!is_inside(source, offset, size))
        return beyond_end(source, offset, size, err);
    if (!source->read_at) {
        if (size)
            memcpy(buffer, source->bytes + offset, size);
        return PTIO_OK;
    }
    uint8_t *to = buffer;
    while (size) {
        size_t got = 0;
        ptio_status status = source->read_at(source, offset, to, size < PTIO_SOURCE_PIECE ? size : PTIO_SOURCE_PIECE, &got, err);
        if (status != PTIO_OK)
            return status;
        if (!got)
            return ptio_fail(err, PTIO_ERR_IO, "io.short", offset,
                             "the file ends at byte %llu, but had %llu bytes when it was opened", (unsigned long long)offset,
                             (unsigned long long)source->size);
        to += got;
        offset += got;
        size -= got;
    }
    return PTIO_OK;
}

const uint8_t *ptio_source_view(const ptio_source *source, uint64_t offset, uint64_t size)
{
    return source->bytes && is_inside(source, offset, size) ? source->bytes + offset : NULL;
}

ptio_text ptio_source_name(const ptio_source *source)
{
    return (ptio_text){source->name, source->name_size};
}

int ptio_source_fd(const ptio_source *source)
{
    return source->owned ? -1 : source->fd;
}

bool ptio_source_is_shared(const ptio_source *source)
{
    return source->map_is_shared;
}

bool ptio_source_is_mapped(const ptio_source *source)
{
    return source->map != NULL;
}

uint64_t ptio_source_size(const ptio_source *source)
{
    return source ? source->size : 0;
}
