/*
 * Where bytes go: a path, replaced all or nothing, or an object with write() and flush().
 */
#ifndef PTIO_PYTHON_OUTPUT_H
#define PTIO_PYTHON_OUTPUT_H

#include "module.h"

typedef struct output {
    module_state *state;
    PyObject *path;       /* as os.fspath() gives it; NULL for an object */
    PyObject *path_bytes; /* in the encoding of the file system          */
    PyObject *object;
    PyObject *write; /* its method */
    bool is_stream;  /* of PyTorch before 1.6: exceptions are those of open() */
    PyObject *file;  /* one that is written where it is, since its folder takes no new files */
    PyObject *root;  /* the name of its archive, as bytes */
    ptio_sink *sink;
} output;

/**
 * Open `f`. False with an exception: that of torch.save() for a missing folder or an object without write().
 *
 * A path is not synced to the disk, as torch.save() does not; but the old file stays until the new one is whole, where its folder takes new
 * files.
 */
bool output_open(module_state *state, PyObject *f, bool is_stream, output *ret);

/** The folder of the records, for an archive that the sink does not name; else NULL. */
const char *output_root(const output *out);

/** All is written: the new file takes its place, or the object is flushed. False with an exception. */
bool output_finish(output *out);

/** Without output_finish() before, nothing has happened to a path. */
void output_close(output *out);

#endif
