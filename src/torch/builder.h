/*
 * A builder: a checkpoint that the caller makes, value by value. Values are the nodes that a pickler would have seen, and what they mean
 * is found by the handlers that loaded ones go through, so that no reader can tell them apart.
 */
#ifndef PTIO_TORCH_BUILDER_H
#define PTIO_TORCH_BUILDER_H

#include "base/pointer_map.h"
#include "torch/make.h"

/** Where a str key of a dict was, when it was last seen: enough to know that a dict does not have a key. */
typedef struct ptio_key_place {
    const ptio_node_dict *dict; /* NULL: free */
    uint64_t hash;
    uint32_t entry;
} ptio_key_place;

/** A tensor that was cast, and the storage of the result. */
typedef struct ptio_known_cast {
    const ptio_tensor *tensor;
    const ptio_storage *storage; /* NULL: free */
} ptio_known_cast;

struct ptio_builder {
    ptio_checkpoint *ckpt; /* arena, heap and storages */
    ptio_loader loader;
    ptio_load_options options;
    ptio_pickle_part part;
    ptio_maker maker;
    ptio_error err;          /* the first failure */
    ptio_pointer_map own;    /* containers that may be changed */
    ptio_pointer_map places; /* from a value to its place in `twins` */
    const ptio_value **twins;
    size_t twin_count, twin_capacity;
    ptio_key_place *keys; /* open addressing; of dicts with more than a few entries */
    size_t key_capacity, key_count;
    ptio_pointer_map listed; /* dicts, and how many of their entries are in `keys` */
    const ptio_value *names; /* a DICT of the strs that ptio_new_name() made */
    ptio_known_cast *casts;  /* open addressing */
    size_t cast_capacity, cast_count;
    ptio_checkpoint **held;
    size_t held_count, held_capacity;
};

/** Note a failure of memory, or any other; gives NULL, for makers. */
void *ptio_builder_no_memory(ptio_builder *builder, const char *what);
void *ptio_builder_fail(ptio_builder *builder, const char *reason, const char *message);

/** What a handler found wrong, which is the caller's mistake here and not a file's; gives NULL. */
void *ptio_builder_refuse(ptio_builder *builder);

/** Whether a maker should go on: not after a failure. */
static inline bool ptio_builder_good(const ptio_builder *builder)
{
    return builder && builder->err.status == PTIO_OK;
}

/** Interpret a node that was made, and give it as a value. */
const ptio_value *ptio_builder_interpret(ptio_builder *builder, ptio_node_reduced *node);

/** callable(*arguments), interpreted. */
const ptio_value *ptio_builder_call(ptio_builder *builder, const char *module, const char *name,
                                    const ptio_value *const *arguments, size_t count);

/** The entry of a key in a dict of the builder, or SIZE_MAX. */
size_t ptio_builder_find(ptio_builder *builder, const ptio_node_dict *dict, const ptio_value *key);

/** Where keys are is found out anew. */
void ptio_builder_forget_keys(ptio_builder *builder);

/** A table of casts; room for one in it, which is not in there yet. */
ptio_known_cast *ptio_casts_new(ptio_heap *heap, size_t capacity);
void ptio_casts_put(ptio_known_cast *casts, size_t capacity, const ptio_known_cast *cast);

/** The mutable entries of a dict that the builder made, or NULL, and then it has failed. */
ptio_node_dict *ptio_builder_entries(ptio_builder *builder, ptio_value *value);

#endif
