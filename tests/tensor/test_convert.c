/*
 * Casts against PyTorch's (golden.h), against values spelled out, and against each other.
 */
#include <math.h>
#include <stdlib.h>

#include "tensor/world.h"

#include "base/vector.h"
#include "tensor/cast.h"
#include "tensor/golden.h"

/* ---- the inputs of make_golden.py, by the same rules ---- */

enum { WORDS = 2 * 4096, MOST = 65536 };

static uint64_t moderate(uint64_t bits, unsigned mantissa, unsigned exponent, uint64_t bias, size_t index)
{
    uint64_t field = ((uint64_t)1 << exponent) - 1, near = bias - 20 + (bits >> 3) % 40;
    return index % 2 == 0 ? bits : (bits & ~(field << mantissa)) | near << mantissa;
}

static void put(char *out, size_t size, size_t index, uint64_t value)
{
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;
    if (size == 1)
        out[index] = (char)(value & 0xFF);
    else if (size == 2)
        memcpy(out + index * size, &half, size);
    else if (size == 4)
        memcpy(out + index * size, &word, size);
    else
        memcpy(out + index * size, &value, size);
}

/* One of the words that a wide dtype is made of. */
static uint64_t shape_word(ptio_dtype dtype, uint64_t word, size_t index)
{
    switch (dtype) {
    case PTIO_COMPLEX32: return word >> 48;
    case PTIO_FLOAT32:
    case PTIO_COMPLEX64: return moderate(word >> 32, 23, 8, 127, index);
    case PTIO_FLOAT64:
    case PTIO_COMPLEX128: return moderate(word, 52, 11, 1023, index);
    case PTIO_INT32:
    case PTIO_UINT32: return word >> 32;
    default: return word >> index % 64;
    }
}

/* Gives the number of elements. */
static size_t make_inputs(ptio_dtype dtype, char *out)
{
    size_t size = ptio_dtype_itemsize(dtype), unit = ptio_dtype_rows[dtype].swap;
    if (size <= 2) {
        size_t count = size == 1 ? 256 : 65536;
        for (size_t i = 0; i < count; i++)
            put(out, size, i, i);
        return count;
    }
    uint64_t word = 1;
    for (size_t i = 0; i < WORDS; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        put(out, unit, i, shape_word(dtype, word, i));
    }
    return WORDS * unit / size;
}

/* Whether an element counts: PyTorch gives one answer for it. */
static bool is_kept(ptio_dtype dtype, const char *element, ptio_dtype to)
{
    unsigned class_ = ptio_dtype_rows[dtype].class_;
    if (class_ != PTIO_DTYPE_REAL && class_ != PTIO_DTYPE_COMPLEX)
        return true;
    double parts[2] = {0, 0};
    assert_true(ptio_convert(dtype, element, 0, PTIO_COMPLEX128, parts, 1));
    if (isnan(parts[0]) || isnan(parts[1]))
        return false;
    return to != PTIO_UINT32 || (parts[0] >= -0x1p31 && parts[0] < 0x1p32);
}

/* FNV-1a over the little-endian bytes. */
static uint64_t digest_element(uint64_t digest, ptio_dtype dtype, const char *element)
{
    size_t size = ptio_dtype_itemsize(dtype), unit = ptio_dtype_rows[dtype].swap;
    for (size_t i = 0; i < size; i++) {
        size_t at = PTIO_HOST_BIG_ENDIAN ? i / unit * unit + (unit - 1 - i % unit) : i;
        digest = (digest ^ (unsigned char)element[at]) * 0x100000001B3u;
    }
    return digest;
}

static void like_pytorch(void **state)
{
    (void)state;
    char *in = malloc(MOST * 16), *out = malloc(MOST * 16);
    assert_non_null(in);
    assert_non_null(out);
    for (size_t g = 0; g < sizeof goldens / sizeof *goldens; g++) {
        const struct golden *golden = &goldens[g];
        size_t in_size = ptio_dtype_itemsize(golden->from), out_size = ptio_dtype_itemsize(golden->to), kept = 0;
        size_t count = make_inputs(golden->from, in);
        assert_true(ptio_convert(golden->from, in, (int64_t)in_size, golden->to, out, count));
        uint64_t digest = 0xCBF29CE484222325u;
        for (size_t i = 0; i < count; i++)
            if (is_kept(golden->from, in + i * in_size, golden->to)) {
                digest = digest_element(digest, golden->to, out + i * out_size);
                kept++;
            }
        if (kept != golden->count || digest != golden->digest)
            fail_msg("%s to %s differs from PyTorch's", ptio_dtype_name(golden->from), ptio_dtype_name(golden->to));
    }
    free(in);
    free(out);
}

