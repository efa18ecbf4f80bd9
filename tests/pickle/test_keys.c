/*
 * Keys of dicts: equal ones merge as in Python, lookups find them, hostile ones cost little.
 */
#include "base/text.h"
#include "pickle/run.h"

static const ptio_node_dict *root(const run *r)
{
    return PTIO_NODE(dict, r->graph.root);
}

/* Run a pickle, index its keys, and settle those that are or hold objects or frozensets. */
static void begin_settled(run *r, const void *bytes, size_t size)
{
    run_begin(r, bytes, size);
    assert_int_equal(r->status, PTIO_OK);
    assert_int_equal(ptio_graph_settle_keys(&r->graph, &r->heap, &r->err), PTIO_OK);
}

/* ---- equality ---- */

#define SAME(a, b)                               \
    {                                            \
        a, sizeof(a) - 1, b, sizeof(b) - 1, true \
    }
#define OTHER(a, b)                               \
    {                                             \
        a, sizeof(a) - 1, b, sizeof(b) - 1, false \
    }

static const struct {
    const char *a;
    size_t a_size;
    const char *b;
    size_t b_size;
    bool same;
} pairs[] = {
    SAME("K\1", "\x88"),
    SAME("K\0", "\x89"),
    SAME("K\1", "G\x3f\xf0\0\0\0\0\0\0"),
    SAME("\x88", "G\x3f\xf0\0\0\0\0\0\0"),
    SAME("G\0\0\0\0\0\0\0\0", "G\x80\0\0\0\0\0\0\0"), /* 0.0, -0.0 */
    SAME("K\0", "G\x80\0\0\0\0\0\0\0"),
    SAME("J\xff\xff\xff\xff", "\x8a\1\xff"),
    SAME("J\xff\xff\xff\xff", "G\xbf\xf0\0\0\0\0\0\0"),
    SAME("\x8a\11\0\0\0\0\0\0\0\0\1", "G\x43\xf0\0\0\0\0\0\0"),   /* 2^64 */
    SAME("\x8a\11\0\0\0\0\0\0\0\0\xff", "G\xc3\xf0\0\0\0\0\0\0"), /* -2^64 */
    SAME("\x8a\11\0\0\0\0\0\0\0\x80\0", "G\x43\xe0\0\0\0\0\0\0"), /* 2^63 */
    SAME("\x8a\10\0\0\0\0\0\0\0\x80", "G\xc3\xe0\0\0\0\0\0\0"),   /* -2^63 */
    SAME("\x8a\11\0\0\0\0\0\0\0\0\1", "L18446744073709551616L\n"),
    SAME("G\x7f\xf0\0\0\0\0\0\0", "Finf\n"),
    SAME("X\1\0\0\0a", "\x8c\1a"),
    SAME("X\1\0\0\0a", "U\1a"),
    SAME("C\1a", "B\1\0\0\0a"),
    SAME("cm\nn\n", "\x8c\1m\x8c\1n\x93"),
    SAME("N", "N"),
    SAME(")", ")"),
    SAME("K\1K\2\x86", "\x88G\x40\0\0\0\0\0\0\0\x86"),
    SAME("K\1\x85\x85N\x86", "\x88\x85\x85N\x86"),
    OTHER("G\x7f\xf8\0\0\0\0\0\0", "G\x7f\xf8\0\0\0\0\0\0"),                     /* NaN */
    OTHER("\x8a\11\xff\xff\xff\xff\xff\xff\xff\xff\0", "G\x43\xf0\0\0\0\0\0\0"), /* 2^64 - 1, 2^64 */
    OTHER("G\x3f\xe0\0\0\0\0\0\0", "K\0"),
    OTHER("G\x7f\xf0\0\0\0\0\0\0", "G\xff\xf0\0\0\0\0\0\0"),
    OTHER("X\1\0\0\0a", "C\1a"),
    OTHER("X\1\0\0\0001", "K\1"),
    OTHER("cm\nn\n", "cm\no\n"),
    OTHER("cmn\no\n", "cm\nno\n"),
    OTHER("cm\nn\n)R", "cm\nn\n)R"), /* objects are keys by identity */
    OTHER("K\1Q", "K\1Q"),
    SAME("(K\1\x91", "(\x88\x91"), /* frozensets: equal items, in any order, each once */
    SAME("(K\1K\2K\3\x91", "(K\3K\1K\2K\1\x91"),
    SAME("(K\1(K\2K\3\x91\x91", "((K\3K\2\x91K\1\x91"),
    SAME("(K\1K\2\x86K\2K\1\x86\x91", "(K\2K\1\x86K\1K\2\x86\x91"),
    SAME("(K\1K\2\x91\x85", "(K\2K\1\x91\x85"),
    SAME("(\x91", "(\x91"),
    OTHER("(K\1\x91", "(K\2\x91"),
    OTHER("(K\1\x91", "(K\1K\2\x91"),
    OTHER("(K\1\x91", "K\1\x85"),
    OTHER("(K\1\x91", "K\1"),
    OTHER("(K\1K\2\x86\x91", "(K\2K\1\x86\x91"),
    OTHER("((K\1\x91K\2\x91", "((K\2\x91K\1\x91"),
    OTHER("(K\1K\2\x91\x85", "(K\1K\3\x91\x85"),
    OTHER("(\x91", ")"),
    OTHER("K\1\x85", "K\1"),
    OTHER("K\1\x85", "K\1K\1\x86"),
    OTHER("K\1K\2\x86", "K\2K\1\x86"),
    OTHER("N", "\x89"),
    OTHER("N", ")"),
};

