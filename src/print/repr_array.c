/*
 * NumPy's arrays, scalars and dtypes, as NumPy 2 prints them.
 *
 *     array([[0. , 1.5],
 *            [2. , 3. ]], dtype=float32)
 *
 * Elements of structured arrays are shown as bytes.
 */
#include "print/repr_array.h"

#include <stdio.h>

#include "base/text.h"
#include "print/numpy_cell.h"
#include "print/numpy_time.h"
#include "torch/meaning.h"

/* NumPy's own settings: those of PyTorch are not for arrays. */
#define LINE_WIDTH 75
#define THRESHOLD 1000
#define EDGE_ITEMS 3

static bool is_cut(const ptio_ndarray *a, const ptio_tensor_style *style)
{
    return a->count > THRESHOLD && !style->whole_arrays;
}

static void set_steps(ptio_grid *grid, const ptio_ndarray *a)
{
    int64_t step = (int64_t)a->dtype->itemsize;
    for (size_t i = 0; i < a->ndim; i++) {
        size_t dim = a->fortran ? i : a->ndim - 1 - i;
        grid->step[dim] = step;
        step *= a->shape[dim];
    }
}

/* The brackets. Gives the column behind them. */
static ptio_status put_elements(ptio_out *out, const ptio_ndarray *a, const ptio_tensor_style *style,
                                const ptio_grid_style *given, size_t *column)
{
    ptio_grid grid = {.base = a->data.bytes, .ndim = a->ndim, .shape = a->shape, .edge = EDGE_ITEMS};
    grid.cut = is_cut(a, style);
    set_steps(&grid, a);
    if (ptio_grid_shown(&grid) > style->most)
        return ptio_fail(out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                         "an array would show more elements than walk_nodes allows");
    if (!a->count) {
        ptio_out_string(out, "[]");
        *column = given->indent + 2;
        return PTIO_OK;
    }
    ptio_npcells cells = {.code = ptio_npcode_read(a->dtype->code), .itemsize = (size_t)a->dtype->itemsize};
    ptio_npcells_fit(&cells, &grid);
    ptio_grid_style layout = *given;
    layout.cell = ptio_npcells_text;
    layout.ctx = &cells;
    *column = ptio_grid_write(&grid, &layout, out);
    return PTIO_OK;
}

/* "array", or the name of a class of the user's own. */
static ptio_text array_name(const ptio_value *array)
{
    ptio_text name = ptio_value_class(array);
    if (!name.size || ptio_text_is(name, "numpy.ndarray"))
        return PTIO_TEXT("array");
    size_t start = name.size;
    while (start > 0 && name.bytes[start - 1] != '.')
        start--;
    return (ptio_text){name.bytes + start, name.size - start};
}

ptio_status ptio_repr_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    const ptio_ndarray *a = ptio_meaning(array);
    uint64_t start = ptio_out_position(out);
    size_t column = 0;
    ptio_repr_escaped(out, array_name(array));
    ptio_out_char(out, '(');
    ptio_grid_style layout = {.indent = (size_t)(ptio_out_position(out) - start), .fill = LINE_WIDTH - 1};
    ptio_status status = put_elements(out, a, style, &layout, &column);
    if (status == PTIO_OK)
        ptio_repr_array_end(out, array, column, is_cut(a, style));
    return status;
}

ptio_status ptio_str_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    ptio_grid_style layout = {.fill = LINE_WIDTH, .no_commas = true};
    size_t column;
    return put_elements(out, ptio_meaning(array), style, &layout, &column);
}

