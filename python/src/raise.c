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

/* The pickle ends where the next opcode would be, or the file in a pickle of a stream: the end of a file, for Python's unpickler. */
static bool is_end_of_file(const ptio_error *err)
{
    return err->reason && (strcmp(err->reason, "not.empty") == 0 || strstr(err->message, "the pickle ends without STOP") ||
                           (strcmp(err->reason, "cut-off") == 0 && strstr(err->message, ", in the pickle that begins at")));
}

static PyObject *exception_of(module_state *state, const ptio_error *err)
{
    switch (err->status) {
    case PTIO_ERR_MEMORY: return PyExc_MemoryError;
    case PTIO_ERR_IO: return PyExc_OSError;
    case PTIO_ERR_DENIED: return state->unpickling_error;
    case PTIO_ERR_FORMAT:
        if (begins_with(err->reason, "zip.byteorder"))
            return PyExc_ValueError;
        if (is_end_of_file(err))
            return PyExc_EOFError;
        if (begins_with(err->reason, "dcp.no-metadata"))
            return PyExc_IsADirectoryError;
        /* What is no archive is a pickle for torch.load(). */
        return begins_with(err->reason, "pickle.") || begins_with(err->reason, "not.") ? state->unpickling_error
                                                                                       : PyExc_RuntimeError;
    case PTIO_ERR_ARGUMENT: return begins_with(err->reason, "codec.") ? PyExc_LookupError : PyExc_RuntimeError;
    default: return begins_with(err->reason, "not.") ? state->unpickling_error : PyExc_RuntimeError;
    }
}

/* A string in another encoding than was said. The exception has the text that is not at hand here: it is one of zeros, but for the byte
 * that the message names. Its own message is then as Python's. */
static bool raise_decode_error(const char *message)
{
    char encoding[32], why[80];
    unsigned byte = 0;
    size_t start, last;
    if (sscanf(message, "'%31[^']' codec can't decode byte 0x%2x in position %zu: %79[^\n]", encoding, &byte, &start, why) == 4)
        last = start;
    else if (sscanf(message, "'%31[^']' codec can't decode bytes in position %zu-%zu: %79[^\n]", encoding, &start, &last, why) !=
             4)
        return false;
    PyObject *bytes = last < PY_SSIZE_T_MAX ? PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)last + 1) : NULL;
    if (bytes) {
        memset(PyByteArray_AsString(bytes), 0, last + 1);
        PyByteArray_AsString(bytes)[last] = (char)byte;
    }
    PyObject *exception = bytes ? PyObject_CallFunction(PyExc_UnicodeDecodeError, "sOnns", encoding, bytes, (Py_ssize_t)start,
                                                        (Py_ssize_t)last + 1, why)
                                : NULL;
    if (exception)
        PyErr_SetObject(PyExc_UnicodeDecodeError, exception);
    Py_XDECREF(exception);
    Py_XDECREF(bytes);
    return true;
}

/* What a record `byteorder` says that is no byte order, in PyTorch's words. */
static bool raise_byte_order(const char *message)
{
    static const char before[] = "the byte order is '", after[] = "', neither little nor big";
    size_t length = strlen(message), frame = sizeof before + sizeof after - 2;
    if (length < frame || !begins_with(message, before) || strcmp(message + length - (sizeof after - 1), after) != 0)
        return false;
    PyObject *said = PyUnicode_DecodeUTF8(message + sizeof before - 1, (Py_ssize_t)(length - frame), "replace");
    if (said)
        PyErr_Format(PyExc_ValueError, "Unknown endianness type: %U", said);
    Py_XDECREF(said);
    return true;
}

