/*
 * Distributed checkpoints: the steps.
 *
 *   1  run .metadata, a plain pickle, and take its Metadata object
 *   2  index storage_data, which says in which file and where every item is (dcp_index.c)
 *   3  make each tensor over a storage of its chunks (dcp_chunks.c); load the objects that are no tensors
 *   4  put all of them at their paths of keys (dcp_nest.c)
 *
 * The result is what torch.distributed.checkpoint.format_utils.dcp_to_torch_save() saves.
 */
#include "base/cursor.h"
#include "torch/child.h"
#include "torch/dcp.h"
#include "torch/json.h"
#include "torch/place.h"

#define METADATA ".metadata"

typedef struct dcp {
    ptio_loader *loader;
    ptio_maker maker;
    ptio_dcp_index index;
    ptio_dcp_nest nest;
    const char *folder;
    json_t *numbers; /* file name: place in `files` */
    ptio_dcp_file **files;
    size_t file_count, file_capacity;
    const ptio_node_dict *names; /* state_dict_metadata */
    ptio_text name;              /* the one that is being made */
    ptio_error *err;
} dcp;

static ptio_status bad(const dcp *d, const char *what)
{
    return ptio_fail(d->err, PTIO_ERR_FORMAT, "dcp.metadata", PTIO_NO_OFFSET, "%s: %s", ptio_quote(d->name).text, what);
}

static ptio_status no_memory(const dcp *d)
{
    return ptio_heap_fail(&d->loader->ckpt->heap, d->err, "a distributed checkpoint");
}

/* ---- files ---- */

static ptio_status number_tensors(dcp *d, ptio_dcp_file *file)
{
    ptio_loader *loader = d->loader;
    ptio_node_dict *numbers;
    ptio_status status = ptio_make_dict(loader, &numbers, d->err);
    for (size_t i = 0; i < file->tensors.count && status == PTIO_OK; i++) {
        const ptio_value *key, *number = ptio_node_new_int(&loader->ckpt->arena, (int64_t)i);
        status = number ? ptio_make_str(loader, file->tensors.rows[i].name, &key, d->err) : no_memory(d);
        if (status == PTIO_OK)
            status = ptio_make_entry(loader, numbers, key, number, d->err);
    }
    file->tensor_numbers = numbers;
    return status == PTIO_OK ? ptio_make_index(loader, numbers, d->err) : status;
}

/* A safetensors file begins with the size of its header and the brace of its JSON; no torch.save file does. */
static ptio_status look_into(dcp *d, ptio_source *source, ptio_dcp_file *file)
{
    uint8_t first[9];
    file->size = ptio_source_size(source);
    if (file->size < sizeof first)
        return PTIO_OK;
    ptio_status status = ptio_source_read(source, 0, first, sizeof first, d->err);
    if (status != PTIO_OK || first[8] != '{' || ptio_load_u64(first) > file->size - 8)
        return status;
    file->is_safetensors = true;
    status = ptio_safetensors_read(source, &d->loader->ckpt->limits, &d->loader->ckpt->arena, &file->tensors, d->err);
    return status == PTIO_OK ? number_tensors(d, file) : status;
}

static ptio_status open_file(dcp *d, const ptio_dcp_file *file, ptio_source **ret)
{
    const ptio_checkpoint *ckpt = d->loader->ckpt;
    return ptio_source_open(file->path, 0, &ckpt->heap.hooks, &ckpt->limits, ret, d->err);
}

static ptio_status add_file(dcp *d, ptio_text name, const ptio_dcp_file **ret)
{
    ptio_checkpoint *ckpt = d->loader->ckpt;
    ptio_dcp_file *file = PTIO_NEW(&ckpt->arena, ptio_dcp_file, 1);
    if (d->file_count == d->file_capacity) {
        ptio_dcp_file **moved = ptio_heap_grow(&ckpt->heap, d->files, &d->file_capacity, d->file_count + 1, sizeof *d->files);
        if (!moved)
            return no_memory(d);
        d->files = moved;
    }
    if (!file)
        return no_memory(d);
    file->name = ptio_arena_text(&ckpt->arena, name);
    file->path = ptio_path_beside(&ckpt->arena, d->folder, true, name);
    if (!file->name.bytes || !file->path ||
        json_object_set_new_nocheck(d->numbers, file->name.bytes, json_integer((json_int_t)d->file_count)) != 0)
        return no_memory(d);
    d->files[d->file_count++] = file;
    *ret = file;
    ptio_source *source;
    ptio_status status = open_file(d, file, &source);
    if (status == PTIO_OK) {
        status = look_into(d, source, file);
        ptio_source_free(source);
    }
    return ptio_error_in_record(d->err, status, name);
}

