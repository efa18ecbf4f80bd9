/*
 * Legacy streams: storages behind the pickles, views of them, several objects, key lists and counts that lie, files cut off anywhere.
 */
#include "base/os.h"
#include "support/build.h"

#define ID(class, key, numel) "( 'storage' c:torch:" class " '" key "' 'cpu' " #numel " N t Q "
#define VIEW(key, numel, view) "( 'storage' c:torch:FloatStorage '" key "' 'cpu' " #numel " " view " t Q "
#define V1(storage, offset, size) "c:torch._utils:_rebuild_tensor ( " storage #offset " " #size " 1t 1 1t t R "

static void put_storage(bytes *out, uint64_t count, const void *data, size_t size)
{
    put_le(out, count, 8);
    put(out, data, size);
}

/* A stream of one object and its list of keys; storages are for the caller. */
static void begin(bytes *out, const char *object, const char *keys)
{
    legacy_header(out);
    pickle(out, "proto2 %s .", object);
    pickle(out, "proto2 %s .", keys);
}

/* One of a float tensor and a long tensor, whose keys come sorted. */
static void whole_stream(bytes *out)
{
    begin(out, "] ( " V1(ID("FloatStorage", "20", 16), 3, 2) V1(ID("LongStorage", "10", 8), 0, 8) "e", "] ( '10' '20' e");
    put_storage(out, 8, longs, sizeof longs);
    put_storage(out, 16, floats, sizeof floats);
}

static void expect(loaded *l, ptio_status status, const char *reason, uint64_t offset)
{
    if (load_bytes(l, &l->file, NULL) == PTIO_OK)
        fail_msg("not refused: %s", reason);
    if (l->err.status != status || strcmp(l->err.reason, reason) != 0 || l->err.offset != offset)
        fail_msg("%s at %llu, not %s at %llu: %s", l->err.reason, (unsigned long long)l->err.offset, reason,
                 (unsigned long long)offset, l->err.message);
    loaded_free(l);
}

static void storages_follow_in_the_order_of_their_keys(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_checkpoint_info info;
    int64_t all[8];
    double pair[2];
    whole_stream(&l.file);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    ptio_checkpoint_describe(l.ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_LEGACY);
    assert_string_equal(info.container_name, "legacy");
    assert_int_equal(info.end_offset, l.file.size);
    assert_int_equal(info.storages, 2);
    assert_int_equal(info.storage_bytes, 128);
    assert_int_equal(info.protocol, 2);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_value_item(l.root, 0)), PTIO_FLOAT64, pair, sizeof pair, NULL),
                     PTIO_OK);
    assert_true(pair[0] == 1.5 && pair[1] == 2);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_value_item(l.root, 1)), PTIO_INT64, all, sizeof all, NULL), PTIO_OK);
    assert_int_equal(all[7], 7);
    ptio_archive *archive = ptio_checkpoint_archive(l.ckpt);
    assert_int_not_equal(ptio_archive_find(archive, "data/10"), SIZE_MAX);
    uint64_t offset = 0, nbytes = 0;
    bool in_place = ptio_storage_range(ptio_value_storage(ptio_value_item(l.root, 0)), &offset, &nbytes);
    assert_int_equal(in_place, !PTIO_HOST_BIG_ENDIAN); /* the file is little-endian: elsewhere they need a swap */
    assert_int_equal(offset, in_place ? l.file.size - sizeof floats : 0);
    loaded_free(&l);
}

