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

#include "base/number_text.h"

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

static void shortest_reads_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++) {
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
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = next_bits();
        double value = i % 2 ? from_bits(bits) : (double)(int64_t)(bits >> 44) / 1024; /* many halves */
        if (value != value)
            continue;
        unsigned places = (unsigned)i % 7;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(shortest_reads_back),
        cmocka_unit_test(places_as_in_c),
        cmocka_unit_test(nan_has_no_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
