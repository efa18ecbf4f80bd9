/*
 * Tensors and storages as torch.save writes them.
 *
 * Source: torch/_tensor.py, __reduce_ex__ and _reduce_ex_internal; torch/nn/parameter.py; torch/serialization.py, persistent_id
 */
#include "torch/handlers.h"
#include "torch/reduce.h"
#include "torch/registry.h"

/* ---- storages ---- */

static ptio_text decimal(ptio_arena *arena, size_t number)
{
    char digits[24], *end = digits + sizeof digits, *at = end;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return ptio_arena_text(arena, (ptio_text){at, (size_t)(end - at)});
}

static const ptio_value *new_key(ptio_reducer *r, const ptio_storage *storage)
{
    size_t number = r->storage_count;
    if (number < r->key_count)
        return ptio_reduce_str(r, r->keys[number]);
    if (r->keep_keys)
        return ptio_reduce_str(r, ptio_storage_key(storage));
    ptio_text kept = decimal(&r->arena, number);
    return kept.bytes ? ptio_reduce_str(r, kept) : NULL;
}

/* The part of a storage that is written, where it is not all of it. Its first byte is a multiple of every element over it, and of the
 * storage's own. Made by hand, since the storage's pool may be in use by others. NULL where there is no memory. */
static const ptio_storage *cut_storage(ptio_reducer *r, const ptio_storage *storage, uint64_t *cut)
{
    uint32_t place;
    *cut = 0;
    if (!r->measured || !ptio_pointer_map_get(&r->measured->by_address, storage, &place))
        return storage;
    const ptio_used_range *used = &r->measured->storages[place].used;
    uint64_t itemsize = ptio_dtype_rows[storage->dtype].itemsize, unit = used->unit > itemsize ? used->unit : itemsize;
    uint64_t first = used->first / unit * unit, end = used->end + (unit - used->end % unit) % unit;
    if (end > storage->nbytes)
        end = storage->nbytes;
    if (used->all || (!first && end == storage->nbytes))
        return storage;
    ptio_storage *slice = PTIO_NEW(&r->arena, ptio_storage, 1);
    if (!slice)
        return NULL;
    slice->pool = storage->pool;
    slice->origin = &ptio_storage_of_slice;
    slice->origin_data = storage;
    slice->origin_index = first;
    slice->nbytes = end - first;
    slice->index = storage->index;
    slice->location = storage->location;
    slice->dtype = storage->dtype;
    slice->swap = storage->swap;
    atomic_init(&slice->data, NULL);
    atomic_init(&slice->flags, atomic_load(&storage->flags) & PTIO_STORAGE_UNTYPED);
    *cut = first;
    return slice;
}

static ptio_status add_storage(ptio_reducer *r, const ptio_storage *storage, ptio_dtype dtype, ptio_error *err)
{
    char room[PTIO_MOST_TAG];
    ptio_text tag = ptio_registry_tag(r->registry, storage, room);
    if (tag.bytes == room) {
        tag = ptio_arena_text(&r->arena, tag);
        if (!tag.bytes)
            return ptio_reduce_no_memory(r, err);
    }
    if (!ptio_utf8_valid(tag.bytes, tag.size, true))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.location", PTIO_NO_OFFSET, "the location of a storage is no text: %s",
                         ptio_quote(tag).text);
    if (r->storage_count == r->storage_capacity) {
        ptio_saved_storage *grown =
            ptio_heap_grow(r->heap, r->storages, &r->storage_capacity, r->storage_count + 1, sizeof *grown);
        if (!grown)
            return ptio_reduce_no_memory(r, err);
        r->storages = grown;
    }
    uint64_t cut;
    const ptio_value *key = new_key(r, storage);
    const ptio_storage *written = cut_storage(r, storage, &cut);
    if (!key || !written || !ptio_pointer_map_put(&r->by_address, r->heap, storage, (uint32_t)r->storage_count))
        return ptio_reduce_no_memory(r, err);
    r->storages[r->storage_count++] =
        (ptio_saved_storage){.storage = written, .location = tag, .key = key, .dtype = dtype, .cut = cut};
    return PTIO_OK;
}

