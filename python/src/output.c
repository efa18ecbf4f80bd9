/*
 * Where bytes go. An object gets them by its write(), in views of memory that are released behind each call, as torch.save() passes
 * them; flush() is called once, at the end.
 */
#include "output.h"

#include <errno.h>
#include <string.h>

/* What write() says it took: all, where it says nothing or nonsense. */
static int64_t taken(PyObject *answer, size_t size)
{
    if (!PyLong_Check(answer))
        return (int64_t)size;
    long long count = PyLong_AsLongLong(answer);
    if (count == -1 && PyErr_Occurred())
        PyErr_Clear();
    return count < 1 || (unsigned long long)count > size ? (int64_t)size : (int64_t)count;
}

static int64_t sink_write(void *ctx, const void *data, size_t size)
{
    output *out = ctx;
    /* PyTorch's views are writable in name only, too: nobody writes into what is saved. */
    PyObject *view = PyMemoryView_FromMemory((char *)data, (Py_ssize_t)size, PyBUF_READ);
    PyObject *answer = view ? PyObject_CallFunctionObjArgs(out->write, view, NULL) : NULL;
    int64_t result = answer ? taken(answer, size) : -1;
    Py_XDECREF(answer);
    if (view && result >= 0) {
        PyObject *released = PyObject_CallMethodObjArgs(view, NAME(out->state, release), NULL);
        if (!released)
            result = -1;
        Py_XDECREF(released);
    }
    Py_XDECREF(view);
    return result;
}

static int sink_flush(void *ctx)
{
    output *out = ctx;
    PyObject *done = PyObject_CallMethodObjArgs(out->object, NAME(out->state, flush), NULL);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* torch.save()'s words for what cannot be written to. */
static bool find_write(output *out)
{
    out->write = PyObject_GetAttr(out->object, NAME(out->state, write));
    if (!out->write) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
            PyErr_SetString(PyExc_AttributeError,
                            "expected 'f' to be string, path, or a file-like object with a 'write' attribute");
        }
        return false;
    }
    if (PyCallable_Check(out->write) || out->is_stream) /* to call it is an exception of its own */
        return true;
    PyObject *type = PyObject_Str((PyObject *)Py_TYPE(out->object)); /* "<class 'x.Y'>" */
    Py_ssize_t length = type ? PyUnicode_GetLength(type) : 0;
    PyObject *bare = type && length > 2 ? PyUnicode_Substring(type, 1, length - 1) : NULL;
    if (bare)
        PyErr_Format(PyExc_TypeError, "Buffer of %U has no callable attribute 'write'", bare);
    Py_XDECREF(bare);
    Py_XDECREF(type);
    return false;
}

static bool open_object(output *out)
{
    if (!find_write(out))
        return false;
    ptio_error err = {0};
    ptio_sink_callbacks callbacks = {.write = sink_write, .flush = sink_flush};
    if (ptio_sink_from_callbacks(&callbacks, out, NULL, &out->sink, &err) == PTIO_OK)
        return true;
    raise_error(out->state, &err);
    return false;
}

/* torch.save() opens the file of a stream with open(), which has an exception for everything. */
static bool raise_as_open(output *out, const ptio_error *err)
{
    PyObject *io = PyImport_ImportModule("io"), *file = io ? PyObject_CallMethod(io, "open", "Os", out->path, "r+b") : NULL;
    PyObject *closed = file ? PyObject_CallMethod(file, "close", NULL) : NULL;
    Py_XDECREF(closed);
    Py_XDECREF(file);
    Py_XDECREF(io);
    /* A file that is not there yet, in a folder that may not be written to. */
    if (PyErr_ExceptionMatches(PyExc_FileNotFoundError) && strstr(err->message, "Permission denied")) {
        PyErr_Clear();
        PyObject *denied = PyObject_CallFunction(PyExc_PermissionError, "isO", EACCES, "Permission denied", out->path);
        if (denied)
            PyErr_SetObject(PyExc_PermissionError, denied);
        Py_XDECREF(denied);
    }
    return PyErr_Occurred();
}

/* The system's text, which a message ends with. */
static const char *why_of(const ptio_error *err)
{
    const char *why = err->message;
    for (const char *at = why; (at = strstr(at, ": ")); why = at)
        at += 2;
    return why;
}

