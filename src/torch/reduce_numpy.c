/*
 * NumPy's values as NumPy 2 pickles them, whatever version wrote the file.
 *
 *     array     _reconstruct(class, (0,), b'b') with state (1, shape, dtype, is_fortran, data)
 *               _frombuffer(data, dtype, shape, order) by protocol 5, where the array lies in one piece and exports a buffer
 *     masked    _mareconstruct(class, base, (0,), 'b') with state (1, shape, dtype, is_fortran, data, mask, fill value)
 *     scalar    scalar(dtype, bytes)
 *
 * True_ and False_ are one object each, as are bytes of one byte that C code makes. Dtypes: reduce_npdtype.c.
 *
 * Source: numpy/_core/src/multiarray, methods.c, scalartypes.c.src, scalarapi.c; numpy/ma/core.py
 */
#include "tensor/convert.h"
#include "torch/handlers.h"
#include "torch/reduce_numpy.h"

/* ---- scalars ---- */

static size_t swap_unit(const ptio_npdtype *dtype)
{
    char kind = ptio_npdtype_kind(dtype);
    if (dtype->byte_order != '>' || dtype->is_structured)
        return 1;
    return kind == 'U' ? 4 : kind == 'c' ? (size_t)dtype->itemsize / 2 : (size_t)dtype->itemsize;
}

/* Elements of a dtype in the byte order of the machine. */
static ptio_text native_data(ptio_reducer *r, const ptio_npdtype *dtype, ptio_text data)
{
    size_t unit = swap_unit(dtype);
    if (unit != 2 && unit != 4 && unit != 8)
        return data;
    char *swapped = ptio_arena_alloc(&r->arena, data.size ? data.size : 1);
    if (!swapped)
        return (ptio_text){NULL, 0};
    memcpy(swapped, data.bytes, data.size);
    ptio_swap_bytes(swapped, data.size / unit, unit);
    return (ptio_text){swapped, data.size};
}

/* The bytes of a scalar. Strings end before their NULs. */
static ptio_text scalar_data(ptio_reducer *r, const ptio_npscalar *scalar)
{
    ptio_text data = native_data(r, scalar->dtype, scalar->data);
    char kind = ptio_npdtype_kind(scalar->dtype);
    if (kind == 'U' || kind == 'S')
        while (data.size && !data.bytes[data.size - 1])
            data.size--;
    if (kind == 'U')
        data.size = (data.size + 3) / 4 * 4;
    return data;
}

static const ptio_value *reduce_scalar(ptio_reducer *r, const ptio_value *object)
{
    const ptio_npscalar *scalar = ptio_meaning(object);
    const ptio_value *dtype = ptio_argument(PTIO_NODE(reduced, object), 0);
    ptio_text data = scalar_data(r, scalar);
    char kind = ptio_npdtype_kind(scalar->dtype);
    if (!data.bytes)
        return NULL;
    if ((kind == 'U' || kind == 'S'))
        dtype = ptio_npdtype_string(r, kind, kind == 'U' ? data.size / 4 : data.size);
    else if (ptio_npdtype_is_plain(scalar->dtype))
        dtype = ptio_npdtype_native(r, dtype);
    else if (ptio_npdtype_is_time(scalar->dtype))
        dtype = ptio_npdtype_of(r, scalar->dtype, '<');
    const ptio_value *arguments[] = {dtype, ptio_reduce_bytes(r, data)};
    ptio_node_reduced *node =
        ptio_reduce_call(r, ptio_reduce_global(r, "numpy._core.multiarray", "scalar"), ptio_reduce_tuple(r, arguments, 2));
    return node ? &node->head : NULL;
}

const ptio_value *ptio_reduce_identify_numpy(ptio_reducer *r, const ptio_value *object)
{
    const ptio_npscalar *scalar = ptio_meaning(object);
    if (ptio_npdtype_kind(scalar->dtype) != 'b' || scalar->data.size != 1)
        return object;
    const ptio_value **one = &r->numpy_bools[scalar->data.bytes[0] != 0];
    if (!*one)
        *one = object;
    return *one;
}

/* ---- arrays ---- */

