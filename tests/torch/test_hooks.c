/*
 * Hooks: names taken for others, persistent ids, objects; who gets back what was made; failures that name their byte.
 */
#include "torch/files.h"

typedef struct asked {
    char text[1000]; /* what was asked, in order */
    size_t size;
    const char *refuse; /* the name or class that is refused */
    int made;           /* not given back yet */
} asked;

static void note(asked *a, const char *word, ptio_text text)
{
    a->size += (size_t)snprintf(a->text + a->size, sizeof a->text - a->size, "%s%s %.*s", a->size ? ", " : "", word,
                                (int)text.size, text.bytes ? text.bytes : "");
    assert_true(a->size < sizeof a->text);
}

static bool is(ptio_text text, const char *word)
{
    return word && text.size == strlen(word) && memcmp(text.bytes, word, text.size) == 0;
}

static ptio_status find_class(void *ctx, ptio_text *module, ptio_text *name)
{
    asked *a = ctx;
    static char moved[16]; /* changes behind the back of the load */
    note(a, "class", *name);
    if (is(*name, a->refuse))
        return PTIO_ERR_DENIED;
    if (is(*name, "MyDict")) {
        strcpy(moved, "collections");
        *module = (ptio_text){moved, 11};
        *name = (ptio_text){"OrderedDict", 11};
    } else {
        strcpy(moved, "???????????");
    }
    return PTIO_OK;
}

static void *make(asked *a)
{
    a->made++;
    return malloc(1);
}

static ptio_status persistent_load(void *ctx, const ptio_value *id, void **user)
{
    asked *a = ctx;
    ptio_text text = ptio_value_str(id);
    note(a, "id", text);
    if (is(text, a->refuse))
        return PTIO_ERR_NOT_FOUND;
    *user = make(a);
    return PTIO_OK;
}

static ptio_status build(void *ctx, const ptio_value *object, void **user)
{
    asked *a = ctx;
    note(a, "object", ptio_value_class(object));
    if (is(ptio_value_class(object), a->refuse))
        return PTIO_ERR_UNSUPPORTED;
    *user = make(a);
    return PTIO_OK;
}

static void release(void *ctx, void *user)
{
    asked *a = ctx;
    a->made--;
    free(user);
}

static ptio_hooks hooks_of(asked *a)
{
    return (ptio_hooks){find_class, persistent_load, build, release, a};
}

static ptio_status load_asking(const char *pickle, size_t size, asked *a, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_hooks hooks = hooks_of(a);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .hooks = &hooks};
    return ptio_load_memory(pickle, size, &options, ret, err);
}

/* [Outer(inner=Inner()), the same Outer, Empty()], by NEWOBJ and BUILD. */
static const char objects[] = "\x80\x02]q\x00("
                              "cmodels\nOuter\n)\x81q\x01}X\x05\x00\x00\x00innercmodels\nInner\n)\x81sb"
                              "h\x01"
                              "cmodels\nEmpty\n)\x81"
                              "e.";

static void objects_are_built_from_the_inside(void **state)
{
    (void)state;
    asked a = {.size = 0};
    ptio_checkpoint *ckpt;
    assert_int_equal(load_asking(objects, sizeof objects - 1, &a, &ckpt, NULL), PTIO_OK);
    assert_string_equal(a.text,
                        "class Outer, class Inner, class Empty, object models.Inner, object models.Outer, object models.Empty");
    assert_int_equal(a.made, 3);
    const ptio_value *root = ptio_root(ckpt), *outer = ptio_value_item(root, 0);
    assert_non_null(ptio_value_user(ckpt, outer));
    assert_non_null(ptio_value_user(ckpt, ptio_value_attribute(outer, "inner")));
    assert_ptr_equal(ptio_value_item(root, 1), outer);
    assert_non_null(ptio_value_user(ckpt, ptio_value_item(root, 2)));
    assert_null(ptio_value_user(ckpt, root));
    assert_null(ptio_value_user(ckpt, NULL));
    assert_null(ptio_value_user(NULL, root));
    ptio_checkpoint_free(ckpt);
    assert_int_equal(a.made, 0);
}

static void refused_names_are_told_with_their_byte(void **state)
{
    (void)state;
    static const struct {
        const char *refuse, *reason, *in_message;
        ptio_status status;
    } rows[] = {{"Inner", "hook.find-class", "Inner", PTIO_ERR_DENIED},
                {"models.Outer", "hook.build", "models.Outer", PTIO_ERR_UNSUPPORTED}};
    for (size_t i = 0; i < 2; i++) {
        asked a = {.refuse = rows[i].refuse};
        ptio_checkpoint *ckpt = NULL;
        ptio_error err = {0};
        assert_int_equal(load_asking(objects, sizeof objects - 1, &a, &ckpt, &err), rows[i].status);
        assert_null(ckpt);
        assert_string_equal(err.reason, rows[i].reason);
        assert_non_null(strstr(err.message, rows[i].in_message));
        assert_in_range(err.offset, 1, sizeof objects);
        assert_int_equal(a.made, 0); /* what was made before is given back */
    }
}

