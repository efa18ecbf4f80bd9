/*
 * Numbers as text. The shortest one is found by trying.
 */
#include "cli/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool not_finite(double value, char ret[NUMBER_ROOM])
{
    if (isfinite(value))
        return false;
    (void)strcpy(ret, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return true;
}

number_class number_class_of(ptio_dtype dtype)
{
    switch (dtype) {
    case PTIO_INT64:
    case PTIO_INT32:
    case PTIO_INT16:
    case PTIO_INT8:
    case PTIO_UINT8:
    case PTIO_UINT16:
    case PTIO_UINT32:
    case PTIO_BOOL: return INTEGERS;
    case PTIO_UINT64: return UNSIGNED;
    case PTIO_COMPLEX32:
    case PTIO_BCOMPLEX32:
    case PTIO_COMPLEX64:
    case PTIO_COMPLEX128: return COMPLEX;
    default: return REALS;
    }
}

ptio_dtype number_dtype(number_class class_)
{
    switch (class_) {
    case NO_NUMBERS: break;
    case REALS: return PTIO_FLOAT64;
    case INTEGERS: return PTIO_INT64;
    case UNSIGNED: return PTIO_UINT64;
    case COMPLEX: return PTIO_COMPLEX128;
    }
    return PTIO_NO_DTYPE;
}

/* A number with a point or an exponent is a float for every reader. */
static void mark(char ret[NUMBER_ROOM])
{
    if (!strpbrk(ret, ".e"))
        (void)strcat(ret, ".0");
}

void number_text(double value, char ret[NUMBER_ROOM])
{
    if (not_finite(value, ret))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(ret, NUMBER_ROOM, "%.*g", digits, value);
        if (strtod(ret, NULL) == value)
            break;
    }
    mark(ret);
}

void number_text_of_float(double value, char ret[NUMBER_ROOM])
{
    if (not_finite(value, ret))
        return;
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(ret, NUMBER_ROOM, "%.*g", digits, value);
        if (strtof(ret, NULL) == (float)value)
            break;
    }
    mark(ret);
}

void out_json_double(double value)
{
    char text[NUMBER_ROOM];
    number_text(value, text);
    if (isfinite(value))
        out_string(text);
    else
        out_json_word(text);
}

void out_right(const char *text, size_t width)
{
    size_t size = strlen(text);
    out_spaces(size < width ? width - size : 1);
    out_string(text);
}

void out_right_u64(uint64_t value, size_t width)
{
    char text[NUMBER_ROOM];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    out_right(text, width);
}

void out_number(double value, size_t width)
{
    char text[NUMBER_ROOM];
    if (!not_finite(value, text))
        (void)snprintf(text, sizeof text, "%.4g", value);
    out_right(text, width);
}
