/*
 * The calibrator: what this machine can do at best, measured in the same process as the jobs and alternating with them.
 * Nothing here uses libptio, but for what prepare() is told.
 */
#ifndef PTIO_BENCH_LIMITS_H
#define PTIO_BENCH_LIMITS_H

#include <stddef.h>
#include <stdint.h>

typedef struct span {
    uint64_t offset, size;
} span;

/** A file, and a warm buffer for what is read of it. */
typedef struct target {
    const char *path;
    uint64_t size;
    span directory; /* of the zip                     */
    span pickle;    /* its data.pkl                   */
    uint8_t *buffer;
    size_t buffer_size;
} target;

/** Find the directory of a zip file, and make a buffer. `pickle` is the caller's to fill in. */
void target_open(target *t, const char *path, size_t buffer_size);
void target_close(target *t);

/** The least a reader must do to list a file: read directory and pickle, pass over every entry and every opcode once. */
uint64_t limit_list(const target *t);

/** How many opcodes the pickle has. */
uint64_t count_opcodes(const target *t);

/** Read spans of the file by pread into the warm buffer. */
uint64_t limit_pread(const target *t, const span *spans, size_t count);

/** Read the whole file by pread into one small buffer that stays in the cache. */
uint64_t limit_stream(const target *t);

/** Map the file and read each byte, in four streams. */
uint64_t limit_mapped(const target *t);

/** Copy within warm memory, `size` bytes. */
uint64_t limit_memcpy(void *to, const void *from, size_t size);

#endif
