/*
 * Storages on devices: where they go, the way there in pieces, and the way back.
 *
 *     a record         read and inflated in pieces, its CRC compared, each piece given to the device   ┐
 *     anything else    read into the CPU's memory, which is given back afterwards if it was not there  ┴─►  memory of the device
 *
 * The memory is kept in a map of the pool, by storage. The switch to it is one pointer, the storage's origin; others that read the
 * storage meanwhile see the origin of before or that of the device, both with the same bytes.
 *
 * Locks, in this order: that of transfers, that of the storage, that of devices.
 */
#include "tensor/device.h"

#include <string.h>

#include "base/error.h"
#include "tensor/convert.h"

#define PIECE ((size_t)1 << 20)

/** The memory of one storage on its device, and what its origin was. */
typedef struct block {
    ptio_device_kind *kind;
    int index;
    uint64_t address;
    uint64_t nbytes;
    const ptio_storage_origin *origin;
} block;

/* ---- kinds ---- */

ptio_status ptio_device_kind_new(const ptio_memory *memory, const ptio_device_ops *given, ptio_device_kind **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_device_ops ops = {0};
    if (given)
        memcpy(&ops, given, given->struct_size < sizeof ops ? given->struct_size : sizeof ops);
    if (!ops.type || !ops.type[0] || strlen(ops.type) >= sizeof((ptio_device_kind *)NULL)->type ||
        strpbrk(ops.type, ":0123456789") || !ops.count || !ops.allocate || !ops.release || !ops.copy_to || !ops.copy_from)
        return ptio_fail(
            err, PTIO_ERR_ARGUMENT, "device.ops", PTIO_NO_OFFSET,
            "a device needs a type without digits, and the functions count, allocate, release, copy_to and copy_from");
    ptio_heap_init(&heap, memory, 0);
    ptio_device_kind *kind = ptio_heap_resize(&heap, NULL, 0, sizeof *kind);
    if (!kind)
        return ptio_fail_memory(err, "a device");
    *kind = (ptio_device_kind){.references = 1, .heap = heap, .ops = ops};
    (void)strcpy(kind->type, ops.type);
    kind->ops.type = kind->type;
    *ret = kind;
    return PTIO_OK;
}

ptio_device_kind *ptio_device_kind_hold(ptio_device_kind *kind)
{
    atomic_fetch_add(&kind->references, 1);
    return kind;
}

void ptio_device_kind_free(ptio_device_kind *kind)
{
    if (!kind || atomic_fetch_sub(&kind->references, 1) > 1)
        return;
    if (kind->ops.close)
        kind->ops.close(kind->ops.ctx);
    ptio_heap heap = kind->heap;
    ptio_heap_free(&heap, kind, sizeof *kind);
}

int ptio_device_kind_count(const ptio_device_kind *kind, char *why, size_t size)
{
    ptio_error error = {0};
    int count = kind->ops.count(kind->ops.ctx, &error);
    (void)snprintf(why, size, "%s", error.message);
    return count > 0 ? count : 0;
}

int ptio_device_kind_current(const ptio_device_kind *kind)
{
    return kind->ops.current ? kind->ops.current(kind->ops.ctx) : 0;
}

/* ---- where a storage goes ---- */

static const ptio_pool_device *device_of(const ptio_storage *root)
{
    uint8_t number = atomic_load(&root->device);
    return number ? &root->pool->devices[number - 1] : NULL;
}

/* The number of a device in the pool, from 1. */
static ptio_status add_device(ptio_storage_pool *pool, ptio_device_kind *kind, int index, uint8_t *ret, ptio_error *err)
{
    uint8_t i = 0;
    while (i < pool->device_count && (pool->devices[i].kind != kind || pool->devices[i].index != index))
        i++;
    if (i == PTIO_MOST_DEVICES)
        return ptio_fail(err, PTIO_ERR_LIMIT, "device.many", PTIO_NO_OFFSET, "storages go to more than %d devices",
                         PTIO_MOST_DEVICES);
    if (i == pool->device_count) {
        ptio_pool_device *device = &pool->devices[i];
        *device = (ptio_pool_device){.kind = ptio_device_kind_hold(kind), .index = index};
        (void)snprintf(device->name, sizeof device->name, "%s:%d", kind->type, index);
        pool->device_count++;
    }
    *ret = (uint8_t)(i + 1);
    return PTIO_OK;
}

