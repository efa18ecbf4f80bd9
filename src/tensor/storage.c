/*
 * Storages: the pool that all storages of a checkpoint share, and the first read of their bytes (origins.c says where from).
 *
 * A storage is read once, under one of the pool's locks, into memory of its own; where its bytes are in memory anyway (a map,
 * the caller's buffer), aligned and in the byte order of this machine, it is a view of them. A slice has no bytes but those of
 * the storage that it is cut from, and takes no lock.
 */
#include "tensor/storage.h"

#include <stdalign.h>

#include "tensor/convert.h"
#include "tensor/device.h"

/* What the data of a storage without bytes point to, since NULL means "not read". */
static alignas(PTIO_STORAGE_ALIGN) const char nothing[PTIO_STORAGE_ALIGN];

#define DEFAULT_EXPAND_FACTOR 16

/* Storages of so many bytes are read whole: that costs no more than a part of them, and their checksums are compared. */
#define FEW_BYTES 65536

bool ptio_storage_pool_init(ptio_storage_pool *pool, const ptio_memory *hooks, const ptio_limits *limits)
{
    ptio_heap heap;
    ptio_heap_init(&heap, hooks, 0);
    *pool = (ptio_storage_pool){.hooks = heap.hooks, .expand_factor = DEFAULT_EXPAND_FACTOR, .device_heap = heap};
    if (limits) {
        pool->storage_limit = limits->storage_bytes;
        if (limits->expand_factor)
            pool->expand_factor = limits->expand_factor;
    }
    for (size_t i = 0; i < PTIO_POOL_LOCKS; i++)
        if (!ptio_mutex_init(&pool->locks[i])) {
            while (i)
                ptio_mutex_destroy(&pool->locks[--i]);
            return false;
        }
    return true;
}

void ptio_storage_free_bytes(ptio_storage *storage)
{
    uint8_t flags = atomic_load(&storage->flags);
    if (!(flags & PTIO_STORAGE_OWNED))
        return;
    void *owned = (void *)atomic_load(&storage->data);
    storage->pool->hooks.free(storage->pool->hooks.ctx, owned, (size_t)storage->nbytes);
    atomic_store(&storage->flags, (uint8_t)(flags & ~PTIO_STORAGE_OWNED));
    atomic_fetch_sub(&storage->pool->owned, 1);
}

void ptio_storage_pool_free(ptio_storage_pool *pool)
{
    /* A load that only lists tensors has read none of a hundred thousand. */
    for (ptio_storage *storage = pool->newest; storage && atomic_load(&pool->owned); storage = storage->older)
        ptio_storage_free_bytes(storage);
    ptio_storage_pool_free_devices(pool);
    for (size_t i = 0; i < PTIO_POOL_LOCKS; i++)
        ptio_mutex_destroy(&pool->locks[i]);
}

ptio_status ptio_storage_pool_location(ptio_storage_pool *pool, ptio_text tag, uint16_t *ret, ptio_error *err)
{
    uint32_t i = 0;
    /* Most often it is the very text of the storage before. */
    const ptio_storage *newest = pool->newest;
    if (newest && newest->location < pool->location_count && pool->locations[newest->location].bytes == tag.bytes &&
        pool->locations[newest->location].size == tag.size) {
        *ret = newest->location;
        return PTIO_OK;
    }
    while (i < pool->location_count && !ptio_text_equal(pool->locations[i], tag))
        i++;
    if (i == PTIO_MOST_LOCATIONS)
        return ptio_fail(err, PTIO_ERR_LIMIT, "storage.locations", PTIO_NO_OFFSET,
                         "storages are on more than %d different devices; one more is %s", PTIO_MOST_LOCATIONS,
                         ptio_quote(tag).text);
    if (i == pool->location_count)
        pool->locations[pool->location_count++] = tag;
    *ret = (uint16_t)i;
    return PTIO_OK;
}

ptio_storage *ptio_storage_new(ptio_storage_pool *pool, ptio_arena *arena)
{
    ptio_storage *storage = ptio_arena_alloc(arena, sizeof *storage);
    if (!storage)
        return NULL;
    *storage = (ptio_storage){.pool = pool, .index = pool->count++, .older = pool->newest};
    atomic_init(&storage->data, NULL);
    atomic_init(&storage->flags, 0);
    atomic_init(&storage->pins, 0);
    pool->newest = storage;
    return storage;
}

/* ---- reading ---- */

/* The storage that a slice is cut from, at last, and where in it; any other storage is its own root. NULL where a slice is not
 * inside the storage it is cut from. */
