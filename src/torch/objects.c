/*
 * Objects of classes that are not known: each keeps its class, its items where it is a list or tuple of its own class, and is seen
 * as a dict where entries were set on it. Helpers that read Python values out of nodes are here too.
 */
#include "torch/handlers.h"

const ptio_node_dict ptio_empty_dict = {{PTIO_NODE_TYPE_DICT, PTIO_KIND_DICT, PTIO_NODE_CONSTANT, 0, 0}, NULL};

const ptio_node_dict *ptio_value_entries(const ptio_value *value)
{
    if (!value || value->seen != PTIO_KIND_DICT)
        return NULL;
    return value->type == PTIO_NODE_TYPE_DICT ? PTIO_NODE(dict, value) : ptio_meaning(value);
}

const ptio_value *ptio_items_node(const ptio_value *value)
{
    if (!value || value->type < PTIO_NODE_TYPE_TUPLE)
        return NULL;
    if (value->type <= PTIO_NODE_TYPE_FROZENSET)
        return value;
    if (value->type != PTIO_NODE_TYPE_REDUCED)
        return NULL;
    switch (value->seen) {
    case PTIO_KIND_LIST:
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET:
    case PTIO_KIND_SIZE:
    case PTIO_KIND_GENERATOR: return ptio_meaning(value);
    case PTIO_KIND_NDARRAY: return ((const ptio_ndarray *)ptio_meaning(value))->items;
    case PTIO_KIND_OBJECT: return ptio_meaning(value) ? ((const ptio_object *)ptio_meaning(value))->items : NULL;
    default: return NULL;
    }
}

const ptio_value *const *ptio_value_items(const ptio_value *value, size_t *count)
{
    const ptio_value *node = ptio_items_node(value);
    *count = 0;
    return node ? ptio_node_items(node, count) : NULL;
}

bool ptio_is_true(const ptio_value *value)
{
    return value && value->type == PTIO_NODE_TYPE_BOOL && value->count;
}

const char *ptio_value_article(const ptio_value *value)
{
    if (!value)
        return "nothing";
    switch (value->seen) {
    case PTIO_KIND_NONE: return "None";
    case PTIO_KIND_BOOL: return "a bool";
    case PTIO_KIND_INT: return "an int";
    case PTIO_KIND_FLOAT: return "a float";
    case PTIO_KIND_STR: return "a str";
    case PTIO_KIND_BYTES: return "bytes";
    case PTIO_KIND_LIST: return "a list";
    case PTIO_KIND_TUPLE: return "a tuple";
    case PTIO_KIND_DICT: return "a dict";
    case PTIO_KIND_GLOBAL: return "a class or function";
    case PTIO_KIND_TENSOR: return "a tensor";
    case PTIO_KIND_STORAGE: return "a storage";
    default: return "another object";
    }
}

ptio_text ptio_callable_class(const ptio_value *callable)
{
    const ptio_global *global = ptio_value_global(callable);
    if (callable->type == PTIO_NODE_TYPE_REDUCED && callable->seen == PTIO_KIND_GLOBAL)
        global = ptio_meaning(callable); /* a class inside a class: getattr(Outer, "Inner") */
    return global ? global->result : PTIO_TEXT("object");
}

ptio_status ptio_value_as_ints(ptio_loader *loader, const ptio_value *value, size_t extra, int64_t **ret, size_t *count,
                               ptio_error *err)
{
    size_t n = 0;
    const ptio_value *const *items = ptio_value_items(value, &n);
    if (!items)
        return PTIO_ERR_FORMAT;
    int64_t *ints = PTIO_NEW(&loader->ckpt->arena, int64_t, n + extra);
    if (!ints)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a shape");
    for (size_t i = 0; i < n; i++) {
        if (!ptio_node_int64(items[i], &ints[i]) || items[i]->type == PTIO_NODE_TYPE_BOOL)
            return PTIO_ERR_FORMAT;
    }
    *ret = ints;
    *count = n;
    return PTIO_OK;
}

bool ptio_value_as_bytes(const ptio_value *value, ptio_text *ret)
{
    if (!value)
        return false;
    switch (value->type) {
    case PTIO_NODE_TYPE_BYTES:
    case PTIO_NODE_TYPE_BYTEARRAY:
    case PTIO_NODE_TYPE_PY2STR: *ret = ptio_node_text_of(value); return true;
    case PTIO_NODE_TYPE_REDUCED:
        if (value->seen != PTIO_KIND_BYTES && value->seen != PTIO_KIND_BYTEARRAY)
            return false;
        *ret = *(const ptio_text *)ptio_meaning(value);
        return true;
    default: return false;
    }
}

/* copy_reg._reconstructor(cls, base, state): how Python 2 and protocols 0 and 1 make objects; the class is an argument. */
const ptio_value *ptio_reduced_class(const ptio_node_reduced *node)
{
    const ptio_global *global = ptio_value_global(node->callable);
    if (global && global->handler == PTIO_HANDLER_RECONSTRUCTOR && ptio_argument_count(node))
        return ptio_argument(node, 0);
    return node->callable;
}

