/* Series of measurements. See timing.h. */
#include "timing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void series_add(series *s, uint64_t ns)
{
    if (s->count < MOST_RUNS)
        s->ns[s->count++] = ns;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void series_print(series *s, const char *name)
{
    if (s->count == 0)
        return;
    qsort(s->ns, s->count, sizeof s->ns[0], by_size);
    printf("%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%zu\n", name, s->ns[0], s->ns[s->count / 2], s->ns[s->count - 1],
           s->count);
    fflush(stdout);
}

void count_print(const char *name, uint64_t count)
{
    printf("%s\t%" PRIu64 "\n", name, count);
    fflush(stdout);
}

void keep(uint64_t result)
{
    static volatile uint64_t sink;
    sink = sink + result;
}
