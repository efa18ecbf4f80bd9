/*
 * Reading the header of safetensors files, and making a dict of their tensors.
 */
#include "torch/safetensors.h"

#include "base/cursor.h"
#include "torch/json.h"
#include "torch/make.h"
#include "torch/place.h"

#define MOST_HEADER 100000000u /* bytes; the limit of the library itself */

/* ---- the header ---- */

static ptio_status bad(ptio_error *err, const char *name, const char *what)
{
    ptio_status status =
        ptio_fail(err, PTIO_ERR_FORMAT, "safetensors.header", 8, "tensor %s: %s", ptio_quote(ptio_text_of(name)).text, what);
    return ptio_error_in_context(err, status, ptio_text_of(name));
}

static ptio_dtype dtype_of(ptio_text name)
{
    static const struct {
        const char *name;
        ptio_dtype dtype;
    } dtypes[] = {{"F64", PTIO_FLOAT64},
                  {"F32", PTIO_FLOAT32},
                  {"F16", PTIO_FLOAT16},
                  {"BF16", PTIO_BFLOAT16},
                  {"I64", PTIO_INT64},
                  {"I32", PTIO_INT32},
                  {"I16", PTIO_INT16},
                  {"I8", PTIO_INT8},
                  {"U64", PTIO_UINT64},
                  {"U32", PTIO_UINT32},
                  {"U16", PTIO_UINT16},
                  {"U8", PTIO_UINT8},
                  {"BOOL", PTIO_BOOL},
                  {"C64", PTIO_COMPLEX64},
                  {"F8_E4M3", PTIO_FLOAT8_E4M3FN},
                  {"F8_E5M2", PTIO_FLOAT8_E5M2},
                  {"F8_E8M0", PTIO_FLOAT8_E8M0FNU},
                  {"F8_E4M3FNUZ", PTIO_FLOAT8_E4M3FNUZ},
                  {"F8_E5M2FNUZ", PTIO_FLOAT8_E5M2FNUZ}};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (ptio_text_is(name, dtypes[i].name))
            return dtypes[i].dtype;
    }
    return PTIO_NO_DTYPE;
}

static ptio_status read_shape(const json_t *list, const char *name, ptio_arena *arena, ptio_safetensor *row, ptio_error *err)
{
    row->ndim = json_array_size(list);
    if (!json_is_array(list) || row->ndim > PTIO_MOST_DIMENSIONS)
        return bad(err, name, "its shape is no list of at most 64 sizes");
    int64_t *shape = PTIO_NEW(arena, int64_t, row->ndim ? row->ndim : 1);
    if (!shape)
        return ptio_heap_fail(arena->heap, err, "the header of a safetensors file");
    bool empty = false;
    for (size_t i = 0; i < row->ndim; i++) {
        if (!ptio_json_size(json_array_get(list, i), &shape[i]))
            return bad(err, name, "a size in its shape is no int from 0 on");
        empty = empty || !shape[i];
    }
    row->nbytes = empty ? 0 : ptio_dtype_rows[row->dtype].itemsize;
    for (size_t i = 0; i < row->ndim && !empty; i++) {
        if (!ptio_mul_u64(row->nbytes, (uint64_t)shape[i], &row->nbytes) || row->nbytes > INT64_MAX)
            return bad(err, name, "its shape needs more bytes than fit 63 bits");
    }
    row->shape = shape;
    return PTIO_OK;
}

/* Units: offsets count from the end of the header. */
static ptio_status read_row(const char *name, const json_t *value, uint64_t data, uint64_t data_size, ptio_arena *arena,
                            ptio_safetensor *row, ptio_error *err)
{
    const json_t *offsets = json_object_get(value, "data_offsets");
    int64_t begin, end;
    row->name = ptio_arena_text(arena, ptio_text_of(name));
    if (!row->name.bytes)
        return ptio_heap_fail(arena->heap, err, "the header of a safetensors file");
    row->dtype = dtype_of(ptio_json_text(json_object_get(value, "dtype")));
    if (row->dtype == PTIO_NO_DTYPE)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "safetensors.dtype", 8, "tensor %s has a dtype that is not known",
                         ptio_quote(ptio_text_of(name)).text);
    ptio_status status = read_shape(json_object_get(value, "shape"), name, arena, row, err);
    if (status != PTIO_OK)
        return status;
    if (json_array_size(offsets) != 2 || !ptio_json_size(json_array_get(offsets, 0), &begin) ||
        !ptio_json_size(json_array_get(offsets, 1), &end) || begin > end)
        return bad(err, name, "its data_offsets are not two ints from 0 on, the second not the smaller");
    if ((uint64_t)end > data_size)
        return bad(err, name, "its bytes are not inside the file");
    if ((uint64_t)(end - begin) != row->nbytes)
        return bad(err, name, "it has not as many bytes as its shape and dtype need");
    row->offset = data + (uint64_t)begin;
    return PTIO_OK;
}

/* ---- every byte once ---- */

static bool before(const ptio_safetensor *a, const ptio_safetensor *b)
{
    return a->offset != b->offset ? a->offset < b->offset : a->nbytes < b->nbytes;
}

static void sift(const ptio_safetensor **rows, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && before(rows[child], rows[child + 1]))
            child++;
        if (!before(rows[root], rows[child]))
            return;
        const ptio_safetensor *moved = rows[root];
        rows[root] = rows[child];
        rows[child] = moved;
    }
}

/* Heapsort: no stack, no memory, and no order of a file that makes it slow. */
static void sort_by_offset(const ptio_safetensor **rows, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(rows, i, count);
    for (size_t i = count; i-- > 1;) {
        const ptio_safetensor *last = rows[i];
        rows[i] = rows[0];
        rows[0] = last;
        sift(rows, 0, i);
    }
}

