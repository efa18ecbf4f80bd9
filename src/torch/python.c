/*
 * Values of Python that pickles hold as calls: sets, complex numbers, bytes below protocol 3, OrderedDict and its kin.
 */
#include "torch/handlers.h"

static ptio_status bad(ptio_loader *loader, const ptio_node_reduced *node, const ptio_global *global, ptio_error *err,
                       const char *expected)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "reduce.arguments", err,
                          "%s was called with other arguments than %s", ptio_quote(global->full_name).text, expected);
}

/* What the keys of a node are refused for is told with the place of the node, where it has none of its own. */
static ptio_status of_node(ptio_loader *loader, const ptio_node_reduced *node, ptio_status status, ptio_error *err)
{
    if (err && err->offset == PTIO_NO_OFFSET && status != PTIO_ERR_MEMORY)
        err->offset = node->head.count;
    return ptio_error_in_record(err, status, loader->part->record);
}

/* set([...]) and frozenset([...]): the list in the arguments holds the members. */
static ptio_status handle_set(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    ptio_kind kind = global->handler == PTIO_HANDLER_SET ? PTIO_KIND_SET : PTIO_KIND_FROZENSET;
    const ptio_value *members = ptio_argument(node, 0);
    const ptio_node_list *distinct;
    size_t count;
    if (!members && ptio_argument_count(node) == 0)
        members = &ptio_empty_tuple.head;
    const ptio_value *const *items = ptio_value_items(members, &count);
    if (ptio_argument_count(node) > 1 || !items)
        return bad(loader, node, global, err, "a list of members");
    ptio_status status = ptio_graph_distinct_items(&loader->part->graph, items, count, &loader->ckpt->heap, &distinct, err);
    if (status != PTIO_OK)
        return of_node(loader, node, status, err);
    return ptio_means(node, kind, distinct ? &distinct->head : ptio_items_node(members));
}

static ptio_status handle_complex(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    double part;
    for (size_t i = 0; i < ptio_argument_count(node); i++) {
        if (!ptio_value_float(ptio_argument(node, i), &part))
            return bad(loader, node, global, err, "two numbers");
    }
    if (ptio_argument_count(node) < 1 || ptio_argument_count(node) > 2)
        return bad(loader, node, global, err, "two numbers");
    return ptio_means(node, PTIO_KIND_COMPLEX, NULL);
}

/* _codecs.encode(text, "latin1"): bytes as text in which each code point is a byte. */
static bool encode_latin1(ptio_arena *arena, ptio_text text, ptio_text *ret)
{
    size_t plain = 0;
    while (plain < text.size && (unsigned char)text.bytes[plain] < 0x80)
        plain++;
    *ret = text;
    if (plain == text.size)
        return true; /* the same bytes */
    char *out = ptio_arena_alloc(arena, text.size);
    *ret = (ptio_text){out, 0};
    if (!out)
        return false;
    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        i += ptio_utf8_decode(text.bytes + i, text.size - i, &code);
        if (code > 0xFF) {
            ret->size = SIZE_MAX;
            return false;
        }
        out[ret->size++] = (char)code;
    }
    return true;
}

static bool is_latin1(const ptio_value *encoding)
{
    return ptio_node_is_str(encoding, "latin1") || ptio_node_is_str(encoding, "latin-1") ||
           ptio_node_is_str(encoding, "iso-8859-1");
}

/* The bytes that bytes(...), bytearray(...) and _codecs.encode(...) are made of; false where the arguments are others. */
static bool bytes_of_call(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_text *ret)
{
    size_t count = ptio_argument_count(node);
    const ptio_value *first = ptio_argument(node, 0), *encoding = ptio_argument(node, 1);
    *ret = PTIO_TEXT("");
    if (count == 0)
        return global->handler != PTIO_HANDLER_ENCODE;
    if (count == 1 && global->handler != PTIO_HANDLER_ENCODE)
        return ptio_value_as_bytes(first, ret);
    return count == 2 && (first->type == PTIO_NODE_TYPE_STR || first->type == PTIO_NODE_TYPE_PY2STR) && is_latin1(encoding) &&
           encode_latin1(&loader->ckpt->arena, ptio_node_str_of(first), ret);
}

