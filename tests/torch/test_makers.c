/*
 * Every maker of Python's own types and objects. The sizes and CRCs of data.pkl are PyTorch 2.13's, for the objects that the comments name.
 */
#include <math.h>

#include "torch/built.h"

typedef const ptio_value *maker(ptio_builder *b);

static const ptio_value *list_of(ptio_builder *b, const ptio_value *const *items, size_t count)
{
    ptio_value *list = ptio_new_list(b);
    for (size_t i = 0; i < count; i++)
        assert_true(ptio_append(b, list, items[i]));
    return list;
}

#define LIST_OF(b, items) list_of(b, items, sizeof(items) / sizeof *(items))

/* [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)] */
static const ptio_value *tuples(ptio_builder *b)
{
    const ptio_value *items[] = {ptio_new_int(b, 1), ptio_new_int(b, 2), ptio_new_int(b, 3), ptio_new_int(b, 4)};
    const ptio_value *all[5];
    for (size_t i = 0; i < 5; i++)
        all[i] = ptio_new_tuple(b, items, i);
    return LIST_OF(b, all);
}

/* t = (1, 2); [t, t] */
static const ptio_value *tuple_twice(ptio_builder *b)
{
    const ptio_value *items[] = {ptio_new_int(b, 1), ptio_new_int(b, 2)}, *tuple = ptio_new_tuple(b, items, 2);
    const ptio_value *all[] = {tuple, tuple};
    return LIST_OF(b, all);
}

/* [b"", b"abc", bytes(range(256)), b"\xff" * 300] */
static const ptio_value *bytes(ptio_builder *b)
{
    unsigned char range[256], same[300];
    for (size_t i = 0; i < 256; i++)
        range[i] = (unsigned char)i;
    memset(same, 0xFF, sizeof same);
    const ptio_value *all[] = {ptio_new_bytes(b, "", 0), ptio_new_bytes(b, "abc", 3), ptio_new_bytes(b, range, 256),
                               ptio_new_bytes(b, same, 300)};
    return LIST_OF(b, all);
}

/* x = b"abcd"; [x, x] */
static const ptio_value *bytes_twice(ptio_builder *b)
{
    const ptio_value *one = ptio_new_bytes(b, "abcd", 4), *all[] = {one, one};
    return LIST_OF(b, all);
}

/* [bytearray(), bytearray(b"ab\xff")] */
static const ptio_value *bytearrays(ptio_builder *b)
{
    const ptio_value *all[] = {ptio_new_bytearray(b, NULL, 0), ptio_new_bytearray(b, "ab\xff", 3)};
    return LIST_OF(b, all);
}

/* [0, -1, 255, 256, -256, 65535, 65536, 2**31 - 1, -2**31, 2**31, 2**63 - 1, -2**63, 2**64, -2**100, 2**2040 - 1] */
static const ptio_value *ints(ptio_builder *b)
{
    static const int64_t numbers[] = {0,         -1,       255, 256, -256, 65535, 65536, INT32_MAX, INT32_MIN, INT64_C(1) << 31,
                                      INT64_MAX, INT64_MIN};
    static const unsigned char two_to_64[9] = {[8] = 1}, minus_two_to_100[13] = {[12] = 0xF0};
    unsigned char large[260]; /* with more zeros than it needs */
    const ptio_value *all[15];
    for (size_t i = 0; i < 12; i++)
        all[i] = ptio_new_int(b, numbers[i]);
    memset(large, 0xFF, 255);
    memset(large + 255, 0, sizeof large - 255);
    all[12] = ptio_new_int_bytes(b, two_to_64, sizeof two_to_64);
    all[13] = ptio_new_int_bytes(b, minus_two_to_100, sizeof minus_two_to_100);
    all[14] = ptio_new_int_bytes(b, large, sizeof large);
    return LIST_OF(b, all);
}

