/*
 * None, numbers, texts and names as JSON: {"t": kind, ...}.
 *
 * Ints are texts, since JSON's readers may hold doubles only. Floats are told by Python's text and by their bits. Texts that JSON
 * cannot hold (lone surrogates) and bytes are told in hexadecimal, long ones by length and SHA-256.
 */
#include "cli/tree_leaf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hash.h"
#include "cli/json_out.h"

#define LONG_TEXT 4096

static void begin(const char *kind)
{
    out_string("{\"t\":\"");
    out_string(kind);
    out_char('"');
}

/* The shortest text that reads back as the value; where the library has no value to print. */
void tree_float_text(double value)
{
    char text[40];
    int places = 0;
    do
        (void)snprintf(text, sizeof text, "%.*e", places, value);
    while (strtod(text, NULL) != value && places++ < 17 && !isnan(value));
    int exponent = isfinite(value) && strchr(text, 'e') ? atoi(strchr(text, 'e') + 1) : 0;
    if (isfinite(value) && exponent >= -4 && exponent < 16) {
        int behind = places - exponent > 1 ? places - exponent : 1;
        (void)snprintf(text, sizeof text, "%.*f", behind, value);
    }
    out_string(isnan(value) ? "nan" : text);
}

/* `source`: the value that this is, or NULL. */
static void write_float(double value, const ptio_value *source)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    begin("float");
    out_json_key(false, "v");
    out_char('"');
    if (source)
        (void)ptio_print(source, NULL, out_write, NULL, NULL);
    else
        tree_float_text(value);
    out_char('"');
    out_json_key(false, "ieee");
    out_char('"');
    for (int shift = 60; shift >= 0; shift -= 4)
        out_char("0123456789abcdef"[bits >> shift & 15]);
    out_string("\"}");
}

static size_t characters(ptio_text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.bytes[i] & 0xC0) != 0x80;
    return count;
}

static bool has_surrogates(ptio_text text)
{
    for (size_t i = 0; i + 1 < text.size; i++)
        if ((unsigned char)text.bytes[i] == 0xED && (unsigned char)text.bytes[i + 1] >= 0xA0)
            return true;
    return false;
}

static void write_long(ptio_text text)
{
    uint8_t hash[HASH_BYTES];
    hash_bytes(text, hash);
    out_json_key(false, "nbytes");
    out_u64(text.size);
    out_json_key(false, "sha256");
    out_json_hex(hash, sizeof hash);
    out_char('}');
}

static void write_bytes(const char *kind, ptio_text bytes)
{
    begin(kind);
    if (bytes.size > LONG_TEXT) {
        write_long(bytes);
        return;
    }
    out_json_key(false, "hex");
    out_json_hex(bytes.bytes, bytes.size);
    out_char('}');
}

static void write_str(const ptio_value *value)
{
    if (ptio_value_is_py2str(value)) {
        write_bytes("py2str", ptio_value_bytes(value));
        return;
    }
    ptio_text text = ptio_value_str(value);
    begin("str");
    if (text.size > LONG_TEXT && characters(text) > LONG_TEXT) {
        write_long(text);
        return;
    }
    if (has_surrogates(text)) {
        out_json_key(false, "utf8_surrogatepass_hex");
        out_json_hex(text.bytes, text.size);
    } else {
        out_json_key(false, "v");
        out_json_string(text);
    }
    out_char('}');
}

static void write_int(const ptio_value *value)
{
    int64_t small;
    begin("int");
    out_json_key(false, "v");
    out_char('"');
    if (ptio_value_int(value, &small))
        out_i64(small);
    else
        (void)ptio_print(value, NULL, out_write, NULL, NULL);
    out_string("\"}");
}

static void write_complex(const ptio_value *value)
{
    double real = 0, imag = 0;
    (void)ptio_value_complex(value, &real, &imag);
    begin("complex");
    out_json_key(false, "re");
    write_float(real, NULL);
    out_json_key(false, "im");
    write_float(imag, NULL);
    out_char('}');
}

static void write_name(const char *kind, ptio_text name)
{
    begin(kind);
    out_json_key(false, "v");
    out_json_string(name);
    out_char('}');
}

static void write_size(const ptio_value *value)
{
    begin("size");
    out_json_key(false, "v");
    out_char('[');
    size_t count = ptio_value_count(value);
    for (size_t i = 0; i < count; i++) {
        int64_t item = 0;
        (void)ptio_value_int(ptio_value_item(value, i), &item);
        if (i)
            out_char(',');
        out_i64(item);
    }
    out_string("]}");
}

static void write_npscalar(const ptio_value *value)
{
    ptio_text bytes = ptio_value_bytes(value);
    begin("npscalar");
    out_json_key(false, "dtype");
    out_json_string(ptio_value_name(value));
    out_json_key(false, "hex");
    out_json_hex(bytes.bytes, bytes.size);
    out_char('}');
}

bool tree_leaf(const ptio_value *value)
{
    double number = 0;
    ptio_kind kind = ptio_value_kind(value);
    switch (kind) {
    case PTIO_KIND_MISSING:
    case PTIO_KIND_NONE:
        begin(ptio_kind_name(kind));
        out_char('}');
        return true;
    case PTIO_KIND_BOOL:
        begin("bool");
        out_json_key(false, "v");
        out_json_bool(ptio_value_bool(value));
        out_char('}');
        return true;
    case PTIO_KIND_INT: write_int(value); return true;
    case PTIO_KIND_FLOAT:
        (void)ptio_value_float(value, &number);
        write_float(number, value);
        return true;
    case PTIO_KIND_COMPLEX: write_complex(value); return true;
    case PTIO_KIND_STR: write_str(value); return true;
    case PTIO_KIND_BYTES: write_bytes(ptio_value_is_py2str(value) ? "py2str" : "bytes", ptio_value_bytes(value)); return true;
    case PTIO_KIND_GLOBAL: write_name("global", ptio_value_class(value)); return true;
    case PTIO_KIND_SIZE: write_size(value); return true;
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_DEVICE:
    case PTIO_KIND_LAYOUT:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT:
    case PTIO_KIND_NPDTYPE: write_name(ptio_kind_name(kind), ptio_value_name(value)); return true;
    case PTIO_KIND_NPSCALAR: write_npscalar(value); return true;
    default: return false;
    }
}
