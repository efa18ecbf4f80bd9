/*
 * Distributed checkpoints: folders that PyTorch wrote, whole and with flaws, and .metadata made here.
 */
#include "torch/files.h"

/* ---- folders of PyTorch ---- */

static void one_rank(void **state)
{
    (void)state;
    static const int64_t shape[] = {4, 3};
    ptio_checkpoint *ckpt = load(EXTRA "dcp/single");
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_DCP);
    expect_int(ptio_at(ckpt, "epoch"), 3);
    expect_text(ptio_value_str(ptio_at(ckpt, "note")), "text");
    expect_int(ptio_at(ckpt, "list[0]"), 1);
    expect_ramp(ptio_at(ckpt, "list[1]"), PTIO_FLOAT32, 3, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "list[2].deep"), PTIO_FLOAT32, 2, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "empty"), PTIO_FLOAT32, 0, 0, 0);
    expect_ramp(ptio_at(ckpt, "half"), PTIO_BFLOAT16, 4, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "scalar"), PTIO_FLOAT32, 1, 2.5, 0);
    assert_int_equal(ptio_tensor_ndim(ptio_value_tensor(ptio_at(ckpt, "scalar"))), 0);
    expect_shape(ptio_at(ckpt, "view"), 2, shape);
    assert_true(ptio_tensor_is_contiguous(ptio_value_tensor(ptio_at(ckpt, "view"))));
    expect_shape(ptio_value_get(ptio_value_get(ptio_root(ckpt), "model"), "0.weight"), 2, (const int64_t[]){5, 6});
    ptio_checkpoint_free(ckpt);
}

/* rows: chunks of 4 and 3 rows; columns: of 3 and 3 columns. */
static void expect_ranks(const char *path)
{
    ptio_checkpoint *ckpt = load(path);
    expect_shape(ptio_at(ckpt, "rows"), 2, (const int64_t[]){7, 5});
    expect_ramp(ptio_at(ckpt, "rows"), PTIO_FLOAT32, 35, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "columns"), PTIO_FLOAT64, 24, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "copy"), PTIO_FLOAT32, 6, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "plain"), PTIO_FLOAT32, 5, -1.5, 0.5);
    expect_int(ptio_at(ckpt, "step"), 17);
    ptio_checkpoint_free(ckpt);
}

static void several_ranks(void **state)
{
    (void)state;
    expect_ranks(EXTRA "dcp/two_ranks");
    expect_ranks(EXTRA "dcp/two_ranks/");
    expect_ranks(EXTRA "dcp/two_ranks/.metadata");
    expect_ranks(EXTRA "dcp/two_ranks_three_threads");
    ptio_checkpoint *ckpt = load(EXTRA "dcp/four_ranks_mesh");
    expect_ramp(ptio_at(ckpt, "grid"), PTIO_FLOAT32, 30, -1.5, 0.5); /* cut in both dimensions */
    expect_ramp(ptio_at(ckpt, "hybrid"), PTIO_FLOAT16, 8, -1.5, 0.5);
    ptio_checkpoint_free(ckpt);
    ckpt = load(EXTRA "dcp/two_ranks_sharded_tensor");
    expect_ramp(ptio_at(ckpt, "sharded"), PTIO_FLOAT32, 20, -1.5, 0.5);
    ptio_checkpoint_free(ckpt);
}

static void in_safetensors(void **state)
{
    (void)state;
    ptio_checkpoint *ckpt = load(EXTRA "dcp/single_safetensors");
    expect_shape(ptio_at(ckpt, "w"), 2, (const int64_t[]){2, 3});
    expect_ramp(ptio_at(ckpt, "w"), PTIO_FLOAT32, 6, -1.5, 0.5);
    expect_ramp(ptio_at(ckpt, "b"), PTIO_FLOAT32, 3, -1.5, 0.5);
    ptio_checkpoint_free(ckpt);
}

typedef struct tensors {
    const ptio_tensor *found[64];
    size_t count;
} tensors;

