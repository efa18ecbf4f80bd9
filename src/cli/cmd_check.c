/*
 * ptio check: is the file whole, and what would weights_only refuse?
 *
 *     model.pt: whole
 *       refused   archive/data.pkl: byte 37: __main__.Net is not allowed by weights_only
 *     weights_only refuses it; to allow what it names, if you trust it:
 *       torch.serialization.add_safe_globals([__main__.Net])
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/json_out.h"

/* Globals that findings name: for the line of Python. */
typedef struct names {
    ptio_text *list;
    size_t count, capacity;
} names;

/* ---- what has to be allowed ---- */

static bool is_denied_global(const ptio_finding *finding)
{
    return finding->severity == PTIO_REFUSED && strcmp(finding->reason, "weights-only.global") == 0;
}

/* Whether a name is one that Python can be given: dotted identifiers. */
static bool is_dotted_name(ptio_text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && c != '.' && !(c >= '0' && c <= '9'))
            return false;
    }
    return name.size > 0;
}

static void add_name(names *n, ptio_text name)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].size == name.size && memcmp(n->list[i].bytes, name.bytes, name.size) == 0)
            return;
    if (n->count == n->capacity) {
        size_t capacity = n->capacity ? n->capacity * 2 : 16;
        ptio_text *moved = realloc(n->list, capacity * sizeof *moved);
        if (!moved)
            return;
        n->list = moved;
        n->capacity = capacity;
    }
    n->list[n->count++] = name;
}

/* What a finding says to allow: "… add_safe_globals([module.Name])". No text where it says nothing of the kind. */
static ptio_text named(const ptio_finding *finding)
{
    static const char before[] = "add_safe_globals([";
    const ptio_text m = finding->message;
    size_t size = sizeof before - 1;
    for (size_t i = 0; i + size <= m.size; i++) {
        if (memcmp(m.bytes + i, before, size) != 0)
            continue;
        size_t end = i + size;
        while (end < m.size && m.bytes[end] != ']')
            end++;
        return (ptio_text){m.bytes + i + size, end - i - size};
    }
    return (ptio_text){NULL, 0};
}

static void collect(const ptio_report *report, names *n)
{
    for (size_t i = 0; i < ptio_report_count(report); i++) {
        const ptio_finding *finding = ptio_report_finding(report, i);
        if (is_denied_global(finding) && is_dotted_name(named(finding)))
            add_name(n, named(finding));
    }
}

static void write_allowing(const names *n)
{
    out_string("torch.serialization.add_safe_globals([");
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            out_string(", ");
        out_bytes(n->list[i].bytes, n->list[i].size);
    }
    out_string("])");
}

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

static void write_text(const char *file, const ptio_check_result *result, const ptio_report *report)
{
    bool input = strcmp(file, "-") == 0;
    out_escaped(input ? (ptio_text){"standard input", 14} : (ptio_text){file, strlen(file)});
    out_string(": ");
    out_bold();
    out_string(ptio_verdict_name(result->verdict));
    out_plain();
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
    names n = {0};
    collect(report, &n);
    if (n.count) {
        out_string("to allow what it names, if you trust the file:\n  ");
        write_allowing(&n);
        out_char('\n');
    }
    free(n.list);
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
    names n = {0};
    collect(report, &n);
    out_json_key(false, "allow");
    out_char('[');
    for (size_t i = 0; i < n.count; i++) {
        if (i)
            out_char(',');
        out_json_string(n.list[i]);
    }
    out_string("]}\n");
    free(n.list);
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
