#include "base/memory.h"

#include <string.h>

#include "base/cells.h"
#include "base/error.h"

static void *library_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    return ptio_os_resize(ptr, old_size, new_size);
}

static void *library_alloc(void *ctx, size_t size, size_t alignment)
{
    (void)ctx;
    return ptio_os_alloc(size, alignment);
}

static void library_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    ptio_os_free(ptr, size);
}

void ptio_heap_init(ptio_heap *heap, const ptio_memory *memory, uint64_t limit)
{
    *heap = (ptio_heap){.limit = limit ? limit : UINT64_MAX};
    if (memory)
        heap->hooks = *memory;
    if (!heap->hooks.resize)
        heap->hooks.resize = library_resize;
    if (!heap->hooks.alloc || !heap->hooks.free) {
        heap->hooks.alloc = library_alloc;
        heap->hooks.free = library_free;
    }
}

void *ptio_heap_resize(ptio_heap *heap, void *ptr, size_t old_size, size_t new_size)
{
    if (!ptr)
        old_size = 0;
    uint64_t others = heap->used - old_size;
    if (new_size > old_size && (others > heap->limit || new_size > heap->limit - others)) {
        heap->over = true;
        return NULL;
    }
    void *moved = heap->hooks.resize(heap->hooks.ctx, ptr, old_size, new_size);
    if (moved || !new_size)
        heap->used = others + new_size;
    else
        heap->over = false;
    return moved;
}

ptio_status ptio_heap_fail(const ptio_heap *heap, ptio_error *err, const char *what)
{
    if (heap->over)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.heap", PTIO_NO_OFFSET,
                         "%s would need more than the %llu bytes that heap_bytes and heap_per_byte allow", what,
                         (unsigned long long)heap->limit);
    return ptio_fail_memory(err, what);
}

void *ptio_heap_grow(ptio_heap *heap, void *table, size_t *capacity, size_t need, size_t size)
{
    size_t grown = *capacity + *capacity / 2, bytes;
    if (grown < need)
        grown = need;
    if (grown < 16)
        grown = 16;
    if (!ptio_mul_size(grown, size, &bytes))
        return NULL;
    void *moved = ptio_heap_resize(heap, table, *capacity * size, bytes);
    if (moved)
        *capacity = grown;
    return moved;
}

/* An arena's block: this header, then its memory. */
struct ptio_arena_block {
    ptio_arena_block *older;
    size_t size; /* with the header */
};

/* Small files stay small: 4, 16, 64, 256 KiB. What needs more gets huge pages. */
#define FIRST_BLOCK ((size_t)4 << 10)
#define SMALL_BLOCKS ((size_t)256 << 10)
#define LARGE_BLOCK ((size_t)4 << 20)

void ptio_arena_init(ptio_arena *arena, ptio_heap *heap)
{
    *arena = (ptio_arena){.heap = heap};
}

void ptio_arena_free(ptio_arena *arena)
{
    for (ptio_arena_block *block = arena->blocks; block;) {
        ptio_arena_block *older = block->older;
        ptio_heap_free(arena->heap, block, block->size);
        block = older;
    }
    ptio_cells_free(arena->cells);
    ptio_arena_init(arena, arena->heap);
}

#define BLOCK_HEADER ((sizeof(ptio_arena_block) + 7) & ~(size_t)7)

void ptio_arena_rewind(ptio_arena *arena)
{
    ptio_arena_block *kept = arena->blocks;
    if (!kept)
        return;
    arena->blocks = kept->older;
    for (ptio_arena_block *block = kept->older; block; block = arena->blocks) {
        arena->blocks = block->older;
        ptio_heap_free(arena->heap, block, block->size);
    }
    kept->older = NULL;
    arena->blocks = kept;
    arena->next = (char *)kept + BLOCK_HEADER;
    arena->end = (char *)kept + kept->size;
    arena->spare = NULL;
}