static const ptio_storage *root_of(const ptio_storage *storage, uint64_t *offset)
{
    *offset = 0;
    while (storage->origin == &ptio_storage_of_slice) {
        const ptio_storage *from = storage->origin_data;
        if (storage->origin_index > from->nbytes || storage->nbytes > from->nbytes - storage->origin_index)
            return NULL;
        *offset += storage->origin_index; /* cannot wrap: inside every storage on the way */
        storage = from;
    }
    return storage;
}

static ptio_mutex *lock_of(const ptio_storage *storage)
{
    return &storage->pool->locks[storage->index % PTIO_STORAGE_LOCKS];
}

/* As far as that origin gives the bytes. A storage may get to a device while others read it: who asks twice for its origin may see two. */
static size_t unit_of(const ptio_storage *storage, const ptio_storage_origin *origin)
{
    if (!(atomic_load(&storage->flags) & PTIO_STORAGE_SWAP) || origin == &ptio_storage_of_device)
        return 1;
    return storage->swap ? storage->swap : ptio_dtype_rows[storage->dtype].swap;
}

size_t ptio_storage_read_unit(const ptio_storage *storage)
{
    return unit_of(storage, storage->origin);
}

/* Units: bytes. An untyped storage may hold elements of any dtype. */
static size_t alignment_needed(const ptio_storage *storage)
{
    if (atomic_load(&storage->flags) & PTIO_STORAGE_UNTYPED)
        return 8;
    return ptio_dtype_rows[storage->dtype].swap;
}

/* Makes the bytes a view of memory that has them. *ret is NULL where they have to be read. */
static ptio_status view_bytes(const ptio_storage *storage, const void **ret, ptio_error *err)
{
    ptio_error why = {0};
    *ret = NULL;
    const ptio_storage_origin *origin = storage->origin;
    if (!origin->view || unit_of(storage, origin) > 1)
        return PTIO_OK;
    const void *view = origin->view(storage, &why);
    if (why.status != PTIO_OK) {
        if (err && err->status == PTIO_OK)
            *err = why;
        return why.status;
    }
    size_t alignment = alignment_needed(storage);
    if (view && (alignment <= 1 || (uintptr_t)view % alignment == 0))
        *ret = view;
    return PTIO_OK;
}

/* Fill a buffer of the storage's size, in the byte order of this machine. */
static ptio_status fill_buffer(const ptio_storage *storage, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    const ptio_storage_origin *origin = storage->origin;
    ptio_status status = origin->read(storage, buffer, watch, err);
    size_t unit = unit_of(storage, origin);
    if (status == PTIO_OK && unit > 1)
        ptio_swap_bytes(buffer, (size_t)storage->nbytes / unit, unit);
    return status;
}

/* Memory for the bytes of a storage, which are the caller's to fill in. NULL after a failure. */
static void *new_bytes(const ptio_storage *storage, ptio_error *err)
{
    const ptio_memory *hooks = &storage->pool->hooks;
    void *bytes = hooks->alloc(hooks->ctx, (size_t)storage->nbytes, PTIO_STORAGE_ALIGN);
    if (!bytes)
        (void)ptio_fail(err, PTIO_ERR_MEMORY, "memory", PTIO_NO_OFFSET, "no memory for a storage of %llu bytes",
                        (unsigned long long)storage->nbytes);
    return bytes;
}

static ptio_status read_bytes(const ptio_storage *storage, const ptio_watch *watch, const void **ret, ptio_error *err)
{
    const ptio_memory *hooks = &storage->pool->hooks;
    void *buffer = new_bytes(storage, err);
    if (!buffer)
        return PTIO_ERR_MEMORY;
    ptio_status status = fill_buffer(storage, buffer, watch, err);
    if (status != PTIO_OK) {
        hooks->free(hooks->ctx, buffer, (size_t)storage->nbytes);
        return status;
    }
    *ret = buffer;
    return PTIO_OK;
}

static ptio_status check_readable(const ptio_storage *storage, ptio_error *err)
{
    if (ptio_storage_is_meta(storage))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.meta", PTIO_NO_OFFSET, "a meta storage has no bytes");
    uint64_t limit = storage->pool->storage_limit;
    if (limit && storage->nbytes > limit)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.storage", PTIO_NO_OFFSET,
                         "a storage has %llu bytes, storage_bytes allows %llu", (unsigned long long)storage->nbytes,
                         (unsigned long long)limit);
    if (storage->nbytes > SIZE_MAX - PTIO_STORAGE_ALIGN)
        return ptio_fail(err, PTIO_ERR_MEMORY, "memory", PTIO_NO_OFFSET, "a storage of %llu bytes is too large for this machine",
                         (unsigned long long)storage->nbytes);
    return PTIO_OK;
}

