/*
 * Storages on devices: cuda over a stand-in for NVIDIA's driver library, which counts, looks at every argument and fails on demand; and a kind
 * of device that the test adds itself.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "base/os.h"
#include "standin/cuda.h"
#include "torch/files.h"

#define LIBRARY PTIO_STANDIN "/cuda.so"

/* ---- the stand-in ---- */

static void *library;
static void (*begin)(int devices);
static void (*fail_at)(const char *function, unsigned long count, int error);
static standin_state (*look)(void);
static const char *(*misuse)(void);
static unsigned char *(*memory_at)(unsigned long long address, size_t *size);

static void find(const char *name, void *function)
{
    void *found = dlsym(library, name);
    assert_non_null(found);
    memcpy(function, &found, sizeof found);
}

static int open_library(void **state)
{
    (void)state;
    library = dlopen(LIBRARY, RTLD_NOW);
    if (!library)
        fail_msg("%s", dlerror());
    find("standin_begin", &begin);
    find("standin_fail", &fail_at);
    find("standin_look", &look);
    find("standin_misuse", &misuse);
    find("standin_memory", &memory_at);
    return 0;
}

static int close_library(void **state)
{
    (void)state;
    return dlclose(library);
}

/* Everything was given back, and nothing was called wrongly. */
static void expect_nothing_left(void)
{
    standin_state s = look();
    if (s.misuses)
        fail_msg("%lu misuses, the first: %s", s.misuses, misuse());
    assert_int_equal(s.memory + s.host + s.objects, 0);
    assert_int_equal(s.contexts, 0);
    assert_int_equal(s.current, 0);
    assert_int_equal(s.bytes, 0);
}

