/*
 * Making files for the tests of containers: bytes that grow, zip archives of stored records, folders that are removed again; loads that
 * must fail, and loads whose memory fails at every call in turn.
 */
#ifndef PTIO_TESTS_TORCH_FILES_H
#define PTIO_TESTS_TORCH_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/exercise.h"

#define CORPUS PTIO_TEST_DATA "/corpus/"
#define EXTRA CORPUS "extra/"

/* ---- bytes ---- */

typedef struct bytes {
    unsigned char *data;
    size_t size, room;
} bytes;

static inline void put(bytes *b, const void *data, size_t size)
{
    if (size > b->room - b->size) {
        b->room = (b->size + size) * 2 + 64;
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void put_string(bytes *b, const char *string)
{
    put(b, string, strlen(string));
}

/* Little-endian, in `size` bytes. */
static inline void put_number(bytes *b, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(number >> (8 * i));
        put(b, &byte, 1);
    }
}

static inline bytes read_bytes(const char *path)
{
    bytes b = {0};
    char piece[4096];
    size_t size;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        put(&b, piece, size);
    (void)fclose(file);
    return b;
}

/* Replace every occurrence of a text by one of the same length; there must be `times` of them. */
static inline void replace(bytes *b, const void *from, const void *to, size_t size, size_t times)
{
    size_t found = 0;
    for (size_t i = 0; i + size <= b->size; i++) {
        if (memcmp(b->data + i, from, size) == 0) {
            memcpy(b->data + i, to, size);
            found++;
        }
    }
    assert_int_equal(found, times);
}

/* ---- zip archives, stored ---- */

typedef struct zip {
    bytes file, directory;
    unsigned count;
} zip;

static inline uint32_t crc32_of(const unsigned char *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static inline void zip_fields(bytes *b, const char *name, uint32_t crc, size_t size)
{
    put_number(b, 20, 2); /* version */
    put_number(b, 0, 2);  /* flags   */
    put_number(b, 0, 2);  /* stored  */
    put_number(b, 0, 2);  /* time    */
    put_number(b, 0x21, 2);
    put_number(b, crc, 4);
    put_number(b, size, 4);
    put_number(b, size, 4);
    put_number(b, strlen(name), 2);
    put_number(b, 0, 2); /* extra */
}

static inline void zip_add(zip *z, const char *name, const void *data, size_t size)
{
    uint32_t crc = crc32_of(data, size);
    size_t header = z->file.size;
    put(&z->file, "PK\3\4", 4);
    zip_fields(&z->file, name, crc, size);
    put_string(&z->file, name);
    put(&z->file, data, size);
    put(&z->directory, "PK\1\2", 4);
    put_number(&z->directory, 20, 2);
    zip_fields(&z->directory, name, crc, size);
    put_number(&z->directory, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put_number(&z->directory, 0, 4);
    put_number(&z->directory, header, 4);
    put_string(&z->directory, name);
    z->count++;
}

static inline void zip_add_string(zip *z, const char *name, const char *text)
{
    zip_add(z, name, text, strlen(text));
}

static inline bytes zip_end(zip *z)
{
    size_t start = z->file.size;
    put(&z->file, z->directory.data, z->directory.size);
    put(&z->file, "PK\5\6", 4);
    put_number(&z->file, 0, 4);
    put_number(&z->file, z->count, 2);
    put_number(&z->file, z->count, 2);
    put_number(&z->file, z->directory.size, 4);
    put_number(&z->file, start, 4);
    put_number(&z->file, 0, 2);
    free(z->directory.data);
    return z->file;
}

/* ---- folders ---- */

typedef struct folder {
    char path[256];
    char names[32][64];
    size_t count;
} folder;

static inline folder new_folder(void)
{
    folder f = {.count = 0};
    const char *temporary = getenv("TMPDIR");
    (void)snprintf(f.path, sizeof f.path, "%s/ptio-test-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(f.path));
    return f;
}

/* The path of a file of the folder. Each call gives its own until the fourth next. */
static inline const char *path_in(const folder *f, const char *name)
{
    static char paths[4][512];
    static size_t next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
    return path;
}

static inline void write_in(folder *f, const char *name, bytes b)
{
    FILE *file = fopen(path_in(f, name), "wb");
    assert_non_null(file);
    if (b.size)
        assert_int_equal(fwrite(b.data, 1, b.size, file), b.size);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->names[i], name) == 0)
            return;
    }
    assert_true(f->count < sizeof f->names / sizeof *f->names);
    (void)snprintf(f->names[f->count++], sizeof f->names[0], "%s", name);
}

static inline void copy_in(folder *f, const char *from_folder, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", from_folder, name);
    bytes b = read_bytes(path);
    write_in(f, name, b);
    free(b.data);
}

static inline void remove_in(folder *f, const char *name)
{
    assert_int_equal(unlink(path_in(f, name)), 0);
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->names[i], name) == 0) {
            memmove(f->names[i], f->names[--f->count], sizeof f->names[0]);
            return;
        }
    }
}

