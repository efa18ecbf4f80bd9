/* Where the storages of a checkpoint were saved, and where they go here: map_location FILE
 *
 * torch.load(file, map_location=lambda storage, tag: storage if tag.startswith("cuda") else None) */
#include <ptio.h>

#include <inttypes.h>
#include <string.h>

/* What was on a GPU stays on the CPU; everything else goes where it was saved. */
static ptio_status place(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    size_t *count = ctx;
    (void)err;
    ++*count;
    if (tag.size >= 4 && memcmp(tag.bytes, "cuda", 4) == 0)
        ret->storage = storage;
    return PTIO_OK;
}

static ptio_status count_bytes(const ptio_checkpoint *ckpt, uint64_t *elements, ptio_error *err)
{
    ptio_tensor_list *list;
    ptio_status status = ptio_list_tensors(ckpt, NULL, &list, err);
    if (status != PTIO_OK)
        return status;
    *elements = ptio_tensor_list_totals(list).elements;
    ptio_tensor_list_free(list);
    return PTIO_OK;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL, *plan = NULL;
    size_t storages = 0;
    uint64_t elements = 0;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    const ptio_map_location by_tag = {.callback = place, .ctx = &storages}, to_meta = {.device = "meta"};
    ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &by_tag};
    if (ptio_load(argv[1], &options, &ckpt, &err) == PTIO_OK)
        printf("%zu storages, each with a place\n", storages);
    /* On the meta device there are shapes but no elements: a plan of the model. */
    options.map_location = &to_meta;
    if (!err.status && ptio_load(argv[1], &options, &plan, &err) == PTIO_OK && count_bytes(plan, &elements, &err) == PTIO_OK)
        printf("%" PRIu64 " elements would be needed\n", elements);
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    ptio_checkpoint_free(plan);
    ptio_checkpoint_free(ckpt);
    return err.status ? 1 : 0;
}
