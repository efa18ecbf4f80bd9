/*
 * Binary floats of 16 and 8 bits, all of one pattern, between their bits and those of a binary32:
 *
 *     sign | exponent | fraction of F bits        value = 1.fraction * 2^(exponent - bias), or 0.fraction * 2^(1 - bias)
 *
 * The functions are made of selections instead of branches and get their parameters as constants, so that compilers turn a loop
 * over them into vectors. Only integers carry NaNs: a NaN in a float variable may lose its bits on some machines. Arithmetic on
 * floats is exact, or rounds once to nearest even, and never meets a subnormal binary32, which some programs flush to zero.
 */
#ifndef PTIO_TENSOR_MINIFLOAT_H
#define PTIO_TENSOR_MINIFLOAT_H

#include <string.h>

#include "base/os.h"

#define PTIO_F32_INFINITY 0x7F800000u
#define PTIO_F32_QUIET 0x00400000u
#define PTIO_F32_SIGN 0x80000000u
#define PTIO_F32_BIAS 127

PTIO_INLINE uint32_t ptio_float_bits(float value)
{
    uint32_t bits;
    PTIO_MOVE(&bits, &value, sizeof bits);
    return bits;
}

PTIO_INLINE float ptio_bits_float(uint32_t bits)
{
    float value;
    PTIO_MOVE(&value, &bits, sizeof value);
    return value;
}

/** 2^exponent as the bits of a binary32. */
#define PTIO_F32_POWER(exponent) ((uint32_t)((exponent) + PTIO_F32_BIAS) << 23)

/** `a` where `condition` is 1, `b` where it is 0. Why not ?: since compilers turn that into a jump, and a jump keeps vectors away. */
PTIO_INLINE uint32_t ptio_select(uint32_t condition, uint32_t a, uint32_t b)
{
    uint32_t mask = 0u - condition;
    return (a & mask) | (b & ~mask);
}

/** Of numbers below 2^31; vectors compare signed ones more easily. */
PTIO_INLINE uint32_t ptio_is_at_least(uint32_t magnitude, uint32_t least)
{
    return (int32_t)magnitude >= (int32_t)least;
}

/** Of the bits of a binary32 without the sign. */
PTIO_INLINE uint32_t ptio_is_nan(uint32_t magnitude)
{
    return ptio_is_at_least(magnitude, PTIO_F32_INFINITY + 1);
}

/** The binary32 of a finite small float: `magnitude` is its bits without the sign. */
PTIO_INLINE uint32_t ptio_small_widen(uint32_t magnitude, int fraction, int bias)
{
    uint32_t normal = (magnitude << (23 - fraction)) + ((uint32_t)(PTIO_F32_BIAS - bias) << 23);
    float subnormal = (float)(int32_t)magnitude * ptio_bits_float(PTIO_F32_POWER(1 - bias - fraction));
    return ptio_select(ptio_is_at_least(magnitude, 1u << fraction), normal, ptio_float_bits(subnormal));
}

/**
 * The small float nearest to a binary32, ties to even: `magnitude` is the bits of the latter without the sign, less than those of
 * 2^(largest exponent + 1). What rounds up beyond the largest value comes out as the bits that follow it.
 */
PTIO_INLINE uint32_t ptio_small_narrow(uint32_t magnitude, int fraction, int bias)
{
    uint32_t odd = magnitude >> (23 - fraction) & 1;
    uint32_t rounded = magnitude + (((uint32_t)1 << (22 - fraction)) - 1) + odd;
    uint32_t normal = (rounded - ((uint32_t)(PTIO_F32_BIAS - bias) << 23)) >> (23 - fraction);
    /* The sum with a power of two whose last bit is worth one unit of the subnormals rounds to that unit. */
    uint32_t unit = PTIO_F32_POWER(1 - bias - fraction + 23);
    uint32_t subnormal = ptio_float_bits(ptio_bits_float(magnitude) + ptio_bits_float(unit)) - unit;
    return ptio_select(ptio_is_at_least(magnitude, PTIO_F32_POWER(1 - bias)), normal, subnormal);
}

/* ---- bits of each dtype to bits of a float32 ---- */

PTIO_INLINE uint32_t ptio_widen_float16(uint16_t bits)
{
    uint32_t magnitude = bits & 0x7FFFu, sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t payload = (magnitude & 0x3FFu) << 13;
    uint32_t special = PTIO_F32_INFINITY | payload | ptio_select(payload != 0, PTIO_F32_QUIET, 0);
    return sign | ptio_select(ptio_is_at_least(magnitude, 0x7C00u), special, ptio_small_widen(magnitude, 10, 15));
}

PTIO_INLINE uint32_t ptio_widen_bfloat16(uint16_t bits)
{
    return (uint32_t)bits << 16;
}

PTIO_INLINE uint32_t ptio_widen_float8_e4m3fn(uint8_t bits)
{
    uint32_t magnitude = bits & 0x7Fu, sign = (uint32_t)(bits & 0x80u) << 24;
    return sign | ptio_select(magnitude == 0x7Fu, 0x7FF00000u, ptio_small_widen(magnitude, 3, 7));
}