static ptio_status file_of(dcp *d, ptio_text name, const ptio_dcp_file **ret)
{
    if (!ptio_is_plain_name(name))
        return ptio_fail(d->err, PTIO_ERR_FORMAT, "dcp.path", PTIO_NO_OFFSET,
                         "%s is in %s, which is no name of a file in the folder", ptio_quote(d->name).text,
                         ptio_quote(name).text);
    char key[PTIO_PLAIN_NAME_SIZE];
    memcpy(key, name.bytes, name.size);
    key[name.size] = '\0';
    const json_t *number = json_object_get(d->numbers, key);
    if (!number)
        return add_file(d, name, ret);
    *ret = d->files[json_integer_value(number)];
    return PTIO_OK;
}

/* ---- where an item is ---- */

static bool read_size(const ptio_value *value, uint64_t *ret)
{
    int64_t number;
    if (!value || value->type != PTIO_NODE_TYPE_INT || !ptio_node_int64(value, &number) || number < 0)
        return false;
    *ret = (uint64_t)number;
    return true;
}

static ptio_status place_of(dcp *d, const ptio_value *info, ptio_dcp_place *ret)
{
    const ptio_value *path = ptio_value_attribute(info, "relative_path"),
                     *transforms = ptio_value_attribute(info, "transform_descriptors");
    if (!path || path->seen != PTIO_KIND_STR || !read_size(ptio_value_attribute(info, "offset"), &ret->offset) ||
        !read_size(ptio_value_attribute(info, "length"), &ret->length))
        return bad(d, "storage_data does not tell a file, an offset and a length");
    if (transforms && transforms->seen != PTIO_KIND_NONE && ptio_value_count(transforms))
        return ptio_fail(d->err, PTIO_ERR_UNSUPPORTED, "dcp.transform", PTIO_NO_OFFSET, "%s was transformed when it was written",
                         ptio_quote(d->name).text);
    ptio_status status = file_of(d, ptio_value_str(path), &ret->file);
    if (status != PTIO_OK)
        return status;
    uint64_t size = ret->file->size;
    if (ret->offset > size || ret->length > size - ret->offset)
        return ptio_error_in_record(d->err,
                                    ptio_fail(d->err, PTIO_ERR_FORMAT, "cut-off", size,
                                              "%s needs %llu bytes from byte %llu on, the file ends at byte %llu",
                                              ptio_quote(d->name).text, (unsigned long long)ret->length,
                                              (unsigned long long)ret->offset, (unsigned long long)size),
                                    ret->file->name);
    return PTIO_OK;
}

/* In a safetensors file an item goes by its name. */
static ptio_status place_in_safetensors(dcp *d, const ptio_dcp_tensor *tensor, ptio_dcp_chunk *chunk)
{
    const ptio_dcp_file *file = chunk->place.file;
    size_t at = ptio_dict_find_text(file->tensor_numbers, d->name);
    int64_t number;
    if (at == SIZE_MAX || !ptio_node_int64(ptio_dict_value(file->tensor_numbers, at), &number))
        return bad(d, "its safetensors file does not hold it");
    const ptio_safetensor *found = &file->tensors.rows[number];
    bool same = found->dtype == tensor->dtype && found->ndim == tensor->ndim;
    for (size_t i = 0; same && i < tensor->ndim; i++)
        same = found->shape[i] == chunk->sizes[i];
    if (!same)
        return bad(d, "its safetensors file holds it with another dtype or shape");
    chunk->place.offset = found->offset;
    chunk->place.length = found->nbytes;
    return PTIO_OK;
}

/* ---- tensors ---- */

