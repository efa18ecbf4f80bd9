/*
 * Checkpoints inside and beside a checkpoint: shards, and torch.save files that are records of an archive or items of a bigger file.
 *
 * A child has a source and an arena of its own and puts its storages into the pool of its parent, which frees it. It stays a child
 * even where its load fails, since the pool may know storages of it.
 */
#ifndef PTIO_TORCH_CHILD_H
#define PTIO_TORCH_CHILD_H

#include "torch/handlers.h"

/** A new, empty child over `source`, which it owns from here on, also where this fails. */
ptio_status ptio_child_new(ptio_loader *parent, ptio_source *source, ptio_checkpoint **ret, ptio_error *err);

/** Load the checkpoint that is all of `source` as a child. Like ptio_child_new(), it owns the source. Errors name `name`. */
ptio_status ptio_child_load(ptio_loader *parent, ptio_source *source, ptio_text name, ptio_checkpoint **ret, ptio_error *err);

/** A source of part of another, which must outlive it: in memory where that is, else read through it. */
ptio_status ptio_window_open(ptio_source *source, uint64_t offset, uint64_t size, const ptio_memory *memory, ptio_source **ret,
                             ptio_error *err);

/** The path of a file beside `path` (or in it, where it is a folder): its folder and `name`, terminated, in the arena; NULL where
 *  there is no memory. */
const char *ptio_path_beside(ptio_arena *arena, const char *path, bool path_is_folder, ptio_text name);

/** Room for a plain name and the NUL behind it. */
#define PTIO_PLAIN_NAME_SIZE 256

/** Whether a name from a file is that of a file in the same folder: no separator, no drive, not empty, not "." or "..". */
bool ptio_is_plain_name(ptio_text name);

/** Persistent ids of pickles that must have none: refuses them. */
ptio_status ptio_persistent_none(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err);

#endif
