/*
 * The buffer in front of a ptio_write.
 *
 * After a failure the buffer is still filled and thrown away: a few wasted copies instead of a test at every piece of text.
 */
#include "print/out.h"

#include "base/digits.h"

ptio_status ptio_out_flush(ptio_out *out)
{
    if (out->status == PTIO_OK && out->used && out->write(out->ctx, out->buffer, out->used) != 0)
        out->status = ptio_fail(out->err, PTIO_ERR_CANCELLED, "print.cancelled", PTIO_NO_OFFSET, "the caller stopped the output");
    out->written += out->used;
    out->used = 0;
    return out->status;
}

void ptio_out_more(ptio_out *out, const char *bytes, size_t size)
{
    while (size) {
        size_t room = PTIO_OUT_BUFFER - out->used;
        size_t n = size < room ? size : room;
        memcpy(out->buffer + out->used, bytes, n);
        out->used += n;
        bytes += n;
        size -= n;
        if (out->used == PTIO_OUT_BUFFER)
            (void)ptio_out_flush(out);
    }
}

void ptio_out_u64(ptio_out *out, uint64_t value)
{
    char digits[20];
    unsigned size = ptio_decimal_size(value);
    ptio_decimal_put(digits, size, value);
    ptio_out_bytes(out, digits, size);
}

void ptio_out_i64(ptio_out *out, int64_t value)
{
    if (value < 0)
        ptio_out_char(out, '-');
    ptio_out_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void ptio_out_repeat(ptio_out *out, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ptio_out_char(out, c);
}
