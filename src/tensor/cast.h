/*
 * Casts of whole arrays by way of one of four wide types: float32, float64, int64, uint64. Contiguous in, contiguous out, neither
 * aligned, and not the same memory. For convert.c.
 */
#ifndef PTIO_TENSOR_CAST_H
#define PTIO_TENSOR_CAST_H

#include "base/os.h"
#include "ptio.h"

typedef void (*ptio_cast)(const char *restrict in, char *restrict out, size_t count);

/** The wide type that holds every value of a dtype: PTIO_FLOAT32, _FLOAT64, _INT64 or _UINT64; PTIO_NO_DTYPE where there is none. */
ptio_dtype ptio_cast_wide(ptio_dtype dtype);

/** From `dtype` to its wide type; NULL where that is the same type. */
ptio_cast ptio_cast_widen(ptio_dtype dtype);

/** From a wide type to `dtype`, which is not complex; NULL where that is the same type. */
ptio_cast ptio_cast_narrow(ptio_dtype wide, ptio_dtype dtype);

#endif
