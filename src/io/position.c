/*
 * The position of what the caller has open: torch.load(f) begins where f stands, and leaves it behind the object.
 *
 * Reading by position leaves it alone (source_file.c, source_stream.c), so it is looked at once and set once. What was read to its end
 * has none: its bytes begin at 0, wherever the stream stood.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "io/source_kind.h"

static off_t tell(const ptio_source *source)
{
    if (source->file)
        return ftello(source->file);
    return source->fd >= 0 ? lseek(source->fd, 0, SEEK_CUR) : 0;
}

uint64_t ptio_source_tell(const ptio_source *source)
{
    off_t at = source->read_at ? tell(source) : 0;
    return at > 0 ? (uint64_t)at : 0;
}

ptio_status ptio_source_seek(ptio_source *source, uint64_t offset, ptio_error *err)
{
    bool failed = false;
    if (!source->read_at)
        return PTIO_OK;
    if (source->file)
        failed = fseeko(source->file, (off_t)offset, SEEK_SET) != 0;
    else if (source->fd >= 0)
        failed = lseek(source->fd, (off_t)offset, SEEK_SET) < 0;
    return failed ? ptio_source_fail(err, "io.seek", offset, "seeking failed", errno) : PTIO_OK;
}
