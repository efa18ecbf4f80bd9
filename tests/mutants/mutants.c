/*
 * Every prefix and every changed byte.
 *
 *     mutants [--seed NAME]
 *
 * Prefixes: each file of the corpus below 4 KiB is cut after every byte. What is shorter than the object must be refused, with an
 * offset inside what is left; what is as long must load.
 *
 * Bytes: in each of the seeds of tests/data/mutants/seeds.txt, each byte is replaced by 16 telling values. Whatever that gives is
 * loaded, listed, read, printed, disassembled and checked, in memory that is counted: it must not crash, hang or leak. Where the byte
 * is one of a record that a CRC covers, ptio_check() must not call the file whole, and what is loaded and read from a source must be what was
 * saved; only a deflated record may say the same with another byte. (Storages that are views of the caller's memory are not read by
 * ptio; there ptio_check() alone tells.)
 *
 * Needs tests/data at PTIO_TEST_DATA (a macro). PTIO_TEST_SHARE (environment, 0 to 1, default 1) takes an even part of all mutants, the
 * same each time. A crash names the mutant on standard error. Closes with the line "N passed, N failed".
 */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/exercise.h"
#include "support/share.h"

#define CORPUS PTIO_TEST_DATA "/corpus"
#define SEEDS PTIO_TEST_DATA "/mutants/seeds.txt"
#define MOST_PREFIXED 4096
#define SECONDS_FOR_ONE 60 /* under an emulator, too */
#define MEMORY_FOR_ONE ((size_t)64 << 20)

static unsigned long passed, failed, printed;
static double share = 1;
static char current[512]; /* the mutant that is being tried */

static const ptio_limits limits = {
    .heap_bytes = MEMORY_FOR_ONE, .storage_bytes = MEMORY_FOR_ONE, .stream_bytes = MEMORY_FOR_ONE, .walk_nodes = 1000000};

/* ---- telling what happened ---- */

static void expect(bool good, const char *what)
{
    if (good)
        return;
    if (printed++ < 100)
        printf("%s: %s\n", current, what);
    failed++;
}

static void die(int number)
{
    static const char crash[] = ": it crashed or hung\n";
    (void)!write(2, current, strlen(current));
    (void)!write(2, crash, sizeof crash - 1);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch(void)
{
    static const int signals[] = {SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)signal(signals[i], die);
}

/* ---- trying one file ---- */

/* What a file gives. */
typedef struct outcome {
    ptio_status load, use; /* of loading it, of everything else */
    ptio_error err;        /* of the first that failed          */
    uint64_t fold;         /* of all that was told              */
    uint64_t end;          /* right behind the object           */
    ptio_container container;
    ptio_verdict verdict;
} outcome;

/* With a source, from that; else as views of memory. */
static ptio_status load(ptio_source *source, const unsigned char *data, size_t size, counted_memory *m, outcome *ret)
{
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits, .memory = &m->hooks};
    ptio_checkpoint *ckpt = NULL;
    exercise x;
    ret->load =
        source ? ptio_load_source(source, &options, &ckpt, &ret->err) : ptio_load_memory(data, size, &options, &ckpt, &ret->err);
    if (ret->load != PTIO_OK) {
        expect(ret->err.status == ret->load && ret->err.reason && ret->err.message[0],
               "a failure without code, reason or sentence");
        expect(!ckpt, "a result was written though the load failed");
        return ret->load;
    }
    ptio_checkpoint_info info;
    ptio_checkpoint_describe(ckpt, &info);
    ret->end = info.end_offset;
    ret->container = info.container;
    exercise_checkpoint(&x, ckpt, &limits, &m->hooks);
    ret->use = x.status;
    ret->fold = x.fold.value;
    if (x.status != PTIO_OK)
        ret->err = x.err;
    ptio_checkpoint_free(ckpt);
    return PTIO_OK;
}

static void check(const unsigned char *data, size_t size, counted_memory *m, outcome *ret)
{
    ptio_error err = {0};
    ptio_source *source = NULL;
    ptio_report *report = NULL;
    ptio_check_result result = {0};
    fold text = FOLD_BEGIN;
    if (ptio_source_from_memory(data, size, &m->hooks, &source, &err) != PTIO_OK ||
        ptio_report_new(&m->hooks, &report, &err) != PTIO_OK)
        abort();
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits, .memory = &m->hooks, .report = report};
    expect(ptio_check_source(source, &options, &result, &err) == PTIO_OK, "check fails, where a verdict was asked for");
    ret->verdict = result.verdict;
    bool found = result.verdict == PTIO_WHOLE;
    for (size_t i = 0; i < ptio_report_count(report); i++)
        found = found || ptio_report_finding(report, i)->severity == PTIO_REFUSED;
    expect(found, "check calls it bad, and no finding says why");
    options.report = NULL;
    (void)ptio_disassemble(source, NULL, &options, fold_write, &text, NULL);
    ptio_report_free(report);
    ptio_source_free(source);
}

