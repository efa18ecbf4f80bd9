/*
 * Saves into sinks: what progress is told is what will be written, and a file of which a part is missing cannot be finished.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ptio.h"
#include "support/exercise.h"

#define LARGE ((size_t)40 << 20)

/** What progress was told. */
typedef struct watched {
    uint64_t done, total;
    unsigned calls;
} watched;

static int watch(void *ctx, uint64_t done, uint64_t total)
{
    watched *w = ctx;
    assert_true(done > w->done && done <= total);
    assert_true(!w->total || w->total == total);
    *w = (watched){done, total, w->calls + 1};
    return 0;
}

static int64_t count(void *ctx, const void *data, size_t size)
{
    (void)data;
    *(uint64_t *)ctx += size;
    return (int64_t)size;
}

static const ptio_value *large_tensor(ptio_builder *builder)
{
    const ptio_storage *storage = ptio_new_storage(builder, PTIO_UINT8, NULL, LARGE, NULL);
    ptio_value *list = ptio_new_list(builder);
    for (int i = 0; i < 12; i++) /* so that "10" comes before "2" in the older profiles */
        (void)ptio_append(builder, list, ptio_new_tensor(builder, PTIO_INT64, 1, (int64_t[]){i % 5}, (int64_t[5]){0}));
    const int64_t shape = LARGE;
    (void)ptio_append(builder, list, ptio_new_view(builder, storage, PTIO_UINT8, 1, &shape, NULL, 0, false));
    return list;
}

