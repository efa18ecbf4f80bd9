/*
 * load_state_dict(): what is filled, told and refused. That the words are PyTorch's is compared by tests/oracle/statedict.py.
 */
#include "support/build.h"

#define PARAMETER(name, n, data)                          \
    {                                                     \
        name, PTIO_FLOAT32, 1, (int64_t[]){n}, data, NULL \
    }

static ptio_status load_into(const loaded *l, ptio_parameter *parameters, size_t count, const ptio_state_dict_options *options,
                             const ptio_incompatible **keys, ptio_error *err)
{
    *keys = NULL;
    *err = (ptio_error){0};
    return ptio_load_state_dict(l->ckpt, NULL, parameters, count, options, keys, err);
}

static void everything_at_once(void **state)
{
    (void)state;
    loaded l = {0};
    float a[2] = {-1, -1}, b[3] = {-1, -1, -1};
    int64_t scalar = -1;
    ptio_error err;
    const ptio_incompatible *keys;
    load(&l, "} ( 'b' " TENSOR(4, 2) "'fc.more' N 'a' " TENSOR(1, 2) "'step' " LONG_TENSOR(
                 3, 1) "'odd\\x1b' 5 'fc._extra_state' 1 u");
    ptio_parameter net[] = {
        PARAMETER("a", 2, a), PARAMETER("fc.w", 1, a), PARAMETER("b", 3, b), {"step", PTIO_INT64, 0, NULL, &scalar, NULL}};
    assert_int_equal(load_into(&l, net, 4, NULL, &keys, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "statedict.mismatch");
    assert_string_equal(keys->text,
                        "Error(s) in loading state_dict for Module:\n\tMissing key(s) in state_dict: \"fc.w\". \n\t"
                        "Unexpected key(s) in state_dict: \"odd\\x1b\", \"fc._extra_state\", \"fc.more\". \n\t"
                        "size mismatch for b: copying a param with shape torch.Size([2]) from checkpoint, the shape in "
                        "current model is torch.Size([3]).");
    assert_int_equal(keys->missing_count, 1);
    assert_text(keys->missing[0], "fc.w");
    assert_int_equal(keys->unexpected_count, 3);
    assert_text(keys->unexpected[0], "odd\x1b");
    assert_int_equal(keys->error_count, 1);
    /* What fits was loaded all the same; a tensor of one element fits a scalar. */
    assert_true(a[0] == 0.5f && a[1] == 1 && b[0] == -1 && scalar == 3);
    assert_true(net[0].tensor && net[3].tensor && !net[1].tensor && !net[2].tensor);
    loaded_free(&l);
    assert_text(keys->missing[0], "fc.w"); /* the result is its own */
    ptio_incompatible_free(keys);
}

static void lenient_and_prefixed(void **state)
{
    (void)state;
    loaded l = {0};
    float a[2] = {0}, b[2] = {0};
    ptio_error err;
    const ptio_incompatible *keys;
    load(&l, "} ( 'module.a' " TENSOR(1, 2) "'a' " TENSOR(3, 2) "'module.module.b' " TENSOR(5, 2) "'module.' 1 u");
    ptio_parameter net[] = {PARAMETER("a", 2, a), PARAMETER("module.b", 2, b), PARAMETER("c", 2, b)};
    ptio_state_dict_options options = {PTIO_STATE_DICT_OPTIONS, .prefix = "module."};
    options.strict = false;
    assert_int_equal(load_into(&l, net, 3, &options, &keys, &err), PTIO_OK);
    assert_string_equal(keys->text, "");
    assert_true(keys->missing_count == 1 && keys->unexpected_count == 1 && keys->unexpected[0].size == 0);
    assert_true(a[0] == 0.5f && b[0] == 2.5f);
    ptio_incompatible_free(keys);
    /* No result asked for, no elements either. */
    net[0].data = net[1].data = NULL;
    a[0] = 7;
    assert_int_equal(ptio_load_state_dict(l.ckpt, l.root, net, 2, &options, NULL, NULL), PTIO_OK);
    assert_true(a[0] == 7 && net[0].tensor && net[1].tensor);
    loaded_free(&l);
}

static void assigned(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_error err;
    const ptio_incompatible *keys;
    load(&l, "} ( 'a' " TENSOR(1, 2) "'t' c:torch._utils:_rebuild_tensor_v2 ( " FLOATS "0 2 2 2t 1 2 2t False " HOOKS "t R u");
    ptio_parameter net[] = {{"a", PTIO_INT64, 1, (int64_t[]){2}, NULL, NULL},
                            {"t", PTIO_FLOAT32, 2, (int64_t[]){2, 2}, NULL, NULL}};
    ptio_state_dict_options options = {PTIO_STATE_DICT_OPTIONS, .assign = true, .class_name = "Net"};
    assert_int_equal(load_into(&l, net, 2, &options, &keys, &err), PTIO_OK);
    const void *data;
    assert_int_equal(ptio_tensor_data(net[0].tensor, &data, NULL), PTIO_OK);
    assert_ptr_equal(net[0].data, data);
    assert_true(net[0].dtype == PTIO_FLOAT32 && ((const float *)net[0].data)[1] == 1);
    assert_true(!net[1].data && ptio_tensor_stride(net[1].tensor)[1] == 2);
    ptio_incompatible_free(keys);
    loaded_free(&l);
}

/* The state_dict() of a whole module, and versions of modules. */
static void modules_and_versions(void **state)
{
    (void)state;
    loaded l = {0};
    float w[2] = {0};
    int64_t version = 9;
    load(&l, "c:my:Net ) NEW } ( '_parameters' } 'w' " TENSOR(2, 2) "s '_buffers' } '_modules' } u b");
    ptio_parameter net[] = {PARAMETER("w", 2, w)};
    assert_int_equal(ptio_load_state_dict(l.ckpt, NULL, net, 1, NULL, NULL, NULL), PTIO_OK);
    assert_true(w[0] == 1 && w[1] == 1.5f);
    load(&l, "c:collections:OrderedDict ) R 'w' " TENSOR(
                 2, 2) "s } '_metadata' c:collections:OrderedDict ) R ( '' } 'version' 1 s 'bn' "
                       "} 'version' 2 s 'old' } u s b");
    assert_int_equal(ptio_load_state_dict(l.ckpt, NULL, net, 1, NULL, NULL, NULL), PTIO_OK);
    assert_true(ptio_state_dict_version(l.root, "bn", &version) && version == 2);
    assert_true(ptio_state_dict_version(l.root, "", &version) && version == 1);
    assert_false(ptio_state_dict_version(l.root, "old", &version) || ptio_state_dict_version(l.root, "x", &version) ||
                 ptio_state_dict_version(NULL, "bn", &version));
    assert_int_equal(version, 1);
    loaded_free(&l);
}

static void expect(const loaded *l, ptio_parameter *net, size_t count, ptio_status status, const char *reason,
                   const char *message)
{
    ptio_error err;
    const ptio_incompatible *keys;
    assert_int_equal(load_into(l, net, count, NULL, &keys, &err), status);
    assert_string_equal(err.reason, reason);
    if (message)
        assert_string_equal(err.message, message);
    assert_null(keys);
}

static void refused_calls(void **state)
{
    (void)state;
    loaded l = {0};
    float w[2];
    ptio_parameter good = PARAMETER("w", 2, w), twice[] = {good, good}, bad[] = {good};
    load(&l, "] 1 a");
    expect(&l, twice, 1, PTIO_ERR_ARGUMENT, "statedict.kind", "Expected state_dict to be dict-like, got <class 'list'>.");
    load(&l, "} 3 " TENSOR(0, 2) "s");
    expect(&l, twice, 1, PTIO_ERR_ARGUMENT, "statedict.key", "key 0 of the state dict is no str, but of <class 'int'>");
    load(&l, "} 'w' " TENSOR(0, 2) "s");
    expect(&l, twice, 2, PTIO_ERR_ARGUMENT, "statedict.parameter", "parameter 1 has the name of another");
    bad->name = NULL;
    expect(&l, bad, 1, PTIO_ERR_ARGUMENT, "statedict.parameter", NULL);
    *bad = good;
    bad->dtype = PTIO_DTYPE_COUNT;
    expect(&l, bad, 1, PTIO_ERR_ARGUMENT, "statedict.parameter", NULL);
    *bad = good;
    bad->shape = (int64_t[]){-2};
    expect(&l, bad, 1, PTIO_ERR_ARGUMENT, "statedict.parameter", NULL);
    assert_int_equal(ptio_load_state_dict(NULL, NULL, &good, 1, NULL, NULL, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(ptio_load_state_dict(l.ckpt, NULL, NULL, 1, NULL, NULL, NULL), PTIO_ERR_ARGUMENT);
    loaded_free(&l);
}

/* What cannot be read stops the call, and says which parameter it was for. */
static void not_read(void **state)
{
    (void)state;
    loaded l = {0};
    float w[16];
    ptio_error err;
    const ptio_incompatible *keys;
    const ptio_limits limits = {.storage_bytes = 60};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits};
    load(&l, "} 'fc.w' " TENSOR(0, 16) "s");
    assert_int_equal(load_bytes(&l, &l.file, &options), PTIO_OK);
    ptio_parameter net[] = {PARAMETER("fc.w", 16, w)};
    assert_int_equal(load_into(&l, net, 1, NULL, &keys, &err), PTIO_ERR_LIMIT);
    assert_string_equal(err.context, "fc.w");
    assert_null(keys);
    loaded_free(&l);
}

static void *fail_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    int64_t *left = ctx;
    (void)old_size;
    if (!new_size) {
        free(ptr);
        return NULL;
    }
    return *left != 0 && (*left)-- ? realloc(ptr, new_size) : NULL;
}

static const ptio_memory *failing(int64_t *left)
{
    static ptio_memory memory;
    memory = (ptio_memory){.resize = fail_resize, .ctx = left};
    return &memory;
}

static void no_memory(void **state)
{
    (void)state;
    loaded l = {0};
    int64_t left = -1, n = 0;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = failing(&left)};
    load(&l, "} ( 'm.a' " TENSOR(1, 2) "'m.b.c' " TENSOR(1, 2) "'m.d' 5 'm.e' " TENSOR(2, 2) "u");
    assert_int_equal(load_bytes(&l, &l.file, &options), PTIO_OK);
    ptio_state_dict_options asked = {PTIO_STATE_DICT_OPTIONS, .prefix = "m."};
    for (;; n++) {
        float w[3];
        ptio_error err;
        const ptio_incompatible *keys;
        ptio_parameter net[] = {PARAMETER("a", 2, w), PARAMETER("b.x", 2, w), PARAMETER("d", 2, w), PARAMETER("e", 3, w)};
        left = n;
        ptio_status status = load_into(&l, net, 4, &asked, &keys, &err);
        left = -1;
        if (status == PTIO_ERR_ARGUMENT) {
            ptio_incompatible_free(keys);
            break;
        }
        assert_int_equal(status, PTIO_ERR_MEMORY);
        assert_null(keys);
    }
    assert_true(n > 5);
    loaded_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_at_once), cmocka_unit_test(lenient_and_prefixed),
        cmocka_unit_test(assigned),           cmocka_unit_test(modules_and_versions),
        cmocka_unit_test(refused_calls),      cmocka_unit_test(not_read),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
