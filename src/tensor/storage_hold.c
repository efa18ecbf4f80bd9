/*
 * Who holds the bytes of a storage: pins of those who point to them, and bytes that were handed over to it.
 */
#include "tensor/device.h"

void ptio_storage_pin(const ptio_storage *storage)
{
    atomic_fetch_add(&((ptio_storage *)ptio_storage_whole(storage))->pins, 1);
}

void ptio_storage_unpin(const ptio_storage *storage)
{
    atomic_fetch_sub(&((ptio_storage *)ptio_storage_whole(storage))->pins, 1);
}

void ptio_storage_own(ptio_storage *storage, void *bytes)
{
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = bytes;
    atomic_store(&storage->data, bytes);
    atomic_fetch_or(&storage->flags, PTIO_STORAGE_OWNED);
    atomic_fetch_add(&storage->pool->owned, 1);
    ptio_storage_pin(storage);
}

/* Whether its bytes were handed over by ptio_storage_own(). */
static bool is_copy(const ptio_storage *storage)
{
    return storage->origin == &ptio_storage_of_memory && (atomic_load(&storage->flags) & PTIO_STORAGE_OWNED) &&
           atomic_load(&storage->data) == storage->origin_data;
}

bool ptio_storage_is_in_use(const ptio_storage *storage)
{
    const ptio_storage *whole = ptio_storage_whole(storage);
    return atomic_load(&whole->pins) > (is_copy(whole) ? 1u : 0u) || ptio_storage_is_on_device(whole);
}

bool ptio_storage_disown(ptio_storage *storage)
{
    if (!is_copy(storage) || atomic_load(&storage->pins) > 1)
        return false;
    storage->origin = &ptio_storage_of_zeros;
    storage->origin_data = NULL;
    ptio_storage_unpin(storage);
    ptio_storage_drop(storage);
    return true;
}
