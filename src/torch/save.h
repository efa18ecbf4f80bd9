/*
 * A save on its way: options, reducer, pickle, and where the bytes of a storage go.
 */
#ifndef PTIO_TORCH_SAVE_H
#define PTIO_TORCH_SAVE_H

#include "archive/read_ahead.h"
#include "archive/zip_writer.h"
#include "torch/reduce.h"

typedef struct ptio_saver {
    ptio_save_options options; /* filled in */
    ptio_heap heap;
    ptio_reducer reducer;
    ptio_sink *sink;
    ptio_read_ahead ahead; /* for the storages of a file */
    bool is_big_endian;    /* the byte order that is written */
} ptio_saver;

/** Takes the bytes of a storage: a record of a zip, or the stream. */
typedef struct ptio_storage_target {
    ptio_status (*write)(void *ctx, const void *data, size_t size, ptio_error *err);
    ptio_status (*copy)(void *ctx, const ptio_storage_place *place, uint64_t size, ptio_error *err);
    void *ctx;
} ptio_storage_target;

/** The storages in the order they are written in: that of their first appearance, or of their keys as texts. In the reducer's arena;
 *  NULL where there is no memory. */
const ptio_saved_storage **ptio_save_order(ptio_saver *saver, bool by_key, ptio_error *err);

/** Write the bytes of a storage, from where they are: not through memory where that can be. */
ptio_status ptio_save_storage(ptio_saver *saver, const ptio_storage *storage, const ptio_storage_target *target, ptio_error *err);

/** Pickle a value by the reducer. */
ptio_status ptio_save_pickle(ptio_saver *saver, const ptio_value *value, ptio_pickled *ret, ptio_error *err);

/** save_zip.c, save_legacy.c, save_as.c: one for each kind of file. */
ptio_status ptio_save_zip(ptio_saver *saver, const ptio_value *value, ptio_error *err);
ptio_status ptio_save_legacy(ptio_saver *saver, const ptio_value *value, ptio_error *err);
ptio_status ptio_save_as(ptio_saver *saver, const ptio_value *value, ptio_error *err);

#endif
