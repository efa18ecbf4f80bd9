/*
 * The system calls of saving, as a table.
 *
 * A test hands in a table of its own, and so makes each call fail, ends the process at each, or notes all of them down and works out
 * what a disk would hold after a power loss. What only some systems have gives -1 and ENOTSUP elsewhere, so that nobody else needs
 * to know which system it is. All are as their namesakes: -1 and errno for a failure, EINTR too.
 */
#ifndef PTIO_IO_CALLS_H
#define PTIO_IO_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef struct ptio_calls {
    int (*openat)(int folder, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *ret);
    int (*fstatat)(int folder, const char *name, struct stat *ret, int flags);
    int (*may_write)(int folder, const char *name); /* whether the file's mode allows it */
    ssize_t (*readlinkat)(int folder, const char *name, char *buffer, size_t size);
    int (*flock)(int fd);        /* for this process alone, without waiting */
    bool (*is_proc)(int folder); /* whether its links are more than texts   */

    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *data, size_t size);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset); /* by several threads at once */
    off_t (*lseek)(int fd, off_t offset, int whence);
    int (*ftruncate)(int fd, off_t size);
    int (*allocate)(int fd, off_t size);            /* room for the first `size` bytes, where that makes writing faster      */
    int (*punch)(int fd, off_t offset, off_t size); /* give that room back                                                 */
    int (*start_sync)(int fd, off_t offset, off_t size);
    int (*clone)(int fd, off_t offset, int from, off_t from_offset, off_t size);     /* share the blocks                 */
    ssize_t (*copy)(int fd, off_t offset, int from, off_t from_offset, size_t size); /* inside the system                */
    int (*fsync)(int fd);

    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t owner, gid_t group);
    ssize_t (*flistxattr)(int fd, char *names, size_t size);
    ssize_t (*fgetxattr)(int fd, const char *name, void *value, size_t size);
    int (*fsetxattr)(int fd, const char *name, const void *value, size_t size);
    int (*fremovexattr)(int fd, const char *name);

    /* All in one folder. */
    int (*linkat)(int folder, const char *name, const char *another);
    int (*renameat)(int folder, const char *name, const char *to);
    int (*rename_new)(int folder, const char *name, const char *to); /* EEXIST where `to` is there already */
    int (*unlinkat)(int folder, const char *name);
} ptio_calls;

/** The system's own. */
extern const ptio_calls ptio_calls_system;

#endif
