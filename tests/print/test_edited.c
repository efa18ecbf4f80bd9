/*
 * What walks, paths, lists of tensors, modules and printing say of an edited checkpoint is what they say of the file that a save with these edits
 * writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "print/collect.h"
#include "ptio.h"

#define CORPUS PTIO_TEST_DATA "/corpus/2.13.0/"

/** A loaded file, its edits, and the file that they make. */
typedef struct edited {
    ptio_checkpoint *before, *after;
    ptio_builder *b;
    const ptio_checkpoint *seen;
    ptio_sink *sink;
} edited;

static void begin(edited *e, const char *path)
{
    assert_int_equal(ptio_load(path, NULL, &e->before, NULL), PTIO_OK);
    assert_int_equal(ptio_builder_new(NULL, &e->b, NULL), PTIO_OK);
    e->seen = ptio_builder_checkpoint(e->b);
}

static void save(edited *e)
{
    ptio_error err = {0};
    assert_int_equal(ptio_sink_to_memory(NULL, &e->sink, NULL), PTIO_OK);
    assert_int_equal(ptio_builder_status(e->b, &err), PTIO_OK);
    if (ptio_save_sink(ptio_root(e->before), e->sink, &(ptio_save_options){PTIO_SAVE_OPTIONS, .edits = e->b}, &err) != PTIO_OK)
        print_message("%s\n", err.message);
    assert_int_equal(err.status, PTIO_OK);
    ptio_text bytes = ptio_sink_bytes(e->sink);
    assert_int_equal(ptio_load_memory(bytes.bytes, bytes.size, NULL, &e->after, NULL), PTIO_OK);
}

static void end(edited *e)
{
    ptio_checkpoint_free(e->after);
    ptio_sink_free(e->sink);
    ptio_builder_free(e->b);
    ptio_checkpoint_free(e->before);
}

/* ---- comparing ---- */

static void assert_text(ptio_text a, ptio_text b)
{
    assert_int_equal(a.size, b.size);
    if (a.size)
        assert_memory_equal(a.bytes, b.bytes, a.size);
}

static void assert_tensor(const ptio_tensor *a, const ptio_tensor *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(ptio_tensor_dtype(a), ptio_tensor_dtype(b));
    assert_int_equal(ptio_tensor_layout(a), ptio_tensor_layout(b));
    assert_int_equal(ptio_tensor_ndim(a), ptio_tensor_ndim(b));
    for (size_t i = 0; i < ptio_tensor_ndim(a); i++)
        assert_int_equal(ptio_tensor_shape(a)[i], ptio_tensor_shape(b)[i]);
}

static void compare_lists(const edited *e)
{
    ptio_tensor_list *found, *expected;
    assert_int_equal(ptio_list_tensors(e->seen, ptio_root(e->before), &found, NULL), PTIO_OK);
    assert_int_equal(ptio_list_tensors(e->after, NULL, &expected, NULL), PTIO_OK);
    assert_int_equal(ptio_tensor_list_count(found), ptio_tensor_list_count(expected));
    assert_true(ptio_tensor_list_count(found) > 0);
    for (size_t i = 0; i < ptio_tensor_list_count(found); i++) {
        const ptio_tensor_entry *a = ptio_tensor_list_entry(found, i), *b = ptio_tensor_list_entry(expected, i);
        assert_text(a->name, b->name);
        assert_int_equal(a->storage, b->storage);
        assert_int_equal(a->requires_grad, b->requires_grad);
        assert_tensor(a->tensor, b->tensor);
    }
    ptio_tensor_totals a = ptio_tensor_list_totals(found), b = ptio_tensor_list_totals(expected);
    assert_int_equal(a.elements, b.elements);
    assert_int_equal(a.storage_bytes, b.storage_bytes);
    ptio_tensor_list_free(found);
    ptio_tensor_list_free(expected);
}

#define MOST_VISITS 4000

