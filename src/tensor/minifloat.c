/*
 * The floats of 16 and 8 bits one at a time, for those who have no array of them. Loops are in cast.c.
 */
#include "tensor/minifloat.h"

#include "tensor/convert.h"

float ptio_float16_to_float(uint16_t bits)
{
    return ptio_bits_float(ptio_widen_float16(bits));
}

uint16_t ptio_float_to_float16(float value)
{
    return ptio_narrow_float16(ptio_float_bits(value));
}

float ptio_bfloat16_to_float(uint16_t bits)
{
    return ptio_bits_float(ptio_widen_bfloat16(bits));
}

uint16_t ptio_float_to_bfloat16(float value)
{
    return ptio_narrow_bfloat16(ptio_float_bits(value));
}

float ptio_float8_to_float(ptio_dtype dtype, uint8_t bits)
{
    uint32_t wide = 0;
    if (dtype == PTIO_FLOAT8_E4M3FN)
        wide = ptio_widen_float8_e4m3fn(bits);
    else if (dtype == PTIO_FLOAT8_E5M2)
        wide = ptio_widen_float8_e5m2(bits);
    else if (dtype == PTIO_FLOAT8_E4M3FNUZ)
        wide = ptio_widen_float8_e4m3fnuz(bits);
    else if (dtype == PTIO_FLOAT8_E5M2FNUZ)
        wide = ptio_widen_float8_e5m2fnuz(bits);
    else if (dtype == PTIO_FLOAT8_E8M0FNU)
        wide = ptio_widen_float8_e8m0fnu(bits);
    return ptio_bits_float(wide);
}

uint8_t ptio_float_to_float8(ptio_dtype dtype, float value)
{
    uint32_t bits = ptio_float_bits(value);
    if (dtype == PTIO_FLOAT8_E4M3FN)
        return ptio_narrow_float8_e4m3fn(bits);
    if (dtype == PTIO_FLOAT8_E5M2)
        return ptio_narrow_float8_e5m2(bits);
    if (dtype == PTIO_FLOAT8_E4M3FNUZ)
        return ptio_narrow_float8_e4m3fnuz(bits);
    if (dtype == PTIO_FLOAT8_E5M2FNUZ)
        return ptio_narrow_float8_e5m2fnuz(bits);
    if (dtype == PTIO_FLOAT8_E8M0FNU)
        return ptio_narrow_float8_e8m0fnu(bits);
    return 0;
}
