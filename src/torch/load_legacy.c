/*
 * The legacy stream of torch.save from 0.1.10 to 1.5, and since by option: five pickles and the raw storages, back to back.
 *
 *     magic 0x1950A86A20F9469CFC6C | protocol 1001 | sys_info | the object | [key, …] | for each key: i64 count, the elements
 *
 * Nothing tells a length, so each pickle is scanned for its end. Storages are not read but skipped over by their counts; their table
 * becomes the archive. Data are little-endian, whatever machine wrote them (sys_info is not looked at, as in PyTorch).
 *
 * The same stream lies inside the bytes of a plain pickle.dump of tensors: torch.storage._load_from_bytes (ptio_load_embedded).
 *
 * Source: torch/serialization.py, _legacy_load; torch/csrc/serialization.cpp
 */
#include "torch/handlers.h"

#include <string.h>

#include "base/cursor.h"
#include "torch/place.h"

#define MOST_EMBEDDED 4

/* A storage of the stream, found by its key. */
typedef struct keyed_storage {
    ptio_text key;
    ptio_storage *storage; /* NULL until an id with this key was met                                     */
    bool is_view;          /* key of a view: a slice of another storage                                  */
    bool listed;           /* its data follow the pickles                                                */
} keyed_storage;

/** The storages of one stream by key: a hash table that doubles. */
typedef struct storage_table {
    keyed_storage *rows;
    size_t count, capacity; /* capacity is 0 or a power of two                                            */
    uint64_t hash_key;
} storage_table;

static keyed_storage *find_key(const storage_table *table, ptio_text key)
{
    if (!table->capacity)
        return NULL;
    size_t at = (size_t)ptio_hash(table->hash_key, key.bytes, key.size) & (table->capacity - 1);
    while (table->rows[at].key.bytes) {
        if (ptio_text_equal(table->rows[at].key, key))
            return &table->rows[at];
        at = (at + 1) & (table->capacity - 1);
    }
    return &table->rows[at];
}

/* The row of a key, made if it is new; NULL where there is no memory. */
static keyed_storage *row_of(ptio_heap *heap, storage_table *table, ptio_text key)
{
    if (table->count * 2 >= table->capacity) {
        storage_table grown = {.capacity = table->capacity ? table->capacity * 2 : 64, .hash_key = table->hash_key};
        grown.rows = ptio_heap_resize(heap, NULL, 0, grown.capacity * sizeof *grown.rows);
        if (!grown.rows)
            return NULL;
        memset(grown.rows, 0, grown.capacity * sizeof *grown.rows);
        for (size_t i = 0; i < table->capacity; i++) {
            if (table->rows[i].key.bytes)
                *find_key(&grown, table->rows[i].key) = table->rows[i];
        }
        grown.count = table->count;
        ptio_heap_free(heap, table->rows, table->capacity * sizeof *table->rows);
        *table = grown;
    }
    keyed_storage *row = find_key(table, key);
    if (!row->key.bytes) {
        row->key = key;
        table->count++;
    }
    return row;
}

static void free_table(ptio_heap *heap, storage_table *table)
{
    ptio_heap_free(heap, table->rows, table->capacity * sizeof *table->rows);
}

/* ('module', class, source file, source): the first use of a class of modules; it stands for the class. */
static bool is_module_id(const ptio_node_persistent *node)
{
    return node->id->type == PTIO_NODE_TYPE_TUPLE && node->id->count == 4 &&
           ptio_node_is_str(ptio_tuple_item(node->id, 0), "module") && ptio_value_global(ptio_tuple_item(node->id, 1));
}

