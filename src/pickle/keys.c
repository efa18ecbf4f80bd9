/*
 * Tables to find the keys of dicts by, in which equal keys are one; sets, whose equal items are one.
 *
 * Dicts are indexed twice, where they must be. First before the objects of the pickle are interpreted, since handlers look keys up;
 * and those with keys that are or hold objects once more after it (key.h).
 */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "pickle/key.h"

/* A dict of no more entries is searched one by one. */
#define SMALL 8

/* ---- indexes ---- */

/* The keys of a dict, whose items alternate with their values, or the items of a set. */
typedef struct keys {
    const ptio_value *const *items;
    uint32_t count;
    unsigned shift; /* 1: every other item */
} keys;

static keys keys_of_dict(const ptio_node_dict *dict)
{
    return (keys){dict->block ? dict->block->items : NULL, dict->head.count, 1};
}

static inline const ptio_value *key_of(const keys *k, size_t entry)
{
    return k->items[entry << k->shift];
}

/* At most half of the slots are used: more would save memory, and cost a wrong guess of the processor for most keys. */
static size_t slots_for(size_t entries)
{
    size_t slots = 16;
    while (slots / 2 < entries)
        slots *= 2;
    return slots;
}

/* What indexing needs beside the dicts. */
typedef struct indexing {
    ptio_key_work work;
    ptio_arena *arena;
    bool settled; /* objects were interpreted */
} indexing;

static ptio_status no_memory(const indexing *x)
{
    return ptio_heap_fail(x->work.heap, x->work.err, "the keys of a dict");
}

static bool index_size(size_t slots, size_t *ret)
{
    return ptio_mul_size(slots, sizeof(uint32_t), ret) && ptio_add_size(*ret, sizeof(ptio_key_index), ret);
}

/* From the first key that is there already on, order and values differ from the entries. */
static bool begin_merging(indexing *x, ptio_key_index *index, size_t entries)
{
    index->order = PTIO_NEW(x->arena, uint32_t, entries);
    index->values = PTIO_NEW(x->arena, uint32_t, entries);
    if (!index->order || !index->values)
        return false;
    for (uint32_t i = 0; i < index->distinct; i++)
        index->order[i] = index->values[i] = i;
    return true;
}

static const ptio_value *key_at(const keys *k, const ptio_key_index *index, size_t place)
{
    return key_of(k, index && index->order ? index->order[place] : place);
}

/* A slot for a place: the low bits say which, the others are the hash's. */
static inline uint32_t place_mask(const ptio_key_index *index)
{
    return (uint32_t)(((uint64_t)1 << index->place_bits) - 1);
}

static inline bool may_hold(uint32_t slot, uint64_t hash, uint32_t mask)
{
    return ((slot ^ (uint32_t)(hash >> 32)) & ~mask) == 0;
}

static ptio_status add_entry(indexing *x, const keys *k, ptio_key_index *index, uint32_t entry, uint64_t hash)
{
    const uint32_t mask = place_mask(index);
    for (size_t i = (size_t)hash;; i++) {
        uint32_t *slot = &index->slots[i & (index->slot_count - 1)];
        bool equal = false;
        if (!*slot) {
            if (index->order)
                index->order[index->distinct] = index->values[index->distinct] = entry;
            *slot = ((uint32_t)(hash >> 32) & ~mask) | ++index->distinct;
            return PTIO_OK;
        }
        if (!may_hold(*slot, hash, mask))
            continue;
        size_t place = (*slot & mask) - 1;
        ptio_status status = ptio_key_equal(&x->work, key_at(k, index, place), key_of(k, entry), &equal);
        if (status)
            return status;
        if (!equal)
            continue;
        if (!index->order && !begin_merging(x, index, k->count))
            return no_memory(x);
        index->values[place] = entry;
        return PTIO_OK;
    }
}

/* Some keys are hashed, then put into the table: each loop alone is short enough for the processor to work on many at once. */
#define BATCH 64

