/*
 * ptio save: write a checkpoint again, changed or not.
 */
#include <string.h>

#include "cli/edit.h"
#include "cli/out.h"
#include "cli/progress.h"

/* ---- writing ---- */

static int watch(void *ctx, uint64_t done, uint64_t total)
{
    if (cli_interrupted())
        return 1;
    progress_tell(ctx, done, total);
    return 0;
}

/* About the file that is written. */
static int fail_out(const cli_options *options, const ptio_error *err)
{
    ptio_error told = *err;
    if (!options->out || strcmp(options->out, "-") != 0)
        return cli_fail(options->out ? options->out : options->file, err);
    told.record[0] = '\0';
    return cli_fail("standard output", &told);
}

static int64_t pass_by(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    (void)data;
    return (int64_t)size;
}

/* A dry run looks at the path, by which the root folder is called, but makes nothing. */
static int open_sink(const cli_options *options, ptio_sink **ret)
{
    const ptio_sink_callbacks nowhere = {.write = pass_by};
    ptio_sink_options how = options->sink;
    ptio_error err = {0};
    bool is_path = options->out && strcmp(options->out, "-") != 0;
    how.dry_run = options->dry_run;
    ptio_status status = is_path            ? ptio_sink_open(options->out, &how, ret, &err)
                         : options->dry_run ? ptio_sink_from_callbacks(&nowhere, NULL, NULL, ret, &err)
                                            : ptio_sink_from_fd(1, NULL, ret, &err);
    return status == PTIO_OK ? CLI_GOOD : fail_out(options, &err);
}

int cli_save(const cli_options *options, const ptio_value *value, const ptio_save_options *save)
{
    ptio_error err = {0};
    ptio_sink *sink;
    progress p;
    ptio_save_options watched = *save;
    progress_begin(&p);
    watched.progress = watch;
    watched.progress_ctx = &p;
    watched.threads = watched.threads ? watched.threads : PTIO_ALL_THREADS;
    watched.skip_data = watched.skip_data || (options->dry_run && !watched.as && !watched.legacy);
    /* Before there is a temporary file that nobody would remove. */
    cli_wait_when_interrupted(options->out && strcmp(options->out, "-") != 0);
    int code = open_sink(options, &sink);
    if (code != CLI_GOOD) {
        cli_wait_when_interrupted(false);
        return code;
    }
    ptio_status status = ptio_save_sink(value, sink, &watched, &err);
    if (status == PTIO_OK && cli_interrupted())
        status = PTIO_ERR_CANCELLED;
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, &err);
    uint64_t size = ptio_sink_position(sink);
    ptio_sink_free(sink);
    cli_wait_when_interrupted(false);
    progress_clear(&p);
    if (status == PTIO_ERR_CANCELLED)
        return CLI_INTERRUPTED;
    if (status == PTIO_OK && options->dry_run) {
        out_u64(size);
        out_string(" bytes would be written\n");
    }
    if (status == PTIO_OK)
        return CLI_GOOD;
    /* What is damaged is what is read. */
    bool is_read = status == PTIO_ERR_FORMAT || status == PTIO_ERR_UNSUPPORTED || !options->out;
    return is_read ? cli_fail(options->file, &err) : fail_out(options, &err);
}

/* ---- changing ---- */

/* What was found: how much less a compact file is. */
static void tell_findings(const cli_options *options, const ptio_report *report)
{
    for (size_t i = 0; options->dry_run && i < ptio_report_count(report); i++) {
        ptio_text message = ptio_report_finding(report, i)->message;
        out_bytes(message.bytes, message.size);
        out_char('\n');
    }
}

static int edit_and_save(const cli_options *options, const cli_file *file, ptio_builder *builder, ptio_report *report)
{
    editor ed;
    ptio_save_options save = options->save;
    int code = edit_run(&ed, options, file, builder);
    save.edits = ed.cuts || ed.changes || options->change_count ? builder : NULL;
    save.report = report;
    if (options->keep)
        save.as = file->ckpt;
    if (code == CLI_GOOD)
        code = cli_save(options, ed.root, &save);
    edit_end(&ed);
    if (code == CLI_GOOD)
        tell_findings(options, report);
    return code;
}

/* What a file that is written as it was cannot have. */
static int check_keep(const cli_options *options)
{
    bool other = options->data_only || options->save.compact;
    for (size_t i = 0; i < options->change_count; i++)
        other = other || options->changes[i].kind == CLI_CHANGE_CAST || options->changes[i].kind == CLI_CHANGE_ADD;
    if (options->keep && other)
        return cli_usage("save", "--profile keep goes with --select, --drop and renames only", NULL);
    return CLI_GOOD;
}

/* A file that other programs than torch.load() read is not made one of torch.save() under its own name. */
static int check_in_place(const cli_options *options, const cli_file *file)
{
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(file->ckpt, &info);
    if (!options->in_place || info.container <= PTIO_CONTAINER_TAR || info.container == PTIO_CONTAINER_PICKLE)
        return CLI_GOOD;
    ptio_error err = {.status = PTIO_ERR_ARGUMENT, .reason = "save.in-place", .offset = PTIO_NO_OFFSET};
    (void)snprintf(err.message, sizeof err.message,
                   "its kind is %s, and it would become a file of torch.save: name another to write", info.container_name);
    return cli_fail(options->file, &err);
}

int cmd_save(const cli_options *options)
{
    cli_file file;
    ptio_error err = {0};
    ptio_builder *builder = NULL;
    ptio_report *report = NULL;
    int code = check_keep(options);
    if (code == CLI_GOOD)
        code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    code = check_in_place(options, &file);
    if (code == CLI_GOOD && (ptio_builder_new(NULL, &builder, &err) || ptio_report_new(NULL, &report, &err)))
        code = cli_fail(options->file, &err);
    if (code == CLI_GOOD)
        code = edit_and_save(options, &file, builder, report);
    ptio_report_free(report);
    ptio_builder_free(builder);
    cli_close(&file);
    return code;
}
