/*
 * Two tensors, element by element, in pieces of a megabyte.
 *
 * Pieces whose bytes are equal cost one comparison. Of others the elements are read as numbers too: float64, complex128, and integers
 * as they are, so that 2^53 + 1 is not 2^53.
 */
#include <math.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/out.h"

bool diff_is_close(const cli_options *options, double difference, double b)
{
    return difference <= options->atol + options->rtol * b;
}

/* As what both are read. */
static number_class common_class(const ptio_tensor *a, const ptio_tensor *b)
{
    number_class x = number_class_of(ptio_tensor_dtype(a)), y = number_class_of(ptio_tensor_dtype(b));
    if (x == y)
        return x;
    return x == COMPLEX || y == COMPLEX ? COMPLEX : REALS;
}

/** One pair of elements. */
typedef struct pair {
    bool same; /* in value; two NaNs are the same */
    double difference, size;
} pair;

/* Where only one is a NaN, or they are different infinities, nothing is farther apart. */
static pair compare_reals(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return (pair){true, 0, fabs(b)};
    double difference = fabs(a - b);
    return (pair){false, isnan(difference) ? INFINITY : difference, isnan(b) ? 0 : fabs(b)};
}

static bool has_nan(const double *parts)
{
    return isnan(parts[0]) || isnan(parts[1]);
}

/* A difference may overflow where the numbers do not. A complex number with a NaN in it is one, as in torch.allclose(). */
static pair compare_complex(const double *a, const double *b)
{
    pair re = compare_reals(a[0], b[0]), im = compare_reals(a[1], b[1]);
    if (has_nan(a) && has_nan(b))
        return (pair){true, 0, hypot(re.size, im.size)};
    return (pair){re.same && im.same, hypot(re.difference, im.difference), hypot(re.size, im.size)};
}

static pair compare_integers(int64_t a, int64_t b)
{
    uint64_t difference = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return (pair){a == b, (double)difference, fabs((double)b)};
}

static pair compare_naturals(uint64_t a, uint64_t b)
{
    return (pair){a == b, (double)(a > b ? a - b : b - a), (double)b};
}

static pair compare(const differ *d, number_class class_, size_t at)
{
    switch (class_) {
    case NO_NUMBERS: break;
    case REALS: return compare_reals(((double *)d->numbers[0])[at], ((double *)d->numbers[1])[at]);
    case COMPLEX: return compare_complex((double *)d->numbers[0] + 2 * at, (double *)d->numbers[1] + 2 * at);
    case INTEGERS: return compare_integers(((int64_t *)d->numbers[0])[at], ((int64_t *)d->numbers[1])[at]);
    case UNSIGNED: return compare_naturals(((uint64_t *)d->numbers[0])[at], ((uint64_t *)d->numbers[1])[at]);
    }
    return (pair){0};
}

static void keep_worst(const differ *d, const pieces *p, size_t at, number_class class_, double size, diff_worst *worst)
{
    size_t itemsize = class_ == COMPLEX ? 16 : 8;
    if (worst->known && !(size > worst->size))
        return;
    worst->known = true;
    worst->size = size;
    memcpy(&worst->a, (const char *)d->numbers[0] + at * itemsize, itemsize);
    memcpy(&worst->b, (const char *)d->numbers[1] + at * itemsize, itemsize);
    pieces_place(p, at, worst->place);
}

static void add_pair(const differ *d, const pieces *p, size_t at, diff_elements *e)
{
    pair x = compare(d, e->class_, at);
    double relative = x.difference == 0 ? 0 : x.size > 0 ? x.difference / x.size : INFINITY;
    keep_worst(d, p, at, e->class_, x.difference, &e->absolute);
    keep_worst(d, p, at, e->class_, isnan(relative) ? INFINITY : relative, &e->relative);
    if (!x.same && (isinf(x.difference) || !diff_is_close(d->options, x.difference, x.size)))
        e->close = false;
}

/* ---- pieces ---- */

static bool read_both(differ *d, const pieces *p, const ptio_tensor *b, ptio_dtype dtype, void *const *buffers)
{
    ptio_error err = {0};
    if (pieces_read(p, dtype, buffers[0], &err) != PTIO_OK)
        return diff_fail(d, 0, &err);
    return pieces_read_other(p, b, dtype, buffers[1], &err) == PTIO_OK || diff_fail(d, 1, &err);
}

