/*
 * Replacing a file: making the temporary one, and putting it in place. replace.h lists the steps.
 *
 * Everything is done with names in the folder that was opened at first, and nothing before the rename changes what the target's name
 * means. A backup is a second name of the old file, made before; the one place where bytes are copied is a backup on file systems
 * without second names.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "io/attributes.h"
#include "io/source_kind.h"

/* A temporary name is .NAME.RANDOM.ptio-tmp, RANDOM being 16 digits: the target can be told, and whose it is. */
#define TEMPORARY_SUFFIX ".ptio-tmp"
#define TEMPORARY_REST (1 + 1 + 16 + sizeof TEMPORARY_SUFFIX)

/* How often another name is tried. */
#define ATTEMPTS 100

static ptio_status failed(ptio_error *err, const char *reason, const char *what, int number)
{
    return ptio_source_fail(err, reason, PTIO_NO_OFFSET, what, number);
}

ptio_status ptio_replace_exists(ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "io.exists", PTIO_NO_OFFSET, "there is a file already, which is not to be replaced");
}

ptio_status ptio_replace_no_folder(const ptio_target *target, int number, ptio_error *err)
{
    char what[192];
    (void)snprintf(what, sizeof what, "no temporary file can be made in the folder %s",
                   ptio_quote(ptio_text_of(target->folder_name)).text);
    return failed(err, "io.folder", what, number);
}

/* ---- temporary names ---- */

/* A new name beside `name`, of which `most` bytes are shown at most, cut between characters. */
static void make_name(char temporary[PTIO_NAME_SIZE], const char *name, size_t most)
{
    size_t size = strlen(name);
    if (size > most)
        for (size = most; size && ((unsigned char)name[size] & 0xC0) == 0x80;)
            size--;
    (void)snprintf(temporary, PTIO_NAME_SIZE, ".%.*s.%016llx%s", (int)size, name, (unsigned long long)ptio_os_random(),
                   TEMPORARY_SUFFIX);
}

/* Why one more name is to be tried: it was taken, or too long for this file system. */
static bool try_another(int number, size_t *most)
{
    if (number == ENAMETOOLONG && *most) {
        *most /= 2;
        return true;
    }
    return number == EEXIST || number == EINTR;
}

