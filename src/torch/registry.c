/*
 * Registries: the entries of torch.serialization.register_package(), in the order in which they are asked.
 *
 * PyTorch's own entries are rows with a name. What such a name means for a tag is the loader's business (place.c); when it comes to
 * saving, they know a storage by the tag that it has already.
 *
 * Source: torch/serialization.py, register_package, location_tag
 */
#include "torch/registry.h"

#include <string.h>

#include "base/error.h"
#include "tensor/storage.h"

static const struct {
    int priority;
    const char *name;
} own[] = {{10, "cpu"}, {20, "cuda"}, {21, "mps"}, {22, "meta"}, {23, "privateuseone"}, {24, "hpu"}, {25, "xpu"}, {26, "mtia"}};

static ptio_status add_row(ptio_registry *registry, const ptio_registry_row *row, ptio_error *err)
{
    ptio_registry_row *rows =
        ptio_heap_grow(&registry->heap, registry->rows, &registry->capacity, registry->count + 1, sizeof *rows);
    if (!rows)
        return ptio_fail_memory(err, "a registry");
    registry->rows = rows;
    size_t at = registry->count++;
    for (; at && rows[at - 1].entry.priority > row->entry.priority; at--)
        rows[at] = rows[at - 1];
    rows[at] = *row;
    return PTIO_OK;
}

ptio_status ptio_registry_new(const ptio_memory *memory, ptio_registry **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_registry *registry = ptio_heap_resize(&heap, NULL, 0, sizeof *registry);
    if (!registry)
        return ptio_fail_memory(err, "a registry");
    *registry = (ptio_registry){.heap = heap};
    if (!ptio_mutex_init(&registry->lock)) {
        ptio_heap_free(&heap, registry, sizeof *registry);
        return ptio_fail_memory(err, "a registry");
    }
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && status == PTIO_OK; i++) {
        const ptio_registry_row row = {.entry.priority = own[i].priority, .own = own[i].name};
        status = add_row(registry, &row, err);
    }
    if (status == PTIO_OK)
        *ret = registry;
    else
        ptio_registry_free(registry);
    return status;
}

ptio_status ptio_registry_add(ptio_registry *registry, const ptio_registry_entry *entry, ptio_error *err)
{
    if (!registry || !entry || (!entry->tagger && !entry->deserializer))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "registry.entry", PTIO_NO_OFFSET,
                         "an entry needs a registry, and a tagger or a deserializer");
    ptio_status status = add_row(registry, &(ptio_registry_row){.entry = *entry}, err);
    registry->added += status == PTIO_OK;
    return status;
}

/* The row of a type, or NULL. */
static ptio_registry_row *row_of(ptio_registry *registry, const char *type)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->rows[i].own && strcmp(registry->rows[i].own, type) == 0)
            return &registry->rows[i];
    return NULL;
}

/* Takes the kind over. A row that PyTorch has keeps its place. */
static ptio_status put_kind(ptio_registry *registry, int priority, ptio_device_kind *kind, ptio_error *err)
{
    ptio_registry_row *row = row_of(registry, kind->type);
    if (row) {
        ptio_device_kind_free(row->kind);
        row->kind = kind;
        row->own = kind->type;
        return PTIO_OK;
    }
    ptio_status status =
        add_row(registry, &(ptio_registry_row){.entry.priority = priority, .own = kind->type, .kind = kind}, err);
    if (status != PTIO_OK)
        ptio_device_kind_free(kind);
    return status;
}

static ptio_status fail_none(ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "registry.entry", PTIO_NO_OFFSET, "there is no registry");
}

ptio_status ptio_registry_add_device(ptio_registry *registry, int priority, const ptio_device_ops *ops, ptio_error *err)
{
    ptio_device_kind *kind;
    if (!registry)
        return fail_none(err);
    if (ops && ops->type && (strcmp(ops->type, "cpu") == 0 || strcmp(ops->type, "meta") == 0))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "device.ops", PTIO_NO_OFFSET, "the CPU and the meta device are ptio's own");
    ptio_status status = ptio_device_kind_new(&registry->heap.hooks, ops, &kind, err);
    return status == PTIO_OK ? put_kind(registry, priority, kind, err) : status;
}