/* Whether both can be read as these numbers: bits8 cannot. Asked of no element at all. */
static bool have_numbers(const ptio_tensor *a, const ptio_tensor *b, number_class class_)
{
    ptio_slice none[PIECES_DIMENSIONS];
    for (size_t i = 0; i < PIECES_DIMENSIONS; i++)
        none[i] = (ptio_slice){0, 0, 1};
    char nothing[1];
    bool scalar = ptio_tensor_ndim(a) == 0;
    double one[2];
    void *buffer = scalar ? (void *)one : (void *)nothing;
    uint64_t size = scalar ? ptio_dtype_itemsize(number_dtype(class_)) : 0;
    return ptio_tensor_copy_slice(a, none, number_dtype(class_), buffer, size, NULL) != PTIO_ERR_ARGUMENT &&
           ptio_tensor_copy_slice(b, none, number_dtype(class_), buffer, size, NULL) != PTIO_ERR_ARGUMENT;
}

static bool add_bits(differ *d, const pieces *p, const ptio_tensor *b, size_t itemsize, diff_elements *e)
{
    const char *x = d->bytes[0], *y = d->bytes[1];
    if (memcmp(x, y, (size_t)p->count * itemsize) == 0)
        return true;
    if (e->class_ != NO_NUMBERS && !read_both(d, p, b, number_dtype(e->class_), d->numbers))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        if (memcmp(x + i * itemsize, y + i * itemsize, itemsize) == 0)
            continue;
        e->different++;
        if (e->class_ != NO_NUMBERS)
            add_pair(d, p, i, e);
        else
            e->close = false;
    }
    return true;
}

static bool add_numbers(differ *d, const pieces *p, const ptio_tensor *b, diff_elements *e)
{
    if (!read_both(d, p, b, number_dtype(e->class_), d->numbers))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        if (compare(d, e->class_, i).same)
            continue;
        e->different++;
        add_pair(d, p, i, e);
    }
    return true;
}

static bool is_packed(ptio_dtype dtype)
{
    return dtype == PTIO_QUINT4X2 || dtype == PTIO_QUINT2X4;
}

static bool compare_pieces(differ *d, pieces *p, const ptio_tensor *b, diff_elements *e)
{
    ptio_dtype dtype = ptio_tensor_dtype(p->tensor);
    bool by_bits = dtype == ptio_tensor_dtype(b) && !is_packed(dtype);
    size_t itemsize = ptio_dtype_itemsize(dtype);
    bool fine = true;
    while (fine && pieces_next(p)) {
        fine = by_bits ? read_both(d, p, b, dtype, d->bytes) && add_bits(d, p, b, itemsize, e) : add_numbers(d, p, b, e);
        d->read += p->count * (itemsize + ptio_dtype_itemsize(ptio_tensor_dtype(b)));
        progress_tell(&d->progress, d->read, d->total);
    }
    return fine;
}

static bool is_narrow(ptio_dtype dtype)
{
    return dtype != PTIO_FLOAT64 && dtype != PTIO_COMPLEX128;
}

bool diff_elements_of(differ *d, const ptio_tensor *a, const ptio_tensor *b, diff_elements *ret)
{
    ptio_error err = {0};
    pieces p;
    *ret =
        (diff_elements){.numel = ptio_tensor_numel(a), .close = true, .ndim = ptio_tensor_ndim(a), .class_ = common_class(a, b)};
    ret->narrow = is_narrow(ptio_tensor_dtype(a)) && is_narrow(ptio_tensor_dtype(b));
    if (pieces_check(a, ret->numel, d->options->load.limits, &err) != PTIO_OK)
        return diff_fail(d, 0, &err);
    if (pieces_check(b, ret->numel, d->options->load.limits, &err) != PTIO_OK)
        return diff_fail(d, 1, &err);
    if (ret->numel && pieces_hold(a, &d->held[0], d->options->load.mmap, &err) != PTIO_OK)
        return diff_fail(d, 0, &err);
    if (ret->numel && pieces_hold(b, &d->held[1], d->options->load.mmap, &err) != PTIO_OK)
        return diff_fail(d, 1, &err);
    if (ret->numel && !have_numbers(a, b, ret->class_))
        ret->class_ = NO_NUMBERS;
    if (ret->class_ == NO_NUMBERS && ptio_tensor_dtype(a) != ptio_tensor_dtype(b)) {
        ret->close = false; /* the dtypes were told */
        return true;
    }
    pieces_begin(&p, a, NULL, PIECES_AS_STORED);
    return compare_pieces(d, &p, b, ret);
}
