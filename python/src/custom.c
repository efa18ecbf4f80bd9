/*
 * ptio.load(pickle_module=…): the caller's own Unpickler runs the pickle, by the caller's wish; storages are ptio's.
 *
 * Source: torch/serialization.py: _load, UnpicklerWrapper
 */
#include <string.h>

#include "build.h"

#define CUSTOM_NAME "ptio.custom"

/* What the Unpickler asks. */
typedef struct custom {
    builder *b;           /* NULL once the load has ended       */
    PyObject *storages;   /* key -> index in `found`             */
    PyObject *find_class; /* of the Unpickler, before it was ours */
    const ptio_storage **found;
    size_t count, room;
} custom;

/* ---- storages by their keys ---- */

static bool keep(custom *c, const ptio_storage *storage)
{
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 64;
        const ptio_storage **found = PyMem_Realloc(c->found, room * sizeof *found);
        if (!found)
            return PyErr_NoMemory(), false;
        c->found = found;
        c->room = room;
    }
    ptio_text key = ptio_storage_key(storage);
    PyObject *name = PyUnicode_DecodeUTF8(key.bytes ? key.bytes : "", (Py_ssize_t)key.size, "surrogatepass");
    PyObject *index = PyLong_FromSize_t(c->count);
    bool well = name && index && PyDict_SetItem(c->storages, name, index) == 0;
    Py_XDECREF(name);
    Py_XDECREF(index);
    c->found[c->count++] = storage;
    return well;
}

static ptio_walk_next visit(void *ctx, const ptio_visit *visit)
{
    const ptio_storage *storage = visit->again || visit->leaving ? NULL : ptio_value_storage(visit->value);
    return !storage || keep(ctx, storage) ? PTIO_WALK_ON : PTIO_WALK_STOP;
}

static bool find_storages(custom *c)
{
    ptio_error err = {0};
    ptio_walk_options options = {.struct_size = sizeof options, .raw = true};
    if (ptio_walk(ptio_root(c->b->ckpt), &options, visit, c, &err) == PTIO_OK)
        return true;
    raise_error(c->b->state, &err);
    return false;
}

/* ---- what it is asked ---- */

static custom *custom_of(PyObject *capsule)
{
    custom *c = PyCapsule_GetPointer(capsule, CUSTOM_NAME);
    if (c && c->b)
        return c;
    PyErr_SetString(PyExc_RuntimeError, "the load has ended");
    return NULL;
}

/* ("storage", type, key, location, numel), and in a stream ("module", class, source file, source) */
static PyObject *persistent_load(PyObject *self, PyObject *id)
{
    custom *c = custom_of(self);
    if (!c)
        return NULL;
    Py_ssize_t size = PyTuple_Check(id) ? PyTuple_Size(id) : 0;
    PyObject *word = size >= 3 ? PyTuple_GetItem(id, 0) : NULL;
    if (size == 4 && PyUnicode_Check(word) && PyUnicode_CompareWithASCIIString(word, "module") == 0)
        return check_source(c->b->state, PyTuple_GetItem(id, 1), PyTuple_GetItem(id, 2), PyTuple_GetItem(id, 3))
                   ? Py_NewRef(PyTuple_GetItem(id, 1))
                   : NULL;
    PyObject *key = size >= 3 ? PyTuple_GetItem(id, 2) : NULL, *index = NULL;
    PyObject *text = key && PyBytes_Check(key) ? PyUnicode_FromEncodedObject(key, "ascii", NULL) : Py_XNewRef(key);
    if (text)
        index = PyDict_GetItemWithError(c->storages, text);
    Py_XDECREF(text);
    if (index)
        return typed_of(c->b, c->found[PyLong_AsSize_t(index)]);
    if (!PyErr_Occurred())
        PyErr_Format(c->b->state->unpickling_error, "a persistent id names no storage: %R", id);
    return NULL;
}

/* Storage types are dtypes by another name; torch.tensor is a function now, and its module torch._tensor. */
static PyObject *find_class_hook(PyObject *self, PyObject *args)
{
    custom *c = custom_of(self);
    PyObject *module, *name;
    if (!c || !PyArg_ParseTuple(args, "OO:find_class", &module, &name))
        return NULL;
    PyObject *type = PyUnicode_Check(name) ? storage_type(c->b->state, name) : NULL;
    if (type || PyErr_Occurred())
        return type;
    if (PyUnicode_Check(module) && PyUnicode_CompareWithASCIIString(module, "torch.tensor") == 0)
        return PyObject_CallFunction(c->find_class, "sO", "torch._tensor", name);
    return PyObject_CallFunctionObjArgs(c->find_class, module, name, NULL);
}

static PyMethodDef persistent_load_method = {"persistent_load", persistent_load, METH_O, NULL};
static PyMethodDef find_class_method = {"find_class", find_class_hook, METH_VARARGS, NULL};

/* ---- the load ---- */

/* The pickle of the object, as a BytesIO. */
static PyObject *open_pickle(builder *b)
{
    ptio_archive *archive = ptio_checkpoint_archive(b->ckpt);
    ptio_record record;
    ptio_error err = {0};
    for (size_t i = 0; ptio_archive_record(archive, i, &record); i++) {
        const char *end = record.name.bytes + record.name.size;
        if (record.name.size < 8 || memcmp(end - 8, "data.pkl", 8) != 0 || record.size > PY_SSIZE_T_MAX)
            continue;
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)record.size);
        if (bytes && ptio_archive_read(archive, i, 0, PyBytes_AsString(bytes), (size_t)record.size, &err) != PTIO_OK) {
            raise_error(b->state, &err);
            Py_CLEAR(bytes);
        }
        PyObject *io = bytes ? PyImport_ImportModule("io") : NULL;
        PyObject *file = io ? PyObject_CallMethod(io, "BytesIO", "(O)", bytes) : NULL;
        Py_XDECREF(io);
        Py_XDECREF(bytes);
        return file;
    }
    PyErr_SetString(PyExc_RuntimeError, "a pickle_module can only be used with files of torch.save()");
    return NULL;
}

