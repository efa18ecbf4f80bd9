/*
 * What one save without PyTorch holds.
 *
 *     plain.c         the walk: Python's objects as values of a builder
 *     plain_memo.c    objects that are values already
 *     plain_array.c   NumPy arrays and what speaks DLPack: where their elements are, and which share memory
 *     plain_save.c    the call
 */
#ifndef PTIO_PYTHON_PLAIN_H
#define PTIO_PYTHON_PLAIN_H

#include "tensor.h"

/* Objects and what became of them. */
typedef struct object_map {
    struct {
        PyObject *object;
        const void *what;
    } * slots;
    size_t capacity, used;
} object_map;

/* Elements in memory of others. */
typedef struct array {
    PyObject *owner; /* the array, or the capsule of DLPack; held */
    ptio_dtype dtype;
    size_t ndim;
    int64_t shape[MOST_DIMENSIONS], stride[MOST_DIMENSIONS]; /* in elements */
    const char *begin, *end;                                 /* the bytes from its first to its last element */
    struct group *group;
} array;

/* Arrays whose bytes overlap, which are one storage. */
typedef struct group {
    const char *begin, *end;
    ptio_dtype dtype;
    const ptio_storage *storage; /* NULL: not made yet */
} group;

typedef struct plain {
    module_state *state;
    ptio_builder *builder;
    PyObject *kept;    /* a list: what must not go before the save is done */
    PyObject *ndarray; /* numpy.ndarray and numpy.memmap, NULL where NumPy was not imported */
    PyObject *memmap;
    PyObject *numpy_dtype; /* of the last array, held, and which it is: most arrays have the same */
    ptio_dtype known_dtype;
    object_map memo;    /* object -> ptio_value */
    object_map arrays;  /* object -> array */
    array **array_list; /* the same */
    size_t array_count, array_room;
    group *groups;
    struct plain_frame *frames;
    size_t depth, room;
} plain;

/* ---- plain_memo.c ---- */

const void *object_map_get(const object_map *m, PyObject *object);
bool object_map_put(object_map *m, PyObject *object, const void *what);
void object_map_free(object_map *m);

/* ---- plain.c ---- */

/** Whether an object holds others; *ret, which may be NULL then, is a list or tuple of its items, or of pairs of key and value, as they
 *  are now. False with an exception. */
bool plain_items(plain *p, PyObject *object, bool *holds, PyObject **ret);

/** The attributes of an OrderedDict that has some: a dict, borrowed from what is kept; else NULL. */
PyObject *plain_attributes(plain *p, PyObject *object);

/** The value of an object, with all that is in it. NULL with an exception. */
const ptio_value *plain_value(plain *p, PyObject *root);

/* ---- plain_array.c ---- */

/** Whether an object is an array of NumPy: numpy.ndarray or numpy.memmap itself. */
bool is_array(const plain *p, PyObject *object);

/** Find all arrays below an object, and which of them share memory. False with an exception. */
bool plain_arrays(plain *p, PyObject *root);

/** The tensor of an array that was found. */
const ptio_value *plain_tensor_of(plain *p, array *a);

void plain_arrays_free(plain *p);

#endif
