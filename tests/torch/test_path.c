/*
 * Paths: dots in keys, the longest key, brackets and quotes, indexes from the end, attributes, modules, parts of tensors.
 */
#include "support/build.h"

static int64_t number_at(const loaded *l, const char *path)
{
    int64_t number = -999;
    (void)ptio_value_int(ptio_at(l->ckpt, path), &number);
    return number;
}

static void names_are_joined_by_dots(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'a' } 'b' } 'c' 1 s s 'list' ] ( 10 11 ] 12 a e 'tuple' ( 20 21 t 5 50 u");
    assert_ptr_equal(ptio_at(l.ckpt, ""), l.root);
    assert_int_equal(number_at(&l, "a.b.c"), 1);
    assert_ptr_equal(ptio_value_at(l.ckpt, ptio_at(l.ckpt, "a"), "b.c"), ptio_at(l.ckpt, "a.b.c"));
    assert_int_equal(number_at(&l, "list.0"), 10);
    assert_int_equal(number_at(&l, "list[1]"), 11);
    assert_int_equal(number_at(&l, "list[2][0]"), 12);
    assert_int_equal(number_at(&l, "list.2.0"), 12);
    assert_int_equal(number_at(&l, "list[-2]"), 11);
    assert_int_equal(number_at(&l, "list.-1.-1"), 12);
    assert_int_equal(number_at(&l, "tuple[1]"), 21);
    assert_int_equal(number_at(&l, "5"), 50);
    assert_int_equal(number_at(&l, "[5]"), 50);
    static const char *const nowhere[] = {
        "b",      "a.b.c.d", "a.c",    "list[3]", "list[-4]", "list[x]", "list[",
        "list[0", "list[]",  "list.x", "[6]",     "tuple[2]", "a.b[0]",  "list[99999999999999999999]",
        "['a",    "['a'",    "['a']x", "5.0",     "."};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        if (ptio_at(l.ckpt, nowhere[i]))
            fail_msg("something is at %s", nowhere[i]);
    assert_null(ptio_value_at(l.ckpt, NULL, "a"));
    assert_null(ptio_value_at(l.ckpt, NULL, ""));
    loaded_free(&l);
}

static void the_longest_key_wins(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'a' } 'b.c' 1 s 'a.b' } 'c' 2 s 'x.y' 3 'x' } 'y' 4 s 'w[0]' 5 'w' ] 6 a u");
    assert_int_equal(number_at(&l, "a.b.c"), 2);
    assert_int_equal(number_at(&l, "['a'].b.c"), 1);
    assert_int_equal(number_at(&l, "['a']['b.c']"), 1);
    assert_int_equal(number_at(&l, "x.y"), 3);
    assert_int_equal(number_at(&l, "['x'].y"), 4);
    assert_int_equal(number_at(&l, "w[0]"), 5);
    assert_int_equal(number_at(&l, "['w'][0]"), 6);
    loaded_free(&l);
}

static void quotes_hold_any_key(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'it\\qs' 1 'a\"b' 2 'a\\x5cb' 3 '' 4 ']' 5 'a]' 6 '7' 7 7 8 u");
    assert_int_equal(number_at(&l, "[\"it's\"]"), 1);
    assert_int_equal(number_at(&l, "['it\\'s']"), 1);
    assert_int_equal(number_at(&l, "['a\"b']"), 2);
    assert_int_equal(number_at(&l, "['a\\\\b']"), 3);
    assert_int_equal(number_at(&l, "['']"), 4);
    assert_int_equal(number_at(&l, "[']']"), 5);
    assert_int_equal(number_at(&l, "['a]']"), 6);
    assert_int_equal(number_at(&l, "['7']"), 7);
    assert_int_equal(number_at(&l, "[7]"), 8);
    assert_int_equal(number_at(&l, "7"), 7);
    loaded_free(&l);
}

static void paths_end_somewhere(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'a' 1 s");
    char long_path[9000];
    for (size_t size = 1; size < sizeof long_path; size += 997) {
        memset(long_path, 'a', size);
        long_path[size] = '\0';
        assert_int_equal(ptio_at(l.ckpt, long_path) != NULL, size == 1);
        memset(long_path, '.', size);
        assert_null(ptio_at(l.ckpt, long_path));
        memset(long_path, '[', size);
        assert_null(ptio_at(l.ckpt, long_path));
        memset(long_path, '\'', size);
        long_path[0] = '[';
        assert_null(ptio_at(l.ckpt, long_path));
    }
    assert_null(ptio_at(l.ckpt, NULL));
    assert_null(ptio_value_at(l.ckpt, l.root, NULL));
    loaded_free(&l);
}

