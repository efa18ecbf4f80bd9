/*
 * Loading: what kind of file it is, and the steps that all kinds share.
 *
 *   1  open the source, look at its first bytes (archive/probe)
 *   2  the container's own function reads what there is and runs the pickle (pickle/vm)
 *   3  the objects of the pickle are interpreted (interpret.c), storages noted, not read
 */
#include "torch/hooks.h"
#include "torch/place.h"
#include "torch/reading.h"
#include "torch/safetensors.h"
#include "torch/weights_only.h"

#include <string.h>

void ptio_load_options_init(ptio_load_options *options)
{
    *options = (ptio_load_options){PTIO_LOAD_OPTIONS};
}

void ptio_limits_fill(ptio_limits *limits, const ptio_limits *given)
{
    *limits = given ? *given : (ptio_limits){0};
    static const ptio_limits defaults = {.pickle_bytes = (uint64_t)1 << 30,
                                         .heap_bytes = (uint64_t)4 << 30,
                                         .heap_per_byte = 32,
                                         .directory_bytes = (uint64_t)256 << 20,
                                         .stream_bytes = (uint64_t)16 << 30,
                                         .expand_factor = 16,
                                         .line_bytes = 64 << 10,
                                         .name_bytes = 1 << 10};
#define DEFAULT(field)  \
    if (!limits->field) \
    limits->field = defaults.field
    DEFAULT(pickle_bytes);
    DEFAULT(heap_bytes);
    DEFAULT(heap_per_byte);
    DEFAULT(directory_bytes);
    DEFAULT(stream_bytes);
    DEFAULT(expand_factor);
    DEFAULT(line_bytes);
    DEFAULT(name_bytes);
#undef DEFAULT
}

/* ---- what all containers use ---- */

/* The budget is that of the pickle before, and is about what is made of it; these bytes are the file's, so that heap_bytes alone counts. */
static void allow_bytes(ptio_checkpoint *ckpt, size_t size)
{
    uint64_t most = ckpt->limits.heap_bytes, limit;
    if (ckpt->heap.limit < most)
        ckpt->heap.limit = ptio_add_u64(ckpt->heap.limit, size, &limit) && limit < most ? limit : most;
}

uint8_t *ptio_checkpoint_buffer(ptio_checkpoint *ckpt, size_t size)
{
    size_t whole;
    if (!ptio_add_size(size, sizeof(ptio_buffer), &whole))
        return NULL;
    allow_bytes(ckpt, whole);
    ptio_buffer *buffer = ptio_heap_resize(&ckpt->heap, NULL, 0, whole);
    if (!buffer)
        return NULL;
    buffer->size = size;
    buffer->next = ckpt->buffers;
    ckpt->buffers = buffer;
    return buffer->bytes;
}

ptio_status ptio_loader_read_record(ptio_loader *loader, size_t record, ptio_text *ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    const ptio_entry *entry = &ckpt->archive->entries[record];
    ptio_text name = {entry->name, entry->name_size};
    if (entry->size > ckpt->limits.pickle_bytes)
        return ptio_error_in_record(err,
                                    ptio_fail(err, PTIO_ERR_LIMIT, "limit.pickle-bytes", PTIO_NO_OFFSET,
                                              "it has %llu bytes, pickle_bytes allows %llu", (unsigned long long)entry->size,
                                              (unsigned long long)ckpt->limits.pickle_bytes),
                                    name);
    uint8_t *bytes = ptio_checkpoint_buffer(ckpt, (size_t)entry->size);
    if (!bytes)
        return ptio_error_in_record(err, ptio_heap_fail(&ckpt->heap, err, "a record"), name);
    ptio_status status = ptio_archive_read_all(ckpt->archive, record, bytes, NULL, err);
    *ret = (ptio_text){(const char *)bytes, (size_t)entry->size};
    return ptio_error_in_record(err, status, name);
}

static uint64_t pickle_budget(const ptio_checkpoint *ckpt, uint64_t size)
{
    uint64_t budget;
    if (!ptio_mul_u64(size, ckpt->limits.heap_per_byte, &budget) ||
        !ptio_add_u64(budget, ((uint64_t)1 << 20) + ckpt->heap.used, &budget))
        budget = UINT64_MAX;
    return budget < ckpt->limits.heap_bytes ? budget : ckpt->limits.heap_bytes;
}

