/*
 * NumPy's arrays, scalars and dtypes.
 */
#ifndef PTIO_PRINT_REPR_ARRAY_H
#define PTIO_PRINT_REPR_ARRAY_H

#include "print/repr_tensor.h"
#include "torch/meaning.h"

/** An array that is not of Python objects. */
ptio_status ptio_repr_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

/** The same as print() has it: without commas, dtype and shape. */
ptio_status ptio_str_array(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

/** What follows the elements of an array, which end at `column`: ", dtype=float32)" or ")". cut: not all were shown. */
void ptio_repr_array_end(ptio_out *out, const ptio_value *array, size_t column, bool cut);

/** What follows dtype= there: float32, '<U1', [('a', '<i4')]. */
void ptio_repr_array_dtype(ptio_out *out, const ptio_npdtype *dtype);

/** np.float32(1.5) */
void ptio_repr_npscalar(ptio_out *out, const ptio_value *scalar, ptio_heap *heap);

/** A numpy.void as str() has it: (1, 2.5). False: it is none. */
bool ptio_str_void(ptio_out *out, const ptio_npdtype *dtype, ptio_text data, ptio_heap *heap);

/** "array", or what the class of an array calls itself: "matrix", "rec.array". */
ptio_text ptio_array_prefix(const ptio_value *array);

/** Whether an array of so many elements is shown with dots. */
bool ptio_array_is_cut(uint64_t count, const ptio_tensor_style *style);

/** Columns of an array's lines, and the elements of each end of a dimension. */
#define PTIO_ARRAY_WIDTH 75
#define PTIO_ARRAY_EDGE 3

/** A scalar, or an array of no dimensions, as str() has it: 1.5; but a numpy.str_ with its quotes. False: it has no text. */
bool ptio_str_npscalar(ptio_out *out, ptio_text code, ptio_text bytes);

/** float32, as str() has it. */
void ptio_str_npdtype(ptio_out *out, const ptio_value *dtype);

/** dtype('float32') */
void ptio_repr_npdtype(ptio_out *out, const ptio_value *dtype);

#endif
