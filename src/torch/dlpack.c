/*
 * DLPack: a tensor handed to another library as a view of its storage.
 *
 * An export is one block of memory: the structure, then shape and strides. It holds a reference of the checkpoint that the storage is
 * of, which so outlives the caller's, and pins the storage, so that its bytes stay where they are. Its deleter gives all three back.
 */
#include "torch/dlpack.h"

#include <string.h>

#include "base/error.h"
#include "torch/checkpoint.h"

typedef struct export
{
    union {
        struct DLManagedTensor plain;
        struct DLManagedTensorVersioned versioned;
    } as; /* the first, since a pointer to it is what the deleter is given */
    const ptio_storage *storage;
    size_t size; /* bytes of the block */
    int64_t dims[];
}
export;

static const ptio_dl_type types[PTIO_DTYPE_COUNT] = {
    [PTIO_FLOAT64] = {PTIO_DL_FLOAT, 64, 1},
    [PTIO_FLOAT32] = {PTIO_DL_FLOAT, 32, 1},
    [PTIO_FLOAT16] = {PTIO_DL_FLOAT, 16, 1},
    [PTIO_BFLOAT16] = {PTIO_DL_BFLOAT, 16, 1},
    [PTIO_INT64] = {PTIO_DL_INT, 64, 1},
    [PTIO_INT32] = {PTIO_DL_INT, 32, 1},
    [PTIO_INT16] = {PTIO_DL_INT, 16, 1},
    [PTIO_INT8] = {PTIO_DL_INT, 8, 1},
    [PTIO_UINT64] = {PTIO_DL_UINT, 64, 1},
    [PTIO_UINT32] = {PTIO_DL_UINT, 32, 1},
    [PTIO_UINT16] = {PTIO_DL_UINT, 16, 1},
    [PTIO_UINT8] = {PTIO_DL_UINT, 8, 1},
    [PTIO_BOOL] = {PTIO_DL_BOOL, 8, 1},
    [PTIO_COMPLEX32] = {PTIO_DL_COMPLEX, 32, 1},
    [PTIO_COMPLEX64] = {PTIO_DL_COMPLEX, 64, 1},
    [PTIO_COMPLEX128] = {PTIO_DL_COMPLEX, 128, 1},
    [PTIO_FLOAT8_E4M3FN] = {PTIO_DL_FLOAT8_E4M3FN, 8, 1},
    [PTIO_FLOAT8_E4M3FNUZ] = {PTIO_DL_FLOAT8_E4M3FNUZ, 8, 1},
    [PTIO_FLOAT8_E5M2] = {PTIO_DL_FLOAT8_E5M2, 8, 1},
    [PTIO_FLOAT8_E5M2FNUZ] = {PTIO_DL_FLOAT8_E5M2FNUZ, 8, 1},
    [PTIO_FLOAT8_E8M0FNU] = {PTIO_DL_FLOAT8_E8M0FNU, 8, 1},
    [PTIO_FLOAT4_E2M1FN_X2] = {PTIO_DL_FLOAT4_E2M1FN, 4, 2},
    /* As PyTorch hands them over: a byte each. */
    [PTIO_UINT1] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT2] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT3] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT4] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT5] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT6] = {PTIO_DL_UINT, 8, 1},
    [PTIO_UINT7] = {PTIO_DL_UINT, 8, 1},
    [PTIO_INT1] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT2] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT3] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT4] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT5] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT6] = {PTIO_DL_INT, 8, 1},
    [PTIO_INT7] = {PTIO_DL_INT, 8, 1},
};

/* ---- the end of an export ---- */

/* The pool is a part of the checkpoint that all storages of a family are freed with. */
static ptio_checkpoint *owner_of(const ptio_storage *storage)
{
    return (ptio_checkpoint *)(void *)((char *)storage->pool - offsetof(ptio_checkpoint, own_pool));
}

static void end_export(export *e)
{
    const ptio_storage *storage = e->storage;
    const ptio_memory hooks = storage->pool->hooks;
    hooks.free(hooks.ctx, e, e->size);
    ptio_storage_unpin(storage);
    ptio_checkpoint_free(owner_of(storage));
}

static void delete_plain(struct DLManagedTensor *self)
{
    if (self)
        end_export(self->manager_ctx);
}

static void delete_versioned(struct DLManagedTensorVersioned *self)
{
    if (self)
        end_export(self->manager_ctx);
}

