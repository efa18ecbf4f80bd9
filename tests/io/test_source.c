/*
 * Sources of every kind give the same bytes, leave what they read from as it was, and fail in plain words.
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
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/source.h"
#include "support/exercise.h"

#define SIZE 100000

static unsigned char bytes[SIZE];
static char folder[64];
static char path[96];

static int make_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    (void)snprintf(folder, sizeof folder, "/tmp/ptio_source_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, SIZE, file) != SIZE)
        return -1;
    return fclose(file);
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

/* Everything that is true of a source of these bytes; frees it. */
static void expect_bytes_of(ptio_source *source)
{
    static const uint64_t ranges[][2] = {{0, SIZE}, {0, 0}, {0, 1}, {SIZE - 1, 1}, {SIZE, 0}, {4095, 2}, {70000, 25000}};
    static unsigned char buffer[SIZE];
    assert_int_equal(ptio_source_size(source), SIZE);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        size_t size = (size_t)ranges[i][1];
        memset(buffer, 0, sizeof buffer);
        assert_int_equal(ptio_source_read(source, ranges[i][0], buffer, size, NULL), PTIO_OK);
        assert_memory_equal(buffer, bytes + ranges[i][0], size);
        const uint8_t *view = ptio_source_view(source, ranges[i][0], size);
        if (view)
            assert_memory_equal(view, bytes + ranges[i][0], size);
    }
    static const uint64_t outside[][2] = {{0, SIZE + 1}, {SIZE, 1}, {SIZE + 1, 0}, {UINT64_MAX, 2}, {1, SIZE}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        ptio_error err = {0};
        assert_int_equal(ptio_source_read(source, outside[i][0], buffer, (size_t)outside[i][1], &err), PTIO_ERR_FORMAT);
        assert_string_equal(err.reason, "io.beyond-end");
        assert_true(err.offset <= SIZE);
        assert_null(ptio_source_view(source, outside[i][0], outside[i][1]));
    }
    ptio_source_free(source);
}

static void paths_are_read(void **state)
{
    (void)state;
    ptio_source *source;
    assert_int_equal(ptio_source_open(path, 0, NULL, NULL, &source, NULL), PTIO_OK);
    assert_true(ptio_text_is(ptio_source_name(source), path));
    assert_false(ptio_source_is_mapped(source));
    assert_null(ptio_source_view(source, 0, 1));
    expect_bytes_of(source);
}

static void paths_are_mapped(void **state)
{
    (void)state;
    ptio_source *source;
    assert_int_equal(ptio_source_open(path, PTIO_SOURCE_MAP, NULL, NULL, &source, NULL), PTIO_OK);
    assert_true(ptio_source_is_mapped(source));
    assert_non_null(ptio_source_view(source, 10, 20));
    expect_bytes_of(source);
}

static void descriptors_keep_their_position(void **state)
{
    (void)state;
    ptio_source *source;
    int fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 1234, SEEK_SET), 1234);
    assert_int_equal(ptio_source_from_fd(fd, 0, NULL, NULL, &source, NULL), PTIO_OK);
    expect_bytes_of(source);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 1234); /* and it is still open */
    assert_int_equal(close(fd), 0);
}

static void streams_keep_their_position(void **state)
{
    (void)state;
    ptio_source *source;
    FILE *file = fopen(path, "rb");
    assert_int_equal(fseek(file, 77, SEEK_SET), 0);
    assert_int_equal(fgetc(file), bytes[77]);
    assert_int_equal(ptio_source_from_file(file, NULL, NULL, &source, NULL), PTIO_OK);
    expect_bytes_of(source);
    assert_int_equal(fgetc(file), bytes[78]);
    assert_int_equal(fclose(file), 0);
}

