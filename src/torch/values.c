/*
 * Getters of values (section 5 of ptio.h): what a node is seen as.
 */
#include "torch/meaning.h"
#include "torch/handlers.h"

#include <math.h>

static const char *const kind_words[] = {
#define KIND_WORD(name, word) word,
    PTIO_KIND_LIST(KIND_WORD)
#undef KIND_WORD
};

const char *ptio_kind_name(ptio_kind kind)
{
    size_t index = (size_t)kind;
    return index < sizeof kind_words / sizeof *kind_words ? kind_words[index] : "unknown";
}

const ptio_value *ptio_root(const ptio_checkpoint *ckpt)
{
    return ckpt->root;
}

ptio_kind ptio_value_kind(const ptio_value *value)
{
    return value ? (ptio_kind)value->seen : PTIO_KIND_MISSING;
}

/* ---- numbers ---- */

bool ptio_value_bool(const ptio_value *value)
{
    return ptio_is_true(value);
}

bool ptio_value_int(const ptio_value *value, int64_t *ret)
{
    return value && ptio_node_int64(value, ret);
}

size_t ptio_value_int_bytes(const ptio_value *value, void *buffer, size_t size)
{
    int64_t number;
    if (!value || (value->type != PTIO_NODE_TYPE_INT && value->type != PTIO_NODE_TYPE_BOOL))
        return 0;
    if (value->flags & PTIO_NODE_BIG) {
        if (size >= value->count)
            memcpy(buffer, PTIO_NODE(int, value)->u.bytes, value->count);
        return value->count;
    }
    if (!ptio_node_int64(value, &number) || number == 0)
        return 0;
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
    size_t used = 8;
    uint8_t sign = number < 0 ? 0xFF : 0;
    while (used > 1 && bytes[used - 1] == sign && (bytes[used - 2] & 0x80) == (sign & 0x80))
        used--;
    if (size >= used)
        memcpy(buffer, bytes, used);
    return used;
}

/* The double nearest to an int of any size, ties to even. */
static double big_to_double(const uint8_t *bytes, size_t size)
{
    bool negative = bytes[size - 1] & 0x80;
    /* The magnitude's top 64 bits, and whether anything lies below them. */
    uint64_t top = 0;
    size_t taken = 0;
    unsigned carry = negative;
    bool below = false;
    size_t highest = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (negative ? (uint8_t)~bytes[i] : bytes[i]) + carry;
        carry = byte >> 8;
        if ((byte & 0xFF) != 0)
            highest = i + 1;
    }
    carry = negative;
    for (size_t i = 0; i < highest; i++) {
        unsigned byte = (negative ? (uint8_t)~bytes[i] : bytes[i]) + carry;
        carry = byte >> 8;
        if (i + 8 < highest)
            below = below || (byte & 0xFF);
        else
            top |= (uint64_t)(byte & 0xFF) << (8 * taken++);
    }
    /* Make room for the sticky bit: a uint64_t rounds to 53 bits by itself once its lowest bit says whether more follows. */
    unsigned width = ptio_bit_width(top);
    double result;
    if (width > 56) {
        unsigned drop = width - 56;
        below = below || (top & (((uint64_t)1 << drop) - 1));
        result = ldexp((double)(top >> drop | below), (int)drop);
    } else {
        result = (double)(top | below);
    }
    size_t shift = highest > 8 ? (highest - 8) * 8 : 0;
    result = shift > 2000 ? HUGE_VAL : ldexp(result, (int)shift);
    return negative ? -result : result;
}

bool ptio_value_float(const ptio_value *value, double *ret)
{
    int64_t number;
    if (!value)
        return false;
    if (value->type == PTIO_NODE_TYPE_FLOAT)
        *ret = PTIO_NODE(float, value)->value;
    else if (ptio_node_int64(value, &number))
        *ret = (double)number;
    else if (value->type == PTIO_NODE_TYPE_INT)
        *ret = big_to_double(PTIO_NODE(int, value)->u.bytes, value->count);
    else
        return false;
    return true;
}

