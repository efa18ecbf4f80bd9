/*
 * Nodes that a save makes, in the reducer's arena: ints, tuples, calls, lists and dicts. Makers give NULL where there is no memory, and
 * take NULL for what another failed to make.
 */
#include "torch/reduce.h"

#include "torch/handlers.h"

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
bool ptio_reduce_fill_dict(ptio_reducer *r, const ptio_node_dict *from, bool interned, ptio_node_dict *to)
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
    return dict && ptio_reduce_fill_dict(r, entries, false, dict) ? &dict->head : NULL;
}

const ptio_value *ptio_reduce_attributes(ptio_reducer *r, const ptio_value *attributes)
{
    ptio_node_dict *dict = ptio_arena_alloc(&r->arena, sizeof *dict);
    const ptio_node_dict *entries = ptio_value_entries(ptio_edited(r->edits, attributes));
    return dict && entries && ptio_reduce_fill_dict(r, entries, true, dict) ? &dict->head : NULL;
}
