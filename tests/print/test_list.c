/*
 * The list of tensors: names, paths with keys of all kinds, numbers of storages, totals, ties, composed tensors, modules, attributes;
 * and what a list may cost.
 */
#include <pthread.h>

#include "support/build.h"
#include "support/held.h"

static ptio_tensor_list *list_of(const loaded *l, const ptio_value *from)
{
    ptio_tensor_list *list = NULL;
    ptio_error err = {0};
    if (ptio_list_tensors(l->ckpt, from, &list, &err) != PTIO_OK)
        fail_msg("%s", err.message);
    return list;
}

/* A line for each tensor: name, number of storage, "grad"; path as [index] and <text>. */
static void assert_list(const loaded *l, const char *expected)
{
    char text[4000] = "";
    size_t size = 0;
    ptio_tensor_list *list = list_of(l, NULL);
    for (size_t i = 0; i < ptio_tensor_list_count(list); i++) {
        const ptio_tensor_entry *e = ptio_tensor_list_entry(list, i);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s %d%s", (int)e->name.size, e->name.bytes, (int)e->storage,
                                 e->requires_grad ? " grad" : "");
        for (uint32_t k = 0; k < e->path_count; k++) {
            ptio_path_key key = ptio_tensor_list_path(list, i, k);
            if (key.is_index)
                size += (size_t)snprintf(text + size, sizeof text - size, " [%d]", (int)key.index);
            else
                size += (size_t)snprintf(text + size, sizeof text - size, " <%.*s>", (int)key.text.size, key.text.bytes);
        }
        size += (size_t)snprintf(text + size, sizeof text - size, "\n");
        assert_null(ptio_tensor_list_path(list, i, e->path_count).text.bytes);
        if (e->value)
            assert_ptr_equal(ptio_value_tensor(e->value), e->tensor);
    }
    assert_null(ptio_tensor_list_entry(list, ptio_tensor_list_count(list)));
    ptio_tensor_list_free(list);
    assert_string_equal(text, expected);
}

static void names_are_keys_joined_by_dots(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'w' " TENSOR(0, 4) "'model' } ( 'fc.weight' " LONG_TENSOR(0, 2) "'list' ] ( " TENSOR(1, 1) "N ( " TENSOR(
                 2, 1) "t e u 3 " TENSOR(3, 1) "-4 " TENSOR(3, 1) "u");
    assert_list(&l, "w 0 <w>\n"
                    "model.fc.weight 1 <model> <fc.weight>\n"
                    "model.list.0 0 <model> <list> [0]\n"
                    "model.list.2.0 0 <model> <list> [2] [0]\n"
                    "3 0 [3]\n"
                    "-4 0 [-4]\n");
    load(&l, TENSOR(0, 4));
    assert_list(&l, " 0\n");
    load(&l, "] 1 a");
    assert_list(&l, "");
    assert_int_equal(ptio_tensor_list_count(NULL), 0);
    assert_null(ptio_tensor_list_entry(NULL, 0));
    assert_null(ptio_tensor_list_path(NULL, 0, 0).text.bytes);
    assert_int_equal(ptio_tensor_list_totals(NULL).tensors, 0);
    ptio_tensor_list_free(NULL);
    loaded_free(&l);
}

static void other_keys_are_as_python_prints_them(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l,
         "} ( N " TENSOR(
             0, 1) "p1 True g1 f0.5 g1 1 'a' 2t g1 b'\\x01' g1 x8A09010000000000000001 g1 s'p2' g1 c:torch:float32 g1 ) g1 u");
    assert_list(&l, "None 0 <None>\n"
                    "True 0 <True>\n"
                    "0.5 0 <0.5>\n"
                    "(1, 'a') 0 <(1, 'a')>\n"
                    "b'\\x01' 0 <b'\\x01'>\n"
                    "18446744073709551617 0 <18446744073709551617>\n"
                    "p2 0 <p2>\n"
                    "torch.float32 0 <torch.float32>\n"
                    "() 0 <()>\n");
    loaded_free(&l);
}

