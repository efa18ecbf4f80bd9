/*
 * Builders: the types of torch.
 */
#include <stdio.h>
#include <string.h>

#include "torch/builder.h"

const ptio_value *ptio_new_dtype(ptio_builder *b, ptio_dtype dtype)
{
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT)
        return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.dtype", "there is no such dtype") : NULL;
    return ptio_new_global(b, "torch", ptio_dtype_rows[dtype].name);
}

/* Sizes that are NULL where there are dimensions; false, and a failure. */
static bool has_shape(ptio_builder *b, size_t ndim, const int64_t *shape)
{
    return !ndim || shape || (ptio_builder_good(b) && ptio_builder_fail(b, "builder.shape", "the shape is NULL"));
}

static const ptio_value *new_ints(ptio_builder *b, size_t count, const int64_t *numbers)
{
    const ptio_value *items[PTIO_MOST_DIMENSIONS];
    if (count > PTIO_MOST_DIMENSIONS)
        return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.ndim", "there are more than 64 dimensions") : NULL;
    if (!has_shape(b, count, numbers))
        return NULL;
    for (size_t i = 0; i < count; i++)
        items[i] = ptio_new_int(b, numbers[i]);
    return ptio_new_tuple(b, items, count);
}

const ptio_value *ptio_new_size(ptio_builder *b, size_t ndim, const int64_t *shape)
{
    const ptio_value *sizes = new_ints(b, ndim, shape);
    return ptio_builder_call(b, "torch", "Size", &sizes, 1);
}

const ptio_value *ptio_new_device(ptio_builder *b, const char *name)
{
    const char *colon = name ? strchr(name, ':') : NULL;
    if (!name || !*name || colon == name || (colon && !colon[1]))
        return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.device", "a device has a type, such as cpu or cuda:1") : NULL;
    int64_t index = 0;
    for (const char *digit = colon ? colon + 1 : ""; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || index > 99999)
            return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.device", "the index of a device is no number") : NULL;
        index = index * 10 + (*digit - '0');
    }
    const ptio_value *arguments[] = {ptio_new_str_n(b, name, colon ? (size_t)(colon - name) : strlen(name)),
                                     ptio_new_int(b, index)};
    return ptio_builder_call(b, "torch", "device", arguments, colon ? 2 : 1);
}

const ptio_value *ptio_new_layout(ptio_builder *b, ptio_layout layout)
{
    const ptio_value *name = ptio_new_str(b, ptio_layout_name(layout));
    return ptio_builder_call(b, "torch.serialization", "_get_layout", &name, 1);
}

/* ---- storages ---- */

const ptio_storage *ptio_new_storage(ptio_builder *b, ptio_dtype dtype, const void *data, uint64_t nbytes, const char *location)
{
    if (!ptio_builder_good(b))
        return NULL;
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT || nbytes % ptio_dtype_rows[dtype].itemsize || nbytes > INT64_MAX)
        return ptio_builder_fail(b, "builder.storage", "the bytes of a storage are not a whole number of elements of its dtype");
    ptio_arena *arena = &b->ckpt->arena;
    char text[24];
    int size = snprintf(text, sizeof text, "%u", b->ckpt->pool->count);
    ptio_text key = ptio_arena_text(arena, (ptio_text){text, (size_t)size});
    ptio_text tag = location ? ptio_arena_text(arena, ptio_text_of(location)) : PTIO_TEXT("cpu");
    ptio_storage *storage = NULL;
    if (!key.bytes || !tag.bytes)
        return ptio_builder_no_memory(b, "a storage");
    if (ptio_make_storage(&b->loader, dtype, nbytes, key, &storage, &b->err) != PTIO_OK ||
        ptio_storage_pool_location(b->ckpt->pool, tag, &storage->location, &b->err) != PTIO_OK)
        return NULL;
    storage->origin = data || !nbytes ? &ptio_storage_of_memory : &ptio_storage_of_zeros;
    storage->origin_data = data;
    return storage;
}

const ptio_storage *ptio_new_storage_copy(ptio_builder *b, ptio_dtype dtype, const void *data, uint64_t nbytes)
{
    ptio_storage *storage = (ptio_storage *)(uintptr_t)ptio_new_storage(b, dtype, NULL, nbytes, NULL);
    if (!storage || !data || !nbytes)
        return storage;
    const ptio_memory *hooks = &storage->pool->hooks;
    void *copy = nbytes <= SIZE_MAX ? hooks->alloc(hooks->ctx, (size_t)nbytes, PTIO_STORAGE_ALIGN) : NULL;
    if (!copy)
        return ptio_builder_no_memory(b, "the elements of a storage");
    memcpy(copy, data, (size_t)nbytes);
    ptio_storage_own(storage, copy);
    return storage;
}

