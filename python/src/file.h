/*
 * What ptio.open() gives.
 *
 *     file.c          the open file: names, and what there is to know
 *     file_tensor.c   reading one tensor, or a slice of it
 */
#ifndef PTIO_PYTHON_FILE_H
#define PTIO_PYTHON_FILE_H

#include "tensor.h"

typedef struct file_object {
    PyObject ob_base;
    bool is_open;
    unsigned users; /* reads that are under way without the GIL: what they use goes after them */
    input in;
    ptio_checkpoint *ckpt;
    ptio_tensor_list *list;
    PyObject *names;              /* a dict: name -> number in the list */
    PyObject *device;             /* map_location for PyTorch, or NULL: the CPU */
    bool asked_torch, with_torch; /* whether PyTorch was looked for, and whether it is there: see file_torch() */
} file_object;

extern PyType_Spec file_spec, slice_spec;

/** Whether tensors are PyTorch's: from the first one that is read on. Until then PyTorch, which takes a second to import, is not
 *  needed. False with an exception where importing it fails. */
bool file_torch(file_object *self, bool *ret);

/** The entry of a name; NULL with a KeyError, or a ValueError after close(). */
const ptio_tensor_entry *file_find(file_object *self, PyObject *name);

/** One more read is under way, or one less. */
void file_use(file_object *self);
void file_leave(file_object *self);

/** The tensor of an entry, or what is selected of it, read now. */
PyObject *file_read(file_object *self, const ptio_tensor *tensor, const selection *what);

/** get_slice(name) */
PyObject *slice_new(PyObject *file, PyObject *name);

#endif
