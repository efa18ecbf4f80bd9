/*
 * Tensors out of the calls that rebuild them, of every era: torch._utils._rebuild_*, typed tensor classes, Parameters.
 *
 * Source: torch/_utils.py, torch/_tensor.py, torch/nn/parameter.py
 */
#include "torch/handlers.h"

#include "tensor/convert.h"
#include "torch/place.h"

#define MOST_CHAINED 8

static ptio_status bad(ptio_loader *loader, const ptio_node_reduced *node, const ptio_global *global, ptio_error *err,
                       const char *what)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "rebuild.arguments", err, "%s: %s",
                          ptio_quote(global->full_name).text, what);
}

/* A tensor cannot be made: say at which opcode. */
static ptio_status locate(ptio_loader *loader, const ptio_node_reduced *node, ptio_status status, ptio_error *err)
{
    if (status == PTIO_OK || !err)
        return status;
    if (err->offset == PTIO_NO_OFFSET && !err->record[0])
        err->offset = node->head.count;
    return ptio_error_in_record(err, status, loader->part->record);
}

/* Up to 64 ints of a tuple, list or size into `out`. */
static bool read_dims(const ptio_value *value, int64_t *out, size_t *count)
{
    const ptio_value *const *items;
    if (value->type == PTIO_NODE_TYPE_TUPLE) { /* nearly all; a call for each shape and stride is felt */
        items = PTIO_NODE(tuple, value)->items;
        *count = value->count;
    } else {
        items = ptio_value_items(value, count);
    }
    if (!items || *count > PTIO_MOST_DIMENSIONS)
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (items[i]->type != PTIO_NODE_TYPE_INT || (items[i]->flags & PTIO_NODE_BIG))
            return false;
        out[i] = PTIO_NODE(int, items[i])->u.value;
    }
    return true;
}

/* Whether a value is a tuple of just these ints. */
static bool has_dims(const ptio_value *value, const int64_t *dims, size_t count)
{
    if (value->type != PTIO_NODE_TYPE_TUPLE || value->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const ptio_value *item = ptio_tuple_item(value, i);
        if (item->type != PTIO_NODE_TYPE_INT || item->flags & PTIO_NODE_BIG || PTIO_NODE(int, item)->u.value != dims[i])
            return false;
    }
    return true;
}

static bool read_bool(const ptio_value *value, bool *ret)
{
    int64_t number;
    if (!value || !ptio_node_int64(value, &number))
        return false;
    *ret = number != 0;
    return true;
}

static const ptio_storage *storage_of(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_STORAGE ? ptio_meaning(value) : NULL;
}

static const ptio_tensor *tensor_of(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_TENSOR ? ptio_meaning(value) : NULL;
}

static bool dtype_of(const ptio_value *value, ptio_dtype *ret)
{
    const ptio_global *global = value && value->seen == PTIO_KIND_DTYPE ? ptio_meaning(value) : NULL;
    if (!global)
        return false;
    *ret = (ptio_dtype)global->dtype;
    return true;
}

/* conj and neg bits: a dict of bools, or None. */
static bool read_math_bits(const ptio_value *metadata, unsigned *flags)
{
    const ptio_node_dict *dict = ptio_value_entries(metadata);
    if (!dict)
        return metadata->type == PTIO_NODE_TYPE_NONE;
    size_t conj = ptio_dict_find_text(dict, PTIO_TEXT("conj")), neg = ptio_dict_find_text(dict, PTIO_TEXT("neg"));
    if (conj != SIZE_MAX && ptio_is_true(ptio_dict_value(dict, conj)))
        *flags |= PTIO_TENSOR_CONJ;
    if (neg != SIZE_MAX && ptio_is_true(ptio_dict_value(dict, neg)))
        *flags |= PTIO_TENSOR_NEG;
    return true;
}

/* Elements of a dtype without a storage class of its own are little-endian in every file, and PyTorch never swaps them: on a big-endian
 * machine their storage is swapped in their unit. */
