/*
 * The structures of DLPack 1.1, by which libraries hand each other tensors in memory. Programs have them from its own header; its
 * names and layout are fixed. Source: dmlc/dlpack, include/dlpack/dlpack.h
 */
#ifndef PTIO_TORCH_DLPACK_H
#define PTIO_TORCH_DLPACK_H

#include <stdint.h>

enum { PTIO_DL_MAJOR = 1, PTIO_DL_MINOR = 1 };

enum { PTIO_DL_CPU = 1 };

/** Codes of types. */
enum {
    PTIO_DL_INT = 0,
    PTIO_DL_UINT = 1,
    PTIO_DL_FLOAT = 2,
    PTIO_DL_BFLOAT = 4,
    PTIO_DL_COMPLEX = 5,
    PTIO_DL_BOOL = 6,
    PTIO_DL_FLOAT8_E4M3FN = 10,
    PTIO_DL_FLOAT8_E4M3FNUZ = 11,
    PTIO_DL_FLOAT8_E5M2 = 12,
    PTIO_DL_FLOAT8_E5M2FNUZ = 13,
    PTIO_DL_FLOAT8_E8M0FNU = 14,
    PTIO_DL_FLOAT4_E2M1FN = 17
};

/** Flags of the versioned structure. */
enum { PTIO_DL_READ_ONLY = 1 };

typedef struct ptio_dl_type {
    uint8_t code;
    uint8_t bits;   /* of one lane */
    uint16_t lanes; /* numbers in one element */
} ptio_dl_type;

typedef struct ptio_dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    ptio_dl_type dtype;
    int64_t *shape, *strides; /* in elements */
    uint64_t byte_offset;     /* of the first element, from `data` on */
} ptio_dl_tensor;

struct DLManagedTensor {
    ptio_dl_tensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
};

struct DLManagedTensorVersioned {
    struct {
        uint32_t major, minor;
    } version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    ptio_dl_tensor dl_tensor;
};

#endif
