/*
 * How pickle makes an object: what GLOBAL finds, what REDUCE, NEWOBJ, OBJ and INST call, what BUILD sets.
 *
 * These run code of the classes that a file names, so they are reached in two cases only: the file passed weights_only, whose
 * verdict ptio gives, or the caller said weights_only=False.
 *
 * Source: CPython, Lib/pickle.py: find_class, load_newobj_ex, _instantiate, load_build
 */
#include <string.h>

#include "module.h"

static PyObject *text_object(ptio_text text)
{
    return PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size, "surrogatepass");
}

/* Python 2's module and name as Python 3's. Takes the references, gives others. */
static bool map_name(module_state *state, PyObject **module, PyObject **name)
{
    PyObject *pair = PyTuple_Pack(2, *module, *name);
    if (!pair)
        return false;
    PyObject *mapped = PyDict_GetItemWithError(state->name_mapping, pair);
    Py_DECREF(pair);
    if (mapped && PyTuple_Check(mapped) && PyTuple_Size(mapped) == 2) {
        Py_DECREF(*module);
        Py_DECREF(*name);
        *module = Py_NewRef(PyTuple_GetItem(mapped, 0));
        *name = Py_NewRef(PyTuple_GetItem(mapped, 1));
        return true;
    }
    if (PyErr_Occurred())
        return false;
    mapped = PyDict_GetItemWithError(state->import_mapping, *module);
    if (mapped) {
        Py_DECREF(*module);
        *module = Py_NewRef(mapped);
    }
    return !PyErr_Occurred();
}

/* What pickle says of a name that is not there. Since Python 3.14 that is what getattr() says, which is set, but for names with dots. */
static void raise_no_name(PyObject *module, PyObject *module_name, PyObject *name, bool is_path)
{
    if (Py_Version < 0x030E0000)
        PyErr_Format(PyExc_AttributeError, "Can't get attribute %R on %R", name, module);
    else if (is_path)
        PyErr_Format(PyExc_AttributeError, "Can't resolve path %R on module %R", name, module_name);
}

/* module.name; with dots in it, of a class in a class. */
static PyObject *import_name(PyObject *module, PyObject *name)
{
    PyObject *from = PyImport_Import(module);
    if (!from)
        return NULL;
    /* What is imported is the package of a dotted module; the module itself is in sys.modules. */
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *found = modules ? PyObject_GetItem(modules, module) : NULL;
    if (found)
        set_reference(&from, found);
    else
        PyErr_Clear();
    PyObject *dot = PyUnicode_FromString("."), *parts = dot ? PyUnicode_Split(name, dot, -1) : NULL;
    Py_XDECREF(dot);
    Py_ssize_t count = parts ? PyList_Size(parts) : 0;
    PyObject *at = parts ? Py_NewRef(from) : NULL;
    for (Py_ssize_t i = 0; at && i < count; i++)
        set_reference(&at, PyObject_GetAttr(at, PyList_GetItem(parts, i)));
    if (parts && !at && PyErr_ExceptionMatches(PyExc_AttributeError))
        raise_no_name(from, module, name, count > 1);
    Py_XDECREF(parts);
    Py_DECREF(from);
    return at;
}

