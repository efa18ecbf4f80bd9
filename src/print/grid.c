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

size_t ptio_grid_slots(const ptio_grid *grid, size_t dim)
{
    uint64_t size = (uint64_t)grid->shape[dim];
    return (size_t)(grid->cut && size > 2 * (uint64_t)grid->edge ? 2 * (uint64_t)grid->edge + 1 : size);
}

bool ptio_grid_is_dots(const ptio_grid *grid, size_t dim, size_t slot)
{
    return grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge && slot == grid->edge;
}

int64_t ptio_grid_index(const ptio_grid *grid, size_t dim, size_t slot)
{
    if (grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge && slot > grid->edge)
        return grid->shape[dim] - (int64_t)(2 * grid->edge + 1 - slot);
    return (int64_t)slot;
}

/* Slots from this one on that are neighbours in the grid: up to the dots, or the end. */
static size_t neighbours(const ptio_grid *grid, size_t dim, size_t slot)
{
    bool dots = grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge && slot < grid->edge;
    return (dots ? grid->edge : ptio_grid_slots(grid, dim)) - slot;
}

uint64_t ptio_grid_shown(const ptio_grid *grid)
{
    uint64_t count = 1;
    for (size_t i = 0; i < grid->ndim; i++)
        if (!grid->shape[i])
            return 0;
    for (size_t i = 0; i < grid->ndim; i++)
        if (!ptio_mul_u64(count, ptio_grid_slots(grid, i), &count))
            return UINT64_MAX;
    return count;
}

/* A place in the grid: the slot in each dimension, and where that is in memory. What is loaded is a block: some neighbours of the first
 * dimension behind which all fit the room. */
typedef struct place {
    const ptio_grid *grid;
    size_t slot[PTIO_MOST_DIMENSIONS];
    const char *at[PTIO_MOST_DIMENSIONS + 1]; /* at[d]: the first element below dimension d - 1 */
    int64_t index[PTIO_MOST_DIMENSIONS];
    size_t block, most;  /* the dimension, and how many neighbours fit       */
    int64_t block_first; /* index of those that are loaded, and their number */
    size_t block_count;
    const char *block_at;
} place;

static void place_begin(place *p, const ptio_grid *grid)
{
    p->grid = grid;
    p->at[0] = grid->base;
    p->slot[0] = 0;
    p->block = p->block_count = 0;
    p->block_first = 0;
    p->most = 1;
    if (!grid->load)
        return;
    size_t inner = 1; /* elements behind one of the dimension */
    for (p->block = grid->ndim; p->block-- > 0;) {
        size_t size = (size_t)grid->shape[p->block];
        p->most = grid->room / inner;
        if (!p->block || size > p->most || ptio_grid_slots(grid, p->block) < size)
            break;
        inner *= size;
    }
    if (!p->most)
        p->most = 1;
}

/* Load the element of dimension `block` at p->index, and as many neighbours as are shown and fit. */
static bool load_block(place *p, size_t slot)
{
    size_t count = neighbours(p->grid, p->block, slot);
    p->block_count = count < p->most ? count : p->most;
    p->block_first = p->index[p->block];
    p->block_at = p->grid->load(p->grid->load_ctx, p->index, p->block, p->block_count);
    return p->block_at != NULL;
}

/* Set at[level + 1] for a slot. False where it cannot be loaded. */
static bool enter(place *p, size_t level, size_t slot)
{
    const ptio_grid *grid = p->grid;
    int64_t index = p->index[level] = ptio_grid_index(grid, level, slot);
    if (!grid->load || level > p->block) {
        p->at[level + 1] = p->at[level] + index * grid->step[level];
        return true;
    }
    if (level < p->block) {
        p->block_count = 0;
        return true;
    }
    bool loaded = index >= p->block_first && (uint64_t)(index - p->block_first) < p->block_count;
    if (!loaded && !load_block(p, slot))
        return false;
    p->at[level + 1] = p->block_at + (index - p->block_first) * grid->step[level];
    return true;
}

