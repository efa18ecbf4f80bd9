/*
 * Builds values as standard input describes them, by the makers of ptio.h, and saves them, for built.py.
 *
 * A line is an operation and its arguments, and every line gives the next number of a table, in which later lines find what it made:
 * a value, a storage, or nothing. Numbers of the table are %N, "-" is no value; texts and bytes are in hexadecimal, floats are
 * the bits of a double, lists of numbers begin with their count.
 *
 *     none · bool 1 · int -5 · intbytes HEX · float BITS · complex BITS BITS · str HEX · name HEX · bytes HEX · bytearray HEX
 *     tuple 2 %0 %1 · set … · frozenset … · list · dict · odict · global HEX HEX · call %f %args %state · object %class %args %state
 *     size 2 3 4 · dtype float32 · device HEX · layout torch.strided
 *     storage DTYPE OF_ELEMENTS HEX · copied DTYPE OF_ELEMENTS HEX · zeros DTYPE NBYTES · tensor DTYPE [shape] HEX · view %s DTYPE [shape] [stride] OFFSET GRAD
 *     meta DTYPE [shape] · parameter %t GRAD · coo %i %v [shape] COALESCED · compressed LAYOUT %c %p %v [shape]
 *     quantized %s [shape] BITS ZERO · perchannel %s [shape] %scales %zeros AXIS · cast %t DTYPE
 *     load HEX, a path · item %v INDEX, of a list, tuple or dict, as it is edited
 *     append %l %v · put %d HEX %v · putkey %d %k %v · rename %d INDEX %k · putat %l INDEX %v · remove %l INDEX · removeints %l MODULO
 *     attribute %o HEX %v · edit %v · replace %v %by · collect [values] · save %v PROTOCOL · end
 *
 * `save` writes the size of the file as u64 and its bytes to standard output; `end` begins anew with an empty builder.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptio.h"

enum { MOST_ENTRIES = 100000, MOST_LIST = 64 };

static ptio_builder *b;
static const void *table[MOST_ENTRIES];
static size_t count;
static char line[1 << 22], text[1 << 21];
static char *at;                 /* what is left of the line */
static char *kept[MOST_ENTRIES]; /* what storages borrow, until the end */
static size_t kept_count;

static void fail(const char *what)
{
    fprintf(stderr, "build_values: line %zu: %s\n", count, what);
    exit(1);
}

/* ---- words ---- */

static char *word(void)
{
    char *found = strtok(at, " \n");
    at = NULL;
    if (!found)
        fail("the line ends too early");
    return found;
}

static int64_t number(void)
{
    return strtoll(word(), NULL, 10);
}

static double bits(void)
{
    uint64_t raw = strtoull(word(), NULL, 16);
    double value;
    memcpy(&value, &raw, sizeof value);
    return value;
}

/* Bytes, and a NUL behind them; `hex` is where they go. */
static size_t bytes_to(char *hex)
{
    const char *from = word();
    size_t size = strlen(from) / 2;
    for (size_t i = 0; i < size; i++) {
        const char pair[] = {from[1 + 2 * i], from[2 + 2 * i], 0};
        hex[i] = (char)strtoul(pair, NULL, 16);
    }
    hex[size] = '\0';
    return size;
}

/* The same of elements, which are described as a little-endian machine has them. */
static size_t elements_to(ptio_dtype type, char *hex)
{
    const uint16_t one = 1;
    size_t size = bytes_to(hex), unit = ptio_dtype_itemsize(type);
    bool is_complex = strncmp(ptio_dtype_name(type), "complex", 7) == 0;
    if (*(const unsigned char *)&one)
        return size;
    unit /= is_complex ? 2 : 1;
    for (size_t i = 0; i + unit <= size; i += unit)
        for (size_t j = 0; j < unit / 2; j++) {
            char other = hex[i + j];
            hex[i + j] = hex[i + unit - 1 - j];
            hex[i + unit - 1 - j] = other;
        }
    return size;
}

