/*
 * Means and deviations that stay right however many numbers there are and however far they are from zero.
 *
 * A block of 1024 is looked at twice while it is in the cache: for its own mean, then for the distances from it. Blocks are put together by
 * the rule of Chan, Golub and LeVeque (1983), so no sum of squares loses its digits.
 *
 *     mean    += delta * n_b / n               delta = mean_b - mean
 *     squares += squares_b + delta^2 * n_a * n_b / n
 */
#include "cli/moments.h"

#include <math.h>

enum { BLOCK = 1024, LANES = 8 };

/* In lanes, which a compiler may keep in one register. */
static double sum_of(const double *x, size_t count)
{
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += x[i + k];
    for (; i < count; i++)
        sum += x[i];
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

/* A sum that overflows is made of parts of the numbers. */
static double mean_of(const double *x, size_t count)
{
    double sum = sum_of(x, count);
    if (isfinite(sum))
        return sum / (double)count;
    double mean = 0;
    for (size_t i = 0; i < count; i++)
        mean += x[i] / (double)count;
    return mean;
}

/* Sum of (x - mean)^2. What rounding left in the mean is taken out again. */
static double squares_of(const double *x, size_t count, double mean)
{
    double square[LANES] = {0}, distance[LANES] = {0}, squares = 0, rest = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            double d = x[i + k] - mean;
            square[k] += d * d;
            distance[k] += d;
        }
    for (; i < count; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        rest += x[i] - mean;
    }
    for (size_t k = 0; k < LANES; k++) {
        squares += square[k];
        rest += distance[k];
    }
    return squares - rest * rest / (double)count;
}

static void merge(moments *m, const double *x, size_t count, double mean, double squares)
{
    double least = x[0], most = x[0];
    for (size_t i = 1; i < count; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    m->least = m->count && m->least < least ? m->least : least;
    m->most = m->count && m->most > most ? m->most : most;
    double n_a = (double)m->count, n_b = (double)count, n = n_a + n_b;
    double delta = mean - m->mean;
    m->count += count;
    m->squares += squares + (n_a > 0 ? delta * delta * (n_a * n_b / n) : 0);
    m->mean = n_a > 0 ? m->mean + delta * (n_b / n) : mean;
}

static void add_finite(moments *m, const double *x, size_t count)
{
    if (!count)
        return;
    double mean = mean_of(x, count);
    merge(m, x, count, mean, squares_of(x, count, mean));
}

static uint64_t zeros_of(const double *x, size_t count)
{
    uint64_t zeros = 0;
    for (size_t i = 0; i < count; i++)
        zeros += x[i] == 0;
    return zeros;
}

/* x - x is 0 but for what is not finite. */
static bool all_finite(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] - x[i];
    return sum == 0;
}

/* Count what is not finite, and leave it out. Gives how many are left. */
static size_t take_out(tally *t, double *x, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        t->nan += isnan(x[i]) != 0;
        t->plus += isinf(x[i]) && x[i] > 0;
        t->minus += isinf(x[i]) && x[i] < 0;
        if (isfinite(x[i]))
            x[left++] = x[i];
    }
    return left;
}

void tally_add(tally *t, double *numbers, size_t count)
{
    t->numel += count;
    for (size_t at = 0; at < count; at += BLOCK) {
        double *x = numbers + at;
        size_t n = count - at < BLOCK ? count - at : BLOCK;
        if (!all_finite(x, n))
            n = take_out(t, x, n);
        t->zeros += zeros_of(x, n);
        add_finite(&t->real, x, n);
    }
    t->inf = t->plus + t->minus;
    t->real_nan = t->nan;
}

/* One number that is not finite in both parts: an infinite part makes it infinite, a NaN makes it NaN, and both can be. */
static void count_odd(tally *t, double re, double im)
{
    t->nan += isnan(re) || isnan(im);
    t->inf += isinf(re) || isinf(im);
    t->real_nan += isnan(re) != 0;
    t->imag_nan += isnan(im) != 0;
    t->plus += isinf(re) && re > 0;
    t->minus += isinf(re) && re < 0;
    t->imag_plus += isinf(im) && im > 0;
    t->imag_minus += isinf(im) && im < 0;
}

void tally_add_complex(tally *t, double *parts, size_t count)
{
    double re[BLOCK], im[BLOCK];
    t->numel += count;
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? count - at : BLOCK, left = 0;
        for (size_t i = 0; i < n; i++) {
            double x = parts[2 * (at + i)], y = parts[2 * (at + i) + 1];
            if (!isfinite(x) || !isfinite(y)) {
                count_odd(t, x, y);
                continue;
            }
            t->zeros += x == 0 && y == 0;
            re[left] = x;
            im[left++] = y;
        }
        add_finite(&t->real, re, left);
        add_finite(&t->imag, im, left);
    }
}

double tally_mean(const moments *m, uint64_t plus, uint64_t minus, uint64_t nan)
{
    if (nan || (plus && minus))
        return NAN;
    if (plus || minus)
        return plus ? INFINITY : -INFINITY;
    return m->count ? m->mean : NAN;
}