/* pickle_module.load(file, **pickle_load_args) of what stands in front of the object of a stream: magic number, version, system. */
static bool pass_header(builder *b, PyObject *pickle_module, PyObject *file)
{
    PyObject *load = PyObject_GetAttr(pickle_module, NAME(b->state, load)), *args = load ? PyTuple_Pack(1, file) : NULL;
    for (int i = 0; i < 3 && args; i++) {
        PyObject *value = PyObject_Call(load, args, b->options->pickle_load_args);
        if (!value)
            Py_CLEAR(args);
        Py_XDECREF(value);
    }
    bool well = args != NULL;
    Py_XDECREF(args);
    Py_XDECREF(load);
    return well;
}

/* A file of a path was opened for this; an object is the caller's. An exception that is set stays. False with a new one. */
static bool close_file(builder *b, PyObject *file)
{
    PyObject *type, *value, *trace, *closed = NULL;
    PyErr_Fetch(&type, &value, &trace);
    if (file && !b->options->input->object)
        closed = PyObject_CallMethod(file, "close", NULL);
    bool well = closed || !PyErr_Occurred();
    if (type)
        PyErr_Restore(type, value, trace);
    Py_XDECREF(closed);
    Py_XDECREF(file);
    return well || type;
}

/* The file that a stream is in, where the pickle of its object begins. */
static PyObject *open_stream(builder *b, PyObject *pickle_module)
{
    const input *in = b->options->input;
    PyObject *io = in->object ? NULL : PyImport_ImportModule("io");
    PyObject *file = in->object ? Py_NewRef(in->object) : io ? PyObject_CallMethod(io, "open", "Os", in->path, "rb") : NULL;
    PyObject *sought = file ? PyObject_CallMethod(file, "seek", "K", (unsigned long long)in->begin) : NULL;
    if (!sought || !pass_header(b, pickle_module, file)) {
        (void)close_file(b, file);
        file = NULL;
    }
    Py_XDECREF(sought);
    Py_XDECREF(io);
    return file;
}

/* pickle_module.Unpickler(file, **pickle_load_args), of a class of its own, so that its methods can be ours. The file is the caller's then. */
static PyObject *new_unpickler(builder *b, PyObject *pickle_module, PyObject **opened)
{
    ptio_checkpoint_info info;
    ptio_checkpoint_describe_briefly(b->ckpt, &info);
    bool is_stream = info.container == PTIO_CONTAINER_LEGACY;
    PyObject *base = PyObject_GetAttrString(pickle_module, "Unpickler");
    PyObject *file = !base ? NULL : is_stream ? open_stream(b, pickle_module) : open_pickle(b);
    PyObject *members = file ? PyDict_New() : NULL;
    PyObject *class =
        members ? PyObject_CallFunction((PyObject *)&PyType_Type, "s(O)O", "UnpicklerWrapper", base, members) : NULL;
    PyObject *args = class ? PyTuple_Pack(1, file) : NULL;
    PyObject *unpickler = args ? PyObject_Call(class, args, b->options->pickle_load_args) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(class);
    Py_XDECREF(members);
    Py_XDECREF(base);
    *opened = file;
    return unpickler;
}

static bool set_hook(PyObject *unpickler, PyMethodDef *method, PyObject *capsule)
{
    PyObject *function = PyCFunction_New(method, capsule);
    bool well = function && PyObject_SetAttrString(unpickler, method->ml_name, function) == 0;
    Py_XDECREF(function);
    return well;
}

static PyObject *run(custom *c, PyObject *capsule, PyObject *pickle_module)
{
    PyObject *file = NULL, *unpickler = new_unpickler(c->b, pickle_module, &file), *result = NULL;
    c->find_class = unpickler ? PyObject_GetAttrString(unpickler, "find_class") : NULL;
    if (unpickler && !c->find_class && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear(); /* one that makes no use of it */
        c->find_class = Py_NewRef(Py_None);
    }
    if (c->find_class && set_hook(unpickler, &persistent_load_method, capsule) &&
        set_hook(unpickler, &find_class_method, capsule))
        result = PyObject_CallMethodObjArgs(unpickler, NAME(c->b->state, load), NULL);
    Py_XDECREF(unpickler);
    if (!close_file(c->b, file))
        Py_CLEAR(result);
    return result;
}

static void custom_delete(PyObject *capsule)
{
    PyMem_Free(PyCapsule_GetPointer(capsule, CUSTOM_NAME));
}

PyObject *build_custom(builder *b, PyObject *pickle_module)
{
    custom *c = PyMem_Calloc(1, sizeof *c);
    PyObject *capsule = c ? PyCapsule_New(c, CUSTOM_NAME, custom_delete) : PyErr_NoMemory();
    if (!capsule) {
        PyMem_Free(c);
        return NULL;
    }
    c->b = b;
    c->storages = PyDict_New();
    PyObject *result = c->storages && find_storages(c) ? run(c, capsule, pickle_module) : NULL;
    /* The class may keep the capsule until the garbage is collected. */
    c->b = NULL;
    Py_CLEAR(c->storages);
    Py_CLEAR(c->find_class);
    PyMem_Free(c->found);
    Py_DECREF(capsule);
    return result;
}
