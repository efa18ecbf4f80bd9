/*
 * The directory of a zip archive, read once into memory and parsed in one pass.
 *
 *     46 bytes   signature, version made by (2), version needed (2), flags (2), method (2), time and date (4), CRC (4),
 *                stored size (4), size (4), name length (2), extra length (2), comment length (2), disk (2), attributes (6),
 *                header offset (4)
 *     name, extra, comment
 *
 * Names point into the directory's bytes, and nothing is allocated for an entry, so an entry costs some nanoseconds.
 *
 * Source: APPNOTE.TXT 4.3.12, 4.5.3
 */
#include <string.h>

#include "archive/table.h"
#include "archive/zip.h"
#include "base/report.h"
#include "base/text.h"

#define HEADER 46
#define LOCAL_HEADER 30

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

/* A header that is not plain: with extra fields, deflated, a folder, or wrong. */
static PTIO_NOINLINE ptio_status parse_closely(const ptio_archive *archive, const uint8_t *p, uint64_t at, ptio_entry *entry,
                                               ptio_error *err)
{
    central c = {
        .flags = entry->flags,
        .stored_size = ptio_load_u32(p + 20),
        .size = ptio_load_u32(p + 24),
        .extra_size = ptio_load_u16(p + 30),
        .disk = ptio_load_u16(p + 34),
        .offset = ptio_load_u32(p + 42),
        .name = {entry->name, entry->name_size},
        .extra = p + HEADER + entry->name_size,
        .at = at,
    };
    char last = c.name.size ? c.name.bytes[c.name.size - 1] : 'x';
    entry->is_folder = last == '/' || last == '\\';
    ptio_status status = read_extra(&c, entry, err);
    return status == PTIO_OK ? check_entry(archive, &c, entry, err) : status;
}

/* Whether all that parse_closely() looks at is as in nearly every header. */
static inline bool is_plain(const ptio_archive *archive, const uint8_t *p, const ptio_entry *entry)
{
    uint64_t room = archive->directory_offset - archive->start;
    bool nothing_else = !ptio_load_u16(p + 30) && !ptio_load_u16(p + 34) && !entry->method && !(entry->flags & PTIO_ZIP_MASKED);
    uint8_t last = p[HEADER + entry->name_size - 1]; /* of the header, where there is no name */
    return nothing_else && entry->size == entry->stored_size && entry->size != UINT32_MAX && entry->header_offset != UINT32_MAX &&
           last != '/' && last != '\\' && entry->header_offset + LOCAL_HEADER + entry->name_size + entry->size <= room;
}

/* Parse the header at the cursor. */
static inline ptio_status parse_entry(const ptio_archive *archive, ptio_cursor *directory, ptio_entry *entry, ptio_error *err)
{
    uint64_t at = archive->directory_offset + ptio_cursor_offset(directory);
    const uint8_t *p = ptio_cursor_take(directory, HEADER);
    if (PTIO_UNLIKELY(!p || ptio_load_u32(p) != PTIO_ZIP_CENTRAL))
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.directory-header", at, "there is no header of the directory here");
    uint32_t name_size = ptio_load_u16(p + 28);
    if (PTIO_UNLIKELY(!ptio_cursor_take(directory, (uint64_t)name_size + ptio_load_u16(p + 30) + ptio_load_u16(p + 32))))
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.directory-cut", at,
                         "this header of the directory is longer than the directory");
    *entry = (ptio_entry){
        .name = (const char *)p + HEADER,
        .name_size = name_size,
        .crc32 = ptio_load_u32(p + 16),
        .header_offset = ptio_load_u32(p + 42),
        .stored_size = ptio_load_u32(p + 20),
        .size = ptio_load_u32(p + 24),
        .method = ptio_load_u16(p + 10),
        .flags = ptio_load_u16(p + 8),
    };
    ptio_status status = PTIO_LIKELY(is_plain(archive, p, entry)) ? PTIO_OK : parse_closely(archive, p, at, entry, err);
    entry->header_offset += archive->start;
    return status;
}

/* Where the directory's header of a record is, in the source. */
static uint64_t header_of(const ptio_archive *archive, size_t index)
{
    const char *directory = (const char *)archive->block + (archive->block_size - (size_t)archive->directory_size);
    return archive->directory_offset + (uint64_t)(archive->entries[index].name - directory) - HEADER;
}

static ptio_status same_name(const ptio_archive *archive, size_t index, size_t other, ptio_error *err)
{
    uint64_t at = header_of(archive, index);
    ptio_text name = ptio_archive_name(archive, index), first = ptio_archive_name(archive, other);
    if (ptio_text_equal(name, first))
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.duplicate", at, "two records are called '%s'", ptio_quote(name).text);
    bool slashes = (memchr(name.bytes, '\\', name.size) != NULL) != (memchr(first.bytes, '\\', first.size) != NULL);
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, slashes ? "zip.slash-twin" : "zip.case-twin", at,
                     "'%s' and another record are one to readers for which %s", ptio_quote(name).text,
                     slashes ? "a backslash is a slash" : "upper and lower case are the same");
}

/* The prefix of the storages' names, as the first record has it. Other names are looked at one by one. */
static ptio_status find_prefix(ptio_archive *archive, ptio_error *err)
{
    ptio_text root = ptio_top_folder(ptio_archive_name(archive, 0));
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
            status = i > other ? same_name(archive, i, other, err) : same_name(archive, other, i, err);
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

ptio_status ptio_zip_read_directory(ptio_archive *archive, const ptio_zip_end *end, const ptio_limits *limits, ptio_error *err)
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
