/*
 * The pickler: what it writes is what CPython's C pickler writes. Each pickle here was made by it; run and written again as found,
 * it must come back byte for byte.
 */
#include "pickle/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle/pickler.h"

static ptio_pickler_options as_found(const ptio_graph *graph)
{
    return (ptio_pickler_options){.protocol = ptio_graph_protocol(graph), .as_found = true, .python2 = graph->dialect.python2};
}

static void assert_same(const void *bytes, size_t size)
{
    run r = {0};
    run_begin(&r, bytes, size);
    assert_int_equal(r.status, PTIO_OK);
    ptio_pickler_options options = as_found(&r.graph);
    ptio_pickled out = {0};
    assert_int_equal(ptio_pickle(r.graph.root, &options, &r.heap, &out, &r.err), PTIO_OK);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.bytes, bytes, size);
    ptio_pickled_free(&out, &r.heap);
    run_end(&r);
}

#define SAME(literal) assert_same((literal), sizeof(literal) - 1)

static void atoms_in_every_protocol(void **state)
{
    (void)state;
    SAME("(lp0\nNaI01\naI00\naI5\naI-1\naL2147483648L\naL-170141183460469231731687303715884105728L\naF1.5\naF1e+100\na.");
    SAME("V\\u005c\\u000a\\u000d\\u0000\\u20ac\\U0001f600\xE9 x\np0\n.");
    SAME("]q\x00(NI01\nI00\nK\x05J\xFF\xFF\xFF\xFFM\x00\x01L2147483648L\nG?\xF8\x00\x00\x00\x00\x00\x00)(K\x01tq\x01"
         "e.");
    SAME("\x80\x02]q\x00(N\x88\x89K\xFFM\x00\x01M\xFF\xFFJ\x00\x00\x01\x00J\xFF\xFF\xFF\xFF\x8A\x05\x00\x00\x00\x80\x00"
         "\x8A\x05\xFF\xFF\xFF\x7F\xFF"
         "G\x7F\xF0\x00\x00\x00\x00\x00\x00)X\x00\x00\x00\x00q\x01"
         "e.");
    SAME("\x80\x03"
         "C\x02"
         "abq\x00.");
    SAME("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8C\x01"
         "a\x94.");
    SAME("\x80\x05\x95\x0C\x00\x00\x00\x00\x00\x00\x00\x96\x01\x00\x00\x00\x00\x00\x00\x00"
         "a\x94.");
}

static void containers(void **state)
{
    (void)state;
    SAME("\x80\x02}q\x00X\x01\x00\x00\x00"
         "aq\x01]q\x02(K\x01X\x01\x00\x00\x00xq\x03"
         "es.");
    SAME("\x80\x02)K\x01\x85q\x00(K\x01K\x02K\x03K\x04tq\x01\x87q\x02.");
    SAME("\x80\x02"
         "ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00"
         "aq\x02K\x01s.");
    SAME("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00]\x94((K\x01\x91\x94\x8F\x94(K\x01\x90"
         "e.");
}

/* A tuple that holds itself is complete before its own end is written: its items are taken off again. */
static void cycles(void **state)
{
    (void)state;
    SAME("\x80\x02]q\x00h\x00"
         "a.");
    SAME("\x80\x02]q\x00h\x00\x85q\x01"
         "a0h\x01.");
    SAME("\x80\x02(]q\x00(h\x00K\x01K\x02K\x03tq\x01"
         "aK\x01K\x02K\x03"
         "1h\x01.");
    SAME("\x80\x04\x95\x19\x00\x00\x00\x00\x00\x00\x00(]\x94(h\x00K\x01K\x02K\x03t\x94"
         "aK\x01K\x02K\x03"
         "1h\x01.");
}

/* A long list comes back in groups of 1000, the last of one item too; a dict of a multiple of 1000 with an empty group behind. */
static void groups(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 999, 1000, 1001, 2000, 2001};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int is_dict = 0; is_dict < 2; is_dict++) {
            char *bytes = malloc(16384), *at = bytes;
            memcpy(at, is_dict ? "\x80\x02}q\x00" : "\x80\x02]q\x00", 5);
            at += 5;
            for (size_t n = 0; n < counts[i]; n++) {
                if (n % 1000 == 0)
                    *at++ = '(';
                at += sprintf(at, "M%c%c", (int)(n % 200 + 1), (int)(n / 200 + 1));
                if (is_dict)
                    *at++ = 'N';
                if (n % 1000 == 999 || n + 1 == counts[i])
                    *at++ = is_dict ? 'u' : 'e';
            }
            if (is_dict && counts[i] % 1000 == 0)
                at += sprintf(at, "(u");
            *at++ = '.';
            assert_same(bytes, (size_t)(at - bytes));
            free(bytes);
        }
}

/* What the protocol has no opcode for is refused, not written in another form. */
static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        unsigned protocol;
    } rows[] = {
        {PICKLE("\x80\x04\x8F\x94."), 3},
        {PICKLE("\x80\x04(\x91\x94."), 3},
        {PICKLE("\x80\x03"
                "C\x01"
                "aq\x00."),
         2},
        {PICKLE("\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00"
                "a\x94."),
         4},
        {PICKLE("\x80\x02K\x01Q."), 0},
        {PICKLE("\x80\x03"
                "cm\xC3\xA9\nC\nq\x00."),
         2},
        {PICKLE("\x80\x03"
                "cm\nC\xC3\xA9\nq\x00."),
         0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run r = {0};
        run_begin(&r, rows[i].bytes, rows[i].size);
        assert_int_equal(r.status, PTIO_OK);
        ptio_pickler_options options = {.protocol = rows[i].protocol};
        ptio_pickled out = {0};
        assert_int_equal(ptio_pickle(r.graph.root, &options, &r.heap, &out, &r.err), PTIO_ERR_UNSUPPORTED);
        assert_string_equal(r.err.reason, "pickle.protocol");
        ptio_pickled_free(&out, &r.heap);
        run_end(&r);
    }
}

/* A file of protocol 2 that has such a name all the same is written as it was. */
static void names_beyond_ascii(void **state)
{
    (void)state;
    SAME("\x80\x03"
         "cm\xC3\xA9\nC\nq\x00.");
    SAME("\x80\x02"
         "cm\xC3\xA9\nC\nq\x00.");
}

/* A million lists in one another take no stack. */
static void deep(void **state)
{
    (void)state;
    enum { LEVELS = 1000000 };
    char *bytes = malloc(2 * LEVELS + 3);
    memcpy(bytes, "\x80\x02", 2);
    memset(bytes + 2, ']', LEVELS);
    memset(bytes + 2 + LEVELS, 'a', LEVELS - 1);
    bytes[2 * LEVELS + 1] = '.';
    run r = {0};
    run_begin(&r, bytes, 2 * LEVELS + 2);
    assert_int_equal(r.status, PTIO_OK);
    ptio_pickler_options options = as_found(&r.graph);
    ptio_pickled out = {0};
    assert_int_equal(ptio_pickle(r.graph.root, &options, &r.heap, &out, &r.err), PTIO_OK);
    assert_int_equal(out.size, 2 * LEVELS + 2);
    assert_memory_equal(out.bytes, bytes, out.size);
    ptio_pickled_free(&out, &r.heap);
    run_end(&r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atoms_in_every_protocol),
        cmocka_unit_test(containers),
        cmocka_unit_test(cycles),
        cmocka_unit_test(groups),
        cmocka_unit_test(refused),
        cmocka_unit_test(names_beyond_ascii),
        cmocka_unit_test(deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