static void settle_untyped(const ptio_storage *storage, ptio_dtype dtype)
{
    uint8_t flags = atomic_load_explicit(&storage->flags, memory_order_relaxed);
    if (!PTIO_HOST_BIG_ENDIAN || !(flags & PTIO_STORAGE_UNTYPED) || ptio_dtype_rows[dtype].swap < 2)
        return;
    ptio_storage *own = (ptio_storage *)(uintptr_t)storage;
    own->swap = ptio_dtype_rows[dtype].swap;
    atomic_store_explicit(&own->flags, flags | PTIO_STORAGE_SWAP, memory_order_relaxed);
}

/* What the strided forms have in common: storage, offset, size, stride from argument `first` on. */
static ptio_status read_view(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global,
                             const ptio_value *const *arguments, ptio_tensor_spec *spec, int64_t dims[2][PTIO_MOST_DIMENSIONS],
                             ptio_error *err)
{
    size_t strides;
    spec->storage = storage_of(arguments[0]);
    if (!spec->storage)
        return bad(loader, node, global, err, "the first argument is no storage");
    if (arguments[1]->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(arguments[1], &spec->storage_offset))
        return bad(loader, node, global, err, "the storage offset is no int of 64 bits");
    const ptio_tensor *latest = loader->latest.tensor;
    if (latest && has_dims(arguments[2], latest->dims, latest->ndim) &&
        has_dims(arguments[3], latest->dims + latest->ndim, latest->ndim)) {
        spec->alike = latest;
        spec->ndim = latest->ndim;
    } else {
        if (!read_dims(arguments[2], dims[0], &spec->ndim))
            return bad(loader, node, global, err, "the size is no tuple of at most 64 ints");
        if (!read_dims(arguments[3], dims[1], &strides) || strides != spec->ndim)
            return bad(loader, node, global, err, "the stride is no tuple of as many ints as the size");
        spec->shape = dims[0];
        spec->stride = dims[1];
    }
    if (spec->dtype == PTIO_NO_DTYPE)
        spec->dtype = (ptio_dtype)spec->storage->dtype;
    if (ptio_storage_is_meta(spec->storage)) {
        spec->flags |= PTIO_TENSOR_META;
        spec->storage = NULL;
    }
    return PTIO_OK;
}

static ptio_status finish(ptio_loader *loader, ptio_node_reduced *node, const ptio_tensor_spec *spec, ptio_error *err)
{
    const ptio_tensor *tensor;
    ptio_status status = ptio_tensor_new(&loader->ckpt->arena, spec, &tensor, err);
    if (status == PTIO_OK && spec->extra)
        status = ptio_tensor_check_parts(tensor, err);
    if (status == PTIO_OK && spec->layout == PTIO_STRIDED)
        loader->latest.tensor = tensor;
    return status == PTIO_OK ? ptio_means(node, PTIO_KIND_TENSOR, tensor) : locate(loader, node, status, err);
}

/* _rebuild_tensor(storage, offset, size, stride)
 * _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None)
 * _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None) */
static ptio_status handle_strided(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    static const struct {
        uint8_t least, most, metadata;
    } arity[] = {{4, 4, 4}, {6, 7, 6}, {7, 8, 7}};
    unsigned version = (unsigned)global->handler - PTIO_HANDLER_TENSOR_V1;
    size_t count = ptio_argument_count(node);
    if (count < arity[version].least || count > arity[version].most)
        return bad(loader, node, global, err, "it was called with too few or too many arguments");
    const ptio_value *const *arguments = PTIO_NODE(tuple, node->arguments)->items;
    ptio_tensor_spec spec = {0};
    int64_t dims[2][PTIO_MOST_DIMENSIONS];
    if (version == 2 && !dtype_of(arguments[6], &spec.dtype))
        return bad(loader, node, global, err, "the dtype is none");
    ptio_status status = read_view(loader, node, global, arguments, &spec, dims, err);
    if (status != PTIO_OK)
        return status;
    bool requires_grad = false;
    if (version > 0 && !read_bool(arguments[4], &requires_grad))
        return bad(loader, node, global, err, "requires_grad is no bool");
    if (requires_grad)
        spec.flags |= PTIO_TENSOR_REQUIRES_GRAD;
    if (count > arity[version].metadata && !read_math_bits(arguments[arity[version].metadata], &spec.flags))
        return bad(loader, node, global, err, "the metadata is no dict");
    if (version == 2 && spec.storage)
        settle_untyped(spec.storage, spec.dtype);
    return finish(loader, node, &spec, err);
}

