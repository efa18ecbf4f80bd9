/*
 * Where storages go: map_location in all its forms, the registry, and what is told of places that are not there.
 */
#include "torch/files.h"

enum { FIRST = 100, SECOND = 200 }; /* where the elements of the two storages begin */

/* {"a": int64[3] of the first, "b": its last two, "c": int64[2] of the second, "e": of an empty one}, with these tags. */
static bytes saved(const char *first, const char *second, bool legacy, const ptio_registry *registry)
{
    static const int64_t elements[] = {FIRST, FIRST + 1, FIRST + 2, SECOND, SECOND + 1};
    ptio_error err = {0};
    ptio_builder *b;
    ptio_sink *sink;
    bytes file = {0};
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    const ptio_storage *one = ptio_new_storage(b, PTIO_INT64, elements, 24, first);
    const ptio_storage *two = ptio_new_storage(b, PTIO_INT64, elements + 3, 16, second);
    const ptio_storage *none = ptio_new_storage(b, PTIO_INT64, elements, 0, "cpu");
    ptio_value *dict = ptio_new_dict(b);
    assert_true(ptio_put(b, dict, "a", ptio_new_view(b, one, PTIO_INT64, 1, (int64_t[]){3}, NULL, 0, false)));
    assert_true(ptio_put(b, dict, "b", ptio_new_view(b, one, PTIO_INT64, 1, (int64_t[]){2}, NULL, 1, false)));
    assert_true(ptio_put(b, dict, "c", ptio_new_view(b, two, PTIO_INT64, 1, (int64_t[]){2}, NULL, 0, false)));
    assert_true(ptio_put(b, dict, "e", ptio_new_view(b, none, PTIO_INT64, 1, (int64_t[]){0}, NULL, 0, false)));
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .legacy = legacy, .registry = registry};
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    if (ptio_save_sink(dict, sink, &options, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    assert_int_equal(ptio_sink_finish(sink, &err), PTIO_OK);
    ptio_text written = ptio_sink_bytes(sink);
    put(&file, written.bytes, written.size);
    ptio_sink_free(sink);
    ptio_builder_free(b);
    return file;
}

static ptio_status place_in(bytes file, const ptio_map_location *map, const ptio_registry *registry, ptio_checkpoint **ret,
                            ptio_error *err)
{
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = map, .registry = registry};
    return ptio_load_memory(file.data, file.size, &options, ret, err);
}

static ptio_checkpoint *placed(bytes file, const ptio_map_location *map, const ptio_registry *registry)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (place_in(file, map, registry, &ckpt, &err) != PTIO_OK)
        fail_msg("%s: %s: %s", err.record, err.reason, err.message);
    return ckpt;
}

static void not_placed(bytes file, const ptio_map_location *map, ptio_status status, const char *reason, const char *message)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    expect_error(place_in(file, map, NULL, &ckpt, &err), &err, status, reason);
    assert_null(ckpt);
    if (!strstr(err.message, message))
        fail_msg("'%s' is not in '%s'", message, err.message);
}

static void expect_location(const ptio_checkpoint *ckpt, const char *path, const char *location)
{
    const ptio_storage *storage = ptio_value_storage(ptio_at(ckpt, path));
    assert_non_null(storage);
    expect_text(ptio_storage_location(storage), location);
}

static void expect_meta(const ptio_checkpoint *ckpt, const char *path, int64_t size)
{
    const ptio_value *value = ptio_at(ckpt, path);
    const ptio_tensor *tensor = ptio_value_tensor(value);
    assert_non_null(tensor);
    assert_true(ptio_tensor_is_meta(tensor));
    assert_null(ptio_tensor_storage(tensor));
    expect_shape(value, 1, &size);
}

static const char *const both[][2] = {{"cuda:0", "cpu"}, {"mps", "cpu"}};

/* ---- devices and tables ---- */

static void tags_stay_where_nothing_is_asked(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        bytes file = saved("cuda:0", "any thing", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, NULL, NULL);
        expect_location(ckpt, "a", "cuda:0");
        expect_location(ckpt, "c", "any thing");
        expect_ramp(ptio_at(ckpt, "b"), PTIO_INT64, 2, FIRST + 1, 1);
        ptio_checkpoint_free(ckpt);
        free(file.data);
    }
}

