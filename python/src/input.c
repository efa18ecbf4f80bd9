/*
 * Where bytes come from. A path is opened by ptio itself. An object is read by position with its own methods, as torch.load() asks of
 * it: read(), readline(), seek() and tell(); readinto() is used where there is one, so that no byte is copied twice.
 */
#include <string.h>

#include "module.h"

static int64_t read_into(input *in, void *buffer, size_t size)
{
    PyObject *view = PyMemoryView_FromMemory(buffer, (Py_ssize_t)size, PyBUF_WRITE);
    PyObject *got = view ? PyObject_CallFunctionObjArgs(in->readinto, view, NULL) : NULL;
    long long count = got && got != Py_None ? PyLong_AsLongLong(got) : got ? 0 : -1;
    /* Who keeps the view must not find other bytes in it later. */
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *released = view ? PyObject_CallMethodObjArgs(view, NAME(in->state, release), NULL) : NULL;
    if (!released && view && !type)
        count = -1;
    else
        PyErr_Restore(type, value, trace);
    Py_XDECREF(released);
    Py_XDECREF(view);
    Py_XDECREF(got);
    if (count > (long long)size) {
        PyErr_SetString(PyExc_ValueError, "readinto() says that it gave more bytes than there was room for");
        return -1;
    }
    return PyErr_Occurred() ? -1 : (int64_t)count;
}

static int64_t read_bytes(input *in, void *buffer, size_t size)
{
    PyObject *count = PyLong_FromSize_t(size), *got = count ? PyObject_CallFunctionObjArgs(in->read, count, NULL) : NULL;
    Py_buffer bytes;
    int64_t result = -1;
    Py_XDECREF(count);
    if (got && PyObject_GetBuffer(got, &bytes, PyBUF_SIMPLE) == 0) {
        if ((size_t)bytes.len <= size) {
            memcpy(buffer, bytes.buf, (size_t)bytes.len);
            result = bytes.len;
        } else {
            PyErr_SetString(PyExc_ValueError, "read() gave more bytes than it was asked for");
        }
        PyBuffer_Release(&bytes);
    }
    Py_XDECREF(got);
    return result;
}

static int64_t source_read(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    return in->readinto ? read_into(in, buffer, size) : read_bytes(in, buffer, size);
}

static int seek_to(input *in, uint64_t offset, int whence, uint64_t *ret)
{
    PyObject *at = PyObject_CallFunction(in->seek, "Ki", (unsigned long long)offset, whence);
    if (at && ret) {
        /* Some seek() give nothing: then tell() knows. */
        PyObject *told = at == Py_None ? PyObject_CallMethodObjArgs(in->object, NAME(in->state, tell), NULL) : Py_NewRef(at);
        *ret = told ? PyLong_AsUnsignedLongLong(told) : 0;
        Py_XDECREF(told);
    }
    Py_XDECREF(at);
    return PyErr_Occurred() ? -1 : 0;
}

static int source_seek(void *ctx, uint64_t offset)
{
    return seek_to(ctx, offset, 0, NULL);
}

static int64_t source_size(void *ctx)
{
    uint64_t end = 0;
    return seek_to(ctx, 0, 2, &end) == 0 ? (int64_t)end : -1;
}

/* "x: … You can only torch.load from a file that is seekable.", as the exception that the object raised. */
static void raise_not_seekable(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *text = value ? PyObject_Str(value) : NULL, *words[2] = {PyUnicode_FromString("seek"), PyUnicode_FromString("tell")};
    /* Of an OSError PyTorch sees this one kind only, which says that there is no such method. */
    PyObject *unsupported =
        type && !PyErr_GivenExceptionMatches(type, PyExc_AttributeError) ? import_attribute("io", "UnsupportedOperation") : NULL;
    bool is_other = unsupported && !PyErr_GivenExceptionMatches(type, unsupported);
    Py_XDECREF(unsupported);
    bool told = text && !is_other && words[0] && words[1] &&
                (PyUnicode_Contains(text, words[0]) == 1 || PyUnicode_Contains(text, words[1]) == 1);
    Py_XDECREF(words[0]);
    Py_XDECREF(words[1]);
    if (told) {
        PyErr_Format(type,
                     "%U. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer like "
                     "io.BytesIO and try to load from it instead.",
                     text);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
    } else {
        PyErr_Restore(type, value, trace);
    }
    Py_XDECREF(text);
}

