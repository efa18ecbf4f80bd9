/*
 * Persistent ids: how a pickle of torch.save names its storages.
 *
 *     ('storage', storage class, key, location, numel)              zip: the bytes are the record data/KEY
 *     ('storage', storage class, key, location, numel, view)        legacy stream: view is None or (view key, offset, numel)
 *
 * A storage is made at the first id with its key; later ids with that key are the same storage. The dtype is that of the first.
 * Source: torch/serialization.py, persistent_load of _load and _legacy_load
 */
#include "torch/handlers.h"
#include "torch/place.h"

static ptio_status bad_id(ptio_loader *loader, const ptio_node_persistent *node, ptio_error *err, const char *what)
{
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "persistent-id.form", err, "%s", what);
}

/* Keys of storages: str, also of Python 2; torch.package uses ints. */
static bool read_key(ptio_loader *loader, const ptio_value *value, ptio_text *ret)
{
    int64_t number;
    if (value->type == PTIO_NODE_TYPE_STR || value->type == PTIO_NODE_TYPE_PY2STR || value->type == PTIO_NODE_TYPE_BYTES) {
        *ret = ptio_node_text_of(value);
        return true;
    }
    if (value->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(value, &number) || number < 0)
        return false;
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)number);
    *ret = ptio_arena_text(&loader->ckpt->arena, (ptio_text){digits, (size_t)size});
    return ret->bytes != NULL;
}

/* ---- ids as text ---- */

/* Protocol 0 writes an id as str() of its tuple, which no PyTorch reads back, though its meaning is certain:
 *     ('storage', <class 'torch.FloatStorage'>, '0', 'cpu', 3)           and , None) behind it in a legacy stream */

static bool skip(ptio_text *text, const char *prefix)
{
    if (!ptio_text_starts(*text, prefix))
        return false;
    text->bytes += strlen(prefix);
    text->size -= strlen(prefix);
    return true;
}

/* What stands before `end`, which is skipped too. */
static bool take_until(ptio_text *text, const char *end, ptio_text *ret)
{
    for (size_t i = 0; i < text->size; i++) {
        if (ptio_text_starts((ptio_text){text->bytes + i, text->size - i}, end)) {
            *ret = (ptio_text){text->bytes, i};
            text->bytes += i + strlen(end);
            text->size -= i + strlen(end);
            return true;
        }
    }
    return false;
}

static ptio_status read_text_id(ptio_loader *loader, const ptio_node_persistent *node, ptio_storage_id *ret, ptio_error *err)
{
    ptio_text text = ptio_node_text_of(node->id), class_name, number;
    ptio_global *type = PTIO_NEW(&loader->ckpt->arena, ptio_global, 1);
    if (!type)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a storage");
    if (!skip(&text, "('storage', <class '") || !take_until(&text, "'>, '", &class_name) ||
        !take_until(&text, "', '", &ret->key) || !take_until(&text, "', ", &ret->location) ||
        !(take_until(&text, ", None)", &number) || take_until(&text, ")", &number)) || text.size)
        return bad_id(loader, node, err, "a persistent id is text, but not that of ('storage', class, key, location, numel)");
    size_t dot = class_name.size;
    while (dot && class_name.bytes[dot - 1] != '.')
        dot--;
    if (!dot ||
        !ptio_global_resolve(&loader->ckpt->arena, (ptio_text){class_name.bytes, dot - 1},
                             (ptio_text){class_name.bytes + dot, class_name.size - dot}, false, type) ||
        type->handler != PTIO_HANDLER_STORAGE_CLASS)
        return bad_id(loader, node, err, "the class in a persistent id is no storage class");
    ret->type = type;
    ret->view = NULL;
    ret->numel = 0;
    for (size_t i = 0; i < number.size; i++) {
        if (number.bytes[i] < '0' || number.bytes[i] > '9' || number.size > 18)
            return bad_id(loader, node, err, "the number of elements in a persistent id is no int");
        ret->numel = ret->numel * 10 + (uint64_t)(number.bytes[i] - '0');
    }
    return PTIO_OK;
}

/* ---- ids as tuples ---- */

static ptio_status check_size(ptio_loader *loader, const ptio_node_persistent *node, ptio_storage_id *id, ptio_error *err)
{
    if (ptio_mul_u64(id->numel, ptio_dtype_rows[id->type->dtype].itemsize, &id->nbytes) && id->nbytes <= INT64_MAX)
        return PTIO_OK;
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "storage.overflow", err,
                          "storage %s of %llu elements has more bytes than fit 63 bits", ptio_quote(id->key).text,
                          (unsigned long long)id->numel);
}