/* Fill a zeroed index of `slots` slots. */
static ptio_status fill_index(indexing *x, const keys *k, size_t slots, ptio_key_index *index)
{
    uint64_t hashes[BATCH];
    index->hash_key = x->work.hash_key;
    index->slot_count = slots;
    index->place_bits = ptio_bit_width(k->count);
    for (uint32_t first = 0; first < k->count; first += BATCH) {
        uint32_t count = k->count - first < BATCH ? k->count - first : BATCH;
        for (uint32_t i = 0; i < count; i++) {
            ptio_status status = ptio_key_hash(&x->work, key_of(k, first + i), &hashes[i]);
            if (status)
                return status;
            PTIO_PREFETCH(&index->slots[hashes[i] & (slots - 1)]);
        }
        for (uint32_t i = 0; i < count; i++) {
            ptio_status status = add_entry(x, k, index, first + i, hashes[i]);
            if (status)
                return status;
        }
    }
    return PTIO_OK;
}

static ptio_status has_equal_keys(indexing *x, const keys *k, bool *ret)
{
    *ret = false;
    for (size_t i = 1; i < k->count; i++)
        for (size_t j = 0; j < i; j++) {
            ptio_status status = ptio_key_equal(&x->work, key_of(k, i), key_of(k, j), ret);
            if (status || *ret)
                return status;
        }
    return PTIO_OK;
}

static ptio_status unhashable(const indexing *x, const ptio_value *key, bool of_dict)
{
    uint64_t offset = key->type == PTIO_NODE_TYPE_REDUCED ? key->count : PTIO_NO_OFFSET;
    return ptio_fail(x->work.err, PTIO_ERR_FORMAT, "pickle.unhashable-key", offset,
                     "%s is or holds a list, dict, set, bytearray or array, which Python cannot hash",
                     of_dict ? "a key of a dict" : "an item of a set");
}

/* Check that all keys can be hashed; *late tells whether one is or holds an object. */
static ptio_status check_keys(indexing *x, const keys *k, bool *late)
{
    *late = false;
    for (size_t i = 0; i < k->count; i++) {
        const ptio_value *key = key_of(k, i);
        if (key->type < PTIO_NODE_TYPE_BYTEARRAY)
            continue;
        bool hashable;
        ptio_status status = ptio_key_check(x->work.heap, key, x->settled, &hashable, x->work.err);
        if (status)
            return status;
        if (!hashable)
            return unhashable(x, key, k->shift != 0);
        *late = *late || ptio_key_is_late(key);
    }
    return PTIO_OK;
}

/* Whether keys need a table: there are many, two are equal, or comparing them one by one may take long. Few late ones wait. */
static ptio_status needs_index(indexing *x, const keys *k, bool late, bool *ret)
{
    *ret = k->count > SMALL || (late && x->settled && k->count > 1);
    return *ret || late ? PTIO_OK : has_equal_keys(x, k, ret);
}

static ptio_status index_dict(indexing *x, ptio_node_dict *dict)
{
    const keys k = keys_of_dict(dict);
    bool late, needed;
    size_t bytes, slots = slots_for(k.count);
    ptio_status status = check_keys(x, &k, &late);
    late = late || x->settled;
    if (late)
        dict->head.flags |= PTIO_NODE_LATE_KEY;
    if (status == PTIO_OK)
        status = needs_index(x, &k, late, &needed);
    if (status || !needed)
        return status;
    ptio_key_index *index = index_size(slots, &bytes) ? ptio_arena_zeroed(x->arena, 1, bytes) : NULL;
    if (!index)
        return no_memory(x);
    status = fill_index(x, &k, slots, index);
    dict->block->index = index;
    return status;
}

