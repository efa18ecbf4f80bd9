/*
 * Elements in nested brackets.
 *
 *     [[a, b, c,  ..., x, y, z],        the last dimension is a row, broken into lines of `per_line` cells
 *      [ …                    ],        the others are separated by as many newlines as they have dimensions, less one
 *      ...,                             of a cut dimension only both edges are shown
 *      [ …                    ]]
 *
 * Both walks keep one counter for each dimension; a tensor has at most 64. Source: torch/_tensor_str.py, _vector_str and
 * _tensor_str_with_formatter.
 */
#include "print/grid.h"

/* Slots of a dimension: its elements, or both edges and the dots between them. */
static size_t slots(const ptio_grid *grid, size_t dim)
{
    uint64_t size = (uint64_t)grid->shape[dim];
    return (size_t)(grid->cut && size > 2 * (uint64_t)grid->edge ? 2 * (uint64_t)grid->edge + 1 : size);
}

static bool is_dots(const ptio_grid *grid, size_t dim, size_t slot)
{
    return grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge && slot == grid->edge;
}

/* Bytes from the first element of a dimension to that of a slot. */
static int64_t distance(const ptio_grid *grid, size_t dim, size_t slot)
{
    int64_t index = (int64_t)slot;
    if (grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge && slot > grid->edge)
        index = grid->shape[dim] - (int64_t)(2 * grid->edge + 1 - slot);
    return index * grid->step[dim];
}

uint64_t ptio_grid_shown(const ptio_grid *grid)
{
    uint64_t count = 1;
    for (size_t i = 0; i < grid->ndim; i++)
        if (!grid->shape[i])
            return 0;
    for (size_t i = 0; i < grid->ndim; i++)
        if (!ptio_mul_u64(count, slots(grid, i), &count))
            return UINT64_MAX;
    return count;
}

/* A place in the grid: the slot in each dimension, and where that is in memory. */
typedef struct place {
    size_t slot[PTIO_MOST_DIMENSIONS];
    const char *at[PTIO_MOST_DIMENSIONS + 1]; /* at[d]: the first element below dimension d - 1 */
} place;

/* A row is one run, or two with the dots between them. */
static void visit_row(const ptio_grid *grid, const char *first, ptio_grid_visitor visit, void *ctx)
{
    size_t dim = grid->ndim - 1;
    uint64_t size = (uint64_t)grid->shape[dim];
    if (!grid->cut || size <= 2 * (uint64_t)grid->edge) {
        visit(ctx, first, grid->step[dim], (size_t)size);
        return;
    }
    visit(ctx, first, grid->step[dim], grid->edge);
    visit(ctx, first + distance(grid, dim, grid->edge + 1), grid->step[dim], grid->edge);
}

void ptio_grid_visit(const ptio_grid *grid, ptio_grid_visitor visit, void *ctx)
{
    if (!ptio_grid_shown(grid))
        return;
    if (!grid->ndim) {
        visit(ctx, grid->base, 0, 1);
        return;
    }
    place p;
    p.at[0] = grid->base;
    p.slot[0] = 0;
    size_t level = 0;
    for (;;) {
        if (level + 1 == grid->ndim) {
            visit_row(grid, p.at[level], visit, ctx);
        } else if (p.slot[level] < slots(grid, level)) {
            if (is_dots(grid, level, p.slot[level])) {
                p.slot[level]++;
                continue;
            }
            p.at[level + 1] = p.at[level] + distance(grid, level, p.slot[level]);
            p.slot[++level] = 0;
            continue;
        }
        if (!level)
            return;
        p.slot[--level]++;
    }
}

/* Where the writing is. */
typedef struct pen {
    const ptio_grid *grid;
    const ptio_grid_style *style;
    ptio_out *out;
    size_t column;
} pen;

PTIO_INLINE void put(pen *w, const char *text, size_t size)
{
    ptio_out_bytes(w->out, text, size);
    w->column += size;
}

static void comma(pen *w)
{
    if (!w->style->no_commas)
        put(w, ",", 1);
}

