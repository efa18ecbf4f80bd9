/*
 * Loads a file with a callback for places, and tells how it was called, for places.py.
 *
 *     call_places FILE
 *
 * One line for each call: bytes of the storage, its tag in quotes, and the sum of its bytes. The callback leaves those tagged "cpu" to others,
 * and of all others it says that they are on the CPU. Closes with the line "loaded", or "refused" and the reason.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ptio.h"

static ptio_status place(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    const void *data;
    uint64_t sum = 0;
    (void)ctx;
    ptio_status status = ptio_storage_data(storage, &data, err);
    for (uint64_t i = 0; status == PTIO_OK && i < ptio_storage_nbytes(storage); i++)
        sum += ((const unsigned char *)data)[i];
    if (status == PTIO_OK)
        printf("%" PRIu64 " '%.*s' %" PRIu64 "\n", ptio_storage_nbytes(storage), (int)tag.size, tag.bytes, sum);
    if (tag.size != 3 || memcmp(tag.bytes, "cpu", 3) != 0)
        ret->storage = storage;
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    const ptio_map_location map = {.callback = place};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &map};
    if (argc == 2 && ptio_load(argv[1], &options, &ckpt, &err) == PTIO_OK)
        puts("loaded");
    else
        printf("refused %s\n", err.reason);
    ptio_checkpoint_free(ckpt);
    return 0;
}
