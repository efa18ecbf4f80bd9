/*
 * Finding the end of a pickle, in one go and piece by piece; and disassembling.
 */
#include "base/text.h"
#include "pickle/run.h"

static const ptio_limits limits = {.pickle_bytes = 1000, .line_bytes = 20, .name_bytes = 20};

/* Opcodes of every form of argument. */
static const char sample[] =
    "\x80\2}q\0(X\1\0\0\0aK\1M\1\2J\1\2\3\4G?\xf0\0\0\0\0\0\0T\2\0\0\0xyC\1z\x8d\1\0\0\0\0\0\0\0wI12\ncmod\nname\n"
    "\x95\2\0\0\0\0\0\0\0r\0\1\0\0Nu.rest";
#define SAMPLE_END (sizeof sample - 5)

static void found_in_one_go(void **state)
{
    (void)state;
    uint64_t at = 0, need = 1;
    assert_int_equal(ptio_pickle_scan((const uint8_t *)sample, sizeof sample - 1, &limits, &at, &need, NULL), PTIO_OK);
    assert_int_equal(need, 0);
    assert_int_equal(at, SAMPLE_END);
}

/* Whatever the pieces, it ends at the same place, and never asks for more than there is up to the end. */
static void found_piece_by_piece(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece++) {
        uint64_t at = 0, need = 1;
        size_t have = 0;
        while (need) {
            have = have + piece < sizeof sample - 1 ? have + piece : sizeof sample - 1;
            uint64_t before = at;
            uint8_t *copy = malloc(have);
            assert_non_null(copy);
            memcpy(copy, sample, have);
            assert_int_equal(ptio_pickle_scan(copy, have, &limits, &at, &need, NULL), PTIO_OK);
            free(copy);
            assert_true(at >= before && at <= have);
            assert_true(!need || have + need <= SAMPLE_END);
        }
        assert_int_equal(at, SAMPLE_END);
    }
}

/* Reading just what is asked for needs no byte behind the end. */
static void asks_for_what_it_needs(void **state)
{
    (void)state;
    uint64_t at = 0, need = 1;
    size_t have = 0, calls = 0;
    for (; need; calls++) {
        have += (size_t)need;
        assert_int_equal(ptio_pickle_scan((const uint8_t *)sample, have, &limits, &at, &need, NULL), PTIO_OK);
    }
    assert_int_equal(have, SAMPLE_END);
    assert_true(calls < have);
}

static void refuse(const char *bytes, size_t size, ptio_status status, const char *reason, uint64_t offset)
{
    ptio_error err = {.status = PTIO_OK};
    uint64_t at = 0, need = 0;
    assert_int_equal(ptio_pickle_scan((const uint8_t *)bytes, size, &limits, &at, &need, &err), status);
    assert_string_equal(err.reason, reason);
    assert_int_equal(err.offset, offset);
}

static void refusals(void **state)
{
    (void)state;
    refuse(PICKLE("N\xff."), PTIO_ERR_FORMAT, "pickle.opcode", 1);
    refuse(PICKLE("NT\0\0\0\x80"), PTIO_ERR_FORMAT, "pickle.length", 1);
    refuse(PICKLE("\x8b\xff\xff\xff\xff"), PTIO_ERR_FORMAT, "pickle.length", 0);
    refuse(PICKLE("\x8e\0\0\0\0\0\0\0\x80"), PTIO_ERR_FORMAT, "pickle.length", 0);
    refuse(PICKLE("NX\xff\xff\xff\xff"), PTIO_ERR_LIMIT, "limit.pickle-bytes", 1);
    refuse(PICKLE("\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"), PTIO_ERR_LIMIT, "limit.pickle-bytes", 0);
    refuse(PICKLE("X\xe4\3\0\0"), PTIO_ERR_LIMIT, "limit.pickle-bytes", 0); /* 5 + 996 */
    refuse(PICKLE("I123456789012345678901"), PTIO_ERR_LIMIT, "limit.line-bytes", 0);
    refuse(PICKLE("ca\n123456789012345678901\n"), PTIO_ERR_LIMIT, "limit.line-bytes", 0);
}

static void waits_up_to_the_limits(void **state)
{
    (void)state;
    uint64_t at = 0, need = 0;
    assert_int_equal(ptio_pickle_scan((const uint8_t *)"X\xe3\3\0\0", 5, &limits, &at, &need, NULL), PTIO_OK);
    assert_int_equal(need, 995);
    at = 0;
    assert_int_equal(ptio_pickle_scan((const uint8_t *)"I12345678901234567890", 21, &limits, &at, &need, NULL), PTIO_OK);
    assert_int_equal(need, 1);
    at = 0;
    assert_int_equal(ptio_pickle_scan(NULL, 0, &limits, &at, &need, NULL), PTIO_OK);
    assert_int_equal(need, 1);
}

/* ---- disassembly ---- */

typedef struct text {
    char bytes[4096];
    size_t size;
    size_t room; /* what is written beyond it is refused */
} text;

static int write_text(void *ctx, const char *bytes, size_t size)
{
    text *t = ctx;
    if (size > t->room - t->size)
        return -1;
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = '\0';
    return 0;
}

static ptio_status disassemble(const void *bytes, size_t size, text *t, size_t *end, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, NULL, 0);
    ptio_status status = ptio_pickle_disassemble(bytes, size, &heap, write_text, t, end, err);
    assert_int_equal(heap.used, 0);
    return status;
}

