/*
 * Writing an archive, forwards only.
 *
 * A record's header is put together in one piece and written at once. Its data go out in blocks: the CRC of each is found first,
 * which brings it into the cache, and then it is written. That costs a tenth of the time that writing takes; the other way round it
 * costs a quarter. What the directory will say is kept in a table (written.c).
 *
 * PyTorch's serialization id mixes in the CRC of "every write that looks like a data descriptor". That is a descriptor, but also data
 * of a record which begin as one, and even a name, so all three are looked at here.
 */
#include "archive/zip_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "archive/crc32.h"
#include "archive/written.h"
#include "archive/zip.h"
#include "base/text.h"

#define BLOCK ((size_t)512 << 10)
#define SMALL ((size_t)16 << 10) /* a copy of no more is one read and one write */

struct ptio_zip_writer {
    ptio_sink *sink;
    ptio_heap *heap;
    ptio_text prefix; /* the root and a slash */
    uint32_t alignment;
    bool has_crc32;
    unsigned threads;
    bool is_open; /* between the begin and the end of a record */
    bool is_finished;
    ptio_written_table written; /* the last one is the open record */
    uint64_t position;          /* in the archive */
    uint64_t directory_size;    /* so far */
    uint64_t id_of_data;        /* the second half of the serialization id */

    /* Of the open record: */
    uint64_t left;   /* data to come */
    uint8_t head[8]; /* the first of its data, head_size of them */
    size_t head_size;

    uint8_t *scratch; /* for a header with its name */
    size_t scratch_size;
    uint8_t *block; /* BLOCK bytes for copies, once needed */
};

/* ---- making and freeing ---- */

static ptio_status check_spec(const ptio_zip_writer_spec *spec, ptio_error *err)
{
    ptio_text root = spec->root;
    if (!spec->alignment || spec->alignment > PTIO_ZIP_ALIGNMENT_MOST)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.alignment", PTIO_NO_OFFSET,
                         "an alignment of %" PRIu32 " bytes is not from 1 to %d", spec->alignment, PTIO_ZIP_ALIGNMENT_MOST);
    if (!root.size || root.size > PTIO_ZIP_NAME_MOST - 2 || memchr(root.bytes, '/', root.size) ||
        memchr(root.bytes, 0, root.size) || !ptio_utf8_valid(root.bytes, root.size, false))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.name", PTIO_NO_OFFSET, "'%s' cannot be the root folder of an archive",
                         ptio_quote(root).text);
    return PTIO_OK;
}

static ptio_text make_prefix(ptio_arena *arena, ptio_text root)
{
    char *prefix = ptio_arena_alloc(arena, root.size + 1);
    if (!prefix)
        return (ptio_text){NULL, 0};
    memcpy(prefix, root.bytes, root.size);
    prefix[root.size] = '/';
    return (ptio_text){prefix, root.size + 1};
}

ptio_status ptio_zip_writer_new(ptio_sink *sink, const ptio_zip_writer_spec *spec, ptio_heap *heap, ptio_zip_writer **ret,
                                ptio_error *err)
{
    ptio_status status = check_spec(spec, err);
    if (status != PTIO_OK)
        return status;
    ptio_zip_writer *writer = ptio_heap_resize(heap, NULL, 0, sizeof *writer);
    if (!writer)
        return ptio_heap_fail(heap, err, "the writer of an archive");
    *writer = (ptio_zip_writer){
        .sink = sink, .heap = heap, .alignment = spec->alignment, .has_crc32 = spec->crc32, .threads = spec->threads};
    ptio_written_init(&writer->written, heap);
    writer->prefix = make_prefix(&writer->written.names, spec->root);
    if (!writer->prefix.bytes) {
        ptio_zip_writer_free(writer);
        return ptio_heap_fail(heap, err, "the writer of an archive");
    }
    *ret = writer;
    return PTIO_OK;
}

void ptio_zip_writer_abandon(ptio_zip_writer *writer, const ptio_error *why)
{
    if (writer->position && !writer->is_finished)
        ptio_sink_spoil(writer->sink, why);
}