/* Both keys in one dict, behind `fill` others, which decide whether it is searched or indexed. */
static size_t count_with(size_t i, size_t fill, const char **seen)
{
    char bytes[256];
    size_t n = 0;
    bytes[n++] = '}';
    bytes[n++] = '(';
    for (size_t j = 0; j < fill; j++) {
        static const char filler[] = "M\0\2N";
        memcpy(bytes + n, filler, 4);
        bytes[n + 1] = (char)j;
        n += 4;
    }
    memcpy(bytes + n, pairs[i].a, pairs[i].a_size);
    n += pairs[i].a_size;
    memcpy(bytes + n, "K\1", 2);
    n += 2;
    memcpy(bytes + n, pairs[i].b, pairs[i].b_size);
    n += pairs[i].b_size;
    memcpy(bytes + n, "K\2u.", 4);
    n += 4;
    run r = {.fail_at = 0};
    begin_settled(&r, bytes, n);
    size_t count = ptio_dict_count(root(&r)) - fill;
    *seen = run_text(ptio_dict_value(root(&r), fill));
    run_end(&r);
    return count;
}

static void equal_keys_merge(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t fill = 0; fill <= 30; fill += 10) {
            const char *first;
            if (count_with(i, fill, &first) != (pairs[i].same ? 1u : 2u))
                fail_msg("pair %zu behind %zu others", i, fill);
            /* The last value stays, at the first place. */
            assert_string_equal(first, pairs[i].same ? "2" : "1");
        }
}

static void one_nan_is_one_key(void **state)
{
    (void)state;
    assert_pickle(PICKLE("}(G\x7f\xf8\0\0\0\0\0\0q\0K\1h\0K\2u."), "{nan: 2}");
}

static void order_is_that_of_first_places(void **state)
{
    (void)state;
    assert_pickle(PICKLE("}(K\1K\12K\2K\13\x88K\14K\3K\15G\x40\0\0\0\0\0\0\0K\16u."), "{1: 12, 2: 14, 3: 13}");
    assert_pickle(PICKLE("}(K\1NK\2NK\3NK\4NK\5NK\6NK\7NK\10NK\11NK\3K\1K\12NK\1K\2u."),
                  "{1: 2, 2: None, 3: 1, 4: None, 5: None, 6: None, 7: None, 8: None, 9: None, 10: None}");
}

/* ---- finding ---- */

static void found_small_and_large(void **state)
{
    (void)state;
    for (unsigned count = 1; count < 60; count++) {
        char bytes[1024];
        size_t n = 0;
        bytes[n++] = '}';
        bytes[n++] = '(';
        for (unsigned i = 0; i < count; i++) {
            /* "k\0i": i, and i: "x" */
            const char entry[] = {'X', 3, 0, 0, 0, 'k', 0, (char)i, 'K', (char)i, 'K', (char)i, 'U', 1, 'x'};
            memcpy(bytes + n, entry, sizeof entry);
            n += sizeof entry;
        }
        bytes[n++] = 'u';
        bytes[n++] = '.';
        run r = {.fail_at = 0};
        run_begin(&r, bytes, n);
        assert_int_equal(r.status, PTIO_OK);
        assert_int_equal(ptio_dict_count(root(&r)), 2 * count);
        for (unsigned i = 0; i < count; i++) {
            const char key[] = {'k', 0, (char)i};
            assert_int_equal(ptio_dict_find_text(root(&r), (ptio_text){key, 3}), 2 * i);
            assert_int_equal(ptio_dict_find_int(root(&r), i), 2 * i + 1);
            assert_ptr_equal(ptio_dict_value(root(&r), 2 * i), ptio_dict_key(root(&r), 2 * i + 1));
        }
        assert_int_equal(ptio_dict_find_int(root(&r), 60), SIZE_MAX);
        assert_int_equal(ptio_dict_find_int(root(&r), -1), SIZE_MAX);
        assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("k")), SIZE_MAX);
        assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("")), SIZE_MAX);
        run_end(&r);
    }
}

