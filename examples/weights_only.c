/* Load as torch.load(weights_only=True) does, with names that you trust; or say how to allow the rest. weights_only FILE [NAME ...] */
#include <ptio.h>

#include <stdlib.h>

static int to_stdout(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    return fwrite(text, 1, size, stdout) == size ? 0 : -1;
}

/* What a Python user would have to write, from a report of everything that is refused. */
static void advise(const char *path, ptio_load_options options)
{
    ptio_check_result result;
    if (ptio_report_new(NULL, &options.report, NULL) != PTIO_OK)
        return;
    if (ptio_check(path, &options, &result, NULL) == PTIO_OK)
        (void)ptio_print_allowing(options.report, to_stdout, NULL, NULL);
    ptio_report_free(options.report);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "usage: %s FILE [NAME ...]\n", argv[0]), 2;
    ptio_safe_global *trusted = calloc((size_t)argc, sizeof *trusted);
    if (!trusted)
        return 1;
    for (int i = 2; i < argc; i++)
        trusted[i - 2].name = argv[i]; /* add_safe_globals([NAME]); .alias would be what files call it */

    ptio_load_options options = {PTIO_LOAD_OPTIONS, .weights_only = true, .rules = "2.13", .allow = trusted,
                                 .allow_count = (size_t)argc - 2};
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    ptio_status status = ptio_load(argv[1], &options, &ckpt, &err);
    if (status == PTIO_OK)
        printf("%s: loaded\n", argv[1]);
    else
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    if (status == PTIO_ERR_DENIED)
        advise(argv[1], options);
    ptio_checkpoint_free(ckpt);
    free(trusted);
    return status == PTIO_OK ? 0 : 1;
}