static ptio_walk_next collect(void *ctx, const ptio_visit *visit)
{
    tensors *all = ctx;
    if (ptio_value_kind(visit->value) == PTIO_KIND_TENSOR && !visit->again && !visit->leaving) {
        assert_true(all->count < sizeof all->found / sizeof *all->found);
        all->found[all->count++] = ptio_value_tensor(visit->value);
    }
    return PTIO_WALK_ON;
}

/* Another way to the same: what dcp_to_torch_save() made of the folder. */
static void as_torch_save(void **state)
{
    (void)state;
    ptio_checkpoint *a = load(EXTRA "dcp/two_ranks_fsdp2"), *b = load(EXTRA "dcp/two_ranks_fsdp2.as_torch_save.pt");
    tensors left = {.count = 0}, right = {.count = 0};
    assert_int_equal(ptio_walk(ptio_root(a), NULL, collect, &left, NULL), PTIO_OK);
    assert_int_equal(ptio_walk(ptio_root(b), NULL, collect, &right, NULL), PTIO_OK);
    assert_int_equal(left.count, right.count);
    assert_true(left.count > 4);
    for (size_t i = 0; i < left.count; i++) {
        double one[64], other[64];
        size_t size = (size_t)ptio_tensor_numel(left.found[i]) * sizeof *one;
        assert_int_equal(ptio_tensor_numel(left.found[i]), ptio_tensor_numel(right.found[i]));
        assert_true(size <= sizeof one);
        assert_int_equal(ptio_tensor_copy(left.found[i], PTIO_FLOAT64, one, size, NULL), PTIO_OK);
        assert_int_equal(ptio_tensor_copy(right.found[i], PTIO_FLOAT64, other, size, NULL), PTIO_OK);
        assert_memory_equal(one, other, size);
    }
    ptio_checkpoint_free(a);
    ptio_checkpoint_free(b);
}

/* ---- folders with flaws ---- */

static folder two_ranks(void)
{
    folder f = new_folder();
    copy_in(&f, EXTRA "dcp/two_ranks", ".metadata");
    copy_in(&f, EXTRA "dcp/two_ranks", "__0_0.distcp");
    copy_in(&f, EXTRA "dcp/two_ranks", "__1_0.distcp");
    return f;
}

static void refused_with(const char *from, const char *to, size_t size, size_t times, ptio_status status, const char *reason)
{
    folder f = two_ranks();
    bytes b = read_bytes(path_in(&f, ".metadata"));
    replace(&b, from, to, size, times);
    write_in(&f, ".metadata", b);
    refused(f.path, status, reason);
    free(b.data);
    free_folder(&f);
}

static void metadata_with_flaws(void **state)
{
    (void)state;
    refused_with("__1_0.distcp", "../_1.distcp", 12, 1, PTIO_ERR_FORMAT, "dcp.path");
    refused_with("__1_0.distcp", "/etc/passwd1", 12, 1, PTIO_ERR_FORMAT, "dcp.path");
    refused_with("__1_0.distcp", "..\\x_1distcp", 12, 1, PTIO_ERR_FORMAT, "dcp.path");
    refused_with("__1_0.distcp", "__1_1.distcp", 12, 1, PTIO_ERR_IO, "io.open");
    refused_with("K\7K\5\x86", "K\6K\5\x86", 5, 1, PTIO_ERR_FORMAT, "dcp.bounds");    /* a chunk of 3 rows at row 4 of 6   */
    refused_with("K\7K\5\x86", "K\x8K\5\x86", 5, 1, PTIO_ERR_FORMAT, "dcp.coverage"); /* 7 rows in chunks, of 8           */
    refused_with("K\7K\5\x86", "K\7N0\x85", 5, 1, PTIO_ERR_FORMAT, "dcp.metadata");   /* one dimension, its chunks have two */
    refused_with("state_dict_metadata", "state_dict_metadatA", 19, 1, PTIO_ERR_FORMAT, "dcp.metadata");
    refused_with("storage_data", "storage_datA", 12, 1, PTIO_ERR_FORMAT, "dcp.metadata");
    refused_with("relative_path", "relative_patH", 13, 1, PTIO_ERR_FORMAT, "dcp.metadata");
    refused_with("float64", "flout64", 7, 1, PTIO_ERR_FORMAT, "dcp.metadata");
    refused_with("chunks", "chunkS", 6, 1, PTIO_ERR_FORMAT, "dcp.metadata");
}