void ptio_zip_writer_free(ptio_zip_writer *writer)
{
    if (!writer)
        return;
    ptio_heap *heap = writer->heap;
    if (writer->block)
        heap->hooks.free(heap->hooks.ctx, writer->block, BLOCK);
    ptio_heap_free(heap, writer->scratch, writer->scratch_size);
    ptio_written_free(&writer->written);
    ptio_heap_free(heap, writer, sizeof *writer);
}

ptio_status ptio_zip_root_of_path(ptio_text path, ptio_text *ret, ptio_error *err)
{
    size_t begin = 0, end = path.size;
    *ret = PTIO_TEXT("archive");
    for (size_t i = 0; i < path.size; i++) {
        if ((unsigned char)path.bytes[i] > 0x7F)
            return PTIO_OK;
        if (path.bytes[i] == '/' || path.bytes[i] == '\\')
            begin = i + 1;
    }
    if (!path.size)
        return PTIO_OK;
    for (size_t i = begin; i < path.size; i++)
        if (path.bytes[i] == '.')
            end = i;
    if (begin == end)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.path", PTIO_NO_OFFSET,
                         "invalid file name: '%s' has nothing before its last dot that could name the root folder",
                         ptio_quote(path).text);
    *ret = (ptio_text){path.bytes + begin, end - begin};
    return PTIO_OK;
}

/* ---- sizes ---- */

static ptio_status check_size(const ptio_zip_writer *writer, size_t name_size, uint64_t size, ptio_error *err)
{
    uint64_t record, directory;
    if (!ptio_zip_record_size(writer->position, name_size, size, writer->alignment, &record, &directory) ||
        record > INT64_MAX - writer->position)
        return ptio_fail(err, PTIO_ERR_LIMIT, "zip.size", PTIO_NO_OFFSET,
                         "a record of %" PRIu64 " bytes at %" PRIu64 " ends beyond what a file can hold", size, writer->position);
    if (directory > UINT32_MAX - writer->directory_size)
        return ptio_fail(err, PTIO_ERR_LIMIT, "zip.directory", PTIO_NO_OFFSET,
                         "the directory of %zu records would take more than the 4294967295 bytes that readers accept",
                         writer->written.count + 1);
    return PTIO_OK;
}

/* ---- names ---- */

static ptio_status check_name(const ptio_zip_writer *writer, ptio_text name, ptio_error *err)
{
    ptio_error why = {0};
    bool odd = false;
    if (name.size > PTIO_ZIP_NAME_MOST - writer->prefix.size)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.name", PTIO_NO_OFFSET,
                         "a name of %zu bytes has more than 65535 with its root", name.size);
    if (ptio_written_is_next(&writer->written, name))
        return PTIO_OK;
    if (ptio_zip_check_path(name, PTIO_ZIP_UTF8, PTIO_NO_OFFSET, &odd, &why) != PTIO_OK)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.name", PTIO_NO_OFFSET, "%s", why.message);
    if (name.bytes[name.size - 1] == '/' || name.bytes[name.size - 1] == '\\')
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.name", PTIO_NO_OFFSET, "the name '%s' is that of a folder",
                         ptio_quote(name).text);
    return PTIO_OK;
}

bool ptio_zip_writer_has(const ptio_zip_writer *writer, ptio_text name)
{
    return ptio_written_find(&writer->written, name) != NULL;
}

/* ---- a record ---- */

/* What PyTorch takes for a descriptor: a write of at least 8 bytes, the first of which say so. */
static void note_write(ptio_zip_writer *writer, const uint8_t *bytes, size_t size)
{
    if (size < 8 || memcmp(bytes, "PK\7\10", 4) != 0)
        return;
    uint32_t crc = bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 | (uint32_t)bytes[7] << 24;
    writer->id_of_data = ptio_id_mix(writer->id_of_data, crc);
}

static ptio_status reserve_scratch(ptio_zip_writer *writer, size_t size, ptio_error *err)
{
    if (size <= writer->scratch_size)
        return PTIO_OK;
    uint8_t *moved = ptio_heap_grow(writer->heap, writer->scratch, &writer->scratch_size, size, 1);
    if (!moved)
        return ptio_heap_fail(writer->heap, err, "the header of a record");
    writer->scratch = moved;
    return PTIO_OK;
}

