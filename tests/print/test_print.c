/*
 * Values in Python's syntax: small pickles, and what Python 3.11 prints for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "print/collect.h"
#include "ptio.h"
#include "support/share.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

/* Load opcodes, with a PROTO in front. */
static ptio_checkpoint *load(const char *opcodes, size_t size)
{
    static char pickle[4096];
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    assert_true(size + 2 <= sizeof pickle);
    memcpy(pickle, "\x80\x04", 2);
    memcpy(pickle + 2, opcodes, size);
    if (ptio_load_memory(pickle, size + 2, NULL, &ckpt, &err) != PTIO_OK)
        fail_msg("byte %llu: %s", (unsigned long long)err.offset, err.message);
    return ckpt;
}

static void check(const char *opcodes, size_t size, const ptio_print_options *options, const char *expected)
{
    static collected c;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = load(opcodes, size);
    c.size = 0;
    c.text[0] = '\0';
    ptio_status status = ptio_print(ptio_root(ckpt), options, collect, &c, &err);
    ptio_checkpoint_free(ckpt);
    if (status != PTIO_OK)
        fail_msg("%s: %s", expected, err.message);
    assert_string_equal(c.text, expected);
}

#define SHOWS(expected, literal) check(BYTES(literal), NULL, expected)
static void scalars(void **state)
{
    (void)state;
    SHOWS("None", "N.");
    SHOWS("True", "\x88.");
    SHOWS("-5", "J\xFB\xFF\xFF\xFF.");
    SHOWS("18446744073709551616", "\x8a\x09\0\0\0\0\0\0\0\0\1.");
    SHOWS("-18446744073709551616", "\x8a\x09\0\0\0\0\0\0\0\0\xFF.");
    SHOWS("2.5", "G\x40\x04\0\0\0\0\0\0.");
    SHOWS("'a\\n\xC3\xA9'", "X\x04\0\0\0a\n\xC3\xA9.");
    SHOWS("b'a\\xff'", "C\x02"
                       "a\xFF.");
    SHOWS("bytearray(b'hi')", "\x96\x02\0\0\0\0\0\0\0hi.");
    SHOWS("'text'", "U\x04text.");
}

static void containers(void **state)
{
    (void)state;
    SHOWS("[]", "].");
    SHOWS("[1, [2]]", "](K\1](K\2ee.");
    SHOWS("()", ").");
    SHOWS("(1,)", "K\1\x85.");
    SHOWS("(1, 2)", "K\1K\2\x86.");
    SHOWS("{}", "}.");
    SHOWS("{'a': 1, 2: 'b'}", "}(\x8c\1"
                              "aK\1K\2\x8c\1"
                              "bu.");
    SHOWS("{1}", "\x8f(K\1\x90.");
    SHOWS("set()", "\x8f.");
    SHOWS("frozenset({1})", "(K\1\x91.");
    SHOWS("frozenset()", "(\x91.");
}

/* Values that contain themselves. */
static void cycles(void **state)
{
    (void)state;
    SHOWS("[[...]]", "]q\0h\0a.");
    SHOWS("{1: {...}}", "}q\0K\1h\0s.");
    SHOWS("[([...],)]", "]q\0h\0\x85"
                        "a.");
    SHOWS("[[1], [1]]", "](](K\1eq\0h\0e.");
}

static void collections(void **state)
{
    (void)state;
    SHOWS("OrderedDict({'a': 1, 'b': 2})", "ccollections\nOrderedDict\n)R(\x8c\1"
                                           "aK\1\x8c\1"
                                           "bK\2u.");
    SHOWS("OrderedDict()", "ccollections\nOrderedDict\n)R.");
    SHOWS("defaultdict(<class 'list'>, {'a': 1})", "ccollections\ndefaultdict\ncbuiltins\nlist\n\x85R\x8c\1"
                                                   "aK\1s.");
    SHOWS("defaultdict(None, {})", "ccollections\ndefaultdict\nN\x85R.");
    SHOWS("Counter({'l': 2, 'h': 1, 'e': 1})", "ccollections\nCounter\n}(\x8c\1hK\1\x8c\1"
                                               "eK\1\x8c\1lK\2u\x85R.");
    SHOWS("Counter()", "ccollections\nCounter\n}\x85R.");
    SHOWS("deque([1, 2], maxlen=5)", "ccollections\ndeque\n)K\5\x86R(K\1K\2e.");
    SHOWS("deque([])", "ccollections\ndeque\n)R.");
}

