/*
 * Zip archives: open, look up, locate, read and check every record, and what lies between them. The bytes are read from memory or by
 * callbacks, whichever the length of the input says.
 */
#include "archive/archive.h"

#include "../tests/support/exercise.h"

#define BUDGET ((size_t)16 << 20)
#define PART 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *data;
    size_t size;
    uint64_t position;
} input;

static int64_t input_read(void *ctx, void *buffer, size_t size)
{
    input *in = ctx;
    size_t left = in->position < in->size ? in->size - (size_t)in->position : 0, n = size < left ? size : left;
    if (n)
        memcpy(buffer, in->data + in->position, n);
    in->position += n;
    return (int64_t)n;
}

static int input_seek(void *ctx, uint64_t offset)
{
    ((input *)ctx)->position = offset;
    return 0;
}

/* What is read in one call must be what is read in parts. */
static void read_parts(ptio_archive *archive, size_t index, const char *whole, size_t size)
{
    char part[PART];
    for (size_t at = 0; at < size && at < 4 * PART; at += PART) {
        size_t n = size - at < PART ? size - at : PART;
        if (ptio_archive_read(archive, index, at, part, n, NULL) != PTIO_OK || memcmp(part, whole + at, n) != 0) {
            fprintf(stderr, "fuzz_zip: a part of a record is not what it is in the whole\n");
            abort();
        }
    }
}

static void read_record(ptio_archive *archive, size_t index)
{
    ptio_record record;
    char name[5000];
    if (!ptio_archive_record(archive, index, &record) || record.name.size >= sizeof name)
        abort();
    memcpy(name, record.name.bytes, record.name.size);
    name[record.name.size] = '\0';
    if (ptio_archive_find(archive, name) != index) {
        fprintf(stderr, "fuzz_zip: a record is not found by its name\n");
        abort();
    }
    if (record.size > BUDGET)
        return;
    char *whole = malloc((size_t)record.size + 1);
    if (!whole)
        return;
    if (ptio_archive_read(archive, index, 0, whole, (size_t)record.size, NULL) == PTIO_OK)
        read_parts(archive, index, whole, (size_t)record.size);
    free(whole);
}

static void verify(ptio_archive *archive, ptio_report *report)
{
    for (size_t i = 0; i < ptio_archive_count(archive) && i < 64; i++)
        if (archive->entries[i].size <= BUDGET)
            (void)ptio_archive_verify(archive, i, NULL, NULL);
    (void)ptio_zip_verify_structure(archive, report, NULL);
}

static void use(ptio_source *source, const ptio_memory *memory)
{
    static const ptio_limits limits = {.heap_bytes = BUDGET, .directory_bytes = BUDGET};
    ptio_report *report = NULL;
    ptio_archive *archive = NULL;
    ptio_error err = {0};
    if (ptio_report_new(memory, &report, NULL) != PTIO_OK)
        return;
    if (ptio_archive_open(source, 0, &limits, memory, report, &archive, &err) == PTIO_OK) {
        for (size_t i = 0; i < ptio_archive_count(archive) && i < 64; i++)
            read_record(archive, i);
        verify(archive, report);
    } else if (!err.reason || (err.offset != PTIO_NO_OFFSET && err.offset > ptio_source_size(source)))
        abort();
    ptio_archive_free(archive);
    ptio_report_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ptio_source_callbacks callbacks = {.read = input_read, .seek = input_seek};
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 2 * BUDGET;
    input in = {.data = data, .size = size};
    ptio_source *source = NULL;
    ptio_status status = size & 1 ? ptio_source_from_callbacks(&callbacks, &in, &m.hooks, NULL, &source, NULL)
                                  : ptio_source_from_memory(data, size, &m.hooks, &source, NULL);
    if (status == PTIO_OK)
        use(source, &m.hooks);
    ptio_source_free(source);
    if (m.held) {
        fprintf(stderr, "fuzz_zip: memory is not given back\n");
        abort();
    }
    return 0;
}