static void paths_have_4096_bytes_at_most(void **state)
{
    (void)state;
    loaded l = {0};
    char key[4097] = "", path[4098];
    memset(key, 'k', 4095);
    load(&l, "} ( '%s' 1 '%sk' 2 u", key, key);
    (void)snprintf(path, sizeof path, "%s", key);
    assert_int_equal(number_at(&l, path), 1);
    (void)snprintf(path, sizeof path, "%sk", key);
    assert_int_equal(number_at(&l, path), 2);
    (void)snprintf(path, sizeof path, "%skk", key);
    assert_null(ptio_at(l.ckpt, path));
    (void)snprintf(path, sizeof path, "%s.", key);
    assert_int_equal(number_at(&l, path), 1);
    loaded_free(&l);
}

static void attributes_and_slots_have_names(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'o' c:my:Both ) NEW } ( 'x' 3 'both' 1 u } ( 'y' 4 'both' 2 u 2t b 'd' c:collections:OrderedDict ) R 'k' 5 s } "
             "( 'k' 6 "
             "'_metadata' 7 u b u");
    assert_int_equal(number_at(&l, "o.x"), 3);
    assert_int_equal(number_at(&l, "o.y"), 4);
    assert_int_equal(number_at(&l, "o.both"), 1);
    assert_int_equal(number_at(&l, "d.k"), 5);
    assert_int_equal(number_at(&l, "d._metadata"), 7);
    assert_null(ptio_at(l.ckpt, "o['x']"));
    loaded_free(&l);
}

#define MODULE(class, parameters, buffers, modules)                                                   \
    "c:" class " ) NEW } ( 'training' True '_parameters' } ( " parameters "u '_buffers' } ( " buffers \
               "u '_modules' } ( " modules "u u b "

static void modules_go_by_their_state_dict(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'net' " MODULE("my:Net", "'scale' 1 ", "'mean' 2 ",
                               "'fc' " MODULE("torch.nn.modules.linear:Linear", "'weight' 3 'bias' N ", "",
                                              "") "'0' " MODULE("my:Sub", "'w' 4 ", "", "")) "s");
    assert_int_equal(number_at(&l, "net.scale"), 1);
    assert_int_equal(number_at(&l, "net.mean"), 2);
    assert_int_equal(number_at(&l, "net.fc.weight"), 3);
    assert_int_equal(number_at(&l, "net.0.w"), 4);
    assert_int_equal(number_at(&l, "net._modules.fc._parameters.weight"), 3);
    assert_true(ptio_value_bool(ptio_at(l.ckpt, "net.training")));
    assert_int_equal(ptio_value_kind(ptio_at(l.ckpt, "net.fc.bias")), PTIO_KIND_NONE);
    assert_true(ptio_value_is_module(ptio_at(l.ckpt, "net.fc")));
    assert_null(ptio_at(l.ckpt, "net.fc.w"));
    loaded_free(&l);
}

static void parts_of_tensors_have_names(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l,
         "} 'w' c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_csr' 1t R ( " LONG_TENSOR(
             0, 3) LONG_TENSOR(0, 2) TENSOR(1, 2) "2 4 2t t 2t R s");
    assert_int_equal(ptio_tensor_numel(ptio_value_tensor(ptio_at(l.ckpt, "w.crow"))), 3);
    assert_int_equal(ptio_tensor_dtype(ptio_value_tensor(ptio_at(l.ckpt, "w.values"))), PTIO_FLOAT32);
    assert_null(ptio_at(l.ckpt, "w.indices"));
    loaded_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_joined_by_dots),
        cmocka_unit_test(the_longest_key_wins),
        cmocka_unit_test(quotes_hold_any_key),
        cmocka_unit_test(paths_end_somewhere),
        cmocka_unit_test(paths_have_4096_bytes_at_most),
        cmocka_unit_test(attributes_and_slots_have_names),
        cmocka_unit_test(modules_go_by_their_state_dict),
        cmocka_unit_test(parts_of_tensors_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