static const void *entry(void)
{
    const char *name = word();
    if (*name == '-')
        return NULL;
    size_t index = strtoul(name + 1, NULL, 10);
    if (*name != '%' || index >= count)
        fail("no such entry");
    return table[index];
}

static ptio_value *changed(void)
{
    return (ptio_value *)(uintptr_t)entry();
}

static size_t entries(const ptio_value **ret)
{
    size_t n = (size_t)number();
    for (size_t i = 0; i < n; i++)
        ret[i] = entry();
    return n;
}

static size_t sizes(int64_t *ret)
{
    size_t n = (size_t)number();
    if (n > MOST_LIST)
        fail("too many sizes");
    for (size_t i = 0; i < n; i++)
        ret[i] = number();
    return n;
}

static ptio_dtype dtype(void)
{
    return ptio_dtype_from_name(word());
}

static ptio_layout layout(void)
{
    const char *name = word();
    int found = PTIO_STRIDED;
    while (strcmp(ptio_layout_name((ptio_layout)found), name) != 0 && found < 16)
        found++;
    return (ptio_layout)found;
}

/* ---- makers ---- */

static const ptio_value *values[MOST_ENTRIES];
static int64_t shape[MOST_LIST], stride[MOST_LIST];

/* What is not looked for is NULL. */
static const void *make_python(const char *what)
{
    if (!strcmp(what, "none"))
        return ptio_new_none(b);
    if (!strcmp(what, "bool"))
        return ptio_new_bool(b, number());
    if (!strcmp(what, "int"))
        return ptio_new_int(b, number());
    if (!strcmp(what, "float"))
        return ptio_new_float(b, bits());
    if (!strcmp(what, "complex")) {
        double real = bits();
        return ptio_new_complex(b, real, bits());
    }
    if (!strcmp(what, "list"))
        return ptio_new_list(b);
    if (!strcmp(what, "dict"))
        return ptio_new_dict(b);
    if (!strcmp(what, "odict"))
        return ptio_new_ordered_dict(b);
    if (!strcmp(what, "global")) {
        char module[256];
        (void)bytes_to(module);
        (void)bytes_to(text);
        return ptio_new_global(b, module, text);
    }
    const ptio_value *callable = entry(), *arguments = entry(), *state = entry();
    return !strcmp(what, "call") ? ptio_new_call(b, callable, arguments, state) : ptio_new_object(b, callable, arguments, state);
}

static const void *make_text(const char *what)
{
    size_t size = bytes_to(text);
    if (!strcmp(what, "str"))
        return memchr(text, 0, size) ? ptio_new_str_n(b, text, size) : ptio_new_str(b, text);
    if (!strcmp(what, "name"))
        return ptio_new_name(b, text);
    if (!strcmp(what, "bytes"))
        return ptio_new_bytes(b, text, size);
    if (!strcmp(what, "bytearray"))
        return ptio_new_bytearray(b, text, size);
    return !strcmp(what, "device") ? ptio_new_device(b, text) : ptio_new_int_bytes(b, text, size);
}

static const void *make_items(const char *what)
{
    size_t n = entries(values);
    if (!strcmp(what, "tuple"))
        return ptio_new_tuple(b, values, n);
    return !strcmp(what, "set") ? ptio_new_set(b, values, n) : ptio_new_frozenset(b, values, n);
}

static const void *make_storage(const char *what)
{
    ptio_dtype type = dtype();
    if (!strcmp(what, "zeros"))
        return ptio_new_storage(b, type, NULL, (uint64_t)number(), NULL);
    ptio_dtype of_elements = dtype();
    size_t size = elements_to(of_elements, text);
    if (!strcmp(what, "copied"))
        return ptio_new_storage_copy(b, type, text, size);
    char *lent = kept[kept_count++] = malloc(size + 1);
    if (!lent)
        fail("no memory");
    memcpy(lent, text, size);
    return ptio_new_storage(b, type, lent, size, NULL);
}

