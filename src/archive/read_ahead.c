/* Small records, read together. See read_ahead.h. */
#include "archive/read_ahead.h"

#include "archive/zip.h"

#define WINDOW ((size_t)256 << 10)
#define SMALL ((size_t)16 << 10)        /* a record    */
#define SMALL_MEMBER ((size_t)32 << 10) /* with all that belongs to it */

static bool is_inside(const ptio_read_ahead *ahead, uint64_t offset, size_t size)
{
    return offset >= ahead->offset && offset - ahead->offset <= ahead->size &&
           size <= ahead->size - (size_t)(offset - ahead->offset);
}

/* Read from `offset` on: `size` bytes, and what follows where the read before ended near here. */
static bool refill(ptio_read_ahead *ahead, const ptio_archive *archive, uint64_t offset, size_t size)
{
    uint64_t end = ahead->offset + ahead->size, left = archive->directory_offset - offset;
    bool follows = ahead->archive == archive && offset >= ahead->offset && offset <= end + WINDOW;
    if (!ahead->bytes)
        ahead->bytes = ptio_heap_resize(ahead->heap, NULL, 0, WINDOW);
    if (!ahead->bytes)
        return false;
    if (follows)
        size = left < WINDOW ? (size_t)left : WINDOW;
    ahead->archive = archive;
    ahead->offset = offset;
    ahead->size = ptio_source_read(archive->source, offset, ahead->bytes, size, NULL) == PTIO_OK ? size : 0;
    return ahead->size > 0;
}

/* Where the data are, from the header's first byte on; 0 where the header is wrong. */
static size_t data_in(ptio_archive *archive, size_t index, const uint8_t *bytes, size_t size)
{
    ptio_entry *entry = &archive->entries[index];
    ptio_zip_member member;
    ptio_mutex_lock(&archive->lock);
    uint64_t known = entry->data_offset;
    ptio_mutex_unlock(&archive->lock);
    if (known)
        return (size_t)(known - entry->header_offset);
    if (ptio_zip_check_method(entry, NULL) != PTIO_OK ||
        ptio_zip_check_local(archive, index, bytes, size, &member, NULL) != PTIO_OK)
        return 0;
    ptio_mutex_lock(&archive->lock);
    entry->data_offset = member.data_offset;
    ptio_mutex_unlock(&archive->lock);
    return (size_t)(member.data_offset - entry->header_offset);
}

bool ptio_read_ahead_find(ptio_read_ahead *ahead, ptio_archive *archive, size_t index, const uint8_t **ret)
{
    const ptio_entry *entry = &archive->entries[index];
    if (archive->kind != PTIO_ARCHIVE_ZIP || entry->method || entry->size > SMALL || ptio_source_view(archive->source, 0, 0))
        return false;
    uint64_t size = ptio_zip_next(archive, index) - entry->header_offset;
    if (size > SMALL_MEMBER || entry->header_offset > archive->directory_offset ||
        size > archive->directory_offset - entry->header_offset)
        return false;
    if ((ahead->archive != archive || !is_inside(ahead, entry->header_offset, (size_t)size)) &&
        !refill(ahead, archive, entry->header_offset, (size_t)size))
        return false;
    const uint8_t *bytes = ahead->bytes + (size_t)(entry->header_offset - ahead->offset);
    size_t data = data_in(archive, index, bytes, (size_t)size);
    *ret = bytes + data;
    return data > 0;
}

void ptio_read_ahead_free(ptio_read_ahead *ahead)
{
    ptio_heap_free(ahead->heap, ahead->bytes, WINDOW);
    *ahead = (ptio_read_ahead){.heap = ahead->heap};
}
