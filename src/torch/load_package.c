/*
 * torch.package: a zip archive of sources, resources and pickles, whose storages are .data/KEY.storage, KEY an int.
 *
 * There is no data.pkl. Resources that are pickles are told by their bytes, since their names are the user's: one is the root, several
 * are a dict by their names in the archive. Sources are not looked at.
 *
 * Source: torch/package/package_exporter.py
 */
#include "torch/make.h"

#include <string.h>

static bool is_plumbing(ptio_text name)
{
    return ptio_text_starts(name, ".data/") || ptio_text_ends(name, ".py") || ptio_text_is(name, "byteorder");
}

/* Whether a record is one pickle of protocol 2 or later from its first byte to its last, as save_pickle() writes it. */
static ptio_status read_if_pickle(ptio_loader *loader, size_t record, ptio_text *ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    const ptio_entry *entry = &ckpt->archive->entries[record];
    uint8_t start[2] = {0};
    uint64_t end = 0, need = 1;
    *ret = (ptio_text){NULL, 0};
    if (entry->is_folder || entry->size < 4 || entry->size > ckpt->limits.pickle_bytes)
        return PTIO_OK;
    ptio_status status = ptio_archive_read(ckpt->archive, record, 0, start, sizeof start, err);
    if (status != PTIO_OK || start[0] != 0x80 || start[1] < 2 || start[1] > 5)
        return status;
    ptio_text bytes;
    status = ptio_loader_read_record(loader, record, &bytes, err);
    if (status != PTIO_OK)
        return status;
    if (ptio_pickle_scan((const uint8_t *)bytes.bytes, bytes.size, &ckpt->limits, &end, &need, NULL) == PTIO_OK && !need &&
        end == bytes.size)
        *ret = bytes;
    return PTIO_OK;
}

/* ('storage', ...) is a storage; ('reduce_package', ...) and ('torchscript', ...) need code, so they stay ids. */
static ptio_status persistent_package(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    const ptio_value *id = node->id;
    if (id->type == PTIO_NODE_TYPE_TUPLE && id->count && ptio_node_is_str(ptio_tuple_item(id, 0), "storage"))
        return ptio_persistent_zip(loader, node, err);
    return ptio_persistent_unknown(loader, node, err);
}

static ptio_status run_pickle(ptio_loader *loader, size_t record, ptio_text bytes, const ptio_value **ret, ptio_error *err)
{
    const ptio_entry *entry = &loader->ckpt->archive->entries[record];
    uint64_t offset = entry->method == 0 && entry->data_offset ? entry->data_offset : PTIO_NO_OFFSET;
    ptio_pickle_part *part;
    ptio_status status = ptio_loader_run(loader, bytes, (ptio_text){entry->name, entry->name_size}, offset, &part, err);
    if (status != PTIO_OK)
        return status;
    loader->persistent_load = persistent_package;
    *ret = part->graph.root;
    return ptio_interpret(loader, part, err);
}

static ptio_text name_in_root(const ptio_archive *archive, size_t record)
{
    ptio_text name = {archive->entries[record].name, archive->entries[record].name_size};
    size_t skip = archive->root.size ? archive->root.size + 1 : 0;
    return skip < name.size ? (ptio_text){name.bytes + skip, name.size - skip} : name;
}

/* Run record `record` if it is a pickle, and add what it holds. */
static ptio_status add_resource(ptio_loader *loader, size_t record, ptio_node_dict *resources, ptio_error *err)
{
    ptio_text name = name_in_root(loader->ckpt->archive, record), bytes;
    const ptio_value *key, *value;
    if (is_plumbing(name))
        return PTIO_OK;
    ptio_status status = read_if_pickle(loader, record, &bytes, err);
    if (status != PTIO_OK || !bytes.bytes)
        return status;
    status = run_pickle(loader, record, bytes, &value, err);
    if (status == PTIO_OK)
        status = ptio_make_str(loader, name, &key, err);
    return status == PTIO_OK ? ptio_make_entry(loader, resources, key, value, err) : status;
}

ptio_status ptio_load_package(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_node_dict *resources;
    ptio_status status = ptio_zip_prepare(loader, err);
    ckpt->container = PTIO_CONTAINER_PACKAGE;
    if (status == PTIO_OK)
        status = ptio_make_dict(loader, &resources, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ckpt->archive->count && status == PTIO_OK; i++)
        status = add_resource(loader, i, resources, err);
    if (status == PTIO_OK)
        status = ptio_make_index(loader, resources, err);
    if (status != PTIO_OK)
        return status;
    if (!resources->head.count)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "package.no-pickle", PTIO_NO_OFFSET,
                         "the package holds sources, but no pickle");
    ckpt->root = resources->head.count == 1 ? resources->block->items[1] : &resources->head;
    return PTIO_OK;
}
