/*
 * Where storages go that are loaded: map_location says a tag, the registry what it means.
 *
 *     device     that tag                     ┐
 *     table      what it has for the tag      ├─►  the registry's entries, by priority  ─►  CPU, meta, another storage
 *     callback   another storage, or a tag    ┘
 *
 * A storage is changed in place, so that slices of it follow. What a callback gives instead of one is seen as a slice of that.
 * Nothing of this happens where the options speak of no places: then storages are on the CPU, and have the tags that they were saved with.
 *
 * Source: torch/serialization.py, _get_restore_location, default_restore_location, _validate_device; torch/_utils.py
 */
#include "torch/place.h"

#include <string.h>

#include "torch/handlers.h"

#define ADVICE "; map_location \"cpu\" keeps storages in main memory"

/* ---- what was asked for ---- */

static ptio_status check_map(const ptio_map_location *map, ptio_error *err)
{
    if ((map->device != NULL) + (map->table != NULL) + (map->callback != NULL) > 1)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "map-location", PTIO_NO_OFFSET,
                         "map_location is a device, a table or a callback, and no two of them");
    if (map->table_count && !map->table)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "map-location", PTIO_NO_OFFSET, "the table of map_location is missing");
    for (size_t i = 0; i < map->table_count; i++)
        if (!map->table[i][0] || !map->table[i][1])
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "map-location", PTIO_NO_OFFSET,
                             "row %zu of the table of map_location is not a tag and a tag", i);
    return PTIO_OK;
}

ptio_status ptio_placing_begin(ptio_loader *loader, ptio_placing *placing, ptio_error *err)
{
    const ptio_load_options *options = loader->options;
    if (!options->map_location && !options->registry)
        return PTIO_OK;
    *placing = (ptio_placing){.registry = options->registry, .heap = &loader->ckpt->heap};
    if (options->map_location)
        placing->map = *options->map_location;
    ptio_status status = check_map(&placing->map, err);
    if (status == PTIO_OK && !placing->registry) {
        status = ptio_registry_new(options->memory, &placing->made, err);
        placing->registry = placing->made;
    }
    loader->placing = placing;
    return status;
}

void ptio_placing_end(ptio_placing *placing)
{
    if (!placing->heap)
        return;
    ptio_pointer_map_free(&placing->answers, placing->heap);
    ptio_pointer_map_free(&placing->placed, placing->heap);
    ptio_registry_free(placing->made);
}

static const ptio_map_location *map_of(const ptio_loader *loader)
{
    static const ptio_map_location as_saved;
    return loader->placing->embedded ? &as_saved : &loader->placing->map;
}

bool ptio_placing_is_meta(const ptio_loader *loader)
{
    const char *device = loader->placing ? map_of(loader)->device : NULL;
    return device && strcmp(device, "meta") == 0;
}

/* ---- messages ---- */

enum { PATH_BYTES = 96 };

/* Looks for a persistent id in the nodes of the pickle, and keeps the keys on the way to it. */
typedef struct search {
    const ptio_value *sought;
    size_t ends[32]; /* of the text, by depth                   */
    size_t inside;   /* depth of the arguments we are in, or 0  */
    char text[PATH_BYTES];
} search;

static size_t append_key(char *text, size_t end, const ptio_visit *visit)
{
    char number[24];
    ptio_text key = {NULL, 0};
    if (visit->role == PTIO_ROLE_VALUE)
        key = ptio_value_str(visit->key);
    if (!key.bytes) {
        (void)snprintf(number, sizeof number, "%zu", visit->index);
        key = ptio_text_of(number);
    }
    int size = snprintf(text + end, PATH_BYTES - end, "%s%.*s", end ? "." : "", (int)(key.size < 64 ? key.size : 64), key.bytes);
    return size > 0 && (size_t)size < PATH_BYTES - end ? end + (size_t)size : end;
}

