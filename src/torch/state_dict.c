/*
 * load_state_dict(): the caller's parameters are filled from a state dict, as a module's are in PyTorch.
 *
 * The names tell a tree of modules: "fc1.weight" is the parameter "weight" of the module "fc1". PyTorch goes through it depth first, each
 * module its own parameters first, and asks of each key of the dict whether the deepest module that it leads to knows it; so missing
 * keys, unexpected keys and errors come in the same order here.
 *
 * Source: torch/nn/modules/module.py: load_state_dict, _load_from_state_dict
 */
#include "torch/state_dict.h"

#include <stdio.h>

#include "tensor/convert.h"
#include "torch/meaning.h"

#define EXTRA_STATE "_extra_state"
#define NONE UINT32_MAX
#define MOST_PARAMETERS 100000000u

/* A list of numbers, linked through `next` of what they are of. */
typedef struct chain {
    uint32_t first, last;
} chain;

typedef struct module {
    ptio_text path; /* "" or "layers.0" */
    chain parameters, children, unexpected;
    uint32_t extra_state; /* an unexpected key, or NONE */
    uint32_t parent, next;
} module;

typedef struct loading {
    ptio_heap heap;
    ptio_state_result *result;
    ptio_state_keys keys;
    ptio_parameter *parameters;
    size_t count;
    uint32_t *next_parameter, *next_unexpected; /* of each parameter, of each key */
    size_t chained_keys;
    module *modules;
    size_t module_count, module_capacity;
    ptio_text_map paths; /* of modules */
    bool assign;
} loading;

static ptio_status no_memory(const loading *l, ptio_error *err)
{
    return ptio_heap_fail(&l->heap, err, "a state dict");
}

static void chain_add(chain *c, uint32_t *next, uint32_t number)
{
    next[number] = NONE;
    if (c->first == NONE)
        c->first = number;
    else
        next[c->last] = number;
    c->last = number;
}

/* ---- the tree ---- */

static bool add_module(loading *l, ptio_text path, uint32_t parent, uint32_t *ret)
{
    if (l->module_count == l->module_capacity) {
        module *grown = ptio_heap_grow(&l->heap, l->modules, &l->module_capacity, l->module_count + 1, sizeof *grown);
        if (!grown)
            return false;
        l->modules = grown;
    }
    const chain empty = {NONE, NONE};
    uint32_t number = (uint32_t)l->module_count;
    if (!ptio_text_map_put(&l->paths, &l->heap, path, number))
        return false;
    l->modules[l->module_count++] = (module){path, empty, empty, empty, NONE, parent, NONE};
    if (parent != NONE) {
        chain *children = &l->modules[parent].children;
        if (children->first == NONE)
            children->first = number;
        else
            l->modules[children->last].next = number;
        children->last = number;
    }
    *ret = number;
    return true;
}

/* The module that a name leads to, and where its last part begins. Modules are added, or, with `known`, the way ends where they do. */
static bool follow(loading *l, ptio_text name, bool known, uint32_t *ret, size_t *last)
{
    uint32_t at = 0;
    *last = 0;
    for (size_t i = 0; i < name.size; i++) {
        uint32_t child;
        if (name.bytes[i] != '.')
            continue;
        if (!ptio_text_map_get(&l->paths, (ptio_text){name.bytes, i}, &child) || !child) {
            if (known)
                break;
            if (!add_module(l, (ptio_text){name.bytes, i}, at, &child))
                return false;
        }
        at = child;
        *last = i + 1;
    }
    *ret = at;
    return true;
}

static ptio_status refuse(size_t index, const char *why, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "statedict.parameter", PTIO_NO_OFFSET, "parameter %zu %s", index, why);
}

static ptio_status check_parameter(const ptio_parameter *p, size_t index, ptio_error *err)
{
    int64_t numel = 1;
    if (!p->name)
        return refuse(index, "has no name", err);
    if (p->dtype <= PTIO_NO_DTYPE || p->dtype >= PTIO_DTYPE_COUNT)
        return refuse(index, "has no dtype", err);
    for (size_t i = 0; i < p->ndim; i++)
        if (p->shape[i] < 0 || !ptio_mul_i64(numel, p->shape[i], &numel))
            return refuse(index, "has a size that is negative, or too many elements", err);
    return PTIO_OK;
}

