/*
 * Slices against the plainest loops, of storages that are in memory and of records of a file that counts what is read of it.
 */
#include <stdlib.h>

#include "tensor/world.h"

enum { ELEMENTS = 40000, BYTES = ELEMENTS * 8, RECORD_AT = 64 };

static _Alignas(64) char file[RECORD_AT + BYTES];

/* An archive of one record over a source that is read by calls. */
typedef struct counted {
    world w;
    ptio_source *source;
    ptio_archive *archive;
    uint64_t at, bytes_read;
    int reads, fail_read; /* the how manyth read fails; -1: none */
} counted;

static int64_t counted_read(void *ctx, void *buffer, size_t size)
{
    counted *c = ctx;
    if (c->reads++ == c->fail_read)
        return -1;
    size_t n = c->at < sizeof file ? sizeof file - (size_t)c->at : 0;
    if (n > size)
        n = size;
    memcpy(buffer, file + c->at, n);
    c->at += n;
    c->bytes_read += n;
    return (int64_t)n;
}

static int counted_seek(void *ctx, uint64_t offset)
{
    ((counted *)ctx)->at = offset;
    return 0;
}

static int64_t counted_size(void *ctx)
{
    (void)ctx;
    return sizeof file;
}

static void counted_open(counted *c)
{
    static const ptio_source_callbacks callbacks = {.read = counted_read, .seek = counted_seek, .size = counted_size};
    uint64_t random = 11;
    *c = (counted){.fail_read = -1};
    world_open(&c->w, NULL);
    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (char)next_random(&random);
    assert_int_equal(ptio_source_from_callbacks(&callbacks, c, NULL, NULL, &c->source, &c->w.err), PTIO_OK);
    assert_int_equal(ptio_archive_new(c->source, 0, &c->w.heap, NULL, &c->archive, &c->w.err), PTIO_OK);
    assert_int_equal(ptio_archive_add(c->archive, ptio_text_of("data/0"), RECORD_AT, BYTES, &c->w.err), PTIO_OK);
}

static void counted_close(counted *c)
{
    ptio_archive_close(c->archive);
    ptio_source_free(c->source);
    world_close(&c->w);
}

/* A storage of all of the record, not read yet. */
static ptio_storage *record(counted *c, ptio_dtype dtype)
{
    ptio_storage *storage = world_storage(&c->w, dtype, c->archive, BYTES);
    storage->origin = &ptio_storage_of_record;
    storage->origin_index = ptio_archive_lookup(c->archive, ptio_text_of("data/0"));
    return storage;
}

/* ---- a naive reference: the indices that Python's rules leave of each dimension, tried one by one ---- */

static bool is_in(const ptio_slice *slice, int64_t size, int64_t index)
{
    int64_t start = slice->start < 0 ? slice->start + size : slice->start;
    int64_t stop = slice->stop < 0 ? slice->stop + size : slice->stop;
    if (start < 0)
        start = 0;
    return index >= start && index < stop && (index - start) % slice->step == 0;
}

static int64_t count_in(const ptio_slice *slice, int64_t size)
{
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++)
        count += is_in(slice, size, i);
    return count;
}

/* The elements whose every index is in, in C order; gives how many there are. */
static size_t naive_slice(const ptio_tensor *tensor, const ptio_slice *slices, const char *bytes, ptio_dtype dtype, char *out)
{
    const int64_t *shape = ptio_tensor_shape(tensor), *stride = ptio_tensor_stride(tensor);
    size_t count = 0, itemsize = ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
    for (uint64_t number = 0; number < ptio_tensor_numel(tensor); number++) {
        uint64_t rest = number;
        int64_t at = ptio_tensor_storage_offset(tensor);
        bool in = true;
        for (size_t i = ptio_tensor_ndim(tensor); i-- > 0;) {
            int64_t index = (int64_t)(rest % (uint64_t)shape[i]);
            in = in && is_in(&slices[i], shape[i], index);
            at += index * stride[i];
            rest /= (uint64_t)shape[i];
        }
        if (in)
            assert_true(ptio_convert(ptio_tensor_dtype(tensor), bytes + at * (int64_t)itemsize, 0, dtype,
                                     out + count++ * ptio_dtype_itemsize(dtype), 1));
    }
    return count;
}

