/*
 * Strings and bytes as Python's repr() gives them, and texts that are safe on a terminal.
 *
 * What Python takes for printable is decided by Unicode's classes: all but Other (Cc, Cf, Cs, Co, Cn) and Separator (Zl, Zp, Zs),
 * and the space. So controls, bidirectional overrides, zero-width characters and lone surrogates are always escaped.
 * Source: CPython, Objects/unicodeobject.c, unicode_repr; Tools/unicode/makeunicodedata.py.
 */
#include "print/repr.h"

#include <utf8proc.h>

#include "base/text.h"

static bool printable(uint32_t code)
{
    if (code < 0x7F)
        return code >= 0x20;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
    }
}

static void escape_hex(ptio_out *out, char letter, uint32_t value, unsigned digits)
{
    ptio_out_char(out, '\\');
    ptio_out_char(out, letter);
    while (digits-- > 0)
        ptio_out_char(out, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static void escape(ptio_out *out, uint32_t code)
{
    switch (code) {
    case '\n': ptio_out_string(out, "\\n"); return;
    case '\r': ptio_out_string(out, "\\r"); return;
    case '\t': ptio_out_string(out, "\\t"); return;
    default: break;
    }
    if (code < 0x100)
        escape_hex(out, 'x', code, 2);
    else if (code < 0x10000)
        escape_hex(out, 'u', code, 4);
    else
        escape_hex(out, 'U', code, 8);
}

/* Bytes from `bytes` on that stand for themselves whatever the quote is. */
static size_t plain_run(const char *bytes, size_t size)
{
    size_t n = 0;
    while (n < size && bytes[n] >= 0x20 && bytes[n] < 0x7F && bytes[n] != '\\' && bytes[n] != '\'' && bytes[n] != '"')
        n++;
    return n;
}

/* quote: the one that needs a backslash; 0 for none. unicode: whether the bytes are UTF-8. */
static void body(ptio_out *out, ptio_text text, char quote, bool unicode)
{
    for (size_t i = 0; i < text.size;) {
        size_t plain = plain_run(text.bytes + i, text.size - i);
        ptio_out_bytes(out, text.bytes + i, plain);
        i += plain;
        if (i == text.size)
            break;
        uint32_t code = (unsigned char)text.bytes[i];
        size_t length = unicode ? ptio_utf8_decode(text.bytes + i, text.size - i, &code) : code < 0x80;
        if (code == '\\' || (quote && code == (uint32_t)quote)) {
            ptio_out_char(out, '\\');
            ptio_out_char(out, (char)code);
        } else if (length && printable(code)) {
            ptio_out_bytes(out, text.bytes + i, length);
        } else {
            escape(out, code);
        }
        i += length ? length : 1;
    }
}

static char quote_of(ptio_text text)
{
    bool single = text.size && memchr(text.bytes, '\'', text.size);
    return single && !memchr(text.bytes, '"', text.size) ? '"' : '\'';
}

static void quoted(ptio_out *out, ptio_text text, bool unicode)
{
    char quote = quote_of(text);
    ptio_out_char(out, quote);
    body(out, text, quote, unicode);
    ptio_out_char(out, quote);
}

void ptio_repr_str(ptio_out *out, ptio_text text)
{
    quoted(out, text, true);
}

void ptio_repr_bytes(ptio_out *out, ptio_text bytes)
{
    quoted(out, bytes, false);
}

void ptio_repr_bare(ptio_out *out, ptio_text text)
{
    for (size_t start = 0; start < text.size;) {
        const char *slash = memchr(text.bytes + start, '\\', text.size - start);
        size_t end = slash ? (size_t)(slash - text.bytes) : text.size;
        body(out, (ptio_text){text.bytes + start, end - start}, 0, true);
        if (slash)
            ptio_out_char(out, '\\');
        start = end + 1;
    }
}

void ptio_repr_bytearray(ptio_out *out, ptio_text bytes)
{
    char quote = quote_of(bytes);
    ptio_out_string(out, "bytearray(b");
    ptio_out_char(out, quote);
    body(out, bytes, '\'', false);
    ptio_out_char(out, quote);
    ptio_out_char(out, ')');
}

void ptio_repr_escaped(ptio_out *out, ptio_text text)
{
    body(out, text, 0, true);
}

ptio_status ptio_print_str(ptio_text text, ptio_write write, void *ctx, ptio_error *err)
{
    ptio_out out;
    ptio_out_init(&out, write, ctx, err);
    ptio_repr_str(&out, text);
    return ptio_out_flush(&out);
}

ptio_status ptio_print_escaped(ptio_text text, ptio_write write, void *ctx, ptio_error *err)
{
    ptio_out out;
    ptio_out_init(&out, write, ctx, err);
    ptio_repr_escaped(&out, text);
    return ptio_out_flush(&out);
}

ptio_text ptio_last_name(ptio_text name)
{
    size_t start = name.size;
    while (start > 0 && name.bytes[start - 1] != '.')
        start--;
    return (ptio_text){name.bytes + start, name.size - start};
}
