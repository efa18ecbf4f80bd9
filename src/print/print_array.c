/*
 * NumPy's arrays among other values: those of numbers, and those of Python objects, whose elements are values of their own.
 *
 *     array([1, 'a', list([2])], dtype=object)
 *
 * The text of each object is held, as it decides where a line is broken. A list says that it is one, for otherwise its brackets
 * would be the array's. Source: numpy/_core/arrayprint.py.
 */
#include "base/text.h"
#include "print/printer.h"
#include "print/repr_array.h"
#include "print/repr_masked.h"
#include "print/words.h"
#include "torch/meaning.h"

/* An array of objects that is being written. In the frame: `part`, whether the text of an element is held; `row`, as str() has it. */
typedef struct ptio_objects {
    struct ptio_objects *outer;
    ptio_grid grid;
    ptio_words words;
} ptio_objects;

void ptio_write_array(ptio_printer *p, const ptio_value *array)
{
    ptio_ndarray_info info = {.nbytes = 0};
    (void)ptio_value_ndarray(array, &info);
    ptio_allow_elements(p, info.nbytes);
    ptio_printer_fail(p, (ptio_is_masked(array) ? ptio_repr_masked : ptio_repr_array)(p->out, array, &p->tensors));
}

/* A numpy.str_ is a str: its text goes without quotes. It is in UTF-32, in the order of bytes of its dtype. */
static void write_characters(ptio_printer *p, ptio_text code, ptio_text bytes)
{
    bool swapped = code.bytes[0] == (PTIO_HOST_BIG_ENDIAN ? '<' : '>');
    size_t count = bytes.size / 4;
    static const char nul[4];
    while (count && memcmp(bytes.bytes + 4 * (count - 1), nul, 4) == 0)
        count--; /* filled up with NULs */
    for (size_t i = 0; i < count; i++) {
        char text[4];
        uint32_t character;
        memcpy(&character, bytes.bytes + 4 * i, 4);
        if (swapped)
            character = ptio_swap32(character);
        if (character <= 0x10FFFF)
            ptio_write_bare_text(p, (ptio_text){text, ptio_utf8_encode(character, text)});
    }
}

/* False: there is no such text. */
static bool write_plain(ptio_printer *p, const ptio_npdtype *dtype, ptio_text bytes)
{
    ptio_text code = dtype->code;
    if (ptio_str_void(p->out, dtype, bytes, &p->heap))
        return true;
    if (code.size < 2 || code.bytes[1] != 'U')
        return ptio_str_npscalar(p->out, code, bytes);
    write_characters(p, code, bytes);
    return true;
}

void ptio_write_plain_scalar(ptio_printer *p, const ptio_value *scalar)
{
    const ptio_npscalar *meaning = ptio_meaning(scalar);
    if (!write_plain(p, meaning->dtype, meaning->data))
        ptio_write_value(p, scalar);
}

void ptio_write_plain_array(ptio_printer *p, const ptio_value *array)
{
    const ptio_ndarray *a = ptio_meaning(array);
    if (ptio_is_masked(array) && ptio_masked_has_text(array)) {
        if (!a->ndim && a->dtype->code.bytes[1] == 'U' && !ptio_masked_hides(array)) {
            write_characters(p, a->dtype->code, a->data);
            return;
        }
        ptio_allow_elements(p, a->nbytes);
        ptio_printer_fail(p, ptio_str_masked(p->out, array, &p->tensors));
        return;
    }
    if (ptio_is_masked(array)) {
        ptio_write_value(p, array);
        return;
    }
    if (a->items) {
        ptio_open_container(p, array, PTIO_SHAPE_ARRAY, true);
        return;
    }
    ptio_text code = a->dtype->code;
    bool bytes = code.size > 1 && code.bytes[1] == 'S'; /* str() of such an array of no dimensions is the repr() of its element */
    ptio_out_string(p->out, !a->ndim && bytes ? "np.bytes_(" : "");
    if (!a->ndim && write_plain(p, a->dtype, a->data)) {
        ptio_out_string(p->out, bytes ? ")" : "");
        return;
    }
    ptio_allow_elements(p, a->nbytes);
    ptio_printer_fail(p, ptio_str_array(p->out, array, &p->tensors));
}

