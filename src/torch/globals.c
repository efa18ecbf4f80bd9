/*
 * The table of globals. Its rows are few and a file names each of its globals once, so they are searched one by one.
 */
#include "torch/globals.h"

#include <string.h>

typedef struct global_row {
    ptio_text module, name;
    uint8_t handler;
    bool safe;
    ptio_text result;
} global_row;

#define LITERAL(literal)               \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const global_row rows[] = {
#define GLOBAL(module, name, handler, safe, result) \
    {LITERAL(module), LITERAL(name), PTIO_HANDLER_##handler, safe, LITERAL(result)},
#include "torch/globals.def"
#undef GLOBAL
};

typedef struct python2_row {
    ptio_text module, name, new_module, new_name;
} python2_row;

static const python2_row python2_modules[] = {
#define MODULE(old, new) {LITERAL(old), {0}, LITERAL(new), {0}},
#define NAME(old_module, old_name, new_module, new_name)
#define EXCEPTION(name)
#define BACK(new_module, new_name, old_module, old_name)
#define BACK_MODULE(new, old)
#include "torch/python2.def"
#undef MODULE
#undef NAME
#undef EXCEPTION
#undef BACK
#undef BACK_MODULE
};

static const python2_row python2_names[] = {
#define MODULE(old, new)
#define NAME(old_module, old_name, new_module, new_name) \
    {LITERAL(old_module), LITERAL(old_name), LITERAL(new_module), LITERAL(new_name)},
#define EXCEPTION(name) {LITERAL("exceptions"), LITERAL(name), LITERAL("builtins"), LITERAL(name)},
#define BACK(new_module, new_name, old_module, old_name)
#define BACK_MODULE(new, old)
#include "torch/python2.def"
#undef MODULE
#undef NAME
#undef EXCEPTION
#undef BACK
#undef BACK_MODULE
};

/* Searched before the others when a name goes back. */
static const python2_row python2_back[] = {
#define MODULE(old, new)
#define NAME(old_module, old_name, new_module, new_name)
#define EXCEPTION(name)
#define BACK(new_module, new_name, old_module, old_name) \
    {LITERAL(old_module), LITERAL(old_name), LITERAL(new_module), LITERAL(new_name)},
#define BACK_MODULE(new, old) {LITERAL(old), {0}, LITERAL(new), {0}},
#include "torch/python2.def"
#undef MODULE
#undef NAME
#undef EXCEPTION
#undef BACK
#undef BACK_MODULE
};

/* The last row of the names, the first of the modules: so do CPython's own tables. */
static const python2_row *find_back(ptio_text module, ptio_text name)
{
    for (size_t i = 0; i < sizeof python2_back / sizeof *python2_back; i++)
        if (ptio_text_equal(module, python2_back[i].new_module) && ptio_text_equal(name, python2_back[i].new_name))
            return &python2_back[i];
    for (size_t i = sizeof python2_names / sizeof *python2_names; i-- > 0;)
        if (ptio_text_equal(module, python2_names[i].new_module) && ptio_text_equal(name, python2_names[i].new_name))
            return &python2_names[i];
    for (size_t i = 0; i < sizeof python2_back / sizeof *python2_back; i++)
        if (!python2_back[i].new_name.size && ptio_text_equal(module, python2_back[i].new_module))
            return &python2_back[i];
    for (size_t i = 0; i < sizeof python2_modules / sizeof *python2_modules; i++)
        if (ptio_text_equal(module, python2_modules[i].new_module))
            return &python2_modules[i];
    return NULL;
}

void ptio_python2_name(ptio_text *module, ptio_text *name)
{
    const python2_row *row = find_back(*module, *name);
    if (!row)
        return;
    *module = row->module;
    if (row->name.size)
        *name = row->name;
}

void ptio_python3_name(ptio_text *module, ptio_text *name)
{
    for (size_t i = 0; i < sizeof python2_names / sizeof *python2_names; i++) {
        if (ptio_text_equal(*module, python2_names[i].module) && ptio_text_equal(*name, python2_names[i].name)) {
            *module = python2_names[i].new_module;
            *name = python2_names[i].new_name;
            return;
        }
    }
    for (size_t i = 0; i < sizeof python2_modules / sizeof *python2_modules; i++) {
        if (ptio_text_equal(*module, python2_modules[i].module)) {
            *module = python2_modules[i].new_module;
            return;
        }
    }
}

static bool find_row(ptio_global *global)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (ptio_text_equal(global->name, rows[i].name) && ptio_text_equal(global->module, rows[i].module)) {
            global->handler = rows[i].handler;
            global->safe = rows[i].safe;
            global->result = rows[i].result;
            return true;
        }
    }
    return false;
}

