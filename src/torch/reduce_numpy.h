/*
 * NumPy's values as they are written: what reduce_numpy.c and reduce_npdtype.c share.
 */
#ifndef PTIO_TORCH_REDUCE_NUMPY_H
#define PTIO_TORCH_REDUCE_NUMPY_H

#include "torch/reduce.h"

/** The letter of a dtype: 'f' of "<f4". */
static inline char ptio_npdtype_kind(const ptio_npdtype *dtype)
{
    return dtype->code.size > 1 && !dtype->is_structured ? dtype->code.bytes[1] : '\0';
}

/** Whether it is one of the types of which NumPy has one dtype each: numbers and bool. */
bool ptio_npdtype_is_plain(const ptio_npdtype *dtype);

static inline bool ptio_npdtype_is_time(const ptio_npdtype *dtype)
{
    return ptio_npdtype_kind(dtype) == 'M' || ptio_npdtype_kind(dtype) == 'm';
}

/* All give NULL where there is no memory. */

/** A dtype of a file, in the byte order of the file. */
const ptio_value *ptio_reduce_npdtype(ptio_reducer *r, const ptio_value *object);

/** NumPy's own dtype of a plain type in the byte order of the machine, one object; `code` as "f4". */
const ptio_value *ptio_npdtype_builtin(ptio_reducer *r, ptio_text code);

/** The dtype that NumPy makes of a dtype of a file where it brings values into the byte order of the machine. */
const ptio_value *ptio_npdtype_native(ptio_reducer *r, const ptio_value *object);

/** A new dtype of strings of `length` characters of a kind: 'S' or 'U'. */
const ptio_value *ptio_npdtype_string(ptio_reducer *r, char kind, uint64_t length);

/** A dtype of this description in this byte order, '<' or '>', as no file had it; not of structured ones. */
const ptio_value *ptio_npdtype_of(ptio_reducer *r, const ptio_npdtype *dtype, char order);

#endif
