/*
 * Storages: read once and by whom, views, slices, byte order, limits, failures.
 */
#include <pthread.h>

#include "tensor/world.h"

/* An origin that counts its reads and is slow enough that threads meet. */
static atomic_int reads;

static ptio_status counted_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    (void)err;
    atomic_fetch_add(&reads, 1);
    for (int i = 0; i < 100000; i++)
        atomic_signal_fence(memory_order_seq_cst);
    memset(buffer, (int)storage->origin_index, (size_t)storage->nbytes);
    return PTIO_OK;
}

static bool counted_range(const ptio_storage *storage, uint64_t *offset, uint64_t *nbytes)
{
    *offset = 1000 + storage->origin_index;
    *nbytes = storage->nbytes;
    return true;
}

static ptio_status failing_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    (void)storage;
    (void)buffer;
    return ptio_fail(err, PTIO_ERR_IO, "io.test", 5, "it cannot be read");
}

static const void *failing_view(const ptio_storage *storage, ptio_error *err)
{
    (void)storage;
    (void)ptio_fail(err, PTIO_ERR_FORMAT, "view.test", 6, "it cannot be viewed");
    return NULL;
}

static const ptio_storage_origin counted = {counted_read, NULL, counted_range, NULL, NULL};
static const ptio_storage_origin failing = {failing_read, NULL, NULL, NULL, NULL};
static const ptio_storage_origin failing_to_view = {counted_read, failing_view, NULL, NULL, NULL};

static ptio_storage *make(world *w, const ptio_storage_origin *origin, uint64_t nbytes)
{
    ptio_storage *storage = world_storage(w, PTIO_UINT8, NULL, nbytes);
    storage->origin = origin;
    storage->origin_index = storage->index + 1;
    return storage;
}

enum { THREADS = 8, STORAGES = 40 };

typedef struct reader {
    ptio_storage **storages;
    const void *seen[STORAGES];
    size_t first;
} reader;

static void *read_all(void *ctx)
{
    reader *r = ctx;
    for (size_t i = 0; i < STORAGES; i++) {
        size_t at = (r->first + i) % STORAGES;
        const void *data = NULL;
        if (ptio_storage_data(r->storages[at], &data, NULL) != PTIO_OK || *(const char *)data != (char)(at + 1))
            return NULL;
        r->seen[at] = data;
    }
    return r;
}

static void read_once_by_many_threads(void **state)
{
    (void)state;
    world w;
    ptio_storage *storages[STORAGES];
    pthread_t threads[THREADS];
    static reader readers[THREADS];
    world_open(&w, NULL);
    atomic_store(&reads, 0);
    for (size_t i = 0; i < STORAGES; i++)
        storages[i] = make(&w, &counted, 100);
    for (size_t i = 0; i < THREADS; i++) {
        readers[i] = (reader){.storages = storages, .first = i % 2};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &readers[i]);
    }
    assert_int_equal(atomic_load(&reads), STORAGES);
    for (size_t i = 0; i < STORAGES; i++) {
        assert_int_equal((uintptr_t)readers[0].seen[i] % PTIO_STORAGE_ALIGN, 0);
        for (size_t t = 1; t < THREADS; t++)
            assert_ptr_equal(readers[t].seen[i], readers[0].seen[i]);
    }
    world_close(&w);
}

static void dropped_and_read_again(void **state)
{
    (void)state;
    world w;
    const void *data;
    world_open(&w, NULL);
    ptio_storage *storage = make(&w, &counted, 64);
    atomic_store(&reads, 0);
    int64_t before = w.live;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
        assert_int_equal(atomic_load(&reads), i);
        assert_int_equal(w.live, before + 1);
        ptio_storage_drop(storage);
        assert_int_equal(w.live, before);
        ptio_storage_drop(storage);
    }
    ptio_storage_drop(NULL);
    world_close(&w);
}

