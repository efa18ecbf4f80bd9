/*
 * The list of all tensors in a value, in order, each with its path. Made by its own loop, not by ptio_walk(): a state dict of
 * twenty thousand tensors must cost no more than a look at each.
 *
 * A path is a chain of keys from the leaf up, so that all children of one dict share its path. Names are joined only where there is a
 * tensor, since a path may be a million keys long; the name of a tensor in the outermost dict is the key itself, not a copy.
 */
#include <string.h>

#include "base/pointer_map.h"
#include "torch/meaning.h"

#define BYTES_FREE ((uint64_t)64 << 20)
#define BYTES_PER_BYTE 96 /* of a pickle */

typedef struct path_key {
    const struct path_key *parent; /* NULL: the root                                           */
    const char *text;              /* of this key                                              */
    const char *name;              /* of all keys, joined; made when a tensor needs it         */
    const ptio_value *key;         /* the key itself; NULL: an index of a sequence, or a name   */
    int64_t index;
    uint32_t text_size, name_size;
    uint32_t count : 31; /* keys from the root                                       */
    uint32_t is_index : 1;
} path_key;

struct ptio_tensor_list {
    ptio_heap heap;
    ptio_arena arena;
    ptio_tensor_entry *entries;
    const path_key **paths; /* of each entry; NULL: the root itself */
    size_t count, capacity, path_capacity;
    ptio_tensor_totals totals;
};

/** What of a value comes next. */
typedef enum step { STEP_ITEMS, STEP_ENTRIES, STEP_PARTS, STEP_ATTRIBUTES, STEP_STATE, STEP_SLOTS, STEP_END } step;

typedef struct level {
    const ptio_value *value;
    const path_key *path;
    size_t index;
    step step;
    bool of_tensor; /* attributes of a tensor: those whose names begin with _ are torch's own */
} level;

typedef struct storage_row {
    const ptio_tensor *first; /* that was met */
    uint32_t number;          /* + 1; 0: not met yet */
    uint32_t uses;            /* entries             */
} storage_row;

typedef struct lister {
    ptio_tensor_list *list;
    const ptio_checkpoint *ckpt;
    level *levels;
    size_t depth, capacity;
    ptio_pointer_map seen;    /* containers walked already               */
    ptio_pointer_map tensors; /* distinct tensors, but for those that are alone on their storage */
    storage_row *storages;    /* by index in the checkpoint's pool; behind these, those of other checkpoints */
    size_t storage_count, storage_capacity;
    ptio_pointer_map foreign; /* from a storage of another checkpoint to its row */
    uint64_t next_storage;
} lister;

/* ---- keys ---- */

/* Join the keys of a path: the part that its parents share is made once. */
static bool join(lister *l, path_key *key)
{
    if (key->name)
        return true;
    const path_key *parent = key->parent;
    if (!parent) {
        key->name = key->text;
        key->name_size = key->text_size;
        return true;
    }
    size_t size = key->text_size;
    const path_key *known = parent;
    for (; known && !known->name; known = known->parent)
        size += known->text_size + 1u;
    size += known ? known->name_size + 1u : 0;
    char *name = size < UINT32_MAX ? ptio_arena_alloc(&l->list->arena, size + 1) : NULL;
    if (!name)
        return false;
    char *end = name + size;
    *end = '\0';
    for (const path_key *part = key; part; part = part->parent) {
        const char *text = part->name ? part->name : part->text;
        size_t length = part->name ? part->name_size : part->text_size;
        end -= length;
        memcpy(end, text, length);
        if (end == name)
            break;
        *--end = '.';
    }
    key->name = name;
    key->name_size = (uint32_t)size;
    return true;
}

/* The name of a tensor's path. That of its parent is kept, for the tensors beside it. */
static bool name_of(lister *l, const path_key *path, ptio_text *ret)
{
    path_key *key = (path_key *)(uintptr_t)path; /* the list owns its keys */
    if (key && ((key->parent && !join(l, (path_key *)(uintptr_t)key->parent)) || !join(l, key)))
        return false;
    *ret = key ? (ptio_text){key->name, key->name_size} : PTIO_TEXT("");
    return true;
}

static const path_key *text_key(lister *l, const path_key *parent, ptio_text text)
{
    path_key *key = ptio_arena_alloc(&l->list->arena, sizeof *key);
    if (!key)
        return NULL;
    if (text.size >= UINT32_MAX)
        return NULL;
    *key = (path_key){
        .parent = parent, .text = text.bytes, .text_size = (uint32_t)text.size, .count = parent ? parent->count + 1u : 1};
    return key;
}

