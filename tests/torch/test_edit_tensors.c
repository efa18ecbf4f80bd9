/*
 * Tensors in another dtype, saves of the used part of storages, taking out many entries, and saves that are watched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/exercise.h"

static ptio_builder *begin(const ptio_memory *memory)
{
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(memory, &b, NULL), PTIO_OK);
    return b;
}

static void end(ptio_builder *b)
{
    ptio_error err = {0};
    if (ptio_builder_status(b, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_builder_free(b);
}

/* Save to memory and load what was written; *sink holds the bytes. */
static ptio_checkpoint *saved(const ptio_value *value, const ptio_save_options *options, ptio_sink **sink)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_sink_to_memory(NULL, sink, &err), PTIO_OK);
    if (ptio_save_sink(value, *sink, options, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_text bytes = ptio_sink_bytes(*sink);
    assert_int_equal(ptio_load_memory(bytes.bytes, bytes.size, NULL, &ckpt, &err), PTIO_OK);
    return ckpt;
}

static const float numbers[12] = {0.5f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

/* ---- casts ---- */

static void values_of_a_cast(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    const ptio_value *t = ptio_new_tensor(b, PTIO_FLOAT32, 2, (int64_t[]){3, 4}, numbers);
    const ptio_value *cast = ptio_new_cast(b, t, PTIO_INT16);
    ptio_sink *sink;
    ptio_checkpoint *ckpt = saved(cast, NULL, &sink);
    const ptio_tensor *read = ptio_value_tensor(ptio_root(ckpt));
    int16_t elements[12];
    assert_int_equal(ptio_tensor_dtype(read), PTIO_INT16);
    assert_int_equal(ptio_tensor_ndim(read), 2);
    assert_int_equal(ptio_tensor_copy(read, PTIO_INT16, elements, sizeof elements, NULL), PTIO_OK);
    for (int i = 0; i < 12; i++)
        assert_int_equal(elements[i], i);
    assert_ptr_equal(ptio_new_cast(b, t, PTIO_FLOAT32), t);
    ptio_checkpoint_free(ckpt);
    ptio_sink_free(sink);
    end(b);
}

/* A transposed tensor keeps its strides, one with gaps loses them but keeps their order. */
static void strides_of_a_cast(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, NULL);
    const ptio_value *turned = ptio_new_view(b, storage, PTIO_FLOAT32, 2, (int64_t[]){3, 4}, (int64_t[]){1, 3}, 0, false);
    const ptio_value *gaps = ptio_new_view(b, storage, PTIO_FLOAT32, 2, (int64_t[]){2, 3}, (int64_t[]){2, 4}, 0, false);
    const int64_t *stride = ptio_tensor_stride(ptio_value_tensor(ptio_new_cast(b, turned, PTIO_FLOAT64)));
    assert_true(stride[0] == 1 && stride[1] == 3);
    const ptio_tensor *packed = ptio_value_tensor(ptio_new_cast(b, gaps, PTIO_FLOAT64));
    stride = ptio_tensor_stride(packed);
    assert_true(stride[0] == 1 && stride[1] == 2);
    double elements[6];
    assert_int_equal(ptio_storage_nbytes(ptio_tensor_storage(packed)), sizeof elements);
    assert_int_equal(ptio_tensor_copy(packed, PTIO_FLOAT64, elements, sizeof elements, NULL), PTIO_OK);
    const double expected[6] = {0.5, 4, 8, 2, 6, 10};
    assert_memory_equal(elements, expected, sizeof elements);
    end(b);
}

/* Tied weights stay tied; Parameters stay Parameters, with their attributes, and ints need no gradient. */
static void kinds_of_a_cast(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, NULL);
    const ptio_value *one = ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){4}, NULL, 4, false);
    const ptio_value *tied = ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){4}, NULL, 4, true);
    const ptio_tensor *cast_one = ptio_value_tensor(ptio_new_cast(b, one, PTIO_BFLOAT16));
    const ptio_tensor *cast_tied = ptio_value_tensor(ptio_new_cast(b, tied, PTIO_BFLOAT16));
    assert_ptr_equal(ptio_tensor_storage(cast_one), ptio_tensor_storage(cast_tied));
    assert_true(ptio_tensor_requires_grad(cast_tied) && !ptio_tensor_requires_grad(cast_one));
    assert_ptr_equal(ptio_tensor_storage(ptio_value_tensor(ptio_new_cast(b, one, PTIO_BFLOAT16))), ptio_tensor_storage(cast_one));
    ptio_value *parameter = ptio_edit(b, ptio_new_parameter(b, one, true));
    assert_true(ptio_set_attribute(b, parameter, "note", ptio_new_int(b, 3)));
    const ptio_value *half = ptio_new_cast(b, parameter, PTIO_FLOAT16), *whole = ptio_new_cast(b, parameter, PTIO_INT32);
    assert_true(ptio_tensor_is_parameter(ptio_value_tensor(half)) && ptio_tensor_requires_grad(ptio_value_tensor(half)));
    assert_true(ptio_tensor_is_parameter(ptio_value_tensor(whole)) && !ptio_tensor_requires_grad(ptio_value_tensor(whole)));
    int64_t note = 0;
    assert_true(ptio_value_int(ptio_value_attribute(half, "note"), &note) && note == 3);
    const ptio_value *meta = ptio_new_cast(b, ptio_new_meta(b, PTIO_FLOAT32, 1, (int64_t[]){7}), PTIO_FLOAT16);
    assert_true(ptio_tensor_is_meta(ptio_value_tensor(meta)) && ptio_tensor_dtype(ptio_value_tensor(meta)) == PTIO_FLOAT16);
    const int64_t places[] = {0, 2};
    const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 2}, places);
    const ptio_value *values = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){2}, numbers);
    const ptio_value *sparse = ptio_new_cast(b, ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){3}, true), PTIO_FLOAT64);
    assert_int_equal(ptio_tensor_dtype(ptio_tensor_part(ptio_value_tensor(sparse), 1, NULL)), PTIO_FLOAT64);
    end(b);
}