/* Where it stands; f.seek(f.tell()) has to work. */
static bool find_position(input *in)
{
    in->seek = PyObject_GetAttr(in->object, NAME(in->state, seek));
    PyObject *tell = in->seek ? PyObject_GetAttr(in->object, NAME(in->state, tell)) : NULL;
    PyObject *at = tell ? PyObject_CallNoArgs(tell) : NULL, *done = at ? PyObject_CallFunctionObjArgs(in->seek, at, NULL) : NULL;
    if (done)
        in->begin = PyLong_AsUnsignedLongLong(at);
    else if (PyErr_ExceptionMatches(PyExc_AttributeError) || PyErr_ExceptionMatches(PyExc_OSError))
        raise_not_seekable();
    Py_XDECREF(done);
    Py_XDECREF(at);
    Py_XDECREF(tell);
    return !PyErr_Occurred();
}

static bool open_object(input *in)
{
    if (!find_position(in) || !(in->read = PyObject_GetAttr(in->object, NAME(in->state, read))))
        return false;
    in->readinto = PyObject_GetAttr(in->object, NAME(in->state, readinto));
    if (!in->readinto) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return false;
        PyErr_Clear();
    }
    ptio_error err = {0};
    ptio_source_callbacks callbacks = {.read = source_read, .seek = source_seek, .size = source_size};
    if (ptio_source_from_callbacks(&callbacks, in, NULL, NULL, &in->source, &err) != PTIO_OK) {
        raise_error(in->state, &err);
        return false;
    }
    return true;
}

bool is_path(PyObject *f)
{
    return PyUnicode_Check(f) || PyObject_HasAttrString((PyObject *)Py_TYPE(f), "__fspath__");
}

bool input_open(module_state *state, PyObject *f, input *ret)
{
    *ret = (input){.state = state};
    if (!is_path(f)) {
        ret->object = Py_NewRef(f);
        if (open_object(ret))
            return true;
        input_close(ret);
        return false;
    }
    ret->path = PyOS_FSPath(f);
    if (ret->path)
        ret->path_bytes = PyUnicode_Check(ret->path) ? PyUnicode_EncodeFSDefault(ret->path) : Py_NewRef(ret->path);
    char *bytes;
    /* A NUL in it is a ValueError. */
    if (ret->path_bytes && PyBytes_AsStringAndSize(ret->path_bytes, &bytes, NULL) == 0)
        return true;
    input_close(ret);
    return false;
}

/* open(path, "rb") knows the exception for what is wrong with a path. */
void input_raise_open(const input *in)
{
    PyObject *io = PyImport_ImportModule("io"), *file = io ? PyObject_CallMethod(io, "open", "Os", in->path, "rb") : NULL;
    Py_XDECREF(io);
    if (file) {
        PyObject *closed = PyObject_CallMethod(file, "close", NULL);
        Py_XDECREF(closed);
        Py_DECREF(file);
    }
}

ptio_status input_load(input *in, ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_status status;
    if (in->object) {
        options->offset = in->begin;
        status = ptio_load_source(in->source, options, ret, err);
        if (status == PTIO_OK) {
            ptio_checkpoint_info info;
            ptio_checkpoint_describe_briefly(*ret, &info);
            in->end = info.end_offset;
        }
        return status;
    }
    const char *path = PyBytes_AsString(in->path_bytes);
    PyThreadState *thread = PyEval_SaveThread();
    status = ptio_load(path, options, ret, err);
    PyEval_RestoreThread(thread);
    if (status == PTIO_ERR_IO)
        input_raise_open(in);
    /* It can be read. */
    const char *why = status == PTIO_ERR_IO && !PyErr_Occurred() ? strstr(err->message, "cannot be opened: ") : NULL;
    if (why && options->mmap && options->mmap_shared)
        PyErr_Format(PyExc_RuntimeError, "unable to open file <%S> in read-write mode: %s", in->path, why + 18);
    return status;
}

bool input_leave(input *in)
{
    return !in->object || seek_to(in, in->end, 0, NULL) == 0;
}

void input_close(input *in)
{
    ptio_source_free(in->source);
    Py_CLEAR(in->path);
    Py_CLEAR(in->path_bytes);
    Py_CLEAR(in->object);
    Py_CLEAR(in->readinto);
    Py_CLEAR(in->read);
    Py_CLEAR(in->seek);
    in->source = NULL;
}
