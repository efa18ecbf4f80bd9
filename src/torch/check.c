/*
 * Checking: read everything there is and say whether it is whole. A load finds what is wrong with the pickle and the directory; what a
 * load does not look at is looked at here: every local header, every byte under a CRC, every element of a sparse tensor.
 */
#include "torch/dcp.h"
#include "torch/reading.h"
#include "torch/weights_only.h"

static const char *const verdict_names[] = {"whole", "damaged", "disputed", "over limit", "unreadable"};

const char *ptio_verdict_name(ptio_verdict verdict)
{
    size_t index = (size_t)verdict;
    return index < sizeof verdict_names / sizeof *verdict_names ? verdict_names[index] : "unknown";
}

typedef struct checker {
    const ptio_checkpoint *whole; /* what is checked         */
    const ptio_checkpoint *ckpt;  /* that, or a part of it   */
    ptio_report *report;
    ptio_check_result result;
    ptio_safe_rules rules;
    bool said; /* the verdict is no longer PTIO_WHOLE             */
} checker;

/* The first failure gives the verdict; what follows it is told too. Failures that say nothing of the file end the check. */
static ptio_status failed(checker *c, ptio_status status, const ptio_error *failure, ptio_error *err)
{
    ptio_verdict verdict;
    switch (status) {
    case PTIO_ERR_FORMAT: verdict = PTIO_DAMAGED; break;
    case PTIO_ERR_AMBIGUOUS: verdict = PTIO_DISPUTED; break;
    case PTIO_ERR_LIMIT: verdict = PTIO_OVER_LIMIT; break;
    case PTIO_ERR_UNSUPPORTED: verdict = PTIO_UNREADABLE; break;
    default:
        if (err && err->status == PTIO_OK)
            *err = *failure;
        return status;
    }
    ptio_report_error(c->report, failure);
    if (!c->said)
        c->result.verdict = verdict;
    c->said = true;
    return PTIO_OK;
}

/* Count the records that are whole, and say what is wrong with the others, but for what `structure`, if it failed, has said already. */
static ptio_status tell_records(checker *c, ptio_archive *archive, const bool *whole, const ptio_error *structure,
                                ptio_error *err)
{
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < archive->count && status == PTIO_OK; i++) {
        const ptio_entry *entry = &archive->entries[i];
        ptio_error one = {0};
        if (!whole[i])
            status = ptio_archive_verify(archive, i, NULL, &one);
        if (status != PTIO_OK && structure->reason && one.reason == structure->reason && one.offset == structure->offset) {
            status = PTIO_OK;
            continue;
        }
        if (status != PTIO_OK) {
            (void)ptio_error_in_record(&one, status, (ptio_text){entry->name, entry->name_size});
            status = failed(c, status, &one, err);
            continue;
        }
        c->result.records_verified++;
        c->result.bytes_read += entry->stored_size;
        if (archive->kind != PTIO_ARCHIVE_ZIP || archive->crc_absent)
            c->result.records_without_crc++;
    }
    return status;
}

static ptio_status check_records(checker *c, ptio_error *err)
{
    ptio_archive *archive = c->ckpt->archive;
    if (!archive)
        return PTIO_OK;
    ptio_error failure = {0};
    ptio_status status = ptio_zip_verify_structure(archive, c->report, &failure);
    if (status != PTIO_OK && (status = failed(c, status, &failure, err)) != PTIO_OK)
        return status;
    if (!archive->count)
        return PTIO_OK;
    ptio_heap heap;
    ptio_heap_init(&heap, &c->whole->heap.hooks, 0);
    bool *whole = ptio_heap_resize(&heap, NULL, 0, archive->count);
    if (!whole)
        return ptio_fail_memory(err, "checking records");
    status = ptio_reading_verify(c->whole, archive, whole, err);
    if (status == PTIO_OK)
        status = tell_records(c, archive, whole, &failure, err);
    ptio_heap_free(&heap, whole, archive->count);
    return status;
}

/* Storages whose bytes are no records: chunks of distributed checkpoints, tensors of safetensors files. */
static ptio_status check_storages(checker *c, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    for (const ptio_storage *storage = c->ckpt->pool->newest; storage && status == PTIO_OK; storage = storage->older) {
        const void *data;
        ptio_error one = {0};
        if (storage->origin != &ptio_storage_of_chunks && storage->origin != &ptio_storage_of_range)
            continue;
        status = ptio_storage_data(storage, &data, &one);
        if (status == PTIO_OK)
            c->result.bytes_read += storage->nbytes;
        else
            status = failed(c, status, &one, err);
        ptio_storage_drop(storage);
    }
    return status;
}

typedef struct tensor_checker {
    checker *c;
    ptio_error *err;
    ptio_status status;
    const ptio_tensor_extra *last; /* a Parameter has the parts of its data, which is visited right behind it */
} tensor_checker;

