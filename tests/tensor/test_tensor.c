/*
 * The bounds proof, at its edges, and the getters.
 */
#include "tensor/world.h"

#define MOST INT64_MAX
#define HALF ((int64_t)1 << 62)

typedef struct bounds_case {
    const char *reason; /* NULL: it is made */
    ptio_dtype dtype;
    uint64_t nbytes; /* of the storage */
    size_t ndim;
    int64_t shape[3], stride[3];
    int64_t offset;
} bounds_case;

static const bounds_case cases[] = {
    {NULL, PTIO_FLOAT32, 24, 2, {2, 3}, {3, 1}, 0},
    {NULL, PTIO_FLOAT32, 24, 2, {3, 2}, {1, 3}, 0},
    {NULL, PTIO_FLOAT32, 4, 0, {0}, {0}, 0},
    {"tensor.bounds", PTIO_FLOAT32, 0, 0, {0}, {0}, 0},
    {"tensor.bounds", PTIO_FLOAT32, 3, 0, {0}, {0}, 0},
    {"tensor.bounds", PTIO_FLOAT32, 24, 2, {2, 3}, {3, 1}, 1},
    {"tensor.bounds", PTIO_FLOAT32, 23, 2, {2, 3}, {3, 1}, 0},
    {NULL, PTIO_FLOAT32, 27, 2, {2, 3}, {3, 1}, 0}, /* bytes behind the last whole element */
    {NULL, PTIO_FLOAT32, 4, 1, {1000}, {0}, 0},
    {NULL, PTIO_FLOAT32, 12, 2, {2, 2}, {1, 1}, 0}, /* overlapping */
    {"tensor.bounds", PTIO_FLOAT32, 8, 2, {2, 2}, {1, 1}, 0},
    {NULL, PTIO_COMPLEX128, 32, 1, {1}, {MOST}, 1}, /* a stride that is never used */
    {"tensor.size", PTIO_FLOAT32, 24, 1, {-1}, {1}, 0},
    {"tensor.size", PTIO_FLOAT32, 24, 1, {INT64_MIN}, {1}, 0},
    {"tensor.stride", PTIO_FLOAT32, 24, 1, {2}, {-1}, 1},
    {"tensor.stride", PTIO_FLOAT32, 24, 1, {2}, {INT64_MIN}, 1},
    {"tensor.bounds", PTIO_FLOAT32, 24, 1, {2}, {1}, -1},
    {"tensor.bounds", PTIO_FLOAT32, 24, 1, {2}, {1}, INT64_MIN},
    {"tensor.bounds", PTIO_UINT8, 24, 1, {2}, {HALF}, 0},
    {"tensor.overflow", PTIO_UINT8, UINT64_MAX, 1, {2}, {MOST}, 1},
    {"tensor.overflow", PTIO_UINT8, UINT64_MAX, 1, {3}, {HALF}, 0},
    {"tensor.overflow", PTIO_UINT8, UINT64_MAX, 2, {2, 2}, {HALF, HALF}, 0},
    {"tensor.overflow", PTIO_FLOAT32, 24, 2, {HALF, 2}, {0, 0}, 0},
    {NULL, PTIO_UINT8, 1, 1, {MOST}, {0}, 0},
    {"tensor.overflow", PTIO_UINT8, 1, 3, {(int64_t)1 << 32, (int64_t)1 << 31, 0}, {0, 0, 0}, 0},
    {NULL, PTIO_UINT8, 0, 3, {0, (int64_t)1 << 32, (int64_t)1 << 32}, {1, 1, 1}, 0},
    {NULL, PTIO_FLOAT32, 0, 1, {0}, {1}, 0},
    {NULL, PTIO_FLOAT32, 48, 2, {0, 1}, {3, 1}, 14}, /* zeros(4, 3)[4:, 2:] */
    {NULL, PTIO_FLOAT32, 0, 1, {0}, {MOST}, MOST / 4},
    {"tensor.overflow", PTIO_FLOAT32, 0, 1, {0}, {1}, HALF},
    {"tensor.bounds", PTIO_FLOAT32, 0, 1, {0}, {1}, -1},
    {"tensor.overflow", PTIO_FLOAT32, 24, 1, {1}, {1}, MOST},
    {"tensor.bounds", PTIO_UINT8, 24, 1, {1}, {1}, MOST},
    {NULL, PTIO_QUINT4X2, 4, 2, {2, 4}, {4, 1}, 0}, /* two elements in each byte */
    {"tensor.bounds", PTIO_QUINT4X2, 4, 2, {3, 3}, {3, 1}, 0},
    {NULL, PTIO_QUINT2X4, 1, 1, {4}, {1}, 0},
    {"tensor.bounds", PTIO_QUINT2X4, 1, 1, {4}, {1}, 1},
    {NULL, PTIO_FLOAT4_E2M1FN_X2, 4, 1, {4}, {1}, 0},
    {"tensor.bounds", PTIO_FLOAT4_E2M1FN_X2, 4, 1, {5}, {1}, 0},
    {"tensor.dtype", PTIO_NO_DTYPE, 24, 1, {1}, {1}, 0},
    {"tensor.dtype", PTIO_DTYPE_COUNT, 24, 1, {1}, {1}, 0},
};

