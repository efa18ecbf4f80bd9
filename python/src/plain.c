/*
 * Python's objects as values of a builder, each object once, where there is no PyTorch: exact dicts, OrderedDicts, lists, tuples, sets,
 * frozensets, numbers, texts and bytes, ptio.Tensor and ptio.dtype, NumPy arrays and what speaks DLPack.
 *
 * The walk has a stack of frames. A list or dict is in the memo from the moment it exists, so that what holds itself finds it there; a
 * tuple or set when it is complete. A tuple that is met again meanwhile, through a list, is begun again: whichever is complete first
 * stays.
 */
#include "plain.h"

#include <stdlib.h>
#include <string.h>

typedef struct plain_frame {
    PyObject *object;
    PyObject *items;           /* kept elsewhere */
    PyObject *attributes;      /* of an OrderedDict: a list of pairs, or NULL */
    size_t index, count;       /* of items */
    ptio_value *made;          /* a list or dict; NULL: made at the end */
    const ptio_value **values; /* for that end */
    const ptio_value *key;     /* whose value is awaited */
} plain_frame;

/* ---- what is in an object ---- */

static bool keep(plain *p, PyObject *object)
{
    bool kept = object && PyList_Append(p->kept, object) == 0;
    Py_XDECREF(object);
    return kept;
}

static bool is_ordered(const plain *p, PyObject *object)
{
    return (PyObject *)Py_TYPE(object) == p->state->ordered_dict;
}

bool plain_items(plain *p, PyObject *object, bool *holds, PyObject **ret)
{
    PyTypeObject *type = Py_TYPE(object);
    *holds = true;
    *ret = object;
    if (type == &PyTuple_Type)
        return true;
    if (type == &PyDict_Type)
        *ret = PyDict_Items(object);
    else if (is_ordered(p, object))
        *ret = PyMapping_Items(object);
    else if (type == &PyList_Type || type == &PySet_Type || type == &PyFrozenSet_Type)
        *ret = PySequence_List(object);
    else
        *holds = false;
    return !*holds || keep(p, *ret);
}

PyObject *plain_attributes(plain *p, PyObject *object)
{
    if (!is_ordered(p, object))
        return NULL;
    PyObject *attributes = PyObject_GetAttr(object, NAME(p->state, __dict__));
    PyObject *pairs = attributes && PyDict_Check(attributes) && PyDict_Size(attributes) ? PyDict_Items(attributes) : NULL;
    Py_XDECREF(attributes);
    return pairs && keep(p, pairs) ? pairs : NULL;
}

/* ---- numbers and texts ---- */

static const ptio_value *big_int(plain *p, PyObject *number)
{
    PyObject *bits = PyObject_CallMethod(number, "bit_length", NULL), *bytes = NULL;
    size_t size = bits ? PyLong_AsSize_t(bits) / 8 + 1 : 0;
    PyObject *to_bytes = bits ? PyObject_GetAttrString(number, "to_bytes") : NULL;
    PyObject *args = to_bytes ? Py_BuildValue("(ns)", (Py_ssize_t)size, "little") : NULL;
    PyObject *keywords = args ? Py_BuildValue("{sO}", "signed", Py_True) : NULL;
    if (keywords)
        bytes = PyObject_Call(to_bytes, args, keywords);
    const ptio_value *value = bytes ? ptio_new_int_bytes(p->builder, PyBytes_AsString(bytes), size) : NULL;
    Py_XDECREF(bytes);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(to_bytes);
    Py_XDECREF(bits);
    return value;
}

static const ptio_value *int_value(plain *p, PyObject *number)
{
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
    return overflow ? big_int(p, number) : ptio_new_int(p->builder, small);
}

/* Whether a text is the interned str of a word that the pickle of a tensor or container has too: then it is that object. Not all such words
 * are interned: "torch.storage" is the name of a module as its import made it. */