bool ptio_builder_release(ptio_builder *b, const ptio_storage *storage)
{
    return b && storage && storage->pool == b->ckpt->pool && ptio_storage_disown((ptio_storage *)(uintptr_t)storage);
}

/* ---- strided tensors ---- */

/* No PyTorch loads a tensor that requires a gradient and cannot have one. */
static bool check_grad(ptio_builder *b, ptio_dtype dtype, bool requires_grad)
{
    int class_ = ptio_dtype_rows[dtype].class_;
    return !requires_grad || class_ == PTIO_DTYPE_REAL || class_ == PTIO_DTYPE_COMPLEX || dtype == PTIO_FLOAT4_E2M1FN_X2 ||
           ptio_builder_fail(b, "builder.requires-grad",
                             "only Tensors of floating point and complex dtype can require gradients");
}

static const ptio_value *new_strided(ptio_builder *b, const ptio_tensor_spec *spec)
{
    const ptio_value *value;
    if (!has_shape(b, spec->ndim, spec->shape) || !check_grad(b, spec->dtype, spec->flags & PTIO_TENSOR_REQUIRES_GRAD))
        return NULL;
    if (ptio_make_tensor(&b->maker, spec, &value, &b->err) != PTIO_OK)
        return ptio_builder_refuse(b);
    return value;
}

const ptio_value *ptio_new_view(ptio_builder *b, const ptio_storage *storage, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                const int64_t *stride, int64_t storage_offset, bool requires_grad)
{
    if (!ptio_builder_good(b))
        return NULL;
    if (!storage)
        return ptio_builder_fail(b, "builder.storage", "there is no storage");
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT)
        return ptio_builder_fail(b, "builder.dtype", "there is no such dtype");
    if (storage->dtype != dtype && ptio_dtype_rows[dtype].storage_class[0])
        return ptio_builder_fail(
            b, "builder.dtype",
            "a tensor has another dtype than its storage; PyTorch: Cannot save multiple tensors or storages that view the same "
            "data as "
            "different types. Make a storage of uint8 for dtypes without a storage class, and one for each dtype otherwise");
    return new_strided(b, &(ptio_tensor_spec){.dtype = dtype,
                                              .flags = requires_grad ? PTIO_TENSOR_REQUIRES_GRAD : 0,
                                              .ndim = ndim,
                                              .shape = shape,
                                              .stride = stride,
                                              .storage_offset = storage_offset,
                                              .storage = storage});
}

/* Bytes of a contiguous tensor; false, and a failure, where they do not fit. */
static bool count_bytes(ptio_builder *b, ptio_dtype dtype, size_t ndim, const int64_t *shape, uint64_t *ret)
{
    uint64_t nbytes = ptio_dtype_rows[dtype].itemsize;
    if (!has_shape(b, ndim, shape))
        return false;
    for (size_t i = 0; i < ndim; i++)
        if (shape[i] < 0 || !ptio_mul_u64(nbytes, (uint64_t)shape[i], &nbytes) || nbytes > INT64_MAX)
            return ptio_builder_fail(b, "builder.shape", "a size is negative, or the tensor too large") != NULL;
    *ret = nbytes;
    return true;
}

const ptio_value *ptio_new_tensor(ptio_builder *b, ptio_dtype dtype, size_t ndim, const int64_t *shape, const void *data)
{
    uint64_t nbytes;
    if (!ptio_builder_good(b))
        return NULL;
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT)
        return ptio_builder_fail(b, "builder.dtype", "there is no such dtype");
    if (!count_bytes(b, dtype, ndim, shape, &nbytes))
        return NULL;
    return ptio_new_view(b, ptio_new_storage_copy(b, dtype, data, nbytes), dtype, ndim, shape, NULL, 0, false);
}

