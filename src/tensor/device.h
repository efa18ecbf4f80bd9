/*
 * Devices: where storages are that are not in the memory of the CPU.
 *
 * A kind of device is a table of functions (ptio_device_ops) that many may use: registries, and the pools of storages that are there. A
 * storage has a device from the load on, if it goes to one, and gets its bytes there when somebody asks for them, or for all. From then
 * on the device has the storage's bytes: what the CPU reads is a copy of them.
 */
#ifndef PTIO_TENSOR_DEVICE_H
#define PTIO_TENSOR_DEVICE_H

#include "tensor/storage.h"

typedef struct ptio_device_kind {
    _Atomic(uint32_t) references;
    ptio_heap heap;
    ptio_device_ops ops;
    char type[32]; /* ops.type */
} ptio_device_kind;

/** A kind, of which the caller has one reference. After a failure ops->close was not called. */
ptio_status ptio_device_kind_new(const ptio_memory *memory, const ptio_device_ops *ops, ptio_device_kind **ret, ptio_error *err);
ptio_device_kind *ptio_device_kind_hold(ptio_device_kind *kind);
/** The last one closes it. NULL is fine. */
void ptio_device_kind_free(ptio_device_kind *kind);

/** How many devices of the kind there are; 0 with a reason in `why`, which may be empty. */
int ptio_device_kind_count(const ptio_device_kind *kind, char *why, size_t size);

/** The index that the type alone stands for. */
int ptio_device_kind_current(const ptio_device_kind *kind);

/**
 * Say where a storage goes; nothing is copied. It is told its location. Not for slices.
 *
 * Errors     PTIO_ERR_LIMIT "device.many": more than PTIO_MOST_DEVICES in one checkpoint
 */
ptio_status ptio_storage_set_device(ptio_storage *storage, ptio_device_kind *kind, int index, ptio_error *err);

/** Like ptio_storage_device_data(), with another watch; nothing is done for a storage that stays on the CPU. */
ptio_status ptio_storage_bring(const ptio_storage *storage, const ptio_watch *watch, ptio_error *err);

/** Back to the CPU: its copy becomes the storage, and the memory of the device goes. Not for slices; no other thread may use it. */
ptio_status ptio_storage_leave_device(ptio_storage *root, ptio_error *err);

/** Whether the bytes are on a device by now. */
bool ptio_storage_is_on_device(const ptio_storage *storage);

/** The bytes of a storage, or of a slice, that are on a device, in pieces. */
ptio_status ptio_storage_from_device(const ptio_storage *storage, ptio_take_piece take, void *ctx, ptio_error *err);

/** Give back all memory of devices that storages of the pool have, and let go of the devices. */
void ptio_storage_pool_free_devices(ptio_storage_pool *pool);

/** CUDA, by NVIDIA's driver library. NULL: libcuda.so.1. The library is opened here; that there is none is no error, but a count of 0. */
ptio_status ptio_cuda_new(const ptio_memory *memory, const char *library, ptio_device_kind **ret, ptio_error *err);

#endif