/* The header is put together in scratch memory, of which there is enough. */
static ptio_status write_header(ptio_zip_writer *writer, ptio_text name, const ptio_zip_item *item, ptio_error *err)
{
    size_t name_size = writer->prefix.size + name.size;
    size_t extra = ptio_zip_local_extra(item, name_size, writer->alignment), size = PTIO_ZIP_LOCAL_SIZE + name_size + extra;
    uint8_t *whole_name = writer->scratch + PTIO_ZIP_LOCAL_SIZE;
    ptio_zip_put_local(writer->scratch, item, name_size, extra);
    memcpy(whole_name, writer->prefix.bytes, writer->prefix.size);
    memcpy(whole_name + writer->prefix.size, name.bytes, name.size);
    ptio_zip_put_local_extra(whole_name + name_size, item, extra);
    ptio_status status = ptio_sink_write(writer->sink, writer->scratch, size, err);
    if (status != PTIO_OK)
        return status;
    note_write(writer, whole_name, name_size);
    writer->position += size;
    return PTIO_OK;
}

static ptio_status wrong_call(const char *why, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.call", PTIO_NO_OFFSET, "%s", why);
}

static ptio_status open_record(ptio_zip_writer *writer, ptio_text name, uint64_t size, ptio_error *err)
{
    ptio_zip_item item = {.offset = writer->position, .size = size};
    size_t name_size = writer->prefix.size + name.size;
    ptio_status status =
        reserve_scratch(writer, PTIO_ZIP_LOCAL_SIZE + name_size + ptio_zip_local_extra(&item, name_size, writer->alignment), err);
    if (status == PTIO_OK)
        status = ptio_written_add(&writer->written, name, &item, err);
    if (status == PTIO_OK)
        status = write_header(writer, name, &item, err);
    if (status != PTIO_OK)
        return status;
    writer->directory_size += PTIO_ZIP_CENTRAL_SIZE + name_size + ptio_zip_central_extra(&item);
    writer->left = size;
    writer->head_size = 0;
    writer->is_open = true;
    return PTIO_OK;
}

ptio_status ptio_zip_writer_begin(ptio_zip_writer *writer, ptio_text name, uint64_t size, ptio_error *err)
{
    if (writer->is_open || writer->is_finished)
        return wrong_call(writer->is_open ? "the record before this one was not ended" : "the archive is finished already", err);
    ptio_status status = check_name(writer, name, err);
    if (status == PTIO_OK)
        status = check_size(writer, writer->prefix.size + name.size, size, err);
    if (status == PTIO_OK)
        status = open_record(writer, name, size, err);
    return status;
}

/* The record that data go to. */
static inline ptio_written *current(const ptio_zip_writer *writer)
{
    return &writer->written.records[writer->written.count - 1];
}

static ptio_status in_record(const ptio_zip_writer *writer, ptio_status status, ptio_error *err)
{
    return status == PTIO_OK ? PTIO_OK : ptio_error_in_record(err, status, ptio_written_name(current(writer)));
}

static ptio_status check_data(const ptio_zip_writer *writer, uint64_t size, ptio_error *err)
{
    if (!writer->is_open)
        return wrong_call("no record was begun that data could go to", err);
    if (size > writer->left)
        return in_record(writer,
                         ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.size", PTIO_NO_OFFSET,
                                   "%" PRIu64 " bytes are given where %" PRIu64 " are left of the record", size, writer->left),
                         err);
    return PTIO_OK;
}

static void note_head(ptio_zip_writer *writer, const uint8_t *data, uint64_t size)
{
    if (!writer->head_size && size >= sizeof writer->head) {
        memcpy(writer->head, data, sizeof writer->head);
        writer->head_size = sizeof writer->head;
        return;
    }
    for (uint64_t i = 0; i < size && writer->head_size < sizeof writer->head; i++)
        writer->head[writer->head_size++] = data[i];
}

static void count_data(ptio_zip_writer *writer, uint64_t size)
{
    writer->left -= size;
    writer->position += size;
}