const ptio_value *ptio_new_meta(ptio_builder *b, ptio_dtype dtype, size_t ndim, const int64_t *shape)
{
    int64_t stride[PTIO_MOST_DIMENSIONS], step = 1;
    uint64_t nbytes;
    if (!ptio_builder_good(b) || ndim > PTIO_MOST_DIMENSIONS || dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT)
        return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.meta", "there is no such dtype, or too many dimensions")
                                    : NULL;
    if (!count_bytes(b, dtype, ndim, shape, &nbytes))
        return NULL;
    for (size_t i = ndim; i-- > 0; step *= shape[i] > 0 ? shape[i] : 1)
        stride[i] = step;
    const ptio_value *arguments[] = {ptio_new_dtype(b, dtype), new_ints(b, ndim, shape), new_ints(b, ndim, stride), &ptio_false};
    return ptio_builder_call(b, "torch._utils", "_rebuild_meta_tensor_no_storage", arguments, 4);
}

/* ---- composed tensors ---- */

static const ptio_value *no_hooks(ptio_builder *b)
{
    return ptio_builder_call(b, "collections", "OrderedDict", NULL, 0);
}

const ptio_value *ptio_new_parameter(ptio_builder *b, const ptio_value *tensor, bool requires_grad)
{
    const ptio_tensor *data = ptio_value_tensor(tensor);
    if (!ptio_builder_good(b) || (data && !check_grad(b, ptio_tensor_dtype(data), requires_grad)))
        return NULL;
    const ptio_value *arguments[] = {tensor, requires_grad ? &ptio_true : &ptio_false, no_hooks(b)};
    return ptio_builder_call(b, "torch._utils", "_rebuild_parameter", arguments, 3);
}

static const ptio_value *new_sparse(ptio_builder *b, ptio_layout layout, const ptio_value *const *data, size_t count)
{
    const ptio_value *arguments[] = {ptio_new_layout(b, layout), ptio_new_tuple(b, data, count)};
    return ptio_builder_call(b, "torch._utils", "_rebuild_sparse_tensor", arguments, 2);
}

const ptio_value *ptio_new_sparse_coo(ptio_builder *b, const ptio_value *indices, const ptio_value *values, size_t ndim,
                                      const int64_t *shape, bool is_coalesced)
{
    const ptio_value *data[] = {indices, values, ptio_new_size(b, ndim, shape), is_coalesced ? &ptio_true : &ptio_false};
    return new_sparse(b, PTIO_SPARSE_COO, data, 4);
}

const ptio_value *ptio_new_sparse_compressed(ptio_builder *b, ptio_layout layout, const ptio_value *compressed,
                                             const ptio_value *plain, const ptio_value *values, size_t ndim, const int64_t *shape)
{
    const ptio_value *data[] = {compressed, plain, values, ptio_new_size(b, ndim, shape)};
    return new_sparse(b, layout, data, 4);
}

const ptio_value *ptio_new_quantized(ptio_builder *b, const ptio_storage *storage, size_t ndim, const int64_t *shape,
                                     const ptio_quantizer *quantizer, const ptio_value *scales, const ptio_value *zero_points)
{
    int64_t stride[PTIO_MOST_DIMENSIONS], step = 1;
    if (!ptio_builder_good(b))
        return NULL;
    if (!storage || !quantizer || ndim > PTIO_MOST_DIMENSIONS)
        return ptio_builder_fail(b, "builder.storage", "there is no storage or quantizer, or more than 64 dimensions");
    if (!has_shape(b, ndim, shape))
        return NULL;
    for (size_t i = ndim; i-- > 0; step *= shape[i] > 0 && step < INT32_MAX ? shape[i] : 1)
        stride[i] = step;
    bool per_tensor = quantizer->scheme == PTIO_PER_TENSOR_AFFINE;
    const ptio_value *per_one[] = {ptio_new_global(b, "torch", "per_tensor_affine"), ptio_new_float(b, quantizer->scale),
                                   ptio_new_int(b, quantizer->zero_point)};
    const ptio_value *per_many[] = {ptio_new_global(b, "torch", "per_channel_affine"), scales, zero_points,
                                    ptio_new_int(b, quantizer->axis)};
    const ptio_value *id = ptio_make_storage_id(&b->maker, storage);
    const ptio_value *arguments[] = {id ? id : ptio_builder_no_memory(b, "a storage"),
                                     &ptio_small_ints[0].head,
                                     new_ints(b, ndim, shape),
                                     new_ints(b, ndim, stride),
                                     per_tensor ? ptio_new_tuple(b, per_one, 3) : ptio_new_tuple(b, per_many, 4),
                                     &ptio_false,
                                     no_hooks(b)};
    return ptio_builder_call(b, "torch._utils", "_rebuild_qtensor", arguments, 7);
}
