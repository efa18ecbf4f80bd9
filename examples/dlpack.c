/* Hand a tensor to another library without a copy, by DLPack: dlpack FILE [PATH]
 *
 * torch.from_dlpack(tensor), numpy.from_dlpack(tensor) */
#include <ptio.h>

#include <inttypes.h>
#include <string.h>

/* As in dlpack.h of DLPack 1.0, which a program would include instead. */
typedef struct DLTensor {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;

struct DLManagedTensorVersioned {
    struct {
        uint32_t major, minor;
    } version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
};

/* The other library: it knows DLPack and nothing of checkpoints. */
static double sum_of(const DLTensor *t)
{
    double sum = 0;
    if (t->ndim != 1 || t->dtype.code != 2 || t->dtype.bits != 32)
        return sum;
    for (int64_t i = 0; i < t->shape[0]; i++) {
        float x;
        memcpy(&x, (const char *)t->data + t->byte_offset + (size_t)(i * t->strides[0]) * sizeof x, sizeof x);
        sum += (double)x;
    }
    return sum;
}

int main(int argc, char **argv)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt = NULL;
    struct DLManagedTensorVersioned *dl = NULL;
    if (argc != 2 && argc != 3)
        return fprintf(stderr, "usage: %s FILE [PATH]\n", argv[0]), 2;
    const char *path = argc == 3 ? argv[2] : "model_state_dict.fc1.bias";
    ptio_status status = ptio_load(argv[1], NULL, &ckpt, &err);
    if (status == PTIO_OK && !ptio_value_tensor(ptio_at(ckpt, path)))
        return ptio_checkpoint_free(ckpt), fprintf(stderr, "%s: no tensor at %s\n", argv[1], path), 1;
    if (status == PTIO_OK)
        status = ptio_tensor_to_dlpack(ptio_value_tensor(ptio_at(ckpt, path)), false, &dl, &err);
    ptio_checkpoint_free(ckpt); /* the tensor keeps what it needs */
    if (status != PTIO_OK)
        return fprintf(stderr, "%s: %s: %s\n", argv[1], err.record, err.message), 1;
    printf("%s: %" PRId32 " dimensions, sum %g\n", path, dl->dl_tensor.ndim, sum_of(&dl->dl_tensor));
    dl->deleter(dl);
    return 0;
}
