/*
 * Sinks that have a descriptor: the caller's, and paths.
 *
 * A path that is or may become a regular file is written beside it and put in its place at the end (replace.c). What is no regular
 * file is opened and written to as it is. Bytes go to the position of the descriptor by write(), which works for files and pipes
 * alike; holes and copies inside the system are for regular files, at their end.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "io/sink_kind.h"

/* A save that will be made durable starts the disk early: each time so much is written, it is asked to begin with it. */
#define SYNC_PIECE ((uint64_t)8 << 20)

/* A file system copies pieces of this size from one file to another by itself. Where they lie aligned in the target, its cache holds
 * them in one piece each, which is a third faster. */
#define COPY_UNIT ((uint64_t)64 << 10)

/* Blocks are shared from and to multiples of this, which is the block size of most file systems, or a multiple. */
#define BLOCK 4096

/* ---- bytes ---- */

/* Whether a failed call is to be made again: it was interrupted, or the descriptor does not wait by itself. */
static bool try_again(int fd, int number)
{
    if (number == EINTR)
        return true;
    if (number != EAGAIN)
        return false;
    struct pollfd waited = {.fd = fd, .events = POLLOUT};
    return poll(&waited, 1, -1) >= 0 || errno == EINTR;
}

static ptio_status write_failed(ptio_error *err, int number)
{
    return ptio_sink_fail(err, "io.write", "writing failed", number);
}

/* Ask for the disk's work. A failure that it reports is one of writing. */
static ptio_status sync_range(const ptio_sink *sink, uint64_t from, uint64_t size, ptio_error *err)
{
    if (!sink->durable || !sink->replace || sink->calls->start_sync(sink->fd, (off_t)from, (off_t)size) == 0)
        return PTIO_OK;
    int number = errno;
    return number == EIO || number == ENOSPC || number == EDQUOT ? write_failed(err, number) : PTIO_OK;
}

/* The same up to `end`, once it is worth it. */
static ptio_status start_sync(ptio_sink *sink, uint64_t end, ptio_error *err)
{
    uint64_t from = sink->synced;
    if (end - from < SYNC_PIECE)
        return PTIO_OK;
    sink->synced = end;
    return sync_range(sink, from, end - from, err);
}

static ptio_status write_fd(ptio_sink *sink, const void *data, size_t size, size_t *taken, ptio_error *err)
{
    if (sink->durable && sink->replace && size > SYNC_PIECE)
        size = (size_t)SYNC_PIECE;
    for (;;) {
        ssize_t n = sink->calls->write(sink->fd, data, size);
        int number = errno;
        if (n > 0) {
            *taken = (size_t)n;
            sink->passed += *taken;
            return start_sync(sink, sink->passed, err);
        }
        if (n == 0)
            return write_failed(err, EIO);
        if (!try_again(sink->fd, number))
            return write_failed(err, number);
    }
}

/* ---- several threads ---- */

static ptio_status seek(ptio_sink *sink, off_t offset, ptio_error *err)
{
    if (sink->appends || sink->calls->lseek(sink->fd, offset, SEEK_SET) == offset)
        return PTIO_OK;
    return ptio_sink_fail(err, "io.seek", "seeking failed", errno);
}

/* A regular file that is where this sink has left it. */
static ptio_status begin_pieces(ptio_sink *sink, uint64_t size, bool *can, ptio_error *err)
{
    struct stat about;
    uint64_t here = sink->base + sink->position;
    (void)err;
    *can = !sink->appends && here <= INT64_MAX && size <= INT64_MAX - here && sink->calls->fstat(sink->fd, &about) == 0 &&
           S_ISREG(about.st_mode) && sink->calls->lseek(sink->fd, 0, SEEK_CUR) == (off_t)here;
    return PTIO_OK;
}

static ptio_status write_at(const ptio_sink *sink, uint64_t position, const void *data, size_t size, ptio_error *err)
{
    const char *at = data;
    for (off_t offset = (off_t)(sink->base + position); size;) {
        ssize_t n = sink->calls->pwrite(sink->fd, at, size, offset);
        int number = n ? errno : EIO;
        if (n <= 0 && (n == 0 || !try_again(sink->fd, number)))
            return write_failed(err, number);
        if (n > 0) {
            at += n;
            offset += n;
            size -= (size_t)n;
        }
    }
    return PTIO_OK;
}

static ptio_status sync_at(const ptio_sink *sink, uint64_t position, uint64_t size, ptio_error *err)
{
    return sync_range(sink, sink->base + position, size, err);
}

