/*
 * torch.serialization.get_unsafe_globals_in_checkpoint(): the globals that data.pkl names, without running it, less those that are allowed.
 *
 * It is a load of another kind: the archive is opened and the record read as for any load, and then only scanned. The list lives in the
 * checkpoint's arena, its names sorted, each once. A blocked module is named like any other, and left out once it is allowed.
 *
 * Source: torch/_weights_only_unpickler.py, get_globals_in_pkl
 */
#include <stdlib.h>

#include "pickle/opcode.h"
#include "torch/reading.h"
#include "torch/weights_only.h"

struct ptio_global_list {
    ptio_checkpoint *ckpt; /* whose arena holds everything */
    ptio_text *names;
    size_t count, capacity;
};

/* By bytes, as Python sorts them: UTF-8 keeps the order of code points. */
static int compare_names(const void *a, const void *b)
{
    const ptio_text *x = a, *y = b;
    size_t shorter = x->size < y->size ? x->size : y->size;
    int order = shorter ? memcmp(x->bytes, y->bytes, shorter) : 0;
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void sort_names(ptio_global_list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    for (size_t i = 0; i < list->count; i++)
        if (!kept || !ptio_text_equal(list->names[i], list->names[kept - 1]))
            list->names[kept++] = list->names[i];
    list->count = kept;
}

static ptio_status add_name(ptio_global_list *list, ptio_text module, ptio_text name, ptio_error *err)
{
    ptio_arena *arena = &list->ckpt->arena;
    size_t size = module.size + 1 + name.size; /* lines of one record, each below line_bytes */
    char *text = ptio_arena_alloc(arena, size);
    if (text && list->count == list->capacity) {
        void *moved = ptio_arena_grow(arena, list->names, &list->capacity, list->count + 1, sizeof *list->names);
        text = moved ? text : NULL;
        list->names = moved ? moved : list->names;
    }
    if (!text)
        return ptio_heap_fail(&list->ckpt->heap, err, "a list of globals");
    if (module.size)
        memcpy(text, module.bytes, module.size);
    text[module.size] = '.';
    if (name.size)
        memcpy(text + module.size + 1, name.bytes, name.size);
    list->names[list->count++] = (ptio_text){text, size};
    return PTIO_OK;
}

/* One GLOBAL. */
static ptio_status look_at(ptio_global_list *list, const ptio_safe_rules *rules, ptio_text module, ptio_text name,
                           ptio_error *err)
{
    uint8_t handler;
    if (!ptio_utf8_valid(module.bytes, module.size, false) || !ptio_utf8_valid(name.bytes, name.size, false))
        return ptio_fail(err, PTIO_ERR_FORMAT, "pickle.text", PTIO_NO_OFFSET, "the name of a global is not UTF-8");
    ptio_safe_name(rules, &module, &name);
    ptio_safety safety = ptio_safe_global_find(rules, module, name, &handler);
    bool unsafe = (safety == PTIO_UNSAFE && !ptio_safe_split_elsewhere(rules, module, name)) ||
                  (safety == PTIO_UNSAFE_BLOCKED && !ptio_safe_global_listed(rules, module, name));
    return unsafe ? add_name(list, module, name, err) : PTIO_OK;
}

static ptio_status scan(ptio_global_list *list, const ptio_safe_rules *rules, ptio_text pickle, ptio_error *err)
{
    const uint8_t *bytes = (const uint8_t *)pickle.bytes;
    ptio_instruction instruction;
    uint64_t need;
    for (size_t at = 0;; at = instruction.end) {
        ptio_status status = ptio_opcode_read(bytes, pickle.size, at, list->ckpt->limits.line_bytes, &instruction, &need, err);
        if (status == PTIO_OK && need)
            return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", pickle.size, "the pickle ends before its STOP");
        if (status == PTIO_OK && !ptio_weights_only_opcode(instruction.byte))
            return ptio_fail(err, PTIO_ERR_DENIED, "weights-only.opcode", at, "Unsupported operand %u (opcode %s)",
                             instruction.byte, instruction.info->name);
        if (status == PTIO_OK && instruction.byte == PTIO_OP_GLOBAL)
            status = look_at(list, rules, instruction.text, instruction.second, err);
        if (status != PTIO_OK && err && err->offset == PTIO_NO_OFFSET)
            err->offset = at;
        if (status != PTIO_OK || instruction.byte == PTIO_OP_STOP)
            return status;
    }
}

/* The pickle of a checkpoint that PyTorch takes for one. */
static ptio_status open_archive(ptio_loader *loader, size_t *record, ptio_error *err)
{
    ptio_checkpoint *ckpt = loader->ckpt;
    ptio_probe probe;
    ptio_status status = ptio_probe_source(ckpt->source, ckpt->start, &probe, err);
    if (status == PTIO_OK && probe.format != PTIO_FORMAT_ZIP)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "weights-only.container", ckpt->start,
                         "Expected input to be a checkpoint returned by torch.save, in the zip container");
    if (status == PTIO_OK)
        status = ptio_zip_open(ckpt->source, ckpt->start, &ckpt->limits, &ckpt->heap, loader->report, &ckpt->archive, err);
    if (status != PTIO_OK)
        return status;
    if (ptio_archive_lookup_in_root(ckpt->archive, PTIO_TEXT("constants.pkl")) != SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "weights-only.container", PTIO_NO_OFFSET,
                         "Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint");
    *record = ptio_archive_lookup_in_root(ckpt->archive, PTIO_TEXT("data.pkl"));
    return *record != SIZE_MAX ? PTIO_OK
                               : ptio_fail(err, PTIO_ERR_FORMAT, "zip.no-data", PTIO_NO_OFFSET, "the archive has no data.pkl");
}

