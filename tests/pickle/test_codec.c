/*
 * Decoding Python 2's strings: encodings, their names, error handlers. What is expected is what CPython gives.
 */
#include "base/text.h"
#include "pickle/run.h"

typedef struct fixture {
    ptio_heap heap;
    ptio_arena arena;
    ptio_error err;
} fixture;

static void begin(fixture *f)
{
    *f = (fixture){.err = {.status = PTIO_OK}};
    ptio_heap_init(&f->heap, NULL, 0);
    ptio_arena_init(&f->arena, &f->heap);
}

static void end(fixture *f)
{
    ptio_arena_free(&f->arena);
    assert_int_equal(f->heap.used, 0);
}

#define ROW(encoding, errors, in, out)                             \
    {                                                              \
        encoding, errors, in, sizeof(in) - 1, out, sizeof(out) - 1 \
    }
#define ERROR(encoding, errors, in, message)                    \
    {                                                           \
        encoding, errors, in, sizeof(in) - 1, message, SIZE_MAX \
    }

static const struct {
    const char *encoding, *errors, *in;
    size_t in_size;
    const char *out;
    size_t out_size; /* SIZE_MAX: it fails, and out is the message */
} rows[] = {
    ROW(NULL, NULL, "", ""),
    ROW(NULL, NULL, "a\0b\xc3\xa9\xf0\x9f\x98\x80", "a\0b\xc3\xa9\xf0\x9f\x98\x80"),
    ERROR(NULL, NULL, "a\xe9", "'utf-8' codec can't decode byte 0xe9 in position 1: unexpected end of data"),
    ERROR("utf-8", "strict", "\xe9z", "'utf-8' codec can't decode byte 0xe9 in position 0: invalid continuation byte"),
    ERROR("utf-8", "strict", "\x80", "'utf-8' codec can't decode byte 0x80 in position 0: invalid start byte"),
    ERROR("utf-8", "strict", "\xc0\x80", "'utf-8' codec can't decode byte 0xc0 in position 0: invalid start byte"),
    ERROR("utf-8", "strict", "\xf5\x80", "'utf-8' codec can't decode byte 0xf5 in position 0: invalid start byte"),
    ERROR("utf-8", "strict", "\xe2\x82", "'utf-8' codec can't decode bytes in position 0-1: unexpected end of data"),
    ERROR("utf-8", "strict", "\xe2\x82z", "'utf-8' codec can't decode bytes in position 0-1: invalid continuation byte"),
    ERROR("utf-8", "strict", "\xf0\x9f\x98", "'utf-8' codec can't decode bytes in position 0-2: unexpected end of data"),
    ERROR("utf-8", "strict", "\xed\xa0\x80", "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte"),
    ROW("utf-8", "ignore", "a\xff\xe2\x82z\xed\xa0\x80", "az"),
    ROW("utf-8", "replace", "a\xff\xe2\x82z", "a\xef\xbf\xbd\xef\xbf\xbdz"),
    ROW("utf-8", "replace", "\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
    ROW("utf-8", "replace", "\xf0\x90\xf4\x8f\xbf", "\xef\xbf\xbd\xef\xbf\xbd"),
    ROW("utf-8", "replace", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"),
    ROW("utf-8", "backslashreplace", "\xe2\x82z\xff", "\\xe2\\x82z\\xff"),
    ROW("utf-8", "surrogateescape", "a\xe2\x82\xff", "a\xed\xb3\xa2\xed\xb2\x82\xed\xb3\xbf"),
    ROW("utf-8", "surrogatepass", "\xed\xa0\x80z\xed\xbf\xbf", "\xed\xa0\x80z\xed\xbf\xbf"),
    ERROR("utf-8", "surrogatepass", "\xed\xa0", "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte"),
    ROW("ascii", "strict", "abc", "abc"),
    ERROR("ascii", "strict", "ab\xff", "'ascii' codec can't decode byte 0xff in position 2: ordinal not in range(128)"),
    ROW("ascii", "ignore", "a\xe9z", "az"),
    ROW("ascii", "replace", "\xc3\xa9", "\xef\xbf\xbd\xef\xbf\xbd"),
    ROW("ascii", "backslashreplace", "\xe9", "\\xe9"),
    ROW("ascii", "surrogateescape", "\x80", "\xed\xb2\x80"),
    ERROR("ascii", "surrogatepass", "\xed\xa0\x80",
          "'ascii' codec can't decode byte 0xed in position 0: ordinal not in range(128)"),
    ROW("latin1", "strict", "a\x80\xff", "a\xc2\x80\xc3\xbf"),
    ROW("bytes", "strict", "\xff\0", "\xff\0"),
};

static void check_row(size_t i)
{
    fixture f;
    begin(&f);
    ptio_codec *codec = NULL;
    ptio_text out = {NULL, 0};
    assert_int_equal(ptio_codec_new(rows[i].encoding, rows[i].errors, &f.heap, &codec, &f.err), PTIO_OK);
    ptio_status status = ptio_codec_decode(codec, &f.arena, (ptio_text){rows[i].in, rows[i].in_size}, &out, &f.err);
    if (rows[i].out_size == SIZE_MAX) {
        assert_int_equal(status, PTIO_ERR_FORMAT);
        assert_string_equal(f.err.reason, "codec.invalid");
        assert_string_equal(f.err.message, rows[i].out);
    } else {
        if (status != PTIO_OK || !ptio_text_equal(out, (ptio_text){rows[i].out, rows[i].out_size}))
            fail_msg("row %zu: %s", i, status ? f.err.message : ptio_quote(out).text);
    }
    ptio_codec_free(codec);
    end(&f);
}

static void strings_decode_as_python_decodes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(i);
}

/* What a codec makes of the byte E9 under "replace": each encoding has its own answer. */
static void answer(const char *encoding, char out[8])
{
    fixture f;
    begin(&f);
    ptio_codec *codec = NULL;
    ptio_text decoded;
    out[0] = '\0';
    if (ptio_codec_new(encoding, "replace", &f.heap, &codec, &f.err) == PTIO_OK) {
        assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){"\xe9z", 2}, &decoded, &f.err), PTIO_OK);
        assert_true(decoded.size < 8);
        memcpy(out, decoded.bytes, decoded.size);
        out[decoded.size] = '\0';
    } else {
        assert_int_equal(f.err.status, PTIO_ERR_ARGUMENT);
        assert_string_equal(f.err.reason, "codec.encoding");
    }
    ptio_codec_free(codec);
    end(&f);
}

