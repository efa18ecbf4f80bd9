/*
 * What weights_only takes beside its own list: torch.serialization.add_safe_globals() and its like.
 *
 * Where PyTorch can be imported its list is the one, so that what is added here counts there and the other way round. Else it is a
 * set of the module's own.
 *
 * Source: torch/_weights_only_unpickler.py
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* name -> object, of PyTorch's list or ours. */
static PyObject *allowed_dict(module_state *state)
{
    if (state->torch)
        return PyObject_CallMethod(state->torch->unpickler, "_get_user_allowed_globals", NULL);
    PyObject *dict = PyDict_New(), *iterator = dict ? PyObject_GetIter(state->safe_globals) : NULL, *item;
    while (iterator && (item = PyIter_Next(iterator))) {
        PyObject *name = NULL, *object = item;
        if (PyTuple_Check(item) && PyTuple_Size(item) == 2) {
            object = PyTuple_GetItem(item, 0);
            name = Py_NewRef(PyTuple_GetItem(item, 1));
        } else {
            PyObject *module = PyObject_GetAttr(item, NAME(state, __module__));
            PyObject *qualname = module ? PyObject_GetAttr(item, NAME(state, __qualname__)) : NULL;
            name = qualname ? PyUnicode_FromFormat("%S.%S", module, qualname) : NULL;
            Py_XDECREF(module);
            Py_XDECREF(qualname);
        }
        if (!name || PyDict_SetItem(dict, name, object) < 0)
            Py_CLEAR(iterator);
        Py_XDECREF(name);
        Py_DECREF(item);
    }
    Py_XDECREF(iterator);
    if (PyErr_Occurred())
        Py_CLEAR(dict);
    return dict;
}

/* "module.Class.method" of a method of a class, whose file says getattr(Class, "method"); NULL for all else. */
static PyObject *method_name(module_state *state, PyObject *object)
{
    PyObject *class = PyObject_GetAttrString(object, "__self__"), *full = NULL;
    if (class && PyType_Check(class)) {
        PyObject *module = PyObject_GetAttr(class, NAME(state, __module__));
        PyObject *owner = module ? PyObject_GetAttr(class, NAME(state, __qualname__)) : NULL;
        PyObject *name = owner ? PyObject_GetAttr(object, NAME(state, __name__)) : NULL;
        full = name ? PyUnicode_FromFormat("%S.%S.%S", module, owner, name) : NULL;
        Py_XDECREF(module);
        Py_XDECREF(owner);
        Py_XDECREF(name);
    }
    Py_XDECREF(class);
    PyErr_Clear();
    return full;
}

/* "module.name" of what the object calls itself, or NULL. */
static PyObject *own_name(module_state *state, PyObject *object)
{
    PyObject *method = method_name(state, object);
    if (method)
        return method;
    PyObject *module = PyObject_GetAttr(object, NAME(state, __module__));
    PyObject *name = module ? PyObject_GetAttr(object, NAME(state, __qualname__)) : NULL;
    PyObject *full = name ? PyUnicode_FromFormat("%S.%S", module, name) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(name);
    if (!full)
        PyErr_Clear();
    return full;
}

static bool add_item(module_state *state, allowed_list *list, PyObject *alias, PyObject *object)
{
    PyObject *name = own_name(state, object);
    if (!name)
        name = Py_NewRef(alias);
    /* The list owns the texts. */
    if (PyList_Append(list->texts, alias) < 0 || PyList_Append(list->texts, name) < 0) {
        Py_DECREF(name);
        return false;
    }
    const char *name_text = PyUnicode_AsUTF8AndSize(name, NULL), *alias_text = PyUnicode_AsUTF8AndSize(alias, NULL);
    Py_DECREF(name);
    if (!name_text || !alias_text)
        return false;
    list->items[list->count++] = (ptio_safe_global){name_text, alias_text};
    return true;
}

bool allowed_get(module_state *state, allowed_list *ret)
{
    *ret = (allowed_list){.objects = allowed_dict(state), .texts = PyList_New(0)};
    if (!ret->objects || !ret->texts)
        return false;
    ret->items = calloc((size_t)PyDict_Size(ret->objects) + 1, sizeof *ret->items);
    if (!ret->items) {
        PyErr_NoMemory();
        return false;
    }
    PyObject *name, *object;
    Py_ssize_t at = 0;
    while (PyDict_Next(ret->objects, &at, &name, &object))
        if (!add_item(state, ret, name, object))
            return false;
    return true;
}

