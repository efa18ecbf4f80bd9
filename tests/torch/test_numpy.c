/*
 * NumPy's values: dtypes of all kinds, arrays in both orders, of protocol 2 and 5, scalars; and arrays that are not what they say.
 */
#include "base/os.h"
#include "support/build.h"

#define DTYPE(code, order) "c:numpy:dtype '" code "' False True 3t R ( 3 '" order "' N N N -1 -1 0 t b "
#define ARRAY "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R "
#define FORM "numpy.form"

static ptio_ndarray_info array_of(const ptio_value *value)
{
    ptio_ndarray_info info = {0};
    if (!ptio_value_ndarray(value, &info))
        fail_msg("no array but %s", ptio_kind_name(ptio_value_kind(value)));
    return info;
}

static void assert_bytes(const ptio_value *value, const char *expected, size_t size)
{
    uint8_t room[64];
    assert_int_equal(array_of(value).nbytes, size);
    assert_int_equal(ptio_ndarray_copy(value, room, size, NULL), PTIO_OK);
    assert_memory_equal(room, expected, size);
    assert_int_equal(ptio_ndarray_copy(value, room, size + 1, NULL), PTIO_ERR_ARGUMENT);
}

/* A dtype of fields: names, fields, size, alignment and flags are `rest`. And that of an array in a field. */
#define STRUCT(code, rest) "c:numpy:dtype '" code "' False True 3t R ( 3 '|' N " rest " t b "
#define FIELD_ARRAY(code, dtype, shape) "c:numpy:dtype '" code "' False True 3t R ( 3 '|' " dtype shape " 2t N N 8 4 0 t b "