/* The upper half of a float16. */
PTIO_INLINE uint32_t ptio_widen_float8_e5m2(uint8_t bits)
{
    return ptio_widen_float16((uint16_t)(bits << 8));
}

/* The "fnuz" kinds have one NaN, in the place of -0. */
PTIO_INLINE uint32_t ptio_widen_float8_fnuz(uint8_t bits, int fraction, int bias)
{
    uint32_t magnitude = bits & 0x7Fu, sign = (uint32_t)(bits & 0x80u) << 24;
    return ptio_select(bits == 0x80u, PTIO_F32_INFINITY | 1, sign | ptio_small_widen(magnitude, fraction, bias));
}

PTIO_INLINE uint32_t ptio_widen_float8_e4m3fnuz(uint8_t bits)
{
    return ptio_widen_float8_fnuz(bits, 3, 8);
}

PTIO_INLINE uint32_t ptio_widen_float8_e5m2fnuz(uint8_t bits)
{
    return ptio_widen_float8_fnuz(bits, 2, 16);
}

/* The exponent of a binary32 and nothing else; 2^-127 is a subnormal there. */
PTIO_INLINE uint32_t ptio_widen_float8_e8m0fnu(uint8_t bits)
{
    uint32_t power = ptio_select(bits == 0xFFu, PTIO_F32_INFINITY | 1, (uint32_t)bits << 23);
    return ptio_select(bits == 0, 0x00400000u, power);
}

/* ---- bits of a float32 to bits of each dtype ---- */

PTIO_INLINE uint16_t ptio_narrow_float16(uint32_t bits)
{
    uint32_t magnitude = bits & ~PTIO_F32_SIGN, sign = (bits & PTIO_F32_SIGN) >> 16;
    uint32_t nan = 0x7E00u | (magnitude >> 13 & 0x3FFu);
    uint32_t special = ptio_select(ptio_is_nan(magnitude), nan, 0x7C00u);
    return (uint16_t)(sign | ptio_select(ptio_is_at_least(magnitude, PTIO_F32_POWER(16)), special,
                                         ptio_small_narrow(magnitude, 10, 15)));
}

/* PyTorch has two NaNs here: 7FC0 where it goes element by element, FFFF in its vectors. This is the first. */
PTIO_INLINE uint16_t ptio_narrow_bfloat16(uint32_t bits)
{
    bits = ptio_select(ptio_is_nan(bits & ~PTIO_F32_SIGN), 0x7FC00000u, bits);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

/* There is no infinity: 464 and more, and infinity too, become the largest value, 448. (Older releases of PyTorch made them NaN.) */
PTIO_INLINE uint8_t ptio_narrow_float8_e4m3fn(uint32_t bits)
{
    uint32_t magnitude = bits & ~PTIO_F32_SIGN, sign = (bits & PTIO_F32_SIGN) >> 24;
    uint32_t special = ptio_select(ptio_is_nan(magnitude), 0x7Fu, 0x7Eu);
    return (uint8_t)(sign | ptio_select(ptio_is_at_least(magnitude, 0x43E80000u), special, ptio_small_narrow(magnitude, 3, 7)));
}

PTIO_INLINE uint8_t ptio_narrow_float8_e5m2(uint32_t bits)
{
    uint32_t magnitude = bits & ~PTIO_F32_SIGN, sign = (bits & PTIO_F32_SIGN) >> 24;
    uint32_t special = ptio_select(ptio_is_nan(magnitude), 0x7Fu, 0x7Cu);
    return (uint8_t)(sign |
                     ptio_select(ptio_is_at_least(magnitude, PTIO_F32_POWER(16)), special, ptio_small_narrow(magnitude, 2, 15)));
}

/* Too large, infinite and NaN are 80; what rounds to 0 has no sign. `beyond` is the power of two behind the largest value. */
PTIO_INLINE uint8_t ptio_narrow_float8_fnuz(uint32_t bits, int fraction, int bias, int beyond)
{
    uint32_t magnitude = bits & ~PTIO_F32_SIGN, sign = (bits & PTIO_F32_SIGN) >> 24;
    uint32_t small =
        ptio_select(ptio_is_at_least(magnitude, PTIO_F32_POWER(beyond)), 0x80u, ptio_small_narrow(magnitude, fraction, bias));
    return (uint8_t)(small | ptio_select(small != 0, sign, 0));
}

PTIO_INLINE uint8_t ptio_narrow_float8_e4m3fnuz(uint32_t bits)
{
    return ptio_narrow_float8_fnuz(bits, 3, 8, 8);
}

PTIO_INLINE uint8_t ptio_narrow_float8_e5m2fnuz(uint32_t bits)
{
    return ptio_narrow_float8_fnuz(bits, 2, 16, 16);
}

/* The sign is lost; rounds to the nearest power of two as the fraction says, ties to even but from 2^-127 down. */
PTIO_INLINE uint8_t ptio_narrow_float8_e8m0fnu(uint32_t bits)
{
    uint32_t exponent = bits >> 23 & 0xFFu, fraction = bits & 0x7FFFFFu;
    uint32_t up = (fraction > 0x400000u) | ((fraction == 0x400000u) & (exponent > 0));
    return (uint8_t)(exponent + ptio_select(exponent == 0xFFu, 0, up));
}

#endif
