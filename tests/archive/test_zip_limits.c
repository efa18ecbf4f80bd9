/*
 * What an archive cannot hold: a directory of 4 GiB, a file beyond 2^63 bytes. To get there takes as much memory or disk, so the writer
 * is made to believe that it is there already; that is why its source is part of this program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/zip_writer.c"

static ptio_heap heap;
static ptio_sink *sink;
static ptio_zip_writer *writer;

static int start(void **state)
{
    (void)state;
    ptio_zip_writer_spec spec = {.root = PTIO_TEXT("archive"), .alignment = 64, .crc32 = true};
    ptio_heap_init(&heap, NULL, 0);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    return ptio_zip_writer_new(sink, &spec, &heap, &writer, NULL) == PTIO_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    ptio_zip_writer_free(writer);
    ptio_sink_free(sink);
    return 0;
}

static ptio_status add(const char *name, size_t size, const char **reason)
{
    ptio_error err = {0};
    ptio_status status = ptio_zip_writer_add(writer, ptio_text_of(name), "data", size, &err);
    *reason = err.reason;
    return status;
}

/* "archive/a" takes 46 + 9 bytes of the directory. */
static void a_directory_of_4_gib_is_refused(void **state)
{
    (void)state;
    const char *reason;
    writer->directory_size = UINT32_MAX - 55 - 55;
    assert_int_equal(add("ab", 4, &reason), PTIO_OK);
    assert_int_equal(add("a", 4, &reason), PTIO_ERR_LIMIT);
    assert_string_equal(reason, "zip.directory");
    assert_int_equal(writer->written.count, 1);
    writer->directory_size--;
    assert_int_equal(add("a", 4, &reason), PTIO_OK);
    assert_int_equal(writer->directory_size, UINT32_MAX);
    assert_int_equal(add("b", 4, &reason), PTIO_ERR_LIMIT);
}

/* A record takes 64 bytes to its data, and 24 behind them. */
static void a_file_beyond_its_largest_offset_is_refused(void **state)
{
    (void)state;
    const char *reason;
    writer->position = (uint64_t)INT64_MAX + 1 - 128;
    assert_int_equal(add("a", 4, &reason), PTIO_OK);
    writer->position = (uint64_t)INT64_MAX + 1 - 64;
    assert_int_equal(add("b", 4, &reason), PTIO_ERR_LIMIT);
    assert_string_equal(reason, "zip.size");
    writer->position = UINT64_MAX - 10;
    assert_int_equal(add("b", 4, &reason), PTIO_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_of_4_gib_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_file_beyond_its_largest_offset_is_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
