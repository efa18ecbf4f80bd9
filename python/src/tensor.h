/*
 * ptio.Tensor: what there is of a torch.Tensor where PyTorch cannot be imported.
 *
 *     dtype.c          ptio.dtype
 *     tensor.c         the type: what it tells of itself
 *     tensor_make.c    copies and views
 *     tensor_list.c    its elements as Python's numbers
 *     tensor_import.c  a tensor over elements of others: DLPack
 *     tensor_export.c  its elements for others: the buffer protocol, NumPy, DLPack
 *     index.c          t[1, ::2]
 */
#ifndef PTIO_PYTHON_TENSOR_H
#define PTIO_PYTHON_TENSOR_H

#include "module.h"

/* No tensor of ptio has more. */
#define MOST_DIMENSIONS 64

typedef struct tensor_object {
    PyObject ob_base;
    holder *holder; /* in which all below is             */
    const ptio_tensor *tensor;
    const ptio_value *value; /* whose tensor it is, or the storage that it shows */
    bool is_whole;           /* as a buffer it is the bytes of its storage: what NumPy's arrays are views of */
} tensor_object;

/* ---- dtype.c ---- */

extern PyType_Spec dtype_spec;

typedef enum dtype_class { DTYPE_OTHER, DTYPE_BOOL, DTYPE_SIGNED, DTYPE_UNSIGNED, DTYPE_FLOAT, DTYPE_COMPLEX } dtype_class;

dtype_class class_of(ptio_dtype dtype);

/** The ptio.dtype object. */
PyObject *dtype_object(module_state *state, ptio_dtype dtype);

/** Which dtype an object is; PTIO_NO_DTYPE where it is no ptio.dtype. */
ptio_dtype dtype_of(module_state *state, PyObject *object);

/* ---- tensor.c ---- */

extern PyType_Spec tensor_spec;

/** A Tensor of a value that is in the holder, of which it takes a use over, also where it fails. */
PyObject *tensor_new(module_state *state, holder *h, const ptio_tensor *tensor, const ptio_value *value);

/** Whether an object is a ptio.Tensor. */
bool is_tensor(module_state *state, PyObject *object);

/** A tuple of ints. */
PyObject *int_tuple(size_t count, const int64_t *numbers);

/** What ptio_print() writes. */
PyObject *printed(module_state *state, const ptio_value *value);

/* ---- tensor_make.c ---- */

/** numel * itemsize of a shape, or false with an exception. */
bool count_bytes(size_t ndim, const int64_t *shape, ptio_dtype dtype, uint64_t *ret);

/** A new Tensor of the elements of a part of a tensor, in C order; `slices` NULL: of all. `without_gil`: they are read without it. */
PyObject *tensor_copied(module_state *state, const ptio_tensor *from, const ptio_slice *slices, ptio_dtype dtype,
                        bool without_gil);

/** The same into memory of block_new(). NULL with an exception. `shape` has room for the dimensions. */
void *block_copied(module_state *state, const ptio_tensor *from, const ptio_slice *slices, ptio_dtype dtype, bool without_gil,
                   int64_t *shape);

/** A Tensor over such a block, which it takes over. */
PyObject *tensor_over_block(module_state *state, void *block, ptio_dtype dtype, size_t ndim, const int64_t *shape);

/** A Tensor over the storage of another. */
PyObject *tensor_view(module_state *state, holder *h, const ptio_storage *storage, ptio_dtype dtype, size_t ndim,
                      const int64_t *shape, const int64_t *stride, int64_t offset);

/** A 1-dimensional Tensor over all of a storage. */
PyObject *tensor_of_storage(module_state *state, holder *h, const ptio_storage *storage);

/** Whether the elements are in memory as the tensor shows them. */
bool tensor_is_plain(const ptio_tensor *tensor);

/* ---- tensor_list.c ---- */

PyObject *tensor_tolist(tensor_object *self);
PyObject *tensor_item(tensor_object *self);

/* ---- tensor_export.c ---- */

/** Whether NumPy has a dtype, with the package ml_dtypes. */
bool numpy_has(ptio_dtype dtype);

int tensor_getbuffer(PyObject *self, Py_buffer *view, int flags);
void tensor_releasebuffer(PyObject *self, Py_buffer *view);
PyObject *tensor_numpy(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *tensor_array(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *keywords);
PyObject *tensor_dlpack_device(PyObject *self, PyObject *none);

/* ---- tensor_import.c ---- */

/** What is in a capsule of DLPack; strides in elements. */
typedef struct dlpack_elements {
    ptio_dtype dtype;
    size_t ndim;
    int64_t shape[MOST_DIMENSIONS], stride[MOST_DIMENSIONS];
    const char *data;
    bool readonly;
} dlpack_elements;

/** object.__dlpack__(): a capsule. */
PyObject *dlpack_ask(PyObject *object);

/** Read a capsule, which stays as it is. False with an exception. */
bool dlpack_read(PyObject *capsule, dlpack_elements *ret);

/** Bytes from the first element to the last. False with an exception, also for negative strides. */
bool count_span(ptio_dtype dtype, size_t ndim, const int64_t *shape, const int64_t *stride, uint64_t *ret);

/* ---- index.c ---- */

/** What t[index] takes of each dimension. */
typedef struct selection {
    size_t ndim;
    ptio_slice slices[MOST_DIMENSIONS]; /* with places that are in the dimension */
    int64_t sizes[MOST_DIMENSIONS];
    bool drops[MOST_DIMENSIONS]; /* an int: the dimension goes */
} selection;

/** Understand ints, slices, `...` and tuples of these as PyTorch does. False with an exception. */
bool select_index(PyObject *index, size_t ndim, const int64_t *shape, selection *ret);

/** The sizes of what is selected, without the dimensions that go. Gives how many. */
size_t selected_shape(const selection *s, int64_t *shape);

PyObject *tensor_subscript(PyObject *self, PyObject *index);

#endif
