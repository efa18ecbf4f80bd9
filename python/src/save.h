/*
 * What one save of PyTorch's objects holds.
 */
#ifndef PTIO_PYTHON_SAVE_H
#define PTIO_PYTHON_SAVE_H

#include "module.h"
#include "output.h"

#define SAVER_NAME "ptio.saver"

typedef struct saver {
    module_state *state;
    torch_bridge *torch;
    output out;
    PyObject *pickle_module, *protocol;
    bool legacy, no_byteorder, no_crc32, skip_data;
    bool fast;         /* plain tensors are reduced here */
    bool cpu_is_plain; /* location_tag() of a storage on the CPU is "cpu" */
    uint32_t alignment;
    PyObject *bytes_io;     /* io.BytesIO                                             */
    PyObject *location_tag; /* torch.serialization.location_tag                       */
    PyObject *dispatch_keys, *plain_keys;
    PyObject *rebuild_tensor, *rebuild_parameter;
    PyObject *type_names;   /* torch's dict of dtypes and names of their storage types */
    PyObject *module_class; /* torch.nn.Module                                        */
    PyObject *storages;     /* a list of (key, storage, dtype), in the order of keys  */
    PyObject *keys;         /* storage._cdata -> key                                  */
    PyObject *dtypes;       /* data_ptr() -> dtype                                    */
    PyObject *sorts;        /* type -> what its objects are                           */
    PyObject *types;        /* dtype -> (storage type, bytes of an element), or None  */
    PyObject *classes;      /* a set: module classes whose source was saved           */
    /* The storage of the tensor that was reduced last, which the Pickler asks for next. Borrowed. */
    PyObject *pending, *pending_dtype, *pending_type;
    unsigned long long pending_itemsize;
} saver;

/** Pickle and write. `capsule` holds the saver, for the Pickler. False with an exception. */
bool save_archive(saver *s, PyObject *object, PyObject *capsule);
bool save_stream(saver *s, PyObject *object, PyObject *capsule);

#endif
