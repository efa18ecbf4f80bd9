/*
 * Saving is stable: what is loaded and saved loads again, and saved once more it is the same bytes. The first byte of the input chooses
 * the options, the others are the file.
 *
 * Limits are small, as in fuzz_load.c. A file that is too much for them the second time, since its pickle grew, is no finding; nor is a
 * save that is refused with a reason.
 */
#include "../tests/support/exercise.h"

#define BUDGET ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ptio_limits limits = {
    .heap_bytes = BUDGET, .storage_bytes = BUDGET, .stream_bytes = BUDGET, .directory_bytes = BUDGET};

static void must(bool good, const char *what, const ptio_error *err)
{
    if (!good) {
        fprintf(stderr, "fuzz_save: %s: %s\n", what, err->message);
        abort();
    }
}

static bool is_too_much(ptio_status status)
{
    return status == PTIO_ERR_LIMIT || status == PTIO_ERR_MEMORY;
}

static ptio_save_options options_of(uint8_t choice, const ptio_memory *memory)
{
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .limits = &limits, .memory = memory};
    options.protocol = choice % 6;
    options.legacy = choice / 6 % 2;
    options.profile = (ptio_profile)(choice / 12 % 5);
    options.compact = choice / 60 % 2;
    return options;
}

/* Load a file and save it to a sink of memory. NULL where either was refused; *loaded tells which. */
static ptio_sink *again(ptio_text file, const ptio_save_options *options, bool as_found, bool *loaded, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_sink *sink = NULL;
    ptio_load_options load = {PTIO_LOAD_OPTIONS, .limits = &limits, .memory = options->memory};
    ptio_save_options save = *options;
    *loaded = ptio_load_memory(file.bytes, file.size, &load, &ckpt, err) == PTIO_OK;
    if (!*loaded)
        return NULL;
    if (as_found)
        save.as = ckpt;
    must(ptio_sink_to_memory(options->memory, &sink, err) == PTIO_OK, "no sink", err);
    if (ptio_save_sink(ptio_root(ckpt), sink, &save, err) != PTIO_OK) {
        must(err->status != PTIO_OK && err->reason && err->message[0], "a failure without code, reason or sentence", err);
        ptio_sink_free(sink);
        sink = NULL;
    }
    ptio_checkpoint_free(ckpt);
    return sink;
}

static bool is_same(ptio_text a, ptio_text b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

/* Arrays of NumPy that were brought into another byte order have NumPy's own dtype, as scalars do; once unpickled, they have one of
 * their own. So theirs is the third save that equals the second. */
static bool has_numpy(ptio_text file)
{
    for (size_t i = 0; i + 5 <= file.size; i++)
        if (memcmp(file.bytes + i, "numpy", 5) == 0)
            return true;
    return false;
}

static void save_again_and_again(ptio_text file, const ptio_save_options *options)
{
    ptio_error err = {0};
    bool loaded, same = false;
    ptio_sink *saved = again(file, options, false, &loaded, &err);
    for (int i = 0; saved && !same; i++) {
        ptio_sink *next = again(ptio_sink_bytes(saved), options, false, &loaded, &err);
        must(next || is_too_much(err.status), loaded ? "it cannot be saved again" : "what was saved does not load", &err);
        same = next && is_same(ptio_sink_bytes(saved), ptio_sink_bytes(next));
        must(!next || same || (i == 0 && has_numpy(ptio_sink_bytes(saved))), "the next save differs", &err);
        ptio_sink_free(saved);
        saved = next;
    }
    ptio_sink_free(saved);
}

static void save_as_found(ptio_text file, const ptio_save_options *options)
{
    ptio_error err = {0};
    bool loaded;
    ptio_sink_free(again(file, options, true, &loaded, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 4 * BUDGET;
    if (!size)
        return 0;
    ptio_text file = {(const char *)data + 1, size - 1};
    ptio_save_options options = options_of(data[0], &m.hooks);
    save_again_and_again(file, &options);
    save_as_found(file, &options);
    if (m.held != 0) {
        fprintf(stderr, "fuzz_save: memory is not given back\n");
        abort();
    }
    return 0;
}
