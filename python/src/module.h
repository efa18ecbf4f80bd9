/*
 * The Python module on top of ptio.h: what its files share.
 *
 *     module.c     the module: its functions and types, its state
 *     raise.c      a ptio_error as the exception that torch would raise
 *     input.c      a path or file-like object as a ptio_source
 *     output.c     the same as a ptio_sink
 *     holder.c     what keeps the bytes of tensors
 *     blocks.c     the memory of storages, each counted by itself, so that it outlives the checkpoint and is freed with its tensor
 *     torch.c      what is needed of PyTorch, where it can be imported
 *     build.c      a loaded graph as Python objects
 *     custom.c     the same by a caller's own Unpickler
 *     reduce.c     how pickle makes an object: calls, __new__, __setstate__
 *     load.c       ptio.load()
 *     save_call.c  ptio.save(): arguments and settings
 *     save.c       what PyTorch's objects are in a file
 *     location.c   map_location where there is no PyTorch
 *     sources.c    source code of modules, in streams of PyTorch before 1.6
 *     script.c     TorchScript archives, which are PyTorch's to run
 *     safe.c       add_safe_globals() and its like
 *     tensor*.c    ptio.Tensor, where there is no PyTorch
 *     plain*.c     ptio.save() without PyTorch
 *     file*.c      ptio.open()
 *
 * It is written against CPython's stable ABI of 3.11: one binary for all releases since. All state is the module's own, so each
 * interpreter has its own.
 *
 * Functions that make Python objects give a new reference, or NULL with an exception set.
 */
#ifndef PTIO_PYTHON_MODULE_H
#define PTIO_PYTHON_MODULE_H

#include <pyconfig.h>
#ifdef Py_GIL_DISABLED
#error "ptio's Python module needs a Python with the global lock: this is a free-threaded build"
#endif

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ptio.h"

/* Names that are looked up or passed often, interned once. */
/* clang-format off */
#define NAMES(X) \
    X(read) X(readinto) X(seek) X(tell) X(write) X(flush) X(release) X(append) X(update) \
    X(__new__) X(__setstate__) X(__dict__) X(__module__) X(__qualname__) X(__name__) X(from_bytes) X(dtype) \
    X(device) X(type) X(data_ptr) X(nbytes) X(untyped_storage) X(requires_grad) X(set_) X(storage_offset) \
    X(size) X(stride) X(_backward_hooks) X(_cdata) X(_untyped_storage) \
    X(_pickle_storage_type) X(_size) \
    X(reducer_override) X(dump) X(load) X(__getinitargs__) X(raw_repr) X(storage) X(data) X(ptio) \
    X(_fake_device) X(_checkpoint_offset) X(skip_data) X(cpu)
/* clang-format on */

enum {
#define NAME_ENUM(name) NAME_##name,
    NAMES(NAME_ENUM)
#undef NAME_ENUM
        NAME_COUNT
};

typedef struct torch_bridge torch_bridge;

/** The state of one module, of one interpreter. */
typedef struct module_state {
    PyObject *names[NAME_COUNT];
    PyObject *dtypes[PTIO_DTYPE_COUNT]; /* ptio.dtype objects, where there is no PyTorch: made when first asked for */
    PyTypeObject *dtype_type, *tensor_type, *file_type, *slice_type;
    PyObject *unpickling_error;              /* pickle.UnpicklingError                                                   */
    PyObject *ordered_dict;                  /* collections.OrderedDict                                                  */
    PyObject *settings;                      /* a dict: what torch.serialization is set by, where there is no PyTorch    */
    PyObject *safe_globals;                  /* a set: what add_safe_globals() was given, where there is no PyTorch      */
    PyObject *import_mapping, *name_mapping; /* of _compat_pickle: modules and names of Python 2 as Python 3's */
    torch_bridge *torch;                     /* NULL until it is needed, and where there is none               */
} module_state;

#define NAME(state, name) ((state)->names[NAME_##name])

/** Put `to` in the place of a reference, which goes. */
static inline void set_reference(PyObject **place, PyObject *to)
{
    PyObject *before = *place;
    *place = to;
    Py_XDECREF(before);
}

/** module.name, by import. */
PyObject *import_attribute(const char *module, const char *name);

/** The state of a module object. */
module_state *state_of(PyObject *module);

/* ---- raise.c ---- */

/** Raise what torch.load() or torch.save() would for a failure of ptio. An exception that a callback left is kept. Gives NULL. */
PyObject *raise_error(module_state *state, const ptio_error *err);

/** Raise pickle.UnpicklingError in torch.load()'s words for a file that weights_only refuses: the first refusal of the report. */
PyObject *raise_refusal(module_state *state, const ptio_error *err, const ptio_report *report);

/** Raise it for a class that weights_only takes once its module was imported. */
PyObject *raise_import(module_state *state, ptio_text module);

/** What torch says of weights_only=False. */
const char *weights_only_advice(void);

/* ---- input.c ---- */