static void numbers_are_found_by_value(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("}(\x88NG\x40\0\0\0\0\0\0\0N\x8a\11\0\0\0\0\0\0\0\0\1NG\x3f\xe0\0\0\0\0\0\0NNNu."));
    assert_int_equal(ptio_dict_find_int(root(&r), 1), 0);
    assert_int_equal(ptio_dict_find_int(root(&r), 2), 1);
    assert_int_equal(ptio_dict_find_int(root(&r), 0), SIZE_MAX);
    run_end(&r);
}

static void python2_strings_are_found_by_their_bytes(void **state)
{
    (void)state;
    run r = {.encoding = "bytes"};
    run_begin(&r, PICKLE("}(U\1aK\1C\1bK\2X\1\0\0\0cK\3u."));
    assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("a")), 0);
    assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("b")), SIZE_MAX); /* bytes are no text */
    assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("c")), 2);
    run_end(&r);
}

/* A key of each kind, behind `fill` others, is found by itself and by its twin in another graph; objects by themselves alone. */
static void any_key_is_found(void **state)
{
    (void)state;
    static const char keys[] = "NNK\1NG\x3f\xe0\0\0\0\0\0\0NX\1\0\0\0aNC\1aN)NK\1K\2\x86N(K\1X\1\0\0\0bC\1ctNcm\nn\nN"
                               "(K\5K\6X\2\0\0\0xy\x91N(K\7K\5K\7\x86\x91\x85NG\x7f\xf0\0\0\0\0\0\0N\x8a\11\0\0\0\0\0\0\0\0\1N";
    static const char objects[] = "cm\nn\n)RNG\x7f\xf8\0\0\0\0\0\0NK\1QNu.";
    for (size_t fill = 0; fill <= 30; fill += 15) {
        char bytes[512];
        size_t n = 0, kinds = 13;
        bytes[n++] = '}';
        bytes[n++] = '(';
        for (size_t i = 0; i < fill; i++) {
            static const char filler[] = "M\0\2N";
            memcpy(bytes + n, filler, 4);
            bytes[n + 1] = (char)i;
            n += 4;
        }
        memcpy(bytes + n, keys, sizeof keys - 1);
        n += sizeof keys - 1;
        memcpy(bytes + n, objects, sizeof objects - 1);
        n += sizeof objects - 1;
        run a = {.fail_at = 0}, b = {.fail_at = 0};
        begin_settled(&a, bytes, n);
        begin_settled(&b, bytes, n);
        assert_int_equal(ptio_dict_count(root(&a)), fill + kinds + 3);
        for (size_t i = 0; i < fill + kinds + 3; i++) {
            assert_int_equal(ptio_dict_find_value(root(&a), ptio_dict_key(root(&a), i)), i);
            size_t twin = ptio_dict_find_value(root(&a), ptio_dict_key(root(&b), i));
            assert_int_equal(twin, i < fill + kinds ? i : SIZE_MAX);
        }
        run_end(&a);
        run_end(&b);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const dicts[] = {"}.", "}(K\1NK\2Nu.", "}(K\1NK\2NK\3NK\4NK\5NK\6NK\7NK\10NK\11NK\12Nu."};
    run wanted = {.fail_at = 0};
    run_begin(&wanted, PICKLE("(K\0K\1\x85X\1\0\0\0001C\0011N]}(K\1\x91t."));
    for (size_t d = 0; d < 3; d++) {
        run r = {.fail_at = 0};
        /* Keys of small ints hold a NUL nowhere. */
        run_begin(&r, dicts[d], strlen(dicts[d]));
        assert_int_equal(r.status, PTIO_OK);
        for (size_t i = 0; i < wanted.graph.root->count; i++)
            assert_int_equal(ptio_dict_find_value(root(&r), ptio_tuple_item(wanted.graph.root, i)), SIZE_MAX);
        run_end(&r);
    }
    run_end(&wanted);
}

static void an_empty_dict_has_nothing(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("}."));
    assert_int_equal(ptio_dict_count(root(&r)), 0);
    assert_int_equal(ptio_dict_find_int(root(&r), 0), SIZE_MAX);
    assert_int_equal(ptio_dict_find_text(root(&r), PTIO_TEXT("")), SIZE_MAX);
    run_end(&r);
}

