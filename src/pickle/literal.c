/*
 * Opcodes whose argument is a line of text, and the strings of Python 2: protocol 0, and what Python 2's picklers wrote.
 *
 * A line ends at its newline. What a line may say is what some pickler writes (number.h); where Python's readers take more, they
 * do not agree.
 */
#include <string.h>

#include "pickle/machine.h"

static ptio_text text_of(const uint8_t *bytes, size_t size)
{
    return (ptio_text){(const char *)bytes, size};
}

static ptio_status take_line(ptio_machine *m, ptio_text *line)
{
    size_t left = (size_t)(m->end - m->pos);
    uint64_t longest = m->options->limits->line_bytes;
    const uint8_t *newline = left ? memchr(m->pos, '\n', left <= longest ? left : (size_t)longest + 1) : NULL;
    if (!newline && left > longest)
        return ptio_machine_fail(m, PTIO_ERR_LIMIT, "limit.line-bytes",
                                 "a line is longer than the %llu bytes that line_bytes allows", (unsigned long long)longest);
    if (!newline)
        return ptio_machine_truncated(m);
    *line = text_of(m->pos, (size_t)(newline - m->pos));
    m->pos = newline + 1;
    return PTIO_OK;
}

static ptio_status bad_line(ptio_machine *m, const char *reason, const char *what, ptio_text line)
{
    return ptio_machine_fail(m, PTIO_ERR_FORMAT, reason, "\"%s\" is no %s", ptio_quote(line).text, what);
}

/* ---- numbers ---- */

static ptio_value *constant(const void *value)
{
    return (ptio_value *)(uintptr_t)value; /* never written to, by its flag */
}

static ptio_status push_int_text(ptio_machine *m, ptio_text line, unsigned flags)
{
    if (!ptio_int_text_valid(line))
        return bad_line(m, "pickle.int-text", "int", line);
    if (line.size > PTIO_INT_DIGITS)
        return ptio_machine_fail(m, PTIO_ERR_LIMIT, "limit.int-digits", "an int of %zu decimal digits; no more than %d are read",
                                 line.size, PTIO_INT_DIGITS);
    uint8_t bytes[PTIO_INT_BYTES];
    size_t size = ptio_int_text_bytes(line, bytes);
    int64_t value = size <= 8 ? ptio_int_value(bytes, size) : -1;
    if (!flags && value >= 0 && value < 256)
        return ptio_machine_push(m, constant(&ptio_small_ints[value]));
    if (size <= 8)
        return ptio_machine_push_long(m, bytes, size, flags);
    ptio_text kept = ptio_arena_text(m->graph->arena, text_of(bytes, size));
    return kept.bytes ? ptio_machine_push_long(m, (const uint8_t *)kept.bytes, size, flags) : ptio_machine_memory(m);
}

ptio_status ptio_do_int(ptio_machine *m)
{
    ptio_text line;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    if (ptio_text_is(line, "00"))
        return ptio_machine_push(m, constant(&ptio_false));
    if (ptio_text_is(line, "01"))
        return ptio_machine_push(m, constant(&ptio_true));
    return push_int_text(m, line, 0);
}

ptio_status ptio_do_long(ptio_machine *m)
{
    ptio_text line;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    if (line.size && line.bytes[line.size - 1] == 'L')
        line.size--;
    return push_int_text(m, line, PTIO_NODE_LONG);
}

ptio_status ptio_do_float(ptio_machine *m)
{
    ptio_text line;
    double value;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    if (!ptio_float_text_value(line, &value))
        return bad_line(m, "pickle.float-text", "float", line);
    ptio_node_float *node = ptio_arena_alloc(m->graph->arena, sizeof *node);
    if (!node)
        return ptio_machine_memory(m);
    *node = (ptio_node_float){{.type = PTIO_NODE_TYPE_FLOAT, .seen = PTIO_KIND_FLOAT}, value};
    return ptio_machine_push(m, &node->head);
}

static ptio_status take_memo_number(ptio_machine *m, uint64_t *number)
{
    ptio_text line;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    /* Up to 20 digits, as many as 64 bits can need. */
    uint64_t value = 0;
    bool fits = line.size && line.size <= 20;
    for (size_t i = 0; fits && i < line.size; i++) {
        unsigned digit = (unsigned)(unsigned char)line.bytes[i] - '0';
        fits = digit <= 9 && ptio_mul_u64(value, 10, &value) && ptio_add_u64(value, digit, &value);
    }
    if (!fits)
        return bad_line(m, "pickle.memo-text", "memo number", line);
    *number = value;
    return PTIO_OK;
}

