/*
 * Getters of values: every one on every kind, NULL among them; numbers of all sizes, Python 2 strings, merged keys, identity.
 */
#include <math.h>

#include "support/build.h"

/* One value of every kind, in the order of PTIO_KIND_LIST, without MISSING. */
#define EVERY_KIND                                                                                                       \
    "] ( N True 7 f1.5 c:__builtin__:complex f1 f2 2t R 'text' b'\\x00\\xff' c:__builtin__:bytearray b'ab' 1t R "        \
    "] 1 a 1 1t x8F ( 1 x90 ( 1 x91 } 1 2 s c:a:b c:a:b ) NEW " TENSOR(0, 4) FLOATS                                      \
        "c:torch:Size 2 3 2t 1t R c:torch:int8 "                                                                         \
        "c:torch:device 'cuda' 1 2t R c:torch.serialization:_get_layout 'torch.strided' 1t R c:torch:per_tensor_affine " \
        "c:torch:channels_last c:torch._C:Generator c:torch:device 'cpu' 1t R 1t R 42 N " TENSOR(                        \
            0, 4) "3t b "                                                                                                \
                  "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R ( 1 2 1t " DTYPE(                 \
                      "i2", "<") "p9 False b'\\x05\\x00\\x06\\x00' t b "                                                 \
                                 "c:numpy.core.multiarray:scalar g9 b'\\x07\\x00' 2t R g9 e "
#define DTYPE(code, order) "c:numpy:dtype '" code "' False True 3t R ( 3 '" order "' N N N -1 -1 0 t b "

static void every_kind_has_its_getters(void **state)
{
    (void)state;
    static const struct {
        ptio_kind kind;
        const char *class_name, *name;
        bool integer, real, string, bytes, container, tensor, storage;
    } rows[] = {
        {PTIO_KIND_NONE, "builtins.NoneType", NULL, 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_BOOL, "builtins.bool", NULL, 1, 1, 0, 0, 0, 0, 0},
        {PTIO_KIND_INT, "builtins.int", NULL, 1, 1, 0, 0, 0, 0, 0},
        {PTIO_KIND_FLOAT, "builtins.float", NULL, 0, 1, 0, 0, 0, 0, 0},
        {PTIO_KIND_COMPLEX, "builtins.complex", NULL, 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_STR, "builtins.str", NULL, 0, 0, 1, 0, 0, 0, 0},
        {PTIO_KIND_BYTES, "builtins.bytes", NULL, 0, 0, 0, 1, 0, 0, 0},
        {PTIO_KIND_BYTEARRAY, "builtins.bytearray", NULL, 0, 0, 0, 1, 0, 0, 0},
        {PTIO_KIND_LIST, "builtins.list", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_TUPLE, "builtins.tuple", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_SET, "builtins.set", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_FROZENSET, "builtins.frozenset", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_DICT, "builtins.dict", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_GLOBAL, "a.b", NULL, 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_OBJECT, "a.b", NULL, 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_TENSOR, "torch.Tensor", NULL, 0, 0, 0, 0, 0, 1, 1},
        {PTIO_KIND_STORAGE, "torch.storage.TypedStorage", NULL, 0, 0, 0, 0, 0, 0, 1},
        {PTIO_KIND_SIZE, "torch.Size", NULL, 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_DTYPE, "torch.dtype", "torch.int8", 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_DEVICE, "torch.device", "cuda:1", 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_LAYOUT, "torch.layout", "torch.strided", 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_QSCHEME, "torch.qscheme", "torch.per_tensor_affine", 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_MEMORY_FORMAT, "torch.memory_format", "torch.channels_last", 0, 0, 0, 0, 0, 0, 0},
        {PTIO_KIND_GENERATOR, "torch._C.Generator", "cpu", 0, 0, 0, 0, 1, 0, 0},
        {PTIO_KIND_NDARRAY, "numpy.ndarray", "<i2", 0, 0, 0, 0, 0, 1, 1},
        {PTIO_KIND_NPSCALAR, "numpy.generic", "<i2", 0, 0, 0, 1, 0, 0, 0},
        {PTIO_KIND_NPDTYPE, "numpy.dtype", "<i2", 0, 0, 0, 0, 0, 0, 0},
    };
    loaded l = {0};
    load(&l, EVERY_KIND);
    assert_int_equal(ptio_value_count(l.root), sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ptio_value *v = ptio_value_item(l.root, i);
        int64_t integer = 99;
        double real = 99, imag = 99;
        assert_int_equal(ptio_value_kind(v), rows[i].kind);
        assert_text(ptio_value_class(v), rows[i].class_name);
        if (rows[i].name)
            assert_text(ptio_value_name(v), rows[i].name);
        else
            assert_null(ptio_value_name(v).bytes);
        assert_int_equal(ptio_value_bool(v), rows[i].kind == PTIO_KIND_BOOL);
        assert_int_equal(ptio_value_int(v, &integer), rows[i].integer);
        assert_int_equal(integer != 99, rows[i].integer);
        assert_int_equal(ptio_value_int_bytes(v, NULL, 0), rows[i].integer ? 1 : 0);
        assert_int_equal(ptio_value_float(v, &real), rows[i].real);
        assert_int_equal(real != 99, rows[i].real); /* NOLINT: exact */
        assert_int_equal(ptio_value_complex(v, &real, &imag), rows[i].kind == PTIO_KIND_COMPLEX);
        assert_int_equal(ptio_value_str(v).bytes != NULL, rows[i].string);
        assert_int_equal(ptio_value_bytes(v).bytes != NULL, rows[i].bytes);
        assert_false(ptio_value_is_py2str(v));
        assert_int_equal(ptio_value_count(v) > 0, rows[i].container);
        assert_null(ptio_value_item(v, 1000));
        assert_int_equal(ptio_value_key(v, 0) != NULL, rows[i].kind == PTIO_KIND_DICT);
        assert_int_equal(ptio_value_get_int(v, 1) != NULL, rows[i].kind == PTIO_KIND_DICT);
        assert_null(ptio_value_get(v, "1"));
        assert_null(ptio_value_attributes(v));
        assert_null(ptio_value_attribute(v, "1"));
        assert_null(ptio_value_slots(v));
        assert_null(ptio_value_factory(v));
        assert_false(ptio_value_is_module(v));
        assert_int_equal(ptio_value_tensor(v) != NULL, rows[i].tensor);
        assert_int_equal(ptio_value_storage(v) != NULL, rows[i].storage);
        ptio_ndarray_info info;
        assert_int_equal(ptio_value_ndarray(v, &info), rows[i].kind == PTIO_KIND_NDARRAY);
        uint8_t raw[4];
        assert_int_equal(ptio_ndarray_copy(v, raw, 4, NULL), rows[i].kind == PTIO_KIND_NDARRAY ? PTIO_OK : PTIO_ERR_ARGUMENT);
    }
    double real, imag;
    assert_true(ptio_value_complex(ptio_value_item(l.root, 4), &real, &imag) && real == 1 && imag == 2);
    assert_true(ptio_value_bytes(ptio_value_item(l.root, 6)).size == 2);
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 7)), "ab");
    assert_int_equal(ptio_value_count(ptio_value_item(l.root, 17)), 2);
    assert_int_equal(ptio_value_count(ptio_value_item(l.root, 23)), 3);
    assert_int_equal(ptio_value_kind(ptio_value_item(ptio_value_item(l.root, 23), 2)), PTIO_KIND_TENSOR);
    loaded_free(&l);
}

