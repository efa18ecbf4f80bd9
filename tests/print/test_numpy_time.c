/*
 * NumPy's dates: every unit, years far away, and what is not a date.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "print/numpy_time.h"

static void shows(int64_t value, const char *unit, const char *expected)
{
    char text[PTIO_NPTIME_ROOM];
    size_t size = ptio_nptime_date(value, ptio_text_of(unit), text);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void units(void **state)
{
    (void)state;
    shows(54, "Y", "2024");
    shows(649, "M", "2024-02");
    shows(-1, "M", "1969-12");
    shows(2826, "W", "2024-02-29");
    shows(19782, "D", "2024-02-29");
    shows(-1, "h", "1969-12-31T23");
    shows(90, "m", "1970-01-01T01:30");
    shows(86399, "s", "1970-01-01T23:59:59");
    shows(-1, "ms", "1969-12-31T23:59:59.999");
    shows(5, "us", "1970-01-01T00:00:00.000005");
    shows(INT64_MAX, "ns", "2262-04-11T23:47:16.854775807");
    shows(-1, "as", "1969-12-31T23:59:59.999999999999999999");
    shows(7, "25s", "1970-01-01T00:02:55");
}

static void calendar(void **state)
{
    (void)state;
    shows(-719528, "D", "0000-01-01");
    shows(-719529, "D", "-001-12-31");
    shows(-719162, "D", "0001-01-01");
    shows(11016, "D", "2000-02-29");
    shows(-25509, "D", "1900-02-28"); /* no leap year */
    shows(-25508, "D", "1900-03-01");
    shows(2932896, "D", "9999-12-31");
}

static void no_dates(void **state)
{
    (void)state;
    shows(PTIO_NPTIME_NAT, "D", "NaT");
    shows(1, "", "");
    shows(1, "fortnights", "");
    shows(INT64_MAX, "D", "");
    shows(INT64_MAX, "W", "");
    shows(INT64_MAX, "Y", "");
    shows(INT64_MAX, "2s", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units),
        cmocka_unit_test(calendar),
        cmocka_unit_test(no_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