ptio_status ptio_storage_set_device(ptio_storage *storage, ptio_device_kind *kind, int index, ptio_error *err)
{
    ptio_storage_pool *pool = storage->pool;
    uint8_t number = 0;
    ptio_mutex_lock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    ptio_status status = add_device(pool, kind, index, &number, err);
    if (status == PTIO_OK)
        status = ptio_storage_pool_location(pool, ptio_text_of(pool->devices[number - 1].name), &storage->location, err);
    if (status == PTIO_OK)
        atomic_store(&storage->device, number);
    ptio_mutex_unlock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    return status;
}

ptio_text ptio_storage_device(const ptio_storage *storage)
{
    if (!storage)
        return (ptio_text){NULL, 0};
    if (ptio_storage_is_meta(storage))
        return PTIO_TEXT("meta");
    const ptio_pool_device *device = device_of(ptio_storage_whole(storage));
    return device ? ptio_text_of(device->name) : PTIO_TEXT("cpu");
}

/* ---- calls of the device ---- */

/* What a function of the device answered, as an error of ours. */
static ptio_status tell(ptio_status status, const ptio_error *why, const ptio_pool_device *device, const char *what,
                        uint64_t size, ptio_error *err)
{
    if (status == PTIO_OK)
        return PTIO_OK;
    return ptio_fail(err, status, why->reason ? why->reason : "device.failed", PTIO_NO_OFFSET, "%s of %llu bytes on %s: %.120s",
                     what, (unsigned long long)size, device->name, why->message[0] ? why->message : ptio_status_text(status));
}

/* Bytes on their way to the device. */
typedef struct transfer {
    const ptio_pool_device *device;
    uint64_t address, done;
} transfer;

static ptio_status send(void *ctx, const void *bytes, size_t size, ptio_error *err)
{
    transfer *t = ctx;
    const ptio_device_ops *ops = &t->device->kind->ops;
    const char *from = bytes;
    while (size) {
        size_t n = size < PIECE ? size : PIECE;
        ptio_error why = {0};
        ptio_status status = ops->copy_to(ops->ctx, t->device->index, t->address + t->done, from, n, &why);
        if (status != PTIO_OK)
            return tell(status, &why, t->device, "a copy to the device", n, err);
        t->done += n;
        from += n;
        size -= n;
    }
    return PTIO_OK;
}

static ptio_status finish(const ptio_pool_device *device, uint64_t size, ptio_error *err)
{
    const ptio_device_ops *ops = &device->kind->ops;
    ptio_error why = {0};
    ptio_status status = ops->finish ? ops->finish(ops->ctx, device->index, &why) : PTIO_OK;
    return tell(status, &why, device, "a copy to the device", size, err);
}

/* From the CPU's memory, if they are there or are read there. Others may ask for them meanwhile: what is read here is not theirs. */
static ptio_status send_whole(const ptio_storage *root, transfer *t, ptio_error *err)
{
    const ptio_memory *hooks = &root->pool->hooks;
    const void *data = NULL;
    bool done = true;
    void *buffer = NULL;
    if (!ptio_storage_is_resident(root)) {
        if (root->nbytes > SIZE_MAX || !(buffer = hooks->alloc(hooks->ctx, (size_t)root->nbytes, PTIO_STORAGE_ALIGN)))
            return ptio_fail_memory(err, "a storage on its way to a device");
    }
    ptio_status status = buffer ? ptio_storage_read_into(root, buffer, &done, err) : PTIO_OK;
    if (status == PTIO_OK && (!buffer || !done))
        status = ptio_storage_data(root, &data, err);
    if (status == PTIO_OK)
        status = send(t, data ? data : buffer, (size_t)root->nbytes, err);
    if (buffer)
        hooks->free(hooks->ctx, buffer, (size_t)root->nbytes);
    return status;
}

/* All bytes of a storage that is not on its device yet. */
static ptio_status send_bytes(const ptio_storage *root, transfer *t, const ptio_watch *watch, ptio_error *err)
{
    ptio_archive *archive;
    size_t record;
    if (!ptio_storage_is_resident(root) && ptio_storage_record(root, &archive, &record))
        return ptio_archive_read_pieces(archive, record, send, t, watch, err);
    return send_whole(root, t, err);
}

