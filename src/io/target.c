/*
 * Finding where a path leads: the folder, opened once, so that nobody can exchange it later, and the name in it.
 *
 * Symbolic links are followed here, one after another, since the file that is replaced is the one behind them and the temporary file
 * must be in its folder. A link of /proc (/dev/stdout leads to one) is more than its text, which may be "pipe:[4711]": it is opened
 * as it is.
 *
 * A file that its mode protects from being written is not replaced, though its folder would allow that.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "io/replace.h"
#include "io/source_kind.h"

/* As the kernel. */
#define MOST_LINKS 40

#if !defined(O_PATH)
#define O_PATH O_RDONLY
#endif

static ptio_status open_failed(ptio_error *err, int number)
{
    return ptio_source_fail(err, "io.open", PTIO_NO_OFFSET, "it cannot be opened for writing", number);
}

static ptio_status is_directory(ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "io.directory", PTIO_NO_OFFSET, "it is a directory, not a file");
}

void ptio_target_close(ptio_target *target)
{
    if (target->folder >= 0)
        (void)target->calls->close(target->folder);
    target->folder = -1;
}

/* A folder that one may write to but not list can be entered too, though not synced. */
static int open_folder(ptio_target *target, const char *name)
{
    int from = target->folder >= 0 ? target->folder : AT_FDCWD, fd;
    do
        fd = target->calls->openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    while (fd < 0 && errno == EINTR);
    target->cannot_sync = fd < 0 && errno == EACCES;
    if (target->cannot_sync)
        fd = target->calls->openat(from, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    return fd;
}

/* Cut a path into folder and name, "." being the folder of a name alone. */
static ptio_status split(ptio_target *target, const char *path, ptio_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = slash ? (size_t)(slash - path) : 0;
    if (!*path)
        return open_failed(err, ENOENT);
    if (!*name)
        return is_directory(err);
    if (strlen(name) >= sizeof target->name || size >= sizeof target->folder_name)
        return open_failed(err, ENAMETOOLONG);
    memcpy(target->name, name, strlen(name) + 1);
    if (size)
        memcpy(target->folder_name, path, size);
    else
        target->folder_name[size++] = slash ? '/' : '.';
    target->folder_name[size] = '\0';
    return PTIO_OK;
}

/* Go to the folder of a path, which is as seen from the folder before. */
static ptio_status enter(ptio_target *target, const char *path, ptio_error *err)
{
    ptio_status status = split(target, path, err);
    if (status != PTIO_OK)
        return status;
    int fd = open_folder(target, target->folder_name);
    int number = errno;
    ptio_target_close(target);
    target->folder = fd;
    if (fd >= 0)
        return PTIO_OK;
    if (number == ENOENT)
        return ptio_fail(err, PTIO_ERR_IO, "io.parent", PTIO_NO_OFFSET, "Parent directory %s does not exist.",
                         ptio_quote(ptio_text_of(target->folder_name)).text);
    return open_failed(err, number);
}

/* In a folder where everyone may put links but nobody may remove those of others (/tmp), only one's own are followed, and those of
 * the folder's owner. Linux does the same where it follows links itself (fs.protected_symlinks). */
static bool may_follow(const ptio_target *target, uid_t owner)
{
    struct stat folder;
    if (target->calls->fstat(target->folder, &folder) != 0)
        return false;
    bool is_shared = (folder.st_mode & S_ISVTX) && (folder.st_mode & S_IWOTH);
    return !is_shared || owner == geteuid() || owner == folder.st_uid;
}

/* What the name in the folder is, or where it leads: then *next is that path. */
static ptio_status look(ptio_target *target, char next[PTIO_PATH_SIZE], ptio_error *err)
{
    struct stat about;
    next[0] = '\0';
    target->kind = PTIO_TARGET_NEW;
    if (target->calls->fstatat(target->folder, target->name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? PTIO_OK : open_failed(err, errno);
    target->kind = S_ISREG(about.st_mode) ? PTIO_TARGET_FILE : PTIO_TARGET_STREAM;
    target->about = about;
    if (S_ISDIR(about.st_mode))
        return is_directory(err);
    if (S_ISREG(about.st_mode) && target->calls->may_write(target->folder, target->name) != 0)
        return open_failed(err, errno);
    if (!S_ISLNK(about.st_mode))
        return PTIO_OK;
    target->is_link = true;
    target->is_proc_link = target->calls->is_proc(target->folder);
    if (target->is_proc_link)
        return PTIO_OK;
    if (!may_follow(target, about.st_uid))
        return open_failed(err, EACCES);
    ssize_t size = target->calls->readlinkat(target->folder, target->name, next, PTIO_PATH_SIZE - 1);
    if (size <= 0)
        return open_failed(err, size ? errno : ENOENT);
    next[size] = '\0';
    return PTIO_OK;
}

ptio_status ptio_target_find(ptio_target *target, const ptio_calls *calls, const char *path, ptio_error *err)
{
    char next[PTIO_PATH_SIZE];
    *target = (ptio_target){.calls = calls, .folder = -1};
    ptio_status status = enter(target, path, err);
    if (status == PTIO_OK)
        status = look(target, next, err);
    for (int links = 1; status == PTIO_OK && next[0]; links++) {
        status = links > MOST_LINKS ? open_failed(err, ELOOP) : enter(target, next, err);
        if (status == PTIO_OK)
            status = look(target, next, err);
    }
    if (status != PTIO_OK)
        ptio_target_close(target);
    return status;
}