/* The elements of one tensor that has rules for them: sparse, quantized per channel, nested. */
static ptio_walk_next check_tensor(void *ctx, const ptio_visit *visit)
{
    tensor_checker *t = ctx;
    const ptio_tensor *tensor = visit->value->seen == PTIO_KIND_TENSOR ? ptio_meaning(visit->value) : NULL;
    if (!tensor || !tensor->extra || tensor->extra == t->last || visit->again || visit->leaving)
        return PTIO_WALK_ON;
    t->last = tensor->extra;
    ptio_heap heap;
    ptio_heap_init(&heap, &t->c->ckpt->heap.hooks, t->c->ckpt->limits.heap_bytes);
    ptio_error failure = {0};
    ptio_status status = ptio_tensor_check_elements(tensor, &heap, &failure);
    if (status != PTIO_OK) {
        if (failure.offset == PTIO_NO_OFFSET && visit->value->type == PTIO_NODE_TYPE_REDUCED)
            failure.offset = visit->value->count;
        if (t->c->ckpt->parts)
            (void)ptio_error_in_record(&failure, status, t->c->ckpt->parts->record);
        t->status = failed(t->c, status, &failure, t->err);
    }
    return t->status == PTIO_OK ? PTIO_WALK_ON : PTIO_WALK_STOP;
}

static ptio_status check_tensors(checker *c, ptio_error *err)
{
    tensor_checker t = {.c = c, .err = err};
    /* All nodes: tensors are arguments of objects that are not known, keys, and what modules hide, too. */
    ptio_walk_options options = {PTIO_WALK_OPTIONS, .raw = true, .memory = &c->ckpt->heap.hooks};
    ptio_error failure = {0};
    ptio_status status = ptio_walk(c->ckpt->root, &options, check_tensor, &t, &failure);
    if (t.status != PTIO_OK)
        return t.status;
    return status == PTIO_OK ? status : failed(c, status, &failure, err);
}

/* Which of the three a failing load is: unreadable where it is no checkpoint at all. */
static ptio_status load_failed(checker *c, ptio_status status, const ptio_error *failure, ptio_error *err)
{
    status = failed(c, status, failure, err);
    if (failure->reason && ptio_text_starts(ptio_text_of(failure->reason), "not."))
        c->result.verdict = PTIO_UNREADABLE;
    return status;
}

static ptio_status run_check(checker *c, const ptio_checkpoint *ckpt, ptio_error *err)
{
    c->whole = ckpt;
    ptio_status status = PTIO_OK;
    for (const ptio_checkpoint *part = ckpt; part && status == PTIO_OK; part = part == ckpt ? ckpt->children : part->sibling) {
        c->ckpt = part;
        status = check_records(c, err);
        for (const ptio_pickle_part *pickle = part->parts; pickle && !part->archive; pickle = pickle->next)
            c->result.bytes_read += pickle->graph.size;
    }
    c->ckpt = ckpt;
    if (status == PTIO_OK)
        status = check_storages(c, err);
    if (status == PTIO_OK)
        status = check_tensors(c, err);
    c->result.weights_only_loads = ptio_weights_only_loads(ckpt, &c->rules, c->report, NULL);
    if (status == PTIO_OK && ckpt->archive && ckpt->archive->kind == PTIO_ARCHIVE_ZIP && ckpt->archive->crc_absent)
        ptio_report_add(c->report, PTIO_NOTE, "zip.crc-absent", ckpt->archive->root, PTIO_NO_OFFSET,
                        "the archive was written without checksums, so damage inside its records cannot be seen");
    return status;
}

static ptio_load_options for_check(const ptio_load_options *options)
{
    ptio_load_options known = ptio_load_options_known(options);
    known.weights_only = false; /* told as findings instead */
    return known;
}

static ptio_status finish(checker *c, ptio_status status, ptio_checkpoint *ckpt, ptio_error *failure, ptio_check_result *ret,
                          ptio_error *err)
{
    if (status == PTIO_OK)
        status = run_check(c, ckpt, err);
    else
        status = load_failed(c, status, failure, err);
    ptio_checkpoint_free(ckpt);
    if (status == PTIO_OK)
        status = ptio_report_lost(c->report, err);
    if (status == PTIO_OK)
        *ret = c->result;
    return status;
}

ptio_status ptio_check(const char *path, const ptio_load_options *options, ptio_check_result *ret, ptio_error *err)
{
    ptio_load_options known = for_check(options);
    checker c = {.report = known.report};
    ptio_checkpoint *ckpt = NULL;
    ptio_error failure = {0};
    ptio_status status = ptio_safe_rules_init(&known, &c.rules, err);
    if (status != PTIO_OK)
        return status;
    status = ptio_load(path, &known, &ckpt, &failure);
    return finish(&c, status, ckpt, &failure, ret, err);
}

ptio_status ptio_check_source(ptio_source *source, const ptio_load_options *options, ptio_check_result *ret, ptio_error *err)
{
    ptio_load_options known = for_check(options);
    checker c = {.report = known.report};
    ptio_checkpoint *ckpt = NULL;
    ptio_error failure = {0};
    ptio_status status = ptio_safe_rules_init(&known, &c.rules, err);
    if (status != PTIO_OK)
        return status;
    status = ptio_load_source(source, &known, &ckpt, &failure);
    return finish(&c, status, ckpt, &failure, ret, err);
}
