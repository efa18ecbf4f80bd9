/*
 * NumPy's values as tensors and numbers: for files that everybody can load.
 */
#include "cli/arrays.h"

#include <stdlib.h>
#include <string.h>

#define MOST_DIMENSIONS 64 /* of a tensor */

/** The letter and size in the code of a NumPy dtype, behind its byte order. */
typedef struct row {
    const char *code;
    ptio_dtype dtype;
    unsigned unit; /* bytes that are turned round together */
} row;

static const row *find_row(ptio_text code)
{
    static const row rows[] = {{"f2", PTIO_FLOAT16, 2},   {"f4", PTIO_FLOAT32, 4},    {"f8", PTIO_FLOAT64, 8},
                               {"i1", PTIO_INT8, 1},      {"i2", PTIO_INT16, 2},      {"i4", PTIO_INT32, 4},
                               {"i8", PTIO_INT64, 8},     {"u1", PTIO_UINT8, 1},      {"u2", PTIO_UINT16, 2},
                               {"u4", PTIO_UINT32, 4},    {"u8", PTIO_UINT64, 8},     {"b1", PTIO_BOOL, 1},
                               {"c8", PTIO_COMPLEX64, 4}, {"c16", PTIO_COMPLEX128, 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (code.size == strlen(rows[i].code) + 1 && memcmp(code.bytes + 1, rows[i].code, code.size - 1) == 0)
            return &rows[i];
    return NULL;
}

/* Whether a code that begins so is of the other byte order than this machine's. */
static bool is_other_order(char order)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return order == (first ? '>' : '<');
}

static void turn_round(unsigned char *bytes, uint64_t size, unsigned unit)
{
    for (uint64_t at = 0; at < size; at += unit)
        for (unsigned i = 0; i < unit / 2; i++) {
            unsigned char byte = bytes[at + i];
            bytes[at + i] = bytes[at + unit - 1 - i];
            bytes[at + unit - 1 - i] = byte;
        }
}

/* A tensor over elements that come in C order and lie in that of Fortran, as in the array. */
static const ptio_value *fortran_tensor(ptio_builder *builder, ptio_dtype dtype, const ptio_ndarray_info *info,
                                        const unsigned char *from)
{
    int64_t stride[MOST_DIMENSIONS], index[MOST_DIMENSIONS] = {0}, step = 1;
    size_t itemsize = ptio_dtype_itemsize(dtype);
    unsigned char *bytes = malloc((size_t)info->nbytes + 1);
    if (!bytes)
        return NULL;
    for (size_t d = 0; d < info->ndim; step *= info->shape[d++])
        stride[d] = step;
    for (uint64_t at = 0; at < info->nbytes; at += itemsize) {
        int64_t place = 0;
        for (size_t d = 0; d < info->ndim; d++)
            place += index[d] * stride[d];
        memcpy(bytes + (size_t)place * itemsize, from + at, itemsize);
        for (size_t d = info->ndim; d-- > 0 && ++index[d] == info->shape[d];)
            index[d] = 0;
    }
    const ptio_storage *storage = ptio_new_storage_copy(builder, dtype, bytes, info->nbytes);
    const ptio_value *tensor = ptio_new_view(builder, storage, dtype, info->ndim, info->shape, stride, 0, false);
    free(bytes);
    return tensor;
}

const ptio_value *cli_array_tensor(ptio_builder *builder, const ptio_value *array)
{
    ptio_ndarray_info info;
    if (ptio_value_tensor(array))
        return ptio_new_cast(builder, array, ptio_tensor_dtype(ptio_value_tensor(array)));
    const row *found = ptio_value_ndarray(array, &info) && info.dtype.size ? find_row(info.dtype) : NULL;
    if (!found || info.dtype.bytes[0] != '>' || info.nbytes >= SIZE_MAX)
        return NULL; /* little-endian ones are tensors already */
    unsigned char *bytes = malloc((size_t)info.nbytes + 1);
    const ptio_value *tensor = NULL;
    if (bytes && ptio_ndarray_copy(array, bytes, info.nbytes, NULL) == PTIO_OK) {
        if (is_other_order('>'))
            turn_round(bytes, info.nbytes, found->unit);
        tensor = info.is_fortran && info.nbytes && info.ndim <= MOST_DIMENSIONS
                     ? fortran_tensor(builder, found->dtype, &info, bytes)
                     : ptio_new_tensor(builder, found->dtype, info.ndim, info.shape, bytes);
    }
    free(bytes);
    return tensor;
}

/* By way of a tensor of one element, which knows how to be read as any other dtype. */
const ptio_value *cli_scalar_number(ptio_builder *builder, const ptio_value *scalar)
{
    ptio_text bytes = ptio_value_bytes(scalar), code = ptio_value_name(scalar);
    const row *found = code.size ? find_row(code) : NULL;
    unsigned char element[16];
    double parts[2];
    int64_t number;
    if (!found || !bytes.bytes || bytes.size != ptio_dtype_itemsize(found->dtype))
        return NULL;
    memcpy(element, bytes.bytes, bytes.size);
    if (is_other_order(code.bytes[0]))
        turn_round(element, bytes.size, found->unit);
    const ptio_tensor *one = ptio_value_tensor(ptio_new_tensor(builder, found->dtype, 0, NULL, element));
    switch (found->code[0]) {
    case 'b': return ptio_new_bool(builder, element[0] != 0);
    case 'f': return ptio_tensor_copy(one, PTIO_FLOAT64, parts, sizeof *parts, NULL) ? NULL : ptio_new_float(builder, parts[0]);
    case 'c':
        return ptio_tensor_copy(one, PTIO_COMPLEX128, parts, sizeof parts, NULL) ? NULL
                                                                                 : ptio_new_complex(builder, parts[0], parts[1]);
    default:
        if (ptio_tensor_copy(one, PTIO_INT64, &number, sizeof number, NULL) != PTIO_OK)
            return NULL;
        if (found->dtype == PTIO_UINT64 && number < 0) { /* beyond 63 bits */
            unsigned char wide[9] = {0};
            for (unsigned i = 0; i < 8; i++)
                wide[i] = (unsigned char)((uint64_t)number >> (8 * i));
            return ptio_new_int_bytes(builder, wide, sizeof wide);
        }
        return ptio_new_int(builder, number);
    }
}
