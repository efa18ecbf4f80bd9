/*
 * The jobs of the bench that run inside a process, on the public API alone.
 *
 *     ptio_bench jobs FOLDER                   all jobs on the files of make_files.py
 *     ptio_bench whole-jobs FOLDER             the jobs on all the bytes of a checkpoint (whole.c)
 *     ptio_bench list [FILE]                   job 1 once, to count its instructions and its memory; without FILE: nothing
 *     ptio_bench save-jobs FOLDER              all jobs of saving (save.c)
 *     ptio_bench save IN [OUT]                 load and save once; without OUT: load only
 *     ptio_bench build b|c|e [save]            build what a job of saving is about; and save it to memory
 *     ptio_bench spawn NAME RUNS COMMAND...    time a whole process and take its peak memory
 *
 * Each job alternates with its limit, so that what disturbs one disturbs the other. The files are in the page cache, memory for
 * results is fresh as in any program. Freeing is not part of a job.
 */
#include <ptio.h>

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "limits.h"
#include "save.h"
#include "spawn.h"
#include "timing.h"
#include "whole.h"

enum { SMALL_TENSORS = 20000, PICKED = 1000, MIB = 1 << 20 };

/** What a job works on. */
typedef struct bench {
    target file;
    ptio_load_options options;
    ptio_error err;
    ptio_checkpoint *ckpt;
    ptio_tensor_list *list;
    span spans[PICKED]; /* of the tensors that are read */
    size_t span_count;
    char names[PICKED][64]; /* and their names              */
} bench;

typedef struct job {
    const char *name; /* of the job's line; that of its limit is NAME.limit */
    void (*run)(bench *b);
    uint64_t (*limit)(const bench *b);
    int runs;
} job;

static void must(ptio_status status, const bench *b)
{
    if (status == PTIO_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", b->file.path, b->err.record, b->err.message);
    exit(1);
}

static void forget(bench *b)
{
    ptio_tensor_list_free(b->list);
    ptio_checkpoint_free(b->ckpt);
    b->list = NULL;
    b->ckpt = NULL;
}

static void run_job(const job *j, bench *b)
{
    series times = {0}, limits = {0};
    char limit_name[64];
    for (int i = 0; i <= j->runs; i++) {
        uint64_t start = clock_ns();
        j->run(b);
        uint64_t ran = clock_ns() - start;
        forget(b);
        start = clock_ns();
        keep(j->limit(b));
        uint64_t limit = clock_ns() - start;
        if (i == 0)
            continue; /* the first warms up */
        series_add(&times, ran);
        series_add(&limits, limit);
    }
    series_print(&times, j->name);
    snprintf(limit_name, sizeof limit_name, "%s.limit", j->name);
    series_print(&limits, limit_name);
}

/* ---- the jobs ---- */

static void load(bench *b)
{
    must(ptio_load(b->file.path, &b->options, &b->ckpt, &b->err), b);
}

/* Every name, dtype, shape, stride and offset. */
static void load_and_list(bench *b)
{
    load(b);
    must(ptio_list_tensors(b->ckpt, NULL, &b->list, &b->err), b);
    uint64_t sum = 0;
    for (size_t i = 0; i < ptio_tensor_list_count(b->list); i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(b->list, i);
        const ptio_tensor *tensor = entry->tensor;
        const int64_t *shape = ptio_tensor_shape(tensor), *stride = ptio_tensor_stride(tensor);
        sum += entry->name.size + (uint64_t)ptio_tensor_dtype(tensor) + (uint64_t)ptio_tensor_storage_offset(tensor);
        for (size_t k = 0; k < ptio_tensor_ndim(tensor); k++)
            sum += (uint64_t)(shape[k] * stride[k]);
    }
    keep(sum);
}

static void copy_picked(bench *b)
{
    load(b);
    for (size_t i = 0; i < b->span_count; i++) {
        const ptio_tensor *tensor = ptio_value_tensor(ptio_value_get(ptio_root(b->ckpt), b->names[i]));
        must(ptio_tensor_copy(tensor, PTIO_FLOAT32, b->file.buffer, b->spans[i].size, &b->err), b);
    }
}

static void check(bench *b)
{
    ptio_check_result result;
    must(ptio_check(b->file.path, &b->options, &result, &b->err), b);
    if (result.verdict != PTIO_WHOLE) {
        fprintf(stderr, "%s: not whole\n", b->file.path);
        exit(1);
    }
}

static uint64_t least_list(const bench *b)
{
    return limit_list(&b->file);
}

static uint64_t least_copy(const bench *b)
{
    return limit_list(&b->file) + limit_pread(&b->file, b->spans, b->span_count);
}

static uint64_t least_check(const bench *b)
{
    return limit_mapped(&b->file);
}

/* ---- what they are prepared with ---- */

static void open_bench(bench *b, const char *folder, const char *name)
{
    static char path[4096];
    ptio_record record;
    *b = (bench){.options = {PTIO_LOAD_OPTIONS}};
    snprintf(path, sizeof path, "%s/%s.pt", folder, name);
    target_open(&b->file, path, 64 * MIB);
    load(b);
    ptio_archive *archive = ptio_checkpoint_archive(b->ckpt);
    snprintf(b->names[0], sizeof b->names[0], "%s/data.pkl", name);
    if (!ptio_archive_record(archive, ptio_archive_find(archive, b->names[0]), &record) || record.offset == PTIO_NO_OFFSET) {
        fprintf(stderr, "%s: the offset of its pickle is not known\n", path);
        exit(1);
    }
    b->file.pickle = (span){record.offset, record.size};
    snprintf(b->names[0], sizeof b->names[0], "%s.opcodes", name);
    count_print(b->names[0], count_opcodes(&b->file));
    snprintf(b->names[0], sizeof b->names[0], "%s.metadata", name);
    count_print(b->names[0], b->file.directory.size + b->file.pickle.size);
    forget(b);
}

static void close_bench(bench *b)
{
    target_close(&b->file);
}

static void pick(bench *b, const char *name, size_t index)
{
    uint64_t offset, nbytes;
    snprintf(b->names[index], sizeof b->names[index], "%s", name);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_value_get(ptio_root(b->ckpt), name));
    if (!tensor || !ptio_storage_range(ptio_tensor_storage(tensor), &offset, &nbytes)) {
        fprintf(stderr, "%s: no tensor %s of known place\n", b->file.path, name);
        exit(1);
    }
    b->spans[index] = (span){offset, nbytes};
    b->span_count = index + 1;
}

