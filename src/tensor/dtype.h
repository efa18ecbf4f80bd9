/*
 * Dtypes: one row each in dtype.def.
 */
#ifndef PTIO_TENSOR_DTYPE_H
#define PTIO_TENSOR_DTYPE_H

#include "base/text.h"
#include "ptio.h"

typedef enum ptio_dtype_class {
    PTIO_DTYPE_OPAQUE,
    PTIO_DTYPE_REAL,
    PTIO_DTYPE_INTEGER,
    PTIO_DTYPE_COMPLEX,
    PTIO_DTYPE_BOOLEAN,
    PTIO_DTYPE_QUANTIZED
} ptio_dtype_class;

typedef struct ptio_dtype_row {
    const char *name;
    uint8_t itemsize;
    uint8_t swap;              /* bytes reversed together where the byte order differs; 1: none */
    uint8_t class_;            /* ptio_dtype_class */
    const char *storage_class; /* "FloatStorage", or "" */
} ptio_dtype_row;

/** Row of a dtype; index 0 is PTIO_NO_DTYPE, all zero and "". */
extern const ptio_dtype_row ptio_dtype_rows[PTIO_DTYPE_COUNT];

/** Elements in one byte: 2 of quint4x2, 4 of quint2x4, whose shapes count them one by one; 1 for every other dtype. */
static inline unsigned ptio_dtype_per_byte(ptio_dtype dtype)
{
    return dtype == PTIO_QUINT4X2 ? 2 : dtype == PTIO_QUINT2X4 ? 4 : 1;
}

/** The dtype whose storage class is called `name` ("FloatStorage"), or PTIO_NO_DTYPE. "UntypedStorage" is none of them. */
ptio_dtype ptio_dtype_from_storage_class(ptio_text name);

/** The dtype of a typed tensor class ("FloatTensor"), or PTIO_NO_DTYPE. */
ptio_dtype ptio_dtype_from_tensor_class(ptio_text name);

/** The dtype called `name` ("float32"; also "float", "half", "long" … as torch names them), or PTIO_NO_DTYPE. */
ptio_dtype ptio_dtype_from_text(ptio_text name);

#endif
