/*
 * The parts of recognising a file, as the files of this folder hand them to one another.
 */
#ifndef PTIO_ARCHIVE_PROBE_H
#define PTIO_ARCHIVE_PROBE_H

#include "archive/archive.h"

/** Beginning and end of what is looked at. */
typedef struct ptio_sample {
    const uint8_t *head;
    size_t size; /* of head                      */
    const uint8_t *tail;
    size_t tail_size;
    uint64_t whole; /* bytes there are in all       */
    bool only_zeros;
} ptio_sample;

/** Whether a block of 512 bytes is the header of a tar member: its checksum is right. */
bool ptio_tar_is_header(const uint8_t *block);

/** Whether the bytes can be the beginning of a pickle: its opcodes make sense, and there is nothing they need and do not have. */
bool ptio_looks_like_pickle(const uint8_t *bytes, size_t size, bool is_whole);

/** Whether the bytes begin with the magic pickle of a legacy stream, in any protocol, or are all of a file that was cut in it. */
bool ptio_looks_like_legacy(const uint8_t *bytes, size_t size);

/** Name a file by what it holds. False where it is none of the formats in the table. */
bool ptio_name_format(const ptio_sample *sample, ptio_probe *ret);

/** Name a file of text. False where it is none. */
bool ptio_name_text(const ptio_sample *sample, ptio_probe *ret);

#endif
