/*
 * The loop of the pickle machine.
 *
 * One label for each row of opcodes.def: with computed goto the loop jumps from each opcode straight to the next, otherwise
 * through a switch over the same names. What the loop touches at every opcode (position, stack, arena) it keeps in variables of
 * its own, so that they are registers; a handler outside is called with these written back. The opcodes that make up nearly all
 * of a real pickle are here, the others in machine.c and literal.c.
 */
#include <string.h>

#include "base/cursor.h"
#include "pickle/machine.h"

/* Whether all of n bytes are below 0x80. */
PTIO_INLINE bool is_ascii(const uint8_t *p, size_t n)
{
    const uint64_t high = 0x8080808080808080u;
    uint64_t word, seen = 0;
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8) {
            memcpy(&word, p + i, 8);
            seen |= word;
        }
        memcpy(&word, p + n - 8, 8); /* the last eight again, whole or not */
        return ((seen | word) & high) == 0;
    }
    for (size_t i = 0; i < n; i++)
        seen |= p[i];
    return (seen & 0x80) == 0;
}

static ptio_status check_utf8(ptio_machine *m, const uint8_t *bytes, size_t size)
{
    if (ptio_utf8_valid((const char *)bytes, size, true))
        return PTIO_OK;
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.utf8", "the text of %s is not UTF-8", ptio_opcode_name(*m->op));
}

static ptio_status negative_length(ptio_machine *m)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.length", "the length of %s is negative", ptio_opcode_name(*m->op));
}

static ptio_status extension(ptio_machine *m, size_t width)
{
    if ((size_t)(m->end - m->pos) < width)
        return ptio_machine_truncated(m);
    uint32_t code = width == 1 ? m->pos[0] : width == 2 ? ptio_load_u16(m->pos) : ptio_load_u32(m->pos);
    return ptio_machine_fail(m, PTIO_ERR_UNSUPPORTED, "pickle.extension",
                             "extension code %u stands for a global that only the program that wrote the file knows", code);
}

static ptio_status buffer(ptio_machine *m)
{
    return ptio_machine_fail(m, PTIO_ERR_UNSUPPORTED, "pickle.buffer", "the pickle needs a buffer that was kept outside of it");
}

/* The end between two opcodes. */
static ptio_status no_stop(ptio_machine *m)
{
    if (m->cut)
        return ptio_machine_truncated(m);
    ptio_status status = ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.truncated", "the pickle ends without STOP");
    return status;
}

/* Write the loop's variables back, and read them again. */
#define SAVE()                        \
    do {                              \
        m->pos = pos;                 \
        m->top = top;                 \
        m->floor = floor;             \
        m->op = op;                   \
        m->graph->arena->next = next; \
    } while (0)
#define LOAD()                           \
    do {                                 \
        pos = m->pos;                    \
        end = m->end;                    \
        top = m->top;                    \
        floor = m->floor;                \
        stack_end = m->stack_end;        \
        next = m->graph->arena->next;    \
        free_end = m->graph->arena->end; \
    } while (0)

/* Do what lies outside of the loop. */
#define CALL(call)                 \
    do {                           \
        SAVE();                    \
        status = (call);           \
        if (PTIO_UNLIKELY(status)) \
            goto failed;           \
        LOAD();                    \
    } while (0)

#define FAIL(call)       \
    do {                 \
        SAVE();          \
        status = (call); \
        goto failed;     \
    } while (0)

#define NEED_BYTES(n)                                         \
    do {                                                      \
        if (PTIO_UNLIKELY((size_t)(end - pos) < (size_t)(n))) \
            FAIL(ptio_machine_truncated(m));                  \
    } while (0)

#define NEED_VALUES(n)                            \
    do {                                          \
        if (PTIO_UNLIKELY(top - floor < (n)))     \
            FAIL(ptio_machine_underflow(m, (n))); \
    } while (0)

#define PUSH(value)                           \
    do {                                      \
        ptio_value *pushed = (value);         \
        if (PTIO_UNLIKELY(top == stack_end))  \
            CALL(ptio_machine_grow_stack(m)); \
        *top++ = pushed;                      \
    } while (0)

#define PUSH_CONSTANT(value) PUSH((ptio_value *)(uintptr_t)(value))

