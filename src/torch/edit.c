/*
 * Filling what a builder made, and changing what was loaded.
 *
 * A loaded value is never written to. Its twin, a shallow copy, is what the caller changes and what a save writes wherever the loaded
 * one stands: so one object that many places hold stays one, and a save walks no copies that nobody asked for.
 */
#include <string.h>

#include "pickle/key.h"
#include "torch/builder.h"

#define FEW 8 /* entries of a dict that are searched one by one */

/* ---- keys ---- */

static uint64_t hash_key(const ptio_builder *b, const ptio_node_dict *dict, ptio_text key)
{
    return ptio_hash(b->part.graph.hash_key, key.bytes, key.size) ^ ((uint64_t)(uintptr_t)dict * 0x9E3779B97F4A7C15u);
}

static ptio_key_place *find_place(ptio_key_place *keys, size_t capacity, const ptio_node_dict *dict, uint64_t hash)
{
    for (size_t i = (size_t)(hash >> 20);; i++) {
        ptio_key_place *place = &keys[i & (capacity - 1)];
        if (!place->dict || (place->dict == dict && place->hash == hash))
            return place;
    }
}

static bool grow_keys(ptio_builder *b)
{
    size_t capacity = b->key_capacity ? b->key_capacity * 2 : 64;
    ptio_key_place *keys = ptio_heap_resize(&b->ckpt->heap, NULL, 0, capacity * sizeof *keys);
    if (!keys)
        return ptio_builder_no_memory(b, "a table of keys") != NULL;
    memset(keys, 0, capacity * sizeof *keys);
    for (size_t i = 0; i < b->key_capacity; i++)
        if (b->keys[i].dict)
            *find_place(keys, capacity, b->keys[i].dict, b->keys[i].hash) = b->keys[i];
    ptio_heap_free(&b->ckpt->heap, b->keys, b->key_capacity * sizeof *b->keys);
    b->keys = keys;
    b->key_capacity = capacity;
    return true;
}

static bool is_text(const ptio_value *key)
{
    return key->seen == PTIO_KIND_STR && key->type == PTIO_NODE_TYPE_STR;
}

/* List the key of one entry, if it is a str. */
static bool list_key(ptio_builder *b, const ptio_node_dict *dict, uint32_t entry)
{
    const ptio_value *key = dict->block->items[2 * (size_t)entry];
    if (!is_text(key))
        return true;
    if (b->key_count >= b->key_capacity / 2 && !grow_keys(b))
        return false;
    uint64_t hash = hash_key(b, dict, ptio_node_text_of(key));
    ptio_key_place *place = find_place(b->keys, b->key_capacity, dict, hash);
    b->key_count += !place->dict;
    *place = (ptio_key_place){dict, hash, entry};
    return true;
}

/* List the keys of a dict from `first` on. */
static bool list_keys(ptio_builder *b, const ptio_node_dict *dict, uint32_t first)
{
    for (uint32_t i = first; i < dict->head.count; i++)
        if (!list_key(b, dict, i))
            return false;
    return ptio_pointer_map_put(&b->listed, &b->ckpt->heap, dict, dict->head.count) ||
           ptio_builder_no_memory(b, "a table of keys") != NULL;
}

/* How many entries, from the first on, are listed. */
static uint32_t count_listed(const ptio_builder *b, const ptio_node_dict *dict)
{
    uint32_t listed;
    return ptio_pointer_map_get(&b->listed, dict, &listed) ? listed : 0;
}

/* The same of a dict that is in there. */
static void set_listed(ptio_builder *b, const ptio_node_dict *dict, uint32_t listed)
{
    ptio_pointer_slot_of(b->listed.slots, b->listed.slot_count, dict)->number = listed;
}