static bool is_word(PyObject *text, const char *bytes, size_t size)
{
    static const char *const words[] = {"storage",
                                        "cpu",
                                        "latin1",
                                        "torch",
                                        "torch._utils",
                                        "builtins",
                                        "_rebuild_tensor_v2",
                                        "_rebuild_tensor_v3",
                                        "_rebuild_parameter",
                                        "UntypedStorage",
                                        "collections",
                                        "_metadata",
                                        "DoubleStorage",
                                        "FloatStorage",
                                        "HalfStorage",
                                        "BFloat16Storage",
                                        "LongStorage",
                                        "IntStorage",
                                        "ShortStorage",
                                        "CharStorage",
                                        "ByteStorage",
                                        "BoolStorage",
                                        "ComplexDoubleStorage",
                                        "ComplexFloatStorage"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (size == strlen(words[i]) && memcmp(bytes, words[i], size) == 0) {
            PyObject *interned = PyUnicode_InternFromString(words[i]);
            Py_XDECREF(interned);
            return interned == text;
        }
    return false;
}

static const ptio_value *text_value(plain *p, PyObject *text)
{
    PyObject *encoded = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    const ptio_value *value = NULL;
    if (encoded) {
        const char *bytes = PyBytes_AsString(encoded);
        size_t size = (size_t)PyBytes_Size(encoded);
        value = is_word(text, bytes, size) ? ptio_new_name(p->builder, bytes) : ptio_new_str_n(p->builder, bytes, size);
    }
    Py_XDECREF(encoded);
    return value;
}

/* One that has no identity in a pickle. *known: it is such a one. */
static const ptio_value *scalar_value(plain *p, PyObject *object, bool *known)
{
    PyTypeObject *type = Py_TYPE(object);
    ptio_builder *b = p->builder;
    *known = true;
    if (object == Py_None)
        return ptio_new_none(b);
    if (type == &PyBool_Type)
        return ptio_new_bool(b, object == Py_True);
    if (type == &PyLong_Type)
        return int_value(p, object);
    if (type == &PyFloat_Type)
        return ptio_new_float(b, PyFloat_AsDouble(object));
    *known = false;
    return NULL;
}

/* A text, bytes or a complex number. *known: it is one. */
static const ptio_value *bytes_value(plain *p, PyObject *object, bool *known)
{
    PyTypeObject *type = Py_TYPE(object);
    ptio_builder *b = p->builder;
    *known = true;
    if (type == &PyUnicode_Type)
        return text_value(p, object);
    if (type == &PyBytes_Type)
        return ptio_new_bytes(b, PyBytes_AsString(object), (size_t)PyBytes_Size(object));
    if (type == &PyByteArray_Type)
        return ptio_new_bytearray(b, PyByteArray_AsString(object), (size_t)PyByteArray_Size(object));
    if (type == &PyComplex_Type)
        return ptio_new_complex(b, PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object));
    *known = false;
    return NULL;
}

/* ---- values of torch ---- */

/* A loaded value is put in as it is; what is of another builder is made here again, over the same storage. */
static const ptio_value *tensor_value(plain *p, tensor_object *tensor)
{
    const ptio_tensor *t = tensor->tensor;
    if (tensor->holder->ckpt || ptio_value_kind(tensor->value) != PTIO_KIND_TENSOR)
        return tensor->value;
    return ptio_new_view(p->builder, ptio_tensor_storage(t), ptio_tensor_dtype(t), ptio_tensor_ndim(t), ptio_tensor_shape(t),
                         ptio_tensor_stride(t), ptio_tensor_storage_offset(t), false);
}

/* ---- where an object is, for people ---- */

static void append(PyObject **text, PyObject *more)
{
    if (*text && more)
        set_reference(text, PyUnicode_Concat(*text, more));
    Py_XDECREF(more);
}

