/*
 * Tensors, against texts that PyTorch 2.13 gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "print/collect.h"
#include "print/repr_tensor.h"

typedef struct fixture {
    ptio_heap heap;
    ptio_arena arena;
    ptio_storage_pool pool;
    ptio_tensor_style style;
    collected text;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    static const ptio_limits limits = {.expand_factor = 16};
    memset(&f, 0, sizeof f);
    ptio_heap_init(&f.heap, NULL, 0);
    ptio_arena_init(&f.arena, &f.heap);
    if (!ptio_storage_pool_init(&f.pool, NULL, &limits))
        return -1;
    f.style =
        (ptio_tensor_style){.format.places = 4, .line_width = 80, .edge = 3, .threshold = 1000, .most = 1000000, .heap = &f.heap};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    ptio_storage_pool_free(&f->pool);
    ptio_arena_free(&f->arena);
    return f->heap.used ? -1 : 0;
}

static const ptio_storage *storage_over(fixture *f, ptio_dtype dtype, const void *bytes, size_t size)
{
    ptio_storage *storage = ptio_storage_new(&f->pool, &f->arena);
    assert_non_null(storage);
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = bytes;
    storage->nbytes = size;
    storage->dtype = (uint8_t)dtype;
    assert_int_equal(ptio_storage_pool_location(&f->pool, PTIO_TEXT("cpu"), &storage->location, NULL), PTIO_OK);
    return storage;
}

static const ptio_tensor *make(fixture *f, ptio_tensor_spec spec, const void *bytes, size_t size)
{
    const ptio_tensor *tensor = NULL;
    ptio_error err = {0};
    if (bytes)
        spec.storage = storage_over(f, spec.dtype, bytes, size);
    if (ptio_tensor_new(&f->arena, &spec, &tensor, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    return tensor;
}

static const char *text_of(fixture *f, const ptio_tensor *tensor, const char *class_name)
{
    ptio_out out;
    ptio_error err = {0};
    f->text.size = 0;
    ptio_out_init(&out, collect, &f->text, &err);
    if (ptio_repr_tensor(&out, tensor, ptio_text_of(class_name), &f->style) != PTIO_OK)
        fail_msg("%s", err.message);
    assert_int_equal(ptio_out_flush(&out), PTIO_OK);
    return f->text.text;
}

#define SHAPE(...)                                                                   \
    .ndim = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .shape = (int64_t[]) \
    {                                                                                \
        __VA_ARGS__                                                                  \
    }
#define STRIDE(...)       \
    .stride = (int64_t[]) \
    {                     \
        __VA_ARGS__       \
    }
#define CHECK(expected, class_name, values, ...) \
    assert_string_equal(text_of(f, make(f, (ptio_tensor_spec){__VA_ARGS__}, values, sizeof(values)), class_name), expected)

#define PLAIN "torch.Tensor"

static void floats(void **state)
{
    fixture *f = *state;
    static const float one[] = {2.5f}, halves[] = {1, 1.5f}, wide[] = {1, 1001}, tiny[] = {1e-5f, 0}, whole[] = {1, -2};
    float zero = 0, odd[] = {1 / zero, 1.5f, zero / zero};
    CHECK("tensor(2.5000)", PLAIN, one, .dtype = PTIO_FLOAT32);
    CHECK("tensor([1.0000, 1.5000])", PLAIN, halves, .dtype = PTIO_FLOAT32, SHAPE(2));
    CHECK("tensor([1.0000e+00, 1.0010e+03])", PLAIN, wide, .dtype = PTIO_FLOAT32, SHAPE(2));
    CHECK("tensor([1.0000e-05, 0.0000e+00])", PLAIN, tiny, .dtype = PTIO_FLOAT32, SHAPE(2));
    CHECK("tensor([ 1., -2.])", PLAIN, whole, .dtype = PTIO_FLOAT32, SHAPE(2));
    CHECK("tensor([   inf, 1.5000,    nan])", PLAIN, odd, .dtype = PTIO_FLOAT32, SHAPE(3));
}

static void other_dtypes(void **state)
{
    fixture *f = *state;
    static const int64_t ints[] = {1, -20};
    static const uint64_t large[] = {UINT64_MAX};
    static const uint8_t bools[] = {1, 0}, packed[] = {18, 52}, powers[] = {0x7F, 0xFF}, bits[] = {1, 2};
    static const float pairs[] = {1, 2, 3.5f, -4};
    static const uint16_t brain[] = {0x3FC0, 0xC000};
    CHECK("tensor([  1, -20])", PLAIN, ints, .dtype = PTIO_INT64, SHAPE(2));
    CHECK("tensor([18446744073709551615], dtype=torch.uint64)", PLAIN, large, .dtype = PTIO_UINT64, SHAPE(1));
    CHECK("tensor([ True, False])", PLAIN, bools, .dtype = PTIO_BOOL, SHAPE(2));
    CHECK("tensor([True])", PLAIN, bools, .dtype = PTIO_BOOL, SHAPE(1));
    CHECK("tensor([False])", PLAIN, bools, .dtype = PTIO_BOOL, SHAPE(1), .storage_offset = 1);
    CHECK("tensor([1.0000+2.j, 3.5000-4.j])", PLAIN, pairs, .dtype = PTIO_COMPLEX64, SHAPE(2));
    CHECK("tensor([1.0000-2.j, 3.5000+4.j])", PLAIN, pairs, .dtype = PTIO_COMPLEX64, SHAPE(2), .flags = PTIO_TENSOR_CONJ);
    CHECK("tensor([ 1.5000, -2.0000], dtype=torch.bfloat16)", PLAIN, brain, .dtype = PTIO_BFLOAT16, SHAPE(2));
    CHECK("tensor([18., 52.], dtype=torch.float4_e2m1fn_x2)", PLAIN, packed, .dtype = PTIO_FLOAT4_E2M1FN_X2, SHAPE(2));
    CHECK("tensor([1.0000,    nan], dtype=torch.float8_e8m0fnu)", PLAIN, powers, .dtype = PTIO_FLOAT8_E8M0FNU, SHAPE(2));
    CHECK("tensor(..., size=(2,), dtype=torch.bits8)", PLAIN, bits, .dtype = PTIO_BITS8, SHAPE(2));
}

static void shapes(void **state)
{
    fixture *f = *state;
    float values[24], none[1] = {0};
    for (int i = 0; i < 24; i++)
        values[i] = (float)i;
    CHECK("tensor([[[ 0.,  1.,  2.,  3.],\n         [ 4.,  5.,  6.,  7.],\n         [ 8.,  9., 10., 11.]],\n\n"
          "        [[12., 13., 14., 15.],\n         [16., 17., 18., 19.],\n         [20., 21., 22., 23.]]])",
          PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(2, 3, 4));
    CHECK("tensor([[ 0.,  6., 12., 18.],\n        [ 1.,  7., 13., 19.]])", PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(2, 4),
          STRIDE(1, 6));
    CHECK("tensor([[3., 3.],\n        [3., 3.]])", PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(2, 2), STRIDE(0, 0),
          .storage_offset = 3);
    CHECK("tensor([], size=(0, 3))", PLAIN, none, .dtype = PTIO_FLOAT32, SHAPE(0, 3));
    CHECK("tensor([])", PLAIN, none, .dtype = PTIO_FLOAT32, SHAPE(0));
    CHECK("tensor([], dtype=torch.int64)", PLAIN, none, .dtype = PTIO_INT64, SHAPE(0));
}

static void big_ones(void **state)
{
    fixture *f = *state;
    static float values[2000];
    for (int i = 0; i < 2000; i++)
        values[i] = (float)i;
    CHECK("tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.])", PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(1001));
    CHECK("tensor([[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 4.7000e+01, 4.8000e+01,\n         4.9000e+01],\n"
          "        [5.0000e+01, 5.1000e+01, 5.2000e+01,  ..., 9.7000e+01, 9.8000e+01,\n         9.9000e+01],\n"
          "        [1.0000e+02, 1.0100e+02, 1.0200e+02,  ..., 1.4700e+02, 1.4800e+02,\n         1.4900e+02],\n        ...,\n"
          "        [1.8500e+03, 1.8510e+03, 1.8520e+03,  ..., 1.8970e+03, 1.8980e+03,\n         1.8990e+03],\n"
          "        [1.9000e+03, 1.9010e+03, 1.9020e+03,  ..., 1.9470e+03, 1.9480e+03,\n         1.9490e+03],\n"
          "        [1.9500e+03, 1.9510e+03, 1.9520e+03,  ..., 1.9970e+03, 1.9980e+03,\n         1.9990e+03]])",
          PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(40, 50));
    for (int i = 0; i < 30; i++)
        values[i] = (float)i / 7;
    CHECK("tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571, 1.0000, 1.1429,\n"
          "        1.2857, 1.4286, 1.5714, 1.7143, 1.8571, 2.0000, 2.1429, 2.2857, 2.4286,\n"
          "        2.5714, 2.7143, 2.8571, 3.0000, 3.1429, 3.2857, 3.4286, 3.5714, 3.7143,\n"
          "        3.8571, 4.0000, 4.1429])",
          PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(30));
}

static void classes(void **state)
{
    fixture *f = *state;
    static const float values[] = {1, 1};
    CHECK("tensor([1., 1.], requires_grad=True)", PLAIN, values, .dtype = PTIO_FLOAT32, SHAPE(2),
          .flags = PTIO_TENSOR_REQUIRES_GRAD);
    CHECK("Parameter containing:\ntensor([1., 1.], requires_grad=True)", "torch.nn.parameter.Parameter", values,
          .dtype = PTIO_FLOAT32, SHAPE(2), .flags = PTIO_TENSOR_REQUIRES_GRAD | PTIO_TENSOR_PARAMETER);
    CHECK("MyTensor([1., 1.])", "__main__.MyTensor", values, .dtype = PTIO_FLOAT32, SHAPE(2));
    CHECK("Sub\\x1b([1., 1.])", "__main__.Sub\x1b", values, .dtype = PTIO_FLOAT32, SHAPE(2));
    const ptio_tensor *meta = make(f, (ptio_tensor_spec){.dtype = PTIO_INT64, SHAPE(3, 4), .flags = PTIO_TENSOR_META}, NULL, 0);
    assert_string_equal(text_of(f, meta, PLAIN), "tensor(..., device='meta', size=(3, 4), dtype=torch.int64)");
}

static ptio_tensor_part_row part(fixture *f, const char *name, ptio_tensor_spec spec, const void *bytes, size_t size)
{
    return (ptio_tensor_part_row){.name = name, .tensor = make(f, spec, bytes, size)};
}

static void composed(void **state)
{
    fixture *f = *state;
    static const int64_t indices[] = {0, 1, 0, 1}, crow[] = {0, 1, 2}, col[] = {0, 1};
    static const float values[] = {1, 1};
    ptio_tensor_part_row coo[] = {
        part(f, "indices", (ptio_tensor_spec){.dtype = PTIO_INT64, SHAPE(2, 2)}, indices, sizeof indices),
        part(f, "values", (ptio_tensor_spec){.dtype = PTIO_FLOAT32, SHAPE(2)}, values, sizeof values)};
    ptio_tensor_extra coo_extra = {.part_count = 2, .parts = coo};
    ptio_tensor_spec spec = {.dtype = PTIO_FLOAT32, .layout = PTIO_SPARSE_COO, SHAPE(2, 2), .extra = &coo_extra};
    assert_string_equal(text_of(f, make(f, spec, NULL, 0), PLAIN), "tensor(indices=tensor([[0, 1],\n"
                                                                   "                       [0, 1]]),\n"
                                                                   "       values=tensor([1., 1.]),\n"
                                                                   "       size=(2, 2), nnz=2, layout=torch.sparse_coo)");
    ptio_tensor_part_row csr[] = {part(f, "crow", (ptio_tensor_spec){.dtype = PTIO_INT64, SHAPE(3)}, crow, sizeof crow),
                                  part(f, "col", (ptio_tensor_spec){.dtype = PTIO_INT64, SHAPE(2)}, col, sizeof col), coo[1]};
    ptio_tensor_extra csr_extra = {.part_count = 3, .parts = csr};
    spec.layout = PTIO_SPARSE_CSR;
    spec.extra = &csr_extra;
    assert_string_equal(text_of(f, make(f, spec, NULL, 0), PLAIN),
                        "tensor(crow_indices=tensor([0, 1, 2]),\n"
                        "       col_indices=tensor([0, 1]),\n"
                        "       values=tensor([1., 1.]), size=(2, 2), nnz=2, layout=torch.sparse_csr)");
    ptio_tensor_part_row nested[] = {{.name = "0", .tensor = coo[1].tensor}, {.name = "buffer", .tensor = coo[1].tensor}};
    ptio_tensor_extra nested_extra = {.part_count = 2, .parts = nested};
    spec = (ptio_tensor_spec){.dtype = PTIO_FLOAT32, .layout = PTIO_NESTED, .extra = &nested_extra};
    assert_string_equal(text_of(f, make(f, spec, NULL, 0), PLAIN), "nested_tensor([\n  tensor([1., 1.])\n])");
}

static void quantized(void **state)
{
    fixture *f = *state;
    static const uint8_t values[] = {13, 23};
    ptio_tensor_extra extra = {.quantizer = {.scheme = PTIO_PER_TENSOR_AFFINE, .scale = 0.1, .zero_point = 3}};
    CHECK("tensor([1., 2.], size=(2,), dtype=torch.quint8,\n"
          "       quantization_scheme=torch.per_tensor_affine, scale=0.1, zero_point=3)",
          PLAIN, values, .dtype = PTIO_QUINT8, SHAPE(2), .extra = &extra);
}

/* A storage of one element, expanded to more than anybody wants to read. */
static void endless(void **state)
{
    fixture *f = *state;
    static const float one[] = {1};
    int64_t shape[40], stride[40] = {0};
    for (int i = 0; i < 40; i++)
        shape[i] = 2;
    ptio_tensor_spec spec = {.dtype = PTIO_FLOAT32, .ndim = 40, .shape = shape, .stride = stride};
    const ptio_tensor *tensor = make(f, spec, one, sizeof one);
    ptio_error err = {0};
    ptio_out out;
    ptio_out_init(&out, collect, &f->text, &err);
    assert_int_equal(ptio_repr_tensor(&out, tensor, PTIO_TEXT(PLAIN), &f->style), PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.walk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(floats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_dtypes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(big_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(composed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quantized, set_up, tear_down),
        cmocka_unit_test_setup_teardown(endless, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
