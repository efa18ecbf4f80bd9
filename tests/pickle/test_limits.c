/*
 * What a hostile pickle may cost: heap, depth, lines, names, digits.
 */
#include <pthread.h>
#include <stdlib.h>

#include "pickle/run.h"
#include "support/share.h"

/* ---- floods ---- */

#define PER_BYTE 32
#define BASE ((uint64_t)1 << 20)

/* Opcodes over and over, behind a beginning that gives them something to work on. */
static const struct {
    const char *begin;
    size_t begin_size;
    const char *flood;
    size_t flood_size;
    bool may_be_refused; /* no pickler writes so much of it that it must fit */
} floods[] = {
    {PICKLE(""), PICKLE("N"), false},
    {PICKLE(""), PICKLE("]"), false},
    {PICKLE(""), PICKLE("}"), false},
    {PICKLE(""), PICKLE("\x8f"), false},
    {PICKLE(""), PICKLE(")"), false},
    {PICKLE(""), PICKLE("("), false},
    {PICKLE("N"), PICKLE("2"), false},
    {PICKLE("N"), PICKLE("\x85"), false},
    {PICKLE("N"), PICKLE("\x94"), false},
    {PICKLE("N"), PICKLE("Q"), true},
    {PICKLE("cm\nn\n)R"), PICKLE("Nb"), false},
    {PICKLE("cm\nn\n)R"), PICKLE("Na"), false},
    {PICKLE("cm\nn\n)R"), PICKLE("NNs"), false},
    {PICKLE("cm\nn\n"), PICKLE("2)R"), false},
    {PICKLE("cm\nn\n"), PICKLE("2)RNb"), false},
    {PICKLE("]"), PICKLE("Na"), false},
    {PICKLE("](N"), PICKLE("N"), false},
    {PICKLE("}"), PICKLE("NNs"), false},
    {PICKLE("]"), PICKLE("]\x94"), false},
    {PICKLE("N"), PICKLE("K\1"), false},
    {PICKLE("N"), PICKLE("M\xff\xff"), false},
    {PICKLE("N"), PICKLE("J\xff\xff\xff\xff"), false},
    {PICKLE("N"), PICKLE("\x8a\0"), false},
    {PICKLE("N"), PICKLE("U\0"), true},
    {PICKLE("N"), PICKLE("C\0"), false},
    {PICKLE("N"), PICKLE("\x8c\0"), false},
    {PICKLE("N"), PICKLE("X\0\0\0\0"), false},
    {PICKLE("N"), PICKLE("(t"), false},
    {PICKLE("N"), PICKLE("(l"), false},
    {PICKLE("N"), PICKLE("(d"), false},
    {PICKLE("N"), PICKLE("(\x91"), false},
    {PICKLE("N"), PICKLE("P\n"), true},
    {PICKLE("N"), PICKLE("c\n\n"), true},
    {PICKLE("N"), PICKLE("(i\n\n"), true},
    {PICKLE("N"), PICKLE("I7\n"), false},
    {PICKLE("N"), PICKLE("F1\n"), false},
    {PICKLE("N"), PICKLE("V\n"), false},
    {PICKLE("N"), PICKLE("S''\n"), false},
    {PICKLE("\x8c\1aq\0"), PICKLE("h\0h\0\x93"), false},
    {PICKLE("cm\nn\nq\0"), PICKLE("(h\0o"), false},
    {PICKLE("N"), PICKLE("\x80\2"), false},
};
#define FLOODS (sizeof floods / sizeof *floods)

static uint8_t *make_flood(size_t i, size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, floods[i].begin, floods[i].begin_size);
    size_t at = floods[i].begin_size;
    for (; at + floods[i].flood_size < size; at += floods[i].flood_size)
        memcpy(bytes + at, floods[i].flood, floods[i].flood_size);
    memset(bytes + at, '.', size - at);
    return bytes;
}

static void run_flood(size_t i, size_t size)
{
    uint8_t *bytes = make_flood(i, size);
    run r = {.heap_limit = PER_BYTE * size + BASE};
    run_begin(&r, bytes, size);
    assert_true(r.memory.most <= PER_BYTE * size + BASE + 4096); /* the hooks also count the codec */
    bool stack_only = r.status == PTIO_ERR_FORMAT && strcmp(r.err.reason, "pickle.stack") == 0 && r.err.offset + 1 >= size - 4;
    if (r.status != PTIO_OK && !stack_only) {
        if (!floods[i].may_be_refused || r.status != PTIO_ERR_LIMIT || strcmp(r.err.reason, "limit.heap") != 0)
            fail_msg("flood %zu of %zu bytes at byte %llu: %s", i, size, (unsigned long long)r.err.offset, r.err.message);
    }
    run_end(&r);
    free(bytes);
}

