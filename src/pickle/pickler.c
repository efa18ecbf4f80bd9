/*
 * The pickler's loop: a stack of the objects that are begun and not complete.
 *
 * begin() writes what can be written at once (atoms, objects known already) and puts everything else on the stack; step() takes
 * the topmost one further, by one of its parts. What CPython's recursion writes before, between and behind the parts of an
 * object stands in the step of its type.
 */
#include "pickle/pickler.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/number_text.h"
#include "base/text.h"
#include "pickle/known.h"
#include "pickle/number.h"
#include "pickle/opcode.h"

#define BATCH 1000          /* items for each APPENDS, SETITEMS or ADDITEMS */
#define FRAME_TARGET 65536u /* a frame is closed once it has so many bytes  */
#define FRAME_LEAST 4u      /* smaller ones are left unframed               */
#define FRAME_HEADER 9u
#define NO_FRAME SIZE_MAX

/* An object that is begun. */
typedef struct open_object {
    const ptio_value *object; /* what the memo knows it by   */
    const ptio_value *node;   /* what is written for it      */
    size_t next;              /* of its items in this phase  */
    unsigned phase;
} open_object;

typedef struct pickler {
    const ptio_pickler_options *options;
    ptio_heap *heap;
    ptio_error *err;
    ptio_pickled out; /* the caller's, which gets it back at the end */
    size_t frame;     /* where the open frame's header is, or NO_FRAME */
    bool framing;
    open_object *stack;
    size_t depth, capacity;
    ptio_known known;
    uint32_t next_number;
} pickler;

static bool is_binary(const pickler *p)
{
    return p->options->protocol >= 1;
}

/* ----- Bytes and frames */

static ptio_status no_memory(pickler *p)
{
    return ptio_heap_fail(p->heap, p->err, "the pickle that is written");
}

PTIO_NOINLINE static ptio_status grow(pickler *p, size_t more)
{
    size_t need;
    void *bytes = NULL;
    if (ptio_add_size(p->out.size, more, &need))
        bytes = ptio_heap_grow(p->heap, p->out.bytes, &p->out.capacity, need < 512 ? 512 : need, 1);
    if (!bytes)
        return no_memory(p);
    p->out.bytes = bytes;
    return PTIO_OK;
}

/* Room for `size` bytes; a frame is begun where one is due. Its header is filled in when it is closed. */
PTIO_INLINE ptio_status reserve(pickler *p, size_t size, uint8_t **ret)
{
    if (PTIO_UNLIKELY(p->out.capacity - p->out.size < size + FRAME_HEADER) || size > SIZE_MAX - FRAME_HEADER) {
        ptio_status status = size > SIZE_MAX - FRAME_HEADER ? no_memory(p) : grow(p, size + FRAME_HEADER);
        if (status)
            return status;
    }
    if (p->framing && p->frame == NO_FRAME) {
        p->frame = p->out.size;
        p->out.size += FRAME_HEADER;
    }
    *ret = p->out.bytes + p->out.size;
    p->out.size += size;
    return PTIO_OK;
}

static void close_frame(pickler *p)
{
    if (p->frame == NO_FRAME)
        return;
    uint8_t *header = p->out.bytes + p->frame;
    size_t length = p->out.size - p->frame - FRAME_HEADER;
    if (length >= FRAME_LEAST) {
        header[0] = PTIO_OP_FRAME;
        ptio_store_u64(header + 1, length);
    } else {
        memmove(header, header + FRAME_HEADER, length);
        p->out.size -= FRAME_HEADER;
    }
    p->frame = NO_FRAME;
}

static ptio_status put_bytes(pickler *p, const void *bytes, size_t size)
{
    uint8_t *at;
    ptio_status status = reserve(p, size, &at);
    if (status == PTIO_OK && size)
        memcpy(at, bytes, size);
    return status;
}

PTIO_INLINE ptio_status put_op(pickler *p, uint8_t opcode)
{
    uint8_t *at;
    ptio_status status = reserve(p, 1, &at);
    if (PTIO_LIKELY(status == PTIO_OK))
        *at = opcode;
    return status;
}

static ptio_status put_ops(pickler *p, uint8_t opcode, size_t count)
{
    ptio_status status = PTIO_OK;
    while (status == PTIO_OK && count--)
        status = put_op(p, opcode);
    return status;
}

static ptio_status put_op_u8(pickler *p, uint8_t opcode, uint8_t number)
{
    uint8_t *at;
    ptio_status status = reserve(p, 2, &at);
    if (status == PTIO_OK) {
        at[0] = opcode;
        at[1] = number;
    }
    return status;
}

