/*
 * Indexes of sharded checkpoints: Hugging Face's own, and folders made here whose index or files have flaws.
 */
#include "torch/files.h"

#define BIN EXTRA "shards/hf_bin/pytorch_model.bin.index.json"
#define SAFETENSORS EXTRA "shards/hf_safetensors/model.safetensors.index.json"

static void expect_whole(const char *path, bool mmap)
{
    static const char *const names[] = {"embed.weight", "layers.0.w",  "layers.0.b", "layers.1.w",
                                        "layers.1.b",   "head.weight", "steps"};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = mmap};
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_checkpoint_info info;
    assert_int_equal(ptio_load(path, &options, &ckpt, &err), PTIO_OK);
    ptio_checkpoint_describe(ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_SHARDS);
    assert_int_equal(info.storages, 7);
    assert_int_equal(info.storage_bytes, 296);
    expect_text(ptio_value_class(ptio_root(ckpt)), "collections.OrderedDict");
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 7);
    for (size_t i = 0; i < 7; i++)
        expect_text(ptio_value_str(ptio_value_key(ptio_root(ckpt), i)), names[i]);
    expect_ramp(ptio_value_get(ptio_root(ckpt), "layers.1.b"), PTIO_FLOAT32, 4, 1, 0);
    expect_ramp(ptio_value_get(ptio_root(ckpt), "steps"), PTIO_INT64, 1, 7, 0);
    /* No place in the source of the index. */
    uint64_t offset, nbytes;
    assert_false(ptio_storage_range(ptio_value_storage(ptio_value_get(ptio_root(ckpt), "steps")), &offset, &nbytes));
    ptio_checkpoint_free(ckpt);
}

static void whole(void **state)
{
    (void)state;
    expect_whole(BIN, false);
    expect_whole(BIN, true);
    expect_whole(SAFETENSORS, false);
    expect_whole(SAFETENSORS, true);
}

/* Both forms hold the same elements. */
static void same_elements(void **state)
{
    (void)state;
    ptio_checkpoint *a = load(BIN), *b = load(SAFETENSORS);
    for (size_t i = 0; i < 7; i++) {
        double one[40], other[40];
        const ptio_tensor *x = ptio_value_tensor(ptio_value_item(ptio_root(a), i)),
                          *y = ptio_value_tensor(ptio_value_item(ptio_root(b), i));
        size_t size = (size_t)ptio_tensor_numel(x) * sizeof *one;
        assert_int_equal(ptio_tensor_dtype(x), ptio_tensor_dtype(y));
        assert_int_equal(ptio_tensor_copy(x, PTIO_FLOAT64, one, size, NULL), PTIO_OK);
        assert_int_equal(ptio_tensor_copy(y, PTIO_FLOAT64, other, size, NULL), PTIO_OK);
        assert_memory_equal(one, other, size);
    }
    ptio_checkpoint_free(a);
    ptio_checkpoint_free(b);
}

static bool has_finding(const ptio_report *report, const char *reason)
{
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        if (strcmp(ptio_report_finding(report, i)->reason, reason) == 0)
            return true;
    }
    return false;
}

/* Name b is not in its shard, and the shard of c is not there. */
static void broken(void **state)
{
    (void)state;
    ptio_report *report = NULL;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = report};
    ptio_status status = ptio_load(EXTRA "shards/hf_bin_broken/pytorch_model.bin.index.json", &options, &ckpt, &err);
    expect_error(status, &err, PTIO_ERR_FORMAT, "shards.missing-tensor");
    assert_string_equal(err.record, "pytorch_model-00001-of-00002.bin");
    assert_string_equal(err.context, "b");
    assert_non_null(strstr(err.message, "2 problems"));
    assert_null(ckpt);
    assert_int_equal(ptio_report_count(report), 2);
    assert_true(has_finding(report, "shards.missing-tensor"));
    assert_int_equal(ptio_report_finding(report, 1)->status, PTIO_ERR_IO);
    ptio_report_free(report);
}

