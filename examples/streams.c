/* Several objects in one stream, written and read one after another; then the same through functions of one's own: streams OUT
 *
 * with open(out, "rb") as f:
 *     first = torch.load(f)
 *     second = torch.load(f) */
#include <ptio.h>

#include <inttypes.h>

static ptio_status save_number(FILE *file, int64_t number, ptio_error *err)
{
    ptio_builder *b = NULL;
    ptio_sink *sink = NULL;
    ptio_status status = ptio_builder_new(NULL, &b, err);
    if (status == PTIO_OK)
        status = ptio_sink_from_file(file, NULL, &sink, err);
    if (status == PTIO_OK) {
        const ptio_save_options options = {PTIO_SAVE_OPTIONS, .legacy = true}; /* archives end a file, streams do not */
        status = ptio_save_sink(ptio_new_tensor(b, PTIO_INT64, 1, (int64_t[]){1}, &number), sink, &options, err);
    }
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, err);
    ptio_sink_free(sink);
    ptio_builder_free(b);
    return status;
}

static ptio_status show(const char *how, const ptio_checkpoint *ckpt, ptio_error *err)
{
    int64_t number;
    ptio_status status = ptio_tensor_copy(ptio_value_tensor(ptio_root(ckpt)), PTIO_INT64, &number, sizeof number, err);
    if (status == PTIO_OK)
        printf("%s: %" PRId64 "\n", how, number);
    return status;
}

static int64_t read_bytes(void *file, void *buffer, size_t size)
{
    size_t got = fread(buffer, 1, size, file);
    return got || feof((FILE *)file) ? (int64_t)got : -1;
}

static int seek_to(void *file, uint64_t offset)
{
    return fseek(file, (long)offset, SEEK_SET);
}

/* Any input: an archive in memory, a network, a packed file. Here the same file, whose second object begins at `offset`. */
static ptio_status load_through_functions(FILE *file, uint64_t offset, ptio_error *err)
{
    const ptio_source_callbacks functions = {.read = read_bytes, .seek = seek_to};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .offset = offset};
    ptio_source *source = NULL;
    ptio_checkpoint *ckpt = NULL;
    ptio_status status = ptio_source_from_callbacks(&functions, file, NULL, NULL, &source, err);
    if (status == PTIO_OK)
        status = ptio_load_source(source, &options, &ckpt, err);
    if (status == PTIO_OK)
        status = show("through functions", ckpt, err);
    ptio_checkpoint_free(ckpt);
    ptio_source_free(source);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    if (argc != 2)
        return fprintf(stderr, "usage: %s OUT\n", argv[0]), 2;
    FILE *file = fopen(argv[1], "w+b");
    if (!file)
        return perror(argv[1]), 1;
    long second = 0;
    for (int64_t i = 1; i <= 2 && !err.status; i++) {
        second = ftell(file);
        save_number(file, i, &err);
    }
    rewind(file);
    for (int i = 0; i < 2 && !err.status; i++) {
        ptio_checkpoint *ckpt = NULL;
        if (ptio_load_file(file, NULL, &ckpt, &err) == PTIO_OK) /* from where the stream stands to where the next object begins */
            show("from the stream", ckpt, &err);
        ptio_checkpoint_free(ckpt);
    }
    if (!err.status)
        load_through_functions(file, (uint64_t)second, &err);
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    fclose(file);
    return err.status ? 1 : 0;
}
