/*
 * The opcodes of a pickle as CPython's pickler writes them: bytes and frames, numbers in the memo, atoms and texts.
 *
 * Source: Lib/pickle.py, Modules/_pickle.c
 */
#include "pickle/put.h"

#include <stdio.h>
#include <string.h>

#include "base/number_text.h"
#include "base/text.h"
#include "pickle/number.h"

#define FRAME_LEAST 4u /* smaller ones are left unframed */

/* ----- Bytes and frames */

ptio_status ptio_put_no_memory(ptio_pickling *p)
{
    return ptio_heap_fail(p->heap, p->err, "the pickle that is written");
}

ptio_status ptio_put_grow(ptio_pickling *p, size_t more)
{
    size_t need;
    void *bytes = NULL;
    if (ptio_add_size(p->out.size, more, &need))
        bytes = ptio_heap_grow(p->heap, p->out.bytes, &p->out.capacity, need < 512 ? 512 : need, 1);
    if (!bytes)
        return ptio_put_no_memory(p);
    p->out.bytes = bytes;
    return PTIO_OK;
}

void ptio_put_close_frame(ptio_pickling *p)
{
    if (p->frame == PTIO_NO_FRAME)
        return;
    uint8_t *header = p->out.bytes + p->frame;
    size_t length = p->out.size - p->frame - PTIO_FRAME_HEADER;
    if (length >= FRAME_LEAST) {
        header[0] = PTIO_OP_FRAME;
        ptio_store_u64(header + 1, length);
    } else {
        memmove(header, header + PTIO_FRAME_HEADER, length);
        p->out.size -= PTIO_FRAME_HEADER;
    }
    p->frame = PTIO_NO_FRAME;
}

ptio_status ptio_put_bytes(ptio_pickling *p, const void *bytes, size_t size)
{
    uint8_t *at;
    ptio_status status = ptio_put_reserve(p, size, &at);
    if (status == PTIO_OK && size)
        memcpy(at, bytes, size);
    return status;
}

ptio_status ptio_put_ops(ptio_pickling *p, uint8_t opcode, size_t count)
{
    ptio_status status = PTIO_OK;
    while (status == PTIO_OK && count--)
        status = ptio_put_op(p, opcode);
    return status;
}

ptio_status ptio_put_op_u8(ptio_pickling *p, uint8_t opcode, uint8_t number)
{
    uint8_t *at;
    ptio_status status = ptio_put_reserve(p, 2, &at);
    if (status == PTIO_OK) {
        at[0] = opcode;
        at[1] = number;
    }
    return status;
}

static ptio_status put_op_u32(ptio_pickling *p, uint8_t opcode, uint32_t number)
{
    uint8_t *at;
    ptio_status status = ptio_put_reserve(p, 5, &at);
    if (status == PTIO_OK) {
        at[0] = opcode;
        ptio_store_u32(at + 1, number);
    }
    return status;
}

/* An opcode and a line of decimal. */
static ptio_status put_op_line(ptio_pickling *p, uint8_t opcode, int64_t number)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%c%lld\n", opcode, (long long)number);
    return ptio_put_bytes(p, line, (size_t)size);
}

