#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

disk the_disk;

#define SYSTEM (&ptio_calls_system)

void disk_reset(void)
{
    for (size_t i = 0; i < the_disk.event_count; i++)
        free(the_disk.events[i].data);
    free(the_disk.events);
    the_disk = (disk){.fail_at = UINT64_MAX, .kill_at = UINT64_MAX, .room = UINT64_MAX, .last_interrupted = UINT64_MAX};
}

/* ---- trouble ---- */

static void end_process(void)
{
    (void)raise(SIGKILL);
}

/* After each call that was made. errno stays. */
static void done(void)
{
    if (the_disk.calls - 1 == the_disk.kill_at)
        end_process();
}

/* Before each call: whether it is to fail. */
static bool fails(const char *call)
{
    disk *d = &the_disk;
    uint64_t n = d->calls++;
    if (n == d->kill_at && !d->kill_after)
        end_process();
    bool never = d->never && strcmp(d->never, call) == 0;
    if (!never && n != d->fail_at && !(d->forever && n > d->fail_at))
        return false;
    done();
    d->failed = call;
    errno = never ? d->never_number : d->number;
    return true;
}

/* Every second of the calls that may be interrupted is. */
static bool is_interrupted(void)
{
    the_disk.last_interrupted ^= 1;
    if (!the_disk.interrupted || the_disk.last_interrupted & 1)
        return false;
    errno = EINTR;
    return true;
}

/* ---- notes ---- */

static uint64_t file_of(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 ? about.st_ino : 0;
}

static uint64_t file_at(int folder, const char *name)
{
    struct stat about;
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 ? about.st_ino : 0;
}

static disk_event *note(disk_deed deed, uint64_t file)
{
    static disk_event nowhere;
    disk *d = &the_disk;
    if (!d->notes)
        return &nowhere;
    if (d->event_count == d->event_capacity) {
        d->event_capacity = d->event_capacity * 2 + 16;
        d->events = realloc(d->events, d->event_capacity * sizeof *d->events);
        if (!d->events)
            abort();
    }
    disk_event *event = &d->events[d->event_count++];
    *event = (disk_event){.deed = deed, .file = file};
    return event;
}

static void note_write(int fd, off_t offset, const void *data, size_t size)
{
    if (!the_disk.notes)
        return;
    disk_event *event = note(WROTE, file_of(fd));
    event->offset = (uint64_t)offset;
    event->size = size;
    event->data = malloc(size);
    if (!event->data)
        abort();
    memcpy(event->data, data, size);
}

static void note_names(disk_deed deed, int folder, const char *name, const char *to)
{
    disk_event *event = note(deed, file_at(folder, to ? to : name));
    (void)snprintf(event->name, sizeof event->name, "%s", name);
    (void)snprintf(event->to, sizeof event->to, "%s", to ? to : "");
}

/* ---- the calls ---- */

#define TROUBLE(call, failure) \
    do {                       \
        if (fails(call))       \
            return (failure);  \
    } while (0)

static int disk_openat(int folder, const char *name, int flags, mode_t mode)
{
    TROUBLE("openat", -1);
    int fd = SYSTEM->openat(folder, name, flags, mode);
    the_disk.open += fd >= 0;
    if (fd >= 0 && flags & O_CREAT)
        note_names(MADE, folder, name, NULL);
    done();
    return fd;
}

/* A descriptor is gone even where close() fails. */
static int disk_close(int fd)
{
    int result = SYSTEM->close(fd);
    the_disk.open -= result == 0;
    TROUBLE("close", -1);
    done();
    return result;
}

static int disk_fstat(int fd, struct stat *ret)
{
    TROUBLE("fstat", -1);
    int result = SYSTEM->fstat(fd, ret);
    done();
    return result;
}

static int disk_fstatat(int folder, const char *name, struct stat *ret, int flags)
{
    TROUBLE("fstatat", -1);
    int result = SYSTEM->fstatat(folder, name, ret, flags);
    done();
    return result;
}

static int disk_may_write(int folder, const char *name)
{
    TROUBLE("may_write", -1);
    int result = SYSTEM->may_write(folder, name);
    done();
    return result;
}

static ssize_t disk_readlinkat(int folder, const char *name, char *buffer, size_t size)
{
    TROUBLE("readlinkat", -1);
    ssize_t result = SYSTEM->readlinkat(folder, name, buffer, size);
    done();
    return result;
}

