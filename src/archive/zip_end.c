/*
 * The end of a zip archive: the records from which everything else is found.
 *
 *     ... directory | zip64 end record (56 or more) | zip64 locator (20) | end record (22) | comment | bytes that do not belong
 *
 * Readers differ in which end record they take: the last one, the first that fits, with or without a look at the comment. So
 * the last one is taken, and everything must fit it exactly: the directory ends where the end records begin, and no field says
 * something else than another. An archive behind another archive, or in the comment of another, does not pass.
 *
 * Source: APPNOTE.TXT 4.3.14 to 4.3.16; torch third_party/miniz, mz_zip_reader_locate_header_sig
 */
#include <string.h>

#include "archive/zip.h"

#define END_SIZE 22
#define LOCATOR_SIZE 20
#define END64_SIZE 56
#define LEAST_ENTRY 46

/* One read finds the end record behind any comment; the second try covers what PyTorch tolerates behind it. */
#define TAIL ((size_t)(64 << 10) + END_SIZE)
#define LONG_TAIL ((size_t)160 << 10)

typedef struct tail {
    uint8_t *bytes;
    size_t size;
    uint64_t offset; /* of its first byte in the source */
} tail;

/* Where the last end record begins in the tail, or SIZE_MAX. */
static size_t last_signature(const tail *t)
{
    if (t->size < END_SIZE)
        return SIZE_MAX;
    for (size_t i = t->size - END_SIZE + 1; i-- > 0;)
        if (t->bytes[i] == 'P' && ptio_load_u32(t->bytes + i) == PTIO_ZIP_END)
            return i;
    return SIZE_MAX;
}

static ptio_status read_tail(ptio_archive *archive, size_t most, tail *t, ptio_error *err)
{
    uint64_t whole = archive->end - archive->start;
    t->size = whole < most ? (size_t)whole : most;
    t->offset = archive->end - t->size;
    t->bytes = ptio_heap_resize(archive->heap, NULL, 0, t->size ? t->size : 1);
    if (!t->bytes)
        return ptio_heap_fail(archive->heap, err, "the end of the archive");
    return ptio_source_read(archive->source, t->offset, t->bytes, t->size, err);
}

static void free_tail(ptio_archive *archive, tail *t)
{
    ptio_heap_free(archive->heap, t->bytes, t->size ? t->size : 1);
    t->bytes = NULL;
}

/* Bytes of the archive, from the tail where they are in it. `buffer` has room for them. */
static ptio_status fetch(const ptio_archive *archive, const tail *t, uint64_t offset, uint8_t *buffer, size_t size,
                         ptio_error *err)
{
    if (offset < t->offset)
        return ptio_source_read(archive->source, offset, buffer, size, err);
    memcpy(buffer, t->bytes + (size_t)(offset - t->offset), size);
    return PTIO_OK;
}

static ptio_status disagree(uint64_t offset, const char *what, uint64_t a, uint64_t b, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.end-records", offset, "the end records disagree about %s: %llu and %llu", what,
                     (unsigned long long)a, (unsigned long long)b);
}

static ptio_status several_disks(uint64_t offset, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.multi-disk", offset, "it is a part of an archive of several files");
}

/* The fields of both kinds of end record. */
typedef struct end_fields {
    uint64_t disk, directory_disk, count_here, count, size, offset;
} end_fields;

static end_fields parse_end(const uint8_t *p)
{
    return (end_fields){
        .disk = ptio_load_u16(p + 4),
        .directory_disk = ptio_load_u16(p + 6),
        .count_here = ptio_load_u16(p + 8),
        .count = ptio_load_u16(p + 10),
        .size = ptio_load_u32(p + 12),
        .offset = ptio_load_u32(p + 16),
    };
}

static end_fields parse_end64(const uint8_t *p)
{
    return (end_fields){
        .disk = ptio_load_u32(p + 16),
        .directory_disk = ptio_load_u32(p + 20),
        .count_here = ptio_load_u64(p + 24),
        .count = ptio_load_u64(p + 32),
        .size = ptio_load_u64(p + 40),
        .offset = ptio_load_u64(p + 48),
    };
}

/* The short record says the same as the long one, or that it cannot. */
static ptio_status compare(const end_fields *small, const end_fields *large, uint64_t offset, ptio_error *err)
{
    if ((small->disk && small->disk != 0xFFFF) || (small->directory_disk && small->directory_disk != 0xFFFF))
        return several_disks(offset, err);
    if (small->count != large->count && small->count != 0xFFFF)
        return disagree(offset, "the number of records", small->count, large->count, err);
    if (small->count_here != large->count && small->count_here != 0xFFFF)
        return disagree(offset, "the number of records", small->count_here, large->count, err);
    if (small->size != large->size && small->size != UINT32_MAX)
        return disagree(offset, "the size of the directory", small->size, large->size, err);
    if (small->offset != large->offset && small->offset != UINT32_MAX)
        return disagree(offset, "the offset of the directory", small->offset, large->offset, err);
    return PTIO_OK;
}

