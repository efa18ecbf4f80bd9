/*
 * Opening a zip archive: the end records, then the directory, read once into memory and parsed in one pass.
 *
 *     46 bytes   signature, version made by (2), version needed (2), flags (2), method (2), time and date (4), CRC (4),
 *                stored size (4), size (4), name length (2), extra length (2), comment length (2), disk (2), attributes (6),
 *                header offset (4)
 *     name, extra, comment
 *
 * Names point into the directory's bytes, and nothing is allocated for an entry, so an entry costs some nanoseconds. Local
 * headers are left alone until their record is used, but for the last one: behind its data must come the directory.
 *
 * Refused here is whatever two readers could take differently: names that some hold for equal, ranges that overlap, headers
 * that the directory does not list. Source: APPNOTE.TXT 4.3.12
 */
#include <string.h>

#include "archive/table.h"
#include "archive/zip.h"
#include "base/report.h"
#include "base/text.h"

#define HEADER 46
#define LOCAL_HEADER 30
#define GAP_MOST ((uint64_t)1 << 20)

static uint64_t directory_limit(const ptio_limits *limits)
{
    return limits && limits->directory_bytes ? limits->directory_bytes : (uint64_t)256 << 20;
}

/* A header of the directory as it stands there. */
typedef struct central {
    unsigned flags, disk;
    uint32_t stored_size, size, offset;
    ptio_text name;
    const uint8_t *extra;
    size_t extra_size;
    uint64_t at; /* in the source */
} central;

static ptio_status bad_extra(const central *c, const char *why, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.zip64-extra", c->at, "the zip64 field of '%s' %s", ptio_quote(c->name).text,
                     why);
}

/* Take the next 8 bytes for a value that the header leaves open (all ones), or compare them where it does not. */
static bool take_or_compare(ptio_cursor *field, bool is_open, uint64_t *value)
{
    uint64_t next = ptio_cursor_u64(field);
    if (is_open)
        *value = next;
    return field->ok && *value == next;
}

/*
 * The zip64 field holds size, stored size, header offset and disk, of which those stand that the header leaves open. Some
 * writers put more there; then they must be the first of the four, and say the same as the header.
 */
static ptio_status read_zip64(const central *c, const uint8_t *bytes, size_t size, ptio_entry *entry, ptio_error *err)
{
    bool open[3] = {c->size == UINT32_MAX, c->stored_size == UINT32_MAX, c->offset == UINT32_MAX};
    uint64_t *values[3] = {&entry->size, &entry->stored_size, &entry->header_offset};
    ptio_cursor field = ptio_cursor_over(bytes, size);
    size_t least = (open[0] ? 8u : 0u) + (open[1] ? 8u : 0u) + (open[2] ? 8u : 0u) + (c->disk == 0xFFFF ? 4u : 0u);
    if (size < least)
        return bad_extra(c, "is too short", err);
    for (int i = 0; i < 3; i++)
        if ((size == least ? open[i] : ptio_cursor_left(&field) >= 8) && !take_or_compare(&field, open[i], values[i]))
            return bad_extra(c, "says something else than its header", err);
    uint32_t disk = ptio_cursor_left(&field) == 4 ? ptio_cursor_u32(&field) : 0;
    if (ptio_cursor_left(&field))
        return bad_extra(c, "is too long", err);
    if (disk)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.multi-disk", c->at, "'%s' lies in another file of a divided archive",
                         ptio_quote(c->name).text);
    return PTIO_OK;
}

/* A Unicode path field that names the record differently: version (1), CRC of the other name (4), name. */
static bool renames(const central *c, const uint8_t *bytes, size_t size)
{
    return size < 5 || !ptio_text_equal(c->name, (ptio_text){(const char *)bytes + 5, size - 5});
}

static ptio_status read_extra(const central *c, ptio_entry *entry, ptio_error *err)
{
    ptio_cursor extra = ptio_cursor_over(c->extra, c->extra_size);
    bool has_zip64 = false;
    while (ptio_cursor_left(&extra) >= 4) {
        unsigned id = ptio_cursor_u16(&extra);
        size_t size = ptio_cursor_u16(&extra);
        const uint8_t *bytes = ptio_cursor_take(&extra, size);
        if (!bytes)
            return ptio_fail(err, PTIO_ERR_FORMAT, "zip.extra", c->at, "an extra field of '%s' is longer than the room for it",
                             ptio_quote(c->name).text);
        if (id == 0x7075 && renames(c, bytes, size))
            return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.unicode-name", c->at, "'%s' has another name in a Unicode field",
                             ptio_quote(c->name).text);
        if (id != 0x0001)
            continue;
        ptio_status status = has_zip64 ? bad_extra(c, "stands there twice", err) : read_zip64(c, bytes, size, entry, err);
        if (status != PTIO_OK)
            return status;
        has_zip64 = true;
    }
    bool open = c->size == UINT32_MAX || c->stored_size == UINT32_MAX || c->offset == UINT32_MAX;
    return open && !has_zip64 ? bad_extra(c, "is missing", err) : PTIO_OK;
}