static ptio_walk_next look(void *ctx, const ptio_visit *visit)
{
    search *s = ctx;
    const size_t most = sizeof s->ends / sizeof *s->ends;
    if (visit->leaving)
        return PTIO_WALK_ON;
    if (s->inside && visit->depth <= s->inside)
        s->inside = 0;
    if (visit->depth >= most)
        return PTIO_WALK_SKIP;
    size_t end = visit->depth ? s->ends[visit->depth - 1] : 0;
    bool is_key = visit->role == PTIO_ROLE_VALUE || visit->role == PTIO_ROLE_ITEM;
    if (!s->inside && visit->role == PTIO_ROLE_ARGUMENTS)
        s->inside = visit->depth; /* below are the parts of a tensor or object */
    s->ends[visit->depth] = is_key && !s->inside ? append_key(s->text, end, visit) : end;
    s->text[s->ends[visit->depth]] = '\0';
    return visit->value == s->sought ? PTIO_WALK_STOP : PTIO_WALK_ON;
}

/* "storage 0 of model.fc1.weight": the first value that has it. */
typedef struct name_text {
    char text[PATH_BYTES + 96];
} name_text;

static name_text name_of(const ptio_loader *loader, const ptio_value *node, const ptio_storage *storage)
{
    name_text name;
    search s = {.sought = node};
    ptio_walk_options options = {PTIO_WALK_OPTIONS, .raw = true, .memory = &loader->ckpt->heap.hooks};
    const ptio_value *root = loader->part && node ? loader->part->graph.root : NULL;
    bool found = root && ptio_walk(root, &options, look, &s, NULL) == PTIO_ERR_CANCELLED && s.text[0];
    (void)snprintf(name.text, sizeof name.text, "storage %.40s%s%.80s", ptio_quote(ptio_storage_key(storage)).text,
                   found ? " of " : "", found ? ptio_quote(ptio_text_of(s.text)).text : "");
    return name;
}

#define REFUSE(reason, ...) ptio_fail_node(loader, node, PTIO_ERR_UNSUPPORTED, (reason), err, __VA_ARGS__)

/* ---- PyTorch's entries ---- */

static ptio_status tell_location(ptio_loader *loader, ptio_storage *storage, ptio_text tag, ptio_error *err)
{
    return ptio_storage_pool_location(loader->ckpt->pool, tag, &storage->location, err);
}

static ptio_status make_meta(ptio_loader *loader, ptio_storage *storage, ptio_error *err)
{
    atomic_fetch_or_explicit(&storage->flags, PTIO_STORAGE_META, memory_order_relaxed);
    return tell_location(loader, storage, PTIO_TEXT("meta"), err);
}

/* "CUDA" */
static const char *upper(const char *type, char ret[32])
{
    size_t size = 0;
    for (; type[size] && size < 31; size++)
        ret[size] = (char)(type[size] >= 'a' && type[size] <= 'z' ? type[size] - 'a' + 'A' : type[size]);
    ret[size] = '\0';
    return ret;
}

/* In PyTorch's words, as far as they go. */
static ptio_status no_device(ptio_loader *loader, const ptio_value *node, const char *type, ptio_text tag,
                             const ptio_storage *storage, const char *why, ptio_error *err)
{
    char name[32];
    return REFUSE(
        "location.no-device",
        "Attempting to deserialize object on a %s device: %s belongs on %s, and there is no such device here" ADVICE "%s%s%s",
        upper(type, name), name_of(loader, node, storage).text, ptio_quote(tag).text, why[0] ? " (" : "", why, why[0] ? ")" : "");
}

/* A device of a kind that is known: it must be there. */
static ptio_status to_device_of(ptio_loader *loader, const ptio_value *node, ptio_device_kind *kind, int index, ptio_text tag,
                                ptio_storage *storage, ptio_error *err)
{
    char why[128];
    int count = ptio_device_kind_count(kind, why, sizeof why);
    if (!count)
        return no_device(loader, node, kind->type, tag, storage, why, err);
    if (index < 0)
        index = ptio_device_kind_current(kind);
    if (index >= count)
        return REFUSE("location.index",
                      "%s belongs on %s, but there are %d such devices here, %s:0 to %s:%d; map_location "
                      "can send it to one of them",
                      name_of(loader, node, storage).text, ptio_quote(tag).text, count, kind->type, kind->type, count - 1);
    return ptio_storage_set_device(storage, kind, index, err);
}