/* The entry of a key, or SIZE_MAX. A place may be old, since entries in front of it were removed; that there is none is certain. */
size_t ptio_builder_find(ptio_builder *b, const ptio_node_dict *dict, const ptio_value *key)
{
    if (!is_text(key) || dict->head.count <= FEW)
        return ptio_dict_find_value(dict, key);
    uint32_t listed = count_listed(b, dict);
    if (listed < dict->head.count && !list_keys(b, dict, listed))
        return SIZE_MAX;
    if (!b->key_capacity)
        return ptio_dict_find_value(dict, key); /* no key is a str */
    const ptio_key_place *place = find_place(b->keys, b->key_capacity, dict, hash_key(b, dict, ptio_node_text_of(key)));
    if (!place->dict)
        return SIZE_MAX;
    if (place->entry < dict->head.count) {
        const ptio_value *there = dict->block->items[2 * (size_t)place->entry];
        if (is_text(there) && ptio_text_equal(ptio_node_text_of(there), ptio_node_text_of(key)))
            return place->entry;
    }
    return ptio_dict_find_value(dict, key);
}

void ptio_builder_forget_keys(ptio_builder *b)
{
    ptio_heap_free(&b->ckpt->heap, b->keys, b->key_capacity * sizeof *b->keys);
    b->keys = NULL;
    b->key_capacity = b->key_count = 0;
    ptio_pointer_map_free(&b->listed, &b->ckpt->heap);
}

/* ---- what may be changed ---- */

static bool is_own(ptio_builder *b, const ptio_value *value)
{
    uint32_t number;
    if (!ptio_builder_good(b))
        return false;
    if (value && ptio_pointer_map_get(&b->own, value, &number))
        return true;
    ptio_builder_fail(b, "builder.not-own",
                      "only a list, dict or object that this builder made, or ptio_edit() gave, can be changed");
    return false;
}

ptio_node_dict *ptio_builder_entries(ptio_builder *b, ptio_value *value)
{
    if (!is_own(b, value))
        return NULL;
    const ptio_node_dict *dict = ptio_value_entries(value);
    return dict ? (ptio_node_dict *)(uintptr_t)dict : ptio_builder_fail(b, "builder.kind", "the value is no dict");
}

static ptio_node_list *own_list(ptio_builder *b, ptio_value *value)
{
    if (!is_own(b, value))
        return NULL;
    return value->type == PTIO_NODE_TYPE_LIST ? (ptio_node_list *)(void *)value
                                              : ptio_builder_fail(b, "builder.kind", "the value is no list");
}

static bool check_item(ptio_builder *b, const ptio_value *item)
{
    return item || (ptio_builder_good(b) && ptio_builder_fail(b, "builder.none", "an item is NULL") != NULL);
}

/* ---- changes ---- */

bool ptio_append(ptio_builder *b, ptio_value *list, const ptio_value *value)
{
    ptio_node_list *own = check_item(b, value) ? own_list(b, list) : NULL;
    if (!own)
        return false;
    if (own->head.count == UINT32_MAX || !ptio_block_append(&b->ckpt->arena, &own->block, own->head.count, &value, 1))
        return ptio_builder_no_memory(b, "a list") != NULL;
    own->head.count++;
    return true;
}

static bool check_key(ptio_builder *b, const ptio_value *key)
{
    bool hashable = true;
    return key->type == PTIO_NODE_TYPE_STR ||
           (ptio_key_check(&b->ckpt->heap, key, true, &hashable, &b->err) == PTIO_OK &&
            (hashable || ptio_builder_fail(b, "builder.key", "a key cannot be hashed: a list, dict, set or bytearray") != NULL));
}

bool ptio_put_key(ptio_builder *b, ptio_value *dict, const ptio_value *key, const ptio_value *value)
{
    ptio_node_dict *own = check_item(b, key) && check_item(b, value) ? ptio_builder_entries(b, dict) : NULL;
    if (!own || !check_key(b, key))
        return false;
    size_t entry = ptio_builder_find(b, own, key);
    if (!ptio_builder_good(b))
        return false;
    if (entry != SIZE_MAX) {
        own->block->items[2 * entry + 1] = value;
        return true;
    }
    return ptio_make_entry(&b->loader, own, key, value, &b->err) == PTIO_OK;
}

bool ptio_put(ptio_builder *b, ptio_value *dict, const char *key, const ptio_value *value)
{
    return ptio_put_key(b, dict, ptio_new_str(b, key), value);
}

