/*
 * The whole way of a file: load it from memory, then list, copy, walk, print, view as a module, disassemble and check it.
 *
 * Limits are small, so that an input that takes long or much memory is a finding: memory beyond the budget is refused by the hooks, and what
 * is still held at the end is a leak. A file that ptio_check() calls whole must load.
 */
#include "../tests/support/exercise.h"

#define BUDGET ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ptio_limits limits = {
    .heap_bytes = BUDGET, .storage_bytes = BUDGET, .stream_bytes = BUDGET, .directory_bytes = BUDGET, .walk_nodes = 200000};

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "fuzz_load: %s\n", what);
        abort();
    }
}

static ptio_status load(const uint8_t *data, size_t size, const ptio_load_options *options)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {0};
    exercise x;
    ptio_status status = ptio_load_memory(data, size, options, &ckpt, &err);
    must((status == PTIO_OK) == (ckpt != NULL), "a result without success, or the reverse");
    must(status == PTIO_OK || (err.status == status && err.reason && err.message[0]),
         "a failure without code, reason or sentence");
    if (status == PTIO_OK)
        exercise_checkpoint(&x, ckpt, &limits, options->memory);
    ptio_checkpoint_free(ckpt);
    return status;
}

static ptio_verdict check(const uint8_t *data, size_t size, const ptio_load_options *options)
{
    ptio_source *source = NULL;
    ptio_load_options with_report = *options;
    ptio_check_result result = {.verdict = PTIO_UNREADABLE};
    fold text = FOLD_BEGIN;
    must(ptio_source_from_memory(data, size, options->memory, &source, NULL) == PTIO_OK, "no source");
    must(ptio_report_new(options->memory, &with_report.report, NULL) == PTIO_OK, "no report");
    (void)ptio_check_source(source, &with_report, &result, NULL);
    (void)ptio_disassemble(source, NULL, options, fold_write, &text, NULL);
    ptio_report_free(with_report.report);
    ptio_source_free(source);
    return result.verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 3 * BUDGET;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits, .memory = &m.hooks};
    ptio_status loaded = load(data, size, &options);
    ptio_verdict verdict = check(data, size, &options);
    must(verdict != PTIO_WHOLE || loaded == PTIO_OK, "check calls it whole, and it does not load");
    options.weights_only = true;
    options.encoding = "latin1";
    (void)load(data, size, &options);
    must(m.held == 0, "memory is not given back");
    return 0;
}
