/*
 * Whole modules: named_modules() and state_dict() from the state alone; modules in two places, in themselves, and too many.
 */
#include "support/build.h"
#include "support/held.h"

#define STATE(parameters, buffers, modules) \
    "} ( 'training' True '_parameters' } ( " parameters "u '_buffers' } ( " buffers "u '_modules' } ( " modules "u u b "
#define MODULE(class, parameters, buffers, modules) "c:" class " ) NEW " STATE(parameters, buffers, modules)

/* The names of modules and of states, each with a space behind it. */
static void assert_module(const loaded *l, const char *modules, const char *states)
{
    ptio_module *m = NULL;
    ptio_error err = {0};
    char text[1000];
    size_t size = 0;
    if (ptio_module_open(l->ckpt, l->root, &m, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    text[0] = '\0';
    for (size_t i = 0; i < ptio_module_count(m); i++) {
        const ptio_module_entry *e = ptio_module_entry_at(m, i);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s:%.*s ", (int)e->name.size, e->name.bytes,
                                 (int)e->class_name.size, e->class_name.bytes);
        assert_true(ptio_value_is_module(e->value));
        assert_true(e->training);
    }
    assert_string_equal(text, modules);
    size = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ptio_module_state_count(m); i++) {
        const ptio_module_state *s = ptio_module_state_at(m, i);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s ", (int)s->name.size, s->name.bytes);
        assert_int_not_equal(ptio_value_kind(s->value), PTIO_KIND_NONE);
    }
    assert_string_equal(text, states);
    assert_null(ptio_module_entry_at(m, ptio_module_count(m)));
    assert_null(ptio_module_state_at(m, ptio_module_state_count(m)));
    ptio_module_free(m);
}

static void order_is_that_of_state_dict(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, MODULE("my:Net", "'p2' 1 'p1' 2 'none' N ", "'b' 3 'gone' N ",
                    "'fc' " MODULE("my:Fc", "'weight' 4 ", "",
                                   "'deep' " MODULE("my:Deep", "'w' 5 ", "",
                                                    "")) "'empty' N 'conv' " MODULE("my:Conv", "'weight' 6 ", "", "")));
    assert_module(&l, ":my.Net fc:my.Fc fc.deep:my.Deep conv:my.Conv ", "p2 p1 b fc.weight fc.deep.w conv.weight ");
    loaded_free(&l);
}

static void buffers_may_stay_out(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l,
         "c:my:Net ) NEW } ( 'training' True '_parameters' } '_buffers' } ( 'kept' 1 'left' 2 u '_non_persistent_buffers_set' "
         "c:builtins:set ] 'left' a 1t R '_modules' } u b");
    assert_module(&l, ":my.Net ", "kept ");
    loaded_free(&l);
}

/* A hundred names and more, of which every second stays out; another module has a set of its own. */
static void many_buffers_may_stay_out(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_module *m = NULL;
    pickle(&l.pickle,
           "proto2 c:my:Net ) NEW } ( 'training' True '_parameters' } '_non_persistent_buffers_set' c:builtins:set ] ( ");
    for (int i = 0; i < 300; i += 2)
        pickle(&l.pickle, "'b%d' ", i);
    pickle(&l.pickle, "e 1t R '_buffers' } ( ");
    for (int i = 0; i < 300; i++)
        pickle(&l.pickle, "'b%d' %d ", i, i);
    pickle(&l.pickle, "u '_modules' } 'child' c:my:Net ) NEW } ( 'training' True '_parameters' } '_modules' } '_buffers' } "
                      "( 'b2' 1 'b3' 2 u '_non_persistent_buffers_set' c:builtins:set ] 'b3' a 1t R u b s u b .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_module_open(l.ckpt, ptio_root(l.ckpt), &m, NULL), PTIO_OK);
    assert_int_equal(ptio_module_state_count(m), 151);
    assert_memory_equal(ptio_module_state_at(m, 0)->name.bytes, "b1", 2);
    assert_memory_equal(ptio_module_state_at(m, 149)->name.bytes, "b299", 4);
    assert_memory_equal(ptio_module_state_at(m, 150)->name.bytes, "child.b2", 8);
    ptio_module_free(m);
    loaded_free(&l);
}

/* named_modules() tells a module once; state_dict() tells all its places. */
static void shared_modules_are_named_once(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, MODULE("my:Net", "", "", "'a' " MODULE("my:Tied", "'w' 1 ", "", "") "p7 'b' g7 "));
    assert_module(&l, ":my.Net a:my.Tied ", "a.w b.w ");
    loaded_free(&l);
}

