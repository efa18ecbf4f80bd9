/*
 * The tar container of torch.save before 0.1.10: members `storages`, `tensors` and `pickle`, each a stream.
 *
 *     storages   pickle n | n times: pickle (key, location, class), i64 count, elements | pickle [(target, root, offset, numel), …]
 *     tensors    pickle n | n times: pickle (key, storage key, class), i32 ndim, 4 bytes, ndim i64 sizes, ndim i64 strides, i64 offset
 *     pickle     the object; persistent ids are keys of the two tables, or (class, file, source)
 *
 * Source: torch/serialization.py, legacy_load inside _legacy_load
 */
#include "torch/handlers.h"

#include <string.h>

#include "base/cursor.h"
#include "torch/place.h"

/** A key of either table and what it stands for. */
typedef struct tar_row {
    int64_t key;
    const ptio_storage *storage; /* or */
    const ptio_tensor *tensor;
} tar_row;

typedef struct tar_state {
    ptio_loader *loader;
    const char *member;
    size_t record;
    ptio_text bytes; /* of the member                                            */
    size_t at;
    tar_row *rows; /* in the order of the file                                 */
    size_t count, capacity;
    uint32_t *slots;   /* hash table of keys: row + 1, 0 empty; twice as many as rows have room */
    size_t slot_count; /* a power of two                                           */
} tar_state;

static ptio_status bad(const tar_state *s, ptio_error *err, const char *reason, const char *what)
{
    return ptio_error_in_record(err, ptio_fail(err, PTIO_ERR_FORMAT, reason, s->at, "%s", what), ptio_text_of(s->member));
}

/* The member's bytes, read into memory whole: a tar is small, being of 2016, and its storages are inside. */
static ptio_status open_member(tar_state *s, const char *name, ptio_error *err)
{
    ptio_archive *archive = s->loader->ckpt->archive;
    s->member = name;
    s->at = 0;
    s->record = ptio_archive_lookup(archive, ptio_text_of(name));
    if (s->record == SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_FORMAT, "tar.member", s->loader->ckpt->start,
                         "the tar file has no member %s, so it is no checkpoint", name);
    uint64_t offset;
    const ptio_entry *entry = &archive->entries[s->record];
    ptio_status status = ptio_archive_locate(archive, s->record, &offset, err);
    if (status != PTIO_OK)
        return status;
    const uint8_t *view = ptio_source_view(archive->source, offset, entry->size);
    if (view) {
        s->bytes = (ptio_text){(const char *)view, (size_t)entry->size};
        return PTIO_OK;
    }
    if (entry->size > SIZE_MAX)
        return ptio_fail_memory(err, "a member of a tar file");
    uint8_t *bytes = ptio_checkpoint_buffer(s->loader->ckpt, (size_t)entry->size);
    if (!bytes)
        return ptio_heap_fail(&s->loader->ckpt->heap, err, "a member of a tar file");
    s->bytes = (ptio_text){(const char *)bytes, (size_t)entry->size};
    return ptio_source_read(archive->source, offset, bytes, (size_t)entry->size, err);
}

static ptio_status next_pickle(tar_state *s, const ptio_value **root, ptio_error *err)
{
    uint64_t state = 0, need = 1;
    const uint8_t *start = (const uint8_t *)s->bytes.bytes + s->at;
    ptio_loader *loader = s->loader;
    ptio_status status = ptio_pickle_scan(start, s->bytes.size - s->at, &loader->ckpt->limits, &state, &need, err);
    if (status == PTIO_OK && need)
        return bad(s, err, "cut-off", "the member is cut off in a pickle");
    ptio_pickle_part *part;
    if (status == PTIO_OK)
        status = ptio_loader_run(loader, (ptio_text){(const char *)start, (size_t)state}, ptio_text_of(s->member), PTIO_NO_OFFSET,
                                 &part, err);
    if (status == PTIO_OK)
        status = ptio_interpret(loader, part, err);
    if (status != PTIO_OK) {
        if (err && err->offset != PTIO_NO_OFFSET)
            err->offset += s->at; /* it counts from the beginning of the pickle */
        return ptio_error_in_record(err, status, ptio_text_of(s->member));
    }
    s->at += (size_t)state;
    *root = part->graph.root;
    return PTIO_OK;
}

static const uint8_t *take(tar_state *s, uint64_t size)
{
    if (size > s->bytes.size - s->at)
        return NULL;
    const uint8_t *taken = (const uint8_t *)s->bytes.bytes + s->at;
    s->at += (size_t)size;
    return taken;
}