static ptio_status put_op_u32(pickler *p, uint8_t opcode, uint32_t number)
{
    uint8_t *at;
    ptio_status status = reserve(p, 5, &at);
    if (status == PTIO_OK) {
        at[0] = opcode;
        ptio_store_u32(at + 1, number);
    }
    return status;
}

/* An opcode and a line of decimal. */
static ptio_status put_op_line(pickler *p, uint8_t opcode, int64_t number)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%c%lld\n", opcode, (long long)number);
    return put_bytes(p, line, (size_t)size);
}

/* An opcode with a length and bytes. Those of 64 KiB and more stand outside of frames. */
static ptio_status put_sized(pickler *p, uint8_t opcode, unsigned width, const void *bytes, size_t size)
{
    uint8_t *at;
    bool framing = p->framing;
    if (size >= FRAME_TARGET) {
        close_frame(p);
        p->framing = false;
    }
    ptio_status status = reserve(p, 1 + width + size, &at);
    p->framing = framing;
    if (status)
        return status;
    at[0] = opcode;
    if (width == 1)
        at[1] = (uint8_t)size;
    else if (width == 4)
        ptio_store_u32(at + 1, (uint32_t)size);
    else
        ptio_store_u64(at + 1, size);
    if (size)
        memcpy(at + 1 + width, bytes, size);
    return PTIO_OK;
}

/* ----- The memo */

static bool is_known(const pickler *p, const ptio_value *object)
{
    return !(object->flags & PTIO_NODE_FLEETING) && ptio_known_find(&p->known, object);
}

static ptio_status put_memo_opcode(pickler *p, uint32_t number)
{
    if (p->options->protocol >= 4)
        return put_op(p, PTIO_OP_MEMOIZE);
    if (!is_binary(p))
        return put_op_line(p, PTIO_OP_PUT, number);
    return number < 256 ? put_op_u8(p, PTIO_OP_BINPUT, (uint8_t)number) : put_op_u32(p, PTIO_OP_LONG_BINPUT, number);
}

/* Number an object: every one but atoms, or those that the file remembered. */
static ptio_status memoize(pickler *p, const ptio_value *object)
{
    if (p->options->as_found && !(object->flags & PTIO_NODE_MEMOIZED))
        return PTIO_OK;
    if (!(object->flags & PTIO_NODE_FLEETING) && !ptio_known_put(&p->known, p->heap, object, p->next_number))
        return no_memory(p);
    return put_memo_opcode(p, p->next_number++);
}

static ptio_status put_get(pickler *p, uint32_t number)
{
    if (!is_binary(p))
        return put_op_line(p, PTIO_OP_GET, number);
    return number < 256 ? put_op_u8(p, PTIO_OP_BINGET, (uint8_t)number) : put_op_u32(p, PTIO_OP_LONG_BINGET, number);
}

/* ----- Atoms */

static ptio_status put_bool(pickler *p, bool value)
{
    if (p->options->protocol >= 2)
        return put_op(p, value ? PTIO_OP_NEWTRUE : PTIO_OP_NEWFALSE);
    return put_bytes(p, value ? "I01\n" : "I00\n", 4);
}

/* LONG1 or LONG4 of two's complement; a line of decimal below protocol 2. */
static ptio_status put_long(pickler *p, const uint8_t *bytes, size_t size)
{
    if (p->options->protocol >= 2)
        return size < 256 ? put_sized(p, PTIO_OP_LONG1, 1, bytes, size) : put_sized(p, PTIO_OP_LONG4, 4, bytes, size);
    size_t capacity = PTIO_INT_TEXT_SIZE(size);
    char *text = ptio_heap_resize(p->heap, NULL, 0, capacity);
    if (!text)
        return no_memory(p);
    size_t length = ptio_format_int(bytes, size, text);
    ptio_status status = length ? PTIO_OK
                                : ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pickle.digits", PTIO_NO_OFFSET,
                                            "an int of more than %d digits cannot be written by protocol %u",
                                            PTIO_INT_TEXT_DIGITS, p->options->protocol);
    if (status == PTIO_OK)
        status = put_op(p, PTIO_OP_LONG);
    if (status == PTIO_OK)
        status = put_bytes(p, text, length);
    if (status == PTIO_OK)
        status = put_bytes(p, "L\n", 2);
    ptio_heap_free(p->heap, text, capacity);
    return status;
}

