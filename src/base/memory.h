/*
 * Memory: the caller's hooks, with a budget, and arenas over them.
 *
 * An arena is a list of blocks that are only ever freed together. A loaded checkpoint is one arena: values, strings, shapes and
 * names. Blocks grow from 4 KiB, so small files stay small and big ones get huge pages. A builder's arena takes its memory from
 * cells instead (cells.h), which can be given back one by one.
 */
#ifndef PTIO_BASE_MEMORY_H
#define PTIO_BASE_MEMORY_H

#include "base/os.h"
#include "ptio.h"

/** The hooks of a load, and how much small memory it holds and may hold. One thread at a time, like the load. */
typedef struct ptio_heap {
    ptio_memory hooks;
    uint64_t used;  /* bytes of small memory now                            */
    uint64_t limit; /* no more than this; ptio_heap_over() tells why        */
    bool over;      /* an allocation failed by the limit, not by the system */
} ptio_heap;

/** Fill in the C library for hooks that are NULL; limit 0 means none. */
void ptio_heap_init(ptio_heap *heap, const ptio_memory *memory, uint64_t limit);

/** Like realloc(); new_size 0 frees and gives NULL. NULL where the budget or the system has no more; then ptr stays valid. */
void *ptio_heap_resize(ptio_heap *heap, void *ptr, size_t old_size, size_t new_size);

static inline void ptio_heap_free(ptio_heap *heap, void *ptr, size_t size)
{
    if (ptr)
        (void)ptio_heap_resize(heap, ptr, size, 0);
}

/** Fail with PTIO_ERR_LIMIT or PTIO_ERR_MEMORY, whichever kept the last allocation from succeeding. */
ptio_status ptio_heap_fail(const ptio_heap *heap, ptio_error *err, const char *what);

/**
 * Grow a table of `*capacity` elements of `size` bytes to hold at least `need`: by half, so that the whole cost is linear.
 * Gives the table, perhaps moved, or NULL, and then nothing has changed.
 */
void *ptio_heap_grow(ptio_heap *heap, void *table, size_t *capacity, size_t need, size_t size);

typedef struct ptio_arena_block ptio_arena_block;
typedef struct ptio_arena_spare ptio_arena_spare;

typedef struct ptio_arena {
    ptio_heap *heap;
    ptio_arena_block *blocks; /* newest first */
    char *next, *end;         /* free part of the newest block; multiples of 8 */
    size_t block_size;        /* of the newest */
    ptio_arena_spare *spare;  /* memory that was given back, a large piece first */
    struct ptio_cells *cells; /* where all memory comes from instead, owned; NULL: blocks */
} ptio_arena;

void ptio_arena_init(ptio_arena *arena, ptio_heap *heap);
void ptio_arena_free(ptio_arena *arena);

/** The slow path of ptio_arena_alloc(). */
void *ptio_arena_alloc_block(ptio_arena *arena, size_t size);

/** Memory aligned to 8 bytes, not zeroed, or NULL. A size of 0 gives a pointer too. */
PTIO_INLINE void *ptio_arena_alloc(ptio_arena *arena, size_t size)
{
    size_t rounded = (size + 7) & ~(size_t)7;
    if (PTIO_LIKELY(rounded >= size && rounded < (size_t)(arena->end - arena->next))) {
        void *taken = arena->next;
        arena->next += rounded;
        return taken;
    }
    return ptio_arena_alloc_block(arena, size);
}

/** All of its memory serves again, of which the newest block is kept. Of blocks only. */
void ptio_arena_rewind(ptio_arena *arena);

/** Memory of the arena that nobody points to any more: it serves again. Pieces too small to keep are lost; cells wait for their
 *  collection. */
void ptio_arena_give_back(ptio_arena *arena, void *memory, size_t size);

/** As ptio_heap_grow(), in an arena: to at least twice as much, and the table before serves again. */
void *ptio_arena_grow(ptio_arena *arena, void *table, size_t *capacity, size_t need, size_t size);

/** Zeroed memory for `count` elements of `size` bytes, the product checked; NULL where there is none. */
void *ptio_arena_zeroed(ptio_arena *arena, size_t count, size_t size);

#define PTIO_NEW(arena, type, count) ((type *)ptio_arena_zeroed((arena), (count), sizeof(type)))

/** A copy, with a NUL behind it that is not counted. `bytes` is NULL where there is no memory. */
ptio_text ptio_arena_text(ptio_arena *arena, ptio_text text);

#endif