static void names_are_pythons(void **state)
{
    (void)state;
    static const char *const latin1[] = {"latin1",          "latin-1", "Latin_1",   "LATIN 1",    "iso-8859-1",
                                         "ISO_8859-1:1987", "l1",      "8859",      "cp819",      "csISOLatin1",
                                         "IBM819",          "iso8859", "iso8859-1", "iso-ir-100", "latin"};
    static const char *const utf8[] = {"utf-8", "UTF8", "utf_8", "U8", "utf", "utf--8", " utf-8 ", "cp65001", "utf8_ucs2"};
    static const char *const ascii[] = {"ascii",   "US-ASCII", "646", "ANSI_X3.4-1968", "ansi_x3_4_1968",   "cp367",
                                        "csASCII", "IBM367",   "us",  "iso646-us",      "ISO_646.irv_1991", "iso-ir-6"};
    char out[8];
    for (size_t i = 0; i < sizeof latin1 / sizeof *latin1; i++) {
        answer(latin1[i], out);
        assert_string_equal(out, "\xc3\xa9z");
    }
    for (size_t i = 0; i < sizeof utf8 / sizeof *utf8; i++) {
        answer(utf8[i], out);
        assert_string_equal(out, "\xef\xbf\xbdz");
    }
    for (size_t i = 0; i < sizeof ascii / sizeof *ascii; i++) {
        answer(ascii[i], out);
        assert_string_equal(out, "\xef\xbf\xbdz");
    }
    answer("bytes", out);
    assert_string_equal(out, "\xe9z");
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "-", "no such encoding", "utf-8//TRANSLIT",
                                        "a name that is far longer than any encoding has ever had or will have"};
    char out[8];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        answer(names[i], out);
        assert_string_equal(out, "");
    }
    fixture f;
    begin(&f);
    ptio_codec *codec = NULL;
    assert_int_equal(ptio_codec_new("utf-8", "xmlcharrefreplace", &f.heap, &codec, &f.err), PTIO_ERR_ARGUMENT);
    assert_string_equal(f.err.reason, "codec.errors");
    assert_null(codec);
    end(&f);
}

