/*
 * Failing: fills a ptio_error once, the first time, and gives back the status to return.
 */
#ifndef PTIO_BASE_ERROR_H
#define PTIO_BASE_ERROR_H

#include "base/os.h"
#include "ptio.h"

/**
 * Note a failure in `err`, unless it holds one already, and give back `status`.
 *
 * `reason` is a string literal. The message is cut at its buffer; texts from files go through ptio_quote() first.
 */
ptio_status ptio_fail(ptio_error *err, ptio_status status, const char *reason, uint64_t offset, const char *format, ...)
    PTIO_PRINTF(5, 6);

/** The usual one. */
ptio_status ptio_fail_memory(ptio_error *err, const char *what);

/** Name the record an error is in, escaped, unless it has one already. Gives back `status`; nothing happens where there is no error. */
ptio_status ptio_error_in_record(ptio_error *err, ptio_status status, ptio_text record);

/** Name the opcode, key or field an error is about, escaped, unless it has one already. */
ptio_status ptio_error_in_context(ptio_error *err, ptio_status status, ptio_text context);

/** A copy of text for messages, escaped and cut at `size`; "..." ends a cut one. For the arguments of ptio_fail(). */
typedef struct ptio_quoted {
    char text[124];
} ptio_quoted;

ptio_quoted ptio_quote(ptio_text text);

#endif
