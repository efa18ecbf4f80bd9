/*
 * CRC-32 against one computed bit by bit, and of long runs against that of their parts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/crc32.h"

enum { MOST = 5000, LONG = (1 << 20) + 77 };

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void fill(uint8_t *bytes, size_t size)
{
    uint32_t word = 1;
    for (size_t i = 0; i < size; i++) {
        word = word * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(word >> 24);
    }
}

static void check_value(void **state)
{
    (void)state;
    assert_int_equal(ptio_crc32(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(ptio_crc32(0, NULL, 0), 0);
    assert_int_equal(ptio_crc32(0x12345678u, NULL, 0), 0x12345678u);
}

/* Around every multiple of what is done at once, wherever they begin, and behind whatever came before. */
static void every_size(void **state)
{
    (void)state;
    uint8_t bytes[MOST + 64];
    fill(bytes, sizeof bytes);
    for (size_t size = 0; size < MOST; size += size < 64 || size % 64 == 63 || size % 64 < 2 ? 1 : 31)
        for (uint32_t before = 0; before < 3; before++) {
            const uint8_t *from = bytes + size * 7 % 64;
            uint32_t crc = before * 0x9E3779B9u;
            assert_int_equal(ptio_crc32(crc, from, size), bit_by_bit(crc, from, size));
        }
}

static void in_parts(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(LONG);
    assert_non_null(bytes);
    fill(bytes, LONG);
    uint32_t whole = ptio_crc32(0, bytes, LONG), crc = 0;
    for (size_t at = 0, n = 1; at < LONG; at += n, n = n * 3 + 1) {
        n = n < LONG - at ? n : LONG - at;
        crc = ptio_crc32(crc, bytes + at, n);
    }
    assert_int_equal(crc, whole);
    assert_int_equal(bit_by_bit(0, bytes, LONG), whole);
    for (size_t at = 0; at < LONG; at += 100003) { /* a bit that flips is seen */
        bytes[at] ^= 16;
        assert_int_not_equal(ptio_crc32(0, bytes, LONG), whole);
        bytes[at] ^= 16;
    }
    memset(bytes, 0, LONG);
    assert_int_equal(ptio_crc32(0, bytes, LONG), bit_by_bit(0, bytes, LONG));
    free(bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_value),
        cmocka_unit_test(every_size),
        cmocka_unit_test(in_parts),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
