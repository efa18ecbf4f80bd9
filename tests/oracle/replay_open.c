/*
 * Opens a file in one of many ways and tells what it got, for replay.py.
 *
 *     replay_open HOW FILE [OFFSET] [weights-only] [as-saved]
 *
 * HOW is path, fd, file, memory; map, shared (maps); callbacks (read, seek, tell, size), bare (read and seek alone), small (no more than
 * 1000 bytes a read), gzip (a packed stream), forward (it cannot seek). OFFSET is where the object begins: fd and file stand there, the others
 * are given it as options.offset. as-saved brings storages where they were saved, as torch.load() does without map_location.
 *
 *     opened BYTES        that callbacks had given when it was open
 *     end OFFSET          right behind the object
 *     position OFFSET     where fd and file stand then
 *     tensor NAME DTYPE SIZE,... SUM     for each with a storage: Adler-32 of the elements in C order, little-endian
 *     refused REASON MESSAGE
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ptio.h"

typedef struct input {
    const char *how, *path;
    uint64_t offset;
    ptio_load_options options;
    gzFile gz; /* what callbacks read; plain files too */
    int fd;
    FILE *file;
    void *bytes;
    size_t size;
    size_t most; /* bytes of one read */
    uint64_t given;
    ptio_source *source;
} input;

static bool is(const input *in, const char *how)
{
    return strcmp(in->how, how) == 0;
}

/* ---- a source of functions ---- */

static int64_t read_some(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    int got = gzread(in->gz, buffer, (unsigned)(size < in->most ? size : in->most));
    in->given += got > 0 ? (uint64_t)got : 0;
    return got;
}

static int seek_to(void *ctx, uint64_t offset)
{
    return gzseek(((input *)ctx)->gz, (z_off_t)offset, SEEK_SET) == (z_off_t)offset ? 0 : -1;
}

static int64_t tell(void *ctx)
{
    return gztell(((input *)ctx)->gz);
}

/* Of what is not packed. */
static int64_t size_of(void *ctx)
{
    FILE *file = fopen(((input *)ctx)->path, "rb");
    int64_t size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (file)
        fclose(file);
    return size;
}

static ptio_status open_functions(input *in, ptio_error *err)
{
    ptio_source_callbacks functions = {.read = read_some, .seek = seek_to, .tell = tell, .size = size_of};
    if (is(in, "forward"))
        functions.seek = NULL;
    if (is(in, "bare") || is(in, "forward") || is(in, "gzip"))
        functions.size = NULL;
    if (is(in, "bare"))
        functions.tell = NULL;
    in->most = is(in, "small") ? 1000 : 1u << 30;
    in->gz = gzopen(in->path, "rb");
    if (!in->gz)
        return PTIO_ERR_IO;
    return ptio_source_from_callbacks(&functions, in, NULL, NULL, &in->source, err);
}

/* ---- the others ---- */

static ptio_status load_stream(input *in, ptio_checkpoint **ckpt, ptio_error *err)
{
    in->file = fopen(in->path, "rb");
    if (!in->file || fseek(in->file, (long)in->offset, SEEK_SET))
        return PTIO_ERR_IO;
    return ptio_load_file(in->file, &in->options, ckpt, err);
}

static ptio_status load_descriptor(input *in, ptio_checkpoint **ckpt, ptio_error *err)
{
    in->fd = open(in->path, O_RDONLY);
    if (in->fd < 0 || lseek(in->fd, (off_t)in->offset, SEEK_SET) < 0)
        return PTIO_ERR_IO;
    return ptio_load_fd(in->fd, &in->options, ckpt, err);
}

static ptio_status load_bytes(input *in, ptio_checkpoint **ckpt, ptio_error *err)
{
    FILE *file = fopen(in->path, "rb");
    int64_t size = size_of(in);
    if (!file || size < 0 || !(in->bytes = malloc((size_t)size + 1)) || fread(in->bytes, 1, (size_t)size, file) != (size_t)size)
        return PTIO_ERR_IO;
    fclose(file);
    return ptio_load_memory(in->bytes, (size_t)size, &in->options, ckpt, err);
}

