/*
 * The module ptio._ptio: its functions, its state.
 */
#include "module.h"
#include "file.h"
#include "tensor.h"

static const char *const name_texts[NAME_COUNT] = {
#define NAME_TEXT(name) #name,
    NAMES(NAME_TEXT)
#undef NAME_TEXT
};

module_state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

PyObject *import_attribute(const char *module, const char *name)
{
    PyObject *from = PyImport_ImportModule(module), *found = from ? PyObject_GetAttrString(from, name) : NULL;
    Py_XDECREF(from);
    return found;
}

/* A type of the module, under its name. */
static bool add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **ret)
{
    *ret = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *ret && PyModule_AddType(module, *ret) == 0;
}

static int module_exec(PyObject *module)
{
    module_state *state = state_of(module);
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (!(state->names[i] = PyUnicode_InternFromString(name_texts[i])))
            return -1;
    if (!(state->unpickling_error = import_attribute("_pickle", "UnpicklingError")) ||
        !(state->ordered_dict = import_attribute("collections", "OrderedDict")) ||
        !(state->import_mapping = import_attribute("_compat_pickle", "IMPORT_MAPPING")) ||
        !(state->name_mapping = import_attribute("_compat_pickle", "NAME_MAPPING")) || !(state->safe_globals = PySet_New(NULL)))
        return -1;
    if (!add_type(module, &dtype_spec, &state->dtype_type) || !add_type(module, &tensor_spec, &state->tensor_type) ||
        !add_type(module, &file_spec, &state->file_type) || !add_type(module, &slice_spec, &state->slice_type))
        return -1;
    state->settings = Py_BuildValue("{sOsOsisO}", "crc32", Py_True, "load_endianness", Py_None, "mmap", 2, "skip_data", Py_False);
    if (!state->settings || PyModule_AddObjectRef(module, "_settings", state->settings) < 0 ||
        PyModule_AddObjectRef(module, "_safe_globals", state->safe_globals) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "__version__", ptio_version());
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = state_of(module);
    if (!state)
        return 0;
    Py_VISIT(state->safe_globals);
    Py_VISIT(state->settings);
    Py_VISIT(state->unpickling_error);
    Py_VISIT(state->ordered_dict);
    Py_VISIT(state->dtype_type);
    Py_VISIT(state->tensor_type);
    Py_VISIT(state->file_type);
    Py_VISIT(state->slice_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state *state = state_of(module);
    if (!state)
        return 0;
    for (size_t i = 0; i < NAME_COUNT; i++)
        Py_CLEAR(state->names[i]);
    for (size_t i = 0; i < PTIO_DTYPE_COUNT; i++)
        Py_CLEAR(state->dtypes[i]);
    Py_CLEAR(state->dtype_type);
    Py_CLEAR(state->tensor_type);
    Py_CLEAR(state->file_type);
    Py_CLEAR(state->slice_type);
    Py_CLEAR(state->safe_globals);
    Py_CLEAR(state->settings);
    Py_CLEAR(state->unpickling_error);
    Py_CLEAR(state->ordered_dict);
    Py_CLEAR(state->import_mapping);
    Py_CLEAR(state->name_mapping);
    torch_free(state->torch);
    state->torch = NULL;
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear(module);
}

#define KEYWORD_FUNCTION(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"load", KEYWORD_FUNCTION(py_load), METH_VARARGS | METH_KEYWORDS, load_doc},
    {"save", KEYWORD_FUNCTION(py_save), METH_VARARGS | METH_KEYWORDS, save_doc},
    {"open", KEYWORD_FUNCTION(py_open), METH_VARARGS | METH_KEYWORDS, open_doc},
    {"from_dlpack", py_from_dlpack, METH_O,
     "from_dlpack(x, /)\n--\n\nA ptio.Tensor over the memory of x: an object with __dlpack__() on the CPU, such as an array of "
     "NumPy, or a capsule of DLPack.\n\nNothing is copied: what is written in one of them is seen in the other."},
    {"add_safe_globals", py_add_safe_globals, METH_O,
     "add_safe_globals(safe_globals)\n--\n\nLet weights_only take these classes and functions too; an item may be a pair "
     "(object, name in files)."},
    {"get_safe_globals", py_get_safe_globals, METH_NOARGS, "get_safe_globals()\n--\n\nWhat add_safe_globals() was given."},
    {"clear_safe_globals", py_clear_safe_globals, METH_NOARGS,
     "clear_safe_globals()\n--\n\nForget what add_safe_globals() was given."},
    {"get_unsafe_globals_in_checkpoint", py_get_unsafe_globals, METH_O,
     "get_unsafe_globals_in_checkpoint(f)\n--\n\nNames of the classes and functions of a file that weights_only would refuse."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,          .m_name = "ptio._ptio",  .m_doc = "torch.save and torch.load in C.",
    .m_size = sizeof(module_state), .m_methods = methods,    .m_slots = slots,
    .m_traverse = module_traverse,  .m_clear = module_clear, .m_free = module_free};

PyMODINIT_FUNC PyInit__ptio(void);

PyMODINIT_FUNC PyInit__ptio(void)
{
    return PyModuleDef_Init(&definition);
}
