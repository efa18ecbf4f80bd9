/*
 * Every opcode, in small pickles whose graph is known. A row of opcodes.def without a case here fails.
 */
#include "pickle/opcode.h"
#include "pickle/run.h"

#define CASE(name, bytes, text)               \
    {                                         \
#name, bytes, sizeof(bytes) - 1, text \
    }

/* The opcode that the case is about, the pickle, what it gives; NULL where it must be refused as unsupported. */
static const struct {
    const char *name, *bytes;
    size_t size;
    const char *text;
} cases[] = {
    CASE(MARK, "(K\1K\2t.", "(1, 2)"),
    CASE(MARK, "((K\1t(K\2tt.", "((1,), (2,))"),
    CASE(EMPTY_TUPLE, ").", "()"),
    CASE(STOP, "N.", "None"),
    CASE(STOP, "N.N.", "None"),
    CASE(POP, "K\1K\0020.", "1"),
    CASE(POP, "K\1(0.", "1"),
    CASE(POP_MARK, "K\1(K\2K\0031.", "1"),
    CASE(DUP, "]2\x86.", "([], [])"),
    CASE(BINBYTES, "B\3\0\0\0a\0\xff.", "b'a\\x00\\xff'"),
    CASE(SHORT_BINBYTES, "C\2ab.", "b'ab'"),
    CASE(FLOAT, "F-1.5e1\n.", "-15"),
    CASE(BINFLOAT, "G\x3f\xf8\0\0\0\0\0\0.", "1.5"),
    CASE(INT, "I-12\n.", "-12"),
    CASE(INT, "I00\n.", "False"),
    CASE(INT, "I01\n.", "True"),
    CASE(INT, "I9223372036854775808\n.", "0x008000000000000000"),
    CASE(BININT, "J\xff\xff\xff\xff.", "-1"),
    CASE(BININT, "J\0\0\0\x80.", "-2147483648"),
    CASE(BININT, "J\xff\xff\xff\x7f.", "2147483647"),
    CASE(BININT, "J\xff\0\0\0.", "255"),
    CASE(BININT1, "K\xff.", "255"),
    CASE(BININT2, "M\0\1.", "256"),
    CASE(BININT2, "M\xff\0.", "255"),
    CASE(BININT2, "M\xff\xff.", "65535"),
    CASE(LONG, "L12L\n.", "12L"),
    CASE(LONG, "L12\n.", "12L"),
    CASE(LONG, "L-340282366920938463463374607431768211456L\n.", "0xff00000000000000000000000000000000L"),
    CASE(NONE, "N.", "None"),
    CASE(PERSID, "Pkey 1\n.", "pid('key 1')"),
    CASE(BINPERSID, "K\1\x85Q.", "pid((1,))"),
    CASE(REDUCE, "cm\nn\nK\1\x85R.", "REDUCE(<m n>, (1,))"),
    CASE(REDUCE, "cm\nn\n)RK\1\x85R.", "REDUCE(REDUCE(<m n>, ()), (1,))"),
    CASE(REDUCE, "K\1Q)R.", "REDUCE(pid(1), ())"),
    CASE(STRING, "S'a\\'\\n\\x41\\101\\q'\n.", "s'a'\\nAA\\\\q'"),
    CASE(STRING, "S\"it's\"\n.", "s'it's'"),
    CASE(STRING, "S''\n.", "s''"),
    CASE(BINSTRING, "T\2\0\0\0ab.", "s'ab'"),
    CASE(SHORT_BINSTRING, "U\2ab.", "s'ab'"),
    CASE(UNICODE, "Vab\\u00e9\\U0001f600\xe9\\n\n.", "'ab\\xe9\\U0001f600\\xe9\\\\n'"),
    CASE(UNICODE, "V\n.", "''"),
    CASE(BINUNICODE, "X\2\0\0\0\xc3\xa9.", "'\\xe9'"),
    CASE(BINUNICODE, "X\3\0\0\0\xed\xa0\x80.", "'\\ud800'"),
    CASE(EMPTY_LIST, "].", "[]"),
    CASE(APPEND, "]K\1a.", "[1]"),
    CASE(APPEND, "cm\nn\n)RK\1a.", "REDUCE(<m n>, ())+[1]"),
    CASE(BUILD, "cm\nn\n)RK\1b.", "REDUCE(<m n>, ())=1"),
    CASE(BUILD, "cm\nn\n)RK\1bK\2b.", "REDUCE(<m n>, ())=1=2"),
    CASE(GLOBAL, "cmod.sub\nA.b\n.", "<mod.sub A.b>"),
    CASE(DICT, "(K\1K\2K\3K\4d.", "{1: 2, 3: 4}"),
    CASE(DICT, "(d.", "{}"),
    CASE(APPENDS, "](K\1K\2e(K\3e.", "[1, 2, 3]"),
    CASE(APPENDS, "](e.", "[]"),
    CASE(APPENDS, "cm\nn\n)R(K\1K\2e.", "REDUCE(<m n>, ())+[1, 2]"),
    CASE(GET, "K\1p300\n0g300\n.", "1"),
    CASE(BINGET,
         "K\1q\7"
         "0h\7.",
         "1"),
    CASE(INST, "(K\1K\2im\nn\n.", "INST(<m n>, (1, 2))"),
    CASE(INST, "(im\nn\n.", "INST(<m n>, ())"),
    CASE(LONG_BINGET,
         "K\1r\0\1\0\0"
         "0j\0\1\0\0.",
         "1"),
    CASE(LIST, "(K\1K\2l.", "[1, 2]"),
    CASE(OBJ, "(cm\nn\nK\1o.", "OBJ(<m n>, (1,))"),
    CASE(OBJ, "(cm\nn\no.", "OBJ(<m n>, ())"),
    CASE(PUT, "K\1p0\n.", "1"),
    CASE(BINPUT, "K\1q\0.", "1"),
    CASE(LONG_BINPUT, "K\1r\0\0\0\0.", "1"),
    CASE(SETITEM, "}K\1K\2s.", "{1: 2}"),
    CASE(SETITEM, "cm\nn\n)RK\1K\2s.", "REDUCE(<m n>, ())+{1: 2}"),
    CASE(TUPLE, "(K\1K\2K\3K\4t.", "(1, 2, 3, 4)"),
    CASE(TUPLE, "(t.", "()"),
    CASE(SETITEMS, "}(K\1K\2K\3K\4u.", "{1: 2, 3: 4}"),
    CASE(SETITEMS, "}(u.", "{}"),
    CASE(SETITEMS, "cm\nn\n)R(K\1K\2u.", "REDUCE(<m n>, ())+{1: 2}"),
    CASE(EMPTY_DICT, "}.", "{}"),
    CASE(PROTO, "\x80\2N.", "None"),
    CASE(NEWOBJ, "\x80\2cm\nn\n)\x81.", "NEWOBJ(<m n>, ())"),
    CASE(EXT1, "\x82\1.", NULL),
    CASE(EXT2, "\x83\1\0.", NULL),
    CASE(EXT4, "\x84\1\0\0\0.", NULL),
    CASE(TUPLE1, "K\1\x85.", "(1,)"),
    CASE(TUPLE2, "K\1K\2\x86.", "(1, 2)"),
    CASE(TUPLE3, "K\1K\2K\3\x87.", "(1, 2, 3)"),
    CASE(NEWTRUE, "\x88.", "True"),
    CASE(NEWFALSE, "\x89.", "False"),
    CASE(LONG1, "\x8a\0.", "0L"),
    CASE(LONG1, "\x8a\1\xff.", "-1L"),
    CASE(LONG1, "\x8a\2\xff\0.", "255L"),
    CASE(LONG1, "\x8a\10\0\0\0\0\0\0\0\x80.", "-9223372036854775808L"),
    CASE(LONG1, "\x8a\11\0\0\0\0\0\0\0\x80\0.", "0x008000000000000000L"),
    CASE(LONG1, "\x8a\11\0\0\0\0\0\0\0\x80\xff.", "-9223372036854775808L"),
    CASE(LONG1, "\x8a\12\0\0\0\0\0\0\0\x80\0\0.", "0x008000000000000000L"),
    CASE(LONG4, "\x8b\1\0\0\0\x80.", "-128L"),
    CASE(SHORT_BINUNICODE, "\x8c\2ab.", "'ab'"),
    CASE(BINUNICODE8, "\x8d\2\0\0\0\0\0\0\0ab.", "'ab'"),
    CASE(BINBYTES8, "\x8e\2\0\0\0\0\0\0\0ab.", "b'ab'"),
    CASE(EMPTY_SET, "\x8f.", "set{}"),
    CASE(ADDITEMS, "\x8f(K\1K\2\x90.", "set{1, 2}"),
    CASE(ADDITEMS, "cm\nn\n)R(K\1\x90.", "REDUCE(<m n>, ())+[1]"),
    CASE(FROZENSET, "(K\1K\2\x91.", "frozenset{1, 2}"),
    CASE(NEWOBJ_EX, "cm\nn\nK\1\x85}K\2K\3s\x92.", "NEWOBJ_EX(<m n>, (1,), {2: 3})"),
    CASE(STACK_GLOBAL, "\x8c\1m\x8c\1n\x93.", "<m n>"),
    CASE(STACK_GLOBAL, "U\1mU\1n\x93.", "<m n>"),
    CASE(MEMOIZE, "K\1\x94K\2\x94h\0h\1\x87.", "(2, 1, 2)"),
    CASE(FRAME, "\x80\4\x95\2\0\0\0\0\0\0\0N.", "None"),
    CASE(FRAME, "\x80\4\x95\3\0\0\0\0\0\0\0]K\1\x95\2\0\0\0\0\0\0\0a.", "[1]"),
    CASE(BYTEARRAY8, "\x96\2\0\0\0\0\0\0\0ab.", "B'ab'"),
    CASE(NEXT_BUFFER, "\x97.", NULL),
    CASE(READONLY_BUFFER, "N\x98.", NULL),
};
#define CASES (sizeof cases / sizeof *cases)

