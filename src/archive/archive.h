/*
 * An archive: records with names, each a range of bytes in a source. One view of zip archives, tar files and the storages of
 * legacy streams; nothing here knows of pickles or tensors.
 *
 *   zip      APPNOTE.TXT. The central directory is read and checked at open, a local header when its record is first used
 *   tar      ustar, GNU and pax headers, of which only the names of PyTorch's own members are taken
 *   legacy   a table that the loader fills, since only the pickles before the storages tell what they are
 */
#ifndef PTIO_ARCHIVE_ARCHIVE_H
#define PTIO_ARCHIVE_ARCHIVE_H

#include "base/error.h"
#include "base/memory.h"
#include "io/source.h"
#include "ptio.h"

typedef enum ptio_archive_kind { PTIO_ARCHIVE_ZIP, PTIO_ARCHIVE_TAR, PTIO_ARCHIVE_LEGACY } ptio_archive_kind;

/** What the first bytes of a source say it is. */
typedef enum ptio_format {
    PTIO_FORMAT_ZIP,    /* PK 03 04: a zip archive, torch or not       */
    PTIO_FORMAT_TAR,    /* a tar header block                          */
    PTIO_FORMAT_LEGACY, /* the magic pickle of the legacy stream       */
    PTIO_FORMAT_PICKLE, /* looks like a pickle                         */
    PTIO_FORMAT_NPY,    /* \x93NUMPY                                   */
    PTIO_FORMAT_FOREIGN /* something else: `what` says what            */
} ptio_format;

typedef struct ptio_probe {
    ptio_format format;
    ptio_status status; /* of a foreign file: PTIO_ERR_FORMAT or PTIO_ERR_UNSUPPORTED                     */
    const char *reason; /* "not.html", "not.git-lfs", "not.gzip", "not.empty", "not.zeros", "not.text" …  */
    char what[200];     /* one sentence: "it is a Git LFS pointer for a file of 123 bytes, not the file"  */
} ptio_probe;

/**
 * Look at the first bytes of a source, from `offset` on. Never fails for what it finds, only for what it cannot read.
 */
ptio_status ptio_probe_source(ptio_source *source, uint64_t offset, ptio_probe *ret, ptio_error *err);

struct ptio_archive {
    ptio_archive_kind kind;
    ptio_heap own_heap; /* used by archives that are opened alone       */
    ptio_heap *heap;
    ptio_arena arena; /* names and all tables                         */
    ptio_source *source;
    uint64_t start; /* where the archive begins in the source       */
    uint64_t end;   /* right behind its last byte                   */
    ptio_report *report;
    struct ptio_entry *entries;
    size_t count, capacity; /* capacity 0: the entries are in `block`      */
    uint32_t *slots;        /* hash table of names: index + 1, 0 empty     */
    size_t slot_count;      /* a power of two, or 0                        */
    ptio_text prefix;       /* of a zip: ROOT/data/, or empty              */
    uint32_t *numbers;      /* index + 1 of the record prefix + N          */
    size_t number_count;
    void *block; /* of a zip: entries, numbers and directory in one, so that a big one gets huge pages */
    size_t block_size;
    uint64_t hash_key;
    uint32_t *order;         /* indexes by header offset; NULL where the entries stand in that order */
    ptio_text root;          /* the one top folder of a zip, without slash; empty for other kinds, and for zips that have none */
    bool crc_absent;         /* every CRC of a zip is 0 by design (set_crc32_options(False))             */
    bool storage_crc_absent; /* every CRC of a record below ROOT/data/ is 0 by design (skip_data())          */
    bool crc_ignored;        /* the caller wants no CRC to be compared                                   */
    uint64_t directory_offset; /* of a zip, in the source                      */
    uint64_t directory_size;
    ptio_mutex lock; /* of the entries' data offsets, found on first use                         */
};

/** Told while bytes of a record are read: those of this piece, those up to here, and those of the whole record. */
typedef struct ptio_watch {
    bool (*step)(void *ctx, uint64_t piece, uint64_t done, uint64_t total); /* false: stop, PTIO_ERR_CANCELLED */
    void *ctx;
} ptio_watch;