static void raise_open(output *out, const ptio_error *err)
{
    if (out->is_stream && raise_as_open(out, err))
        return;
    if (!err->reason || strcmp(err->reason, "io.parent") != 0) {
        if (err->status != PTIO_ERR_IO || out->is_stream)
            raise_error(out->state, err);
        else
            PyErr_Format(PyExc_RuntimeError, "open file failed with strerror: %s (%S)", why_of(err), out->path);
        return;
    }
    PyObject *path = PyImport_ImportModule("os.path");
    PyObject *folder = path ? PyObject_CallMethod(path, "dirname", "(O)", out->path) : NULL;
    if (folder)
        PyErr_Format(PyExc_RuntimeError, "Parent directory %S does not exist.", folder);
    Py_XDECREF(folder);
    Py_XDECREF(path);
}

/* "b" of "a/b.pt", as PyTorch names an archive. */
static PyObject *root_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return PyBytes_FromStringAndSize(name, dot ? dot - name : (Py_ssize_t)strlen(name));
}

const char *output_root(const output *out)
{
    return out->root ? PyBytes_AsString(out->root) : NULL;
}

/* A file that may be written, in a folder that takes no new ones. torch.save() writes it where it is, and so is it done here: what fails on
 * the way has spoilt it. False without an exception where it cannot be opened. */
static bool open_in_place(output *out, const char *path)
{
    ptio_error err = {0};
    PyObject *io = PyImport_ImportModule("io");
    PyObject *file = io ? PyObject_CallMethod(io, "open", "Osi", out->path, "r+b", 0) : NULL;
    PyObject *number = file ? PyObject_CallMethod(file, "fileno", NULL) : NULL;
    if (number && (out->root = root_of(path)) && ptio_sink_from_fd((int)PyLong_AsLong(number), NULL, &out->sink, &err) == PTIO_OK)
        out->file = Py_NewRef(file);
    Py_XDECREF(number);
    Py_XDECREF(file);
    Py_XDECREF(io);
    PyErr_Clear();
    return out->file != NULL;
}

/* Its old bytes behind the new ones go. False with an exception. */
static bool finish_in_place(output *out)
{
    unsigned long long size = ptio_sink_position(out->sink);
    PyObject *done = PyObject_CallMethod(out->file, "truncate", "K", size);
    set_reference(&done, done ? PyObject_CallMethod(out->file, "close", NULL) : NULL);
    Py_XDECREF(done);
    return done != NULL;
}

static bool open_path(output *out)
{
    char *path;
    if (!(out->path_bytes = PyUnicode_Check(out->path) ? PyUnicode_EncodeFSDefault(out->path) : Py_NewRef(out->path)) ||
        PyBytes_AsStringAndSize(out->path_bytes, &path, NULL) < 0)
        return false;
    ptio_error err = {0};
    ptio_sink_options options = {.struct_size = sizeof options, .not_durable = true};
    if (ptio_sink_open(path, &options, &out->sink, &err) == PTIO_OK)
        return true;
    if (err.status == PTIO_ERR_IO && strcmp(err.reason, "io.folder") == 0 && open_in_place(out, path))
        return true;
    raise_open(out, &err);
    return false;
}

bool output_open(module_state *state, PyObject *f, bool is_stream, output *ret)
{
    *ret = (output){.state = state, .is_stream = is_stream};
    bool well;
    if (is_path(f)) {
        ret->path = PyOS_FSPath(f);
        well = ret->path && open_path(ret);
    } else {
        ret->object = Py_NewRef(f);
        well = open_object(ret);
    }
    if (!well)
        output_close(ret);
    return well;
}

bool output_finish(output *out)
{
    ptio_error err = {0};
    if (ptio_sink_finish(out->sink, &err) == PTIO_OK)
        return !out->file || finish_in_place(out);
    raise_error(out->state, &err);
    return false;
}

void output_close(output *out)
{
    ptio_sink_free(out->sink);
    out->sink = NULL;
    Py_CLEAR(out->path);
    Py_CLEAR(out->path_bytes);
    Py_CLEAR(out->object);
    Py_CLEAR(out->write);
    Py_CLEAR(out->file);
    Py_CLEAR(out->root);
}