/* Attributes: None, a dict, or (dict or None, dict of slots). */
static bool is_state(const ptio_value *state)
{
    return state->type == PTIO_NODE_TYPE_NONE || state->seen == PTIO_KIND_DICT ||
           (state->type == PTIO_NODE_TYPE_TUPLE && state->count == 2);
}

/* _rebuild_parameter(data, requires_grad, hooks), _rebuild_parameter_with_state(data, requires_grad, hooks, state) */
static ptio_status handle_parameter(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    bool requires_grad, has_state = ptio_text_is(global->name, "_rebuild_parameter_with_state");
    const ptio_tensor *data = tensor_of(ptio_argument(node, 0));
    if (ptio_argument_count(node) != (has_state ? 4u : 3u))
        return bad(loader, node, global, err, "it was called with too few or too many arguments");
    if (!data || !read_bool(ptio_argument(node, 1), &requires_grad))
        return bad(loader, node, global, err, "the arguments are not a tensor and a bool");
    if (has_state && !is_state(ptio_argument(node, 3)))
        return bad(loader, node, global, err, "the state is neither a dict nor two of them");
    const ptio_tensor *parameter = ptio_tensor_with_flags(&loader->ckpt->arena, data,
                                                          PTIO_TENSOR_PARAMETER | (requires_grad ? PTIO_TENSOR_REQUIRES_GRAD : 0),
                                                          requires_grad ? 0 : PTIO_TENSOR_REQUIRES_GRAD);
    if (!parameter)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a parameter");
    return ptio_means(node, PTIO_KIND_TENSOR, parameter);
}

/* Parameter(data) or Variable(data) of 0.1 to 0.3, with state (requires_grad, volatile, hooks) or
 * (data, grad, hooks, requires_grad, volatile). */
static ptio_status handle_old_parameter(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *state = ptio_state(node, 0), *data = ptio_argument(node, 0), *grad_flag = ptio_argument(node, 1);
    if (state && state->type == PTIO_NODE_TYPE_TUPLE && state->count == 3)
        grad_flag = ptio_tuple_item(state, 0);
    if (state && state->type == PTIO_NODE_TYPE_TUPLE && state->count == 5) {
        data = ptio_tuple_item(state, 0);
        grad_flag = ptio_tuple_item(state, 3);
    }
    ptio_status status = ptio_interpret_node(loader, data, err);
    if (status != PTIO_OK)
        return status;
    bool parameter = ptio_text_is(global->name, "Parameter"), requires_grad = parameter;
    const ptio_tensor *tensor = tensor_of(data);
    if (!tensor)
        return ptio_handle_object(loader, node, NULL, err);
    if (grad_flag && !read_bool(grad_flag, &requires_grad))
        return bad(loader, node, global, err, "requires_grad is no bool");
    tensor =
        ptio_tensor_with_flags(&loader->ckpt->arena, tensor,
                               (parameter ? PTIO_TENSOR_PARAMETER : 0u) | (requires_grad ? PTIO_TENSOR_REQUIRES_GRAD : 0u), 0);
    if (!tensor)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a parameter");
    return ptio_means(node, PTIO_KIND_TENSOR, tensor);
}

