/*
 * Builders: Python's own types.
 */
#include "torch/builder.h"

#include <string.h>

#include "base/cells.h"
#include "pickle/number.h"
#include "pickle/opcode.h"

ptio_status ptio_builder_new(const ptio_memory *memory, ptio_builder **ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = ptio_checkpoint_new(memory, NULL);
    if (ckpt)
        ckpt->arena.cells = ptio_cells_new(&ckpt->heap);
    ptio_builder *b = ckpt && ckpt->arena.cells ? ptio_arena_zeroed(&ckpt->arena, 1, sizeof *b) : NULL;
    if (!b) {
        ptio_checkpoint_free(ckpt);
        return ptio_fail_memory(err, "a builder");
    }
    b->ckpt = ckpt;
    ckpt->edits = b;
    b->options = (ptio_load_options){PTIO_LOAD_OPTIONS};
    b->loader = (ptio_loader){.ckpt = ckpt, .options = &b->options, .part = &b->part};
    b->maker.loader = &b->loader;
    ckpt->root = &ptio_none;
    b->part.record = PTIO_TEXT("");
    /* No pickle measures what comparing keys may cost. */
    b->part.graph = (ptio_graph){.arena = &ckpt->arena, .size = SIZE_MAX / 1024, .hash_key = ptio_os_random()};
    *ret = b;
    return PTIO_OK;
}

void ptio_builder_free(ptio_builder *b)
{
    if (!b)
        return;
    ptio_checkpoint *ckpt = b->ckpt;
    ptio_heap *heap = &ckpt->heap;
    for (size_t i = 0; i < b->held_count; i++)
        ptio_checkpoint_free(b->held[i]);
    ptio_heap_free(heap, b->held, b->held_capacity * sizeof *b->held);
    ptio_heap_free(heap, b->twins, b->twin_capacity * sizeof *b->twins);
    ptio_heap_free(heap, b->casts, b->cast_capacity * sizeof *b->casts);
    ptio_pointer_map_free(&b->own, heap);
    ptio_pointer_map_free(&b->places, heap);
    ptio_builder_forget_keys(b);
    ptio_checkpoint_free(ckpt); /* the builder is in its arena */
}

ptio_status ptio_builder_status(const ptio_builder *b, ptio_error *err)
{
    if (b->err.status != PTIO_OK && err && err->status == PTIO_OK)
        *err = b->err;
    return b->err.status;
}

const ptio_checkpoint *ptio_builder_checkpoint(const ptio_builder *b)
{
    return b->ckpt;
}

void *ptio_builder_no_memory(ptio_builder *b, const char *what)
{
    (void)ptio_heap_fail(&b->ckpt->heap, &b->err, what);
    return NULL;
}

void *ptio_builder_fail(ptio_builder *b, const char *reason, const char *message)
{
    (void)ptio_fail(&b->err, PTIO_ERR_ARGUMENT, reason, PTIO_NO_OFFSET, "%s", message);
    return NULL;
}

void *ptio_builder_refuse(ptio_builder *b)
{
    bool is_of_file = b->err.record[0] != '\0'; /* elements of a loaded tensor were looked at */
    if (b->err.status == PTIO_ERR_FORMAT && !is_of_file)
        b->err.status = PTIO_ERR_ARGUMENT;
    return NULL;
}

void ptio_builder_hold(ptio_builder *b, ptio_checkpoint *ckpt)
{
    if (!ptio_builder_good(b) || !ckpt)
        return;
    if (b->held_count == b->held_capacity) {
        ptio_checkpoint **grown = ptio_heap_grow(&b->ckpt->heap, b->held, &b->held_capacity, b->held_count + 1, sizeof *grown);
        if (!grown) {
            ptio_builder_no_memory(b, "a checkpoint that is held");
            return;
        }
        b->held = grown;
    }
    atomic_fetch_add(&ckpt->references, 1);
    b->held[b->held_count++] = ckpt;
}

/* ---- atoms and texts ---- */

const ptio_value *ptio_new_none(ptio_builder *b)
{
    (void)b;
    return &ptio_none;
}

const ptio_value *ptio_new_bool(ptio_builder *b, bool value)
{
    (void)b;
    return value ? &ptio_true : &ptio_false;
}

