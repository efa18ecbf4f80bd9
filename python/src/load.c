/*
 * ptio.load(): the checks of torch.load() in their order, the load by ptio, the objects.
 *
 * Source: torch/serialization.py: load
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

const char load_doc[] =
    "load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args)\n--\n\n"
    "Load an object saved with torch.save() or ptio.save().\n\n"
    "f: a path, or an object with read(), readline(), tell() and seek()\n"
    "map_location: a function, torch.device, string or dict that says where storages go\n"
    "pickle_module: a module whose Unpickler is used, with weights_only=False only\n"
    "weights_only: take tensors, primitive types, dictionaries and what add_safe_globals() was told, and nothing else (default: "
    "True).\n"
    "    The verdict is made in C before any object is. With False, classes are imported and called as the file says:\n"
    "    do that only with files you trust\n"
    "mmap: map the file instead of reading it\n"
    "pickle_load_args: encoding and errors of strings saved by Python 2\n\n"
    "Where PyTorch can be imported the result is the same as torch.load()'s; else tensors are ptio.Tensor.";

typedef struct arguments {
    PyObject *f, *map_location, *pickle_module, *weights_only, *mmap;
    PyObject *rest; /* pickle_load_args: a dict of our own */
} arguments;

/* The value of a keyword, borrowed from the caller's dict, and taken out of ours. */
static bool take(arguments *a, const char *name, PyObject **ret)
{
    PyObject *value = PyDict_GetItemString(a->rest, name);
    if (!value)
        return true;
    if (*ret) {
        PyErr_Format(PyExc_TypeError, "load() got multiple values for argument '%s'", name);
        return false;
    }
    Py_INCREF(value); /* released in parse_end() */
    *ret = value;
    return PyDict_DelItemString(a->rest, name) == 0;
}

static void parse_end(arguments *a)
{
    Py_CLEAR(a->f);
    Py_CLEAR(a->map_location);
    Py_CLEAR(a->pickle_module);
    Py_CLEAR(a->weights_only);
    Py_CLEAR(a->mmap);
    Py_CLEAR(a->rest);
}

static bool parse(arguments *a, PyObject *args, PyObject *keywords)
{
    PyObject *positional[3] = {NULL};
    *a = (arguments){.rest = keywords ? PyDict_Copy(keywords) : PyDict_New()};
    if (a->rest && PyTuple_Size(args) > 3)
        PyErr_Format(PyExc_TypeError, "load() takes from 1 to 3 positional arguments but %zd were given", PyTuple_Size(args));
    if (PyErr_Occurred() || !PyArg_UnpackTuple(args, "load", 0, 3, &positional[0], &positional[1], &positional[2]))
        return false;
    a->f = Py_XNewRef(positional[0]);
    a->map_location = Py_XNewRef(positional[1]);
    a->pickle_module = Py_XNewRef(positional[2]);
    if (!take(a, "f", &a->f) || !take(a, "map_location", &a->map_location) || !take(a, "pickle_module", &a->pickle_module) ||
        !take(a, "weights_only", &a->weights_only) || !take(a, "mmap", &a->mmap))
        return false;
    if (!a->f) {
        PyErr_SetString(PyExc_TypeError, "load() missing 1 required positional argument: 'f'");
        return false;
    }
    if (!a->map_location)
        a->map_location = Py_NewRef(Py_None);
    if (!a->pickle_module)
        a->pickle_module = Py_NewRef(Py_None);
    return true;
}

