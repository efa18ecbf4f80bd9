/*
 * A tensor: dtype, shape, strides and an offset over a storage, all in elements; or several such tensors composed (sparse, nested).
 *
 * Every strided tensor is proven to lie inside its storage when it is made, so nothing that uses one has to ask again.
 */
#ifndef PTIO_TENSOR_TENSOR_H
#define PTIO_TENSOR_TENSOR_H

#include "tensor/storage.h"

#define PTIO_MOST_DIMENSIONS 64

enum {
    PTIO_TENSOR_REQUIRES_GRAD = 1,
    PTIO_TENSOR_PARAMETER = 2,
    PTIO_TENSOR_CONJ = 4,
    PTIO_TENSOR_NEG = 8,
    PTIO_TENSOR_META = 16,
    PTIO_TENSOR_COALESCED = 32,
    PTIO_TENSOR_WRAPPER = 64 /* a wrapper subclass: shape and strides, no storage      */
};

typedef struct ptio_tensor_part_row {
    const char *name;
    const ptio_tensor *tensor;
    const ptio_value *value;
} ptio_tensor_part_row;

/** What only some tensors have. Components of a nested tensor are parts named by their numbers: "0", "1", … */
typedef struct ptio_tensor_extra {
    ptio_quantizer quantizer;
    size_t part_count;
    const ptio_tensor_part_row *parts;
} ptio_tensor_extra;

struct ptio_tensor {
    uint8_t dtype, layout, flags;
    uint8_t ragged; /* of a jagged tensor: the dimension of its values that is cut up into components */
    uint32_t ndim;
    int64_t storage_offset;
    uint64_t numel;
    const ptio_storage *storage;    /* NULL: meta or composed */
    const ptio_tensor_extra *extra; /* NULL for most          */
    const int64_t *dims;            /* the shape; of the strided layout the strides follow. Alike tensors share them */
};

/** What a tensor is made of. `stride` NULL: contiguous. storage NULL: meta (flags) or composed (layout, extra). */
typedef struct ptio_tensor_spec {
    ptio_dtype dtype;
    ptio_layout layout;
    unsigned flags;
    size_t ndim;
    const int64_t *shape, *stride;
    const ptio_tensor
        *alike; /* a strided tensor of this shape and these strides, whose dims are used; then those above are not */
    int64_t storage_offset;
    const ptio_storage *storage;
    const ptio_tensor_extra *extra;
    uint8_t ragged;
} ptio_tensor_spec;

/**
 * Make a tensor in the arena, having proven that every element lies in its storage.
 *
 * Errors     PTIO_ERR_FORMAT "tensor.bounds", "tensor.size", "tensor.stride", "tensor.ndim", "tensor.overflow"; PTIO_ERR_MEMORY
 */
ptio_status ptio_tensor_new(ptio_arena *arena, const ptio_tensor_spec *spec, const ptio_tensor **ret, ptio_error *err);

/** A copy with other flags (a Parameter of its data). NULL where there is no memory. */
const ptio_tensor *ptio_tensor_with_flags(ptio_arena *arena, const ptio_tensor *tensor, unsigned set, unsigned clear);

/** The part called `name`, or NULL. */
const ptio_tensor *ptio_tensor_part_named(const ptio_tensor *tensor, const char *name);

/** Whether reading the elements would cost far more than the storage, or the values of a sparse tensor, hold (limits: expand_factor).
 *  PTIO_ERR_LIMIT "limit.expand". */
ptio_status ptio_tensor_check_expansion(const ptio_tensor *tensor, ptio_error *err);

/** The bytes of a strided tensor's storage, for reading its elements: what expand_factor refuses is not read at all. */
ptio_status ptio_tensor_read_storage(const ptio_tensor *tensor, const void **ret, ptio_error *err);

/** What ptio_tensor_copy() says of a cast before it reads anything; *nbytes is the size of its buffer. */
ptio_status ptio_tensor_check_cast(const ptio_tensor *tensor, ptio_dtype dtype, uint64_t *nbytes, ptio_error *err);

/** Copy elements as bytes of the tensor's own dtype in C order, conj and neg resolved, in host byte order: what hashes are made of.
 *  Calls `take` with pieces of up to 64 KiB. Packed dtypes stay packed; bool bytes are 0 or 1. */
typedef ptio_status (*ptio_take_bytes)(void *ctx, const void *bytes, size_t size, ptio_error *err);
ptio_status ptio_tensor_stream(const ptio_tensor *tensor, ptio_take_bytes take, void *ctx, ptio_error *err);

/**
 * The rules that the shapes and dtypes of the parts of a sparse, nested or quantized tensor must obey; looks at no element. Parts go
 * by their names: indices, values; crow, col, ccol, row; scales, zero_points; buffer, sizes, strides, offsets. A nested tensor may
 * lack any of its own.
 *
 * Errors     PTIO_ERR_FORMAT "sparse.part", "sparse.dtype", "sparse.shape", "quantizer.scheme", "quantizer.scale", "quantizer.axis",
 *            "quantizer.part", "quantizer.shape", "nested.dtype", "nested.shape"
 */
ptio_status ptio_tensor_check_parts(const ptio_tensor *tensor, ptio_error *err);

/**
 * The rules that their elements must obey too (indices inside the shape, pointers that do not fall, scales that are numbers). Reads
 * them all, but nothing of a meta tensor. `heap` is not needed for the layouts there are.
 *
 * Errors     PTIO_ERR_FORMAT "sparse.index", "sparse.pointers", "sparse.order", "quantizer.scale", "quantizer.zero-point",
 *            "nested.bounds"; PTIO_ERR_LIMIT "limit.expand"; what reading gives
 */
ptio_status ptio_tensor_check_elements(const ptio_tensor *tensor, ptio_heap *heap, ptio_error *err);

#endif