static void floods_stay_in_the_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLOODS; i++) {
        run_flood(i, 10000);
        run_flood(i, 100000);
        run_flood(i, 2000000);
    }
}

/* A number of the memo costs nothing: neither a large one nor many of them. */
static void far_memo_numbers_are_cheap(void **state)
{
    (void)state;
    enum { PUTS = 20000 };
    uint8_t *bytes = malloc(PUTS * 5 + 2);
    assert_non_null(bytes);
    bytes[0] = 'N';
    for (uint32_t i = 0; i < PUTS; i++) {
        uint32_t number = 0xFFFFFFFF - i * 65537;
        uint8_t put[5] = {'r', (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16), (uint8_t)(number >> 24)};
        memcpy(bytes + 1 + 5 * i, put, 5);
    }
    bytes[1 + 5 * PUTS] = '.';
    run r = {.heap_limit = PER_BYTE * (PUTS * 5 + 2)};
    run_begin(&r, bytes, PUTS * 5 + 2);
    assert_int_equal(r.status, PTIO_OK);
    run_end(&r);
    free(bytes);
}

static void budget_is_named(void **state)
{
    (void)state;
    uint8_t *bytes = make_flood(0, 100000);
    run r = {.heap_limit = 50000};
    run_begin(&r, bytes, 100000);
    assert_int_equal(r.status, PTIO_ERR_LIMIT);
    assert_string_equal(r.err.reason, "limit.heap");
    assert_string_equal(r.err.context, "NONE");
    assert_true(r.err.offset < 50000 / sizeof(void *));
    run_end(&r);
    free(bytes);
}

/* ---- depth ---- */

typedef struct nested {
    size_t levels;
    char open[4], close[4];
    bool good;
} nested;

static void *run_nested(void *ctx)
{
    nested *n = ctx;
    size_t open = strlen(n->open), close = strlen(n->close), size = n->levels * (open + close) + 2;
    uint8_t *bytes = malloc(size), *p = bytes;
    if (!bytes)
        return NULL;
    for (size_t i = 0; i < n->levels; i++, p += open)
        memcpy(p, n->open, open);
    *p++ = 'N';
    for (size_t i = 0; i < n->levels; i++, p += close)
        memcpy(p, n->close, close);
    *p = '.';
    /* Not run_begin(): this thread has little stack, and cmocka's assertions are another thread's. */
    static const ptio_limits limits = {.pickle_bytes = 1 << 30, .line_bytes = 64, .name_bytes = 64};
    ptio_heap heap;
    ptio_arena arena;
    ptio_heap_init(&heap, NULL, PER_BYTE * size + BASE);
    ptio_arena_init(&arena, &heap);
    ptio_graph graph = {.arena = &arena};
    ptio_error err = {0};
    ptio_vm_options options = {.limits = &limits};
    ptio_status status = ptio_vm_run(bytes, size, &options, &heap, &graph, &err);
    if (status == PTIO_OK)
        status = ptio_graph_index_keys(&graph, &heap, &err);
    ptio_arena_free(&arena);
    free(bytes);
    n->good = status == PTIO_OK && heap.used == 0;
    return NULL;
}

static void run_on_small_stack(nested *n)
{
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 64 << 10), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_nested, n), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
    assert_true(n->good);
}

static size_t levels(void)
{
    return (size_t)test_share_of(10000000, 1000);
}

static void depth_takes_no_stack(void **state)
{
    (void)state;
    run_on_small_stack(&(nested){.levels = levels(), .open = "]", .close = "a"});
    run_on_small_stack(&(nested){.levels = levels(), .open = "(", .close = "t"});
    run_on_small_stack(&(nested){.levels = levels(), .open = "", .close = "\x85"});
    run_on_small_stack(&(nested){.levels = levels(), .open = "}N", .close = "s"});
}

