/*
 * ptio stats: numbers about the numbers of each tensor, as JSON or a table. stats_count.c counts them.
 */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json_out.h"
#include "cli/pieces.h"
#include "cli/select.h"
#include "cli/stats.h"

/* ---- what there is to tell ---- */

/* NaN where there is none: of nothing, or of numbers that hold a NaN. */
static double extreme(const tally *t, bool finite, bool most)
{
    if (!finite && t->nan)
        return NAN;
    if (!finite && (most ? t->plus : t->minus))
        return most ? INFINITY : -INFINITY;
    if (!t->real.count)
        return finite || !t->inf ? NAN : most ? -INFINITY : INFINITY;
    return most ? t->real.most : t->real.least;
}

/* Of complex numbers a part that is not finite leaves nothing of the other, as division has it in PyTorch and NumPy. */
static void mean_of(const stats_facts *f, bool finite, double *re, double *im)
{
    const tally *t = &f->tally;
    *re = finite ? tally_mean(&t->real, 0, 0, 0) : tally_mean(&t->real, t->plus, t->minus, t->real_nan);
    *im = finite ? tally_mean(&t->imag, 0, 0, 0) : tally_mean(&t->imag, t->imag_plus, t->imag_minus, t->imag_nan);
    bool keeps_re = finite || !(t->imag_plus || t->imag_minus || t->imag_nan);
    bool keeps_im = finite || !(t->plus || t->minus || t->real_nan);
    *re = keeps_re ? *re : NAN;
    *im = keeps_im ? *im : NAN;
}

/* Unbiased, as torch.std(): of complex numbers that of both parts together. */
static double deviation(const tally *t, bool finite)
{
    if ((!finite && (t->nan || t->inf)) || t->real.count < 2)
        return NAN;
    double squares = t->real.squares + t->imag.squares;
    return sqrt((squares > 0 ? squares : 0) / (double)(t->real.count - 1));
}

/* ---- JSON ---- */

static void json_extreme(const stats_facts *f, bool finite, bool most)
{
    bool none = f->class_ == NO_NUMBERS || f->class_ == COMPLEX || !f->tally.numel || (finite && !f->tally.real.count);
    out_json_key(false, most ? "max" : "min");
    if (none)
        out_string("null");
    else if (f->class_ == INTEGERS)
        out_i64(stats_signed(most ? f->most : f->least));
    else if (f->class_ == UNSIGNED)
        out_u64(most ? f->most : f->least);
    else
        out_json_double(extreme(&f->tally, finite, most));
}

static void json_count(const stats_facts *f, const char *key, uint64_t count)
{
    out_json_key(false, key);
    if (f->class_ == NO_NUMBERS)
        out_string("null");
    else
        out_u64(count);
}

static void json_mean(const stats_facts *f, bool finite)
{
    double re, im;
    mean_of(f, finite, &re, &im);
    out_json_key(false, "mean");
    if (f->class_ == NO_NUMBERS) {
        out_string("null");
        return;
    }
    if (f->class_ == COMPLEX)
        out_char('[');
    out_json_double(re);
    if (f->class_ == COMPLEX) {
        out_char(',');
        out_json_double(im);
        out_char(']');
    }
}

static void json_line(const stats_work *w, size_t index)
{
    const stats_facts *f = &w->facts[index];
    bool finite = w->options->finite;
    const ptio_tensor_entry *e = ptio_tensor_list_entry(w->list, w->chosen[index]);
    out_literal("{\"path\":");
    out_json_path(w->list, w->chosen[index]);
    out_json_key(false, "name");
    out_json_string(e->name);
    out_json_key(false, "dtype");
    out_json_word(ptio_dtype_name(ptio_tensor_dtype(e->tensor)));
    out_json_key(false, "shape");
    if (ptio_tensor_layout(e->tensor) == PTIO_NESTED || ptio_tensor_layout(e->tensor) == PTIO_JAGGED)
        out_string("null");
    else
        out_json_ints(ptio_tensor_shape(e->tensor), ptio_tensor_ndim(e->tensor));
    json_extreme(f, finite, false);
    json_extreme(f, finite, true);
    json_mean(f, finite);
    out_json_key(false, "std");
    if (f->class_ == NO_NUMBERS)
        out_string("null");
    else
        out_json_double(deviation(&f->tally, finite));
    json_count(f, "nan", f->tally.nan);
    json_count(f, "inf", f->tally.inf);
    json_count(f, "zeros", f->tally.zeros);
    out_string("}\n");
}