static bool bytes_of(ptio_dtype dtype, const int64_t *sizes, size_t ndim, uint64_t *ret)
{
    uint64_t bytes = ptio_dtype_rows[dtype].itemsize;
    for (size_t i = 0; i < ndim; i++) {
        if (sizes[i] == 0)
            bytes = 0;
    }
    for (size_t i = 0; i < ndim && bytes; i++) {
        if (!ptio_mul_u64(bytes, (uint64_t)sizes[i], &bytes) || bytes > INT64_MAX)
            return false;
    }
    *ret = bytes;
    return true;
}

/* TensorProperties has the tuple (dtype, layout, requires_grad, memory format, pin_memory) as its state. */
static ptio_dtype dtype_of(const ptio_value *properties)
{
    const ptio_value *state = ptio_node_state(properties, 0), *dtype = ptio_value_attribute(properties, "dtype");
    if (state && state->type == PTIO_NODE_TYPE_TUPLE && state->count)
        dtype = ptio_tuple_item(state, 0);
    return dtype && dtype->seen == PTIO_KIND_DTYPE ? (ptio_dtype)((const ptio_global *)ptio_meaning(dtype))->dtype
                                                   : PTIO_NO_DTYPE;
}

static ptio_status read_box(dcp *d, const ptio_dcp_tensor *tensor, const ptio_value *value, ptio_dcp_chunk *chunk)
{
    size_t ats, sizes;
    if (!ptio_dcp_sizes(d->loader, ptio_value_attribute(value, "offsets"), &chunk->at, &ats) ||
        !ptio_dcp_sizes(d->loader, ptio_value_attribute(value, "sizes"), &chunk->sizes, &sizes))
        return bad(d, "the offsets and sizes of a chunk are no sizes");
    if (!chunk->at || !chunk->sizes)
        return no_memory(d);
    if (ats != tensor->ndim || sizes != tensor->ndim)
        return bad(d, "a chunk has another number of dimensions than the tensor");
    for (size_t i = 0; i < tensor->ndim; i++) {
        if (chunk->at[i] > tensor->shape[i] || chunk->sizes[i] > tensor->shape[i] - chunk->at[i])
            return ptio_fail(d->err, PTIO_ERR_FORMAT, "dcp.bounds", PTIO_NO_OFFSET, "%s: a chunk is not inside the tensor",
                             ptio_quote(d->name).text);
    }
    return bytes_of(tensor->dtype, chunk->sizes, sizes, &chunk->nbytes) ? PTIO_OK : bad(d, "a chunk has too many bytes");
}

static ptio_status read_chunk(dcp *d, const ptio_dcp_tensor *tensor, const ptio_value *value, ptio_dcp_chunk *chunk)
{
    ptio_status status = read_box(d, tensor, value, chunk);
    if (status != PTIO_OK)
        return status;
    const ptio_value *info = ptio_dcp_index_find(&d->index, d->name, chunk->at, tensor->ndim);
    if (!info)
        return ptio_fail(d->err, PTIO_ERR_FORMAT, "dcp.missing", PTIO_NO_OFFSET,
                         "storage_data does not tell where a chunk of %s is", ptio_quote(d->name).text);
    status = place_of(d, info, &chunk->place);
    if (status == PTIO_OK && chunk->place.file->is_safetensors)
        return place_in_safetensors(d, tensor, chunk);
    /* torch.save never deflates, so an item has at least the bytes of its elements: no memory is taken that no file pays for. */
    if (status == PTIO_OK && chunk->place.length < chunk->nbytes)
        return bad(d, "an item has fewer bytes than the elements of its chunk");
    return status;
}

static ptio_status read_chunks(dcp *d, ptio_dcp_tensor *tensor, const ptio_value *list)
{
    const ptio_value *const *items = list ? ptio_value_items(list, &tensor->chunk_count) : NULL;
    if (!items)
        return bad(d, "its chunks are no list");
    tensor->chunks = PTIO_NEW(&d->loader->ckpt->arena, ptio_dcp_chunk, tensor->chunk_count ? tensor->chunk_count : 1);
    if (!tensor->chunks)
        return no_memory(d);
    uint64_t together = 0;
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < tensor->chunk_count && status == PTIO_OK; i++) {
        status = read_chunk(d, tensor, items[i], &tensor->chunks[i]);
        if (status == PTIO_OK && !ptio_add_u64(together, tensor->chunks[i].nbytes, &together))
            return bad(d, "its chunks have too many bytes");
    }
    if (status == PTIO_OK && together != tensor->nbytes)
        return ptio_fail(d->err, together > tensor->nbytes ? PTIO_ERR_AMBIGUOUS : PTIO_ERR_FORMAT, "dcp.coverage", PTIO_NO_OFFSET,
                         "%s has %llu bytes, its chunks have %llu together", ptio_quote(d->name).text,
                         (unsigned long long)tensor->nbytes, (unsigned long long)together);
    return status;
}

