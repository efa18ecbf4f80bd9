/*
 * Opcodes that fill, complete and make containers and objects, and what all opcodes share: errors, room, memo.
 */
#include "pickle/machine.h"
#include "pickle/key.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ptio_status ptio_machine_fail(ptio_machine *m, ptio_status status, const char *reason, const char *format, ...)
{
    char message[sizeof m->err->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return ptio_fail(m->err, status, reason, (uint64_t)(m->op - m->start), "%s", message);
}

ptio_status ptio_machine_memory(ptio_machine *m)
{
    ptio_status status = ptio_heap_fail(m->heap, m->err, "the values of the pickle");
    if (m->err && m->err->offset == PTIO_NO_OFFSET)
        m->err->offset = (uint64_t)(m->op - m->start);
    return status;
}

static const char *op_name(const ptio_machine *m)
{
    return ptio_opcode_name(*m->op);
}

ptio_status ptio_machine_truncated(ptio_machine *m)
{
    if (m->end < m->limit)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.frame-straddled", "%s reaches over the end of its frame",
                                 op_name(m));
    if (m->cut)
        return ptio_machine_fail(m, PTIO_ERR_LIMIT, "limit.pickle-bytes",
                                 "the pickle is longer than the %llu bytes that pickle_bytes allows",
                                 (unsigned long long)(m->limit - m->start));
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.truncated", "the pickle is cut off in the argument of %s", op_name(m));
}

ptio_status ptio_machine_underflow(ptio_machine *m, size_t need)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.stack", "%s needs %zu value%s, the stack has %zu%s", op_name(m), need,
                             need == 1 ? "" : "s", (size_t)(m->top - m->floor), m->mark_count ? " above its mark" : "");
}

ptio_status ptio_machine_no_mark(ptio_machine *m)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.mark", "%s needs a mark, the stack has none", op_name(m));
}

ptio_status ptio_machine_grow_stack(ptio_machine *m)
{
    size_t top = m->stack ? (size_t)(m->top - m->stack) : 0, floor = m->stack ? (size_t)(m->floor - m->stack) : 0;
    ptio_value **stack = ptio_heap_grow(m->heap, m->stack, &m->stack_capacity, top + 1, sizeof *stack);
    if (!stack)
        return ptio_machine_memory(m);
    m->stack = stack;
    m->stack_end = stack + m->stack_capacity;
    m->top = stack + top;
    m->floor = stack + floor;
    return PTIO_OK;
}

ptio_status ptio_machine_grow_marks(ptio_machine *m)
{
    size_t *marks = ptio_heap_grow(m->heap, m->marks, &m->mark_capacity, m->mark_count + 1, sizeof *marks);
    if (!marks)
        return ptio_machine_memory(m);
    m->marks = marks;
    return PTIO_OK;
}

ptio_status ptio_machine_grow_objects(ptio_machine *m, size_t need)
{
    ptio_graph *graph = m->graph;
    const ptio_value **objects = ptio_arena_grow(graph->arena, graph->objects, &graph->object_capacity, need, sizeof *objects);
    if (!objects)
        return ptio_machine_memory(m);
    graph->objects = objects;
    return PTIO_OK;
}

static ptio_status note_object(ptio_machine *m, ptio_value *object)
{
    ptio_graph *graph = m->graph;
    if (graph->object_count == graph->object_capacity && ptio_machine_grow_objects(m, graph->object_count + 1) != PTIO_OK)
        return ptio_machine_memory(m);
    graph->objects[graph->object_count++] = object;
    return PTIO_OK;
}

static ptio_status note_dict(ptio_machine *m, ptio_node_dict *dict)
{
    ptio_graph *graph = m->graph;
    if (graph->dict_count == graph->dict_capacity) {
        ptio_node_dict **dicts =
            ptio_arena_grow(graph->arena, graph->dicts, &graph->dict_capacity, graph->dict_count + 1, sizeof *dicts);
        if (!dicts)
            return ptio_machine_memory(m);
        graph->dicts = dicts;
    }
    graph->dicts[graph->dict_count++] = dict;
    return PTIO_OK;
}

