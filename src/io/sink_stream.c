/*
 * Streams of stdio and the caller's own functions: they take bytes and are told when all is written.
 *
 * A FILE is always written by stdio, never by its descriptor: it may have none (fmemopen), and may hold bytes that are not in the
 * file yet. An interrupted write is a failure like any other and not tried again: the C libraries drop what they had gathered then.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <stdio.h>

#include "io/sink_kind.h"

static ptio_status write_file(ptio_sink *sink, const void *data, size_t size, size_t *taken, ptio_error *err)
{
    errno = 0;
    *taken = fwrite(data, 1, size, sink->file);
    return *taken == size ? PTIO_OK : ptio_sink_fail(err, "io.write", "writing failed", errno);
}

static ptio_status finish_file(ptio_sink *sink, ptio_error *err)
{
    errno = 0;
    return fflush(sink->file) == 0 ? PTIO_OK : ptio_sink_fail(err, "io.write", "writing failed", errno);
}

static const ptio_sink_kind file_kind = {.write = write_file, .finish = finish_file};

ptio_status ptio_sink_from_file(FILE *file, const ptio_memory *memory, ptio_sink **ret, ptio_error *err)
{
    if (!file)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the stream is NULL");
    ptio_sink *sink;
    ptio_status status = ptio_sink_new("<stream>", &file_kind, memory, &sink, err);
    if (status != PTIO_OK)
        return status;
    sink->file = file;
    *ret = sink;
    return PTIO_OK;
}

static ptio_status write_callback(ptio_sink *sink, const void *data, size_t size, size_t *taken, ptio_error *err)
{
    int64_t n = sink->callbacks.write(sink->ctx, data, size);
    if (n < 0)
        return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET, "the caller's write function failed");
    if (n == 0 || (uint64_t)n > size)
        return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET,
                         "the caller's write function says it took %lld bytes of %zu", (long long)n, size);
    *taken = (size_t)n;
    return PTIO_OK;
}

static ptio_status finish_callbacks(ptio_sink *sink, ptio_error *err)
{
    if (!sink->callbacks.flush || sink->callbacks.flush(sink->ctx) == 0)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET, "the caller's flush function failed");
}

static void release_callbacks(ptio_sink *sink)
{
    if (sink->callbacks.close)
        sink->callbacks.close(sink->ctx);
}

static const ptio_sink_kind callbacks_kind = {.write = write_callback, .finish = finish_callbacks, .release = release_callbacks};

ptio_status ptio_sink_from_callbacks(const ptio_sink_callbacks *callbacks, void *ctx, const ptio_memory *memory, ptio_sink **ret,
                                     ptio_error *err)
{
    if (!callbacks || !callbacks->write)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "there is no write function");
    ptio_sink *sink;
    ptio_status status = ptio_sink_new("<stream>", &callbacks_kind, memory, &sink, err);
    if (status != PTIO_OK)
        return status;
    sink->callbacks = *callbacks;
    sink->ctx = ctx;
    *ret = sink;
    return PTIO_OK;
}
