/*
 * Arrays of NumPy and of all that speaks DLPack, as tensors over the memory where they are.
 *
 * All are found before any is made, since a storage must know its size: arrays whose bytes overlap, as views of one array do, are tensors
 * of one storage, from the first byte of them to the last. An array that overlaps no other is a storage of its own, as
 * torch.from_numpy() makes it.
 */
#include <stdlib.h>
#include <string.h>

#include "plain.h"

static PyObject *attribute(PyObject *object, const char *name)
{
    return object ? PyObject_GetAttrString(object, name) : NULL;
}

/* ---- where its elements are ---- */

/* Where they begin and end. False with an exception. */
static bool find_bytes(array *a, const char *data)
{
    uint64_t span;
    if (!count_span(a->dtype, a->ndim, a->shape, a->stride, &span))
        return false;
    a->begin = data;
    a->end = span ? data + span : data;
    return true;
}

static bool read_ints(PyObject *tuple, size_t count, int64_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        PyObject *number = PySequence_GetItem(tuple, (Py_ssize_t)i);
        ret[i] = number ? PyLong_AsLongLong(number) : -1;
        Py_XDECREF(number);
        if (PyErr_Occurred())
            return false;
    }
    return true;
}

/* ---- NumPy ---- */

/* PTIO_NO_DTYPE without an exception: torch has none for it. */
static ptio_dtype find_dtype(PyObject *dtype)
{
    PyObject *name = attribute(dtype, "name"), *native = attribute(dtype, "isnative");
    const char *text = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    ptio_dtype found = text && native ? ptio_dtype_from_name(text) : PTIO_NO_DTYPE;
    if (!numpy_has(found)) {
        found = PTIO_NO_DTYPE;
    } else if (!PyObject_IsTrue(native)) {
        PyErr_SetString(PyExc_ValueError, "given numpy array has byte order different from the native byte order. Conversion "
                                          "between byte orders is currently not supported.");
        found = PTIO_NO_DTYPE;
    }
    Py_XDECREF(native);
    Py_XDECREF(name);
    return found;
}

static ptio_dtype dtype_of_array(plain *p, PyObject *object)
{
    PyObject *dtype = PyObject_GetAttr(object, NAME(p->state, dtype));
    if (dtype && dtype == p->numpy_dtype) {
        Py_DECREF(dtype);
        return p->known_dtype;
    }
    ptio_dtype found = dtype ? find_dtype(dtype) : PTIO_NO_DTYPE;
    if (found != PTIO_NO_DTYPE) {
        set_reference(&p->numpy_dtype, dtype);
        p->known_dtype = found;
        return found;
    }
    Py_XDECREF(dtype);
    return found;
}

static const char *address_of(PyObject *object)
{
    PyObject *interface = attribute(object, "__array_interface__");
    PyObject *data = interface && PyDict_Check(interface) ? PyDict_GetItemString(interface, "data") : NULL;
    void *address = data && PyTuple_Check(data) ? PyLong_AsVoidPtr(PyTuple_GetItem(data, 0)) : NULL;
    Py_XDECREF(interface);
    return address;
}

static bool read_dimensions(PyObject *object, array *a)
{
    PyObject *shape = attribute(object, "shape"), *strides = attribute(object, "strides");
    Py_ssize_t ndim = shape && strides ? PyTuple_Size(shape) : -1;
    int64_t itemsize = (int64_t)ptio_dtype_itemsize(a->dtype);
    bool well = ndim >= 0 && ndim <= MOST_DIMENSIONS && read_ints(shape, (size_t)ndim, a->shape) &&
                read_ints(strides, (size_t)ndim, a->stride);
    a->ndim = well ? (size_t)ndim : 0;
    for (size_t i = 0; well && i < a->ndim; i++) {
        if (a->stride[i] % itemsize) {
            PyErr_SetString(PyExc_ValueError, "given numpy array strides not a multiple of the element byte size. Copy the "
                                              "numpy array to reallocate the memory.");
            well = false;
        }
        a->stride[i] /= itemsize;
    }
    Py_XDECREF(shape);
    Py_XDECREF(strides);
    return well && !PyErr_Occurred();
}

