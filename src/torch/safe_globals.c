/*
 * The lists of weights_only, by release. That of 2.13 is the column `safe` of globals.def and of the families of globals.c; here is what
 * other releases have more or less, and what PyTorch itself adds by add_safe_globals() when it is imported.
 *
 * Source: torch/_weights_only_unpickler.py of 2.6.0, 2.9.1, 2.13.0 and 2.14.1, and what these releases say when they run
 */
#include "torch/safe_globals.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const char *const releases[] = {
    [PTIO_RULES_2_6] = "2.6", [PTIO_RULES_2_9] = "2.9", [PTIO_RULES_2_13] = "2.13", [PTIO_RULES_2_14] = "2.14"};

ptio_status ptio_safe_rules_init(const ptio_load_options *options, ptio_safe_rules *ret, ptio_error *err)
{
    *ret = (ptio_safe_rules){.release = PTIO_RULES_2_13,
                             .allow = options->allow,
                             .allow_count = options->allow_count,
                             .utf8 = options->encoding == NULL};
    for (size_t i = 0; i < ret->allow_count; i++)
        if (!ret->allow || !ret->allow[i].name)
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "weights-only.allow", PTIO_NO_OFFSET,
                             "item %zu of the globals to allow has no name", i);
    if (!options->rules)
        return PTIO_OK;
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (strcmp(options->rules, releases[i]) == 0) {
            ret->release = (ptio_rules)i;
            return PTIO_OK;
        }
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "weights-only.rules", PTIO_NO_OFFSET,
                     "the rules of release %s are not known; those of 2.6, 2.9, 2.13 and 2.14 are",
                     ptio_quote(ptio_text_of(options->rules)).text);
}

void ptio_safe_name(const ptio_safe_rules *rules, ptio_text *module, ptio_text *name)
{
    static const char *const modules[] = {"__builtin__", "copy_reg",   "Queue",   "repr",     "_abcoll",   "UserDict",
                                          "UserList",    "UserString", "whichdb", "StringIO", "cStringIO", "itertools"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (ptio_text_is(*module, modules[i])) {
            ptio_python3_name(module, name);
            return;
        }
    }
    if (ptio_text_is(*module, "exceptions") && (rules->release >= PTIO_RULES_2_14 || ptio_text_is(*name, "StandardError")))
        ptio_python3_name(module, name);
}

/* ---- what PyTorch adds ---- */

/* Exceptions of Python 3.14 that are no exceptions of Python 2 (those are in python2.def). */
static const char *const new_exceptions[] = {"BaseException",
                                             "BaseExceptionGroup",
                                             "BlockingIOError",
                                             "BrokenPipeError",
                                             "ChildProcessError",
                                             "ConnectionAbortedError",
                                             "ConnectionError",
                                             "ConnectionRefusedError",
                                             "ConnectionResetError",
                                             "EncodingWarning",
                                             "Exception",
                                             "ExceptionGroup",
                                             "FileExistsError",
                                             "FileNotFoundError",
                                             "InterruptedError",
                                             "IsADirectoryError",
                                             "ModuleNotFoundError",
                                             "NotADirectoryError",
                                             "OSError",
                                             "PermissionError",
                                             "ProcessLookupError",
                                             "PythonFinalizationError",
                                             "RecursionError",
                                             "ResourceWarning",
                                             "StopAsyncIteration",
                                             "TimeoutError"};

static bool is_exception(ptio_text module, ptio_text name)
{
    if (!ptio_text_is(module, "builtins"))
        return false;
    for (size_t i = 0; i < sizeof new_exceptions / sizeof *new_exceptions; i++)
        if (ptio_text_is(name, new_exceptions[i]))
            return true;
    ptio_text old_module = PTIO_TEXT("exceptions"), old_name = name;
    ptio_python3_name(&old_module, &old_name);
    return ptio_text_is(old_module, "builtins") && ptio_text_equal(old_name, name);
}

typedef struct listed {
    const char *module, *name;
    ptio_rules first;
    ptio_safety safety;
} listed;

