/*
 * How the elements of a tensor are written: as PyTorch's Formatter does it.
 *
 * Floats that are all whole numbers are written as such ("2."); a range too wide for four places takes scientific notation; else
 * four places. Zeros, infinities and NaNs have no say. Source: torch/_tensor_str.py, _Formatter.
 */
#include "base/number_text.h"
#include "print/cell.h"

#include <math.h>

#include "print/repr.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

static bool is_complex(ptio_dtype dtype)
{
    return ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_COMPLEX;
}

static bool is_floating(ptio_dtype dtype)
{
    return ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_REAL || dtype == PTIO_FLOAT4_E2M1FN_X2;
}

bool ptio_cells_can_show(ptio_dtype dtype)
{
    switch (ptio_dtype_rows[dtype].class_) {
    case PTIO_DTYPE_REAL:
    case PTIO_DTYPE_INTEGER:
    case PTIO_DTYPE_BOOLEAN:
    case PTIO_DTYPE_COMPLEX: return true;
    default: return dtype == PTIO_FLOAT4_E2M1FN_X2;
    }
}

/* One float. The packed float4 is shown by its bytes. */
static double read_real(const ptio_cells *cells, const char *element)
{
    float single;
    double value = 0;
    if (cells->dtype == PTIO_FLOAT32) {
        memcpy(&single, element, sizeof single);
        value = (double)single;
    } else if (cells->dtype == PTIO_FLOAT64) {
        memcpy(&value, element, sizeof value);
    } else if (cells->dtype == PTIO_FLOAT4_E2M1FN_X2) {
        value = (unsigned char)*element;
    } else {
        (void)ptio_convert(cells->dtype, element, 0, PTIO_FLOAT64, &value, 1);
    }
    return cells->neg ? -value : value;
}

static void read_complex(const ptio_cells *cells, const char *element, double ret[2])
{
    ret[0] = ret[1] = 0;
    (void)ptio_convert(cells->dtype, element, 0, PTIO_COMPLEX128, ret, 1);
    if (cells->conj)
        ret[1] = -ret[1];
    if (cells->neg) {
        ret[0] = -ret[0];
        ret[1] = -ret[1];
    }
}

/* The bits of a uint64, or of an int64. */
static uint64_t read_whole(const ptio_cells *cells, const char *element)
{
    uint64_t value = 0;
    int32_t word;
    if (cells->dtype == PTIO_INT64) {
        memcpy(&value, element, sizeof value);
    } else if (cells->dtype == PTIO_INT32) {
        memcpy(&word, element, sizeof word);
        value = (uint64_t)(int64_t)word;
    } else {
        (void)ptio_convert(cells->dtype, element, 0, cells->dtype == PTIO_UINT64 ? PTIO_UINT64 : PTIO_INT64, &value, 1);
    }
    return cells->neg ? 0 - value : value;
}

static size_t whole_text(ptio_dtype dtype, uint64_t value, char *text)
{
    if (dtype == PTIO_BOOL) {
        memcpy(text, value ? "True" : "False", 5);
        return value ? 4 : 5;
    }
    bool minus = dtype != PTIO_UINT64 && value >> 63;
    uint64_t magnitude = minus ? 0 - value : value;
    unsigned size = ptio_decimal_size(magnitude);
    text[0] = '-';
    ptio_decimal_put(text + minus, size, magnitude);
    return minus + size;
}

/* A float without its padding. */
static size_t bare(const ptio_column *c, double value, char *text)
{
    if (c->scientific)
        return ptio_format_exponent(text, value, c->places);
    if (!c->integral)
        return ptio_format_places(text, value, c->places);
    size_t size = ptio_format_places(text, value, 0);
    if (isfinite(value))
        text[size++] = '.';
    return size;
}

/* Whether a value has a say. The least float8_e8m0fnu passes for zero there, and NaN for a number. */
static bool counts(const ptio_column *c, double value)
{
    return c->e8m0 ? value != 0x1p-127 : isfinite(value) && value != 0;
}

