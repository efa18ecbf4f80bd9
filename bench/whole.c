/*
 * The jobs on the bytes of a whole checkpoint: loads of everything, warm and cold, and elements converted in memory.
 *
 * The limits do the same without ptio: a mapped file read by as many threads, a file read into fresh huge pages or past the page cache, bytes
 * copied in memory. ptio checks the CRC of all that it reads, the limits do not.
 */
#define _GNU_SOURCE
#include "whole.h"

#include <fcntl.h>
#include <pthread.h>
#include <ptio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "timing.h"

enum { RUNS = 7, MOST_PARTS = 2 };

#define PIECE ((size_t)2 << 20)
#define BUFFER ((size_t)64 << 20)

typedef struct whole {
    const char *path;
    uint64_t size;
    int fd;
    uint8_t *buffer; /* warm */
    unsigned threads;
} whole;

static void require(int condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    exit(1);
}

static void must(ptio_status status, const ptio_error *err)
{
    if (status == PTIO_OK)
        return;
    fprintf(stderr, "%s: %s\n", err->record, err->message);
    exit(1);
}

static uint64_t sum_words(const void *bytes, size_t size)
{
    const uint64_t *words = bytes;
    size_t quarter = size / sizeof *words / 4;
    uint64_t w = 0, x = 0, y = 0, z = 0;
    for (size_t i = 0; i < quarter; i++) {
        w += words[i];
        x += words[quarter + i];
        y += words[2 * quarter + i];
        z += words[3 * quarter + i];
    }
    return w ^ x ^ y ^ z;
}

/* ---- in threads ---- */

typedef struct part {
    const whole *w;
    uint64_t offset, size;
    uint8_t *to;
    uint64_t result;
} part;