/* Where a storage was. Python has one str "cpu"; a tag with an index is made anew at each visit. */
static const ptio_value *location(ptio_reducer *r, ptio_text tag)
{
    if (ptio_text_is(tag, "cpu"))
        return r->cpu_word ? r->cpu_word : (r->cpu_word = ptio_reduce_word(r, tag));
    return memchr(tag.bytes, ':', tag.size) ? ptio_reduce_str(r, tag) : ptio_reduce_word(r, tag);
}

static const ptio_value *storage_class(ptio_reducer *r, ptio_dtype dtype, bool untyped)
{
    if (untyped)
        return ptio_reduce_known(r, PTIO_KNOWN_UNTYPED_STORAGE);
    if (!r->storage_classes[dtype])
        r->storage_classes[dtype] = ptio_reduce_global(r, "torch", ptio_dtype_rows[dtype].storage_class);
    return r->storage_classes[dtype];
}

/* The items of ('storage', class, key, location, numel), and where it is in the list of storages. */
typedef struct storage_id {
    const ptio_value *class_, *key, *location;
    uint64_t numel;
    uint32_t place;
} storage_id;

/* Name a storage, or find what it was named. */
static ptio_status identify_storage(ptio_reducer *r, const ptio_storage *storage, ptio_dtype dtype, bool untyped, storage_id *ret,
                                    ptio_error *err)
{
    uint32_t place;
    const ptio_dtype_row *row = &ptio_dtype_rows[dtype];
    untyped = untyped || !row->storage_class[0];
    ptio_dtype as = untyped ? PTIO_UINT8 : dtype;
    if (r->protocol == 0)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.protocol", PTIO_NO_OFFSET,
                         "protocol 0 writes the id of a storage as text, which no PyTorch can read back: take 1 to 5");
    if (!ptio_pointer_map_get(&r->by_address, storage, &place)) {
        place = (uint32_t)r->storage_count;
        ptio_status status = add_storage(r, storage, as, err);
        if (status != PTIO_OK)
            return status;
    }
    const ptio_saved_storage *saved = &r->storages[place];
    if (!r->storage_word)
        r->storage_word = ptio_reduce_word(r, PTIO_TEXT("storage"));
    if (saved->dtype != as && storage->nbytes)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.two-dtypes", PTIO_NO_OFFSET,
                         "Cannot save multiple tensors or storages that view the same data as different types");
    /* A zip has one str for all visits of a storage, a stream makes one for each. */
    *ret = (storage_id){.class_ = storage_class(r, as, untyped),
                        .key = r->is_legacy ? ptio_reduce_str(r, ptio_node_text_of(saved->key)) : saved->key,
                        .location = location(r, saved->location),
                        .numel = untyped ? saved->storage->nbytes : saved->storage->nbytes / row->itemsize,
                        .place = place};
    return r->storage_word && ret->class_ && ret->key && ret->location ? PTIO_OK : ptio_reduce_no_memory(r, err);
}

ptio_status ptio_reduce_storage(ptio_reducer *r, const ptio_storage *storage, ptio_dtype dtype, bool untyped,
                                const ptio_value **ret, ptio_error *err)
{
    storage_id id;
    ptio_status status = identify_storage(r, storage, dtype, untyped, &id, err);
    if (status != PTIO_OK)
        return status;
    const ptio_value *items[6] = {r->storage_word, id.class_, id.key, id.location, ptio_reduce_int(r, (int64_t)id.numel),
                                  &ptio_none};
    ptio_node_persistent *node = ptio_arena_alloc(ptio_reduce_arena(r), sizeof *node);
    if (!node)
        return ptio_reduce_no_memory(r, err);
    *node = (ptio_node_persistent){.head = {.type = PTIO_NODE_TYPE_PERSISTENT, .flags = ptio_reduce_flags(r)},
                                   .id = ptio_reduce_tuple(r, items, r->is_legacy ? 6 : 5)};
    if (!node->id)
        return ptio_reduce_no_memory(r, err);
    *ret = &node->head;
    return PTIO_OK;
}

