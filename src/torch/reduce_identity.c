/*
 * Which values are one object, when they are saved: equal texts and names that Python has once are one node here too.
 */
#include "torch/reduce.h"

#include "pickle/opcode.h"
#include "torch/handlers.h"

ptio_status ptio_reduce_no_memory(const ptio_reducer *r, ptio_error *err)
{
    return ptio_heap_fail(r->heap, err, "what is saved");
}

void ptio_reducer_init(ptio_reducer *reducer, ptio_heap *heap, unsigned protocol)
{
    *reducer = (ptio_reducer){.heap = heap, .protocol = protocol, .hash_key = ptio_os_random()};
    ptio_arena_init(&reducer->arena, heap);
    ptio_arena_init(&reducer->fleeting_nodes, heap);
}

static void free_interned(ptio_interned *table, ptio_heap *heap)
{
    ptio_heap_free(heap, table->nodes, table->slot_count * sizeof *table->nodes);
}

void ptio_reducer_free(ptio_reducer *r)
{
    free_interned(&r->words, r->heap);
    free_interned(&r->globals, r->heap);
    ptio_heap_free(r->heap, r->storages, r->storage_capacity * sizeof *r->storages);
    ptio_pointer_map_free(&r->by_address, r->heap);
    ptio_pointer_map_free(&r->dicts, r->heap);
    ptio_arena_free(&r->arena);
    ptio_arena_free(&r->fleeting_nodes);
}

/* ---- one object for each text, for each name ---- */

/* The text that a node is interned by: of a global "module\nname". */
static uint64_t hash_of(const ptio_reducer *r, const ptio_value *node)
{
    if (node->type != PTIO_NODE_TYPE_GLOBAL)
        return ptio_hash(r->hash_key, PTIO_NODE(text, node)->bytes, node->count);
    ptio_text module = ptio_node_text_of(PTIO_NODE(global, node)->module),
              name = ptio_node_text_of(PTIO_NODE(global, node)->name);
    return ptio_hash(r->hash_key, module.bytes, module.size) * 3 + ptio_hash(r->hash_key, name.bytes, name.size);
}

static bool is_same(const ptio_value *a, const ptio_value *b)
{
    if (a->type != PTIO_NODE_TYPE_GLOBAL)
        return ptio_text_equal(ptio_node_text_of(a), ptio_node_text_of(b));
    return is_same(PTIO_NODE(global, a)->module, PTIO_NODE(global, b)->module) &&
           is_same(PTIO_NODE(global, a)->name, PTIO_NODE(global, b)->name);
}

static const ptio_value **find_interned(const ptio_reducer *r, const ptio_interned *table, const ptio_value *like)
{
    for (size_t i = (size_t)hash_of(r, like);; i++) {
        const ptio_value **slot = &table->nodes[i & (table->slot_count - 1)];
        if (!*slot || is_same(*slot, like))
            return slot;
    }
}

static bool grow_interned(ptio_reducer *r, ptio_interned *table)
{
    ptio_interned grown = {.slot_count = table->slot_count ? table->slot_count * 2 : 64, .used = table->used};
    grown.nodes = ptio_heap_resize(r->heap, NULL, 0, grown.slot_count * sizeof *grown.nodes);
    if (!grown.nodes)
        return false;
    memset(grown.nodes, 0, grown.slot_count * sizeof *grown.nodes);
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->nodes[i])
            *find_interned(r, &grown, table->nodes[i]) = table->nodes[i];
    free_interned(table, r->heap);
    *table = grown;
    return true;
}

/* The place for what is like `like`; it may be empty. NULL where there is no memory. */
static const ptio_value **intern(ptio_reducer *r, ptio_interned *table, const ptio_value *like)
{
    if (table->used >= table->slot_count / 4 * 3 && !grow_interned(r, table))
        return NULL;
    const ptio_value **slot = find_interned(r, table, like);
    table->used += !*slot;
    return slot;
}

/* It is seen as nothing, so it is always itself: a str that PyTorch makes, such as the key "0", is not the one "0" of CPython. */
static ptio_node_text str_of(ptio_text text)
{
    return (ptio_node_text){.head = {.type = PTIO_NODE_TYPE_STR, .flags = PTIO_NODE_ITSELF, .count = (uint32_t)text.size},
                            .bytes = text.bytes};
}

const ptio_value *ptio_reduce_str(ptio_reducer *r, ptio_text text)
{
    ptio_node_text *node = ptio_arena_alloc(&r->arena, sizeof *node);
    if (!node)
        return NULL;
    *node = str_of(text);
    return &node->head;
}

const ptio_value *ptio_reduce_word(ptio_reducer *r, ptio_text text)
{
    ptio_node_text like = str_of(text);
    const ptio_value **slot = intern(r, &r->words, &like.head);
    if (slot && !*slot)
        *slot = ptio_reduce_str(r, text);
    return slot ? *slot : NULL;
}

