/*
 * Text encodings of Python 2's strings, decoded to UTF-8 as Python's codecs do it, error handlers included.
 *
 * A decoder runs twice over the bytes: once to count, once to write, so that no buffer ever has to grow. Texts that decode to
 * themselves, which is nearly all of them, are not copied.
 */
#include "pickle/codec.h"

#include <iconv.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

typedef enum codec_kind { ENCODING_UTF8, ENCODING_ASCII, ENCODING_LATIN1, ENCODING_BYTES, ENCODING_ICONV } codec_kind;

struct ptio_codec {
    ptio_heap *heap;
    codec_kind encoding;
    ptio_codec_errors errors;
    iconv_t converter; /* of ENCODING_ICONV */
    char name[64];     /* normalised, for messages */
};

/* ---- names ---- */

/* Python's spellings, normalised. Source: CPython, Lib/encodings/aliases.py */
static const struct {
    const char *name;
    codec_kind encoding;
} names[] = {
    {"bytes", ENCODING_BYTES},
    {"utf_8", ENCODING_UTF8},
    {"utf8", ENCODING_UTF8},
    {"u8", ENCODING_UTF8},
    {"utf", ENCODING_UTF8},
    {"utf8_ucs2", ENCODING_UTF8},
    {"utf8_ucs4", ENCODING_UTF8},
    {"cp65001", ENCODING_UTF8},
    {"ascii", ENCODING_ASCII},
    {"646", ENCODING_ASCII},
    {"ansi_x3.4_1968", ENCODING_ASCII},
    {"ansi_x3_4_1968", ENCODING_ASCII},
    {"ansi_x3.4_1986", ENCODING_ASCII},
    {"cp367", ENCODING_ASCII},
    {"csascii", ENCODING_ASCII},
    {"ibm367", ENCODING_ASCII},
    {"iso646_us", ENCODING_ASCII},
    {"iso_646.irv_1991", ENCODING_ASCII},
    {"iso_ir_6", ENCODING_ASCII},
    {"us", ENCODING_ASCII},
    {"us_ascii", ENCODING_ASCII},
    {"latin_1", ENCODING_LATIN1},
    {"latin1", ENCODING_LATIN1},
    {"latin", ENCODING_LATIN1},
    {"l1", ENCODING_LATIN1},
    {"8859", ENCODING_LATIN1},
    {"cp819", ENCODING_LATIN1},
    {"csisolatin1", ENCODING_LATIN1},
    {"ibm819", ENCODING_LATIN1},
    {"iso8859", ENCODING_LATIN1},
    {"iso8859_1", ENCODING_LATIN1},
    {"iso_8859_1", ENCODING_LATIN1},
    {"iso_8859_1_1987", ENCODING_LATIN1},
    {"iso_ir_100", ENCODING_LATIN1},
};

static const char *const error_names[] = {"strict", "ignore", "replace", "surrogateescape", "backslashreplace", "surrogatepass"};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
}

/* Lower case, and one underscore for each run of anything but letters, digits and dots. False where it does not fit. */
static bool normalise(const char *name, char *out, size_t size)
{
    size_t used = 0;
    bool gap = false;
    for (; *name; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name;
        if (!is_name_char(c)) {
            gap = used > 0;
            continue;
        }
        if (used + 3 > size)
            return false;
        if (gap)
            out[used++] = '_';
        gap = false;
        out[used++] = c;
    }
    out[used] = '\0';
    return used > 0;
}

static bool find_encoding(ptio_codec *codec)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, codec->name) == 0) {
            codec->encoding = names[i].encoding;
            return true;
        }
    return false;
}

/* iconv spells with hyphens what Python spells with underscores, and some names with neither. */
static bool open_converter(ptio_codec *codec)
{
    char spelled[sizeof codec->name], joined[sizeof codec->name];
    size_t used = 0;
    for (size_t i = 0; i < sizeof spelled; i++) {
        spelled[i] = codec->name[i] == '_' ? '-' : codec->name[i];
        if (codec->name[i] != '_')
            joined[used++] = codec->name[i];
    }
    const char *const tries[] = {spelled, codec->name, joined};
    codec->encoding = ENCODING_ICONV;
    for (size_t i = 0; i < 3; i++) {
        codec->converter = iconv_open("UTF-8", tries[i]);
        if (codec->converter != (iconv_t)-1)
            return true;
    }
    return false;
}

static bool find_errors(const char *errors, ptio_codec_errors *ret)
{
    for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
        if (strcmp(error_names[i], errors) == 0) {
            *ret = (ptio_codec_errors)i;
            return true;
        }
    return false;
}