/* ---- weights_only ---- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    char lower[8] = "";
    for (size_t i = 0; value && value[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] + 32 : value[i]);
    return value && strlen(value) < sizeof lower &&
           (!strcmp(lower, "1") || !strcmp(lower, "y") || !strcmp(lower, "yes") || !strcmp(lower, "true"));
}

static bool decide_weights_only(const arguments *a, bool *ret)
{
    bool given = a->weights_only && a->weights_only != Py_None;
    int truth = given ? PyObject_IsTrue(a->weights_only) : a->pickle_module == Py_None;
    bool yes = is_set("TORCH_FORCE_WEIGHTS_ONLY_LOAD"), no = is_set("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD");
    if (truth < 0)
        return false;
    if (yes && no) {
        PyErr_SetString(PyExc_RuntimeError, "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` "
                                            "should be set, but both were set.");
        return false;
    }
    if (yes)
        truth = 1;
    if (no && !given) {
        if (PyErr_WarnEx(PyExc_UserWarning,
                         "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the"
                         "`weights_only` argument was not explicitly passed to `torch.load`, forcing weights_only=False.",
                         1) < 0)
            return false;
        truth = 0;
    }
    if (truth && a->pickle_module != Py_None) {
        PyErr_SetString(PyExc_RuntimeError, "Can not safely load weights when explicit pickle_module is specified");
        return false;
    }
    *ret = truth != 0;
    return !(truth && PyDict_Size(a->rest) > 0 &&
             PyErr_WarnEx(PyExc_UserWarning, "pickle_load_args only works if `weights_only=False`.", 1) < 0);
}

/* ---- what PyTorch is set to ---- */

/* torch.utils.serialization.config.SECTION.NAME, or NULL. */
static PyObject *setting(const char *section, const char *name)
{
    PyObject *config = PyImport_ImportModule("torch.utils.serialization.config");
    PyObject *part = config ? PyObject_GetAttrString(config, section) : NULL,
             *value = part ? PyObject_GetAttrString(part, name) : NULL;
    Py_XDECREF(part);
    Py_XDECREF(config);
    return value;
}

static bool mapping_flag(module_state *state, const arguments *a, bool *ret)
{
    *ret = false;
    if (a->mmap && a->mmap != Py_None) {
        int truth = PyObject_IsTrue(a->mmap);
        *ret = truth > 0;
        return truth >= 0;
    }
    if (!state->torch)
        return true;
    PyObject *value = setting("load", "mmap");
    *ret = value && PyObject_IsTrue(value) == 1;
    Py_XDECREF(value);
    return !PyErr_Occurred();
}

static bool shared_flag(module_state *state, bool *ret)
{
    PyObject *flags = state->torch ? PyObject_CallMethod(state->torch->serialization, "get_default_mmap_options", NULL)
                                   : Py_XNewRef(PyDict_GetItemString(state->settings, "mmap"));
    *ret = flags && flags != Py_None && PyLong_AsLong(flags) == 1; /* mmap.MAP_SHARED */
    Py_XDECREF(flags);
    return !PyErr_Occurred();
}

/* The name of a torch.serialization.LoadEndianness, or None. */
static PyObject *endianness(module_state *state)
{
    if (!state->torch)
        return Py_XNewRef(PyDict_GetItemString(state->settings, "load_endianness"));
    PyObject *order = PyObject_CallMethod(state->torch->serialization, "get_default_load_endianness", NULL);
    if (!order || order == Py_None)
        return order;
    PyObject *name = PyObject_GetAttrString(order, "name");
    Py_DECREF(order);
    return name;
}

static bool byte_order(module_state *state, ptio_byte_order *ret)
{
    PyObject *name = endianness(state);
    *ret = PTIO_LITTLE_ENDIAN;
    if (name && PyUnicode_Check(name))
        *ret = PyUnicode_CompareWithASCIIString(name, "BIG") == 0      ? PTIO_BIG_ENDIAN
               : PyUnicode_CompareWithASCIIString(name, "NATIVE") == 0 ? PTIO_NATIVE_ENDIAN
                                                                       : PTIO_LITTLE_ENDIAN;
    Py_XDECREF(name);
    return !PyErr_Occurred();
}

/* ---- pickle_load_args ---- */

/* A str of them, borrowed, or `otherwise`. What is no str is refused later, as an unpickler would. */
static bool text_argument(const arguments *a, const char *name, const char *otherwise, const char **ret)
{
    PyObject *value = PyDict_GetItemString(a->rest, name);
    *ret = value && PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, NULL) : otherwise;
    return *ret != NULL;
}

static bool is_name(PyObject *name, const char *text)
{
    return PyUnicode_CompareWithASCIIString(name, text) == 0;
}