/* ---- its beginning ---- */

static ptio_status refuse(const char *why, const char *more, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "dlpack.tensor", PTIO_NO_OFFSET, "DLPack has no word for %s%s", why, more);
}

static ptio_status check_tensor(const ptio_tensor *tensor, ptio_error *err)
{
    if (!tensor)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.none", PTIO_NO_OFFSET, "there is no tensor");
    if (tensor->layout != PTIO_STRIDED)
        return refuse("tensors of several parts; its parts can be handed over", "", err);
    if (tensor->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG))
        return refuse("a tensor whose elements are the conjugate or the negative of what is stored", "", err);
    if (!types[tensor->dtype].bits)
        return refuse("elements of ", ptio_dtype_name((ptio_dtype)tensor->dtype), err);
    return PTIO_OK;
}

/* Where the elements are. To be written they have to be where that is allowed. */
static ptio_status find_data(const ptio_tensor *tensor, bool writable, void **ret, ptio_error *err)
{
    const void *data = NULL;
    void *bytes;
    ptio_status status = ptio_tensor_data(tensor, &data, err); /* says too what has no data */
    if (status == PTIO_OK && writable) {
        status = ptio_storage_writable(tensor->storage, &bytes, err);
        if (status == PTIO_OK)
            status = ptio_tensor_data(tensor, &data, err);
    }
    if (status == PTIO_OK)
        *ret = (void *)(uintptr_t)data;
    return status;
}

static void fill_tensor(ptio_dl_tensor *dl, const ptio_tensor *tensor, int64_t *dims, void *data)
{
    if (tensor->ndim)
        memcpy(dims, tensor->dims, 2 * tensor->ndim * sizeof *dims);
    *dl = (ptio_dl_tensor){.data = data,
                           .device_type = PTIO_DL_CPU,
                           .ndim = (int32_t)tensor->ndim,
                           .dtype = types[tensor->dtype],
                           .shape = dims,
                           .strides = dims + tensor->ndim};
}

static ptio_status begin_export(const ptio_tensor *tensor, bool writable, export **ret, void **data, ptio_error *err)
{
    ptio_status status = check_tensor(tensor, err);
    if (status == PTIO_OK)
        status = find_data(tensor, writable, data, err);
    if (status != PTIO_OK)
        return status;
    const ptio_memory *hooks = &tensor->storage->pool->hooks;
    size_t size = sizeof(export) + 2 * tensor->ndim * sizeof(int64_t);
    export *e = hooks->alloc(hooks->ctx, size, PTIO_STORAGE_ALIGN);
    if (!e)
        return ptio_fail_memory(err, "a tensor that is handed over");
    e->storage = tensor->storage;
    e->size = size;
    ptio_storage_pin(e->storage);
    atomic_fetch_add(&owner_of(e->storage)->references, 1);
    *ret = e;
    return PTIO_OK;
}

ptio_status ptio_tensor_to_dlpack(const ptio_tensor *tensor, bool writable, struct DLManagedTensorVersioned **ret,
                                  ptio_error *err)
{
    export *e = NULL;
    void *data = NULL;
    ptio_status status = begin_export(tensor, writable, &e, &data, err);
    if (status != PTIO_OK)
        return status;
    e->as.versioned = (struct DLManagedTensorVersioned){.version = {PTIO_DL_MAJOR, PTIO_DL_MINOR},
                                                        .manager_ctx = e,
                                                        .deleter = delete_versioned,
                                                        .flags = writable ? 0 : PTIO_DL_READ_ONLY};
    fill_tensor(&e->as.versioned.dl_tensor, tensor, e->dims, data);
    *ret = &e->as.versioned;
    return PTIO_OK;
}

ptio_status ptio_tensor_to_dlpack_unversioned(const ptio_tensor *tensor, struct DLManagedTensor **ret, ptio_error *err)
{
    export *e = NULL;
    void *data = NULL;
    ptio_status status = begin_export(tensor, true, &e, &data, err);
    if (status != PTIO_OK)
        return status;
    e->as.plain = (struct DLManagedTensor){.manager_ctx = e, .deleter = delete_plain};
    fill_tensor(&e->as.plain.dl_tensor, tensor, e->dims, data);
    *ret = &e->as.plain;
    return PTIO_OK;
}