static const listed own[] = {
    {"torch.distributed._mesh_layout", "_FlatLayout", PTIO_RULES_2_13, PTIO_SAFE_BY_LIST},
    {"torch.distributed._mesh_layout", "_MeshLayout", PTIO_RULES_2_13, PTIO_SAFE_BY_LIST},
    {"traceback", "FrameSummary", PTIO_RULES_2_14, PTIO_SAFE_BY_LIST},
    {"traceback", "StackSummary", PTIO_RULES_2_14, PTIO_SAFE_BY_LIST},
    {"torch._dynamo.decorators", "_DimRange", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.device_mesh", "DeviceMesh", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor", "DTensor", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor._dtensor_spec", "DTensorSpec", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor._dtensor_spec", "TensorMeta", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor._dtensor_spec", "ShardOrderEntry", PTIO_RULES_2_13, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor.placement_types", "Partial", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor.placement_types", "Replicate", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor.placement_types", "Shard", PTIO_RULES_2_6, PTIO_SAFE_IMPORTED},
    {"torch.distributed.tensor.placement_types", "_StridedShard", PTIO_RULES_2_13, PTIO_SAFE_IMPORTED},
};

const char *ptio_safe_import(ptio_text module)
{
    return ptio_text_starts(module, "torch._dynamo") ? "torch._dynamo" : "torch.distributed.tensor";
}

static ptio_safety find_own(const ptio_safe_rules *rules, ptio_text module, ptio_text name)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (rules->release >= own[i].first && ptio_text_is(module, own[i].module) && ptio_text_is(name, own[i].name))
            return own[i].safety;
    return rules->release >= PTIO_RULES_2_14 && is_exception(module, name) ? PTIO_SAFE_BY_LIST : PTIO_UNSAFE;
}

/* ---- the default list ---- */

/* Dtypes that 2.6 has not in its list. */
static bool is_new_dtype(ptio_text name)
{
    return ptio_text_is(name, "float8_e8m0fnu") || ptio_text_is(name, "float4_e2m1fn_x2") ||
           (name.size == 4 && ptio_text_starts(name, "int") && name.bytes[3] < '8') ||
           (name.size == 5 && ptio_text_starts(name, "uint") && name.bytes[4] < '8');
}

static bool is_default(const ptio_safe_rules *rules, const ptio_global *global)
{
    if (global->handler != PTIO_HANDLER_DTYPE)
        return global->safe;
    if (global->dtype == PTIO_BCOMPLEX32)
        return rules->release >= PTIO_RULES_2_14 && ptio_text_is(global->name, "bcomplex32");
    return global->safe && (rules->release > PTIO_RULES_2_6 || !is_new_dtype(global->name));
}

/* ---- the caller's list ---- */

/* Whether module and name are those of a full name; one without a dot is of builtins, as PyTorch's messages call them. */
static bool is_called(ptio_text full, ptio_text module, ptio_text name)
{
    if (!memchr(full.bytes, '.', full.size))
        return ptio_text_is(module, "builtins") && ptio_text_equal(full, name);
    return full.size > module.size && full.size - module.size - 1 == name.size && full.bytes[module.size] == '.' &&
           (!module.size || memcmp(full.bytes, module.bytes, module.size) == 0) &&
           (!name.size || memcmp(full.bytes + module.size + 1, name.bytes, name.size) == 0);
}

static const ptio_safe_global *find_allowed(const ptio_safe_rules *rules, ptio_text module, ptio_text name)
{
    for (size_t i = 0; i < rules->allow_count; i++) {
        const ptio_safe_global *item = &rules->allow[i];
        if (is_called(ptio_text_of(item->alias ? item->alias : item->name), module, name))
            return item;
    }
    return NULL;
}

bool ptio_safe_global_listed(const ptio_safe_rules *rules, ptio_text module, ptio_text name)
{
    return find_allowed(rules, module, name) != NULL;
}

bool ptio_safe_class_listed(const ptio_safe_rules *rules, ptio_text full_name)
{
    for (size_t i = 0; i < rules->allow_count; i++)
        if (ptio_text_is(full_name, rules->allow[i].name))
            return true;
    return false;
}

/* ---- what getattr() reaches ---- */

enum { LONGEST_CHAIN = 16 };

/* The first argument of getattr(owner, name), or NULL where a value is none. */
static const ptio_value *owner_of(const ptio_safe_rules *rules, const ptio_value *value, ptio_text *name)
{
    if (ptio_node_view(value) != PTIO_NODE_REDUCED || value->opcode != 'R')
        return NULL;
    const ptio_value *callable = ptio_node_callable(value), *arguments = ptio_node_arguments(value);
    ptio_text module = ptio_node_module(callable), function = ptio_node_qualname(callable);
    ptio_safe_name(rules, &module, &function);
    if (!ptio_text_is(module, "builtins") || !ptio_text_is(function, "getattr") || ptio_node_item_count(arguments) != 2)
        return NULL;
    *name = ptio_value_str(ptio_node_item(arguments, 1));
    bool is_name = name->size && !memchr(name->bytes, '.', name->size) && !memchr(name->bytes, '\0', name->size);
    return is_name ? ptio_node_item(arguments, 0) : NULL;
}

