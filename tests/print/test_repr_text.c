/*
 * Strings, bytes, complex numbers and escaped texts, against golden texts of Python.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "print/collect.h"
#include "print/repr.h"

static void check_str(ptio_text text, const char *expected)
{
    collected c = {.size = 0};
    assert_int_equal(ptio_print_str(text, collect, &c, NULL), PTIO_OK);
    assert_string_equal(c.text, expected);
}

static void strings(void **unused)
{
    (void)unused;
    check_str(PTIO_TEXT(""), "''");
    check_str(PTIO_TEXT("plain"), "'plain'");
    check_str(PTIO_TEXT("it's"), "\"it's\"");
    check_str(PTIO_TEXT("say \"x\""), "'say \"x\"'");
    check_str(PTIO_TEXT("both ' and \""), "'both \\' and \"'");
    check_str(PTIO_TEXT("a\\b"), "'a\\\\b'");
    check_str(PTIO_TEXT("\t\n\r\0\x1b\x7f"), "'\\t\\n\\r\\x00\\x1b\\x7f'");
    check_str(PTIO_TEXT("d\xC3\xA9j\xC3\xA0"), "'d\xC3\xA9j\xC3\xA0'");
    check_str(PTIO_TEXT("\xC2\xA0\xC2\xAD\xC2\x9B"), "'\\xa0\\xad\\x9b'");                   /* NBSP, soft hyphen, C1 CSI */
    check_str(PTIO_TEXT("\xE2\x80\xAE\xE2\x80\x8B\xEF\xBB\xBF"), "'\\u202e\\u200b\\ufeff'"); /* override, zero width, BOM  */
    check_str(PTIO_TEXT("\xED\xA0\x80"), "'\\ud800'");                                       /* a lone surrogate          */
    check_str(PTIO_TEXT("\xF0\x9F\x94\xA5"), "'\xF0\x9F\x94\xA5'");
    check_str(PTIO_TEXT("\xF4\x8F\xBF\xBF\xEE\x80\x80"), "'\\U0010ffff\\ue000'"); /* not assigned, private     */
    check_str(PTIO_TEXT("\xFF\xC3"), "'\\xff\\xc3'");                             /* no UTF-8                  */
}

static void check_bytes(ptio_text bytes, const char *expected)
{
    collected c = {.size = 0};
    ptio_out out;
    ptio_out_init(&out, collect, &c, NULL);
    ptio_repr_bytes(&out, bytes);
    assert_int_equal(ptio_out_flush(&out), PTIO_OK);
    assert_string_equal(c.text, expected);
}

static void byte_strings(void **unused)
{
    (void)unused;
    check_bytes(PTIO_TEXT(""), "''");
    check_bytes(PTIO_TEXT("raw\0\xFF"), "'raw\\x00\\xff'");
    check_bytes(PTIO_TEXT("it's\\"), "\"it's\\\\\"");
    check_bytes(PTIO_TEXT("\xC3\xA9"), "'\\xc3\\xa9'");
}

static void escaped(void **unused)
{
    (void)unused;
    collected c = {.size = 0};
    assert_int_equal(ptio_print_escaped(PTIO_TEXT("a'b\"\x1b[2J\n\\ \xE2\x80\xAE\xE6\x97\xA5"), collect, &c, NULL), PTIO_OK);
    assert_string_equal(c.text, "a'b\"\\x1b[2J\\n\\\\ \\u202e\xE6\x97\xA5");
}

static void check_complex(double real, double imag, const char *expected)
{
    collected c = {.size = 0};
    ptio_out out;
    ptio_out_init(&out, collect, &c, NULL);
    ptio_repr_complex(&out, real, imag);
    assert_int_equal(ptio_out_flush(&out), PTIO_OK);
    assert_string_equal(c.text, expected);
}

static void complex_numbers(void **unused)
{
    (void)unused;
    double zero = 0, infinity = 1 / zero;
    check_complex(1, 2, "(1+2j)");
    check_complex(0, 2.5, "2.5j");
    check_complex(-zero, -zero, "(-0-0j)");
    check_complex(0, -zero, "-0j");
    check_complex(infinity, -infinity, "(inf-infj)");
    check_complex(1e16, 1e-5, "(1e+16+1e-05j)");
    check_complex(zero / zero, 0, "(nan+0j)");
}

static int refuse(void *ctx, const char *text, size_t size)
{
    (void)ctx, (void)text, (void)size;
    return 1;
}

static void cancelled(void **unused)
{
    (void)unused;
    ptio_error err = {0};
    assert_int_equal(ptio_print_str(PTIO_TEXT("x"), refuse, NULL, &err), PTIO_ERR_CANCELLED);
    assert_int_equal(err.status, PTIO_ERR_CANCELLED);
    assert_string_equal(err.reason, "print.cancelled");
}

/* More text than any buffer, at every alignment to it. */
static void long_texts(void **unused)
{
    (void)unused;
    static char text[3 * PTIO_OUT_BUFFER];
    memset(text, 'x', sizeof text);
    for (size_t size = PTIO_OUT_BUFFER - 4; size < PTIO_OUT_BUFFER + 4; size++) {
        collected c = {.size = 0};
        text[size] = '\n';
        assert_int_equal(ptio_print_str((ptio_text){text, size + 1}, collect, &c, NULL), PTIO_OK);
        assert_int_equal(c.size, size + 4);
        assert_memory_equal(c.text + size + 1, "\\n'", 3);
        text[size] = 'x';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),         cmocka_unit_test(byte_strings), cmocka_unit_test(escaped),
        cmocka_unit_test(complex_numbers), cmocka_unit_test(cancelled),    cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