/* An array as it is once it was loaded, whichever way that was. */
typedef struct array_parts {
    const ptio_ndarray *array;
    const ptio_value *class_, *dtype;
    bool exact;     /* numpy.ndarray itself                    */
    bool read_only; /* it is a view of bytes, not of its own   */
    bool as_buffer; /* protocol 5 has a shorter form           */
} array_parts;

/* Of arrays that are contiguous both ways NumPy says False. */
static bool is_fortran(const ptio_ndarray *array)
{
    size_t long_dims = 0;
    for (size_t i = 0; i < array->ndim; i++)
        long_dims += array->shape[i] > 1;
    return array->fortran && array->count && long_dims > 1;
}

/* Times export no buffer, nor does what holds one. */
static bool exports_buffer(const ptio_npdtype *dtype)
{
    if (!dtype->is_structured)
        return !dtype->is_object && dtype->itemsize && !ptio_npdtype_is_time(dtype);
    for (size_t i = 0; i + 3 < dtype->code.size; i++) /* '<M8[ns]' */
        if ((dtype->code.bytes[i] == 'M' || dtype->code.bytes[i] == 'm') && memcmp(dtype->code.bytes + i + 1, "8[", 2) == 0)
            return false;
    return !dtype->is_object && dtype->itemsize;
}

static bool is_swapped(const ptio_value *dtype)
{
    const ptio_npdtype *found = ptio_meaning(dtype);
    return found->byte_order == '>' && !found->is_structured;
}

/* False where an array was made in a way that is not NumPy's: it is written as it was found. */
static bool take_apart(ptio_reducer *r, const ptio_value *object, array_parts *parts)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, object);
    const ptio_global *function = ptio_value_global(node->callable);
    *parts = (array_parts){.array = ptio_meaning(object)};
    if (function->handler == PTIO_HANDLER_NUMPY_BUFFER) {
        parts->class_ = ptio_reduce_global(r, "numpy", "ndarray");
        parts->dtype = ptio_argument(node, 1);
        parts->read_only = ptio_argument(node, 0)->seen == PTIO_KIND_BYTES;
        parts->exact = true;
    } else if (!node->more) { /* of a .npy or .npz */
        parts->class_ = node->callable;
        parts->dtype = ptio_npdtype_of(r, parts->array->dtype, parts->array->dtype->byte_order);
        parts->exact = true;
    } else {
        size_t count;
        const ptio_value *const *state = ptio_value_items(ptio_state(node, 0), &count);
        const ptio_global *class_ = ptio_value_global(ptio_argument(node, 0));
        if (!class_ || !state || node->more->states.head.count != 1)
            return false;
        parts->class_ = ptio_argument(node, 0);
        parts->exact = ptio_text_is(class_->full_name, "numpy.ndarray");
        parts->dtype = is_swapped(state[2]) ? ptio_npdtype_native(r, state[2]) : state[2];
    }
    parts->as_buffer = r->protocol >= 5 && parts->exact && exports_buffer(parts->array->dtype);
    return true;
}

/* Bytes of a buffer are an object that nothing else has. */
static const ptio_value *buffer_of(ptio_reducer *r, const array_parts *parts)
{
    ptio_text data = parts->array->data;
    ptio_value *node =
        ptio_node_new_text(&r->arena, parts->read_only ? PTIO_NODE_TYPE_BYTES : PTIO_NODE_TYPE_BYTEARRAY, data.bytes, data.size);
    if (node)
        node->seen = PTIO_KIND_MISSING;
    return node;
}

static const ptio_value *array_from_buffer(ptio_reducer *r, const array_parts *parts)
{
    const ptio_ndarray *array = parts->array;
    const ptio_value *arguments[] = {buffer_of(r, parts), parts->dtype, ptio_reduce_ints(r, array->shape, array->ndim),
                                     ptio_reduce_letter(r, is_fortran(array) ? PTIO_TEXT("F") : PTIO_TEXT("C"))};
    ptio_node_reduced *node =
        ptio_reduce_call(r, ptio_reduce_global(r, "numpy._core.numeric", "_frombuffer"), ptio_reduce_tuple(r, arguments, 4));
    return node ? &node->head : NULL;
}

