/*
 * NumPy's arrays and scalars, against texts that NumPy 2.2 gave on a little-endian machine. A big-endian one has them mirrored:
 * with '<' and '>' exchanged, and the bytes of each number the other way round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/os.h"
#include "base/text.h"
#include "print/collect.h"
#include "print/repr_array.h"
#include "torch/meaning.h"

typedef struct row {
    const char *dtype;
    uint64_t itemsize;
    size_t ndim;
    int64_t shape[2];
    const char *bytes; /* of the elements, little-endian or as the dtype says */
    const char *text;
} row;

static const row rows[] = {
    {"<f4",
     4,
     2,
     {2, 2},
     "\x00\x00\x00\x00\x00\x00\xc0\x3f\x00\x00\x00\x40\x00\x00\x40\x40",
     "array([[0. , 1.5],\n"
     "       [2. , 3. ]], dtype=float32)"},
    {"<f8",
     8,
     1,
     {3},
     "\x9a\x99\x99\x99\x99\x99\xb9\x3f\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x0a\xc0",
     "array([ 0.1 ,  2.  , -3.25])"},
    {"<f4", 4, 1, {1}, "\xcd\xcc\xcc\x3d", "array([0.1], dtype=float32)"},
    {"<f2", 2, 1, {1}, "\x55\x72", "array([12968.], dtype=float16)"},
    {"<f8", 8, 1, {2}, "\xf1\x68\xe3\x88\xb5\xf8\xe4\x3e\x00\x00\x00\x00\x00\x00\xf0\x3f", "array([1.e-05, 1.e+00])"},
    {"<f4", 4, 1, {2}, "\x46\x4b\x03\xb7\x27\xe3\x58\x44", "array([-7.8257344e-06,  8.6754926e+02], dtype=float32)"},
    {"<f8",
     8,
     1,
     {3},
     "\x00\x00\x00\x00\x00\x00\xf8\x7f\x00\x00\x00\x00\x00\x00\xf0\x7f\x00\x00\x00\x00\x00\x00\xf8\xbf",
     "array([ nan,  inf, -1.5])"},
    {"<f8", 8, 1, {2}, "\x00\x00\x00\x00\x00\x00\xf8\x7f\x00\x00\x00\x00\x00\x00\xf0\xff", "array([ nan, -inf])"},
    {"<i8", 8, 1, {2}, "\x01\x00\x00\x00\x00\x00\x00\x00\xec\xff\xff\xff\xff\xff\xff\xff", "array([  1, -20])"},
    {"|b1", 1, 1, {2}, "\x01\x00", "array([ True, False])"},
    {"|b1", 1, 1, {1}, "\x01", "array([ True])"},
    {"<c8",
     8,
     1,
     {2},
     "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x60\x40\x00\x00\x80\xc0",
     "array([1. +2.j, 3.5-4.j], dtype=complex64)"},
    {"<f2", 2, 1, {2}, "\x66\x2e\x00\x41", "array([0.1, 2.5], dtype=float16)"},
    {">f8",
     8,
     1,
     {3},
     "\x00\x00\x00\x00\x00\x00\x00\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00",
     "array([0., 1., 2.], dtype='>f8')"},
    {"<U2", 8, 1, {2}, "\x61\x00\x00\x00\x62\x00\x00\x00\x63\x00\x00\x00\x00\x00\x00\x00", "array(['ab', 'c'], dtype='<U2')"},
    {"|S2", 2, 1, {1}, "\x78\x79", "array([b'xy'], dtype='|S2')"},
    {"<f8", 8, 2, {0, 2}, "", "array([], shape=(0, 2), dtype=float64)"},
    {"<f8", 8, 1, {0}, "", "array([], dtype=float64)"},
    {"<f4", 4, 1, {0}, "", "array([], dtype=float32)"},
    {"<i4",
     4,
     1,
     {40},
     "\x14\x00\x00\x00\x15\x00\x00\x00\x16\x00\x00\x00\x17\x00\x00\x00\x18\x00\x00\x00\x19\x00\x00\x00\x1a\x00\x00\x00\x1b\x00"
     "\x00\x00\x1c\x00\x00\x00\x1d\x00\x00\x00\x1e\x00\x00\x00\x1f\x00\x00\x00\x20\x00\x00\x00\x21\x00\x00\x00\x22\x00\x00\x00"
     "\x23\x00\x00\x00\x24\x00\x00\x00\x25\x00\x00\x00\x26\x00\x00\x00\x27\x00\x00\x00\x28\x00\x00\x00\x29\x00\x00\x00\x2a\x00"
     "\x00\x00\x2b\x00\x00\x00\x2c\x00\x00\x00\x2d\x00\x00\x00\x2e\x00\x00\x00\x2f\x00\x00\x00\x30\x00\x00\x00\x31\x00\x00\x00"
     "\x32\x00\x00\x00\x33\x00\x00\x00\x34\x00\x00\x00\x35\x00\x00\x00\x36\x00\x00\x00\x37\x00\x00\x00\x38\x00\x00\x00\x39\x00"
     "\x00\x00\x3a\x00\x00\x00\x3b\x00\x00\x00",
     "array([20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,\n"
     "       37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53,\n"
     "       54, 55, 56, 57, 58, 59], dtype=int32)"},
};

