/*
 * Tensors composed of tensors: sparse in five layouts, nested, jagged.
 *
 *     _rebuild_sparse_tensor(layout, (indices, values, size[, is_coalesced]))                COO
 *     _rebuild_sparse_tensor(layout, (crow or ccol, col or row, values, size))               CSR, CSC, BSR, BSC
 *     _rebuild_nested_tensor(buffer, sizes, strides, offsets)
 *     _rebuild_njt({"values":, "offsets":, "lengths":, "_ragged_idx":, …})                   jagged
 *
 * Source: torch/_utils.py; torch/nested/_internal/nested_tensor.py
 */
#include "torch/handlers.h"

#include <inttypes.h>
#include <stdio.h>

static ptio_status bad(ptio_loader *loader, const ptio_node_reduced *node, const ptio_global *global, ptio_error *err,
                       const char *what)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "rebuild.arguments", err, "%s: %s",
                          ptio_quote(global->full_name).text, what);
}

static const ptio_tensor *tensor_of(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_TENSOR ? ptio_meaning(value) : NULL;
}

/* A tensor cannot be made: say at which opcode. */
static ptio_status locate(ptio_loader *loader, const ptio_node_reduced *node, ptio_status status, ptio_error *err)
{
    if (err && err->offset == PTIO_NO_OFFSET && !err->record[0])
        err->offset = node->head.count;
    return ptio_error_in_record(err, status, loader->part->record);
}

/* The composed tensor itself, of what its parts say. */
static ptio_status compose(ptio_loader *loader, ptio_node_reduced *node, ptio_tensor_spec *spec,
                           const ptio_tensor_part_row *parts, size_t count, ptio_error *err)
{
    ptio_tensor_extra *extra = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_extra, 1);
    if (!extra)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a tensor");
    extra->parts = parts;
    extra->part_count = count;
    spec->extra = extra;
    const ptio_tensor *tensor;
    ptio_status status = ptio_tensor_new(&loader->ckpt->arena, spec, &tensor, err);
    if (status == PTIO_OK)
        status = ptio_tensor_check_parts(tensor, err);
    if (status == PTIO_OK)
        return ptio_means(node, PTIO_KIND_TENSOR, tensor);
    return locate(loader, node, status, err);
}

static bool layout_of(const ptio_value *value, ptio_layout *ret)
{
    if (!value || value->seen != PTIO_KIND_LAYOUT)
        return false;
    const ptio_text *name = ptio_meaning(value);
    for (int layout = PTIO_SPARSE_COO; layout <= PTIO_SPARSE_BSC; layout++) {
        if (ptio_text_is(*name, ptio_layout_name((ptio_layout)layout))) {
            *ret = (ptio_layout)layout;
            return true;
        }
    }
    return false;
}

static ptio_status handle_sparse(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    static const char *const names[][3] = {[PTIO_SPARSE_COO] = {"indices", "values", NULL},
                                           [PTIO_SPARSE_CSR] = {"crow", "col", "values"},
                                           [PTIO_SPARSE_CSC] = {"ccol", "row", "values"},
                                           [PTIO_SPARSE_BSR] = {"crow", "col", "values"},
                                           [PTIO_SPARSE_BSC] = {"ccol", "row", "values"}};
    ptio_tensor_spec spec = {0};
    const ptio_value *data = ptio_argument(node, 1);
    if (ptio_argument_count(node) != 2 || !layout_of(ptio_argument(node, 0), &spec.layout) || data->type != PTIO_NODE_TYPE_TUPLE)
        return bad(loader, node, global, err, "the arguments are not a sparse layout and a tuple");
    size_t part_count = spec.layout == PTIO_SPARSE_COO ? 2 : 3;
    if (data->count != part_count + 1 && !(spec.layout == PTIO_SPARSE_COO && data->count == 4))
        return bad(loader, node, global, err, "the tuple has not as many items as the layout needs");
    ptio_tensor_part_row *parts = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_part_row, part_count);
    if (!parts)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a sparse tensor");
    for (size_t i = 0; i < part_count; i++) {
        const ptio_value *value = ptio_tuple_item(data, i);
        parts[i] = (ptio_tensor_part_row){names[spec.layout][i], tensor_of(value), value};
        if (!parts[i].tensor)
            return bad(loader, node, global, err, "a part is no tensor");
    }
    int64_t *shape;
    ptio_status status = ptio_value_as_ints(loader, ptio_tuple_item(data, part_count), 0, &shape, &spec.ndim, err);
    if (status == PTIO_ERR_FORMAT)
        return bad(loader, node, global, err, "the size is no tuple of ints");
    if (status != PTIO_OK)
        return status;
    const ptio_tensor *values = parts[part_count - 1].tensor;
    spec.shape = shape;
    spec.dtype = (ptio_dtype)values->dtype;
    spec.flags = values->flags & (PTIO_TENSOR_REQUIRES_GRAD | PTIO_TENSOR_META);
    /* Files before 2.0 do not say; PyTorch then takes a tensor of less than two elements as coalesced. */
    if (spec.layout == PTIO_SPARSE_COO &&
        (data->count == 4 ? ptio_is_true(ptio_tuple_item(data, 3)) : values->ndim && values->dims[0] < 2))
        spec.flags |= PTIO_TENSOR_COALESCED;
    return compose(loader, node, &spec, parts, part_count, err);
}