bool ptio_value_complex(const ptio_value *value, double *real, double *imag)
{
    if (!value || value->seen != PTIO_KIND_COMPLEX)
        return false;
    const ptio_node_reduced *node = PTIO_NODE(reduced, value);
    *imag = 0;
    return ptio_value_float(ptio_argument(node, 0), real) &&
           (ptio_argument_count(node) < 2 || ptio_value_float(ptio_argument(node, 1), imag));
}

/* ---- texts ---- */

static const ptio_text no_text = {NULL, 0};

ptio_text ptio_value_str(const ptio_value *value)
{
    return value && value->seen == PTIO_KIND_STR ? ptio_node_str_of(value) : no_text;
}

ptio_text ptio_value_bytes(const ptio_value *value)
{
    if (!value)
        return no_text;
    if (value->type == PTIO_NODE_TYPE_PY2STR)
        return ptio_node_text_of(value);
    switch (value->seen) {
    case PTIO_KIND_BYTES:
    case PTIO_KIND_BYTEARRAY:
        return value->type == PTIO_NODE_TYPE_REDUCED ? *(const ptio_text *)ptio_meaning(value) : ptio_node_text_of(value);
    case PTIO_KIND_NPSCALAR: return ((const ptio_npscalar *)ptio_meaning(value))->data;
    default: return no_text;
    }
}

bool ptio_value_is_py2str(const ptio_value *value)
{
    return value && value->type == PTIO_NODE_TYPE_PY2STR;
}

static const ptio_npdtype *npdtype_of(const ptio_value *value)
{
    switch (value->seen) {
    case PTIO_KIND_NPDTYPE: return ptio_meaning(value);
    case PTIO_KIND_NDARRAY: return ((const ptio_ndarray *)ptio_meaning(value))->dtype;
    case PTIO_KIND_NPSCALAR: return ((const ptio_npscalar *)ptio_meaning(value))->dtype;
    default: return NULL;
    }
}

/* The device of a generator is the argument of its call. */
static ptio_text generator_device(const ptio_value *value)
{
    const ptio_value *device = ptio_argument(PTIO_NODE(reduced, value), 0);
    if (device && device->seen == PTIO_KIND_DEVICE)
        return *(const ptio_text *)ptio_meaning(device);
    return device && device->type == PTIO_NODE_TYPE_STR ? ptio_node_text_of(device) : PTIO_TEXT("cpu");
}

ptio_text ptio_value_name(const ptio_value *value)
{
    if (!value)
        return no_text;
    switch (value->seen) {
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT: return ((const ptio_global *)ptio_meaning(value))->full_name;
    case PTIO_KIND_DEVICE:
    case PTIO_KIND_LAYOUT: return *(const ptio_text *)ptio_meaning(value);
    case PTIO_KIND_GENERATOR: return generator_device(value);
    default: break;
    }
    const ptio_npdtype *dtype = npdtype_of(value);
    return dtype ? dtype->code : no_text;
}

/* ---- classes ---- */

static ptio_text tensor_class(const ptio_value *value)
{
    const ptio_tensor *tensor = ptio_meaning(value);
    if (value->type == PTIO_NODE_TYPE_REDUCED) {
        const ptio_node_reduced *node = PTIO_NODE(reduced, value);
        const ptio_global *global = ptio_value_global(node->callable), *type;
        if (global && global->handler == PTIO_HANDLER_FROM_TYPE && (type = ptio_value_global(ptio_argument(node, 1))))
            return type->full_name;
        if (global && global->handler == PTIO_HANDLER_WRAPPER && (type = ptio_value_global(ptio_argument(node, 0))))
            return type->full_name;
        if (global && global->handler == PTIO_HANDLER_JAGGED)
            return global->result;
    }
    return tensor->flags & PTIO_TENSOR_PARAMETER ? PTIO_TEXT("torch.nn.parameter.Parameter") : PTIO_TEXT("torch.Tensor");
}

