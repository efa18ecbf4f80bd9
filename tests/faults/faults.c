/*
 * Failing allocations, reads and writes.
 *
 *     faults [--only NAME]
 *
 * A scenario is a file of the corpus, opened through one kind of source, and a list of steps that together call every public function
 * that takes memory, reads or writes. First all goes well: what each step returns and tells is noted. Then, for n = 0, 1, 2, ..., all of it again,
 * and the n-th request fails:
 *
 *     memory      the n-th allocation, of small memory or of a storage, gives NULL          PTIO_ERR_MEMORY
 *     read, seek  the n-th call of the caller's read or seek gives -1                       PTIO_ERR_IO
 *     write       the n-th write of a save to its sink fails, before any buffer               PTIO_ERR_IO
 *     gone        from the n-th read on the source is at its end, though it told a size     an error, or no difference
 *
 * A step that meets the failure must return that code, or what it returned at first and tell the same. It is then tried again, on the same
 * source and checkpoint, and must do as at first: nothing is left half done. After each run all memory is given back. Once more, a
 * source that gives one byte at a time must make no difference at all.
 *
 * Needs tests/data at PTIO_TEST_DATA (a macro). PTIO_TEST_SHARE (environment, 0 to 1, default 1) takes an even part of the n, the same each
 * time. Closes with the line "N passed, N failed".
 */
#define _XOPEN_SOURCE 700

#include <fcntl.h>
#include <unistd.h>

#include "io/sink_kind.h"
#include "support/exercise.h"
#include "support/share.h"

#define CORPUS PTIO_TEST_DATA "/corpus/"

#define MOST_COMPLAINTS 5 /* of one file and one kind of source */

static unsigned long passed, failed, complaints;

/* One or two of each container and each kind of value. */
static const char *const files[] = {
    "2.13.0/seed_tensors.pt",
    "2.13.0/module_tower.pt",
    "2.13.0/checkpoint_adam.pt",
    "2.13.0/sparse_coo.pt",
    "2.13.0/sparse_bsr.pt",
    "2.13.0/nested.pt",
    "2.13.0/nested_jagged.pt",
    "2.13.0/quantized_per_channel.pt",
    "2.13.0/numpy_more.pt",
    "2.13.0/python_objects.pt",
    "2.13.0/python_more.pt",
    "2.13.0/python_strings.pt",
    "2.13.0/python_big_ints.pt",
    "2.13.0/keys_not_str.pt",
    "2.13.0/generator.pt",
    "2.13.0/protocol_4.pt",
    "2.13.0/legacy_views.pt",
    "2.13.0/legacy_module_tower.pt",
    "1.0.0-py27/py2_byte_strings.pt",
    "1.0.0-py27/seed_model.pt",
    "1.5.1/zip_before_1_6.pt",
    "extra/archives/scripted_small.pt",
    "extra/archives/exported.pt2",
    "extra/archives/packaged.pt",
    "extra/endian/big_mixed.pt",
    "extra/legacy/storage_views.pt",
    "extra/legacy/zip.pt.gz",
    "extra/pickles/compressed.npz",
    "extra/pickles/fortran.npy",
    "extra/pickles/torch_state_protocol_2.pkl",
    "extra/rezip/deflated.pt",
    "extra/rezip/junk_after.pt",
    "extra/tar/state.pth.tar",
    "extra/confused/zip_cut_at_1811.pth",
};

/* What can only be opened by its path. */
static const char *const folders[] = {
    "extra/dcp/two_ranks_fsdp2",
    "extra/dcp/single_safetensors",
    "extra/shards/hf_bin/pytorch_model.bin.index.json",
    "extra/shards/hf_safetensors/model.safetensors.index.json",
    "extra/shards/hf_bin_broken/pytorch_model.bin.index.json",
};

/* ---- a source that fails ---- */

typedef enum trouble_kind { NO_TROUBLE, NO_MEMORY, NO_READ, NO_SEEK, NO_WRITE, GONE, ONE_BYTE } trouble_kind;

typedef struct shaky {
    blob blob;
    uint64_t position;
    trouble_kind trouble;
    uint64_t calls; /* of what is to fail */
    uint64_t fail_at;
} shaky;

static int64_t shaky_read(void *ctx, void *buffer, size_t size)
{
    shaky *s = ctx;
    bool is_due = (s->trouble == NO_READ || s->trouble == GONE) && s->calls++ >= s->fail_at;
    if (s->trouble == NO_READ && is_due && s->calls == s->fail_at + 1)
        return -1;
    uint64_t left = s->position < s->blob.size ? s->blob.size - s->position : 0;
    if (s->trouble == GONE && is_due)
        left = 0;
    size_t given = size < left ? size : (size_t)left;
    if (s->trouble == ONE_BYTE && given > 1)
        given = 1;
    memcpy(buffer, s->blob.data + s->position, given);
    s->position += given;
    return (int64_t)given;
}

