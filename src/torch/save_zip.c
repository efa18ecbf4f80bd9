/*
 * The zip container of torch.save: data.pkl, the small records that the profile has, one record for each storage, and what ends
 * the archive.
 *
 * Source: torch/serialization.py, _save; caffe2/serialize/inline_container.cc, PyTorchStreamWriter
 */
#include <stdio.h>
#include <string.h>

#include "torch/save.h"

/* What a release writes. */
typedef struct profile {
    bool format_version; /* .format_version and .storage_alignment                             */
    bool byteorder;      /* byteorder, and .data/serialization_id at the end                    */
    bool numeric;        /* storages in the order of their numbers, not of their names as texts */
    bool root_of_path;   /* the root folder is named after the file                             */
} profile;

static const profile profiles[] = {
    [PTIO_PROFILE_2_7] = {true, true, true, true},     [PTIO_PROFILE_2_1] = {false, true, false, true},
    [PTIO_PROFILE_1_13] = {false, false, false, true}, [PTIO_PROFILE_1_10] = {false, false, false, false},
    [PTIO_PROFILE_1_6] = {false, false, false, false}, [PTIO_PROFILE_2_0] = {false, false, false, true},
};

typedef struct zip_save {
    ptio_saver *saver;
    ptio_zip_writer *writer;
    const profile *profile;
    const ptio_saved_storage **order; /* of the storages */
} zip_save;

static ptio_status add(zip_save *z, const char *name, ptio_text data, ptio_error *err)
{
    return ptio_zip_writer_add(z->writer, ptio_text_of(name), data.bytes, data.size, err);
}

static ptio_status add_byte_order(zip_save *z, ptio_error *err)
{
    return add(z, "byteorder", z->saver->is_big_endian ? PTIO_TEXT("big") : PTIO_TEXT("little"), err);
}

static ptio_status add_head(zip_save *z, const ptio_pickled *pickle, ptio_error *err)
{
    ptio_status status = add(z, "data.pkl", (ptio_text){(const char *)pickle->bytes, pickle->size}, err);
    if (status == PTIO_OK && z->profile->format_version)
        status = add(z, ".format_version", PTIO_TEXT("1"), err);
    if (status == PTIO_OK && z->profile->format_version) {
        char text[12];
        int size = snprintf(text, sizeof text, "%u", z->saver->options.alignment);
        status = add(z, ".storage_alignment", (ptio_text){text, (size_t)size}, err);
    }
    if (status == PTIO_OK && z->profile->byteorder && !z->saver->options.no_byteorder)
        status = add_byte_order(z, err);
    return status;
}

/* ---- storages ---- */

static ptio_status record_write(void *ctx, const void *data, size_t size, ptio_error *err)
{
    return ptio_zip_writer_data(ctx, data, size, err);
}

static ptio_status record_copy(void *ctx, const ptio_storage_place *place, uint64_t size, ptio_error *err)
{
    if (place->bytes && place->has_crc32)
        return ptio_zip_writer_known(ctx, place->bytes, (size_t)size, place->crc32, err);
    if (place->bytes)
        return ptio_zip_writer_data(ctx, place->bytes, (size_t)size, err);
    return ptio_zip_writer_copy(ctx, place->source, place->offset, size, place->has_crc32 ? &place->crc32 : NULL, err);
}

static ptio_status add_storage(zip_save *z, const ptio_saved_storage *saved, ptio_error *err)
{
    ptio_text key = ptio_node_text_of(saved->key);
    char name[512];
    if (key.size > sizeof name - 6)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.key", PTIO_NO_OFFSET, "the key of a storage has %zu bytes", key.size);
    memcpy(name, "data/", 5);
    memcpy(name + 5, key.bytes, key.size);
    ptio_status status = ptio_zip_writer_begin(z->writer, (ptio_text){name, key.size + 5}, saved->storage->nbytes, err);
    if (status != PTIO_OK)
        return status;
    const ptio_storage_target target = {record_write, record_copy, z->writer};
    if (z->saver->options.skip_data && saved->storage->nbytes)
        status = ptio_zip_writer_skip(z->writer, err);
    else
        status = ptio_save_storage(z->saver, saved->storage, &target, err);
    return status ? status : ptio_zip_writer_end_record(z->writer, err);
}

static ptio_status add_storages(zip_save *z, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    for (size_t i = 0; status == PTIO_OK && i < z->saver->reducer.storage_count; i++)
        status = add_storage(z, z->order[i], err);
    return status;
}

/* ---- the archive ---- */

