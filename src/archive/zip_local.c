/*
 * Local headers: the second place where a zip archive says what a record is.
 *
 *     30 bytes   signature, version needed (2), flags (2), method (2), time and date (4), CRC (4), stored size (4), size (4),
 *                name length (2), extra length (2)
 *     name, extra
 *     data
 *     descriptor, if bit 3 of the flags is set: signature (or not), CRC, stored size, size, the sizes in 4 or 8 bytes
 *
 * Only this header tells where the data begin. Whatever else it says is compared with the directory: where the two mean different
 * things, readers that trust the one and readers that trust the other would see different records. Writers that stream leave
 * sizes and CRC zero here, and give them behind the data. PyTorch writes zeros even beside a zip64 field.
 *
 * Source: APPNOTE.TXT 4.3.7, 4.3.9, 4.5.3; torch caffe2/serialize/inline_container.cc
 */
#include <string.h>

#include "archive/table.h"
#include "archive/zip.h"
#include "base/text.h"

#define HEADER 30

/* The bytes from a local header to the next one, read piece by piece: most headers are in the first piece, which is of the size that
 * torch.save needs, name and alignment included. */
typedef struct window {
    ptio_source *source;
    uint64_t limit; /* nothing is read from here on */
    uint64_t offset;
    size_t size;
    const uint8_t *bytes;
    size_t next_size; /* of the next piece */
    uint8_t own[512];
} window;

#define PIECE 256     /* at most this many bytes are asked for at once */
#define FIRST_REST 80 /* of the first piece, behind header and name */

/* `size` bytes at `offset`, or NULL: *status says why. */
static const uint8_t *look(window *w, uint64_t offset, size_t size, ptio_status *status, ptio_error *err)
{
    if (offset > w->limit || size > w->limit - offset) {
        *status = ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.overlap", offset < w->limit ? offset : w->limit,
                            "the record reaches into what begins at byte %llu", (unsigned long long)w->limit);
        return NULL;
    }
    if (offset < w->offset || offset + size > w->offset + w->size) {
        uint64_t left = w->limit - offset;
        w->bytes = w->own;
        w->offset = offset;
        w->size = left < w->next_size ? (size_t)left : w->next_size;
        w->next_size = sizeof w->own;
        *status = ptio_source_read(w->source, offset, w->own, w->size, err);
        if (*status != PTIO_OK) {
            w->size = 0;
            return NULL;
        }
    }
    return w->bytes + (size_t)(offset - w->offset);
}

/* A local header as it stands there. */
typedef struct local {
    const ptio_entry *entry;
    uint64_t at;     /* in the source                         */
    uint64_t offset; /* in the archive, as zip64 fields have it */
    unsigned flags, method;
    uint32_t crc32, stored_size, size;
    size_t name_size, extra_size;
    bool has_zip64;
} local;

static ptio_status mismatch(const local *header, const char *what, uint64_t here, uint64_t there, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.local-mismatch", header->at,
                     "the record's own header and the directory disagree about its %s: %llu and %llu", what,
                     (unsigned long long)here, (unsigned long long)there);
}

static ptio_status check_name(const local *header, window *w, ptio_error *err)
{
    const ptio_entry *entry = header->entry;
    ptio_status status = PTIO_OK;
    for (size_t i = 0; i < header->name_size; i += PIECE) {
        size_t n = header->name_size - i < PIECE ? header->name_size - i : PIECE;
        const uint8_t *name = look(w, header->at + HEADER + i, n, &status, err);
        if (!name)
            return status;
        if (header->name_size != entry->name_size || memcmp(name, entry->name + i, n) != 0)
            return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.name-mismatch", header->at + HEADER,
                             "the record's own header calls it '%s', the directory '%s'",
                             ptio_quote((ptio_text){(const char *)name, n}).text,
                             ptio_quote((ptio_text){entry->name, entry->name_size}).text);
    }
    if (header->name_size != entry->name_size)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.name-mismatch", header->at, "the record's own header has no name for it");
    return PTIO_OK;
}

/* A value that the header gives in place of the directory's: the same, or 0 where it follows behind the data. */
static bool agrees(const local *header, uint64_t here, uint64_t there)
{
    return here == there || (!here && (header->flags & PTIO_ZIP_DESCRIBED));
}

