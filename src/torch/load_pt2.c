/*
 * .pt2 archives (torch.export.save): an exported program, of which the weights are data and come out as its state_dict.
 *
 *     data/weights/NAME_weights_config.json   {"config": {"fc.weight": {"path_name": "weight_0", "is_param": true, "use_pickle": false,
 *                                                                       "tensor_meta": {"dtype": 7, "sizes": [{"as_int": 2}], ...}}}}
 *     data/weights/weight_0                   the bytes of a storage, which several weights may share; with use_pickle a torch.save file
 *     data/weights/NAME.pt                    older archives: the whole state_dict by torch.save
 *
 * One model is the root, several are a dict by their names. Constants are no part of a state_dict.
 *
 * Source: torch/export/pt2_archive/_package.py, torch/_export/serde/schema.py
 */
#include "torch/child.h"
#include "torch/json.h"
#include "torch/make.h"
#include "torch/place.h"

#include <stdio.h>
#include <string.h>

#define WEIGHTS "data/weights/"
#define CONFIG "_weights_config.json"

typedef struct pt2 {
    ptio_maker maker;
    ptio_loader *loader;
    ptio_checkpoint **by_pickle; /* of each record: the child that was loaded from it */
    ptio_text weight;            /* the one that is being made, for errors            */
    ptio_error *err;
} pt2;

static ptio_status bad(const pt2 *p, const char *what)
{
    ptio_status status =
        ptio_fail(p->err, PTIO_ERR_FORMAT, "pt2.weight", PTIO_NO_OFFSET, "weight %s: %s", ptio_quote(p->weight).text, what);
    return ptio_error_in_context(p->err, status, p->weight);
}

/* ---- one weight ---- */

/* Source: torch/_export/serde/schema.py, ScalarType */
static ptio_dtype dtype_of(const json_t *value)
{
    static const uint8_t dtypes[] = {[1] = PTIO_UINT8,
                                     [2] = PTIO_INT8,
                                     [3] = PTIO_INT16,
                                     [4] = PTIO_INT32,
                                     [5] = PTIO_INT64,
                                     [6] = PTIO_FLOAT16,
                                     [7] = PTIO_FLOAT32,
                                     [8] = PTIO_FLOAT64,
                                     [9] = PTIO_COMPLEX32,
                                     [10] = PTIO_COMPLEX64,
                                     [11] = PTIO_COMPLEX128,
                                     [12] = PTIO_BOOL,
                                     [13] = PTIO_BFLOAT16,
                                     [28] = PTIO_UINT16,
                                     [29] = PTIO_FLOAT8_E4M3FN,
                                     [30] = PTIO_FLOAT8_E5M2,
                                     [31] = PTIO_FLOAT8_E4M3FNUZ,
                                     [32] = PTIO_FLOAT8_E5M2FNUZ,
                                     [33] = PTIO_FLOAT8_E8M0FNU,
                                     [34] = PTIO_UINT32,
                                     [35] = PTIO_UINT64};
    int64_t number;
    return ptio_json_size(value, &number) && number < (int64_t)sizeof dtypes ? (ptio_dtype)dtypes[number] : PTIO_NO_DTYPE;
}

enum { LAYOUT_STRIDED = 7 };

/* [{"as_int": 2}, ...] */
static bool read_ints(const json_t *list, int64_t *out, size_t *count)
{
    *count = json_array_size(list);
    if (!json_is_array(list) || *count > PTIO_MOST_DIMENSIONS)
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (!ptio_json_size(json_object_get(json_array_get(list, i), "as_int"), &out[i]))
            return false;
    }
    return true;
}

static size_t record_of(const pt2 *p, ptio_text path)
{
    char name[512];
    if (path.size > sizeof name - sizeof WEIGHTS)
        return SIZE_MAX;
    int size = snprintf(name, sizeof name, WEIGHTS "%.*s", (int)path.size, path.bytes);
    return ptio_archive_lookup_in_root(p->loader->ckpt->archive, (ptio_text){name, (size_t)size});
}