static size_t digits(int64_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

static size_t put_shape(ptio_out *out, const ptio_ndarray *a)
{
    size_t size = strlen("shape=()") + (a->ndim == 1);
    ptio_out_string(out, "shape=(");
    for (size_t i = 0; i < a->ndim; i++) {
        if (i)
            ptio_out_string(out, ", ");
        ptio_out_i64(out, a->shape[i]);
        size += digits(a->shape[i]) + (i ? 2 : 0);
    }
    ptio_out_string(out, a->ndim == 1 ? ",)" : ")");
    return size;
}

/* "<M8[D]" is datetime64[D] here. */
static void put_time_name(ptio_out *out, const ptio_npcode *c)
{
    ptio_out_string(out, c->kind == 'M' ? "datetime64" : "timedelta64");
    ptio_repr_escaped(out, (ptio_text){c->text.bytes + 3, c->text.size - 3});
}

static void put_time_dtype(ptio_out *out, const ptio_npcode *c)
{
    ptio_out_char(out, '\'');
    put_time_name(out, c);
    ptio_out_char(out, '\'');
}

/* The dtype as the text of an array names it. */
static size_t put_dtype(ptio_out *out, const ptio_npcode *c)
{
    ptio_out_string(out, "dtype=");
    uint64_t start = ptio_out_position(out);
    if (c->kind == 'O')
        ptio_out_string(out, "object");
    else if (c->name && !c->swapped)
        ptio_out_string(out, c->name);
    else if ((c->kind == 'M' || c->kind == 'm') && !c->swapped && c->text.size > 3)
        put_time_dtype(out, c);
    else if (c->kind)
        ptio_repr_str(out, c->text);
    else
        ptio_repr_escaped(out, c->text);
    return (size_t)(ptio_out_position(out) - start) + strlen("dtype=");
}

static int ignore(void *ctx, const char *text, size_t size)
{
    (void)ctx, (void)text, (void)size;
    return 0;
}

/* Dtypes that need not be told: those that Python's own numbers become. */
static bool is_implied(const ptio_npcode *c)
{
    return c->name && !c->swapped &&
           (c->dtype == PTIO_FLOAT64 || c->dtype == PTIO_INT64 || c->dtype == PTIO_BOOL || c->dtype == PTIO_COMPLEX128);
}

void ptio_repr_array_end(ptio_out *out, const ptio_value *array, size_t column, bool cut)
{
    const ptio_ndarray *a = ptio_meaning(array);
    ptio_npcode c = ptio_npcode_read(a->dtype->code);
    bool shape = cut || (!a->count && a->ndim != 1), dtype = !a->count || !is_implied(&c);
    if (shape || dtype) {
        /* The sizes first: what does not fit the line begins one of its own. */
        ptio_out measure;
        ptio_out_init(&measure, ignore, NULL, NULL);
        size_t size = 1 + (shape ? put_shape(&measure, a) : 0) + (shape && dtype ? 2 : 0) + (dtype ? put_dtype(&measure, &c) : 0);
        if (column + 1 + size + 1 > LINE_WIDTH) {
            ptio_out_string(out, ",\n");
            ptio_out_repeat(out, ' ', array_name(array).size + 1);
        } else {
            ptio_out_string(out, ", ");
        }
        if (shape)
            (void)put_shape(out, a);
        if (shape && dtype)
            ptio_out_string(out, ", ");
        if (dtype)
            (void)put_dtype(out, &c);
    }
    ptio_out_char(out, ')');
}

/* "D" of "<M8[D]". */
static ptio_text unit_of(const ptio_npcode *c)
{
    return c->text.size > 5 ? (ptio_text){c->text.bytes + 4, c->text.size - 5} : (ptio_text){"", 0};
}

/* np.datetime64('2024-02-29'), np.timedelta64(3,'s'); a unit that the text does not tell stands behind it. */
static bool put_time_scalar(ptio_out *out, const ptio_npcode *c, const char *bytes)
{
    char text[PTIO_NPTIME_ROOM];
    int64_t value;
    memcpy(&value, bytes, sizeof value);
    if (c->swapped)
        value = (int64_t)ptio_swap64((uint64_t)value);
    ptio_text unit = unit_of(c);
    bool date = c->kind == 'M', nat = value == PTIO_NPTIME_NAT;
    size_t size =
        date || nat ? ptio_nptime_date(value, unit, text) : (size_t)snprintf(text, sizeof text, "%lld", (long long)value);
    if (!size)
        return false;
    ptio_out_string(out, date ? "np.datetime64(" : "np.timedelta64(");
    ptio_out_string(out, date || nat ? "'" : "");
    ptio_out_bytes(out, text, size);
    ptio_out_string(out, date || nat ? "'" : "");
    bool told = date && (ptio_text_is(unit, "") || (unit.bytes[0] > '9' && unit.bytes[0] != 'h'));
    if (unit.size && !told) {
        ptio_out_string(out, ",'");
        ptio_repr_escaped(out, unit);
        ptio_out_char(out, '\'');
    }
    ptio_out_char(out, ')');
    return true;
}

void ptio_repr_npscalar(ptio_out *out, const ptio_value *scalar)
{
    ptio_npcode c = ptio_npcode_read(ptio_value_name(scalar));
    ptio_text bytes = ptio_value_bytes(scalar);
    bool number = c.name && bytes.size == ptio_dtype_itemsize(c.dtype);
    if (number && c.dtype == PTIO_BOOL) {
        ptio_out_string(out, bytes.bytes[0] ? "np.True_" : "np.False_");
        return;
    }
    if (number || c.kind == 'U' || c.kind == 'S') {
        ptio_out_string(out, "np.");
        ptio_out_string(out, number ? c.name : c.kind == 'U' ? "str_" : "bytes_");
        ptio_out_char(out, '(');
        ptio_repr_npscalar_value(out, &c, bytes.bytes, bytes.size);
        ptio_out_char(out, ')');
        return;
    }
    if ((c.kind == 'M' || c.kind == 'm') && bytes.size == sizeof(int64_t) && put_time_scalar(out, &c, bytes.bytes))
        return;
    ptio_out_string(out, "<ptio npscalar ");
    ptio_repr_str(out, c.text);
    ptio_out_string(out, " b");
    ptio_repr_bytes(out, bytes);
    ptio_out_char(out, '>');
}

/* "3 seconds", "75 seconds" of three of 25s. */
static void put_span(ptio_out *out, int64_t value, ptio_text unit)
{
    static const char *const names[][2] = {
        {"Y", "years"},        {"M", "months"},        {"W", "weeks"},         {"D", "days"},          {"h", "hours"},
        {"m", "minutes"},      {"s", "seconds"},       {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"},
        {"ps", "picoseconds"}, {"fs", "femtoseconds"}, {"as", "attoseconds"}};
    const char *name = "generic time units";
    int64_t factor = 0;
    if (value == PTIO_NPTIME_NAT) {
        ptio_out_string(out, "NaT");
        return;
    }
    for (; unit.size && *unit.bytes >= '0' && *unit.bytes <= '9' && factor < INT32_MAX; unit.bytes++, unit.size--)
        factor = factor * 10 + (*unit.bytes - '0');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ptio_text_is(unit, names[i][0]))
            name = names[i][1];
    ptio_out_i64(out, (int64_t)((uint64_t)value * (uint64_t)(factor ? factor : 1)));
    ptio_out_char(out, ' ');
    ptio_out_string(out, name);
}

static bool has_bits(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return true;
    return false;
}

bool ptio_str_npscalar(ptio_out *out, ptio_text code, ptio_text bytes)
{
    ptio_npcode c = ptio_npcode_read(code);
    ptio_text unit = unit_of(&c);
    char text[PTIO_NPTIME_ROOM];
    int64_t value = 0;
    if (c.kind == 'S' || c.kind == 'U') {
        ptio_repr_npscalar_value(out, &c, bytes.bytes, bytes.size);
    } else if (c.kind == 'm' && bytes.size == sizeof value) {
        memcpy(&value, bytes.bytes, sizeof value);
        put_span(out, c.swapped ? (int64_t)ptio_swap64((uint64_t)value) : value, unit);
    } else if (c.kind == 'M' && bytes.size == sizeof value) {
        memcpy(&value, bytes.bytes, sizeof value);
        size_t size = ptio_nptime_date(c.swapped ? (int64_t)ptio_swap64((uint64_t)value) : value, unit, text);
        ptio_out_bytes(out, text, size);
        return size > 0;
    } else if (c.name && bytes.size == ptio_dtype_itemsize(c.dtype)) {
        bool pair = c.kind == 'c' && has_bits(bytes.bytes, bytes.size / 2);
        ptio_out_string(out, pair ? "(" : "");
        ptio_repr_npscalar_value(out, &c, bytes.bytes, bytes.size);
        ptio_out_string(out, pair ? ")" : "");
    } else {
        return false;
    }
    return true;
}

/* [('a', 'u1'), ('b', '<i4')], align=True: the text that dtypes of fields have, which does not tell of align. */
static void put_structured(ptio_out *out, const ptio_npdtype *dtype)
{
    ptio_repr_escaped(out, dtype->field_code);
    ptio_out_string(out, dtype->is_aligned ? ", align=True" : "");
}

void ptio_repr_npdtype(ptio_out *out, const ptio_value *dtype)
{
    const ptio_npdtype *meaning = ptio_meaning(dtype);
    ptio_npcode c = ptio_npcode_read(ptio_value_name(dtype));
    ptio_out_string(out, "dtype(");
    if (meaning->is_structured)
        put_structured(out, meaning);
    else if (c.name && !c.swapped)
        ptio_repr_str(out, ptio_text_of(c.name));
    else if (c.kind == 'O')
        ptio_out_string(out, "'O'");
    else if ((c.kind == 'V' || c.kind == 'S') && c.order == '|')
        ptio_repr_str(out, (ptio_text){c.text.bytes + 1, c.text.size - 1});
    else
        ptio_repr_str(out, c.text);
    ptio_out_char(out, ')');
}

void ptio_str_npdtype(ptio_out *out, const ptio_value *dtype)
{
    ptio_npcode c = ptio_npcode_read(ptio_value_name(dtype));
    if (c.name && !c.swapped)
        ptio_out_string(out, c.name);
    else if (c.kind == 'O')
        ptio_out_string(out, "object");
    else if ((c.kind == 'M' || c.kind == 'm') && !c.swapped)
        put_time_name(out, &c);
    else
        ptio_repr_escaped(out, c.text);
}
