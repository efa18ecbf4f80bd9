#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define MOST_FINDINGS 1000000u

struct ptio_report {
    ptio_heap heap;
    ptio_arena arena; /* the texts */
    ptio_finding *findings;
    size_t count, capacity;
    bool lost; /* a finding */
};

ptio_status ptio_report_new(const ptio_memory *memory, ptio_report **ret, ptio_error *err)
{
    ptio_heap heap;
    ptio_heap_init(&heap, memory, 0);
    ptio_report *report = ptio_heap_resize(&heap, NULL, 0, sizeof *report);
    if (!report)
        return ptio_fail_memory(err, "a report");
    *report = (ptio_report){.heap = heap};
    ptio_arena_init(&report->arena, &report->heap);
    *ret = report;
    return PTIO_OK;
}

void ptio_report_free(ptio_report *report)
{
    if (!report)
        return;
    ptio_arena_free(&report->arena);
    ptio_heap_free(&report->heap, report->findings, report->capacity * sizeof *report->findings);
    ptio_heap heap = report->heap;
    ptio_heap_free(&heap, report, sizeof *report);
}

size_t ptio_report_count(const ptio_report *report)
{
    return report ? report->count : 0;
}

const ptio_finding *ptio_report_finding(const ptio_report *report, size_t index)
{
    return report && index < report->count ? &report->findings[index] : NULL;
}

static ptio_finding *new_finding(ptio_report *report)
{
    if (report->count == report->capacity) {
        void *moved =
            ptio_heap_grow(&report->heap, report->findings, &report->capacity, report->count + 1, sizeof *report->findings);
        if (!moved)
            return NULL;
        report->findings = moved;
    }
    return &report->findings[report->count];
}

static void add(ptio_report *report, ptio_finding finding, ptio_text record, const char *message)
{
    if (report->count >= MOST_FINDINGS)
        return;
    if (report->count == MOST_FINDINGS - 1)
        message = "and more, which are not told";
    char escaped[256];
    ptio_escape_into(escaped, sizeof escaped, record);
    ptio_finding *place = new_finding(report);
    finding.record = ptio_arena_text(&report->arena, ptio_text_of(escaped));
    finding.message = ptio_arena_text(&report->arena, ptio_text_of(message));
    finding.module = ptio_arena_text(&report->arena, finding.module);
    finding.name = ptio_arena_text(&report->arena, finding.name);
    if (!place || !finding.record.bytes || !finding.message.bytes || !finding.module.bytes || !finding.name.bytes) {
        report->lost = true;
        return;
    }
    *place = finding;
    report->count++;
}

void ptio_report_add(ptio_report *report, ptio_severity severity, const char *reason, ptio_text record, uint64_t offset,
                     const char *format, ...)
{
    if (!report)
        return;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    add(report, (ptio_finding){.severity = severity, .reason = reason, .offset = offset}, record, message);
}

void ptio_report_global(ptio_report *report, ptio_severity severity, const char *reason, ptio_text record, uint64_t offset,
                        ptio_text module, ptio_text name, const char *message)
{
    ptio_finding finding = {.severity = severity, .reason = reason, .offset = offset, .module = module, .name = name};
    if (report)
        add(report, finding, record, message);
}

void ptio_report_error(ptio_report *report, const ptio_error *err)
{
    ptio_finding finding = {.severity = PTIO_REFUSED, .status = err->status, .reason = err->reason, .offset = err->offset};
    if (report)
        add(report, finding, ptio_text_of(err->record), err->message);
}

ptio_heap ptio_report_heap(const ptio_report *report)
{
    ptio_heap heap;
    ptio_heap_init(&heap, &report->heap.hooks, 0);
    return heap;
}

ptio_status ptio_report_lost(ptio_report *report, ptio_error *err)
{
    if (!report || !report->lost)
        return PTIO_OK;
    report->lost = false;
    return ptio_fail_memory(err, "a finding");
}