bool allowed_has(const allowed_list *list, ptio_text module, ptio_text name)
{
    /* PyUnicode_FromFormat() knows no "%.*s" before Python 3.12. */
    PyObject *module_text = PyUnicode_DecodeUTF8(module.bytes, (Py_ssize_t)module.size, "surrogatepass");
    PyObject *name_text = PyUnicode_DecodeUTF8(name.bytes, (Py_ssize_t)name.size, "surrogatepass");
    PyObject *full = module_text && name_text ? PyUnicode_FromFormat("%U.%U", module_text, name_text) : NULL;
    bool has = full && PyDict_GetItemWithError(list->objects, full);
    Py_XDECREF(full);
    Py_XDECREF(name_text);
    Py_XDECREF(module_text);
    return has;
}

void allowed_free(allowed_list *list)
{
    Py_CLEAR(list->objects);
    Py_CLEAR(list->texts);
    free(list->items);
    list->items = NULL;
}

/* ---- the functions ---- */

/* PyTorch's function of that name, or ours where there is none. */
static PyObject *forwarded(module_state *state, const char *name, PyObject *argument)
{
    return argument ? PyObject_CallMethod(state->torch->serialization, name, "(O)", argument)
                    : PyObject_CallMethod(state->torch->serialization, name, NULL);
}

PyObject *py_add_safe_globals(PyObject *module, PyObject *items)
{
    module_state *state = state_of(module);
    if (!torch_get(state) && PyErr_Occurred())
        return NULL;
    if (state->torch)
        return forwarded(state, "add_safe_globals", items);
    return PyObject_CallMethodObjArgs(state->safe_globals, NAME(state, update), items, NULL);
}

PyObject *py_get_safe_globals(PyObject *module, PyObject *none)
{
    (void)none;
    module_state *state = state_of(module);
    if (!torch_get(state) && PyErr_Occurred())
        return NULL;
    return state->torch ? forwarded(state, "get_safe_globals", NULL) : PySequence_List(state->safe_globals);
}

PyObject *py_clear_safe_globals(PyObject *module, PyObject *none)
{
    (void)none;
    module_state *state = state_of(module);
    if (!torch_get(state) && PyErr_Occurred())
        return NULL;
    if (state->torch)
        return forwarded(state, "clear_safe_globals", NULL);
    return PySet_Clear(state->safe_globals) < 0 ? NULL : Py_NewRef(Py_None);
}

/* PyTorch's exceptions for a file that cannot be opened, and one that is no archive of torch.save(). */
static void raise_no_checkpoint(module_state *state, const input *in, const ptio_error *err)
{
    static const char expected[] = "Expected input to be a checkpoint returned by torch.save";
    if (err->status == PTIO_ERR_IO && in->path)
        input_raise_open(in);
    else if (strncmp(err->message, expected, sizeof expected - 1) == 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, strstr(err->message, "torchscript") ? err->message : expected);
    if (!PyErr_Occurred())
        raise_error(state, err);
}

PyObject *py_get_unsafe_globals(PyObject *module, PyObject *f)
{
    module_state *state = state_of(module);
    allowed_list allowed = {0};
    input in = {0};
    ptio_global_list *list = NULL;
    ptio_error err = {0};
    PyObject *result = NULL;
    if ((!torch_get(state) && PyErr_Occurred()) || !allowed_get(state, &allowed) || !input_open(state, f, &in))
        goto end;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .allow = allowed.items, .allow_count = allowed.count, .offset = in.begin};
    ptio_status status = in.source ? ptio_list_unsafe_globals_source(in.source, &options, &list, &err)
                                   : ptio_list_unsafe_globals(PyBytes_AsString(in.path_bytes), &options, &list, &err);
    if (status == PTIO_OK)
        result = PyList_New(0);
    else
        raise_no_checkpoint(state, &in, &err);
    for (size_t i = 0; result && i < ptio_global_list_count(list); i++) {
        ptio_text text = ptio_global_list_name(list, i);
        PyObject *name = PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size, "replace");
        if (!name || PyList_Append(result, name) < 0)
            Py_CLEAR(result);
        Py_XDECREF(name);
    }
end:
    ptio_global_list_free(list);
    input_close(&in);
    allowed_free(&allowed);
    return result;
}
