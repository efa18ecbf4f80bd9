/*
 * Writing a checkpoint again as it was: the records or the stream in the order found, alignment, checksums and names as found. The
 * pickle is made anew from the graph, everything else is copied from the source, range by range.
 */
#include <string.h>

#include "torch/save.h"

static ptio_status unsupported(ptio_error *err, const char *what)
{
    return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "save.as", PTIO_NO_OFFSET,
                     "%s: only zip archives and legacy streams of torch.save can be written as they were", what);
}

static const ptio_pickle_part *part_called(const ptio_checkpoint *ckpt, const char *record)
{
    for (const ptio_pickle_part *part = ckpt->parts; part; part = part->next)
        if (ptio_text_is(part->record, record))
            return part;
    return NULL;
}

static bool is_python2(const ptio_checkpoint *ckpt)
{
    for (const ptio_pickle_part *part = ckpt->parts; part; part = part->next)
        if (part->graph.dialect.python2)
            return true;
    return false;
}

/* What the walk of an edited graph meets. */
typedef struct meeting {
    const ptio_builder *edits;
    const ptio_checkpoint *ckpt;
    ptio_heap *heap;
    ptio_pointer_map storages; /* that are still used */
    bool foreign;              /* one of another checkpoint was met */
} meeting;

static const ptio_value *meet(void *ctx, const ptio_value *value)
{
    meeting *m = ctx;
    value = ptio_edited(m->edits, value);
    if (value->type != PTIO_NODE_TYPE_PERSISTENT || value->seen != PTIO_KIND_STORAGE)
        return value;
    const ptio_storage *storage = ptio_meaning(value);
    m->foreign = m->foreign || storage->pool != m->ckpt->pool;
    return ptio_pointer_map_put(&m->storages, m->heap, storage, 0) ? value : NULL;
}

static ptio_status pickle_again(ptio_saver *saver, const ptio_pickle_part *part, const ptio_value *value, meeting *m,
                                ptio_pickled *ret, ptio_error *err)
{
    ptio_pickler_options options = {
        .protocol = ptio_graph_protocol(&part->graph), .as_found = true, .python2 = is_python2(saver->options.as)};
    if (m->edits) {
        options.identify = meet;
        options.ctx = m;
    }
    ptio_status status = ptio_pickle(value, &options, &saver->heap, ret, err);
    if (status == PTIO_OK && m->foreign)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.as", PTIO_NO_OFFSET,
                         "a tensor of another file was put in: its storage has no place in a file that is written as it was");
    return status;
}

/* ---- zip ---- */

static ptio_status read_alignment(ptio_archive *archive, uint32_t *ret, ptio_error *err)
{
    char text[8] = "64";
    size_t record = ptio_archive_lookup_in_root(archive, PTIO_TEXT(".storage_alignment"));
    if (record != SIZE_MAX && archive->entries[record].size < sizeof text) {
        memset(text, 0, sizeof text);
        ptio_status status = ptio_archive_read_all(archive, record, text, NULL, err);
        if (status != PTIO_OK)
            return status;
    }
    *ret = 0;
    for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
        *ret = *ret * 10 + (uint32_t)(*digit - '0');
    return PTIO_OK;
}

