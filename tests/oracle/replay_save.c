/*
 * Writes files as the command does not, for replay.py.
 *
 *     replay_save save IN HOW OUT [skip-data] [no-crc] [legacy]    the root of IN. HOW is path, memory, functions (write alone), or
 *                                                                  file: a stream that stands at byte 6, behind the text "header"
 *     replay_save poke HOW FILE                                    writes 255 into the first byte of each storage. HOW is map or shared
 *     replay_save two-dtypes OUT                                   a storage that is seen as floats and as ints
 *     replay_save records OUT                                      an archive of the records "a", "b" and "c/d"
 *     replay_save list IN                                          the records of an archive, each with the sum of its bytes
 *
 * What fails is told as "refused REASON MESSAGE".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptio.h"

/* ---- save ---- */

static int64_t write_to(void *ctx, const void *bytes, size_t size)
{
    size_t written = fwrite(bytes, 1, size, ctx);
    return written ? (int64_t)written : -1;
}

/* What was gathered in memory goes to `file` at last. */
static ptio_status finish(ptio_sink *sink, FILE *file, ptio_error *err)
{
    ptio_status status = ptio_sink_finish(sink, err);
    ptio_text bytes = ptio_sink_bytes(sink);
    if (status == PTIO_OK && bytes.size && fwrite(bytes.bytes, 1, bytes.size, file) != bytes.size)
        return PTIO_ERR_IO;
    return status;
}

static ptio_status save_to(const ptio_value *value, const char *how, FILE *file, const ptio_save_options *options,
                           ptio_error *err)
{
    ptio_sink *sink = NULL;
    ptio_status status = PTIO_OK;
    if (strcmp(how, "file") == 0)
        status = fputs("header", file) < 0 ? PTIO_ERR_IO : ptio_sink_from_file(file, NULL, &sink, err);
    else if (strcmp(how, "functions") == 0)
        status = ptio_sink_from_callbacks(&(ptio_sink_callbacks){.write = write_to}, file, NULL, &sink, err);
    else
        status = ptio_sink_to_memory(NULL, &sink, err);
    if (status == PTIO_OK)
        status = ptio_save_sink(value, sink, options, err);
    if (status == PTIO_OK)
        status = finish(sink, file, err);
    ptio_sink_free(sink);
    return status;
}

static ptio_status save(int count, char **words, ptio_error *err)
{
    ptio_save_options options = {PTIO_SAVE_OPTIONS};
    ptio_checkpoint *ckpt = NULL;
    if (count < 3)
        return PTIO_ERR_ARGUMENT;
    for (int i = 3; i < count; i++) {
        options.skip_data |= strcmp(words[i], "skip-data") == 0;
        options.no_crc32 |= strcmp(words[i], "no-crc") == 0;
        options.legacy |= strcmp(words[i], "legacy") == 0;
    }
    ptio_status status = ptio_load(words[0], NULL, &ckpt, err);
    if (status == PTIO_OK && strcmp(words[1], "path") == 0)
        status = ptio_save(ptio_root(ckpt), words[2], &options, err);
    else if (status == PTIO_OK) {
        FILE *file = fopen(words[2], "wb");
        status = file ? save_to(ptio_root(ckpt), words[1], file, &options, err) : PTIO_ERR_IO;
        if (file && fclose(file))
            status = PTIO_ERR_IO;
    }
    ptio_checkpoint_free(ckpt);
    return status;
}

/* ---- the others ---- */

static ptio_status poke(int count, char **words, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_tensor_list *list = NULL;
    if (count != 2)
        return PTIO_ERR_ARGUMENT;
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true, .mmap_shared = strcmp(words[0], "shared") == 0};
    ptio_status status = ptio_load(words[1], &options, &ckpt, err);
    if (status == PTIO_OK)
        status = ptio_list_tensors(ckpt, NULL, &list, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_tensor_list_count(list); i++) {
        void *bytes;
        status = ptio_storage_writable(ptio_tensor_storage(ptio_tensor_list_entry(list, i)->tensor), &bytes, err);
        if (status == PTIO_OK)
            *(unsigned char *)bytes = 255;
    }
    ptio_tensor_list_free(list);
    ptio_checkpoint_free(ckpt);
    return status;
}