/* A dict that was not made by the machine, with a key that it would not let through. */
static void keys_are_checked_again(void **state)
{
    (void)state;
    run r = {.fail_at = 0};
    run_begin(&r, PICKLE("(]N]\x85\x85Nt."));
    const ptio_node_tuple *items = PTIO_NODE(tuple, r.graph.root);
    for (size_t i = 0; i < 2; i++) {
        ptio_node_dict *dict = ptio_node_new_dict(&r.arena);
        assert_non_null(dict);
        assert_true(ptio_block_append(&r.arena, &dict->block, 0, items->items + 2 * i, 2));
        dict->head.count = 1;
        ptio_graph one = r.graph;
        one.dicts = &dict;
        one.dict_count = 1;
        ptio_error err = {0};
        assert_int_equal(ptio_graph_index_keys(&one, &r.heap, &err), PTIO_ERR_FORMAT);
        assert_string_equal(err.reason, "pickle.unhashable-key");
    }
    run_end(&r);
}

/* ---- hostile keys ---- */

static size_t nest_pairs(char *out, unsigned levels)
{
    size_t n = 0;
    out[n++] = ')';
    for (unsigned i = 0; i < levels; i++) {
        out[n++] = '2';
        out[n++] = (char)0x86;
    }
    return n;
}

/* A tuple that would have 2^40 items written out: hashing it takes forty steps. */
static void a_key_of_many_pairs_is_hashed(void **state)
{
    (void)state;
    char bytes[256] = "}(";
    size_t n = 2 + nest_pairs(bytes + 2, 40);
    memcpy(bytes + n, "Nu.", 3);
    run r = {.fail_at = 0};
    run_begin(&r, bytes, n + 3);
    assert_int_equal(r.status, PTIO_OK);
    run_end(&r);
}

/* Two of them that are equal: comparing would take 2^40 steps. */
static void comparing_such_keys_has_a_budget(void **state)
{
    (void)state;
    char bytes[256] = "}(";
    size_t n = 2 + nest_pairs(bytes + 2, 40);
    bytes[n++] = 'N';
    n += nest_pairs(bytes + n, 40);
    memcpy(bytes + n, "Nu.", 3);
    run r = {.fail_at = 0};
    run_begin(&r, bytes, n + 3);
    assert_int_equal(r.status, PTIO_ERR_LIMIT);
    assert_string_equal(r.err.reason, "limit.key-steps");
    run_end(&r);
}

/* One large tuple as the key of many entries is hashed once and checked once. */
static void a_large_key_used_often_costs_once(void **state)
{
    (void)state;
    enum { ITEMS = 100000, USES = 100000 };
    char *bytes = malloc(ITEMS + 3 * USES + 16), *p = bytes;
    assert_non_null(bytes);
    *p++ = '(';
    memset(p, 'N', ITEMS);
    p += ITEMS;
    memcpy(p, "tq\0000}(", 6);
    p += 6;
    for (int i = 0; i < USES; i++, p += 3)
        memcpy(p, "h\0N", 3);
    memcpy(p, "u.", 2);
    p += 2;
    run r = {.fail_at = 0};
    run_begin(&r, bytes, (size_t)(p - bytes));
    assert_int_equal(r.status, PTIO_OK);
    assert_int_equal(ptio_dict_count(root(&r)), 1);
    run_end(&r);
    free(bytes);
}

/* Looking for a key takes no memory, so what is nested too deep, or takes too many steps, is not found. */
static void finding_has_bounds(void **state)
{
    (void)state;
    for (unsigned depth = PTIO_FIND_DEPTH - 1; depth <= PTIO_FIND_DEPTH; depth++) {
        char bytes[512] = "}(";
        size_t n = 2;
        bytes[n++] = 'N';
        memset(bytes + n, 0x85, depth + 1);
        n += depth + 1;
        for (char i = 0; i < 10; i++) {
            const char entry[] = {'N', 'K', i};
            memcpy(bytes + n, entry, 3);
            n += 3;
        }
        memcpy(bytes + n, "Nu.", 3);
        run r = {.fail_at = 0};
        begin_settled(&r, bytes, n + 3);
        assert_int_equal(ptio_dict_find_value(root(&r), ptio_dict_key(root(&r), 0)), depth < PTIO_FIND_DEPTH ? 0 : SIZE_MAX);
        run_end(&r);
    }
    char bytes[512] = "}(NNNNK\1NK\2NK\3NK\4NK\5NK\6NK\7NK\10NK\11NK\12N";
    size_t n = strlen(bytes);
    n += nest_pairs(bytes + n, 40);
    memcpy(bytes + n, "Nu.", 3);
    run r = {.fail_at = 0};
    begin_settled(&r, bytes, n + 3);
    assert_int_equal(ptio_dict_find_value(root(&r), ptio_dict_key(root(&r), 11)), SIZE_MAX);
    run_end(&r);
}