static int disk_flock(int fd)
{
    TROUBLE("flock", -1);
    int result = SYSTEM->flock(fd);
    done();
    return result;
}

static bool disk_is_proc(int folder)
{
    TROUBLE("is_proc", false);
    bool result = SYSTEM->is_proc(folder);
    done();
    return result;
}

static ssize_t disk_read(int fd, void *buffer, size_t size)
{
    TROUBLE("read", -1);
    ssize_t result = is_interrupted() ? -1 : SYSTEM->read(fd, buffer, size);
    done();
    return result;
}

static ssize_t disk_write(int fd, const void *data, size_t size)
{
    disk *d = &the_disk;
    if (d->calls == d->kill_at && !d->kill_after) {
        (void)!SYSTEM->write(fd, data, size / 2);
        end_process();
    }
    TROUBLE("write", -1);
    if (is_interrupted())
        return -1;
    if (d->room == 0) {
        errno = ENOSPC;
        return -1;
    }
    size = d->most && size > d->most ? d->most : size;
    size = size > d->room ? (size_t)d->room : size;
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = SYSTEM->write(fd, data, size);
    if (n > 0) {
        note_write(fd, at, data, (size_t)n);
        d->room -= d->room == UINT64_MAX ? 0 : (uint64_t)n;
    }
    done();
    return n;
}

/* What is called by several threads at once is done by one at a time. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static ssize_t pwrite_alone(int fd, const void *data, size_t size, off_t offset)
{
    disk *d = &the_disk;
    if (d->calls == d->kill_at && !d->kill_after) {
        (void)!SYSTEM->pwrite(fd, data, size / 2, offset);
        end_process();
    }
    TROUBLE("pwrite", -1);
    if (is_interrupted())
        return -1;
    if (d->room == 0) {
        errno = ENOSPC;
        return -1;
    }
    size = d->most && size > d->most ? d->most : size;
    size = size > d->room ? (size_t)d->room : size;
    ssize_t n = SYSTEM->pwrite(fd, data, size, offset);
    if (n > 0) {
        note_write(fd, offset, data, (size_t)n);
        d->room -= d->room == UINT64_MAX ? 0 : (uint64_t)n;
    }
    done();
    return n;
}

static ssize_t disk_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    (void)pthread_mutex_lock(&one_at_a_time);
    ssize_t n = pwrite_alone(fd, data, size, offset);
    (void)pthread_mutex_unlock(&one_at_a_time);
    return n;
}

static off_t disk_lseek(int fd, off_t offset, int whence)
{
    TROUBLE("lseek", -1);
    off_t result = SYSTEM->lseek(fd, offset, whence);
    done();
    return result;
}

static int disk_ftruncate(int fd, off_t size)
{
    TROUBLE("ftruncate", -1);
    int result = SYSTEM->ftruncate(fd, size);
    if (result == 0)
        note(CUT, file_of(fd))->offset = (uint64_t)size;
    done();
    return result;
}

static int disk_allocate(int fd, off_t size)
{
    TROUBLE("allocate", -1);
    int result = is_interrupted() ? -1 : SYSTEM->allocate(fd, size);
    done();
    return result;
}

static int disk_punch(int fd, off_t offset, off_t size)
{
    TROUBLE("punch", -1);
    int result = SYSTEM->punch(fd, offset, size);
    done();
    return result;
}

static int start_sync_alone(int fd, off_t offset, off_t size)
{
    TROUBLE("start_sync", -1);
    int result = SYSTEM->start_sync(fd, offset, size);
    done();
    return result;
}

static int disk_start_sync(int fd, off_t offset, off_t size)
{
    (void)pthread_mutex_lock(&one_at_a_time);
    int result = start_sync_alone(fd, offset, size);
    (void)pthread_mutex_unlock(&one_at_a_time);
    return result;
}

static int disk_clone(int fd, off_t offset, int from, off_t from_offset, off_t size)
{
    TROUBLE("clone", -1);
    if (the_disk.notes) { /* which know of bytes, not of blocks */
        errno = ENOTSUP;
        return -1;
    }
    int result = SYSTEM->clone(fd, offset, from, from_offset, size);
    done();
    return result;
}