/* Size, stored size, header offset, disk; or, from PyTorch, the header offset alone. */
static ptio_status check_zip64(const local *header, const uint8_t *bytes, size_t size, ptio_error *err)
{
    const ptio_entry *entry = header->entry;
    ptio_cursor field = ptio_cursor_over(bytes, size);
    if (size == 8 && header->size != UINT32_MAX && header->stored_size != UINT32_MAX) {
        uint64_t offset = ptio_cursor_u64(&field);
        return offset == header->offset ? PTIO_OK : mismatch(header, "offset", offset, header->offset, err);
    }
    if (size < 16)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.zip64-extra", header->at, "the record's zip64 field is too short");
    uint64_t whole = ptio_cursor_u64(&field), stored = ptio_cursor_u64(&field);
    if (!agrees(header, whole, entry->size))
        return mismatch(header, "size", whole, entry->size, err);
    if (!agrees(header, stored, entry->stored_size))
        return mismatch(header, "stored size", stored, entry->stored_size, err);
    uint64_t offset = size >= 24 ? ptio_cursor_u64(&field) : header->offset;
    if (offset != header->offset)
        return mismatch(header, "offset", offset, header->offset, err);
    return PTIO_OK;
}

/* A Unicode path field: version (1), CRC of the other name (4), name. */
static ptio_status check_unicode_name(const local *header, window *w, uint64_t at, size_t size, ptio_error *err)
{
    const ptio_entry *entry = header->entry;
    ptio_status status = PTIO_OK;
    bool same = size == entry->name_size + (size_t)5;
    for (size_t i = 5; same && i < size; i += PIECE) {
        size_t n = size - i < PIECE ? size - i : PIECE;
        const uint8_t *bytes = look(w, at + i, n, &status, err);
        if (!bytes)
            return status;
        same = memcmp(bytes, entry->name + i - 5, n) == 0;
    }
    if (same)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.unicode-name", at, "the record has another name in a Unicode field");
}

static ptio_status check_extra(local *header, window *w, ptio_error *err)
{
    uint64_t at = header->at + HEADER + header->name_size, end = at + header->extra_size;
    ptio_status status = PTIO_OK;
    while (status == PTIO_OK && end - at >= 4) {
        const uint8_t *head = look(w, at, 4, &status, err);
        if (!head)
            return status;
        unsigned id = ptio_load_u16(head);
        size_t size = ptio_load_u16(head + 2);
        at += 4;
        if (size > end - at)
            return ptio_fail(err, PTIO_ERR_FORMAT, "zip.extra", at - 4,
                             "an extra field of the record is longer than the room for it");
        if (id == 0x0001 && header->has_zip64)
            return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.zip64-extra", at - 4, "the record has two zip64 fields");
        if (id == 0x0001) {
            size_t n = size < 32 ? size : 32;
            const uint8_t *bytes = look(w, at, n, &status, err);
            status = bytes ? check_zip64(header, bytes, n, err) : status;
            header->has_zip64 = true;
        }
        if (id == 0x7075)
            status = check_unicode_name(header, w, at, size, err);
        at += size;
    }
    return status;
}

static ptio_status check_size(const local *header, const char *what, uint32_t here, uint64_t there, ptio_error *err)
{
    /* With a zip64 field, that has the value, and this is all ones; PyTorch leaves 0. */
    if (header->has_zip64 && (here == UINT32_MAX || (!here && (header->flags & PTIO_ZIP_DESCRIBED))))
        return PTIO_OK;
    return agrees(header, here, there) ? PTIO_OK : mismatch(header, what, here, there, err);
}

static ptio_status check_fields(const local *header, ptio_error *err)
{
    const ptio_entry *entry = header->entry;
    const unsigned meaning = PTIO_ZIP_ENCRYPTED | PTIO_ZIP_PATCHED | PTIO_ZIP_STRONG | PTIO_ZIP_MASKED;
    if (header->method != entry->method)
        return mismatch(header, "method", header->method, entry->method, err);
    if ((header->flags ^ entry->flags) & meaning)
        return mismatch(header, "encryption", header->flags, entry->flags, err);
    if (!agrees(header, header->crc32, entry->crc32))
        return mismatch(header, "CRC", header->crc32, entry->crc32, err);
    ptio_status status = check_size(header, "size", header->size, entry->size, err);
    return status == PTIO_OK ? check_size(header, "stored size", header->stored_size, entry->stored_size, err) : status;
}

/* Whether a descriptor stands at `p`, of a form: with or without signature, sizes of 4 or 8 bytes. */
static bool is_descriptor(const ptio_entry *entry, const uint8_t *p, bool is_signed, bool is_long)
{
    if (is_signed && ptio_load_u32(p) != PTIO_ZIP_DESCRIPTOR)
        return false;
    p += is_signed ? 4 : 0;
    if (ptio_load_u32(p) != entry->crc32)
        return false;
    if (is_long)
        return ptio_load_u64(p + 4) == entry->stored_size && ptio_load_u64(p + 12) == entry->size;
    return ptio_load_u32(p + 4) == entry->stored_size && ptio_load_u32(p + 8) == entry->size;
}