ptio_status ptio_loader_run(ptio_loader *loader, ptio_text bytes, ptio_text record, uint64_t offset, ptio_pickle_part **ret,
                            ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_pickle_part *part = PTIO_NEW(&ckpt->arena, ptio_pickle_part, 1);
    if (!part)
        return ptio_heap_fail(&ckpt->heap, err, "a pickle");
    part->record = ptio_arena_text(&ckpt->arena, record);
    part->offset = offset;
    part->graph.arena = &ckpt->arena;
    if (!part->record.bytes)
        return ptio_heap_fail(&ckpt->heap, err, "a pickle");
    ptio_vm_options options = {.limits = &ckpt->limits,
                               .report = loader->report,
                               .record = part->record,
                               .codec = loader->codec,
                               .codec_must_fit = loader->options->encoding != NULL};
    ckpt->heap.limit = pickle_budget(ckpt, bytes.size);
    ptio_status status = ptio_vm_run((const uint8_t *)bytes.bytes, bytes.size, &options, &ckpt->heap, &part->graph, err);
    if (status == PTIO_OK)
        status = ptio_graph_index_keys(&part->graph, &ckpt->heap, err);
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, record);
    /* In order: the first is the object's own. */
    ptio_pickle_part **last = &ckpt->parts;
    while (*last)
        last = &(*last)->next;
    *last = part;
    *ret = part;
    return PTIO_OK;
}

/* A stream's pickle tells no length: look further and further until its STOP is found. */
ptio_status ptio_loader_fetch_pickle(ptio_loader *loader, uint64_t offset, ptio_text *ret, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    uint64_t size = ptio_source_size(ckpt->source), left = offset < size ? size - offset : 0, state = 0, need = 1;
    const uint8_t *view = ptio_source_view(ckpt->source, offset, left);
    uint64_t window = view || left < 4096 ? left : 4096;
    uint8_t *bytes = NULL;
    ptio_status status = PTIO_OK;
    for (;;) {
        if (window > ckpt->limits.pickle_bytes)
            window = ckpt->limits.pickle_bytes;
        if (!view) {
            if (window > SIZE_MAX || !(bytes = ptio_checkpoint_buffer(ckpt, (size_t)window)))
                return ptio_heap_fail(&ckpt->heap, err, "a pickle");
            if ((status = ptio_source_read(ckpt->source, offset, bytes, (size_t)window, err)) != PTIO_OK)
                return status;
        }
        const uint8_t *start = view ? view : bytes;
        status = ptio_pickle_scan(start, (size_t)window, &ckpt->limits, &state, &need, err);
        if (status != PTIO_OK) {
            if (err && err->offset != PTIO_NO_OFFSET)
                err->offset += offset;
            return status;
        }
        if (!need) {
            *ret = (ptio_text){(const char *)start, (size_t)state};
            return PTIO_OK;
        }
        if (window == ckpt->limits.pickle_bytes)
            return ptio_fail(err, PTIO_ERR_LIMIT, "limit.pickle-bytes", offset,
                             "a pickle is longer than the %llu bytes that pickle_bytes allows", (unsigned long long)window);
        if (window == left)
            return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", size,
                             "the file is cut off at byte %llu, in the pickle that begins at byte %llu", (unsigned long long)size,
                             (unsigned long long)offset);
        /* The earlier, shorter copies stay in their buffers: at most a third more in all. */
        uint64_t wanted = window + need > window * 4 ? window + need : window * 4;
        window = wanted < left ? wanted : left;
    }
}

/* ---- zip archives of all kinds ---- */

static bool has_record(const ptio_checkpoint *ckpt, const char *name)
{
    return ptio_archive_lookup_in_root(ckpt->archive, ptio_text_of(name)) != SIZE_MAX;
}

static ptio_text entry_name(const ptio_archive *archive, size_t index)
{
    return (ptio_text){archive->entries[index].name, archive->entries[index].name_size};
}