ptio_status ptio_codec_new(const char *encoding, const char *errors, ptio_heap *heap, ptio_codec **ret, ptio_error *err)
{
    ptio_codec made = {.heap = heap};
    if (errors && !find_errors(errors, &made.errors))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "codec.errors", PTIO_NO_OFFSET, "unknown error handler: %s",
                         ptio_quote(ptio_text_of(errors)).text);
    if (!normalise(encoding ? encoding : "utf-8", made.name, sizeof made.name) ||
        (!find_encoding(&made) && !open_converter(&made)))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "codec.encoding", PTIO_NO_OFFSET, "unknown encoding: %s",
                         ptio_quote(ptio_text_of(encoding)).text);
    ptio_codec *codec = ptio_heap_resize(heap, NULL, 0, sizeof *codec);
    if (!codec) {
        if (made.encoding == ENCODING_ICONV)
            (void)iconv_close(made.converter);
        return ptio_heap_fail(heap, err, "a codec");
    }
    *codec = made;
    *ret = codec;
    return PTIO_OK;
}

void ptio_codec_free(ptio_codec *codec)
{
    if (!codec)
        return;
    if (codec->encoding == ENCODING_ICONV)
        (void)iconv_close(codec->converter);
    ptio_heap_free(codec->heap, codec, sizeof *codec);
}

bool ptio_codec_is_bytes(const ptio_codec *codec)
{
    return codec->encoding == ENCODING_BYTES;
}

/* ---- output and errors ---- */

typedef struct decoding {
    const ptio_codec *codec;
    ptio_text in;
    char *out; /* NULL: only count */
    size_t size;
    ptio_error *err;
} decoding;

static void put(decoding *d, const char *bytes, size_t size)
{
    if (d->out)
        memcpy(d->out + d->size, bytes, size);
    d->size += size;
}

static void put_code(decoding *d, uint32_t code)
{
    char bytes[4];
    put(d, bytes, ptio_utf8_encode(code, bytes));
}

static unsigned char byte_at(const decoding *d, size_t at)
{
    return (unsigned char)d->in.bytes[at];
}

static bool fail_at(decoding *d, size_t start, size_t end, const char *why)
{
    const char *name = d->codec->encoding == ENCODING_UTF8    ? "utf-8"
                       : d->codec->encoding == ENCODING_ASCII ? "ascii"
                                                              : d->codec->name;
    if (end - start == 1)
        (void)ptio_fail(d->err, PTIO_ERR_FORMAT, "codec.invalid", PTIO_NO_OFFSET,
                        "'%s' codec can't decode byte 0x%02x in position %zu: %s", name, byte_at(d, start), start, why);
    else
        (void)ptio_fail(d->err, PTIO_ERR_FORMAT, "codec.invalid", PTIO_NO_OFFSET,
                        "'%s' codec can't decode bytes in position %zu-%zu: %s", name, start, end - 1, why);
    return false;
}

/* A surrogate as UTF-8 would have it, were it allowed. */
static bool pass_surrogate(decoding *d, size_t *at)
{
    uint32_t code;
    size_t left = d->in.size - *at;
    if (d->codec->encoding != ENCODING_UTF8 || left < 3 || ptio_utf8_decode(d->in.bytes + *at, left, &code) != 3 ||
        code < 0xD800 || code >= 0xE000)
        return false;
    put_code(d, code);
    *at += 3;
    return true;
}

/* The bytes from *at up to `end` do not decode: do what the handler says and move *at to where decoding goes on. */
static bool handle_error(decoding *d, size_t *at, size_t end, const char *why)
{
    size_t start = *at;
    switch (d->codec->errors) {
    case PTIO_CODEC_IGNORE: break;
    case PTIO_CODEC_REPLACE: put_code(d, 0xFFFD); break;
    case PTIO_CODEC_SURROGATEESCAPE:
        for (; *at < end && byte_at(d, *at) >= 0x80; ++*at)
            put_code(d, 0xDC00u + byte_at(d, *at));
        return *at > start || fail_at(d, start, end, why);
    case PTIO_CODEC_BACKSLASHREPLACE:
        for (size_t i = start; i < end; i++) {
            char escape[5];
            put(d, escape, (size_t)snprintf(escape, sizeof escape, "\\x%02x", byte_at(d, i)));
        }
        break;
    case PTIO_CODEC_SURROGATEPASS: return pass_surrogate(d, at) || fail_at(d, start, end, why);
    case PTIO_CODEC_STRICT: return fail_at(d, start, end, why);
    }
    *at = end;
    return true;
}

/* ---- decoders ---- */

