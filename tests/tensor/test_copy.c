/*
 * Copies and streams of strided tensors against the plainest loops, and dequantized numbers against PyTorch's.
 */
#include <stdlib.h>

#include "tensor/world.h"

/* ---- a naive reference: every element by its indices ---- */

static const char *element_at(const ptio_tensor *tensor, const char *bytes, uint64_t number)
{
    const int64_t *shape = ptio_tensor_shape(tensor), *stride = ptio_tensor_stride(tensor);
    int64_t at = ptio_tensor_storage_offset(tensor);
    for (size_t i = ptio_tensor_ndim(tensor); i-- > 0;) {
        at += (int64_t)(number % (uint64_t)shape[i]) * stride[i];
        number /= (uint64_t)shape[i];
    }
    return bytes + at * (int64_t)ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
}

static void naive_copy(const ptio_tensor *tensor, const char *bytes, ptio_dtype dtype, char *out)
{
    for (uint64_t i = 0; i < ptio_tensor_numel(tensor); i++)
        assert_true(ptio_convert(ptio_tensor_dtype(tensor), element_at(tensor, bytes, i), 0, dtype,
                                 out + i * ptio_dtype_itemsize(dtype), 1));
}

typedef struct collected {
    char *bytes;
    size_t size, room;
} collected;

static ptio_status collect(void *ctx, const void *bytes, size_t size, ptio_error *err)
{
    collected *c = ctx;
    (void)err;
    assert_true(size > 0 && size <= 65536 && size <= c->room - c->size);
    memcpy(c->bytes + c->size, bytes, size);
    c->size += size;
    return PTIO_OK;
}

static void expect_stream(const ptio_tensor *tensor, const void *want, size_t size)
{
    collected c = {malloc(size + 1), 0, size};
    assert_non_null(c.bytes);
    assert_int_equal(ptio_tensor_stream(tensor, collect, &c, NULL), PTIO_OK);
    assert_int_equal(c.size, size);
    assert_memory_equal(c.bytes, want, size);
    free(c.bytes);
}

enum { ELEMENTS = 3000 };

static const ptio_dtype dtypes[] = {PTIO_FLOAT64,    PTIO_FLOAT32,   PTIO_FLOAT16,    PTIO_BFLOAT16,   PTIO_INT64,
                                    PTIO_INT8,       PTIO_BOOL,      PTIO_UINT16,     PTIO_UINT64,     PTIO_COMPLEX64,
                                    PTIO_COMPLEX128, PTIO_COMPLEX32, PTIO_BCOMPLEX32, PTIO_FLOAT8_E5M2};

static ptio_dtype some_dtype(uint64_t *random)
{
    return dtypes[next_random(random) % (sizeof dtypes / sizeof *dtypes)];
}

/* A view of any kind: contiguous, permuted, expanded, overlapping, with steps. */
static const ptio_tensor *some_view(world *w, const ptio_storage *storage, ptio_dtype dtype, uint64_t *random)
{
    for (;;) {
        int64_t shape[4], stride[4], step = 1;
        size_t ndim = (size_t)(next_random(random) % 5);
        for (size_t i = ndim; i-- > 0;) {
            shape[i] = (int64_t)(next_random(random) % 8 == 0 ? next_random(random) % 50 : 1 + next_random(random) % 5);
            stride[i] = next_random(random) % 3 == 0 ? (int64_t)(next_random(random) % 40) : step;
            step *= shape[i] ? shape[i] : 1;
        }
        if (ndim > 1 && next_random(random) % 2) {
            int64_t size = shape[0], by = stride[0];
            shape[0] = shape[ndim - 1], stride[0] = stride[ndim - 1];
            shape[ndim - 1] = size, stride[ndim - 1] = by;
        }
        const ptio_tensor *tensor = world_tensor(w, storage, dtype, ndim, shape, stride, (int64_t)(next_random(random) % 20));
        w->err = (ptio_error){0};
        if (tensor && ptio_tensor_numel(tensor) <= ELEMENTS)
            return tensor;
    }
}

