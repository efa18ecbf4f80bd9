/*
 * NumPy's values: dtypes, arrays, scalars, of 1.x and 2.x pickles.
 *
 *     numpy.dtype('f4', False, True) with state (3, '<', None, None, None, -1, -1, 0)
 *     _reconstruct(numpy.ndarray, (0,), b'b') with state (1, shape, dtype, is_fortran, data)
 *     _mareconstruct(MaskedArray, numpy.ndarray, (0,), 'b') with state (1, shape, dtype, is_fortran, data, mask, fill value)
 *     _frombuffer(buffer, dtype, shape, order)                                                  protocol 5
 *     scalar(dtype, bytes)
 *
 * A dtype is called as numpy.dtype.str has it ("<f4"); a structured one as str() of it.
 */
#include "torch/handlers.h"

#include <inttypes.h>
#include <stdio.h>

#include "tensor/convert.h"
#include "torch/numpy_fields.h"

#define ALIGNED_STRUCT 0x80 /* in the flags of a dtype: NPY_ALIGNED_STRUCT */

static ptio_status bad(ptio_loader *loader, const ptio_value *node, ptio_error *err, const char *what)
{
    return ptio_fail_node(loader, node, PTIO_ERR_FORMAT, "numpy.form", err, "numpy: %s", what);
}

/* Whether a letter is among others. strchr() finds a NUL everywhere. */
static bool is_one_of(char letter, const char *letters)
{
    return letter && strchr(letters, letter);
}

/* ---- dtypes ---- */

/* The dtype of torch for numbers of NumPy in this machine's byte order; NumPy's letters are kind and size. */
static ptio_dtype torch_dtype(char kind, uint64_t size)
{
    switch (kind) {
    case 'b': return size == 1 ? PTIO_BOOL : PTIO_NO_DTYPE;
    case 'i':
        return size == 1 ? PTIO_INT8 : size == 2 ? PTIO_INT16 : size == 4 ? PTIO_INT32 : size == 8 ? PTIO_INT64 : PTIO_NO_DTYPE;
    case 'u':
        return size == 1   ? PTIO_UINT8
               : size == 2 ? PTIO_UINT16
               : size == 4 ? PTIO_UINT32
               : size == 8 ? PTIO_UINT64
                           : PTIO_NO_DTYPE;
    case 'f': return size == 2 ? PTIO_FLOAT16 : size == 4 ? PTIO_FLOAT32 : size == 8 ? PTIO_FLOAT64 : PTIO_NO_DTYPE;
    case 'c': return size == 8 ? PTIO_COMPLEX64 : size == 16 ? PTIO_COMPLEX128 : PTIO_NO_DTYPE;
    default: return PTIO_NO_DTYPE;
    }
}

/* Bytes of an element by kind and the number in the code: strings count characters, of four bytes in 'U'. */
static bool code_size(char kind, uint64_t number, uint64_t *size)
{
    *size = number;
    return kind != 'U' || ptio_mul_u64(number, 4, size);
}

static bool parse_number(ptio_text text, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || *ret > INT64_MAX / 16)
            return false;
        *ret = *ret * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    return true;
}

/* Write the code as numpy.dtype.str does: '|' where order means nothing. `unit` is that of times: "[D]" or "". */
static bool name_dtype(ptio_arena *arena, ptio_npdtype *dtype, char kind, uint64_t number, const char *unit)
{
    char text[80];
    char order = dtype->itemsize == 1 || kind == 'S' || kind == 'V' || kind == 'O' || kind == 'b' || (kind == 'U' && !number)
                     ? '|'
                     : dtype->byte_order;
    if (kind == 'U')
        order = dtype->byte_order == '|' ? '<' : dtype->byte_order;
    dtype->byte_order = order;
    int size = kind == 'O' ? snprintf(text, sizeof text, "|O")
                           : snprintf(text, sizeof text, "%c%c%" PRIu64 "%s", order, kind, number, unit);
    dtype->code = ptio_arena_text(arena, (ptio_text){text, (size_t)size});
    return dtype->code.bytes != NULL;
}

/* As C on 64-bit machines aligns such elements. */
static uint64_t natural_alignment(char kind, uint64_t size)
{
    switch (kind) {
    case 'S':
    case 'V': return 1;
    case 'U': return 4;
    case 'c': return size > 1 ? size / 2 : 1;
    default: return size ? size : 1;
    }
}

