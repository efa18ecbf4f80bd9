/*
 * CRC-32 at the speed of memory: libdeflate's, and for long runs on processors that multiply polynomials in vectors of 512 bits one of
 * our own, since that of libdeflate before 1.20 uses 128 of them and costs as much as reading a file from the page cache.
 *
 * A run is a polynomial over the field of two elements, its first bit the highest power, and the CRC its remainder by a polynomial G
 * of degree 32. What is D bits before the end may be multiplied by x^D mod G and added to what stands there:
 *
 *     | a | b | c | d | e | f | g | h | ...     a * x^2048 is added to e, b's to f, and so on: four vectors of 64 bytes at once
 *     | a | b | c | d |                         at the end a, b, c are added to d, and d's four lanes of 128 bits to one
 *
 * The 16 bytes left have the remainder of the whole run, which libdeflate computes like that of any other bytes. A factor consists of two, for the
 * halves of each lane. Source: Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ, 2009.
 */
#define _LARGEFILE64_SOURCE /* zlib.h has offsets of 64 bits then, where the system's are of 32 */
#include "archive/crc32.h"

#include <libdeflate.h>
#include <zlib.h>

#include "base/vector.h"

#if PTIO_VECTORS

/* x^(D + 31) and x^(D - 33) mod G for each lane, lowest power in the highest bit; the bits that a product is off by are in the exponents. */
typedef struct factors {
    uint64_t early, late;
} factors;

static const factors by_2048 = {0xce3371cb, 0xe95c1271}, by_512 = {0x8f352d95, 0x1d9513d7};
static const factors by_lane[4] = {{0x3db1ecdc, 0xaf449247}, {0xf1da05aa, 0x81256527}, {0xae689191, 0xccaa009e}, {0, 0}};

PTIO_FOR_PRODUCTS static inline __m512i everywhere(factors f)
{
    return _mm512_set4_epi64((int64_t)f.late, (int64_t)f.early, (int64_t)f.late, (int64_t)f.early);
}

/* `to` plus each lane of `from` times its factors. */
PTIO_FOR_PRODUCTS static inline __m512i fold(__m512i from, __m512i by, __m512i to)
{
    __m512i early = _mm512_clmulepi64_epi128(from, by, 0x00), late = _mm512_clmulepi64_epi128(from, by, 0x11);
    return _mm512_ternarylogic_epi64(early, late, to, 0x96); /* the sum of three */
}

/* All lanes in the last. */
PTIO_FOR_PRODUCTS static inline __m128i fold_lanes(__m512i x)
{
    __m512i sums = fold(x, _mm512_loadu_si512(by_lane), _mm512_setzero_si512());
    __m128i low = _mm_xor_si128(_mm512_extracti32x4_epi32(sums, 0), _mm512_extracti32x4_epi32(sums, 1));
    __m128i high = _mm_xor_si128(_mm512_extracti32x4_epi32(sums, 2), _mm512_extracti32x4_epi32(x, 3));
    return _mm_xor_si128(low, high);
}

enum { VECTOR = 64, ROUND = 4 * VECTOR };

/* `size` is a multiple of ROUND, and not 0. */
PTIO_FOR_PRODUCTS static uint32_t crc32_of_rounds(uint32_t crc, const uint8_t *bytes, size_t size)
{
    const __m512i by = everywhere(by_2048), once = everywhere(by_512);
    __m512i a = _mm512_loadu_si512(bytes), b = _mm512_loadu_si512(bytes + VECTOR);
    __m512i c = _mm512_loadu_si512(bytes + 2 * VECTOR), d = _mm512_loadu_si512(bytes + 3 * VECTOR);
    a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
    for (size_t at = ROUND; at < size; at += ROUND) {
        const uint8_t *next = bytes + at;
        a = fold(a, by, _mm512_loadu_si512(next));
        b = fold(b, by, _mm512_loadu_si512(next + VECTOR));
        c = fold(c, by, _mm512_loadu_si512(next + 2 * VECTOR));
        d = fold(d, by, _mm512_loadu_si512(next + 3 * VECTOR));
    }
    uint8_t left[16];
    _mm_storeu_si128((__m128i_u *)left, fold_lanes(fold(fold(fold(a, once, b), once, c), once, d)));
    return libdeflate_crc32(UINT32_MAX, left, sizeof left); /* which begins with 0 in its register */
}

/* From here on our own is the faster one. */
#define LONG_RUN ((size_t)4 * ROUND)
#endif

uint32_t ptio_crc32(uint32_t crc, const void *bytes, size_t size)
{
#if PTIO_VECTORS
    if (size >= LONG_RUN && ptio_can_multiply_vectors()) {
        size_t rounds = size / ROUND * ROUND;
        crc = crc32_of_rounds(crc, bytes, rounds);
        bytes = (const uint8_t *)bytes + rounds;
        size -= rounds;
    }
#endif
    return size ? libdeflate_crc32(crc, bytes, size) : crc;
}

uint32_t ptio_crc32_join(uint32_t crc, uint32_t next, uint64_t size)
{
    return size ? (uint32_t)crc32_combine(crc, next, (z_off_t)size) : crc;
}