/** What a walk met, but for pointers. */
typedef struct walked {
    ptio_visit visits[MOST_VISITS];
    size_t count;
} walked;

static ptio_walk_next note(void *ctx, const ptio_visit *visit)
{
    walked *w = ctx;
    assert_true(w->count < MOST_VISITS);
    w->visits[w->count++] = *visit;
    return PTIO_WALK_ON;
}

static void compare_walks(const edited *e)
{
    static walked found, expected;
    found.count = expected.count = 0;
    ptio_walk_options options = {PTIO_WALK_OPTIONS, .edits = e->b};
    assert_int_equal(ptio_walk(ptio_root(e->before), &options, note, &found, NULL), PTIO_OK);
    assert_int_equal(ptio_walk(ptio_root(e->after), NULL, note, &expected, NULL), PTIO_OK);
    assert_int_equal(found.count, expected.count);
    for (size_t i = 0; i < found.count; i++) {
        const ptio_visit *a = &found.visits[i], *b = &expected.visits[i];
        assert_int_equal(ptio_value_kind(a->value), ptio_value_kind(b->value));
        assert_int_equal(a->role, b->role);
        assert_int_equal(a->depth, b->depth);
        assert_int_equal(a->index, b->index);
        assert_int_equal(a->number, b->number);
        assert_int_equal(a->again, b->again);
        assert_int_equal(a->leaving, b->leaving);
        assert_text(ptio_value_str(a->value), ptio_value_str(b->value));
        assert_text(ptio_value_str(a->key), ptio_value_str(b->key));
    }
    /* A caller that does not know of edits has none. */
    options.struct_size = offsetof(ptio_walk_options, edits);
    found.count = 0;
    assert_int_equal(ptio_walk(ptio_root(e->before), &options, note, &found, NULL), PTIO_OK);
    assert_ptr_equal(found.visits[0].value, ptio_root(e->before));
}

static void compare_path(const edited *e, const char *path)
{
    const ptio_value *found = ptio_value_at(e->seen, ptio_root(e->before), path), *expected = ptio_at(e->after, path);
    assert_int_equal(found != NULL, expected != NULL);
    if (!expected)
        return;
    assert_int_equal(ptio_value_kind(found), ptio_value_kind(expected));
    assert_int_equal(ptio_value_count(found), ptio_value_count(expected));
    if (ptio_value_tensor(expected))
        assert_tensor(ptio_value_tensor(found), ptio_value_tensor(expected));
}

static void compare_prints(const edited *e)
{
    static collected found, expected;
    static const ptio_print_options ways[] = {{PTIO_PRINT_OPTIONS},
                                              {PTIO_PRINT_OPTIONS, .python = 308, .threshold = SIZE_MAX},
                                              {PTIO_PRINT_OPTIONS, .bare = true, .max_depth = 3},
                                              {PTIO_PRINT_OPTIONS, .max_items = 2}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        ptio_print_options options = ways[i];
        found.size = expected.size = 0;
        options.edits = e->b;
        assert_int_equal(ptio_print(ptio_root(e->before), &options, collect, &found, NULL), PTIO_OK);
        assert_int_equal(ptio_print(ptio_root(e->after), &ways[i], collect, &expected, NULL), PTIO_OK);
        assert_string_equal(found.text, expected.text);
    }
    assert_true(found.size > 0);
}

/* ---- edits ---- */

static bool is_bias(void *ctx, const ptio_value *key, const ptio_value *item)
{
    ptio_text name = ptio_value_str(key);
    (void)ctx;
    (void)item;
    return name.size > 4 && memcmp(name.bytes + name.size - 4, "bias", 4) == 0;
}