static int shaky_seek(void *ctx, uint64_t offset)
{
    shaky *s = ctx;
    if (s->trouble == NO_SEEK && s->calls++ == s->fail_at)
        return -1;
    s->position = offset;
    return 0;
}

static int64_t shaky_tell(void *ctx)
{
    const shaky *s = ctx;
    return (int64_t)s->position;
}

static int64_t shaky_size(void *ctx)
{
    const shaky *s = ctx;
    return (int64_t)s->blob.size;
}

static const ptio_source_callbacks seekable = {.read = shaky_read, .seek = shaky_seek, .tell = shaky_tell, .size = shaky_size};
static const ptio_source_callbacks forward = {.read = shaky_read};

/* ---- a sink that fails ---- */

/* It has no room beyond each write, so that none of them is lost in a buffer. */
static ptio_status shaky_grow(ptio_sink *sink, uint64_t size, ptio_error *err)
{
    shaky *s = sink->ctx;
    if (s->trouble == NO_WRITE && s->calls++ == s->fail_at)
        return ptio_fail(err, PTIO_ERR_IO, "io.write", PTIO_NO_OFFSET, "this write fails");
    size_t capacity = sink->buffered + (size_t)size;
    void *buffer = ptio_heap_resize(&sink->heap, sink->buffer, sink->capacity, capacity);
    if (!buffer)
        abort();
    sink->buffer = buffer;
    sink->capacity = capacity;
    return PTIO_OK;
}

static const ptio_sink_kind shaky_sink = {.grow = shaky_grow};

/* ---- a run ---- */

typedef enum source_kind { BY_PATH, BY_OPEN, BY_FD, BY_FILE, BY_MEMORY, BY_CALLBACKS, BY_FORWARD, KINDS } source_kind;

static const char *const kind_names[] = {"path", "open", "fd", "FILE", "memory", "callbacks", "forward"};

typedef struct run {
    const char *path;
    source_kind kind;
    counted_memory memory;
    shaky shaky;
    int fd;
    FILE *file;
    ptio_load_options options;
    ptio_source *source;
    ptio_checkpoint *ckpt;
} run;

/* What a step returned and told. */
typedef struct told {
    ptio_status status;
    fold fold;
    char message[256];
} told;

static void note(told *t, ptio_status status, const ptio_error *err)
{
    t->status = status;
    if (status != PTIO_OK) {
        t->fold = FOLD_BEGIN; /* what was told before it failed is no matter */
        (void)snprintf(t->message, sizeof t->message, "%s", err->message);
        if (err->status != status || !err->reason || !err->message[0])
            (void)snprintf(t->message, sizeof t->message, "the error does not say what the function returned");
    }
}

static ptio_status open_source(run *r, ptio_error *err)
{
    const ptio_memory *m = &r->memory.hooks;
    switch (r->kind) {
    case BY_OPEN: return ptio_source_open(r->path, 0, m, NULL, &r->source, err);
    case BY_FD: return ptio_source_from_fd(r->fd, PTIO_SOURCE_MAP, m, NULL, &r->source, err);
    case BY_FILE: return ptio_source_from_file(r->file, m, NULL, &r->source, err);
    case BY_MEMORY: return ptio_source_from_memory(r->shaky.blob.data, r->shaky.blob.size, m, &r->source, err);
    case BY_CALLBACKS: return ptio_source_from_callbacks(&seekable, &r->shaky, m, NULL, &r->source, err);
    case BY_FORWARD: r->shaky.position = 0; return ptio_source_from_callbacks(&forward, &r->shaky, m, NULL, &r->source, err);
    case BY_PATH:
    case KINDS: break;
    }
    return PTIO_OK;
}

static void step_source(run *r, told *t)
{
    ptio_error err = {0};
    note(t, open_source(r, &err), &err);
    fold_u64(&t->fold, ptio_source_size(r->source));
}

static ptio_status load(run *r, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    return r->kind == BY_PATH     ? ptio_load(r->path, options, ret, err)
           : r->kind == BY_MEMORY ? ptio_load_memory(r->shaky.blob.data, r->shaky.blob.size, options, ret, err)
                                  : ptio_load_source(r->source, options, ret, err);
}

static void step_load(run *r, told *t)
{
    ptio_error err = {0};
    note(t, load(r, &r->options, &r->ckpt, &err), &err);
}