/* Each name leads to a module; the names themselves must differ. */
static ptio_status grow_tree(loading *l, ptio_error *err)
{
    ptio_text_map names = {.hash_key = l->paths.hash_key};
    ptio_status status = PTIO_OK;
    uint32_t at, twin;
    if (!add_module(l, PTIO_TEXT(""), NONE, &at))
        status = no_memory(l, err);
    for (size_t i = 0; i < l->count && status == PTIO_OK; i++) {
        size_t last;
        l->parameters[i].tensor = NULL;
        status = check_parameter(&l->parameters[i], i, err);
        if (status != PTIO_OK)
            break;
        ptio_text name = ptio_text_of(l->parameters[i].name);
        if (ptio_text_map_get(&names, name, &twin))
            status = refuse(i, "has the name of another", err);
        else if (!ptio_text_map_put(&names, &l->heap, name, (uint32_t)i) || !follow(l, name, false, &at, &last))
            status = no_memory(l, err);
        else
            chain_add(&l->modules[at].parameters, l->next_parameter, (uint32_t)i);
    }
    ptio_text_map_free(&names, &l->heap);
    return status;
}

/* ---- keys ---- */

/* Note a key that no parameter has at the module that finds it out. */
static void note_unexpected(loading *l, uint32_t number)
{
    ptio_text name = l->keys.keys[number].name;
    uint32_t at;
    size_t last;
    (void)follow(l, name, true, &at, &last); /* needs no memory */
    if (ptio_text_is((ptio_text){name.bytes + last, name.size - last}, EXTRA_STATE))
        l->modules[at].extra_state = number;
    else
        chain_add(&l->modules[at].unexpected, l->next_unexpected, number);
}

static void find_unexpected(loading *l)
{
    for (size_t i = 0; i < l->count; i++) {
        ptio_state_key *key = ptio_state_keys_find(&l->keys, ptio_text_of(l->parameters[i].name));
        if (key)
            key->taken = true;
    }
    for (size_t i = 0; i < l->keys.count; i++)
        if (!l->keys.keys[i].gone && !l->keys.keys[i].taken)
            note_unexpected(l, (uint32_t)i);
}

static bool list_key(loading *l, uint32_t number)
{
    return ptio_state_result_list(l->result, &l->result->unexpected, l->keys.keys[number].name);
}

static bool list_unexpected(loading *l, const module *m)
{
    if (m->extra_state != NONE && !list_key(l, m->extra_state))
        return false;
    for (uint32_t i = m->unexpected.first; i != NONE; i = l->next_unexpected[i])
        if (!list_key(l, i))
            return false;
    return true;
}

/* ---- one parameter ---- */

static bool add_error(loading *l, bool made, const char *const *pieces)
{
    return made && ptio_state_result_error(l->result, pieces);
}

static bool wrong_kind(loading *l, const char *name, const ptio_value *value)
{
    ptio_text class_name = ptio_value_class(value);
    if (ptio_text_starts(class_name, "builtins."))
        class_name = (ptio_text){class_name.bytes + 9, class_name.size - 9};
    const char *class_text = ptio_state_result_name(l->result, class_name);
    return add_error(l, class_text,
                     (const char *[]){"While copying the parameter named \"", name,
                                      "\", expected torch.Tensor or Tensor-like object from checkpoint but received <class '",
                                      class_text, "'>", NULL});
}

static bool wrong_size(loading *l, const char *name, const ptio_parameter *p, const ptio_tensor *tensor)
{
    const char *theirs = ptio_state_result_size(l->result, tensor->ndim, tensor->dims);
    const char *ours = ptio_state_result_size(l->result, p->ndim, p->shape);
    return add_error(l, theirs && ours,
                     (const char *[]){"size mismatch for ", name, ": copying a param with shape ", theirs,
                                      " from checkpoint, the shape in current model is ", ours, ".", NULL});
}