static void devices_are_for_all(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        bytes file = saved("cuda:0", "any thing", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.device = "cpu"}, NULL);
        expect_location(ckpt, "a", "cpu");
        expect_location(ckpt, "c", "cpu");
        expect_ramp(ptio_at(ckpt, "c"), PTIO_INT64, 2, SECOND, 1);
        ptio_checkpoint_free(ckpt);
        free(file.data);
    }
}

static void tables_are_for_their_tags(void **state)
{
    (void)state;
    const ptio_map_location map = {.table = both, .table_count = 2}, first = {.table = both, .table_count = 1};
    for (int legacy = 0; legacy < 2; legacy++) {
        bytes file = saved("mps", "cuda:0", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, &map, NULL);
        expect_location(ckpt, "a", "cpu");
        expect_location(ckpt, "e", "cpu");
        ptio_checkpoint_free(ckpt);
        not_placed(file, &first, PTIO_ERR_UNSUPPORTED, "location.no-device", " of a belongs on mps");
        free(file.data);
    }
}

static void the_saved_place_must_be_there(void **state)
{
    (void)state;
    const ptio_map_location as_saved = {0};
    bytes file = saved("cpu", "cpu", false, NULL);
    ptio_checkpoint_free(placed(file, &as_saved, NULL));
    free(file.data);
    file = saved("cpu", "xpu:1", false, NULL);
    not_placed(file, &as_saved, PTIO_ERR_UNSUPPORTED, "location.no-device", "storage 1 of c belongs on xpu:1");
    free(file.data);
    file = saved("cpu", "meta", false, NULL);
    ptio_checkpoint *ckpt = placed(file, &as_saved, NULL);
    expect_location(ckpt, "a", "cpu");
    expect_meta(ckpt, "c", 2);
    ptio_checkpoint_free(ckpt);
    free(file.data);
}

static void nothing_is_on_meta(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        bytes file = saved("cuda:0", "cuda:1", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.device = "meta"}, NULL);
        expect_meta(ckpt, "a", 3);
        expect_meta(ckpt, "b", 2);
        expect_meta(ckpt, "e", 0);
        assert_int_equal(ptio_tensor_storage_offset(ptio_value_tensor(ptio_at(ckpt, "b"))), 1);
        assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
        ptio_checkpoint_free(ckpt);
        free(file.data);
    }
}

/* [device, reason, text] */
static void devices_that_are_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *device;
        ptio_status status;
        const char *reason, *text;
    } rows[] = {
        {"cuda", PTIO_ERR_UNSUPPORTED, "location.no-device", "belongs on cuda, "},
        {"cuda:3", PTIO_ERR_UNSUPPORTED, "location.no-device", "map_location \"cpu\" keeps"},
        {"cuda:x", PTIO_ERR_ARGUMENT, "location.device", "cuda:x is no device; cuda, cuda:0"},
        {"cuda:01", PTIO_ERR_ARGUMENT, "location.device", "cuda:01"},
        {"cuda:-1", PTIO_ERR_ARGUMENT, "location.device", "cuda:-1"},
        {"cuda:", PTIO_ERR_ARGUMENT, "location.device", "cuda:"},
        {"cuda0", PTIO_ERR_ARGUMENT, "location.device", "cuda0"},
        {"cuda:99999999999999999999", PTIO_ERR_ARGUMENT, "location.device", "cuda:9"},
        {"cudax", PTIO_ERR_UNSUPPORTED, "location.unknown", "belongs on cudax"},
        {"mpsx", PTIO_ERR_UNSUPPORTED, "location.no-device", "mpsx"},
        {"xpu", PTIO_ERR_UNSUPPORTED, "location.no-device", "xpu"},
        {"mtia:0", PTIO_ERR_UNSUPPORTED, "location.no-device", "mtia:0"},
        {"hpu:0", PTIO_ERR_UNSUPPORTED, "location.not-registered", "hpu:0"},
        {"privateuseone", PTIO_ERR_UNSUPPORTED, "location.not-registered", "privateuseone"},
        {"cpu:0", PTIO_ERR_UNSUPPORTED, "location.unknown", "cpu:0"},
        {"meta:0", PTIO_ERR_UNSUPPORTED, "location.unknown", "meta:0"},
        {"CPU", PTIO_ERR_UNSUPPORTED, "location.unknown", "CPU"},
        {"xla:0", PTIO_ERR_UNSUPPORTED, "location.unknown", "storage 0 of a "},
        {"\x1b[1m", PTIO_ERR_UNSUPPORTED, "location.unknown", "\\x1b[1m"},
        {"", PTIO_ERR_UNSUPPORTED, "location.unknown", "\"\""},
    };
    bytes file = saved("cpu", "cpu", false, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        not_placed(file, &(ptio_map_location){.device = rows[i].device}, rows[i].status, rows[i].reason, rows[i].text);
    free(file.data);
}

