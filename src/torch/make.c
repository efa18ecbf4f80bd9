/*
 * Making values. Each is one or a few nodes in the arena of the checkpoint, already interpreted.
 */
#include "torch/make.h"

static ptio_status no_memory(const ptio_loader *loader, ptio_error *err)
{
    return ptio_heap_fail(&loader->ckpt->heap, err, "a value");
}

/* ---- words, globals, calls ---- */

static const ptio_value *text_node(ptio_loader *loader, ptio_text text)
{
    ptio_text kept = ptio_arena_text(&loader->ckpt->arena, text);
    return kept.bytes && kept.size <= UINT32_MAX
               ? ptio_node_new_text(&loader->ckpt->arena, PTIO_NODE_TYPE_STR, kept.bytes, kept.size)
               : NULL;
}

static ptio_kind kind_of_global(const ptio_global *global)
{
    return global->handler == PTIO_HANDLER_DTYPE ? PTIO_KIND_DTYPE : PTIO_KIND_GLOBAL;
}

const ptio_value *ptio_make_global(ptio_loader *loader, ptio_text module, ptio_text name)
{
    ptio_arena *arena = &loader->ckpt->arena;
    ptio_node_global *node = PTIO_NEW(arena, ptio_node_global, 1);
    ptio_global *global = PTIO_NEW(arena, ptio_global, 1);
    const ptio_value *texts[] = {text_node(loader, module), text_node(loader, name)};
    /* What it means points to the texts, so to those of the node and not to the caller's. */
    if (!node || !global || !texts[0] || !texts[1] ||
        !ptio_global_resolve(arena, ptio_node_text_of(texts[0]), ptio_node_text_of(texts[1]), false, global))
        return NULL;
    *node = (ptio_node_global){.head = {.type = PTIO_NODE_TYPE_GLOBAL, .seen = (uint8_t)kind_of_global(global)},
                               .module = texts[0],
                               .name = texts[1],
                               .meaning = global};
    return &node->head;
}

/* The global in `slot`, made when it is first asked for. */
static const ptio_value *shared_global(ptio_maker *maker, const ptio_value **slot, const char *module, const char *name)
{
    if (!*slot)
        *slot = ptio_make_global(maker->loader, ptio_text_of(module), ptio_text_of(name));
    return *slot;
}

ptio_status ptio_make_str(ptio_loader *loader, ptio_text text, const ptio_value **ret, ptio_error *err)
{
    *ret = text_node(loader, text);
    return *ret ? PTIO_OK : no_memory(loader, err);
}

/* callable(*arguments), seen as `kind`. Any of the two may be NULL where there was no memory for it. */
static ptio_node_reduced *call(ptio_loader *loader, const ptio_value *callable, const ptio_value *arguments, ptio_kind kind,
                               const void *meaning)
{
    ptio_node_reduced *node = callable && arguments ? PTIO_NEW(&loader->ckpt->arena, ptio_node_reduced, 1) : NULL;
    if (!node)
        return NULL;
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_REDUCED, .seen = (uint8_t)kind, .opcode = 'R'};
    node->callable = callable;
    node->arguments = arguments;
    node->meaning = meaning;
    return node;
}

/* ---- dicts ---- */

ptio_status ptio_make_dict(ptio_loader *loader, ptio_node_dict **dict, ptio_error *err)
{
    *dict = ptio_node_new_dict(&loader->ckpt->arena);
    if (!*dict)
        return no_memory(loader, err);
    (*dict)->head.seen = PTIO_KIND_DICT;
    return PTIO_OK;
}

static ptio_node_reduced *ordered_dict(ptio_maker *maker)
{
    const ptio_value *type = shared_global(maker, &maker->ordered_dict, "collections", "OrderedDict");
    return call(maker->loader, type, &ptio_empty_tuple.head, PTIO_KIND_DICT, &ptio_empty_dict);
}

ptio_status ptio_make_ordered_dict(ptio_maker *maker, ptio_node_dict **dict, const ptio_value **ret, ptio_error *err)
{
    ptio_node_reduced *node = ordered_dict(maker);
    ptio_more *more = node ? PTIO_NEW(&maker->loader->ckpt->arena, ptio_more, 1) : NULL;
    if (!more)
        return no_memory(maker->loader, err);
    more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
    more->items.head = more->states.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    node->more = more;
    node->meaning = &more->entries;
    *dict = &more->entries;
    *ret = &node->head;
    return PTIO_OK;
}

ptio_status ptio_make_entry(ptio_loader *loader, ptio_node_dict *dict, const ptio_value *key, const ptio_value *value,
                            ptio_error *err)
{
    const ptio_value *pair[2] = {key, value};
    if (dict->head.count >= INT32_MAX ||
        !ptio_block_append(&loader->ckpt->arena, &dict->block, 2 * (size_t)dict->head.count, pair, 2))
        return no_memory(loader, err);
    dict->head.count++;
    return PTIO_OK;
}