/* From 2^52 on every double is whole. */
static bool is_whole(double value)
{
    return isfinite(value) && (fabs(value) >= 0x1p52 || value == (double)(int64_t)value);
}

static void look(ptio_column *c, double value)
{
    if (!counts(c, value))
        return;
    c->integral = c->integral && is_whole(value);
    if (isnan(value)) {
        c->nan = true;
        return;
    }
    ptio_extent *e = &c->of[value < 0];
    double size = fabs(value);
    if (!e->any)
        *e = (ptio_extent){size, size, true};
    if (size < e->low)
        e->low = size;
    if (size > e->high)
        e->high = size;
}

/* Numbers of one sign are the longer the farther they are from 0; in scientific notation the exponent is longest at either end. */
static void measure(ptio_column *c, double value)
{
    char text[PTIO_FORMAT_ROOM];
    size_t size = bare(c, value, text);
    if (size > c->width)
        c->width = size;
}

static void settle(ptio_column *c, ptio_print_notation notation)
{
    const ptio_extent *plus = &c->of[0], *minus = &c->of[1];
    double low = plus->any && !(minus->any && minus->low < plus->low) ? plus->low : minus->low;
    double high = plus->any && !(minus->any && minus->high > plus->high) ? plus->high : minus->high;
    bool numbers = plus->any || minus->any;
    if (notation != PTIO_PRINT_BY_SIZE)
        c->scientific = (numbers || c->nan) && notation == PTIO_PRINT_SCIENTIFIC;
    else
        c->scientific = numbers && !c->nan && (high / low > 1000 || high > 1e8 || low < 1e-4);
    if (plus->any) {
        measure(c, plus->low);
        measure(c, plus->high);
    }
    if (minus->any) {
        measure(c, -minus->low);
        measure(c, -minus->high);
    }
    if (c->nan)
        measure(c, (double)NAN);
}

enum { PIECE = 128 }; /* elements that are looked at together */

static void look_at_floats(ptio_cells *cells, const char *first, int64_t step, size_t count)
{
    double values[2 * PIECE] = {0};
    if (cells->dtype == PTIO_FLOAT4_E2M1FN_X2)
        for (size_t i = 0; i < count; i++)
            values[i] = (unsigned char)first[(int64_t)i * step];
    else
        (void)ptio_convert(cells->dtype, first, step, cells->complex_ ? PTIO_COMPLEX128 : PTIO_FLOAT64, values, count);
    double sign = cells->neg ? -1 : 1, imag_sign = cells->conj ? -sign : sign;
    for (size_t i = 0; !cells->complex_ && i < count; i++)
        look(&cells->real, sign * values[i]);
    for (size_t i = 0; cells->complex_ && i < count; i++) {
        look(&cells->real, sign * values[2 * i]);
        look(&cells->imag, imag_sign * values[2 * i + 1]);
    }
}

static void look_at_ints(ptio_cells *cells, const char *first, int64_t step, size_t count)
{
    uint64_t values[PIECE] = {0};
    bool is_unsigned = cells->dtype == PTIO_UINT64;
    (void)ptio_convert(cells->dtype, first, step, is_unsigned ? PTIO_UINT64 : PTIO_INT64, values, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = cells->neg ? 0 - values[i] : values[i];
        if (!is_unsigned && (int64_t)bits < 0)
            cells->least = (int64_t)bits < cells->least ? (int64_t)bits : cells->least;
        else
            cells->most = bits > cells->most ? bits : cells->most;
        cells->zero = cells->zero || !bits;
    }
}

static void look_at(void *ctx, const char *first, int64_t step, size_t count)
{
    ptio_cells *cells = ctx;
    for (size_t i = 0; i < count; i += PIECE) {
        size_t n = count - i < PIECE ? count - i : PIECE;
        const char *at = first + (int64_t)i * step;
        if (cells->real.floating)
            look_at_floats(cells, at, step, n);
        else
            look_at_ints(cells, at, step, n);
    }
}