static void dtypes_are_called_as_numpy_calls_them(void **state)
{
    (void)state;
    static const struct {
        const char *words, *name;
    } rows[] = {
        {DTYPE("f8", "<"), "<f8"},
        {DTYPE("f8", ">"), ">f8"},
        {DTYPE("i4", "="), PTIO_HOST_BIG_ENDIAN ? ">i4" : "<i4"},
        {DTYPE("b1", "|"), "|b1"},
        {DTYPE("u1", "|"), "|u1"},
        {DTYPE("c16", "<"), "<c16"},
        {DTYPE("f2", "<"), "<f2"},
        {DTYPE("U2", "<"), "<U2"},
        {DTYPE("U2", ">"), ">U2"},
        {DTYPE("S5", "|"), "|S5"},
        {DTYPE("V12", "|"), "|V12"},
        {DTYPE("O8", "|"), "|O"},
        {DTYPE("f16", "<"), "<f16"},
        {"c:numpy:dtype 'f4' 0 1 3t R", "<f4"},
        {"c:numpy:dtype s'f4' 0 1 3t R ( 3 s'>' N N N -1 -1 0 t b", ">f4"},
        {"c:numpy:dtype 'M8' False True 3t R ( 4 '<' N N N -1 -1 0 N ( b'D' 1 1 1 t 2t t b", "<M8[D]"},
        {"c:numpy:dtype 'm8' False True 3t R ( 4 '<' N N N -1 -1 0 N ( b'us' 25 1 1 t 2t t b", "<m8[25us]"},
        {"c:numpy:dtype 'm8' False True 3t R ( 4 '>' N N N -1 -1 0 N ( c:_codecs:encode 'ns' 'latin1' 2t R 1 1 1 t 2t t b",
         ">m8[ns]"},
        {"c:numpy:dtype 'm8' False True 3t R ( 4 '<' N N N -1 -1 0 N ( b'generic' 1 1 1 t 2t t b", "<m8"},
        {"c:numpy:dtype 'V8' False True 3t R ( 3 '|' N ( 'a' 'b' t } ( 'a' " DTYPE("i4", "<") "p1 0 2t 'b' g1 4 2t u 8 1 16 t b",
         "[('a', '<i4'), ('b', '<i4')]"},
        {"c:numpy:dtype 'V12' False True 3t R ( 3 '|' N ( 'a' 'b' t } ( 'a' " DTYPE("i4",
                                                                                    "<") "p1 0 2t 'b' g1 8 2t u 12 1 16 t b",
         "{'names': ['a', 'b'], 'formats': ['<i4', '<i4'], 'offsets': [0, 8], 'itemsize': 12}"},
        {"c:numpy:dtype 'V8' False True 3t R ( 3 '|' N 'a\\q' 1t } 'a\\q' " DTYPE("f8", "<") "0 'title' 3t s 8 1 16 t b",
         "[(('title', \"a'\"), '<f8')]"},
        {STRUCT("V0", ") } 0 1 16"), "[]"},
        {STRUCT("V4", "'\xC3\xA9\\n' 1t } '\xC3\xA9\\n' " DTYPE("i4", "<") "0 2t s 4 1 16"), "[('\xC3\xA9\\\\n', '<i4')]"},
        {STRUCT("V12", "'a' 1t } 'a' " FIELD_ARRAY("V12", DTYPE("i4", "<"), "3 1t") "0 2t s 12 1 16"), "[('a', '<i4', (3,))]"},
        {STRUCT("V24", "'a' 1t } 'a' " FIELD_ARRAY("V24", DTYPE("i2", ">"), "( 3 4 t") "0 2t s 24 1 16"),
         "[('a', '>i2', (3, 4))]"},
        {STRUCT("V8", "( 'a' 'b' t } ( 'a' " DTYPE("u1", "|") "0 2t 'b' " DTYPE("i4", "<") "4 2t u 8 4 144"),
         "{'names': ['a', 'b'], 'formats': ['u1', '<i4'], 'offsets': [0, 4], 'itemsize': 8, 'aligned': True}"},
        {STRUCT("V8", "'n' 1t } 'n' " STRUCT("V8", "( 'a' 'b' t } ( 'a' " DTYPE("u1", "|") "0 2t 'b' " DTYPE(
                                                       "i4", "<") "4 2t u 8 4 144") "0 2t s 8 1 16"),
         "[('n', [('a', 'u1'), ('b', '<i4')])]"},
        {STRUCT("V8", "( 'a' 'b' t } ( 'a' " DTYPE("i4", "<") "0 'T' 3t 'b' " DTYPE("u1", "|") "4 2t u 8 1 16"),
         "{'names': ['a', 'b'], 'formats': ['<i4', 'u1'], 'offsets': [0, 4], 'titles': ['T', None], 'itemsize': 8}"},
        {STRUCT("V4", "( 'a' 'b' t } ( 'a' " DTYPE("V0", "|") "0 2t 'b' " DTYPE("O8", "|") "0 2t u 8 1 16"),
         "{'names': ['a', 'b'], 'formats': ['V', 'O'], 'offsets': [0, 0], 'itemsize': 4}"},
        {FIELD_ARRAY("V8", DTYPE("f4", "<"), "2 1t"), "('<f4', (2,))"},
        {FIELD_ARRAY("V8", DTYPE("f4", "<"), "2"), "('<f4', (2,))"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        load(&l, "%s", rows[i].words);
        assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_NPDTYPE);
        if (!text_is(ptio_value_name(l.root), rows[i].name))
            fail_msg("%.*s, not %s", (int)ptio_value_name(l.root).size, ptio_value_name(l.root).bytes, rows[i].name);
        loaded_free(&l);
    }
}

static void dtypes_are_none_but_numpys(void **state)
{
    (void)state;
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype '' False True 3t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'x8' False True 3t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'f-8' False True 3t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'f99999999999999999999' False True 3t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'f8' False True 3t @ R ( 3 '!' N N N -1 -1 0 t b");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'f8' False True 3t @ R 3 '<' 2t b");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t N 8 1 16 t b");
    /* beyond the end */
    refused(PTIO_ERR_FORMAT, FORM,
            "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t } 'a' " DTYPE("i4", "<") "5 2t s 8 1 16 t b");
    refused(
        PTIO_ERR_FORMAT, FORM,
        "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t } 'a' " DTYPE("i4", "<") "9223372036854775807 2t s 8 1 16 t b");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t } 8 1 16 t b");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t } 'a' 7 s 8 1 16 t b");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'V8' False True 3t @ R ( 3 '|' N 'a' 1t } 'a' 'i4' 0 2t s 8 1 16 t b");
    /* a dtype that is a field of itself */
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy:dtype 'V8' False True 3t @ R p1 ( 3 '|' N 'a' 1t } 'a' g1 0 2t s 8 1 16 t b");
    loaded l = {0};
    load(&l, "c:numpy:dtype 7 False True 3t R");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
}

