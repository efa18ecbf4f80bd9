/*
 * A whole torch.nn.Module as PyTorch sees it: named_modules() and state_dict(), from the state alone.
 *
 * The state of a module is a dict with _parameters, _buffers, _modules and _non_persistent_buffers_set. named_modules() names each
 * module once, at its first place; state_dict() goes through all places, so that a module used twice has its entries twice.
 * Classes that override these methods (quantized modules) are told by their state all the same.
 *
 * Source: torch/nn/modules/module.py: named_modules, _save_to_state_dict
 */
#include <string.h>

#include "base/pointer_map.h"
#include "torch/meaning.h"

#define BYTES_FREE ((uint64_t)64 << 20)
#define STEPS_FREE 10000000u
#define STEPS_PER_BYTE 16u

struct ptio_module {
    ptio_heap heap;
    ptio_arena arena;
    ptio_module_entry *modules;
    size_t module_count, module_capacity;
    ptio_module_state *states;
    size_t state_count, state_capacity;
};

/* One module on the way down: where its children have come to. */
typedef struct level {
    const ptio_value *module, *children;
    ptio_text name;
    size_t next;
} level;

/* A name in a set, both by address: that of one item of _non_persistent_buffers_set. */
typedef struct left_out {
    const ptio_value *set; /* NULL: free */
    ptio_text name;
} left_out;

typedef struct builder {
    ptio_module *result;
    const ptio_builder *edits;
    ptio_pointer_map seen;                    /* modules that have a name */
    ptio_pointer_map open;                    /* those on the way down    */
    ptio_pointer_map sets;                    /* whose names are among those left out */
    left_out *left_out;                       /* a hash table             */
    size_t left_out_count, left_out_capacity; /* the latter a power of two, or 0 */
    uint64_t hash_key;
    uint64_t steps; /* left: entries that may be looked at, again in each place of a module */
    level *levels;
    size_t depth, capacity;
} builder;

static bool join(builder *b, ptio_text prefix, ptio_text name, ptio_text *ret)
{
    if (!prefix.size) {
        *ret = name;
        return true;
    }
    char *text = ptio_arena_alloc(&b->result->arena, prefix.size + 1 + name.size);
    if (!text)
        return false;
    memcpy(text, prefix.bytes, prefix.size);
    text[prefix.size] = '.';
    memcpy(text + prefix.size + 1, name.bytes, name.size);
    *ret = (ptio_text){text, prefix.size + 1 + name.size};
    return true;
}

static bool grow(builder *b, void **table, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    void *moved = ptio_heap_grow(&b->result->heap, *table, capacity, count + 1, size);
    if (moved)
        *table = moved;
    return moved != NULL;
}

static bool add_state(builder *b, ptio_text prefix, ptio_text name, const ptio_value *value)
{
    ptio_module *m = b->result;
    ptio_text full;
    if (!join(b, prefix, name, &full) || !grow(b, (void **)&m->states, &m->state_capacity, m->state_count, sizeof *m->states))
        return false;
    m->states[m->state_count++] = (ptio_module_state){full, value};
    return true;
}

/* ---- names of buffers that are not saved ---- */

static left_out *left_out_slot(left_out *slots, size_t capacity, uint64_t hash_key, const ptio_value *set, ptio_text name)
{
    size_t i = (size_t)ptio_hash(hash_key ^ (uint64_t)(uintptr_t)set, name.bytes, name.size);
    while (slots[i & (capacity - 1)].set &&
           (slots[i & (capacity - 1)].set != set || !ptio_text_equal(slots[i & (capacity - 1)].name, name)))
        i++;
    return &slots[i & (capacity - 1)];
}

static bool grow_left_out(builder *b)
{
    size_t capacity = b->left_out_capacity ? 4 * b->left_out_capacity : 64, bytes;
    left_out *slots = ptio_mul_size(capacity, sizeof *slots, &bytes) ? ptio_heap_resize(&b->result->heap, NULL, 0, bytes) : NULL;
    if (!slots)
        return false;
    memset(slots, 0, bytes);
    for (size_t i = 0; i < b->left_out_capacity; i++) {
        const left_out *old = &b->left_out[i];
        if (old->set)
            *left_out_slot(slots, capacity, b->hash_key, old->set, old->name) = *old;
    }
    ptio_heap_free(&b->result->heap, b->left_out, b->left_out_capacity * sizeof *slots);
    b->left_out = slots;
    b->left_out_capacity = capacity;
    return true;
}