static ptio_slice some_slice(uint64_t *random, int64_t size)
{
    static const ptio_slice odd[] = {PTIO_SLICE_ALL, {-1, INT64_MAX, 1}, {INT64_MIN, INT64_MAX, INT64_MAX}, {0, INT64_MIN, 1}};
    int64_t reach = size + 3;
    if (next_random(random) % 4 == 0)
        return odd[next_random(random) % 4];
    return (ptio_slice){(int64_t)next_random(random) % (2 * reach) - reach, (int64_t)next_random(random) % (2 * reach) - reach,
                        1 + (int64_t)(next_random(random) % 4)};
}

/* Views with few elements, over near and far ones: the strides grow by up to thousands. */
static const ptio_tensor *some_view(world *w, const ptio_storage *storage, ptio_dtype dtype, uint64_t *random)
{
    for (;;) {
        int64_t shape[4], stride[4], step = 1;
        size_t ndim = (size_t)(next_random(random) % 5);
        for (size_t i = ndim; i-- > 0;) {
            shape[i] = (int64_t)(next_random(random) % 4 == 0 ? next_random(random) % 60 : 1 + next_random(random) % 6);
            stride[i] = next_random(random) % 6 == 0 ? 0 : step;
            step *= (shape[i] ? shape[i] : 1) * (int64_t)(next_random(random) % 3 == 0 ? 1 + next_random(random) % 90 : 1);
        }
        for (size_t i = 1; i < ndim; i++) {
            size_t with = (size_t)(next_random(random) % (i + 1));
            int64_t size = shape[i], by = stride[i];
            shape[i] = shape[with], stride[i] = stride[with];
            shape[with] = size, stride[with] = by;
        }
        const ptio_tensor *tensor = world_tensor(w, storage, dtype, ndim, shape, stride, (int64_t)(next_random(random) % 200));
        w->err = (ptio_error){0};
        if (tensor && ptio_tensor_numel(tensor) <= 4000)
            return tensor;
    }
}

static void expect_slice(const ptio_tensor *tensor, const ptio_slice *slices, const char *bytes, ptio_dtype dtype)
{
    static char want[4000 * 16], got[4000 * 16 + 1];
    int64_t shape[4];
    size_t count = naive_slice(tensor, slices, bytes, dtype, want), size = count * ptio_dtype_itemsize(dtype);
    assert_int_equal(ptio_tensor_slice_shape(tensor, slices, shape, NULL), PTIO_OK);
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++)
        assert_int_equal(shape[i], count_in(&slices[i], ptio_tensor_shape(tensor)[i]));
    got[size] = 'x';
    assert_int_equal(ptio_tensor_copy_slice(tensor, slices, dtype, got, size, NULL), PTIO_OK);
    assert_memory_equal(got, want, size);
    assert_int_equal(got[size], 'x');
}

static void like_naive(void **state)
{
    (void)state;
    static const ptio_dtype dtypes[] = {PTIO_FLOAT64, PTIO_INT16, PTIO_BOOL, PTIO_COMPLEX64, PTIO_COMPLEX128, PTIO_FLOAT8_E5M2};
    counted c;
    uint64_t random = 3;
    counted_open(&c);
    for (int i = 0; i < 3000; i++) {
        ptio_dtype from = dtypes[next_random(&random) % 6],
                   to = next_random(&random) % 2 ? from : dtypes[next_random(&random) % 6];
        const ptio_storage *storage =
            next_random(&random) % 4 ? record(&c, from) : world_storage(&c.w, from, file + RECORD_AT, BYTES);
        const ptio_tensor *tensor = some_view(&c.w, storage, from, &random);
        ptio_slice slices[4];
        for (size_t j = 0; j < ptio_tensor_ndim(tensor); j++)
            slices[j] = some_slice(&random, ptio_tensor_shape(tensor)[j]);
        expect_slice(tensor, slices, file + RECORD_AT, to);
    }
    counted_close(&c);
}

/* ---- how much is read ---- */

static void expect_read(counted *c, const ptio_tensor *tensor, const ptio_slice *slices, uint64_t bytes, int reads)
{
    c->bytes_read = 0;
    c->reads = 0;
    expect_slice(tensor, slices, file + RECORD_AT, ptio_tensor_dtype(tensor));
    assert_int_equal(c->bytes_read, bytes);
    assert_int_equal(c->reads, reads);
}

