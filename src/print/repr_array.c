/*
 * NumPy's arrays, scalars and dtypes, as NumPy 2 prints them.
 *
 *     array([[0. , 1.5],
 *            [2. , 3. ]], dtype=float32)
 *
 * Records are written by numpy_struct.c, or as bytes where it does not know them.
 */
#include "print/repr_array.h"

#include <stdio.h>

#include "base/text.h"
#include "print/numpy_cell.h"
#include "print/numpy_struct.h"
#include "print/numpy_time.h"
#include "print/words.h"
#include "torch/meaning.h"

/* NumPy's own settings: those of PyTorch are not for arrays. */
#define LINE_WIDTH PTIO_ARRAY_WIDTH
#define THRESHOLD 1000

bool ptio_array_is_cut(uint64_t count, const ptio_tensor_style *style)
{
    return count > THRESHOLD && !style->whole_arrays;
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

/* Texts of records are held, since it must be known how long each is. */
static ptio_status put_records(ptio_words *w, const ptio_ndarray *a, ptio_heap *heap)
{
    ptio_nprecord record;
    ptio_word word = {.heap = heap};
    ptio_status status = PTIO_OK;
    int64_t at;
    if (!ptio_nprecord_fit(&record, a->dtype, w->grid, heap))
        return ptio_heap_fail(heap, w->out->err, "printing");
    while (status == PTIO_OK && ptio_words_next(w, &at)) {
        ptio_out out;
        ptio_word_begin(&word, &out);
        ptio_nprecord_write(&record, &out, w->grid->base + at);
        if (ptio_out_flush(&out) != PTIO_OK)
            status = ptio_heap_fail(heap, w->out->err, "printing");
        else
            ptio_words_put(w, word.text, word.size);
    }
    ptio_word_free(&word);
    ptio_nprecord_free(&record);
    return status;
}

static void put_cells(ptio_words *w, const ptio_ndarray *a)
{
    ptio_npcells cells = {.code = ptio_npcode_read(a->dtype->code), .itemsize = (size_t)a->dtype->itemsize};
    char text[PTIO_CELL_ROOM];
    int64_t at;
    ptio_npcells_fit(&cells, w->grid);
    while (ptio_words_next(w, &at))
        ptio_words_put(w, text, ptio_npcells_text(&cells, w->grid->base + at, text));
}

/* The brackets. Gives the column behind them. */
static ptio_status put_elements(ptio_out *out, const ptio_ndarray *a, const ptio_tensor_style *style,
                                const ptio_words_style *layout, size_t *column)
{
    ptio_grid grid = {.base = a->data.bytes, .ndim = a->ndim, .shape = a->shape, .edge = PTIO_ARRAY_EDGE};
    grid.cut = ptio_array_is_cut(a->count, style);
    set_steps(&grid, a);
    uint64_t shown = ptio_grid_shown(&grid);
    size_t cost = ptio_nprecord_cost(a->dtype);
    if (!ptio_mul_u64(shown, cost ? cost : 1, &shown) || shown > style->most)
        return ptio_fail(out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                         "an array would show more elements than walk_nodes allows");
    if (!a->count) {
        ptio_out_string(out, "[]");
        *column = layout->indent + 2;
        return PTIO_OK;
    }
    ptio_words w;
    ptio_status status = PTIO_OK;
    ptio_words_begin(&w, &grid, layout, out);
    if (cost)
        status = put_records(&w, a, style->heap);
    else
        put_cells(&w, a);
    *column = w.column;
    return status;
}

/* "array", or the name of the class that the file names. */
static ptio_text array_name(const ptio_value *array)
{
    ptio_text name = ptio_last_name(ptio_value_class(ptio_value_item(ptio_node_arguments(array), 0)));
    bool told = ptio_text_is(ptio_last_name(ptio_value_class(ptio_node_callable(array))), "_reconstruct");
    return told && name.size && !ptio_text_is(name, "ndarray") ? name : PTIO_TEXT("array");
}

/* numpy.recarray has a text of its own: its dtype is always told, on a line of its own. */
ptio_text ptio_array_prefix(const ptio_value *array)
{
    ptio_text name = array_name(array);
    return ptio_text_is(name, "recarray") ? PTIO_TEXT("rec.array") : name;
}

ptio_status ptio_repr_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    const ptio_ndarray *a = ptio_meaning(array);
    uint64_t start = ptio_out_position(out);
    size_t column = 0;
    ptio_repr_escaped(out, ptio_array_prefix(array));
    ptio_out_char(out, '(');
    ptio_words_style layout = {.indent = (size_t)(ptio_out_position(out) - start), .fill = LINE_WIDTH - 1};
    ptio_status status = put_elements(out, a, style, &layout, &column);
    if (status == PTIO_OK)
        ptio_repr_array_end(out, array, column, ptio_array_is_cut(a->count, style));
    return status;
}