static void maps_have_one_form(void **state)
{
    (void)state;
    const char *const half[][2] = {{"cpu", "cpu"}, {"cuda:0", NULL}};
    bytes file = saved("cpu", "cpu", false, NULL);
    not_placed(file, &(ptio_map_location){.device = "cpu", .table = both, .table_count = 2}, PTIO_ERR_ARGUMENT, "map-location",
               "no two");
    not_placed(file, &(ptio_map_location){.table = half, .table_count = 2}, PTIO_ERR_ARGUMENT, "map-location", "row 1");
    not_placed(file, &(ptio_map_location){.table_count = 2}, PTIO_ERR_ARGUMENT, "map-location", "missing");
    free(file.data);
}

/* ---- callbacks ---- */

typedef struct asked {
    size_t count;
    char tags[8][16];
    int64_t firsts[8];         /* the first element of each storage; 0 of an empty one */
    const ptio_storage *given; /* for all storages but empty ones: see what_is_given() */
} asked;

static void note_call(asked *a, const ptio_storage *storage, ptio_text tag)
{
    const void *data;
    assert_true(a->count < 8);
    (void)snprintf(a->tags[a->count], sizeof a->tags[0], "%.*s", (int)tag.size, tag.bytes);
    assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
    a->firsts[a->count++] = ptio_storage_nbytes(storage) ? *(const int64_t *)data : 0;
}

static ptio_status itself(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)err;
    note_call(ctx, storage, tag);
    ret->storage = storage;
    return PTIO_OK;
}

static void callbacks_are_asked_once(void **state)
{
    (void)state;
    for (int legacy = 0; legacy < 2; legacy++) {
        asked a = {0};
        bytes file = saved("cuda:5", "mine", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.callback = itself, .ctx = &a}, NULL);
        assert_int_equal(a.count, 3);
        assert_string_equal(a.tags[0], "cuda:5");
        assert_string_equal(a.tags[1], "mine");
        assert_string_equal(a.tags[2], "cpu");
        assert_int_equal(a.firsts[0], FIRST);
        assert_int_equal(a.firsts[1], SECOND);
        expect_location(ckpt, "a", "cpu");
        expect_location(ckpt, "c", "cpu");
        expect_ramp(ptio_at(ckpt, "a"), PTIO_INT64, 3, FIRST, 1);
        ptio_checkpoint_free(ckpt);
        free(file.data);
    }
}

/* The second storage stays to others, the rest goes where it says. */
static ptio_status some(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)tag;
    (void)err;
    if (ptio_storage_nbytes(storage) != 16)
        ret->location = ctx;
    return PTIO_OK;
}

static void callbacks_answer_with_places(void **state)
{
    (void)state;
    char meta[] = "meta", cuda[] = "cuda:1";
    bytes file = saved("mine", "cpu", false, NULL);
    ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.callback = some, .ctx = meta}, NULL);
    expect_meta(ckpt, "b", 2);
    expect_location(ckpt, "c", "cpu");
    ptio_checkpoint_free(ckpt);
    not_placed(file, &(ptio_map_location){.callback = some, .ctx = cuda}, PTIO_ERR_UNSUPPORTED, "location.no-device", "cuda:1");
    free(file.data);
    file = saved("cpu", "mine", false, NULL);
    not_placed(file, &(ptio_map_location){.callback = some, .ctx = meta}, PTIO_ERR_UNSUPPORTED, "location.unknown", "mine");
    free(file.data);
}

static ptio_status what_is_given(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    const asked *a = ctx;
    (void)tag;
    (void)err;
    ret->storage = ptio_storage_nbytes(storage) ? a->given : storage;
    return PTIO_OK;
}