static void only_what_is_needed(void **state)
{
    (void)state;
    counted c;
    counted_open(&c);
    const ptio_storage *storage = record(&c, PTIO_FLOAT32);
    const ptio_tensor *rows = world_tensor(&c.w, storage, PTIO_FLOAT32, 2, (int64_t[]){80, 1000}, NULL, 0);
    expect_read(&c, rows, (ptio_slice[]){{41, 42, 1}, PTIO_SLICE_ALL}, 4000, 1);
    expect_read(&c, rows, (ptio_slice[]){{40, 43, 1}, PTIO_SLICE_ALL}, 12000, 1);
    expect_read(&c, rows, (ptio_slice[]){{7, 8, 1}, {-3, INT64_MAX, 1}}, 12, 1);
    expect_read(&c, rows, (ptio_slice[]){{9, 9, 1}, PTIO_SLICE_ALL}, 0, 0);
    /* Elements of a column are nearer to each other than a window, those of a wider matrix are not. */
    expect_read(&c, rows, (ptio_slice[]){PTIO_SLICE_ALL, {5, 6, 1}}, 15 * 16384 + 4 * 4000 + 4, 16);
    const ptio_tensor *far = world_tensor(&c.w, storage, PTIO_FLOAT32, 2, (int64_t[]){16, 5000}, NULL, 0);
    expect_read(&c, far, (ptio_slice[]){PTIO_SLICE_ALL, {5, 7, 1}}, 16 * 8, 16);
    expect_read(&c, far, (ptio_slice[]){{0, INT64_MAX, 5}, {0, 4500, 4499}}, 4 * 2 * 4, 8);
    /* In the order of the file, each byte once, whatever the order of the dimensions; what is expanded too. */
    const ptio_tensor *turned =
        world_tensor(&c.w, storage, PTIO_FLOAT32, 3, (int64_t[]){4, 1000, 80}, (int64_t[]){0, 1, 1000}, 0);
    expect_read(&c, turned, (ptio_slice[]){{0, 2, 1}, {990, INT64_MAX, 1}, {3, 50, 1}}, 9 * 16384 + 4000 + 40, 10);
    assert_false(ptio_storage_is_resident(storage));
    /* What is in memory is not read again. */
    const void *data;
    assert_int_equal(ptio_storage_data(storage, &data, &c.w.err), PTIO_OK);
    expect_read(&c, rows, (ptio_slice[]){{41, 42, 1}, PTIO_SLICE_ALL}, 0, 0);
    counted_close(&c);
}

/* Records that are small, or larger than their storage says, go the way of whole storages. */
static void read_whole(void **state)
{
    (void)state;
    counted c;
    float row[10];
    counted_open(&c);
    assert_int_equal(ptio_archive_add(c.archive, ptio_text_of("data/1"), 128, 400, &c.w.err), PTIO_OK);
    ptio_storage *small = record(&c, PTIO_FLOAT32), *wrong = record(&c, PTIO_FLOAT32);
    small->origin_index = ptio_archive_lookup(c.archive, ptio_text_of("data/1"));
    small->nbytes = 400;
    wrong->nbytes = BYTES - 4;
    const ptio_tensor *tensor = world_tensor(&c.w, small, PTIO_FLOAT32, 2, (int64_t[]){10, 10}, NULL, 0);
    assert_int_equal(
        ptio_tensor_copy_slice(tensor, (ptio_slice[]){{2, 3, 1}, PTIO_SLICE_ALL}, PTIO_FLOAT32, row, sizeof row, NULL), PTIO_OK);
    assert_memory_equal(row, file + 128 + 80, sizeof row);
    assert_true(ptio_storage_is_resident(small));
    assert_int_equal(c.bytes_read, 400);
    tensor = world_tensor(&c.w, wrong, PTIO_FLOAT32, 2, (int64_t[]){10, 10}, NULL, 0);
    assert_int_equal(
        ptio_tensor_copy_slice(tensor, (ptio_slice[]){{2, 3, 1}, PTIO_SLICE_ALL}, PTIO_FLOAT32, row, sizeof row, &c.w.err),
        PTIO_ERR_FORMAT);
    world_expect(&c.w, PTIO_ERR_FORMAT, "storage.size");
    counted_close(&c);
}