static void streams_follow_one_another(void **state)
{
    (void)state;
    loaded l = {0};
    ptio_checkpoint_info info;
    ptio_report *report = NULL;
    whole_stream(&l.file);
    size_t first = l.file.size;
    begin(&l.file, "'second'", "]");
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .report = report};
    assert_int_equal(load_bytes(&l, &l.file, &options), PTIO_OK);
    ptio_checkpoint_describe(l.ckpt, &info);
    assert_int_equal(info.end_offset, first);
    assert_int_equal(ptio_report_count(report), 1);
    assert_string_equal(ptio_report_finding(report, 0)->reason, "legacy.trailing-bytes");
    assert_int_equal(ptio_report_finding(report, 0)->offset, first);
    ptio_report_free(report);
    options = (ptio_load_options){PTIO_LOAD_OPTIONS, .offset = info.end_offset};
    assert_int_equal(load_bytes(&l, &l.file, &options), PTIO_OK);
    assert_text(ptio_value_str(l.root), "second");
    ptio_checkpoint_describe(l.ckpt, &info);
    assert_int_equal(info.end_offset, l.file.size);
    loaded_free(&l);
}

static void views_are_slices_of_their_storage(void **state)
{
    (void)state;
    loaded l = {0};
    begin(&l.file,
          "] ( " V1(VIEW("1", 16, "'v' 4 8 3t"), 1, 2) VIEW("1", 16, "'v' 4 8 3t") VIEW("1", 16, "N") VIEW("1", 16, "'w' 16 0 3t")
              VIEW("1", 16, "'u' 0 16 3t") "e",
          "] '1' a");
    put_storage(&l.file, 16, floats, sizeof floats);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    const ptio_storage *view = ptio_value_storage(ptio_value_item(l.root, 0)),
                       *whole = ptio_value_storage(ptio_value_item(l.root, 2));
    const void *view_data = NULL, *data = NULL;
    double pair[2];
    assert_ptr_equal(view, ptio_value_storage(ptio_value_item(l.root, 1)));
    assert_ptr_not_equal(view, whole);
    assert_int_equal(ptio_storage_nbytes(view), 32);
    assert_text(ptio_storage_key(view), "v");
    assert_int_equal(ptio_storage_data(whole, &data, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_data(view, &view_data, NULL), PTIO_OK);
    assert_ptr_equal(view_data, (const char *)data + 16);
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_value_item(l.root, 0)), PTIO_FLOAT64, pair, sizeof pair, NULL),
                     PTIO_OK);
    assert_true(pair[0] == 2.5);
    assert_int_equal(ptio_storage_nbytes(ptio_value_storage(ptio_value_item(l.root, 3))), 0);
    loaded_free(&l);
}