static void casts_without_meaning(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    ptio_error err = {0};
    assert_null(ptio_new_cast(b, ptio_new_tensor(b, PTIO_BITS16, 1, (int64_t[]){2}, numbers), PTIO_FLOAT32));
    assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "tensor.cast");
    ptio_builder_free(b);
    b = begin(NULL);
    err = (ptio_error){0};
    assert_null(ptio_new_cast(b, ptio_new_none(b), PTIO_FLOAT32));
    assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "builder.kind");
    ptio_builder_free(b);
    static const char *const files[] = {"nested_empty.pt", "nested_jagged.pt", "wrapper_subclass.pt"};
    for (size_t i = 0; i < 3; i++) {
        char path[512];
        ptio_checkpoint *ckpt;
        (void)snprintf(path, sizeof path, PTIO_TEST_DATA "/corpus/2.13.0/%s", files[i]);
        assert_int_equal(ptio_load(path, NULL, &ckpt, NULL), PTIO_OK);
        b = begin(NULL);
        err = (ptio_error){0};
        assert_null(ptio_new_cast(b, ptio_root(ckpt), PTIO_BFLOAT16));
        assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, "builder.cast");
        ptio_builder_free(b);
        ptio_checkpoint_free(ckpt);
    }
}

/* ---- used parts of storages ---- */

