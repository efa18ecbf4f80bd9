/*
 * The forms of Python's own types and of torch's that are no tensors, and which file knows the form of any other value.
 */
#include "torch/reduce.h"

#include "torch/handlers.h"

/* ---- the types of Python ---- */

static const ptio_value *node_of(ptio_node_reduced *node)
{
    return node ? &node->head : NULL;
}

static const ptio_value *reduce_set(ptio_reducer *r, const ptio_value *object)
{
    bool frozen = object->seen == PTIO_KIND_FROZENSET;
    size_t count;
    const ptio_value *const *items = ptio_value_items(object, &count);
    if (r->protocol >= 4)
        return ptio_reduce_list(r, frozen ? PTIO_NODE_TYPE_FROZENSET : PTIO_NODE_TYPE_SET, items, count);
    const ptio_value *list = ptio_reduce_list(r, PTIO_NODE_TYPE_LIST, items, count);
    return node_of(
        ptio_reduce_call(r, ptio_reduce_global(r, "builtins", frozen ? "frozenset" : "set"), ptio_reduce_tuple(r, &list, 1)));
}

static const ptio_value *text_node(ptio_reducer *r, ptio_node_type type, ptio_text text)
{
    return ptio_node_new_text(&r->arena, type, text.bytes, text.size);
}

/* Bytes as the text of which each code point is one of them. */
static const ptio_value *latin1_text(ptio_reducer *r, ptio_text bytes)
{
    size_t high = 0;
    for (size_t i = 0; i < bytes.size; i++)
        high += (unsigned char)bytes.bytes[i] >> 7;
    if (!high)
        return bytes.size < 2 ? ptio_reduce_letter(r, bytes) : ptio_reduce_str(r, bytes);
    char *text = ptio_arena_alloc(&r->arena, bytes.size + high), *at = text;
    for (size_t i = 0; text && i < bytes.size; i++)
        at += ptio_utf8_encode((unsigned char)bytes.bytes[i], at);
    ptio_text made = {text, (size_t)(at - text)};
    if (!text)
        return NULL;
    return bytes.size < 2 ? ptio_reduce_letter(r, made) : ptio_reduce_str(r, made);
}

static const ptio_value *reduce_bytes(ptio_reducer *r, ptio_text bytes)
{
    if (r->protocol >= 3)
        return text_node(r, PTIO_NODE_TYPE_BYTES, bytes);
    if (!bytes.size)
        return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "builtins", "bytes"), &ptio_empty_tuple.head));
    const ptio_value *arguments[] = {latin1_text(r, bytes), ptio_reduce_word(r, PTIO_TEXT("latin1"))};
    return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "_codecs", "encode"), ptio_reduce_tuple(r, arguments, 2)));
}

static const ptio_value *reduce_bytearray(ptio_reducer *r, ptio_text bytes)
{
    if (r->protocol >= 5)
        return text_node(r, PTIO_NODE_TYPE_BYTEARRAY, bytes);
    const ptio_value *global = ptio_reduce_global(r, "builtins", "bytearray");
    if (!bytes.size)
        return node_of(ptio_reduce_call(r, global, &ptio_empty_tuple.head));
    const ptio_value *contents = reduce_bytes(r, bytes);
    return node_of(ptio_reduce_call(r, global, ptio_reduce_tuple(r, &contents, 1)));
}

static const ptio_value *reduce_complex(ptio_reducer *r, const ptio_value *object)
{
    double real = 0, imag = 0;
    (void)ptio_value_complex(object, &real, &imag);
    const ptio_value *parts[] = {ptio_reduce_float(r, real), ptio_reduce_float(r, imag)};
    return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "builtins", "complex"), ptio_reduce_tuple(r, parts, 2)));
}