static void in_parts(const whole *w, uint8_t *to, void *(*work)(void *))
{
    part parts[MOST_PARTS];
    pthread_t threads[MOST_PARTS];
    uint64_t share = w->size / w->threads / PIECE * PIECE;
    for (unsigned i = 0; i < w->threads; i++) {
        uint64_t offset = i * share;
        parts[i] = (part){w, offset, i + 1 == w->threads ? w->size - offset : share, to ? to + offset : NULL, 0};
        require(pthread_create(&threads[i], NULL, work, &parts[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < w->threads; i++) {
        pthread_join(threads[i], NULL);
        keep(parts[i].result);
    }
}

static void *read_part(void *argument)
{
    part *p = argument;
    for (uint64_t done = 0; done < p->size;) {
        size_t n = p->size - done < PIECE ? (size_t)(p->size - done) : PIECE;
        require(pread(p->w->fd, p->to + done, n, (off_t)(p->offset + done)) == (ssize_t)n, p->w->path);
        done += n;
    }
    return NULL;
}

static void *sum_part(void *argument)
{
    part *p = argument;
    p->result = sum_words(p->to, (size_t)p->size);
    return NULL;
}

/* ---- jobs and limits ---- */

static ptio_checkpoint *load(const whole *w, bool mmap)
{
    ptio_checkpoint *ckpt;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = mmap, .threads = w->threads};
    must(ptio_load(w->path, &options, &ckpt, &err), &err);
    return ckpt;
}

static void views(const whole *w)
{
    ptio_checkpoint *ckpt = load(w, true);
    ptio_error err = {0};
    for (size_t i = 0; i < ptio_value_count(ptio_root(ckpt)); i++) {
        const ptio_storage *storage = ptio_value_storage(ptio_value_item(ptio_root(ckpt), i));
        const void *data;
        must(ptio_storage_data(storage, &data, &err), &err);
        keep(sum_words(data, (size_t)ptio_storage_nbytes(storage)));
    }
    ptio_checkpoint_free(ckpt);
}

static void views_limit(const whole *w)
{
    uint8_t *map = mmap(NULL, (size_t)w->size, PROT_READ, MAP_PRIVATE, w->fd, 0);
    require(map != MAP_FAILED, w->path);
    keep(sum_words(map, (size_t)w->size));
    munmap(map, (size_t)w->size);
}

static void warm_buffers(const whole *w)
{
    ptio_checkpoint *ckpt = load(w, false);
    ptio_error err = {0};
    size_t at = 0;
    for (size_t i = 0; i < ptio_value_count(ptio_root(ckpt)); i++) {
        const ptio_tensor *tensor = ptio_value_tensor(ptio_value_item(ptio_root(ckpt), i));
        size_t size = (size_t)ptio_tensor_numel(tensor) * ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
        at = at + size > BUFFER ? 0 : at;
        must(ptio_tensor_copy(tensor, ptio_tensor_dtype(tensor), w->buffer + at, size, &err), &err);
        at += size;
    }
    ptio_checkpoint_free(ckpt);
}

static void warm_buffers_limit(const whole *w)
{
    for (uint64_t done = 0; done < w->size;) {
        size_t n = w->size - done < PIECE ? (size_t)(w->size - done) : PIECE;
        require(pread(w->fd, w->buffer + done % BUFFER, n, (off_t)done) == (ssize_t)n, w->path);
        done += n;
    }
}

static void fresh(const whole *w)
{
    ptio_checkpoint *ckpt = load(w, false);
    ptio_error err = {0};
    must(ptio_checkpoint_read(ckpt, &err), &err);
    ptio_checkpoint_free(ckpt);
}

static void fresh_limit(const whole *w)
{
    size_t size = (size_t)(w->size + PIECE - 1) / PIECE * PIECE;
    uint8_t *map = mmap(NULL, size + PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(map != MAP_FAILED, "memory");
    uint8_t *aligned = map + (PIECE - (uintptr_t)map % PIECE) % PIECE;
    (void)madvise(aligned, size, MADV_HUGEPAGE);
    in_parts(w, aligned, read_part);
    munmap(map, size + PIECE);
}

static void forget_pages(const whole *w)
{
    require(posix_fadvise(w->fd, 0, 0, POSIX_FADV_DONTNEED) == 0, w->path);
}

/* Past the page cache, in pieces of 2 MiB. */
static void cold_limit(const whole *w)
{
    int fd = open(w->path, O_RDONLY | O_DIRECT);
    if (fd < 0) { /* a file system that has none of it */
        warm_buffers_limit(w);
        return;
    }
    uint8_t *aligned = w->buffer + (4096 - (uintptr_t)w->buffer % 4096) % 4096;
    for (uint64_t done = 0; done < w->size;) {
        ssize_t n = pread(fd, aligned, PIECE, (off_t)done);
        require(n > 0, w->path);
        done += (uint64_t)n;
    }
    close(fd);
}

static void verify(const whole *w)
{
    ptio_check_result result;
    ptio_error err = {0};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = w->threads};
    must(ptio_check(w->path, &options, &result, &err), &err);
}

static void verify_limit(const whole *w)
{
    uint8_t *map = mmap(NULL, (size_t)w->size, PROT_READ, MAP_PRIVATE, w->fd, 0);
    require(map != MAP_FAILED, w->path);
    in_parts(w, map, sum_part);
    munmap(map, (size_t)w->size);
}

static void alternate(const char *name, whole *w, unsigned threads, void (*job)(const whole *), void (*limit)(const whole *),
                      void (*before)(const whole *))
{
    series times = {0}, limits = {0};
    char limit_name[64];
    w->threads = threads;
    for (int i = 0; i <= RUNS; i++) {
        if (before)
            before(w);
        uint64_t start = clock_ns();
        job(w);
        uint64_t ran = clock_ns() - start;
        if (before)
            before(w);
        start = clock_ns();
        limit(w);
        uint64_t limited = clock_ns() - start;
        if (i == 0)
            continue;
        series_add(&times, ran);
        series_add(&limits, limited);
    }
    series_print(&times, name);
    snprintf(limit_name, sizeof limit_name, "%s.limit", name);
    series_print(&limits, limit_name);
}

/* ---- elements ---- */

enum { ELEMENTS = 1 << 22 };

/* A tensor of `from` in memory, copied as `to`, beside a copy of as many bytes read and written. */
static void convert(const char *name, ptio_dtype from, ptio_dtype to, uint8_t *data, uint8_t *out)
{
    ptio_builder *builder;
    ptio_error err = {0};
    series times = {0}, limits = {0};
    char limit_name[64];
    size_t read = ELEMENTS * ptio_dtype_itemsize(from), written = ELEMENTS * ptio_dtype_itemsize(to);
    must(ptio_builder_new(NULL, &builder, &err), &err);
    const ptio_tensor *tensor = ptio_value_tensor(ptio_new_tensor(builder, from, 1, (int64_t[]){ELEMENTS}, data));
    for (int i = 0; i <= 25; i++) {
        /* Twice, since the limit goes past the caches, and PyTorch's copies follow one another too. */
        must(ptio_tensor_copy(tensor, to, out, written, &err), &err);
        uint64_t start = clock_ns();
        must(ptio_tensor_copy(tensor, to, out, written, &err), &err);
        uint64_t ran = clock_ns() - start;
        start = clock_ns();
        keep(limit_memcpy(out, data, (read + written) / 2));
        uint64_t limited = clock_ns() - start;
        if (i == 0)
            continue;
        series_add(&times, ran);
        series_add(&limits, limited);
    }
    ptio_builder_free(builder);
    series_print(&times, name);
    snprintf(limit_name, sizeof limit_name, "%s.limit", name);
    series_print(&limits, limit_name);
}

static void convert_all(void)
{
    uint8_t *data = malloc(ELEMENTS * sizeof(float)), *out = malloc(ELEMENTS * sizeof(float));
    require(data && out, "memory");
    for (size_t i = 0; i < ELEMENTS; i++) {
        float value = (float)i / 7 - 1000;
        memcpy(data + i * sizeof value, &value, sizeof value);
    }
    memset(out, 1, ELEMENTS * sizeof(float));
    convert("8.f32.f16", PTIO_FLOAT32, PTIO_FLOAT16, data, out);
    convert("8.f32.bf16", PTIO_FLOAT32, PTIO_BFLOAT16, data, out);
    for (size_t i = 0; i < ELEMENTS; i++) { /* numbers of both: 0 to 1024 as float16 */
        uint16_t value = (uint16_t)(0x3C00 + i % 0x2000);
        memcpy(data + i * sizeof value, &value, sizeof value);
    }
    convert("8.f16.f32", PTIO_FLOAT16, PTIO_FLOAT32, data, out);
    convert("8.bf16.f32", PTIO_BFLOAT16, PTIO_FLOAT32, data, out);
    free(data);
    free(out);
}

/* ---- numbers as text ---- */

enum { PRINTED = 1000000 };

/* A million doubles by snprintf(), with the digits that give each back. What `ptio get --text` does is a process of its own. */
static void print_numbers(void)
{
    series times = {0};
    for (int run = 0; run < RUNS; run++) {
        char text[64];
        uint64_t size = 0, start = clock_ns();
        for (int i = 0; i < PRINTED; i++)
            size += (uint64_t)snprintf(text, sizeof text, "%.17g", (double)i / 7 - 1000);
        series_add(&times, clock_ns() - start);
        keep(size);
    }
    series_print(&times, "10b.snprintf");
}

void run_whole_jobs(const char *folder)
{
    char path[4096];
    struct stat status;
    whole w = {.path = path};
    snprintf(path, sizeof path, "%s/a.pt", folder);
    w.fd = open(path, O_RDONLY);
    require(w.fd >= 0 && fstat(w.fd, &status) == 0, path);
    w.size = (uint64_t)status.st_size;
    w.buffer = malloc(BUFFER + PIECE);
    require(w.buffer != NULL, "memory");
    memset(w.buffer, 1, BUFFER + PIECE);
    alternate("2a", &w, 1, views, views_limit, NULL);
    alternate("2b", &w, 1, warm_buffers, warm_buffers_limit, NULL);
    alternate("2c.1", &w, 1, fresh, fresh_limit, NULL);
    alternate("2c", &w, 2, fresh, fresh_limit, NULL);
    alternate("9b.2", &w, 2, verify, verify_limit, NULL);
    alternate("3", &w, 2, fresh, cold_limit, forget_pages);
    close(w.fd);
    free(w.buffer);
    convert_all();
    print_numbers();
}