static ptio_status fill_dtype(ptio_loader *loader, char order, char kind, uint64_t number, const char *unit, ptio_npdtype *dtype,
                              ptio_error *err)
{
    dtype->byte_order = order == '=' ? (PTIO_HOST_BIG_ENDIAN ? '>' : '<') : order;
    if (!code_size(kind, number, &dtype->itemsize))
        return PTIO_ERR_FORMAT;
    dtype->is_object = kind == 'O';
    dtype->alignment = natural_alignment(kind, dtype->itemsize);
    dtype->dtype = torch_dtype(kind, dtype->itemsize);
    if (!name_dtype(&loader->ckpt->arena, dtype, kind, number, unit))
        return ptio_heap_fail(&loader->ckpt->heap, err, "a NumPy dtype");
    if (dtype->byte_order == '>') /* torch has no dtypes of the other order; files are little-endian */
        dtype->dtype = PTIO_NO_DTYPE;
    return PTIO_OK;
}

ptio_status ptio_npdtype_from_code(ptio_loader *loader, ptio_text code, const ptio_npdtype **ret, ptio_error *err)
{
    ptio_npdtype *dtype = PTIO_NEW(&loader->ckpt->arena, ptio_npdtype, 1);
    if (!dtype)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a NumPy dtype");
    char order = '<';
    if (code.size && is_one_of(code.bytes[0], "<>|=")) {
        order = code.bytes[0];
        code = (ptio_text){code.bytes + 1, code.size - 1};
    }
    char unit[24] = "";
    const char *bracket = code.size ? memchr(code.bytes, '[', code.size) : NULL;
    if (bracket) {
        size_t length = code.size - (size_t)(bracket - code.bytes);
        if (length >= sizeof unit)
            return PTIO_ERR_FORMAT;
        memcpy(unit, bracket, length);
        unit[length] = '\0';
        code.size -= length;
    }
    uint64_t number;
    if (!code.size || !is_one_of(code.bytes[0], "biufcSUVOMma?") ||
        !parse_number((ptio_text){code.bytes + 1, code.size - 1}, &number))
        return PTIO_ERR_FORMAT;
    char kind = code.bytes[0];
    if (kind == '?') {
        kind = 'b';
        number = 1;
    }
    *ret = dtype;
    return fill_dtype(loader, order, kind == 'a' ? 'S' : kind, kind == 'O' ? 8 : number, unit, dtype, err);
}

/* One field: name, (dtype, offset[, title]). False where it is none; *err tells of a dtype that is wrong. */
static bool read_field(ptio_loader *loader, const ptio_node_dict *fields, const ptio_value *name, ptio_npfield *ret,
                       ptio_error *err)
{
    if (name->type != PTIO_NODE_TYPE_STR && name->type != PTIO_NODE_TYPE_PY2STR)
        return false;
    size_t at = ptio_dict_find_text(fields, ptio_node_str_of(name)), count;
    const ptio_value *const *items = at == SIZE_MAX ? NULL : ptio_value_items(ptio_dict_value(fields, at), &count);
    int64_t offset;
    if (!items || count < 2 || !ptio_node_int64(items[1], &offset) || offset < 0)
        return false;
    ret->name = ptio_node_str_of(name);
    ret->offset = (uint64_t)offset;
    if (count > 2 && (items[2]->type == PTIO_NODE_TYPE_STR || items[2]->type == PTIO_NODE_TYPE_PY2STR))
        ret->title = ptio_node_str_of(items[2]);
    ret->dtype = ptio_value_npdtype(loader, items[0], err);
    return ret->dtype != NULL;
}

