/*
 * Quantizers: scale * (q - zero_point), per tensor or per channel.
 *
 *     scales, zero_points    [size of the tensor along the axis]    every scale finite and more than 0
 */
#include <math.h>

#include "tensor/check.h"
#include "tensor/convert.h"

static bool is_scale(double scale)
{
    return isfinite(scale) && scale > 0;
}

static bool is_number_column(const ptio_tensor *part)
{
    unsigned class_ = ptio_dtype_rows[part->dtype].class_;
    return part->layout == PTIO_STRIDED && !(part->flags & PTIO_TENSOR_NEG) &&
           (class_ == PTIO_DTYPE_REAL || class_ == PTIO_DTYPE_INTEGER);
}

static ptio_status check_column(const ptio_tensor *tensor, const char *name, int64_t channels, ptio_error *err)
{
    const ptio_tensor *part = ptio_tensor_part_named(tensor, name);
    if (!part || !is_number_column(part))
        return PTIO_REFUSE(err, "quantizer.part", "a tensor quantized per channel has no %s that are real numbers", name);
    if (part->ndim != 1 || part->dims[0] != channels)
        return PTIO_REFUSE(err, "quantizer.shape",
                           "the %s of a tensor quantized per channel are not one for each of %lld channels", name,
                           (long long)channels);
    return PTIO_OK;
}

ptio_status ptio_check_quantizer_parts(const ptio_tensor *tensor, ptio_error *err)
{
    ptio_quantizer quantizer = ptio_tensor_quantizer(tensor);
    bool quantized = ptio_dtype_rows[tensor->dtype].class_ == PTIO_DTYPE_QUANTIZED;
    if (quantized == (quantizer.scheme == PTIO_NOT_QUANTIZED))
        return PTIO_REFUSE(err, "quantizer.scheme", "a tensor of %s %s a quantizer", ptio_dtype_rows[tensor->dtype].name,
                           quantized ? "has not" : "has");
    if (quantizer.scheme == PTIO_PER_TENSOR_AFFINE) {
        if (!is_scale(quantizer.scale))
            return PTIO_REFUSE(err, "quantizer.scale", "the scale of a quantized tensor is %g", quantizer.scale);
        return PTIO_OK;
    }
    if (quantizer.axis < 0 || quantizer.axis >= (int64_t)tensor->ndim)
        return PTIO_REFUSE(err, "quantizer.axis", "a tensor of %u dimensions is quantized along dimension %lld", tensor->ndim,
                           (long long)quantizer.axis);
    int64_t channels = tensor->dims[quantizer.axis];
    ptio_status status = check_column(tensor, "scales", channels, err);
    return status == PTIO_OK ? check_column(tensor, "zero_points", channels, err) : status;
}

/* Calls `ok` with each element of a column. */
static ptio_status all_of(const ptio_tensor *part, bool (*ok)(double), bool *ret, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status = ptio_tensor_check_expansion(part, err);
    if (status == PTIO_OK)
        status = ptio_tensor_data(part, &data, err);
    if (status != PTIO_OK)
        return status;
    int64_t itemsize = (int64_t)ptio_dtype_itemsize((ptio_dtype)part->dtype), step = ptio_tensor_stride(part)[0] * itemsize;
    *ret = true;
    for (int64_t i = 0; i < part->dims[0] && *ret; i++) {
        double value;
        (void)ptio_convert((ptio_dtype)part->dtype, (const char *)data + i * step, itemsize, PTIO_FLOAT64, &value, 1);
        *ret = ok(value);
    }
    return PTIO_OK;
}

static bool is_finite(double value)
{
    return isfinite(value);
}

ptio_status ptio_check_quantizer_elements(const ptio_tensor *tensor, ptio_error *err)
{
    bool good;
    const ptio_tensor *scales = ptio_tensor_part_named(tensor, "scales");
    const ptio_tensor *zero_points = ptio_tensor_part_named(tensor, "zero_points");
    if (!scales || !zero_points)
        return PTIO_OK;
    ptio_status status = all_of(scales, is_scale, &good, err);
    if (status == PTIO_OK && !good)
        status = PTIO_REFUSE(err, "quantizer.scale", "a scale of a tensor quantized per channel is not a number above 0");
    if (status == PTIO_OK)
        status = all_of(zero_points, is_finite, &good, err);
    if (status == PTIO_OK && !good)
        status = PTIO_REFUSE(err, "quantizer.zero-point", "a zero point of a tensor quantized per channel is not a number");
    return status;
}