/* ---- a table for people ---- */

enum { NUMBER = 11, ODD = 4 }; /* columns of a number, and of a count that is 0 mostly */

static int count_characters(void *ctx, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *(size_t *)ctx += (text[i] & 0xC0) != 0x80;
    return 0;
}

static size_t width_of(ptio_text text)
{
    size_t width = 0;
    (void)ptio_print_escaped(text, count_characters, &width, NULL);
    return width;
}

static ptio_text shown_name(const ptio_tensor_entry *e)
{
    return e->path_count ? e->name : (ptio_text){"(root)", 6};
}

static void measure(stats_work *w)
{
    uint64_t most = 0;
    size_t terminal = out_terminal_width(), widest = 4;
    for (size_t i = 0; i < w->count; i++) {
        const ptio_tensor_entry *e = ptio_tensor_list_entry(w->list, w->chosen[i]);
        size_t width = width_of(shown_name(e));
        widest = width > widest ? width : widest;
        most = ptio_tensor_numel(e->tensor) > most ? ptio_tensor_numel(e->tensor) : most;
    }
    char digits[NUMBER_ROOM];
    w->zeros = 1 + (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)most);
    w->zeros = w->zeros < 6 ? 6 : w->zeros > 10 ? 10 : w->zeros;
    size_t numbers = 4 * NUMBER + w->zeros + 2 * ODD;
    size_t room = terminal > numbers + 12 ? terminal - numbers : terminal ? 12 : 60;
    w->name = widest < room ? widest : room;
}

static void write_head(const stats_work *w)
{
    static const char *const names[] = {"min", "max", "mean", "std"};
    out_paint_as(OUT_BOLD);
    out_string("name");
    out_spaces(w->name - 4);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        out_right(names[i], NUMBER);
    out_right("zeros", w->zeros);
    out_right("nan", ODD);
    out_right("inf", ODD);
    out_paint_as(OUT_PLAIN);
    out_char('\n');
}

static void write_complex(double re, double im)
{
    char text[2 * NUMBER_ROOM];
    (void)snprintf(text, sizeof text, "%.2g%+.2gj", re, im);
    out_right(text, NUMBER);
}

static void write_extreme(const stats_facts *f, bool finite, bool most)
{
    if (f->class_ == COMPLEX || !f->tally.numel || (finite && !f->tally.real.count))
        out_right("-", NUMBER);
    else if (f->class_ == INTEGERS)
        out_number((double)stats_signed(most ? f->most : f->least), NUMBER);
    else if (f->class_ == UNSIGNED)
        out_number((double)(most ? f->most : f->least), NUMBER);
    else
        out_number(extreme(&f->tally, finite, most), NUMBER);
}

static void write_numbers(const stats_work *w, const stats_facts *f)
{
    bool finite = w->options->finite;
    if (f->class_ == NO_NUMBERS) {
        for (size_t i = 0; i < 4; i++)
            out_right("-", NUMBER);
        out_right("-", w->zeros);
        out_right("-", ODD);
        out_right("-", ODD);
        return;
    }
    double re, im;
    mean_of(f, finite, &re, &im);
    write_extreme(f, finite, false);
    write_extreme(f, finite, true);
    if (f->class_ == COMPLEX)
        write_complex(re, im);
    else
        out_number(re, NUMBER);
    out_number(deviation(&f->tally, finite), NUMBER);
    out_right_u64(f->tally.zeros, w->zeros);
    out_right_u64(f->tally.nan, ODD);
    out_right_u64(f->tally.inf, ODD);
}