static ptio_status check_whole(const ptio_safetensors *all, uint64_t data, uint64_t end, ptio_heap *heap, ptio_error *err)
{
    const ptio_safetensor **rows = all->count ? ptio_heap_resize(heap, NULL, 0, all->count * sizeof *rows) : NULL;
    ptio_status status = PTIO_OK;
    if (all->count && !rows)
        return ptio_heap_fail(heap, err, "the header of a safetensors file");
    for (size_t i = 0; i < all->count; i++)
        rows[i] = &all->rows[i];
    sort_by_offset(rows, all->count);
    for (size_t i = 0; i < all->count && status == PTIO_OK; i++) {
        if (rows[i]->offset != data)
            status = ptio_fail(err, rows[i]->offset < data ? PTIO_ERR_AMBIGUOUS : PTIO_ERR_FORMAT, "safetensors.layout", data,
                               "tensor %s begins at byte %llu, where the one before it ends at byte %llu",
                               ptio_quote(rows[i]->name).text, (unsigned long long)rows[i]->offset, (unsigned long long)data);
        data = rows[i]->offset + rows[i]->nbytes;
    }
    if (status == PTIO_OK && data != end)
        status = ptio_fail(err, PTIO_ERR_FORMAT, "safetensors.layout", data,
                           "the last tensor ends at byte %llu, the file at byte %llu", (unsigned long long)data,
                           (unsigned long long)end);
    ptio_heap_free(heap, rows, all->count * sizeof *rows);
    return status;
}

static ptio_status read_rows(json_t *header, uint64_t data, uint64_t end, ptio_arena *arena, ptio_safetensors *ret,
                             ptio_error *err)
{
    const char *name;
    json_t *value;
    ptio_safetensors all = {.rows = PTIO_NEW(arena, ptio_safetensor, json_object_size(header))};
    if (!all.rows)
        return ptio_heap_fail(arena->heap, err, "the header of a safetensors file");
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        ptio_status status = read_row(name, value, data, end - data, arena, &all.rows[all.count++], err);
        if (status != PTIO_OK)
            return status;
    }
    ptio_status status = check_whole(&all, data, end, arena->heap, err);
    if (status == PTIO_OK)
        *ret = all;
    return status;
}

ptio_status ptio_safetensors_read(ptio_source *source, const ptio_limits *limits, ptio_arena *arena, ptio_safetensors *ret,
                                  ptio_error *err)
{
    uint64_t all = ptio_source_size(source), size;
    uint8_t first[8];
    if (all < 8)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", all, "the file has %llu bytes, too few for a safetensors header",
                         (unsigned long long)all);
    ptio_status status = ptio_source_read(source, 0, first, sizeof first, err);
    if (status != PTIO_OK)
        return status;
    size = ptio_load_u64(first);
    if (size > MOST_HEADER || size > all - 8)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", 0,
                         "the header should have %llu bytes, the file has %llu behind its first 8", (unsigned long long)size,
                         (unsigned long long)(all - 8));
    char *bytes = ptio_heap_resize(arena->heap, NULL, 0, (size_t)size + 1);
    if (!bytes)
        return ptio_heap_fail(arena->heap, err, "the header of a safetensors file");
    json_t *header = NULL;
    status = ptio_source_read(source, 8, bytes, (size_t)size, err);
    if (status == PTIO_OK)
        status = ptio_json_parse((ptio_text){bytes, (size_t)size}, limits, &header, err);
    ptio_heap_free(arena->heap, bytes, (size_t)size + 1);
    if (status == PTIO_OK)
        status = read_rows(header, 8 + size, all, arena, ret, err);
    json_decref(header);
    return status;
}

/* ---- tensors ---- */

static ptio_status make_tensor(ptio_maker *maker, const ptio_safetensor *row, const ptio_value **ret, ptio_error *err)
{
    ptio_storage *storage;
    ptio_status status = ptio_make_storage(maker->loader, row->dtype, row->nbytes, row->name, &storage, err);
    if (status != PTIO_OK)
        return status;
    storage->origin = &ptio_storage_of_range;
    storage->origin_data = maker->loader->ckpt->source;
    storage->origin_index = row->offset;
    if ((status = ptio_place_storage(maker->loader, NULL, &storage, err)) != PTIO_OK)
        return status;
    ptio_tensor_spec spec = {.dtype = row->dtype, .ndim = row->ndim, .shape = row->shape, .storage = storage};
    return ptio_make_tensor(maker, &spec, ret, err);
}

ptio_status ptio_load_safetensors(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_safetensors all;
    ptio_node_dict *dict;
    ptio_maker maker = {.loader = loader};
    loader->swap = PTIO_HOST_BIG_ENDIAN; /* the format is little-endian */
    ptio_status status = ptio_safetensors_read(ckpt->source, &ckpt->limits, &ckpt->arena, &all, err);
    if (status == PTIO_OK)
        status = ptio_make_dict(loader, &dict, err);
    for (size_t i = 0; status == PTIO_OK && i < all.count; i++) {
        const ptio_value *key, *value;
        status = ptio_make_str(loader, all.rows[i].name, &key, err);
        if (status == PTIO_OK)
            status = make_tensor(&maker, &all.rows[i], &value, err);
        if (status == PTIO_OK)
            status = ptio_make_entry(loader, dict, key, value, err);
    }
    if (status == PTIO_OK)
        status = ptio_make_index(loader, dict, err);
    if (status == PTIO_OK)
        ckpt->root = &dict->head;
    return status;
}
