/*
 * ptio.save() where there is no PyTorch: the object as values of a builder, which ptio saves.
 */
#include "output.h"
#include "plain.h"

static bool find_protocol(PyObject *given, unsigned *ret)
{
    long protocol = given && given != Py_None ? PyLong_AsLong(given) : 2;
    if (protocol == -1 && PyErr_Occurred())
        return false;
    if (protocol > 5) {
        PyErr_SetString(PyExc_ValueError, "pickle protocol must be <= 5");
        return false;
    }
    *ret = protocol < 0 ? 5 : (unsigned)protocol;
    return true;
}

static bool find_options(const plain_call *call, ptio_save_options *ret)
{
    *ret = (ptio_save_options){PTIO_SAVE_OPTIONS, .legacy = call->legacy, .no_byteorder = call->no_byteorder};
    if (call->pickle_module && call->pickle_module != Py_None) {
        PyObject *pickle = PyImport_ImportModule("pickle");
        bool is_own = pickle == call->pickle_module;
        Py_XDECREF(pickle);
        if (!is_own) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError,
                                "without PyTorch the pickle is written by ptio: pickle_module can only be pickle");
            return false;
        }
    }
    return find_protocol(call->protocol, &ret->protocol);
}

static bool write_value(module_state *state, const ptio_value *value, PyObject *f, const ptio_save_options *options)
{
    output out;
    ptio_error err = {0};
    if (!output_open(state, f, options->legacy, &out))
        return false;
    ptio_save_options named = *options;
    named.root = output_root(&out);
    PyThreadState *thread = out.path ? PyEval_SaveThread() : NULL;
    ptio_status status = ptio_save_sink(value, out.sink, &named, &err);
    if (thread)
        PyEval_RestoreThread(thread);
    bool well = status == PTIO_OK ? output_finish(&out) : (raise_error(state, &err), false);
    output_close(&out);
    return well;
}

PyObject *save_plain(module_state *state, PyObject *object, PyObject *f, const plain_call *call)
{
    plain p = {.state = state, .builder = builder_new(state), .kept = PyList_New(0)};
    ptio_save_options options;
    const ptio_value *value = NULL;
    bool well = p.builder && p.kept && find_options(call, &options) && plain_arrays(&p, object) &&
                (value = plain_value(&p, object)) && write_value(state, value, f, &options);
    ptio_builder_free(p.builder);
    plain_arrays_free(&p);
    object_map_free(&p.memo);
    Py_XDECREF(p.kept);
    return well ? Py_NewRef(Py_None) : NULL;
}
