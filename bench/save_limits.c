/* The calibrator of saving. See save_limits.h. */
#define _GNU_SOURCE
#include "save_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BLOCK ((size_t)512 << 10)
#define SMALL_BUFFER ((size_t)256 << 10)
#define SYNC_PIECE ((uint64_t)8 << 20)
#define TMPFS_MAGIC 0x01021994

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    exit(1);
}

void remove_file(const char *path)
{
    require(unlink(path) == 0 || errno == ENOENT, path);
}

static int create(const char *path, uint64_t size)
{
    struct statfs about;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    require(fd >= 0 && fstatfs(fd, &about) == 0, path);
    if (about.f_type != TMPFS_MAGIC) /* which would fill it with zeros */
        (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    return fd;
}

static void put(int fd, const void *bytes, size_t size)
{
    require(write(fd, bytes, size) == (ssize_t)size, "write");
}

uint64_t limit_write(const written *w)
{
    uint32_t crc = 0;
    uint64_t synced = 0;
    int fd = create(w->path, w->size);
    for (uint64_t at = 0; at < w->size;) {
        size_t n = w->size - at < BLOCK ? (size_t)(w->size - at) : BLOCK;
        if (w->crc)
            crc = libdeflate_crc32(crc, w->bytes + at, n);
        put(fd, w->bytes + at, n);
        at += n;
        if (w->durable && at - synced >= SYNC_PIECE) {
            (void)sync_file_range(fd, (off_t)synced, (off_t)(at - synced), SYNC_FILE_RANGE_WRITE);
            synced = at;
        }
    }
    require(!w->durable || fsync(fd) == 0, "fsync");
    require(close(fd) == 0, "close");
    return crc;
}

uint64_t limit_write_small(const written *w, uint64_t record, uint64_t around)
{
    static uint8_t buffer[SMALL_BUFFER];
    uint64_t count = w->size / record, crc = 0, header = around / count;
    size_t used = 0;
    int fd = create(w->path, w->size + around);
    for (uint64_t i = 0; i < count; i++) {
        if (used + header + record > sizeof buffer) {
            put(fd, buffer, used);
            used = 0;
        }
        memset(buffer + used, 'Z', header);
        memcpy(buffer + used + header, w->bytes + i * record, record);
        crc += libdeflate_crc32(0, w->bytes + i * record, record);
        used += header + record;
    }
    put(fd, buffer, used);
    require(close(fd) == 0, "close");
    return crc;
}

uint64_t limit_copy(const char *from, const char *to)
{
    struct stat about;
    int in = open(from, O_RDONLY);
    require(in >= 0 && fstat(in, &about) == 0, from);
    int out = create(to, (uint64_t)about.st_size);
    off_t at = 0;
    while (at < about.st_size)
        require(copy_file_range(in, &at, out, NULL, (size_t)SYNC_PIECE, 0) > 0, "copy_file_range");
    close(in);
    require(close(out) == 0, "close");
    return (uint64_t)at;
}

bool can_share_blocks(const char *folder)
{
    static const uint8_t block[4096] = {1};
    char from[4096], to[4096];
    snprintf(from, sizeof from, "%s/share-1", folder);
    snprintf(to, sizeof to, "%s/share-2", folder);
    remove_file(from);
    remove_file(to);
    int in = open(from, O_RDWR | O_CREAT, 0666), out = open(to, O_RDWR | O_CREAT, 0666);
    require(in >= 0 && out >= 0, folder);
    put(in, block, sizeof block);
    bool can = ioctl(out, FICLONE, in) == 0;
    close(in);
    close(out);
    remove_file(from);
    remove_file(to);
    return can;
}
