/*
 * The legacy stream: five pickles, each with a memo of its own, and the storages in the order of their keys.
 *
 *     magic number | 1001 | {'protocol_version': 1001, …} | the object | [key, …] | for each key: i64 count, the elements
 *
 * The keys are memory addresses in PyTorch; here they are numbers, or what options.keys says.
 *
 * Source: torch/serialization.py, _legacy_save; torch/csrc/serialization.cpp, THPStorage_writeFileRaw
 */
#include <string.h>

#include "base/cursor.h"
#include "torch/save.h"

static ptio_status put(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    ptio_pickled pickle = {0};
    ptio_pickler_options options = {.protocol = saver->options.protocol};
    ptio_status status = value ? ptio_pickle(value, &options, &saver->heap, &pickle, err)
                               : ptio_heap_fail(&saver->heap, err, "the head of the stream");
    if (status == PTIO_OK)
        status = ptio_sink_write(saver->sink, pickle.bytes, pickle.size, err);
    ptio_pickled_free(&pickle, &saver->heap);
    return status;
}

/* A dict of words and values, all of them given. */
static const ptio_value *dict_of(ptio_reducer *r, const ptio_value *const *entries, size_t count)
{
    ptio_node_dict *dict = ptio_node_new_dict(&r->arena);
    for (size_t i = 0; dict && i < 2 * count; i++)
        if (!entries[i])
            return NULL;
    if (!dict || !ptio_block_append(&r->arena, &dict->block, 0, entries, 2 * count))
        return NULL;
    dict->head.count = (uint32_t)count;
    return &dict->head;
}

static const ptio_value *system_info(ptio_reducer *r, bool is_big_endian)
{
    const ptio_value *sizes[] = {ptio_reduce_word(r, PTIO_TEXT("short")), ptio_reduce_int(r, 2),
                                 ptio_reduce_word(r, PTIO_TEXT("int")),   ptio_reduce_int(r, 4),
                                 ptio_reduce_word(r, PTIO_TEXT("long")),  ptio_reduce_int(r, 4)};
    const ptio_value *info[] = {ptio_reduce_word(r, PTIO_TEXT("protocol_version")), ptio_reduce_int(r, 1001),
                                ptio_reduce_word(r, PTIO_TEXT("little_endian")),    is_big_endian ? &ptio_false : &ptio_true,
                                ptio_reduce_word(r, PTIO_TEXT("type_sizes")),       dict_of(r, sizes, 3)};
    return dict_of(r, info, 3);
}

static ptio_status put_head(ptio_saver *saver, bool is_big_endian, ptio_error *err)
{
    static const uint8_t magic[10] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
    ptio_node_int number = {.head = {PTIO_NODE_TYPE_INT, PTIO_KIND_INT, PTIO_NODE_BIG, 0, sizeof magic}};
    number.u.bytes = magic;
    ptio_status status = put(saver, &number.head, err);
    if (status == PTIO_OK)
        status = put(saver, ptio_reduce_int(&saver->reducer, 1001), err);
    return status ? status : put(saver, system_info(&saver->reducer, is_big_endian), err);
}

static ptio_status stream_write(void *ctx, const void *data, size_t size, ptio_error *err)
{
    const ptio_saver *saver = ctx;
    if (ptio_sink_likes_pieces(saver->sink, saver->options.threads, size))
        return ptio_sink_write_pieces(saver->sink,
                                      &(ptio_sink_pieces){.threads = saver->options.threads, .bytes = data, .size = size}, err);
    return ptio_sink_write(saver->sink, data, size, err);
}

static ptio_status stream_copy(void *ctx, const ptio_storage_place *place, uint64_t size, ptio_error *err)
{
    const ptio_saver *saver = ctx;
    if (place->bytes)
        return stream_write(ctx, place->bytes, (size_t)size, err);
    return ptio_sink_copy(saver->sink, place->source, place->offset, size, err);
}

static ptio_status put_storage(ptio_saver *saver, const ptio_saved_storage *saved, ptio_error *err)
{
    uint8_t count[8];
    ptio_store_u64(count, saved->storage->nbytes / ptio_dtype_rows[saved->dtype].itemsize);
    const ptio_storage_target target = {stream_write, stream_copy, saver};
    ptio_status status = ptio_sink_write(saver->sink, count, sizeof count, err);
    return status ? status : ptio_save_storage(saver, saved->storage, &target, err);
}

/* Only storages are still to come. */
static ptio_status expect_storages(ptio_saver *saver, ptio_error *err)
{
    const ptio_reducer *r = &saver->reducer;
    uint64_t size = 0;
    for (size_t i = 0; i < r->storage_count; i++)
        if (!ptio_add_u64(size, r->storages[i].storage->nbytes, &size) || !ptio_add_u64(size, 8, &size))
            return ptio_fail(err, PTIO_ERR_LIMIT, "save.size", PTIO_NO_OFFSET,
                             "the file would have more bytes than 64 bits count");
    return ptio_sink_expect(saver->sink, size, false, err);
}

static ptio_status put_storages(ptio_saver *saver, ptio_error *err)
{
    ptio_reducer *r = &saver->reducer;
    const ptio_saved_storage **order = ptio_save_order(saver, true, err);
    const ptio_value **keys = PTIO_NEW(&r->arena, const ptio_value *, r->storage_count + 1);
    ptio_node_list list = {.head = {.type = PTIO_NODE_TYPE_LIST, .count = (uint32_t)r->storage_count}};
    if (!order || !keys)
        return ptio_reduce_no_memory(r, err);
    for (size_t i = 0; i < r->storage_count; i++)
        keys[i] = order[i]->key;
    if (r->storage_count && !ptio_block_append(&r->arena, &list.block, 0, keys, r->storage_count))
        return ptio_reduce_no_memory(r, err);
    ptio_status status = put(saver, &list.head, err);
    if (status == PTIO_OK)
        status = expect_storages(saver, err);
    for (size_t i = 0; status == PTIO_OK && i < r->storage_count; i++)
        status = put_storage(saver, order[i], err);
    return status;
}

ptio_status ptio_save_legacy(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    /* Storages of a stream are little-endian, whatever machine writes them; that machine is only told. */
    bool is_big_endian = saver->is_big_endian;
    saver->is_big_endian = false;
    ptio_pickled pickle = {0};
    ptio_status status = ptio_save_pickle(saver, value, &pickle, err);
    if (status == PTIO_OK)
        status = put_head(saver, is_big_endian, err);
    if (status == PTIO_OK)
        status = ptio_sink_write(saver->sink, pickle.bytes, pickle.size, err);
    ptio_pickled_free(&pickle, &saver->heap);
    return status ? status : put_storages(saver, err);
}