/* [complex(1.5, -2), complex(0.0, -0.0)] */
static const ptio_value *complex_numbers(ptio_builder *b)
{
    const ptio_value *all[] = {ptio_new_complex(b, 1.5, -2), ptio_new_complex(b, 0.0, -0.0)};
    return LIST_OF(b, all);
}

/* frozenset([1, 2, 3]), set([1, 2, 3]): equal members count once */
static const ptio_value *frozenset(ptio_builder *b)
{
    const ptio_value *items[] = {ptio_new_int(b, 1), ptio_new_int(b, 2), ptio_new_float(b, 1), ptio_new_int(b, 3),
                                 ptio_new_bool(b, true)};
    return ptio_new_frozenset(b, items, 5);
}

static const ptio_value *set(ptio_builder *b)
{
    const ptio_value *items[] = {ptio_new_int(b, 1), ptio_new_int(b, 2), ptio_new_int(b, 2), ptio_new_int(b, 3)};
    return ptio_new_set(b, items, 4);
}

/* {None: 1, True: 2, 300: 3, 1.5: 4, b"xy": 5, (1, 2): 6, "text": 7}; True again is the same key, and 300.0 is 300 */
static const ptio_value *keys(ptio_builder *b)
{
    const ptio_value *pair[] = {ptio_new_int(b, 1), ptio_new_int(b, 2)}, *same[] = {ptio_new_int(b, 1), ptio_new_float(b, 2)};
    const ptio_value *all[] = {ptio_new_none(b),       ptio_new_bool(b, true),     ptio_new_int(b, 300),
                               ptio_new_float(b, 1.5), ptio_new_bytes(b, "xy", 2), ptio_new_tuple(b, pair, 2),
                               ptio_new_str(b, "text")};
    ptio_value *dict = ptio_new_dict(b);
    for (int i = 0; i < 7; i++)
        assert_true(ptio_put_key(b, dict, all[i], ptio_new_int(b, i)));
    for (int i = 0; i < 7; i++)
        assert_true(ptio_put_key(b, dict,
                                 i == 2   ? ptio_new_float(b, 300)
                                 : i == 5 ? ptio_new_tuple(b, same, 2)
                                          : all[i],
                                 ptio_new_int(b, i + 1)));
    return dict;
}

/* run.make("text", 1), by its __reduce__. The texts that name it need not stay. */
static const ptio_value *call(ptio_builder *b)
{
    char module[] = "run", name[] = "make";
    const ptio_value *function = ptio_new_global(b, module, name);
    memset(module, '?', sizeof module - 1);
    memset(name, '?', sizeof name - 1);
    const ptio_value *arguments[] = {ptio_new_str(b, "text"), ptio_new_int(b, 1)};
    return ptio_new_call(b, function, ptio_new_tuple(b, arguments, 2), NULL);
}

/* s = run.State(); s.epoch = 3; s.loss = 0.5 */
static const ptio_value *object(ptio_builder *b)
{
    ptio_value *state = ptio_new_dict(b);
    assert_true(ptio_put(b, state, "epoch", ptio_new_int(b, 2)));
    ptio_value *made = (ptio_value *)(uintptr_t)ptio_new_object(b, ptio_new_global(b, "run", "State"), NULL, state);
    assert_true(ptio_set_attribute(b, made, "epoch", ptio_new_int(b, 3)));
    assert_true(ptio_set_attribute(b, made, "loss", ptio_new_float(b, 0.5)));
    return made;
}

/* Pair = namedtuple("Pair", "a b"), in run; Pair(1, 2.5) */
static const ptio_value *named_tuple(ptio_builder *b)
{
    const ptio_value *arguments[] = {ptio_new_int(b, 1), ptio_new_float(b, 2.5)};
    return ptio_new_object(b, ptio_new_global(b, "run", "Pair"), ptio_new_tuple(b, arguments, 2), NULL);
}