/* ---- values spelled out ---- */

static void float16_edges(void **state)
{
    (void)state;
    static const struct {
        float value;
        uint16_t bits;
    } rows[] = {{0.0f, 0x0000},         {-0.0f, 0x8000},           {1.0f, 0x3C00},
                {65504.0f, 0x7BFF},     {65519.996f, 0x7BFF},      {65520.0f, 0x7C00},
                {-1e30f, 0xFC00},       {0x1p-14f, 0x0400},        {0x1p-24f, 0x0001},
                {0x1p-25f, 0x0000},     {0x1.000002p-25f, 0x0001}, {0x1.8p-24f, 0x0002},
                {0x1.ffcp-15f, 0x0400}, {2049.0f, 0x6800},         {2051.0f, 0x6802},
                {0x1p-149f, 0x0000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(ptio_float_to_float16(rows[i].value), rows[i].bits);
    assert_int_equal(ptio_float_to_float16(INFINITY), 0x7C00);
    assert_int_equal(ptio_float_to_float16(NAN) & 0x7E00, 0x7E00);
    assert_true(ptio_float16_to_float(0x0001) == 0x1p-24f);
    assert_true(ptio_float16_to_float(0x83FF) == -0x1.ff8p-15f);
    assert_true(isnan(ptio_float16_to_float(0x7C01)));
    assert_true(isinf(ptio_float16_to_float(0xFC00)));
}

static void bfloat16_edges(void **state)
{
    (void)state;
    assert_int_equal(ptio_float_to_bfloat16(1.0f), 0x3F80);
    assert_int_equal(ptio_float_to_bfloat16(1.00390625f), 0x3F80); /* a tie: to even */
    assert_int_equal(ptio_float_to_bfloat16(1.01171875f), 0x3F82);
    assert_int_equal(ptio_float_to_bfloat16(3.4e38f), 0x7F80);
    assert_int_equal(ptio_float_to_bfloat16(NAN), 0x7FC0);
    assert_int_equal(ptio_float_to_bfloat16(-INFINITY), 0xFF80);
    assert_true(ptio_bfloat16_to_float(0x0001) == 0x1p-133f);
}

static void float8_edges(void **state)
{
    (void)state;
    static const struct {
        ptio_dtype dtype;
        float value;
        uint8_t bits;
    } rows[] = {{PTIO_FLOAT8_E4M3FN, 448.0f, 0x7E},      {PTIO_FLOAT8_E4M3FN, 464.0f, 0x7E},
                {PTIO_FLOAT8_E4M3FN, 1e9f, 0x7E},        {PTIO_FLOAT8_E4M3FN, -1e9f, 0xFE},
                {PTIO_FLOAT8_E4M3FN, 0x1p-9f, 0x01},     {PTIO_FLOAT8_E4M3FN, 0x1p-10f, 0x00},
                {PTIO_FLOAT8_E4M3FN, INFINITY, 0x7E},    {PTIO_FLOAT8_E4M3FN, NAN, 0x7F},
                {PTIO_FLOAT8_E5M2, 57344.0f, 0x7B},      {PTIO_FLOAT8_E5M2, 61440.0f, 0x7C},
                {PTIO_FLOAT8_E5M2, 61439.0f, 0x7B},      {PTIO_FLOAT8_E5M2, INFINITY, 0x7C},
                {PTIO_FLOAT8_E5M2, NAN, 0x7F},           {PTIO_FLOAT8_E4M3FNUZ, 240.0f, 0x7F},
                {PTIO_FLOAT8_E4M3FNUZ, 248.0f, 0x80},    {PTIO_FLOAT8_E4M3FNUZ, -0.0f, 0x00},
                {PTIO_FLOAT8_E4M3FNUZ, -1e-9f, 0x00},    {PTIO_FLOAT8_E4M3FNUZ, NAN, 0x80},
                {PTIO_FLOAT8_E5M2FNUZ, 57344.0f, 0x7F},  {PTIO_FLOAT8_E5M2FNUZ, 61440.0f, 0x80},
                {PTIO_FLOAT8_E5M2FNUZ, -57344.0f, 0xFF}, {PTIO_FLOAT8_E8M0FNU, 1.0f, 0x7F},
                {PTIO_FLOAT8_E8M0FNU, -1.0f, 0x7F},      {PTIO_FLOAT8_E8M0FNU, 1.5f, 0x80},
                {PTIO_FLOAT8_E8M0FNU, 1.4999999f, 0x7F}, {PTIO_FLOAT8_E8M0FNU, 0.0f, 0x00},
                {PTIO_FLOAT8_E8M0FNU, INFINITY, 0xFF},   {PTIO_FLOAT8_E8M0FNU, 0x1.8p-127f, 0x01},
                {PTIO_FLOAT8_E8M0FNU, 0x1.4p-127f, 0x01}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(ptio_float_to_float8(rows[i].dtype, rows[i].value), rows[i].bits);
    assert_true(isnan(ptio_float8_to_float(PTIO_FLOAT8_E4M3FN, 0xFF)));
    assert_true(isnan(ptio_float8_to_float(PTIO_FLOAT8_E5M2FNUZ, 0x80)));
    assert_true(ptio_float8_to_float(PTIO_FLOAT8_E8M0FNU, 0x00) == 0x1p-127f);
    assert_true(isnan(ptio_float8_to_float(PTIO_FLOAT8_E8M0FNU, 0xFF)));
    assert_true(ptio_float8_to_float(PTIO_FLOAT8_E5M2, 0xFB) == -57344.0f);
}

/* Every small float survives the way to a wide one and back. */
static void narrow_undoes_widen(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 65536; bits++) {
        float half = ptio_float16_to_float((uint16_t)bits), brain = ptio_bfloat16_to_float((uint16_t)bits);
        if (!isnan(half))
            assert_int_equal(ptio_float_to_float16(half), bits);
        if (!isnan(brain))
            assert_int_equal(ptio_float_to_bfloat16(brain), bits);
    }
    for (unsigned dtype = PTIO_FLOAT8_E4M3FN; dtype <= PTIO_FLOAT8_E8M0FNU; dtype++)
        for (unsigned bits = 0; bits < 256; bits++) {
            float value = ptio_float8_to_float((ptio_dtype)dtype, (uint8_t)bits);
            if (!isnan(value))
                assert_int_equal(ptio_float_to_float8((ptio_dtype)dtype, value), bits);
        }
}

/* Nearest, and even where two are as near: compared with all neighbours. */
static void narrow_rounds_to_nearest_even(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)next_random(&random) << 1 ^ (uint32_t)next_random(&random);
        float value;
        bits = (bits & 0x807FFFFFu) | (100 + bits % 43) << 23;
        memcpy(&value, &bits, sizeof value);
        uint16_t half = ptio_float_to_float16(value);
        double error = fabs((double)ptio_float16_to_float(half) - value);
        if ((half & 0x7FFF) >= 0x7BFF || (half & 0x7FFF) == 0)
            continue;
        double up = fabs((double)ptio_float16_to_float((uint16_t)(half + 1)) - value);
        double down = fabs((double)ptio_float16_to_float((uint16_t)(half - 1)) - value);
        assert_true(error <= up && error <= down);
        if (error == up || error == down)
            assert_int_equal(half & 1, 0);
    }
}