/* Put the names of a set into the table, the first time that it is met: a set may be that of many modules, and a module in many places. */
static bool note_left_out(builder *b, const ptio_value *set)
{
    uint64_t number;
    bool is_new;
    if (!ptio_value_count(set))
        return true;
    if (!ptio_pointer_map_add(&b->sets, &b->result->heap, set, 0, &number, &is_new))
        return false;
    for (size_t i = 0; is_new && i < ptio_value_count(set); i++) {
        ptio_text name = ptio_value_str(ptio_value_item(set, i));
        if (!name.bytes)
            continue;
        if (b->left_out_count >= b->left_out_capacity / 2 && !grow_left_out(b))
            return false;
        left_out *slot = left_out_slot(b->left_out, b->left_out_capacity, b->hash_key, set, name);
        b->left_out_count += !slot->set;
        *slot = (left_out){set, name};
    }
    return true;
}

static bool is_left_out(const builder *b, const ptio_value *set, ptio_text name)
{
    return set && b->left_out_capacity && left_out_slot(b->left_out, b->left_out_capacity, b->hash_key, set, name)->set;
}

/* ---- modules ---- */

/* Entries of one dict of the module that are not None, those named in `without` excepted. */
static bool add_states(builder *b, ptio_text prefix, const ptio_value *dict, const ptio_value *without)
{
    for (size_t i = 0; i < ptio_value_count(dict); i++) {
        const ptio_value *value = ptio_edited(b->edits, ptio_value_item(dict, i));
        ptio_text name = ptio_value_str(ptio_value_key(dict, i));
        if (value->seen == PTIO_KIND_NONE || !name.bytes || is_left_out(b, without, name))
            continue;
        if (!add_state(b, prefix, name, value))
            return false;
    }
    return true;
}

static const ptio_value *attribute(const builder *b, const ptio_value *module, const char *name)
{
    return ptio_edited(b->edits, ptio_value_get(ptio_edited(b->edits, ptio_value_attributes(module)), name));
}

static bool add_module(builder *b, ptio_text name, const ptio_value *module)
{
    ptio_module *m = b->result;
    uint64_t number;
    bool is_new;
    if (!ptio_pointer_map_add(&b->seen, &m->heap, module, 0, &number, &is_new))
        return false;
    if (!is_new)
        return true;
    if (!grow(b, (void **)&m->modules, &m->module_capacity, m->module_count, sizeof *m->modules))
        return false;
    m->modules[m->module_count++] = (ptio_module_entry){.name = name,
                                                        .class_name = ptio_value_class(module),
                                                        .value = module,
                                                        .training = ptio_value_bool(attribute(b, module, "training"))};
    return true;
}

static bool take_steps(builder *b, size_t steps)
{
    if (steps >= b->steps)
        return false;
    b->steps -= steps;
    return true;
}

/* Note a module and its own entries, and go on with its children. */
static ptio_status enter(builder *b, ptio_text name, const ptio_value *module, ptio_error *err)
{
    ptio_heap *heap = &b->result->heap;
    const ptio_value *parameters = attribute(b, module, "_parameters"), *buffers = attribute(b, module, "_buffers"),
                     *without = attribute(b, module, "_non_persistent_buffers_set");
    uint64_t number;
    bool is_new;
    if (!take_steps(b, 1 + ptio_value_count(parameters) + ptio_value_count(buffers)))
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.modules", PTIO_NO_OFFSET,
                         "the modules in it have far more entries in all their places than the file has");
    if (!ptio_pointer_map_add(&b->open, heap, module, 0, &number, &is_new))
        return ptio_heap_fail(heap, err, "a module");
    if (!is_new)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.modules", PTIO_NO_OFFSET, "a module holds itself");
    if (!add_module(b, name, module) || !note_left_out(b, without) || !add_states(b, name, parameters, NULL) ||
        !add_states(b, name, buffers, without) || !grow(b, (void **)&b->levels, &b->capacity, b->depth, sizeof *b->levels))
        return ptio_heap_fail(heap, err, "a module");
    b->levels[b->depth++] = (level){.module = module, .children = attribute(b, module, "_modules"), .name = name};
    return PTIO_OK;
}