/* A training checkpoint: its model is renamed, shortened, cast; its optimizer has another tensor; something is new. */
static void a_checkpoint(void **state)
{
    (void)state;
    edited e = {0};
    begin(&e, CORPUS "checkpoint_adam.pt");
    const ptio_value *root = ptio_root(e.before);
    const ptio_value *model = ptio_value_item(root, 0);
    for (size_t i = 0; i < ptio_value_count(root); i++)
        if (ptio_value_tensor(ptio_value_item(ptio_value_item(root, i), 0)))
            model = ptio_value_item(root, i);
    const ptio_value *weight = ptio_value_item(model, 0);
    assert_non_null(ptio_value_tensor(weight));
    ptio_value *twin = ptio_edit(e.b, model);
    assert_true(ptio_remove_if(e.b, twin, is_bias, NULL) > 0);
    assert_true(ptio_rename(e.b, twin, 0, ptio_new_str(e.b, "renamed")));
    assert_true(ptio_replace_value(e.b, weight, ptio_new_cast(e.b, weight, PTIO_BFLOAT16)));
    assert_true(ptio_put(e.b, ptio_edit(e.b, root), "new", ptio_new_tensor(e.b, PTIO_INT8, 1, (int64_t[]){3}, "abc")));
    assert_true(ptio_put(e.b, ptio_edit(e.b, root), "again", model));
    ptio_value *list = ptio_new_list(e.b);
    assert_true(ptio_append(e.b, list, weight) && ptio_append(e.b, list, model));
    assert_true(ptio_put(e.b, ptio_edit(e.b, root), "list", list));
    save(&e);
    compare_lists(&e);
    compare_walks(&e);
    compare_prints(&e);
    static const char *const paths[] = {"", "new", "list[0]", "list.1.renamed", "list.1.fc1.bias", "again.renamed", "none"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        compare_path(&e, paths[i]);
    assert_int_equal(ptio_tensor_dtype(ptio_value_tensor(ptio_value_at(e.seen, root, "list[0]"))), PTIO_BFLOAT16);
    assert_null(ptio_at(e.before, "new"));
    end(&e);
}

/* A whole module: dicts of its submodules are changed where nobody but the module holds them. */
static void a_module(void **state)
{
    (void)state;
    edited e = {0};
    begin(&e, CORPUS "module_tower.pt");
    const ptio_value *root = ptio_root(e.before), *children = ptio_value_attribute(root, "_modules");
    const ptio_value *first = ptio_value_item(children, 0);
    const float numbers[] = {1, 2};
    const ptio_value *tensor = ptio_new_tensor(e.b, PTIO_FLOAT32, 1, (int64_t[]){2}, numbers);
    assert_true(ptio_put(e.b, ptio_edit(e.b, ptio_value_attribute(first, "_buffers")), "counted", tensor));
    assert_true(
        ptio_put(e.b, ptio_edit(e.b, ptio_value_attribute(root, "_parameters")), "scale", ptio_new_parameter(e.b, tensor, true)));
    assert_true(ptio_put(e.b, ptio_edit(e.b, children), "copy", first));
    assert_true(ptio_set_attribute(e.b, ptio_edit(e.b, first), "training", ptio_new_bool(e.b, false)));
    save(&e);
    compare_lists(&e);
    compare_walks(&e);
    compare_prints(&e);
    compare_path(&e, "scale");
    compare_path(&e, "copy.counted");
    ptio_module *found, *expected;
    assert_int_equal(ptio_module_open(e.seen, root, &found, NULL), PTIO_OK);
    assert_int_equal(ptio_module_open(e.after, ptio_root(e.after), &expected, NULL), PTIO_OK);
    assert_int_equal(ptio_module_count(found), ptio_module_count(expected));
    assert_int_equal(ptio_module_state_count(found), ptio_module_state_count(expected));
    for (size_t i = 0; i < ptio_module_count(found); i++) {
        assert_text(ptio_module_entry_at(found, i)->name, ptio_module_entry_at(expected, i)->name);
        assert_int_equal(ptio_module_entry_at(found, i)->training, ptio_module_entry_at(expected, i)->training);
    }
    for (size_t i = 0; i < ptio_module_state_count(found); i++) {
        const ptio_module_state *a = ptio_module_state_at(found, i), *b = ptio_module_state_at(expected, i);
        assert_text(a->name, b->name);
        assert_tensor(ptio_value_tensor(a->value), ptio_value_tensor(b->value));
    }
    ptio_module_free(found);
    ptio_module_free(expected);
    end(&e);
}

/* The item of a list whose text begins so. */
static const ptio_value *item_called(const ptio_value *list, const char *text)
{
    static collected c;
    for (size_t i = 0; i < ptio_value_count(list); i++) {
        c.size = 0;
        assert_int_equal(ptio_print(ptio_value_item(list, i), NULL, collect, &c, NULL), PTIO_OK);
        if (strncmp(c.text, text, strlen(text)) == 0)
            return ptio_value_item(list, i);
    }
    fail_msg("nothing is called %s", text);
    return NULL;
}

/* Objects that are printed by forms, and what stands in their arguments, states and attributes. */
static void some_objects(void **state)
{
    (void)state;
    edited e = {0};
    begin(&e, CORPUS "python_more.pt");
    const ptio_value *root = ptio_root(e.before), *name = ptio_new_str(e.b, "worse");
    const ptio_value *error = item_called(root, "ValueError"), *arguments = ptio_node_arguments(error);
    assert_true(ptio_replace_value(e.b, ptio_value_item(arguments, 0), name));
    ptio_value *space = ptio_edit(e.b, item_called(root, "namespace("));
    assert_true(ptio_set_attribute(e.b, space, "b", name) && ptio_set_attribute(e.b, space, "A", ptio_new_int(e.b, 5)));
    ptio_value *dict = ptio_edit(e.b, item_called(root, "OrderedDict("));
    assert_true(ptio_rename(e.b, dict, 0, ptio_new_str(e.b, "y")) && ptio_put(e.b, dict, "more", space));
    assert_true(ptio_replace_value(e.b, item_called(root, "operator."), ptio_new_list(e.b)));
    save(&e);
    compare_prints(&e);
    end(&e);
}

static void some_collections(void **state)
{
    (void)state;
    edited e = {0};
    begin(&e, CORPUS "python_collections.pt");
    const ptio_value *root = ptio_root(e.before);
    assert_true(ptio_put(e.b, ptio_edit(e.b, item_called(root, "Counter(")), "new", ptio_new_int(e.b, 7)));
    assert_true(ptio_put(e.b, ptio_edit(e.b, item_called(root, "defaultdict(None")), "k", ptio_new_tuple(e.b, &root, 1)));
    save(&e);
    compare_prints(&e);
    end(&e);
}

/* The groups of an optimizer are sorted by their keys. */
static void an_optimizer(void **state)
{
    (void)state;
    edited e = {0};
    begin(&e, CORPUS "optimizer_object.pt");
    const ptio_value *groups = ptio_value_attribute(ptio_root(e.before), "param_groups"), *group = ptio_value_item(groups, 0);
    const ptio_value *betas = ptio_value_get(group, "betas"), *numbers[] = {ptio_new_float(e.b, 0.25), ptio_new_float(e.b, 0.5)};
    assert_int_equal(ptio_value_kind(betas), PTIO_KIND_TUPLE);
    assert_true(ptio_put(e.b, ptio_edit(e.b, group), "amount", ptio_new_float(e.b, 0.5)));
    assert_true(ptio_put(e.b, ptio_edit(e.b, group), "lr", ptio_new_float(e.b, 0.125)));
    assert_true(ptio_replace_value(e.b, betas, ptio_new_tuple(e.b, numbers, 2)));
    assert_true(ptio_append(e.b, ptio_edit(e.b, groups), group));
    save(&e);
    compare_prints(&e);
    end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint),     cmocka_unit_test(a_module),     cmocka_unit_test(some_objects),
        cmocka_unit_test(some_collections), cmocka_unit_test(an_optimizer),
    };
    return cmocka_run_group_tests_name("print/edited", tests, NULL, NULL);
}