/* What a single header can tell about itself. */
static ptio_status check_entry(const ptio_archive *archive, const central *c, ptio_entry *entry, ptio_error *err)
{
    uint64_t room = archive->directory_offset - archive->start, header = LOCAL_HEADER + (uint64_t)entry->name_size;
    if (c->disk && c->disk != 0xFFFF)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.multi-disk", c->at, "'%s' lies in another file of a divided archive",
                         ptio_quote(c->name).text);
    if (c->flags & PTIO_ZIP_MASKED)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.encrypted", c->at, "the directory is encrypted");
    if (entry->method == 0 && entry->size != entry->stored_size)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.sizes", c->at,
                         "'%s' is stored as it is, but has %llu bytes in the archive and %llu in all", ptio_quote(c->name).text,
                         (unsigned long long)entry->stored_size, (unsigned long long)entry->size);
    if (entry->size && !entry->stored_size)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.sizes", c->at, "'%s' has %llu bytes, but none in the archive",
                         ptio_quote(c->name).text, (unsigned long long)entry->size);
    if (entry->is_folder && entry->size)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.folder-data", c->at, "'%s' is a folder by its name, but has %llu bytes",
                         ptio_quote(c->name).text, (unsigned long long)entry->size);
    if (entry->header_offset > room || room - entry->header_offset < header ||
        entry->stored_size > room - entry->header_offset - header)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.range", c->at,
                         "'%s' of %llu bytes at byte %llu does not lie before the directory at byte %llu",
                         ptio_quote(c->name).text, (unsigned long long)entry->stored_size,
                         (unsigned long long)entry->header_offset, (unsigned long long)room);
    return PTIO_OK;
}

/* Parse the header at the cursor. */
static ptio_status parse_entry(ptio_archive *archive, ptio_cursor *directory, ptio_entry *entry, ptio_error *err)
{
    central c = {.at = archive->directory_offset + ptio_cursor_offset(directory)};
    const uint8_t *p = ptio_cursor_take(directory, HEADER);
    if (!p || ptio_load_u32(p) != PTIO_ZIP_CENTRAL)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.directory-header", c.at, "there is no header of the directory here");
    c.flags = ptio_load_u16(p + 8);
    c.stored_size = ptio_load_u32(p + 20);
    c.size = ptio_load_u32(p + 24);
    c.extra_size = ptio_load_u16(p + 30);
    c.disk = ptio_load_u16(p + 34);
    c.offset = ptio_load_u32(p + 42);
    c.name.size = ptio_load_u16(p + 28);
    c.name.bytes = (const char *)ptio_cursor_take(directory, c.name.size);
    c.extra = ptio_cursor_take(directory, c.extra_size);
    if (!ptio_cursor_take(directory, ptio_load_u16(p + 32)))
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.directory-cut", c.at,
                         "this header of the directory is longer than the directory");
    *entry = (ptio_entry){
        .name = c.name.bytes,
        .name_size = (uint32_t)c.name.size,
        .crc32 = ptio_load_u32(p + 16),
        .header_offset = c.offset,
        .stored_size = c.stored_size,
        .size = c.size,
        .method = ptio_load_u16(p + 10),
        .flags = (uint16_t)c.flags,
    };
    char last = c.name.size ? c.name.bytes[c.name.size - 1] : 'x';
    entry->is_folder = last == '/' || last == '\\';
    if (PTIO_UNLIKELY(c.extra_size || c.size == UINT32_MAX || c.stored_size == UINT32_MAX || c.offset == UINT32_MAX)) {
        ptio_status status = read_extra(&c, entry, err);
        if (status != PTIO_OK)
            return status;
    }
    ptio_status status = check_entry(archive, &c, entry, err);
    entry->header_offset += archive->start;
    return status;
}

static ptio_text top_folder(ptio_text name)
{
    const char *slash = memchr(name.bytes, '/', name.size);
    return slash ? (ptio_text){name.bytes, (size_t)(slash - name.bytes)} : PTIO_TEXT("");
}

