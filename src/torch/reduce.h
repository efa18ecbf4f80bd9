/*
 * The reducer: what Python would answer if each value of a graph were asked for its __reduce_ex__, and which values would be one
 * object. The pickler calls it; with it torch.save(torch.load(file)) is the same bytes written by ptio.
 *
 * The forms are those of PyTorch 2.13 and of CPython's containers: a tensor is torch._utils._rebuild_tensor_v2 of a persistent id,
 * whatever era it was loaded from, a set below protocol 4 the call of its class with a list. Objects of unknown classes are the
 * nodes that they were loaded as.
 *
 * Source: torch/_tensor.py, torch/_utils.py, torch/serialization.py, CPython Modules/_pickle.c; FORMAT 3.9 to 3.13, 4.1 to 4.12
 */
#ifndef PTIO_TORCH_REDUCE_H
#define PTIO_TORCH_REDUCE_H

#include "base/pointer_map.h"
#include "pickle/pickler.h"
#include "torch/meaning.h"

/** Which bytes of a storage its tensors use. */
typedef struct ptio_used_range {
    uint64_t first, end; /* none: 0, 0                                                                        */
    uint64_t unit;       /* bytes of the largest element                                                      */
    bool all;            /* it occurs by itself, or several elements are in a byte                            */
} ptio_used_range;

/** A storage that the pickle names, in the order of its first appearance. */
typedef struct ptio_saved_storage {
    const ptio_storage *storage; /* what is written: a slice of it, where less is used                */
    ptio_text location;          /* its tag in the file                                               */
    const ptio_value *key;       /* one str for all its visits                                        */
    ptio_dtype dtype;            /* as the first visit names it; uint8 for untyped                    */
    uint64_t cut;                /* bytes in front of that slice                                      */
    ptio_used_range used;        /* of its bytes                                                      */
} ptio_saved_storage;

/** There are eight; a file may name what it likes. */
#define PTIO_REDUCED_LAYOUTS 16

/** Globals that nearly every tensor names: each is looked up once. */
typedef enum ptio_known_global {
    PTIO_KNOWN_REBUILD_TENSOR_V2,
    PTIO_KNOWN_REBUILD_TENSOR_V3,
    PTIO_KNOWN_REBUILD_PARAMETER,
    PTIO_KNOWN_ORDERED_DICT,
    PTIO_KNOWN_UNTYPED_STORAGE,
    PTIO_KNOWN_COUNT
} ptio_known_global;

/** The plain types of NumPy: b1, i1 … u8, f2 … f16, c8 … c32. */
#define PTIO_NUMPY_TYPES 16

/** Texts or globals, each of them one object for the whole pickle. */
typedef struct ptio_interned {
    const ptio_value **nodes;
    size_t slot_count, used;
} ptio_interned;

typedef struct ptio_reducer {
    ptio_heap *heap;
    ptio_arena arena;          /* the nodes that are made                                                              */
    ptio_arena fleeting_nodes; /* those of the plain tensor that is being written: they serve again for the next */
    bool is_fleeting;          /* nodes are made there                                                           */
    unsigned protocol;
    ptio_profile profile;
    ptio_report *report;
    bool is_legacy; /* persistent ids end in a view, which is None                                          */
    const struct ptio_reducer *measured; /* one that went over the same value and knows what of each storage is used; NULL: all */
    bool keep_keys;        /* storages keep the keys that they were loaded with                                    */
    const ptio_text *keys; /* keys for the storages in order, as far as they go; NULL: 0, 1, 2 …                  */
    size_t key_count;
    const ptio_builder *edits;     /* changes to the values, or NULL */
    const ptio_registry *registry; /* whose taggers are asked, or NULL */
    uint64_t hash_key;
    ptio_interned words, globals;
    const ptio_value *known[PTIO_KNOWN_COUNT];
    const ptio_value *storage_classes[PTIO_DTYPE_COUNT];
    const ptio_value *storage_word, *cpu_word;       /* "storage" and "cpu" */
    const ptio_value *layouts[PTIO_REDUCED_LAYOUTS]; /* each of them is one object too */
    size_t layout_count;
    const ptio_value *letters[257]; /* the strings of one code point below 256, and the empty one: CPython has one of each */
    const ptio_value *bytes[257];   /* the same of bytes that C code makes                                                   */
    const ptio_value *numpy_types[PTIO_NUMPY_TYPES]; /* NumPy's own dtypes */
    size_t numpy_type_count;
    const ptio_value *numpy_bools[2];                 /* False_ and True_ */
    const ptio_value *dtype_module, *function_module; /* "torch" of dtypes, "builtins" of functions: reduce_names.c */
    const ptio_value *numpy_zero;                     /* (0,), a constant of the code of masked arrays */
    ptio_saved_storage *storages;
    size_t storage_count, storage_capacity;
    ptio_pointer_map by_address; /* of storages: their place in `storages` */
    ptio_pointer_map dicts;      /* of tensors with attributes: the node of their __dict__ */
} ptio_reducer;

void ptio_reducer_init(ptio_reducer *reducer, ptio_heap *heap, unsigned protocol);
void ptio_reducer_free(ptio_reducer *reducer);

/* For ptio_pickler_options; the context is the reducer. */
const ptio_value *ptio_reduce_identify(void *ctx, const ptio_value *value);
ptio_status ptio_reduce(void *ctx, const ptio_value *object, const ptio_value **ret, ptio_error *err);
ptio_status ptio_reduce_tensor_run(void *ctx, const ptio_value *object, ptio_tensor_run *ret, bool *is_run, ptio_error *err);