static ptio_status end_pieces(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    sink->passed += size;
    sink->synced = sink->passed;
    return seek(sink, (off_t)(sink->base + sink->position), err);
}

/* ---- holes and copies ---- */

/* Whether the next byte goes to the end of a regular file, and where that is. */
static bool is_at_end(const ptio_sink *sink, off_t *end)
{
    struct stat about;
    if (sink->calls->fstat(sink->fd, &about) != 0 || !S_ISREG(about.st_mode))
        return false;
    *end = about.st_size;
    return sink->appends || sink->calls->lseek(sink->fd, 0, SEEK_CUR) == *end;
}

/* The file is made longer, and what was asked for beforehand given back. Where that fails, zeros are written instead. */
static ptio_status skip_fd(ptio_sink *sink, uint64_t size, uint64_t *done, ptio_error *err)
{
    off_t end;
    int64_t longer;
    if (!is_at_end(sink, &end))
        return PTIO_OK;
    if (size > INT64_MAX || !ptio_add_i64(end, (int64_t)size, &longer))
        return write_failed(err, EFBIG);
    if (sink->calls->ftruncate(sink->fd, (off_t)longer) != 0)
        return errno == EFBIG ? write_failed(err, EFBIG) : PTIO_OK;
    if ((uint64_t)end < sink->allocated)
        (void)sink->calls->punch(sink->fd, end, (off_t)size);
    *done = size;
    sink->passed += size;
    return seek(sink, (off_t)longer, err);
}

static uint64_t copy_head(const ptio_sink *sink, uint64_t offset)
{
    uint64_t to = (sink->base + sink->position) % BLOCK;
    return to == offset % BLOCK ? (BLOCK - to) % BLOCK : 0;
}

/* Whether whole blocks of the range are the target's now too. Where that fails once, it is not tried again. */
static bool share(ptio_sink *sink, const ptio_sink_range *range, off_t end, uint64_t *done)
{
    uint64_t size = range->size / BLOCK * BLOCK;
    if (sink->cannot_clone || !size || range->offset % BLOCK || (uint64_t)end % BLOCK)
        return false;
    if (sink->calls->clone(sink->fd, end, range->fd, (off_t)range->offset, (off_t)size) != 0) {
        sink->cannot_clone = true;
        return false;
    }
    *done = size;
    return true;
}

/* The next piece: short at first, then aligned in the target. */
static size_t copy_piece(uint64_t to, uint64_t left)
{
    uint64_t piece = to % COPY_UNIT ? COPY_UNIT - to % COPY_UNIT : SYNC_PIECE;
    return (size_t)(left < piece ? left : piece);
}

/* What it could not copy is written, and says then why. */
static ptio_status copy_blocks(ptio_sink *sink, const ptio_sink_range *range, off_t end, uint64_t *done, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    while (!sink->cannot_copy && *done < range->size && status == PTIO_OK) {
        size_t piece = copy_piece((uint64_t)end + *done, range->size - *done);
        ssize_t n = sink->calls->copy(sink->fd, end + (off_t)*done, range->fd, (off_t)(range->offset + *done), piece);
        if (n > 0) {
            *done += (uint64_t)n;
            status = start_sync(sink, sink->passed + *done, err);
        } else if (n == 0 || errno != EINTR) {
            sink->cannot_copy = true;
        }
    }
    return status;
}

/* On the file systems of local disks, where room was asked for beforehand, bytes that lie otherwise in their blocks go faster
 * through the buffer. */
static bool is_slow(const ptio_sink *sink, uint64_t offset, uint64_t end)
{
    return sink->allocated && offset % BLOCK != end % BLOCK;
}

bool ptio_sink_copies_slowly(const ptio_sink *sink, const ptio_source *source, uint64_t offset)
{
    return ptio_source_fd(source) >= 0 && is_slow(sink, offset, sink->base + sink->position);
}

static ptio_status copy_fd(ptio_sink *sink, const ptio_sink_range *range, uint64_t *done, ptio_error *err)
{
    off_t end;
    ptio_status status = PTIO_OK;
    if (sink->appends || !is_at_end(sink, &end))
        return PTIO_OK;
    if (!share(sink, range, end, done) && !range->is_in_memory && !is_slow(sink, range->offset, (uint64_t)end))
        status = copy_blocks(sink, range, end, done, err);
    sink->passed += *done;
    return status == PTIO_OK && *done ? seek(sink, end + (off_t)*done, err) : status;
}

/* ---- descriptors ---- */