static void floats_out_of_range(void **state)
{
    (void)state;
    static const double values[] = {NAN, INFINITY, -INFINITY, 300, -300, 70000, 3e9, -3e9, 5e9, 1e19, -1e19, 2e19, -1, 255.9};
    static const int32_t i32[] = {INT32_MIN, INT32_MIN, INT32_MIN, 300,       -300,      70000, INT32_MIN,
                                  INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, -1,    255};
    static const uint8_t u8[] = {0, 0, 0, 44, 212, 112, 0, 0, 0, 0, 0, 0, 255, 255};
    static const uint64_t u64[] = {(uint64_t)1 << 63, 0,
                                   (uint64_t)1 << 63, 300,
                                   (uint64_t)-300,    70000,
                                   3000000000u,       (uint64_t)-3000000000,
                                   5000000000u,       10000000000000000000u,
                                   (uint64_t)1 << 63, 0,
                                   UINT64_MAX,        255};
    size_t count = sizeof values / sizeof *values;
    int32_t got_i32[14];
    uint8_t got_u8[14];
    uint64_t got_u64[14];
    assert_true(ptio_convert(PTIO_FLOAT64, values, 8, PTIO_INT32, got_i32, count));
    assert_true(ptio_convert(PTIO_FLOAT64, values, 8, PTIO_UINT8, got_u8, count));
    assert_true(ptio_convert(PTIO_FLOAT64, values, 8, PTIO_UINT64, got_u64, count));
    assert_memory_equal(got_i32, i32, sizeof i32);
    assert_memory_equal(got_u8, u8, sizeof u8);
    assert_memory_equal(got_u64, u64, sizeof u64);
}

