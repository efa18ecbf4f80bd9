/*
 * --data-only: values that torch.load(weights_only=True) takes stay, whole modules become their state_dict, classes of dicts and tensors
 * that only a program knows become plain ones, NumPy's arrays tensors, and everything else goes. What goes and what changes is told on
 * standard error.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/arrays.h"
#include "cli/edit.h"

static int to_stderr(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    return fwrite(text, 1, size, stderr) == size ? 0 : -1;
}

/* "ptio: IN: what: NAME (CLASS)". A name of NULL is nobody's business: it is not saved anyway. */
static void tell(const editor *ed, const char *what, const char *name, ptio_text class_)
{
    if (!name)
        return;
    const char *file = strcmp(ed->options->file, "-") == 0 ? "standard input" : ed->options->file;
    (void)fputs("ptio: ", stderr);
    (void)ptio_print_escaped((ptio_text){file, strlen(file)}, to_stderr, NULL, NULL);
    (void)fprintf(stderr, ": %s: ", what);
    (void)ptio_print_escaped((ptio_text){name, strlen(name)}, to_stderr, NULL, NULL);
    (void)fputs(*name ? " (" : "(", stderr);
    (void)ptio_print_escaped(class_, to_stderr, NULL, NULL);
    (void)fputs(")\n", stderr);
}

static bool is_called(ptio_text text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.bytes, name, text.size) == 0;
}

static bool is_any_of(ptio_text text, const char *const *names)
{
    while (*names && !is_called(text, *names))
        names++;
    return *names != NULL;
}

const ptio_value *edit_detached(ptio_builder *builder, const ptio_value *value)
{
    const ptio_tensor *t = ptio_value_tensor(value);
    bool is_plain = is_called(ptio_value_class(value), "torch.Tensor") && !ptio_tensor_requires_grad(t);
    bool is_quantized = ptio_tensor_quantizer(t).scheme != PTIO_NOT_QUANTIZED;
    bool has_bits = ptio_tensor_is_conj(t) || ptio_tensor_is_neg(t);
    if (is_plain || !ptio_tensor_storage(t) || is_quantized || has_bits)
        return value;
    return ptio_new_view(builder, ptio_tensor_storage(t), ptio_tensor_dtype(t), ptio_tensor_ndim(t), ptio_tensor_shape(t),
                         ptio_tensor_stride(t), ptio_tensor_storage_offset(t), false);
}

static const ptio_value *fail(editor *ed)
{
    edit_builder_fail(ed, (ptio_text){"", 0});
    return NULL;
}

/* `_version` of the class of a module: 1 but for those of torch that have changed what they save. Source: torch/nn, torch/ao/nn */
static int64_t version_of(ptio_text class_)
{
    static const struct {
        const char *front; /* of the name of the class */
        int64_t version;
    } rows[] = {{"torch.nn.modules.batchnorm.", 2},
                {"torch.nn.modules.instancenorm.", 2},
                {"torch.ao.quantization.observer.HistogramObserver", 3},
                {"torch.ao.quantization.observer.MinMaxObserver", 3},
                {"torch.ao.quantization.observer.MovingAverage", 3},
                {"torch.ao.quantization.observer.PerChannelMinMaxObserver", 3},
                {"torch.ao.nn.quantized.modules.batchnorm.", 2},
                {"torch.ao.nn.quantized.modules.linear.", 3},
                {"torch.ao.nn.quantized.modules.normalization.InstanceNorm", 2},
                {"torch.ao.nn.quantized.dynamic.modules.linear.", 4},
                {"torch.ao.nn.quantized.dynamic.modules.rnn.GRU", 2},
                {"torch.ao.nn.quantized.dynamic.modules.rnn.LSTM", 2}};
    static const char cell[] = "Cell"; /* GRUCell is no GRU */
    bool is_cell = class_.size >= 4 && memcmp(class_.bytes + class_.size - 4, cell, 4) == 0;
    for (size_t i = 0; !is_cell && i < sizeof rows / sizeof *rows; i++)
        if (class_.size >= strlen(rows[i].front) && memcmp(class_.bytes, rows[i].front, strlen(rows[i].front)) == 0)
            return rows[i].version;
    return 1;
}

/* `_metadata` of a state_dict: the version of each module, by its name. */
static bool note_versions(editor *ed, ptio_value *dict, const ptio_module *module)
{
    ptio_value *notes = ptio_new_ordered_dict(ed->builder);
    for (size_t i = 0; notes && i < ptio_module_count(module); i++) {
        const ptio_module_entry *entry = ptio_module_entry_at(module, i);
        const ptio_value *name =
            entry->name.size ? ptio_new_str_n(ed->builder, entry->name.bytes, entry->name.size) : ptio_new_name(ed->builder, "");
        const ptio_value *version = ptio_new_int(ed->builder, version_of(entry->class_name));
        ptio_value *note = ptio_new_dict(ed->builder);
        if (!ptio_put_key(ed->builder, note, ptio_new_name(ed->builder, "version"), version) ||
            !ptio_put_key(ed->builder, notes, name, note))
            return false;
    }
    return notes && ptio_set_attribute(ed->builder, dict, "_metadata", notes);
}

