/*
 * The writer of archives: every way to give a record makes the same bytes, what is wrong is refused before anything is written, and
 * what is written is read back by the library's own reader. test_golden.c and test_made_again.c compare whole files with PyTorch's.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "archive/archive.h"
#include "archive/zip_writer.h"
#include "base/text.h"
#include "open_zip.h"
#include "support/exercise.h"

/* ---- a writer of the library's own, over memory ---- */

typedef struct bench {
    ptio_heap heap;
    ptio_sink *sink;
    ptio_zip_writer *writer;
    ptio_error err;
} bench;

static void start(bench *b, uint32_t alignment, bool crc32)
{
    ptio_zip_writer_spec spec = {.root = PTIO_TEXT("archive"), .alignment = alignment, .crc32 = crc32};
    *b = (bench){0};
    ptio_heap_init(&b->heap, NULL, 0);
    assert_int_equal(ptio_sink_to_memory(NULL, &b->sink, NULL), PTIO_OK);
    assert_int_equal(ptio_zip_writer_new(b->sink, &spec, &b->heap, &b->writer, &b->err), PTIO_OK);
}

static void add(bench *b, const char *name, const void *data, size_t size)
{
    assert_int_equal(ptio_zip_writer_add(b->writer, ptio_text_of(name), data, size, &b->err), PTIO_OK);
}

static void begin(bench *b, const char *name, uint64_t size)
{
    assert_int_equal(ptio_zip_writer_begin(b->writer, ptio_text_of(name), size, &b->err), PTIO_OK);
}

static void end(bench *b)
{
    assert_int_equal(ptio_zip_writer_end_record(b->writer, &b->err), PTIO_OK);
}

/* The archive; borrowed until stop(). */
static ptio_text finish(bench *b)
{
    assert_int_equal(ptio_zip_writer_finish(b->writer, &b->err), PTIO_OK);
    return ptio_sink_bytes(b->sink);
}

static void stop(bench *b)
{
    ptio_zip_writer_free(b->writer);
    ptio_sink_free(b->sink);
    assert_int_equal(b->heap.used, 0);
}

static void expect_refused(bench *b, ptio_status status, ptio_status expected, const char *reason)
{
    assert_int_equal(status, expected);
    assert_int_equal(b->err.status, expected);
    assert_string_equal(b->err.reason, reason);
    b->err = (ptio_error){0};
}

static void expect_same(ptio_text found, ptio_text expected)
{
    assert_int_equal(found.size, expected.size);
    assert_memory_equal(found.bytes, expected.bytes, expected.size);
}

static unsigned char *some_bytes(size_t size)
{
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 253);
    return bytes;
}

/* The textbook's way, bit by bit. */
static uint32_t crc32_of(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static uint64_t peek_at(ptio_text bytes, size_t offset, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)bytes.bytes[offset + i] << (8 * i);
    return value;
}

/* ---- ways to give a record ---- */

#define LARGE ((size_t)1300000) /* more than two blocks */

static ptio_source *memory_source(const void *data, size_t size)
{
    ptio_source *source = NULL;
    assert_int_equal(ptio_source_from_memory(data, size, NULL, &source, NULL), PTIO_OK);
    return source;
}

/* A source that has no view. */
static ptio_source *file_source(const void *data, size_t size)
{
    FILE *file = tmpfile();
    ptio_source *source = NULL;
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
    int fd = dup(fileno(file));
    (void)fclose(file);
    assert_int_equal(ptio_source_from_fd(fd, 0, NULL, NULL, &source, NULL), PTIO_OK);
    return source;
}

static void copy(bench *b, ptio_source *source, uint64_t offset, uint64_t size, const uint32_t *crc32)
{
    assert_int_equal(ptio_zip_writer_copy(b->writer, source, offset, size, crc32, &b->err), PTIO_OK);
}

static void give(bench *b, const unsigned char *data, size_t size)
{
    assert_int_equal(ptio_zip_writer_data(b->writer, data, size, &b->err), PTIO_OK);
}