static ptio_status note_set(ptio_machine *m, ptio_node_list *set)
{
    ptio_graph *graph = m->graph;
    if (graph->set_count == graph->set_capacity) {
        ptio_node_list **sets =
            ptio_arena_grow(graph->arena, graph->sets, &graph->set_capacity, graph->set_count + 1, sizeof *sets);
        if (!sets)
            return ptio_machine_memory(m);
        graph->sets = sets;
    }
    graph->sets[graph->set_count++] = set;
    return PTIO_OK;
}

ptio_status ptio_machine_push(ptio_machine *m, ptio_value *value)
{
    if (!value)
        return ptio_machine_memory(m);
    if (m->top == m->stack_end && ptio_machine_grow_stack(m) != PTIO_OK)
        return ptio_machine_memory(m);
    *m->top++ = value;
    return PTIO_OK;
}

static size_t available(const ptio_machine *m)
{
    return (size_t)(m->top - m->floor);
}

/* Take the newest mark away: what was above it are the items, whose place and number are given. */
static ptio_status take_mark(ptio_machine *m, ptio_value ***items, size_t *count)
{
    if (!m->mark_count)
        return ptio_machine_no_mark(m);
    *items = m->floor;
    *count = available(m);
    m->top = m->floor;
    m->floor = m->stack + m->marks[--m->mark_count];
    return PTIO_OK;
}

/* The same for an opcode that puts the items into the value below the mark. */
static ptio_status take_items(ptio_machine *m, ptio_value **target, ptio_value ***items, size_t *count)
{
    ptio_status status = take_mark(m, items, count);
    if (status)
        return status;
    if (m->top == m->floor)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.stack", "%s needs a value below the mark, the stack has none",
                                 op_name(m));
    *target = m->top[-1];
    return PTIO_OK;
}

ptio_status ptio_machine_push_new(ptio_machine *m, ptio_value *value)
{
    if (value)
        value->flags |= PTIO_NODE_ONCE;
    return ptio_machine_push(m, value);
}

ptio_status ptio_do_pop(ptio_machine *m)
{
    if (m->top > m->floor) {
        m->top--;
        return PTIO_OK;
    }
    ptio_value **items = NULL;
    size_t count = 0;
    return m->mark_count ? take_mark(m, &items, &count) : ptio_machine_underflow(m, 1);
}

/* ---- the memo ---- */

ptio_status ptio_machine_put(ptio_machine *m, uint64_t number)
{
    if (m->top == m->floor)
        return ptio_machine_underflow(m, 1);
    ptio_value *value = m->top[-1];
    if (number != m->memo.count)
        m->graph->dialect.sparse_memo = true;
    if (!ptio_memo_put(&m->memo, number, value))
        return ptio_machine_memory(m);
    if (!(value->flags & PTIO_NODE_CONSTANT))
        value->flags |= PTIO_NODE_MEMOIZED;
    return PTIO_OK;
}

ptio_status ptio_machine_get(ptio_machine *m, uint64_t number)
{
    ptio_value *value = ptio_memo_get(&m->memo, number);
    if (!value)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.memo", "the memo has nothing under %llu",
                                 (unsigned long long)number);
    ptio_node_met_again(value);
    return ptio_machine_push(m, value);
}

/* ---- numbers ---- */

ptio_status ptio_machine_push_long(ptio_machine *m, const uint8_t *bytes, size_t size, unsigned flags)
{
    size = ptio_int_fewest(bytes, size);
    ptio_node_int *node = ptio_arena_alloc(m->graph->arena, sizeof *node);
    if (!node)
        return ptio_machine_memory(m);
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_INT, .seen = PTIO_KIND_INT, .flags = (uint8_t)flags};
    if (size <= 8) {
        node->u.value = ptio_int_value(bytes, size);
    } else {
        node->head.flags |= PTIO_NODE_BIG;
        node->head.count = (uint32_t)size;
        node->u.bytes = bytes;
    }
    return ptio_machine_push(m, &node->head);
}

/* ---- containers ---- */

/* What hangs on a reduced object, made when it is first needed. */
static ptio_more *more_of(ptio_machine *m, ptio_value *value)
{
    ptio_node_reduced *node = (ptio_node_reduced *)(void *)value;
    if (!node->more) {
        ptio_more *more = PTIO_NEW(m->graph->arena, ptio_more, 1);
        if (!more)
            return NULL;
        more->items.head = (ptio_value){.type = PTIO_NODE_TYPE_LIST, .seen = PTIO_KIND_LIST};
        more->states.head = more->items.head;
        more->entries.head = (ptio_value){.type = PTIO_NODE_TYPE_DICT, .seen = PTIO_KIND_DICT};
        node->more = more;
    }
    return node->more;
}

