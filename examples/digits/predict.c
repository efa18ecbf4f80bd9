/*
 * Recognise handwritten digits with a network that PyTorch trained, without PyTorch: predict digits.pth images.pth
 *
 * train.py made both files. The network is fc2(relu(fc1(pixels))); its forward pass is written out below in plain C.
 */
#include <ptio.h>

#include <stdlib.h>

enum { IMAGES = 360, PIXELS = 64, HIDDEN = 32, DIGITS = 10 };

static float fc1_weight[HIDDEN][PIXELS], fc1_bias[HIDDEN];
static float fc2_weight[DIGITS][HIDDEN], fc2_bias[DIGITS];
static float images[IMAGES][PIXELS]; /* from 0, white, to 16, black */
static uint8_t labels[IMAGES], by_pytorch[IMAGES];

static void check(ptio_status status, const char *what, const ptio_error *err)
{
    if (status == PTIO_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

/* The elements of the tensor at `path`, in C order, cast to `dtype`. */
static void copy(const ptio_checkpoint *ckpt, const char *path, ptio_dtype dtype, void *buffer, size_t size)
{
    ptio_error err = {0};
    const ptio_tensor *tensor = ptio_value_tensor(ptio_at(ckpt, path));
    check(ptio_tensor_copy(tensor, dtype, buffer, size, &err), path, &err);
}

static int recognise(const float *pixels)
{
    float hidden[HIDDEN], scores[DIGITS];
    int best = 0;
    for (int i = 0; i < HIDDEN; i++) {
        hidden[i] = fc1_bias[i];
        for (int k = 0; k < PIXELS; k++)
            hidden[i] += fc1_weight[i][k] * pixels[k] / 16;
        hidden[i] = hidden[i] > 0 ? hidden[i] : 0;
    }
    for (int i = 0; i < DIGITS; i++) {
        scores[i] = fc2_bias[i];
        for (int k = 0; k < HIDDEN; k++)
            scores[i] += fc2_weight[i][k] * hidden[k];
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    ptio_checkpoint *network = NULL, *data = NULL;
    ptio_error err = {0};
    if (argc != 3)
        return fprintf(stderr, "usage: %s digits.pth images.pth\n", argv[0]), 2;
    check(ptio_load(argv[1], NULL, &network, &err), argv[1], &err);
    check(ptio_load(argv[2], NULL, &data, &err), argv[2], &err);
    copy(network, "model_state_dict.fc1.weight", PTIO_FLOAT32, fc1_weight, sizeof fc1_weight);
    copy(network, "model_state_dict.fc1.bias", PTIO_FLOAT32, fc1_bias, sizeof fc1_bias);
    copy(network, "model_state_dict.fc2.weight", PTIO_FLOAT32, fc2_weight, sizeof fc2_weight);
    copy(network, "model_state_dict.fc2.bias", PTIO_FLOAT32, fc2_bias, sizeof fc2_bias);
    copy(data, "images", PTIO_FLOAT32, images, sizeof images); /* saved as uint8 */
    copy(data, "labels", PTIO_UINT8, labels, sizeof labels);
    copy(data, "predicted", PTIO_UINT8, by_pytorch, sizeof by_pytorch);
    ptio_checkpoint_free(network);
    ptio_checkpoint_free(data);

    int correct = 0, same = 0;
    for (int i = 0; i < IMAGES; i++) {
        correct += recognise(images[i]) == labels[i];
        same += recognise(images[i]) == by_pytorch[i];
    }
    printf("%d of %d correct: accuracy %.2f %%\n", correct, IMAGES, 100.0 * correct / IMAGES);
    printf("the same answer as PyTorch: %d of %d\n", same, IMAGES);
    return same == IMAGES ? 0 : 1;
}
