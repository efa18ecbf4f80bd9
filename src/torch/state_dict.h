/*
 * load_state_dict(): what its three files share. Keys of the file, the tree of modules that the caller's names tell of, and the result.
 */
#ifndef PTIO_TORCH_STATE_DICT_H
#define PTIO_TORCH_STATE_DICT_H

#include "base/error.h"
#include "base/text_map.h"
#include "torch/checkpoint.h"

/** Texts in order, in the arena of the result. */
typedef struct ptio_text_list {
    ptio_text *texts;
    size_t count, capacity;
} ptio_text_list;

/** What load_state_dict() gives back; the public part first. */
typedef struct ptio_state_result {
    ptio_incompatible seen;
    ptio_heap heap;
    ptio_arena arena;
    ptio_text_list missing, unexpected, errors;
} ptio_state_result;

/** NULL where there is no memory. */
ptio_state_result *ptio_state_result_new(const ptio_memory *memory);

/** The methods below give false where there is no memory. */
bool ptio_state_result_list(ptio_state_result *result, ptio_text_list *list, ptio_text text);

/** Add an error: pieces joined, a NULL behind the last. */
bool ptio_state_result_error(ptio_state_result *result, const char *const *pieces);

/** A name in a text, with what a terminal would obey escaped; NULL where there is no memory. */
const char *ptio_state_result_name(ptio_state_result *result, ptio_text name);

/** "torch.Size([2, 3])"; NULL where there is no memory. */
const char *ptio_state_result_size(ptio_state_result *result, size_t ndim, const int64_t *shape);

/** Make the lists and the whole text public. */
bool ptio_state_result_finish(ptio_state_result *result, const char *class_name, bool strict);

/** An entry of the state dict. */
typedef struct ptio_state_key {
    ptio_text name;
    const ptio_value *value;
    bool gone;  /* it has another name now */
    bool taken; /* by a name of the caller */
} ptio_state_key;

typedef struct ptio_state_keys {
    ptio_heap *heap;
    ptio_state_key *keys;
    size_t count, capacity;
    ptio_text_map places;
    ptio_module *module; /* whose state_dict() it is, or NULL */
} ptio_state_keys;

/** The entries of a dict, or of the state_dict() of a whole module, without `prefix` as consume_prefix_in_state_dict_if_present() has
 *  them. To be freed in any case. */
ptio_status ptio_state_keys_open(ptio_state_keys *keys, ptio_heap *heap, const ptio_checkpoint *ckpt, const ptio_value *value,
                                 const char *prefix, ptio_error *err);

/** The entry of this name, or NULL. */
ptio_state_key *ptio_state_keys_find(const ptio_state_keys *keys, ptio_text name);

void ptio_state_keys_free(ptio_state_keys *keys);

#endif
