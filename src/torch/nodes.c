/*
 * Getters of nodes (the end of section 5 of ptio.h): how a value stands in the pickle, below what it is seen as.
 */
#include "torch/handlers.h"

static const ptio_text no_text = {NULL, 0};

ptio_node_kind ptio_node_view(const ptio_value *value)
{
    switch (value ? value->type : PTIO_NODE_TYPE_NONE) {
    case PTIO_NODE_TYPE_BOOL:
    case PTIO_NODE_TYPE_INT:
    case PTIO_NODE_TYPE_FLOAT: return PTIO_NODE_SCALAR;
    case PTIO_NODE_TYPE_STR:
    case PTIO_NODE_TYPE_BYTES:
    case PTIO_NODE_TYPE_BYTEARRAY:
    case PTIO_NODE_TYPE_PY2STR: return PTIO_NODE_TEXT;
    case PTIO_NODE_TYPE_TUPLE:
    case PTIO_NODE_TYPE_LIST:
    case PTIO_NODE_TYPE_SET:
    case PTIO_NODE_TYPE_FROZENSET: return PTIO_NODE_SEQUENCE;
    case PTIO_NODE_TYPE_DICT: return PTIO_NODE_MAPPING;
    case PTIO_NODE_TYPE_GLOBAL: return PTIO_NODE_GLOBAL;
    case PTIO_NODE_TYPE_PERSISTENT: return PTIO_NODE_PERSISTENT;
    case PTIO_NODE_TYPE_REDUCED: return PTIO_NODE_REDUCED;
    default: return PTIO_NODE_NONE;
    }
}

static const ptio_node_reduced *reduced_of(const ptio_value *value)
{
    return value && value->type == PTIO_NODE_TYPE_REDUCED ? PTIO_NODE(reduced, value) : NULL;
}

const char *ptio_node_opcode(const ptio_value *value)
{
    if (!value || (value->type != PTIO_NODE_TYPE_REDUCED && value->type != PTIO_NODE_TYPE_PERSISTENT))
        return NULL;
    if (value->type == PTIO_NODE_TYPE_PERSISTENT)
        return value->flags & PTIO_NODE_TEXT_ID ? "PERSID" : "BINPERSID";
    return ptio_opcode_name(value->opcode);
}

const ptio_value *ptio_node_callable(const ptio_value *value)
{
    const ptio_node_reduced *node = reduced_of(value);
    return node ? node->callable : NULL;
}

const ptio_value *ptio_node_arguments(const ptio_value *value)
{
    const ptio_node_reduced *node = reduced_of(value);
    if (node)
        return node->arguments;
    return value && value->type == PTIO_NODE_TYPE_PERSISTENT ? PTIO_NODE(persistent, value)->id : NULL;
}

const ptio_value *ptio_node_keywords(const ptio_value *value)
{
    const ptio_node_reduced *node = reduced_of(value);
    return node && node->more ? node->more->keywords : NULL;
}

size_t ptio_node_state_count(const ptio_value *value)
{
    const ptio_node_reduced *node = reduced_of(value);
    return node && node->more ? node->more->states.head.count : 0;
}

const ptio_value *ptio_node_state(const ptio_value *value, size_t index)
{
    const ptio_node_reduced *node = reduced_of(value);
    return node ? ptio_state(node, index) : NULL;
}

/* The node whose items or entries those of a value are: itself, or what hangs on it. */
static const ptio_value *holder(const ptio_value *value, bool entries)
{
    const ptio_node_reduced *node = reduced_of(value);
    if (!node)
        return value;
    if (!node->more)
        return NULL;
    return entries ? &node->more->entries.head : &node->more->items.head;
}

size_t ptio_node_item_count(const ptio_value *value)
{
    const ptio_value *items = holder(value, false);
    return ptio_node_view(items) == PTIO_NODE_SEQUENCE ? items->count : 0;
}

const ptio_value *ptio_node_item(const ptio_value *value, size_t index)
{
    if (index >= ptio_node_item_count(value))
        return NULL;
    const ptio_value *items = holder(value, false);
    return items->type == PTIO_NODE_TYPE_TUPLE ? ptio_tuple_item(items, index) : PTIO_NODE(list, items)->block->items[index];
}

size_t ptio_node_entry_count(const ptio_value *value)
{
    const ptio_value *entries = holder(value, true);
    return ptio_node_view(entries) == PTIO_NODE_MAPPING ? entries->count : 0;
}

const ptio_value *ptio_node_entry_key(const ptio_value *value, size_t index)
{
    return index < ptio_node_entry_count(value) ? PTIO_NODE(dict, holder(value, true))->block->items[2 * index] : NULL;
}

const ptio_value *ptio_node_entry_value(const ptio_value *value, size_t index)
{
    return index < ptio_node_entry_count(value) ? PTIO_NODE(dict, holder(value, true))->block->items[2 * index + 1] : NULL;
}

const ptio_value *const *ptio_node_item_array(const ptio_value *value, size_t *count)
{
    static const ptio_value *const none[1] = {NULL};
    const ptio_value *items = holder(value, false);
    *count = ptio_node_item_count(items);
    if (!*count)
        return none;
    return items->type == PTIO_NODE_TYPE_TUPLE ? PTIO_NODE(tuple, items)->items : PTIO_NODE(list, items)->block->items;
}

const ptio_value *const *ptio_node_entry_array(const ptio_value *value, size_t *count)
{
    static const ptio_value *const none[1] = {NULL};
    const ptio_value *entries = holder(value, true);
    *count = ptio_node_entry_count(entries);
    return *count ? PTIO_NODE(dict, entries)->block->items : none;
}

bool ptio_node_is_single(const ptio_value *value)
{
    return value && value->flags & PTIO_NODE_ONCE;
}

ptio_text ptio_node_module(const ptio_value *value)
{
    return value && value->type == PTIO_NODE_TYPE_GLOBAL ? ptio_node_text_of(PTIO_NODE(global, value)->module) : no_text;
}

ptio_text ptio_node_qualname(const ptio_value *value)
{
    return value && value->type == PTIO_NODE_TYPE_GLOBAL ? ptio_node_text_of(PTIO_NODE(global, value)->name) : no_text;
}
