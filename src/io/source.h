/*
 * A source: bytes read by position, whatever they come from. The archive layer and the storages read through it.
 */
#ifndef PTIO_IO_SOURCE_H
#define PTIO_IO_SOURCE_H

#include "base/error.h"
#include "base/memory.h"
#include "ptio.h"

/**
 * Read exactly `size` bytes at `offset`. Retries short reads and EINTR; a source that ends early, because the file shrank or the
 * range is beyond its end, is PTIO_ERR_IO "io.short" for a file that shrank, PTIO_ERR_FORMAT "io.beyond-end" for such a range.
 * Any number of threads at once.
 */
ptio_status ptio_source_read(ptio_source *source, uint64_t offset, void *buffer, size_t size, ptio_error *err);

/** The bytes themselves where the source has them in memory (memory, map, a stream read before); NULL where it must be read,
 *  or where the range is not inside. Aligned as the source happens to be. */
const uint8_t *ptio_source_view(const ptio_source *source, uint64_t offset, uint64_t size);

/** "model.pt", "<memory>", "<stream>": what messages call the source. Not escaped. */
ptio_text ptio_source_name(const ptio_source *source);

/** The descriptor whose bytes, from offset 0 on, are those of the source; -1 where there is none. For copies inside the system. */
int ptio_source_fd(const ptio_source *source);

/** Whether the views of the source are a map of a file: private to the process, or shared with all who have the file. */
bool ptio_source_is_mapped(const ptio_source *source);
bool ptio_source_is_shared(const ptio_source *source);

/** Let bytes of a mapped source, which ptio_source_view() gave, be written; of a private map they are then the process's own. */
ptio_status ptio_source_make_writable(const ptio_source *source, const void *bytes, size_t size, ptio_error *err);

/** Where the descriptor or stream of the source stands; 0 for other sources, and for what was read to its end. */
uint64_t ptio_source_tell(const ptio_source *source);

/** Put it elsewhere. Does nothing where there is no such position. */
ptio_status ptio_source_seek(ptio_source *source, uint64_t offset, ptio_error *err);

#endif
