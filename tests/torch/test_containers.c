/*
 * Archives that hold other things than one pickle: TorchScript, torch.package, .pt2.
 */
#include "torch/files.h"

/* ---- TorchScript ---- */

typedef struct state_entry {
    const char *name;
    bool parameter;
} state_entry;

static void expect_module(const char *path, size_t modules, const state_entry *want, size_t count)
{
    ptio_checkpoint *ckpt = load(path);
    ptio_module *module = NULL;
    ptio_error err = {0};
    assert_true(ptio_value_is_module(ptio_root(ckpt)));
    assert_int_equal(ptio_module_open(ckpt, ptio_root(ckpt), &module, &err), PTIO_OK);
    assert_int_equal(ptio_module_count(module), modules);
    for (size_t i = 0; i < modules; i++)
        expect_text(ptio_module_entry_at(module, i)->class_name, "torch.jit._script.RecursiveScriptModule");
    assert_int_equal(ptio_module_state_count(module), count);
    for (size_t i = 0; i < count; i++) {
        const ptio_module_state *state = ptio_module_state_at(module, i);
        const ptio_tensor *tensor = ptio_value_tensor(state->value);
        expect_text(state->name, want[i].name);
        assert_non_null(tensor);
        assert_int_equal(ptio_tensor_is_parameter(tensor), want[i].parameter);
        assert_int_equal(ptio_tensor_requires_grad(tensor), want[i].parameter);
    }
    ptio_module_free(module);
    ptio_checkpoint_free(ckpt);
}

#define EXPECT_MODULE(path, modules, want) expect_module(path, modules, want, sizeof(want) / sizeof *(want))

static void modules_of_scripts(void **state)
{
    (void)state;
    static const state_entry bare[] = {{"weight", true}, {"steps", false}};
    static const state_entry small[] = {{"scale", false}, {"fc.weight", true}, {"fc.bias", true}};
    static const state_entry nested[] = {{"body.0.weight", true},
                                         {"body.0.bias", true},
                                         {"body.1.weight", true},
                                         {"body.1.bias", true},
                                         {"body.1.running_mean", false},
                                         {"body.1.running_var", false},
                                         {"body.1.num_batches_tracked", false},
                                         {"head.scale", false},
                                         {"head.fc.weight", true},
                                         {"head.fc.bias", true}};
    EXPECT_MODULE(CORPUS "1.6.0/script_module.pt", 1, bare);
    EXPECT_MODULE(CORPUS "2.1.2/script_module.pt", 1, bare);
    EXPECT_MODULE(CORPUS "2.13.0/script_module.pt", 1, bare);
    EXPECT_MODULE(EXTRA "archives/scripted_small.pt", 2, small);
    EXPECT_MODULE(EXTRA "archives/scripted_extra_files.pt", 2, small);
    EXPECT_MODULE(EXTRA "archives/traced_small.pt", 2, small);
    EXPECT_MODULE(EXTRA "archives/scripted_nested.pt", 7, nested);
    EXPECT_MODULE(EXTRA "archives/traced_nested.pt", 7, nested);
    expect_module(EXTRA "archives/scripted_function.pt", 1, NULL, 0);
    expect_module(EXTRA "archives/frozen_nested.pt", 1, NULL, 0);
}

