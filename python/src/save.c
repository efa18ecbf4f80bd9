/*
 * ptio.save() of PyTorch's objects.
 *
 * Python's own Pickler walks the objects, since only Python knows how each wants to be pickled; what it asks on the way is answered
 * here: which objects are storages, and how plain tensors are reduced. Archive and stream are written by ptio. The bytes are
 * those of torch.save().
 *
 * Tensor.__reduce_ex__() is a page of Python for each tensor. Of a plain one, on the CPU, strided, without attributes, it always comes to
 * _rebuild_tensor_v2 over a TypedStorage, so that is given at once, and the storage stands for itself.
 *
 * Source: torch/serialization.py: save, _save, _legacy_save; torch/_tensor.py: __reduce_ex__
 */
#include "save.h"
#include "tensor.h"

#include <stdlib.h>
#include <string.h>

const char save_doc[] =
    "save(obj, f, pickle_module=None, pickle_protocol=2, _use_new_zipfile_serialization=True, "
    "_disable_byteorder_record=False)\n--\n\n"
    "Save an object as torch.save() does: the file is, byte for byte, the same.\n\n"
    "f: a path, or an object with write() and flush(). The file at a path is replaced when the new one is whole\n"
    "pickle_module: a module whose Pickler is used (default: pickle)\n"
    "pickle_protocol: of the pickle\n\n"
    "Where PyTorch cannot be imported, dictionaries, lists, numbers, texts, NumPy arrays and ptio.Tensor can be saved.";

static bool is_instance(PyObject *object, PyObject *class, bool *ret)
{
    int is = PyObject_IsInstance(object, class);
    *ret = is == 1;
    return is >= 0;
}

/* ---- storages ---- */

/* What a storage is in the file. */
typedef struct stored {
    PyObject *storage; /* torch.UntypedStorage */
    PyObject *dtype;
    PyObject *type; /* torch.FloatStorage */
    PyObject *numel;
    PyObject *location; /* NULL: to be asked of torch.serialization.location_tag() */
} stored;

static void stored_clear(stored *s)
{
    Py_CLEAR(s->storage);
    Py_CLEAR(s->dtype);
    Py_CLEAR(s->type);
    Py_CLEAR(s->numel);
    Py_CLEAR(s->location);
}

/* Two dtypes over the same memory cannot be told apart by who loads them. */
static bool check_dtype(saver *s, const stored *what)
{
    PyObject *address = PyObject_CallMethodObjArgs(what->storage, NAME(s->state, data_ptr), NULL);
    if (!address)
        return false;
    bool well = true;
    if (PyObject_IsTrue(address)) {
        PyObject *before = PyDict_GetItemWithError(s->dtypes, address);
        if (before && before != what->dtype) {
            PyErr_SetString(PyExc_RuntimeError,
                            "Cannot save multiple tensors or storages that view the same data as different types");
            well = false;
        } else if (!before) {
            well = PyDict_SetItem(s->dtypes, address, what->dtype) == 0;
        }
    }
    Py_DECREF(address);
    return well;
}

static bool is_meta(saver *s, PyObject *storage)
{
    PyObject *device = PyObject_GetAttr(storage, NAME(s->state, device)), *text = device ? PyObject_Str(device) : NULL;
    bool is = text && PyUnicode_CompareWithASCIIString(text, "meta") == 0;
    Py_XDECREF(device);
    Py_XDECREF(text);
    return is;
}

/* The first time a storage is met it is put into the list. */
static PyObject *first_key(saver *s, const stored *what, PyObject *identity)
{
    PyObject *number = s->legacy ? Py_NewRef(identity) : PyLong_FromSsize_t(PyDict_Size(s->keys));
    PyObject *text = number ? PyObject_Str(number) : NULL;
    PyObject *entry = text ? PyTuple_Pack(3, text, what->storage, what->dtype) : NULL;
    if (!entry || PyDict_SetItem(s->keys, identity, text) < 0 || PyList_Append(s->storages, entry) < 0)
        Py_CLEAR(text);
    Py_XDECREF(number);
    Py_XDECREF(entry);
    return text;
}

