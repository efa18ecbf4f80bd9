/*
 * NumPy's arrays, scalars and dtypes.
 *
 *     array([[0.0, 1.0], [2.0, 3.0]], dtype=float32)
 *
 * Elements are written as Python writes the number, in one line; the middle of big arrays is left out. Dates and spans are shown as
 * the integers they are stored as; elements of structured arrays as bytes.
 */
#include "print/repr_array.h"

#include "base/text.h"
#include "print/cell.h"
#include "tensor/convert.h"
#include "torch/meaning.h"

/* "<f4" taken apart. */
typedef struct code {
    char order, kind;
    uint64_t size;    /* behind the letter; characters of a 'U' */
    ptio_dtype dtype; /* of numbers; else PTIO_NO_DTYPE          */
    const char *name; /* "float32" of numbers; else NULL         */
    ptio_text text;
} code;

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

static code read_code(ptio_text text)
{
    code c = {.text = text};
    if (text.size < 2 || text.bytes[0] == '[')
        return c;
    c.order = text.bytes[0];
    c.kind = text.bytes[1];
    for (size_t i = 2; i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9' && c.size < UINT32_MAX; i++)
        c.size = c.size * 10 + (uint64_t)(text.bytes[i] - '0');
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (ptio_text_is((ptio_text){text.bytes + 1, text.size - 1}, numbers[i].code)) {
            c.dtype = numbers[i].dtype;
            c.name = numbers[i].name;
        }
    return c;
}

static bool is_swapped(const code *c)
{
    return c->order == (PTIO_HOST_BIG_ENDIAN ? '<' : '>');
}

static void put_number(ptio_out *out, const code *c, const char *element)
{
    char own[16];
    size_t size = ptio_dtype_itemsize(c->dtype);
    memcpy(own, element, size);
    if (is_swapped(c)) {
        size_t unit = c->kind == 'c' ? size / 2 : size;
        if (unit > 1)
            ptio_swap_bytes(own, size / unit, unit);
    }
    ptio_repr_element(out, c->dtype, own);
}

/* Four bytes for each character, filled up with NULs. Only the first ones of a long text: this is a line for people. */
static void put_characters(ptio_out *out, const code *c, const char *element, size_t size)
{
    char text[1024];
    size_t used = 0, count = size / 4;
    for (size_t i = 0; i < count && used + 4 <= sizeof text; i++) {
        uint32_t character;
        memcpy(&character, element + 4 * i, 4);
        if (is_swapped(c))
            character = ptio_swap32(character);
        if (character > 0x10FFFF)
            break;
        used += ptio_utf8_encode(character, text + used);
    }
    while (used && !text[used - 1])
        used--;
    ptio_repr_str(out, (ptio_text){text, used});
}

static void put_element(ptio_out *out, const code *c, const char *element, size_t size)
{
    if (c->dtype != PTIO_NO_DTYPE) {
        put_number(out, c, element);
    } else if (c->kind == 'U') {
        put_characters(out, c, element, size);
    } else if ((c->kind == 'M' || c->kind == 'm') && size == 8) {
        code whole = {.order = c->order, .kind = 'i', .dtype = PTIO_INT64};
        put_number(out, &whole, element);
    } else {
        size_t used = size;
        while (c->kind == 'S' && used && !element[used - 1])
            used--;
        ptio_out_char(out, 'b');
        ptio_repr_bytes(out, (ptio_text){element, used});
    }
}

/* The elements of an array on one line: a walk over its places, with brackets. */
typedef struct line {
    ptio_out *out;
    const code *c;
    size_t itemsize;
} line;

static size_t cell_text(void *ctx, const char *element, char *text)
{
    const line *l = ctx;
    (void)text;
    put_element(l->out, l->c, element, l->itemsize);
    return 0; /* written already: the layout never breaks a line */
}

ptio_status ptio_repr_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    const ptio_ndarray *a = ptio_meaning(array);
    code c = read_code(a->dtype->code);
    line l = {out, &c, (size_t)a->dtype->itemsize};
    ptio_grid grid = {.base = a->data.bytes, .ndim = a->ndim, .shape = a->shape, .edge = style->edge};
    grid.cut = a->count > style->threshold;
    int64_t step = (int64_t)l.itemsize;
    for (size_t i = 0; i < a->ndim; i++) {
        size_t dim = a->fortran ? i : a->ndim - 1 - i;
        grid.step[dim] = step;
        step *= a->shape[dim];
    }
    ptio_out_string(out, "array(");
    if (ptio_grid_shown(&grid) > style->most)
        return ptio_fail(out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                         "an array would show more elements than walk_nodes allows");
    if (a->count)
        (void)ptio_grid_write(&grid, &(ptio_grid_style){.cell = cell_text, .ctx = &l, .one_line = true}, out);
    else
        ptio_out_string(out, "[]");
    ptio_repr_array_end(out, array);
    return PTIO_OK;
}

void ptio_repr_array_end(ptio_out *out, const ptio_value *array)
{
    const ptio_ndarray *a = ptio_meaning(array);
    code c = read_code(a->dtype->code);
    if (!a->count && a->ndim != 1) {
        ptio_out_string(out, ", shape=(");
        for (size_t i = 0; i < a->ndim; i++) {
            if (i)
                ptio_out_string(out, ", ");
            ptio_out_i64(out, a->shape[i]);
        }
        ptio_out_char(out, ')');
    }
    bool usual = c.dtype == PTIO_FLOAT64 || c.dtype == PTIO_INT64 || c.dtype == PTIO_BOOL || c.dtype == PTIO_COMPLEX128;
    if (!usual || is_swapped(&c) || !a->count) {
        ptio_out_string(out, ", dtype=");
        if (c.kind == 'O')
            ptio_out_string(out, "object");
        else if (c.name && !is_swapped(&c))
            ptio_out_string(out, c.name);
        else if (c.kind)
            ptio_repr_str(out, c.text);
        else
            ptio_repr_escaped(out, c.text);
    }
    ptio_out_char(out, ')');
}

void ptio_repr_npscalar(ptio_out *out, const ptio_value *scalar)
{
    code c = read_code(ptio_value_name(scalar));
    ptio_text bytes = ptio_value_bytes(scalar);
    if (c.dtype == PTIO_BOOL && bytes.size == 1) {
        ptio_out_string(out, bytes.bytes[0] ? "np.True_" : "np.False_");
    } else if (c.dtype != PTIO_NO_DTYPE && bytes.size == ptio_dtype_itemsize(c.dtype)) {
        ptio_out_string(out, "np.");
        ptio_out_string(out, c.name);
        ptio_out_char(out, '(');
        put_number(out, &c, bytes.bytes);
        ptio_out_char(out, ')');
    } else {
        ptio_out_string(out, "<ptio npscalar ");
        ptio_repr_str(out, c.text);
        ptio_out_char(out, ' ');
        put_element(out, &c, bytes.bytes, bytes.size);
        ptio_out_char(out, '>');
    }
}

void ptio_repr_npdtype(ptio_out *out, const ptio_value *dtype)
{
    code c = read_code(ptio_value_name(dtype));
    ptio_out_string(out, "dtype(");
    if (c.name && !is_swapped(&c))
        ptio_repr_str(out, ptio_text_of(c.name));
    else if (c.kind == 'O')
        ptio_out_string(out, "'O'");
    else if (c.kind)
        ptio_repr_str(out, c.text);
    else
        ptio_repr_escaped(out, c.text);
    ptio_out_char(out, ')');
}