static ptio_status copy_record(ptio_saver *saver, ptio_zip_writer *writer, size_t index, ptio_text name, ptio_error *err)
{
    ptio_archive *archive = saver->options.as->archive;
    const ptio_entry *entry = &archive->entries[index];
    bool is_storage = ptio_text_starts(name, "data/");
    uint32_t crc32 = is_storage && archive->storage_crc_absent ? 0 : entry->crc32;
    uint64_t offset = 0;
    const uint8_t *bytes = NULL;
    if (entry->method != 0 || entry->is_folder)
        return unsupported(err, "the archive was packed again by another tool");
    bool is_here = ptio_read_ahead_find(&saver->ahead, archive, index, &bytes);
    ptio_status status = is_here ? PTIO_OK : ptio_archive_locate(archive, index, &offset, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_begin(writer, name, entry->size, err);
    if (status == PTIO_OK && is_here)
        status = ptio_zip_writer_known(writer, bytes, (size_t)entry->size, crc32, err);
    else if (status == PTIO_OK && entry->size)
        status = ptio_zip_writer_copy(writer, archive->source, offset, entry->size, &crc32, err);
    return status ? status : ptio_zip_writer_end_record(writer, err);
}

/* Mark the records of the storages that an edited graph does not use any more. */
static bool *unused_records(ptio_saver *saver, const meeting *m)
{
    const ptio_archive *archive = saver->options.as->archive;
    bool *unused = PTIO_NEW(&saver->reducer.arena, bool, archive->count + 1);
    uint32_t number;
    for (const ptio_storage *s = saver->options.as->pool->newest; unused && m->edits && s; s = s->older)
        if (s->origin == &ptio_storage_of_record && s->origin_data == archive)
            unused[s->origin_index] = !ptio_pointer_map_get(&m->storages, s, &number);
    return unused;
}

/* The size that the archive will have, before anything of it is written. */
static ptio_status expect_records(ptio_saver *saver, const ptio_zip_writer_spec *spec, const bool *unused,
                                  const ptio_pickled *pickle, ptio_error *err)
{
    const ptio_archive *archive = saver->options.as->archive;
    size_t prefix_size = archive->root.size + 1;
    ptio_zip_measure m = {.prefix_size = prefix_size, .alignment = spec->alignment};
    uint64_t total;
    for (size_t i = 0; i < archive->count; i++) {
        ptio_text name = ptio_archive_name(archive, i);
        bool is_pickle = ptio_text_is((ptio_text){name.bytes + prefix_size, name.size - prefix_size}, "data.pkl");
        if (!unused[i])
            ptio_zip_measure_add(&m, name.size - prefix_size, is_pickle ? pickle->size : archive->entries[i].size);
    }
    if (!ptio_zip_measure_total(&m, &total))
        return ptio_fail(err, PTIO_ERR_LIMIT, "save.size", PTIO_NO_OFFSET, "the file would have more bytes than 64 bits count");
    return ptio_sink_expect(saver->sink, total, false, err);
}

static ptio_status write_records(ptio_saver *saver, ptio_zip_writer *writer, const bool *unused, const ptio_pickled *pickle,
                                 ptio_error *err)
{
    ptio_archive *archive = saver->options.as->archive;
    ptio_status status = PTIO_OK;
    for (size_t i = 0; status == PTIO_OK && i < archive->count; i++) {
        ptio_text name = ptio_archive_name(archive, i);
        if (unused[i])
            continue;
        name.bytes += archive->root.size + 1;
        name.size -= archive->root.size + 1;
        status = ptio_text_is(name, "data.pkl") ? ptio_zip_writer_add(writer, name, pickle->bytes, pickle->size, err)
                                                : copy_record(saver, writer, i, name, err);
    }
    return status ? status : ptio_zip_writer_finish(writer, err);
}

static ptio_status save_zip(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    const ptio_checkpoint *ckpt = saver->options.as;
    ptio_archive *archive = ckpt->archive;
    ptio_zip_writer_spec spec = {.root = archive->root, .crc32 = !archive->crc_absent, .threads = saver->options.threads};
    ptio_zip_writer *writer = NULL;
    ptio_pickled pickle = {0};
    meeting m = {.edits = saver->options.edits, .ckpt = ckpt, .heap = &saver->heap};
    ptio_status status = read_alignment(archive, &spec.alignment, err);
    if (status == PTIO_OK)
        status = pickle_again(saver, ckpt->parts, value, &m, &pickle, err);
    bool *unused = unused_records(saver, &m);
    if (status == PTIO_OK && !unused)
        status = ptio_heap_fail(&saver->heap, err, "a table of records");
    if (status == PTIO_OK)
        status = ptio_zip_writer_new(saver->sink, &spec, &saver->heap, &writer, err);
    if (status == PTIO_OK)
        status = expect_records(saver, &spec, unused, &pickle, err);
    if (status == PTIO_OK)
        status = write_records(saver, writer, unused, &pickle, err);
    ptio_pointer_map_free(&m.storages, &saver->heap);
    ptio_zip_writer_free(writer);
    ptio_pickled_free(&pickle, &saver->heap);
    return status;
}

/* ---- the stream ---- */

/* A stream lists the keys of all storages behind the object; those that an edited graph does not use any more stay in it. */

/* A storage with the count in front of it. */
static ptio_status copy_storage(ptio_saver *saver, const ptio_entry *entry, ptio_error *err)
{
    return ptio_sink_copy(saver->sink, saver->options.as->source, entry->data_offset - 8, entry->size + 8, err);
}

static ptio_status expect_storages(ptio_saver *saver, ptio_error *err)
{
    const ptio_archive *archive = saver->options.as->archive;
    uint64_t size = 0; /* of parts of a file: no overflow */
    for (size_t i = 0; i < archive->count; i++)
        size += archive->entries[i].size + 8;
    return ptio_sink_expect(saver->sink, size, false, err);
}

static ptio_status save_stream(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    static const char *const records[] = {"magic", "protocol", "sys_info", "data.pkl", "keys"};
    const ptio_checkpoint *ckpt = saver->options.as;
    meeting m = {.edits = saver->options.edits, .ckpt = ckpt, .heap = &saver->heap};
    ptio_status status = PTIO_OK;
    for (size_t i = 0; status == PTIO_OK && i < sizeof records / sizeof *records; i++) {
        const ptio_pickle_part *part = part_called(ckpt, records[i]);
        ptio_pickled pickle = {0};
        if (!part)
            return unsupported(err, "the stream lacks one of its pickles");
        status = pickle_again(saver, part, part->graph.root == ckpt->root ? value : part->graph.root, &m, &pickle, err);
        if (status == PTIO_OK)
            status = ptio_sink_write(saver->sink, pickle.bytes, pickle.size, err);
        ptio_pickled_free(&pickle, &saver->heap);
    }
    if (status == PTIO_OK)
        status = expect_storages(saver, err);
    for (size_t i = 0; status == PTIO_OK && i < ckpt->archive->count; i++)
        status = copy_storage(saver, &ckpt->archive->entries[i], err);
    ptio_pointer_map_free(&m.storages, &saver->heap);
    return status;
}

ptio_status ptio_save_as(ptio_saver *saver, const ptio_value *value, ptio_error *err)
{
    const ptio_checkpoint *ckpt = saver->options.as;
    if (value != ckpt->root)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "save.as", PTIO_NO_OFFSET,
                         "options.as writes the root of that checkpoint, and no other value");
    switch (ckpt->container) {
    case PTIO_CONTAINER_ZIP: return save_zip(saver, value, err);
    case PTIO_CONTAINER_LEGACY: return save_stream(saver, value, err);
    default: return unsupported(err, "the file is of another kind");
    }
}