/* The state is (3, '|', None, names, fields, itemsize, alignment, flags). */
static ptio_status structured(ptio_loader *loader, const ptio_node_reduced *node, const ptio_value *const *state,
                              ptio_npdtype *dtype, ptio_error *err)
{
    size_t count;
    int64_t alignment = 1, flags = 0;
    const ptio_value *const *names = ptio_value_items(state[3], &count);
    const ptio_node_dict *fields = ptio_value_entries(state[4]);
    if (!names || !fields)
        return bad(loader, &node->head, err, "a structured dtype has no names or no fields");
    ptio_npfield *row = PTIO_NEW(&loader->ckpt->arena, ptio_npfield, count ? count : 1);
    if (!row)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a structured dtype");
    for (size_t i = 0; i < count; i++) {
        if (!read_field(loader, fields, names[i], &row[i], err))
            return err && err->status != PTIO_OK
                       ? err->status
                       : bad(loader, &node->head, err, "a field of a structured dtype is not (dtype, offset)");
        /* Objects are in a list of their own, and as large as a pointer of who saved them. */
        uint64_t end, size = row[i].dtype->is_object ? 0 : row[i].dtype->itemsize;
        if (!ptio_add_u64(row[i].offset, size, &end) || end > dtype->itemsize)
            return bad(loader, &node->head, err, "a field of a structured dtype goes beyond its end");
        row[i].next = i + 1 < count ? &row[i + 1] : NULL;
    }
    (void)ptio_node_int64(state[6], &alignment);
    (void)ptio_node_int64(state[7], &flags);
    ptio_npstruct made = {.first = count ? row : NULL,
                          .itemsize = dtype->itemsize,
                          .alignment = alignment > 0 ? (uint64_t)alignment : 1,
                          .aligned = flags & ALIGNED_STRUCT,
                          .is_record = ptio_value_global(ptio_argument(node, 0)) != NULL};
    return ptio_npdtype_of_fields(loader, &made, dtype, err);
}

/* The dtype of an array in a field: state[2] is (dtype of its elements, shape). */
static ptio_status array_in_field(ptio_loader *loader, const ptio_node_reduced *node, const ptio_value *pair, ptio_npdtype *dtype,
                                  ptio_error *err)
{
    size_t count, ndim;
    int64_t *shape;
    const ptio_value *const *items = ptio_value_items(pair, &count);
    const ptio_npdtype *base = items && count == 2 ? ptio_value_npdtype(loader, items[0], err) : NULL;
    if (!base)
        return err && err->status != PTIO_OK ? err->status
                                             : bad(loader, &node->head, err, "an array in a field is not (dtype, shape)");
    uint64_t itemsize = dtype->itemsize;
    ptio_status status = PTIO_OK;
    if (items[1]->type == PTIO_NODE_TYPE_TUPLE)
        status = ptio_value_as_ints(loader, items[1], 0, &shape, &ndim, err);
    else if ((shape = PTIO_NEW(&loader->ckpt->arena, int64_t, ndim = 1)) == NULL)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a dtype");
    else if (!ptio_node_int64(items[1], shape))
        status = PTIO_ERR_FORMAT;
    if (status == PTIO_OK)
        status = ptio_npdtype_of_array(loader, base, ndim, shape, dtype, err);
    if ((status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK)) || (status == PTIO_OK && dtype->itemsize != itemsize))
        return bad(loader, &node->head, err, "an array in a field has another size than its dtype");
    return status;
}

/* "[D]" or "[25us]" of the metadata (None, (unit, count, 1, 1)) of times. */
static ptio_status time_unit(ptio_loader *loader, const ptio_value *metadata, char *out, size_t size, ptio_error *err)
{
    size_t count, parts;
    const ptio_value *const *items = ptio_value_items(metadata, &count);
    const ptio_value *const *unit = items && count == 2 ? ptio_value_items(items[1], &parts) : NULL;
    ptio_text name;
    int64_t step;
    if (!unit || parts < 2 || !ptio_node_int64(unit[1], &step))
        return PTIO_OK;
    ptio_status status = ptio_interpret_node(loader, unit[0], err);
    if (status != PTIO_OK)
        return status;
    if (!ptio_value_as_bytes(unit[0], &name)) {
        if (unit[0]->type != PTIO_NODE_TYPE_STR)
            return PTIO_OK;
        name = ptio_node_text_of(unit[0]);
    }
    if (name.size > 8 || ptio_text_is(name, "generic"))
        return PTIO_OK;
    if (step == 1)
        (void)snprintf(out, size, "[%.*s]", (int)name.size, name.bytes);
    else
        (void)snprintf(out, size, "[%" PRId64 "%.*s]", step, (int)name.size, name.bytes);
    return PTIO_OK;
}