/* Blocks end at multiples of BLOCK in the file. */
static size_t block_size(const ptio_zip_writer *writer, size_t left)
{
    size_t n = BLOCK - (size_t)(ptio_sink_position(writer->sink) % BLOCK);
    return left < n ? left : n;
}

/* ---- by threads ---- */

/* The CRC of a piece, whose parts come one after another. */
typedef struct piece_crc {
    uint32_t crc;
    uint64_t size;
} piece_crc;

static void add_crc(void *ctx, size_t piece, const uint8_t *block, size_t size)
{
    piece_crc *p = (piece_crc *)ctx + piece;
    p->crc = ptio_crc32(p->crc, block, size);
    p->size += size;
}

static ptio_status write_pieces(ptio_zip_writer *writer, ptio_sink_pieces *pieces, ptio_error *err)
{
    size_t count = ptio_sink_last_piece(pieces->size) + 1, room = writer->has_crc32 ? count * sizeof(piece_crc) : 0;
    piece_crc *crcs = NULL;
    pieces->threads = writer->threads;
    if (room && !(crcs = ptio_heap_resize(writer->heap, NULL, 0, room)))
        return ptio_heap_fail(writer->heap, err, "the checksums of a record");
    if (crcs) {
        memset(crcs, 0, room);
        pieces->look = add_crc;
        pieces->ctx = crcs;
    }
    ptio_status status = ptio_sink_write_pieces(writer->sink, pieces, err);
    uint32_t crc = current(writer)->item.crc32;
    for (size_t i = 0; status == PTIO_OK && crcs && i < count; i++)
        crc = ptio_crc32_join(crc, crcs[i].crc, crcs[i].size);
    current(writer)->item.crc32 = crc;
    ptio_heap_free(writer->heap, crcs, room);
    return status;
}

/* ---- data ---- */

static ptio_status write_blocks(ptio_zip_writer *writer, const uint8_t *at, size_t left, ptio_error *err)
{
    uint32_t crc = current(writer)->item.crc32;
    while (left) {
        size_t n = block_size(writer, left);
        if (writer->has_crc32)
            crc = ptio_crc32(crc, at, n);
        ptio_status status = ptio_sink_write(writer->sink, at, n, err);
        if (status != PTIO_OK)
            return status;
        at += n;
        left -= n;
    }
    current(writer)->item.crc32 = crc;
    return PTIO_OK;
}

ptio_status ptio_zip_writer_data(ptio_zip_writer *writer, const void *data, size_t size, ptio_error *err)
{
    ptio_status status = check_data(writer, size, err);
    if (status != PTIO_OK)
        return status;
    note_head(writer, data, size);
    if (ptio_sink_likes_pieces(writer->sink, writer->threads, size))
        status = write_pieces(writer, &(ptio_sink_pieces){.bytes = data, .size = size}, err);
    else
        status = write_blocks(writer, data, size, err);
    if (status != PTIO_OK)
        return in_record(writer, status, err);
    count_data(writer, size);
    return PTIO_OK;
}

static ptio_status reserve_block(ptio_zip_writer *writer, ptio_error *err)
{
    const ptio_memory *hooks = &writer->heap->hooks;
    if (!writer->block)
        writer->block = hooks->alloc(hooks->ctx, BLOCK, PTIO_STORAGE_ALIGN);
    return writer->block ? PTIO_OK : ptio_fail_memory(err, "copying a record");
}

static ptio_status copy_by_threads(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size, ptio_error *err)
{
    uint8_t head[sizeof writer->head];
    ptio_status status = ptio_source_read(source, offset, head, sizeof head, err);
    if (status != PTIO_OK)
        return status;
    note_head(writer, head, sizeof head);
    status = write_pieces(writer, &(ptio_sink_pieces){.source = source, .offset = offset, .size = size}, err);
    if (status == PTIO_OK)
        count_data(writer, size);
    return status;
}

