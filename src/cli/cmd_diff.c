/*
 * ptio diff: how two checkpoints differ.
 *
 * As diff(1): 0 where they are the same, 1 where they differ; trouble has the codes that it has everywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/out.h"

bool diff_fail(differ *d, int which, const ptio_error *err)
{
    progress_clear(&d->progress);
    (void)out_end(CLI_GOOD);
    d->code = cli_fail(which ? d->options->other : d->options->file, err);
    return false;
}

bool diff_no_memory(differ *d)
{
    ptio_error err = {.status = PTIO_ERR_MEMORY, .reason = "memory", .offset = PTIO_NO_OFFSET};
    return diff_fail(d, 0, &err);
}

static bool get_room(differ *d)
{
    bool fine = true;
    for (size_t i = 0; i < 2; i++) {
        d->bytes[i] = malloc(PIECES_BYTES);
        d->numbers[i] = malloc(PIECES_BYTES);
        fine = fine && d->bytes[i] && d->numbers[i];
    }
    return fine || diff_no_memory(d);
}

static uint64_t bytes_in(const cli_file *file)
{
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(file->ckpt, &info);
    return info.storage_bytes;
}

static int compare(differ *d)
{
    d->total = bytes_in(&d->a) + bytes_in(&d->b);
    progress_begin(&d->progress);
    select_begin(&d->selection, d->options);
    if (get_room(d) && diff_values(d)) {
        progress_clear(&d->progress);
        diff_tell_total(d);
        d->code = select_check(&d->selection);
    }
    if (d->code == CLI_GOOD && (d->tensors.different || d->values.different || d->only_a || d->only_b))
        d->code = CLI_FINDINGS;
    select_end(&d->selection);
    return d->code;
}

int cmd_diff(const cli_options *options)
{
    differ d = {.options = options};
    cli_options second = *options;
    second.file = options->other;
    int code = cli_open(options, &d.a);
    if (code != CLI_GOOD)
        return code;
    code = cli_open(&second, &d.b);
    if (code == CLI_GOOD)
        code = compare(&d);
    for (size_t i = 0; i < 2; i++) {
        free(d.bytes[i]);
        free(d.numbers[i]);
    }
    grow_free(&d.path);
    cli_close(&d.b);
    cli_close(&d.a);
    return code;
}
