/*
 * Values of torch where PyTorch cannot be imported: ptio.Tensor for tensors, Parameters and storages, ptio.dtype, a tuple for
 * torch.Size, and the text of devices, layouts and their like.
 */
#include <string.h>

#include "build.h"
#include "tensor.h"

bool is_bare(const ptio_value *value)
{
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_TENSOR:
    case PTIO_KIND_SIZE:
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_DEVICE:
    case PTIO_KIND_LAYOUT:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT:
    case PTIO_KIND_GENERATOR: return true;
    case PTIO_KIND_STORAGE: return ptio_value_storage(value) != NULL;
    default: return false;
    }
}

static PyObject *size_tuple(const ptio_value *value)
{
    size_t count = ptio_value_count(value);
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        int64_t number = 0;
        ptio_value_int(ptio_value_item(value, i), &number);
        PyObject *item = PyLong_FromLongLong(number);
        if (!item || PyTuple_SetItem(tuple, (Py_ssize_t)i, item) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *name_of(builder *b, const ptio_value *value)
{
    ptio_text name = ptio_value_name(value);
    return name.size ? PyUnicode_DecodeUTF8(name.bytes, (Py_ssize_t)name.size, "surrogatepass") : printed(b->state, value);
}

static PyObject *dtype_of_value(builder *b, const ptio_value *value)
{
    char name[64] = "";
    ptio_text text = ptio_value_name(value);
    if (text.size < sizeof name && text.size)
        memcpy(name, text.bytes, text.size);
    ptio_dtype dtype = ptio_dtype_from_name(name);
    return dtype == PTIO_NO_DTYPE ? name_of(b, value) : dtype_object(b->state, dtype);
}

/* One Tensor for each storage, whatever it is named by. */
static PyObject *storage_object(builder *b, const ptio_value *value)
{
    made_storage *made = entry_of(b, ptio_value_storage(value));
    if (!made)
        return NULL;
    if (!made->typed && (made->typed = tensor_of_storage(b->state, b->holder, ptio_value_storage(value))))
        ((tensor_object *)made->typed)->value = value;
    return Py_XNewRef(made->typed);
}

/* A function as map_location is asked once for each storage, which stays where it is. */
static bool ask_location(builder *b, const ptio_value *value)
{
    const ptio_storage *storage = ptio_value_storage(value);
    PyObject *where = b->options->map_location;
    if (!storage || !PyCallable_Check(where))
        return true;
    made_storage *made = entry_of(b, storage);
    if (!made || made->moved)
        return made != NULL;
    made->moved = true;
    ptio_text tag = ptio_storage_location(storage);
    PyObject *shown = tensor_of_storage(b->state, b->holder, storage), *answer = NULL;
    if (shown)
        answer = PyObject_CallFunction(where, "Os#", shown, tag.bytes ? tag.bytes : "cpu", tag.bytes ? (Py_ssize_t)tag.size : 3);
    bool stays = answer && (answer == shown || answer == Py_None);
    if (answer && !stays)
        PyErr_SetString(PyExc_TypeError, "without PyTorch, map_location can only answer the storage that it was given, or None");
    Py_XDECREF(answer);
    Py_XDECREF(shown);
    return stays;
}

PyObject *make_bare(builder *b, const ptio_value *value)
{
    if (!ask_location(b, value))
        return NULL;
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_TENSOR: return tensor_new(b->state, holder_hold(b->holder), ptio_value_tensor(value), value);
    case PTIO_KIND_STORAGE: return storage_object(b, value);
    case PTIO_KIND_SIZE: return size_tuple(value);
    case PTIO_KIND_DTYPE: return dtype_of_value(b, value);
    case PTIO_KIND_GENERATOR:
        PyErr_SetString(PyExc_ModuleNotFoundError, "the file has a torch.Generator, and PyTorch cannot be imported");
        return NULL;
    default: return name_of(b, value);
    }
}

PyObject *find_bare(builder *b, const ptio_value *value)
{
    ptio_text module = ptio_node_module(value), name = ptio_node_qualname(value);
    PyObject *found = find_class(b->state, module, name, b->options->allowed, b->map_names);
    bool is_torch = module.size >= 5 && memcmp(module.bytes, "torch", 5) == 0 && (module.size == 5 || module.bytes[5] == '.');
    if (!found && is_torch && PyErr_ExceptionMatches(PyExc_ImportError)) {
        PyErr_Clear();
        PyObject *module_text = PyUnicode_DecodeUTF8(module.bytes, (Py_ssize_t)module.size, "replace");
        PyObject *name_text = module_text ? PyUnicode_DecodeUTF8(name.bytes, (Py_ssize_t)name.size, "replace") : NULL;
        if (name_text)
            PyErr_Format(PyExc_ModuleNotFoundError, "the file needs %U.%U, and PyTorch cannot be imported", module_text,
                         name_text);
        Py_XDECREF(module_text);
        Py_XDECREF(name_text);
    }
    return found;
}