static void old_and_odd_modules(void **state)
{
    (void)state;
    loaded l = {0};
    /* OrderedDicts, no _non_persistent_buffers_set; children that are none */
    load(&l, "c:my:Net ) NEW } ( 'training' True '_parameters' c:collections:OrderedDict ) R 'w' 1 s '_buffers' "
             "c:collections:OrderedDict ) R "
             "'_modules' c:collections:OrderedDict ) R ( 'x' 7 'y' c:my:Other ) NEW 3 4 u u b");
    assert_module(&l, ":my.Net ", "w ");
    ptio_module *m = NULL;
    load(&l, "c:my:Net ) NEW } ( '_parameters' } '_buffers' } u b");
    assert_false(ptio_value_is_module(l.root));
    assert_int_equal(ptio_module_open(l.ckpt, l.root, &m, NULL), PTIO_ERR_ARGUMENT);
    assert_null(m);
    load(&l, "c:my:Net ) NEW } ( '_parameters' N '_buffers' } '_modules' } u b");
    assert_false(ptio_value_is_module(l.root));
    assert_int_equal(ptio_module_count(NULL) + ptio_module_state_count(NULL), 0);
    assert_null(ptio_module_entry_at(NULL, 0));
    assert_null(ptio_module_state_at(NULL, 0));
    ptio_module_free(NULL);
    loaded_free(&l);
}

/* ---- hostile ones ---- */

/* That opening it fails, and without more than 200 MB. */
static void assert_too_much(loaded *l)
{
    ptio_module *m = NULL;
    ptio_memory memory = {.resize = count_resize};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &memory};
    held = most_held = 0;
    assert_int_equal(load_bytes(l, &l->file, &options), PTIO_OK);
    assert_int_equal(ptio_module_open(l->ckpt, l->root, &m, &l->err), PTIO_ERR_LIMIT);
    assert_true(most_held < 200000000);
    loaded_free(l);
    assert_int_equal(held, 0);
}

static void a_module_that_holds_itself(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "c:my:Net ) NEW p7 } ( 'training' True '_parameters' } 'w' 1 s '_buffers' } '_modules' } 'me' g7 s u b");
    assert_too_much(&l);
    load(&l, "c:my:Net ) NEW p7 " STATE("", "", "'child' " MODULE("my:Child", "'w' 1 ", "", "'parent' g7 ")));
    assert_too_much(&l);
}

/* Forty modules, each twice in the one before: 2^40 places. */
static void modules_in_two_places_each(void **state)
{
    (void)state;
    for (int with_states = 0; with_states < 2; with_states++) {
        loaded l = {0};
        pickle(&l.pickle, "proto2 N p7 x30 ");
        for (int i = 0; i < 40; i++)
            pickle(&l.pickle, MODULE("my:M", "%s", "", "'a' g7 'b' g7 ") "p7 x30 ", with_states ? "'w' 1 " : "");
        pickle(&l.pickle, "g7 .");
        zip_file(&l.file, &l.pickle, NULL, 0);
        assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
        assert_too_much(&l);
    }
}

/* What a module in many places holds is looked at in each of them, though it gives no entries. */
static void places_have_a_budget(void **state)
{
    (void)state;
    loaded l = {0};
    pickle(&l.pickle, "proto2 c:my:M ) NEW } ( 'training' True '_buffers' } '_modules' } '_parameters' } ( ");
    for (int i = 0; i < 4000; i++)
        pickle(&l.pickle, "'p%d' N ", i);
    pickle(&l.pickle, "u u b p7 x30 ");
    for (int i = 0; i < 13; i++)
        pickle(&l.pickle, MODULE("my:M", "", "", "'a' g7 'b' g7 ") "p7 x30 ");
    pickle(&l.pickle, "g7 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_too_much(&l);
}

/* No depth is too deep, only names are too long. */
static void modules_may_be_deep(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_module *m = NULL;
    pickle(&l.pickle, "proto2 N p7 x30 ");
    for (int i = 0; i < 6000; i++)
        pickle(&l.pickle, MODULE("my:M", "'w' 1 ", "", "'a' g7 ") "p7 x30 ");
    pickle(&l.pickle, "g7 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_module_open(l.ckpt, ptio_root(l.ckpt), &m, NULL), PTIO_OK);
    assert_int_equal(ptio_module_state_count(m), 6000);
    assert_int_equal(ptio_module_state_at(m, 5999)->name.size, 2 * 5999 + 1);
    ptio_module_free(m);
    loaded_free(&l);
}

/* A long name at every level, which the names below repeat. */
static void names_have_a_budget(void **state)
{
    (void)state;
    loaded l = {0};
    char *name = malloc(100001);
    assert_non_null(name);
    memset(name, 'n', 100000);
    name[100000] = '\0';
    pickle(&l.pickle, "proto2 '%s' p8 x30 N p7 x30 ", name);
    for (int i = 0; i < 900; i++)
        pickle(&l.pickle, MODULE("my:M", "'w' 1 ", "", "g8 g7 ") "p7 x30 ");
    pickle(&l.pickle, "g7 .");
    zip_file(&l.file, &l.pickle, NULL, 0);
    free(name);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_too_much(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_state_dict),   cmocka_unit_test(buffers_may_stay_out),
        cmocka_unit_test(shared_modules_are_named_once), cmocka_unit_test(old_and_odd_modules),
        cmocka_unit_test(a_module_that_holds_itself),    cmocka_unit_test(modules_in_two_places_each),
        cmocka_unit_test(names_have_a_budget),           cmocka_unit_test(many_buffers_may_stay_out),
        cmocka_unit_test(places_have_a_budget),          cmocka_unit_test(modules_may_be_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