static bool add_name(ptio_attribute *ret, size_t *size, ptio_text name)
{
    size_t dot = *size ? 1 : 0;
    if (name.size + dot >= sizeof ret->text - *size)
        return false;
    if (dot)
        ret->text[(*size)++] = '.';
    memcpy(ret->text + *size, name.bytes, name.size);
    *size += name.size;
    ret->text[*size] = '\0';
    return true;
}

bool ptio_attribute_find(const ptio_safe_rules *rules, const ptio_value *value, ptio_attribute *ret)
{
    ptio_text names[LONGEST_CHAIN];
    size_t count = 0, size = 0;
    const ptio_value *owner = value;
    while (count < LONGEST_CHAIN && (value = owner_of(rules, owner, &names[count])) != NULL) {
        owner = value;
        count++;
    }
    if (!count || ptio_node_view(owner) != PTIO_NODE_GLOBAL)
        return false;
    ptio_text module = ptio_node_module(owner), name = ptio_node_qualname(owner);
    ptio_safe_name(rules, &module, &name);
    if (!module.size || !add_name(ret, &size, module))
        return false;
    ret->module = size;
    bool fits = add_name(ret, &size, name);
    while (fits && count > 0) {
        ret->owner = size;
        fits = add_name(ret, &size, names[--count]);
    }
    return fits;
}

/* What the object of a full name is. */
static uint8_t handler_of(const char *full)
{
    const char *dot = strrchr(full, '.');
    ptio_text whole = ptio_text_of(full);
    ptio_global global = {.full_name = whole, .module = PTIO_TEXT("builtins"), .name = whole};
    if (dot) {
        global.module = (ptio_text){full, (size_t)(dot - full)};
        global.name = ptio_text_of(dot + 1);
    }
    ptio_global_classify(&global);
    return global.handler;
}

/* ---- all of them ---- */

static bool is_blocked(ptio_text module)
{
    return ptio_text_is(module, "sys") || ptio_text_is(module, "os") || ptio_text_is(module, "posix") ||
           ptio_text_is(module, "nt");
}

ptio_safety ptio_safe_global_find(const ptio_safe_rules *rules, ptio_text module, ptio_text name, uint8_t *handler)
{
    *handler = PTIO_HANDLER_NONE;
    if (is_blocked(module))
        return PTIO_UNSAFE_BLOCKED;
    /* No name that means something comes near this length, so none needs memory. */
    char text[256];
    if (module.size < sizeof text && name.size + 1 < sizeof text - module.size) {
        if (module.size)
            memcpy(text, module.bytes, module.size);
        text[module.size] = '.';
        if (name.size)
            memcpy(text + module.size + 1, name.bytes, name.size);
        ptio_global global = {.module = module, .name = name, .full_name = {text, module.size + 1 + name.size}};
        ptio_global_classify(&global);
        *handler = global.handler;
        if (is_default(rules, &global))
            return PTIO_SAFE;
    }
    const ptio_safe_global *item = find_allowed(rules, module, name);
    if (!item)
        return find_own(rules, module, name);
    if (item->alias)
        *handler = handler_of(item->name);
    return PTIO_SAFE_BY_LIST;
}

bool ptio_safe_split_elsewhere(const ptio_safe_rules *rules, ptio_text module, ptio_text name)
{
    char text[256];
    uint8_t handler;
    if (module.size >= sizeof text || name.size + 1 >= sizeof text - module.size || !module.size || !name.size)
        return false;
    memcpy(text, module.bytes, module.size);
    text[module.size] = '.';
    memcpy(text + module.size + 1, name.bytes, name.size);
    size_t size = module.size + 1 + name.size, dot = size;
    while (dot > 0 && text[dot - 1] != '.')
        dot--;
    if (dot == module.size + 1)
        return false;
    ptio_safety safety = ptio_safe_global_find(rules, (ptio_text){text, dot - 1}, (ptio_text){text + dot, size - dot}, &handler);
    return safety == PTIO_SAFE || safety == PTIO_SAFE_BY_LIST;
}