static void try_file(const unsigned char *data, size_t size, bool thorough, outcome *ret)
{
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 2 * MEMORY_FOR_ONE;
    *ret = (outcome){.verdict = PTIO_UNREADABLE};
    (void)alarm(SECONDS_FOR_ONE);
    (void)load(NULL, data, size, &m, ret);
    if (thorough)
        check(data, size, &m, ret);
    expect(m.held == 0, "memory is not given back");
}

/* ---- prefixes ---- */

static void cut(const blob *whole, const outcome *good, size_t size)
{
    /* In memory of its own, so that sanitizers see a read beyond the end. */
    unsigned char *data = malloc(size ? size : 1);
    outcome found;
    if (!data)
        abort();
    memcpy(data, whole->data, size);
    unsigned long before = failed;
    try_file(data, size, false, &found);
    /* Plain pickles in a row are as many objects as are there. */
    bool fewer = found.load == PTIO_OK && found.container == PTIO_CONTAINER_PICKLE && found.end == size;
    if (good->load == PTIO_OK && !fewer)
        expect((found.load == PTIO_OK) == (size >= good->end),
               size < good->end ? "it loads, though it is cut" : "it does not load");
    if (found.load != PTIO_OK)
        expect(found.err.offset == PTIO_NO_OFFSET || found.err.offset <= size, "the offset lies outside");
    passed += failed == before;
    free(data);
}

static void cut_everywhere(const char *path, const char *name)
{
    static uint64_t number;
    blob whole = blob_read(path);
    outcome good;
    if (!whole.data || whole.size >= MOST_PREFIXED) {
        free(whole.data);
        return;
    }
    (void)snprintf(current, sizeof current, "%.300s", name);
    try_file(whole.data, whole.size, false, &good);
    for (size_t size = 0; size < whole.size; size++) {
        if (!test_is_in(share, number++))
            continue;
        (void)snprintf(current, sizeof current, "%.300s cut after %zu", name, size);
        cut(&whole, &good, size);
    }
    free(whole.data);
}

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