/** One record. 56 bytes, since there may be a hundred thousand. */
typedef struct ptio_entry {
    const char *name;
    uint32_t name_size;
    uint32_t crc32;
    uint64_t header_offset; /* in the source                                                            */
    uint64_t stored_size, size;
    uint64_t data_offset; /* in the source; 0 until its local header was checked (zip)                */
    uint16_t method;      /* 0 stored, 8 deflated                                                     */
    uint16_t flags;       /* general purpose bits of a zip                                            */
    bool is_folder;
    bool is_numbered; /* its name is ROOT/data/NUMBER, and it is found by the number */
} ptio_entry;

/** Open the zip archive that begins at `offset`. Findings go to `report`. */
ptio_status ptio_zip_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, ptio_heap *heap, ptio_report *report,
                          ptio_archive **ret, ptio_error *err);

/** Open the tar file that begins at `offset`: regular members only, names unique. */
ptio_status ptio_tar_open(ptio_source *source, uint64_t offset, const ptio_limits *limits, ptio_heap *heap, ptio_report *report,
                          ptio_archive **ret, ptio_error *err);

/** An archive of no records yet, for ptio_archive_add(). */
ptio_status ptio_archive_new(ptio_source *source, uint64_t offset, ptio_heap *heap, ptio_report *report, ptio_archive **ret,
                             ptio_error *err);

/** Add a stored record (of a legacy stream). The name is copied. A second record of that name is PTIO_ERR_AMBIGUOUS. */
ptio_status ptio_archive_add(ptio_archive *archive, ptio_text name, uint64_t offset, uint64_t size, ptio_error *err);

/** Index of the record called `name`, or SIZE_MAX. Case counts. */
size_t ptio_archive_lookup(const ptio_archive *archive, ptio_text name);

/** Like ptio_archive_lookup(), of ROOT/name. */
size_t ptio_archive_lookup_in_root(const ptio_archive *archive, ptio_text name);

/**
 * Check the local header of a record (once) and say where its bytes are.
 *
 * Errors     PTIO_ERR_AMBIGUOUS where header and directory disagree in meaning; PTIO_ERR_UNSUPPORTED; PTIO_ERR_FORMAT
 * Threads    any
 */
ptio_status ptio_archive_locate(ptio_archive *archive, size_t index, uint64_t *data_offset, ptio_error *err);

/**
 * Read a whole record into `buffer` of exactly entry.size bytes: inflated, its CRC compared where it has one.
 * Any number of threads at once.
 */
ptio_status ptio_archive_read_all(ptio_archive *archive, size_t index, void *buffer, const ptio_watch *watch, ptio_error *err);

/**
 * Read part of a record, inflated, of which `offset` and `size` must be inside. What comes before the part of a deflated record
 * is inflated too. The CRC is compared only where the part is the whole.
 */
ptio_status ptio_archive_read_part(ptio_archive *archive, size_t index, uint64_t offset, void *buffer, size_t size,
                                   ptio_error *err);

/** Whether a record has a CRC to compare with: not where the container has none, and not where it is 0 by design. */
bool ptio_archive_has_crc32(const ptio_archive *archive, size_t index);

/** The name of a record, with its root. */
static inline ptio_text ptio_archive_name(const ptio_archive *archive, size_t index)
{
    return (ptio_text){archive->entries[index].name, archive->entries[index].name_size};
}

/** Read every byte of a record in pieces, without keeping them: CRC, inflate, data descriptor. For `check`. */
ptio_status ptio_archive_verify(ptio_archive *archive, size_t index, const ptio_watch *watch, ptio_error *err);

/** The same, and the bytes are given away in pieces. Whether the CRC is right is known when all have been. */
typedef ptio_status (*ptio_take_piece)(void *ctx, const void *bytes, size_t size, ptio_error *err);
ptio_status ptio_archive_read_pieces(ptio_archive *archive, size_t index, ptio_take_piece take, void *ctx,
                                     const ptio_watch *watch, ptio_error *err);

/** Check what ptio_zip_open() does not look at: gaps between members, bytes before and behind, all local headers.
 *  Findings go to the report; what is wrong with the structure is an error. Nothing to do for other kinds. */
ptio_status ptio_zip_verify_structure(ptio_archive *archive, ptio_report *report, ptio_error *err);

/** Free an archive that shares the heap of a load. ptio_archive_free() is for those opened alone. */
void ptio_archive_close(ptio_archive *archive);

#endif
