/*
 * Sparse to dense, as tensor.to_dense() of PyTorch 2.13: zeros, to which each value is added at its place.
 *
 * So -0 becomes 0, and values of one place are summed one by one in the order of the file, each sum rounded to the dtype (integers wrap,
 * bools are or-ed). PyTorch multiplies each value by 1 before it adds it, and for a complex number that has an infinite part this
 * makes NaN of the other; so does this.
 *
 * What the parts are is written in check_sparse.c.
 */
#include "tensor/dense.h"

#include "base/error.h"
#include "tensor/convert.h"
#include "tensor/integers.h"

enum {
    PIECE = 128 /* numbers that are summed at a time */
};

/* A sum that goes on. */
typedef struct dense {
    ptio_dtype dtype;
    size_t itemsize;
    char *out;
    const char *values; /* side by side */
    void *held;         /* by `values`, or NULL */
    size_t held_size;
    uint64_t run; /* elements that lie side by side in values and in the result */
} dense;

bool ptio_tensor_is_sparse(const ptio_tensor *tensor)
{
    return tensor && tensor->layout != PTIO_STRIDED && tensor->layout != PTIO_NESTED && tensor->layout != PTIO_JAGGED;
}

static const ptio_memory *hooks_of(const ptio_tensor *tensor)
{
    return &ptio_tensor_part_named(tensor, "values")->storage->pool->hooks;
}

static ptio_status fail_bytes(uint64_t bytes, ptio_error *err)
{
    return ptio_fail(err, PTIO_ERR_MEMORY, "memory", PTIO_NO_OFFSET, "no memory for the %llu bytes of a sparse tensor",
                     (unsigned long long)bytes);
}

/* ---- sums ---- */

#define ADD(name, type)                                         \
    static void name(char *out, const char *in, uint64_t count) \
    {                                                           \
        for (uint64_t i = 0; i < count; i++) {                  \
            type sum, more;                                     \
            memcpy(&sum, out + i * sizeof sum, sizeof sum);     \
            memcpy(&more, in + i * sizeof more, sizeof more);   \
            sum = (type)(sum + more);                           \
            memcpy(out + i * sizeof sum, &sum, sizeof sum);     \
        }                                                       \
    }
ADD(add_1, uint8_t)
ADD(add_2, uint16_t)
ADD(add_4, uint32_t)
ADD(add_8, uint64_t)
ADD(add_float, float)
ADD(add_double, double)
#undef ADD

static void add_integers(size_t itemsize, char *out, const char *in, uint64_t count)
{
    if (itemsize == 1)
        add_1(out, in, count);
    else if (itemsize == 2)
        add_2(out, in, count);
    else if (itemsize == 4)
        add_4(out, in, count);
    else
        add_8(out, in, count);
}

static void add_bools(char *out, const char *in, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = out[i] || in[i];
}

/* A sum of two narrower floats, rounded from that of doubles, is the sum rounded. `numbers` of a complex dtype are two for an element. */
static void add_through_doubles(const dense *d, char *out, const char *in, uint64_t count)
{
    bool is_complex = ptio_dtype_rows[d->dtype].class_ == PTIO_DTYPE_COMPLEX;
    ptio_dtype wide = is_complex ? PTIO_COMPLEX128 : PTIO_FLOAT64;
    size_t per_element = is_complex ? 2 : 1;
    while (count > 0) {
        double sums[PIECE], more[PIECE];
        uint64_t n = count < PIECE / per_element ? count : PIECE / per_element;
        (void)ptio_convert(d->dtype, out, (int64_t)d->itemsize, wide, sums, n);
        (void)ptio_convert(d->dtype, in, (int64_t)d->itemsize, wide, more, n);
        for (size_t i = 0; i < n * per_element; i += per_element) {
            if (is_complex) {
                double real = more[i] - more[i + 1] * 0, imaginary = more[i] * 0 + more[i + 1];
                sums[i] += real;
                sums[i + 1] += imaginary;
            } else {
                sums[i] += more[i];
            }
        }
        (void)ptio_convert(wide, sums, (int64_t)(per_element * sizeof *sums), d->dtype, out, n);
        out += n * d->itemsize;
        in += n * d->itemsize;
        count -= n;
    }
}

/* Add a run of values, from element `from` on, to the result from element `to` on. */
static void add_run(const dense *d, uint64_t to, uint64_t from)
{
    char *out = d->out + to * d->itemsize;
    const char *in = d->values + from * d->itemsize;
    switch ((ptio_dtype_class)ptio_dtype_rows[d->dtype].class_) {
    case PTIO_DTYPE_INTEGER: add_integers(d->itemsize, out, in, d->run); return;
    case PTIO_DTYPE_BOOLEAN: add_bools(out, in, d->run); return;
    case PTIO_DTYPE_QUANTIZED:
    case PTIO_DTYPE_OPAQUE: memcpy(out, in, (size_t)d->run * d->itemsize); return;
    case PTIO_DTYPE_REAL:
    case PTIO_DTYPE_COMPLEX: break;
    }
    if (d->dtype == PTIO_FLOAT32)
        add_float(out, in, d->run);
    else if (d->dtype == PTIO_FLOAT64)
        add_double(out, in, d->run);
    else
        add_through_doubles(d, out, in, d->run);
}