static void attributes_of_scripts(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(EXTRA "archives/scripted_nested.pt");
    double number;
    assert_false(ptio_value_bool(ptio_value_attribute(ptio_root(ckpt), "training")));
    expect_int(ptio_at(ckpt, "ints[2]"), 3);
    assert_true(ptio_value_float(ptio_at(ckpt, "head.factor"), &number) && number == 0.5);
    assert_true(ptio_value_bool(ptio_at(ckpt, "flags[0]")));
    expect_text(ptio_value_str(ptio_at(ckpt, "head.names[1]")), "b");
    expect_text(ptio_value_class(ptio_at(ckpt, "head.table")), "builtins.dict");
    expect_int(ptio_at(ckpt, "head.table.two"), 2);
    assert_int_equal(ptio_value_kind(ptio_at(ckpt, "head.maybe")), PTIO_KIND_NONE);
    expect_ramp(ptio_at(ckpt, "tensors[1]"), PTIO_FLOAT32, 2, 1, 0);
    expect_ramp(ptio_at(ckpt, "head.scale"), PTIO_FLOAT32, 2, 2, 1);
    assert_null(ptio_value_attribute(ptio_root(ckpt), "CONSTANTS"));
    /* The node is as it stands in the pickle. */
    expect_text(ptio_node_qualname(ptio_node_callable(ptio_root(ckpt))), "Nested");
    ptio_checkpoint_free(ckpt);
}

/* data/0 and constants/0 are two storages of as many bytes. */
static void constants_of_scripts(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(EXTRA "archives/traced_small.pt");
    assert_int_equal(ptio_value_count(ptio_at(ckpt, "CONSTANTS")), 1);
    expect_ramp(ptio_at(ckpt, "CONSTANTS[0]"), PTIO_FLOAT64, 1, 0.5, 0);
    expect_ramp(ptio_at(ckpt, "scale"), PTIO_FLOAT32, 2, 2, 1);
    ptio_checkpoint_free(ckpt);
    ckpt = load(EXTRA "archives/frozen_nested.pt");
    assert_int_equal(ptio_value_count(ptio_at(ckpt, "CONSTANTS")), 5);
    expect_ramp(ptio_at(ckpt, "CONSTANTS[4]"), PTIO_FLOAT32, 2, 2, 1);
    ptio_checkpoint_free(ckpt);
}

#define TENSOR_AT(key, location)                                                                                                 \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" key location "K\2tQK\0(K\2t(K\1t\x89" \
    "ccollections\nOrderedDict\n)RtR"
#define TENSOR(key) TENSOR_AT(key, "X\3\0\0\0cpu")
#define META_TENSOR(key) TENSOR_AT(key, "X\4\0\0\0meta")

/* Modules on the meta device: torch.jit.save writes records without bytes. A tag with bytes behind it is a tag like any other. */
static void scripts_may_be_without_elements(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\2c__torch__\nNet\n)\x81}(X\1\0\0\0a" META_TENSOR("0") "X\1\0\0\0b" META_TENSOR("1") "ub.";
    zip z = {.count = 0};
    zip_add(&z, "m/data.pkl", pickle, sizeof pickle - 1);
    zip_add(&z, "m/data/0", "", 0);
    zip_add(&z, "m/data/1", "\0\0\0@\0\0\x80?", 8);
    zip_add(&z, "m/constants.pkl", "\x80\2).", 4);
    zip_add_string(&z, "m/version", "3\n");
    bytes b = zip_end(&z);
    ptio_checkpoint *ckpt = load_made(b);
    const ptio_tensor *meta = ptio_value_tensor(ptio_at(ckpt, "a"));
    assert_true(ptio_tensor_is_meta(meta));
    assert_int_equal(ptio_tensor_numel(meta), 2);
    assert_null(ptio_tensor_storage(meta));
    expect_ramp(ptio_at(ckpt, "b"), PTIO_FLOAT32, 2, 2, -1);
    assert_false(ptio_tensor_is_meta(ptio_value_tensor(ptio_at(ckpt, "b"))));
    ptio_checkpoint_free(ckpt);
    free(b.data);
}

/* A module of the class __torch__.Net with attributes a and b, its class defined by `source`. */
static bytes script(const char *source)
{
    static const char pickle[] = "\x80\2c__torch__\nNet\n)\x81}(X\1\0\0\0a" TENSOR("0") "X\1\0\0\0b" TENSOR("1") "ub.";
    zip z = {.count = 0};
    zip_add(&z, "m/data.pkl", pickle, sizeof pickle - 1);
    zip_add(&z, "m/data/0", "\0\0\x80?\0\0\0@", 8);
    zip_add(&z, "m/data/1", "\0\0\0@\0\0\x80?", 8);
    if (source)
        zip_add_string(&z, "m/code/__torch__.py", source);
    zip_add(&z, "m/constants.pkl", "\x80\2).", 4);
    zip_add_string(&z, "m/version", "3\n");
    return zip_end(&z);
}