/* An OrderedDict, as module.state_dict() makes it. A tensor that is there under two names has one storage, and is two tensors. */
static const ptio_value *state_dict(editor *ed, const ptio_value *value)
{
    ptio_error err = {0};
    ptio_module *module = NULL;
    if (ptio_module_open(ed->file->ckpt, value, &module, &err) != PTIO_OK) {
        ed->code = cli_fail(ed->options->file, &err);
        return NULL;
    }
    ptio_value *dict = ptio_new_ordered_dict(ed->builder);
    for (size_t i = 0; dict && i < ptio_module_state_count(module); i++) {
        const ptio_module_state *state = ptio_module_state_at(module, i);
        const ptio_value *item =
            ptio_value_kind(state->value) == PTIO_KIND_TENSOR ? edit_detached(ed->builder, state->value) : state->value;
        if (!ptio_put_key(ed->builder, dict, ptio_new_str_n(ed->builder, state->name.bytes, state->name.size), item))
            dict = NULL;
    }
    if (dict && !note_versions(ed, dict, module))
        dict = NULL;
    ptio_module_free(module);
    return dict ? dict : fail(ed);
}

static const ptio_value *plain_dict(editor *ed, const ptio_value *value)
{
    ptio_value *dict = ptio_new_dict(ed->builder);
    for (size_t i = 0; dict && i < ptio_value_count(value); i++)
        if (!ptio_put_key(ed->builder, dict, ptio_value_key(value, i), ptio_value_item(value, i)))
            dict = NULL;
    return dict ? dict : fail(ed);
}

static const ptio_value *plain_set(editor *ed, const ptio_value *value)
{
    size_t count = ptio_value_count(value);
    const ptio_value **items = malloc((count + 1) * sizeof *items), *set = NULL;
    for (size_t i = 0; items && i < count; i++)
        items[i] = ptio_value_item(value, i);
    if (items)
        set = ptio_new_set(ed->builder, items, count);
    else
        (void)edit_no_memory(ed);
    free(items);
    return set || ed->code ? set : fail(ed);
}

/* What a value of NumPy becomes, if anything. */
static const ptio_value *of_numpy(editor *ed, const ptio_value *value, const ptio_value *made, const char *what, const char *name)
{
    tell(ed, made ? what : "left out", name, ptio_value_class(value));
    return made || ptio_builder_status(ed->builder, NULL) == PTIO_OK ? made : fail(ed);
}

const ptio_value *edit_as_data(editor *ed, const ptio_value *value, const char *name)
{
    static const char *const dicts[] = {"builtins.dict", "collections.OrderedDict", "collections.Counter", NULL};
    static const char *const tensors[] = {"torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", NULL};
    ptio_text class_ = ptio_value_class(value);
    switch (ptio_value_kind(value)) {
    case PTIO_KIND_OBJECT:
        if (ptio_value_is_module(value)) {
            tell(ed, "now its state_dict", name, class_);
            return state_dict(ed, value);
        }
        tell(ed, "left out", name, class_);
        return NULL;
    case PTIO_KIND_FROZENSET: tell(ed, "now a set", name, class_); return plain_set(ed, value);
    case PTIO_KIND_MEMORY_FORMAT:
    case PTIO_KIND_GENERATOR:
    case PTIO_KIND_GLOBAL: tell(ed, "left out", name, class_); return NULL;
    case PTIO_KIND_DICT:
        if (is_any_of(class_, dicts))
            return value;
        tell(ed, "now a dict", name, class_);
        return plain_dict(ed, value);
    case PTIO_KIND_TENSOR: {
        if (is_any_of(class_, tensors))
            return value;
        const ptio_value *plain = edit_detached(ed->builder, value);
        tell(ed, plain == value ? "left out" : "now a torch.Tensor", name, class_);
        if (!plain)
            return fail(ed);
        return plain == value ? NULL : plain;
    }
    case PTIO_KIND_NDARRAY: return of_numpy(ed, value, cli_array_tensor(ed->builder, value), "now a torch.Tensor", name);
    case PTIO_KIND_NPSCALAR: return of_numpy(ed, value, cli_scalar_number(ed->builder, value), "now a number", name);
    case PTIO_KIND_NPDTYPE: return of_numpy(ed, value, NULL, "", name);
    default: return value;
    }
}