/* The slot of a key: its own, or the empty one where it would go. */
static uint32_t *slot_of(const tar_state *s, int64_t key)
{
    size_t at = (size_t)((uint64_t)key * 0x9E3779B97F4A7C15u >> 20) & (s->slot_count - 1);
    while (s->slots[at] && s->rows[s->slots[at] - 1].key != key)
        at = (at + 1) & (s->slot_count - 1);
    return &s->slots[at];
}

static tar_row *find_row(const tar_state *s, int64_t key)
{
    uint32_t row = s->slot_count ? *slot_of(s, key) : 0;
    return row ? &s->rows[row - 1] : NULL;
}

static bool grow_slots(tar_state *s)
{
    size_t wanted = s->slot_count ? s->slot_count * 2 : 64;
    uint32_t *slots = ptio_heap_resize(&s->loader->ckpt->heap, NULL, 0, wanted * sizeof *slots);
    if (!slots)
        return false;
    ptio_heap_free(&s->loader->ckpt->heap, s->slots, s->slot_count * sizeof *slots);
    memset(slots, 0, wanted * sizeof *slots);
    s->slots = slots;
    s->slot_count = wanted;
    for (size_t i = 0; i < s->count; i++)
        *slot_of(s, s->rows[i].key) = (uint32_t)i + 1;
    return true;
}

static ptio_status add_row(tar_state *s, tar_row row, ptio_error *err)
{
    ptio_heap *heap = &s->loader->ckpt->heap;
    if (find_row(s, row.key))
        return ptio_error_in_record(err,
                                    ptio_fail(err, PTIO_ERR_AMBIGUOUS, "tar.key", s->at, "two storages or tensors have one key"),
                                    ptio_text_of(s->member));
    if (s->count == s->capacity) {
        tar_row *moved = ptio_heap_grow(heap, s->rows, &s->capacity, s->count + 1, sizeof *s->rows);
        if (!moved)
            return ptio_heap_fail(heap, err, "a table of tensors");
        s->rows = moved;
    }
    if (s->count * 2 >= s->slot_count && !grow_slots(s))
        return ptio_heap_fail(heap, err, "a table of tensors");
    s->rows[s->count++] = row;
    *slot_of(s, row.key) = (uint32_t)s->count;
    return PTIO_OK;
}

/* (key, location or storage key, class) */
static bool read_triple(const ptio_value *value, int64_t *key, const ptio_value **second, const ptio_global **type)
{
    if (value->type != PTIO_NODE_TYPE_TUPLE || value->count != 3 || !ptio_node_int64(ptio_tuple_item(value, 0), key))
        return false;
    *second = ptio_tuple_item(value, 1);
    *type = ptio_value_global(ptio_tuple_item(value, 2));
    return *type != NULL;
}

static ptio_status read_storage(tar_state *s, ptio_error *err)
{
    const ptio_value *root, *location;
    const ptio_global *type;
    tar_row row = {0};
    ptio_status status = next_pickle(s, &root, err);
    if (status != PTIO_OK)
        return status;
    if (!read_triple(root, &row.key, &location, &type) || type->handler != PTIO_HANDLER_STORAGE_CLASS ||
        (location->type != PTIO_NODE_TYPE_STR && location->type != PTIO_NODE_TYPE_PY2STR))
        return bad(s, err, "tar.storage", "an entry of the table of storages is not (key, location, storage class)");
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)row.key);
    ptio_storage_id id = {.type = type, .location = ptio_node_text_of(location)};
    id.key = ptio_arena_text(&s->loader->ckpt->arena, (ptio_text){digits, (size_t)size});
    const uint8_t *count = take(s, 8);
    if (!id.key.bytes)
        return ptio_heap_fail(&s->loader->ckpt->heap, err, "a storage");
    if (!count || !ptio_mul_u64(ptio_load_u64(count), ptio_dtype_rows[type->dtype].itemsize, &id.nbytes))
        return bad(s, err, "cut-off", "the member is cut off where the number of elements of a storage should be");
    ptio_storage *storage;
    if ((status = ptio_storage_from_id(s->loader, &id, &storage, err)) != PTIO_OK)
        return status;
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = take(s, id.nbytes);
    if (!storage->origin_data)
        return bad(s, err, "cut-off", "a storage has fewer bytes left than its number of elements needs");
    if ((status = ptio_place_storage(s->loader, NULL, &storage, err)) != PTIO_OK)
        return status;
    row.storage = storage;
    return add_row(s, row, err);
}

