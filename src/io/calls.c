/*
 * The system's own calls. Everything that only some systems have is in this file.
 *
 * Room is asked for beforehand on ext4 and XFS alone, where it makes writing faster by a third; tmpfs would fill it with zeros, and
 * the rest either cannot or gains nothing. The size of the file stays what was written, so that it never shows bytes that nobody
 * wrote. tmpfs is only asked whether it has the room.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "io/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define EXT4_MAGIC 0xEF53U
#define XFS_MAGIC 0x58465342U
#define TMPFS_MAGIC 0x01021994U
#define PROC_MAGIC 0x9FA0U
#endif

static int call_openat(int folder, const char *name, int flags, mode_t mode)
{
    return openat(folder, name, flags, mode);
}

static int call_fstat(int fd, struct stat *ret)
{
    return fstat(fd, ret);
}

static int call_fstatat(int folder, const char *name, struct stat *ret, int flags)
{
    return fstatat(folder, name, ret, flags);
}

static int call_may_write(int folder, const char *name)
{
    return faccessat(folder, name, W_OK, AT_EACCESS);
}

static int call_flock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int call_fsync(int fd)
{
#if defined(F_FULLFSYNC)
    /* fsync() of macOS leaves the bytes in the disk's own memory. */
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
#endif
    return fsync(fd);
}

static int call_linkat(int folder, const char *name, const char *another)
{
    return linkat(folder, name, folder, another, 0);
}

static int call_renameat(int folder, const char *name, const char *to)
{
    return renameat(folder, name, folder, to);
}

static int call_unlinkat(int folder, const char *name)
{
    return unlinkat(folder, name, 0);
}

#if defined(__linux__)

static bool call_is_proc(int folder)
{
    struct statfs about;
    return fstatfs(folder, &about) == 0 && (uint32_t)about.f_type == PROC_MAGIC;
}

static int call_allocate(int fd, off_t size)
{
    struct statfs about;
    if (fstatfs(fd, &about) != 0)
        return -1;
    uint32_t type = (uint32_t)about.f_type;
    if (type == EXT4_MAGIC || type == XFS_MAGIC)
        return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size);
    /* A tmpfs without limit says that it has no blocks. */
    bool lacks_room = type == TMPFS_MAGIC && about.f_blocks && (uint64_t)size / (uint64_t)about.f_bsize > about.f_bavail;
    errno = lacks_room ? ENOSPC : ENOTSUP;
    return -1;
}

static int call_punch(int fd, off_t offset, off_t size)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

static int call_start_sync(int fd, off_t offset, off_t size)
{
    return sync_file_range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
}

static int call_clone(int fd, off_t offset, int from, off_t from_offset, off_t size)
{
    struct file_clone_range range = {
        .src_fd = from, .src_offset = (uint64_t)from_offset, .src_length = (uint64_t)size, .dest_offset = (uint64_t)offset};
    return ioctl(fd, FICLONERANGE, &range);
}

static ssize_t call_copy(int fd, off_t offset, int from, off_t from_offset, size_t size)
{
    return copy_file_range(from, &from_offset, fd, &offset, size, 0);
}

static ssize_t call_flistxattr(int fd, char *names, size_t size)
{
    return flistxattr(fd, names, size);
}

static ssize_t call_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    return fgetxattr(fd, name, value, size);
}

static int call_fsetxattr(int fd, const char *name, const void *value, size_t size)
{
    return fsetxattr(fd, name, value, size, 0);
}

static int call_fremovexattr(int fd, const char *name)
{
    return fremovexattr(fd, name);
}

static int call_rename_new(int folder, const char *name, const char *to)
{
    return (int)syscall(SYS_renameat2, folder, name, folder, to, RENAME_NOREPLACE);
}

#else

static int not_here(void)
{
    errno = ENOTSUP;
    return -1;
}

static bool call_is_proc(int folder)
{
    (void)folder;
    return false;
}

static int call_allocate(int fd, off_t size)
{
    (void)fd, (void)size;
    return not_here();
}

static int call_punch(int fd, off_t offset, off_t size)
{
    (void)fd, (void)offset, (void)size;
    return not_here();
}

static int call_start_sync(int fd, off_t offset, off_t size)
{
    return call_punch(fd, offset, size);
}

static int call_clone(int fd, off_t offset, int from, off_t from_offset, off_t size)
{
    (void)fd, (void)offset, (void)from, (void)from_offset, (void)size;
    return not_here();
}

static ssize_t call_copy(int fd, off_t offset, int from, off_t from_offset, size_t size)
{
    (void)fd, (void)offset, (void)from, (void)from_offset, (void)size;
    return not_here();
}

static ssize_t call_flistxattr(int fd, char *names, size_t size)
{
    (void)fd, (void)names, (void)size;
    return not_here();
}

static ssize_t call_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    (void)fd, (void)name, (void)value, (void)size;
    return not_here();
}

static int call_fsetxattr(int fd, const char *name, const void *value, size_t size)
{
    (void)fd, (void)name, (void)value, (void)size;
    return not_here();
}

static int call_fremovexattr(int fd, const char *name)
{
    (void)fd, (void)name;
    return not_here();
}

static int call_rename_new(int folder, const char *name, const char *to)
{
    (void)folder, (void)name, (void)to;
    return not_here();
}

#endif

const ptio_calls ptio_calls_system = {
    .openat = call_openat,
    .close = close,
    .fstat = call_fstat,
    .fstatat = call_fstatat,
    .may_write = call_may_write,
    .readlinkat = readlinkat,
    .flock = call_flock,
    .is_proc = call_is_proc,
    .read = read,
    .write = write,
    .pwrite = pwrite,
    .lseek = lseek,
    .ftruncate = ftruncate,
    .allocate = call_allocate,
    .punch = call_punch,
    .start_sync = call_start_sync,
    .clone = call_clone,
    .copy = call_copy,
    .fsync = call_fsync,
    .fchmod = fchmod,
    .fchown = fchown,
    .flistxattr = call_flistxattr,
    .fgetxattr = call_fgetxattr,
    .fsetxattr = call_fsetxattr,
    .fremovexattr = call_fremovexattr,
    .linkat = call_linkat,
    .renameat = call_renameat,
    .rename_new = call_rename_new,
    .unlinkat = call_unlinkat,
};
