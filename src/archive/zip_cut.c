/*
 * Where a zip archive without end record is cut off.
 *
 * Its records are walked from the first on, which says how much of it is there. A record that was streamed does not tell its size
 * before its data, so its descriptor is looked for; not for longer than some MiB, since all this is only for a better message.
 */
#include <string.h>

#include "archive/zip.h"
#include "base/text.h"

#define SEARCH_MOST ((uint64_t)16 << 20)

typedef struct walk {
    const ptio_archive *archive;
    uint64_t at;    /* of the record in hand */
    uint64_t whole; /* records that are there to their last byte */
    uint64_t searched;
    uint64_t missing; /* bytes of the record in hand that are known to be missing */
    char name[64];    /* its name, escaped */
    bool in_directory;
    ptio_status status; /* of reading */
    ptio_error *err;
} walk;

static bool read_some(walk *w, uint64_t offset, void *buffer, size_t size)
{
    if (w->status != PTIO_OK || offset > w->archive->end || size > w->archive->end - offset)
        return false;
    w->status = ptio_source_read(w->archive->source, offset, buffer, size, w->err);
    return w->status == PTIO_OK;
}

/* Where the descriptor of the data that begin at `data` is, or 0: it knows how long they are. */
static uint64_t find_descriptor(walk *w, uint64_t data)
{
    uint8_t piece[1024];
    for (uint64_t at = data; w->archive->end - at >= 16 && w->searched < SEARCH_MOST;) {
        uint64_t left = w->archive->end - at;
        size_t n = left < sizeof piece ? (size_t)left : sizeof piece;
        if (!read_some(w, at, piece, n))
            return 0;
        for (size_t i = 0; i + 16 <= n; i++)
            if (piece[i] == 'P' && ptio_load_u32(piece + i) == PTIO_ZIP_DESCRIPTOR &&
                ptio_load_u32(piece + i + 8) == (uint32_t)(at + i - data))
                return at + i;
        at += n - 15;
        w->searched += n - 15;
    }
    return 0;
}

/* Step over a record that is there to its last byte. */
static bool step(walk *w)
{
    uint8_t header[30], longer[24];
    if (!read_some(w, w->at, header, sizeof header) || ptio_load_u32(header) != PTIO_ZIP_LOCAL)
        return false;
    size_t name_size = ptio_load_u16(header + 26), shown = name_size < 60 ? name_size : 60;
    char name[60];
    if (!read_some(w, w->at + sizeof header, name, shown))
        return false;
    ptio_escape_into(w->name, sizeof w->name, (ptio_text){name, shown});
    uint64_t data = w->at + sizeof header + name_size + ptio_load_u16(header + 28), stored = ptio_load_u32(header + 18);
    if (data > w->archive->end)
        return false;
    if (ptio_load_u16(header + 6) & PTIO_ZIP_DESCRIBED) {
        uint64_t descriptor = find_descriptor(w, data);
        if (!descriptor)
            return false;
        bool is_long = read_some(w, descriptor, longer, sizeof longer) && !ptio_load_u32(longer + 12) &&
                       ptio_load_u64(longer + 8) == descriptor - data;
        w->at = descriptor + (is_long ? 24 : 16);
    } else {
        if (stored > w->archive->end - data) {
            w->missing = stored - (w->archive->end - data);
            return false;
        }
        w->at = data + stored;
    }
    w->name[0] = '\0';
    w->whole++;
    return true;
}

ptio_status ptio_zip_fail_cut(ptio_archive *archive, ptio_error *err)
{
    walk w = {.archive = archive, .at = archive->start, .err = err};
    while (step(&w))
        ;
    uint8_t signature[4] = {0};
    w.in_directory = w.whole && read_some(&w, w.at, signature, sizeof signature) && ptio_load_u32(signature) == PTIO_ZIP_CENTRAL;
    if (w.status != PTIO_OK)
        return w.status;
    unsigned long long size = archive->end - archive->start, whole = w.whole;
    if (w.in_directory)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.cut", w.at,
                         "the archive is cut off at byte %llu, inside its directory: its %llu records are there, its end is not",
                         size, whole);
    if (w.missing)
        return ptio_fail(
            err, PTIO_ERR_FORMAT, "zip.cut", w.at,
            "the archive is cut off at byte %llu of at least %llu: %llu records are whole, and %llu bytes of '%s' are "
            "missing",
            size, size + w.missing + 22, whole, (unsigned long long)w.missing, w.name);
    if (w.name[0])
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.cut", w.at,
                         "the archive is cut off at byte %llu: %llu records are whole, '%s' and the rest are not", size, whole,
                         w.name);
    if (!whole)
        return ptio_fail(err, PTIO_ERR_FORMAT, "zip.cut", w.at, "the archive is cut off at byte %llu, inside its first record",
                         size);
    return ptio_fail(err, PTIO_ERR_FORMAT, "zip.cut", w.at,
                     "the archive is cut off at byte %llu, behind %llu whole records: its directory is missing", size, whole);
}
