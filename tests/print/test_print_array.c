/*
 * NumPy's arrays of records and of objects, masked arrays and arrays of other classes, among other values.
 */
#include "print/collect.h"
#include "support/build.h"

static const char *text_of(const char *words, const ptio_print_options *options)
{
    static collected c;
    loaded l = {0};
    ptio_error err = {0};
    c.size = 0;
    c.text[0] = '\0';
    load(&l, "%s", words);
    if (ptio_print(ptio_root(l.ckpt), options, collect, &c, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    loaded_free(&l);
    return c.text;
}

/* The repr() and the print() of a pickle. */
static void shows(const char *words, const char *repr, const char *bare)
{
    ptio_print_options options = {.struct_size = sizeof options, .bare = true};
    assert_string_equal(text_of(words, NULL), repr);
    assert_string_equal(text_of(words, &options), bare);
}

#define DTYPE(code) "c:numpy:dtype '" code "' False True 3t R ( 3 '|' N N N -1 -1 0 t b "
#define ARRAY(class) "c:numpy.core.multiarray:_reconstruct c:" class " 0 1t b'b' 3t R "
#define FIELDS(class, size, names, fields, bytes) \
    "c:numpy:dtype " class " False True 3t R ( 3 '|' N ( " names "t } ( " fields "u " bytes " 1 16 t b "
#define PAIR(class) FIELDS(class, 2, "'a' 'b' ", "'a' " DTYPE("i1") "0 2t 'b' " DTYPE("b1") "1 2t ", "2")

static void records(void **state)
{
    (void)state;
    shows(ARRAY("numpy:ndarray") "( 1 2 1t " PAIR("'V2'") "False b'\\x01\\x01\\xf6\\x00' t b",
          "array([(  1,  True), (-10, False)], dtype=[('a', 'i1'), ('b', '?')])", "[(  1,  True) (-10, False)]");
    shows(ARRAY("numpy:ndarray") "( 1 ) " PAIR("'V2'") "False b'\\x01\\x01' t b",
          "array((1, True), dtype=[('a', 'i1'), ('b', '?')])", "(1, True)");
    shows(ARRAY("numpy:recarray") "( 1 1 1t " PAIR("c:numpy:record") "False b'\\x01\\x00' t b",
          "rec.array([(1, False)],\n          dtype=[('a', 'i1'), ('b', '?')])", "[(1, False)]");
    shows(ARRAY("numpy:ndarray") "( 1 1 1t " FIELDS(
              "'V4'", 4, "'v' ",
              "'v' c:numpy:dtype 'V4' False True 3t R ( 3 '|' " DTYPE("i1") "2 2 2t "
                                                                            "2t N N 4 1 0 t b 0 2t ",
              "4") "False b'\\x01\\x02\\x03\\x09' t b",
          "array([([[1, 2], [3, 9]],)], dtype=[('v', 'i1', (2, 2))])", "[([[1, 2], [3, 9]],)]");
    shows("c:numpy.core.multiarray:scalar " PAIR("'V2'") "b'\\x01\\x01' 2t R",
          "np.void((1, True), dtype=[('a', 'i1'), ('b', '?')])", "(1, True)");
    shows("c:numpy.core.multiarray:scalar c:numpy:dtype 'V2' False True 3t R ( 3 '|' N N N 2 1 0 t b b'a\\xff' 2t R",
          "np.void(b'\\x61\\xFF')", "b'\\x61\\xFF'");
}

static void objects(void **state)
{
    (void)state;
    shows(ARRAY("numpy:ndarray") "( 1 2 2 2t " DTYPE("O8") "False ] ( 1 'a' N ] ( 2 e e t b",
          "array([[1, 'a'],\n       [None, list([2])]], dtype=object)", "[[1 'a']\n [None list([2])]]");
    shows(ARRAY("numpy:ndarray") "( 1 ) " DTYPE("O8") "False ] ( 'a' e t b", "array('a', dtype=object)", "a");
    shows(ARRAY("numpy:ndarray") "( 1 0 1t " DTYPE("O8") "False ] t b", "array([], dtype=object)", "[]");
    shows(ARRAY("numpy:ndarray") "p1 ( 1 1 1t " DTYPE("O8") "False ] ( g1 e t b",
          "array([array(..., dtype=object)], dtype=object)", "[array(..., dtype=object)]");
    ptio_print_options options = {.struct_size = sizeof options, .max_items = 2};
    assert_string_equal(text_of(ARRAY("numpy:ndarray") "( 1 3 1t " DTYPE("O8") "False ] ( 1 2 3 e t b", &options),
                        "array([1, 2, ...], shape=(3,), dtype=object)");
}

static void other_classes(void **state)
{
    (void)state;
    shows(ARRAY("numpy:matrix") "( 1 1 2 2t " DTYPE("i1") "False b'\\x01\\x02' t b", "matrix([[1, 2]], dtype=int8)", "[[1 2]]");
    shows("c:numpy.ma.core:MaskedConstant ) R", "masked", "--");
}

#define MASKED "c:numpy.ma.core:_mareconstruct ( c:numpy.ma:MaskedArray c:numpy:ndarray 0 1t 'b' t R "

static void masked(void **state)
{
    (void)state;
    shows(MASKED "( 1 3 1t " DTYPE("i1") "False b'\\x01\\x02\\x03' b'\\x00\\x01\\x00' N t b",
          "masked_array(data=[1, --, 3],\n             mask=[False,  True, False],\n       fill_value=np.int64(999999),\n"
          "            dtype=int8)",
          "[1 -- 3]");
    shows(MASKED "( 1 2 1 2t " DTYPE("b1") "False b'\\x00\\x01' b'\\x00\\x01' N t b",
          "masked_array(\n  data=[[False],\n        [--]],\n  mask=[[False],\n        [ True]],\n  fill_value=True)",
          "[[False]\n [--]]");
    /* What needs code of NumPy is not taken for it. */
    shows(MASKED "( 1 1 1t " DTYPE("O8") "False ] ( 5 e b'\\x00' N t b",
          "<ptio object numpy.ma.MaskedArray args=(<class 'numpy.ma.MaskedArray'>, <class 'numpy.ndarray'>, (0,), 'b') state=(1, "
          "(1,), "
          "dtype('O'), False, [5], b'\\x00', None)>",
          "<ptio object numpy.ma.MaskedArray args=(<class 'numpy.ma.MaskedArray'>, <class 'numpy.ndarray'>, (0,), 'b') state=(1, "
          "(1,), "
          "dtype('O'), False, [5], b'\\x00', None)>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(objects),
        cmocka_unit_test(other_classes),
        cmocka_unit_test(masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
