/*
 * The header of a .npy file: a Python dict of three keys, written as a literal, and parsed as nothing more than that.
 *
 * A structured dtype is a list of fields (name, dtype[, shape]), which may nest; a field without a name is padding.
 */
#include "torch/npy.h"

#include "base/cursor.h"
#include "torch/numpy_fields.h"

#define MOST_HEADER ((uint64_t)1 << 20)
#define MOST_FIELDS_DEEP 8

typedef struct parser {
    ptio_loader *loader;
    ptio_cursor cursor;
    ptio_error *err;
} parser;

static ptio_status bad(const parser *p, const char *what)
{
    return ptio_fail(p->err, PTIO_ERR_FORMAT, "npy.header", ptio_cursor_offset(&p->cursor), "the header of the array: %s", what);
}

static ptio_status no_memory(const parser *p)
{
    return ptio_heap_fail(&p->loader->ckpt->heap, p->err, "the header of an array");
}

/* ---- tokens ---- */

/* The next letter that is no space, not taken; NUL at the end. */
static char peek(parser *p)
{
    while (ptio_cursor_left(&p->cursor) && *p->cursor.pos == ' ')
        (void)ptio_cursor_take(&p->cursor, 1);
    return ptio_cursor_left(&p->cursor) ? (char)*p->cursor.pos : '\0';
}

static bool take(parser *p, char letter)
{
    return peek(p) == letter && ptio_cursor_take(&p->cursor, 1);
}

static bool take_word(parser *p, const char *word)
{
    size_t size = strlen(word);
    (void)peek(p);
    if (ptio_cursor_left(&p->cursor) < size || memcmp(p->cursor.pos, word, size) != 0)
        return false;
    (void)ptio_cursor_take(&p->cursor, size);
    return true;
}

/* A string without escapes but those of quote and backslash, which stay as they are: names are only shown. */
static bool take_string(parser *p, ptio_text *ret)
{
    char quote = peek(p);
    if ((quote != '\'' && quote != '"') || !ptio_cursor_take(&p->cursor, 1))
        return false;
    const uint8_t *start = p->cursor.pos, *letter;
    while ((letter = ptio_cursor_take(&p->cursor, 1)) != NULL && *letter != (uint8_t)quote) {
        if (*letter == '\n' || (*letter == '\\' && !ptio_cursor_take(&p->cursor, 1)))
            return false;
    }
    *ret = (ptio_text){(const char *)start, letter ? (size_t)(letter - start) : 0};
    return letter != NULL;
}

/* An int of Python, of Python 2 with its L. */
static bool take_size(parser *p, int64_t *ret)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (char letter = peek(p); letter >= '0' && letter <= '9'; digits++) {
        if (!ptio_mul_u64(number, 10, &number) || !ptio_add_u64(number, (uint64_t)(letter - '0'), &number))
            return false;
        (void)ptio_cursor_take(&p->cursor, 1);
        letter = ptio_cursor_left(&p->cursor) ? (char)*p->cursor.pos : '\0';
    }
    if (ptio_cursor_left(&p->cursor) && *p->cursor.pos == 'L')
        (void)ptio_cursor_take(&p->cursor, 1);
    *ret = (int64_t)number;
    return digits && number <= INT64_MAX;
}

/* (), (3,), (2, 3) */
static ptio_status take_shape(parser *p, const int64_t **ret, size_t *count)
{
    int64_t sizes[PTIO_MOST_DIMENSIONS];
    size_t n = 0;
    bool comma = true;
    if (!take(p, '('))
        return bad(p, "a shape is no tuple");
    while (!take(p, ')')) {
        if (!comma || n == PTIO_MOST_DIMENSIONS || !take_size(p, &sizes[n]))
            return bad(p, "a shape is no tuple of at most 64 ints from 0 on");
        n++;
        comma = take(p, ',');
    }
    if (n == 1 && !comma)
        return bad(p, "a shape is an int in brackets, no tuple");
    int64_t *shape = PTIO_NEW(&p->loader->ckpt->arena, int64_t, n ? n : 1);
    if (!shape)
        return no_memory(p);
    memcpy(shape, sizes, n * sizeof *sizes);
    *ret = shape;
    *count = n;
    return PTIO_OK;
}

/* ---- structured dtypes ---- */

/* A structured dtype that is being parsed, and the field that is open. */
typedef struct frame {
    ptio_npfield *first, *last;
    ptio_npfield open; /* without a name: padding */
    uint64_t itemsize;
} frame;

static ptio_status too_large(const parser *p)
{
    return bad(p, "a structured dtype has too many bytes");
}

