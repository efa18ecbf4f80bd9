/*
 * The nesting of a distributed checkpoint: its tensors have flat names, and planner_data says at which path of keys each was. A name in a
 * path is a key of a dict, a number a place of a list; containers are made on the way, as PyTorch's set_element() does.
 */
#include "torch/dcp.h"

static ptio_status no_memory(const ptio_dcp_nest *nest, ptio_error *err)
{
    return ptio_heap_fail(&nest->loader->ckpt->heap, err, "a dict");
}

/* ---- the table of all places ---- */

static uint32_t *slot_of(const ptio_dcp_nest *nest, const ptio_dcp_node *key)
{
    uint64_t hash = nest->hash_key + (uint64_t)(uintptr_t)key->parent;
    hash = key->is_number ? ptio_hash(hash, &key->number, sizeof key->number) : ptio_hash(~hash, key->key.bytes, key->key.size);
    size_t slot = (size_t)hash & (nest->slot_count - 1);
    while (nest->slots[slot]) {
        const ptio_dcp_node *node = &nest->nodes[nest->slots[slot] - 1];
        if (node->parent == key->parent && node->is_number == key->is_number && node->number == key->number &&
            ptio_text_equal(node->key, key->key))
            break;
        slot = (slot + 1) & (nest->slot_count - 1);
    }
    return &nest->slots[slot];
}

static bool grow_slots(ptio_dcp_nest *nest)
{
    ptio_heap *heap = &nest->loader->ckpt->heap;
    size_t wanted = nest->slot_count ? nest->slot_count * 2 : 64;
    uint32_t *slots = ptio_heap_resize(heap, NULL, 0, wanted * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0, wanted * sizeof *slots);
    ptio_heap_free(heap, nest->slots, nest->slot_count * sizeof *slots);
    if (!nest->slot_count)
        nest->hash_key = ptio_os_random();
    nest->slots = slots;
    nest->slot_count = wanted;
    for (size_t i = 0; i < nest->count; i++)
        *slot_of(nest, &nest->nodes[i]) = (uint32_t)i + 1;
    return true;
}

static ptio_dcp_node *find(const ptio_dcp_nest *nest, const ptio_dcp_node *key)
{
    uint32_t node = nest->slot_count ? *slot_of(nest, key) : 0;
    return node ? &nest->nodes[node - 1] : NULL;
}

static bool add(ptio_dcp_nest *nest, const ptio_dcp_node *node)
{
    if (nest->count == nest->capacity) {
        ptio_dcp_node *moved =
            ptio_heap_grow(&nest->loader->ckpt->heap, nest->nodes, &nest->capacity, nest->count + 1, sizeof *nest->nodes);
        if (!moved)
            return false;
        nest->nodes = moved;
    }
    if (nest->count * 2 >= nest->slot_count && !grow_slots(nest))
        return false;
    nest->nodes[nest->count++] = *node;
    *slot_of(nest, node) = (uint32_t)nest->count;
    return true;
}

/* ---- containers ---- */

/* Places that no path names are None. */
static ptio_status put_in_list(ptio_dcp_nest *nest, ptio_node_list *list, int64_t number, const ptio_value *value,
                               ptio_error *err)
{
    static const ptio_value *const empty[1] = {&ptio_none};
    if ((uint64_t)number > list->head.count + nest->most_empty || number >= INT32_MAX)
        return ptio_fail(err, PTIO_ERR_LIMIT, "dcp.list", PTIO_NO_OFFSET,
                         "a path of planner_data leads to place %lld of a list of %u", (long long)number, list->head.count);
    while ((uint64_t)number >= list->head.count) {
        if (!ptio_block_append(&nest->loader->ckpt->arena, &list->block, list->head.count, empty, 1))
            return no_memory(nest, err);
        nest->most_empty -= (uint64_t)number > list->head.count;
        list->head.count++;
    }
    list->block->items[number] = value;
    return PTIO_OK;
}