/* The items that thousands of ids have in common: the word, the class, the location. */
static ptio_status read_kind(ptio_loader *loader, const ptio_node_persistent *node, const ptio_value *const *items,
                             ptio_storage_id *ret, ptio_error *err)
{
    ptio_latest *latest = &loader->latest;
    if (items[0] == latest->id_word && items[1] == latest->id_type && items[3] == latest->id_location) {
        ret->type = latest->type;
        ret->location = latest->location;
        return PTIO_OK;
    }
    if (!ptio_node_is_str(items[0], "storage") &&
        !(items[0]->type == PTIO_NODE_TYPE_BYTES && ptio_text_is(ptio_node_text_of(items[0]), "storage")))
        return bad_id(loader, node, err, "a persistent id does not begin with 'storage'");
    ret->type = ptio_value_global(items[1]);
    if (!ret->type || ret->type->handler != PTIO_HANDLER_STORAGE_CLASS)
        return bad_id(loader, node, err, "the second item of a persistent id is no storage class");
    if (items[3]->type == PTIO_NODE_TYPE_INT || !read_key(loader, items[3], &ret->location))
        return bad_id(loader, node, err, "the location of a persistent id is no str");
    latest->id_word = items[0];
    latest->id_type = items[1];
    latest->id_location = items[3];
    latest->type = ret->type;
    latest->location = ret->location;
    return PTIO_OK;
}

ptio_status ptio_storage_id_read(ptio_loader *loader, ptio_node_persistent *node, ptio_storage_id *ret, ptio_error *err)
{
    const ptio_value *id = node->id;
    if ((node->head.flags & PTIO_NODE_TEXT_ID) && id->type == PTIO_NODE_TYPE_STR) {
        ptio_status status = read_text_id(loader, node, ret, err);
        return status == PTIO_OK ? check_size(loader, node, ret, err) : status;
    }
    if (id->type != PTIO_NODE_TYPE_TUPLE || id->count < 5 || id->count > 6)
        return bad_id(loader, node, err, "a persistent id is not a tuple ('storage', class, key, location, numel)");
    const ptio_value *const *items = PTIO_NODE(tuple, id)->items;
    ptio_status status = read_kind(loader, node, items, ret, err);
    if (status != PTIO_OK)
        return status;
    if (!read_key(loader, items[2], &ret->key))
        return bad_id(loader, node, err, "the key of a persistent id is no str");
    int64_t numel;
    if (items[4]->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(items[4], &numel) || numel < 0)
        return bad_id(loader, node, err, "the number of elements in a persistent id is no int, or less than 0");
    ret->numel = (uint64_t)numel;
    ret->view = id->count == 6 && items[5]->type != PTIO_NODE_TYPE_NONE ? items[5] : NULL;
    return check_size(loader, node, ret, err);
}

ptio_status ptio_storage_from_id(ptio_loader *loader, const ptio_storage_id *id, ptio_storage **ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_storage *storage = ptio_storage_new(ckpt->pool, &ckpt->arena);
    if (!storage)
        return ptio_heap_fail(&ckpt->heap, err, "a storage");
    const ptio_dtype_row *row = &ptio_dtype_rows[id->type->dtype];
    storage->key = id->key.bytes;
    storage->key_size = (uint32_t)id->key.size;
    storage->nbytes = id->nbytes;
    storage->dtype = id->type->dtype;
    storage->swap = id->type->untyped ? 1 : row->swap;
    uint8_t flags = id->type->untyped ? PTIO_STORAGE_UNTYPED : 0;
    if (loader->swap && storage->swap > 1)
        flags |= PTIO_STORAGE_SWAP;
    atomic_store_explicit(&storage->flags, flags, memory_order_relaxed);
    ptio_status status = ptio_storage_pool_location(ckpt->pool, id->location, &storage->location, err);
    *ret = storage;
    return status;
}

static ptio_status same_storage(ptio_loader *loader, const ptio_node_persistent *node, const ptio_storage_id *id,
                                const ptio_storage *storage, ptio_error *err)
{
    /* A callback may have put another one in its place. */
    if (id->nbytes == storage->nbytes || (loader->placing && loader->placing->map.callback))
        return PTIO_OK;
    return ptio_fail_node(loader, &node->head, PTIO_ERR_AMBIGUOUS, "storage.two-sizes", err,
                          "storage %s has %llu bytes here and %llu where it was named first", ptio_quote(id->key).text,
                          (unsigned long long)id->nbytes, (unsigned long long)storage->nbytes);
}

