/*
 * What the tests of the torch layer stand on: pickles written as words, files of every container around them, and memory that is counted.
 *
 * A pickle is written as its disassembly would read, each word one opcode:
 *
 *     7 -1 70000            BININT1, BININT, …; as large as 64 bits         N True False    constants
 *     f1.5                  BINFLOAT                                        ( ) ] }         MARK, EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT
 *     'text'                BINUNICODE                                      t 1t 2t 3t      TUPLE, TUPLE1, TUPLE2, TUPLE3
 *     b'text' s'text'       SHORT_BINBYTES, SHORT_BINSTRING                 R NEW b Q       REDUCE, NEWOBJ, BUILD, BINPERSID
 *     c:module:name         GLOBAL                                          a e s u         APPEND, APPENDS, SETITEM, SETITEMS
 *     p3 g3                 BINPUT, BINGET                                  . proto2        STOP, PROTO
 *     x9A0B                 these bytes                                     @               no opcode: notes the offset of the next
 *
 * In texts, \xNN is a byte and \q a quote. All functions are inline, so that a test program links nothing more.
 */
#ifndef PTIO_TESTS_SUPPORT_BUILD_H
#define PTIO_TESTS_SUPPORT_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ptio.h"

/* ---- bytes ---- */

/** Ready when zeroed. */
typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
    size_t mark; /* where the last @ was */
} bytes;

static inline void put(bytes *out, const void *data, size_t size)
{
    if (out->size + size > out->capacity) {
        out->capacity = (out->size + size) * 2 + 64;
        out->data = realloc(out->data, out->capacity);
        if (!out->data)
            abort();
    }
    if (size)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

static inline void put_le(bytes *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i < 8 ? value >> (8 * i) : 0);
        put(out, &byte, 1);
    }
}

static inline void bytes_free(bytes *b)
{
    free(b->data);
    *b = (bytes){0};
}

/* ---- pickles ---- */

static inline void put_op(bytes *out, int opcode)
{
    put_le(out, (uint64_t)opcode, 1);
}

static inline unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* The text from behind a quote to the next, unescaped; gives where the word ends. */
static inline const char *read_text(const char *at, bytes *text)
{
    for (; *at != '\''; at++) {
        if (!*at)
            fail_msg("a text of a pickle has no end");
        if (at[0] == '\\' && at[1] == 'x') {
            put_le(text, hex_digit(at[2]) * 16 + hex_digit(at[3]), 1);
            at += 3;
        } else if (at[0] == '\\' && at[1] == 'q') {
            put(text, "'", 1);
            at++;
        } else {
            put(text, at, 1);
        }
    }
    return at + 1;
}

static inline const char *put_text(bytes *out, int opcode, size_t width, const char *at)
{
    bytes text = {0};
    at = read_text(at, &text);
    put_op(out, opcode);
    put_le(out, text.size, width);
    put(out, text.data, text.size);
    bytes_free(&text);
    return at;
}

static inline void put_int(bytes *out, int64_t value)
{
    if (value >= 0 && value < 256) {
        put_op(out, 'K');
        put_le(out, (uint64_t)value, 1);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        put_op(out, 'J');
        put_le(out, (uint64_t)value, 4);
    } else {
        put_op(out, 0x8a);
        put_le(out, 8, 1);
        put_le(out, (uint64_t)value, 8);
    }
}

static inline void put_float(bytes *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_op(out, 'G');
    for (size_t i = 8; i-- > 0;)
        put_le(out, bits >> (8 * i), 1);
}

static inline void put_global(bytes *out, const char *word, size_t size)
{
    const char *colon = memchr(word, ':', size);
    if (!colon)
        fail_msg("a global of a pickle has no name");
    put_op(out, 'c');
    put(out, word, (size_t)(colon - word));
    put(out, "\n", 1);
    put(out, colon + 1, size - (size_t)(colon - word) - 1);
    put(out, "\n", 1);
}