/* The code of a dtype: "f4". The dtype of numpy.recarray has a class in its place, numpy.record, and says its size in the state. */
static ptio_text dtype_code(const ptio_node_reduced *node, char *buffer, size_t size)
{
    const ptio_value *code = ptio_argument(node, 0);
    const ptio_global *class_ = ptio_value_global(code);
    size_t count;
    const ptio_value *const *state = ptio_state(node, 0) ? ptio_value_items(ptio_state(node, 0), &count) : NULL;
    int64_t itemsize;
    if (code && (code->type == PTIO_NODE_TYPE_STR || code->type == PTIO_NODE_TYPE_PY2STR))
        return ptio_node_text_of(code);
    if (!class_ || !ptio_text_is(class_->name, "record") || !ptio_text_starts(class_->module, "numpy") || !state || count < 8 ||
        !ptio_node_int64(state[5], &itemsize) || itemsize < 0)
        return (ptio_text){NULL, 0};
    return (ptio_text){buffer, (size_t)snprintf(buffer, size, "V%" PRId64, itemsize)};
}

static ptio_status handle_dtype(ptio_loader *loader, ptio_node_reduced *node, ptio_error *err)
{
    const ptio_value *state_value = ptio_state(node, 0);
    char buffer[32];
    ptio_text code = dtype_code(node, buffer, sizeof buffer);
    uint64_t number;
    if (!code.bytes)
        return ptio_handle_object(loader, node, NULL, err);
    if (!code.size || !is_one_of(code.bytes[0], "biufcSUVOMm") ||
        !parse_number((ptio_text){code.bytes + 1, code.size - 1}, &number))
        return bad(loader, &node->head, err, "a dtype has a code that is none of NumPy's");
    size_t count = 0;
    const ptio_value *const *state = state_value ? ptio_value_items(state_value, &count) : NULL;
    char order = '<', unit[24] = "";
    if (state && count >= 8 && (state[1]->type == PTIO_NODE_TYPE_STR || state[1]->type == PTIO_NODE_TYPE_PY2STR) &&
        state[1]->count == 1)
        order = ptio_node_text_of(state[1]).bytes[0];
    if (state && (count < 8 || !is_one_of(order, "<>|=")))
        return bad(loader, &node->head, err, "the state of a dtype is none of NumPy's");
    ptio_npdtype *dtype = PTIO_NEW(&loader->ckpt->arena, ptio_npdtype, 1);
    if (!dtype)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a NumPy dtype");
    ptio_status status = PTIO_OK;
    if (state && count >= 9 && (status = time_unit(loader, state[8], unit, sizeof unit, err)) != PTIO_OK)
        return status;
    char kind = code.bytes[0];
    status = fill_dtype(loader, order, kind, number, unit, dtype, err);
    if (status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK))
        return bad(loader, &node->head, err, "an element of a dtype has too many bytes");
    if (status == PTIO_OK && state && kind == 'V' && state[3]->type == PTIO_NODE_TYPE_TUPLE)
        status = structured(loader, node, state, dtype, err);
    else if (status == PTIO_OK && state && kind == 'V' && state[2]->type == PTIO_NODE_TYPE_TUPLE)
        status = array_in_field(loader, node, state[2], dtype, err);
    return status == PTIO_OK ? ptio_means(node, PTIO_KIND_NPDTYPE, dtype) : status;
}

const ptio_npdtype *ptio_value_npdtype(ptio_loader *loader, const ptio_value *value, ptio_error *err)
{
    if (!value || ptio_interpret_node(loader, value, err) != PTIO_OK)
        return NULL;
    return value->seen == PTIO_KIND_NPDTYPE ? ptio_meaning(value) : NULL;
}

/* ---- arrays ---- */

/* The array as a tensor over the same bytes. */
static ptio_status array_tensor(ptio_loader *loader, ptio_ndarray *array, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_storage *storage = ptio_storage_new(ckpt->pool, &ckpt->arena);
    if (!storage)
        return ptio_heap_fail(&ckpt->heap, err, "an array");
    storage->origin = &ptio_storage_of_memory;
    storage->origin_data = array->data.bytes;
    storage->nbytes = array->nbytes;
    storage->dtype = (uint8_t)array->dtype->dtype;
    storage->swap = ptio_dtype_rows[array->dtype->dtype].swap;
    if (PTIO_HOST_BIG_ENDIAN && storage->swap > 1)
        atomic_store_explicit(&storage->flags, PTIO_STORAGE_SWAP, memory_order_relaxed);
    ptio_status status = ptio_storage_pool_location(ckpt->pool, PTIO_TEXT("cpu"), &storage->location, err);
    int64_t stride[PTIO_MOST_DIMENSIONS], step = 1;
    for (size_t i = 0; i < array->ndim; i++) {
        size_t dim = array->fortran ? i : array->ndim - 1 - i;
        stride[dim] = step;
        step *= array->shape[dim] ? array->shape[dim] : 1;
    }
    ptio_tensor_spec spec = {
        .dtype = array->dtype->dtype, .ndim = array->ndim, .shape = array->shape, .stride = stride, .storage = storage};
    return status == PTIO_OK ? ptio_tensor_new(&ckpt->arena, &spec, &array->tensor, err) : status;
}