bool ptio_rename(ptio_builder *b, ptio_value *dict, size_t index, const ptio_value *key)
{
    ptio_node_dict *own = check_item(b, key) ? ptio_builder_entries(b, dict) : NULL;
    if (!own || !check_key(b, key))
        return false;
    if (index >= own->head.count)
        return ptio_builder_fail(b, "builder.index", "there is no such entry") != NULL;
    size_t other = ptio_builder_find(b, own, key);
    if (other != SIZE_MAX && other != index)
        return false;
    own->block->items[2 * index] = key;
    /* The key under its old name leads to an entry that no longer has it, which is found out; the new one has to be listed. */
    return index >= count_listed(b, own) || list_key(b, own, (uint32_t)index);
}

bool ptio_put_at(ptio_builder *b, ptio_value *value, size_t index, const ptio_value *item)
{
    if (!check_item(b, item) || !is_own(b, value))
        return false;
    if (index >= ptio_value_count(value))
        return ptio_builder_fail(b, "builder.index", "there is no such item") != NULL;
    if (value->type == PTIO_NODE_TYPE_LIST) {
        ((ptio_node_list *)(void *)value)->block->items[index] = item;
        return true;
    }
    ptio_node_dict *dict = ptio_builder_entries(b, value);
    if (dict)
        dict->block->items[2 * index + 1] = item;
    return dict != NULL;
}

bool ptio_remove(ptio_builder *b, ptio_value *value, size_t index)
{
    if (!is_own(b, value))
        return false;
    if (index >= ptio_value_count(value))
        return ptio_builder_fail(b, "builder.index", "there is no such item") != NULL;
    size_t width = value->type == PTIO_NODE_TYPE_LIST ? 1 : 2;
    ptio_node_dict *dict = width == 2 ? ptio_builder_entries(b, value) : NULL;
    ptio_value *head = dict ? &dict->head : value;
    if (width == 2 && !dict)
        return false;
    const ptio_value **items = (dict ? dict->block : ((ptio_node_list *)(void *)value)->block)->items;
    memmove(items + width * index, items + width * (index + 1), width * (head->count - index - 1) * sizeof *items);
    head->count--;
    uint32_t listed = dict ? count_listed(b, dict) : 0;
    if (index < listed)
        set_listed(b, dict, listed - 1);
    return true;
}

/* Entries were moved: their places are listed anew when one is looked for. */
static void forget_places(ptio_builder *b, const ptio_node_dict *dict)
{
    if (!count_listed(b, dict))
        return;
    /* A free slot ends a search, so all others are put in again. */
    ptio_key_place *before = b->keys;
    size_t capacity = b->key_capacity;
    b->key_count = b->key_capacity = 0;
    b->keys = NULL;
    set_listed(b, dict, 0);
    for (size_t i = 0; i < capacity; i++) {
        if (!before[i].dict || before[i].dict == dict)
            continue;
        if (b->key_count >= b->key_capacity / 2 && !grow_keys(b))
            break;
        *find_place(b->keys, b->key_capacity, before[i].dict, before[i].hash) = before[i];
        b->key_count++;
    }
    ptio_heap_free(&b->ckpt->heap, before, capacity * sizeof *before);
}

size_t ptio_remove_if(ptio_builder *b, ptio_value *value, bool (*goes)(void *ctx, const ptio_value *key, const ptio_value *item),
                      void *ctx)
{
    if (!is_own(b, value))
        return 0;
    bool is_list = value->type == PTIO_NODE_TYPE_LIST;
    ptio_node_dict *dict = is_list ? NULL : ptio_builder_entries(b, value);
    ptio_value *head = dict ? &dict->head : value;
    if ((!is_list && !dict) || !head->count)
        return 0;
    const ptio_value **items = (dict ? dict->block : ((ptio_node_list *)(void *)value)->block)->items;
    uint32_t left = 0, count = head->count;
    for (uint32_t i = 0; i < count; i++) {
        size_t width = is_list ? 1 : 2;
        const ptio_value **entry = items + width * i;
        if (goes(ctx, is_list ? NULL : ptio_edited(b, entry[0]), ptio_edited(b, entry[width - 1])))
            continue;
        memmove(items + width * left++, entry, width * sizeof *items);
    }
    head->count = left;
    if (dict && left < count)
        forget_places(b, dict);
    return count - left;
}

/* ---- twins ---- */

