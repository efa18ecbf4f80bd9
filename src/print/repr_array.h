/*
 * NumPy's arrays, scalars and dtypes.
 */
#ifndef PTIO_PRINT_REPR_ARRAY_H
#define PTIO_PRINT_REPR_ARRAY_H

#include "print/repr_tensor.h"

/** An array that is not of Python objects. */
ptio_status ptio_repr_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

/** The same as print() has it: without commas, dtype and shape. */
ptio_status ptio_str_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

/** What follows the elements of an array, which end at `column`: ", dtype=float32)" or ")". cut: not all were shown. */
void ptio_repr_array_end(ptio_out *out, const ptio_value *array, size_t column, bool cut);

/** np.float32(1.5) */
void ptio_repr_npscalar(ptio_out *out, const ptio_value *scalar);

/** A scalar, or an array of no dimensions, as str() has it: 1.5; but a numpy.str_ with its quotes. False: it has no text. */
bool ptio_str_npscalar(ptio_out *out, ptio_text code, ptio_text bytes);

/** float32, as str() has it. */
void ptio_str_npdtype(ptio_out *out, const ptio_value *dtype);

/** dtype('float32') */
void ptio_repr_npdtype(ptio_out *out, const ptio_value *dtype);

#endif
