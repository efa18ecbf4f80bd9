/*
 * The digits of a double whichever it is, by big integers: what digits.h gives, slowly.
 */
#ifndef PTIO_BASE_DIGITS_EXACT_H
#define PTIO_BASE_DIGITS_EXACT_H

#include "base/digits.h"

/** A float above 0 as m * 2^e. */
typedef struct ptio_binary {
    uint64_t m;
    int e;
    bool closer; /* the neighbour below is half as far as the one above; halfway numbers read back as it where m is even */
} ptio_binary;

ptio_binary ptio_binary_of(double value);

/** The same number as one of floats of `bits` bits of precision, the least of which is 2^least. */
ptio_binary ptio_binary_among(double value, int bits, int least);

/** The exponent of ten, or one less or more. */
int ptio_binary_exponent10(ptio_binary value);

void ptio_digits_exact_shortest(ptio_binary value, ptio_digits *ret);
void ptio_digits_exact_count(ptio_binary value, unsigned count, ptio_digits *ret);
void ptio_digits_exact_places(ptio_binary value, unsigned places, ptio_digits *ret);

#endif