/* The first five of the state. */
static bool array_state(ptio_reducer *r, const array_parts *parts, const ptio_value **state)
{
    const ptio_ndarray *array = parts->array;
    state[0] = ptio_reduce_int(r, 1);
    state[1] = ptio_reduce_ints(r, array->shape, array->ndim);
    state[2] = parts->dtype;
    state[3] = is_fortran(array) ? &ptio_true : &ptio_false;
    if (array->items) {
        size_t count;
        const ptio_value *const *items = ptio_value_items(array->items, &count);
        state[4] = ptio_reduce_list(r, PTIO_NODE_TYPE_LIST, items, count);
    } else {
        state[4] = ptio_reduce_bytes(r, array->data);
    }
    return state[1] && state[2] && state[4];
}

static const ptio_value *array_by_state(ptio_reducer *r, const array_parts *parts)
{
    const ptio_value *zero = ptio_reduce_int(r, 0), *state[5];
    const ptio_value *arguments[] = {parts->class_, ptio_reduce_tuple(r, &zero, 1), ptio_reduce_bytes(r, PTIO_TEXT("b"))};
    ptio_node_reduced *node =
        ptio_reduce_call(r, ptio_reduce_global(r, "numpy._core.multiarray", "_reconstruct"), ptio_reduce_tuple(r, arguments, 3));
    if (!array_state(r, parts, state))
        return NULL;
    return ptio_reduce_built(r, node, ptio_reduce_tuple(r, state, 5));
}

static const ptio_value *array_node(ptio_reducer *r, const array_parts *parts)
{
    return parts->as_buffer ? array_from_buffer(r, parts) : array_by_state(r, parts);
}

/* ---- masked arrays ---- */

/* The value that NumPy fills masked places with where none was set, by kind. */
static const struct default_fill {
    char kind;
    const char *code;
    ptio_text data;
} default_fills[] = {
    {'b', "b1", {"\1", 1}},
    {'i', "i8", {"\x3F\x42\x0F\0\0\0\0\0", 8}},
    {'u', "u8", {"\x3F\x42\x0F\0\0\0\0\0", 8}},
    {'f', "f8", {"\x40\x8C\xB5\x78\x1D\xAF\x15\x44", 8}},
    {'c', "c16", {"\x40\x8C\xB5\x78\x1D\xAF\x15\x44\0\0\0\0\0\0\0\0", 16}},
    {'O', "U1", {"?\0\0\0", 4}},
    {'S', "S3", {"N/A", 3}},
    {'V', "S3", {"???", 3}},
    {'U', "U3", {"N\0\0\0/\0\0\0A\0\0\0", 12}},
    {'M', "", {"\0\0\0\0\0\0\0\x80", 8}},
    {'m', "", {"\0\0\0\0\0\0\0\x80", 8}},
};

static const ptio_value *default_dtype(ptio_reducer *r, const struct default_fill *fill, const ptio_npdtype *dtype)
{
    if (!fill->code[0])
        return ptio_npdtype_of(r, dtype, '<');
    bool is_string = fill->code[0] == 'U' || fill->code[0] == 'S';
    uint64_t length = fill->data.size / (fill->code[0] == 'U' ? 4 : 1);
    return is_string ? ptio_npdtype_string(r, fill->code[0], length) : ptio_npdtype_builtin(r, ptio_text_of(fill->code));
}

/* An array of no dimensions. */
static const ptio_value *point(ptio_reducer *r, const ptio_npdtype *of, const ptio_value *dtype, ptio_text data)
{
    const ptio_ndarray array = {.dtype = of, .count = 1, .nbytes = data.size, .data = data};
    array_parts parts = {.array = &array, .class_ = ptio_reduce_global(r, "numpy", "ndarray"), .dtype = dtype, .exact = true};
    parts.as_buffer = r->protocol >= 5 && exports_buffer(of);
    return array_node(r, &parts);
}

static bool is_same_but_order(const ptio_npdtype *a, const ptio_npdtype *b)
{
    if (a->is_structured || b->is_structured)
        return ptio_text_equal(a->code, b->code);
    return ptio_text_equal((ptio_text){a->code.bytes + 1, a->code.size - 1}, (ptio_text){b->code.bytes + 1, b->code.size - 1});
}