/* Which form it has is not said, so the one that fits the room, or else the first one that says the same as the directory. */
static ptio_status check_descriptor(const local *header, window *w, uint64_t at, uint64_t *end, ptio_error *err)
{
    uint64_t left = w->limit - at;
    size_t n = left < 24 ? (size_t)left : 24;
    ptio_status status = PTIO_OK;
    const uint8_t *p = look(w, at, n, &status, err);
    if (!p)
        return status;
    size_t found = 0;
    for (unsigned form = 0; form < 4; form++) {
        bool is_signed = !(form & 2), is_long = form & 1;
        size_t size = (is_signed ? 16u : 12u) + (is_long ? 8u : 0u);
        if (size <= n && is_descriptor(header->entry, p, is_signed, is_long) && (!found || size == left))
            found = size;
    }
    if (!found)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.descriptor", at,
                         "what stands behind the data does not repeat the record's CRC and sizes");
    *end = at + found;
    return PTIO_OK;
}

static ptio_status check_local(const ptio_archive *archive, const ptio_entry *entry, window *w, ptio_zip_member *ret,
                               ptio_error *err)
{
    local header = {.entry = entry, .at = entry->header_offset, .offset = entry->header_offset - archive->start};
    ptio_status status = PTIO_OK;
    const uint8_t *p = look(w, header.at, HEADER, &status, err);
    if (!p)
        return status;
    if (ptio_load_u32(p) != PTIO_ZIP_LOCAL)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.local-header", header.at, "there is no record where the directory says");
    header.flags = ptio_load_u16(p + 6);
    header.method = ptio_load_u16(p + 8);
    header.crc32 = ptio_load_u32(p + 14);
    header.stored_size = ptio_load_u32(p + 18);
    header.size = ptio_load_u32(p + 22);
    header.name_size = ptio_load_u16(p + 26);
    header.extra_size = ptio_load_u16(p + 28);
    status = check_name(&header, w, err);
    if (status == PTIO_OK)
        status = check_extra(&header, w, err);
    if (status == PTIO_OK)
        status = check_fields(&header, err);
    if (status != PTIO_OK)
        return status;
    uint64_t data = header.at + HEADER + header.name_size + header.extra_size;
    if (data > w->limit || entry->stored_size > w->limit - data)
        return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.overlap", header.at, "the record reaches into what begins at byte %llu",
                         (unsigned long long)w->limit);
    ret->data_offset = data;
    ret->end = data + entry->stored_size;
    return header.flags & PTIO_ZIP_DESCRIBED ? check_descriptor(&header, w, ret->end, &ret->end, err) : PTIO_OK;
}

ptio_status ptio_zip_read_local(const ptio_archive *archive, size_t index, ptio_zip_member *ret, ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    window w = {.source = archive->source, .limit = ptio_zip_next(archive, index)};
    size_t first = HEADER + (size_t)entry->name_size + FIRST_REST;
    w.next_size = first < sizeof w.own ? first : sizeof w.own;
    return check_local(archive, entry, &w, ret, err);
}

ptio_status ptio_zip_check_local(const ptio_archive *archive, size_t index, const uint8_t *bytes, size_t size,
                                 ptio_zip_member *ret, ptio_error *err)
{
    const ptio_entry *entry = &archive->entries[index];
    window w = {.source = archive->source, .limit = ptio_zip_next(archive, index), .next_size = sizeof w.own};
    w.offset = entry->header_offset;
    w.bytes = bytes;
    w.size = size;
    return check_local(archive, entry, &w, ret, err);
}

ptio_status ptio_zip_check_method(const ptio_entry *entry, ptio_error *err)
{
    if (entry->flags & (PTIO_ZIP_ENCRYPTED | PTIO_ZIP_STRONG))
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.encrypted", entry->header_offset, "the record is encrypted");
    if (entry->flags & PTIO_ZIP_PATCHED)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.patched", entry->header_offset, "the record is a patch of another file");
    if (entry->method != 0 && entry->method != 8)
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "zip.method", entry->header_offset,
                         "the record is packed by method %u; only stored (0) and deflated (8) ones can be read", entry->method);
    /* The most that deflate can do is 258 bytes for two bits. */
    if (entry->method == 8 && entry->size / 1032 > entry->stored_size)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.ratio", entry->header_offset,
                         "the record says that its %llu bytes become %llu, which deflate cannot do",
                         (unsigned long long)entry->stored_size, (unsigned long long)entry->size);
    return PTIO_OK;
}