/* The dtype of all fields, when the list is at its end. */
static ptio_status close_frame(parser *p, const frame *f, const ptio_npdtype **ret)
{
    ptio_npdtype *dtype = PTIO_NEW(&p->loader->ckpt->arena, ptio_npdtype, 1);
    *ret = dtype;
    return dtype ? ptio_npdtype_of_fields(p->loader, &(ptio_npstruct){.first = f->first, .itemsize = f->itemsize, .alignment = 1},
                                          dtype, p->err)
                 : no_memory(p);
}

/* The beginning of a field: ('name', or (('title', 'name'), */
static ptio_status open_field(parser *p, frame *f)
{
    f->open = (ptio_npfield){.offset = f->itemsize};
    if (!take(p, '('))
        return bad(p, "a field of a structured dtype is no tuple");
    bool titled = take(p, '(');
    if ((titled && (!take_string(p, &f->open.title) || !take(p, ','))) || !take_string(p, &f->open.name) ||
        (titled && !take(p, ')')) || !take(p, ','))
        return bad(p, "a field of a structured dtype has no name");
    return PTIO_OK;
}

/* Add the open field to those with names, which have texts of their own. */
static ptio_status keep_field(parser *p, frame *f)
{
    ptio_arena *arena = &p->loader->ckpt->arena;
    ptio_npfield *field = PTIO_NEW(arena, ptio_npfield, 1);
    if (!field)
        return no_memory(p);
    *field = f->open;
    field->name = ptio_arena_text(arena, f->open.name);
    if (field->title.bytes)
        field->title = ptio_arena_text(arena, f->open.title);
    if (!field->name.bytes || (f->open.title.bytes && !field->title.bytes))
        return no_memory(p);
    if (f->last)
        f->last->next = field;
    else
        f->first = field;
    f->last = field;
    return PTIO_OK;
}

/* The end of a field: its shape, where it is an array of its own, and the bracket. */
static ptio_status close_field(parser *p, frame *f, const ptio_npdtype *dtype)
{
    if (take(p, ',') && peek(p) != ')') {
        const int64_t *shape;
        size_t ndim;
        ptio_status status = take_shape(p, &shape, &ndim);
        if (status != PTIO_OK)
            return status;
        (void)take(p, ',');
        ptio_npdtype *array = PTIO_NEW(&p->loader->ckpt->arena, ptio_npdtype, 1);
        if (!array)
            return no_memory(p);
        status = ndim ? ptio_npdtype_of_array(p->loader, dtype, ndim, shape, array, p->err) : PTIO_OK;
        if (status != PTIO_OK)
            return status == PTIO_ERR_FORMAT ? too_large(p) : status;
        dtype = ndim ? array : dtype;
    }
    f->open.dtype = dtype;
    if (!ptio_add_u64(f->itemsize, dtype->itemsize, &f->itemsize) || f->itemsize > INT64_MAX)
        return too_large(p);
    if (!take(p, ')'))
        return bad(p, "a field of a structured dtype does not end where it should");
    return f->open.name.size ? keep_field(p, f) : PTIO_OK;
}

static ptio_status take_code(parser *p, const ptio_npdtype **ret)
{
    ptio_text code;
    if (!take_string(p, &code))
        return bad(p, "a dtype is neither a text nor a list of fields");
    ptio_error why = {0};
    ptio_status status = ptio_npdtype_from_code(p->loader, code, ret, &why);
    if (status == PTIO_ERR_FORMAT)
        return ptio_fail(p->err, PTIO_ERR_FORMAT, "npy.header", ptio_cursor_offset(&p->cursor),
                         "the header of the array: %s is no dtype", ptio_quote(code).text);
    return status == PTIO_OK ? status : no_memory(p);
}

/* 'descr': a code, or fields, in which there may be fields. */
static ptio_status take_dtype(parser *p, const ptio_npdtype **ret)
{
    frame frames[MOST_FIELDS_DEEP];
    size_t depth = 0;
    for (;;) {
        ptio_status status;
        const ptio_npdtype *dtype;
        bool empty = false;
        if (take(p, '[')) {
            if (depth == MOST_FIELDS_DEEP)
                return bad(p, "structured dtypes nest more than 8 deep");
            empty = take(p, ']');
            if (!empty) {
                frames[depth++] = (frame){.first = NULL};
                if ((status = open_field(p, &frames[depth - 1])) != PTIO_OK)
                    return status;
                continue;
            }
        }
        status = empty ? close_frame(p, &(frame){.first = NULL}, &dtype) : take_code(p, &dtype);
        /* A dtype is complete. It may end its field, that its list, that the field around it, and so on. */
        while (status == PTIO_OK && depth) {
            frame *top = &frames[depth - 1];
            status = close_field(p, top, dtype);
            bool more = status == PTIO_OK && take(p, ',') && peek(p) != ']';
            if (more) {
                status = open_field(p, top);
                break;
            }
            if (status == PTIO_OK && !take(p, ']'))
                status = bad(p, "the fields of a structured dtype do not end where they should");
            if (status == PTIO_OK)
                status = close_frame(p, top, &dtype);
            depth--;
        }
        if (status != PTIO_OK || !depth) {
            *ret = dtype;
            return status;
        }
    }
}

