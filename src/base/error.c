#include "base/error.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"

static const char *const status_texts[] = {
#define STATUS_TEXT(name, text) text,
    PTIO_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
};

const char *ptio_status_text(ptio_status status)
{
    size_t index = (size_t)status;
    return index < sizeof status_texts / sizeof *status_texts ? status_texts[index] : "unknown status";
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *ptio_version(void)
{
    return STRING(PTIO_VERSION_MAJOR) "." STRING(PTIO_VERSION_MINOR) "." STRING(PTIO_VERSION_PATCH);
}

ptio_status ptio_fail(ptio_error *err, ptio_status status, const char *reason, uint64_t offset, const char *format, ...)
{
    if (!err || err->status != PTIO_OK)
        return status;
    err->status = status;
    err->reason = reason;
    err->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return status;
}

ptio_status ptio_fail_memory(ptio_error *err, const char *what)
{
    return ptio_fail(err, PTIO_ERR_MEMORY, "memory", PTIO_NO_OFFSET, "no memory for %s", what);
}

ptio_status ptio_error_in_record(ptio_error *err, ptio_status status, ptio_text record)
{
    if (err && err->status != PTIO_OK && !err->record[0])
        ptio_escape_into(err->record, sizeof err->record, record);
    return status;
}

ptio_status ptio_error_in_context(ptio_error *err, ptio_status status, ptio_text context)
{
    if (err && err->status != PTIO_OK && !err->context[0])
        ptio_escape_into(err->context, sizeof err->context, context);
    return status;
}

ptio_quoted ptio_quote(ptio_text text)
{
    ptio_quoted quoted;
    ptio_escape_into(quoted.text, sizeof quoted.text, text);
    return quoted;
}
