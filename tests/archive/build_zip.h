/*
 * Zip archives made in memory, good ones, with the place of every part: a test then changes what it is about.
 */
#ifndef PTIO_TESTS_ARCHIVE_BUILD_ZIP_H
#define PTIO_TESTS_ARCHIVE_BUILD_ZIP_H

#include <stddef.h>
#include <stdint.h>

enum {
    ZIP_DESCRIBED = 1,      /* sizes and CRC behind the data, zeros in the local header, as PyTorch writes */
    ZIP_DEFLATED = 2,       /* all records                                       */
    ZIP_END64 = 4,          /* zip64 end records too                             */
    ZIP_NO_CRC = 8,         /* every CRC is 0                                    */
    ZIP_LONG_DESCRIBED = 16 /* descriptors with sizes of 8 bytes                 */
};

typedef struct zip_part {
    const char *name;
    const char *data;
    size_t size;
    size_t name_size; /* 0: of the string */
    const char *local_extra, *central_extra;
    size_t local_extra_size, central_extra_size;
    size_t local, content, behind, central; /* offsets: local header, data, behind them, header in the directory */
    size_t stored_size;
} zip_part;

typedef struct zip_file {
    unsigned char bytes[1 << 16];
    size_t size;
    zip_part parts[8];
    size_t count;
    unsigned options;
    size_t directory, end64, locator, end;
} zip_file;

/* Add a record; the data are copied. */
void zip_add(zip_file *zip, zip_part part);

/* Add the directory and the end records. */
void zip_finish(zip_file *zip);

/* The archive of a small checkpoint: archive/data.pkl, archive/data/0, archive/data/1 (empty), archive/version. */
void zip_small(zip_file *zip, unsigned options);

void put_bytes(zip_file *zip, const void *bytes, size_t size);
void put(zip_file *zip, uint64_t value, size_t size);

/* Change bytes that are there already. */
void poke(zip_file *zip, size_t offset, uint64_t value, size_t size);
uint64_t peek(const zip_file *zip, size_t offset, size_t size);

/* Put bytes in between; only the numbers of `parts` and the end records are right afterwards, not those in the archive. */
void insert(zip_file *zip, size_t offset, const void *bytes, size_t size);

#endif