static void lists_begin_anywhere(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'a' " TENSOR(0, 4) "'b' } 'c' " LONG_TENSOR(0, 2) "s u");
    ptio_tensor_list *list = list_of(&l, ptio_at(l.ckpt, "b"));
    assert_int_equal(ptio_tensor_list_count(list), 1);
    assert_text(ptio_tensor_list_entry(list, 0)->name, "c");
    assert_int_equal(ptio_tensor_list_entry(list, 0)->storage, 0); /* numbers are those of this list */
    ptio_tensor_list_free(list);
    loaded_free(&l);
}

static void every_occurrence_counts_once(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l,
         "} ( 'a' " TENSOR(0, 4) "p1 'tied' g1 'view' " TENSOR(2, 8) "'own' " LONG_TENSOR(0, 2) "'list' ] g1 a p2 'again' g2 u");
    assert_list(&l, "a 0 <a>\n"
                    "tied 0 <tied>\n"
                    "view 0 <view>\n"
                    "own 1 <own>\n"
                    "list.0 0 <list> [0]\n");
    ptio_tensor_list *list = list_of(&l, NULL);
    ptio_tensor_totals t = ptio_tensor_list_totals(list);
    assert_int_equal(t.tensors, 3);
    assert_int_equal(t.elements, 4 + 8 + 2);
    assert_int_equal(t.tensor_bytes, 16 + 32 + 16);
    assert_int_equal(t.storages, 2);
    assert_int_equal(t.storage_bytes, 128);
    assert_int_equal(t.shared, 1);
    ptio_tensor_list_free(list);
    loaded_free(&l);
}

#define SPARSE                                                                                           \
    "c:torch._utils:_rebuild_sparse_tensor c:torch.serialization:_get_layout 'torch.sparse_coo' 1t R ( " \
    "c:torch._utils:_rebuild_tensor_v2 ( " LONGS "0 2 3 2t 3 1 2t False N t R " TENSOR(1, 3) "9 9 2t t 2t R "

static void composed_tensors_bring_their_parts(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 's' " SPARSE "'n' c:torch._utils:_rebuild_nested_tensor ( " TENSOR(
                 0, 16) "c:torch._utils:_rebuild_tensor_v2 ( " LONGS
                        "1 2 2 2t 2 1 2t False N t R c:torch._utils:_rebuild_tensor_v2 ( " LONGS
                        "0 2 2 2t 2 1 2t False N t R " LONG_TENSOR(0, 2) "t R u");
    assert_list(&l, "s -1 <s>\n"
                    "s.indices 0 <s> <indices>\n"
                    "s.values 1 <s> <values>\n"
                    "n -1 <n>\n"
                    "n.0 1 <n> <0>\n"
                    "n.1 1 <n> <1>\n");
    loaded_free(&l);
}

static ptio_path_key last_key(const ptio_tensor_list *list, size_t index)
{
    return ptio_tensor_list_path(list, index, ptio_tensor_list_entry(list, index)->path_count - 1);
}