/* Take memory for a node of `size` bytes, a multiple of 8. */
#define NEW(node, size)                                               \
    do {                                                              \
        if (PTIO_LIKELY((size_t)(free_end - next) >= (size))) {       \
            (node) = (void *)next;                                    \
            next += (size);                                           \
        } else {                                                      \
            SAVE();                                                   \
            (node) = ptio_arena_alloc_block(m->graph->arena, (size)); \
            if (!(node)) {                                            \
                status = ptio_machine_memory(m);                      \
                goto failed;                                          \
            }                                                         \
            LOAD();                                                   \
        }                                                             \
    } while (0)

#define HEAD(kind, number)                                                                   \
    (ptio_value)                                                                             \
    {                                                                                        \
        .type = PTIO_NODE_TYPE_##kind, .seen = PTIO_KIND_##kind, .count = (uint32_t)(number) \
    }

#define PUSH_INT(number)                             \
    do {                                             \
        int64_t value_ = (number);                   \
        if (value_ >= 0 && value_ < 256) {           \
            PUSH_CONSTANT(&ptio_small_ints[value_]); \
        } else {                                     \
            ptio_node_int *node_;                    \
            NEW(node_, sizeof *node_);               \
            node_->head = HEAD(INT, 0);              \
            node_->u.value = value_;                 \
            PUSH(&node_->head);                      \
        }                                            \
    } while (0)

