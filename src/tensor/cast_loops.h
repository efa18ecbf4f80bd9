/*
 * The loops of casts, as PyTorch's CPU does them on x86-64: bytes in, bytes out, a plain loop for each pair of types.
 *
 *     source dtype -- widen --> float32, float64, int64 or uint64 -- narrow --> target dtype
 *
 * Widening loses nothing, so 18 loops and 4 x 17 replace one for each of the 18 x 17 pairs. Elements pass through PTIO_MOVE() of a
 * constant size, which is a load or a store once compiled, aligned or not.
 *
 * Float to integer truncates. What C leaves undefined there (NaN, infinities, values out of range) is what cvttss2si and its
 * kin give: the smallest value of the int that they convert to, of which the low bytes are kept. That int has 32 bits for int8,
 * int16, uint16 and int32, and 64 for uint8, uint32, int64 and uint64.
 *
 * No ordinary header: cast.c and cast_vectors.c each include it once and so compile the same loops twice, for every processor of a kind
 * and for those with vectors. They say before:
 *
 *     CAST_TABLE      the name of the ptio_casts that it defines
 *     CAST_FOR        stands before each function: what the processor must have
 *     CAST_IN_EIGHTS  1: float16 is converted by instructions
 *     CAST_STREAM     a ptio_cast_stream or NULL
 */
#include "base/vector.h"
#include "tensor/cast.h"
#include "tensor/minifloat.h"

/* ---- float to integer without undefined behaviour ---- */

PTIO_INLINE int32_t to_i32(double x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}

PTIO_INLINE int64_t to_i64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}

PTIO_INLINE uint64_t to_u64(double x)
{
    return x >= 0x1p63 ? (uint64_t)to_i64(x - 0x1p63) ^ (uint64_t)1 << 63 : (uint64_t)to_i64(x);
}

/* ---- the loops ---- */

/* Elements of a block: a number that compilers know, so that even cautious ones make vectors of the loop. */
#define BLOCK 64

#define CAST_SOME(name, in_type, out_type, expression)                                               \
    CAST_FOR PTIO_INLINE void name##_some(const char *restrict in, char *restrict out, size_t count) \
    {                                                                                                \
        for (size_t i = 0; i < count; i++) {                                                         \
            in_type x;                                                                               \
            PTIO_MOVE(&x, in + i * sizeof x, sizeof x);                                              \
            out_type y = (out_type)(expression);                                                     \
            PTIO_MOVE(out + i * sizeof y, &y, sizeof y);                                             \
        }                                                                                            \
    }
#define CAST(name, in_type, out_type, expression)                                                              \
    CAST_SOME(name, in_type, out_type, expression)                                                             \
    CAST_FOR static void name(const char *restrict in, char *restrict out, size_t count)                       \
    {                                                                                                          \
        for (; count >= BLOCK; count -= BLOCK, in += BLOCK * sizeof(in_type), out += BLOCK * sizeof(out_type)) \
            name##_some(in, out, BLOCK);                                                                       \
        name##_some(in, out, count);                                                                           \
    }

/* `eight` does eight at once, where the processor can. */
#if CAST_IN_EIGHTS
#define CAST_EIGHTS(name, in_type, out_type, expression, eight)                                                \
    CAST_SOME(name, in_type, out_type, expression)                                                             \
    CAST_FOR static void name(const char *restrict in, char *restrict out, size_t count)                       \
    {                                                                                                          \
        for (; count >= BLOCK; count -= BLOCK, in += BLOCK * sizeof(in_type), out += BLOCK * sizeof(out_type)) \
            for (size_t i = 0; i < BLOCK; i += 8)                                                              \
                eight(in + i * sizeof(in_type), out + i * sizeof(out_type));                                   \
        name##_some(in, out, count);                                                                           \
    }
#else
#define CAST_EIGHTS(name, in_type, out_type, expression, eight) CAST(name, in_type, out_type, expression)
#endif

