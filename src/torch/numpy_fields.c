/*
 * The texts of NumPy's dtypes that are made of others, as str() has them:
 *
 *     [('a', 'i1'), (('title', 'b'), '<f4', (2,))]                                        where fields follow one another
 *     {'names': ['a', 'b'], 'formats': ['i1', '<f4'], 'offsets': [0, 4], 'itemsize': 8}   where there are gaps
 *     {'names': …, 'itemsize': 8, 'aligned': True}                                        made with align=True
 *     (numpy.record, [('a', '<i4')])                                                      of numpy.record
 *     ('<f4', (2,))                                                                       an array, as a field has it
 *
 * As the dtype of a field, one made with align=True says so no more, and is a list where only the padding of C lies between.
 * Each text is written twice: once to count its letters, once into the arena, whose budget bounds dtypes that hold dtypes.
 *
 * Source: numpy/_core/_dtype.py
 */
#include "torch/numpy_fields.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct text_out {
    char *bytes; /* NULL: only count */
    size_t size;
} text_out;

static void put(text_out *out, ptio_text text)
{
    if (out->bytes && text.size)
        memcpy(out->bytes + out->size, text.bytes, text.size);
    out->size += text.size;
}

static void put_string(text_out *out, const char *string)
{
    put(out, ptio_text_of(string));
}

static void put_number(text_out *out, uint64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    put_string(out, digits);
}

static void put_shape(text_out *out, const int64_t *shape, size_t ndim)
{
    put_string(out, "(");
    for (size_t i = 0; i < ndim; i++) {
        put_string(out, i ? ", " : "");
        put_number(out, (uint64_t)shape[i]);
    }
    put_string(out, ndim == 1 ? ",)" : ")");
}

/* As repr() does: double quotes only where there are single ones in it, and no double ones. */
static void put_quoted(text_out *out, ptio_text text)
{
    bool single = text.size && memchr(text.bytes, '\'', text.size), twice = text.size && memchr(text.bytes, '"', text.size);
    const char *quote = single && !twice ? "\"" : "'";
    put_string(out, quote);
    while (text.size) {
        uint32_t code;
        char escaped[16];
        size_t taken = ptio_utf8_decode(text.bytes, text.size, &code);
        ptio_text letter = {text.bytes, taken ? taken : 1};
        if (code == '\'' && *quote == '\'')
            put_string(out, "\\");
        if (taken && code >= 0xA1 && !(code >= 0xD800 && code < 0xE000)) {
            put(out, letter); /* printing decides which of these it escapes */
        } else {
            ptio_escape_into(escaped, sizeof escaped, letter);
            put_string(out, escaped);
        }
        text = (ptio_text){text.bytes + letter.size, text.size - letter.size};
    }
    put_string(out, quote);
}

/* The dtype of a field: without '|', '?' for bool, and no size of strings that have none. */
static void put_format(text_out *out, const ptio_npdtype *dtype)
{
    if (dtype->is_structured) {
        put(out, dtype->field_code);
        return;
    }
    ptio_text code = dtype->code;
    if (code.size && code.bytes[0] == '|')
        code = (ptio_text){code.bytes + 1, code.size - 1};
    if (!dtype->itemsize && code.size)
        code.size--; /* V0, S0, <U0 */
    put_string(out, "'");
    put(out, ptio_text_is(code, "b1") ? PTIO_TEXT("?") : ptio_text_is(code, "O8") ? PTIO_TEXT("O") : code);
    put_string(out, "'");
}

static void put_array(text_out *out, const ptio_npdtype *dtype)
{
    put_format(out, dtype->base);
    put_string(out, ", ");
    put_shape(out, dtype->shape, dtype->ndim);
}

static void put_list(text_out *out, const ptio_npstruct *s)
{
    put_string(out, "[");
    for (const ptio_npfield *field = s->first; field; field = field->next) {
        put_string(out, field == s->first ? "(" : ", (");
        if (field->title.bytes) {
            put_string(out, "(");
            put_quoted(out, field->title);
            put_string(out, ", ");
        }
        put_quoted(out, field->name);
        put_string(out, field->title.bytes ? "), " : ", ");
        if (field->dtype->base)
            put_array(out, field->dtype);
        else
            put_format(out, field->dtype);
        put_string(out, ")");
    }
    put_string(out, "]");
}

enum { NAMES, FORMATS, OFFSETS, TITLES };

static void put_part(text_out *out, const ptio_npstruct *s, int part)
{
    for (const ptio_npfield *field = s->first; field; field = field->next) {
        put_string(out, field == s->first ? "" : ", ");
        if (part == NAMES)
            put_quoted(out, field->name);
        else if (part == FORMATS)
            put_format(out, field->dtype);
        else if (part == OFFSETS)
            put_number(out, field->offset);
        else if (field->title.bytes)
            put_quoted(out, field->title);
        else
            put_string(out, "None");
    }
}

