/*
 * Python's values as JSON, as json.dumps() writes them: for jq. What JSON has no word for is refused; `ptio tree --json` tells everything.
 *
 * Containers are walked without recursion. One that is used twice is written twice; one that holds itself is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/get.h"
#include "cli/grow.h"
#include "cli/json_out.h"
#include "cli/number.h"
#include "cli/seen.h"

/* Containers that are used twice each in the next double with every level: somewhere this must end. */
#define MOST_VALUES ((uint64_t)100000000)

/** A container that is being written. */
typedef struct level {
    const ptio_value *value;
    size_t next, count;
} level;

typedef struct writer {
    const cli_options *options;
    void *buffer;
    level *levels;
    size_t depth, capacity;
    uint64_t written;
    const ptio_storage *held; /* that was read last */
    seen open;                /* containers, and 1 while they are being written */
    ptio_error *err;
} writer;

static ptio_status refuse(writer *w, const ptio_value *value, const char *what)
{
    ptio_text class_ = ptio_value_class(value);
    grown name = {0};
    (void)ptio_print_escaped(class_, grow_write, &name, NULL);
    ptio_status status = get_fail(w->err, PTIO_ERR_ARGUMENT, "get.json", "%s: a value of %.100s; \"ptio tree --json\" tells it",
                                  what, grow_chars(&name));
    grow_free(&name);
    return status;
}

static bool is_container(ptio_kind kind)
{
    return kind == PTIO_KIND_LIST || kind == PTIO_KIND_TUPLE || kind == PTIO_KIND_SET || kind == PTIO_KIND_FROZENSET ||
           kind == PTIO_KIND_SIZE || kind == PTIO_KIND_DICT;
}

static ptio_status push(writer *w, const ptio_value *value)
{
    bool fresh;
    seen_entry *entry = seen_find(&w->open, value, &fresh);
    if (entry && !fresh && entry->number && ptio_value_count(value))
        return refuse(w, value, "there is no JSON of what holds itself");
    if (w->depth == w->capacity) {
        size_t capacity = 2 * w->capacity + 32;
        level *levels = realloc(w->levels, capacity * sizeof *levels);
        w->levels = levels ? levels : w->levels;
        w->capacity = levels ? capacity : w->capacity;
    }
    if (!entry || w->depth == w->capacity)
        return get_fail(w->err, PTIO_ERR_MEMORY, "memory", "out of memory");
    entry->number = 1;
    w->levels[w->depth++] = (level){value, 0, ptio_value_count(value)};
    out_char(ptio_value_kind(value) == PTIO_KIND_DICT ? '{' : '[');
    return PTIO_OK;
}

static void pop(writer *w)
{
    bool fresh;
    const ptio_value *value = w->levels[--w->depth].value;
    seen_find(&w->open, value, &fresh)->number = 0;
    out_char(ptio_value_kind(value) == PTIO_KIND_DICT ? '}' : ']');
}

static ptio_status write_tensor(writer *w, const ptio_tensor *tensor)
{
    wanted part = {.options = w->options, .tensor = tensor, .dtype = ptio_tensor_dtype(tensor), .buffer = w->buffer};
    if (!pieces_has_elements(tensor))
        return get_fail(w->err, PTIO_ERR_ARGUMENT, "get.json",
                        "a tensor has no elements in a row: \"ptio tree --json\" tells it");
    ptio_status status = slices_read(NULL, tensor, &part.part, w->err);
    if (status == PTIO_OK && part.part.numel)
        status = pieces_hold(tensor, &w->held, w->options->load.mmap, w->err);
    return status == PTIO_OK ? get_tensor_json(&part, w->err) : status;
}

/* An int of any size, as Python prints it. */
static ptio_status write_printed(writer *w, const ptio_value *value)
{
    ptio_status status = ptio_print(value, NULL, out_write, NULL, w->err);
    return status;
}

static void write_double(const ptio_value *value)
{
    double number = 0;
    (void)ptio_value_float(value, &number);
    out_json_double(number);
}

static ptio_status write_leaf(writer *w, const ptio_value *value)
{
    if (ptio_value_tensor(value))
        return write_tensor(w, ptio_value_tensor(value));
    switch ((int)ptio_value_kind(value)) {
    case PTIO_KIND_NONE: out_string("null"); return PTIO_OK;
    case PTIO_KIND_BOOL: out_json_bool(ptio_value_bool(value)); return PTIO_OK;
    case PTIO_KIND_INT: return write_printed(w, value);
    case PTIO_KIND_FLOAT: write_double(value); return PTIO_OK;
    case PTIO_KIND_STR: out_json_string(ptio_value_str(value)); return PTIO_OK;
    case PTIO_KIND_DTYPE:
    case PTIO_KIND_DEVICE:
    case PTIO_KIND_LAYOUT:
    case PTIO_KIND_QSCHEME:
    case PTIO_KIND_MEMORY_FORMAT: out_json_string(ptio_value_name(value)); return PTIO_OK;
    default: return refuse(w, value, "JSON has no word for it");
    }
}

/* As json.dumps() makes texts of other keys. */
static ptio_status write_key(writer *w, const ptio_value *key)
{
    switch ((int)ptio_value_kind(key)) {
    case PTIO_KIND_STR: out_json_string(ptio_value_str(key)); return PTIO_OK;
    case PTIO_KIND_NONE: out_string("\"null\""); return PTIO_OK;
    case PTIO_KIND_BOOL: out_string(ptio_value_bool(key) ? "\"true\"" : "\"false\""); return PTIO_OK;
    case PTIO_KIND_INT:
    case PTIO_KIND_FLOAT: break;
    default: return refuse(w, key, "a key of JSON is a text");
    }
    out_char('"');
    ptio_status status = write_printed(w, key);
    out_char('"');
    return status;
}

static ptio_status write_value(writer *w, const ptio_value *value)
{
    if (++w->written > MOST_VALUES)
        return get_fail(w->err, PTIO_ERR_LIMIT, "get.json",
                        "it has more than 100,000,000 values, each counted as often as it is used");
    return is_container(ptio_value_kind(value)) ? push(w, value) : write_leaf(w, value);
}

static ptio_status step(writer *w)
{
    level *top = &w->levels[w->depth - 1];
    const ptio_value *container = top->value;
    size_t index = top->next++;
    if (index == top->count) {
        pop(w);
        return PTIO_OK;
    }
    ptio_status status = get_goes_on();
    if (index)
        out_char(',');
    if (status == PTIO_OK && ptio_value_kind(container) == PTIO_KIND_DICT) {
        status = write_key(w, ptio_value_key(container, index));
        out_char(':');
    }
    return status == PTIO_OK ? write_value(w, ptio_value_item(container, index)) : status;
}

ptio_status get_value_json(const cli_options *options, const ptio_value *value, void *buffer, ptio_error *err)
{
    writer w = {.options = options, .buffer = buffer, .err = err};
    ptio_status status = write_value(&w, value);
    while (status == PTIO_OK && w.depth)
        status = step(&w);
    free(w.levels);
    seen_free(&w.open);
    return status;
}
