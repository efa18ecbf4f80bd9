/*
 * The tar of 0.1: tables of storages and tensors, views, and tables that lie.
 */
#include "support/build.h"

/* A tar of three members, each made of words and raw bytes. */
typedef struct tar {
    bytes storages, tensors, pickle;
} tar;

static void finish(loaded *l, tar *t)
{
    tar_member(&l->file, "storages", &t->storages);
    tar_member(&l->file, "tensors", &t->tensors);
    tar_member(&l->file, "pickle", &t->pickle);
    tar_end(&l->file);
    bytes_free(&t->storages);
    bytes_free(&t->tensors);
    bytes_free(&t->pickle);
}

static void expect(loaded *l, tar *t, ptio_status status, const char *reason, const char *member)
{
    finish(l, t);
    if (load_bytes(l, &l->file, NULL) == PTIO_OK)
        fail_msg("not refused: %s", reason);
    if (l->err.status != status || strcmp(l->err.reason, reason) != 0 || strcmp(l->err.record, member) != 0)
        fail_msg("%s in %s, not %s in %s: %s", l->err.reason, l->err.record, reason, member, l->err.message);
    loaded_free(l);
}

static void put_floats(bytes *out, const char *head)
{
    pickle(out, "proto2 %s .", head);
    put_le(out, 16, 8);
    put(out, floats, sizeof floats);
}

static void put_tensor(bytes *out, const char *head, uint32_t ndim, const int64_t *numbers)
{
    pickle(out, "proto2 %s .", head);
    put_le(out, ndim, 4);
    put_le(out, 0xFFFFFFFFu, 4); /* not looked at */
    for (size_t i = 0; i < 2 * (size_t)ndim + 1; i++)
        put_le(out, (uint64_t)numbers[i], 8);
}

#define STORAGE "1 'cpu' c:torch:FloatStorage 3t"

/* One storage 1, one view 2 of it (elements 4 to 12), a tensor 3 of the view. */
static tar good_tar(void)
{
    tar t = {0};
    pickle(&t.storages, "proto2 1 .");
    put_floats(&t.storages, STORAGE);
    pickle(&t.storages, "proto2 ] ( 2 1 4 8 t a .");
    pickle(&t.tensors, "proto2 1 .");
    put_tensor(&t.tensors, "3 2 c:torch:FloatTensor 3t", 2, (const int64_t[]){2, 3, 3, 1, 1});
    pickle(&t.pickle, "proto2 ] ( 3 Q '3' Q 1 Q 2 Q c:my:Net 'net.py' 'source' 3t Q ) NEW e .");
    return t;
}

static void tables_hold_storages_and_tensors(void **state)
{
    (void)state;
    loaded l = {0};
    tar t = good_tar();
    finish(&l, &t);
    if (load_bytes(&l, &l.file, NULL) != PTIO_OK)
        fail_msg("%s", l.err.message);
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(l.ckpt, &info);
    assert_int_equal(info.container, PTIO_CONTAINER_TAR);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_value_item(l.root, 0));
    assert_ptr_equal(tensor, ptio_value_tensor(ptio_value_item(l.root, 1)));
    assert_int_equal(ptio_tensor_ndim(tensor), 2);
    double six[6];
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, six, sizeof six, NULL), PTIO_OK);
    assert_true(six[0] == 2.5 && six[5] == 5);
    assert_int_equal(ptio_value_kind(ptio_value_item(l.root, 2)), PTIO_KIND_STORAGE);
    assert_int_equal(ptio_storage_nbytes(ptio_value_storage(ptio_value_item(l.root, 2))), 64);
    assert_int_equal(ptio_storage_nbytes(ptio_value_storage(ptio_value_item(l.root, 3))), 32);
    assert_text(ptio_value_class(ptio_value_item(l.root, 4)), "my.Net");
    ptio_load_options strict = {PTIO_LOAD_OPTIONS, .weights_only = true};
    assert_int_equal(load_bytes(&l, &l.file, &strict), PTIO_ERR_DENIED);
    loaded_free(&l);
}