/* The key that a storage has in the file. In a stream it is an address, made a new text each time; in an archive it is one text. */
static PyObject *key_of(saver *s, const stored *what)
{
    PyObject *identity = PyObject_GetAttr(what->storage, NAME(s->state, _cdata));
    PyObject *known = identity ? PyDict_GetItemWithError(s->keys, identity) : NULL, *key = NULL;
    if (known)
        key = s->legacy ? PyObject_Str(identity) : Py_NewRef(known);
    else if (identity && !PyErr_Occurred())
        key = first_key(s, what, identity);
    Py_XDECREF(identity);
    return key;
}

/* ("storage", type, key, location, numel) */
static PyObject *storage_id(saver *s, stored *what)
{
    if ((s->legacy || !is_meta(s, what->storage)) && !PyErr_Occurred() && !check_dtype(s, what))
        return NULL;
    PyObject *key = PyErr_Occurred() ? NULL : key_of(s, what);
    if (key && !what->location)
        what->location = PyObject_CallFunctionObjArgs(s->location_tag, what->storage, NULL);
    PyObject *word = NAME(s->state, storage), *id = NULL;
    if (key && what->location)
        id = s->legacy ? PyTuple_Pack(6, word, what->type, key, what->location, what->numel, Py_None)
                       : PyTuple_Pack(5, word, what->type, key, what->location, what->numel);
    Py_XDECREF(key);
    return id;
}

/* A tensor that reduce_tensor() has just taken apart. */
static PyObject *pending_id(saver *s)
{
    PyObject *size = PyObject_CallMethodObjArgs(s->pending, NAME(s->state, nbytes), NULL);
    unsigned long long nbytes = size ? PyLong_AsUnsignedLongLong(size) : 0;
    stored what = {.storage = Py_NewRef(s->pending),
                   .dtype = Py_NewRef(s->pending_dtype),
                   .type = Py_NewRef(s->pending_type),
                   .numel = PyLong_FromUnsignedLongLong(nbytes / s->pending_itemsize),
                   .location = s->cpu_is_plain ? Py_NewRef(NAME(s->state, cpu)) : NULL};
    s->pending = NULL;
    PyObject *id = size && what.numel ? storage_id(s, &what) : NULL;
    Py_XDECREF(size);
    stored_clear(&what);
    return id;
}

static bool describe_typed(saver *s, PyObject *object, stored *what)
{
    PyObject *name = PyObject_CallMethodObjArgs(object, NAME(s->state, _pickle_storage_type), NULL);
    what->type = name ? PyObject_GetAttr(s->torch->torch, name) : NULL;
    Py_XDECREF(name);
    return what->type && (what->storage = PyObject_GetAttr(object, NAME(s->state, _untyped_storage))) &&
           (what->dtype = PyObject_GetAttr(object, NAME(s->state, dtype))) &&
           (what->numel = PyObject_CallMethodObjArgs(object, NAME(s->state, _size), NULL));
}

static bool describe_untyped(saver *s, PyObject *object, stored *what)
{
    PyObject *type = (PyObject *)Py_TYPE(object);
    what->storage = Py_NewRef(object);
    return (what->dtype = Py_XNewRef(torch_dtype(s->torch, PTIO_UINT8))) &&
           (what->type = PyObject_CallMethod(s->torch->serialization, "normalize_storage_type", "(O)", type)) &&
           (what->numel = PyObject_CallMethodObjArgs(object, NAME(s->state, nbytes), NULL));
}

/* That of a tensor under FakeTensorMode. */
static bool fake_location(saver *s, PyObject *object, stored *what)
{
    PyObject *device = PyObject_GetAttr(object, NAME(s->state, _fake_device));
    if (!device)
        PyErr_Clear();
    else if (device != Py_None)
        what->location = PyObject_Str(device);
    Py_XDECREF(device);
    return !PyErr_Occurred();
}

static PyObject *object_id(saver *s, PyObject *object, bool typed)
{
    stored what = {0};
    PyObject *id = NULL;
    if ((typed ? describe_typed(s, object, &what) : describe_untyped(s, object, &what)) &&
        (s->legacy || fake_location(s, object, &what)))
        id = storage_id(s, &what);
    stored_clear(&what);
    return id;
}

