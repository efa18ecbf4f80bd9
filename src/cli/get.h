/*
 * The forms in which `ptio get` gives a value.
 *
 *     cmd_get.c    which one, and where to
 *     get_npy.c    a file of NumPy
 *     get_text.c   numbers as text and as JSON
 *     get_json.c   other values as JSON
 */
#ifndef PTIO_CLI_GET_H
#define PTIO_CLI_GET_H

#include "cli/out.h"
#include "cli/slices.h"

/** A part of a tensor, and the dtype that it is asked for in. */
typedef struct wanted {
    const cli_options *options;
    const ptio_tensor *tensor;
    sliced part;
    ptio_dtype dtype;
    void *buffer; /* PIECES_BYTES */
} wanted;

/** The bytes of the elements, little-endian, in C order. */
ptio_status get_bytes(const wanted *w, ptio_error *err);

/** A .npy file, as numpy.save() writes it. */
ptio_status get_npy(const wanted *w, ptio_error *err);

/** A .npy file of a NumPy array that is no tensor. */
ptio_status get_array_npy(const ptio_value *array, ptio_error *err);
/** The bytes of it, as its dtype has them. */
ptio_status get_array_bytes(const ptio_value *array, ptio_error *err);

/** All numbers: a line for each row. Of this and the next the dtype is that of the tensor. */
ptio_status get_text(const wanted *w, ptio_error *err);

/** {"dtype": ..., "shape": [...], "data": [[...], ...]} */
ptio_status get_tensor_json(const wanted *w, ptio_error *err);

/** Any other value as JSON, where JSON has it; tensors in it as above. */
ptio_status get_value_json(const cli_options *options, const ptio_value *value, void *buffer, ptio_error *err);

/** "a sentence": gives its status. */
ptio_status get_fail(ptio_error *err, ptio_status status, const char *reason, const char *format, ...);

/** PTIO_ERR_CANCELLED after an interrupt, or where nothing can be written any more. */
ptio_status get_goes_on(void);

#endif