static void torch_values(void **state)
{
    (void)state;
    SHOWS("torch.Size([2, 3])", "ctorch\nSize\nK\2K\3\x86\x85R.");
    SHOWS("torch.Size([])", "ctorch\nSize\n)\x85R.");
    SHOWS("torch.float32", "ctorch\nfloat32\n.");
    SHOWS("device(type='cuda', index=1)", "ctorch\ndevice\n\x8c\4cudaK\1\x86R.");
    SHOWS("device(type='cpu')", "ctorch\ndevice\n\x8c\3cpu\x85R.");
    SHOWS("torch.strided", "ctorch.serialization\n_get_layout\n\x8c\x0dtorch.strided\x85R.");
    SHOWS("<class '__main__.Net'>", "c__main__\nNet\n.");
    SHOWS("<class 'int'>", "cbuiltins\nint\n.");
    SHOWS("<built-in function len>", "cbuiltins\nlen\n.");
}

/* What Python would show by a class of its own. */
static void objects(void **state)
{
    (void)state;
    SHOWS("<ptio object __main__.Point state={'x': 1}>", "c__main__\nPoint\n)\x81}\x8c\1xK\1sb.");
    SHOWS("<ptio object __main__.F args=(1,)>", "c__main__\nF\nK\1\x85R.");
    SHOWS("<ptio object __main__.F args=(1,) state=(2,)>", "c__main__\nF\nK\1\x85RK\2\x85"
                                                           "b.");
    SHOWS("<ptio object __main__.S slots={'a': 1}>", "c__main__\nS\n)\x81N}\x8c\1"
                                                     "aK\1s\x86"
                                                     "b.");
    SHOWS("[<ptio object __main__.P state={'me': <ptio object __main__.P ...>}>]", "](c__main__\nP\n)\x81q\0}\x8c\2meh\0sbe.");
    SHOWS("<ptio object __main__.\\x1b[2J args=(1,)>", "c__main__\n\x1b[2J\nK\1\x85R.");
}

static void limits_of_items_and_depth(void **state)
{
    (void)state;
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .max_items = 2};
    check(BYTES("](K\1K\2K\3e."), &options, "[1, 2, ...]");
    check(BYTES("}(K\1NK\2NK\3Nu."), &options, "{1: None, 2: None, ...}");
    options = (ptio_print_options){PTIO_PRINT_OPTIONS, .max_depth = 1};
    check(BYTES("](K\1](K\2e]e."), &options, "[1, [...], []]");
}