const ptio_value *ptio_edited(const ptio_builder *b, const ptio_value *value)
{
    uint32_t place;
    /* What was put in the place of a value may have been replaced itself; a chain is as long as the calls that made it. */
    while (b && value && ptio_pointer_map_get(&b->places, value, &place) && b->twins[place] != value)
        value = b->twins[place];
    return value;
}

static bool put_twin(ptio_builder *b, const ptio_value *value, const ptio_value *by)
{
    uint32_t place;
    if (ptio_pointer_map_get(&b->places, value, &place)) {
        b->twins[place] = by;
        return true;
    }
    if (b->twin_count == b->twin_capacity) {
        const ptio_value **grown = ptio_heap_grow(&b->ckpt->heap, b->twins, &b->twin_capacity, b->twin_count + 1, sizeof *grown);
        if (!grown)
            return ptio_builder_no_memory(b, "a change") != NULL;
        b->twins = grown;
    }
    if (!ptio_pointer_map_put(&b->places, &b->ckpt->heap, value, (uint32_t)b->twin_count))
        return ptio_builder_no_memory(b, "a change") != NULL;
    b->twins[b->twin_count++] = by;
    return true;
}

bool ptio_replace_value(ptio_builder *b, const ptio_value *value, const ptio_value *by)
{
    if (!check_item(b, value) || !check_item(b, by))
        return false;
    if (value->flags & PTIO_NODE_CONSTANT || value->type <= PTIO_NODE_TYPE_FLOAT)
        return ptio_builder_fail(b, "builder.identity", "None, booleans and numbers are no objects of their own") != NULL;
    by = ptio_edited(b, by);
    if (by == value)
        return ptio_builder_fail(b, "builder.cycle", "a value would stand for itself") != NULL;
    return put_twin(b, value, by);
}

/* The entries that count, in a block of their own. */
static bool copy_entries(ptio_builder *b, const ptio_node_dict *from, ptio_node_dict *to)
{
    *to = (ptio_node_dict){
        .head = {.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT, .flags = from->head.flags & PTIO_NODE_MEMOIZED}};
    size_t count = ptio_dict_count(from);
    for (size_t i = 0; i < count; i++)
        if (ptio_make_entry(&b->loader, to, ptio_dict_key(from, i), ptio_dict_value(from, i), &b->err) != PTIO_OK)
            return false;
    return true;
}

static ptio_value *twin_of_list(ptio_builder *b, const ptio_value *value)
{
    ptio_node_list *twin = PTIO_NEW(&b->ckpt->arena, ptio_node_list, 1);
    if (!twin)
        return NULL;
    *twin = *PTIO_NODE(list, value);
    twin->block = NULL;
    if (twin->head.count &&
        !ptio_block_append(&b->ckpt->arena, &twin->block, 0, PTIO_NODE(list, value)->block->items, twin->head.count))
        return NULL;
    return &twin->head;
}

static ptio_value *twin_of_dict(ptio_builder *b, const ptio_value *value)
{
    ptio_node_dict *twin = PTIO_NEW(&b->ckpt->arena, ptio_node_dict, 1);
    return twin && copy_entries(b, PTIO_NODE(dict, value), twin) ? &twin->head : NULL;
}

/* An object, a tensor, or a dict of a class: its node and what hangs on it; entries, where they are what it means. */
static ptio_value *twin_of_reduced(ptio_builder *b, const ptio_value *value)
{
    ptio_node_reduced *twin = PTIO_NEW(&b->ckpt->arena, ptio_node_reduced, 1);
    ptio_more *more = PTIO_NEW(&b->ckpt->arena, ptio_more, 1);
    if (!twin || !more)
        return NULL;
    *twin = *PTIO_NODE(reduced, value);
    more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
    more->items.head = more->states.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    if (twin->more)
        *more = *twin->more;
    twin->more = more;
    const ptio_node_dict *entries = ptio_value_entries(value);
    if (entries) {
        if (!copy_entries(b, entries, &more->entries))
            return NULL;
        twin->meaning = &more->entries;
    }
    return &twin->head;
}