static void like_naive(void **state)
{
    (void)state;
    world w;
    static char bytes[ELEMENTS * 16], want[ELEMENTS * 16], got[ELEMENTS * 16];
    uint64_t random = 5;
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)next_random(&random);
    for (int i = 0; i < 4000; i++) {
        ptio_dtype from = some_dtype(&random), to = next_random(&random) % 2 ? from : some_dtype(&random);
        const ptio_storage *storage = world_storage(&w, from, bytes, ELEMENTS * ptio_dtype_itemsize(from));
        const ptio_tensor *tensor = some_view(&w, storage, from, &random);
        size_t size = (size_t)ptio_tensor_numel(tensor) * ptio_dtype_itemsize(to);
        naive_copy(tensor, bytes, to, want);
        assert_int_equal(ptio_tensor_copy(tensor, to, got, size, NULL), PTIO_OK);
        assert_memory_equal(got, want, size);
        if (from == to)
            expect_stream(tensor, want, size);
    }
    world_close(&w);
}

static void big_streams(void **state)
{
    (void)state;
    world w;
    enum { ROWS = 300, COLUMNS = 500 };
    static int32_t values[ROWS * COLUMNS], turned[ROWS * COLUMNS];
    world_open(&w, NULL);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = i;
    for (int i = 0; i < COLUMNS; i++)
        for (int j = 0; j < ROWS; j++)
            turned[i * ROWS + j] = values[j * COLUMNS + i];
    const ptio_storage *storage = world_storage(&w, PTIO_INT32, values, sizeof values);
    expect_stream(world_tensor(&w, storage, PTIO_INT32, 2, (int64_t[]){ROWS, COLUMNS}, NULL, 0), values, sizeof values);
    expect_stream(world_tensor(&w, storage, PTIO_INT32, 2, (int64_t[]){COLUMNS, ROWS}, (int64_t[]){1, COLUMNS}, 0), turned,
                  sizeof turned);
    world_close(&w);
}

/* Matrices that are copied in tiles: whole tiles and rests, several of them, cast. */
static void transposed(void **state)
{
    (void)state;
    world w;
    enum { BATCH = 3, ROWS = 70, COLUMNS = 101 };
    static int16_t values[BATCH * ROWS * COLUMNS];
    static float want[BATCH * ROWS * COLUMNS], got[BATCH * ROWS * COLUMNS];
    world_open(&w, NULL);
    for (int i = 0; i < BATCH * ROWS * COLUMNS; i++)
        values[i] = (int16_t)(i * 3);
    const ptio_storage *storage = world_storage(&w, PTIO_INT16, values, sizeof values);
    const ptio_tensor *tensor =
        world_tensor(&w, storage, PTIO_INT16, 3, (int64_t[]){BATCH, COLUMNS, ROWS}, (int64_t[]){ROWS * COLUMNS, 1, COLUMNS}, 0);
    naive_copy(tensor, (const char *)values, PTIO_FLOAT32, (char *)want);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT32, got, sizeof got, NULL), PTIO_OK);
    assert_memory_equal(got, want, sizeof want);
    tensor = world_tensor(&w, storage, PTIO_INT16, 2, (int64_t[]){COLUMNS, ROWS - 1}, (int64_t[]){1, COLUMNS}, 5);
    naive_copy(tensor, (const char *)values, PTIO_INT16, (char *)want);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_INT16, got, COLUMNS * (ROWS - 1) * 2, NULL), PTIO_OK);
    assert_memory_equal(got, want, COLUMNS * (ROWS - 1) * 2);
    world_close(&w);
}

static ptio_status stop(void *ctx, const void *bytes, size_t size, ptio_error *err)
{
    (void)bytes;
    (void)size;
    ++*(int *)ctx;
    return ptio_fail(err, PTIO_ERR_CANCELLED, "test.stop", PTIO_NO_OFFSET, "enough");
}

static void stopped_streams(void **state)
{
    (void)state;
    world w;
    static char bytes[200000];
    int calls = 0;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_UINT8, bytes, sizeof bytes);
    const ptio_tensor *plain = world_tensor(&w, storage, PTIO_UINT8, 1, (int64_t[]){200000}, NULL, 0);
    const ptio_tensor *spread = world_tensor(&w, storage, PTIO_UINT8, 1, (int64_t[]){100000}, (int64_t[]){2}, 0);
    assert_int_equal(ptio_tensor_stream(plain, stop, &calls, &w.err), PTIO_ERR_CANCELLED);
    assert_int_equal(ptio_tensor_stream(spread, stop, &calls, NULL), PTIO_ERR_CANCELLED);
    assert_int_equal(calls, 2);
    world_expect(&w, PTIO_ERR_CANCELLED, "test.stop");
    world_close(&w);
}