/* What PyTorch says where it does not copy, in pieces. */
typedef struct obstacle {
    const char *why[5];
    char ours[48], theirs[48];
} obstacle;

/* The words of the exception are those of PyTorch, as Python prints them in a tuple. */
static bool not_copied(loading *l, const char *name, const ptio_parameter *p, const ptio_tensor *tensor, const obstacle *o)
{
    const char *ours = ptio_state_result_size(l->result, p->ndim, p->shape);
    const char *theirs = ptio_state_result_size(l->result, p->ndim, tensor->ndim == p->ndim ? tensor->dims : p->shape);
    return add_error(l, theirs && ours,
                     (const char *[]){"While copying the parameter named \"", name, "\", whose dimensions in the model are ",
                                      ours, " and whose dimensions in the checkpoint are ", theirs,
                                      ", an exception occurred : ('", o->why[0], o->why[1], o->why[2], o->why[3], o->why[4],
                                      "',).", NULL});
}

static bool same_shape(const ptio_parameter *p, const ptio_tensor *tensor)
{
    if (p->ndim == 0 && tensor->ndim == 1 && tensor->dims[0] == 1)
        return true; /* scalars of PyTorch 0.3 */
    return p->ndim == tensor->ndim && (p->ndim == 0 || memcmp(p->shape, tensor->dims, p->ndim * sizeof *p->shape) == 0);
}

/* "Float", "UInt16", "Bits8": the name that a dtype has in PyTorch's C++. */
static const char *scalar_name(ptio_dtype dtype, char *out, size_t size)
{
    const char *class_name = ptio_dtype_rows[dtype].storage_class, *name = ptio_dtype_rows[dtype].name;
    if (class_name[0])
        (void)snprintf(out, size, "%.*s", (int)(strlen(class_name) - strlen("Storage")), class_name);
    else if (strncmp(name, "uint", 4) == 0)
        (void)snprintf(out, size, "UInt%s", name + 4);
    else if (dtype == PTIO_COMPLEX32)
        (void)snprintf(out, size, "ComplexHalf");
    else
        (void)snprintf(out, size, "%c%s", name[0] - 'a' + 'A', name + 1);
    return out;
}

/* "torch.FloatTensor" for the dtypes that had tensor classes in the beginning, "CPUBFloat16Type" for others. */
static const char *type_name(ptio_dtype dtype, bool sparse, char *out, size_t size)
{
    char name[24];
    bool old = dtype == PTIO_FLOAT64 || dtype == PTIO_FLOAT32 || dtype == PTIO_FLOAT16 ||
               (ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_INTEGER && ptio_dtype_rows[dtype].storage_class[0]);
    (void)scalar_name(dtype, name, sizeof name);
    if (old)
        (void)snprintf(out, size, "torch.%s%sTensor", sparse ? "sparse." : "", name);
    else
        (void)snprintf(out, size, "%sCPU%sType", sparse ? "Sparse" : "", name);
    return out;
}

static void say(obstacle *o, const char *a, const char *b, const char *c, const char *d, const char *e)
{
    o->why[0] = a, o->why[1] = b, o->why[2] = c, o->why[3] = d, o->why[4] = e;
}

/* No kernel copies from one of these dtypes to the other: an opaque one has the blame, the model's first. */
static void say_no_kernel(obstacle *o, ptio_dtype ours, ptio_dtype theirs)
{
    ptio_dtype opaque = ptio_dtype_rows[ours].class_ == PTIO_DTYPE_OPAQUE ? ours : theirs;
    say(o, "\"copy_\" not implemented for \\'", scalar_name(opaque, o->theirs, sizeof o->theirs), "\\'", "", "");
}