static ptio_status append(ptio_machine *m, ptio_node_list *list, ptio_value *const *items, size_t count)
{
    if (count && !ptio_block_append(m->graph->arena, &list->block, list->head.count, (const ptio_value *const *)items, count))
        return ptio_machine_memory(m);
    list->head.count += (uint32_t)count;
    return PTIO_OK;
}

static const char *const type_names[] = {"None",        "a bool",         "an int",          "a float",  "a str", "bytes",
                                         "a bytearray", "a Python 2 str", "a tuple",         "a list",   "a set", "a frozenset",
                                         "a dict",      "a global",       "a persistent id", "an object"};

static ptio_status wrong_type(ptio_machine *m, const char *wanted, const ptio_value *got)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.type", "%s needs %s, but the stack has %s", op_name(m), wanted,
                             type_names[got->type]);
}

static ptio_status extend(ptio_machine *m, ptio_value *target, ptio_value *const *items, size_t count)
{
    if (target->type == PTIO_NODE_TYPE_LIST)
        return append(m, (ptio_node_list *)(void *)target, items, count);
    if (target->type != PTIO_NODE_TYPE_REDUCED)
        return wrong_type(m, "a list or object to append to", target);
    ptio_more *more = more_of(m, target);
    return more ? append(m, &more->items, items, count) : ptio_machine_memory(m);
}

ptio_status ptio_do_append(ptio_machine *m)
{
    if (available(m) < 2)
        return ptio_machine_underflow(m, 2);
    m->top--;
    return extend(m, m->top[-1], m->top, 1);
}

ptio_status ptio_do_appends(ptio_machine *m)
{
    ptio_value *target = NULL, **items = NULL;
    size_t count = 0;
    ptio_status status = take_items(m, &target, &items, &count);
    return status ? status : extend(m, target, items, count);
}

#define BIT(type) (1u << PTIO_NODE_TYPE_##type)
#define NEVER_KEYS (BIT(LIST) | BIT(DICT) | BIT(SET) | BIT(BYTEARRAY))

static ptio_status check_key(ptio_machine *m, const ptio_value *key, bool of_set)
{
    bool hashable = !(NEVER_KEYS >> key->type & 1);
    if (key->type == PTIO_NODE_TYPE_TUPLE) {
        ptio_status status = ptio_key_check(m->heap, key, false, &hashable, m->err);
        if (status)
            return status;
    }
    if (hashable)
        return PTIO_OK;
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.unhashable-key", "%s cannot be %s",
                             key->type == PTIO_NODE_TYPE_TUPLE ? "a tuple that holds a list, dict, set or bytearray"
                                                               : type_names[key->type],
                             of_set ? "an item of a set" : "a key");
}

/* The keys of a dict are every second of `items`, those of a set all. */
static ptio_status check_keys(ptio_machine *m, ptio_value *const *items, size_t count, bool of_set)
{
    const unsigned plain = ~(NEVER_KEYS | BIT(TUPLE));
    for (size_t i = 0; i < count; i += of_set ? 1 : 2) {
        ptio_status status = plain >> items[i]->type & 1 ? PTIO_OK : check_key(m, items[i], of_set);
        if (status)
            return status;
    }
    return PTIO_OK;
}

static ptio_status add_to_set(ptio_machine *m, ptio_node_list *set, ptio_value *const *items, size_t count)
{
    ptio_status status = check_keys(m, items, count, true);
    if (status || !count)
        return status;
    if (!set->head.count && (status = note_set(m, set)) != PTIO_OK)
        return status;
    return append(m, set, items, count);
}

ptio_status ptio_do_additems(ptio_machine *m)
{
    ptio_value *target = NULL, **items = NULL;
    size_t count = 0;
    ptio_status status = take_items(m, &target, &items, &count);
    if (status)
        return status;
    if (target->type == PTIO_NODE_TYPE_SET)
        return add_to_set(m, (ptio_node_list *)(void *)target, items, count);
    return target->type == PTIO_NODE_TYPE_REDUCED ? extend(m, target, items, count)
                                                  : wrong_type(m, "a set or object to add to", target);
}

