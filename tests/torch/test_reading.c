/*
 * Reading all storages, by one thread and by many; who is told, and who stops it. Checks by many threads find what one finds.
 */
#include "torch/files.h"

#define MIB ((size_t)1 << 20)

/* Storages of these sizes in one file in memory. */
static const size_t sizes[] = {33 * MIB + 8, 8, 2 * MIB, 0, 100, 3 * MIB};
enum { COUNT = sizeof sizes / sizeof *sizes };

static size_t sum(void)
{
    size_t all = 0;
    for (size_t i = 0; i < COUNT; i++)
        all += sizes[i];
    return all;
}

#define BLOCK ((size_t)1 << 16)

/* What each byte of a block of storage i is. */
static int value_of(size_t i, size_t block)
{
    return (int)((i * 31 + block * 7 + 1) & 255);
}

static ptio_sink *save(bool legacy)
{
    ptio_error err = {0};
    ptio_builder *b;
    ptio_sink *sink;
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    ptio_value *list = ptio_new_list(b);
    for (size_t i = 0; i < COUNT; i++) {
        unsigned char *data = malloc(sizes[i] + 1);
        assert_non_null(data);
        for (size_t k = 0; k < sizes[i]; k += BLOCK)
            memset(data + k, value_of(i, k / BLOCK), sizes[i] - k < BLOCK ? sizes[i] - k : BLOCK);
        const ptio_storage *storage = ptio_new_storage_copy(b, PTIO_UINT8, data, sizes[i]);
        free(data);
        assert_true(
            ptio_append(b, list, ptio_new_view(b, storage, PTIO_UINT8, 1, (int64_t[]){(int64_t)sizes[i]}, NULL, 0, false)));
    }
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .legacy = legacy};
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    assert_int_equal(ptio_save_sink(list, sink, &options, &err), PTIO_OK);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_OK);
    ptio_builder_free(b);
    return sink;
}

typedef struct told {
    unsigned calls;
    uint64_t last, total;
    unsigned stop_at; /* the call that stops it; 0: none */
} told;

static int tell(void *ctx, uint64_t done, uint64_t total)
{
    told *t = ctx;
    t->calls++;
    assert_true(done > t->last || t->calls == 1);
    assert_true(done <= total);
    t->last = done;
    t->total = total;
    return t->calls == t->stop_at;
}

/* What is in memory is a view: a source of callbacks has to be read. */
typedef struct input {
    ptio_text bytes;
    uint64_t at;
} input;

static int64_t input_read(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    size_t left = in->at < in->bytes.size ? in->bytes.size - (size_t)in->at : 0;
    size = size < left ? size : left;
    memcpy(buffer, in->bytes.bytes + in->at, size);
    in->at += size;
    return (int64_t)size;
}

static int input_seek(void *ctx, uint64_t offset)
{
    input *in = ctx;
    in->at = offset;
    return 0;
}

static int64_t input_size(void *ctx)
{
    input *in = ctx;
    return (int64_t)in->bytes.size;
}

static ptio_source *open_input(input *in)
{
    static const ptio_source_callbacks callbacks = {.read = input_read, .seek = input_seek, .size = input_size};
    ptio_source *source;
    assert_int_equal(ptio_source_from_callbacks(&callbacks, in, NULL, NULL, &source, NULL), PTIO_OK);
    return source;
}

static void assert_read(const ptio_checkpoint *ckpt)
{
    for (size_t i = 0; i < COUNT; i++) {
        const void *data;
        const unsigned char *found;
        const ptio_storage *storage = ptio_value_storage(ptio_value_item(ptio_root(ckpt), i));
        assert_int_equal(ptio_storage_nbytes(storage), sizes[i]);
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
        found = data;
        for (size_t k = 0; k < sizes[i]; k += 4093)
            if (found[k] != value_of(i, k / BLOCK))
                fail_msg("byte %zu of storage %zu", k, i);
    }
}

static void all_storages_are_read(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        ptio_sink *sink = save(legacy);
        for (unsigned threads = 0; threads <= 5; threads += threads ? 4 : 1) {
            input in = {.bytes = ptio_sink_bytes(sink)};
            ptio_source *source = open_input(&in);
            told t = {0};
            ptio_checkpoint *ckpt;
            ptio_error err = {0};
            ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = threads, .progress = tell, .progress_ctx = &t};
            assert_int_equal(ptio_load_source(source, &options, &ckpt, &err), PTIO_OK);
            assert_int_equal(t.calls, 0);
            assert_int_equal(ptio_checkpoint_read(ckpt, &err), PTIO_OK);
            assert_int_equal(t.last, sum());
            assert_int_equal(t.total, sum());
            assert_in_range(t.calls, 2, 1 + sum() / (16 * MIB));
            in.at = 0;
            in.bytes.size = 0; /* there is nothing more to read */
            assert_read(ckpt);
            assert_int_equal(ptio_checkpoint_read(ckpt, &err), PTIO_OK);
            ptio_checkpoint_free(ckpt);
            ptio_source_free(source);
        }
        ptio_sink_free(sink);
    }
}

