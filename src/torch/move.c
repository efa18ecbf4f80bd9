/*
 * Moving storages after they were loaded: ptio_storage_to().
 */
#include <string.h>

#include "base/error.h"
#include "torch/registry.h"

/* A device kind for a tag, held for the caller: of the registry, or one that the pool's storages are on already. */
static ptio_status find_kind(const ptio_storage *root, const ptio_registry *registry, ptio_text tag, ptio_device_kind **ret,
                             ptio_error *err)
{
    ptio_device_kind *kind = NULL;
    ptio_status status = PTIO_OK;
    for (size_t i = 0; registry && !kind && status == PTIO_OK && i < registry->count; i++)
        if (registry->rows[i].own && ptio_registry_takes(registry->rows[i].own, tag))
            status = ptio_registry_device(registry, i, &kind, err);
    for (uint8_t i = 0; !registry && !kind && i < root->pool->device_count; i++)
        if (ptio_registry_takes(root->pool->devices[i].kind->type, tag))
            kind = root->pool->devices[i].kind;
    if (status == PTIO_OK && !kind)
        status = ptio_fail(err, PTIO_ERR_UNSUPPORTED, "location.no-device", PTIO_NO_OFFSET,
                           "%s is a device of neither the registry nor this checkpoint", ptio_quote(tag).text);
    *ret = kind;
    return status;
}

static ptio_status find_index(const ptio_device_kind *kind, ptio_text tag, int *index, ptio_error *err)
{
    char why[128];
    int count = ptio_device_kind_count(kind, why, sizeof why);
    if (!ptio_device_index(tag, kind->type, index))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "location.device", PTIO_NO_OFFSET, "%s is no device; %s, %s:0, %s:1, … are",
                         ptio_quote(tag).text, kind->type, kind->type, kind->type);
    if (*index < 0)
        *index = ptio_device_kind_current(kind);
    if (!count)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "location.no-device", PTIO_NO_OFFSET, "there is no device %s here: %s",
                         ptio_quote(tag).text, why);
    if (*index >= count)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "location.index", PTIO_NO_OFFSET,
                         "there is no device %s here: %d is the last index", ptio_quote(tag).text, count - 1);
    return PTIO_OK;
}

ptio_status ptio_storage_to(const ptio_storage *storage, const ptio_registry *registry, const char *device, ptio_error *err)
{
    ptio_device_kind *kind;
    int index;
    if (!storage || !device)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.none", PTIO_NO_OFFSET, "there is no storage, or no device");
    if (ptio_storage_is_meta(storage) || strcmp(device, "meta") == 0)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.meta", PTIO_NO_OFFSET,
                         "the meta device has no bytes: nothing comes from there, and nothing is moved there");
    ptio_storage *root = (ptio_storage *)(uintptr_t)ptio_storage_whole(storage);
    if (strcmp(device, "cpu") == 0)
        return ptio_storage_leave_device(root, err);
    ptio_status status = find_kind(root, registry, ptio_text_of(device), &kind, err);
    if (status == PTIO_OK)
        status = find_index(kind, ptio_text_of(device), &index, err);
    if (status == PTIO_OK && ptio_storage_is_on_device(root))
        status = ptio_storage_leave_device(root, err);
    if (status == PTIO_OK)
        status = ptio_storage_set_device(root, kind, index, err);
    return status == PTIO_OK ? ptio_storage_bring(root, root->pool->watch, err) : status;
}