/* How many of the bytes at `at`, which are no code point, are one error, and which. Source: the Unicode standard's "maximal
 * subpart", as CPython has it in Objects/stringlib/codecs.h */
static size_t utf8_error(const decoding *d, size_t at, const char **why)
{
    unsigned first = byte_at(d, at);
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2, left = d->in.size - at;
    *why = "invalid start byte";
    if (first < 0xC2 || first > 0xF4)
        return 1;
    /* The second byte has a narrower range behind E0, ED, F0 and F4. */
    unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < length; i++) {
        if (i == left) {
            *why = "unexpected end of data";
            return i;
        }
        unsigned byte = byte_at(d, at + i);
        if (byte < low || byte > high) {
            *why = "invalid continuation byte";
            return i;
        }
        low = 0x80;
        high = 0xBF;
    }
    return length; /* not reached: all bytes are right */
}

static bool decode_utf8(decoding *d)
{
    for (size_t at = 0; at < d->in.size;) {
        uint32_t code;
        size_t length = ptio_utf8_decode(d->in.bytes + at, d->in.size - at, &code);
        if (length && (code < 0xD800 || code >= 0xE000)) {
            put(d, d->in.bytes + at, length);
            at += length;
            continue;
        }
        const char *why;
        size_t wrong = utf8_error(d, at, &why);
        if (!handle_error(d, &at, at + wrong, why))
            return false;
    }
    return true;
}

static bool decode_ascii(decoding *d)
{
    for (size_t at = 0; at < d->in.size;) {
        if (byte_at(d, at) < 0x80)
            put(d, d->in.bytes + at++, 1);
        else if (!handle_error(d, &at, at + 1, "ordinal not in range(128)"))
            return false;
    }
    return true;
}

static bool decode_latin1(decoding *d)
{
    for (size_t at = 0; at < d->in.size; at++)
        put_code(d, byte_at(d, at));
    return true;
}

static bool decode_iconv(decoding *d)
{
    iconv_t converter = d->codec->converter;
    (void)iconv(converter, NULL, NULL, NULL, NULL);
    for (size_t at = 0; at < d->in.size;) {
        char buffer[256], *out = buffer, *in = (char *)(uintptr_t)(d->in.bytes + at);
        size_t in_left = d->in.size - at, out_left = sizeof buffer;
        bool stopped = iconv(converter, &in, &in_left, &out, &out_left) == (size_t)-1;
        put(d, buffer, (size_t)(out - buffer));
        at = d->in.size - in_left;
        /* It stopped either because the buffer is full, or at bytes that it does not know. */
        bool full = out_left < 16;
        if (stopped && !full && !handle_error(d, &at, at + 1, "invalid multibyte sequence"))
            return false;
    }
    char rest[64], *out = rest;
    size_t out_left = sizeof rest;
    (void)iconv(converter, NULL, NULL, &out, &out_left);
    put(d, rest, (size_t)(out - rest));
    return true;
}

static bool decode(decoding *d)
{
    d->size = 0;
    switch (d->codec->encoding) {
    case ENCODING_UTF8: return decode_utf8(d);
    case ENCODING_ASCII: return decode_ascii(d);
    case ENCODING_LATIN1: return decode_latin1(d);
    case ENCODING_ICONV: return decode_iconv(d);
    case ENCODING_BYTES: break;
    }
    put(d, d->in.bytes, d->in.size);
    return true;
}

static bool is_ascii(ptio_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.bytes[i] >= 0x80)
            return false;
    return true;
}

/* Whether decoding would give the same bytes. */
static bool decodes_to_itself(const ptio_codec *codec, ptio_text bytes)
{
    switch (codec->encoding) {
    case ENCODING_UTF8: return ptio_utf8_valid(bytes.bytes, bytes.size, false);
    case ENCODING_ASCII:
    case ENCODING_LATIN1: return is_ascii(bytes);
    case ENCODING_BYTES: return true;
    case ENCODING_ICONV: break;
    }
    return bytes.size == 0;
}

ptio_status ptio_codec_decode(ptio_codec *codec, ptio_arena *arena, ptio_text bytes, ptio_text *ret, ptio_error *err)
{
    if (decodes_to_itself(codec, bytes)) {
        *ret = bytes;
        return PTIO_OK;
    }
    decoding d = {.codec = codec, .in = bytes, .err = err};
    if (!decode(&d))
        return PTIO_ERR_FORMAT;
    d.out = ptio_arena_alloc(arena, d.size ? d.size : 1);
    if (!d.out)
        return ptio_heap_fail(arena->heap, err, "a decoded string");
    (void)decode(&d);
    *ret = (ptio_text){d.out, d.size};
    return PTIO_OK;
}
