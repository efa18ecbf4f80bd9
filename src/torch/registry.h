/*
 * Registries: who knows which location tags.
 */
#ifndef PTIO_TORCH_REGISTRY_H
#define PTIO_TORCH_REGISTRY_H

#include "tensor/device.h"

typedef struct ptio_registry_row {
    ptio_registry_entry entry; /* of a caller                          */
    const char *own;           /* or one of PyTorch's: "cpu", "cuda" …, or the type of a device that was added */
    ptio_device_kind *kind;    /* of a device; held. That of "cuda" is opened when it is needed               */
} ptio_registry_row;

struct ptio_registry {
    ptio_heap heap;
    ptio_registry_row *rows; /* the one that is asked first first */
    size_t count, capacity;
    size_t added;    /* those of the caller */
    ptio_mutex lock; /* of opening "cuda" */
};

/** The device that a row is, held by the registry; NULL where it is none. */
ptio_status ptio_registry_device(const ptio_registry *registry, size_t row, ptio_device_kind **ret, ptio_error *err);

/** Whether one of PyTorch's entries, or a device, takes a tag: "cpu" and "meta" alone, "mps" and all that begins with it, and of others
 *  the name or the name with a colon or a digit behind it. */
bool ptio_registry_takes(const char *name, ptio_text tag);

/** The index of "cuda:1"; -1 where there is none behind the type. False where it is no device string. */
bool ptio_device_index(ptio_text tag, const char *type, int *index);

/** The tag that a storage is saved with, into `room`: what a tagger says, or its own. */
ptio_text ptio_registry_tag(const ptio_registry *registry, const ptio_storage *storage, char room[PTIO_MOST_TAG]);

#endif
