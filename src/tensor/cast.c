/*
 * The casts for every processor (cast_loops.h), and which there are here.
 */
#include "tensor/cast.h"

#include "base/vector.h"

#define CAST_TABLE ptio_casts_portable
#define CAST_FOR
#define CAST_IN_EIGHTS 0
#define CAST_STREAM NULL
#include "tensor/cast_loops.h"

const ptio_casts *ptio_casts_here(void)
{
#if PTIO_VECTORS
    if (ptio_has_vectors())
        return &ptio_casts_vectors;
#endif
    return &ptio_casts_portable;
}

ptio_dtype ptio_cast_wide(ptio_dtype dtype)
{
    static const uint8_t wides[PTIO_DTYPE_COUNT] = {[PTIO_FLOAT64] = PTIO_FLOAT64,
                                                    [PTIO_FLOAT32] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT16] = PTIO_FLOAT32,
                                                    [PTIO_BFLOAT16] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT8_E4M3FN] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT8_E5M2] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT8_E4M3FNUZ] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT8_E5M2FNUZ] = PTIO_FLOAT32,
                                                    [PTIO_FLOAT8_E8M0FNU] = PTIO_FLOAT32,
                                                    [PTIO_INT64] = PTIO_INT64,
                                                    [PTIO_INT32] = PTIO_INT64,
                                                    [PTIO_INT16] = PTIO_INT64,
                                                    [PTIO_INT8] = PTIO_INT64,
                                                    [PTIO_UINT64] = PTIO_UINT64,
                                                    [PTIO_UINT32] = PTIO_INT64,
                                                    [PTIO_UINT16] = PTIO_INT64,
                                                    [PTIO_UINT8] = PTIO_INT64,
                                                    [PTIO_BOOL] = PTIO_INT64};
    return (ptio_dtype)wides[dtype];
}

ptio_cast ptio_cast_narrow(const ptio_casts *casts, ptio_dtype wide, ptio_dtype dtype)
{
    switch (wide) {
    case PTIO_FLOAT32: return casts->float32_to[dtype];
    case PTIO_FLOAT64: return casts->float64_to[dtype];
    case PTIO_INT64: return casts->int64_to[dtype];
    case PTIO_UINT64: return casts->uint64_to[dtype];
    default: return NULL;
    }
}
