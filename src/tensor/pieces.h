/*
 * Reading only those bytes of a storage that a tensor shows: one row of a matrix costs one row.
 */
#ifndef PTIO_TENSOR_PIECES_H
#define PTIO_TENSOR_PIECES_H

#include "tensor/tensor.h"

/** A tensor that is made on the stack, over the storage of another. `tensor.dims` is `dims`. */
typedef struct ptio_tensor_view {
    ptio_tensor tensor;
    int64_t dims[2 * PTIO_MOST_DIMENSIONS];
} ptio_tensor_view;

/** The same tensor. */
void ptio_tensor_view_of(ptio_tensor_view *view, const ptio_tensor *tensor);

/**
 * The same elements laid side by side in the order of the storage, each dimension of stride 0 once: what ptio_tensor_read_pieces()
 * fills. Gives how many there are.
 */
uint64_t ptio_tensor_compact(ptio_tensor_view *compact, const ptio_tensor *tensor);

/** Whether the pieces can be read for a tensor of this dtype: elements of whole bytes, swapped one by one. */
bool ptio_tensor_in_pieces(const ptio_tensor *tensor, ptio_storage_pieces *ret);

/** Read the elements of a tensor that has some, in the byte order of this machine, as ptio_tensor_compact() lays them. */
ptio_status ptio_tensor_read_pieces(const ptio_tensor *tensor, const ptio_storage_pieces *pieces, void *out, ptio_error *err);

/** ptio_tensor_copy_slice() of a strided tensor and good slices, which reads no more than that even where it is all of the tensor. */
ptio_status ptio_tensor_copy_only(const ptio_tensor *tensor, const ptio_slice *slices, ptio_dtype dtype, void *buffer,
                                  uint64_t size, ptio_error *err);

#endif
