/*
 * Texts: UTF-8, escaping, hashing; the cursor; errors and reports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/report.h"
#include "base/text.h"

static void every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        uint32_t decoded;
        size_t size = ptio_utf8_encode(code, bytes);
        assert_int_equal(ptio_utf8_decode(bytes, size, &decoded), size);
        assert_int_equal(decoded, code);
        bool surrogate = code >= 0xD800 && code < 0xE000;
        assert_true(ptio_utf8_valid(bytes, size, true));
        assert_int_equal(ptio_utf8_valid(bytes, size, false), !surrogate);
        if (size > 1)
            assert_false(ptio_utf8_valid(bytes, size - 1, true));
    }
}

static void bad_utf8_is_found_anywhere(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", "\xC0\x80",     "\xC1\xBF", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF", "\xE2\x28\xA1", "\xC3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t before = 0; before < 20; before++) {
            char text[64];
            memset(text, 'a', sizeof text);
            memcpy(text + before, bad[i], strlen(bad[i]));
            assert_false(ptio_utf8_valid(text, before + strlen(bad[i]), true));
        }
    }
    assert_true(ptio_utf8_valid("", 0, false));
}

static void escapes_fit_their_buffer(void **state)
{
    (void)state;
    static const char text[] = "plain \n\x1b[31m \xC3\xA9 \xE2\x80\xAE \xF0\x9F\x98\x80 \xFF back\\slash";
    static const char whole[] = "plain \\n\\x1b[31m \\xe9 \\u202e \\U0001f600 \\xff back\\\\slash";
    char out[128];
    ptio_escape_into(out, sizeof out, (ptio_text){text, sizeof text - 1});
    assert_string_equal(out, whole);
    for (size_t size = 4; size < sizeof whole; size++) {
        memset(out, '#', sizeof out);
        ptio_escape_into(out, size, (ptio_text){text, sizeof text - 1});
        size_t length = strlen(out);
        assert_true(length < size);
        assert_string_equal(out + length - 3, "...");
        assert_memory_equal(out, whole, length - 3);
        assert_int_equal(out[size], '#');
    }
    ptio_escape_into(out, sizeof whole, (ptio_text){text, sizeof text - 1});
    assert_string_equal(out, whole);
}

static void hashes_depend_on_key_and_bytes(void **state)
{
    (void)state;
    char bytes[40] = "the quick brown fox jumps over a dog";
    for (size_t size = 0; size < 36; size++) {
        uint64_t hash = ptio_hash(1, bytes, size);
        assert_int_equal(hash, ptio_hash(1, bytes, size));
        assert_int_not_equal(hash, ptio_hash(2, bytes, size));
        assert_int_not_equal(hash, ptio_hash(1, bytes, size + 1));
        if (size) {
            bytes[size - 1] ^= 1;
            assert_int_not_equal(hash, ptio_hash(1, bytes, size));
            bytes[size - 1] ^= 1;
        }
    }
}

static void cursor_stops_at_the_end(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 'l', 'i', '\n', 'x'};
    ptio_cursor c = ptio_cursor_over(bytes, sizeof bytes);
    assert_int_equal(ptio_cursor_u8(&c), 1);
    assert_int_equal(ptio_cursor_u16(&c), 0x0302);
    assert_int_equal(ptio_cursor_u32(&c), 0x07060504);
    assert_non_null(ptio_cursor_take(&c, 2));
    size_t size;
    assert_memory_equal(ptio_cursor_line(&c, 2, &size), "li", 2);
    assert_int_equal(size, 2);
    assert_int_equal(ptio_cursor_offset(&c), 12);
    assert_int_equal(ptio_cursor_u64(&c), 0);
    assert_false(c.ok);
    assert_int_equal(ptio_cursor_u8(&c), 0); /* one byte is left, but the cursor has failed */
    ptio_cursor again = ptio_cursor_over(bytes, sizeof bytes);
    assert_null(ptio_cursor_take(&again, UINT64_MAX));
    again = ptio_cursor_over(bytes + 9, 3);
    assert_null(ptio_cursor_line(&again, 1, &size)); /* longer than the limit */
    assert_int_equal(ptio_load_u64_big(bytes), 0x0102030405060708u);
    assert_int_equal(ptio_load_u64(bytes), 0x0807060504030201u);
}

