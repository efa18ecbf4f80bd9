/*
 * Tensors in another dtype.
 *
 * A cast is a storage of its own, whose origin is the tensor it is made of: nothing is converted until somebody asks for the bytes, and
 * what is read for it goes again. The elements come in the order in which they lie in the storage of the cast, so the origin is the
 * tensor with its dimensions put in the order of their strides.
 *
 * Source: aten/src/ATen/native/TensorConversions.cpp, _to_copy; ATen/ExpandUtils.cpp, infer_dense_strides
 */
#include <string.h>

#include "torch/builder.h"

/* ---- reading ---- */

/* The elements of a tensor whose storage was read into memory of nobody else. */
static ptio_status copy_from(const ptio_tensor *tensor, const void *bytes, const ptio_storage *cast, void *buffer,
                             ptio_error *err)
{
    ptio_storage storage = {.pool = tensor->storage->pool,
                            .origin = &ptio_storage_of_memory,
                            .origin_data = bytes,
                            .nbytes = tensor->storage->nbytes,
                            .dtype = tensor->storage->dtype};
    ptio_tensor over = *tensor;
    atomic_init(&storage.data, bytes);
    atomic_init(&storage.flags, 0);
    over.storage = &storage;
    return ptio_tensor_copy(&over, (ptio_dtype)cast->dtype, buffer, cast->nbytes, err);
}

static ptio_status read_cast(const ptio_storage *cast, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    const ptio_tensor *tensor = cast->origin_data;
    const ptio_storage *from = tensor->storage;
    const ptio_memory *hooks = &from->pool->hooks;
    /* What is in memory already is read where it is, and a slice is not worth reading all that it is cut from for each. */
    if (!from->nbytes || from->nbytes > SIZE_MAX - PTIO_STORAGE_ALIGN || ptio_storage_whole(from) != from ||
        ptio_storage_is_resident(from))
        return ptio_tensor_copy(tensor, (ptio_dtype)cast->dtype, buffer, cast->nbytes, err);
    size_t size = (size_t)from->nbytes;
    void *bytes = hooks->alloc(hooks->ctx, size, PTIO_STORAGE_ALIGN);
    if (!bytes)
        return ptio_fail_memory(err, "the storage of a tensor that is cast");
    bool done;
    ptio_status status = ptio_storage_read_into(from, bytes, &done, err);
    if (status == PTIO_OK)
        status = done ? copy_from(tensor, bytes, cast, buffer, err)
                      : ptio_tensor_copy(tensor, (ptio_dtype)cast->dtype, buffer, cast->nbytes, err);
    hooks->free(hooks->ctx, bytes, size);
    return status;
}

/** The elements of a tensor, `origin_data`, in the dtype of the storage. */
static const ptio_storage_origin storage_of_cast = {read_cast, NULL, NULL, NULL, NULL};

/* ---- the order of the elements ---- */

/* Whether dimension `a` lies further out than `b`; 0: they may stay as they are. */
static int compare_dimensions(const ptio_tensor *tensor, size_t a, size_t b)
{
    const int64_t *shape = tensor->dims, *stride = tensor->dims + tensor->ndim;
    if (!stride[a] || !stride[b])
        return 0;
    if (stride[a] != stride[b])
        return stride[a] < stride[b] ? -1 : 1;
    return shape[a] > shape[b] ? 1 : 0;
}

/* The dimensions, those that lie furthest in first: an insertion sort that skips what cannot be compared. */
static void sort_dimensions(const ptio_tensor *tensor, size_t *order)
{
    for (size_t i = 0; i < tensor->ndim; i++)
        order[i] = tensor->ndim - 1 - i;
    for (size_t i = 1; i < tensor->ndim; i++) {
        size_t at = i;
        for (size_t before = i; before-- > 0;) {
            int order_of = compare_dimensions(tensor, order[before], order[at]);
            if (order_of < 0)
                break;
            if (order_of > 0) {
                size_t other = order[before];
                order[before] = order[at];
                order[at] = other;
                at = before;
            }
        }
    }
}

/* Whether the elements lie side by side, each at a place of its own; then the strides can stay. */
static bool is_dense(const ptio_tensor *tensor, const size_t *order)
{
    int64_t step = 1;
    for (size_t i = 0; i < tensor->ndim; i++) {
        if (tensor->dims[order[i]] == 1)
            continue;
        if (tensor->dims[tensor->ndim + order[i]] != step)
            return false;
        step *= tensor->dims[order[i]];
    }
    return true;
}

static void dense_strides(const ptio_tensor *tensor, const size_t *order, int64_t *stride)
{
    int64_t step = 1;
    if (is_dense(tensor, order)) {
        memcpy(stride, tensor->dims + tensor->ndim, tensor->ndim * sizeof *stride);
        return;
    }
    for (size_t i = 0; i < tensor->ndim; i++) {
        stride[order[i]] = step;
        if (tensor->dims[order[i]] > 1)
            step *= tensor->dims[order[i]];
    }
}