static const ptio_tensor *with_bits(world *w, const ptio_tensor *tensor, unsigned bits)
{
    const ptio_tensor *copy = ptio_tensor_with_flags(&w->arena, tensor, bits, 0);
    assert_non_null(copy);
    return copy;
}

static void conj_and_neg(void **state)
{
    (void)state;
    world w;
    static const float pairs[] = {1, 2, -3, 4, 5, -6};
    double got[6];
    float parts[3];
    int32_t ints[3];
    world_open(&w, NULL);
    const ptio_tensor *tensor =
        world_tensor(&w, world_storage(&w, PTIO_COMPLEX64, pairs, sizeof pairs), PTIO_COMPLEX64, 1, (int64_t[]){3}, NULL, 0);
    assert_int_equal(ptio_tensor_copy(with_bits(&w, tensor, PTIO_TENSOR_CONJ), PTIO_COMPLEX128, got, 48, NULL), PTIO_OK);
    assert_memory_equal(got, ((double[]){1, -2, -3, -4, 5, 6}), 48);
    assert_int_equal(ptio_tensor_copy(with_bits(&w, tensor, PTIO_TENSOR_NEG), PTIO_COMPLEX128, got, 48, NULL), PTIO_OK);
    assert_memory_equal(got, ((double[]){-1, -2, 3, -4, -5, 6}), 48);
    const ptio_tensor *both = with_bits(&w, tensor, PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG);
    assert_int_equal(ptio_tensor_copy(both, PTIO_COMPLEX128, got, 48, NULL), PTIO_OK);
    assert_memory_equal(got, ((double[]){-1, 2, 3, 4, -5, -6}), 48);
    assert_int_equal(ptio_tensor_copy(both, PTIO_FLOAT32, parts, 12, NULL), PTIO_OK);
    assert_memory_equal(parts, ((float[]){-1, 3, -5}), 12);
    assert_int_equal(ptio_tensor_copy(both, PTIO_INT32, ints, 12, NULL), PTIO_OK);
    assert_memory_equal(ints, ((int32_t[]){-1, 3, -5}), 12);
    expect_stream(both, ((float[]){-1, 2, 3, 4, -5, -6}), 24);
    static const int16_t shorts[] = {1, -2, INT16_MIN};
    tensor = world_tensor(&w, world_storage(&w, PTIO_INT16, shorts, 6), PTIO_INT16, 1, (int64_t[]){3}, NULL, 0);
    expect_stream(with_bits(&w, tensor, PTIO_TENSOR_NEG), ((int16_t[]){-1, 2, INT16_MIN}), 6);
    world_close(&w);
}

static void bools(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_BOOL, "\0\1\2\377", 4);
    const ptio_tensor *tensor = world_tensor(&w, storage, PTIO_BOOL, 1, (int64_t[]){4}, NULL, 0);
    expect_stream(tensor, "\0\1\1\1", 4);
    world_close(&w);
}

/* ---- quantized ---- */

static void expect_floats(const ptio_tensor *tensor, const uint32_t *want, size_t count)
{
    float got[16];
    double wide[16];
    assert_true(count <= 16);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT32, got, count * 4, NULL), PTIO_OK);
    assert_memory_equal(got, want, count * 4);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, wide, count * 8, NULL), PTIO_OK);
    for (size_t i = 0; i < count; i++)
        assert_true(wide[i] == (double)got[i]);
}