static void null_is_a_missing_value(void **state)
{
    (void)state;
    int64_t integer;
    double real, imag;
    ptio_ndarray_info info;
    assert_int_equal(ptio_value_kind(NULL), PTIO_KIND_MISSING);
    assert_string_equal(ptio_kind_name(PTIO_KIND_MISSING), "missing");
    assert_string_equal(ptio_kind_name(PTIO_KIND_NPDTYPE), "npdtype");
    assert_string_equal(ptio_kind_name((ptio_kind)999), "unknown");
    assert_false(ptio_value_bool(NULL) || ptio_value_int(NULL, &integer) || ptio_value_float(NULL, &real));
    assert_false(ptio_value_complex(NULL, &real, &imag) || ptio_value_is_py2str(NULL) || ptio_value_is_module(NULL));
    assert_int_equal(ptio_value_int_bytes(NULL, NULL, 0), 0);
    assert_null(ptio_value_str(NULL).bytes);
    assert_null(ptio_value_bytes(NULL).bytes);
    assert_null(ptio_value_name(NULL).bytes);
    assert_null(ptio_value_class(NULL).bytes);
    assert_int_equal(ptio_value_count(NULL), 0);
    assert_null(ptio_value_item(NULL, 0));
    assert_null(ptio_value_key(NULL, 0));
    assert_null(ptio_value_get(NULL, "a"));
    assert_null(ptio_value_get_n(NULL, "a", 1));
    assert_null(ptio_value_get_int(NULL, 0));
    assert_null(ptio_value_attributes(NULL));
    assert_null(ptio_value_attribute(NULL, "a"));
    assert_null(ptio_value_slots(NULL));
    assert_null(ptio_value_factory(NULL));
    assert_null(ptio_value_tensor(NULL));
    assert_null(ptio_value_storage(NULL));
    assert_false(ptio_value_ndarray(NULL, &info));
    assert_int_equal(ptio_ndarray_copy(NULL, NULL, 0, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_node_view(NULL), PTIO_NODE_NONE);
    assert_null(ptio_node_opcode(NULL));
    assert_null(ptio_node_callable(NULL));
    assert_null(ptio_node_arguments(NULL));
    assert_null(ptio_node_keywords(NULL));
    assert_int_equal(ptio_node_state_count(NULL) + ptio_node_item_count(NULL) + ptio_node_entry_count(NULL), 0);
    assert_null(ptio_node_state(NULL, 0));
    assert_null(ptio_node_item(NULL, 0));
    assert_null(ptio_node_entry_key(NULL, 0));
    assert_null(ptio_node_entry_value(NULL, 0));
    size_t count = 1;
    assert_non_null(ptio_node_item_array(NULL, &count));
    assert_int_equal(count, 0);
    assert_non_null(ptio_node_entry_array(NULL, &count));
    assert_int_equal(count, 0);
    assert_false(ptio_node_is_single(NULL));
    assert_null(ptio_node_module(NULL).bytes);
    assert_null(ptio_node_qualname(NULL).bytes);
}

/* ---- numbers ---- */

static void assert_int_bytes(const ptio_value *value, const char *expected, size_t size)
{
    char room[64];
    memset(room, 'x', sizeof room);
    assert_int_equal(ptio_value_int_bytes(value, room, sizeof room), size);
    assert_memory_equal(room, expected, size);
    assert_int_equal(room[size], 'x');
    if (size) {
        memset(room, 'x', sizeof room);
        assert_int_equal(ptio_value_int_bytes(value, room, size - 1), size);
        assert_int_equal(room[0], 'x');
    }
}

static void ints_have_the_fewest_bytes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( 0 1 127 128 255 256 -1 -128 -129 -32768 9223372036854775807 -9223372036854775808 "
             "x8A09000000000000008000 x8A09FFFFFFFFFFFFFF7FFF x8A0A01000000000000000000 False True x8A00 e");
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {{"", 0},
                {"\1", 1},
                {"\x7f", 1},
                {"\x80\0", 2},
                {"\xff\0", 2},
                {"\0\1", 2},
                {"\xff", 1},
                {"\x80", 1},
                {"\x7f\xff", 2},
                {"\0\x80", 2},
                {"\xff\xff\xff\xff\xff\xff\xff\x7f", 8},
                {"\0\0\0\0\0\0\0\x80", 8},
                {"\0\0\0\0\0\0\0\x80\0", 9},
                {"\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9},
                {"\1", 1},
                {"", 0},
                {"\1", 1},
                {"", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_bytes(ptio_value_item(l.root, i), rows[i].bytes, rows[i].size);
    int64_t number = 5;
    assert_false(ptio_value_int(ptio_value_item(l.root, 12), &number));
    assert_int_equal(number, 5);
    assert_true(ptio_value_int(ptio_value_item(l.root, 14), &number));
    assert_int_equal(number, 1);
    assert_true(ptio_value_int(ptio_value_item(l.root, 11), &number));
    assert_true(number == INT64_MIN);
    loaded_free(&l);
}

static void large_ints_round_to_floats(void **state)
{
    (void)state;
    static const struct {
        const char *long1;
        double value;
    } rows[] = {
        {"x8A09000000000000008000", 0x1p63},
        {"x8A09FFFFFFFFFFFFFFFF00", 0x1p64}, /* 2^64 - 1 rounds up */
        {"x8A09000000000000000001", 0x1p64},
        {"x8A0900080000000000"
         "0001",
         0x1p64}, /* 2^64 + 2^11: a tie, to even */
        {"x8A0901080000000000"
         "0001",
         0x1p64 + 0x1p12}, /* one more than the tie */
        {"x8A0900180000000000"
         "0001",
         0x1p64 + 0x1p13},                    /* a tie, to even: up */
        {"x8A09FFFFFFFFFFFFFF7FFF", -0x1p63}, /* -2^63 - 1 */
        {"x8A0900000000000000"
         "00FF",
         -0x1p64},
        {"x8A0900E8FFFFFFFFFF"
         "FFFE",
         -(0x1p64 + 0x1p13)}, /* -(2^64 + 3 * 2^11): a tie, to even */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        double value = 0;
        load(&l, "%s", rows[i].long1);
        assert_true(ptio_value_float(l.root, &value));
        if (value != rows[i].value)
            fail_msg("%s is %a, not %a", rows[i].long1, value, rows[i].value);
        loaded_free(&l);
    }
    /* 2^1024 has no float: infinity */
    loaded l = {0};
    pickle(&l.pickle, "proto2 x8A82");
    for (int i = 0; i < 128; i++)
        pickle(&l.pickle, "x00");
    pickle(&l.pickle, "x0100 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    double value = 0;
    assert_true(ptio_value_float(l.root, &value));
    assert_true(isinf(value) && value > 0);
    loaded_free(&l);
}

static void complex_numbers_are_one_or_two_numbers(void **state)
{
    (void)state;
    loaded l = {0};
    double real, imag;
    load(&l, "c:builtins:complex 3 1t R");
    assert_true(ptio_value_complex(l.root, &real, &imag) && real == 3 && imag == 0);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:builtins:complex ) @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:builtins:complex 1 2 3 3t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:builtins:complex '1' 1t @ R");
}

/* ---- texts ---- */

static void python2_strings_are_text_where_they_decode(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( s'caf\\xc3\\xa9' s'\\xff\\xfe' s'' e");
    const ptio_value *text = ptio_value_item(l.root, 0), *raw = ptio_value_item(l.root, 1);
    assert_int_equal(ptio_value_kind(text), PTIO_KIND_STR);
    assert_text(ptio_value_str(text), "caf\xc3\xa9");
    assert_text(ptio_value_bytes(text), "caf\xc3\xa9");
    assert_true(ptio_value_is_py2str(text) && ptio_value_is_py2str(raw));
    assert_int_equal(ptio_value_kind(raw), PTIO_KIND_BYTES);
    assert_null(ptio_value_str(raw).bytes);
    assert_text(ptio_value_bytes(raw), "\xff\xfe");
    assert_text(ptio_value_str(ptio_value_item(l.root, 2)), "");
    assert_text(ptio_value_class(text), "builtins.str");
    assert_text(ptio_value_class(raw), "builtins.bytes");
    ptio_load_options latin1 = {PTIO_LOAD_OPTIONS, .encoding = "latin1"};
    assert_int_equal(load_bytes(&l, &l.file, &latin1), PTIO_OK);
    assert_text(ptio_value_str(ptio_value_item(l.root, 1)), "\xc3\xbf\xc3\xbe");
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 1)), "\xff\xfe");
    ptio_load_options plain = {PTIO_LOAD_OPTIONS, .encoding = "bytes"};
    assert_int_equal(load_bytes(&l, &l.file, &plain), PTIO_OK);
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 0)), PTIO_KIND_BYTES);
    loaded_free(&l);
}

