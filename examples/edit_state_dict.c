/*
 * Make a state dict slimmer: drop the biases, rename a layer, store floats as bfloat16, say what there will be, and save the whole.
 *
 *     edit_state_dict FILE [OUT]
 */
#include <stdio.h>
#include <string.h>

#include <ptio.h>

static bool is_bias(void *ctx, const ptio_value *key, const ptio_value *item)
{
    ptio_text name = ptio_value_str(key);
    (void)ctx;
    (void)item;
    return name.size >= 5 && memcmp(name.bytes + name.size - 5, ".bias", 5) == 0;
}

/* Nothing is read or converted here: that happens while it is saved. */
static void edit(ptio_builder *b, const ptio_value *state_dict)
{
    ptio_value *edited = ptio_edit(b, state_dict);
    ptio_remove_if(b, edited, is_bias, NULL);
    for (size_t i = 0; i < ptio_value_count(edited); i++) {
        const ptio_value *tensor = ptio_value_item(edited, i);
        ptio_text name = ptio_value_str(ptio_value_key(edited, i));
        if (name.size == 10 && memcmp(name.bytes, "fc1.weight", 10) == 0)
            ptio_rename(b, edited, i, ptio_new_str(b, "first.weight"));
        if (ptio_tensor_dtype(ptio_value_tensor(tensor)) == PTIO_FLOAT32)
            ptio_replace_value(b, tensor, ptio_new_cast(b, tensor, PTIO_BFLOAT16)); /* wherever it is */
    }
    ptio_put(b, edited, "version", ptio_new_int(b, 2));
}

static ptio_status list(const ptio_builder *b, const ptio_value *root, ptio_error *err)
{
    ptio_tensor_list *tensors;
    ptio_status status = ptio_list_tensors(ptio_builder_checkpoint(b), root, &tensors, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_tensor_list_count(tensors); i++) {
        const ptio_tensor_entry *entry = ptio_tensor_list_entry(tensors, i);
        ptio_print_escaped(entry->name, ptio_write_file, stdout, NULL);
        printf("  %s\n", ptio_dtype_name(ptio_tensor_dtype(entry->tensor)));
    }
    if (status == PTIO_OK)
        ptio_tensor_list_free(tensors);
    return status;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    ptio_builder *b = NULL;
    if (argc < 2 || argc > 3)
        return fprintf(stderr, "usage: edit_state_dict FILE [OUT]\n"), 2;
    if (ptio_load(argv[1], NULL, &ckpt, &err) == PTIO_OK && ptio_builder_new(NULL, &b, &err) == PTIO_OK) {
        const ptio_value *root = ptio_root(ckpt), *inner = ptio_value_get(root, "model_state_dict");
        edit(b, inner ? inner : root);
        /* No call in edit() was checked: what failed first is told here. */
        if (ptio_builder_status(b, &err) == PTIO_OK && list(b, root, &err) == PTIO_OK && argc == 3)
            (void)ptio_save(root, argv[2], &(ptio_save_options){PTIO_SAVE_OPTIONS, .edits = b}, &err);
    }
    if (err.status != PTIO_OK)
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    ptio_builder_free(b);
    ptio_checkpoint_free(ckpt);
    return err.status == PTIO_OK ? 0 : 1;
}
