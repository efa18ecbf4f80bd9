#include "tensor/world.h"

#include <stdlib.h>

/* Every allocation is counted, and may be told to fail. */

static bool fails(world *w)
{
    return w->fail_at >= 0 && w->allocations++ == w->fail_at;
}

static void *hook_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    world *w = ctx;
    (void)old_size;
    if (new_size == 0) {
        w->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (fails(w))
        return NULL;
    void *moved = realloc(ptr, new_size);
    w->live += moved && !ptr;
    return moved;
}

static void *hook_alloc(void *ctx, size_t size, size_t alignment)
{
    world *w = ctx;
    if (fails(w))
        return NULL;
    void *ptr = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    w->live += ptr != NULL;
    return ptr;
}

static void hook_free(void *ctx, void *ptr, size_t size)
{
    world *w = ctx;
    (void)size;
    w->live -= ptr != NULL;
    free(ptr);
}

void world_open(world *w, const ptio_limits *limits)
{
    *w = (world){.fail_at = -1};
    ptio_memory hooks = {hook_resize, hook_alloc, hook_free, w};
    ptio_heap_init(&w->heap, &hooks, 0);
    ptio_arena_init(&w->arena, &w->heap);
    assert_true(ptio_storage_pool_init(&w->pool, &hooks, limits));
}

void world_close(world *w)
{
    ptio_storage_pool_free(&w->pool);
    ptio_arena_free(&w->arena);
    assert_int_equal(w->live, 0);
    assert_int_equal(w->heap.used, 0);
}

ptio_storage *world_storage(world *w, ptio_dtype dtype, const void *bytes, uint64_t nbytes)
{
    ptio_storage *storage = ptio_storage_new(&w->pool, &w->arena);
    assert_non_null(storage);
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = bytes;
    storage->nbytes = nbytes;
    storage->dtype = (uint8_t)dtype;
    return storage;
}

ptio_storage *world_numbers(world *w, ptio_dtype dtype, const double *values, size_t count)
{
    size_t nbytes = count * ptio_dtype_itemsize(dtype);
    void *bytes = ptio_arena_alloc(&w->arena, nbytes + 1);
    assert_non_null(bytes);
    assert_true(ptio_convert(PTIO_FLOAT64, values, sizeof *values, dtype, bytes, count));
    return world_storage(w, dtype, bytes, nbytes);
}

const ptio_tensor *world_tensor(world *w, const ptio_storage *storage, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                const int64_t *stride, int64_t offset)
{
    const ptio_tensor *tensor = NULL;
    ptio_tensor_spec spec = {
        .dtype = dtype, .ndim = ndim, .shape = shape, .stride = stride, .storage_offset = offset, .storage = storage};
    ptio_status status = ptio_tensor_new(&w->arena, &spec, &tensor, &w->err);
    assert_int_equal(status == PTIO_OK, tensor != NULL);
    assert_int_equal(status, w->err.status);
    return tensor;
}

const ptio_tensor *world_array(world *w, ptio_dtype dtype, size_t ndim, const int64_t *shape, const double *values)
{
    size_t count = 1;
    for (size_t i = 0; i < ndim; i++)
        count *= (size_t)shape[i];
    const ptio_tensor *tensor = world_tensor(w, world_numbers(w, dtype, values, count), dtype, ndim, shape, NULL, 0);
    assert_non_null(tensor);
    return tensor;
}

static ptio_tensor_extra *make_extra(world *w, ptio_quantizer quantizer, size_t part_count, const ptio_tensor_part_row *parts)
{
    ptio_tensor_extra *extra = PTIO_NEW(&w->arena, ptio_tensor_extra, 1);
    ptio_tensor_part_row *rows = PTIO_NEW(&w->arena, ptio_tensor_part_row, part_count + 1);
    assert_non_null(extra);
    assert_non_null(rows);
    if (part_count)
        memcpy(rows, parts, part_count * sizeof *parts);
    *extra = (ptio_tensor_extra){quantizer, part_count, rows};
    return extra;
}

const ptio_tensor *world_composed(world *w, ptio_dtype dtype, ptio_layout layout, unsigned flags, size_t ndim,
                                  const int64_t *shape, size_t part_count, const ptio_tensor_part_row *parts)
{
    const ptio_tensor *tensor = NULL;
    ptio_tensor_spec spec = {.dtype = dtype, .layout = layout, .flags = flags, .ndim = ndim, .shape = shape};
    spec.extra = make_extra(w, (ptio_quantizer){.scheme = PTIO_NOT_QUANTIZED}, part_count, parts);
    assert_int_equal(ptio_tensor_new(&w->arena, &spec, &tensor, &w->err), PTIO_OK);
    return tensor;
}

const ptio_tensor *world_quantized(world *w, const ptio_storage *storage, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                   const int64_t *stride, ptio_quantizer quantizer, size_t part_count,
                                   const ptio_tensor_part_row *parts)
{
    const ptio_tensor *tensor = NULL;
    ptio_tensor_spec spec = {.dtype = dtype, .ndim = ndim, .shape = shape, .stride = stride, .storage = storage};
    spec.extra = make_extra(w, quantizer, part_count, parts);
    assert_int_equal(ptio_tensor_new(&w->arena, &spec, &tensor, &w->err), PTIO_OK);
    return tensor;
}

void world_expect(world *w, ptio_status status, const char *reason)
{
    assert_int_equal(w->err.status, status);
    assert_string_equal(w->err.reason, reason);
    assert_true(w->err.message[0] != '\0');
    w->err = (ptio_error){0};
}

uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}