ptio_status ptio_do_put(ptio_machine *m)
{
    uint64_t number = 0;
    ptio_status status = take_memo_number(m, &number);
    return status ? status : ptio_machine_put(m, number);
}

ptio_status ptio_do_get(ptio_machine *m)
{
    uint64_t number = 0;
    ptio_status status = take_memo_number(m, &number);
    return status ? status : ptio_machine_get(m, number);
}

/* ---- texts ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hex digits at text.bytes[at]; false where there are fewer than `digits`. */
static bool read_hex(ptio_text text, size_t at, size_t digits, uint32_t *ret)
{
    uint32_t value = 0;
    if (text.size - at < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(text.bytes[at + i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return true;
}

static bool is_plain(ptio_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.bytes[i] >= 0x80 || text.bytes[i] == '\\')
            return false;
    return true;
}

/* "raw-unicode-escape": Latin-1, in which \uXXXX and \UXXXXXXXX stand for other code points, where the backslash is not itself
 * behind one. Source: CPython, Objects/unicodeobject.c, _PyUnicode_DecodeRawUnicodeEscapeStateful */
static bool decode_raw_unicode(ptio_text line, char *out, size_t *size)
{
    size_t used = 0;
    for (size_t i = 0; i < line.size;) {
        char c = line.bytes[i++];
        uint32_t code = (unsigned char)c;
        if (c == '\\' && i < line.size) {
            char next = line.bytes[i++];
            size_t digits = next == 'u' ? 4 : next == 'U' ? 8 : 0;
            if (!digits) {
                out[used++] = c;
                code = (unsigned char)next;
            } else if (!read_hex(line, i, digits, &code) || code > 0x10FFFF) {
                return false;
            }
            i += digits;
        }
        used += ptio_utf8_encode(code, out + used);
    }
    *size = used;
    return true;
}

ptio_status ptio_do_unicode(ptio_machine *m)
{
    ptio_text line;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    if (!is_plain(line)) {
        /* A byte of the line becomes two at most: the longest escape, six bytes for three. */
        char *out = line.size < SIZE_MAX / 2 ? ptio_arena_alloc(m->graph->arena, 2 * line.size) : NULL;
        size_t size;
        if (!out)
            return ptio_machine_memory(m);
        if (!decode_raw_unicode(line, out, &size))
            return bad_line(m, "pickle.escape", "text: an escape in it is cut off or too large", line);
        line = (ptio_text){out, size};
    }
    return ptio_machine_push_new(m, ptio_node_new_text(m->graph->arena, PTIO_NODE_TYPE_STR, line.bytes, line.size));
}

/* One escape of a Python string literal, of which the backslash is taken already. Source: CPython, Objects/bytesobject.c,
 * _PyBytes_DecodeEscape: an unknown one stands for itself, backslash and all. */
static bool decode_escape(ptio_text text, size_t *at, char *out, size_t *used)
{
    static const char names[] = "\\'\"bftnrva", values[] = "\\'\"\b\f\t\n\r\v\a";
    if (*at == text.size)
        return false;
    char c = text.bytes[(*at)++];
    const char *name = c ? strchr(names, c) : NULL;
    uint32_t code = 0;
    if (name) {
        code = (unsigned char)values[name - names];
    } else if (c >= '0' && c <= '7') {
        code = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < text.size && text.bytes[*at] >= '0' && text.bytes[*at] <= '7'; i++)
            code = code << 3 | (uint32_t)(text.bytes[(*at)++] - '0');
    } else if (c == 'x') {
        if (!read_hex(text, *at, 2, &code))
            return false;
        *at += 2;
    } else {
        out[(*used)++] = '\\';
        code = (unsigned char)c;
    }
    out[(*used)++] = (char)(unsigned char)code;
    return true;
}

static bool decode_string(ptio_text text, char *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < text.size;) {
        if (text.bytes[i] != '\\') {
            out[(*size)++] = text.bytes[i++];
            continue;
        }
        i++;
        if (!decode_escape(text, &i, out, size))
            return false;
    }
    return true;
}