/* How many cells of the row stand one `step` after the other, from a slot on; 0 after a failure. */
static size_t run(place *p, size_t slot, const char **first)
{
    size_t last = p->grid->ndim - 1, count = neighbours(p->grid, last, slot);
    if (!enter(p, last, slot))
        return 0;
    *first = p->at[last + 1];
    if (p->grid->load && p->block == last) {
        size_t held = p->block_count - (size_t)(p->index[last] - p->block_first);
        count = held < count ? held : count;
    }
    return count;
}

/* The only element of a grid without dimensions. */
static const char *only(const ptio_grid *grid)
{
    return grid->load ? grid->load(grid->load_ctx, NULL, 0, 1) : grid->base;
}

static bool visit_row(place *p, ptio_grid_visitor visit, void *ctx)
{
    const ptio_grid *grid = p->grid;
    size_t dim = grid->ndim - 1, count = ptio_grid_slots(grid, dim);
    for (size_t slot = 0; slot < count;) {
        const char *first;
        if (ptio_grid_is_dots(grid, dim, slot)) {
            slot++;
            continue;
        }
        size_t n = run(p, slot, &first);
        if (!n)
            return false;
        visit(ctx, first, grid->step[dim], n);
        slot += n;
    }
    return true;
}

bool ptio_grid_visit(const ptio_grid *grid, ptio_grid_visitor visit, void *ctx)
{
    if (!ptio_grid_shown(grid))
        return true;
    if (!grid->ndim) {
        const char *element = only(grid);
        if (element)
            visit(ctx, element, 0, 1);
        return element != NULL;
    }
    place p;
    place_begin(&p, grid);
    size_t level = 0;
    for (;;) {
        if (level + 1 == grid->ndim) {
            if (!visit_row(&p, visit, ctx))
                return false;
        } else if (p.slot[level] < ptio_grid_slots(grid, level)) {
            if (ptio_grid_is_dots(grid, level, p.slot[level])) {
                p.slot[level]++;
                continue;
            }
            if (!enter(&p, level, p.slot[level]))
                return false;
            p.slot[++level] = 0;
            continue;
        }
        if (!level)
            return true;
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

static bool row(pen *w, place *p)
{
    const ptio_grid *grid = w->grid;
    size_t dim = grid->ndim - 1, held = 0;
    const char *at = NULL;
    size_t indent = w->style->indent + dim, line = w->style->line_width, room = indent < line ? line - indent : 0;
    size_t per_line = room / (w->style->width + 2), count = ptio_grid_slots(grid, dim), in_line = 0;
    bool cut = grid->cut && (uint64_t)grid->shape[dim] > 2 * (uint64_t)grid->edge;
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
            continue;
        }
        if (!held && !(held = run(p, i, &at)))
            return false;
        cell(w, at);
        at += grid->step[dim];
        held--;
    }
    return true;
}

size_t ptio_grid_write(const ptio_grid *grid, const ptio_grid_style *style, ptio_out *out)
{
    pen w = {grid, style, out, style->indent};
    if (!grid->ndim) {
        const char *element = only(grid);
        if (element)
            cell(&w, element);
        return w.column;
    }
    place p;
    place_begin(&p, grid);
    size_t level = 0;
    put(&w, "[", 1);
    for (;;) {
        if (level + 1 == grid->ndim) {
            if (!row(&w, &p))
                return w.column;
        } else if (p.slot[level] < ptio_grid_slots(grid, level)) {
            if (p.slot[level]) {
                put(&w, ",", 1);
                break_line(&w, grid->ndim - level - 1, style->indent + level + 1);
            }
            if (ptio_grid_is_dots(grid, level, p.slot[level])) {
                put(&w, "...", 3);
                p.slot[level]++;
                continue;
            }
            if (!enter(&p, level, p.slot[level]))
                return w.column;
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
