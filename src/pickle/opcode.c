/*
 * The table of opcodes, and the reading of one.
 */
#include "pickle/opcode.h"

#include "base/cursor.h"
#include "base/text.h"
#include "pickle/vm.h"

const ptio_opcode_info ptio_opcodes[256] = {
#define OP(name, byte, form, effect, protocol) [(byte)] = {#name, effect, PTIO_FORM_##form, protocol},
#include "pickle/opcodes.def"
#undef OP
};

#define USUAL(name) [PTIO_OP_##name] = true

const bool ptio_opcode_usual[256] = {
    USUAL(PROTO),   USUAL(STOP),     USUAL(MARK),   USUAL(NONE),        USUAL(NEWTRUE),    USUAL(NEWFALSE),    USUAL(BININT),
    USUAL(BININT1), USUAL(BININT2),  USUAL(LONG1),  USUAL(BINFLOAT),    USUAL(BINUNICODE), USUAL(EMPTY_TUPLE), USUAL(TUPLE),
    USUAL(TUPLE1),  USUAL(TUPLE2),   USUAL(TUPLE3), USUAL(EMPTY_LIST),  USUAL(APPEND),     USUAL(APPENDS),     USUAL(EMPTY_DICT),
    USUAL(SETITEM), USUAL(SETITEMS), USUAL(BINGET), USUAL(LONG_BINGET), USUAL(BINPUT),     USUAL(LONG_BINPUT), USUAL(GLOBAL),
    USUAL(NEWOBJ),  USUAL(REDUCE),   USUAL(BUILD),  USUAL(BINPERSID),
};

/* By form. */
#define BYTES_NONE 0
#define BYTES_U1 1
#define BYTES_U2 2
#define BYTES_U4 4
#define BYTES_U8 8
#define BYTES_I4 4
#define BYTES_F8 8
#define BYTES_BYTES1 PTIO_ARGUMENT_VARIES
#define BYTES_BYTES4 PTIO_ARGUMENT_VARIES
#define BYTES_BYTES8 PTIO_ARGUMENT_VARIES
#define BYTES_SIGNED4 PTIO_ARGUMENT_VARIES
#define BYTES_LINE PTIO_ARGUMENT_VARIES
#define BYTES_LINES PTIO_ARGUMENT_VARIES

const uint8_t ptio_opcode_arguments[256] = {
#define OP(name, byte, form, effect, protocol) [(byte)] = BYTES_##form,
#include "pickle/opcodes.def"
#undef OP
};

const char *ptio_opcode_name(uint8_t opcode)
{
    return ptio_opcodes[opcode].name;
}

/* A reading that may find too few bytes: then `need` says how many more. */
typedef struct reading {
    ptio_cursor cursor;
    uint64_t line_bytes;
    uint64_t need;
    ptio_instruction *to;
    ptio_error *err;
} reading;

static const uint8_t *take(reading *r, uint64_t n)
{
    uint64_t left = ptio_cursor_left(&r->cursor);
    if (r->need || n > left) {
        if (!r->need)
            r->need = n - left;
        return NULL;
    }
    return ptio_cursor_take(&r->cursor, n);
}

static ptio_status read_number(reading *r, size_t width)
{
    const uint8_t *p = take(r, width);
    if (p)
        r->to->number = width == 1 ? p[0] : width == 2 ? ptio_load_u16(p) : width == 4 ? ptio_load_u32(p) : ptio_load_u64(p);
    return PTIO_OK;
}

static ptio_status read_bytes(reading *r, size_t width, bool is_signed)
{
    (void)read_number(r, width);
    uint64_t size = r->to->number;
    if (r->need)
        return PTIO_OK;
    if (size >= (is_signed ? (uint64_t)1 << 31 : (uint64_t)1 << 63))
        return ptio_fail(r->err, PTIO_ERR_FORMAT, "pickle.length", r->to->offset, "the length of its bytes is %s",
                         is_signed ? "negative" : "2^63 or more");
    const uint8_t *p = take(r, size);
    if (p)
        r->to->text = (ptio_text){(const char *)p, (size_t)size};
    return PTIO_OK;
}

static ptio_status read_line(reading *r, ptio_text *line)
{
    if (r->need)
        return PTIO_OK;
    size_t left = ptio_cursor_left(&r->cursor), limit = r->line_bytes < left ? (size_t)r->line_bytes : left, size;
    const uint8_t *p = ptio_cursor_line(&r->cursor, limit, &size);
    if (p)
        *line = (ptio_text){(const char *)p, size};
    else if (left > r->line_bytes)
        return ptio_fail(r->err, PTIO_ERR_LIMIT, "limit.line-bytes", r->to->offset,
                         "a line is longer than the %llu bytes that line_bytes allows", (unsigned long long)r->line_bytes);
    else
        r->need = 1;
    return PTIO_OK;
}

static ptio_status read_argument(reading *r)
{
    ptio_status status;
    switch ((ptio_opcode_form)r->to->info->form) {
    case PTIO_FORM_NONE: return PTIO_OK;
    case PTIO_FORM_U1: return read_number(r, 1);
    case PTIO_FORM_U2: return read_number(r, 2);
    case PTIO_FORM_U4: return read_number(r, 4);
    case PTIO_FORM_U8: return read_number(r, 8);
    case PTIO_FORM_I4:
        status = read_number(r, 4);
        r->to->number = (uint64_t)(int64_t)(int32_t)r->to->number;
        return status;
    case PTIO_FORM_F8:
        status = read_number(r, 8);
        r->to->number = ptio_swap64(r->to->number);
        return status;
    case PTIO_FORM_BYTES1: return read_bytes(r, 1, false);
    case PTIO_FORM_BYTES4: return read_bytes(r, 4, false);
    case PTIO_FORM_BYTES8: return read_bytes(r, 8, false);
    case PTIO_FORM_SIGNED4: return read_bytes(r, 4, true);
    case PTIO_FORM_LINE: return read_line(r, &r->to->text);
    case PTIO_FORM_LINES: status = read_line(r, &r->to->text); return status ? status : read_line(r, &r->to->second);
    }
    return PTIO_OK;
}

ptio_status ptio_opcode_read(const uint8_t *bytes, size_t size, size_t offset, uint64_t line_bytes, ptio_instruction *ret,
                             uint64_t *need, ptio_error *err)
{
    reading r = {
        .cursor = ptio_cursor_over(size ? (const void *)bytes : "", size), .line_bytes = line_bytes, .to = ret, .err = err};
    *ret = (ptio_instruction){.offset = offset, .end = offset};
    (void)ptio_cursor_take(&r.cursor, offset);
    const uint8_t *opcode = take(&r, 1);
    *need = r.need;
    if (!opcode)
        return PTIO_OK;
    ret->byte = *opcode;
    ret->info = &ptio_opcodes[*opcode];
    if (!ret->info->name)
        return ptio_fail(err, PTIO_ERR_FORMAT, "pickle.opcode", offset, "the byte 0x%02x is no opcode", *opcode);
    ptio_status status = read_argument(&r);
    *need = r.need;
    ret->end = ptio_cursor_offset(&r.cursor);
    return status ? ptio_error_in_context(err, status, ptio_text_of(ret->info->name)) : PTIO_OK;
}

size_t ptio_opcode_end_of(const uint8_t *bytes, size_t size, size_t offset)
{
    ptio_instruction instruction;
    uint64_t need;
    bool read = ptio_opcode_read(bytes, size, offset, UINT64_MAX, &instruction, &need, NULL) == PTIO_OK && !need;
    return read ? instruction.end : size;
}
