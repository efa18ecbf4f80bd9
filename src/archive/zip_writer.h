/*
 * The writer of zip archives, byte for byte as PyTorch's own: every record stored, aligned, its CRC in a descriptor behind the data
 * and in the directory, three end records whatever the size. It only ever writes forwards.
 *
 *     local header, name, [zip64], padding, data, descriptor      for each record, when it is added
 *     directory, zip64 end, locator, end                          by ptio_zip_writer_finish()
 *
 * Source: caffe2/serialize/inline_container.cc, third_party/miniz-3.0.2/miniz.c
 */
#ifndef PTIO_ARCHIVE_ZIP_WRITER_H
#define PTIO_ARCHIVE_ZIP_WRITER_H

#include "base/memory.h"
#include "io/sink.h"

typedef struct ptio_zip_writer ptio_zip_writer;

typedef struct ptio_zip_writer_spec {
    ptio_text root;     /* the folder of all records, without slash                                     */
    uint32_t alignment; /* of each record's data, from 1 to 65504                                       */
    bool crc32;         /* false: all CRC fields are 0, as set_crc32_options(False) makes them           */
} ptio_zip_writer_spec;

/** Errors     PTIO_ERR_ARGUMENT "zip.alignment", "zip.name"; PTIO_ERR_MEMORY */
ptio_status ptio_zip_writer_new(ptio_sink *sink, const ptio_zip_writer_spec *spec, ptio_heap *heap, ptio_zip_writer **ret,
                                ptio_error *err);

/**
 * Begin a record of `size` bytes; its data follow, by ptio_zip_writer_data(), ptio_zip_writer_copy() or ptio_zip_writer_skip() in
 * any mixture, and ptio_zip_writer_end_record() after exactly `size` of them.
 *
 * Errors     PTIO_ERR_ARGUMENT "zip.name" empty or longer than 65,535 bytes with its root, "zip.duplicate"; PTIO_ERR_LIMIT; PTIO_ERR_IO
 */
ptio_status ptio_zip_writer_begin(ptio_zip_writer *writer, ptio_text name, uint64_t size, ptio_error *err);
ptio_status ptio_zip_writer_data(ptio_zip_writer *writer, const void *data, size_t size, ptio_error *err);

/** A range of a source. Its CRC, where it is known (a whole stored record of another archive), need not be found again: then the
 *  bytes may never pass through memory. `crc32` NULL: not known. */
ptio_status ptio_zip_writer_copy(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size,
                                 const uint32_t *crc32, ptio_error *err);

/** Leave out the data of the record, all of them, as skip_data() does: a hole, the CRC field 0. */
ptio_status ptio_zip_writer_skip(ptio_zip_writer *writer, ptio_error *err);
ptio_status ptio_zip_writer_end_record(ptio_zip_writer *writer, ptio_error *err);

/** A whole record from memory. */
ptio_status ptio_zip_writer_add(ptio_zip_writer *writer, ptio_text name, const void *data, size_t size, ptio_error *err);

/**
 * The 40 digits of `.data/serialization_id` for what was written so far, as PyTorch's wheels make them.
 *
 * The first half hashes the names in the order of a std::unordered_set, so it depends on the C++ library of the wheel. The second
 * half mixes in the CRC of every data descriptor.
 */
typedef enum ptio_cxx_library { PTIO_LIBSTDCXX, PTIO_LIBCXX } ptio_cxx_library;
ptio_status ptio_zip_writer_serialization_id(ptio_zip_writer *writer, ptio_cxx_library library, char ret[41], ptio_error *err);

/** Write the directory and the end records. The sink is not finished by it. */
ptio_status ptio_zip_writer_finish(ptio_zip_writer *writer, ptio_error *err);

void ptio_zip_writer_free(ptio_zip_writer *writer);

/** The bytes that a record of `size` bytes takes when it begins at `position`, header to descriptor; and its entry in the directory.
 *  Sizes of whole archives are known before they are written. False where they do not fit 64 bits. */
bool ptio_zip_record_size(uint64_t position, size_t name_size, uint64_t size, uint32_t alignment, uint64_t *record,
                          uint64_t *directory);

#endif
