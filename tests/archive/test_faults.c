/*
 * Archives that are cut anywhere, memory that fails at any call, reads that fail at any call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "open_zip.h"
#include "support/exercise.h"

static zip_file zip;

static const unsigned forms[] = {0, ZIP_DESCRIBED | ZIP_END64, ZIP_DEFLATED | ZIP_DESCRIBED, ZIP_LONG_DESCRIBED | ZIP_DESCRIBED};
#define FORMS (sizeof forms / sizeof *forms)

static void every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t form = 0; form < FORMS; form++) {
        zip_small(&zip, forms[form]);
        for (size_t size = 0; size < zip.size; size++) {
            ptio_error err = {0};
            assert_int_equal(use_archive(zip.bytes, size, NULL, NULL, &err), PTIO_ERR_FORMAT);
            if (size >= 4) {
                char cut[40];
                (void)snprintf(cut, sizeof cut, "cut off at byte %zu", size);
                assert_string_equal(err.reason, "zip.cut");
                assert_non_null(strstr(err.message, cut));
            }
        }
    }
}

static void a_cut_archive_says_what_is_there(void **state)
{
    (void)state;
    ptio_error err = {0};
    zip_small(&zip, 0);
    (void)use_archive(zip.bytes, zip.parts[1].content + 2, NULL, NULL, &err);
    assert_int_equal(err.offset, zip.parts[1].local);
    assert_non_null(strstr(err.message, "1 records are whole, and 30 bytes of 'archive/data/0' are missing"));
    err = (ptio_error){0};
    zip_small(&zip, ZIP_DESCRIBED);
    (void)use_archive(zip.bytes, zip.parts[3].content, NULL, NULL, &err);
    assert_int_equal(err.offset, zip.parts[3].local);
    assert_non_null(strstr(err.message, "3 records are whole, 'archive/version' and the rest are not"));
    err = (ptio_error){0};
    (void)use_archive(zip.bytes, zip.end + 21, NULL, NULL, &err);
    assert_int_equal(err.offset, zip.directory);
    assert_non_null(strstr(err.message, "inside its directory: its 4 records are there"));
}

/* Each byte becomes other values. Whatever that changes, nothing but an error comes of it, or the same contents. */
static void every_byte_may_be_anything(void **state)
{
    (void)state;
    static const unsigned char values[] = {0, 1, 0x7F, 0x80, 0xFF, 'P', '/', '.', 8, 0x20};
    for (size_t form = 0; form < FORMS; form++) {
        zip_small(&zip, forms[form]);
        for (size_t i = 0; i < zip.size; i++) {
            unsigned char before = zip.bytes[i];
            for (size_t k = 0; k < sizeof values; k++) {
                ptio_error err = {0};
                zip.bytes[i] = values[k];
                ptio_status status = use_archive(zip.bytes, zip.size, NULL, NULL, &err);
                assert_true((status == PTIO_OK) == (err.reason == NULL));
                /* Behind the last deflate block, bits up to the next byte are of no meaning. */
                bool in_data = i >= zip.parts[1].content && i + (forms[form] & ZIP_DEFLATED ? 1 : 0) < zip.parts[1].behind;
                if (in_data && values[k] != before)
                    assert_int_not_equal(status, PTIO_OK);
            }
            zip.bytes[i] = before;
        }
    }
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    for (size_t form = 0; form < FORMS; form++) {
        zip_small(&zip, forms[form]);
        if (form == 1) { /* in another order, which needs a table more */
            zip_part last = zip.parts[3];
            zip.parts[3] = zip.parts[0];
            zip.parts[0] = last;
            zip.size = zip.directory;
            zip_finish(&zip);
        }
        ptio_status status = PTIO_ERR_MEMORY;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            ptio_error err = {0};
            counted_memory m;
            counted_memory_init(&m);
            m.fail_at = n;
            status = use_archive(zip.bytes, zip.size, &m.hooks, NULL, &err);
            assert_int_equal(m.held, 0);
            if (status != PTIO_OK) {
                assert_int_equal(status, PTIO_ERR_MEMORY);
                assert_string_equal(err.reason, "memory");
            }
            assert_true(n < 1000);
        }
    }
}

typedef struct failing_input {
    uint64_t position, calls, fail_at;
} failing_input;

static int64_t failing_read(void *ctx, void *buffer, size_t size)
{
    failing_input *in = ctx;
    if (in->calls++ == in->fail_at)
        return -1;
    size_t left = in->position < zip.size ? zip.size - (size_t)in->position : 0;
    size_t n = size < left ? size : left;
    if (n > 100)
        n = 100; /* short reads are usual */
    memcpy(buffer, zip.bytes + in->position, n);
    in->position += n;
    return (int64_t)n;
}

static int failing_seek(void *ctx, uint64_t offset)
{
    failing_input *in = ctx;
    in->position = offset;
    return in->calls++ == in->fail_at ? -1 : 0;
}

static void the_nth_read_fails(void **state)
{
    (void)state;
    static const ptio_source_callbacks callbacks = {.read = failing_read, .seek = failing_seek};
    for (size_t form = 0; form < FORMS; form++) {
        zip_small(&zip, forms[form]);
        ptio_status status = PTIO_ERR_IO;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            failing_input in = {.fail_at = n};
            ptio_error err = {0};
            ptio_source *source = NULL;
            status = ptio_source_from_callbacks(&callbacks, &in, NULL, NULL, &source, &err);
            if (status == PTIO_OK)
                status = use_source(source, NULL, NULL, &err);
            ptio_source_free(source);
            if (status != PTIO_OK) {
                assert_int_equal(status, PTIO_ERR_IO);
                assert_string_equal(err.reason, "io.callback");
            }
            assert_true(n < 1000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_is_refused),    cmocka_unit_test(a_cut_archive_says_what_is_there),
        cmocka_unit_test(every_byte_may_be_anything), cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(the_nth_read_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
