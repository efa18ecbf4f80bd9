/*
 * The calls and BUILDs of weights_only. The loader has proven already that a value makes sense; here is what it passes over: arguments
 * that it keeps as they are, or that Python takes more strictly.
 *
 * Source: torch/_utils.py, torch/_tensor.py, torch/nn/parameter.py; what PyTorch 2.13 says when it runs (tests/oracle/hostile.py)
 */
#include "torch/weights_calls.h"

/* ---- kinds ---- */

static bool is_bool(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_BOOL;
}

static bool is_tensor(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_TENSOR;
}

static bool is_sequence(const ptio_value *value)
{
    return value && (value->seen == PTIO_KIND_TUPLE || value->seen == PTIO_KIND_LIST || value->seen == PTIO_KIND_SIZE);
}

/* bool(value) is False. */
static bool is_false(const ptio_value *value)
{
    int64_t number;
    switch (value->seen) {
    case PTIO_KIND_NONE: return true;
    case PTIO_KIND_BOOL:
    case PTIO_KIND_INT: return ptio_node_int64(value, &number) && !number;
    case PTIO_KIND_FLOAT: return PTIO_NODE(float, value)->value == 0;
    case PTIO_KIND_STR: return ptio_node_str_of(value).size == 0;
    case PTIO_KIND_TUPLE:
    case PTIO_KIND_LIST:
    case PTIO_KIND_DICT:
    case PTIO_KIND_SET:
    case PTIO_KIND_SIZE: return ptio_value_count(value) == 0;
    default: return false;
    }
}

/* What dict.update() takes: a dict, or pairs. (Of texts and bytes it takes pairs of letters, which nobody writes.) */
static bool is_update(const ptio_value *value)
{
    if (value->seen == PTIO_KIND_DICT)
        return true;
    if (!is_sequence(value) && value->seen != PTIO_KIND_SET)
        return value->seen == PTIO_KIND_STR && is_false(value);
    for (size_t i = 0; i < ptio_value_count(value); i++) {
        const ptio_value *pair = ptio_value_item(value, i);
        if (!is_sequence(pair) || ptio_value_count(pair) != 2)
            return false;
    }
    return true;
}

/* A dict whose keys can be attributes for setattr(). */
static bool is_attributes(const ptio_value *value)
{
    if (value->seen != PTIO_KIND_DICT)
        return false;
    for (size_t i = 0; i < ptio_value_count(value); i++)
        if (ptio_value_key(value, i)->seen != PTIO_KIND_STR)
            return false;
    return true;
}

/* The state of torch._utils._set_obj_state(): attributes, or a pair of attributes and slots; false ones are passed over. */
static bool is_object_state(const ptio_value *state)
{
    if (state->seen != PTIO_KIND_TUPLE)
        return is_false(state) || is_attributes(state);
    if (ptio_value_count(state) != 2)
        return is_false(state);
    const ptio_value *attributes = ptio_value_item(state, 0), *slots = ptio_value_item(state, 1);
    return (is_false(attributes) || is_attributes(attributes)) && (is_false(slots) || is_attributes(slots));
}

/* A class of the user's, who allowed it, may have a __setstate__() that takes anything. */
static bool may_restore_itself(const ptio_value *class)
{
    const ptio_global *global = ptio_value_global(class);
    return global && !global->safe;
}

bool ptio_weights_unhashable(const ptio_value *value)
{
    switch (value->seen) {
    case PTIO_KIND_LIST:
    case PTIO_KIND_DICT:
    case PTIO_KIND_SET:
    case PTIO_KIND_BYTEARRAY: return true;
    default: return false;
    }
}

/* ---- calls ---- */

/* Only floating point and complex tensors have gradients. */
static bool has_wrong_gradient(const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_value_tensor(value);
    if (!tensor || !ptio_tensor_requires_grad(tensor))
        return false;
    uint8_t class = ptio_dtype_rows[ptio_tensor_dtype(tensor)].class_;
    return class != PTIO_DTYPE_REAL && class != PTIO_DTYPE_COMPLEX;
}

/* The type of a device and perhaps its index: "cuda:1". */
static bool is_device(ptio_text text)
{
    static const char *const types[] = {"cpu",    "cuda", "ipu",  "xpu",  "mkldnn", "opengl",       "opencl",
                                        "ideep",  "hip",  "ve",   "fpga", "maia",   "xla",          "lazy",
                                        "vulkan", "mps",  "meta", "hpu",  "mtia",   "privateuseone"};
    const char *colon = text.size ? memchr(text.bytes, ':', text.size) : NULL;
    ptio_text type = {text.bytes, colon ? (size_t)(colon - text.bytes) : text.size};
    for (size_t i = type.size + 1; colon && i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ptio_text_is(type, types[i]))
            return !colon || type.size + 1 < text.size;
    return false;
}

static bool is_flag(const ptio_node_reduced *node, size_t index)
{
    return index >= ptio_argument_count(node) || is_bool(ptio_argument(node, index));
}

static const char *parameter_fault(const ptio_node_reduced *node)
{
    const ptio_value *data = ptio_argument(node, 0);
    if (ptio_argument_count(node) > 2)
        return "Parameter() takes two arguments, data and requires_grad";
    return !data || is_tensor(data) || data->seen == PTIO_KIND_NONE ? NULL : "Parameter() takes a tensor";
}

