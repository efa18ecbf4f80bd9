/*
 * Sparse tensors made dense. Random ones are compared with PyTorch by tests/oracle/tensors.py.
 */
#include <math.h>

#include "tensor/world.h"

/* A strided tensor of the numbers, of one dtype. */
static const ptio_tensor *numbers(world *w, ptio_dtype dtype, size_t ndim, const int64_t *shape, const double *values)
{
    return world_array(w, dtype, ndim, shape, values);
}

/* COO of one sparse dimension of size 4, the values at 2, 0, 2. */
static const ptio_tensor *three_of_four(world *w, ptio_dtype dtype, const double *values)
{
    ptio_tensor_part_row parts[] = {{"indices", numbers(w, PTIO_INT64, 2, (int64_t[]){1, 3}, (double[]){2, 0, 2}), NULL},
                                    {"values", numbers(w, dtype, 1, (int64_t[]){3}, values), NULL}};
    return world_composed(w, dtype, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 2, parts);
}

static void sums_of_every_class(void **state)
{
    (void)state;
    static const ptio_dtype dtypes[] = {PTIO_FLOAT64, PTIO_FLOAT32, PTIO_FLOAT16, PTIO_BFLOAT16,      PTIO_INT64,
                                        PTIO_INT32,   PTIO_INT16,   PTIO_INT8,    PTIO_FLOAT8_E4M3FN, PTIO_COMPLEX128};
    world w;
    double got[8];
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        double values[] = {1, 2, 3};
        const ptio_tensor *tensor = three_of_four(&w, dtypes[i], values);
        assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, got, 32, &w.err), PTIO_OK);
        assert_memory_equal(got, ((double[]){2, 0, 4, 0}), 32);
    }
    uint8_t bytes[4];
    assert_int_equal(ptio_tensor_copy(three_of_four(&w, PTIO_UINT8, (double[]){200, 7, 100}), PTIO_UINT8, bytes, 4, NULL),
                     PTIO_OK);
    assert_memory_equal(bytes, ((uint8_t[]){7, 0, 44, 0}), 4);
    assert_int_equal(ptio_tensor_copy(three_of_four(&w, PTIO_BOOL, (double[]){1, 0, 1}), PTIO_BOOL, bytes, 4, NULL), PTIO_OK);
    assert_memory_equal(bytes, ((uint8_t[]){0, 0, 1, 0}), 4);
    /* Each sum is rounded to the dtype: 2048 + 1 is 2048 in float16. */
    assert_int_equal(ptio_tensor_copy(three_of_four(&w, PTIO_FLOAT16, (double[]){2048, -0.0, 1}), PTIO_FLOAT64, got, 32, NULL),
                     PTIO_OK);
    assert_memory_equal(got, ((double[]){0, 0, 2048, 0}), 32);
    world_close(&w);
}

/* PyTorch multiplies by 1 + 0i. */
static void infinite_complex(void **state)
{
    (void)state;
    world w;
    double got[8];
    world_open(&w, NULL);
    const double parts[] = {1, INFINITY, 3, 4, 5, 6};
    ptio_storage *storage = world_storage(&w, PTIO_COMPLEX128, parts, sizeof parts);
    ptio_tensor_part_row rows[] = {{"indices", numbers(&w, PTIO_INT64, 2, (int64_t[]){1, 3}, (double[]){0, 1, 3}), NULL},
                                   {"values", world_tensor(&w, storage, PTIO_COMPLEX128, 1, (int64_t[]){3}, NULL, 0), NULL}};
    const ptio_tensor *tensor = world_composed(&w, PTIO_COMPLEX128, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 2, rows);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_COMPLEX128, got, 64, NULL), PTIO_OK);
    assert_true(isnan(got[0]) && isinf(got[1]) && got[2] == 3 && got[3] == 4 && got[4] == 0 && got[5] == 0 && got[6] == 5 &&
                got[7] == 6);
    world_close(&w);
}

static const ptio_tensor *compressed(world *w, ptio_layout layout, size_t ndim, const int64_t *shape, const ptio_tensor *pointers,
                                     const ptio_tensor *indices, const ptio_tensor *values)
{
    bool by_row = layout == PTIO_SPARSE_CSR || layout == PTIO_SPARSE_BSR;
    ptio_tensor_part_row parts[] = {
        {by_row ? "crow" : "ccol", pointers, NULL}, {by_row ? "col" : "row", indices, NULL}, {"values", values, NULL}};
    return world_composed(w, (ptio_dtype)ptio_tensor_dtype(values), layout, 0, ndim, shape, 3, parts);
}