static void no_bool_but_0_and_1(void **state)
{
    (void)state;
    static const uint8_t odd[] = {0, 1, 2, 255, 128};
    static const uint8_t even[] = {0, 1, 1, 1, 1};
    uint8_t got[5];
    int64_t wide[5];
    assert_true(ptio_convert(PTIO_BOOL, odd, 1, PTIO_BOOL, got, 5));
    assert_memory_equal(got, even, 5);
    assert_true(ptio_convert(PTIO_BOOL, odd, 1, PTIO_INT64, wide, 5));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(wide[i], even[i]);
}

static void casts_that_mean_nothing(void **state)
{
    (void)state;
    char out[16] = {0};
    assert_false(ptio_convert(PTIO_BITS16, out, 2, PTIO_FLOAT32, out, 1));
    assert_false(ptio_convert(PTIO_FLOAT32, out, 4, PTIO_BITS8, out, 1));
    assert_false(ptio_convert(PTIO_FLOAT32, out, 4, PTIO_QINT8, out, 1));
    assert_false(ptio_convert(PTIO_FLOAT4_E2M1FN_X2, out, 1, PTIO_UINT8, out, 1));
    assert_false(ptio_convert(PTIO_QUINT4X2, out, 1, PTIO_UINT8, out, 1));
    for (unsigned i = PTIO_NO_DTYPE + 1; i < PTIO_DTYPE_COUNT; i++) {
        assert_true(ptio_can_convert((ptio_dtype)i, (ptio_dtype)i));
        char one[16] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
        assert_true(ptio_convert((ptio_dtype)i, one, 16, (ptio_dtype)i, out, 1));
        assert_memory_equal(one, out, ptio_dtype_itemsize((ptio_dtype)i));
    }
}

/* Steps and addresses do not change what comes out. */
static void strided_and_unaligned(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static char in[COUNT * 16], apart[COUNT * 40 + 1], want[COUNT * 16], got[COUNT * 16 + 1];
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)next_random(&random);
    for (unsigned from = PTIO_NO_DTYPE + 1; from <= PTIO_FLOAT8_E8M0FNU; from++)
        for (unsigned to = PTIO_NO_DTYPE + 1; to <= PTIO_FLOAT8_E8M0FNU; to++) {
            size_t in_size = ptio_dtype_itemsize((ptio_dtype)from), out_size = ptio_dtype_itemsize((ptio_dtype)to);
            for (size_t i = 0; i < COUNT; i++)
                memcpy(apart + 1 + i * 40, in + i * in_size, in_size);
            assert_true(ptio_convert((ptio_dtype)from, in, (int64_t)in_size, (ptio_dtype)to, want, COUNT));
            assert_true(ptio_convert((ptio_dtype)from, apart + 1, 40, (ptio_dtype)to, got + 1, COUNT));
            assert_memory_equal(want, got + 1, COUNT * out_size);
            assert_true(ptio_convert((ptio_dtype)from, apart + 1 + (COUNT - 1) * 40, -40, (ptio_dtype)to, got, COUNT));
            assert_memory_equal(want, got + (COUNT - 1) * out_size, out_size);
        }
}

/* ---- the casts for some processors against those for all ---- */