static inline void free_folder(folder *f)
{
    while (f->count)
        remove_in(f, f->names[f->count - 1]);
    assert_int_equal(rmdir(f->path), 0);
}

/* ---- loads ---- */

static inline ptio_checkpoint *load(const char *path)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (ptio_load(path, NULL, &ckpt, &err) != PTIO_OK)
        fail_msg("%s: %s: %s: %s", path, err.record, err.reason, err.message);
    return ckpt;
}

static inline ptio_checkpoint *load_made(bytes b)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (ptio_load_memory(b.data, b.size, NULL, &ckpt, &err) != PTIO_OK)
        fail_msg("%s: %s: %s", err.record, err.reason, err.message);
    return ckpt;
}

static inline void expect_error(ptio_status found, const ptio_error *err, ptio_status status, const char *reason)
{
    if (found != status || err->status != status || !err->reason || strcmp(err->reason, reason) != 0)
        fail_msg("%s expected, found %d %s: %s", reason, (int)found, err->reason ? err->reason : "", err->message);
    assert_true(err->message[0] != '\0');
}

static inline void refused(const char *path, ptio_status status, const char *reason)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    expect_error(ptio_load(path, NULL, &ckpt, &err), &err, status, reason);
    assert_null(ckpt);
}

/* Frees the bytes. */
static inline void refused_made(bytes b, ptio_status status, const char *reason)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    expect_error(ptio_load_memory(b.data, b.size, NULL, &ckpt, &err), &err, status, reason);
    assert_null(ckpt);
    free(b.data);
}

/* ---- values ---- */

static inline void expect_text(ptio_text text, const char *want)
{
    if (text.size != strlen(want) || memcmp(text.bytes, want, text.size) != 0)
        fail_msg("'%.*s' is not '%s'", (int)text.size, text.bytes, want);
}

static inline void expect_int(const ptio_value *value, int64_t want)
{
    int64_t found;
    assert_true(ptio_value_int(value, &found));
    assert_int_equal(found, want);
}

/* The elements of a tensor are first, first + step, first + 2 * step, ... in C order. */
static inline void expect_ramp(const ptio_value *value, ptio_dtype dtype, size_t count, double first, double step)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    double *found = calloc(count + 1, sizeof *found);
    ptio_error err = {0};
    assert_non_null(found);
    assert_non_null(tensor);
    assert_int_equal(ptio_tensor_dtype(tensor), dtype);
    assert_int_equal(ptio_tensor_numel(tensor), count);
    if (ptio_tensor_copy(tensor, PTIO_FLOAT64, found, count * sizeof *found, &err) != PTIO_OK)
        fail_msg("%s: %s", err.reason, err.message);
    for (size_t i = 0; i < count; i++)
        assert_true(found[i] == first + (double)i * step);
    free(found);
}

static inline void expect_shape(const ptio_value *value, size_t ndim, const int64_t *shape)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    assert_non_null(tensor);
    assert_int_equal(ptio_tensor_ndim(tensor), ndim);
    if (ndim)
        assert_memory_equal(ptio_tensor_shape(tensor), shape, ndim * sizeof *shape);
}

/* ---- failing memory ---- */

typedef struct reading {
    ptio_status status;
    ptio_error *err;
} reading;

static inline ptio_walk_next read_visited(void *ctx, const ptio_visit *visit)
{
    reading *r = ctx;
    const ptio_storage *storage = ptio_value_storage(visit->value);
    const void *data;
    if (storage && !visit->again && !visit->leaving)
        r->status = ptio_storage_data(storage, &data, r->err);
    return r->status == PTIO_OK ? PTIO_WALK_ON : PTIO_WALK_STOP;
}

/* Load, walk, read all storages. */
static inline ptio_status load_and_use(const char *path, const ptio_memory *memory, ptio_error *err)
{
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .memory = memory};
    ptio_walk_options walk = {PTIO_WALK_OPTIONS, .memory = memory};
    ptio_checkpoint *ckpt = NULL;
    reading r = {.status = PTIO_OK, .err = err};
    ptio_status status = ptio_load(path, &options, &ckpt, err);
    if (status == PTIO_OK)
        status = ptio_walk(ptio_root(ckpt), &walk, read_visited, &r, err);
    ptio_checkpoint_free(ckpt);
    return r.status != PTIO_OK ? r.status : status;
}

/* The n-th allocation fails, n = 0, 1, 2, ... until none does: a clean failure and nothing kept at each. */
static inline void expect_clean_failures(const char *path)
{
    ptio_status status;
    uint64_t n = 0;
    do {
        counted_memory memory;
        ptio_error err = {0};
        counted_memory_init(&memory);
        memory.fail_at = n++;
        status = load_and_use(path, &memory.hooks, &err);
        if (status != PTIO_OK && status != PTIO_ERR_MEMORY)
            fail_msg("%s: allocation %llu: %s: %s", path, (unsigned long long)(n - 1), err.reason, err.message);
        assert_int_equal(memory.held, 0);
        assert_int_equal(status == PTIO_OK, memory.calls <= memory.fail_at);
    } while (status != PTIO_OK);
    assert_true(n > 3);
}

#endif
