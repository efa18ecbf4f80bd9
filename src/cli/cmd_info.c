/*
 * ptio info: what kind of file it is.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/json_out.h"

/* What there is to tell. */
typedef struct facts {
    ptio_checkpoint_info info;
    ptio_tensor_totals totals;
    const ptio_value *root;
    const ptio_report *report;
} facts;

static const char *order_name(ptio_byte_order order)
{
    return order == PTIO_BIG_ENDIAN ? "big" : "little";
}

/* ---- JSON ---- */

static void json_number(const char *key, uint64_t value)
{
    out_json_key(false, key);
    out_u64(value);
}

static void json_text(const char *key, ptio_text text)
{
    out_json_key(false, key);
    if (text.size)
        out_json_string(text);
    else
        out_string("null");
}

static void write_json(const facts *f)
{
    const ptio_checkpoint_info *i = &f->info;
    out_char('{');
    out_json_key(true, "container");
    out_json_word(i->container_name);
    out_json_key(false, "era");
    out_json_word(i->era ? i->era : "");
    json_text("root", i->root);
    json_text("format_version", i->format_version);
    json_text("archive_version", i->archive_version);
    json_text("serialization_id", i->serialization_id);
    json_number("alignment", i->alignment);
    out_json_key(false, "byte_order");
    out_json_word(order_name(i->byte_order));
    out_json_key(false, "byte_order_recorded");
    out_json_bool(i->byte_order_recorded);
    json_number("protocol", i->protocol);
    json_number("source_bytes", i->source_bytes);
    json_number("pickle_bytes", i->pickle_bytes);
    json_number("opcodes", i->opcodes);
    json_number("records", i->records);
    json_number("storages", i->storages);
    json_number("storage_bytes", i->storage_bytes);
    json_number("end_offset", i->end_offset);
    json_number("heap_bytes", i->heap_bytes);
    json_number("tensors", f->totals.tensors);
    json_number("elements", f->totals.elements);
    json_number("tensor_bytes", f->totals.tensor_bytes);
    json_number("shared_storages", f->totals.shared);
    out_json_key(false, "class");
    out_json_string(ptio_value_class(f->root));
    json_number("notes", ptio_report_count(f->report));
    out_string("}\n");
}

/* ---- for people ---- */

static void label(const char *name)
{
    out_paint_as(OUT_BOLD);
    out_string(name);
    out_paint_as(OUT_PLAIN);
    out_spaces(strlen(name) < 14 ? 14 - strlen(name) : 1);
}

static void text_line(const char *name, ptio_text text)
{
    if (!text.size)
        return;
    label(name);
    out_escaped(text);
    out_char('\n');
}

static void word_line(const char *name, const char *word)
{
    if (word)
        text_line(name, (ptio_text){word, strlen(word)});
}

static void number_line(const char *name, uint64_t value)
{
    label(name);
    out_u64(value);
    out_char('\n');
}

static void write_archive(const ptio_checkpoint_info *i)
{
    text_line("folder", i->root);
    text_line("format", i->format_version);
    text_line("version", i->archive_version);
    text_line("id", i->serialization_id);
    if (i->records)
        number_line("records", i->records);
    if (i->alignment)
        number_line("alignment", i->alignment);
}

static void write_findings(const ptio_report *report)
{
    for (size_t n = 0; n < ptio_report_count(report); n++) {
        const ptio_finding *finding = ptio_report_finding(report, n);
        label(n ? "" : "notes");
        out_bytes(finding->message.bytes, finding->message.size); /* escaped already */
        out_char('\n');
    }
}

static void write_text(const facts *f)
{
    const ptio_checkpoint_info *i = &f->info;
    word_line("container", i->container_name);
    word_line("era", i->era);
    label("file");
    out_u64(i->source_bytes);
    out_string(" bytes\n");
    write_archive(i);
    label("byte order");
    out_string(order_name(i->byte_order));
    out_string(i->byte_order_recorded ? ", as the file says\n" : ", the file does not say\n");
    label("pickle");
    out_string("protocol ");
    out_u64(i->protocol);
    out_string(", ");
    out_u64(i->pickle_bytes);
    out_string(" bytes, ");
    out_u64(i->opcodes);
    out_string(" opcodes\n");
    text_line("object", ptio_value_class(f->root));
    label("tensors");
    out_u64(f->totals.tensors);
    out_string(", ");
    out_u64(f->totals.elements);
    out_string(" elements, ");
    out_size(f->totals.tensor_bytes);
    out_char('\n');
    label("storages");
    out_u64(i->storages);
    out_string(", ");
    out_size(i->storage_bytes);
    if (f->totals.shared) {
        out_string("; ");
        out_u64(f->totals.shared);
        out_string(" shared by tensors");
    }
    out_char('\n');
    if (i->end_offset && i->end_offset < i->source_bytes && i->container == PTIO_CONTAINER_LEGACY)
        number_line("ends at byte", i->end_offset);
    write_findings(f->report);
}

int cmd_info(const cli_options *options)
{
    cli_options mine = *options;
    facts f = {0};
    ptio_error err = {0};
    ptio_report *report = NULL;
    cli_file file;
    if (ptio_report_new(NULL, &report, &err) != PTIO_OK)
        return cli_fail(options->file, &err);
    mine.load.report = report;
    mine.load.limits = &options->limits;
    int code = cli_open(&mine, &file);
    ptio_tensor_list *list = NULL;
    if (code == CLI_GOOD && ptio_list_tensors(file.ckpt, NULL, &list, &err) != PTIO_OK)
        code = cli_fail(options->file, &err);
    if (code == CLI_GOOD) {
        ptio_checkpoint_describe(file.ckpt, &f.info);
        f.totals = ptio_tensor_list_totals(list);
        f.root = file.value;
        f.report = report;
        if (options->json)
            write_json(&f);
        else
            write_text(&f);
    }
    ptio_tensor_list_free(list);
    cli_close(&file);
    ptio_report_free(report);
    return code;
}