static ptio_text dict_class(const ptio_value *value)
{
    return value->type == PTIO_NODE_TYPE_REDUCED ? ptio_callable_class(ptio_reduced_class(PTIO_NODE(reduced, value)))
                                                 : PTIO_TEXT("builtins.dict");
}

ptio_text ptio_value_class(const ptio_value *value)
{
    static const ptio_text words[] = {[PTIO_KIND_NONE] = {"builtins.NoneType", 17},
                                      [PTIO_KIND_BOOL] = {"builtins.bool", 13},
                                      [PTIO_KIND_INT] = {"builtins.int", 12},
                                      [PTIO_KIND_FLOAT] = {"builtins.float", 14},
                                      [PTIO_KIND_COMPLEX] = {"builtins.complex", 16},
                                      [PTIO_KIND_STR] = {"builtins.str", 12},
                                      [PTIO_KIND_BYTES] = {"builtins.bytes", 14},
                                      [PTIO_KIND_BYTEARRAY] = {"builtins.bytearray", 18},
                                      [PTIO_KIND_LIST] = {"builtins.list", 13},
                                      [PTIO_KIND_TUPLE] = {"builtins.tuple", 14},
                                      [PTIO_KIND_SET] = {"builtins.set", 12},
                                      [PTIO_KIND_FROZENSET] = {"builtins.frozenset", 18},
                                      [PTIO_KIND_SIZE] = {"torch.Size", 10},
                                      [PTIO_KIND_DTYPE] = {"torch.dtype", 11},
                                      [PTIO_KIND_DEVICE] = {"torch.device", 12},
                                      [PTIO_KIND_LAYOUT] = {"torch.layout", 12},
                                      [PTIO_KIND_QSCHEME] = {"torch.qscheme", 13},
                                      [PTIO_KIND_MEMORY_FORMAT] = {"torch.memory_format", 19},
                                      [PTIO_KIND_GENERATOR] = {"torch._C.Generator", 18},
                                      [PTIO_KIND_NDARRAY] = {"numpy.ndarray", 13},
                                      [PTIO_KIND_NPSCALAR] = {"numpy.generic", 13},
                                      [PTIO_KIND_NPDTYPE] = {"numpy.dtype", 11},
                                      [PTIO_KIND_STORAGE] = {"torch.storage.TypedStorage", 26}};
    if (!value)
        return no_text;
    switch (value->seen) {
    case PTIO_KIND_GLOBAL: return ((const ptio_global *)ptio_meaning(value))->full_name;
    case PTIO_KIND_TENSOR: return tensor_class(value);
    case PTIO_KIND_DICT: return dict_class(value);
    case PTIO_KIND_OBJECT:
        if (value->type == PTIO_NODE_TYPE_GLOBAL)
            return ((const ptio_global *)ptio_meaning(value))->result;
        return ((const ptio_object *)ptio_meaning(value))->class_name;
    default: return value->seen < sizeof words / sizeof *words ? words[value->seen] : no_text;
    }
}

/* ---- contents ---- */

size_t ptio_value_count(const ptio_value *value)
{
    if (!value)
        return 0;
    const ptio_node_dict *dict = ptio_value_entries(value);
    if (dict)
        return ptio_dict_count(dict);
    size_t count;
    (void)ptio_value_items(value, &count);
    return count;
}

const ptio_value *ptio_value_item(const ptio_value *value, size_t index)
{
    if (!value)
        return NULL;
    const ptio_node_dict *dict = ptio_value_entries(value);
    if (dict)
        return index < ptio_dict_count(dict) ? ptio_dict_value(dict, index) : NULL;
    size_t count;
    const ptio_value *const *items = ptio_value_items(value, &count);
    return items && index < count ? items[index] : NULL;
}

const ptio_value *ptio_value_key(const ptio_value *value, size_t index)
{
    const ptio_node_dict *dict = ptio_value_entries(value);
    return dict && index < ptio_dict_count(dict) ? ptio_dict_key(dict, index) : NULL;
}