/* What __reduce__ tells as (run.make, (1,), {"note": 2}); the 2 was 1 before. */
static const ptio_value *call_with_state(ptio_builder *b)
{
    const ptio_value *argument = ptio_new_int(b, 1);
    ptio_value *state = ptio_new_dict(b);
    assert_true(ptio_put(b, state, "note", ptio_new_int(b, 1)));
    const ptio_value *made = ptio_new_call(b, ptio_new_global(b, "run", "make"), ptio_new_tuple(b, &argument, 1), state);
    assert_true(ptio_put(b, state, "note", ptio_new_int(b, 2)));
    return made;
}

static const ptio_value *object_without_state(ptio_builder *b)
{
    return ptio_new_object(b, ptio_new_global(b, "run", "State"), NULL, NULL);
}

/* [0.0, -0.0, inf, -inf, 1e300, 5e-324] */
static const ptio_value *floats(ptio_builder *b)
{
    static const double numbers[] = {0.0, -0.0, HUGE_VAL, -HUGE_VAL, 1e300, 5e-324};
    const ptio_value *all[6];
    for (size_t i = 0; i < 6; i++)
        all[i] = ptio_new_float(b, numbers[i]);
    return LIST_OF(b, all);
}

/* ["name", "name", "\xe9", "\ud800", "日本", "k" * 256], the two names made apart */
static const ptio_value *strs(ptio_builder *b)
{
    char many[257];
    memset(many, 'k', 256);
    many[256] = '\0';
    const ptio_value *all[] = {ptio_new_str(b, "name"),
                               ptio_new_str(b, "name"),
                               ptio_new_str(b, "\xc3\xa9"),
                               ptio_new_str_n(b, "\xed\xa0\x80", 3),
                               ptio_new_str(b, "\xe6\x97\xa5\xe6\x9c\xac"),
                               ptio_new_str(b, many)};
    return LIST_OF(b, all);
}

/* n = "name"; [n, n] */
static const ptio_value *names(ptio_builder *b)
{
    const ptio_value *all[] = {ptio_new_name(b, "name"), ptio_new_name(b, "name")};
    return LIST_OF(b, all);
}

/* od = OrderedDict(key=1); od.note = 2 */
static const ptio_value *ordered_dict(ptio_builder *b)
{
    ptio_value *dict = ptio_new_ordered_dict(b);
    assert_true(ptio_put(b, dict, "key", ptio_new_int(b, 1)));
    assert_true(ptio_set_attribute(b, dict, "note", ptio_new_int(b, 2)));
    return dict;
}

/* x = [1]; x.append(x) */
static const ptio_value *cycle(ptio_builder *b)
{
    ptio_value *list = ptio_new_list(b);
    assert_true(ptio_append(b, list, ptio_new_int(b, 1)) && ptio_append(b, list, list));
    return list;
}