/* obj['model'][3] */
static PyObject *path_of(plain *p)
{
    PyObject *path = PyUnicode_FromString("obj");
    for (size_t i = 0; path && i < p->depth; i++) {
        const plain_frame *f = &p->frames[i];
        PyObject *list = f->items;
        size_t index = f->index, count = f->count;
        bool is_entry = PyDict_Check(f->object);
        if (index >= count && f->attributes) {
            PyObject *pair = PyList_GetItem(f->attributes, (Py_ssize_t)(index - count));
            append(&path, pair ? PyUnicode_FromFormat(".%S", PyTuple_GetItem(pair, 0)) : NULL);
        } else if (is_entry) {
            PyObject *pair = PyList_GetItem(list, (Py_ssize_t)index);
            append(&path, pair ? PyUnicode_FromFormat("[%R]", PyTuple_GetItem(pair, 0)) : NULL);
        } else {
            append(&path, PyUnicode_FromFormat(PyAnySet_Check(f->object) ? "{%zu}" : "[%zu]", index));
        }
    }
    return path;
}

static void raise_type(plain *p, PyObject *object)
{
    if (PyErr_Occurred())
        return;
    PyObject *module = PyObject_GetAttr((PyObject *)Py_TYPE(object), NAME(p->state, __module__));
    PyObject *name = PyObject_GetAttr((PyObject *)Py_TYPE(object), NAME(p->state, __qualname__)), *path = path_of(p);
    PyObject *dtype = is_array(p, object) ? PyObject_GetAttr(object, NAME(p->state, dtype)) : NULL;
    if (dtype && path)
        PyErr_Format(PyExc_TypeError, "%U is an array of dtype %S, which torch has not: it cannot be saved without PyTorch", path,
                     dtype);
    else if (module && name && path)
        PyErr_Format(
            PyExc_TypeError,
            "%U is an object of %S.%U, and without PyTorch only dictionaries, lists, tuples, sets, numbers, texts, bytes, "
            "NumPy arrays, ptio.Tensor and objects with __dlpack__() can be saved",
            path, module, name);
    Py_XDECREF(dtype);
    Py_XDECREF(module);
    Py_XDECREF(name);
    Py_XDECREF(path);
}

/* ---- the walk ---- */

/* Those that are made at once. *known: it is one. */
static const ptio_value *value_at_once(plain *p, PyObject *object, bool *known)
{
    const ptio_value *value = scalar_value(p, object, known);
    if (value)
        return value;
    if (!*known && (value = object_map_get(&p->memo, object))) {
        *known = true;
        return value;
    }
    if (!*known)
        value = bytes_value(p, object, known);
    if (!*known) {
        array *a = (array *)(uintptr_t)object_map_get(&p->arrays, object);
        *known = true;
        if (is_tensor(p->state, object))
            value = tensor_value(p, (tensor_object *)object);
        else if (dtype_of(p->state, object) != PTIO_NO_DTYPE)
            value = ptio_new_dtype(p->builder, dtype_of(p->state, object));
        else if (a)
            value = plain_tensor_of(p, a);
        else
            *known = false;
    }
    if (*known && !value && !PyErr_Occurred())
        raise_builder(p->state, p->builder);
    return value && object_map_put(&p->memo, object, value) ? value : NULL;
}

static bool push(plain *p, PyObject *object)
{
    if (p->depth == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        plain_frame *frames = realloc(p->frames, room * sizeof *frames);
        if (!frames)
            return PyErr_NoMemory(), false;
        p->frames = frames;
        p->room = room;
    }
    plain_frame f = {.object = object};
    bool holds;
    if (!plain_items(p, object, &holds, &f.items))
        return false;
    if (!holds) {
        raise_type(p, object);
        return false;
    }
    f.count = (size_t)PySequence_Size(f.items);
    f.attributes = plain_attributes(p, object);
    if (PyErr_Occurred())
        return false;
    if (PyList_CheckExact(object) || PyDict_Check(object)) {
        f.made = PyList_CheckExact(object) ? ptio_new_list(p->builder)
                 : is_ordered(p, object)   ? ptio_new_ordered_dict(p->builder)
                                           : ptio_new_dict(p->builder);
        if (!f.made)
            return raise_builder(p->state, p->builder), false;
        if (!object_map_put(&p->memo, object, f.made))
            return false;
    } else if (!(f.values = malloc((f.count + 1) * sizeof *f.values))) {
        return PyErr_NoMemory(), false;
    }
    p->frames[p->depth++] = f;
    return true;
}

