/*
 * The pickler: writes a value graph as a pickle, opcode for opcode as CPython's C pickler does, of which torch.save uses no other;
 * or as cPickle of Python 2 did.
 *
 * It walks depth first. An object that was written before is fetched from the memo, so the bytes are a function of the order
 * of the graph and of which nodes are one object. What is no node of a pickle yet (a tensor of the caller) the layer above turns
 * into nodes when the walk comes to it, as Python asks an object for its __reduce_ex__. No recursion.
 *
 * Source: CPython, Modules/_pickle.c, save() and what it calls
 */
#ifndef PTIO_PICKLE_PICKLER_H
#define PTIO_PICKLE_PICKLER_H

#include "base/error.h"
#include "pickle/graph.h"

/** A tensor by its call of torch._utils._rebuild_tensor_v2, of which a state dict may have a hundred thousand. The nodes are STRs and
 *  GLOBALs that are themselves (PTIO_NODE_ITSELF). */
typedef struct ptio_tensor_run {
    const ptio_value *function;
    const ptio_value *word, *class_, *key, *location; /* of the persistent id */
    int64_t numel;
    int64_t storage_offset;
    size_t ndim;
    const int64_t *dims; /* sizes, then strides */
    bool requires_grad;
    const ptio_value *hooks_class; /* OrderedDict: the last argument is an empty one */
} ptio_tensor_run;

typedef struct ptio_pickler_options {
    unsigned protocol; /* 0 to 5                                                                       */
    bool as_found;     /* only nodes that have PTIO_NODE_MEMOIZED get a PUT: for graphs of a file, which is written again */
    bool python2;      /* as cPickle: memo numbers count from 1; ints beyond 32 bits are lines of text */

    /** The object that a value is in what is written: itself, or another; NULL where there was no memory to find out. */
    const ptio_value *(*identify)(void *ctx, const ptio_value *value);

    /** The node that is written for an object, once for each: itself, or one made for it. A STR is itself always. Nodes that the
     *  protocol has no opcodes for (SET below 4, BYTES below 3) must be made others here. */
    ptio_status (*reduce)(void *ctx, const ptio_value *object, const ptio_value **ret, ptio_error *err);

    /** Whether an object seen as TENSOR is such a call, which is then written without its nodes. Asked by protocols 2 and 3, before
     *  `reduce`; what is written is the same. */
    ptio_status (*tensor)(void *ctx, const ptio_value *object, ptio_tensor_run *ret, bool *is_run, ptio_error *err);
    void *ctx;
    /* The functions may be NULL: every value is itself. */
} ptio_pickler_options;

/** A pickle in memory. */
typedef struct ptio_pickled {
    uint8_t *bytes;
    size_t size, capacity;
} ptio_pickled;

/**
 * Append the pickle of `root` to `out`.
 *
 * Errors     PTIO_ERR_UNSUPPORTED "pickle.protocol" a node that the protocol cannot express; PTIO_ERR_LIMIT, PTIO_ERR_MEMORY;
 *            what `reduce` gives
 * Ownership  out->bytes is the caller's, released by ptio_pickled_free(), after a failure too
 */
ptio_status ptio_pickle(const ptio_value *root, const ptio_pickler_options *options, ptio_heap *heap, ptio_pickled *out,
                        ptio_error *err);

/** The protocol that a graph was written by: what its PROTO says; without one 1 where an opcode of protocol 1 occurs, else 0. */
unsigned ptio_graph_protocol(const ptio_graph *graph);

void ptio_pickled_free(ptio_pickled *pickled, ptio_heap *heap);

#endif