static inline bool is_word(const char *word, size_t size, const char *wanted)
{
    return strlen(wanted) == size && memcmp(word, wanted, size) == 0;
}

static inline void put_word(bytes *out, const char *word, size_t size)
{
    static const struct {
        const char *word;
        int opcode;
    } words[] = {{"N", 'N'}, {"True", 0x88}, {"False", 0x89}, {"(", '('},   {")", ')'}, {"]", ']'},    {"}", '}'},
                 {"t", 't'}, {"1t", 0x85},   {"2t", 0x86},    {"3t", 0x87}, {"R", 'R'}, {"NEW", 0x81}, {"b", 'b'},
                 {"Q", 'Q'}, {"a", 'a'},     {"e", 'e'},      {"s", 's'},   {"u", 'u'}, {".", '.'}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(word, size, words[i].word)) {
            put_op(out, words[i].opcode);
            return;
        }
    }
    if (is_word(word, size, "@")) {
        out->mark = out->size;
    } else if (size > 2 && word[0] == 'c' && word[1] == ':') {
        put_global(out, word + 2, size - 2);
    } else if (size > 5 && memcmp(word, "proto", 5) == 0) {
        put_op(out, 0x80);
        put_le(out, strtoul(word + 5, NULL, 10), 1);
    } else if (word[0] == 'x') {
        for (size_t i = 1; i + 1 < size; i += 2)
            put_le(out, hex_digit(word[i]) * 16 + hex_digit(word[i + 1]), 1);
    } else if (word[0] == 'f') {
        put_float(out, strtod(word + 1, NULL));
    } else if (word[0] == 'p' || word[0] == 'g') {
        put_op(out, word[0] == 'p' ? 'q' : 'h');
        put_le(out, strtoul(word + 1, NULL, 10), 1);
    } else if (word[0] == '-' || (word[0] >= '0' && word[0] <= '9')) {
        put_int(out, strtoll(word, NULL, 10));
    } else {
        fail_msg("no word of a pickle: %.*s", (int)size, word);
    }
}

static inline void put_words(bytes *out, const char *at)
{
    while (*at) {
        if (*at == ' ') {
            at++;
        } else if (*at == '\'') {
            at = put_text(out, 'X', 4, at + 1);
        } else if ((*at == 'b' || *at == 's') && at[1] == '\'') {
            at = put_text(out, *at == 'b' ? 'C' : 'U', 1, at + 2);
        } else {
            size_t size = strcspn(at, " ");
            put_word(out, at, size);
            at += size;
        }
    }
}

static inline void pickle_va(bytes *out, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    char *words = malloc((size_t)size + 1);
    if (!words)
        abort();
    (void)vsnprintf(words, (size_t)size + 1, format, again);
    va_end(again);
    put_words(out, words);
    free(words);
}

/** Append a pickle's words. The format is printf's. */
__attribute__((format(printf, 2, 3))) static inline void pickle(bytes *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pickle_va(out, format, arguments);
    va_end(arguments);
}

/* ---- zip ---- */

typedef struct record {
    const char *name; /* below the root: "data/0" */
    const void *data;
    size_t size;
} record;