/* Whether there is a reason for which PyTorch does not copy a tensor to a dense one. */
static bool is_obstructed(const ptio_parameter *p, const ptio_tensor *tensor, obstacle *o)
{
    ptio_dtype from = (ptio_dtype)tensor->dtype;
    if (tensor->layout == PTIO_SPARSE_COO)
        say(o, "copy_() between dense and sparse Tensors is not implemented! Found self type = ",
            type_name(p->dtype, false, o->ours, sizeof o->ours),
            " and src type = ", type_name(from, true, o->theirs, sizeof o->theirs), "");
    else if (tensor->layout != PTIO_STRIDED)
        say(o, "copy_sparse_compressed_ expected sparse compressed tensor layout but got Strided", "", "", "", "");
    else if (ptio_tensor_is_meta(tensor) || !tensor->storage)
        say(o, "Cannot copy out of meta tensor; no data!", "", "", "", "");
    else if (p->dtype == from)
        return false;
    else if (ptio_dtype_rows[from].class_ == PTIO_DTYPE_QUANTIZED)
        say(o, "Copying from quantized Tensor to non-quantized Tensor is not allowed, ",
            "please use dequantize to get a float Tensor from a quantized Tensor", "", "", "");
    else if (tensor->numel > 0 && !ptio_can_convert(from, p->dtype))
        say_no_kernel(o, p->dtype, from);
    else
        return false;
    return true;
}

static ptio_status assign(ptio_parameter *p, const ptio_tensor *tensor, ptio_error *err)
{
    const void *data = NULL;
    bool plain = tensor->layout == PTIO_STRIDED && tensor->storage && !ptio_tensor_is_meta(tensor) &&
                 ptio_tensor_is_contiguous(tensor) && !(tensor->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) &&
                 ptio_dtype_per_byte((ptio_dtype)tensor->dtype) == 1;
    ptio_status status = plain ? ptio_tensor_data(tensor, &data, err) : PTIO_OK;
    if (status != PTIO_OK)
        return status;
    p->data = (void *)(uintptr_t)data;
    p->dtype = (ptio_dtype)tensor->dtype;
    p->tensor = tensor;
    return PTIO_OK;
}

static ptio_status copy(ptio_parameter *p, const ptio_tensor *tensor, ptio_error *err)
{
    uint64_t size = 0;
    ptio_status status = PTIO_OK;
    if (p->data && tensor->numel > 0) {
        status = ptio_tensor_check_cast(tensor, p->dtype, &size, err);
        if (status == PTIO_OK)
            status = ptio_tensor_copy(tensor, p->dtype, p->data, size, err);
    }
    if (status == PTIO_OK)
        p->tensor = tensor;
    return status;
}

static ptio_status load_parameter(loading *l, ptio_parameter *p, ptio_error *err)
{
    obstacle o;
    ptio_text name = ptio_text_of(p->name);
    ptio_state_key *key = ptio_state_keys_find(&l->keys, name);
    if (!key)
        return ptio_state_result_list(l->result, &l->result->missing, name) ? PTIO_OK : no_memory(l, err);
    const char *shown = ptio_state_result_name(l->result, name);
    if (!shown)
        return no_memory(l, err);
    const ptio_tensor *tensor = ptio_value_kind(key->value) == PTIO_KIND_TENSOR ? ptio_value_tensor(key->value) : NULL;
    if (!tensor)
        return wrong_kind(l, shown, key->value) ? PTIO_OK : no_memory(l, err);
    if (tensor->layout == PTIO_NESTED || tensor->layout == PTIO_JAGGED || !same_shape(p, tensor))
        return wrong_size(l, shown, p, tensor) ? PTIO_OK : no_memory(l, err);
    if (!l->assign && p->data && is_obstructed(p, tensor, &o))
        return not_copied(l, shown, p, tensor, &o) ? PTIO_OK : no_memory(l, err);
    ptio_status status = l->assign ? assign(p, tensor, err) : copy(p, tensor, err);
    return status == PTIO_OK ? PTIO_OK : ptio_error_in_context(err, status, name);
}

/* ---- all ---- */

/* The module that comes after `at`, depth first, or NONE. */
static uint32_t after(const loading *l, uint32_t at)
{
    if (l->modules[at].children.first != NONE)
        return l->modules[at].children.first;
    while (at != NONE && l->modules[at].next == NONE)
        at = l->modules[at].parent;
    return at == NONE ? NONE : l->modules[at].next;
}