/* ---- the memory of storages ---- */

/* Of a storage that is on a device: it has one. */
static block *block_of(const ptio_storage *root)
{
    ptio_storage_pool *pool = root->pool;
    ptio_mutex_lock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    const ptio_pointer_slot slot = *ptio_pointer_slot_of(pool->blocks.slots, pool->blocks.slot_count, root);
    ptio_mutex_unlock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    return (block *)(uintptr_t)slot.number;
}

static ptio_status device_read(const ptio_storage *root, void *buffer, const ptio_watch *watch, ptio_error *err)
{
    const block *b = block_of(root);
    const ptio_pool_device *device = device_of(root);
    const ptio_device_ops *ops = &b->kind->ops;
    uint64_t done = 0;
    while (done < b->nbytes) {
        size_t n = b->nbytes - done < PIECE ? (size_t)(b->nbytes - done) : PIECE;
        ptio_error why = {0};
        ptio_status status = ops->copy_from(ops->ctx, b->index, (char *)buffer + done, b->address + done, n, &why);
        if (status != PTIO_OK)
            return tell(status, &why, device, "a copy from the device", n, err);
        done += n;
        if (watch && !watch->step(watch->ctx, n, done, b->nbytes))
            return ptio_fail(err, PTIO_ERR_CANCELLED, "cancelled", PTIO_NO_OFFSET, "the caller stopped the reading");
    }
    return PTIO_OK;
}

const ptio_storage_origin ptio_storage_of_device = {.read = device_read};

bool ptio_storage_is_on_device(const ptio_storage *storage)
{
    return ptio_storage_whole(storage)->origin == &ptio_storage_of_device;
}

static void release_block(ptio_storage_pool *pool, block *b)
{
    b->kind->ops.release(b->kind->ops.ctx, b->index, b->address, b->nbytes);
    ptio_heap_free(&pool->device_heap, b, sizeof *b);
}

/* Memory for a storage, noted in the pool. Under the lock of transfers. */
static ptio_status new_block(const ptio_storage *root, const ptio_pool_device *device, block **ret, ptio_error *err)
{
    ptio_storage_pool *pool = root->pool;
    const ptio_device_ops *ops = &device->kind->ops;
    ptio_error why = {0};
    uint64_t known;
    bool is_new;
    block *b = ptio_heap_resize(&pool->device_heap, NULL, 0, sizeof *b);
    if (!b)
        return ptio_fail_memory(err, "a storage on a device");
    *b = (block){.kind = device->kind, .index = device->index, .nbytes = root->nbytes, .origin = root->origin};
    ptio_status status = ops->allocate(ops->ctx, b->index, b->nbytes, &b->address, &why);
    if (status != PTIO_OK) {
        ptio_heap_free(&pool->device_heap, b, sizeof *b);
        return tell(status, &why, device, "memory", root->nbytes, err);
    }
    ptio_mutex_lock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    bool noted = ptio_pointer_map_add(&pool->blocks, &pool->device_heap, root, (uint64_t)(uintptr_t)b, &known, &is_new);
    ptio_mutex_unlock(&pool->locks[PTIO_LOCK_OF_DEVICES]);
    if (!noted) {
        release_block(pool, b);
        return ptio_fail_memory(err, "a storage on a device");
    }
    *ret = b;
    return PTIO_OK;
}

static void forget_block(const ptio_storage *root, block *b)
{
    ptio_mutex_lock(&root->pool->locks[PTIO_LOCK_OF_DEVICES]);
    ptio_pointer_map_remove(&root->pool->blocks, root);
    ptio_mutex_unlock(&root->pool->locks[PTIO_LOCK_OF_DEVICES]);
    release_block(root->pool, b);
}

/* Under the lock of transfers. */
static ptio_status bring(ptio_storage *root, const ptio_watch *watch, ptio_error *err)
{
    const ptio_pool_device *device = device_of(root);
    block *b;
    ptio_status status = new_block(root, device, &b, err);
    if (status != PTIO_OK)
        return status;
    transfer t = {.device = device, .address = b->address};
    status = send_bytes(root, &t, watch, err);
    ptio_status finished = finish(device, root->nbytes, status == PTIO_OK ? err : NULL); /* its memory is not in use any more */
    if (status == PTIO_OK)
        status = finished;
    if (status != PTIO_OK)
        forget_block(root, b);
    else
        root->origin = &ptio_storage_of_device;
    return status;
}