/* An opcode with a length and bytes. Those of 64 KiB and more stand outside of frames. */
static ptio_status put_sized(ptio_pickling *p, uint8_t opcode, unsigned width, const void *bytes, size_t size)
{
    uint8_t *at;
    bool framing = p->framing;
    if (size >= PTIO_FRAME_TARGET) {
        ptio_put_close_frame(p);
        p->framing = false;
    }
    ptio_status status = ptio_put_reserve(p, 1 + width + size, &at);
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

static ptio_status put_memo_opcode(ptio_pickling *p, uint32_t number)
{
    if (p->options->protocol >= 4)
        return ptio_put_op(p, PTIO_OP_MEMOIZE);
    if (!ptio_put_is_binary(p))
        return put_op_line(p, PTIO_OP_PUT, number);
    return number < 256 ? ptio_put_op_u8(p, PTIO_OP_BINPUT, (uint8_t)number) : put_op_u32(p, PTIO_OP_LONG_BINPUT, number);
}

/* Number an object: every one but atoms, or those that the file remembered. */
ptio_status ptio_put_memo(ptio_pickling *p, const ptio_value *object)
{
    if (p->options->as_found && !(object->flags & PTIO_NODE_MEMOIZED))
        return PTIO_OK;
    if (!(object->flags & PTIO_NODE_FLEETING) && !ptio_known_put(&p->known, p->heap, object, p->next_number))
        return ptio_put_no_memory(p);
    return put_memo_opcode(p, p->next_number++);
}

ptio_status ptio_put_get(ptio_pickling *p, uint32_t number)
{
    if (!ptio_put_is_binary(p))
        return put_op_line(p, PTIO_OP_GET, number);
    return number < 256 ? ptio_put_op_u8(p, PTIO_OP_BINGET, (uint8_t)number) : put_op_u32(p, PTIO_OP_LONG_BINGET, number);
}

/* ----- Atoms */

ptio_status ptio_put_bool(ptio_pickling *p, bool value)
{
    if (p->options->protocol >= 2)
        return ptio_put_op(p, value ? PTIO_OP_NEWTRUE : PTIO_OP_NEWFALSE);
    return ptio_put_bytes(p, value ? "I01\n" : "I00\n", 4);
}

/* LONG1 or LONG4 of two's complement; a line of decimal below protocol 2. */
static ptio_status put_long(ptio_pickling *p, const uint8_t *bytes, size_t size)
{
    if (p->options->protocol >= 2)
        return size < 256 ? put_sized(p, PTIO_OP_LONG1, 1, bytes, size) : put_sized(p, PTIO_OP_LONG4, 4, bytes, size);
    size_t capacity = PTIO_INT_TEXT_SIZE(size);
    char *text = ptio_heap_resize(p->heap, NULL, 0, capacity);
    if (!text)
        return ptio_put_no_memory(p);
    size_t length = ptio_format_int(bytes, size, text);
    ptio_status status = length ? PTIO_OK
                                : ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pickle.digits", PTIO_NO_OFFSET,
                                            "an int of more than %d digits cannot be written by protocol %u",
                                            PTIO_INT_TEXT_DIGITS, p->options->protocol);
    if (status == PTIO_OK)
        status = ptio_put_op(p, PTIO_OP_LONG);
    if (status == PTIO_OK)
        status = ptio_put_bytes(p, text, length);
    if (status == PTIO_OK)
        status = ptio_put_bytes(p, "L\n", 2);
    ptio_heap_free(p->heap, text, capacity);
    return status;
}

static ptio_status put_int64(ptio_pickling *p, int64_t value, bool is_long)
{
    bool is_small = value >= INT32_MIN && value <= INT32_MAX;
    if (PTIO_LIKELY(value >= 0 && value < 256 && !is_long && ptio_put_is_binary(p)))
        return ptio_put_op_u8(p, PTIO_OP_BININT1, (uint8_t)value);
    if ((is_long && p->options->python2) || (!is_small && !p->options->python2)) {
        uint8_t bytes[8];
        ptio_store_u64(bytes, (uint64_t)value);
        return put_long(p, bytes, ptio_int_fewest(bytes, 8));
    }
    if (!is_small || !ptio_put_is_binary(p))
        return put_op_line(p, PTIO_OP_INT, value);
    if (value >= 0 && value < 256)
        return ptio_put_op_u8(p, PTIO_OP_BININT1, (uint8_t)value);
    if (value >= 0 && value < 65536) {
        uint8_t *at;
        ptio_status status = ptio_put_reserve(p, 3, &at);
        if (status == PTIO_OK) {
            at[0] = PTIO_OP_BININT2;
            at[1] = (uint8_t)value;
            at[2] = (uint8_t)(value >> 8);
        }
        return status;
    }
    return put_op_u32(p, PTIO_OP_BININT, (uint32_t)value);
}

ptio_status ptio_put_int(ptio_pickling *p, const ptio_value *node)
{
    const ptio_node_int *i = PTIO_NODE(int, node);
    if (node->flags & PTIO_NODE_BIG)
        return put_long(p, i->u.bytes, node->count);
    return put_int64(p, i->u.value, node->flags & PTIO_NODE_LONG);
}

ptio_status ptio_put_float(ptio_pickling *p, double value)
{
    if (!ptio_put_is_binary(p)) {
        char text[PTIO_FLOAT_TEXT_SIZE];
        size_t size = ptio_format_float(text, value);
        ptio_status status = ptio_put_op(p, PTIO_OP_FLOAT);
        if (status == PTIO_OK)
            status = ptio_put_bytes(p, text, size);
        return status ? status : ptio_put_op(p, '\n');
    }
    uint8_t *at;
    ptio_status status = ptio_put_reserve(p, 9, &at);
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
static ptio_status put_unicode_line(ptio_pickling *p, ptio_text text)
{
    ptio_status status = ptio_put_op(p, PTIO_OP_UNICODE);
    for (size_t at = 0; status == PTIO_OK && at < text.size;) {
        uint32_t code;
        char escape[12];
        size_t taken = ptio_utf8_decode(text.bytes + at, text.size - at, &code);
        at += taken ? taken : 1;
        bool plain = code < 256 && code != '\\' && code != '\n' && code != '\r' && code != 0 && code != 0x1A;
        if (plain)
            status = ptio_put_op(p, (uint8_t)code);
        else
            status =
                ptio_put_bytes(p, escape, (size_t)snprintf(escape, sizeof escape, code > 0xFFFF ? "\\U%08x" : "\\u%04x", code));
    }
    return status ? status : ptio_put_op(p, '\n');
}

ptio_status ptio_put_str(ptio_pickling *p, ptio_text text)
{
    if (!ptio_put_is_binary(p))
        return put_unicode_line(p, text);
    if (p->options->protocol >= 4 && text.size < 256)
        return put_sized(p, PTIO_OP_SHORT_BINUNICODE, 1, text.bytes, text.size);
    return put_sized(p, PTIO_OP_BINUNICODE, 4, text.bytes, text.size);
}

/* repr() of a byte string of Python 2. */
static ptio_status put_string_line(ptio_pickling *p, ptio_text text)
{
    char quote = memchr(text.bytes, '\'', text.size) && !memchr(text.bytes, '"', text.size) ? '"' : '\'';
    ptio_status status = ptio_put_op(p, PTIO_OP_STRING);
    if (status == PTIO_OK)
        status = ptio_put_op(p, (uint8_t)quote);
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
        status = ptio_put_bytes(p, size == 1 ? (char *)&c : escape, size);
    }
    if (status == PTIO_OK)
        status = ptio_put_op(p, (uint8_t)quote);
    return status ? status : ptio_put_op(p, '\n');
}

