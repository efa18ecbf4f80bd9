/*
 * Make a checkpoint in C: a state dict of a linear layer and the step it was taken at, as torch.save would write it.
 *
 *     save OUT
 */
#include <stdio.h>

#include <ptio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: save OUT\n");
        return 2;
    }
    const float weight[2][3] = {{1, 2, 3}, {4, 5, 6}}, bias[2] = {0.5f, -0.5f};
    ptio_error err = {0};
    ptio_builder *b = NULL;
    if (ptio_builder_new(NULL, &b, &err) != PTIO_OK)
        return 1;
    ptio_value *model = ptio_new_ordered_dict(b), *root = ptio_new_dict(b);
    ptio_put(b, model, "fc.weight", ptio_new_tensor(b, PTIO_FLOAT32, 2, (int64_t[]){2, 3}, weight));
    ptio_put(b, model, "fc.bias", ptio_new_tensor(b, PTIO_FLOAT32, 1, (int64_t[]){2}, bias));
    ptio_put(b, root, "model", model);
    ptio_put(b, root, "step", ptio_new_int(b, 1000));
    /* No call above was checked: what failed first is told here. */
    if (ptio_builder_status(b, &err) == PTIO_OK)
        (void)ptio_save(root, argv[1], NULL, &err);
    if (err.status == PTIO_OK)
        printf("%s: %zu entries\n", argv[1], ptio_value_count(root));
    else
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    ptio_builder_free(b);
    return err.status == PTIO_OK ? 0 : 1;
}
