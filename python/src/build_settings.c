/*
 * What PyTorch is set to and torch.load() goes by: its package registry, map_location, fake mode, skip_data and the allow-list.
 */
#include "build.h"

static bool is_text(PyObject *object, const char *text)
{
    return PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, text) == 0;
}

static bool prepare_location(builder *b)
{
    PyObject *where = b->options->map_location;
    bool named = where == Py_None || is_text(where, "cpu");
    if (!named && !PyDict_Check(where) && !PyCallable_Check(where)) {
        PyObject *text = PyObject_Str(where); /* of a torch.device */
        named = text && is_text(text, "cpu");
        Py_XDECREF(text);
    }
    bool stays = torch_is_own_entry(b->torch, 2, "_cpu_deserialize");
    if (PyErr_Occurred())
        return false;
    b->restores_cpu = !named || !stays;
    b->restore = PyObject_CallMethod(b->torch->serialization, "_get_restore_location", "(O)", where);
    return b->restore != NULL;
}

bool build_settings(builder *b)
{
    if (!b->torch)
        return true;
    PyObject *mode = PyObject_CallFunctionObjArgs(b->torch->detect_fake_mode, Py_None, NULL);
    PyObject *skip = mode ? PyObject_GetAttr(b->torch->tls, NAME(b->state, skip_data)) : NULL;
    b->fake = mode && mode != Py_None;
    b->skip_data = skip && PyObject_IsTrue(skip) == 1;
    Py_XDECREF(mode);
    Py_XDECREF(skip);
    if (PyErr_Occurred())
        return false;
    PyObject *is_meta = PyObject_CallMethod(b->torch->serialization, "_is_meta_location", "(O)", b->options->map_location);
    b->meta = is_meta && PyObject_IsTrue(is_meta) == 1;
    Py_XDECREF(is_meta);
    if (PyErr_Occurred())
        return false;
    return prepare_location(b);
}

bool tell_location(builder *b, PyObject *where)
{
    return !b->torch || b->is_stream || PyObject_SetAttrString(b->torch->tls, "map_location", where) == 0;
}

bool validate_sparse(builder *b)
{
    PyObject *utils = PyObject_GetAttrString(b->torch->torch, "_utils");
    PyObject *done = utils ? PyObject_CallMethod(utils, "_validate_loaded_sparse_tensors", NULL) : NULL;
    Py_XDECREF(utils);
    Py_XDECREF(done);
    return done != NULL;
}