static ptio_registry *registry_of_cuda(int devices)
{
    ptio_registry *registry;
    ptio_error err = {0};
    begin(devices);
    assert_int_equal(ptio_registry_new(NULL, &registry, &err), PTIO_OK);
    if (ptio_registry_open_cuda(registry, LIBRARY, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    return registry;
}

/* ---- files ---- */

enum { MANY = 3 << 20 }; /* elements: 12 MiB, three staging buffers and more pieces */

static int32_t element(size_t i)
{
    return (int32_t)(i * 2654435761u);
}

/* {"big": int32[MANY] on cuda:0, "part": a view of it, "small": int32[3] on `second`} */
static bytes saved(const char *second, const ptio_save_options *given)
{
    static const int32_t three[] = {7, 8, 9};
    ptio_error err = {0};
    ptio_builder *b;
    ptio_sink *sink;
    bytes file = {0};
    int32_t *big = malloc(MANY * sizeof *big);
    assert_non_null(big);
    for (size_t i = 0; i < MANY; i++)
        big[i] = element(i);
    assert_int_equal(ptio_builder_new(NULL, &b, &err), PTIO_OK);
    const ptio_storage *one = ptio_new_storage(b, PTIO_INT32, big, MANY * sizeof *big, "cuda:0");
    const ptio_storage *two = ptio_new_storage(b, PTIO_INT32, three, sizeof three, second);
    ptio_value *dict = ptio_new_dict(b);
    assert_true(ptio_put(b, dict, "big", ptio_new_view(b, one, PTIO_INT32, 1, (int64_t[]){MANY}, NULL, 0, false)));
    assert_true(ptio_put(b, dict, "part", ptio_new_view(b, one, PTIO_INT32, 1, (int64_t[]){4}, NULL, 100, false)));
    assert_true(ptio_put(b, dict, "small", ptio_new_view(b, two, PTIO_INT32, 1, (int64_t[]){3}, NULL, 0, false)));
    assert_int_equal(ptio_sink_to_memory(NULL, &sink, &err), PTIO_OK);
    if (ptio_save_sink(dict, sink, given, &err) != PTIO_OK || ptio_sink_finish(sink, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    put(&file, ptio_sink_bytes(sink).bytes, ptio_sink_bytes(sink).size);
    ptio_sink_free(sink);
    ptio_builder_free(b);
    free(big);
    return file;
}

static ptio_checkpoint *placed(bytes file, const ptio_map_location *map, const ptio_registry *registry)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = map, .registry = registry};
    if (ptio_load_memory(file.data, file.size, &options, &ckpt, &err) != PTIO_OK)
        fail_msg("%s: %s: %s", err.record, err.reason, err.message);
    return ckpt;
}

static const ptio_storage *storage_at(const ptio_checkpoint *ckpt, const char *path)
{
    const ptio_storage *storage = ptio_value_storage(ptio_at(ckpt, path));
    assert_non_null(storage);
    return storage;
}

static void expect_big(const void *data)
{
    int32_t found;
    for (size_t i = 0; i < MANY; i++) {
        memcpy(&found, (const char *)data + i * sizeof found, sizeof found);
        if (found != element(i))
            fail_msg("element %zu is wrong", i);
    }
}

/* ---- there ---- */

static void storages_go_where_they_were(void **state)
{
    (void)state;
    ptio_registry *registry = registry_of_cuda(2);
    bytes file = saved("cuda:1", NULL);
    ptio_checkpoint *ckpt = placed(file, NULL, registry);
    ptio_registry_free(registry); /* the checkpoint holds what it needs */
    const ptio_storage *big = storage_at(ckpt, "big");
    uint64_t address, again;
    size_t size = 0;
    ptio_error err = {0};
    expect_text(ptio_storage_location(big), "cuda:0");
    expect_text(ptio_tensor_device(ptio_value_tensor(ptio_at(ckpt, "small"))), "cuda:1");
    assert_int_equal(look().memory, 0); /* nobody has asked yet */
    if (ptio_storage_device_data(big, &address, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    expect_big(memory_at(address, &size));
    assert_int_equal(size, MANY * sizeof(int32_t));
    assert_int_equal(ptio_storage_device_data(storage_at(ckpt, "part"), &again, &err), PTIO_OK);
    assert_int_equal(again, address);
    standin_state s = look();
    assert_int_equal(s.memory, 1);
    assert_true(s.transfers >= 3);
    assert_true(s.most_pinned <= (size_t)16 << 20);
    ptio_checkpoint_free(ckpt);
    expect_nothing_left();
    free(file.data);
}

static void all_go_when_all_is_read(void **state)
{
    (void)state;
    static const char *const table[][2] = {{"cuda:0", "cuda:1"}, {"mps", "cuda"}};
    ptio_registry *registry = registry_of_cuda(2);
    bytes file = saved("mps", &(ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = true});
    ptio_checkpoint *ckpt = placed(file, &(ptio_map_location){.table = table, .table_count = 2}, registry);
    uint64_t address;
    size_t size;
    assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
    assert_int_equal(look().memory, 2);
    assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
    assert_int_equal(look().memory, 2);
    expect_text(ptio_storage_device(storage_at(ckpt, "big")), "cuda:1");
    expect_text(ptio_storage_device(storage_at(ckpt, "small")), "cuda:0");
    assert_int_equal(ptio_storage_device_data(storage_at(ckpt, "big"), &address, NULL), PTIO_OK);
    expect_big(memory_at(address, &size));
    ptio_registry_free(registry);
    ptio_checkpoint_free(ckpt);
    expect_nothing_left();
    free(file.data);
}

static ptio_status load_on(bytes file, const char *device, const ptio_registry *registry, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &(ptio_map_location){.device = device}, .registry = registry};
    ptio_status status = ptio_load_memory(file.data, file.size, &options, &ckpt, err);
    ptio_checkpoint_free(ckpt);
    return status;
}

static void devices_must_be_there(void **state)
{
    (void)state;
    ptio_registry *registry = registry_of_cuda(2);
    bytes file = saved("cpu", NULL);
    ptio_error err = {0};
    assert_int_equal(load_on(file, "cuda:1", registry, &err), PTIO_OK);
    expect_error(load_on(file, "cuda:2", registry, &err), &err, PTIO_ERR_UNSUPPORTED, "location.index");
    assert_non_null(
        strstr(err.message, "storage 0 of big belongs on cuda:2, but there are 2 such devices here, cuda:0 to cuda:1"));
    err = (ptio_error){0};
    expect_error(load_on(file, "cuda:x", registry, &err), &err, PTIO_ERR_ARGUMENT, "location.device");
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

static void why_there_is_no_device(void **state)
{
    (void)state;
    ptio_registry *registry;
    ptio_error err = {0};
    begin(0);
    assert_int_equal(ptio_registry_new(NULL, &registry, NULL), PTIO_OK);
    expect_error(ptio_registry_open_cuda(registry, LIBRARY, &err), &err, PTIO_ERR_UNSUPPORTED, "location.no-device");
    assert_non_null(strstr(err.message, "cuInit: CUDA_ERROR_NO_DEVICE"));
    err = (ptio_error){0};
    expect_error(ptio_registry_open_cuda(registry, PTIO_STANDIN "/nothing.so", &err), &err, PTIO_ERR_UNSUPPORTED,
                 "location.no-device");
    assert_non_null(strstr(err.message, "nothing.so"));
    err = (ptio_error){0};
    begin(1);
    fail_at("cuDeviceGetCount", 0, 77);
    expect_error(ptio_registry_open_cuda(registry, LIBRARY, &err), &err, PTIO_ERR_UNSUPPORTED, "location.no-device");
    assert_non_null(strstr(err.message, "cuDeviceGetCount: error 77"));
    assert_int_equal(ptio_registry_open_cuda(NULL, LIBRARY, NULL), PTIO_ERR_ARGUMENT);
    ptio_registry_free(registry);
    expect_nothing_left();
}

/* ---- and back ---- */

static void the_cpu_sees_what_the_device_has(void **state)
{
    (void)state;
    ptio_registry *registry = registry_of_cuda(1);
    bytes file = saved("cpu", NULL);
    ptio_checkpoint *ckpt = placed(file, NULL, registry);
    const ptio_storage *big = storage_at(ckpt, "big");
    uint64_t address, offset, nbytes;
    size_t size;
    void *writable;
    const void *data;
    ptio_error err = {0};
    assert_int_equal(ptio_storage_device_data(big, &address, NULL), PTIO_OK);
    assert_int_equal(ptio_storage_data(big, &data, NULL), PTIO_OK);
    expect_big(data);
    int32_t kernel = 42; /* a kernel has worked */
    memcpy(memory_at(address, &size) + 101 * sizeof kernel, &kernel, sizeof kernel);
    ptio_storage_drop(big);
    int32_t part[4];
    assert_int_equal(ptio_tensor_copy(ptio_value_tensor(ptio_at(ckpt, "part")), PTIO_INT32, part, sizeof part, NULL), PTIO_OK);
    assert_int_equal(part[0], element(100));
    assert_int_equal(part[1], 42);
    assert_false(ptio_storage_range(big, &offset, &nbytes));
    expect_error(ptio_storage_writable(big, &writable, &err), &err, PTIO_ERR_ARGUMENT, "storage.on-device");
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

static void saves_take_the_bytes_from_the_device(void **state)
{
    (void)state;
    ptio_save_options options[4];
    for (size_t i = 0; i < 4; i++)
        ptio_save_options_init(&options[i]);
    options[1].legacy = true;
    options[2].byte_order = PTIO_BIG_ENDIAN;
    options[3].byte_order = PTIO_LITTLE_ENDIAN;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        ptio_registry *registry = registry_of_cuda(1);
        bytes file = saved("cuda:0", &options[i]);
        ptio_checkpoint *ckpt = placed(file, NULL, registry);
        ptio_sink *sink;
        ptio_error err = {0};
        assert_int_equal(ptio_checkpoint_read(ckpt, NULL), PTIO_OK);
        assert_int_equal(ptio_sink_to_memory(NULL, &sink, NULL), PTIO_OK);
        if (ptio_save_sink(ptio_root(ckpt), sink, &options[i], &err) != PTIO_OK)
            fail_msg("%s: %s", err.reason, err.message);
        assert_int_equal(ptio_sink_finish(sink, NULL), PTIO_OK);
        ptio_text written = ptio_sink_bytes(sink);
        if (i != 1) { /* the keys of a stream are made anew */
            assert_int_equal(written.size, file.size);
            assert_memory_equal(written.bytes, file.data, file.size);
        }
        ptio_checkpoint *again =
            placed((bytes){.data = (unsigned char *)(uintptr_t)written.bytes, .size = written.size}, NULL, NULL);
        const void *data;
        expect_text(ptio_storage_location(storage_at(again, "big")), "cuda:0");
        assert_int_equal(ptio_storage_data(storage_at(again, "big"), &data, NULL), PTIO_OK);
        expect_big(data);
        ptio_checkpoint_free(again);
        ptio_sink_free(sink);
        ptio_checkpoint_free(ckpt);
        ptio_registry_free(registry);
        expect_nothing_left();
        free(file.data);
    }
}

static void storages_are_moved(void **state)
{
    (void)state;
    ptio_registry *registry = registry_of_cuda(2);
    bytes file = saved("cpu", NULL);
    ptio_checkpoint *ckpt = placed(file, NULL, NULL);
    const ptio_storage *big = storage_at(ckpt, "big"), *small = storage_at(ckpt, "small");
    const void *data;
    uint64_t address;
    ptio_error err = {0};
    expect_text(ptio_storage_device(big), "cpu");
    expect_error(ptio_storage_device_data(big, &address, &err), &err, PTIO_ERR_ARGUMENT, "device.none");
    assert_int_equal(ptio_storage_to(big, registry, "cuda:1", NULL), PTIO_OK);
    expect_text(ptio_storage_device(big), "cuda:1");
    assert_int_equal(ptio_storage_to(big, NULL, "cuda:0", NULL), PTIO_OK); /* the checkpoint knows the kind by now */
    expect_text(ptio_storage_location(big), "cuda:0");
    assert_int_equal(ptio_storage_to(small, NULL, "cuda", NULL), PTIO_OK);
    assert_int_equal(look().memory, 2);
    assert_int_equal(ptio_storage_to(big, NULL, "cpu", NULL), PTIO_OK);
    assert_int_equal(ptio_storage_to(big, NULL, "cpu", NULL), PTIO_OK);
    expect_text(ptio_storage_location(big), "cpu");
    expect_text(ptio_storage_device(big), "cpu");
    assert_int_equal(look().memory, 1);
    assert_int_equal(ptio_storage_data(big, &data, NULL), PTIO_OK);
    expect_big(data);
    static const struct {
        const char *device, *reason;
        ptio_status status;
    } wrong[] = {{"cuda:2", "location.index", PTIO_ERR_UNSUPPORTED},
                 {"cuda:y", "location.device", PTIO_ERR_ARGUMENT},
                 {"xpu", "location.no-device", PTIO_ERR_UNSUPPORTED},
                 {"meta", "storage.meta", PTIO_ERR_ARGUMENT}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err = (ptio_error){0};
        expect_error(ptio_storage_to(small, registry, wrong[i].device, &err), &err, wrong[i].status, wrong[i].reason);
        expect_text(ptio_storage_device(small), "cuda:0");
    }
    assert_int_equal(ptio_storage_to(NULL, registry, "cpu", NULL), PTIO_ERR_ARGUMENT);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

/* Views of the 0.1 streams: slices take along what they are cut from. */
static void slices_take_their_storage_along(void **state)
{
    (void)state;
    ptio_registry *registry = registry_of_cuda(1);
    ptio_checkpoint *ckpt = load(EXTRA "legacy/storage_views.pt");
    size_t tensors = 0;
    for (size_t i = 0; i < ptio_value_count(ptio_root(ckpt)); i++) {
        const ptio_value *value = ptio_value_item(ptio_root(ckpt), i);
        const ptio_tensor *tensor = ptio_value_tensor(value);
        double before[64], after[64];
        uint64_t numel = ptio_tensor_numel(tensor), address;
        if (!tensor || !ptio_tensor_storage(tensor) || numel > 64)
            continue;
        assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, before, numel * sizeof(double), NULL), PTIO_OK);
        assert_int_equal(ptio_storage_to(ptio_tensor_storage(tensor), registry, "cuda", NULL), PTIO_OK);
        assert_int_equal(ptio_storage_device_data(ptio_tensor_storage(tensor), &address, NULL), PTIO_OK);
        ptio_storage_drop(ptio_tensor_storage(tensor));
        assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT64, after, numel * sizeof(double), NULL), PTIO_OK);
        assert_memory_equal(before, after, (size_t)numel * sizeof(double));
        tensors++;
    }
    assert_true(tensors > 0);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    expect_nothing_left();
}

/* ---- trouble ---- */

/* Load, bring all, read back. */
static ptio_status use(bytes file, const ptio_registry *registry, const ptio_memory *memory, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    const void *data;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .registry = registry, .memory = memory};
    ptio_status status = ptio_load_memory(file.data, file.size, &options, &ckpt, err);
    if (status == PTIO_OK)
        status = ptio_checkpoint_read(ckpt, err);
    if (status == PTIO_OK && (status = ptio_storage_data(storage_at(ckpt, "big"), &data, err)) == PTIO_OK)
        expect_big(data);
    if (status == PTIO_OK)
        status = ptio_storage_to(storage_at(ckpt, "small"), NULL, "cpu", err);
    ptio_checkpoint_free(ckpt);
    return status;
}

