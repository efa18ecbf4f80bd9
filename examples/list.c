/* Names, dtypes and shapes of all tensors in a checkpoint: list FILE */
#include <ptio.h>

#include <inttypes.h>

static void print_entry(const ptio_tensor_entry *entry)
{
    const ptio_tensor *tensor = entry->tensor;
    const int64_t *shape = ptio_tensor_shape(tensor);
    /* Names come from the file: escaped, they cannot drive a terminal. */
    ptio_print_escaped(entry->name, ptio_write_file, stdout, NULL);
    printf("  %s  [", ptio_dtype_name(ptio_tensor_dtype(tensor)));
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++)
        printf("%s%" PRId64, i ? ", " : "", shape[i]);
    printf("]\n");
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_tensor_list *list = NULL;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    if (ptio_load(argv[1], NULL, &ckpt, &err) == PTIO_OK && ptio_list_tensors(ckpt, NULL, &list, &err) == PTIO_OK) {
        for (size_t i = 0; i < ptio_tensor_list_count(list); i++)
            print_entry(ptio_tensor_list_entry(list, i));
        ptio_tensor_totals totals = ptio_tensor_list_totals(list);
        printf("%" PRIu64 " tensors of %" PRIu64 " elements, in %" PRIu64 " storages of %" PRIu64 " bytes\n", totals.tensors,
               totals.elements, totals.storages, totals.storage_bytes);
    }
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    ptio_tensor_list_free(list); /* both take NULL */
    ptio_checkpoint_free(ckpt);
    return err.status ? 1 : 0;
}
