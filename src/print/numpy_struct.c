/*
 * Records of NumPy: (field, field, …), of one field (field,). A field may be an array, [[1, 2], [3, 4]], or a record.
 *
 * All elements go the same way through their fields, so each field that is neither has its own column format, found before anything is
 * written. The way is a walk over a small stack, since fields nest; where they do so too deeply the elements are shown as bytes.
 * Source: numpy/_core/arrayprint.py, StructuredVoidFormat, SubArrayFormat and _void_scalar_to_string.
 */
#include "print/numpy_struct.h"

#include "print/numpy_cell.h"

#define MOST_NESTING 16
#define MOST_IN_A_FIELD 1000 /* elements of an array in a field: NumPy would leave some out of more */
#define MOST_COST 100000     /* values and brackets of an element */

/* What stands in a record. */
typedef struct level {
    const ptio_npdtype *dtype;
    uint64_t at;               /* bytes from the element      */
    const ptio_npfield *field; /* of a record: the next one  */
    size_t done, count;        /* of an array: elements                                              */
    size_t first;              /* the number of its first column                                     */
    size_t ndim;               /* dimensions in front of one of size 0, whose elements are "[]"; or all */
} level;

/* A way through an element. `cell` is called for each value, `put` for what stands between; either may be NULL. */
typedef struct walk {
    level levels[MOST_NESTING];
    size_t depth, column, cost;
    const char *element; /* NULL: none is looked at */
    void (*cell)(struct walk *w, const ptio_npdtype *dtype, size_t column, const char *at);
    ptio_out *out; /* NULL: nothing is written */
    const ptio_nprecord *record;
    size_t columns; /* that were met           */
} walk;

static void put(walk *w, const char *text)
{
    if (w->out)
        ptio_out_string(w->out, text);
}

/* Elements of the first dimensions of an array, up to one of size 0. */
static size_t elements(const ptio_npdtype *dtype, size_t *ndim)
{
    size_t count = 1, i = 0;
    for (; i < dtype->ndim && dtype->shape[i]; i++) {
        if (dtype->shape[i] > MOST_IN_A_FIELD)
            return MOST_IN_A_FIELD + 1;
        count *= (size_t)dtype->shape[i];
        if (count > MOST_IN_A_FIELD)
            return MOST_IN_A_FIELD + 1;
    }
    *ndim = i;
    return count;
}

static bool is_in_array(const walk *w)
{
    for (size_t i = 0; i < w->depth; i++)
        if (w->levels[i].dtype->base)
            return true;
    return false;
}

/* A value, or one level more. False where that is too many. */
static bool enter(walk *w, const ptio_npdtype *dtype, uint64_t at)
{
    if (!dtype->base && !dtype->is_structured) {
        if (w->cell)
            w->cell(w, dtype, w->column, w->element ? w->element + at : NULL);
        w->column++;
        w->columns = w->column > w->columns ? w->column : w->columns;
        return true;
    }
    size_t ndim = 0, count = dtype->base ? elements(dtype, &ndim) : 0;
    if (w->depth == MOST_NESTING || count > MOST_IN_A_FIELD)
        return false;
    w->levels[w->depth++] =
        (level){.dtype = dtype, .at = at, .field = dtype->fields, .count = count, .ndim = ndim, .first = w->column};
    put(w, dtype->base ? "" : "(");
    return true;
}

static bool next_field(walk *w, level *l)
{
    const ptio_npfield *field = l->field;
    if (!field) {
        put(w, l->done == 1 ? ",)" : ")");
        w->depth--;
        return true;
    }
    put(w, l->done++ ? ", " : "");
    l->field = field->next;
    return enter(w, field->dtype, l->at + field->offset);
}

/* The brackets between two elements of an array, or around all. */
static void put_brackets(walk *w, const level *l)
{
    size_t full = 1, same = 0; /* dimensions from the last one on that are complete */
    for (size_t i = l->ndim; i-- > 0; same++) {
        full *= (size_t)l->dtype->shape[i];
        if (l->done % full)
            break;
    }
    for (size_t i = 0; l->done && i < same; i++)
        put(w, "]");
    if (l->done && l->done < l->count)
        put(w, ", ");
    for (size_t i = 0; l->done < l->count && i < same; i++)
        put(w, "[");
}

static bool next_element(walk *w, level *l)
{
    put_brackets(w, l);
    if (l->done == l->count) {
        w->depth--;
        return true;
    }
    if (l->ndim < l->dtype->ndim) {
        put(w, "[]");
        l->done++;
        return true;
    }
    w->column = l->first;
    return enter(w, l->dtype->base, l->at + l->done++ * l->dtype->base->itemsize);
}

