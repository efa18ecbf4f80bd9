/*
 * The jobs of saving. See save.h.
 *
 * What is saved is built by ptio's builder over warm memory of this process; only job 13 changes a file. Each job alternates with
 * its limits, as those of loading do. A file is new each time: the one before is removed outside of the time.
 */
#include "save.h"

#include <ptio.h>

#include <stdlib.h>
#include <string.h>

#include "save_limits.h"
#include "timing.h"

enum { BIG_TENSORS = 200, ROWS = 1310, COLUMNS = 1024, SMALL_TENSORS = 20000, TINY_TENSORS = 100000, SCALARS = 200000 };

typedef struct bench {
    ptio_builder *builder;
    const ptio_value *root;
    float *elements; /* of all tensors */
    uint64_t nbytes;
    uint64_t record;   /* bytes of each tensor */
    const char *out;   /* where it is saved    */
    const char *input; /* of job 13            */
    uint64_t around;   /* bytes of the saved file that are not elements */
    bool durable;
    ptio_save_options options;
    ptio_error err;
} bench;

static void must(bool condition, const bench *b)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", b->err.record, b->err.message);
    exit(1);
}

static void must_be_ok(ptio_status status, const bench *b)
{
    must(status == PTIO_OK, b);
}

/* ---- what is saved ---- */

static void start(bench *b, uint64_t nbytes)
{
    *b = (bench){.nbytes = nbytes, .options = {PTIO_SAVE_OPTIONS}};
    must_be_ok(ptio_builder_new(NULL, &b->builder, &b->err), b);
    b->elements = nbytes ? malloc((size_t)nbytes) : NULL;
    must(b->elements || !nbytes, b);
    for (size_t i = 0; i < nbytes / sizeof *b->elements; i++)
        b->elements[i] = (float)(i * 2654435761u % 16777216) / 16777216; /* no two blocks are alike */
}

static void end(bench *b)
{
    ptio_builder_free(b->builder);
    free(b->elements);
    *b = (bench){0};
}

static const ptio_value *tensor(bench *b, size_t index, size_t ndim, const int64_t *shape)
{
    uint64_t numel = b->record / sizeof(float);
    const ptio_storage *storage = ptio_new_storage(b->builder, PTIO_FLOAT32, b->elements + index * numel, b->record, NULL);
    return ptio_new_view(b->builder, storage, PTIO_FLOAT32, ndim, shape, NULL, 0, false);
}

static void built(bench *b, const ptio_value *root)
{
    must_be_ok(ptio_builder_status(b->builder, &b->err), b);
    b->root = root;
}

static void build_big(bench *b)
{
    char name[64];
    uint64_t record = (uint64_t)ROWS * COLUMNS * sizeof(float);
    start(b, BIG_TENSORS * record);
    b->record = record;
    ptio_value *dict = ptio_new_dict(b->builder);
    for (size_t i = 0; i < BIG_TENSORS; i++) {
        snprintf(name, sizeof name, "layer%zu.weight", i);
        ptio_put(b->builder, dict, name, tensor(b, i, 2, (int64_t[]){ROWS, COLUMNS}));
    }
    built(b, dict);
}

static void build_small(bench *b)
{
    char name[64];
    start(b, (uint64_t)SMALL_TENSORS * 1024);
    b->record = 1024;
    ptio_value *dict = ptio_new_dict(b->builder);
    for (size_t i = 0; i < SMALL_TENSORS; i++) {
        snprintf(name, sizeof name, "block%zu.part%zu.weight", i / 4, i % 4);
        ptio_put(b->builder, dict, name, tensor(b, i, 2, (int64_t[]){16, 16}));
    }
    built(b, dict);
}

static void build_tiny(bench *b)
{
    start(b, (uint64_t)TINY_TENSORS * 16);
    b->record = 16;
    ptio_value *list = ptio_new_list(b->builder);
    for (size_t i = 0; i < TINY_TENSORS; i++)
        ptio_append(b->builder, list, tensor(b, i, 1, (int64_t[]){4}));
    built(b, list);
}

static void build_scalars(bench *b)
{
    char name[64];
    start(b, 0);
    ptio_value *dict = ptio_new_dict(b->builder);
    for (size_t i = 0; i < SCALARS; i++) {
        snprintf(name, sizeof name, "value%zu", i);
        const ptio_value *value = i % 3 == 0   ? ptio_new_int(b->builder, (int64_t)i)
                                  : i % 3 == 1 ? ptio_new_float(b->builder, (double)i / 7)
                                               : ptio_new_bool(b->builder, i % 2 == 0);
        ptio_put(b->builder, dict, name, value);
    }
    built(b, dict);
}

/* ---- the jobs and their limits ---- */

static void save_path(bench *b)
{
    ptio_sink *sink;
    ptio_sink_options options = {PTIO_SINK_OPTIONS, .not_durable = !b->durable};
    must_be_ok(ptio_sink_open(b->out, &options, &sink, &b->err), b);
    must_be_ok(ptio_save_sink(b->root, sink, &b->options, &b->err), b);
    must_be_ok(ptio_sink_finish(sink, &b->err), b);
    ptio_sink_free(sink);
}

static void save_path_by_two(bench *b)
{
    b->options.threads = 2;
    save_path(b);
    b->options.threads = 0;
}

