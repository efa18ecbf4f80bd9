/*
 * Differences, as lines.
 *
 *     - model.old: float32 [3]                      only in the first file
 *     + model.new: float32 [3]                      only in the second
 *     ~ model.fc.weight: dtype float32 -> float16
 *     ~ epoch: 7 -> 8
 */
#include <math.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/json_out.h"

enum { FEW = 60 }; /* letters that a value is shown with */

/* ---- in a few words ---- */

static int write_few(void *ctx, const char *text, size_t size)
{
    grown *words = ctx;
    size_t left = words->size < FEW ? FEW - words->size : 0;
    if (!grow_add(words, text, size < left ? size : left))
        return -1;
    return size > left ? -1 : 0;
}

/* Never half a character. */
static void cut(grown *words)
{
    size_t size = words->size;
    while (size > 0 && ((unsigned char)words->bytes[size - 1] & 0xC0) == 0x80)
        size--;
    if (size > 0 && (unsigned char)words->bytes[size - 1] >= 0x80)
        size--;
    grow_cut(words, size);
    (void)grow_string(words, "...");
}

static void tensor_words(const ptio_tensor *tensor, grown *words)
{
    char number[32];
    (void)grow_string(words, ptio_dtype_name(ptio_tensor_dtype(tensor)));
    (void)grow_string(words, " [");
    for (size_t i = 0; i < ptio_tensor_ndim(tensor); i++) {
        (void)snprintf(number, sizeof number, "%s%lld", i ? ", " : "", (long long)ptio_tensor_shape(tensor)[i]);
        (void)grow_string(words, number);
    }
    (void)grow_string(words, "]");
}

/* Containers by their kind and size, which tells more than how they begin. */
static void value_words(const ptio_value *value, grown *words)
{
    char number[64];
    ptio_kind kind = ptio_value_kind(value);
    if (ptio_value_tensor(value)) {
        tensor_words(ptio_value_tensor(value), words);
    } else if (ptio_value_count(value) > 4 || kind == PTIO_KIND_DICT) {
        (void)snprintf(number, sizeof number, "%s of %zu", ptio_kind_name(kind), ptio_value_count(value));
        (void)grow_string(words, number);
    } else {
        ptio_print_options how = {PTIO_PRINT_OPTIONS, .max_depth = 2, .max_items = 4};
        if (ptio_print(value, &how, write_few, words, NULL) == PTIO_ERR_CANCELLED && words->bytes)
            cut(words);
    }
}

/* ---- lines ---- */

static void write_name(const differ *d)
{
    if (d->path.size)
        out_escaped(grow_text(&d->path));
    else
        out_string("(root)");
}

static void begin_json(differ *d, const char *what)
{
    out_literal("{\"name\":");
    out_json_string(grow_text(&d->path));
    out_json_key(false, "difference");
    out_json_word(what);
}

/* `- name: ` or the beginning of a JSON object. */
static void begin(differ *d, char mark, const char *what)
{
    progress_clear(&d->progress);
    if (d->options->json) {
        begin_json(d, what);
        return;
    }
    out_char(mark);
    out_char(' ');
    write_name(d);
    out_string(": ");
}

static void end(const differ *d)
{
    out_string(d->options->json ? "}\n" : "\n");
    out_show();
}

void diff_tell_only(differ *d, int which, const ptio_value *value, const ptio_tensor *tensor)
{
    grown words = {0};
    if (tensor)
        tensor_words(tensor, &words);
    else
        value_words(value, &words);
    begin(d, which ? '+' : '-', which ? "only-b" : "only-a");
    if (d->options->json) {
        out_json_key(false, which ? "b" : "a");
        out_json_string(grow_text(&words));
    } else {
        out_string(grow_chars(&words));
    }
    end(d);
    grow_free(&words);
}

void diff_tell_words(differ *d, const char *what, const char *a, const char *b)
{
    begin(d, '~', what);
    if (d->options->json) {
        out_json_key(false, "a");
        out_json_word(a);
        out_json_key(false, "b");
        out_json_word(b);
    } else {
        if (strcmp(what, "value") != 0) {
            out_string(what);
            out_char(' ');
        }
        out_escaped((ptio_text){a, strlen(a)});
        out_string(" -> ");
        out_escaped((ptio_text){b, strlen(b)});
    }
    end(d);
}

void diff_tell_values(differ *d, const char *what, const ptio_value *a, const ptio_value *b)
{
    grown x = {0}, y = {0};
    value_words(a, &x);
    value_words(b, &y);
    diff_tell_words(d, what, grow_chars(&x), grow_chars(&y));
    grow_free(&x);
    grow_free(&y);
}

void diff_tell_shapes(differ *d, const ptio_tensor *a, const ptio_tensor *b)
{
    grown x = {0}, y = {0};
    if (d->options->json) {
        begin(d, '~', "shape");
        out_json_key(false, "a");
        out_json_ints(ptio_tensor_shape(a), ptio_tensor_ndim(a));
        out_json_key(false, "b");
        out_json_ints(ptio_tensor_shape(b), ptio_tensor_ndim(b));
        end(d);
        return;
    }
    tensor_words(a, &x);
    tensor_words(b, &y);
    diff_tell_words(d, "shape", strchr(grow_chars(&x), '['), strchr(grow_chars(&y), '['));
    grow_free(&x);
    grow_free(&y);
}

