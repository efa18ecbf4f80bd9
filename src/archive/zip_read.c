/*
 * Opening a zip archive: the end records, the directory, and what can be said of all records together.
 *
 * Local headers are left alone until their record is used, but for the last one: behind its data must come the directory.
 *
 * Refused here is whatever two readers could take differently: ranges that overlap, headers that the directory does not list, two
 * roots. What a single header of the directory may say is in zip_directory.c.
 */
#include <string.h>

#include "archive/zip.h"
#include "base/report.h"
#include "base/text.h"

#define LOCAL_HEADER 30
#define GAP_MOST ((uint64_t)1 << 20)

static bool is_ascending(const ptio_archive *archive)
{
    for (size_t i = 1; i < archive->count; i++)
        if (archive->entries[i].header_offset < archive->entries[i - 1].header_offset)
            return false;
    return true;
}

/* Bottom-up merge sort: no recursion, and no order of a hostile file is worse than another. */
static void sort_by_offset(const ptio_entry *entries, uint32_t *order, uint32_t *spare, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count, high = middle + width < count ? middle + width : count;
            for (size_t out = low, a = low, b = middle; out < high; out++) {
                bool left = b == high || (a < middle && entries[order[a]].header_offset <= entries[order[b]].header_offset);
                spare[out] = left ? order[a++] : order[b++];
            }
        }
        memcpy(order, spare, count * sizeof *order);
    }
}

static ptio_status find_order(ptio_archive *archive, ptio_error *err)
{
    if (is_ascending(archive))
        return PTIO_OK;
    size_t bytes = archive->count * sizeof(uint32_t);
    archive->order = ptio_heap_resize(archive->heap, NULL, 0, bytes);
    uint32_t *spare = archive->order ? ptio_heap_resize(archive->heap, NULL, 0, bytes) : NULL;
    if (!spare)
        return ptio_heap_fail(archive->heap, err, "the order of the records");
    for (size_t i = 0; i < archive->count; i++)
        archive->order[i] = (uint32_t)i;
    sort_by_offset(archive->entries, archive->order, spare, archive->count);
    ptio_heap_free(archive->heap, spare, bytes);
    return PTIO_OK;
}

uint64_t ptio_zip_next(const ptio_archive *archive, size_t index)
{
    size_t place = index;
    if (archive->order) {
        size_t low = 0, high = archive->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (archive->entries[archive->order[middle]].header_offset <= archive->entries[index].header_offset)
                low = middle + 1;
            else
                high = middle;
        }
        place = low - 1;
    }
    return place + 1 < archive->count ? archive->entries[ptio_zip_in_order(archive, place + 1)].header_offset
                                      : archive->directory_offset;
}

/* Before local headers are read, a record takes at least its header, name and data. The rest of the proof is in zip_local.c. */
static ptio_status check_overlaps(const ptio_archive *archive, ptio_error *err)
{
    for (size_t place = 1; place < archive->count; place++) {
        const ptio_entry *before = &archive->entries[ptio_zip_in_order(archive, place - 1)];
        const ptio_entry *entry = &archive->entries[ptio_zip_in_order(archive, place)];
        if (entry->header_offset - before->header_offset < LOCAL_HEADER + before->name_size + before->stored_size)
            return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.overlap", entry->header_offset,
                             "'%s' begins inside the record before it",
                             ptio_quote((ptio_text){entry->name, entry->name_size}).text);
    }
    return PTIO_OK;
}

/* An archive begins with a header, which somebody who reads forwards would take: it must be in the directory. */
static ptio_status check_first(const ptio_archive *archive, ptio_error *err)
{
    uint64_t first = archive->entries[ptio_zip_in_order(archive, 0)].header_offset;
    if (first == archive->start)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.unlisted-header", archive->start,
                     "the archive begins with a record that its directory does not list; the first listed one is at byte %llu",
                     (unsigned long long)(first - archive->start));
}

/* Behind the last record comes the directory, or there is room for another one. */
static ptio_status check_last(const ptio_archive *archive, ptio_error *err)
{
    size_t last = ptio_zip_in_order(archive, archive->count - 1);
    ptio_zip_member member;
    ptio_status status = ptio_zip_read_local(archive, last, &member, err);
    if (status != PTIO_OK)
        return ptio_error_in_record(err, status, ptio_archive_name(archive, last));
    if (member.end == archive->directory_offset)
        return PTIO_OK;
    return ptio_zip_check_gap(archive, member.end, archive->directory_offset, GAP_MOST, archive->report, err);
}

/* ---- what the records are, together ---- */