static ptio_status load_modules(loading *l, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    for (uint32_t at = 0; at != NONE && status == PTIO_OK; at = after(l, at)) {
        for (uint32_t i = l->modules[at].parameters.first; i != NONE && status == PTIO_OK; i = l->next_parameter[i])
            status = load_parameter(l, &l->parameters[i], err);
        if (status == PTIO_OK && !list_unexpected(l, &l->modules[at]))
            status = no_memory(l, err);
    }
    return status;
}

static ptio_status allocate_chains(loading *l, ptio_error *err)
{
    l->chained_keys = l->keys.count;
    l->next_parameter = ptio_heap_resize(&l->heap, NULL, 0, (l->count + 1) * sizeof *l->next_parameter);
    l->next_unexpected = ptio_heap_resize(&l->heap, NULL, 0, (l->chained_keys + 1) * sizeof *l->next_unexpected);
    return l->next_parameter && l->next_unexpected ? PTIO_OK : no_memory(l, err);
}

static void free_loading(loading *l)
{
    ptio_state_keys_free(&l->keys);
    ptio_text_map_free(&l->paths, &l->heap);
    ptio_heap_free(&l->heap, l->modules, l->module_capacity * sizeof *l->modules);
    ptio_heap_free(&l->heap, l->next_parameter, (l->count + 1) * sizeof *l->next_parameter);
    ptio_heap_free(&l->heap, l->next_unexpected, (l->chained_keys + 1) * sizeof *l->next_unexpected);
}

static ptio_status judge(const ptio_state_result *result, ptio_error *err)
{
    if (!result->seen.text[0])
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "statedict.mismatch", PTIO_NO_OFFSET, "%s",
                     ptio_quote(ptio_text_of(result->seen.text)).text);
}

void ptio_state_dict_options_init(ptio_state_dict_options *options)
{
    *options = (ptio_state_dict_options){PTIO_STATE_DICT_OPTIONS};
}

static ptio_state_dict_options known_options(const ptio_state_dict_options *given)
{
    ptio_state_dict_options options = {PTIO_STATE_DICT_OPTIONS};
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    return options;
}

static ptio_status run(loading *l, const ptio_checkpoint *ckpt, const ptio_value *state_dict,
                       const ptio_state_dict_options *options, ptio_error *err)
{
    ptio_status status = ptio_state_keys_open(&l->keys, &l->heap, ckpt, state_dict, options->prefix, err);
    if (status == PTIO_OK)
        status = allocate_chains(l, err);
    if (status == PTIO_OK)
        status = grow_tree(l, err);
    if (status == PTIO_OK) {
        find_unexpected(l);
        status = load_modules(l, err);
    }
    if (status == PTIO_OK &&
        !ptio_state_result_finish(l->result, options->class_name ? options->class_name : "Module", options->strict))
        status = no_memory(l, err);
    return status;
}

ptio_status ptio_load_state_dict(const ptio_checkpoint *ckpt, const ptio_value *state_dict, ptio_parameter *parameters,
                                 size_t count, const ptio_state_dict_options *options, const ptio_incompatible **ret,
                                 ptio_error *err)
{
    const ptio_state_dict_options known = known_options(options);
    if (!ckpt || (count && !parameters) || count > MOST_PARAMETERS)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.none", PTIO_NO_OFFSET,
                         "there is no checkpoint, or there are no parameters");
    loading l = {.result = ptio_state_result_new(&ckpt->heap.hooks),
                 .parameters = parameters,
                 .count = count,
                 .assign = known.assign,
                 .paths = {.hash_key = ptio_os_random()}};
    if (!l.result)
        return ptio_fail_memory(err, "a state dict");
    ptio_heap_init(&l.heap, &ckpt->heap.hooks, 0);
    ptio_status status = run(&l, ckpt, state_dict ? state_dict : ptio_root(ckpt), &known, err);
    free_loading(&l);
    bool told = status == PTIO_OK;
    if (told)
        status = judge(l.result, err);
    if (told && ret)
        *ret = &l.result->seen;
    else
        ptio_incompatible_free(&l.result->seen);
    return status;
}