/* The items of a set that are no repetitions, as a LIST of their own. */
static ptio_status copy_distinct(indexing *x, const keys *k, const ptio_key_index *index, const ptio_node_list **ret)
{
    ptio_node_list *list = PTIO_NEW(x->arena, ptio_node_list, 1);
    if (!list)
        return no_memory(x);
    list->head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
    for (; list->head.count < index->distinct; list->head.count++) {
        const ptio_value *item = key_at(k, index, list->head.count);
        if (!ptio_block_append(x->arena, &list->block, list->head.count, &item, 1))
            return no_memory(x);
    }
    *ret = list;
    return PTIO_OK;
}

/* As in index_dict(), but the table is needed for a moment only. */
static ptio_status merge_items(indexing *x, const keys *k, const ptio_node_list **ret)
{
    size_t bytes, slots = slots_for(k->count);
    ptio_key_index *index = index_size(slots, &bytes) ? ptio_heap_resize(x->work.heap, NULL, 0, bytes) : NULL;
    if (!index)
        return no_memory(x);
    memset(index, 0, bytes);
    ptio_status status = fill_index(x, k, slots, index);
    if (status == PTIO_OK && index->order)
        status = copy_distinct(x, k, index, ret);
    ptio_heap_free(x->work.heap, index, bytes);
    return status;
}

static ptio_status distinct_items(indexing *x, const keys *k, bool *late, const ptio_node_list **ret)
{
    bool needed;
    *ret = NULL;
    ptio_status status = check_keys(x, k, late);
    *late = *late || x->settled;
    if (status == PTIO_OK)
        status = needs_index(x, k, *late, &needed);
    return status == PTIO_OK && needed ? merge_items(x, k, ret) : status;
}

static ptio_status merge_set(indexing *x, ptio_node_list *set)
{
    const keys k = {set->block->items, set->head.count, 0};
    bool late;
    ptio_status status = distinct_items(x, &k, &late, &set->block->distinct);
    if (late)
        set->head.flags |= PTIO_NODE_LATE_KEY;
    return status;
}

static void begin(indexing *x, ptio_graph *graph, bool settled, ptio_heap *heap, ptio_error *err)
{
    *x = (indexing){.arena = graph->arena, .settled = settled};
    ptio_key_work_begin(&x->work, heap, graph->hash_key, graph->size, err);
}

static bool to_do(const ptio_node_dict *dict, bool settled)
{
    return settled ? (dict->head.flags & PTIO_NODE_LATE_KEY) != 0 : dict->block && !dict->block->index;
}

/* Sets come first, since dicts have frozensets as keys; a frozenset is made, and listed, before those that hold it. */
static ptio_status index_all(ptio_graph *graph, bool settled, ptio_heap *heap, ptio_error *err)
{
    indexing x;
    ptio_status status = PTIO_OK;
    begin(&x, graph, settled, heap, err);
    for (size_t i = 0; i < graph->set_count && status == PTIO_OK; i++)
        if (!settled || (graph->sets[i]->head.flags & PTIO_NODE_LATE_KEY))
            status = merge_set(&x, graph->sets[i]);
    for (size_t i = 0; i < graph->dict_count && status == PTIO_OK; i++)
        if (to_do(graph->dicts[i], settled))
            status = index_dict(&x, graph->dicts[i]);
    ptio_key_work_end(&x.work);
    return status;
}

ptio_status ptio_graph_index_keys(ptio_graph *graph, ptio_heap *heap, ptio_error *err)
{
    return index_all(graph, false, heap, err);
}

ptio_status ptio_graph_settle_keys(ptio_graph *graph, ptio_heap *heap, ptio_error *err)
{
    return index_all(graph, true, heap, err);
}

ptio_status ptio_graph_distinct_items(ptio_graph *graph, const ptio_value *const *items, size_t count, ptio_heap *heap,
                                      const ptio_node_list **ret, ptio_error *err)
{
    indexing x;
    bool late;
    begin(&x, graph, true, heap, err);
    uint64_t all = x.work.steps;
    ptio_status status = ptio_key_take_steps(&x.work, graph->steps + count);
    if (status == PTIO_OK)
        status = distinct_items(&x, &(keys){items, (uint32_t)count, 0}, &late, ret);
    graph->steps = all - x.work.steps;
    ptio_key_work_end(&x.work);
    return status;
}