static void views_lie_inside(void **state)
{
    (void)state;
    static const struct {
        const char *view;
        ptio_status status;
    } rows[] = {{"'v' 9 8 3t", PTIO_ERR_FORMAT},
                {"'v' 17 0 3t", PTIO_ERR_FORMAT},
                {"'v' -1 4 3t", PTIO_ERR_FORMAT},
                {"'v' 0 -1 3t", PTIO_ERR_FORMAT},
                {"'v' 4611686018427387904 1 3t", PTIO_ERR_FORMAT},
                {"'v' 1 4611686018427387904 3t", PTIO_ERR_FORMAT},
                {"'v' 1 2t", PTIO_ERR_FORMAT},
                {"'v' 'x' 1 3t", PTIO_ERR_FORMAT},
                {"7 1 1 3t", PTIO_ERR_FORMAT},
                {"'v'", PTIO_ERR_FORMAT},
                {"'1' 0 4 3t", PTIO_ERR_AMBIGUOUS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        bytes object = {0};
        pickle(&object, "proto2 ( 'storage' c:torch:FloatStorage '1' 'cpu' 16 %s t @ Q", rows[i].view);
        legacy_header(&l.file);
        pickle(&l.file, "proto2 ( 'storage' c:torch:FloatStorage '1' 'cpu' 16 %s t Q . proto2 ] '1' a .", rows[i].view);
        put_storage(&l.file, 16, floats, sizeof floats);
        expect(&l, rows[i].status, "storage.view", object.mark);
        bytes_free(&object);
    }
    /* one key, two slices */
    loaded l = {0};
    bytes object = {0};
    pickle(&object, "proto2 " VIEW("1", 16, "'v' 4 8 3t") "( 'storage' c:torch:FloatStorage '1' 'cpu' 16 'v' 4 7 3t t @ Q");
    begin(&l.file, VIEW("1", 16, "'v' 4 8 3t") "( 'storage' c:torch:FloatStorage '1' 'cpu' 16 'v' 4 7 3t t Q 2t", "] '1' a");
    put_storage(&l.file, 16, floats, sizeof floats);
    expect(&l, PTIO_ERR_AMBIGUOUS, "storage.view", object.mark);
    bytes_free(&object);
}

static void key_lists_are_those_used(void **state)
{
    (void)state;
    loaded l = {0};
#define OBJECT V1(ID("FloatStorage", "1", 16), 0, 2)
    /* where the list of keys begins, and where it ends */
    bytes before = {0};
    legacy_header(&before);
    pickle(&before, "proto2 " OBJECT ".");
    size_t keys = before.size;
    pickle(&before, "proto2 ] '1' a .");
    size_t data = before.size;
    bytes_free(&before);
    begin(&l.file, OBJECT, "]");
    put_storage(&l.file, 16, floats, sizeof floats);
    expect(&l, PTIO_ERR_FORMAT, "legacy.keys", keys);
    begin(&l.file, OBJECT, "'1'");
    expect(&l, PTIO_ERR_FORMAT, "legacy.keys", keys);
    begin(&l.file, OBJECT, "( '1' t");
    expect(&l, PTIO_ERR_FORMAT, "legacy.keys", keys);
    begin(&l.file, OBJECT, "] '2' a");
    put_storage(&l.file, 16, floats, sizeof floats);
    expect(&l, PTIO_ERR_FORMAT, "legacy.keys", data);
    begin(&l.file, OBJECT, "] 777 a");
    put_storage(&l.file, 16, floats, sizeof floats);
    expect(&l, PTIO_ERR_FORMAT, "legacy.keys", data - 1);
    begin(&l.file, OBJECT, "] ( '1' '1' e");
    size_t twice = l.file.size;
    put_storage(&l.file, 16, floats, sizeof floats);
    put_storage(&l.file, 16, floats, sizeof floats);
    expect(&l, PTIO_ERR_AMBIGUOUS, "legacy.keys", twice + 8 + sizeof floats);
    /* counts */
    static const uint64_t counts[] = {15, 17, 0, UINT64_MAX, (uint64_t)1 << 62, ((uint64_t)1 << 62) + 16};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        begin(&l.file, OBJECT, "] '1' a");
        put_storage(&l.file, counts[i], floats, sizeof floats);
        expect(&l, PTIO_ERR_FORMAT, "storage.size", data);
    }
#undef OBJECT
}

/* Storages of 2^40 elements that are not there: no memory is asked for them. */
static void counts_that_lie_cost_nothing(void **state)
{
    (void)state;
    loaded l = {0};
    begin(&l.file, "( 'storage' c:torch:FloatStorage '1' 'cpu' 1099511627776 N t Q", "] '1' a");
    put_storage(&l.file, (uint64_t)1 << 40, floats, sizeof floats);
    expect(&l, PTIO_ERR_FORMAT, "cut-off", l.file.size);
    begin(&l.file, "( 'storage' c:torch:FloatStorage '1' 'cpu' 4611686018427387904 N t Q", "] '1' a");
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_FORMAT);
    assert_string_equal(l.err.reason, "storage.overflow");
    loaded_free(&l);
}

static void headers_are_those_of_torch(void **state)
{
    (void)state;
    loaded l = {0};
    bytes good = {0};
    whole_stream(&good);
    put(&l.file, good.data, good.size);
    l.file.data[17 + 1] = 0xEA; /* 1002 */
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_UNSUPPORTED);
    assert_string_equal(l.err.reason, "legacy.version");
    assert_int_equal(l.err.offset, 15);
    loaded_free(&l);
    bytes_free(&good);
}

