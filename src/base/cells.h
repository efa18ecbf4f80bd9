/*
 * Cells: memory whose pieces can be found again, so that those that nobody needs can be given back while the others stay where they are.
 *
 * An arena over cells is an arena as any other to those who take memory from it. What is needed is found by marking: the owner names
 * some pieces, and every aligned word in a piece that is needed, if it is an address in another one, says that this is needed too. So
 * nothing has to be told of what a piece holds, and no kind of object can be forgotten. A number that happens to look like such an
 * address keeps a piece longer than necessary, which does no harm.
 *
 *     page   [ header | a byte for each cell: free, taken, needed | cells of one size ]
 *
 * Sizes up to a limit have pages of many cells, larger pieces one of their own.
 *
 * A collection is begin, any number of marks, trace; then is_needed answers, and sweep gives the rest back. Until sweep nothing has
 * changed, so it may be left at any point, such as for want of memory.
 */
#ifndef PTIO_BASE_CELLS_H
#define PTIO_BASE_CELLS_H

#include "base/memory.h"

typedef struct ptio_cells ptio_cells;

/** NULL where there is no memory. */
ptio_cells *ptio_cells_new(ptio_heap *heap);

/** All pieces at once. NULL is fine. */
void ptio_cells_free(ptio_cells *cells);

/** Zeroed memory aligned to 8 bytes, or NULL. */
void *ptio_cells_alloc(ptio_cells *cells, size_t size);

/** Nothing is needed yet. */
void ptio_cells_begin(ptio_cells *cells);

/** The piece with this address is needed, and what is met from there. Gives where it begins; NULL for any other address. */
const void *ptio_cells_mark(ptio_cells *cells, const void *address);

/** It is needed, but what it holds does not count. */
void ptio_cells_mark_alone(ptio_cells *cells, const void *address);

/** Mark what the words of other memory, aligned as pointers are, lead to. */
void ptio_cells_scan(ptio_cells *cells, const void *memory, size_t size);

/** Follow all marks. `met` is called for each piece that is needed, with its beginning, and may mark. False where there is no memory. */
bool ptio_cells_trace(ptio_cells *cells, void (*met)(void *ctx, const void *piece), void *ctx);

/** During a collection: false only for an address in a piece that was not marked. What lies elsewhere is not the business of these cells. */
bool ptio_cells_is_needed(const ptio_cells *cells, const void *address);

/** During a collection: whether the address is in one of the pieces. */
bool ptio_cells_hold(const ptio_cells *cells, const void *address);

/** Give back what is not needed. */
void ptio_cells_sweep(ptio_cells *cells);

#endif