/* ("module", class, source file, source): the stream of PyTorch before 1.6 keeps the source of modules. */
static PyObject *module_id(saver *s, PyObject *class)
{
    int known = PySet_Contains(s->classes, class);
    if (known != 0 || PySet_Add(s->classes, class) < 0)
        return known < 0 || PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyObject *file = NULL, *source = class_source(class, &file);
    if (!source && (PyErr_Occurred() || !warn_no_source(s->state, class)))
        return NULL;
    if (!source) {
        source = Py_NewRef(Py_None);
        file = Py_NewRef(Py_None);
    }
    PyObject *word = PyUnicode_InternFromString("module");
    PyObject *id = word ? PyTuple_Pack(4, word, class, file, source) : NULL;
    Py_XDECREF(word);
    Py_DECREF(file);
    Py_DECREF(source);
    return id;
}

/* What an object of this type is to persistent_id(). Asked of PyTorch once for each type. */
typedef enum sort { OTHER, TYPED, UNTYPED, CLASS } sort;

static bool find_sort(saver *s, PyObject *object, sort *ret)
{
    PyObject *type = (PyObject *)Py_TYPE(object), *known = PyDict_GetItemWithError(s->sorts, type);
    if (known) {
        *ret = (sort)PyLong_AsLong(known);
        return true;
    }
    bool typed = false, untyped = false, class = s->legacy && PyType_Check(object);
    if (PyErr_Occurred() || !is_instance(object, s->torch->typed_storage, &typed))
        return false;
    if (!typed) {
        PyObject *is = PyObject_CallMethod(s->torch->torch, "is_storage", "(O)", object);
        untyped = is && PyObject_IsTrue(is) == 1;
        Py_XDECREF(is);
    }
    *ret = typed ? TYPED : untyped ? UNTYPED : class ? CLASS : OTHER;
    PyObject *number = PyErr_Occurred() ? NULL : PyLong_FromLong(*ret);
    bool well = number && PyDict_SetItem(s->sorts, type, number) == 0;
    Py_XDECREF(number);
    return well;
}

static saver *saver_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, SAVER_NAME);
}

static PyObject *persistent_id(PyObject *self, PyObject *object)
{
    saver *s = saver_of(self);
    sort what;
    if (object == s->pending && s->pending)
        return pending_id(s);
    if (!find_sort(s, object, &what))
        return NULL;
    if (what == TYPED || what == UNTYPED)
        return object_id(s, object, what == TYPED);
    if (what == CLASS && PyType_IsSubtype((PyTypeObject *)object, (PyTypeObject *)s->module_class))
        return module_id(s, object);
    return Py_NewRef(Py_None);
}

/* ---- tensors ---- */

/* Whether it has nothing beside its elements: no attributes, no hooks, and the dispatch keys of a dense tensor on the CPU. */
static bool is_plain(saver *s, PyObject *tensor)
{
    PyObject *attributes = PyObject_GetAttr(tensor, NAME(s->state, __dict__));
    bool plain = attributes && PyDict_Check(attributes) && PyDict_Size(attributes) == 0;
    Py_XDECREF(attributes);
    PyObject *hooks = plain ? PyObject_GetAttr(tensor, NAME(s->state, _backward_hooks)) : NULL;
    plain = plain && hooks && (hooks == Py_None || PyObject_IsTrue(hooks) == 0);
    Py_XDECREF(hooks);
    PyObject *keys = plain ? PyObject_CallFunctionObjArgs(s->dispatch_keys, tensor, NULL) : NULL;
    PyObject *bits = keys ? PyObject_CallMethodObjArgs(keys, NAME(s->state, raw_repr), NULL) : NULL;
    plain = bits && PyObject_RichCompareBool(bits, s->plain_keys, Py_EQ) == 1;
    Py_XDECREF(keys);
    Py_XDECREF(bits);
    return plain && !PyErr_Occurred();
}

/* The storage type and element size of a dtype: (torch.FloatStorage, 4), borrowed; None where it has no storage of its own. */
static PyObject *type_of_dtype(saver *s, PyObject *dtype)
{
    PyObject *known = PyDict_GetItemWithError(s->types, dtype);
    if (known || PyErr_Occurred())
        return known;
    PyObject *name = PyDict_GetItemWithError(s->type_names, dtype);
    PyObject *type = name ? PyObject_GetAttr(s->torch->torch, name) : NULL;
    PyObject *size = type ? PyObject_GetAttrString(dtype, "itemsize") : NULL;
    PyObject *entry = name ? (size ? PyTuple_Pack(2, type, size) : NULL) : Py_NewRef(Py_None);
    if (entry && PyDict_SetItem(s->types, dtype, entry) < 0)
        Py_CLEAR(entry);
    Py_XDECREF(type);
    Py_XDECREF(size);
    Py_XDECREF(entry);
    return PyErr_Occurred() ? NULL : PyDict_GetItemWithError(s->types, dtype);
}

