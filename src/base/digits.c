/*
 * The decimal digits of a double, by products of 128 bits.
 *
 * m * 2^e times a power of ten is computed as 64 bits before and 64 bits behind the point, and with it a bound of the error. Powers up
 * to 10^27 are exact: 5^27 fits a word. Others are the product of a row of the table, 128 bits rounded down, and such a small one. What is
 * asked (which integer is nearest, which lie between two limits) is answered where the bound proves it. Where it does not, about
 * once in 2^60 random numbers, digits_exact.c computes with big integers.
 *
 * Shortest digits: scaled to 17 digits, the numbers that read back as the value are those between `low` and `high`. Of both ends as many last
 * digits are dropped as leave an integer between them; of those that are left the nearest is taken.
 */
#include "base/digits.h"

#include <string.h>

#include "base/digits_exact.h"

/* ---- floats as integers ---- */

ptio_binary ptio_binary_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int biased = (int)(bits >> 52 & 0x7FF);
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    ptio_binary b = {.m = biased ? fraction | (uint64_t)1 << 52 : fraction, .e = (biased ? biased : 1) - 1075};
    b.closer = fraction == 0 && biased > 1;
    return b;
}

ptio_binary ptio_binary_among(double value, int bits, int least)
{
    ptio_binary b = ptio_binary_of(value);
    int last = b.e + (int)ptio_bit_width(b.m) - bits;
    if (last < least)
        last = least;
    if (b.e < last) {
        b.m >>= last - b.e;
        b.e = last;
    }
    b.closer = b.m == (uint64_t)1 << (bits - 1) && last > least;
    return b;
}

/* floor(log2 * log10(2)), where log2(1.f) is taken for 0.f: too small by up to 0.086, so that one number in forty is told one less. */
int ptio_binary_exponent10(ptio_binary b)
{
    unsigned width = ptio_bit_width(b.m);
    int64_t fraction = (int64_t)(b.m << (64 - width) << 1 >> 44);
    int64_t log2 = (int64_t)(b.e + (int)width - 1) * (1 << 20) + fraction; /* times 2^20 */
    int64_t scaled = log2 * 315652;                                        /* 2^20 * log10(2), rounded down */
    return (int)(scaled >= 0 ? scaled >> 40 : -((-scaled + (((int64_t)1 << 40) - 1)) >> 40));
}

/* ---- powers of ten ---- */

#define SMALL_POWERS 28

static const uint64_t powers5[SMALL_POWERS] = {0x1,
                                               0x5,
                                               0x19,
                                               0x7D,
                                               0x271,
                                               0xC35,
                                               0x3D09,
                                               0x1312D,
                                               0x5F5E1,
                                               0x1DCD65,
                                               0x9502F9,
                                               0x2E90EDD,
                                               0xE8D4A51,
                                               0x48C27395,
                                               0x16BCC41E9,
                                               0x71AFD498D,
                                               0x2386F26FC1,
                                               0xB1A2BC2EC5,
                                               0x3782DACE9D9,
                                               0x1158E460913D,
                                               0x56BC75E2D631,
                                               0x1B1AE4D6E2EF5,
                                               0x878678326EAC9,
                                               0x2A5A058FC295ED,
                                               0xD3C21BCECCEDA1,
                                               0x422CA8B0A00A425,
                                               0x14ADF4B7320334B9,
                                               0x6765C793FA10079D};

#define FIRST_ROW (-11)

