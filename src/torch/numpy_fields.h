/*
 * NumPy's dtypes that are made of others: with fields, and arrays in a field. Pickles and .npy headers tell them in different forms.
 */
#ifndef PTIO_TORCH_NUMPY_FIELDS_H
#define PTIO_TORCH_NUMPY_FIELDS_H

#include "torch/handlers.h"

/** What a structured dtype is beside its fields. */
typedef struct ptio_npstruct {
    const ptio_npfield *first;
    uint64_t itemsize, alignment;
    bool aligned;   /* made with align=True             */
    bool is_record; /* of numpy.record, not numpy.void  */
} ptio_npstruct;

/** Make `ret` the dtype of such fields, with the text that str() gives. PTIO_ERR_LIMIT, PTIO_ERR_MEMORY. */
ptio_status ptio_npdtype_of_fields(ptio_loader *loader, const ptio_npstruct *fields, ptio_npdtype *ret, ptio_error *err);

/** Make `ret` the dtype of an array of `base`. PTIO_ERR_FORMAT, and no text, where it has too many bytes or dimensions below 0. */
ptio_status ptio_npdtype_of_array(ptio_loader *loader, const ptio_npdtype *base, size_t ndim, const int64_t *shape,
                                  ptio_npdtype *ret, ptio_error *err);

#endif