/* A folder with the first shard of hf_bin and an index. */
static const char *with_index(folder *f, const char *index)
{
    bytes b = {0};
    put_string(&b, index);
    *f = new_folder();
    copy_in(f, EXTRA "shards/hf_bin", "pytorch_model-00001-of-00003.bin");
    write_in(f, "m.index.json", b);
    free(b.data);
    return path_in(f, "m.index.json");
}

#define SHARD "\"pytorch_model-00001-of-00003.bin\""

static void indexes_with_flaws(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        ptio_status status;
        const char *reason;
    } bad[] = {{"", PTIO_ERR_FORMAT, "json.syntax"},
               {"{\"weight_map\": {", PTIO_ERR_FORMAT, "json.syntax"},
               {"{\"weight_map\": {\"a\": " SHARD ", \"a\": " SHARD "}}", PTIO_ERR_FORMAT, "json.syntax"},
               {"[]", PTIO_ERR_FORMAT, "json.object"},
               {"{\"weight_map\": []}", PTIO_ERR_FORMAT, "shards.form"},
               {"{}", PTIO_ERR_FORMAT, "shards.form"},
               {"{\"weight_map\": {\"a\": 1}}", PTIO_ERR_FORMAT, "shards.form"},
               {"{\"weight_map\": {\"a\": \"../m.bin\"}}", PTIO_ERR_FORMAT, "shards.path"},
               {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", PTIO_ERR_FORMAT, "shards.path"},
               {"{\"weight_map\": {\"a\": \"..\"}}", PTIO_ERR_FORMAT, "shards.path"},
               {"{\"weight_map\": {\"a\": \"\"}}", PTIO_ERR_FORMAT, "shards.path"},
               {"{\"weight_map\": {\"a\": " SHARD "}}", PTIO_ERR_FORMAT, "shards.missing-tensor"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        folder f;
        refused(with_index(&f, bad[i].index), bad[i].status, bad[i].reason);
        free_folder(&f);
    }
}

static void place_of_syntax_error(void **state)
{
    (void)state;
    folder f;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    const char *path = with_index(&f, "{\"weight_map\":\n {\"a\" 1}}");
    assert_int_equal(ptio_load(path, NULL, &ckpt, &err), PTIO_ERR_FORMAT);
    assert_in_range(err.offset, 19, 22);
    assert_non_null(strstr(err.message, "line 2"));
    free_folder(&f);
}

static void oddities(void **state)
{
    (void)state;
    folder f;
    ptio_report *report = NULL;
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = report};
    const char *path = with_index(&f, "{\"metadata\": {\"total_size\": 7}, \"weight_map\": {\"embed.weight\": " SHARD "}}");
    assert_int_equal(ptio_load(path, &options, &ckpt, NULL), PTIO_OK);
    assert_int_equal(ptio_value_count(ptio_root(ckpt)), 1);
    assert_true(has_finding(report, "shards.not-in-index"));
    assert_true(has_finding(report, "shards.total-size"));
    ptio_checkpoint_free(ckpt);
    ptio_report_free(report);
    free_folder(&f);
}

/* A shard is no dict; a shard is damaged. */
static void shards_with_flaws(void **state)
{
    (void)state;
    folder f;
    const char *path = with_index(&f, "{\"weight_map\": {\"embed.weight\": " SHARD "}}");
    bytes b = {0};
    put_string(&b, "\x80\2K\1.");
    write_in(&f, "pytorch_model-00001-of-00003.bin", b);
    refused(path, PTIO_ERR_FORMAT, "shards.form");
    free(b.data);
    b = read_bytes(EXTRA "shards/hf_bin/pytorch_model-00001-of-00003.bin");
    b.size /= 2;
    write_in(&f, "pytorch_model-00001-of-00003.bin", b);
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    assert_int_equal(ptio_load(path, NULL, &ckpt, &err), PTIO_ERR_FORMAT);
    assert_string_equal(err.record, "pytorch_model-00001-of-00003.bin");
    free(b.data);
    free_folder(&f);
}

/* ---- safetensors ---- */