static void step_list(run *r, told *t)
{
    exercise x = {.fold = FOLD_BEGIN, .ckpt = r->ckpt};
    exercise_list(&x);
    t->fold = x.fold;
    note(t, x.status, &x.err);
}

static void step_walk(run *r, told *t)
{
    exercise x = {.fold = FOLD_BEGIN, .ckpt = r->ckpt};
    exercise_walks(&x, NULL, &r->memory.hooks);
    t->fold = x.fold;
    note(t, x.status, &x.err);
}

static void step_print(run *r, told *t)
{
    ptio_error err = {0};
    ptio_print_options print = {PTIO_PRINT_OPTIONS, .memory = &r->memory.hooks};
    note(t, ptio_print(ptio_root(r->ckpt), &print, fold_write, &t->fold, &err), &err);
}

static void save(run *r, told *t, ptio_save_options options)
{
    ptio_error err = {0};
    ptio_sink *sink;
    if (ptio_sink_new("<shaky>", &shaky_sink, NULL, &sink, NULL) != PTIO_OK)
        abort();
    sink->ctx = &r->shaky;
    options.memory = &r->memory.hooks;
    ptio_status status = ptio_save_sink(ptio_root(r->ckpt), sink, &options, &err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, &err);
    fold_bytes(&t->fold, sink->buffer, sink->buffered);
    note(t, status, &err);
    ptio_sink_free(sink);
}

static void step_save(run *r, told *t)
{
    save(r, t, (ptio_save_options){PTIO_SAVE_OPTIONS});
}

static void step_save_legacy(run *r, told *t)
{
    save(r, t, (ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = true});
}

static void step_save_as_found(run *r, told *t)
{
    save(r, t, (ptio_save_options){PTIO_SAVE_OPTIONS, .as = r->ckpt});
}

static void step_read_all(run *r, told *t)
{
    ptio_error err = {0};
    note(t, ptio_checkpoint_read(r->ckpt, &err), &err);
}

static void step_drop(run *r, told *t)
{
    ptio_tensor_list *list = NULL;
    ptio_error err = {0};
    note(t, ptio_list_tensors(r->ckpt, NULL, &list, &err), &err);
    for (size_t i = 0; i < ptio_tensor_list_count(list); i++) {
        const ptio_storage *storage = ptio_tensor_storage(ptio_tensor_list_entry(list, i)->tensor);
        if (storage)
            ptio_storage_drop(storage);
    }
    ptio_tensor_list_free(list);
}

static void step_weights_only(run *r, told *t)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = r->options;
    options.weights_only = true;
    note(t, load(r, &options, &ckpt, &err), &err);
    ptio_checkpoint_free(ckpt);
}

static void step_map(run *r, told *t)
{
    ptio_error err = {0};
    exercise x = {.fold = FOLD_BEGIN};
    ptio_checkpoint *ckpt = NULL;
    ptio_load_options options = r->options;
    options.mmap = true;
    note(t, load(r, &options, &ckpt, &err), &err);
    if (ckpt) {
        x.ckpt = ckpt;
        exercise_list(&x);
        t->fold = x.fold;
        note(t, x.status, &x.err);
    }
    ptio_checkpoint_free(ckpt);
}

/* All to the meta device, with a registry; what has to be read to be made is refused. */
static void step_place(run *r, told *t)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_registry *registry = NULL;
    ptio_load_options options = r->options;
    options.map_location = &(ptio_map_location){.device = "meta"};
    ptio_status status = ptio_registry_new(&r->memory.hooks, &registry, &err);
    options.registry = registry;
    note(t, status == PTIO_OK ? load(r, &options, &ckpt, &err) : status, &err);
    ptio_checkpoint_free(ckpt);
    ptio_registry_free(registry);
}

static void read_records(ptio_archive *archive, told *t)
{
    ptio_record record;
    for (size_t i = 0; ptio_archive_record(archive, i, &record); i++) {
        ptio_error err = {0};
        size_t size = record.size < 100000 ? (size_t)record.size : 0;
        unsigned char *buffer = malloc(size ? size : 1);
        if (!buffer)
            abort();
        ptio_status status = ptio_archive_read(archive, i, 0, buffer, size, &err);
        if (status == PTIO_OK) {
            fold_text(&t->fold, record.name);
            fold_bytes(&t->fold, buffer, size);
        } else if (t->status == PTIO_OK) {
            note(t, status, &err);
        }
        free(buffer);
    }
}

static void step_archive(run *r, told *t)
{
    ptio_error err = {0};
    ptio_archive *archive = NULL;
    if (!r->source)
        return;
    note(t, ptio_archive_open(r->source, 0, NULL, &r->memory.hooks, NULL, &archive, &err), &err);
    read_records(archive, t);
    ptio_archive_free(archive);
}