/* numpy.recarray has a dtype of its own class, which says its size in the state alone. */
static void dtypes_of_records_have_a_class(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, DTYPE("i4", "<") "p1 c:numpy:dtype c:numpy:record False True 3t R ( 3 '|' N 'a' 1t } 'a' g1 0 2t s 4 1 16 t b");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_NPDTYPE);
    ptio_text name = ptio_value_name(l.root);
    assert_int_equal(name.size, strlen("(numpy.record, [('a', '<i4')])"));
    assert_memory_equal(name.bytes, "(numpy.record, [('a', '<i4')])", name.size);
    loaded_free(&l);
}

/* Fields inside fields: without recursion over the file, and with names that end. */
static void structured_dtypes_nest(void **state)
{
    (void)state;
    loaded l = {0};
    pickle(&l.pickle, "proto2 " DTYPE("i4", "<") "p1 x30 ");
    for (int i = 0; i < 20; i++)
        pickle(&l.pickle, "c:numpy:dtype 'V4' False True 3t R ( 3 '|' N 'a' 1t } 'a' g1 0 2t s 4 1 16 t b p1 x30 ");
    pickle(&l.pickle, "g1 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_value_name(l.root).size, 5 + 20 * 9);
    loaded_free(&l);
    pickle(&l.pickle, "proto2 " DTYPE("i4", "<") "p1 x30 ");
    for (int i = 0; i < 100000; i++)
        pickle(&l.pickle, "c:numpy:dtype 'V4' False True 3t R ( 3 '|' N 'a' 1t } 'a' g1 0 2t s 4 1 16 t b p1 x30 ");
    pickle(&l.pickle, "g1 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_LIMIT);
    assert_string_equal(l.err.reason, "limit.heap");
    loaded_free(&l);
}

static void arrays_have_shape_and_bytes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, ARRAY "( 1 2 3 2t " DTYPE("i2", "<") "False b'\\x01\\x00\\x02\\x00\\x03\\x00\\x04\\x00\\x05\\x00\\x06\\x00' t b");
    ptio_ndarray_info info = array_of(l.root);
    assert_int_equal(info.ndim, 2);
    assert_int_equal(info.shape[0], 2);
    assert_int_equal(info.shape[1], 3);
    assert_text(info.dtype, "<i2");
    assert_int_equal(info.itemsize, 2);
    assert_false(info.is_object);
    assert_bytes(l.root, "\1\0\2\0\3\0\4\0\5\0\6\0", 12);
    int64_t all[6];
    const ptio_tensor *t = ptio_value_tensor(l.root);
    assert_int_equal(ptio_tensor_dtype(t), PTIO_INT16);
    assert_int_equal(ptio_tensor_copy(t, PTIO_INT64, all, sizeof all, NULL), PTIO_OK);
    assert_int_equal(all[5], 6);
    assert_null(ptio_value_attributes(l.root));
    /* Fortran order: the file has columns */
    load(&l, ARRAY "( 1 2 3 2t " DTYPE("i2", "<") "True b'\\x01\\x00\\x02\\x00\\x03\\x00\\x04\\x00\\x05\\x00\\x06\\x00' t b");
    assert_bytes(l.root, "\1\0\3\0\5\0\2\0\4\0\6\0", 12);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(l.root), PTIO_INT64, all, sizeof all, NULL), PTIO_OK);
    assert_int_equal(all[1], 3);
    assert_int_equal(ptio_tensor_stride(ptio_value_tensor(l.root))[0], 1);
    /* no dimensions, no elements */
    load(&l, ARRAY "( 1 ) " DTYPE("u1", "|") "False b'\\x09' t b");
    assert_bytes(l.root, "\x09", 1);
    load(&l, ARRAY "( 1 0 3 2t " DTYPE("f4", "<") "False b'' t b");
    assert_int_equal(array_of(l.root).nbytes, 0);
    assert_int_equal(ptio_tensor_numel(ptio_value_tensor(l.root)), 0);
    /* bytes as protocol 2 has them */
    load(&l, ARRAY "( 1 2 1t " DTYPE("u1", "|") "False c:_codecs:encode '\\xc3\\xbf\\x01' 'latin1' 2t R t b");
    assert_bytes(l.root, "\xff\1", 2);
    /* NumPy 2, and the names of Python 2 */
    load(&l, "c:numpy._core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R ( 1 1 1t " DTYPE("u1", "|") "False s'z' t b");
    assert_bytes(l.root, "z", 1);
    load(&l, ARRAY);
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
}

