/*
 * How values are written that are not what they were loaded as: the pickle of words goes in, the one of other words must come out.
 * Each case is what PyTorch 2.13 makes of it, which tests/oracle/save.py asks of PyTorch itself.
 */
#include "support/build.h"

#include "torch/reduce.h"

#define DTYPE(code, order) "c:numpy:dtype '" code "' False True 3t R ( 3 '" order "' N N N -1 -1 0 t b "

static void save(const ptio_value *root, unsigned protocol, bool runs, ptio_heap *heap, ptio_pickled *out)
{
    ptio_reducer reducer;
    ptio_error err = {0};
    ptio_reducer_init(&reducer, heap, protocol);
    const ptio_pickler_options options = {.protocol = protocol,
                                          .identify = ptio_reduce_identify,
                                          .reduce = ptio_reduce,
                                          .ctx = &reducer,
                                          .tensor = runs ? ptio_reduce_tensor_run : NULL};
    if (ptio_pickle(root, &options, heap, out, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    ptio_reducer_free(&reducer);
}

/* That the value of these words is written by a protocol as those words. */
static void becomes(unsigned protocol, const char *words, const char *expected)
{
    loaded l = {0};
    bytes wanted = {0};
    ptio_heap heap;
    ptio_pickled made = {0};
    ptio_heap_init(&heap, NULL, 0);
    load(&l, "%s", words);
    save(l.root, protocol, true, &heap, &made);
    if (protocol >= 2)
        pickle(&wanted, "x80%02X ", protocol);
    pickle(&wanted, "%s .", expected);
    if (made.size != wanted.size || memcmp(made.bytes, wanted.data, made.size) != 0) {
        for (size_t i = 0; i < made.size; i++)
            print_message("%02X", made.bytes[i]);
        fail_msg("\n%s is not written as %s", words, expected);
    }
    ptio_pickled_free(&made, &heap);
    bytes_free(&wanted);
    loaded_free(&l);
}

static void texts_of_one_letter_are_one(void **state)
{
    (void)state;
    becomes(2, "] ( 'a' 'a' '' '' 'ab' 'ab' e", "] p0 ( 'a' p1 g1 '' p2 g2 'ab' p3 'ab' p4 e");
    becomes(2, "] ( '\\xC3\\xBF' '\\xC3\\xBF' '\\xC4\\x80' '\\xC4\\x80' e",
            "] p0 ( '\\xC3\\xBF' p1 g1 '\\xC4\\x80' p2 '\\xC4\\x80' p3 e");
}

/* A codec makes the one object of a byte; bytes that stood in the pickle are their own, but for those of none. */
static void bytes_of_one_byte_are_one_where_a_codec_made_them(void **state)
{
    (void)state;
    becomes(3, "] ( c:_codecs:encode 'a' 'latin1' 2t R c:_codecs:encode 'a' 'latin1' 2t R e", "] p0 ( b'a' p1 g1 e");
    becomes(3, "] ( b'a' b'a' b'' b'' e", "] p0 ( b'a' p1 b'a' p2 b'' p3 g3 e");
    becomes(2, "b'a'", "c:_codecs:encode p0 'a' p1 'latin1' p2 2t p3 R p4");
    becomes(2, "b''", "c:__builtin__:bytes p0 ) R p1");
}

static void old_forms_of_python(void **state)
{
    (void)state;
    becomes(2, "c:fractions:Fraction '-3/7' 1t R", "c:fractions:Fraction p0 -3 7 2t p1 R p2");
    becomes(2, "c:fractions:Fraction '3' 1t R", "c:fractions:Fraction p0 3 1 2t p1 R p2");
    becomes(2, "c:fractions:Fraction '18446744073709551616/3' 1t R",
            "c:fractions:Fraction p0 x8A09000000000000000001 3 2t p1 R p2");
    becomes(2, "c:fractions:Fraction '3/' 1t R", "c:fractions:Fraction p0 '3/' p1 1t p2 R p3");
    becomes(2, "c:collections:deque ] ( 1 2 e 5 2t R", "c:collections:deque p0 ) 5 2t p1 R p2 ( 1 2 e");
    becomes(2, "c:collections:deque ] ( 1 2 e 1t R", "c:collections:deque p0 ) R p1 ( 1 2 e");
    becomes(2, "c:re:_compile 'ab' 2 2t R", "c:re:_compile p0 'ab' p1 34 2t p2 R p3");
    becomes(3, "c:re:_compile b'ab' 2 2t R", "c:re:_compile p0 b'ab' p1 2 2t p2 R p3");
    becomes(2, "c:torch.nn.utils.rnn:PackedSequence 1 2 2t NEW", "c:torch.nn.utils.rnn:PackedSequence p0 ( 1 2 N N t p1 NEW p2");
    /* (i__main__\nOld\n: an instance of a class of Python 2 that has no base */
    becomes(2, "x28695F5F6D61696E5F5F0A4F6C640A } s'ab' 1 s b", "c:__main__:Old p0 ) NEW p1 } p2 'ab' p3 1 s b");
}

static void objects_have_no_empty_state(void **state)
{
    (void)state;
    becomes(2, "c:__main__:Point ) NEW } b", "c:__main__:Point p0 ) NEW p1");
    becomes(2, "c:types:SimpleNamespace ) R } b", "c:types:SimpleNamespace p0 ) R p1 } p2 b");
}

static void names_of_attributes_are_one(void **state)
{
    (void)state;
    becomes(2, "c:__main__:P ) NEW } 'xy' c:__main__:P ) NEW } 'xy' 1 s b s b",
            "c:__main__:P p0 ) NEW p1 } p2 'xy' p3 g0 ) NEW p4 } p5 g3 1 s b s b");
}

static void what_newobj_makes_below_protocol_2(void **state)
{
    (void)state;
    becomes(1, "c:__main__:P ) NEW", "c:copy_reg:_reconstructor p0 ( c:__main__:P p1 c:__builtin__:object p2 N t p3 R p4");
    becomes(1, "c:__main__:P 1 2 2t NEW", "c:copy_reg:__newobj__ p0 ( c:__main__:P p1 1 2 t p2 R p3");
    becomes(1, "c:__main__:L ) NEW ( 1 2 e",
            "c:copy_reg:_reconstructor p0 ( c:__main__:L p1 c:__builtin__:list p2 ] p3 ( 1 2 e t p4 R p5");
}

/* A class inside classes is a chain of getattr below protocol 4: one object, however long. */
static void classes_inside_classes(void **state)
{
    (void)state;
    becomes(2, "] ( c:__builtin__:getattr p9 g9 c:m:A p8 'B' 2t R 'C' 2t R g9 g9 g8 'B' 2t R 'C' 2t R e",
            "] p0 ( c:__builtin__:getattr p1 g1 c:m:A p2 'B' p3 2t p4 R p5 'C' p6 2t p7 R p8 g8 e");
    becomes(4, "c:__builtin__:getattr p9 g9 c:m:A 'B' 2t R 'C' 2t R", "x950F00000000000000 x8C016D94 x8C05412E422E4394 x9394");
}

static void names_of_protocol_4(void **state)
{
    (void)state;
    /* A class of C code has another string for its name than for the module of the same name. */
    becomes(4, "c:datetime:datetime", "x951900000000000000 x8C086461746574696D6594 x8C086461746574696D6594 x9394");
    /* One of Python code has one string. */
    becomes(4, "c:abcd:abcd", "x950C00000000000000 x8C046162636494 x6800 x9394");
}

static void scalars_of_numpy_share_a_dtype(void **state)
{
    (void)state;
    becomes(3,
            "] ( c:numpy.core.multiarray:scalar " DTYPE("f4", "<") "b'abcd' 2t R c:numpy.core.multiarray:scalar " DTYPE(
                "f4", ">") "b'dcba' 2t R e",
            "] p0 ( c:numpy._core.multiarray:scalar p1 c:numpy:dtype p2 'f4' p3 False True 3t p4 R p5 ( 3 '<' p6 N N N -1 -1 0 t "
            "p7 b "
            "b'abcd' p8 2t p9 R p10 g1 g5 b'abcd' p11 2t p12 R p13 e");
    /* True_ is one object */
    becomes(3,
            "] ( c:numpy.core.multiarray:scalar " DTYPE("b1",
                                                        "|") "p0 b'\\x01' 2t R c:numpy.core.multiarray:scalar g0 b'\\x01' 2t R e",
            "] p0 ( c:numpy._core.multiarray:scalar p1 c:numpy:dtype p2 'b1' p3 False True 3t p4 R p5 ( 3 '|' p6 N N N -1 -1 0 t "
            "p7 b "
            "b'\\x01' p8 2t p9 R p10 g10 e");
}

static void arrays_of_numpy(void **state)
{
    (void)state;
    /* The other byte order becomes the machine's where unpickling does that. */
    becomes(3,
            "c:numpy.core.multiarray:_reconstruct c:numpy:ndarray 0 1t b'b' 3t R ( 1 2 1t " DTYPE("i2", ">") "False b'abcd' t b",
            "c:numpy._core.multiarray:_reconstruct p0 c:numpy:ndarray p1 0 1t p2 b'b' p3 3t p4 R p5 ( 1 2 1t p6 c:numpy:dtype p7 "
            "'i2' p8 "
            "False True 3t p9 R p10 ( 3 '<' p11 N N N -1 -1 0 t p12 b False b'badc' p13 t p14 b");
    /* An array that is contiguous both ways is not Fortran's. */
    becomes(3, "c:numpy._core.numeric:_frombuffer ( b'ab' " DTYPE("u1", "|") "2 1t 'F' t R",
            "c:numpy._core.multiarray:_reconstruct p0 c:numpy:ndarray p1 0 1t p2 b'b' p3 3t p4 R p5 ( 1 2 1t p6 c:numpy:dtype p7 "
            "'u1' p8 "
            "False True 3t p9 R p10 ( 3 '|' p11 N N N -1 -1 0 t p12 b False b'ab' p13 t p14 b");
}

/* Tensors are written without nodes as they are with them. */
static void tensors_need_no_nodes(void **state)
{
    (void)state;
    static const int64_t shape[] = {1, 2, 1, 300, 1}, stride[] = {0, 300, 70000, 1, 7};
    static const char *const locations[] = {"cpu", "cuda:0", "mps"};
    ptio_builder *b;
    ptio_heap heap;
    ptio_error err = {0};
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    ptio_value *list = ptio_new_list(b);
    for (size_t i = 0; i < 200; i++) {
        const ptio_storage *storage = ptio_new_storage(b, i % 7 ? PTIO_FLOAT32 : PTIO_INT8, NULL, 400000, locations[i / 5 % 3]);
        for (size_t k = 0; k <= i % 3; k++) {
            size_t ndim = (i + k) % 6;
            const ptio_value *x = ptio_new_view(b, storage, i % 7 ? PTIO_FLOAT32 : PTIO_INT8, ndim, shape, stride,
                                                (int64_t)(i * k * 97), i % 7 && i % 2);
            assert_true(ptio_append(b, list, x));
            assert_true(i % 11 || ptio_append(b, list, x)); /* once more */
        }
    }
    assert_int_equal(ptio_builder_status(b, &err), PTIO_OK);
    ptio_heap_init(&heap, NULL, 0);
    for (unsigned protocol = 1; protocol <= 5; protocol++) {
        ptio_pickled with = {0}, without = {0};
        save(list, protocol, true, &heap, &without);
        save(list, protocol, false, &heap, &with);
        assert_true(with.size > 20000);
        assert_int_equal(with.size, without.size);
        assert_memory_equal(with.bytes, without.bytes, with.size);
        ptio_pickled_free(&with, &heap);
        ptio_pickled_free(&without, &heap);
    }
    ptio_builder_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_need_no_nodes),
        cmocka_unit_test(texts_of_one_letter_are_one),
        cmocka_unit_test(bytes_of_one_byte_are_one_where_a_codec_made_them),
        cmocka_unit_test(old_forms_of_python),
        cmocka_unit_test(objects_have_no_empty_state),
        cmocka_unit_test(names_of_attributes_are_one),
        cmocka_unit_test(what_newobj_makes_below_protocol_2),
        cmocka_unit_test(classes_inside_classes),
        cmocka_unit_test(names_of_protocol_4),
        cmocka_unit_test(scalars_of_numpy_share_a_dtype),
        cmocka_unit_test(arrays_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
