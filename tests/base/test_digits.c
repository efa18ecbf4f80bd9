/*
 * Floats as text: against the C library over many doubles, and against golden texts of Python.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digits_exact.h"
#include "base/number_text.h"
#include "support/share.h"

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t state = 1;

/* xorshift64*: the same doubles at every run. */
static uint64_t next_bits(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

static void golden(void **unused)
{
    (void)unused;
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        {0x0000000000000000, "0.0"},
        {0x8000000000000000, "-0.0"},
        {0x3FF0000000000000, "1.0"},
        {0x3FB999999999999A, "0.1"},
        {0x3FD3333333333333, "0.3"},
        {0x3FD3333333333334, "0.30000000000000004"},
        {0x3F1A36E2EB1C432D, "0.0001"},
        {0x3EE4F8B588E368F1, "1e-05"},
        {0x4341C37937E08000, "1e+16"},
        {0x4341C37937E07FFF, "9999999999999998.0"},
        {0x4340000000000000, "9007199254740992.0"},
        {0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"},
        {0x0000000000000001, "5e-324"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x3D30000000000000, "5.684341886080802e-14"}, /* a power of two: its neighbour below is nearer */
        {0x4480F0CF064DD592, "1e+22"},
        {0x44B52D02C7E14AF6, "1e+23"},
        {0x7FF0000000000000, "inf"},
        {0xFFF0000000000000, "-inf"},
        {0x7FF8000000000000, "nan"},
        {0xFFF8000000000000, "nan"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32];
        assert_int_equal(ptio_format_float(text, from_bits(rows[i].bits)), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

/* The significant digits of a text, and how many. */
static unsigned significant(const char *text)
{
    unsigned count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && !count))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

static int some_of(int count)
{
    return (int)test_share_of((uint64_t)count, 1000);
}

static void shortest_reads_back(void **unused)
{
    (void)unused;
    for (int i = 0, count = some_of(100000); i < count; i++) {
        uint64_t bits = next_bits();
        /* Every fourth one a number of few digits. */
        double value = i % 4 ? from_bits(bits) : (double)(int64_t)(bits >> 40) / (double)(1u << (bits & 15));
        if (value != value || value == 0 || value - value != 0)
            continue;
        char text[32], shorter[40];
        (void)ptio_format_float(text, value);
        if (strtod(text, NULL) != value)
            fail_msg("%016llx gives %s", (unsigned long long)bits, text);
        unsigned digits = significant(text);
        if (digits < 2)
            continue;
        (void)snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
        if (strtod(shorter, NULL) == value)
            fail_msg("%s is longer than %s", text, shorter);
    }
}

static void places_as_in_c(void **unused)
{
    (void)unused;
    for (int i = 0, count = some_of(50000); i < count; i++) {
        uint64_t bits = next_bits();
        double value = i % 2 ? from_bits(bits) : (double)(int64_t)(bits >> 44) / 1024; /* many halves */
        if (value != value)
            continue;
        if (i % 1000 < 4)
            value = i % 2 ? 0 : -0.0;
        unsigned places = i % 8 ? (unsigned)i % 7 : (unsigned)(i / 8) % (PTIO_MOST_PLACES + 1);
        char ours[PTIO_FORMAT_ROOM], theirs[PTIO_FORMAT_ROOM];
        assert_int_equal(ptio_format_places(ours, value, places), snprintf(theirs, sizeof theirs, "%.*f", (int)places, value));
        assert_string_equal(ours, theirs);
        assert_int_equal(ptio_format_exponent(ours, value, places), snprintf(theirs, sizeof theirs, "%.*e", (int)places, value));
        assert_string_equal(ours, theirs);
    }
}

static void nan_has_no_sign(void **unused)
{
    (void)unused;
    char text[PTIO_FORMAT_ROOM];
    (void)ptio_format_places(text, from_bits(0xFFF8000000000000), 4);
    assert_string_equal(text, "nan");
    (void)ptio_format_exponent(text, from_bits(0xFFF8000000000000), 4);
    assert_string_equal(text, "nan");
}

/* Positive doubles of many kinds: any bits, floats, few digits, integers and halves of them, and the neighbours of powers of ten. */
static double some_double(int kind)
{
    static const double scales[] = {1e-20, 1e-11, 1e-5, 1e-4, 1e-3, 0.1, 0.5, 1, 1e3, 1e4, 1e11, 1e16, 1e17, 1e22, 1e23};
    uint64_t bits = next_bits();
    float narrow;
    uint32_t half = (uint32_t)bits & 0x7FFFFFFF;
    switch (kind) {
    case 0: return from_bits(bits & INT64_MAX);
    case 1: memcpy(&narrow, &half, sizeof narrow); return (double)narrow;
    case 2: return (double)(bits >> (16 + bits % 48)) / (double)((uint64_t)1 << (bits >> 8) % 30);
    case 3: return (double)(next_bits() >> (40 + bits % 24)) * scales[bits % (sizeof scales / sizeof *scales)];
    default: {
        char text[16];
        (void)snprintf(text, sizeof text, "1e%d", (int)(bits % 630) - 322);
        double power = strtod(text, NULL);
        memcpy(&bits, &power, sizeof bits);
        return from_bits(bits + next_bits() % 5 - (bits > 5 ? 2 : 0));
    }
    }
}

static bool same_digits(const ptio_digits *a, const ptio_digits *b)
{
    return a->count == b->count && a->exponent == b->exponent && memcmp(a->digits, b->digits, a->count) == 0;
}

static void quick_is_exact(void **unused)
{
    (void)unused;
    for (int i = 0, count = some_of(200000); i < count; i++) {
        double value = some_double(i % 5);
        if (!(value > 0) || value - value != 0)
            continue;
        ptio_binary binary = ptio_binary_of(value);
        ptio_digits quick, exact;
        ptio_digits_shortest(value, &quick);
        ptio_digits_exact_shortest(binary, &exact);
        if (!same_digits(&quick, &exact))
            fail_msg("shortest digits of %a", value);
        unsigned digits = 1 + (unsigned)i % 18, places = (unsigned)(i / 5) % 13;
        ptio_digits_count(value, digits, &quick);
        ptio_digits_exact_count(binary, digits, &exact);
        if (!same_digits(&quick, &exact))
            fail_msg("%u digits of %a", digits, value);
        ptio_digits_places(value, places, &quick);
        ptio_digits_exact_places(binary, places, &exact);
        if (!same_digits(&quick, &exact) && (quick.count || exact.count))
            fail_msg("%u places of %a", places, value);
    }
}

/* All numbers of float16, and many of float32. */
static void quick_is_exact_among_floats(void **unused)
{
    (void)unused;
    for (int i = 1; i < 0x7C00 + 50000; i++) {
        if (!test_wants((uint64_t)i))
            continue;
        bool wide = i >= 0x7C00;
        double value = wide       ? some_double(1)
                       : i < 1024 ? i / 16777216.0
                                  : (1024 + i % 1024) * (double)(1 << i / 1024) / 33554432.0;
        if (!(value > 0) || value - value != 0)
            continue;
        ptio_digits quick, exact;
        ptio_digits_shortest_among(value, wide ? 24 : 11, wide ? -149 : -24, &quick);
        ptio_digits_exact_shortest(ptio_binary_among(value, wide ? 24 : 11, wide ? -149 : -24), &exact);
        if (!same_digits(&quick, &exact))
            fail_msg("shortest digits of %a", value);
    }
}

/* Exactly between two texts: to the even digit. */
static void halves(void **unused)
{
    (void)unused;
    static const struct {
        double value;
        unsigned places;
        const char *fixed, *scientific;
    } rows[] = {
        {0.5, 0, "0", "5e-01"},
        {1.5, 0, "2", "2e+00"},
        {2.5, 0, "2", "2e+00"},
        {0.125, 2, "0.12", "1.25e-01"},
        {0.375, 2, "0.38", "3.75e-01"},
        {1.00006103515625, 4, "1.0001", "1.0001e+00"},
        {100005, 4, "100005.0000", "1.0000e+05"},
        {100015, 4, "100015.0000", "1.0002e+05"},
        {9007199254740993.0, 0, "9007199254740992", "9e+15"},
        {99999.5, 4, "99999.5000", "1.0000e+05"},
        {0x1.8p-14, 4, "0.0001", "9.1553e-05"},
        {2.5e22, 0, "24999999999999997902848", "2e+22"},
        {1e22, 2, "10000000000000000000000.00", "1.00e+22"},
        {0, 3, "0.000", "0.000e+00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[PTIO_FORMAT_ROOM];
        (void)ptio_format_places(text, rows[i].value, rows[i].places);
        assert_string_equal(text, rows[i].fixed);
        (void)ptio_format_exponent(text, rows[i].value, rows[i].places);
        assert_string_equal(text, rows[i].scientific);
    }
}

static void decimals(void **unused)
{
    (void)unused;
    uint64_t power = 1;
    for (unsigned size = 1; size <= 20; size++, power *= 10) {
        assert_int_equal(ptio_decimal_size(power), size);
        assert_int_equal(ptio_decimal_size(power - 1), size == 1 ? 1 : size - 1);
    }
    assert_int_equal(ptio_decimal_size(UINT64_MAX), 20);
    char text[21] = {0};
    ptio_decimal_put(text, 20, UINT64_MAX);
    assert_string_equal(text, "18446744073709551615");
    ptio_decimal_put(text, 20, 4294967296);
    assert_string_equal(text, "00000000004294967296");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),         cmocka_unit_test(shortest_reads_back),
        cmocka_unit_test(places_as_in_c), cmocka_unit_test(nan_has_no_sign),
        cmocka_unit_test(quick_is_exact), cmocka_unit_test(quick_is_exact_among_floats),
        cmocka_unit_test(halves),         cmocka_unit_test(decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
