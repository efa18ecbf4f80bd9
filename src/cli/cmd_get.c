/*
 * ptio get: one value, in a form that other programs read.
 *
 *     (none)    as Python prints it       --text    all numbers, a line for each row
 *     --raw     its bytes                 --json    JSON
 *     --npy     a file of NumPy
 *
 * Elements go from the file to the output in pieces, and of a slice only what it needs is read.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/get.h"
#include "cli/little.h"

ptio_status get_fail(ptio_error *err, ptio_status status, const char *reason, const char *format, ...)
{
    va_list arguments;
    *err = (ptio_error){.status = status, .reason = reason, .offset = PTIO_NO_OFFSET};
    va_start(arguments, format);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return status;
}

ptio_status get_goes_on(void)
{
    return cli_interrupted() || out_failed() ? PTIO_ERR_CANCELLED : PTIO_OK;
}

/* ---- tensors ---- */

ptio_status get_bytes(const wanted *w, ptio_error *err)
{
    pieces p;
    size_t itemsize = ptio_dtype_itemsize(w->dtype);
    ptio_status status = pieces_check(w->tensor, w->part.numel, w->options->load.limits, err);
    pieces_begin(&p, w->tensor, w->part.cuts, PIECES_IN_C_ORDER);
    while (status == PTIO_OK && pieces_next(&p)) {
        status = get_goes_on();
        if (status == PTIO_OK)
            status = pieces_read(&p, w->dtype, w->buffer, err);
        if (status != PTIO_OK)
            break;
        size_t size = (size_t)p.count * itemsize;
        little_endian(w->buffer, size, w->dtype);
        out_bytes(w->buffer, size);
    }
    return status;
}

/* The part as a tensor of its own. */
static ptio_status make_part(const wanted *w, ptio_builder *builder, const ptio_value **ret, ptio_error *err)
{
    ptio_slice slices[PIECES_DIMENSIONS];
    size_t itemsize = ptio_dtype_itemsize(w->dtype);
    ptio_status status = pieces_check(w->tensor, w->part.numel, w->options->load.limits, err);
    if (status != PTIO_OK)
        return status;
    for (size_t i = 0; i < ptio_tensor_ndim(w->tensor); i++) {
        const pieces_cut *cut = &w->part.cuts[i];
        slices[i] = (ptio_slice){cut->start, cut->start + (cut->count - 1) * cut->step + 1, cut->step};
        if (!cut->count)
            slices[i] = (ptio_slice){0, 0, 1};
    }
    void *bytes = w->part.numel < SIZE_MAX / itemsize ? malloc((size_t)w->part.numel * itemsize + 1) : NULL;
    status = bytes ? ptio_tensor_copy_slice(w->tensor, slices, w->dtype, bytes, w->part.numel * itemsize, err)
                   : get_fail(err, PTIO_ERR_MEMORY, "memory", "no memory for the elements");
    if (status == PTIO_OK) {
        *ret = ptio_new_tensor(builder, w->dtype, w->part.ndim, w->part.shape, bytes);
        status = ptio_builder_status(builder, err);
    }
    free(bytes);
    return status;
}

static ptio_status print(const cli_options *options, const ptio_value *value, ptio_error *err)
{
    ptio_print_options how;
    cli_print_options(options, &how);
    ptio_status status = ptio_print(value, &how, out_write, NULL, err);
    out_char('\n');
    return status;
}

/* Numbers in another dtype are those of a tensor of that dtype. */
static ptio_status get_words(const wanted *w, const ptio_value *value, ptio_error *err)
{
    ptio_builder *builder = NULL;
    const cli_options *options = w->options;
    wanted made = *w;
    bool is_cast = w->dtype != ptio_tensor_dtype(w->tensor), prints = options->form == CLI_FORM_PRINTED;
    ptio_status status = PTIO_OK;
    if (is_cast || (prints && options->slice)) {
        status = ptio_builder_new(NULL, &builder, err);
        if (status == PTIO_OK)
            status = make_part(w, builder, &value, err);
        made.tensor = ptio_value_tensor(value);
        if (status == PTIO_OK)
            status = slices_read(NULL, made.tensor, &made.part, err);
    }
    if (status == PTIO_OK)
        status = prints                           ? print(options, value, err)
                 : options->form == CLI_FORM_JSON ? get_tensor_json(&made, err)
                                                  : get_text(&made, err);
    if (status == PTIO_OK && options->form == CLI_FORM_JSON)
        out_char('\n');
    ptio_builder_free(builder);
    return status;
}

static bool is_packed(ptio_dtype dtype)
{
    return dtype == PTIO_QUINT4X2 || dtype == PTIO_QUINT2X4;
}

/* What has no elements in a row can only be printed. */
static ptio_status check_tensor(const cli_options *options, const ptio_tensor *tensor, ptio_error *err)
{
    bool as_it_is = options->form == CLI_FORM_PRINTED && !options->slice && !options->cast;
    if (as_it_is)
        return PTIO_OK;
    if (ptio_tensor_is_meta(tensor))
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.meta", "it is on the meta device and has no elements");
    if (!pieces_has_elements(tensor))
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.layout", "its layout is %s: \"ptio ls\" names the parts that can be got",
                        ptio_layout_name(ptio_tensor_layout(tensor)));
    if (ptio_tensor_quantizer(tensor).scheme != PTIO_NOT_QUANTIZED && !options->cast &&
        (options->form != CLI_FORM_RAW || is_packed(ptio_tensor_dtype(tensor))))
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.quantized",
                        "it is quantized: --cast float32 gives its numbers, --cast int32 the stored ones");
    return PTIO_OK;
}

