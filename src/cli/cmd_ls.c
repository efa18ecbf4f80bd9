/*
 * ptio ls: the tensors.
 *
 * Columns as wide as their longest entry, found in a first pass. Nothing of a storage is read, but for --hash.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/hash.h"
#include "cli/json_out.h"

static bool is_composed(const ptio_tensor *tensor)
{
    return ptio_tensor_layout(tensor) != PTIO_STRIDED;
}

static bool is_nested(const ptio_tensor *tensor)
{
    ptio_layout layout = ptio_tensor_layout(tensor);
    return layout == PTIO_NESTED || layout == PTIO_JAGGED;
}

/* ---- JSON ---- */

static bool has_hash(const ptio_tensor *tensor)
{
    return !is_composed(tensor) && ptio_tensor_storage(tensor) && !hash_is_packed(ptio_tensor_dtype(tensor));
}

static void json_hash(const ptio_tensor *tensor, const uint8_t *hash)
{
    out_json_key(false, "sha256");
    if (has_hash(tensor))
        out_json_hex(hash, HASH_BYTES);
    else
        out_string("null");
}

static ptio_status json_line(const ptio_tensor_list *list, size_t index, bool hash, ptio_error *err)
{
    const ptio_tensor_entry *e = ptio_tensor_list_entry(list, index);
    const ptio_tensor *t = e->tensor;
    size_t ndim = ptio_tensor_ndim(t);
    const int64_t *stride = ptio_tensor_stride(t);
    uint8_t sum[HASH_BYTES];
    if (hash && has_hash(t)) { /* first of all: of a tensor that cannot be read there is no line */
        ptio_status status = hash_tensor(t, sum, err);
        if (status != PTIO_OK)
            return status;
    }
    out_literal("{\"path\":");
    out_json_path(list, index);
    out_literal(",\"name\":");
    out_json_string(e->name);
    out_literal(",\"dtype\":\"");
    out_string(ptio_dtype_name(ptio_tensor_dtype(t)));
    out_char('"');
    out_literal(",\"shape\":");
    if (is_nested(t))
        out_string("null");
    else
        out_json_ints(ptio_tensor_shape(t), ndim);
    out_literal(",\"stride\":");
    if (is_composed(t) || (!stride && ndim))
        out_string("null");
    else
        out_json_ints(stride, ndim);
    out_literal(",\"offset\":");
    if (is_composed(t))
        out_string("null");
    else
        out_i64(ptio_tensor_storage_offset(t));
    out_json_key(false, "device");
    out_json_string(ptio_tensor_device(t));
    out_literal(",\"requires_grad\":");
    out_json_bool(e->requires_grad);
    out_literal(",\"layout\":\"");
    out_string(ptio_layout_name(ptio_tensor_layout(t)));
    out_char('"');
    out_literal(",\"storage\":");
    if (e->storage < 0)
        out_string("null");
    else
        out_i64(e->storage);
    if (hash)
        json_hash(t, sum);
    out_string("}\n");
    return PTIO_OK;
}

/* ---- a table for people ---- */

typedef struct table {
    const ptio_tensor_list *list;
    size_t count; /* entries shown */
    size_t name, dtype, shape;
    uint32_t *uses; /* of each storage, by its number */
    size_t storages;
} table;

static size_t digits(uint64_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

/* [2, 3] */
static size_t shape_size(const ptio_tensor *tensor)
{
    size_t ndim = ptio_tensor_ndim(tensor), size = 2;
    if (is_nested(tensor))
        return strlen("nested");
    for (size_t i = 0; i < ndim; i++)
        size += digits((uint64_t)ptio_tensor_shape(tensor)[i]) + (i ? 2 : 0);
    return size;
}

static void write_shape(const ptio_tensor *tensor)
{
    if (is_nested(tensor)) {
        out_string("nested");
        return;
    }
    out_char('[');
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++) {
        if (i)
            out_string(", ");
        out_i64(ptio_tensor_shape(tensor)[i]);
    }
    out_char(']');
}

static int count_bytes(void *ctx, const char *text, size_t size)
{
    size_t *columns = ctx;
    for (size_t i = 0; i < size; i++)
        *columns += (text[i] & 0xC0) != 0x80; /* characters, not bytes */
    return 0;
}

static size_t escaped_size(ptio_text text)
{
    size_t size = 0;
    if (out_is_plain(text))
        return text.size;
    (void)ptio_print_escaped(text, count_bytes, &size, NULL);
    return size;
}

static void widen(size_t *width, size_t size)
{
    if (size > *width)
        *width = size;
}

/* The name of the root is empty. */
static ptio_text shown_name(const ptio_tensor_entry *e)
{
    return e->path_count ? e->name : (ptio_text){"(root)", 6};
}