static ptio_status two_dtypes(int count, char **words, ptio_error *err)
{
    static const float zeros[4] = {0};
    const int64_t shape[] = {4};
    ptio_builder *b = NULL;
    ptio_status status = count == 1 ? ptio_builder_new(NULL, &b, err) : PTIO_ERR_ARGUMENT;
    if (status != PTIO_OK)
        return status;
    const ptio_storage *storage = ptio_new_storage(b, PTIO_FLOAT32, zeros, sizeof zeros, NULL);
    ptio_value *pair = ptio_new_list(b);
    ptio_append(b, pair, ptio_new_view(b, storage, PTIO_FLOAT32, 1, shape, NULL, 0, false));
    ptio_append(b, pair, ptio_new_view(b, storage, PTIO_INT32, 1, shape, NULL, 0, false));
    status = ptio_builder_status(b, err);
    if (status == PTIO_OK)
        status = ptio_save(pair, words[0], NULL, err);
    ptio_builder_free(b);
    return status;
}

static ptio_status records(int count, char **words, ptio_error *err)
{
    static const char *const names[] = {"a", "b", "c/d"};
    ptio_sink *sink = NULL;
    ptio_writer *writer = NULL;
    ptio_status status = count == 1 ? ptio_sink_open(words[0], NULL, &sink, err) : PTIO_ERR_ARGUMENT;
    if (status == PTIO_OK)
        status = ptio_writer_open(sink, NULL, &writer, err);
    for (size_t i = 0; i < sizeof names / sizeof *names && status == PTIO_OK; i++)
        status = ptio_writer_add(writer, names[i], "0123456789", 3 * (i + 1), err);
    if (status == PTIO_OK)
        status = ptio_writer_finish(writer, err);
    if (status == PTIO_OK)
        status = ptio_sink_finish(sink, err);
    ptio_writer_free(writer);
    ptio_sink_free(sink);
    return status;
}

static ptio_status tell_record(ptio_archive *archive, size_t index, ptio_error *err)
{
    ptio_record record;
    unsigned long sum = 0;
    if (!ptio_archive_record(archive, index, &record))
        return PTIO_ERR_NOT_FOUND;
    unsigned char *bytes = malloc((size_t)record.size + 1);
    ptio_status status = bytes ? ptio_archive_read(archive, index, 0, bytes, (size_t)record.size, err) : PTIO_ERR_MEMORY;
    for (uint64_t i = 0; status == PTIO_OK && i < record.size; i++)
        sum += bytes[i];
    if (status == PTIO_OK)
        printf("%.*s %" PRIu64 " %lu\n", (int)record.name.size, record.name.bytes, record.size, sum);
    free(bytes);
    return status;
}

static ptio_status list(int count, char **words, ptio_error *err)
{
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_status status = count == 1 ? ptio_source_open(words[0], 0, NULL, NULL, &source, err) : PTIO_ERR_ARGUMENT;
    if (status == PTIO_OK)
        status = ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_archive_count(archive); i++)
        status = tell_record(archive, i, err);
    ptio_archive_free(archive);
    ptio_source_free(source);
    return status;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        ptio_status (*run)(int count, char **words, ptio_error *err);
    } verbs[] = {{"save", save}, {"poke", poke}, {"two-dtypes", two_dtypes}, {"records", records}, {"list", list}};
    ptio_error err = {0};
    ptio_status status = PTIO_ERR_ARGUMENT;
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            status = verbs[i].run(argc - 2, argv + 2, &err);
    if (status != PTIO_OK)
        printf("refused %s %s\n", err.reason ? err.reason : "none", err.message);
    return status == PTIO_OK ? 0 : 2;
}