const ptio_value *ptio_value_get_n(const ptio_value *value, const char *key, size_t size)
{
    const ptio_node_dict *dict = key ? ptio_value_entries(value) : NULL;
    size_t at = dict ? ptio_dict_find_text(dict, (ptio_text){key, size}) : SIZE_MAX;
    return at == SIZE_MAX ? NULL : ptio_dict_value(dict, at);
}

const ptio_value *ptio_value_get(const ptio_value *value, const char *key)
{
    return ptio_value_get_n(value, key, key ? strlen(key) : 0);
}

const ptio_value *ptio_value_get_int(const ptio_value *value, int64_t key)
{
    const ptio_node_dict *dict = ptio_value_entries(value);
    size_t at = dict ? ptio_dict_find_int(dict, key) : SIZE_MAX;
    return at == SIZE_MAX ? NULL : ptio_dict_value(dict, at);
}

const ptio_value *ptio_value_get_value(const ptio_value *value, const ptio_value *key)
{
    const ptio_node_dict *dict = ptio_value_entries(value);
    size_t at = dict && key ? ptio_dict_find_value(dict, key) : SIZE_MAX;
    return at == SIZE_MAX ? NULL : ptio_dict_value(dict, at);
}

/* ---- attributes ---- */

/* A state is a dict of attributes, or (dict or None, dict of slots). NULL where it has no such part. */
static const ptio_value *part_of_state(const ptio_value *state, bool slots)
{
    const ptio_value *part = slots ? NULL : state;
    if (state->type == PTIO_NODE_TYPE_TUPLE && state->count == 2) {
        const ptio_value *attributes = ptio_tuple_item(state, 0), *named = ptio_tuple_item(state, 1);
        if (named->seen == PTIO_KIND_DICT && (attributes->type == PTIO_NODE_TYPE_NONE || attributes->seen == PTIO_KIND_DICT))
            part = slots ? named : attributes;
    }
    return part && part->seen == PTIO_KIND_DICT ? part : NULL;
}

/* Of the states of an object the later first. */
static const ptio_value *part_of_states(const ptio_node_reduced *node, bool slots)
{
    const ptio_value *part = NULL;
    for (size_t i = node->more ? node->more->states.head.count : 0; i-- > 0 && !part;)
        part = part_of_state(ptio_state(node, i), slots);
    return part;
}

/* _rebuild_parameter_with_state and _rebuild_from_type carry the state as their last argument. */
static const ptio_value *part_of_rebuilt(const ptio_node_reduced *node, bool slots)
{
    const ptio_global *global = ptio_value_global(node->callable);
    if (!global || (global->handler != PTIO_HANDLER_FROM_TYPE && global->handler != PTIO_HANDLER_PARAMETER))
        return NULL;
    const ptio_value *state = ptio_argument(node, 3);
    return state ? part_of_state(state, slots) : NULL;
}

static const ptio_value *part_of_value(const ptio_value *value, bool slots)
{
    if (!value || value->type != PTIO_NODE_TYPE_REDUCED)
        return NULL;
    switch (value->seen) {
    case PTIO_KIND_TENSOR: return part_of_rebuilt(PTIO_NODE(reduced, value), slots);
    case PTIO_KIND_OBJECT:
    case PTIO_KIND_DICT: return part_of_states(PTIO_NODE(reduced, value), slots);
    default: return NULL;
    }
}

const ptio_value *ptio_value_attributes(const ptio_value *value)
{
    const ptio_object *object = value && value->seen == PTIO_KIND_OBJECT ? ptio_meaning(value) : NULL;
    if (object && value->type == PTIO_NODE_TYPE_REDUCED && object->attributes)
        return object->attributes;
    return part_of_value(value, false);
}

const ptio_value *ptio_value_attribute(const ptio_value *value, const char *name)
{
    return ptio_value_get(ptio_value_attributes(value), name);
}

const ptio_value *ptio_value_slots(const ptio_value *value)
{
    return part_of_value(value, true);
}

