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

#include "archive/serialization_id.h"
#include "archive/zip_layout.h"
#include "base/memory.h"
#include "io/sink.h"

typedef struct ptio_zip_writer ptio_zip_writer;

typedef struct ptio_zip_writer_spec {
    ptio_text root;     /* the folder of all records, without slash                            */
    uint32_t alignment; /* of each record's data, from 1 to 65504                              */
    bool crc32;         /* false: all CRC fields are 0, as set_crc32_options(False) makes them */
    unsigned threads;   /* that may write a large record at once; 0: the caller's alone        */
} ptio_zip_writer_spec;

/**
 * A writer of no records yet. Its archive begins where the sink is now: offsets in the archive count from there.
 *
 * Errors     PTIO_ERR_ARGUMENT "zip.alignment", "zip.name"; PTIO_ERR_MEMORY
 */
ptio_status ptio_zip_writer_new(ptio_sink *sink, const ptio_zip_writer_spec *spec, ptio_heap *heap, ptio_zip_writer **ret,
                                ptio_error *err);

/**
 * Begin a record of `size` bytes; its data follow, by ptio_zip_writer_data() and ptio_zip_writer_copy() in any mixture, or all of
 * them by ptio_zip_writer_skip(), and ptio_zip_writer_end_record() after exactly `size` bytes.
 *
 * What is wrong with the record is found before anything is written, and then the writer is as it was. A failure of the sink stays:
 * the archive cannot be finished any more.
 *
 * Errors     PTIO_ERR_ARGUMENT "zip.name": no plain path, or longer than 65,535 bytes with its root; "zip.duplicate": there is one of
 *            this name, or one that readers could take for it ("A" and "a"); PTIO_ERR_LIMIT "zip.size", "zip.directory"; PTIO_ERR_IO;
 *            PTIO_ERR_MEMORY
 */
ptio_status ptio_zip_writer_begin(ptio_zip_writer *writer, ptio_text name, uint64_t size, ptio_error *err);
ptio_status ptio_zip_writer_data(ptio_zip_writer *writer, const void *data, size_t size, ptio_error *err);

/** A range of a source. `crc32` NULL: not known, the bytes are read. Otherwise the range is the record as a whole and this its CRC (a
 *  stored record of another archive): then the bytes may never pass through memory, and damage to them is found by this CRC still. */
ptio_status ptio_zip_writer_copy(ptio_zip_writer *writer, ptio_source *source, uint64_t offset, uint64_t size,
                                 const uint32_t *crc32, ptio_error *err);

/** All data of the record from memory, of which the CRC is known: a stored record of another archive. */
ptio_status ptio_zip_writer_known(ptio_zip_writer *writer, const void *data, size_t size, uint32_t crc32, ptio_error *err);

/** Leave out the data of the record, all of them, as skip_data() does: a hole, the CRC field 0. */
ptio_status ptio_zip_writer_skip(ptio_zip_writer *writer, ptio_error *err);
ptio_status ptio_zip_writer_end_record(ptio_zip_writer *writer, ptio_error *err);

/** A whole record from memory. */
ptio_status ptio_zip_writer_add(ptio_zip_writer *writer, ptio_text name, const void *data, size_t size, ptio_error *err);

/** Whether there is a record of exactly this name. */
bool ptio_zip_writer_has(const ptio_zip_writer *writer, ptio_text name);

/**
 * The 40 digits of `.data/serialization_id` for what was written so far, as PyTorch's wheels make them.
 *
 * The first half hashes the names in the order of a std::unordered_set, so it depends on the C++ library of the wheel. The second
 * half mixes in the CRC of every data descriptor.
 */
ptio_status ptio_zip_writer_serialization_id(ptio_zip_writer *writer, ptio_cxx_library library,
                                             char ret[PTIO_SERIALIZATION_ID_SIZE + 1], ptio_error *err);

/** Write the directory and the end records. The sink is not finished by it. */
ptio_status ptio_zip_writer_finish(ptio_zip_writer *writer, ptio_error *err);

/** The archive will not be finished: if anything of it was written, the sink is spoilt by this failure. */
void ptio_zip_writer_abandon(ptio_zip_writer *writer, const ptio_error *why);

void ptio_zip_writer_free(ptio_zip_writer *writer);

/**
 * The root folder that torch.save() takes for a path: its last part up to the last dot, and "archive" where the path is not ASCII, or
 * empty (no path). Not terminated; part of `path` or constant.
 *
 * Errors     PTIO_ERR_ARGUMENT "zip.path": nothing is left, as of ".pt"
 */
ptio_status ptio_zip_root_of_path(ptio_text path, ptio_text *ret, ptio_error *err);

#endif
