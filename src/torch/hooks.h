/*
 * The caller's hooks: names that it takes for others, persistent ids that it knows, objects that it makes its own of.
 */
#ifndef PTIO_TORCH_HOOKS_H
#define PTIO_TORCH_HOOKS_H

#include "base/pointer_map.h"
#include "torch/handlers.h"

/** Of one checkpoint, where options.hooks was given. */
typedef struct ptio_hooked {
    ptio_hooks hooks;
    ptio_checkpoint *ckpt;
    ptio_pointer_map users; /* value → what the caller made of it */
} ptio_hooked;

/** Keep the hooks of the loader's options, if there are any, in its checkpoint. */
ptio_status ptio_hooks_begin(ptio_loader *loader, ptio_error *err);

/** Give back what the caller made. */
void ptio_hooks_end(ptio_checkpoint *ckpt);

/** Ask for the name that a global is to be taken for. */
ptio_status ptio_hook_find_class(ptio_loader *loader, const ptio_value *node, ptio_text *module, ptio_text *name,
                                 ptio_error *err);

/** Interpret a persistent id, and ask for what it is where the container knows it not. */
ptio_status ptio_hook_persistent(ptio_loader *loader, ptio_node_persistent *node, ptio_error *err);

/** Ask for all objects, after the load. */
ptio_status ptio_hook_build(ptio_checkpoint *ckpt, ptio_error *err);

#endif