static const void *make_strided(const char *what)
{
    if (!strcmp(what, "view")) {
        const ptio_storage *storage = entry();
        ptio_dtype type = dtype();
        size_t n = sizes(shape), steps = sizes(stride);
        int64_t offset = number();
        return ptio_new_view(b, storage, type, n, shape, steps == n ? stride : NULL, offset, number());
    }
    ptio_dtype type = dtype();
    size_t n = sizes(shape);
    if (!strcmp(what, "meta"))
        return ptio_new_meta(b, type, n, shape);
    return elements_to(type, text) ? ptio_new_tensor(b, type, n, shape, text) : ptio_new_tensor(b, type, n, shape, NULL);
}

static const void *make_composed(const char *what)
{
    if (!strcmp(what, "parameter")) {
        const ptio_value *tensor = entry();
        return ptio_new_parameter(b, tensor, number());
    }
    if (!strcmp(what, "cast")) {
        const ptio_value *tensor = entry();
        return ptio_new_cast(b, tensor, dtype());
    }
    if (!strcmp(what, "coo")) {
        const ptio_value *indices = entry(), *elements = entry();
        size_t n = sizes(shape);
        return ptio_new_sparse_coo(b, indices, elements, n, shape, number());
    }
    if (!strcmp(what, "compressed")) {
        ptio_layout kind = layout();
        const ptio_value *compressed = entry(), *plain = entry(), *elements = entry();
        return ptio_new_sparse_compressed(b, kind, compressed, plain, elements, sizes(shape), shape);
    }
    const ptio_storage *storage = entry();
    size_t n = sizes(shape);
    ptio_quantizer quantizer = {.scheme = PTIO_PER_TENSOR_AFFINE};
    if (!strcmp(what, "quantized")) {
        quantizer.scale = bits();
        quantizer.zero_point = number();
        return ptio_new_quantized(b, storage, n, shape, &quantizer, NULL, NULL);
    }
    quantizer.scheme = PTIO_PER_CHANNEL_AFFINE;
    const ptio_value *scales = entry(), *zeros = entry();
    quantizer.axis = number();
    return ptio_new_quantized(b, storage, n, shape, &quantizer, scales, zeros);
}

static const void *make_word(const char *what)
{
    if (!strcmp(what, "load")) {
        ptio_error err = {0};
        ptio_checkpoint *ckpt = NULL;
        (void)bytes_to(text);
        if (ptio_load(text, NULL, &ckpt, &err) != PTIO_OK)
            fail(err.message);
        const ptio_value *root = ptio_root(ckpt);
        ptio_builder_hold(b, ckpt);
        ptio_checkpoint_free(ckpt);
        return root;
    }
    if (!strcmp(what, "item")) {
        const ptio_value *value = ptio_edited(b, entry());
        return ptio_value_item(value, (size_t)number());
    }
    if (!strcmp(what, "size"))
        return ptio_new_size(b, sizes(shape), shape);
    return !strcmp(what, "dtype") ? ptio_new_dtype(b, dtype()) : ptio_new_layout(b, layout());
}

/* ---- changes ---- */

static bool is_divided(void *ctx, const ptio_value *key, const ptio_value *item)
{
    int64_t value;
    (void)key;
    return ptio_value_kind(item) == PTIO_KIND_INT && ptio_value_int(item, &value) && value % *(const int64_t *)ctx == 0;
}

