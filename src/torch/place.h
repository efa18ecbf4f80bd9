/*
 * Where storages go that are loaded: map_location, then the registry.
 */
#ifndef PTIO_TORCH_PLACE_H
#define PTIO_TORCH_PLACE_H

#include "base/pointer_map.h"
#include "torch/checkpoint.h"
#include "torch/registry.h"

/** What was asked for, of one load and all files in it. */
struct ptio_placing {
    ptio_map_location map;
    unsigned embedded; /* streams in pickles that we are inside of: map_location is not for them */
    const ptio_registry *registry;
    ptio_registry *made; /* it, where the caller gave none */
    ptio_heap *heap;
    ptio_pointer_map answers; /* of callbacks: what stands for all storages that had the same answer */
    ptio_pointer_map placed;  /* storages of a stream, and what was given for each */
};

/** Look at the options. loader->placing stays NULL where they say nothing of places. `placing` is the caller's, and lives as long as the loader. */
ptio_status ptio_placing_begin(ptio_loader *loader, ptio_placing *placing, ptio_error *err);
void ptio_placing_end(ptio_placing *placing);

/**
 * Put a storage where it belongs: it is told its location, becomes one of the meta device, or what a callback answered. It has its
 * origin. *storage may be another one then. `node` is its persistent id, for messages, or NULL.
 */
ptio_status ptio_place_storage(ptio_loader *loader, const ptio_value *node, ptio_storage **storage, ptio_error *err);

/** All storages that the persistent ids of a pickle name, in their order; slices go with what they are cut from. */
ptio_status ptio_place_part(ptio_loader *loader, const ptio_pickle_part *part, ptio_error *err);

/** Whether nothing of any storage will be read: PyTorch then does not compare the sizes of records. */
bool ptio_placing_is_meta(const ptio_loader *loader);

/** The device of a tensor that is rebuilt on one: as map_location has it, which must be no callback. */
ptio_status ptio_place_device(ptio_loader *loader, const ptio_value *node, ptio_text device, ptio_text *ret, ptio_error *err);

#endif