/* size() as a tuple, which torch.Size is not to the Pickler. */
static PyObject *shape_of(saver *s, PyObject *tensor)
{
    PyObject *size = PyObject_CallMethodObjArgs(tensor, NAME(s->state, size), NULL), *list = size ? PySequence_List(size) : NULL;
    PyObject *shape = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(size);
    Py_XDECREF(list);
    return shape;
}

/* (storage, offset, size, stride, requires_grad, no hooks) */
static PyObject *tensor_arguments(saver *s, PyObject *tensor, PyObject *storage)
{
    PyObject *offset, *shape = NULL, *stride = NULL, *requires = NULL, *hooks = NULL, *args = NULL;
    if ((offset = PyObject_CallMethodObjArgs(tensor, NAME(s->state, storage_offset), NULL)) && (shape = shape_of(s, tensor)) &&
        (stride = PyObject_CallMethodObjArgs(tensor, NAME(s->state, stride), NULL)) &&
        (requires = PyObject_GetAttr(tensor, NAME(s->state, requires_grad))) &&
        (hooks = PyObject_CallNoArgs(s->state->ordered_dict)))
        args = PyTuple_Pack(6, storage, offset, shape, stride, requires, hooks);
    Py_XDECREF(offset);
    Py_XDECREF(shape);
    Py_XDECREF(stride);
    Py_XDECREF(requires);
    Py_XDECREF(hooks);
    return args;
}

static PyObject *reduce_tensor(saver *s, PyObject *tensor)
{
    if (!is_plain(s, tensor))
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_NotImplemented);
    PyObject *dtype = PyObject_GetAttr(tensor, NAME(s->state, dtype)), *type = dtype ? type_of_dtype(s, dtype) : NULL;
    PyObject *result = NULL;
    if (type == Py_None) {
        result = Py_NewRef(Py_NotImplemented);
    } else if (type) {
        PyObject *storage = PyObject_CallMethodObjArgs(tensor, NAME(s->state, untyped_storage), NULL);
        PyObject *args = storage ? tensor_arguments(s, tensor, storage) : NULL;
        if (args) {
            s->pending = storage;     /* held by the arguments */
            s->pending_dtype = dtype; /* held by its type, as all dtypes are */
            s->pending_type = PyTuple_GetItem(type, 0);
            s->pending_itemsize = PyLong_AsUnsignedLongLong(PyTuple_GetItem(type, 1));
            result = PyTuple_Pack(2, s->rebuild_tensor, args);
        }
        Py_XDECREF(storage);
        Py_XDECREF(args);
    }
    Py_XDECREF(dtype);
    return result;
}

static PyObject *reduce_parameter(saver *s, PyObject *parameter)
{
    if (!is_plain(s, parameter))
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_NotImplemented);
    PyObject *data = PyObject_GetAttr(parameter, NAME(s->state, data));
    PyObject *requires = data ? PyObject_GetAttr(parameter, NAME(s->state, requires_grad)) : NULL;
    PyObject *hooks = requires ? PyObject_CallNoArgs(s->state->ordered_dict) : NULL;
    PyObject *args = hooks ? PyTuple_Pack(3, data, requires, hooks) : NULL;
    PyObject *result = args ? PyTuple_Pack(2, s->rebuild_parameter, args) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(requires);
    Py_XDECREF(hooks);
    Py_XDECREF(args);
    return result;
}

/* A ptio.Tensor is saved as the tensor of PyTorch over the same memory. */
static PyObject *reduce_own(saver *s, PyObject *own)
{
    PyObject *tensor = PyObject_CallMethod(s->torch->torch, "from_dlpack", "O", own);
    PyObject *result = tensor ? reduce_tensor(s, tensor) : NULL;
    if (result == Py_NotImplemented) /* of uint16, for example */
        set_reference(&result, PyObject_CallMethod(tensor, "__reduce_ex__", "O", s->protocol));
    Py_XDECREF(tensor);
    return result;
}

static PyObject *reducer_override(PyObject *self, PyObject *object)
{
    saver *s = saver_of(self);
    if (is_tensor(s->state, object))
        return reduce_own(s, object);
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type == s->torch->tensor)
        return reduce_tensor(s, object);
    return type == s->torch->parameter ? reduce_parameter(s, object) : Py_NewRef(Py_NotImplemented);
}

