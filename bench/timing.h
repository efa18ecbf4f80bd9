/*
 * What the parts of the bench share: a clock, series of measurements, and the lines that run.py reads.
 *
 * A line is a name and numbers, separated by tabs: a time has the fewest, the median and the most nanoseconds and the number of
 * runs; a count has one number.
 */
#ifndef PTIO_BENCH_TIMING_H
#define PTIO_BENCH_TIMING_H

#include <stddef.h>
#include <stdint.h>

enum { MOST_RUNS = 200 };

typedef struct series {
    uint64_t ns[MOST_RUNS];
    size_t count;
} series;

/** Nanoseconds since some fixed moment. */
uint64_t clock_ns(void);

/** Add one measurement. */
void series_add(series *s, uint64_t ns);

/** Print "NAME min median max runs". */
void series_print(series *s, const char *name);

void count_print(const char *name, uint64_t count);

/** A result goes here, so that the compiler cannot leave out the work. */
void keep(uint64_t result);

#endif
