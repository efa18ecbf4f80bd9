/*
 * Saves by several threads have the bytes that those of one thread have, whatever the target, the kind of file and where the elements
 * come from.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "torch/built.h"

#define LARGE ((size_t)17 << 20)
#define MORE (LARGE + 4321)

/* Two storages that threads are worth it for, of which one ends anywhere, and a small one. */
typedef struct given {
    uint8_t *bytes;
    ptio_builder *builder;
    const ptio_value *value;
} given;

static given make(void)
{
    given g = {malloc(LARGE + MORE), begin(), NULL};
    assert_non_null(g.bytes);
    for (size_t i = 0; i < LARGE + MORE; i++)
        g.bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    memcpy(g.bytes, "PK\7\10", 4); /* which the serialization id looks at */
    ptio_value *list = ptio_new_list(g.builder);
    const size_t sizes[] = {LARGE, MORE, 100};
    for (size_t i = 0; i < 3; i++) {
        const int64_t shape = (int64_t)sizes[i];
        (void)ptio_append(g.builder, list, ptio_new_tensor(g.builder, PTIO_UINT8, 1, &shape, g.bytes + (i == 1 ? LARGE : 0)));
    }
    g.value = list;
    return g;
}

static void give_back(given *g)
{
    ptio_builder_free(g->builder);
    free(g->bytes);
}

static void assert_same(ptio_sink *one, ptio_sink *many)
{
    ptio_text a = ptio_sink_bytes(one), b = ptio_sink_bytes(many);
    assert_int_equal(a.size, b.size);
    assert_int_equal(memcmp(a.bytes, b.bytes, a.size), 0);
}

static void expect_same(const ptio_value *value, ptio_save_options options)
{
    ptio_sink *one = saved(value, &options);
    options.threads = 3;
    ptio_sink *many = saved(value, &options);
    assert_same(one, many);
    ptio_sink_free(many);
    ptio_sink_free(one);
}

static void every_kind_of_file_is_the_same(void **state)
{
    (void)state;
    given g = make();
    expect_same(g.value, (ptio_save_options){PTIO_SAVE_OPTIONS});
    expect_same(g.value, (ptio_save_options){PTIO_SAVE_OPTIONS, .no_crc32 = true});
    expect_same(g.value, (ptio_save_options){PTIO_SAVE_OPTIONS, .alignment = 1});
    expect_same(g.value, (ptio_save_options){PTIO_SAVE_OPTIONS, .profile = PTIO_PROFILE_1_6});
    expect_same(g.value, (ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = true});
    give_back(&g);
}

static FILE *file_of(ptio_text bytes)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.bytes, 1, bytes.size, file), bytes.size);
    rewind(file);
    return file;
}