static void arrays_come_in_little_endian(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, ARRAY "( 1 2 1t " DTYPE("f4", ">") "False b'\\x3f\\x80\\x00\\x00\\x40\\x00\\x00\\x00' t b");
    assert_text(ptio_value_name(l.root), "<f4");
    float pair[2];
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(l.root), PTIO_FLOAT32, pair, sizeof pair, NULL), PTIO_OK);
    assert_true(pair[0] == 1 && pair[1] == 2);
    load(&l, ARRAY "( 1 1 1t " DTYPE("c8", ">") "False b'\\x3f\\x80\\x00\\x00\\x40\\x00\\x00\\x00' t b");
    assert_bytes(l.root, "\0\0\x80\x3f\0\0\0\x40", 8);
    load(&l, ARRAY "( 1 1 1t " DTYPE("U2", ">") "False b'\\x00\\x00\\x00a\\x00\\x00\\x00b' t b");
    assert_bytes(l.root, "a\0\0\0b\0\0\0", 8);
    assert_null(ptio_value_tensor(l.root));
    load(&l, ARRAY "( 1 1 1t c:numpy:dtype 'M8' False True 3t R ( 4 '>' N N N -1 -1 0 N ( b'D' 1 1 1 t 2t t b "
                   "False b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x05' t b");
    assert_text(ptio_value_name(l.root), "<M8[D]");
    assert_bytes(l.root, "\5\0\0\0\0\0\0\0", 8);
    loaded_free(&l);
}

static void arrays_of_objects_have_items(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, ARRAY "p1 ( 1 3 1t " DTYPE("O8", "|") "False ] ( N 'x' g1 e t b");
    assert_true(array_of(l.root).is_object);
    assert_int_equal(ptio_value_count(l.root), 3);
    assert_text(ptio_value_str(ptio_value_item(l.root, 1)), "x");
    assert_ptr_equal(ptio_value_item(l.root, 2), l.root);
    assert_null(ptio_value_tensor(l.root));
    assert_int_equal(ptio_ndarray_copy(l.root, NULL, 0, NULL), PTIO_ERR_ARGUMENT);
    loaded_free(&l);
    refused(
        PTIO_ERR_FORMAT, FORM,
        "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t @ R ( 1 3 1t " DTYPE("O8", "|") "False ] ( N N e t b");
    refused(PTIO_ERR_FORMAT, FORM,
            "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t @ R ( 1 1 1t " DTYPE("O8",
                                                                                                    "|") "False b'12345678' t b");
}

static void arrays_are_as_large_as_their_shape(void **state)
{
    (void)state;
#define BAD "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t @ R "
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 1t " DTYPE("i2", "<") "False b'12345' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 1t " DTYPE("i2", "<") "False b'1234567' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 -1 1t " DTYPE("i2", "<") "False b'' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 0 -1 2t " DTYPE("i2", "<") "False b'' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 4611686018427387904 4 2t " DTYPE("i2", "<") "False b'' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 9223372036854775807 1t " DTYPE("i2", "<") "False b'' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 0 4611686018427387904 1099511627776 3t " DTYPE("i2", "<") "False b'' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 " DTYPE("i2", "<") "False b'123456' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 True 1t " DTYPE("u1", "|") "False b'1' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 1t N False b'123456' t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 1t " DTYPE("i2", "<") "False 7 t b");
    refused(PTIO_ERR_FORMAT, FORM, BAD "( 1 3 1t " DTYPE("i2", "<") "False ] ( 1 2 3 e t b");
#define ONES_16 "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "
    refused(PTIO_ERR_FORMAT, FORM,
            BAD "( 1 ( " ONES_16 ONES_16 ONES_16 ONES_16
                "1 t " DTYPE("u1", "|") "False b'x' t b"); /* NumPy takes 64 dimensions */
#undef ONES_16
#undef BAD
    /* Elements of no bytes: as many as there may be, and no work for them. */
    loaded l = {0};
    load(&l, ARRAY "( 1 1099511627776 1048576 2t " DTYPE("S0", "|") "True b'' t b");
    assert_int_equal(array_of(l.root).nbytes, 0);
    assert_int_equal(ptio_ndarray_copy(l.root, NULL, 0, NULL), PTIO_OK);
    loaded_free(&l);
}

