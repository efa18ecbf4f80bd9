/*
 * DLPack's structures, by which libraries hand each other tensors in memory. The one before 1.0 is what every PyTorch takes. Their names
 * and layouts are fixed. Source: dmlc/dlpack, include/dlpack/dlpack.h
 */
#ifndef PTIO_PYTHON_DLPACK_ABI_H
#define PTIO_PYTHON_DLPACK_ABI_H

#include <stdint.h>

enum { DL_CPU = 1 };
enum { DL_INT = 0, DL_UINT = 1, DL_FLOAT = 2, DL_BFLOAT = 4, DL_COMPLEX = 5, DL_BOOL = 6 };

typedef struct dl_type {
    uint8_t code;
    uint8_t bits; /* of one element, with one lane */
    uint16_t lanes;
} dl_type;

typedef struct dl_tensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    dl_type dtype;
    int64_t *shape, *strides; /* in elements */
    uint64_t byte_offset;
} dl_tensor;

/* Before 1.0. */
struct DLManagedTensor {
    dl_tensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
};

enum { DL_READ_ONLY = 1, DL_IS_COPIED = 2 };

/* Since 1.0. */
struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    dl_tensor dl_tensor;
};

#endif