/* Others come from iconv, which each system has some of: this one is part of every C library's. */
static void other_encodings(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    ptio_codec *codec = NULL;
    ptio_text out = {NULL, 0};
    assert_int_equal(ptio_codec_new("UCS-2LE", "backslashreplace", &f.heap, &codec, &f.err), PTIO_OK);
    assert_false(ptio_codec_is_bytes(codec));
    assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){"\xac\x20z\0", 4}, &out, &f.err), PTIO_OK);
    assert_true(ptio_text_is(out, "\xe2\x82\xacz"));
    assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){"z\0\xff", 3}, &out, &f.err), PTIO_OK);
    assert_true(ptio_text_is(out, "z\\xff"));
    /* More than one buffer of the converter. */
    char many[4000];
    for (size_t i = 0; i < sizeof many; i += 2)
        memcpy(many + i, "\xac\x20", 2);
    assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){many, sizeof many}, &out, &f.err), PTIO_OK);
    assert_int_equal(out.size, 6000);
    assert_memory_equal(out.bytes + 5997, "\xe2\x82\xac", 3);
    ptio_codec_free(codec);
    assert_int_equal(ptio_codec_new("UCS-2LE", NULL, &f.heap, &codec, &f.err), PTIO_OK);
    assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){"z\0\xff", 3}, &out, &f.err), PTIO_ERR_FORMAT);
    assert_string_equal(f.err.reason, "codec.invalid");
    ptio_codec_free(codec);
    end(&f);
}

static void what_is_text_already_is_not_copied(void **state)
{
    (void)state;
    static const char *const encodings[] = {"utf-8", "ascii", "latin1", "bytes"};
    for (size_t i = 0; i < 4; i++) {
        fixture f;
        begin(&f);
        ptio_codec *codec = NULL;
        ptio_text in = {"plain", 5}, out = {NULL, 0};
        assert_int_equal(ptio_codec_new(encodings[i], NULL, &f.heap, &codec, &f.err), PTIO_OK);
        assert_int_equal(ptio_codec_is_bytes(codec), i == 3);
        assert_int_equal(ptio_codec_decode(codec, &f.arena, in, &out, &f.err), PTIO_OK);
        assert_ptr_equal(out.bytes, in.bytes);
        ptio_codec_free(codec);
        end(&f);
    }
}

static void no_memory(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    ptio_codec *codec = NULL;
    f.heap.limit = 1;
    assert_int_equal(ptio_codec_new("UCS-2LE", NULL, &f.heap, &codec, &f.err), PTIO_ERR_LIMIT);
    f.heap.limit = UINT64_MAX;
    f.err = (ptio_error){.status = PTIO_OK};
    assert_int_equal(ptio_codec_new("latin1", NULL, &f.heap, &codec, &f.err), PTIO_OK);
    f.heap.limit = f.heap.used;
    ptio_text out = {NULL, 0};
    assert_int_equal(ptio_codec_decode(codec, &f.arena, (ptio_text){"\xff", 1}, &out, &f.err), PTIO_ERR_LIMIT);
    assert_null(out.bytes);
    ptio_codec_free(codec);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_decode_as_python_decodes_them),
        cmocka_unit_test(names_are_pythons),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(other_encodings),
        cmocka_unit_test(what_is_text_already_is_not_copied),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