static void pick_one_big(bench *b)
{
    load(b);
    pick(b, "layer100.weight", 0);
    forget(b);
}

static void pick_small(bench *b)
{
    char name[64];
    load(b);
    for (size_t i = 0; i < PICKED; i++) {
        size_t number = i * 7919 % SMALL_TENSORS; /* distinct, and all over the file */
        snprintf(name, sizeof name, "block%zu.part%zu.weight", number / 4, number % 4);
        pick(b, name, i);
    }
    forget(b);
}

/* ---- bytes that are read ---- */

typedef struct counted {
    FILE *file;
    uint64_t bytes;
} counted;

static int64_t counted_read(void *ctx, void *buffer, size_t size)
{
    counted *c = ctx;
    size_t n = fread(buffer, 1, size, c->file);
    c->bytes += n;
    return ferror(c->file) ? -1 : (int64_t)n;
}

static int counted_seek(void *ctx, uint64_t offset)
{
    return fseek(((counted *)ctx)->file, (long)offset, SEEK_SET);
}

/* How many bytes job 4b asks its source for. */
static void count_bytes(bench *b)
{
    static const ptio_source_callbacks callbacks = {.read = counted_read, .seek = counted_seek};
    counted c = {.file = fopen(b->file.path, "rb")};
    ptio_source *source = NULL;
    uint64_t needed = 0;
    must(c.file ? PTIO_OK : PTIO_ERR_IO, b);
    must(ptio_source_from_callbacks(&callbacks, &c, NULL, NULL, &source, &b->err), b);
    c.bytes = 0; /* without a size callback, the size was found by reading */
    must(ptio_load_source(source, &b->options, &b->ckpt, &b->err), b);
    for (size_t i = 0; i < b->span_count; i++) {
        const ptio_tensor *tensor = ptio_value_tensor(ptio_value_get(ptio_root(b->ckpt), b->names[i]));
        must(ptio_tensor_copy(tensor, PTIO_FLOAT32, b->file.buffer, b->spans[i].size, &b->err), b);
        needed += b->spans[i].size;
    }
    forget(b);
    ptio_source_free(source);
    fclose(c.file);
    count_print("4b.bytes", c.bytes);
    count_print("4b.needed", needed);
}

/* ---- checksums ---- */