/* The tensor with its dimensions so that their order is that of the elements. NULL where there is no memory. */
static const ptio_tensor *in_order(ptio_builder *b, const ptio_tensor *tensor, const size_t *order)
{
    size_t ndim = tensor->ndim;
    ptio_tensor *sorted = PTIO_NEW(&b->ckpt->arena, ptio_tensor, 1);
    int64_t *dims = PTIO_NEW(&b->ckpt->arena, int64_t, 2 * ndim + 1);
    if (!sorted || !dims)
        return ptio_builder_no_memory(b, "a cast");
    for (size_t i = 0; i < ndim; i++) {
        dims[i] = tensor->dims[order[ndim - 1 - i]];
        dims[ndim + i] = tensor->dims[ndim + order[ndim - 1 - i]];
    }
    *sorted = *tensor;
    sorted->dims = dims;
    return sorted;
}

/* ---- casts that are known ---- */

static bool is_alike(const ptio_tensor *a, const ptio_tensor *b)
{
    return a->storage == b->storage && a->storage_offset == b->storage_offset && a->dtype == b->dtype && a->ndim == b->ndim &&
           !((a->flags ^ b->flags) & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) &&
           (!a->ndim || memcmp(a->dims, b->dims, 2 * a->ndim * sizeof *a->dims) == 0);
}

static size_t hash_cast(const ptio_tensor *sorted, ptio_dtype dtype)
{
    uint64_t hash = ((uint64_t)(uintptr_t)sorted->storage ^ (uint64_t)dtype) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ (uint64_t)sorted->storage_offset ^ sorted->numel << 20) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 20);
}

static ptio_known_cast *find_cast(ptio_known_cast *casts, size_t capacity, const ptio_tensor *sorted, ptio_dtype dtype)
{
    for (size_t i = hash_cast(sorted, dtype);; i++) {
        ptio_known_cast *cast = &casts[i & (capacity - 1)];
        if (!cast->storage || (cast->storage->dtype == dtype && is_alike(cast->tensor, sorted)))
            return cast;
    }
}

ptio_known_cast *ptio_casts_new(ptio_heap *heap, size_t capacity)
{
    ptio_known_cast *casts = ptio_heap_resize(heap, NULL, 0, capacity * sizeof *casts);
    return casts ? memset(casts, 0, capacity * sizeof *casts) : NULL;
}

void ptio_casts_put(ptio_known_cast *casts, size_t capacity, const ptio_known_cast *cast)
{
    *find_cast(casts, capacity, cast->tensor, (ptio_dtype)cast->storage->dtype) = *cast;
}

static bool grow_casts(ptio_builder *b)
{
    size_t capacity = b->cast_capacity ? 2 * b->cast_capacity : 32;
    ptio_known_cast *casts = ptio_casts_new(&b->ckpt->heap, capacity);
    if (!casts)
        return ptio_builder_no_memory(b, "a table of casts") != NULL;
    for (size_t i = 0; i < b->cast_capacity; i++)
        if (b->casts[i].storage)
            ptio_casts_put(casts, capacity, &b->casts[i]);
    ptio_heap_free(&b->ckpt->heap, b->casts, b->cast_capacity * sizeof *b->casts);
    b->casts = casts;
    b->cast_capacity = capacity;
    return true;
}

/* ---- making ---- */

static ptio_storage *new_storage(ptio_builder *b, const ptio_tensor *sorted, ptio_dtype dtype, uint64_t nbytes)
{
    ptio_storage *storage = (ptio_storage *)(uintptr_t)ptio_new_storage(b, dtype, NULL, nbytes, NULL);
    ptio_text location = ptio_storage_location(sorted->storage);
    if (!storage)
        return NULL;
    storage->origin = &storage_of_cast;
    storage->origin_data = sorted;
    ptio_text tag = ptio_arena_text(&b->ckpt->arena, location);
    if (!tag.bytes)
        return ptio_builder_no_memory(b, "a cast");
    return ptio_storage_pool_location(b->ckpt->pool, tag, &storage->location, &b->err) == PTIO_OK ? storage : NULL;
}

/* The storage of the cast, which tensors alike share. */
static const ptio_storage *storage_for(ptio_builder *b, const ptio_tensor *sorted, ptio_dtype dtype, uint64_t nbytes)
{
    if (b->cast_count >= b->cast_capacity / 2 && !grow_casts(b))
        return NULL;
    ptio_known_cast *cast = find_cast(b->casts, b->cast_capacity, sorted, dtype);
    if (cast->storage)
        return cast->storage;
    ptio_storage *storage = new_storage(b, sorted, dtype, nbytes);
    if (storage) {
        *cast = (ptio_known_cast){sorted, storage};
        b->cast_count++;
    }
    return storage;
}