static void expect_script(const char *source, bool is_module, bool a_parameter, size_t entries)
{
    bytes b = script(source);
    ptio_checkpoint *ckpt = load_made(b);
    ptio_module *module = NULL;
    assert_int_equal(ptio_value_is_module(ptio_root(ckpt)), is_module);
    expect_ramp(ptio_at(ckpt, "a"), PTIO_FLOAT32, 2, 1, 1);
    expect_ramp(ptio_at(ckpt, "b"), PTIO_FLOAT32, 2, 2, -1);
    assert_int_equal(ptio_tensor_is_parameter(ptio_value_tensor(ptio_at(ckpt, "a"))), a_parameter);
    if (is_module) {
        assert_int_equal(ptio_module_open(ckpt, ptio_root(ckpt), &module, NULL), PTIO_OK);
        assert_int_equal(ptio_module_state_count(module), entries);
        ptio_module_free(module);
    }
    ptio_checkpoint_free(ckpt);
    free(b.data);
}

static void sources_of_scripts(void **state)
{
    (void)state;
    expect_script("class Net(Module):\n  __parameters__ = [\"a\", ]\n  __buffers__ = [\"b\", ]\n  a : Tensor\n", true, true, 2);
    /* b is an attribute. */
    expect_script("class Net(Module):\n  __parameters__ = [\"a\"]\n  __buffers__ = []\n", true, true, 1);
    /* Before buffers were listed, what is no parameter is one. */
    expect_script("op_version_set = 1\nclass Net(Module):\n  __parameters__ = [\"a\", ]\n", true, true, 2);
    /* The lists are those of another class. */
    expect_script(
        "class Other(Module):\n  __parameters__ = [\"a\", ]\nclass Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n",
        true, false, 0);
    expect_script("class Net(Module):\n  __buffers__ = []\ndef f():\n  __parameters__ = [\"a\", ]\n", true, false, 0);
    expect_script("class Net(NamedTuple):\n  a : Tensor\n", false, false, 0);
    expect_script("class Net(Module):\n  __parameters__ = [\"a\n  __buffers__ = [\"\\\"b\", \"\n", true, false, 0);
    expect_script("", false, false, 0);
    expect_script(NULL, false, false, 0);
}

static void scripts_with_flaws(void **state)
{
    (void)state;
    zip z = {.count = 0};
    static const char pickle[] = "\x80\2" TENSOR("7") ".";
    zip_add(&z, "m/data.pkl", pickle, sizeof pickle - 1);
    zip_add(&z, "m/constants.pkl", "\x80\2).", 4);
    zip_add_string(&z, "m/version", "3\n");
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "storage.missing");
    /* A constant is looked for among the constants only. */
    z = (zip){.count = 0};
    zip_add(&z, "m/data.pkl", "\x80\2N.", 4);
    zip_add(&z, "m/data/7", "\0\0\0\0\0\0\0\0", 8);
    zip_add(&z, "m/constants.pkl", pickle, sizeof pickle - 1);
    zip_add_string(&z, "m/version", "3\n");
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "storage.missing");
    z = (zip){.count = 0};
    zip_add(&z, "m/constants.pkl", "\x80\2).", 4);
    zip_add_string(&z, "m/version", "3\n");
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "zip.no-record");
}

/* ---- torch.package ---- */

