/*
 * All numbers of a tensor as text: for awk, for numpy.loadtxt(), for JSON.
 */
#include <string.h>

#include "cli/get.h"
#include "cli/json_out.h"
#include "cli/number.h"

/** How numbers are written. */
typedef struct form {
    ptio_dtype dtype;
    number_class class_;
    bool json;
} form;

/* Floats of 32 bits and fewer need fewer digits. */
static void write_float(const form *f, double value)
{
    char text[NUMBER_ROOM];
    if (f->dtype == PTIO_FLOAT64 || f->dtype == PTIO_COMPLEX128)
        number_text(value, text);
    else
        number_text_of_float(value, text);
    if (f->json && !strpbrk(text, "0123456789")) /* nan, inf */
        out_json_word(text);
    else
        out_string(text);
}

/* 1.0+2.0j: Python's complex() and numpy.loadtxt() read it. */
static void write_complex(const form *f, const double *parts)
{
    if (f->json)
        out_char('[');
    write_float(f, parts[0]);
    if (f->json)
        out_char(',');
    else if (!(parts[1] < 0) && !(parts[1] == 0 && 1 / parts[1] < 0))
        out_char('+');
    write_float(f, parts[1]);
    out_char(f->json ? ']' : 'j');
}

static void write_element(const form *f, const void *elements, size_t at)
{
    switch (f->class_) {
    case NO_NUMBERS: break;
    case REALS: write_float(f, ((const double *)elements)[at]); break;
    case COMPLEX: write_complex(f, (const double *)elements + 2 * at); break;
    case UNSIGNED: out_u64(((const uint64_t *)elements)[at]); break;
    case INTEGERS:
        if (f->dtype == PTIO_BOOL)
            out_string(((const int64_t *)elements)[at] ? f->json ? "true" : "True" : f->json ? "false" : "False");
        else
            out_i64(((const int64_t *)elements)[at]);
        break;
    }
}

/* ---- where rows end ---- */

/** How many of the innermost dimensions begin, or end, at an element. */
static size_t edges(const sliced *part, uint64_t index)
{
    size_t count = 0;
    for (size_t d = part->ndim; d-- > 0 && index % (uint64_t)part->shape[d] == 0; count++)
        index /= (uint64_t)part->shape[d];
    return count;
}

static void write_brackets(char bracket, size_t count)
{
    while (count-- > 0)
        out_char(bracket);
}

static void write_piece(const form *f, const wanted *w, uint64_t first, size_t count)
{
    const sliced *part = &w->part;
    for (size_t i = 0; i < count; i++) {
        size_t begins = edges(part, first + i), ends = edges(part, first + i + 1);
        if (f->json) {
            if (first + i)
                out_char(',');
            write_brackets('[', begins);
            write_element(f, w->buffer, i);
            write_brackets(']', ends);
        } else {
            write_element(f, w->buffer, i);
            out_char(ends || !part->ndim ? '\n' : ' ');
        }
    }
}

static ptio_status write_elements(const wanted *w, bool json, ptio_error *err)
{
    pieces p;
    form f = {w->dtype, number_class_of(w->dtype), json};
    ptio_status status = pieces_check(w->tensor, w->part.numel, w->options->load.limits, err);
    pieces_begin(&p, w->tensor, w->part.cuts, PIECES_IN_C_ORDER);
    while (status == PTIO_OK && pieces_next(&p)) {
        status = get_goes_on();
        if (status == PTIO_OK)
            status = pieces_read(&p, number_dtype(f.class_), w->buffer, err);
        if (status == PTIO_OK)
            write_piece(&f, w, p.done, (size_t)p.count);
    }
    return status;
}

ptio_status get_text(const wanted *w, ptio_error *err)
{
    return write_elements(w, false, err);
}

ptio_status get_tensor_json(const wanted *w, ptio_error *err)
{
    out_literal("{\"dtype\":");
    out_json_word(ptio_dtype_name(w->dtype));
    out_json_key(false, "shape");
    out_json_ints(w->part.shape, w->part.ndim);
    out_json_key(false, "data");
    if (!w->part.numel)
        out_string("[]");
    ptio_status status = write_elements(w, true, err);
    out_char('}');
    return status;
}
