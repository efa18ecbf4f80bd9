/*
 * Inflating a record piece by piece, in bounded memory.
 */
#ifndef PTIO_ARCHIVE_INFLATE_H
#define PTIO_ARCHIVE_INFLATE_H

#include "archive/archive.h"

typedef struct ptio_inflate ptio_inflate;

/** Begin with a deflated record of a zip, whose data are at `data_offset`. */
ptio_status ptio_inflate_new(ptio_archive *archive, size_t index, uint64_t data_offset, ptio_inflate **ret, ptio_error *err);

/** The next `size` bytes. `buffer` may be NULL: they are thrown away. */
ptio_status ptio_inflate_next(ptio_inflate *stream, void *buffer, size_t size, ptio_error *err);

/** After all bytes were taken: nothing more must come, and nothing be left of the input. */
ptio_status ptio_inflate_finish(ptio_inflate *stream, ptio_error *err);

void ptio_inflate_free(ptio_inflate *stream);

#endif