/**
 * What a checkpoint is read from. A path is opened by ptio and read without the GIL; anything else by its methods read(), readinto(),
 * seek() and tell(), from where it stands, under the GIL. An exception in one of these stays set.
 */
typedef struct input {
    module_state *state;
    PyObject *path;       /* str or bytes, as os.fspath() gives it; NULL for an object                 */
    PyObject *path_bytes; /* the same in the encoding of the file system                               */
    PyObject *object;     /* the file-like object, or NULL                                             */
    PyObject *readinto;   /* bound methods of it; readinto may be NULL                                 */
    PyObject *read, *seek;
    uint64_t begin, end; /* where it stood, and where the checkpoint ends                             */
    ptio_source *source; /* over the object; NULL for a path, which is opened by the load             */
} input;

/** Whether `f` is a path: a str, or what has __fspath__(). */
bool is_path(PyObject *f);

bool input_open(module_state *state, PyObject *f, input *ret);

/** Load what the input has. options->offset is set here. Releases the GIL for paths. A file that cannot be opened is told by an exception
 *  that is set. */
ptio_status input_load(input *in, ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err);

/** Raise what open() would for a path that cannot be opened; nothing where it can. */
void input_raise_open(const input *in);

/** Leave the object right behind the checkpoint, where the next one of a stream begins. */
bool input_leave(input *in);

/** Release it, after the checkpoint. */
void input_close(input *in);

/* ---- blocks.c ---- */

/** Memory that ptio asks for, each piece counted: kept by the checkpoint and by the tensor over it. */
typedef struct blocks blocks;

blocks *blocks_new(void);

/** The hooks to put into options.memory: storages come from here, all else from the C library. They live as long as `blocks`. */
const ptio_memory *blocks_memory(blocks *b);

/** The block that `data` is in, its use counted once more; NULL where it is in none. A block's beginning is found at once; inside, which
 *  only slices of storages are, all blocks are looked at. */
void *block_hold(blocks *b, const void *data);

/** Let go of one use. Needs no GIL, and `blocks` may be gone. */
void block_release(void *data);

/** A block of its own, for a copy. NULL without memory. */
void *block_new(size_t size);

/** One more user of the table, who owes a blocks_free(). */
blocks *blocks_hold(blocks *b);

/** Let go of the table; blocks that are held stay. */
void blocks_free(blocks *b);

/* ---- holder.c ---- */

/** What tensors are in, with what it needs to live; counted. All fields but `uses` may be zero. */
typedef struct holder {
    atomic_size_t uses;
    ptio_checkpoint *ckpt;
    ptio_builder *builder;
    blocks *blocks; /* that the checkpoint was loaded with */
    void *block;    /* block_new()                         */
    void *managed;  /* what another library handed over    */
    void (*give_back)(void *managed);
    bool in_place;       /* the bytes are in memory that is not ptio's, and written there: the block, or what was handed over */
    bool readonly;       /* then: who handed it over forbids that */
    struct holder *base; /* in which the bytes are; it has no base */
} holder;

/** With one use, the caller's, taking over what is given. NULL with an exception; then nothing was taken. */
holder *holder_new(ptio_checkpoint *ckpt, ptio_builder *builder);

/** One more use. */
holder *holder_hold(holder *h);

/** One use less, by any thread, which needs no GIL. */
void holder_release(void *owner);

/** ptio_builder_new(), or NULL with an exception. */
ptio_builder *builder_new(module_state *state);

/** Raise the first failure of a builder. Gives NULL. */
PyObject *raise_builder(module_state *state, const ptio_builder *builder);

/* ---- torch.c ---- */

/** What is needed of PyTorch. All references are held. */
struct torch_bridge {
    PyObject *torch, *serialization, *from_dlpack, *empty, *typed_storage, *untyped_storage, *tensor, *parameter, *make_subclass;
    PyObject *tls;              /* torch.serialization._serialization_tls */
    PyObject *unpickler;        /* the module torch._weights_only_unpickler */
    PyObject *detect_fake_mode; /* torch._guards.detect_fake_mode */
    PyObject *storage_type;     /* torch.serialization.StorageType */
    PyObject *dtypes[PTIO_DTYPE_COUNT];
};

/** PyTorch, imported when first asked for. NULL without an exception where there is none, with one where importing it fails. */
torch_bridge *torch_get(module_state *state);

void torch_free(torch_bridge *torch);

/** torch.NAME of a dtype, borrowed; NULL with an exception where this PyTorch has none. */
PyObject *torch_dtype(torch_bridge *torch, ptio_dtype dtype);

/**
 * A torch.Tensor over memory of ours, which is its storage's from then on: whole, resizable as little as torch.load()'s.
 *
 * `release` is called once, with `owner`, when the storage goes, by any thread; also where this fails. `dtype` must be one that DLPack
 * has (torch_has_dlpack()).
 */
PyObject *torch_over_memory(torch_bridge *torch, void *data, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                            const int64_t *stride, void (*release)(void *owner), void *owner);

bool torch_has_dlpack(ptio_dtype dtype);