/* A node, or the failure that there was no memory for it. */
static const ptio_value *made(ptio_builder *b, const ptio_value *node)
{
    return node ? node : ptio_builder_no_memory(b, "a value");
}

const ptio_value *ptio_new_int(ptio_builder *b, int64_t value)
{
    if (value >= 0 && value < 256)
        return &ptio_small_ints[value].head;
    return ptio_builder_good(b) ? made(b, ptio_node_new_int(&b->ckpt->arena, value)) : NULL;
}

const ptio_value *ptio_new_int_bytes(ptio_builder *b, const void *bytes, size_t size)
{
    size = bytes ? ptio_int_fewest(bytes, size) : 0;
    if (size <= 8)
        return ptio_new_int(b, ptio_int_value(bytes, size));
    if (!ptio_builder_good(b))
        return NULL;
    if (size > UINT32_MAX)
        return ptio_builder_fail(b, "builder.size", "an int has more bytes than 32 bits count");
    ptio_text kept = ptio_arena_text(&b->ckpt->arena, (ptio_text){bytes, size});
    ptio_node_int *node = PTIO_NEW(&b->ckpt->arena, ptio_node_int, 1);
    if (!node || !kept.bytes)
        return ptio_builder_no_memory(b, "an int");
    node->head = (ptio_value){PTIO_NODE_TYPE_INT, PTIO_KIND_INT, PTIO_NODE_BIG, 0, (uint32_t)size};
    node->u.bytes = (const uint8_t *)kept.bytes;
    return &node->head;
}

const ptio_value *ptio_new_float(ptio_builder *b, double value)
{
    ptio_node_float *node = ptio_builder_good(b) ? PTIO_NEW(&b->ckpt->arena, ptio_node_float, 1) : NULL;
    if (!node)
        return ptio_builder_good(b) ? ptio_builder_no_memory(b, "a float") : NULL;
    *node = (ptio_node_float){.head = {.type = PTIO_NODE_TYPE_FLOAT, .seen = PTIO_KIND_FLOAT}, .value = value};
    return &node->head;
}

const ptio_value *ptio_new_complex(ptio_builder *b, double real, double imag)
{
    const ptio_value *parts[] = {ptio_new_float(b, real), ptio_new_float(b, imag)};
    return ptio_builder_call(b, "builtins", "complex", parts, 2);
}

static const ptio_value *new_text(ptio_builder *b, ptio_node_type type, const void *data, size_t size)
{
    if (!ptio_builder_good(b))
        return NULL;
    if (size && !data)
        return ptio_builder_fail(b, "builder.none", "a text is NULL");
    if (size > UINT32_MAX)
        return ptio_builder_fail(b, "builder.size", "a text has more bytes than 32 bits count");
    ptio_text kept = ptio_arena_text(&b->ckpt->arena, (ptio_text){data, size});
    ptio_value *node = kept.bytes ? ptio_node_new_text(&b->ckpt->arena, type, kept.bytes, kept.size) : NULL;
    if (node)
        node->flags |= PTIO_NODE_MEMOIZED;
    return made(b, node);
}

const ptio_value *ptio_new_str_n(ptio_builder *b, const char *text, size_t size)
{
    if (ptio_builder_good(b) && text && !ptio_utf8_valid(text, size, true))
        return ptio_builder_fail(b, "builder.utf8", "the text of a str is not UTF-8");
    return new_text(b, PTIO_NODE_TYPE_STR, text, size);
}

static const ptio_value *no_text(ptio_builder *b)
{
    return ptio_builder_good(b) ? ptio_builder_fail(b, "builder.none", "a text is NULL") : NULL;
}

const ptio_value *ptio_new_str(ptio_builder *b, const char *text)
{
    return text ? ptio_new_str_n(b, text, strlen(text)) : no_text(b);
}

const ptio_value *ptio_new_bytes(ptio_builder *b, const void *data, size_t size)
{
    return new_text(b, PTIO_NODE_TYPE_BYTES, data, size);
}

const ptio_value *ptio_new_bytearray(ptio_builder *b, const void *data, size_t size)
{
    return new_text(b, PTIO_NODE_TYPE_BYTEARRAY, data, size);
}

