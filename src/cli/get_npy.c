/*
 * .npy files, byte for byte those of numpy.save().
 *
 *     \x93NUMPY 1 0, the size of what follows (2 bytes)
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   room to let the first size grow, spaces, a newline
 *     elements
 *
 * As NumPy does it, elements that lie in Fortran's order are written in that order.
 *
 * Source: numpy/lib/_format_impl.py: _write_array_header, _wrap_header, write_array
 */
#include <stdlib.h>
#include <string.h>

#include "cli/get.h"
#include "cli/grow.h"

enum { PREFIX = 10, ALIGN = 64, GROWTH = 21 };

static const char *code_of(ptio_dtype dtype)
{
    switch ((int)dtype) {
    case PTIO_FLOAT64: return "<f8";
    case PTIO_FLOAT32: return "<f4";
    case PTIO_FLOAT16: return "<f2";
    case PTIO_INT64: return "<i8";
    case PTIO_INT32: return "<i4";
    case PTIO_INT16: return "<i2";
    case PTIO_INT8: return "|i1";
    case PTIO_UINT64: return "<u8";
    case PTIO_UINT32: return "<u4";
    case PTIO_UINT16: return "<u2";
    case PTIO_UINT8: return "|u1";
    case PTIO_BOOL: return "|b1";
    case PTIO_COMPLEX64: return "<c8";
    case PTIO_COMPLEX128: return "<c16";
    default: return NULL;
    }
}

static bool add_shape(grown *header, const int64_t *shape, size_t ndim)
{
    char number[32];
    bool fits = grow_string(header, "(");
    for (size_t i = 0; i < ndim; i++) {
        (void)snprintf(number, sizeof number, "%s%lld", i ? ", " : "", (long long)shape[i]);
        fits = fits && grow_string(header, number);
    }
    return fits && grow_string(header, ndim == 1 ? ",)" : ")");
}

/* `descr` as Python writes it. */
static bool make_header(grown *header, const char *descr, bool fortran, const int64_t *shape, size_t ndim)
{
    char first[32] = "";
    if (ndim)
        (void)snprintf(first, sizeof first, "%lld", (long long)shape[fortran ? ndim - 1 : 0]);
    bool fits = grow_string(header, "{'descr': ") && grow_string(header, descr) &&
                grow_string(header, fortran ? ", 'fortran_order': True, 'shape': " : ", 'fortran_order': False, 'shape': ") &&
                add_shape(header, shape, ndim) && grow_string(header, ", }");
    for (size_t i = strlen(first); fits && ndim && i < GROWTH; i++)
        fits = grow_string(header, " ");
    size_t padding = ALIGN - (PREFIX + header->size + 1) % ALIGN;
    for (size_t i = 0; fits && i < padding; i++)
        fits = grow_string(header, " ");
    return fits && grow_string(header, "\n");
}

static ptio_status write_header(const char *descr, bool fortran, const int64_t *shape, size_t ndim, ptio_error *err)
{
    grown header = {0};
    ptio_status status = PTIO_OK;
    if (!make_header(&header, descr, fortran, shape, ndim))
        status = get_fail(err, PTIO_ERR_MEMORY, "memory", "out of memory");
    else if (header.size > UINT16_MAX)
        status = get_fail(err, PTIO_ERR_UNSUPPORTED, "npy.header", "its dtype is too long for a .npy file of version 1.0");
    if (status == PTIO_OK) {
        out_bytes("\x93NUMPY\x01\x00", 8);
        out_char((char)(header.size & 0xFF));
        out_char((char)(header.size >> 8));
        out_bytes(header.bytes, header.size);
    }
    grow_free(&header);
    return status;
}

/* ---- order ---- */

/* Whether the elements lie without gaps in the order of the dimensions, or with `fortran` of those turned round. Sizes of 1 do not matter. */
static bool lies_in_order(const sliced *part, bool fortran)
{
    int64_t expected = 1;
    for (size_t i = 0; i < part->ndim; i++) {
        size_t d = fortran ? i : part->ndim - 1 - i;
        if (part->shape[d] != 1 && part->stride[d] != expected)
            return false;
        expected *= part->shape[d];
    }
    return true;
}

/* The tensor with its dimensions turned round, whose C order is Fortran's of this one. */
static bool turn_round(const wanted *w, ptio_builder *builder, wanted *ret)
{
    int64_t shape[PIECES_DIMENSIONS], stride[PIECES_DIMENSIONS];
    size_t ndim = ptio_tensor_ndim(w->tensor);
    *ret = *w;
    for (size_t i = 0; i < ndim; i++) {
        shape[i] = ptio_tensor_shape(w->tensor)[ndim - 1 - i];
        stride[i] = ptio_tensor_stride(w->tensor)[ndim - 1 - i];
        ret->part.cuts[i] = w->part.cuts[ndim - 1 - i];
    }
    ret->tensor = ptio_value_tensor(ptio_new_view(builder, ptio_tensor_storage(w->tensor), ptio_tensor_dtype(w->tensor), ndim,
                                                  shape, stride, ptio_tensor_storage_offset(w->tensor), false));
    return ret->tensor != NULL;
}