ptio_status ptio_ndarray_finish(ptio_loader *loader, ptio_ndarray *array, ptio_error *err)
{
    array->count = 1;
    bool empty = false;
    for (size_t i = 0; i < array->ndim; i++) {
        if (array->shape[i] < 0)
            return PTIO_ERR_FORMAT;
        empty = empty || array->shape[i] == 0;
    }
    /* As in NumPy, the sizes beside a 0 must not multiply to too much either: strides are made of them. */
    for (size_t i = 0; i < array->ndim; i++) {
        if (array->shape[i] && !ptio_mul_u64(array->count, (uint64_t)array->shape[i], &array->count))
            return PTIO_ERR_FORMAT;
    }
    if (!ptio_mul_u64(array->count, array->dtype->itemsize, &array->nbytes) || array->nbytes > INT64_MAX)
        return PTIO_ERR_FORMAT;
    if (empty)
        array->count = array->nbytes = 0;
    if (array->items) {
        size_t count;
        return ptio_value_items(array->items, &count) && count == array->count ? PTIO_OK : PTIO_ERR_FORMAT;
    }
    if (array->dtype->is_object || array->data.size != array->nbytes)
        return PTIO_ERR_FORMAT;
    return array->dtype->dtype == PTIO_NO_DTYPE ? PTIO_OK : array_tensor(loader, array, err);
}

static ptio_status finish_array(ptio_loader *loader, ptio_node_reduced *node, ptio_ndarray *array, ptio_error *err)
{
    ptio_status status = ptio_ndarray_finish(loader, array, err);
    if (status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK))
        return bad(loader, &node->head, err, "the data of an array has not as many bytes or items as its shape and dtype need");
    return status == PTIO_OK ? ptio_means(node, PTIO_KIND_NDARRAY, array) : status;
}

static ptio_status array_parts(ptio_loader *loader, ptio_node_reduced *node, const ptio_value *shape, const ptio_value *dtype,
                               ptio_ndarray **ret, ptio_error *err)
{
    ptio_ndarray *array = PTIO_NEW(&loader->ckpt->arena, ptio_ndarray, 1);
    int64_t *sizes;
    if (!array)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an array");
    array->dtype = ptio_value_npdtype(loader, dtype, err);
    if (!array->dtype)
        return err && err->status != PTIO_OK ? err->status : bad(loader, &node->head, err, "an array has no dtype");
    ptio_status status = ptio_value_as_ints(loader, shape, 0, &sizes, &array->ndim, err);
    if (status == PTIO_ERR_FORMAT)
        return bad(loader, &node->head, err, "the shape of an array is no tuple of ints");
    if (status == PTIO_OK && array->ndim > PTIO_MOST_DIMENSIONS)
        return bad(loader, &node->head, err, "an array has more than 64 dimensions");
    array->shape = sizes;
    *ret = array;
    return status;
}

/* NumPy brings an unpickled array into the byte order of the machine, which is little-endian here whatever machine this is. */
static ptio_status to_little_endian(ptio_loader *loader, ptio_ndarray *array, ptio_error *err)
{
    if (array->dtype->byte_order != '>' || array->dtype->is_structured)
        return PTIO_OK;
    char kind = array->dtype->code.bytes[1];
    size_t unit = kind == 'U' ? 4 : kind == 'c' ? (size_t)array->dtype->itemsize / 2 : (size_t)array->dtype->itemsize;
    char code[80];
    int size = snprintf(code, sizeof code, "<%.*s", (int)array->dtype->code.size - 1, array->dtype->code.bytes + 1);
    char *swapped = ptio_arena_alloc(&loader->ckpt->arena, array->data.size);
    if (!swapped)
        return ptio_heap_fail(&loader->ckpt->heap, err, "an array");
    memcpy(swapped, array->data.bytes, array->data.size);
    if (unit == 2 || unit == 4 || unit == 8)
        ptio_swap_bytes(swapped, array->data.size / unit, unit);
    else
        return PTIO_OK; /* long doubles: no two machines agree on them anyway */
    array->data.bytes = swapped;
    ptio_text text = ptio_arena_text(&loader->ckpt->arena, (ptio_text){code, (size_t)size});
    return text.bytes ? ptio_npdtype_from_code(loader, text, &array->dtype, err)
                      : ptio_heap_fail(&loader->ckpt->heap, err, "an array");
}