static ptio_status make_tensor(dcp *d, const ptio_value *metadata, const ptio_value **ret)
{
    ptio_loader *loader = d->loader;
    ptio_dcp_tensor *tensor = PTIO_NEW(&loader->ckpt->arena, ptio_dcp_tensor, 1);
    ptio_storage *storage;
    if (!tensor)
        return no_memory(d);
    tensor->ckpt = loader->ckpt;
    tensor->name = d->name;
    tensor->dtype = dtype_of(ptio_value_attribute(metadata, "properties"));
    if (tensor->dtype == PTIO_NO_DTYPE ||
        !ptio_dcp_sizes(loader, ptio_value_attribute(metadata, "size"), &tensor->shape, &tensor->ndim))
        return bad(d, "its metadata does not tell dtype and size");
    if (!tensor->shape)
        return no_memory(d);
    if (!bytes_of(tensor->dtype, tensor->shape, tensor->ndim, &tensor->nbytes))
        return bad(d, "it has more bytes than fit 63 bits");
    ptio_status status = read_chunks(d, tensor, ptio_value_attribute(metadata, "chunks"));
    if (status == PTIO_OK)
        status = ptio_make_storage(loader, tensor->dtype, tensor->nbytes, d->name, &storage, d->err);
    if (status != PTIO_OK)
        return status;
    storage->origin = &ptio_storage_of_chunks;
    storage->origin_data = tensor;
    if ((status = ptio_place_storage(loader, NULL, &storage, d->err)) != PTIO_OK)
        return status;
    ptio_tensor_spec spec = {.dtype = tensor->dtype, .ndim = tensor->ndim, .shape = tensor->shape, .storage = storage};
    return ptio_make_tensor(&d->maker, &spec, ret, d->err);
}

/* ---- objects ---- */

static bool has_storages(const ptio_graph *graph)
{
    for (size_t i = 0; i < graph->object_count; i++) {
        if (graph->objects[i]->type == PTIO_NODE_TYPE_PERSISTENT)
            return true;
    }
    return false;
}

/* The pickle of a torch.save file in memory, in a buffer of the checkpoint; no bytes where it is no such file. */
static ptio_status fetch_pickle(dcp *d, ptio_text item, ptio_text *ret)
{
    ptio_checkpoint *ckpt = d->loader->ckpt;
    ptio_source *source;
    ptio_archive *archive;
    *ret = (ptio_text){NULL, 0};
    if (!ptio_text_starts(item, "PK\x03\x04"))
        return PTIO_OK;
    ptio_status status = ptio_source_from_memory(item.bytes, item.size, &ckpt->heap.hooks, &source, d->err);
    if (status != PTIO_OK)
        return status;
    status = ptio_zip_open(source, 0, &ckpt->limits, &ckpt->heap, NULL, &archive, d->err);
    if (status == PTIO_OK) {
        size_t record = ptio_archive_lookup_in_root(archive, PTIO_TEXT("data.pkl"));
        uint64_t size = record == SIZE_MAX ? 0 : archive->entries[record].size;
        if (size && size <= ckpt->limits.pickle_bytes) {
            uint8_t *bytes = ptio_checkpoint_buffer(ckpt, (size_t)size);
            status = bytes ? ptio_archive_read_all(archive, record, bytes, NULL, d->err) : no_memory(d);
            *ret = (ptio_text){(const char *)bytes, (size_t)size};
        }
        ptio_archive_close(archive);
    }
    ptio_source_free(source);
    return status;
}