/* (target key, root key, offset, numel): a slice of a storage, in elements. */
static ptio_status add_view(tar_state *s, const ptio_value *view, ptio_error *err)
{
    int64_t target, root, offset, numel;
    if (view->type != PTIO_NODE_TYPE_TUPLE || view->count != 4 || !ptio_node_int64(ptio_tuple_item(view, 0), &target) ||
        !ptio_node_int64(ptio_tuple_item(view, 1), &root) || !ptio_node_int64(ptio_tuple_item(view, 2), &offset) ||
        !ptio_node_int64(ptio_tuple_item(view, 3), &numel))
        return bad(s, err, "tar.view", "a storage view is not (target, root, offset, numel)");
    const tar_row *base = find_row(s, root);
    if (!base || !base->storage)
        return bad(s, err, "tar.view", "a storage view is of a storage that is not there");
    uint64_t itemsize = ptio_dtype_rows[base->storage->dtype].itemsize, most = base->storage->nbytes / itemsize;
    if (offset < 0 || numel < 0 || (uint64_t)offset > most || (uint64_t)numel > most - (uint64_t)offset)
        return bad(s, err, "tar.view", "a storage view goes beyond the end of its storage");
    ptio_storage *slice = ptio_storage_new(s->loader->ckpt->pool, &s->loader->ckpt->arena);
    if (!slice)
        return ptio_heap_fail(&s->loader->ckpt->heap, err, "a storage");
    slice->origin = &ptio_storage_of_slice;
    slice->origin_data = base->storage;
    slice->origin_index = (uint64_t)offset * itemsize;
    slice->nbytes = (uint64_t)numel * itemsize;
    slice->dtype = base->storage->dtype;
    slice->swap = base->storage->swap;
    slice->location = base->storage->location;
    if (ptio_storage_is_meta(base->storage))
        atomic_fetch_or_explicit(&slice->flags, PTIO_STORAGE_META, memory_order_relaxed);
    slice->key = base->storage->key;
    slice->key_size = base->storage->key_size;
    return add_row(s, (tar_row){.key = target, .storage = slice}, err);
}

/* How many entries a table has: each takes a byte at least. */
static ptio_status read_table_size(tar_state *s, int64_t *count, ptio_error *err)
{
    const ptio_value *root;
    ptio_status status = next_pickle(s, &root, err);
    if (status == PTIO_OK && (!ptio_node_int64(root, count) || *count < 0 || (uint64_t)*count > s->bytes.size))
        return bad(s, err, "tar.count", "the table does not begin with the number of its entries");
    return status;
}

static ptio_status read_storages(tar_state *s, ptio_error *err)
{
    int64_t count = 0;
    ptio_status status = open_member(s, "storages", err);
    if (status == PTIO_OK)
        status = read_table_size(s, &count, err);
    for (int64_t i = 0; i < count && status == PTIO_OK; i++)
        status = read_storage(s, err);
    const ptio_value *views;
    size_t view_count;
    if (status == PTIO_OK)
        status = next_pickle(s, &views, err);
    if (status != PTIO_OK)
        return status;
    const ptio_value *const *items = ptio_value_items(views, &view_count);
    if (!items)
        return bad(s, err, "tar.view", "the list of storage views is no list");
    for (size_t i = 0; i < view_count && status == PTIO_OK; i++)
        status = add_view(s, items[i], err);
    return status;
}

static ptio_status read_tensor(tar_state *s, ptio_error *err)
{
    const ptio_value *root, *storage_key;
    const ptio_global *type;
    tar_row row = {0};
    int64_t key;
    ptio_status status = next_pickle(s, &root, err);
    if (status != PTIO_OK)
        return status;
    if (!read_triple(root, &row.key, &storage_key, &type) || !ptio_node_int64(storage_key, &key))
        return bad(s, err, "tar.tensor", "an entry of the table of tensors is not (key, storage key, tensor class)");
    const uint8_t *ndim_bytes = take(s, 8); /* the second half is not looked at: ndim was written as 8 bytes once */
    uint32_t ndim = ndim_bytes ? ptio_load_u32(ndim_bytes) : 0;
    if (!ndim_bytes || ndim > PTIO_MOST_DIMENSIONS)
        return bad(s, err, "tar.tensor", "a tensor has more than 64 dimensions, or none are told");
    const uint8_t *numbers = take(s, 16 * (uint64_t)ndim + 8);
    const tar_row *base = find_row(s, key);
    if (!numbers || !base || !base->storage)
        return bad(s, err, "tar.tensor", "a tensor has no storage, or its sizes are cut off");
    int64_t dims[2 * PTIO_MOST_DIMENSIONS + 1];
    for (size_t i = 0; i < 2 * (size_t)ndim + 1; i++)
        dims[i] = (int64_t)ptio_load_u64(numbers + 8 * i);
    ptio_tensor_spec spec = {.dtype = (ptio_dtype)base->storage->dtype,
                             .ndim = ndim,
                             .shape = dims,
                             .stride = dims + ndim,
                             .storage_offset = dims[2 * ndim],
                             .storage = base->storage};
    if (ptio_storage_is_meta(base->storage)) {
        spec.flags = PTIO_TENSOR_META;
        spec.storage = NULL;
    }
    status = ptio_tensor_new(&s->loader->ckpt->arena, &spec, &row.tensor, err);
    if (status != PTIO_OK) {
        if (err && err->offset == PTIO_NO_OFFSET)
            err->offset = s->at;
        return ptio_error_in_record(err, status, ptio_text_of(s->member));
    }
    return add_row(s, row, err);
}

