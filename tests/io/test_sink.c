/*
 * Sinks of every kind take the same bytes, whatever the sizes of the writes, and keep their first failure.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/sink.h"
#include "support/exercise.h"

#define SIZE ((size_t)2500000)

static unsigned char *bytes;
static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    bytes = malloc(SIZE);
    for (size_t i = 0; bytes && i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    (void)snprintf(folder, sizeof folder, "/tmp/ptio_sink_XXXXXX");
    if (!bytes || !mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(bytes);
    (void)unlink(path);
    return rmdir(folder);
}

/* Write all the bytes in pieces of every size, and finish. */
static void write_all(ptio_sink *sink)
{
    size_t at = 0;
    for (size_t piece = 1; at < SIZE; piece = piece * 3 % 400009 + 1) {
        size_t size = piece < SIZE - at ? piece : SIZE - at;
        assert_int_equal(ptio_sink_position(sink), at);
        assert_int_equal(ptio_sink_write(sink, bytes + at, size, NULL), PTIO_OK);
        at += size;
    }
    assert_int_equal(ptio_sink_position(sink), SIZE);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
}

static void expect_in_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    unsigned char *read = malloc(SIZE + 1);
    assert_non_null(file);
    assert_non_null(read);
    assert_int_equal(fread(read, 1, SIZE + 1, file), SIZE);
    assert_memory_equal(read, bytes, SIZE);
    free(read);
    assert_int_equal(fclose(file), 0);
}

static void memory_grows(void **state)
{
    (void)state;
    ptio_sink *sink;
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_true(ptio_text_is(ptio_sink_name(sink), "<memory>"));
    assert_int_equal(ptio_sink_bytes(sink).size, 0);
    write_all(sink);
    assert_int_equal(ptio_sink_bytes(sink).size, SIZE);
    assert_memory_equal(ptio_sink_bytes(sink).bytes, bytes, SIZE);
    ptio_sink_free(sink);
}

static void paths_are_made(void **state)
{
    (void)state;
    ptio_sink *sink;
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_true(ptio_text_is(ptio_sink_path(sink), path));
    assert_int_equal(access(path, F_OK), -1);
    write_all(sink);
    ptio_sink_free(sink);
    expect_in_file(path);
}

static void descriptors_are_written_at_their_position(void **state)
{
    (void)state;
    ptio_sink *sink;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, "before", 6), 6);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
    write_all(sink);
    ptio_sink_free(sink);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), SIZE + 6);
    unsigned char *read = malloc(SIZE);
    assert_int_equal(pread(fd, read, SIZE, 6), SIZE);
    assert_memory_equal(read, bytes, SIZE);
    free(read);
    assert_int_equal(close(fd), 0);
}

static void streams_are_written_by_stdio(void **state)
{
    (void)state;
    ptio_sink *sink;
    FILE *file = fopen(path, "wb");
    assert_int_equal(ptio_sink_from_file(file, NULL, &sink, NULL), PTIO_OK);
    write_all(sink);
    ptio_sink_free(sink);
    expect_in_file(path);
    assert_int_equal(fclose(file), 0);
}

typedef struct taker {
    size_t taken, most;
    int flushed, closed;
} taker;

static int64_t take(void *ctx, const void *data, size_t size)
{
    taker *t = ctx;
    size_t n = size < t->most ? size : t->most;
    assert_true(t->taken + n <= SIZE);
    assert_memory_equal(data, bytes + t->taken, n);
    t->taken += n;
    return (int64_t)n;
}

static int flush(void *ctx)
{
    taker *t = ctx;
    t->flushed++;
    return 0;
}

static void close_taker(void *ctx)
{
    taker *t = ctx;
    t->closed++;
}

static void callbacks_may_take_less(void **state)
{
    (void)state;
    ptio_sink *sink;
    taker t = {.most = 777};
    const ptio_sink_callbacks callbacks = {take, flush, close_taker};
    assert_int_equal(ptio_sink_from_callbacks(&callbacks, &t, NULL, &sink, NULL), PTIO_OK);
    write_all(sink);
    assert_int_equal(t.flushed, 1);
    assert_int_equal(t.closed, 0);
    ptio_sink_free(sink);
    assert_int_equal(t.taken, SIZE);
    assert_int_equal(t.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_grows),
        cmocka_unit_test(paths_are_made),
        cmocka_unit_test(descriptors_are_written_at_their_position),
        cmocka_unit_test(streams_are_written_by_stdio),
        cmocka_unit_test(callbacks_may_take_less),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