/* Nodes, for the files of the reducer. All give NULL where there is no memory, or where a node they are given is NULL. */

/** A str of its own; the text is not copied. */
const ptio_value *ptio_reduce_str(ptio_reducer *r, ptio_text text);
/** The one str of this text, as an interned string of Python. */
const ptio_value *ptio_reduce_word(ptio_reducer *r, ptio_text text);
/** The one global of this name, given as Python 3 calls it. */
const ptio_value *ptio_reduce_global(ptio_reducer *r, const char *module, const char *name);
const ptio_value *ptio_reduce_global_of(ptio_reducer *r, ptio_text module, ptio_text name);
const ptio_value *ptio_reduce_known(ptio_reducer *r, ptio_known_global which);
/** The strings of a global's module and name. False where there is no memory. reduce_names.c */
bool ptio_reduce_names(ptio_reducer *r, ptio_text module, ptio_text name, const ptio_value **module_node,
                       const ptio_value **name_node);
/** The str of one letter below U+0100, or of none, as C code makes it: there is one of each. */
const ptio_value *ptio_reduce_letter(ptio_reducer *r, ptio_text text);
/** Bytes as C code makes them: of those of one byte, and of none, there is one each. The bytes are not copied. */
const ptio_value *ptio_reduce_bytes(ptio_reducer *r, ptio_text bytes);
const ptio_value *ptio_reduce_int(ptio_reducer *r, int64_t number);
const ptio_value *ptio_reduce_float(ptio_reducer *r, double number);
const ptio_value *ptio_reduce_tuple(ptio_reducer *r, const ptio_value *const *items, size_t count);
const ptio_value *ptio_reduce_ints(ptio_reducer *r, const int64_t *numbers, size_t count);
/** callable(*arguments), by REDUCE. */
ptio_node_reduced *ptio_reduce_call(ptio_reducer *r, const ptio_value *callable, const ptio_value *arguments);
/** What is done to a call afterwards; made when first asked for. */
ptio_more *ptio_reduce_more(ptio_reducer *r, ptio_node_reduced *node);
/** The node of a call that is given a state by BUILD. */
const ptio_value *ptio_reduce_built(ptio_reducer *r, ptio_node_reduced *node, const ptio_value *state);
/** A LIST, SET or FROZENSET of these items. */
const ptio_value *ptio_reduce_list(ptio_reducer *r, ptio_node_type type, const ptio_value *const *items, size_t count);
/** A DICT of these entries. */
const ptio_value *ptio_reduce_dict(ptio_reducer *r, const ptio_node_dict *entries);
/** The entries that count of `from`, into `to`. `interned`: keys that are texts are interned. */
bool ptio_reduce_fill_dict(ptio_reducer *r, const ptio_node_dict *from, bool interned, ptio_node_dict *to);
/** The one layout of this name, such as "torch.sparse_coo". */
const ptio_value *ptio_reduce_layout(ptio_reducer *r, ptio_text name);
/** The attributes of an object as its __dict__: their names are interned. */
const ptio_value *ptio_reduce_attributes(ptio_reducer *r, const ptio_value *attributes);

/** An object of any class. reduce_object.c */
const ptio_value *ptio_reduce_object(ptio_reducer *r, const ptio_value *object);
/** What is seen as NDARRAY, NPSCALAR or NPDTYPE; the object that a scalar is. reduce_numpy.c */
const ptio_value *ptio_reduce_numpy(ptio_reducer *r, const ptio_value *object);
/** PTIO_ERR_UNSUPPORTED "save.numpy-fields" an array of a .npy whose dtype is known by its name alone. */
ptio_status ptio_reduce_check_numpy(const ptio_value *object, ptio_error *err);
const ptio_value *ptio_reduce_identify_numpy(ptio_reducer *r, const ptio_value *scalar);
/** Whether the forms of PyTorch 2.0 and older are asked for: COO tensors in three parts, NumPy 1. */
static inline bool ptio_reduce_before_2_1(const ptio_reducer *r)
{
    return r->profile >= PTIO_PROFILE_1_13;
}

/** Those of 1.13 and older: no attributes of tensors, no conj and neg bits, and of compressed tensors CSR alone, in a form of its own. */
static inline bool ptio_reduce_as_version_1(const ptio_reducer *r)
{
    return ptio_reduce_before_2_1(r) && r->profile != PTIO_PROFILE_2_0;
}

/** Where tuples, calls, ids and ints are made, and the flags of those that have some. */
static inline ptio_arena *ptio_reduce_arena(ptio_reducer *r)
{
    return r->is_fleeting ? &r->fleeting_nodes : &r->arena;
}

static inline uint8_t ptio_reduce_flags(const ptio_reducer *r)
{
    return r->is_fleeting ? PTIO_NODE_FLEETING : 0;
}

/** A tensor, as a node that is nothing but it: identity is the caller's. reduce_tensor.c */
ptio_status ptio_reduce_tensor(ptio_reducer *r, const ptio_value *object, const ptio_value **ret, ptio_error *err);
/** A storage by its persistent id. reduce_tensor.c */
ptio_status ptio_reduce_storage(ptio_reducer *r, const ptio_storage *storage, ptio_dtype dtype, bool untyped,
                                const ptio_value **ret, ptio_error *err);
/** One that is a value itself: all of it is used. */
ptio_status ptio_reduce_bare_storage(ptio_reducer *r, const ptio_storage *storage, const ptio_value **ret, ptio_error *err);
ptio_status ptio_reduce_no_memory(const ptio_reducer *r, ptio_error *err);

#endif