/* FloatTensor() with state (storage, offset, size, stride): the earliest form. */
static ptio_status handle_tensor_class(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *state = ptio_state(node, 0);
    if (!state || state->type != PTIO_NODE_TYPE_TUPLE || state->count != 4)
        return ptio_handle_object(loader, node, NULL, err);
    ptio_status status = ptio_interpret_node(loader, ptio_tuple_item(state, 0), err);
    if (status != PTIO_OK)
        return status;
    ptio_tensor_spec spec = {0};
    int64_t dims[2][PTIO_MOST_DIMENSIONS];
    status = read_view(loader, node, global, PTIO_NODE(tuple, state)->items, &spec, dims, err);
    return status == PTIO_OK ? finish(loader, node, &spec, err) : status;
}

/* scales or zero_points of old files: a list of numbers, made a tensor. */
static ptio_status tensor_of_numbers(ptio_loader *loader, const ptio_value *list, ptio_dtype dtype, const ptio_tensor **ret,
                                     ptio_error *err)
{
    size_t count;
    const ptio_value *const *items = ptio_value_items(list, &count);
    ptio_arena *arena = &loader->ckpt->arena;
    size_t itemsize = ptio_dtype_rows[dtype].itemsize;
    uint8_t *bytes = items ? ptio_arena_zeroed(arena, count ? count : 1, itemsize) : NULL;
    if (!bytes)
        return items ? ptio_heap_fail(&loader->ckpt->heap, err, "scales") : PTIO_ERR_FORMAT;
    for (size_t i = 0; i < count; i++) {
        double number;
        if (!ptio_value_float(items[i], &number))
            return PTIO_ERR_FORMAT;
        (void)ptio_convert(PTIO_FLOAT64, &number, 8, dtype, bytes + i * itemsize, 1);
    }
    ptio_storage *storage = ptio_storage_new(loader->ckpt->pool, arena);
    if (!storage)
        return ptio_heap_fail(&loader->ckpt->heap, err, "scales");
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = bytes;
    storage->nbytes = count * itemsize;
    storage->dtype = (uint8_t)dtype;
    storage->swap = 1;
    ptio_status status = ptio_storage_pool_location(loader->ckpt->pool, PTIO_TEXT("cpu"), &storage->location, err);
    int64_t shape = (int64_t)count;
    if (status == PTIO_OK)
        status =
            ptio_tensor_new(arena, &(ptio_tensor_spec){.dtype = dtype, .ndim = 1, .shape = &shape, .storage = storage}, ret, err);
    return status;
}

static ptio_status quantizer_part(ptio_loader *loader, const ptio_value *value, ptio_dtype dtype, ptio_tensor_part_row *part,
                                  ptio_error *err)
{
    part->tensor = tensor_of(value);
    part->value = value;
    if (part->tensor)
        return PTIO_OK;
    part->value = NULL;
    return tensor_of_numbers(loader, value, dtype, &part->tensor, err);
}

static ptio_status read_quantizer(ptio_loader *loader, const ptio_value *parameters, ptio_tensor_extra *extra, ptio_error *err)
{
    size_t count;
    const ptio_value *const *items = ptio_value_items(parameters, &count);
    const ptio_global *scheme = items && count ? ptio_value_global(items[0]) : NULL;
    if (!scheme && items && count && items[0]->seen == PTIO_KIND_QSCHEME)
        scheme = ptio_meaning(items[0]);
    if (!scheme || scheme->handler != PTIO_HANDLER_QSCHEME)
        return PTIO_ERR_FORMAT;
    if (ptio_text_is(scheme->name, "per_tensor_affine")) {
        extra->quantizer.scheme = PTIO_PER_TENSOR_AFFINE;
        return count == 3 && ptio_value_float(items[1], &extra->quantizer.scale) &&
                       ptio_node_int64(items[2], &extra->quantizer.zero_point)
                   ? PTIO_OK
                   : PTIO_ERR_FORMAT;
    }
    bool of_floats = ptio_text_is(scheme->name, "per_channel_affine_float_qparams");
    if ((!of_floats && !ptio_text_is(scheme->name, "per_channel_affine")) || count != 4 ||
        !ptio_node_int64(items[3], &extra->quantizer.axis))
        return PTIO_ERR_FORMAT;
    ptio_tensor_part_row *parts = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_part_row, 2);
    if (!parts)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a quantizer");
    parts[0].name = "scales";
    parts[1].name = "zero_points";
    ptio_status status = quantizer_part(loader, items[1], of_floats ? PTIO_FLOAT32 : PTIO_FLOAT64, &parts[0], err);
    if (status == PTIO_OK)
        status = quantizer_part(loader, items[2], of_floats ? PTIO_FLOAT32 : PTIO_INT64, &parts[1], err);
    if (status != PTIO_OK)
        return status;
    /* PyTorch writes both schemes under one name; float zero points tell the second. */
    of_floats = of_floats || ptio_dtype_rows[parts[1].tensor->dtype].class_ == PTIO_DTYPE_REAL;
    extra->quantizer.scheme = of_floats ? PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS : PTIO_PER_CHANNEL_AFFINE;
    extra->parts = parts;
    extra->part_count = 2;
    return PTIO_OK;
}

