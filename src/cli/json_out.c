/*
 * JSON as it is written.
 *
 * Everything but printable ASCII is escaped: controls, invisible and bidirectional characters can do no harm then.
 */
#include "cli/json_out.h"

#include <string.h>

static void escape_unit(uint32_t unit)
{
    out_string("\\u");
    for (int shift = 12; shift >= 0; shift -= 4)
        out_char("0123456789abcdef"[unit >> shift & 15]);
}

/* One character of several bytes: its code point and length. A byte that begins none: U+FFFD and 1. */
static size_t decode(const unsigned char *p, size_t size, uint32_t *code)
{
    size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    *code = 0xFFFD;
    if (p[0] < 0xC2 || p[0] > 0xF4 || length > size)
        return 1;
    uint32_t value = p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (p[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF)
        return 1;
    *code = value;
    return length;
}

static void escape_code(uint32_t code)
{
    if (code < 0x10000) {
        escape_unit(code);
        return;
    }
    escape_unit(0xD800 + ((code - 0x10000) >> 10));
    escape_unit(0xDC00 + ((code - 0x10000) & 0x3FF));
}

void out_json_string(ptio_text text)
{
    out_char('"');
    if (out_is_plain(text)) {
        out_bytes(text.bytes, text.size);
        out_char('"');
        return;
    }
    for (size_t i = 0; i < text.size;) {
        size_t run = i;
        while (run < text.size && text.bytes[run] >= 0x20 && text.bytes[run] < 0x7F && text.bytes[run] != '"' &&
               text.bytes[run] != '\\')
            run++;
        out_bytes(text.bytes + i, run - i);
        i = run;
        if (i == text.size)
            break;
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte == '"' || byte == '\\') {
            out_char('\\');
            out_char((char)byte);
            i++;
        } else if (byte < 0x80) {
            escape_unit(byte);
            i++;
        } else {
            uint32_t code;
            i += decode((const unsigned char *)text.bytes + i, text.size - i, &code);
            escape_code(code);
        }
    }
    out_char('"');
}

void out_json_word(const char *word)
{
    out_json_string((ptio_text){word, strlen(word)});
}

void out_json_key(bool first, const char *key)
{
    if (!first)
        out_char(',');
    out_char('"');
    out_string(key);
    out_string("\":");
}

void out_json_ints(const int64_t *values, size_t count)
{
    out_char('[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            out_char(',');
        out_i64(values[i]);
    }
    out_char(']');
}

void out_json_bool(bool value)
{
    out_string(value ? "true" : "false");
}

void out_json_hex(const void *bytes, size_t size)
{
    out_char('"');
    out_hex(bytes, size);
    out_char('"');
}

void out_json_path(const ptio_tensor_list *list, size_t index)
{
    uint32_t count = ptio_tensor_list_entry(list, index)->path_count;
    out_char('[');
    for (uint32_t i = 0; i < count; i++) {
        ptio_path_key key = ptio_tensor_list_path(list, index, i);
        if (i)
            out_char(',');
        if (key.is_index)
            out_i64(key.index);
        else
            out_json_string(key.text);
    }
    out_char(']');
}
