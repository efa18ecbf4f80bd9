/*
 * NumPy's masked arrays:
 *
 *     masked_array(data=[1, --, 3],                one row: each part begins where the first does
 *                  mask=[False,  True, False],
 *            fill_value=999999)
 *
 *     masked_array(                                several: each part on lines of its own
 *       data=[[1.5, --],
 *             [3.0, 4.0]],
 *       mask=…
 *
 * Elements are shown as the Python objects that they become, so a float has all its digits. Of a dimension of more than 100 (of the
 * only one: 1,500) NumPy drops the middle before it looks at the array. Source: numpy/ma/core.py, MaskedArray.__repr__ and
 * _insert_masked_print.
 */
#include "print/repr_masked.h"

#include "base/text.h"
#include "print/numpy_cell.h"
#include "print/repr.h"
#include "print/repr_array.h"
#include "print/words.h"
#include "torch/meaning.h"

#define STATE_ITEMS 7
#define MASK_ITEM 5
#define FILL_ITEM 6
#define MOST_OF_ROWS 100
#define MOST_OF_ROW 1500

typedef struct masked {
    const ptio_value *value;
    const ptio_ndarray *a;
    ptio_npcode code;
    ptio_text mask; /* a byte for each element, in the order of the elements */
    const ptio_value *fill;
    ptio_out *out;
    const ptio_tensor_style *style;
    ptio_status status;
} masked;

bool ptio_is_masked(const ptio_value *array)
{
    return ptio_value_kind(array) == PTIO_KIND_NDARRAY &&
           ptio_text_is(ptio_last_name(ptio_value_class(ptio_node_callable(array))), "_mareconstruct");
}

static bool is_fill(const masked *m)
{
    if (ptio_value_kind(m->fill) == PTIO_KIND_NONE)
        return true;
    const ptio_ndarray *fill = ptio_value_kind(m->fill) == PTIO_KIND_NDARRAY ? ptio_meaning(m->fill) : NULL;
    return fill && !fill->items && !fill->ndim && ptio_npcode_read(fill->dtype->code).kind == m->code.kind;
}

static bool read_masked(const ptio_value *array, masked *m)
{
    const ptio_value *state = ptio_node_state(array, 0);
    *m = (masked){.value = array, .a = ptio_meaning(array)};
    m->code = ptio_npcode_read(m->a->dtype->code);
    if (m->a->items || m->a->dtype->is_structured || ptio_value_count(state) != STATE_ITEMS)
        return false;
    m->mask = ptio_value_bytes(ptio_value_item(state, MASK_ITEM));
    m->fill = ptio_value_item(state, FILL_ITEM);
    bool number = m->code.name != NULL, text = m->code.kind == 'U' || m->code.kind == 'S';
    return m->mask.size == m->a->count && (number || text) && is_fill(m);
}

bool ptio_masked_has_text(const ptio_value *array)
{
    masked m;
    return read_masked(array, &m);
}

bool ptio_masked_hides(const ptio_value *array)
{
    masked m;
    return read_masked(array, &m) && m.a->count && m.mask.bytes[0];
}

/* ---- elements ---- */

static void put_object(const masked *m, ptio_out *out, const char *element)
{
    char text[PTIO_CELL_ROOM];
    double value[2];
    ptio_npcells cells = {.code = m->code, .itemsize = (size_t)m->a->dtype->itemsize};
    if (m->code.name && (m->code.kind == 'f' || m->code.kind == 'c'))
        ptio_npcode_floats(&m->code, element, value);
    if (m->code.name && m->code.kind == 'f')
        ptio_repr_float(out, value[0]);
    else if (m->code.name && m->code.kind == 'c')
        ptio_repr_complex(out, value[0], value[1]);
    else
        ptio_out_bytes(out, text, ptio_npcells_text(&cells, element, text));
}