/* One argument of pickle.Unpickler(), or of pickle.load() for a stream. */
static bool check_for_pickle(PyObject *name, PyObject *value, bool is_stream)
{
    const char *callee = is_stream ? "load()" : "Unpickler()";
    if (is_name(name, "fix_imports") || is_name(name, "buffers"))
        return true;
    if (!is_name(name, "encoding") && !is_name(name, "errors")) {
        if (Py_Version < 0x030D0000)
            PyErr_Format(PyExc_TypeError, "'%U' is an invalid keyword argument for %s", name, callee);
        else
            PyErr_Format(PyExc_TypeError, "%s got an unexpected keyword argument '%U'", callee, name);
        return false;
    }
    if (PyUnicode_Check(value))
        return true;
    PyObject *type = value == Py_None ? PyUnicode_FromString("None") : PyType_GetName(Py_TYPE(value));
    if (type)
        PyErr_Format(PyExc_TypeError, "%s argument '%U' must be str, not %U", callee, name, type);
    Py_XDECREF(type);
    return false;
}

/* torch.load() hands them to the unpickler, which refuses what it does not know. */
static bool check_load_args(const arguments *a, bool weights_only, bool is_stream)
{
    PyObject *name, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(a->rest, &at, &name, &value)) {
        if (weights_only && !is_name(name, "encoding"))
            return PyErr_Format(PyExc_TypeError, "%s got an unexpected keyword argument '%U'",
                                is_stream ? "load()" : "Unpickler.__init__()", name),
                   false;
        if (!weights_only && !check_for_pickle(name, value, is_stream))
            return false;
    }
    return true;
}

/* What torch.load() adds to them. */
static bool add_encoding(const arguments *a)
{
    if (PyDict_GetItemString(a->rest, "encoding"))
        return true;
    PyObject *encoding = PyUnicode_FromString("utf-8");
    bool well = encoding && PyDict_SetItemString(a->rest, "encoding", encoding) == 0;
    Py_XDECREF(encoding);
    return well;
}

/* Whether fix_imports=False was said: names of Python 2 stay what they are. */
static bool keeps_names(const arguments *a)
{
    PyObject *value = PyDict_GetItemString(a->rest, "fix_imports");
    return value && PyObject_IsTrue(value) == 0;
}

/* ---- the load ---- */

/* What one load holds. */
typedef struct loading {
    module_state *state;
    arguments arguments;
    input input;
    blocks *blocks;
    ptio_report *report;
    allowed_list allowed;
    bare_location location;
    bool wants_map; /* mmap=True, whatever the file */
    ptio_load_options options;
} loading;

/* torch.load()'s look at a caller's own pickle_module. */
static bool check_module(const loading *l)
{
    PyObject *module = l->arguments.pickle_module;
    if (!l->state->torch || module == Py_None)
        return true;
    PyObject *done = PyObject_CallMethod(l->state->torch->serialization, "_check_dill_version", "(O)", module);
    Py_XDECREF(done);
    return done != NULL;
}

static bool prepare(loading *l)
{
    const arguments *a = &l->arguments;
    ptio_load_options *o = &l->options;
    *o = (ptio_load_options){PTIO_LOAD_OPTIONS, .threads = PTIO_ALL_THREADS};
    if (!decide_weights_only(a, &o->weights_only) || !mapping_flag(l->state, a, &l->wants_map) || !check_module(l) ||
        !shared_flag(l->state, &o->mmap_shared) || !byte_order(l->state, &o->byte_order) ||
        !text_argument(a, "encoding", "utf-8", &o->encoding) || !text_argument(a, "errors", "strict", &o->errors))
        return false;
    o->mmap = l->wants_map && is_path(a->f);
    if (!(l->blocks = blocks_new()))
        return false;
    ptio_error err = {0};
    if (ptio_report_new(NULL, &l->report, &err) != PTIO_OK) {
        raise_error(l->state, &err);
        return false;
    }
    o->memory = blocks_memory(l->blocks);
    o->report = l->report;
    if (o->weights_only && !allowed_get(l->state, &l->allowed))
        return false;
    if (!l->state->torch) {
        if (!bare_location_get(a->map_location, &l->location))
            return false;
        o->map_location = l->location.is_used ? &l->location.map : NULL;
    }
    o->allow = l->allowed.items;
    o->allow_count = l->allowed.count;
    return input_open(l->state, a->f, &l->input);
}