static void bytes_of_protocol_2(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( c:_codecs:encode 'a\\xc3\\xbf' 'latin1' 2t R c:__builtin__:bytes ) R c:__builtin__:bytearray 'a\\xc3\\xbf' "
             "'latin-1' 2t R "
             "c:__builtin__:bytearray c:_codecs:encode 'q' 'latin1' 2t R 1t R e");
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 0)), "a\xff");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 0)), PTIO_KIND_BYTES);
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 1)), "");
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 2)), "a\xff");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 2)), PTIO_KIND_BYTEARRAY);
    assert_text(ptio_value_bytes(ptio_value_item(l.root, 3)), "q");
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:_codecs:encode '\\xc4\\x80' 'latin1' 2t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:_codecs:encode 'a' 'utf-16' 2t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:_codecs:encode 'a' 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:_codecs:encode N 'latin1' 2t @ R");
}

/* ---- dicts ---- */

static int64_t number_of(const ptio_value *value)
{
    int64_t number = INT64_MIN;
    (void)ptio_value_int(value, &number);
    return number;
}

static void equal_keys_are_one(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 1 10 'a' 20 True 30 f1.0 40 'b' 50 'a' 60 b'a' 70 s'b' 80 N 90 f1.5 100 u");
    /* 1 = True = 1.0; 'a' twice; 'b' also as a string of Python 2; b'a' is no 'a' */
    assert_int_equal(ptio_value_count(l.root), 6);
    assert_int_equal(number_of(ptio_value_item(l.root, 0)), 40);
    assert_int_equal(ptio_value_kind(ptio_value_key(l.root, 0)), PTIO_KIND_INT); /* the first key stays */
    assert_int_equal(number_of(ptio_value_get(l.root, "a")), 60);
    assert_int_equal(number_of(ptio_value_get(l.root, "b")), 80);
    assert_int_equal(number_of(ptio_value_get_int(l.root, 1)), 40);
    assert_int_equal(number_of(ptio_value_item(l.root, 3)), 70);
    assert_null(ptio_value_get(l.root, "c"));
    assert_null(ptio_value_get_int(l.root, 2));
    assert_int_equal(ptio_node_entry_count(l.root), 10); /* as the file has them */
    assert_int_equal(number_of(ptio_node_entry_value(l.root, 2)), 30);
    assert_int_equal(ptio_value_kind(ptio_node_entry_key(l.root, 3)), PTIO_KIND_FLOAT);
    assert_null(ptio_node_entry_key(l.root, 10));
    loaded_free(&l);
}

