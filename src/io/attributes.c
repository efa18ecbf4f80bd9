/*
 * Keeping owner, mode, access list and attributes.
 *
 * The order matters: a new owner clears bits of the mode, an access list sets some, so the mode comes last. Attributes that vouch for
 * the bytes (security.ima, security.capability), or belong to a file system (trusted.overlay, btrfs), are not the new file's.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/text.h"
#include "io/source_kind.h"

/* Linux has no longer values, and no longer lists of names. */
#define MOST ((size_t)64 << 10)

#define ACCESS_LIST "system.posix_acl_access"

static bool is_kept(const char *name)
{
    return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.selinux") == 0;
}

/* 1: copied; 0: there is none; -1: it is there, or may be, and could not be copied. */
static int copy_one(const ptio_calls *calls, int from, int to, const char *name, char *value)
{
    ssize_t size = calls->fgetxattr(from, name, value, MOST);
    if (size < 0)
        return errno == ENODATA || errno == ENOTSUP ? 0 : -1;
    return calls->fsetxattr(to, name, value, (size_t)size) == 0 ? 1 : -1;
}

/* A new file may have an access list from its folder. Gives whether it has none now. */
static bool remove_access_list(const ptio_calls *calls, int to)
{
    return calls->fremovexattr(to, ACCESS_LIST) == 0 || errno == ENODATA || errno == ENOTSUP;
}

/* Gives whether the access list was kept, or there was none. */
static bool copy_all(const ptio_calls *calls, int from, int to, char *names, char *value)
{
    ssize_t size = calls->flistxattr(from, names, MOST - 1);
    names[size > 0 ? size : 0] = '\0';
    for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
        if (is_kept(name))
            (void)copy_one(calls, from, to, name, value);
    int copied = copy_one(calls, from, to, ACCESS_LIST, value);
    return copied > 0 || (remove_access_list(calls, to) && copied == 0);
}

static ptio_status keep_lists(const ptio_calls *calls, ptio_heap *heap, int from, int to, bool *kept, ptio_error *err)
{
    char *memory = ptio_heap_resize(heap, NULL, 0, 2 * MOST);
    if (!memory)
        return ptio_fail_memory(err, "the attributes of a file");
    *kept = copy_all(calls, from, to, memory, memory + MOST);
    ptio_heap_free(heap, memory, 2 * MOST);
    return PTIO_OK;
}

/* Whether the group is as it was; *owner: so is the owner. */
static bool keep_owner(const ptio_calls *calls, const struct stat *about, int to, bool *owner)
{
    struct stat now;
    *owner = false;
    if (calls->fstat(to, &now) != 0)
        return false;
    *owner = now.st_uid == about->st_uid;
    if (*owner && now.st_gid == about->st_gid)
        return true;
    if (calls->fchown(to, about->st_uid, about->st_gid) == 0)
        return *owner = true;
    return now.st_gid == about->st_gid || calls->fchown(to, (uid_t)-1, about->st_gid) == 0;
}

ptio_status ptio_attributes_keep(const ptio_calls *calls, ptio_heap *heap, int folder, const char *name, const struct stat *about,
                                 int to, ptio_error *err)
{
    bool owner, lists = false;
    bool group = keep_owner(calls, about, to, &owner);
    ptio_status status = PTIO_OK;
    int from = calls->openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (from >= 0) {
        status = keep_lists(calls, heap, from, to, &lists, err);
        (void)calls->close(from);
    } else {
        (void)remove_access_list(calls, to);
    }
    if (status != PTIO_OK)
        return status;
    mode_t mode = about->st_mode & (owner && group ? 07777 : 0777);
    if (!group || !lists)
        mode &= ~(mode_t)070 | (mode & 07) << 3;
    if (calls->fchmod(to, mode) == 0)
        return PTIO_OK;
    return ptio_source_fail(err, "io.attributes", PTIO_NO_OFFSET, "its mode cannot be kept", errno);
}