/* OrderedDict(), defaultdict(factory) with entries set on them; Counter(dict). */
static const ptio_value *reduce_dict_class(ptio_reducer *r, const ptio_value *object)
{
    const ptio_node_reduced *loaded = PTIO_NODE(reduced, object);
    const ptio_global *class_ = ptio_value_global(loaded->callable);
    const ptio_value *attributes = ptio_value_attributes(object), *arguments = &ptio_empty_tuple.head;
    const ptio_node_dict *entries = ptio_value_entries(object);
    ptio_node_dict *counts = NULL;
    if (class_->handler == PTIO_HANDLER_DEFAULTDICT && ptio_value_factory(object)->type != PTIO_NODE_TYPE_NONE) {
        const ptio_value *factory = ptio_value_factory(object);
        arguments = ptio_reduce_tuple(r, &factory, 1);
    } else if (class_->handler == PTIO_HANDLER_COUNTER) {
        counts = ptio_arena_alloc(&r->arena, sizeof *counts);
        if (!counts || !ptio_reduce_fill_dict(r, entries, false, counts))
            return NULL;
        const ptio_value *only = &counts->head;
        arguments = ptio_reduce_tuple(r, &only, 1);
    }
    ptio_node_reduced *node = ptio_reduce_call(r, ptio_reduce_global_of(r, class_->module, class_->name), arguments);
    ptio_more *more = ptio_reduce_more(r, node);
    if (!more || (!counts && !ptio_reduce_fill_dict(r, entries, false, &more->entries)))
        return NULL;
    return attributes && ptio_value_count(attributes) ? ptio_reduce_built(r, node, ptio_reduce_attributes(r, attributes))
                                                      : &node->head;
}

static bool is_dict_class(const ptio_value *object)
{
    if (object->type != PTIO_NODE_TYPE_REDUCED)
        return false;
    const ptio_global *global = ptio_value_global(PTIO_NODE(reduced, object)->callable);
    return global && (global->handler == PTIO_HANDLER_ORDERED_DICT || global->handler == PTIO_HANDLER_COUNTER ||
                      global->handler == PTIO_HANDLER_DEFAULTDICT);
}

static const ptio_value *reduce_exact_dict(ptio_reducer *r, const ptio_value *object)
{
    const ptio_node_dict *dict = PTIO_NODE(dict, object);
    if (!dict->block || !dict->block->index || !dict->block->index->order)
        return object;
    ptio_node_dict *merged = ptio_arena_alloc(&r->arena, sizeof *merged);
    return merged && ptio_reduce_fill_dict(r, dict, false, merged) ? &merged->head : NULL;
}

/* ---- the types of torch that are no tensors ---- */

static const ptio_value *reduce_size(ptio_reducer *r, const ptio_value *object)
{
    size_t count;
    const ptio_value *const *items = ptio_value_items(object, &count);
    const ptio_value *sizes = count ? ptio_reduce_tuple(r, items, count) : &ptio_empty_tuple.head;
    return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "torch", "Size"), ptio_reduce_tuple(r, &sizes, 1)));
}

const ptio_value *ptio_reduce_layout(ptio_reducer *r, ptio_text name)
{
    size_t at = 0;
    while (at < r->layout_count &&
           !ptio_text_equal(ptio_node_text_of(ptio_argument(PTIO_NODE(reduced, r->layouts[at]), 0)), name))
        at++;
    if (at < r->layout_count)
        return r->layouts[at];
    const ptio_value *text = ptio_reduce_str(r, name);
    ptio_node_reduced *node =
        ptio_reduce_call(r, ptio_reduce_global(r, "torch.serialization", "_get_layout"), ptio_reduce_tuple(r, &text, 1));
    if (node && r->layout_count < PTIO_REDUCED_LAYOUTS)
        r->layouts[r->layout_count++] = &node->head;
    return node_of(node);
}

