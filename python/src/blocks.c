/*
 * The memory of storages.
 *
 * torch.load() gives each storage memory of its own, which goes when the last tensor over it does. ptio keeps the bytes of a checkpoint
 * as long as the checkpoint, so each piece is counted here: once by the checkpoint, once by the storage that was made of it.
 *
 * A count stands in front of the bytes. Which addresses are beginnings of blocks is in a table, since a storage may also be a view of
 * another, or of a mapped file. Threads of a load allocate at once, hence the lock.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include "module.h"

/* In front of the bytes; the bytes stay aligned. */
typedef union header {
    struct {
        atomic_size_t uses;
        size_t size; /* of the bytes */
    };
    char space[PTIO_STORAGE_ALIGN];
} header;

struct blocks {
    atomic_size_t uses;
    ptio_memory memory;
    pthread_mutex_t lock;
    void **slots; /* open addressing; NULL: empty */
    size_t capacity, used;
};

/* From this size on the kernel is asked for huge pages: they fault 512 times less often. */
#define HUGE_FROM ((size_t)4 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

void *block_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(header) - HUGE_PAGE)
        return NULL;
    size_t alignment = size >= HUGE_FROM ? HUGE_PAGE : PTIO_STORAGE_ALIGN;
    size_t whole = (size + sizeof(header) + PTIO_STORAGE_ALIGN - 1) / PTIO_STORAGE_ALIGN * PTIO_STORAGE_ALIGN;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, whole) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (alignment == HUGE_PAGE)
        (void)madvise(memory, whole, MADV_HUGEPAGE);
#endif
    header *h = memory;
    atomic_init(&h->uses, 1);
    h->size = size;
    return h + 1;
}

void block_release(void *data)
{
    header *h = (header *)data - 1;
    if (atomic_fetch_sub_explicit(&h->uses, 1, memory_order_acq_rel) == 1)
        free(h);
}

/* Where `data` is in the table, or the empty slot where it would be. */
static size_t slot_of(const blocks *b, const void *data)
{
    size_t at = (size_t)((uintptr_t)data / PTIO_STORAGE_ALIGN * UINT64_C(0x9E3779B97F4A7C15) >> 7) & (b->capacity - 1);
    while (b->slots[at] && b->slots[at] != data)
        at = (at + 1) & (b->capacity - 1);
    return at;
}

static bool grow(blocks *b)
{
    size_t capacity = b->capacity ? b->capacity * 2 : 256;
    void **old = b->slots, **slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    size_t old_capacity = b->capacity;
    b->slots = slots;
    b->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i])
            b->slots[slot_of(b, old[i])] = old[i];
    free(old);
    return true;
}

static void *hook_alloc(void *ctx, size_t size, size_t alignment)
{
    (void)alignment; /* PTIO_STORAGE_ALIGN, which all blocks have */
    blocks *b = ctx;
    void *data = block_new(size);
    if (!data)
        return NULL;
    pthread_mutex_lock(&b->lock);
    bool fits = 2 * (b->used + 1) <= b->capacity || grow(b);
    if (fits) {
        b->slots[slot_of(b, data)] = data;
        b->used++;
    }
    pthread_mutex_unlock(&b->lock);
    if (fits)
        return data;
    block_release(data);
    return NULL;
}

static void hook_free(void *ctx, void *data, size_t size)
{
    (void)size;
    blocks *b = ctx;
    pthread_mutex_lock(&b->lock);
    size_t mask = b->capacity - 1, at = slot_of(b, data);
    b->slots[at] = NULL;
    b->used--;
    /* What was pushed on by this one moves back. */
    for (size_t next = (at + 1) & mask; b->slots[next]; next = (next + 1) & mask) {
        void *moved = b->slots[next];
        b->slots[next] = NULL;
        b->slots[slot_of(b, moved)] = moved;
    }
    pthread_mutex_unlock(&b->lock);
    block_release(data);
}

blocks *blocks_new(void)
{
    blocks *b = calloc(1, sizeof *b);
    if (!b || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&b->uses, 1);
    b->memory = (ptio_memory){.alloc = hook_alloc, .free = hook_free, .ctx = b};
    return b;
}

const ptio_memory *blocks_memory(blocks *b)
{
    return &b->memory;
}

/* The block that begins at the address, or that it is in; NULL for other memory. */
static void *find_block(const blocks *b, const void *data)
{
    if (!b->capacity)
        return NULL;
    void *begin = b->slots[slot_of(b, data)];
    for (size_t i = 0; i < b->capacity && !begin; i++) {
        const char *block = b->slots[i];
        if (block && (const char *)data > block && (size_t)((const char *)data - block) < ((header *)block - 1)->size)
            begin = b->slots[i];
    }
    return begin;
}

void *block_hold(blocks *b, const void *data)
{
    pthread_mutex_lock(&b->lock);
    void *block = find_block(b, data);
    if (block)
        atomic_fetch_add_explicit(&((header *)block - 1)->uses, 1, memory_order_relaxed);
    pthread_mutex_unlock(&b->lock);
    return block;
}

blocks *blocks_hold(blocks *b)
{
    atomic_fetch_add_explicit(&b->uses, 1, memory_order_relaxed);
    return b;
}

void blocks_free(blocks *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->uses, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&b->lock);
    free(b->slots);
    free(b);
}