static ptio_status same_name(const ptio_archive *archive, size_t index, size_t other, uint64_t at, ptio_error *err)
{
    ptio_text name = ptio_archive_name(archive, index), first = ptio_archive_name(archive, other);
    if (ptio_text_equal(name, first))
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.duplicate", at, "two records are called '%s'", ptio_quote(name).text);
    bool slashes = (memchr(name.bytes, '\\', name.size) != NULL) != (memchr(first.bytes, '\\', first.size) != NULL);
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, slashes ? "zip.slash-twin" : "zip.case-twin", at,
                     "'%s' and another record are one to readers for which %s", ptio_quote(name).text,
                     slashes ? "a backslash is a slash" : "upper and lower case are the same");
}

/* Where the directory's header of a record is, in the source. */
static uint64_t header_of(const ptio_archive *archive, size_t index)
{
    const char *directory = (const char *)archive->block + (archive->block_size - (size_t)archive->directory_size);
    return archive->directory_offset + (uint64_t)(archive->entries[index].name - directory) - HEADER;
}

/* The prefix of the storages' names, as the first record has it. Other names are looked at one by one. */
static ptio_status find_prefix(ptio_archive *archive, ptio_error *err)
{
    ptio_text root = top_folder(ptio_archive_name(archive, 0));
    for (size_t i = 0; i < root.size; i++)
        if ((unsigned char)root.bytes[i] >= 0x80)
            return PTIO_OK;
    if (!root.size || root.size > PTIO_NAME_MOST / 2)
        return PTIO_OK;
    char *prefix = ptio_arena_alloc(&archive->arena, root.size + 6);
    if (!prefix)
        return ptio_heap_fail(archive->heap, err, "a name");
    memcpy(prefix, root.bytes, root.size);
    memcpy(prefix + root.size, "/data/", 6);
    archive->prefix = (ptio_text){prefix, root.size + 6};
    return PTIO_OK;
}

/* Check the name of a record that is not a storage's, which are right by how they are recognised. */
static ptio_status check_name(const ptio_archive *archive, size_t index, size_t *odd_names, ptio_error *err)
{
    bool odd = false;
    const ptio_entry *entry = &archive->entries[index];
    ptio_status status =
        ptio_zip_check_name(ptio_archive_name(archive, index), entry->flags, header_of(archive, index), &odd, err);
    *odd_names += odd;
    return status;
}

static ptio_status parse_headers(ptio_archive *archive, const uint8_t *bytes, size_t count, size_t *named, ptio_error *err)
{
    ptio_cursor directory = ptio_cursor_over(bytes, (size_t)archive->directory_size);
    size_t odd_names = 0;
    for (size_t i = 0; i < count; i++) {
        ptio_status status = parse_entry(archive, &directory, &archive->entries[i], err);
        if (status != PTIO_OK)
            return status;
        archive->count = i + 1;
        if (PTIO_LIKELY(ptio_table_insert_number(archive, i)))
            continue;
        status = check_name(archive, i, &odd_names, err);
        if (status == PTIO_OK && i == 0)
            status = find_prefix(archive, err);
        if (status != PTIO_OK)
            return status;
        ++*named;
    }
    if (ptio_cursor_left(&directory))
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.count", archive->directory_offset + ptio_cursor_offset(&directory),
                         "the end record tells of %zu records, but the directory has %zu bytes more", count,
                         ptio_cursor_left(&directory));
    if (odd_names)
        ptio_report_add(archive->report, PTIO_NOTE, "zip.name-encoding", PTIO_TEXT(""), archive->directory_offset,
                        "%zu names are neither ASCII nor UTF-8", odd_names);
    return PTIO_OK;
}

static ptio_status parse_directory(ptio_archive *archive, const uint8_t *bytes, size_t count, ptio_error *err)
{
    size_t named = 0;
    ptio_status status = parse_headers(archive, bytes, count, &named, err);
    if (status == PTIO_OK)
        status = ptio_table_make(archive, named, err);
    for (size_t i = 0; status == PTIO_OK && named && i < count; i++) {
        if (archive->entries[i].is_numbered)
            continue;
        named--;
        size_t other = ptio_table_insert(archive, i);
        if (other != SIZE_MAX)
            status = same_name(archive, i, other, header_of(archive, i), err);
    }
    return status;
}

/*
 * One block for the entries, the numbers, and the directory's bytes, which stay since names point into them. They are a copy even
 * where the source is in memory or mapped: somebody else may change that meanwhile.
 */
