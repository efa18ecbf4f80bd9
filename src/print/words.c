/*
 * Words in nested brackets, in NumPy's way:
 *
 *     [[a, bb, ccc,      the last dimension is a row; where the next word would pass the column, a line ends
 *       d],              the others are separated by as many newlines as they have dimensions, less one
 *      ...,              of a cut dimension only both edges are shown; dots are a word
 *      [e, ff, g]]
 *
 * Blanks at the end of a line are held until something follows them. Source: numpy/_core/arrayprint.py, _formatArray and
 * _extendLine_pretty.
 */
#include "print/words.h"

static int hold(void *ctx, const char *text, size_t size)
{
    ptio_word *word = ctx;
    size_t need;
    if (!ptio_add_size(word->size, size, &need))
        return -1;
    if (need > word->capacity) {
        void *moved = ptio_heap_grow(word->heap, word->text, &word->capacity, need, 1);
        if (!moved)
            return -1;
        word->text = moved;
    }
    memcpy(word->text + word->size, text, size);
    word->size = need;
    return 0;
}

void ptio_word_begin(ptio_word *word, ptio_out *out)
{
    word->size = 0;
    ptio_out_init(out, hold, word, NULL);
}

void ptio_word_free(ptio_word *word)
{
    ptio_heap_free(word->heap, word->text, word->capacity);
}

void ptio_words_begin(ptio_words *w, const ptio_grid *grid, const ptio_words_style *style, ptio_out *out)
{
    w->grid = grid;
    w->style = *style;
    w->out = out;
    w->column = style->indent;
    w->blanks = w->level = 0;
    w->begun = false;
    w->at[0] = 0;
}

/* Characters, not bytes. */
static size_t columns(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xC0) != 0x80;
    return count;
}

static void flush_blanks(ptio_words *w)
{
    ptio_out_repeat(w->out, ' ', w->blanks);
    w->blanks = 0;
}

static void put_char(ptio_words *w, char c)
{
    flush_blanks(w);
    ptio_out_char(w->out, c);
    w->column++;
}

static void put_blanks(ptio_words *w, size_t count)
{
    w->blanks += count;
    w->column += count;
}

static void break_line(ptio_words *w, size_t newlines, size_t indent)
{
    ptio_out_repeat(w->out, '\n', newlines);
    w->blanks = w->column = indent;
}

/* A text without line breaks. */
static void put_line(ptio_words *w, const char *text, size_t size, size_t width)
{
    size_t bare = size;
    while (bare && text[bare - 1] == ' ')
        bare--;
    if (bare) {
        flush_blanks(w);
        ptio_out_bytes(w->out, text, bare);
    }
    w->blanks += size - bare;
    w->column += width;
}

/* The widest line of a text, and the width of its last one. */
static size_t widest(const char *text, size_t size, size_t *last)
{
    size_t most = 0;
    for (size_t start = 0;;) {
        const char *end = memchr(text + start, '\n', size - start);
        size_t stop = end ? (size_t)(end - text) : size;
        *last = columns(text + start, stop - start);
        most = *last > most ? *last : most;
        if (!end)
            return most;
        start = stop + 1;
    }
}

static void put_lines(ptio_words *w, const char *text, size_t size)
{
    size_t indent = w->column, start = 0, stop;
    for (;; start = stop + 1) {
        const char *end = memchr(text + start, '\n', size - start);
        stop = end ? (size_t)(end - text) : size;
        put_line(w, text + start, stop - start, columns(text + start, stop - start));
        if (!end)
            return;
        break_line(w, 1, indent);
    }
}

/* Each dimension's brackets take a column off the line, and what follows a word takes another. */
static void put_in_row(ptio_words *w, const char *text, size_t size)
{
    size_t dim = w->grid->ndim - 1, indent = w->style.indent + dim + 1, last;
    size_t limit = w->style.fill > dim + 1 ? w->style.fill - dim - 1 : 0;
    size_t width = widest(text, size, &last);
    if (w->slot[dim] > 1) {
        if (!w->style.no_commas)
            put_char(w, ',');
        put_blanks(w, 1);
    }
    if (w->column + width > limit && w->column > indent)
        break_line(w, 1, indent);
    put_lines(w, text, size);
    put_blanks(w, width - last);
}

void ptio_words_put(ptio_words *w, const char *text, size_t size)
{
    if (w->grid->ndim) {
        put_in_row(w, text, size);
        return;
    }
    size_t last; /* the only element: as it is */
    bool lines = memchr(text, '\n', size) != NULL;
    (void)widest(text, size, &last);
    ptio_out_bytes(w->out, text, size);
    w->column = lines ? last : w->column + last;
}

static void open_bracket(ptio_words *w)
{
    put_char(w, '[');
    w->slot[w->level] = 0;
    w->begun = true;
}

/* In front of an entry of a dimension that is not the last. */
static void separate(ptio_words *w)
{
    if (!w->slot[w->level])
        return;
    if (!w->style.no_commas)
        put_char(w, ',');
    break_line(w, w->grid->ndim - w->level - 1, w->style.indent + w->level + 1);
}

/* The next slot of the innermost dimension that is open. True: it is an element's. */
static bool take_slot(ptio_words *w)
{
    const ptio_grid *grid = w->grid;
    size_t level = w->level, slot = w->slot[level];
    bool row = level + 1 == grid->ndim, dots = ptio_grid_is_dots(grid, level, slot);
    if (!row)
        separate(w);
    w->slot[level]++;
    if (dots && row) {
        ptio_words_put(w, "...", 3);
        return false;
    }
    if (dots) {
        put_line(w, "...", 3, 3);
        return false;
    }
    w->at[level + 1] = w->at[level] + ptio_grid_index(grid, level, slot) * grid->step[level];
    if (row)
        return true;
    w->level++;
    open_bracket(w);
    return false;
}

bool ptio_words_next(ptio_words *w, int64_t *at)
{
    size_t ndim = w->grid->ndim;
    if (!w->begun && ndim)
        open_bracket(w);
    if (!ndim) {
        bool first = !w->begun;
        w->begun = true;
        *at = 0;
        return first;
    }
    for (;;) {
        if (w->slot[w->level] < ptio_grid_slots(w->grid, w->level)) {
            if (!take_slot(w))
                continue;
            *at = w->at[ndim];
            return true;
        }
        put_char(w, ']');
        if (!w->level)
            return false;
        w->level--;
    }
}

void ptio_words_stop(ptio_words *w)
{
    ptio_words_put(w, "...", 3);
    for (size_t i = 0; i <= w->level && w->grid->ndim; i++)
        put_char(w, ']');
}
