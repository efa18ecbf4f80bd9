/*
 * PTIO_TEST_SHARE (environment, 0 to 1, default 1): how much of the long tests is done. Programs are slow under valgrind, sanitizers and
 * emulation. The same part each time.
 */
#ifndef PTIO_TESTS_SUPPORT_SHARE_H
#define PTIO_TESTS_SUPPORT_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static inline double test_share(void)
{
    const char *asked = getenv("PTIO_TEST_SHARE");
    double share = asked ? strtod(asked, NULL) : 1;
    return share > 0 && share < 1 ? share : 1;
}

/** So many of `count`, and at least `least`. */
static inline uint64_t test_share_of(uint64_t count, uint64_t least)
{
    uint64_t some = (uint64_t)((double)count * test_share());
    return some > least ? some : least < count ? least : count;
}

/** Whether case n of many belongs to a share: an even part of them. */
static inline bool test_is_in(double share, uint64_t n)
{
    uint64_t mixed = (n + 1) * 0x9E3779B97F4A7C15U;
    return (double)(mixed >> 40) < share * (double)(1 << 24);
}

/** Whether case n of many is wanted: an even part of them, and the first. */
static inline bool test_wants(uint64_t n)
{
    return n == 0 || test_is_in(test_share(), n);
}

#endif