static ptio_status make_block(ptio_archive *archive, size_t count, uint8_t **directory, ptio_error *err)
{
    size_t entries = count * sizeof(ptio_entry), numbers = (count + 8) * sizeof(uint32_t);
    size_t size = entries + numbers + (size_t)archive->directory_size;
    archive->block = ptio_heap_resize(archive->heap, NULL, 0, size);
    if (!archive->block)
        return ptio_heap_fail(archive->heap, err, "the archive's directory");
    archive->block_size = size;
    archive->entries = archive->block;
    archive->numbers = (uint32_t *)(void *)((char *)archive->block + entries);
    archive->number_count = count + 8;
    memset(archive->numbers, 0, numbers);
    *directory = (uint8_t *)archive->block + entries + numbers;
    return PTIO_OK;
}

static ptio_status read_directory(ptio_archive *archive, const ptio_zip_end *end, const ptio_limits *limits, ptio_error *err)
{
    archive->directory_offset = end->directory_offset;
    archive->directory_size = end->directory_size;
    if (!end->count)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.empty", end->offset, "it is a zip archive without records");
    if (end->directory_size > directory_limit(limits))
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.directory", end->directory_offset,
                         "the archive's directory has %llu bytes, more than the %llu of directory_bytes",
                         (unsigned long long)end->directory_size, (unsigned long long)directory_limit(limits));
    if (end->directory_size > SIZE_MAX / 4 || end->count > UINT32_MAX / 4)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.directory", end->directory_offset,
                         "the archive's directory of %llu records is more than this library takes",
                         (unsigned long long)end->count);
    uint8_t *bytes = NULL;
    ptio_status status = make_block(archive, (size_t)end->count, &bytes, err);
    if (status == PTIO_OK)
        status = ptio_source_read(archive->source, end->directory_offset, bytes, (size_t)end->directory_size, err);
    return status == PTIO_OK ? parse_directory(archive, bytes, (size_t)end->count, err) : status;
}

/* ---- the order of the records in the file ---- */

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
    return entry->name_size > root.size && entry->name[root.size] == '/' && memcmp(entry->name, root.bytes, root.size) == 0;
}

/* What packing a folder again on a Mac or by a file manager adds beside it. */
static bool is_junk(ptio_text name)
{
    return ptio_text_starts(name, "__MACOSX/") || ptio_text_is(name, ".DS_Store") || ptio_text_is(name, "Thumbs.db") ||
           ptio_text_is(name, "desktop.ini");
}

/* Whether a record is called FOLDER/data.pkl, as in a checkpoint. */
static bool is_object(ptio_text name)
{
    ptio_text folder = top_folder(name);
    return folder.size && ptio_text_is((ptio_text){name.bytes + folder.size, name.size - folder.size}, "/data.pkl");
}

static ptio_text first_folder(const ptio_archive *archive)
{
    for (size_t i = 0; i < archive->count; i++)
        if (!is_junk(ptio_archive_name(archive, i)))
            return top_folder(ptio_archive_name(archive, i));
    return PTIO_TEXT("");
}

/*
 * The root is the one folder that holds every record. An archive without one is something else (NumPy's, a document) and gets no
 * root, but one with a checkpoint in it must not be taken for that: tools would show one thing and PyTorch read another.
 */
static ptio_status find_root(ptio_archive *archive, ptio_error *err)
{
    ptio_text root = first_folder(archive);
    size_t outside = SIZE_MAX, junk = SIZE_MAX, object = SIZE_MAX;
    for (size_t i = 0; i < archive->count; i++) {
        if (PTIO_LIKELY(root.size && is_below(&archive->entries[i], root)))
            continue;
        ptio_text name = ptio_archive_name(archive, i);
        if (is_junk(name))
            junk = junk == SIZE_MAX ? i : junk;
        else if (outside == SIZE_MAX)
            outside = i;
    }
    for (size_t i = 0; outside != SIZE_MAX && object == SIZE_MAX && i < archive->count; i++)
        if (is_object(ptio_archive_name(archive, i)))
            object = i;
    if (object != SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.two-roots", archive->entries[outside].header_offset,
                         "the archive holds '%s', but also '%s', outside the folder of the others",
                         ptio_quote(ptio_archive_name(archive, object)).text,
                         ptio_quote(ptio_archive_name(archive, outside)).text);
    if (outside == SIZE_MAX)
        archive->root = root;
    if (junk != SIZE_MAX && archive->root.size)
        ptio_report_add(
            archive->report, PTIO_WARNING, "zip.outside-root", ptio_archive_name(archive, junk),
            archive->entries[junk].header_offset,
            "this record was added by a file manager beside the checkpoint's folder; PyTorch refuses the file for it");
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
        bool below = entry->name_size > root + 6 && memcmp(entry->name + root, "/data/", 6) == 0;
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
        status = read_directory(archive, &end, limits, err);
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