/* 10^(28 * row) = high:low * 2^exponent, rounded down. */
static const struct {
    uint64_t high, low;
    int exponent;
} powers10[] = {
    {0xE61ACF033D1A45DF, 0x6FB92487298E33BD, -1151}, /* 10^-308 */
    {0xE858AD248F5C22C9, 0xD1B3400F8F9CFF68, -1058}, /* 10^-280 */
    {0xEA9C227723EE8BCB, 0x465E15A979C1CADC, -965},  /* 10^-252 */
    {0xECE53CEC4A314EBD, 0xA4F8BF5635246428, -872},  /* 10^-224 */
    {0xEF340A98172AACE4, 0x86FB897116C87C34, -779},  /* 10^-196 */
    {0xF18899B1BC3F8CA1, 0xDC44E6C3CB279AC1, -686},  /* 10^-168 */
    {0xF3E2F893DEC3F126, 0x5A89DBA3C3EFCCFA, -593},  /* 10^-140 */
    {0xF64335BCF065D37D, 0x4D4617B5FF4A16D5, -500},  /* 10^-112 */
    {0xF8A95FCF88747D94, 0x75A44C6397CE912A, -407},  /* 10^-84 */
    {0xFB158592BE068D2E, 0xEED6E2F0F0D56712, -314},  /* 10^-56 */
    {0xFD87B5F28300CA0D, 0x8BCA9D6E188853FC, -221},  /* 10^-28 */
    {0x8000000000000000, 0x0000000000000000, -127},  /* 10^0 */
    {0x813F3978F8940984, 0x4000000000000000, -34},   /* 10^28 */
    {0x82818F1281ED449F, 0xBFF8F10E7A8921A4, 59},    /* 10^56 */
    {0x83C7088E1AAB65DB, 0x792667C6DA79E0FA, 152},   /* 10^84 */
    {0x850FADC09923329E, 0x03E2CF6BC604DDB0, 245},   /* 10^112 */
    {0x865B86925B9BC5C2, 0x0B8A2392BA45A9B2, 338},   /* 10^140 */
    {0x87AA9AFF79042286, 0x90FB44D2F05D0842, 431},   /* 10^168 */
    {0x88FCF317F22241E2, 0x441FECE3BDF81F03, 524},   /* 10^196 */
    {0x8A5296FFE33CC92F, 0x82BD6B70D99AAA6F, 617},   /* 10^224 */
    {0x8BAB8EEFB6409C1A, 0x1AD089B6C2F7548E, 710},   /* 10^252 */
    {0x8D07E33455637EB2, 0xDB0B487B6423E1E8, 803},   /* 10^280 */
    {0x8E679C2F5E44FF8F, 0x570F09EAA7EA7648, 896},   /* 10^308 */
    {0x8FCAC257558EE4E6, 0x213A4F0AA5E8A7B1, 989},   /* 10^336 */
};

#define ROWS (int)(sizeof powers10 / sizeof *powers10)

typedef struct power {
    uint64_t high, low; /* the highest bit is set */
    int exponent;
} power;

/* 10^p, at most 2^-126 of it too small. */
static bool find_power(int p, power *ret)
{
    int row = (p + 28 * -FIRST_ROW) / 28, small = (p + 28 * -FIRST_ROW) % 28;
    if (p < 28 * FIRST_ROW || row >= ROWS)
        return false;
    unsigned shift = 64 - ptio_bit_width(powers5[small]);
    uint64_t five = powers5[small] << shift, middle, top;
    (void)ptio_mul_wide(powers10[row].low, five, &middle);
    uint64_t second = ptio_mul_wide(powers10[row].high, five, &top);
    second += middle;
    top += second < middle;
    ret->exponent = powers10[row].exponent + small - (int)shift + 64;
    if (!(top >> 63)) {
        top = top << 1 | second >> 63;
        second <<= 1;
        ret->exponent--;
    }
    ret->high = top;
    ret->low = second;
    return true;
}

/* ---- scaling ---- */

/* How much more than whole.fraction a number may be. */
typedef enum error {
    EXACT, /* nothing                                               */
    CUT,   /* something, but less than one in the last bit           */
    NEAR   /* nothing, or something less than four in the last bit   */
} error;

static const unsigned most_error[] = {[EXACT] = 0, [CUT] = 1, [NEAR] = 4};

typedef struct scaled {
    uint64_t whole, fraction;
    error error;
} scaled;

/* m * 2^e * 10^p where 0 <= p < SMALL_POWERS. False where it does not fit. */
PTIO_INLINE bool scale_exactly(uint64_t m, int e, int p, scaled *ret)
{
    uint64_t high, low = ptio_mul_wide(m, powers5[p], &high);
    int right = -(e + p);
    *ret = (scaled){0, 0, EXACT};
    if (right <= 0) {
        ret->whole = right > -64 ? low << -right : 0;
        return !high && right > -64 && ret->whole >> -right == low;
    }
    if (right >= 128) {
        ret->error = CUT; /* less than 2^118 / 2^128, and so far from a half */
    } else if (right > 64) {
        unsigned shift = (unsigned)right - 64;
        ret->whole = high >> shift;
        ret->fraction = high << (64 - shift) | low >> shift;
        ret->error = low << (64 - shift) ? CUT : EXACT;
    } else if (right == 64) {
        ret->whole = high;
        ret->fraction = low;
    } else {
        ret->whole = high << (64 - right) | low >> right;
        ret->fraction = low << (64 - right);
        return !(high >> right);
    }
    return true;
}

