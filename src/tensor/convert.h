/*
 * One element between its bytes and a number, bit for bit as PyTorch converts it.
 */
#ifndef PTIO_TENSOR_CONVERT_H
#define PTIO_TENSOR_CONVERT_H

#include "base/os.h"
#include "ptio.h"

float ptio_float16_to_float(uint16_t bits);
uint16_t ptio_float_to_float16(float value); /* to nearest even; NaN stays NaN */
float ptio_bfloat16_to_float(uint16_t bits);
uint16_t ptio_float_to_bfloat16(float value);

/** One of the five float8 dtypes. */
float ptio_float8_to_float(ptio_dtype dtype, uint8_t bits);
uint8_t ptio_float_to_float8(ptio_dtype dtype, float value);

/**
 * Convert `count` elements of `from` at `in`, `in_step` bytes apart, to contiguous elements of `to` at `out`.
 * Neither needs to be aligned. False where the cast has no meaning (an opaque dtype to another).
 */
bool ptio_convert(ptio_dtype from, const void *in, int64_t in_step, ptio_dtype to, void *out, uint64_t count);

/** Whether there is a cast from one dtype to another: between numbers, from the ints of a quantized dtype, and to itself. */
bool ptio_can_convert(ptio_dtype from, ptio_dtype to);

/** Lay `count` elements of `itemsize` bytes (1, 2, 4, 8, 16), `step` bytes apart, side by side. */
void ptio_gather(const void *in, int64_t step, size_t itemsize, void *out, uint64_t count);

/** Reverse the bytes of `count` units of `unit` bytes (1, 2, 4, 8) in place. */
void ptio_swap_bytes(void *bytes, uint64_t count, size_t unit);

#endif