ptio_status ptio_reduce_bare_storage(ptio_reducer *r, const ptio_storage *storage, const ptio_value **ret, ptio_error *err)
{
    uint32_t place;
    /* torch.load gives typed ones only. */
    ptio_status status = ptio_reduce_storage(r, storage, (ptio_dtype)storage->dtype, false, ret, err);
    if (status == PTIO_OK && ptio_pointer_map_get(&r->by_address, storage, &place))
        r->storages[place].used.all = true;
    return status;
}

/* The tensor is one of those over its storage, which was named before. Gives its offset in what is written of that. */
static int64_t use_named(ptio_saved_storage *saved, const ptio_tensor *tensor)
{
    int64_t last = tensor->storage_offset, itemsize = ptio_dtype_rows[tensor->dtype].itemsize;
    ptio_used_range *used = &saved->used;
    if (ptio_dtype_per_byte((ptio_dtype)tensor->dtype) > 1) {
        used->all = true;
    } else if (tensor->numel) {
        for (size_t i = 0; i < tensor->ndim; i++)
            last += (tensor->dims[i] - 1) * tensor->dims[tensor->ndim + i]; /* it was proven to be inside */
        uint64_t first = (uint64_t)(tensor->storage_offset * itemsize), end = (uint64_t)((last + 1) * itemsize);
        used->first = used->end && used->first < first ? used->first : first;
        used->end = used->end > end ? used->end : end;
        used->unit = used->unit > (uint64_t)itemsize ? used->unit : (uint64_t)itemsize;
    }
    /* Where there are no elements, any offset is right. */
    int64_t cut = saved->cut ? (int64_t)saved->cut / itemsize : 0;
    return tensor->storage_offset > cut ? tensor->storage_offset - cut : 0;
}

static int64_t use_storage(ptio_reducer *r, const ptio_tensor *tensor)
{
    uint32_t place;
    bool is_named = ptio_pointer_map_get(&r->by_address, tensor->storage, &place);
    return is_named ? use_named(&r->storages[place], tensor) : tensor->storage_offset;
}

/* ---- tensors ---- */

static const ptio_value *boolean(bool value)
{
    return value ? &ptio_true : &ptio_false;
}

static const ptio_value *no_hooks(ptio_reducer *r)
{
    ptio_node_reduced *hooks = ptio_reduce_call(r, ptio_reduce_known(r, PTIO_KNOWN_ORDERED_DICT), &ptio_empty_tuple.head);
    return hooks ? &hooks->head : NULL;
}

/* A call of a function of torch._utils, not yet a node: a subclass has its parts in arguments of its own. */
typedef struct call {
    const ptio_value *function, *arguments;
} call;

static const ptio_value *call_node(ptio_reducer *r, call c)
{
    ptio_node_reduced *node = ptio_reduce_call(r, c.function, c.arguments);
    return node ? &node->head : NULL;
}

/* {'neg': True, 'conj': True}: the order is that of an unordered_map of libstdc++. */
static const ptio_value *math_bits(ptio_reducer *r, const ptio_tensor *tensor)
{
    ptio_node_dict *dict = ptio_node_new_dict(&r->arena);
    static const struct {
        unsigned flag;
        ptio_text name;
    } bits[] = {{PTIO_TENSOR_NEG, {"neg", 3}}, {PTIO_TENSOR_CONJ, {"conj", 4}}};
    for (size_t i = 0; dict && i < 2; i++) {
        if (!(tensor->flags & bits[i].flag))
            continue;
        const ptio_value *entry[] = {ptio_reduce_str(r, bits[i].name), &ptio_true};
        if (!entry[0] || !ptio_block_append(&r->arena, &dict->block, 2 * (size_t)dict->head.count, entry, 2))
            return NULL;
        dict->head.count++;
    }
    return dict ? &dict->head : NULL;
}

