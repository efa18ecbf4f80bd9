/*
 * Numbers written as text. Both kinds go through an integer of many 32-bit limbs, least first: an int is that integer; a float is
 * the quotient of two, of which 64 bits are computed one by one, so rounding is exact.
 */
#include "pickle/number.h"

#include <string.h>

#include "base/text.h"

/* Enough for 10^1150 and for PTIO_INT_DIGITS digits. */
#define LIMBS 464

typedef struct natural {
    size_t count; /* the highest limb is not 0 */
    uint32_t limbs[LIMBS];
} natural;

static void trim(natural *n)
{
    while (n->count && !n->limbs[n->count - 1])
        n->count--;
}

/* n = n * factor + term */
static void multiply_add(natural *n, uint32_t factor, uint32_t term)
{
    uint64_t carry = term;
    for (size_t i = 0; i < n->count; i++) {
        carry += (uint64_t)n->limbs[i] * factor;
        n->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && n->count < LIMBS)
        n->limbs[n->count++] = (uint32_t)carry;
}

static void multiply_by_power_of_ten(natural *n, unsigned power)
{
    for (; power >= 9; power -= 9)
        multiply_add(n, 1000000000, 0);
    for (; power; power--)
        multiply_add(n, 10, 0);
}

/* Digits only. */
static void append_digits(natural *n, const char *digits, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint32_t chunk = 0, factor = 1;
        for (size_t j = 0; j < 9 && i < size; j++, i++) {
            chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
            factor *= 10;
        }
        multiply_add(n, factor, chunk);
    }
}

static size_t natural_bits(const natural *n)
{
    return n->count ? (n->count - 1) * 32 + ptio_bit_width(n->limbs[n->count - 1]) : 0;
}

static void shift_left(natural *n, size_t bits)
{
    size_t limbs = bits / 32;
    unsigned rest = bits % 32;
    if (!n->count || n->count + limbs + 1 > LIMBS)
        return;
    n->limbs[n->count] = 0;
    for (size_t i = n->count + 1; i-- > 0;) {
        uint32_t low = i && rest ? n->limbs[i - 1] >> (32 - rest) : 0;
        n->limbs[i + limbs] = n->limbs[i] << rest | low;
    }
    memset(n->limbs, 0, limbs * sizeof *n->limbs);
    n->count += limbs + 1;
    trim(n);
}

static bool at_least(const natural *a, const natural *b)
{
    if (a->count != b->count)
        return a->count > b->count;
    for (size_t i = a->count; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] > b->limbs[i];
    return true;
}