/* Chunks of 4 rows and 3 rows, the second at row 3: as many elements as the tensor, but row 3 twice and row 6 not at all. */
static void chunks_that_overlap(void **state)
{
    (void)state;
    folder f = two_ranks();
    bytes b = read_bytes(path_in(&f, ".metadata"));
    replace(&b, "K\4K\0\x86", "K\3K\0\x86", 5, 2);
    write_in(&f, ".metadata", b);
    ptio_checkpoint *ckpt = load(f.path);
    ptio_error err = {0};
    const void *data = NULL;
    expect_error(ptio_storage_data(ptio_value_storage(ptio_at(ckpt, "rows")), &data, &err), &err, PTIO_ERR_AMBIGUOUS,
                 "dcp.overlap");
    assert_null(data);
    expect_ramp(ptio_at(ckpt, "columns"), PTIO_FLOAT64, 24, -1.5, 0.5);
    ptio_checkpoint_free(ckpt);
    free(b.data);
    free_folder(&f);
}

static void files_with_flaws(void **state)
{
    (void)state;
    folder f = two_ranks();
    bytes b = read_bytes(path_in(&f, "__1_0.distcp"));
    b.size -= 1;
    write_in(&f, "__1_0.distcp", b);
    refused(f.path, PTIO_ERR_FORMAT, "cut-off");
    b.size = 0;
    write_in(&f, "__1_0.distcp", b);
    refused(f.path, PTIO_ERR_FORMAT, "cut-off");
    free(b.data);
    remove_in(&f, "__1_0.distcp");
    refused(f.path, PTIO_ERR_IO, "io.open");
    remove_in(&f, ".metadata");
    refused(f.path, PTIO_ERR_FORMAT, "dcp.no-metadata");
    free_folder(&f);
}

/* Two items of one length change places: what is told of them is found out when they are read. */
static void items_of_others(void **state)
{
    (void)state;
    folder f = new_folder();
    copy_in(&f, EXTRA "dcp/single_many_files", ".metadata");
    copy_in(&f, EXTRA "dcp/single_many_files", "__0_2.distcp");
    bytes a = read_bytes(EXTRA "dcp/single_many_files/__0_0.distcp"), b = read_bytes(EXTRA "dcp/single_many_files/__0_1.distcp");
    write_in(&f, "__0_0.distcp", b);
    write_in(&f, "__0_1.distcp", a);
    ptio_checkpoint *ckpt = load(f.path);
    ptio_error err = {0};
    const void *data;
    expect_int(ptio_at(ckpt, "n"), 1);
    expect_error(ptio_storage_data(ptio_value_storage(ptio_at(ckpt, "w")), &data, &err), &err, PTIO_ERR_FORMAT, "dcp.chunk");
    assert_string_equal(err.context, "w");
    assert_true(strstr(err.record, ".distcp") != NULL);
    ptio_checkpoint_free(ckpt);

    /* A file that is gone when its tensor is asked for. */
    write_in(&f, "__0_0.distcp", a);
    write_in(&f, "__0_1.distcp", b);
    ckpt = load(f.path);
    remove_in(&f, "__0_0.distcp");
    remove_in(&f, "__0_1.distcp");
    assert_int_equal(ptio_storage_data(ptio_value_storage(ptio_at(ckpt, "w")), &data, NULL), PTIO_ERR_IO);
    ptio_checkpoint_free(ckpt);
    free(a.data);
    free(b.data);
    free_folder(&f);
}

