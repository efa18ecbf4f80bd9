/*
 * Numbers as text in the caller's memory: no locale, exactly rounded, spelled as Python spells them.
 */
#ifndef PTIO_BASE_NUMBER_TEXT_H
#define PTIO_BASE_NUMBER_TEXT_H

#include "base/digits.h"

#define PTIO_FLOAT_TEXT_SIZE 32

/** repr(): 1.0, 0.001, 1e-05, inf, nan, -0.0; terminated, in PTIO_FLOAT_TEXT_SIZE bytes. Gives the length. */
size_t ptio_format_float(char *buffer, double value);

/** The same; point: whether whole numbers end in ".0". */
size_t ptio_format_short(char *buffer, double value, bool point);

/** The same of a float whose digits are known already, unless it is 0, infinite or NaN. */
size_t ptio_format_digits(char *buffer, double value, const ptio_digits *digits, bool point);

/** As "%.*f" and "%.*e" of C in the "C" locale, but never "-nan". Up to PTIO_MOST_PLACES; room for PTIO_FORMAT_ROOM bytes. */
#define PTIO_MOST_PLACES 60
#define PTIO_FORMAT_ROOM 400
size_t ptio_format_places(char *buffer, double value, unsigned places);
size_t ptio_format_exponent(char *buffer, double value, unsigned places);

/** Python turns no int of more decimal digits into text; the work grows with their square. */
#define PTIO_INT_TEXT_DIGITS 4300

/** Two's complement of more bytes has more digits than that. */
#define PTIO_INT_TEXT_BYTES 1788

/** Room for the decimal text of `size` bytes of two's complement: each byte takes less than 2.41 digits. */
#define PTIO_INT_TEXT_SIZE(size) ((size) < PTIO_INT_TEXT_BYTES ? (size)*5 / 2 + 3 : PTIO_INT_TEXT_DIGITS + 2)

/** Decimal of two's complement, little-endian. Gives the length, 0 where there are too many digits. Not terminated. */
size_t ptio_format_int(const uint8_t *bytes, size_t size, char *text);

/** The magnitude of two's complement, in place, and whether it was negative. */
bool ptio_negate_if_negative(uint8_t *bytes, size_t size);

#endif