/* Dtypes that exist only as objects: PyTorch has neither a storage class for them nor takes them as untyped; 2.0 and older take none so. */
static ptio_status check_dtype(const ptio_reducer *r, ptio_dtype dtype, ptio_error *err)
{
    bool untyped_is_known = !ptio_reduce_before_2_1(r) && (dtype < PTIO_UINT1 || dtype > PTIO_INT7);
    if (ptio_dtype_rows[dtype].storage_class[0] || untyped_is_known)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.dtype", PTIO_NO_OFFSET, "dtype torch.%s is not recognized",
                     ptio_dtype_rows[dtype].name);
}

static ptio_status strided(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, call *ret, ptio_error *err)
{
    const ptio_value *arguments[8];
    size_t count = 6;
    const ptio_dtype_row *row = &ptio_dtype_rows[tensor->dtype];
    bool typed = row->storage_class[0] != '\0';
    ret->function = ptio_reduce_known(r, typed ? PTIO_KNOWN_REBUILD_TENSOR_V2 : PTIO_KNOWN_REBUILD_TENSOR_V3);
    ptio_status status = check_dtype(r, (ptio_dtype)tensor->dtype, err);
    if (status == PTIO_OK)
        status = ptio_reduce_storage(r, tensor->storage, (ptio_dtype)tensor->dtype, !typed, &arguments[0], err);
    if (status != PTIO_OK)
        return status;
    arguments[1] = ptio_reduce_int(r, use_storage(r, tensor));
    arguments[2] = ptio_reduce_ints(r, tensor->dims, tensor->ndim);
    arguments[3] = ptio_reduce_ints(r, tensor->dims + tensor->ndim, tensor->ndim);
    arguments[4] = boolean(requires_grad);
    arguments[5] = no_hooks(r);
    if (!typed)
        arguments[count++] = ptio_reduce_global(r, "torch", row->name);
    if (tensor->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) {
        if (ptio_reduce_as_version_1(r))
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.profile", PTIO_NO_OFFSET,
                             "PyTorch 1.13 and older write no conj and neg bits: the tensor would come back with other values");
        arguments[count++] = math_bits(r, tensor);
    }
    ret->arguments = ptio_reduce_tuple(r, arguments, count);
    return PTIO_OK;
}

static ptio_status meta(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, call *ret)
{
    const ptio_value *arguments[] = {ptio_reduce_global(r, "torch", ptio_dtype_rows[tensor->dtype].name),
                                     ptio_reduce_ints(r, tensor->dims, tensor->ndim),
                                     ptio_reduce_ints(r, tensor->dims + tensor->ndim, tensor->ndim), boolean(requires_grad)};
    ret->function = ptio_reduce_global(r, "torch._utils", "_rebuild_meta_tensor_no_storage");
    ret->arguments = ptio_reduce_tuple(r, arguments, 4);
    return PTIO_OK;
}

/* The plain tensor as a node of its own: Python makes a new object whenever a part is asked for. */
static ptio_status plain(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, const ptio_value **ret, ptio_error *err)
{
    call c = {NULL, NULL};
    ptio_status status =
        tensor->flags & PTIO_TENSOR_META ? meta(r, tensor, requires_grad, &c) : strided(r, tensor, requires_grad, &c, err);
    if (status != PTIO_OK)
        return status;
    *ret = call_node(r, c);
    return *ret ? PTIO_OK : ptio_reduce_no_memory(r, err);
}

