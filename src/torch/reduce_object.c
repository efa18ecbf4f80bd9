/*
 * Objects of any class: as they were found, but for what differs with the protocol, with the names of their attributes, and with
 * the Python that writes them. Nothing of a class is run, so what only that would tell stays as it was found: docs/saving.md.
 *
 *     protocol 0, 1   copyreg._reconstructor(cls, base, base(contents)) with state
 *     protocol 2 …    NEWOBJ(cls, *arguments) with items, entries, state
 *
 * Source: CPython Objects/typeobject.c, object_getstate_default; Lib/copyreg.py; Modules/_collectionsmodule.c; Lib/fractions.py
 */
#include "pickle/number.h"
#include "pickle/opcode.h"
#include "torch/handlers.h"
#include "torch/reduce.h"

/* Whether the class is known to restore its state itself; Python restores it otherwise, and interns the names of the attributes. */
static bool sets_own_state(const ptio_value *object)
{
    ptio_text name = ptio_value_class(object);
    bool is_optimizer = ptio_text_starts(name, "torch.optim.") && !ptio_text_starts(name, "torch.optim.lr_scheduler.");
    return is_optimizer || ptio_value_is_module(object) || ptio_text_is(name, "torch.amp.grad_scaler.GradScaler") ||
           ptio_text_is(name, "torch.cuda.amp.grad_scaler.GradScaler") || ptio_text_is(name, "torch.utils.hooks.RemovableHandle");
}

/* The state with interned names: a dict of attributes, or (dict or None, dict of slots); any other as it is. */
static const ptio_value *interned_state(ptio_reducer *r, const ptio_value *state)
{
    if (state->type == PTIO_NODE_TYPE_DICT)
        return ptio_reduce_attributes(r, state);
    if (state->type != PTIO_NODE_TYPE_TUPLE || state->count != 2 || ptio_tuple_item(state, 1)->type != PTIO_NODE_TYPE_DICT)
        return state;
    const ptio_value *dict = ptio_tuple_item(state, 0);
    const ptio_value *pair[] = {dict->type == PTIO_NODE_TYPE_DICT ? ptio_reduce_attributes(r, dict) : dict,
                                ptio_reduce_attributes(r, ptio_tuple_item(state, 1))};
    return ptio_reduce_tuple(r, pair, 2);
}

/* Whether an object was made from its class alone, so that its state is its attributes and nothing else. */
static bool has_plain_state(const ptio_node_reduced *loaded)
{
    const ptio_global *global = ptio_value_global(loaded->callable);
    return loaded->head.opcode != 'R' || (global && global->handler == PTIO_HANDLER_RECONSTRUCTOR);
}

/* What is done to an object after it was made, with its state as it will be written. An object of no attributes has none. */
static ptio_more *reduced_more(ptio_reducer *r, const ptio_node_reduced *loaded)
{
    ptio_more *more = ptio_arena_alloc(&r->arena, sizeof *more);
    if (!more)
        return NULL;
    *more = *loaded->more;
    if (more->states.head.count != 1 || sets_own_state(&loaded->head))
        return more;
    const ptio_value *before = ptio_edited(r->edits, more->states.block->items[0]);
    more->states.block = NULL;
    if (before->type == PTIO_NODE_TYPE_DICT && !before->count && has_plain_state(loaded)) {
        more->states.head.count = 0;
        return more;
    }
    const ptio_value *state = interned_state(r, before);
    return state && ptio_block_append(&r->arena, &more->states.block, 0, &state, 1) ? more : NULL;
}

static bool is_builtin(const ptio_value *value, const char *name)
{
    const ptio_global *global = ptio_value_global(value);
    return global && ptio_text_is(global->name, name) &&
           (ptio_text_is(global->module, "builtins") || (global->python2 && ptio_text_is(global->module, "__builtin__")));
}

/* copyreg._reconstructor(cls, object, None), by which protocols 0 and 1 make what newer ones make by NEWOBJ(cls, ()); and the same of
 * subclasses of list and dict, whose contents are the third argument. False for all others. */
static bool from_reconstructor(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_global *global = ptio_value_global(loaded->callable);
    if (r->protocol < 2 || !global || global->handler != PTIO_HANDLER_RECONSTRUCTOR || ptio_argument_count(loaded) != 3)
        return false;
    const ptio_value *base = ptio_argument(loaded, 1), *contents = ptio_argument(loaded, 2);
    bool of_list = is_builtin(base, "list") && contents->type == PTIO_NODE_TYPE_LIST;
    bool of_dict = is_builtin(base, "dict") && contents->type == PTIO_NODE_TYPE_DICT;
    if (!of_list && !of_dict && !is_builtin(base, "object"))
        return false;
    node->head.opcode = PTIO_OP_NEWOBJ;
    node->callable = ptio_argument(loaded, 0);
    node->arguments = &ptio_empty_tuple.head;
    ptio_more *more = of_list || of_dict ? ptio_arena_alloc(&r->arena, sizeof *more) : NULL;
    if (!more)
        return true;
    *more = node->more ? *node->more : (ptio_more){0};
    if (of_list)
        more->items = *PTIO_NODE(list, contents);
    if (of_dict)
        more->entries = *PTIO_NODE(dict, contents);
    node->more = more;
    return true;
}

