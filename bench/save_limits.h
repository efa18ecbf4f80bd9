/*
 * The calibrator of saving: what it takes at least to write the same bytes. As limits.h, without libptio.
 */
#ifndef PTIO_BENCH_SAVE_LIMITS_H
#define PTIO_BENCH_SAVE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is written. Room for all of it is asked for beforehand where that makes writing faster. */
typedef struct written {
    const char *path; /* of a new file */
    const uint8_t *bytes;
    uint64_t size;
    bool crc;     /* of each block, before it is written    */
    bool durable; /* the disk is started early, then fsync  */
} written;

/** Write a new file. */
uint64_t limit_write(const written *w);

/** The least for many small records: each one's CRC and copy into a buffer, among `around` bytes in all of headers, directory and
 *  pickle; the buffer is written when it is full. */
uint64_t limit_write_small(const written *w, uint64_t record, uint64_t around);

/** A new file of the same bytes as another, by the system. */
uint64_t limit_copy(const char *from, const char *to);

/** Whether files of the folder can share their blocks. */
bool can_share_blocks(const char *folder);

/** Remove a file if it is there. */
void remove_file(const char *path);

#endif