/* Storage, then the quantizer, then the rest: the order in which the objects come decides the numbers of the storages. */
static ptio_status quantized(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, call *ret, ptio_error *err)
{
    const ptio_quantizer *q = &tensor->extra->quantizer;
    const ptio_value *arguments[7], *parameters[4];
    size_t count = 3;
    ptio_status status = ptio_reduce_storage(r, tensor->storage, (ptio_dtype)tensor->dtype, false, &arguments[0], err);
    if (q->scheme == PTIO_PER_TENSOR_AFFINE) {
        parameters[0] = ptio_reduce_global(r, "torch", "per_tensor_affine");
        parameters[1] = ptio_reduce_float(r, q->scale);
        parameters[2] = ptio_reduce_int(r, q->zero_point);
    } else {
        parameters[0] = ptio_reduce_global(r, "torch", "per_channel_affine");
        for (size_t i = 0; status == PTIO_OK && i < 2; i++)
            status = plain(r, tensor->extra->parts[i].tensor, false, &parameters[1 + i], err);
        parameters[count++] = ptio_reduce_int(r, q->axis);
    }
    if (status != PTIO_OK)
        return status;
    arguments[1] = ptio_reduce_int(r, use_storage(r, tensor));
    arguments[2] = ptio_reduce_ints(r, tensor->dims, tensor->ndim);
    arguments[3] = ptio_reduce_ints(r, tensor->dims + tensor->ndim, tensor->ndim);
    arguments[4] = ptio_reduce_tuple(r, parameters, count);
    arguments[5] = boolean(requires_grad);
    arguments[6] = no_hooks(r);
    ret->function = ptio_reduce_global(r, "torch._utils", "_rebuild_qtensor");
    ret->arguments = ptio_reduce_tuple(r, arguments, 7);
    return PTIO_OK;
}

/* _rebuild_sparse_tensor(layout, (indices, values, size, is_coalesced)), or (layout, (compressed, plain, values, size)). The values of
 * compressed ones require a gradient where the whole does: there they are asked for as a user would. */
static ptio_status sparse(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, call *ret, ptio_error *err)
{
    const ptio_value *data[4], *arguments[2];
    size_t count = 0;
    bool is_coo = tensor->layout == PTIO_SPARSE_COO, old = ptio_reduce_as_version_1(r);
    if (old && !is_coo && tensor->layout != PTIO_SPARSE_CSR)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.profile", PTIO_NO_OFFSET, "PyTorch 1.13 and older cannot save %s",
                         ptio_layout_name((ptio_layout)tensor->layout));
    for (; count < tensor->extra->part_count && count < 3; count++) {
        bool with_grad = requires_grad && tensor->layout != PTIO_SPARSE_COO && count == 2;
        ptio_status status = plain(r, tensor->extra->parts[count].tensor, with_grad, &data[count], err);
        if (status != PTIO_OK)
            return status;
    }
    const ptio_value *sizes = ptio_reduce_ints(r, tensor->dims, tensor->ndim);
    ptio_node_reduced *size = ptio_reduce_call(r, ptio_reduce_global(r, "torch", "Size"), ptio_reduce_tuple(r, &sizes, 1));
    data[count++] = size ? &size->head : NULL;
    if (is_coo && !ptio_reduce_before_2_1(r))
        data[count++] = boolean(tensor->flags & PTIO_TENSOR_COALESCED);
    arguments[0] = ptio_reduce_layout(r, ptio_text_of(ptio_layout_name((ptio_layout)tensor->layout)));
    arguments[1] = ptio_reduce_tuple(r, data, count);
    ret->function =
        ptio_reduce_global(r, "torch._utils", old && !is_coo ? "_rebuild_sparse_csr_tensor" : "_rebuild_sparse_tensor");
    ret->arguments = ptio_reduce_tuple(r, arguments, 2);
    return PTIO_OK;
}

/* _rebuild_nested_tensor(buffer, sizes, strides, offsets) */
static ptio_status nested(ptio_reducer *r, const ptio_tensor *tensor, call *ret, ptio_error *err)
{
    if (ptio_reduce_before_2_1(r))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.profile", PTIO_NO_OFFSET,
                         "PyTorch 2.0 and older cannot save nested tensors");
    static const char *const names[] = {"buffer", "sizes", "strides", "offsets"};
    const ptio_value *arguments[4];
    for (size_t i = 0; i < 4; i++) {
        const ptio_tensor *part = ptio_tensor_part_named(tensor, names[i]);
        if (!part)
            return PTIO_ERR_NOT_FOUND;
        ptio_status status = plain(r, part, false, &arguments[i], err);
        if (status != PTIO_OK)
            return status;
    }
    ret->function = ptio_reduce_global(r, "torch._utils", "_rebuild_nested_tensor");
    ret->arguments = ptio_reduce_tuple(r, arguments, 4);
    return PTIO_OK;
}

