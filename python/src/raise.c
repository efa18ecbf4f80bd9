/*
 * Failures of ptio as the exceptions that torch.load() and torch.save() raise for them: their types, and their words where programs
 * look for them. What ptio knows beyond (record, offset) is in the message too.
 */
#include <stdio.h>
#include <string.h>

#include "module.h"

static bool begins_with(const char *text, const char *beginning)
{
    return text && strncmp(text, beginning, strlen(beginning)) == 0;
}

static PyObject *exception_of(module_state *state, const ptio_error *err)
{
    switch (err->status) {
    case PTIO_ERR_MEMORY: return PyExc_MemoryError;
    case PTIO_ERR_IO: return PyExc_OSError;
    case PTIO_ERR_DENIED: return state->unpickling_error;
    case PTIO_ERR_FORMAT: return begins_with(err->reason, "pickle.") ? state->unpickling_error : PyExc_RuntimeError;
    default: return PyExc_RuntimeError;
    }
}

PyObject *raise_error(module_state *state, const ptio_error *err)
{
    if (PyErr_Occurred())
        return NULL;
    char place[160] = "";
    if (err->record[0] && err->offset != PTIO_NO_OFFSET)
        (void)snprintf(place, sizeof place, " (%s, byte %llu)", err->record, (unsigned long long)err->offset);
    else if (err->record[0])
        (void)snprintf(place, sizeof place, " (%s)", err->record);
    PyObject *exception = exception_of(state, err);
    PyErr_Format(exception, "%s%s", err->message, place);
    return NULL;
}

/* ---- what weights_only refuses ---- */

static const char advice[] =
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed, "
    "but it can result in arbitrary code execution. Do it only if you got the file from a trusted source.";
static const char documentation[] =
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html.";

const char *weights_only_advice(void)
{
    return advice;
}

static bool is_text(ptio_text text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.bytes, other, text.size) == 0;
}

static PyObject *raise_global(module_state *state, const ptio_finding *found)
{
    PyObject *module = PyUnicode_DecodeUTF8(found->module.bytes, (Py_ssize_t)found->module.size, "replace");
    PyObject *name = PyUnicode_DecodeUTF8(found->name.bytes, (Py_ssize_t)found->name.size, "replace");
    PyObject *full = NULL;
    if (module && name)
        full = is_text(found->module, "builtins") ? Py_NewRef(name) : PyUnicode_FromFormat("%U.%U", module, name);
    if (full)
        PyErr_Format(state->unpickling_error,
                     "Weights only load failed. This file can still be loaded, to do so you have two options, "
                     "\033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
                     "\n\t(1) %s\n\t(2) Alternatively, to load with `weights_only=True` please check "
                     "the recommended steps in the following error message.\n\tWeightsUnpickler error: "
                     "Unsupported global: GLOBAL %U was not an allowed global by default. "
                     "Please use `torch.serialization.add_safe_globals([%U])` or the "
                     "`torch.serialization.safe_globals([%U])` context manager to allowlist this global "
                     "if you trust this class/function.%s",
                     advice, full, full, full, documentation);
    Py_XDECREF(full);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return NULL;
}

PyObject *raise_import(module_state *state, ptio_text module)
{
    bool distributed = module.size >= 17 && memcmp(module.bytes, "torch.distributed", 17) == 0;
    PyErr_Format(state->unpickling_error, "Weights only load failed. %s\n %s\n",
                 distributed ? "``torch.distributed.tensor`` must be imported to load DTensors"
                             : "``torch.nested`` and ``torch._dynamo`` must be imported to load nested jagged tensors (NJTs)",
                 advice);
    return NULL;
}

static const ptio_finding *first_refusal(const ptio_report *report)
{
    const ptio_finding *found;
    for (size_t i = 0; (found = ptio_report_finding(report, i)); i++)
        if (found->severity == PTIO_REFUSED && begins_with(found->reason, "weights-only."))
            return found;
    return NULL;
}

PyObject *raise_refusal(module_state *state, const ptio_error *err, const ptio_report *report)
{
    const ptio_finding *found = first_refusal(report);
    if (!found)
        return raise_error(state, err);
    if (strcmp(found->reason, "weights-only.global") == 0)
        return raise_global(state, found);
    bool blocked = strcmp(found->reason, "weights-only.blocked") == 0;
    PyErr_Format(state->unpickling_error, "Weights only load failed. %s\n%s\n\n%s%s", advice,
                 blocked ? ""
                         : "Please file an issue with the following so that we can make "
                           "`weights_only=True` compatible with your use case: WeightsUnpickler error: ",
                 err->message[0] && strncmp(err->message, "weights_only refuses the file: ", 31) == 0 ? err->message + 31
                                                                                                      : err->message,
                 documentation);
    return NULL;
}