/* On a terminal a long name has a line of its own; in a pipe each tensor is one line. */
static void write_row(const stats_work *w, size_t index)
{
    ptio_text name = shown_name(ptio_tensor_list_entry(w->list, w->chosen[index]));
    size_t width = width_of(name);
    out_escaped(name);
    if (width > w->name && out_terminal_width()) {
        out_char('\n');
        width = 0;
    }
    out_spaces(width < w->name ? w->name - width : 0);
    write_numbers(w, &w->facts[index]);
    out_char('\n');
    out_show();
}

static void write_total(const stats_work *w)
{
    uint64_t with_nan = 0, with_inf = 0;
    for (size_t i = 0; i < w->count; i++) {
        with_nan += w->facts[i].tally.nan > 0;
        with_inf += w->facts[i].tally.inf > 0;
    }
    out_char('\n');
    out_u64(w->count);
    out_string(w->count == 1 ? " tensor" : " tensors");
    if (with_nan || with_inf) {
        out_string(", ");
        out_u64(with_nan);
        out_string(" with NaN, ");
        out_u64(with_inf);
        out_string(" with Inf");
    }
    out_char('\n');
}

/* ---- all of them ---- */

static int no_memory(const cli_options *options)
{
    ptio_error err = {.status = PTIO_ERR_MEMORY, .reason = "memory", .offset = PTIO_NO_OFFSET};
    return cli_fail(options->file, &err);
}

static int choose(stats_work *w)
{
    selection s;
    bool failed = false;
    size_t all = ptio_tensor_list_count(w->list);
    w->chosen = malloc((all + 1) * sizeof *w->chosen);
    if (!w->chosen)
        return no_memory(w->options);
    select_begin(&s, w->options);
    for (size_t i = 0; i < all && !failed; i++) {
        const ptio_tensor_entry *e = ptio_tensor_list_entry(w->list, i);
        if (!select_takes(&s, e->name, &failed))
            continue;
        w->chosen[w->count++] = i;
        w->total += ptio_tensor_numel(e->tensor) * ptio_dtype_itemsize(ptio_tensor_dtype(e->tensor));
    }
    int code = failed ? no_memory(w->options) : select_check(&s);
    select_end(&s);
    return code;
}

static int count_all(stats_work *w)
{
    ptio_error err = {0};
    ptio_status status = PTIO_OK;
    if (!w->options->json) {
        measure(w);
        write_head(w);
    }
    for (size_t i = 0; i < w->count && status == PTIO_OK && !out_failed(); i++) {
        status = stats_count(w, i, &err);
        progress_clear(&w->progress);
        if (status != PTIO_OK)
            break;
        if (w->options->json)
            json_line(w, i);
        else
            write_row(w, i);
    }
    if (status == PTIO_OK && !w->options->json)
        write_total(w);
    if (status == PTIO_OK)
        return CLI_GOOD;
    (void)out_end(CLI_GOOD);
    err.status = status;
    return cli_fail(w->options->file, &err);
}

int cmd_stats(const cli_options *options)
{
    cli_file file;
    ptio_error err = {0};
    ptio_tensor_list *list = NULL;
    int code = cli_open(options, &file);
    if (code != CLI_GOOD)
        return code;
    stats_work w = {.options = options};
    progress_begin(&w.progress);
    if (ptio_list_tensors(file.ckpt, options->path ? file.value : NULL, &list, &err) != PTIO_OK)
        code = cli_fail(options->file, &err);
    w.list = list;
    if (code == CLI_GOOD)
        code = choose(&w);
    if (code == CLI_GOOD) {
        w.buffer = malloc(PIECES_BYTES);
        w.facts = malloc((w.count + 1) * sizeof *w.facts);
        code = w.buffer && w.facts ? count_all(&w) : no_memory(options);
    }
    free(w.buffer);
    free(w.facts);
    free(w.chosen);
    seen_free(&w.done);
    ptio_tensor_list_free(list);
    cli_close(&file);
    return code;
}
