/* A pickle_module in C: classes by other names, persistent ids, objects of one's own. hooks FILE
 *
 * class Unpickler(pickle.Unpickler):
 *     def find_class(self, module, name): ...
 *     def persistent_load(self, id): ...
 * torch.load(file, pickle_module=…, weights_only=False) */
#include <ptio.h>

#include <stdlib.h>
#include <string.h>

typedef struct seen {
    size_t globals, ids, objects;
} seen;

static bool is(ptio_text text, const char *string)
{
    return text.size == strlen(string) && memcmp(text.bytes, string, text.size) == 0;
}

/* A module was renamed since the file was written: its classes are those of today. */
static ptio_status find_class(void *ctx, ptio_text *module, ptio_text *name)
{
    ((seen *)ctx)->globals++;
    (void)name;
    if (is(*module, "old_models"))
        *module = (ptio_text){"models", 6};
    return PTIO_OK;
}

/* An id that names no storage; that of a user's own pickler. */
static ptio_status persistent_load(void *ctx, const ptio_value *id, void **user)
{
    ((seen *)ctx)->ids++;
    (void)id;
    *user = NULL;
    return PTIO_OK;
}

/* What the program keeps for an object: here the number of its attributes. ptio_value_user() gives it back. */
static ptio_status build(void *ctx, const ptio_value *object, void **user)
{
    size_t *count = malloc(sizeof *count);
    if (!count)
        return PTIO_ERR_MEMORY;
    ((seen *)ctx)->objects++;
    *count = ptio_value_count(ptio_value_attributes(object));
    *user = count;
    return PTIO_OK;
}

static void release(void *ctx, void *user)
{
    (void)ctx;
    free(user);
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    seen count = {0};
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    const ptio_hooks hooks = {find_class, persistent_load, build, release, &count};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .hooks = &hooks};
    if (ptio_load(argv[1], &options, &ckpt, &err) != PTIO_OK)
        return fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message), 1;
    printf("%zu globals, %zu ids, %zu objects\n", count.globals, count.ids, count.objects);
    const size_t *attributes = ptio_value_user(ckpt, ptio_root(ckpt));
    if (attributes)
        printf("the root has %zu attributes\n", *attributes);
    ptio_checkpoint_free(ckpt); /* calls release */
    return count.globals ? 0 : 1;
}
