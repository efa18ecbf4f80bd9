/*
 * Cells: what is marked stays where it is, what is not serves again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/cells.h"

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

typedef struct node {
    struct node *next;
    uint64_t number;
} node;

static counted memory;
static ptio_heap heap;

static ptio_cells *begin(void)
{
    memory = (counted){.fail_at = SIZE_MAX};
    ptio_heap_init(&heap, &(ptio_memory){.resize = counted_resize, .ctx = &memory}, 0);
    ptio_cells *cells = ptio_cells_new(&heap);
    assert_non_null(cells);
    return cells;
}

static void end(ptio_cells *cells)
{
    ptio_cells_free(cells);
    assert_int_equal(memory.bytes, 0);
}

static void nothing(void *ctx, const void *piece)
{
    (void)piece;
    ++*(size_t *)ctx;
}

/* A list of a hundred thousand, of which every other node is linked: the others go, and serve again. */
static void a_list_stays(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    ptio_cells *cells = begin();
    node *first = NULL;
    for (uint64_t i = 0; i < 2 * COUNT; i++) {
        node *fresh = ptio_cells_alloc(cells, sizeof *fresh);
        assert_non_null(fresh);
        assert_true(!fresh->next && !fresh->number && (uintptr_t)fresh % 8 == 0);
        *fresh = (node){i % 2 ? first : fresh, i}; /* those that are lost point to themselves */
        first = i % 2 ? fresh : first;
    }
    size_t full = memory.bytes, met = 0;
    for (int round = 0; round < 3; round++) {
        ptio_cells_begin(cells);
        assert_ptr_equal(ptio_cells_mark(cells, (char *)first + 9), first);
        assert_true(ptio_cells_trace(cells, nothing, &met));
        assert_true(ptio_cells_is_needed(cells, first) && ptio_cells_is_needed(cells, &met));
        assert_true(ptio_cells_hold(cells, first) && !ptio_cells_hold(cells, &met));
        ptio_cells_sweep(cells);
        for (uint64_t i = 0; i < COUNT; i++)
            *(node *)ptio_cells_alloc(cells, sizeof(node)) = (node){first, i};
        assert_int_equal(memory.bytes, full);
    }
    assert_int_equal(met, 3 * COUNT);
    uint64_t expected = 2 * COUNT;
    for (const node *at = first; at; at = at->next, expected -= 2)
        assert_int_equal(at->number, expected - 1);
    assert_int_equal(expected, 0);
    end(cells);
}

/* Pages in which nothing is needed are given back, large pieces too; a piece marked alone keeps nothing else. */
static void pages_are_given_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 8, 9, 24, 504, 512, 513, 4096, 1 << 20};
    ptio_cells *cells = begin();
    void **kept = ptio_cells_alloc(cells, sizeof *kept), **alone = ptio_cells_alloc(cells, 5000);
    size_t met = 0;
    for (int i = 0; i < 1000; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            unsigned char *piece = j + 1 < sizeof sizes / sizeof *sizes || i < 4 ? ptio_cells_alloc(cells, sizes[j]) : NULL;
            for (size_t k = 0; piece && k < sizes[j]; k += 511)
                assert_int_equal(piece[k], 0);
            if (piece)
                memset(piece, 0xFF, sizes[j]);
        }
    *kept = (char *)ptio_cells_alloc(cells, 3000) + 2999;
    alone[624] = ptio_cells_alloc(cells, 100000);
    memset(*kept, 7, 1);
    assert_true(memory.bytes > 9000000);
    ptio_cells_begin(cells);
    const void *root = kept;
    ptio_cells_scan(cells, &root, sizeof root);
    ptio_cells_mark_alone(cells, alone);
    assert_true(ptio_cells_trace(cells, nothing, &met));
    assert_false(ptio_cells_is_needed(cells, alone[624]));
    ptio_cells_sweep(cells);
    assert_int_equal(met, 2);
    assert_int_equal(*(unsigned char *)*kept, 7);
    assert_true(memory.bytes < 20000);
    /* What serves again does not count as taken. */
    void **words = ptio_cells_alloc(cells, 64);
    void *again = ptio_cells_alloc(cells, 64);
    words[0] = again;
    ptio_cells_begin(cells);
    ptio_cells_mark_alone(cells, words);
    ptio_cells_sweep(cells);
    ptio_cells_begin(cells);
    assert_null(ptio_cells_mark(cells, again));
    ptio_cells_mark_alone(cells, again);
    assert_false(ptio_cells_is_needed(cells, again));
    end(cells);
}

/* Each allocation fails once; a collection that fails has given nothing back. */
static void each_allocation_fails(void **state)
{
    (void)state;
    size_t failures = 0;
    bool done = false;
    for (size_t fail_at = 1; !done; fail_at++) {
        ptio_cells *cells = begin();
        memory.fail_at = fail_at;
        size_t met = 0;
        void **wide = ptio_cells_alloc(cells, 600 * sizeof *wide);
        bool good = wide != NULL;
        for (size_t i = 0; good && i < 600; i++) {
            wide[i] = ptio_cells_alloc(cells, 8 + i / 8 * 8);
            good = wide[i] != NULL;
        }
        if (good) {
            size_t before = memory.bytes;
            ptio_cells_begin(cells);
            (void)ptio_cells_mark(cells, wide);
            done = ptio_cells_trace(cells, nothing, &met);
            if (done)
                ptio_cells_sweep(cells);
            else
                assert_true(memory.bytes >= before);
            assert_true(!done || met == 601);
        }
        failures += !done;
        memory.fail_at = SIZE_MAX;
        end(cells);
    }
    assert_true(failures > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_stays),
        cmocka_unit_test(pages_are_given_back),
        cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests_name("base/cells", tests, NULL, NULL);
}