/* Bytes that are in memory are not copied, unless they lie where elements may not. */
static void views(void **state)
{
    (void)state;
    world w;
    const void *data;
    static _Alignas(16) const char bytes[33] = "0123456789abcdef0123456789abcdef";
    static const struct {
        ptio_dtype dtype;
        unsigned flags;
        size_t at;
        bool is_view;
    } rows[] = {{PTIO_UINT8, 0, 1, true},
                {PTIO_INT16, 0, 1, false},
                {PTIO_INT16, 0, 2, true},
                {PTIO_INT64, 0, 4, false},
                {PTIO_INT64, 0, 8, true},
                {PTIO_COMPLEX64, 0, 4, true},
                {PTIO_COMPLEX128, 0, 8, true},
                {PTIO_COMPLEX128, 0, 4, false},
                {PTIO_UINT8, PTIO_STORAGE_UNTYPED, 4, false},
                {PTIO_UINT8, PTIO_STORAGE_UNTYPED, 8, true},
                {PTIO_INT16, PTIO_STORAGE_SWAP, 2, false},
                {PTIO_UINT8, PTIO_STORAGE_SWAP, 1, true}};
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ptio_storage *storage = world_storage(&w, rows[i].dtype, bytes + rows[i].at, 16);
        atomic_store(&storage->flags, (uint8_t)rows[i].flags);
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
        assert_int_equal(data == bytes + rows[i].at, rows[i].is_view);
        if (!(rows[i].flags & PTIO_STORAGE_SWAP))
            assert_memory_equal(data, bytes + rows[i].at, 16);
        ptio_storage_drop(storage);
    }
    world_close(&w);
}

static void byte_order(void **state)
{
    (void)state;
    world w;
    const void *data;
    static const char bytes[] = "0123456789abcdef";
    static const struct {
        ptio_dtype dtype;
        unsigned flags;
        uint8_t swap;
        const char *want;
    } rows[] = {{PTIO_INT16, 0, 0, "1032547698badcfe"},
                {PTIO_FLOAT32, 0, 0, "32107654ba98fedc"},
                {PTIO_INT64, 0, 0, "76543210fedcba98"},
                {PTIO_COMPLEX64, 0, 0, "32107654ba98fedc"},
                {PTIO_COMPLEX128, 0, 0, "76543210fedcba98"},
                {PTIO_UINT8, 0, 0, "0123456789abcdef"},
                {PTIO_BOOL, 0, 0, "0123456789abcdef"},
                {PTIO_UINT8, PTIO_STORAGE_UNTYPED, 0, "0123456789abcdef"},
                {PTIO_UINT8, PTIO_STORAGE_UNTYPED, 2, "1032547698badcfe"}};
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ptio_storage *storage = world_storage(&w, rows[i].dtype, bytes, 16);
        atomic_store(&storage->flags, (uint8_t)(rows[i].flags | PTIO_STORAGE_SWAP));
        storage->swap = rows[i].swap;
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
        assert_memory_equal(data, rows[i].want, 16);
    }
    world_close(&w);
}