ptio_status ptio_do_string(ptio_machine *m)
{
    ptio_text line;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    char quote = line.size ? line.bytes[0] : '\0';
    if (line.size < 2 || (quote != '\'' && quote != '"') || line.bytes[line.size - 1] != quote)
        return bad_line(m, "pickle.quotes", "string: it has no quotes around it", line);
    ptio_text text = {line.bytes + 1, line.size - 2};
    if (text.size && memchr(text.bytes, '\\', text.size)) {
        char *out = ptio_arena_alloc(m->graph->arena, text.size);
        size_t size;
        if (!out)
            return ptio_machine_memory(m);
        if (!decode_string(text, out, &size))
            return bad_line(m, "pickle.escape", "string: an escape in it is cut off", line);
        text = (ptio_text){out, size};
    }
    return ptio_machine_push_py2str(m, text.bytes, text.size);
}

ptio_status ptio_machine_push_py2str(ptio_machine *m, const char *bytes, size_t size)
{
    const ptio_vm_options *options = m->options;
    ptio_value *value = ptio_node_new_text(m->graph->arena, PTIO_NODE_TYPE_PY2STR, bytes, size);
    if (!value)
        return ptio_machine_memory(m);
    m->graph->dialect.python2 = true;
    if (options->codec && !ptio_codec_is_bytes(options->codec)) {
        ptio_node_py2str *node = (ptio_node_py2str *)(void *)value;
        ptio_error tried = {.status = PTIO_OK};
        ptio_status status = ptio_codec_decode(options->codec, m->graph->arena, (ptio_text){bytes, size}, &node->decoded, &tried);
        if (status == PTIO_ERR_FORMAT && options->codec_must_fit)
            return ptio_machine_fail(m, status, tried.reason, "%s", tried.message);
        if (status != PTIO_OK && status != PTIO_ERR_FORMAT)
            return ptio_machine_memory(m);
        if (status == PTIO_OK)
            value->seen = PTIO_KIND_STR;
    }
    return ptio_machine_push_new(m, value);
}

/* ---- globals and ids ---- */

ptio_status ptio_do_persid(ptio_machine *m)
{
    ptio_text line;
    ptio_value *value;
    ptio_status status = take_line(m, &line);
    if (status)
        return status;
    if (!is_plain(line) && !ptio_utf8_valid(line.bytes, line.size, false))
        return bad_line(m, "pickle.utf8", "persistent id: it is not UTF-8", line);
    ptio_value *id = ptio_node_new_text(m->graph->arena, PTIO_NODE_TYPE_STR, line.bytes, line.size);
    if (!id)
        return ptio_machine_memory(m);
    status = ptio_machine_persistent(m, id, PTIO_NODE_TEXT_ID, &value);
    return status ? status : ptio_machine_push(m, value);
}

static ptio_status take_global(ptio_machine *m, ptio_value **ret)
{
    ptio_text module, name;
    ptio_status status = take_line(m, &module);
    if (status == PTIO_OK)
        status = take_line(m, &name);
    if (status == PTIO_OK)
        status = ptio_machine_check_name(m, module, name);
    if (status)
        return status;
    ptio_value *module_node = ptio_node_new_text(m->graph->arena, PTIO_NODE_TYPE_STR, module.bytes, module.size);
    ptio_value *name_node = module_node ? ptio_node_new_text(m->graph->arena, PTIO_NODE_TYPE_STR, name.bytes, name.size) : NULL;
    return name_node ? ptio_machine_global(m, module_node, name_node, ret) : ptio_machine_memory(m);
}

ptio_status ptio_do_global(ptio_machine *m)
{
    ptio_value *global;
    ptio_status status = take_global(m, &global);
    return status ? status : ptio_machine_push(m, global);
}

/* A class named by text, called with what is above the mark. OBJ with its class put there does the same. */
ptio_status ptio_do_inst(ptio_machine *m)
{
    ptio_value *global;
    ptio_status status = take_global(m, &global);
    if (status)
        return status;
    if (!m->mark_count)
        return ptio_machine_no_mark(m);
    status = ptio_machine_push(m, global);
    if (status)
        return status;
    /* Bring the class under its arguments. */
    memmove(m->floor + 1, m->floor, (size_t)(m->top - 1 - m->floor) * sizeof *m->floor);
    *m->floor = global;
    return ptio_do_obj(m);
}
