/*
 * How the parts of an archive are laid out, byte for byte as PyTorch's writer does it: sizes, and the bytes themselves.
 *
 * Nothing here writes or remembers. Numbers and places of the fields: APPNOTE.TXT 4.3; what PyTorch puts there: zip_layout.c.
 */
#ifndef PTIO_ARCHIVE_ZIP_LAYOUT_H
#define PTIO_ARCHIVE_ZIP_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptio.h"

enum {
    PTIO_ZIP_LOCAL_SIZE = 30,
    PTIO_ZIP_CENTRAL_SIZE = 46,
    PTIO_ZIP_EXTRA_MOST = 28,      /* the zip64 field                       */
    PTIO_ZIP_DESCRIPTOR_MOST = 24, /* with sizes of 8 bytes                 */
    PTIO_ZIP_ENDS_SIZE = 98,       /* of all three                          */
    PTIO_ZIP_NAME_MOST = 65535,    /* of a name with its root               */
    PTIO_ZIP_ALIGNMENT_MOST = 65504
};

/** A record as it is to be written. Offsets count from the archive's first byte. */
typedef struct ptio_zip_item {
    uint64_t offset; /* of the local header */
    uint64_t size;
    uint32_t crc32;
} ptio_zip_item;

/** The bytes between a local header's name and the data: the zip64 field where there is one, and the padding field. */
size_t ptio_zip_local_extra(const ptio_zip_item *item, size_t name_size, uint32_t alignment);

/** The bytes behind the data, and behind the name in the directory. */
size_t ptio_zip_descriptor_size(const ptio_zip_item *item);
size_t ptio_zip_central_extra(const ptio_zip_item *item);

/** The bytes that a record of `size` bytes takes when it begins at `position`, header to descriptor; and its entry in the directory.
 *  `name_size` is that of the name with root and slash. Sizes of whole archives are known before they are written: these, and
 *  PTIO_ZIP_ENDS_SIZE. False where they do not fit 64 bits. */
bool ptio_zip_record_size(uint64_t position, size_t name_size, uint64_t size, uint32_t alignment, uint64_t *record,
                          uint64_t *directory);

/** Adds up what an archive will take, record by record in their order. */
typedef struct ptio_zip_measure {
    size_t prefix_size; /* of the root and a slash */
    uint32_t alignment;
    uint64_t position, directory; /* of the next record; of the directory so far */
    bool overflow;                /* it is more than 64 bits count */
} ptio_zip_measure;

/** `name_size` is that of the name without root. */
void ptio_zip_measure_add(ptio_zip_measure *measure, size_t name_size, uint64_t size);
/** The whole archive. False where it does not fit 64 bits. */
bool ptio_zip_measure_total(const ptio_zip_measure *measure, uint64_t *ret);

/** Write the 30 bytes before the name, and the `extra` bytes behind it. */
void ptio_zip_put_local(uint8_t *out, const ptio_zip_item *item, size_t name_size, size_t extra);
void ptio_zip_put_local_extra(uint8_t *out, const ptio_zip_item *item, size_t extra);

/** Write the descriptor; gives its size. */
size_t ptio_zip_put_descriptor(uint8_t *out, const ptio_zip_item *item);

/** Write the 46 bytes before the name in the directory, and the extra field behind it, whose size it gives. */
void ptio_zip_put_central(uint8_t *out, const ptio_zip_item *item, size_t name_size);
size_t ptio_zip_put_central_extra(uint8_t *out, const ptio_zip_item *item);

/** Write the three end records of an archive whose directory is at `offset`. */
void ptio_zip_put_ends(uint8_t *out, uint64_t count, uint64_t offset, uint64_t size);

#endif
