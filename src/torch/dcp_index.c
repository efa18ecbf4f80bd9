/*
 * Where the items of a distributed checkpoint are: Metadata.storage_data is a dict from MetadataIndex(fqn, offset, index) to _StorageInfo.
 * Two of these keys are one where fqn and offset are; so the objects are looked up by those, in a table of their own.
 */
#include "torch/dcp.h"

bool ptio_dcp_sizes(ptio_loader *loader, const ptio_value *value, const int64_t **ret, size_t *count)
{
    const ptio_value *const *items = value ? ptio_value_items(value, count) : NULL;
    if (!items || *count > PTIO_MOST_DIMENSIONS)
        return false;
    int64_t *sizes = PTIO_NEW(&loader->ckpt->arena, int64_t, *count + 1);
    *ret = sizes;
    for (size_t i = 0; sizes && i < *count; i++) {
        if (items[i]->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(items[i], &sizes[i]) || sizes[i] < 0)
            return false;
    }
    return true;
}

static uint64_t hash_of(const ptio_dcp_index *index, ptio_text name, const int64_t *at, size_t ndim)
{
    uint64_t hash = ptio_hash(index->hash_key, name.bytes, name.size);
    return at ? ptio_hash(hash, at, ndim * sizeof *at) : hash;
}

static bool same_key(const ptio_dcp_row *row, ptio_text name, const int64_t *at, size_t ndim)
{
    return !row->at == !at && row->ndim == ndim && ptio_text_equal(row->name, name) &&
           (!at || memcmp(row->at, at, ndim * sizeof *at) == 0);
}

static uint32_t *slot_of(const ptio_dcp_index *index, ptio_text name, const int64_t *at, size_t ndim)
{
    size_t slot = (size_t)hash_of(index, name, at, ndim) & (index->slot_count - 1);
    while (index->slots[slot] && !same_key(&index->rows[index->slots[slot] - 1], name, at, ndim))
        slot = (slot + 1) & (index->slot_count - 1);
    return &index->slots[slot];
}

static ptio_status add_row(ptio_dcp_index *index, const ptio_value *key, const ptio_value *info, ptio_error *err)
{
    ptio_loader *loader = index->loader;
    const ptio_value *name = ptio_value_attribute(key, "fqn"), *offset = ptio_value_attribute(key, "offset");
    ptio_dcp_row row = {.info = info};
    if (!name || name->seen != PTIO_KIND_STR)
        return ptio_fail_node(loader, key, PTIO_ERR_FORMAT, "dcp.storage-data", err,
                              "a key of storage_data is no MetadataIndex with a name");
    row.name = ptio_value_str(name);
    if (offset && offset->seen != PTIO_KIND_NONE && !ptio_dcp_sizes(loader, offset, &row.at, &row.ndim))
        return ptio_fail_node(loader, key, PTIO_ERR_FORMAT, "dcp.storage-data", err, "the offset of a MetadataIndex is no size");
    if (offset && offset->seen != PTIO_KIND_NONE && !row.at)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an index");
    uint32_t *slot = slot_of(index, row.name, row.at, row.ndim);
    if (*slot)
        return ptio_fail_node(loader, key, PTIO_ERR_AMBIGUOUS, "dcp.storage-data", err,
                              "storage_data tells twice where a chunk of %s is", ptio_quote(row.name).text);
    index->rows[index->count++] = row;
    *slot = (uint32_t)index->count;
    return PTIO_OK;
}

ptio_status ptio_dcp_index_make(ptio_dcp_index *index, const ptio_node_dict *storage_data, ptio_error *err)
{
    ptio_loader *loader = index->loader;
    size_t count = ptio_dict_count(storage_data);
    index->slot_count = 16;
    while (index->slot_count < 2 * count)
        index->slot_count *= 2;
    index->hash_key = ptio_os_random();
    index->rows = PTIO_NEW(&loader->ckpt->arena, ptio_dcp_row, count ? count : 1);
    index->slots = ptio_heap_resize(&loader->ckpt->heap, NULL, 0, index->slot_count * sizeof *index->slots);
    if (!index->rows || !index->slots)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an index");
    memset(index->slots, 0, index->slot_count * sizeof *index->slots);
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < count && status == PTIO_OK; i++)
        status = add_row(index, ptio_dict_key(storage_data, i), ptio_dict_value(storage_data, i), err);
    return status;
}

const ptio_value *ptio_dcp_index_find(const ptio_dcp_index *index, ptio_text name, const int64_t *at, size_t ndim)
{
    uint32_t row = *slot_of(index, name, at, ndim);
    return row ? index->rows[row - 1].info : NULL;
}

void ptio_dcp_index_free(ptio_dcp_index *index)
{
    if (index->loader)
        ptio_heap_free(&index->loader->ckpt->heap, index->slots, index->slot_count * sizeof *index->slots);
}
