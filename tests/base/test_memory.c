/*
 * Heaps with budgets, and arenas over them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* A memory hook that counts what is out, and fails the n-th call. */
typedef struct counted {
    size_t bytes, calls, fail_at;
} counted;

static void *counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    counted *c = ctx;
    if (new_size && c->calls++ == c->fail_at)
        return NULL;
    void *moved = ptio_os_resize(ptr, old_size, new_size);
    if (moved || !new_size)
        c->bytes += new_size - old_size;
    return moved;
}

static void budget_is_kept(void **state)
{
    (void)state;
    counted c = {.fail_at = SIZE_MAX};
    ptio_memory hooks = {.resize = counted_resize, .ctx = &c};
    ptio_heap heap;
    ptio_heap_init(&heap, &hooks, 1000);
    void *a = ptio_heap_resize(&heap, NULL, 0, 600);
    assert_non_null(a);
    assert_null(ptio_heap_resize(&heap, NULL, 0, 401));
    ptio_error err = {0};
    assert_int_equal(ptio_heap_fail(&heap, &err, "a test"), PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.heap");
    void *b = ptio_heap_resize(&heap, NULL, 0, 400);
    assert_non_null(b);
    assert_int_equal(heap.used, 1000);
    a = ptio_heap_resize(&heap, a, 600, 100);
    assert_non_null(a);
    assert_int_equal(heap.used, 500);
    ptio_heap_free(&heap, a, 100);
    ptio_heap_free(&heap, b, 400);
    assert_int_equal(heap.used, 0);
    assert_int_equal(c.bytes, 0);
}

static void failing_hook_is_memory(void **state)
{
    (void)state;
    counted c = {.fail_at = 0};
    ptio_memory hooks = {.resize = counted_resize, .ctx = &c};
    ptio_heap heap;
    ptio_heap_init(&heap, &hooks, 0);
    assert_null(ptio_heap_resize(&heap, NULL, 0, 10));
    ptio_error err = {0};
    assert_int_equal(ptio_heap_fail(&heap, &err, "a test"), PTIO_ERR_MEMORY);
    assert_int_equal(heap.used, 0);
}

static void tables_grow_by_half(void **state)
{
    (void)state;
    ptio_heap heap;
    ptio_heap_init(&heap, NULL, 0);
    size_t capacity = 0;
    uint32_t *table = ptio_heap_grow(&heap, NULL, &capacity, 1, sizeof *table);
    assert_non_null(table);
    assert_true(capacity >= 1);
    for (size_t need = capacity; need < 100000; need = capacity + 1) {
        size_t before = capacity;
        table = ptio_heap_grow(&heap, table, &capacity, need, sizeof *table);
        assert_non_null(table);
        assert_true(capacity >= need && capacity <= before + before / 2 + 16);
        table[capacity - 1] = 7;
    }
    assert_null(ptio_heap_grow(&heap, table, &capacity, SIZE_MAX / 2, 4));
    ptio_heap_free(&heap, table, capacity * sizeof *table);
    assert_int_equal(heap.used, 0);
}

static void arena_is_aligned_and_freed(void **state)
{
    (void)state;
    counted c = {.fail_at = SIZE_MAX};
    ptio_memory hooks = {.resize = counted_resize, .ctx = &c};
    ptio_heap heap;
    ptio_heap_init(&heap, &hooks, 0);
    ptio_arena arena;
    ptio_arena_init(&arena, &heap);
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *piece = ptio_arena_alloc(&arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % 8, 0);
        memset(piece, 0xAA, size);
    }
    unsigned char *large = ptio_arena_alloc(&arena, (size_t)3 << 20);
    assert_non_null(large);
    memset(large, 1, (size_t)3 << 20);
    uint64_t *zeroed = PTIO_NEW(&arena, uint64_t, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    assert_null(ptio_arena_zeroed(&arena, SIZE_MAX / 2, 4));
    assert_null(ptio_arena_alloc(&arena, SIZE_MAX - 3));
    ptio_text copy = ptio_arena_text(&arena, PTIO_TEXT("text"));
    assert_string_equal(copy.bytes, "text");
    ptio_arena_free(&arena);
    assert_int_equal(c.bytes, 0);
}

/* What is given back serves before the system is asked; a piece of a few bytes is not worth it. */
static void arena_takes_back(void **state)
{
    (void)state;
    ptio_heap heap;
    ptio_heap_init(&heap, NULL, 0);
    ptio_arena arena;
    ptio_arena_init(&arena, &heap);
    char *small = ptio_arena_alloc(&arena, 64), *large = ptio_arena_alloc(&arena, 100000),
         *larger = ptio_arena_alloc(&arena, 200000);
    assert_true(small && large && larger);
    uint64_t used = heap.used;
    ptio_arena_give_back(&arena, small, 64);
    ptio_arena_give_back(&arena, larger, 200000);
    ptio_arena_give_back(&arena, large, 100000);
    while (arena.end - arena.next >= 64)
        assert_ptr_not_equal(ptio_arena_alloc(&arena, 64), small);
    char *again = ptio_arena_alloc(&arena, 150000);
    assert_ptr_equal(again, larger);
    assert_ptr_equal(ptio_arena_alloc(&arena, 40000), larger + 150000);
    assert_ptr_equal(ptio_arena_alloc(&arena, 100000), large);
    assert_int_equal(heap.used, used);
    ptio_arena_give_back(&arena, large + 4, 99996);
    char *rest = ptio_arena_alloc(&arena, 90000);
    assert_ptr_equal(rest, large + 8);
    assert_true(arena.end <= large + 100000 && (uintptr_t)arena.end % 8 == 0);
    assert_int_equal(heap.used, used);
    assert_non_null(ptio_arena_alloc(&arena, 20000));
    assert_true(heap.used > used);
    ptio_arena_free(&arena);
    assert_int_equal(heap.used, 0);
}

static void arena_tables_double(void **state)
{
    (void)state;
    ptio_heap heap;
    ptio_heap_init(&heap, NULL, 0);
    ptio_arena arena;
    ptio_arena_init(&arena, &heap);
    size_t capacity = 0;
    uint32_t *table = NULL;
    for (uint32_t i = 0; i < 100000; i++) {
        if (i == capacity) {
            table = ptio_arena_grow(&arena, table, &capacity, i + 1, sizeof *table);
            assert_non_null(table);
            assert_true(capacity > i && capacity <= 2 * (size_t)i + 16);
        }
        table[i] = i;
    }
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(table[i], i);
    size_t before = capacity;
    assert_null(ptio_arena_grow(&arena, table, &capacity, SIZE_MAX / 2, sizeof *table));
    assert_int_equal(capacity, before);
    ptio_arena_free(&arena);
}

static void arena_fails_until_it_does_not(void **state)
{
    (void)state;
    for (size_t n = 0;; n++) {
        counted c = {.fail_at = n};
        ptio_memory hooks = {.resize = counted_resize, .ctx = &c};
        ptio_heap heap;
        ptio_heap_init(&heap, &hooks, 0);
        ptio_arena arena;
        ptio_arena_init(&arena, &heap);
        bool all = true;
        for (size_t i = 0; i < 2000 && all; i++)
            all = ptio_arena_alloc(&arena, 24) != NULL;
        ptio_arena_free(&arena);
        assert_int_equal(c.bytes, 0);
        if (all) {
            assert_true(n > 1);
            return;
        }
    }
}

/* Blocks of a huge page and more come from the system: growing, shrinking and moving between both kinds keep the bytes. */
static void arena_rewinds_to_its_newest_block(void **state)
{
    (void)state;
    counted c = {.fail_at = SIZE_MAX};
    ptio_memory hooks = {.resize = counted_resize, .ctx = &c};
    ptio_heap heap;
    ptio_arena arena;
    ptio_heap_init(&heap, &hooks, 0);
    ptio_arena_init(&arena, &heap);
    ptio_arena_rewind(&arena); /* of nothing */
    for (int i = 0; i < 100; i++)
        assert_non_null(ptio_arena_alloc(&arena, 1000));
    ptio_arena_rewind(&arena);
    size_t kept = c.bytes;
    const char *first = ptio_arena_alloc(&arena, 1000);
    for (int i = 0; i < 100; i++) {
        ptio_arena_rewind(&arena);
        char *again = ptio_arena_alloc(&arena, 1000);
        assert_ptr_equal(again, first);
        memset(again, i, 1000);
    }
    assert_int_equal(c.bytes, kept);
    ptio_arena_free(&arena);
    assert_int_equal(c.bytes, 0);
}

/* Pages that were moved once are moved again, with those that came later. */
static void huge_blocks_grow_often(void **state)
{
    (void)state;
    size_t size = 700 << 10;
    uint8_t *block = ptio_os_resize(NULL, 0, size);
    assert_non_null(block);
    memset(block, 1, size);
    for (uint8_t i = 2; i < 12; i++) {
        size_t grown = size + size / 2;
        block = ptio_os_resize(block, size, grown);
        assert_non_null(block);
        memset(block + size, i, grown - size);
        size = grown;
    }
    size_t at = 0, end = 700 << 10;
    for (uint8_t i = 1; i < 12; i++) {
        for (; at < end; at += 997)
            assert_int_equal(block[at], i);
        end += end / 2;
    }
    ptio_os_resize(block, size, 0);
}

static void huge_blocks_keep_their_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {100,  (size_t)2 << 20, ((size_t)2 << 20) + 1, (size_t)9 << 20, (size_t)3 << 20,
                                   5000, (size_t)4 << 20};
    char *block = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t kept = size < sizes[i] ? size : sizes[i];
        block = ptio_os_resize(block, size, sizes[i]);
        assert_non_null(block);
        for (size_t at = 0; at < kept; at += 97)
            assert_int_equal((unsigned char)block[at], at % 251);
        size = sizes[i];
        for (size_t at = 0; at < size; at++)
            block[at] = (char)(at % 251);
    }
    assert_null(ptio_os_resize(block, size, 0));
    void *aligned = ptio_os_alloc(1000, 64);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    ptio_os_free(aligned, 1000);
    aligned = ptio_os_alloc((size_t)5 << 20, 4096);
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    ptio_os_free(aligned, (size_t)5 << 20);
    assert_null(ptio_os_resize(NULL, 0, SIZE_MAX - 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_kept),
        cmocka_unit_test(failing_hook_is_memory),
        cmocka_unit_test(tables_grow_by_half),
        cmocka_unit_test(arena_is_aligned_and_freed),
        cmocka_unit_test(arena_takes_back),
        cmocka_unit_test(arena_tables_double),
        cmocka_unit_test(arena_fails_until_it_does_not),
        cmocka_unit_test(arena_rewinds_to_its_newest_block),
        cmocka_unit_test(huge_blocks_grow_often),
        cmocka_unit_test(huge_blocks_keep_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
