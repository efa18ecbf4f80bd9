/*
 * The public writer: what it adds by itself, records from a callback, roots by path, and memory and sinks that fail at any call.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "open_zip.h"
#include "ptio.h"
#include "support/exercise.h"

/* ---- an archive in memory ---- */

typedef struct maker {
    ptio_sink *sink;
    ptio_writer *writer;
    ptio_error err;
} maker;

static void start(maker *m, const ptio_writer_options *options)
{
    *m = (maker){0};
    assert_int_equal(ptio_sink_to_memory(NULL, &m->sink, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_open(m->sink, options, &m->writer, &m->err), PTIO_OK);
}

static void add(maker *m, const char *name, const void *data, size_t size)
{
    assert_int_equal(ptio_writer_add(m->writer, name, data, size, &m->err), PTIO_OK);
}

static ptio_text finish(maker *m)
{
    assert_int_equal(ptio_writer_finish(m->writer, &m->err), PTIO_OK);
    assert_int_equal(ptio_sink_finish(m->sink, &m->err), PTIO_OK);
    return ptio_sink_bytes(m->sink);
}

static void stop(maker *m)
{
    ptio_writer_free(m->writer);
    ptio_sink_free(m->sink);
}

/* The names and texts of all records, as "name=text;", of an archive that must be whole. */
static void list(ptio_text bytes, char *out, size_t size)
{
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_record record;
    size_t used = 0;
    assert_int_equal(use_archive(bytes.bytes, bytes.size, NULL, NULL, NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_memory(bytes.bytes, bytes.size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    for (size_t i = 0; ptio_archive_record(archive, i, &record); i++) {
        char text[64] = {0};
        assert_true(record.size < sizeof text);
        assert_int_equal(ptio_archive_read(archive, i, 0, text, (size_t)record.size, NULL), PTIO_OK);
        int n = snprintf(out + used, size - used, "%.*s=%s;", (int)record.name.size, record.name.bytes, text);
        assert_true(n > 0 && (size_t)n < size - used);
        used += (size_t)n;
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
}

static void expect_list(maker *m, const char *expected)
{
    char found[500] = "";
    list(finish(m), found, sizeof found);
    assert_string_equal(found, expected);
    stop(m);
}

/* ---- what it adds ---- */

/* The ids are those of torch._C.PyTorchFileWriter of PyTorch 2.13, for the same records. */
static void the_end_of_an_archive(void **state)
{
    (void)state;
    maker m;
    start(&m, NULL);
    add(&m, "byteorder", "little", 6);
    expect_list(&m, "archive/byteorder=little;archive/version=3\n;"
                    "archive/.data/serialization_id=0829801246977470025500000000204284175079;");
    start(&m, NULL);
    add(&m, "byteorder", "big", 3);
    add(&m, "version", "4", 1);
    add(&m, ".data/serialization_id", "that of another file", 20);
    assert_int_equal(ptio_writer_add_from(m.writer, ".data/serialization_id", 20, NULL, NULL, &m.err), PTIO_OK);
    expect_list(&m, "archive/byteorder=big;archive/version=4;"
                    "archive/.data/serialization_id=0829801246977470025500000000408179322995;");
    start(&m, NULL);
    add(&m, ".data/version", "6\n", 2);
    add(&m, "byteorder", "little", 6);
    expect_list(&m, "archive/.data/version=6\n;archive/byteorder=little;"
                    "archive/.data/serialization_id=0036415447760805006900000000217934079964;");
}

static void the_byte_order_is_that_of_the_machine(void **state)
{
    (void)state;
    const uint16_t one = 1;
    char found[300];
    maker m;
    start(&m, NULL);
    list(finish(&m), found, sizeof found);
    assert_non_null(strstr(found, *(const char *)&one ? "byteorder=little;" : "byteorder=big;"));
    stop(&m);
}

/* PyTorch takes every write that begins as a data descriptor for one: data of at least 8 bytes, and even the name of a record. */
static void data_like_a_descriptor_count_in_the_id(void **state)
{
    (void)state;
    static const struct {
        const char *root, *name, *data;
        size_t size;
        bool no_crc32;
        const char *id;
    } cases[] = {
        {NULL, "a", "PK\7\10abcd", 8, false, "1179349891094644302700001189986974989286"},
        {NULL, "a", "PK\7\10abc", 7, false, "1179349891094644302700000018358782390056"},
        {NULL, "a", "xxxxabcd", 8, false, "1179349891094644302700000013793047470861"},
        {NULL, "a", "", 0, false, "1179349891094644302700000000262787270506"},
        {NULL, "a", "PK\7\10abcd", 8, true, "1179349891094644302700001179691571642325"},
        {"PK\7\10", "a", "xxxxabcd", 8, false, "1179349891094644302700056554793740526307"},
        {"PK\7\10", "abc", "xxxxabcd", 8, false, "1045641077347262729304717297531600381480"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ptio_writer_options options = {PTIO_WRITER_OPTIONS, .root = cases[i].root, .no_crc32 = cases[i].no_crc32};
        maker m;
        start(&m, &options);
        add(&m, cases[i].name, cases[i].data, cases[i].size);
        add(&m, "version", "3\n", 2);
        add(&m, "byteorder", "little", 6);
        ptio_text bytes = finish(&m);
        assert_non_null(memmem(bytes.bytes, bytes.size, cases[i].id, 40));
        stop(&m);
    }
}

static void without_crc(void **state)
{
    (void)state;
    ptio_writer_options options = {PTIO_WRITER_OPTIONS, .no_crc32 = true};
    maker m;
    start(&m, &options);
    add(&m, "a", "some data", 9);
    ptio_text bytes = finish(&m);
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_record record;
    assert_int_equal(use_archive(bytes.bytes, bytes.size, NULL, NULL, NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_memory(bytes.bytes, bytes.size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    for (size_t i = 0; ptio_archive_record(archive, i, &record); i++) {
        assert_int_equal(record.crc32, 0);
        assert_false(record.has_crc32);
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
    stop(&m);
}

/* ---- roots ---- */

static void the_root_follows_the_path(void **state)
{
    (void)state;
    static const char *const roots[][2] = {{"net.v2.pt", "net.v2"}, {"n\xC3\xA9t.pt", "archive"}, {"..pt", NULL}};
    char folder[] = "/tmp/ptio_writer_XXXXXX", path[64], first[80];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        ptio_sink *sink = NULL;
        ptio_writer *writer = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", folder, roots[i][0]);
        assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_writer_open(sink, NULL, &writer, NULL), PTIO_OK);
        assert_int_equal(ptio_writer_finish(writer, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
        ptio_writer_free(writer);
        ptio_sink_free(sink);
        blob file = blob_read(path);
        const char *root = roots[i][1] ? roots[i][1] : ".";
        (void)snprintf(first, sizeof first, "%s/version", root);
        assert_non_null(file.data);
        assert_memory_equal(file.data + 30, first, strlen(first));
        free(file.data);
        assert_int_equal(unlink(path), 0);
    }
    ptio_sink *sink = NULL;
    ptio_writer *writer = NULL;
    ptio_error err = {0};
    (void)snprintf(path, sizeof path, "%s/.pt", folder);
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_open(sink, NULL, &writer, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "zip.path");
    assert_null(writer);
    ptio_sink_free(sink);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- records from a callback ---- */

typedef struct input {
    const unsigned char *data;
    size_t size, position, most;
    int64_t at_end; /* what it gives there */
} input;

static int64_t read_input(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    size_t n = in->size - in->position;
    if (!n)
        return in->at_end;
    n = n < size ? n : size;
    n = n < in->most ? n : in->most;
    memcpy(buffer, in->data + in->position, n);
    in->position += n;
    return (int64_t)n;
}

#define LARGE ((size_t)1300000)

static unsigned char *large_bytes(void)
{
    unsigned char *bytes = malloc(LARGE);
    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 253);
    return bytes;
}

static void pieces_make_the_same_bytes(void **state)
{
    (void)state;
    unsigned char *data = large_bytes();
    static const size_t sizes[] = {0, 1, 1000, LARGE}, most[] = {1, 1000, SIZE_MAX};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        maker whole;
        start(&whole, NULL);
        add(&whole, "data/0", data, sizes[n]);
        ptio_text expected = finish(&whole);
        for (size_t k = sizes[n] == LARGE ? 1 : 0; k < sizeof most / sizeof *most; k++) {
            input in = {data, sizes[n], 0, most[k], 0};
            maker m;
            start(&m, NULL);
            assert_int_equal(ptio_writer_add_from(m.writer, "data/0", sizes[n], read_input, &in, NULL), PTIO_OK);
            ptio_text found = finish(&m);
            assert_int_equal(found.size, expected.size);
            assert_memory_equal(found.bytes, expected.bytes, expected.size);
            stop(&m);
        }
        stop(&whole);
    }
    free(data);
}

/* As PyTorchFileWriter.write_record_metadata() leaves it: zeros where the data would be, and a CRC of 0. */
static void a_hole_is_read_as_zeros(void **state)
{
    (void)state;
    char found[300];
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_record record = {0};
    unsigned char data[1000];
    maker m;
    start(&m, NULL);
    assert_int_equal(ptio_writer_add_hole(m.writer, "data/0", sizeof data, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_add_hole(m.writer, "data/0", 1, &m.err), PTIO_ERR_ARGUMENT);
    m.err = (ptio_error){0};
    assert_int_equal(ptio_writer_add_hole(m.writer, ".data/serialization_id", 20, NULL), PTIO_OK);
    add(&m, "data/1", "one", 3);
    ptio_text bytes = finish(&m);
    assert_int_equal(ptio_source_from_memory(bytes.bytes, bytes.size, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    size_t index = ptio_archive_find(archive, "archive/data/0");
    assert_true(ptio_archive_record(archive, index, &record));
    assert_int_equal(record.size, sizeof data);
    assert_int_equal(record.crc32, 0);
    assert_int_equal(ptio_archive_read(archive, index, 0, data, sizeof data - 1, NULL), PTIO_OK);
    for (size_t i = 0; i < sizeof data - 1; i++)
        assert_int_equal(data[i], 0);
    assert_true(ptio_archive_record(archive, ptio_archive_find(archive, "archive/data/1"), &record));
    assert_int_equal(ptio_archive_read(archive, ptio_archive_find(archive, "archive/data/1"), 0, found, 3, NULL), PTIO_OK);
    assert_memory_equal(found, "one", 3);
    ptio_archive_free(archive);
    ptio_source_free(source);
    stop(&m);
}

static int64_t read_too_much(void *ctx, void *buffer, size_t size)
{
    (void)ctx;
    (void)buffer;
    return (int64_t)size + 1;
}

static void an_archive_with_half_a_record_is_not_finished(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        input in = {(const unsigned char *)"abc", 3, 0, SIZE_MAX, i ? -1 : 0};
        maker m;
        start(&m, NULL);
        assert_int_equal(ptio_writer_add_from(m.writer, "data/0", 5, i < 2 ? read_input : read_too_much, &in, &m.err),
                         PTIO_ERR_IO);
        assert_string_equal(m.err.reason, "io.callback");
        assert_string_equal(m.err.record, "data/0");
        m.err = (ptio_error){0};
        assert_int_equal(ptio_writer_add(m.writer, "data/1", "a", 1, &m.err), PTIO_ERR_ARGUMENT);
        m.err = (ptio_error){0};
        assert_int_equal(ptio_writer_finish(m.writer, &m.err), PTIO_ERR_ARGUMENT);
        assert_string_equal(m.err.reason, "zip.call");
        m.err = (ptio_error){0};
        assert_int_equal(ptio_sink_finish(m.sink, &m.err), PTIO_ERR_IO);
        assert_string_equal(m.err.reason, "io.callback");
        stop(&m);
    }
}

/* A sink with an archive that nobody finished is not finished either; one of which nothing was written is. */
static void an_archive_that_was_left_is_not_finished(void **state)
{
    (void)state;
    for (int records = 0; records < 2; records++) {
        maker m;
        start(&m, NULL);
        if (records)
            add(&m, "data.pkl", "N.", 2);
        ptio_writer_free(m.writer);
        m.writer = NULL;
        assert_int_equal(ptio_sink_finish(m.sink, &m.err), records ? PTIO_ERR_ARGUMENT : PTIO_OK);
        if (records)
            assert_string_equal(m.err.reason, "zip.unfinished");
        stop(&m);
    }
}

/* ---- failures ---- */

/* Write an archive of all kinds of records to the sink: one of `size` bytes, and the more small ones, the larger it is. */
static ptio_status write_all(ptio_sink *sink, const unsigned char *data, size_t size, const ptio_memory *memory, ptio_error *err)
{
    ptio_writer_options options = {PTIO_WRITER_OPTIONS, .memory = memory};
    ptio_writer *writer = NULL;
    input in = {data, 1000, 0, 700, 0};
    ptio_status status = ptio_writer_open(sink, &options, &writer, err);
    if (status == PTIO_OK)
        status = ptio_writer_add(writer, "data.pkl", data, 100, err);
    if (status == PTIO_OK)
        status = ptio_writer_add(writer, "data/0", data, size, err);
    if (status == PTIO_OK)
        status = ptio_writer_add_from(writer, "data/1", 1000, read_input, &in, err);
    for (size_t i = 0; status == PTIO_OK && i < 3 + size / 20000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "more/%zu", i);
        status = ptio_writer_add(writer, name, name, 2, err);
    }
    if (status == PTIO_OK)
        status = ptio_writer_finish(writer, err);
    ptio_writer_free(writer);
    return status == PTIO_OK ? ptio_sink_finish(sink, err) : status;
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    unsigned char *data = large_bytes();
    ptio_status status = PTIO_ERR_MEMORY;
    for (uint64_t n = 0; status != PTIO_OK; n++) {
        ptio_error err = {0};
        ptio_sink *sink = NULL;
        counted_memory m;
        counted_memory_init(&m);
        m.fail_at = n;
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
        status = write_all(sink, data, LARGE, &m.hooks, &err);
        assert_int_equal(m.held, 0);
        if (status != PTIO_OK) {
            assert_int_equal(status, PTIO_ERR_MEMORY);
            assert_string_equal(err.reason, "memory");
        }
        ptio_sink_free(sink);
        assert_true(n < 1000);
    }
    free(data);
}

/* Keeps what it gets; fails at call `fail_at`, and for good from then on. */
typedef struct output {
    unsigned char *bytes;
    size_t size, most;
    uint64_t calls, fail_at;
} output;

static int64_t write_output(void *ctx, const void *data, size_t size)
{
    output *out = ctx;
    if (out->calls++ >= out->fail_at)
        return -1;
    size_t n = size < out->most ? size : out->most;
    assert_true(out->size + n <= 2 * LARGE);
    memcpy(out->bytes + out->size, data, n);
    out->size += n;
    return (int64_t)n;
}

static ptio_status write_to(output *out, const unsigned char *data, size_t size, ptio_error *err)
{
    static const ptio_sink_callbacks callbacks = {.write = write_output};
    ptio_sink *sink = NULL;
    assert_int_equal(ptio_sink_from_callbacks(&callbacks, out, NULL, &sink, NULL), PTIO_OK);
    ptio_status status = write_all(sink, data, size, NULL, err);
    ptio_sink_free(sink);
    return status;
}

static void expect_failure_at_each_call(size_t size, size_t most)
{
    unsigned char *data = large_bytes(), *bytes = malloc(2 * LARGE);
    ptio_status status = PTIO_ERR_IO;
    assert_non_null(bytes);
    for (uint64_t n = 0; status != PTIO_OK; n++) {
        output out = {.bytes = bytes, .most = most, .fail_at = n};
        ptio_error err = {0};
        status = write_to(&out, data, size, &err);
        assert_int_equal(status, n < out.calls ? PTIO_ERR_IO : PTIO_OK);
        assert_int_equal(err.status, status);
        assert_true(n < 30000);
    }
    free(bytes);
    free(data);
}

static void the_nth_write_fails(void **state)
{
    (void)state;
    expect_failure_at_each_call(LARGE, 20000);
}

static void the_nth_byte_fails(void **state)
{
    (void)state;
    expect_failure_at_each_call(300, 1);
}

static void short_writes_make_the_same_bytes(void **state)
{
    (void)state;
    unsigned char *data = large_bytes(), *whole = malloc(2 * LARGE), *bytes = malloc(2 * LARGE);
    assert_true(whole && bytes);
    output expected = {.bytes = whole, .most = SIZE_MAX, .fail_at = UINT64_MAX};
    assert_int_equal(write_to(&expected, data, LARGE, NULL), PTIO_OK);
    assert_int_equal(use_archive(whole, expected.size, NULL, NULL, NULL), PTIO_OK);
    static const size_t most[] = {7, 1000, 65536};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        output out = {.bytes = bytes, .most = most[i], .fail_at = UINT64_MAX};
        assert_int_equal(write_to(&out, data, LARGE, NULL), PTIO_OK);
        assert_int_equal(out.size, expected.size);
        assert_memory_equal(bytes, whole, out.size);
    }
    free(data);
    free(whole);
    free(bytes);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    ptio_writer *writer = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_writer_open(NULL, NULL, &writer, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "argument.null");
    ptio_writer_free(NULL);
    maker m;
    start(&m, NULL);
    assert_int_equal(ptio_writer_add(m.writer, NULL, "a", 1, &m.err), PTIO_ERR_ARGUMENT);
    assert_string_equal(m.err.reason, "zip.name");
    m.err = (ptio_error){0};
    assert_int_equal(ptio_writer_add(m.writer, "a", NULL, 1, &m.err), PTIO_ERR_ARGUMENT);
    assert_string_equal(m.err.reason, "argument.null");
    stop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_an_archive),
        cmocka_unit_test(the_byte_order_is_that_of_the_machine),
        cmocka_unit_test(data_like_a_descriptor_count_in_the_id),
        cmocka_unit_test(without_crc),
        cmocka_unit_test(the_root_follows_the_path),
        cmocka_unit_test(pieces_make_the_same_bytes),
        cmocka_unit_test(a_hole_is_read_as_zeros),
        cmocka_unit_test(an_archive_with_half_a_record_is_not_finished),
        cmocka_unit_test(an_archive_that_was_left_is_not_finished),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(the_nth_write_fails),
        cmocka_unit_test(the_nth_byte_fails),
        cmocka_unit_test(short_writes_make_the_same_bytes),
        cmocka_unit_test(what_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
