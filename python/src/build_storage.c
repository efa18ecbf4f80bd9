/*
 * Storages of a checkpoint as storages of PyTorch: each with memory of its own, or a view of the mapped file, which lives as long as one
 * of them does.
 */
#include <stdlib.h>
#include <string.h>

#include "build.h"

static PyObject *raise_here(builder *b, const ptio_error *err)
{
    return raise_error(b->state, err);
}

bool owned_bytes(builder *b, const ptio_storage *storage, void **data, void (**release)(void *), void **owner)
{
    ptio_error err = {0};
    const void *bytes;
    if (b->holder) {
        void *writable;
        if (ptio_storage_writable(storage, &writable, &err) != PTIO_OK)
            return raise_here(b, &err), false;
        *data = writable;
        *release = holder_release;
        *owner = holder_hold(b->holder);
        return true;
    }
    if (ptio_storage_data(storage, &bytes, &err) != PTIO_OK)
        return raise_here(b, &err), false;
    *release = block_release;
    *owner = block_hold(b->blocks, bytes);
    if (*owner) {
        *data = (void *)bytes;
        return true;
    }
    /* A view of other memory gets some of its own. */
    uint64_t nbytes = ptio_storage_nbytes(storage);
    void *copy = nbytes <= PY_SSIZE_T_MAX ? block_new((size_t)nbytes) : NULL;
    if (!copy)
        return PyErr_NoMemory(), false;
    memcpy(copy, bytes, (size_t)nbytes);
    *data = *owner = copy;
    return true;
}

static PyObject *tag_object(const ptio_storage *storage)
{
    ptio_text tag = ptio_storage_location(storage);
    return PyUnicode_DecodeUTF8(tag.bytes ? tag.bytes : "cpu", tag.bytes ? (Py_ssize_t)tag.size : 3, "surrogatepass");
}

static bool is_cpu(const ptio_storage *storage)
{
    ptio_text tag = ptio_storage_location(storage);
    return !tag.bytes || (tag.size == 3 && memcmp(tag.bytes, "cpu", 3) == 0);
}

/* torch.UntypedStorage(nbytes), or on `device`. */
static PyObject *empty_untyped(builder *b, uint64_t nbytes, const char *device)
{
    PyObject *args = Py_BuildValue("(K)", (unsigned long long)nbytes);
    PyObject *keywords = device ? Py_BuildValue("{ss}", "device", device) : NULL;
    PyObject *made = args && (keywords || !device) ? PyObject_Call(b->torch->untyped_storage, args, keywords) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    return made;
}

/* The storage as it is in the file, on the CPU. */
static PyObject *untyped_bytes(builder *b, const ptio_storage *storage)
{
    uint64_t nbytes = ptio_storage_nbytes(storage);
    if (!nbytes || b->skip_data)
        return empty_untyped(b, nbytes, NULL);
    void *data, *owner;
    void (*release)(void *);
    if (!owned_bytes(b, storage, &data, &release, &owner))
        return NULL;
    int64_t shape = (int64_t)nbytes, stride = 1;
    PyObject *tensor = torch_over_memory(b->torch, data, PTIO_UINT8, 1, &shape, &stride, release, owner);
    PyObject *untyped = tensor ? PyObject_CallMethodObjArgs(tensor, NAME(b->state, untyped_storage), NULL) : NULL;
    Py_XDECREF(tensor);
    return untyped;
}

/* No byte is read; the storage of an archive tells where they are, and under FakeTensorMode where it would be. */
static PyObject *meta_storage(builder *b, const ptio_storage *storage)
{
    PyObject *untyped = empty_untyped(b, ptio_storage_nbytes(storage), "meta");
    if (b->is_stream)
        return untyped;
    PyObject *tag = tag_object(storage);
    uint64_t offset = 0, nbytes;
    PyObject *place = ptio_storage_range(storage, &offset, &nbytes) ? PyLong_FromUnsignedLongLong(offset) : NULL;
    bool well = untyped && tag && (!b->fake || PyObject_SetAttr(untyped, NAME(b->state, _fake_device), tag) == 0) &&
                (!place || PyObject_SetAttr(untyped, NAME(b->state, _checkpoint_offset), place) == 0);
    Py_XDECREF(place);
    Py_XDECREF(tag);
    if (!well)
        Py_CLEAR(untyped);
    return untyped;
}

