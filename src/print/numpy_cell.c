/*
 * How NumPy writes the elements of an array.
 *
 * Floats are written with the fewest digits that tell them from their neighbours of the same dtype, but no more than eight behind
 * the point; all are lined up at the point, filled up with blanks. Where the largest is 10^8 and more, or the least below
 * 0.0001, or they are more than a thousand times apart, all are scientific. Source: numpy/_core/arrayprint.py, FloatingFormat,
 * ComplexFloatingFormat, IntegerFormat, BoolFormat.
 */
#include "print/numpy_cell.h"

#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "base/digits.h"
#include "print/numpy_time.h"
#include "print/repr.h"
#include "tensor/convert.h"
#include "tensor/dtype.h"

#define MOST_PLACES 8

static const struct {
    const char *code, *name;
    ptio_dtype dtype;
} numbers[] = {
    {"b1", "bool", PTIO_BOOL},           {"i1", "int8", PTIO_INT8},
    {"i2", "int16", PTIO_INT16},         {"i4", "int32", PTIO_INT32},
    {"i8", "int64", PTIO_INT64},         {"u1", "uint8", PTIO_UINT8},
    {"u2", "uint16", PTIO_UINT16},       {"u4", "uint32", PTIO_UINT32},
    {"u8", "uint64", PTIO_UINT64},       {"f2", "float16", PTIO_FLOAT16},
    {"f4", "float32", PTIO_FLOAT32},     {"f8", "float64", PTIO_FLOAT64},
    {"c8", "complex64", PTIO_COMPLEX64}, {"c16", "complex128", PTIO_COMPLEX128},
};

ptio_npcode ptio_npcode_read(ptio_text text)
{
    ptio_npcode c = {.text = text};
    if (text.size < 2 || text.bytes[0] == '[')
        return c;
    c.order = text.bytes[0];
    c.kind = text.bytes[1];
    c.swapped = c.order == (PTIO_HOST_BIG_ENDIAN ? '<' : '>');
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (ptio_text_is((ptio_text){text.bytes + 1, text.size - 1}, numbers[i].code)) {
            c.dtype = numbers[i].dtype;
            c.name = numbers[i].name;
        }
    /* Dates and spans are whole numbers of their unit. */
    if ((c.kind == 'M' || c.kind == 'm') && text.size > 2 && text.bytes[2] == '8')
        c.dtype = PTIO_INT64;
    return c;
}

bool ptio_npcode_is_implied(const ptio_npcode *c)
{
    return c->name && !c->swapped &&
           (c->dtype == PTIO_FLOAT64 || c->dtype == PTIO_INT64 || c->dtype == PTIO_BOOL || c->dtype == PTIO_COMPLEX128);
}

/* ---- reading ---- */

static void own_order(const ptio_npcode *code, const char *element, char *own)
{
    size_t size = ptio_dtype_itemsize(code->dtype);
    memcpy(own, element, size);
    size_t unit = code->kind == 'c' ? size / 2 : size;
    if (code->swapped && unit > 1)
        ptio_swap_bytes(own, size / unit, unit);
}

static bool is_complex(const ptio_npcode *code)
{
    return code->kind == 'c' && code->dtype != PTIO_NO_DTYPE;
}

void ptio_npcode_floats(const ptio_npcode *code, const char *element, double ret[2])
{
    char own[16];
    float single;
    ret[0] = ret[1] = 0;
    if (code->dtype == PTIO_FLOAT32 && !code->swapped) {
        memcpy(&single, element, sizeof single);
        ret[0] = (double)single;
        return;
    }
    own_order(code, element, own);
    (void)ptio_convert(code->dtype, own, 0, is_complex(code) ? PTIO_COMPLEX128 : PTIO_FLOAT64, ret, 1);
}

/* ---- digits ---- */

/* The shortest digits among the floats of the dtype. */
static void unique_digits(ptio_dtype dtype, double value, ptio_digits *ret)
{
    if (dtype == PTIO_FLOAT32 || dtype == PTIO_COMPLEX64)
        ptio_digits_shortest_among(value, 24, -149, ret);
    else if (dtype == PTIO_FLOAT16)
        ptio_digits_shortest_among(value, 11, -24, ret);
    else
        ptio_digits_shortest(value, ret);
}