static void reading_can_be_stopped(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        input in = {.bytes = ptio_sink_bytes(sink)};
        ptio_source *source = open_input(&in);
        told t = {.stop_at = 2};
        ptio_checkpoint *ckpt;
        ptio_error err = {0};
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = threads, .progress = tell, .progress_ctx = &t};
        assert_int_equal(ptio_load_source(source, &options, &ckpt, &err), PTIO_OK);
        assert_int_equal(ptio_checkpoint_read(ckpt, &err), PTIO_ERR_CANCELLED);
        assert_string_equal(err.reason, "cancelled");
        assert_int_equal(t.calls, 2);
        t = (told){0};
        assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK); /* the rest */
        assert_read(ckpt);
        ptio_checkpoint_free(ckpt);
        ptio_source_free(source);
    }
    ptio_sink_free(sink);
}

static void one_storage_is_told_and_stopped_too(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    input in = {.bytes = ptio_sink_bytes(sink)};
    ptio_source *source = open_input(&in);
    told t = {.stop_at = 2};
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    const void *data;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .progress = tell, .progress_ctx = &t};
    assert_int_equal(ptio_load_source(source, &options, &ckpt, &err), PTIO_OK);
    const ptio_tensor *big = ptio_value_tensor(ptio_value_item(ptio_root(ckpt), 0)),
                      *small = ptio_value_tensor(ptio_value_item(ptio_root(ckpt), 1));
    assert_int_equal(ptio_storage_data(ptio_tensor_storage(small), &data, &err), PTIO_OK);
    assert_int_equal(t.calls, 0);
    assert_int_equal(ptio_storage_data(ptio_tensor_storage(big), &data, &err), PTIO_ERR_CANCELLED);
    assert_int_equal(t.last, 32 * MIB);
    assert_int_equal(t.total, sizes[0]);
    t = (told){0};
    unsigned char *copy = malloc(sizes[0]);
    assert_non_null(copy);
    err = (ptio_error){0};
    assert_int_equal(ptio_tensor_copy(big, PTIO_UINT8, copy, sizes[0], &err), PTIO_OK);
    assert_int_equal(t.calls, 3);
    assert_int_equal(t.last, sizes[0]);
    free(copy);
    ptio_checkpoint_free(ckpt);
    ptio_source_free(source);
    ptio_sink_free(sink);
}

/* Bytes that may be spoiled. */
static unsigned char *copy_of(ptio_text saved)
{
    unsigned char *copy = malloc(saved.size);
    assert_non_null(copy);
    memcpy(copy, saved.bytes, saved.size);
    return copy;
}

static void damage_ends_it(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    ptio_text saved = ptio_sink_bytes(sink);
    unsigned char *copy = copy_of(saved);
    copy[saved.size / 3] ^= 1; /* in the first storage */
    for (unsigned threads = 1; threads <= 3; threads++) {
        input in = {.bytes = {(char *)copy, saved.size}};
        ptio_source *source = open_input(&in);
        ptio_checkpoint *ckpt;
        ptio_error err = {0};
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = threads};
        assert_int_equal(ptio_load_source(source, &options, &ckpt, &err), PTIO_OK);
        assert_int_equal(ptio_checkpoint_read(ckpt, &err), PTIO_ERR_FORMAT);
        assert_string_equal(err.reason, "zip.crc");
        ptio_checkpoint_free(ckpt);
        ptio_source_free(source);
        /* Who does not want to know is not told. */
        options.no_crc32 = true;
        source = open_input(&in);
        assert_int_equal(ptio_load_source(source, &options, &ckpt, NULL), PTIO_OK);
        assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
        ptio_checkpoint_free(ckpt);
        ptio_source_free(source);
    }
    free(copy);
    ptio_sink_free(sink);
}

static const ptio_storage *storage_at(const ptio_checkpoint *ckpt, size_t index)
{
    return ptio_value_storage(ptio_value_item(ptio_root(ckpt), index));
}