ptio_status ptio_put_py2str(ptio_pickling *p, ptio_text text)
{
    if (!ptio_put_is_binary(p))
        return put_string_line(p, text);
    return text.size < 256 ? put_sized(p, PTIO_OP_SHORT_BINSTRING, 1, text.bytes, text.size)
                           : put_sized(p, PTIO_OP_BINSTRING, 4, text.bytes, text.size);
}

ptio_status ptio_put_not_in_protocol(ptio_pickling *p, const char *what, unsigned least)
{
    return ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pickle.protocol", PTIO_NO_OFFSET,
                     "%s has no opcode before protocol %u, and protocol %u is written", what, least, p->options->protocol);
}

ptio_status ptio_put_byte_string(ptio_pickling *p, ptio_text text)
{
    if (p->options->protocol < 3)
        return ptio_put_not_in_protocol(p, "bytes", 3);
    return text.size < 256 ? put_sized(p, PTIO_OP_SHORT_BINBYTES, 1, text.bytes, text.size)
                           : put_sized(p, PTIO_OP_BINBYTES, 4, text.bytes, text.size);
}

ptio_status ptio_put_bytearray(ptio_pickling *p, ptio_text text)
{
    if (p->options->protocol < 5)
        return ptio_put_not_in_protocol(p, "a bytearray", 5);
    return put_sized(p, PTIO_OP_BYTEARRAY8, 8, text.bytes, text.size);
}

static bool is_ascii(ptio_text text)
{
    size_t i = 0;
    while (i < text.size && !((unsigned char)text.bytes[i] & 0x80))
        i++;
    return i == text.size;
}

/* Python 2 has no other names, so Python 3 writes none for it; they can be read all the same. */
static ptio_status check_identifier(ptio_pickling *p, const char *what, ptio_text text)
{
    if (p->options->protocol > 2 || p->options->as_found || is_ascii(text))
        return PTIO_OK;
    return ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pickle.protocol", PTIO_NO_OFFSET,
                     "can't pickle %s identifier '%s' using pickle protocol %u", what, ptio_quote(text).text,
                     p->options->protocol);
}

ptio_status ptio_put_lines(ptio_pickling *p, uint8_t opcode, const ptio_node_global *global)
{
    ptio_text module = ptio_node_text_of(global->module), name = ptio_node_text_of(global->name);
    ptio_status checked = check_identifier(p, "module", module);
    if (checked == PTIO_OK)
        checked = check_identifier(p, "global", name);
    if (checked != PTIO_OK)
        return checked;
    if (memchr(module.bytes, '\n', module.size) || memchr(name.bytes, '\n', name.size))
        return ptio_put_not_in_protocol(p, "a name with a line break", 4);
    ptio_status status = ptio_put_op(p, opcode);
    if (status == PTIO_OK)
        status = ptio_put_bytes(p, module.bytes, module.size);
    if (status == PTIO_OK)
        status = ptio_put_op(p, '\n');
    if (status == PTIO_OK)
        status = ptio_put_bytes(p, name.bytes, name.size);
    return status ? status : ptio_put_op(p, '\n');
}

ptio_status ptio_put_str_and_memo(ptio_pickling *p, const ptio_value *object, ptio_text text)
{
    uint8_t *at;
    uint32_t number = p->next_number;
    size_t put = number < 256 ? 2 : 5;
    if (!(object->flags & PTIO_NODE_FLEETING) && !ptio_known_put(&p->known, p->heap, object, number))
        return ptio_put_no_memory(p);
    ptio_status status = ptio_put_reserve(p, 5 + text.size + put, &at);
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
