/*
 * Count, smallest, largest, mean and deviation of numbers that come in pieces.
 */
#ifndef PTIO_CLI_MOMENTS_H
#define PTIO_CLI_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Of finite numbers. Zeroed is ready. */
typedef struct moments {
    uint64_t count;
    double mean, squares; /* of the distances from the mean, summed */
    double least, most;   /* where count > 0                        */
} moments;

/** Of all numbers: the odd ones are counted by themselves. For complex numbers `imag` has their other part. */
typedef struct tally {
    moments real, imag;
    uint64_t numel, zeros, nan, inf;
    uint64_t plus, minus, real_nan;           /* infinities and NaNs of the real part */
    uint64_t imag_plus, imag_minus, imag_nan; /* and of the other one                 */
} tally;

/** Add numbers. They are changed. */
void tally_add(tally *t, double *numbers, size_t count);

/** The same of float32 numbers, five times as fast. */
void tally_add_floats(tally *t, const float *numbers, size_t count);

/** Add complex numbers, their parts side by side. */
void tally_add_complex(tally *t, double *parts, size_t count);

/** The mean of one part, as sums have it: inf where one kind of infinity is among them, nan where both are, or a NaN. */
double tally_mean(const moments *m, uint64_t plus, uint64_t minus, uint64_t nan);

#endif