/* A tuple or list of its own class: the items appended to it, or the tuple it was made of. */
static const ptio_value *items_of(ptio_node_reduced *node, const ptio_global *global)
{
    if (node->more && node->more->items.head.count)
        return &node->more->items.head;
    size_t count = ptio_argument_count(node);
    if (global && global->handler == PTIO_HANDLER_DEQUE)
        return count && ptio_argument(node, 0)->type == PTIO_NODE_TYPE_LIST ? ptio_argument(node, 0) : &ptio_empty_tuple.head;
    if (global && global->handler == PTIO_HANDLER_RECONSTRUCTOR) {
        const ptio_value *state = ptio_argument(node, 2);
        return state && (state->type == PTIO_NODE_TYPE_LIST || state->type == PTIO_NODE_TYPE_TUPLE) ? state : NULL;
    }
    if (!count)
        return NULL;
    const ptio_value *first = ptio_argument(node, 0);
    bool of_fields = global && global->handler == PTIO_HANDLER_RETURN_TYPE;
    if ((of_fields || (count == 1 && node->head.opcode != 'R')) && first->type == PTIO_NODE_TYPE_TUPLE)
        return first;
    return node->head.opcode == 'R' ? NULL : node->arguments;
}

static ptio_text class_name_of(const ptio_node_reduced *node, const ptio_global *global)
{
    ptio_text name = ptio_callable_class(ptio_reduced_class(node));
    if (global && global->handler == PTIO_HANDLER_CLASS && ptio_text_is(global->name, "_compile") &&
        ptio_text_is(global->module, "re"))
        return global->result;
    return name;
}

/* type(None) and type(...) are pickled as calls of `type`; getattr(cls, name) as attributes of a class. */
static ptio_status handle_lookup(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    ptio_global *found = PTIO_NEW(&loader->ckpt->arena, ptio_global, 1);
    if (!found)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a global");
    const ptio_value *first = ptio_argument(node, 0), *name = ptio_argument(node, 1);
    if (global->handler == PTIO_HANDLER_TYPE) {
        const ptio_global *singleton = ptio_value_global(first);
        if (first && first->type == PTIO_NODE_TYPE_NONE)
            found->full_name = PTIO_TEXT("builtins.NoneType");
        else if (singleton && singleton->handler == PTIO_HANDLER_SINGLETON)
            found->full_name = singleton->result;
        else
            return ptio_handle_object(loader, node, NULL, err);
    } else {
        const ptio_global *owner = ptio_value_global(first);
        ptio_text owner_name = {NULL, 0};
        if (!owner && first && first->type == PTIO_NODE_TYPE_REDUCED && first->seen == PTIO_KIND_GLOBAL)
            owner = ptio_meaning(first); /* a class inside a class is looked up itself */
        if (owner)
            owner_name = owner->full_name;
        else if (first && first->type == PTIO_NODE_TYPE_REDUCED && first->seen == PTIO_KIND_OBJECT)
            owner_name = ptio_value_class(first); /* a bound method is called after the class of its object */
        if (!owner_name.bytes || !name || name->type != PTIO_NODE_TYPE_STR)
            return ptio_handle_object(loader, node, NULL, err);
        if (ptio_text_ends(owner_name, ".torch")) /* the module itself, named as an attribute of another */
            owner_name = PTIO_TEXT("torch");
        if (!ptio_global_resolve(&loader->ckpt->arena, owner_name, ptio_node_text_of(name), false, found))
            return ptio_heap_fail(&loader->ckpt->heap, err, "a global");
        if (found->handler == PTIO_HANDLER_MEMORY_FORMAT)
            return ptio_means(node, PTIO_KIND_MEMORY_FORMAT, found);
    }
    found->result = found->full_name;
    return ptio_means(node, PTIO_KIND_GLOBAL, found);
}

static bool is_dict_class(const ptio_value *value)
{
    const ptio_global *global = ptio_value_global(value);
    return global && ptio_text_is(global->name, "dict") &&
           (ptio_text_is(global->module, "builtins") || ptio_text_is(global->module, "__builtin__"));
}

ptio_status ptio_handle_object(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    if (global && (global->handler == PTIO_HANDLER_TYPE || global->handler == PTIO_HANDLER_GETATTR))
        return handle_lookup(loader, node, global, err);
    ptio_object *object = PTIO_NEW(&loader->ckpt->arena, ptio_object, 1);
    if (!object)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an object");
    object->class_name = class_name_of(node, global);
    object->items = items_of(node, global);
    /* copy_reg._reconstructor(cls, dict, {…}) */
    if (global && global->handler == PTIO_HANDLER_RECONSTRUCTOR && is_dict_class(ptio_argument(node, 1)) &&
        ptio_value_entries(ptio_argument(node, 2)))
        return ptio_means(node, PTIO_KIND_DICT, ptio_value_entries(ptio_argument(node, 2)));
    /* What entries were set on, and nothing appended to, is a dict of its own class. */
    if (node->more && node->more->entries.head.count && !node->more->items.head.count && node->head.opcode != 'R')
        return ptio_means(node, PTIO_KIND_DICT, &node->more->entries);
    return ptio_means(node, PTIO_KIND_OBJECT, object);
}