/* The first read, under the lock of the storage. */
static ptio_status fill(ptio_storage *storage, const ptio_watch *watch, const void **ret, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status = view_bytes(storage, &data, err);
    if (status != PTIO_OK)
        return status;
    if (!data) {
        status = read_bytes(storage, watch, &data, err);
        if (status != PTIO_OK)
            return status;
        atomic_fetch_or(&storage->flags, PTIO_STORAGE_OWNED);
        atomic_fetch_add(&storage->pool->owned, 1);
    }
    atomic_store_explicit(&storage->data, data, memory_order_release);
    *ret = data;
    return PTIO_OK;
}

static ptio_status root_data(const ptio_storage *root, const ptio_watch *watch, const void **ret, ptio_error *err)
{
    const void *data = atomic_load_explicit(&root->data, memory_order_acquire);
    if (data) {
        *ret = data;
        return PTIO_OK;
    }
    ptio_status status = check_readable(root, err);
    if (status != PTIO_OK)
        return status;
    if (root->nbytes == 0) {
        *ret = nothing;
        return PTIO_OK;
    }
    /* A storage is const for its users; that it remembers its bytes is not theirs to see. */
    ptio_storage *storage = (ptio_storage *)root;
    ptio_mutex_lock(lock_of(storage));
    data = atomic_load_explicit(&storage->data, memory_order_relaxed);
    if (data)
        *ret = data;
    else
        status = fill(storage, watch, ret, err);
    ptio_mutex_unlock(lock_of(storage));
    return status;
}

static ptio_status fail_slice(const ptio_storage *slice, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_FORMAT, "storage.slice", PTIO_NO_OFFSET,
                     "%llu bytes from byte %llu on are not inside the storage that they are a slice of",
                     (unsigned long long)slice->nbytes, (unsigned long long)slice->origin_index);
}

ptio_status ptio_storage_fetch(const ptio_storage *storage, const ptio_watch *watch, const void **ret, ptio_error *err)
{
    uint64_t offset;
    const ptio_storage *root = root_of(storage, &offset);
    if (!root)
        return fail_slice(storage, err);
    const void *data = NULL;
    ptio_status status = root_data(root, watch, &data, err);
    if (status == PTIO_OK)
        *ret = (const char *)data + offset;
    return status;
}

ptio_status ptio_storage_data(const ptio_storage *storage, const void **ret, ptio_error *err)
{
    if (!storage)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.none", PTIO_NO_OFFSET, "there is no storage");
    return ptio_storage_fetch(storage, storage->pool->watch, ret, err);
}

/* Memory that is not the storage's own: its bytes are copied, and it has its own from here on. */
static ptio_status copy_view(ptio_storage *root, const void *view, ptio_error *err)
{
    void *own = new_bytes(root, err);
    if (!own)
        return PTIO_ERR_MEMORY;
    memcpy(own, view, (size_t)root->nbytes);
    atomic_fetch_or(&root->flags, PTIO_STORAGE_OWNED);
    atomic_fetch_add(&root->pool->owned, 1);
    atomic_store_explicit(&root->data, own, memory_order_release);
    return PTIO_OK;
}

static ptio_status make_writable(ptio_storage *root, ptio_error *err)
{
    if (root->origin == &ptio_storage_of_device)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.on-device", PTIO_NO_OFFSET,
                         "the storage is on a device, and what is written here would not get there");
    const void *data = atomic_load(&root->data);
    if (!root->nbytes)
        return PTIO_OK;
    bool owned = atomic_load(&root->flags) & PTIO_STORAGE_OWNED;
    const ptio_source *source = root->origin->source && !owned ? root->origin->source(root) : NULL;
    if (source && ptio_source_is_mapped(source))
        return ptio_source_make_writable(source, data, (size_t)root->nbytes, err);
    if (root->pool->map_is_shared)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.not-shared", PTIO_NO_OFFSET,
                         "the storage is not in the map as it is: it is compressed, of another byte order, or not aligned");
    return owned ? PTIO_OK : copy_view(root, data, err);
}

ptio_status ptio_storage_writable(const ptio_storage *storage, void **ret, ptio_error *err)
{
    uint64_t offset;
    const void *data = NULL;
    ptio_status status = ptio_storage_data(storage, &data, err);
    if (status != PTIO_OK)
        return status;
    ptio_storage *root = (ptio_storage *)root_of(storage, &offset);
    ptio_mutex_lock(lock_of(root));
    status = make_writable(root, err);
    ptio_mutex_unlock(lock_of(root));
    if (status == PTIO_OK)
        status = ptio_storage_data(storage, &data, err);
    if (status == PTIO_OK)
        *ret = (void *)data;
    return status;
}

ptio_status ptio_storage_read_into(const ptio_storage *storage, void *buffer, bool *done, ptio_error *err)
{
    const void *view = NULL;
    *done = false;
    if (storage->origin == &ptio_storage_of_slice || !storage->nbytes ||
        atomic_load_explicit(&storage->data, memory_order_acquire))
        return PTIO_OK;
    ptio_status status = check_readable(storage, err);
    if (status == PTIO_OK)
        status = view_bytes(storage, &view, err);
    if (status != PTIO_OK || view)
        return status;
    *done = true;
    return fill_buffer(storage, buffer, storage->pool->watch, err);
}

