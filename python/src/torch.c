/*
 * What is needed of PyTorch, where it can be imported: its objects, and tensors over memory of ours.
 *
 * Tensors go to PyTorch by DLPack, which takes over memory without a copy and tells when it is no longer needed.
 */
#include <stdlib.h>
#include <string.h>

#include "dlpack_abi.h"
#include "module.h"

static PyObject *attribute(PyObject *from, const char *name)
{
    return from ? PyObject_GetAttrString(from, name) : NULL;
}

static bool fill(torch_bridge *t)
{
    return (t->serialization = PyImport_ImportModule("torch.serialization")) &&
           (t->from_dlpack = import_attribute("torch._C", "_from_dlpack")) && (t->empty = attribute(t->torch, "empty")) &&
           (t->typed_storage = import_attribute("torch.storage", "TypedStorage")) &&
           (t->untyped_storage = attribute(t->torch, "UntypedStorage")) && (t->tensor = attribute(t->torch, "Tensor")) &&
           (t->make_subclass = attribute(t->tensor, "_make_subclass")) &&
           (t->parameter = import_attribute("torch.nn", "Parameter")) &&
           (t->tls = attribute(t->serialization, "_serialization_tls")) &&
           (t->unpickler = PyImport_ImportModule("torch._weights_only_unpickler")) &&
           (t->detect_fake_mode = import_attribute("torch._guards", "detect_fake_mode")) &&
           (t->storage_type = attribute(t->serialization, "StorageType"));
}

torch_bridge *torch_get(module_state *state)
{
    if (state->torch)
        return state->torch;
    PyObject *torch = PyImport_ImportModule("torch");
    if (!torch) {
        if (PyErr_ExceptionMatches(PyExc_ImportError))
            PyErr_Clear();
        return NULL;
    }
    torch_bridge *t = calloc(1, sizeof *t);
    if (!t) {
        Py_DECREF(torch);
        PyErr_NoMemory();
        return NULL;
    }
    t->torch = torch;
    if (!fill(t)) {
        torch_free(t);
        return NULL;
    }
    return state->torch = t;
}

void torch_free(torch_bridge *t)
{
    if (!t)
        return;
    /* All fields are references. */
    PyObject *held[sizeof *t / sizeof(PyObject *)];
    memcpy(held, t, sizeof held);
    free(t);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        Py_XDECREF(held[i]);
}

PyObject *torch_dtype(torch_bridge *t, ptio_dtype dtype)
{
    if (!t->dtypes[dtype])
        t->dtypes[dtype] = PyObject_GetAttrString(t->torch, ptio_dtype_name(dtype));
    return t->dtypes[dtype];
}

bool torch_is_own_entry(torch_bridge *t, Py_ssize_t index, const char *name)
{
    PyObject *registry = attribute(t->serialization, "_package_registry");
    PyObject *own = registry ? attribute(t->serialization, name) : NULL;
    PyObject *first = own ? PySequence_GetItem(registry, 0) : NULL, *function = first ? PySequence_GetItem(first, index) : NULL;
    bool is_own = function && function == own;
    Py_XDECREF(function);
    Py_XDECREF(first);
    Py_XDECREF(own);
    Py_XDECREF(registry);
    return is_own;
}

/* ---- DLPack ---- */

static dl_type type_of(ptio_dtype dtype)
{
    uint8_t bits = (uint8_t)(8 * ptio_dtype_itemsize(dtype));
    switch (dtype) {
    case PTIO_FLOAT64:
    case PTIO_FLOAT32:
    case PTIO_FLOAT16: return (dl_type){DL_FLOAT, bits, 1};
    case PTIO_BFLOAT16: return (dl_type){DL_BFLOAT, bits, 1};
    case PTIO_INT64:
    case PTIO_INT32:
    case PTIO_INT16:
    case PTIO_INT8: return (dl_type){DL_INT, bits, 1};
    case PTIO_UINT64:
    case PTIO_UINT32:
    case PTIO_UINT16:
    case PTIO_UINT8: return (dl_type){DL_UINT, bits, 1};
    case PTIO_BOOL: return (dl_type){DL_BOOL, bits, 1};
    case PTIO_COMPLEX64:
    case PTIO_COMPLEX128: return (dl_type){DL_COMPLEX, bits, 1};
    default: return (dl_type){0, 0, 0};
    }
}

bool torch_has_dlpack(ptio_dtype dtype)
{
    return type_of(dtype).lanes != 0;
}

/* What is handed over, with its shape and strides behind it. */
typedef struct handed {
    struct DLManagedTensor dl;
    void (*release)(void *owner);
    void *owner;
    int64_t dimensions[];
} handed;

static void handed_delete(struct DLManagedTensor *self)
{
    handed *h = (handed *)self;
    h->release(h->owner);
    free(h);
}

/* A capsule that nobody took. */
static void capsule_delete(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor"))
        handed_delete(PyCapsule_GetPointer(capsule, "dltensor"));
}

PyObject *torch_over_memory(torch_bridge *t, void *data, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                            const int64_t *stride, void (*release)(void *owner), void *owner)
{
    handed *h = malloc(sizeof *h + 2 * ndim * sizeof(int64_t));
    if (!h) {
        release(owner);
        return PyErr_NoMemory();
    }
    *h = (handed){.dl = {.dl_tensor = {.data = data,
                                       .device_type = DL_CPU,
                                       .ndim = (int32_t)ndim,
                                       .dtype = type_of(dtype),
                                       .shape = h->dimensions,
                                       .strides = h->dimensions + ndim},
                         .deleter = handed_delete},
                  .release = release,
                  .owner = owner};
    if (ndim) {
        memcpy(h->dimensions, shape, ndim * sizeof(int64_t));
        memcpy(h->dimensions + ndim, stride, ndim * sizeof(int64_t));
    }
    PyObject *capsule = PyCapsule_New(&h->dl, "dltensor", capsule_delete);
    if (!capsule) {
        handed_delete(&h->dl);
        return NULL;
    }
    PyObject *tensor = PyObject_CallFunctionObjArgs(t->from_dlpack, capsule, NULL);
    Py_DECREF(capsule);
    return tensor;
}
