/*
 * Tensors handed over by DLPack: what the structures say, and that everything lives until the deleter was called, and no longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ptio.h"
#include "torch/dlpack.h"

typedef struct hooks {
    ptio_memory memory;
    int64_t live, allocations, fail_at; /* blocks held; the how manyth storage fails, -1: none */
} hooks;

static void *hook_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    hooks *h = ctx;
    (void)old_size;
    if (!new_size) {
        h->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    h->live += !ptr;
    return realloc(ptr, new_size);
}

static void *hook_alloc(void *ctx, size_t size, size_t alignment)
{
    hooks *h = ctx;
    if (h->allocations++ == h->fail_at)
        return NULL;
    h->live++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void hook_free(void *ctx, void *ptr, size_t size)
{
    hooks *h = ctx;
    (void)size;
    h->live -= ptr != NULL;
    free(ptr);
}

static void hooks_open(hooks *h)
{
    *h = (hooks){.memory = {hook_resize, hook_alloc, hook_free, h}, .fail_at = -1};
}

/* {"whole": float32 [3, 4], "view": its [::2, 1::2] transposed} as a file in memory. */
static ptio_sink *file_of_two(void)
{
    ptio_builder *b = NULL;
    ptio_sink *sink = NULL;
    float values[12];
    for (int i = 0; i < 12; i++)
        values[i] = (float)i;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, values, sizeof values, NULL);
    ptio_value *dict = ptio_new_dict(b);
    ptio_put(b, dict, "whole", ptio_new_view(b, storage, PTIO_FLOAT32, 2, (int64_t[]){3, 4}, NULL, 0, true));
    ptio_put(b, dict, "view", ptio_new_view(b, storage, PTIO_FLOAT32, 2, (int64_t[]){2, 2}, (int64_t[]){2, 8}, 1, false));
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(dict, sink, NULL, NULL), PTIO_OK);
    ptio_builder_free(b);
    return sink;
}

static ptio_checkpoint *load_from(const ptio_sink *sink, const ptio_memory *memory)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_text bytes = ptio_sink_bytes(sink);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = memory};
    assert_int_equal(ptio_load_memory(bytes.bytes, bytes.size, &options, &ckpt, NULL), PTIO_OK);
    return ckpt;
}

static const ptio_tensor *tensor_at(const ptio_checkpoint *ckpt, const char *path)
{
    const ptio_tensor *tensor = ptio_value_tensor(ptio_at(ckpt, path));
    assert_non_null(tensor);
    return tensor;
}

static void expect_view(const ptio_dl_tensor *dl)
{
    assert_int_equal(dl->device_type, 1);
    assert_int_equal(dl->device_id, 0);
    assert_int_equal(dl->ndim, 2);
    assert_true(dl->dtype.code == 2 && dl->dtype.bits == 32 && dl->dtype.lanes == 1);
    assert_true(dl->shape[0] == 2 && dl->shape[1] == 2 && dl->strides[0] == 2 && dl->strides[1] == 8);
    assert_int_equal(dl->byte_offset, 0);
    const float *data = dl->data;
    assert_true(data[0] == 1 && data[2] == 3 && data[8] == 9 && data[10] == 11);
}

/* Two exports outlive the checkpoint, in either order, and what reads the bytes of one sees those of the other. */
static void outlives_the_checkpoint(void **state)
{
    (void)state;
    ptio_sink *sink = file_of_two();
    for (int order = 0; order < 2; order++) {
        hooks h;
        hooks_open(&h);
        ptio_checkpoint *ckpt = load_from(sink, &h.memory);
        struct DLManagedTensorVersioned *whole = NULL;
        struct DLManagedTensor *view = NULL;
        assert_int_equal(ptio_tensor_to_dlpack(tensor_at(ckpt, "whole"), true, &whole, NULL), PTIO_OK);
        assert_int_equal(ptio_tensor_to_dlpack_unversioned(tensor_at(ckpt, "view"), &view, NULL), PTIO_OK);
        ptio_checkpoint_free(ckpt);
        assert_true(h.live > 0);
        expect_view(&view->dl_tensor);
        assert_true(whole->version.major == 1 && whole->version.minor == 1 && whole->flags == 0);
        ((float *)whole->dl_tensor.data)[10] = 11.5f;
        assert_true(((const float *)view->dl_tensor.data)[9] == 11.5f);
        if (order)
            view->deleter(view);
        whole->deleter(whole);
        assert_true(h.live > 0 || order);
        if (!order)
            view->deleter(view);
        assert_int_equal(h.live, 0);
    }
    ptio_sink_free(sink);
}

