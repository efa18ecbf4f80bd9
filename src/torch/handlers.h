/*
 * Handlers: each makes something of one reduced node, its callable being a global that means something. The interpreter calls
 * them; they call ptio_interpret_node() for parts that were made after the node itself (its states).
 */
#ifndef PTIO_TORCH_HANDLERS_H
#define PTIO_TORCH_HANDLERS_H

#include "torch/meaning.h"

typedef ptio_status (*ptio_handle)(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);

/**
 * Interpret a node of the pickle now, if it was not yet, and all that were made before it: for states, which are made after their
 * object. Nests at most 32 deep, which only odd files need.
 */
ptio_status ptio_interpret_node(ptio_loader *loader, const ptio_value *value, ptio_error *err);

/** Interpret a node of which everything it is made of was interpreted before. */
ptio_status ptio_interpret_made(ptio_loader *loader, const ptio_value *value, ptio_error *err);

/** What an id stands for is not known: it stays an id, an object. */
ptio_status ptio_persistent_unknown(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err);

/** Fail because of a node: its opcode's offset, the record of the pickle. */
ptio_status ptio_fail_node(ptio_loader *loader, const ptio_value *node, ptio_status status, const char *reason, ptio_error *err,
                           const char *format, ...) PTIO_PRINTF(6, 7);

/** Give a node its interpretation. */
static inline ptio_status ptio_means(ptio_node_reduced *node, ptio_kind kind, const void *meaning)
{
    node->head.seen = (uint8_t)kind;
    node->meaning = meaning;
    return PTIO_OK;
}

/** Arguments of a reduced node; argument(node, i) is NULL beyond the last. */
static inline size_t ptio_argument_count(const ptio_node_reduced *node)
{
    return node->arguments && node->arguments->type == PTIO_NODE_TYPE_TUPLE ? node->arguments->count : 0;
}

static inline const ptio_value *ptio_argument(const ptio_node_reduced *node, size_t index)
{
    return index < ptio_argument_count(node) ? ptio_tuple_item(node->arguments, index) : NULL;
}

/** State of the index-th BUILD, or NULL. */
static inline const ptio_value *ptio_state(const ptio_node_reduced *node, size_t index)
{
    return node->more && index < node->more->states.head.count ? node->more->states.block->items[index] : NULL;
}

/* Reading Python values out of nodes. */

/** The bytes of a bytes or bytearray value however it was pickled; it was interpreted. False where it is none. */
bool ptio_value_as_bytes(const ptio_value *value, ptio_text *ret);

/** A tuple, list or size of ints as an array in the arena, with `extra` places more. A status of PTIO_ERR_FORMAT is for the caller to word. */
ptio_status ptio_value_as_ints(ptio_loader *loader, const ptio_value *value, size_t extra, int64_t **ret, size_t *count,
                               ptio_error *err);

/** Items of a LIST, TUPLE, SET or FROZENSET node, or of what is seen as one; NULL for others. Those of sets each once. */
const ptio_value *const *ptio_value_items(const ptio_value *value, size_t *count);

/** The node of one of these types that has those items. */
const ptio_value *ptio_items_node(const ptio_value *value);

/** True of the bool True, or of a dict that holds key: True. */
bool ptio_is_true(const ptio_value *value);

/** The class of a reduced object: its callable, or an argument of copy_reg._reconstructor. */
const ptio_value *ptio_reduced_class(const ptio_node_reduced *node);

/** The name of the class that a callable is, as ptio_value_class() gives it. */
ptio_text ptio_callable_class(const ptio_value *callable);

/** The name of a kind for messages: "a tuple", "an int". */
const char *ptio_value_article(const ptio_value *value);

/* rebuild.c */
ptio_status ptio_handle_tensor(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/* rebuild_parts.c */
ptio_status ptio_handle_composed(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/* python.c */
ptio_status ptio_handle_python(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/* objects.c: any class */
ptio_status ptio_handle_object(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/* torch_values.c */
ptio_status ptio_handle_torch_value(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/* numpy.c */
ptio_status ptio_handle_numpy(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err);
/** A numpy.dtype that a value is, interpreted if need be; NULL where it is none. */
const ptio_npdtype *ptio_value_npdtype(ptio_loader *loader, const ptio_value *value, ptio_error *err);
/** A dtype from its text, such as "<f4". */
ptio_status ptio_npdtype_from_code(ptio_loader *loader, ptio_text code, const ptio_npdtype **ret, ptio_error *err);
/** Finish an array: check the size of its data, make its tensor. `array` has dtype, ndim, shape, fortran, and data or items. */
ptio_status ptio_ndarray_finish(ptio_loader *loader, ptio_ndarray *array, ptio_error *err);

/* persistent.c */
/** A storage for a persistent id ('storage', class, key, location, numel …) whose bytes the caller then says. Checks the tuple. */
typedef struct ptio_storage_id {
    const ptio_global *type; /* the storage class          */
    ptio_text key;
    ptio_text location;
    uint64_t numel, nbytes;
    const ptio_value *view; /* legacy: (key, offset, numel) or NULL */
} ptio_storage_id;

ptio_status ptio_storage_id_read(ptio_loader *loader, ptio_node_persistent *node, ptio_storage_id *ret, ptio_error *err);

/** A storage as an id describes it; origin and data are left to the caller. */
ptio_status ptio_storage_from_id(ptio_loader *loader, const ptio_storage_id *id, ptio_storage **ret, ptio_error *err);

/** persistent_load of zip archives: data/KEY of loader->ckpt->archive. */
ptio_status ptio_persistent_zip(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err);

#endif
