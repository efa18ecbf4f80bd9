/* One tensor as numbers, whatever its dtype and strides: read_tensor FILE [PATH]; without a path, the first one of the file. */
#include <ptio.h>

#include <stdlib.h>

static const ptio_tensor *find(const ptio_checkpoint *ckpt, const char *path, ptio_error *err)
{
    ptio_tensor_list *list = NULL;
    const ptio_tensor *first = NULL;
    if (path)
        return ptio_value_tensor(ptio_at(ckpt, path));
    if (ptio_list_tensors(ckpt, NULL, &list, err) == PTIO_OK && ptio_tensor_list_count(list) > 0)
        first = ptio_tensor_list_entry(list, 0)->tensor; /* belongs to the checkpoint, not to the list */
    ptio_tensor_list_free(list);
    return first;
}

static ptio_status print_elements(const ptio_tensor *tensor, ptio_error *err)
{
    uint64_t numel = ptio_tensor_numel(tensor);
    double *elements = calloc(numel ? (size_t)numel : 1, sizeof *elements);
    if (!elements)
        return PTIO_ERR_MEMORY;
    ptio_status status = ptio_tensor_copy(tensor, PTIO_FLOAT64, elements, numel * sizeof *elements, err);
    for (uint64_t i = 0; status == PTIO_OK && i < numel; i++)
        printf("%.9g\n", elements[i]);
    free(elements);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: %s FILE [PATH]\n", argv[0]), 2;
    ptio_status status = ptio_load(argv[1], NULL, &ckpt, &err);
    if (status == PTIO_OK) {
        const ptio_tensor *tensor = find(ckpt, argc == 3 ? argv[2] : NULL, &err);
        status = tensor ? print_elements(tensor, &err) : PTIO_ERR_NOT_FOUND;
    }
    if (status != PTIO_OK)
        fprintf(stderr, "%s: %s. %s\n", argv[1], ptio_status_text(status), err.message);
    ptio_checkpoint_free(ckpt);
    return status == PTIO_OK ? 0 : 1;
}
