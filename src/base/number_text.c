/*
 * Numbers as text.
 *
 * repr() of a float takes the fewest digits that read back as the same number, and writes them plain where the exponent is between -4
 * and 15: 0.0001, 1e-05, 9999999999999998.0, 1e+16. Source: CPython, Python/pystrtod.c, format_float_short. Ints are turned to decimal
 * nine digits at a time, which takes quadratic time; so, like Python, only up to PTIO_INT_TEXT_DIGITS.
 */
#include "base/number_text.h"

#include <math.h>
#include <string.h>

/* 10^4300 has 14,285 bits: with the sign, no more than 1,786 bytes. */
#define MOST_LIMBS (PTIO_INT_TEXT_BYTES / 4)

/* Text that grows at `at`. */
static char *put(char *at, const char *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

static char *put_zeros(char *at, int count)
{
    for (int i = 0; i < count; i++)
        *at++ = '0';
    return at;
}

static char *put_exponent(char *at, int exponent)
{
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    unsigned left = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (left >= 100)
        *at++ = (char)('0' + left / 100);
    *at++ = (char)('0' + left / 10 % 10);
    *at++ = (char)('0' + left % 10);
    return at;
}

/* inf, nan and the sign. NULL where the number itself remains to be written. */
static char *put_special(char **at, double value)
{
    if (isnan(value))
        return put(*at, "nan", 3);
    if (signbit(value))
        *(*at)++ = '-';
    return isinf(value) ? put(*at, "inf", 3) : NULL;
}

/* The digits with the point where it belongs; no point where nothing follows it. */
static char *put_plain(char *at, const ptio_digits *d)
{
    int before = d->exponent + 1, count = (int)d->count;
    if (before <= 0) {
        at = put(at, "0.", 2);
        at = put_zeros(at, -before);
        return put(at, d->digits, d->count);
    }
    at = put(at, d->digits, (size_t)(before < count ? before : count));
    at = put_zeros(at, before - count);
    if (count > before) {
        *at++ = '.';
        at = put(at, d->digits + before, (size_t)(count - before));
    }
    return at;
}

static char *put_scientific(char *at, const ptio_digits *d)
{
    *at++ = d->digits[0];
    if (d->count > 1) {
        *at++ = '.';
        at = put(at, d->digits + 1, d->count - 1);
    }
    return put_exponent(at, d->exponent);
}

/* point: whether whole numbers end in ".0". */
size_t ptio_format_digits(char *buffer, double value, const ptio_digits *d, bool point)
{
    char *at = buffer, *end = put_special(&at, value);
    if (!end && value == 0) {
        end = put(at, "0.0", point ? 3 : 1);
    } else if (!end) {
        bool plain = d->exponent >= -4 && d->exponent < 16;
        end = plain ? put_plain(at, d) : put_scientific(at, d);
        if (plain && point && (int)d->count <= d->exponent + 1)
            end = put(end, ".0", 2);
    }
    *end = '\0';
    return (size_t)(end - buffer);
}

size_t ptio_format_short(char *buffer, double value, bool point)
{
    ptio_digits d;
    if (isfinite(value) && value != 0)
        ptio_digits_shortest(fabs(value), &d);
    return ptio_format_digits(buffer, value, &d, point);
}

size_t ptio_format_float(char *buffer, double value)
{
    return ptio_format_short(buffer, value, true);
}

/* digits/10^places: `size` digits, the point among them. */
static char *put_fixed(char *at, uint64_t digits, unsigned size, unsigned places)
{
    if (!places) {
        ptio_decimal_put(at, size, digits);
        return at + size;
    }
    ptio_decimal_put(at + 1, size, digits);
    for (unsigned i = 0; i < size - places; i++)
        at[i] = at[i + 1];
    at[size - places] = '.';
    return at + size + 1;
}

/* Any number, by its digits. */
static char *put_places(char *at, double value, unsigned places)
{
    ptio_digits d;
    ptio_digits_places(value, places, &d);
    if (!d.count)
        d.exponent = -1;
    int before = d.exponent + 1, behind = (int)d.count - before;
    at = d.count ? put_plain(at, &d) : put(at, "0", 1);
    if (places && behind <= 0)
        *at++ = '.';
    return put_zeros(at, (int)places - (behind > 0 ? behind : 0));
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

size_t ptio_format_places(char *buffer, double value, unsigned places)
{
    char *at = buffer, *end = put_special(&at, value);
    uint64_t digits;
    if (!end && ptio_round_places(value, places, &digits))
        end = put_fixed(at, digits, larger(ptio_decimal_size(digits), places + 1), places);
    else if (!end)
        end = put_places(at, fabs(value), places);
    *end = '\0';
    return (size_t)(end - buffer);
}

static char *put_count(char *at, double value, unsigned places)
{
    ptio_digits d;
    d.exponent = 0;
    d.count = places + 1;
    if (value != 0)
        ptio_digits_count(value, places + 1, &d);
    else
        memset(d.digits, '0', places + 1);
    return put_scientific(at, &d);
}

size_t ptio_format_exponent(char *buffer, double value, unsigned places)
{
    char *at = buffer, *end = put_special(&at, value);
    uint64_t digits;
    int exponent;
    if (!end && value != 0 && ptio_round_count(value, places + 1, &digits, &exponent))
        end = put_exponent(put_fixed(at, digits, places + 1, places), exponent);
    else if (!end)
        end = put_count(at, fabs(value), places);
    *end = '\0';
    return (size_t)(end - buffer);
}

/* The magnitude of two's complement bytes, little end first, in place. */
bool ptio_negate_if_negative(uint8_t *bytes, size_t size)
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

size_t ptio_format_int(const uint8_t *bytes, size_t size, char *text)
{
    uint8_t magnitude[4 * MOST_LIMBS];
    if (size > sizeof magnitude)
        return 0;
    memcpy(magnitude, bytes, size);
    size_t length = 0;
    if (ptio_negate_if_negative(magnitude, size))
        text[length++] = '-';
    char reversed[PTIO_INT_TEXT_DIGITS];
    size_t digits = decimal(magnitude, size, reversed, PTIO_INT_TEXT_DIGITS);
    if (digits > PTIO_INT_TEXT_DIGITS)
        return 0;
    if (!digits)
        text[length++] = '0';
    while (digits > 0)
        text[length++] = reversed[--digits];
    return length;
}
