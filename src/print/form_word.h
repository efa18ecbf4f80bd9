/*
 * The words of forms (form.c), by the files that have them.
 */
#ifndef PTIO_PRINT_FORM_WORD_H
#define PTIO_PRINT_FORM_WORD_H

#include "print/printer.h"

/** A table of words ends with a name that is NULL. */
typedef struct ptio_form_row {
    const char *name;
    ptio_form_word word;
} ptio_form_row;

extern const ptio_form_row ptio_words_of_time[];    /* form_time.c    */
extern const ptio_form_row ptio_words_of_library[]; /* form_library.c */

/** What a member of re.RegexFlag is called by a file that names it. */
#define PTIO_REGEX_FLAG "re.RegexFlag."

/** The flags of a regular expression, however Python saved them. False where it is something else. */
bool ptio_regex_flags(const ptio_value *value, uint64_t *ret);

/** Go on with a value in a shape, and with what is behind it where there is `more`. */
void ptio_word_push(ptio_printer *p, const ptio_value *value, ptio_shape shape, bool more);

/** At most 63 characters. */
void ptio_word_format(ptio_printer *p, const char *format, unsigned a, unsigned b, unsigned c);

#endif