static ptio_arena_block *add_block(ptio_arena *arena, size_t size)
{
    ptio_arena_block *block = ptio_heap_resize(arena->heap, NULL, 0, size);
    if (block) {
        block->size = size;
        block->older = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

/* Memory that was given back: this header, then the rest of it. */
struct ptio_arena_spare {
    ptio_arena_spare *next;
    size_t size; /* with the header */
};

/* A piece that is given back is worth keeping. */
#define SPARE_LEAST ((size_t)256)

void ptio_arena_give_back(ptio_arena *arena, void *memory, size_t size)
{
    size_t skipped =
        (size_t)(0 - (uintptr_t)memory) & 7; /* where pointers have four bytes, a table's rest may begin in between */
    if (arena->cells || size < SPARE_LEAST + skipped)
        return;
    ptio_arena_spare *spare = (ptio_arena_spare *)(void *)((char *)memory + skipped), *first = arena->spare;
    spare->size = (size - skipped) & ~(size_t)7;
    if (first && first->size > spare->size) {
        spare->next = first->next;
        first->next = spare;
    } else {
        spare->next = first;
        arena->spare = spare;
    }
}

/* Make the first spare piece the free part, where it is large enough. */
static bool use_spare(ptio_arena *arena, size_t size)
{
    ptio_arena_spare *spare = arena->spare;
    if (!spare || spare->size < size)
        return false;
    arena->spare = spare->next;
    arena->next = (char *)spare;
    arena->end = arena->next + spare->size;
    return true;
}

void *ptio_arena_alloc_block(ptio_arena *arena, size_t size)
{
    size_t rounded = (size + 7) & ~(size_t)7;
    if (rounded < size || rounded > SIZE_MAX - BLOCK_HEADER)
        return NULL;
    if (arena->cells)
        return ptio_cells_alloc(arena->cells, size);
    if (use_spare(arena, rounded)) {
        void *taken = arena->next;
        arena->next += rounded;
        return taken;
    }
    size_t next_size = arena->block_size ? arena->block_size * 4 : FIRST_BLOCK;
    if (next_size > SMALL_BLOCKS)
        next_size = LARGE_BLOCK;
    /* A block is paid for as a whole: near the budget they get smaller, so that what is left of it can be used. */
    uint64_t room = arena->heap->limit > arena->heap->used ? arena->heap->limit - arena->heap->used : 0;
    while (next_size > FIRST_BLOCK && next_size > room / 8)
        next_size /= 2;
    if (rounded + BLOCK_HEADER > next_size / 4 && rounded + BLOCK_HEADER > FIRST_BLOCK) {
        /* A large piece gets a block of its own, behind the one in use, which stays in use. */
        ptio_arena_block *block = add_block(arena, rounded + BLOCK_HEADER);
        return block ? (char *)block + BLOCK_HEADER : NULL;
    }
    ptio_arena_block *block = add_block(arena, next_size);
    if (!block)
        return NULL;
    arena->block_size = next_size;
    arena->next = (char *)block + BLOCK_HEADER + rounded;
    arena->end = (char *)block + next_size;
    return (char *)block + BLOCK_HEADER;
}

void *ptio_arena_grow(ptio_arena *arena, void *table, size_t *capacity, size_t need, size_t size)
{
    size_t grown = *capacity <= SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX, bytes;
    if (grown < need)
        grown = need;
    if (grown < 16)
        grown = 16;
    if (!ptio_mul_size(grown, size, &bytes))
        return NULL;
    void *moved = ptio_arena_alloc(arena, bytes);
    if (!moved)
        return NULL;
    if (*capacity) {
        memcpy(moved, table, *capacity * size);
        ptio_arena_give_back(arena, table, *capacity * size);
    }
    *capacity = grown;
    return moved;
}

void *ptio_arena_zeroed(ptio_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!ptio_mul_size(count, size, &bytes))
        return NULL;
    void *taken = ptio_arena_alloc(arena, bytes);
    if (taken)
        memset(taken, 0, bytes);
    return taken;
}

ptio_text ptio_arena_text(ptio_arena *arena, ptio_text text)
{
    if (text.size == SIZE_MAX)
        return (ptio_text){NULL, 0};
    char *copy = ptio_arena_alloc(arena, text.size + 1);
    if (!copy)
        return (ptio_text){NULL, 0};
    if (text.size)
        memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    return (ptio_text){copy, text.size};
}
