/*
 * Python's indexing by integers, slices and one Ellipsis.
 *
 *     item, item, ...      an item is  5   -1   :   2:   :-3   ::2   1:9:3   ...
 */
#include "cli/slices.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/** One item between commas. */
typedef struct item {
    bool is_index, is_ellipsis, has_start, has_stop;
    int64_t start, stop, step;
} item;

static ptio_status fail(ptio_error *err, const char *format, ...)
{
    va_list arguments;
    *err = (ptio_error){.status = PTIO_ERR_ARGUMENT, .reason = "slice", .offset = PTIO_NO_OFFSET};
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return PTIO_ERR_ARGUMENT;
}

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " ");
}

/* Digits with a sign. What is beyond 64 bits is at their end, and so beyond every dimension. */
static bool read_integer(const char **at, int64_t *ret)
{
    const char *digits = *at + (**at == '-' || **at == '+');
    if (*digits < '0' || *digits > '9')
        return false;
    char *end;
    *ret = strtoll(*at, &end, 10);
    *at = skip_spaces(end);
    return true;
}

static bool skip_colon(const char **at)
{
    if (**at != ':')
        return false;
    *at = skip_spaces(*at + 1);
    return true;
}

/* Gives false where it is none; *at is behind it, or where it went wrong. */
static bool read_item(const char **at, item *ret)
{
    *ret = (item){.step = 1};
    *at = skip_spaces(*at);
    if (strncmp(*at, "...", 3) == 0) {
        ret->is_ellipsis = true;
        *at = skip_spaces(*at + 3);
        return true;
    }
    ret->has_start = read_integer(at, &ret->start);
    if (!skip_colon(at))
        return ret->is_index = ret->has_start;
    ret->has_stop = read_integer(at, &ret->stop);
    if (skip_colon(at))
        (void)read_integer(at, &ret->step);
    return true;
}

static int64_t place_in(int64_t at, int64_t size)
{
    if (at < 0)
        at = at < -size ? 0 : at + size;
    return at < size ? at : size;
}

static ptio_status take_item(const item *i, size_t dimension, const ptio_tensor *tensor, sliced *ret, ptio_error *err)
{
    int64_t size = ptio_tensor_shape(tensor)[dimension];
    pieces_cut *cut = &ret->cuts[dimension];
    if (i->is_index) {
        if (i->start >= size || i->start < -size)
            return fail(err, "index %lld is out of bounds for dimension %zu with size %lld", (long long)i->start, dimension,
                        (long long)size);
        *cut = (pieces_cut){i->start < 0 ? i->start + size : i->start, 1, 1};
        ret->dropped[dimension] = true;
        return PTIO_OK;
    }
    if (i->step <= 0)
        return fail(err, "slice step must be positive; that of dimension %zu is %lld", dimension, (long long)i->step);
    int64_t start = i->has_start ? place_in(i->start, size) : 0, stop = i->has_stop ? place_in(i->stop, size) : size;
    *cut = (pieces_cut){start, start < stop ? (stop - start - 1) / i->step + 1 : 0, i->step};
    return PTIO_OK;
}

static ptio_status read_items(const char *text, item *items, size_t *count, ptio_error *err)
{
    const char *at = text;
    for (*count = 0;; at++) {
        if (*count == PIECES_DIMENSIONS + 1)
            return fail(err, "too many indices for a tensor");
        if (!read_item(&at, &items[*count]) || (*at && *at != ','))
            return fail(err, "\"%.60s\" is no slice: it is such as 0:10,::2,3", text);
        ++*count;
        if (!*at || !*skip_spaces(at + 1)) /* one comma may stand behind the last */
            return PTIO_OK;
    }
}

static ptio_status take_items(const item *items, size_t count, const ptio_tensor *tensor, sliced *ret, ptio_error *err)
{
    size_t ndim = ptio_tensor_ndim(tensor), ellipses = 0, dimension = 0;
    for (size_t i = 0; i < count; i++)
        ellipses += items[i].is_ellipsis;
    if (ellipses > 1)
        return fail(err, "an index can only have a single ellipsis ('...')");
    if (count - ellipses > ndim)
        return fail(err, "too many indices for tensor of dimension %zu", ndim);
    for (size_t i = 0; i < count; i++) {
        if (items[i].is_ellipsis) {
            dimension += ndim - (count - 1);
            continue;
        }
        ptio_status status = take_item(&items[i], dimension++, tensor, ret, err);
        if (status != PTIO_OK)
            return status;
    }
    return PTIO_OK;
}

ptio_status slices_read(const char *text, const ptio_tensor *tensor, sliced *ret, ptio_error *err)
{
    item items[PIECES_DIMENSIONS + 1];
    size_t count = 0, ndim = ptio_tensor_ndim(tensor);
    const int64_t *shape = ptio_tensor_shape(tensor), *stride = ptio_tensor_stride(tensor);
    *ret = (sliced){.numel = 1};
    for (size_t i = 0; i < ndim; i++)
        ret->cuts[i] = (pieces_cut){0, shape[i], 1};
    ptio_status status = text ? read_items(text, items, &count, err) : PTIO_OK;
    if (status == PTIO_OK)
        status = take_items(items, count, tensor, ret, err);
    for (size_t i = 0; status == PTIO_OK && i < ndim; i++) {
        ret->numel *= (uint64_t)ret->cuts[i].count;
        if (ret->dropped[i])
            continue;
        ret->shape[ret->ndim] = ret->cuts[i].count;
        /* A step beyond the elements is never taken. */
        ret->stride[ret->ndim++] = stride && ret->cuts[i].count > 1 ? stride[i] * ret->cuts[i].step : 1;
    }
    return status;
}
