/*
 * Tensors and storages as PyTorch prints them.
 */
#ifndef PTIO_PRINT_REPR_TENSOR_H
#define PTIO_PRINT_REPR_TENSOR_H

#include "print/cell.h"
#include "print/repr.h"
#include "tensor/tensor.h"

typedef struct ptio_tensor_style {
    ptio_number_format format;
    size_t line_width;
    size_t edge;        /* elements shown at each end of a dimension of a big tensor */
    uint64_t threshold; /* more elements than this are many                          */
    uint64_t most;      /* elements that may be shown: beyond, PTIO_ERR_LIMIT        */
    size_t most_items;  /* of a storage; 0: all                                      */
    bool devices;       /* told, where they are not the CPU                          */
    bool whole_arrays;  /* NumPy's too, which have a threshold of their own          */
    ptio_heap *heap;
} ptio_tensor_style;

/** A tensor of a class ("torch.Tensor"), which decides the first word. */
ptio_status ptio_repr_tensor(ptio_out *out, const ptio_tensor *tensor, ptio_text class_name, const ptio_tensor_style *style);

/** torch.Size([2, 3]): the shape of a tensor. */
void ptio_repr_shape(ptio_out *out, const ptio_tensor *tensor);

/** A bare storage: its elements one a line, then its class, dtype and size. */
ptio_status ptio_repr_storage(ptio_out *out, const ptio_storage *storage, const ptio_tensor_style *style);

/** The place of a storage as PyTorch names the device: "cuda:0" for "cuda". */
ptio_text ptio_device_shown(ptio_text location);

#endif
