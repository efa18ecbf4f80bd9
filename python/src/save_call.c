/*
 * ptio.save(): its arguments, what PyTorch is set to, and where the bytes go.
 */
#include <string.h>

#include "save.h"

/* What torch.serialization.NAME() gives. */
static PyObject *asked(saver *s, const char *name)
{
    return PyObject_CallMethod(s->torch->serialization, name, NULL);
}

static bool read_settings(saver *s)
{
    PyObject *crc = asked(s, "get_crc32_options"), *alignment = crc ? asked(s, "_get_storage_alignment") : NULL;
    PyObject *skip = alignment ? PyObject_GetAttr(s->torch->tls, NAME(s->state, skip_data)) : NULL;
    if (skip) {
        s->no_crc32 = PyObject_IsTrue(crc) == 0;
        s->alignment = (uint32_t)PyLong_AsUnsignedLong(alignment);
        s->skip_data = PyObject_IsTrue(skip) == 1;
    }
    Py_XDECREF(crc);
    Py_XDECREF(alignment);
    Py_XDECREF(skip);
    return !PyErr_Occurred();
}

static bool find_tagger(saver *s)
{
    s->cpu_is_plain = torch_is_own_entry(s->torch, 1, "_cpu_tag");
    return !PyErr_Occurred();
}

/* Tensors are reduced here for Python's own Pickler, and where no mode of PyTorch looks on. */
static bool find_fast(saver *s)
{
    PyObject *pickle = PyImport_ImportModule("pickle");
    PyObject *mode = pickle ? PyObject_CallFunctionObjArgs(s->torch->detect_fake_mode, Py_None, NULL) : NULL;
    s->fast = mode == Py_None && s->pickle_module == pickle && !s->skip_data;
    Py_XDECREF(pickle);
    Py_XDECREF(mode);
    PyObject *zero = Py_BuildValue("((i))", 0), *empty = zero ? PyObject_CallObject(s->torch->empty, zero) : NULL;
    PyObject *keys = empty && s->dispatch_keys ? PyObject_CallFunctionObjArgs(s->dispatch_keys, empty, NULL) : NULL;
    s->plain_keys = keys ? PyObject_CallMethodObjArgs(keys, NAME(s->state, raw_repr), NULL) : NULL;
    Py_XDECREF(zero);
    Py_XDECREF(empty);
    Py_XDECREF(keys);
    return !PyErr_Occurred();
}

/* What is looked up for each save, with where it is. */
static bool find_objects(saver *s)
{
    const struct {
        PyObject **place;
        const char *module, *name;
    } rows[] = {
        {&s->bytes_io, "io", "BytesIO"},
        {&s->location_tag, "torch.serialization", "location_tag"},
        {&s->dispatch_keys, "torch._C", "_dispatch_keys"},
        {&s->rebuild_tensor, "torch._utils", "_rebuild_tensor_v2"},
        {&s->rebuild_parameter, "torch._utils", "_rebuild_parameter"},
        {&s->module_class, "torch.nn", "Module"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!(*rows[i].place = import_attribute(rows[i].module, rows[i].name)))
            return false;
    PyObject *names = import_attribute("torch.storage", "_dtype_to_storage_type_map");
    s->type_names = names ? PyObject_CallNoArgs(names) : NULL;
    Py_XDECREF(names);
    return s->type_names != NULL;
}

static bool prepare(saver *s)
{
    return (s->storages = PyList_New(0)) && (s->keys = PyDict_New()) && (s->dtypes = PyDict_New()) && (s->sorts = PyDict_New()) &&
           (s->types = PyDict_New()) && (s->classes = PySet_New(NULL)) && find_objects(s) && read_settings(s) && find_tagger(s) &&
           find_fast(s);
}

/* The capsule may live on in the class of the Pickler until the garbage is collected; what was saved must not. */
static void forget(saver *s)
{
    Py_CLEAR(s->pickle_module);
    Py_CLEAR(s->protocol);
    Py_CLEAR(s->bytes_io);
    Py_CLEAR(s->location_tag);
    Py_CLEAR(s->dispatch_keys);
    Py_CLEAR(s->plain_keys);
    Py_CLEAR(s->rebuild_tensor);
    Py_CLEAR(s->rebuild_parameter);
    Py_CLEAR(s->type_names);
    Py_CLEAR(s->module_class);
    Py_CLEAR(s->storages);
    Py_CLEAR(s->keys);
    Py_CLEAR(s->dtypes);
    Py_CLEAR(s->sorts);
    Py_CLEAR(s->types);
    Py_CLEAR(s->classes);
}

static void saver_delete(PyObject *capsule)
{
    PyMem_Free(PyCapsule_GetPointer(capsule, SAVER_NAME));
}

/* The checks of torch.save(), before anything is opened. */
static bool check_call(saver *s, PyObject *f)
{
    PyObject *done = PyObject_CallMethod(s->torch->serialization, "_check_dill_version", "(O)", s->pickle_module);
    Py_XDECREF(done);
    done = done ? PyObject_CallMethod(s->torch->serialization, "_check_save_filelike", "(O)", f) : NULL;
    Py_XDECREF(done);
    if (!done)
        return false;
    if (s->legacy && s->skip_data) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot use skip_data=True with _use_new_zipfile_serialization=False");
        return false;
    }
    return true;
}