/* m * 2^e * 10^p where that is below 2^61. */
static bool scale_nearly(uint64_t m, int e, const power *ten, scaled *ret)
{
    unsigned shift = 64 - ptio_bit_width(m);
    int right = -(e - (int)shift + ten->exponent) - 128; /* of the upper 128 bits of the product */
    if (right < 3 || right > 63)
        return false;
    uint64_t middle, top;
    (void)ptio_mul_wide(m << shift, ten->low, &middle);
    uint64_t second = ptio_mul_wide(m << shift, ten->high, &top);
    second += middle;
    top += second < middle;
    *ret = (scaled){top >> right, top << (64 - right) | second >> right, NEAR};
    return true;
}

static bool scale(ptio_binary b, int p, scaled *ret)
{
    if (p >= 0 && p < SMALL_POWERS)
        return scale_exactly(b.m, b.e, p, ret);
    power ten;
    return find_power(p, &ten) && scale_nearly(b.m, b.e, &ten, ret);
}

#define HALF ((uint64_t)1 << 63)

/* The nearest integer, halves to even. False where that is not sure. */
PTIO_INLINE bool nearest(scaled s, uint64_t *ret)
{
    bool up = s.fraction > HALF || (s.fraction == HALF && s.error == CUT);
    if (s.fraction == HALF && s.error == NEAR)
        return false;
    if (s.fraction == HALF && s.error == EXACT)
        up = s.whole & 1;
    if (s.fraction < HALF && s.fraction + most_error[s.error] > HALF)
        return false;
    *ret = s.whole + up;
    return true;
}

static const uint64_t whole_powers[] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000};

/* Digits of a number that rounds to `count` digits, scaled by 10^p: found from the estimate, which is off by one at most. */
static bool scale_to_count(ptio_binary b, unsigned count, int *p, scaled *ret)
{
    *p = (int)count - 1 - ptio_binary_exponent10(b);
    if (!scale(b, *p, ret))
        return false;
    if (ret->whole >= whole_powers[count])
        return scale(b, --*p, ret);
    return ret->whole >= whole_powers[count - 1] || scale(b, ++*p, ret);
}

/* ---- shortest digits ---- */

/* The least integer that is not below the number; one above it, where the limit itself is out. */
static bool first_inside(scaled s, bool limit_in, uint64_t *ret)
{
    if (s.error == EXACT && !s.fraction) {
        *ret = s.whole + !limit_in;
        return true;
    }
    *ret = s.whole + 1;
    return s.fraction && s.fraction <= UINT64_MAX - most_error[s.error];
}

static bool last_inside(scaled s, bool limit_in, uint64_t *ret)
{
    *ret = s.whole;
    if (s.error == EXACT && !s.fraction)
        *ret -= !limit_in;
    else
        return s.fraction && s.fraction <= UINT64_MAX - most_error[s.error];
    return true;
}

/* Of the integers first … last, times 10^dropped, the nearest to s. */
static bool nearest_inside(scaled s, uint64_t first, uint64_t last, unsigned dropped, uint64_t *ret)
{
    scaled cut = s;
    if (dropped) {
        /* The digits that are dropped as a fraction, as far as halves need it. */
        uint64_t half = whole_powers[dropped] / 2, rest = s.whole % whole_powers[dropped];
        cut.whole = s.whole / whole_powers[dropped];
        if (rest == half && s.error != EXACT && !s.fraction)
            return false;
        if (rest == half - 1 && s.fraction > UINT64_MAX - most_error[s.error])
            return false;
        bool over = rest > half || (rest == half && s.fraction);
        cut.fraction = over ? HALF + 1 : rest == half ? HALF : 0;
        cut.error = EXACT;
    }
    if (!nearest(cut, ret))
        return false;
    if (*ret < first)
        *ret = first;
    if (*ret > last)
        *ret = last;
    return true;
}

static bool all_scaled(ptio_binary b, int p, scaled *low, scaled *middle, scaled *high)
{
    uint64_t m = 4 * b.m;
    int e = b.e - 2;
    unsigned below = b.closer ? 1 : 2;
    if (p >= 0 && p < SMALL_POWERS)
        return scale_exactly(m, e, p, middle) && scale_exactly(m - below, e, p, low) && scale_exactly(m + 2, e, p, high);
    power ten;
    return find_power(p, &ten) && scale_nearly(m, e, &ten, middle) && scale_nearly(m - below, e, &ten, low) &&
           scale_nearly(m + 2, e, &ten, high);
}

/* Drop `count` digits, whose power of ten is given, where that leaves an integer between the ends. */
PTIO_INLINE void drop(uint64_t unit, unsigned count, uint64_t *first, uint64_t *last, unsigned *dropped)
{
    uint64_t next_first = (*first + (unit - 1)) / unit, next_last = *last / unit;
    if (next_first > next_last)
        return;
    *first = next_first;
    *last = next_last;
    *dropped += count;
}