static const void *change(const char *what)
{
    ptio_value *value = changed();
    bool good = false;
    if (!strcmp(what, "append")) {
        good = ptio_append(b, value, entry());
    } else if (!strcmp(what, "put") || !strcmp(what, "attribute")) {
        (void)bytes_to(text);
        good = *what == 'p' ? ptio_put(b, value, text, entry()) : ptio_set_attribute(b, value, text, entry());
    } else if (!strcmp(what, "putkey")) {
        const ptio_value *key = entry();
        good = ptio_put_key(b, value, key, entry());
    } else if (!strcmp(what, "rename")) {
        size_t index = (size_t)number();
        good = ptio_rename(b, value, index, entry());
    } else if (!strcmp(what, "putat")) {
        size_t index = (size_t)number();
        good = ptio_put_at(b, value, index, entry());
    } else if (!strcmp(what, "remove")) {
        good = ptio_remove(b, value, (size_t)number());
    } else if (!strcmp(what, "removeints")) {
        int64_t modulo = number();
        (void)ptio_remove_if(b, value, is_divided, &modulo);
        good = true;
    } else if (!strcmp(what, "replace")) {
        good = ptio_replace_value(b, value, entry());
    } else {
        return ptio_edit(b, value);
    }
    if (!good && ptio_builder_status(b, NULL) == PTIO_OK)
        fail("a change was refused");
    return NULL;
}

/* ---- the whole ---- */

static void save(void)
{
    ptio_error err = {0};
    ptio_sink *sink = NULL;
    const ptio_value *value = entry();
    ptio_save_options options = {PTIO_SAVE_OPTIONS, .edits = b};
    options.protocol = (unsigned)number();
    options.byte_order = PTIO_LITTLE_ENDIAN;
    if (ptio_sink_to_memory(NULL, &sink, &err) != PTIO_OK || ptio_save_sink(value, sink, &options, &err) != PTIO_OK)
        fail(err.message);
    ptio_text bytes = ptio_sink_bytes(sink);
    unsigned char size[8];
    for (size_t i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)bytes.size >> (8 * i));
    if (fwrite(size, 1, 8, stdout) != 8 || fwrite(bytes.bytes, 1, bytes.size, stdout) != bytes.size)
        fail("the output is closed");
    ptio_sink_free(sink);
}

static void collect(void)
{
    ptio_error err = {0};
    if (ptio_builder_collect(b, values, entries(values), &err) != PTIO_OK)
        fail(err.message);
}

static void end(void)
{
    ptio_error err = {0};
    if (ptio_builder_status(b, &err) != PTIO_OK)
        fail(err.message);
    ptio_builder_free(b);
    b = NULL;
    while (kept_count)
        free(kept[--kept_count]);
}

static bool is_one_of(const char *what, const char *list)
{
    const char *found = strstr(list, what);
    size_t size = strlen(what);
    while (found && !((found == list || found[-1] == ' ') && (found[size] == ' ' || !found[size])))
        found = strstr(found + 1, what);
    return found != NULL;
}

static const void *make(const char *what)
{
    static const struct {
        const char *words;
        const void *(*make)(const char *what);
    } rows[] = {
        {"none bool int float complex list dict odict global call object", make_python},
        {"str name bytes bytearray device intbytes", make_text},
        {"tuple set frozenset", make_items},
        {"storage copied zeros", make_storage},
        {"tensor view meta", make_strided},
        {"parameter coo compressed quantized perchannel cast", make_composed},
        {"size dtype layout load item", make_word},
        {"append put putkey rename putat remove removeints attribute edit replace", change},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_one_of(what, rows[i].words))
            return rows[i].make(what);
    fail("no such operation");
    return NULL;
}

int main(void)
{
    while (fgets(line, sizeof line, stdin)) {
        at = line;
        const char *what = word();
        const void *made = NULL;
        if (!b && ptio_builder_new(NULL, &b, NULL) != PTIO_OK)
            fail("no memory");
        if (!strcmp(what, "save"))
            save();
        else if (!strcmp(what, "collect"))
            collect();
        else if (!strcmp(what, "end"))
            end();
        else
            made = make(what);
        if (count == MOST_ENTRIES)
            fail("too many lines");
        table[count++] = made;
        if (!b)
            count = 0;
    }
    return 0;
}