static ptio_status get_tensor(const cli_options *options, const ptio_value *value, void *buffer, ptio_error *err)
{
    wanted w = {.options = options, .tensor = ptio_value_tensor(value), .buffer = buffer};
    ptio_status status = check_tensor(options, w.tensor, err);
    if (status == PTIO_OK)
        status = slices_read(options->slice, w.tensor, &w.part, err);
    if (status != PTIO_OK)
        return status;
    const ptio_storage *held = NULL;
    if (!options->slice && w.part.numel && pieces_has_elements(w.tensor))
        status = pieces_hold(w.tensor, &held, options->load.mmap, err);
    if (status != PTIO_OK)
        return status;
    w.dtype = options->cast ? options->cast : ptio_tensor_dtype(w.tensor);
    switch (options->form) {
    case CLI_FORM_RAW: return get_bytes(&w, err);
    case CLI_FORM_NPY: return get_npy(&w, err);
    case CLI_FORM_PRINTED:
    case CLI_FORM_TEXT:
    case CLI_FORM_JSON: break;
    }
    return get_words(&w, value, err);
}

/* ---- other values ---- */

static ptio_status get_raw(const ptio_value *value, ptio_error *err)
{
    const ptio_storage *storage = ptio_value_storage(value);
    ptio_text text = ptio_value_kind(value) == PTIO_KIND_STR ? ptio_value_str(value) : ptio_value_bytes(value);
    if (ptio_value_kind(value) == PTIO_KIND_NDARRAY)
        return get_array_bytes(value, err);
    if (storage) {
        const void *bytes;
        ptio_status status = ptio_storage_data(storage, &bytes, err);
        if (status == PTIO_OK && little_unit(ptio_storage_dtype(storage)) > 1 && !little_host())
            return get_fail(err, PTIO_ERR_UNSUPPORTED, "get.storage",
                            "the storage is not little-endian here: get a tensor of it");
        if (status == PTIO_OK)
            out_bytes(bytes, (size_t)ptio_storage_nbytes(storage));
        return status;
    }
    if (!text.bytes)
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.raw", "a value of kind %s has no bytes",
                        ptio_kind_name(ptio_value_kind(value)));
    out_bytes(text.bytes, text.size);
    return PTIO_OK;
}

static ptio_status get_value(const cli_options *options, const ptio_value *value, void *buffer, ptio_error *err)
{
    ptio_status status = PTIO_OK;
    if (options->slice || options->cast)
        return get_fail(err, PTIO_ERR_ARGUMENT, "get.kind", "only a tensor can be sliced and cast; this is a value of kind %s",
                        ptio_kind_name(ptio_value_kind(value)));
    switch (options->form) {
    case CLI_FORM_PRINTED:
    case CLI_FORM_TEXT: return print(options, value, err);
    case CLI_FORM_RAW: return get_raw(value, err);
    case CLI_FORM_JSON:
        status = get_value_json(options, value, buffer, err);
        out_char('\n');
        return status;
    case CLI_FORM_NPY: break;
    }
    if (ptio_value_kind(value) == PTIO_KIND_NDARRAY)
        return get_array_npy(value, err);
    return get_fail(err, PTIO_ERR_ARGUMENT, "get.npy", "a .npy file holds a tensor or an array; this is a value of kind %s",
                    ptio_kind_name(ptio_value_kind(value)));
}

/* ---- where to ---- */

static int run(const cli_options *options, const ptio_value *value)
{
    ptio_error err = {0};
    void *buffer = malloc(PIECES_BYTES);
    ptio_status status = !buffer                    ? get_fail(&err, PTIO_ERR_MEMORY, "memory", "out of memory")
                         : ptio_value_tensor(value) ? get_tensor(options, value, buffer, &err)
                                                    : get_value(options, value, buffer, &err);
    free(buffer);
    if (status == PTIO_OK || status == PTIO_ERR_CANCELLED)
        return CLI_GOOD; /* what could not be written is told by what wrote it */
    if (!options->out)
        (void)out_end(CLI_GOOD);
    err.status = status;
    return cli_fail(options->file, &err);
}

/* All or nothing: what fails, or is interrupted, leaves the file that was there. */
static int run_to_file(const cli_options *options, const ptio_value *value)
{
    ptio_error err = {0};
    ptio_sink *sink = NULL;
    cli_wait_when_interrupted(true);
    int code = CLI_GOOD;
    if (ptio_sink_open(options->out, &options->sink, &sink, &err) != PTIO_OK)
        code = cli_fail(options->out, &err);
    if (code == CLI_GOOD) {
        out_to(sink);
        code = run(options, value);
        ptio_status status = out_from_sink(&err);
        if (cli_interrupted())
            code = CLI_INTERRUPTED;
        if (code == CLI_GOOD && status == PTIO_OK)
            status = ptio_sink_finish(sink, &err);
        if (code == CLI_GOOD && status != PTIO_OK)
            code = cli_fail(options->out, &err);
    }
    ptio_sink_free(sink);
    cli_wait_when_interrupted(false);
    return code;
}

int cmd_get(const cli_options *options)
{
    cli_file file;
    bool to_file = options->out && strcmp(options->out, "-") != 0;
    if (!to_file && (options->form == CLI_FORM_RAW || options->form == CLI_FORM_NPY) && out_terminal_width())
        return cli_usage("get", "bytes are not for a terminal: write a file with -o FILE, or into a pipe", NULL);
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    code = to_file ? run_to_file(options, file.value) : run(options, file.value);
    cli_close(&file);
    return code;
}