/* ---- sets ---- */

static void assert_set(const void *bytes, size_t size, size_t items, const char *each_once)
{
    run r = {.fail_at = 0};
    begin_settled(&r, bytes, size);
    size_t count;
    const ptio_value *const *list = ptio_node_items(r.graph.root, &count);
    assert_int_equal(r.graph.root->count, items); /* the file's */
    char text[256] = "";
    for (size_t i = 0; i < count; i++) {
        strcat(text, run_text(list[i]));
        strcat(text, " ");
    }
    assert_string_equal(text, each_once);
    run_end(&r);
}

/* The first of equal items stays, as in Python. */
static void equal_items_of_sets_merge(void **state)
{
    (void)state;
    assert_set(PICKLE("\x8f(K\1K\1\x90."), 2, "1 ");
    assert_set(PICKLE("\x8f(K\1K\2\x90(K\3K\2K\1\x90."), 5, "1 2 3 ");
    assert_set(PICKLE("(\x88K\1G\x3f\xf0\0\0\0\0\0\0\x91."), 3, "True ");
    assert_set(PICKLE("(X\1\0\0\0aC\1aX\1\0\0\0a\x91."), 3, "'a' b'a' ");
    assert_set(PICKLE("\x8f(K\1\x85K\1\x85\x90."), 2, "(1,) ");
    assert_set(PICKLE("((K\1K\2\x91q\0h\0\x94(K\2K\1\x91\x91."), 3, "frozenset{1, 2} ");
    assert_set(PICKLE("(K\0K\1K\2K\3K\4K\5K\6K\7K\10K\11K\3K\0K\12\x91."), 13, "0 1 2 3 4 5 6 7 8 9 10 ");
    assert_set(PICKLE("\x8f."), 0, "");
    assert_set(PICKLE("(\x91."), 0, "");
    assert_set(PICKLE("(K\1K\2\x91."), 2, "1 2 ");
}

static void items_of_sets_must_be_hashable(void **state)
{
    (void)state;
    assert_refused(PICKLE("\x8f(]\x90."), PTIO_ERR_FORMAT, "pickle.unhashable-key", 3);
    assert_refused(PICKLE("(K\1]\x85\x91."), PTIO_ERR_FORMAT, "pickle.unhashable-key", 5);
}

/* Thousand frozensets of one hundred items, of which each two differ in one, are told apart in no time. */
static void frozensets_alike_cost_little(void **state)
{
    (void)state;
    enum { SETS = 1000, ITEMS = 100 };
    char *bytes = malloc(SETS * (ITEMS * 3 + 8) + 8), *p = bytes;
    assert_non_null(bytes);
    *p++ = '}';
    *p++ = '(';
    for (unsigned i = 0; i < SETS; i++) {
        *p++ = '(';
        for (unsigned j = 0; j < ITEMS; j++) {
            unsigned item = j ? (i * 7 + j) % 99 + 1000 : i + 2000; /* the same ninety-nine, turned, and one of its own */
            const char number[] = {'M', (char)item, (char)(item >> 8)};
            memcpy(p, number, 3);
            p += 3;
        }
        memcpy(p, "\x91N", 2);
        p += 2;
    }
    memcpy(p, "u.", 2);
    p += 2;
    run r = {.fail_at = 0};
    begin_settled(&r, bytes, (size_t)(p - bytes));
    assert_int_equal(ptio_dict_count(root(&r)), SETS);
    run_end(&r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_keys_merge),
        cmocka_unit_test(one_nan_is_one_key),
        cmocka_unit_test(order_is_that_of_first_places),
        cmocka_unit_test(found_small_and_large),
        cmocka_unit_test(numbers_are_found_by_value),
        cmocka_unit_test(python2_strings_are_found_by_their_bytes),
        cmocka_unit_test(any_key_is_found),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(an_empty_dict_has_nothing),
        cmocka_unit_test(keys_are_checked_again),
        cmocka_unit_test(a_key_of_many_pairs_is_hashed),
        cmocka_unit_test(comparing_such_keys_has_a_budget),
        cmocka_unit_test(a_large_key_used_often_costs_once),
        cmocka_unit_test(finding_has_bounds),
        cmocka_unit_test(equal_items_of_sets_merge),
        cmocka_unit_test(items_of_sets_must_be_hashable),
        cmocka_unit_test(frozensets_alike_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
