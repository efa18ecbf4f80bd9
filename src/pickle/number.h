/*
 * Numbers written as text: no locale, exactly rounded, one spelling.
 *
 * Python's own readers disagree about the odd spellings ("010" is 8 for one of them and an error for the other), so only what
 * some pickler writes is taken.
 */
#ifndef PTIO_PICKLE_NUMBER_H
#define PTIO_PICKLE_NUMBER_H

#include "base/memory.h"
#include "ptio.h"

/** CPython reads no more decimal digits of an int than this; the work grows with the square of their number. */
#define PTIO_INT_DIGITS 4300

/** Bytes of the two's complement of an int of PTIO_INT_DIGITS digits: each takes less than 3.33 bits. */
#define PTIO_INT_BYTES (PTIO_INT_DIGITS * 10 / 24 + 8)

/** Whether a text is an int: an optional "-", then "0" or digits that do not begin with 0. */
bool ptio_int_text_valid(ptio_text text);

/** The two's complement of such a text of at most PTIO_INT_DIGITS digits, little-endian, in the fewest bytes. Gives how many. */
size_t ptio_int_text_bytes(ptio_text text, uint8_t bytes[PTIO_INT_BYTES]);

/** The fewest of `size` bytes of two's complement that keep the value. */
size_t ptio_int_fewest(const uint8_t *bytes, size_t size);

/** The value of at most 8 such bytes. */
int64_t ptio_int_value(const uint8_t *bytes, size_t size);

/**
 * The double nearest to a decimal text, ties to even: [+-] digits [. digits] [e [+-] digits], or inf, infinity, nan in any case.
 * False where it is none, or too large for a double.
 */
bool ptio_float_text_value(ptio_text text, double *ret);

#endif