/* The numbers are what PyTorch 2.13 gives. */
static void dequantize_per_tensor(void **state)
{
    (void)state;
    world w;
    static const int8_t bytes[] = {-128, -3, 0, 5, 127};
    static const int32_t words[] = {INT32_MIN, -16777217, 16777217, 123456789, INT32_MAX};
    world_open(&w, NULL);
    ptio_quantizer quantizer = {.scheme = PTIO_PER_TENSOR_AFFINE, .scale = 0.0123456789, .zero_point = 7};
    const ptio_tensor *tensor =
        world_quantized(&w, world_storage(&w, PTIO_QINT8, bytes, 5), PTIO_QINT8, 1, (int64_t[]){5}, NULL, quantizer, 0, NULL);
    expect_floats(tensor, (uint32_t[]){0xBFD55555, 0xBDFCD6EA, 0xBDB0FCD7, 0xBCCA4588, 0x3FBDA130}, 5);
    int64_t ints[5];
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_INT64, ints, 40, NULL), PTIO_OK);
    assert_memory_equal(ints, ((int64_t[]){-128, -3, 0, 5, 127}), 40);
    expect_stream(tensor, bytes, 5);
    quantizer = (ptio_quantizer){.scheme = PTIO_PER_TENSOR_AFFINE, .scale = 3e-5, .zero_point = -3};
    tensor =
        world_quantized(&w, world_storage(&w, PTIO_QINT32, words, 20), PTIO_QINT32, 1, (int64_t[]){5}, NULL, quantizer, 0, NULL);
    expect_floats(tensor, (uint32_t[]){0xC77BA882, 0xC3FBA880, 0x43FBA886, 0x45677B42, 0xC77BA882}, 5);
    world_close(&w);
}

static const ptio_tensor *per_channel(world *w, ptio_dtype dtype, const void *bytes, uint64_t nbytes, ptio_qscheme scheme,
                                      int64_t axis, int64_t channels, const double *scales, const double *zero_points)
{
    bool floats = scheme == PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS;
    ptio_tensor_part_row parts[] = {
        {"scales", world_array(w, floats ? PTIO_FLOAT32 : PTIO_FLOAT64, 1, &channels, scales), NULL},
        {"zero_points", world_array(w, floats ? PTIO_FLOAT32 : PTIO_INT64, 1, &channels, zero_points), NULL}};
    return world_quantized(w, world_storage(w, dtype, bytes, nbytes), dtype, 2, (int64_t[]){2, 3}, NULL,
                           (ptio_quantizer){.scheme = scheme, .axis = axis}, 2, parts);
}

static void dequantize_per_channel(void **state)
{
    (void)state;
    world w;
    static const int8_t ints[] = {-128, -3, 100, 5, 127, 0};
    static const uint8_t bytes[] = {0, 3, 100, 5, 255, 7};
    world_open(&w, NULL);
    expect_floats(per_channel(&w, PTIO_QINT8, ints, 6, PTIO_PER_CHANNEL_AFFINE, 0, 2, (double[]){0.1, 0.0333}, (double[]){3, -7}),
                  (uint32_t[]){0xC151999A, 0xBF19999A, 0x411B3333, 0x3ECC985F, 0x408ECA58, 0x3E6EB1C4}, 6);
    expect_floats(
        per_channel(&w, PTIO_QINT8, ints, 6, PTIO_PER_CHANNEL_AFFINE, 1, 3, (double[]){0.1, 0.0333, 7.7}, (double[]){3, -7, 0}),
        (uint32_t[]){0xC151999A, 0x3E086595, 0x44408000, 0x3E4CCCCD, 0x408ECA58, 0x00000000}, 6);
    expect_floats(per_channel(&w, PTIO_QUINT8, bytes, 6, PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS, 0, 2, (double[]){0.1, 0.0333},
                              (double[]){0.3, 7.7}),
                  (uint32_t[]){0xBCF5C290, 0x3E8A3D71, 0x411F851F, 0xBDB822BB, 0x4103C2EE, 0xBCBEF49A}, 6);
    world_close(&w);
}