/* A tuple of that depth as a key: hashed, and compared with its twin. */
static void deep_keys_take_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    uint8_t *bytes = malloc(2 * DEPTH + 8), *p = bytes;
    assert_non_null(bytes);
    *p++ = '}';
    *p++ = '(';
    for (int key = 0; key < 2; key++) {
        *p++ = 'N';
        memset(p, 0x85, DEPTH);
        p += DEPTH;
        *p++ = 'N';
    }
    *p++ = 'u';
    *p++ = '.';
    run r = {.fail_at = 0};
    run_begin(&r, bytes, (size_t)(p - bytes));
    assert_int_equal(r.status, PTIO_OK);
    assert_int_equal(ptio_dict_count(PTIO_NODE(dict, r.graph.root)), 1);
    run_end(&r);
    free(bytes);
}

/* ---- limits of their own, at -1, 0 and +1 ---- */

static ptio_status status_under(ptio_limits limits, const char *bytes, size_t size, const char *reason)
{
    run r = {.limits = limits};
    run_begin(&r, bytes, size);
    if (r.status != PTIO_OK)
        assert_string_equal(r.err.reason, reason);
    ptio_status status = r.status;
    uint64_t at = 0, need = 0;
    ptio_status scanned = ptio_pickle_scan(r.bytes, size, &r.limits, &at, &need, NULL);
    /* Scanning knows neither names nor digits. */
    if (strcmp(reason, "limit.name-bytes") != 0 && strcmp(reason, "limit.int-digits") != 0)
        assert_int_equal(scanned, status);
    run_end(&r);
    return status;
}

static void pickle_bytes(void **state)
{
    (void)state;
    for (uint64_t limit = 1; limit < 7; limit++)
        assert_int_equal(status_under((ptio_limits){.pickle_bytes = limit}, PICKLE("\x80\2K\1."), "limit.pickle-bytes"),
                         limit < 5 ? PTIO_ERR_LIMIT : PTIO_OK);
    /* What follows the pickle does not count. */
    assert_int_equal(status_under((ptio_limits){.pickle_bytes = 2}, PICKLE("N.NNNN"), ""), PTIO_OK);
}

static void line_bytes(void **state)
{
    (void)state;
    for (uint64_t limit = 3; limit < 6; limit++) {
        ptio_status expected = limit < 4 ? PTIO_ERR_LIMIT : PTIO_OK;
        assert_int_equal(status_under((ptio_limits){.line_bytes = limit}, PICKLE("I1234\n."), "limit.line-bytes"), expected);
        assert_int_equal(status_under((ptio_limits){.line_bytes = limit}, PICKLE("Vabcd\n."), "limit.line-bytes"), expected);
        assert_int_equal(status_under((ptio_limits){.line_bytes = limit}, PICKLE("ca\nabcd\n."), "limit.line-bytes"), expected);
    }
}

static void name_bytes(void **state)
{
    (void)state;
    for (uint64_t limit = 6; limit < 9; limit++) {
        ptio_status expected = limit < 7 ? PTIO_ERR_LIMIT : PTIO_OK;
        assert_int_equal(status_under((ptio_limits){.name_bytes = limit}, PICKLE("cabc\nabcd\n."), "limit.name-bytes"), expected);
        assert_int_equal(status_under((ptio_limits){.name_bytes = limit}, PICKLE("(iabc\nabcd\n."), "limit.name-bytes"),
                         expected);
        assert_int_equal(status_under((ptio_limits){.name_bytes = limit}, PICKLE("\x8c\3abc\x8c\4abcd\x93."), "limit.name-bytes"),
                         expected);
    }
}

static void int_digits(void **state)
{
    (void)state;
    char bytes[4310];
    for (size_t digits = 4299; digits <= 4301; digits++) {
        bytes[0] = 'L';
        memset(bytes + 1, '9', digits);
        memcpy(bytes + 1 + digits, "L\n.", 3);
        assert_int_equal(status_under((ptio_limits){.line_bytes = 0}, bytes, digits + 4, "limit.int-digits"),
                         digits <= 4300 ? PTIO_OK : PTIO_ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_stay_in_the_budget),
        cmocka_unit_test(far_memo_numbers_are_cheap),
        cmocka_unit_test(budget_is_named),
        cmocka_unit_test(depth_takes_no_stack),
        cmocka_unit_test(deep_keys_take_no_stack),
        cmocka_unit_test(pickle_bytes),
        cmocka_unit_test(line_bytes),
        cmocka_unit_test(name_bytes),
        cmocka_unit_test(int_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