/* torch.load takes a legacy storage class by its name alone, whatever the module. Source: torch/serialization.py, find_class */
static bool is_storage_class(ptio_global *global)
{
    ptio_dtype dtype = ptio_dtype_from_storage_class(global->name);
    bool untyped = ptio_text_is(global->name, "UntypedStorage") || ptio_text_is(global->name, "_UntypedStorage");
    if (dtype == PTIO_NO_DTYPE && !untyped)
        return false;
    bool quantized = dtype != PTIO_NO_DTYPE && ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_QUANTIZED;
    global->handler = PTIO_HANDLER_STORAGE_CLASS;
    global->dtype = (uint8_t)(untyped ? PTIO_UINT8 : dtype);
    global->untyped = untyped;
    global->safe = untyped ? ptio_text_is(global->full_name, "torch.storage.UntypedStorage")
                           : ptio_text_is(global->module, "torch") || (ptio_text_is(global->module, "torch.cuda") && !quantized);
    global->result = PTIO_TEXT("torch.storage.TypedStorage");
    return true;
}

static bool is_tensor_class(ptio_global *global)
{
    static const char *const modules[] = {"torch", "torch.cuda", "torch.sparse", "torch.cuda.sparse"};
    ptio_dtype dtype = ptio_dtype_from_tensor_class(global->name);
    if (dtype == PTIO_NO_DTYPE)
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (ptio_text_is(global->module, modules[i])) {
            global->handler = PTIO_HANDLER_TENSOR_CLASS;
            global->dtype = (uint8_t)dtype;
            global->safe = (i < 2 || dtype != PTIO_BOOL) && ptio_dtype_rows[dtype].class_ != PTIO_DTYPE_COMPLEX;
            global->result = PTIO_TEXT("torch.Tensor");
            return true;
        }
    }
    return false;
}

static bool is_dtype(ptio_global *global)
{
    ptio_dtype dtype = ptio_text_is(global->module, "torch") ? ptio_dtype_from_text(global->name) : PTIO_NO_DTYPE;
    if (dtype == PTIO_NO_DTYPE)
        return false;
    global->handler = PTIO_HANDLER_DTYPE;
    global->dtype = (uint8_t)dtype;
    global->safe = dtype != PTIO_BCOMPLEX32 && ptio_text_is(global->name, ptio_dtype_rows[dtype].name); /* no "half" */
    global->result = PTIO_TEXT("torch.dtype");
    return true;
}

/* At protocols 4 and 5 torch.contiguous_format is pickled under a module that it was found in by accident, and the whole name. */
static bool is_memory_format(ptio_global *global)
{
    static const char *const names[] = {"torch.contiguous_format", "torch.channels_last", "torch.channels_last_3d",
                                        "torch.preserve_format"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (ptio_text_is(global->name, names[i])) {
            global->handler = PTIO_HANDLER_MEMORY_FORMAT;
            global->full_name = global->name;
            global->result = PTIO_TEXT("torch.memory_format");
            return true;
        }
    }
    return false;
}

static bool is_return_type(ptio_global *global)
{
    if (!ptio_text_is(global->module, "torch.return_types"))
        return false;
    global->handler = PTIO_HANDLER_RETURN_TYPE;
    global->result = global->full_name;
    return true;
}

static bool join_names(ptio_arena *arena, ptio_global *global)
{
    size_t size = global->module.size + 1 + global->name.size;
    char *text = ptio_arena_alloc(arena, size + 1);
    if (!text)
        return false;
    memcpy(text, global->module.bytes, global->module.size);
    text[global->module.size] = '.';
    memcpy(text + global->module.size + 1, global->name.bytes, global->name.size);
    text[size] = '\0';
    global->full_name = (ptio_text){text, size};
    return true;
}

void ptio_global_classify(ptio_global *global)
{
    if (!is_storage_class(global) && !find_row(global) && !is_tensor_class(global) && !is_dtype(global) &&
        !is_memory_format(global))
        (void)is_return_type(global);
    if (!global->result.size)
        global->result = global->full_name;
}

bool ptio_global_resolve(ptio_arena *arena, ptio_text module, ptio_text name, bool map_python2, ptio_global *ret)
{
    *ret = (ptio_global){.module = module, .name = name};
    if (map_python2)
        ptio_python3_name(&ret->module, &ret->name);
    if (ptio_text_is(ret->module, "torch.tensor")) /* the module's name before 1.8; zip loads of PyTorch map it */
        ret->module = PTIO_TEXT("torch._tensor");
    if (!join_names(arena, ret))
        return false;
    ptio_global_classify(ret);
    return true;
}
