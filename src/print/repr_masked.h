/*
 * NumPy's masked arrays.
 */
#ifndef PTIO_PRINT_REPR_MASKED_H
#define PTIO_PRINT_REPR_MASKED_H

#include "print/repr_tensor.h"

bool ptio_is_masked(const ptio_value *array);

/** Whether a masked array is written as NumPy does it: one of numbers or texts, with a mask and a fill value. */
bool ptio_masked_has_text(const ptio_value *array);

/** Whether the first element of one that has such a text is masked. */
bool ptio_masked_hides(const ptio_value *array);

/** masked_array(data=…), of one that has such a text. */
ptio_status ptio_repr_masked(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

/** The same as print() has it: [1 -- 3]. */
ptio_status ptio_str_masked(ptio_out *out, const ptio_value *array, const ptio_tensor_style *style);

#endif