/* weights_only is made for protocol 2, which PyTorch says of others, whether it takes them or not. False where that is an error. */
static bool warn_protocol(const loading *l, const ptio_checkpoint_info *info)
{
    bool is_its_own = info->container == PTIO_CONTAINER_ZIP || info->container == PTIO_CONTAINER_LEGACY;
    return !l->options.weights_only || !l->state->torch || !is_its_own || info->protocol <= 2 ||
           PyErr_WarnFormat(PyExc_UserWarning, 1,
                            "Detected pickle protocol %u in the checkpoint, which was not the default pickle protocol used by "
                            "`torch.load` (2). The weights_only Unpickler might not support all instructions implemented by "
                            "this protocol, please file an issue for adding support if you encounter this.",
                            info->protocol) == 0;
}

/* TorchScript archives, tar files and other pickles are refused in sentences of their own. */
static PyObject *refused(loading *l, const ptio_error *err)
{
    ptio_load_options options = l->options;
    ptio_checkpoint *ckpt = NULL;
    ptio_error again = {0};
    options.weights_only = false;
    options.report = NULL;
    if (input_load(&l->input, &options, &ckpt, &again) != PTIO_OK)
        return PyErr_Occurred() ? NULL : raise_refusal(l->state, err, l->report);
    ptio_checkpoint_info info;
    ptio_checkpoint_describe_briefly(ckpt, &info);
    ptio_checkpoint_free(ckpt);
    if (!warn_protocol(l, &info))
        return NULL;
    if (strcmp(err->reason, "weights-only.container") != 0)
        return raise_refusal(l->state, err, l->report);
    if (info.container == PTIO_CONTAINER_TAR)
        return PyErr_Format(PyExc_RuntimeError, "Cannot use ``weights_only=True`` with files saved in the legacy .tar format. %s",
                            weights_only_advice());
    if (info.container == PTIO_CONTAINER_PICKLE)
        return PyErr_Format(PyExc_RuntimeError, "Invalid magic number; corrupt file?");
    if (info.container != PTIO_CONTAINER_TORCHSCRIPT)
        return raise_refusal(l->state, err, l->report);
    if (warn_torchscript() < 0)
        return NULL;
    return PyErr_Format(PyExc_RuntimeError,
                        "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. %s",
                        weights_only_advice());
}

static void raise_not_mappable(const loading *l)
{
    PyObject *name = PyUnicode_Check(l->arguments.f) ? PyUnicode_FromFormat("%U, ", l->arguments.f) : PyUnicode_FromString("");
    if (name)
        PyErr_Format(PyExc_RuntimeError,
                     "mmap can only be used with files saved with `torch.save(%U_use_new_zipfile_serialization=True), "
                     "please torch.save your checkpoint with this option in order to use mmap.",
                     name);
    Py_XDECREF(name);
}

static bool is_mappable(loading *l, ptio_container container)
{
    if (!l->wants_map || container >= PTIO_CONTAINER_TORCHSCRIPT)
        return true;
    if (container == PTIO_CONTAINER_ZIP && !l->options.mmap)
        PyErr_SetString(PyExc_ValueError, "f must be a file path in order to use the mmap argument");
    if (container == PTIO_CONTAINER_ZIP)
        return l->options.mmap;
    raise_not_mappable(l);
    return false;
}

static PyObject *failed(loading *l, const ptio_error *err)
{
    if (PyErr_Occurred())
        return NULL;
    if (l->wants_map && err->reason && strncmp(err->reason, "not.", 4) == 0)
        return raise_not_mappable(l), NULL;
    if (err->reason && strcmp(err->reason, "dcp.no-metadata") == 0 && l->input.path) {
        errno = EISDIR;
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, l->input.path);
    }
    return err->status == PTIO_ERR_DENIED && err->reason ? refused(l, err) : raise_error(l->state, err);
}