CAST_EIGHTS(widen_float16, uint16_t, uint32_t, ptio_widen_float16(x), ptio_vector_widen_halves)
CAST(widen_bfloat16, uint16_t, uint32_t, ptio_widen_bfloat16(x))
CAST(widen_float8_e4m3fn, uint8_t, uint32_t, ptio_widen_float8_e4m3fn(x))
CAST(widen_float8_e5m2, uint8_t, uint32_t, ptio_widen_float8_e5m2(x))
CAST(widen_float8_e4m3fnuz, uint8_t, uint32_t, ptio_widen_float8_e4m3fnuz(x))
CAST(widen_float8_e5m2fnuz, uint8_t, uint32_t, ptio_widen_float8_e5m2fnuz(x))
CAST(widen_float8_e8m0fnu, uint8_t, uint32_t, ptio_widen_float8_e8m0fnu(x))
CAST(widen_int32, int32_t, int64_t, x)
CAST(widen_int16, int16_t, int64_t, x)
CAST(widen_int8, int8_t, int64_t, x)
CAST(widen_uint32, uint32_t, int64_t, x)
CAST(widen_uint16, uint16_t, int64_t, x)
CAST(widen_uint8, uint8_t, int64_t, x)
CAST(widen_bool, uint8_t, int64_t, x != 0)

/* Bits of the float32 that a wide value rounds to. Why not of a float16 at once: PyTorch goes by way of float32 too. */
#define F32_OF_float32(x) (x)
#define F32_OF_float64(x) ptio_float_bits((float)(x))
#define F32_OF_int64(x) ptio_float_bits((float)(x))
#define F32_OF_uint64(x) ptio_float_bits((float)(x))