static ptio_status handle_bytes(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    ptio_text *bytes = PTIO_NEW(&loader->ckpt->arena, ptio_text, 1);
    if (!bytes)
        return ptio_heap_fail(&loader->ckpt->heap, err, "bytes");
    if (!bytes_of_call(loader, node, global, bytes)) {
        if (!bytes->bytes)
            return ptio_heap_fail(&loader->ckpt->heap, err, "bytes");
        return global->handler == PTIO_HANDLER_ENCODE ? bad(loader, node, global, err, "text of bytes and 'latin1'")
                                                      : ptio_handle_object(loader, node, NULL, err);
    }
    return ptio_means(node, global->handler == PTIO_HANDLER_BYTEARRAY ? PTIO_KIND_BYTEARRAY : PTIO_KIND_BYTES, bytes);
}

/* Python 2's OrderedDict is a call with a list of [key, value] pairs: made a dict of its own. */
static ptio_status entries_of_pairs(ptio_loader *loader, const ptio_value *pairs, const ptio_node_dict **ret, ptio_error *err)
{
    size_t count, two;
    const ptio_value *const *items = ptio_value_items(pairs, &count);
    ptio_arena *arena = &loader->ckpt->arena;
    ptio_node_dict *dict = ptio_node_new_dict(arena);
    if (!dict)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an OrderedDict");
    for (size_t i = 0; i < count; i++) {
        const ptio_value *const *pair = ptio_value_items(items[i], &two);
        if (!pair || two != 2)
            return PTIO_ERR_FORMAT;
        if (!ptio_block_append(arena, &dict->block, 2 * (size_t)dict->head.count, pair, 2))
            return ptio_heap_fail(&loader->ckpt->heap, err, "an OrderedDict");
        dict->head.count++;
    }
    ptio_graph one = loader->part->graph;
    one.dicts = &dict;
    one.dict_count = 1;
    one.set_count = 0;
    *ret = dict;
    ptio_status status = ptio_graph_index_keys(&one, &loader->ckpt->heap, err);
    return status ? status : ptio_graph_settle_keys(&one, &loader->ckpt->heap, err);
}

static ptio_status handle_dict(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    const ptio_node_dict *entries = node->more && node->more->entries.head.count ? &node->more->entries : &ptio_empty_dict;
    if (node->arguments == &ptio_empty_tuple.head) /* nearly all: a tensor's hooks, a state dict */
        return ptio_means(node, PTIO_KIND_DICT, entries);
    const ptio_value *first = ptio_argument(node, 0);
    size_t count = ptio_argument_count(node), items;
    if (global->handler == PTIO_HANDLER_DEFAULTDICT) {
        /* The first argument is the factory; a second one would be the contents. */
        if (count == 2 && entries == &ptio_empty_dict)
            entries = ptio_value_entries(ptio_argument(node, 1));
        if (!entries || count > 2)
            return bad(loader, node, global, err, "a factory");
        return ptio_means(node, PTIO_KIND_DICT, entries);
    }
    if (count > 1)
        return bad(loader, node, global, err, "a dict");
    if (first) {
        ptio_status status = PTIO_OK;
        const ptio_node_dict *own = ptio_value_entries(first);
        if (!own)
            status = ptio_value_items(first, &items) ? entries_of_pairs(loader, first, &own, err) : PTIO_ERR_FORMAT;
        if (status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK))
            return bad(loader, node, global, err, "a dict or a list of pairs");
        if (status != PTIO_OK)
            return of_node(loader, node, status, err);
        if (own->head.count && entries != &ptio_empty_dict)
            return bad(loader, node, global, err, "a dict, when it has entries of its own");
        if (own->head.count)
            entries = own;
    }
    return ptio_means(node, PTIO_KIND_DICT, entries);
}

ptio_status ptio_handle_python(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    switch (global->handler) {
    case PTIO_HANDLER_SET:
    case PTIO_HANDLER_FROZENSET: return handle_set(loader, node, global, err);
    case PTIO_HANDLER_COMPLEX: return handle_complex(loader, node, global, err);
    case PTIO_HANDLER_BYTES:
    case PTIO_HANDLER_BYTEARRAY:
    case PTIO_HANDLER_ENCODE: return handle_bytes(loader, node, global, err);
    default: return handle_dict(loader, node, global, err);
    }
}