/* More elements than a piece, so that channels run over its end. */
static void channels_longer_than_a_piece(void **state)
{
    (void)state;
    world w;
    enum { CHANNELS = 3, INNER = 700 };
    static int8_t ints[CHANNELS * INNER];
    static float got[CHANNELS * INNER];
    double scales[] = {0.5, 2, 4}, zero_points[] = {1, -1, 3};
    world_open(&w, NULL);
    for (int i = 0; i < CHANNELS * INNER; i++)
        ints[i] = (int8_t)(i % 200 - 100);
    ptio_tensor_part_row parts[] = {{"scales", world_array(&w, PTIO_FLOAT64, 1, (int64_t[]){3}, scales), NULL},
                                    {"zero_points", world_array(&w, PTIO_INT32, 1, (int64_t[]){3}, zero_points), NULL}};
    const ptio_storage *storage = world_storage(&w, PTIO_QINT8, ints, sizeof ints);
    ptio_quantizer quantizer = {.scheme = PTIO_PER_CHANNEL_AFFINE, .axis = 0};
    const ptio_tensor *tensor =
        world_quantized(&w, storage, PTIO_QINT8, 2, (int64_t[]){CHANNELS, INNER}, NULL, quantizer, 2, parts);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT32, got, sizeof got, NULL), PTIO_OK);
    for (int i = 0; i < CHANNELS * INNER; i++)
        assert_true(got[i] == (float)((ints[i] - zero_points[i / INNER]) * scales[i / INNER]));
    /* The same channels along the last dimension of a transposed view. */
    quantizer.axis = 1;
    tensor =
        world_quantized(&w, storage, PTIO_QINT8, 2, (int64_t[]){INNER, CHANNELS}, (int64_t[]){1, INNER}, quantizer, 2, parts);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT32, got, sizeof got, NULL), PTIO_OK);
    for (int i = 0; i < CHANNELS * INNER; i++) {
        int channel = i % CHANNELS, at = channel * INNER + i / CHANNELS;
        assert_true(got[i] == (float)((ints[at] - zero_points[channel]) * scales[channel]));
    }
    world_close(&w);
}

