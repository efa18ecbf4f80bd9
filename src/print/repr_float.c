/*
 * Floats and complex numbers, as Python writes them.
 *
 * repr() takes the fewest digits that read back as the same number, and writes them plain where the exponent is between -4 and 15:
 * 0.0001, 1e-05, 9999999999999998.0, 1e+16. Source: CPython, Python/pystrtod.c, format_float_short.
 */
#include "print/repr.h"

#include <math.h>
#include <string.h>

#include "print/digits.h"

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
static size_t format_digits(char *buffer, double value, const ptio_digits *d, bool point)
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

static size_t format(char *buffer, double value, bool point)
{
    ptio_digits d;
    if (isfinite(value) && value != 0)
        ptio_digits_shortest(fabs(value), &d);
    return format_digits(buffer, value, &d, point);
}

void ptio_repr_digits(ptio_out *out, double value, const ptio_digits *digits, bool point)
{
    char text[32];
    ptio_out_bytes(out, text, format_digits(text, value, digits, point));
}

size_t ptio_format_float(char *buffer, double value)
{
    return format(buffer, value, true);
}

void ptio_repr_float(ptio_out *out, double value)
{
    char text[32];
    ptio_out_bytes(out, text, format(text, value, true));
}

void ptio_repr_complex(ptio_out *out, double real, double imag)
{
    char text[32];
    bool alone = real == 0 && !signbit(real);
    if (!alone) {
        ptio_out_char(out, '(');
        ptio_out_bytes(out, text, format(text, real, false));
        if (isnan(imag) || !signbit(imag))
            ptio_out_char(out, '+');
    }
    ptio_out_bytes(out, text, format(text, imag, false));
    ptio_out_char(out, 'j');
    if (!alone)
        ptio_out_char(out, ')');
}

size_t ptio_format_places(char *buffer, double value, unsigned places)
{
    char *at = buffer, *end = put_special(&at, value);
    if (!end) {
        ptio_digits d = {.exponent = -1, .count = 0};
        if (value != 0)
            ptio_digits_places(fabs(value), places, &d);
        if (!d.count)
            d.exponent = -1;
        int before = d.exponent + 1, behind = (int)d.count - before;
        end = d.count ? put_plain(at, &d) : put(at, "0", 1);
        if (places && behind <= 0)
            *end++ = '.';
        end = put_zeros(end, (int)places - (behind > 0 ? behind : 0));
    }
    *end = '\0';
    return (size_t)(end - buffer);
}

size_t ptio_format_exponent(char *buffer, double value, unsigned places)
{
    char *at = buffer, *end = put_special(&at, value);
    if (!end) {
        ptio_digits d = {.exponent = 0, .count = places + 1};
        if (value != 0)
            ptio_digits_count(fabs(value), places + 1, &d);
        else
            memset(d.digits, '0', places + 1);
        end = put_scientific(at, &d);
    }
    *end = '\0';
    return (size_t)(end - buffer);
}