/* The bytes of what is handed over cannot be dropped, of a slice of a storage neither. */
static void pinned(void **state)
{
    (void)state;
    ptio_sink *sink = file_of_two();
    hooks h;
    hooks_open(&h);
    ptio_checkpoint *ckpt = load_from(sink, &h.memory);
    const ptio_storage *storage = ptio_tensor_storage(tensor_at(ckpt, "view"));
    void *written;
    const void *data;
    assert_int_equal(ptio_storage_writable(storage, &written, NULL), PTIO_OK); /* not a view of the file any longer */
    struct DLManagedTensorVersioned *dl = NULL;
    assert_int_equal(ptio_tensor_to_dlpack(tensor_at(ckpt, "view"), false, &dl, NULL), PTIO_OK);
    int64_t live = h.live;
    assert_int_equal(dl->flags, 1);
    ptio_storage_drop(storage);
    assert_int_equal(h.live, live);
    expect_view(&dl->dl_tensor);
    assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
    assert_ptr_equal((const char *)data + 4, dl->dl_tensor.data);
    dl->deleter(dl);
    ptio_storage_drop(storage);
    assert_int_equal(h.live, live - 2);
    ptio_checkpoint_free(ckpt);
    assert_int_equal(h.live, 0);
    ptio_sink_free(sink);
}

/* Of a builder: lent memory is what is handed over, or a copy of it where it may be written. */
static void built(void **state)
{
    (void)state;
    static const int16_t lent[] = {1, 2, 3};
    hooks h;
    hooks_open(&h);
    ptio_builder *b = NULL;
    assert_int_equal(ptio_builder_new(&h.memory, &b, NULL), PTIO_OK);
    const ptio_storage *storage = ptio_new_storage(b, PTIO_INT16, lent, sizeof lent, NULL);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_new_view(b, storage, PTIO_INT16, 1, (int64_t[]){3}, NULL, 0, false));
    struct DLManagedTensorVersioned *shown = NULL, *own = NULL, *scalar = NULL, *empty = NULL;
    assert_int_equal(ptio_tensor_to_dlpack(tensor, false, &shown, NULL), PTIO_OK);
    assert_ptr_equal(shown->dl_tensor.data, lent);
    assert_int_equal(ptio_tensor_to_dlpack(tensor, true, &own, NULL), PTIO_OK);
    assert_ptr_not_equal(own->dl_tensor.data, lent);
    tensor = ptio_value_tensor(ptio_new_tensor(b, PTIO_BOOL, 0, NULL, "\1"));
    assert_int_equal(ptio_tensor_to_dlpack(tensor, false, &scalar, NULL), PTIO_OK);
    tensor = ptio_value_tensor(ptio_new_tensor(b, PTIO_COMPLEX128, 2, (int64_t[]){0, 4}, NULL));
    assert_int_equal(ptio_tensor_to_dlpack(tensor, true, &empty, NULL), PTIO_OK);
    ptio_builder_free(b);
    assert_memory_equal(own->dl_tensor.data, lent, sizeof lent);
    assert_true(scalar->dl_tensor.ndim == 0 && scalar->dl_tensor.dtype.code == 6 && *(char *)scalar->dl_tensor.data == 1);
    assert_true(empty->dl_tensor.shape[0] == 0 && empty->dl_tensor.strides[0] == 4 && empty->dl_tensor.dtype.bits == 128);
    scalar->deleter(scalar);
    own->deleter(own);
    empty->deleter(empty);
    shown->deleter(shown);
    assert_int_equal(h.live, 0);
}

