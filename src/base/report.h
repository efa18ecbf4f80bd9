/*
 * A report: findings collected by a load or a check. A NULL report takes none.
 */
#ifndef PTIO_BASE_REPORT_H
#define PTIO_BASE_REPORT_H

#include "base/memory.h"
#include "base/os.h"
#include "ptio.h"

/**
 * Add a finding. `reason` is a string literal; `record` and what goes into the message are escaped here or by ptio_quote().
 * Findings after the first million are not kept; the last one says so. One that there is no memory for is lost, see below.
 */
void ptio_report_add(ptio_report *report, ptio_severity severity, const char *reason, ptio_text record, uint64_t offset,
                     const char *format, ...) PTIO_PRINTF(6, 7);

/** The same, of a global that must be allowed or imported; the message is complete. */
void ptio_report_global(ptio_report *report, ptio_severity severity, const char *reason, ptio_text record, uint64_t offset,
                        ptio_text module, ptio_text name, const char *message);

/** Add an error as a finding. */
void ptio_report_error(ptio_report *report, const ptio_error *err);

/** A heap over the hooks of a report. */
ptio_heap ptio_report_heap(const ptio_report *report);

/** PTIO_ERR_MEMORY if a finding was lost since this was asked last: what was read is then no answer. */
ptio_status ptio_report_lost(ptio_report *report, ptio_error *err);

#endif
