/*
 * Built values: what PyTorch 2.13 writes for the same object, and changes to loaded ones.
 *
 * The sizes and CRCs of data.pkl are PyTorch's own, for the objects that the rows name.
 */
#include "torch/built.h"

#define CORPUS PTIO_TEST_DATA "/corpus/2.13.0/"

static void a_tensor_of_each_dtype(void **state)
{
    (void)state;
    static const struct {
        ptio_dtype dtype;
        uint64_t size;
        uint32_t crc32;
    } rows[] = {
        {PTIO_FLOAT64, 151, 0x44857F3B},         {PTIO_FLOAT32, 150, 0xB4401400},
        {PTIO_FLOAT16, 149, 0x08A8DE22},         {PTIO_BFLOAT16, 153, 0x8535AABE},
        {PTIO_INT64, 149, 0xA140DE9C},           {PTIO_INT32, 148, 0xBF64E386},
        {PTIO_INT16, 150, 0x3FC9A58B},           {PTIO_INT8, 149, 0xB5F9F3AD},
        {PTIO_UINT8, 149, 0x3C05FDFA},           {PTIO_BOOL, 149, 0x626E3F72},
        {PTIO_COMPLEX64, 157, 0xF420EEF4},       {PTIO_COMPLEX128, 158, 0xFE1529C4},
        {PTIO_COMPLEX32, 179, 0x66AE84A3},       {PTIO_UINT16, 176, 0x6C98AA49},
        {PTIO_UINT32, 176, 0x95C98CA0},          {PTIO_UINT64, 176, 0x75C9A05A},
        {PTIO_FLOAT8_E4M3FN, 183, 0xB0D82D57},   {PTIO_FLOAT8_E5M2, 181, 0x65430067},
        {PTIO_FLOAT8_E4M3FNUZ, 185, 0x2B851862}, {PTIO_FLOAT8_E5M2FNUZ, 185, 0x15D808C9},
        {PTIO_FLOAT8_E8M0FNU, 184, 0x0CE91F92},  {PTIO_FLOAT4_E2M1FN_X2, 186, 0xA53C5B9C},
        {PTIO_BITS8, 175, 0x13B81151},           {PTIO_BITS1X8, 177, 0xC5AECB2B},
        {PTIO_BITS2X4, 177, 0x727E3522},         {PTIO_BITS4X2, 177, 0x3A2E20BC},
        {PTIO_BITS16, 176, 0xBEB08C0D},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const uint8_t zeros[32];
        ptio_builder *b = begin();
        assert_pickled(ptio_new_tensor(b, rows[i].dtype, 1, (int64_t[]){2}, zeros), rows[i].size, rows[i].crc32);
        end(b);
    }
}

