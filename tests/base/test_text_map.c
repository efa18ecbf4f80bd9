/*
 * A map from texts to numbers: growing, replacing, texts with NULs, and no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text_map.h"

enum { TEXTS = 5000 };

static void put_and_get(void **state)
{
    (void)state;
    static char names[TEXTS][8];
    ptio_heap heap;
    ptio_text_map map = {.hash_key = 7};
    uint32_t number;
    ptio_heap_init(&heap, NULL, 0);
    assert_false(ptio_text_map_get(&map, PTIO_TEXT(""), &number));
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < TEXTS; i++) {
            int size = snprintf(names[i], sizeof names[i], "%u", (unsigned)i);
            assert_true(ptio_text_map_put(&map, &heap, (ptio_text){names[i], (size_t)size}, i + (uint32_t)round));
        }
    for (uint32_t i = 0; i < TEXTS; i++) {
        assert_true(ptio_text_map_get(&map, ptio_text_of(names[i]), &number));
        assert_int_equal(number, i + 1);
    }
    assert_int_equal(map.used, TEXTS);
    assert_false(ptio_text_map_get(&map, PTIO_TEXT("x"), &number));
    assert_true(ptio_text_map_put(&map, &heap, PTIO_TEXT("x\0y"), 1));
    assert_true(ptio_text_map_put(&map, &heap, PTIO_TEXT(""), 2));
    assert_false(ptio_text_map_get(&map, PTIO_TEXT("x"), &number));
    assert_true(ptio_text_map_get(&map, PTIO_TEXT("x\0y"), &number) && number == 1);
    assert_true(ptio_text_map_get(&map, PTIO_TEXT(""), &number) && number == 2);
    ptio_text_map_free(&map, &heap);
    assert_int_equal(heap.used, 0);
}

static void no_memory(void **state)
{
    (void)state;
    ptio_heap heap;
    ptio_text_map map = {0};
    char name[] = "a";
    int put = 0;
    ptio_heap_init(&heap, NULL, 64 * sizeof(ptio_text_slot));
    static char names[64][2];
    while (put < 64) {
        names[put][0] = (char)(name[0] + put);
        if (!ptio_text_map_put(&map, &heap, (ptio_text){names[put], 1}, (uint32_t)put))
            break;
        put++;
    }
    assert_int_equal(put, 32);
    uint32_t number;
    assert_true(ptio_text_map_get(&map, PTIO_TEXT("a"), &number) && number == 0);
    ptio_text_map_free(&map, &heap);
    assert_int_equal(heap.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(put_and_get), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