static const path_key *index_key(lister *l, const path_key *parent, int64_t index)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = index < 0 ? 0 - (uint64_t)index : (uint64_t)index;
    do
        digits[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (index < 0)
        digits[--at] = '-';
    ptio_text text = ptio_arena_text(&l->list->arena, (ptio_text){digits + at, sizeof digits - at});
    path_key *key = text.bytes ? (path_key *)(uintptr_t)text_key(l, parent, text) : NULL;
    if (key) {
        key->is_index = true;
        key->index = index;
    }
    return key;
}

/* Bytes of a printed key, growing. */
typedef struct key_text {
    ptio_heap *heap;
    char *bytes;
    size_t size, capacity;
    bool failed;
} key_text;

static int take_text(void *ctx, const char *text, size_t size)
{
    key_text *t = ctx;
    if (size > t->capacity - t->size) {
        void *moved = ptio_heap_grow(t->heap, t->bytes, &t->capacity, t->size + size, 1);
        t->failed = !moved;
        if (!moved)
            return 1;
        t->bytes = moved;
    }
    memcpy(t->bytes + t->size, text, size);
    t->size += size;
    return 0;
}

/* Any other key: as Python prints it. */
static const path_key *printed_key(lister *l, const path_key *parent, const ptio_value *key)
{
    key_text text = {.heap = &l->list->heap};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .memory = &l->list->heap.hooks};
    ptio_status status = ptio_print(key, &options, take_text, &text, NULL);
    const path_key *made = NULL;
    if (!text.failed && status != PTIO_ERR_MEMORY) {
        ptio_text copy = ptio_arena_text(&l->list->arena, (ptio_text){text.bytes, text.size});
        made = copy.bytes ? text_key(l, parent, copy) : NULL;
    }
    ptio_heap_free(text.heap, text.bytes, text.capacity);
    return made;
}

static const path_key *entry_key(lister *l, const path_key *parent, const ptio_value *key)
{
    int64_t number;
    const path_key *made;
    if (key->seen == PTIO_KIND_STR)
        made = text_key(l, parent, ptio_value_str(key));
    else if (key->seen == PTIO_KIND_INT && ptio_value_int(key, &number))
        made = index_key(l, parent, number);
    else
        made = printed_key(l, parent, key);
    if (made)
        ((path_key *)(uintptr_t)made)->key = key;
    return made;
}

/* ---- entries ---- */

/* The row of a storage; NULL where there is no memory. A built value may hold tensors of several checkpoints. */
static storage_row *row_of(lister *l, const ptio_storage *storage)
{
    if (storage->pool == l->ckpt->pool)
        return &l->storages[storage->index];
    uint64_t place;
    bool is_new;
    if (l->storage_count == l->storage_capacity) {
        storage_row *rows =
            ptio_heap_grow(&l->list->heap, l->storages, &l->storage_capacity, l->storage_count + 1, sizeof *l->storages);
        if (!rows)
            return NULL;
        l->storages = rows;
    }
    if (!ptio_pointer_map_add(&l->foreign, &l->list->heap, storage, l->storage_count, &place, &is_new))
        return NULL;
    if (is_new)
        l->storages[l->storage_count++] = (storage_row){0};
    return &l->storages[place];
}

static void number_storage(lister *l, const ptio_storage *storage, storage_row *row)
{
    if (!row->number) {
        row->number = (uint32_t)++l->next_storage;
        l->list->totals.storages++;
        l->list->totals.storage_bytes += storage->nbytes;
    }
    if (++row->uses == 2)
        l->list->totals.shared++;
}

/* Most tensors have a storage of their own: then they are met for the first time, and need not be remembered until another one of
 * that storage comes. */
static bool is_met_first(lister *l, const ptio_tensor *tensor, storage_row *row, bool *ret)
{
    uint64_t number;
    *ret = row && row->uses == 1;
    if (*ret) {
        row->first = tensor;
        return true;
    }
    if (row && row->uses == 2 && !ptio_pointer_map_add(&l->tensors, &l->list->heap, row->first, 0, &number, ret))
        return false;
    return ptio_pointer_map_add(&l->tensors, &l->list->heap, tensor, 0, &number, ret);
}

