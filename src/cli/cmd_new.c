/*
 * ptio new: a state dict of arrays.
 */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <unistd.h>

#include "cli/arrays.h"
#include "cli/edit.h"

static int fail(const char *file, ptio_status status, const char *what)
{
    ptio_error err = {.status = status, .reason = "new", .offset = PTIO_NO_OFFSET};
    (void)snprintf(err.message, sizeof err.message, "%s", what);
    return cli_fail(file, &err);
}

static int fail_builder(const ptio_builder *builder, const char *file)
{
    ptio_error err = {0};
    (void)ptio_builder_status(builder, &err);
    return cli_fail(file, &err);
}

/* A plain tensor of its own: the array, or the tensor without class and gradient. */
static int tensor_of(ptio_builder *builder, const ptio_value *value, const char *file, const ptio_value **ret)
{
    const ptio_tensor *t = ptio_value_tensor(value);
    *ret = NULL;
    if (ptio_value_kind(value) == PTIO_KIND_NDARRAY)
        *ret = cli_array_tensor(builder, value);
    else if (t)
        *ret = edit_detached(builder, value);
    if (*ret)
        return CLI_GOOD;
    if (ptio_builder_status(builder, NULL) != PTIO_OK)
        return fail_builder(builder, file);
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_NDARRAY: return fail(file, PTIO_ERR_UNSUPPORTED, "PyTorch has no dtype for the elements of this array");
    case PTIO_KIND_DICT: return fail(file, PTIO_ERR_ARGUMENT, "it holds a dict: name the tensor in it, as FILE:PATH");
    default: return fail(file, PTIO_ERR_ARGUMENT, "this is neither an array nor a tensor");
    }
}

/* FILE or FILE:PATH; a file of the whole name comes first. Writes a NUL over the colon. */
static const char *split_path(char *file)
{
    char *colon = strrchr(file, ':');
    if (access(file, F_OK) == 0 || !colon || colon == file)
        return NULL;
    *colon = '\0';
    if (strcmp(file, "-") == 0 || access(file, F_OK) == 0)
        return colon + 1;
    *colon = ':';
    return NULL;
}

static int put(const cli_options *options, ptio_builder *builder, ptio_value *dict, char *argument)
{
    ptio_error err = {0};
    ptio_checkpoint *ckpt;
    const ptio_value *tensor;
    char *equals = strchr(argument, '=');
    if (!equals || equals == argument || !equals[1])
        return cli_usage("new", "this is no NAME=FILE:", argument);
    char *file = equals + 1;
    const char *path = split_path(file);
    ptio_status status =
        strcmp(file, "-") == 0 ? ptio_load_fd(0, &options->load, &ckpt, &err) : ptio_load(file, &options->load, &ckpt, &err);
    if (status != PTIO_OK)
        return cli_fail(file, &err);
    const ptio_value *value = path ? ptio_at(ckpt, path) : ptio_root(ckpt);
    int code = value ? tensor_of(builder, value, file, &tensor) : cli_no_path(file, path);
    ptio_builder_hold(builder, ckpt);
    ptio_checkpoint_free(ckpt);
    if (code != CLI_GOOD)
        return code;
    size_t count = ptio_value_count(dict);
    if (!ptio_put_key(builder, dict, ptio_new_str_n(builder, argument, (size_t)(equals - argument)), tensor))
        return fail_builder(builder, argument);
    return ptio_value_count(dict) > count ? CLI_GOOD : cli_usage("new", "this name comes twice:", argument);
}

int cmd_new(const cli_options *options)
{
    ptio_error err = {0};
    ptio_builder *builder = NULL;
    if (ptio_builder_new(NULL, &builder, &err) != PTIO_OK)
        return cli_fail(options->out, &err);
    ptio_value *dict = ptio_new_dict(builder);
    int code = dict ? CLI_GOOD : fail_builder(builder, options->out);
    for (size_t i = 0; code == CLI_GOOD && i < options->array_count; i++)
        code = put(options, builder, dict, options->arrays[i]);
    if (code == CLI_GOOD)
        code = cli_save(options, dict, &options->save);
    ptio_builder_free(builder);
    return code;
}
