/*
 * Walks: every value and what is in it, depth first, without recursion. A frame remembers how far a value's contents have come: which
 * stage (items, entries, parts, attributes …) and which index in it.
 */
#include "base/error.h"
#include "base/pointer_map.h"
#include "torch/meaning.h"

/* Scopes forget what they met, so arguments that many objects share are walked for each of them. So often, by default: 16 times the
 * visits that are no repetitions, and a million. */
#define REPEATS_PER_VISIT 16
#define REPEATS_FREE 62500

/** The stages of contents, in order. A value skips those that it has not. */
typedef enum stage {
    STAGE_RAW_CALLABLE,
    STAGE_RAW_ARGUMENTS,
    STAGE_RAW_KEYWORDS,
    STAGE_FACTORY,
    STAGE_PARTS,
    STAGE_ITEMS,
    STAGE_ENTRIES, /* key and value alternate: index counts both */
    STAGE_RAW_STATES,
    STAGE_ATTRIBUTES,
    STAGE_STATE,
    STAGE_SLOTS,
    STAGE_CALLABLE, /* from here on a scope: what is first met in it is forgotten again */
    STAGE_ARGUMENTS,
    STAGE_KEYWORDS,
    STAGE_END
} stage;

typedef struct frame {
    const ptio_value *value;
    uint64_t number;
    uint64_t stage : 8;
    uint64_t repeated : 1; /* it was walked before, and forgotten */
    uint64_t index : 55;
} frame;

typedef struct walker {
    ptio_heap heap;
    bool raw, arguments;
    const ptio_builder *edits;
    frame *frames;
    size_t depth, capacity;
    ptio_pointer_map seen;
    const void **scoped; /* met first inside a scope, for forgetting */
    size_t scoped_count, scoped_capacity;
    ptio_pointer_map ever; /* all that was ever met first inside a scope */
    size_t scopes;
    uint64_t next_number, visits, most_visits;
    uint64_t repeated; /* of the visits, those of what was forgotten and all in it */
    ptio_walk_visitor visitor;
    void *ctx;
} walker;

/* Whether it matters that two places hold the same object. */
static bool can_be_shared(const walker *w, const ptio_value *value)
{
    if (value == &ptio_empty_tuple.head)
        return true;
    if (value->flags & PTIO_NODE_CONSTANT)
        return false;
    if (w->raw)
        return value->type >= PTIO_NODE_TYPE_STR;
    switch (value->seen) {
    case PTIO_KIND_BYTEARRAY:
    case PTIO_KIND_LIST:
    case PTIO_KIND_TUPLE:
    case PTIO_KIND_SET:
    case PTIO_KIND_FROZENSET:
    case PTIO_KIND_DICT:
    case PTIO_KIND_OBJECT:
    case PTIO_KIND_TENSOR:
    case PTIO_KIND_STORAGE:
    case PTIO_KIND_GENERATOR:
    case PTIO_KIND_NDARRAY: return true;
    default: return false;
    }
}

/* What makes a value the one it is. A persistent id may be written many times for one storage (or tensor, in tar files). */
static const void *identity_of(const walker *w, const ptio_value *value)
{
    const void *meaning = !w->raw && value->type == PTIO_NODE_TYPE_PERSISTENT ? ptio_meaning(value) : NULL;
    return meaning ? meaning : value;
}

static bool has_contents(const walker *w, const ptio_value *value)
{
    if (w->raw)
        return value->type >= PTIO_NODE_TYPE_TUPLE && value->type != PTIO_NODE_TYPE_GLOBAL;
    return can_be_shared(w, value) && value->seen != PTIO_KIND_BYTEARRAY && value->seen != PTIO_KIND_STORAGE;
}

/* The state of an object that is neither attributes nor slots. */
static const ptio_value *odd_state(const ptio_value *value)
{
    if (value->type != PTIO_NODE_TYPE_REDUCED || value->seen != PTIO_KIND_OBJECT || ptio_value_attributes(value) ||
        ptio_value_slots(value))
        return NULL;
    return ptio_node_state(value, 0);
}