enum { WHOLE, PIECES, COPY, COPY_CRC, MIXTURE, WAYS };

static void add_in(bench *b, int way, const unsigned char *data, size_t size, ptio_source *source, const uint32_t *crc32)
{
    begin(b, "data/0", size);
    if (way == WHOLE)
        give(b, data, size);
    else if (way == PIECES)
        for (size_t at = 0, n = 1; at < size; at += n, n = n * 2 < size - at ? n * 2 : size - at)
            give(b, data + at, n);
    else if (way == COPY)
        copy(b, source, 0, size, NULL);
    else if (way == COPY_CRC)
        copy(b, source, 0, size, crc32);
    else {
        size_t third = size / 3;
        give(b, data, third);
        copy(b, source, third, third, NULL);
        give(b, data + 2 * third, size - 2 * third);
    }
    end(b);
}

static void all_ways_make_the_same_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 7, 8, 20, 100000, LARGE};
    unsigned char *data = some_bytes(LARGE);
    memcpy(data, "PK\7\10", 4); /* like a descriptor, which the id looks for in the first eight bytes */
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        for (int crc = 0; crc < 2; crc++) {
            bench expected;
            start(&expected, 64, crc);
            add(&expected, "data/0", data, sizes[n]);
            char expected_id[41];
            assert_int_equal(ptio_zip_writer_serialization_id(expected.writer, PTIO_LIBSTDCXX, expected_id, NULL), PTIO_OK);
            ptio_text bytes = finish(&expected);
            uint32_t crc32 = crc32_of(data, sizes[n]);
            for (int way = 0; way < WAYS * 2; way++) {
                ptio_source *source = way < WAYS ? memory_source(data, sizes[n]) : file_source(data, sizes[n]);
                bench b;
                char id[41];
                start(&b, 64, crc);
                add_in(&b, way % WAYS, data, sizes[n], source, &crc32);
                assert_int_equal(ptio_zip_writer_serialization_id(b.writer, PTIO_LIBSTDCXX, id, NULL), PTIO_OK);
                assert_string_equal(id, expected_id);
                expect_same(finish(&b), bytes);
                stop(&b);
                ptio_source_free(source);
            }
            stop(&expected);
        }
    }
    free(data);
}

/* A CRC that is given is believed: the bytes are not read, so that it still tells of damage to them. */
static void a_given_crc_is_kept(void **state)
{
    (void)state;
    const uint32_t crc32 = 0x12345678;
    ptio_source *source = memory_source("other bytes", 11);
    bench b;
    start(&b, 64, true);
    begin(&b, "a", 11);
    copy(&b, source, 0, 11, &crc32);
    end(&b);
    ptio_text bytes = finish(&b);
    ptio_error err = {0};
    assert_int_equal(use_archive(bytes.bytes, bytes.size, NULL, NULL, &err), PTIO_ERR_FORMAT);
    assert_string_equal(err.reason, "zip.crc");
    stop(&b);
    ptio_source_free(source);
}

/* The records before the id of a file that PyTorch 2.1 wrote on Linux. What is in them does not matter, only their CRCs. */
static void the_id_of_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t crc32;
    } records[] = {{"data.pkl", 0xEC86E4E3}, {"byteorder", 0x19E33D85}, {"version", 0x55679ED1}};
    ptio_source *source = memory_source("x", 1);
    bench b;
    char id[41];
    start(&b, 64, true);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        begin(&b, records[i].name, 1);
        copy(&b, source, 0, 1, &records[i].crc32);
        end(&b);
    }
    assert_int_equal(ptio_zip_writer_serialization_id(b.writer, PTIO_LIBSTDCXX, id, NULL), PTIO_OK);
    assert_string_equal(id, "0636457737946401051300000027264370494161");
    stop(&b);
    ptio_source_free(source);
}