static void package(void **state)
{
    (void)state;
    static const int64_t shape[] = {2, 3};
    ptio_checkpoint *ckpt = load(EXTRA "archives/packaged.pt");
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_PACKAGE);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 3);
    expect_shape(ptio_at(ckpt, "w"), 2, shape);
    expect_ramp(ptio_at(ckpt, "w"), PTIO_FLOAT32, 6, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "again"), PTIO_FLOAT32, 2, -1.5, 0.5);
    expect_int(ptio_at(ckpt, "n"), 5);
    ptio_checkpoint_free(ckpt);
}

static void start_package(zip *z)
{
    zip_add_string(z, "p/.data/extern_modules", "torch\n");
    zip_add_string(z, "p/.data/version", "6\n");
    zip_add_string(z, "p/lib/thing.py", "\x80\3N.");
    zip_add(z, "p/notes/raw.bin", "\x80\3\0\xff\0.", 6);
}

static void package_of_several(void **state)
{
    (void)state;
    zip z = {.count = 0};
    start_package(&z);
    zip_add(&z, "p/a/one.pkl", "\x80\3K\1.", 5);
    /* ('reduce_package', 0, 'f') needs code: it stays an id. */
    zip_add(&z, "p/a/two.pkl", "\x80\3(X\16\0\0\0reduce_packageK\0X\1\0\0\0ftQ.", 33);
    bytes b = zip_end(&z);
    ptio_checkpoint *ckpt = load_made(b);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 2);
    expect_int(ptio_value_get(ptio_root(ckpt), "a/one.pkl"), 1);
    const ptio_value *two = ptio_value_get(ptio_root(ckpt), "a/two.pkl");
    assert_int_equal(ptio_value_kind(two), PTIO_KIND_OBJECT);
    assert_int_equal(ptio_node_view(two), PTIO_NODE_PERSISTENT);
    assert_int_equal(ptio_node_item_count(ptio_node_arguments(two)), 3);
    ptio_checkpoint_free(ckpt);
    free(b.data);
}

static void package_without_pickle(void **state)
{
    (void)state;
    zip z = {.count = 0};
    start_package(&z);
    refused_made(zip_end(&z), PTIO_ERR_UNSUPPORTED, "package.no-pickle");
}

/* ---- .pt2 ---- */

static void exported(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(EXTRA "archives/exported.pt2");
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_PT2);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 10);
    expect_text(ptio_value_class(ptio_root(ckpt)), "collections.OrderedDict");
    const ptio_value *weight = ptio_at(ckpt, "body.1.weight"), *buffer = ptio_at(ckpt, "head.scale");
    expect_text(ptio_value_class(weight), "torch.nn.parameter.Parameter");
    expect_ramp(weight, PTIO_FLOAT32, 2, 1, 0);
    assert_true(ptio_tensor_requires_grad(ptio_value_tensor(weight)));
    expect_text(ptio_value_class(buffer), "torch.Tensor");
    expect_ramp(buffer, PTIO_FLOAT32, 2, 2, 1);
    expect_ramp(ptio_at(ckpt, "body.1.num_batches_tracked"), PTIO_INT64, 1, 0, 0);
    /* As a pickler would see it. */
    const ptio_value *data = ptio_node_item(ptio_node_arguments(weight), 0);
    expect_text(ptio_node_qualname(ptio_node_callable(weight)), "_rebuild_parameter");
    expect_text(ptio_node_qualname(ptio_node_callable(data)), "_rebuild_tensor_v2");
    expect_text(ptio_value_str(ptio_node_item(ptio_node_arguments(ptio_node_item(ptio_node_arguments(data), 0)), 2)), "weight_2");
    ptio_checkpoint_free(ckpt);
}

static void start_pt2(zip *z)
{
    zip_add_string(z, "e/archive_format", "pt2");
    zip_add_string(z, "e/.data/version", "6\n");
}