static ptio_status make_temporary(ptio_replace *replace, ptio_error *err)
{
    const ptio_target *target = &replace->target;
    /* A new file gets the mode that any new file gets here, of the system itself, by umask or the folder's default list. One that
     * takes another's place is nobody else's until it has the mode of that. */
    mode_t mode = target->kind == PTIO_TARGET_NEW ? 0666 : 0600;
    size_t most = PTIO_NAME_SIZE - TEMPORARY_REST;
    int number = EEXIST;
    for (int i = 0; i < ATTEMPTS && replace->fd < 0 && try_another(number, &most); i++) {
        make_name(replace->temporary, target->name, most);
        replace->fd =
            target->calls->openat(target->folder, replace->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        number = errno;
    }
    replace->has_temporary = replace->fd >= 0;
    if (replace->has_temporary)
        return PTIO_OK;
    return ptio_replace_no_folder(target, number, err);
}

ptio_status ptio_replace_begin(ptio_replace *replace, const ptio_target *target, ptio_heap *heap, ptio_error *err)
{
    *replace = (ptio_replace){.target = *target, .heap = heap, .fd = -1};
    ptio_status status = make_temporary(replace, err);
    /* Held as long as it is written: who finds it unlocked may remove it. Where there are no locks, its age must do. */
    if (status == PTIO_OK)
        (void)target->calls->flock(replace->fd);
    return status;
}

/* ---- putting it in place ---- */

/* What is at the target now: it may have come, gone or changed since it was found. */
static ptio_status look(ptio_replace *replace, bool *exists, ptio_error *err)
{
    ptio_target *target = &replace->target;
    struct stat about;
    *exists = target->calls->fstatat(target->folder, target->name, &about, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*exists)
        return errno == ENOENT ? PTIO_OK : failed(err, "io.stat", "it cannot be looked at", errno);
    if (!S_ISREG(about.st_mode))
        return ptio_fail(err, PTIO_ERR_IO, "io.changed", PTIO_NO_OFFSET,
                         "it was a regular file or none when the save began, and is neither now");
    target->kind = PTIO_TARGET_FILE;
    target->about = about;
    return PTIO_OK;
}

static ptio_status sync_fd(const ptio_calls *calls, int fd)
{
    int result;
    do
        result = calls->fsync(fd);
    while (result != 0 && errno == EINTR);
    return result == 0 ? PTIO_OK : PTIO_ERR_IO;
}

/* After a failed fsync() a second one may say that all is well when it is not, so one failure is the end. */
static ptio_status sync_and_close(ptio_replace *replace, bool durable, ptio_error *err)
{
    const ptio_calls *calls = replace->target.calls;
    if (durable && sync_fd(calls, replace->fd) != PTIO_OK)
        return failed(err, "io.sync", "the bytes cannot be made durable", errno);
    int fd = replace->fd;
    replace->fd = -1;
    /* Network file systems tell here what did not fit. An interrupted close has closed, and all is on the disk before. */
    if (calls->close(fd) != 0 && !(durable && errno == EINTR))
        return failed(err, "io.close", "closing failed", errno);
    return PTIO_OK;
}

/* Not all file systems can sync a folder, and one that may not be listed cannot be opened for it. */
static ptio_status sync_folder(const ptio_replace *replace)
{
    if (replace->target.cannot_sync) {
        errno = EACCES;
        return PTIO_ERR_IO;
    }
    if (sync_fd(replace->target.calls, replace->target.folder) == PTIO_OK)
        return PTIO_OK;
    return errno == EINVAL || errno == ENOTSUP ? PTIO_OK : PTIO_ERR_IO;
}

/* In place of whatever is there, or only if nothing is: by the call for it, or by a second name and the removal of the first. */
static ptio_status put_in_place(ptio_replace *replace, bool no_replace, ptio_error *err)
{
    const ptio_target *target = &replace->target;
    const ptio_calls *calls = target->calls;
    int result = no_replace ? calls->rename_new(target->folder, replace->temporary, target->name)
                            : calls->renameat(target->folder, replace->temporary, target->name);
    if (result != 0 && no_replace && errno != EEXIST) {
        result = calls->linkat(target->folder, replace->temporary, target->name);
        if (result == 0)
            (void)calls->unlinkat(target->folder, replace->temporary);
    }
    if (result != 0)
        return no_replace && errno == EEXIST ? ptio_replace_exists(err)
                                             : failed(err, "io.rename", "it cannot be put in place", errno);
    replace->has_temporary = false;
    return PTIO_OK;
}

/* ---- the old file's second name ---- */

static ptio_status backup_failed(ptio_error *err, int number)
{
    return failed(err, "io.backup", "the old file cannot be kept as a backup", number);
}

/* A second name of the same file, under a temporary one first, since only rename() takes the place of an older backup. */
static int link_old(const ptio_target *target, const char *name, char temporary[PTIO_NAME_SIZE])
{
    size_t most = PTIO_NAME_SIZE - TEMPORARY_REST;
    int number = EEXIST;
    for (int i = 0; i < ATTEMPTS && number && try_another(number, &most); i++) {
        make_name(temporary, name, most);
        number = target->calls->linkat(target->folder, target->name, temporary) == 0 ? 0 : errno;
    }
    return number;
}

static ptio_status rename_backup(const ptio_target *target, const char *temporary, const char *name, ptio_error *err)
{
    int number = target->calls->renameat(target->folder, temporary, name) == 0 ? 0 : errno;
    /* Where the backup was this very file already, both names are left. */
    (void)target->calls->unlinkat(target->folder, temporary);
    return number ? backup_failed(err, number) : PTIO_OK;
}

static ptio_status copy_bytes(const ptio_calls *calls, int from, int to, uint8_t *buffer, size_t capacity, ptio_error *err)
{
    size_t have = 0, sent = 0;
    for (;;) {
        bool reads = sent == have;
        ssize_t n = reads ? calls->read(from, buffer, capacity) : calls->write(to, buffer + sent, have - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && !reads))
            return backup_failed(err, n ? errno : EIO);
        if (n == 0)
            return PTIO_OK;
        have = reads ? (size_t)n : have;
        sent = reads ? 0 : sent + (size_t)n;
    }
}