static void expect(const ptio_tensor *tensor, const float *want, size_t count)
{
    float got[64];
    ptio_error err = {0};
    if (ptio_tensor_copy(tensor, PTIO_FLOAT32, got, count * 4, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    assert_memory_equal(got, want, count * 4);
}

static void compressed_layouts(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_tensor *pointers = numbers(&w, PTIO_INT32, 1, (int64_t[]){3}, (double[]){0, 2, 3});
    const ptio_tensor *indices = numbers(&w, PTIO_INT32, 1, (int64_t[]){3}, (double[]){0, 2, 1});
    const ptio_tensor *values = numbers(&w, PTIO_FLOAT32, 1, (int64_t[]){3}, (double[]){1, 2, 3});
    expect(compressed(&w, PTIO_SPARSE_CSR, 2, (int64_t[]){2, 3}, pointers, indices, values), (float[]){1, 0, 2, 0, 3, 0}, 6);
    expect(compressed(&w, PTIO_SPARSE_CSC, 2, (int64_t[]){3, 2}, pointers, indices, values), (float[]){1, 0, 0, 3, 2, 0}, 6);
    /* Two elements each. */
    values = numbers(&w, PTIO_FLOAT32, 2, (int64_t[]){3, 2}, (double[]){1, 2, 3, 4, 5, 6});
    expect(compressed(&w, PTIO_SPARSE_CSR, 3, (int64_t[]){2, 3, 2}, pointers, indices, values),
           (float[]){1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0}, 12);
    /* Blocks of 1 x 2. */
    values = numbers(&w, PTIO_FLOAT32, 3, (int64_t[]){3, 1, 2}, (double[]){1, 2, 3, 4, 5, 6});
    expect(compressed(&w, PTIO_SPARSE_BSR, 2, (int64_t[]){2, 6}, pointers, indices, values),
           (float[]){1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0}, 12);
    /* Blocks of 2 x 1, by columns. */
    values = numbers(&w, PTIO_FLOAT32, 3, (int64_t[]){3, 2, 1}, (double[]){1, 2, 3, 4, 5, 6});
    expect(compressed(&w, PTIO_SPARSE_BSC, 2, (int64_t[]){6, 2}, pointers, indices, values),
           (float[]){1, 0, 2, 0, 0, 5, 0, 6, 3, 0, 4, 0}, 12);
    /* Two matrices. */
    pointers = numbers(&w, PTIO_INT64, 2, (int64_t[]){2, 2}, (double[]){0, 1, 0, 1});
    indices = numbers(&w, PTIO_INT64, 2, (int64_t[]){2, 1}, (double[]){1, 0});
    values = numbers(&w, PTIO_FLOAT32, 2, (int64_t[]){2, 1}, (double[]){8, 9});
    expect(compressed(&w, PTIO_SPARSE_CSR, 3, (int64_t[]){2, 1, 2}, pointers, indices, values), (float[]){0, 8, 9, 0}, 4);
    world_close(&w);
}

static void slices(void **state)
{
    (void)state;
    world w;
    int16_t got[2];
    world_open(&w, NULL);
    const ptio_tensor *tensor = three_of_four(&w, PTIO_FLOAT32, (double[]){1, 2, 3});
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{0, 4, 2}}, PTIO_INT16, got, 4, NULL), PTIO_OK);
    assert_memory_equal(got, ((int16_t[]){2, 4}), 4);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{3, 3, 1}}, PTIO_INT16, got, 0, NULL), PTIO_OK);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{0, 4, 2}}, PTIO_INT16, got, 2, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.buffer");
    world_close(&w);
}

/* ---- what fails ---- */

static void refused(void **state)
{
    (void)state;
    world w;
    float got[4];
    const ptio_limits limits = {.expand_factor = 2};
    world_open(&w, &limits);
    ptio_tensor_part_row parts[] = {{"indices", numbers(&w, PTIO_INT64, 2, (int64_t[]){1, 1}, (double[]){4}), NULL},
                                    {"values", numbers(&w, PTIO_FLOAT32, 1, (int64_t[]){1}, (double[]){1}), NULL}};
    const ptio_tensor *beyond = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 2, parts);
    assert_int_equal(ptio_tensor_copy(beyond, PTIO_FLOAT32, got, 16, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "sparse.index");
    assert_int_equal(ptio_tensor_copy(beyond, PTIO_FLOAT32, got, 12, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.buffer");
    assert_int_equal(ptio_tensor_copy(beyond, PTIO_BITS8, got, 4, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.cast");
    const ptio_tensor *none = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 1, parts);
    assert_int_equal(ptio_tensor_copy(none, PTIO_FLOAT32, got, 16, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "sparse.part");
    const ptio_tensor *huge = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){1 << 21}, 2, parts);
    assert_int_equal(ptio_tensor_copy(huge, PTIO_FLOAT32, got, (uint64_t)4 << 21, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "limit.expand");
    parts[1].tensor = ptio_tensor_with_flags(&w.arena, parts[1].tensor, PTIO_TENSOR_META, 0);
    const ptio_tensor *meta = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 2, parts);
    assert_int_equal(ptio_tensor_copy(meta, PTIO_FLOAT32, got, 16, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.meta");
    world_close(&w);
}

static void no_memory(void **state)
{
    (void)state;
    world w;
    double got[4];
    int n = 0;
    world_open(&w, NULL);
    /* Values that have to be laid side by side, and a cast: two allocations. */
    const ptio_storage *storage = world_numbers(&w, PTIO_FLOAT32, (double[]){1, 0, 2, 0, 3}, 5);
    ptio_tensor_part_row parts[] = {
        {"indices", numbers(&w, PTIO_INT64, 2, (int64_t[]){1, 3}, (double[]){2, 0, 2}), NULL},
        {"values", world_tensor(&w, storage, PTIO_FLOAT32, 1, (int64_t[]){3}, (int64_t[]){2}, 0), NULL}};
    const ptio_tensor *tensor = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){4}, 2, parts);
    for (;; n++) {
        w.allocations = 0;
        w.fail_at = n;
        if (ptio_tensor_copy(tensor, PTIO_FLOAT64, got, 32, &w.err) == PTIO_OK)
            break;
        world_expect(&w, PTIO_ERR_MEMORY, "memory");
    }
    assert_int_equal(n, 2);
    assert_memory_equal(got, ((double[]){2, 0, 4, 0}), 32);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_every_class),
        cmocka_unit_test(infinite_complex),
        cmocka_unit_test(compressed_layouts),
        cmocka_unit_test(slices),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