/* What rebuilds a tensor without its class and attributes. PTIO_ERR_NOT_FOUND: only the node it was loaded as says that. */
static ptio_status inner(ptio_reducer *r, const ptio_tensor *tensor, bool requires_grad, call *ret, ptio_error *err)
{
    switch (tensor->layout) {
    case PTIO_STRIDED: break;
    case PTIO_NESTED: return nested(r, tensor, ret, err);
    case PTIO_JAGGED: return PTIO_ERR_NOT_FOUND;
    default: return sparse(r, tensor, requires_grad, ret, err);
    }
    if (tensor->flags & PTIO_TENSOR_WRAPPER)
        return PTIO_ERR_NOT_FOUND;
    if (tensor->flags & PTIO_TENSOR_META)
        return meta(r, tensor, requires_grad, ret);
    if (tensor->extra && tensor->extra->quantizer.scheme != PTIO_NOT_QUANTIZED)
        return quantized(r, tensor, requires_grad, ret, err);
    return strided(r, tensor, requires_grad, ret, err);
}

static const ptio_value *attributes_of(const ptio_reducer *r, const ptio_value *object)
{
    return ptio_edited(r->edits, ptio_value_attributes(object));
}

/* The __dict__ of a tensor. There is one, which is met twice where the tensor is among its own attributes. */
static const ptio_value *dict_of(ptio_reducer *r, const ptio_value *object)
{
    const ptio_value *attributes = attributes_of(r, object);
    const ptio_value *dict = attributes ? ptio_reduce_attributes(r, attributes) : &ptio_none;
    uint64_t known;
    bool is_new;
    if (!dict || !ptio_pointer_map_add(&r->dicts, r->heap, object, (uint64_t)(uintptr_t)dict, &known, &is_new))
        return NULL;
    return (const ptio_value *)(uintptr_t)known;
}

/* The state that setattr() restores: a dict of attributes, None, or (dict or None, slots). */
static const ptio_value *state_of(ptio_reducer *r, const ptio_value *object)
{
    const ptio_value *slots = ptio_value_slots(object), *dict = dict_of(r, object);
    if (!slots)
        return dict;
    const ptio_value *pair[] = {dict, ptio_reduce_attributes(r, slots)};
    return ptio_reduce_tuple(r, pair, 2);
}

/* The subclass that a tensor was loaded as; NULL for plain tensors and Parameters. */
static const ptio_value *subclass_of(const ptio_value *object)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, object);
    const ptio_global *global = object->type == PTIO_NODE_TYPE_REDUCED ? ptio_value_global(node->callable) : NULL;
    const ptio_value *type = global && global->handler == PTIO_HANDLER_FROM_TYPE ? ptio_argument(node, 1) : NULL;
    const ptio_global *named = ptio_value_global(type);
    return named && ptio_text_is(named->full_name, "torch.Tensor") ? NULL : type;
}

/* Whether no other tensor is met on the way through what is written for it. */
static bool is_plain(const ptio_tensor *tensor)
{
    return tensor->layout == PTIO_STRIDED && !(tensor->flags & PTIO_TENSOR_WRAPPER) &&
           !(tensor->extra && tensor->extra->quantizer.scheme != PTIO_NOT_QUANTIZED);
}

