/*
 * numpy.dtype as NumPy 2 pickles it:
 *
 *     numpy.dtype(code, False, True) with state (3, order, subarray, names, fields, size, alignment, flags)
 *                                     of times  (4, …, ({}, (unit, count, 1, 1)))
 *
 * A dtype that was unpickled is an object of its own. The dtype of a scalar of a plain type is NumPy's own one of that type, and so
 * is that of an array of plain numbers that was brought into the byte order of the machine; that of all other scalars is made anew
 * each time it is asked for.
 *
 * Source: numpy/_core/src/multiarray/descriptor.c, arraydescr_reduce and arraydescr_setstate
 */
#include <inttypes.h>
#include <stdio.h>

#include "torch/handlers.h"
#include "torch/reduce_numpy.h"

bool ptio_npdtype_is_plain(const ptio_npdtype *dtype)
{
    char kind = ptio_npdtype_kind(dtype);
    return kind && strchr("biufc", kind);
}

/* What a dtype's pickle is made of. */
typedef struct dtype_parts {
    const ptio_value *code; /* "f4", or a class that stands for one: numpy.record */
    const ptio_value *state[9];
    size_t count;
} dtype_parts;

static const ptio_value *dtype_node(ptio_reducer *r, const dtype_parts *parts)
{
    const ptio_value *arguments[] = {parts->code, &ptio_false, &ptio_true};
    ptio_node_reduced *node = ptio_reduce_call(r, ptio_reduce_global(r, "numpy", "dtype"), ptio_reduce_tuple(r, arguments, 3));
    return ptio_reduce_built(r, node, ptio_reduce_tuple(r, parts->state, parts->count));
}

/* The byte order is a string of one letter that NumPy makes by a format. */
static const ptio_value *order_letter(ptio_reducer *r, char order)
{
    return ptio_reduce_letter(r, order == '<' ? PTIO_TEXT("<") : order == '>' ? PTIO_TEXT(">") : PTIO_TEXT("|"));
}

/* A str that is made each time. */
static const ptio_value *new_code(ptio_reducer *r, ptio_text code)
{
    ptio_text kept = ptio_arena_text(&r->arena, code);
    return kept.bytes ? ptio_reduce_str(r, kept) : NULL;
}

/* The parts of a dtype of no fields: "f4", '<'. Sizes are given of strings alone. */
static dtype_parts new_parts(ptio_reducer *r, ptio_text code, char order, int64_t size, int64_t alignment, int64_t flags)
{
    return (dtype_parts){.code = new_code(r, code),
                         .count = 8,
                         .state = {ptio_reduce_int(r, 3), order_letter(r, order), &ptio_none, &ptio_none, &ptio_none,
                                   ptio_reduce_int(r, size), ptio_reduce_int(r, alignment), ptio_reduce_int(r, flags)}};
}

/* (base, shape), a new tuple each time. */
static const ptio_value *subarray(ptio_reducer *r, const ptio_value *value)
{
    size_t count;
    const ptio_value *const *items = ptio_value_items(value, &count);
    if (!items || count != 2)
        return value;
    size_t ndim;
    const ptio_value *const *shape = ptio_value_items(items[1], &ndim);
    const ptio_value *pair[] = {items[0], shape ? ptio_reduce_tuple(r, shape, ndim) : ptio_reduce_tuple(r, &items[1], 1)};
    return ptio_reduce_tuple(r, pair, 2);
}

/* ({}, (unit, count, 1, 1)). */
static const ptio_value *time_metadata(ptio_reducer *r, const ptio_value *dict, ptio_text unit, int64_t step)
{
    if (!dict) {
        const ptio_node_dict *none = ptio_node_new_dict(&r->arena);
        dict = none ? &none->head : NULL;
    }
    const ptio_value *time[] = {ptio_reduce_bytes(r, unit), ptio_reduce_int(r, step), ptio_reduce_int(r, 1),
                                ptio_reduce_int(r, 1)};
    const ptio_value *pair[] = {dict, ptio_reduce_tuple(r, time, 4)};
    return ptio_reduce_tuple(r, pair, 2);
}

/* Metadata of times may have None for the dict, of other dtypes they are but a dict. */
static const ptio_value *metadata(ptio_reducer *r, const ptio_value *value)
{
    size_t count, parts;
    const ptio_value *const *items = ptio_value_items(value, &count);
    const ptio_value *const *unit = items && count == 2 ? ptio_value_items(items[1], &parts) : NULL;
    ptio_text name;
    int64_t step;
    if (!unit || parts < 2 || !ptio_node_int64(unit[1], &step))
        return value;
    if (!ptio_value_as_bytes(unit[0], &name))
        name = ptio_node_str_of(unit[0]);
    return time_metadata(r, ptio_value_entries(items[0]) ? items[0] : NULL, name, step);
}