static void arrays_of_protocol_5(void **state)
{
    (void)state;
    loaded l = {0};
#define BUFFER "c:numpy._core.numeric:_frombuffer ( "
    load(&l, BUFFER "b'\\x01\\x02\\x03\\x04\\x05\\x06' " DTYPE("u1", "|") "2 3 2t 'F' t R");
    assert_bytes(l.root, "\1\3\5\2\4\6", 6);
    load(&l, "c:numpy.core.numeric:_frombuffer ( x96020000000000000001FF " DTYPE("u1", "|") "2 1t 'C' t R");
    assert_bytes(l.root, "\1\xff", 2);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, FORM, BUFFER "b'12' " DTYPE("u1", "|") "3 1t 'C' t @ R");
    refused(PTIO_ERR_FORMAT, FORM, BUFFER "b'12' " DTYPE("u1", "|") "2 1t t @ R");
    refused(PTIO_ERR_FORMAT, FORM, BUFFER "7 " DTYPE("u1", "|") "2 1t 'C' t @ R");
    refused(PTIO_ERR_FORMAT, FORM, BUFFER "b'12' 'u1' 2 1t 'C' t @ R");
    refused(PTIO_ERR_FORMAT, FORM, BUFFER "b'12' " DTYPE("u1", "|") "2 'C' t @ R");
#undef BUFFER
}

static void structured_arrays_have_no_tensor(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, ARRAY "( 1 2 1t c:numpy:dtype 'V3' False True 3t R ( 3 '|' N ( 'a' 'b' t } ( 'a' " DTYPE(
                 "i2", ">") "0 2t 'b' " DTYPE("u1", "|") "2 2t u 3 1 16 t b False b'123456' t b");
    assert_null(ptio_value_tensor(l.root));
    assert_text(ptio_value_name(l.root), "[('a', '>i2'), ('b', 'u1')]");
    assert_bytes(l.root, "123456", 6);
    loaded_free(&l);
}

static void masked_arrays_are_arrays(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:numpy.ma.core:_mareconstruct ( c:numpy.ma.core:MaskedArray c:numpy:ndarray 0 1t 'b' t R ( 1 2 1t " DTYPE(
                 "u1", "|") "False b'12' b'\\x00\\x01' N t b");
    assert_bytes(l.root, "12", 2);
    loaded_free(&l);
}

static void scalars_have_bytes(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:numpy.core.multiarray:scalar " DTYPE("f8", "<") "b'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0\\x3f' 2t R");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_NPSCALAR);
    assert_int_equal(ptio_value_bytes(l.root).size, 8);
    assert_int_equal(((const uint8_t *)ptio_value_bytes(l.root).bytes)[7], 0x3f);
    assert_text(ptio_value_name(l.root), "<f8");
    load(&l, "c:numpy._core.multiarray:scalar " DTYPE("O8", "|") "7 2t R");
    assert_int_equal(ptio_value_kind(l.root), PTIO_KIND_OBJECT);
    loaded_free(&l);
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy.core.multiarray:scalar " DTYPE("f8", "<") "b'1234567' 2t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy.core.multiarray:scalar " DTYPE("f8", "<") "1t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy.core.multiarray:scalar " DTYPE("f8", "<") "7 2t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy.core.multiarray:scalar 'f8' b'12345678' 2t @ R");
    refused(PTIO_ERR_FORMAT, FORM, "c:numpy.core.multiarray:scalar ) @ R");
}

/* Arrays whose states hold arrays, each needed for the one around it: found without recursion over the file. */
static void dtypes_wait_for_dtypes_only_so_deep(void **state)
{
    (void)state;
    loaded l = {0};
    pickle(&l.pickle, "proto2 ");
    for (int i = 0; i < 100000; i++)
        pickle(&l.pickle, ARRAY "( 1 1 1t ");
    pickle(&l.pickle, "N ");
    for (int i = 0; i < 100000; i++)
        pickle(&l.pickle, "False b'1' t b ");
    pickle(&l.pickle, ".");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_not_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    loaded_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_are_called_as_numpy_calls_them),
        cmocka_unit_test(dtypes_are_none_but_numpys),
        cmocka_unit_test(dtypes_of_records_have_a_class),
        cmocka_unit_test(structured_dtypes_nest),
        cmocka_unit_test(arrays_have_shape_and_bytes),
        cmocka_unit_test(arrays_come_in_little_endian),
        cmocka_unit_test(arrays_of_objects_have_items),
        cmocka_unit_test(arrays_are_as_large_as_their_shape),
        cmocka_unit_test(arrays_of_protocol_5),
        cmocka_unit_test(structured_arrays_have_no_tensor),
        cmocka_unit_test(masked_arrays_are_arrays),
        cmocka_unit_test(scalars_have_bytes),
        cmocka_unit_test(dtypes_wait_for_dtypes_only_so_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