static inline uint32_t crc_of(const void *data, size_t size)
{
    const uint8_t *b = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= b[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* What local header and directory have in common, from the version to the length of the extra field. */
static inline void put_zip_fields(bytes *out, const record *r, size_t name_size)
{
    put_le(out, 0, 2); /* version needed, flags, method, time, date */
    put_le(out, 0, 8);
    put_le(out, crc_of(r->data, r->size), 4);
    put_le(out, r->size, 4);
    put_le(out, r->size, 4);
    put_le(out, name_size, 2);
    put_le(out, 0, 2);
}

static inline void put_zip_record(bytes *out, bytes *directory, const record *r)
{
    char name[128];
    size_t size = (size_t)snprintf(name, sizeof name, "archive/%s", r->name), offset = out->size;
    put(out, "PK\3\4", 4);
    put_zip_fields(out, r, size);
    put(out, name, size);
    put(out, r->data, r->size);
    put(directory, "PK\1\2\0\0", 6);
    put_zip_fields(directory, r, size);
    put_le(directory, 0, 10); /* comment, disk, attributes */
    put_le(directory, offset, 4);
    put(directory, name, size);
}

/** A zip as torch.save writes it, but for alignment: archive/data.pkl, archive/byteorder, archive/version and the records. */
static inline void zip_file(bytes *out, const bytes *data_pkl, const record *records, size_t count)
{
    bytes directory = {0};
    const record own[] = {{"data.pkl", data_pkl->data, data_pkl->size}, {"byteorder", "little", 6}, {"version", "3\n", 2}};
    for (size_t i = 0; i < 2; i++)
        put_zip_record(out, &directory, &own[i]);
    for (size_t i = 0; i < count; i++)
        put_zip_record(out, &directory, &records[i]);
    put_zip_record(out, &directory, &own[2]);
    size_t start = out->size;
    put(out, directory.data, directory.size);
    put(out, "PK\5\6\0\0\0\0", 8);
    put_le(out, count + 3, 2);
    put_le(out, count + 3, 2);
    put_le(out, directory.size, 4);
    put_le(out, start, 4);
    put_le(out, 0, 2);
    bytes_free(&directory);
}

/* ---- legacy, tar ---- */

/** The three pickles before the object's. */
static inline void legacy_header(bytes *out)
{
    pickle(out,
           "proto2 x8A0A6CFC9C46F9206AA85019 . proto2 x4DE903 . proto2 } ( 'protocol_version' 1001 'little_endian' True u .");
}

/** A member of a tar, and its end. */
static inline void tar_member(bytes *out, const char *name, const bytes *content)
{
    char header[512] = {0};
    (void)snprintf(header, 100, "%s", name);
    memcpy(header + 100, "0000644", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    (void)snprintf(header + 124, 12, "%011llo", (unsigned long long)content->size);
    memcpy(header + 136, "00000000000", 12);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof header; i++)
        sum += (unsigned char)header[i];
    (void)snprintf(header + 148, 8, "%06o", sum);
    put(out, header, sizeof header);
    put(out, content->data, content->size);
    static const char zeros[512];
    put(out, zeros, (512 - content->size % 512) % 512);
}

static inline void tar_end(bytes *out)
{
    static const char zeros[1024];
    put(out, zeros, sizeof zeros);
}

/* ---- loading ---- */

/** The records that the zips of most tests have: data/0, data/1, data/2. */
/* 0, 0.5, 1, ... 7.5 and 0, 1, ... 7, as they stand in files. */
static const uint8_t floats[64] = {0, 0, 0x00, 0x00, 0, 0, 0x00, 0x3F, 0, 0, 0x80, 0x3F, 0, 0, 0xC0, 0x3F,
                                   0, 0, 0x00, 0x40, 0, 0, 0x20, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x60, 0x40,
                                   0, 0, 0x80, 0x40, 0, 0, 0x90, 0x40, 0, 0, 0xA0, 0x40, 0, 0, 0xB0, 0x40,
                                   0, 0, 0xC0, 0x40, 0, 0, 0xD0, 0x40, 0, 0, 0xE0, 0x40, 0, 0, 0xF0, 0x40};
static const uint8_t longs[64] = {[0] = 0, [8] = 1, [16] = 2, [24] = 3, [32] = 4, [40] = 5, [48] = 6, [56] = 7};
static const uint8_t octets[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/** Persistent ids of those. */
#define FLOATS "( 'storage' c:torch:FloatStorage '0' 'cpu' 16 t Q "
#define LONGS "( 'storage' c:torch:LongStorage '1' 'cpu' 8 t Q "
#define OCTETS "( 'storage' c:torch:ByteStorage '2' 'cpu' 16 t Q "
#define RAW "( 'storage' c:torch.storage:UntypedStorage '2' 'cpu' 16 t Q "
#define HOOKS "c:collections:OrderedDict ) R "

/** A float32 tensor of data/0 from element `offset` on, with one dimension. */
#define TENSOR(offset, size) "c:torch._utils:_rebuild_tensor_v2 ( " FLOATS #offset " " #size " 1t 1 1t False " HOOKS "t R "
#define LONG_TENSOR(offset, size) "c:torch._utils:_rebuild_tensor_v2 ( " LONGS #offset " " #size " 1t 1 1t False " HOOKS "t R "

/** A loaded file and what it was loaded from. Zeroed before its first use; loaded_free() makes it so again. */
typedef struct loaded {
    ptio_checkpoint *ckpt;
    const ptio_value *root;
    bytes pickle, file;
    ptio_error err;
} loaded;

static inline void usual_zip(bytes *out, const bytes *data_pkl)
{
    const record records[] = {
        {"data/0", floats, sizeof floats}, {"data/1", longs, sizeof longs}, {"data/2", octets, sizeof octets}};
    zip_file(out, data_pkl, records, 3);
}

static inline void loaded_free(loaded *l)
{
    ptio_checkpoint_free(l->ckpt);
    bytes_free(&l->pickle);
    bytes_free(&l->file);
    *l = (loaded){0};
}

/** Load bytes in place of what was loaded before; the status is for the caller to look at. */
static inline ptio_status load_bytes(loaded *l, const bytes *file, const ptio_load_options *options)
{
    ptio_checkpoint_free(l->ckpt);
    l->ckpt = NULL;
    l->err = (ptio_error){0};
    ptio_status status = ptio_load_memory(file->data, file->size, options, &l->ckpt, &l->err);
    l->root = status == PTIO_OK ? ptio_root(l->ckpt) : NULL;
    return status;
}

/** Load a zip around a pickle of these words; the test fails where that fails. */
__attribute__((format(printf, 2, 3))) static inline void load(loaded *l, const char *format, ...)
{
    loaded_free(l);
    va_list arguments;
    va_start(arguments, format);
    put_words(&l->pickle, "proto2 ");
    pickle_va(&l->pickle, format, arguments);
    put_words(&l->pickle, ".");
    va_end(arguments);
    usual_zip(&l->file, &l->pickle);
    if (load_bytes(l, &l->file, NULL) != PTIO_OK)
        fail_msg("%s: byte %llu: %s (%s)", l->err.record, (unsigned long long)l->err.offset, l->err.message, l->err.reason);
}

/** That a zip around such a pickle is refused so, at the opcode behind @ if there is one. */
__attribute__((format(printf, 3, 4))) static inline void refused(ptio_status status, const char *reason, const char *format, ...)
{
    loaded l = {0};
    l.pickle.mark = SIZE_MAX;
    va_list arguments;
    va_start(arguments, format);
    put_words(&l.pickle, "proto2 ");
    pickle_va(&l.pickle, format, arguments);
    put_words(&l.pickle, ".");
    va_end(arguments);
    usual_zip(&l.file, &l.pickle);
    if (load_bytes(&l, &l.file, NULL) == PTIO_OK)
        fail_msg("not refused: %s", format);
    if (l.err.status != status || strcmp(l.err.reason, reason) != 0)
        fail_msg("%s, not %s (%s): %s", l.err.reason, reason, l.err.message, format);
    if (l.pickle.mark != SIZE_MAX && l.err.offset != l.pickle.mark)
        fail_msg("at %llu, not %zu (%s): %s", (unsigned long long)l.err.offset, l.pickle.mark, l.err.message, format);
    assert_string_equal(l.err.record, "archive/data.pkl");
    assert_null(l.ckpt);
    loaded_free(&l);
}

static inline bool text_is(ptio_text text, const char *string)
{
    return text.bytes && text.size == strlen(string) && memcmp(text.bytes, string, text.size) == 0;
}

#define assert_text(text, string) assert_true(text_is((text), (string)))

#endif