/* A grid over the elements, counted in elements. `dropped`: without the middle of long dimensions. */
static void make_grid(const masked *m, int64_t shape[PTIO_MOST_DIMENSIONS], bool dropped, ptio_grid *ret)
{
    const ptio_ndarray *a = m->a;
    int64_t step = 1, most = a->ndim > 1 ? MOST_OF_ROWS : MOST_OF_ROW;
    uint64_t count = 1;
    *ret = (ptio_grid){.ndim = a->ndim, .shape = shape, .edge = PTIO_ARRAY_EDGE};
    for (size_t i = 0; i < a->ndim; i++) {
        size_t dim = a->fortran ? i : a->ndim - 1 - i;
        ret->step[dim] = step;
        step *= a->shape[dim];
        shape[dim] = dropped && a->shape[dim] > most ? most : a->shape[dim];
        count *= (uint64_t)shape[dim];
    }
    ret->cut = ptio_array_is_cut(count, m->style);
}

/* The element that a word is of: one behind the middle lies farther on where that was dropped. */
static size_t place_of(const masked *m, const ptio_words *w)
{
    int64_t at = 0;
    for (size_t i = 0; i < w->grid->ndim; i++) {
        int64_t index = ptio_grid_index(w->grid, i, w->slot[i] - 1), shown = w->grid->shape[i];
        if (shown < m->a->shape[i] && index >= shown / 2)
            index += m->a->shape[i] - shown;
        at += index * w->grid->step[i];
    }
    return (size_t)at;
}

static void put_data(masked *m, const ptio_words_style *style)
{
    int64_t shape[PTIO_MOST_DIMENSIONS], at;
    ptio_grid grid;
    ptio_words w;
    ptio_word word = {.heap = m->style->heap};
    if (!m->a->count) {
        ptio_out_string(m->out, "[]");
        return;
    }
    make_grid(m, shape, true, &grid);
    ptio_words_begin(&w, &grid, style, m->out);
    while (m->status == PTIO_OK && ptio_words_next(&w, &at)) {
        size_t place = place_of(m, &w);
        if (m->mask.bytes[place]) {
            ptio_words_put(&w, "--", 2);
            continue;
        }
        ptio_out out;
        ptio_word_begin(&word, &out);
        put_object(m, &out, m->a->data.bytes + place * m->a->dtype->itemsize);
        if (ptio_out_flush(&out) == PTIO_OK)
            ptio_words_put(&w, word.text, word.size);
        else
            m->status = ptio_heap_fail(word.heap, m->out->err, "printing");
    }
    ptio_word_free(&word);
}

static void put_mask(const masked *m, const ptio_words_style *style)
{
    int64_t shape[PTIO_MOST_DIMENSIONS], at;
    ptio_grid grid;
    ptio_words w;
    if (!m->a->count) {
        ptio_out_string(m->out, "[]");
        return;
    }
    make_grid(m, shape, false, &grid);
    ptio_words_begin(&w, &grid, style, m->out);
    while (ptio_words_next(&w, &at)) {
        bool set = m->mask.bytes[at] != 0;
        const char *word = set && grid.ndim ? " True" : set ? "True" : "False";
        ptio_words_put(&w, word, strlen(word));
    }
}

/* ---- the other parts ---- */

/* What NumPy fills with where nothing else was said: of a number, in the largest dtype of its kind, which it then tells. */
static const struct {
    char kind;
    const char *largest, *value, *told;
} fills[] = {{'b', "b1", "True", "True"},
             {'i', "i8", "999999", "np.int64(999999)"},
             {'u', "u8", "999999", "np.uint64(999999)"},
             {'f', "f8", "1e+20", "np.float64(1e+20)"},
             {'c', "c16", "(1e+20+0j)", "np.complex128(1e+20+0j)"},
             {'U', "", "'N/A'", "'N/A'"},
             {'S', "", "b'N/A'", "b'N/A'"}};

static void put_usual_fill(const masked *m)
{
    ptio_text code = {m->code.text.bytes + 1, m->code.text.size - 1};
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
        if (fills[i].kind == m->code.kind)
            ptio_out_string(m->out, ptio_text_is(code, fills[i].largest) ? fills[i].value : fills[i].told);
}