/* a -= b, where a is at least b. */
static void subtract(natural *a, const natural *b)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < a->count; i++) {
        uint64_t difference = (uint64_t)a->limbs[i] - (i < b->count ? b->limbs[i] : 0) - borrow;
        a->limbs[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
    trim(a);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(ptio_text text, size_t from)
{
    size_t n = 0;
    while (from + n < text.size && is_digit(text.bytes[from + n]))
        n++;
    return n;
}

bool ptio_int_text_valid(ptio_text text)
{
    size_t sign = text.size && text.bytes[0] == '-', digits = count_digits(text, sign);
    return digits && sign + digits == text.size && (text.bytes[sign] != '0' || text.size == 1);
}

size_t ptio_int_fewest(const uint8_t *bytes, size_t size)
{
    /* A last byte that only repeats the sign of the one before says nothing. */
    while (size > 1 && bytes[size - 1] == (bytes[size - 2] & 0x80 ? 0xFF : 0x00))
        size--;
    return size == 1 && !bytes[0] ? 0 : size;
}

int64_t ptio_int_value(const uint8_t *bytes, size_t size)
{
    uint64_t value = size && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

size_t ptio_int_text_bytes(ptio_text text, uint8_t bytes[PTIO_INT_BYTES])
{
    natural n = {.count = 0};
    size_t sign = text.bytes[0] == '-', size = 0;
    append_digits(&n, text.bytes + sign, text.size - sign);
    for (size_t i = 0; i < n.count; i++)
        for (unsigned shift = 0; shift < 32; shift += 8)
            bytes[size++] = (uint8_t)(n.limbs[i] >> shift);
    bytes[size++] = 0;
    unsigned carry = 1;
    for (size_t i = 0; sign && i < size; i++) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return ptio_int_fewest(bytes, size);
}

/* A decimal float: its significant digits as an integer, times a power of ten. */
#define SIGNIFICANT 800 /* a double that lies exactly between two others has at most 768 */

typedef struct decimal {
    char digits[SIGNIFICANT + 1];
    size_t count;
    int64_t exponent;
    bool negative;
} decimal;

static void take_digits(decimal *d, const char *digits, size_t size, bool fraction)
{
    for (size_t i = 0; i < size; i++) {
        bool leading = !d->count && digits[i] == '0', kept = !leading && d->count < SIGNIFICANT;
        if (kept)
            d->digits[d->count++] = digits[i];
        else if (!leading && digits[i] != '0')
            d->digits[SIGNIFICANT - 1] |= 1; /* more follows: what only looks like a tie is none */
        /* A digit of the fraction that was taken moves the point to the left, one before it that was not taken to the right. */
        if (fraction)
            d->exponent -= leading || kept;
        else
            d->exponent += !leading && !kept;
    }
}

static bool take_exponent(decimal *d, ptio_text text, size_t *at)
{
    if (*at == text.size || (text.bytes[*at] != 'e' && text.bytes[*at] != 'E'))
        return true;
    size_t sign = *at + 1 < text.size && (text.bytes[*at + 1] == '-' || text.bytes[*at + 1] == '+');
    bool negative = sign && text.bytes[*at + 1] == '-';
    size_t first = *at + 1 + sign, n = count_digits(text, first);
    int64_t exponent = 0;
    for (size_t i = 0; i < n && exponent < 100000000; i++)
        exponent = exponent * 10 + (text.bytes[first + i] - '0');
    d->exponent += negative ? -exponent : exponent;
    *at = first + n;
    return n > 0;
}

static bool parse_decimal(ptio_text text, decimal *d)
{
    size_t at = text.size && (text.bytes[0] == '-' || text.bytes[0] == '+');
    d->negative = at && text.bytes[0] == '-';
    size_t whole = count_digits(text, at), part = 0;
    take_digits(d, text.bytes + at, whole, false);
    at += whole;
    if (at < text.size && text.bytes[at] == '.') {
        part = count_digits(text, ++at);
        take_digits(d, text.bytes + at, part, true);
        at += part;
    }
    return whole + part && take_exponent(d, text, &at) && at == text.size;
}

static double double_of_bits(uint64_t bits, bool negative)
{
    bits |= (uint64_t)negative << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The double nearest to a / b. */
static bool divide(natural *a, natural *b, bool negative, double *ret)
{
    /* Shift until 2^63 <= a / b < 2^65, then a / b = quotient * 2^exponent. */
    int64_t exponent = (int64_t)natural_bits(a) - (int64_t)natural_bits(b) - 64;
    if (exponent < 0)
        shift_left(a, (size_t)-exponent);
    else
        shift_left(b, (size_t)exponent);
    /* The bits of the quotient from 2^64 down. The last is kept with "something was left" in it, which decides ties. */
    uint64_t quotient = 0;
    shift_left(b, 64);
    exponent += 1;
    for (int i = 0; i < 64; i++) {
        quotient <<= 1;
        if (at_least(a, b)) {
            subtract(a, b);
            quotient |= 1;
        }
        shift_left(a, 1);
    }
    quotient |= a->count != 0;
    unsigned width = ptio_bit_width(quotient);
    /* 53 bits, or fewer where the double has no exponent that small. */
    int64_t drop = (int64_t)width - 53;
    if (drop + exponent < -1074)
        drop = -1074 - exponent;
    if (drop > 64) {
        *ret = double_of_bits(0, negative);
        return true;
    }
    uint64_t kept = drop == 64 ? 0 : quotient >> drop;
    uint64_t rest = drop == 64 ? quotient : quotient & (((uint64_t)1 << drop) - 1), half = (uint64_t)1 << (drop - 1);
    kept += rest > half || (rest == half && (kept & 1));
    exponent += drop;
    /* kept * 2^exponent: the hidden bit and rounding up to 2^53 both carry into the exponent by themselves. */
    uint64_t biased = kept >> 52 ? (uint64_t)(exponent + 1074) << 52 : 0;
    uint64_t bits = biased + kept;
    *ret = double_of_bits(bits, negative);
    return bits < (uint64_t)0x7FF << 52;
}

static bool is_word(ptio_text text, const char *word)
{
    size_t size = strlen(word);
    if (text.size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((text.bytes[i] | 0x20) != word[i])
            return false;
    return true;
}

static bool parse_word(ptio_text text, double *ret)
{
    bool sign = text.size && (text.bytes[0] == '-' || text.bytes[0] == '+'), negative = sign && text.bytes[0] == '-';
    ptio_text word = {text.bytes + sign, text.size - sign};
    bool nan = is_word(word, "nan");
    if (!nan && !is_word(word, "inf") && !is_word(word, "infinity"))
        return false;
    *ret = double_of_bits(((uint64_t)0x7FF << 52) | (uint64_t)nan << 51, negative);
    return true;
}

bool ptio_float_text_value(ptio_text text, double *ret)
{
    if (parse_word(text, ret))
        return true;
    decimal d = {.count = 0};
    if (!parse_decimal(text, &d))
        return false;
    int64_t magnitude = (int64_t)d.count + d.exponent; /* the value is below 10^magnitude, and at least a tenth of that */
    if (!d.count || magnitude < -330) {
        *ret = double_of_bits(0, d.negative);
        return true;
    }
    if (magnitude > 310)
        return false;
    natural a = {.count = 0}, b = {.count = 1, .limbs = {1}};
    append_digits(&a, d.digits, d.count);
    multiply_by_power_of_ten(d.exponent < 0 ? &b : &a, (unsigned)(d.exponent < 0 ? -d.exponent : d.exponent));
    return divide(&a, &b, d.negative, ret);
}