static void first_failure_stays(void **state)
{
    (void)state;
    ptio_error err = {0};
    assert_int_equal(ptio_fail(&err, PTIO_ERR_FORMAT, "one", 7, "first %d", 1), PTIO_ERR_FORMAT);
    assert_int_equal(ptio_fail(&err, PTIO_ERR_IO, "two", 8, "second"), PTIO_ERR_IO);
    assert_int_equal(err.status, PTIO_ERR_FORMAT);
    assert_int_equal(err.offset, 7);
    assert_string_equal(err.reason, "one");
    assert_string_equal(err.message, "first 1");
    (void)ptio_error_in_record(&err, err.status, PTIO_TEXT("a/b\n"));
    (void)ptio_error_in_record(&err, err.status, PTIO_TEXT("other"));
    assert_string_equal(err.record, "a/b\\n");
    assert_int_equal(ptio_fail(NULL, PTIO_ERR_IO, "none", 0, "nobody listens"), PTIO_ERR_IO);
    assert_string_equal(ptio_status_text(PTIO_ERR_MEMORY), "out of memory");
    assert_string_equal(ptio_status_text((ptio_status)99), "unknown status");
}

/* Gives memory until it is told to stop. */
static void *stingy_resize(void *ctx, void *old, size_t old_size, size_t size)
{
    const bool *stopped = ctx;
    (void)old_size;
    if (!size) {
        free(old);
        return NULL;
    }
    return *stopped ? NULL : realloc(old, size);
}

static void report_tells_what_it_lost(void **state)
{
    (void)state;
    bool stopped = false;
    ptio_memory memory = {.resize = stingy_resize, .ctx = &stopped};
    ptio_report *report;
    assert_int_equal(ptio_report_new(&memory, &report, NULL), PTIO_OK);
    ptio_report_add(report, PTIO_NOTE, "test.kept", PTIO_TEXT("record"), 0, "there is memory");
    assert_int_equal(ptio_report_lost(report, NULL), PTIO_OK);
    stopped = true;
    for (int i = 0; i < 10000; i++) /* until no block has room */
        ptio_report_add(report, PTIO_NOTE, "test.lost", PTIO_TEXT("record"), 0, "there is none");
    assert_true(ptio_report_count(report) < 10001);
    ptio_error err = {0};
    assert_int_equal(ptio_report_lost(report, &err), PTIO_ERR_MEMORY);
    assert_int_equal(err.status, PTIO_ERR_MEMORY);
    assert_int_equal(ptio_report_lost(report, NULL), PTIO_OK); /* told once */
    assert_int_equal(ptio_report_lost(NULL, NULL), PTIO_OK);
    ptio_report_free(report);
}

static void report_keeps_a_million(void **state)
{
    (void)state;
    ptio_report *report;
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    for (int i = 0; i < 1000010; i++)
        ptio_report_add(report, PTIO_NOTE, "test.many", PTIO_TEXT(""), 0, "one of many");
    assert_int_equal(ptio_report_count(report), 1000000);
    assert_string_equal(ptio_report_finding(report, 999998)->message.bytes, "one of many");
    assert_string_equal(ptio_report_finding(report, 999999)->message.bytes, "and more, which are not told");
    assert_int_equal(ptio_report_lost(report, NULL), PTIO_OK);
    ptio_report_free(report);
}

static void report_keeps_findings(void **state)
{
    (void)state;
    ptio_report *report;
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    for (unsigned i = 0; i < 100; i++)
        ptio_report_add(report, PTIO_WARNING, "test.finding",
                        PTIO_TEXT("re\x1b"
                                  "cord"),
                        i, "number %u", i);
    ptio_error err = {0};
    (void)ptio_fail(&err, PTIO_ERR_FORMAT, "test.error", 5, "wrong");
    ptio_report_error(report, &err);
    assert_int_equal(ptio_report_count(report), 101);
    const ptio_finding *finding = ptio_report_finding(report, 99);
    assert_int_equal(finding->offset, 99);
    assert_string_equal(finding->message.bytes, "number 99");
    assert_string_equal(finding->record.bytes, "re\\x1bcord");
    assert_int_equal(ptio_report_finding(report, 100)->status, PTIO_ERR_FORMAT);
    assert_int_equal(ptio_report_finding(report, 100)->severity, PTIO_REFUSED);
    assert_null(ptio_report_finding(report, 101));
    ptio_report_add(NULL, PTIO_NOTE, "none", PTIO_TEXT(""), 0, "nobody listens");
    ptio_report_free(report);
    ptio_report_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_comes_back), cmocka_unit_test(bad_utf8_is_found_anywhere),
        cmocka_unit_test(escapes_fit_their_buffer),    cmocka_unit_test(hashes_depend_on_key_and_bytes),
        cmocka_unit_test(cursor_stops_at_the_end),     cmocka_unit_test(first_failure_stays),
        cmocka_unit_test(report_keeps_findings),       cmocka_unit_test(report_tells_what_it_lost),
        cmocka_unit_test(report_keeps_a_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