/* Keys of every kind, as pickles below protocol 3 have them: bytes and frozensets are calls there. */
#define ANY_KEYS                                                                                           \
    "c:_codecs:encode 'a' 'latin1' 2t R 0 c:__builtin__:frozenset ] ( 1 2 e 1t R 1 1 'x' 2t 2 N 3 f1.5 4 " \
    "c:torch:float32 5 c:torch:device 'cuda' 1 2t R 6 c:torch:Size 2 3 2t 1t R 7 c:a:b 8 'text' 9 "        \
    "c:_codecs:encode 'b' 'latin1' 2t R c:__builtin__:frozenset ] ( 'k' 'l' e 1t R 2t 10 True 11 "

static void any_key_finds_its_value(void **state)
{
    (void)state;
    loaded a = {0}, b = {0};
    load(&a, "} ( " ANY_KEYS "c:a:b ) NEW 12 u");
    load(&b, "} ( " ANY_KEYS "c:a:b ) NEW 12 u");
    assert_int_equal(ptio_value_count(a.root), 13);
    for (size_t i = 0; i < 13; i++) {
        assert_int_equal(number_of(ptio_value_get_value(a.root, ptio_value_key(a.root, i))), i);
        const ptio_value *twin = ptio_value_get_value(a.root, ptio_value_key(b.root, i));
        assert_int_equal(number_of(twin), i < 12 ? (int64_t)i : INT64_MIN); /* an object is itself only */
    }
    loaded_free(&b);
    load(&b, "] ( b'a' ( 2 1 x91 ( f1.0 'x' t f1.0 2 3 2t c:_codecs:encode 'c' 'latin1' 2t R ] N e");
    static const int64_t found[] = {0, 1, 2, 11, 7, INT64_MIN, INT64_MIN, 3};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(number_of(ptio_value_get_value(a.root, ptio_value_item(b.root, i))), found[i]);
    assert_null(ptio_value_get_value(a.root, NULL));
    assert_null(ptio_value_get_value(NULL, a.root));
    assert_null(ptio_value_get_value(b.root, a.root));
    loaded_free(&a);
    loaded_free(&b);
}

/* What a key equals is known once its objects are: then the last value counts, as always. */
static void keys_that_are_calls_are_one(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( c:_codecs:encode 'a' 'latin1' 2t R 1 b'a' 2 ( 1 2 x91 3 c:__builtin__:frozenset ] ( 2 1 1 e 1t R 4 "
             "c:torch:Size 2 3 2t 1t R 5 2 3 2t 6 c:a:b ) NEW 7 c:a:b ) NEW 8 u");
    assert_int_equal(ptio_value_count(l.root), 5);
    static const int64_t values[] = {2, 4, 6, 7, 8};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(number_of(ptio_value_item(l.root, i)), values[i]);
    assert_int_equal(ptio_node_entry_count(l.root), 8);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "} c:__builtin__:set ) @ R 1 s");
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "} ( 1 2 c:__builtin__:bytearray b'a' 1t @ R 3 u");
    loaded bad = {0};
    pickle(&bad.pickle, "proto2 } ( c:__builtin__:set ) R 1t 3 u .");
    usual_zip(&bad.file, &bad.pickle);
    assert_int_equal(load_bytes(&bad, &bad.file, NULL), PTIO_ERR_FORMAT);
    assert_string_equal(bad.err.reason, "pickle.unhashable-key");
    loaded_free(&bad);
}

static void equal_items_of_sets_are_one(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "( x8F ( 1 True 2 1 x90 c:__builtin__:set ] p9 ( 1 1 2 e 1t R c:__builtin__:frozenset 3 3 2t 1t R g9 "
             "x8F ( c:_codecs:encode 'a' 'latin1' 2t R b'a' x90 c:__builtin__:set c:__builtin__:set g9 1t R 1t R t");
    static const size_t counts[] = {2, 2, 1, 3, 1, 2};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ptio_value_count(ptio_value_item(l.root, i)), counts[i]);
    const ptio_value *set = ptio_value_item(l.root, 0);
    assert_int_equal(number_of(ptio_value_item(set, 0)), 1);
    assert_int_equal(number_of(ptio_value_item(set, 1)), 2);
    assert_null(ptio_value_item(set, 2));
    assert_int_equal(ptio_node_item_count(set), 4); /* as the file has them */
    assert_int_equal(number_of(ptio_node_item(set, 3)), 1);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "c:__builtin__:set ] ] a 1t @ R");
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "c:__builtin__:frozenset ] ] 1t a 1t @ R");
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "c:__builtin__:set ] c:__builtin__:set ) @ R a 1t R");
}

