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

#define MOST_ENTRIES 10000000u
#define MOST_DEPTH 5000u /* Python's own state_dict() ends at a thousand */
#define BYTES_FREE ((uint64_t)64 << 20)

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

typedef struct builder {
    ptio_module *result;
    ptio_pointer_map seen;
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

static bool holds_text(const ptio_value *set, ptio_text name)
{
    for (size_t i = 0; i < ptio_value_count(set); i++) {
        if (ptio_text_equal(ptio_value_str(ptio_value_item(set, i)), name))
            return true;
    }
    return false;
}

/* Entries of one dict of the module that are not None, those named in `left_out` excepted. */
static bool add_states(builder *b, ptio_text prefix, const ptio_value *dict, const ptio_value *left_out)
{
    for (size_t i = 0; i < ptio_value_count(dict); i++) {
        const ptio_value *value = ptio_value_item(dict, i);
        ptio_text name = ptio_value_str(ptio_value_key(dict, i));
        if (value->seen == PTIO_KIND_NONE || !name.bytes || holds_text(left_out, name))
            continue;
        if (!add_state(b, prefix, name, value))
            return false;
    }
    return true;
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
                                                        .training = ptio_value_bool(ptio_value_attribute(module, "training"))};
    return true;
}

/* Note a module and its own entries, and go on with its children. */
static ptio_status enter(builder *b, ptio_text name, const ptio_value *module, ptio_error *err)
{
    ptio_module *m = b->result;
    if (b->depth >= MOST_DEPTH)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.modules", PTIO_NO_OFFSET,
                         "the module holds itself, or modules more than %u deep", MOST_DEPTH);
    if (m->state_count > MOST_ENTRIES || m->module_count > MOST_ENTRIES)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.modules", PTIO_NO_OFFSET, "the module holds more than %u modules or entries",
                         MOST_ENTRIES);
    if (!add_module(b, name, module) || !add_states(b, name, ptio_value_attribute(module, "_parameters"), NULL) ||
        !add_states(b, name, ptio_value_attribute(module, "_buffers"),
                    ptio_value_attribute(module, "_non_persistent_buffers_set")) ||
        !grow(b, (void **)&b->levels, &b->capacity, b->depth, sizeof *b->levels))
        return ptio_heap_fail(&m->heap, err, "a module");
    b->levels[b->depth++] = (level){.module = module, .children = ptio_value_attribute(module, "_modules"), .name = name};
    return PTIO_OK;
}

static ptio_status build(builder *b, const ptio_value *value, ptio_error *err)
{
    ptio_status status = enter(b, PTIO_TEXT(""), value, err);
    while (status == PTIO_OK && b->depth) {
        level *top = &b->levels[b->depth - 1];
        if (top->next >= ptio_value_count(top->children)) {
            b->depth--;
            continue;
        }
        const ptio_value *child = ptio_value_item(top->children, top->next);
        ptio_text name = ptio_value_str(ptio_value_key(top->children, top->next)), full;
        top->next++;
        if (!ptio_value_is_module(child) || !name.bytes)
            continue; /* None, or no module that the state tells of */
        if (!join(b, top->name, name, &full))
            return ptio_heap_fail(&b->result->heap, err, "a module");
        status = enter(b, full, child, err);
    }
    return status;
}

/* Modules in many places, and long names that all names below repeat, may not cost far more than the pickles do. */
static uint64_t budget(const ptio_checkpoint *ckpt)
{
    uint64_t bytes = 0;
    for (const ptio_pickle_part *part = ckpt->parts; part; part = part->next)
        bytes += part->graph.size;
    if (!ptio_mul_u64(bytes, ckpt->limits.heap_per_byte, &bytes) || !ptio_add_u64(bytes, BYTES_FREE, &bytes))
        return ckpt->limits.heap_bytes;
    return bytes < ckpt->limits.heap_bytes ? bytes : ckpt->limits.heap_bytes;
}

ptio_status ptio_module_open(const ptio_checkpoint *ckpt, const ptio_value *value, ptio_module **ret, ptio_error *err)
{
    if (!ptio_value_is_module(value))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.kind", PTIO_NO_OFFSET, "the value is no module");
    ptio_heap heap;
    ptio_heap_init(&heap, &ckpt->heap.hooks, budget(ckpt));
    ptio_module *module = ptio_heap_resize(&heap, NULL, 0, sizeof *module);
    if (!module)
        return ptio_heap_fail(&heap, err, "a module");
    *module = (ptio_module){.heap = heap};
    ptio_arena_init(&module->arena, &module->heap);
    builder b = {.result = module};
    ptio_status status = build(&b, value, err);
    ptio_pointer_map_free(&b.seen, &module->heap);
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
