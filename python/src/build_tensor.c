/*
 * Plain tensors and Parameters, which most of a checkpoint is, made at once: without their arguments, and where a tensor is its whole
 * storage, both by one call.
 */
#include <string.h>

#include "build.h"
#include "tensor.h"

/* torch.empty((0,), dtype=…, device=…).set_(storage, offset, shape, stride), as torch._utils._rebuild_tensor() has it. */
static PyObject *tensor_over_storage(builder *b, const ptio_tensor *t, const ptio_storage *storage)
{
    PyObject *untyped = untyped_of(b, storage), *dtype = untyped ? torch_dtype(b->torch, ptio_tensor_dtype(t)) : NULL;
    PyObject *device = dtype ? PyObject_GetAttr(untyped, NAME(b->state, device)) : NULL;
    PyObject *args = device ? Py_BuildValue("((i))", 0) : NULL, *result = NULL;
    PyObject *keywords = args ? Py_BuildValue("{sOsO}", "dtype", dtype, "device", device) : NULL;
    PyObject *empty = keywords ? PyObject_Call(b->torch->empty, args, keywords) : NULL;
    size_t ndim = ptio_tensor_ndim(t);
    PyObject *shape = empty ? int_tuple(ndim, ptio_tensor_shape(t)) : NULL;
    PyObject *stride = shape ? int_tuple(ndim, ptio_tensor_stride(t)) : NULL;
    PyObject *offset = stride ? PyLong_FromLongLong(ptio_tensor_storage_offset(t)) : NULL;
    if (offset)
        result = PyObject_CallMethodObjArgs(empty, NAME(b->state, set_), untyped, offset, shape, stride, NULL);
    Py_XDECREF(offset);
    Py_XDECREF(stride);
    Py_XDECREF(shape);
    Py_XDECREF(empty);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(device);
    return result;
}

/* Whether a tensor is its storage, element by element, so that the one can be made as the other. */
static bool covers_storage(const ptio_tensor *t, const ptio_storage *storage)
{
    return ptio_tensor_storage_offset(t) == 0 && ptio_tensor_is_contiguous(t) &&
           ptio_tensor_numel(t) * ptio_dtype_itemsize(ptio_tensor_dtype(t)) == ptio_storage_nbytes(storage);
}

static PyObject *new_tensor(builder *b, const ptio_tensor *t)
{
    const ptio_storage *storage = ptio_tensor_storage(t);
    made_storage *made = entry_of(b, storage);
    if (!made)
        return NULL;
    ptio_dtype dtype = ptio_tensor_dtype(t);
    if (made->tensor || made->untyped || b->fake || b->meta || b->skip_data || is_asked(b, storage) || !torch_has_dlpack(dtype) ||
        !ptio_storage_nbytes(storage) || !covers_storage(t, storage))
        return tensor_over_storage(b, t, storage);
    void *data, *owner;
    void (*release)(void *);
    if (!owned_bytes(b, storage, &data, &release, &owner))
        return NULL;
    PyObject *tensor = torch_over_memory(b->torch, data, dtype, ptio_tensor_ndim(t), ptio_tensor_shape(t), ptio_tensor_stride(t),
                                         release, owner);
    made->tensor = Py_XNewRef(tensor);
    return tensor;
}

static bool is_function(const ptio_value *callable, const char *module, const char *name)
{
    ptio_text m = ptio_node_module(callable), n = ptio_node_qualname(callable);
    return m.size == strlen(module) && memcmp(m.bytes, module, m.size) == 0 && n.size == strlen(name) &&
           memcmp(n.bytes, name, n.size) == 0;
}

/* Whether a global is the function; `known` remembers the one that was. */
static bool is_known(const ptio_value **known, const ptio_value *callable, const char *module, const char *name)
{
    if (!callable)
        return false;
    if (*known == callable)
        return true;
    if (ptio_value_kind(callable) != PTIO_KIND_GLOBAL || !is_function(callable, module, name))
        return false;
    *known = callable;
    return true;
}

/* OrderedDict() */
static bool is_no_hooks(builder *b, const ptio_value *hooks)
{
    return ptio_value_kind(hooks) == PTIO_KIND_DICT && !ptio_value_count(hooks) && !ptio_node_state_count(hooks) &&
           is_known(&b->ordered_dict, ptio_node_callable(hooks), "collections", "OrderedDict");
}

const ptio_tensor *plain_tensor(builder *b, const ptio_value *value)
{
    const ptio_tensor *t = ptio_value_tensor(value);
    if (!t || ptio_tensor_layout(t) != PTIO_STRIDED || !ptio_tensor_storage(t) || ptio_tensor_is_meta(t))
        return NULL;
    if (ptio_node_view(value) == PTIO_NODE_PERSISTENT)
        return t;
    if (b->fake) /* its functions also put back the device of a fake tensor */
        return NULL;
    const ptio_value *arguments = ptio_node_arguments(value);
    if (!is_known(&b->rebuild_tensor, ptio_node_callable(value), "torch._utils", "_rebuild_tensor_v2") ||
        ptio_node_item_count(arguments) != 6 || ptio_node_state_count(value) || !is_no_hooks(b, ptio_node_item(arguments, 5)) ||
        ptio_tensor_quantizer(t).scheme != PTIO_NOT_QUANTIZED)
        return NULL;
    return t;
}

/* An OrderedDict of its own for each, as the functions give it that the file calls. Takes the tensor. */
static PyObject *without_hooks(builder *b, PyObject *tensor)
{
    PyObject *hooks = tensor ? PyObject_CallNoArgs(b->state->ordered_dict) : NULL;
    if (tensor && (!hooks || PyObject_SetAttr(tensor, NAME(b->state, _backward_hooks), hooks) < 0))
        Py_CLEAR(tensor);
    Py_XDECREF(hooks);
    return tensor;
}

PyObject *make_tensor(builder *b, const ptio_value *value, const ptio_tensor *t)
{
    PyObject *tensor = new_tensor(b, t);
    if (tensor && ptio_tensor_requires_grad(t) && PyObject_SetAttr(tensor, NAME(b->state, requires_grad), Py_True) < 0)
        Py_CLEAR(tensor);
    return ptio_node_view(value) == PTIO_NODE_PERSISTENT ? tensor : without_hooks(b, tensor);
}

const ptio_value *parameter_data(builder *b, const ptio_value *value)
{
    const ptio_value *arguments = ptio_node_arguments(value);
    if (!is_known(&b->rebuild_parameter, ptio_node_callable(value), "torch._utils", "_rebuild_parameter") ||
        ptio_node_item_count(arguments) != 3 || ptio_node_state_count(value) || !is_no_hooks(b, ptio_node_item(arguments, 2)))
        return NULL;
    const ptio_value *data = ptio_node_item(arguments, 0);
    return ptio_value_kind(data) == PTIO_KIND_TENSOR && plain_tensor(b, data) ? data : NULL;
}

PyObject *make_parameter(builder *b, const ptio_value *value, PyObject *data)
{
    PyObject *requires_grad = ptio_value_bool(ptio_node_item(ptio_node_arguments(value), 1)) ? Py_True : Py_False;
    /* What Parameter() does itself with a plain tensor; a fake one, for example, it takes another way. */
    if ((PyObject *)Py_TYPE(data) == b->torch->tensor)
        return without_hooks(
            b, PyObject_CallFunctionObjArgs(b->torch->make_subclass, b->torch->parameter, data, requires_grad, NULL));
    return without_hooks(b, PyObject_CallFunctionObjArgs(b->torch->parameter, data, requires_grad, NULL));
}
