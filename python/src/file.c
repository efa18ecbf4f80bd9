/*
 * ptio.open(): the tensors of a checkpoint by their names, each read when it is asked for.
 *
 * Only the pickle is read when the file is opened, as data: no class of it is imported, so any file is safe. Names are those of
 * ptio_list_tensors(): keys joined by dots, of a whole module those of its state_dict.
 */
#include "file.h"

static module_state *state_of_file(file_object *self)
{
    return PyType_GetModuleState(Py_TYPE((PyObject *)self));
}

/* ---- open and closed ---- */

static void release(file_object *self)
{
    ptio_tensor_list_free(self->list);
    ptio_checkpoint_free(self->ckpt);
    self->list = NULL;
    self->ckpt = NULL;
    input_close(&self->in);
}

static void close_file(file_object *self)
{
    self->is_open = false;
    if (!self->users)
        release(self);
}

void file_use(file_object *self)
{
    self->users++;
}

void file_leave(file_object *self)
{
    if (--self->users == 0 && !self->is_open)
        release(self);
}

static bool is_open(file_object *self)
{
    if (!self->is_open)
        PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
    return self->is_open;
}

static void file_dealloc(PyObject *object)
{
    file_object *self = (file_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    close_file(self);
    Py_XDECREF(self->names);
    Py_XDECREF(self->device);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

bool file_torch(file_object *self, bool *ret)
{
    if (!self->asked_torch) {
        self->with_torch = torch_get(state_of_file(self)) != NULL;
        if (!self->with_torch && PyErr_Occurred())
            return false;
        self->asked_torch = true;
    }
    *ret = self->with_torch;
    return true;
}

/* Whether somebody has imported PyTorch, or said that it cannot be. */
static bool torch_is_decided(void)
{
    PyObject *modules = PyImport_GetModuleDict();
    return modules && PyDict_GetItemString(modules, "torch");
}

/* Of two tensors of one name the first has it. */
static bool fill_names(file_object *self)
{
    size_t count = ptio_tensor_list_count(self->list);
    for (size_t i = 0; i < count; i++) {
        ptio_text text = ptio_tensor_list_entry(self->list, i)->name;
        PyObject *name = PyUnicode_DecodeUTF8(text.bytes ? text.bytes : "", (Py_ssize_t)text.size, "surrogatepass");
        PyObject *number = name ? PyLong_FromSize_t(i) : NULL;
        bool well = number && (PyDict_GetItemWithError(self->names, name) ||
                               (!PyErr_Occurred() && PyDict_SetItem(self->names, name, number) == 0));
        Py_XDECREF(number);
        Py_XDECREF(name);
        if (!well)
            return false;
    }
    return true;
}

static bool open_file(file_object *self, PyObject *f)
{
    module_state *state = state_of_file(self);
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = PTIO_ALL_THREADS};
    ptio_error err = {0};
    if (!(self->names = PyDict_New()) || !input_open(state, f, &self->in))
        return false;
    if (input_load(&self->in, &options, &self->ckpt, &err) != PTIO_OK ||
        ptio_list_tensors(self->ckpt, NULL, &self->list, &err) != PTIO_OK) {
        raise_error(state, &err);
        return false;
    }
    self->is_open = true;
    return fill_names(self);
}

/* map_location: a device, for PyTorch; "cpu" without it. */
static bool find_device(file_object *self, PyObject *where)
{
    if (where == Py_None || (PyUnicode_Check(where) && PyUnicode_CompareWithASCIIString(where, "cpu") == 0))
        return true;
    if (PyDict_Check(where) || PyCallable_Check(where)) {
        PyErr_SetString(PyExc_TypeError, "map_location of ptio.open() is a device, to which each tensor goes");
        return false;
    }
    bool with_torch;
    if (!file_torch(self, &with_torch))
        return false;
    if (!with_torch) {
        PyErr_SetString(PyExc_RuntimeError, "without PyTorch all tensors are on the CPU");
        return false;
    }
    self->device = Py_NewRef(where);
    return true;
}

const char open_doc[] = "open(f, map_location=None)\n--\n\n"
                        "Open a checkpoint for lazy work: tensors are read one by one, when they are asked for.\n\n"
                        "    with ptio.open(\"model.pth\") as f:\n"
                        "        for name in f:\n"
                        "            print(name, f.get_slice(name).shape)\n"
                        "        weight = f[\"layers.0.weight\"]\n"
                        "        rows = f.get_slice(\"layers.0.weight\")[10:20]\n\n"
                        "f: a path, or an object with read(), seek() and tell()\n"
                        "map_location: the device to which tensors of PyTorch go\n\n"
                        "Names are keys joined by dots, of a whole module those of its state_dict. Nothing of the file is "
                        "imported or run. Tensors are\n"
                        "torch.Tensor where PyTorch can be imported, else ptio.Tensor.";

PyObject *py_open(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"f", "map_location", NULL};
    module_state *state = state_of(module);
    PyObject *f, *where = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O:open", names, &f, &where))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(state->file_type, Py_tp_alloc);
    file_object *self = (file_object *)allocate(state->file_type, 0);
    if (!self)
        return NULL;
    bool with_torch;
    if ((torch_is_decided() && !file_torch(self, &with_torch)) || !find_device(self, where) || !open_file(self, f)) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- names ---- */

const ptio_tensor_entry *file_find(file_object *self, PyObject *name)
{
    if (!is_open(self))
        return NULL;
    PyObject *number = PyUnicode_Check(name) ? PyDict_GetItemWithError(self->names, name) : NULL;
    if (!number) {
        PyObject *args = PyErr_Occurred() ? NULL : PyTuple_Pack(1, name);
        if (args)
            PyErr_SetObject(PyExc_KeyError, args);
        Py_XDECREF(args);
        return NULL;
    }
    return ptio_tensor_list_entry(self->list, PyLong_AsSize_t(number));
}

static PyObject *file_keys(PyObject *self, PyObject *none)
{
    (void)none;
    return is_open((file_object *)self) ? PyDict_Keys(((file_object *)self)->names) : NULL;
}

static PyObject *file_iter(PyObject *self)
{
    PyObject *keys = file_keys(self, NULL), *iterator = keys ? PyObject_GetIter(keys) : NULL;
    Py_XDECREF(keys);
    return iterator;
}

static Py_ssize_t file_length(PyObject *self)
{
    return is_open((file_object *)self) ? PyDict_Size(((file_object *)self)->names) : -1;
}

static int file_contains(PyObject *self, PyObject *name)
{
    if (!is_open((file_object *)self))
        return -1;
    return PyUnicode_Check(name) ? PyDict_Contains(((file_object *)self)->names, name) : 0;
}

/* ---- tensors ---- */

static PyObject *file_get(PyObject *self, PyObject *name)
{
    const ptio_tensor_entry *entry = file_find((file_object *)self, name);
    return entry ? file_read((file_object *)self, entry->tensor, NULL) : NULL;
}

static PyObject *file_get_slice(PyObject *self, PyObject *name)
{
    return file_find((file_object *)self, name) ? slice_new(self, name) : NULL;
}

/* ---- what there is to know ---- */

static bool put(PyObject *dict, const char *name, PyObject *value)
{
    bool well = value && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return well;
}

static PyObject *text_or_none(ptio_text text)
{
    return text.size ? PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size, "replace") : Py_NewRef(Py_None);
}

