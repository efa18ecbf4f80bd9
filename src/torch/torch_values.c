/*
 * Values of torch that are no tensors: sizes, devices, layouts, generators, storages of plain pickles; lists of TorchScript.
 */
#include "torch/handlers.h"

#include <inttypes.h>
#include <stdio.h>

static ptio_status bad(ptio_loader *loader, const ptio_node_reduced *node, const ptio_global *global, ptio_error *err,
                       const char *what)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "reduce.arguments", err, "%s: %s",
                          ptio_quote(global->full_name).text, what);
}

static ptio_status named(ptio_loader *loader, ptio_node_reduced *node, ptio_kind kind, ptio_text name, ptio_error *err)
{
    ptio_text *text = PTIO_NEW(&loader->ckpt->arena, ptio_text, 1);
    if (!text)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a name");
    *text = ptio_arena_text(&loader->ckpt->arena, name);
    if (!text->bytes)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a name");
    return ptio_means(node, kind, text);
}

/* torch.Size((2, 3)) */
static ptio_status handle_size(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *sizes = ptio_argument(node, 0);
    size_t count, given = ptio_argument_count(node);
    const ptio_value *const *items =
        given ? ptio_value_items(sizes, &count) : ptio_value_items(sizes = &ptio_empty_tuple.head, &count);
    if (!items || given > 1)
        return bad(loader, node, global, err, "the argument is no tuple");
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        if (items[i]->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(items[i], &number))
            return bad(loader, node, global, err, "a size is no int of 64 bits");
    }
    return ptio_means(node, PTIO_KIND_SIZE, ptio_items_node(sizes));
}

/* torch.device("cuda", 1) or torch.device("cpu") */
static ptio_status handle_device(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *type = ptio_argument(node, 0), *index = ptio_argument(node, 1);
    int64_t number;
    char text[96];
    if (!type || (type->type != PTIO_NODE_TYPE_STR && type->type != PTIO_NODE_TYPE_PY2STR) || type->count > 64 ||
        ptio_argument_count(node) > 2 || (index && index->type != PTIO_NODE_TYPE_NONE && !ptio_node_int64(index, &number)))
        return bad(loader, node, global, err, "the arguments are not a type and an index");
    int size = snprintf(text, sizeof text, "%.*s", (int)type->count, ptio_node_text_of(type).bytes);
    if (index && index->type != PTIO_NODE_TYPE_NONE)
        size += snprintf(text + size, sizeof text - (size_t)size, ":%" PRId64, number);
    return named(loader, node, PTIO_KIND_DEVICE, (ptio_text){text, (size_t)size}, err);
}

/* torch.serialization._get_layout("torch.sparse_coo") */
static ptio_status handle_layout(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *name = ptio_argument(node, 0);
    if (ptio_argument_count(node) != 1 || (name->type != PTIO_NODE_TYPE_STR && name->type != PTIO_NODE_TYPE_PY2STR) ||
        !ptio_text_starts(ptio_node_text_of(name), "torch."))
        return bad(loader, node, global, err, "the argument is no name of a layout");
    return named(loader, node, PTIO_KIND_LAYOUT, ptio_node_text_of(name), err);
}

/* torch._C.Generator(device) with state (seed, offset, state) */
static ptio_status handle_generator(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *state = ptio_state(node, 0);
    if (!state || state->type != PTIO_NODE_TYPE_TUPLE || state->count != 3 ||
        ptio_tuple_item(state, 0)->type != PTIO_NODE_TYPE_INT)
        return ptio_handle_object(loader, node, NULL, err);
    ptio_status status = ptio_interpret_node(loader, ptio_tuple_item(state, 2), err);
    if (status == PTIO_OK && ptio_tuple_item(state, 2)->seen != PTIO_KIND_TENSOR)
        return bad(loader, node, global, err, "the state holds no tensor");
    return status == PTIO_OK ? ptio_means(node, PTIO_KIND_GENERATOR, state) : status;
}

/* torch.storage._load_from_bytes(bytes): how a plain pickle.dump holds a storage. The bytes are a legacy stream of their own. */
static ptio_status handle_load_from_bytes(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global,
                                          ptio_error *err)
{
    ptio_text bytes;
    if (ptio_argument_count(node) != 1 || !ptio_value_as_bytes(ptio_argument(node, 0), &bytes))
        return bad(loader, node, global, err, "the argument is no bytes");
    const ptio_value *root;
    ptio_status status = ptio_load_embedded(loader, bytes, &root, err);
    if (status != PTIO_OK) {
        /* Where it is in those bytes says nothing of the file: tell where they are. */
        if (err) {
            err->offset = node->head.count;
            err->record[0] = '\0';
        }
        return ptio_error_in_record(err, status, loader->part->record);
    }
    if (root->seen != PTIO_KIND_STORAGE)
        return bad(loader, node, global, err, "the bytes hold another object than a storage");
    return ptio_means(node, PTIO_KIND_STORAGE, ptio_meaning(root));
}

/* torch.jit._pickle.build_intlist([...]) and restore_type_tag(value, "List[int]"): the list, the value. */
static ptio_status handle_script_list(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_value *list = ptio_argument(node, 0);
    if (!list || (list->type != PTIO_NODE_TYPE_LIST && list->type != PTIO_NODE_TYPE_DICT))
        return global->handler == PTIO_HANDLER_JIT_TAGGED ? ptio_handle_object(loader, node, NULL, err)
                                                          : bad(loader, node, global, err, "the argument is no list");
    return ptio_means(node, (ptio_kind)list->seen, list);
}

ptio_status ptio_handle_torch_value(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    switch (global->handler) {
    case PTIO_HANDLER_SIZE: return handle_size(loader, node, global, err);
    case PTIO_HANDLER_DEVICE: return handle_device(loader, node, global, err);
    case PTIO_HANDLER_LAYOUT: return handle_layout(loader, node, global, err);
    case PTIO_HANDLER_GENERATOR: return handle_generator(loader, node, global, err);
    case PTIO_HANDLER_LOAD_FROM_BYTES: return handle_load_from_bytes(loader, node, global, err);
    default: return handle_script_list(loader, node, global, err);
    }
}