static void settle_ints(ptio_cells *cells)
{
    char text[PTIO_FORMAT_ROOM];
    uint64_t ends[2] = {cells->most, (uint64_t)cells->least};
    if (cells->dtype == PTIO_BOOL && !cells->zero)
        ends[1] = cells->most;
    for (size_t i = 0; i < 2; i++) {
        size_t size = whole_text(cells->dtype, ends[i], text);
        if (size > cells->real.width)
            cells->real.width = size;
    }
}

bool ptio_cells_fit(ptio_cells *cells, const ptio_grid *grid)
{
    cells->complex_ = is_complex(cells->dtype);
    bool floating = cells->complex_ || is_floating(cells->dtype);
    ptio_column start = {.floating = floating, .integral = true, .width = 1, .e8m0 = cells->dtype == PTIO_FLOAT8_E8M0FNU};
    start.places = (unsigned)cells->format.places;
    cells->real = cells->imag = start;
    bool all = ptio_grid_visit(grid, look_at, cells);
    if (!floating) {
        settle_ints(cells);
        return all;
    }
    settle(&cells->real, cells->format.notation);
    settle(&cells->imag, cells->format.notation);
    return all;
}

size_t ptio_cells_width(const ptio_cells *cells)
{
    return cells->real.width + (cells->complex_ ? cells->imag.width + 1 : 0);
}

static size_t padded(const ptio_column *c, const char *bare_text, size_t size, char *text)
{
    size_t pad = size < c->width ? c->width - size : 0;
    for (size_t i = 0; i < pad; i++)
        text[i] = ' ';
    memcpy(text + pad, bare_text, size);
    return pad + size;
}

static size_t complex_text(const ptio_cells *cells, const char *element, char *text)
{
    char one[PTIO_FORMAT_ROOM];
    double value[2];
    read_complex(cells, element, value);
    size_t size = padded(&cells->real, one, bare(&cells->real, value[0], one), text);
    size_t imag = bare(&cells->imag, value[1], one);
    if (one[0] != '-')
        text[size++] = '+';
    memcpy(text + size, one, imag);
    size += imag;
    text[size++] = 'j';
    return size;
}

size_t ptio_cells_text(void *ctx, const char *element, char *text)
{
    const ptio_cells *cells = ctx;
    if (cells->complex_)
        return complex_text(cells, element, text);
    char one[PTIO_FORMAT_ROOM];
    size_t size = cells->real.floating ? bare(&cells->real, read_real(cells, element), one)
                                       : whole_text(cells->dtype, read_whole(cells, element), one);
    return padded(&cells->real, one, size, text);
}

void ptio_repr_element(ptio_out *out, ptio_dtype dtype, const char *element)
{
    ptio_cells cells = {.dtype = dtype, .complex_ = is_complex(dtype)};
    if (!ptio_cells_can_show(dtype)) {
        ptio_out_string(out, "0x");
        for (size_t i = ptio_dtype_itemsize(dtype); i-- > 0;) {
            unsigned byte = (unsigned char)element[PTIO_HOST_BIG_ENDIAN ? ptio_dtype_itemsize(dtype) - 1 - i : i];
            ptio_out_char(out, "0123456789abcdef"[byte >> 4]);
            ptio_out_char(out, "0123456789abcdef"[byte & 15]);
        }
        return;
    }
    char text[32];
    double pair[2];
    if (cells.complex_) {
        read_complex(&cells, element, pair);
        ptio_repr_complex(out, pair[0], pair[1]);
    } else if (is_floating(dtype)) {
        ptio_repr_float(out, read_real(&cells, element));
    } else {
        ptio_out_bytes(out, text, whole_text(dtype, read_whole(&cells, element), text));
    }
}
