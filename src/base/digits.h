/*
 * The decimal digits of a double, exactly: no locale, no rounding but the one that is asked for.
 */
#ifndef PTIO_BASE_DIGITS_H
#define PTIO_BASE_DIGITS_H

#include "base/os.h"

/** The digits d1 d2 d3 … of the number d1.d2d3… * 10^exponent. */
typedef struct ptio_digits {
    int exponent;
    unsigned count; /* 0: the number is rounded to nothing */
    char digits[384];
} ptio_digits;

/** The fewest digits that read back as `value`, which is finite and above 0; of those the nearest. At most 17. */
void ptio_digits_shortest(double value, ptio_digits *ret);

/** The same among floats of `bits` bits of precision, the least of which is 2^least: 24 and -149 of float32, 11 and -24 of float16. */
void ptio_digits_shortest_among(double value, int bits, int least, ptio_digits *ret);

/** `count` digits, to nearest, halves to even. 1 to 61. The value is not 0. */
void ptio_digits_count(double value, unsigned count, ptio_digits *ret);

/** All digits up to `places` (0 to 60) behind the point, to nearest, halves to even. Of 0 there are none. */
void ptio_digits_places(double value, unsigned places, ptio_digits *ret);

/** value * 10^places as an integer, to nearest, halves to even. False where that is too large, or nothing but ptio_digits_places() knows. */
bool ptio_round_places(double value, unsigned places, uint64_t *ret);

/** The same of `count` digits: *ret * 10^(*exponent - count + 1) is about the value, which is above 0. */
bool ptio_round_count(double value, unsigned count, uint64_t *ret, int *exponent);

/** Decimal digits of n, 1 to 20; and the last `size` of them as text, zeros before it. */
unsigned ptio_decimal_size(uint64_t n);
void ptio_decimal_put(char *text, unsigned size, uint64_t n);

#endif