/* Every byte is looked at, for the CRC. */
static ptio_status copy_through_memory(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size,
                                       ptio_error *err)
{
    const uint8_t *view = ptio_source_view(source, offset, size);
    if (view)
        return ptio_zip_writer_data(writer, view, (size_t)size, err);
    if (ptio_sink_likes_pieces(writer->sink, writer->threads, size))
        return copy_by_threads(writer, source, offset, size, err);
    ptio_status status = reserve_block(writer, err);
    for (uint64_t done = 0; status == PTIO_OK && done < size;) {
        size_t n = size - done < BLOCK ? (size_t)(size - done) : BLOCK;
        status = ptio_source_read(source, offset + done, writer->block, n, err);
        if (status == PTIO_OK)
            status = ptio_zip_writer_data(writer, writer->block, n, err);
        done += n;
    }
    return status;
}

/* The CRC is known, or there is to be none: only the first bytes are looked at, for the serialization id. */
static ptio_status copy_range(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size, ptio_error *err)
{
    size_t n = size <= SMALL ? (size_t)size : sizeof writer->head;
    ptio_status status = reserve_block(writer, err);
    if (status == PTIO_OK)
        status = ptio_source_read(source, offset, writer->block, n, err);
    if (status != PTIO_OK)
        return status;
    note_head(writer, writer->block, n);
    if (n == size)
        status = ptio_sink_write(writer->sink, writer->block, n, err);
    else if (ptio_sink_likes_pieces(writer->sink, writer->threads, size) && ptio_sink_copies_slowly(writer->sink, source, offset))
        status = ptio_sink_write_pieces(
            writer->sink, &(ptio_sink_pieces){.threads = writer->threads, .source = source, .offset = offset, .size = size}, err);
    else
        status = ptio_sink_copy(writer->sink, source, offset, size, err);
    if (status == PTIO_OK)
        count_data(writer, size);
    return status;
}

ptio_status ptio_zip_writer_copy(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size,
                                 const uint32_t *crc32, ptio_error *err)
{
    ptio_status status = check_data(writer, size, err);
    if (status != PTIO_OK)
        return status;
    if (crc32 && size != current(writer)->item.size)
        return in_record(writer, wrong_call("the CRC of a part of a record is given as that of all of it", err), err);
    if (!size)
        return PTIO_OK;
    if (writer->has_crc32 && !crc32)
        status = copy_through_memory(writer, source, offset, size, err);
    else
        status = copy_range(writer, source, offset, size, err);
    if (status == PTIO_OK && writer->has_crc32 && crc32)
        current(writer)->item.crc32 = *crc32;
    return in_record(writer, status, err);
}

ptio_status ptio_zip_writer_known(ptio_zip_writer *writer, const void *data, size_t size, uint32_t crc32, ptio_error *err)
{
    ptio_status status = check_data(writer, size, err);
    if (status != PTIO_OK)
        return status;
    if (size != current(writer)->item.size)
        return in_record(writer, wrong_call("the CRC of a part of a record is given as that of all of it", err), err);
    note_head(writer, data, size);
    if (ptio_sink_likes_pieces(writer->sink, writer->threads, size))
        status = ptio_sink_write_pieces(writer->sink,
                                        &(ptio_sink_pieces){.threads = writer->threads, .bytes = data, .size = size}, err);
    else
        status = ptio_sink_write(writer->sink, data, size, err);
    if (status != PTIO_OK)
        return in_record(writer, status, err);
    if (writer->has_crc32)
        current(writer)->item.crc32 = crc32;
    count_data(writer, size);
    return PTIO_OK;
}

ptio_status ptio_zip_writer_skip(ptio_zip_writer *writer, ptio_error *err)
{
    ptio_status status = check_data(writer, 0, err);
    if (status != PTIO_OK)
        return status;
    if (writer->left != current(writer)->item.size)
        return in_record(writer, wrong_call("a record of which some data were given cannot be left out", err), err);
    status = ptio_sink_skip(writer->sink, writer->left, err);
    if (status != PTIO_OK)
        return in_record(writer, status, err);
    count_data(writer, writer->left);
    return PTIO_OK;
}