void ptio_storage_drop(const ptio_storage *storage)
{
    /* A slice has nothing of its own, and others may use what it is cut from. */
    if (!storage || storage->origin == &ptio_storage_of_slice)
        return;
    ptio_storage *dropped = (ptio_storage *)storage;
    ptio_mutex_lock(lock_of(dropped));
    if (atomic_load(&dropped->pins) == 0) {
        ptio_storage_free_bytes(dropped);
        atomic_store(&dropped->data, NULL);
    }
    ptio_mutex_unlock(lock_of(dropped));
}

/* ---- what there is to say about a storage ---- */

uint64_t ptio_storage_offset_in_whole(const ptio_storage *storage)
{
    uint64_t offset;
    return root_of(storage, &offset) ? offset : 0;
}

const ptio_storage *ptio_storage_whole(const ptio_storage *storage)
{
    uint64_t offset;
    const ptio_storage *root = root_of(storage, &offset);
    return root ? root : storage;
}

bool ptio_storage_is_resident(const ptio_storage *storage)
{
    return atomic_load_explicit(&storage->data, memory_order_acquire) != NULL;
}

bool ptio_storage_in_pieces(const ptio_storage *storage, ptio_storage_pieces *ret)
{
    uint64_t in_root;
    const void *view = NULL;
    const ptio_storage *root = root_of(storage, &in_root);
    const ptio_storage_origin *origin = root ? root->origin : NULL;
    if (!root || root->nbytes <= FEW_BYTES || !origin->place || ptio_storage_is_resident(root) ||
        view_bytes(root, &view, NULL) != PTIO_OK || view || !origin->place(root, &ret->offset))
        return false;
    ret->source = (ptio_source *)(uintptr_t)origin->source(root); /* it takes positional reads from any thread */
    ret->offset += in_root;
    ret->swap_unit = unit_of(root, origin);
    return in_root % ret->swap_unit == 0;
}

const void *ptio_storage_given(const ptio_storage *storage)
{
    bool copied = atomic_load_explicit(&storage->flags, memory_order_relaxed) & PTIO_STORAGE_OWNED; /* to be written to */
    return storage->origin == &ptio_storage_of_memory && ptio_storage_read_unit(storage) <= 1 && !copied ? storage->origin_data
                                                                                                         : NULL;
}

size_t ptio_storage_swap_unit(const ptio_storage *storage, bool to_big_endian)
{
    bool untyped = (atomic_load(&storage->flags) & PTIO_STORAGE_UNTYPED) || !ptio_dtype_rows[storage->dtype].storage_class[0];
    /* Those are little-endian in every file. */
    if (untyped)
        return PTIO_HOST_BIG_ENDIAN && storage->swap ? storage->swap : 1;
    return to_big_endian != PTIO_HOST_BIG_ENDIAN ? ptio_dtype_rows[storage->dtype].swap : 1;
}

bool ptio_storage_range(const ptio_storage *storage, uint64_t *offset, uint64_t *nbytes)
{
    uint64_t in_root, root_offset, root_nbytes;
    if (!storage || ptio_storage_is_meta(storage))
        return false;
    const ptio_storage *root = root_of(storage, &in_root);
    const ptio_storage_origin *origin = root ? root->origin : NULL;
    if (!root || root->pool != storage->pool || !origin || !origin->range || unit_of(root, origin) > 1 ||
        !origin->range(root, &root_offset, &root_nbytes))
        return false;
    *offset = root_offset + in_root;
    *nbytes = storage->nbytes;
    return true;
}

ptio_text ptio_storage_key(const ptio_storage *storage)
{
    return storage ? (ptio_text){storage->key, storage->key_size} : (ptio_text){NULL, 0};
}

ptio_text ptio_storage_location(const ptio_storage *storage)
{
    return storage && storage->location < storage->pool->location_count ? storage->pool->locations[storage->location]
                                                                        : (ptio_text){NULL, 0};
}

ptio_dtype ptio_storage_dtype(const ptio_storage *storage)
{
    return storage ? (ptio_dtype)storage->dtype : PTIO_NO_DTYPE;
}

bool ptio_storage_is_untyped(const ptio_storage *storage)
{
    return storage && atomic_load(&storage->flags) & PTIO_STORAGE_UNTYPED;
}

uint64_t ptio_storage_nbytes(const ptio_storage *storage)
{
    return storage ? storage->nbytes : 0;
}

uint64_t ptio_storage_index(const ptio_storage *storage)
{
    return storage ? storage->index : 0;
}
