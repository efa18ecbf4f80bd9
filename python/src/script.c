/*
 * TorchScript archives: they are PyTorch's to run, so they are handed to torch.jit.load(), as torch.load() does.
 */
#include "module.h"

int warn_torchscript(void)
{
    return PyErr_WarnEx(PyExc_UserWarning,
                        "'torch.load' received a zip file that looks like a TorchScript archive dispatching to 'torch.jit.load' "
                        "(call 'torch.jit.load' directly to silence this warning)",
                        1);
}

PyObject *load_torchscript(module_state *state, PyObject *f, input *in, PyObject *map_location)
{
    if (warn_torchscript() < 0)
        return NULL;
    if (in->object) {
        PyObject *sought = PyObject_CallFunction(in->seek, "K", (unsigned long long)in->begin);
        if (!sought)
            return NULL;
        Py_DECREF(sought);
    }
    PyObject *jit = PyObject_GetAttrString(state->torch->torch, "jit"),
             *load = jit ? PyObject_GetAttr(jit, NAME(state, load)) : NULL;
    PyObject *args = PyTuple_Pack(1, f), *keywords = Py_BuildValue("{sO}", "map_location", map_location);
    PyObject *result = load && args && keywords ? PyObject_Call(load, args, keywords) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_XDECREF(load);
    Py_XDECREF(jit);
    return result;
}
