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

void ptio_registry_free(ptio_registry *registry)
{
    if (!registry)
        return;
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
