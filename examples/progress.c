/* Read everything now, by several threads, and show how far it is: progress FILE [BYTES]
 *
 * With BYTES it is cancelled after as many. torch.load() reads all in any case; ptio reads a storage when it is asked for. */
#include <ptio.h>

#include <inttypes.h>
#include <stdlib.h>

typedef struct meter {
    uint64_t most, done, total;
} meter;

/* Every 16 MiB or so. Anything but 0 ends the call. */
static int tell(void *ctx, uint64_t done, uint64_t total)
{
    meter *m = ctx;
    m->done = done;
    m->total = total;
    fprintf(stderr, "\r%3" PRIu64 " %%", total ? done * 100 / total : 100);
    return done > m->most;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: %s FILE [BYTES]\n", argv[0]), 2;
    meter m = {.most = argc == 3 ? strtoull(argv[2], NULL, 10) : UINT64_MAX};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .threads = PTIO_ALL_THREADS, .progress = tell, .progress_ctx = &m};
    ptio_status status = ptio_load(argv[1], &options, &ckpt, &err);
    if (status == PTIO_OK)
        status = ptio_checkpoint_read(ckpt, &err);
    fprintf(stderr, "\n");
    if (status == PTIO_ERR_CANCELLED)
        printf("cancelled\n");
    else if (status != PTIO_OK)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    else
        printf("%" PRIu64 " of %" PRIu64 " bytes are in memory\n", m.done, m.total);
    ptio_checkpoint_free(ckpt);
    return status == PTIO_OK || status == PTIO_ERR_CANCELLED ? 0 : 1;
}