static void compact(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    ptio_report *report;
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, NULL);
    ptio_value *dict = ptio_new_dict(b);
    assert_true(ptio_put(b, dict, "a", ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){2}, NULL, 3, true)) &&
                ptio_put(b, dict, "b", ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){2}, (int64_t[]){3}, 4, false)) &&
                ptio_put(b, dict, "none", ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){0}, NULL, 0, false)));
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    for (int legacy = 0; legacy < 2; legacy++) {
        ptio_sink *sink;
        const ptio_save_options options = {PTIO_SAVE_OPTIONS, .compact = true, .report = report, .legacy = legacy};
        ptio_checkpoint *ckpt = saved(dict, &options, &sink);
        const ptio_tensor *first = ptio_value_tensor(ptio_value_get(ptio_root(ckpt), "a"));
        const ptio_tensor *second = ptio_value_tensor(ptio_value_get(ptio_root(ckpt), "b"));
        float x[2], y[2];
        assert_ptr_equal(ptio_tensor_storage(first), ptio_tensor_storage(second));
        assert_int_equal(ptio_storage_nbytes(ptio_tensor_storage(first)), 5 * sizeof(float));
        assert_int_equal(ptio_tensor_storage_offset(first), 0);
        assert_int_equal(ptio_tensor_storage_offset(second), 1);
        assert_true(ptio_tensor_requires_grad(first));
        assert_int_equal(ptio_tensor_copy(first, PTIO_FLOAT32, x, sizeof x, NULL), PTIO_OK);
        assert_int_equal(ptio_tensor_copy(second, PTIO_FLOAT32, y, sizeof y, NULL), PTIO_OK);
        assert_true(x[0] == 3 && x[1] == 4 && y[0] == 4 && y[1] == 7);
        ptio_checkpoint_free(ckpt);
        ptio_sink_free(sink);
    }
    assert_int_equal(ptio_report_count(report), 2);
    assert_string_equal(ptio_report_finding(report, 0)->reason, "save.compact");
    assert_memory_equal(ptio_report_finding(report, 0)->message.bytes, "28 bytes of 1 storages", 22);
    ptio_report_free(report);
    end(b);
}

/* ---- many entries ---- */

static bool is_odd(void *ctx, const ptio_value *key, const ptio_value *item)
{
    int64_t number = 0;
    (void)key;
    ++*(size_t *)ctx;
    return ptio_value_int(item, &number) && number % 2;
}

static void remove_many(void **state)
{
    (void)state;
    ptio_builder *b = begin(NULL);
    ptio_value *dict = ptio_new_dict(b), *list = ptio_new_list(b);
    char key[16];
    size_t asked = 0;
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_true(ptio_put(b, dict, key, ptio_new_int(b, i)) && ptio_append(b, list, ptio_new_int(b, i)));
    }
    assert_int_equal(ptio_remove_if(b, dict, is_odd, &asked), 10000);
    assert_int_equal(ptio_remove_if(b, list, is_odd, &asked), 10000);
    assert_int_equal(asked, 40000);
    assert_int_equal(ptio_value_count(dict), 10000);
    assert_int_equal(ptio_value_count(list), 10000);
    for (int i = 0; i < 20000; i++) { /* those that are there keep their place, the others come behind them */
        (void)snprintf(key, sizeof key, "key %d", i);
        assert_true(ptio_put(b, dict, key, ptio_new_int(b, -i)));
    }
    assert_int_equal(ptio_value_count(dict), 20000);
    int64_t number;
    assert_true(ptio_value_int(ptio_value_item(dict, 3), &number) && number == -6);
    assert_true(ptio_value_int(ptio_value_item(dict, 10003), &number) && number == -7);
    assert_true(ptio_value_int(ptio_value_item(list, 3), &number) && number == 6);
    end(b);
}

/* ---- watching ---- */

typedef struct watcher {
    size_t calls, most;
    uint64_t done, total;
} watcher;

static int watch(void *ctx, uint64_t done, uint64_t total)
{
    watcher *w = ctx;
    assert_true(done > w->done);
    w->done = done;
    w->total = total;
    return ++w->calls == w->most;
}