/* All elements of an int64 tensor, in the arena. They are read here, at load: without them a nested tensor has no components. */
static ptio_status read_elements(ptio_loader *loader, const ptio_tensor *tensor, int64_t **ret, ptio_error *err)
{
    uint64_t most = ptio_storage_nbytes(tensor->storage);
    if (tensor->numel > most) /* an expanded one: no nested tensor has such */
        return PTIO_ERR_FORMAT;
    *ret = PTIO_NEW(&loader->ckpt->arena, int64_t, (size_t)tensor->numel + 1);
    if (!*ret)
        return ptio_heap_fail(&loader->ckpt->heap, err, "sizes of a nested tensor");
    return ptio_tensor_copy(tensor, PTIO_INT64, *ret, tensor->numel * sizeof(int64_t), err);
}

/* Components are told by storages, not by the pickle: all that the file holds pays for them, not the pickle alone. */
static void extend_budget(ptio_loader *loader)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    uint64_t budget;
    if (!ptio_mul_u64(ckpt->source ? ptio_source_size(ckpt->source) : 0, ckpt->limits.heap_per_byte, &budget) ||
        !ptio_add_u64(budget, (uint64_t)1 << 20, &budget) || budget > ckpt->limits.heap_bytes)
        budget = ckpt->limits.heap_bytes;
    if (budget > ckpt->heap.limit)
        ckpt->heap.limit = budget;
}

static const char *component_name(ptio_loader *loader, uint64_t index)
{
    char name[24];
    int size = snprintf(name, sizeof name, "%" PRIu64, index);
    return ptio_arena_text(&loader->ckpt->arena, (ptio_text){name, (size_t)size}).bytes;
}

/* One component: a strided view of the buffer. `dims` are its sizes, then its strides; its first element is `offset` behind the buffer's. */
static ptio_status component(ptio_loader *loader, const ptio_tensor *buffer, uint64_t index, const int64_t *shape,
                             const int64_t *stride, size_t ndim, int64_t offset, unsigned flags, ptio_tensor_part_row *part,
                             ptio_error *err)
{
    ptio_tensor_spec spec = {.dtype = (ptio_dtype)buffer->dtype,
                             .ndim = ndim,
                             .shape = shape,
                             .stride = stride,
                             .storage = buffer->storage,
                             .flags = flags};
    if (!ptio_add_i64(buffer->storage_offset, offset, &spec.storage_offset))
        return ptio_fail(err, PTIO_ERR_FORMAT, "nested.offset", PTIO_NO_OFFSET,
                         "an offset of a nested tensor is beyond all numbers");
    part->name = component_name(loader, index);
    if (!part->name)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a nested tensor");
    return ptio_tensor_new(&loader->ckpt->arena, &spec, &part->tensor, err);
}

/* Offsets of the components: a tensor, or a list of ints in old files. */
static ptio_status read_offsets(ptio_loader *loader, const ptio_value *value, int64_t **ret, size_t *count, ptio_error *err)
{
    const ptio_tensor *tensor = tensor_of(value);
    if (!tensor)
        return ptio_value_as_ints(loader, value, 1, ret, count, err);
    if (!tensor->storage)
        return PTIO_ERR_FORMAT;
    *count = (size_t)tensor->numel;
    return read_elements(loader, tensor, ret, err);
}

