/*
 * Vectors that some processors of a kind have and others lack. A compiler may use no more than all of them have; so a function that
 * is to use more says so, is compiled beside the portable one, and is called only where ptio_has_vectors() is true.
 *
 *     PTIO_VECTORS        1 where there can be such functions: on x86-64, with AVX2 (since 2013)
 *     PTIO_VECTORS_HALVE  1 where they may convert float16 too (F16C), for which old releases of clang cannot ask the processor
 *     PTIO_FOR_VECTORS    stands before each of them
 *
 * and, where ptio_can_multiply_vectors(), products of polynomials in vectors of 512 bits (VPCLMULQDQ, since 2019):
 *
 *     PTIO_FOR_PRODUCTS   stands before such a function
 */
#ifndef PTIO_BASE_VECTOR_H
#define PTIO_BASE_VECTOR_H

#include "base/os.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define PTIO_VECTORS 1

#if !defined(__clang__) || __clang_major__ >= 19
#define PTIO_VECTORS_HALVE 1
#define PTIO_FOR_VECTORS __attribute__((target("avx2,f16c")))

/** Whether this processor has them, and the system keeps their registers. Costs a look into memory. */
static inline bool ptio_has_vectors(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
}

/** Eight float16 to the bits of eight float32; NaNs become quiet and keep their other bits. */
PTIO_FOR_VECTORS PTIO_INLINE void ptio_vector_widen_halves(const char *in, char *out)
{
    __m128i halves = _mm_loadu_si128((const __m128i_u *)in);
    _mm256_storeu_si256((__m256i_u *)out, _mm256_castps_si256(_mm256_cvtph_ps(halves)));
}

/** Eight float32 to eight float16, to nearest even whatever mode the program has set. */
PTIO_FOR_VECTORS PTIO_INLINE void ptio_vector_narrow_halves(const char *in, char *out)
{
    __m256 floats = _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i_u *)in));
    _mm_storeu_si128((__m128i_u *)out, _mm256_cvtps_ph(floats, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#else
#define PTIO_VECTORS_HALVE 0
#define PTIO_FOR_VECTORS __attribute__((target("avx2")))

static inline bool ptio_has_vectors(void)
{
    return __builtin_cpu_supports("avx2");
}
#endif

#define PTIO_FOR_PRODUCTS __attribute__((target("avx512f,pclmul,vpclmulqdq")))

static inline bool ptio_can_multiply_vectors(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("pclmul");
}

/** Copy to memory that will not be read soon, past the caches: `to` is a multiple of 32, as is `from`; `size` is one of 64. */
PTIO_FOR_VECTORS PTIO_INLINE void ptio_vector_stream(char *to, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i += 64) {
        __m256i low = _mm256_load_si256((const __m256i *)(const void *)(from + i));
        __m256i high = _mm256_load_si256((const __m256i *)(const void *)(from + i + 32));
        _mm256_stream_si256((__m256i *)(void *)(to + i), low);
        _mm256_stream_si256((__m256i *)(void *)(to + i + 32), high);
    }
}

/** Wait for what was streamed, so that other threads see it in order. */
static inline void ptio_vector_stream_end(void)
{
    _mm_sfence();
}
#else
#define PTIO_VECTORS 0
#define PTIO_VECTORS_HALVE 0

static inline bool ptio_has_vectors(void)
{
    return false;
}

static inline void ptio_vector_stream_end(void) {}
#endif

#endif
