/*
 * ptio save: write a checkpoint again.
 */
#include "cli/cli.h"

#include <string.h>

static int open_sink(const cli_options *options, ptio_sink **ret)
{
    ptio_error err = {0};
    ptio_status status = strcmp(options->out, "-") == 0 ? ptio_sink_from_fd(1, NULL, ret, &err)
                                                        : ptio_sink_open(options->out, &options->sink, ret, &err);
    return status == PTIO_OK ? CLI_GOOD : cli_fail(options->out, &err);
}

static int save(const cli_options *options, const cli_file *file)
{
    ptio_error err = {0};
    ptio_sink *sink;
    ptio_save_options save = options->save;
    if (options->keep)
        save.as = file->ckpt;
    int code = open_sink(options, &sink);
    if (code != CLI_GOOD)
        return code;
    ptio_status status = ptio_save_sink(file->value, sink, &save, &err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, &err);
    ptio_sink_free(sink);
    return status == PTIO_OK ? CLI_GOOD : cli_fail(options->out, &err);
}

int cmd_save(const cli_options *options)
{
    cli_file file;
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    code = save(options, &file);
    cli_close(&file);
    return code;
}
