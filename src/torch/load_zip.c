/*
 * The zip container of torch.save since 1.6: ROOT/data.pkl, ROOT/data/KEY for each storage, and small records about the archive.
 *
 * Source: torch/serialization.py, _load; caffe2/serialize/inline_container.cc, PyTorchStreamReader
 */
#include "torch/handlers.h"

#include <string.h>

/* A small text record, or no text where there is none. A final newline is not part of it. */
static ptio_status small_record(ptio_loader *loader, const char *name, ptio_text *ret, ptio_error *err)
{
    size_t record = ptio_archive_lookup_in_root(loader->ckpt->archive, ptio_text_of(name));
    *ret = (ptio_text){NULL, 0};
    if (record == SIZE_MAX)
        return PTIO_OK;
    const ptio_entry *entry = &loader->ckpt->archive->entries[record];
    if (entry->size > 4096)
        return ptio_error_in_record(err,
                                    ptio_fail(err, PTIO_ERR_FORMAT, "zip.record-too-long", PTIO_NO_OFFSET,
                                              "it has %llu bytes, far more than such a record needs",
                                              (unsigned long long)entry->size),
                                    (ptio_text){entry->name, entry->name_size});
    ptio_status status = ptio_loader_read_record(loader, record, ret, err);
    return status;
}

static ptio_text trimmed(ptio_text text)
{
    while (text.size && (text.bytes[text.size - 1] == '\n' || text.bytes[text.size - 1] == '\r'))
        text.size--;
    return text;
}

/* The version of the container: 1 to 10 are known, 3 is what torch.save writes. */
static ptio_status check_version(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_status status = small_record(loader, ".data/version", &ckpt->archive_version, err);
    if (status == PTIO_OK && !ckpt->archive_version.bytes)
        status = small_record(loader, "version", &ckpt->archive_version, err);
    if (status != PTIO_OK)
        return status;
    if (!ckpt->archive_version.bytes) {
        ptio_report_add(loader->report, PTIO_WARNING, "zip.no-version", ckpt->archive->root, PTIO_NO_OFFSET,
                        "the archive has no version record; PyTorch refuses such files");
        return PTIO_OK;
    }
    ckpt->archive_version = trimmed(ckpt->archive_version);
    unsigned version = 0;
    size_t i = 0;
    while (i < ckpt->archive_version.size && ckpt->archive_version.bytes[i] == ' ')
        i++;
    size_t first = i;
    for (; i < ckpt->archive_version.size && ckpt->archive_version.bytes[i] >= '0' && ckpt->archive_version.bytes[i] <= '9' &&
           version < 1000;
         i++)
        version = version * 10 + (unsigned)(ckpt->archive_version.bytes[i] - '0');
    if (i == first || version < 1)
        return ptio_error_in_record(err,
                                    ptio_fail(err, PTIO_ERR_FORMAT, "zip.version", 0,
                                              "the version of the archive is %s, no number from 1 to 10",
                                              ptio_quote(ckpt->archive_version).text),
                                    PTIO_TEXT("version"));
    if (version > 10)
        return ptio_error_in_record(err,
                                    ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.version", 0,
                                              "the version of the archive is %u, newer than the 10 that this library knows",
                                              version),
                                    PTIO_TEXT("version"));
    return PTIO_OK;
}

/* The byte order of the storages: the record, or what the caller says, or little-endian. */
static ptio_status find_byte_order(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_text order;
    ptio_status status = small_record(loader, "byteorder", &order, err);
    if (status != PTIO_OK)
        return status;
    ckpt->byte_order = loader->options->byte_order;
    if (ckpt->byte_order == PTIO_NATIVE_ENDIAN)
        ckpt->byte_order = PTIO_HOST_BIG_ENDIAN ? PTIO_BIG_ENDIAN : PTIO_LITTLE_ENDIAN;
    if (order.bytes) {
        if (!ptio_text_is(order, "little") && !ptio_text_is(order, "big"))
            return ptio_error_in_record(err,
                                        ptio_fail(err, PTIO_ERR_FORMAT, "zip.byteorder", 0,
                                                  "the byte order is '%s', neither little nor big", ptio_quote(order).text),
                                        PTIO_TEXT("byteorder"));
        ckpt->byte_order = ptio_text_is(order, "big") ? PTIO_BIG_ENDIAN : PTIO_LITTLE_ENDIAN;
        ckpt->byte_order_recorded = true;
    }
    loader->swap = (ckpt->byte_order == PTIO_BIG_ENDIAN) != PTIO_HOST_BIG_ENDIAN;
    return PTIO_OK;
}

/* The offset of a stored record's data in the source, for messages and `info`; none where it was inflated. */
static uint64_t data_offset(const ptio_archive *archive, size_t record)
{
    const ptio_entry *entry = &archive->entries[record];
    return entry->method == 0 && entry->data_offset ? entry->data_offset : PTIO_NO_OFFSET;
}

ptio_status ptio_zip_prepare(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_ZIP;
    loader->by_record = PTIO_NEW(&ckpt->arena, ptio_storage *, ckpt->archive->count);
    if (!loader->by_record)
        return ptio_heap_fail(&ckpt->heap, err, "a table of storages");
    ptio_status status = check_version(loader, err);
    if (status == PTIO_OK)
        status = find_byte_order(loader, err);
    if (status == PTIO_OK)
        status = small_record(loader, ".format_version", &ckpt->format_version, err);
    if (status == PTIO_OK)
        status = small_record(loader, ".data/serialization_id", &ckpt->serialization_id, err);
    return status;
}

ptio_status ptio_zip_run_record(ptio_loader *loader, const char *name, ptio_pickle_part **ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    size_t record = ptio_archive_lookup_in_root(ckpt->archive, ptio_text_of(name));
    if (record == SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.no-record", PTIO_NO_OFFSET, "the archive has no record %s", name);
    ptio_text bytes;
    ptio_status status = ptio_loader_read_record(loader, record, &bytes, err);
    if (status != PTIO_OK)
        return status;
    ptio_text full = {ckpt->archive->entries[record].name, ckpt->archive->entries[record].name_size};
    status = ptio_loader_run(loader, bytes, full, data_offset(ckpt->archive, record), ret, err);
    if (status != PTIO_OK)
        return status;
    if ((*ret)->graph.size < bytes.size)
        ptio_report_add(loader->report, PTIO_WARNING, "pickle.trailing-bytes", full, (*ret)->graph.size,
                        "%llu bytes follow the end of the pickle", (unsigned long long)(bytes.size - (*ret)->graph.size));
    loader->persistent_load = ptio_persistent_zip;
    return ptio_interpret(loader, *ret, err);
}

ptio_status ptio_load_zip(ptio_loader *loader, ptio_error *err)
{
    ptio_pickle_part *part;
    ptio_status status = ptio_zip_prepare(loader, err);
    if (status == PTIO_OK)
        status = ptio_zip_run_record(loader, "data.pkl", &part, err);
    if (status == PTIO_OK)
        loader->ckpt->root = part->graph.root;
    return status;
}