static bool any_entry(const ptio_archive *archive, const char *end, ptio_text *found)
{
    for (size_t i = 0; i < archive->count; i++) {
        *found = entry_name(archive, i);
        if (ptio_text_ends(*found, end))
            return true;
    }
    return false;
}

static bool all_entries(const ptio_archive *archive, const char *end)
{
    for (size_t i = 0; i < archive->count; i++) {
        if (!ptio_text_ends(entry_name(archive, i), end))
            return false;
    }
    return archive->count > 0;
}

/* A zip that is no checkpoint: say what it looks like. */
static ptio_status foreign_zip(ptio_checkpoint *ckpt, ptio_error *err)
{
    static const char *const checkpoints[] = {".pt", ".pth", ".bin", ".ckpt", ".pth.tar", ".safetensors"};
    const ptio_archive *archive = ckpt->archive;
    ptio_text name;
    if (any_entry(archive, "[Content_Types].xml", &name))
        return ptio_fail(err, PTIO_ERR_FORMAT, "not.office", 0, "it is an office document (docx, xlsx, pptx), not a checkpoint");
    if (has_record(ckpt, "model.weights.h5") || any_entry(archive, "model.weights.h5", &name))
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "not.keras", 0, "it is a Keras archive, not a checkpoint of PyTorch");
    if (any_entry(archive, "/data.pkl", &name))
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.folder-too-deep", 0,
                         "the checkpoint lies a folder too deep: its data.pkl is %s; pack the folder above it instead",
                         ptio_quote(name).text);
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++) {
        if (any_entry(archive, checkpoints[i], &name))
            return ptio_fail(err, PTIO_ERR_FORMAT, "zip.checkpoint-inside", 0,
                             "it is a zip archive with a checkpoint inside: unpack it and open %s", ptio_quote(name).text);
    }
    if (has_record(ckpt, "version") || has_record(ckpt, ".data/version"))
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.no-data", 0,
                         "the archive has no data.pkl: it is what a torch.save that failed leaves behind");
    return ptio_fail(err, PTIO_ERR_FORMAT, "zip.no-checkpoint", 0,
                     "it is a zip archive, but no checkpoint: it holds no data.pkl");
}

static ptio_status load_any_zip(ptio_loader *loader, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_status status =
        ptio_zip_open(ckpt->source, ckpt->start, &ckpt->limits, &ckpt->heap, loader->report, &ckpt->archive, err);
    if (status != PTIO_OK)
        return status;
    ckpt->archive->crc_ignored = loader->options->no_crc32;
    ckpt->end = ckpt->archive->end;
    if (has_record(ckpt, "constants.pkl"))
        return ptio_load_torchscript(loader, err);
    if (has_record(ckpt, "data.pkl"))
        return ptio_load_zip(loader, err);
    if (has_record(ckpt, "archive_format"))
        return ptio_load_pt2(loader, err);
    if (has_record(ckpt, ".data/extern_modules"))
        return ptio_load_package(loader, err);
    if (all_entries(ckpt->archive, ".npy"))
        return ptio_load_npz(loader, err);
    return foreign_zip(ckpt, err);
}

static ptio_status load_by_format(ptio_loader *loader, const ptio_probe *probe, ptio_error *err)
{
    switch (probe->format) {
    case PTIO_FORMAT_ZIP: return load_any_zip(loader, err);
    case PTIO_FORMAT_TAR: return ptio_load_tar(loader, err);
    case PTIO_FORMAT_LEGACY: return ptio_load_legacy(loader, err);
    case PTIO_FORMAT_PICKLE: return ptio_load_pickle(loader, err);
    case PTIO_FORMAT_NPY: return ptio_load_npy(loader, err);
    default: return ptio_fail(err, probe->status, probe->reason, loader->ckpt->start, "%s", probe->what);
    }
}

ptio_status ptio_load_any(ptio_loader *loader, ptio_error *err)
{
    ptio_probe probe;
    ptio_status status = ptio_probe_source(loader->ckpt->source, loader->ckpt->start, &probe, err);
    return status == PTIO_OK ? load_by_format(loader, &probe, err) : status;
}