static void trim_zeros(ptio_digits *d)
{
    while (d->count > 0 && d->digits[d->count - 1] == '0')
        d->count--;
}

/* Digits of a finite value, no more than eight behind the point, or behind the first of a scientific one. Those before the point are all
 * there, even where fewer would tell the float from its neighbours: 12968., not 12970. */
static void element_digits(ptio_dtype dtype, double value, bool scientific, ptio_digits *d)
{
    d->exponent = 0;
    d->count = 0;
    if (value == 0)
        return;
    unique_digits(dtype, fabs(value), d);
    if (scientific && d->count > MOST_PLACES + 1)
        ptio_digits_count(fabs(value), MOST_PLACES + 1, d);
    else if (!scientific && (int)d->count - d->exponent - 1 > MOST_PLACES)
        ptio_digits_places(fabs(value), MOST_PLACES, d);
    else if (!scientific && (int)d->count <= d->exponent)
        ptio_digits_places(fabs(value), 0, d);
    trim_zeros(d);
    if (!d->count && !scientific)
        d->exponent = 0;
}

/* Characters before the point, and behind it. */
static void element_size(const ptio_digits *d, bool minus, bool scientific, size_t *left, size_t *right)
{
    int before = scientific ? 1 : d->exponent + 1;
    *left = (size_t)(before > 1 ? before : 1) + minus;
    int behind = scientific ? (int)d->count - 1 : (int)d->count - before;
    *right = (size_t)(d->count && behind > 0 ? behind : 0);
}

static size_t exponent_digits(int exponent)
{
    return exponent <= -100 || exponent >= 100 ? 3 : 2;
}

/* ---- settling a column ---- */

static void look(ptio_npcolumn *c, double value)
{
    if (!isfinite(value)) {
        c->odd = true;
        c->minus_inf = c->minus_inf || (isinf(value) && value < 0);
        return;
    }
    c->finite = true;
    double size = fabs(value);
    if (size == 0)
        return;
    c->low = c->any && c->low < size ? c->low : size;
    c->high = c->any && c->high > size ? c->high : size;
    c->any = true;
}

/* Whether nothing is to be learnt from a number: eight places are the most, and of its sign a larger and a smaller one are measured. */
static bool is_covered(const ptio_npcolumn *c, bool minus, double size)
{
    return c->right == MOST_PLACES && size >= c->near[minus] && size <= c->far[minus] && c->far[minus] > 0;
}

static void measure(ptio_npcolumn *c, ptio_dtype dtype, double value, bool always_sign)
{
    bool minus = signbit(value) != 0;
    double magnitude = fabs(value);
    if (!isfinite(value) || is_covered(c, minus, magnitude))
        return;
    ptio_digits d;
    size_t left, right;
    element_digits(dtype, value, c->scientific, &d);
    element_size(&d, always_sign || minus, c->scientific, &left, &right);
    c->left = left > c->left ? left : c->left;
    c->right = right > c->right ? right : c->right;
    size_t exponent = exponent_digits(d.exponent);
    c->exponent = exponent > c->exponent ? exponent : c->exponent;
    if (magnitude == 0)
        return;
    c->near[minus] = c->far[minus] > 0 && c->near[minus] < magnitude ? c->near[minus] : magnitude;
    c->far[minus] = c->far[minus] > magnitude ? c->far[minus] : magnitude;
}

/* Behind the digits before the point: the point, what follows it, and the exponent. */
static size_t behind(const ptio_npcolumn *c)
{
    return c->finite ? 1 + c->right + (c->scientific ? 2 + c->exponent : 0) : 1;
}

/* Room for nan and inf. */
static void make_room(ptio_npcolumn *c, bool always_sign)
{
    size_t need = (size_t)3 + (always_sign || c->minus_inf);
    if (c->odd && need > behind(c) && c->left < need - behind(c))
        c->left = need - behind(c);
}

static bool has_point(const ptio_npcode *code)
{
    return (code->kind == 'f' || code->kind == 'c') && code->dtype != PTIO_NO_DTYPE;
}

static size_t time_text(const ptio_npcode *code, const char *element, char *text);

