#include "base/cells.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST_SHARED ((size_t)512) /* bytes of a cell in a page of many */
#define CLASSES (LARGEST_SHARED / 8)
#define FIRST_PAGE ((size_t)1 << 10) /* of a class; then they grow, so that a builder of few values is small */
#define LARGEST_PAGE ((size_t)32 << 10)

enum { FREE, TAKEN, NEEDED };

typedef struct page {
    size_t bytes; /* of the whole page                            */
    size_t cell;  /* bytes of each cell                           */
    char *cells;
    uint32_t count;
    uint32_t used; /* the first so many cells were taken at some time */
    uint8_t states[];
} page;

/* A cell that serves again. */
typedef struct spare {
    struct spare *next;
} spare;

/* The cells of one size. */
typedef struct size_class {
    spare *spares;
    page *newest; /* has cells that never were taken, perhaps; NULL: there is no page */
    size_t page_bytes;
} size_class;

struct ptio_cells {
    ptio_heap *heap;
    page **pages; /* by address, once a collection began */
    size_t page_count, page_capacity;
    size_class classes[CLASSES + 1];
    const char **stack; /* cells that were marked, but not looked at */
    size_t depth, stack_capacity;
    bool failed; /* there was no memory for the stack */
};

ptio_cells *ptio_cells_new(ptio_heap *heap)
{
    ptio_cells *cells = ptio_heap_resize(heap, NULL, 0, sizeof *cells);
    if (!cells)
        return NULL;
    memset(cells, 0, sizeof *cells);
    cells->heap = heap;
    return cells;
}

void ptio_cells_free(ptio_cells *cells)
{
    if (!cells)
        return;
    for (size_t i = 0; i < cells->page_count; i++)
        ptio_heap_free(cells->heap, cells->pages[i], cells->pages[i]->bytes);
    ptio_heap_free(cells->heap, cells->pages, cells->page_capacity * sizeof *cells->pages);
    ptio_heap_free(cells->heap, cells->stack, cells->stack_capacity * sizeof *cells->stack);
    ptio_heap_free(cells->heap, cells, sizeof *cells);
}

/* ---- taking ---- */

static size_t header_of(size_t count)
{
    return (sizeof(page) + count + 15) & ~(size_t)15;
}

static page *new_page(ptio_cells *cells, size_t cell, size_t count)
{
    size_t header = header_of(count), bytes;
    if (!ptio_mul_size(cell, count, &bytes) || !ptio_add_size(bytes, header, &bytes))
        return NULL;
    if (cells->page_count == cells->page_capacity) {
        page **grown = ptio_heap_grow(cells->heap, cells->pages, &cells->page_capacity, cells->page_count + 1, sizeof *grown);
        if (!grown)
            return NULL;
        cells->pages = grown;
    }
    page *fresh = ptio_heap_resize(cells->heap, NULL, 0, bytes);
    if (!fresh)
        return NULL;
    *fresh = (page){.bytes = bytes, .cell = cell, .cells = (char *)fresh + header, .count = (uint32_t)count};
    cells->pages[cells->page_count++] = fresh;
    return fresh;
}

/* A page for more cells of a class. */
static page *add_page(ptio_cells *cells, size_class *c, size_t size)
{
    size_t bytes = c->page_bytes ? c->page_bytes * 2 : FIRST_PAGE;
    bytes = bytes > LARGEST_PAGE ? LARGEST_PAGE : bytes;
    page *fresh = new_page(cells, size, bytes / size);
    if (fresh) {
        c->page_bytes = bytes;
        c->newest = fresh;
    }
    return fresh;
}

static void *take_shared(ptio_cells *cells, size_t size)
{
    size_class *c = &cells->classes[size / 8];
    void *taken = c->spares;
    if (taken) {
        c->spares = c->spares->next;
    } else {
        page *from = c->newest && c->newest->used < c->newest->count ? c->newest : add_page(cells, c, size);
        if (!from)
            return NULL;
        taken = from->cells + size * from->used++;
    }
    return memset(taken, 0, size);
}

void *ptio_cells_alloc(ptio_cells *cells, size_t size)
{
    size_t rounded = size ? (size + 7) & ~(size_t)7 : 8;
    if (rounded < size)
        return NULL;
    if (rounded <= LARGEST_SHARED)
        return take_shared(cells, rounded);
    page *own = new_page(cells, rounded, 1);
    if (!own)
        return NULL;
    own->used = 1;
    return memset(own->cells, 0, rounded);
}

/* ---- finding ---- */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (page *const *)a, y = (uintptr_t) * (page *const *)b;
    return x < y ? -1 : x > y;
}

/* The page with an address in one of its cells that were ever taken; *index is which cell. NULL: there is none. */
static page *find_cell(const ptio_cells *cells, const void *address, size_t *index)
{
    uintptr_t wanted = (uintptr_t)address;
    size_t low = 0, high = cells->page_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)cells->pages[middle] <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    page *found = low ? cells->pages[low - 1] : NULL;
    if (!found || wanted < (uintptr_t)found->cells)
        return NULL;
    *index = (size_t)(wanted - (uintptr_t)found->cells) / found->cell;
    return *index < found->used ? found : NULL;
}