/* One weight "w" over weight_0, of two floats; `config` is what the config says of it. */
static bytes pt2(const char *config)
{
    char text[1024];
    zip z = {.count = 0};
    start_pt2(&z);
    zip_add(&z, "e/data/weights/weight_0", "\0\0\x80?\0\0\0@", 8);
    (void)snprintf(text, sizeof text, "{\"config\": {\"w\": %s}}", config);
    zip_add_string(&z, "e/data/weights/model_weights_config.json", text);
    return zip_end(&z);
}

#define META(dtype, size, stride, offset, layout)                                                                            \
    "{\"path_name\": \"weight_0\", \"is_param\": false, \"use_pickle\": false, \"tensor_meta\": {\"dtype\": " dtype          \
    ", \"sizes\": [" size "], \"requires_grad\": false, \"strides\": [" stride "], \"storage_offset\": {\"as_int\": " offset \
    "}, \"layout\": " layout "}}"
#define INT(number) "{\"as_int\": " number "}"

static void exported_views(void **state)
{
    (void)state;
    bytes b = pt2(META("7", INT("2") "," INT("2"), INT("0") "," INT("1"), "0", "7"));
    ptio_checkpoint *ckpt = load_made(b);
    static const int64_t shape[] = {2, 2};
    expect_shape(ptio_at(ckpt, "w"), 2, shape);
    assert_int_equal(ptio_tensor_stride(ptio_value_tensor(ptio_at(ckpt, "w")))[0], 0);
    ptio_checkpoint_free(ckpt);
    free(b.data);
    b = pt2(META("33", INT("3"), INT("1"), "5", "7"));
    ckpt = load_made(b);
    assert_int_equal(ptio_tensor_dtype(ptio_value_tensor(ptio_at(ckpt, "w"))), PTIO_FLOAT8_E8M0FNU);
    assert_int_equal(ptio_tensor_storage_offset(ptio_value_tensor(ptio_at(ckpt, "w"))), 5);
    ptio_checkpoint_free(ckpt);
    free(b.data);
}