static bool is_packed_sequence(const ptio_global *class_)
{
    return class_ && ptio_text_is(class_->full_name, "torch.nn.utils.rnn.PackedSequence");
}

/* A subclass of list or dict at protocols 0 and 1, or the known one of tuple: its contents are an argument. */
static void contents_first(ptio_reducer *r, ptio_node_reduced *node)
{
    const char *base = "object";
    const ptio_value *contents = &ptio_none;
    ptio_more *more = node->more;
    if (ptio_argument_count(node)) {
        base = "tuple";
        contents = node->arguments;
    } else if (more && more->items.head.count) {
        base = "list";
        contents = ptio_reduce_list(r, PTIO_NODE_TYPE_LIST, more->items.block->items, more->items.head.count);
        more->items.head.count = 0;
    } else if (more && more->entries.head.count) {
        base = "dict";
        contents = ptio_reduce_dict(r, &more->entries);
        more->entries.head.count = 0;
    }
    const ptio_value *arguments[] = {node->callable, ptio_reduce_global(r, "builtins", base), contents};
    node->callable = ptio_reduce_global(r, "copyreg", "_reconstructor");
    node->arguments = ptio_reduce_tuple(r, arguments, 3);
}

/* copyreg.__newobj__(cls, *arguments) does what NEWOBJ does, on whatever type the class is built. */
static void as_function(ptio_reducer *r, ptio_node_reduced *node)
{
    size_t count = ptio_argument_count(node);
    ptio_node_tuple *tuple = ptio_node_new_tuple(&r->arena, count + 1);
    for (size_t i = 0; tuple && i <= count; i++)
        tuple->items[i] = i ? ptio_argument(node, i - 1) : node->callable;
    node->callable = ptio_reduce_global(r, "copyreg", "__newobj__");
    node->arguments = tuple ? &tuple->head : NULL;
}

/* NEWOBJ has no opcode below protocol 2. An empty subclass of list or dict is taken for an object. */
static void to_reconstructor(ptio_reducer *r, ptio_node_reduced *node)
{
    if (r->protocol >= 2 || node->head.opcode != PTIO_OP_NEWOBJ)
        return;
    node->head.opcode = 'R';
    if (ptio_argument_count(node) && !is_packed_sequence(ptio_value_global(node->callable)))
        as_function(r, node);
    else
        contents_first(r, node);
}

/* The contents in a call of copyreg._reconstructor are a copy that Python makes whenever it asks: an object that holds itself is asked
 * twice, and its contents are written twice. */
static void copy_contents(ptio_reducer *r, ptio_node_reduced *node)
{
    const ptio_global *function = ptio_value_global(node->callable);
    if (!function || function->handler != PTIO_HANDLER_RECONSTRUCTOR || ptio_argument_count(node) != 3)
        return;
    const ptio_value *contents = ptio_argument(node, 2);
    if (contents->type == PTIO_NODE_TYPE_DICT)
        contents = ptio_reduce_dict(r, PTIO_NODE(dict, contents));
    else if (contents->type == PTIO_NODE_TYPE_LIST)
        contents = ptio_reduce_list(r, PTIO_NODE_TYPE_LIST, contents->count ? PTIO_NODE(list, contents)->block->items : NULL,
                                    contents->count);
    else
        return;
    const ptio_value *arguments[] = {ptio_argument(node, 0), ptio_argument(node, 1), contents};
    node->arguments = ptio_reduce_tuple(r, arguments, 3);
}

/* ---- forms of older Pythons ---- */