static ptio_status put_int64(pickler *p, int64_t value, bool is_long)
{
    bool is_small = value >= INT32_MIN && value <= INT32_MAX;
    if (PTIO_LIKELY(value >= 0 && value < 256 && !is_long && is_binary(p)))
        return put_op_u8(p, PTIO_OP_BININT1, (uint8_t)value);
    if ((is_long && p->options->python2) || (!is_small && !p->options->python2)) {
        uint8_t bytes[8];
        ptio_store_u64(bytes, (uint64_t)value);
        return put_long(p, bytes, ptio_int_fewest(bytes, 8));
    }
    if (!is_small || !is_binary(p))
        return put_op_line(p, PTIO_OP_INT, value);
    if (value >= 0 && value < 256)
        return put_op_u8(p, PTIO_OP_BININT1, (uint8_t)value);
    if (value >= 0 && value < 65536) {
        uint8_t *at;
        ptio_status status = reserve(p, 3, &at);
        if (status == PTIO_OK) {
            at[0] = PTIO_OP_BININT2;
            at[1] = (uint8_t)value;
            at[2] = (uint8_t)(value >> 8);
        }
        return status;
    }
    return put_op_u32(p, PTIO_OP_BININT, (uint32_t)value);
}

static ptio_status put_int(pickler *p, const ptio_value *node)
{
    const ptio_node_int *i = PTIO_NODE(int, node);
    if (node->flags & PTIO_NODE_BIG)
        return put_long(p, i->u.bytes, node->count);
    return put_int64(p, i->u.value, node->flags & PTIO_NODE_LONG);
}

static ptio_status put_float(pickler *p, double value)
{
    if (!is_binary(p)) {
        char text[PTIO_FLOAT_TEXT_SIZE];
        size_t size = ptio_format_float(text, value);
        ptio_status status = put_op(p, PTIO_OP_FLOAT);
        if (status == PTIO_OK)
            status = put_bytes(p, text, size);
        return status ? status : put_op(p, '\n');
    }
    uint8_t *at;
    ptio_status status = reserve(p, 9, &at);
    if (status)
        return status;
    uint64_t bits;
    memcpy(&bits, &value, 8);
    at[0] = PTIO_OP_BINFLOAT;
    ptio_store_u64(at + 1, ptio_swap64(bits));
    return PTIO_OK;
}

/* ----- Texts: written at once, then remembered */

/* The line of UNICODE: what would end it, and a backslash, as \uXXXX; Latin-1 as it is. */
static ptio_status put_unicode_line(pickler *p, ptio_text text)
{
    ptio_status status = put_op(p, PTIO_OP_UNICODE);
    for (size_t at = 0; status == PTIO_OK && at < text.size;) {
        uint32_t code;
        char escape[12];
        size_t taken = ptio_utf8_decode(text.bytes + at, text.size - at, &code);
        at += taken ? taken : 1;
        bool plain = code < 256 && code != '\\' && code != '\n' && code != '\r' && code != 0 && code != 0x1A;
        if (plain)
            status = put_op(p, (uint8_t)code);
        else
            status = put_bytes(p, escape, (size_t)snprintf(escape, sizeof escape, code > 0xFFFF ? "\\U%08x" : "\\u%04x", code));
    }
    return status ? status : put_op(p, '\n');
}

static ptio_status put_str(pickler *p, ptio_text text)
{
    if (!is_binary(p))
        return put_unicode_line(p, text);
    if (p->options->protocol >= 4 && text.size < 256)
        return put_sized(p, PTIO_OP_SHORT_BINUNICODE, 1, text.bytes, text.size);
    return put_sized(p, PTIO_OP_BINUNICODE, 4, text.bytes, text.size);
}

/* repr() of a byte string of Python 2. */
static ptio_status put_string_line(pickler *p, ptio_text text)
{
    char quote = memchr(text.bytes, '\'', text.size) && !memchr(text.bytes, '"', text.size) ? '"' : '\'';
    ptio_status status = put_op(p, PTIO_OP_STRING);
    if (status == PTIO_OK)
        status = put_op(p, (uint8_t)quote);
    for (size_t i = 0; status == PTIO_OK && i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        char escape[8] = {'\\', (char)c, 0};
        size_t size = 2;
        if (c == '\t' || c == '\n' || c == '\r')
            escape[1] = c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
        else if (c < ' ' || c >= 0x7F)
            size = (size_t)snprintf(escape, sizeof escape, "\\x%02x", c);
        else if (c != (unsigned char)quote && c != '\\')
            size = 1;
        status = put_bytes(p, size == 1 ? (char *)&c : escape, size);
    }
    if (status == PTIO_OK)
        status = put_op(p, (uint8_t)quote);
    return status ? status : put_op(p, '\n');
}

