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

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/sink_kind.h"
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

static void small_writes_are_gathered(void **state)
{
    (void)state;
    ptio_sink *sink;
    taker t = {.most = SIZE};
    const ptio_sink_callbacks callbacks = {take, NULL, NULL};
    assert_int_equal(ptio_sink_from_callbacks(&callbacks, &t, NULL, &sink, NULL), PTIO_OK);
    for (size_t at = 0; at < SIZE; at += 1000) {
        assert_int_equal(ptio_sink_write(sink, bytes + at, 1000, NULL), PTIO_OK);
        assert_int_equal(t.taken % PTIO_SINK_BUFFER, 0);
    }
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    assert_int_equal(t.taken, SIZE);
    ptio_sink_free(sink);
}

/* ---- pipes and sockets ---- */

/* A process that reads slowly, and whether it got all. */
static void expect_through(int write_end, int read_end)
{
    int result = 0;
    pid_t child = fork();
    if (child == 0) {
        unsigned char piece[5000];
        size_t at = 0;
        (void)close(write_end);
        for (ssize_t n; (n = read(read_end, piece, sizeof piece)) > 0; at += (size_t)n) {
            if (at + (size_t)n > SIZE || memcmp(piece, bytes + at, (size_t)n) != 0)
                _exit(1);
            if (at % 50 == 0)
                (void)usleep(100);
        }
        _exit(at == SIZE ? 0 : 1);
    }
    ptio_sink *sink;
    assert_int_equal(close(read_end), 0);
    assert_int_equal(ptio_sink_from_fd(write_end, NULL, &sink, NULL), PTIO_OK);
    write_all(sink);
    ptio_sink_free(sink);
    assert_int_equal(close(write_end), 0);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void pipes_take_all(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    expect_through(ends[1], ends[0]);
}

static void descriptors_that_do_not_wait_are_waited_for(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    expect_through(ends[1], ends[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    expect_through(ends[1], ends[0]);
}

static void nothing(int number)
{
    (void)number;
}

/* A slow reader, signals in the midst of each write, and what the sink says of it. */
static void write_with_signals(bool by_stdio, ptio_status *said, int *read_all)
{
    int ends[2];
    ptio_sink *sink;
    struct sigaction interrupt = {.sa_handler = nothing}, ignore = {.sa_handler = SIG_IGN};
    struct itimerval soon = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        static unsigned char read_bytes[SIZE + 3000];
        size_t at = 0;
        (void)close(ends[1]);
        for (ssize_t n; at <= SIZE && (n = read(ends[0], read_bytes + at, 3000)) > 0; at += (size_t)n)
            (void)usleep(50);
        _exit(at == SIZE && memcmp(read_bytes, bytes, SIZE) == 0 ? 0 : 1);
    }
    assert_int_equal(close(ends[0]), 0);
    FILE *file = by_stdio ? fdopen(ends[1], "wb") : NULL;
    assert_int_equal(by_stdio ? ptio_sink_from_file(file, NULL, &sink, NULL) : ptio_sink_from_fd(ends[1], NULL, &sink, NULL),
                     PTIO_OK);
    assert_int_equal(sigaction(SIGALRM, &interrupt, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ptio_status status = PTIO_OK;
    for (size_t at = 0; at < SIZE && status == PTIO_OK; at += SIZE / 20)
        status = ptio_sink_write(sink, bytes + at, SIZE / 20, NULL);
    *said = status == PTIO_OK ? ptio_sink_finish(sink, NULL) : status;
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &ignore, NULL), 0); /* one may be on its way still */
    ptio_sink_free(sink);
    assert_int_equal(by_stdio ? fclose(file) : close(ends[1]), 0);
    assert_int_equal(waitpid(child, read_all, 0), child);
}

static void signals_do_no_harm(void **state)
{
    (void)state;
    ptio_status said;
    int read_all;
    write_with_signals(false, &said, &read_all);
    assert_int_equal(said, PTIO_OK);
    assert_int_equal(read_all, 0);
    /* Stdio may fail at them, but then it is said. */
    write_with_signals(true, &said, &read_all);
    if (said == PTIO_OK)
        assert_int_equal(read_all, 0);
}

static void a_pipe_without_reader_is_a_failure(void **state)
{
    (void)state;
    int ends[2];
    ptio_error err = {0};
    ptio_sink *sink;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(ptio_sink_from_fd(ends[1], NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "small", 5, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.write");
    assert_string_equal(err.record, "<stream>");
    assert_non_null(strstr(err.message, strerror(EPIPE)));
    ptio_sink_free(sink);
    assert_int_equal(close(ends[1]), 0);
    (void)signal(SIGPIPE, before);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    ptio_sink *sink = NULL;
    const ptio_sink_callbacks none = {0};
    assert_int_equal(ptio_sink_from_fd(-1, NULL, &sink, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_from_file(NULL, NULL, &sink, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_from_callbacks(NULL, NULL, NULL, &sink, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_from_callbacks(&none, NULL, NULL, &sink, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_finish(NULL, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_expect(NULL, 1, false, NULL), PTIO_ERR_ARGUMENT);
    assert_null(ptio_sink_bytes(NULL).bytes);
    ptio_sink_free(NULL);
    assert_null(sink);
    int fd = open(path, O_RDONLY | O_CREAT, 0600);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
    assert_null(ptio_sink_bytes(sink).bytes);
    assert_int_equal(ptio_sink_path(sink).size, 0);
    assert_int_equal(ptio_sink_write(sink, "x", 1, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_ERR_IO);
    ptio_sink_free(sink);
    assert_int_equal(close(fd), 0);
}

/* ---- the disk's work ---- */

static off_t synced_to;
static int sync_number;

static int note_sync(int fd, off_t offset, off_t size)
{
    (void)fd;
    assert_int_equal(offset, synced_to);
    synced_to = offset + size;
    errno = sync_number;
    return sync_number ? -1 : 0;
}

static ptio_status write_much(ptio_calls calls, bool durable)
{
    ptio_sink *sink;
    ptio_sink_options options = {PTIO_SINK_OPTIONS, .not_durable = !durable};
    unsigned char *much = calloc(20, 1 << 20);
    synced_to = 0;
    assert_int_equal(ptio_sink_open_with(&calls, path, &options, &sink, NULL), PTIO_OK);
    ptio_status status = ptio_sink_write(sink, much, 3 << 20, NULL);
    if (status == PTIO_OK)
        status = ptio_sink_write(sink, much, 17 << 20, NULL);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, NULL);
    ptio_sink_free(sink);
    free(much);
    return status;
}

static void the_disk_begins_early_where_all_must_be_on_it(void **state)
{
    (void)state;
    ptio_calls calls = ptio_calls_system;
    assert_int_equal(write_much(calls, true), PTIO_OK);
    calls.start_sync = note_sync;
    sync_number = 0;
    assert_int_equal(write_much(calls, true), PTIO_OK);
    assert_true(synced_to >= 11 << 20 && synced_to <= 20 << 20);
    assert_int_equal(write_much(calls, false), PTIO_OK);
    assert_int_equal(synced_to, 0);
    sync_number = ESPIPE; /* it cannot be asked */
    assert_int_equal(write_much(calls, true), PTIO_OK);
    sync_number = EIO; /* it failed */
    assert_int_equal(write_much(calls, true), PTIO_ERR_IO);
}

/* ---- threads ---- */

/* What was looked at, piece by piece. */
typedef struct seen {
    const unsigned char *bytes;
    size_t last, piece;
    uint64_t sizes[1000];
    const unsigned char *ends[1000];
    _Atomic(unsigned) wrong;
} seen;

static void note_block(void *ctx, size_t piece, const uint8_t *block, size_t size)
{
    seen *s = ctx;
    if (piece >= 1000 || (s->bytes && s->ends[piece] && block != s->ends[piece]) || size > 65536)
        s->wrong++;
    s->ends[piece] = block + size;
    s->sizes[piece] += size;
}

static void expect_all_seen(const seen *s)
{
    uint64_t size = 0;
    for (size_t i = 0; i < 1000; i++)
        size += s->sizes[i];
    assert_int_equal(size, SIZE);
    assert_int_equal(s->wrong, 0);
}

/* All bytes by threads, behind a few others and before some. */
static ptio_status write_by_threads(ptio_sink *sink, ptio_source *source, size_t pieces_seen)
{
    seen *s = calloc(1, sizeof *s);
    s->bytes = source ? NULL : bytes;
    ptio_sink_pieces pieces = {
        .threads = 4, .bytes = s->bytes, .source = source, .size = SIZE, .piece = 65536, .look = note_block, .ctx = s};
    assert_int_equal(ptio_sink_write(sink, "head", 4, NULL), PTIO_OK);
    ptio_status status = ptio_sink_write_pieces(sink, &pieces, NULL);
    if (status == PTIO_OK) {
        expect_all_seen(s);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(s->sizes[i] > 0, i < pieces_seen);
        assert_int_equal(ptio_sink_position(sink), SIZE + 4);
        assert_int_equal(ptio_sink_write(sink, "tail", 4, NULL), PTIO_OK);
    }
    free(s);
    return status;
}

static void expect_head_bytes_tail(const unsigned char *read, size_t size)
{
    assert_int_equal(size, SIZE + 8);
    assert_memory_equal(read, "head", 4);
    assert_memory_equal(read + 4, bytes, SIZE);
    assert_memory_equal(read + 4 + SIZE, "tail", 4);
}

/* Behind `before` other bytes of the file. */
static void expect_behind(size_t before)
{
    unsigned char *read = malloc(before + SIZE + 9);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(read, 1, before + SIZE + 9, file);
    assert_true(n >= before);
    expect_head_bytes_tail(read + before, n - before);
    assert_int_equal(fclose(file), 0);
    free(read);
}

enum { PIECES_IN_LINE = 1, PIECES_OF_THREADS = 1 + 2500000 / 65536 };

static void threads_write_files_and_memory(void **state)
{
    (void)state;
    ptio_source *source;
    ptio_sink *sink;
    assert_int_equal(ptio_source_from_memory(bytes, SIZE, NULL, &source, NULL), PTIO_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(write_by_threads(sink, i ? source : NULL, PIECES_OF_THREADS), PTIO_OK);
        assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
        ptio_sink_free(sink);
        expect_behind(0);
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(write_by_threads(sink, i ? source : NULL, PIECES_OF_THREADS), PTIO_OK);
        ptio_text all = ptio_sink_bytes(sink);
        expect_head_bytes_tail((const unsigned char *)all.bytes, all.size);
        ptio_sink_free(sink);
    }
    ptio_source_free(source);
}

static void threads_write_from_where_a_descriptor_is(void **state)
{
    (void)state;
    ptio_sink *sink;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, "before", 6), 6);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(write_by_threads(sink, NULL, PIECES_OF_THREADS), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 6 + SIZE + 8);
    assert_int_equal(close(fd), 0);
    expect_behind(6);
}

/* At the end of a file, whoever else writes there; and through a pipe there is no other way either. */
static void what_takes_bytes_only_in_line_gets_them_in_line(void **state)
{
    (void)state;
    ptio_sink *sink;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(write_by_threads(sink, NULL, PIECES_IN_LINE), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(close(fd), 0);
    expect_behind(0);
    FILE *file = fopen(path, "wb");
    assert_int_equal(ptio_sink_from_file(file, NULL, &sink, NULL), PTIO_OK);
    assert_false(ptio_sink_likes_pieces(sink, 4, UINT64_MAX));
    assert_int_equal(fclose(file), 0);
    ptio_sink_free(sink);
}

static _Atomic(unsigned) watched;

static int watch_some(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    watched++;
    return done > total / 2;
}

static void the_watcher_ends_threads(void **state)
{
    (void)state;
    ptio_error err = {0};
    ptio_sink *sink;
    size_t size = (size_t)96 << 20;
    unsigned char *much = calloc(1, size);
    ptio_sink_pieces pieces = {.threads = PTIO_ALL_THREADS, .bytes = much, .size = size};
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_expect(sink, size, false, NULL), PTIO_OK);
    assert_true(ptio_sink_likes_pieces(sink, 2, size));
    assert_false(ptio_sink_likes_pieces(sink, 1, size));
    assert_false(ptio_sink_likes_pieces(sink, 2, 1000));
    watched = 0;
    ptio_sink_watch(sink, watch_some, NULL);
    assert_int_equal(ptio_sink_write_pieces(sink, &pieces, &err), PTIO_ERR_CANCELLED);
    assert_string_equal(err.reason, "io.cancelled");
    assert_int_equal(watched, 3);
    assert_int_equal(ptio_sink_write(sink, "x", 1, NULL), PTIO_ERR_CANCELLED);
    ptio_sink_free(sink);
    free(much);
}

static ptio_status fail_read(ptio_source *source, ptio_sink **sink, ptio_error *err)
{
    assert_int_equal(ptio_sink_to_memory(NULL, sink, NULL), PTIO_OK);
    ptio_sink_pieces pieces = {.threads = 3, .source = source, .offset = 1, .size = SIZE, .piece = 65536};
    return ptio_sink_write_pieces(*sink, &pieces, err);
}

/* The source is a byte too short. */
static void a_failing_source_is_named(void **state)
{
    (void)state;
    ptio_error err = {0};
    ptio_source *source;
    ptio_sink *sink;
    assert_int_equal(ptio_source_from_memory(bytes, SIZE, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(fail_read(source, &sink, &err), PTIO_ERR_FORMAT);
    assert_string_equal(err.record, "<memory>");
    ptio_sink_free(sink);
    ptio_source_free(source);
}

/* ---- trouble ---- */

static ssize_t take_nothing(int fd, const void *data, size_t size)
{
    (void)fd, (void)data, (void)size;
    return 0;
}

static void a_descriptor_that_takes_nothing_fails(void **state)
{
    (void)state;
    ptio_calls calls = ptio_calls_system;
    ptio_sink *sink;
    calls.write = take_nothing;
    assert_int_equal(ptio_sink_from_fd_with(&calls, 1, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, bytes, SIZE, NULL), PTIO_ERR_IO);
    ptio_sink_free(sink);
}

/* ---- holes ---- */

#define HOLE ((size_t)3 << 20)

/* "head", a hole, "tail". */
static void write_hole(ptio_sink *sink)
{
    assert_int_equal(ptio_sink_write(sink, "head", 4, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, 0, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, HOLE, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_position(sink), HOLE + 4);
    assert_int_equal(ptio_sink_write(sink, "tail", 4, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, 100, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_position(sink), HOLE + 108);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
}

static void expect_hole_in(const unsigned char *read)
{
    assert_memory_equal(read, "head", 4);
    for (size_t i = 0; i < HOLE; i++)
        if (read[4 + i])
            fail_msg("byte %zu is %d", i, read[4 + i]);
    assert_memory_equal(read + 4 + HOLE, "tail", 4);
    assert_int_equal(read[HOLE + 8] | read[HOLE + 107], 0);
}

static void expect_hole(const char *name, off_t offset, size_t size, bool sparse)
{
    struct stat about;
    unsigned char *read = malloc(HOLE + 108);
    int fd = open(name, O_RDONLY);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_size, size);
    if (sparse)
        assert_true(about.st_blocks < (blkcnt_t)(HOLE / 512 / 2));
    assert_int_equal(pread(fd, read, HOLE + 108, offset), HOLE + 108);
    expect_hole_in(read);
    free(read);
    assert_int_equal(close(fd), 0);
}

static void paths_have_holes(void **state)
{
    (void)state;
    ptio_sink *sink;
    for (int expected = 0; expected < 2; expected++) {
        assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
        if (expected)
            assert_int_equal(ptio_sink_expect(sink, HOLE + 108, false, NULL), PTIO_OK);
        write_hole(sink);
        expect_hole(path, 0, HOLE + 108, true);
    }
}

static void descriptors_have_holes_at_the_end_of_a_file(void **state)
{
    (void)state;
    static const int flags[] = {0, O_APPEND};
    for (size_t i = 0; i < 2; i++) {
        ptio_sink *sink;
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags[i], 0600);
        assert_int_equal(write(fd, "before", 6), 6);
        if (flags[i])
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
        write_hole(sink);
        assert_int_equal(close(fd), 0);
        expect_hole(path, 6, HOLE + 114, true);
    }
}

static void what_was_there_is_written_over_with_zeros(void **state)
{
    (void)state;
    ptio_sink *sink;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, SIZE), SIZE);
    assert_int_equal(write(fd, bytes, SIZE), SIZE);
    assert_int_equal(lseek(fd, 10, SEEK_SET), 10);
    assert_int_equal(ptio_sink_from_fd(fd, NULL, &sink, NULL), PTIO_OK);
    write_hole(sink);
    assert_int_equal(close(fd), 0);
    expect_hole(path, 10, 2 * SIZE, false);
}

static void others_get_zeros(void **state)
{
    (void)state;
    ptio_sink *sink;
    FILE *file = fopen(path, "wb");
    assert_int_equal(ptio_sink_from_file(file, NULL, &sink, NULL), PTIO_OK);
    write_hole(sink);
    assert_int_equal(fclose(file), 0);
    expect_hole(path, 0, HOLE + 108, false);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "head", 4, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, HOLE, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "tail", 4, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, 100, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_bytes(sink).size, HOLE + 108);
    expect_hole_in((const unsigned char *)ptio_sink_bytes(sink).bytes);
    ptio_sink_free(sink);
}

static void no_file_is_that_long(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {UINT64_MAX, (uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ptio_sink *sink;
        ptio_error err = {0};
        assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_write(sink, "head", 4, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_skip(sink, sizes[i], &err), i ? PTIO_ERR_IO : PTIO_ERR_LIMIT);
        assert_int_equal(ptio_sink_finish(sink, NULL), i ? PTIO_ERR_IO : PTIO_ERR_LIMIT);
        ptio_sink_free(sink);
    }
    assert_int_equal(access(path, F_OK), -1);
}

static int cut_number;

static int no_ftruncate(int fd, off_t size)
{
    (void)fd, (void)size;
    errno = cut_number;
    return -1;
}

static void where_files_cannot_be_made_longer_zeros_are_written(void **state)
{
    (void)state;
    ptio_sink *sink;
    ptio_error err = {0};
    ptio_calls calls = ptio_calls_system;
    calls.ftruncate = no_ftruncate;
    cut_number = EPERM;
    assert_int_equal(ptio_sink_open_with(&calls, path, NULL, &sink, NULL), PTIO_OK);
    write_hole(sink);
    expect_hole(path, 0, HOLE + 108, false);
    cut_number = EFBIG; /* then zeros would be of no use */
    assert_int_equal(ptio_sink_open_with(&calls, path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, HOLE, &err), PTIO_ERR_IO);
    assert_non_null(strstr(err.message, strerror(EFBIG)));
    ptio_sink_free(sink);
}

/* ---- copies ---- */

static ptio_source *source_of(int kind, int *fd)
{
    ptio_source *source = NULL;
    *fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(*fd, bytes, SIZE), SIZE);
    if (kind == 0)
        assert_int_equal(ptio_source_from_memory(bytes, SIZE, NULL, &source, NULL), PTIO_OK);
    else
        assert_int_equal(ptio_source_from_fd(*fd, kind == 1 ? 0 : PTIO_SOURCE_MAP, NULL, NULL, &source, NULL), PTIO_OK);
    return source;
}

/* Ranges of every size and alignment, from every kind of source, to whatever the sink is; the same bytes come out. */
static const size_t ranges[][2] = {{0, SIZE}, {0, 0}, {1, 1}, {4096, 300000}, {100, 70000}, {SIZE - 65536, 65536}, {3, 65535}};

static void copy_all(ptio_sink *sink, ptio_source *source, unsigned char *expected, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        assert_int_equal(ptio_sink_copy(sink, source, ranges[i][0], ranges[i][1], NULL), PTIO_OK);
        memcpy(expected + *size, bytes + ranges[i][0], ranges[i][1]);
        *size += ranges[i][1];
        assert_int_equal(ptio_sink_position(sink), *size);
        assert_int_equal(ptio_sink_write(sink, "-", 1, NULL), PTIO_OK);
        expected[(*size)++] = '-';
    }
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
}

/* What blocks are shared is not the same everywhere, so a table shares some: it copies them, and counts. */
static unsigned clones, copies;
static bool can_clone, can_copy;

static int some_clone(int fd, off_t offset, int from, off_t from_offset, off_t size)
{
    if (!can_clone) {
        errno = EOPNOTSUPP;
        return -1;
    }
    clones++;
    assert_int_equal(offset % 4096, 0);
    assert_int_equal(from_offset % 4096, 0);
    assert_int_equal(size % 4096, 0);
    unsigned char *piece = malloc((size_t)size);
    assert_int_equal(pread(from, piece, (size_t)size, from_offset), size);
    assert_int_equal(pwrite(fd, piece, (size_t)size, offset), size);
    free(piece);
    return 0;
}

/* A part at a time, and a failure in the midst. */
static ssize_t some_copy(int fd, off_t offset, int from, off_t from_offset, size_t size)
{
    static unsigned char piece[30000];
    if (!can_copy || ++copies % 8 == 7) {
        errno = copies % 16 == 7 ? EINTR : EIO;
        return -1;
    }
    ssize_t n = pread(from, piece, size < sizeof piece ? size : sizeof piece, from_offset);
    return pwrite(fd, piece, (size_t)n, offset);
}

static void copies_are_the_same_by_every_way(void **state)
{
    (void)state;
    unsigned char *expected = malloc(2 * SIZE), *read = malloc(2 * SIZE);
    char target[110];
    ptio_calls calls = ptio_calls_system;
    calls.clone = some_clone;
    calls.copy = some_copy;
    (void)snprintf(target, sizeof target, "%s.copy", path);
    for (int way = 0; way < 3 * 2 * 2 * 4; way++) {
        int kind = way % 3, to = way / 12, source_fd, fd = -1;
        size_t size;
        ptio_sink *sink;
        ptio_source *source = source_of(kind, &source_fd);
        can_clone = way / 3 % 2;
        can_copy = way / 6 % 2;
        clones = copies = 0;
        if (to == 0)
            assert_int_equal(ptio_sink_open_with(&calls, target, NULL, &sink, NULL), PTIO_OK);
        else if (to == 1)
            assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        else {
            fd = open(target, O_RDWR | O_CREAT | O_TRUNC | (to == 3 ? O_APPEND : 0), 0600);
            assert_int_equal(ptio_sink_from_fd_with(&calls, fd, NULL, &sink, NULL), PTIO_OK);
        }
        copy_all(sink, source, expected, &size);
        assert_int_equal(clones > 0, can_clone && kind != 0 && (to == 0 || to == 2));
        assert_int_equal(copies > 0, can_copy && kind == 1 && (to == 0 || to == 2));
        if (to == 1)
            memcpy(read, ptio_sink_bytes(sink).bytes, size);
        ptio_sink_free(sink);
        ptio_source_free(source);
        assert_int_equal(close(source_fd), 0);
        if (to != 1) {
            FILE *file = fopen(target, "rb");
            assert_int_equal(fread(read, 1, 2 * SIZE, file), size);
            assert_int_equal(fclose(file), 0);
            assert_int_equal(unlink(target), 0);
        }
        if (fd >= 0)
            assert_int_equal(close(fd), 0);
        assert_memory_equal(read, expected, size);
    }
    free(expected);
    free(read);
}

/* Blocks are shared wherever source and target begin alike in them, and only there. */
static void blocks_are_shared_where_they_lie_alike(void **state)
{
    (void)state;
    static const uint64_t offsets[][2] = {{100, 100}, {4096, 0}, {8192 + 700, 700}, {100, 101}, {0, 4095}};
    char target[110];
    ptio_calls calls = ptio_calls_system;
    calls.clone = some_clone;
    calls.copy = some_copy;
    can_clone = true;
    can_copy = false;
    (void)snprintf(target, sizeof target, "%s.copy", path);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        int fd;
        ptio_sink *sink;
        ptio_source *source = source_of(1, &fd);
        clones = 0;
        assert_int_equal(ptio_sink_open_with(&calls, target, NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_write(sink, bytes, (size_t)offsets[i][1], NULL), PTIO_OK);
        assert_int_equal(ptio_sink_copy(sink, source, offsets[i][0], 200000, NULL), PTIO_OK);
        assert_int_equal(clones, i < 3);
        ptio_sink_free(sink);
        ptio_source_free(source);
        assert_int_equal(close(fd), 0);
    }
}

/* By the system's own calls, whatever they can do here. */
static void copies_are_the_same_by_the_systems_way(void **state)
{
    (void)state;
    unsigned char *expected = malloc(2 * SIZE), *read = malloc(2 * SIZE);
    char target[110];
    (void)snprintf(target, sizeof target, "%s.copy", path);
    for (int kind = 0; kind < 3; kind++) {
        ptio_sink *sink;
        int source_fd;
        size_t size;
        ptio_source *source = source_of(kind, &source_fd);
        assert_int_equal(ptio_sink_open(target, NULL, &sink, NULL), PTIO_OK);
        copy_all(sink, source, expected, &size);
        ptio_sink_free(sink);
        ptio_source_free(source);
        assert_int_equal(close(source_fd), 0);
        FILE *file = fopen(target, "rb");
        assert_int_equal(fread(read, 1, 2 * SIZE, file), size);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(unlink(target), 0);
        assert_memory_equal(read, expected, size);
    }
    free(expected);
    free(read);
}

static void what_the_source_has_not_cannot_be_copied(void **state)
{
    (void)state;
    char target[110];
    int fd;
    (void)snprintf(target, sizeof target, "%s.copy", path);
    static const uint64_t outside[][2] = {{0, SIZE + 1}, {SIZE, 1}, {SIZE + 1, 0}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        ptio_error err = {0};
        ptio_sink *sink;
        ptio_source *source = source_of(1, &fd);
        assert_int_equal(ptio_sink_open(target, NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_copy(sink, source, outside[i][0], outside[i][1], &err), PTIO_ERR_FORMAT);
        assert_string_equal(err.reason, "io.beyond-end");
        ptio_sink_free(sink);
        ptio_source_free(source);
        assert_int_equal(close(fd), 0);
    }
    /* Nor what it has no more. */
    ptio_error err = {0};
    ptio_sink *sink;
    ptio_source *source = source_of(1, &fd);
    assert_int_equal(ftruncate(fd, 100000), 0);
    assert_int_equal(ptio_sink_open(target, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_copy(sink, source, 0, SIZE, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.short");
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_ERR_IO);
    ptio_sink_free(sink);
    ptio_source_free(source);
    assert_int_equal(close(fd), 0);
    assert_int_equal(access(target, F_OK), -1);
}

/* ---- failures ---- */

typedef struct failing {
    uint64_t calls, fail_at; /* of write; flush after the last */
    int64_t answer;
    size_t most, taken;
} failing;

static int64_t fail_to_take(void *ctx, const void *data, size_t size)
{
    failing *f = ctx;
    (void)data;
    if (f->calls++ == f->fail_at)
        return f->answer == INT64_MAX ? (int64_t)size + 1 : f->answer;
    size_t n = size < f->most ? size : f->most;
    f->taken += n;
    return (int64_t)n;
}

static int fail_to_flush(void *ctx)
{
    failing *f = ctx;
    return f->calls++ == f->fail_at ? -1 : 0;
}

static void the_first_failure_stays(void **state)
{
    (void)state;
    static const int64_t answers[] = {-1, INT64_MIN, 0, INT64_MAX};
    const ptio_sink_callbacks callbacks = {fail_to_take, fail_to_flush, NULL};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        ptio_status status = PTIO_ERR_IO;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            ptio_error first = {0}, again = {0};
            failing f = {.fail_at = n, .answer = answers[i], .most = 65536};
            ptio_sink *sink;
            assert_int_equal(ptio_sink_from_callbacks(&callbacks, &f, NULL, &sink, NULL), PTIO_OK);
            status = PTIO_OK;
            for (size_t at = 0; at < SIZE && status == PTIO_OK; at += SIZE / 20)
                status = ptio_sink_write(sink, bytes + at, SIZE / 20, &first);
            if (status == PTIO_OK)
                status = ptio_sink_finish(sink, &first);
            if (f.calls > n) {
                assert_int_equal(status, PTIO_ERR_IO);
                assert_string_equal(first.reason, "io.callback");
                assert_string_equal(first.record, "<stream>");
                uint64_t calls = f.calls;
                assert_int_equal(ptio_sink_write(sink, bytes, SIZE, NULL), PTIO_ERR_IO);
                assert_int_equal(ptio_sink_skip(sink, SIZE, NULL), PTIO_ERR_IO);
                assert_int_equal(ptio_sink_expect(sink, SIZE, false, NULL), PTIO_ERR_IO);
                assert_int_equal(ptio_sink_finish(sink, &again), PTIO_ERR_IO);
                assert_string_equal(again.message, first.message);
                assert_int_equal(f.calls, calls);
            } else {
                assert_int_equal(f.taken, SIZE);
            }
            ptio_sink_free(sink);
        }
    }
}

/* Every kind without memory: a failure each time, and nothing is lost. */
static void memory_runs_out(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        ptio_status status = PTIO_ERR_MEMORY;
        for (uint64_t n = 0; status != PTIO_OK; n++) {
            counted_memory memory;
            counted_memory_init(&memory);
            memory.fail_at = n;
            ptio_error err = {0};
            ptio_sink *sink = NULL;
            taker t = {.most = SIZE};
            const ptio_sink_callbacks callbacks = {take, flush, close_taker};
            const ptio_sink_options options = {PTIO_SINK_OPTIONS, .backup = ".bak", .memory = &memory.hooks};
            FILE *file = tmpfile();
            status = kind == 0   ? ptio_sink_to_memory(&memory.hooks, &sink, &err)
                     : kind == 1 ? ptio_sink_open(path, &options, &sink, &err)
                     : kind == 2 ? ptio_sink_from_fd(fileno(file), &memory.hooks, &sink, &err)
                     : kind == 3 ? ptio_sink_from_file(file, &memory.hooks, &sink, &err)
                                 : ptio_sink_from_callbacks(&callbacks, &t, &memory.hooks, &sink, &err);
            assert_true((status == PTIO_OK) == (sink != NULL));
            for (size_t at = 0; at < SIZE && status == PTIO_OK; at += SIZE / 20)
                status = ptio_sink_write(sink, bytes + at, SIZE / 20, &err);
            if (status == PTIO_OK)
                status = ptio_sink_finish(sink, &err);
            ptio_sink_free(sink);
            assert_int_equal(memory.held, 0);
            assert_int_equal(t.closed, kind == 4 && sink);
            assert_int_equal(fclose(file), 0);
            if (status != PTIO_OK) {
                assert_int_equal(status, PTIO_ERR_MEMORY);
                assert_string_equal(err.reason, "memory");
            }
        }
    }
}

static void memory_that_is_expected_is_there_at_once(void **state)
{
    (void)state;
    counted_memory memory;
    counted_memory_init(&memory);
    ptio_sink *sink;
    ptio_error err = {0};
    assert_int_equal(ptio_sink_to_memory(&memory.hooks, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_expect(sink, SIZE, false, NULL), PTIO_OK);
    uint64_t calls = memory.calls;
    write_all(sink);
    assert_int_equal(memory.calls, calls);
    ptio_sink_free(sink);
    assert_int_equal(ptio_sink_to_memory(&memory.hooks, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, "x", 1, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_expect(sink, UINT64_MAX - 1, false, &err), PTIO_ERR_MEMORY);
    ptio_sink_free(sink);
    assert_int_equal(memory.held, 0);
}

static void streams_tell_of_a_full_disk(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        ptio_sink *sink;
        ptio_error err = {0};
        FILE *file = fopen("/dev/full", "wb");
        assert_int_equal(ptio_sink_from_file(file, NULL, &sink, NULL), PTIO_OK);
        ptio_status status = ptio_sink_write(sink, bytes, small ? 10 : SIZE, &err);
        assert_int_equal(status, small ? PTIO_OK : PTIO_ERR_IO);
        assert_int_equal(ptio_sink_finish(sink, &err), PTIO_ERR_IO);
        assert_string_equal(err.reason, "io.write");
        assert_non_null(strstr(err.message, strerror(ENOSPC)));
        ptio_sink_free(sink);
        (void)fclose(file);
    }
}

/* A dry run finds what would fail, and makes nothing. */
static void a_dry_run_makes_nothing(void **state)
{
    (void)state;
    const ptio_sink_options dry = {PTIO_SINK_OPTIONS, .dry_run = true, .backup = ".bak"};
    ptio_sink *sink;
    ptio_error err = {0};
    (void)unlink(path);
    assert_int_equal(ptio_sink_open(path, &dry, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_write(sink, bytes, SIZE, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_skip(sink, SIZE, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_position(sink), 2 * SIZE);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(ptio_sink_open("nowhere/there", &dry, &sink, &err), PTIO_ERR_IO);
    assert_string_equal(err.reason, "io.parent");
    err = (ptio_error){0};
    assert_int_equal(ptio_sink_open(folder, &dry, &sink, &err), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_sink_position(NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(memory_grows),
        TEST(small_writes_are_gathered),
        TEST(paths_are_made),
        TEST(descriptors_are_written_at_their_position),
        TEST(streams_are_written_by_stdio),
        TEST(callbacks_may_take_less),
        TEST(pipes_take_all),
        TEST(descriptors_that_do_not_wait_are_waited_for),
        TEST(signals_do_no_harm),
        TEST(a_pipe_without_reader_is_a_failure),
        TEST(wrong_arguments_are_refused),
        TEST(the_disk_begins_early_where_all_must_be_on_it),
        TEST(threads_write_files_and_memory),
        TEST(threads_write_from_where_a_descriptor_is),
        TEST(what_takes_bytes_only_in_line_gets_them_in_line),
        TEST(the_watcher_ends_threads),
        TEST(a_failing_source_is_named),
        TEST(a_descriptor_that_takes_nothing_fails),
        TEST(paths_have_holes),
        TEST(descriptors_have_holes_at_the_end_of_a_file),
        TEST(what_was_there_is_written_over_with_zeros),
        TEST(others_get_zeros),
        TEST(no_file_is_that_long),
        TEST(where_files_cannot_be_made_longer_zeros_are_written),
        TEST(copies_are_the_same_by_every_way),
        TEST(blocks_are_shared_where_they_lie_alike),
        TEST(copies_are_the_same_by_the_systems_way),
        TEST(what_the_source_has_not_cannot_be_copied),
        TEST(the_first_failure_stays),
        TEST(memory_runs_out),
        TEST(memory_that_is_expected_is_there_at_once),
        TEST(streams_tell_of_a_full_disk),
        TEST(a_dry_run_makes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