/* Child number `index` of a stage; NULL beyond the last. Fills in what the stage knows of it. */
static const ptio_value *plain_child(const walker *w, const ptio_value *value, stage at, size_t index, ptio_visit *visit)
{
    visit->index = index;
    visit->key = NULL;
    visit->name = NULL;
    bool object = value->type == PTIO_NODE_TYPE_REDUCED && value->seen == PTIO_KIND_OBJECT;
    switch (at) {
    case STAGE_RAW_CALLABLE: visit->role = PTIO_ROLE_CALLABLE; return w->raw && !index ? ptio_node_callable(value) : NULL;
    case STAGE_RAW_ARGUMENTS: visit->role = PTIO_ROLE_ARGUMENTS; return w->raw && !index ? ptio_node_arguments(value) : NULL;
    case STAGE_RAW_KEYWORDS: visit->role = PTIO_ROLE_KEYWORDS; return w->raw && !index ? ptio_node_keywords(value) : NULL;
    case STAGE_FACTORY: visit->role = PTIO_ROLE_FACTORY; return w->raw || index ? NULL : ptio_value_factory(value);
    case STAGE_PARTS: {
        visit->role = PTIO_ROLE_PART;
        if (w->raw)
            return NULL;
        if (value->seen == PTIO_KIND_GENERATOR) {
            visit->name = "state";
            return index ? NULL : ptio_value_item(value, 2);
        }
        const ptio_tensor *tensor = value->seen == PTIO_KIND_TENSOR ? ptio_meaning(value) : NULL;
        if (!tensor || !tensor->extra || index >= tensor->extra->part_count)
            return NULL;
        visit->name = tensor->extra->parts[index].name;
        return tensor->extra->parts[index].value;
    }
    case STAGE_ITEMS:
        visit->role = PTIO_ROLE_ITEM;
        if (w->raw)
            return ptio_node_item(value, index);
        return ptio_value_entries(value) || value->seen == PTIO_KIND_GENERATOR ? NULL : ptio_value_item(value, index);
    case STAGE_ENTRIES: {
        const ptio_value *key = w->raw ? ptio_node_entry_key(value, index / 2) : ptio_value_key(value, index / 2);
        visit->index = index / 2;
        visit->role = index % 2 ? PTIO_ROLE_VALUE : PTIO_ROLE_KEY;
        if (!key || index % 2 == 0)
            return key;
        visit->key = key;
        return w->raw ? ptio_node_entry_value(value, index / 2) : ptio_value_item(value, index / 2);
    }
    case STAGE_RAW_STATES: visit->role = PTIO_ROLE_STATE; return w->raw ? ptio_node_state(value, index) : NULL;
    case STAGE_ATTRIBUTES: visit->role = PTIO_ROLE_ATTRIBUTES; return w->raw || index ? NULL : ptio_value_attributes(value);
    case STAGE_STATE: visit->role = PTIO_ROLE_STATE; return w->raw || index ? NULL : odd_state(value);
    case STAGE_SLOTS: visit->role = PTIO_ROLE_SLOTS; return w->raw || index ? NULL : ptio_value_slots(value);
    case STAGE_CALLABLE:
        visit->role = PTIO_ROLE_CALLABLE;
        return w->arguments && object && !index ? ptio_node_callable(value) : NULL;
    case STAGE_ARGUMENTS:
        visit->role = PTIO_ROLE_ARGUMENTS;
        return w->arguments && object && !index ? ptio_node_arguments(value) : NULL;
    case STAGE_KEYWORDS:
        visit->role = PTIO_ROLE_KEYWORDS;
        return w->arguments && object && !index ? ptio_node_keywords(value) : NULL;
    default: return NULL;
    }
}

/* The same, as it was edited. */
static const ptio_value *child_of(const walker *w, const ptio_value *value, stage at, size_t index, ptio_visit *visit)
{
    const ptio_value *child = plain_child(w, value, at, index, visit);
    visit->key = ptio_edited(w->edits, visit->key);
    return ptio_edited(w->edits, child);
}

/* A part without a value of its own (scales made of a list) is no end of the parts. */
static bool stage_has_more(const walker *w, const frame *top)
{
    const ptio_tensor *tensor = top->value->seen == PTIO_KIND_TENSOR ? ptio_meaning(top->value) : NULL;
    return top->stage == STAGE_PARTS && !w->raw && tensor && tensor->extra && top->index < tensor->extra->part_count;
}

static void enter_scope(walker *w, frame *top)
{
    if (w->arguments && top->stage == STAGE_CALLABLE)
        w->scopes++;
}

/* Forget what the outermost scope met first. */
static void leave_scope(walker *w, const frame *top)
{
    if (!w->arguments || top->stage < STAGE_CALLABLE || --w->scopes)
        return;
    while (w->scoped_count)
        ptio_pointer_map_remove(&w->seen, w->scoped[--w->scoped_count]);
}

static bool remember_scoped(walker *w, const void *value)
{
    if (w->scoped_count == w->scoped_capacity) {
        void *moved = ptio_heap_grow(&w->heap, w->scoped, &w->scoped_capacity, w->scoped_count + 1, sizeof *w->scoped);
        if (!moved)
            return false;
        w->scoped = moved;
    }
    w->scoped[w->scoped_count++] = value;
    return true;
}

/* Note that a scope meets a value first. *repeated becomes true where an earlier scope did too. */
static bool enter_scoped(walker *w, const void *identity, bool *repeated)
{
    uint64_t number;
    bool is_new;
    if (!remember_scoped(w, identity) || !ptio_pointer_map_add(&w->ever, &w->heap, identity, 0, &number, &is_new))
        return false;
    *repeated = *repeated || !is_new;
    return true;
}

static ptio_status over_budget(const walker *w, ptio_error *err)
{
    if (w->most_visits != UINT64_MAX)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.walk-nodes", PTIO_NO_OFFSET,
                         "the walk visits more than the %llu values that walk_nodes allows", (unsigned long long)w->most_visits);
    return ptio_fail(err, PTIO_ERR_LIMIT, "limit.walk-nodes", PTIO_NO_OFFSET,
                     "arguments that objects share make the walk visit the same values %llu times more",
                     (unsigned long long)w->repeated);
}

