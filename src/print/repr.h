/*
 * The texts of single values, as Python's repr() gives them.
 */
#ifndef PTIO_PRINT_REPR_H
#define PTIO_PRINT_REPR_H

#include "base/memory.h"
#include "print/out.h"

/** 1.0, 0.001, 1e-05, inf, nan, -0.0 */
void ptio_repr_float(ptio_out *out, double value);

/** A float of which the digits are known already, unless it is 0, infinite or NaN. point: whole numbers end in ".0". */
struct ptio_digits;
void ptio_repr_digits(ptio_out *out, double value, const struct ptio_digits *digits, bool point);

/** (1+2j), 2j, (-0-1j) */
void ptio_repr_complex(ptio_out *out, double real, double imag);

/** 'text': quoted and escaped. */
void ptio_repr_str(ptio_out *out, ptio_text text);

/** b'text' without the b. */
void ptio_repr_bytes(ptio_out *out, ptio_text bytes);

/** bytearray(b'text'), in which a single quote always has a backslash. */
void ptio_repr_bytearray(ptio_out *out, ptio_text bytes);

/** "Linear" of "torch.nn.modules.linear.Linear". */
ptio_text ptio_last_name(ptio_text name);

/** Without quotes, but escaped, a backslash too. */
void ptio_repr_escaped(ptio_out *out, ptio_text text);

/** As print() has it, but for what moves the cursor or cannot be seen: that is escaped. */
void ptio_repr_bare(ptio_out *out, ptio_text text);

/** An int of any size: decimal up to 4,300 digits, as in Python, and beyond in hexadecimal. Fails only for want of memory. */
ptio_status ptio_repr_int(ptio_out *out, const ptio_value *value, ptio_heap *heap);

#endif
