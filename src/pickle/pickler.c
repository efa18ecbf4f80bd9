/*
 * The pickler's loop: a stack of the objects that are begun and not complete.
 *
 * begin() writes what can be written at once (atoms, objects known already) and puts everything else on the stack; step() takes
 * the topmost one further, by one of its parts. What CPython's recursion writes before, between and behind the parts of an
 * object stands in the step of its type.
 */
#include "pickle/pickler.h"

#include <string.h>

#include "base/text.h"
#include "pickle/put.h"

#define BATCH 1000 /* items for each APPENDS, SETITEMS or ADDITEMS */

/* ----- Beginning a value */

static ptio_status open_node(ptio_pickling *p, const ptio_value *object, const ptio_value *node)
{
    if (p->depth == p->capacity) {
        ptio_open_object *stack = ptio_heap_grow(p->heap, p->stack, &p->capacity, p->depth + 1, sizeof *stack);
        if (!stack)
            return ptio_put_no_memory(p);
        p->stack = stack;
    }
    p->stack[p->depth++] = (ptio_open_object){.object = object, .node = node};
    return PTIO_OK;
}

ptio_status ptio_pickle_begin(ptio_pickling *p, const ptio_value *object, const ptio_value *node)
{
    ptio_status status;
    unsigned protocol = p->options->protocol;
    if (node->type == PTIO_NODE_TYPE_STR && protocol - 1 < 3 && node->count && !p->options->as_found)
        return ptio_put_str_and_memo(p, object, ptio_node_text_of(node));
    switch ((ptio_node_type)node->type) {
    case PTIO_NODE_TYPE_NONE: return ptio_put_op(p, PTIO_OP_NONE);
    case PTIO_NODE_TYPE_BOOL: return ptio_put_bool(p, node == &ptio_true);
    case PTIO_NODE_TYPE_INT: return ptio_put_int(p, node);
    case PTIO_NODE_TYPE_FLOAT: return ptio_put_float(p, PTIO_NODE(float, node)->value);
    case PTIO_NODE_TYPE_STR: status = ptio_put_str(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_PY2STR: status = ptio_put_py2str(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_BYTES: status = ptio_put_byte_string(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_BYTEARRAY: status = ptio_put_bytearray(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_TUPLE:
        if (node->count)
            return open_node(p, object, node);
        return ptio_put_is_binary(p) ? ptio_put_op(p, PTIO_OP_EMPTY_TUPLE) : ptio_put_bytes(p, "(t", 2);
    case PTIO_NODE_TYPE_GLOBAL:
        if (p->options->protocol >= 4)
            return open_node(p, object, node);
        status = ptio_put_lines(p, PTIO_OP_GLOBAL, PTIO_NODE(global, node));
        break;
    default: return open_node(p, object, node);
    }
    return status ? status : ptio_put_memo(p, object);
}

static bool is_atom(const ptio_value *value)
{
    return value->type <= PTIO_NODE_TYPE_FLOAT;
}

/* What nobody has to be asked about. */
static ptio_status begin_itself(ptio_pickling *p, const ptio_value *value)
{
    const ptio_known_object *known = ptio_known_find(&p->known, value);
    return known ? ptio_put_get(p, known->number) : ptio_pickle_begin(p, value, value);
}

/* Write a value, or put it on the stack. A frame may end before it. */
static ptio_status begin(ptio_pickling *p, const ptio_value *value)
{
    if (p->frame != PTIO_NO_FRAME && p->out.size - p->frame - PTIO_FRAME_HEADER >= PTIO_FRAME_TARGET)
        ptio_put_close_frame(p);
    if (is_atom(value) || value->flags & PTIO_NODE_FLEETING)
        return ptio_pickle_begin(p, value, value);
    if (value->flags & PTIO_NODE_ITSELF)
        return begin_itself(p, value);
    const ptio_value *object = p->options->identify ? p->options->identify(p->options->ctx, value) : value;
    if (!object)
        return ptio_put_no_memory(p);
    if (is_atom(object))
        return ptio_pickle_begin(p, object, object);
    const ptio_known_object *known = ptio_known_find(&p->known, object);
    if (known)
        return ptio_put_get(p, known->number);
    const ptio_value *node = object;
    ptio_status status = PTIO_OK;
    bool written = false;
    if (object->seen == PTIO_KIND_TENSOR)
        status = ptio_put_tensor(p, object, &written);
    if (written || status)
        return status;
    if (object->type != PTIO_NODE_TYPE_STR && p->options->reduce)
        status = p->options->reduce(p->options->ctx, object, &node, p->err);
    return status ? status : ptio_pickle_begin(p, object, node);
}

static ptio_status done(ptio_pickling *p)
{
    p->depth--;
    return PTIO_OK;
}

/* An object that holds itself was completed while its own parts were written: take them off the stack again. */
static ptio_status fetch_instead(ptio_pickling *p, const ptio_value *object)
{
    const ptio_known_object *known = ptio_known_find(&p->known, object);
    (void)done(p);
    return ptio_put_get(p, known->number);
}

/* ----- Items, in groups */

typedef struct batch {
    uint8_t one, many; /* opcodes                                                                            */
    bool exact;        /* the container's length is known: one item alone goes without a mark only where it is the only
                          one, where otherwise the last of its group does                                     */
    bool trailing;     /* an empty group follows where the last one was full                                 */
    bool never_one;    /* even one item has a mark                                                           */
} batch;

static const batch exact_list = {PTIO_OP_APPEND, PTIO_OP_APPENDS, true, false, false};
static const batch exact_dict = {PTIO_OP_SETITEM, PTIO_OP_SETITEMS, true, true, false};
static const batch fed_list = {PTIO_OP_APPEND, PTIO_OP_APPENDS, false, false, false};
static const batch fed_dict = {PTIO_OP_SETITEM, PTIO_OP_SETITEMS, false, false, false};
static const batch exact_set = {PTIO_OP_ADDITEMS, PTIO_OP_ADDITEMS, true, true, true};

static bool is_alone(const batch *b, size_t group, size_t count)
{
    return !b->never_one && count - group == 1 && (!b->exact || count == 1);
}

/* What stands before item `index` of `count`, or, where index is count, behind the last. */
static ptio_status at_border(ptio_pickling *p, const batch *b, size_t index, size_t count)
{
    ptio_status status = PTIO_OK;
    if (index && (index % BATCH == 0 || index == count)) {
        size_t group = (index - 1) / BATCH * BATCH;
        status = ptio_put_op(p, is_alone(b, group, count) ? b->one : b->many);
    }
    if (status == PTIO_OK && index < count && index % BATCH == 0 && !is_alone(b, index, count))
        status = ptio_put_op(p, PTIO_OP_MARK);
    if (status == PTIO_OK && index == count && count && count % BATCH == 0 && b->trailing) {
        status = ptio_put_op(p, PTIO_OP_MARK);
        if (status == PTIO_OK)
            status = ptio_put_op(p, b->many);
    }
    return status;
}

PTIO_INLINE ptio_status between(ptio_pickling *p, const batch *b, size_t index, size_t count)
{
    if (!ptio_put_is_binary(p))
        return index ? ptio_put_op(p, b->one) : PTIO_OK;
    return PTIO_UNLIKELY(index % BATCH == 0 || index == count) ? at_border(p, b, index, count) : PTIO_OK;
}

/* The next of a list's or set's items, up to one that is put on the stack; *more is false when there was none left. */
static ptio_status step_items(ptio_pickling *p, const batch *b, const ptio_block *block, size_t count, bool *more)
{
    size_t depth = p->depth, index;
    ptio_status status;
    do {
        index = p->stack[depth - 1].next++;
        status = between(p, b, index, count);
        *more = index < count;
        if (status == PTIO_OK && *more)
            status = begin(p, block->items[index]);
    } while (status == PTIO_OK && *more && p->depth == depth);
    return status;
}

/* The same of a dict: keys and values alternate. */
static ptio_status step_entries(ptio_pickling *p, const batch *b, const ptio_block *block, size_t count, bool *more)
{
    size_t depth = p->depth, index;
    ptio_status status;
    do {
        index = p->stack[depth - 1].next++;
        status = index % 2 ? PTIO_OK : between(p, b, index / 2, count);
        *more = index < 2 * count;
        if (status == PTIO_OK && *more)
            status = begin(p, block->items[index]);
    } while (status == PTIO_OK && *more && p->depth == depth);
    return status;
}

/* ----- One step of each type */

/* The phases of a reduced object: what it is made of, in the order of its opcode, then what is done to it. */
enum { MAKING, MADE_ITEMS, MADE_ENTRIES, MADE_STATES };

/* EMPTY_LIST and the like; a mark and `text` in protocol 0. */
static ptio_status begin_container(ptio_pickling *p, uint8_t binary, uint8_t text)
{
    p->stack[p->depth - 1].phase = 1;
    ptio_status status = ptio_put_is_binary(p) ? ptio_put_op(p, binary) : ptio_put_op(p, PTIO_OP_MARK);
    if (status == PTIO_OK && !ptio_put_is_binary(p))
        status = ptio_put_op(p, text);
    return status ? status : ptio_put_memo(p, p->stack[p->depth - 1].object);
}

static ptio_status step_list(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_list *list = PTIO_NODE(list, top->node);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_LIST, PTIO_OP_LIST);
    bool more = false;
    if (status == PTIO_OK)
        status = step_items(p, p->options->python2 ? &fed_list : &exact_list, list->block, list->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_dict(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_dict *dict = PTIO_NODE(dict, top->node);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_DICT, PTIO_OP_DICT);
    bool more = false;
    if (status == PTIO_OK)
        status = step_entries(p, &exact_dict, dict->block, dict->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_set(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_list *set = PTIO_NODE(list, top->node);
    if (p->options->protocol < 4)
        return ptio_put_not_in_protocol(p, "a set", 4);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_SET, 0);
    bool more = false;
    if (status == PTIO_OK)
        status = step_items(p, &exact_set, set->block, set->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_frozenset(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_list *set = PTIO_NODE(list, top->node);
    const ptio_value *object = top->object;
    if (p->options->protocol < 4)
        return ptio_put_not_in_protocol(p, "a frozenset", 4);
    ptio_status status = top->next ? PTIO_OK : ptio_put_op(p, PTIO_OP_MARK);
    if (status)
        return status;
    if (top->next < set->head.count)
        return begin(p, set->block->items[top->next++]);
    if (ptio_put_is_known(p, object)) {
        status = ptio_put_op(p, PTIO_OP_POP_MARK);
        return status ? status : fetch_instead(p, object);
    }
    status = ptio_put_op(p, PTIO_OP_FROZENSET);
    (void)done(p);
    return status ? status : ptio_put_memo(p, object);
}

/* Whether the topmost tuple is what an object is being made of. An object that holds itself asks for its arguments again while it
 * is made, and Python gives a new tuple each time, so such a tuple is never fetched. */
static bool is_arguments(const ptio_pickling *p)
{
    if (p->depth < 2)
        return false;
    const ptio_open_object *below = &p->stack[p->depth - 2];
    return below->node->type == PTIO_NODE_TYPE_REDUCED && below->phase == MAKING &&
           PTIO_NODE(reduced, below->node)->arguments == p->stack[p->depth - 1].node;
}

static ptio_status step_tuple(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_tuple *tuple = PTIO_NODE(tuple, top->node);
    const ptio_value *object = top->object;
    size_t count = tuple->head.count, depth = p->depth;
    bool is_short = count <= 3 && p->options->protocol >= 2;
    ptio_status status = top->next || is_short ? PTIO_OK : ptio_put_op(p, PTIO_OP_MARK);
    while (status == PTIO_OK && p->stack[depth - 1].next < count) {
        status = begin(p, tuple->items[p->stack[depth - 1].next++]);
        if (p->depth != depth)
            return status;
    }
    if (status)
        return status;
    if (ptio_put_is_known(p, object) && !is_arguments(p)) {
        if (is_short)
            status = ptio_put_ops(p, PTIO_OP_POP, count);
        else
            status = ptio_put_is_binary(p) ? ptio_put_op(p, PTIO_OP_POP_MARK) : ptio_put_ops(p, PTIO_OP_POP, count + 1);
        return status ? status : fetch_instead(p, object);
    }
    status = ptio_put_op(p, is_short ? (uint8_t)(PTIO_OP_TUPLE1 + count - 1) : PTIO_OP_TUPLE);
    (void)done(p);
    return status ? status : ptio_put_memo(p, object);
}

static ptio_status step_global(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_global *global = PTIO_NODE(global, top->node);
    const ptio_value *object = top->object;
    switch (top->next++) {
    case 0: return begin(p, global->module);
    case 1: return begin(p, global->name);
    default: break;
    }
    ptio_status status = ptio_put_op(p, PTIO_OP_STACK_GLOBAL);
    (void)done(p);
    return status ? status : ptio_put_memo(p, object);
}

static ptio_status step_persistent(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_persistent *node = PTIO_NODE(persistent, top->node);
    if (node->head.flags & PTIO_NODE_TEXT_ID) {
        ptio_text id = ptio_node_text_of(node->id);
        ptio_status status = ptio_put_op(p, PTIO_OP_PERSID);
        if (status == PTIO_OK)
            status = ptio_put_bytes(p, id.bytes, id.size);
        (void)done(p);
        return status ? status : ptio_put_op(p, '\n');
    }
    if (!ptio_put_is_binary(p))
        return ptio_put_not_in_protocol(p, "a storage", 1);
    if (!top->next++)
        return begin(p, node->id);
    (void)done(p);
    return ptio_put_op(p, PTIO_OP_BINPERSID);
}

/* Callable and arguments of a class that Python 2's old-style instances are made of: a mark, then each by itself. */
static ptio_status make_old_style(ptio_pickling *p, ptio_open_object *top, bool *made)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, top->node);
    const ptio_node_tuple *arguments = PTIO_NODE(tuple, node->arguments);
    bool is_inst = node->head.opcode == PTIO_OP_INST;
    size_t index = top->next++;
    ptio_status status = index ? PTIO_OK : ptio_put_op(p, PTIO_OP_MARK);
    if (status)
        return status;
    if (!is_inst && index == 0)
        return begin(p, node->callable);
    index -= !is_inst;
    if (index < arguments->head.count)
        return begin(p, arguments->items[index]);
    *made = true;
    return is_inst ? ptio_put_lines(p, PTIO_OP_INST, PTIO_NODE(global, node->callable)) : ptio_put_op(p, PTIO_OP_OBJ);
}

static ptio_status make(ptio_pickling *p, ptio_open_object *top, bool *made)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, top->node);
    if (node->head.opcode == PTIO_OP_OBJ || node->head.opcode == PTIO_OP_INST)
        return make_old_style(p, top, made);
    bool with_keywords = node->head.opcode == PTIO_OP_NEWOBJ_EX;
    switch (top->next++) {
    case 0: return begin(p, node->callable);
    case 1: return begin(p, node->arguments);
    case 2:
        if (with_keywords)
            return begin(p, node->more->keywords);
        break;
    default: break;
    }
    *made = true;
    return ptio_put_op(p, node->head.opcode);
}

static ptio_status step_reduced(ptio_pickling *p, ptio_open_object *top)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, top->node);
    const ptio_more *more = node->more;
    const ptio_value *object = top->object;
    ptio_status status;
    bool going = false;
    if (top->phase == MAKING) {
        status = make(p, top, &going);
        if (status || !going)
            return status;
        top = &p->stack[p->depth - 1];
        if (ptio_put_is_known(p, object)) {
            status = ptio_put_op(p, PTIO_OP_POP);
            return status ? status : fetch_instead(p, object);
        }
        top->phase = MADE_ITEMS;
        top->next = 0;
        status = ptio_put_memo(p, object);
        return status || more ? status : done(p);
    }
    switch (top->phase) {
    case MADE_ITEMS: status = step_items(p, &fed_list, more->items.block, more->items.head.count, &going); break;
    case MADE_ENTRIES: status = step_entries(p, &fed_dict, more->entries.block, more->entries.head.count, &going); break;
    default:
        status = top->next ? ptio_put_op(p, PTIO_OP_BUILD) : PTIO_OK;
        if (status == PTIO_OK && top->next == more->states.head.count)
            return done(p);
        return status ? status : begin(p, more->states.block->items[top->next++]);
    }
    if (status == PTIO_OK && !going) {
        top->phase++;
        top->next = 0;
    }
    return status;
}

static ptio_status step(ptio_pickling *p)
{
    ptio_open_object *top = &p->stack[p->depth - 1];
    switch ((ptio_node_type)top->node->type) {
    case PTIO_NODE_TYPE_LIST: return step_list(p, top);
    case PTIO_NODE_TYPE_DICT: return step_dict(p, top);
    case PTIO_NODE_TYPE_SET: return step_set(p, top);
    case PTIO_NODE_TYPE_FROZENSET: return step_frozenset(p, top);
    case PTIO_NODE_TYPE_TUPLE: return step_tuple(p, top);
    case PTIO_NODE_TYPE_GLOBAL: return step_global(p, top);
    case PTIO_NODE_TYPE_PERSISTENT: return step_persistent(p, top);
    default: return step_reduced(p, top);
    }
}

ptio_status ptio_pickle(const ptio_value *root, const ptio_pickler_options *options, ptio_heap *heap, ptio_pickled *out,
                        ptio_error *err)
{
    ptio_pickling p = {
        .options = options, .heap = heap, .err = err, .out = *out, .frame = PTIO_NO_FRAME, .next_number = options->python2};
    ptio_status status = PTIO_OK;
    if (options->protocol >= 2)
        status = ptio_put_op_u8(&p, PTIO_OP_PROTO, (uint8_t)options->protocol);
    p.framing = options->protocol >= 4;
    if (status == PTIO_OK)
        status = begin(&p, root);
    while (status == PTIO_OK && p.depth)
        status = step(&p);
    if (status == PTIO_OK)
        status = ptio_put_op(&p, PTIO_OP_STOP);
    if (status == PTIO_OK)
        ptio_put_close_frame(&p);
    ptio_heap_free(heap, p.stack, p.capacity * sizeof *p.stack);
    ptio_known_free(&p.known, heap);
    *out = p.out;
    return status;
}

void ptio_pickled_free(ptio_pickled *pickled, ptio_heap *heap)
{
    ptio_heap_free(heap, pickled->bytes, pickled->capacity);
    *pickled = (ptio_pickled){0};
}

unsigned ptio_graph_protocol(const ptio_graph *graph)
{
    unsigned protocol = graph->dialect.protocol;
    ptio_instruction op;
    uint64_t need;
    for (size_t at = 0; at < graph->size && !protocol; at = op.end) {
        if (ptio_opcode_read(graph->bytes, graph->size, at, graph->size, &op, &need, NULL) || need)
            break;
        protocol = op.info->protocol ? 1 : 0;
    }
    return protocol;
}