/* ---- the pickle ---- */

static PyMethodDef persistent_id_method = {"persistent_id", persistent_id, METH_O, NULL};
static PyMethodDef reducer_method = {"reducer_override", reducer_override, METH_O, NULL};

/* A subclass of pickle_module.Pickler that asks us. */
static PyObject *pickler_class(saver *s, PyObject *capsule)
{
    PyObject *base = PyObject_GetAttrString(s->pickle_module, "Pickler");
    PyObject *ask = PyCFunction_New(&persistent_id_method, capsule), *reduce = PyCFunction_New(&reducer_method, capsule);
    PyObject *members = ask && reduce ? Py_BuildValue("{sOsO}", "persistent_id", ask, "__module__", NAME(s->state, ptio)) : NULL;
    PyObject *class = NULL;
    if (members && (!s->fast || PyDict_SetItem(members, NAME(s->state, reducer_override), reduce) == 0) && base)
        class = PyObject_CallFunction((PyObject *)&PyType_Type, "s(O)O", "Pickler", base, members);
    Py_XDECREF(members);
    Py_XDECREF(ask);
    Py_XDECREF(reduce);
    Py_XDECREF(base);
    return class;
}

/* The pickle of the object, appended to what is in `buffer`, a BytesIO. */
static bool pickle_object(saver *s, PyObject *object, PyObject *buffer, PyObject *capsule)
{
    PyObject *class = pickler_class(s, capsule), *args = class ? PyTuple_Pack(1, buffer) : NULL;
    PyObject *keywords = args ? Py_BuildValue("{sO}", "protocol", s->protocol) : NULL;
    PyObject *pickler = keywords ? PyObject_Call(class, args, keywords) : NULL;
    /* The Pickler keeps all that it makes, so to look for garbage every few hundred tuples would be for nothing. */
    int collects = PyGC_Disable();
    PyObject *done = pickler ? PyObject_CallMethodObjArgs(pickler, NAME(s->state, dump), object, NULL) : NULL;
    if (collects)
        PyGC_Enable();
    Py_XDECREF(pickler);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(class);
    Py_XDECREF(done);
    return done != NULL;
}

/* ---- the archive ---- */

/* The storage on the CPU: itself, or a copy. */
static PyObject *on_cpu(saver *s, PyObject *storage)
{
    PyObject *device = PyObject_GetAttr(storage, NAME(s->state, device));
    PyObject *type = device ? PyObject_GetAttr(device, NAME(s->state, type)) : NULL;
    bool is_cpu = type && PyUnicode_CompareWithASCIIString(type, "cpu") == 0;
    Py_XDECREF(device);
    Py_XDECREF(type);
    if (is_cpu)
        return Py_NewRef(storage);
    return PyErr_Occurred() ? NULL : PyObject_CallMethodObjArgs(storage, NAME(s->state, cpu), NULL);
}

static bool bytes_of(saver *s, PyObject *storage, const void **data, uint64_t *nbytes)
{
    PyObject *address = PyObject_CallMethodObjArgs(storage, NAME(s->state, data_ptr), NULL);
    PyObject *size = address ? PyObject_CallMethodObjArgs(storage, NAME(s->state, nbytes), NULL) : NULL;
    if (size) {
        *data = PyLong_AsVoidPtr(address);
        *nbytes = PyLong_AsUnsignedLongLong(size);
    }
    Py_XDECREF(address);
    Py_XDECREF(size);
    return !PyErr_Occurred();
}

/* Writes of so many bytes let other threads of Python run meanwhile. */
#define LONG_WRITE ((uint64_t)64 << 10)

#define ABOUT_RECORD 200 /* what is around the data of a record, in front and in the directory */
#define ABOUT_ALL 2000

static bool write_record(saver *s, ptio_writer *writer, const char *name, const void *data, uint64_t size)
{
    ptio_error err = {0};
    PyThreadState *thread = s->out.path && size >= LONG_WRITE ? PyEval_SaveThread() : NULL;
    ptio_status status = ptio_writer_add(writer, name, data, size, &err);
    if (thread)
        PyEval_RestoreThread(thread);
    return status == PTIO_OK || (raise_error(s->state, &err), false);
}