ptio_status ptio_storage_bring(const ptio_storage *storage, const ptio_watch *watch, ptio_error *err)
{
    /* A storage is const for its users; where its bytes are is not theirs to see. */
    ptio_storage *root = (ptio_storage *)(uintptr_t)ptio_storage_whole(storage);
    ptio_status status = PTIO_OK;
    ptio_mutex_lock(&root->pool->locks[PTIO_LOCK_OF_TRANSFERS]);
    if (root->nbytes && device_of(root) && root->origin != &ptio_storage_of_device)
        status = bring(root, watch, err);
    ptio_mutex_unlock(&root->pool->locks[PTIO_LOCK_OF_TRANSFERS]);
    return status;
}

ptio_status ptio_storage_device_data(const ptio_storage *storage, uint64_t *ret, ptio_error *err)
{
    if (!storage)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.none", PTIO_NO_OFFSET, "there is no storage");
    if (ptio_storage_is_meta(storage))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "storage.meta", PTIO_NO_OFFSET, "a meta storage has no bytes");
    const ptio_storage *root = ptio_storage_whole(storage);
    if (!device_of(root))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "device.none", PTIO_NO_OFFSET,
                         "the storage is on the CPU: ptio_storage_data() tells where");
    ptio_status status = ptio_storage_bring(storage, root->pool->watch, err);
    if (status == PTIO_OK)
        *ret = root->nbytes ? block_of(root)->address + ptio_storage_offset_in_whole(storage) : 0;
    return status;
}

/* ---- and back ---- */

ptio_status ptio_storage_from_device(const ptio_storage *storage, ptio_take_piece take, void *ctx, ptio_error *err)
{
    const ptio_storage *root = ptio_storage_whole(storage);
    const block *b = block_of(root);
    const ptio_pool_device *device = device_of(root);
    const ptio_memory *hooks = &root->pool->hooks;
    uint64_t at = b->address + ptio_storage_offset_in_whole(storage), left = storage->nbytes;
    void *buffer = hooks->alloc(hooks->ctx, PIECE, PTIO_STORAGE_ALIGN);
    ptio_status status = buffer ? PTIO_OK : ptio_fail_memory(err, "a copy from a device");
    while (status == PTIO_OK && left) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        ptio_error why = {0};
        status = tell(b->kind->ops.copy_from(b->kind->ops.ctx, b->index, buffer, at, n, &why), &why, device,
                      "a copy from the device", n, err);
        if (status == PTIO_OK)
            status = take(ctx, buffer, n, err);
        at += n;
        left -= n;
    }
    if (buffer)
        hooks->free(hooks->ctx, buffer, PIECE);
    return status;
}

/* The CPU's copy becomes the storage, and the memory of the device goes. */
ptio_status ptio_storage_leave_device(ptio_storage *root, ptio_error *err)
{
    const void *data;
    ptio_status status = PTIO_OK;
    if (root->origin == &ptio_storage_of_device) {
        ptio_storage_drop(root); /* it may be older than what the device has */
        status = ptio_storage_fetch(root, NULL, &data, err);
        if (status != PTIO_OK)
            return status;
        block *b = block_of(root);
        root->origin = b->origin;
        forget_block(root, b);
    }
    atomic_store(&root->device, 0);
    ptio_mutex_lock(&root->pool->locks[PTIO_LOCK_OF_DEVICES]);
    status = ptio_storage_pool_location(root->pool, PTIO_TEXT("cpu"), &root->location, err);
    ptio_mutex_unlock(&root->pool->locks[PTIO_LOCK_OF_DEVICES]);
    return status;
}

void ptio_storage_pool_free_devices(ptio_storage_pool *pool)
{
    for (size_t i = 0; i < pool->blocks.slot_count; i++)
        if (pool->blocks.slots[i].pointer)
            release_block(pool, (block *)(uintptr_t)pool->blocks.slots[i].number);
    ptio_pointer_map_free(&pool->blocks, &pool->device_heap);
    for (uint8_t i = 0; i < pool->device_count; i++)
        ptio_device_kind_free(pool->devices[i].kind);
    pool->device_count = 0;
}
