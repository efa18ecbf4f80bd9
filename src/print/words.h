/*
 * Words in nested brackets, as NumPy sets the elements of an array: lines are filled by the words' own widths.
 */
#ifndef PTIO_PRINT_WORDS_H
#define PTIO_PRINT_WORDS_H

#include "base/memory.h"
#include "print/grid.h"

typedef struct ptio_words_style {
    size_t indent;  /* columns in front of the first bracket                      */
    size_t fill;    /* a line is broken where the next word would pass this column */
    bool no_commas; /* as str() has it                                             */
} ptio_words_style;

/** The text of a word, in memory. Ready when zeroed but for its heap. */
typedef struct ptio_word {
    ptio_heap *heap;
    char *text;
    size_t size, capacity;
} ptio_word;

/** Let what is written to `out` be the word. When flushing that fails there is no memory. */
void ptio_word_begin(ptio_word *word, ptio_out *out);
void ptio_word_free(ptio_word *word);

/** Brackets that are being written. */
typedef struct ptio_words {
    const ptio_grid *grid;
    ptio_words_style style;
    ptio_out *out;
    size_t column; /* of the line, with the blanks                                               */
    size_t blanks; /* at its end, not written yet: they go where the line ends behind a word     */
    size_t level;
    bool begun;
    size_t slot[PTIO_MOST_DIMENSIONS];
    int64_t at[PTIO_MOST_DIMENSIONS + 1]; /* at[d]: where dimension d begins, in steps of the grid */
} ptio_words;

void ptio_words_begin(ptio_words *w, const ptio_grid *grid, const ptio_words_style *style, ptio_out *out);

/** Write up to the next element, whose place is *at steps from the first; its word is to follow. False: all brackets are closed. */
bool ptio_words_next(ptio_words *w, int64_t *at);

/** Write the word of an element. It may have several lines, which are set in. */
void ptio_words_put(ptio_words *w, const char *text, size_t size);

/** Leave the rest out: dots, and all brackets. */
void ptio_words_stop(ptio_words *w);

#endif