/* Two storages for which one was given are that one; it is saved once. */
static void another_storage_takes_the_place(void **state)
{
    (void)state;
    static const int64_t elements[] = {7, 8, 9, 10};
    for (int legacy = 0; legacy < 2; legacy++) {
        ptio_builder *b;
        ptio_error err = {0};
        assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
        asked a = {.given = ptio_new_storage(b, PTIO_INT64, elements, sizeof elements, "here")};
        bytes file = saved("cuda:5", "mine", legacy, NULL);
        ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.callback = what_is_given, .ctx = &a}, NULL);
        expect_ramp(ptio_at(ckpt, "a"), PTIO_INT64, 3, 7, 1);
        expect_ramp(ptio_at(ckpt, "b"), PTIO_INT64, 2, 8, 1);
        expect_ramp(ptio_at(ckpt, "c"), PTIO_INT64, 2, 7, 1);
        expect_location(ckpt, "c", "here");
        const ptio_storage *storage = ptio_value_storage(ptio_at(ckpt, "a"));
        const void *data;
        uint64_t offset, nbytes;
        assert_ptr_equal(storage, ptio_value_storage(ptio_at(ckpt, "c")));
        assert_int_equal(ptio_storage_nbytes(storage), sizeof elements);
        assert_int_equal(ptio_storage_data(storage, &data, &err), PTIO_OK);
        assert_ptr_equal(data, elements);
        assert_false(ptio_storage_range(storage, &offset, &nbytes)); /* it is not in the file */
        ptio_checkpoint_free(ckpt);
        free(file.data);
        ptio_builder_free(b);
    }
}

static void a_storage_too_small_is_refused(void **state)
{
    (void)state;
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    asked a = {.given = ptio_new_storage(b, PTIO_INT64, NULL, 16, NULL)};
    bytes file = saved("cpu", "cpu", false, NULL);
    not_placed(file, &(ptio_map_location){.callback = what_is_given, .ctx = &a}, PTIO_ERR_FORMAT, "tensor.bounds", "reaches to");
    free(file.data);
    ptio_builder_free(b);
}

static ptio_status fails(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)storage;
    (void)tag;
    (void)ret;
    if (ctx)
        (void)snprintf(err->message, sizeof err->message, "no room at the inn");
    return PTIO_ERR_CANCELLED;
}

static ptio_status says_both(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)ctx;
    (void)tag;
    (void)err;
    *ret = (ptio_placement){.location = "cpu", .storage = storage};
    return PTIO_OK;
}

static void callbacks_may_fail(void **state)
{
    (void)state;
    bytes file = saved("cpu", "cpu", false, NULL);
    int ctx = 1;
    not_placed(file, &(ptio_map_location){.callback = fails, .ctx = &ctx}, PTIO_ERR_CANCELLED, "map-location.callback",
               "storage 0 of a: no room at the inn");
    not_placed(file, &(ptio_map_location){.callback = fails}, PTIO_ERR_CANCELLED, "map-location.callback", "failed");
    not_placed(file, &(ptio_map_location){.callback = says_both}, PTIO_ERR_ARGUMENT, "map-location", "at once");
    free(file.data);
}

/* ---- the registry ---- */

/* Takes tags that begin with "mine", and the CPU's too where ctx says so. */
static ptio_status take_mine(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)err;
    bool mine = tag.size >= 4 && memcmp(tag.bytes, "mine", 4) == 0;
    if (mine)
        ret->storage = storage;
    else if (ctx)
        ret->location = ctx;
    return PTIO_OK;
}

static bool tag_mine(void *ctx, const ptio_storage *storage, char *tag, size_t size)
{
    (void)snprintf(tag, size, "%s", (const char *)ctx);
    return ptio_storage_nbytes(storage) == 24;
}

static ptio_registry *registry_of(int priority, ptio_place deserializer, const char *ctx)
{
    ptio_registry *registry;
    ptio_error err = {0};
    assert_int_equal(ptio_registry_new(NULL, &registry, &err), PTIO_OK);
    const ptio_registry_entry entry = {.priority = priority, .deserializer = deserializer, .ctx = (void *)(uintptr_t)ctx};
    assert_int_equal(ptio_registry_add(registry, &entry, &err), PTIO_OK);
    return registry;
}

static void deserializers_take_their_tags(void **state)
{
    (void)state;
    bytes file = saved("mine:3", "cpu", false, NULL);
    ptio_registry *registry = registry_of(30, take_mine, NULL);
    ptio_checkpoint *ckpt = placed(file, NULL, registry);
    expect_location(ckpt, "a", "cpu");
    expect_ramp(ptio_at(ckpt, "a"), PTIO_INT64, 3, FIRST, 1);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    free(file.data);
}