static ptio_status build(builder *b, const ptio_value *value, ptio_error *err)
{
    ptio_status status = enter(b, PTIO_TEXT(""), value, err);
    while (status == PTIO_OK && b->depth) {
        level *top = &b->levels[b->depth - 1];
        if (top->next >= ptio_value_count(top->children)) {
            ptio_pointer_map_remove(&b->open, top->module);
            b->depth--;
            continue;
        }
        const ptio_value *child = ptio_edited(b->edits, ptio_value_item(top->children, top->next));
        ptio_text name = ptio_value_str(ptio_value_key(top->children, top->next)), full;
        top->next++;
        if (!take_steps(b, 1))
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.modules", PTIO_NO_OFFSET,
                             "the modules in it have far more entries in all their places than the file has");
        if (!ptio_value_is_module(child) || !name.bytes)
            continue; /* None, or no module that the state tells of */
        if (!join(b, top->name, name, &full))
            return ptio_heap_fail(&b->result->heap, err, "a module");
        status = enter(b, full, child, err);
    }
    return status;
}

/* Modules in many places, and long names that all names below repeat, may not cost far more than the pickles do. */
static uint64_t pickle_bytes(const ptio_checkpoint *ckpt)
{
    uint64_t bytes = 0;
    for (const ptio_pickle_part *part = ckpt->parts; part; part = part->next)
        bytes += part->graph.size;
    return bytes;
}

static uint64_t budget(const ptio_checkpoint *ckpt)
{
    uint64_t bytes = pickle_bytes(ckpt);
    if (ckpt->edits || !ptio_mul_u64(bytes, ckpt->limits.heap_per_byte, &bytes) || !ptio_add_u64(bytes, BYTES_FREE, &bytes))
        return ckpt->limits.heap_bytes;
    return bytes < ckpt->limits.heap_bytes ? bytes : ckpt->limits.heap_bytes;
}

ptio_status ptio_module_open(const ptio_checkpoint *ckpt, const ptio_value *value, ptio_module **ret, ptio_error *err)
{
    value = ptio_edited(ckpt->edits, value);
    if (!ptio_value_is_module(value))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.kind", PTIO_NO_OFFSET, "the value is no module");
    ptio_heap heap;
    ptio_heap_init(&heap, &ckpt->heap.hooks, budget(ckpt));
    ptio_module *module = ptio_heap_resize(&heap, NULL, 0, sizeof *module);
    if (!module)
        return ptio_heap_fail(&heap, err, "a module");
    *module = (ptio_module){.heap = heap};
    ptio_arena_init(&module->arena, &module->heap);
    builder b = {.result = module,
                 .edits = ckpt->edits,
                 .hash_key = ptio_os_random(),
                 .steps = STEPS_FREE + STEPS_PER_BYTE * pickle_bytes(ckpt)};
    ptio_status status = build(&b, value, err);
    ptio_pointer_map_free(&b.seen, &module->heap);
    ptio_pointer_map_free(&b.open, &module->heap);
    ptio_pointer_map_free(&b.sets, &module->heap);
    ptio_heap_free(&module->heap, b.left_out, b.left_out_capacity * sizeof *b.left_out);
    ptio_heap_free(&module->heap, b.levels, b.capacity * sizeof *b.levels);
    if (status == PTIO_OK)
        *ret = module;
    else
        ptio_module_free(module);
    return status;
}

size_t ptio_module_count(const ptio_module *module)
{
    return module ? module->module_count : 0;
}

const ptio_module_entry *ptio_module_entry_at(const ptio_module *module, size_t index)
{
    return module && index < module->module_count ? &module->modules[index] : NULL;
}

size_t ptio_module_state_count(const ptio_module *module)
{
    return module ? module->state_count : 0;
}

const ptio_module_state *ptio_module_state_at(const ptio_module *module, size_t index)
{
    return module && index < module->state_count ? &module->states[index] : NULL;
}

void ptio_module_free(ptio_module *module)
{
    if (!module)
        return;
    ptio_arena_free(&module->arena);
    ptio_heap_free(&module->heap, module->modules, module->module_capacity * sizeof *module->modules);
    ptio_heap_free(&module->heap, module->states, module->state_capacity * sizeof *module->states);
    ptio_heap heap = module->heap;
    ptio_heap_free(&heap, module, sizeof *module);
}
