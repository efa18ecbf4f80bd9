/*
 * The decimal digits of a double, by exact integer arithmetic.
 *
 * A double is m * 2^e. It is written as a fraction r / s of two big integers, scaled by a power of ten until 1 <= r/s < 10; then
 * the next digit is the integer part, and the rest times ten the next fraction. The shortest text stops as soon as the digits so
 * far lie nearer to the value than half the way to its neighbours, which are carried along as `above` and `below`.
 *
 * Source: G. L. Steele, J. L. White, "How to print floating-point numbers accurately", 1990; R. G. Burger, R. K. Dybvig, "Printing
 * floating-point numbers quickly and accurately", 1996. It is slow, right for every number, and asked only where digits.c cannot
 * prove its answer.
 */
#include "base/digits_exact.h"

#include <string.h>

/* The largest number met is below 2^1140: m * 10^324 for the smallest doubles, and four bits for the steps. */
#define LIMBS 40

typedef struct big {
    uint32_t limb[LIMBS]; /* little end first; limb[count - 1] is not 0 */
    unsigned count;
} big;

static void big_set(big *b, uint64_t value)
{
    b->limb[0] = (uint32_t)value;
    b->limb[1] = (uint32_t)(value >> 32);
    b->count = b->limb[1] ? 2 : b->limb[0] ? 1 : 0;
}

static void big_multiply(big *b, uint32_t factor)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < b->count; i++) {
        carry += (uint64_t)b->limb[i] * factor;
        b->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry)
        b->limb[b->count++] = (uint32_t)carry;
}

