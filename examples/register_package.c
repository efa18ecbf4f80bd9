/* Tags that PyTorch does not know, and devices of one's own: register_package FILE
 *
 * torch.serialization.register_package(5, tagger, deserializer) */
#include <ptio.h>

#include <string.h>

/* deserializer: storages tagged "disk:…" and "cpu" are kept on the CPU. All else is not mine. */
static ptio_status take(void *ctx, const ptio_storage *storage, ptio_text tag, ptio_placement *ret, ptio_error *err)
{
    size_t *taken = ctx;
    (void)err;
    if ((tag.size > 5 && memcmp(tag.bytes, "disk:", 5) == 0) || (tag.size == 3 && memcmp(tag.bytes, "cpu", 3) == 0)) {
        ret->storage = storage;
        ++*taken;
    }
    return PTIO_OK;
}

/* tagger: what a storage is saved with. */
static bool tag_of(void *ctx, const ptio_storage *storage, char *tag, size_t size)
{
    (void)ctx;
    return ptio_storage_nbytes(storage) >= 1024 && snprintf(tag, size, "disk:large") < (int)size;
}

static ptio_status load_and_save(const char *path, const ptio_registry *registry, ptio_error *err)
{
    ptio_checkpoint *ckpt = NULL;
    ptio_sink *sink = NULL;
    const ptio_load_options load = {PTIO_LOAD_OPTIONS, .registry = registry};
    const ptio_save_options save = {PTIO_SAVE_OPTIONS, .registry = registry};
    ptio_status status = ptio_load(path, &load, &ckpt, err);
    if (status == PTIO_OK)
        status = ptio_sink_to_memory(NULL, &sink, err);
    if (status == PTIO_OK)
        status = ptio_save_sink(ptio_root(ckpt), sink, &save, err);
    if (status == PTIO_OK)
        printf("saved again in %llu bytes, large storages with the tag disk:large\n",
               (unsigned long long)ptio_sink_position(sink));
    ptio_sink_free(sink);
    ptio_checkpoint_free(ckpt);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_registry *registry = NULL;
    size_t taken = 0;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    const ptio_registry_entry entry = {.priority = 5, .tagger = tag_of, .deserializer = take, .ctx = &taken};
    if (ptio_registry_new(NULL, &registry, &err) == PTIO_OK && ptio_registry_add(registry, &entry, &err) == PTIO_OK)
        load_and_save(argv[1], registry, &err);
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    else
        printf("%zu storages were taken by the entry\n", taken);
    ptio_registry_free(registry);
    return err.status || !taken ? 1 : 0;
}