static void each_gives_its_graph(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        if (cases[i].text)
            assert_pickle(cases[i].bytes, cases[i].size, cases[i].text);
}

static void what_needs_the_outside_is_unsupported(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        if (cases[i].text)
            continue;
        run r = {.fail_at = 0};
        run_begin(&r, cases[i].bytes, cases[i].size);
        assert_int_equal(r.status, PTIO_ERR_UNSUPPORTED);
        assert_string_equal(r.err.context, cases[i].name);
        run_end(&r);
    }
}

/* Whether a case of the opcode really has it in its pickle. */
static bool has_opcode(size_t index, uint8_t wanted)
{
    ptio_instruction instruction = {.byte = 0};
    uint64_t need = 0;
    for (size_t at = 0; at < cases[index].size; at = instruction.end) {
        const uint8_t *bytes = (const uint8_t *)cases[index].bytes;
        assert_int_equal(ptio_opcode_read(bytes, cases[index].size, at, 1000, &instruction, &need, NULL), PTIO_OK);
        assert_int_equal(need, 0);
        if (instruction.byte == wanted)
            return true;
    }
    return false;
}

static void passing_is_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
        ptio_instruction instruction = {.byte = 0};
        uint64_t need = 0;
        for (size_t at = 0; at < cases[i].size; at = instruction.end) {
            assert_int_equal(ptio_opcode_read(bytes, cases[i].size, at, 1000, &instruction, &need, NULL), PTIO_OK);
            assert_int_equal(ptio_opcode_pass(bytes, cases[i].size, at), instruction.end);
        }
    }
    assert_int_equal(ptio_opcode_pass((const uint8_t *)"X\5\0\0", 4, 0), 4); /* cut off */
    assert_int_equal(ptio_opcode_pass((const uint8_t *)"I12", 3, 0), 3);
}

