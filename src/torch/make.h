/*
 * Making values: what a container that is no pickle of one object gives as its root, in the nodes that a pickler would have seen.
 *
 * A made tensor is the call torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...) with its persistent id, as torch.save
 * would write it; a made dict is an OrderedDict. Functions fail only for want of memory, unless they say more.
 */
#ifndef PTIO_TORCH_MAKE_H
#define PTIO_TORCH_MAKE_H

#include "torch/handlers.h"

/** The globals and words that made nodes share. Ready when zeroed, but for `loader`. */
typedef struct ptio_maker {
    ptio_loader *loader;
    const ptio_value *ordered_dict, *rebuild_v2, *rebuild_v3, *rebuild_meta, *parameter, *array, *untyped, *word;
    const ptio_value *dtypes[PTIO_DTYPE_COUNT]; /* the storage class, or the dtype itself where it has none */
} ptio_maker;

/** A global by name, or NULL. */
const ptio_value *ptio_make_global(ptio_loader *loader, ptio_text module, ptio_text name);

/** A str; its text is copied. */
ptio_status ptio_make_str(ptio_loader *loader, ptio_text text, const ptio_value **ret, ptio_error *err);

/** An empty dict, and an empty OrderedDict: `dict` takes the entries, *ret is the value. */
ptio_status ptio_make_dict(ptio_loader *loader, ptio_node_dict **dict, ptio_error *err);
ptio_status ptio_make_ordered_dict(ptio_maker *maker, ptio_node_dict **dict, const ptio_value **ret, ptio_error *err);

/** Add an entry. Keys are not compared; ptio_make_index() does that for all at once, when the last one is in. */
ptio_status ptio_make_entry(ptio_loader *loader, ptio_node_dict *dict, const ptio_value *key, const ptio_value *value,
                            ptio_error *err);
ptio_status ptio_make_index(ptio_loader *loader, ptio_node_dict *dict, ptio_error *err);

/** A storage on the CPU whose origin the caller then says. `key` must live as long as the checkpoint. */
ptio_status ptio_make_storage(ptio_loader *loader, ptio_dtype dtype, uint64_t nbytes, ptio_text key, ptio_storage **ret,
                              ptio_error *err);

/** The persistent id of a storage, or NULL where there is no memory. */
const ptio_value *ptio_make_storage_id(ptio_maker *maker, const ptio_storage *storage);

/** A tensor of `spec`, proven to lie in its storage. A Parameter where the flags say so. */
ptio_status ptio_make_tensor(ptio_maker *maker, const ptio_tensor_spec *spec, const ptio_value **ret, ptio_error *err);

/** The value of an array that ptio_ndarray_finish() has finished. */
ptio_status ptio_make_array(ptio_maker *maker, const ptio_ndarray *array, const ptio_value **ret, ptio_error *err);

/** Bytes of a source from `origin_index` on: `origin_data` is the source. */
extern const ptio_storage_origin ptio_storage_of_range;

#endif