static PyObject *new_typed(builder *b, PyObject *untyped, PyObject *dtype)
{
    PyObject *none = PyTuple_New(0);
    PyObject *keywords = Py_BuildValue("{sOsOsO}", "wrap_storage", untyped, "dtype", dtype, "_internal", Py_True);
    PyObject *typed = none && keywords ? PyObject_Call(b->torch->typed_storage, none, keywords) : NULL;
    Py_XDECREF(none);
    Py_XDECREF(keywords);
    return typed;
}

/* torch.load() reads the bytes of a stream into the storage that a function of map_location answered, whatever that is. Here they were
 * there before; so an answer that is another storage gets them. 0 or -1. */
static int refill(builder *b, PyObject *answer, PyObject *bytes)
{
    if (!b->is_stream || answer == bytes || !PyCallable_Check(b->options->map_location))
        return 0;
    PyObject *device = PyObject_GetAttr(answer, NAME(b->state, device));
    PyObject *type = device ? PyObject_GetAttr(device, NAME(b->state, type)) : NULL;
    bool is_meta = type && PyUnicode_CompareWithASCIIString(type, "meta") == 0;
    PyObject *has = type ? PyObject_CallMethodObjArgs(answer, NAME(b->state, nbytes), NULL) : NULL;
    PyObject *needs = has ? PyObject_CallMethodObjArgs(bytes, NAME(b->state, nbytes), NULL) : NULL, *done = NULL;
    int more = needs ? PyObject_RichCompareBool(has, needs, Py_GT) : -1;
    if (more > 0)
        PyErr_Format(PyExc_RuntimeError, "storage has wrong byte size: expected %%ld got %%ld%S%S", needs, has);
    else if (more == 0 && !is_meta && (done = PyObject_CallMethod(answer, "resize_", "(O)", needs)))
        set_reference(&done, PyObject_CallMethod(answer, "copy_", "(O)", bytes));
    Py_XDECREF(device);
    Py_XDECREF(type);
    Py_XDECREF(has);
    Py_XDECREF(needs);
    Py_XDECREF(done);
    return PyErr_Occurred() ? -1 : 0;
}

/* Where map_location and the registry put it. */
static PyObject *restored(builder *b, const ptio_storage *storage)
{
    PyObject *untyped = untyped_bytes(b, storage), *tag = untyped ? tag_object(storage) : NULL;
    PyObject *result = tag ? PyObject_CallFunctionObjArgs(b->restore, untyped, tag, NULL) : NULL;
    int is_storage = result ? PyObject_IsInstance(result, b->torch->untyped_storage) : -1;
    /* PyTorch's own exception for what is no storage. */
    PyObject *dtype = is_storage == 0 ? torch_dtype(b->torch, ptio_storage_dtype(storage)) : NULL;
    if (is_storage == 0)
        set_reference(&result, dtype ? new_typed(b, result, dtype) : NULL);
    else if (is_storage < 0 || refill(b, result, untyped) < 0)
        Py_CLEAR(result);
    Py_XDECREF(untyped);
    Py_XDECREF(tag);
    return result;
}

bool is_asked(const builder *b, const ptio_storage *storage)
{
    return b->restore && (b->restores_cpu || !is_cpu(storage));
}

made_storage *entry_of(builder *b, const ptio_storage *storage)
{
    uint64_t index = ptio_storage_index(storage);
    if (index < b->storage_count)
        return &b->storages[index];
    PyErr_SetString(PyExc_RuntimeError, "a storage is of another checkpoint");
    return NULL;
}

PyObject *untyped_of(builder *b, const ptio_storage *storage)
{
    made_storage *made = entry_of(b, storage);
    if (!made || made->untyped)
        return made ? made->untyped : NULL;
    if (made->tensor)
        made->untyped = PyObject_CallMethodObjArgs(made->tensor, NAME(b->state, untyped_storage), NULL);
    else if (b->fake || b->meta)
        made->untyped = meta_storage(b, storage);
    else if (is_asked(b, storage))
        made->untyped = restored(b, storage);
    else
        made->untyped = untyped_bytes(b, storage);
    return made->untyped;
}

PyObject *typed_of(builder *b, const ptio_storage *storage)
{
    PyObject *untyped = untyped_of(b, storage);
    PyObject *dtype = untyped ? torch_dtype(b->torch, ptio_storage_dtype(storage)) : NULL;
    made_storage *made = dtype ? entry_of(b, storage) : NULL;
    if (!made)
        return NULL;
    if (!made->typed && !(made->typed = new_typed(b, untyped, dtype)))
        return NULL;
    if (ptio_storage_nbytes(storage))
        return Py_NewRef(made->typed);
    PyObject *fresh = made->typed;
    made->typed = NULL;
    return fresh;
}