static ptio_status read_tensors(tar_state *s, ptio_error *err)
{
    int64_t count = 0;
    ptio_status status = open_member(s, "tensors", err);
    if (status == PTIO_OK)
        status = read_table_size(s, &count, err);
    for (int64_t i = 0; i < count && status == PTIO_OK; i++)
        status = read_tensor(s, err);
    return status;
}

static bool key_of(const ptio_value *id, int64_t *key)
{
    if (ptio_node_int64(id, key))
        return true;
    if (id->type != PTIO_NODE_TYPE_STR && id->type != PTIO_NODE_TYPE_PY2STR)
        return false;
    ptio_text text = ptio_node_text_of(id);
    bool negative = text.size && text.bytes[0] == '-';
    size_t i = negative;
    if (i == text.size)
        return false;
    int64_t number = 0;
    for (; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || !ptio_mul_i64(number, 10, &number) ||
            !ptio_add_i64(number, text.bytes[i] - '0', &number))
            return false;
    }
    *key = negative ? -number : number;
    return true;
}

static ptio_status persistent_tar(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    const tar_state *s = loader->persistent_context;
    int64_t key;
    if (node->id->type == PTIO_NODE_TYPE_TUPLE && node->id->count == 3 && ptio_value_global(ptio_tuple_item(node->id, 0))) {
        node->head.seen = PTIO_KIND_GLOBAL;
        node->meaning = ptio_value_global(ptio_tuple_item(node->id, 0));
        return PTIO_OK;
    }
    const tar_row *row = key_of(node->id, &key) ? find_row(s, key) : NULL;
    if (!row)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "persistent-id.form", err,
                              "a persistent id is no key of a storage or tensor of the file");
    node->head.seen = row->tensor ? PTIO_KIND_TENSOR : PTIO_KIND_STORAGE;
    node->meaning = row->tensor ? (const void *)row->tensor : row->storage;
    return PTIO_OK;
}

static ptio_status read_object(tar_state *s, ptio_error *err)
{
    ptio_status status = open_member(s, "pickle", err);
    if (status == PTIO_OK)
        status = next_pickle(s, &s->loader->ckpt->root, err);
    if (status != PTIO_OK)
        return status;
    /* The object's own pickle is the first part, as in every container. */
    ptio_checkpoint *ckpt = s->loader->ckpt;
    ptio_pickle_part **link = &ckpt->parts;
    while ((*link)->next)
        link = &(*link)->next;
    ptio_pickle_part *own = *link;
    *link = NULL;
    own->next = ckpt->parts;
    ckpt->parts = own;
    return PTIO_OK;
}

ptio_status ptio_load_tar(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_TAR;
    ptio_status status =
        ptio_tar_open(ckpt->source, ckpt->start, &ckpt->limits, &ckpt->heap, loader->report, &ckpt->archive, err);
    if (status != PTIO_OK)
        return status;
    ckpt->end = ckpt->archive->end;
    tar_state s = {.loader = loader};
    loader->persistent_load = persistent_tar;
    loader->persistent_context = &s;
    loader->swap = PTIO_HOST_BIG_ENDIAN;
    status = read_storages(&s, err);
    if (status == PTIO_OK)
        status = read_tensors(&s, err);
    if (status == PTIO_OK)
        status = read_object(&s, err);
    ptio_heap_free(&ckpt->heap, s.rows, s.capacity * sizeof *s.rows);
    ptio_heap_free(&ckpt->heap, s.slots, s.slot_count * sizeof *s.slots);
    return status;
}
