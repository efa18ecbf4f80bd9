/*
 * Numbers as text.
 */
#ifndef PTIO_CLI_NUMBER_H
#define PTIO_CLI_NUMBER_H

#include "cli/json_out.h"

enum { NUMBER_ROOM = 40 };

/** As what the elements of a tensor are read, so that no number loses anything. */
typedef enum number_class {
    NO_NUMBERS,
    REALS,
    INTEGERS,
    UNSIGNED, /* of 64 bits */
    COMPLEX
} number_class;

/** What the elements of a dtype are. Whether those of an odd one (bits8) are numbers, a cast to number_dtype() tells. */
number_class number_class_of(ptio_dtype dtype);

/** float64, int64, uint64 or complex128; PTIO_NO_DTYPE of NO_NUMBERS. */
ptio_dtype number_dtype(number_class class_);

/** The fewest digits that give the double back: "0.1", "3.0", "1e-07", "nan", "-inf". */
void number_text(double value, char ret[NUMBER_ROOM]);

/** The same for a number that was a float of 32 bits or fewer: "0.1" where the double is 0.10000000149. */
void number_text_of_float(double value, char ret[NUMBER_ROOM]);

/** As JSON: what is not finite is a string, "nan", "inf" or "-inf". */
void out_json_double(double value);

/** Some digits, for people, in a column of `width`. */
void out_number(double value, size_t width);

/** At the right of a column, with a space in front of what is too wide for it. */
void out_right(const char *text, size_t width);
void out_right_u64(uint64_t value, size_t width);

#endif
