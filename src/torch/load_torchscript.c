/*
 * TorchScript archives (torch.jit.save): data.pkl is the module, constants.pkl the tensors that its code names, code/ the sources.
 *
 * A module is pickled as its attributes in one dict; the source of its class tells which of them are parameters and buffers, and those
 * that are modules are its children. So each module gets attributes as those of torch.nn.Module beside its own, and is seen as PyTorch
 * shows it after torch.jit.load: as a RecursiveScriptModule. The constants are the attribute CONSTANTS of the root.
 *
 * Source: torch/csrc/jit/serialization/import.cpp, import_source.cpp; torch/csrc/jit/api/module.h (policies of the lists)
 */
#include "torch/script_classes.h"

#define MODULE_CLASS "torch.jit._script.RecursiveScriptModule"

typedef struct builder {
    ptio_loader *loader;
    ptio_script_classes classes;
    const ptio_value *parameters, *buffers, *modules, *constants_key; /* keys */
    const ptio_value *root;
    const ptio_value *constants; /* NULL: none */
} builder;

/* One module: the dicts that are filled. */
typedef struct module_dicts {
    ptio_node_dict *attributes, *parameters, *buffers, *modules;
} module_dicts;

static const ptio_node_reduced *object_of(const ptio_value *value)
{
    return value->type == PTIO_NODE_TYPE_REDUCED && value->seen == PTIO_KIND_OBJECT ? PTIO_NODE(reduced, value) : NULL;
}

/* The class of a value that is a module; *ret is NULL for others. */
static ptio_status module_class(builder *b, const ptio_value *value, const ptio_script_class **ret, ptio_error *err)
{
    const ptio_node_reduced *node = object_of(value);
    const ptio_global *global = node ? ptio_value_global(node->callable) : NULL;
    const ptio_value *state = node ? ptio_state(node, 0) : NULL;
    *ret = NULL;
    if (!global || !state || state->type != PTIO_NODE_TYPE_DICT)
        return PTIO_OK;
    ptio_status status = ptio_script_class_find(&b->classes, global, ret, err);
    if (status == PTIO_OK && *ret && !(*ret)->is_module)
        *ret = NULL;
    return status;
}

static bool holds(const ptio_node_dict *names, ptio_text name)
{
    return names && ptio_dict_find_text(names, name) != SIZE_MAX;
}

/* The tensor becomes a Parameter: the interpreter owns the graph until the load ends. */
static ptio_status mark_parameter(builder *b, const ptio_value *value, ptio_error *err)
{
    ptio_node_reduced *node = (ptio_node_reduced *)(uintptr_t)value;
    node->meaning = ptio_tensor_with_flags(&b->loader->ckpt->arena, ptio_meaning(value), PTIO_TENSOR_PARAMETER, 0);
    return node->meaning ? PTIO_OK : ptio_heap_fail(&b->loader->ckpt->heap, err, "a parameter");
}

static ptio_status add_attribute(builder *b, const ptio_script_class *class, const module_dicts *dicts, const ptio_value *key,
                                 const ptio_value *value, ptio_error *err)
{
    ptio_text name = key->type == PTIO_NODE_TYPE_STR ? ptio_node_text_of(key) : (ptio_text){NULL, 0};
    bool tensor = value->seen == PTIO_KIND_TENSOR && value->type == PTIO_NODE_TYPE_REDUCED;
    if (tensor && holds(class->parameters, name)) {
        ptio_status status = mark_parameter(b, value, err);
        return status == PTIO_OK ? ptio_make_entry(b->loader, dicts->parameters, key, value, err) : status;
    }
    /* Before buffers were listed, every tensor that is no parameter was one. */
    if (tensor && name.bytes && (holds(class->buffers, name) || !class->buffers))
        return ptio_make_entry(b->loader, dicts->buffers, key, value, err);
    const ptio_script_class *child;
    ptio_status status = module_class(b, value, &child, err);
    if (status != PTIO_OK)
        return status;
    return ptio_make_entry(b->loader, child ? dicts->modules : dicts->attributes, key, value, err);
}