static ssize_t disk_copy(int fd, off_t offset, int from, off_t from_offset, size_t size)
{
    TROUBLE("copy", -1);
    if (is_interrupted())
        return -1;
    /* The way that can be noted down, and is the same for the disk. */
    unsigned char piece[65536];
    ssize_t n = pread(from, piece, size < sizeof piece ? size : sizeof piece, from_offset);
    if (n > 0)
        n = pwrite(fd, piece, (size_t)n, offset);
    if (n > 0)
        note_write(fd, offset, piece, (size_t)n);
    done();
    return n;
}

static int disk_fsync(int fd)
{
    TROUBLE("fsync", -1);
    if (is_interrupted())
        return -1;
    struct stat about;
    bool is_folder = fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
    /* Only noted: thousands of saves would wait for the disk, and the power stays on. */
    (void)note(is_folder ? SYNCED_FOLDER : SYNCED, file_of(fd));
    done();
    return 0;
}

static int disk_fchmod(int fd, mode_t mode)
{
    TROUBLE("fchmod", -1);
    int result = SYSTEM->fchmod(fd, mode);
    if (result == 0)
        note(CHMODDED, file_of(fd))->offset = mode;
    done();
    return result;
}

static int disk_fchown(int fd, uid_t owner, gid_t group)
{
    TROUBLE("fchown", -1);
    int result = SYSTEM->fchown(fd, owner, group);
    done();
    return result;
}

static ssize_t disk_flistxattr(int fd, char *names, size_t size)
{
    TROUBLE("flistxattr", -1);
    ssize_t result = SYSTEM->flistxattr(fd, names, size);
    done();
    return result;
}

static ssize_t disk_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    TROUBLE("fgetxattr", -1);
    ssize_t result = SYSTEM->fgetxattr(fd, name, value, size);
    done();
    return result;
}

static int disk_fsetxattr(int fd, const char *name, const void *value, size_t size)
{
    TROUBLE("fsetxattr", -1);
    int result = SYSTEM->fsetxattr(fd, name, value, size);
    done();
    return result;
}

static int disk_fremovexattr(int fd, const char *name)
{
    TROUBLE("fremovexattr", -1);
    int result = SYSTEM->fremovexattr(fd, name);
    done();
    return result;
}

static int disk_linkat(int folder, const char *name, const char *another)
{
    TROUBLE("linkat", -1);
    int result = SYSTEM->linkat(folder, name, another);
    if (result == 0)
        note_names(LINKED, folder, name, another);
    done();
    return result;
}

static int disk_renameat(int folder, const char *name, const char *to)
{
    TROUBLE("renameat", -1);
    int result = SYSTEM->renameat(folder, name, to);
    if (result == 0)
        note_names(RENAMED, folder, name, to);
    done();
    return result;
}

static int disk_rename_new(int folder, const char *name, const char *to)
{
    TROUBLE("rename_new", -1);
    int result = SYSTEM->rename_new(folder, name, to);
    if (result == 0)
        note_names(RENAMED, folder, name, to);
    done();
    return result;
}

static int disk_unlinkat(int folder, const char *name)
{
    TROUBLE("unlinkat", -1);
    int result = SYSTEM->unlinkat(folder, name);
    if (result == 0)
        note_names(UNLINKED, folder, name, NULL);
    done();
    return result;
}

const ptio_calls disk_calls = {
    .openat = disk_openat,
    .close = disk_close,
    .fstat = disk_fstat,
    .fstatat = disk_fstatat,
    .may_write = disk_may_write,
    .readlinkat = disk_readlinkat,
    .flock = disk_flock,
    .is_proc = disk_is_proc,
    .read = disk_read,
    .write = disk_write,
    .pwrite = disk_pwrite,
    .lseek = disk_lseek,
    .ftruncate = disk_ftruncate,
    .allocate = disk_allocate,
    .punch = disk_punch,
    .start_sync = disk_start_sync,
    .clone = disk_clone,
    .copy = disk_copy,
    .fsync = disk_fsync,
    .fchmod = disk_fchmod,
    .fchown = disk_fchown,
    .flistxattr = disk_flistxattr,
    .fgetxattr = disk_fgetxattr,
    .fsetxattr = disk_fsetxattr,
    .fremovexattr = disk_fremovexattr,
    .linkat = disk_linkat,
    .renameat = disk_renameat,
    .rename_new = disk_rename_new,
    .unlinkat = disk_unlinkat,
};
