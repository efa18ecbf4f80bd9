/*
 * Dequantizing as PyTorch 2.13 does, which rounds in a different order for each scheme:
 *
 *     per tensor                 float(q - zero_point) * float(scale)                the difference is an int32, and wraps
 *     per channel                float((float(q) - float(zero_point)) * scale)       product in double
 *     per channel, float params  (float(q) - zero_point) * scale
 *
 * Each step is assigned to a float, since some machines compute expressions of floats in a wider type.
 */
#include "tensor/dequantize.h"

#include "base/error.h"
#include "tensor/convert.h"

static ptio_status open_column(const ptio_tensor *tensor, const char *name, ptio_channel_column *ret, ptio_error *err)
{
    const ptio_tensor *part = ptio_tensor_part_named(tensor, name);
    const void *first = NULL;
    ptio_status status = ptio_tensor_data(part, &first, err);
    if (status != PTIO_OK)
        return status;
    ret->first = first;
    ret->dtype = (ptio_dtype)part->dtype;
    ret->step = ptio_tensor_stride(part)[0] * (int64_t)ptio_dtype_itemsize(ret->dtype);
    return PTIO_OK;
}

static void count_channels(ptio_dequantizer *dequantizer, size_t ndim, const int64_t *shape)
{
    size_t axis = (size_t)dequantizer->quantizer.axis;
    dequantizer->channels = (uint64_t)shape[axis];
    dequantizer->inner = 1;
    for (size_t i = axis + 1; i < ndim; i++)
        dequantizer->inner *= (uint64_t)shape[i];
}

ptio_status ptio_dequantizer_begin(ptio_dequantizer *dequantizer, const ptio_tensor *tensor, ptio_error *err)
{
    *dequantizer = (ptio_dequantizer){.quantizer = ptio_tensor_quantizer(tensor), .inner = 1};
    ptio_status status = ptio_tensor_check_parts(tensor, err);
    if (status != PTIO_OK || dequantizer->quantizer.scheme == PTIO_PER_TENSOR_AFFINE)
        return status;
    count_channels(dequantizer, tensor->ndim, tensor->dims);
    status = open_column(tensor, "scales", &dequantizer->scales, err);
    if (status == PTIO_OK)
        status = open_column(tensor, "zero_points", &dequantizer->zero_points, err);
    return status;
}

static void cut_column(ptio_channel_column *column, int64_t start, int64_t step)
{
    column->first += start * column->step;
    column->step *= step;
}

void ptio_dequantizer_cut(ptio_dequantizer *dequantizer, size_t ndim, const int64_t *shape, int64_t start, int64_t step)
{
    if (dequantizer->quantizer.scheme == PTIO_PER_TENSOR_AFFINE)
        return;
    count_channels(dequantizer, ndim, shape);
    cut_column(&dequantizer->scales, start, step);
    cut_column(&dequantizer->zero_points, start, step);
}

static double column_at(const ptio_channel_column *column, uint64_t channel)
{
    double value;
    const char *in = column->first + (int64_t)channel * column->step;
    (void)ptio_convert(column->dtype, in, (int64_t)ptio_dtype_itemsize(column->dtype), PTIO_FLOAT64, &value, 1);
    return value;
}

static void per_tensor(const ptio_quantizer *quantizer, const int32_t *ints, float *out, size_t count)
{
    float scale = (float)quantizer->scale;
    uint32_t zero_point = (uint32_t)quantizer->zero_point;
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(int32_t)((uint32_t)ints[i] - zero_point) * scale;
}

/* One channel. */
static void per_channel(ptio_qscheme scheme, double scale, double zero_point, const int32_t *ints, float *out, size_t count)
{
    float zero = (float)zero_point;
    if (scheme == PTIO_PER_CHANNEL_AFFINE) {
        for (size_t i = 0; i < count; i++) {
            float difference = (float)ints[i] - zero;
            out[i] = (float)((double)difference * scale);
        }
        return;
    }
    float factor = (float)scale;
    for (size_t i = 0; i < count; i++) {
        float difference = (float)ints[i] - zero;
        out[i] = difference * factor;
    }
}

void ptio_dequantize(ptio_dequantizer *dequantizer, const int32_t *ints, float *out, size_t count)
{
    if (dequantizer->quantizer.scheme == PTIO_PER_TENSOR_AFFINE) {
        per_tensor(&dequantizer->quantizer, ints, out, count);
        return;
    }
    while (count > 0) {
        uint64_t channel = dequantizer->at / dequantizer->inner % dequantizer->channels;
        uint64_t left = dequantizer->inner - dequantizer->at % dequantizer->inner;
        size_t n = left < count ? (size_t)left : count;
        per_channel(dequantizer->quantizer.scheme, column_at(&dequantizer->scales, channel),
                    column_at(&dequantizer->zero_points, channel), ints, out, n);
        dequantizer->at += n;
        ints += n;
        out += n;
        count -= n;
    }
}
