/*
 * Saving: ptio_save() and what all its kinds of files share.
 *
 * The pickle is made whole in memory first, as PyTorch does: only then is it known which storages there are. They follow one by one.
 */
#include "torch/save.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/report.h"
#include "tensor/convert.h"
#include "tensor/device.h"

#define PIECE ((size_t)256 << 10)

void ptio_save_options_init(ptio_save_options *options)
{
    *options = (ptio_save_options){PTIO_SAVE_OPTIONS};
}

/* The options of a caller that may know fewer fields than this library; the others have their defaults. */
static ptio_save_options known_options(const ptio_save_options *given)
{
    ptio_save_options options = {PTIO_SAVE_OPTIONS};
    if (given)
        memcpy(&options, given, given->struct_size && given->struct_size < sizeof options ? given->struct_size : sizeof options);
    options.struct_size = sizeof options;
    return options;
}

static ptio_status check_options(const ptio_save_options *options, ptio_error *err)
{
    if (options->protocol > 5)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.protocol", PTIO_NO_OFFSET, "pickle protocol must be <= 5, not %u",
                         options->protocol);
    if ((unsigned)options->profile > PTIO_PROFILE_2_0)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.profile", PTIO_NO_OFFSET, "there is no profile %d", (int)options->profile);
    if ((unsigned)options->byte_order > PTIO_NATIVE_ENDIAN)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.byte-order", PTIO_NO_OFFSET, "there is no byte order %d",
                         (int)options->byte_order);
    if (options->legacy && options->skip_data && !options->as)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.skip-data", PTIO_NO_OFFSET,
                         "a stream has no holes: skip_data is for zip archives, as in PyTorch");
    if (options->as && options->compact)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.as", PTIO_NO_OFFSET,
                         "a file that is written as it was cannot be compacted: its storages stay whole");
    return PTIO_OK;
}

ptio_status ptio_save_pickle(ptio_saver *saver, const ptio_value *value, ptio_pickled *ret, ptio_error *err)
{
    ptio_pickler_options options = {.protocol = saver->options.protocol,
                                    .identify = ptio_reduce_identify,
                                    .reduce = ptio_reduce,
                                    .tensor = ptio_reduce_tensor_run,
                                    .ctx = &saver->reducer};
    return ptio_pickle(value, &options, &saver->heap, ret, err);
}

/* The bytes in the other order, through a small buffer. */
static ptio_status write_swapped(const uint8_t *data, size_t size, size_t unit, const ptio_storage_target *target,
                                 ptio_heap *heap, ptio_error *err)
{
    uint8_t *buffer = ptio_heap_resize(heap, NULL, 0, PIECE);
    if (!buffer)
        return ptio_heap_fail(heap, err, "a storage in the other byte order");
    ptio_status status = PTIO_OK;
    for (size_t at = 0; status == PTIO_OK && at < size;) {
        size_t piece = size - at < PIECE ? size - at : PIECE;
        memcpy(buffer, data + at, piece);
        ptio_swap_bytes(buffer, piece / unit, unit);
        status = target->write(target->ctx, buffer, piece, err);
        at += piece;
    }
    ptio_heap_free(heap, buffer, PIECE);
    return status;
}

/* A storage that comes piece by piece, from a device or a record. */
typedef struct in_pieces {
    ptio_saver *saver;
    const ptio_storage_target *target;
    size_t unit;
} in_pieces;

static ptio_status write_piece(void *ctx, const void *bytes, size_t size, ptio_error *err)
{
    const in_pieces *p = ctx;
    if (p->unit > 1)
        return write_swapped(bytes, size, p->unit, p->target, &p->saver->heap, err);
    return p->target->write(p->target->ctx, bytes, size, err);
}

/* From a record that is deflated, or in another byte order than is written. *done is false where there is none. `unit` is what elements
 * of this machine are swapped by. */