/** Whether the first entry of torch.serialization's registry, which is asked first, has PyTorch's own function `name` at `index`: 1 the
 *  tagger, 2 the deserializer. Then storages on the CPU are "cpu", and stay there. False with an exception where it has no such thing. */
bool torch_is_own_entry(torch_bridge *torch, Py_ssize_t index, const char *name);

/* ---- build.c ---- */

/** How a graph becomes objects. */
typedef struct build_options {
    bool mapped;      /* storages are views of a map                                  */
    bool without_gil; /* the source is no Python object                               */
    const ptio_checkpoint_info *info;
    const input *input;      /* where the checkpoint is from                                 */
    PyObject *map_location;  /* None: where they were saved                                  */
    PyObject *pickle_module; /* of a caller's own Unpickler, or NULL                         */
    PyObject *pickle_load_args;
    bool keeps_names;  /* of Python 2: fix_imports=False                                 */
    PyObject *allowed; /* of weights_only: a dict of what the user allows, by name; else NULL */
} build_options;

/** The checkpoint as Python objects. `b` are the blocks that it was loaded with. Takes the checkpoint over: it is freed when nothing
 *  needs it any more. Where the bytes of storages cannot be read, NULL without an exception, and *err says why. */
PyObject *build_objects(module_state *state, ptio_checkpoint *ckpt, blocks *b, const build_options *options, ptio_error *err);

/* ---- reduce.c ---- */

/** module.name imported, as a pickle names it; Python 2's names as Python 3's. `allowed` (a dict or NULL) is asked first. */
PyObject *find_class(module_state *state, ptio_text module, ptio_text name, PyObject *allowed, bool map_names);

/** torch.serialization.StorageType of a name of a storage class, such as "FloatStorage", whatever its module: so do PyTorch's unpicklers. NULL without an exception for other names, and
 *  where there is no PyTorch. */
PyObject *storage_type(module_state *state, PyObject *name);

/** What the opcode makes: REDUCE callable(*args), NEWOBJ cls.__new__(cls, *args), … */
PyObject *make_reduced(module_state *state, const char *opcode, PyObject *callable, PyObject *args, PyObject *keywords);

/** What BUILD does. 0 or -1. */
int set_state(module_state *state, PyObject *object, PyObject *value);

/* ---- safe.c ---- */

/** What the user allows weights_only to take, for ptio and for finding the objects. */
typedef struct allowed_list {
    ptio_safe_global *items;
    size_t count;
    PyObject *objects; /* a dict: "module.name" -> object */
    PyObject *texts;   /* what the items point into */
} allowed_list;

bool allowed_get(module_state *state, allowed_list *ret);
bool allowed_has(const allowed_list *list, ptio_text module, ptio_text name);
void allowed_free(allowed_list *list);

/* ---- location.c ---- */

/** map_location for ptio. */
typedef struct bare_location {
    bool is_used; /* else options.map_location is NULL: everything is on the CPU */
    ptio_map_location map;
    const char *(*table)[2];
    PyObject *texts;
} bare_location;

/** Of a function nothing is said here: it is asked when storages are made. False with an exception. */
bool bare_location_get(PyObject *where, bare_location *ret);

void bare_location_free(bare_location *l);

/* ---- plain_save.c ---- */

/** The arguments of ptio.save(), borrowed. */
typedef struct plain_call {
    PyObject *pickle_module, *protocol; /* NULL: not given */
    bool legacy, no_byteorder;
} plain_call;

/** ptio.save() where there is no PyTorch. None, or NULL with an exception. */
PyObject *save_plain(module_state *state, PyObject *object, PyObject *f, const plain_call *call);

/* ---- script.c ---- */

/** torch.load()'s warning that a file is a TorchScript archive. -1 where it is an error. */
int warn_torchscript(void);

/** Hand a TorchScript archive to torch.jit.load(), with that warning. */
PyObject *load_torchscript(module_state *state, PyObject *f, input *in, PyObject *map_location);

/* ---- sources.c ---- */

/** Warn, as torch.load() does, where the source of a module's class is another than the one that was saved with it. `file` and `source`
 *  may be None or empty: then nothing was saved. False with an exception. */
bool check_source(module_state *state, PyObject *class, PyObject *file, PyObject *source);

/** The source of a class, joined, and its file; NULL without an exception where it has none that Python finds. */
PyObject *class_source(PyObject *class, PyObject **file);

/** "Couldn't retrieve source code …". False where that warning is an error. */
bool warn_no_source(module_state *state, PyObject *class);

/* ---- functions of the module ---- */

PyObject *py_load(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *py_save(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *py_open(PyObject *module, PyObject *args, PyObject *keywords);
PyObject *py_from_dlpack(PyObject *module, PyObject *object);
PyObject *py_add_safe_globals(PyObject *module, PyObject *items);
PyObject *py_get_safe_globals(PyObject *module, PyObject *none);
PyObject *py_clear_safe_globals(PyObject *module, PyObject *none);
PyObject *py_get_unsafe_globals(PyObject *module, PyObject *f);
extern const char load_doc[], save_doc[], open_doc[];

#endif
