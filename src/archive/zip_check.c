/*
 * What opening a zip archive does not look at: every local header, and every byte between the records.
 */
#include <string.h>

#include "archive/zip.h"
#include "base/report.h"
#include "base/text.h"

static bool is_record_signature(uint32_t signature)
{
    return signature == PTIO_ZIP_LOCAL || signature == PTIO_ZIP_CENTRAL || signature == PTIO_ZIP_END;
}

ptio_status ptio_zip_check_gap(const ptio_archive *archive, uint64_t begin, uint64_t end, uint64_t most, ptio_report *report,
                               ptio_error *err)
{
    uint8_t piece[1024];
    bool only_zeros = true;
    for (uint64_t at = begin; at < end && at - begin < most;) {
        size_t n = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        ptio_status status = ptio_source_read(archive->source, at, piece, n, err);
        if (status != PTIO_OK)
            return status;
        for (size_t i = 0; i < n; i++) {
            only_zeros = only_zeros && !piece[i];
            if (piece[i] == 'P' && n - i >= 4 && is_record_signature(ptio_load_u32(piece + i)))
                return ptio_fail(err, PTIO_ERR_AMBIGUOUS, "zip.unlisted-header", at + i,
                                 "between two records, where nothing belongs, there is one that the directory does not list");
        }
        at += n == sizeof piece ? n - 3 : n; /* a signature may lie across two pieces */
    }
    ptio_report_add(report, PTIO_WARNING, "zip.gap", PTIO_TEXT(""), begin, "%llu bytes from here on belong to no record%s",
                    (unsigned long long)(end - begin), only_zeros ? "; they are zeros" : "");
    return PTIO_OK;
}

static void note_attributes(const ptio_archive *archive, ptio_report *report)
{
    size_t folders = 0, deflated = 0;
    for (size_t i = 0; i < archive->count; i++) {
        folders += archive->entries[i].is_folder;
        deflated += archive->entries[i].method == 8;
    }
    if (folders)
        ptio_report_add(report, PTIO_NOTE, "zip.folders", PTIO_TEXT(""), PTIO_NO_OFFSET, "%zu entries are folders", folders);
    if (deflated)
        ptio_report_add(report, PTIO_NOTE, "zip.deflated", PTIO_TEXT(""), PTIO_NO_OFFSET, "%zu records are deflated", deflated);
}

ptio_status ptio_zip_verify_structure(ptio_archive *archive, ptio_report *report, ptio_error *err)
{
    if (archive->kind != PTIO_ARCHIVE_ZIP)
        return PTIO_OK;
    for (size_t place = 0; place < archive->count; place++) {
        size_t index = ptio_zip_in_order(archive, place);
        ptio_zip_member member;
        ptio_status status = ptio_zip_read_local(archive, index, &member, err);
        if (status != PTIO_OK)
            return ptio_error_in_record(err, status, ptio_archive_name(archive, index));
        /* The gap behind the last record was told of when the archive was opened. */
        uint64_t next = ptio_zip_next(archive, index);
        if (member.end < next && place + 1 < archive->count)
            status = ptio_zip_check_gap(archive, member.end, next, UINT64_MAX, report, err);
        if (status != PTIO_OK)
            return status;
    }
    note_attributes(archive, report);
    return PTIO_OK;
}
