/*
 * Ints of any size.
 *
 * Nearly all fit 64 bits. Larger ones are turned to decimal nine digits at a time, which takes quadratic time; so, like Python, only
 * up to 4,300 digits, and larger ones are written in hexadecimal, which takes linear time.
 */
#include "print/repr.h"

/* 10^4300 has 14,285 bits: with the sign, no more than 1,786 bytes. */
#define MOST_DIGITS 4300
#define MOST_LIMBS 447

/* The magnitude of two's complement bytes, little end first, in place. */
static bool negate_if_negative(uint8_t *bytes, size_t size)
{
    if (!size || !(bytes[size - 1] & 0x80))
        return false;
    unsigned carry = 1;
    for (size_t i = 0; i < size; i++) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return true;
}

/* Decimal digits of `bytes`, last first. More than `most`: most + 1. */
static size_t decimal(const uint8_t *bytes, size_t size, char *reversed, size_t most)
{
    uint32_t limbs[MOST_LIMBS] = {0};
    for (size_t i = 0; i < size; i++)
        limbs[i / 4] |= (uint32_t)bytes[i] << (8 * (i % 4));
    size_t count = (size + 3) / 4, digits = 0;
    while (count && !limbs[count - 1])
        count--;
    while (count) {
        uint64_t rest = 0;
        for (size_t i = count; i-- > 0;) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 1000000000);
            rest %= 1000000000;
        }
        while (count && !limbs[count - 1])
            count--;
        for (int i = 0; i < 9 && (count || rest); i++, rest /= 10) {
            if (digits == most)
                return most + 1;
            reversed[digits++] = (char)('0' + rest % 10);
        }
    }
    return digits;
}

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
    if (negate_if_negative(bytes, size))
        ptio_out_char(out, '-');
    char reversed[MOST_DIGITS];
    size_t digits = size <= 4 * MOST_LIMBS ? decimal(bytes, size, reversed, MOST_DIGITS) : MOST_DIGITS + 1;
    if (digits > MOST_DIGITS) {
        hexadecimal(out, bytes, size);
        return;
    }
    while (digits > 0)
        ptio_out_char(out, reversed[--digits]);
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
