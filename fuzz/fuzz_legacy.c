/*
 * Legacy streams: the input is what follows the first three pickles (magic number, protocol, system information), which a mutator would
 * only break: the pickle of the object, the pickle of the keys, and the storages.
 */
#include "../tests/support/exercise.h"

#define BUDGET ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As torch.save of protocol 2 writes them. */
static const char head[] =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    "\x80\x02M\xe9\x03."
    "\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01M\xe9\x03X\x0d\x00\x00\x00little_endianq\x02\x88X\x0a\x00\x00\x00"
    "type_sizesq\x03}q\x04(X\x05\x00\x00\x00shortq\x05K\x02X\x03\x00\x00\x00intq\x06K\x04X\x04\x00\x00\x00longq\x07K\x04uu.";
#define HEAD (sizeof head - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ptio_limits limits = {
        .heap_bytes = BUDGET, .storage_bytes = BUDGET, .stream_bytes = BUDGET, .walk_nodes = 200000};
    counted_memory m;
    counted_memory_init(&m);
    m.budget = 2 * BUDGET;
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .limits = &limits, .memory = &m.hooks};
    ptio_checkpoint *ckpt = NULL;
    exercise x;
    unsigned char *file = malloc(HEAD + size);
    if (!file)
        abort();
    memcpy(file, head, HEAD);
    if (size)
        memcpy(file + HEAD, data, size);
    if (ptio_load_memory(file, HEAD + size, &options, &ckpt, NULL) == PTIO_OK)
        exercise_checkpoint(&x, ckpt, &limits, &m.hooks);
    ptio_checkpoint_free(ckpt);
    free(file);
    if (m.held) {
        fprintf(stderr, "fuzz_legacy: memory is not given back\n");
        abort();
    }
    return 0;
}