static ptio_status to_device(ptio_loader *loader, const ptio_value *node, size_t row, ptio_text tag, ptio_storage *storage,
                             ptio_error *err)
{
    const char *type = loader->placing->registry->rows[row].own;
    ptio_device_kind *kind;
    int index;
    ptio_status status = ptio_registry_device(loader->placing->registry, row, &kind, err);
    if (status != PTIO_OK)
        return status;
    bool is_module = strcmp(type, "hpu") == 0 || strcmp(type, "privateuseone") == 0; /* PyTorch has none until it is registered */
    if (!kind && is_module)
        return REFUSE("location.not-registered", "%s belongs on %s, and nothing is registered for that device" ADVICE,
                      name_of(loader, node, storage).text, ptio_quote(tag).text);
    if (!ptio_device_index(tag, type, &index) && (kind || strcmp(type, "mps") != 0))
        return ptio_fail_node(loader, node, PTIO_ERR_ARGUMENT, "location.device", err, "%s is no device; %s, %s:0, %s:1, … are",
                              ptio_quote(tag).text, type, type, type);
    if (kind)
        return to_device_of(loader, node, kind, index, tag, storage, err);
    return no_device(loader, node, type, tag, storage, "", err);
}

static ptio_status own_entry(ptio_loader *loader, const ptio_value *node, size_t row, ptio_text tag, ptio_storage *storage,
                             ptio_error *err)
{
    const char *type = loader->placing->registry->rows[row].own;
    if (strcmp(type, "cpu") == 0)
        return tell_location(loader, storage, PTIO_TEXT("cpu"), err);
    if (strcmp(type, "meta") == 0)
        return make_meta(loader, storage, err);
    return to_device(loader, node, row, tag, storage, err);
}

/* ---- what a callback or deserializer answers ---- */

/* See a storage as a slice that is all of another. */
static ptio_status become(ptio_loader *loader, ptio_storage *storage, const ptio_storage *other, ptio_error *err)
{
    storage->origin = &ptio_storage_of_slice;
    storage->origin_data = other;
    storage->origin_index = 0;
    storage->nbytes = other->nbytes;
    atomic_fetch_and_explicit(&storage->flags, (uint8_t)~PTIO_STORAGE_SWAP, memory_order_relaxed);
    ptio_text tag = ptio_arena_text(&loader->ckpt->arena, ptio_storage_location(other));
    return tag.bytes ? tell_location(loader, storage, tag, err) : ptio_heap_fail(&loader->ckpt->heap, err, "a location");
}

/* Storages that were answered by one are one, as far as they are of the same dtype. */
static ptio_status take_answer(ptio_loader *loader, ptio_storage **storage, const ptio_storage *other, ptio_error *err)
{
    ptio_storage *mine = *storage;
    if (other == mine)
        return tell_location(loader, mine, PTIO_TEXT("cpu"), err);
    if (ptio_storage_is_meta(other)) {
        mine->nbytes = other->nbytes;
        return make_meta(loader, mine, err);
    }
    uint64_t first;
    bool is_new;
    const ptio_storage *stands = other->pool == loader->ckpt->pool ? other : mine;
    ptio_status status = become(loader, mine, other, err);
    if (status != PTIO_OK)
        return status;
    if (!ptio_pointer_map_add(&loader->placing->answers, loader->placing->heap, other, (uint64_t)(uintptr_t)stands, &first,
                              &is_new))
        return ptio_heap_fail(loader->placing->heap, err, "a storage");
    ptio_storage *same = (ptio_storage *)(uintptr_t)first;
    if (same->dtype == mine->dtype && ptio_storage_is_untyped(same) == ptio_storage_is_untyped(mine))
        *storage = same;
    return PTIO_OK;
}

