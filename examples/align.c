/* The records of an archive again, the data of each at a multiple of 4096 bytes: align FILE [OUT] */
#include <ptio.h>

#include <inttypes.h>
#include <string.h>

typedef struct place {
    ptio_archive *archive;
    size_t index;
    uint64_t offset;
} place;

/* Called for the next piece of a record. */
static int64_t read_on(void *ctx, void *buffer, size_t size)
{
    place *at = ctx;
    if (ptio_archive_read(at->archive, at->index, at->offset, buffer, size, NULL) != PTIO_OK)
        return -1;
    at->offset += size;
    return (int64_t)size;
}

static ptio_status copy_records(ptio_archive *from, ptio_writer *to, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    ptio_record record;
    for (size_t i = 0; status == PTIO_OK && ptio_archive_record(from, i, &record); i++) {
        char whole[512]; /* "root/data/0" */
        snprintf(whole, sizeof whole, "%.*s", (int)record.name.size, record.name.bytes);
        const char *name = strchr(whole, '/') ? strchr(whole, '/') + 1 : whole;
        if (strcmp(name, ".storage_alignment") == 0)
            status = ptio_writer_add(to, name, "4096", 4, err);
        else
            status = ptio_writer_add_from(to, name, record.size, read_on, &(place){from, i, 0}, err);
    }
    return status == PTIO_OK ? ptio_writer_finish(to, err) : status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_sink *sink = NULL;
    ptio_writer *writer = NULL;
    ptio_writer_options options = {PTIO_WRITER_OPTIONS, .alignment = 4096};
    if (argc < 2)
        return fprintf(stderr, "usage: %s FILE [OUT]\n", argv[0]), 2;
    if (ptio_source_open(argv[1], 0, NULL, NULL, &source, &err) == PTIO_OK &&
        ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, &err) == PTIO_OK &&
        (argc > 2 ? ptio_sink_open(argv[2], NULL, &sink, &err) : ptio_sink_to_memory(NULL, &sink, &err)) == PTIO_OK &&
        ptio_writer_open(sink, &options, &writer, &err) == PTIO_OK && copy_records(archive, writer, &err) == PTIO_OK &&
        ptio_sink_finish(sink, &err) == PTIO_OK && argc == 2)
        printf("%" PRIu64 " bytes become %zu\n", ptio_source_size(source), ptio_sink_bytes(sink).size);
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    ptio_writer_free(writer); /* all take NULL */
    ptio_sink_free(sink);
    ptio_archive_free(archive);
    ptio_source_free(source);
    return err.status ? 1 : 0;
}