/* All of it, with a saver that the capsule holds. */
static bool save(saver *s, PyObject *object, PyObject *f, PyObject *capsule)
{
    if (!prepare(s) || !check_call(s, f) || !output_open(s->state, f, s->legacy, &s->out))
        return false;
    bool well = s->legacy ? save_stream(s, object, capsule) : save_archive(s, object, capsule);
    well = well && output_finish(&s->out);
    output_close(&s->out);
    return well;
}

static PyObject *save_with_torch(module_state *state, const saver *given, PyObject *object, PyObject *f)
{
    saver *s = PyMem_Malloc(sizeof *s);
    if (!s)
        return PyErr_NoMemory();
    *s = *given;
    PyObject *capsule = PyCapsule_New(s, SAVER_NAME, saver_delete);
    if (!capsule) {
        PyMem_Free(s);
        return NULL;
    }
    s->torch = state->torch;
    s->pickle_module = given->pickle_module && given->pickle_module != Py_None ? Py_NewRef(given->pickle_module)
                                                                               : PyImport_ImportModule("pickle");
    s->protocol = given->protocol ? Py_NewRef(given->protocol) : PyLong_FromLong(2);
    bool well = s->pickle_module && s->protocol && save(s, object, f, capsule);
    forget(s);
    Py_DECREF(capsule);
    return well ? Py_NewRef(Py_None) : NULL;
}

/* What Python says of arguments that do not fit a function of Python. */
static bool check_arguments(PyObject *args, PyObject *keywords, char *const *names)
{
    Py_ssize_t given = PyTuple_Size(args), count = 0, at = 0;
    bool missing[2] = {given < 1, given < 2};
    PyObject *key, *value;
    while (names[count])
        count++;
    while (keywords && PyDict_Next(keywords, &at, &key, &value)) {
        Py_ssize_t i = 0;
        while (i < count && PyUnicode_CompareWithASCIIString(key, names[i]) != 0)
            i++;
        if (i == count || i < given)
            return PyErr_Format(PyExc_TypeError,
                                i == count ? "save() got an unexpected keyword argument '%U'"
                                           : "save() got multiple values for argument '%U'",
                                key),
                   false;
        if (i < 2)
            missing[i] = false;
    }
    if (given > count)
        PyErr_Format(PyExc_TypeError, "save() takes from 2 to %zd positional arguments but %zd were given", count, given);
    else if (missing[0] && missing[1])
        PyErr_SetString(PyExc_TypeError, "save() missing 2 required positional arguments: 'obj' and 'f'");
    else if (missing[0] || missing[1])
        PyErr_Format(PyExc_TypeError, "save() missing 1 required positional argument: '%s'", names[missing[0] ? 0 : 1]);
    return !PyErr_Occurred();
}

PyObject *py_save(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {
        "obj", "f", "pickle_module", "pickle_protocol", "_use_new_zipfile_serialization", "_disable_byteorder_record", NULL};
    PyObject *object, *f;
    int is_new = 1, no_byteorder = 0;
    saver given = {.state = state_of(module)};
    if (!check_arguments(args, keywords, names) ||
        !PyArg_ParseTupleAndKeywords(args, keywords, "OO|OOpp:save", names, &object, &f, &given.pickle_module, &given.protocol,
                                     &is_new, &no_byteorder))
        return NULL;
    given.legacy = !is_new;
    given.no_byteorder = no_byteorder;
    if (torch_get(given.state))
        return save_with_torch(given.state, &given, object, f);
    if (PyErr_Occurred())
        return NULL;
    const plain_call call = {given.pickle_module, given.protocol, given.legacy, given.no_byteorder};
    return save_plain(given.state, object, f, &call);
}