static ptio_status handle_nested(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    static const char *const names[] = {"buffer", "sizes", "strides", "offsets"};
    const ptio_tensor *given[4] = {NULL};
    for (size_t i = 0; i < 4; i++)
        given[i] = tensor_of(ptio_argument(node, i));
    const ptio_tensor *buffer = given[0], *sizes = given[1], *strides = given[2];
    if (buffer && buffer->flags & PTIO_TENSOR_META)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_UNSUPPORTED, "location.meta", err,
                              "there are no nested tensors on the meta device");
    if (ptio_argument_count(node) != 4 || !buffer || !sizes || !strides || !buffer->storage || !sizes->storage ||
        !strides->storage)
        return bad(loader, node, global, err, "the arguments are not buffer, sizes, strides and offsets");
    unsigned flags = buffer->flags & PTIO_TENSOR_REQUIRES_GRAD;
    uint64_t count = sizes->ndim == 2 ? (uint64_t)sizes->dims[0] : 0;
    size_t ndim = sizes->ndim == 2 ? (size_t)sizes->dims[1] : 0, offset_count = 0;
    int64_t *size_ints = NULL, *stride_ints = NULL, *offsets = NULL;
    ptio_status status = PTIO_OK;
    extend_budget(loader);
    if (sizes->numel != strides->numel)
        status = PTIO_ERR_FORMAT;
    if (status == PTIO_OK)
        status = read_elements(loader, sizes, &size_ints, err);
    if (status == PTIO_OK)
        status = read_elements(loader, strides, &stride_ints, err);
    if (status == PTIO_OK)
        status = read_offsets(loader, ptio_argument(node, 3), &offsets, &offset_count, err);
    if ((status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK)) || (status == PTIO_OK && offset_count < count) ||
        count > SIZE_MAX / 64)
        return bad(loader, node, global, err, "sizes, strides and offsets do not fit together");
    if (status != PTIO_OK)
        return status;
    ptio_tensor_part_row *parts = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_part_row, (size_t)count + 4);
    if (!parts)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a nested tensor");
    for (uint64_t i = 0; i < count && status == PTIO_OK; i++)
        status =
            component(loader, buffer, i, size_ints + i * ndim, stride_ints + i * ndim, ndim, offsets[i], flags, &parts[i], err);
    if (status != PTIO_OK)
        return locate(loader, node, status, err);
    size_t used = (size_t)count;
    for (size_t i = 0; i < (sizes->ndim == 2 ? 4u : 1u); i++) { /* a nested tensor of nothing has sizes of no use */
        if (given[i])
            parts[used++] = (ptio_tensor_part_row){names[i], given[i], ptio_argument(node, i)};
    }
    ptio_tensor_spec spec = {.dtype = (ptio_dtype)buffer->dtype, .layout = PTIO_NESTED, .flags = flags};
    return compose(loader, node, &spec, parts, used, err);
}

static const ptio_value *member(const ptio_node_dict *dict, const char *name)
{
    size_t at = ptio_dict_find_text(dict, ptio_text_of(name));
    return at == SIZE_MAX ? NULL : ptio_dict_value(dict, at);
}

/* Each component is values[offsets[i] : offsets[i] + lengths[i]] along the ragged dimension, which is the first of `values` but one. */
/* On the meta device a jagged tensor has no components: how long they are is not known. */
static ptio_status jagged_on_meta(ptio_loader *loader, ptio_node_reduced *node, const ptio_node_dict *dict, ptio_error *err)
{
    static const char *const names[] = {"values", "offsets", "lengths"};
    ptio_tensor_part_row *parts = PTIO_NEW(&loader->ckpt->arena, ptio_tensor_part_row, 3);
    size_t count = 0;
    if (!parts)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a nested tensor");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const ptio_value *value = member(dict, names[i]);
        if (tensor_of(value))
            parts[count++] = (ptio_tensor_part_row){names[i], tensor_of(value), value};
    }
    const ptio_tensor *values = parts[0].tensor;
    const ptio_value *ragged = member(dict, "_ragged_idx");
    int64_t ragged_dim = 1;
    bool known = ragged && ptio_node_int64(ragged, &ragged_dim) && ragged_dim >= 1 && ragged_dim <= (int64_t)values->ndim;
    ptio_tensor_spec spec = {.dtype = (ptio_dtype)values->dtype,
                             .layout = PTIO_JAGGED,
                             .flags = values->flags & (PTIO_TENSOR_REQUIRES_GRAD | PTIO_TENSOR_META),
                             .ragged = (uint8_t)(known ? ragged_dim - 1 : 0)};
    return compose(loader, node, &spec, parts, count, err);
}

