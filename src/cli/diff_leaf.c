/*
 * Values that hold no others, and whether two are the same as Python's == has it. Two NaNs are the same here.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"

bool diff_texts_same(ptio_text a, ptio_text b)
{
    return a.size == b.size && (!a.size || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static bool ints_same(const ptio_value *a, const ptio_value *b)
{
    int64_t x, y;
    if (ptio_value_int(a, &x) || ptio_value_int(b, &x))
        return ptio_value_int(a, &x) && ptio_value_int(b, &y) && x == y;
    size_t size = ptio_value_int_bytes(a, NULL, 0);
    unsigned char *bytes = size == ptio_value_int_bytes(b, NULL, 0) ? malloc(2 * size + 1) : NULL;
    bool same = bytes && ptio_value_int_bytes(a, bytes, size) == size && ptio_value_int_bytes(b, bytes + size, size) == size &&
                memcmp(bytes, bytes + size, size) == 0;
    free(bytes);
    return same;
}

/* An int of up to 64 bits and a float, exactly. */
static bool int_is_float(const ptio_value *integer, double number)
{
    int64_t x;
    if (!ptio_value_int(integer, &x) || !(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) {
        double other;
        return !ptio_value_int(integer, &x) && ptio_value_float(integer, &other) && other == number;
    }
    return (int64_t)number == x && (double)(int64_t)number == number;
}

bool diff_numbers_same(const ptio_value *a, const ptio_value *b)
{
    double x = 0, y = 0;
    bool float_a = ptio_value_kind(a) == PTIO_KIND_FLOAT, float_b = ptio_value_kind(b) == PTIO_KIND_FLOAT;
    if (!float_a && !float_b)
        return ints_same(a, b);
    (void)ptio_value_float(a, &x);
    (void)ptio_value_float(b, &y);
    if (float_a && float_b)
        return x == y || (isnan(x) && isnan(y));
    return float_a ? int_is_float(b, x) : int_is_float(a, y);
}

bool diff_parts_same(double x, double y)
{
    return x == y || (isnan(x) && isnan(y));
}

bool diff_complex_same(const ptio_value *a, const ptio_value *b)
{
    double x[2], y[2];
    return ptio_value_complex(a, &x[0], &x[1]) && ptio_value_complex(b, &y[0], &y[1]) && diff_parts_same(x[0], y[0]) &&
           diff_parts_same(x[1], y[1]);
}

static bool bare_storages_same(differ *d, const ptio_storage *a, const ptio_storage *b, bool *same)
{
    const void *x, *y;
    ptio_error err = {0};
    *same = ptio_storage_dtype(a) == ptio_storage_dtype(b) && ptio_storage_nbytes(a) == ptio_storage_nbytes(b);
    if (!*same || !ptio_storage_nbytes(a))
        return true;
    if (ptio_storage_data(a, &x, &err) != PTIO_OK)
        return diff_fail(d, 0, &err);
    if (ptio_storage_data(b, &y, &err) != PTIO_OK)
        return diff_fail(d, 1, &err);
    *same = memcmp(x, y, (size_t)ptio_storage_nbytes(a)) == 0;
    return true;
}

/* Arrays of dtypes that are none of PyTorch's: texts, dates, fields. */
static bool arrays_same(differ *d, const ptio_value *a, const ptio_value *b, bool *same)
{
    ptio_ndarray_info x, y;
    ptio_error err = {0};
    *same = ptio_value_ndarray(a, &x) && ptio_value_ndarray(b, &y) && diff_texts_same(x.dtype, y.dtype) && x.ndim == y.ndim &&
            x.nbytes == y.nbytes && (!x.ndim || memcmp(x.shape, y.shape, x.ndim * sizeof *x.shape) == 0);
    if (!*same || x.is_object)
        return true;
    char *bytes = x.nbytes < SIZE_MAX / 2 ? malloc(2 * (size_t)x.nbytes + 1) : NULL;
    if (!bytes)
        return diff_no_memory(d);
    bool fine = ptio_ndarray_copy(a, bytes, x.nbytes, &err) == PTIO_OK || diff_fail(d, 0, &err);
    fine = fine && (ptio_ndarray_copy(b, bytes + x.nbytes, x.nbytes, &err) == PTIO_OK || diff_fail(d, 1, &err));
    *same = fine && memcmp(bytes, bytes + x.nbytes, (size_t)x.nbytes) == 0;
    free(bytes);
    return fine;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(grow_chars(a), grow_chars(b));
}

static grown *print_items(const ptio_value *set)
{
    size_t count = ptio_value_count(set);
    grown *texts = calloc(count + 1, sizeof *texts);
    for (size_t i = 0; texts && i < count; i++)
        (void)ptio_print(ptio_value_item(set, i), NULL, grow_write, &texts[i], NULL);
    if (texts)
        qsort(texts, count, sizeof *texts, by_text);
    return texts;
}

static void free_items(grown *texts, size_t count)
{
    for (size_t i = 0; texts && i < count; i++)
        grow_free(&texts[i]);
    free(texts);
}

/* Items of sets have no order: they are sorted as Python prints them. */
static bool sets_same(differ *d, const ptio_value *a, const ptio_value *b, bool *same)
{
    size_t count = ptio_value_count(a);
    *same = count == ptio_value_count(b);
    if (!*same)
        return true;
    grown *x = print_items(a), *y = print_items(b);
    bool fine = x && y;
    for (size_t i = 0; fine && i < count; i++)
        *same = *same && diff_texts_same(grow_text(&x[i]), grow_text(&y[i]));
    free_items(x, count);
    free_items(y, count);
    return fine || diff_no_memory(d);
}

/* Kinds that Python's == does not tell apart. */
ptio_kind diff_kind(const ptio_value *value)
{
    ptio_kind kind = ptio_value_kind(value);
    return kind == PTIO_KIND_SIZE        ? PTIO_KIND_TUPLE
           : kind == PTIO_KIND_FROZENSET ? PTIO_KIND_SET
           : kind == PTIO_KIND_BYTEARRAY ? PTIO_KIND_BYTES
                                         : kind;
}

bool diff_leaves_same(differ *d, const ptio_value *a, const ptio_value *b, bool *same)
{
    bool fine = true;
    *same = true;
    switch ((int)diff_kind(a)) {
    case PTIO_KIND_NONE: break;
    case PTIO_KIND_COMPLEX: *same = diff_complex_same(a, b); break;
    case PTIO_KIND_STR: *same = diff_texts_same(ptio_value_str(a), ptio_value_str(b)); break;
    case PTIO_KIND_BYTES: *same = diff_texts_same(ptio_value_bytes(a), ptio_value_bytes(b)); break;
    case PTIO_KIND_GLOBAL: *same = diff_texts_same(ptio_value_class(a), ptio_value_class(b)); break;
    case PTIO_KIND_SET: fine = sets_same(d, a, b, same); break;
    case PTIO_KIND_STORAGE: fine = bare_storages_same(d, ptio_value_storage(a), ptio_value_storage(b), same); break;
    case PTIO_KIND_NDARRAY: fine = arrays_same(d, a, b, same); break;
    case PTIO_KIND_NPSCALAR:
        *same =
            diff_texts_same(ptio_value_name(a), ptio_value_name(b)) && diff_texts_same(ptio_value_bytes(a), ptio_value_bytes(b));
        break;
    default: *same = diff_texts_same(ptio_value_name(a), ptio_value_name(b)); break;
    }
    return fine;
}