static void other_values_of_torch(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    const float ones[] = {1, 1};
    const int64_t numbers[] = {0, 1, 2};
    const ptio_value *one = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){1}, ones);
    assert_pickled(ptio_new_tensor(b, PTIO_FLOAT32, 0, NULL, ones), 142, 0x95C01000);
    assert_pickled(ptio_new_tensor(b, PTIO_FLOAT32, 2, (int64_t[]){0, 3}, NULL), 154, 0x27B0A63C);
    assert_pickled(ptio_new_parameter(b, one, true), 198, 0xA72ED110);
    const ptio_value *devices[] = {ptio_new_device(b, "cpu"), ptio_new_device(b, "cuda:1")};
    ptio_value *list = ptio_new_list(b);
    assert_true(ptio_append(b, list, devices[0]) && ptio_append(b, list, devices[1]));
    assert_pickled(list, 61, 0x83D1368D);
    assert_pickled(ptio_new_layout(b, PTIO_STRIDED), 64, 0xF1F5357E);
    assert_pickled(ptio_new_size(b, 2, (int64_t[]){1, 2}), 30, 0x653B1338);
    assert_pickled(ptio_new_dtype(b, PTIO_UINT4), 18, 0xAFAE2002);
    const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 2}, numbers);
    const ptio_value *values = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){2}, ones);
    assert_pickled(ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){2}, false), 361, 0x85622047);
    assert_pickled(ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){2}, true), 361, 0x44ECFF87);
    const ptio_value *crow = ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){3}, numbers);
    const ptio_value *col = ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){2}, numbers);
    assert_pickled(ptio_new_sparse_compressed(b, PTIO_SPARSE_CSR, crow, col, values, 2, (int64_t[]){2, 2}), 407, 0x5B5C157A);
    assert_pickled(ptio_new_sparse_compressed(b, PTIO_SPARSE_CSC, crow, col, values, 2, (int64_t[]){2, 2}), 407, 0x7A6A3DF3);
    const ptio_storage *storage = ptio_new_storage_copy(b, PTIO_QUINT8, "\5\5", 2);
    const ptio_quantizer quantizer = {.scheme = PTIO_PER_TENSOR_AFFINE, .scale = 0.5, .zero_point = 3};
    assert_pickled(ptio_new_quantized(b, storage, 1, (int64_t[]){2}, &quantizer, NULL, NULL), 190, 0x7789C29B);
    end(b);
}

/* [t, t[1:]] shares a storage; [t, t] is one object. */
static void sharing(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    const float numbers[] = {0, 1, 2, 3};
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, NULL);
    const ptio_value *all = ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){4}, NULL, 0, false);
    const ptio_value *rest = ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){3}, NULL, 1, false);
    ptio_value *views = ptio_new_list(b), *twice = ptio_new_list(b);
    assert_true(ptio_append(b, views, all) && ptio_append(b, views, rest));
    assert_true(ptio_append(b, twice, all) && ptio_append(b, twice, all));
    assert_pickled(views, 198, 0x49D5B757);
    assert_pickled(twice, 157, 0xA9EC7A4D);
    end(b);
}

/* {"cpu": t, "storage": 1} with the strings that PyTorch's words are too. */
static void names_are_words(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    const float numbers[] = {0, 1, 2};
    const ptio_value *tensor = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){3}, numbers);
    ptio_value *names = ptio_new_dict(b), *texts = ptio_new_dict(b);
    assert_true(ptio_put_key(b, names, ptio_new_name(b, "cpu"), tensor));
    assert_true(ptio_put_key(b, names, ptio_new_name(b, "storage"), ptio_new_int(b, 1)));
    assert_true(ptio_put(b, texts, "cpu", tensor) && ptio_put(b, texts, "storage", ptio_new_int(b, 1)));
    assert_pickled(names, 161, 0xF33A70CB);
    assert_pickled(texts, 181, 0x3230C6A8);
    end(b);
}

/* Built values are values: getters, lookups and printing do not tell them apart. */
static void read_back(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    ptio_value *dict = ptio_new_ordered_dict(b);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "key %d", i % 500);
        assert_true(ptio_put(b, dict, key, ptio_new_int(b, i)));
    }
    assert_int_equal(ptio_value_count(dict), 500);
    int64_t number;
    assert_true(ptio_value_int(ptio_value_get(dict, "key 7"), &number));
    assert_int_equal(number, 507);
    assert_true(ptio_remove(b, dict, 3));
    assert_null(ptio_value_get(dict, "key 3"));
    assert_true(ptio_put(b, dict, "key 3", ptio_new_none(b)));
    assert_int_equal(ptio_value_count(dict), 500);
    assert_int_equal(ptio_value_kind(ptio_value_item(dict, 499)), PTIO_KIND_NONE);
    assert_false(ptio_rename(b, dict, 0, ptio_new_str(b, "key 9")));
    assert_true(ptio_rename(b, dict, 0, ptio_new_str(b, "first")));
    assert_ptr_equal(ptio_value_get(dict, "first"), ptio_value_item(dict, 0));
    assert_true(ptio_set_attribute(b, dict, "_metadata", ptio_new_dict(b)));
    assert_int_equal(ptio_value_kind(ptio_value_attribute(dict, "_metadata")), PTIO_KIND_DICT);
    const ptio_value *ones[] = {ptio_new_int(b, 1), ptio_new_float(b, 1), ptio_new_bool(b, true)};
    assert_int_equal(ptio_value_count(ptio_new_set(b, ones, 3)), 1);
    end(b);
}