static bool measure(table *t)
{
    size_t all = ptio_tensor_list_count(t->list);
    t->name = t->dtype = t->shape = 5;
    for (size_t i = 0; i < all; i++) {
        int64_t storage = ptio_tensor_list_entry(t->list, i)->storage;
        if (storage >= 0 && (uint64_t)storage >= t->storages)
            t->storages = (size_t)storage + 1;
    }
    t->uses = calloc(t->storages + 1, sizeof *t->uses);
    if (!t->uses)
        return false;
    for (size_t i = 0; i < all; i++) {
        const ptio_tensor_entry *e = ptio_tensor_list_entry(t->list, i);
        if (e->storage >= 0)
            t->uses[e->storage]++;
        if (i >= t->count)
            continue;
        size_t size = escaped_size(shown_name(e));
        widen(&t->name, size < 60 ? size : 60);
        widen(&t->dtype, strlen(ptio_dtype_name(ptio_tensor_dtype(e->tensor))));
        size = shape_size(e->tensor);
        widen(&t->shape, size < 40 ? size : 40);
    }
    return true;
}

static void pad(size_t used, size_t width)
{
    out_spaces(used < width ? width - used + 2 : 2);
}

static uint64_t tensor_bytes(const ptio_tensor *tensor)
{
    return ptio_tensor_numel(tensor) * ptio_dtype_itemsize(ptio_tensor_dtype(tensor));
}

/* What is not as usual: other devices, layouts, shared memory. */
static void write_notes(const table *t, const ptio_tensor_entry *e)
{
    ptio_text location = ptio_storage_location(ptio_tensor_storage(e->tensor));
    if (ptio_tensor_is_meta(e->tensor)) {
        out_string("  meta");
    } else if (location.size && !(location.size == 3 && memcmp(location.bytes, "cpu", 3) == 0)) {
        out_string("  ");
        out_escaped(location);
    }
    if (is_composed(e->tensor)) {
        out_string("  ");
        out_string(is_nested(e->tensor) ? "nested" : ptio_layout_name(ptio_tensor_layout(e->tensor)) + strlen("torch."));
    }
    if (e->requires_grad)
        out_string("  grad");
    if (e->storage >= 0 && t->uses[e->storage] > 1) {
        out_string("  shares storage ");
        out_i64(e->storage);
    }
}

static void write_row(const table *t, const ptio_tensor_entry *e)
{
    ptio_text name = shown_name(e);
    const char *dtype = ptio_dtype_name(ptio_tensor_dtype(e->tensor));
    out_escaped(name);
    pad(escaped_size(name), t->name);
    out_string(dtype);
    pad(strlen(dtype), t->dtype);
    write_shape(e->tensor);
    pad(shape_size(e->tensor), t->shape);
    uint64_t bytes = tensor_bytes(e->tensor);
    if (is_composed(e->tensor))
        out_string("         -");
    else {
        out_spaces(digits(bytes) < 10 ? 10 - digits(bytes) : 0);
        out_u64(bytes);
    }
    write_notes(t, e);
    out_char('\n');
}

static void write_totals(const ptio_tensor_list *list)
{
    ptio_tensor_totals totals = ptio_tensor_list_totals(list);
    out_char('\n');
    out_u64(totals.tensors);
    out_string(totals.tensors == 1 ? " tensor, " : " tensors, ");
    out_u64(totals.elements);
    out_string(" elements, ");
    out_size(totals.tensor_bytes);
    out_string("; ");
    out_u64(totals.storages);
    out_string(totals.storages == 1 ? " storage, " : " storages, ");
    out_size(totals.storage_bytes);
    if (totals.shared) {
        out_string(", ");
        out_u64(totals.shared);
        out_string(" shared");
    }
    out_char('\n');
}

static bool write_table(const ptio_tensor_list *list, size_t count)
{
    table t = {.list = list, .count = count};
    if (!measure(&t))
        return false;
    out_paint_as(OUT_BOLD);
    out_string("name");
    pad(4, t.name);
    out_string("dtype");
    pad(5, t.dtype);
    out_string("shape");
    pad(5, t.shape);
    out_string("     bytes");
    out_paint_as(OUT_PLAIN);
    out_char('\n');
    for (size_t i = 0; i < count; i++)
        write_row(&t, ptio_tensor_list_entry(list, i));
    if (count < ptio_tensor_list_count(list))
        out_string("...\n");
    free(t.uses);
    write_totals(list);
    return true;
}

int cmd_ls(const cli_options *options)
{
    cli_file file;
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    ptio_error err = {0};
    ptio_tensor_list *list = NULL;
    ptio_status status = ptio_list_tensors(file.ckpt, options->path ? file.value : NULL, &list, &err);
    size_t count = ptio_tensor_list_count(list);
    if (options->head && options->head < count)
        count = (size_t)options->head;
    if (status == PTIO_OK && !options->json && !write_table(list, count)) {
        status = err.status = PTIO_ERR_MEMORY;
        err.offset = PTIO_NO_OFFSET;
    }
    for (size_t i = 0; options->json && status == PTIO_OK && i < count && !out_failed(); i++)
        status = json_line(list, i, options->hash, &err);
    hash_uses(NULL);
    if (status != PTIO_OK) {
        (void)out_end(CLI_GOOD);
        code = cli_fail(options->file, &err);
    }
    ptio_tensor_list_free(list);
    cli_close(&file);
    return code;
}
