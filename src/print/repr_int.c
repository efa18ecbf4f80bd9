/*
 * Ints of any size: decimal up to the digits that Python writes, larger ones in hexadecimal, which takes linear time.
 */
#include "print/repr.h"

#include "base/number_text.h"

static void hexadecimal(ptio_out *out, const uint8_t *bytes, size_t size)
{
    while (size && !bytes[size - 1])
        size--;
    ptio_out_string(out, "0x");
    for (size_t i = size; i-- > 0;) {
        if (i + 1 < size || bytes[i] >= 16)
            ptio_out_char(out, "0123456789abcdef"[bytes[i] >> 4]);
        ptio_out_char(out, "0123456789abcdef"[bytes[i] & 15]);
    }
}

static void big_int(ptio_out *out, uint8_t *bytes, size_t size)
{
    char text[PTIO_INT_TEXT_SIZE(PTIO_INT_TEXT_BYTES)];
    size_t length = ptio_format_int(bytes, size, text);
    if (length) {
        ptio_out_bytes(out, text, length);
        return;
    }
    if (ptio_negate_if_negative(bytes, size))
        ptio_out_char(out, '-');
    hexadecimal(out, bytes, size);
}

ptio_status ptio_repr_int(ptio_out *out, const ptio_value *value, ptio_heap *heap)
{
    int64_t small;
    if (ptio_value_int(value, &small)) {
        ptio_out_i64(out, small);
        return PTIO_OK;
    }
    size_t size = ptio_value_int_bytes(value, NULL, 0);
    uint8_t *bytes = ptio_heap_resize(heap, NULL, 0, size);
    if (!bytes)
        return ptio_heap_fail(heap, out->err, "an int");
    (void)ptio_value_int_bytes(value, bytes, size);
    big_int(out, bytes, size);
    ptio_heap_free(heap, bytes, size);
    return PTIO_OK;
}