/* (view key, offset in elements, numel): a slice of the root storage, shared by all who name the view. */
static ptio_status storage_view(ptio_loader *loader, ptio_node_persistent *node, storage_table *table, const ptio_storage_id *id,
                                ptio_storage *base, ptio_error *err)
{
    int64_t offset, numel;
    size_t itemsize = ptio_dtype_rows[base->dtype].itemsize;
    const ptio_value *view = id->view;
    uint64_t first, nbytes;
    if (view->type != PTIO_NODE_TYPE_TUPLE || view->count != 3 || !ptio_node_int64(ptio_tuple_item(view, 1), &offset) ||
        !ptio_node_int64(ptio_tuple_item(view, 2), &numel) || offset < 0 || numel < 0 ||
        ptio_tuple_item(view, 0)->type > PTIO_NODE_TYPE_PY2STR || ptio_tuple_item(view, 0)->type < PTIO_NODE_TYPE_STR)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "storage.view", err,
                              "the view of a storage is not (key, offset, numel)");
    if (!ptio_mul_u64((uint64_t)offset, itemsize, &first) || !ptio_mul_u64((uint64_t)numel, itemsize, &nbytes) ||
        first > base->nbytes || nbytes > base->nbytes - first)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_FORMAT, "storage.view", err,
                              "the view of storage %s goes beyond its end", ptio_quote(id->key).text);
    keyed_storage *row = row_of(&loader->ckpt->heap, table, ptio_node_text_of(ptio_tuple_item(view, 0)));
    if (!row)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a storage");
    if (!row->storage) {
        ptio_status status = ptio_storage_from_id(loader, id, &row->storage, err);
        if (status != PTIO_OK)
            return status;
        row->is_view = true;
        row->storage->nbytes = nbytes;
        row->storage->key = row->key.bytes;
        row->storage->key_size = (uint32_t)row->key.size;
        row->storage->origin = &ptio_storage_of_slice;
        row->storage->origin_data = base;
        row->storage->origin_index = first;
        /* The base has swapped its bytes when a slice of it is read. */
        atomic_store_explicit(&row->storage->flags, atomic_load(&row->storage->flags) & (uint8_t)~PTIO_STORAGE_SWAP,
                              memory_order_relaxed);
    } else if (!row->is_view || row->storage->nbytes != nbytes || row->storage->origin_data != base ||
               row->storage->origin_index != first) {
        return ptio_fail_node(loader, &node->head, PTIO_ERR_AMBIGUOUS, "storage.view", err,
                              "two views of one key are not the same slice");
    }
    node->meaning = row->storage;
    return PTIO_OK;
}

static ptio_status persistent_legacy(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err)
{
    storage_table *table = loader->persistent_context;
    if (is_module_id(node)) {
        node->head.seen = PTIO_KIND_GLOBAL;
        node->meaning = ptio_value_global(ptio_tuple_item(node->id, 1));
        return PTIO_OK;
    }
    ptio_storage_id id;
    ptio_status status = ptio_storage_id_read(loader, node, &id, err);
    if (status != PTIO_OK)
        return status;
    node->head.seen = PTIO_KIND_STORAGE;
    keyed_storage *row = row_of(&loader->ckpt->heap, table, id.key);
    if (!row)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a storage");
    ptio_storage *base = row->storage;
    if (base && base->nbytes != id.nbytes)
        return ptio_fail_node(loader, &node->head, PTIO_ERR_AMBIGUOUS, "storage.two-sizes", err,
                              "storage %s has %llu bytes here and %llu where it was named first", ptio_quote(id.key).text,
                              (unsigned long long)id.nbytes, (unsigned long long)base->nbytes);
    if (!base || !id.nbytes) {
        if ((status = ptio_storage_from_id(loader, &id, &base, err)) != PTIO_OK)
            return status;
        base->origin = &ptio_storage_of_zeros;
        base->origin_data = row->storage; /* of an empty one made anew: the first with this key */
        row->storage = row->storage ? row->storage : base;
    }
    node->meaning = base;
    return id.view ? storage_view(loader, node, table, &id, base, err) : PTIO_OK;
}

/* ---- the pickles ---- */

/** Where a stream lies: in the source, or in bytes inside a pickle. */
typedef struct stream {
    ptio_loader *loader;
    const uint8_t *memory; /* NULL: the source                                                           */
    uint64_t size;         /* of the memory or the source: where the stream must end                     */
    uint64_t at;           /* what comes next                                                            */
} stream;

/* Run the next pickle of the stream. */
static ptio_status next_pickle(stream *s, const char *name, ptio_pickle_part **ret, ptio_error *err)
{
    ptio_text bytes;
    ptio_status status;
    if (s->memory) {
        uint64_t state = 0, need = 1;
        const uint8_t *start = s->memory + s->at;
        status = ptio_pickle_scan(start, (size_t)(s->size - s->at), &s->loader->ckpt->limits, &state, &need, err);
        if (status == PTIO_OK && need)
            status = ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", s->size, "a legacy stream inside bytes is cut off at byte %llu",
                               (unsigned long long)s->size);
        bytes = (ptio_text){(const char *)start, (size_t)state};
    } else {
        status = ptio_loader_fetch_pickle(s->loader, s->at, &bytes, err);
    }
    if (status != PTIO_OK)
        return status;
    status = ptio_loader_run(s->loader, bytes, ptio_text_of(name), s->memory ? PTIO_NO_OFFSET : s->at, ret, err);
    s->at += bytes.size;
    return status;
}

static bool is_magic(const ptio_value *value)
{
    static const uint8_t magic[10] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
    return value->type == PTIO_NODE_TYPE_INT && (value->flags & PTIO_NODE_BIG) && value->count == sizeof magic &&
           memcmp(PTIO_NODE(int, value)->u.bytes, magic, sizeof magic) == 0;
}