static int not_hidden(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Folders lie four deep at most. */
static void cut_folder(const char *folder, unsigned depth)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, not_hidden, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        struct stat st;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        bool fits = size > 0 && (size_t)size < sizeof path && stat(path, &st) == 0;
        if (fits && S_ISDIR(st.st_mode) && depth)
            cut_folder(path, depth - 1);
        else if (fits && S_ISREG(st.st_mode) && !ends(path, ".json") && !ends(path, ".py") && !ends(path, ".md"))
            cut_everywhere(path, path + strlen(CORPUS) + 1);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* ---- changed bytes ---- */

#define VALUES 16

/* The ends of the ranges, neighbours and flipped bits, and opcodes of a pickle that do much. */
static void telling_values(unsigned char was, unsigned char ret[VALUES])
{
    const unsigned char values[VALUES] = {0x00,
                                          0x01,
                                          0x7F,
                                          0x80,
                                          0xFF,
                                          (unsigned char)(was + 1),
                                          (unsigned char)(was - 1),
                                          (unsigned char)(was ^ 0x20),
                                          (unsigned char)(was ^ 0x80),
                                          '(',
                                          't',
                                          'R',
                                          'b',
                                          'h',
                                          '}',
                                          '.'};
    memcpy(ret, values, VALUES);
}

/* How a byte of a seed is guarded. */
typedef enum guard { NOT_COVERED, STORED, DEFLATED } guard;

/* Mark the bytes of the records that a CRC covers. */
static void mark_covered(const blob *seed, unsigned char *guards)
{
    ptio_source *source = NULL;
    ptio_archive *archive = NULL;
    ptio_record record;
    if (ptio_source_from_memory(seed->data, seed->size, NULL, &source, NULL) != PTIO_OK)
        abort();
    if (seed->size > 2 && memcmp(seed->data, "PK", 2) == 0 &&
        ptio_archive_open(source, 0, NULL, NULL, NULL, &archive, NULL) == PTIO_OK) {
        for (size_t i = 0; ptio_archive_record(archive, i, &record); i++) {
            char byte;
            /* Its place is known once it was used. */
            if (record.is_folder || !record.has_crc32 || !record.size ||
                ptio_archive_read(archive, i, 0, &byte, 1, NULL) != PTIO_OK || !ptio_archive_record(archive, i, &record) ||
                record.offset == PTIO_NO_OFFSET)
                continue;
            memset(guards + record.offset, record.is_deflated ? DEFLATED : STORED, (size_t)record.stored_size);
        }
    }
    ptio_archive_free(archive);
    ptio_source_free(source);
}

/* A source that is read, so that nothing is a view. */
typedef struct reader {
    const unsigned char *data;
    size_t size, position;
} reader;

static int64_t read_some(void *ctx, void *buffer, size_t size)
{
    reader *r = ctx;
    size_t given = size < r->size - r->position ? size : r->size - r->position;
    memcpy(buffer, r->data + r->position, given);
    r->position += given;
    return (int64_t)given;
}

static int seek_to(void *ctx, uint64_t offset)
{
    reader *r = ctx;
    if (offset > r->size)
        return -1;
    r->position = (size_t)offset;
    return 0;
}

static int64_t size_of(void *ctx)
{
    const reader *r = ctx;
    return (int64_t)r->size;
}

/* What the file gives when it is read, and not viewed. */
static void try_read(const unsigned char *data, size_t size, outcome *ret)
{
    static const ptio_source_callbacks callbacks = {.read = read_some, .seek = seek_to, .size = size_of};
    reader r = {.data = data, .size = size};
    counted_memory m;
    ptio_source *source = NULL;
    counted_memory_init(&m);
    m.budget = 2 * MEMORY_FOR_ONE;
    *ret = (outcome){.verdict = PTIO_UNREADABLE};
    if (ptio_source_from_callbacks(&callbacks, &r, &m.hooks, &limits, &source, NULL) != PTIO_OK)
        abort();
    (void)load(source, data, size, &m, ret);
    ptio_source_free(source);
    expect(m.held == 0, "memory is not given back");
}

static bool tells(const outcome *found)
{
    return found->load == PTIO_OK && found->use == PTIO_OK;
}

static void change(unsigned char *data, size_t size, guard covered, const outcome *good)
{
    outcome found;
    unsigned long before = failed;
    try_file(data, size, true, &found);
    bool told_the_same = tells(&found) && found.fold == good->fold;
    if (covered != NOT_COVERED)
        expect(found.verdict != PTIO_WHOLE || (covered == DEFLATED && told_the_same),
               "check calls it whole, where a CRC covers it");
    if (covered != NOT_COVERED && tells(&found) && !told_the_same) {
        outcome read;
        try_read(data, size, &read);
        expect(!tells(&read) || read.fold == good->fold, "another value, where a CRC covers it");
    }
    expect(found.load == PTIO_OK || found.verdict != PTIO_WHOLE, "check calls it whole, and it does not load");
    passed += failed == before;
}

static void change_everywhere(const blob *seed, const char *name)
{
    static uint64_t number;
    unsigned char *guards = calloc(seed->size, 1), values[VALUES];
    outcome good;
    if (!guards)
        abort();
    mark_covered(seed, guards);
    try_file(seed->data, seed->size, true, &good);
    for (size_t at = 0; at < seed->size; at++) {
        unsigned char was = seed->data[at];
        telling_values(was, values);
        for (size_t i = 0; i < VALUES; i++) {
            if (!test_is_in(share, number++) || values[i] == was)
                continue;
            (void)snprintf(current, sizeof current, "%.300s: byte %zu is 0x%02X, not 0x%02X", name, at, values[i], was);
            seed->data[at] = values[i];
            change(seed->data, seed->size, (guard)guards[at], &good);
        }
        seed->data[at] = was;
    }
    free(guards);
}

/* Each line names a file of the corpus; # begins a remark. */
static void change_seeds(const char *only)
{
    char line[512];
    FILE *list = fopen(SEEDS, "r");
    if (!list) {
        printf("%s is not there\n", SEEDS);
        failed++;
        return;
    }
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        if (!line[0] || line[0] == '#' || (only && strcmp(line, only) != 0))
            continue;
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", CORPUS, line);
        (void)snprintf(current, sizeof current, "%s", line);
        blob seed = blob_read(path);
        expect(seed.data != NULL, "the seed cannot be read");
        if (seed.data)
            change_everywhere(&seed, line);
        free(seed.data);
    }
    (void)fclose(list);
}

int main(int argc, char **argv)
{
    const char *only = argc == 3 && strcmp(argv[1], "--seed") == 0 ? argv[2] : NULL;
    share = test_share();
    watch();
    if (!only)
        cut_folder(CORPUS, 4);
    change_seeds(only);
    printf("%lu passed, %lu failed\n", passed, failed);
    return failed || !passed ? 1 : 0;
}
