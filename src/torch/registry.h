/*
 * Registries: who knows which location tags.
 */
#ifndef PTIO_TORCH_REGISTRY_H
#define PTIO_TORCH_REGISTRY_H

#include "base/memory.h"

typedef struct ptio_registry_row {
    ptio_registry_entry entry; /* of a caller                          */
    const char *own;           /* or one of PyTorch's: "cpu", "cuda" … */
} ptio_registry_row;

struct ptio_registry {
    ptio_heap heap;
    ptio_registry_row *rows; /* the one that is asked first first */
    size_t count, capacity;
    size_t added; /* those of the caller */
};

/** The tag that a storage is saved with, into `room`: what a tagger says, or its own. */
ptio_text ptio_registry_tag(const ptio_registry *registry, const ptio_storage *storage, char room[PTIO_MOST_TAG]);

#endif