/* Classes that weights_only takes once their module is imported, which then says so itself. Without PyTorch no class is needed. */
static bool all_imported(loading *l)
{
    const ptio_finding *found;
    if (!l->state->torch)
        return true;
    for (size_t i = 0; (found = ptio_report_finding(l->report, i)); i++)
        if (strcmp(found->reason, "weights-only.import") == 0 && !allowed_has(&l->allowed, found->module, found->name))
            return raise_import(l->state, found->module), false;
    return true;
}

/* pickle_module where it is another than Python's own; NULL without an exception where it is not. */
static PyObject *own_unpickler(const loading *l)
{
    PyObject *module = l->arguments.pickle_module, *pickle = module == Py_None ? NULL : PyImport_ImportModule("pickle");
    bool is_own = pickle && pickle != module && l->state->torch;
    Py_XDECREF(pickle);
    return is_own ? module : NULL;
}

/* Takes the checkpoint over. Where its bytes could not be read, the error says why and no exception is set. */
static PyObject *objects(loading *l, ptio_checkpoint *ckpt, ptio_error *err)
{
    ptio_checkpoint_info info;
    ptio_checkpoint_describe_briefly(ckpt, &info);
    if (!is_mappable(l, info.container) || !warn_protocol(l, &info) || !all_imported(l)) {
        ptio_checkpoint_free(ckpt);
        return NULL;
    }
    if (info.container == PTIO_CONTAINER_TORCHSCRIPT && l->state->torch) {
        ptio_checkpoint_free(ckpt);
        return load_torchscript(l->state, l->arguments.f, &l->input, l->arguments.map_location);
    }
    PyObject *own = own_unpickler(l);
    bool is_stream = info.container != PTIO_CONTAINER_ZIP;
    if (own ? !add_encoding(&l->arguments) : !check_load_args(&l->arguments, l->options.weights_only, is_stream)) {
        ptio_checkpoint_free(ckpt);
        return NULL;
    }
    build_options options = {.mapped = l->options.mmap,
                             .without_gil = l->input.path != NULL,
                             .info = &info,
                             .input = &l->input,
                             .map_location = l->arguments.map_location,
                             .pickle_module = own,
                             .keeps_names = keeps_names(&l->arguments),
                             .pickle_load_args = l->arguments.rest,
                             .allowed = l->allowed.objects};
    PyObject *result = build_objects(l->state, ckpt, l->blocks, &options, err);
    if (result && !input_leave(&l->input))
        Py_CLEAR(result);
    return result;
}

/* Bytes that do not fit their checksum: torch.load() compares none and takes them. So are they here, but not without a word. */
static bool warn_damaged(loading *l, const ptio_error *err)
{
    l->options.no_crc32 = true;
    return PyErr_WarnFormat(PyExc_UserWarning, 1, "%s: %s; its bytes are taken as they are, as torch.load() does", err->record,
                            err->message) == 0;
}

static PyObject *load(loading *l)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    PyObject *result = input_load(&l->input, &l->options, &ckpt, &err) == PTIO_OK ? objects(l, ckpt, &err) : NULL;
    if (result || PyErr_Occurred())
        return result;
    if (!l->options.no_crc32 && err.status == PTIO_ERR_FORMAT && strcmp(err.reason, "zip.crc") == 0)
        return warn_damaged(l, &err) ? load(l) : NULL;
    return failed(l, &err);
}

PyObject *py_load(PyObject *module, PyObject *args, PyObject *keywords)
{
    loading l = {.state = state_of(module)};
    PyObject *result = NULL;
    if (parse(&l.arguments, args, keywords) && (torch_get(l.state) || !PyErr_Occurred()) && prepare(&l))
        result = load(&l);
    input_close(&l.input);
    blocks_free(l.blocks);
    ptio_report_free(l.report);
    allowed_free(&l.allowed);
    bare_location_free(&l.location);
    parse_end(&l.arguments);
    return result;
}