bool ptio_cells_hold(const ptio_cells *cells, const void *address)
{
    size_t index;
    return find_cell(cells, address, &index) != NULL;
}

bool ptio_cells_is_needed(const ptio_cells *cells, const void *address)
{
    size_t index;
    const page *found = find_cell(cells, address, &index);
    return !found || found->states[index] == NEEDED;
}

/* ---- marking ---- */

void ptio_cells_begin(ptio_cells *cells)
{
    cells->depth = 0;
    cells->failed = false;
    if (cells->page_count)
        qsort(cells->pages, cells->page_count, sizeof *cells->pages, by_address);
    for (size_t i = 0; i < cells->page_count; i++)
        memset(cells->pages[i]->states, TAKEN, cells->pages[i]->used);
    for (size_t i = 0; i <= CLASSES; i++)
        for (const spare *at = cells->classes[i].spares; at; at = at->next) {
            size_t index;
            page *found = find_cell(cells, at, &index);
            found->states[index] = FREE;
        }
}

static void push(ptio_cells *cells, const char *cell)
{
    if (cells->depth == cells->stack_capacity) {
        const char **grown =
            ptio_heap_grow(cells->heap, cells->stack, &cells->stack_capacity, cells->depth + 1, sizeof *cells->stack);
        if (!grown) {
            cells->failed = true;
            return;
        }
        cells->stack = grown;
    }
    cells->stack[cells->depth++] = cell;
}

const void *ptio_cells_mark(ptio_cells *cells, const void *address)
{
    size_t index;
    page *found = find_cell(cells, address, &index);
    if (!found || found->states[index] == FREE)
        return NULL;
    const char *cell = found->cells + index * found->cell;
    if (found->states[index] == TAKEN)
        push(cells, cell);
    found->states[index] = NEEDED;
    return cell;
}

void ptio_cells_mark_alone(ptio_cells *cells, const void *address)
{
    size_t index;
    page *found = find_cell(cells, address, &index);
    if (found && found->states[index] != FREE)
        found->states[index] = NEEDED;
}

void ptio_cells_scan(ptio_cells *cells, const void *memory, size_t size)
{
    if (!cells->page_count)
        return;
    const char *first = (const char *)cells->pages[0];
    const page *last = cells->pages[cells->page_count - 1];
    uintptr_t low = (uintptr_t)first, high = (uintptr_t)last + last->bytes;
    for (size_t at = 0; at + sizeof(void *) <= size; at += sizeof(void *)) {
        const void *word;
        memcpy(&word, (const char *)memory + at, sizeof word);
        if ((uintptr_t)word - low < high - low)
            (void)ptio_cells_mark(cells, word);
    }
}

bool ptio_cells_trace(ptio_cells *cells, void (*met)(void *ctx, const void *piece), void *ctx)
{
    while (cells->depth && !cells->failed) {
        const char *cell = cells->stack[--cells->depth];
        size_t index;
        const page *found = find_cell(cells, cell, &index);
        met(ctx, cell);
        ptio_cells_scan(cells, cell, found->cell);
    }
    return !cells->failed;
}

/* ---- giving back ---- */

/* Put the cells of a page that are not needed to the spare ones of their class. */
static void sweep_page(size_class *c, page *swept)
{
    for (size_t i = swept->used; i-- > 0;) {
        if (swept->states[i] == NEEDED)
            continue;
        spare *back = (spare *)(void *)(swept->cells + i * swept->cell);
        back->next = c->spares;
        c->spares = back;
    }
    if (c->newest != swept && swept->used < swept->count && (!c->newest || c->newest->used == c->newest->count))
        c->newest = swept;
}

/* The tables go with what was in them. */
static void shrink(ptio_cells *cells)
{
    ptio_heap_free(cells->heap, cells->stack, cells->stack_capacity * sizeof *cells->stack);
    cells->stack = NULL;
    cells->stack_capacity = 0;
    size_t capacity = cells->page_count < 16 ? 16 : cells->page_count;
    if (cells->page_capacity <= 2 * capacity)
        return;
    page **fewer = ptio_heap_resize(cells->heap, cells->pages, cells->page_capacity * sizeof *fewer, capacity * sizeof *fewer);
    if (!fewer)
        return;
    cells->pages = fewer;
    cells->page_capacity = capacity;
}

void ptio_cells_sweep(ptio_cells *cells)
{
    size_t kept = 0;
    for (size_t i = 0; i <= CLASSES; i++) {
        cells->classes[i].spares = NULL;
        cells->classes[i].newest = NULL;
    }
    for (size_t i = 0; i < cells->page_count; i++) {
        page *swept = cells->pages[i];
        if (!memchr(swept->states, NEEDED, swept->used)) {
            ptio_heap_free(cells->heap, swept, swept->bytes);
            continue;
        }
        cells->pages[kept++] = swept;
        if (swept->count > 1)
            sweep_page(&cells->classes[swept->cell / 8], swept);
    }
    cells->page_count = kept;
    shrink(cells);
}