/* Most objects hold no tensors. Of these only the pickle is kept, since there may be many; *ret stays NULL for others. */
static ptio_status run_plain(dcp *d, ptio_text item, ptio_text file, const ptio_value **ret)
{
    ptio_loader *loader = d->loader;
    ptio_pickle_part *part;
    ptio_text bytes;
    *ret = NULL;
    ptio_status status = fetch_pickle(d, item, &bytes);
    if (status != PTIO_OK || !bytes.bytes)
        return status;
    status = ptio_loader_run(loader, bytes, file, PTIO_NO_OFFSET, &part, d->err);
    loader->ckpt->heap.limit = loader->ckpt->limits.heap_bytes;
    if (status != PTIO_OK)
        return status;
    loader->ckpt->parts->next = NULL; /* the object's own pickle is .metadata alone */
    if (has_storages(&part->graph))
        return PTIO_OK;
    status = ptio_interpret(loader, part, d->err);
    if (status == PTIO_OK)
        *ret = part->graph.root;
    return status;
}

static ptio_status load_item(dcp *d, const ptio_dcp_place *place, const ptio_value **ret)
{
    ptio_checkpoint *ckpt = d->loader->ckpt, *child;
    ptio_source *source, *memory;
    if (place->length > ckpt->limits.pickle_bytes)
        return ptio_fail(d->err, PTIO_ERR_LIMIT, "limit.pickle-bytes", place->offset,
                         "an object has %llu bytes, pickle_bytes allows %llu", (unsigned long long)place->length,
                         (unsigned long long)ckpt->limits.pickle_bytes);
    uint8_t *bytes = ptio_checkpoint_buffer(ckpt, place->length ? (size_t)place->length : 1);
    if (!bytes)
        return no_memory(d);
    ptio_text item = {(const char *)bytes, (size_t)place->length};
    ptio_status status = open_file(d, place->file, &source);
    if (status != PTIO_OK)
        return status;
    status = ptio_source_read(source, place->offset, bytes, item.size, d->err);
    ptio_source_free(source);
    if (status == PTIO_OK)
        status = run_plain(d, item, place->file->name, ret);
    if (status != PTIO_OK || *ret)
        return status;
    status = ptio_source_from_memory(item.bytes, item.size, &ckpt->heap.hooks, &memory, d->err);
    if (status == PTIO_OK)
        status = ptio_child_load(d->loader, memory, place->file->name, &child, d->err);
    if (status == PTIO_OK)
        *ret = child->root;
    return status;
}

static ptio_status make_object(dcp *d, const ptio_value **ret)
{
    ptio_dcp_place place;
    const ptio_value *info = ptio_dcp_index_find(&d->index, d->name, NULL, 0);
    if (!info)
        return ptio_fail(d->err, PTIO_ERR_FORMAT, "dcp.missing", PTIO_NO_OFFSET, "storage_data does not tell where %s is",
                         ptio_quote(d->name).text);
    ptio_status status = place_of(d, info, &place);
    if (status == PTIO_OK)
        status = ptio_error_in_record(d->err, load_item(d, &place, ret), place.file->name);
    return status;
}

/* ---- the whole ---- */

static ptio_status make_entry(dcp *d, const ptio_value *key, const ptio_value *metadata, const ptio_node_dict *paths)
{
    const ptio_value *value;
    if (key->seen != PTIO_KIND_STR)
        return bad(d, "a name in state_dict_metadata is no str");
    d->name = ptio_value_str(key);
    ptio_text class = ptio_value_class(metadata);
    ptio_status status;
    if (ptio_value_attribute(metadata, "chunks"))
        status = make_tensor(d, metadata, &value);
    else if (ptio_text_ends(class, ".BytesStorageMetadata"))
        status = make_object(d, &value);
    else
        status = bad(d, "its metadata is neither of a tensor nor of bytes");
    if (status != PTIO_OK)
        return ptio_error_in_context(d->err, status, d->name);
    size_t at = paths ? ptio_dict_find_text(paths, d->name) : SIZE_MAX;
    return ptio_dcp_nest_put(&d->nest, at == SIZE_MAX ? NULL : ptio_dict_value(paths, at), key, value, d->err);
}

