/*
 * What the kinds of sources share. A kind is one function that reads at a position, and what it needs to do so.
 */
#ifndef PTIO_IO_SOURCE_KIND_H
#define PTIO_IO_SOURCE_KIND_H

#include "io/source.h"

/**
 * Read up to `size` bytes at `offset`; *got is 0 at the end and may be less than asked anywhere. size is at most
 * PTIO_SOURCE_PIECE. Called by any number of threads.
 */
typedef ptio_status (*ptio_source_read_at)(ptio_source *source, uint64_t offset, void *buffer, size_t size, size_t *got,
                                           ptio_error *err);

/** Linux moves at most 2 GiB - 4 KiB in one call, others less than 2 GiB. */
#define PTIO_SOURCE_PIECE ((size_t)1 << 30)

struct ptio_source {
    ptio_heap heap;
    ptio_source_read_at read_at; /* NULL: everything is in `bytes`                         */
    uint64_t size;
    const uint8_t *bytes; /* the source in memory: the caller's, a map, or `owned`  */
    char *name;
    size_t name_size;

    uint8_t *owned; /* a stream that was read to its end                      */
    size_t owned_capacity;
    void *map;
    size_t map_size;
    bool map_is_shared;
    int fd; /* -1: none                                               */
    bool close_fd;
    FILE *file;
    ptio_source_callbacks callbacks;
    void *ctx;
    bool has_callbacks;
    ptio_mutex lock; /* of the callbacks                                       */
};

/** A source of nothing yet. `name` is copied. */
ptio_status ptio_source_new(const char *name, const ptio_memory *memory, ptio_source **ret, ptio_error *err);

/** Takes the next bytes of something that can only be read forwards; *got is 0 at its end. */
typedef ptio_status (*ptio_source_take)(ptio_source *source, void *buffer, size_t size, size_t *got, ptio_error *err);

/** Read to the end and keep all of it: the way of FIFOs, terminals, sockets, and callbacks that cannot seek. */
ptio_status ptio_source_slurp(ptio_source *source, ptio_source_take take, const ptio_limits *limits, ptio_error *err);

/** Give *ret the source, or free it where `status` is a failure, whose error is then about this source. */
ptio_status ptio_source_finish(ptio_source *source, ptio_status status, ptio_source **ret, ptio_error *err);

/** PTIO_ERR_IO with the system's text for `number`, an errno. */
ptio_status ptio_source_fail(ptio_error *err, const char *reason, uint64_t offset, const char *what, int number);

#endif