static bool write_hole(saver *s, ptio_writer *writer, const char *name, PyObject *storage)
{
    PyObject *size = PyObject_CallMethodObjArgs(storage, NAME(s->state, nbytes), NULL);
    uint64_t nbytes = size ? PyLong_AsUnsignedLongLong(size) : 0;
    ptio_error err = {0};
    Py_XDECREF(size);
    if (PyErr_Occurred())
        return false;
    return ptio_writer_add_hole(writer, name, nbytes, &err) == PTIO_OK || (raise_error(s->state, &err), false);
}

static bool write_storage(saver *s, ptio_writer *writer, PyObject *entry)
{
    char name[64] = "data/";
    const char *key = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(entry, 0), NULL);
    if (!key || strlen(key) >= sizeof name - 5)
        return false;
    strcpy(name + 5, key);
    PyObject *storage = PyTuple_GetItem(entry, 1);
    if (s->skip_data)
        return write_hole(s, writer, name, storage);
    PyObject *near = on_cpu(s, storage);
    const void *data = NULL;
    uint64_t nbytes = 0;
    bool well = near && bytes_of(s, near, &data, &nbytes) && write_record(s, writer, name, data, nbytes);
    Py_XDECREF(near);
    return well;
}

/* About how much there will be, so that the file system can lay it side by side: for each record some bytes more than its data. */
static bool expect_size(saver *s, Py_ssize_t pickle_size)
{
    uint64_t size = (uint64_t)pickle_size + ABOUT_ALL;
    ptio_error err = {0};
    for (Py_ssize_t i = 0; i < PyList_Size(s->storages); i++) {
        PyObject *nbytes =
            PyObject_CallMethodObjArgs(PyTuple_GetItem(PyList_GetItem(s->storages, i), 1), NAME(s->state, nbytes), NULL);
        size += nbytes ? PyLong_AsUnsignedLongLong(nbytes) + ABOUT_RECORD + s->alignment : 0;
        Py_XDECREF(nbytes);
    }
    if (PyErr_Occurred())
        return false;
    return s->skip_data || ptio_sink_expect(s->out.sink, size, false, &err) == PTIO_OK || (raise_error(s->state, &err), false);
}

static bool write_text(saver *s, ptio_writer *writer, const char *name, const char *text)
{
    return write_record(s, writer, name, text, strlen(text));
}

static bool write_records(saver *s, ptio_writer *writer, PyObject *pickle)
{
    const uint16_t one = 1;
    char *bytes, alignment[24];
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(pickle, &bytes, &size) < 0 || !expect_size(s, size) ||
        !write_record(s, writer, "data.pkl", bytes, (uint64_t)size) || !write_text(s, writer, ".format_version", "1"))
        return false;
    PyOS_snprintf(alignment, sizeof alignment, "%lu", (unsigned long)s->alignment);
    if (!write_text(s, writer, ".storage_alignment", alignment) ||
        (!s->no_byteorder && !write_text(s, writer, "byteorder", *(const char *)&one ? "little" : "big")))
        return false;
    for (Py_ssize_t i = 0; i < PyList_Size(s->storages); i++)
        if (!write_storage(s, writer, PyList_GetItem(s->storages, i)))
            return false;
    return true;
}

bool save_archive(saver *s, PyObject *object, PyObject *capsule)
{
    PyObject *buffer = PyObject_CallNoArgs(s->bytes_io), *pickle = NULL;
    ptio_writer *writer = NULL;
    ptio_error err = {0};
    bool well = false;
    ptio_writer_options options = {.struct_size = sizeof options,
                                   .root = output_root(&s->out),
                                   .alignment = s->alignment,
                                   .no_crc32 = s->no_crc32,
                                   .threads = PTIO_ALL_THREADS};
    if (!buffer || !pickle_object(s, object, buffer, capsule) || !(pickle = PyObject_CallMethod(buffer, "getvalue", NULL)))
        goto end;
    if (ptio_writer_open(s->out.sink, &options, &writer, &err) != PTIO_OK) {
        raise_error(s->state, &err);
        goto end;
    }
    well = write_records(s, writer, pickle);
    if (well && ptio_writer_finish(writer, &err) != PTIO_OK) {
        raise_error(s->state, &err);
        well = false;
    }
end:
    ptio_writer_free(writer);
    Py_XDECREF(pickle);
    Py_XDECREF(buffer);
    return well;
}

/* ---- the stream ---- */