/* The storage that a record is: one for all weights over it. */
static ptio_status storage_of(pt2 *p, size_t record, ptio_text path, ptio_dtype dtype, const ptio_storage **ret)
{
    ptio_loader *loader = p->loader;
    ptio_archive *archive = loader->ckpt->archive;
    ptio_storage *storage = loader->by_record[record];
    if (storage) {
        bool swapped = atomic_load_explicit(&storage->flags, memory_order_relaxed) & PTIO_STORAGE_SWAP;
        *ret = storage;
        return swapped && storage->swap != ptio_dtype_rows[dtype].swap
                   ? bad(p, "it shares bytes of the other byte order with another dtype")
                   : PTIO_OK;
    }
    ptio_text key = ptio_arena_text(&loader->ckpt->arena, path);
    if (!key.bytes)
        return ptio_heap_fail(&loader->ckpt->heap, p->err, "a weight");
    ptio_status status = ptio_make_storage(loader, dtype, archive->entries[record].size, key, &storage, p->err);
    if (status != PTIO_OK)
        return status;
    storage->origin = &ptio_storage_of_record;
    storage->origin_data = archive;
    storage->origin_index = record;
    status = ptio_place_storage(loader, NULL, &storage, p->err);
    loader->by_record[record] = storage;
    *ret = storage;
    return status;
}

static ptio_status make_view(pt2 *p, const json_t *config, size_t record, ptio_text path, const ptio_value **ret)
{
    const json_t *meta = json_object_get(config, "tensor_meta");
    int64_t shape[PTIO_MOST_DIMENSIONS], stride[PTIO_MOST_DIMENSIONS], layout;
    size_t strides;
    ptio_tensor_spec spec = {.dtype = dtype_of(json_object_get(meta, "dtype")), .shape = shape, .stride = stride};
    if (spec.dtype == PTIO_NO_DTYPE)
        return bad(p, "its dtype is none that is known");
    if (!read_ints(json_object_get(meta, "sizes"), shape, &spec.ndim) ||
        !read_ints(json_object_get(meta, "strides"), stride, &strides) || strides != spec.ndim ||
        !ptio_json_size(json_object_get(json_object_get(meta, "storage_offset"), "as_int"), &spec.storage_offset))
        return bad(p, "its sizes, strides and storage offset are no ints, or too many");
    if (!ptio_json_size(json_object_get(meta, "layout"), &layout) || layout != LAYOUT_STRIDED)
        return ptio_fail(p->err, PTIO_ERR_UNSUPPORTED, "pt2.layout", PTIO_NO_OFFSET, "weight %s is not strided",
                         ptio_quote(p->weight).text);
    if (json_is_true(json_object_get(config, "is_param")))
        spec.flags |= PTIO_TENSOR_PARAMETER;
    if (json_is_true(json_object_get(meta, "requires_grad")))
        spec.flags |= PTIO_TENSOR_REQUIRES_GRAD;
    ptio_status status = storage_of(p, record, path, spec.dtype, &spec.storage);
    return status == PTIO_OK ? ptio_make_tensor(&p->maker, &spec, ret, p->err) : status;
}

/* ---- torch.save files in records ---- */

/* A source of the bytes of a record: part of the archive's where they are stored, else inflated. */
static ptio_status record_source(ptio_loader *loader, size_t record, ptio_source **ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    const ptio_entry *entry = &ckpt->archive->entries[record];
    uint64_t offset;
    ptio_text bytes;
    ptio_status status = ptio_archive_locate(ckpt->archive, record, &offset, err);
    if (status == PTIO_OK && entry->method == 0)
        return ptio_window_open(ckpt->source, offset, entry->size, &ckpt->heap.hooks, ret, err);
    if (status == PTIO_OK)
        status = ptio_loader_read_record(loader, record, &bytes, err);
    return status == PTIO_OK ? ptio_source_from_memory(bytes.bytes, bytes.size, &ckpt->heap.hooks, ret, err) : status;
}

static ptio_status load_record(pt2 *p, size_t record, const ptio_value **ret)
{
    const ptio_entry *entry = &p->loader->ckpt->archive->entries[record];
    ptio_text name = {entry->name, entry->name_size};
    ptio_source *source;
    ptio_checkpoint **child = &p->by_pickle[record];
    ptio_status status = PTIO_OK;
    if (!*child && (status = record_source(p->loader, record, &source, p->err)) == PTIO_OK)
        status = ptio_child_load(p->loader, source, name, child, p->err);
    if (status != PTIO_OK)
        return ptio_error_in_record(p->err, status, name);
    *ret = (*child)->root;
    return PTIO_OK;
}

static ptio_status make_weight(pt2 *p, const json_t *config, const ptio_value **ret)
{
    ptio_text path = ptio_json_text(json_object_get(config, "path_name"));
    size_t record = path.bytes ? record_of(p, path) : SIZE_MAX;
    if (record == SIZE_MAX)
        return bad(p, "the archive has no record of its path_name");
    if (json_is_true(json_object_get(config, "use_pickle")))
        return load_record(p, record, ret);
    return make_view(p, config, record, path, ret);
}