/* What a frame needs next, borrowed; NULL at its end. */
static PyObject *next_object(const plain_frame *f)
{
    size_t count = f->count;
    if (f->index >= count) {
        bool more = f->attributes && f->index - count < (size_t)PyList_Size(f->attributes);
        return more ? PyTuple_GetItem(PyList_GetItem(f->attributes, (Py_ssize_t)(f->index - count)), 1) : NULL;
    }
    if (PyTuple_CheckExact(f->items))
        return PyTuple_GetItem(f->items, (Py_ssize_t)f->index);
    PyObject *item = PyList_GetItem(f->items, (Py_ssize_t)f->index);
    return PyDict_Check(f->object) ? PyTuple_GetItem(item, f->key ? 1 : 0) : item;
}

static bool add_attribute(plain *p, plain_frame *f, const ptio_value *value)
{
    PyObject *pair = PyList_GetItem(f->attributes, (Py_ssize_t)(f->index - f->count));
    const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(pair, 0), NULL);
    return name && ptio_set_attribute(p->builder, f->made, name, value);
}

/* The value of what next_object() gave. */
static bool add_value(plain *p, plain_frame *f, const ptio_value *value)
{
    if (f->index >= f->count) {
        if (!add_attribute(p, f, value))
            return false;
    } else if (!f->made) {
        f->values[f->index] = value;
    } else if (PyList_CheckExact(f->object)) {
        if (!ptio_append(p->builder, f->made, value))
            return false;
    } else if (!f->key) {
        f->key = value;
        return true; /* its value is next */
    } else if (!ptio_put_key(p->builder, f->made, f->key, value)) {
        return false;
    }
    f->key = NULL;
    f->index++;
    return true;
}

static const ptio_value *complete(plain *p, plain_frame *f)
{
    if (f->made)
        return f->made;
    /* What it holds may have made it meanwhile. */
    const ptio_value *value = object_map_get(&p->memo, f->object);
    size_t count = f->count;
    if (value)
        return value;
    if (PyTuple_CheckExact(f->object))
        value = ptio_new_tuple(p->builder, f->values, count);
    else if (PyFrozenSet_CheckExact(f->object))
        value = ptio_new_frozenset(p->builder, f->values, count);
    else
        value = ptio_new_set(p->builder, f->values, count);
    return value && object_map_put(&p->memo, f->object, value) ? value : NULL;
}

static bool advance(plain *p, const ptio_value **root)
{
    plain_frame *f = &p->frames[p->depth - 1];
    PyObject *object = next_object(f);
    bool known;
    if (object) {
        const ptio_value *value = value_at_once(p, object, &known);
        return known ? value && add_value(p, f, value) : push(p, object);
    }
    *root = complete(p, f);
    if (*root) {
        free(f->values);
        p->depth--;
    }
    return *root != NULL;
}

const ptio_value *plain_value(plain *p, PyObject *object)
{
    bool known, well = true;
    const ptio_value *root = value_at_once(p, object, &known);
    if (!known)
        well = push(p, object);
    while (well && p->depth)
        well = advance(p, &root);
    if (!well && !PyErr_Occurred())
        raise_builder(p->state, p->builder);
    while (p->depth)
        free(p->frames[--p->depth].values);
    free(p->frames);
    p->frames = NULL;
    return well ? root : NULL;
}