#define COPY_PIECE ((size_t)256 << 10)

static ptio_status fill_backup(ptio_replace *copy, const ptio_target *target, bool durable, ptio_error *err)
{
    const ptio_calls *calls = target->calls;
    uint8_t *buffer = ptio_heap_resize(copy->heap, NULL, 0, COPY_PIECE);
    if (!buffer)
        return ptio_fail_memory(err, "the backup of a file");
    int from = calls->openat(target->folder, target->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    ptio_status status = from < 0 ? backup_failed(err, errno) : copy_bytes(calls, from, copy->fd, buffer, COPY_PIECE, err);
    if (from >= 0)
        (void)calls->close(from);
    ptio_heap_free(copy->heap, buffer, COPY_PIECE);
    if (status == PTIO_OK)
        status = ptio_attributes_keep(calls, copy->heap, target->folder, target->name, &target->about, copy->fd, err);
    if (status == PTIO_OK)
        status = sync_and_close(copy, durable, err);
    return status == PTIO_OK ? put_in_place(copy, false, err) : status;
}

/* For file systems without second names, and for files that one may not give any. */
static ptio_status copy_backup(const ptio_replace *replace, const char *name, bool durable, ptio_error *err)
{
    ptio_replace copy;
    ptio_target target = replace->target;
    target.kind = PTIO_TARGET_FILE;
    (void)memcpy(target.name, name, strlen(name) + 1);
    target.folder = target.calls->openat(replace->target.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (target.folder < 0)
        return backup_failed(err, errno);
    ptio_status status = ptio_replace_begin(&copy, &target, replace->heap, err);
    if (status == PTIO_OK)
        status = fill_backup(&copy, &replace->target, durable, err);
    ptio_replace_end(&copy);
    return status;
}

static ptio_status keep_backup(const ptio_replace *replace, const ptio_replace_options *options, ptio_error *err)
{
    char name[PTIO_NAME_SIZE], temporary[PTIO_NAME_SIZE];
    int size = snprintf(name, sizeof name, "%s%s", replace->target.name, options->backup);
    if (size < 0 || (size_t)size >= sizeof name)
        return backup_failed(err, ENAMETOOLONG);
    int number = link_old(&replace->target, name, temporary);
    ptio_status status;
    if (number == 0)
        status = rename_backup(&replace->target, temporary, name, err);
    else if (number == EPERM || number == ENOTSUP || number == EMLINK || number == ENOSYS)
        status = copy_backup(replace, name, options->durable, err);
    else
        status = backup_failed(err, number);
    /* Before the target's name changes: a disk may take up the two changes in either order. */
    if (status == PTIO_OK && options->durable && sync_folder(replace) != PTIO_OK)
        status = backup_failed(err, errno);
    return status;
}

/* ---- all of it ---- */

ptio_status ptio_replace_commit(ptio_replace *replace, const ptio_replace_options *options, ptio_error *err)
{
    ptio_target *target = &replace->target;
    bool exists;
    ptio_status status = look(replace, &exists, err);
    if (status == PTIO_OK && exists && options->no_replace)
        status = ptio_replace_exists(err);
    if (status == PTIO_OK && target->kind == PTIO_TARGET_FILE)
        status =
            ptio_attributes_keep(target->calls, replace->heap, target->folder, target->name, &target->about, replace->fd, err);
    if (status == PTIO_OK)
        status = sync_and_close(replace, options->durable, err);
    if (status == PTIO_OK && exists && options->backup)
        status = keep_backup(replace, options, err);
    if (status == PTIO_OK)
        status = put_in_place(replace, options->no_replace, err);
    if (status == PTIO_OK && options->durable && sync_folder(replace) != PTIO_OK)
        status = failed(err, "io.directory-sync", "it is in place, but its folder cannot be made durable", errno);
    return status;
}

void ptio_replace_end(ptio_replace *replace)
{
    const ptio_calls *calls = replace->target.calls;
    if (replace->fd >= 0)
        (void)calls->close(replace->fd);
    replace->fd = -1;
    if (replace->has_temporary)
        (void)calls->unlinkat(replace->target.folder, replace->temporary);
    replace->has_temporary = false;
    ptio_target_close(&replace->target);
}
