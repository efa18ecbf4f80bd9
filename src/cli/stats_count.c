/*
 * The elements of a tensor, counted.
 *
 * float32 is looked at where it is, if it can be, and what float32 holds too (float16, bfloat16, float8) as that: the fewest bytes and the widest
 * vectors. Everything else passes through a buffer as float64, int64, uint64 or complex128.
 */
#include "cli/stats.h"

#include <string.h>

#include "cli/pieces.h"

/* Among all integers of 64 bits: signed ones begin at 0 too. */
static uint64_t place_of(number_class class_, uint64_t bits)
{
    return class_ == INTEGERS ? bits ^ (uint64_t)1 << 63 : bits;
}

int64_t stats_signed(uint64_t place)
{
    return (int64_t)(place ^ (uint64_t)1 << 63);
}

/* The integers become doubles where they are. */
static void add_integers(stats_facts *f, uint64_t *numbers, size_t count)
{
    bool is_first = !f->tally.numel;
    uint64_t first = place_of(f->class_, numbers[0]), least = is_first ? first : f->least, most = is_first ? first : f->most;
    for (size_t i = 0; i < count; i++) {
        uint64_t place = place_of(f->class_, numbers[i]);
        double x = f->class_ == INTEGERS ? (double)(int64_t)numbers[i] : (double)numbers[i];
        least = place < least ? place : least;
        most = place > most ? place : most;
        memcpy(&numbers[i], &x, sizeof x);
    }
    f->least = least;
    f->most = most;
}

static void add_piece(stats_facts *f, void *buffer, size_t count)
{
    if (f->class_ == COMPLEX) {
        tally_add_complex(&f->tally, buffer, count);
        return;
    }
    if (f->singles) {
        tally_add_floats(&f->tally, buffer, count);
        return;
    }
    if (f->class_ == INTEGERS || f->class_ == UNSIGNED)
        add_integers(f, buffer, count);
    tally_add(&f->tally, buffer, count);
}

/* Dtypes of which float32 has every number. */
static bool are_singles(ptio_dtype dtype)
{
    switch (dtype) {
    case PTIO_FLOAT32:
    case PTIO_FLOAT16:
    case PTIO_BFLOAT16:
    case PTIO_FLOAT8_E4M3FN:
    case PTIO_FLOAT8_E5M2:
    case PTIO_FLOAT8_E4M3FNUZ:
    case PTIO_FLOAT8_E5M2FNUZ:
    case PTIO_FLOAT8_E8M0FNU: return true;
    default: return false;
    }
}

/* Whether the elements can be looked at where they are: float32 side by side, in memory or in a map. */
static bool is_in_place(const stats_work *w, const ptio_tensor *tensor)
{
    return ptio_tensor_dtype(tensor) == PTIO_FLOAT32 && ptio_tensor_is_contiguous(tensor) && !ptio_tensor_is_neg(tensor) &&
           (w->options->load.mmap || ptio_storage_nbytes(ptio_tensor_storage(tensor)) <= PIECES_WHOLE);
}

static ptio_status count_in_place(stats_work *w, const ptio_tensor *tensor, stats_facts *f, ptio_error *err)
{
    const void *data;
    ptio_status status = ptio_tensor_data(tensor, &data, err);
    for (uint64_t left = ptio_tensor_numel(tensor), done = 0; status == PTIO_OK && left > 0;) {
        size_t count = left < PIECES_ELEMENTS ? (size_t)left : (size_t)PIECES_ELEMENTS;
        tally_add_floats(&f->tally, (const float *)data + done, count);
        left -= count;
        done += count;
        w->bytes += count * sizeof(float);
        progress_tell(&w->progress, w->bytes, w->total);
    }
    return status;
}

/* Of a tensor whose elements are no numbers (bits16) nothing is told but their number. */
static ptio_status count_pieces(stats_work *w, const ptio_tensor *tensor, stats_facts *f, ptio_error *err)
{
    pieces p;
    size_t itemsize = ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
    ptio_status status = pieces_check(tensor, ptio_tensor_numel(tensor), w->options->load.limits, err);
    if (status == PTIO_OK)
        status = pieces_hold(tensor, &w->held, w->options->load.mmap, err);
    f->singles = f->class_ == REALS && are_singles(ptio_tensor_dtype(tensor));
    if (status == PTIO_OK && is_in_place(w, tensor))
        return count_in_place(w, tensor, f, err);
    pieces_begin(&p, tensor, NULL, PIECES_AS_STORED);
    while (status == PTIO_OK && pieces_next(&p)) {
        ptio_error why = {0};
        status = pieces_read(&p, f->singles ? PTIO_FLOAT32 : number_dtype(f->class_), w->buffer, &why);
        if (status == PTIO_ERR_ARGUMENT && strcmp(why.reason, "tensor.cast") == 0) {
            f->class_ = NO_NUMBERS;
            return PTIO_OK;
        }
        if (status != PTIO_OK) {
            *err = why;
            break;
        }
        add_piece(f, w->buffer, (size_t)p.count);
        w->bytes += p.count * itemsize;
        progress_tell(&w->progress, w->bytes, w->total);
    }
    return status;
}

ptio_status stats_count(stats_work *w, size_t index, ptio_error *err)
{
    const ptio_tensor *tensor = ptio_tensor_list_entry(w->list, w->chosen[index])->tensor;
    bool fresh;
    seen_entry *entry = seen_find(&w->done, tensor, &fresh);
    if (!entry)
        return PTIO_ERR_MEMORY;
    if (!fresh) { /* tied: it was counted under its first name */
        w->facts[index] = w->facts[entry->number];
        return PTIO_OK;
    }
    entry->number = index;
    w->facts[index] = (stats_facts){0};
    if (!pieces_has_elements(tensor))
        return PTIO_OK;
    w->facts[index].class_ = number_class_of(ptio_tensor_dtype(tensor));
    return count_pieces(w, tensor, &w->facts[index], err);
}
