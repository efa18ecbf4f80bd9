/*
 * Who is told while the storages of a checkpoint are read, and how many threads may read.
 */
#ifndef PTIO_TORCH_READING_H
#define PTIO_TORCH_READING_H

#include "torch/checkpoint.h"

/** Of one checkpoint, from its load to its end. */
typedef struct ptio_reading {
    ptio_watch watch; /* of one storage */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    unsigned threads;
    ptio_mutex lock; /* of calls of `progress` */
} ptio_reading;

/** Keep what the options say, for the storages of the checkpoint and its children. */
ptio_status ptio_reading_begin(ptio_checkpoint *ckpt, const ptio_load_options *options, ptio_error *err);
void ptio_reading_end(ptio_checkpoint *ckpt);

/** Call the caller's function where `done` bytes pass another 16 MiB, or are all. False: it wants an end. */
bool ptio_reading_tell(ptio_reading *reading, uint64_t piece, uint64_t done, uint64_t total);

/**
 * Verify every record of an archive, by the threads of the load: sets whole[i] for each that is what its header and CRC say. What is wrong
 * with the others is to be asked again, one at a time: then it is told in their order.
 *
 * Errors     PTIO_ERR_CANCELLED; what is wrong with a record is none
 */
ptio_status ptio_reading_verify(const ptio_checkpoint *ckpt, ptio_archive *archive, bool *whole, ptio_error *err);

/** How many threads are worth it for `bytes`. At least 1. */
unsigned ptio_reading_threads(const ptio_checkpoint *ckpt, uint64_t bytes);

#endif
