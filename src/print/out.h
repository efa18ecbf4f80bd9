/*
 * Where printed text goes: a small buffer in front of the caller's `write`. The first failure stays, and everything after it
 * writes nothing, so that printing code need not look at each step.
 */
#ifndef PTIO_PRINT_OUT_H
#define PTIO_PRINT_OUT_H

#include <string.h>

#include "base/error.h"

#define PTIO_OUT_BUFFER 4096

typedef struct ptio_out {
    ptio_write write;
    void *ctx;
    ptio_error *err;
    ptio_status status;
    uint64_t written; /* bytes that left the buffer */
    size_t used;
    char buffer[PTIO_OUT_BUFFER];
} ptio_out;

static inline void ptio_out_init(ptio_out *out, ptio_write write, void *ctx, ptio_error *err)
{
    out->write = write;
    out->ctx = ctx;
    out->err = err;
    out->status = PTIO_OK;
    out->written = 0;
    out->used = 0;
}

/** Hand on what is buffered. Gives the status so far. */
ptio_status ptio_out_flush(ptio_out *out);

void ptio_out_more(ptio_out *out, const char *bytes, size_t size);

static inline void ptio_out_bytes(ptio_out *out, const char *bytes, size_t size)
{
    if (size >= PTIO_OUT_BUFFER - out->used) {
        ptio_out_more(out, bytes, size);
        return;
    }
    if (size) /* `bytes` of no text may be NULL */
        memcpy(out->buffer + out->used, bytes, size);
    out->used += size;
}

void ptio_out_u64(ptio_out *out, uint64_t value);
void ptio_out_i64(ptio_out *out, int64_t value);
void ptio_out_repeat(ptio_out *out, char c, size_t count);

static inline void ptio_out_char(ptio_out *out, char c)
{
    if (out->used == PTIO_OUT_BUFFER)
        (void)ptio_out_flush(out);
    out->buffer[out->used++] = c;
}

static inline void ptio_out_string(ptio_out *out, const char *string)
{
    ptio_out_bytes(out, string, strlen(string));
}

static inline void ptio_out_text(ptio_out *out, ptio_text text)
{
    ptio_out_bytes(out, text.bytes, text.size);
}

/** Bytes given to `out` so far. */
static inline uint64_t ptio_out_position(const ptio_out *out)
{
    return out->written + out->used;
}

#endif