static void step_disassemble(run *r, told *t)
{
    ptio_error err = {0};
    if (r->source)
        note(t, ptio_disassemble(r->source, NULL, &r->options, fold_write, &t->fold, &err), &err);
}

static void fold_report(told *t, const ptio_check_result *result, const ptio_report *report)
{
    fold_u64(&t->fold, (uint64_t)result->verdict);
    fold_u64(&t->fold, result->weights_only_loads);
    fold_u64(&t->fold, result->records_verified);
    fold_u64(&t->fold, result->records_without_crc);
    size_t count = ptio_report_count(report);
    const ptio_finding *last = count ? ptio_report_finding(report, count - 1) : NULL;
    (void)snprintf(t->message, sizeof t->message, "%s, weights_only %s it, %llu records verified, %zu findings, the last %s",
                   ptio_verdict_name(result->verdict), result->weights_only_loads ? "loads" : "refuses",
                   (unsigned long long)result->records_verified, count, last ? last->reason : "none");
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        fold_string(&t->fold, ptio_report_finding(report, i)->reason);
        fold_text(&t->fold, ptio_report_finding(report, i)->message);
    }
}

static void step_check(run *r, told *t)
{
    ptio_error err = {0};
    ptio_report *report = NULL;
    ptio_check_result result = {0};
    ptio_load_options options = r->options;
    ptio_status status = ptio_report_new(&r->memory.hooks, &report, &err);
    options.report = report;
    if (status == PTIO_OK)
        status = r->kind == BY_PATH ? ptio_check(r->path, &options, &result, &err)
                                    : ptio_check_source(r->source, &options, &result, &err);
    if (status == PTIO_OK)
        fold_report(t, &result, report);
    note(t, status, &err);
    ptio_report_free(report);
}

static const struct step {
    const char *name;
    void (*take)(run *r, told *t);
    bool needs_checkpoint;
} steps[] = {
    {"source", step_source, false},
    {"load", step_load, false},
    {"list", step_list, true},
    {"save", step_save, true},
    {"save legacy", step_save_legacy, true},
    {"save as it was found", step_save_as_found, true},
    {"read all", step_read_all, true},
    {"drop", step_drop, true},
    {"walk", step_walk, true},
    {"print", step_print, true},
    {"load with weights_only", step_weights_only, false},
    {"load mapped", step_map, false},
    {"load to the meta device", step_place, false},
    {"archive", step_archive, false},
    {"disassemble", step_disassemble, false},
    {"check", step_check, false},
};

#define STEPS (sizeof steps / sizeof *steps)

/* ---- the same with trouble ---- */

static uint64_t calls_of(const run *r, trouble_kind trouble)
{
    return trouble == NO_MEMORY ? r->memory.calls : r->shaky.calls;
}

static told take(run *r, const struct step *step)
{
    told t = {.fold = FOLD_BEGIN};
    if (!step->needs_checkpoint || r->ckpt)
        step->take(r, &t);
    return t;
}

static bool same_as(const told *a, const told *b)
{
    return a->status == b->status && a->fold.value == b->fold.value;
}

static bool is_right_failure(trouble_kind trouble, ptio_status status)
{
    switch (trouble) {
    case NO_MEMORY: return status == PTIO_ERR_MEMORY;
    case NO_READ:
    case NO_SEEK:
    case NO_WRITE: return status == PTIO_ERR_IO;
    case GONE: return status == PTIO_ERR_IO || status == PTIO_ERR_FORMAT;
    case NO_TROUBLE:
    case ONE_BYTE: break;
    }
    return false;
}

static void complain(const run *r, trouble_kind trouble, uint64_t n, const char *step, const char *what, const told *t)
{
    static const char *const names[] = {"none", "allocation", "read", "seek", "write", "read at the end", "one byte at a time"};
    if (complaints++ < MOST_COMPLAINTS)
        printf("%s by %s: %s %llu: %s: %s; status %d, %s\n", r->path + strlen(CORPUS), kind_names[r->kind], names[trouble],
               (unsigned long long)n, step, what, t ? (int)t->status : 0, t ? t->message : "");
}

/* Whether a step does as it should when the n-th request fails. */
static bool take_in_trouble(run *r, trouble_kind trouble, uint64_t n, const struct step *step, const told *good)
{
    uint64_t before = calls_of(r, trouble);
    told t = take(r, step);
    if (same_as(&t, good))
        return true;
    bool met = trouble == GONE ? calls_of(r, trouble) > n : before <= n && calls_of(r, trouble) > n;
    if (!met || !is_right_failure(trouble, t.status)) {
        complain(r, trouble, n, step->name, met ? "a wrong outcome" : "another outcome, though nothing failed", &t);
        return false;
    }
    if (trouble == GONE)
        return true;
    t = take(r, step);
    if (!same_as(&t, good)) {
        complain(r, trouble, n, step->name, "another outcome when tried again", &t);
        return false;
    }
    return true;
}

