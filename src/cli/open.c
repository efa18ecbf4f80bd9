/*
 * Opening what the command line names, and telling what went wrong.
 */
#include "cli/cli.h"

#include <string.h>

static int to_stderr(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    return fwrite(text, 1, size, stderr) == size ? 0 : -1;
}

static void tell(const char *text)
{
    (void)ptio_print_escaped((ptio_text){text, strlen(text)}, to_stderr, NULL, NULL);
}

int cli_exit_code(ptio_status status)
{
    switch (status) {
    case PTIO_OK: return CLI_GOOD;
    case PTIO_ERR_FORMAT:
    case PTIO_ERR_AMBIGUOUS:
    case PTIO_ERR_UNSUPPORTED:
    case PTIO_ERR_DENIED: return CLI_REFUSED;
    case PTIO_ERR_LIMIT:
    case PTIO_ERR_MEMORY: return CLI_LIMIT;
    case PTIO_ERR_IO:
    case PTIO_ERR_CANCELLED: return CLI_IO;
    case PTIO_ERR_ARGUMENT: return CLI_USAGE;
    case PTIO_ERR_NOT_FOUND: return CLI_FINDINGS;
    }
    return CLI_REFUSED;
}

int cli_fail(const char *file, const ptio_error *err)
{
    (void)fputs("ptio: ", stderr);
    tell(strcmp(file, "-") == 0 ? "standard input" : file);
    /* The texts of an error are escaped already. */
    if (err->record[0] && strcmp(err->record, file) != 0)
        (void)fprintf(stderr, ": %s", err->record);
    if (err->offset != PTIO_NO_OFFSET)
        (void)fprintf(stderr, ": byte %llu", (unsigned long long)err->offset);
    (void)fprintf(stderr, ": %s", err->message[0] ? err->message : ptio_status_text(err->status));
    if (err->context[0] && !strstr(err->message, err->context))
        (void)fprintf(stderr, " (%s)", err->context);
    (void)fputc('\n', stderr);
    return cli_exit_code(err->status);
}

int cli_no_path(const char *file, const char *path)
{
    (void)fputs("ptio: ", stderr);
    tell(strcmp(file, "-") == 0 ? "standard input" : file);
    (void)fputs(": nothing is at ", stderr);
    tell(path);
    (void)fputc('\n', stderr);
    return cli_exit_code(PTIO_ERR_NOT_FOUND);
}

int cli_usage(const char *verb, const char *what, const char *argument)
{
    (void)fprintf(stderr, "ptio%s%s: %s", verb ? " " : "", verb ? verb : "", what);
    if (argument) {
        (void)fputs(" ", stderr);
        tell(argument);
    }
    (void)fprintf(stderr, "\nTry \"ptio %s%s--help\".\n", verb ? verb : "", verb ? " " : "");
    return CLI_USAGE;
}

int cli_open_source(const cli_options *options, ptio_source **ret)
{
    ptio_error err = {0};
    unsigned flags = options->load.mmap ? PTIO_SOURCE_MAP : 0;
    ptio_status status = strcmp(options->file, "-") == 0
                             ? ptio_source_from_fd(0, flags, NULL, options->load.limits, ret, &err)
                             : ptio_source_open(options->file, flags, NULL, options->load.limits, ret, &err);
    return status == PTIO_OK ? CLI_GOOD : cli_fail(options->file, &err);
}

static int find_path(const cli_options *options, cli_file *file)
{
    file->value = ptio_root(file->ckpt);
    if (options->path)
        file->value = ptio_at(file->ckpt, options->path);
    if (file->value)
        return CLI_GOOD;
    return cli_no_path(options->file, options->path);
}

int cli_open(const cli_options *options, cli_file *ret)
{
    ptio_error err = {0};
    *ret = (cli_file){0};
    ptio_status status;
    if (strcmp(options->file, "-") == 0) {
        int code = cli_open_source(options, &ret->source);
        if (code != CLI_GOOD)
            return code;
        status = ptio_load_source(ret->source, &options->load, &ret->ckpt, &err);
    } else {
        status = ptio_load(options->file, &options->load, &ret->ckpt, &err);
    }
    int code = status == PTIO_OK ? find_path(options, ret) : cli_fail(options->file, &err);
    if (code != CLI_GOOD)
        cli_close(ret);
    return code;
}

void cli_close(cli_file *file)
{
    ptio_checkpoint_free(file->ckpt);
    ptio_source_free(file->source);
    *file = (cli_file){0};
}