PyObject *raise_error(module_state *state, const ptio_error *err)
{
    if (PyErr_Occurred() || (err->reason && strcmp(err->reason, "codec.invalid") == 0 && raise_decode_error(err->message)))
        return NULL;
    if (begins_with(err->reason, "zip.byteorder") && raise_byte_order(err->message))
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

/* Where a finding is in the order of reading: the pickles of a legacy stream come one after another. */
static bool is_before(const ptio_finding *a, const ptio_finding *b)
{
    static const char *const order[] = {"magic", "protocol", "sys_info"};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (is_text(a->record, order[i]) != is_text(b->record, order[i]))
            return is_text(a->record, order[i]);
    return a->offset < b->offset;
}

/* The one that PyTorch's unpickler meets first: it refuses as it reads. */
static const ptio_finding *first_refusal(const ptio_report *report)
{
    const ptio_finding *found, *first = NULL;
    for (size_t i = 0; (found = ptio_report_finding(report, i)); i++)
        if (found->severity == PTIO_REFUSED && begins_with(found->reason, "weights-only.") && (!first || is_before(found, first)))
            first = found;
    return first;
}

/* The part of a text before `mark`, in its place; all of it where the mark is not there. */
static void cut_at(PyObject **text, const char *mark)
{
    PyObject *word = PyUnicode_FromString(mark), *parts = *text && word ? PyUnicode_Split(*text, word, 1) : NULL;
    set_reference(text, parts ? Py_XNewRef(PyList_GetItem(parts, 0)) : NULL);
    Py_XDECREF(parts);
    Py_XDECREF(word);
}

/* "… but got a.B" as PyTorch says it, which prints a class: "… but got <class 'a.B'>". */
static void print_class(PyObject **text)
{
    PyObject *mark = PyUnicode_FromString("but got "), *parts = *text && mark ? PyUnicode_Split(*text, mark, 1) : NULL;
    Py_XDECREF(mark);
    if (!parts) {
        Py_CLEAR(*text);
    } else if (PyList_Size(parts) == 2) {
        PyObject *name = PyList_GetItem(parts, 1), *space = PyUnicode_FromString(" ");
        const char *bytes = space && PyUnicode_Contains(name, space) == 0 ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
        if (PyUnicode_CompareWithASCIIString(name, "a class of modules") == 0)
            bytes = "str"; /* it prints the type of the word "module" */
        if (bytes)         /* else it is "an object" */
            set_reference(text, PyUnicode_FromFormat("%Ubut got <class '%s'>", PyList_GetItem(parts, 0),
                                                     begins_with(bytes, "builtins.") ? bytes + 9 : bytes));
        Py_XDECREF(space);
    }
    Py_XDECREF(parts);
}

/* What getattr() reaches of a class that is allowed, as PyTorch prints it, which has it at hand. Nothing is imported for that. NULL without
 * an exception where it is not there. */
static PyObject *function_text(const ptio_finding *found)
{
    PyObject *module = PyUnicode_DecodeUTF8(found->module.bytes, (Py_ssize_t)found->module.size, "replace");
    PyObject *name = PyUnicode_DecodeUTF8(found->name.bytes, (Py_ssize_t)found->name.size, "replace");
    PyObject *at = module && name ? PyImport_GetModule(module) : NULL, *dot = PyUnicode_FromString("."), *text = NULL;
    PyObject *parts = at && dot ? PyUnicode_Split(name, dot, -1) : NULL;
    for (Py_ssize_t i = 0; parts && at && i < PyList_Size(parts); i++)
        set_reference(&at, PyObject_GetAttr(at, PyList_GetItem(parts, i)));
    PyObject *owner = parts && at ? PyObject_GetAttrString(at, "__self__") : NULL;
    PyErr_Clear();
    if (parts && at)
        text = owner ? PyUnicode_FromFormat("Trying to call reduce for unrecognized function %S which belongs to %S", at, owner)
                     : PyUnicode_FromFormat("Trying to call reduce for unrecognized function %S", at);
    PyErr_Clear();
    Py_XDECREF(owner);
    Py_XDECREF(parts);
    Py_XDECREF(dot);
    Py_XDECREF(at);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return text;
}

/* Its message, without what PyTorch does not say. */
static PyObject *message_of(const ptio_finding *found)
{
    PyObject *message = strcmp(found->reason, "weights-only.reduce") == 0 && found->name.size ? function_text(found) : NULL;
    if (message)
        return message;
    message = PyUnicode_DecodeUTF8(found->message.bytes, (Py_ssize_t)found->message.size, "replace");
    cut_at(&message, strcmp(found->reason, "weights-only.opcode") == 0 ? " (opcode " : "; to allow it: ");
    print_class(&message);
    return message;
}

PyObject *raise_refusal(module_state *state, const ptio_error *err, const ptio_report *report)
{
    const ptio_finding *found = first_refusal(report);
    if (!found)
        return raise_error(state, err);
    if (strcmp(found->reason, "weights-only.global") == 0)
        return raise_global(state, found);
    bool blocked = strcmp(found->reason, "weights-only.blocked") == 0;
    PyObject *message = message_of(found);
    if (message)
        PyErr_Format(state->unpickling_error, "Weights only load failed. %s\n%s\n\n%U%s", advice,
                     blocked ? ""
                             : "Please file an issue with the following so that we can make "
                               "`weights_only=True` compatible with your use case: WeightsUnpickler error: ",
                     message, documentation);
    Py_XDECREF(message);
    return NULL;
}