/* One long list made a set of over and over. */
static void calls_of_sets_have_a_budget(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    loaded l = {0};
    pickle(&l.pickle, "proto2 ] ( ] p1 ( ");
    for (int i = 0; i < COUNT; i++)
        pickle(&l.pickle, "%d ", i);
    pickle(&l.pickle, "e c:__builtin__:set p2 ");
    for (int i = 0; i < COUNT; i++)
        pickle(&l.pickle, "g2 g1 1t R ");
    pickle(&l.pickle, "e .");
    usual_zip(&l.file, &l.pickle);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_LIMIT);
    assert_string_equal(l.err.reason, "limit.key-steps");
    loaded_free(&l);
}

/* A set of a set of a set …, and a frozenset that holds itself. */
static void calls_of_sets_nest_at_no_cost(void **state)
{
    (void)state;
    enum { LEVELS = 20000 };
    loaded l = {0};
    for (size_t round = 0; round < 2; round++) {
        pickle(&l.pickle, "proto2 ");
        for (int i = 0; i < LEVELS; i++)
            pickle(&l.pickle, round ? "c:__builtin__:set " : "c:torch:Size ");
        pickle(&l.pickle, "] ( 1 2 e ");
        for (int i = 0; i < LEVELS; i++)
            pickle(&l.pickle, "1t R ");
        pickle(&l.pickle, ".");
        usual_zip(&l.file, &l.pickle);
        assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
        assert_int_equal(ptio_value_count(ptio_root(l.ckpt)), 2);
        loaded_free(&l);
        l = (loaded){0};
    }
    load(&l, "} c:__builtin__:frozenset ] p7 1t R p8 g7 g8 a x30 1 s");
    loaded_free(&l);
}

static void keys_hold_any_bytes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'a\\x00b' 1 'a' 2 '' 3 s'\\xff' 4 u");
    assert_int_equal(number_of(ptio_value_get_n(l.root, "a\0b", 3)), 1);
    assert_int_equal(number_of(ptio_value_get(l.root, "a")), 2);
    assert_int_equal(number_of(ptio_value_get(l.root, "")), 3);
    assert_int_equal(number_of(ptio_value_get(l.root, "\xff")), 4); /* Python 2's, by its bytes */
    assert_null(ptio_value_get_n(l.root, "a\0b", 2));
    assert_null(ptio_value_get(l.root, NULL));
    assert_null(ptio_value_get_n(l.root, NULL, 0));
    loaded_free(&l);
}

/* Looking up every key of a big dict takes time in proportion. */
static void big_dicts_are_looked_up_at_once(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    loaded l = {0};
    pickle(&l.pickle, "proto2 } (");
    for (int i = 0; i < COUNT; i++)
        pickle(&l.pickle, "'key.%d' %d %d %d", i, i, i, -i);
    pickle(&l.pickle, "u .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_value_count(l.root), 2 * COUNT);
    for (int i = 0; i < COUNT; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "key.%d", i);
        assert_true(number_of(ptio_value_get(l.root, key)) == i);
        assert_true(number_of(ptio_value_get_int(l.root, i)) == -i);
    }
    loaded_free(&l);
}

static void dicts_of_other_classes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( c:collections:OrderedDict ) R ( 'a' 1 u c:collections:Counter } 'x' 3 s 1t R c:collections:defaultdict "
             "c:__builtin__:list 1t R "
             "'k' 5 s c:collections:defaultdict N 1t R c:my:Dict ) NEW 'z' 9 s c:collections:OrderedDict ] ( ] 'p' a 1 a 'q' 2 "
             "2t e 1t R "
             "c:collections:defaultdict ) R e");
    static const char *const classes[] = {
        "collections.OrderedDict", "collections.Counter",    "collections.defaultdict", "collections.defaultdict", "my.Dict",
        "collections.OrderedDict", "collections.defaultdict"};
    static const size_t counts[] = {1, 1, 1, 0, 1, 2, 0};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(ptio_value_kind(ptio_value_item(l.root, i)), PTIO_KIND_DICT);
        assert_text(ptio_value_class(ptio_value_item(l.root, i)), classes[i]);
        assert_int_equal(ptio_value_count(ptio_value_item(l.root, i)), counts[i]);
    }
    assert_null(ptio_value_attribute(ptio_value_item(l.root, 0), NULL));
    assert_int_equal(number_of(ptio_value_get(ptio_value_item(l.root, 1), "x")), 3);
    assert_int_equal(number_of(ptio_value_get(ptio_value_item(l.root, 5), "q")), 2);
    assert_int_equal(number_of(ptio_value_get(ptio_value_item(l.root, 5), "p")), 1);
    assert_text(ptio_value_class(ptio_value_factory(ptio_value_item(l.root, 2))), "builtins.list");
    assert_int_equal(ptio_value_kind(ptio_value_factory(ptio_value_item(l.root, 3))), PTIO_KIND_NONE);
    assert_int_equal(ptio_value_kind(ptio_value_factory(ptio_value_item(l.root, 6))), PTIO_KIND_NONE);
    assert_null(ptio_value_factory(ptio_value_item(l.root, 0)));
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:OrderedDict ] 1 a 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:OrderedDict ] 1 2 3 3t a 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:OrderedDict 7 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:OrderedDict } } 2t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:Counter N 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:collections:defaultdict N } N 3t @ R");
}

