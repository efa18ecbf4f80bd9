/*
 * Distributed checkpoints (torch.distributed.checkpoint): a folder of files, in which .metadata says where the pieces of every tensor are.
 *
 *     .metadata        a pickle of one Metadata object
 *     __0_0.distcp     items one behind the other, each a torch.save file of one chunk or one object; or one safetensors file
 *
 * A load reads .metadata and the objects that are no tensors. A tensor's chunks are read, and put in place, when its bytes are first
 * asked for; their files are open only then, since there may be thousands.
 *
 * Source: torch/distributed/checkpoint/metadata.py, filesystem.py, _nested_dict.py, format_utils.py
 */
#ifndef PTIO_TORCH_DCP_H
#define PTIO_TORCH_DCP_H

#include "torch/make.h"
#include "torch/safetensors.h"

/** A file of the folder that an item is in. */
typedef struct ptio_dcp_file {
    ptio_text name;
    const char *path;
    uint64_t size;
    bool is_safetensors;
    ptio_safetensors tensors;             /* of a safetensors file       */
    const ptio_node_dict *tensor_numbers; /* name: place in `tensors`    */
} ptio_dcp_file;

/** Where an item is. */
typedef struct ptio_dcp_place {
    const ptio_dcp_file *file;
    uint64_t offset, length;
} ptio_dcp_place;

/** A box of a tensor: `at` and `sizes` have as many numbers as the tensor has dimensions. */
typedef struct ptio_dcp_chunk {
    ptio_dcp_place place;
    const int64_t *at, *sizes;
    uint64_t nbytes;
} ptio_dcp_chunk;

/** A tensor as its chunks. */
typedef struct ptio_dcp_tensor {
    const ptio_checkpoint *ckpt;
    ptio_text name;
    ptio_dtype dtype;
    size_t ndim, chunk_count;
    const int64_t *shape;
    uint64_t nbytes;
    ptio_dcp_chunk *chunks; /* inside the tensor; as many elements as it */
} ptio_dcp_tensor;

/** A storage of chunks: `origin_data` is the ptio_dcp_tensor. It is read in the byte order of this machine. */
extern const ptio_storage_origin ptio_storage_of_chunks;

/* ---- storage_data: (name, offset) to place ---- */

typedef struct ptio_dcp_row {
    ptio_text name;
    const int64_t *at; /* NULL: of an object, or of a tensor without offset */
    size_t ndim;
    const ptio_value *info; /* the _StorageInfo */
} ptio_dcp_row;

typedef struct ptio_dcp_index {
    ptio_loader *loader;
    ptio_dcp_row *rows;
    size_t count;
    uint32_t *slots; /* hash table: row + 1, 0 empty */
    size_t slot_count;
    uint64_t hash_key;
} ptio_dcp_index;

/** Index the storage_data of a Metadata object. Freed by ptio_dcp_index_free(), also where this fails. */
ptio_status ptio_dcp_index_make(ptio_dcp_index *index, const ptio_node_dict *storage_data, ptio_error *err);
/** The _StorageInfo of an item, or NULL. */
const ptio_value *ptio_dcp_index_find(const ptio_dcp_index *index, ptio_text name, const int64_t *at, size_t ndim);
void ptio_dcp_index_free(ptio_dcp_index *index);

/* ---- nesting: a flat name's value at its path of keys ---- */

typedef struct ptio_dcp_node {
    const void *parent; /* the container  */
    ptio_text key;
    int64_t number; /* of a list      */
    bool is_number, is_container;
    const ptio_value *value;
} ptio_dcp_node;

/** Ready when zeroed, but for `loader`, `root` and `most_empty`. */
typedef struct ptio_dcp_nest {
    ptio_loader *loader;
    ptio_node_dict *root;
    ptio_dcp_node *nodes;
    size_t count, capacity;
    uint32_t *slots;
    size_t slot_count;
    uint64_t hash_key;
    uint64_t most_empty; /* places of lists that may be left out */
} ptio_dcp_nest;

/** Put a value at a path: a tuple of names and, in lists, numbers. NULL: under the name alone. */
ptio_status ptio_dcp_nest_put(ptio_dcp_nest *nest, const ptio_value *path, const ptio_value *name, const ptio_value *value,
                              ptio_error *err);
/** Index the keys of all dicts that were made. */
ptio_status ptio_dcp_nest_finish(ptio_dcp_nest *nest, ptio_error *err);
void ptio_dcp_nest_free(ptio_dcp_nest *nest);

/** The ints of a size or tuple, not negative, in the arena (never NULL but for want of memory). False where it is something else. */
bool ptio_dcp_sizes(ptio_loader *loader, const ptio_value *value, const int64_t **ret, size_t *count);

#endif