/* pickle_module.dump(value, buffer, protocol=…). Takes the value. */
static bool dump(saver *s, PyObject *value, PyObject *buffer)
{
    PyObject *function = PyObject_GetAttr(s->pickle_module, NAME(s->state, dump));
    PyObject *args = value ? PyTuple_Pack(2, value, buffer) : NULL;
    PyObject *keywords = args ? Py_BuildValue("{sO}", "protocol", s->protocol) : NULL;
    PyObject *done = function && keywords ? PyObject_Call(function, args, keywords) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_XDECREF(value);
    Py_XDECREF(done);
    return done != NULL;
}

static bool write_bytes(saver *s, const void *data, size_t size)
{
    ptio_error err = {0};
    PyThreadState *thread = s->out.path && size >= LONG_WRITE ? PyEval_SaveThread() : NULL;
    ptio_status status = ptio_sink_write(s->out.sink, data, size, &err);
    if (thread)
        PyEval_RestoreThread(thread);
    return status == PTIO_OK || (raise_error(s->state, &err), false);
}

/* Its number of elements, then its bytes. */
static bool write_stream_storage(saver *s, PyObject *entry)
{
    PyObject *near = on_cpu(s, PyTuple_GetItem(entry, 1)), *size = NULL;
    const void *data = NULL;
    uint64_t nbytes = 0;
    bool well =
        near && bytes_of(s, near, &data, &nbytes) && (size = PyObject_GetAttrString(PyTuple_GetItem(entry, 2), "itemsize"));
    unsigned long long itemsize = size ? PyLong_AsUnsignedLongLong(size) : 1;
    unsigned char count[8];
    for (size_t i = 0; i < sizeof count; i++)
        count[i] = (unsigned char)(nbytes / itemsize >> (8 * i));
    well = well && write_bytes(s, count, sizeof count) && write_bytes(s, data, (size_t)nbytes);
    Py_XDECREF(size);
    Py_XDECREF(near);
    return well;
}

static bool write_stream_storages(saver *s, PyObject *buffer)
{
    /* In the order of their keys, as texts; entries begin with them. */
    PyObject *keys = PyList_New(0), *by_key = PyDict_New();
    bool well = keys && by_key;
    for (Py_ssize_t i = 0; well && i < PyList_Size(s->storages); i++) {
        PyObject *entry = PyList_GetItem(s->storages, i), *key = PyTuple_GetItem(entry, 0);
        well = PyList_Append(keys, key) == 0 && PyDict_SetItem(by_key, key, entry) == 0;
    }
    well = well && PyList_Sort(keys) == 0 && dump(s, Py_NewRef(keys), buffer);
    PyObject *head = well ? PyObject_CallMethod(buffer, "getvalue", NULL) : NULL;
    char *bytes;
    Py_ssize_t size;
    well = head && PyBytes_AsStringAndSize(head, &bytes, &size) == 0 && write_bytes(s, bytes, (size_t)size);
    for (Py_ssize_t i = 0; well && i < PyList_Size(keys); i++)
        well = write_stream_storage(s, PyDict_GetItemWithError(by_key, PyList_GetItem(keys, i)));
    Py_XDECREF(head);
    Py_XDECREF(keys);
    Py_XDECREF(by_key);
    return well;
}

bool save_stream(saver *s, PyObject *object, PyObject *capsule)
{
    const uint16_t one = 1;
    PyObject *buffer = PyObject_CallNoArgs(s->bytes_io);
    PyObject *magic = buffer ? PyObject_GetAttrString(s->torch->serialization, "MAGIC_NUMBER") : NULL;
    PyObject *version = magic ? PyObject_GetAttrString(s->torch->serialization, "PROTOCOL_VERSION") : NULL;
    PyObject *little = *(const char *)&one ? Py_True : Py_False;
    PyObject *system = version ? Py_BuildValue("{sOsOs{sisisi}}", "protocol_version", version, "little_endian", little,
                                               "type_sizes", "short", 2, "int", 4, "long", 4)
                               : NULL;
    bool well = buffer && magic && system && dump(s, Py_NewRef(magic), buffer) && dump(s, Py_NewRef(version), buffer) &&
                dump(s, Py_NewRef(system), buffer) && pickle_object(s, object, buffer, capsule) &&
                write_stream_storages(s, buffer);
    Py_XDECREF(buffer);
    Py_XDECREF(magic);
    Py_XDECREF(version);
    Py_XDECREF(system);
    return well;
}