static ptio_status put_py2str(pickler *p, ptio_text text)
{
    if (!is_binary(p))
        return put_string_line(p, text);
    return text.size < 256 ? put_sized(p, PTIO_OP_SHORT_BINSTRING, 1, text.bytes, text.size)
                           : put_sized(p, PTIO_OP_BINSTRING, 4, text.bytes, text.size);
}

static ptio_status not_in_protocol(pickler *p, const char *what, unsigned least)
{
    return ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pickle.protocol", PTIO_NO_OFFSET,
                     "%s has no opcode before protocol %u, and protocol %u is written", what, least, p->options->protocol);
}

static ptio_status put_byte_string(pickler *p, ptio_text text)
{
    if (p->options->protocol < 3)
        return not_in_protocol(p, "bytes", 3);
    return text.size < 256 ? put_sized(p, PTIO_OP_SHORT_BINBYTES, 1, text.bytes, text.size)
                           : put_sized(p, PTIO_OP_BINBYTES, 4, text.bytes, text.size);
}

static ptio_status put_bytearray(pickler *p, ptio_text text)
{
    if (p->options->protocol < 5)
        return not_in_protocol(p, "a bytearray", 5);
    return put_sized(p, PTIO_OP_BYTEARRAY8, 8, text.bytes, text.size);
}

static ptio_status put_lines(pickler *p, uint8_t opcode, const ptio_node_global *global)
{
    ptio_text module = ptio_node_text_of(global->module), name = ptio_node_text_of(global->name);
    if (memchr(module.bytes, '\n', module.size) || memchr(name.bytes, '\n', name.size))
        return not_in_protocol(p, "a name with a line break", 4);
    ptio_status status = put_op(p, opcode);
    if (status == PTIO_OK)
        status = put_bytes(p, module.bytes, module.size);
    if (status == PTIO_OK)
        status = put_op(p, '\n');
    if (status == PTIO_OK)
        status = put_bytes(p, name.bytes, name.size);
    return status ? status : put_op(p, '\n');
}

/* ----- Beginning a value */

static ptio_status open_node(pickler *p, const ptio_value *object, const ptio_value *node)
{
    if (p->depth == p->capacity) {
        open_object *stack = ptio_heap_grow(p->heap, p->stack, &p->capacity, p->depth + 1, sizeof *stack);
        if (!stack)
            return no_memory(p);
        p->stack = stack;
    }
    p->stack[p->depth++] = (open_object){.object = object, .node = node};
    return PTIO_OK;
}

/* A str and its PUT, in the protocols that nearly all files have. */
static ptio_status put_str_and_memoize(pickler *p, const ptio_value *object, ptio_text text)
{
    uint8_t *at;
    uint32_t number = p->next_number;
    size_t put = number < 256 ? 2 : 5;
    if (!(object->flags & PTIO_NODE_FLEETING) && !ptio_known_put(&p->known, p->heap, object, number))
        return no_memory(p);
    ptio_status status = reserve(p, 5 + text.size + put, &at);
    if (status)
        return status;
    p->next_number = number + 1;
    at[0] = PTIO_OP_BINUNICODE;
    ptio_store_u32(at + 1, (uint32_t)text.size);
    memcpy(at + 5, text.bytes, text.size);
    at += 5 + text.size;
    at[0] = put == 2 ? PTIO_OP_BINPUT : PTIO_OP_LONG_BINPUT;
    if (put == 2)
        at[1] = (uint8_t)number;
    else
        ptio_store_u32(at + 1, number);
    return PTIO_OK;
}

