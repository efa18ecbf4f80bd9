/*
 * ptio check: is the file whole, and what would weights_only refuse?
 *
 *     model.pt: whole
 *       refused   archive/data.pkl: byte 37: __main__.Net is not allowed by weights_only
 *     torch.load(weights_only=True) refuses it
 *     to allow what it names, if you trust the file:
 *     import __main__
 *     torch.serialization.add_safe_globals([__main__.Net])
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/grow.h"
#include "cli/json_out.h"

/* ---- telling ---- */

static const char *severity_name(ptio_severity severity)
{
    static const char *const words[] = {"note", "warning", "refused"};
    return words[severity];
}

static void write_finding(const ptio_finding *finding)
{
    const char *severity = severity_name(finding->severity);
    out_string("  ");
    out_string(severity);
    out_spaces(10 - strlen(severity));
    if (finding->record.size) {
        out_bytes(finding->record.bytes, finding->record.size);
        out_string(": ");
    }
    if (finding->offset != PTIO_NO_OFFSET) {
        out_string("byte ");
        out_u64(finding->offset);
        out_string(": ");
    }
    out_bytes(finding->message.bytes, finding->message.size);
    out_char('\n');
}

/* The lines of Python, to be copied: they hold nothing but names of ASCII letters. */
static int write_allowing(void *ctx, const char *text, size_t size)
{
    bool *told = ctx;
    if (!*told)
        out_string("to allow what it names, if you trust the file:\n");
    *told = true;
    return out_write(NULL, text, size);
}

static void write_text(const char *file, const ptio_check_result *result, const ptio_report *report)
{
    bool input = strcmp(file, "-") == 0;
    out_escaped(input ? (ptio_text){"standard input", 14} : (ptio_text){file, strlen(file)});
    out_string(": ");
    out_paint_as(OUT_BOLD);
    out_string(ptio_verdict_name(result->verdict));
    out_paint_as(OUT_PLAIN);
    out_string(" (");
    out_u64(result->bytes_read);
    out_string(" bytes read, ");
    out_u64(result->records_verified);
    out_string(result->records_verified == 1 ? " record verified" : " records verified");
    if (result->records_without_crc) {
        out_string(", ");
        out_u64(result->records_without_crc);
        out_string(" of them without a checksum");
    }
    out_string(")\n");
    for (size_t i = 0; i < ptio_report_count(report); i++)
        write_finding(ptio_report_finding(report, i));
    if (result->verdict != PTIO_WHOLE)
        return;
    out_string(result->weights_only_loads ? "torch.load(weights_only=True) loads it\n"
                                          : "torch.load(weights_only=True) refuses it\n");
    bool told = false;
    (void)ptio_print_allowing(report, write_allowing, &told, NULL);
}

static void json_finding(const ptio_finding *finding)
{
    out_char('{');
    out_json_key(true, "severity");
    out_json_word(severity_name(finding->severity));
    out_json_key(false, "reason");
    out_json_word(finding->reason);
    out_json_key(false, "record");
    out_json_string(finding->record);
    out_json_key(false, "offset");
    if (finding->offset == PTIO_NO_OFFSET)
        out_string("null");
    else
        out_u64(finding->offset);
    if (finding->name.size) {
        out_json_key(false, "module");
        out_json_string(finding->module);
        out_json_key(false, "name");
        out_json_string(finding->name);
    }
    out_json_key(false, "message");
    out_json_string(finding->message);
    out_char('}');
}

static void write_json(const ptio_check_result *result, const ptio_report *report)
{
    out_char('{');
    out_json_key(true, "verdict");
    out_json_word(ptio_verdict_name(result->verdict));
    out_json_key(false, "weights_only_loads");
    out_json_bool(result->weights_only_loads);
    out_json_key(false, "bytes_read");
    out_u64(result->bytes_read);
    out_json_key(false, "records_verified");
    out_u64(result->records_verified);
    out_json_key(false, "records_without_crc");
    out_u64(result->records_without_crc);
    out_json_key(false, "findings");
    out_char('[');
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        if (i)
            out_char(',');
        json_finding(ptio_report_finding(report, i));
    }
    out_char(']');
    grown lines = {0};
    (void)ptio_print_allowing(report, grow_write, &lines, NULL);
    out_json_key(false, "allow");
    out_json_string((ptio_text){lines.bytes ? lines.bytes : "", lines.size});
    out_string("}\n");
    grow_free(&lines);
}

static int exit_code(const ptio_check_result *result, const ptio_report *report)
{
    switch (result->verdict) {
    case PTIO_WHOLE: break;
    case PTIO_OVER_LIMIT: return CLI_LIMIT;
    case PTIO_DAMAGED:
    case PTIO_DISPUTED:
    case PTIO_UNREADABLE: return CLI_REFUSED;
    }
    for (size_t i = 0; i < ptio_report_count(report); i++)
        if (ptio_report_finding(report, i)->severity != PTIO_NOTE)
            return CLI_FINDINGS;
    return result->weights_only_loads ? CLI_GOOD : CLI_FINDINGS;
}

static ptio_status check(const cli_options *options, const ptio_load_options *load, ptio_source *source, ptio_check_result *ret,
                         ptio_error *err)
{
    return source ? ptio_check_source(source, load, ret, err) : ptio_check(options->file, load, ret, err);
}

int cmd_check(const cli_options *options)
{
    ptio_error err = {0};
    ptio_report *report = NULL;
    ptio_source *source = NULL;
    ptio_check_result result = {0};
    ptio_load_options load = options->load;
    load.threads = load.threads ? load.threads : PTIO_ALL_THREADS;
    int code = strcmp(options->file, "-") == 0 ? cli_open_source(options, &source) : CLI_GOOD;
    if (code != CLI_GOOD)
        return code;
    if (ptio_report_new(NULL, &report, &err) == PTIO_OK) {
        load.report = report;
        (void)check(options, &load, source, &result, &err);
    }
    if (err.status != PTIO_OK) {
        code = cli_fail(options->file, &err);
    } else {
        if (options->json)
            write_json(&result, report);
        else
            write_text(options->file, &result, report);
        code = exit_code(&result, report);
    }
    ptio_report_free(report);
    ptio_source_free(source);
    return code;
}