static void assert_refused(const void *made, ptio_builder *b, const char *reason)
{
    ptio_error err = {0};
    assert_null(made);
    assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, reason);
    ptio_builder_free(b);
}

static const ptio_storage *floats(ptio_builder *b)
{
    return ptio_new_storage(b, PTIO_FLOAT32, NULL, 4, NULL);
}

static const ptio_value *small(ptio_builder *b, ptio_dtype dtype)
{
    return ptio_new_tensor(b, dtype, 0, NULL, NULL);
}

/* What is missing, and what no PyTorch could load: the call is wrong, whoever found it. */
static void wrong_calls(void **state)
{
    (void)state;
#define REFUSED(call, reason)              \
    do {                                   \
        ptio_builder *b = begin();         \
        assert_refused((call), b, reason); \
    } while (0)
    REFUSED(ptio_new_tensor(b, PTIO_INT8, 2, NULL, NULL), "builder.shape");
    REFUSED(ptio_new_meta(b, PTIO_INT8, 2, NULL), "builder.shape");
    REFUSED(ptio_new_size(b, 1, NULL), "builder.shape");
    REFUSED(ptio_new_view(b, floats(b), PTIO_FLOAT32, 1, NULL, NULL, 0, false), "builder.shape");
    REFUSED(ptio_new_view(b, floats(b), PTIO_FLOAT32, 1, (int64_t[]){1}, (int64_t[]){-1}, 0, false), "tensor.stride");
    REFUSED(ptio_new_view(b, floats(b), PTIO_FLOAT32, 65, (int64_t[65]){1}, NULL, 0, false), "tensor.ndim");
    REFUSED(ptio_new_quantized(b, floats(b), 0, NULL, NULL, NULL, NULL), "builder.storage");
    REFUSED(ptio_new_sparse_coo(b, small(b, PTIO_INT64), small(b, PTIO_FLOAT32), 1, NULL, false), "builder.shape");
    REFUSED(ptio_new_parameter(b, ptio_new_int(b, 3), true), "rebuild.arguments");
    REFUSED(ptio_new_parameter(b, small(b, PTIO_INT32), true), "builder.requires-grad");
    REFUSED(ptio_new_view(b, ptio_new_storage(b, PTIO_BOOL, NULL, 1, NULL), PTIO_BOOL, 0, NULL, NULL, 0, true),
            "builder.requires-grad");
    REFUSED(ptio_new_str(b, NULL), "builder.none");
    REFUSED(ptio_new_name(b, NULL), "builder.none");
    REFUSED(ptio_new_bytes(b, NULL, 1), "builder.none");
    REFUSED(ptio_new_global(b, "module", NULL), "builder.none");
    REFUSED(ptio_new_tuple(b, NULL, 1), "builder.none");
    REFUSED(ptio_new_set(b, (const ptio_value *const[]){ptio_new_list(b)}, 1), "pickle.unhashable-key");
    REFUSED(ptio_new_device(b, NULL), "builder.device");
    REFUSED(ptio_new_device(b, "cuda:"), "builder.device");
    REFUSED(ptio_new_device(b, ":1"), "builder.device");
    REFUSED(ptio_put(b, ptio_new_dict(b), NULL, ptio_new_int(b, 1)) ? b : NULL, "builder.none");
    ptio_builder *b = begin();
    assert_non_null(ptio_new_parameter(b, small(b, PTIO_INT32), false));
    assert_non_null(ptio_new_parameter(b, small(b, PTIO_FLOAT4_E2M1FN_X2), true));
    assert_non_null(ptio_new_bytes(b, NULL, 0));
    assert_non_null(ptio_new_int_bytes(b, NULL, 0));
    end(b);
}