static void pairs_of_python2_are_keys_too(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:collections:OrderedDict ] ( ] ( 'a' 1 e ] ( 'a' 2 e ] ( 'b' 3 e e 1t R");
    assert_int_equal(ptio_value_count(l.root), 2);
    assert_int_equal(number_of(ptio_value_get(l.root, "a")), 2);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "c:collections:OrderedDict ] ] ( ] 1 e a 1t @ R");
    refused(PTIO_ERR_FORMAT, "pickle.unhashable-key", "c:collections:OrderedDict ] ] ( ] 1t 1 e a 1t @ R");
}

/* ---- identity ---- */

static void one_object_is_one_pointer(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] p0 ( ] p1 g1 ] g0 " TENSOR(0, 4) "p2 g2 'abc' p3 g3 'abc' " FLOATS FLOATS "300 300 e");
    const ptio_value *item[12];
    for (size_t i = 0; i < 12; i++)
        item[i] = ptio_value_item(l.root, i);
    assert_ptr_equal(item[0], item[1]);
    assert_ptr_not_equal(item[0], item[2]);
    assert_ptr_equal(item[3], l.root);
    assert_ptr_equal(item[4], item[5]);
    assert_ptr_equal(item[6], item[7]);
    assert_ptr_equal(ptio_value_tensor(item[4]), ptio_value_tensor(item[5]));
    assert_ptr_equal(ptio_value_storage(item[9]), ptio_value_storage(item[10]));
    assert_ptr_equal(ptio_value_storage(item[9]), ptio_value_storage(item[4]));
    assert_int_equal(ptio_storage_index(ptio_value_storage(item[4])), 0);
    loaded_free(&l);
}

/* ---- objects ---- */

static void objects_keep_what_was_done_to_them(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( c:my:Plain ) NEW } 'x' 1 s b c:my:Slotted ) NEW N } 'y' 2 s 2t b c:my:Both ) NEW } 'x' 3 s } 'y' 4 s 2t b "
             "c:my:Odd 1 2 2t R 77 b c:my:Listed ) NEW ( 1 2 3 e c:my:Named ( 5 6 7 t NEW c:copy_reg:_reconstructor c:my:Old "
             "c:__builtin__:object N 3t R "
             "} 'o' 1 s b c:collections:deque ] ( 1 2 e 1t R c:torch.return_types:max 1 2 2t } 2t R x30 "
             "c:my:Twice ) NEW } 'a' 1 s b } 'a' 2 s b e");
    const ptio_value *plain = ptio_value_item(l.root, 0), *slotted = ptio_value_item(l.root, 1),
                     *both = ptio_value_item(l.root, 2), *odd = ptio_value_item(l.root, 3), *listed = ptio_value_item(l.root, 4),
                     *named = ptio_value_item(l.root, 5), *old = ptio_value_item(l.root, 6), *deque = ptio_value_item(l.root, 7),
                     *twice = ptio_value_item(l.root, 8);
    assert_int_equal(number_of(ptio_value_attribute(plain, "x")), 1);
    assert_null(ptio_value_slots(plain));
    assert_null(ptio_value_attributes(slotted));
    assert_int_equal(number_of(ptio_value_get(ptio_value_slots(slotted), "y")), 2);
    assert_int_equal(number_of(ptio_value_attribute(both, "x")), 3);
    assert_int_equal(number_of(ptio_value_get(ptio_value_slots(both), "y")), 4);
    assert_null(ptio_value_attributes(odd));
    assert_int_equal(ptio_node_state_count(odd), 1);
    assert_int_equal(number_of(ptio_node_state(odd, 0)), 77);
    assert_null(ptio_node_state(odd, 1));
    assert_int_equal(ptio_value_count(odd), 0);
    assert_int_equal(ptio_value_count(ptio_node_arguments(odd)), 2);
    assert_string_equal(ptio_node_opcode(odd), "REDUCE");
    assert_text(ptio_value_class(ptio_node_callable(odd)), "my.Odd");
    assert_int_equal(ptio_value_count(listed), 3);
    assert_int_equal(number_of(ptio_value_item(listed, 2)), 3);
    assert_int_equal(ptio_node_item_count(listed), 3);
    assert_string_equal(ptio_node_opcode(listed), "NEWOBJ");
    assert_int_equal(ptio_value_count(named), 3);
    assert_text(ptio_value_class(old), "my.Old");
    assert_int_equal(number_of(ptio_value_attribute(old, "o")), 1);
    assert_int_equal(ptio_value_count(deque), 2);
    assert_text(ptio_value_class(deque), "collections.deque");
    assert_int_equal(ptio_node_state_count(twice), 2);
    assert_int_equal(number_of(ptio_value_attribute(twice, "a")), 2);
    loaded_free(&l);
}

static void nodes_are_what_the_pickle_says(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( N 1 'x' ) } c:__builtin__:set " FLOATS
             "c:torch:Size ) 1t R c:my:K ) } 'k' 1 s x92 ( c:my:O 1 x6F ( 1 x696D790A490A e");
    static const ptio_node_kind kinds[] = {PTIO_NODE_NONE,    PTIO_NODE_SCALAR,  PTIO_NODE_TEXT,       PTIO_NODE_SEQUENCE,
                                           PTIO_NODE_MAPPING, PTIO_NODE_GLOBAL,  PTIO_NODE_PERSISTENT, PTIO_NODE_REDUCED,
                                           PTIO_NODE_REDUCED, PTIO_NODE_REDUCED, PTIO_NODE_REDUCED};
    static const char *const opcodes[] = {NULL, NULL, NULL, NULL, NULL, NULL, "BINPERSID", "REDUCE", "NEWOBJ_EX", "OBJ", "INST"};
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(ptio_node_view(ptio_value_item(l.root, i)), kinds[i]);
        if (opcodes[i])
            assert_string_equal(ptio_node_opcode(ptio_value_item(l.root, i)), opcodes[i]);
        else
            assert_null(ptio_node_opcode(ptio_value_item(l.root, i)));
    }
    assert_text(ptio_node_module(ptio_value_item(l.root, 5)), "__builtin__");
    assert_text(ptio_node_qualname(ptio_value_item(l.root, 5)), "set");
    assert_text(ptio_value_class(ptio_value_item(l.root, 5)), "builtins.set");
    assert_int_equal(ptio_value_count(ptio_node_arguments(ptio_value_item(l.root, 6))), 5);
    assert_non_null(ptio_value_get(ptio_node_keywords(ptio_value_item(l.root, 8)), "k"));
    assert_null(ptio_node_keywords(ptio_value_item(l.root, 9)));
    assert_text(ptio_value_class(ptio_value_item(l.root, 10)), "my.I");
    loaded_free(&l);
}