static ptio_status handle_jagged(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_node_dict *dict = ptio_value_entries(ptio_argument(node, 0));
    const ptio_value *values_value = dict ? member(dict, "values") : NULL, *offsets_value = dict ? member(dict, "offsets") : NULL;
    const ptio_value *lengths_value = dict ? member(dict, "lengths") : NULL, *ragged = dict ? member(dict, "_ragged_idx") : NULL;
    unsigned flags = dict && ptio_is_true(member(dict, "requires_grad")) ? PTIO_TENSOR_REQUIRES_GRAD : 0;
    const ptio_tensor *values = tensor_of(values_value), *offsets = tensor_of(offsets_value), *lengths = tensor_of(lengths_value);
    int64_t ragged_dim = 1;
    if (values && offsets && values->flags & offsets->flags & PTIO_TENSOR_META)
        return jagged_on_meta(loader, node, dict, err);
    if (!values || !offsets || !values->storage || !offsets->storage || (lengths && !lengths->storage) || offsets->ndim != 1 ||
        !offsets->dims[0] || (ragged && !ptio_node_int64(ragged, &ragged_dim)) || ragged_dim < 1 ||
        ragged_dim > (int64_t)values->ndim)
        return bad(loader, node, global, err, "the arguments are not a dict of values and offsets");
    size_t count = (size_t)offsets->dims[0] - 1, dim = (size_t)ragged_dim - 1;
    int64_t *starts = NULL, *sizes = NULL;
    extend_budget(loader);
    ptio_status status = read_elements(loader, offsets, &starts, err);
    if (status == PTIO_OK && lengths)
        status = lengths->numel == count ? read_elements(loader, lengths, &sizes, err) : PTIO_ERR_FORMAT;
    ptio_tensor_part_row *parts = status == PTIO_OK ? PTIO_NEW(&loader->ckpt->arena, ptio_tensor_part_row, count + 3) : NULL;
    if (status == PTIO_OK && !parts)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a nested tensor");
    int64_t shape[PTIO_MOST_DIMENSIONS];
    const int64_t *stride = values->dims + values->ndim;
    for (size_t i = 0; i < values->ndim; i++)
        shape[i] = values->dims[i];
    for (size_t i = 0; i < count && status == PTIO_OK; i++) {
        int64_t length, offset;
        if (starts[i] < 0 || starts[i + 1] < starts[i] || starts[i + 1] > values->dims[dim] ||
            (sizes && (sizes[i] < 0 || sizes[i] > starts[i + 1] - starts[i])) || !ptio_mul_i64(starts[i], stride[dim], &offset))
            return bad(loader, node, global, err, "offsets and lengths do not fit the values");
        length = sizes ? sizes[i] : starts[i + 1] - starts[i];
        shape[dim] = length;
        status = component(loader, values, i, shape, stride, values->ndim, offset, flags, &parts[i], err);
    }
    if (status != PTIO_OK && (!err || err->status == PTIO_OK))
        return bad(loader, node, global, err, "offsets and lengths do not fit the values");
    if (status != PTIO_OK)
        return locate(loader, node, status, err);
    size_t used = count;
    parts[used++] = (ptio_tensor_part_row){"values", values, values_value};
    parts[used++] = (ptio_tensor_part_row){"offsets", offsets, offsets_value};
    if (lengths)
        parts[used++] = (ptio_tensor_part_row){"lengths", lengths, lengths_value};
    ptio_tensor_spec spec = {.dtype = (ptio_dtype)values->dtype, .layout = PTIO_JAGGED, .flags = flags, .ragged = (uint8_t)dim};
    return compose(loader, node, &spec, parts, used, err);
}

ptio_status ptio_handle_composed(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    switch (global->handler) {
    case PTIO_HANDLER_SPARSE: return handle_sparse(loader, node, global, err);
    case PTIO_HANDLER_NESTED: return handle_nested(loader, node, global, err);
    default: return handle_jagged(loader, node, global, err);
    }
}