static const ptio_sink_kind fd_kind = {.write = write_fd,
                                       .skip = skip_fd,
                                       .copy_head = copy_head,
                                       .copy = copy_fd,
                                       .begin_pieces = begin_pieces,
                                       .write_at = write_at,
                                       .sync_at = sync_at,
                                       .end_pieces = end_pieces};

ptio_status ptio_sink_from_fd_with(const ptio_calls *calls, int fd, const ptio_memory *memory, ptio_sink **ret, ptio_error *err)
{
    ptio_sink *sink;
    if (fd < 0)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.fd", PTIO_NO_OFFSET, "%d is no descriptor", fd);
    ptio_status status = ptio_sink_new("<stream>", &fd_kind, memory, &sink, err);
    if (status != PTIO_OK)
        return status;
    sink->calls = calls;
    sink->fd = fd;
    int flags = fcntl(fd, F_GETFL);
    sink->appends = flags >= 0 && (flags & O_APPEND);
    off_t base = calls->lseek(fd, 0, SEEK_CUR);
    sink->base = base > 0 ? (uint64_t)base : 0;
    *ret = sink;
    return PTIO_OK;
}

ptio_status ptio_sink_from_fd(int fd, const ptio_memory *memory, ptio_sink **ret, ptio_error *err)
{
    return ptio_sink_from_fd_with(&ptio_calls_system, fd, memory, ret, err);
}

/* ---- paths ---- */

static ptio_status expect_path(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    if (!sink->replace || size > INT64_MAX || size <= sink->passed)
        return PTIO_OK;
    int number;
    do
        number = sink->calls->allocate(sink->fd, (off_t)size) == 0 ? 0 : errno;
    while (number == EINTR);
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return ptio_sink_fail(err, "io.room", "there is no room for it", number);
    if (!number)
        sink->allocated = size;
    return PTIO_OK;
}

/* What is no regular file has no second chance, but what the system knows of a failure is told. */
static ptio_status finish_stream(ptio_sink *sink, ptio_error *err)
{
    struct stat about;
    bool has_disk = sink->calls->fstat(sink->fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode));
    if (sink->durable && has_disk && sink->calls->fsync(sink->fd) != 0)
        return ptio_sink_fail(err, "io.sync", "the bytes cannot be made durable", errno);
    sink->close_fd = false;
    if (sink->calls->close(sink->fd) != 0 && errno != EINTR)
        return ptio_sink_fail(err, "io.close", "closing failed", errno);
    return PTIO_OK;
}

static ptio_status finish_path(ptio_sink *sink, ptio_error *err)
{
    if (!sink->replace)
        return finish_stream(sink, err);
    /* The file has its size; this frees the room behind it. */
    if (sink->allocated > sink->passed)
        (void)sink->calls->ftruncate(sink->fd, (off_t)sink->passed);
    ptio_replace_options options = {sink->durable, sink->no_replace, sink->backup};
    return ptio_replace_commit(sink->replace, &options, err);
}

static void release_path(ptio_sink *sink)
{
    if (sink->close_fd)
        (void)sink->calls->close(sink->fd);
    if (sink->replace)
        ptio_replace_end(sink->replace);
    ptio_heap_free(&sink->heap, sink->replace, sizeof *sink->replace);
    ptio_heap_free(&sink->heap, sink->backup, sink->backup_size);
}

static const ptio_sink_kind path_kind = {.write = write_fd,
                                         .skip = skip_fd,
                                         .copy_head = copy_head,
                                         .copy = copy_fd,
                                         .begin_pieces = begin_pieces,
                                         .write_at = write_at,
                                         .sync_at = sync_at,
                                         .end_pieces = end_pieces,
                                         .expect = expect_path,
                                         .finish = finish_path,
                                         .release = release_path};

/* ---- a path that is only looked at ---- */

static ptio_status write_nothing(ptio_sink *sink, const void *data, size_t size, size_t *taken, ptio_error *err)
{
    (void)sink;
    (void)data;
    (void)err;
    *taken = size;
    return PTIO_OK;
}

static ptio_status skip_nothing(ptio_sink *sink, uint64_t size, uint64_t *done, ptio_error *err)
{
    (void)sink;
    (void)err;
    *done = size;
    return PTIO_OK;
}

static ptio_status copy_nothing(ptio_sink *sink, const ptio_sink_range *range, uint64_t *done, ptio_error *err)
{
    (void)sink;
    (void)err;
    *done = range->size;
    return PTIO_OK;
}

static uint64_t no_head(const ptio_sink *sink, uint64_t offset)
{
    (void)sink;
    (void)offset;
    return 0;
}

static const ptio_sink_kind dry_kind = {
    .write = write_nothing, .skip = skip_nothing, .copy_head = no_head, .copy = copy_nothing, .release = release_path};