static ptio_status read_header(stream *s, ptio_error *err)
{
    ptio_pickle_part *part;
    int64_t version;
    uint64_t start = s->at;
    ptio_status status = next_pickle(s, "magic", &part, err);
    if (status == PTIO_OK && !is_magic(part->graph.root))
        status = ptio_fail(err, PTIO_ERR_FORMAT, "legacy.magic", start,
                           "the stream does not begin with the magic number of torch.save");
    start = s->at;
    if (status == PTIO_OK)
        status = next_pickle(s, "protocol", &part, err);
    if (status == PTIO_OK && (!ptio_node_int64(part->graph.root, &version) || version != 1001))
        status = ptio_fail(err, PTIO_ERR_UNSUPPORTED, "legacy.version", start, "the protocol version of the stream is not 1001");
    if (status == PTIO_OK)
        status = next_pickle(s, "sys_info", &part, err);
    if (status == PTIO_OK && part->graph.dialect.python2)
        s->loader->python2 = true; /* the object may hold no string that would tell */
    return status;
}

/* ---- the storages ---- */

/* Add data/KEY to the archive; its bytes begin at `offset`. */
static ptio_status place_storage(stream *s, keyed_storage *row, uint64_t offset, ptio_error *err)
{
    ptio_checkpoint *ckpt = s->loader->ckpt;
    if (s->memory) {
        row->storage->origin = &ptio_storage_of_memory;
        row->storage->origin_data = s->memory + offset;
        return PTIO_OK;
    }
    char name[160];
    if (row->key.size > sizeof name - 5)
        return ptio_fail(err, PTIO_ERR_LIMIT, "storage.key", offset, "the key of a storage has %zu bytes", row->key.size);
    memcpy(name, "data/", 5);
    memcpy(name + 5, row->key.bytes, row->key.size);
    row->storage->origin = &ptio_storage_of_record;
    row->storage->origin_data = ckpt->archive;
    row->storage->origin_index = ckpt->archive->count;
    return ptio_archive_add(ckpt->archive, (ptio_text){name, row->key.size + 5}, offset, row->storage->nbytes, err);
}

/* The count of elements in front of a storage. */
static ptio_status read_count(stream *s, uint64_t *ret, ptio_error *err)
{
    uint8_t bytes[8] = {0};
    ptio_status status = PTIO_OK;
    if (s->size - s->at < sizeof bytes)
        status = ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", s->size, "the file is cut off at byte %llu, where the storages are",
                           (unsigned long long)s->size);
    else if (s->memory)
        memcpy(bytes, s->memory + s->at, sizeof bytes);
    else
        status = ptio_source_read(s->loader->ckpt->source, s->at, bytes, sizeof bytes, err);
    *ret = ptio_load_u64(bytes);
    return status;
}

static ptio_status index_storage(stream *s, storage_table *table, const ptio_value *key, ptio_error *err)
{
    if (key->type != PTIO_NODE_TYPE_STR && key->type != PTIO_NODE_TYPE_PY2STR)
        return ptio_fail(err, PTIO_ERR_FORMAT, "legacy.keys", s->at, "a storage key is no str");
    ptio_text text = ptio_node_text_of(key);
    keyed_storage *row = find_key(table, text);
    if (!row || !row->key.bytes || !row->storage || row->is_view)
        return ptio_fail(err, PTIO_ERR_FORMAT, "legacy.keys", s->at, "storage %s is in the list of keys, but nothing uses it",
                         ptio_quote(text).text);
    if (row->listed)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "legacy.keys", s->at, "storage %s is twice in the list of keys",
                         ptio_quote(text).text);
    row->listed = true;
    uint64_t count, nbytes, start = s->at;
    ptio_status status = read_count(s, &count, err);
    if (status != PTIO_OK)
        return status;
    size_t itemsize = ptio_dtype_rows[row->storage->dtype].itemsize;
    if (!ptio_mul_u64(count, itemsize, &nbytes) || nbytes != row->storage->nbytes)
        return ptio_fail(err, PTIO_ERR_FORMAT, "storage.size", start,
                         "storage %s has %llu elements in the stream, %llu in its id", ptio_quote(text).text,
                         (unsigned long long)count, (unsigned long long)(row->storage->nbytes / itemsize));
    s->at += 8;
    if (nbytes > s->size - s->at)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", s->size,
                         "the file is cut off at byte %llu: storage %s needs %llu bytes from byte %llu on",
                         (unsigned long long)s->size, ptio_quote(text).text, (unsigned long long)nbytes,
                         (unsigned long long)s->at);
    status = place_storage(s, row, s->at, err);
    s->at += nbytes;
    return status;
}