static ptio_status add_tail(zip_save *z, ptio_error *err)
{
    ptio_status status = add(z, "version", PTIO_TEXT("3\n"), err);
    if (status == PTIO_OK && z->profile->byteorder && z->saver->options.no_byteorder)
        status = add_byte_order(z, err);
    if (status == PTIO_OK && z->profile->byteorder) {
        char id[PTIO_SERIALIZATION_ID_SIZE + 1];
        status = ptio_zip_writer_serialization_id(z->writer, z->saver->options.libcxx_id ? PTIO_LIBCXX : PTIO_LIBSTDCXX, id, err);
        if (status == PTIO_OK)
            status = add(z, ".data/serialization_id", (ptio_text){id, PTIO_SERIALIZATION_ID_SIZE}, err);
    }
    return status ? status : ptio_zip_writer_finish(z->writer, err);
}

/* PyTorch looks for the slash behind it in the first 511 bytes of a name. */
#define LONGEST_ROOT 510

static ptio_status root_name(const zip_save *z, ptio_text *ret, ptio_error *err)
{
    *ret = PTIO_TEXT("archive");
    if (z->saver->options.root) {
        *ret = ptio_text_of(z->saver->options.root);
        return ret->size <= LONGEST_ROOT
                   ? PTIO_OK
                   : ptio_fail(err, PTIO_ERR_ARGUMENT, "save.root", PTIO_NO_OFFSET,
                               "a root folder of %zu bytes is one that no PyTorch can read: at most %d", ret->size, LONGEST_ROOT);
    }
    return z->profile->root_of_path ? ptio_zip_root_of_path(ptio_sink_path(z->saver->sink), ret, err) : PTIO_OK;
}

static void measure(ptio_zip_measure *m, ptio_text name, uint64_t size)
{
    ptio_zip_measure_add(m, name.size, size);
}

/* What there will be in all, so that a full disk is known before anything is written. The same records as above, in the same order. */
static ptio_status expect_size(zip_save *z, ptio_text root, const ptio_pickled *pickle, ptio_error *err)
{
    const ptio_save_options *options = &z->saver->options;
    uint64_t total, order_size = z->saver->is_big_endian ? 3 : 6;
    ptio_zip_measure m = {.prefix_size = root.size + 1, .alignment = options->alignment};
    measure(&m, PTIO_TEXT("data.pkl"), pickle->size);
    if (z->profile->format_version) {
        measure(&m, PTIO_TEXT(".format_version"), 1);
        measure(&m, PTIO_TEXT(".storage_alignment"), (uint64_t)snprintf(NULL, 0, "%u", options->alignment));
    }
    if (z->profile->byteorder && !options->no_byteorder)
        measure(&m, PTIO_TEXT("byteorder"), order_size);
    for (size_t i = 0; i < z->saver->reducer.storage_count; i++)
        ptio_zip_measure_add(&m, 5 + ptio_node_text_of(z->order[i]->key).size, z->order[i]->storage->nbytes);
    measure(&m, PTIO_TEXT("version"), 2);
    if (z->profile->byteorder && options->no_byteorder)
        measure(&m, PTIO_TEXT("byteorder"), order_size);
    if (z->profile->byteorder)
        measure(&m, PTIO_TEXT(".data/serialization_id"), PTIO_SERIALIZATION_ID_SIZE);
    if (!ptio_zip_measure_total(&m, &total))
        return ptio_fail(err, PTIO_ERR_LIMIT, "save.size", PTIO_NO_OFFSET, "the file would have more bytes than 64 bits count");
    return ptio_sink_expect(z->saver->sink, total, options->skip_data, err);
}

ptio_status ptio_save_zip(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    zip_save z = {.saver = saver, .profile = &profiles[saver->options.profile]};
    if (!saver->options.alignment)
        saver->options.alignment = 64;
    ptio_pickled pickle = {0};
    ptio_text root;
    ptio_status status = root_name(&z, &root, err);
    ptio_zip_writer_spec spec = {.root = root,
                                 .alignment = saver->options.alignment,
                                 .crc32 = !saver->options.no_crc32,
                                 .threads = saver->options.threads};
    if (status == PTIO_OK)
        status = ptio_save_pickle(saver, value, &pickle, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_new(saver->sink, &spec, &saver->heap, &z.writer, err);
    if (status == PTIO_OK && !(z.order = ptio_save_order(saver, !z.profile->numeric, err)))
        status = PTIO_ERR_MEMORY;
    if (status == PTIO_OK)
        status = expect_size(&z, root, &pickle, err);
    if (status == PTIO_OK)
        status = add_head(&z, &pickle, err);
    ptio_pickled_free(&pickle, &saver->heap); /* before the tables of the records grow */
    if (status == PTIO_OK)
        status = add_storages(&z, err);
    if (status == PTIO_OK)
        status = add_tail(&z, err);
    ptio_zip_writer_free(z.writer);
    return status;
}