/* A folder of one safetensors shard with 8 bytes of data, and an index that has "w" in it. */
static void refused_header(const char *header, ptio_status status, const char *reason)
{
    folder f = new_folder();
    bytes b = {0}, index = {0};
    put_number(&b, strlen(header), 8);
    put_string(&b, header);
    put(&b, "\0\0\x80?\0\0\0@", 8);
    put_string(&index, "{\"weight_map\": {\"w\": \"m.safetensors\"}}");
    write_in(&f, "m.safetensors", b);
    write_in(&f, "m.index.json", index);
    if (status == PTIO_OK) {
        ptio_checkpoint *ckpt = load(path_in(&f, "m.index.json"));
        expect_ramp(ptio_at(ckpt, "w"), PTIO_FLOAT32, 2, 1, 1);
        ptio_checkpoint_free(ckpt);
    } else {
        refused(path_in(&f, "m.index.json"), status, reason);
    }
    free(b.data);
    free(index.data);
    free_folder(&f);
}

#define ROW(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

static void safetensors_headers(void **state)
{
    (void)state;
    refused_header("{" ROW("w", "F32", "2", "0", "8") "}", PTIO_OK, NULL);
    refused_header(
        "{\"__metadata__\":{\"format\":\"pt\"}," ROW("w", "F32", "2,1", "0", "8") "," ROW("e", "I8", "0", "8", "8") "}   ",
        PTIO_OK, NULL);
    refused_header("{" ROW("w", "F32", "3", "0", "12") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{" ROW("w", "F32", "2", "0", "4") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{" ROW("w", "F32", "2", "8", "0") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{" ROW("w", "F32", "-2", "0", "8") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{" ROW("w", "F32", "4611686018427387904,4", "0", "8") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{" ROW("w", "F32", "2", "0.0", "8") "}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", PTIO_ERR_FORMAT, "safetensors.header");
    refused_header("{\"w\":7}", PTIO_ERR_UNSUPPORTED, "safetensors.dtype");
    refused_header("{" ROW("w", "F31", "2", "0", "8") "}", PTIO_ERR_UNSUPPORTED, "safetensors.dtype");
    /* A byte used twice, a byte not used. */
    refused_header("{" ROW("w", "F32", "2", "0", "8") "," ROW("v", "F32", "1", "4", "8") "}", PTIO_ERR_AMBIGUOUS,
                   "safetensors.layout");
    refused_header("{" ROW("w", "F32", "1", "4", "8") "}", PTIO_ERR_FORMAT, "safetensors.layout");
    refused_header("{" ROW("w", "F32", "1", "0", "4") "}", PTIO_ERR_FORMAT, "safetensors.layout");
    refused_header("{" ROW("w", "F32", "2", "0", "8") "," ROW("w", "F32", "2", "0", "8") "}", PTIO_ERR_FORMAT, "json.syntax");
    refused_header("{", PTIO_ERR_FORMAT, "json.syntax");
}

static void safetensors_cut_off(void **state)
{
    (void)state;
    bytes b = read_bytes(EXTRA "shards/hf_safetensors/model-00003-of-00003.safetensors"), index = {0};
    folder f = new_folder();
    put_string(&index, "{\"weight_map\": {\"steps\": \"m.safetensors\"}}");
    write_in(&f, "m.index.json", index);
    for (size_t size = 0; size < b.size; size += 7) {
        bytes prefix = {.data = b.data, .size = size};
        ptio_error err = {0};
        ptio_checkpoint *ckpt = NULL;
        write_in(&f, "m.safetensors", prefix);
        assert_int_equal(ptio_load(path_in(&f, "m.index.json"), NULL, &ckpt, &err), PTIO_ERR_FORMAT);
    }
    free(b.data);
    free(index.data);
    free_folder(&f);
}

static void failing_memory(void **state)
{
    (void)state;
    expect_clean_failures(BIN);
    expect_clean_failures(SAFETENSORS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(whole),
                                              cmocka_unit_test(same_elements),
                                              cmocka_unit_test(broken),
                                              cmocka_unit_test(indexes_with_flaws),
                                              cmocka_unit_test(place_of_syntax_error),
                                              cmocka_unit_test(oddities),
                                              cmocka_unit_test(shards_with_flaws),
                                              cmocka_unit_test(safetensors_headers),
                                              cmocka_unit_test(safetensors_cut_off),
                                              cmocka_unit_test(failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