ptio_status ptio_zip_writer_end_record(ptio_zip_writer *writer, ptio_error *err)
{
    ptio_status status = check_data(writer, 0, err);
    if (status != PTIO_OK)
        return status;
    if (writer->left)
        return in_record(writer,
                         ptio_fail(err, PTIO_ERR_ARGUMENT, "zip.size", PTIO_NO_OFFSET,
                                   "the record ends, but %" PRIu64 " of its %" PRIu64 " bytes were not given", writer->left,
                                   current(writer)->item.size),
                         err);
    uint8_t descriptor[PTIO_ZIP_DESCRIPTOR_MOST];
    size_t size = ptio_zip_put_descriptor(descriptor, &current(writer)->item);
    if (size)
        status = ptio_sink_write(writer->sink, descriptor, size, err);
    if (status != PTIO_OK)
        return in_record(writer, status, err);
    note_write(writer, writer->head, writer->head_size);
    note_write(writer, descriptor, size);
    writer->position += size;
    writer->is_open = false;
    return PTIO_OK;
}

ptio_status ptio_zip_writer_add(ptio_zip_writer *writer, ptio_text name, const void *data, size_t size, ptio_error *err)
{
    ptio_status status = ptio_zip_writer_begin(writer, name, size, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_data(writer, data, size, err);
    if (status == PTIO_OK)
        status = ptio_zip_writer_end_record(writer, err);
    return status;
}

/* ---- the end ---- */

ptio_status ptio_zip_writer_serialization_id(ptio_zip_writer *writer, ptio_cxx_library library,
                                             char ret[PTIO_SERIALIZATION_ID_SIZE + 1], ptio_error *err)
{
    const ptio_written_table *written = &writer->written;
    uint64_t *hashes = NULL, id_of_names = 0;
    size_t size = written->count * sizeof *hashes;
    if (size && !(hashes = ptio_heap_resize(writer->heap, NULL, 0, size)))
        return ptio_heap_fail(writer->heap, err, "the serialization id");
    for (size_t i = 0; i < written->count; i++)
        hashes[i] = ptio_cxx_hash(library, written->records[i].name, written->records[i].name_size);
    ptio_status status = ptio_id_of_names(library, hashes, (uint32_t)written->count, writer->heap, &id_of_names, err);
    ptio_heap_free(writer->heap, hashes, size);
    if (status == PTIO_OK)
        (void)snprintf(ret, PTIO_SERIALIZATION_ID_SIZE + 1, "%020" PRIu64 "%020" PRIu64, id_of_names, writer->id_of_data);
    return status;
}

static ptio_status write_entry(ptio_zip_writer *writer, const ptio_written *record, ptio_error *err)
{
    size_t name_size = writer->prefix.size + record->name_size;
    ptio_status status = reserve_scratch(writer, PTIO_ZIP_CENTRAL_SIZE + name_size + PTIO_ZIP_EXTRA_MOST, err);
    if (status != PTIO_OK)
        return status;
    uint8_t *name = writer->scratch + PTIO_ZIP_CENTRAL_SIZE;
    ptio_zip_put_central(writer->scratch, &record->item, name_size);
    memcpy(name, writer->prefix.bytes, writer->prefix.size);
    memcpy(name + writer->prefix.size, record->name, record->name_size);
    size_t extra = ptio_zip_put_central_extra(name + name_size, &record->item);
    return ptio_sink_write(writer->sink, writer->scratch, PTIO_ZIP_CENTRAL_SIZE + name_size + extra, err);
}

ptio_status ptio_zip_writer_finish(ptio_zip_writer *writer, ptio_error *err)
{
    uint8_t ends[PTIO_ZIP_ENDS_SIZE];
    ptio_status status = PTIO_OK;
    if (writer->is_open || writer->is_finished)
        return wrong_call(writer->is_open ? "the last record was not ended" : "the archive is finished already", err);
    for (size_t i = 0; status == PTIO_OK && i < writer->written.count; i++)
        status = write_entry(writer, &writer->written.records[i], err);
    if (status != PTIO_OK)
        return status;
    ptio_zip_put_ends(ends, writer->written.count, writer->position, writer->directory_size);
    status = ptio_sink_write(writer->sink, ends, sizeof ends, err);
    writer->is_finished = status == PTIO_OK;
    return status;
}