static PyObject *file_metadata(PyObject *object, PyObject *none)
{
    (void)none;
    file_object *self = (file_object *)object;
    if (!is_open(self))
        return NULL;
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(self->ckpt, &info);
    PyObject *dict = PyDict_New();
    if (dict && put(dict, "container", PyUnicode_FromString(info.container_name)) &&
        put(dict, "era", PyUnicode_FromString(info.era)) &&
        put(dict, "byte_order", PyUnicode_FromString(info.byte_order == PTIO_BIG_ENDIAN ? "big" : "little")) &&
        put(dict, "format_version", text_or_none(info.format_version)) &&
        put(dict, "serialization_id", text_or_none(info.serialization_id)) &&
        put(dict, "protocol", PyLong_FromUnsignedLong(info.protocol)) &&
        put(dict, "bytes", PyLong_FromUnsignedLongLong(info.source_bytes)) &&
        put(dict, "storages", PyLong_FromUnsignedLongLong(info.storages)) &&
        put(dict, "storage_bytes", PyLong_FromUnsignedLongLong(info.storage_bytes)))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

static PyObject *get_closed(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(!((file_object *)self)->is_open);
}

static PyObject *file_repr(PyObject *object)
{
    file_object *self = (file_object *)object;
    if (!self->is_open)
        return PyUnicode_FromString("<ptio.File: closed>");
    return PyUnicode_FromFormat("<ptio.File: %zd tensors of %R>", PyDict_Size(self->names),
                                self->in.path ? self->in.path : self->in.object);
}

static PyObject *file_close(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    close_file((file_object *)self);
    return Py_NewRef(Py_None);
}

static PyObject *file_enter(PyObject *self, PyObject *none)
{
    (void)none;
    return is_open((file_object *)self) ? Py_NewRef(self) : NULL;
}

/* ---- the type ---- */

static PyMethodDef methods[] = {
    {"keys", file_keys, METH_NOARGS, "keys($self, /)\n--\n\nThe names of all tensors, in the order of the file: a list."},
    {"get_tensor", file_get, METH_O,
     "get_tensor($self, name, /)\n--\n\nThe tensor of that name, read now: in memory of its own, contiguous, without grad. The "
     "same as "
     "f[name].\n\nA sparse one is sparse, too, with PyTorch, and made dense without it; of a quantized one it is its numbers as "
     "float32."},
    {"get_slice", file_get_slice, METH_O,
     "get_slice($self, name, /)\n--\n\nThe tensor of that name, unread: get_slice(name)[10:20, ::2] reads that part of it."},
    {"metadata", file_metadata, METH_NOARGS,
     "metadata($self, /)\n--\n\nWhat there is to know of the file as a whole: a dict of its container, the releases that write "
     "such files, byte "
     "order, sizes."},
    {"close", file_close, METH_NOARGS, "close($self, /)\n--\n\nClose it. Tensors that were read stay."},
    {"__enter__", file_enter, METH_NOARGS, NULL},
    {"__exit__", file_close, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", get_closed, NULL, "Whether it is closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, file_dealloc},
    {Py_tp_repr, file_repr},
    {Py_tp_iter, file_iter},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_mp_length, file_length},
    {Py_mp_subscript, file_get},
    {Py_sq_contains, file_contains},
    {Py_tp_doc, "An open checkpoint, whose tensors are read when they are asked for: what ptio.open() gives."},
    {0, NULL},
};

PyType_Spec file_spec = {.name = "ptio.File",
                         .basicsize = sizeof(file_object),
                         .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         .slots = slots};