/* Each call of the driver fails in turn: an error with its name, and everything is given back. */
static void the_driver_may_fail(void **state)
{
    (void)state;
    bytes file = saved("cuda:0", NULL);
    unsigned long n = 0, failures = 0;
    for (bool met = true; met; n++) {
        ptio_registry *registry = registry_of_cuda(1);
        ptio_error err = {0};
        unsigned long before = look().calls;
        fail_at(NULL, n, n % 2 ? 719 : 2);
        ptio_status status = use(file, registry, NULL, &err);
        met = look().calls - before > n;
        if (status != PTIO_OK) {
            failures++;
            assert_int_equal(status, n % 2 ? PTIO_ERR_IO : PTIO_ERR_MEMORY);
            assert_string_equal(err.reason, "cuda.failed");
            if (!strstr(err.message, n % 2 ? ": CUDA_ERROR_LAUNCH_FAILED" : ": CUDA_ERROR_OUT_OF_MEMORY"))
                fail_msg("%s", err.message);
        }
        ptio_registry_free(registry);
        expect_nothing_left();
    }
    assert_true(n > 30 && failures > 20);
    free(file.data);
}

static void errors_have_names(void **state)
{
    (void)state;
    bytes file = saved("cuda:0", NULL);
    ptio_registry *registry = registry_of_cuda(1);
    ptio_error err = {0};
    fail_at("cuMemAlloc_v2", 0, 2);
    expect_error(use(file, registry, NULL, &err), &err, PTIO_ERR_MEMORY, "cuda.failed");
    assert_string_equal(err.message, "memory of 12582912 bytes on cuda:0: cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY");
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

static void memory_may_fail(void **state)
{
    (void)state;
    bytes file = saved("cuda:0", NULL);
    ptio_registry *registry = registry_of_cuda(1);
    ptio_status status;
    uint64_t n = 0;
    do {
        counted_memory memory;
        ptio_error err = {0};
        counted_memory_init(&memory);
        memory.fail_at = n++;
        status = use(file, registry, &memory.hooks, &err);
        if (status != PTIO_OK)
            assert_int_equal(status, PTIO_ERR_MEMORY);
        assert_int_equal(memory.held, 0);
        assert_int_equal(look().memory, 0);
    } while (status != PTIO_OK);
    assert_true(n > 10);
    ptio_registry_free(registry);
    n = 0;
    do {
        counted_memory memory;
        counted_memory_init(&memory);
        memory.fail_at = n++;
        status = ptio_registry_new(&memory.hooks, &registry, NULL);
        if (status == PTIO_OK) {
            status = ptio_registry_open_cuda(registry, LIBRARY, NULL);
            ptio_registry_free(registry);
        }
        assert_int_equal(memory.held, 0);
    } while (status != PTIO_OK);
    assert_true(n > 3);
    expect_nothing_left();
    free(file.data);
}

/* A damaged record is refused on its way to the device, too. */
static void damage_is_seen_on_the_way(void **state)
{
    (void)state;
    bytes file = saved("cuda:0", NULL);
    ptio_registry *registry = registry_of_cuda(1);
    ptio_error err = {0};
    uint64_t offset, nbytes, address;
    ptio_checkpoint *ckpt = placed(file, NULL, registry);
    assert_true(ptio_storage_range(storage_at(ckpt, "big"), &offset, &nbytes));
    file.data[offset + nbytes - 1] ^= 1;
    expect_error(ptio_storage_device_data(storage_at(ckpt, "big"), &address, &err), &err, PTIO_ERR_FORMAT, "zip.crc");
    assert_int_equal(look().memory, 0);
    file.data[offset + nbytes - 1] ^= 1;
    assert_int_equal(ptio_storage_device_data(storage_at(ckpt, "big"), &address, NULL), PTIO_OK);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

/* ---- threads ---- */

typedef struct many {
    const ptio_checkpoint *ckpt;
    unsigned number;
} many;

static void *ask(void *ctx)
{
    const many *m = ctx;
    uint64_t address = 0;
    const void *data = NULL;
    for (int i = 0; i < 3; i++) {
        const ptio_storage *storage = storage_at(m->ckpt, (m->number + (unsigned)i) % 2 ? "big" : "small");
        assert_int_equal(ptio_storage_device_data(storage, &address, NULL), PTIO_OK);
        assert_int_equal(ptio_storage_data(storage, &data, NULL), PTIO_OK);
    }
    return NULL;
}

static void many_threads_ask(void **state)
{
    (void)state;
    bytes file = saved("cuda:1", NULL);
    ptio_registry *registry = registry_of_cuda(2);
    ptio_checkpoint *ckpt = placed(file, NULL, registry);
    pthread_t threads[4];
    many each[4];
    for (unsigned i = 0; i < 4; i++) {
        each[i] = (many){ckpt, i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &each[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(look().memory, 2);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
    expect_nothing_left();
    free(file.data);
}

/* ---- a device of the caller ---- */

typedef struct tape {
    unsigned char room[256];
    uint64_t used;
    int closed, released;
    bool is_full;
} tape;

static int tape_count(void *ctx, ptio_error *err)
{
    (void)ctx;
    (void)err;
    return 3;
}

static int tape_current(void *ctx)
{
    (void)ctx;
    return 2;
}

static ptio_status tape_allocate(void *ctx, int index, uint64_t size, uint64_t *address, ptio_error *err)
{
    tape *t = ctx;
    (void)index;
    if (t->is_full || size > sizeof t->room - t->used) {
        (void)snprintf(err->message, sizeof err->message, "the tape is full");
        return PTIO_ERR_LIMIT;
    }
    *address = t->used;
    t->used += size;
    return PTIO_OK;
}

static void tape_release(void *ctx, int index, uint64_t address, uint64_t size)
{
    tape *t = ctx;
    (void)index;
    (void)address;
    t->released += size > 0;
}

static ptio_status tape_write(void *ctx, int index, uint64_t address, const void *data, size_t size, ptio_error *err)
{
    tape *t = ctx;
    (void)index;
    (void)err;
    memcpy(t->room + address, data, size);
    return PTIO_OK;
}

static ptio_status tape_read(void *ctx, int index, void *data, uint64_t address, size_t size, ptio_error *err)
{
    const tape *t = ctx;
    (void)index;
    (void)err;
    memcpy(data, t->room + address, size);
    return PTIO_OK;
}

static void tape_close(void *ctx)
{
    tape *t = ctx;
    t->closed++;
}

static const ptio_device_ops tape_ops = {
    PTIO_DEVICE_OPS,         .type = "tape",        .count = tape_count,    .current = tape_current, .allocate = tape_allocate,
    .release = tape_release, .copy_to = tape_write, .copy_from = tape_read, .close = tape_close};

static void devices_of_the_caller(void **state)
{
    (void)state;
    tape t = {.used = 0};
    ptio_device_ops ops = tape_ops;
    ops.ctx = &t;
    ptio_registry *registry;
    ptio_error err = {0};
    begin(0);
    assert_int_equal(ptio_registry_new(NULL, &registry, NULL), PTIO_OK);
    assert_int_equal(ptio_registry_add_device(registry, 30, &ops, NULL), PTIO_OK);
    bytes file = saved("tape", NULL);
    static const char *const table[][2] = {{"cuda:0", "cpu"}};
    const ptio_map_location map = {.table = table, .table_count = 1};
    ptio_checkpoint *ckpt = placed(file, &map, registry);
    const ptio_storage *small = storage_at(ckpt, "small");
    uint64_t address;
    expect_text(ptio_storage_device(small), "tape:2");
    assert_int_equal(ptio_storage_device_data(small, &address, NULL), PTIO_OK);
    assert_int_equal(t.room[address + (PTIO_HOST_BIG_ENDIAN ? 3 : 0)], 7);
    expect_ramp(ptio_at(ckpt, "small"), PTIO_INT32, 3, 7, 1);
    t.is_full = true;
    expect_error(ptio_storage_to(storage_at(ckpt, "big"), NULL, "tape:0", &err), &err, PTIO_ERR_LIMIT, "device.failed");
    assert_string_equal(err.message, "memory of 12582912 bytes on tape:0: the tape is full");
    ptio_registry_free(registry);
    assert_int_equal(t.closed, 0);
    ptio_checkpoint_free(ckpt);
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.released, 1);
    free(file.data);
}

static void ops_must_be_whole(void **state)
{
    (void)state;
    ptio_registry *registry;
    tape t = {.used = 0};
    assert_int_equal(ptio_registry_new(NULL, &registry, NULL), PTIO_OK);
    for (int i = 0; i < 6; i++) {
        ptio_device_ops ops = tape_ops;
        ptio_error err = {0};
        ops.ctx = &t;
        switch (i) {
        case 0: ops.type = NULL; break;
        case 1: ops.type = "tape:1"; break;
        case 2: ops.type = "cpu"; break;
        case 3: ops.allocate = NULL; break;
        case 4: ops.copy_from = NULL; break;
        default: ops.type = "a type that is longer than thirty-one bytes"; break;
        }
        expect_error(ptio_registry_add_device(registry, 1, &ops, &err), &err, PTIO_ERR_ARGUMENT, "device.ops");
    }
    assert_int_equal(ptio_registry_add_device(NULL, 1, &tape_ops, NULL), PTIO_ERR_ARGUMENT);
    assert_int_equal(t.closed, 0);
    ptio_registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storages_go_where_they_were),
        cmocka_unit_test(all_go_when_all_is_read),
        cmocka_unit_test(devices_must_be_there),
        cmocka_unit_test(why_there_is_no_device),
        cmocka_unit_test(the_cpu_sees_what_the_device_has),
        cmocka_unit_test(saves_take_the_bytes_from_the_device),
        cmocka_unit_test(storages_are_moved),
        cmocka_unit_test(slices_take_their_storage_along),
        cmocka_unit_test(the_driver_may_fail),
        cmocka_unit_test(errors_have_names),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(damage_is_seen_on_the_way),
        cmocka_unit_test(many_threads_ask),
        cmocka_unit_test(devices_of_the_caller),
        cmocka_unit_test(ops_must_be_whole),
    };
    return cmocka_run_group_tests(tests, open_library, close_library);
}