static bool read_numpy(plain *p, PyObject *object, array *a)
{
    a->dtype = dtype_of_array(p, object);
    a->owner = Py_NewRef(object);
    const char *data = a->dtype != PTIO_NO_DTYPE && read_dimensions(object, a) ? address_of(object) : NULL;
    return !PyErr_Occurred() && find_bytes(a, data);
}

/* ---- DLPack ---- */

/* The capsule is kept and not taken: then it gives the memory back itself, when the save is done. */
static bool read_dlpack(PyObject *object, array *a)
{
    dlpack_elements elements;
    a->owner = dlpack_ask(object);
    if (!a->owner || !dlpack_read(a->owner, &elements))
        return false;
    a->dtype = elements.dtype;
    a->ndim = elements.ndim;
    memcpy(a->shape, elements.shape, sizeof a->shape);
    memcpy(a->stride, elements.stride, sizeof a->stride);
    return find_bytes(a, elements.data);
}

/* ---- finding them ---- */

bool is_array(const plain *p, PyObject *object)
{
    PyObject *type = (PyObject *)Py_TYPE(object);
    return p->ndarray && (type == p->ndarray || type == p->memmap);
}

static bool speaks_dlpack(const plain *p, PyObject *object)
{
    /* A subclass of NumPy's arrays is more than its elements: a mask, field names. */
    if (is_tensor(p->state, object) || (p->ndarray && PyType_IsSubtype(Py_TYPE(object), (PyTypeObject *)p->ndarray)))
        return false;
    return PyObject_HasAttrString((PyObject *)Py_TYPE(object), "__dlpack__");
}

/* *known: it has a dtype of torch. Others are named later, when it is known where they are. False with an exception. */
static bool is_known(plain *p, PyObject *object, bool *known)
{
    *known = !is_array(p, object) || dtype_of_array(p, object) != PTIO_NO_DTYPE;
    return !PyErr_Occurred();
}

static bool add_array(plain *p, PyObject *object)
{
    bool known;
    if (!is_known(p, object, &known) || !known)
        return !PyErr_Occurred();
    if (p->array_count == p->array_room) {
        size_t room = p->array_room ? 2 * p->array_room : 64;
        array **list = realloc(p->array_list, room * sizeof *list);
        if (!list)
            return PyErr_NoMemory(), false;
        p->array_list = list;
        p->array_room = room;
    }
    array *a = calloc(1, sizeof *a);
    if (!a)
        return PyErr_NoMemory(), false;
    p->array_list[p->array_count++] = a;
    return (is_array(p, object) ? read_numpy(p, object, a) : read_dlpack(object, a)) && object_map_put(&p->arrays, object, a);
}

/* Objects that are still to be looked at. All are held by the root or what is kept. */
typedef struct waiting {
    PyObject **objects;
    size_t count, room;
} waiting;

/* Python's own types that hold nothing. */
static bool is_leaf(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    return object == Py_None || type == &PyFloat_Type || type == &PyLong_Type || type == &PyUnicode_Type ||
           type == &PyBool_Type || type == &PyBytes_Type;
}

static bool wait_for(waiting *w, PyObject *object)
{
    if (is_leaf(object))
        return true;
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        PyObject **objects = realloc(w->objects, room * sizeof *objects);
        if (!objects)
            return PyErr_NoMemory(), false;
        w->objects = objects;
        w->room = room;
    }
    w->objects[w->count++] = object;
    return true;
}

static bool wait_for_all(waiting *w, PyObject *items)
{
    bool well = true, is_tuple = PyTuple_CheckExact(items);
    Py_ssize_t count = is_tuple ? PyTuple_Size(items) : PyList_Size(items);
    for (Py_ssize_t i = 0; well && i < count; i++)
        well = wait_for(w, is_tuple ? PyTuple_GetItem(items, i) : PyList_GetItem(items, i));
    return well;
}