static ptio_status load(input *in, ptio_checkpoint **ckpt, ptio_error *err)
{
    if (is(in, "file"))
        return load_stream(in, ckpt, err);
    if (is(in, "fd"))
        return load_descriptor(in, ckpt, err);
    in->options.offset = in->offset;
    if (is(in, "memory"))
        return load_bytes(in, ckpt, err);
    in->options.mmap = is(in, "map") || is(in, "shared");
    in->options.mmap_shared = is(in, "shared");
    if (is(in, "path") || in->options.mmap)
        return ptio_load(in->path, &in->options, ckpt, err);
    ptio_status status = open_functions(in, err);
    return status == PTIO_OK ? ptio_load_source(in->source, &in->options, ckpt, err) : status;
}

static void close_input(input *in)
{
    ptio_source_free(in->source);
    if (in->gz)
        gzclose(in->gz);
    if (in->file)
        fclose(in->file);
    if (in->fd >= 0)
        close(in->fd);
    free(in->bytes);
}

/* ---- what there is ---- */

static bool is_little(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

/* The numbers of an element, of which complex ones have two, from this machine's byte order. */
static void make_little(unsigned char *bytes, size_t size, ptio_dtype dtype)
{
    size_t unit = ptio_dtype_itemsize(dtype) / (strstr(ptio_dtype_name(dtype), "complex") ? 2 : 1);
    for (size_t at = 0; !is_little() && at + unit <= size; at += unit)
        for (size_t i = 0; i < unit / 2; i++) {
            unsigned char byte = bytes[at + i];
            bytes[at + i] = bytes[at + unit - 1 - i];
            bytes[at + unit - 1 - i] = byte;
        }
}

/* Tensors without elements of their own, on the meta device or composed, are left to their parts. */
static ptio_status tell_tensor(const ptio_tensor_entry *entry, ptio_error *err)
{
    if (!ptio_tensor_storage(entry->tensor))
        return PTIO_OK;
    ptio_dtype dtype = ptio_tensor_dtype(entry->tensor);
    size_t size = (size_t)ptio_tensor_numel(entry->tensor) * ptio_dtype_itemsize(dtype);
    unsigned char *bytes = malloc(size + 1);
    ptio_status status = bytes ? ptio_tensor_copy(entry->tensor, dtype, bytes, size, err) : PTIO_ERR_MEMORY;
    if (status == PTIO_OK) {
        make_little(bytes, size, dtype);
        printf("tensor %.*s %s ", (int)entry->name.size, entry->name.bytes, ptio_dtype_name(dtype));
        for (size_t i = 0; i < ptio_tensor_ndim(entry->tensor); i++)
            printf("%s%" PRId64, i ? "," : "", ptio_tensor_shape(entry->tensor)[i]);
        printf(" %lu\n", adler32_z(1, bytes, size));
    }
    free(bytes);
    return status;
}

static ptio_status tell_all(const input *in, const ptio_checkpoint *ckpt, ptio_error *err)
{
    ptio_checkpoint_info info;
    ptio_tensor_list *list = NULL;
    ptio_checkpoint_describe(ckpt, &info);
    printf("opened %" PRIu64 "\nend %" PRIu64 "\n", in->given, info.end_offset);
    if (in->file)
        printf("position %ld\n", ftell(in->file));
    if (in->fd >= 0)
        printf("position %lld\n", (long long)lseek(in->fd, 0, SEEK_CUR));
    ptio_status status = ptio_list_tensors(ckpt, NULL, &list, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_tensor_list_count(list); i++)
        status = tell_tensor(ptio_tensor_list_entry(list, i), err);
    ptio_tensor_list_free(list);
    return status;
}

int main(int argc, char **argv)
{
    static const ptio_map_location as_saved;
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc < 3)
        return 4;
    input in = {.how = argv[1], .path = argv[2], .options = {PTIO_LOAD_OPTIONS}, .fd = -1};
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "weights-only") == 0)
            in.options.weights_only = true;
        else if (strcmp(argv[i], "as-saved") == 0)
            in.options.map_location = &as_saved;
        else
            in.offset = strtoull(argv[i], NULL, 10);
    }
    ptio_status status = load(&in, &ckpt, &err);
    if (status == PTIO_OK)
        status = tell_all(&in, ckpt, &err);
    if (status != PTIO_OK)
        printf("refused %s %s\n", err.reason ? err.reason : "none", err.message);
    ptio_checkpoint_free(ckpt);
    close_input(&in);
    return status == PTIO_OK ? 0 : 2;
}