static void put_dict(text_out *out, const ptio_npstruct *s, bool tell_aligned)
{
    static const char *const heads[] = {"{'names': [", "], 'formats': [", "], 'offsets': [", "], 'titles': ["};
    bool titled = false;
    for (const ptio_npfield *field = s->first; field; field = field->next)
        titled = titled || field->title.bytes;
    for (int part = NAMES; part <= (titled ? TITLES : OFFSETS); part++) {
        put_string(out, heads[part]);
        put_part(out, s, part);
    }
    put_string(out, "], 'itemsize': ");
    put_number(out, s->itemsize);
    put_string(out, tell_aligned ? ", 'aligned': True}" : "}");
}

static uint64_t align_up(uint64_t offset, uint64_t alignment)
{
    return alignment ? (offset + alignment - 1) / alignment * alignment : offset;
}

/* Whether fields follow one another, with no more between them than the padding of C where they are aligned. */
static bool is_packed(const ptio_npstruct *s)
{
    uint64_t end = 0, most = 1;
    for (const ptio_npfield *field = s->first; field; field = field->next) {
        uint64_t alignment = s->aligned ? field->dtype->alignment : 1;
        most = alignment > most ? alignment : most;
        if (field->offset != align_up(end, alignment) || !ptio_add_u64(field->offset, field->dtype->itemsize, &end) ||
            end > INT64_MAX)
            return false;
    }
    return align_up(end, most) == s->itemsize;
}

static void put_struct(text_out *out, const ptio_npstruct *s, bool as_field)
{
    bool tell_aligned = s->aligned && !as_field;
    put_string(out, s->is_record ? "(numpy.record, " : "");
    if (!tell_aligned && is_packed(s))
        put_list(out, s);
    else
        put_dict(out, s, tell_aligned);
    put_string(out, s->is_record ? ")" : "");
}

static bool write_struct(ptio_arena *arena, const ptio_npstruct *s, bool as_field, ptio_text *ret)
{
    text_out counted = {NULL, 0}, out = {NULL, 0};
    put_struct(&counted, s, as_field);
    out.bytes = ptio_arena_alloc(arena, counted.size);
    if (!out.bytes)
        return false;
    put_struct(&out, s, as_field);
    *ret = (ptio_text){out.bytes, out.size};
    return true;
}

ptio_status ptio_npdtype_of_fields(ptio_loader *loader, const ptio_npstruct *s, ptio_npdtype *ret, ptio_error *err)
{
    ptio_arena *arena = &loader->ckpt->arena;
    ptio_npdtype made = {.itemsize = s->itemsize,
                         .alignment = s->alignment,
                         .byte_order = '|',
                         .is_aligned = s->aligned,
                         .is_structured = true,
                         .fields = s->first,
                         .is_record = s->is_record};
    for (const ptio_npfield *field = s->first; field; field = field->next)
        made.is_object = made.is_object || field->dtype->is_object;
    bool written = write_struct(arena, s, false, &made.code);
    made.field_code = made.code;
    if (!written || (s->aligned && !write_struct(arena, s, true, &made.field_code)))
        return ptio_heap_fail(&loader->ckpt->heap, err, "a structured dtype");
    *ret = made;
    return PTIO_OK;
}

ptio_status ptio_npdtype_of_array(ptio_loader *loader, const ptio_npdtype *base, size_t ndim, const int64_t *shape,
                                  ptio_npdtype *ret, ptio_error *err)
{
    ptio_npdtype made = {.itemsize = base->itemsize,
                         .alignment = base->alignment,
                         .byte_order = '|',
                         .is_object = base->is_object,
                         .is_structured = true,
                         .base = base,
                         .shape = shape,
                         .ndim = ndim};
    for (size_t i = 0; i < ndim; i++)
        if (shape[i] < 0 || !ptio_mul_u64(made.itemsize, (uint64_t)shape[i], &made.itemsize) || made.itemsize > INT64_MAX)
            return PTIO_ERR_FORMAT;
    text_out counted = {NULL, 0}, out = {NULL, 0};
    put_array(&counted, &made);
    out.bytes = ptio_arena_alloc(&loader->ckpt->arena, counted.size + 2);
    if (!out.bytes)
        return ptio_heap_fail(&loader->ckpt->heap, err, "a dtype");
    put_string(&out, "(");
    put_array(&out, &made);
    put_string(&out, ")");
    made.code = made.field_code = (ptio_text){out.bytes, out.size};
    *ret = made;
    return PTIO_OK;
}