static inline bool is_below(const ptio_entry *entry, ptio_text root)
{
    return root.size && entry->name_size > root.size && entry->name[root.size] == '/' &&
           memcmp(entry->name, root.bytes, root.size) == 0;
}

/* Whether a record is called FOLDER/data.pkl, as in a checkpoint. */
static bool is_object(ptio_text name)
{
    ptio_text folder = ptio_top_folder(name);
    return folder.size && ptio_text_is((ptio_text){name.bytes + folder.size, name.size - folder.size}, "/data.pkl");
}

/*
 * The root is the one folder that holds every record. An archive without one is something else (NumPy's, a document) and gets no
 * root, but one with a checkpoint in it must not be taken for that: tools would show one thing and PyTorch read another.
 */
static ptio_status find_root(ptio_archive *archive, ptio_error *err)
{
    ptio_text root = ptio_top_folder(ptio_archive_name(archive, 0));
    size_t outside = 0;
    while (outside < archive->count && (archive->entries[outside].is_numbered || is_below(&archive->entries[outside], root)))
        outside++;
    if (outside == archive->count) {
        archive->root = root;
        return PTIO_OK;
    }
    for (size_t i = 0; i < archive->count; i++)
        if (is_object(ptio_archive_name(archive, i)))
            return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.two-roots", archive->entries[outside].header_offset,
                             "beside '%s' the archive holds '%s', outside the folder of the others; PyTorch refuses it too",
                             ptio_quote(ptio_archive_name(archive, i)).text,
                             ptio_quote(ptio_archive_name(archive, outside)).text);
    return PTIO_OK;
}

/* CRC fields are 0 by design where PyTorch was told not to compute them: all, or those of the storages that it left out. */
static void find_absent_crcs(ptio_archive *archive)
{
    size_t zero = 0, other = 0, zero_below = 0, other_below = 0;
    size_t root = archive->root.size;
    for (size_t i = 0; i < archive->count; i++) {
        const ptio_entry *entry = &archive->entries[i];
        if (!entry->size)
            continue;
        bool below = entry->is_numbered || (entry->name_size > root + 6 && memcmp(entry->name + root, "/data/", 6) == 0);
        zero += !entry->crc32;
        other += entry->crc32 != 0;
        zero_below += below && !entry->crc32;
        other_below += below && entry->crc32;
    }
    archive->crc_absent = zero && !other;
    archive->storage_crc_absent = other && zero_below == zero && zero && !other_below;
    if (archive->crc_absent || archive->storage_crc_absent)
        ptio_report_add(archive->report, PTIO_NOTE, "zip.crc-absent", PTIO_TEXT(""), archive->directory_offset,
                        archive->crc_absent ? "no record has a CRC: the file was saved without"
                                            : "no storage has a CRC: their bytes were left out when the file was saved");
}

static void note_rest(ptio_archive *archive, const ptio_zip_end *end)
{
    uint64_t rest = archive->end - end->end;
    if (rest)
        ptio_report_add(archive->report, PTIO_WARNING, "zip.trailing-bytes", PTIO_TEXT(""), end->end,
                        "%llu bytes behind the end of the archive belong to nothing", (unsigned long long)rest);
    archive->end = end->end;
}

static ptio_status open_archive(ptio_archive *archive, const ptio_limits *limits, ptio_error *err)
{
    ptio_zip_end end;
    ptio_status status = ptio_zip_find_end(archive, &end, err);
    if (status == PTIO_OK)
        status = ptio_zip_read_directory(archive, &end, limits, err);
    if (status == PTIO_OK)
        status = find_order(archive, err);
    if (status == PTIO_OK)
        status = check_overlaps(archive, err);
    if (status == PTIO_OK)
        status = check_first(archive, err);
    if (status == PTIO_OK)
        status = check_last(archive, err);
    if (status == PTIO_OK)
        status = find_root(archive, err);
    if (status != PTIO_OK)
        return status;
    find_absent_crcs(archive);
    note_rest(archive, &end);
    return PTIO_OK;
}

ptio_status ptio_zip_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, ptio_heap *heap, ptio_report *report,
                          ptio_archive **ret, ptio_error *err)
{
    ptio_archive *archive;
    ptio_status status = ptio_archive_new(source, offset, heap, report, &archive, err);
    if (status != PTIO_OK)
        return status;
    archive->kind = PTIO_ARCHIVE_ZIP;
    status = open_archive(archive, limits, err);
    if (status == PTIO_OK)
        *ret = archive;
    else
        ptio_archive_close(archive);
    return status;
}