/* A maker that fails leaves its failure, makers after it give NULL, and a save of that fails. */
static void failures_stay(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    ptio_error err = {0};
    const float one = 1;
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, &one, sizeof one, NULL);
    assert_null(ptio_new_view(b, storage, PTIO_FLOAT32, 1, (int64_t[]){2}, NULL, 0, false));
    assert_null(ptio_new_dict(b));
    assert_int_equal(ptio_builder_status(b, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.reason, "tensor.bounds");
    ptio_error none = {0};
    assert_int_equal(ptio_save(NULL, "/nowhere/x.pt", NULL, &none), PTIO_ERR_ARGUMENT);
    ptio_builder_free(b);
}

/* Two dtypes over one storage are refused with PyTorch's own words. */
static void two_dtypes(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    const ptio_storage *storage = ptio_new_storage_copy(b, PTIO_UINT8, "1234", 4);
    ptio_value *list = ptio_new_list(b);
    assert_true(ptio_append(b, list, ptio_new_view(b, storage, PTIO_UINT8, 1, (int64_t[]){4}, NULL, 0, false)));
    assert_true(ptio_append(b, list, ptio_new_view(b, storage, PTIO_UINT16, 1, (int64_t[]){2}, NULL, 0, false)));
    ptio_sink_free(saved(list, NULL)); /* untyped storages count as uint8 */
    end(b);
    b = begin();
    storage = ptio_new_storage_copy(b, PTIO_UINT8, "1234", 4);
    assert_null(ptio_new_view(b, storage, PTIO_INT16, 1, (int64_t[]){2}, NULL, 0, false));
    ptio_builder_free(b);
}

/* What PyTorch cannot save is refused in its own words. */
static void unknown_dtype(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    ptio_error err = {0};
    ptio_sink *sink;
    const ptio_value *x = ptio_new_tensor(b, PTIO_UINT4, 1, (int64_t[]){2}, "12");
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    assert_int_equal(ptio_save_sink(x, sink, NULL, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.message, "dtype torch.uint4 is not recognized");
    ptio_sink_free(sink);
    end(b);
}

/* What a release cannot hold is refused, not written in a form that it does not know. */
static void old_profiles(void **state)
{
    (void)state;
    ptio_builder *b = begin();
    ptio_error err = {0};
    ptio_sink *sink;
    const int64_t numbers[] = {0, 1};
    const float ones[] = {1, 1};
    const ptio_save_options options = {PTIO_SAVE_OPTIONS, .profile = PTIO_PROFILE_1_13};
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
    const ptio_value *x = ptio_new_tensor(b, PTIO_UINT16, 1, (int64_t[]){2}, "1234");
    assert_int_equal(ptio_save_sink(x, sink, &options, &err), PTIO_ERR_ARGUMENT);
    assert_string_equal(err.message, "dtype torch.uint16 is not recognized");
    ptio_sink_free(sink);
    const ptio_value *indices = ptio_new_tensor(b, PTIO_INT64, 2, (int64_t[]){1, 2}, numbers);
    const ptio_value *values = ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){2}, ones);
    sink = saved(ptio_new_sparse_coo(b, indices, values, 1, (int64_t[]){2}, true), &options);
    ptio_text written = ptio_sink_bytes(sink);
    ptio_checkpoint *again;
    assert_int_equal(ptio_load_memory(written.bytes, written.size, NULL, &again, NULL), PTIO_OK);
    /* Three parts: whether it is coalesced was not written. */
    assert_int_equal(ptio_value_count(ptio_node_item(ptio_node_arguments(ptio_root(again)), 1)), 3);
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(again, &info);
    assert_int_equal(info.records, 4);
    ptio_checkpoint_free(again);
    ptio_sink_free(sink);
    end(b);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    (void)fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    (void)fclose(file);
    return bytes;
}