static ptio_status ask(ptio_loader *loader, const ptio_value *node, ptio_place place, void *ctx, const ptio_storage *storage,
                       ptio_text tag, ptio_placement *answer, ptio_error *err)
{
    ptio_error why = {.offset = PTIO_NO_OFFSET};
    *answer = (ptio_placement){0};
    ptio_status status = place(ctx, storage, tag, answer, &why);
    if (status != PTIO_OK)
        return ptio_fail_node(loader, node, status, why.reason ? why.reason : "map-location.callback", err, "%s: %s",
                              name_of(loader, node, storage).text,
                              why.message[0] ? why.message : "the callback for its location failed");
    if (answer->storage && answer->location)
        return ptio_fail_node(loader, node, PTIO_ERR_ARGUMENT, "map-location", err,
                              "%s: a callback answered with a location and a storage at once",
                              name_of(loader, node, storage).text);
    return PTIO_OK;
}

/* ---- the registry ---- */

/* `only_own`: PyTorch's entries, for what another entry answered. */
static ptio_status restore(ptio_loader *loader, const ptio_value *node, ptio_text tag, bool only_own, ptio_storage **storage,
                           ptio_error *err)
{
    const ptio_registry *registry = loader->placing->registry;
    for (size_t i = 0; i < registry->count; i++) {
        const ptio_registry_row *row = &registry->rows[i];
        if (row->own && ptio_registry_takes(row->own, tag))
            return own_entry(loader, node, i, tag, *storage, err);
        if (only_own || !row->entry.deserializer)
            continue;
        ptio_placement answer;
        ptio_status status = ask(loader, node, row->entry.deserializer, row->entry.ctx, *storage, tag, &answer, err);
        if (status != PTIO_OK)
            return status;
        if (answer.storage)
            return take_answer(loader, storage, answer.storage, err);
        if (answer.location) /* one level deep: those are not asked again */
            return restore(loader, node, ptio_text_of(answer.location), true, storage, err);
    }
    return REFUSE("location.unknown", "%s belongs on %s, and no entry of the registry knows that tag" ADVICE,
                  name_of(loader, node, *storage).text, tag.size ? ptio_quote(tag).text : "\"\"");
}

static ptio_text tag_of_table(const ptio_map_location *map, ptio_text tag)
{
    for (size_t i = 0; i < map->table_count; i++)
        if (ptio_text_is(tag, map->table[i][0]))
            return ptio_text_of(map->table[i][1]);
    return tag;
}

static ptio_status place(ptio_loader *loader, const ptio_value *node, ptio_storage **storage, ptio_error *err)
{
    const ptio_map_location *map = map_of(loader);
    ptio_text tag = ptio_storage_location(*storage);
    if (map->device)
        tag = ptio_text_of(map->device);
    else if (map->table)
        tag = tag_of_table(map, tag);
    if (map->callback) {
        ptio_placement answer;
        ptio_status status = ask(loader, node, map->callback, map->ctx, *storage, tag, &answer, err);
        if (status != PTIO_OK)
            return status;
        if (answer.storage)
            return take_answer(loader, storage, answer.storage, err);
        if (answer.location)
            tag = ptio_text_of(answer.location);
    }
    if (ptio_text_is(tag, "cpu") && !loader->placing->registry->added)
        return tell_location(loader, *storage, PTIO_TEXT("cpu"), err); /* nearly all */
    return restore(loader, node, tag, false, storage, err);
}

ptio_status ptio_place_storage(ptio_loader *loader, const ptio_value *node, ptio_storage **storage, ptio_error *err)
{
    return loader->placing ? place(loader, node, storage, err) : PTIO_OK;
}

/* ---- a whole pickle ---- */