static ptio_status make_entries(dcp *d, const ptio_value *metadata)
{
    const ptio_value *planner = ptio_value_attribute(metadata, "planner_data");
    const ptio_node_dict *paths = planner ? ptio_value_entries(planner) : NULL;
    const ptio_node_dict *storage_data = ptio_value_entries(ptio_value_attribute(metadata, "storage_data"));
    d->names = ptio_value_entries(ptio_value_attribute(metadata, "state_dict_metadata"));
    if (!d->names || !storage_data)
        return ptio_fail_node(d->loader, metadata, PTIO_ERR_FORMAT, "dcp.metadata", d->err,
                              "it holds no Metadata with state_dict_metadata and storage_data");
    ptio_status status = ptio_dcp_index_make(&d->index, storage_data, d->err);
    if (status == PTIO_OK)
        status = ptio_make_dict(d->loader, &d->nest.root, d->err);
    size_t count = ptio_dict_count(d->names);
    d->nest.most_empty = 1024 + 4 * (uint64_t)count;
    for (size_t i = 0; i < count && status == PTIO_OK; i++)
        status = make_entry(d, ptio_dict_key(d->names, i), ptio_dict_value(d->names, i), paths);
    if (status == PTIO_OK)
        status = ptio_dcp_nest_finish(&d->nest, d->err);
    if (status == PTIO_OK)
        d->loader->ckpt->root = &d->nest.root->head;
    return status;
}

static ptio_status run_metadata(ptio_loader *loader, const ptio_value **ret, ptio_error *err)
{
    ptio_pickle_part *part;
    ptio_text bytes;
    loader->persistent_load = ptio_persistent_none;
    ptio_status status = ptio_loader_fetch_pickle(loader, 0, &bytes, err);
    if (status == PTIO_OK)
        status = ptio_loader_run(loader, bytes, PTIO_TEXT(METADATA), 0, &part, err);
    if (status == PTIO_OK)
        status = ptio_interpret(loader, part, err);
    loader->ckpt->heap.limit = loader->ckpt->limits.heap_bytes;
    if (status == PTIO_OK)
        *ret = part->graph.root;
    return status;
}

/* loader->path is the folder, or the .metadata file in it. */
static ptio_status open_metadata(ptio_loader *loader, const char **folder, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_text path = ptio_text_of(loader->path);
    bool is_file = ptio_text_is(path, METADATA) || ptio_text_ends(path, "/" METADATA);
    const char *file = is_file ? loader->path : ptio_path_beside(&ckpt->arena, loader->path, true, PTIO_TEXT(METADATA));
    *folder = is_file ? ptio_path_beside(&ckpt->arena, loader->path, false, PTIO_TEXT("")) : loader->path;
    if (!file || !*folder)
        return ptio_heap_fail(&ckpt->heap, err, "a path");
    if (!**folder)
        *folder = ".";
    ptio_error why = {0};
    ptio_status status = ptio_source_open(file, 0, loader->options->memory, &ckpt->limits, &ckpt->source, &why);
    ckpt->owns_source = status == PTIO_OK;
    if (status == PTIO_ERR_IO && !is_file)
        return ptio_fail(err, PTIO_ERR_FORMAT, "dcp.no-metadata", PTIO_NO_OFFSET,
                         "it is a folder, but no distributed checkpoint: its .metadata: %s", why.message);
    if (status != PTIO_OK && err && err->status == PTIO_OK)
        *err = why;
    return status;
}

ptio_status ptio_load_dcp(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    dcp d = {.loader = loader, .maker.loader = loader, .index.loader = loader, .nest.loader = loader, .err = err};
    const ptio_value *metadata;
    ckpt->container = PTIO_CONTAINER_DCP;
    ptio_status status = open_metadata(loader, &d.folder, err);
    if (status != PTIO_OK)
        return status;
    ckpt->end = ptio_source_size(ckpt->source);
    status = run_metadata(loader, &metadata, err);
    if (status == PTIO_OK && !(d.numbers = json_object()))
        status = ptio_fail_memory(err, "a table of files");
    if (status == PTIO_OK)
        status = make_entries(&d, metadata);
    json_decref(d.numbers);
    ptio_heap_free(&ckpt->heap, d.files, d.file_capacity * sizeof *d.files);
    ptio_dcp_index_free(&d.index);
    ptio_dcp_nest_free(&d.nest);
    return ptio_error_in_record(err, status, PTIO_TEXT(METADATA));
}
