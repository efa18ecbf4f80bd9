/* A stranger's program: one tensor of a checkpoint, named. It is C and C++, and knows the installed header alone. */
#include <ptio.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    static const char name[] = "model_state_dict.fc1.weight";
    ptio_load_options options;
    ptio_checkpoint *ckpt = NULL;
    ptio_error err = {PTIO_OK, NULL, 0, "", "", ""};
    ptio_load_options_init(&options);
    if (argc != 2 || ptio_load(argv[1], &options, &ckpt, &err) != PTIO_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const ptio_tensor *tensor = ptio_value_tensor(ptio_at(ckpt, name));
    const int64_t *shape = ptio_tensor_shape(tensor);
    if (shape)
        printf("%s: %d x %d of %s\n", name, (int)shape[0], (int)shape[1], ptio_dtype_name(ptio_tensor_dtype(tensor)));
    ptio_checkpoint_free(ckpt);
    return shape ? 0 : 1;
}