static ptio_checkpoint *load(const char *path)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt;
    assert_int_equal(ptio_load(path, NULL, &ckpt, &err), PTIO_OK);
    return ckpt;
}

/* Renamed and renamed back, a file written as it was is the same file. */
static void rename_and_back(void **state)
{
    (void)state;
    static const char path[] = CORPUS "state_dict_ffnn.pt";
    size_t size;
    char *bytes = read_file(path, &size);
    ptio_checkpoint *ckpt = load(path);
    ptio_builder *b = begin();
    ptio_value *dict = ptio_edit(b, ptio_root(ckpt));
    assert_ptr_equal(ptio_edit(b, ptio_root(ckpt)), dict);
    assert_true(ptio_rename(b, dict, 0, ptio_new_str(b, "other")));
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .edits = b, .as = ckpt};
    ptio_sink *sink = saved(ptio_root(ckpt), &options);
    ptio_checkpoint *again;
    ptio_text written = ptio_sink_bytes(sink);
    assert_int_equal(ptio_load_memory(written.bytes, written.size, NULL, &again, NULL), PTIO_OK);
    assert_non_null(ptio_value_get(ptio_root(again), "other"));
    assert_null(ptio_value_get(ptio_root(again), "0.weight"));
    assert_int_equal(ptio_value_count(ptio_root(again)), ptio_value_count(ptio_root(ckpt)));
    ptio_checkpoint_free(again);
    ptio_sink_free(sink);
    assert_true(ptio_rename(b, dict, 0, ptio_new_str(b, "0.weight")));
    sink = saved(ptio_root(ckpt), &options);
    written = ptio_sink_bytes(sink);
    assert_int_equal(written.size, size);
    assert_memory_equal(written.bytes, bytes, size);
    ptio_sink_free(sink);
    ptio_checkpoint_free(ckpt);
    end(b);
    free(bytes);
}

/* A storage that nothing uses any more is not written; tensors of one file go into another. */
static void drop_and_add(void **state)
{
    (void)state;
    ptio_checkpoint *one = load(CORPUS "state_dict_ffnn.pt"), *other = load(CORPUS "state_dict_ffnn.pt");
    ptio_builder *b = begin();
    ptio_value *dict = ptio_edit(b, ptio_root(one));
    assert_true(ptio_remove(b, dict, 1));
    assert_true(ptio_put(b, dict, "added", ptio_value_get(ptio_root(other), "0.weight")));
    ptio_builder_hold(b, other);
    ptio_checkpoint_free(other);
    ptio_sink *sink = saved(ptio_root(one), &(ptio_save_options){PTIO_SAVE_OPTIONS, .edits = b});
    ptio_text written = ptio_sink_bytes(sink);
    ptio_checkpoint *again;
    assert_int_equal(ptio_load_memory(written.bytes, written.size, NULL, &again, NULL), PTIO_OK);
    const ptio_value *root = ptio_root(again);
    assert_null(ptio_value_get(root, "0.bias"));
    float x[48], y[48];
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_value_get(root, "added")), PTIO_FLOAT32, x, sizeof x, NULL),
                     PTIO_OK);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_value_get(root, "0.weight")), PTIO_FLOAT32, y, sizeof y, NULL),
                     PTIO_OK);
    assert_memory_equal(x, y, sizeof x);
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(again, &info);
    assert_int_equal(info.storages, ptio_value_count(root));
    ptio_checkpoint_free(again);
    ptio_sink_free(sink);
    ptio_checkpoint_free(one);
    end(b);
}

/* ---- long edits ---- */

/** Storages, counted. */
typedef struct counted {
    size_t held, most;
} counted;

