/*
 * Numbers as text: exact rounding, ints of any size, and the spellings that are not taken.
 */
#include <inttypes.h>

#include "base/text.h"
#include "pickle/number.h"
#include "pickle/run.h"

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Texts and the doubles that CPython makes of them. */
static const struct {
    const char *text;
    uint64_t bits;
} floats[] = {
#include "pickle/floats.inc"
};

static void floats_round_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        double value = 0;
        if (!ptio_float_text_value(ptio_text_of(floats[i].text), &value) || bits_of(value) != floats[i].bits)
            fail_msg("%.60s: %016" PRIx64, floats[i].text, bits_of(value));
    }
}

static void long_texts_round_exactly(void **state)
{
    (void)state;
    /* Halfway between 1 and the next double, and a digit far behind that. */
    static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[2000];
    double value;
    memset(text, '0', sizeof text);
    memcpy(text, half, sizeof half - 1);
    assert_true(ptio_float_text_value((ptio_text){text, 1999}, &value));
    assert_int_equal(bits_of(value), UINT64_C(0x3ff0000000000000));
    text[1998] = '1';
    assert_true(ptio_float_text_value((ptio_text){text, 1999}, &value));
    assert_int_equal(bits_of(value), UINT64_C(0x3ff0000000000001));
    /* A thousand digits before the point, and an exponent that takes them back. */
    memset(text, '7', 1000);
    memcpy(text + 1000, "e-1000", 6);
    assert_true(ptio_float_text_value((ptio_text){text, 1006}, &value));
    assert_int_equal(bits_of(value), UINT64_C(0x3fe8e38e38e38e39));
}

static void what_is_no_float(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "+",
                                        "-",
                                        ".",
                                        "e5",
                                        "1e",
                                        "1e+",
                                        "1.5.",
                                        " 1",
                                        "1 ",
                                        "1_0",
                                        "0x1p3",
                                        "1,5",
                                        "--1",
                                        "infi",
                                        "nan()",
                                        "1d5",
                                        "1e1.5",
                                        "in",
                                        "+-1",
                                        "1e5x",
                                        "infinit",
                                        "1e309",
                                        "179769313486231580793e289",
                                        "-1e999999999999"};
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (ptio_float_text_value(ptio_text_of(texts[i]), &value))
            fail_msg("\"%s\" was taken", texts[i]);
    /* A NUL ends no number. */
    assert_false(ptio_float_text_value((ptio_text){"1\0", 2}, &value));
}

static void ints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        size_t size;
    } rows[] = {
        {"0", "", 0},
        {"1", "\1", 1},
        {"-1", "\xff", 1},
        {"127", "\x7f", 1},
        {"128", "\x80\0", 2},
        {"-128", "\x80", 1},
        {"-129", "\x7f\xff", 2},
        {"255", "\xff\0", 2},
        {"256", "\0\1", 2},
        {"-32768", "\0\x80", 2},
        {"2147483648", "\0\0\0\x80\0", 5},
        {"9223372036854775807", "\xff\xff\xff\xff\xff\xff\xff\x7f", 8},
        {"9223372036854775808", "\0\0\0\0\0\0\0\x80\0", 9},
        {"-9223372036854775808", "\0\0\0\0\0\0\0\x80", 8},
        {"-9223372036854775809", "\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9},
        {"18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff\0", 9},
        {"1000000000000000000000000000000", "\0\0\0\x40\xea\xed\x74\x46\xd0\x9c\x2c\x9f\x0c", 13},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[PTIO_INT_BYTES];
        assert_true(ptio_int_text_valid(ptio_text_of(rows[i].text)));
        size_t size = ptio_int_text_bytes(ptio_text_of(rows[i].text), bytes);
        assert_int_equal(size, rows[i].size);
        assert_memory_equal(bytes, rows[i].bytes, size);
    }
}

static void what_is_no_int(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "-", "+1", "01", "-0", "-01", "1 ", " 1", "1L", "0x1", "1_0", "1.0", "--1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (ptio_int_text_valid(ptio_text_of(texts[i])))
            fail_msg("\"%s\" was taken", texts[i]);
}

/* The largest that are read: 10^4300 - 1 and its negative add up to 0. */
static void largest_ints(void **state)
{
    (void)state;
    char text[PTIO_INT_DIGITS + 1];
    memset(text, '9', sizeof text);
    uint8_t positive[PTIO_INT_BYTES], negative[PTIO_INT_BYTES];
    size_t size = ptio_int_text_bytes((ptio_text){text + 1, PTIO_INT_DIGITS}, positive);
    text[0] = '-';
    assert_int_equal(ptio_int_text_bytes((ptio_text){text, PTIO_INT_DIGITS + 1}, negative), size);
    assert_int_equal(size, 1786); /* 14285 bits and the sign */
    unsigned carry = 0;
    for (size_t i = 0; i < size; i++) {
        carry += (unsigned)positive[i] + negative[i];
        assert_int_equal(carry & 0xFF, 0);
        carry >>= 8;
    }
}

static void fewest_bytes(void **state)
{
    (void)state;
    assert_int_equal(ptio_int_fewest((const uint8_t *)"\0\0\0", 3), 0);
    assert_int_equal(ptio_int_fewest((const uint8_t *)"\xff\xff\xff", 3), 1);
    assert_int_equal(ptio_int_fewest((const uint8_t *)"\xff\0\0", 3), 2);
    assert_int_equal(ptio_int_fewest((const uint8_t *)"\x7f\xff\xff", 3), 2);
    assert_int_equal(ptio_int_fewest((const uint8_t *)"", 0), 0);
    assert_int_equal(ptio_int_value((const uint8_t *)"", 0), 0);
    assert_int_equal(ptio_int_value((const uint8_t *)"\xfe", 1), -2);
    assert_int_equal(ptio_int_value((const uint8_t *)"\0\1", 2), 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_round_exactly), cmocka_unit_test(long_texts_round_exactly),
        cmocka_unit_test(what_is_no_float),     cmocka_unit_test(ints),
        cmocka_unit_test(what_is_no_int),       cmocka_unit_test(largest_ints),
        cmocka_unit_test(fewest_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