/* The node that is written for a global: by the names of the protocol. */
static const ptio_value *new_global(ptio_reducer *r, ptio_text module, ptio_text name)
{
    ptio_node_global *node = ptio_arena_alloc(&r->arena, sizeof *node);
    if (!node)
        return NULL;
    if (r->protocol < 3)
        ptio_python2_name(&module, &name);
    if (ptio_reduce_before_2_1(r)) {
        /* Of NumPy 1, which both read. */
        if (ptio_text_is(module, "numpy._core.multiarray"))
            module = PTIO_TEXT("numpy.core.multiarray");
        else if (ptio_text_is(module, "numpy._core.numeric"))
            module = PTIO_TEXT("numpy.core.numeric");
        else if (ptio_text_is(module, "numpy.ma") && ptio_text_is(name, "MaskedArray"))
            module = PTIO_TEXT("numpy.ma.core");
    }
    /* A class inside a class has a form of its own, see reduce_global(). */
    uint8_t flags = memchr(name.bytes, '.', name.size) ? 0 : PTIO_NODE_ITSELF;
    *node = (ptio_node_global){.head = {.type = PTIO_NODE_TYPE_GLOBAL, .flags = flags}};
    return ptio_reduce_names(r, module, name, &node->module, &node->name) ? &node->head : NULL;
}

/* The table has globals by the names of Python 3; what is written for each is its meaning. */
const ptio_value *ptio_reduce_global_of(ptio_reducer *r, ptio_text module, ptio_text name)
{
    ptio_node_text module_node = str_of(module), name_node = str_of(name);
    const ptio_node_global like = {.head = {.type = PTIO_NODE_TYPE_GLOBAL}, .module = &module_node.head, .name = &name_node.head};
    const ptio_value **slot = intern(r, &r->globals, &like.head);
    if (!slot)
        return NULL;
    if (!*slot) {
        ptio_node_global *entry = ptio_arena_alloc(&r->arena, sizeof *entry);
        if (!entry)
            return NULL;
        *entry = (ptio_node_global){.head = like.head,
                                    .module = ptio_reduce_str(r, module),
                                    .name = ptio_reduce_str(r, name),
                                    .meaning = new_global(r, module, name)};
        if (!entry->module || !entry->name || !entry->meaning)
            return NULL;
        *slot = &entry->head;
    }
    return PTIO_NODE(global, *slot)->meaning;
}

const ptio_value *ptio_reduce_global(ptio_reducer *r, const char *module, const char *name)
{
    return ptio_reduce_global_of(r, ptio_text_of(module), ptio_text_of(name));
}

const ptio_value *ptio_reduce_known(ptio_reducer *r, ptio_known_global which)
{
    static const struct {
        const char *module, *name;
    } names[] = {[PTIO_KNOWN_REBUILD_TENSOR_V2] = {"torch._utils", "_rebuild_tensor_v2"},
                 [PTIO_KNOWN_REBUILD_TENSOR_V3] = {"torch._utils", "_rebuild_tensor_v3"},
                 [PTIO_KNOWN_REBUILD_PARAMETER] = {"torch._utils", "_rebuild_parameter"},
                 [PTIO_KNOWN_ORDERED_DICT] = {"collections", "OrderedDict"},
                 [PTIO_KNOWN_UNTYPED_STORAGE] = {"torch.storage", "UntypedStorage"}};
    if (!r->known[which])
        r->known[which] = ptio_reduce_global(r, names[which].module, names[which].name);
    return r->known[which];
}

/* Names that the classes of NumPy 1 have in NumPy 2. */
static const struct {
    ptio_text module, name, new_module, new_name;
} numpy_names[] = {
    {{"numpy", 5}, {"bool_", 5}, {"numpy", 5}, {"bool", 4}},
    {{"numpy", 5}, {"recarray", 8}, {"numpy.rec", 9}, {"recarray", 8}},
    {{"numpy.ma.core", 13}, {"MaskedArray", 11}, {"numpy.ma", 8}, {"MaskedArray", 11}},
};

/* NumPy 2 calls its modules otherwise, and everything that it pickles. */
static const ptio_value *global_as_today(ptio_reducer *r, const ptio_global *global)
{
    ptio_text module = global->module, name = global->name;
    if (global->python2)
        ptio_python3_name(&module, &name);
    if (ptio_text_is(module, "numpy.core.multiarray"))
        module = PTIO_TEXT("numpy._core.multiarray");
    else if (ptio_text_is(module, "numpy.core.numeric"))
        module = PTIO_TEXT("numpy._core.numeric");
    for (size_t i = 0; i < sizeof numpy_names / sizeof *numpy_names; i++)
        if (ptio_text_equal(module, numpy_names[i].module) && ptio_text_equal(name, numpy_names[i].name))
            return ptio_reduce_global_of(r, numpy_names[i].new_module, numpy_names[i].new_name);
    return ptio_reduce_global_of(r, module, name);
}

