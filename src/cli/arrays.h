/*
 * NumPy's values as values of torch and of Python.
 */
#ifndef PTIO_CLI_ARRAYS_H
#define PTIO_CLI_ARRAYS_H

#include "ptio.h"

/** A tensor of the elements of an array, in whatever byte order they are. NULL where PyTorch has no such dtype, or the builder failed. */
const ptio_value *cli_array_tensor(ptio_builder *builder, const ptio_value *array);

/** A bool, int, float or complex number; NULL where a NumPy scalar is none of them, or the builder failed. */
const ptio_value *cli_scalar_number(ptio_builder *builder, const ptio_value *scalar);

#endif
