/*
 * Globals by name: which of them mean something (globals.def and the families), and what Python 3 calls those of Python 2.
 */
#ifndef PTIO_TORCH_GLOBALS_H
#define PTIO_TORCH_GLOBALS_H

#include "pickle/graph.h"
#include "tensor/dtype.h"

typedef enum ptio_handler {
    PTIO_HANDLER_NONE,
    PTIO_HANDLER_SET,
    PTIO_HANDLER_FROZENSET,
    PTIO_HANDLER_COMPLEX,
    PTIO_HANDLER_BYTES,
    PTIO_HANDLER_BYTEARRAY,
    PTIO_HANDLER_ENCODE,
    PTIO_HANDLER_TYPE,
    PTIO_HANDLER_GETATTR,
    PTIO_HANDLER_SINGLETON,
    PTIO_HANDLER_CLASS,
    PTIO_HANDLER_RECONSTRUCTOR,
    PTIO_HANDLER_ORDERED_DICT,
    PTIO_HANDLER_COUNTER,
    PTIO_HANDLER_DEFAULTDICT,
    PTIO_HANDLER_DEQUE,
    PTIO_HANDLER_TENSOR_V1,
    PTIO_HANDLER_TENSOR_V2,
    PTIO_HANDLER_TENSOR_V3,
    PTIO_HANDLER_PARAMETER,
    PTIO_HANDLER_QTENSOR,
    PTIO_HANDLER_SPARSE,
    PTIO_HANDLER_NESTED,
    PTIO_HANDLER_META,
    PTIO_HANDLER_WRAPPER,
    PTIO_HANDLER_FROM_NUMPY,
    PTIO_HANDLER_FROM_CPU,
    PTIO_HANDLER_FROM_TYPE,
    PTIO_HANDLER_JAGGED,
    PTIO_HANDLER_OLD_PARAMETER,
    PTIO_HANDLER_OLD_TENSOR,
    PTIO_HANDLER_LOAD_FROM_BYTES,
    PTIO_HANDLER_SIZE,
    PTIO_HANDLER_DEVICE,
    PTIO_HANDLER_LAYOUT,
    PTIO_HANDLER_GENERATOR,
    PTIO_HANDLER_QSCHEME,
    PTIO_HANDLER_MEMORY_FORMAT,
    PTIO_HANDLER_JIT_LIST,
    PTIO_HANDLER_JIT_TAGGED,
    PTIO_HANDLER_NUMPY_DTYPE,
    PTIO_HANDLER_NUMPY_ARRAY,
    PTIO_HANDLER_NUMPY_SCALAR,
    PTIO_HANDLER_NUMPY_BUFFER,
    PTIO_HANDLER_DTYPE, /* families: no rows in globals.def                       */
    PTIO_HANDLER_STORAGE_CLASS,
    PTIO_HANDLER_TENSOR_CLASS,
    PTIO_HANDLER_RETURN_TYPE /* torch.return_types.max                                 */
} ptio_handler;

/** What a global means. The meaning of GLOBAL nodes, and of persistent ids that are a class. */
typedef struct ptio_global {
    uint8_t handler;        /* ptio_handler                                           */
    uint8_t dtype;          /* of the families                                        */
    bool safe;              /* in the default list of weights_only, PyTorch 2.13      */
    bool untyped;           /* UntypedStorage                                         */
    bool python2;           /* module and name are Python 2's                         */
    ptio_text module, name; /* Python 3's, where not python2                          */
    ptio_text full_name;    /* "module.name"                                          */
    ptio_text result;       /* full name of the class of what comes out               */
} ptio_global;

/**
 * Look a global up. `map_python2`: names of Python 2 are mapped to those of Python 3 first, as unpicklers do below protocol 3.
 * Texts of *ret point to module and name, to constants, or into the arena. False where there is no memory.
 */
bool ptio_global_resolve(ptio_arena *arena, ptio_text module, ptio_text name, bool map_python2, ptio_global *ret);

/** What a global is by its module, name and full_name, which are filled in: the other fields. */
void ptio_global_classify(ptio_global *global);

/** Python 3's name of a module and name, by CPython's tables (Lib/_compat_pickle.py). */
void ptio_python3_name(ptio_text *module, ptio_text *name);

/** The way back: the name that Python 3 writes below protocol 3, so that Python 2 can read it. */
void ptio_python2_name(ptio_text *module, ptio_text *name);

#endif