static void storages_are_as_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        uint64_t count;
        const char *reason;
    } rows[] = {{"1 'cpu' c:torch:FloatStorage 3t", 17, "cut-off"},
                {"1 'cpu' c:torch:FloatStorage 3t", (uint64_t)1 << 40, "cut-off"},
                {"1 'cpu' c:torch:FloatStorage 3t", UINT64_MAX, "cut-off"},
                {"1 'cpu' c:torch:FloatStorage 3t", (uint64_t)1 << 62, "cut-off"},
                {"1 'cpu' 2t", 16, "tar.storage"},
                {"'1' 'cpu' c:torch:FloatStorage 3t", 16, "tar.storage"},
                {"1 7 c:torch:FloatStorage 3t", 16, "tar.storage"},
                {"1 'cpu' c:torch:FloatTensor 3t", 16, "tar.storage"},
                {"1 'cpu' N 3t", 16, "tar.storage"},
                {"7", 16, "tar.storage"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        tar t = {0};
        pickle(&t.storages, "proto2 1 . proto2 %s .", rows[i].head);
        put_le(&t.storages, rows[i].count, 8);
        put(&t.storages, floats, sizeof floats);
        expect(&l, &t, PTIO_ERR_FORMAT, rows[i].reason, "storages");
    }
    static const char *const counts[] = {"-1", "'1'", "1000000", "9223372036854775807", "N"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        loaded l = {0};
        tar t = {0};
        pickle(&t.storages, "proto2 %s .", counts[i]);
        put_floats(&t.storages, STORAGE);
        expect(&l, &t, PTIO_ERR_FORMAT, "tar.count", "storages");
    }
    loaded l = {0};
    tar t = {0};
    pickle(&t.storages, "proto2 2 .");
    put_floats(&t.storages, STORAGE);
    put_floats(&t.storages, STORAGE);
    expect(&l, &t, PTIO_ERR_AMBIGUOUS, "tar.key", "storages");
}

static void views_lie_inside(void **state)
{
    (void)state;
    static const struct {
        const char *views, *reason;
        ptio_status status;
    } rows[] = {{"] ( 2 1 9 8 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 1 17 0 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 1 -1 8 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 1 0 -1 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 1 9223372036854775807 8 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 5 0 8 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 1 0 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 2 '1' 0 8 t a", "tar.view", PTIO_ERR_FORMAT},
                {"] 7 a", "tar.view", PTIO_ERR_FORMAT},
                {"7", "tar.view", PTIO_ERR_FORMAT},
                {"] ( 1 1 0 8 t a", "tar.key", PTIO_ERR_AMBIGUOUS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        tar t = {0};
        pickle(&t.storages, "proto2 1 .");
        put_floats(&t.storages, STORAGE);
        pickle(&t.storages, "proto2 %s .", rows[i].views);
        expect(&l, &t, rows[i].status, rows[i].reason, "storages");
    }
}

static void tensors_lie_in_their_storage(void **state)
{
    (void)state;
    static const struct {
        const char *head, *reason;
        uint32_t ndim;
        int64_t numbers[5];
    } rows[] = {{"3 1 c:torch:FloatTensor 3t", "tensor.bounds", 1, {17, 1, 0}},
                {"3 1 c:torch:FloatTensor 3t", "tensor.bounds", 1, {16, 1, 1}},
                {"3 1 c:torch:FloatTensor 3t", "tensor.bounds", 1, {1, 1, -1}},
                {"3 1 c:torch:FloatTensor 3t", "tensor.size", 1, {-1, 1, 0}},
                {"3 1 c:torch:FloatTensor 3t", "tensor.stride", 1, {2, -1, 3}},
                {"3 1 c:torch:FloatTensor 3t", "tensor.overflow", 2, {INT64_MAX, 2, 0, 0, 0}},
                {"3 9 c:torch:FloatTensor 3t", "tar.tensor", 1, {1, 1, 0}},
                {"3 1 2t", "tar.tensor", 1, {1, 1, 0}},
                {"'3' 1 c:torch:FloatTensor 3t", "tar.tensor", 1, {1, 1, 0}},
                {"3 1 7 3t", "tar.tensor", 1, {1, 1, 0}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loaded l = {0};
        tar t = good_tar();
        bytes_free(&t.tensors);
        pickle(&t.tensors, "proto2 1 .");
        put_tensor(&t.tensors, rows[i].head, rows[i].ndim, rows[i].numbers);
        expect(&l, &t, PTIO_ERR_FORMAT, rows[i].reason, "tensors");
    }
    static const uint32_t dims[] = {65, 100000, UINT32_MAX, 3};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) { /* the last: numbers are missing */
        loaded l = {0};
        tar t = good_tar();
        bytes_free(&t.tensors);
        pickle(&t.tensors, "proto2 1 . proto2 3 1 c:torch:FloatTensor 3t .");
        put_le(&t.tensors, dims[i], 8);
        put_le(&t.tensors, 0, 8);
        expect(&l, &t, PTIO_ERR_FORMAT, "tar.tensor", "tensors");
    }
    loaded l = {0};
    tar t = good_tar();
    bytes_free(&t.tensors);
    pickle(&t.tensors, "proto2 1 .");
    put_tensor(&t.tensors, "1 1 c:torch:FloatTensor 3t", 1, (const int64_t[]){1, 1, 0});
    expect(&l, &t, PTIO_ERR_AMBIGUOUS, "tar.key", "tensors");
}

static void ids_are_keys(void **state)
{
    (void)state;
    static const char *const ids[] = {"9",
                                      "'9'",
                                      "'x'",
                                      "''",
                                      "'-'",
                                      "N",
                                      "'3x'",
                                      "'9223372036854775808'",
                                      "'9999999999999999999'",
                                      "'99999999999999999999'",
                                      "f3",
                                      "( 'storage' c:torch:FloatStorage '1' 'cpu' 16 t"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        loaded l = {0};
        tar t = good_tar();
        bytes_free(&t.pickle);
        pickle(&t.pickle, "proto2 %s Q .", ids[i]);
        expect(&l, &t, PTIO_ERR_FORMAT, "persistent-id.form", "pickle");
    }
}

/* Offsets count from the beginning of the member, not of one of its pickles. */
static void offsets_count_in_the_member(void **state)
{
    (void)state;
    loaded l = {0};
    tar t = {0};
    pickle(&t.storages, "proto2 1 .");
    put_floats(&t.storages, STORAGE);
    pickle(&t.storages, "proto2 ] @ t .");
    size_t at = t.storages.mark;
    finish(&l, &t);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_FORMAT);
    assert_string_equal(l.err.reason, "pickle.mark");
    assert_string_equal(l.err.record, "storages");
    assert_int_equal(l.err.offset, at);
    loaded_free(&l);
    t = good_tar();
    bytes_free(&t.tensors);
    pickle(&t.tensors, "proto2 1 . proto2 c:torch:device 7 1t @ R .");
    at = t.tensors.mark;
    finish(&l, &t);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_FORMAT);
    assert_string_equal(l.err.reason, "reduce.arguments");
    assert_int_equal(l.err.offset, at);
    loaded_free(&l);
}