static void start(run *r, const char *path, source_kind kind, const blob *whole, trouble_kind trouble, uint64_t n)
{
    *r = (run){.path = path, .kind = kind, .fd = -1, .shaky = {.blob = *whole, .trouble = trouble, .fail_at = n}};
    counted_memory_init(&r->memory);
    if (trouble == NO_MEMORY)
        r->memory.fail_at = n;
    r->options = (ptio_load_options){PTIO_LOAD_OPTIONS, .memory = &r->memory.hooks};
    if (kind == BY_FD)
        r->fd = open(path, O_RDONLY);
    if (kind == BY_FILE)
        r->file = fopen(path, "rb");
}

static bool finish(run *r)
{
    ptio_checkpoint_free(r->ckpt);
    ptio_source_free(r->source);
    if (r->fd >= 0)
        (void)close(r->fd);
    if (r->file)
        (void)fclose(r->file);
    return r->memory.held == 0;
}

/* All steps with the n-th request failing. Gives whether there were as many requests. */
static bool run_in_trouble(const char *path, source_kind kind, const blob *whole, trouble_kind trouble, uint64_t n,
                           const told *good)
{
    run r;
    bool fine = true;
    start(&r, path, kind, whole, trouble, n);
    for (size_t i = 0; i < STEPS && fine; i++) {
        fine = take_in_trouble(&r, trouble, n, &steps[i], &good[i]);
        if ((i == 0 && kind != BY_PATH && !r.source) || (i == 1 && !r.ckpt && good[i].status == PTIO_OK))
            break; /* the source is gone for good */
    }
    bool met = trouble != ONE_BYTE && calls_of(&r, trouble) > n;
    if (!finish(&r)) {
        complain(&r, trouble, n, "at the end", "memory is not given back", NULL);
        fine = false;
    }
    passed += fine;
    failed += !fine;
    return met;
}

/* n = 0, 1, 2, ... until all goes well. */
static void run_until_good(const char *path, source_kind kind, const blob *whole, trouble_kind trouble, uint64_t requests,
                           const told *good)
{
    for (uint64_t n = 0; n < requests; n++)
        if (test_wants(n) && !run_in_trouble(path, kind, whole, trouble, n, good))
            break;
}

static void run_file(const char *name, source_kind kind, const blob *whole)
{
    char path[1024];
    told good[STEPS];
    run r;
    complaints = 0;
    (void)snprintf(path, sizeof path, "%s%s", CORPUS, name);
    start(&r, path, kind, whole, NO_TROUBLE, UINT64_MAX);
    for (size_t i = 0; i < STEPS; i++)
        good[i] = take(&r, &steps[i]);
    uint64_t allocations = r.memory.calls;
    if (!finish(&r)) {
        complain(&r, NO_TROUBLE, 0, "at the end", "memory is not given back", NULL);
        failed++;
    }
    run_until_good(path, kind, whole, NO_MEMORY, 2 * allocations, good);
    if (kind == BY_MEMORY) /* where the bytes are from is no matter */
        run_until_good(path, kind, whole, NO_WRITE, UINT64_MAX, good);
    if (kind != BY_CALLBACKS && kind != BY_FORWARD)
        return;
    run_until_good(path, kind, whole, NO_READ, UINT64_MAX, good);
    if (kind == BY_CALLBACKS) /* the other tells no size: it is just shorter */
        run_until_good(path, kind, whole, GONE, UINT64_MAX, good);
    (void)run_in_trouble(path, kind, whole, ONE_BYTE, 0, good);
    if (kind == BY_CALLBACKS)
        run_until_good(path, kind, whole, NO_SEEK, UINT64_MAX, good);
}

int main(int argc, char **argv)
{
    const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[1024];
        if (only && strcmp(files[i], only) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s%s", CORPUS, files[i]);
        blob whole = blob_read(path);
        if (!whole.data) {
            printf("%s cannot be read\n", path);
            failed++;
            continue;
        }
        for (int kind = 0; kind < KINDS; kind++)
            run_file(files[i], (source_kind)kind, &whole);
        free(whole.data);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (!only || strcmp(folders[i], only) == 0)
            run_file(folders[i], BY_PATH, &(blob){0});
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed || !passed ? 1 : 0;
}