/* _rebuild_qtensor(storage, offset, size, stride, quantizer, requires_grad, hooks) */
static ptio_status handle_quantized(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    if (ptio_argument_count(node) != 7)
        return bad(loader, node, global, err, "it was called with too few or too many arguments");
    const ptio_value *const *arguments = PTIO_NODE(tuple, node->arguments)->items;
    ptio_tensor_spec spec = {0};
    int64_t dims[2][PTIO_MOST_DIMENSIONS];
    ptio_tensor_extra *extra = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_extra, 1);
    if (!extra)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a quantizer");
    ptio_status status = read_view(loader, node, global, arguments, &spec, dims, err);
    if (status == PTIO_OK)
        status = read_quantizer(loader, arguments[4], extra, err);
    if (status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK))
        return bad(loader, node, global, err, "the quantizer is none of the known schemes with its parameters");
    if (status != PTIO_OK)
        return locate(loader, node, status, err);
    if (ptio_dtype_rows[spec.dtype].class_ != PTIO_DTYPE_QUANTIZED)
        return bad(loader, node, global, err, "the storage is of no quantized dtype");
    bool is_meta = spec.flags & PTIO_TENSOR_META;
    for (size_t i = 0; i < extra->part_count; i++) /* scales and zero points count as much: their device is asked, too */
        is_meta = is_meta || extra->parts[i].tensor->flags & PTIO_TENSOR_META;
    if (is_meta)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_UNSUPPORTED, "location.meta", err,
                              "there are no quantized tensors on the meta device");
    spec.extra = extra;
    bool requires_grad = false;
    if (!read_bool(arguments[5], &requires_grad))
        return bad(loader, node, global, err, "requires_grad is no bool");
    if (requires_grad)
        spec.flags |= PTIO_TENSOR_REQUIRES_GRAD;
    return finish(loader, node, &spec, err);
}

/* _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad)
 * _rebuild_wrapper_subclass(class, dtype, size, stride, storage_offset, layout, device, requires_grad) */