static ptio_status begin_node(pickler *p, const ptio_value *object, const ptio_value *node)
{
    ptio_status status;
    unsigned protocol = p->options->protocol;
    if (node->type == PTIO_NODE_TYPE_STR && protocol - 1 < 3 && node->count && !p->options->as_found)
        return put_str_and_memoize(p, object, ptio_node_text_of(node));
    switch ((ptio_node_type)node->type) {
    case PTIO_NODE_TYPE_NONE: return put_op(p, PTIO_OP_NONE);
    case PTIO_NODE_TYPE_BOOL: return put_bool(p, node == &ptio_true);
    case PTIO_NODE_TYPE_INT: return put_int(p, node);
    case PTIO_NODE_TYPE_FLOAT: return put_float(p, PTIO_NODE(float, node)->value);
    case PTIO_NODE_TYPE_STR: status = put_str(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_PY2STR: status = put_py2str(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_BYTES: status = put_byte_string(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_BYTEARRAY: status = put_bytearray(p, ptio_node_text_of(node)); break;
    case PTIO_NODE_TYPE_TUPLE:
        if (node->count)
            return open_node(p, object, node);
        return is_binary(p) ? put_op(p, PTIO_OP_EMPTY_TUPLE) : put_bytes(p, "(t", 2);
    case PTIO_NODE_TYPE_GLOBAL:
        if (p->options->protocol >= 4)
            return open_node(p, object, node);
        status = put_lines(p, PTIO_OP_GLOBAL, PTIO_NODE(global, node));
        break;
    default: return open_node(p, object, node);
    }
    return status ? status : memoize(p, object);
}

static bool is_atom(const ptio_value *value)
{
    return value->type <= PTIO_NODE_TYPE_FLOAT;
}

/* What nobody has to be asked about. */
static ptio_status begin_itself(pickler *p, const ptio_value *value)
{
    const ptio_known_object *known = ptio_known_find(&p->known, value);
    return known ? put_get(p, known->number) : begin_node(p, value, value);
}

/* ----- Tensors, without their nodes */

/* All opcodes of a tensor go into one piece of memory, of which this is the next byte. That leaves out a test for room at each, which is
 * most of the cost of a small tensor. */
typedef struct run_writer {
    pickler *p;
    uint8_t *at;
} run_writer;

#define MOST_NUMBER 10 /* bytes of LONG1 with eight bytes */
#define MOST_MEMO 5    /* of LONG_BINPUT, LONG_BINGET     */

/* Bytes of everything but words that are written for the first time. */
static size_t most_of_run(const ptio_tensor_run *run)
{
    return 9 * MOST_MEMO + 9 + 2 * (2 + MOST_MEMO) + MOST_NUMBER * (2 + 2 * run->ndim);
}

PTIO_INLINE void run_memo(run_writer *w, uint8_t short_op, uint8_t long_op, uint32_t number)
{
    if (number < 256) {
        w->at[0] = short_op;
        w->at[1] = (uint8_t)number;
        w->at += 2;
    } else {
        w->at[0] = long_op;
        ptio_store_u32(w->at + 1, number);
        w->at += 5;
    }
}

PTIO_INLINE void run_put(run_writer *w)
{
    run_memo(w, PTIO_OP_BINPUT, PTIO_OP_LONG_BINPUT, w->p->next_number++);
}

PTIO_NOINLINE static void run_large_int(run_writer *w, int64_t value)
{
    uint8_t *at = w->at;
    if (value >= 0 && value < 65536) {
        at[0] = PTIO_OP_BININT2;
        at[1] = (uint8_t)value;
        at[2] = (uint8_t)(value >> 8);
        w->at = at + 3;
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        at[0] = PTIO_OP_BININT;
        ptio_store_u32(at + 1, (uint32_t)value);
        w->at = at + 5;
    } else {
        at[0] = PTIO_OP_LONG1;
        ptio_store_u64(at + 2, (uint64_t)value);
        at[1] = (uint8_t)ptio_int_fewest(at + 2, 8);
        w->at = at + 2 + at[1];
    }
}

PTIO_INLINE void run_int(run_writer *w, int64_t value)
{
    if (PTIO_UNLIKELY(value < 0 || value > 255)) {
        run_large_int(w, value);
        return;
    }
    w->at[0] = PTIO_OP_BININT1;
    w->at[1] = (uint8_t)value;
    w->at += 2;
}

/* A tuple that nobody meets again. */
PTIO_INLINE void run_ints(run_writer *w, const int64_t *numbers, size_t count)
{
    if (!count) {
        *w->at++ = PTIO_OP_EMPTY_TUPLE;
        return;
    }
    if (count > 3)
        *w->at++ = PTIO_OP_MARK;
    for (size_t i = 0; i < count; i++)
        run_int(w, numbers[i]);
    *w->at++ = count > 3 ? PTIO_OP_TUPLE : (uint8_t)(PTIO_OP_TUPLE1 + count - 1);
    run_put(w);
}

/* A word: one that is not known yet is written as any other value, and then there is room for `most` bytes again. */
PTIO_INLINE ptio_status run_word(run_writer *w, const ptio_value *word, size_t most)
{
    pickler *p = w->p;
    const ptio_known_object *known = ptio_known_find(&p->known, word);
    if (PTIO_LIKELY(known != NULL)) {
        run_memo(w, PTIO_OP_BINGET, PTIO_OP_LONG_BINGET, known->number);
        return PTIO_OK;
    }
    p->out.size = (size_t)(w->at - p->out.bytes);
    ptio_status status = begin_node(p, word, word);
    if (status == PTIO_OK && p->out.capacity - p->out.size < most)
        status = grow(p, most);
    w->at = p->out.bytes + p->out.size;
    return status;
}

/* ('storage', class, key, location, numel) */
PTIO_INLINE ptio_status run_storage_id(run_writer *w, const ptio_tensor_run *run, size_t most)
{
    const ptio_value *const words[] = {run->word, run->class_, run->key, run->location};
    *w->at++ = PTIO_OP_MARK;
    for (size_t i = 0; i < 4; i++) {
        ptio_status status = run_word(w, words[i], most);
        if (PTIO_UNLIKELY(status))
            return status;
    }
    run_int(w, run->numel);
    *w->at++ = PTIO_OP_TUPLE;
    run_put(w);
    *w->at++ = PTIO_OP_BINPERSID;
    return PTIO_OK;
}

static ptio_status put_tensor(pickler *p, const ptio_value *object, const ptio_tensor_run *run)
{
    size_t most = most_of_run(run);
    ptio_status status = p->out.capacity - p->out.size < most ? grow(p, most) : PTIO_OK;
    if (status)
        return status;
    run_writer w = {p, p->out.bytes + p->out.size};
    status = run_word(&w, run->function, most);
    if (status)
        return status;
    *w.at++ = PTIO_OP_MARK;
    status = run_storage_id(&w, run, most);
    if (status)
        return status;
    run_int(&w, run->storage_offset);
    run_ints(&w, run->dims, run->ndim);
    run_ints(&w, run->dims + run->ndim, run->ndim);
    *w.at++ = run->requires_grad ? PTIO_OP_NEWTRUE : PTIO_OP_NEWFALSE;
    status = run_word(&w, run->hooks_class, most); /* OrderedDict() */
    if (status)
        return status;
    *w.at++ = PTIO_OP_EMPTY_TUPLE;
    *w.at++ = PTIO_OP_REDUCE;
    run_put(&w);
    *w.at++ = PTIO_OP_TUPLE;
    run_put(&w);
    *w.at++ = PTIO_OP_REDUCE;
    p->out.size = (size_t)(w.at - p->out.bytes);
    return memoize(p, object);
}

/* *written is true where the object was one. */
static ptio_status try_tensor(pickler *p, const ptio_value *object, bool *written)
{
    ptio_tensor_run run;
    *written = false;
    if (!p->options->tensor || p->options->protocol - 2 > 1 || p->options->python2)
        return PTIO_OK;
    ptio_status status = p->options->tensor(p->options->ctx, object, &run, written, p->err);
    return status || !*written ? status : put_tensor(p, object, &run);
}

/* Write a value, or put it on the stack. A frame may end before it. */
static ptio_status begin(pickler *p, const ptio_value *value)
{
    if (p->frame != NO_FRAME && p->out.size - p->frame - FRAME_HEADER >= FRAME_TARGET)
        close_frame(p);
    if (is_atom(value) || value->flags & PTIO_NODE_FLEETING)
        return begin_node(p, value, value);
    if (value->flags & PTIO_NODE_ITSELF)
        return begin_itself(p, value);
    const ptio_value *object = p->options->identify ? p->options->identify(p->options->ctx, value) : value;
    if (!object)
        return no_memory(p);
    if (is_atom(object))
        return begin_node(p, object, object);
    const ptio_known_object *known = ptio_known_find(&p->known, object);
    if (known)
        return put_get(p, known->number);
    const ptio_value *node = object;
    ptio_status status = PTIO_OK;
    bool written = false;
    if (object->seen == PTIO_KIND_TENSOR)
        status = try_tensor(p, object, &written);
    if (written || status)
        return status;
    if (object->type != PTIO_NODE_TYPE_STR && p->options->reduce)
        status = p->options->reduce(p->options->ctx, object, &node, p->err);
    return status ? status : begin_node(p, object, node);
}

static ptio_status done(pickler *p)
{
    p->depth--;
    return PTIO_OK;
}

/* An object that holds itself was completed while its own parts were written: take them off the stack again. */
static ptio_status fetch_instead(pickler *p, const ptio_value *object)
{
    const ptio_known_object *known = ptio_known_find(&p->known, object);
    (void)done(p);
    return put_get(p, known->number);
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
static ptio_status at_border(pickler *p, const batch *b, size_t index, size_t count)
{
    ptio_status status = PTIO_OK;
    if (index && (index % BATCH == 0 || index == count)) {
        size_t group = (index - 1) / BATCH * BATCH;
        status = put_op(p, is_alone(b, group, count) ? b->one : b->many);
    }
    if (status == PTIO_OK && index < count && index % BATCH == 0 && !is_alone(b, index, count))
        status = put_op(p, PTIO_OP_MARK);
    if (status == PTIO_OK && index == count && count && count % BATCH == 0 && b->trailing) {
        status = put_op(p, PTIO_OP_MARK);
        if (status == PTIO_OK)
            status = put_op(p, b->many);
    }
    return status;
}

PTIO_INLINE ptio_status between(pickler *p, const batch *b, size_t index, size_t count)
{
    if (!is_binary(p))
        return index ? put_op(p, b->one) : PTIO_OK;
    return PTIO_UNLIKELY(index % BATCH == 0 || index == count) ? at_border(p, b, index, count) : PTIO_OK;
}

/* The next of a list's or set's items, up to one that is put on the stack; *more is false when there was none left. */
static ptio_status step_items(pickler *p, const batch *b, const ptio_block *block, size_t count, bool *more)
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
static ptio_status step_entries(pickler *p, const batch *b, const ptio_block *block, size_t count, bool *more)
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
static ptio_status begin_container(pickler *p, uint8_t binary, uint8_t text)
{
    p->stack[p->depth - 1].phase = 1;
    ptio_status status = is_binary(p) ? put_op(p, binary) : put_op(p, PTIO_OP_MARK);
    if (status == PTIO_OK && !is_binary(p))
        status = put_op(p, text);
    return status ? status : memoize(p, p->stack[p->depth - 1].object);
}

static ptio_status step_list(pickler *p, open_object *top)
{
    const ptio_node_list *list = PTIO_NODE(list, top->node);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_LIST, PTIO_OP_LIST);
    bool more = false;
    if (status == PTIO_OK)
        status = step_items(p, p->options->python2 ? &fed_list : &exact_list, list->block, list->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_dict(pickler *p, open_object *top)
{
    const ptio_node_dict *dict = PTIO_NODE(dict, top->node);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_DICT, PTIO_OP_DICT);
    bool more = false;
    if (status == PTIO_OK)
        status = step_entries(p, &exact_dict, dict->block, dict->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_set(pickler *p, open_object *top)
{
    const ptio_node_list *set = PTIO_NODE(list, top->node);
    if (p->options->protocol < 4)
        return not_in_protocol(p, "a set", 4);
    ptio_status status = top->phase ? PTIO_OK : begin_container(p, PTIO_OP_EMPTY_SET, 0);
    bool more = false;
    if (status == PTIO_OK)
        status = step_items(p, &exact_set, set->block, set->head.count, &more);
    return status || more ? status : done(p);
}

static ptio_status step_frozenset(pickler *p, open_object *top)
{
    const ptio_node_list *set = PTIO_NODE(list, top->node);
    const ptio_value *object = top->object;
    if (p->options->protocol < 4)
        return not_in_protocol(p, "a frozenset", 4);
    ptio_status status = top->next ? PTIO_OK : put_op(p, PTIO_OP_MARK);
    if (status)
        return status;
    if (top->next < set->head.count)
        return begin(p, set->block->items[top->next++]);
    if (is_known(p, object)) {
        status = put_op(p, PTIO_OP_POP_MARK);
        return status ? status : fetch_instead(p, object);
    }
    status = put_op(p, PTIO_OP_FROZENSET);
    (void)done(p);
    return status ? status : memoize(p, object);
}

/* Whether the topmost tuple is what an object is being made of. An object that holds itself asks for its arguments again while it
 * is made, and Python gives a new tuple each time, so such a tuple is never fetched. */
static bool is_arguments(const pickler *p)
{
    if (p->depth < 2)
        return false;
    const open_object *below = &p->stack[p->depth - 2];
    return below->node->type == PTIO_NODE_TYPE_REDUCED && below->phase == MAKING &&
           PTIO_NODE(reduced, below->node)->arguments == p->stack[p->depth - 1].node;
}

static ptio_status step_tuple(pickler *p, open_object *top)
{
    const ptio_node_tuple *tuple = PTIO_NODE(tuple, top->node);
    const ptio_value *object = top->object;
    size_t count = tuple->head.count, depth = p->depth;
    bool is_short = count <= 3 && p->options->protocol >= 2;
    ptio_status status = top->next || is_short ? PTIO_OK : put_op(p, PTIO_OP_MARK);
    while (status == PTIO_OK && p->stack[depth - 1].next < count) {
        status = begin(p, tuple->items[p->stack[depth - 1].next++]);
        if (p->depth != depth)
            return status;
    }
    if (status)
        return status;
    if (is_known(p, object) && !is_arguments(p)) {
        if (is_short)
            status = put_ops(p, PTIO_OP_POP, count);
        else
            status = is_binary(p) ? put_op(p, PTIO_OP_POP_MARK) : put_ops(p, PTIO_OP_POP, count + 1);
        return status ? status : fetch_instead(p, object);
    }
    status = put_op(p, is_short ? (uint8_t)(PTIO_OP_TUPLE1 + count - 1) : PTIO_OP_TUPLE);
    (void)done(p);
    return status ? status : memoize(p, object);
}

static ptio_status step_global(pickler *p, open_object *top)
{
    const ptio_node_global *global = PTIO_NODE(global, top->node);
    const ptio_value *object = top->object;
    switch (top->next++) {
    case 0: return begin(p, global->module);
    case 1: return begin(p, global->name);
    default: break;
    }
    ptio_status status = put_op(p, PTIO_OP_STACK_GLOBAL);
    (void)done(p);
    return status ? status : memoize(p, object);
}

static ptio_status step_persistent(pickler *p, open_object *top)
{
    const ptio_node_persistent *node = PTIO_NODE(persistent, top->node);
    if (node->head.flags & PTIO_NODE_TEXT_ID) {
        ptio_text id = ptio_node_text_of(node->id);
        ptio_status status = put_op(p, PTIO_OP_PERSID);
        if (status == PTIO_OK)
            status = put_bytes(p, id.bytes, id.size);
        (void)done(p);
        return status ? status : put_op(p, '\n');
    }
    if (!is_binary(p))
        return not_in_protocol(p, "a storage", 1);
    if (!top->next++)
        return begin(p, node->id);
    (void)done(p);
    return put_op(p, PTIO_OP_BINPERSID);
}

/* Callable and arguments of a class that Python 2's old-style instances are made of: a mark, then each by itself. */
static ptio_status make_old_style(pickler *p, open_object *top, bool *made)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, top->node);
    const ptio_node_tuple *arguments = PTIO_NODE(tuple, node->arguments);
    bool is_inst = node->head.opcode == PTIO_OP_INST;
    size_t index = top->next++;
    ptio_status status = index ? PTIO_OK : put_op(p, PTIO_OP_MARK);
    if (status)
        return status;
    if (!is_inst && index == 0)
        return begin(p, node->callable);
    index -= !is_inst;
    if (index < arguments->head.count)
        return begin(p, arguments->items[index]);
    *made = true;
    return is_inst ? put_lines(p, PTIO_OP_INST, PTIO_NODE(global, node->callable)) : put_op(p, PTIO_OP_OBJ);
}

static ptio_status make(pickler *p, open_object *top, bool *made)
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
    return put_op(p, node->head.opcode);
}

static ptio_status step_reduced(pickler *p, open_object *top)
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
        if (is_known(p, object)) {
            status = put_op(p, PTIO_OP_POP);
            return status ? status : fetch_instead(p, object);
        }
        top->phase = MADE_ITEMS;
        top->next = 0;
        status = memoize(p, object);
        return status || more ? status : done(p);
    }
    switch (top->phase) {
    case MADE_ITEMS: status = step_items(p, &fed_list, more->items.block, more->items.head.count, &going); break;
    case MADE_ENTRIES: status = step_entries(p, &fed_dict, more->entries.block, more->entries.head.count, &going); break;
    default:
        status = top->next ? put_op(p, PTIO_OP_BUILD) : PTIO_OK;
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

static ptio_status step(pickler *p)
{
    open_object *top = &p->stack[p->depth - 1];
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
    pickler p = {.options = options, .heap = heap, .err = err, .out = *out, .frame = NO_FRAME, .next_number = options->python2};
    ptio_status status = PTIO_OK;
    if (options->protocol >= 2)
        status = put_op_u8(&p, PTIO_OP_PROTO, (uint8_t)options->protocol);
    p.framing = options->protocol >= 4;
    if (status == PTIO_OK)
        status = begin(&p, root);
    while (status == PTIO_OK && p.depth)
        status = step(&p);
    if (status == PTIO_OK)
        status = put_op(&p, PTIO_OP_STOP);
    if (status == PTIO_OK)
        close_frame(&p);
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