/* `check` reads the chunks: a byte of them that changed is found by the checksum of its item. */
static void damage_is_found(void **state)
{
    (void)state;
    folder f = new_folder();
    ptio_check_result result;
    copy_in(&f, EXTRA "dcp/single_many_files", ".metadata");
    copy_in(&f, EXTRA "dcp/single_many_files", "__0_1.distcp");
    copy_in(&f, EXTRA "dcp/single_many_files", "__0_2.distcp");
    bytes b = read_bytes(EXTRA "dcp/single_many_files/__0_0.distcp");
    write_in(&f, "__0_0.distcp", b);
    assert_int_equal(ptio_check(f.path, NULL, &result, NULL), PTIO_OK);
    assert_int_equal(result.verdict, PTIO_WHOLE);
    replace(&b, "\0\0\xC0\xBF\0\0\x80\xBF", "\0\0\xC0\xBF\1\0\x80\xBF", 8, 1);
    write_in(&f, "__0_0.distcp", b);
    assert_int_equal(ptio_check(f.path, NULL, &result, NULL), PTIO_OK);
    assert_int_equal(result.verdict, PTIO_DAMAGED);
    free(b.data);
    free_folder(&f);
}

/* ---- .metadata made here ---- */

#define MODULE "ctorch.distributed.checkpoint.metadata\n"

static void put_str(bytes *b, const char *text)
{
    put_string(b, "X");
    put_number(b, strlen(text), 4);
    put_string(b, text);
}

static void put_size(bytes *b, int32_t size)
{
    put_string(b, "ctorch\nSize\nJ");
    put_number(b, (uint32_t)size, 4);
    put_string(b, "\x85\x85R");
}

/* One entry for each name: an int by torch.save, in the file "o"; `paths` is planner_data, a pickle of a dict. */
static bytes metadata_of_objects(const char *const *names, size_t count, const char *paths, size_t paths_size)
{
    bytes b = {0};
    put_string(&b, "\x80\2" MODULE "Metadata\n)\x81}(");
    put_str(&b, "state_dict_metadata");
    put_string(&b, "}(");
    for (size_t i = 0; i < count; i++) {
        put_str(&b, names[i]);
        put_string(&b, MODULE "BytesStorageMetadata\n)\x81");
    }
    put_string(&b, "u");
    put_str(&b, "planner_data");
    put(&b, paths, paths_size);
    put_str(&b, "storage_data");
    put_string(&b, "}(");
    for (size_t i = 0; i < count; i++) {
        put_string(&b, MODULE "MetadataIndex\n)\x81}(");
        put_str(&b, "fqn");
        put_str(&b, names[i]);
        put_str(&b, "offset");
        put_string(&b, "Nubctorch.distributed.checkpoint.filesystem\n_StorageInfo\n)\x81}(");
        put_str(&b, "relative_path");
        put_str(&b, "o");
        put_str(&b, "offset");
        put(&b, "K\0", 2);
        put_str(&b, "length");
        put_string(&b, "K\5ub");
    }
    put_string(&b, "uub.");
    return b;
}

/* The folder of such a .metadata and the file "o", the pickle of 7. */
static folder folder_of_objects(const char *const *names, size_t count, const char *paths, size_t paths_size)
{
    folder f = new_folder();
    bytes b = metadata_of_objects(names, count, paths, paths_size), o = {0};
    put_string(&o, "\x80\2K\7.");
    write_in(&f, ".metadata", b);
    write_in(&f, "o", o);
    free(b.data);
    free(o.data);
    return f;
}

static const char *const two_names[] = {"a.b", "c"};

static void refused_paths(const char *paths, size_t size, ptio_status status, const char *reason)
{
    folder f = folder_of_objects(two_names, 2, paths, size);
    refused(f.path, status, reason);
    free_folder(&f);
}

#define REFUSED_PATHS(paths, status, reason) refused_paths(paths, sizeof paths - 1, status, reason)
#define STR(length, text) "X" length "\0\0\0" text