/* ---- opening and closing ---- */

void ptio_checkpoint_free(ptio_checkpoint *ckpt)
{
    if (ckpt && atomic_fetch_sub(&ckpt->references, 1) > 1)
        return;
    /* Children are a tree of at most two levels: shards, chunks of distributed checkpoints. */
    while (ckpt) {
        ptio_checkpoint *next = ckpt->sibling;
        if (ckpt->children) {
            ptio_checkpoint *last = ckpt->children;
            while (last->sibling)
                last = last->sibling;
            last->sibling = next;
            next = ckpt->children;
        }
        ptio_hooks_end(ckpt);
        ptio_reading_end(ckpt);
        if (ckpt->pool == &ckpt->own_pool)
            ptio_storage_pool_free(ckpt->pool);
        if (ckpt->archive)
            ptio_archive_close(ckpt->archive);
        for (ptio_buffer *buffer = ckpt->buffers; buffer;) {
            ptio_buffer *following = buffer->next;
            ptio_heap_free(&ckpt->heap, buffer, sizeof *buffer + buffer->size);
            buffer = following;
        }
        ptio_arena_free(&ckpt->arena);
        if (ckpt->owns_source)
            ptio_source_free(ckpt->source);
        ptio_heap heap = ckpt->heap;
        ptio_heap_free(&heap, ckpt, sizeof *ckpt);
        ckpt = next;
    }
}

ptio_checkpoint *ptio_checkpoint_new(const ptio_memory *memory, const ptio_limits *limits)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_checkpoint *ckpt = ptio_heap_resize(&heap, NULL, 0, sizeof *ckpt);
    if (!ckpt)
        return NULL;
    *ckpt = (ptio_checkpoint){.heap = heap, .references = 1};
    ptio_limits_fill(&ckpt->limits, limits);
    ckpt->heap.limit = ckpt->limits.heap_bytes;
    ptio_arena_init(&ckpt->arena, &ckpt->heap);
    if (!ptio_storage_pool_init(&ckpt->own_pool, &ckpt->heap.hooks, &ckpt->limits)) {
        ptio_checkpoint_free(ckpt);
        return NULL;
    }
    ckpt->pool = &ckpt->own_pool;
    return ckpt;
}

ptio_load_options ptio_load_options_known(const ptio_load_options *given)
{
    ptio_load_options options = {PTIO_LOAD_OPTIONS};
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    options.struct_size = sizeof options;
    return options;
}

/* Run `load` over a new checkpoint on `source`, which it owns from here on if `owned`. */
static ptio_status run_load(ptio_source *source, bool owned, const char *path, const ptio_load_options *options,
                            ptio_status (*load)(ptio_loader *, ptio_error *), ptio_checkpoint **ret, ptio_error *err)
{
    ptio_error own = {0};
    err = err ? err : &own; /* some failures are looked at before they are told */
    ptio_safe_rules rules;
    ptio_status status = ptio_safe_rules_init(options, &rules, err);
    ptio_checkpoint *ckpt = status == PTIO_OK ? ptio_checkpoint_new(options->memory, options->limits) : NULL;
    if (!ckpt) {
        if (owned)
            ptio_source_free(source);
        return status == PTIO_OK ? ptio_fail_memory(err, "a checkpoint") : status;
    }
    ckpt->start = options->offset;
    ckpt->source = source;
    ckpt->owns_source = owned;
    ckpt->own_pool.map_is_shared = (options->mmap && options->mmap_shared) || (source && ptio_source_is_shared(source));
    status = ptio_reading_begin(ckpt, options, err);
    ptio_loader loader = {.ckpt = ckpt, .options = options, .report = options->report, .path = path};
    ptio_placing placing = {0};
    if (status == PTIO_OK)
        status = ptio_codec_new(options->encoding, options->errors, &ckpt->heap, &loader.codec, err);
    if (status == PTIO_OK)
        status = ptio_hooks_begin(&loader, err);
    if (status == PTIO_OK)
        status = ptio_placing_begin(&loader, &placing, err);
    if (status == PTIO_OK)
        status = load ? load(&loader, err) : ptio_load_any(&loader, err);
    ptio_placing_end(&placing);
    if (status == PTIO_OK)
        status = ptio_hook_build(ckpt, err);
    ckpt->heap.limit = ckpt->limits.heap_bytes;
    if (status == PTIO_OK && options->weights_only && !ptio_weights_only_loads(ckpt, &rules, options->report, err))
        status = PTIO_ERR_DENIED;
    if (status == PTIO_OK)
        status = ptio_report_lost(loader.report, err);
    ptio_codec_free(loader.codec);
    if (status == PTIO_OK)
        *ret = ckpt;
    else
        ptio_checkpoint_free(ckpt);
    return status;
}