static ptio_status new_dicts(builder *b, module_dicts *dicts, ptio_error *err)
{
    ptio_node_dict **all[] = {&dicts->attributes, &dicts->parameters, &dicts->buffers, &dicts->modules};
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < 4 && status == PTIO_OK; i++)
        status = ptio_make_dict(b->loader, all[i], err);
    return status;
}

/* The three dicts go into the attributes; then all keys are indexed. */
static ptio_status finish_dicts(builder *b, const module_dicts *dicts, ptio_error *err)
{
    const ptio_value *keys[] = {b->parameters, b->buffers, b->modules};
    ptio_node_dict *parts[] = {dicts->parameters, dicts->buffers, dicts->modules, dicts->attributes};
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < 3 && status == PTIO_OK; i++)
        status = ptio_make_entry(b->loader, dicts->attributes, keys[i], &parts[i]->head, err);
    for (size_t i = 0; i < 4 && status == PTIO_OK; i++)
        status = ptio_make_index(b->loader, parts[i], err);
    return status;
}

static ptio_status build_module(builder *b, const ptio_value *value, const ptio_script_class *class, ptio_error *err)
{
    const ptio_node_dict *state = PTIO_NODE(dict, ptio_state(PTIO_NODE(reduced, value), 0));
    ptio_object *object = (ptio_object *)(uintptr_t)ptio_meaning(value);
    module_dicts dicts;
    ptio_script_class own = *class; /* the table may grow meanwhile */
    ptio_status status = new_dicts(b, &dicts, err);
    for (size_t i = 0; i < ptio_dict_count(state) && status == PTIO_OK; i++)
        status = add_attribute(b, &own, &dicts, ptio_dict_key(state, i), ptio_dict_value(state, i), err);
    if (status == PTIO_OK && value == b->root && b->constants)
        status = ptio_make_entry(b->loader, dicts.attributes, b->constants_key, b->constants, err);
    if (status == PTIO_OK)
        status = finish_dicts(b, &dicts, err);
    if (status != PTIO_OK)
        return status;
    object->class_name = PTIO_TEXT(MODULE_CLASS);
    object->attributes = &dicts.attributes->head;
    return PTIO_OK;
}

static ptio_status make_keys(builder *b, ptio_error *err)
{
    static const char *const names[] = {"_parameters", "_buffers", "_modules", "CONSTANTS"};
    const ptio_value **keys[] = {&b->parameters, &b->buffers, &b->modules, &b->constants_key};
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < 4 && status == PTIO_OK; i++)
        status = ptio_make_str(b->loader, ptio_text_of(names[i]), keys[i], err);
    return status;
}

static ptio_status build_modules(builder *b, const ptio_graph *graph, ptio_error *err)
{
    ptio_status status = make_keys(b, err);
    for (size_t i = 0; i < graph->object_count && status == PTIO_OK; i++) {
        const ptio_script_class *class;
        status = module_class(b, graph->objects[i], &class, err);
        if (status == PTIO_OK && class)
            status = build_module(b, graph->objects[i], class, err);
    }
    ptio_script_classes_free(&b->classes);
    return status;
}

static ptio_status load_constants(ptio_loader *loader, const ptio_value **ret, ptio_error *err)
{
    ptio_pickle_part *part;
    size_t count;
    loader->persistent_context = (void *)(uintptr_t) "constants/";
    ptio_status status = ptio_zip_run_record(loader, "constants.pkl", &part, err);
    loader->persistent_context = NULL;
    if (status == PTIO_OK)
        *ret = ptio_value_items(part->graph.root, &count) && count ? part->graph.root : NULL;
    return status;
}

ptio_status ptio_load_torchscript(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_pickle_part *part;
    builder b = {.loader = loader, .classes.loader = loader};
    ptio_status status = ptio_zip_prepare(loader, err);
    ckpt->container = PTIO_CONTAINER_TORCHSCRIPT;
    if (status == PTIO_OK)
        status = ptio_zip_run_record(loader, "data.pkl", &part, err);
    if (status == PTIO_OK)
        status = load_constants(loader, &b.constants, err);
    if (status != PTIO_OK)
        return status;
    b.root = ckpt->root = part->graph.root;
    ckpt->heap.limit = ckpt->limits.heap_bytes;
    return build_modules(&b, &part->graph, err);
}