static void save_path_without_crc(bench *b)
{
    b->options.no_crc32 = true;
    save_path(b);
    b->options.no_crc32 = false;
}

/* Gives the size. */
static uint64_t save_memory(bench *b)
{
    ptio_sink *sink;
    must_be_ok(ptio_sink_to_memory(NULL, &sink, &b->err), b);
    must_be_ok(ptio_save_sink(b->root, sink, &b->options, &b->err), b);
    must_be_ok(ptio_sink_finish(sink, &b->err), b);
    uint64_t size = ptio_sink_bytes(sink).size;
    ptio_sink_free(sink);
    return size;
}

static void save_to_memory(bench *b)
{
    keep(save_memory(b));
}

/* Give the first key of a loaded file another name. */
static void rename_key(bench *b)
{
    ptio_checkpoint *ckpt;
    ptio_builder *edits;
    must_be_ok(ptio_load(b->input, NULL, &ckpt, &b->err), b);
    must_be_ok(ptio_builder_new(NULL, &edits, &b->err), b);
    const ptio_value *root = ptio_root(ckpt);
    must(ptio_rename(edits, ptio_edit(edits, root), 0, ptio_new_str(edits, "first0.weight")), b);
    b->options.edits = edits;
    b->root = root;
    save_path(b);
    b->options.edits = NULL;
    ptio_builder_free(edits);
    ptio_checkpoint_free(ckpt);
}

static written all_of(const bench *b, bool crc)
{
    return (written){.path = b->out, .bytes = (const uint8_t *)b->elements, .size = b->nbytes, .crc = crc, .durable = b->durable};
}

static void write_with_crc(bench *b)
{
    written w = all_of(b, true);
    keep(limit_write(&w));
}

static void write_only(bench *b)
{
    written w = all_of(b, false);
    keep(limit_write(&w));
}

static void write_small(bench *b)
{
    written w = all_of(b, true);
    keep(limit_write_small(&w, b->record, b->around));
}

static void copy_file(bench *b)
{
    keep(limit_copy(b->input, b->out));
}

/* ---- measuring ---- */

/* A job, and others that alternate with it. */
typedef struct task {
    const char *name;
    void (*run)(bench *b);
} task;

static void run_tasks(bench *b, const task *tasks, size_t count, int runs)
{
    series times[5] = {0};
    for (int i = 0; i <= runs; i++)
        for (size_t k = 0; k < count; k++) {
            if (b->out)
                remove_file(b->out);
            uint64_t began = clock_ns();
            tasks[k].run(b);
            if (i > 0) /* the first warms up */
                series_add(&times[k], clock_ns() - began);
        }
    for (size_t k = 0; k < count; k++)
        series_print(&times[k], tasks[k].name);
    if (b->out)
        remove_file(b->out);
}

#define RUN(b, runs, ...) run_tasks(b, (task[]){__VA_ARGS__}, sizeof((task[]){__VA_ARGS__}) / sizeof(task), runs)

static void save_big(const char *out)
{
    static bench b;
    build_big(&b);
    b.out = out;
    count_print("5a.bytes", b.nbytes);
    RUN(&b, 7, {"5a", save_path}, {"5a.limit", write_with_crc}, {"5a.nocrc", save_path_without_crc},
        {"5a.nocrc.limit", write_only}, {"5a.2", save_path_by_two});
    b.durable = true;
    RUN(&b, 5, {"5b", save_path}, {"5b.limit", write_with_crc});
    end(&b);
}

static void save_many(const char *out, void (*build)(bench *b), const char *name, const char *limit_name)
{
    static bench b;
    build(&b);
    b.around = save_memory(&b) - b.nbytes;
    b.out = out;
    RUN(&b, 25, {name, save_path}, {limit_name, write_small});
    end(&b);
}

static void save_scalars(void)
{
    static bench b;
    build_scalars(&b);
    RUN(&b, 25, {"7b", save_to_memory});
    end(&b);
}

static void rename_in(const char *input, const char *out)
{
    static bench b;
    b = (bench){.options = {PTIO_SAVE_OPTIONS}, .input = input, .out = out};
    RUN(&b, 7, {"13", rename_key}, {"13.limit", copy_file});
}

void run_save_jobs(const char *folder)
{
    char out[4096], input[4096];
    snprintf(out, sizeof out, "%s/saved.pt", folder);
    snprintf(input, sizeof input, "%s/a.pt", folder);
    save_many(out, build_small, "5c.b", "5c.b.limit");
    save_many(out, build_tiny, "5c.e", "5c.e.limit");
    save_scalars();
    save_big(out);
    count_print("13.shares", can_share_blocks(folder));
    rename_in(input, out);
}

void save_once(const char *from, const char *to)
{
    bench b = {.options = {PTIO_SAVE_OPTIONS}, .out = to};
    ptio_checkpoint *ckpt;
    must_be_ok(ptio_load(from, NULL, &ckpt, &b.err), &b);
    b.root = ptio_root(ckpt);
    if (to) {
        save_path(&b);
        remove_file(to);
    }
    ptio_checkpoint_free(ckpt);
}

void save_built(const char *what, int save)
{
    static bench b;
    if (*what == 'c')
        build_scalars(&b);
    else if (*what == 'b')
        build_small(&b);
    else
        build_tiny(&b);
    if (save)
        save_to_memory(&b);
    end(&b);
}