ptio_status ptio_registry_open_cuda(ptio_registry *registry, const char *library, ptio_error *err)
{
    ptio_device_kind *kind;
    char why[128];
    if (!registry)
        return fail_none(err);
    ptio_status status = ptio_cuda_new(&registry->heap.hooks, library, &kind, err);
    if (status != PTIO_OK)
        return status;
    if (!ptio_device_kind_count(kind, why, sizeof why))
        status =
            ptio_fail(err, PTIO_ERR_UNSUPPORTED, "location.no-device", PTIO_NO_OFFSET, "there is no CUDA device here: %s", why);
    if (status != PTIO_OK) {
        ptio_device_kind_free(kind);
        return status;
    }
    return put_kind(registry, 20, kind, err);
}

ptio_status ptio_registry_device(const ptio_registry *given, size_t row, ptio_device_kind **ret, ptio_error *err)
{
    /* That it opens what it needs when it is needed is not for its users to see. */
    ptio_registry *registry = (ptio_registry *)(uintptr_t)given;
    ptio_status status = PTIO_OK;
    ptio_mutex_lock(&registry->lock);
    if (!registry->rows[row].kind && strcmp(registry->rows[row].own, "cuda") == 0)
        status = ptio_cuda_new(&registry->heap.hooks, NULL, &registry->rows[row].kind, err);
    *ret = registry->rows[row].kind;
    ptio_mutex_unlock(&registry->lock);
    return status;
}

void ptio_registry_free(ptio_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        ptio_device_kind_free(registry->rows[i].kind);
    ptio_mutex_destroy(&registry->lock);
    ptio_heap heap = registry->heap;
    ptio_heap_free(&heap, registry->rows, registry->capacity * sizeof *registry->rows);
    ptio_heap_free(&heap, registry, sizeof *registry);
}

/* Whether one of PyTorch's entries would have given this tag. */
static bool has_tagged(const char *name, ptio_text tag)
{
    size_t size = strlen(name);
    return ptio_text_starts(tag, name) && (tag.size == size || tag.bytes[size] == ':');
}

ptio_text ptio_registry_tag(const ptio_registry *registry, const ptio_storage *storage, char room[PTIO_MOST_TAG])
{
    ptio_text tag = ptio_storage_location(storage);
    for (size_t i = 0; registry && registry->added && i < registry->count; i++) {
        const ptio_registry_row *row = &registry->rows[i];
        if (row->own && has_tagged(row->own, tag))
            return tag;
        if (!row->entry.tagger || !row->entry.tagger(row->entry.ctx, storage, room, PTIO_MOST_TAG))
            continue;
        room[PTIO_MOST_TAG - 1] = '\0'; /* a tagger that forgot it */
        return ptio_text_of(room);
    }
    return tag;
}

bool ptio_registry_takes(const char *name, ptio_text tag)
{
    size_t size = strlen(name);
    if (!ptio_text_starts(tag, name))
        return false;
    if (tag.size == size || strcmp(name, "mps") == 0)
        return true;
    char next = tag.bytes[size];
    return strcmp(name, "cpu") != 0 && strcmp(name, "meta") != 0 && (next == ':' || (next >= '0' && next <= '9'));
}

bool ptio_device_index(ptio_text tag, const char *type, int *index)
{
    size_t at = strlen(type);
    *index = -1;
    if (tag.size == at)
        return true;
    if (tag.bytes[at] != ':' || tag.size == at + 1 || (tag.bytes[at + 1] == '0' && tag.size > at + 2))
        return false;
    *index = 0;
    for (at++; at < tag.size; at++) {
        if (tag.bytes[at] < '0' || tag.bytes[at] > '9' || *index > 99999)
            return false;
        *index = *index * 10 + (tag.bytes[at] - '0');
    }
    return true;
}