static void every_dtype(void **state)
{
    (void)state;
    static const struct {
        ptio_dtype dtype;
        uint8_t code, bits;
        uint16_t lanes;
    } rows[] = {{PTIO_FLOAT64, 2, 64, 1},        {PTIO_FLOAT32, 2, 32, 1},
                {PTIO_FLOAT16, 2, 16, 1},        {PTIO_BFLOAT16, 4, 16, 1},
                {PTIO_INT64, 0, 64, 1},          {PTIO_INT32, 0, 32, 1},
                {PTIO_INT16, 0, 16, 1},          {PTIO_INT8, 0, 8, 1},
                {PTIO_UINT8, 1, 8, 1},           {PTIO_BOOL, 6, 8, 1},
                {PTIO_COMPLEX64, 5, 64, 1},      {PTIO_COMPLEX128, 5, 128, 1},
                {PTIO_COMPLEX32, 5, 32, 1},      {PTIO_UINT16, 1, 16, 1},
                {PTIO_UINT32, 1, 32, 1},         {PTIO_UINT64, 1, 64, 1},
                {PTIO_FLOAT8_E4M3FN, 10, 8, 1},  {PTIO_FLOAT8_E4M3FNUZ, 11, 8, 1},
                {PTIO_FLOAT8_E5M2, 12, 8, 1},    {PTIO_FLOAT8_E5M2FNUZ, 13, 8, 1},
                {PTIO_FLOAT8_E8M0FNU, 14, 8, 1}, {PTIO_FLOAT4_E2M1FN_X2, 17, 4, 2}};
    ptio_builder *b = NULL;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    for (int dtype = PTIO_NO_DTYPE + 1; dtype < PTIO_DTYPE_COUNT; dtype++) {
        ptio_error err = {0};
        const ptio_tensor *tensor =
            ptio_value_tensor(ptio_new_tensor(b, (ptio_dtype)dtype, 1, (int64_t[]){1}, &(double[]){0, 0}));
        struct DLManagedTensor *dl = NULL;
        const char *name = ptio_dtype_name((ptio_dtype)dtype);
        size_t row = 0;
        while (row < sizeof rows / sizeof *rows && rows[row].dtype != (ptio_dtype)dtype)
            row++;
        bool narrow = strncmp(name, "int", 3) == 0 || strncmp(name, "uint", 4) == 0;
        if (row < sizeof rows / sizeof *rows || narrow) {
            assert_int_equal(ptio_tensor_to_dlpack_unversioned(tensor, &dl, &err), PTIO_OK);
            ptio_dl_type type = dl->dl_tensor.dtype;
            if (row < sizeof rows / sizeof *rows)
                assert_true(type.code == rows[row].code && type.bits == rows[row].bits && type.lanes == rows[row].lanes);
            else
                assert_true(type.code == (name[0] == 'u') && type.bits == 8 && type.lanes == 1);
            dl->deleter(dl);
        } else if (tensor) {
            assert_int_equal(ptio_tensor_to_dlpack_unversioned(tensor, &dl, &err), PTIO_ERR_ARGUMENT);
            assert_string_equal(err.reason, "dlpack.tensor");
            assert_null(dl);
        }
    }
    ptio_builder_free(b);
}

static void refused(void **state)
{
    (void)state;
    ptio_builder *b = NULL;
    struct DLManagedTensorVersioned *dl = NULL;
    hooks h;
    hooks_open(&h);
    assert_int_equal(ptio_builder_new(&h.memory, &b, NULL), PTIO_OK);
    const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 1}, &(int64_t){0});
    const ptio_value *values = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){1}, &(float){1});
    const struct {
        const ptio_tensor *tensor;
        const char *reason;
    } rows[] = {
        {NULL, "tensor.none"},
        {ptio_value_tensor(ptio_new_meta(b, PTIO_FLOAT32, 0, NULL)), "tensor.meta"},
        {ptio_value_tensor(ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){2}, true)), "dlpack.tensor"},
        {ptio_value_tensor(ptio_new_quantized(b, ptio_new_storage(b, PTIO_QINT8, "a", 1, NULL), 0, NULL,
                                              &(ptio_quantizer){.scheme = PTIO_PER_TENSOR_AFFINE, .scale = 1}, NULL, NULL)),
         "dlpack.tensor"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ptio_error err = {0};
        assert_true(i == 0 || rows[i].tensor != NULL);
        assert_int_equal(ptio_tensor_to_dlpack(rows[i].tensor, i % 2, &dl, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, rows[i].reason);
    }
    /* Writable bytes of lent memory are one allocation, the export another. */
    const ptio_storage *lent = ptio_new_storage(b, PTIO_UINT8, "abc", 3, NULL);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_new_view(b, lent, PTIO_UINT8, 1, (int64_t[]){3}, NULL, 0, false));
    for (int64_t n = 0; n < 2; n++) {
        ptio_error err = {0};
        h.allocations = 0;
        h.fail_at = n;
        assert_int_equal(ptio_tensor_to_dlpack(tensor, true, &dl, &err), PTIO_ERR_MEMORY);
        ptio_storage_drop(lent);
    }
    assert_null(dl);
    ptio_builder_free(b);
    assert_int_equal(h.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outlives_the_checkpoint),
        cmocka_unit_test(pinned),
        cmocka_unit_test(built),
        cmocka_unit_test(every_dtype),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