static void streams_show_what_was_written_to_them(void **state)
{
    (void)state;
    ptio_source *source;
    unsigned char first[4];
    FILE *file = tmpfile();
    assert_int_equal(fwrite(bytes, 1, SIZE, file), SIZE);
    assert_int_equal(ptio_source_from_file(file, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    assert_int_equal(fwrite("over", 1, 4, file), 4); /* in the stream's buffer, not in the file */
    assert_int_equal(ptio_source_read(source, 0, first, 4, NULL), PTIO_OK);
    assert_memory_equal(first, "over", 4);
    assert_int_equal(ftell(file), 4);
    ptio_source_free(source);
    assert_int_equal(fclose(file), 0);
}

static void streams_need_no_descriptor(void **state)
{
    (void)state;
    ptio_source *source;
    FILE *file = fmemopen(bytes, SIZE, "rb");
    assert_int_equal(fileno(file), -1);
    assert_int_equal(ptio_source_from_file(file, NULL, NULL, &source, NULL), PTIO_OK);
    expect_bytes_of(source);
    assert_int_equal(fclose(file), 0);
}

static void memory_is_viewed(void **state)
{
    (void)state;
    ptio_source *source;
    ptio_error err = {0};
    assert_int_equal(ptio_source_from_memory(bytes, SIZE, NULL, &source, NULL), PTIO_OK);
    assert_ptr_equal(ptio_source_view(source, 5, 6), bytes + 5);
    assert_true(ptio_text_is(ptio_source_name(source), "<memory>"));
    expect_bytes_of(source);
    assert_int_equal(ptio_source_from_memory(NULL, 0, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_source_size(source), 0);
    ptio_source_free(source);
    assert_int_equal(ptio_source_from_memory(NULL, 1, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    ptio_source_free(NULL);
}

/* ---- the caller's functions ---- */

typedef struct input {
    uint64_t position;
    size_t most;   /* bytes of one read               */
    int64_t claim; /* what size() says                */
    int64_t lie;   /* what read() says, if not 0      */
    int closed;
} input;

static int64_t input_read(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    if (in->lie)
        return in->lie;
    size_t left = in->position < SIZE ? SIZE - (size_t)in->position : 0, n = size < left ? size : left;
    n = n < in->most ? n : in->most;
    memcpy(buffer, bytes + in->position, n);
    in->position += n;
    return (int64_t)n;
}

static int input_seek(void *ctx, uint64_t offset)
{
    ((input *)ctx)->position = offset;
    return 0;
}

static int64_t input_tell(void *ctx)
{
    return (int64_t)((input *)ctx)->position;
}

static int64_t input_size(void *ctx)
{
    return ((input *)ctx)->claim;
}

static void input_close(void *ctx)
{
    ((input *)ctx)->closed++;
}

static const ptio_source_callbacks all = {
    .read = input_read, .seek = input_seek, .tell = input_tell, .size = input_size, .close = input_close};

static void callbacks_may_be_any_subset(void **state)
{
    (void)state;
    for (unsigned have = 0; have < 16; have++) {
        input in = {.position = have & 4 ? 99 : 0, .most = have & 8 ? 1000 : SIZE, .claim = SIZE};
        ptio_source_callbacks callbacks = all;
        if (!(have & 1))
            callbacks.seek = NULL;
        if (!(have & 2))
            callbacks.size = NULL;
        if (!(have & 4))
            callbacks.tell = NULL;
        if (!(have & 1))
            in.position = 0;
        uint64_t before = in.position;
        ptio_source *source;
        assert_int_equal(ptio_source_from_callbacks(&callbacks, &in, NULL, NULL, &source, NULL), PTIO_OK);
        expect_bytes_of(source);
        assert_int_equal(in.closed, 1);
        if ((have & 5) == 5)
            assert_int_equal(in.position, before);
    }
}

static void failing_callbacks_are_named(void **state)
{
    (void)state;
    ptio_source *source = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_source_from_callbacks(&(ptio_source_callbacks){0}, NULL, NULL, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    input in = {.most = SIZE, .claim = -1};
    err = (ptio_error){0};
    assert_int_equal(ptio_source_from_callbacks(&all, &in, NULL, NULL, &source, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.callback");
    assert_int_equal(in.closed, 0); /* it was never handed over */
    /* More than there is, and more than was asked for. */
    in = (input){.most = SIZE, .claim = SIZE + 10};
    unsigned char buffer[20];
    err = (ptio_error){0};
    assert_int_equal(ptio_source_from_callbacks(&all, &in, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_source_read(source, SIZE - 10, buffer, 20, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.short");
    assert_int_equal(err.offset, SIZE);
    in.lie = 21;
    err = (ptio_error){0};
    assert_int_equal(ptio_source_read(source, 0, buffer, 20, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.callback");
    in.lie = -1;
    err = (ptio_error){0};
    assert_int_equal(ptio_source_read(source, 0, buffer, 20, &err), PTIO_ERR_IO);
    ptio_source_free(source);
}

/* ---- what can only be read forwards ---- */

typedef struct feeding {
    int fd;
    size_t size;
} feeding;

static void *feed(void *ctx)
{
    feeding *f = ctx;
    size_t done = 0;
    while (done < f->size) {
        ssize_t n = write(f->fd, bytes + done, f->size - done < 3000 ? f->size - done : 3000);
        if (n < 0)
            break;
        done += (size_t)n;
    }
    (void)close(f->fd);
    return NULL;
}

static void pipes_are_read_to_their_end(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        int ends[2];
        pthread_t thread;
        ptio_source *source;
        assert_int_equal(kind == 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
        feeding f = {.fd = ends[1], .size = SIZE};
        if (kind == 3)
            assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
        if (kind == 1) {
            FILE *file = fdopen(ends[0], "rb");
            assert_int_equal(ptio_source_from_file(file, NULL, NULL, &source, NULL), PTIO_OK);
            expect_bytes_of(source);
            (void)fclose(file);
        } else {
            assert_int_equal(ptio_source_from_fd(ends[0], PTIO_SOURCE_MAP, NULL, NULL, &source, NULL), PTIO_OK);
            assert_non_null(ptio_source_view(source, 0, SIZE));
            assert_false(ptio_source_is_mapped(source));
            expect_bytes_of(source);
            (void)close(ends[0]);
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static void streams_have_a_limit(void **state)
{
    (void)state;
    static const uint64_t limits[] = {SIZE - 1, SIZE, SIZE + 1, 65535, 65536, 1};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        ptio_source_callbacks callbacks = all;
        callbacks.seek = NULL;
        input in = {.most = SIZE};
        ptio_source *source = NULL;
        ptio_error err = {0};
        ptio_status status =
            ptio_source_from_callbacks(&callbacks, &in, NULL, &(ptio_limits){.stream_bytes = limits[i]}, &source, &err);
        assert_int_equal(status, limits[i] < SIZE ? PTIO_ERR_LIMIT : PTIO_OK);
        if (status != PTIO_OK)
            assert_string_equal(err.reason, "limit.stream");
        ptio_source_free(source);
    }
    /* A device that never ends. */
    ptio_source *source = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_source_open("/dev/zero", 0, NULL, &(ptio_limits){.stream_bytes = 1 << 20}, &source, &err),
                     PTIO_ERR_LIMIT);
    assert_string_equal(err.record, "/dev/zero");
}

static void files_that_say_nothing_of_their_size_are_read(void **state)
{
    (void)state;
    ptio_source *source;
    assert_int_equal(ptio_source_open("/dev/null", 0, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_source_size(source), 0);
    ptio_source_free(source);
    assert_int_equal(ptio_source_open("/proc/self/status", 0, NULL, NULL, &source, NULL), PTIO_OK);
    assert_true(ptio_source_size(source) > 100);
    ptio_source_free(source);
}

/* ---- failures ---- */

static void what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    ptio_source *source = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_source_open(folder, 0, NULL, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.directory");
    assert_string_equal(err.record, folder);
    err = (ptio_error){0};
    assert_int_equal(ptio_source_open("/no/such/file", 0, NULL, NULL, &source, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.open");
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_string_equal(err.record, "/no/such/file");
    err = (ptio_error){0};
    assert_int_equal(ptio_source_open(NULL, 0, NULL, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    err = (ptio_error){0};
    assert_int_equal(ptio_source_from_fd(-1, 0, NULL, NULL, &source, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.stat");
    err = (ptio_error){0};
    assert_int_equal(ptio_source_from_file(NULL, NULL, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    int fd = open(path, O_WRONLY);
    assert_int_equal(ptio_source_from_fd(fd, 0, NULL, NULL, &source, NULL), PTIO_OK);
    unsigned char byte;
    err = (ptio_error){0};
    assert_int_equal(ptio_source_read(source, 7, &byte, 1, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.read");
    assert_int_equal(err.offset, 7);
    ptio_source_free(source);
    assert_int_equal(close(fd), 0);
    FILE *file = fopen(folder, "rb");
    err = (ptio_error){0};
    assert_int_equal(ptio_source_from_file(file, NULL, NULL, &source, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "io.directory");
    assert_int_equal(fclose(file), 0);
}

static void a_file_may_shrink_or_grow(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= PTIO_SOURCE_MAP; flags++) {
        char changing[112];
        (void)snprintf(changing, sizeof changing, "%s/changing", folder);
        int fd = open(changing, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, bytes, SIZE), SIZE);
        ptio_source *source;
        unsigned char buffer[100];
        ptio_error err = {0};
        assert_int_equal(ptio_source_open(changing, flags, NULL, NULL, &source, NULL), PTIO_OK);
        assert_int_equal(ftruncate(fd, SIZE + 5000), 0);
        assert_int_equal(ptio_source_size(source), SIZE);
        assert_int_equal(ptio_source_read(source, SIZE - 50, buffer, 100, &err), PTIO_ERR_FORMAT);
        assert_int_equal(ftruncate(fd, 50000), 0);
        err = (ptio_error){0};
        assert_int_equal(ptio_source_read(source, 49950, buffer, 100, &err), PTIO_ERR_IO);
        assert_string_equal(err.reason, "io.short");
        assert_int_equal(err.offset, 50000);
        assert_int_equal(ptio_source_read(source, 49900, buffer, 100, NULL), PTIO_OK);
        assert_memory_equal(buffer, bytes + 49900, 100);
        ptio_source_free(source);
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink(changing), 0);
    }
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        ptio_status status = PTIO_ERR_MEMORY;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            counted_memory m;
            counted_memory_init(&m);
            m.fail_at = n;
            ptio_source_callbacks callbacks = all;
            callbacks.seek = NULL;
            input in = {.most = SIZE};
            ptio_source *source = NULL;
            ptio_error err = {0};
            if (kind == 0)
                status = ptio_source_open(path, 0, &m.hooks, NULL, &source, &err);
            else if (kind == 1)
                status = ptio_source_from_memory(bytes, SIZE, &m.hooks, &source, &err);
            else
                status = ptio_source_from_callbacks(&callbacks, &in, &m.hooks, NULL, &source, &err);
            assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
            assert_true(status == PTIO_OK || !source);
            if (status == PTIO_OK)
                expect_bytes_of(source);
            assert_int_equal(m.held, 0);
            assert_true(n < 100);
        }
    }
}

static void *read_in_a_thread(void *ctx)
{
    ptio_source *source = ctx;
    unsigned char buffer[1000];
    size_t wrong = 0;
    for (size_t i = 0; i < 300; i++) {
        size_t at = (i * 7919) % (SIZE - sizeof buffer);
        if (ptio_source_read(source, at, buffer, sizeof buffer, NULL) != PTIO_OK ||
            memcmp(buffer, bytes + at, sizeof buffer) != 0)
            wrong++;
    }
    return wrong ? ctx : NULL;
}

static void threads_may_read_at_once(void **state)
{
    (void)state;
    FILE *file = fopen(path, "rb");
    input in = {.most = 300, .claim = SIZE};
    ptio_source *sources[3];
    assert_int_equal(ptio_source_open(path, 0, NULL, NULL, &sources[0], NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_file(file, NULL, NULL, &sources[1], NULL), PTIO_OK);
    assert_int_equal(ptio_source_from_callbacks(&all, &in, NULL, NULL, &sources[2], NULL), PTIO_OK);
    for (size_t i = 0; i < 3; i++) {
        pthread_t threads[4];
        void *wrong;
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, read_in_a_thread, sources[i]), 0);
        for (size_t k = 0; k < 4; k++) {
            assert_int_equal(pthread_join(threads[k], &wrong), 0);
            assert_null(wrong);
        }
        ptio_source_free(sources[i]);
    }
    assert_int_equal(fclose(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_read),
        cmocka_unit_test(paths_are_mapped),
        cmocka_unit_test(descriptors_keep_their_position),
        cmocka_unit_test(streams_keep_their_position),
        cmocka_unit_test(streams_show_what_was_written_to_them),
        cmocka_unit_test(streams_need_no_descriptor),
        cmocka_unit_test(memory_is_viewed),
        cmocka_unit_test(callbacks_may_be_any_subset),
        cmocka_unit_test(failing_callbacks_are_named),
        cmocka_unit_test(pipes_are_read_to_their_end),
        cmocka_unit_test(streams_have_a_limit),
        cmocka_unit_test(files_that_say_nothing_of_their_size_are_read),
        cmocka_unit_test(what_cannot_be_opened_is_named),
        cmocka_unit_test(a_file_may_shrink_or_grow),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(threads_may_read_at_once),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