static void exported_with_flaws(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        ptio_status status;
        const char *reason;
    } bad[] = {{META("7", INT("3"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "tensor.bounds"},
               {META("7", INT("2"), INT("1"), "1", "7"), PTIO_ERR_FORMAT, "tensor.bounds"},
               {META("7", INT("2"), INT("4611686018427387904"), "0", "7"), PTIO_ERR_FORMAT, "tensor.bounds"},
               {META("7", INT("-2"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("7", INT("2.0"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("7", INT("2"), "", "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("7", "{\"as_expr\": \"s0\"}", INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("0", INT("2"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("36", INT("2"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("1000000000000", INT("2"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "pt2.weight"},
               {META("7", INT("2"), INT("1"), "0", "1"), PTIO_ERR_UNSUPPORTED, "pt2.layout"},
               {"{\"path_name\": \"weight_1\"}", PTIO_ERR_FORMAT, "pt2.weight"},
               {"{\"path_name\": 3}", PTIO_ERR_FORMAT, "pt2.weight"},
               {"7", PTIO_ERR_FORMAT, "pt2.weight"},
               {"{\"path_name\": \"weight_0\", \"use_pickle\": true}", PTIO_ERR_FORMAT, NULL},
               {"{\"path_name\": \"weight_0\"", PTIO_ERR_FORMAT, "json.syntax"},
               {META("7", INT("99999999999999999999"), INT("1"), "0", "7"), PTIO_ERR_FORMAT, "json.syntax"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes b = pt2(bad[i].config);
        ptio_error err = {0};
        ptio_checkpoint *ckpt = NULL;
        ptio_status status = ptio_load_memory(b.data, b.size, NULL, &ckpt, &err);
        expect_error(status, &err, bad[i].status, bad[i].reason ? bad[i].reason : err.reason);
        free(b.data);
    }
    zip z = {.count = 0};
    start_pt2(&z);
    refused_made(zip_end(&z), PTIO_ERR_UNSUPPORTED, "pt2.no-weights");
    z = (zip){.count = 0};
    start_pt2(&z);
    zip_add_string(&z, "e/data/weights/model_weights_config.json", "{\"config\": []}");
    refused_made(zip_end(&z), PTIO_ERR_FORMAT, "pt2.config");
}

/* Weights by torch.save: the whole state_dict of one model, and one weight of another. */
static bytes pt2_of_files(void)
{
    zip z = {.count = 0};
    start_pt2(&z);
    bytes shard = read_bytes(EXTRA "shards/hf_bin_broken/pytorch_model-00001-of-00002.bin");
    zip_add(&z, "e/data/weights/old.pt", shard.data, shard.size);
    zip_add(&z, "e/data/weights/weight_0", shard.data, shard.size);
    zip_add_string(
        &z, "e/data/weights/new_weights_config.json",
        "{\"config\": {\"w\": {\"path_name\": \"weight_0\", \"use_pickle\": true}, \"again\": {\"path_name\": \"weight_0\", "
        "\"use_pickle\": true}}}");
    free(shard.data);
    return zip_end(&z);
}

static void exported_with_files(void **state)
{
    (void)state;
    bytes b = pt2_of_files();
    ptio_checkpoint *ckpt = load_made(b);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 2);
    expect_ramp(ptio_at(ckpt, "old.a"), PTIO_FLOAT32, 2, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "new.w.a"), PTIO_FLOAT32, 2, -1.5, 0.5);
    assert_ptr_equal(ptio_at(ckpt, "new.w"), ptio_at(ckpt, "new.again"));
    /* Where the bytes are is no place in the source of the whole. */
    uint64_t offset, nbytes;
    assert_false(ptio_storage_range(ptio_value_storage(ptio_at(ckpt, "old.a")), &offset, &nbytes));
    ptio_checkpoint_free(ckpt);
    folder f = new_folder();
    write_in(&f, "m.pt2", b);
    ckpt = load(path_in(&f, "m.pt2")); /* from a file that is read, not viewed */
    expect_ramp(ptio_at(ckpt, "old.a"), PTIO_FLOAT32, 2, -1.5, 0.5);
    ptio_checkpoint_free(ckpt);
    expect_clean_failures(path_in(&f, "m.pt2"));
    free_folder(&f);
    free(b.data);
}

/* ---- all of them ---- */

static const char *const archives[] = {EXTRA "archives/scripted_nested.pt", EXTRA "archives/traced_small.pt",
                                       EXTRA "archives/packaged.pt", EXTRA "archives/exported.pt2"};

static void every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        bytes b = read_bytes(archives[i]);
        for (size_t size = 0; size < b.size; size += 1 + size / 64) {
            ptio_error err = {0};
            ptio_checkpoint *ckpt = NULL;
            ptio_status status = ptio_load_memory(b.data, size, NULL, &ckpt, &err);
            /* Ambiguous: the prefix ends where an archive inside the archive ends. */
            if (status != PTIO_ERR_FORMAT && status != PTIO_ERR_UNSUPPORTED && status != PTIO_ERR_AMBIGUOUS)
                fail_msg("%s, %zu bytes: %d %s", archives[i], size, (int)status, err.message);
        }
        free(b.data);
    }
}

static void failing_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
        expect_clean_failures(archives[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(modules_of_scripts),
                                              cmocka_unit_test(attributes_of_scripts),
                                              cmocka_unit_test(constants_of_scripts),
                                              cmocka_unit_test(scripts_may_be_without_elements),
                                              cmocka_unit_test(sources_of_scripts),
                                              cmocka_unit_test(scripts_with_flaws),
                                              cmocka_unit_test(package),
                                              cmocka_unit_test(package_of_several),
                                              cmocka_unit_test(package_without_pickle),
                                              cmocka_unit_test(exported),
                                              cmocka_unit_test(exported_views),
                                              cmocka_unit_test(exported_with_flaws),
                                              cmocka_unit_test(exported_with_files),
                                              cmocka_unit_test(every_prefix),
                                              cmocka_unit_test(failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