/* A record read and verified from memory, beside the same copy and the same CRC without ptio. */
static void checksum_record(const uint8_t *bytes, size_t file_size, const char *record_name, const char *name)
{
    enum { RUNS = 50 };
    static uint8_t buffer[MIB];
    series times = {0}, limits = {0}, old = {0};
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_record record;
    char line[64];
    bench b = {.file = {.path = "r.pt"}};
    must(ptio_source_from_memory(bytes, file_size, NULL, &source, &b.err), &b);
    must(ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, &b.err), &b);
    size_t index = ptio_archive_find(archive, record_name);
    ptio_archive_record(archive, index, &record);
    must(ptio_archive_read(archive, index, 0, buffer, record.size, &b.err), &b);
    ptio_archive_record(archive, index, &record); /* its offset is known now */
    size_t size = (size_t)record.size, batch = size < MIB ? 1000 : 4;
    for (int i = 0; i < RUNS; i++) {
        uint64_t start = clock_ns();
        for (size_t k = 0; k < batch; k++)
            must(ptio_archive_read(archive, index, 0, buffer, size, &b.err), &b);
        series_add(&times, (clock_ns() - start) / batch);
        start = clock_ns();
        for (size_t k = 0; k < batch; k++) {
            keep(limit_memcpy(buffer, bytes + record.offset, size));
            keep(libdeflate_crc32(0, buffer, size));
        }
        series_add(&limits, (clock_ns() - start) / batch);
        start = clock_ns();
        for (size_t k = 0; k < batch; k++)
            keep(crc32(0, buffer, (uInt)size));
        series_add(&old, (clock_ns() - start) / batch);
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
    series_print(&times, name);
    snprintf(line, sizeof line, "%s.limit", name);
    series_print(&limits, line);
    snprintf(line, sizeof line, "%s.zlib", name);
    series_print(&old, line);
}

static void checksums(const char *folder)
{
    char path[4096];
    static uint8_t bytes[2 * MIB];
    snprintf(path, sizeof path, "%s/r.pt", folder);
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file)
        fclose(file);
    checksum_record(bytes, size, "r/data/0", "9a.64");
    checksum_record(bytes, size, "r/data/1", "9a.512");
    checksum_record(bytes, size, "r/data/2", "9a.1MiB");
}

/* ---- all of it ---- */

static void calibrate(const bench *b)
{
    series mapped = {0}, streamed = {0}, copied = {0};
    size_t half = b->file.buffer_size / 2;
    for (int i = 0; i < 5; i++) {
        uint64_t start = clock_ns();
        keep(limit_mapped(&b->file));
        series_add(&mapped, clock_ns() - start);
        start = clock_ns();
        keep(limit_stream(&b->file));
        series_add(&streamed, clock_ns() - start);
        start = clock_ns();
        keep(limit_memcpy(b->file.buffer, b->file.buffer + half, half));
        series_add(&copied, clock_ns() - start);
    }
    count_print("limit.bytes", b->file.size);
    series_print(&mapped, "limit.mapped");
    series_print(&streamed, "limit.pread");
    count_print("limit.copied", half);
    series_print(&copied, "limit.memcpy");
}

static void run_jobs(const char *folder)
{
    static bench b;
    open_bench(&b, folder, "a");
    calibrate(&b);
    run_job(&(job){"1a", load_and_list, least_list, 50}, &b);
    pick_one_big(&b);
    run_job(&(job){"4a", copy_picked, least_copy, 25}, &b);
    b.options.mmap = true;
    run_job(&(job){"4a.mmap", copy_picked, least_copy, 25}, &b);
    b.options.mmap = false;
    run_job(&(job){"9b", check, least_check, 7}, &b);
    b.options.mmap = true;
    run_job(&(job){"9b.mmap", check, least_check, 7}, &b);
    close_bench(&b);

    open_bench(&b, folder, "b");
    run_job(&(job){"1b", load_and_list, least_list, 25}, &b);
    pick_small(&b);
    run_job(&(job){"4b", copy_picked, least_copy, 25}, &b);
    count_bytes(&b);
    b.options.mmap = true;
    run_job(&(job){"4b.mmap", copy_picked, least_copy, 25}, &b);
    close_bench(&b);

    static const struct {
        const char *file, *name;
        void (*run)(bench *b);
    } lists[] = {{"c", "7", load}, {"e", "1c.e", load_and_list}, {"f", "1c.f", load_and_list}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        open_bench(&b, folder, lists[i].file);
        run_job(&(job){lists[i].name, lists[i].run, least_list, 25}, &b);
        close_bench(&b);
    }
    checksums(folder);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "jobs") == 0) {
        run_jobs(argv[2]);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "list") == 0) {
        static bench b = {.options = {PTIO_LOAD_OPTIONS}};
        b.file.path = argv[2];
        if (argc > 2)
            load_and_list(&b);
        forget(&b);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "whole-jobs") == 0) {
        run_whole_jobs(argv[2]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "save-jobs") == 0) {
        run_save_jobs(argv[2]);
        return 0;
    }
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "save") == 0) {
        save_once(argv[2], argv[3]);
        return 0;
    }
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "build") == 0) {
        save_built(argv[2], argc == 4);
        return 0;
    }
    if (argc >= 5 && strcmp(argv[1], "spawn") == 0)
        return spawn(argv[2], atoi(argv[3]), argv + 4);
    fprintf(stderr, "usage: ptio_bench jobs FOLDER | whole-jobs FOLDER | list [FILE] | save-jobs FOLDER | save IN [OUT] | build "
                    "b|c|e [save] | "
                    "spawn NAME RUNS COMMAND...\n");
    return 2;
}