static ptio_status index_storages(stream *s, storage_table *table, ptio_error *err)
{
    ptio_pickle_part *keys;
    uint64_t start = s->at;
    ptio_status status = next_pickle(s, "keys", &keys, err);
    if (status != PTIO_OK)
        return status;
    size_t count;
    const ptio_value *const *items = ptio_value_items(keys->graph.root, &count);
    if (!items || keys->graph.root->type != PTIO_NODE_TYPE_LIST)
        return ptio_fail(err, PTIO_ERR_FORMAT, "legacy.keys", start, "the list of storage keys is no list");
    for (size_t i = 0; i < count && status == PTIO_OK; i++)
        status = index_storage(s, table, items[i], err);
    for (size_t i = 0; i < table->capacity && status == PTIO_OK; i++) {
        const keyed_storage *row = &table->rows[i];
        if (row->storage && !row->is_view && !row->listed && row->storage->nbytes)
            status = ptio_fail(err, PTIO_ERR_FORMAT, "legacy.keys", start, "storage %s is used, but not in the list of keys",
                               ptio_quote(row->key).text);
    }
    return status;
}

/* The whole stream. *ret is its object. */
static ptio_status run_stream(stream *s, const ptio_value **ret, ptio_error *err)
{
    ptio_loader *loader = s->loader;
    storage_table table = {.hash_key = ptio_os_random()};
    ptio_pickle_part *part = NULL;
    ptio_persistent_load outer_load = loader->persistent_load;
    void *outer_context = loader->persistent_context;
    bool outer_swap = loader->swap;
    loader->persistent_load = persistent_legacy;
    loader->persistent_context = &table;
    loader->swap = PTIO_HOST_BIG_ENDIAN;
    ptio_status status = read_header(s, err);
    if (status == PTIO_OK)
        status = next_pickle(s, "data.pkl", &part, err);
    if (status == PTIO_OK)
        status = ptio_interpret_ids(loader, part, err);
    if (status == PTIO_OK)
        status = index_storages(s, &table, err);
    if (status == PTIO_OK)
        status = ptio_place_part(loader, part, err); /* callbacks may read them, too */
    if (status == PTIO_OK)
        status = ptio_interpret(loader, part, err); /* nested tensors read their sizes, so the storages must have their places */
    loader->persistent_load = outer_load;
    loader->persistent_context = outer_context;
    loader->swap = outer_swap;
    free_table(&loader->ckpt->heap, &table);
    if (status == PTIO_OK)
        *ret = part->graph.root;
    return status;
}

/* The object's own pickle is the first part, as in every container. */
static void put_object_first(ptio_checkpoint *ckpt)
{
    for (ptio_pickle_part **link = &ckpt->parts; *link; link = &(*link)->next) {
        ptio_pickle_part *part = *link;
        if (part->graph.root == ckpt->root && ptio_text_is(part->record, "data.pkl")) {
            *link = part->next;
            part->next = ckpt->parts;
            ckpt->parts = part;
            return;
        }
    }
}

ptio_status ptio_load_legacy(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_LEGACY;
    ptio_status status = ptio_archive_new(ckpt->source, ckpt->start, &ckpt->heap, loader->report, &ckpt->archive, err);
    stream s = {.loader = loader, .size = ptio_source_size(ckpt->source), .at = ckpt->start};
    if (status == PTIO_OK)
        status = run_stream(&s, &ckpt->root, err);
    if (status != PTIO_OK)
        return status;
    put_object_first(ckpt);
    ckpt->end = s.at;
    if (s.at < s.size)
        ptio_report_add(loader->report, PTIO_WARNING, "legacy.trailing-bytes", ptio_source_name(ckpt->source), s.at,
                        "%llu bytes follow the last storage; another object may begin there",
                        (unsigned long long)(s.size - s.at));
    return PTIO_OK;
}

ptio_status ptio_load_embedded(ptio_loader *loader, ptio_text bytes, const ptio_value **ret, ptio_error *err)
{
    if (loader->depth == MOST_EMBEDDED)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.embedded", PTIO_NO_OFFSET, "streams lie inside streams more than %d deep",
                         MOST_EMBEDDED);
    loader->depth++;
    uint64_t outer_limit = loader->ckpt->heap.limit;
    stream s = {.loader = loader, .memory = (const uint8_t *)bytes.bytes, .size = bytes.size};
    bool alone = !loader->placing || loader->ckpt->container == PTIO_CONTAINER_PICKLE;
    if (!alone) /* torch.storage._load_from_bytes passes no map_location on */
        loader->placing->embedded++;
    ptio_status status = run_stream(&s, ret, err);
    if (!alone)
        loader->placing->embedded--;
    loader->ckpt->heap.limit = outer_limit;
    loader->depth--;
    return status;
}
