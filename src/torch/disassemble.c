/*
 * Disassembly of a file's pickle: found as a load finds it, but not run, so that files which do not load can be looked into.
 */
#include "torch/checkpoint.h"

/* The pickle record of an archive: the one asked for, with or without the root folder, or the object's own. */
static ptio_status archive_pickle(ptio_archive *archive, const char *record, ptio_heap *heap, const ptio_limits *limits,
                                  uint8_t **bytes, size_t *size, ptio_error *err)
{
    ptio_text name = ptio_text_of(record ? record : archive->kind == PTIO_ARCHIVE_TAR ? "pickle" : "data.pkl");
    size_t index = ptio_archive_lookup_in_root(archive, name);
    if (index == SIZE_MAX)
        index = ptio_archive_lookup(archive, name);
    if (index == SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_NOT_FOUND, "zip.no-record", PTIO_NO_OFFSET, "the archive has no record %s",
                         ptio_quote(name).text);
    const ptio_entry *entry = &archive->entries[index];
    if (entry->size > limits->pickle_bytes || entry->size > SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.pickle-bytes", PTIO_NO_OFFSET,
                         "the record has %llu bytes, pickle_bytes allows %llu", (unsigned long long)entry->size,
                         (unsigned long long)limits->pickle_bytes);
    *size = (size_t)entry->size;
    *bytes = ptio_heap_resize(heap, NULL, 0, *size ? *size : 1);
    if (!*bytes)
        return ptio_heap_fail(heap, err, "a record");
    ptio_status status = ptio_archive_read_all(archive, index, *bytes, NULL, err);
    return ptio_error_in_record(err, status, (ptio_text){entry->name, entry->name_size});
}

static ptio_status from_archive(ptio_source *source, const ptio_probe *probe, uint64_t offset, const char *record,
                                ptio_heap *heap, const ptio_limits *limits, ptio_write write, void *ctx, ptio_error *err)
{
    ptio_archive *archive = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0, end;
    ptio_status status = probe->format == PTIO_FORMAT_ZIP ? ptio_zip_open(source, offset, limits, heap, NULL, &archive, err)
                                                          : ptio_tar_open(source, offset, limits, heap, NULL, &archive, err);
    if (status == PTIO_OK)
        status = archive_pickle(archive, record, heap, limits, &bytes, &size, err);
    if (status == PTIO_OK)
        status = ptio_pickle_disassemble(bytes, size, heap, write, ctx, &end, err);
    ptio_heap_free(heap, bytes, size ? size : 1);
    if (archive)
        ptio_archive_close(archive);
    return status;
}

/* Streams: one pickle after another, as long as they look like pickles; what follows the last is storages. */
static ptio_status from_stream(ptio_source *source, const ptio_probe *probe, uint64_t offset, ptio_heap *heap,
                               const ptio_limits *limits, ptio_write write, void *ctx, ptio_error *err)
{
    uint64_t size = ptio_source_size(source) - offset;
    if (size > limits->pickle_bytes)
        size = limits->pickle_bytes;
    uint8_t *bytes = ptio_heap_resize(heap, NULL, 0, size ? (size_t)size : 1);
    if (!bytes)
        return ptio_heap_fail(heap, err, "a pickle");
    ptio_status status = ptio_source_read(source, offset, bytes, (size_t)size, err);
    size_t at = 0, end = 0;
    unsigned most = probe->format == PTIO_FORMAT_LEGACY ? 5 : UINT32_MAX;
    for (unsigned i = 0; i < most && at < size && status == PTIO_OK; i++) {
        status = ptio_pickle_disassemble(bytes + at, (size_t)size - at, heap, write, ctx, &end, err);
        if (status != PTIO_OK && err && err->offset != PTIO_NO_OFFSET)
            err->offset += offset + at;
        at += end;
    }
    ptio_heap_free(heap, bytes, size ? (size_t)size : 1);
    return status;
}

ptio_status ptio_disassemble(ptio_source *source, const char *record, const ptio_load_options *options, ptio_write write,
                             void *ctx, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_limits limits;
    ptio_limits_fill(&limits, known.limits);
    ptio_heap heap;
    ptio_heap_init(&heap, known.memory, limits.heap_bytes);
    ptio_probe probe;
    ptio_status status = ptio_probe_source(source, known.offset, &probe, err);
    if (status != PTIO_OK)
        return status;
    switch (probe.format) {
    case PTIO_FORMAT_ZIP:
    case PTIO_FORMAT_TAR: status = from_archive(source, &probe, known.offset, record, &heap, &limits, write, ctx, err); break;
    case PTIO_FORMAT_LEGACY:
    case PTIO_FORMAT_PICKLE: status = from_stream(source, &probe, known.offset, &heap, &limits, write, ctx, err); break;
    case PTIO_FORMAT_NPY:
        status = ptio_fail(err, PTIO_ERR_UNSUPPORTED, "not.npy", known.offset, "a NumPy array file holds no pickle");
        break;
    default: status = ptio_fail(err, probe.status, probe.reason, known.offset, "%s", probe.what); break;
    }
    return status == PTIO_OK ? status : ptio_error_in_record(err, status, ptio_source_name(source));
}