/* A place is asked for once, though many ids may name a storage. What was given for it is kept with it. */
static ptio_status place_once(ptio_loader *loader, const ptio_value *node, ptio_storage **storage, ptio_error *err)
{
    ptio_placing *placing = loader->placing;
    ptio_storage *mine = *storage, *placed = mine;
    uint64_t known;
    bool is_new;
    if (!ptio_pointer_map_add(&placing->placed, placing->heap, mine, (uint64_t)(uintptr_t)mine, &known, &is_new))
        return ptio_heap_fail(placing->heap, err, "a storage");
    if (!is_new) {
        *storage = (ptio_storage *)(uintptr_t)known;
        return PTIO_OK;
    }
    ptio_status status = place(loader, node, &placed, err);
    if (placed == mine || status != PTIO_OK)
        return status;
    *storage = placed;
    ptio_pointer_map_remove(&placing->placed, mine);
    if (!ptio_pointer_map_add(&placing->placed, placing->heap, mine, (uint64_t)(uintptr_t)placed, &known, &is_new))
        return ptio_heap_fail(placing->heap, err, "a storage");
    return PTIO_OK;
}

/* The slice of a stream goes where the storage goes that it is cut from, an empty storage where the first with its key went. */
static ptio_status follow(ptio_loader *loader, const ptio_value *node, ptio_storage *slice, ptio_error *err)
{
    uint64_t known;
    bool is_new;
    ptio_storage *base = (ptio_storage *)(uintptr_t)slice->origin_data, *placed = base;
    if (!ptio_pointer_map_add(&loader->placing->placed, loader->placing->heap, slice, (uint64_t)(uintptr_t)slice, &known,
                              &is_new))
        return ptio_heap_fail(loader->placing->heap, err, "a storage");
    if (!is_new)
        return PTIO_OK;
    ptio_status status = place_once(loader, node, &placed, err);
    slice->location = base->location;
    if (status == PTIO_OK && ptio_storage_is_meta(base))
        atomic_fetch_or_explicit(&slice->flags, PTIO_STORAGE_META, memory_order_relaxed);
    return status;
}

static bool follows(const ptio_loader *loader, const ptio_storage *storage)
{
    uint32_t number;
    return (storage->origin == &ptio_storage_of_slice || (storage->origin == &ptio_storage_of_zeros && storage->origin_data)) &&
           !ptio_pointer_map_get(&loader->placing->placed, storage, &number);
}

ptio_status ptio_place_part(ptio_loader *loader, const ptio_pickle_part *part, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    if (!loader->placing)
        return PTIO_OK;
    const ptio_pickle_part *outer = loader->part;
    loader->part = (ptio_pickle_part *)(uintptr_t)part;
    for (size_t i = 0; status == PTIO_OK && i < part->graph.object_count; i++) {
        ptio_value *object = (ptio_value *)(uintptr_t)part->graph.objects[i];
        if (object->type != PTIO_NODE_TYPE_PERSISTENT || object->seen != PTIO_KIND_STORAGE)
            continue;
        ptio_node_persistent *node = (ptio_node_persistent *)(void *)object;
        ptio_storage *storage = (ptio_storage *)(uintptr_t)node->meaning;
        status = follows(loader, storage) ? follow(loader, object, storage, err) : place_once(loader, object, &storage, err);
        node->meaning = storage;
    }
    loader->part = (ptio_pickle_part *)(uintptr_t)outer;
    return status;
}

/* ---- tensors that say their device themselves ---- */

ptio_status ptio_place_device(ptio_loader *loader, const ptio_value *node, ptio_text device, ptio_text *ret, ptio_error *err)
{
    const ptio_map_location *map = map_of(loader);
    *ret = map->device ? ptio_text_of(map->device) : tag_of_table(map, device);
    if (map->callback)
        return REFUSE("location.callback",
                      "a tensor was saved as one of %s, not as a storage: no callback can be asked where it goes",
                      ptio_quote(device).text);
    return PTIO_OK;
}