static bool is_plain(const ptio_tensor *tensor)
{
    return ptio_tensor_quantizer(tensor).scheme == PTIO_NOT_QUANTIZED && !ptio_tensor_is_conj(tensor) &&
           !ptio_tensor_is_neg(tensor);
}

static ptio_status write_turned(const wanted *w, const char *descr, ptio_error *err)
{
    ptio_builder *builder = NULL;
    wanted turned;
    ptio_status status = ptio_builder_new(NULL, &builder, err);
    if (status == PTIO_OK && !turn_round(w, builder, &turned))
        status = ptio_builder_status(builder, err);
    if (status == PTIO_OK)
        status = write_header(descr, true, w->part.shape, w->part.ndim, err);
    if (status == PTIO_OK)
        status = get_bytes(&turned, err);
    ptio_builder_free(builder);
    return status;
}

ptio_status get_npy(const wanted *w, ptio_error *err)
{
    const char *code = code_of(w->dtype);
    char descr[16];
    if (!code)
        return get_fail(err, PTIO_ERR_ARGUMENT, "npy.dtype", "NumPy has no dtype %s: --cast float32 writes one that it has",
                        ptio_dtype_name(w->dtype));
    (void)snprintf(descr, sizeof descr, "'%s'", code);
    if (w->part.numel && !lies_in_order(&w->part, false) && lies_in_order(&w->part, true) && is_plain(w->tensor))
        return write_turned(w, descr, err);
    ptio_status status = write_header(descr, false, w->part.shape, w->part.ndim, err);
    return status == PTIO_OK ? get_bytes(w, err) : status;
}

/* ---- arrays that are no tensors ---- */

static ptio_status copy_array(const ptio_value *array, const ptio_ndarray_info *info, char **ret, ptio_error *err)
{
    *ret = info->nbytes < SIZE_MAX ? malloc((size_t)info->nbytes + 1) : NULL;
    return *ret ? ptio_ndarray_copy(array, *ret, info->nbytes, err)
                : get_fail(err, PTIO_ERR_MEMORY, "memory", "no memory for the elements of an array");
}

ptio_status get_array_bytes(const ptio_value *array, ptio_error *err)
{
    ptio_ndarray_info info;
    if (!ptio_value_ndarray(array, &info) || info.is_object)
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.array", "an array of Python objects has no bytes");
    char *bytes;
    ptio_status status = copy_array(array, &info, &bytes, err);
    if (status == PTIO_OK)
        out_bytes(bytes, (size_t)info.nbytes);
    free(bytes);
    return status;
}

/* Whether NumPy calls the order of its elements Fortran's: where several sizes are above 1, and none is 0. */
static bool lies_as_fortran(const ptio_ndarray_info *info)
{
    size_t long_ones = 0;
    for (size_t i = 0; i < info->ndim; i++)
        long_ones += info->shape[i] != 1;
    return info->is_fortran && info->nbytes && long_ones > 1 && info->ndim <= PIECES_DIMENSIONS;
}

/* Elements that stand in C order, in Fortran's: the first index runs fastest. */
static void out_turned(const ptio_ndarray_info *info, const char *bytes)
{
    uint64_t step[PIECES_DIMENSIONS], itemsize = info->itemsize, at = 0;
    int64_t index[PIECES_DIMENSIONS] = {0};
    for (size_t d = info->ndim; d-- > 0; itemsize *= (uint64_t)info->shape[d])
        step[d] = itemsize;
    for (uint64_t n = info->nbytes / info->itemsize; n; n--) {
        out_bytes(bytes + at, (size_t)info->itemsize);
        size_t d = 0;
        for (at += step[0]; d + 1 < info->ndim && ++index[d] == info->shape[d]; d++, at += step[d]) {
            at -= step[d] * (uint64_t)info->shape[d];
            index[d] = 0;
        }
    }
}

static ptio_status out_array(const ptio_value *array, const ptio_ndarray_info *info, const char *descr, ptio_error *err)
{
    bool turned = lies_as_fortran(info);
    char *bytes = NULL;
    ptio_status status = write_header(descr, turned, info->shape, info->ndim, err);
    if (status == PTIO_OK)
        status = copy_array(array, info, &bytes, err);
    if (status == PTIO_OK && turned)
        out_turned(info, bytes);
    else if (status == PTIO_OK)
        out_bytes(bytes, (size_t)info->nbytes);
    free(bytes);
    return status;
}

/* A dtype of fields is written as a list, any other one as a text. */
ptio_status get_array_npy(const ptio_value *array, ptio_error *err)
{
    ptio_ndarray_info info;
    grown descr = {0};
    if (!ptio_value_ndarray(array, &info) || info.is_object)
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.array", "an array of Python objects is no .npy file: NumPy would pickle it");
    bool quoted = info.dtype.size && info.dtype.bytes[0] != '[';
    bool fits = grow_string(&descr, quoted ? "'" : "") && grow_add(&descr, info.dtype.bytes, info.dtype.size) &&
                grow_string(&descr, quoted ? "'" : "");
    ptio_status status =
        fits ? out_array(array, &info, descr.bytes, err) : get_fail(err, PTIO_ERR_MEMORY, "memory", "out of memory");
    grow_free(&descr);
    return status;
}