static void members_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        for (size_t size = 0;; size++) {
            loaded l = {0};
            tar t = good_tar();
            bytes *member = which == 0 ? &t.storages : which == 1 ? &t.tensors : &t.pickle;
            if (size == member->size) {
                finish(&l, &t);
                loaded_free(&l);
                break;
            }
            member->size = size;
            finish(&l, &t);
            ptio_status status = load_bytes(&l, &l.file, NULL);
            if (status != PTIO_ERR_FORMAT || (l.err.offset != PTIO_NO_OFFSET && l.err.offset > size))
                fail_msg("member %d, %zu bytes: status %d at %llu: %s", which, size, status, (unsigned long long)l.err.offset,
                         l.err.message);
            loaded_free(&l);
        }
    }
}

static void members_may_not_be_missing(void **state)
{
    (void)state;
    loaded l = {0};
    tar t = good_tar();
    tar_member(&l.file, "storages", &t.storages);
    tar_member(&l.file, "pickle", &t.pickle);
    tar_end(&l.file);
    assert_int_equal(load_bytes(&l, &l.file, NULL), PTIO_ERR_FORMAT);
    assert_string_equal(l.err.reason, "tar.member");
    loaded_free(&l);
    bytes_free(&t.storages);
    bytes_free(&t.tensors);
    bytes_free(&t.pickle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_hold_storages_and_tensors),
        cmocka_unit_test(storages_are_as_they_say),
        cmocka_unit_test(views_lie_inside),
        cmocka_unit_test(tensors_lie_in_their_storage),
        cmocka_unit_test(ids_are_keys),
        cmocka_unit_test(offsets_count_in_the_member),
        cmocka_unit_test(members_may_be_cut_anywhere),
        cmocka_unit_test(members_may_not_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
