/* Count and limit what a load takes: memory hooks for all that ptio allocates, and limits for a file that nobody trusts. */
#include <ptio.h>

#include <stdlib.h>

typedef struct usage {
    size_t small, small_peak; /* arenas, tables, buffers */
    size_t storages;
} usage;

static void *resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    usage *use = ctx;
    void *moved = NULL;
    if (new_size == 0)
        free(ptr);
    else if (!(moved = realloc(ptr, new_size)))
        return NULL;
    use->small = use->small - old_size + new_size;
    if (use->small > use->small_peak)
        use->small_peak = use->small;
    return moved;
}

static void *alloc_storage(void *ctx, size_t size, size_t alignment)
{
    usage *use = ctx;
    void *bytes = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    use->storages += bytes ? size : 0;
    return bytes;
}

static void free_storage(void *ctx, void *ptr, size_t size)
{
    usage *use = ctx;
    use->storages -= size;
    free(ptr);
}

/* Storages are read when first asked for: ask for all. */
static void read_storages(const ptio_checkpoint *ckpt, ptio_error *err)
{
    ptio_tensor_list *list = NULL;
    const void *bytes;
    if (ptio_list_tensors(ckpt, NULL, &list, err) != PTIO_OK)
        return;
    for (size_t i = 0; i < ptio_tensor_list_count(list); i++) {
        const ptio_tensor *tensor = ptio_tensor_list_entry(list, i)->tensor;
        if (ptio_tensor_storage(tensor) && !ptio_tensor_is_meta(tensor))
            ptio_storage_data(ptio_tensor_storage(tensor), &bytes, err);
    }
    ptio_tensor_list_free(list);
}

int main(int argc, char **argv)
{
    usage use = {0};
    ptio_memory memory = {.resize = resize, .alloc = alloc_storage, .free = free_storage, .ctx = &use};
    ptio_limits limits = {.pickle_bytes = 64 << 20, .heap_bytes = 256 << 20, .storage_bytes = 16 << 20}; /* the rest: defaults */
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    if (ptio_load(argv[1], &(ptio_load_options){PTIO_LOAD_OPTIONS, .memory = &memory, .limits = &limits}, &ckpt, &err) == PTIO_OK)
        read_storages(ckpt, &err);
    if (err.status)
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    printf("loaded: %zu bytes of small memory (%zu at the peak), %zu of storages\n", use.small, use.small_peak, use.storages);
    ptio_checkpoint_free(ckpt);
    printf("freed: %zu bytes of small memory, %zu of storages\n", use.small, use.storages);
    return err.status || use.small || use.storages ? 1 : 0;
}