static ptio_status fill_list(ptio_loader *loader, ptio_global_list *list, ptio_error *err)
{
    ptio_safe_rules rules;
    ptio_text pickle;
    size_t record;
    ptio_status status = ptio_safe_rules_init(loader->options, &rules, err);
    if (status == PTIO_OK)
        status = ptio_reading_begin(loader->ckpt, loader->options, err);
    if (status == PTIO_OK)
        status = open_archive(loader, &record, err);
    if (status == PTIO_OK)
        status = ptio_loader_read_record(loader, record, &pickle, err);
    if (status != PTIO_OK)
        return status;
    const ptio_entry *entry = &loader->ckpt->archive->entries[record];
    status = ptio_error_in_record(err, scan(list, &rules, pickle, err), (ptio_text){entry->name, entry->name_size});
    sort_names(list);
    return status == PTIO_OK ? ptio_report_lost(loader->report, err) : status;
}

/* The list of a source, which it owns if `owned`. */
static ptio_status list_globals(ptio_source *source, bool owned, const ptio_load_options *options, ptio_global_list **ret,
                                ptio_error *err)
{
    ptio_error own = {0};
    err = err ? err : &own;
    ptio_checkpoint *ckpt = ptio_checkpoint_new(options->memory, options->limits);
    ptio_global_list *list = ckpt ? PTIO_NEW(&ckpt->arena, ptio_global_list, 1) : NULL;
    if (!list) {
        ptio_checkpoint_free(ckpt);
        if (owned)
            ptio_source_free(source);
        return ptio_fail_memory(err, "a list of globals");
    }
    list->ckpt = ckpt;
    ckpt->source = source;
    ckpt->owns_source = owned;
    ckpt->start = options->offset;
    ptio_loader loader = {.ckpt = ckpt, .options = options, .report = options->report};
    ptio_status status = fill_list(&loader, list, err);
    if (status == PTIO_OK)
        *ret = list;
    else
        ptio_checkpoint_free(ckpt);
    return status;
}

ptio_status ptio_list_unsafe_globals(const char *path, const ptio_load_options *options, ptio_global_list **ret, ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_source *source;
    ptio_status status = ptio_source_open(path, 0, known.memory, known.limits, &source, err);
    if (status == PTIO_OK)
        status = list_globals(source, true, &known, ret, err);
    return ptio_error_in_record(err, status, ptio_text_of(path));
}

ptio_status ptio_list_unsafe_globals_source(ptio_source *source, const ptio_load_options *options, ptio_global_list **ret,
                                            ptio_error *err)
{
    ptio_load_options known = ptio_load_options_known(options);
    ptio_status status = list_globals(source, false, &known, ret, err);
    return status == PTIO_OK ? status : ptio_error_in_record(err, status, ptio_source_name(source));
}

size_t ptio_global_list_count(const ptio_global_list *list)
{
    return list ? list->count : 0;
}

ptio_text ptio_global_list_name(const ptio_global_list *list, size_t index)
{
    return list && index < list->count ? list->names[index] : (ptio_text){NULL, 0};
}

void ptio_global_list_free(ptio_global_list *list)
{
    if (list)
        ptio_checkpoint_free(list->ckpt);
}
