/*
 * Floats and complex numbers, as Python writes them.
 */
#include "print/repr.h"

#include <math.h>

#include "base/number_text.h"

void ptio_repr_digits(ptio_out *out, double value, const ptio_digits *digits, bool point)
{
    char text[32];
    ptio_out_bytes(out, text, ptio_format_digits(text, value, digits, point));
}

void ptio_repr_float(ptio_out *out, double value)
{
    char text[32];
    ptio_out_bytes(out, text, ptio_format_short(text, value, true));
}

void ptio_repr_complex(ptio_out *out, double real, double imag)
{
    char text[32];
    bool alone = real == 0 && !signbit(real);
    if (!alone) {
        ptio_out_char(out, '(');
        ptio_out_bytes(out, text, ptio_format_short(text, real, false));
        if (isnan(imag) || !signbit(imag))
            ptio_out_char(out, '+');
    }
    ptio_out_bytes(out, text, ptio_format_short(text, imag, false));
    ptio_out_char(out, 'j');
    if (!alone)
        ptio_out_char(out, ')');
}