static ptio_status write_record(ptio_saver *saver, const ptio_storage *storage, size_t unit, const ptio_storage_target *target,
                                bool *done, ptio_error *err)
{
    size_t from = ptio_storage_read_unit(storage), index;
    ptio_archive *archive;
    *done = !ptio_storage_is_resident(storage) && (from <= 1 || unit <= 1 || from == unit) &&
            ptio_storage_in_record(storage, &archive, &index);
    if (!*done)
        return PTIO_OK;
    in_pieces p = {saver, target, from == unit ? 1 : from > unit ? from : unit};
    return ptio_archive_read_pieces(archive, index, write_piece, &p, NULL, err);
}

static int compare_keys(const void *a, const void *b)
{
    ptio_text x = ptio_node_text_of((*(const ptio_saved_storage *const *)a)->key);
    ptio_text y = ptio_node_text_of((*(const ptio_saved_storage *const *)b)->key);
    int order = memcmp(x.bytes, y.bytes, x.size < y.size ? x.size : y.size);
    return order ? order : (x.size > y.size) - (x.size < y.size);
}

const ptio_saved_storage **ptio_save_order(ptio_saver *saver, bool by_key, ptio_error *err)
{
    ptio_reducer *r = &saver->reducer;
    const ptio_saved_storage **order = PTIO_NEW(&r->arena, const ptio_saved_storage *, r->storage_count + 1);
    if (!order) {
        (void)ptio_reduce_no_memory(r, err);
        return NULL;
    }
    for (size_t i = 0; i < r->storage_count; i++)
        order[i] = &r->storages[i];
    if (by_key)
        qsort(order, r->storage_count, sizeof *order, compare_keys);
    return order;
}

ptio_status ptio_save_storage(ptio_saver *saver, const ptio_storage *storage, const ptio_storage_target *target, ptio_error *err)
{
    size_t unit = ptio_storage_swap_unit(storage, saver->is_big_endian);
    ptio_storage_place place;
    if (!storage->nbytes)
        return PTIO_OK;
    if (unit <= 1 && ptio_storage_find(storage, &saver->ahead, &place))
        return target->copy(target->ctx, &place, storage->nbytes, err);
    if (ptio_storage_is_on_device(storage))
        return ptio_storage_from_device(storage, write_piece, &(in_pieces){saver, target, unit}, err);
    const void *given = unit <= 1 ? ptio_storage_given(storage) : NULL;
    if (given)
        return target->write(target->ctx, given, (size_t)storage->nbytes, err);
    bool done;
    ptio_status status = write_record(saver, storage, unit, target, &done, err);
    if (done)
        return status;
    /* What was read of a storage to write a part of it goes again too. */
    const ptio_storage *whole = saver->options.compact ? ptio_storage_whole(storage) : storage;
    bool resident = ptio_storage_is_resident(whole);
    const void *data;
    status = ptio_storage_data(storage, &data, err);
    if (status != PTIO_OK)
        return status;
    if (unit > 1)
        status = write_swapped(data, (size_t)storage->nbytes, unit, target, &saver->heap, err);
    else
        status = target->write(target->ctx, data, (size_t)storage->nbytes, err);
    if (!resident)
        ptio_storage_drop(whole);
    return status;
}

static void begin_reducer(const ptio_saver *saver, ptio_reducer *reducer, ptio_heap *heap)
{
    ptio_reducer_init(reducer, heap, saver->options.protocol);
    reducer->is_legacy = saver->options.legacy;
    reducer->profile = saver->options.profile;
    reducer->report = saver->options.report;
    reducer->edits = saver->options.edits;
    reducer->registry = saver->options.registry;
    reducer->keys = saver->options.keys;
    reducer->key_count = saver->options.key_count;
}

