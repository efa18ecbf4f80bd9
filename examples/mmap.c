/* Tensors that are views into the file: nothing is read until it is looked at, and what is written stays in this process. mmap FILE
 *
 * torch.load(file, mmap=True) */
#include <ptio.h>

#include <string.h>

/* The first tensor with elements, set to zero: pages of a private map are copied when they are written. */
static ptio_status clear_first(const ptio_checkpoint *ckpt, ptio_error *err)
{
    ptio_tensor_list *list;
    ptio_status status = ptio_list_tensors(ckpt, NULL, &list, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ptio_tensor_list_count(list) && status == PTIO_OK; i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, i);
        const ptio_storage *storage = ptio_tensor_storage(entry->tensor);
        void *bytes;
        if (!storage || !ptio_storage_nbytes(storage))
            continue;
        status = ptio_storage_writable(storage, &bytes, err);
        if (status == PTIO_OK) {
            memset(bytes, 0, (size_t)ptio_storage_nbytes(storage));
            ptio_print_escaped(entry->name, ptio_write_file, stdout, NULL);
            printf(" is zero here, and in the file as it was\n");
        }
        break;
    }
    ptio_tensor_list_free(list);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    /* With .mmap_shared = true the file itself would change. Nobody may cut a file while it is mapped. */
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .mmap = true};
    if (ptio_load(argv[1], &options, &ckpt, &err) == PTIO_OK)
        clear_first(ckpt, &err);
    if (err.status)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    ptio_checkpoint_free(ckpt);
    return err.status ? 1 : 0;
}
