/*
 * The casts once more, for processors with vectors that not all of their kind have: twice to five times as fast.
 */
#include "base/vector.h"

#if PTIO_VECTORS
#define CAST_TABLE ptio_casts_vectors
#define CAST_FOR PTIO_FOR_VECTORS
#define CAST_IN_EIGHTS PTIO_VECTORS_HALVE
#define CAST_STREAM stream

#include "tensor/cast.h"

PTIO_FOR_VECTORS static void stream(char *to, const char *from, size_t size)
{
    ptio_vector_stream(to, from, size);
}

#include "tensor/cast_loops.h"
#endif