static ptio_status handle_array(ptio_loader *loader, ptio_node_reduced *node, ptio_error *err)
{
    size_t count;
    const ptio_value *state_value = ptio_state(node, 0);
    const ptio_value *const *state = state_value ? ptio_value_items(state_value, &count) : NULL;
    if (!state || (count != 5 && count != 7))
        return ptio_handle_object(loader, node, NULL, err);
    ptio_ndarray *array;
    ptio_status status = array_parts(loader, node, state[1], state[2], &array, err);
    if (status != PTIO_OK)
        return status;
    array->fortran = ptio_is_true(state[3]);
    if ((status = ptio_interpret_node(loader, state[4], err)) != PTIO_OK)
        return status;
    if (array->dtype->is_object && state[4]->type == PTIO_NODE_TYPE_LIST)
        array->items = state[4];
    else if (!ptio_value_as_bytes(state[4], &array->data))
        return bad(loader, &node->head, err, "the data of an array is neither bytes nor a list of objects");
    if (!array->items && (status = to_little_endian(loader, array, err)) != PTIO_OK)
        return status == PTIO_ERR_FORMAT && (!err || err->status == PTIO_OK)
                   ? bad(loader, &node->head, err, "the dtype of an array has no twin in the other byte order")
                   : status;
    return finish_array(loader, node, array, err);
}

static ptio_status handle_buffer(ptio_loader *loader, ptio_node_reduced *node, ptio_error *err)
{
    if (ptio_argument_count(node) != 4)
        return bad(loader, &node->head, err, "_frombuffer was called with too few or too many arguments");
    ptio_ndarray *array;
    ptio_status status = array_parts(loader, node, ptio_argument(node, 2), ptio_argument(node, 1), &array, err);
    if (status != PTIO_OK)
        return status;
    array->fortran = ptio_node_is_str(ptio_argument(node, 3), "F");
    if (!ptio_value_as_bytes(ptio_argument(node, 0), &array->data))
        return bad(loader, &node->head, err, "the data of an array is no bytes");
    return finish_array(loader, node, array, err);
}

static ptio_status handle_scalar(ptio_loader *loader, ptio_node_reduced *node, ptio_error *err)
{
    ptio_npscalar *scalar = PTIO_NEW(&loader->ckpt->arena, ptio_npscalar, 1);
    if (!scalar)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a NumPy scalar");
    scalar->dtype = ptio_value_npdtype(loader, ptio_argument(node, 0), err);
    if (!scalar->dtype)
        return err && err->status != PTIO_OK ? err->status : bad(loader, &node->head, err, "a scalar has no dtype");
    if (scalar->dtype->is_object)
        return ptio_handle_object(loader, node, NULL, err);
    if (ptio_argument_count(node) != 2 || !ptio_value_as_bytes(ptio_argument(node, 1), &scalar->data) ||
        scalar->data.size != scalar->dtype->itemsize)
        return bad(loader, &node->head, err, "a scalar has not as many bytes as its dtype");
    return ptio_means(node, PTIO_KIND_NPSCALAR, scalar);
}

ptio_status ptio_handle_numpy(ptio_loader *loader, ptio_node_reduced *node, const ptio_global *global, ptio_error *err)
{
    switch (global->handler) {
    case PTIO_HANDLER_NUMPY_DTYPE: return handle_dtype(loader, node, err);
    case PTIO_HANDLER_NUMPY_ARRAY: return handle_array(loader, node, err);
    case PTIO_HANDLER_NUMPY_BUFFER: return handle_buffer(loader, node, err);
    default: return handle_scalar(loader, node, err);
    }
}