/* A fill value is an array of no dimensions. */
static void put_fill(const masked *m)
{
    if (ptio_value_kind(m->fill) == PTIO_KIND_NONE) {
        put_usual_fill(m);
        return;
    }
    const ptio_ndarray *fill = ptio_meaning(m->fill);
    if (m->code.name) {
        (void)ptio_str_npscalar(m->out, fill->dtype->code, fill->data);
        return;
    }
    ptio_npcode code = ptio_npcode_read(fill->dtype->code);
    ptio_repr_npscalar_value(m->out, &code, fill->data.bytes, fill->data.size);
}

static bool needs_dtype(const masked *m)
{
    bool all = true;
    for (size_t i = 0; i < m->mask.size; i++)
        all = all && m->mask.bytes[i];
    return all || !ptio_npcode_is_implied(&m->code);
}

/* Columns in front of the name of a part. */
static size_t indent_of(size_t first, const char *name)
{
    size_t size = strlen(name);
    return !first ? 2 : first > size + 2 ? first - size : 2;
}

static void begin_part(masked *m, size_t first, const char *name, ptio_words_style *style)
{
    size_t indent = indent_of(first, name);
    ptio_out_string(m->out, ",\n");
    ptio_out_repeat(m->out, ' ', indent);
    ptio_out_string(m->out, name);
    ptio_out_char(m->out, '=');
    style->indent = indent + strlen(name) + 1;
}

/* "masked_array", or "masked_matrix" over a class of arrays. */
static size_t put_name(const masked *m)
{
    ptio_text base = ptio_last_name(ptio_value_class(ptio_value_item(ptio_node_arguments(m->value), 1)));
    uint64_t start = ptio_out_position(m->out);
    ptio_out_string(m->out, "masked_");
    ptio_repr_escaped(m->out, ptio_text_is(base, "ndarray") ? PTIO_TEXT("array") : base);
    ptio_out_char(m->out, '(');
    return (size_t)(ptio_out_position(m->out) - start);
}

static bool is_one_row(const ptio_ndarray *a)
{
    for (size_t i = 0; i + 1 < a->ndim; i++)
        if (a->shape[i] != 1)
            return false;
    return true;
}

static ptio_status too_many(const masked *m)
{
    uint64_t shown = m->style->whole_arrays ? 2 * m->a->count : 0;
    return shown <= m->style->most ? PTIO_OK
                                   : ptio_fail(m->out->err, PTIO_ERR_LIMIT, "limit.walk", PTIO_NO_OFFSET,
                                               "an array would show more elements than walk_nodes allows");
}

ptio_status ptio_repr_masked(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    masked m;
    ptio_words_style layout = {.fill = PTIO_ARRAY_WIDTH - 1};
    (void)read_masked(array, &m);
    m.out = out;
    m.style = style;
    if (too_many(&m) != PTIO_OK)
        return PTIO_ERR_LIMIT;
    size_t name = put_name(&m), first = is_one_row(m.a) ? name + strlen("data") : 0;
    if (!first)
        ptio_out_string(out, "\n  ");
    ptio_out_string(out, "data=");
    layout.indent = (first ? first : strlen("  data")) + 1;
    put_data(&m, &layout);
    begin_part(&m, first, "mask", &layout);
    put_mask(&m, &layout);
    begin_part(&m, first, "fill_value", &layout);
    put_fill(&m);
    if (needs_dtype(&m)) {
        begin_part(&m, first, "dtype", &layout);
        ptio_repr_array_dtype(out, m.a->dtype);
    }
    ptio_out_char(out, ')');
    return m.status;
}

ptio_status ptio_str_masked(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style)
{
    masked m;
    ptio_words_style layout = {.fill = PTIO_ARRAY_WIDTH, .no_commas = true};
    (void)read_masked(array, &m);
    m.out = out;
    m.style = style;
    if (too_many(&m) != PTIO_OK)
        return PTIO_ERR_LIMIT;
    put_data(&m, &layout);
    return m.status;
}