/* The other byte order: pieces are turned as the whole storage is, complex numbers by halves, and slices of storages too. */
static void swapped(void **state)
{
    (void)state;
    static const ptio_dtype dtypes[] = {PTIO_INT16, PTIO_FLOAT32, PTIO_FLOAT64, PTIO_COMPLEX64, PTIO_UINT8};
    static char turned[BYTES];
    counted c;
    uint64_t random = 8;
    counted_open(&c);
    for (int i = 0; i < 500; i++) {
        ptio_dtype stored = dtypes[next_random(&random) % 5], shown = next_random(&random) % 4 ? stored : PTIO_INT16;
        size_t unit = stored == PTIO_UINT8 ? 1 : stored == PTIO_INT16 ? 2 : stored == PTIO_FLOAT64 ? 8 : 4;
        memcpy(turned, file + RECORD_AT, BYTES);
        ptio_swap_bytes(turned, BYTES / unit, unit);
        ptio_storage *whole = record(&c, stored), *slice = world_storage(&c.w, stored, whole, BYTES - 1000);
        atomic_fetch_or(&whole->flags, PTIO_STORAGE_SWAP);
        slice->origin = &ptio_storage_of_slice;
        slice->origin_index = next_random(&random) % 2 ? 104 : 102;
        const ptio_tensor *tensor = some_view(&c.w, slice, shown, &random);
        ptio_slice slices[4];
        for (size_t j = 0; j < ptio_tensor_ndim(tensor); j++)
            slices[j] = some_slice(&random, ptio_tensor_shape(tensor)[j]);
        expect_slice(tensor, slices, turned + slice->origin_index, shown);
    }
    counted_close(&c);
}

/* ---- what is resolved ---- */

static void conj_and_neg(void **state)
{
    (void)state;
    counted c;
    float got[4], want[4];
    counted_open(&c);
    for (int i = 0; i < BYTES / 4; i++)
        memcpy(file + RECORD_AT + i * 4, &(float){(float)i}, 4);
    const ptio_tensor *tensor = world_tensor(&c.w, record(&c, PTIO_COMPLEX64), PTIO_COMPLEX64, 1, (int64_t[]){ELEMENTS}, NULL, 0);
    tensor = ptio_tensor_with_flags(&c.w.arena, tensor, PTIO_TENSOR_CONJ, 0);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{3, 8, 4}}, PTIO_COMPLEX64, got, sizeof got, NULL), PTIO_OK);
    memcpy(want, (float[]){6, -7, 14, -15}, sizeof want);
    assert_memory_equal(got, want, sizeof want);
    tensor = ptio_tensor_with_flags(&c.w.arena, tensor, PTIO_TENSOR_NEG, PTIO_TENSOR_CONJ);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{3, 8, 4}}, PTIO_FLOAT32, got, 8, NULL), PTIO_OK);
    assert_memory_equal(got, ((float[]){-6, -14}), 8);
    counted_close(&c);
}

/* A slice of the numbers is the numbers of a slice, each channel with its own scale. */
static void quantized(void **state)
{
    (void)state;
    enum { CHANNELS = 7, SIZE = CHANNELS * 6 * 40 };
    counted c;
    uint64_t random = 21;
    static float all[SIZE], want[SIZE], got[SIZE];
    counted_open(&c);
    for (int i = 0; i < 400; i++) {
        int64_t axis = (int64_t)(next_random(&random) % 3), shape[3] = {6, 6, 40};
        shape[axis] = CHANNELS;
        ptio_tensor_part_row parts[] = {
            {"scales", world_array(&c.w, PTIO_FLOAT64, 1, (int64_t[]){7}, (double[]){0.1, 0.2, 0.3, 7, 5e3, 1e-9, 2}), NULL},
            {"zero_points", world_array(&c.w, PTIO_INT64, 1, (int64_t[]){7}, (double[]){1, 0, 3, 100, -7, 5, 127}), NULL}};
        ptio_quantizer quantizer = {
            .scheme = i % 3 ? PTIO_PER_CHANNEL_AFFINE : PTIO_PER_TENSOR_AFFINE, .scale = 0.7, .axis = axis};
        const ptio_storage *storage = i % 2 ? record(&c, PTIO_QINT8) : world_storage(&c.w, PTIO_QINT8, file + RECORD_AT, BYTES);
        const ptio_tensor *tensor = world_quantized(&c.w, storage, PTIO_QINT8, 3, shape, NULL, quantizer, i % 3 ? 2 : 0, parts);
        const ptio_tensor *numbers =
            world_tensor(&c.w, world_storage(&c.w, PTIO_FLOAT32, all, sizeof all), PTIO_FLOAT32, 3, shape, NULL, 0);
        ptio_slice slices[3];
        for (size_t j = 0; j < 3; j++)
            slices[j] = some_slice(&random, shape[j]);
        assert_int_equal(ptio_tensor_copy(world_quantized(&c.w, world_storage(&c.w, PTIO_QINT8, file + RECORD_AT, BYTES),
                                                          PTIO_QINT8, 3, shape, NULL, quantizer, i % 3 ? 2 : 0, parts),
                                          PTIO_FLOAT32, all, ptio_tensor_numel(tensor) * 4, NULL),
                         PTIO_OK);
        size_t count = naive_slice(numbers, slices, (const char *)all, PTIO_FLOAT32, (char *)want);
        assert_int_equal(ptio_tensor_copy_slice(tensor, slices, PTIO_FLOAT32, got, count * 4, NULL), PTIO_OK);
        assert_memory_equal(got, want, count * 4);
        expect_slice(tensor, slices, file + RECORD_AT, PTIO_QINT8);
    }
    counted_close(&c);
}

