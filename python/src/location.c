/*
 * map_location where there is no PyTorch: the forms that ptio knows itself. None leaves all on the CPU, where files of any machine open.
 */
#include <stdlib.h>

#include "module.h"

/* The text of "cuda:1" or of an object that says so, as torch.device does, kept in the list. */
static const char *text_of(bare_location *l, PyObject *object)
{
    PyObject *text = PyObject_Str(object);
    const char *bytes = text && PyList_Append(l->texts, text) == 0 ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    Py_XDECREF(text);
    return bytes;
}

static bool fill_table(bare_location *l, PyObject *dict)
{
    PyObject *from, *to;
    Py_ssize_t at = 0;
    l->table = calloc((size_t)PyDict_Size(dict) + 1, sizeof *l->table);
    if (!l->table)
        return PyErr_NoMemory(), false;
    while (PyDict_Next(dict, &at, &from, &to)) {
        const char **row = l->table[l->map.table_count++];
        if (!(row[0] = text_of(l, from)) || !(row[1] = text_of(l, to)))
            return false;
    }
    l->map.table = l->table;
    return true;
}

bool bare_location_get(PyObject *where, bare_location *ret)
{
    *ret = (bare_location){0};
    if (where == Py_None || PyCallable_Check(where))
        return true;
    if (!(ret->texts = PyList_New(0)))
        return false;
    ret->is_used = true;
    if (PyDict_Check(where))
        return fill_table(ret, where);
    return (ret->map.device = text_of(ret, where)) != NULL;
}

void bare_location_free(bare_location *l)
{
    Py_CLEAR(l->texts);
    free(l->table);
    l->table = NULL;
}
