/*
 * The index of a sharded Hugging Face checkpoint: which tensor is in which file beside it.
 *
 *     {"metadata": {"total_size": 296}, "weight_map": {"embed.weight": "pytorch_model-00001-of-00003.bin", ...}}
 *
 * Every shard is a child: a torch.save file, or a safetensors file. The root is an OrderedDict in the order of the weight map. All that
 * is missing is told, not only the first; then nothing is loaded, since a part of a model is none.
 */
#include "torch/child.h"
#include "torch/json.h"
#include "torch/make.h"
#include "torch/safetensors.h"

#include <stdio.h>

typedef struct shard {
    ptio_text file;
    const ptio_checkpoint *ckpt; /* NULL: it could not be loaded */
    size_t used;                 /* tensors that the index has of it */
} shard;

typedef struct index_state {
    ptio_loader *loader;
    ptio_maker maker;
    json_t *numbers; /* file name: place in `shards` */
    shard *shards;
    size_t count;
    uint64_t bytes; /* of all tensors          */
    uint64_t problems;
    ptio_error first;
    ptio_error *err;
} index_state;

/* ---- what is wrong with the files ---- */

/* Whether a failure is about the checkpoint: others end the load at once. */
static bool is_problem(ptio_status status)
{
    return status == PTIO_ERR_FORMAT || status == PTIO_ERR_AMBIGUOUS || status == PTIO_ERR_UNSUPPORTED || status == PTIO_ERR_IO;
}

static void note_problem(index_state *s, const ptio_error *problem)
{
    ptio_report_error(s->loader->report, problem);
    if (!s->problems++)
        s->first = *problem;
}

/* Fail as the first problem did, saying how many there are. */
static ptio_status fail_first(index_state *s)
{
    if (s->problems > 1) {
        char more[64];
        (void)snprintf(more, sizeof more, " (the first of %llu problems)", (unsigned long long)s->problems);
        size_t size = strlen(s->first.message), room = sizeof s->first.message - 1 - strlen(more);
        memcpy(s->first.message + (size < room ? size : room), more, strlen(more) + 1);
    }
    if (s->err && s->err->status == PTIO_OK)
        *s->err = s->first;
    return s->first.status;
}

/* ---- shards ---- */

static ptio_status load_safetensors(ptio_loader *parent, ptio_source *source, ptio_text name, ptio_checkpoint **ret,
                                    ptio_error *err)
{
    ptio_status status = ptio_child_new(parent, source, ret, err);
    if (status != PTIO_OK)
        return status;
    ptio_loader loader = *parent;
    loader.ckpt = *ret;
    status = ptio_load_safetensors(&loader, err);
    parent->ckpt->heap.used += (*ret)->heap.used;
    return ptio_error_in_record(err, status, name);
}

static ptio_status open_shard(index_state *s, ptio_text file, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_loader *loader = s->loader;
    ptio_checkpoint *ckpt = loader->ckpt;
    if (!ptio_is_plain_name(file))
        return ptio_fail(err, PTIO_ERR_FORMAT, "shards.path", PTIO_NO_OFFSET, "%s is no name of a file beside the index",
                         ptio_quote(file).text);
    const char *path = ptio_path_beside(&ckpt->arena, loader->path, false, file);
    if (!path)
        return ptio_heap_fail(&ckpt->heap, err, "a path");
    ptio_source *source;
    ptio_status status =
        ptio_source_open(path, ptio_map_flags(loader->options), loader->options->memory, &ckpt->limits, &source, err);
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, file);
    return ptio_text_ends(file, ".safetensors") ? load_safetensors(loader, source, file, ret, err)
                                                : ptio_child_load(loader, source, file, ret, err);
}

static ptio_status load_shard(index_state *s, shard *one)
{
    ptio_error problem = {0};
    ptio_checkpoint *child;
    ptio_status status = open_shard(s, one->file, &child, &problem);
    if (status == PTIO_OK && child->root->seen != PTIO_KIND_DICT)
        status = ptio_error_in_record(
            &problem, ptio_fail(&problem, PTIO_ERR_FORMAT, "shards.form", PTIO_NO_OFFSET, "the shard is no dict of tensors"),
            one->file);
    if (status == PTIO_OK) {
        one->ckpt = child;
    } else if (is_problem(status)) {
        note_problem(s, &problem);
    } else {
        if (s->err && s->err->status == PTIO_OK)
            *s->err = problem;
        return status;
    }
    return PTIO_OK;
}

/* The shard of that name. One that is named for the first time has no `file` yet. NULL: there is no memory for it. */
static shard *shard_of(index_state *s, const char *name)
{
    const json_t *number = json_object_get(s->numbers, name);
    if (number)
        return &s->shards[json_integer_value(number)];
    json_t *next = json_integer((json_int_t)s->count);
    return json_object_set_new_nocheck(s->numbers, name, next) == 0 ? &s->shards[s->count++] : NULL;
}

/* ---- the root ---- */