/* `length` bytes that follow, as they are. */
#define PUSH_TEXT(kind, length)                                                                            \
    do {                                                                                                   \
        uint64_t length_ = (length);                                                                       \
        if (PTIO_UNLIKELY(length_ > (uint64_t)(end - pos)))                                                \
            FAIL(ptio_machine_truncated(m));                                                               \
        ptio_node_text *node_;                                                                             \
        NEW(node_, sizeof *node_);                                                                         \
        node_->head = HEAD(kind, length_);                                                                 \
        node_->bytes = (const char *)pos;                                                                  \
        if (PTIO_NODE_TYPE_##kind == PTIO_NODE_TYPE_STR && PTIO_UNLIKELY(!is_ascii(pos, (size_t)length_))) \
            CALL(check_utf8(m, pos, (size_t)length_));                                                     \
        pos += (size_t)length_;                                                                            \
        PUSH(&node_->head);                                                                                \
    } while (0)

#define GET(number)                                                                          \
    do {                                                                                     \
        uint64_t number_ = (number);                                                         \
        ptio_value *value_ = number_ < m->memo.flat_capacity ? m->memo.flat[number_] : NULL; \
        if (PTIO_LIKELY(value_ != NULL))                                                     \
            PUSH(value_);                                                                    \
        else                                                                                 \
            CALL(ptio_machine_get(m, number_));                                              \
    } while (0)

/* Numbers that count up, the rule for picklers, take the short way. */
#define PUT(number)                                                                                                            \
    do {                                                                                                                       \
        uint64_t number_ = (number);                                                                                           \
        if (PTIO_LIKELY(number_ == m->memo.count && number_ < m->memo.flat_capacity && !m->memo.slot_count && top != floor)) { \
            ptio_value *value_ = top[-1];                                                                                      \
            m->memo.flat[number_] = value_;                                                                                    \
            m->memo.count++;                                                                                                   \
            if (PTIO_LIKELY(!(value_->flags & PTIO_NODE_CONSTANT)))                                                            \
                value_->flags |= PTIO_NODE_MEMOIZED;                                                                           \
        } else {                                                                                                               \
            CALL(ptio_machine_put(m, number_));                                                                                \
        }                                                                                                                      \
    } while (0)

#define NEED_MARK()                        \
    do {                                   \
        if (PTIO_UNLIKELY(!m->mark_count)) \
            FAIL(ptio_machine_no_mark(m)); \
    } while (0)

#define TAKE_MARK()                                   \
    do {                                              \
        top = floor;                                  \
        floor = m->stack + m->marks[--m->mark_count]; \
    } while (0)

/* The n topmost values become a tuple; n is small and fixed. */
#define TUPLE_OF(n)                                               \
    do {                                                          \
        NEED_VALUES(n);                                           \
        ptio_node_tuple *tuple_;                                  \
        NEW(tuple_, sizeof *tuple_ + (n) * sizeof(ptio_value *)); \
        tuple_->head = HEAD(TUPLE, (n));                          \
        for (int i_ = 0; i_ < (n); i_++)                          \
            tuple_->items[i_] = top[i_ - (n)];                    \
        top -= (n)-1;                                             \
        top[-1] = &tuple_->head;                                  \
    } while (0)

#if PTIO_HAVE_COMPUTED_GOTO
#define CASE(name) do_##name
#define NEXT()                         \
    do {                               \
        if (PTIO_UNLIKELY(pos == end)) \
            goto at_end;               \
        op = pos;                      \
        goto *labels[*pos++];          \
    } while (0)
#else
#define CASE(name) case PTIO_OP_##name
#define NEXT() goto next_opcode
#endif

/* Opcodes that are one call. */
#define CASE_CALL(name, handler)   \
    CASE(name) : CALL(handler(m)); \
    NEXT()

static ptio_status loop(ptio_machine *m)
{
    const uint8_t *pos, *end, *op = m->pos;
    ptio_value **top, **floor, **stack_end;
    char *next, *free_end;
    ptio_status status;
    LOAD();
#if PTIO_HAVE_COMPUTED_GOTO
    const void *labels[256];
    for (size_t i = 0; i < 256; i++)
        labels[i] = &&unknown;
#define OP(name, byte, form, effect, protocol) labels[byte] = &&do_##name;
#include "pickle/opcodes.def"
#undef OP
    NEXT();
#else
next_opcode:
    if (pos == end)
        goto at_end;
    op = pos;
    if (!ptio_opcodes[*pos].name)
        goto unknown;
    switch ((ptio_opcode)*pos++) {
#endif

    CASE(MARK) : if (PTIO_UNLIKELY(m->mark_count == m->mark_capacity)) CALL(ptio_machine_grow_marks(m));
    m->marks[m->mark_count++] = (size_t)(floor - m->stack);
    floor = top;
    NEXT();

    CASE(NONE) : PUSH_CONSTANT(&ptio_none);
    NEXT();
    CASE(NEWTRUE) : PUSH_CONSTANT(&ptio_true);
    NEXT();
    CASE(NEWFALSE) : PUSH_CONSTANT(&ptio_false);
    NEXT();
    CASE(EMPTY_TUPLE) : PUSH_CONSTANT(&ptio_empty_tuple);
    NEXT();

    CASE(BININT1) : NEED_BYTES(1);
    PUSH_CONSTANT(&ptio_small_ints[*pos++]);
    NEXT();
    CASE(BININT2) : NEED_BYTES(2);
    pos += 2;
    PUSH_INT(ptio_load_u16(pos - 2));
    NEXT();
    CASE(BININT) : NEED_BYTES(4);
    pos += 4;
    PUSH_INT((int32_t)ptio_load_u32(pos - 4));
    NEXT();

    CASE(LONG1) : NEED_BYTES(1);
    {
        size_t size = *pos++;
        NEED_BYTES(size);
        pos += size;
        CALL(ptio_machine_push_long(m, pos - size, size, PTIO_NODE_LONG));
    }
    NEXT();
    CASE(LONG4) : NEED_BYTES(4);
    {
        size_t size = ptio_load_u32(pos);
        pos += 4;
        if (size > INT32_MAX)
            FAIL(negative_length(m));
        NEED_BYTES(size);
        pos += size;
        CALL(ptio_machine_push_long(m, pos - size, size, PTIO_NODE_LONG));
    }
    NEXT();

    CASE(BINFLOAT) : NEED_BYTES(8);
    {
        ptio_node_float *node;
        uint64_t bits = ptio_load_u64_big(pos);
        pos += 8;
        NEW(node, sizeof *node);
        node->head = HEAD(FLOAT, 0);
        memcpy(&node->value, &bits, 8);
        PUSH(&node->head);
    }
    NEXT();

    CASE(BINUNICODE) : NEED_BYTES(4);
    pos += 4;
    PUSH_TEXT(STR, ptio_load_u32(pos - 4));
    NEXT();
    CASE(SHORT_BINUNICODE) : NEED_BYTES(1);
    pos += 1;
    PUSH_TEXT(STR, pos[-1]);
    NEXT();
    CASE(BINUNICODE8) : NEED_BYTES(8);
    pos += 8;
    PUSH_TEXT(STR, ptio_load_u64(pos - 8));
    NEXT();
    CASE(BINBYTES) : NEED_BYTES(4);
    pos += 4;
    PUSH_TEXT(BYTES, ptio_load_u32(pos - 4));
    NEXT();
    CASE(SHORT_BINBYTES) : NEED_BYTES(1);
    pos += 1;
    PUSH_TEXT(BYTES, pos[-1]);
    NEXT();
    CASE(BINBYTES8) : NEED_BYTES(8);
    pos += 8;
    PUSH_TEXT(BYTES, ptio_load_u64(pos - 8));
    NEXT();
    CASE(BYTEARRAY8) : NEED_BYTES(8);
    pos += 8;
    PUSH_TEXT(BYTEARRAY, ptio_load_u64(pos - 8));
    NEXT();

    CASE(SHORT_BINSTRING) : NEED_BYTES(1);
    {
        size_t size = *pos++;
        NEED_BYTES(size);
        pos += size;
        CALL(ptio_machine_push_py2str(m, (const char *)pos - size, size));
    }
    NEXT();
    CASE(BINSTRING) : NEED_BYTES(4);
    {
        size_t size = ptio_load_u32(pos);
        pos += 4;
        if (size > INT32_MAX)
            FAIL(negative_length(m));
        NEED_BYTES(size);
        pos += size;
        CALL(ptio_machine_push_py2str(m, (const char *)pos - size, size));
    }
    NEXT();

    CASE(BINGET) : NEED_BYTES(1);
    pos += 1;
    GET(pos[-1]);
    NEXT();
    CASE(LONG_BINGET) : NEED_BYTES(4);
    pos += 4;
    GET(ptio_load_u32(pos - 4));
    NEXT();
    CASE(BINPUT) : NEED_BYTES(1);
    pos += 1;
    PUT(pos[-1]);
    NEXT();
    CASE(LONG_BINPUT) : NEED_BYTES(4);
    pos += 4;
    PUT(ptio_load_u32(pos - 4));
    NEXT();
    CASE(MEMOIZE) : PUT(m->memo.count);
    NEXT();

    CASE(TUPLE1) : TUPLE_OF(1);
    NEXT();
    CASE(TUPLE2) : TUPLE_OF(2);
    NEXT();
    CASE(TUPLE3) : TUPLE_OF(3);
    NEXT();
    CASE(TUPLE) : NEED_MARK();
    {
        size_t count = (size_t)(top - floor);
        ptio_value *const *items = floor;
        TAKE_MARK();
        if (PTIO_LIKELY(count > 0)) {
            ptio_node_tuple *tuple;
            NEW(tuple, sizeof *tuple + count * sizeof(ptio_value *));
            tuple->head = HEAD(TUPLE, count);
            for (size_t i = 0; i < count; i++)
                tuple->items[i] = items[i];
            *top++ = &tuple->head; /* there is room: at least one item was here */
        } else {
            PUSH_CONSTANT(&ptio_empty_tuple);
        }
    }
    NEXT();

    CASE(EMPTY_LIST) :
    {
        ptio_node_list *list;
        NEW(list, sizeof *list);
        list->head = HEAD(LIST, 0);
        list->block = NULL;
        PUSH(&list->head);
    }
    NEXT();
    CASE(EMPTY_SET) :
    {
        ptio_node_list *set;
        NEW(set, sizeof *set);
        set->head = HEAD(SET, 0);
        set->block = NULL;
        PUSH(&set->head);
    }
    NEXT();
    CASE(EMPTY_DICT) :
    {
        ptio_node_dict *dict;
        NEW(dict, sizeof *dict);
        dict->head = HEAD(DICT, 0);
        dict->block = NULL;
        PUSH(&dict->head);
    }
    NEXT();

    CASE(REDUCE) : NEED_VALUES(2);
    {
        ptio_node_reduced *node;
        top -= 2;
        CALL(ptio_machine_reduce(m, top[0], top[1], &node));
        *top++ = &node->head;
    }
    NEXT();
    CASE(NEWOBJ) : NEED_VALUES(2);
    {
        ptio_node_reduced *node;
        top -= 2;
        CALL(ptio_machine_reduce(m, top[0], top[1], &node));
        *top++ = &node->head;
    }
    NEXT();
    CASE(BINPERSID) : NEED_VALUES(1);
    {
        ptio_value *node;
        CALL(ptio_machine_persistent(m, top[-1], 0, &node));
        top[-1] = node;
    }
    NEXT();

    CASE(DUP) : NEED_VALUES(1);
    PUSH(top[-1]);
    NEXT();
    CASE_CALL(POP, ptio_do_pop);
    CASE(POP_MARK) : NEED_MARK();
    TAKE_MARK();
    NEXT();

    CASE_CALL(APPEND, ptio_do_append);
    CASE_CALL(APPENDS, ptio_do_appends);
    CASE_CALL(ADDITEMS, ptio_do_additems);
    CASE_CALL(SETITEM, ptio_do_setitem);
    CASE_CALL(SETITEMS, ptio_do_setitems);
    CASE_CALL(LIST, ptio_do_list);
    CASE_CALL(DICT, ptio_do_dict);
    CASE_CALL(FROZENSET, ptio_do_frozenset);
    CASE_CALL(BUILD, ptio_do_build);
    CASE_CALL(NEWOBJ_EX, ptio_do_newobj_ex);
    CASE_CALL(OBJ, ptio_do_obj);
    CASE_CALL(STACK_GLOBAL, ptio_do_stack_global);
    CASE_CALL(GLOBAL, ptio_do_global);
    CASE_CALL(INST, ptio_do_inst);
    CASE_CALL(PERSID, ptio_do_persid);
    CASE_CALL(INT, ptio_do_int);
    CASE_CALL(LONG, ptio_do_long);
    CASE_CALL(FLOAT, ptio_do_float);
    CASE_CALL(UNICODE, ptio_do_unicode);
    CASE_CALL(STRING, ptio_do_string);
    CASE_CALL(PUT, ptio_do_put);
    CASE_CALL(GET, ptio_do_get);
    CASE_CALL(PROTO, ptio_do_proto);
    CASE_CALL(FRAME, ptio_do_frame);

    CASE(EXT1) : FAIL(extension(m, 1));
    CASE(EXT2) : FAIL(extension(m, 2));
    CASE(EXT4) : FAIL(extension(m, 4));
    CASE(NEXT_BUFFER) : FAIL(buffer(m));
    CASE(READONLY_BUFFER) : FAIL(buffer(m));

    CASE(STOP) : CALL(ptio_do_stop(m));
    SAVE();
    return PTIO_OK;
#if !PTIO_HAVE_COMPUTED_GOTO
}
#endif

unknown : SAVE();
return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.opcode", "the byte 0x%02x is no opcode", *op);

at_end : op = pos;
SAVE();
if (end == m->limit)
    return no_stop(m);
m->end = end = m->limit; /* a frame is over */
NEXT();

failed : return ptio_error_in_context(m->err, status, ptio_text_of(ptio_opcode_name(*op)));
}

/* The lists of the graph grew on the heap; they end in its arena. */
static bool settle_lists(ptio_graph *graph, ptio_heap *heap)
{
    size_t objects_size = graph->object_count * sizeof *graph->objects, dicts_size = graph->dict_count * sizeof *graph->dicts;
    void *objects = ptio_arena_alloc(graph->arena, objects_size), *dicts = ptio_arena_alloc(graph->arena, dicts_size);
    bool room = objects && dicts;
    if (room && objects_size)
        memcpy(objects, graph->objects, objects_size);
    if (room && dicts_size)
        memcpy(dicts, graph->dicts, dicts_size);
    ptio_heap_free(heap, graph->objects, graph->object_capacity * sizeof *graph->objects);
    ptio_heap_free(heap, graph->dicts, graph->dict_capacity * sizeof *graph->dicts);
    graph->objects = room ? objects : NULL;
    graph->dicts = room ? dicts : NULL;
    graph->object_capacity = room ? graph->object_count : 0;
    graph->dict_capacity = room ? graph->dict_count : 0;
    return room;
}

static void release(ptio_machine *m)
{
    ptio_heap_free(m->heap, m->stack, (size_t)(m->stack_end - m->stack) * sizeof *m->stack);
    ptio_heap_free(m->heap, m->marks, m->mark_capacity * sizeof *m->marks);
    ptio_memo_free(&m->memo);
}

ptio_status ptio_vm_run(const uint8_t *bytes, size_t size, const ptio_vm_options *options, ptio_heap *heap, ptio_graph *graph,
                        ptio_error *err)
{
    /* Counts and offsets of nodes have 32 bits. */
    uint64_t longest = options->limits->pickle_bytes < UINT32_MAX ? options->limits->pickle_bytes : UINT32_MAX;
    bool cut = size > longest;
    const uint8_t *limit = bytes + (cut ? (size_t)longest : size);
    ptio_machine machine = {.pos = bytes,
                            .end = limit,
                            .op = bytes,
                            .start = bytes,
                            .limit = limit,
                            .graph = graph,
                            .options = options,
                            .heap = heap,
                            .err = err,
                            .cut = cut};
    graph->bytes = bytes;
    graph->hash_key = ptio_os_random();
    machine.memo = (ptio_memo){.heap = heap, .hash_key = graph->hash_key};
    ptio_status status = loop(&machine);
    graph->size = (size_t)(machine.pos - bytes);
    release(&machine);
    if (!settle_lists(graph, heap) && status == PTIO_OK)
        status = ptio_heap_fail(heap, err, "the values of the pickle");
    return status;
}