ptio_status ptio_str_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    ptio_words_style layout = {.fill = LINE_WIDTH, .no_commas = true};
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

/* The dtype of a record without its class: "(numpy.record, [('a', '<i4')])" is [('a', '<i4')]. */
static void put_fields(ptio_out *out, const ptio_npdtype *dtype)
{
    ptio_text code = dtype->code;
    size_t class_size = strlen("(numpy.record, ");
    if (dtype->is_record && code.size > class_size)
        code = (ptio_text){code.bytes + class_size, code.size - class_size - 1};
    ptio_repr_escaped(out, code);
}

void ptio_repr_array_dtype(ptio_out *out, const ptio_npdtype *dtype)
{
    ptio_npcode code = ptio_npcode_read(dtype->code), *c = &code;
    if (dtype->is_structured)
        put_fields(out, dtype);
    else if (c->kind == 'O')
        ptio_out_string(out, "object");
    else if (c->name && !c->swapped)
        ptio_out_string(out, c->name);
    else if ((c->kind == 'M' || c->kind == 'm') && !c->swapped && c->text.size > 3)
        put_time_dtype(out, c);
    else if (c->kind)
        ptio_repr_str(out, c->text);
    else
        ptio_repr_escaped(out, c->text);
}

static size_t put_dtype(ptio_out *out, const ptio_npdtype *dtype)
{
    uint64_t start = ptio_out_position(out);
    ptio_out_string(out, "dtype=");
    ptio_repr_array_dtype(out, dtype);
    return (size_t)(ptio_out_position(out) - start);
}

static int ignore(void *ctx, const char *text, size_t size)
{
    (void)ctx, (void)text, (void)size;
    return 0;
}

static void end_records(ptio_out *out, const ptio_ndarray *a)
{
    if (!a->count && (a->ndim != 1 || a->shape[0])) {
        ptio_out_string(out, ", ");
        (void)put_shape(out, a);
    }
    ptio_out_string(out, ",\n          dtype=");
    put_fields(out, a->dtype);
    ptio_out_char(out, ')');
}

void ptio_repr_array_end(ptio_out *out, const ptio_value *array, size_t column, bool cut)
{
    const ptio_ndarray *a = ptio_meaning(array);
    ptio_npcode c = ptio_npcode_read(a->dtype->code);
    bool shape = cut || (!a->count && a->ndim != 1), dtype = !a->count || !ptio_npcode_is_implied(&c);
    if (ptio_text_is(array_name(array), "recarray")) {
        end_records(out, a);
        return;
    }
    if (shape || dtype) {
        /* The sizes first: what does not fit the line begins one of its own. */
        ptio_out measure;
        ptio_out_init(&measure, ignore, NULL, NULL);
        size_t size =
            1 + (shape ? put_shape(&measure, a) : 0) + (shape && dtype ? 2 : 0) + (dtype ? put_dtype(&measure, a->dtype) : 0);
        if (column + 1 + size + 1 > LINE_WIDTH) {
            ptio_out_string(out, ",\n");
            ptio_out_repeat(out, ' ', ptio_array_prefix(array).size + 1);
        } else {
            ptio_out_string(out, ", ");
        }
        if (shape)
            (void)put_shape(out, a);
        if (shape && dtype)
            ptio_out_string(out, ", ");
        if (dtype)
            (void)put_dtype(out, a->dtype);
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

/* A record, or bytes without a meaning. */
bool ptio_str_void(ptio_out *out, const ptio_npdtype *dtype, ptio_text data, ptio_heap *heap)
{
    if (ptio_nprecord_cost(dtype))
        return ptio_nprecord_write_one(out, dtype, data.bytes, heap);
    ptio_npcode c = ptio_npcode_read(dtype->code);
    if (c.kind != 'V' || dtype->is_structured)
        return false;
    ptio_repr_npscalar_value(out, &c, data.bytes, data.size);
    return true;
}

/* np.void(b'\x61'), np.record((1, 2.5), dtype=[('a', '<i4'), ('b', '<f8')]) */
static bool put_void(ptio_out *out, const ptio_value *value, ptio_heap *heap)
{
    const ptio_npscalar *scalar = ptio_meaning(value);
    bool record = ptio_nprecord_cost(scalar->dtype) > 0;
    if (!record && (scalar->dtype->is_structured || ptio_npcode_read(scalar->dtype->code).kind != 'V'))
        return false;
    ptio_out_string(out, scalar->dtype->is_record ? "np.record(" : "np.void(");
    (void)ptio_str_void(out, scalar->dtype, scalar->data, heap);
    if (record) {
        ptio_out_string(out, ", dtype=");
        put_fields(out, scalar->dtype);
    }
    ptio_out_char(out, ')');
    return true;
}

void ptio_repr_npscalar(ptio_out *out, const ptio_value *scalar, ptio_heap *heap)
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
    if (put_void(out, scalar, heap))
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