/* `count` is that of keys and values together. */
static ptio_status set_entries(ptio_machine *m, ptio_node_dict *dict, ptio_value *const *items, size_t count)
{
    ptio_status status = check_keys(m, items, count, false);
    if (status || !count)
        return status;
    if (!dict->head.count && (status = note_dict(m, dict)) != PTIO_OK)
        return status;
    if (!ptio_block_append(m->graph->arena, &dict->block, 2 * (size_t)dict->head.count, (const ptio_value *const *)items, count))
        return ptio_machine_memory(m);
    dict->head.count += (uint32_t)(count / 2);
    return PTIO_OK;
}

static ptio_status update(ptio_machine *m, ptio_value *target, ptio_value *const *items, size_t count)
{
    if (target->type == PTIO_NODE_TYPE_DICT)
        return set_entries(m, (ptio_node_dict *)(void *)target, items, count);
    if (target->type != PTIO_NODE_TYPE_REDUCED)
        return wrong_type(m, "a dict or object to set items of", target);
    ptio_more *more = more_of(m, target);
    return more ? set_entries(m, &more->entries, items, count) : ptio_machine_memory(m);
}

static ptio_status odd(ptio_machine *m, size_t count)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.odd",
                             "%s needs keys and values in pairs, the mark has %zu values above it", op_name(m), count);
}

ptio_status ptio_do_setitem(ptio_machine *m)
{
    if (available(m) < 3)
        return ptio_machine_underflow(m, 3);
    m->top -= 2;
    return update(m, m->top[-1], m->top, 2);
}

ptio_status ptio_do_setitems(ptio_machine *m)
{
    ptio_value *target = NULL, **items = NULL;
    size_t count = 0;
    ptio_status status = take_items(m, &target, &items, &count);
    if (status)
        return status;
    return count % 2 ? odd(m, count) : update(m, target, items, count);
}

static ptio_node_list *new_list(ptio_machine *m, ptio_node_type type, ptio_kind kind)
{
    ptio_node_list *list = ptio_arena_alloc(m->graph->arena, sizeof *list);
    if (list)
        *list = (ptio_node_list){{.type = (uint8_t)type, .seen = (uint8_t)kind}, NULL};
    return list;
}

ptio_status ptio_do_list(ptio_machine *m)
{
    ptio_value **items = NULL;
    size_t count = 0;
    ptio_status status = take_mark(m, &items, &count);
    if (status)
        return status;
    ptio_node_list *list = new_list(m, PTIO_NODE_TYPE_LIST, PTIO_KIND_LIST);
    if (!list || (status = append(m, list, items, count)) != PTIO_OK)
        return ptio_machine_memory(m);
    return ptio_machine_push_new(m, &list->head);
}

ptio_status ptio_do_frozenset(ptio_machine *m)
{
    ptio_value **items = NULL;
    size_t count = 0;
    ptio_status status = take_mark(m, &items, &count);
    if (status)
        return status;
    ptio_node_list *set = new_list(m, PTIO_NODE_TYPE_FROZENSET, PTIO_KIND_FROZENSET);
    if (!set)
        return ptio_machine_memory(m);
    status = add_to_set(m, set, items, count);
    return status ? status : ptio_machine_push_new(m, &set->head);
}

ptio_status ptio_do_dict(ptio_machine *m)
{
    ptio_value **items = NULL;
    size_t count = 0;
    ptio_status status = take_mark(m, &items, &count);
    if (status)
        return status;
    if (count % 2)
        return odd(m, count);
    ptio_node_dict *dict = ptio_node_new_dict(m->graph->arena);
    if (!dict)
        return ptio_machine_memory(m);
    status = set_entries(m, dict, items, count);
    return status ? status : ptio_machine_push_new(m, &dict->head);
}

/* ---- globals and objects ---- */

ptio_status ptio_machine_check_name(ptio_machine *m, ptio_text module, ptio_text name)
{
    if (module.size + (uint64_t)name.size > m->options->limits->name_bytes)
        return ptio_machine_fail(m, PTIO_ERR_LIMIT, "limit.name-bytes",
                                 "module and name of a global have %llu bytes, name_bytes allows %llu",
                                 (unsigned long long)module.size + name.size, (unsigned long long)m->options->limits->name_bytes);
    if (!ptio_utf8_valid(module.bytes, module.size, false) || !ptio_utf8_valid(name.bytes, name.size, false))
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.utf8", "module and name of a global are not UTF-8");
    return PTIO_OK;
}

