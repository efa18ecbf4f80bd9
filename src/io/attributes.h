/*
 * Who may do what with a file: carried over from the old file to the one that takes its place.
 */
#ifndef PTIO_IO_ATTRIBUTES_H
#define PTIO_IO_ATTRIBUTES_H

#include "base/error.h"
#include "base/memory.h"
#include "io/calls.h"

/**
 * Give the file `to` the owner, group, mode, access list, security label and the user's attributes of `name` in `folder`.
 *
 * What one may not give is left out, but nobody is allowed more by that: where the group or the access list cannot be kept, the
 * group may do no more than everyone.
 *
 * Errors     PTIO_ERR_IO "io.attributes" the mode cannot be set; PTIO_ERR_MEMORY
 */
ptio_status ptio_attributes_keep(const ptio_calls *calls, ptio_heap *heap, int folder, const char *name, const struct stat *about,
                                 int to, ptio_error *err);

#endif