ptio_status ptio_make_index(ptio_loader *loader, ptio_node_dict *dict, ptio_error *err)
{
    if (!dict->head.count)
        return PTIO_OK;
    /* A graph of this dict alone. Its size is what the work of comparing keys is measured by: no key here is longer than a line. */
    ptio_graph graph = {.arena = &loader->ckpt->arena, .hash_key = ptio_os_random(), .dicts = &dict, .dict_count = 1};
    graph.size = (size_t)dict->head.count * 1024;
    return ptio_graph_index_keys(&graph, &loader->ckpt->heap, err);
}

/* ---- storages and tensors ---- */

ptio_status ptio_make_storage(ptio_loader *loader, ptio_dtype dtype, uint64_t nbytes, ptio_text key, ptio_storage **ret,
                              ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_storage *storage = ptio_storage_new(ckpt->pool, &ckpt->arena);
    if (!storage)
        return no_memory(loader, err);
    storage->key = key.bytes;
    storage->key_size = (uint32_t)key.size;
    storage->nbytes = nbytes;
    storage->dtype = (uint8_t)dtype;
    storage->swap = ptio_dtype_rows[dtype].swap;
    if (loader->swap && storage->swap > 1)
        atomic_store_explicit(&storage->flags, PTIO_STORAGE_SWAP, memory_order_relaxed);
    *ret = storage;
    return ptio_storage_pool_location(ckpt->pool, PTIO_TEXT("cpu"), &storage->location, err);
}

static const ptio_value *int_node(ptio_loader *loader, int64_t number)
{
    return number >= 0 && number < 256 ? &ptio_small_ints[number].head : ptio_node_new_int(&loader->ckpt->arena, number);
}

static const ptio_value *ints_node(ptio_loader *loader, const int64_t *numbers, size_t count)
{
    if (!count)
        return &ptio_empty_tuple.head;
    ptio_node_tuple *tuple = ptio_node_new_tuple(&loader->ckpt->arena, count);
    for (size_t i = 0; tuple && i < count; i++) {
        tuple->items[i] = int_node(loader, numbers[i]);
        if (!tuple->items[i])
            return NULL;
    }
    return tuple ? &tuple->head : NULL;
}

/* A tuple of nodes; NULL where one of them is. */
static const ptio_value *tuple_node(ptio_loader *loader, const ptio_value *const *items, size_t count)
{
    ptio_node_tuple *tuple = ptio_node_new_tuple(&loader->ckpt->arena, count);
    for (size_t i = 0; tuple && i < count; i++) {
        if (!items[i])
            return NULL;
        tuple->items[i] = items[i];
    }
    return tuple ? &tuple->head : NULL;
}

/* The class of a typed storage, or the dtype where it has no such class. */
static const ptio_value *dtype_node(ptio_maker *maker, ptio_dtype dtype)
{
    const ptio_dtype_row *row = &ptio_dtype_rows[dtype];
    return shared_global(maker, &maker->dtypes[dtype], "torch", row->storage_class[0] ? row->storage_class : row->name);
}

/* ('storage', class, key, location, numel) */
const ptio_value *ptio_make_storage_id(ptio_maker *maker, const ptio_storage *storage)
{
    ptio_loader *loader = maker->loader;
    ptio_dtype dtype = (ptio_dtype)storage->dtype;
    bool typed = ptio_dtype_rows[dtype].storage_class[0] != '\0';
    uint64_t numel = typed ? storage->nbytes / ptio_dtype_rows[dtype].itemsize : storage->nbytes;
    if (!maker->word)
        maker->word = text_node(loader, PTIO_TEXT("storage"));
    const ptio_value *items[] = {
        maker->word, typed ? dtype_node(maker, dtype) : shared_global(maker, &maker->untyped, "torch.storage", "UntypedStorage"),
        text_node(loader, ptio_storage_key(storage)), text_node(loader, ptio_storage_location(storage)),
        int_node(loader, (int64_t)numel)};
    ptio_node_persistent *node = PTIO_NEW(&loader->ckpt->arena, ptio_node_persistent, 1);
    if (!node)
        return NULL;
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_PERSISTENT, .seen = PTIO_KIND_STORAGE};
    node->id = tuple_node(loader, items, sizeof items / sizeof *items);
    node->meaning = storage;
    return node->id ? &node->head : NULL;
}

static const ptio_value *no_hooks(ptio_maker *maker)
{
    ptio_node_reduced *hooks = ordered_dict(maker);
    return hooks ? &hooks->head : NULL;
}

/* _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad) */
static const ptio_value *meta_node(ptio_maker *maker, const ptio_tensor *tensor, bool requires_grad)
{
    ptio_loader *loader = maker->loader;
    const ptio_value *arguments[] = {
        ptio_make_global(loader, PTIO_TEXT("torch"), ptio_text_of(ptio_dtype_rows[tensor->dtype].name)),
        ints_node(loader, tensor->dims, tensor->ndim), ints_node(loader, tensor->dims + tensor->ndim, tensor->ndim),
        requires_grad ? &ptio_true : &ptio_false};
    const ptio_value *function = shared_global(maker, &maker->rebuild_meta, "torch._utils", "_rebuild_meta_tensor_no_storage");
    ptio_node_reduced *node = call(loader, function, tuple_node(loader, arguments, 4), PTIO_KIND_TENSOR, tensor);
    return node ? &node->head : NULL;
}

