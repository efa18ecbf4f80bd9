/*
 * The parts of a zip archive, as the files of this folder hand them to one another.
 *
 *     local header, name, extra, data, descriptor     for each record        zip_local.c
 *     ...
 *     directory: one header for each record           directory_offset       zip_directory.c
 *     zip64 end record and locator, where there are                          zip_end.c
 *     end record, comment                             the last in the file
 */
#ifndef PTIO_ARCHIVE_ZIP_H
#define PTIO_ARCHIVE_ZIP_H

#include "archive/archive.h"
#include "base/cursor.h"

#define PTIO_ZIP_LOCAL 0x04034B50u
#define PTIO_ZIP_DESCRIPTOR 0x08074B50u
#define PTIO_ZIP_CENTRAL 0x02014B50u
#define PTIO_ZIP_END64 0x06064B50u
#define PTIO_ZIP_LOCATOR 0x07064B50u
#define PTIO_ZIP_END 0x06054B50u

enum {
    PTIO_ZIP_ENCRYPTED = 1 << 0,
    PTIO_ZIP_DESCRIBED = 1 << 3, /* sizes and CRC stand behind the data */
    PTIO_ZIP_PATCHED = 1 << 5,
    PTIO_ZIP_STRONG = 1 << 6,
    PTIO_ZIP_UTF8 = 1 << 11,
    PTIO_ZIP_MASKED = 1 << 13
};

/** What the end records say, after they were compared. Offsets are in the source. */
typedef struct ptio_zip_end {
    uint64_t count;
    uint64_t directory_offset, directory_size;
    uint64_t offset; /* of the end record               */
    uint64_t end;    /* behind it and its comment       */
} ptio_zip_end;

/** Find the end records of the archive from archive->start to archive->end, and compare all they say. */
ptio_status ptio_zip_find_end(ptio_archive *archive, ptio_zip_end *ret, ptio_error *err);

/** Read the directory and make the table of the records. */
ptio_status ptio_zip_read_directory(ptio_archive *archive, const ptio_zip_end *end, const ptio_limits *limits, ptio_error *err);

/** What stands before the first slash of a name; empty where there is none. */
static inline ptio_text ptio_top_folder(ptio_text name)
{
    const char *slash = memchr(name.bytes, '/', name.size);
    return (ptio_text){name.bytes, slash ? (size_t)(slash - name.bytes) : 0};
}

/** Tell where an archive without end record is cut off. Never PTIO_OK. */
ptio_status ptio_zip_fail_cut(ptio_archive *archive, ptio_error *err);

/** Refuse names that are no plain path. *odd is set where the name is not ASCII and not said to be UTF-8, and is not. */
ptio_status ptio_zip_check_name(ptio_text name, unsigned flags, uint64_t offset, bool *odd, ptio_error *err);

/** The same for names of any length. */
ptio_status ptio_zip_check_path(ptio_text name, unsigned flags, uint64_t offset, bool *odd, ptio_error *err);

/** Where the parts of a record are, in the source. */
typedef struct ptio_zip_member {
    uint64_t data_offset;
    uint64_t end; /* behind the data and the descriptor */
} ptio_zip_member;

/** Read the local header and the descriptor of a record and compare them with the directory. */
ptio_status ptio_zip_read_local(const ptio_archive *archive, size_t index, ptio_zip_member *ret, ptio_error *err);

/** The same, of which the first `size` bytes from the header on are in memory already. */
ptio_status ptio_zip_check_local(const ptio_archive *archive, size_t index, const uint8_t *bytes, size_t size,
                                 ptio_zip_member *ret, ptio_error *err);

/** Look at the bytes from `begin` to `end`, which belong to no record; at `most` of them. A header among them is an error. */
ptio_status ptio_zip_check_gap(const ptio_archive *archive, uint64_t begin, uint64_t end, uint64_t most, ptio_report *report,
                               ptio_error *err);

/** Whether a record can be read: PTIO_ERR_UNSUPPORTED where it is encrypted, or packed by another method. */
ptio_status ptio_zip_check_method(const ptio_entry *entry, ptio_error *err);

/** Index of the entry at place `place` in the order of header offsets. */
static inline size_t ptio_zip_in_order(const ptio_archive *archive, size_t place)
{
    return archive->order ? archive->order[place] : place;
}

/** Where the header of the record behind entry `index` begins, or the directory. */
uint64_t ptio_zip_next(const ptio_archive *archive, size_t index);

#endif
