/*
 * The objects that a pickler has written: found again by address, wherever they lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "pickle/known.h"

enum { OBJECTS = 20000 };

/* Only its address counts. */
static const ptio_value *object_at(uint32_t stride, uint32_t index, unsigned beyond)
{
    return (const ptio_value *)(((uintptr_t)1 << 20) + (uintptr_t)index * stride + beyond);
}

static void finds_what_was_put(void **state)
{
    (void)state;
    static const uint32_t strides[] = {16, 24, 32, 40, 48, 256, 272, 4096, 65536};
    ptio_heap heap;
    ptio_known known = {0};
    ptio_heap_init(&heap, NULL, 0);
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        assert_null(ptio_known_find(&known, object_at(strides[s], 0, 0)));
        for (uint32_t i = 0; i < OBJECTS; i++)
            assert_true(ptio_known_put(&known, &heap, object_at(strides[s], i, 0), i));
        assert_int_equal(known.count, OBJECTS);
        for (uint32_t i = 0; i < OBJECTS; i++) {
            const ptio_known_object *found = ptio_known_find(&known, object_at(strides[s], i, 0));
            assert_non_null(found);
            assert_ptr_equal(found->object, object_at(strides[s], i, 0));
            assert_int_equal(found->number, i);
            assert_null(ptio_known_find(&known, object_at(strides[s], i, 4)));
        }
        ptio_known_free(&known, &heap);
    }
    assert_int_equal(heap.used, 0);
}

static void a_number_may_change(void **state)
{
    (void)state;
    static char memory[64];
    const ptio_value *object = (const ptio_value *)(const void *)memory;
    ptio_heap heap;
    ptio_known known = {0};
    ptio_heap_init(&heap, NULL, 0);
    assert_true(ptio_known_put(&known, &heap, object, 3));
    assert_true(ptio_known_put(&known, &heap, object, 4));
    assert_int_equal(known.count, 1);
    assert_int_equal(ptio_known_find(&known, object)->number, 4);
    ptio_known_free(&known, &heap);
}

static void no_memory_is_told(void **state)
{
    (void)state;
    static char memory[64];
    for (uint64_t limit = 1; limit < 400; limit += 200) {
        ptio_heap heap;
        ptio_known known = {0};
        ptio_heap_init(&heap, NULL, limit); /* not enough for the objects, then for the slots too */
        assert_false(ptio_known_put(&known, &heap, (const ptio_value *)(const void *)memory, 0));
        assert_null(ptio_known_find(&known, (const ptio_value *)(const void *)memory));
        ptio_known_free(&known, &heap);
        assert_int_equal(heap.used, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(a_number_may_change),
        cmocka_unit_test(no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
