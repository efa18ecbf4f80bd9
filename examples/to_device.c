/* Put a checkpoint on a device, or say why not: to_device FILE [DEVICE]
 *
 * torch.load(file, map_location=device) */
#include <ptio.h>

#include <inttypes.h>

/* Where each tensor is, for kernels to work on. */
static ptio_status print_addresses(const ptio_checkpoint *ckpt, ptio_error *err)
{
    ptio_tensor_list *list;
    ptio_status status = ptio_list_tensors(ckpt, NULL, &list, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ptio_tensor_list_count(list) && status == PTIO_OK; i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(list, i);
        const ptio_storage *storage = ptio_tensor_storage(entry->tensor);
        uint64_t address = 0;
        if (!storage) /* its parts follow */
            continue;
        status = ptio_storage_device_data(storage, &address, err);
        address += (uint64_t)ptio_tensor_storage_offset(entry->tensor) * ptio_dtype_itemsize(ptio_tensor_dtype(entry->tensor));
        ptio_print_escaped(entry->name, ptio_write_file, stdout, NULL);
        printf("  at %#" PRIx64 "\n", address);
    }
    ptio_tensor_list_free(list);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: %s FILE [DEVICE]\n", argv[0]), 2;
    const ptio_map_location there = {.device = argc == 3 ? argv[2] : "cuda:0"};
    const ptio_load_options options = {PTIO_LOAD_OPTIONS, .map_location = &there};
    ptio_status status = ptio_load(argv[1], &options, &ckpt, &err);
    if (status == PTIO_OK)
        status = print_addresses(ckpt, &err);
    ptio_checkpoint_free(ckpt);
    if (status == PTIO_ERR_UNSUPPORTED) /* this machine has no such device: then on the CPU, without map_location */
        return printf("%s\n", err.message), 0;
    if (status != PTIO_OK)
        fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message);
    return status == PTIO_OK ? 0 : 1;
}
