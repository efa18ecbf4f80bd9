/*
 * ptio show: what print() of a value gives in Python.
 */
#include "cli/cli.h"
#include "cli/out.h"

void cli_print_options(const cli_options *options, ptio_print_options *ret)
{
    *ret = options->print;
    ret->struct_size = sizeof *ret;
    ret->limits = options->load.limits;
    ret->bare = true;
    ret->raw = options->raw;
    ret->devices = options->devices;
    ret->keys = options->keys;
    ret->max_depth = options->max_depth < SIZE_MAX ? (size_t)options->max_depth : 0;
    ret->max_items = options->head < SIZE_MAX ? (size_t)options->head : 0;
    if (options->all)
        ret->threshold = SIZE_MAX;
}

int cmd_show(const cli_options *options)
{
    cli_file file;
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    if (options->json) {
        code = cli_tree_json(options, &file);
        cli_close(&file);
        return code;
    }
    ptio_print_options print;
    cli_print_options(options, &print);
    ptio_error err = {0};
    ptio_status status = ptio_print(file.value, &print, out_write, NULL, &err);
    if (status != PTIO_ERR_ARGUMENT)
        out_char('\n');
    if (status != PTIO_OK && !out_failed())
        code = cli_fail(options->file, &err);
    cli_close(&file);
    return code;
}
