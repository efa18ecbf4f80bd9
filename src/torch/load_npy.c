/*
 * A .npy file: one array. Its bytes are a view of the source where that is in memory, else read at once.
 */
#include "torch/npy.h"

#include <string.h>

/* Bytes of the source: a view, or read into a buffer. The budget of small memory is not for them: the file has them all. */
static ptio_status fetch(ptio_checkpoint *ckpt, uint64_t offset, uint64_t size, ptio_text *ret, ptio_error *err)
{
    const uint8_t *view = ptio_source_view(ckpt->source, offset, size);
    if (view) {
        *ret = (ptio_text){(const char *)view, (size_t)size};
        return PTIO_OK;
    }
    if (ckpt->limits.storage_bytes && size > ckpt->limits.storage_bytes)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.storage", offset, "the array has %llu bytes, storage_bytes allows %llu",
                         (unsigned long long)size, (unsigned long long)ckpt->limits.storage_bytes);
    if (size > SIZE_MAX / 2)
        return ptio_fail_memory(err, "an array");
    ckpt->heap.limit += size;
    uint8_t *bytes = ptio_checkpoint_buffer(ckpt, size ? (size_t)size : 1);
    if (!bytes)
        return ptio_heap_fail(&ckpt->heap, err, "an array");
    *ret = (ptio_text){(const char *)bytes, (size_t)size};
    return ptio_source_read(ckpt->source, offset, bytes, (size_t)size, err);
}

static ptio_status read_header(ptio_loader *loader, uint64_t left, ptio_npy *npy, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    char first[PTIO_NPY_START];
    size_t known = left < sizeof first ? (size_t)left : sizeof first;
    uint64_t size = 0;
    ptio_text header;
    ptio_status status = ptio_source_read(ckpt->source, ckpt->start, first, known, err);
    if (status == PTIO_OK)
        status = ptio_npy_header_size((ptio_text){first, known}, &size, err);
    if (status == PTIO_OK && size > left)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", left, "the file is cut off at byte %llu, in the header of the array",
                         (unsigned long long)left);
    if (status == PTIO_OK)
        status = fetch(ckpt, ckpt->start, size, &header, err);
    return status == PTIO_OK ? ptio_npy_parse_header(loader, header, npy, err) : status;
}

ptio_status ptio_load_npy(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_NPY;
    uint64_t all = ptio_source_size(ckpt->source), left = ckpt->start < all ? all - ckpt->start : 0, used = 0;
    ptio_maker maker = {.loader = loader};
    ptio_npy npy;
    ptio_text data;
    ptio_status status = read_header(loader, left, &npy, err);
    if (status != PTIO_OK)
        return status;
    uint64_t rest = left - npy.data_offset, wanted = npy.nbytes < rest && !npy.dtype->is_object ? npy.nbytes : rest;
    if (npy.dtype->is_object && rest > ckpt->limits.pickle_bytes)
        wanted = ckpt->limits.pickle_bytes;
    if ((status = fetch(ckpt, ckpt->start + npy.data_offset, wanted, &data, err)) != PTIO_OK)
        return status;
    status = ptio_npy_value(&maker, &npy, data, ptio_source_name(ckpt->source), npy.data_offset, &ckpt->root, &used, err);
    ckpt->end = ckpt->start + npy.data_offset + used;
    if (status == PTIO_OK && ckpt->end < all)
        ptio_report_add(loader->report, PTIO_WARNING, "npy.trailing-bytes", ptio_source_name(ckpt->source), ckpt->end,
                        "%llu bytes follow the array", (unsigned long long)(all - ckpt->end));
    return status;
}