/* Saves twice into one sink, of which the second begins behind the first. */
static void expect_total(const ptio_value *value, ptio_save_options options)
{
    watched w = {0};
    uint64_t written = 0, first;
    const ptio_sink_callbacks callbacks = {.write = count};
    ptio_sink *sink;
    options.progress = watch;
    options.progress_ctx = &w;
    assert_int_equal(ptio_sink_from_callbacks(&callbacks, &written, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(value, sink, &options, NULL), PTIO_OK);
    assert_true(w.calls > 0);
    first = w.total;
    w.total = 0;
    assert_int_equal(ptio_save_sink(value, sink, &options, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    assert_int_equal(w.total, written);
    assert_true(first < written);
}

static void progress_knows_the_end(void **state)
{
    (void)state;
    ptio_builder *builder;
    assert_int_equal(ptio_builder_new(NULL, &builder, NULL), PTIO_OK);
    const ptio_value *value = large_tensor(builder);
    for (int profile = PTIO_PROFILE_2_7; profile <= PTIO_PROFILE_2_0; profile++)
        expect_total(value, (ptio_save_options){PTIO_SAVE_OPTIONS, .profile = (ptio_profile)profile});
    expect_total(value, (ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = true});
    expect_total(value, (ptio_save_options){PTIO_SAVE_OPTIONS, .alignment = 1000});
    ptio_save_options big = {PTIO_SAVE_OPTIONS, .no_byteorder = true};
    big.byte_order = PTIO_BIG_ENDIAN;
    expect_total(value, big);
    expect_total(value, (ptio_save_options){PTIO_SAVE_OPTIONS, .skip_data = true});
    expect_total(value, (ptio_save_options){PTIO_SAVE_OPTIONS, .root = "another"});
    ptio_builder_free(builder);
}

/* A file that is written as it was, too. */
static void progress_knows_the_end_of_copies(void **state)
{
    (void)state;
    ptio_builder *builder;
    assert_int_equal(ptio_builder_new(NULL, &builder, NULL), PTIO_OK);
    for (int legacy = 0; legacy < 2; legacy++) {
        const ptio_save_options options = {PTIO_SAVE_OPTIONS, .legacy = legacy};
        ptio_sink *sink;
        ptio_checkpoint *ckpt;
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        assert_int_equal(ptio_save_sink(large_tensor(builder), sink, &options, NULL), PTIO_OK);
        ptio_text bytes = ptio_sink_bytes(sink);
        assert_int_equal(ptio_load_memory(bytes.bytes, bytes.size, NULL, &ckpt, NULL), PTIO_OK);
        expect_total(ptio_root(ckpt), (ptio_save_options){PTIO_SAVE_OPTIONS, .as = ckpt});
        ptio_checkpoint_free(ckpt);
        ptio_sink_free(sink);
    }
    ptio_builder_free(builder);
}

/* ---- memory ---- */

static ptio_sink *saved_in(const ptio_value *value, ptio_byte_order order, const ptio_memory *memory)
{
    const ptio_save_options options = {.struct_size = sizeof options, .protocol = 2, .byte_order = order, .memory = memory};
    ptio_sink *sink;
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(value, sink, &options, NULL), PTIO_OK);
    return sink;
}

/* A file of the other byte order into one of this, and again as it was: neither takes the memory of a storage. */
static void what_is_swapped_passes_in_pieces(void **state)
{
    (void)state;
    const int64_t count = (6 << 20) / 4 + 77;
    uint32_t *numbers = malloc((size_t)count * 4);
    ptio_builder *builder;
    assert_non_null(numbers);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (uint32_t)i * 2654435761u;
    assert_int_equal(ptio_builder_new(NULL, &builder, NULL), PTIO_OK);
    const ptio_value *value = ptio_new_tensor(builder, PTIO_FLOAT32, 1, &count, numbers);
    for (int to = PTIO_LITTLE_ENDIAN; to <= PTIO_BIG_ENDIAN; to++)
        for (int from = PTIO_LITTLE_ENDIAN; from <= PTIO_BIG_ENDIAN; from++) {
            ptio_sink *in = saved_in(value, (ptio_byte_order)from, NULL), *expected = saved_in(value, (ptio_byte_order)to, NULL);
            ptio_text bytes = ptio_sink_bytes(in), wanted = ptio_sink_bytes(expected);
            FILE *file = tmpfile();
            counted_memory memory;
            ptio_checkpoint *ckpt;
            counted_memory_init(&memory);
            assert_non_null(file);
            assert_int_equal(fwrite(bytes.bytes, 1, bytes.size, file), bytes.size);
            rewind(file);
            const ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &memory.hooks};
            assert_int_equal(ptio_load_fd(fileno(file), &options, &ckpt, NULL), PTIO_OK);
            ptio_sink *out = saved_in(ptio_root(ckpt), (ptio_byte_order)to, &memory.hooks);
            assert_int_equal(ptio_sink_bytes(out).size, wanted.size);
            assert_int_equal(memcmp(ptio_sink_bytes(out).bytes, wanted.bytes, wanted.size), 0);
            assert_true(memory.most < (4 << 20));
            ptio_sink_free(out);
            ptio_checkpoint_free(ckpt);
            assert_int_equal(memory.held, 0);
            assert_int_equal(fclose(file), 0);
            ptio_sink_free(expected);
            ptio_sink_free(in);
        }
    ptio_builder_free(builder);
    free(numbers);
}

/* ---- what fails ---- */

/** A source that fails once it is told to. */
typedef struct failing {
    ptio_text bytes;
    uint64_t position;
    bool fails;
} failing;

static int64_t read_failing(void *ctx, void *buffer, size_t size)
{
    failing *f = ctx;
    size_t left = f->bytes.size - (size_t)f->position, n = size < left ? size : left;
    if (f->fails)
        return -1;
    memcpy(buffer, f->bytes.bytes + f->position, n);
    f->position += n;
    return (int64_t)n;
}

static int seek_failing(void *ctx, uint64_t offset)
{
    ((failing *)ctx)->position = offset;
    return 0;
}

/* The old file stays, even if nobody looks at what the save gave. */
static void a_save_that_failed_cannot_be_finished(void **state)
{
    (void)state;
    static const char path[] = "save_sink.pt";
    const ptio_source_callbacks callbacks = {.read = read_failing, .seek = seek_failing};
    ptio_builder *builder;
    ptio_sink *memory, *sink;
    ptio_source *source;
    ptio_checkpoint *ckpt;
    ptio_error err = {0}, again = {0};
    assert_int_equal(ptio_builder_new(NULL, &builder, NULL), PTIO_OK);
    assert_int_equal(ptio_save(ptio_new_int(builder, 5), path, NULL, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_to_memory(NULL, &memory, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(large_tensor(builder), memory, NULL, NULL), PTIO_OK);
    failing f = {.bytes = ptio_sink_bytes(memory)};
    assert_int_equal(ptio_source_from_callbacks(&callbacks, &f, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_load_source(source, NULL, &ckpt, NULL), PTIO_OK);
    f.fails = true;
    assert_int_equal(ptio_sink_open(path, NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(ptio_root(ckpt), sink, NULL, &err), PTIO_ERR_IO);
    assert_int_equal(ptio_save_sink(ptio_new_int(builder, 6), sink, NULL, NULL), PTIO_ERR_IO);
    assert_int_equal(ptio_sink_finish(sink, &again), PTIO_ERR_IO);
    assert_string_equal(again.message, err.message);
    ptio_sink_free(sink);
    ptio_checkpoint_free(ckpt);
    ptio_source_free(source);
    ptio_sink_free(memory);
    assert_int_equal(ptio_load(path, NULL, &ckpt, NULL), PTIO_OK);
    int64_t five = 0;
    assert_true(ptio_value_int(ptio_root(ckpt), &five));
    assert_int_equal(five, 5);
    ptio_checkpoint_free(ckpt);
    ptio_builder_free(builder);
    assert_int_equal(unlink(path), 0);
}

/* What fails before the first byte leaves the sink as it was. */
static void a_save_that_was_refused_is_not_there(void **state)
{
    (void)state;
    ptio_builder *builder;
    ptio_sink *sink;
    ptio_error err = {0};
    const ptio_save_options holes = {PTIO_SAVE_OPTIONS, .legacy = true, .skip_data = true},
                            root = {PTIO_SAVE_OPTIONS, .root = "/"};
    assert_int_equal(ptio_builder_new(NULL, &builder, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    const ptio_value *value = ptio_new_tensor(builder, PTIO_UINT8, 1, (int64_t[]){1}, "a");
    assert_int_equal(ptio_save_sink(value, NULL, NULL, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "argument.null");
    err = (ptio_error){0};
    assert_int_equal(ptio_save_sink(value, sink, &holes, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "save.skip-data");
    assert_int_equal(ptio_save_sink(value, sink, &root, NULL), PTIO_ERR_ARGUMENT);
    static char long_root[512];
    memset(long_root, 'r', 511);
    const ptio_save_options unreadable = {PTIO_SAVE_OPTIONS, .root = long_root};
    err = (ptio_error){0};
    assert_int_equal(ptio_save_sink(value, sink, &unreadable, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "save.root");
    assert_int_equal(ptio_sink_bytes(sink).size, 0);
    long_root[510] = '\0';
    assert_int_equal(ptio_save_sink(value, sink, &unreadable, NULL), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
    ptio_sink_free(sink);
    ptio_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_knows_the_end),
        cmocka_unit_test(progress_knows_the_end_of_copies),
        cmocka_unit_test(what_is_swapped_passes_in_pieces),
        cmocka_unit_test(a_save_that_failed_cannot_be_finished),
        cmocka_unit_test(a_save_that_was_refused_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