static const char *sparse_fault(const ptio_node_reduced *node)
{
    const ptio_value *data = ptio_argument(node, 1);
    bool right = !is_sequence(data) || ptio_value_count(data) < 4 || is_bool(ptio_value_item(data, 3));
    const ptio_value *layout = ptio_argument(node, 0);
    /* Only COO has a fourth item that is a flag. */
    bool coo =
        layout && layout->seen == PTIO_KIND_LAYOUT && ptio_text_is(*(const ptio_text *)ptio_meaning(layout), "torch.sparse_coo");
    return coo && !right ? "is_coalesced of a sparse tensor must be a bool" : NULL;
}

static const char odd_arguments[] = "its constructor is called with arguments that no file of PyTorch has:";

/* bytearray("a") wants an encoding. */
static bool is_text_alone(const ptio_node_reduced *node)
{
    return ptio_argument_count(node) == 1 && ptio_argument(node, 0)->seen == PTIO_KIND_STR;
}

const char *ptio_weights_call_fault(const ptio_value *value, uint8_t handler)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, value);
    if (is_tensor(value) && has_wrong_gradient(value))
        return "only tensors of floating point and complex dtype can require gradients";
    switch (handler) {
    case PTIO_HANDLER_TENSOR_V2:
    case PTIO_HANDLER_TENSOR_V3: return is_flag(node, 4) ? NULL : "requires_grad must be a bool";
    case PTIO_HANDLER_PARAMETER:
        if (!is_flag(node, 1))
            return "requires_grad must be a bool";
        return ptio_argument_count(node) < 4 || is_object_state(ptio_argument(node, 3))
                   ? NULL
                   : "a Parameter's state is no dict of attributes";
    case PTIO_HANDLER_FROM_TYPE:
        return ptio_argument_count(node) < 4 || is_object_state(ptio_argument(node, 3)) ||
                       may_restore_itself(ptio_argument(node, 1))
                   ? NULL
                   : "a tensor's state is no dict of attributes";
    case PTIO_HANDLER_OLD_PARAMETER: return parameter_fault(node);
    case PTIO_HANDLER_SPARSE: return sparse_fault(node);
    case PTIO_HANDLER_DEVICE:
        return value->seen != PTIO_KIND_DEVICE || is_device(*(const ptio_text *)ptio_meaning(value))
                   ? NULL
                   : "there is no such type of device";
    case PTIO_HANDLER_WRAPPER: {
        const ptio_global *class = ptio_value_global(ptio_argument(node, 0));
        return class && class->safe ? "a wrapper's class must define __torch_dispatch__" : NULL;
    }
    case PTIO_HANDLER_BYTEARRAY: return value->seen == PTIO_KIND_OBJECT || is_text_alone(node) ? odd_arguments : NULL;
    case PTIO_HANDLER_STORAGE_CLASS:
    case PTIO_HANDLER_OLD_TENSOR:
    case PTIO_HANDLER_TENSOR_CLASS:
    case PTIO_HANDLER_CLASS:
        /* The loader did not understand the arguments: it made an object of the class. */
        return value->seen == PTIO_KIND_OBJECT ? odd_arguments : NULL;
    default: return NULL;
    }
}

/* ---- BUILD ---- */

/* Tensor.set_(*state) */
static bool is_set_state(const ptio_value *state)
{
    if (!is_sequence(state))
        return state->seen == PTIO_KIND_DICT && is_false(state);
    size_t count = ptio_value_count(state);
    if (count == 0)
        return true;
    const ptio_value *first = ptio_value_item(state, 0);
    bool storage = first->seen == PTIO_KIND_STORAGE;
    if (count == 1)
        return storage || is_tensor(first);
    return storage && (count == 3 || count == 4) && ptio_value_item(state, 1)->seen == PTIO_KIND_INT &&
           is_sequence(ptio_value_item(state, 2)) && (count == 3 || is_sequence(ptio_value_item(state, 3)));
}

/* Tensor.__setstate__(), which Parameters have: (storage, …) or (data, …, requires_grad, hooks) or (requires_grad, …, hooks) */
static bool is_parameter_state(const ptio_value *state)
{
    if (!is_sequence(state))
        return false;
    switch (ptio_value_count(state)) {
    case 3: return is_bool(ptio_value_item(state, 0));
    case 4: return is_set_state(state);
    case 5: return is_tensor(ptio_value_item(state, 0)) && is_bool(ptio_value_item(state, 3));
    default: return false;
    }
}

const char *ptio_weights_build_fault(const ptio_value *value, uint8_t handler, const ptio_value *state)
{
    bool right;
    if (handler == PTIO_HANDLER_PARAMETER || handler == PTIO_HANDLER_OLD_PARAMETER)
        right = is_parameter_state(state);
    else if (value->seen == PTIO_KIND_TENSOR)
        right = is_set_state(state);
    else if (handler == PTIO_HANDLER_ORDERED_DICT)
        right = is_update(state);
    else if (handler != PTIO_HANDLER_COUNTER)
        right = is_false(state); /* these have no attributes */
    else if (state->seen == PTIO_KIND_TUPLE && ptio_value_count(state) == 2)
        right = (is_false(ptio_value_item(state, 0)) || is_update(ptio_value_item(state, 0))) &&
                (is_false(ptio_value_item(state, 1)) || is_attributes(ptio_value_item(state, 1)));
    else
        right = is_false(state) || is_update(state);
    return right ? NULL : "BUILD with a state that the object does not take";
}
