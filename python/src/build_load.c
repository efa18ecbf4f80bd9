/*
 * All of a load, once the graph is there: what PyTorch is set to, the bytes of storages, the objects.
 */
#include <stdlib.h>

#include "build.h"

/* The bytes of all storages, by threads and without the GIL. */
static bool read_all(builder *b, ptio_error *err)
{
    if (b->options->mapped || b->fake || b->meta || b->skip_data)
        return true;
    PyThreadState *thread = b->options->without_gil ? PyEval_SaveThread() : NULL;
    ptio_status status = ptio_checkpoint_read(b->ckpt, err);
    if (thread)
        PyEval_RestoreThread(thread);
    return status == PTIO_OK;
}

/* All that is made is needed, so to look for garbage every few hundred objects would be for nothing. */
static PyObject *build_without_collections(builder *b, const ptio_value *root)
{
    if (!tell_location(b, b->options->map_location))
        return NULL;
    int collects = PyGC_Disable();
    PyObject *result = b->options->pickle_module ? build_custom(b, b->options->pickle_module) : build(b, root);
    if (collects)
        PyGC_Enable();
    if (result && !tell_location(b, Py_None))
        Py_CLEAR(result);
    return result;
}

static void release_builder(builder *b)
{
    release_frames(b);
    memo_free(&b->memo);
    for (size_t i = 0; i < b->storage_count; i++) {
        Py_XDECREF(b->storages[i].tensor);
        Py_XDECREF(b->storages[i].untyped);
        Py_XDECREF(b->storages[i].typed);
    }
    free(b->storages);
    Py_XDECREF(b->restore);
}

PyObject *build_objects(module_state *state, ptio_checkpoint *ckpt, blocks *storage_blocks, const build_options *options,
                        ptio_error *err)
{
    const ptio_checkpoint_info *info = options->info;
    builder b = {.state = state,
                 .torch = state->torch,
                 .ckpt = ckpt,
                 .blocks = storage_blocks,
                 .options = options,
                 .is_stream = info->container != PTIO_CONTAINER_ZIP,
                 .map_names = (info->protocol < 3 && !options->keeps_names) || options->allowed};
    b.storages = calloc(info->storages ? (size_t)info->storages : 1, sizeof *b.storages);
    b.storage_count = b.storages ? (size_t)info->storages : 0;
    bool ready = b.storages || PyErr_NoMemory();
    if (ready && (options->mapped || !b.torch)) {
        ready = (b.holder = holder_new(ckpt, NULL)) != NULL;
        if (ready)
            b.holder->blocks = blocks_hold(storage_blocks);
    }
    PyObject *result = NULL;
    if (ready && build_settings(&b) && read_all(&b, err))
        result = build_without_collections(&b, ptio_root(ckpt));
    if (result && b.torch && !validate_sparse(&b))
        Py_CLEAR(result);
    release_builder(&b);
    if (b.holder)
        holder_release(b.holder);
    else
        ptio_checkpoint_free(ckpt);
    return result;
}