/* Texts alone do not tell a key from its text. */
static void paths_have_the_keys_themselves(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( N " TENSOR(0, 1) "p1 'None' g1 f1.5 g1 '1.5' g1 7 g1 '7' g1 True g1 7 8 2t g1 u");
    static const ptio_kind kinds[] = {PTIO_KIND_NONE, PTIO_KIND_STR, PTIO_KIND_FLOAT, PTIO_KIND_STR,
                                      PTIO_KIND_INT,  PTIO_KIND_STR, PTIO_KIND_BOOL,  PTIO_KIND_TUPLE};
    ptio_tensor_list *list = list_of(&l, NULL);
    assert_int_equal(ptio_tensor_list_count(list), 8);
    for (size_t i = 0; i < 8; i++) {
        ptio_path_key key = last_key(list, i);
        assert_int_equal(ptio_value_kind(key.key), kinds[i]);
        assert_ptr_equal(key.key, ptio_value_key(l.root, i));
        assert_ptr_equal(ptio_value_get_value(l.root, key.key), ptio_tensor_list_entry(list, i)->value);
        assert_int_equal(key.is_index, kinds[i] == PTIO_KIND_INT);
    }
    ptio_tensor_list_free(list);
    load(&l, "] ( " SPARSE "e");
    list = list_of(&l, NULL);
    assert_int_equal(ptio_tensor_list_count(list), 3);
    assert_true(last_key(list, 0).is_index);
    assert_null(last_key(list, 0).key);
    assert_text(last_key(list, 1).text, "indices");
    assert_null(last_key(list, 1).key);
    ptio_tensor_list_free(list);
    loaded_free(&l);
}

static void attributes_are_listed(void **state)
{
    (void)state;
    loaded l = {0};
    load(
        &l,
        "] ( c:my:K ) NEW } ( 'x' " TENSOR(0, 1) "'_y' " TENSOR(0, 1) "u b c:my:Odd ) NEW ] " TENSOR(
            0, 1) "a b c:my:Slots ) NEW N } 'z' " TENSOR(0, 1) "s 2t b c:torch._utils:_rebuild_parameter_with_state "
                                                               "( " TENSOR(0, 4) "True N } ( 'scale' " TENSOR(
                                                                   5, 1) "'_hidden'"
                                                                         " " TENSOR(
                                                                             6, 1) "u t R c:torch._C:Generator c:torch:device "
                                                                                   "'cpu' 1t R 1t R 42 N " TENSOR(0, 4) "3t b e");
    assert_list(&l, "0.x 0 [0] <x>\n"
                    "0._y 0 [0] <_y>\n"
                    "1.0 0 [1] [0]\n"
                    "2.z 0 [2] <z>\n"
                    "3 0 grad [3]\n"
                    "3.scale 0 [3] <scale>\n"
                    "4.state 0 [4] <state>\n");
    loaded_free(&l);
}

static void slots_are_listed(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} 'w' c:torch._tensor:_rebuild_from_type_v2 ( c:torch._utils:_rebuild_tensor_v2 c:a:B ( " FLOATS
             "0 3 1t 1 1t False " HOOKS "t } 'note' " TENSOR(1, 1) "s } ( 'unit' 'm' '_inner' " TENSOR(4, 1) "u 2t t R s");
    assert_list(&l, "w 0 <w>\n"
                    "w.note 0 <w> <note>\n"
                    "w._inner 0 <w> <_inner>\n");
    loaded_free(&l);
}

#define MODULE(class, parameters, modules) \
    "c:" class " ) NEW } ( '_parameters' } ( " parameters "u '_buffers' } '_modules' } ( " modules "u u b "

static void modules_go_by_their_state_dict(void **state)
{
    (void)state;
    loaded l = {0};
    load(&l, "} ( 'net' " MODULE("my:Net", "'w' c:torch._utils:_rebuild_parameter " TENSOR(0, 4) "True N 3t R ",
                                 "'fc' " MODULE("my:Fc", "'b' " TENSOR(1, 2), "")) "'after' " TENSOR(0, 1) "u");
    assert_list(&l, "net.w 0 <net> <w>\n"
                    "net.fc.b 0 <net> <fc.b>\n"
                    "after 0 <after>\n");
    loaded_free(&l);
}

/* ---- costs ---- */

/* A tensor at each of many levels: the names together are longer than any file is large. */
static void names_have_a_budget(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_tensor_list *list = NULL;
    ptio_memory memory = {.resize = count_resize};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = &memory};
    pickle(&l.pickle, "proto2 " TENSOR(0, 1) "p1 x30 ");
    for (int i = 0; i < 50000; i++)
        pickle(&l.pickle, "} ( 'a' g1 'b' ");
    pickle(&l.pickle, "N ");
    for (int i = 0; i < 50000; i++)
        pickle(&l.pickle, "u ");
    pickle(&l.pickle, ".");
    zip_file(&l.file, &l.pickle, &(record){"data/0", floats, sizeof floats}, 1);
    held = most_held = 0;
    assert_int_equal(load_bytes(&l, &l.file, &options), PTIO_OK);
    assert_int_equal(ptio_list_tensors(l.ckpt, NULL, &list, &l.err), PTIO_ERR_LIMIT);
    assert_null(list);
    assert_true(most_held < 400000000);
    loaded_free(&l);
    assert_int_equal(held, 0);
}