/* An int as text: "-12". */
static const ptio_value *int_of_text(ptio_reducer *r, ptio_text text)
{
    uint8_t *bytes = ptio_arena_alloc(&r->arena, PTIO_INT_BYTES);
    if (!bytes)
        return NULL;
    size_t size = ptio_int_text_bytes(text, bytes);
    if (size <= 8)
        return ptio_reduce_int(r, ptio_int_value(bytes, size));
    ptio_node_int *node = ptio_arena_alloc(&r->arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (ptio_node_int){.head = {PTIO_NODE_TYPE_INT, PTIO_KIND_INT, PTIO_NODE_BIG, 0, (uint32_t)size}};
    node->u.bytes = bytes;
    return &node->head;
}

static bool is_int_text(ptio_text text)
{
    return text.size <= PTIO_INT_DIGITS && ptio_int_text_valid(text);
}

/* Fraction("3/7") is Fraction(3, 7) since Python 3.11, Fraction("3") is Fraction(3, 1). */
static void fraction_of_text(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_value *only = ptio_argument(loaded, 0);
    if (ptio_argument_count(loaded) != 1 || only->seen != PTIO_KIND_STR)
        return;
    ptio_text over = ptio_node_str_of(only), under = {"1", 1};
    const char *slash = memchr(over.bytes, '/', over.size);
    if (slash) {
        under = (ptio_text){slash + 1, over.size - (size_t)(slash + 1 - over.bytes)};
        over.size = (size_t)(slash - over.bytes);
    }
    if (!is_int_text(over) || !is_int_text(under))
        return;
    const ptio_value *parts[] = {int_of_text(r, over), int_of_text(r, under)};
    node->arguments = ptio_reduce_tuple(r, parts, 2);
}

/* deque([1, 2], 5) of Python 2 is deque((), 5) with items appended. */
static void deque_of_list(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_value *list = ptio_argument(loaded, 0), *most = ptio_argument(loaded, 1);
    int64_t length;
    bool bounded = most && ptio_node_int64(most, &length);
    if (!list || list->type != PTIO_NODE_TYPE_LIST || (loaded->more && loaded->more->items.head.count) ||
        (bounded && list->count > (uint64_t)length))
        return;
    const ptio_value *arguments[] = {&ptio_empty_tuple.head, most};
    node->arguments = bounded ? ptio_reduce_tuple(r, arguments, 2) : &ptio_empty_tuple.head;
    node->more = NULL;
    ptio_more *more = ptio_reduce_more(r, node);
    if (more)
        more->items = *PTIO_NODE(list, list);
    else
        node->arguments = NULL;
}

/* A packed sequence has been of four parts since PyTorch 1.1: those of two have no permutations. */
static void packed_of_two(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_value *arguments[] = {ptio_argument(loaded, 0), ptio_argument(loaded, 1), &ptio_none, &ptio_none};
    if (loaded->head.opcode == PTIO_OP_NEWOBJ && ptio_argument_count(loaded) == 2)
        node->arguments = ptio_reduce_tuple(r, arguments, 4);
}

/* A pattern over text is one of Unicode (32) in Python 3, unless it says that it is one of ASCII (256). */
static void pattern_of_text(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_value *pattern = ptio_argument(loaded, 0);
    int64_t flags;
    if (ptio_argument_count(loaded) != 2 || pattern->seen != PTIO_KIND_STR || !ptio_node_int64(ptio_argument(loaded, 1), &flags))
        return;
    const ptio_value *arguments[] = {pattern, ptio_reduce_int(r, flags & 256 ? flags : flags | 32)};
    node->arguments = ptio_reduce_tuple(r, arguments, 2);
}

/* An instance of an old class of Python 2 is one of a class like any other in Python 3. */
static void instance_of_old_class(const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    if ((loaded->head.opcode == PTIO_OP_INST || loaded->head.opcode == PTIO_OP_OBJ) && !ptio_argument_count(loaded)) {
        node->head.opcode = PTIO_OP_NEWOBJ;
        node->arguments = &ptio_empty_tuple.head;
    }
}

/* Where there is no memory, arguments become NULL. */
static void as_today(ptio_reducer *r, const ptio_node_reduced *loaded, ptio_node_reduced *node)
{
    const ptio_global *class_ = ptio_value_global(loaded->callable);
    if (!class_)
        return;
    instance_of_old_class(loaded, node);
    if (class_->handler == PTIO_HANDLER_DEQUE)
        deque_of_list(r, loaded, node);
    else if (ptio_text_is(class_->full_name, "fractions.Fraction"))
        fraction_of_text(r, loaded, node);
    else if (ptio_text_is(class_->full_name, "re._compile"))
        pattern_of_text(r, loaded, node);
    else if (is_packed_sequence(class_))
        packed_of_two(r, loaded, node);
}

const ptio_value *ptio_reduce_object(ptio_reducer *r, const ptio_value *object)
{
    if (object->type != PTIO_NODE_TYPE_REDUCED)
        return object;
    const ptio_node_reduced *loaded = PTIO_NODE(reduced, object);
    ptio_node_reduced *node = ptio_arena_alloc(&r->arena, sizeof *node);
    if (!node)
        return NULL;
    *node = *loaded;
    if (loaded->more && !(node->more = reduced_more(r, loaded)))
        return NULL;
    as_today(r, loaded, node);
    if (!from_reconstructor(r, loaded, node)) {
        to_reconstructor(r, node);
        copy_contents(r, node);
    }
    return node->callable && node->arguments ? &node->head : NULL;
}
