/*
 * See open_zip.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/archive.h"
#include "open_zip.h"

/* A part from the middle must be the same as in the whole. */
static ptio_status read_middle(ptio_archive *archive, size_t index, const char *whole, size_t size, ptio_error *err)
{
    char part[16];
    size_t n = size / 2 < sizeof part ? size / 2 : sizeof part, from = size / 3;
    ptio_status status = ptio_archive_read(archive, index, from, part, n, err);
    if (status == PTIO_OK)
        assert_memory_equal(part, whole + from, n);
    return status;
}

static ptio_status use_record(ptio_archive *archive, size_t index, ptio_error *err)
{
    ptio_record record;
    assert_true(ptio_archive_record(archive, index, &record));
    assert_int_equal(ptio_archive_lookup(archive, record.name), index);
    if (record.size > 1 << 20)
        return ptio_archive_verify(archive, index, NULL, err);
    size_t size = (size_t)record.size;
    char *whole = malloc(size + 1);
    assert_non_null(whole);
    ptio_status status = ptio_archive_read(archive, index, 0, whole, size, err);
    if (status == PTIO_OK)
        status = ptio_archive_verify(archive, index, NULL, err);
    if (status == PTIO_OK)
        status = read_middle(archive, index, whole, size, err);
    free(whole);
    return status;
}

ptio_status use_source(ptio_source *source, const ptio_memory *memory, ptio_report *report, ptio_error *err)
{
    ptio_archive *archive = NULL;
    ptio_status status = ptio_archive_open(source, 0, NULL, memory, report, &archive, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_archive_count(archive); i++)
        status = use_record(archive, i, err);
    if (status == PTIO_OK)
        status = ptio_zip_verify_structure(archive, report, err);
    ptio_archive_free(archive);
    return status;
}

ptio_status use_archive(const void *bytes, size_t size, const ptio_memory *memory, ptio_report *report, ptio_error *err)
{
    /* Memory of exactly this size, so that a read beyond it is seen by sanitizers. */
    void *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, bytes, size);
    ptio_source *source = NULL;
    ptio_status status = ptio_source_from_memory(copy, size, memory, &source, err);
    if (status == PTIO_OK)
        status = use_source(source, memory, report, err);
    ptio_source_free(source);
    free(copy);
    if (err && err->offset != PTIO_NO_OFFSET)
        assert_true(err->offset <= size);
    return status;
}

void expect_bytes(const void *bytes, size_t size, ptio_status status, const char *reason, uint64_t offset)
{
    ptio_error err = {0};
    ptio_status got = use_archive(bytes, size, NULL, NULL, &err);
    if (got != status || (reason && strcmp(err.reason ? err.reason : "", reason) != 0))
        print_message("%s: byte %llu: %s\n", err.reason ? err.reason : "", (unsigned long long)err.offset, err.message);
    assert_int_equal(got, status);
    if (!reason)
        return;
    assert_string_equal(err.reason, reason);
    if (offset != PTIO_NO_OFFSET)
        assert_int_equal(err.offset, offset);
}

void expect_zip(const zip_file *zip, ptio_status status, const char *reason, uint64_t offset)
{
    expect_bytes(zip->bytes, zip->size, status, reason, offset);
}

void expect_finding(const void *bytes, size_t size, ptio_severity severity, const char *reason, uint64_t offset)
{
    ptio_report *report;
    ptio_error err = {0};
    assert_int_equal(ptio_report_new(NULL, &report, NULL), PTIO_OK);
    assert_int_equal(use_archive(bytes, size, NULL, report, &err), PTIO_OK);
    const ptio_finding *finding = ptio_report_finding(report, 0);
    assert_int_equal(ptio_report_count(report), reason ? 1 : 0);
    if (reason) {
        assert_string_equal(finding->reason, reason);
        assert_int_equal(finding->severity, severity);
        if (offset != PTIO_NO_OFFSET)
            assert_int_equal(finding->offset, offset);
    }
    ptio_report_free(report);
}