static ptio_status push(walker *w, const ptio_value *value, uint64_t number, bool repeated, ptio_error *err)
{
    if (w->depth == w->capacity) {
        frame *moved = ptio_heap_grow(&w->heap, w->frames, &w->capacity, w->depth + 1, sizeof *w->frames);
        if (!moved)
            return ptio_heap_fail(&w->heap, err, "a walk");
        w->frames = moved;
    }
    w->frames[w->depth++] = (frame){.value = value, .number = number, .repeated = repeated};
    return PTIO_OK;
}

static ptio_status stopped(ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_CANCELLED, "cancelled", PTIO_NO_OFFSET, "the visitor stopped the walk");
}

/* Visit one value for the first time on its way, and open its contents. */
static ptio_status arrive(walker *w, const ptio_value *value, ptio_visit *visit, ptio_error *err)
{
    if (w->visits++ >= w->most_visits)
        return over_budget(w, err);
    bool shared = can_be_shared(w, value), is_new = true, repeated = w->depth && w->frames[w->depth - 1].repeated;
    visit->value = value;
    visit->depth = w->depth;
    visit->number = w->next_number;
    visit->leaving = false;
    if (shared) {
        const void *identity = identity_of(w, value);
        if (!ptio_pointer_map_add(&w->seen, &w->heap, identity, w->next_number, &visit->number, &is_new) ||
            (is_new && w->scopes && !enter_scoped(w, identity, &repeated)))
            return ptio_heap_fail(&w->heap, err, "a walk");
        w->next_number += is_new;
    }
    w->repeated += repeated;
    if (w->repeated / REPEATS_PER_VISIT > w->visits - w->repeated + REPEATS_FREE)
        return over_budget(w, err);
    visit->again = !is_new;
    ptio_walk_next next = w->visitor(w->ctx, visit);
    if (next == PTIO_WALK_STOP)
        return stopped(err);
    return next == PTIO_WALK_ON && is_new && has_contents(w, value) ? push(w, value, visit->number, repeated, err) : PTIO_OK;
}

/* All contents of the top value are done: visit it a second time, as its parent's child. */
static ptio_status depart(walker *w, ptio_error *err)
{
    frame done = w->frames[--w->depth];
    leave_scope(w, &done);
    ptio_visit visit = {.role = PTIO_ROLE_ROOT};
    if (w->depth) {
        const frame *parent = &w->frames[w->depth - 1];
        (void)child_of(w, parent->value, (stage)parent->stage, (size_t)(parent->index - 1), &visit);
        visit.parent = parent->value;
    }
    visit.value = done.value;
    visit.number = done.number;
    visit.depth = w->depth;
    visit.leaving = true;
    return w->visitor(w->ctx, &visit) == PTIO_WALK_STOP ? stopped(err) : PTIO_OK;
}

static ptio_status step(walker *w, ptio_error *err)
{
    frame *top = &w->frames[w->depth - 1];
    while (top->stage < STAGE_END) {
        ptio_visit visit = {.parent = top->value};
        const ptio_value *child = child_of(w, top->value, (stage)top->stage, (size_t)top->index, &visit);
        if (child) {
            top->index++;
            return arrive(w, child, &visit, err);
        }
        if (stage_has_more(w, top)) {
            top->index++;
            continue;
        }
        top->stage++;
        top->index = 0;
        enter_scope(w, top);
    }
    return depart(w, err);
}

/* The options of a caller that may know fewer fields than this library. */
static ptio_walk_options known_options(const ptio_walk_options *given)
{
    ptio_walk_options options = {PTIO_WALK_OPTIONS};
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    return options;
}

ptio_status ptio_walk(const ptio_value *from, const ptio_walk_options *given, ptio_walk_visitor visitor, void *ctx,
                      ptio_error *err)
{
    if (!from)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "there is no value to walk");
    ptio_walk_options options = known_options(given);
    walker w = {.visitor = visitor,
                .ctx = ctx,
                .raw = options.raw,
                .arguments = options.arguments,
                .edits = options.edits,
                .most_visits = UINT64_MAX};
    ptio_heap_init(&w.heap, options.memory, options.limits ? options.limits->heap_bytes : 0);
    if (options.limits && options.limits->walk_nodes)
        w.most_visits = options.limits->walk_nodes;
    ptio_visit root = {.role = PTIO_ROLE_ROOT};
    ptio_status status = arrive(&w, ptio_edited(w.edits, from), &root, err);
    while (status == PTIO_OK && w.depth)
        status = step(&w, err);
    ptio_pointer_map_free(&w.seen, &w.heap);
    ptio_pointer_map_free(&w.ever, &w.heap);
    ptio_heap_free(&w.heap, w.frames, w.capacity * sizeof *w.frames);
    ptio_heap_free(&w.heap, w.scoped, w.scoped_capacity * sizeof *w.scoped);
    return status;
}
