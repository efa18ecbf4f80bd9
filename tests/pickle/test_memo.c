/*
 * The memo: near numbers in an array, far ones in a table, one view on both.
 */
#include "pickle/memo.h"
#include "pickle/run.h"

static ptio_value values[4];

typedef struct fixture {
    ptio_heap heap;
    ptio_arena arena;
    ptio_memo memo;
} fixture;

static void begin(fixture *f)
{
    ptio_heap_init(&f->heap, NULL, 0);
    ptio_arena_init(&f->arena, &f->heap);
    f->memo = (ptio_memo){.heap = &f->heap, .arena = &f->arena, .hash_key = 7};
}

static void end(fixture *f)
{
    ptio_memo_free(&f->memo);
    ptio_arena_free(&f->arena);
    assert_int_equal(f->heap.used, 0);
}

static void nothing_is_in_an_empty_one(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    assert_null(ptio_memo_get(&f.memo, 0));
    assert_null(ptio_memo_get(&f.memo, UINT64_MAX));
    end(&f);
}

static void numbers_that_count_up_lie_flat(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    for (uint64_t i = 0; i < 10000; i++)
        assert_true(ptio_memo_put(&f.memo, i, &values[i % 4]));
    assert_int_equal(f.memo.count, 10000);
    assert_int_equal(f.memo.slot_count, 0);
    for (uint64_t i = 0; i < 10000; i++)
        assert_ptr_equal(ptio_memo_get(&f.memo, i), &values[i % 4]);
    assert_null(ptio_memo_get(&f.memo, 10000));
    end(&f);
}

static void a_far_number_takes_no_array(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    assert_true(ptio_memo_put(&f.memo, UINT64_MAX, &values[1]));
    assert_true(ptio_memo_put(&f.memo, 1u << 30, &values[2]));
    assert_true(f.heap.used < 4096);
    assert_ptr_equal(ptio_memo_get(&f.memo, UINT64_MAX), &values[1]);
    assert_ptr_equal(ptio_memo_get(&f.memo, 1u << 30), &values[2]);
    assert_null(ptio_memo_get(&f.memo, (1u << 30) + 1));
    assert_int_equal(f.memo.count, 2);
    end(&f);
}

static void a_second_put_replaces(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    const uint64_t numbers[] = {3, 1u << 20};
    for (size_t i = 0; i < 2; i++) {
        assert_true(ptio_memo_put(&f.memo, numbers[i], &values[0]));
        assert_true(ptio_memo_put(&f.memo, numbers[i], &values[1]));
        assert_ptr_equal(ptio_memo_get(&f.memo, numbers[i]), &values[1]);
        assert_int_equal(f.memo.count, i + 1);
    }
    end(&f);
}

/* The array grows over numbers that went to the table; both are found, and counted once. */
static void the_array_grows_over_the_table(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    assert_true(ptio_memo_put(&f.memo, 2000, &values[0]));
    assert_true(ptio_memo_put(&f.memo, 2001, &values[1]));
    assert_true(f.memo.slot_count > 0);
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(ptio_memo_put(&f.memo, i, &values[2]));
    assert_true(ptio_memo_put(&f.memo, 2001, &values[3]));
    assert_true(ptio_memo_put(&f.memo, 2002, &values[3]));
    assert_true(f.memo.flat_capacity > 2002);
    assert_ptr_equal(ptio_memo_get(&f.memo, 2000), &values[0]);
    assert_ptr_equal(ptio_memo_get(&f.memo, 2001), &values[3]);
    assert_int_equal(f.memo.count, 2003);
    end(&f);
}

static void many_far_numbers(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_true(ptio_memo_put(&f.memo, i << 32, &values[i % 4]));
    assert_int_equal(f.memo.count, 5000);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_ptr_equal(ptio_memo_get(&f.memo, i << 32), &values[i % 4]);
    end(&f);
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    assert_true(ptio_memo_put(&f.memo, 0, &values[0]));
    f.heap.limit = f.heap.used;
    while (ptio_arena_alloc(&f.arena, 8)) /* what is left of its block */
        continue;
    assert_false(ptio_memo_put(&f.memo, 500, &values[1]));
    assert_false(ptio_memo_put(&f.memo, 1u << 30, &values[1]));
    assert_ptr_equal(ptio_memo_get(&f.memo, 0), &values[0]);
    assert_null(ptio_memo_get(&f.memo, 500));
    assert_null(ptio_memo_get(&f.memo, 1u << 30));
    assert_int_equal(f.memo.count, 1);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_in_an_empty_one),     cmocka_unit_test(numbers_that_count_up_lie_flat),
        cmocka_unit_test(a_far_number_takes_no_array),    cmocka_unit_test(a_second_put_replaces),
        cmocka_unit_test(the_array_grows_over_the_table), cmocka_unit_test(many_far_numbers),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
