/*
 * What the files that make Python objects of a graph share.
 *
 *     build.c          the walk: containers, objects
 *     build_scalar.c   numbers and texts
 *     build_load.c     all of a load: settings, bytes, the walk
 *     build_memo.c     values that are objects already
 *     build_storage.c  storages of PyTorch
 *     build_tensor.c   plain tensors and Parameters of PyTorch
 *     build_bare.c     all of that without PyTorch
 *     build_settings.c what PyTorch is set to: devices, fake mode, skip_data, the allow-list
 */
#ifndef PTIO_PYTHON_BUILD_H
#define PTIO_PYTHON_BUILD_H

#include "module.h"

typedef struct builder builder;

/* Values that are objects already. */
typedef struct memo {
    struct {
        const ptio_value *value;
        PyObject *object;
    } * slots;
    size_t capacity, used;
} memo;

/* A storage, once it was asked for. */
typedef struct made_storage {
    PyObject *tensor;  /* the tensor that covers all of it and was made first, whose storage it is; or NULL   */
    PyObject *untyped; /* torch.UntypedStorage; NULL: to be asked of the tensor                               */
    PyObject *typed;   /* torch.storage.TypedStorage, where one was asked for                                 */
    bool moved;        /* without PyTorch: its place was asked for                                            */
} made_storage;

struct builder {
    module_state *state;
    torch_bridge *torch;
    ptio_checkpoint *ckpt;
    blocks *blocks;
    holder *holder; /* of the checkpoint, where tensors use its bytes: a map, or without PyTorch. NULL: the bytes are blocks */
    const build_options *options;
    memo memo;
    const ptio_value *made_of; /* met once, made last: the frame below takes it next */
    PyObject *made;
    struct frame *frames; /* build.c */
    size_t depth, room;
    made_storage *storages;
    size_t storage_count;
    PyObject *restore;                /* restore(storage, tag); NULL: storages on the CPU stay where they are */
    bool restores_cpu;                /* even those of the tag "cpu" are asked for */
    bool is_stream;                   /* no archive: a stream or tar file of PyTorch before 1.6 */
    bool fake, meta, skip_data;       /* no byte is read: FakeTensorMode, map_location="meta", torch.serialization.skip_data() */
    bool map_names;                   /* Python 2's to Python 3's: before protocol 3, and by weights_only always */
    const ptio_value *rebuild_tensor; /* the globals that were found to be these functions */
    const ptio_value *rebuild_parameter, *ordered_dict;
};

/* ---- build_memo.c ---- */

/** The object of a value, borrowed, or NULL. */
PyObject *memo_get(const memo *m, const ptio_value *value);

/** Keeps a reference of its own. What is there already stays. */
bool memo_put(memo *m, const ptio_value *value, PyObject *object);

void memo_free(memo *m);

/* ---- build.c ---- */

/** Everything below `root`. */
PyObject *build(builder *b, const ptio_value *root);

/** What a walk that failed leaves. */
void release_frames(builder *b);

/* ---- build_scalar.c ---- */

/** bool, int, float. */
PyObject *make_scalar(builder *b, const ptio_value *value);

/** str, bytes, bytearray. */
PyObject *make_text(const ptio_value *value);

/* ---- build_storage.c ---- */

/** The bytes of a storage, as memory that may be handed over: `release(owner)` is owed then. False with an exception. */
bool owned_bytes(builder *b, const ptio_storage *storage, void **data, void (**release)(void *), void **owner);

/** Its entry, or NULL with an exception for one that is not of this checkpoint. */
made_storage *entry_of(builder *b, const ptio_storage *storage);

/** Whether map_location or the registry is asked where it goes. */
bool is_asked(const builder *b, const ptio_storage *storage);

/** torch.UntypedStorage, borrowed from the entry. */
PyObject *untyped_of(builder *b, const ptio_storage *storage);

/** What persistent_load() gives: torch.storage.TypedStorage. One without bytes is another object each time. */
PyObject *typed_of(builder *b, const ptio_storage *storage);

/* ---- build_tensor.c ---- */

/** The tensor of a value that is a plain one: _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, no hooks), without state
 *  and metadata. Else NULL. */
const ptio_tensor *plain_tensor(builder *b, const ptio_value *value);

/** torch.Tensor of a plain tensor. */
PyObject *make_tensor(builder *b, const ptio_value *value, const ptio_tensor *t);

/** The plain tensor under _rebuild_parameter(tensor, requires_grad, no hooks), or NULL. */
const ptio_value *parameter_data(builder *b, const ptio_value *value);

/** torch.nn.Parameter of that tensor. */
PyObject *make_parameter(builder *b, const ptio_value *value, PyObject *data);

/* ---- build_bare.c ---- */

/** Whether a value is one of torch's that make_bare() makes. */
bool is_bare(const ptio_value *value);

/** What stands for a value of torch where there is no PyTorch. */
PyObject *make_bare(builder *b, const ptio_value *value);

/** A class or function where there is no PyTorch; one of torch's is a ModuleNotFoundError that names it. */
PyObject *find_bare(builder *b, const ptio_value *value);

/* ---- custom.c ---- */

/** The object as the caller's own Unpickler makes it. */
PyObject *build_custom(builder *b, PyObject *pickle_module);

/* ---- build_settings.c ---- */

/** Find out what PyTorch is set to. False with an exception. */
bool build_settings(builder *b);

/** Tell the functions of PyTorch that rebuild tensors without a storage what map_location is: torch.serialization._serialization_tls. None
 *  after the load. torch.load() does so for archives only. False with an exception. */
bool tell_location(builder *b, PyObject *where);

/** Let PyTorch look at the sparse tensors that were made, as it does at the end of each load. False with an exception. */
bool validate_sparse(builder *b);

#endif