/* ('module', class, file, source): the class. */
static void classes_may_bring_their_source(void **state)
{
    (void)state;
    loaded l = {0};
    begin(&l.file, "( 'module' c:my:Net 'net.py' 'class Net: pass' t Q ) NEW } 'x' 1 s b", "]");
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_text(ptio_value_class(l.root), "my.Net");
    assert_non_null(ptio_value_attribute(l.root, "x"));
    ptio_load_options strict = {PTIO_LOAD_OPTIONS, .weights_only = true};
    assert_int_equal(load_bytes(&l, &l.file, &strict), PTIO_ERR_DENIED);
    loaded_free(&l);
}

static void empty_storages_are_made_anew(void **state)
{
    (void)state;
    loaded l = {0};
    begin(&l.file, "] ( " ID("FloatStorage", "1", 0) ID("LongStorage", "1", 0) "e", "] '1' a");
    put_storage(&l.file, 0, NULL, 0);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_dtype(ptio_value_storage(ptio_value_item(l.root, 0))), PTIO_FLOAT32);
    assert_int_equal(ptio_storage_dtype(ptio_value_storage(ptio_value_item(l.root, 1))), PTIO_INT64);
    loaded_free(&l);
    begin(&l.file, "] ( " ID("FloatStorage", "1", 16) "( 'storage' c:torch:FloatStorage '1' 'cpu' 15 N t Q e", "] '1' a");
    put_storage(&l.file, 16, floats, sizeof floats);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_AMBIGUOUS);
    assert_string_equal(l.err.reason, "storage.two-sizes");
    loaded_free(&l);
}

/* The object may be as long as the file: the budget of the short pickles in front of it is not for its bytes, heap_bytes is. */
static void long_pickles_are_read(void **state)
{
    (void)state;
    enum { LETTERS = 3 << 20 };
    bytes file = {0};
    ptio_source *source;
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    const ptio_limits limits = {.heap_bytes = 1 << 20};
    char *letters = malloc(LETTERS);
    assert_non_null(letters);
    memset(letters, 'a', LETTERS);
    legacy_header(&file);
    put(&file, "\x80\x02X", 3);
    put_le(&file, LETTERS, 4);
    put(&file, letters, LETTERS);
    put(&file, "q\0.", 3);
    pickle(&file, "proto2 ] .");
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(fwrite(file.data, 1, file.size, out), file.size);
    assert_int_equal(ptio_source_from_file(out, NULL, NULL, &source, NULL), PTIO_OK);
    assert_int_equal(ptio_load_source(source, NULL, &ckpt, NULL), PTIO_OK);
    assert_int_equal(ptio_value_str(ptio_root(ckpt)).size, LETTERS);
    ptio_checkpoint_free(ckpt);
    assert_int_equal(ptio_load_source(source, &(ptio_load_options){PTIO_LOAD_OPTIONS, .limits = &limits}, &ckpt, &err),
                     PTIO_ERR_LIMIT);
    assert_string_equal(err.reason, "limit.heap");
    ptio_source_free(source);
    (void)fclose(out);
    free(letters);
    bytes_free(&file);
}

/* Every prefix fails, within itself; in memory of exactly its size, so that a read too far is seen. */
static void every_prefix_is_cut_off(void **state)
{
    (void)state;
    bytes whole = {0};
    whole_stream(&whole);
    for (size_t size = 0; size < whole.size; size++) {
        loaded l = {0};
        put(&l.file, whole.data, size);
        uint8_t *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, whole.data, size);
        ptio_status status = ptio_load_memory(exact, size, NULL, &l.ckpt, &l.err);
        if (status != PTIO_ERR_FORMAT)
            fail_msg("%zu bytes: status %d %s", size, status, l.err.message);
        if (l.err.offset != PTIO_NO_OFFSET && l.err.offset > size)
            fail_msg("%zu bytes: at %llu", size, (unsigned long long)l.err.offset);
        assert_non_null(l.err.reason);
        free(exact);
        loaded_free(&l);
    }
    bytes_free(&whole);
}