/* Whether the temporary file could be made. */
static ptio_status look_at_folder(ptio_target *target, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    if (target->kind != PTIO_TARGET_STREAM && target->calls->may_write(target->folder, ".") != 0)
        status = ptio_replace_no_folder(target, errno, err);
    ptio_target_close(target);
    return status;
}

/* ---- opening ---- */

static ptio_status open_stream(ptio_sink *sink, ptio_target *target, ptio_error *err)
{
    /* Only behind a link of /proc there may be a regular file. O_CREAT makes nothing, but Linux refuses then to open a FIFO that
     * somebody else has put into a folder of everyone's (fs.protected_fifos). */
    int flags = target->is_proc_link ? O_TRUNC : O_NOFOLLOW | O_CREAT;
    do
        sink->fd = sink->calls->openat(target->folder, target->name, flags | O_WRONLY | O_CLOEXEC | O_NOCTTY, 0600);
    while (sink->fd < 0 && errno == EINTR);
    int number = errno;
    ptio_target_close(target);
    if (sink->fd < 0)
        return number == EISDIR
                   ? ptio_fail(err, PTIO_ERR_ARGUMENT, "io.directory", PTIO_NO_OFFSET, "it is a directory, not a file")
                   : ptio_sink_fail(err, "io.open", "it cannot be opened for writing", number);
    sink->close_fd = true;
    return PTIO_OK;
}

static ptio_status open_replace(ptio_sink *sink, ptio_target *target, ptio_error *err)
{
    sink->replace = ptio_heap_resize(&sink->heap, NULL, 0, sizeof *sink->replace);
    if (!sink->replace) {
        ptio_target_close(target);
        return ptio_fail_memory(err, "a sink");
    }
    ptio_status status = ptio_replace_begin(sink->replace, target, &sink->heap, err);
    sink->fd = sink->replace->fd;
    return status;
}

static ptio_status open_target(ptio_sink *sink, const char *path, ptio_error *err)
{
    ptio_target target;
    ptio_status status = ptio_target_find(&target, sink->calls, path, err);
    if (status != PTIO_OK)
        return status;
    if (sink->no_replace && (target.kind != PTIO_TARGET_NEW || target.is_link))
        status = ptio_replace_exists(err);
    else if (sink->backup && target.kind == PTIO_TARGET_STREAM)
        status = ptio_fail(err, PTIO_ERR_ARGUMENT, "io.backup", PTIO_NO_OFFSET,
                           "a backup is wanted of what is no regular file of a folder");
    if (status != PTIO_OK) {
        ptio_target_close(&target);
        return status;
    }
    if (sink->kind == &dry_kind)
        return look_at_folder(&target, err);
    return target.kind == PTIO_TARGET_STREAM ? open_stream(sink, &target, err) : open_replace(sink, &target, err);
}

static ptio_status take_backup(ptio_sink *sink, const char *suffix, ptio_error *err)
{
    if (!suffix)
        return PTIO_OK;
    if (!*suffix || strchr(suffix, '/'))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "io.backup", PTIO_NO_OFFSET,
                         "the suffix of a backup is empty or has a slash: \"%s\"", ptio_quote(ptio_text_of(suffix)).text);
    sink->backup_size = strlen(suffix) + 1;
    sink->backup = ptio_heap_resize(&sink->heap, NULL, 0, sink->backup_size);
    if (!sink->backup)
        return ptio_fail_memory(err, "a sink");
    memcpy(sink->backup, suffix, sink->backup_size);
    return PTIO_OK;
}

ptio_status ptio_sink_open_with(const ptio_calls *calls, const char *path, const ptio_sink_options *given, ptio_sink **ret,
                                ptio_error *err)
{
    ptio_sink_options options = {0};
    if (!path)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the path is NULL");
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    ptio_sink *sink;
    ptio_status status = ptio_sink_new(path, options.dry_run ? &dry_kind : &path_kind, options.memory, &sink, err);
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, ptio_text_of(path));
    sink->calls = calls;
    sink->has_path = true;
    sink->durable = !options.not_durable;
    sink->no_replace = options.no_replace;
    status = take_backup(sink, options.backup, err);
    if (status == PTIO_OK)
        status = open_target(sink, path, err);
    return ptio_sink_made(sink, status, ret, err);
}

ptio_status ptio_sink_open(const char *path, const ptio_sink_options *options, ptio_sink **ret, ptio_error *err)
{
    return ptio_sink_open_with(&ptio_calls_system, path, options, ret, err);
}