static void unusual_opcodes_are_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        bool unusual = false;
        for (unsigned byte = 0; byte < 256; byte++)
            unusual = unusual || (ptio_opcode_name((uint8_t)byte) && !ptio_opcode_usual[byte] && has_opcode(i, (uint8_t)byte));
        run r = {.fail_at = 0};
        run_begin(&r, cases[i].bytes, cases[i].size);
        if (cases[i].text)
            assert_int_equal(r.graph.dialect.unusual, unusual);
        run_end(&r);
    }
}

static void every_opcode_has_a_case(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const char *name = ptio_opcode_name((uint8_t)byte);
        size_t found = 0;
        for (size_t i = 0; name && i < CASES; i++)
            if (strcmp(cases[i].name, name) == 0) {
                assert_true(has_opcode(i, (uint8_t)byte));
                found++;
            }
        if (name && !found)
            fail_msg("%s has no case", name);
    }
}

static void every_other_byte_is_refused(void **state)
{
    (void)state;
    size_t refused = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        const char pickle[] = {'N', (char)(unsigned char)byte, '.'};
        if (ptio_opcode_name((uint8_t)byte))
            continue;
        assert_refused(pickle, sizeof pickle, PTIO_ERR_FORMAT, "pickle.opcode", 1);
        refused++;
    }
    assert_int_equal(refused, 256 - 68);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gives_its_graph),      cmocka_unit_test(what_needs_the_outside_is_unsupported),
        cmocka_unit_test(every_opcode_has_a_case),   cmocka_unit_test(passing_is_reading),
        cmocka_unit_test(unusual_opcodes_are_noted), cmocka_unit_test(every_other_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
