/*
 * The interpreter: what torch, NumPy and Python mean by the objects of a pickle.
 *
 * The machine below only noted what was asked for. Here its objects are gone through in the order in which they were made, so
 * that what an object is made of is known before it. Only states come later than their object: where a handler needs one, the
 * interpreter runs ahead to it (ptio_interpret_node).
 * A reduced object whose callable has a handler becomes what that handler makes of it, any other an object of its class.
 */
#include "torch/hooks.h"

#include <stdarg.h>
#include <stdio.h>

#define MOST_NESTED 32

enum { INTERPRETED = 64 }; /* a flag of nodes, ours */

ptio_status ptio_fail_node(ptio_loader *loader, const ptio_value *node, ptio_status status, const char *reason, ptio_error *err,
                           const char *format, ...)
{
    char message[sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool has_offset = node && node->type >= PTIO_NODE_TYPE_GLOBAL;
    status = ptio_fail(err, status, reason, has_offset ? node->count : PTIO_NO_OFFSET, "%s", message);
    return loader->part ? ptio_error_in_record(err, status, loader->part->record) : status;
}

static ptio_status interpret_global(ptio_loader *loader, ptio_node_global *node, ptio_error *err)
{
    ptio_global *global = PTIO_NEW(&loader->ckpt->arena, ptio_global, 1);
    ptio_text module = ptio_node_text_of(node->module), name = ptio_node_text_of(node->name);
    ptio_status status = ptio_hook_find_class(loader, &node->head, &module, &name, err);
    if (status != PTIO_OK)
        return status;
    if (!global || !ptio_global_resolve(&loader->ckpt->arena, module, name, loader->map_python2, global))
        return ptio_heap_fail(&loader->ckpt->heap, err, "a global");
    if (loader->keep_python2 && global->handler != PTIO_HANDLER_STORAGE_CLASS) {
        /* A file of Python 2 has its classes called as Python 2 calls them. */
        ptio_global as_written;
        if (!ptio_global_resolve(&loader->ckpt->arena, module, name, false, &as_written))
            return ptio_heap_fail(&loader->ckpt->heap, err, "a global");
        global->python2 = true;
        global->module = as_written.module;
        global->name = as_written.name;
        if (ptio_text_equal(global->result, global->full_name))
            global->result = as_written.full_name;
        global->full_name = as_written.full_name;
    }
    node->meaning = global;
    switch (global->handler) {
    case PTIO_HANDLER_DTYPE: node->head.seen = PTIO_KIND_DTYPE; break;
    case PTIO_HANDLER_QSCHEME: node->head.seen = PTIO_KIND_QSCHEME; break;
    case PTIO_HANDLER_MEMORY_FORMAT: node->head.seen = PTIO_KIND_MEMORY_FORMAT; break;
    case PTIO_HANDLER_SINGLETON: node->head.seen = PTIO_KIND_OBJECT; break;
    default: node->head.seen = PTIO_KIND_GLOBAL; break;
    }
    return PTIO_OK;
}

static ptio_status interpret_reduced(ptio_loader *loader, ptio_node_reduced *node, ptio_error *err)
{
    const ptio_global *global = ptio_value_global(node->callable);
    switch (global ? global->handler : PTIO_HANDLER_NONE) {
    case PTIO_HANDLER_TENSOR_V1:
    case PTIO_HANDLER_TENSOR_V2:
    case PTIO_HANDLER_TENSOR_V3:
    case PTIO_HANDLER_PARAMETER:
    case PTIO_HANDLER_QTENSOR:
    case PTIO_HANDLER_META:
    case PTIO_HANDLER_WRAPPER:
    case PTIO_HANDLER_FROM_NUMPY:
    case PTIO_HANDLER_FROM_CPU:
    case PTIO_HANDLER_FROM_TYPE:
    case PTIO_HANDLER_OLD_PARAMETER:
    case PTIO_HANDLER_OLD_TENSOR:
    case PTIO_HANDLER_TENSOR_CLASS: return ptio_handle_tensor(loader, node, global, err);
    case PTIO_HANDLER_SPARSE:
    case PTIO_HANDLER_NESTED:
    case PTIO_HANDLER_JAGGED: return ptio_handle_composed(loader, node, global, err);
    case PTIO_HANDLER_SET:
    case PTIO_HANDLER_FROZENSET:
    case PTIO_HANDLER_COMPLEX:
    case PTIO_HANDLER_BYTES:
    case PTIO_HANDLER_BYTEARRAY:
    case PTIO_HANDLER_ENCODE:
    case PTIO_HANDLER_ORDERED_DICT:
    case PTIO_HANDLER_COUNTER:
    case PTIO_HANDLER_DEFAULTDICT: return ptio_handle_python(loader, node, global, err);
    case PTIO_HANDLER_SIZE:
    case PTIO_HANDLER_DEVICE:
    case PTIO_HANDLER_LAYOUT:
    case PTIO_HANDLER_GENERATOR:
    case PTIO_HANDLER_LOAD_FROM_BYTES:
    case PTIO_HANDLER_JIT_LIST:
    case PTIO_HANDLER_JIT_TAGGED: return ptio_handle_torch_value(loader, node, global, err);
    case PTIO_HANDLER_NUMPY_DTYPE:
    case PTIO_HANDLER_NUMPY_ARRAY:
    case PTIO_HANDLER_NUMPY_SCALAR:
    case PTIO_HANDLER_NUMPY_BUFFER: return ptio_handle_numpy(loader, node, global, err);
    default: return ptio_handle_object(loader, node, global, err);
    }
}

static bool is_open(const ptio_value *value)
{
    return value && value->type >= PTIO_NODE_TYPE_GLOBAL && !(value->flags & INTERPRETED);
}

ptio_status ptio_interpret_made(ptio_loader *loader, const ptio_value *value, ptio_error *err)
{
    if (!is_open(value))
        return PTIO_OK;
    ptio_value *node = (ptio_value *)(uintptr_t)value; /* the interpreter owns the graph until the load ends */
    node->flags |= INTERPRETED;
    switch (node->type) {
    case PTIO_NODE_TYPE_GLOBAL: return interpret_global(loader, (ptio_node_global *)(void *)node, err);
    case PTIO_NODE_TYPE_PERSISTENT: return ptio_hook_persistent(loader, (ptio_node_persistent *)(void *)node, err);
    default: return interpret_reduced(loader, (ptio_node_reduced *)(void *)node, err);
    }
}

ptio_status ptio_interpret_node(ptio_loader *loader, const ptio_value *value, ptio_error *err)
{
    if (!is_open(value))
        return PTIO_OK;
    if (loader->nesting == MOST_NESTED)
        return ptio_fail_node(loader, value, PTIO_ERR_LIMIT, "limit.nesting", err,
                              "the states of objects that are data depend on one another more than %d deep", MOST_NESTED);
    loader->nesting++;
    ptio_status status = PTIO_OK;
    const ptio_graph *graph = &loader->part->graph;
    while (status == PTIO_OK && is_open(value) && loader->next_object < graph->object_count)
        status = ptio_interpret_made(loader, graph->objects[loader->next_object++], err);
    loader->nesting--;
    return status;
}

/* Interpret the objects of a pickle: all of them, or only the globals and persistent ids. */
static ptio_status interpret(ptio_loader *loader, ptio_pickle_part *part, bool only_ids, ptio_error *err)
{
    ptio_loader outer = *loader;
    loader->part = part;
    loader->next_object = 0;
    loader->map_python2 = part->graph.dialect.protocol < 3;
    loader->keep_python2 = part->graph.dialect.python2 || loader->python2;
    ptio_status status = PTIO_OK;
    while (status == PTIO_OK && loader->next_object < part->graph.object_count) {
        const ptio_value *object = part->graph.objects[loader->next_object++];
        if (!only_ids || object->type != PTIO_NODE_TYPE_REDUCED)
            status = ptio_interpret_made(loader, object, err);
    }
    if (status == PTIO_OK && !only_ids)
        status = ptio_error_in_record(err, ptio_graph_settle_keys(&part->graph, &loader->ckpt->heap, err), part->record);
    loader->part = outer.part;
    loader->next_object = outer.next_object;
    loader->map_python2 = outer.map_python2;
    loader->keep_python2 = outer.keep_python2;
    return status;
}

ptio_status ptio_interpret_ids(ptio_loader *loader, ptio_pickle_part *part, ptio_error *err)
{
    return interpret(loader, part, true, err);
}

ptio_status ptio_interpret(ptio_loader *loader, ptio_pickle_part *part, ptio_error *err)
{
    return interpret(loader, part, false, err);
}