static const ptio_value *rebuild_node(ptio_maker *maker, const ptio_tensor *tensor, bool requires_grad)
{
    if (!tensor->storage)
        return meta_node(maker, tensor, requires_grad);
    ptio_dtype dtype = (ptio_dtype)tensor->dtype;
    bool typed = tensor->storage->dtype == tensor->dtype && ptio_dtype_rows[dtype].storage_class[0];
    const ptio_value *arguments[7] = {ptio_make_storage_id(maker, tensor->storage),
                                      int_node(maker->loader, tensor->storage_offset),
                                      ints_node(maker->loader, tensor->dims, tensor->ndim),
                                      ints_node(maker->loader, tensor->dims + tensor->ndim, tensor->ndim),
                                      requires_grad ? &ptio_true : &ptio_false,
                                      no_hooks(maker),
                                      NULL};
    const ptio_value *function;
    if (typed) {
        function = shared_global(maker, &maker->rebuild_v2, "torch._utils", "_rebuild_tensor_v2");
    } else {
        function = shared_global(maker, &maker->rebuild_v3, "torch._utils", "_rebuild_tensor_v3");
        arguments[6] = ptio_make_global(maker->loader, PTIO_TEXT("torch"), ptio_text_of(ptio_dtype_rows[dtype].name));
    }
    ptio_node_reduced *node =
        call(maker->loader, function, tuple_node(maker->loader, arguments, typed ? 6 : 7), PTIO_KIND_TENSOR, tensor);
    return node ? &node->head : NULL;
}

/* A Parameter: _rebuild_parameter(data, requires_grad, hooks) around the plain tensor. */
static const ptio_value *parameter_node(ptio_maker *maker, const ptio_tensor *tensor)
{
    const ptio_tensor *plain =
        ptio_tensor_with_flags(&maker->loader->ckpt->arena, tensor, 0, PTIO_TENSOR_PARAMETER | PTIO_TENSOR_REQUIRES_GRAD);
    if (!plain)
        return NULL;
    const ptio_value *arguments[] = {rebuild_node(maker, plain, false),
                                     tensor->flags & PTIO_TENSOR_REQUIRES_GRAD ? &ptio_true : &ptio_false, no_hooks(maker)};
    const ptio_value *function = shared_global(maker, &maker->parameter, "torch._utils", "_rebuild_parameter");
    ptio_node_reduced *node = call(maker->loader, function, tuple_node(maker->loader, arguments, 3), PTIO_KIND_TENSOR, tensor);
    return node ? &node->head : NULL;
}

ptio_status ptio_make_tensor(ptio_maker *maker, const ptio_tensor_spec *spec, const ptio_value **ret, ptio_error *err)
{
    const ptio_tensor *tensor;
    ptio_tensor_spec meta = *spec;
    if (spec->storage && ptio_storage_is_meta(spec->storage)) {
        meta.storage = NULL;
        meta.flags |= PTIO_TENSOR_META;
    }
    ptio_status status = ptio_tensor_new(&maker->loader->ckpt->arena, &meta, &tensor, err);
    if (status != PTIO_OK)
        return status;
    *ret = spec->flags & PTIO_TENSOR_PARAMETER ? parameter_node(maker, tensor)
                                               : rebuild_node(maker, tensor, spec->flags & PTIO_TENSOR_REQUIRES_GRAD);
    return *ret ? PTIO_OK : no_memory(maker->loader, err);
}

ptio_status ptio_make_array(ptio_maker *maker, const ptio_ndarray *array, const ptio_value **ret, ptio_error *err)
{
    const ptio_value *type = shared_global(maker, &maker->array, "numpy", "ndarray");
    ptio_node_reduced *node = call(maker->loader, type, &ptio_empty_tuple.head, PTIO_KIND_NDARRAY, array);
    if (!node)
        return no_memory(maker->loader, err);
    *ret = &node->head;
    return PTIO_OK;
}

/* ---- bytes of a source ---- */

static ptio_status range_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    (void)watch;
    /* A source takes positional reads from any thread. */
    return ptio_source_read((ptio_source *)(uintptr_t)storage->origin_data, storage->origin_index, buffer,
                            (size_t)storage->nbytes, err);
}

static const void *range_view(const ptio_storage *storage, ptio_error *err)
{
    (void)err;
    return ptio_source_view(storage->origin_data, storage->origin_index, storage->nbytes);
}

static const ptio_source *range_source(const ptio_storage *storage)
{
    return storage->origin_data;
}

static bool range_place(const ptio_storage *storage, uint64_t *offset)
{
    *offset = storage->origin_index;
    return true;
}

const ptio_storage_origin ptio_storage_of_range = {range_read, range_view, NULL, range_source, range_place};