/* 2^40 items out of a few bytes: the budget ends it. */
static void billion_laughs(void **state)
{
    (void)state;
    char pickle[1024];
    size_t size = 0;
    pickle[size++] = ']';
    for (int i = 0; i < 40; i++) {
        /* q I  ] h I a h I a: a list that holds the last one twice */
        int n = snprintf(pickle + size, sizeof pickle - size, "q%c](h%ch%ce", i + 1, i + 1, i + 1);
        size += (size_t)n;
    }
    pickle[size++] = '.';
    static collected c;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = load(pickle, size);
    c.size = 0;
    assert_int_equal(ptio_print(ptio_root(ckpt), NULL, collect, &c, &err), PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.walk");
    assert_true(c.size > 1000000 && c.size < 8000000);
    ptio_limits few = {.walk_nodes = 10};
    ptio_print_options options = {PTIO_PRINT_OPTIONS, .limits = &few};
    ptio_error again = {0};
    c.size = 0;
    assert_int_equal(ptio_print(ptio_root(ckpt), &options, collect, &c, &again), PTIO_ERR_LIMIT);
    assert_true(c.size < 100);
    ptio_checkpoint_free(ckpt);
}

static void ints_beyond_python(void **state)
{
    (void)state;
    /* 1, then 2,000 bytes of 0: 16,000 bits. */
    static char pickle[2100] = "\x8b\xD1\x07\0\0";
    pickle[5 + 2000] = 1;
    pickle[5 + 2001] = '.';
    static char expected[4100] = "0x1";
    memset(expected + 3, '0', 4000);
    check(pickle, 5 + 2002, NULL, expected);
}

static int count(void *ctx, const char *text, size_t size)
{
    (void)text;
    *(uint64_t *)ctx += size;
    return 0;
}

/* Sanitizers make frames larger. */
#if defined(__SANITIZE_ADDRESS__)
#define SMALL_STACK 262144
#else
#define SMALL_STACK 65536
#endif

/* Load, print and free lists in lists, where the stack has room for nothing of the kind. *argument: how many; then the bytes printed. */
static void *deep_thread(void *argument)
{
    size_t levels = (size_t)((uint64_t *)argument)[0];
    char *pickle = malloc(2 * levels);
    ptio_limits limits = {.heap_per_byte = 1000, .heap_bytes = (uint64_t)8 << 30};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits};
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    uint64_t size = 0;
    if (!pickle)
        return NULL;
    memset(pickle, ']', levels);
    memset(pickle + levels, 'a', levels - 1);
    pickle[2 * levels - 1] = '.';
    if (ptio_load_memory(pickle, 2 * levels, &options, &ckpt, &err) == PTIO_OK)
        (void)ptio_print(ptio_root(ckpt), NULL, count, &size, &err);
    ptio_checkpoint_free(ckpt);
    free(pickle);
    *(uint64_t *)argument = size;
    return NULL;
}

/* Of ten million the share that the environment asks for. */
static void ten_million_levels(void **state)
{
    (void)state;
    uint64_t levels = test_share_of(10000000, 1), size = levels;
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, deep_thread, &size), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    assert_int_equal(size, 2 * levels);
}

/* Every allocation of a print fails once. */
typedef struct failing {
    size_t left, live;
} failing;

static void *failing_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    failing *f = ctx;
    if (!new_size) {
        free(ptr);
        f->live -= old_size;
        return NULL;
    }
    if (!f->left)
        return NULL;
    f->left--;
    void *moved = realloc(ptr, new_size);
    if (moved)
        f->live += new_size - (ptr ? old_size : 0);
    return moved;
}

static void failing_allocations(void **state)
{
    (void)state;
    static const char pickle[] = "](ccollections\nCounter\n}(\x8c\1hK\1\x8c\1"
                                 "eK\1u\x85R\x8a\x09\0\0\0\0\0\0\0\0\1](](]e}(K\1)uee.";
    static collected c;
    ptio_checkpoint *ckpt = load(pickle, sizeof pickle - 1);
    ptio_status status = PTIO_ERR_MEMORY;
    size_t n = 0;
    for (; status != PTIO_OK; n++) {
        failing f = {.left = n};
        ptio_memory memory = {.resize = failing_resize, .ctx = &f};
        ptio_print_options options = {PTIO_PRINT_OPTIONS, .memory = &memory};
        c.size = 0;
        ptio_error err = {0};
        status = ptio_print(ptio_root(ckpt), &options, collect, &c, &err);
        assert_int_equal(f.live, 0);
        assert_true(status == PTIO_OK || status == PTIO_ERR_MEMORY);
        assert_int_equal(err.status, status);
    }
    assert_true(n > 3);
    assert_string_equal(c.text, "[Counter({'h': 1, 'e': 1}), 18446744073709551616, [[[]], {1: ()}]]");
    ptio_checkpoint_free(ckpt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(containers),
        cmocka_unit_test(cycles),
        cmocka_unit_test(collections),
        cmocka_unit_test(torch_values),
        cmocka_unit_test(objects),
        cmocka_unit_test(limits_of_items_and_depth),
        cmocka_unit_test(billion_laughs),
        cmocka_unit_test(ints_beyond_python),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(ten_million_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
