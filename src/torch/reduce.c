/*
 * Which values are one object, and the forms of Python's own types.
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
    if (ptio_reduce_as_version_1(r)) {
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
static const ptio_value *global_of(ptio_reducer *r, ptio_text module, ptio_text name)
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
    return global_of(r, ptio_text_of(module), ptio_text_of(name));
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
            return global_of(r, numpy_names[i].new_module, numpy_names[i].new_name);
    return global_of(r, module, name);
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
    return global_of(r, global->module, (ptio_text){text, size});
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
        return longer ? value : one;
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

/* ---- nodes ---- */

const ptio_value *ptio_reduce_int(ptio_reducer *r, int64_t number)
{
    return number >= 0 && number < 256 ? &ptio_small_ints[number].head : ptio_node_new_int(ptio_reduce_arena(r), number);
}

const ptio_value *ptio_reduce_float(ptio_reducer *r, double number)
{
    ptio_node_float *node = ptio_arena_alloc(&r->arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (ptio_node_float){.head = {.type = PTIO_NODE_TYPE_FLOAT, .seen = PTIO_KIND_FLOAT}, .value = number};
    return &node->head;
}

static ptio_node_tuple *new_tuple(ptio_reducer *r, size_t count)
{
    ptio_node_tuple *tuple = ptio_node_new_tuple(ptio_reduce_arena(r), count);
    if (tuple)
        tuple->head.flags = ptio_reduce_flags(r);
    return tuple;
}

const ptio_value *ptio_reduce_tuple(ptio_reducer *r, const ptio_value *const *items, size_t count)
{
    ptio_node_tuple *tuple = new_tuple(r, count);
    for (size_t i = 0; tuple && i < count; i++) {
        if (!items[i])
            return NULL;
        tuple->items[i] = items[i];
    }
    return tuple ? &tuple->head : NULL;
}

const ptio_value *ptio_reduce_ints(ptio_reducer *r, const int64_t *numbers, size_t count)
{
    if (!count)
        return &ptio_empty_tuple.head;
    ptio_node_tuple *tuple = new_tuple(r, count);
    for (size_t i = 0; tuple && i < count; i++)
        if (!(tuple->items[i] = ptio_reduce_int(r, numbers[i])))
            return NULL;
    return tuple ? &tuple->head : NULL;
}

ptio_node_reduced *ptio_reduce_call(ptio_reducer *r, const ptio_value *callable, const ptio_value *arguments)
{
    ptio_node_reduced *node = callable && arguments ? ptio_arena_alloc(ptio_reduce_arena(r), sizeof *node) : NULL;
    if (node)
        *node = (ptio_node_reduced){.head = {.type = PTIO_NODE_TYPE_REDUCED, .flags = ptio_reduce_flags(r), .opcode = 'R'},
                                    .callable = callable,
                                    .arguments = arguments};
    return node;
}

ptio_more *ptio_reduce_more(ptio_reducer *r, ptio_node_reduced *node)
{
    if (!node || node->more)
        return node ? node->more : NULL;
    ptio_more *more = PTIO_NEW(&r->arena, ptio_more, 1);
    if (!more)
        return NULL;
    more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
    more->items.head = more->states.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    node->more = more;
    return more;
}

const ptio_value *ptio_reduce_built(ptio_reducer *r, ptio_node_reduced *node, const ptio_value *state)
{
    ptio_more *more = ptio_reduce_more(r, node);
    if (!more || !state || !ptio_block_append(&r->arena, &more->states.block, more->states.head.count, &state, 1))
        return NULL;
    more->states.head.count++;
    return &node->head;
}

/* A block of `count` pointers, or NULL. */
static ptio_block *new_block(ptio_reducer *r, size_t count)
{
    size_t bytes;
    if (!ptio_mul_size(count, sizeof(ptio_value *), &bytes) || !ptio_add_size(bytes, sizeof(ptio_block), &bytes))
        return NULL;
    ptio_block *block = ptio_arena_alloc(&r->arena, bytes);
    if (block) {
        block->capacity = count;
        block->index = NULL;
    }
    return block;
}

const ptio_value *ptio_reduce_list(ptio_reducer *r, ptio_node_type type, const ptio_value *const *items, size_t count)
{
    ptio_node_list *list = ptio_arena_alloc(&r->arena, sizeof *list);
    if (!list)
        return NULL;
    *list = (ptio_node_list){.head = {.type = (uint8_t)type, .seen = PTIO_KIND_LIST, .count = (uint32_t)count}};
    if (!count)
        return &list->head;
    list->block = new_block(r, count);
    if (!list->block)
        return NULL;
    memcpy((void *)list->block->items, items, count * sizeof *items);
    return &list->head;
}

/* The entries that count of a dict, as a DICT node to be written. `interned`: keys that are texts are interned. */
static bool fill_dict(ptio_reducer *r, const ptio_node_dict *from, bool interned, ptio_node_dict *to)
{
    size_t count = ptio_dict_count(from);
    *to = (ptio_node_dict){.head = {.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT, .count = (uint32_t)count}};
    if (!count)
        return true;
    to->block = new_block(r, 2 * count);
    for (size_t i = 0; to->block && i < count; i++) {
        const ptio_value *key = ptio_dict_key(from, i);
        if (interned && key->seen == PTIO_KIND_STR)
            key = ptio_reduce_word(r, ptio_node_str_of(key));
        if (!key)
            return false;
        to->block->items[2 * i] = key;
        to->block->items[2 * i + 1] = ptio_dict_value(from, i);
    }
    return to->block != NULL;
}

const ptio_value *ptio_reduce_dict(ptio_reducer *r, const ptio_node_dict *entries)
{
    ptio_node_dict *dict = ptio_arena_alloc(&r->arena, sizeof *dict);
    return dict && fill_dict(r, entries, false, dict) ? &dict->head : NULL;
}

const ptio_value *ptio_reduce_attributes(ptio_reducer *r, const ptio_value *attributes)
{
    ptio_node_dict *dict = ptio_arena_alloc(&r->arena, sizeof *dict);
    const ptio_node_dict *entries = ptio_value_entries(ptio_edited(r->edits, attributes));
    return dict && entries && fill_dict(r, entries, true, dict) ? &dict->head : NULL;
}

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
    bool longer = true;
    if (!high)
        return bytes.size < 2 ? letter(r, bytes, &longer) : ptio_reduce_str(r, bytes);
    char *text = ptio_arena_alloc(&r->arena, bytes.size + high), *at = text;
    for (size_t i = 0; text && i < bytes.size; i++)
        at += ptio_utf8_encode((unsigned char)bytes.bytes[i], at);
    ptio_text made = {text, (size_t)(at - text)};
    if (!text)
        return NULL;
    return bytes.size < 2 ? letter(r, made, &longer) : ptio_reduce_str(r, made);
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
        if (!counts || !fill_dict(r, entries, false, counts))
            return NULL;
        const ptio_value *only = &counts->head;
        arguments = ptio_reduce_tuple(r, &only, 1);
    }
    ptio_node_reduced *node = ptio_reduce_call(r, global_of(r, class_->module, class_->name), arguments);
    ptio_more *more = ptio_reduce_more(r, node);
    if (!more || (!counts && !fill_dict(r, entries, false, &more->entries)))
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
    return merged && fill_dict(r, dict, false, merged) ? &merged->head : NULL;
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
    const ptio_value *parts[] = {global_of(r, ptio_node_text_of(global->module), (ptio_text){name.bytes, dot - 1}),
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