static void break_line(pen *w, size_t newlines, size_t indent)
{
    ptio_out_repeat(w->out, '\n', newlines);
    ptio_out_repeat(w->out, ' ', indent);
    w->column = indent;
}

static void cell(pen *w, const char *element)
{
    ptio_out *out = w->out;
    if (PTIO_OUT_BUFFER - out->used <= PTIO_CELL_ROOM)
        (void)ptio_out_flush(out);
    size_t size = w->style->cell(w->style->ctx, element, out->buffer + out->used);
    out->used += size;
    w->column += size;
}

/* Characters, not bytes. */
static size_t columns(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xC0) != 0x80;
    return count;
}

/* A row in NumPy's way. Each dimension's brackets take a column off the line. */
static void filled_row(pen *w, size_t dim, const char *first)
{
    size_t indent = w->style->indent + dim + 1, limit = w->style->fill > dim + 1 ? w->style->fill - dim - 1 : 0;
    size_t count = slots(w->grid, dim);
    w->column = indent;
    size_t blanks = 0; /* behind the last cell, not written yet: without commas a line does not end in blanks */
    for (size_t i = 0; i < count; i++) {
        char text[PTIO_CELL_ROOM];
        size_t size = 3;
        if (is_dots(w->grid, dim, i))
            memcpy(text, "...", 3);
        else
            size = w->style->cell(w->style->ctx, first + distance(w->grid, dim, i), text);
        size_t width = columns(text, size);
        if (i) {
            comma(w);
            if (w->column + blanks + 1 + width > limit && w->column + blanks + 1 > indent) {
                break_line(w, 1, indent);
            } else {
                ptio_out_repeat(w->out, ' ', blanks + 1);
                w->column += blanks + 1;
            }
        }
        for (blanks = 0; w->style->no_commas && blanks < size && text[size - 1 - blanks] == ' ';)
            blanks++;
        put(w, text, size - blanks);
        w->column -= size - width;
    }
    ptio_out_repeat(w->out, ' ', blanks);
    w->column += blanks;
}

static void row(pen *w, size_t dim, const char *first)
{
    const ptio_grid *grid = w->grid;
    size_t indent = w->style->indent + dim, line = w->style->line_width, room = indent < line ? line - indent : 0;
    size_t per_line = room / (w->style->width + 2), count = slots(grid, dim), in_line = 0;
    bool cut = grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge;
    const char *at = first;
    for (size_t i = 0; i < count; i++, in_line++) {
        if (i && in_line >= per_line) {
            put(w, ",", 1);
            break_line(w, 1, indent + 1);
            in_line = 0;
        } else if (i) {
            put(w, ", ", 2);
        }
        if (cut && i == grid->edge) {
            put(w, grid->edge ? " ..." : "...", grid->edge ? 4 : 3);
            at = first + distance(grid, dim, i + 1);
        } else {
            cell(w, at);
            at += grid->step[dim];
        }
    }
}

size_t ptio_grid_write(const ptio_grid *grid, const ptio_grid_style *style, ptio_out *out)
{
    pen w = {grid, style, out, style->indent};
    if (!grid->ndim) {
        cell(&w, grid->base);
        return w.column;
    }
    place p;
    size_t level = 0;
    p.at[0] = grid->base;
    p.slot[0] = 0;
    put(&w, "[", 1);
    for (;;) {
        if (level + 1 == grid->ndim) {
            (style->fill ? filled_row : row)(&w, level, p.at[level]);
        } else if (p.slot[level] < slots(grid, level)) {
            if (p.slot[level]) {
                comma(&w);
                break_line(&w, grid->ndim - level - 1, style->indent + level + 1);
            }
            if (is_dots(grid, level, p.slot[level])) {
                put(&w, "...", 3);
                p.slot[level]++;
                continue;
            }
            p.at[level + 1] = p.at[level] + distance(grid, level, p.slot[level]);
            p.slot[++level] = 0;
            put(&w, "[", 1);
            continue;
        }
        put(&w, "]", 1);
        if (!level)
            return w.column;
        p.slot[--level]++;
    }
}
