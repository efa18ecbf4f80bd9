/*
 * What the kinds of sinks share. A kind is one function that takes bytes, and what else it can do better than that.
 */
#ifndef PTIO_IO_SINK_KIND_H
#define PTIO_IO_SINK_KIND_H

#include "io/calls.h"
#include "io/replace.h"
#include "io/sink.h"

/** A range of a file that is copied. */
typedef struct ptio_sink_range {
    int fd;
    uint64_t offset, size;
    bool is_in_memory; /* too: then only sharing blocks is faster than writing them */
} ptio_sink_range;

/** In all of them `err` is the sink's own, where the first failure stays. */
typedef struct ptio_sink_kind {
    /** Take at least one of the bytes (size > 0); *taken says how many. */
    ptio_status (*write)(ptio_sink *sink, const void *data, size_t size, size_t *taken, ptio_error *err);

    /** Instead of write: the buffer is never emptied but made larger, by `size` bytes at least. */
    ptio_status (*grow)(ptio_sink *sink, uint64_t size, ptio_error *err);

    /* The rest may be NULL. These two do a part of it, perhaps none, in *done; the rest is then written. The buffer is empty. */
    ptio_status (*skip)(ptio_sink *sink, uint64_t size, uint64_t *done, ptio_error *err);
    ptio_status (*copy)(ptio_sink *sink, const ptio_sink_range *range, uint64_t *done, ptio_error *err);

    /** How many bytes are to be copied otherwise before `copy` does best: up to where blocks of source and target begin alike. */
    uint64_t (*copy_head)(const ptio_sink *sink, uint64_t offset);

    /**
     * Writing by several threads; the buffer is empty, or is all there is. Ready for `size` bytes from here on, in any order: *can is
     * false where that cannot be. Then the threads write, at positions of the sink, and begin to make durable what they wrote (may be
     * NULL), and at the end all was written. NULL: bytes go one after another.
     */
    ptio_status (*begin_pieces)(ptio_sink *sink, uint64_t size, bool *can, ptio_error *err);
    ptio_status (*write_at)(const ptio_sink *sink, uint64_t position, const void *data, size_t size, ptio_error *err);
    ptio_status (*sync_at)(const ptio_sink *sink, uint64_t position, uint64_t size, ptio_error *err);
    ptio_status (*end_pieces)(ptio_sink *sink, uint64_t size, ptio_error *err);

    ptio_status (*expect)(ptio_sink *sink, uint64_t size, ptio_error *err);
    ptio_status (*finish)(ptio_sink *sink, ptio_error *err);
    void (*release)(ptio_sink *sink); /* of a sink that was handed out or was not */
} ptio_sink_kind;

/** Small writes are gathered in as much. It is also the piece of a copy, and fits the cache of one core. */
#define PTIO_SINK_BUFFER ((size_t)256 << 10)

/** Writes, skips and copies from here on are worth a call of their own. */
#define PTIO_SINK_LARGE ((size_t)64 << 10)

/** Between two calls of `watch`. */
#define PTIO_SINK_WATCH ((uint64_t)16 << 20)

/** Linux moves at most 2 GiB - 4 KiB in one call, others less than 2 GiB. */
#define PTIO_SINK_PIECE ((size_t)1 << 30)

struct ptio_sink {
    ptio_heap heap;
    const ptio_sink_kind *kind;
    uint64_t position; /* what was written, the buffer included        */
    uint8_t *buffer;   /* small writes, not passed on yet. Of memory: all there is */
    size_t buffered, capacity;
    ptio_error failure;
    bool finished;
    int (*watch)(void *ctx, uint64_t done, uint64_t total); /* or NULL                          */
    void *watch_ctx;
    uint64_t watched;  /* position of the last call                                             */
    uint64_t expected; /* position of the end, as far as is known                               */
    char *name;
    size_t name_size;
    bool has_path;
    uint8_t *blocks; /* of threads that write what they read, once there were some */
    size_t blocks_size;

    FILE *file;
    ptio_sink_callbacks callbacks;
    void *ctx;

    const ptio_calls *calls; /* of what has a descriptor                     */
    int fd;                  /* -1: none                                     */
    bool close_fd;           /* a path that is written to directly           */
    uint64_t base;           /* where the sink's first byte is in the file   */
    uint64_t passed;         /* bytes that the descriptor has taken          */
    bool no_replace;
    char *backup; /* suffix of the old file's second name         */
    size_t backup_size;
    bool appends;      /* writes go to the end, wherever that is       */
    bool durable;      /* fsync is wanted                              */
    bool cannot_clone; /* it was tried                                 */
    bool cannot_copy;
    uint64_t allocated;    /* bytes of room asked for beforehand           */
    uint64_t synced;       /* bytes that are on their way to the disk      */
    ptio_replace *replace; /* of a path, NULL where it is written directly */
};

/** A sink of nothing yet. `name` is copied. */
ptio_status ptio_sink_new(const char *name, const ptio_sink_kind *kind, const ptio_memory *memory, ptio_sink **ret,
                          ptio_error *err);

/** Give *ret the sink, or free it where `status` is a failure, whose error is then about this sink. */
ptio_status ptio_sink_made(ptio_sink *sink, ptio_status status, ptio_sink **ret, ptio_error *err);

/** Pass on what is in the buffer, unless the buffer is all there is. Failures are the sink's own. */
ptio_status ptio_sink_empty_buffer(ptio_sink *sink);

/** Call the watcher where the position has passed another PTIO_SINK_WATCH bytes. Failures are the sink's own. */
ptio_status ptio_sink_tell_watcher(ptio_sink *sink);

/** Whether the sink takes `size` more bytes, and what it says if it does not. Failures are the sink's own. */
ptio_status ptio_sink_may_grow(ptio_sink *sink, uint64_t size);

/** The sink's failure is the caller's too. */
ptio_status ptio_sink_tell(ptio_sink *sink, ptio_status status, ptio_error *err);

/** Of threads: sink_pieces.c. */
void ptio_sink_free_blocks(ptio_sink *sink);

/** PTIO_ERR_IO with the system's text for `number`, an errno. */
ptio_status ptio_sink_fail(ptio_error *err, const char *reason, const char *what, int number);

/** Like their namesakes in ptio.h, with other system calls. */
ptio_status ptio_sink_open_with(const ptio_calls *calls, const char *path, const ptio_sink_options *options, ptio_sink **ret,
                                ptio_error *err);
ptio_status ptio_sink_from_fd_with(const ptio_calls *calls, int fd, const ptio_memory *memory, ptio_sink **ret, ptio_error *err);

#endif