/* ---- of Python objects ---- */

static ptio_objects *push_objects(ptio_printer *p, const ptio_ndarray *a)
{
    ptio_objects *made = ptio_heap_resize(&p->heap, NULL, 0, sizeof *made);
    if (!made) {
        ptio_printer_fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
        return NULL;
    }
    made->outer = p->objects;
    made->grid = (ptio_grid){.ndim = a->ndim, .shape = a->shape, .edge = PTIO_ARRAY_EDGE};
    made->grid.cut = ptio_array_is_cut(a->count, &p->tensors);
    int64_t step = 1; /* items stand in C order */
    for (size_t i = a->ndim; i-- > 0; step *= a->shape[i])
        made->grid.step[i] = step;
    p->objects = made;
    return made;
}

void ptio_end_objects(ptio_printer *p)
{
    ptio_objects *gone = p->objects;
    p->objects = gone->outer;
    ptio_heap_free(&p->heap, gone, sizeof *gone);
}

void ptio_open_objects(ptio_printer *p, ptio_frame *f)
{
    const ptio_value *array = f->value;
    bool plain = f->row;
    ptio_objects *o = push_objects(p, ptio_meaning(array));
    if (!o)
        return;
    ptio_words_style style = {.fill = PTIO_ARRAY_WIDTH, .no_commas = plain};
    if (!plain) {
        ptio_text prefix = ptio_array_prefix(array);
        ptio_repr_escaped(p->out, prefix);
        ptio_out_char(p->out, '(');
        style.indent = prefix.size + 1;
        style.fill--; /* for the parenthesis */
    }
    ptio_words_begin(&o->words, &o->grid, &style, p->out);
}

static void close_objects(ptio_printer *p, const ptio_frame *f, size_t column, bool cut)
{
    if (!f->row)
        ptio_repr_array_end(p->out, f->value, column, cut);
    ptio_end_objects(p);
    ptio_visited_leave(&p->visited, f->value);
    ptio_pop_frame(p);
}

static bool is_list(const ptio_value *value)
{
    return ptio_value_kind(value) == PTIO_KIND_LIST && ptio_text_is(ptio_value_class(value), "builtins.list");
}

/* The text of an element is complete. */
static void take_word(ptio_printer *p, ptio_frame *f)
{
    ptio_objects *o = p->objects;
    if (f->part && is_list(ptio_item_of(p, f->value, f->next)))
        ptio_out_char(p->out, ')');
    ptio_held word = ptio_take_layer(p);
    f->part = 0;
    if (word.size)
        ptio_words_put(&o->words, word.text, word.size);
    ptio_heap_free(&p->heap, word.text, word.capacity);
}

void ptio_go_on_objects(ptio_printer *p)
{
    ptio_frame *f = &p->frames[p->depth - 1];
    ptio_objects *o = p->objects;
    const ptio_ndarray *a = ptio_meaning(f->value);
    if (f->part)
        take_word(p, f);
    int64_t at;
    if (!a->count) {
        ptio_out_string(p->out, "[]");
        close_objects(p, f, o->words.column + 2, false);
        return;
    }
    if (!ptio_words_next(&o->words, &at)) {
        close_objects(p, f, o->words.column, o->grid.cut);
        return;
    }
    if (ptio_at_most_items(p, (size_t)at)) {
        ptio_words_stop(&o->words);
        close_objects(p, f, o->words.column, true);
        return;
    }
    f->next = (size_t)at;
    const ptio_value *item = ptio_item_of(p, f->value, f->next);
    if (f->row && !a->ndim) { /* str() of its only element */
        f->next = a->count;
        ptio_write_plain(p, item);
        return;
    }
    f->part = 1;
    if (!ptio_push_layer(p, true))
        return;
    if (is_list(item))
        ptio_out_string(p->out, "list(");
    ptio_write_value(p, item);
}