static ptio_status reduce(ptio_reducer *r, const ptio_value *object, const ptio_value **ret, ptio_error *err)
{
    const ptio_tensor *tensor = ptio_meaning(object);
    bool requires_grad = tensor->flags & PTIO_TENSOR_REQUIRES_GRAD, is_parameter = tensor->flags & PTIO_TENSOR_PARAMETER;
    const ptio_value *attributes = attributes_of(r, object), *subclass = subclass_of(object);
    bool has_state = (attributes && ptio_value_count(attributes)) || ptio_value_slots(object);
    call c = {NULL, NULL};
    if (has_state && !subclass && ptio_reduce_as_version_1(r)) {
        has_state = false;
        ptio_report_add(r->report, PTIO_WARNING, "save.attributes", PTIO_TEXT(""), PTIO_NO_OFFSET,
                        "the attributes of a tensor are left out, as PyTorch 1.13 and older do");
    }
    r->is_fleeting = !subclass && !has_state && is_plain(tensor);
    if (r->is_fleeting)
        ptio_arena_rewind(&r->fleeting_nodes);
    ptio_status status = inner(r, tensor, requires_grad && !is_parameter, &c, err);
    if (status == PTIO_ERR_NOT_FOUND) {
        *ret = object;
        return PTIO_OK;
    }
    if (status != PTIO_OK)
        return status;
    if (is_parameter && !subclass) {
        const ptio_value *arguments[] = {call_node(r, c), boolean(requires_grad), no_hooks(r),
                                         has_state ? state_of(r, object) : &ptio_none};
        c.function = has_state ? ptio_reduce_global(r, "torch._utils", "_rebuild_parameter_with_state")
                               : ptio_reduce_known(r, PTIO_KNOWN_REBUILD_PARAMETER);
        c.arguments = ptio_reduce_tuple(r, arguments, has_state ? 4 : 3);
    } else if (subclass || has_state) {
        const ptio_value *type = subclass ? subclass : ptio_reduce_global(r, "torch", "Tensor");
        const ptio_value *arguments[] = {c.function, type, c.arguments, has_state ? state_of(r, object) : &ptio_none};
        c.function = ptio_reduce_global(r, "torch._tensor", "_rebuild_from_type_v2");
        c.arguments = ptio_reduce_tuple(r, arguments, 4);
    }
    *ret = call_node(r, c);
    return *ret ? PTIO_OK : ptio_reduce_no_memory(r, err);
}

ptio_status ptio_reduce_tensor(ptio_reducer *r, const ptio_value *object, const ptio_value **ret, ptio_error *err)
{
    ptio_status status = reduce(r, object, ret, err);
    r->is_fleeting = false;
    return status;
}

/* A tensor that is nothing but strides over a storage of a class of its own. */
static bool is_run_of_strides(const ptio_reducer *r, const ptio_value *object, const ptio_tensor *tensor)
{
    const unsigned more = PTIO_TENSOR_PARAMETER | PTIO_TENSOR_META | PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG;
    if (!is_plain(tensor) || tensor->flags & more || !ptio_dtype_rows[tensor->dtype].storage_class[0] || subclass_of(object))
        return false;
    const ptio_value *attributes = attributes_of(r, object);
    return !(attributes && ptio_value_count(attributes)) && !ptio_value_slots(object);
}

ptio_status ptio_reduce_tensor_run(void *ctx, const ptio_value *object, ptio_tensor_run *ret, bool *is_run, ptio_error *err)
{
    ptio_reducer *r = ctx;
    const ptio_tensor *tensor = ptio_meaning(object);
    storage_id id;
    if (r->is_legacy || !is_run_of_strides(r, object, tensor))
        return PTIO_OK;
    ptio_status status = identify_storage(r, tensor->storage, (ptio_dtype)tensor->dtype, false, &id, err);
    if (status != PTIO_OK)
        return status;
    *ret = (ptio_tensor_run){.function = ptio_reduce_known(r, PTIO_KNOWN_REBUILD_TENSOR_V2),
                             .word = r->storage_word,
                             .class_ = id.class_,
                             .key = id.key,
                             .location = id.location,
                             .numel = (int64_t)id.numel,
                             .storage_offset = use_named(&r->storages[id.place], tensor),
                             .ndim = tensor->ndim,
                             .dims = tensor->dims,
                             .requires_grad = tensor->flags & PTIO_TENSOR_REQUIRES_GRAD,
                             .hooks_class = ptio_reduce_known(r, PTIO_KNOWN_ORDERED_DICT)};
    *is_run = ret->function && ret->hooks_class;
    return *is_run ? PTIO_OK : ptio_reduce_no_memory(r, err);
}
