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

/** A copy past the caches: both aligned to PTIO_CAST_STREAM bytes, and `size` a multiple. ptio_vector_stream_end() comes after the last. */
typedef void (*ptio_cast_stream)(char *to, const char *from, size_t size);
#define PTIO_CAST_STREAM 64

/** Casts by dtype; NULL where the wide type is the same. Targets are no complex ones. */
typedef struct ptio_casts {
    ptio_cast widen[PTIO_DTYPE_COUNT];
    ptio_cast float32_to[PTIO_DTYPE_COUNT], float64_to[PTIO_DTYPE_COUNT], int64_to[PTIO_DTYPE_COUNT], uint64_to[PTIO_DTYPE_COUNT];
    ptio_cast_stream stream; /* NULL where there is none */
} ptio_casts;

/** The same casts, bit for bit: for every processor; where PTIO_VECTORS, for those that ptio_has_vectors(). */
extern const ptio_casts ptio_casts_portable;
extern const ptio_casts ptio_casts_vectors;

/** The fastest for this processor. */
const ptio_casts *ptio_casts_here(void);

/** From a wide type to `dtype`, which is not complex; NULL where that is the same type. */
ptio_cast ptio_cast_narrow(const ptio_casts *casts, ptio_dtype wide, ptio_dtype dtype);

#endif