static void big_multiply_power10(big *b, unsigned power)
{
    for (; power >= 9; power -= 9)
        big_multiply(b, 1000000000);
    static const uint32_t small[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    if (power)
        big_multiply(b, small[power]);
}

static void big_shift(big *b, unsigned bits)
{
    if (!b->count)
        return;
    unsigned limbs = bits / 32;
    big_multiply(b, (uint32_t)1 << bits % 32);
    if (!limbs)
        return;
    memmove(b->limb + limbs, b->limb, b->count * sizeof *b->limb);
    memset(b->limb, 0, limbs * sizeof *b->limb);
    b->count += limbs;
}

static int big_compare(const big *a, const big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (unsigned i = a->count; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void big_add(big *a, const big *b)
{
    uint64_t carry = 0;
    unsigned count = a->count > b->count ? a->count : b->count;
    for (unsigned i = 0; i < count; i++) {
        carry += (uint64_t)(i < a->count ? a->limb[i] : 0) + (i < b->count ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    a->count = count;
    if (carry)
        a->limb[a->count++] = (uint32_t)carry;
}

/* a -= b, where a >= b. */
static void big_subtract(big *a, const big *b)
{
    int64_t borrow = 0;
    for (unsigned i = 0; i < a->count; i++) {
        borrow += (int64_t)a->limb[i] - (i < b->count ? b->limb[i] : 0);
        a->limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    while (a->count && !a->limb[a->count - 1])
        a->count--;
}

/* a compared with b * 2^shift, where the product is small enough. */
static int big_compare_times(const big *a, const big *b, uint32_t factor)
{
    big product = *b;
    big_multiply(&product, factor);
    return big_compare(a, &product);
}

static int big_compare_sum(const big *a, const big *b, const big *c)
{
    big sum = *a;
    big_add(&sum, b);
    return big_compare(&sum, c);
}

/* The integer part of r / s, which is below 10; r becomes the rest. */
static unsigned big_divide_digit(big *r, const big *s)
{
    unsigned digit = 0;
    while (digit < 10 && big_compare(r, s) >= 0) {
        big_subtract(r, s);
        digit++;
    }
    return digit;
}

/* r / s = value / 10^k */
static void make_fraction(ptio_binary p, unsigned extra_bits, int k, big *r, big *s)
{
    big_set(r, p.m);
    big_set(s, 1);
    big_shift(r, extra_bits + (unsigned)(p.e > 0 ? p.e : 0));
    big_shift(s, extra_bits + (unsigned)(p.e < 0 ? -p.e : 0));
    big_multiply_power10(k < 0 ? r : s, (unsigned)(k < 0 ? -k : k));
}

/* One more in the last digit; 99 becomes 10 with the next exponent. */
static void round_up(ptio_digits *d)
{
    unsigned i = d->count;
    while (i > 0 && d->digits[i - 1] == '9')
        i--;
    if (i) {
        d->digits[i - 1]++;
        memset(d->digits + i, '0', d->count - i);
        return;
    }
    d->digits[0] = '1';
    if (d->count)
        memset(d->digits + 1, '0', d->count - 1);
    else
        d->count = 1;
    d->exponent++;
}

void ptio_digits_exact_shortest(ptio_binary p, ptio_digits *ret)
{
    int k = ptio_binary_exponent10(p);
    big r, s, above, below;
    /* Halves of the distances to the neighbours, over the same s: so everything is doubled, or doubled twice. */
    make_fraction(p, p.closer ? 2 : 1, k, &r, &s);
    big_set(&above, p.closer ? 2 : 1);
    big_set(&below, 1);
    big *distances[2] = {&above, &below};
    for (int i = 0; i < 2; i++) {
        big_shift(distances[i], (unsigned)(p.e > 0 ? p.e : 0));
        big_multiply_power10(distances[i], (unsigned)(k < 0 ? -k : 0));
    }
    bool even = !(p.m & 1);
    int reached = even ? 0 : 1; /* a sum that compares at least so high is over the limit */
    for (;; k++) {
        big ten = s;
        big_multiply(&ten, 10);
        if (big_compare_sum(&r, &above, &ten) < reached)
            break;
        s = ten;
    }
    for (; big_compare_sum(&r, &above, &s) < reached; k--) {
        big_multiply(&r, 10);
        big_multiply(&above, 10);
        big_multiply(&below, 10);
    }
    ret->exponent = k;
    ret->count = 0;
    for (;;) {
        unsigned digit = big_divide_digit(&r, &s);
        bool low = big_compare(&r, &below) < (even ? 1 : 0);
        bool high = big_compare_sum(&r, &above, &s) >= reached;
        ret->digits[ret->count++] = (char)('0' + digit);
        if (low || high) {
            int half = big_compare_times(&s, &r, 2); /* s against 2r */
            if (high && (!low || half < 0 || (half == 0 && (digit & 1))))
                round_up(ret);
            break;
        }
        big_multiply(&r, 10);
        big_multiply(&above, 10);
        big_multiply(&below, 10);
    }
    while (ret->count > 1 && ret->digits[ret->count - 1] == '0')
        ret->count--;
}

/* Scale to 1 <= r/s < 10. */
static int scale(ptio_binary p, big *r, big *s)
{
    int k = ptio_binary_exponent10(p);
    make_fraction(p, 0, k, r, s);
    for (; big_compare_times(r, s, 10) >= 0; k++)
        big_multiply(s, 10);
    for (; big_compare(r, s) < 0; k--)
        big_multiply(r, 10);
    return k;
}

static void take_digits(big *r, const big *s, int64_t count, ptio_digits *ret)
{
    ret->count = 0;
    if (count < 0)
        return;
    for (int64_t i = 0; i < count; i++) {
        ret->digits[ret->count++] = (char)('0' + big_divide_digit(r, s));
        big_multiply(r, 10);
    }
    int half = big_compare_times(r, s, 5);
    bool odd = ret->count && ((ret->digits[ret->count - 1] - '0') & 1);
    if (half > 0 || (half == 0 && odd))
        round_up(ret);
}

void ptio_digits_exact_count(ptio_binary value, unsigned count, ptio_digits *ret)
{
    big r, s;
    ret->exponent = scale(value, &r, &s);
    take_digits(&r, &s, count, ret);
}

void ptio_digits_exact_places(ptio_binary value, unsigned places, ptio_digits *ret)
{
    big r, s;
    int exponent = ret->exponent = scale(value, &r, &s);
    take_digits(&r, &s, (int64_t)exponent + 1 + places, ret);
    /* 9.9996 to three places is 10.000: one more digit before the point, none less behind it. */
    if (ret->exponent > exponent && ret->count && (int64_t)ret->count < (int64_t)ret->exponent + 1 + places)
        ret->digits[ret->count++] = '0';
}