static ptio_status handle_storageless(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    bool meta = global->handler == PTIO_HANDLER_META, requires_grad = false;
    size_t first = meta ? 0 : 1, strides;
    int64_t dims[2][PTIO_MOST_DIMENSIONS];
    ptio_tensor_spec spec = {.flags = meta ? PTIO_TENSOR_META : PTIO_TENSOR_WRAPPER, .shape = dims[0], .stride = dims[1]};
    if (ptio_argument_count(node) != (meta ? 4u : 8u))
        return bad(loader, node, global, err, "it was called with too few or too many arguments");
    if (!dtype_of(ptio_argument(node, first), &spec.dtype))
        return bad(loader, node, global, err, "the dtype is none");
    if (!read_dims(ptio_argument(node, first + 1), dims[0], &spec.ndim) ||
        !read_dims(ptio_argument(node, first + 2), dims[1], &strides) || strides != spec.ndim)
        return bad(loader, node, global, err, "size and stride are no tuples of as many ints");
    if (!meta && !ptio_node_int64(ptio_argument(node, 4), &spec.storage_offset))
        return bad(loader, node, global, err, "the storage offset is no int of 64 bits");
    if (!read_bool(ptio_argument(node, meta ? 3 : 7), &requires_grad))
        return bad(loader, node, global, err, "requires_grad is no bool");
    if (requires_grad)
        spec.flags |= PTIO_TENSOR_REQUIRES_GRAD;
    ptio_text device;
    if (!meta && loader->placing) {
        ptio_status status = ptio_place_device(loader, &node->head, PTIO_TEXT("its class"), &device, err);
        if (status != PTIO_OK)
            return status;
    }
    return finish(loader, node, &spec, err);
}

/* The elements of a tensor in another dtype, in memory of the arena. */
static ptio_status cast(ptio_loader *loader, const ptio_tensor *from, ptio_dtype dtype, const ptio_tensor **ret, ptio_error *err)
{
    uint64_t bytes = from->numel * ptio_dtype_rows[dtype].itemsize;
    uint8_t *memory = ptio_arena_zeroed(&loader->ckpt->arena, bytes ? (size_t)bytes : 1, 1);
    ptio_storage *storage = memory ? ptio_storage_new(loader->ckpt->pool, &loader->ckpt->arena) : NULL;
    if (!storage)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a tensor");
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = memory;
    storage->nbytes = bytes;
    storage->dtype = (uint8_t)dtype;
    storage->swap = 1;
    ptio_status status = ptio_storage_pool_location(loader->ckpt->pool, PTIO_TEXT("cpu"), &storage->location, err);
    if (status == PTIO_OK)
        status = ptio_tensor_copy(from, dtype, memory, bytes, err);
    ptio_tensor_spec spec = {.dtype = dtype, .ndim = from->ndim, .shape = from->dims, .storage = storage};
    return status == PTIO_OK ? ptio_tensor_new(&loader->ckpt->arena, &spec, ret, err) : status;
}

/* A tensor of a device without storages: it goes where map_location says for that device. */
static ptio_status place_rebuilt(ptio_loader *loader, ptio_node_reduced *node, ptio_dtype dtype, const ptio_tensor **tensor,
                                 ptio_error *err)
{
    ptio_text device = {NULL, 0};
    const ptio_value *named = ptio_argument(node, 2);
    if (named->type == PTIO_NODE_TYPE_STR || named->type == PTIO_NODE_TYPE_PY2STR)
        device = ptio_node_text_of(named);
    else if (named->seen == PTIO_KIND_DEVICE)
        device = ptio_value_name(named);
    ptio_status status = ptio_place_device(loader, &node->head, device, &device, err);
    if (status != PTIO_OK || ptio_text_is(device, "cpu"))
        return status;
    if (!ptio_text_is(device, "meta"))
        return ptio_fail_node(loader, &node->head, PTIO_ERR_UNSUPPORTED, "location.no-device", err,
                              "a tensor belongs on %s, and there is no such device here; map_location \"cpu\" keeps tensors in "
                              "main memory",
                              ptio_quote(device).text);
    const ptio_tensor *from = *tensor;
    ptio_tensor_spec spec = {.dtype = dtype,
                             .flags = (from->flags | PTIO_TENSOR_META) & (unsigned)~PTIO_TENSOR_PARAMETER,
                             .ndim = from->ndim,
                             .shape = from->dims};
    return ptio_tensor_new(&loader->ckpt->arena, &spec, tensor, err);
}