static char mirrored_order(char order)
{
    return order == '<' ? '>' : order == '>' ? '<' : order;
}

/* Bytes of a number: a complex element is two, a text as many as it has characters. */
static size_t number_size(const row *r)
{
    char kind = r->dtype[1];
    return kind == 'U' ? 4 : kind == 'S' ? 1 : (size_t)(kind == 'c' ? r->itemsize / 2 : r->itemsize);
}

/* The dtype, the elements and the text of a row as this machine has them. */
typedef struct own_row {
    char dtype[8];
    char bytes[1024];
    char text[1024];
} own_row;

static void mirror(const row *r, own_row *own)
{
    size_t size = number_size(r);
    own->dtype[0] = mirrored_order(own->dtype[0]);
    char *quoted = strstr(own->text, "dtype='");
    if (quoted)
        quoted[7] = mirrored_order(quoted[7]);
    for (size_t i = 0; i < sizeof own->bytes / size * size; i += size)
        for (size_t k = 0; k < size / 2; k++) {
            char byte = own->bytes[i + k];
            own->bytes[i + k] = own->bytes[i + size - 1 - k];
            own->bytes[i + size - 1 - k] = byte;
        }
}

static void own_row_of(const row *r, uint64_t count, own_row *own)
{
    memset(own, 0, sizeof *own);
    assert_true(strlen(r->dtype) < sizeof own->dtype && count * r->itemsize <= sizeof own->bytes &&
                strlen(r->text) < sizeof own->text);
    memcpy(own->dtype, r->dtype, strlen(r->dtype));
    memcpy(own->bytes, r->bytes, (size_t)(count * r->itemsize));
    memcpy(own->text, r->text, strlen(r->text));
    if (PTIO_HOST_BIG_ENDIAN)
        mirror(r, own);
}

/* An array as the loader would have made it, without a pickle around it. */
static const char *text_of(const row *r, const char *dtype_code, const void *bytes, uint64_t count, ptio_tensor_style style)
{
    static collected c;
    ptio_npdtype dtype = {.code = ptio_text_of(dtype_code), .itemsize = r->itemsize};
    ptio_ndarray array = {.dtype = &dtype, .ndim = r->ndim, .shape = r->shape, .count = count, .nbytes = count * r->itemsize};
    array.data = (ptio_text){bytes, (size_t)array.nbytes};
    ptio_node_reduced node = {.head = {.type = PTIO_NODE_TYPE_REDUCED, .seen = PTIO_KIND_NDARRAY}, .meaning = &array};
    ptio_out out;
    c.size = 0;
    ptio_out_init(&out, collect, &c, NULL);
    assert_int_equal(ptio_repr_array(&out, &node.head, &style), PTIO_OK);
    assert_int_equal(ptio_out_flush(&out), PTIO_OK);
    return c.text;
}

static const ptio_tensor_style usual = {.edge = 3, .threshold = 1000, .most = 1000000};

static void arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t count = 1;
        for (size_t d = 0; d < rows[i].ndim; d++)
            count *= (uint64_t)rows[i].shape[d];
        own_row own;
        own_row_of(&rows[i], count, &own);
        assert_string_equal(text_of(&rows[i], own.dtype, own.bytes, count, usual), own.text);
    }
}

static void big_ones(void **state)
{
    (void)state;
    static uint8_t bytes[1001];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 256);
    row r = {.dtype = "|u1", .itemsize = 1, .ndim = 1, .shape = {1001}};
    assert_string_equal(text_of(&r, r.dtype, bytes, 1001, usual),
                        "array([  0,   1,   2, ..., 230, 231, 232], shape=(1001,), dtype=uint8)");
    r.ndim = 2;
    r.shape[0] = 2;
    r.shape[1] = 8;
    /* PyTorch's settings are not for arrays. */
    assert_string_equal(text_of(&r, r.dtype, bytes, 16, (ptio_tensor_style){.edge = 1, .threshold = 10, .most = 100}),
                        "array([[ 0,  1,  2,  3,  4,  5,  6,  7],\n       [ 8,  9, 10, 11, 12, 13, 14, 15]], dtype=uint8)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arrays), cmocka_unit_test(big_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