static void packed(void **state)
{
    (void)state;
    world w;
    static const uint8_t bytes[] = {0x10, 0x32, 0x54, 0x76};
    uint8_t got[4];
    world_open(&w, NULL);
    const ptio_tensor *tensor =
        world_tensor(&w, world_storage(&w, PTIO_QUINT4X2, bytes, 4), PTIO_QUINT4X2, 2, (int64_t[]){2, 4}, NULL, 0);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){PTIO_SLICE_ALL, {1, 4, 2}}, PTIO_UINT8, got, 4, NULL),
                     PTIO_OK);
    assert_memory_equal(got, "\1\3\5\7", 4);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){PTIO_SLICE_ALL, {1, 4, 2}}, PTIO_QUINT4X2, got, 2, NULL),
                     PTIO_OK);
    assert_memory_equal(got, "\x31\x75", 2);
    world_close(&w);
}

/* ---- what fails ---- */

static void failing_reads_and_memory(void **state)
{
    (void)state;
    counted c;
    static double got[80 * 20];
    counted_open(&c);
    const ptio_slice slices[] = {PTIO_SLICE_ALL, {0, 20, 1}};
    const ptio_tensor *tensor = world_tensor(&c.w, record(&c, PTIO_FLOAT32), PTIO_FLOAT32, 2, (int64_t[]){80, 1000}, NULL, 0);
    int n = 0;
    for (bool fine = false; !fine; n++) {
        c.reads = 0;
        c.fail_read = n;
        fine = ptio_tensor_copy_slice(tensor, slices, PTIO_FLOAT64, got, sizeof got, &c.w.err) == PTIO_OK;
        if (!fine)
            world_expect(&c.w, PTIO_ERR_IO, "io.callback");
    }
    assert_int_equal(n, 17);
    c.fail_read = -1;
    c.w.fail_at = 0;
    assert_int_equal(ptio_tensor_copy_slice(tensor, slices, PTIO_FLOAT64, got, sizeof got, &c.w.err), PTIO_ERR_MEMORY);
    world_expect(&c.w, PTIO_ERR_MEMORY, "memory");
    /* Into the caller's memory no other is needed. */
    assert_int_equal(ptio_tensor_copy_slice(tensor, slices, PTIO_FLOAT32, got, sizeof got / 2, &c.w.err), PTIO_OK);
    counted_close(&c);
}

static void wrong_calls(void **state)
{
    (void)state;
    world w;
    float got[6];
    int64_t shape[2];
    static const float values[] = {1, 2, 3, 4, 5, 6};
    world_open(&w, NULL);
    const ptio_tensor *tensor =
        world_tensor(&w, world_storage(&w, PTIO_FLOAT32, values, sizeof values), PTIO_FLOAT32, 2, (int64_t[]){2, 3}, NULL, 0);
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{0, 2, 1}, {0, 1, 0}}, PTIO_FLOAT32, got, 8, &w.err),
                     PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "slice.step");
    assert_int_equal(ptio_tensor_slice_shape(tensor, (ptio_slice[]){{0, 2, -1}, {0, 1, 1}}, shape, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "slice.step");
    assert_int_equal(ptio_tensor_copy_slice(tensor, (ptio_slice[]){{0, 2, 1}, {0, 1, 1}}, PTIO_FLOAT32, got, 12, &w.err),
                     PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.buffer");
    assert_int_equal(ptio_tensor_copy_slice(NULL, NULL, PTIO_FLOAT32, got, 12, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "tensor.none");
    assert_int_equal(ptio_tensor_copy_slice(tensor, NULL, PTIO_FLOAT32, got, 24, &w.err), PTIO_OK);
    assert_memory_equal(got, values, 24);
    assert_int_equal(ptio_tensor_slice_shape(tensor, NULL, shape, &w.err), PTIO_OK);
    assert_true(shape[0] == 2 && shape[1] == 3);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_naive),   cmocka_unit_test(only_what_is_needed),
        cmocka_unit_test(read_whole),   cmocka_unit_test(swapped),
        cmocka_unit_test(conj_and_neg), cmocka_unit_test(quantized),
        cmocka_unit_test(packed),       cmocka_unit_test(failing_reads_and_memory),
        cmocka_unit_test(wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
