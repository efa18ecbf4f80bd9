/*
 * What the tests of archives do with a file: open it, read everything, and say what came of it.
 */
#ifndef PTIO_TESTS_ARCHIVE_OPEN_ZIP_H
#define PTIO_TESTS_ARCHIVE_OPEN_ZIP_H

#include "build_zip.h"
#include "ptio.h"

/* Open the bytes as an archive, read and verify every record and the structure. Gives the first failure, in *err; findings go to
 * `report`, which may be NULL. Where there is an offset, it is inside the bytes. */
ptio_status use_archive(const void *bytes, size_t size, const ptio_memory *memory, ptio_report *report, ptio_error *err);

/* The same from a source. */
ptio_status use_source(ptio_source *source, const ptio_memory *memory, ptio_report *report, ptio_error *err);

/* Expect a failure, or none where `reason` is NULL. PTIO_NO_OFFSET stands for any offset. */
void expect_bytes(const void *bytes, size_t size, ptio_status status, const char *reason, uint64_t offset);
void expect_zip(const zip_file *zip, ptio_status status, const char *reason, uint64_t offset);

/* Expect that it opens and can be read, with this finding, or none where `reason` is NULL. */
void expect_finding(const void *bytes, size_t size, ptio_severity severity, const char *reason, uint64_t offset);

#endif