const ptio_value *ptio_value_factory(const ptio_value *value)
{
    if (!value || value->type != PTIO_NODE_TYPE_REDUCED || value->seen != PTIO_KIND_DICT)
        return NULL;
    const ptio_node_reduced *node = PTIO_NODE(reduced, value);
    const ptio_global *global = ptio_value_global(node->callable);
    if (!global || global->handler != PTIO_HANDLER_DEFAULTDICT)
        return NULL;
    return ptio_argument_count(node) ? ptio_argument(node, 0) : &ptio_none;
}

bool ptio_value_is_module(const ptio_value *value)
{
    if (!value || value->type != PTIO_NODE_TYPE_REDUCED || value->seen != PTIO_KIND_OBJECT)
        return false;
    return ptio_value_kind(ptio_value_attribute(value, "_parameters")) == PTIO_KIND_DICT &&
           ptio_value_kind(ptio_value_attribute(value, "_buffers")) == PTIO_KIND_DICT &&
           ptio_value_kind(ptio_value_attribute(value, "_modules")) == PTIO_KIND_DICT;
}

/* ---- tensors, storages, arrays ---- */

const ptio_tensor *ptio_value_tensor(const ptio_value *value)
{
    if (!value)
        return NULL;
    switch (value->seen) {
    case PTIO_KIND_TENSOR: return ptio_meaning(value);
    case PTIO_KIND_NDARRAY: return ((const ptio_ndarray *)ptio_meaning(value))->tensor;
    default: return NULL;
    }
}

const ptio_storage *ptio_value_storage(const ptio_value *value)
{
    if (value && value->seen == PTIO_KIND_STORAGE)
        return ptio_meaning(value);
    const ptio_tensor *tensor = ptio_value_tensor(value);
    return tensor ? tensor->storage : NULL;
}

bool ptio_value_ndarray(const ptio_value *value, ptio_ndarray_info *ret)
{
    if (!value || value->seen != PTIO_KIND_NDARRAY)
        return false;
    const ptio_ndarray *array = ptio_meaning(value);
    *ret = (ptio_ndarray_info){.ndim = array->ndim,
                               .shape = array->shape,
                               .dtype = array->dtype->code,
                               .itemsize = array->dtype->itemsize,
                               .nbytes = array->nbytes,
                               .is_object = array->items != NULL,
                               .is_fortran = array->fortran};
    return true;
}

/* Copy elements in C order out of data in Fortran order: the index runs through the shape, last dimension fastest. */
static void copy_fortran(const ptio_ndarray *array, uint8_t *out)
{
    int64_t index[PTIO_MOST_DIMENSIONS] = {0};
    size_t itemsize = (size_t)array->dtype->itemsize;
    for (uint64_t n = 0; n < array->count; n++) {
        uint64_t at = 0, step = 1;
        for (size_t dim = 0; dim < array->ndim; dim++) {
            at += (uint64_t)index[dim] * step;
            step *= (uint64_t)array->shape[dim];
        }
        memcpy(out + n * itemsize, array->data.bytes + at * itemsize, itemsize);
        for (size_t dim = array->ndim; dim-- > 0 && ++index[dim] == array->shape[dim];)
            index[dim] = 0;
    }
}

ptio_status ptio_ndarray_copy(const ptio_value *value, void *buffer, uint64_t size, ptio_error *err)
{
    const ptio_ndarray *array = value && value->seen == PTIO_KIND_NDARRAY ? ptio_meaning(value) : NULL;
    if (!array || array->items)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.kind", PTIO_NO_OFFSET, "the value is no array of bytes");
    if (size != array->nbytes)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.size", PTIO_NO_OFFSET, "the buffer has %llu bytes, the array %llu",
                         (unsigned long long)size, (unsigned long long)array->nbytes);
    if (size && array->fortran && array->ndim > 1 && array->ndim <= PTIO_MOST_DIMENSIONS)
        copy_fortran(array, buffer);
    else if (size)
        memcpy(buffer, array->data.bytes, (size_t)size);
    return PTIO_OK;
}