/* Every value of 16 bits, and moderate and wild ones of more; `odd` bytes from where they would be aligned, and a count that no block divides. */
static void check_same_casts(ptio_dtype in, ptio_dtype out, ptio_cast one, ptio_cast other)
{
    size_t odd = 1, in_size = ptio_dtype_itemsize(in), out_size = ptio_dtype_itemsize(out);
    char *from = malloc(MOST * in_size + odd), *to = malloc(MOST * out_size + odd), *also = malloc(MOST * out_size + odd);
    assert_true(from && to && also);
    size_t count = make_inputs(in, from + odd);
    for (size_t n = count - 70; n <= count; n += 7) {
        memset(to, 7, n * out_size + odd);
        memset(also, 7, n * out_size + odd);
        one(from + odd, to + odd, n);
        other(from + odd, also + odd, n);
        if (memcmp(to, also, n * out_size + odd) != 0)
            fail_msg("%zu of %s to %s", n, ptio_dtype_name(in), ptio_dtype_name(out));
    }
    free(from);
    free(to);
    free(also);
}

static void vectors_give_the_same(void **state)
{
    (void)state;
    const ptio_casts *here = ptio_casts_here(), *portable = &ptio_casts_portable;
    static const ptio_dtype wides[] = {PTIO_FLOAT32, PTIO_FLOAT64, PTIO_INT64, PTIO_UINT64};
    assert_true((here != portable) == ptio_has_vectors());
    for (int dtype = 0; dtype < PTIO_DTYPE_COUNT; dtype++) {
        ptio_dtype d = (ptio_dtype)dtype;
        assert_int_equal(here->widen[d] == NULL, portable->widen[d] == NULL);
        if (here->widen[d])
            check_same_casts(d, ptio_cast_wide(d), here->widen[d], portable->widen[d]);
        for (size_t i = 0; i < sizeof wides / sizeof *wides; i++) {
            ptio_cast one = ptio_cast_narrow(here, wides[i], d), other = ptio_cast_narrow(portable, wides[i], d);
            assert_int_equal(one == NULL, other == NULL);
            if (one)
                check_same_casts(wides[i], d, one, other);
        }
    }
}

/* A result that outgrows the caches, at places that are and are not aligned, against the same in small parts. */
static void much_is_the_same(void **state)
{
    (void)state;
    enum { COUNT = (17 << 20) + 77, PART = 1000, SLACK = 128 };
    char *in = malloc(COUNT * sizeof(float) + 1), *out = malloc(COUNT * 2 + SLACK), *part = malloc(PART * 2);
    assert_true(in && out && part);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits = 0x37000000u + (uint32_t)i * 2654435u % 0x11000000u;
        memcpy(in + i * sizeof bits, &bits, sizeof bits);
    }
    for (size_t at = 0; at < 3; at++) {
        char *to = out + at;
        memset(to, 1, COUNT * 2 + 2);
        assert_true(ptio_convert(PTIO_FLOAT32, in, 4, PTIO_FLOAT16, to, COUNT));
        for (size_t i = 0; i < COUNT; i += PART) {
            size_t n = COUNT - i < PART ? COUNT - i : PART;
            assert_true(ptio_convert(PTIO_FLOAT32, in + i * 4, 4, PTIO_FLOAT16, part, n));
            assert_memory_equal(to + i * 2, part, n * 2);
        }
        assert_int_equal(to[COUNT * 2], 1);
    }
    free(in);
    free(out);
    free(part);
}

static void swapping(void **state)
{
    (void)state;
    unsigned char bytes[8 * 200 + 1], want[sizeof bytes];
    static const size_t units[] = {1, 2, 4, 8};
    for (size_t u = 0; u < 4; u++) {
        size_t unit = units[u], count = 1600 / unit;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = want[i] = (unsigned char)(i * 7);
        for (size_t i = 0; i < 1600; i++)
            want[1 + i] = bytes[1 + i / unit * unit + (unit - 1 - i % unit)];
        ptio_swap_bytes(bytes + 1, count, unit);
        assert_memory_equal(bytes, want, sizeof bytes);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_pytorch),
        cmocka_unit_test(float16_edges),
        cmocka_unit_test(bfloat16_edges),
        cmocka_unit_test(float8_edges),
        cmocka_unit_test(narrow_undoes_widen),
        cmocka_unit_test(narrow_rounds_to_nearest_even),
        cmocka_unit_test(floats_out_of_range),
        cmocka_unit_test(no_bool_but_0_and_1),
        cmocka_unit_test(casts_that_mean_nothing),
        cmocka_unit_test(strided_and_unaligned),
        cmocka_unit_test(vectors_give_the_same),
        cmocka_unit_test(much_is_the_same),
        cmocka_unit_test(swapping),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