static bool count_tensor(lister *l, const ptio_tensor *tensor, storage_row *row)
{
    bool is_new;
    if (!is_met_first(l, tensor, row, &is_new))
        return false;
    if (is_new && !(tensor->layout != PTIO_STRIDED && tensor->extra)) {
        l->list->totals.tensors++;
        l->list->totals.elements += tensor->numel;
        l->list->totals.tensor_bytes += tensor->numel * ptio_dtype_itemsize((ptio_dtype)tensor->dtype);
    }
    return true;
}

static bool append(lister *l, const path_key *path, const ptio_value *value, const ptio_tensor *tensor, bool detached)
{
    ptio_tensor_list *list = l->list;
    if (list->count == list->capacity) {
        size_t need = list->count ? list->count + 1 : l->ckpt->pool->count; /* as many tensors as storages, at first */
        void *moved = ptio_heap_grow(&list->heap, list->entries, &list->capacity, need, sizeof *list->entries);
        if (!moved)
            return false;
        list->entries = moved;
        void *paths = ptio_heap_grow(&list->heap, list->paths, &list->path_capacity, list->capacity, sizeof *list->paths);
        if (!paths)
            return false;
        list->paths = paths;
    }
    ptio_tensor_entry *entry = &list->entries[list->count];
    *entry = (ptio_tensor_entry){.tensor = tensor,
                                 .value = value,
                                 .requires_grad = !detached && (tensor->flags & PTIO_TENSOR_REQUIRES_GRAD),
                                 .path_count = path ? path->count : 0};
    list->paths[list->count] = path;
    storage_row *row = tensor->storage ? row_of(l, tensor->storage) : NULL;
    if ((tensor->storage && !row) || !name_of(l, path, &entry->name))
        return false;
    if (row)
        number_storage(l, tensor->storage, row);
    entry->storage = row ? (int64_t)row->number - 1 : -1;
    if (!count_tensor(l, tensor, row))
        return false;
    list->count++;
    return true;
}

/* A tensor, and its parts as entries of their own. Parts have no parts: sparse and nested tensors are made of strided ones. */
static bool add_tensor(lister *l, const path_key *path, const ptio_value *value, const ptio_tensor *tensor, bool detached)
{
    if (!append(l, path, value, tensor, detached))
        return false;
    for (size_t i = 0; tensor->extra && i < tensor->extra->part_count; i++) {
        const ptio_tensor_part_row *part = &tensor->extra->parts[i];
        bool component = part->name[0] >= '0' && part->name[0] <= '9';
        if ((tensor->layout == PTIO_NESTED || tensor->layout == PTIO_JAGGED) && !component)
            continue; /* what the components were made of */
        const path_key *key = text_key(l, path, ptio_text_of(part->name));
        if (!key || !append(l, key, part->value, part->tensor, detached || !component))
            return false;
    }
    return true;
}

/* A whole module goes by its state_dict. */
static ptio_status add_module(lister *l, const path_key *path, const ptio_value *value, ptio_error *err)
{
    ptio_module *module;
    ptio_status status = ptio_module_open(l->ckpt, value, &module, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ptio_module_state_count(module) && status == PTIO_OK; i++) {
        const ptio_module_state *state = ptio_module_state_at(module, i);
        const ptio_tensor *tensor = state->value->seen == PTIO_KIND_TENSOR ? ptio_meaning(state->value) : NULL;
        ptio_text name = ptio_arena_text(&l->list->arena, state->name); /* the module's names end with it */
        const path_key *key = name.bytes ? text_key(l, path, name) : NULL;
        if (!key || (tensor && !add_tensor(l, key, state->value, tensor, true)))
            status = ptio_heap_fail(&l->list->heap, err, "a list of tensors");
    }
    ptio_module_free(module);
    return status;
}

/* ---- the walk ---- */

static bool has_contents(const ptio_value *value)
{
    switch (value->seen) {
    case PTIO_KIND_LIST:
    case PTIO_KIND_TUPLE:
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET:
    case PTIO_KIND_DICT: return ptio_value_count(value) || ptio_value_attributes(value) || ptio_value_slots(value);
    case PTIO_KIND_OBJECT: return value->type == PTIO_NODE_TYPE_REDUCED;
    case PTIO_KIND_NDARRAY: return ptio_value_count(value) > 0;
    case PTIO_KIND_GENERATOR: return true;
    default: return false;
    }
}