/* torch.device("cuda", 1): its type is a new str each time. */
static const ptio_value *reduce_device(ptio_reducer *r, const ptio_value *object)
{
    ptio_text name = ptio_value_name(object);
    const char *colon = memchr(name.bytes, ':', name.size);
    size_t type_size = colon ? (size_t)(colon - name.bytes) : name.size;
    int64_t index = 0;
    for (const char *digit = colon ? colon + 1 : name.bytes + name.size; digit < name.bytes + name.size; digit++)
        index = index * 10 + (*digit - '0');
    const ptio_value *arguments[] = {ptio_reduce_str(r, (ptio_text){name.bytes, type_size}), ptio_reduce_int(r, index)};
    return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "torch", "device"), ptio_reduce_tuple(r, arguments, colon ? 2 : 1)));
}

/* A class inside a class has an opcode from protocol 4 on. */
static const ptio_value *reduce_global(ptio_reducer *r, const ptio_value *object)
{
    const ptio_node_global *global = PTIO_NODE(global, object);
    ptio_text name = ptio_node_text_of(global->name);
    size_t dot = name.size;
    while (dot && name.bytes[dot - 1] != '.')
        dot--;
    if (r->protocol >= 4 || dot < 2)
        return object;
    const ptio_value *parts[] = {ptio_reduce_global_of(r, ptio_node_text_of(global->module), (ptio_text){name.bytes, dot - 1}),
                                 ptio_reduce_str(r, (ptio_text){name.bytes + dot, name.size - dot})};
    return node_of(ptio_reduce_call(r, ptio_reduce_global(r, "builtins", "getattr"), ptio_reduce_tuple(r, parts, 2)));
}

static const ptio_value *node_for(ptio_reducer *r, const ptio_value *object)
{
    if (object->type == PTIO_NODE_TYPE_GLOBAL)
        return reduce_global(r, object);
    switch (object->seen) {
    case PTIO_KIND_STR: return object->type == PTIO_NODE_TYPE_PY2STR ? ptio_reduce_str(r, ptio_node_str_of(object)) : object;
    case PTIO_KIND_BYTES: return reduce_bytes(r, ptio_value_bytes(object));
    case PTIO_KIND_BYTEARRAY: return reduce_bytearray(r, ptio_value_bytes(object));
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET: return reduce_set(r, object);
    case PTIO_KIND_COMPLEX: return reduce_complex(r, object);
    case PTIO_KIND_LIST: return object->type == PTIO_NODE_TYPE_REDUCED ? ptio_meaning(object) : object;
    case PTIO_KIND_DICT:
        if (object->type == PTIO_NODE_TYPE_DICT)
            return reduce_exact_dict(r, object);
        return is_dict_class(object) ? reduce_dict_class(r, object) : ptio_reduce_object(r, object);
    case PTIO_KIND_SIZE: return reduce_size(r, object);
    case PTIO_KIND_DEVICE: return reduce_device(r, object);
    case PTIO_KIND_NDARRAY:
    case PTIO_KIND_NPSCALAR:
    case PTIO_KIND_NPDTYPE: return ptio_reduce_numpy(r, object);
    case PTIO_KIND_OBJECT: return ptio_reduce_object(r, object);
    default: return object;
    }
}

ptio_status ptio_reduce(void *ctx, const ptio_value *object, const ptio_value **ret, ptio_error *err)
{
    ptio_reducer *r = ctx;
    if (object->seen == PTIO_KIND_TENSOR)
        return ptio_reduce_tensor(r, object, ret, err);
    if (object->seen == PTIO_KIND_STORAGE)
        return ptio_reduce_bare_storage(r, ptio_meaning(object), ret, err);
    if (object->type == PTIO_NODE_TYPE_PERSISTENT && object->seen == PTIO_KIND_OBJECT)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.persistent-id", PTIO_NO_OFFSET,
                         "a persistent id that is no storage cannot be saved: PyTorch knows no others");
    ptio_status status = ptio_reduce_check_numpy(object, err);
    if (status != PTIO_OK)
        return status;
    *ret = node_for(r, object);
    return *ret ? PTIO_OK : ptio_reduce_no_memory(r, err);
}