ptio_status ptio_machine_global(ptio_machine *m, const ptio_value *module, const ptio_value *name, ptio_value **ret)
{
    ptio_node_global *node = ptio_arena_alloc(m->graph->arena, sizeof *node);
    if (!node)
        return ptio_machine_memory(m);
    node->head = (ptio_value){
        .type = PTIO_NODE_TYPE_GLOBAL, .seen = PTIO_KIND_GLOBAL, .flags = PTIO_NODE_ONCE, .count = (uint32_t)(m->op - m->start)};
    node->module = module;
    node->name = name;
    node->meaning = NULL;
    *ret = &node->head;
    return note_object(m, &node->head);
}

ptio_status ptio_do_stack_global(ptio_machine *m)
{
    if (available(m) < 2)
        return ptio_machine_underflow(m, 2);
    ptio_value *module = m->top[-2], *name = m->top[-1], *global;
    if (module->seen != PTIO_KIND_STR || name->seen != PTIO_KIND_STR)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.type", "STACK_GLOBAL needs two str, but the stack has %s and %s",
                                 type_names[module->type], type_names[name->type]);
    m->top -= 2;
    ptio_status status = ptio_machine_check_name(m, ptio_node_str_of(module), ptio_node_str_of(name));
    if (status == PTIO_OK)
        status = ptio_machine_global(m, module, name, &global);
    return status ? status : ptio_machine_push(m, global);
}

ptio_status ptio_machine_persistent(ptio_machine *m, ptio_value *id, unsigned flags, ptio_value **ret)
{
    ptio_node_persistent *node = ptio_arena_alloc(m->graph->arena, sizeof *node);
    if (!node)
        return ptio_machine_memory(m);
    node->head = (ptio_value){.type = PTIO_NODE_TYPE_PERSISTENT,
                              .seen = PTIO_KIND_OBJECT,
                              .flags = (uint8_t)(flags | PTIO_NODE_ONCE),
                              .opcode = *m->op,
                              .count = (uint32_t)(m->op - m->start)};
    node->id = id;
    node->meaning = NULL;
    *ret = &node->head;
    return note_object(m, &node->head);
}

/* What may be called: a global, or what some other call or id gave. */
#define CALLABLES (BIT(GLOBAL) | BIT(PERSISTENT) | BIT(REDUCED))

ptio_status ptio_machine_reduce(ptio_machine *m, ptio_value *callable, ptio_value *arguments, ptio_node_reduced **ret)
{
    if (!(CALLABLES >> callable->type & 1))
        return wrong_type(m, "something to call", callable);
    if (arguments->type != PTIO_NODE_TYPE_TUPLE && arguments->type != PTIO_NODE_TYPE_REDUCED)
        return wrong_type(m, "a tuple of arguments", arguments);
    ptio_node_reduced *node = ptio_arena_alloc(m->graph->arena, sizeof *node);
    if (!node)
        return ptio_machine_memory(m);
    *node = (ptio_node_reduced){
        .head = {.type = PTIO_NODE_TYPE_REDUCED,
                 .seen = PTIO_KIND_OBJECT,
                 .flags = PTIO_NODE_ONCE,
                 .opcode = *m->op,
                 .count = (uint32_t)(m->op - m->start)},
        .callable = callable,
        .arguments = arguments,
    };
    *ret = node;
    return note_object(m, &node->head);
}

ptio_status ptio_do_newobj_ex(ptio_machine *m)
{
    if (available(m) < 3)
        return ptio_machine_underflow(m, 3);
    ptio_value *callable = m->top[-3], *arguments = m->top[-2], *keywords = m->top[-1];
    if (keywords->type != PTIO_NODE_TYPE_DICT && keywords->type != PTIO_NODE_TYPE_REDUCED)
        return wrong_type(m, "a dict of keyword arguments", keywords);
    m->top -= 3;
    ptio_node_reduced *node;
    ptio_status status = ptio_machine_reduce(m, callable, arguments, &node);
    if (status)
        return status;
    ptio_more *more = more_of(m, &node->head);
    if (!more)
        return ptio_machine_memory(m);
    more->keywords = keywords;
    return ptio_machine_push(m, &node->head);
}

