/*
 * What the bytes of tensors live in: a loaded checkpoint, or a builder over one block of memory, or over memory
 * that another library handed over. Each tensor over it counts, and with the
 * last one it goes.
 */
#include <stdlib.h>

#include "module.h"

holder *holder_new(ptio_checkpoint *ckpt, ptio_builder *builder)
{
    holder *h = malloc(sizeof *h);
    if (!h) {
        PyErr_NoMemory();
        return NULL;
    }
    *h = (holder){.uses = 1, .ckpt = ckpt, .builder = builder};
    return h;
}

holder *holder_hold(holder *h)
{
    atomic_fetch_add_explicit(&h->uses, 1, memory_order_relaxed);
    return h;
}

void holder_release(void *owner)
{
    /* A base has no base itself: this goes around twice at most. */
    for (holder *h = owner; h && atomic_fetch_sub_explicit(&h->uses, 1, memory_order_acq_rel) == 1;) {
        holder *base = h->base;
        ptio_builder_free(h->builder);
        ptio_checkpoint_free(h->ckpt);
        if (h->block)
            block_release(h->block);
        if (h->give_back)
            h->give_back(h->managed);
        blocks_free(h->blocks);
        free(h);
        h = base;
    }
}

ptio_builder *builder_new(module_state *state)
{
    ptio_error err = {0};
    ptio_builder *builder = NULL;
    if (ptio_builder_new(NULL, &builder, &err) != PTIO_OK)
        raise_error(state, &err);
    return builder;
}

PyObject *raise_builder(module_state *state, const ptio_builder *builder)
{
    ptio_error err = {0};
    if (ptio_builder_status(builder, &err) == PTIO_OK)
        return PyErr_NoMemory();
    return raise_error(state, &err);
}