/* The parts of a dtype of a file, in the byte order given. False where the dtype is none that can be told apart. */
static bool parts_of(ptio_reducer *r, const ptio_value *object, char order, dtype_parts *parts)
{
    const ptio_npdtype *dtype = ptio_meaning(object);
    const ptio_node_reduced *node = PTIO_NODE(reduced, object);
    const ptio_value *code = ptio_argument(node, 0), *state = ptio_state(node, 0);
    size_t count = 0;
    const ptio_value *const *items = state ? ptio_value_items(state, &count) : NULL;
    bool is_text = code && (code->type == PTIO_NODE_TYPE_STR || code->type == PTIO_NODE_TYPE_PY2STR);
    if (!is_text && !ptio_value_global(code))
        return false;
    if (!items && is_text && ptio_npdtype_is_plain(dtype)) {
        *parts = new_parts(r, ptio_node_str_of(code), order, -1, -1, 0);
        return true;
    }
    if (!items || (count != 8 && count != 9))
        return false;
    *parts = (dtype_parts){.code = is_text ? new_code(r, ptio_node_str_of(code)) : code, .count = count};
    memcpy((void *)parts->state, items, count * sizeof *items);
    parts->state[0] = ptio_reduce_int(r, count == 9 ? 4 : 3);
    parts->state[1] = order_letter(r, order);
    parts->state[2] = subarray(r, items[2]);
    if (count == 9)
        parts->state[8] = metadata(r, items[8]);
    return true;
}

const ptio_value *ptio_reduce_npdtype(ptio_reducer *r, const ptio_value *object)
{
    const ptio_npdtype *dtype = ptio_meaning(object);
    dtype_parts parts;
    return parts_of(r, object, dtype->byte_order, &parts) ? dtype_node(r, &parts) : ptio_reduce_object(r, object);
}

const ptio_value *ptio_npdtype_builtin(ptio_reducer *r, ptio_text code)
{
    for (size_t i = 0; i < r->numpy_type_count; i++)
        if (ptio_text_equal(ptio_node_text_of(ptio_argument(PTIO_NODE(reduced, r->numpy_types[i]), 0)), code))
            return r->numpy_types[i];
    bool is_byte = code.size == 2 && code.bytes[1] == '1';
    dtype_parts parts = new_parts(r, code, is_byte ? '|' : '<', -1, -1, 0);
    const ptio_value *node = dtype_node(r, &parts);
    if (node && r->numpy_type_count < PTIO_NUMPY_TYPES)
        r->numpy_types[r->numpy_type_count++] = node;
    return node;
}

/* "f4" of "<f4". */
static ptio_text bare_code(const ptio_npdtype *dtype)
{
    return (ptio_text){dtype->code.bytes + 1, dtype->code.size - 1};
}

const ptio_value *ptio_npdtype_native(ptio_reducer *r, const ptio_value *object)
{
    const ptio_npdtype *dtype = ptio_meaning(object);
    dtype_parts parts;
    if (ptio_npdtype_is_plain(dtype))
        return ptio_npdtype_builtin(r, bare_code(dtype));
    char order = dtype->byte_order == '>' ? '<' : dtype->byte_order;
    return parts_of(r, object, order, &parts) ? dtype_node(r, &parts) : object;
}

const ptio_value *ptio_npdtype_string(ptio_reducer *r, char kind, uint64_t length)
{
    char code[24];
    int size = snprintf(code, sizeof code, "%c%" PRIu64, kind, length);
    bool wide = kind == 'U';
    dtype_parts parts = new_parts(r, (ptio_text){code, (size_t)size}, wide ? '<' : '|', (int64_t)(wide ? 4 * length : length),
                                  wide ? 4 : 1, wide ? 8 : 0);
    return dtype_node(r, &parts);
}

/* "M8[25us]" as "M8", 25 and "us". */
static const ptio_value *time_dtype(ptio_reducer *r, const ptio_npdtype *dtype, char order)
{
    ptio_text code = bare_code(dtype), unit = {"generic", 7};
    int64_t step = 0;
    if (code.size > 4 && code.size < 32)
        unit = (ptio_text){code.bytes + 3, code.size - 4};
    for (; unit.size && *unit.bytes >= '0' && *unit.bytes <= '9' && step < INT32_MAX; unit.bytes++, unit.size--)
        step = step * 10 + (*unit.bytes - '0');
    code.size = 2;
    dtype_parts parts = new_parts(r, code, order, -1, -1, 0);
    parts.state[0] = ptio_reduce_int(r, 4);
    parts.state[8] = time_metadata(r, NULL, unit, step ? step : 1);
    parts.count = 9;
    return dtype_node(r, &parts);
}

const ptio_value *ptio_npdtype_of(ptio_reducer *r, const ptio_npdtype *dtype, char order)
{
    char kind = ptio_npdtype_kind(dtype);
    if (ptio_npdtype_is_time(dtype))
        return time_dtype(r, dtype, order);
    if (ptio_npdtype_is_plain(dtype) && order != '>')
        return ptio_npdtype_builtin(r, bare_code(dtype));
    if (kind == 'O') {
        dtype_parts objects = new_parts(r, PTIO_TEXT("O8"), '|', -1, -1, 63);
        return dtype_node(r, &objects);
    }
    dtype_parts parts = new_parts(r, bare_code(dtype), order, -1, -1, 0);
    if (!ptio_npdtype_is_plain(dtype)) {
        parts.state[5] = ptio_reduce_int(r, (int64_t)dtype->itemsize);
        parts.state[6] = ptio_reduce_int(r, kind == 'U' ? 4 : 1);
        parts.state[7] = ptio_reduce_int(r, kind == 'U' ? 8 : 0);
    }
    return dtype_node(r, &parts);
}