static void low_priorities_are_asked_first(void **state)
{
    (void)state;
    bytes file = saved("cpu", "cpu", false, NULL);
    for (int priority = 9; priority <= 11; priority++) { /* at 10 PyTorch's own is the older one */
        ptio_registry *registry = registry_of(priority, take_mine, "meta");
        ptio_checkpoint *ckpt = placed(file, NULL, registry);
        assert_int_equal(ptio_tensor_is_meta(ptio_value_tensor(ptio_at(ckpt, "a"))), priority < 10);
        ptio_checkpoint_free(ckpt);
        ptio_registry_free(registry);
    }
    free(file.data);
}

/* What an entry answers is not asked of it again. */
static void entries_do_not_go_in_circles(void **state)
{
    (void)state;
    bytes file = saved("cpu", "cpu", false, NULL);
    ptio_registry *registry = registry_of(1, take_mine, "nowhere");
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    expect_error(place_in(file, NULL, registry, &ckpt, &err), &err, PTIO_ERR_UNSUPPORTED, "location.unknown");
    ptio_registry_free(registry);
    free(file.data);
}

static void taggers_say_what_is_saved(void **state)
{
    (void)state;
    char mine[] = "mine:7";
    for (int legacy = 0; legacy < 2; legacy++) {
        for (int priority = 5; priority <= 15; priority += 10) { /* the CPU's storages are tagged at 10 */
            ptio_registry *registry;
            assert_int_equal(ptio_registry_new(NULL, &registry, NULL), PTIO_OK);
            const ptio_registry_entry entry = {.priority = priority, .tagger = tag_mine, .ctx = mine};
            assert_int_equal(ptio_registry_add(registry, &entry, NULL), PTIO_OK);
            bytes file = saved("cpu", "odd", legacy, registry);
            ptio_checkpoint *ckpt = placed(file, NULL, NULL);
            expect_location(ckpt, "a", priority == 5 ? "mine:7" : "cpu");
            expect_location(ckpt, "b", priority == 5 ? "mine:7" : "cpu");
            expect_location(ckpt, "c", "odd");
            ptio_checkpoint_free(ckpt);
            ptio_registry_free(registry);
            free(file.data);
        }
    }
}

static void entries_do_something(void **state)
{
    (void)state;
    ptio_registry *registry;
    ptio_error err = {0};
    assert_int_equal(ptio_registry_new(NULL, &registry, NULL), PTIO_OK);
    expect_error(ptio_registry_add(registry, &(ptio_registry_entry){.priority = 1}, &err), &err, PTIO_ERR_ARGUMENT,
                 "registry.entry");
    assert_int_equal(ptio_registry_add(NULL, NULL, NULL), PTIO_ERR_ARGUMENT);
    ptio_registry_free(registry);
    ptio_registry_free(NULL);
}

/* ---- files of PyTorch ---- */

static void refused_on_meta(const char *path)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &(ptio_map_location){.device = "meta"}};
    expect_error(ptio_load(path, &options, &ckpt, &err), &err, PTIO_ERR_UNSUPPORTED, "location.meta");
}

static void some_tensors_need_elements(void **state)
{
    (void)state;
    refused_on_meta(CORPUS "2.13.0/quantized_per_tensor.pt");
    refused_on_meta(CORPUS "2.13.0/quantized_per_channel.pt");
    refused_on_meta(CORPUS "2.13.0/nested.pt");
}

static ptio_status third_to_meta(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    (void)ctx;
    (void)tag;
    (void)err;
    if (ptio_storage_key(storage).bytes[0] == '2')
        ret->location = "meta";
    return PTIO_OK;
}

/* The device of zero points is asked as well: PyTorch has no such tensor with those alone on meta either. */
static void zero_points_count_as_much(void **state)
{
    (void)state;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &(ptio_map_location){.callback = third_to_meta}};
    expect_error(ptio_load(CORPUS "2.13.0/quantized_per_channel.pt", &options, &ckpt, &err), &err, PTIO_ERR_UNSUPPORTED,
                 "location.meta");
}

static ptio_walk_next look_at_tensor(void *ctx, const ptio_visit *visit)
{
    const ptio_tensor *tensor = ptio_value_kind(visit->value) == PTIO_KIND_TENSOR ? ptio_value_tensor(visit->value) : NULL;
    if (!tensor)
        return PTIO_WALK_ON;
    assert_true(ptio_tensor_is_meta(tensor));
    ++*(size_t *)ctx;
    return PTIO_WALK_ON;
}