/* value = n * 10^exponent, with the fewest digits of n. */
static bool shortest(ptio_binary b, uint64_t *n, int *exponent)
{
    int p = 16 - ptio_binary_exponent10(b);
    scaled low, middle, high;
    if (!all_scaled(b, p, &low, &middle, &high))
        return false;
    if (middle.whole >= whole_powers[17] && !all_scaled(b, --p, &low, &middle, &high))
        return false;
    bool limits_in = !(b.m & 1);
    uint64_t first, last;
    if (!first_inside(low, limits_in, &first) || !last_inside(high, limits_in, &last) || first > last)
        return false;
    unsigned dropped = 0;
    /* Between ends that have a multiple of 10^16 between them there is one of 10^15, too. */
    drop(10000000000000000, 16, &first, &last, &dropped);
    drop(100000000, 8, &first, &last, &dropped);
    drop(10000, 4, &first, &last, &dropped);
    drop(100, 2, &first, &last, &dropped);
    drop(10, 1, &first, &last, &dropped);
    *exponent = (int)dropped - p;
    return nearest_inside(middle, first, last, dropped, n);
}

/* ---- digits as text ---- */

/* Every number of two digits. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

unsigned ptio_decimal_size(uint64_t n)
{
    n |= 1;
    unsigned size = (ptio_bit_width(n) * 1233) >> 12; /* log10(2) * 2^12: the size, or one less */
    return size + (size >= sizeof whole_powers / sizeof *whole_powers ? n >= 10000000000000000000u : n >= whole_powers[size]);
}

void ptio_decimal_put(char *text, unsigned size, uint64_t n)
{
    while (size >= 2 && n > UINT32_MAX) {
        size -= 2;
        memcpy(text + size, pairs + 2 * (n % 100), 2);
        n /= 100;
    }
    uint32_t rest = (uint32_t)n; /* these are divided faster */
    while (size >= 2) {
        size -= 2;
        memcpy(text + size, pairs + (size_t)2 * (rest % 100), 2);
        rest /= 100;
    }
    if (size)
        *text = (char)('0' + rest % 10);
}

static void set_digits(ptio_digits *d, uint64_t n, int exponent)
{
    d->count = ptio_decimal_size(n);
    ptio_decimal_put(d->digits, d->count, n);
    d->exponent = exponent + (int)d->count - 1;
}

/* ---- what is asked ---- */

static void find_shortest(ptio_binary b, ptio_digits *ret)
{
    uint64_t n;
    int exponent;
    if (shortest(b, &n, &exponent))
        set_digits(ret, n, exponent);
    else
        ptio_digits_exact_shortest(b, ret);
}

void ptio_digits_shortest(double value, ptio_digits *ret)
{
    find_shortest(ptio_binary_of(value), ret);
}

void ptio_digits_shortest_among(double value, int bits, int least, ptio_digits *ret)
{
    find_shortest(ptio_binary_among(value, bits, least), ret);
}

bool ptio_round_places(double value, unsigned places, uint64_t *ret)
{
    ptio_binary b = ptio_binary_of(value);
    scaled s;
    return places < SMALL_POWERS && scale_exactly(b.m, b.e, (int)places, &s) && s.whole < UINT64_MAX && nearest(s, ret);
}

bool ptio_round_count(double value, unsigned count, uint64_t *ret, int *exponent)
{
    int p;
    scaled s;
    if (count > 17 || !scale_to_count(ptio_binary_of(value), count, &p, &s) || !nearest(s, ret))
        return false;
    *exponent = (int)count - 1 - p;
    if (*ret == whole_powers[count]) {
        *ret /= 10;
        ++*exponent;
    }
    return true;
}

void ptio_digits_count(double value, unsigned count, ptio_digits *ret)
{
    uint64_t n;
    int exponent;
    if (ptio_round_count(value, count, &n, &exponent))
        set_digits(ret, n, exponent - (int)count + 1);
    else
        ptio_digits_exact_count(ptio_binary_of(value), count, ret);
}

void ptio_digits_places(double value, unsigned places, ptio_digits *ret)
{
    uint64_t n;
    if (value == 0)
        ret->count = 0;
    else if (ptio_round_places(value, places, &n) && n)
        set_digits(ret, n, -(int)places);
    else
        ptio_digits_exact_places(ptio_binary_of(value), places, ret);
}