/* ---- places ---- */

/* Elements below one index of the last of `count` dimensions. */
static uint64_t elements_below(const ptio_tensor *tensor, size_t count)
{
    uint64_t elements = 1;
    for (size_t i = count; i < tensor->ndim; i++)
        elements *= (uint64_t)tensor->dims[i]; /* not more than the tensor has */
    return elements;
}

static ptio_status add_coo(const dense *sum, const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *indices = ptio_tensor_part_named(tensor, "indices");
    const void *data = NULL;
    dense d = *sum;
    ptio_status status = ptio_tensor_data(indices, &data, err);
    if (status != PTIO_OK)
        return status;
    const int64_t *stride = ptio_tensor_stride(indices);
    d.run = elements_below(tensor, (size_t)indices->dims[0]);
    for (int64_t i = 0; i < indices->dims[1]; i++) {
        uint64_t place = 0;
        for (int64_t k = 0; k < indices->dims[0]; k++) {
            int64_t index;
            memcpy(&index, (const char *)data + (k * stride[0] + i * stride[1]) * (int64_t)sizeof index, sizeof index);
            place = place * (uint64_t)tensor->dims[k] + (uint64_t)index;
        }
        add_run(&d, place * d.run, (uint64_t)i * d.run);
    }
    return PTIO_OK;
}

/* Of a compressed layout: matrices of blocks, which are single elements of CSR and CSC. */
typedef struct blocks {
    bool by_row;
    uint64_t columns;    /* of a matrix, in elements            */
    uint64_t high, wide; /* elements of a block                  */
    uint64_t each;       /* numbers of one element of the matrix */
    uint64_t number;     /* of the next block, over all matrices */
} blocks;

static void add_block(const dense *d, blocks *b, uint64_t matrix, uint64_t slice, uint64_t index)
{
    uint64_t row = (b->by_row ? slice : index) * b->high, column = (b->by_row ? index : slice) * b->wide;
    for (uint64_t i = 0; i < b->high; i++)
        add_run(d, matrix + ((row + i) * b->columns + column) * b->each, (b->number * b->high + i) * d->run);
    b->number++;
}

static ptio_status add_compressed(const dense *sum, const ptio_tensor *tensor, ptio_error *err)
{
    blocks b = {.by_row = tensor->layout == PTIO_SPARSE_CSR || tensor->layout == PTIO_SPARSE_BSR, .high = 1, .wide = 1};
    const ptio_tensor *pointer_part = ptio_tensor_part_named(tensor, b.by_row ? "crow" : "ccol");
    const ptio_tensor *values = ptio_tensor_part_named(tensor, "values");
    size_t batch = pointer_part->ndim - 1;
    ptio_integers pointers, indices;
    dense d = *sum;
    if (tensor->layout == PTIO_SPARSE_BSR || tensor->layout == PTIO_SPARSE_BSC) {
        b.high = (uint64_t)values->dims[batch + 1];
        b.wide = (uint64_t)values->dims[batch + 2];
    }
    b.columns = (uint64_t)tensor->dims[batch + 1];
    b.each = elements_below(tensor, batch + 2);
    d.run = b.wide * b.each;
    ptio_status status = ptio_integers_begin(&pointers, pointer_part, err);
    if (status == PTIO_OK)
        status = ptio_integers_begin(&indices, ptio_tensor_part_named(tensor, b.by_row ? "col" : "row"), err);
    if (status != PTIO_OK)
        return status;
    uint64_t matrix_size = elements_below(tensor, batch), slices = (uint64_t)pointer_part->dims[batch] - 1;
    for (uint64_t matrix = 0; matrix < tensor->numel; matrix += matrix_size) {
        int64_t pointer = ptio_integers_next(&pointers);
        for (uint64_t slice = 0; slice < slices; slice++)
            for (int64_t end = ptio_integers_next(&pointers); pointer < end; pointer++)
                add_block(&d, &b, matrix, slice, (uint64_t)ptio_integers_next(&indices));
    }
    return PTIO_OK;
}

/* ---- all ---- */

/* The values side by side, conj and neg resolved: where they are, or a copy. */
static ptio_status open_values(dense *d, const ptio_tensor *values, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status;
    if (ptio_tensor_is_contiguous(values) && !(values->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) && d->dtype != PTIO_BOOL) {
        status = ptio_tensor_data(values, &data, err);
        d->values = data;
        return status;
    }
    const ptio_memory *hooks = &values->storage->pool->hooks;
    uint64_t bytes;
    status = ptio_tensor_check_cast(values, d->dtype, &bytes, err);
    if (status != PTIO_OK || bytes == 0)
        return status;
    d->held = bytes <= SIZE_MAX - PTIO_STORAGE_ALIGN ? hooks->alloc(hooks->ctx, (size_t)bytes, PTIO_STORAGE_ALIGN) : NULL;
    if (!d->held)
        return fail_bytes(bytes, err);
    d->held_size = (size_t)bytes;
    d->values = d->held;
    return ptio_tensor_copy(values, d->dtype, d->held, bytes, err);
}

