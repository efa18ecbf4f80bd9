/*
 * Streams of stdio and the caller's own functions: things with a position that all their users share.
 *
 * Such a thing is used under a lock, and its position is put back afterwards. A FILE is always read by stdio, never by its
 * descriptor: it may have none (fmemopen), and may hold writes that are not in the file yet. What cannot seek is read to its
 * end at once.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "io/source_kind.h"

static ptio_status take_from_file(ptio_source *source, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    for (;;) {
        errno = 0;
        *got = fread(buffer, 1, size, source->file);
        int number = errno;
        if (*got || !ferror(source->file))
            return PTIO_OK;
        if (number != EINTR)
            return ptio_source_fail(err, "io.read", PTIO_NO_OFFSET, "reading failed", number);
        clearerr(source->file);
    }
}

static ptio_status seek_file(FILE *file, off_t offset, ptio_error *err)
{
    if (fseeko(file, offset, SEEK_SET) == 0)
        return PTIO_OK;
    return ptio_source_fail(err, "io.seek", (uint64_t)offset, "seeking failed", errno);
}

static ptio_status read_file_at(ptio_source *source, uint64_t offset, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    flockfile(source->file);
    off_t before = ftello(source->file);
    ptio_status status = seek_file(source->file, (off_t)offset, err);
    if (status == PTIO_OK)
        status = take_from_file(source, buffer, size, got, err);
    if (before >= 0)
        (void)fseeko(source->file, before, SEEK_SET);
    funlockfile(source->file);
    return status;
}

/* The size of what can be read by position; 0 for everything else. */
static uint64_t size_of_file(FILE *file, const struct stat *about)
{
    if (about && !S_ISREG(about->st_mode) && !S_ISBLK(about->st_mode))
        return 0;
    off_t before = ftello(file);
    if (before < 0 || fseeko(file, 0, SEEK_END) != 0)
        return 0;
    off_t end = ftello(file);
    (void)fseeko(file, before, SEEK_SET);
    return end > 0 ? (uint64_t)end : 0;
}

static ptio_status start_file(ptio_source *source, const ptio_limits *limits, ptio_error *err)
{
    struct stat about;
    int fd = fileno(source->file);
    bool known = fd >= 0 && fstat(fd, &about) == 0;
    if (known && S_ISDIR(about.st_mode))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "io.directory", PTIO_NO_OFFSET, "it is a directory, not a file");
    source->size = size_of_file(source->file, known ? &about : NULL);
    if (!source->size)
        return ptio_source_slurp(source, take_from_file, limits, err);
    source->read_at = read_file_at;
    return PTIO_OK;
}

ptio_status ptio_source_from_file(FILE *file, const ptio_memory *memory, const ptio_limits *limits, ptio_source **ret,
                                  ptio_error *err)
{
    if (!file)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the stream is NULL");
    ptio_source *source;
    ptio_status status = ptio_source_new("<stream>", memory, &source, err);
    if (status != PTIO_OK)
        return status;
    source->file = file;
    flockfile(file);
    status = start_file(source, limits, err);
    funlockfile(file);
    return ptio_source_finish(source, status, ret, err);
}

static ptio_status callback_failed(ptio_error *err, const char *which)
{
    return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET, "the caller's %s function failed", which);
}

static ptio_status take_from_callback(ptio_source *source, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    int64_t n = source->callbacks.read(source->ctx, buffer, size);
    if (n < 0)
        return callback_failed(err, "read");
    if ((uint64_t)n > size)
        return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET,
                         "the caller's read function says it gave %lld bytes of %zu", (long long)n, size);
    *got = (size_t)n;
    return PTIO_OK;
}

/* The position of the caller's input, or -1 where it does not tell. */
static int64_t position(const ptio_source *source)
{
    return source->callbacks.tell ? source->callbacks.tell(source->ctx) : -1;
}

static ptio_status seek(const ptio_source *source, uint64_t offset, ptio_error *err)
{
    return source->callbacks.seek(source->ctx, offset) == 0 ? PTIO_OK : callback_failed(err, "seek");
}

static ptio_status read_callback_at(ptio_source *source, uint64_t offset, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    ptio_mutex_lock(&source->lock);
    int64_t before = position(source);
    ptio_status status = seek(source, offset, err);
    if (status == PTIO_OK)
        status = take_from_callback(source, buffer, size, got, err);
    if (before >= 0)
        (void)source->callbacks.seek(source->ctx, (uint64_t)before);
    ptio_mutex_unlock(&source->lock);
    return status;
}

/* Bytes up to the end of an input that can seek but has no size function. */
static ptio_status count(ptio_source *source, ptio_error *err)
{
    int64_t before = position(source);
    char piece[4096];
    size_t got = 1;
    ptio_status status = seek(source, 0, err);
    for (; status == PTIO_OK && got; source->size += got)
        status = take_from_callback(source, piece, sizeof piece, &got, err);
    if (status == PTIO_OK && before >= 0)
        status = seek(source, (uint64_t)before, err);
    return status;
}

static ptio_status start_callbacks(ptio_source *source, const ptio_limits *limits, ptio_error *err)
{
    if (!source->callbacks.seek)
        return ptio_source_slurp(source, take_from_callback, limits, err);
    source->read_at = read_callback_at;
    if (!source->callbacks.size)
        return count(source, err);
    int64_t size = source->callbacks.size(source->ctx);
    if (size < 0)
        return callback_failed(err, "size");
    source->size = (uint64_t)size;
    return PTIO_OK;
}

ptio_status ptio_source_from_callbacks(const ptio_source_callbacks *callbacks, void *ctx, const ptio_memory *memory,
                                       const ptio_limits *limits, ptio_source **ret, ptio_error *err)
{
    if (!callbacks || !callbacks->read)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "there is no read function");
    ptio_source *source;
    ptio_status status = ptio_source_new("<stream>", memory, &source, err);
    if (status != PTIO_OK)
        return status;
    source->callbacks = *callbacks;
    source->ctx = ctx;
    source->has_callbacks = true;
    return ptio_source_finish(source, start_callbacks(source, limits, err), ret, err);
}
