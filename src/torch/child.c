/*
 * Children: making them, loading them, and windows, which are sources of part of a source.
 */
#include "torch/child.h"

#include <string.h>

#define MOST_NESTED_FILES 4

/* ---- windows ---- */

typedef struct window {
    ptio_heap heap;
    ptio_source *source;
    uint64_t start, size, at;
} window;

static int64_t window_read(void *ctx, void *buffer, size_t size)
{
    window *w = ctx;
    uint64_t left = w->size - w->at;
    if (size > left)
        size = (size_t)left;
    if (size > INT32_MAX)
        size = INT32_MAX;
    if (ptio_source_read(w->source, w->start + w->at, buffer, size, NULL) != PTIO_OK)
        return -1;
    w->at += size;
    return (int64_t)size;
}

static int window_seek(void *ctx, uint64_t offset)
{
    window *w = ctx;
    if (offset > w->size)
        return -1;
    w->at = offset;
    return 0;
}

static int64_t window_size(void *ctx)
{
    return (int64_t)((const window *)ctx)->size;
}

static void window_close(void *ctx)
{
    window *w = ctx;
    ptio_heap heap = w->heap;
    ptio_heap_free(&heap, w, sizeof *w);
}

ptio_status ptio_window_open(ptio_source *source, uint64_t offset, uint64_t size, const ptio_memory *memory, ptio_source **ret,
                             ptio_error *err)
{
    uint64_t all = ptio_source_size(source);
    if (offset > all || size > all - offset)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", all,
                         "%llu bytes are needed from byte %llu on, but the file ends at byte %llu", (unsigned long long)size,
                         (unsigned long long)offset, (unsigned long long)all);
    const uint8_t *view = ptio_source_view(source, offset, size);
    if (view)
        return ptio_source_from_memory(view, (size_t)size, memory, ret, err);
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    window *w = ptio_heap_resize(&heap, NULL, 0, sizeof *w);
    if (!w)
        return ptio_fail_memory(err, "a part of a file");
    *w = (window){.heap = heap, .source = source, .start = offset, .size = size};
    static const ptio_source_callbacks callbacks = {
        .read = window_read, .seek = window_seek, .size = window_size, .close = window_close};
    ptio_status status = ptio_source_from_callbacks(&callbacks, w, memory, NULL, ret, err);
    if (status != PTIO_OK)
        window_close(w);
    return status;
}

/* ---- children ---- */

ptio_status ptio_child_new(ptio_loader *parent, ptio_source *source, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_checkpoint *owner = parent->ckpt;
    ptio_heap heap;
    ptio_heap_init(&heap, &owner->heap.hooks, 0);
    ptio_checkpoint *child = ptio_heap_resize(&heap, NULL, 0, sizeof *child);
    if (!child) {
        ptio_source_free(source);
        return ptio_fail_memory(err, "a checkpoint");
    }
    *child = (ptio_checkpoint){.heap = heap, .limits = owner->limits, .pool = owner->pool, .source = source, .owns_source = true};
    /* What the family uses together is what the limit is about; the parent counts what its children hold (below). */
    uint64_t used = owner->heap.used;
    child->limits.heap_bytes = used < owner->limits.heap_bytes ? owner->limits.heap_bytes - used : 1;
    child->heap.limit = child->limits.heap_bytes;
    ptio_arena_init(&child->arena, &child->heap);
    child->sibling = owner->children;
    owner->children = child;
    *ret = child;
    return PTIO_OK;
}

/* Bytes of a record of another file than the one that was loaded: to be read, but at no place in the caller's source. */
static ptio_status record_read(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    return ptio_storage_of_record.read(storage, buffer, watch, err);
}

static const void *record_view(const ptio_storage *storage, ptio_error *err)
{
    return ptio_storage_of_record.view(storage, err);
}

static const ptio_source *record_source(const ptio_storage *storage)
{
    return ptio_storage_of_record.source(storage);
}

static bool record_place(const ptio_storage *storage, uint64_t *offset)
{
    return ptio_storage_of_record.place(storage, offset);
}

static const ptio_storage_origin record_elsewhere = {record_read, record_view, NULL, record_source, record_place};

static void move_elsewhere(ptio_storage_pool *pool, const ptio_storage *last)
{
    for (ptio_storage *storage = pool->newest; storage && storage != last; storage = storage->older) {
        if (storage->origin == &ptio_storage_of_record)
            storage->origin = &record_elsewhere;
    }
}

ptio_status ptio_child_load(ptio_loader *parent, ptio_source *source, ptio_text name, ptio_checkpoint **ret, ptio_error *err)
{
    if (parent->depth >= MOST_NESTED_FILES) {
        ptio_source_free(source);
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.embedded", PTIO_NO_OFFSET,
                         "checkpoints lie inside checkpoints more than %d deep", MOST_NESTED_FILES);
    }
    ptio_checkpoint *child;
    ptio_status status = ptio_child_new(parent, source, &child, err);
    if (status != PTIO_OK)
        return status;
    ptio_load_options options = *parent->options;
    options.offset = 0;
    ptio_loader loader = {.ckpt = child,
                          .options = &options,
                          .report = parent->report,
                          .codec = parent->codec,
                          .hooked = parent->hooked,
                          .depth = parent->depth + 1,
                          .placing = parent->placing};
    const ptio_storage *last = child->pool->newest;
    status = ptio_load_any(&loader, err);
    move_elsewhere(child->pool, last);
    child->heap.limit = child->limits.heap_bytes;
    parent->ckpt->heap.used += child->heap.used;
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, name);
    *ret = child;
    return PTIO_OK;
}

/* ---- files beside a file ---- */

const char *ptio_path_beside(ptio_arena *arena, const char *path, bool path_is_folder, ptio_text name)
{
    size_t folder = strlen(path);
    while (!path_is_folder && folder && path[folder - 1] != '/')
        folder--;
    bool slash = path_is_folder && folder && path[folder - 1] != '/';
    char *joined = ptio_arena_alloc(arena, folder + 1 + name.size + 1);
    if (!joined)
        return NULL;
    memcpy(joined, path, folder);
    if (slash)
        joined[folder++] = '/';
    memcpy(joined + folder, name.bytes, name.size);
    joined[folder + name.size] = '\0';
    return joined;
}

bool ptio_is_plain_name(ptio_text name)
{
    if (!name.size || name.size >= PTIO_PLAIN_NAME_SIZE || ptio_text_is(name, ".") || ptio_text_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (name.bytes[i] == '/' || name.bytes[i] == '\\' || name.bytes[i] == ':' || name.bytes[i] == '\0')
            return false;
    }
    return true;
}

ptio_status ptio_persistent_none(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "persistent-id.form", err,
                          "a pickle that has no storages holds a persistent id");
}