static const ptio_value *cast_strided(ptio_builder *b, const ptio_tensor *tensor, ptio_dtype dtype, bool requires_grad)
{
    size_t order[PTIO_MOST_DIMENSIONS];
    int64_t stride[PTIO_MOST_DIMENSIONS];
    uint64_t nbytes;
    if (ptio_tensor_check_cast(tensor, dtype, &nbytes, &b->err) != PTIO_OK ||
        (tensor->numel && ptio_tensor_check_expansion(tensor, &b->err) != PTIO_OK))
        return NULL;
    sort_dimensions(tensor, order);
    dense_strides(tensor, order, stride);
    const ptio_tensor *sorted = in_order(b, tensor, order);
    const ptio_storage *storage = sorted ? storage_for(b, sorted, dtype, nbytes) : NULL;
    return storage ? ptio_new_view(b, storage, dtype, tensor->ndim, tensor->dims, stride, 0, requires_grad) : NULL;
}

static const ptio_value *cast_sparse(ptio_builder *b, const ptio_tensor *tensor, ptio_dtype dtype)
{
    const ptio_tensor_part_row *parts = tensor->extra->parts;
    size_t last = tensor->extra->part_count - 1;
    const ptio_value *values = parts[last].value ? ptio_new_cast(b, parts[last].value, dtype) : NULL;
    if (!values)
        return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.cast", "this sparse tensor has no values to cast") : NULL;
    if (tensor->layout == PTIO_SPARSE_COO)
        return ptio_new_sparse_coo(b, parts[0].value, values, tensor->ndim, tensor->dims, tensor->flags & PTIO_TENSOR_COALESCED);
    return ptio_new_sparse_compressed(b, (ptio_layout)tensor->layout, parts[0].value, parts[1].value, values, tensor->ndim,
                                      tensor->dims);
}

/* _rebuild_nested_tensor(buffer, sizes, strides, offsets) */
static const ptio_value *cast_nested(ptio_builder *b, const ptio_tensor *tensor, ptio_dtype dtype)
{
    static const char *const names[] = {"buffer", "sizes", "strides", "offsets"};
    const ptio_value *arguments[4] = {NULL};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < tensor->extra->part_count; j++)
            if (strcmp(tensor->extra->parts[j].name, names[i]) == 0)
                arguments[i] = tensor->extra->parts[j].value;
    if (!arguments[0] || !arguments[1])
        return ptio_builder_fail(b, "builder.cast", "a nested tensor without components cannot be cast");
    arguments[0] = ptio_new_cast(b, arguments[0], dtype);
    return ptio_builder_call(b, "torch._utils", "_rebuild_nested_tensor", arguments, 4);
}

static bool is_sparse(const ptio_tensor *tensor)
{
    return tensor->layout >= PTIO_SPARSE_COO && tensor->layout <= PTIO_SPARSE_BSC && tensor->extra && tensor->extra->part_count;
}

/* A value with the attributes of another. */
static const ptio_value *with_attributes(ptio_builder *b, const ptio_value *value, const ptio_value *attributes)
{
    size_t count = ptio_value_count(attributes);
    if (!value || !count)
        return value;
    ptio_value *twin = ptio_edit(b, value);
    for (size_t i = 0; twin && i < count; i++) {
        ptio_text name = ptio_value_str(ptio_value_key(attributes, i));
        ptio_text text = name.bytes ? ptio_arena_text(&b->ckpt->arena, name) : name;
        if (!text.bytes || !ptio_set_attribute(b, twin, text.bytes, ptio_value_item(attributes, i)))
            return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.cast", "an attribute of a tensor has no name") : NULL;
    }
    return twin;
}

const ptio_value *ptio_new_cast(ptio_builder *b, const ptio_value *value, ptio_dtype dtype)
{
    if (!ptio_builder_good(b))
        return NULL;
    value = ptio_edited(b, value);
    const ptio_tensor *tensor = ptio_value_tensor(value);
    if (!tensor)
        return ptio_builder_fail(b, "builder.kind", "only tensors can be cast");
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT)
        return ptio_builder_fail(b, "builder.dtype", "there is no such dtype");
    if (tensor->dtype == dtype && value->seen == PTIO_KIND_TENSOR)
        return value;
    if ((tensor->flags & PTIO_TENSOR_WRAPPER) || tensor->layout == PTIO_JAGGED)
        return ptio_builder_fail(b, "builder.cast", "only its class knows how this tensor is cast");
    unsigned class_ = ptio_dtype_rows[dtype].class_;
    bool is_parameter = tensor->flags & PTIO_TENSOR_PARAMETER;
    bool grad = (tensor->flags & PTIO_TENSOR_REQUIRES_GRAD) && (class_ == PTIO_DTYPE_REAL || class_ == PTIO_DTYPE_COMPLEX);
    const ptio_value *cast;
    if (is_sparse(tensor))
        cast = cast_sparse(b, tensor, dtype);
    else if (tensor->layout == PTIO_NESTED && tensor->extra)
        cast = cast_nested(b, tensor, dtype);
    else if (tensor->flags & PTIO_TENSOR_META)
        cast = ptio_new_meta(b, dtype, tensor->ndim, tensor->dims);
    else
        cast = cast_strided(b, tensor, dtype, grad && !is_parameter);
    if (is_parameter && cast)
        cast = ptio_new_parameter(b, cast, grad);
    return with_attributes(b, cast, ptio_value_attributes(value));
}