static void a_record_left_out_reads_as_zeros(void **state)
{
    (void)state;
    static const unsigned char zeros[5000];
    bench with, without;
    start(&with, 64, false);
    start(&without, 64, true);
    for (int i = 0; i < 2; i++) {
        bench *b = i ? &with : &without;
        begin(b, "data/0", sizeof zeros);
        if (b == &with)
            give(b, zeros, sizeof zeros);
        else
            assert_int_equal(ptio_zip_writer_skip(b->writer, &b->err), PTIO_OK);
        end(b);
        begin(b, "data/1", 0);
        if (b == &without)
            assert_int_equal(ptio_zip_writer_skip(b->writer, &b->err), PTIO_OK);
        end(b);
    }
    expect_same(finish(&without), finish(&with));
    stop(&with);
    stop(&without);
}

/* ---- what is refused ---- */

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    const uint32_t crc32 = 0;
    bench b;
    ptio_source *source = memory_source("abc", 3);
    start(&b, 64, true);
    expect_refused(&b, ptio_zip_writer_data(b.writer, "a", 1, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_copy(b.writer, source, 0, 1, NULL, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_skip(b.writer, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_end_record(b.writer, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    begin(&b, "a", 3);
    expect_refused(&b, ptio_zip_writer_begin(b.writer, PTIO_TEXT("b"), 1, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_finish(b.writer, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_data(b.writer, "abcd", 4, &b.err), PTIO_ERR_ARGUMENT, "zip.size");
    expect_refused(&b, ptio_zip_writer_copy(b.writer, source, 0, 2, &crc32, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    give(&b, (const unsigned char *)"ab", 2);
    expect_refused(&b, ptio_zip_writer_skip(b.writer, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_copy(b.writer, source, 0, 2, NULL, &b.err), PTIO_ERR_ARGUMENT, "zip.size");
    (void)ptio_zip_writer_end_record(b.writer, &b.err);
    assert_string_equal(b.err.record, "a");
    assert_string_equal(b.err.message, "the record ends, but 1 of its 3 bytes were not given");
    expect_refused(&b, b.err.status, PTIO_ERR_ARGUMENT, "zip.size");
    give(&b, (const unsigned char *)"c", 1);
    end(&b);
    (void)finish(&b);
    expect_refused(&b, ptio_zip_writer_begin(b.writer, PTIO_TEXT("b"), 1, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    expect_refused(&b, ptio_zip_writer_finish(b.writer, &b.err), PTIO_ERR_ARGUMENT, "zip.call");
    ptio_text bytes = ptio_sink_bytes(b.sink);
    assert_int_equal(use_archive(bytes.bytes, bytes.size, NULL, NULL, NULL), PTIO_OK);
    stop(&b);
    ptio_source_free(source);
}

static void a_source_that_is_too_short_is_an_error(void **state)
{
    (void)state;
    ptio_source *sources[] = {memory_source("abc", 3), file_source("abc", 3)};
    for (int i = 0; i < 4; i++) {
        bench b;
        start(&b, 64, i < 2);
        begin(&b, "a", 5);
        expect_refused(&b, ptio_zip_writer_copy(b.writer, sources[i % 2], 0, 5, NULL, &b.err), PTIO_ERR_FORMAT, "io.beyond-end");
        stop(&b);
    }
    ptio_source_free(sources[0]);
    ptio_source_free(sources[1]);
}

/* A writer with hooks that fail: copies need a block of memory, each way. */
static ptio_status copy_with(const ptio_memory *memory, ptio_source *source, size_t size, const uint32_t *crc32, ptio_error *err)
{
    ptio_zip_writer_spec spec = {.root = PTIO_TEXT("archive"), .alignment = 64, .crc32 = true};
    ptio_heap heap;
    ptio_sink *sink = NULL;
    ptio_zip_writer *writer = NULL;
    ptio_heap_init(&heap, memory, 0);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    ptio_status status = ptio_zip_writer_new(sink, &spec, &heap, &writer, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_begin(writer, PTIO_TEXT("a"), size, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_copy(writer, source, 0, size, crc32, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_end_record(writer, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_finish(writer, err);
    ptio_zip_writer_free(writer);
    ptio_sink_free(sink);
    return status;
}

static void the_nth_allocation_of_a_copy_fails(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 100000};
    unsigned char *data = some_bytes(100000);
    const uint32_t crc32 = 1;
    for (size_t i = 0; i < 4; i++) {
        ptio_source *source = file_source(data, sizes[i / 2]);
        ptio_status status = PTIO_ERR_MEMORY;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            ptio_error err = {0};
            counted_memory m;
            counted_memory_init(&m);
            m.fail_at = n;
            status = copy_with(&m.hooks, source, sizes[i / 2], i % 2 ? &crc32 : NULL, &err);
            assert_int_equal(m.held, 0);
            assert_int_equal(err.status, status);
            assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
            assert_true(n < 50);
        }
        ptio_source_free(source);
    }
    free(data);
}

static void names_that_readers_refuse_are_refused(void **state)
{
    (void)state;
    static const ptio_text names[] = {
        PTIO_TEXT(""),    PTIO_TEXT("/a"),  PTIO_TEXT("a/"),   PTIO_TEXT("a//b"),  PTIO_TEXT("../a"),   PTIO_TEXT("a/../b"),
        PTIO_TEXT("./a"), PTIO_TEXT("a\0"), PTIO_TEXT("a\nb"), PTIO_TEXT("c:\\a"), PTIO_TEXT("\xC3(b"), PTIO_TEXT("a\\"),
    };
    bench b, plain;
    start(&b, 64, true);
    add(&b, "data/a", "x", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_refused(&b, ptio_zip_writer_begin(b.writer, names[i], 1, &b.err), PTIO_ERR_ARGUMENT, "zip.name");
    static const char *const taken[] = {"data/a", "data/A", "DATA/a", "data\\a"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        expect_refused(&b, ptio_zip_writer_begin(b.writer, ptio_text_of(taken[i]), 1, &b.err), PTIO_ERR_ARGUMENT,
                       "zip.duplicate");
    assert_true(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/a")));
    assert_false(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/A")));
    assert_false(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/")));
    add(&b, "data/b", "y", 1);
    /* Nothing is left of what was refused. */
    start(&plain, 64, true);
    assert_false(ptio_zip_writer_has(plain.writer, PTIO_TEXT("data/a")));
    add(&plain, "data/a", "x", 1);
    add(&plain, "data/b", "y", 1);
    expect_same(finish(&b), finish(&plain));
    stop(&b);
    stop(&plain);
}

/* data/0, data/1 and so on are found in another way than other names are: both must know of each other. */
static void numbered_names_are_taken_too(void **state)
{
    (void)state;
    static const char *const taken[] = {"data/3", "DATA/11", "data\\0", "Data/9", "other", "OTHER"};
    for (int odd = 0; odd < 4; odd++) {
        bench b;
        char name[32];
        start(&b, 64, true);
        add(&b, "other", "x", 1);
        for (int i = 0; i < 120; i++) {
            if (i == 60 && odd == 1)
                add(&b, "data/01", "x", 1); /* no number as they are written */
            if (i == 60 && odd == 2)
                add(&b, "between", "x", 1);
            if (i == 0 && odd == 3)
                add(&b, "data/x", "x", 1);
            (void)snprintf(name, sizeof name, "data/%d", i);
            assert_false(ptio_zip_writer_has(b.writer, ptio_text_of(name)));
            add(&b, name, "x", 1);
            assert_true(ptio_zip_writer_has(b.writer, ptio_text_of(name)));
        }
        for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
            expect_refused(&b, ptio_zip_writer_begin(b.writer, ptio_text_of(taken[i]), 1, &b.err), PTIO_ERR_ARGUMENT,
                           "zip.duplicate");
        assert_false(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/120")));
        assert_false(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/00")));
        assert_int_equal(ptio_zip_writer_has(b.writer, PTIO_TEXT("data/01")), odd == 1);
        for (int i = 0; i < 120; i++) {
            (void)snprintf(name, sizeof name, "data/%d", i);
            assert_true(ptio_zip_writer_has(b.writer, ptio_text_of(name)));
        }
        add(&b, "data/120", "x", 1);
        add(&b, "data/122", "x", 1);
        add(&b, "data/121", "x", 1);
        expect_refused(&b, ptio_zip_writer_begin(b.writer, PTIO_TEXT("data/122"), 1, &b.err), PTIO_ERR_ARGUMENT, "zip.duplicate");
        (void)finish(&b);
        stop(&b);
    }
}

static void the_longest_name_is_written(void **state)
{
    (void)state;
    bench b;
    char *name = malloc(65536);
    assert_non_null(name);
    memset(name, 'n', 65536);
    ptio_text longest = {name, 65535 - strlen("archive/")}, longer = {name, longest.size + 1};
    start(&b, 65504, true);
    expect_refused(&b, ptio_zip_writer_begin(b.writer, longer, 1, &b.err), PTIO_ERR_ARGUMENT, "zip.name");
    assert_int_equal(ptio_zip_writer_add(b.writer, longest, "abc", 3, &b.err), PTIO_OK);
    assert_true(ptio_zip_writer_has(b.writer, longest));
    ptio_text bytes = finish(&b);
    assert_int_equal(peek_at(bytes, 26, 2), 65535);
    assert_int_equal(30 + 65535 + peek_at(bytes, 28, 2), 2 * 65504);
    assert_memory_equal(bytes.bytes + 2 * 65504, "abc", 3);
    stop(&b);
    free(name);
}

static void the_longest_root_leaves_room_for_a_name(void **state)
{
    (void)state;
    char *root = malloc(65535);
    assert_non_null(root);
    memset(root, 'r', 65535);
    for (size_t size = 65533; size <= 65535; size++) {
        ptio_zip_writer_spec spec = {.root = {root, size}, .alignment = 64, .crc32 = true};
        ptio_zip_writer *writer = NULL;
        bench b;
        start(&b, 64, true);
        ptio_status status = ptio_zip_writer_new(b.sink, &spec, &b.heap, &writer, &b.err);
        if (size == 65533) {
            assert_int_equal(ptio_zip_writer_add(writer, PTIO_TEXT("a"), "x", 1, &b.err), PTIO_OK);
            expect_refused(&b, ptio_zip_writer_begin(writer, PTIO_TEXT("bc"), 1, &b.err), PTIO_ERR_ARGUMENT, "zip.name");
            ptio_zip_writer_free(writer);
        } else {
            expect_refused(&b, status, PTIO_ERR_ARGUMENT, "zip.name");
        }
        stop(&b);
    }
    free(root);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    uint64_t record = 0, directory = 0;
    bench b;
    start(&b, 64, true);
    expect_refused(&b, ptio_zip_writer_begin(b.writer, PTIO_TEXT("a"), UINT64_MAX, &b.err), PTIO_ERR_LIMIT, "zip.size");
    expect_refused(&b, ptio_zip_writer_begin(b.writer, PTIO_TEXT("a"), INT64_MAX, &b.err), PTIO_ERR_LIMIT, "zip.size");
    stop(&b);
    assert_false(ptio_zip_record_size(0, 10, UINT64_MAX - 50, 64, &record, &directory));
    assert_false(ptio_zip_record_size(UINT64_MAX - 50, 10, 20, 64, &record, &directory));
    assert_true(ptio_zip_record_size(1000, 10, 20, 64, &record, &directory));
}

static void roots_and_alignments_are_checked(void **state)
{
    (void)state;
    static const struct {
        ptio_text root;
        uint32_t alignment;
        const char *reason;
    } specs[] = {
        {PTIO_TEXT("a"), 0, "zip.alignment"}, {PTIO_TEXT("a"), 65505, "zip.alignment"}, {PTIO_TEXT(""), 64, "zip.name"},
        {PTIO_TEXT("a/b"), 64, "zip.name"},   {PTIO_TEXT("a\0b"), 64, "zip.name"},      {PTIO_TEXT("\xFF"), 64, "zip.name"},
    };
    bench b;
    start(&b, 64, true);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        ptio_zip_writer_spec spec = {.root = specs[i].root, .alignment = specs[i].alignment, .crc32 = true};
        ptio_zip_writer *writer = NULL;
        expect_refused(&b, ptio_zip_writer_new(b.sink, &spec, &b.heap, &writer, &b.err), PTIO_ERR_ARGUMENT, specs[i].reason);
    }
    stop(&b);
}

/* ---- layout ---- */

static void expect_aligned(ptio_text bytes, size_t count, uint32_t alignment)
{
    ptio_source *source = memory_source(bytes.bytes, bytes.size);
    ptio_archive *archive = NULL;
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_count(archive), count);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = 1;
        assert_int_equal(ptio_archive_locate(archive, i, &offset, NULL), PTIO_OK);
        assert_int_equal(offset % alignment, 0);
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
    assert_int_equal(use_archive(bytes.bytes, bytes.size, NULL, NULL, NULL), PTIO_OK);
}

static void data_are_aligned(void **state)
{
    (void)state;
    static const uint32_t alignments[] = {1, 2, 63, 64, 100, 4096, 65000, 65504};
    for (size_t n = 0; n < sizeof alignments / sizeof *alignments; n++) {
        bench b;
        start(&b, alignments[n], true);
        uint64_t expected = PTIO_ZIP_ENDS_SIZE, at = 0;
        for (size_t i = 0; i < 40; i++) {
            char name[16];
            uint64_t record, directory;
            (void)snprintf(name, sizeof name, "data/%zu", i);
            assert_true(ptio_zip_record_size(at, strlen("archive/") + strlen(name), i * 7, alignments[n], &record, &directory));
            unsigned char *data = some_bytes(i * 7 + 1);
            add(&b, name, data, i * 7);
            free(data);
            at += record;
            expected += record + directory;
            assert_int_equal(ptio_sink_position(b.sink), at);
        }
        ptio_text bytes = finish(&b);
        assert_int_equal(bytes.size, expected);
        expect_aligned(bytes, 40, alignments[n]);
        stop(&b);
    }
}

/* An archive behind other bytes: its offsets, and its alignment, count from its own beginning. */
static void an_archive_may_begin_anywhere(void **state)
{
    (void)state;
    bench first;
    ptio_zip_writer_spec spec = {.root = PTIO_TEXT("archive"), .alignment = 64, .crc32 = true};
    ptio_zip_writer *second = NULL;
    start(&first, 64, true);
    add(&first, "data.pkl", "abc", 3);
    size_t size = finish(&first).size;
    assert_int_equal(ptio_zip_writer_new(first.sink, &spec, &first.heap, &second, NULL), PTIO_OK);
    assert_int_equal(ptio_zip_writer_add(second, PTIO_TEXT("data.pkl"), "abc", 3, NULL), PTIO_OK);
    assert_int_equal(ptio_zip_writer_finish(second, NULL), PTIO_OK);
    ptio_zip_writer_free(second);
    ptio_text both = ptio_sink_bytes(first.sink);
    assert_int_equal(both.size, 2 * size);
    assert_memory_equal(both.bytes, both.bytes + size, size);
    stop(&first);
}

static void seventy_thousand_records(void **state)
{
    (void)state;
    enum { COUNT = 70000 };
    bench b;
    char name[32] = "";
    start(&b, 64, true);
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "data/%" PRIu32, i);
        add(&b, name, &name[5], i % 4);
    }
    ptio_text bytes = finish(&b);
    assert_int_equal(peek_at(bytes, bytes.size - 22 + 8, 2), 0xFFFF);
    assert_int_equal(peek_at(bytes, bytes.size - 22 + 10, 2), 0xFFFF);
    assert_int_equal(peek_at(bytes, bytes.size - 98 + 24, 8), COUNT);
    ptio_source *source = memory_source(bytes.bytes, bytes.size);
    ptio_archive *archive = NULL;
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_count(archive), COUNT);
    for (uint32_t i = 0; i < COUNT; i += 1111) {
        char data[8];
        (void)snprintf(name, sizeof name, "archive/data/%" PRIu32, i);
        assert_int_equal(ptio_archive_find(archive, name), i);
        assert_int_equal(ptio_archive_read(archive, i, 0, data, i % 4, NULL), PTIO_OK);
        assert_memory_equal(data, name + strlen("archive/data/"), i % 4);
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
    stop(&b);
}

/* ---- more than 4 GiB ---- */

static void expect_at(int fd, uint64_t offset, const char *hex)
{
    size_t size = strlen(hex) / 2;
    char found[256] = {0};
    unsigned char bytes[100];
    assert_true(size <= sizeof bytes);
    assert_int_equal(pread(fd, bytes, size, (off_t)offset), size);
    for (size_t i = 0; i < size; i++)
        (void)snprintf(found + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    assert_string_equal(found, hex);
}

/* The layout is that of a file which PyTorch 1.13.1 wrote, but for the CRC of the hole. */
static void numbers_beyond_32_bits(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = fileno(file);
    unsigned char *pickle = some_bytes(282);
    ptio_zip_writer_spec spec = {.root = PTIO_TEXT("big"), .alignment = 64, .crc32 = true};
    bench b = {0};
    ptio_heap_init(&b.heap, NULL, 0);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &b.sink, NULL), PTIO_OK);
    assert_int_equal(ptio_zip_writer_new(b.sink, &spec, &b.heap, &b.writer, NULL), PTIO_OK);
    add(&b, "data.pkl", pickle, 282);
    begin(&b, "data/0", ((uint64_t)1 << 32) + 5);
    assert_int_equal(ptio_zip_writer_skip(b.writer, &b.err), PTIO_OK);
    end(&b);
    add(&b, "data/1", "twelve bytes", 12);
    add(&b, "data/2", "", 0);
    add(&b, "version", "3\n", 2);
    assert_int_equal(ptio_zip_writer_finish(b.writer, &b.err), PTIO_OK);
    assert_int_equal(ptio_sink_finish(b.sink, &b.err), PTIO_OK);

    expect_at(fd, 362 + 14,
              "000000000000000000000000"
              "0a00"
              "2e00"
              "6269672f646174612f30"
              "01001000"
              "0500000001000000"
              "0000000000000000"
              "46421600"
              "5a5a");
    expect_at(fd, 448 + ((uint64_t)1 << 32) + 5,
              "504b0708"
              "00000000"
              "0500000001000000"
              "0500000001000000");
    expect_at(fd, 4294967773,
              "504b0304"
              "0000"
              "0808");
    expect_at(fd, 4294967773 + 40,
              "01000800"
              "dd01000001000000"
              "46422b00"
              "5a5a");
    expect_at(fd, 4294967872,
              "7477656c7665206279746573"
              "504b0708");
    expect_at(fd, 4294967872 + 12 + 8,
              "0c00000000000000"
              "0c00000000000000");
    expect_at(fd, 4294967908,
              "504b0304"
              "0000"
              "0008");
    expect_at(fd, 4294967908 + 40,
              "01000800"
              "6402000001000000"
              "46422400"
              "5a5a");
    expect_at(fd, 4294968000 + 41,
              "01000800"
              "c002000001000000"
              "46420700"
              "5a5a5a5a5a5a5a"
              "330a");
    uint64_t directory = 4294968064 + 2 + 24, record = directory + 46 + 12;
    expect_at(fd, record,
              "504b0102"
              "0000"
              "0000"
              "0808"
              "0000"
              "00000000"
              "00000000"
              "ffffffff"
              "ffffffff"
              "0a00"
              "1400"
              "0000"
              "0000"
              "0000"
              "00000000"
              "6a010000"
              "6269672f646174612f30"
              "01001000"
              "0500000001000000"
              "0500000001000000");
    record += 46 + 10 + 20;
    expect_at(fd, record + 20,
              "0c000000"
              "0c000000"
              "0a00"
              "0c00");
    expect_at(fd, record + 42,
              "ffffffff"
              "6269672f646174612f31"
              "01000800"
              "dd01000001000000");
    uint64_t ends = directory + 0x153;
    expect_at(fd, ends,
              "504b0606"
              "2c00000000000000"
              "1e03"
              "2d00"
              "00000000"
              "00000000"
              "0500000000000000"
              "0500000000000000"
              "5301000000000000"
              "1a03000001000000");
    expect_at(fd, ends + 56,
              "504b0607"
              "00000000"
              "6d04000001000000"
              "01000000");
    expect_at(fd, ends + 76,
              "504b0506"
              "0000"
              "0000"
              "0500"
              "0500"
              "53010000"
              "ffffffff"
              "0000");
    struct stat about;
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_size, ends + 98);
    assert_true((uint64_t)about.st_blocks * 512 < (uint64_t)1 << 30);

    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    char data[12];
    assert_int_equal(ptio_source_from_fd(fd, 0, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL), PTIO_OK);
    assert_int_equal(ptio_archive_read(archive, ptio_archive_find(archive, "big/data/1"), 0, data, 12, NULL), PTIO_OK);
    assert_memory_equal(data, "twelve bytes", 12);
    ptio_archive_free(archive);
    ptio_source_free(source);
    stop(&b);
    free(pickle);
    (void)fclose(file);
}

/* ---- the root of a path ---- */

static void roots_are_those_of_torch_save(void **state)
{
    (void)state;
    static const char *const roots[][2] = {
        {"a.pt", "a"},
        {"./a.pt", "a"},
        {"dir/a.pth", "a"},
        {"c.tar.gz", "c.tar"},
        {"b", "b"},
        {"trail.", "trail"},
        {"d e.pt", "d e"},
        {"\\x.pt", "x"},
        {"dir/a\\b.c.pt", "b.c"},
        {"..pt", "."},
        {"", "archive"},
        {"\xC3\xA4.pt", "archive"},
        {"\xC3\xA4/a.pt", "archive"},
        {"a.b/c", "c"},
        {"a\n.pt", "a\n"},
    };
    static const char *const without[] = {".hidden", "x/", ".pt", "dir/.pt", "a\\"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        ptio_text root = {0};
        assert_int_equal(ptio_zip_root_of_path(ptio_text_of(roots[i][0]), &root, NULL), PTIO_OK);
        assert_true(ptio_text_is(root, roots[i][1]));
    }
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        ptio_text root = {0};
        ptio_error err = {0};
        assert_int_equal(ptio_zip_root_of_path(ptio_text_of(without[i]), &root, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, "zip.path");
        assert_non_null(strstr(err.message, "invalid file name"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_make_the_same_bytes),
        cmocka_unit_test(a_given_crc_is_kept),
        cmocka_unit_test(the_id_of_a_file),
        cmocka_unit_test(a_record_left_out_reads_as_zeros),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_source_that_is_too_short_is_an_error),
        cmocka_unit_test(the_nth_allocation_of_a_copy_fails),
        cmocka_unit_test(names_that_readers_refuse_are_refused),
        cmocka_unit_test(numbered_names_are_taken_too),
        cmocka_unit_test(the_longest_name_is_written),
        cmocka_unit_test(the_longest_root_leaves_room_for_a_name),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(roots_and_alignments_are_checked),
        cmocka_unit_test(data_are_aligned),
        cmocka_unit_test(an_archive_may_begin_anywhere),
        cmocka_unit_test(seventy_thousand_records),
        cmocka_unit_test(numbers_beyond_32_bits),
        cmocka_unit_test(roots_are_those_of_torch_save),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