ptio_value *ptio_edit(ptio_builder *b, const ptio_value *value)
{
    uint32_t number;
    if (!ptio_builder_good(b))
        return NULL;
    value = ptio_edited(b, value);
    if (!value)
        return ptio_builder_fail(b, "builder.none", "there is no value to edit");
    if (ptio_pointer_map_get(&b->own, value, &number))
        return (ptio_value *)(uintptr_t)value;
    ptio_value *twin;
    switch (value->type) {
    case PTIO_NODE_TYPE_LIST: twin = twin_of_list(b, value); break;
    case PTIO_NODE_TYPE_DICT: twin = twin_of_dict(b, value); break;
    case PTIO_NODE_TYPE_REDUCED: twin = twin_of_reduced(b, value); break;
    default: return ptio_builder_fail(b, "builder.kind", "only lists, dicts, objects and tensors can be edited");
    }
    if (!twin)
        return ptio_builder_no_memory(b, "a value to edit");
    if (!ptio_pointer_map_put(&b->own, &b->ckpt->heap, twin, 0))
        return ptio_builder_no_memory(b, "a value to edit");
    return put_twin(b, value, twin) ? twin : NULL;
}

/* ---- attributes ---- */

/* Make the state of an object a dict of the builder's, and give it. */
static ptio_value *own_state(ptio_builder *b, ptio_node_reduced *node)
{
    ptio_arena *arena = &b->ckpt->arena;
    ptio_more *more = node->more ? node->more : PTIO_NEW(arena, ptio_more, 1);
    if (!more)
        return ptio_builder_no_memory(b, "attributes");
    if (!node->more) {
        more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
        more->items.head = more->states.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
        node->more = more;
    }
    const ptio_value *now = more->states.head.count ? more->states.block->items[0] : NULL;
    if (now && now->type != PTIO_NODE_TYPE_DICT)
        return ptio_builder_fail(b, "builder.state", "the state of this object is no dict of attributes");
    ptio_value *state = now ? ptio_edit(b, now) : ptio_new_dict(b);
    const ptio_value *states = state;
    more->states.block = NULL;
    more->states.head.count = 1;
    if (!state || !ptio_block_append(arena, &more->states.block, 0, &states, 1))
        return state ? ptio_builder_no_memory(b, "attributes") : NULL;
    return state;
}

/* The attributes of a tensor are an argument of what rebuilds it: of a function that takes some. */
static ptio_value *own_tensor_state(ptio_builder *b, ptio_node_reduced *node)
{
    const ptio_value *now = ptio_value_attributes(&node->head);
    ptio_value *state = now ? ptio_edit(b, now) : ptio_new_dict(b);
    const ptio_global *function = ptio_value_global(node->callable);
    const ptio_value *arguments[4] = {NULL};
    if (!state || !function)
        return state ? ptio_builder_fail(b, "builder.tensor", "this tensor cannot have attributes") : NULL;
    arguments[3] = state;
    if (function->handler == PTIO_HANDLER_PARAMETER || function->handler == PTIO_HANDLER_FROM_TYPE) {
        for (size_t i = 0; i < 3; i++)
            arguments[i] = ptio_argument(node, i);
        if (function->handler == PTIO_HANDLER_PARAMETER)
            node->callable = ptio_new_global(b, "torch._utils", "_rebuild_parameter_with_state");
    } else {
        arguments[0] = node->callable;
        arguments[1] = ptio_new_global(b, "torch", "Tensor");
        arguments[2] = node->arguments;
        node->callable = ptio_new_global(b, "torch._tensor", "_rebuild_from_type_v2");
    }
    node->arguments = ptio_new_tuple(b, arguments, 4);
    return node->callable && node->arguments ? state : NULL;
}

bool ptio_set_attribute(ptio_builder *b, ptio_value *value, const char *name, const ptio_value *attribute)
{
    if (!check_item(b, attribute) || !is_own(b, value))
        return false;
    if (value->type != PTIO_NODE_TYPE_REDUCED)
        return ptio_builder_fail(b, "builder.kind", "the value has no attributes") != NULL;
    ptio_node_reduced *node = (ptio_node_reduced *)(void *)value;
    ptio_value *state = value->seen == PTIO_KIND_TENSOR ? own_tensor_state(b, node) : own_state(b, node);
    return state && ptio_put_key(b, state, ptio_new_name(b, name), attribute);
}
