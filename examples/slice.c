/*
 * Look at a corner of every matrix of a checkpoint: m[:3, :4]. Of a file of 100 GB these are some hundred bytes that are read.
 *
 *     slice FILE
 */
#include <stdio.h>

#include <ptio.h>

static ptio_status print_corner(const ptio_tensor *matrix, ptio_error *err)
{
    static const ptio_slice corner[] = {{0, 3, 1}, {0, 4, 1}};
    int64_t shape[2];
    float elements[3 * 4];
    ptio_status status = ptio_tensor_slice_shape(matrix, corner, shape, err);
    if (status != PTIO_OK)
        return status;
    uint64_t count = (uint64_t)(shape[0] * shape[1]);
    status = ptio_tensor_copy_slice(matrix, corner, PTIO_FLOAT32, elements, count * sizeof *elements, err);
    for (uint64_t i = 0; status == PTIO_OK && i < count; i++)
        printf("%10.4f%s", (double)elements[i], (i + 1) % (uint64_t)shape[1] ? " " : "\n");
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_tensor_list *list = NULL;
    if (argc != 2)
        return fprintf(stderr, "usage: %s FILE\n", argv[0]), 2;
    ptio_status status = ptio_load(argv[1], NULL, &ckpt, &err);
    if (status == PTIO_OK)
        status = ptio_list_tensors(ckpt, NULL, &list, &err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_tensor_list_count(list); i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, i);
        if (ptio_tensor_ndim(entry->tensor) != 2 || ptio_tensor_is_meta(entry->tensor))
            continue;
        ptio_print_escaped(entry->name, ptio_write_file, stdout, NULL);
        printf("[:3, :4]\n");
        status = print_corner(entry->tensor, &err);
    }
    if (status != PTIO_OK)
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    ptio_tensor_list_free(list);
    ptio_checkpoint_free(ckpt);
    return status == PTIO_OK ? 0 : 1;
}