static void nesting(void **state)
{
    (void)state;
    folder f = folder_of_objects(two_names, 2, "N", 1); /* no paths: the flat names */
    ptio_checkpoint *ckpt = load(f.path);
    expect_int(ptio_value_get(ptio_root(ckpt), "a.b"), 7);
    expect_int(ptio_value_get(ptio_root(ckpt), "c"), 7);
    ptio_checkpoint_free(ckpt);
    free_folder(&f);

    static const char paths[] = "}(" STR("\3", "a.b") STR("\1", "a") "K\2" STR("\1", "b") "\x87u";
    f = folder_of_objects(two_names, 2, paths, sizeof paths - 1);
    ckpt = load(f.path);
    assert_int_equal(ptio_value_count(ptio_at(ckpt, "a")), 3); /* places that no path names are None */
    assert_int_equal(ptio_value_kind(ptio_at(ckpt, "a[1]")), PTIO_KIND_NONE);
    expect_int(ptio_at(ckpt, "a[2].b"), 7);
    expect_int(ptio_at(ckpt, "c"), 7);
    ptio_checkpoint_free(ckpt);
    expect_clean_failures(f.path);
    free_folder(&f);
}

static void nesting_with_flaws(void **state)
{
    (void)state;
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "c") "\x85" STR("\1", "c") STR("\1", "c") "\x85u", PTIO_ERR_AMBIGUOUS,
                  "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "a") "\x85" STR("\1", "c") STR("\1", "a") STR("\1", "c") "\x86u",
                  PTIO_ERR_AMBIGUOUS, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "a") STR("\1", "b") "\x86" STR("\1", "c") STR("\1", "a") "\x85u",
                  PTIO_ERR_AMBIGUOUS, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "a") STR("\1", "b") "\x86" STR("\1", "c") STR("\1", "a") "K\0\x86u",
                  PTIO_ERR_FORMAT, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") "K\0\x85u", PTIO_ERR_FORMAT, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") ")u", PTIO_ERR_FORMAT, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") "Nu", PTIO_ERR_FORMAT, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "a") "J\xff\xff\xff\xff\x86u", PTIO_ERR_FORMAT, "dcp.nesting");
    REFUSED_PATHS("}(" STR("\3", "a.b") STR("\1", "a") "J\xff\xff\xff\x7f\x86u", PTIO_ERR_LIMIT, "dcp.list");
}

/* A tensor "t" of `size` float32 in one chunk of `chunk` at `at`, `length` bytes of the file "o". */
static bytes metadata_of_tensor(int32_t size, int32_t at, int32_t chunk, uint32_t length, bool transformed)
{
    bytes b = {0};
    put_string(&b, "\x80\2" MODULE "Metadata\n)\x81}(");
    put_str(&b, "state_dict_metadata");
    put_string(&b, "}");
    put_str(&b, "t");
    put_string(&b, MODULE "TensorStorageMetadata\n)\x81}(");
    put_str(&b, "properties");
    put_string(&b, MODULE "TensorProperties\n)\x81(ctorch\nfloat32\nN\x89N\x89tb");
    put_str(&b, "size");
    put_size(&b, size);
    put_str(&b, "chunks");
    put_string(&b, "]" MODULE "ChunkStorageMetadata\n)\x81}(");
    put_str(&b, "offsets");
    put_size(&b, at);
    put_str(&b, "sizes");
    put_size(&b, chunk);
    put_string(&b, "ubaubs");
    put_str(&b, "storage_data");
    put_string(&b, "}" MODULE "MetadataIndex\n)\x81}(");
    put_str(&b, "fqn");
    put_str(&b, "t");
    put_str(&b, "offset");
    put_size(&b, at);
    put_string(&b, "ubctorch.distributed.checkpoint.filesystem\n_StorageInfo\n)\x81}(");
    put_str(&b, "relative_path");
    put_str(&b, "o");
    put_str(&b, "offset");
    put(&b, "K\0", 2);
    put_str(&b, "length");
    put_string(&b, "J");
    put_number(&b, length, 4);
    if (transformed) {
        put_str(&b, "transform_descriptors");
        put_string(&b, "]");
        put_str(&b, "zip");
        put_string(&b, "a");
    }
    put_string(&b, "ubsub.");
    return b;
}