/* A descriptor in the middle of a file, and stdio, which takes bytes in line. */
static void every_target_is_the_same(void **state)
{
    (void)state;
    given g = make();
    const ptio_save_options options = {PTIO_SAVE_OPTIONS, .threads = PTIO_ALL_THREADS, .root = "archive"};
    ptio_sink *one = saved(g.value, &(ptio_save_options){PTIO_SAVE_OPTIONS});
    ptio_text expected = ptio_sink_bytes(one);
    char *read = malloc(expected.size + 4);
    for (int i = 0; i < 2; i++) {
        ptio_sink *sink;
        FILE *file = file_of((ptio_text){"old", 3});
        (void)fseek(file, 3, SEEK_SET);
        if (i)
            assert_int_equal(ptio_sink_from_file(file, NULL, &sink, NULL), PTIO_OK);
        else
            assert_int_equal(ptio_sink_from_fd(fileno(file), NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_save_sink(g.value, sink, &options, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
        ptio_sink_free(sink);
        rewind(file);
        assert_int_equal(fread(read, 1, expected.size + 4, file), expected.size + 3);
        assert_int_equal(memcmp(read, "old", 3), 0);
        assert_int_equal(memcmp(read + 3, expected.bytes, expected.size), 0);
        assert_int_equal(fclose(file), 0);
    }
    free(read);
    ptio_sink_free(one);
    give_back(&g);
}

/* Of a stream no checksum is known: each byte is read, by the threads, from where it is. */
static void loaded_storages_are_the_same(void **state)
{
    (void)state;
    given g = make();
    for (int legacy = 0; legacy < 2; legacy++) {
        ptio_sink *in = saved(g.value, &(ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = legacy});
        FILE *file = file_of(ptio_sink_bytes(in));
        ptio_checkpoint *ckpt;
        assert_int_equal(ptio_load_fd(fileno(file), NULL, &ckpt, NULL), PTIO_OK);
        expect_same(ptio_root(ckpt), (ptio_save_options){PTIO_SAVE_OPTIONS});
        expect_same(ptio_root(ckpt), (ptio_save_options){PTIO_SAVE_OPTIONS, .as = ckpt});
        ptio_checkpoint_free(ckpt);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(ptio_load_memory(ptio_sink_bytes(in).bytes, ptio_sink_bytes(in).size, NULL, &ckpt, NULL), PTIO_OK);
        expect_same(ptio_root(ckpt), (ptio_save_options){PTIO_SAVE_OPTIONS});
        expect_same(ptio_root(ckpt), (ptio_save_options){PTIO_SAVE_OPTIONS, .as = ckpt});
        ptio_checkpoint_free(ckpt);
        ptio_sink_free(in);
    }
    give_back(&g);
}

static void save_to(const char *path, const ptio_value *value, unsigned threads)
{
    const ptio_save_options options = {PTIO_SAVE_OPTIONS, .root = "another", .threads = threads};
    const ptio_sink_options how = {PTIO_SINK_OPTIONS, .not_durable = true};
    ptio_sink *sink;
    assert_int_equal(ptio_sink_open(path, &how, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(value, sink, &options, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
}

/* The checksums are known; the root has another length, so that nothing lies in its blocks as before. */
static void files_copied_by_threads_are_the_same(void **state)
{
    (void)state;
    given g = make();
    char folder[] = "/tmp/ptio_threads_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.pt", folder);
    ptio_sink *in = saved(g.value, &(ptio_save_options){PTIO_SAVE_OPTIONS});
    ptio_sink *one = saved(g.value, &(ptio_save_options){PTIO_SAVE_OPTIONS, .root = "another"});
    FILE *file = file_of(ptio_sink_bytes(in));
    ptio_checkpoint *ckpt;
    assert_int_equal(ptio_load_fd(fileno(file), NULL, &ckpt, NULL), PTIO_OK);
    for (unsigned threads = 0; threads < 4; threads += 3) {
        ptio_text expected = ptio_sink_bytes(one);
        char *read = malloc(expected.size + 1);
        save_to(path, ptio_root(ckpt), threads);
        FILE *made = fopen(path, "rb");
        assert_non_null(made);
        assert_int_equal(fread(read, 1, expected.size + 1, made), expected.size);
        assert_int_equal(memcmp(read, expected.bytes, expected.size), 0);
        assert_int_equal(fclose(made), 0);
        free(read);
    }
    ptio_checkpoint_free(ckpt);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    ptio_sink_free(one);
    ptio_sink_free(in);
    give_back(&g);
}

/* ---- the writer ---- */

static ptio_sink *written_by(unsigned threads, const given *g)
{
    ptio_writer *writer;
    ptio_sink *sink;
    const ptio_writer_options options = {PTIO_WRITER_OPTIONS, .threads = threads};
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_open(sink, &options, &writer, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_add(writer, "a", g->bytes, MORE, NULL), PTIO_OK);
    assert_int_equal(ptio_writer_finish(writer, NULL), PTIO_OK);
    ptio_writer_free(writer);
    return sink;
}

static void records_are_the_same(void **state)
{
    (void)state;
    given g = make();
    ptio_sink *one = written_by(0, &g), *many = written_by(64, &g);
    assert_same(one, many);
    ptio_sink_free(many);
    ptio_sink_free(one);
    give_back(&g);
}

/* ---- what is told ---- */

typedef struct told {
    _Atomic(int) inside;
    uint64_t done;
    unsigned calls, end_at;
} told;

static int tell(void *ctx, uint64_t done, uint64_t total)
{
    told *t = ctx;
    assert_int_equal(atomic_fetch_add(&t->inside, 1), 0);
    assert_true(done > t->done && done <= total);
    t->done = done;
    bool stop = ++t->calls == t->end_at;
    atomic_fetch_sub(&t->inside, 1);
    return stop;
}

static void progress_is_told_by_one_at_a_time_and_may_stop_all(void **state)
{
    (void)state;
    given g = make();
    for (unsigned end_at = 0; end_at < 3; end_at++) {
        told t = {.end_at = end_at};
        ptio_error err = {0};
        ptio_sink *sink;
        const ptio_save_options options = {PTIO_SAVE_OPTIONS, .threads = 4, .progress = tell, .progress_ctx = &t};
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        ptio_status status = ptio_save_sink(g.value, sink, &options, &err);
        assert_int_equal(status, end_at ? PTIO_ERR_CANCELLED : PTIO_OK);
        assert_int_equal(t.calls, end_at ? end_at : 2);
        ptio_sink_free(sink);
    }
    give_back(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file_is_the_same), cmocka_unit_test(every_target_is_the_same),
        cmocka_unit_test(loaded_storages_are_the_same),   cmocka_unit_test(files_copied_by_threads_are_the_same),
        cmocka_unit_test(records_are_the_same),           cmocka_unit_test(progress_is_told_by_one_at_a_time_and_may_stop_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