static ptio_status tuple_of(ptio_machine *m, ptio_value *const *items, size_t count, ptio_value **ret)
{
    if (!count) {
        *ret = (ptio_value *)(uintptr_t)&ptio_empty_tuple;
        return PTIO_OK;
    }
    ptio_node_tuple *tuple = ptio_node_new_tuple(m->graph->arena, count);
    if (!tuple)
        return ptio_machine_memory(m);
    tuple->head.flags |= PTIO_NODE_ONCE;
    memcpy(tuple->items, items, count * sizeof *items);
    *ret = &tuple->head;
    return PTIO_OK;
}

ptio_status ptio_do_obj(ptio_machine *m)
{
    ptio_value **items = NULL, *arguments = NULL;
    size_t count = 0;
    ptio_node_reduced *node;
    ptio_status status = take_mark(m, &items, &count);
    if (status)
        return status;
    if (!count)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.stack", "OBJ needs a class above its mark, there is nothing");
    status = tuple_of(m, items + 1, count - 1, &arguments);
    if (status == PTIO_OK)
        status = ptio_machine_reduce(m, items[0], arguments, &node);
    return status ? status : ptio_machine_push(m, &node->head);
}

ptio_status ptio_do_build(ptio_machine *m)
{
    if (available(m) < 2)
        return ptio_machine_underflow(m, 2);
    ptio_value *target = m->top[-2];
    if (target->type != PTIO_NODE_TYPE_REDUCED)
        return wrong_type(m, "an object to give a state", target);
    ptio_more *more = more_of(m, target);
    m->top--;
    return more ? append(m, &more->states, m->top, 1) : ptio_machine_memory(m);
}

/* ---- the stream ---- */

static void find(ptio_machine *m, ptio_severity severity, const char *reason, const char *text)
{
    ptio_report_add(m->options->report, severity, reason, m->options->record, (uint64_t)(m->op - m->start), "%s", text);
}

ptio_status ptio_do_proto(ptio_machine *m)
{
    if (m->pos == m->end)
        return ptio_machine_truncated(m);
    uint8_t protocol = *m->pos++;
    if (protocol > 5)
        return ptio_machine_fail(m, PTIO_ERR_UNSUPPORTED, "pickle.protocol", "pickle protocol %u is not known; 5 is the newest",
                                 protocol);
    if (m->has_proto && !m->told_proto)
        find(m, PTIO_WARNING, "pickle.second-proto", "a second PROTO; the first one counts");
    m->told_proto = m->has_proto;
    if (!m->has_proto)
        m->graph->dialect.protocol = protocol;
    m->has_proto = true;
    return PTIO_OK;
}

ptio_status ptio_do_frame(ptio_machine *m)
{
    if (m->end - m->pos < 8)
        return ptio_machine_truncated(m);
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--)
        size = size << 8 | m->pos[i];
    m->pos += 8;
    if (m->in_frame)
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.frame-nested", "a frame begins inside another one");
    if (size > (uint64_t)(m->limit - m->pos)) {
        if (m->cut)
            return ptio_machine_truncated(m);
        return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.truncated", "a frame of %llu bytes begins where %zu are left",
                                 (unsigned long long)size, (size_t)(m->limit - m->pos));
    }
    m->end = m->pos + size;
    m->in_frame = true;
    if (m->graph->dialect.protocol < 4 && !m->told_frame) {
        find(m, PTIO_WARNING, "pickle.frame-protocol", "a frame in a pickle of a protocol below 4");
        m->told_frame = true;
    }
    m->graph->dialect.framed = true;
    return PTIO_OK;
}

ptio_status ptio_do_stop(ptio_machine *m)
{
    if (m->top == m->floor)
        return ptio_machine_underflow(m, 1);
    m->graph->root = *--m->top;
    if (m->mark_count)
        find(m, PTIO_WARNING, "pickle.mark-left", "a mark is left on the stack at the end");
    if (m->top > m->stack)
        find(m, PTIO_WARNING, "pickle.values-left", "values are left on the stack at the end");
    if (m->in_frame && m->pos < m->end)
        find(m, PTIO_WARNING, "pickle.frame-left", "the pickle ends inside a frame");
    return PTIO_OK;
}
