/*
 * Source code of modules: the stream of PyTorch before 1.6 keeps that of each class, so that who loads it can see that it has changed.
 * It is compared and never run.
 *
 * Source: torch/serialization.py: _legacy_save, _check_container_source
 */
#include "module.h"

PyObject *class_source(PyObject *class, PyObject **file)
{
    PyObject *sources = PyImport_ImportModule("torch._sources");
    PyObject *found = sources ? PyObject_CallMethod(sources, "get_source_lines_and_file", "(O)", class) : NULL;
    PyObject *lines = found ? PySequence_GetItem(found, 0) : NULL, *nothing = lines ? PyUnicode_FromString("") : NULL;
    PyObject *source = nothing ? PyUnicode_Join(nothing, lines) : NULL;
    if (source && file && !(*file = PySequence_GetItem(found, 2)))
        Py_CLEAR(source);
    Py_XDECREF(nothing);
    Py_XDECREF(lines);
    Py_XDECREF(found);
    Py_XDECREF(sources);
    if (!source && PyErr_ExceptionMatches(PyExc_Exception))
        PyErr_Clear();
    return source;
}

bool warn_no_source(module_state *state, PyObject *class)
{
    PyObject *name = PyObject_GetAttr(class, NAME(state, __name__));
    bool well = name && PyErr_WarnFormat(PyExc_UserWarning, 1,
                                         "Couldn't retrieve source code for container of type %S. It won't be checked for "
                                         "correctness upon loading.",
                                         name) == 0;
    Py_XDECREF(name);
    return well;
}

static bool warn_changed(module_state *state, PyObject *class)
{
    PyObject *category = PyObject_GetAttrString(state->torch->serialization, "SourceChangeWarning");
    PyObject *name = category ? PyObject_CallMethod(state->torch->torch, "typename", "(O)", class) : NULL;
    bool well = name && PyErr_WarnFormat(category, 1,
                                         "source code of class '%S' has changed. you can retrieve the original source code by "
                                         "accessing the object's source attribute or set `torch.nn.Module.dump_patches = True` "
                                         "and use the patch tool to revert the changes.",
                                         name) == 0;
    Py_XDECREF(name);
    Py_XDECREF(category);
    return well;
}

bool check_source(module_state *state, PyObject *class, PyObject *file, PyObject *source)
{
    if (!state->torch || PyObject_IsTrue(file) != 1 || PyObject_IsTrue(source) != 1)
        return !PyErr_Occurred();
    PyObject *now = class_source(class, NULL);
    if (!now)
        return !PyErr_Occurred() && warn_no_source(state, class);
    int same = PyObject_RichCompareBool(now, source, Py_EQ);
    Py_DECREF(now);
    return same >= 0 && (same || warn_changed(state, class));
}
