/*
 * From the ints of a quantized tensor to numbers: scale * (q - zero_point).
 */
#ifndef PTIO_TENSOR_DEQUANTIZE_H
#define PTIO_TENSOR_DEQUANTIZE_H

#include "tensor/tensor.h"

/** A column of per-channel parameters: a one-dimensional tensor, read element by element. */
typedef struct ptio_channel_column {
    const char *first;
    int64_t step; /* bytes */
    ptio_dtype dtype;
} ptio_channel_column;

typedef struct ptio_dequantizer {
    ptio_quantizer quantizer;
    ptio_channel_column scales, zero_points;
    uint64_t channels, inner; /* elements of one channel that follow each other */
    uint64_t at;              /* number of the next element, in C order         */
} ptio_dequantizer;

/** For a quantized tensor, whose parts are checked here, and read where they have not been. */
ptio_status ptio_dequantizer_begin(ptio_dequantizer *dequantizer, const ptio_tensor *tensor, ptio_error *err);

/** From here on the elements are those of a part: every `step`th channel from channel `start` on, of a tensor of these sizes. */
void ptio_dequantizer_cut(ptio_dequantizer *dequantizer, size_t ndim, const int64_t *shape, int64_t start, int64_t step);

/** The numbers of the next `count` elements in C order, whose ints are `ints`. As PyTorch computes them, bit for bit. */
void ptio_dequantize(ptio_dequantizer *dequantizer, const int32_t *ints, float *out, size_t count);

#endif