/* ---- containers ---- */

static bool all_there(ptio_builder *b, const ptio_value *const *items, size_t count)
{
    if (!ptio_builder_good(b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!items || !items[i]) {
            ptio_builder_fail(b, "builder.none", "an item is NULL");
            return false;
        }
    return count <= UINT32_MAX / 2 || ptio_builder_fail(b, "builder.size", "there are more items than 32 bits count");
}

const ptio_value *ptio_new_tuple(ptio_builder *b, const ptio_value *const *items, size_t count)
{
    if (!all_there(b, items, count))
        return NULL;
    if (!count)
        return &ptio_empty_tuple.head;
    ptio_node_tuple *tuple = ptio_node_new_tuple(&b->ckpt->arena, count);
    if (!tuple)
        return ptio_builder_no_memory(b, "a tuple");
    tuple->head.flags |= PTIO_NODE_MEMOIZED;
    memcpy((void *)tuple->items, items, count * sizeof *items);
    return &tuple->head;
}

/* A set or frozenset: its items, equal ones once. */
static const ptio_value *new_set(ptio_builder *b, ptio_node_type type, ptio_kind kind, const ptio_value *const *items,
                                 size_t count)
{
    if (!all_there(b, items, count))
        return NULL;
    ptio_node_list *set = PTIO_NEW(&b->ckpt->arena, ptio_node_list, 1);
    const ptio_node_list *distinct = NULL;
    if (!set)
        return ptio_builder_no_memory(b, "a set");
    b->part.graph.steps = 0;
    if (ptio_graph_distinct_items(&b->part.graph, items, count, &b->ckpt->heap, &distinct, &b->err) != PTIO_OK)
        return ptio_builder_refuse(b);
    if (distinct) {
        items = distinct->block->items;
        count = distinct->head.count;
    }
    set->head = (ptio_value){.type = (uint8_t)type, .seen = (uint8_t)kind, .count = (uint32_t)count};
    if (count && !ptio_block_append(&b->ckpt->arena, &set->block, 0, items, count))
        return ptio_builder_no_memory(b, "a set");
    return &set->head;
}

const ptio_value *ptio_new_set(ptio_builder *b, const ptio_value *const *items, size_t count)
{
    return new_set(b, PTIO_NODE_TYPE_SET, PTIO_KIND_SET, items, count);
}

const ptio_value *ptio_new_frozenset(ptio_builder *b, const ptio_value *const *items, size_t count)
{
    return new_set(b, PTIO_NODE_TYPE_FROZENSET, PTIO_KIND_FROZENSET, items, count);
}

/* Note that a container may be changed. */
static ptio_value *owned(ptio_builder *b, ptio_value *value)
{
    value->flags |= PTIO_NODE_MEMOIZED;
    return ptio_pointer_map_put(&b->own, &b->ckpt->heap, value, 0) ? value : ptio_builder_no_memory(b, "a container");
}

ptio_value *ptio_new_list(ptio_builder *b)
{
    ptio_node_list *list = ptio_builder_good(b) ? PTIO_NEW(&b->ckpt->arena, ptio_node_list, 1) : NULL;
    if (!list)
        return ptio_builder_good(b) ? ptio_builder_no_memory(b, "a list") : NULL;
    list->head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    return owned(b, &list->head);
}

ptio_value *ptio_new_dict(ptio_builder *b)
{
    ptio_node_dict *dict;
    if (!ptio_builder_good(b) || ptio_make_dict(&b->loader, &dict, &b->err) != PTIO_OK)
        return NULL;
    return owned(b, &dict->head);
}

ptio_value *ptio_new_ordered_dict(ptio_builder *b)
{
    ptio_node_dict *dict;
    const ptio_value *value;
    if (!ptio_builder_good(b) || ptio_make_ordered_dict(&b->maker, &dict, &value, &b->err) != PTIO_OK)
        return NULL;
    return owned(b, (ptio_value *)(uintptr_t)value);
}

const ptio_value *ptio_new_name(ptio_builder *b, const char *text)
{
    ptio_value *names = (ptio_value *)(uintptr_t)b->names;
    if (!ptio_builder_good(b) || (!names && !(names = ptio_new_dict(b))))
        return NULL;
    b->names = names;
    if (!text)
        return no_text(b);
    size_t size = strlen(text);
    const ptio_node_text sought = {
        .head = {.type = PTIO_NODE_TYPE_STR, .seen = PTIO_KIND_STR, .count = (uint32_t)(size < UINT32_MAX ? size : 0)},
        .bytes = text};
    size_t known = ptio_builder_find(b, PTIO_NODE(dict, names), &sought.head);
    if (known != SIZE_MAX)
        return ptio_value_key(names, known);
    ptio_value *name = (ptio_value *)(uintptr_t)ptio_new_str(b, text);
    if (!name)
        return NULL;
    name->flags |= PTIO_NODE_INTERNED;
    return ptio_put_key(b, names, name, name) ? name : NULL;
}

/* ---- classes and objects ---- */

const ptio_value *ptio_new_global(ptio_builder *b, const char *module, const char *name)
{
    if (!module || !name)
        return no_text(b);
    return ptio_builder_good(b) ? made(b, ptio_make_global(&b->loader, ptio_text_of(module), ptio_text_of(name))) : NULL;
}

const ptio_value *ptio_builder_interpret(ptio_builder *b, ptio_node_reduced *node)
{
    if (!node)
        return ptio_builder_no_memory(b, "an object");
    return ptio_interpret_made(&b->loader, &node->head, &b->err) == PTIO_OK ? &node->head : ptio_builder_refuse(b);
}

/* Restore a state. False where there is no memory. */
static bool add_state(ptio_builder *b, ptio_node_reduced *node, const ptio_value *state)
{
    ptio_more *more = PTIO_NEW(&b->ckpt->arena, ptio_more, 1);
    if (!more)
        return false;
    more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
    more->items.head = more->states.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    more->states.head.count = 1;
    node->more = more;
    return ptio_block_append(&b->ckpt->arena, &more->states.block, 0, &state, 1);
}

/* What the opcode makes of a callable and its arguments. */
static const ptio_value *new_reduced(ptio_builder *b, uint8_t opcode, const ptio_value *callable, const ptio_value *arguments,
                                     const ptio_value *state)
{
    const ptio_value *parts[] = {callable, arguments};
    if (!all_there(b, parts, 2))
        return NULL;
    if (arguments->type != PTIO_NODE_TYPE_TUPLE)
        return ptio_builder_fail(b, "builder.arguments", "the arguments of a call are no tuple");
    ptio_node_reduced *node = PTIO_NEW(&b->ckpt->arena, ptio_node_reduced, 1);
    if (!node)
        return ptio_builder_no_memory(b, "an object");
    node->head =
        (ptio_value){.type = PTIO_NODE_TYPE_REDUCED, .seen = PTIO_KIND_OBJECT, .flags = PTIO_NODE_MEMOIZED, .opcode = opcode};
    node->callable = callable;
    node->arguments = arguments;
    if (state && !add_state(b, node, state))
        return ptio_builder_no_memory(b, "an object");
    return ptio_builder_interpret(b, node);
}

const ptio_value *ptio_new_call(ptio_builder *b, const ptio_value *callable, const ptio_value *arguments, const ptio_value *state)
{
    return new_reduced(b, PTIO_OP_REDUCE, callable, arguments, state);
}

const ptio_value *ptio_builder_call(ptio_builder *b, const char *module, const char *name, const ptio_value *const *arguments,
                                    size_t count)
{
    return ptio_new_call(b, ptio_new_global(b, module, name), ptio_new_tuple(b, arguments, count), NULL);
}

/* Python hands __new__ its arguments in a tuple that nobody else has. */
const ptio_value *ptio_new_object(ptio_builder *b, const ptio_value *class_, const ptio_value *arguments, const ptio_value *state)
{
    if (!arguments)
        arguments = &ptio_empty_tuple.head;
    else if (arguments->type == PTIO_NODE_TYPE_TUPLE)
        arguments = ptio_new_tuple(b, PTIO_NODE(tuple, arguments)->items, arguments->count);
    const ptio_value *object = new_reduced(b, PTIO_OP_NEWOBJ, class_, arguments, state);
    return object ? owned(b, (ptio_value *)(uintptr_t)object) : NULL;
}