static ptio_value *new_container(ptio_dcp_nest *nest, bool is_list)
{
    ptio_arena *arena = &nest->loader->ckpt->arena;
    ptio_node_list *list = is_list ? PTIO_NEW(arena, ptio_node_list, 1) : NULL;
    ptio_node_dict *dict = NULL;
    if (is_list && list) {
        list->head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
        return &list->head;
    }
    return !is_list && ptio_make_dict(nest->loader, &dict, NULL) == PTIO_OK ? &dict->head : NULL;
}

/* Whether a key can be one of that container: names are of dicts, numbers of lists. */
static bool fits(const ptio_value *container, const ptio_dcp_node *key)
{
    return container->type == (key->is_number ? PTIO_NODE_TYPE_LIST : PTIO_NODE_TYPE_DICT);
}

static ptio_status put(ptio_dcp_nest *nest, ptio_value *container, ptio_dcp_node *node, const ptio_value *key, ptio_error *err)
{
    ptio_status status = node->is_number
                             ? put_in_list(nest, (ptio_node_list *)(void *)container, node->number, node->value, err)
                             : ptio_make_entry(nest->loader, (ptio_node_dict *)(void *)container, key, node->value, err);
    if (status == PTIO_OK && !add(nest, node))
        status = no_memory(nest, err);
    return status;
}

static bool read_key(const ptio_value *key, const ptio_value *container, ptio_dcp_node *ret)
{
    *ret = (ptio_dcp_node){.parent = container, .is_number = key->type == PTIO_NODE_TYPE_INT};
    if (ret->is_number)
        return ptio_node_int64(key, &ret->number) && ret->number >= 0;
    ret->key = ptio_value_str(key);
    return key->seen == PTIO_KIND_STR;
}

static ptio_status bad_path(const ptio_value *name, ptio_error *err, ptio_status status, const char *what)
{
    return ptio_fail(err, status, "dcp.nesting", PTIO_NO_OFFSET, "the path of %s in planner_data %s",
                     ptio_quote(ptio_value_str(name)).text, what);
}

ptio_status ptio_dcp_nest_put(ptio_dcp_nest *nest, const ptio_value *path, const ptio_value *name, const ptio_value *value,
                              ptio_error *err)
{
    size_t count = 1;
    const ptio_value *const *keys = path ? ptio_value_items(path, &count) : &name;
    ptio_value *container = &nest->root->head;
    if (!keys || !count)
        return bad_path(name, err, PTIO_ERR_FORMAT, "is no tuple of keys");
    for (size_t i = 0; i < count; i++) {
        ptio_dcp_node key;
        bool last = i + 1 == count;
        if (!read_key(keys[i], container, &key) || !fits(container, &key))
            return bad_path(name, err, PTIO_ERR_FORMAT, "holds a key that the container there cannot have");
        ptio_dcp_node *known = find(nest, &key);
        if (known && (last || !known->is_container))
            return bad_path(name, err, PTIO_ERR_AMBIGUOUS, "leads to where another value is");
        if (known) {
            container = (ptio_value *)(uintptr_t)known->value;
            continue;
        }
        key.is_container = !last;
        key.value = last ? value : new_container(nest, keys[i + 1]->type == PTIO_NODE_TYPE_INT);
        if (!key.value)
            return no_memory(nest, err);
        ptio_status status = put(nest, container, &key, keys[i], err);
        if (status != PTIO_OK)
            return status;
        container = (ptio_value *)(uintptr_t)key.value;
    }
    return PTIO_OK;
}

ptio_status ptio_dcp_nest_finish(ptio_dcp_nest *nest, ptio_error *err)
{
    ptio_status status = ptio_make_index(nest->loader, nest->root, err);
    for (size_t i = 0; i < nest->count && status == PTIO_OK; i++) {
        const ptio_value *value = nest->nodes[i].value;
        if (nest->nodes[i].is_container && value->type == PTIO_NODE_TYPE_DICT)
            status = ptio_make_index(nest->loader, (ptio_node_dict *)(uintptr_t)value, err);
    }
    return status;
}

void ptio_dcp_nest_free(ptio_dcp_nest *nest)
{
    ptio_heap *heap = &nest->loader->ckpt->heap;
    ptio_heap_free(heap, nest->nodes, nest->capacity * sizeof *nest->nodes);
    ptio_heap_free(heap, nest->slots, nest->slot_count * sizeof *nest->slots);
}