static void assert_items(const ptio_value *value, size_t expected)
{
    size_t count;
    const ptio_value *const *items = ptio_node_item_array(value, &count);
    assert_int_equal(count, expected);
    assert_int_equal(count, ptio_node_item_count(value));
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(items[i], ptio_node_item(value, i));
}

static void assert_entries(const ptio_value *value, size_t expected)
{
    size_t count;
    const ptio_value *const *entries = ptio_node_entry_array(value, &count);
    assert_int_equal(count, expected);
    assert_int_equal(count, ptio_node_entry_count(value));
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(entries[2 * i], ptio_node_entry_key(value, i));
        assert_ptr_equal(entries[2 * i + 1], ptio_node_entry_value(value, i));
    }
}

static void contents_are_arrays_too(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( ] ( 1 2 e ) 5 6 2t } } ( 1 2 1 3 u c:my:Listed ) NEW ( 1 2 3 e 'k' 4 s c:my:Plain ) NEW 'text' e");
    static const size_t items[] = {2, 0, 2, 0, 0, 3, 0, 0}, entries[] = {0, 0, 0, 0, 2, 1, 0, 0};
    assert_items(l.root, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_items(ptio_value_item(l.root, i), items[i]);
        assert_entries(ptio_value_item(l.root, i), entries[i]); /* equal keys are not merged */
    }
    loaded_free(&l);
}

static void what_is_met_once_is_known(void **state)
{
    (void)state;
    loaded l = {0};
    /* Memoized and never taken up again, of each kind. Then those that are: by a number of one byte, of four, in text, by DUP. Constants. */
    load(&l, "] p0 ( ] p1 } p2 1 2 2t p3 'abc' p4 c:my:Plain ) NEW p5 " TENSOR(
                 0, 4) "p6 ] p7 g7 'x' p8 x6A08000000 } p9 x67390A 4 5 2t x32 N 7 ) e");
    assert_true(ptio_node_is_single(l.root));
    for (size_t i = 0; i < ptio_value_count(l.root); i++)
        assert_int_equal(ptio_node_is_single(ptio_value_item(l.root, i)), i < 6);
    assert_int_equal(ptio_value_count(l.root), 17);
    /* The tensor's own parts, all but the class of its hooks, which TENSOR writes anew each time, too. */
    const ptio_value *arguments = ptio_node_arguments(ptio_value_item(l.root, 5));
    assert_true(ptio_node_is_single(arguments));
    assert_true(ptio_node_is_single(ptio_node_item(arguments, 0)));
    /* Kinds that other protocols have. */
    load(&l, "] ( s'a' b'b' x8F ( 1 x90 ( 1 x91 ( 1 2 x6C ( 1 2 x64 c:my:K ) } x92 ( c:my:O 1 x6F ( 1 x696D790A490A x56610A e");
    for (size_t i = 0; i < ptio_value_count(l.root); i++)
        assert_true(ptio_node_is_single(ptio_value_item(l.root, i)));
    assert_int_equal(ptio_value_count(l.root), 10);
    loaded_free(&l);
}

static void descriptions_are_brief_or_whole(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'a' " FLOATS "'b' 1 u");
    ptio_checkpoint_info whole, brief;
    ptio_checkpoint_describe(l.ckpt, &whole);
    ptio_checkpoint_describe_briefly(l.ckpt, &brief);
    assert_true(whole.alignment > 0);
    assert_int_equal(whole.opcodes, 16);
    assert_int_equal(brief.alignment + brief.opcodes, 0);
    assert_int_equal(brief.container, whole.container);
    assert_string_equal(brief.era, whole.era);
    assert_true(brief.root.size == whole.root.size && brief.format_version.size == whole.format_version.size);
    assert_true(brief.byte_order == whole.byte_order && brief.protocol == whole.protocol);
    assert_true(brief.source_bytes == whole.source_bytes && brief.pickle_bytes == whole.pickle_bytes);
    assert_true(brief.records == whole.records && brief.storages == whole.storages && brief.heap_bytes == whole.heap_bytes);
    loaded_free(&l);
}

static void classes_inside_classes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( c:__builtin__:getattr c:my:Outer 'Inner' 2t R p1 g1 ) NEW } 'x' 1 s b c:__builtin__:type N 1t R "
             "c:__builtin__:Ellipsis "
             "c:__builtin__:type c:__builtin__:Ellipsis 1t R c:__builtin__:type 7 1t R e");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 0)), PTIO_KIND_GLOBAL);
    assert_text(ptio_value_class(ptio_value_item(l.root, 0)), "my.Outer.Inner");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 1)), PTIO_KIND_OBJECT);
    assert_text(ptio_value_class(ptio_value_item(l.root, 1)), "my.Outer.Inner");
    assert_text(ptio_value_class(ptio_value_item(l.root, 2)), "builtins.NoneType");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 3)), PTIO_KIND_OBJECT);
    assert_text(ptio_value_class(ptio_value_item(l.root, 3)), "builtins.ellipsis");
    assert_text(ptio_value_class(ptio_value_item(l.root, 4)), "builtins.ellipsis");
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 5)), PTIO_KIND_OBJECT);
    loaded_free(&l);
}