static void as_pytorch(void **state)
{
    (void)state;
    static const struct {
        maker *make;
        struct {
            uint64_t size;
            uint32_t crc32;
        } by_2, by_4; /* by protocol */
    } rows[] = {
        {tuples, {42, 0xBFF2D7A9}, {46, 0x8E36808B}},
        {tuple_twice, {17, 0xC69416E5}, {24, 0xB36C1A5F}},
        {bytes, {1098, 0x89D55B42}, {593, 0x34C57C67}},
        {bytes_twice, {58, 0x9D165C31}, {25, 0x84A68DB4}},
        {bytearrays, {93, 0xC02B4765}, {56, 0x84E10447}},
        {ints, {357, 0x5A1B7F0C}, {365, 0x69C745EE}},
        {complex_numbers, {81, 0x456727FF}, {85, 0xB8013DC8}},
        {frozenset, {45, 0xA06A5129}, {21, 0x57991056}},
        {set, {39, 0xDE229BAB}, {22, 0xC41C07AF}},
        {keys, {100, 0x7AE01F25}, {62, 0xB236B80A}},
        {call, {34, 0x0EA36B1A}, {40, 0x9E6E395D}},
        {object, {60, 0x4C304A56}, {62, 0x12AAD3D5}},
        {object_without_state, {20, 0x4C055384}, {31, 0xF08F3BD6}},
        {named_tuple, {32, 0x64F8F4E2}, {42, 0x098A288E}},
        {call_with_state, {41, 0xCA9CA931}, {46, 0x3AD367DC}},
        {floats, {62, 0xBB3A371A}, {70, 0x1FD09F09}},
        {strs, {325, 0x2999125A}, {312, 0x93CB5CEC}},
        {names, {21, 0x1AF6AFA2}, {25, 0x7CA235C8}},
        {ordered_dict, {65, 0x17015B80}, {67, 0xDD9862AA}},
        {cycle, {12, 0x762F2305}, {20, 0x3E7C7CEF}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ptio_builder *b = begin();
        const ptio_value *made = rows[i].make(b);
        assert_pickled_by(made, 2, rows[i].by_2.size, rows[i].by_2.crc32);
        assert_pickled_by(made, 4, rows[i].by_4.size, rows[i].by_4.crc32);
        end(b);
    }
}

/* [a, b, a] where a was replaced is [c, b, c]: tuple_twice() with another tuple in between. */
static void replaced(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    ptio_error err = {0};
    ptio_sink *sinks[2];
    ptio_value *was = ptio_new_list(b), *is = ptio_new_list(b);
    const ptio_value *old = ptio_new_str(b, "old"), *by = ptio_new_bytes(b, "new", 3), *other = ptio_new_str(b, "other");
    assert_true(ptio_append(b, was, old) && ptio_append(b, was, other) && ptio_append(b, was, old));
    assert_true(ptio_append(b, is, by) && ptio_append(b, is, other) && ptio_append(b, is, by));
    assert_true(ptio_replace_value(b, old, by));
    sinks[0] = saved(was, &(ptio_save_options){PTIO_SAVE_OPTIONS, .edits = b});
    sinks[1] = saved(is, NULL);
    ptio_text found = ptio_sink_bytes(sinks[0]), expected = ptio_sink_bytes(sinks[1]);
    assert_int_equal(found.size, expected.size);
    assert_memory_equal(found.bytes, expected.bytes, found.size);
    ptio_sink_free(sinks[0]);
    ptio_sink_free(sinks[1]);
    end(b);
    static const char *const reasons[] = {"builder.identity", "builder.cycle", "builder.none"};
    for (size_t i = 0; i < 3; i++) {
        err = (ptio_error){0};
        b = begin();
        old = ptio_new_str(b, "old");
        assert_false(ptio_replace_value(b, i ? old : ptio_new_int(b, 5), i < 2 ? old : NULL));
        assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, reasons[i]);
        ptio_builder_free(b);
    }
}

/* What no maker takes: each is refused with its reason, and everything after it. */
static void refused(void **state)
{
    (void)state;
    static const char *const reasons[] = {"builder.arguments", "builder.none",    "builder.utf8", "builder.key",
                                          "builder.device",    "builder.not-own", "builder.index"};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        ptio_error err = {0};
        ptio_builder *b = begin(), *other = begin();
        const ptio_value *function = ptio_new_global(b, "run", "make");
        ptio_value *dict = ptio_new_dict(b), *foreign = ptio_new_list(other);
        switch (i) {
        case 0: assert_null(ptio_new_call(b, function, dict, NULL)); break;
        case 1: assert_null(ptio_new_object(b, NULL, NULL, dict)); break;
        case 2: assert_null(ptio_new_str_n(b, "\xff", 1)); break;
        case 3: assert_false(ptio_put_key(b, dict, ptio_new_list(b), ptio_new_none(b))); break;
        case 4: assert_null(ptio_new_device(b, "cuda:x")); break;
        case 5: assert_false(ptio_append(b, foreign, ptio_new_none(b))); break;
        default: assert_false(ptio_put_at(b, dict, 0, ptio_new_none(b))); break;
        }
        assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
        assert_string_equal(err.reason, reasons[i]);
        assert_null(ptio_new_list(b));
        ptio_builder_free(other);
        ptio_builder_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pytorch),
        cmocka_unit_test(replaced),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests_name("torch/makers", tests, NULL, NULL);
}
