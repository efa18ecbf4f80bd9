/* Visit everything in a checkpoint, of any depth, and show the kinds of its values as an outline: walk FILE */
#include <ptio.h>

static ptio_walk_next show(void *ctx, const ptio_visit *visit)
{
    FILE *out = ctx;
    int indent = visit->depth < 30 ? (int)visit->depth * 2 : 60;
    if (visit->leaving || visit->role == PTIO_ROLE_KEY)
        return PTIO_WALK_ON;
    fprintf(out, "%*s", indent, "");
    if (visit->role == PTIO_ROLE_VALUE) {
        ptio_print(visit->key, NULL, ptio_write_file, out, NULL); /* in Python's syntax */
        fputs(": ", out);
    } else if (visit->role == PTIO_ROLE_PART) {
        fprintf(out, "(%s) ", visit->name);
    } else if (visit->role == PTIO_ROLE_ATTRIBUTES) {
        fputs("(attributes) ", out);
    }
    fputs(ptio_kind_name(ptio_value_kind(visit->value)), out);
    if (ptio_value_count(visit->value) > 0)
        fprintf(out, " of %zu", ptio_value_count(visit->value));
    fputs(visit->again ? ", seen above\n" : "\n", out);
    return PTIO_WALK_ON;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    if (ptio_load(argv[1], NULL, &ckpt, &err) == PTIO_OK)
        ptio_walk(ptio_root(ckpt), NULL, show, stdout, &err);
    if (err.status)
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    ptio_checkpoint_free(ckpt);
    return err.status ? 1 : 0;
}
