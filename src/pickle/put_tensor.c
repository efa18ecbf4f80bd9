/*
 * A plain tensor, without the nodes that PyTorch's reduce would give.
 *
 * All its opcodes go into one piece of memory, of which there is enough beforehand. That leaves out a test for room at each, which is most of
 * the cost of a small tensor.
 */
#include "pickle/put.h"

#include "pickle/number.h"

typedef struct run_writer {
    ptio_pickling *p;
    uint8_t *at;
} run_writer;

#define MOST_NUMBER 10 /* bytes of LONG1 with eight bytes */
#define MOST_MEMO 5    /* of LONG_BINPUT, LONG_BINGET     */

/* Bytes of everything but words that are written for the first time. */
static size_t most_of_run(const ptio_tensor_run *run)
{
    return 9 * MOST_MEMO + 9 + 2 * (2 + MOST_MEMO) + MOST_NUMBER * (2 + 2 * run->ndim);
}

PTIO_INLINE void run_memo(run_writer *w, uint8_t short_op, uint8_t long_op, uint32_t number)
{
    if (number < 256) {
        w->at[0] = short_op;
        w->at[1] = (uint8_t)number;
        w->at += 2;
    } else {
        w->at[0] = long_op;
        ptio_store_u32(w->at + 1, number);
        w->at += 5;
    }
}

PTIO_INLINE void run_put(run_writer *w)
{
    run_memo(w, PTIO_OP_BINPUT, PTIO_OP_LONG_BINPUT, w->p->next_number++);
}

PTIO_NOINLINE static void run_large_int(run_writer *w, int64_t value)
{
    uint8_t *at = w->at;
    if (value >= 0 && value < 65536) {
        at[0] = PTIO_OP_BININT2;
        at[1] = (uint8_t)value;
        at[2] = (uint8_t)(value >> 8);
        w->at = at + 3;
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        at[0] = PTIO_OP_BININT;
        ptio_store_u32(at + 1, (uint32_t)value);
        w->at = at + 5;
    } else {
        at[0] = PTIO_OP_LONG1;
        ptio_store_u64(at + 2, (uint64_t)value);
        at[1] = (uint8_t)ptio_int_fewest(at + 2, 8);
        w->at = at + 2 + at[1];
    }
}

PTIO_INLINE void run_int(run_writer *w, int64_t value)
{
    if (PTIO_UNLIKELY(value < 0 || value > 255)) {
        run_large_int(w, value);
        return;
    }
    w->at[0] = PTIO_OP_BININT1;
    w->at[1] = (uint8_t)value;
    w->at += 2;
}

/* A tuple that nobody meets again. */
PTIO_INLINE void run_ints(run_writer *w, const int64_t *numbers, size_t count)
{
    if (!count) {
        *w->at++ = PTIO_OP_EMPTY_TUPLE;
        return;
    }
    if (count > 3)
        *w->at++ = PTIO_OP_MARK;
    for (size_t i = 0; i < count; i++)
        run_int(w, numbers[i]);
    *w->at++ = count > 3 ? PTIO_OP_TUPLE : (uint8_t)(PTIO_OP_TUPLE1 + count - 1);
    run_put(w);
}

/* A word: one that is not known yet is written as any other value, and then there is room for `most` bytes again. */
PTIO_INLINE ptio_status run_word(run_writer *w, const ptio_value *word, size_t most)
{
    ptio_pickling *p = w->p;
    const ptio_known_object *known = ptio_known_find(&p->known, word);
    if (PTIO_LIKELY(known != NULL)) {
        run_memo(w, PTIO_OP_BINGET, PTIO_OP_LONG_BINGET, known->number);
        return PTIO_OK;
    }
    p->out.size = (size_t)(w->at - p->out.bytes);
    ptio_status status = ptio_pickle_begin(p, word, word);
    if (status == PTIO_OK && p->out.capacity - p->out.size < most)
        status = ptio_put_grow(p, most);
    w->at = p->out.bytes + p->out.size;
    return status;
}

/* ('storage', class, key, location, numel) */
PTIO_INLINE ptio_status run_storage_id(run_writer *w, const ptio_tensor_run *run, size_t most)
{
    const ptio_value *const words[] = {run->word, run->class_, run->key, run->location};
    *w->at++ = PTIO_OP_MARK;
    for (size_t i = 0; i < 4; i++) {
        ptio_status status = run_word(w, words[i], most);
        if (PTIO_UNLIKELY(status))
            return status;
    }
    run_int(w, run->numel);
    *w->at++ = PTIO_OP_TUPLE;
    run_put(w);
    *w->at++ = PTIO_OP_BINPERSID;
    return PTIO_OK;
}

static ptio_status put_tensor(ptio_pickling *p, const ptio_value *object, const ptio_tensor_run *run)
{
    size_t most = most_of_run(run);
    ptio_status status = p->out.capacity - p->out.size < most ? ptio_put_grow(p, most) : PTIO_OK;
    if (status)
        return status;
    run_writer w = {p, p->out.bytes + p->out.size};
    status = run_word(&w, run->function, most);
    if (status)
        return status;
    *w.at++ = PTIO_OP_MARK;
    status = run_storage_id(&w, run, most);
    if (status)
        return status;
    run_int(&w, run->storage_offset);
    run_ints(&w, run->dims, run->ndim);
    run_ints(&w, run->dims + run->ndim, run->ndim);
    *w.at++ = run->requires_grad ? PTIO_OP_NEWTRUE : PTIO_OP_NEWFALSE;
    status = run_word(&w, run->hooks_class, most); /* OrderedDict() */
    if (status)
        return status;
    *w.at++ = PTIO_OP_EMPTY_TUPLE;
    *w.at++ = PTIO_OP_REDUCE;
    run_put(&w);
    *w.at++ = PTIO_OP_TUPLE;
    run_put(&w);
    *w.at++ = PTIO_OP_REDUCE;
    p->out.size = (size_t)(w.at - p->out.bytes);
    return ptio_put_memo(p, object);
}

/* *written is true where the object was one. */
ptio_status ptio_put_tensor(ptio_pickling *p, const ptio_value *object, bool *written)
{
    ptio_tensor_run run;
    *written = false;
    if (!p->options->tensor || p->options->protocol - 2 > 1 || p->options->python2)
        return PTIO_OK;
    ptio_status status = p->options->tensor(p->options->ctx, object, &run, written, p->err);
    return status || !*written ? status : put_tensor(p, object, &run);
}