static bool go(walk *w, const ptio_npdtype *dtype, const char *element)
{
    w->depth = w->column = w->cost = 0;
    w->element = element;
    bool known = enter(w, dtype, 0);
    while (known && w->depth) {
        if (++w->cost > MOST_COST)
            return false;
        level *l = &w->levels[w->depth - 1];
        known = l->dtype->base ? next_element(w, l) : next_field(w, l);
    }
    return known;
}

size_t ptio_nprecord_cost(const ptio_npdtype *dtype)
{
    walk w = {.depth = 0};
    return dtype->fields && !dtype->is_object && go(&w, dtype, NULL) ? w.cost : 0;
}

/* ---- settling the columns ---- */

static void look(walk *w, const ptio_npdtype *dtype, size_t column, const char *at)
{
    (void)dtype;
    ptio_npcells_look(&w->record->cells[column], at);
}

static void measure(walk *w, const ptio_npdtype *dtype, size_t column, const char *at)
{
    (void)dtype;
    ptio_npcells_measure(&w->record->cells[column], at);
}

static void begin(walk *w, const ptio_npdtype *dtype, size_t column, const char *at)
{
    (void)at;
    w->record->cells[column] = (ptio_npcells){
        .code = ptio_npcode_read(dtype->code), .itemsize = (size_t)dtype->itemsize, .one = w->record->one && !is_in_array(w)};
}

static void visit(void *ctx, const char *first, int64_t step, size_t count)
{
    walk *w = ctx;
    for (size_t i = 0; i < count; i++)
        (void)go(w, w->record->dtype, first + (int64_t)i * step);
}

bool ptio_nprecord_fit(ptio_nprecord *ret, const ptio_npdtype *dtype, const ptio_grid *grid, ptio_heap *heap)
{
    walk w = {.record = ret};
    *ret = (ptio_nprecord){.dtype = dtype, .heap = heap, .one = !grid->ndim};
    (void)go(&w, dtype, NULL);
    ret->count = w.columns;
    size_t bytes;
    if (!ret->count)
        return true;
    if (!ptio_mul_size(ret->count, sizeof *ret->cells, &bytes) || !(ret->cells = ptio_heap_resize(heap, NULL, 0, bytes)))
        return false;
    w.cell = begin;
    (void)go(&w, dtype, NULL);
    w.cell = look;
    (void)ptio_grid_visit(grid, visit, &w);
    for (size_t i = 0; i < ret->count; i++)
        ptio_npcells_settle(&ret->cells[i]);
    w.cell = measure;
    (void)ptio_grid_visit(grid, visit, &w);
    for (size_t i = 0; i < ret->count; i++)
        ptio_npcells_end(&ret->cells[i]);
    return true;
}

void ptio_nprecord_free(ptio_nprecord *record)
{
    ptio_heap_free(record->heap, record->cells, record->count * sizeof *record->cells);
}

/* ---- writing ---- */

static void write_cell(walk *w, const ptio_npdtype *dtype, size_t column, const char *at)
{
    char text[PTIO_CELL_ROOM];
    (void)dtype;
    ptio_out_bytes(w->out, text, ptio_npcells_text(&w->record->cells[column], at, text));
}

void ptio_nprecord_write(const ptio_nprecord *record, ptio_out *out, const char *element)
{
    walk w = {.record = record, .cell = write_cell, .out = out};
    (void)go(&w, record->dtype, element);
}

/* A float of a record that stands alone is written as str() has it. */
static void write_alone(walk *w, const ptio_npdtype *dtype, size_t column, const char *at)
{
    const ptio_npcells *cells = &w->record->cells[column];
    if (cells->code.kind == 'f' && cells->code.name)
        ptio_repr_npscalar_value(w->out, &cells->code, at, (size_t)dtype->itemsize);
    else
        write_cell(w, dtype, column, at);
}

bool ptio_nprecord_write_one(ptio_out *out, const ptio_npdtype *dtype, const char *element, ptio_heap *heap)
{
    ptio_grid grid = {.base = element};
    ptio_nprecord record;
    if (!ptio_nprecord_fit(&record, dtype, &grid, heap))
        return false;
    walk w = {.record = &record, .cell = write_alone, .out = out};
    (void)go(&w, dtype, element);
    ptio_nprecord_free(&record);
    return true;
}