static size_t whole_text(const ptio_npcells *cells, const char *element, char *text)
{
    if (cells->code.kind == 'M' || cells->code.kind == 'm')
        return time_text(&cells->code, element, text);
    char own[16];
    own_order(&cells->code, element, own);
    uint64_t bits = 0;
    if (cells->code.dtype == PTIO_BOOL) {
        memcpy(text, own[0] ? "True" : "False", 5);
        return own[0] ? 4 : 5;
    }
    bool is_unsigned = cells->code.kind == 'u';
    (void)ptio_convert(cells->code.dtype, own, 0, is_unsigned ? PTIO_UINT64 : PTIO_INT64, &bits, 1);
    bool minus = !is_unsigned && bits >> 63;
    uint64_t magnitude = minus ? 0 - bits : bits;
    unsigned size = ptio_decimal_size(magnitude);
    text[0] = '-';
    ptio_decimal_put(text + minus, size, magnitude);
    return minus + size;
}

/* Dates stand in quotes, and NaT too. */
static bool is_date(const ptio_npcode *code)
{
    return code->kind == 'M' && code->dtype != PTIO_NO_DTYPE;
}

static int64_t read_time(const ptio_npcode *code, const char *element)
{
    char own[16];
    int64_t value = 0;
    own_order(code, element, own);
    memcpy(&value, own, sizeof value);
    return value;
}

static ptio_text unit_of(const ptio_npcode *code)
{
    ptio_text text = code->text; /* <M8[D] */
    return text.size > 5 ? (ptio_text){text.bytes + 4, text.size - 5} : (ptio_text){"", 0};
}

static size_t time_text(const ptio_npcode *code, const char *element, char *text)
{
    int64_t value = read_time(code, element);
    if (value == PTIO_NPTIME_NAT)
        return (size_t)sprintf(text, "'NaT'");
    size_t size = is_date(code) ? ptio_nptime_date(value, unit_of(code), text + 1) : 0;
    if (!size)
        return (size_t)sprintf(text, "%lld", (long long)value);
    text[0] = text[size + 1] = '\'';
    return size + 2;
}

void ptio_npcells_look(ptio_npcells *cells, const char *element)
{
    if (has_point(&cells->code)) {
        double value[2];
        ptio_npcode_floats(&cells->code, element, value);
        look(&cells->real, value[0]);
        look(&cells->imag, value[1]);
    } else if (cells->code.dtype != PTIO_NO_DTYPE) {
        char text[PTIO_NPTIME_ROOM + 2];
        size_t size = whole_text(cells, element, text);
        cells->width = size > cells->width ? size : cells->width;
    }
}

static void look_at(void *ctx, const char *first, int64_t step, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ptio_npcells_look(ctx, first + (int64_t)i * step);
}

void ptio_npcells_measure(ptio_npcells *cells, const char *element)
{
    double value[2];
    if (!has_point(&cells->code))
        return;
    ptio_npcode_floats(&cells->code, element, value);
    measure(&cells->real, cells->code.dtype, value[0], false);
    if (is_complex(&cells->code))
        measure(&cells->imag, cells->code.dtype, value[1], true);
}

static void measure_at(void *ctx, const char *first, int64_t step, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ptio_npcells_measure(ctx, first + (int64_t)i * step);
}

static void settle(ptio_npcolumn *c)
{
    c->scientific = c->any && (c->high >= 1e8 || c->low < 0.0001 || c->high / c->low > 1000);
}

void ptio_npcells_settle(ptio_npcells *cells)
{
    settle(&cells->real);
    settle(&cells->imag);
}

void ptio_npcells_end(ptio_npcells *cells)
{
    if (cells->code.dtype == PTIO_BOOL && !cells->one)
        cells->width = 5;
    make_room(&cells->real, false);
    make_room(&cells->imag, true);
}

void ptio_npcells_fit(ptio_npcells *cells, const ptio_grid *grid)
{
    cells->one = !grid->ndim;
    (void)ptio_grid_visit(grid, look_at, cells);
    ptio_npcells_settle(cells);
    if (has_point(&cells->code))
        (void)ptio_grid_visit(grid, measure_at, cells);
    ptio_npcells_end(cells);
}

/* ---- writing ---- */

static size_t padded(const char *bare, size_t size, size_t width, char *text)
{
    size_t pad = size < width ? width - size : 0;
    memset(text, ' ', pad);
    memcpy(text + pad, bare, size);
    return pad + size;
}