/* Many references to one tensor are many entries, and no reason to refuse a file. */
static void many_references_are_listed(void **state)
{
    (void)state;
    loaded l = {0};
    pickle(&l.pickle, "proto2 " TENSOR(0, 1) "p1 x30 ] (");
    for (int i = 0; i < 1000000; i++)
        put(&l.pickle, "h\1", 2);
    pickle(&l.pickle, "e .");
    zip_file(&l.file, &l.pickle, &(record){"data/0", floats, sizeof floats}, 1);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    ptio_tensor_list *list = list_of(&l, NULL);
    assert_int_equal(ptio_tensor_list_count(list), 1000000);
    assert_int_equal(ptio_tensor_list_totals(list).tensors, 1);
    assert_text(ptio_tensor_list_entry(list, 999999)->name, "999999");
    ptio_tensor_list_free(list);
    loaded_free(&l);
}

/* Millions of levels, on a small stack. */
static void *list_deep(void *context)
{
    enum { LEVELS = 1000000 };
    bool *good = context;
    loaded l = {0};
    ptio_tensor_list *list = NULL;
    pickle(&l.pickle, "proto2 ");
    for (int i = 0; i < LEVELS; i++)
        put(&l.pickle, "]", 1);
    pickle(&l.pickle, TENSOR(0, 1));
    for (int i = 0; i < LEVELS; i++)
        put(&l.pickle, "a", 1);
    pickle(&l.pickle, ".");
    zip_file(&l.file, &l.pickle, &(record){"data/0", floats, sizeof floats}, 1);
    *good = load_bytes(&l, &l.file, NULL) == PTIO_OK && ptio_list_tensors(l.ckpt, NULL, &list, NULL) == PTIO_OK &&
            ptio_tensor_list_count(list) == 1 && ptio_tensor_list_entry(list, 0)->path_count == LEVELS &&
            ptio_tensor_list_entry(list, 0)->name.size == 2 * LEVELS - 1;
    ptio_tensor_list_free(list);
    loaded_free(&l);
    return NULL;
}

static void lists_go_deep(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_attr_t attributes;
    bool good = false;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 65536), 0);
    assert_int_equal(pthread_create(&thread, &attributes, list_deep, &good), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    assert_true(good);
}

/* A built dict holds tensors of a loaded checkpoint, whose storages have numbers of their own. */
static void built_values(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt;
    ptio_builder *b;
    ptio_tensor_list *list;
    assert_int_equal(ptio_load(PTIO_TEST_DATA "/corpus/2.13.0/state_dict_ffnn.pt", NULL, &ckpt, NULL), PTIO_OK);
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    ptio_value *dict = ptio_new_dict(b);
    const ptio_value *other = ptio_value_get(ptio_root(ckpt), "2.weight");
    const float one = 1;
    assert_true(ptio_put(b, dict, "own", ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){1}, &one)));
    assert_true(ptio_put(b, dict, "loaded", other));
    assert_true(ptio_put(b, dict, "again", other));
    assert_int_equal(ptio_list_tensors(ptio_builder_checkpoint(b), dict, &list, NULL), PTIO_OK);
    assert_int_equal(ptio_tensor_list_count(list), 3);
    assert_int_equal(ptio_tensor_list_entry(list, 2)->storage, 1);
    ptio_tensor_totals totals = ptio_tensor_list_totals(list);
    assert_int_equal(totals.tensors, 2);
    assert_int_equal(totals.storages, 2);
    assert_int_equal(totals.shared, 1);
    ptio_tensor_list_free(list);
    ptio_builder_free(b);
    ptio_checkpoint_free(ckpt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_values),
        cmocka_unit_test(names_are_keys_joined_by_dots),
        cmocka_unit_test(other_keys_are_as_python_prints_them),
        cmocka_unit_test(lists_begin_anywhere),
        cmocka_unit_test(every_occurrence_counts_once),
        cmocka_unit_test(composed_tensors_bring_their_parts),
        cmocka_unit_test(paths_have_the_keys_themselves),
        cmocka_unit_test(attributes_are_listed),
        cmocka_unit_test(slots_are_listed),
        cmocka_unit_test(modules_go_by_their_state_dict),
        cmocka_unit_test(names_have_a_budget),
        cmocka_unit_test(many_references_are_listed),
        cmocka_unit_test(lists_go_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
