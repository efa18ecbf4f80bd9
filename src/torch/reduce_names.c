/*
 * The strings of a global's module and name, which a pickle of protocol 4 and later has as objects of their own.
 *
 * A class or function of Python code has interned strings: they are one with every equal attribute name, and with the module of its
 * neighbours. What C code defines makes the string of its name anew each time it is asked for; some of it has a module string
 * of its own, too.
 *
 * Source: CPython Objects/typeobject.c, type_qualname and type_module, PyType_FromSpec; Objects/methodobject.c; torch/csrc/Dtype.cpp
 */
#include "torch/reduce.h"

/* Modules whose names below are C code's; NULL: all of them. */
static const struct {
    const char *module, *names;
} native[] = {
    {"builtins", NULL},
    {"_codecs", NULL},
    {"_io", NULL},
    {"_operator", NULL},
    {"operator", NULL},
    {"array", NULL},
    {"datetime", NULL},
    {"decimal", NULL},
    {"itertools", NULL},
    {"math", NULL},
    {"numpy._core.multiarray", NULL},
    {"torch._C", NULL},
    {"torch.return_types", NULL},
    {"collections", " OrderedDict defaultdict deque "},
    {"functools", " partial "},
    {"types", " GenericAlias SimpleNamespace UnionType "},
    {"torch",
     " Size device dtype layout memory_format qscheme Generator BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor"
     " FloatTensor HalfTensor IntTensor LongTensor ShortTensor "},
    {"numpy",
     " bool bool_ byte bytes_ cdouble character clongdouble complex128 complex256 complex64 complexfloating csingle"
     " datetime64 double dtype flatiter flexible float128 float16 float32 float64 floating generic half inexact int16 int32"
     " int64 int8 int_ intc integer intp long longdouble longlong ndarray nditer number object_ short signedinteger single"
     " str_ timedelta64 ubyte ufunc uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong unsignedinteger ushort"
     " void "},
};

/* Functions of builtins: types have another string for their module. */
static const char builtin_functions[] =
    " abs aiter all anext any ascii bin breakpoint callable chr compile delattr dir divmod eval exec format getattr globals "
    "hasattr"
    " hash hex id input isinstance issubclass iter len locals max min next oct open ord pow print repr round setattr sorted sum"
    " vars ";

/* Whether a name stands in a list of names with a space on each side. */
static bool is_among(ptio_text name, const char *names)
{
    for (const char *at = names; *at; at++)
        if (at[0] == ' ' && strncmp(at + 1, name.bytes, name.size) == 0 && at[name.size + 1] == ' ')
            return true;
    return false;
}

static bool is_native(ptio_text module, ptio_text name)
{
    for (size_t i = 0; i < sizeof native / sizeof *native; i++)
        if (ptio_text_is(module, native[i].module))
            return !native[i].names || is_among(name, native[i].names);
    return false;
}

/* A string that some objects share and nothing else has. */
static const ptio_value *shared(ptio_reducer *r, const ptio_value **one, ptio_text text)
{
    if (!*one)
        *one = ptio_reduce_str(r, text);
    return *one;
}

static const ptio_value *module_string(ptio_reducer *r, const ptio_global *global)
{
    if (global->handler == PTIO_HANDLER_DTYPE)
        return shared(r, &r->dtype_module, global->module);
    if (ptio_text_is(global->full_name, "array.array") || ptio_text_is(global->full_name, "functools.partial"))
        return ptio_reduce_str(r, global->module);
    if (ptio_text_is(global->module, "builtins") && is_among(global->name, builtin_functions))
        return shared(r, &r->function_module, global->module);
    return ptio_reduce_word(r, global->module);
}

bool ptio_reduce_names(ptio_reducer *r, ptio_text module, ptio_text name, const ptio_value **module_node,
                       const ptio_value **name_node)
{
    ptio_global global;
    if (r->protocol < 4) {
        *module_node = ptio_reduce_word(r, module);
        *name_node = ptio_reduce_word(r, name);
        return *module_node && *name_node;
    }
    if (!ptio_global_resolve(&r->arena, module, name, false, &global))
        return false;
    bool by_string = global.handler == PTIO_HANDLER_DTYPE || global.handler == PTIO_HANDLER_QSCHEME ||
                     global.handler == PTIO_HANDLER_MEMORY_FORMAT || global.handler == PTIO_HANDLER_SINGLETON;
    *module_node = module_string(r, &global);
    *name_node = by_string || is_native(module, name) ? ptio_reduce_str(r, name) : ptio_reduce_word(r, name);
    return *module_node && *name_node;
}