#define NARROW_TO_FLOATS(wide, type)                                                              \
    CAST(wide##_to_bfloat16, type, uint16_t, ptio_narrow_bfloat16(F32_OF_##wide(x)))              \
    CAST(wide##_to_float8_e4m3fn, type, uint8_t, ptio_narrow_float8_e4m3fn(F32_OF_##wide(x)))     \
    CAST(wide##_to_float8_e5m2, type, uint8_t, ptio_narrow_float8_e5m2(F32_OF_##wide(x)))         \
    CAST(wide##_to_float8_e4m3fnuz, type, uint8_t, ptio_narrow_float8_e4m3fnuz(F32_OF_##wide(x))) \
    CAST(wide##_to_float8_e5m2fnuz, type, uint8_t, ptio_narrow_float8_e5m2fnuz(F32_OF_##wide(x))) \
    CAST(wide##_to_float8_e8m0fnu, type, uint8_t, ptio_narrow_float8_e8m0fnu(F32_OF_##wide(x)))

CAST_EIGHTS(float32_to_float16, uint32_t, uint16_t, ptio_narrow_float16(x), ptio_vector_narrow_halves)
CAST(float64_to_float16, double, uint16_t, ptio_narrow_float16(F32_OF_float64(x)))
CAST(int64_to_float16, int64_t, uint16_t, ptio_narrow_float16(F32_OF_int64(x)))
CAST(uint64_to_float16, uint64_t, uint16_t, ptio_narrow_float16(F32_OF_uint64(x)))

NARROW_TO_FLOATS(float32, uint32_t)
NARROW_TO_FLOATS(float64, double)
NARROW_TO_FLOATS(int64, int64_t)
NARROW_TO_FLOATS(uint64, uint64_t)

CAST(float32_to_float64, float, double, x)
CAST(float64_to_float32, double, float, x)
CAST(int64_to_float64, int64_t, double, x)
CAST(int64_to_float32, int64_t, float, x)
CAST(uint64_to_float64, uint64_t, double, x)
CAST(uint64_to_float32, uint64_t, float, x)

#define FLOAT_TO_INTEGERS(wide, type)                 \
    CAST(wide##_to_int64, type, int64_t, to_i64(x))   \
    CAST(wide##_to_int32, type, int32_t, to_i32(x))   \
    CAST(wide##_to_int16, type, uint16_t, to_i32(x))  \
    CAST(wide##_to_int8, type, uint8_t, to_i32(x))    \
    CAST(wide##_to_uint64, type, uint64_t, to_u64(x)) \
    CAST(wide##_to_uint32, type, uint32_t, to_i64(x)) \
    CAST(wide##_to_uint16, type, uint16_t, to_i32(x)) \
    CAST(wide##_to_uint8, type, uint8_t, to_i64(x))   \
    CAST(wide##_to_bool, type, uint8_t, x != 0)

FLOAT_TO_INTEGERS(float32, float)
FLOAT_TO_INTEGERS(float64, double)

/* Integers keep their low bytes; as unsigned, since that is defined. int64 and uint64 are the same here but as a float. */
#define INTEGER_TO_INTEGERS(wide)                 \
    CAST(wide##_to_int32, uint64_t, uint32_t, x)  \
    CAST(wide##_to_int16, uint64_t, uint16_t, x)  \
    CAST(wide##_to_int8, uint64_t, uint8_t, x)    \
    CAST(wide##_to_uint32, uint64_t, uint32_t, x) \
    CAST(wide##_to_uint16, uint64_t, uint16_t, x) \
    CAST(wide##_to_uint8, uint64_t, uint8_t, x)   \
    CAST(wide##_to_bool, uint64_t, uint8_t, x != 0)

INTEGER_TO_INTEGERS(int64)
INTEGER_TO_INTEGERS(uint64)
CAST(int64_to_uint64, uint64_t, uint64_t, x)
CAST(uint64_to_int64, uint64_t, uint64_t, x)

/* ---- the table ---- */

/* Of the columns, one is the type itself in each row but the last dtypes'. */
#define NARROW_ROW(wide)                                                                                                      \
    [PTIO_FLOAT16] = wide##_to_float16, [PTIO_BFLOAT16] = wide##_to_bfloat16, [PTIO_FLOAT8_E4M3FN] = wide##_to_float8_e4m3fn, \
    [PTIO_FLOAT8_E5M2] = wide##_to_float8_e5m2, [PTIO_FLOAT8_E4M3FNUZ] = wide##_to_float8_e4m3fnuz,                           \
    [PTIO_FLOAT8_E5M2FNUZ] = wide##_to_float8_e5m2fnuz, [PTIO_FLOAT8_E8M0FNU] = wide##_to_float8_e8m0fnu,                     \
    [PTIO_INT32] = wide##_to_int32, [PTIO_INT16] = wide##_to_int16, [PTIO_INT8] = wide##_to_int8,                             \
    [PTIO_UINT32] = wide##_to_uint32, [PTIO_UINT16] = wide##_to_uint16, [PTIO_UINT8] = wide##_to_uint8,                       \
    [PTIO_BOOL] = wide##_to_bool

const ptio_casts CAST_TABLE = {
    .widen = {[PTIO_FLOAT16] = widen_float16,
              [PTIO_BFLOAT16] = widen_bfloat16,
              [PTIO_FLOAT8_E4M3FN] = widen_float8_e4m3fn,
              [PTIO_FLOAT8_E5M2] = widen_float8_e5m2,
              [PTIO_FLOAT8_E4M3FNUZ] = widen_float8_e4m3fnuz,
              [PTIO_FLOAT8_E5M2FNUZ] = widen_float8_e5m2fnuz,
              [PTIO_FLOAT8_E8M0FNU] = widen_float8_e8m0fnu,
              [PTIO_INT32] = widen_int32,
              [PTIO_INT16] = widen_int16,
              [PTIO_INT8] = widen_int8,
              [PTIO_UINT32] = widen_uint32,
              [PTIO_UINT16] = widen_uint16,
              [PTIO_UINT8] = widen_uint8,
              [PTIO_BOOL] = widen_bool},
    .float32_to = {NARROW_ROW(float32), [PTIO_FLOAT64] = float32_to_float64, [PTIO_INT64] = float32_to_int64,
                   [PTIO_UINT64] = float32_to_uint64},
    .float64_to = {NARROW_ROW(float64), [PTIO_FLOAT32] = float64_to_float32, [PTIO_INT64] = float64_to_int64,
                   [PTIO_UINT64] = float64_to_uint64},
    .int64_to = {NARROW_ROW(int64), [PTIO_FLOAT64] = int64_to_float64, [PTIO_FLOAT32] = int64_to_float32,
                 [PTIO_UINT64] = int64_to_uint64},
    .uint64_to = {NARROW_ROW(uint64), [PTIO_FLOAT64] = uint64_to_float64, [PTIO_FLOAT32] = uint64_to_float32,
                  [PTIO_INT64] = uint64_to_int64},
    .stream = CAST_STREAM,
};