PyObject *storage_type(module_state *state, PyObject *name)
{
    const char *text = state->torch ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    if (!text || !strstr(text, "Storage")) {
        if (!text && state->torch)
            PyErr_Clear(); /* a lone surrogate */
        return NULL;
    }
    PyObject *type = PyObject_CallFunctionObjArgs(state->torch->storage_type, name, NULL);
    if (!type && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    return type;
}

PyObject *find_class(module_state *state, ptio_text module_text, ptio_text name_text, PyObject *allowed, bool map_names)
{
    PyObject *found = NULL, *module = text_object(module_text), *name = module ? text_object(name_text) : NULL;
    if (!name || (map_names && !map_name(state, &module, &name)))
        goto end;
    if (allowed) {
        PyObject *full = PyUnicode_FromFormat("%U.%U", module, name);
        found = full ? Py_XNewRef(PyDict_GetItemWithError(allowed, full)) : NULL;
        Py_XDECREF(full);
        if (found || PyErr_Occurred())
            goto end;
    }
    found = storage_type(state, name);
    if (found || PyErr_Occurred())
        goto end;
    PyObject *audit = PySys_GetObject("audit"); /* borrowed */
    PyObject *heard = audit ? PyObject_CallFunction(audit, "sOO", "pickle.find_class", module, name) : Py_NewRef(Py_None);
    if (heard)
        found = import_name(module, name);
    Py_XDECREF(heard);
end:
    Py_XDECREF(module);
    Py_XDECREF(name);
    return found;
}

/* callable.__new__(callable, *args, **keywords) */
static PyObject *new_object(module_state *state, PyObject *class, PyObject *args, PyObject *keywords)
{
    PyObject *new = PyObject_GetAttr(class, NAME(state, __new__)), *first = new ? PyTuple_Pack(1, class) : NULL;
    PyObject *all = first ? PySequence_Concat(first, args) : NULL;
    PyObject *made = all ? PyObject_Call(new, all, keywords) : NULL;
    Py_XDECREF(all);
    Py_XDECREF(first);
    Py_XDECREF(new);
    return made;
}

PyObject *make_reduced(module_state *state, const char *opcode, PyObject *callable, PyObject *args, PyObject *keywords)
{
    if (!PyTuple_Check(args)) {
        PyErr_Format(state->unpickling_error, "%s: the arguments are no tuple", opcode);
        return NULL;
    }
    if (strncmp(opcode, "NEWOBJ", 6) == 0) {
        /* As the unpickler of weights_only does it: a Parameter is called. */
        if (state->torch && callable == state->torch->parameter && !keywords)
            return PyObject_CallObject(callable, args);
        return new_object(state, callable, args, keywords);
    }
    /* An old class of Python 2 without arguments is made without a call. */
    if ((strcmp(opcode, "OBJ") == 0 || strcmp(opcode, "INST") == 0) && PyTuple_Size(args) == 0 && PyType_Check(callable)) {
        int has = PyObject_HasAttr(callable, NAME(state, __getinitargs__));
        if (!has)
            return new_object(state, callable, args, NULL);
    }
    return PyObject_CallObject(callable, args);
}

/* object.__dict__.update(value), names interned. */
static int update_attributes(module_state *state, PyObject *object, PyObject *value)
{
    PyObject *attributes = PyObject_GetAttr(object, NAME(state, __dict__));
    if (!attributes)
        return -1;
    int result = 0;
    PyObject *key, *item;
    Py_ssize_t at = 0;
    if (!PyDict_Check(value)) {
        PyErr_SetString(state->unpickling_error, "state is not a dictionary");
        result = -1;
    }
    while (result == 0 && PyDict_Next(value, &at, &key, &item)) {
        Py_INCREF(key);
        if (PyUnicode_CheckExact(key))
            PyUnicode_InternInPlace(&key);
        result = PyObject_SetItem(attributes, key, item);
        Py_DECREF(key);
    }
    Py_DECREF(attributes);
    return result;
}

static int set_slots(PyObject *object, PyObject *slots)
{
    PyObject *key, *item;
    Py_ssize_t at = 0;
    if (!PyDict_Check(slots))
        return PyErr_SetString(PyExc_TypeError, "slot state is not a dictionary"), -1;
    while (PyDict_Next(slots, &at, &key, &item))
        if (PyObject_SetAttr(object, key, item) < 0)
            return -1;
    return 0;
}

int set_state(module_state *state, PyObject *object, PyObject *value)
{
    /* As the unpickler of weights_only does it for tensors of the first releases. */
    if (state->torch && (PyObject *)Py_TYPE(object) == state->torch->tensor && PyTuple_Check(value) && PyTuple_Size(value) == 4) {
        PyObject *set = PyObject_GetAttr(object, NAME(state, set_)), *done = set ? PyObject_CallObject(set, value) : NULL;
        Py_XDECREF(set);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    PyObject *setter = PyObject_GetAttr(object, NAME(state, __setstate__));
    if (setter) {
        PyObject *done = PyObject_CallFunctionObjArgs(setter, value, NULL);
        Py_DECREF(setter);
        Py_XDECREF(done);
        return done ? 0 : -1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    PyObject *slots = NULL;
    if (PyTuple_Check(value) && PyTuple_Size(value) == 2) {
        slots = PyTuple_GetItem(value, 1);
        value = PyTuple_GetItem(value, 0);
    }
    int truth = PyObject_IsTrue(value);
    if (truth < 0 || (truth && update_attributes(state, object, value) < 0))
        return -1;
    truth = slots ? PyObject_IsTrue(slots) : 0;
    return truth < 0 || (truth && set_slots(object, slots) < 0) ? -1 : 0;
}