static void expect_tensor(int32_t size, int32_t at, int32_t chunk, uint32_t length, bool transformed, ptio_status status,
                          const char *reason)
{
    folder f = new_folder();
    bytes b = metadata_of_tensor(size, at, chunk, length, transformed),
          o = read_bytes(EXTRA "dcp/single_many_files/__0_1.distcp");
    write_in(&f, ".metadata", b);
    write_in(&f, "o", o);
    if (status == PTIO_OK) {
        ptio_checkpoint *ckpt = load(f.path);
        expect_ramp(ptio_at(ckpt, "t"), PTIO_FLOAT32, (size_t)size, -1.5, 0.5);
        ptio_checkpoint_free(ckpt);
    } else {
        refused(f.path, status, reason);
    }
    free(b.data);
    free(o.data);
    free_folder(&f);
}

static void tensors_that_lie(void **state)
{
    (void)state;
    expect_tensor(3, 0, 3, 1577, false, PTIO_OK, NULL);
    expect_tensor(3, 0, 4, 1577, false, PTIO_ERR_FORMAT, "dcp.bounds");
    expect_tensor(3, 1, 3, 1577, false, PTIO_ERR_FORMAT, "dcp.bounds");
    expect_tensor(3, 2147483647, 3, 1577, false, PTIO_ERR_FORMAT, "dcp.bounds");
    expect_tensor(4, 0, 3, 1577, false, PTIO_ERR_FORMAT, "dcp.coverage");
    expect_tensor(3, 0, 3, 1578, false, PTIO_ERR_FORMAT, "cut-off");
    expect_tensor(3, 0, 3, 11, false, PTIO_ERR_FORMAT, "dcp.metadata");
    expect_tensor(2147483647, 0, 2147483647, 1577, false, PTIO_ERR_FORMAT,
                  "dcp.metadata"); /* no memory for bytes that no file has */
    expect_tensor(-3, 0, 3, 1577, false, PTIO_ERR_FORMAT, "dcp.metadata");
    expect_tensor(3, 0, 3, 0xFFFFFFFF, false, PTIO_ERR_FORMAT, "dcp.metadata");
    expect_tensor(3, 0, 3, 1577, true, PTIO_ERR_UNSUPPORTED, "dcp.transform");
}

static void metadata_of_others(void **state)
{
    (void)state;
    static const char *const pickles[] = {"\x80\2N.", "\x80\2}.", "\x80\2K\1Q."};
    for (size_t i = 0; i < 3; i++) {
        folder f = new_folder();
        bytes b = {0};
        put_string(&b, pickles[i]);
        write_in(&f, ".metadata", b);
        refused(f.path, PTIO_ERR_FORMAT, i < 2 ? "dcp.metadata" : "persistent-id.form");
        free(b.data);
        free_folder(&f);
    }
}

static void every_prefix(void **state)
{
    (void)state;
    folder f = two_ranks();
    bytes b = read_bytes(path_in(&f, ".metadata"));
    for (size_t size = 0; size < b.size; size += 5) {
        bytes prefix = {.data = b.data, .size = size};
        ptio_checkpoint *ckpt = NULL;
        write_in(&f, ".metadata", prefix);
        assert_int_equal(ptio_load(f.path, NULL, &ckpt, NULL), PTIO_ERR_FORMAT);
    }
    free(b.data);
    free_folder(&f);
}

static void failing_memory(void **state)
{
    (void)state;
    expect_clean_failures(EXTRA "dcp/two_ranks");
    expect_clean_failures(EXTRA "dcp/single_safetensors");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(one_rank),
                                              cmocka_unit_test(several_ranks),
                                              cmocka_unit_test(in_safetensors),
                                              cmocka_unit_test(as_torch_save),
                                              cmocka_unit_test(metadata_with_flaws),
                                              cmocka_unit_test(chunks_that_overlap),
                                              cmocka_unit_test(files_with_flaws),
                                              cmocka_unit_test(items_of_others),
                                              cmocka_unit_test(damage_is_found),
                                              cmocka_unit_test(nesting),
                                              cmocka_unit_test(nesting_with_flaws),
                                              cmocka_unit_test(tensors_that_lie),
                                              cmocka_unit_test(metadata_of_others),
                                              cmocka_unit_test(every_prefix),
                                              cmocka_unit_test(failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