static void disassembly_has_a_line_for_each(void **state)
{
    (void)state;
    text t = {.room = sizeof t.bytes - 1};
    size_t end = 0;
    assert_int_equal(disassemble(sample, sizeof sample - 1, &t, &end, NULL), PTIO_OK);
    assert_int_equal(end, SAMPLE_END);
    assert_string_equal(t.bytes, "       0      0  PROTO            2\n"
                                 "       2      0  EMPTY_DICT\n"
                                 "       3      1  BINPUT           0\n"
                                 "       5      1  MARK\n"
                                 "       6      1  BINUNICODE       \"a\"\n"
                                 "      12      2  BININT1          1\n"
                                 "      14      3  BININT2          513\n"
                                 "      17      4  BININT           67305985\n"
                                 "      22      5  BINFLOAT         1.0\n"
                                 "      31      6  BINSTRING        \"xy\"\n"
                                 "      38      7  SHORT_BINBYTES   \"z\"\n"
                                 "      41      8  BINUNICODE8      \"w\"\n"
                                 "      51      9  INT              \"12\"\n"
                                 "      55     10  GLOBAL           \"mod\" \"name\"\n"
                                 "      65     11  FRAME            2\n"
                                 "      74     11  LONG_BINPUT      256\n"
                                 "      79     11  NONE\n"
                                 "      80     12  SETITEMS\n"
                                 "      81      1  STOP\n");
}

static void depths_follow_marks(void **state)
{
    (void)state;
    text t = {.room = sizeof t.bytes - 1};
    size_t end = 0;
    static const char pickle[] = "((K\1t(01K\2K\3\x87J\xff\xff\xff\xff.";
    assert_int_equal(disassemble(pickle, sizeof pickle - 1, &t, &end, NULL), PTIO_OK);
    assert_string_equal(t.bytes, "       0      0  MARK\n"
                                 "       1      0  MARK\n"
                                 "       2      0  BININT1          1\n"
                                 "       4      1  TUPLE\n"
                                 "       5      1  MARK\n"
                                 "       6      1  POP\n"
                                 "       7      1  POP_MARK\n"
                                 "       8      0  BININT1          2\n"
                                 "      10      1  BININT1          3\n"
                                 "      12      2  TUPLE3\n"
                                 "      13      1  BININT           -1\n"
                                 "      18      2  STOP\n");
}

static void arguments_are_escaped_and_cut(void **state)
{
    (void)state;
    text t = {.room = sizeof t.bytes - 1};
    size_t end = 0;
    char pickle[310] = "U\xff";
    memset(pickle + 2, 0x1b, 255);
    pickle[257] = '.';
    assert_int_equal(disassemble(pickle, 258, &t, &end, NULL), PTIO_OK);
    assert_null(memchr(t.bytes, 0x1b, t.size));
    assert_non_null(strstr(t.bytes, "\"\\x1b\\x1b"));
    assert_non_null(strstr(t.bytes, "...\"\n"));
}

static void what_can_be_read_comes_before_the_error(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        ptio_status status;
        const char *reason;
        uint64_t offset;
        const char *lines;
    } rows[] = {
        {PICKLE("N\xff"), PTIO_ERR_FORMAT, "pickle.opcode", 1, "       0      0  NONE\n"},
        {PICKLE("NX\1\0\0\0"), PTIO_ERR_FORMAT, "pickle.truncated", 1, "       0      0  NONE\n"},
        {PICKLE("N"), PTIO_ERR_FORMAT, "pickle.truncated", 1, "       0      0  NONE\n"},
        {PICKLE(""), PTIO_ERR_FORMAT, "pickle.truncated", 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text t = {.room = sizeof t.bytes - 1};
        size_t end = 99;
        ptio_error err = {.status = PTIO_OK};
        assert_int_equal(disassemble(rows[i].bytes, rows[i].size, &t, &end, &err), rows[i].status);
        assert_string_equal(err.reason, rows[i].reason);
        assert_int_equal(err.offset, rows[i].offset);
        assert_string_equal(t.bytes, rows[i].lines);
        assert_int_equal(end, t.size ? 1 : 0);
    }
}

static void marks_cost_memory_of_the_caller(void **state)
{
    (void)state;
    counted_memory memory;
    ptio_heap heap;
    text t = {.room = sizeof t.bytes - 1};
    size_t end = 0;
    ptio_error err = {.status = PTIO_OK};
    counted_memory_init(&memory);
    memory.fail_at = 0;
    ptio_heap_init(&heap, &memory.hooks, 0);
    assert_int_equal(ptio_pickle_disassemble((const uint8_t *)"N(t.", 4, &heap, write_text, &t, &end, &err), PTIO_ERR_MEMORY);
    assert_string_equal(t.bytes, "       0      0  NONE\n       1      1  MARK\n");
    assert_int_equal(memory.held, 0);
}

static void a_writer_may_stop_it(void **state)
{
    (void)state;
    text t = {.room = 30};
    size_t end = 0;
    ptio_error err = {.status = PTIO_OK};
    assert_int_equal(disassemble("NNN.", 4, &t, &end, &err), PTIO_ERR_CANCELLED);
    assert_string_equal(err.reason, "cancelled");
    assert_int_equal(err.offset, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_one_go),
        cmocka_unit_test(found_piece_by_piece),
        cmocka_unit_test(asks_for_what_it_needs),
        cmocka_unit_test(refusals),
        cmocka_unit_test(waits_up_to_the_limits),
        cmocka_unit_test(disassembly_has_a_line_for_each),
        cmocka_unit_test(depths_follow_marks),
        cmocka_unit_test(arguments_are_escaped_and_cut),
        cmocka_unit_test(what_can_be_read_comes_before_the_error),
        cmocka_unit_test(marks_cost_memory_of_the_caller),
        cmocka_unit_test(a_writer_may_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