/* Let what an object holds wait, or put the object among the arrays. */
static bool look_at(plain *p, PyObject *object, waiting *w)
{
    PyObject *items, *attributes;
    bool holds;
    if (!plain_items(p, object, &holds, &items))
        return false;
    if (!holds)
        return !(is_array(p, object) || speaks_dlpack(p, object)) || add_array(p, object);
    attributes = plain_attributes(p, object);
    if (PyErr_Occurred())
        return false;
    return wait_for_all(w, items) && (!attributes || wait_for(w, attributes));
}

static bool find_arrays(plain *p, PyObject *root)
{
    object_map seen = {0};
    waiting w = {0};
    bool well = wait_for(&w, root);
    while (well && w.count) {
        PyObject *object = w.objects[--w.count];
        if (!object_map_get(&seen, object))
            well = object_map_put(&seen, object, object) && look_at(p, object, &w);
    }
    object_map_free(&seen);
    free(w.objects);
    return well;
}

/* ---- which share memory ---- */

static int by_begin(const void *left, const void *right)
{
    const array *a = *(array *const *)left, *b = *(array *const *)right;
    uintptr_t x = (uintptr_t)a->begin, y = (uintptr_t)b->begin;
    return x != y ? (x < y ? -1 : 1) : 0;
}

static bool group_arrays(plain *p)
{
    if (!p->array_count)
        return true;
    if (!(p->groups = calloc(p->array_count, sizeof *p->groups)))
        return PyErr_NoMemory(), false;
    qsort(p->array_list, p->array_count, sizeof *p->array_list, by_begin);
    group *g = NULL, *next = p->groups;
    for (size_t i = 0; i < p->array_count; i++) {
        array *a = p->array_list[i];
        bool is_empty = a->begin == a->end;
        if (g && !is_empty && (uintptr_t)a->begin < (uintptr_t)g->end) {
            if (a->dtype != g->dtype || (size_t)(a->begin - g->begin) % ptio_dtype_itemsize(a->dtype)) {
                PyErr_SetString(PyExc_RuntimeError,
                                "Cannot save multiple tensors or storages that view the same data as different types");
                return false;
            }
            a->group = g;
            g->end = (uintptr_t)a->end > (uintptr_t)g->end ? a->end : g->end;
            continue;
        }
        a->group = next++;
        *a->group = (group){a->begin, a->end, a->dtype, NULL};
        g = is_empty ? g : a->group;
    }
    return true;
}

static PyObject *numpy_class(PyObject *numpy, const char *name)
{
    PyObject *class = attribute(numpy, name);
    if (!class)
        PyErr_Clear();
    return class;
}

bool plain_arrays(plain *p, PyObject *root)
{
    PyObject *modules = PyImport_GetModuleDict(), *numpy = modules ? PyDict_GetItemString(modules, "numpy") : NULL;
    if (numpy && numpy != Py_None) {
        p->ndarray = numpy_class(numpy, "ndarray");
        p->memmap = numpy_class(numpy, "memmap");
    }
    return find_arrays(p, root) && group_arrays(p);
}

const ptio_value *plain_tensor_of(plain *p, array *a)
{
    group *g = a->group;
    if (!g->storage)
        g->storage = ptio_new_storage(p->builder, g->dtype, g->begin, (uint64_t)(g->end - g->begin), NULL);
    int64_t offset = (a->begin - g->begin) / (int64_t)ptio_dtype_itemsize(a->dtype);
    return ptio_new_view(p->builder, g->storage, a->dtype, a->ndim, a->shape, a->stride, offset, false);
}

void plain_arrays_free(plain *p)
{
    for (size_t i = 0; i < p->array_count; i++) {
        Py_XDECREF(p->array_list[i]->owner);
        free(p->array_list[i]);
    }
    free(p->array_list);
    free(p->groups);
    object_map_free(&p->arrays);
    Py_CLEAR(p->ndarray);
    Py_CLEAR(p->memmap);
    Py_CLEAR(p->numpy_dtype);
}
