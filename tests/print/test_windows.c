/*
 * Tensors that were not read yet are printed out of a window: nothing is read but what is shown, and the text is that of a tensor in
 * memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "print/repr_tensor.h"
#include "ptio.h"

/* A file in memory that is read by calls, which are counted. */
typedef struct input {
    ptio_text bytes;
    uint64_t at, bytes_read;
    unsigned reads, fail_read; /* the how manyth read fails; 0: none */
} input;

static int64_t input_read(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    if (++in->reads == in->fail_read)
        return -1;
    size_t left = in->at < in->bytes.size ? in->bytes.size - (size_t)in->at : 0;
    size = size < left ? size : left;
    memcpy(buffer, in->bytes.bytes + in->at, size);
    in->at += size;
    in->bytes_read += size;
    return (int64_t)size;
}

static int input_seek(void *ctx, uint64_t offset)
{
    ((input *)ctx)->at = offset;
    return 0;
}

static int64_t input_size(void *ctx)
{
    return (int64_t)((input *)ctx)->bytes.size;
}

enum { NUMEL = 120000, HEADER = 200 }; /* a record's own header is read, too: it has no more bytes */

/* A file of one value: a view of a storage of NUMEL numbers. */
static ptio_sink *save(ptio_dtype dtype, size_t ndim, const int64_t *shape, const int64_t *stride, int64_t offset)
{
    static double wide[NUMEL];
    static float narrow[NUMEL];
    ptio_error err = {0};
    ptio_builder *b;
    ptio_sink *sink;
    for (size_t i = 0; i < NUMEL; i++)
        narrow[i] = (float)(wide[i] = (double)((i * 7919) % 100003) / 8);
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    bool is_double = dtype == PTIO_FLOAT64;
    const ptio_storage *storage =
        ptio_new_storage_copy(b, dtype, is_double ? (void *)wide : (void *)narrow, is_double ? sizeof wide : sizeof narrow);
    const ptio_value *value = ptio_new_view(b, storage, dtype, ndim, shape, stride, offset, false);
    assert_non_null(value);
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    if (ptio_save_sink(value, sink, NULL, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_OK);
    ptio_builder_free(b);
    return sink;
}

static ptio_checkpoint *open_input(input *in, ptio_source **source)
{
    static const ptio_source_callbacks callbacks = {.read = input_read, .seek = input_seek, .size = input_size};
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    assert_int_equal(ptio_source_from_callbacks(&callbacks, in, NULL, NULL, source, NULL), PTIO_OK);
    if (ptio_load_source(*source, NULL, &ckpt, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    return ckpt;
}

/* All of the text. */
typedef struct collected {
    size_t size;
    char text[8 << 20];
} collected;

static int collect(void *ctx, const char *text, size_t size)
{
    collected *c = ctx;
    assert_true(size <= sizeof c->text - c->size);
    memcpy(c->text + c->size, text, size);
    c->size += size;
    return 0;
}

static collected windowed, resident;

static void print_into(collected *text, const ptio_checkpoint *ckpt, const ptio_print_options *options)
{
    ptio_error err = {0};
    text->size = 0;
    if (ptio_print(ptio_root(ckpt), options, collect, text, &err) != PTIO_OK)
        fail_msg("%s", err.message);
}

/* Print before anything is read, and again when all is; compare. Gives the bytes that the first one read. */
static uint64_t compare(ptio_sink *sink, const ptio_print_options *options)
{
    input in = {.bytes = ptio_sink_bytes(sink)};
    ptio_source *source;
    ptio_checkpoint *ckpt = open_input(&in, &source);
    uint64_t before = in.bytes_read;
    print_into(&windowed, ckpt, options);
    uint64_t read = in.bytes_read - before;
    assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
    print_into(&resident, ckpt, options);
    assert_int_equal(windowed.size, resident.size);
    assert_memory_equal(windowed.text, resident.text, resident.size);
    ptio_checkpoint_free(ckpt);
    ptio_source_free(source);
    ptio_sink_free(sink);
    return read;
}

static const ptio_print_options few = {PTIO_PRINT_OPTIONS, .threshold = 1000, .edge_items = 3};

/* Both edges of every dimension are read twice: for the width of the column, and to be shown. */
static void only_edges_are_read(void **state)
{
    (void)state;
    assert_in_range(compare(save(PTIO_FLOAT64, 1, (int64_t[]){NUMEL}, NULL, 0), &few), 1, HEADER + 2 * 6 * 8);
    assert_in_range(compare(save(PTIO_FLOAT32, 2, (int64_t[]){300, 400}, NULL, 0), &few), 1, HEADER + 2 * 36 * 4);
    assert_in_range(compare(save(PTIO_FLOAT64, 3, (int64_t[]){20, 60, 100}, NULL, 0), &few), 1, HEADER + 2 * 216 * 8);
    assert_in_range(compare(save(PTIO_FLOAT32, 2, (int64_t[]){400, 300}, (int64_t[]){1, 400}, 0), &few), 1,
                    HEADER + 2 * 400 * 36 * 4);
}

/* A small view of a large storage: its elements, once. */
static void small_views(void **state)
{
    (void)state;
    assert_in_range(compare(save(PTIO_FLOAT32, 2, (int64_t[]){2, 5}, NULL, 777), &few), 40, HEADER + 40);
    assert_in_range(compare(save(PTIO_FLOAT64, 1, (int64_t[]){1}, NULL, 99999), &few), 8, HEADER + 8);
}

static void all_elements_in_any_order(void **state)
{
    (void)state;
    const ptio_print_options all = {PTIO_PRINT_OPTIONS, .threshold = SIZE_MAX};
    static const int64_t shapes[][4] = {{NUMEL, 1, 1, 1}, {1, NUMEL, 1, 1}, {10, 12000, 1, 1},
                                        {60000, 2, 1, 1}, {3, 40, 10, 100}, {100, 4, 300, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t ndim = 1; ndim <= 4; ndim++)
            (void)compare(save(i % 2 ? PTIO_FLOAT32 : PTIO_FLOAT64, ndim, shapes[i], NULL, 0), &all);
    (void)compare(save(PTIO_FLOAT32, 2, (int64_t[]){300, 400}, (int64_t[]){1, 300}, 0), &all);
    (void)compare(save(PTIO_FLOAT32, 2, (int64_t[]){300, 4}, (int64_t[]){0, 9}, 5), &all);
}

static void many_edges(void **state)
{
    (void)state;
    const ptio_print_options wide = {PTIO_PRINT_OPTIONS, .threshold = 10, .edge_items = 9000};
    (void)compare(save(PTIO_FLOAT64, 1, (int64_t[]){NUMEL}, NULL, 0), &wide);
    (void)compare(save(PTIO_FLOAT64, 2, (int64_t[]){2, 60000}, NULL, 0), &wide);
    (void)compare(save(PTIO_FLOAT64, 2, (int64_t[]){60000, 2}, NULL, 0), &wide);
}

static void print_storage(collected *text, const ptio_checkpoint *ckpt, size_t most_items)
{
    ptio_heap heap;
    ptio_out out;
    ptio_error err = {0};
    ptio_heap_init(&heap, NULL, 0);
    ptio_tensor_style style = {.most_items = most_items, .heap = &heap};
    text->size = 0;
    ptio_out_init(&out, collect, text, &err);
    if (ptio_repr_storage(&out, ptio_tensor_storage(ptio_value_tensor(ptio_root(ckpt))), &style) != PTIO_OK)
        fail_msg("%s", err.message);
    assert_int_equal(ptio_out_flush(&out), PTIO_OK);
    assert_int_equal(heap.used, 0);
}

static void storages(void **state)
{
    (void)state;
    ptio_sink *sink = save(PTIO_FLOAT32, 1, (int64_t[]){1}, NULL, 0);
    for (size_t most = 0; most <= 5; most += 5) {
        input in = {.bytes = ptio_sink_bytes(sink)};
        ptio_source *source;
        ptio_checkpoint *ckpt = open_input(&in, &source);
        uint64_t before = in.bytes_read;
        print_storage(&windowed, ckpt, most);
        uint64_t needed = (most ? most : NUMEL) * sizeof(float);
        assert_in_range(in.bytes_read - before, needed, needed + HEADER);
        assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
        print_storage(&resident, ckpt, most);
        assert_int_equal(windowed.size, resident.size);
        assert_memory_equal(windowed.text, resident.text, resident.size);
        ptio_checkpoint_free(ckpt);
        ptio_source_free(source);
    }
    ptio_sink_free(sink);
}

static void failing_reads(void **state)
{
    (void)state;
    ptio_sink *sink = save(PTIO_FLOAT64, 2, (int64_t[]){300, 400}, NULL, 0);
    for (unsigned n = 1;; n++) {
        input in = {.bytes = ptio_sink_bytes(sink)};
        ptio_source *source;
        ptio_error err = {0};
        ptio_checkpoint *ckpt = open_input(&in, &source);
        in.fail_read = in.reads + n;
        windowed.size = 0;
        ptio_status status = ptio_print(ptio_root(ckpt), &few, collect, &windowed, &err);
        ptio_checkpoint_free(ckpt);
        ptio_source_free(source);
        if (status == PTIO_OK)
            break;
        assert_int_equal(status, PTIO_ERR_IO);
        assert_int_equal(err.status, PTIO_ERR_IO);
        assert_true(n < 100);
    }
    ptio_sink_free(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_edges_are_read), cmocka_unit_test(small_views), cmocka_unit_test(all_elements_in_any_order),
        cmocka_unit_test(many_edges),          cmocka_unit_test(storages),    cmocka_unit_test(failing_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