static void *count_alloc(void *ctx, size_t size, size_t alignment)
{
    counted *c = ctx;
    c->held += size;
    c->most = c->held > c->most ? c->held : c->most;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void count_free(void *ctx, void *ptr, size_t size)
{
    ((counted *)ctx)->held -= size;
    free(ptr);
}

/* A tensor that is replaced again and again takes the room of two. */
static void long_edits_do_not_grow(void **state)
{
    (void)state;
    enum { NUMBERS = 10000, NBYTES = NUMBERS * sizeof(float) };
    static float numbers[NUMBERS];
    counted c = {0};
    const ptio_memory memory = {.alloc = count_alloc, .free = count_free, .ctx = &c};
    const int64_t shape = NUMBERS;
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(&memory, &b, NULL), PTIO_OK);
    ptio_value *dict = ptio_new_dict(b);
    const ptio_value *last = NULL;
    for (int i = 0; i < 100; i++) {
        numbers[7] = (float)i;
        const ptio_value *now = ptio_new_tensor(b, PTIO_FLOAT32, 1, &shape, numbers);
        assert_true(ptio_put(b, dict, "w", now));
        assert_true(!last || ptio_builder_release(b, ptio_value_storage(last)));
        last = now;
    }
    assert_int_equal(c.most, 2 * NBYTES);
    assert_int_equal(c.held, NBYTES);
    const void *data;
    assert_int_equal(ptio_storage_data(ptio_value_storage(last), &data, NULL), PTIO_OK);
    assert_int_equal((uintptr_t)data % PTIO_STORAGE_ALIGN, 0);
    assert_true(((const float *)data)[7] == 99.0f);
    ptio_storage_drop(ptio_value_storage(last)); /* is about what was read */
    assert_int_equal(c.held, NBYTES);
    end(b);
    assert_int_equal(c.held, 0);
}

/* What was given back is zeros, and others are not given back. */
static void what_is_released_is_zeros(void **state)
{
    (void)state;
    const int64_t shape = 2;
    float numbers[2] = {1, 2}, read[2] = {3, 4};
    ptio_builder *b = begin(), *other = begin();
    const ptio_value *tensor = ptio_new_tensor(b, PTIO_FLOAT32, 1, &shape, numbers);
    const ptio_storage *lent = ptio_new_storage(b, PTIO_FLOAT32, numbers, sizeof numbers, NULL);
    const ptio_value *zeros = ptio_new_tensor(b, PTIO_FLOAT32, 1, &shape, NULL);
    assert_false(ptio_builder_release(b, NULL));
    assert_false(ptio_builder_release(b, lent));
    assert_false(ptio_builder_release(b, ptio_value_storage(zeros)));
    assert_false(ptio_builder_release(other, ptio_value_storage(tensor)));
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(tensor), PTIO_FLOAT32, read, sizeof read, NULL), PTIO_OK);
    assert_true(read[0] == 1 && read[1] == 2);
    assert_true(ptio_builder_release(b, ptio_value_storage(tensor)));
    assert_false(ptio_builder_release(b, ptio_value_storage(tensor)));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ptio_tensor_copy(ptio_value_tensor(i ? zeros : tensor), PTIO_FLOAT32, read, sizeof read, NULL), PTIO_OK);
        assert_true(read[0] == 0 && read[1] == 0);
    }
    end(other);
    end(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_of_each_dtype),
        cmocka_unit_test(other_values_of_torch),
        cmocka_unit_test(sharing),
        cmocka_unit_test(names_are_words),
        cmocka_unit_test(read_back),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(failures_stay),
        cmocka_unit_test(two_dtypes),
        cmocka_unit_test(unknown_dtype),
        cmocka_unit_test(old_profiles),
        cmocka_unit_test(rename_and_back),
        cmocka_unit_test(drop_and_add),
        cmocka_unit_test(long_edits_do_not_grow),
        cmocka_unit_test(what_is_released_is_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
