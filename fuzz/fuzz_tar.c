/*
 * Tar files: open, look up, read and check every member. A mutator does not find checksums, so they are made right first.
 */
#include "archive/archive.h"

#include "../tests/support/exercise.h"

#define BUDGET ((size_t)16 << 20)
#define BLOCK 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += header[i];
    char text[8];
    (void)snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(header + 148, text, 7);
}

/* Each header is where the size of the one before says; blocks of zeros are left alone. */
static void seal_all(uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[BLOCK];
    for (size_t at = 0; size - at >= BLOCK && memcmp(bytes + at, zeros, BLOCK) != 0;) {
        size_t member = 0;
        for (size_t i = 124; i < 136 && member < size; i++)
            if (bytes[at + i] >= '0' && bytes[at + i] <= '7')
                member = member << 3 | (size_t)(bytes[at + i] - '0');
        seal(bytes + at);
        size_t step = BLOCK + (member + BLOCK - 1) / BLOCK * BLOCK;
        if (step > size - at)
            return;
        at += step;
    }
}

static void use(ptio_archive *archive)
{
    char bytes[100];
    for (size_t i = 0; i < ptio_archive_count(archive); i++) {
        ptio_record record;
        if (!ptio_archive_record(archive, i, &record) || ptio_archive_lookup(archive, record.name) != i) {
            fprintf(stderr, "fuzz_tar: a member is not found by its name\n");
            abort();
        }
        size_t n = record.size < sizeof bytes ? (size_t)record.size : sizeof bytes;
        if (ptio_archive_read(archive, i, record.size - n, bytes, n, NULL) != PTIO_OK ||
            ptio_archive_verify(archive, i, NULL, NULL) != PTIO_OK) {
            fprintf(stderr, "fuzz_tar: a member that was found cannot be read\n");
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ptio_limits limits = {.heap_bytes = BUDGET, .directory_bytes = BUDGET};
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 2 * BUDGET;
    uint8_t *bytes = malloc(size ? size : 1);
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_error err = {0};
    if (!bytes)
        abort();
    if (size)
        memcpy(bytes, data, size);
    seal_all(bytes, size);
    ptio_status status = ptio_source_from_memory(bytes, size, &m.hooks, &source, &err);
    if (status == PTIO_OK)
        status = ptio_archive_open(source, 0, &limits, &m.hooks, NULL, &archive, &err);
    if (status == PTIO_OK)
        use(archive);
    else if (!err.reason || (err.offset != PTIO_NO_OFFSET && err.offset > size))
        abort();
    ptio_archive_free(archive);
    ptio_source_free(source);
    free(bytes);
    if (m.held) {
        fprintf(stderr, "fuzz_tar: memory is not given back\n");
        abort();
    }
    return 0;
}
