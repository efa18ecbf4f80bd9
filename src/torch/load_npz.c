/*
 * A .npz file: a zip archive of .npy files, which comes out as a dict of arrays by their names without .npy.
 *
 * The elements of a record that is stored are a view where the file is mapped; others are read at once, and their CRC compared.
 */
#include "torch/npy.h"

#include <string.h>

/* No deflate stream gives more than 1032 bytes for one of its own. */
#define MOST_RATIO 1032

static ptio_status check_size(const ptio_checkpoint *ckpt, const ptio_entry *entry, ptio_error *err)
{
    if (entry->method != 0 && entry->size / MOST_RATIO > entry->stored_size)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.ratio", PTIO_NO_OFFSET, "%llu bytes cannot be deflated to %llu",
                         (unsigned long long)entry->size, (unsigned long long)entry->stored_size);
    if (ckpt->limits.storage_bytes && entry->size > ckpt->limits.storage_bytes)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.storage", PTIO_NO_OFFSET,
                         "the array has %llu bytes, storage_bytes allows %llu", (unsigned long long)entry->size,
                         (unsigned long long)ckpt->limits.storage_bytes);
    return entry->size > SIZE_MAX / 2 ? ptio_fail_memory(err, "an array") : PTIO_OK;
}

static ptio_status fetch_record(ptio_checkpoint *ckpt, size_t record, ptio_text *ret, ptio_error *err)
{
    const ptio_entry *entry = &ckpt->archive->entries[record];
    uint64_t offset;
    ptio_status status = check_size(ckpt, entry, err);
    if (status == PTIO_OK)
        status = ptio_archive_locate(ckpt->archive, record, &offset, err);
    if (status != PTIO_OK)
        return status;
    bool mapped = entry->method == 0 && ptio_source_is_mapped(ckpt->source);
    const uint8_t *view = mapped ? ptio_source_view(ckpt->source, offset, entry->size) : NULL;
    if (view) {
        *ret = (ptio_text){(const char *)view, (size_t)entry->size};
        return PTIO_OK;
    }
    if (entry->method == 0)
        ckpt->heap.limit += entry->size; /* the file has all these bytes, so the budget of small memory is not for them */
    uint8_t *bytes = ptio_checkpoint_buffer(ckpt, entry->size ? (size_t)entry->size : 1);
    if (!bytes)
        return ptio_heap_fail(&ckpt->heap, err, "an array");
    *ret = (ptio_text){(const char *)bytes, (size_t)entry->size};
    return ptio_archive_read_all(ckpt->archive, record, bytes, NULL, err);
}

static ptio_status load_array(ptio_maker *maker, size_t record, ptio_text name, const ptio_value **ret, ptio_error *err)
{
    ptio_loader *loader = maker->loader;
    ptio_text bytes;
    ptio_npy npy;
    uint64_t size = 0, used = 0;
    ptio_status status = fetch_record(loader->ckpt, record, &bytes, err);
    if (status == PTIO_OK)
        status = ptio_npy_header_size(bytes, &size, err);
    if (status == PTIO_OK && size > bytes.size)
        status = ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", bytes.size, "the record ends in the header of the array");
    if (status == PTIO_OK)
        status = ptio_npy_parse_header(loader, (ptio_text){bytes.bytes, (size_t)size}, &npy, err);
    if (status != PTIO_OK)
        return status;
    ptio_text data = {bytes.bytes + npy.data_offset, bytes.size - (size_t)npy.data_offset};
    status = ptio_npy_value(maker, &npy, data, name, npy.data_offset, ret, &used, err);
    if (status == PTIO_OK && used < data.size)
        ptio_report_add(loader->report, PTIO_WARNING, "npy.trailing-bytes", name, npy.data_offset + used,
                        "%llu bytes follow the array", (unsigned long long)(data.size - used));
    return status;
}

static ptio_status add_array(ptio_maker *maker, ptio_node_dict *dict, size_t record, ptio_error *err)
{
    const ptio_entry *entry = &maker->loader->ckpt->archive->entries[record];
    ptio_text name = {entry->name, entry->name_size};
    const ptio_value *key, *array;
    ptio_status status = load_array(maker, record, name, &array, err);
    if (status == PTIO_OK)
        status = ptio_make_str(maker->loader, (ptio_text){name.bytes, name.size - strlen(".npy")}, &key, err);
    if (status == PTIO_OK)
        status = ptio_make_entry(maker->loader, dict, key, array, err);
    return ptio_error_in_record(err, status, name);
}

ptio_status ptio_load_npz(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_NPZ;
    ptio_maker maker = {.loader = loader};
    ptio_node_dict *dict;
    ptio_status status = ptio_make_dict(loader, &dict, err);
    for (size_t i = 0; i < ckpt->archive->count && status == PTIO_OK; i++) {
        if (!ckpt->archive->entries[i].is_folder)
            status = add_array(&maker, dict, i, err);
    }
    if (status == PTIO_OK)
        status = ptio_make_index(loader, dict, err);
    if (status == PTIO_OK)
        ckpt->root = &dict->head;
    return status;
}