unsigned ptio_map_flags(const ptio_load_options *options)
{
    return !options->mmap ? 0 : options->mmap_shared ? PTIO_SOURCE_MAP_SHARED : PTIO_SOURCE_MAP;
}

/* Begin where the stream stands, and leave it behind the object. */
static ptio_status load_here(ptio_source *source, const ptio_load_options *given, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_load_options options = *given;
    uint64_t before = ptio_source_tell(source);
    ptio_checkpoint *ckpt;
    if (options.offset > UINT64_MAX - before)
        options.offset = UINT64_MAX - before; /* beyond every end */
    options.offset += before;
    ptio_status status = run_load(source, true, NULL, &options, NULL, &ckpt, err);
    if (status != PTIO_OK)
        return status;
    status = ptio_source_seek(source, ckpt->end, err);
    if (status == PTIO_OK)
        *ret = ckpt;
    else
        ptio_checkpoint_free(ckpt);
    return status;
}

ptio_status ptio_load_file(FILE *file, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_source *source;
    if (known.mmap)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "mmap.stream", PTIO_NO_OFFSET,
                         "a stream cannot be mapped; give its path or descriptor");
    ptio_status status = ptio_source_from_file(file, known.memory, known.limits, &source, err);
    return status == PTIO_OK ? load_here(source, &known, ret, err) : status;
}

ptio_status ptio_load_fd(int fd, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_source *source;
    ptio_status status = ptio_source_from_fd(fd, ptio_map_flags(&known), known.memory, known.limits, &source, err);
    return status == PTIO_OK ? load_here(source, &known, ret, err) : status;
}

ptio_status ptio_load_source(ptio_source *source, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_status status = run_load(source, false, NULL, &known, NULL, ret, err);
    return status == PTIO_OK ? status : ptio_error_in_record(err, status, ptio_source_name(source));
}

ptio_status ptio_load_memory(const void *data, size_t size, const ptio_load_options *options, ptio_checkpoint **ret,
                             ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_source *source;
    ptio_status status = ptio_source_from_memory(data, size, known.memory, &source, err);
    return status == PTIO_OK ? run_load(source, true, NULL, &known, NULL, ret, err) : status;
}

ptio_status ptio_load(const char *path, const ptio_load_options *options, ptio_checkpoint **ret, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_text name = ptio_text_of(path);
    ptio_error own = {0};
    err = err ? err : &own;
    ptio_status (*load)(ptio_loader *, ptio_error *) = NULL;
    if (ptio_text_ends(name, ".index.json"))
        load = ptio_load_shards;
    else if (ptio_text_ends(name, ".safetensors"))
        load = ptio_load_safetensors; /* by the name alone, as torch.load goes */
    ptio_source *source;
    ptio_error folder = *err;
    ptio_status status = ptio_source_open(path, ptio_map_flags(&known), known.memory, known.limits, &source, &folder);
    if (status != PTIO_OK && folder.reason && strcmp(folder.reason, "io.directory") == 0)
        return run_load(NULL, false, path, &known, ptio_load_dcp, ret, err);
    if (status != PTIO_OK) {
        *err = folder;
        return status;
    }
    if (!load && (ptio_text_is(name, ".metadata") || ptio_text_ends(name, "/.metadata"))) {
        ptio_source_free(source);
        return run_load(NULL, false, path, &known, ptio_load_dcp, ret, err);
    }
    status = run_load(source, true, path, &known, load, ret, err);
    return status == PTIO_OK ? status : ptio_error_in_record(err, status, name);
}
