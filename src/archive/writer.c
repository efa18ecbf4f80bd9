/*
 * The public writer of archives, as PyTorchFileWriter is: the caller's records in the caller's order, and at the end those that make
 * it an archive of PyTorch.
 *
 * Source: caffe2/serialize/inline_container.cc, PyTorchStreamWriter
 */
#include <string.h>

#include "archive/zip_writer.h"
#include "base/text.h"

#define PIECE ((size_t)512 << 10)
#define ID_NAME PTIO_TEXT(".data/serialization_id")

struct ptio_writer {
    ptio_heap heap;
    ptio_zip_writer *zip;
    ptio_cxx_library library;
};

static ptio_status make_zip(ptio_writer *writer, ptio_sink *sink, const ptio_writer_options *options, ptio_error *err)
{
    ptio_zip_writer_spec spec = {
        .alignment = options->alignment ? options->alignment : 64, .crc32 = !options->no_crc32, .threads = options->threads};
    if (options->root) {
        spec.root = ptio_text_of(options->root);
    } else {
        ptio_status status = ptio_zip_root_of_path(ptio_sink_path(sink), &spec.root, err);
        if (status != PTIO_OK)
            return status;
    }
    return ptio_zip_writer_new(sink, &spec, &writer->heap, &writer->zip, err);
}

ptio_status ptio_writer_open(ptio_sink *sink, const ptio_writer_options *given, ptio_writer **ret, ptio_error *err)
{
    ptio_writer_options options = {0};
    if (!sink)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the sink is NULL");
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    ptio_heap heap;
    ptio_heap_init(&heap, options.memory, 0);
    ptio_writer *writer = ptio_heap_resize(&heap, NULL, 0, sizeof *writer);
    if (!writer)
        return ptio_fail_memory(err, "the writer of an archive");
    *writer = (ptio_writer){.heap = heap, .library = options.libcxx_id ? PTIO_LIBCXX : PTIO_LIBSTDCXX};
    ptio_status status = make_zip(writer, sink, &options, err);
    if (status == PTIO_OK)
        *ret = writer;
    else
        ptio_writer_free(writer);
    return status;
}

void ptio_writer_free(ptio_writer *writer)
{
    if (!writer)
        return;
    if (writer->zip)
        ptio_zip_writer_abandon(writer->zip, &(ptio_error){.status = PTIO_ERR_ARGUMENT,
                                                           .reason = "zip.unfinished",
                                                           .offset = PTIO_NO_OFFSET,
                                                           .message = "an archive was begun in it and not finished"});
    ptio_zip_writer_free(writer->zip);
    ptio_heap heap = writer->heap;
    ptio_heap_free(&heap, writer, sizeof *writer);
}

ptio_status ptio_writer_add(ptio_writer *writer, const char *name, const void *data, uint64_t size, ptio_error *err)
{
    ptio_text text = ptio_text_of(name);
    if (ptio_text_equal(text, ID_NAME))
        return PTIO_OK;
    if (!data && size)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the data of a record are NULL");
    if (size > SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.size", PTIO_NO_OFFSET, "%llu bytes are more than memory can hold",
                         (unsigned long long)size);
    return ptio_zip_writer_add(writer->zip, text, data, (size_t)size, err);
}

typedef struct reader {
    int64_t (*read)(void *ctx, void *buffer, size_t size);
    void *ctx;
} reader;

static ptio_status copy_pieces(ptio_writer *writer, const reader *from, uint64_t size, uint8_t *piece, ptio_error *err)
{
    for (uint64_t left = size; left;) {
        size_t asked = left < PIECE ? (size_t)left : PIECE;
        int64_t n = from->read(from->ctx, piece, asked);
        if (n <= 0 || (uint64_t)n > asked)
            return ptio_fail(err, PTIO_ERR_IO, "io.callback", PTIO_NO_OFFSET,
                             "the caller's read gave %lld when it was asked for %zu bytes, %llu of %llu being left", (long long)n,
                             asked, (unsigned long long)left, (unsigned long long)size);
        ptio_status status = ptio_zip_writer_data(writer->zip, piece, (size_t)n, err);
        if (status != PTIO_OK)
            return status;
        left -= (uint64_t)n;
    }
    return PTIO_OK;
}

ptio_status ptio_writer_add_from(ptio_writer *writer, const char *name, uint64_t size,
                                 int64_t (*read)(void *ctx, void *buffer, size_t size), void *ctx, ptio_error *err)
{
    const ptio_memory *hooks = &writer->heap.hooks;
    ptio_text text = ptio_text_of(name);
    if (ptio_text_equal(text, ID_NAME))
        return PTIO_OK;
    size_t piece_size = size < PIECE ? (size_t)size + 1 : PIECE;
    uint8_t *piece = hooks->alloc(hooks->ctx, piece_size, PTIO_STORAGE_ALIGN);
    if (!piece)
        return ptio_error_in_record(err, ptio_fail_memory(err, "writing a record"), text);
    ptio_status status = ptio_zip_writer_begin(writer->zip, text, size, err);
    if (status == PTIO_OK) {
        ptio_error why = {0};
        status = copy_pieces(writer, &(reader){read, ctx}, size, piece, &why);
        if (status == PTIO_OK)
            status = ptio_zip_writer_end_record(writer->zip, &why);
        if (status != PTIO_OK) {
            (void)ptio_error_in_record(&why, status, text);
            ptio_zip_writer_abandon(writer->zip, &why);
            if (err && err->status == PTIO_OK)
                *err = why;
        }
    }
    hooks->free(hooks->ctx, piece, piece_size);
    return status;
}

ptio_status ptio_writer_add_hole(ptio_writer *writer, const char *name, uint64_t size, ptio_error *err)
{
    ptio_text text = ptio_text_of(name);
    if (ptio_text_equal(text, ID_NAME))
        return PTIO_OK;
    ptio_status status = ptio_zip_writer_begin(writer->zip, text, size, err);
    if (status != PTIO_OK)
        return status;
    ptio_error why = {0};
    status = ptio_zip_writer_skip(writer->zip, &why);
    if (status == PTIO_OK)
        status = ptio_zip_writer_end_record(writer->zip, &why);
    if (status == PTIO_OK)
        return PTIO_OK;
    (void)ptio_error_in_record(&why, status, text);
    ptio_zip_writer_abandon(writer->zip, &why);
    if (err && err->status == PTIO_OK)
        *err = why;
    return status;
}

static ptio_status add_text(ptio_writer *writer, const char *name, const char *text, ptio_error *err)
{
    return ptio_zip_writer_add(writer->zip, ptio_text_of(name), text, strlen(text), err);
}

ptio_status ptio_writer_finish(ptio_writer *writer, ptio_error *err)
{
    char id[PTIO_SERIALIZATION_ID_SIZE + 1] = {0};
    ptio_status status = PTIO_OK;
    /* As PyTorch does, the version is left alone where the caller has given one. */
    if (!ptio_zip_writer_has(writer->zip, PTIO_TEXT("version")) && !ptio_zip_writer_has(writer->zip, PTIO_TEXT(".data/version")))
        status = add_text(writer, "version", "3\n", err);
    if (status == PTIO_OK && !ptio_zip_writer_has(writer->zip, PTIO_TEXT("byteorder")))
        status = add_text(writer, "byteorder", PTIO_HOST_BIG_ENDIAN ? "big" : "little", err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_serialization_id(writer->zip, writer->library, id, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_add(writer->zip, ID_NAME, id, PTIO_SERIALIZATION_ID_SIZE, err);
    return status == PTIO_OK ? ptio_zip_writer_finish(writer->zip, err) : status;
}
