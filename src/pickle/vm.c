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

/* Two places hold it now, so whoever writes the graph again needs a PUT for it. */
static void mark_shared(ptio_value *value)
{
    ptio_node_met_again(value);
    if (!(value->flags & PTIO_NODE_CONSTANT))
        value->flags |= PTIO_NODE_MEMOIZED;
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
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.truncated", "the pickle ends without STOP");
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

/* Step over n bytes of the argument. */
#define TAKE_BYTES(n)                                \
    do {                                             \
        size_t n_ = (n);                             \
        if (PTIO_UNLIKELY((size_t)(end - pos) < n_)) \
            FAIL(ptio_machine_truncated(m));         \
        pos += n_;                                   \
    } while (0)

/* A length of four bytes that must not be negative. */
#define TAKE_SIGNED_SIZE()                   \
    do {                                     \
        TAKE_BYTES(4);                       \
        size = ptio_load_u32(pos - 4);       \
        if (PTIO_UNLIKELY(size > INT32_MAX)) \
            FAIL(negative_length(m));        \
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

/* Take memory for a node. Like ptio_arena_alloc(), with the arena in variables. */
#define NEW(node, size)                                              \
    do {                                                             \
        size_t size_ = ((size) + 7) & ~(size_t)7;                    \
        if (PTIO_LIKELY((size_t)(free_end - next) >= size_)) {       \
            (node) = (void *)next;                                   \
            next += size_;                                           \
        } else {                                                     \
            SAVE();                                                  \
            (node) = ptio_arena_alloc_block(m->graph->arena, size_); \
            if (!(node)) {                                           \
                status = ptio_machine_memory(m);                     \
                goto failed;                                         \
            }                                                        \
            LOAD();                                                  \
        }                                                            \
    } while (0)

#define HEAD(kind, number)                                                                                            \
    (ptio_value)                                                                                                      \
    {                                                                                                                 \
        .type = PTIO_NODE_TYPE_##kind, .seen = PTIO_KIND_##kind, .flags = PTIO_NODE_ONCE, .count = (uint32_t)(number) \
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

#define GET(number)                                                                       \
    do {                                                                                  \
        uint64_t number_ = (number);                                                      \
        ptio_value *value_ = number_ < m->memo.flat_count ? m->memo.flat[number_] : NULL; \
        if (PTIO_LIKELY(value_ != NULL)) {                                                \
            ptio_node_met_again(value_);                                                  \
            PUSH(value_);                                                                 \
        } else {                                                                          \
            CALL(ptio_machine_get(m, number_));                                           \
        }                                                                                 \
    } while (0)

/* Picklers count up: such a number takes the short way. */
#define COUNTS_UP(number) ((number) == m->memo.count && (number) < m->memo.straight_most)

#define PUT_NEXT(value)                        \
    do {                                       \
        m->memo.flat[m->memo.count] = (value); \
        m->memo.flat_count = ++m->memo.count;  \
    } while (0)

#define PUT(number)                                                  \
    do {                                                             \
        uint64_t number_ = (number);                                 \
        if (PTIO_LIKELY(COUNTS_UP(number_) && top != floor)) {       \
            PUT_NEXT(top[-1]);                                       \
            if (PTIO_LIKELY(!(top[-1]->flags & PTIO_NODE_CONSTANT))) \
                top[-1]->flags |= PTIO_NODE_MEMOIZED;                \
        } else {                                                     \
            CALL(ptio_machine_put(m, number_));                      \
        }                                                            \
    } while (0)

/* Behind an opcode that made a node, which is on top: a PUT nearly always follows. To do it along, without a jump, makes the
 * pickles of large state dicts a fifth faster. */
#define WITH_PUT()                                                                                            \
    do {                                                                                                      \
        if (PTIO_LIKELY(end - pos > 5 && *pos == PTIO_OP_LONG_BINPUT && COUNTS_UP(ptio_load_u32(pos + 1)))) { \
            PUT_NEXT(top[-1]);                                                                                \
            top[-1]->flags |= PTIO_NODE_MEMOIZED;                                                             \
            pos += 5;                                                                                         \
        }                                                                                                     \
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

#define PUSH_EMPTY(kind, node_type)  \
    do {                             \
        node_type *node_;            \
        NEW(node_, sizeof *node_);   \
        node_->head = HEAD(kind, 0); \
        node_->block = NULL;         \
        PUSH(&node_->head);          \
    } while (0)

/* The two topmost values become an object. */
#define REDUCE_TOP()                                            \
    do {                                                        \
        NEED_VALUES(2);                                         \
        ptio_node_reduced *node_;                               \
        CALL(ptio_machine_reduce(m, top[-2], top[-1], &node_)); \
        top--;                                                  \
        top[-1] = &node_->head;                                 \
    } while (0)

/* An opcode: its code follows, and ends in NEXT() or in a failure. OUTSIDE is one that is no more than a call. */
/* clang-format off */
#if PTIO_HAVE_COMPUTED_GOTO
#define OPCODE(name) do_##name:
#define NEXT()                         \
    do {                               \
        if (PTIO_UNLIKELY(pos == end)) \
            goto at_end;               \
        op = pos;                      \
        goto *labels[*pos++];          \
    } while (0)
#else
#define OPCODE(name) case PTIO_OP_##name:
#define NEXT() goto next_opcode
#endif
#define OUTSIDE(name, handler) OPCODE(name) { CALL(handler(m)); NEXT(); }
/* clang-format on */

/* The labels of the opcodes make tables, which clang-format would take apart. */
/* clang-format off */
static ptio_status loop(ptio_machine *m)
{
    const uint8_t *pos, *end, *op = m->pos;
    ptio_value **top, **floor, **stack_end;
    char *next, *free_end;
    size_t size;
    ptio_status status;
    LOAD();
#if PTIO_HAVE_COMPUTED_GOTO
    const void *labels[256];
    for (size_t i = 0; i < 256; i++)
        labels[i] = &&unknown;
#define OP(name, byte, form, effect, protocol) labels[byte] = ptio_opcode_usual[byte] ? &&do_##name : &&unusual;
#include "pickle/opcodes.def"
#undef OP
    NEXT();
#else
next_opcode:
    if (pos == end)
        goto at_end;
    op = pos++;
    if (!ptio_opcodes[*op].name)
        goto unknown;
    if (!ptio_opcode_usual[*op])
        m->graph->dialect.unusual = true;
    switch ((ptio_opcode)*op) {
#endif

    /* Constants and numbers */

    OPCODE(NONE)        { PUSH_CONSTANT(&ptio_none);        NEXT(); }
    OPCODE(NEWTRUE)     { PUSH_CONSTANT(&ptio_true);        NEXT(); }
    OPCODE(NEWFALSE)    { PUSH_CONSTANT(&ptio_false);       NEXT(); }
    OPCODE(EMPTY_TUPLE) { PUSH_CONSTANT(&ptio_empty_tuple); NEXT(); }

    OPCODE(BININT1) { TAKE_BYTES(1); PUSH_CONSTANT(&ptio_small_ints[pos[-1]]);  NEXT(); }
    OPCODE(BININT2) { TAKE_BYTES(2); PUSH_INT(ptio_load_u16(pos - 2));          NEXT(); }
    OPCODE(BININT)  { TAKE_BYTES(4); PUSH_INT((int32_t)ptio_load_u32(pos - 4)); NEXT(); }
    OPCODE(BINFLOAT)
    {
        TAKE_BYTES(8);
        uint64_t bits = ptio_load_u64_big(pos - 8);
        ptio_node_float *node;
        NEW(node, sizeof *node);
        node->head = HEAD(FLOAT, 0);
        memcpy(&node->value, &bits, sizeof bits);
        PUSH(&node->head);
        NEXT();
    }
    OPCODE(LONG1)
    {
        TAKE_BYTES(1);
        size = pos[-1];
        TAKE_BYTES(size);
        CALL(ptio_machine_push_long(m, pos - size, size, PTIO_NODE_LONG));
        NEXT();
    }
    OPCODE(LONG4)
    {
        TAKE_SIGNED_SIZE();
        TAKE_BYTES(size);
        CALL(ptio_machine_push_long(m, pos - size, size, PTIO_NODE_LONG));
        NEXT();
    }

    /* Texts */

    OPCODE(BINUNICODE)       { TAKE_BYTES(4); PUSH_TEXT(STR, ptio_load_u32(pos - 4));       WITH_PUT(); NEXT(); }
    OPCODE(SHORT_BINUNICODE) { TAKE_BYTES(1); PUSH_TEXT(STR, pos[-1]);                      NEXT(); }
    OPCODE(BINUNICODE8)      { TAKE_BYTES(8); PUSH_TEXT(STR, ptio_load_u64(pos - 8));       NEXT(); }
    OPCODE(BINBYTES)         { TAKE_BYTES(4); PUSH_TEXT(BYTES, ptio_load_u32(pos - 4));     NEXT(); }
    OPCODE(SHORT_BINBYTES)   { TAKE_BYTES(1); PUSH_TEXT(BYTES, pos[-1]);                    NEXT(); }
    OPCODE(BINBYTES8)        { TAKE_BYTES(8); PUSH_TEXT(BYTES, ptio_load_u64(pos - 8));     NEXT(); }
    OPCODE(BYTEARRAY8)       { TAKE_BYTES(8); PUSH_TEXT(BYTEARRAY, ptio_load_u64(pos - 8)); NEXT(); }
    OPCODE(SHORT_BINSTRING)
    {
        TAKE_BYTES(1);
        size = pos[-1];
        TAKE_BYTES(size);
        CALL(ptio_machine_push_py2str(m, (const char *)pos - size, size));
        NEXT();
    }
    OPCODE(BINSTRING)
    {
        TAKE_SIGNED_SIZE();
        TAKE_BYTES(size);
        CALL(ptio_machine_push_py2str(m, (const char *)pos - size, size));
        NEXT();
    }

    /* The memo */

    OPCODE(BINGET)      { TAKE_BYTES(1); GET(pos[-1]);                NEXT(); }
    OPCODE(LONG_BINGET) { TAKE_BYTES(4); GET(ptio_load_u32(pos - 4)); NEXT(); }
    OPCODE(BINPUT)      { TAKE_BYTES(1); PUT(pos[-1]);                NEXT(); }
    OPCODE(LONG_BINPUT) { TAKE_BYTES(4); PUT(ptio_load_u32(pos - 4)); NEXT(); }
    OPCODE(MEMOIZE)     { PUT(m->memo.count);                         NEXT(); }

    /* The stack */

    OPCODE(MARK)
    {
        if (PTIO_UNLIKELY(end - pos >= PTIO_TENSOR_RUN_MOST && *pos == PTIO_OP_MARK)) {
            SAVE();
            bool done = ptio_machine_tensor_run(m);
            LOAD();
            if (done)
                NEXT();
        }
        if (PTIO_UNLIKELY(m->mark_count == m->mark_capacity))
            CALL(ptio_machine_grow_marks(m));
        m->marks[m->mark_count++] = (size_t)(floor - m->stack);
        floor = top;
        NEXT();
    }
    OPCODE(POP_MARK) { NEED_MARK(); TAKE_MARK();      NEXT(); }
    OPCODE(DUP)      { NEED_VALUES(1); mark_shared(top[-1]); PUSH(top[-1]); NEXT(); }
    OUTSIDE(POP, ptio_do_pop)

    /* Containers */

    OPCODE(TUPLE1) { TUPLE_OF(1); WITH_PUT(); NEXT(); }
    OPCODE(TUPLE2) { TUPLE_OF(2); WITH_PUT(); NEXT(); }
    OPCODE(TUPLE3) { TUPLE_OF(3); WITH_PUT(); NEXT(); }
    OPCODE(TUPLE)
    {
        NEED_MARK();
        ptio_value *const *items = floor;
        size = (size_t)(top - floor);
        TAKE_MARK();
        if (PTIO_UNLIKELY(!size)) {
            PUSH_CONSTANT(&ptio_empty_tuple);
            NEXT();
        }
        ptio_node_tuple *tuple;
        NEW(tuple, sizeof *tuple + size * sizeof(ptio_value *));
        tuple->head = HEAD(TUPLE, size);
        for (size_t i = 0; i < size; i++)
            tuple->items[i] = items[i];
        *top++ = &tuple->head; /* where an item was */
        WITH_PUT();
        NEXT();
    }
    OPCODE(EMPTY_LIST) { PUSH_EMPTY(LIST, ptio_node_list); NEXT(); }
    OPCODE(EMPTY_SET)  { PUSH_EMPTY(SET, ptio_node_list);  NEXT(); }
    OPCODE(EMPTY_DICT) { PUSH_EMPTY(DICT, ptio_node_dict); NEXT(); }
    OUTSIDE(APPEND, ptio_do_append)
    OUTSIDE(APPENDS, ptio_do_appends)
    OUTSIDE(ADDITEMS, ptio_do_additems)
    OUTSIDE(SETITEM, ptio_do_setitem)
    OUTSIDE(SETITEMS, ptio_do_setitems)
    OUTSIDE(LIST, ptio_do_list)
    OUTSIDE(DICT, ptio_do_dict)
    OUTSIDE(FROZENSET, ptio_do_frozenset)

    /* Globals and objects */

    OPCODE(BINPERSID)
    {
        NEED_VALUES(1);
        ptio_value *node;
        CALL(ptio_machine_persistent(m, top[-1], 0, &node));
        top[-1] = node;
        NEXT();
    }
    OPCODE(REDUCE) { REDUCE_TOP(); WITH_PUT(); NEXT(); }
    OPCODE(NEWOBJ) { REDUCE_TOP(); NEXT(); }
    OUTSIDE(NEWOBJ_EX, ptio_do_newobj_ex)
    OUTSIDE(BUILD, ptio_do_build)
    OUTSIDE(OBJ, ptio_do_obj)
    OUTSIDE(INST, ptio_do_inst)
    OUTSIDE(GLOBAL, ptio_do_global)
    OUTSIDE(STACK_GLOBAL, ptio_do_stack_global)
    OUTSIDE(PERSID, ptio_do_persid)
    OPCODE(EXT1)            FAIL(extension(m, 1));
    OPCODE(EXT2)            FAIL(extension(m, 2));
    OPCODE(EXT4)            FAIL(extension(m, 4));
    OPCODE(NEXT_BUFFER)     FAIL(buffer(m));
    OPCODE(READONLY_BUFFER) FAIL(buffer(m));

    /* Lines of text */

    OUTSIDE(INT, ptio_do_int)
    OUTSIDE(LONG, ptio_do_long)
    OUTSIDE(FLOAT, ptio_do_float)
    OUTSIDE(STRING, ptio_do_string)
    OUTSIDE(UNICODE, ptio_do_unicode)
    OUTSIDE(PUT, ptio_do_put)
    OUTSIDE(GET, ptio_do_get)

    /* The stream */

    OUTSIDE(PROTO, ptio_do_proto)
    OUTSIDE(FRAME, ptio_do_frame)
    OPCODE(STOP)
    {
        CALL(ptio_do_stop(m));
        return PTIO_OK;
    }
#if !PTIO_HAVE_COMPUTED_GOTO
    }
#endif

#if PTIO_HAVE_COMPUTED_GOTO
unusual: /* the first of them: from now on all take the short way */
    m->graph->dialect.unusual = true;
#define OP(name, byte, form, effect, protocol) labels[byte] = &&do_##name;
#include "pickle/opcodes.def"
#undef OP
    goto *labels[*op];
#endif

unknown:
    SAVE();
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, "pickle.opcode", "the byte 0x%02x is no opcode", *op);

at_end:
    op = pos;
    SAVE();
    if (end == m->limit)
        return no_stop(m);
    m->end = end = m->limit; /* a frame is over */
    m->in_frame = false;
    NEXT();

failed:
    return ptio_error_in_context(m->err, status, ptio_text_of(ptio_opcode_name(*op)));
}
/* clang-format on */

/* Room by the size of the pickle, for what torch.save writes. What it turns out not to need serves for other things. */
#define BYTES_PER_PUT 16
#define BYTES_PER_OBJECT 24

static ptio_status reserve(ptio_machine *m)
{
    size_t size = (size_t)(m->limit - m->start);
    ptio_status status = ptio_machine_grow_stack(m);
    if (m->heap->limit < m->heap->used + 4 * (uint64_t)size) /* a budget so small is not to be spent in advance */
        return status;
    if (status == PTIO_OK)
        status = ptio_machine_grow_objects(m, size / BYTES_PER_OBJECT);
    if (status == PTIO_OK && !ptio_memo_reserve(&m->memo, size / BYTES_PER_PUT))
        status = ptio_machine_memory(m);
    return status;
}

static void release(ptio_machine *m)
{
    ptio_graph *graph = m->graph;
    size_t objects_left = graph->object_capacity - graph->object_count;
    if (objects_left)
        ptio_arena_give_back(graph->arena, graph->objects + graph->object_count, objects_left * sizeof *graph->objects);
    graph->object_capacity = graph->object_count;
    ptio_heap_free(m->heap, m->stack, m->stack_capacity * sizeof *m->stack);
    ptio_heap_free(m->heap, m->marks, m->mark_capacity * sizeof *m->marks);
    ptio_memo_free(&m->memo);
}

ptio_status ptio_vm_run(const uint8_t *bytes, size_t size, const ptio_vm_options *options, ptio_heap *heap, ptio_graph *graph,
                        ptio_error *err)
{
    if (!size)
        bytes = (const uint8_t *)"";
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
    machine.memo = (ptio_memo){.heap = heap, .arena = graph->arena, .hash_key = graph->hash_key};
    ptio_status status = reserve(&machine);
    if (status == PTIO_OK)
        status = loop(&machine);
    graph->size = (size_t)(machine.pos - bytes);
    release(&machine);
    return status;
}
