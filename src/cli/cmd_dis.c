/*
 * ptio dis: the opcodes of the pickle.
 */
#include "cli/cli.h"
#include "cli/out.h"

int cmd_dis(const cli_options *options)
{
    ptio_source *source = NULL;
    int code = cli_open_source(options, &source);
    if (code != CLI_GOOD)
        return code;
    ptio_error err = {0};
    ptio_status status = ptio_disassemble(source, options->record, &options->load, out_write, NULL, &err);
    if (status != PTIO_OK && !out_failed()) {
        (void)out_end(CLI_GOOD); /* what came before the error stands before it */
        code = cli_fail(options->file, &err);
    }
    ptio_source_free(source);
    return code;
}