static size_t tensors_on_meta(const char *path)
{
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &(ptio_map_location){.device = "meta"}};
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    size_t count = 0;
    if (ptio_load(path, &options, &ckpt, &err) != PTIO_OK ||
        ptio_walk(ptio_root(ckpt), NULL, look_at_tensor, &count, &err) != PTIO_OK)
        fail_msg("%s: %s: %s", path, err.reason, err.message);
    ptio_checkpoint_free(ckpt);
    return count;
}

static void every_container_goes_to_meta(void **state)
{
    (void)state;
    static const char *const paths[] = {CORPUS "2.13.0/seed_tensors.pt",
                                        CORPUS "2.13.0/sparse_bsr.pt",
                                        CORPUS "2.13.0/nested_jagged.pt",
                                        CORPUS "2.13.0/legacy_views.pt",
                                        EXTRA "legacy/storage_views.pt",
                                        EXTRA "tar/state.pth.tar",
                                        EXTRA "archives/scripted_small.pt",
                                        EXTRA "archives/exported.pt2",
                                        EXTRA "archives/packaged.pt",
                                        EXTRA "dcp/two_ranks_fsdp2",
                                        EXTRA "shards/hf_bin/pytorch_model.bin.index.json",
                                        EXTRA "shards/hf_safetensors/model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_true(tensors_on_meta(paths[i]) > 0);
}

/* ---- failing memory ---- */

static ptio_status load_with(bytes file, const ptio_memory *memory, const ptio_map_location *map, ptio_error *err)
{
    ptio_registry *registry = NULL;
    ptio_checkpoint *ckpt = NULL;
    const ptio_registry_entry entry = {.priority = 5, .deserializer = take_mine};
    ptio_status status = ptio_registry_new(memory, &registry, err);
    if (status == PTIO_OK)
        status = ptio_registry_add(registry, &entry, err);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = memory, .map_location = map};
    if (status == PTIO_OK)
        status = ptio_load_memory(file.data, file.size, &options, &ckpt, err); /* with a registry of its own */
    ptio_checkpoint_free(ckpt);
    options.registry = registry;
    if (status == PTIO_OK)
        status = ptio_load_memory(file.data, file.size, &options, &ckpt, err);
    if (status == PTIO_OK)
        ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    return status;
}

static void memory_fails_cleanly(void **state)
{
    (void)state;
    static const int64_t elements[3];
    ptio_builder *b;
    assert_int_equal(ptio_builder_new(NULL, &b, NULL), PTIO_OK);
    asked a = {.given = ptio_new_storage(b, PTIO_INT64, elements, sizeof elements, "here")};
    const ptio_map_location maps[] = {{.device = "meta"}, {.callback = what_is_given, .ctx = &a}};
    for (int k = 0; k < 4; k++) {
        bytes file = saved("cuda:5", "mine", k % 2, NULL);
        ptio_status status;
        uint64_t n = 0;
        do {
            counted_memory memory;
            ptio_error err = {0};
            counted_memory_init(&memory);
            memory.fail_at = n++;
            status = load_with(file, &memory.hooks, &maps[k / 2], &err);
            if (status != PTIO_OK)
                assert_int_equal(status, PTIO_ERR_MEMORY);
            assert_int_equal(memory.held, 0);
        } while (status != PTIO_OK);
        assert_true(n > 10);
        free(file.data);
    }
    ptio_builder_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_stay_where_nothing_is_asked),
        cmocka_unit_test(devices_are_for_all),
        cmocka_unit_test(tables_are_for_their_tags),
        cmocka_unit_test(the_saved_place_must_be_there),
        cmocka_unit_test(nothing_is_on_meta),
        cmocka_unit_test(devices_that_are_not_there),
        cmocka_unit_test(maps_have_one_form),
        cmocka_unit_test(callbacks_are_asked_once),
        cmocka_unit_test(callbacks_answer_with_places),
        cmocka_unit_test(another_storage_takes_the_place),
        cmocka_unit_test(a_storage_too_small_is_refused),
        cmocka_unit_test(callbacks_may_fail),
        cmocka_unit_test(deserializers_take_their_tags),
        cmocka_unit_test(low_priorities_are_asked_first),
        cmocka_unit_test(entries_do_not_go_in_circles),
        cmocka_unit_test(taggers_say_what_is_saved),
        cmocka_unit_test(entries_do_something),
        cmocka_unit_test(some_tensors_need_elements),
        cmocka_unit_test(zero_points_count_as_much),
        cmocka_unit_test(every_container_goes_to_meta),
        cmocka_unit_test(memory_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
