/*
 * safetensors files, as shards and as items of distributed checkpoints have them: a header in JSON, then the bytes of all tensors.
 *
 *     header size (8 bytes)  {"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{...}}  bytes
 *
 * Source: the README of the safetensors library, "Format"
 */
#ifndef PTIO_TORCH_SAFETENSORS_H
#define PTIO_TORCH_SAFETENSORS_H

#include "torch/checkpoint.h"

typedef struct ptio_safetensor {
    ptio_text name;
    ptio_dtype dtype;
    size_t ndim;
    const int64_t *shape;
    uint64_t offset, nbytes; /* in the source */
} ptio_safetensor;

typedef struct ptio_safetensors {
    ptio_safetensor *rows; /* in the order of the header */
    size_t count;
} ptio_safetensors;

/** Read the header of a source. Every tensor is in the file, and all of them together are its bytes, each byte once. */
ptio_status ptio_safetensors_read(ptio_source *source, const ptio_limits *limits, ptio_arena *arena, ptio_safetensors *ret,
                                  ptio_error *err);

/** Load the safetensors file that is the checkpoint's source: a dict of its tensors. */
ptio_status ptio_load_safetensors(ptio_loader *loader, ptio_error *err);

#endif