/* ---- the header ---- */

ptio_status ptio_npy_header_size(ptio_text start, uint64_t *ret, ptio_error *err)
{
    ptio_cursor c = ptio_cursor_over(start.bytes, start.size);
    const uint8_t *magic = ptio_cursor_take(&c, 6);
    if (!magic || memcmp(magic, "\x93NUMPY", 6) != 0)
        return ptio_fail(err, PTIO_ERR_FORMAT, "npy.magic", 0, "it does not begin as a .npy file does");
    unsigned major = ptio_cursor_u8(&c), minor = ptio_cursor_u8(&c);
    if (c.ok && (major < 1 || major > 3 || minor))
        return ptio_fail(err, PTIO_ERR_UNSUPPORTED, "npy.version", 6,
                         "version %u.%u of the .npy format is none of 1.0, 2.0 and 3.0", major, minor);
    uint64_t size = major == 1 ? ptio_cursor_u16(&c) : ptio_cursor_u32(&c);
    if (!c.ok)
        return ptio_fail(err, PTIO_ERR_FORMAT, "cut-off", start.size,
                         "the file is cut off at byte %zu, in the header of the array", start.size);
    if (size > MOST_HEADER)
        return ptio_fail(err, PTIO_ERR_LIMIT, "limit.npy-header", 8, "the header of the array has %llu bytes, more than 1 MiB",
                         (unsigned long long)size);
    *ret = ptio_cursor_offset(&c) + size;
    return PTIO_OK;
}

enum { HAS_DTYPE = 1, HAS_ORDER = 2, HAS_SHAPE = 4 };

/* One of the three keys with its value. `seen` are those that were there before. */
static ptio_status take_entry(parser *p, ptio_npy *npy, unsigned *seen)
{
    ptio_text key;
    if (!take_string(p, &key) || !take(p, ':'))
        return bad(p, "it is no dict of texts");
    unsigned which = ptio_text_is(key, "descr")           ? HAS_DTYPE
                     : ptio_text_is(key, "fortran_order") ? HAS_ORDER
                     : ptio_text_is(key, "shape")         ? HAS_SHAPE
                                                          : 0;
    if (!which || *seen & which)
        return bad(p, "its keys are not descr, fortran_order and shape, each once");
    *seen |= which;
    if (which == HAS_DTYPE)
        return take_dtype(p, &npy->dtype);
    if (which == HAS_SHAPE)
        return take_shape(p, &npy->shape, &npy->ndim);
    npy->fortran = take_word(p, "True");
    return npy->fortran || take_word(p, "False") ? PTIO_OK : bad(p, "fortran_order is neither True nor False");
}

static ptio_status count_bytes(const parser *p, ptio_npy *npy)
{
    uint64_t nbytes = npy->dtype->itemsize;
    for (size_t i = 0; i < npy->ndim; i++) {
        if (npy->shape[i] == 0)
            nbytes = 0;
    }
    for (size_t i = 0; i < npy->ndim && nbytes; i++) {
        if (!ptio_mul_u64(nbytes, (uint64_t)npy->shape[i], &nbytes) || nbytes > INT64_MAX)
            return bad(p, "the shape needs more bytes than fit 63 bits");
    }
    npy->nbytes = nbytes;
    return PTIO_OK;
}

ptio_status ptio_npy_parse_header(ptio_loader *loader, ptio_text header, ptio_npy *ret, ptio_error *err)
{
    parser p = {.loader = loader, .cursor = ptio_cursor_over(header.bytes, header.size), .err = err};
    ptio_npy npy = {.data_offset = header.size};
    unsigned seen = 0;
    (void)ptio_cursor_take(&p.cursor, header.size > 6 && header.bytes[6] == 1 ? 10 : PTIO_NPY_START);
    if (!take(&p, '{'))
        return bad(&p, "it is no dict");
    while (!take(&p, '}')) {
        ptio_status status = take_entry(&p, &npy, &seen);
        if (status != PTIO_OK)
            return status;
        if (!take(&p, ',') && peek(&p) != '}')
            return bad(&p, "there is something between two keys");
    }
    if (seen != (HAS_DTYPE | HAS_ORDER | HAS_SHAPE))
        return bad(&p, "its keys are not descr, fortran_order and shape, each once");
    if (!take(&p, '\n') || ptio_cursor_left(&p.cursor))
        return bad(&p, "there is something behind the dict");
    ptio_status status = count_bytes(&p, &npy);
    if (status == PTIO_OK)
        *ret = npy;
    return status;
}
