/*
 * Small records of a zip, read together with their neighbours.
 *
 * Who takes all records in the order of the file needs one read for each 256 KiB, not two for each record. What comes out of order
 * is read by itself.
 */
#ifndef PTIO_ARCHIVE_READ_AHEAD_H
#define PTIO_ARCHIVE_READ_AHEAD_H

#include "archive/archive.h"

/** Ready when zeroed, but for the heap. */
typedef struct ptio_read_ahead {
    ptio_heap *heap;
    const ptio_archive *archive; /* what the bytes are of */
    uint8_t *bytes;
    uint64_t offset; /* in the source */
    size_t size;
} ptio_read_ahead;

/**
 * The bytes of a small stored record, until the next call; its local header is checked.
 *
 * False where the record is not small, where its bytes are in memory anyway, and where something fails: then ptio_archive_locate()
 * and what reads it say why.
 */
bool ptio_read_ahead_find(ptio_read_ahead *ahead, ptio_archive *archive, size_t index, const uint8_t **ret);

void ptio_read_ahead_free(ptio_read_ahead *ahead);

#endif