static char *put_digits(char *at, const ptio_digits *d, int from, int to)
{
    for (int i = from; i < to; i++)
        *at++ = i >= 0 && i < (int)d->count ? d->digits[i] : '0';
    return at;
}

static char *put_exponent(char *at, int exponent, size_t digits)
{
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    unsigned value = (unsigned)(exponent < 0 ? -exponent : exponent);
    for (size_t i = digits, scale = digits == 3 ? 100 : 10; i > 0; i--, scale /= 10)
        *at++ = (char)('0' + value / scale % 10);
    return at;
}

/* One float in its column. */
static size_t float_text(const ptio_npcolumn *c, ptio_dtype dtype, double value, bool always_sign, char *text)
{
    char bare[400], *at = bare;
    if (signbit(value) && !isnan(value))
        *at++ = '-';
    else if (always_sign)
        *at++ = '+';
    if (!isfinite(value)) {
        memcpy(at, isnan(value) ? "nan" : "inf", 3);
        return padded(bare, (size_t)(at + 3 - bare), c->left + behind(c), text);
    }
    ptio_digits d;
    element_digits(dtype, value, c->scientific, &d);
    if (c->scientific && value != 0 && d.count < c->right + 1) /* filled up with its real digits, not with zeros */
        ptio_digits_count(fabs(value), (unsigned)c->right + 1, &d);
    int before = c->scientific ? 1 : d.exponent + 1;
    at = put_digits(at, &d, before > 0 ? 0 : -1, before > 0 ? before : 0);
    size_t left = (size_t)(at - bare), own_right = 0, own_left = 0;
    element_size(&d, false, c->scientific, &own_left, &own_right);
    *at++ = '.';
    size_t places = c->scientific ? c->right : own_right;
    at = put_digits(at, &d, before, before + (int)places);
    if (c->scientific)
        at = put_exponent(at, d.exponent, c->exponent);
    for (size_t i = places; i < c->right; i++)
        *at++ = ' ';
    return padded(bare, (size_t)(at - bare), c->left + (size_t)(at - bare) - left, text);
}

/* The j stands right behind the digits, before the blanks. */
static size_t complex_text(const ptio_npcells *cells, const double value[2], char *text)
{
    ptio_dtype dtype = cells->code.dtype;
    size_t size = float_text(&cells->real, dtype, value[0], false, text);
    size_t end = size + float_text(&cells->imag, dtype, value[1], true, text + size), last = end;
    while (last > size && text[last - 1] == ' ')
        last--;
    memmove(text + last + 1, text + last, end - last);
    text[last] = 'j';
    return end + 1;
}

size_t ptio_npcells_text(const ptio_npcells *cells, const char *element, char *text)
{
    if (cells->code.dtype == PTIO_NO_DTYPE)
        return ptio_npcells_other(cells, element, text);
    double value[2];
    if (has_point(&cells->code)) {
        ptio_npcode_floats(&cells->code, element, value);
        if (is_complex(&cells->code))
            return complex_text(cells, value, text);
        return float_text(&cells->real, cells->code.dtype, value[0], false, text);
    }
    char bare[PTIO_NPTIME_ROOM + 2];
    size_t size = whole_text(cells, element, bare);
    return padded(bare, size, cells->width, text);
}

void ptio_repr_npscalar_value(ptio_out *out, const ptio_npcode *code, const char *element, size_t size)
{
    ptio_npcells cells = {.code = *code, .itemsize = size};
    char text[PTIO_CELL_ROOM];
    double value[2];
    if (!has_point(code)) {
        ptio_out_bytes(out, text, ptio_npcells_text(&cells, element, text));
        return;
    }
    ptio_npcode_floats(code, element, value);
    bool both = is_complex(code) && (value[0] != 0 || signbit(value[0]));
    ptio_digits d;
    if (!is_complex(code) || both) {
        if (isfinite(value[0]) && value[0] != 0)
            unique_digits(code->dtype, fabs(value[0]), &d);
        ptio_repr_digits(out, value[0], &d, !is_complex(code));
    }
    if (!is_complex(code))
        return;
    if (both && (isnan(value[1]) || !signbit(value[1])))
        ptio_out_char(out, '+');
    if (isfinite(value[1]) && value[1] != 0)
        unique_digits(code->dtype, fabs(value[1]), &d);
    ptio_repr_digits(out, value[1], &d, false);
    ptio_out_char(out, 'j');
}
