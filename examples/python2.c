/* The strings of a file that Python 2 has written, by encoding: python2 FILE
 *
 * torch.load(file, encoding="latin1"), encoding="bytes", encoding="utf-8", errors="replace" */
#include <ptio.h>

typedef struct reading {
    const char *encoding, *errors;
} reading;

static ptio_status show(const char *path, const reading *how, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .encoding = how->encoding, .errors = how->errors};
    ptio_status status = ptio_load(path, &options, &ckpt, err);
    if (status == PTIO_OK) {
        printf("%s, %s: ", how->encoding, how->errors);
        status = ptio_print(ptio_root(ckpt), NULL, ptio_write_file, stdout, err);
        printf("\n");
    }
    ptio_checkpoint_free(ckpt);
    return status;
}

int main(int argc, char **argv)
{
    static const reading readings[] = {
        {"bytes", "strict"}, {"latin1", "strict"}, {"utf-8", "replace"}, {"ascii", "backslashreplace"}, {"cp1252", "ignore"}};
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        ptio_error err = {0};
        if (show(argv[1], &readings[i], &err) != PTIO_OK)
            return fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message), 1;
    }
    return 0;
}
