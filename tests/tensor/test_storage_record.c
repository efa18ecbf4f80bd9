/*
 * Storages whose bytes are records of an archive over memory.
 */
#include "tensor/world.h"

static _Alignas(64) char bytes[256];

typedef struct archived {
    world w;
    ptio_source *source;
    ptio_archive *archive;
} archived;

static void archived_open(archived *a)
{
    world_open(&a->w, NULL);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    assert_int_equal(ptio_source_from_memory(bytes, sizeof bytes, NULL, &a->source, &a->w.err), PTIO_OK);
    assert_int_equal(ptio_archive_new(a->source, 0, &a->w.heap, NULL, &a->archive, &a->w.err), PTIO_OK);
}

static void archived_close(archived *a)
{
    ptio_archive_close(a->archive);
    ptio_source_free(a->source);
    world_close(&a->w);
}

/* A storage of `nbytes` over a new record of `size` bytes at `offset`. */
static ptio_storage *record(archived *a, const char *name, uint64_t offset, uint64_t size, ptio_dtype dtype, uint64_t nbytes)
{
    assert_int_equal(ptio_archive_add(a->archive, ptio_text_of(name), offset, size, &a->w.err), PTIO_OK);
    ptio_storage *storage = world_storage(&a->w, dtype, a->archive, nbytes);
    storage->origin = &ptio_storage_of_record;
    storage->origin_index = ptio_archive_lookup(a->archive, ptio_text_of(name));
    assert_true(storage->origin_index != SIZE_MAX);
    return storage;
}

/* Where the source is in memory, an aligned record is not copied. */
static void viewed_or_read(void **state)
{
    (void)state;
    archived a;
    const void *data = NULL;
    uint64_t offset = 0, nbytes = 0;
    archived_open(&a);
    ptio_storage *aligned = record(&a, "data/0", 64, 16, PTIO_FLOAT32, 16);
    ptio_storage *odd = record(&a, "data/1", 81, 16, PTIO_FLOAT32, 16);
    ptio_storage *odd_bytes = record(&a, "data/2", 101, 16, PTIO_UINT8, 16);
    assert_int_equal(ptio_storage_data(aligned, &data, &a.w.err), PTIO_OK);
    assert_ptr_equal(data, bytes + 64);
    assert_int_equal(ptio_storage_data(odd, &data, &a.w.err), PTIO_OK);
    assert_ptr_not_equal(data, bytes + 81);
    assert_int_equal((uintptr_t)data % PTIO_STORAGE_ALIGN, 0);
    assert_memory_equal(data, bytes + 81, 16);
    assert_int_equal(ptio_storage_data(odd_bytes, &data, &a.w.err), PTIO_OK);
    assert_ptr_equal(data, bytes + 101);
    assert_true(ptio_storage_range(odd, &offset, &nbytes));
    assert_int_equal(offset, 81);
    assert_int_equal(nbytes, 16);
    archived_close(&a);
}

static void swapped(void **state)
{
    (void)state;
    archived a;
    const void *data = NULL;
    uint64_t offset, nbytes;
    archived_open(&a);
    ptio_storage *storage = record(&a, "data/0", 64, 4, PTIO_INT16, 4);
    atomic_fetch_or(&storage->flags, PTIO_STORAGE_SWAP);
    assert_int_equal(ptio_storage_data(storage, &data, &a.w.err), PTIO_OK);
    assert_memory_equal(data, "\x41\x40\x43\x42", 4);
    assert_memory_equal(bytes + 64, "\x40\x41\x42\x43", 4);
    assert_false(ptio_storage_range(storage, &offset, &nbytes));
    archived_close(&a);
}

static void another_size(void **state)
{
    (void)state;
    archived a;
    const void *data = NULL;
    uint64_t offset, nbytes;
    archived_open(&a);
    ptio_storage *small = record(&a, "data/0", 64, 16, PTIO_UINT8, 15), *large = record(&a, "data/1", 80, 16, PTIO_UINT8, 17);
    assert_int_equal(ptio_storage_data(small, &data, &a.w.err), PTIO_ERR_FORMAT);
    world_expect(&a.w, PTIO_ERR_FORMAT, "storage.size");
    assert_int_equal(ptio_storage_data(large, &data, &a.w.err), PTIO_ERR_FORMAT);
    world_expect(&a.w, PTIO_ERR_FORMAT, "storage.size");
    atomic_fetch_or(&large->flags, PTIO_STORAGE_SWAP); /* must be read, not viewed */
    large->swap = 2;
    assert_int_equal(ptio_storage_data(large, &data, &a.w.err), PTIO_ERR_FORMAT);
    world_expect(&a.w, PTIO_ERR_FORMAT, "storage.size");
    assert_false(ptio_storage_range(small, &offset, &nbytes));
    archived_close(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(viewed_or_read),
        cmocka_unit_test(swapped),
        cmocka_unit_test(another_size),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