/* The record whose name is `before`, the key, `after`. */
static size_t find_record(const ptio_loader *loader, const char *before, ptio_text key, const char *after)
{
    char name[256];
    size_t first = strlen(before), last = strlen(after);
    if (first + last > sizeof name || key.size > sizeof name - first - last)
        return SIZE_MAX;
    memcpy(name, before, first);
    memcpy(name + first, key.bytes, key.size);
    memcpy(name + first + key.size, after, last);
    return ptio_archive_lookup_in_root(loader->ckpt->archive, (ptio_text){name, first + key.size + last});
}

/* Writers lay storages out in the order in which the pickle names them, or nearly so: most often the record is the one behind that of
 * the storage before, and its name need not be looked up. */
static bool is_next_record(const ptio_loader *loader, ptio_text key)
{
    const ptio_archive *archive = loader->ckpt->archive;
    size_t root = archive->root.size;
    if (loader->next_record >= archive->count || loader->persistent_context)
        return false;
    const ptio_entry *entry = &archive->entries[loader->next_record];
    return entry->name_size == root + 6 + key.size && (entry->is_numbered || memcmp(entry->name + root, "/data/", 6) == 0) &&
           memcmp(entry->name + root + 6, key.bytes, key.size) == 0;
}

/* The record of a key: data/KEY; tensors/KEY as 1.4 wrote it; .data/KEY.storage of torch.package; or the key itself. Pickles of
 * TorchScript beside data.pkl have folders of their own: then the context is that folder, such as "constants/". */
static size_t record_of(ptio_loader *loader, ptio_text key)
{
    static const struct {
        const char *before, *after;
    } forms[] = {{"data/", ""}, {"tensors/", ""}, {".data/", ".storage"}, {"", ""}};
    if (is_next_record(loader, key))
        return loader->next_record++;
    if (loader->persistent_context)
        return find_record(loader, loader->persistent_context, key, "");
    size_t record = SIZE_MAX;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && record == SIZE_MAX; i++)
        record = find_record(loader, forms[i].before, key, forms[i].after);
    loader->next_record = record == SIZE_MAX ? 0 : record + 1;
    return record;
}

static ptio_status check_record(ptio_loader *loader, const ptio_node_persistent *node, const ptio_storage_id *id, size_t record,
                                ptio_error *err)
{
    const ptio_entry *entry = &loader->ckpt->archive->entries[record];
    if (entry->size == id->nbytes)
        return PTIO_OK;
    return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "storage.size", err,
                          "storage %s has %llu elements of %u bytes, its record has %llu bytes", ptio_quote(id->key).text,
                          (unsigned long long)id->numel, ptio_dtype_rows[id->type->dtype].itemsize,
                          (unsigned long long)entry->size);
}

/* Storages on the meta device have no bytes: torch.jit.save gives them empty records, torch.save refuses them. Any other storage with
 * that tag is one with bytes, since a tag is only where it was. */
static bool is_meta(const ptio_loader *loader, const ptio_storage_id *id, size_t record)
{
    return loader->ckpt->container == PTIO_CONTAINER_TORCHSCRIPT && ptio_text_is(id->location, "meta") &&
           !loader->ckpt->archive->entries[record].size;
}

ptio_status ptio_persistent_zip(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    ptio_storage_id id;
    ptio_status status = ptio_storage_id_read(loader, node, &id, err);
    if (status != PTIO_OK)
        return status;
    ptio_archive *archive = loader->ckpt->archive;
    size_t record = record_of(loader, id.key);
    if (record == SIZE_MAX)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "storage.missing", err,
                              "storage %s has no record in the archive", ptio_quote(id.key).text);
    node->head.seen = PTIO_KIND_STORAGE;
    bool meta = is_meta(loader, &id, record);
    ptio_storage **known = &loader->by_record[record];
    if (*known) {
        node->meaning = *known;
        if ((status = same_storage(loader, node, &id, *known, err)) != PTIO_OK || id.nbytes)
            return status;
        /* PyTorch makes an empty storage anew at each visit, of the dtype of that visit. */
    } else if (!meta && !ptio_placing_is_meta(loader) && (status = check_record(loader, node, &id, record, err)) != PTIO_OK) {
        return status;
    }
    ptio_storage *storage;
    if ((status = ptio_storage_from_id(loader, &id, &storage, err)) != PTIO_OK)
        return status;
    storage->origin = &ptio_storage_of_record;
    storage->origin_data = archive;
    storage->origin_index = record;
    if (meta)
        atomic_fetch_or_explicit(&storage->flags, PTIO_STORAGE_META, memory_order_relaxed);
    else
        status = ptio_place_storage(loader, &node->head, &storage, err);
    *known = storage;
    node->meaning = storage;
    return status;
}
