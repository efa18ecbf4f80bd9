/*
 * Writes archives as standard input describes them, one after another, for archives.py.
 *
 *     an archive    u32 flags, u32 alignment, text root or path, u32 number of records, and these:
 *     a record      u32 piece, text name, text data
 *     a text        u32 size, bytes
 *
 * All numbers are little-endian. A record with a piece is given by a callback, so many bytes at a time. For each archive its size, as
 * u64, and its bytes go to standard output; where it goes to a path, a size of 0.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptio.h"

enum { NO_CRC = 1, LIBCXX = 2, WITH_ROOT = 4, TO_PATH = 8 };

static void fail(const char *what)
{
    fprintf(stderr, "write_archives: %s\n", what);
    exit(1);
}

static void check(ptio_status status, const ptio_error *err)
{
    if (status != PTIO_OK)
        fail(err->message);
}

/* False at the end of the input. */
static bool read_u32(uint32_t *ret)
{
    unsigned char b[4];
    if (fread(b, 1, 4, stdin) != 4)
        return false;
    *ret = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return true;
}

static uint32_t need_u32(void)
{
    uint32_t value;
    if (!read_u32(&value))
        fail("the input ends too early");
    return value;
}

/* The bytes, and a NUL behind them. */
static char *need_text(uint32_t *size)
{
    *size = need_u32();
    char *text = malloc((size_t)*size + 1);
    if (!text || fread(text, 1, *size, stdin) != *size)
        fail("the input ends too early");
    text[*size] = '\0';
    return text;
}

typedef struct input {
    const char *at;
    size_t left, piece;
} input;

static int64_t read_piece(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    size_t n = in->piece < size ? in->piece : size;
    n = n < in->left ? n : in->left;
    memcpy(buffer, in->at, n);
    in->at += n;
    in->left -= n;
    return (int64_t)n;
}

static void write_record(ptio_writer *writer)
{
    ptio_error err = {0};
    uint32_t piece = need_u32(), name_size, size;
    char *name = need_text(&name_size), *data = need_text(&size);
    input in = {data, size, piece};
    if (piece)
        check(ptio_writer_add_from(writer, name, size, read_piece, &in, &err), &err);
    else
        check(ptio_writer_add(writer, name, data, size, &err), &err);
    free(name);
    free(data);
}

static void put_archive(ptio_text bytes)
{
    unsigned char size[8];
    for (size_t i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)bytes.size >> (8 * i));
    if (fwrite(size, 1, 8, stdout) != 8 || (bytes.size && fwrite(bytes.bytes, 1, bytes.size, stdout) != bytes.size))
        fail("the output is closed");
}

static void write_archive(uint32_t flags)
{
    ptio_error err = {0};
    ptio_sink *sink = NULL;
    ptio_writer *writer = NULL;
    ptio_writer_options options = {PTIO_WRITER_OPTIONS, .alignment = need_u32()};
    uint32_t size;
    char *root = need_text(&size);
    options.no_crc32 = flags & NO_CRC;
    options.libcxx_id = flags & LIBCXX;
    options.root = flags & WITH_ROOT ? root : NULL;
    if (flags & TO_PATH)
        check(ptio_sink_open(root, NULL, &sink, &err), &err);
    else
        check(ptio_sink_to_memory(NULL, &sink, &err), &err);
    check(ptio_writer_open(sink, &options, &writer, &err), &err);
    for (uint32_t left = need_u32(); left; left--)
        write_record(writer);
    check(ptio_writer_finish(writer, &err), &err);
    check(ptio_sink_finish(sink, &err), &err);
    put_archive(ptio_sink_bytes(sink));
    ptio_writer_free(writer);
    ptio_sink_free(sink);
    free(root);
}

int main(void)
{
    uint32_t flags;
    while (read_u32(&flags))
        write_archive(flags);
    return fflush(stdout) == 0 ? 0 : 1;
}