/* A plain pickle holds storages as streams in bytes; those may hold such again. */
static void streams_inside_bytes(void **state)
{
    (void)state;
    bytes inner = {0};
    begin(&inner, ID("FloatStorage", "1", 16), "] '1' a");
    put_storage(&inner, 16, floats, sizeof floats);
    for (int depth = 1; depth < 7; depth++) {
        loaded l = {0};
        pickle(&l.file, "proto2 %s c:torch.storage:_load_from_bytes x42", depth == 1 ? "c:torch._utils:_rebuild_tensor (" : "");
        put_le(&l.file, inner.size, 4);
        put(&l.file, inner.data, inner.size);
        pickle(&l.file, "1t R %s .", depth == 1 ? "2 4 1t 1 1t t R" : "");
        ptio_status status = load_bytes(&l, &l.file, NULL);
        if (depth == 1) {
            assert_int_equal(status, PTIO_OK);
            double four[4];
            assert_int_equal(ptio_tensor_copy(ptio_value_tensor(l.root), PTIO_FLOAT64, four, sizeof four, NULL), PTIO_OK);
            assert_true(four[3] == 2.5);
        } else {
            assert_int_equal(status, depth <= 4 ? PTIO_OK : PTIO_ERR_LIMIT);
        }
        /* the next: a stream whose object is such a call */
        bytes next = {0};
        legacy_header(&next);
        pickle(&next, "proto2 c:torch.storage:_load_from_bytes x42");
        put_le(&next, inner.size, 4);
        put(&next, inner.data, inner.size);
        pickle(&next, "1t R . proto2 ] .");
        bytes_free(&inner);
        inner = next;
        loaded_free(&l);
    }
    bytes_free(&inner);
    refused(PTIO_ERR_FORMAT, "reduce.arguments", "c:torch.storage:_load_from_bytes N 1t @ R");
    loaded l = {0};
    pickle(&l.file, "proto2 c:torch.storage:_load_from_bytes b'\\x80\\x02' 1t R .");
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_FORMAT);
    loaded_free(&l);
}

/* Offsets count in the file: in its second pickle too, and where bytes inside it are wrong. */
static void offsets_of_plain_pickles(void **state)
{
    (void)state;
    static const struct {
        const char *words, *reason;
    } rows[] = {{"1 2 3 4 5 6 7 8 x30 x30 x30 x30 x30 x30 x30 c:torch:device 7 1t @ R .", "reduce.arguments"},
                {"1 2 3 4 5 6 7 8 x30 x30 x30 x30 x30 x30 x30 @ t .", "pickle.mark"},
                {"1 2 3 4 5 6 7 8 @ x01 .", "pickle.opcode"},
                {"c:torch.storage:_load_from_bytes b'\\x80\\x02K\\x01.' 1t @ R .", "legacy.magic"},
                {"c:torch.storage:_load_from_bytes b'\\x80\\x02t.' 1t @ R .", "pickle.mark"},
                {"c:torch.storage:_load_from_bytes b'\\x80\\x02' 1t @ R .", "cut-off"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        pickle(&l.file, "proto2 1 . proto2 %s", rows[i].words);
        expect(&l, PTIO_ERR_FORMAT, rows[i].reason, l.file.mark);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storages_follow_in_the_order_of_their_keys),
        cmocka_unit_test(streams_follow_one_another),
        cmocka_unit_test(views_are_slices_of_their_storage),
        cmocka_unit_test(views_lie_inside),
        cmocka_unit_test(key_lists_are_those_used),
        cmocka_unit_test(counts_that_lie_cost_nothing),
        cmocka_unit_test(headers_are_those_of_torch),
        cmocka_unit_test(classes_may_bring_their_source),
        cmocka_unit_test(empty_storages_are_made_anew),
        cmocka_unit_test(long_pickles_are_read),
        cmocka_unit_test(every_prefix_is_cut_off),
        cmocka_unit_test(streams_inside_bytes),
        cmocka_unit_test(offsets_of_plain_pickles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
