/*
 * DLPack's structure before 1.0, by which libraries hand each other tensors in memory: the one that every PyTorch takes. Its names
 * and layout are fixed. Source: dmlc/dlpack, include/dlpack/dlpack.h
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

struct DLManagedTensor {
    dl_tensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
};

#endif