static void packed(void **state)
{
    (void)state;
    world w;
    static const uint8_t four[] = {16, 66, 37, 176}, two[] = {228, 11};
    uint8_t bytes[6];
    world_open(&w, NULL);
    const ptio_tensor *tensor = per_channel(&w, PTIO_QUINT4X2, four, 4, PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS, 0, 2,
                                            (double[]){0.1, 0.3}, (double[]){0.3, 0.7});
    expect_floats(tensor, (uint32_t[]){0xBCF5C290, 0x3D8F5C29, 0x3E2E147B, 0x3F7D70A4, 0x3FA51EB9, 0x3EC7AE15}, 6);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, bytes, 6, NULL), PTIO_OK);
    assert_memory_equal(bytes, ((uint8_t[]){0, 1, 2, 4, 5, 2}), 6);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_QUINT4X2, bytes, 3, NULL), PTIO_OK);
    assert_memory_equal(bytes, four, 3);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_QUINT4X2, bytes, 6, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.buffer");
    expect_stream(tensor, four, 3);
    tensor = per_channel(&w, PTIO_QUINT2X4, two, 2, PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS, 0, 2, (double[]){0.1, 0.3},
                         (double[]){0.3, 0.7});
    expect_floats(tensor, (uint32_t[]){0xBCF5C290, 0x3D8F5C29, 0x3E2E147B, 0x3F30A3D7, 0x3F30A3D7, 0x3EC7AE15}, 6);
    expect_stream(tensor, two, 2);
    /* Every second element, from the second on: 1 4 2, packed anew. */
    const ptio_storage *storage = ptio_tensor_storage(
        per_channel(&w, PTIO_QUINT4X2, four, 4, PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS, 0, 2, (double[]){1, 1}, (double[]){0, 0}));
    tensor = world_tensor(&w, storage, PTIO_QUINT4X2, 1, (int64_t[]){3}, (int64_t[]){2}, 1);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_QUINT4X2, bytes, 2, NULL), PTIO_OK);
    assert_memory_equal(bytes, ((uint8_t[]){0x41, 0x02}), 2);
    const void *data;
    assert_int_equal(ptio_tensor_data(tensor, &data, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.packed");
    world_close(&w);
}

/* ---- refusals ---- */

static void wrong_calls(void **state)
{
    (void)state;
    world w;
    char buffer[64];
    const void *data;
    world_open(&w, NULL);
    const ptio_tensor *tensor = world_array(&w, PTIO_FLOAT32, 1, (int64_t[]){2}, (double[]){1, 2});
    const ptio_tensor *bits = world_tensor(&w, world_storage(&w, PTIO_UINT8, "abcd", 4), PTIO_BITS16, 1, (int64_t[]){2}, NULL, 0);
    const ptio_tensor *meta = ptio_tensor_with_flags(&w.arena, tensor, PTIO_TENSOR_META, 0);
    const ptio_tensor *nested = world_composed(&w, PTIO_FLOAT32, PTIO_NESTED, 0, 0, NULL, 0, NULL);
    const ptio_tensor *sparse = world_composed(&w, PTIO_FLOAT32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){3}, 0, NULL);
    const struct {
        const ptio_tensor *tensor;
        ptio_dtype dtype;
        uint64_t size;
        const char *reason;
    } rows[] = {{tensor, PTIO_FLOAT32, 7, "tensor.buffer"},   {tensor, PTIO_FLOAT64, 8, "tensor.buffer"},
                {tensor, PTIO_BITS8, 2, "tensor.cast"},       {tensor, PTIO_NO_DTYPE, 0, "tensor.cast"},
                {tensor, PTIO_DTYPE_COUNT, 0, "tensor.cast"}, {tensor, PTIO_QINT8, 2, "tensor.cast"},
                {bits, PTIO_FLOAT32, 8, "tensor.cast"},       {meta, PTIO_FLOAT32, 8, "tensor.meta"},
                {nested, PTIO_FLOAT32, 0, "tensor.composed"}, {NULL, PTIO_FLOAT32, 0, "tensor.none"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ptio_tensor_copy(rows[i].tensor, rows[i].dtype, buffer, rows[i].size, &w.err), PTIO_ERR_ARGUMENT);
        world_expect(&w, PTIO_ERR_ARGUMENT, rows[i].reason);
    }
    assert_int_equal(ptio_tensor_copy(bits, PTIO_BITS16, buffer, 4, NULL), PTIO_OK);
    assert_memory_equal(buffer, "abcd", 4);
    assert_int_equal(ptio_tensor_data(meta, &data, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.meta");
    assert_int_equal(ptio_tensor_stream(sparse, collect, NULL, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.composed");
    world_close(&w);
}

static void expansion(void **state)
{
    (void)state;
    world w;
    enum { FREE = 1 << 20 };
    static char buffer[17 << 20];
    static uint8_t bytes[FREE];
    world_open(&w, NULL);
    const ptio_storage *one = world_storage(&w, PTIO_UINT8, "x", 1), *many = world_storage(&w, PTIO_UINT8, bytes, FREE);
    const ptio_tensor *tensor = world_tensor(&w, one, PTIO_UINT8, 1, (int64_t[]){FREE}, (int64_t[]){0}, 0);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, buffer, FREE, NULL), PTIO_OK);
    assert_true(buffer[0] == 'x' && buffer[FREE - 1] == 'x');
    tensor = world_tensor(&w, one, PTIO_UINT8, 1, (int64_t[]){FREE + 1}, (int64_t[]){0}, 0);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, buffer, FREE + 1, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "limit.expand");
    tensor = world_tensor(&w, many, PTIO_UINT8, 2, (int64_t[]){16, FREE}, (int64_t[]){0, 1}, 0);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, buffer, 16 * FREE, NULL), PTIO_OK);
    tensor = world_tensor(&w, many, PTIO_UINT8, 2, (int64_t[]){17, FREE}, (int64_t[]){0, 1}, 0);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, buffer, 17 * FREE, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "limit.expand");
    tensor = world_tensor(&w, one, PTIO_COMPLEX128, 1, (int64_t[]){0}, NULL, 5);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_UINT8, NULL, 0, NULL), PTIO_OK);
    world_close(&w);
}

static void data(void **state)
{
    (void)state;
    world w;
    static _Alignas(8) const char bytes[] = "0123456789abcdef";
    const void *at;
    world_open(&w, NULL);
    const ptio_storage *storage = world_storage(&w, PTIO_INT16, bytes, 16);
    assert_int_equal(ptio_tensor_data(world_tensor(&w, storage, PTIO_INT16, 1, (int64_t[]){2}, NULL, 3), &at, NULL), PTIO_OK);
    assert_ptr_equal(at, bytes + 6);
    assert_int_equal(ptio_tensor_data(world_tensor(&w, storage, PTIO_INT16, 1, (int64_t[]){0}, NULL, 1 << 30), &at, NULL),
                     PTIO_OK);
    assert_ptr_equal(at, bytes);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_naive),
        cmocka_unit_test(big_streams),
        cmocka_unit_test(transposed),
        cmocka_unit_test(stopped_streams),
        cmocka_unit_test(conj_and_neg),
        cmocka_unit_test(bools),
        cmocka_unit_test(dequantize_per_tensor),
        cmocka_unit_test(dequantize_per_channel),
        cmocka_unit_test(channels_longer_than_a_piece),
        cmocka_unit_test(packed),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(expansion),
        cmocka_unit_test(data),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
