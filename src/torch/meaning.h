/*
 * What nodes mean: the interpretation slot of GLOBAL, PERSISTENT and REDUCED nodes, by what they are seen as.
 *
 *   GLOBAL, DTYPE, QSCHEME, MEMORY_FORMAT      const ptio_global *
 *   TENSOR                                     const ptio_tensor *
 *   STORAGE                                    const ptio_storage *
 *   DICT                                       const ptio_node_dict *    the entries that count
 *   LIST, SET, FROZENSET, SIZE, GENERATOR      const ptio_value *        the LIST or TUPLE node with the items
 *   BYTES, BYTEARRAY, DEVICE, LAYOUT           const ptio_text *
 *   NDARRAY                                    const ptio_ndarray *
 *   NPSCALAR                                   const ptio_npscalar *
 *   NPDTYPE                                    const ptio_npdtype *
 *   OBJECT                                     const ptio_object *
 *   COMPLEX                                    nothing: its arguments say all
 */
#ifndef PTIO_TORCH_MEANING_H
#define PTIO_TORCH_MEANING_H

#include "torch/checkpoint.h"

/** An object of any class. */
typedef struct ptio_object {
    ptio_text class_name;
    const ptio_value *items;      /* LIST or TUPLE node, or NULL                                          */
    const ptio_value *attributes; /* a dict in place of the state, of modules of TorchScript; NULL: the state */
} ptio_object;

/** numpy.dtype. */
typedef struct ptio_npdtype {
    ptio_text code; /* "<f4", ">i4", "|b1", "<U2", "|O", "<M8[D]"; of a structured one str() of it */
    uint64_t itemsize;
    uint64_t alignment;
    ptio_dtype dtype; /* PTIO_NO_DTYPE where PyTorch has none, or the byte order is the other */
    char byte_order;  /* '<', '>' or '|'                                                      */
    bool is_object;
    bool is_aligned;                 /* a structured one made with align=True */
    bool is_structured;              /* made of others: it has fields, or is an array in a field                */
    ptio_text field_code;            /* of a structured one: its text as the dtype of a field                    */
    const struct ptio_npdtype *base; /* of an array in a field: the dtype of its elements; else NULL  */
    size_t ndim;
    const int64_t *shape;              /* `ndim` sizes of that array */
    const struct ptio_npfield *fields; /* of one with fields: the first */
    bool is_record;                    /* of numpy.record, not numpy.void */
} ptio_npdtype;

/** One field, of those with names. */
typedef struct ptio_npfield {
    struct ptio_npfield *next;
    ptio_text name, title; /* title.bytes NULL: none */
    const ptio_npdtype *dtype;
    uint64_t offset;
} ptio_npfield;

typedef struct ptio_ndarray {
    const ptio_npdtype *dtype;
    size_t ndim;
    const int64_t *shape;
    uint64_t count, nbytes;
    bool fortran;
    ptio_text data;            /* of arrays that are no arrays of objects                              */
    const ptio_value *items;   /* LIST node, of arrays of objects                                      */
    const ptio_tensor *tensor; /* NULL where PyTorch has no such dtype                                 */
} ptio_ndarray;

typedef struct ptio_npscalar {
    const ptio_npdtype *dtype;
    ptio_text data;
} ptio_npscalar;

/** The meaning of a node that has one, or NULL. */
static inline const void *ptio_meaning(const ptio_value *value)
{
    switch (value->type) {
    case PTIO_NODE_TYPE_GLOBAL: return PTIO_NODE(global, value)->meaning;
    case PTIO_NODE_TYPE_PERSISTENT: return PTIO_NODE(persistent, value)->meaning;
    case PTIO_NODE_TYPE_REDUCED: return PTIO_NODE(reduced, value)->meaning;
    default: return NULL;
    }
}

/** The global that a value is, or that a persistent id of a legacy stream stands for; NULL for other values. */
static inline const ptio_global *ptio_value_global(const ptio_value *value)
{
    if (!value ||
        (value->type != PTIO_NODE_TYPE_GLOBAL && !(value->type == PTIO_NODE_TYPE_PERSISTENT && value->seen == PTIO_KIND_GLOBAL)))
        return NULL;
    return ptio_meaning(value);
}

/** The entries of a value that is seen as a dict, or NULL. */
const ptio_node_dict *ptio_value_entries(const ptio_value *value);

/** A DICT of no entries. */
extern const ptio_node_dict ptio_empty_dict;

#endif