static ptio_status push(lister *l, const ptio_value *value, const path_key *path, ptio_error *err)
{
    uint64_t number;
    bool is_new = true;
    if (!ptio_pointer_map_add(&l->seen, &l->list->heap, value, 0, &number, &is_new))
        return ptio_heap_fail(&l->list->heap, err, "a list of tensors");
    if (!is_new)
        return PTIO_OK;
    if (l->depth == l->capacity) {
        void *moved = ptio_heap_grow(&l->list->heap, l->levels, &l->capacity, l->depth + 1, sizeof *l->levels);
        if (!moved)
            return ptio_heap_fail(&l->list->heap, err, "a list of tensors");
        l->levels = moved;
    }
    l->levels[l->depth++] = (level){.value = value, .path = path};
    return PTIO_OK;
}

/* What a tensor carries beside its elements: on the stack the attributes lie on top, so that they are the first to be walked. */
static ptio_status push_attributes(lister *l, const ptio_value *value, const path_key *path, ptio_error *err)
{
    const ptio_value *slots = ptio_value_slots(value), *attributes = ptio_value_attributes(value);
    ptio_status status = slots && has_contents(slots) ? push(l, slots, path, err) : PTIO_OK;
    size_t depth = l->depth;
    if (status == PTIO_OK && attributes && has_contents(attributes))
        status = push(l, attributes, path, err);
    if (l->depth > depth)
        l->levels[depth].of_tensor = true;
    return status;
}

static ptio_status visit(lister *l, const ptio_value *value, const path_key *path, ptio_error *err)
{
    if (value->seen == PTIO_KIND_TENSOR) {
        if (!add_tensor(l, path, value, ptio_meaning(value), false))
            return ptio_heap_fail(&l->list->heap, err, "a list of tensors");
        return push_attributes(l, value, path, err);
    }
    if (ptio_value_is_module(value)) {
        uint64_t number;
        bool is_new;
        if (!ptio_pointer_map_add(&l->seen, &l->list->heap, value, 0, &number, &is_new))
            return ptio_heap_fail(&l->list->heap, err, "a list of tensors");
        return is_new ? add_module(l, path, value, err) : PTIO_OK;
    }
    return has_contents(value) ? push(l, value, path, err) : PTIO_OK;
}

static bool is_private(const ptio_value *key)
{
    ptio_text text = ptio_value_str(key);
    return text.size && text.bytes[0] == '_';
}

static const ptio_value *item(const lister *l, const ptio_value *value, size_t index)
{
    return ptio_edited(l->ckpt->edits, ptio_value_item(value, index));
}

/* The next child of a value and its path; NULL where this step has no more. */
static const ptio_value *next_child(lister *l, level *top, const path_key **path, bool *failed)
{
    const ptio_value *value = top->value, *child = NULL;
    size_t index = top->index++;
    *path = top->path;
    switch (top->step) {
    case STEP_ITEMS:
        if (ptio_value_entries(value) || value->seen == PTIO_KIND_GENERATOR)
            return NULL;
        child = item(l, value, index);
        if (child && (has_contents(child) || child->seen == PTIO_KIND_TENSOR) &&
            !(*path = index_key(l, top->path, (int64_t)index)))
            *failed = true;
        return child;
    case STEP_ENTRIES:
        child = ptio_value_entries(value) ? item(l, value, index) : NULL;
        while (child && top->of_tensor && is_private(ptio_value_key(value, index)))
            child = item(l, value, index = top->index++);
        if (child && (has_contents(child) || child->seen == PTIO_KIND_TENSOR) &&
            !(*path = entry_key(l, top->path, ptio_value_key(value, index))))
            *failed = true;
        return child;
    case STEP_PARTS:
        child = value->seen == PTIO_KIND_GENERATOR && !index ? item(l, value, 2) : NULL;
        if (child && !(*path = text_key(l, top->path, PTIO_TEXT("state"))))
            *failed = true;
        return child;
    case STEP_ATTRIBUTES: return index ? NULL : ptio_edited(l->ckpt->edits, ptio_value_attributes(value));
    case STEP_STATE:
        return index || value->type != PTIO_NODE_TYPE_REDUCED || value->seen != PTIO_KIND_OBJECT ||
                       ptio_value_attributes(value) || ptio_value_slots(value)
                   ? NULL
                   : ptio_edited(l->ckpt->edits, ptio_node_state(value, 0));
    case STEP_SLOTS: return index ? NULL : ptio_edited(l->ckpt->edits, ptio_value_slots(value));
    default: return NULL;
    }
}