static void names_are_taken_for_others(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\x02"
                                 "cmine\nMyDict\n)RX\x01\x00\x00\x00kK\x07s.";
    asked a = {.size = 0};
    ptio_checkpoint *ckpt;
    int64_t seven = 0;
    assert_int_equal(load_asking(pickle, sizeof pickle - 1, &a, &ckpt, NULL), PTIO_OK);
    assert_string_equal(a.text, "class MyDict");
    assert_int_equal(ptio_value_kind(ptio_root(ckpt)), PTIO_KIND_DICT);
    assert_true(is(ptio_value_class(ptio_root(ckpt)), "collections.OrderedDict"));
    assert_true(ptio_value_int(ptio_value_get(ptio_root(ckpt), "k"), &seven));
    assert_int_equal(seven, 7);
    ptio_checkpoint_free(ckpt);
}

static void ids_are_asked_for(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\x02]q\x00(X\x03\x00\x00\x00oneQX\x03\x00\x00\x00twoQe.";
    asked a = {.size = 0};
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(load_asking(pickle, sizeof pickle - 1, &a, &ckpt, NULL), PTIO_OK);
    assert_string_equal(a.text, "id one, id two");
    for (size_t i = 0; i < 2; i++)
        assert_non_null(ptio_value_user(ckpt, ptio_value_item(ptio_root(ckpt), i)));
    ptio_checkpoint_free(ckpt);
    assert_int_equal(a.made, 0);

    ptio_error err = {0};
    a = (asked){.refuse = "two"};
    assert_int_equal(load_asking(pickle, sizeof pickle - 1, &a, &ckpt, &err), PTIO_ERR_NOT_FOUND);
    assert_string_equal(err.reason, "hook.persistent-load");
    assert_int_equal(a.made, 0);
}

/* Of a checkpoint, where an id that is no storage is an error otherwise; its storages are not asked for. */
static void ids_of_checkpoints_are_asked_for(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\x02X\x04\x00\x00\x00mineQ.";
    zip z = {0};
    zip_add(&z, "a/data.pkl", pickle, sizeof pickle - 1);
    zip_add_string(&z, "a/version", "3\n");
    bytes made = zip_end(&z);
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    assert_int_equal(ptio_load_memory(made.data, made.size, NULL, &ckpt, &err), PTIO_ERR_FORMAT);
    assert_string_equal(err.reason, "persistent-id.form");
    asked a = {.size = 0};
    assert_int_equal(load_asking((const char *)made.data, made.size, &a, &ckpt, NULL), PTIO_OK);
    assert_string_equal(a.text, "id mine");
    assert_non_null(ptio_value_user(ckpt, ptio_root(ckpt)));
    ptio_checkpoint_free(ckpt);
    free(made.data);
}

static void storages_are_not_asked_for(void **state)
{
    (void)state;
    asked a = {.size = 0};
    ptio_hooks hooks = hooks_of(&a);
    ptio_checkpoint *ckpt;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .hooks = &hooks};
    assert_int_equal(ptio_load(EXTRA "rezip/deflated.pt", &options, &ckpt, NULL), PTIO_OK);
    assert_null(strstr(a.text, "id "));
    assert_int_equal(a.made, 0);
    ptio_checkpoint_free(ckpt);
}

static void weights_only_takes_no_hooks(void **state)
{
    (void)state;
    asked a = {.size = 0};
    ptio_hooks hooks = hooks_of(&a);
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .hooks = &hooks, .weights_only = true};
    assert_int_equal(ptio_load_memory(objects, sizeof objects - 1, &options, &ckpt, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "hooks.weights-only");
    assert_int_equal(a.size, 0);
}

static void failing_memory_gives_back_what_was_made(void **state)
{
    (void)state;
    for (unsigned n = 0;; n++) {
        counted_memory memory;
        counted_memory_init(&memory);
        memory.fail_at = n;
        asked a = {.size = 0};
        ptio_hooks hooks = hooks_of(&a);
        ptio_checkpoint *ckpt;
        ptio_error err = {0};
        ptio_load_options options = {PTIO_LOAD_OPTIONS, .hooks = &hooks, .memory = &memory.hooks};
        ptio_status status = ptio_load_memory(objects, sizeof objects - 1, &options, &ckpt, &err);
        if (status == PTIO_OK)
            ptio_checkpoint_free(ckpt);
        assert_int_equal(a.made, 0);
        assert_int_equal(memory.held, 0);
        if (status == PTIO_OK)
            break;
        assert_int_equal(status, PTIO_ERR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_built_from_the_inside), cmocka_unit_test(refused_names_are_told_with_their_byte),
        cmocka_unit_test(names_are_taken_for_others),        cmocka_unit_test(ids_are_asked_for),
        cmocka_unit_test(ids_of_checkpoints_are_asked_for),  cmocka_unit_test(storages_are_not_asked_for),
        cmocka_unit_test(weights_only_takes_no_hooks),       cmocka_unit_test(failing_memory_gives_back_what_was_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
