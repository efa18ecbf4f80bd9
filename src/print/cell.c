/*
 * How the elements of a tensor are written: as PyTorch's Formatter does it.
 *
 * Floats that are all whole numbers are written as such ("2."); a range too wide for four places takes scientific notation; else
 * four places. Zeros, infinities and NaNs have no say. Source: torch/_tensor_str.py, _Formatter.
 */
#include "base/number_text.h"
#include "print/cell.h"

#include <math.h>
#include <stdio.h>

#include "print/repr.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

typedef struct number {
    double real, imag;
    int64_t whole;
    bool is_whole, is_unsigned;
} number;

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

/* An element as a number. The packed float4 is shown by its bytes. */
static number read_number(const ptio_cells *cells, const char *element)
{
    number n = {0};
    if (cells->dtype == PTIO_FLOAT4_E2M1FN_X2) {
        n.real = (unsigned char)*element;
    } else if (cells->complex_) {
        double pair[2] = {0, 0};
        (void)ptio_convert(cells->dtype, element, 0, PTIO_COMPLEX128, pair, 1);
        n.real = pair[0];
        n.imag = cells->conj ? -pair[1] : pair[1];
    } else if (is_floating(cells->dtype)) {
        (void)ptio_convert(cells->dtype, element, 0, PTIO_FLOAT64, &n.real, 1);
    } else {
        n.is_whole = true;
        n.is_unsigned = cells->dtype == PTIO_UINT64;
        (void)ptio_convert(cells->dtype, element, 0, n.is_unsigned ? PTIO_UINT64 : PTIO_INT64, &n.whole, 1);
    }
    if (cells->neg) {
        n.real = -n.real;
        n.imag = -n.imag;
        n.whole = (int64_t)(0 - (uint64_t)n.whole);
    }
    return n;
}

static size_t whole_text(const ptio_cells *cells, const number *n, char *text)
{
    if (cells->dtype == PTIO_BOOL)
        return (size_t)sprintf(text, n->whole ? "True" : "False");
    return (size_t)(n->is_unsigned ? sprintf(text, "%llu", (unsigned long long)n->whole)
                                   : sprintf(text, "%lld", (long long)n->whole));
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
    double size = fabs(value);
    c->nan = c->nan || isnan(value);
    c->integral = c->integral && is_whole(value);
    c->low = c->any && c->low < size ? c->low : size;
    c->high = c->any && c->high > size ? c->high : size;
    c->any = true;
}

static void settle(ptio_column *c, ptio_print_notation notation)
{
    if (notation != PTIO_PRINT_BY_SIZE) {
        c->scientific = c->any && notation == PTIO_PRINT_SCIENTIFIC;
        return;
    }
    c->scientific = c->any && !c->nan && (c->high / c->low > 1000 || c->high > 1e8 || c->low < 1e-4);
}

static void measure(ptio_column *c, double value)
{
    if (!counts(c, value))
        return;
    char text[PTIO_FORMAT_ROOM];
    size_t size = bare(c, value, text);
    if (size > c->width)
        c->width = size;
}

static void look_at(void *ctx, const char *element)
{
    ptio_cells *cells = ctx;
    number n = read_number(cells, element);
    if (n.is_whole) {
        char text[32];
        size_t size = whole_text(cells, &n, text);
        if (size > cells->real.width)
            cells->real.width = size;
        return;
    }
    look(&cells->real, n.real);
    if (cells->complex_)
        look(&cells->imag, n.imag);
}

static void measure_at(void *ctx, const char *element)
{
    ptio_cells *cells = ctx;
    number n = read_number(cells, element);
    measure(&cells->real, n.real);
    if (cells->complex_)
        measure(&cells->imag, n.imag);
}

void ptio_cells_fit(ptio_cells *cells, const ptio_grid *grid)
{
    cells->complex_ = is_complex(cells->dtype);
    bool floating = cells->complex_ || is_floating(cells->dtype);
    ptio_column start = {.floating = floating, .integral = true, .width = 1, .e8m0 = cells->dtype == PTIO_FLOAT8_E8M0FNU};
    start.places = (unsigned)cells->format.places;
    cells->real = cells->imag = start;
    ptio_grid_visit(grid, look_at, cells);
    if (!floating)
        return;
    settle(&cells->real, cells->format.notation);
    settle(&cells->imag, cells->format.notation);
    ptio_grid_visit(grid, measure_at, cells);
}

size_t ptio_cells_width(const ptio_cells *cells)
{
    return cells->real.width + (cells->complex_ ? cells->imag.width + 1 : 0);
}

static size_t padded(const ptio_column *c, const char *bare_text, size_t size, char *text)
{
    size_t pad = size < c->width ? c->width - size : 0;
    memset(text, ' ', pad);
    memcpy(text + pad, bare_text, size);
    return pad + size;
}

size_t ptio_cells_text(void *ctx, const char *element, char *text)
{
    const ptio_cells *cells = ctx;
    number n = read_number(cells, element);
    char one[PTIO_FORMAT_ROOM];
    if (n.is_whole)
        return padded(&cells->real, one, whole_text(cells, &n, one), text);
    size_t size = padded(&cells->real, one, bare(&cells->real, n.real, one), text);
    if (!cells->complex_)
        return size;
    size_t imag = bare(&cells->imag, n.imag, one);
    if (one[0] != '-')
        text[size++] = '+';
    memcpy(text + size, one, imag);
    size += imag;
    text[size++] = 'j';
    return size;
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
    number n = read_number(&cells, element);
    char text[32];
    if (n.is_whole)
        ptio_out_bytes(out, text, whole_text(&cells, &n, text));
    else if (cells.complex_)
        ptio_repr_complex(out, n.real, n.imag);
    else
        ptio_repr_float(out, n.real);
}