static void bounds(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bounds_case *c = &cases[i];
        const ptio_storage *storage = world_storage(&w, PTIO_UINT8, NULL, c->nbytes);
        const ptio_tensor *tensor = world_tensor(&w, storage, c->dtype, c->ndim, c->shape, c->stride, c->offset);
        if (c->reason)
            world_expect(&w, PTIO_ERR_FORMAT, c->reason);
        else if (!tensor)
            fail_msg("case %zu: %s", i, w.err.message);
    }
    world_close(&w);
}

/* What the proof says of small tensors is what looking at every element says. */
static void bounds_by_looking(void **state)
{
    (void)state;
    world w;
    uint64_t random = 11;
    world_open(&w, NULL);
    for (int i = 0; i < 20000; i++) {
        int64_t shape[3], stride[3], last = -1, offset = (int64_t)(next_random(&random) % 5);
        for (int d = 0; d < 3; d++) {
            shape[d] = (int64_t)(next_random(&random) % 4);
            stride[d] = (int64_t)(next_random(&random) % 7);
        }
        for (int64_t x = 0; x < shape[0]; x++)
            for (int64_t y = 0; y < shape[1]; y++)
                for (int64_t z = 0; z < shape[2]; z++) {
                    int64_t at = offset + x * stride[0] + y * stride[1] + z * stride[2];
                    last = at > last ? at : last;
                }
        uint64_t elements = next_random(&random) % 40;
        const ptio_storage *storage = world_storage(&w, PTIO_INT16, NULL, elements * 2);
        const ptio_tensor *tensor = world_tensor(&w, storage, PTIO_INT16, 3, shape, stride, offset);
        assert_int_equal(tensor != NULL, last < (int64_t)elements);
        w.err = (ptio_error){0};
    }
    world_close(&w);
}

static void too_many_dimensions(void **state)
{
    (void)state;
    world w;
    int64_t ones[65];
    world_open(&w, NULL);
    for (int i = 0; i < 65; i++)
        ones[i] = 1;
    const ptio_storage *storage = world_storage(&w, PTIO_UINT8, NULL, 1);
    const ptio_tensor *tensor = world_tensor(&w, storage, PTIO_UINT8, 64, ones, NULL, 0);
    assert_int_equal(ptio_tensor_ndim(tensor), 64);
    assert_null(world_tensor(&w, storage, PTIO_UINT8, 65, ones, NULL, 0));
    world_expect(&w, PTIO_ERR_FORMAT, "tensor.ndim");
    world_close(&w);
}

static void strides_that_are_not_given(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_UINT8, NULL, 24);
    const ptio_tensor *tensor = world_tensor(&w, storage, PTIO_UINT8, 3, (int64_t[]){2, 3, 4}, NULL, 0);
    assert_memory_equal(ptio_tensor_stride(tensor), ((int64_t[]){12, 4, 1}), 24);
    tensor = world_tensor(&w, storage, PTIO_UINT8, 3, (int64_t[]){2, 0, 4}, NULL, 0);
    assert_memory_equal(ptio_tensor_stride(tensor), ((int64_t[]){4, 4, 1}), 24);
    assert_null(world_tensor(&w, storage, PTIO_UINT8, 3, (int64_t[]){0, HALF, 4}, NULL, 0));
    world_expect(&w, PTIO_ERR_FORMAT, "tensor.overflow");
    world_close(&w);
}

static void contiguity(void **state)
{
    (void)state;
    static const struct {
        bool contiguous;
        int64_t shape[3], stride[3];
    } rows[] = {{true, {2, 3, 4}, {12, 4, 1}}, {false, {2, 3, 4}, {1, 2, 6}}, {true, {2, 1, 4}, {4, 99, 1}},
                {false, {2, 3, 4}, {0, 4, 1}}, {true, {1, 1, 1}, {7, 0, 9}},  {true, {2, 0, 4}, {5, 6, 7}},
                {false, {2, 3, 4}, {24, 8, 2}}};
    world w;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_UINT8, NULL, 1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ptio_tensor *tensor = world_tensor(&w, storage, PTIO_UINT8, 3, rows[i].shape, rows[i].stride, 0);
        assert_int_equal(ptio_tensor_is_contiguous(tensor), rows[i].contiguous);
    }
    world_close(&w);
}