/* The call getattr(owner, "Inner") that a value is, or NULL; its owner, and the name. */
static const ptio_value *attribute_owner(const ptio_value *value, ptio_text *name)
{
    const ptio_node_reduced *call = value->type == PTIO_NODE_TYPE_REDUCED ? PTIO_NODE(reduced, value) : NULL;
    const ptio_global *function = call ? ptio_value_global(call->callable) : NULL;
    const ptio_value *text = function ? ptio_argument(call, 1) : NULL;
    if (!text || function->handler != PTIO_HANDLER_GETATTR || text->type != PTIO_NODE_TYPE_STR)
        return NULL;
    *name = ptio_node_text_of(text);
    return ptio_argument(call, 0);
}

/* getattr(getattr(Outer, "Inner"), "Innermost"), which stands for a class inside classes below protocol 4, is one global. */
static const ptio_value *identify_global(ptio_reducer *r, const ptio_value *value)
{
    const ptio_global *global = ptio_value_global(value);
    if (global || value->type != PTIO_NODE_TYPE_REDUCED)
        return global ? global_as_today(r, global) : value;
    size_t size = 0;
    ptio_text name;
    const ptio_value *owner = value;
    for (const ptio_value *next; (next = attribute_owner(owner, &name)); owner = next)
        size += 1 + name.size;
    global = ptio_value_global(owner);
    if (!global)
        return value;
    size += global->name.size;
    char *text = ptio_arena_alloc(&r->arena, size), *at = text + size;
    if (!text)
        return NULL;
    memcpy(text, global->name.bytes, global->name.size);
    for (const ptio_value *next = value; next != owner;) {
        next = attribute_owner(next, &name);
        at -= name.size;
        memcpy(at, name.bytes, name.size);
        *--at = '.';
    }
    return ptio_reduce_global_of(r, global->module, (ptio_text){text, size});
}

/* The one string of one letter, or of none, that a text is; NULL where it is longer, and then *longer is set. */
static const ptio_value *letter(ptio_reducer *r, ptio_text text, bool *longer)
{
    uint32_t code = 256;
    if (text.size == 1 || text.size == 2) {
        size_t taken = ptio_utf8_decode(text.bytes, text.size, &code);
        *longer = taken != text.size || code > 255;
    } else {
        *longer = text.size > 0;
    }
    if (*longer)
        return NULL;
    if (!r->letters[code])
        r->letters[code] = ptio_reduce_str(r, text);
    return r->letters[code];
}

const ptio_value *ptio_reduce_letter(ptio_reducer *r, ptio_text text)
{
    bool longer;
    return letter(r, text, &longer);
}

const ptio_value *ptio_reduce_bytes(ptio_reducer *r, ptio_text bytes)
{
    if (bytes.size > 1)
        return ptio_node_new_text(&r->arena, PTIO_NODE_TYPE_BYTES, bytes.bytes, bytes.size);
    const ptio_value **one = &r->bytes[bytes.size ? (unsigned char)*bytes.bytes : 256];
    if (!*one)
        *one = ptio_node_new_text(&r->arena, PTIO_NODE_TYPE_BYTES, bytes.bytes, bytes.size);
    return *one;
}

/* Unpickled bytes of one byte are objects of their own where the pickle has them as bytes; a codec makes the one that there is. */
static const ptio_value *identify_bytes(ptio_reducer *r, const ptio_value *value)
{
    ptio_text bytes = ptio_value_bytes(value);
    return !bytes.size || (bytes.size == 1 && value->type == PTIO_NODE_TYPE_REDUCED) ? ptio_reduce_bytes(r, bytes) : value;
}

const ptio_value *ptio_reduce_identify(void *ctx, const ptio_value *value)
{
    ptio_reducer *r = ctx;
    bool longer = true;
    const ptio_value *one = NULL;
    if (r->edits)
        value = ptio_edited(r->edits, value);
    switch (value->seen) {
    case PTIO_KIND_STR:
        if (value->count <= 2 && value->type <= PTIO_NODE_TYPE_PY2STR)
            one = letter(r, ptio_node_str_of(value), &longer);
        if (!longer)
            return one;
        return value->flags & PTIO_NODE_INTERNED ? ptio_reduce_word(r, ptio_node_str_of(value)) : value;
    case PTIO_KIND_BYTES: return identify_bytes(r, value);
    case PTIO_KIND_NPSCALAR: return ptio_reduce_identify_numpy(r, value);
    case PTIO_KIND_GLOBAL:
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_MEMORY_FORMAT:
    case PTIO_KIND_QSCHEME: return identify_global(r, value);
    case PTIO_KIND_OBJECT: return value->type == PTIO_NODE_TYPE_GLOBAL ? identify_global(r, value) : value; /* Ellipsis */
    case PTIO_KIND_LAYOUT: return ptio_reduce_layout(r, ptio_value_name(value));
    default: return value;
    }
}