static void progress(void **state)
{
    (void)state;
    const uint64_t nbytes = (uint64_t)100 << 20;
    ptio_builder *b = begin(NULL);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_UINT8, NULL, nbytes, NULL);
    const ptio_value *t = ptio_new_view(b, storage, PTIO_UINT8, 1, (int64_t[]){(int64_t)nbytes}, NULL, 0, false);
    watcher all = {0}, some = {.most = 2};
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .progress = watch, .progress_ctx = &all};
    ptio_sink *sink;
    ptio_checkpoint_free(saved(t, &options, &sink));
    assert_true(all.calls >= 5 && all.calls <= 8);
    assert_true(all.total >= ptio_sink_bytes(sink).size - 4096 && all.done <= all.total);
    ptio_sink_free(sink);
    ptio_error err = {0};
    options.progress_ctx = &some;
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(t, sink, &options, &err), PTIO_ERR_CANCELLED);
    assert_string_equal(err.reason, "io.cancelled");
    assert_int_equal(some.calls, 2);
    ptio_sink_free(sink);
    end(b);
}

/* ---- want of memory ---- */

/* Everything above on one builder; the bytes of the save in *size. */
static ptio_status use(const ptio_memory *memory, size_t *size, ptio_error *err)
{
    ptio_builder *b = NULL;
    ptio_sink *sink = NULL;
    ptio_status status = ptio_builder_new(memory, &b, err);
    if (status != PTIO_OK)
        return status;
    size_t asked = 0;
    ptio_value *dict = ptio_new_dict(b);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, "cuda:0");
    const ptio_value *view = ptio_new_view(b, storage, PTIO_FLOAT32, 2, (int64_t[]){2, 2}, (int64_t[]){1, 2}, 3, false);
    char key[8];
    for (int i = 0; dict && i < 20; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)ptio_put(b, dict, key, ptio_new_int(b, i));
    }
    if (view && dict) {
        const ptio_value *cast = ptio_new_cast(b, view, PTIO_FLOAT64), *parameter = ptio_new_parameter(b, view, true);
        const ptio_value *other = parameter ? ptio_new_cast(b, parameter, PTIO_FLOAT16) : NULL;
        const int64_t places[] = {0, 2};
        const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 2}, places);
        const ptio_value *values = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){2}, numbers);
        const ptio_value *coo = ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){3}, true);
        const ptio_value *sparse = coo ? ptio_new_cast(b, coo, PTIO_FLOAT16) : NULL;
        (void)ptio_remove_if(b, dict, is_odd, &asked);
        if (sparse)
            (void)ptio_put(b, dict, "sparse", sparse);
        if (cast && other)
            (void)(ptio_put(b, dict, "view", view) && ptio_put(b, dict, "cast", cast) && ptio_put(b, dict, "k2", other));
    }
    status = ptio_builder_status(b, err);
    if (status == PTIO_OK)
        status = ptio_sink_to_memory(memory, &sink, err);
    const ptio_save_options options = {PTIO_SAVE_OPTIONS, .memory = memory, .compact = true};
    if (status == PTIO_OK)
        status = ptio_save_sink(dict, sink, &options, err);
    if (status == PTIO_OK)
        *size = ptio_sink_bytes(sink).size;
    ptio_sink_free(sink);
    ptio_builder_free(b);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    counted_memory m;
    ptio_error err = {0};
    size_t whole = 0;
    counted_memory_init(&m);
    if (use(&m.hooks, &whole, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    assert_int_equal(m.held, 0);
    uint64_t calls = m.calls;
    for (uint64_t n = 0; n < calls; n++) {
        size_t size = 0;
        err = (ptio_error){0};
        counted_memory_init(&m);
        m.fail_at = n;
        ptio_status status = use(&m.hooks, &size, &err);
        if (status == PTIO_OK && size == whole) /* it did without */
            continue;
        if (status != PTIO_ERR_MEMORY || err.status != PTIO_ERR_MEMORY || m.held)
            fail_msg("allocation %llu of %llu: %s, %zu bytes leak", (unsigned long long)n, (unsigned long long)calls, err.message,
                     m.held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_a_cast), cmocka_unit_test(strides_of_a_cast),
        cmocka_unit_test(kinds_of_a_cast),  cmocka_unit_test(casts_without_meaning),
        cmocka_unit_test(compact),          cmocka_unit_test(remove_many),
        cmocka_unit_test(progress),         cmocka_unit_test(each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
