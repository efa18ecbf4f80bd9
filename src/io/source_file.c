/*
 * Files, by path or descriptor.
 *
 * A regular file or a block device is read by pread(), which leaves the position of the descriptor alone and needs no lock.
 * Everything else that is no directory (FIFO, terminal, socket, character device) is read to its end and kept, and so is a
 * file that says it is empty, since those of /proc do.
 *
 * A map is for views only. Small reads go through pread() even then: a page fault costs ten times as much, and a file that
 * was cut meanwhile gives an error instead of a signal.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/source_kind.h"

/* Whether a failed call is to be made again: it was interrupted, or the descriptor does not wait by itself. */
static bool try_again(int fd, int number)
{
    if (number == EINTR)
        return true;
    if (number != EAGAIN)
        return false;
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    return poll(&waited, 1, -1) >= 0 || errno == EINTR;
}

static ptio_status read_at(ptio_source *source, uint64_t offset, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    for (;;) {
        ssize_t n = pread(source->fd, buffer, size, (off_t)offset);
        int number = errno;
        if (n >= 0) {
            *got = (size_t)n;
            return PTIO_OK;
        }
        if (!try_again(source->fd, number))
            return ptio_source_fail(err, "io.read", offset, "reading failed", number);
    }
}

static ptio_status take(ptio_source *source, void *buffer, size_t size, size_t *got, ptio_error *err)
{
    for (;;) {
        ssize_t n = read(source->fd, buffer, size);
        int number = errno;
        if (n >= 0) {
            *got = (size_t)n;
            return PTIO_OK;
        }
        if (!try_again(source->fd, number))
            return ptio_source_fail(err, "io.read", PTIO_NO_OFFSET, "reading failed", number);
    }
}

static ptio_status fail_shared(ptio_error *err, int number)
{
    return ptio_source_fail(err, "io.map", PTIO_NO_OFFSET, "it cannot be mapped, shared with all who have the file", number);
}

/* Where the file cannot be mapped privately (its system does not allow it, the addresses of a small machine end), it is read instead:
 * the result is the same. Of a shared map it is not, since what is written would not reach the file. */
static ptio_status map(ptio_source *source, bool shared, ptio_error *err)
{
    if (!source->size || source->size > SIZE_MAX / 2)
        return shared ? fail_shared(err, EFBIG) : PTIO_OK;
    void *where = mmap(NULL, (size_t)source->size, PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, source->fd, 0);
    if (where == MAP_FAILED)
        return shared ? fail_shared(err, errno) : PTIO_OK;
    source->map = where;
    source->map_size = (size_t)source->size;
    source->map_is_shared = shared;
    source->bytes = where;
    return PTIO_OK;
}

/* Only when it is asked for, and for these pages: the system counts memory that may be written against its limits. */
ptio_status ptio_source_make_writable(const ptio_source *source, const void *bytes, size_t size, ptio_error *err)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t before = (size_t)((uintptr_t)bytes & (page - 1));
    if (mprotect((char *)(uintptr_t)bytes - before, before + size, PROT_READ | PROT_WRITE) == 0)
        return PTIO_OK;
    return ptio_source_fail(err, "io.map", (uint64_t)((const uint8_t *)bytes - source->bytes), "the map cannot be written to",
                            errno);
}

static ptio_status size_of_device(ptio_source *source, ptio_error *err)
{
    off_t end = lseek(source->fd, 0, SEEK_END);
    if (end < 0)
        return ptio_source_fail(err, "io.seek", PTIO_NO_OFFSET, "its size cannot be found", errno);
    source->size = (uint64_t)end;
    return PTIO_OK;
}

static ptio_status start(ptio_source *source, unsigned flags, const ptio_limits *limits, ptio_error *err)
{
    struct stat about;
    if (fstat(source->fd, &about) != 0)
        return ptio_source_fail(err, "io.stat", PTIO_NO_OFFSET, "it cannot be looked at", errno);
    if (S_ISDIR(about.st_mode))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "io.directory", PTIO_NO_OFFSET, "it is a directory, not a file");
    if (S_ISBLK(about.st_mode)) {
        ptio_status status = size_of_device(source, err);
        if (status != PTIO_OK)
            return status;
    } else if (S_ISREG(about.st_mode) && about.st_size > 0)
        source->size = (uint64_t)about.st_size;
    else
        return flags & PTIO_SOURCE_MAP_SHARED ? fail_shared(err, ENODEV) : ptio_source_slurp(source, take, limits, err);
    source->read_at = read_at;
    bool shared = flags & PTIO_SOURCE_MAP_SHARED;
    return shared || flags & PTIO_SOURCE_MAP ? map(source, shared, err) : PTIO_OK;
}

ptio_status ptio_source_open(const char *path, unsigned flags, const ptio_memory *memory, const ptio_limits *limits,
                             ptio_source **ret, ptio_error *err)
{
    if (!path)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the path is NULL");
    ptio_source *source;
    ptio_status status = ptio_source_new(path, memory, &source, err);
    if (status != PTIO_OK)
        return status;
    do
        source->fd = open(path, (flags & PTIO_SOURCE_MAP_SHARED ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    while (source->fd < 0 && errno == EINTR);
    if (source->fd < 0)
        status = ptio_source_fail(err, "io.open", PTIO_NO_OFFSET, "it cannot be opened", errno);
    else {
        source->close_fd = true;
        status = start(source, flags, limits, err);
    }
    return ptio_source_finish(source, status, ret, err);
}

ptio_status ptio_source_from_fd(int fd, unsigned flags, const ptio_memory *memory, const ptio_limits *limits, ptio_source **ret,
                                ptio_error *err)
{
    ptio_source *source;
    ptio_status status = ptio_source_new("<stream>", memory, &source, err);
    if (status != PTIO_OK)
        return status;
    source->fd = fd;
    return ptio_source_finish(source, start(source, flags, limits, err), ret, err);
}