/* What is only viewed is not compared until somebody asks, and then once. */
static void checksums_are_compared_on_request(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    ptio_text saved = ptio_sink_bytes(sink);
    unsigned char *copy = copy_of(saved);
    const void *data;
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    counted_memory m;
    counted_memory_init(&m);
    copy[saved.size / 3] ^= 1; /* in the first storage */
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &m.hooks};
    assert_int_equal(ptio_load_memory(copy, saved.size, &options, &ckpt, &err), PTIO_OK);
    assert_int_equal(ptio_storage_data(storage_at(ckpt, 0), &data, &err), PTIO_OK);
    for (int i = 0; i < 2; i++) {
        err = (ptio_error){0};
        assert_int_equal(ptio_storage_verify(storage_at(ckpt, 0), &err), PTIO_ERR_FORMAT);
        assert_string_equal(err.reason, "zip.crc");
        assert_string_equal(err.record, "archive/data/0");
    }
    m.fail_at = m.calls;
    assert_int_equal(ptio_storage_verify(storage_at(ckpt, 2), NULL), PTIO_ERR_MEMORY);
    for (size_t i = 1; i < COUNT; i++)
        assert_int_equal(ptio_storage_verify(storage_at(ckpt, i), NULL), PTIO_OK);
    uint64_t calls = m.calls;
    for (size_t i = 1; i < COUNT; i++)
        assert_int_equal(ptio_storage_verify(storage_at(ckpt, i), NULL), PTIO_OK);
    assert_int_equal(m.calls, calls); /* they are known to be right */
    assert_int_equal(ptio_storage_verify(NULL, NULL), PTIO_OK);
    ptio_checkpoint_free(ckpt);
    assert_int_equal(m.held, 0);
    ptio_sink_free(sink);
    free(copy);
}

/* A stream has none, nor has what a program made. */
static void where_there_is_no_checksum(void **state)
{
    (void)state;
    ptio_sink *sink = save(true);
    ptio_text saved = ptio_sink_bytes(sink);
    ptio_checkpoint *ckpt;
    ptio_builder *b;
    assert_int_equal(ptio_load_memory(saved.bytes, saved.size, NULL, &ckpt, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_verify(storage_at(ckpt, 0), NULL), PTIO_OK);
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_verify(ptio_new_storage(b, PTIO_UINT8, NULL, 5, NULL), NULL), PTIO_OK);
    ptio_builder_free(b);
    ptio_checkpoint_free(ckpt);
    ptio_sink_free(sink);
}

static void threads_check_what_one_checks(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    ptio_text saved = ptio_sink_bytes(sink);
    unsigned char *copy = copy_of(saved);
    for (unsigned spoiled = 0; spoiled < 2; spoiled++) {
        ptio_check_result first = {0};
        for (unsigned threads = 1; threads <= 3; threads++) {
            input in = {.bytes = {(char *)copy, saved.size}};
            ptio_source *source = open_input(&in);
            told t = {0};
            ptio_report *report;
            ptio_check_result result;
            assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
            ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = threads, .progress = tell, .progress_ctx = &t,
                                         .report = report};
            assert_int_equal(ptio_check_source(source, &options, &result, NULL), PTIO_OK);
            assert_int_equal(result.verdict, spoiled ? PTIO_DAMAGED : PTIO_WHOLE);
            assert_true(t.calls > 0);
            if (threads == 1)
                first = result;
            assert_int_equal(result.records_verified, first.records_verified);
            assert_int_equal(result.bytes_read, first.bytes_read);
            if (spoiled) {
                assert_true(ptio_report_count(report) >= 2);
                assert_string_equal(ptio_report_finding(report, 0)->reason, "zip.crc");
                assert_string_equal(ptio_report_finding(report, 1)->reason, "zip.crc");
                assert_true(ptio_report_finding(report, 0)->offset < ptio_report_finding(report, 1)->offset);
            }
            ptio_report_free(report);
            ptio_source_free(source);
        }
        copy[saved.size / 3] ^= 1;       /* in the first storage */
        copy[saved.size - 2 * MIB] ^= 1; /* in the last          */
    }
    free(copy);
    ptio_sink_free(sink);
}

static void checks_can_be_stopped(void **state)
{
    (void)state;
    ptio_sink *sink = save(false);
    input in = {.bytes = ptio_sink_bytes(sink)};
    ptio_source *source = open_input(&in);
    told t = {.stop_at = 3};
    ptio_check_result result;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = 2, .progress = tell, .progress_ctx = &t};
    assert_int_equal(ptio_check_source(source, &options, &result, &err), PTIO_ERR_CANCELLED);
    assert_int_equal(t.calls, 3);
    ptio_source_free(source);
    ptio_sink_free(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_storages_are_read),
        cmocka_unit_test(reading_can_be_stopped),
        cmocka_unit_test(one_storage_is_told_and_stopped_too),
        cmocka_unit_test(damage_ends_it),
        cmocka_unit_test(checksums_are_compared_on_request),
        cmocka_unit_test(where_there_is_no_checksum),
        cmocka_unit_test(threads_check_what_one_checks),
        cmocka_unit_test(checks_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