/* ---- finding ---- */

static const ptio_key_index *index_of(const ptio_node_dict *dict)
{
    return dict->block ? dict->block->index : NULL;
}

size_t ptio_dict_count(const ptio_node_dict *dict)
{
    const ptio_key_index *index = index_of(dict);
    return index ? index->distinct : dict->head.count;
}

const ptio_value *ptio_dict_key(const ptio_node_dict *dict, size_t place)
{
    return key_at(&(keys){dict->block->items, 0, 1}, index_of(dict), place);
}

const ptio_value *ptio_dict_value(const ptio_node_dict *dict, size_t place)
{
    const ptio_key_index *index = index_of(dict);
    return dict->block->items[2 * (index && index->values ? index->values[place] : place) + 1];
}

/* A key to be found: a text, an int, or (`value`) any. */
typedef struct wanted {
    ptio_key_class class;
    ptio_text text;
    int64_t number;
    const ptio_value *value;
    ptio_key_work work;
} wanted;

static bool is_wanted(wanted *w, const ptio_value *key)
{
    int64_t number;
    bool equal = false;
    if (w->value)
        return ptio_key_equal(&w->work, key, w->value, &equal) == PTIO_OK && equal;
    if (w->class == PTIO_KEY_NUMBER)
        return ptio_key_int64(key, &number) && number == w->number;
    if (ptio_key_class_of(key) != w->class || (w->class == PTIO_KEY_BYTES && key->type != PTIO_NODE_TYPE_PY2STR))
        return false;
    return ptio_text_equal(ptio_key_text(key), w->text);
}

static bool hash_wanted(wanted *w, uint64_t hash_key, uint64_t *ret)
{
    w->work.hash_key = hash_key;
    if (w->value)
        return ptio_key_hash(&w->work, w->value, ret) == PTIO_OK;
    *ret = w->class == PTIO_KEY_NUMBER ? ptio_key_hash_int(hash_key, w->number) : ptio_key_hash_text(hash_key, w->class, w->text);
    return true;
}

static size_t find(const ptio_node_dict *dict, wanted *w)
{
    const ptio_key_index *index = index_of(dict);
    const keys k = keys_of_dict(dict);
    uint64_t hash;
    if (!index) {
        for (size_t i = 0; i < k.count; i++)
            if (is_wanted(w, key_of(&k, i)))
                return i;
        return SIZE_MAX;
    }
    if (!hash_wanted(w, index->hash_key, &hash))
        return SIZE_MAX;
    const uint32_t mask = place_mask(index);
    for (size_t i = (size_t)hash;; i++) {
        uint32_t slot = index->slots[i & (index->slot_count - 1)];
        size_t place = (slot & mask) - 1;
        if (!slot)
            return SIZE_MAX;
        if (may_hold(slot, hash, mask) && is_wanted(w, key_at(&k, index, place)))
            return place;
    }
}

size_t ptio_dict_find_text(const ptio_node_dict *dict, ptio_text key)
{
    size_t place = find(dict, &(wanted){.class = PTIO_KEY_STR, .text = key});
    return place != SIZE_MAX ? place : find(dict, &(wanted){.class = PTIO_KEY_BYTES, .text = key});
}

size_t ptio_dict_find_int(const ptio_node_dict *dict, int64_t key)
{
    return find(dict, &(wanted){.class = PTIO_KEY_NUMBER, .number = key});
}

size_t ptio_dict_find_value(const ptio_node_dict *dict, const ptio_value *key)
{
    ptio_key_frame frames[PTIO_FIND_DEPTH];
    return find(dict,
                &(wanted){.value = key, .work = {.frames = frames, .frame_capacity = PTIO_FIND_DEPTH, .steps = PTIO_FIND_STEPS}});
}