static void slices(void **state)
{
    (void)state;
    world w;
    const void *data, *whole;
    uint64_t offset = 0, nbytes = 0;
    world_open(&w, NULL);
    ptio_storage *root = make(&w, &counted, 100), *slice = make(&w, &ptio_storage_of_slice, 20),
                 *inner = make(&w, &ptio_storage_of_slice, 5);
    slice->origin_data = root, slice->origin_index = 10;
    inner->origin_data = slice, inner->origin_index = 15;
    atomic_store(&reads, 0);
    assert_int_equal(ptio_storage_data(inner, &data, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_data(root, &whole, NULL), PTIO_OK);
    assert_ptr_equal(data, (const char *)whole + 25);
    assert_int_equal(atomic_load(&reads), 1);
    assert_true(ptio_storage_range(inner, &offset, &nbytes));
    assert_int_equal(offset, 1000 + root->origin_index + 25);
    assert_int_equal(nbytes, 5);
    ptio_storage_drop(slice); /* gives nothing back: it has nothing */
    assert_int_equal(ptio_storage_data(slice, &data, NULL), PTIO_OK);
    assert_ptr_equal(data, (const char *)whole + 10);
    inner->origin_index = 16;
    assert_int_equal(ptio_storage_data(inner, &data, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "storage.slice");
    inner->origin_index = UINT64_MAX;
    assert_int_equal(ptio_storage_data(inner, &data, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "storage.slice");
    assert_false(ptio_storage_range(inner, &offset, &nbytes));
    world_close(&w);
}

/* A slice and its root may have the same lock: the pool has 16. */
static void slice_with_the_lock_of_its_root(void **state)
{
    (void)state;
    world w;
    const void *data;
    world_open(&w, NULL);
    ptio_storage *root = make(&w, &counted, 100), *last = root;
    for (int i = 0; i < PTIO_STORAGE_LOCKS; i++)
        last = make(&w, &ptio_storage_of_slice, 10);
    last->origin_data = root, last->origin_index = 0;
    assert_int_equal(last->index % PTIO_STORAGE_LOCKS, root->index % PTIO_STORAGE_LOCKS);
    assert_int_equal(ptio_storage_data(last, &data, NULL), PTIO_OK);
    world_close(&w);
}

static void zeros_and_nothing(void **state)
{
    (void)state;
    world w;
    const void *data = NULL;
    static const char zero[100];
    world_open(&w, NULL);
    assert_int_equal(ptio_storage_data(make(&w, &ptio_storage_of_zeros, 100), &data, NULL), PTIO_OK);
    assert_memory_equal(data, zero, 100);
    assert_int_equal(ptio_storage_data(make(&w, &failing, 0), &data, NULL), PTIO_OK);
    assert_non_null(data);
    assert_int_equal(ptio_storage_data(NULL, &data, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "storage.none");
    ptio_storage *meta = make(&w, &counted, 8);
    atomic_store(&meta->flags, PTIO_STORAGE_META);
    assert_int_equal(ptio_storage_data(meta, &data, &w.err), PTIO_ERR_ARGUMENT);
    world_expect(&w, PTIO_ERR_ARGUMENT, "storage.meta");
    uint64_t offset, nbytes;
    assert_false(ptio_storage_range(meta, &offset, &nbytes));
    world_close(&w);
}

static void failures(void **state)
{
    (void)state;
    world w;
    const void *data = &w;
    world_open(&w, &(ptio_limits){.storage_bytes = 100});
    int64_t before = w.live;
    assert_int_equal(ptio_storage_data(make(&w, &failing, 10), &data, &w.err), PTIO_ERR_IO);
    world_expect(&w, PTIO_ERR_IO, "io.test");
    assert_int_equal(ptio_storage_data(make(&w, &failing_to_view, 10), &data, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "view.test");
    assert_int_equal(ptio_storage_data(make(&w, &failing_to_view, 10), &data, NULL), PTIO_ERR_FORMAT);
    assert_int_equal(ptio_storage_data(make(&w, &counted, 101), &data, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "limit.storage");
    assert_true(w.live <= before + 1); /* the arena's block, and no storage */
    ptio_storage *storage = make(&w, &counted, 100);
    w.allocations = 0, w.fail_at = 0;
    assert_int_equal(ptio_storage_data(storage, &data, &w.err), PTIO_ERR_MEMORY);
    world_expect(&w, PTIO_ERR_MEMORY, "memory");
    assert_ptr_equal(data, &w);
    assert_int_equal(ptio_storage_data(storage, &data, &w.err), PTIO_OK);
    world_close(&w);
}

static void ranges(void **state)
{
    (void)state;
    world w;
    uint64_t offset = 7, nbytes = 8;
    world_open(&w, NULL);
    ptio_storage *storage = make(&w, &counted, 32);
    storage->dtype = PTIO_INT32;
    assert_true(ptio_storage_range(storage, &offset, &nbytes));
    assert_int_equal(offset, 1000 + storage->origin_index);
    assert_int_equal(nbytes, 32);
    atomic_fetch_or(&storage->flags, PTIO_STORAGE_SWAP);
    assert_false(ptio_storage_range(storage, &offset, &nbytes));
    assert_false(ptio_storage_range(make(&w, &ptio_storage_of_zeros, 8), &offset, &nbytes));
    assert_false(ptio_storage_range(NULL, &offset, &nbytes));
    world_close(&w);
}

/* A copy of all of a storage that was not read goes past it; any other copy reads it, once. */
static void copied_past_the_storage(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    atomic_store(&reads, 0);
    ptio_storage *storage = make(&w, &counted, 8), *broken = make(&w, &failing, 8);
    const ptio_tensor *whole = world_tensor(&w, storage, PTIO_UINT8, 1, (int64_t[]){8}, NULL, 0);
    const ptio_tensor *part = world_tensor(&w, storage, PTIO_UINT8, 1, (int64_t[]){7}, NULL, 1);
    const ptio_tensor *turned = world_tensor(&w, storage, PTIO_UINT8, 2, (int64_t[]){2, 4}, (int64_t[]){1, 2}, 0);
    uint8_t got[8] = {0};
    for (int i = 1; i < 4; i++) {
        assert_int_equal(ptio_tensor_copy(whole, PTIO_UINT8, got, 8, &w.err), PTIO_OK);
        assert_int_equal(got[7], storage->origin_index);
        assert_int_equal(atomic_load(&reads), i);
        assert_null(atomic_load(&storage->data));
    }
    assert_int_equal(ptio_tensor_copy(part, PTIO_UINT8, got, 7, &w.err), PTIO_OK);
    assert_non_null(atomic_load(&storage->data));
    assert_int_equal(ptio_tensor_copy(whole, PTIO_UINT8, got, 8, &w.err), PTIO_OK);
    assert_int_equal(ptio_tensor_copy(turned, PTIO_UINT8, got, 8, &w.err), PTIO_OK);
    assert_int_equal(atomic_load(&reads), 4);

    const ptio_tensor *lost = world_tensor(&w, broken, PTIO_UINT8, 1, (int64_t[]){8}, NULL, 0);
    assert_int_equal(ptio_tensor_copy(lost, PTIO_UINT8, got, 8, &w.err), PTIO_ERR_IO);
    world_expect(&w, PTIO_ERR_IO, "io.test");

    ptio_storage *swapped = world_storage(&w, PTIO_INT16, "\1\2\3\4", 4);
    atomic_fetch_or(&swapped->flags, PTIO_STORAGE_SWAP);
    swapped->swap = 2;
    const ptio_tensor *numbers = world_tensor(&w, swapped, PTIO_INT16, 1, (int64_t[]){2}, NULL, 0);
    assert_int_equal(ptio_tensor_copy(numbers, PTIO_INT16, got, 4, &w.err), PTIO_OK);
    assert_memory_equal(got, "\2\1\4\3", 4);
    assert_null(atomic_load(&swapped->data));

    /* Bools are made 0 or 1, which only a look at each of them does. */
    storage = make(&w, &counted, 8);
    const ptio_tensor *bools = world_tensor(&w, storage, PTIO_BOOL, 1, (int64_t[]){8}, NULL, 0);
    assert_int_equal(ptio_tensor_copy(bools, PTIO_BOOL, got, 8, &w.err), PTIO_OK);
    assert_int_equal(got[0], 1);
    assert_non_null(atomic_load(&storage->data));
    world_close(&w);
}

static void locations(void **state)
{
    (void)state;
    world w;
    char tags[PTIO_MOST_LOCATIONS + 1][24];
    uint16_t at;
    world_open(&w, NULL);
    for (int i = 0; i <= PTIO_MOST_LOCATIONS; i++)
        (void)snprintf(tags[i], sizeof tags[i], "cuda:%d", i);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < PTIO_MOST_LOCATIONS; i++) {
            assert_int_equal(ptio_storage_pool_location(&w.pool, ptio_text_of(tags[i]), &at, NULL), PTIO_OK);
            assert_int_equal(at, i);
        }
    assert_int_equal(ptio_storage_pool_location(&w.pool, ptio_text_of(tags[PTIO_MOST_LOCATIONS]), &at, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "storage.locations");
    ptio_storage *storage = make(&w, &counted, 1);
    storage->location = 3;
    storage->key = "17";
    storage->key_size = 2;
    assert_true(ptio_text_is(ptio_storage_location(storage), "cuda:3"));
    assert_true(ptio_text_is(ptio_storage_key(storage), "17"));
    assert_int_equal(ptio_storage_index(storage), 0);
    assert_int_equal(ptio_storage_nbytes(storage), 1);
    assert_int_equal(ptio_storage_dtype(storage), PTIO_UINT8);
    assert_false(ptio_storage_is_untyped(storage));
    assert_null(ptio_storage_key(NULL).bytes);
    assert_null(ptio_storage_location(NULL).bytes);
    assert_int_equal(ptio_storage_nbytes(NULL), 0);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_once_by_many_threads),
        cmocka_unit_test(dropped_and_read_again),
        cmocka_unit_test(views),
        cmocka_unit_test(byte_order),
        cmocka_unit_test(slices),
        cmocka_unit_test(slice_with_the_lock_of_its_root),
        cmocka_unit_test(zeros_and_nothing),
        cmocka_unit_test(failures),
        cmocka_unit_test(ranges),
        cmocka_unit_test(copied_past_the_storage),
        cmocka_unit_test(locations),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