/* ---- models ---- */

static ptio_status add_weights(pt2 *p, json_t *weights, ptio_node_dict *dict)
{
    const char *name;
    json_t *config;
    json_object_foreach(weights, name, config)
    {
        const ptio_value *key, *value;
        p->weight = ptio_text_of(name);
        ptio_status status = ptio_make_str(p->loader, p->weight, &key, p->err);
        if (status == PTIO_OK)
            status = make_weight(p, config, &value);
        if (status == PTIO_OK)
            status = ptio_make_entry(p->loader, dict, key, value, p->err);
        if (status != PTIO_OK)
            return ptio_error_in_context(p->err, status, p->weight);
    }
    return ptio_make_index(p->loader, dict, p->err);
}

static ptio_status load_config(pt2 *p, size_t record, const ptio_value **ret)
{
    const ptio_entry *entry = &p->loader->ckpt->archive->entries[record];
    ptio_text name = {entry->name, entry->name_size}, bytes;
    ptio_node_dict *dict;
    json_t *json = NULL;
    ptio_status status = ptio_loader_read_record(p->loader, record, &bytes, p->err);
    if (status == PTIO_OK)
        status = ptio_json_parse(bytes, &p->loader->ckpt->limits, &json, p->err);
    if (status == PTIO_OK && !json_is_object(json_object_get(json, "config")))
        status = ptio_fail(p->err, PTIO_ERR_FORMAT, "pt2.config", 0, "it has no \"config\" of weights");
    if (status == PTIO_OK)
        status = ptio_make_ordered_dict(&p->maker, &dict, ret, p->err);
    if (status == PTIO_OK)
        status = add_weights(p, json_object_get(json, "config"), dict);
    json_decref(json);
    return ptio_error_in_record(p->err, status, name);
}

/* The name of the model whose weights a record tells of, or no text. */
static ptio_text model_of(ptio_text name)
{
    static const char *const ends[] = {CONFIG, ".pt"};
    for (size_t i = 0; i < 2; i++) {
        size_t around = strlen(WEIGHTS) + strlen(ends[i]);
        if (name.size > around && ptio_text_starts(name, WEIGHTS) && ptio_text_ends(name, ends[i]))
            return (ptio_text){name.bytes + strlen(WEIGHTS), name.size - around};
    }
    return (ptio_text){NULL, 0};
}

static ptio_status add_model(pt2 *p, size_t record, ptio_node_dict *models)
{
    const ptio_archive *archive = p->loader->ckpt->archive;
    ptio_text name = {archive->entries[record].name, archive->entries[record].name_size};
    size_t skip = archive->root.size ? archive->root.size + 1 : 0;
    if (skip > name.size)
        return PTIO_OK;
    ptio_text inner = {name.bytes + skip, name.size - skip}, model = model_of(inner);
    const ptio_value *key, *value;
    if (!model.bytes)
        return PTIO_OK;
    ptio_status status = ptio_text_ends(inner, CONFIG) ? load_config(p, record, &value) : load_record(p, record, &value);
    if (status == PTIO_OK)
        status = ptio_make_str(p->loader, model, &key, p->err);
    return status == PTIO_OK ? ptio_make_entry(p->loader, models, key, value, p->err) : status;
}

ptio_status ptio_load_pt2(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_node_dict *models;
    ptio_status status = ptio_zip_prepare(loader, err);
    ckpt->container = PTIO_CONTAINER_PT2;
    pt2 p = {.maker.loader = loader, .loader = loader, .err = err};
    p.by_pickle = PTIO_NEW(&ckpt->arena, ptio_checkpoint *, ckpt->archive->count);
    if (status == PTIO_OK && !p.by_pickle)
        status = ptio_heap_fail(&ckpt->heap, err, "a table of records");
    if (status == PTIO_OK)
        status = ptio_make_dict(loader, &models, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ckpt->archive->count && status == PTIO_OK; i++)
        status = add_model(&p, i, models);
    if (status == PTIO_OK)
        status = ptio_make_index(loader, models, err);
    if (status != PTIO_OK)
        return status;
    if (!models->head.count)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "pt2.no-weights", PTIO_NO_OFFSET, "the archive holds no weights");
    ckpt->root = models->head.count == 1 ? models->block->items[1] : &models->head;
    return PTIO_OK;
}