static ptio_status run(lister *l, const ptio_value *from, ptio_error *err)
{
    ptio_status status = visit(l, from, NULL, err);
    while (status == PTIO_OK && l->depth) {
        level *top = &l->levels[l->depth - 1];
        const path_key *path;
        bool failed = false;
        const ptio_value *child = next_child(l, top, &path, &failed);
        if (failed)
            return ptio_heap_fail(&l->list->heap, err, "a list of tensors");
        if (child) {
            status = visit(l, child, path, err);
        } else if (++top->step == STEP_END) {
            l->depth--;
        } else {
            top->index = 0;
        }
    }
    return status;
}

/* Names repeat the keys above them, and a reference takes two bytes of a pickle, so a list may cost more than the file: but in proportion
 * to the pickles and to what was made of them. */
static uint64_t budget(const ptio_checkpoint *ckpt)
{
    uint64_t bytes = 0;
    if (ckpt->edits)
        return ckpt->limits.heap_bytes; /* what is listed are values of any checkpoint */
    for (const ptio_checkpoint *part = ckpt; part; part = part == ckpt ? ckpt->children : part->sibling) {
        bytes += 8 * part->heap.used;
        for (const ptio_pickle_part *pickle = part->parts; pickle; pickle = pickle->next)
            bytes += BYTES_PER_BYTE * (uint64_t)pickle->graph.size;
    }
    bytes += BYTES_FREE;
    return bytes < ckpt->limits.heap_bytes ? bytes : ckpt->limits.heap_bytes;
}

ptio_status ptio_list_tensors(const ptio_checkpoint *ckpt, const ptio_value *from, ptio_tensor_list **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, &ckpt->heap.hooks, budget(ckpt));
    ptio_tensor_list *list = ptio_heap_resize(&heap, NULL, 0, sizeof *list);
    if (!list)
        return ptio_heap_fail(&heap, err, "a list of tensors");
    *list = (ptio_tensor_list){.heap = heap};
    ptio_arena_init(&list->arena, &list->heap);
    lister l = {.list = list, .ckpt = ckpt};
    ptio_status status;
    l.storages = ptio_heap_grow(&list->heap, NULL, &l.storage_capacity, ckpt->pool->count, sizeof *l.storages);
    if (l.storages) {
        l.storage_count = ckpt->pool->count;
        memset(l.storages, 0, l.storage_count * sizeof *l.storages);
        status = run(&l, ptio_edited(ckpt->edits, from ? from : ckpt->root), err);
    } else {
        status = ptio_heap_fail(&list->heap, err, "a list of tensors");
    }
    ptio_pointer_map_free(&l.seen, &list->heap);
    ptio_pointer_map_free(&l.tensors, &list->heap);
    ptio_heap_free(&list->heap, l.levels, l.capacity * sizeof *l.levels);
    ptio_pointer_map_free(&l.foreign, &list->heap);
    ptio_heap_free(&list->heap, l.storages, l.storage_capacity * sizeof *l.storages);
    if (status == PTIO_OK)
        *ret = list;
    else
        ptio_tensor_list_free(list);
    return status;
}

size_t ptio_tensor_list_count(const ptio_tensor_list *list)
{
    return list ? list->count : 0;
}

const ptio_tensor_entry *ptio_tensor_list_entry(const ptio_tensor_list *list, size_t index)
{
    return list && index < list->count ? &list->entries[index] : NULL;
}

ptio_path_key ptio_tensor_list_path(const ptio_tensor_list *list, size_t entry, size_t index)
{
    const path_key *key = list && entry < list->count ? list->paths[entry] : NULL;
    while (key && key->count > index + 1)
        key = key->parent;
    if (!key || key->count != index + 1)
        return (ptio_path_key){0};
    return (ptio_path_key){.is_index = key->is_index, .index = key->index, .text = {key->text, key->text_size}, .key = key->key};
}

ptio_tensor_totals ptio_tensor_list_totals(const ptio_tensor_list *list)
{
    return list ? list->totals : (ptio_tensor_totals){0};
}

void ptio_tensor_list_free(ptio_tensor_list *list)
{
    if (!list)
        return;
    ptio_arena_free(&list->arena);
    ptio_heap_free(&list->heap, list->entries, list->capacity * sizeof *list->entries);
    ptio_heap_free(&list->heap, list->paths, list->path_capacity * sizeof *list->paths);
    ptio_heap heap = list->heap;
    ptio_heap_free(&heap, list, sizeof *list);
}