/* Say how much less is written than all of the storages. */
static void report_cut(const ptio_saver *saver)
{
    const ptio_reducer *r = &saver->reducer;
    uint64_t bytes = 0, count = 0;
    for (size_t i = 0; i < r->storage_count; i++) {
        uint64_t less = r->measured->storages[i].storage->nbytes - r->storages[i].storage->nbytes;
        bytes += less;
        count += less > 0;
    }
    if (!bytes)
        ptio_report_add(saver->options.report, PTIO_NOTE, "save.compact", PTIO_TEXT(""), PTIO_NO_OFFSET,
                        "tensors use every byte of the storages: nothing was left out");
    else
        ptio_report_add(saver->options.report, PTIO_NOTE, "save.compact", PTIO_TEXT(""), PTIO_NO_OFFSET,
                        "%" PRIu64 " bytes of %" PRIu64 " storages are used by no tensor and were left out", bytes, count);
}

static ptio_status write_file(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    return saver->options.legacy ? ptio_save_legacy(saver, value, err) : ptio_save_zip(saver, value, err);
}

/* The pickle is made twice: first to see which bytes of the storages are used. */
static ptio_status write_compact(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    ptio_reducer measured;
    ptio_pickled pickle = {0};
    ptio_status status = ptio_save_pickle(saver, value, &pickle, err);
    ptio_pickled_free(&pickle, &saver->heap);
    measured = saver->reducer;
    begin_reducer(saver, &saver->reducer, &saver->heap);
    saver->reducer.measured = &measured;
    if (status == PTIO_OK)
        status = write_file(saver, value, err);
    if (status == PTIO_OK)
        report_cut(saver);
    ptio_reducer_free(&measured);
    return status;
}

static ptio_status fail_none(ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.none", PTIO_NO_OFFSET, "there is no value to save");
}

static ptio_status save(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    ptio_byte_order order = saver->options.byte_order;
    /* Files without a byteorder record are read as little-endian, on every machine. */
    bool native = PTIO_HOST_BIG_ENDIAN && saver->options.profile < PTIO_PROFILE_1_13;
    ptio_status status;
    saver->is_big_endian = order == PTIO_NATIVE_ENDIAN ? native : order == PTIO_BIG_ENDIAN;
    ptio_heap_init(&saver->heap, saver->options.memory, saver->options.limits ? saver->options.limits->heap_bytes : 0);
    saver->ahead.heap = &saver->heap;
    begin_reducer(saver, &saver->reducer, &saver->heap);
    if (saver->options.progress)
        ptio_sink_watch(saver->sink, saver->options.progress, saver->options.progress_ctx);
    if (saver->options.as)
        status = ptio_save_as(saver, value, err);
    else
        status = saver->options.compact ? write_compact(saver, value, err) : write_file(saver, value, err);
    ptio_sink_watch(saver->sink, NULL, NULL);
    ptio_reducer_free(&saver->reducer);
    ptio_read_ahead_free(&saver->ahead);
    return status;
}

ptio_status ptio_save_sink(const ptio_value *value, ptio_sink *sink, const ptio_save_options *given, ptio_error *err)
{
    if (!value)
        return fail_none(err);
    if (!sink)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "argument.null", PTIO_NO_OFFSET, "the sink is NULL");
    ptio_saver saver = {.options = known_options(given), .sink = sink};
    ptio_status status = check_options(&saver.options, err);
    if (status != PTIO_OK)
        return status;
    uint64_t begin = ptio_sink_position(sink);
    ptio_error why = {0};
    status = save(&saver, value, &why);
    if (status == PTIO_OK)
        return PTIO_OK;
    /* A file of which a part is missing must not be finished by somebody who does not look at the status. */
    if (ptio_sink_position(sink) != begin)
        ptio_sink_spoil(sink, &why);
    if (err && err->status == PTIO_OK)
        *err = why;
    return status;
}

ptio_status ptio_save(const ptio_value *value, const char *path, const ptio_save_options *options, ptio_error *err)
{
    ptio_save_options known = known_options(options);
    ptio_sink *sink;
    if (!value)
        return fail_none(err);
    ptio_status status = ptio_sink_open(path, &(ptio_sink_options){PTIO_SINK_OPTIONS, .memory = known.memory}, &sink, err);
    if (status != PTIO_OK)
        return status;
    status = ptio_save_sink(value, sink, options, err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, err);
    ptio_sink_free(sink);
    return status;
}
