/*
 * Means and deviations that stay right however many numbers there are and however far they are from zero.
 *
 * A block of 1024 is looked at twice while it is in the cache: for its own mean, then for the distances from it. Blocks are put together by
 * the rule of Chan, Golub and LeVeque (1983), so no sum of squares loses its digits.
 *
 *     mean    += delta * n_b / n               delta = mean_b - mean
 *     squares += squares_b + delta^2 * n_a * n_b / n
 *
 * float32 numbers have a way of their own, since most are: distances are those from the mean of all blocks before, so that each is looked
 * at once for its moments. Where that mean is far from the block's own, the squares of the block lose digits, but delta^2 outweighs them by as
 * many.
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

static void merge_extremes(moments *m, double least, double most)
{
    m->least = m->count && m->least < least ? m->least : least;
    m->most = m->count && m->most > most ? m->most : most;
}

/* After merge_extremes(), which asks whether there are others. */
static void merge(moments *m, size_t count, double mean, double squares)
{
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
    double mean = mean_of(x, count), least = x[0], most = x[0];
    for (size_t i = 1; i < count; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    merge_extremes(m, least, most);
    merge(m, count, mean, squares_of(x, count, mean));
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

/* ---- float32 ---- */

/* Each loop does one thing for as many numbers as several vectors hold: what compilers make vectors of, whatever these are. */
enum { FLOATS = 4096, WIDE = 64 };

/* Sum of x - shift, and of its square. What is not finite makes the first sum so, and nothing else does. */
static double distances(const float *x, size_t count, double shift, double *squares)
{
    double distance[WIDE / 2] = {0}, square[WIDE / 2] = {0}, sum = 0;
    size_t i = 0;
    for (; i + WIDE / 2 <= count; i += WIDE / 2)
        for (size_t k = 0; k < WIDE / 2; k++) {
            double d = (double)x[i + k] - shift;
            distance[k] += d;
            square[k] += d * d;
        }
    *squares = 0;
    for (; i < count; i++) {
        sum += (double)x[i] - shift;
        *squares += ((double)x[i] - shift) * ((double)x[i] - shift);
    }
    for (size_t k = 0; k < WIDE / 2; k++) {
        sum += distance[k];
        *squares += square[k];
    }
    return sum;
}

static void float_extremes(moments *m, const float *x, size_t count)
{
    float least[WIDE], most[WIDE];
    size_t i = 0;
    for (size_t k = 0; k < WIDE; k++)
        least[k] = most[k] = x[0];
    for (; i + WIDE <= count; i += WIDE)
        for (size_t k = 0; k < WIDE; k++) {
            float y = x[i + k];
            least[k] = y < least[k] ? y : least[k];
            most[k] = y > most[k] ? y : most[k];
        }
    for (; i < count; i++) {
        least[0] = x[i] < least[0] ? x[i] : least[0];
        most[0] = x[i] > most[0] ? x[i] : most[0];
    }
    for (size_t k = 1; k < WIDE; k++) {
        least[0] = least[k] < least[0] ? least[k] : least[0];
        most[0] = most[k] > most[0] ? most[k] : most[0];
    }
    merge_extremes(m, (double)least[0], (double)most[0]);
}

static uint64_t float_zeros(const float *x, size_t count)
{
    uint32_t lane[WIDE] = {0}, zeros = 0;
    size_t i = 0;
    for (; i + WIDE <= count; i += WIDE)
        for (size_t k = 0; k < WIDE; k++)
            lane[k] += x[i + k] == 0;
    for (; i < count; i++)
        zeros += x[i] == 0;
    for (size_t k = 0; k < WIDE; k++)
        zeros += lane[k];
    return zeros;
}

/* False where not all are finite; then nothing was added. */
static bool add_floats(tally *t, const float *x, size_t count)
{
    moments *m = &t->real;
    double squares, shift = m->count ? m->mean : (double)x[0], sum = distances(x, count, shift, &squares);
    if (!isfinite(sum))
        return false;
    if (!m->count) { /* now from its own mean */
        shift += sum / (double)count;
        sum = distances(x, count, shift, &squares);
    }
    squares -= sum * sum / (double)count;
    t->zeros += float_zeros(x, count);
    float_extremes(m, x, count);
    merge(m, count, shift + sum / (double)count, squares > 0 ? squares : 0);
    return true;
}

void tally_add_floats(tally *t, const float *numbers, size_t count)
{
    for (size_t at = 0; at < count; at += FLOATS) {
        double x[FLOATS];
        size_t n = count - at < FLOATS ? count - at : FLOATS;
        if (add_floats(t, numbers + at, n)) {
            t->numel += n;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            x[i] = (double)numbers[at + i];
        tally_add(t, x, n);
    }
}

/* ---- complex numbers ---- */

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