static void getters(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_COMPLEX64, NULL, 800);
    const ptio_tensor *tensor = NULL;
    ptio_tensor_spec spec = {.dtype = PTIO_COMPLEX64,
                             .flags = PTIO_TENSOR_REQUIRES_GRAD | PTIO_TENSOR_CONJ,
                             .ndim = 2,
                             .shape = (int64_t[]){3, 4},
                             .stride = (int64_t[]){5, 1},
                             .storage_offset = 7,
                             .storage = storage};
    assert_int_equal(ptio_tensor_new(&w.arena, &spec, &tensor, NULL), PTIO_OK);
    assert_int_equal(ptio_tensor_dtype(tensor), PTIO_COMPLEX64);
    assert_int_equal(ptio_tensor_layout(tensor), PTIO_STRIDED);
    assert_int_equal(ptio_tensor_ndim(tensor), 2);
    assert_int_equal(ptio_tensor_shape(tensor)[1], 4);
    assert_int_equal(ptio_tensor_stride(tensor)[0], 5);
    assert_int_equal(ptio_tensor_storage_offset(tensor), 7);
    assert_int_equal(ptio_tensor_numel(tensor), 12);
    assert_true(ptio_tensor_requires_grad(tensor) && ptio_tensor_is_conj(tensor));
    assert_false(ptio_tensor_is_neg(tensor) || ptio_tensor_is_parameter(tensor) || ptio_tensor_is_meta(tensor));
    assert_ptr_equal(ptio_tensor_storage(tensor), storage);
    assert_int_equal(ptio_tensor_part_count(tensor), 0);
    assert_null(ptio_tensor_part(tensor, 0, NULL));
    const ptio_tensor *parameter = ptio_tensor_with_flags(&w.arena, tensor, PTIO_TENSOR_PARAMETER, PTIO_TENSOR_REQUIRES_GRAD);
    assert_true(ptio_tensor_is_parameter(parameter) && ptio_tensor_is_conj(parameter));
    assert_false(ptio_tensor_requires_grad(parameter));
    assert_memory_equal(ptio_tensor_stride(parameter), ptio_tensor_stride(tensor), 16);
    world_close(&w);
}

static void getters_of_nothing(void **state)
{
    (void)state;
    assert_int_equal(ptio_tensor_dtype(NULL), PTIO_NO_DTYPE);
    assert_int_equal(ptio_tensor_ndim(NULL), 0);
    assert_null(ptio_tensor_shape(NULL));
    assert_null(ptio_tensor_stride(NULL));
    assert_int_equal(ptio_tensor_numel(NULL), 0);
    assert_false(ptio_tensor_is_contiguous(NULL));
    assert_false(ptio_tensor_is_meta(NULL));
    assert_null(ptio_tensor_storage(NULL));
    assert_null(ptio_tensor_part_value(NULL, 0));
    assert_int_equal(ptio_tensor_quantizer(NULL).scheme, PTIO_NOT_QUANTIZED);
}

static void meta_and_composed(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_tensor *tensor = NULL;
    ptio_tensor_spec spec = {.dtype = PTIO_FLOAT32, .ndim = 2, .shape = (int64_t[]){HALF, 1}};
    assert_int_equal(ptio_tensor_new(&w.arena, &spec, &tensor, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "tensor.storage");
    spec.flags = PTIO_TENSOR_META;
    assert_int_equal(ptio_tensor_new(&w.arena, &spec, &tensor, &w.err), PTIO_OK);
    assert_true(ptio_tensor_is_meta(tensor));
    assert_int_equal(ptio_tensor_numel(tensor), HALF);
    ptio_storage *storage = world_storage(&w, PTIO_FLOAT32, NULL, 8);
    atomic_fetch_or(&storage->flags, PTIO_STORAGE_META);
    assert_true(ptio_tensor_is_meta(world_tensor(&w, storage, PTIO_FLOAT32, 1, (int64_t[]){2}, NULL, 0)));
    assert_null(world_tensor(&w, storage, PTIO_FLOAT32, 1, (int64_t[]){3}, NULL, 0));
    world_expect(&w, PTIO_ERR_FORMAT, "tensor.bounds");

    const ptio_tensor *one = world_array(&w, PTIO_FLOAT32, 1, (int64_t[]){2}, (double[]){1, 2});
    const ptio_tensor *three = world_array(&w, PTIO_FLOAT32, 1, (int64_t[]){3}, (double[]){1, 2, 3});
    ptio_tensor_part_row parts[] = {{"0", one, NULL}, {"1", three, NULL}, {"buffer", three, NULL}};
    const ptio_tensor *nested = world_composed(&w, PTIO_FLOAT32, PTIO_NESTED, 0, 0, NULL, 3, parts);
    const char *name = NULL;
    assert_int_equal(ptio_tensor_numel(nested), 5);
    assert_null(ptio_tensor_shape(nested));
    assert_null(ptio_tensor_stride(nested));
    assert_ptr_equal(ptio_tensor_part(nested, 1, &name), three);
    assert_string_equal(name, "1");
    assert_ptr_equal(ptio_tensor_part_named(nested, "buffer"), three);
    assert_null(ptio_tensor_part_named(nested, "sizes"));
    world_close(&w);
}

static void math_bits(void **state)
{
    (void)state;
    static const struct {
        ptio_dtype dtype;
        unsigned flags;
        const char *reason;
    } rows[] = {{PTIO_COMPLEX32, PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG, NULL},
                {PTIO_FLOAT32, PTIO_TENSOR_NEG, NULL},
                {PTIO_INT16, PTIO_TENSOR_NEG, NULL},
                {PTIO_FLOAT32, PTIO_TENSOR_CONJ, "tensor.conj"},
                {PTIO_BOOL, PTIO_TENSOR_NEG, "tensor.neg"},
                {PTIO_FLOAT8_E4M3FNUZ, PTIO_TENSOR_NEG, "tensor.neg"},
                {PTIO_BITS8, PTIO_TENSOR_NEG, "tensor.neg"}};
    world w;
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ptio_tensor *tensor;
        ptio_tensor_spec spec = {
            .dtype = rows[i].dtype, .flags = rows[i].flags, .storage = world_storage(&w, rows[i].dtype, NULL, 16)};
        ptio_status status = ptio_tensor_new(&w.arena, &spec, &tensor, &w.err);
        assert_int_equal(status, rows[i].reason ? PTIO_ERR_FORMAT : PTIO_OK);
        if (rows[i].reason)
            world_expect(&w, PTIO_ERR_FORMAT, rows[i].reason);
    }
    world_close(&w);
}