/* `out` has room for all elements, of which there are some. */
static ptio_status fill(const ptio_tensor *tensor, char *out, size_t size, ptio_error *err)
{
    const ptio_tensor *values = ptio_tensor_part_named(tensor, "values");
    dense d = {.dtype = (ptio_dtype)tensor->dtype, .itemsize = ptio_dtype_rows[tensor->dtype].itemsize, .out = out};
    ptio_status status = ptio_tensor_check_elements(tensor, NULL, err);
    if (status == PTIO_OK)
        status = open_values(&d, values, err);
    if (status == PTIO_OK)
        memset(out, 0, size);
    if (status == PTIO_OK && values->numel > 0)
        status = tensor->layout == PTIO_SPARSE_COO ? add_coo(&d, tensor, err) : add_compressed(&d, tensor, err);
    if (d.held)
        hooks_of(tensor)->free(hooks_of(tensor)->ctx, d.held, d.held_size);
    return status;
}

static ptio_status check_parts(const ptio_tensor *tensor, ptio_error *err)
{
    ptio_status status = ptio_tensor_check_parts(tensor, err);
    for (size_t i = 0; status == PTIO_OK && i < ptio_tensor_part_count(tensor); i++) {
        const ptio_tensor *part = tensor->extra->parts[i].tensor;
        if (!part->storage || ptio_tensor_is_meta(part))
            return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.meta", PTIO_NO_OFFSET, "a meta tensor has no elements");
    }
    if (status == PTIO_OK && ptio_dtype_per_byte((ptio_dtype)tensor->dtype) > 1)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.cast", PTIO_NO_OFFSET, "a sparse tensor of %s has no dense elements",
                         ptio_dtype_name((ptio_dtype)tensor->dtype));
    return status;
}

ptio_status ptio_dense_check(const ptio_tensor *tensor, uint64_t numel, ptio_dtype dtype, uint64_t size, ptio_error *err)
{
    uint64_t bytes;
    ptio_dtype from = (ptio_dtype)tensor->dtype;
    ptio_status status = check_parts(tensor, err);
    if (status != PTIO_OK)
        return status;
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT || (dtype != from && !ptio_can_convert(from, dtype)))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.cast", PTIO_NO_OFFSET, "there is no cast from %s to %s",
                         ptio_dtype_name(from), dtype ? ptio_dtype_name(dtype) : "no dtype");
    if (!ptio_mul_u64(numel, ptio_dtype_rows[dtype].itemsize, &bytes) || bytes != size || bytes > SIZE_MAX)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.buffer", PTIO_NO_OFFSET,
                         "%llu elements of %s do not fill the buffer of %llu bytes", (unsigned long long)numel,
                         ptio_dtype_name(dtype), (unsigned long long)size);
    return ptio_tensor_check_expansion(tensor, err);
}

ptio_status ptio_dense_new(const ptio_tensor *tensor, void **ret, size_t *size, ptio_error *err)
{
    const ptio_memory *hooks = hooks_of(tensor);
    uint64_t bytes;
    if (!ptio_mul_u64(tensor->numel, ptio_dtype_rows[tensor->dtype].itemsize, &bytes) || bytes > SIZE_MAX - PTIO_STORAGE_ALIGN)
        return fail_bytes(UINT64_MAX, err);
    void *out = hooks->alloc(hooks->ctx, (size_t)bytes, PTIO_STORAGE_ALIGN);
    if (!out)
        return fail_bytes(bytes, err);
    ptio_status status = fill(tensor, out, (size_t)bytes, err);
    if (status != PTIO_OK) {
        ptio_dense_free(tensor, out, (size_t)bytes);
        return status;
    }
    *ret = out;
    *size = (size_t)bytes;
    return PTIO_OK;
}

void ptio_dense_free(const ptio_tensor *tensor, void *bytes, size_t size)
{
    hooks_of(tensor)->free(hooks_of(tensor)->ctx, bytes, size);
}

ptio_status ptio_dense_copy(const ptio_tensor *tensor, ptio_dtype dtype, void *buffer, ptio_error *err)
{
    size_t itemsize = ptio_dtype_rows[tensor->dtype].itemsize, size;
    void *elements;
    if (tensor->numel == 0)
        return PTIO_OK;
    if (dtype == (ptio_dtype)tensor->dtype)
        return fill(tensor, buffer, (size_t)tensor->numel * itemsize, err);
    ptio_status status = ptio_dense_new(tensor, &elements, &size, err);
    if (status != PTIO_OK)
        return status;
    (void)ptio_convert((ptio_dtype)tensor->dtype, elements, (int64_t)itemsize, dtype, buffer, tensor->numel);
    ptio_dense_free(tensor, elements, size);
    return PTIO_OK;
}