/* ---- elements ---- */

static void write_part(const differ *d, const diff_elements *e, double value)
{
    char text[NUMBER_ROOM];
    if (d->options->json) {
        out_json_double(value);
        return;
    }
    if (e->narrow)
        number_text_of_float(value, text);
    else
        number_text(value, text);
    out_string(text);
}

static void write_element(const differ *d, const diff_elements *e, const diff_worst *worst, bool of_b)
{
    bool json = d->options->json;
    switch (e->class_) {
    case NO_NUMBERS: break;
    case REALS: write_part(d, e, of_b ? worst->b.real[0] : worst->a.real[0]); break;
    case INTEGERS: out_i64(of_b ? worst->b.integer : worst->a.integer); break;
    case UNSIGNED: out_u64(of_b ? worst->b.natural : worst->a.natural); break;
    case COMPLEX:
        out_string(json ? "[" : "(");
        write_part(d, e, of_b ? worst->b.real[0] : worst->a.real[0]);
        out_string(json ? "," : ", ");
        write_part(d, e, of_b ? worst->b.real[1] : worst->a.real[1]);
        out_string(json ? "]" : ")");
        break;
    }
}

static void json_worst(const differ *d, const diff_elements *e, const char *name, const diff_worst *worst)
{
    out_json_key(false, name);
    out_literal("{\"difference\":");
    out_json_double(worst->size);
    out_json_key(false, "at");
    out_json_ints(worst->place, e->ndim);
    out_json_key(false, "a");
    write_element(d, e, worst, false);
    out_json_key(false, "b");
    write_element(d, e, worst, true);
    out_char('}');
}

static void json_elements(const differ *d, const diff_elements *e)
{
    out_json_key(false, "numel");
    out_u64(e->numel);
    out_json_key(false, "different");
    out_u64(e->different);
    out_json_key(false, "allclose");
    out_json_bool(e->close);
    if (e->absolute.known) {
        json_worst(d, e, "max_abs", &e->absolute);
        json_worst(d, e, "max_rel", &e->relative);
    }
}

static void write_worst(const differ *d, const diff_elements *e, const char *what, const diff_worst *worst)
{
    out_string("\n    ");
    out_string(what);
    out_number(worst->size, 0);
    if (e->ndim) {
        out_string(" at [");
        for (size_t i = 0; i < e->ndim; i++) {
            out_string(i ? ", " : "");
            out_i64(worst->place[i]);
        }
        out_char(']');
    }
    out_string(": ");
    write_element(d, e, worst, false);
    out_string(" -> ");
    write_element(d, e, worst, true);
}

void diff_tell_elements(differ *d, const diff_elements *e)
{
    begin(d, '~', "elements");
    if (d->options->json) {
        json_elements(d, e);
        end(d);
        return;
    }
    out_u64(e->different);
    out_string(" of ");
    out_u64(e->numel);
    out_string(e->different == 1 ? " elements differs" : " elements differ");
    if (e->class_ != NO_NUMBERS)
        out_string(e->close ? ", all are close" : ", not close");
    if (e->absolute.known) {
        write_worst(d, e, "by up to", &e->absolute);
        write_worst(d, e, "relatively up to", &e->relative);
    }
    end(d);
}

/* ---- the end ---- */

static void json_total(const differ *d)
{
    out_literal("{\"summary\":{\"tensors_equal\":");
    out_u64(d->tensors.equal);
    out_json_key(false, "tensors_close");
    out_u64(d->tensors.close);
    out_json_key(false, "tensors_different");
    out_u64(d->tensors.different);
    out_json_key(false, "values_equal");
    out_u64(d->values.equal);
    out_json_key(false, "values_close");
    out_u64(d->values.close);
    out_json_key(false, "values_different");
    out_u64(d->values.different);
    out_json_key(false, "only_a");
    out_u64(d->only_a);
    out_json_key(false, "only_b");
    out_u64(d->only_b);
    out_string("}}\n");
}

static void write_count(const char *before, uint64_t count, const char *word)
{
    if (!count)
        return;
    out_string(before);
    out_u64(count);
    out_string(word);
}

void diff_tell_total(const differ *d)
{
    if (d->options->json) {
        json_total(d);
        return;
    }
    out_string("tensors: ");
    out_u64(d->tensors.equal);
    out_string(" equal");
    write_count(", ", d->tensors.close, " close");
    write_count(", ", d->tensors.different, " different");
    out_string("; other values: ");
    out_u64(d->values.equal);
    out_string(" equal");
    write_count(", ", d->values.close, " close");
    write_count(", ", d->values.different, " different");
    out_char('\n');
    if (!d->only_a && !d->only_b)
        return;
    out_string("only in the first: ");
    out_u64(d->only_a);
    out_string("; only in the second: ");
    out_u64(d->only_b);
    out_char('\n');
}
