/*
 * The order in which entries of a dict are shown: by count, as Counter has them, or by key.
 */
#include "print/printer.h"

/* The count of a Counter's entry, as a number. */
static bool counter_number(const ptio_printer *p, const ptio_value *counter, size_t index, double *ret)
{
    return ptio_value_float(ptio_item_of(p, counter, index), ret);
}

static bool larger_count(const ptio_printer *p, const ptio_value *counter, size_t a, size_t b)
{
    double left = 0, right = 0;
    (void)counter_number(p, counter, a, &left);
    (void)counter_number(p, counter, b, &right);
    return left > right;
}

static bool smaller_key(const ptio_printer *p, const ptio_value *dict, size_t a, size_t b)
{
    ptio_text left = ptio_value_str(ptio_as_edited(p, ptio_value_key(dict, a)));
    ptio_text right = ptio_value_str(ptio_as_edited(p, ptio_value_key(dict, b)));
    size_t shorter = left.size < right.size ? left.size : right.size;
    int order = shorter ? memcmp(left.bytes, right.bytes, shorter) : 0;
    return order ? order < 0 : left.size < right.size;
}

/* Stable: a merge of sorted runs, from the bottom. `other` is as large as `index`. */
static void sort(const ptio_printer *p, const ptio_value *dict, size_t *index, size_t *other, size_t count,
                 bool (*is_before)(const ptio_printer *p, const ptio_value *dict, size_t a, size_t b))
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t a = from, middle = from + run < count ? from + run : count, b = middle;
            size_t end = middle + run < count ? middle + run : count;
            for (size_t i = from; i < end; i++) {
                bool take_left = a < middle && !(b < end && is_before(p, dict, index[b], index[a]));
                other[i] = take_left ? index[a++] : index[b++];
            }
        }
        memcpy(index, other, count * sizeof *index);
    }
}

/* Entries 0 … count - 1; `index` has room for as many again, for sorting. */
static ptio_order *push_plain_order(ptio_printer *p, const ptio_value *dict)
{
    size_t count = ptio_value_count(dict), bytes;
    ptio_order *made = NULL;
    if (ptio_mul_size(count, 2 * sizeof *made->index, &bytes) && ptio_add_size(bytes, sizeof *made, &bytes))
        made = ptio_heap_resize(&p->heap, NULL, 0, bytes);
    if (!made) {
        ptio_printer_fail(p, ptio_heap_fail(&p->heap, p->out->err, "printing"));
        return NULL;
    }
    made->outer = p->orders;
    made->count = count;
    for (size_t i = 0; i < count; i++)
        made->index[i] = i;
    p->orders = made;
    return made;
}

bool ptio_push_count_order(ptio_printer *p, const ptio_value *counter)
{
    ptio_order *made = push_plain_order(p, counter);
    bool numbers = true;
    double number;
    for (size_t i = 0; made && numbers && i < made->count; i++)
        numbers = counter_number(p, counter, i, &number);
    if (made && numbers)
        sort(p, counter, made->index, made->index + made->count, made->count, larger_count);
    return made != NULL;
}

bool ptio_push_key_order(ptio_printer *p, const ptio_value *dict)
{
    ptio_order *made = push_plain_order(p, dict);
    if (made)
        sort(p, dict, made->index, made->index + made->count, made->count, smaller_key);
    return made != NULL;
}

void ptio_pop_order(ptio_printer *p)
{
    ptio_order *gone = p->orders;
    p->orders = gone->outer;
    ptio_heap_free(&p->heap, gone, sizeof *gone + 2 * gone->count * sizeof *gone->index);
}