/* The fill value after loading: an array of no dimensions of the dtype of the whole. The value of structured arrays is as found. */
static const ptio_value *fill_value(ptio_reducer *r, const ptio_value *found, const array_parts *parts)
{
    const ptio_npdtype *dtype = parts->array->dtype;
    if (found->seen == PTIO_KIND_NDARRAY) {
        const ptio_ndarray *array = ptio_meaning(found);
        bool same = is_same_but_order(array->dtype, dtype) && !array->items && !array->ndim;
        if (!same)
            return found;
        ptio_text data = array->dtype->byte_order == dtype->byte_order ? array->data : native_data(r, array->dtype, array->data);
        return data.bytes ? point(r, dtype, parts->dtype, data) : NULL;
    }
    if (found->type != PTIO_NODE_TYPE_NONE || dtype->is_structured)
        return found;
    for (size_t i = 0; i < sizeof default_fills / sizeof *default_fills; i++) {
        const struct default_fill *fill = &default_fills[i];
        const ptio_npdtype text = {.code = ptio_text_of("<U"), .itemsize = 4};
        if (fill->kind == ptio_npdtype_kind(dtype))
            return point(r, fill->kind == 'O' ? &text : dtype, default_dtype(r, fill, dtype), fill->data);
    }
    return found;
}

static const ptio_value *constant_shape(ptio_reducer *r)
{
    const ptio_value *zero = ptio_reduce_int(r, 0);
    if (!r->numpy_zero)
        r->numpy_zero = ptio_reduce_tuple(r, &zero, 1);
    return r->numpy_zero;
}

static const ptio_value *masked_node(ptio_reducer *r, const ptio_node_reduced *loaded, const array_parts *parts)
{
    size_t count;
    const ptio_value *const *found = ptio_value_items(ptio_state(loaded, 0), &count);
    const ptio_value *state[7];
    ptio_text mask;
    if (count != 7 || !ptio_value_as_bytes(found[5], &mask) || ptio_argument_count(loaded) != 4)
        return ptio_reduce_object(r, &loaded->head);
    const ptio_value *arguments[] = {ptio_argument(loaded, 0), ptio_argument(loaded, 1), constant_shape(r),
                                     ptio_reduce_word(r, PTIO_TEXT("b"))};
    ptio_node_reduced *node =
        ptio_reduce_call(r, ptio_reduce_global(r, "numpy.ma.core", "_mareconstruct"), ptio_reduce_tuple(r, arguments, 4));
    if (!array_state(r, parts, state))
        return NULL;
    state[5] = ptio_reduce_bytes(r, mask);
    state[6] = fill_value(r, found[6], parts);
    return ptio_reduce_built(r, node, ptio_reduce_tuple(r, state, 7));
}

static const ptio_value *reduce_array(ptio_reducer *r, const ptio_value *object)
{
    const ptio_node_reduced *node = PTIO_NODE(reduced, object);
    array_parts parts;
    if (!take_apart(r, object, &parts))
        return ptio_reduce_object(r, object);
    return ptio_text_is(ptio_value_global(node->callable)->name, "_mareconstruct") ? masked_node(r, node, &parts)
                                                                                   : array_node(r, &parts);
}

ptio_status ptio_reduce_check_numpy(const ptio_value *object, ptio_error *err)
{
    const ptio_npdtype *dtype = object->seen == PTIO_KIND_NDARRAY ? ((const ptio_ndarray *)ptio_meaning(object))->dtype : NULL;
    if (dtype && dtype->is_structured && !PTIO_NODE(reduced, object)->more &&
        ptio_value_global(PTIO_NODE(reduced, object)->callable)->handler == PTIO_HANDLER_CLASS)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "save.numpy-fields", PTIO_NO_OFFSET,
                         "an array of a .npy file that has fields cannot be saved");
    return PTIO_OK;
}

const ptio_value *ptio_reduce_numpy(ptio_reducer *r, const ptio_value *object)
{
    if (object->type != PTIO_NODE_TYPE_REDUCED || !ptio_value_global(PTIO_NODE(reduced, object)->callable))
        return object;
    switch (object->seen) {
    case PTIO_KIND_NPDTYPE: return ptio_reduce_npdtype(r, object);
    case PTIO_KIND_NPSCALAR: return reduce_scalar(r, object);
    default: return reduce_array(r, object);
    }
}
