/*
 * What people do with torch.nn in Python: define a network, save its state_dict, load it into another, predict.
 *
 *     simplenet OUT.pt
 *
 *     class SimpleNet(nn.Module):
 *         def __init__(self):
 *             super().__init__()
 *             self.fc1 = nn.Linear(2, 2)
 *             self.fc2 = nn.Linear(2, 1)
 *         def forward(self, x):
 *             return self.fc2(torch.relu(self.fc1(x)))
 */
#include <stdio.h>

#include <ptio.h>

typedef struct simple_net {
    float fc1_weight[2][2], fc1_bias[2];
    float fc2_weight[1][2], fc2_bias[1];
} simple_net;

enum { PARAMETERS = 4 };

/* model.named_parameters() */
static void name_parameters(simple_net *net, ptio_parameter *parameters)
{
    static const int64_t fc1_weight[] = {2, 2}, fc1_bias[] = {2}, fc2_weight[] = {1, 2}, fc2_bias[] = {1};
    const ptio_parameter rows[PARAMETERS] = {
        {.name = "fc1.weight", .dtype = PTIO_FLOAT32, .ndim = 2, .shape = fc1_weight, .data = net->fc1_weight},
        {.name = "fc1.bias", .dtype = PTIO_FLOAT32, .ndim = 1, .shape = fc1_bias, .data = net->fc1_bias},
        {.name = "fc2.weight", .dtype = PTIO_FLOAT32, .ndim = 2, .shape = fc2_weight, .data = net->fc2_weight},
        {.name = "fc2.bias", .dtype = PTIO_FLOAT32, .ndim = 1, .shape = fc2_bias, .data = net->fc2_bias},
    };
    for (int i = 0; i < PARAMETERS; i++)
        parameters[i] = rows[i];
}

static float forward(const simple_net *net, float a, float b)
{
    float out = net->fc2_bias[0];
    for (int i = 0; i < 2; i++) {
        float hidden = net->fc1_weight[i][0] * a + net->fc1_weight[i][1] * b + net->fc1_bias[i];
        out += net->fc2_weight[0][i] * (hidden > 0 ? hidden : 0);
    }
    return out;
}

/* torch.save(net.state_dict(), path) */
static ptio_status save(simple_net *net, const char *path, ptio_error *err)
{
    ptio_parameter parameters[PARAMETERS];
    ptio_builder *b = NULL;
    ptio_status status = ptio_builder_new(NULL, &b, err);
    if (status != PTIO_OK)
        return status;
    name_parameters(net, parameters);
    ptio_value *state_dict = ptio_new_ordered_dict(b);
    for (int i = 0; i < PARAMETERS; i++) {
        const ptio_parameter *p = &parameters[i];
        ptio_put(b, state_dict, p->name, ptio_new_tensor(b, p->dtype, p->ndim, p->shape, p->data));
    }
    status = ptio_builder_status(b, err);
    if (status == PTIO_OK)
        status = ptio_save(state_dict, path, NULL, err);
    ptio_builder_free(b);
    return status;
}

/* net.load_state_dict(torch.load(path)) */
static ptio_status load(simple_net *net, const char *path, ptio_error *err)
{
    ptio_parameter parameters[PARAMETERS];
    ptio_checkpoint *ckpt = NULL;
    const ptio_incompatible *keys = NULL;
    ptio_status status = ptio_load(path, NULL, &ckpt, err);
    if (status != PTIO_OK)
        return status;
    name_parameters(net, parameters);
    status = ptio_load_state_dict(ckpt, NULL, parameters, PARAMETERS,
                                  &(ptio_state_dict_options){PTIO_STATE_DICT_OPTIONS, .class_name = "SimpleNet"}, &keys, err);
    if (status != PTIO_OK && keys)
        fprintf(stderr, "%s\n", keys->text);
    ptio_incompatible_free(keys);
    ptio_checkpoint_free(ckpt);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: %s OUT.pt\n", argv[0]), 2;
    /* Weights of which the network tells whether exactly one of its inputs is 1. */
    simple_net trained = {{{1, 1}, {1, 1}}, {0, -1}, {{1, -2}}, {0}}, net = {0};
    ptio_error err = {0};
    if (save(&trained, argv[1], &err) != PTIO_OK || load(&net, argv[1], &err) != PTIO_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
        return 1;
    }
    int wrong = 0;
    for (int i = 0; i < 4; i++) {
        int a = i & 1, b = i >> 1;
        float out = forward(&net, (float)a, (float)b);
        printf("net(%d, %d) = %g\n", a, b, (double)out);
        wrong += out != (float)(a ^ b);
    }
    return wrong ? 1 : 0;
}