/* A tensor that takes over the dims of another is checked against its own storage, from its own offset on. */
static void alike(void **state)
{
    (void)state;
    static const ptio_dtype dtypes[] = {PTIO_INT8, PTIO_FLOAT32, PTIO_COMPLEX128, PTIO_UINT2};
    const int64_t shape[] = {3, 2}, stride[] = {4, 1};
    world w;
    world_open(&w, NULL);
    const ptio_tensor *first = world_tensor(&w, world_storage(&w, PTIO_FLOAT32, NULL, 1000), PTIO_FLOAT32, 2, shape, stride, 0);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (uint64_t nbytes = 0; nbytes < 260; nbytes += 1 + nbytes / 20)
            for (int64_t offset = -1; offset < 9; offset++) {
                const ptio_tensor *tensor = NULL, *own;
                ptio_tensor_spec spec = {.dtype = dtypes[i],
                                         .ndim = 2,
                                         .alike = first,
                                         .storage_offset = offset,
                                         .storage = world_storage(&w, dtypes[i], NULL, nbytes)};
                ptio_status status = ptio_tensor_new(&w.arena, &spec, &tensor, NULL);
                own = world_tensor(&w, spec.storage, dtypes[i], 2, shape, stride, offset);
                assert_int_equal(status, w.err.status);
                w.err = (ptio_error){0};
                assert_int_equal(tensor != NULL, own != NULL);
                if (!own)
                    continue;
                assert_ptr_equal(ptio_tensor_shape(tensor), ptio_tensor_shape(first));
                assert_memory_equal(ptio_tensor_shape(tensor), ptio_tensor_shape(own), sizeof shape);
                assert_memory_equal(ptio_tensor_stride(tensor), ptio_tensor_stride(own), sizeof stride);
                assert_int_equal(ptio_tensor_numel(tensor), ptio_tensor_numel(own));
                assert_int_equal(ptio_tensor_storage_offset(tensor), offset);
            }
    world_close(&w);
}

static void no_memory(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_tensor *tensor = NULL;
    static const ptio_storage storage = {.nbytes = 8};
    ptio_tensor_spec spec = {.dtype = PTIO_FLOAT32, .ndim = 1, .shape = (int64_t[]){2}, .storage = &storage};
    w.fail_at = 0;
    assert_int_equal(ptio_tensor_new(&w.arena, &spec, &tensor, &w.err), PTIO_ERR_MEMORY);
    assert_null(tensor);
    world_expect(&w, PTIO_ERR_MEMORY, "memory");
    assert_int_equal(ptio_tensor_new(&w.arena, &spec, &tensor, &w.err), PTIO_OK);
    assert_non_null(tensor);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(bounds_by_looking),
        cmocka_unit_test(too_many_dimensions),
        cmocka_unit_test(strides_that_are_not_given),
        cmocka_unit_test(contiguity),
        cmocka_unit_test(getters),
        cmocka_unit_test(getters_of_nothing),
        cmocka_unit_test(meta_and_composed),
        cmocka_unit_test(math_bits),
        cmocka_unit_test(alike),
        cmocka_unit_test(no_memory),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