/* Read the zip64 end record that the locator points to; *begin is where it begins. */
static ptio_status read_end64(const ptio_archive *archive, const tail *t, const uint8_t *locator, uint64_t locator_offset,
                              end_fields *ret, uint64_t *begin, ptio_error *err)
{
    uint64_t relative = ptio_load_u64(locator + 8), room = locator_offset - archive->start;
    if (ptio_load_u32(locator + 4) != 0 || ptio_load_u32(locator + 16) > 1)
        return several_disks(locator_offset, err);
    if (room < END64_SIZE || relative > room - END64_SIZE)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.zip64-locator", locator_offset,
                         "the zip64 locator points to byte %llu, where no zip64 end record can be", (unsigned long long)relative);
    uint8_t record[END64_SIZE];
    *begin = archive->start + relative;
    ptio_status status = fetch(archive, t, *begin, record, sizeof record, err);
    if (status != PTIO_OK)
        return status;
    /* The size field does not count itself and the signature. */
    if (ptio_load_u32(record) != PTIO_ZIP_END64 || ptio_load_u64(record + 4) != locator_offset - *begin - 12)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.zip64-locator", locator_offset,
                         "the zip64 locator points to byte %llu, where its end record does not begin: another archive, or other "
                         "bytes, lie before "
                         "this one",
                         (unsigned long long)relative);
    *ret = parse_end64(record);
    return PTIO_OK;
}

/* The directory must lie right before the end records. */
static ptio_status place_directory(const ptio_archive *archive, const end_fields *end, uint64_t begin, uint64_t record_offset,
                                   ptio_zip_end *ret, ptio_error *err)
{
    if (end->disk || end->directory_disk)
        return several_disks(record_offset, err);
    if (end->count_here != end->count)
        return disagree(record_offset, "the number of records", end->count_here, end->count, err);
    uint64_t room = begin - archive->start;
    if (end->offset > room || end->size > room - end->offset)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.directory-range", record_offset,
                         "the directory of %llu bytes at byte %llu does not lie before the end records at byte %llu",
                         (unsigned long long)end->size, (unsigned long long)end->offset, (unsigned long long)room);
    if (end->offset + end->size != room)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.directory-place", record_offset,
                         "%llu bytes lie between the directory and the end records: two archives in one file, or bytes before "
                         "the first",
                         (unsigned long long)(room - end->offset - end->size));
    if (end->count > end->size / LEAST_ENTRY)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.count", record_offset,
                         "the end record tells of %llu records, but the directory has %llu bytes", (unsigned long long)end->count,
                         (unsigned long long)end->size);
    ret->count = end->count;
    ret->directory_offset = archive->start + end->offset;
    ret->directory_size = end->size;
    return PTIO_OK;
}

static ptio_status parse(const ptio_archive *archive, const tail *t, size_t at, ptio_zip_end *ret, ptio_error *err)
{
    const uint8_t *record = t->bytes + at;
    uint64_t left = t->size - at - END_SIZE, comment = ptio_load_u16(record + 20);
    ret->offset = t->offset + at;
    ret->end = ret->offset + END_SIZE + comment;
    if (comment > left)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.comment", ret->offset,
                         "the archive's comment of %llu bytes is cut off after %llu", (unsigned long long)comment,
                         (unsigned long long)left);
    end_fields end = parse_end(record), end64 = {0};
    uint64_t begin = ret->offset, locator_offset = ret->offset - LOCATOR_SIZE;
    uint8_t locator[LOCATOR_SIZE];
    if (ret->offset - archive->start >= LOCATOR_SIZE) {
        ptio_status status = fetch(archive, t, locator_offset, locator, sizeof locator, err);
        bool has_end64 = status == PTIO_OK && ptio_load_u32(locator) == PTIO_ZIP_LOCATOR;
        if (has_end64)
            status = read_end64(archive, t, locator, locator_offset, &end64, &begin, err);
        if (has_end64 && status == PTIO_OK)
            status = compare(&end, &end64, ret->offset, err);
        if (status != PTIO_OK)
            return status;
        if (has_end64)
            end = end64;
    }
    return place_directory(archive, &end, begin, ret->offset, ret, err);
}

ptio_status ptio_zip_find_end(ptio_archive *archive, ptio_zip_end *ret, ptio_error *err)
{
    tail t = {0};
    ptio_status status = read_tail(archive, TAIL, &t, err);
    size_t at = status == PTIO_OK ? last_signature(&t) : SIZE_MAX;
    if (status == PTIO_OK && at == SIZE_MAX && t.offset > archive->start) {
        free_tail(archive, &t);
        status = read_tail(archive, LONG_TAIL, &t, err);
        at = status == PTIO_OK ? last_signature(&t) : SIZE_MAX;
    }
    if (status == PTIO_OK)
        status = at == SIZE_MAX ? ptio_zip_fail_cut(archive, err) : parse(archive, &t, at, ret, err);
    free_tail(archive, &t);
    return status;
}