/* _rebuild_device_tensor_from_numpy(array, dtype, device, requires_grad) and _from_cpu_tensor(tensor, …): devices without storages. */
static ptio_status handle_from_cpu(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *data = ptio_argument(node, 0);
    ptio_dtype dtype;
    bool requires_grad;
    if (ptio_argument_count(node) != 4 || !dtype_of(ptio_argument(node, 1), &dtype) ||
        !read_bool(ptio_argument(node, 3), &requires_grad))
        return bad(loader, node, global, err, "the arguments are not data, a dtype, a device and a bool");
    ptio_status status = ptio_interpret_node(loader, data, err);
    if (status != PTIO_OK)
        return status;
    const ptio_tensor *tensor = tensor_of(data);
    if (data->seen == PTIO_KIND_NDARRAY)
        tensor = ((const ptio_ndarray *)ptio_meaning(data))->tensor;
    if (!tensor)
        return bad(loader, node, global, err, "the data is neither a tensor nor an array of numbers");
    if (loader->placing && (status = place_rebuilt(loader, node, dtype, &tensor, err)) != PTIO_OK)
        return status;
    if (tensor->dtype != dtype && (status = cast(loader, tensor, dtype, &tensor, err)) != PTIO_OK)
        return locate(loader, node, status, err);
    tensor = ptio_tensor_with_flags(&loader->ckpt->arena, tensor, requires_grad ? PTIO_TENSOR_REQUIRES_GRAD : 0,
                                    requires_grad ? 0 : PTIO_TENSOR_REQUIRES_GRAD);
    if (!tensor)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a tensor");
    return ptio_means(node, PTIO_KIND_TENSOR, tensor);
}

/* _rebuild_from_type_v2(function, type, arguments, state): what function(*arguments) gives, as a subclass and with attributes. */
static ptio_status handle_from_type(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *inner_arguments = ptio_argument(node, 2);
    if (ptio_argument_count(node) != 4 || !ptio_value_global(ptio_argument(node, 0)) ||
        !ptio_value_global(ptio_argument(node, 1)) || inner_arguments->type != PTIO_NODE_TYPE_TUPLE)
        return bad(loader, node, global, err, "the arguments are not a function, a type, a tuple and a state");
    ptio_node_reduced *inner = PTIO_NEW(&loader->ckpt->arena, ptio_node_reduced, 1);
    if (!inner)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a tensor");
    inner->head = (ptio_value){PTIO_NODE_TYPE_REDUCED, PTIO_KIND_OBJECT, 0, 'R', node->head.count};
    inner->callable = ptio_argument(node, 0);
    inner->arguments = inner_arguments;
    if (loader->chained == MOST_CHAINED)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_LIMIT, "limit.nesting", err,
                              "a tensor is of a type of a type more than %d deep", MOST_CHAINED);
    loader->chained++;
    ptio_status status = ptio_interpret_made(loader, &inner->head, err);
    loader->chained--;
    if (status != PTIO_OK)
        return status;
    if (inner->head.seen != PTIO_KIND_TENSOR)
        return ptio_handle_object(loader, node, NULL, err);
    return ptio_means(node, PTIO_KIND_TENSOR, inner->meaning);
}

ptio_status ptio_handle_tensor(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    switch (global->handler) {
    case PTIO_HANDLER_PARAMETER: return handle_parameter(loader, node, global, err);
    case PTIO_HANDLER_OLD_PARAMETER: return handle_old_parameter(loader, node, global, err);
    case PTIO_HANDLER_OLD_TENSOR:
    case PTIO_HANDLER_TENSOR_CLASS: return handle_tensor_class(loader, node, global, err);
    case PTIO_HANDLER_QTENSOR: return handle_quantized(loader, node, global, err);
    case PTIO_HANDLER_META:
    case PTIO_HANDLER_WRAPPER: return handle_storageless(loader, node, global, err);
    case PTIO_HANDLER_FROM_NUMPY:
    case PTIO_HANDLER_FROM_CPU: return handle_from_cpu(loader, node, global, err);
    case PTIO_HANDLER_FROM_TYPE: return handle_from_type(loader, node, global, err);
    default: return handle_strided(loader, node, global, err);
    }
}
