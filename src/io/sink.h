/*
 * A sink: where bytes go, one after another, whatever takes them. The archive writer and the legacy stream write through it.
 *
 *     path       a temporary file beside it, put in its place when all is written (replace.h)
 *     fd, FILE   at their position, which need not be a file's beginning and need not be one that can seek
 *     memory     a block that grows
 *     callbacks  the caller's own write
 *
 * Small writes are gathered in a buffer of 256 KiB; what lies in whole 64 KiB of the file passes it by where as much is written at
 * once. Positions count from the sink's first byte. After a failure the sink gives the same failure for everything, so that callers may look at the end only. The record of a failure
 * is the sink's name, or the source's where reading that one failed. One thread at a time.
 */
#ifndef PTIO_IO_SINK_H
#define PTIO_IO_SINK_H

#include "base/error.h"
#include "base/memory.h"
#include "io/source.h"
#include "ptio.h"

/** `size` bytes of zeros: a hole where the target is a regular file and is written at its end. */
ptio_status ptio_sink_skip(ptio_sink *sink, uint64_t size, ptio_error *err);

/**
 * Copy a range of a source. Its blocks are shared where the file system can and both lie alike in their blocks (FICLONERANGE);
 * a source in memory is written as it is; other files are copied by the system (copy_file_range), or in pieces.
 *
 * Errors     PTIO_ERR_FORMAT "io.beyond-end" the source has not so many bytes, and what ptio_source_read() gives
 */
ptio_status ptio_sink_copy(ptio_sink *sink, ptio_source *source, uint64_t offset, uint64_t size, ptio_error *err);

/** Many bytes that several threads write: of memory, or of a source. */
typedef struct ptio_sink_pieces {
    unsigned threads;     /* at most, the caller's included; PTIO_ALL_THREADS: as many as there are processors */
    const uint8_t *bytes; /* NULL: of the source                                                               */
    ptio_source *source;
    uint64_t offset; /* in the source */
    uint64_t size;
    size_t piece; /* bytes that a thread takes at once; 0: PTIO_SINK_THREAD_PIECE */
    /** Called with each block before it is written. Blocks of one piece come in their order, one at a time; pieces are looked at by several
     *  threads at once. They are numbered in the order of the bytes, from 0 to ptio_sink_last_piece() at most. NULL: not called. */
    void (*look)(void *ctx, size_t piece, const uint8_t *block, size_t size);
    void *ctx;
} ptio_sink_pieces;

#define PTIO_SINK_THREAD_PIECE ((size_t)2 << 20)

static inline size_t ptio_sink_last_piece(uint64_t size)
{
    return (size_t)(size / PTIO_SINK_THREAD_PIECE) + 1;
}

/** Whether threads are worth it: there are many bytes, and the sink takes them at any place. */
bool ptio_sink_likes_pieces(const ptio_sink *sink, unsigned threads, uint64_t size);

/** Whether ptio_sink_copy() would copy a range of a file through its buffer, since its bytes lie otherwise in their blocks here: then
 *  threads are faster. */
bool ptio_sink_copies_slowly(const ptio_sink *sink, const ptio_source *source, uint64_t offset);

/**
 * Write them. Where it turns out that this target takes bytes only one after another, all are one piece, and the calling thread does
 * everything. The watcher is told by one thread at a time.
 *
 * Errors     those of ptio_sink_write() and ptio_source_read(), whichever comes first; PTIO_ERR_MEMORY
 */
ptio_status ptio_sink_write_pieces(ptio_sink *sink, const ptio_sink_pieces *pieces, ptio_error *err);

/** What was written is of no use, since the rest will not come: from now on the sink gives this failure for everything, and a path keeps
 *  its old file. A failure that it has already stays. */
void ptio_sink_spoil(ptio_sink *sink, const ptio_error *why);

/**
 * Call `watch` for every 16 MiB that were written, with the bytes so far and those that are expected (0: unknown). Anything but 0
 * ends the sink: PTIO_ERR_CANCELLED. NULL: no more calls.
 */
void ptio_sink_watch(ptio_sink *sink, int (*watch)(void *ctx, uint64_t done, uint64_t total), void *ctx);

/** "model.pt", "<memory>", "<stream>": what messages call the sink. Not escaped. */
ptio_text ptio_sink_name(const ptio_sink *sink);

/** The path as the caller gave it; empty for other sinks. The root folder of an archive goes by it. */
ptio_text ptio_sink_path(const ptio_sink *sink);

#endif