static ptio_status add_tensor(index_state *s, ptio_text name, const json_t *file, ptio_node_dict *dict)
{
    const ptio_value *key, *value;
    ptio_status status = PTIO_OK;
    if (!json_is_string(file))
        return ptio_fail(s->err, PTIO_ERR_FORMAT, "shards.form", PTIO_NO_OFFSET, "the weight map gives no file name for %s",
                         ptio_quote(name).text);
    shard *one = shard_of(s, json_string_value(file));
    if (!one)
        return ptio_fail_memory(s->err, "a table of shards");
    if (!one->file.bytes) {
        one->file = ptio_json_text(file);
        status = load_shard(s, one);
    }
    if (status != PTIO_OK || !one->ckpt)
        return status;
    value = ptio_value_get_n(one->ckpt->root, name.bytes, name.size);
    if (!value) {
        ptio_error problem = {0};
        (void)ptio_fail(&problem, PTIO_ERR_FORMAT, "shards.missing-tensor", PTIO_NO_OFFSET,
                        "the index has %s in this file, which lacks it", ptio_quote(name).text);
        (void)ptio_error_in_context(&problem, PTIO_ERR_FORMAT, name);
        (void)ptio_error_in_record(&problem, PTIO_ERR_FORMAT, one->file);
        note_problem(s, &problem);
        return PTIO_OK;
    }
    one->used++;
    const ptio_tensor *tensor = ptio_value_tensor(value);
    uint64_t bytes;
    if (tensor && ptio_mul_u64(tensor->numel, ptio_dtype_rows[tensor->dtype].itemsize, &bytes))
        (void)ptio_add_u64(s->bytes, bytes, &s->bytes);
    status = ptio_make_str(s->loader, name, &key, s->err);
    return status == PTIO_OK ? ptio_make_entry(s->loader, dict, key, value, s->err) : status;
}

static void report_oddities(index_state *s, const json_t *index)
{
    ptio_report *report = s->loader->report;
    int64_t total;
    for (size_t i = 0; i < s->count; i++) {
        size_t held = s->shards[i].ckpt ? ptio_value_count(s->shards[i].ckpt->root) : 0;
        if (held > s->shards[i].used)
            ptio_report_add(report, PTIO_NOTE, "shards.not-in-index", s->shards[i].file, PTIO_NO_OFFSET,
                            "%zu of its %zu entries are not in the index", held - s->shards[i].used, held);
    }
    if (ptio_json_size(json_object_get(json_object_get(index, "metadata"), "total_size"), &total) && (uint64_t)total != s->bytes)
        ptio_report_add(report, PTIO_NOTE, "shards.total-size", ptio_source_name(s->loader->ckpt->source), PTIO_NO_OFFSET,
                        "the index tells of %lld bytes, the tensors have %llu", (long long)total, (unsigned long long)s->bytes);
}

static ptio_status load_map(index_state *s, const json_t *index, json_t *map)
{
    ptio_loader *loader = s->loader;
    ptio_node_dict *dict;
    const char *name;
    json_t *file;
    s->numbers = json_object();
    s->shards = PTIO_NEW(&loader->ckpt->arena, shard, json_object_size(map));
    if (!s->numbers || !s->shards)
        return ptio_fail_memory(s->err, "a table of shards");
    ptio_status status = ptio_make_ordered_dict(&s->maker, &dict, &loader->ckpt->root, s->err);
    if (status != PTIO_OK)
        return status;
    json_object_foreach(map, name, file)
    {
        if ((status = add_tensor(s, ptio_text_of(name), file, dict)) != PTIO_OK)
            return status;
    }
    if (s->problems)
        return fail_first(s);
    report_oddities(s, index);
    return ptio_make_index(loader, dict, s->err);
}

static ptio_status read_index(ptio_loader *loader, json_t **ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    uint64_t size = ptio_source_size(ckpt->source);
    if (size > ckpt->limits.heap_bytes / 64 || size > SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.json", PTIO_NO_OFFSET,
                         "the index has %llu bytes, a 64th of heap_bytes is %llu", (unsigned long long)size,
                         (unsigned long long)(ckpt->limits.heap_bytes / 64));
    uint8_t *bytes = ptio_checkpoint_buffer(ckpt, size ? (size_t)size : 1);
    if (!bytes)
        return ptio_heap_fail(&ckpt->heap, err, "an index of shards");
    ptio_status status = ptio_source_read(ckpt->source, 0, bytes, (size_t)size, err);
    return status == PTIO_OK ? ptio_json_parse((ptio_text){(const char *)bytes, (size_t)size}, &ckpt->limits, ret, err) : status;
}

ptio_status ptio_load_shards(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ckpt->container = PTIO_CONTAINER_SHARDS;
    ckpt->end = ptio_source_size(ckpt->source);
    index_state s = {.loader = loader, .maker.loader = loader, .err = err};
    json_t *index = NULL, *map;
    ptio_status status = read_index(loader, &index, err);
    if (status == PTIO_OK && !json_is_object(map = json_object_get(index, "weight_map")))
        status = ptio_fail(err, PTIO_ERR_FORMAT, "shards.form", 0, "the index has no \"weight_map\" of names");
    if (status == PTIO_OK)
        status = load_map(&s, index, map);
    json_decref(s.numbers);
    json_decref(index);
    return status;
}