static void state_dicts_have_metadata(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:collections:OrderedDict ) R 'w' " TENSOR(
                 0, 4) "s } '_metadata' c:collections:OrderedDict ) R '' } 'version' 1 s s s b");
    assert_int_equal(ptio_value_count(l.root), 1);
    const ptio_value *metadata = ptio_value_attribute(l.root, "_metadata");
    assert_int_equal(number_of(ptio_value_get(ptio_value_get(metadata, ""), "version")), 1);
    assert_null(ptio_value_attribute(l.root, "w"));
    assert_null(ptio_value_slots(l.root));
    loaded_free(&l);
}

/* ---- other values of torch ---- */

/* As torch.save writes a Tensor of a class with __slots__, and a Parameter: the last argument is the state, (attributes, slots). */
static void tensors_have_slots(void **state)
{
    (void)state;
    static const char both[] =
        "c:torch._tensor:_rebuild_from_type_v2 ( c:torch._utils:_rebuild_tensor_v2 c:__main__:Both ( " FLOATS
        "0 3 1t 1 1t False " HOOKS "t } 'note' 'kept' s } ( 'unit' 'm' 'inner' " TENSOR(4, 1) "u 2t t R ";
    static const char parameter[] =
        "c:torch._utils:_rebuild_parameter_with_state ( " TENSOR(0, 2) "True " HOOKS "N } 'tag' 't' s 2t t R ";
    loaded l = {0};
    load(&l, "} ( 'both' %s 'parameter' %s 'plain' " TENSOR(0, 1) "u", both, parameter);
    const ptio_value *value = ptio_value_get(l.root, "both");
    assert_text(ptio_value_class(value), "__main__.Both");
    assert_text(ptio_value_str(ptio_value_attribute(value, "note")), "kept");
    assert_int_equal(ptio_value_count(ptio_value_slots(value)), 2);
    assert_text(ptio_value_str(ptio_value_get(ptio_value_slots(value), "unit")), "m");
    assert_text(ptio_value_str(ptio_at(l.ckpt, "both.unit")), "m");
    assert_non_null(ptio_value_tensor(ptio_at(l.ckpt, "both.inner")));
    value = ptio_value_get(l.root, "parameter");
    assert_null(ptio_value_attributes(value));
    assert_text(ptio_value_str(ptio_value_get(ptio_value_slots(value), "tag")), "t");
    assert_null(ptio_value_slots(ptio_value_get(l.root, "plain")));
    loaded_free(&l);
    load(&l, "c:a:Dict ) NEW 'k' 1 s N } 'slot' 2 s 2t b");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_DICT);
    assert_int_equal(number_of(ptio_value_get(ptio_value_slots(l.root), "slot")), 2);
    loaded_free(&l);
}

static void torch_values_have_one_form(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "] ( c:torch:device 'cuda' N 2t R c:torch:Size ) R c:torch:Size ( 1 2 3 4 t 1t R c:torch._C:Generator ) R e");
    assert_text(ptio_value_name(ptio_value_item(l.root, 0)), "cuda");
    assert_int_equal(ptio_value_count(ptio_value_item(l.root, 1)), 0);
    assert_int_equal(ptio_value_count(ptio_value_item(l.root, 2)), 4);
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 3)), PTIO_KIND_OBJECT); /* it has no state */
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:device ) @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:device 7 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:device 'cuda' '1' 2t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments",
            "c:torch:device 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:Size 2 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:Size 2 'x' 2t 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch:Size True 1t 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch.serialization:_get_layout 'strided' 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch.serialization:_get_layout ) @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch._C:Generator ) @ R 1 N N 3t b");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:builtins:set 7 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:builtins:frozenset ] ] 2t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch.storage:_load_from_bytes 7 1t @ R");
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch.jit._pickle:build_intlist 7 1t @ R");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_getters),
        cmocka_unit_test(null_is_a_missing_value),
        cmocka_unit_test(ints_have_the_fewest_bytes),
        cmocka_unit_test(large_ints_round_to_floats),
        cmocka_unit_test(complex_numbers_are_one_or_two_numbers),
        cmocka_unit_test(python2_strings_are_text_where_they_decode),
        cmocka_unit_test(bytes_of_protocol_2),
        cmocka_unit_test(equal_keys_are_one),
        cmocka_unit_test(any_key_finds_its_value),
        cmocka_unit_test(keys_that_are_calls_are_one),
        cmocka_unit_test(equal_items_of_sets_are_one),
        cmocka_unit_test(calls_of_sets_nest_at_no_cost),
        cmocka_unit_test(calls_of_sets_have_a_budget),
        cmocka_unit_test(keys_hold_any_bytes),
        cmocka_unit_test(big_dicts_are_looked_up_at_once),
        cmocka_unit_test(dicts_of_other_classes),
        cmocka_unit_test(pairs_of_python2_are_keys_too),
        cmocka_unit_test(one_object_is_one_pointer),
        cmocka_unit_test(objects_keep_what_was_done_to_them),
        cmocka_unit_test(nodes_are_what_the_pickle_says),
        cmocka_unit_test(contents_are_arrays_too),
        cmocka_unit_test(what_is_met_once_is_known),
        cmocka_unit_test(descriptions_are_brief_or_whole),
        cmocka_unit_test(classes_inside_classes),
        cmocka_unit_test(state_dicts_have_metadata),
        cmocka_unit_test(tensors_have_slots),
        cmocka_unit_test(torch_values_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
