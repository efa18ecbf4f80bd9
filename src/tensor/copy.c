/*
 * Getting elements out of tensors: into the caller's memory, as a stream of bytes, or as a pointer to the first.
 *
 * Elements are read in C order along the runs of a walk. A run that needs nothing but a cast is converted where it lies; what
 * needs more (short runs, conj and neg bits, elements smaller than a byte, scales) is first gathered in pieces.
 */
#include <stdalign.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "tensor/copy.h"
#include "tensor/dense.h"
#include "tensor/walk.h"

enum {
    PIECE = 256,          /* elements gathered at a time, a multiple of what a byte may hold */
    WIDEST = 16,          /* bytes of the largest element                                    */
    LONG_RUN = 32,        /* elements; from here on the cost of a call does not matter       */
    TILE = 32,            /* rows and columns of a transposed matrix that the cache holds    */
    STREAM_BYTES = 4096,  /* of a piece of a stream that must be computed                    */
    STREAM_MOST = 1 << 16 /* bytes of a piece of any stream                                  */
};

/* Elements that may always be made of one: an expanded mask or index costs little. */
#define EXPAND_FREELY ((uint64_t)1 << 20)

typedef struct reader {
    ptio_element_walk walk;
    const char *base; /* of the storage */
    const ptio_tensor *tensor;
    ptio_dtype dtype;
    size_t itemsize;
    unsigned per_byte;
    bool conj, neg;
} reader;

/* ---- what can be read ---- */

static ptio_status check_has_elements(const ptio_tensor *tensor, ptio_error *err)
{
    if (!tensor)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.none", PTIO_NO_OFFSET, "there is no tensor");
    if (tensor->layout != PTIO_STRIDED)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.composed", PTIO_NO_OFFSET,
                         "a tensor of several parts has no elements of its own; its parts have");
    if (!tensor->storage || ptio_tensor_is_meta(tensor))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.meta", PTIO_NO_OFFSET, "a meta tensor has no elements");
    return PTIO_OK;
}

/* Elements that there are in memory: of a sparse tensor its values. */
static uint64_t stored_elements(const ptio_tensor *tensor)
{
    if (!tensor->storage)
        return ptio_tensor_numel(ptio_tensor_part_named(tensor, "values"));
    return tensor->storage->nbytes / ptio_dtype_rows[tensor->dtype].itemsize * ptio_dtype_per_byte((ptio_dtype)tensor->dtype);
}

ptio_status ptio_tensor_check_expansion(const ptio_tensor *tensor, ptio_error *err)
{
    const ptio_tensor *stored = tensor->storage ? tensor : ptio_tensor_part_named(tensor, "values");
    uint64_t elements = stored_elements(tensor), factor = stored->storage->pool->expand_factor;
    if (tensor->numel <= EXPAND_FREELY || tensor->numel / factor <= elements)
        return PTIO_OK;
    return ptio_fail(err, PTIO_ERR_LIMIT, "limit.expand", PTIO_NO_OFFSET,
                     "a tensor shows the %llu elements of its storage as %llu; expand_factor allows %llu for each",
                     (unsigned long long)elements, (unsigned long long)tensor->numel, (unsigned long long)factor);
}

ptio_status ptio_tensor_read_storage(const ptio_tensor *tensor, const void **ret, ptio_error *err)
{
    ptio_status status = ptio_tensor_check_expansion(tensor, err);
    return status == PTIO_OK ? ptio_storage_data(tensor->storage, ret, err) : status;
}

/* Over the bytes of the storage of a tensor that has elements. */
static void begin_reader(reader *r, const ptio_tensor *tensor, const void *base)
{
    r->base = base;
    r->tensor = tensor;
    r->dtype = (ptio_dtype)tensor->dtype;
    r->itemsize = ptio_dtype_rows[tensor->dtype].itemsize;
    r->per_byte = ptio_dtype_per_byte(r->dtype);
    r->conj = ptio_tensor_is_conj(tensor);
    r->neg = ptio_tensor_is_neg(tensor);
    ptio_element_walk_begin(&r->walk, tensor);
}

/* ---- elements in pieces ---- */

/* PyTorch packs the first element into the lowest bits. */
static void unpack(const char *base, int64_t first, int64_t step, unsigned per_byte, char *out, uint64_t count)
{
    unsigned bits = 8 / per_byte, mask = (1u << bits) - 1;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t element = (uint64_t)(first + (int64_t)i * step);
        unsigned byte = (unsigned char)base[element / per_byte];
        out[i] = (char)(byte >> (element % per_byte * bits) & mask);
    }
}

static void pack(const char *in, unsigned per_byte, char *out, size_t count)
{
    unsigned bits = 8 / per_byte;
    for (size_t i = 0; i < count; i += per_byte) {
        unsigned byte = 0;
        for (unsigned j = 0; j < per_byte && i + j < count; j++)
            byte |= (unsigned)(unsigned char)in[i + j] << (j * bits);
        out[i / per_byte] = (char)byte;
    }
}

#define NEGATE(name, type, changed)                             \
    static void name(char *elements, size_t count, size_t each) \
    {                                                           \
        for (size_t i = 0; i < count; i++) {                    \
            type x;                                             \
            PTIO_MOVE(&x, elements + i * each, sizeof x);       \
            x = (type)(changed);                                \
            PTIO_MOVE(elements + i * each, &x, sizeof x);       \
        }                                                       \
    }
NEGATE(flip_sign_2, uint16_t, x ^ 0x8000u)
NEGATE(flip_sign_4, uint32_t, x ^ 0x80000000u)
NEGATE(flip_sign_8, uint64_t, x ^ (uint64_t)1 << 63)
NEGATE(negate_1, uint8_t, 0u - x)
NEGATE(negate_2, uint16_t, 0u - x)
NEGATE(negate_4, uint32_t, 0u - x)
NEGATE(negate_8, uint64_t, 0u - x)
#undef NEGATE

/* Floats of `size` bytes, `each` bytes apart. */
static void flip_signs(char *floats, size_t size, size_t count, size_t each)
{
    if (size == 2)
        flip_sign_2(floats, count, each);
    else if (size == 4)
        flip_sign_4(floats, count, each);
    else
        flip_sign_8(floats, count, each);
}

static void negate_integers(char *integers, size_t size, size_t count)
{
    if (size == 1)
        negate_1(integers, count, size);
    else if (size == 2)
        negate_2(integers, count, size);
    else if (size == 4)
        negate_4(integers, count, size);
    else
        negate_8(integers, count, size);
}

static void resolve_math_bits(const reader *r, char *elements, size_t count)
{
    unsigned class_ = ptio_dtype_rows[r->dtype].class_;
    if (class_ == PTIO_DTYPE_COMPLEX) {
        size_t half = r->itemsize / 2;
        if (r->neg)
            flip_signs(elements, half, count, r->itemsize);
        if (r->neg != r->conj)
            flip_signs(elements + half, half, count, r->itemsize);
    } else if (r->neg && class_ == PTIO_DTYPE_REAL) {
        flip_signs(elements, r->itemsize, count, r->itemsize);
    } else if (r->neg) {
        negate_integers(elements, r->itemsize, count);
    }
}

/* The next elements side by side, in the tensor's dtype, packed ones a byte each. */
static void gather_piece(reader *r, char *out, size_t count)
{
    char *to = out;
    for (uint64_t left = count; left > 0;) {
        uint64_t n;
        int64_t first = ptio_element_walk_next(&r->walk, left, &n), step = ptio_element_walk_step(&r->walk);
        if (r->per_byte > 1)
            unpack(r->base, first, step, r->per_byte, to, n);
        else
            ptio_gather(r->base + first * (int64_t)r->itemsize, step * (int64_t)r->itemsize, r->itemsize, to, n);
        to += n * r->itemsize;
        left -= n;
    }
    if (r->conj || r->neg)
        resolve_math_bits(r, out, count);
}

static bool needs_gathering(const reader *r)
{
    return r->conj || r->neg || r->per_byte > 1 || (ptio_element_walk_run(&r->walk) < LONG_RUN && r->walk.ndim > 1);
}

static void read_runs(reader *r, ptio_dtype dtype, char *out, uint64_t count)
{
    size_t size = ptio_dtype_rows[dtype].itemsize;
    while (count > 0) {
        uint64_t n;
        int64_t first = ptio_element_walk_next(&r->walk, count, &n), step = ptio_element_walk_step(&r->walk);
        (void)ptio_convert(r->dtype, r->base + first * (int64_t)r->itemsize, step * (int64_t)r->itemsize, dtype, out, n);
        out += n * size;
        count -= n;
    }
}

/* The runs of a transposed matrix go across the lines of the cache: it is the elements of the last dimension but one that lie side by side. */
static bool is_transposed(const ptio_element_walk *walk)
{
    size_t last = walk->ndim - 1;
    return last > 0 && walk->step[last - 1] == 1 && walk->step[last] > 1 && walk->size[last - 1] >= TILE;
}

/* One matrix of rows x columns, in tiles, so that each line of the cache is fetched once for all rows that it has elements of. */
static void read_matrix(const reader *r, int64_t first, ptio_dtype dtype, char *out)
{
    size_t last = r->walk.ndim - 1, size = ptio_dtype_rows[dtype].itemsize;
    int64_t rows = r->walk.size[last - 1], columns = r->walk.size[last], itemsize = (int64_t)r->itemsize;
    int64_t step = r->walk.step[last];
    for (int64_t row = 0; row < rows; row += TILE)
        for (int64_t column = 0; column < columns; column += TILE) {
            uint64_t n = columns - column < TILE ? (uint64_t)(columns - column) : TILE;
            for (int64_t i = row; i < rows && i < row + TILE; i++)
                (void)ptio_convert(r->dtype, r->base + (first + i + column * step) * itemsize, step * itemsize, dtype,
                                   out + (uint64_t)(i * columns + column) * size, n);
        }
}

/* All elements. */
static void read_transposed(const reader *r, ptio_dtype dtype, char *out)
{
    ptio_element_walk matrices = r->walk;
    size_t last = r->walk.ndim - 1;
    uint64_t matrix = (uint64_t)(r->walk.size[last - 1] * r->walk.size[last]), one;
    matrices.ndim -= 2;
    if (matrices.ndim == 0)
        matrices.ndim = 1, matrices.size[0] = 1, matrices.step[0] = 0;
    for (uint64_t left = r->tensor->numel; left > 0; left -= matrix) {
        read_matrix(r, ptio_element_walk_next(&matrices, 1, &one), dtype, out);
        out += matrix * ptio_dtype_rows[dtype].itemsize;
    }
}

static void read_pieces(reader *r, ptio_dtype dtype, char *out, uint64_t count)
{
    alignas(WIDEST) char piece[PIECE * WIDEST];
    size_t size = ptio_dtype_rows[dtype].itemsize;
    ptio_dtype from = r->per_byte > 1 ? PTIO_UINT8 : r->dtype;
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        gather_piece(r, piece, n);
        (void)ptio_convert(from, piece, (int64_t)r->itemsize, dtype, out, n);
        out += n * size;
        count -= n;
    }
}

/* As packed as the tensor. `count` is a multiple of what a byte holds, but at the end. */
static void read_packed(reader *r, char *out, uint64_t count)
{
    char piece[PIECE];
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        gather_piece(r, piece, n);
        pack(piece, r->per_byte, out, n);
        out += n / r->per_byte;
        count -= n;
    }
}

/* The next elements, cast; not for the numbers that quantized ones stand for. */
static void read_elements(reader *r, ptio_dtype dtype, char *out, uint64_t count)
{
    if (r->per_byte > 1 && dtype == r->dtype)
        read_packed(r, out, count);
    else if (needs_gathering(r))
        read_pieces(r, dtype, out, count);
    else
        read_runs(r, dtype, out, count);
}

static ptio_dtype stored_ints(ptio_dtype dtype)
{
    return dtype == PTIO_QINT8 ? PTIO_INT8 : dtype == PTIO_QINT32 ? PTIO_INT32 : PTIO_UINT8;
}

static void read_dequantized(reader *r, ptio_dequantizer *dequantizer, ptio_dtype dtype, char *out, uint64_t count)
{
    alignas(WIDEST) char piece[PIECE * sizeof(int32_t)];
    int32_t ints[PIECE];
    float numbers[PIECE];
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        gather_piece(r, piece, n);
        (void)ptio_convert(stored_ints(r->dtype), piece, (int64_t)r->itemsize, PTIO_INT32, ints, n);
        ptio_dequantize(dequantizer, ints, numbers, n);
        (void)ptio_convert(PTIO_FLOAT32, numbers, sizeof *numbers, dtype, out, n);
        out += n * ptio_dtype_rows[dtype].itemsize;
        count -= n;
    }
}

void ptio_tensor_read_elements(const ptio_tensor *tensor, const void *base, ptio_dequantizer *dequantizer, ptio_dtype dtype,
                               void *out)
{
    reader r;
    begin_reader(&r, tensor, base);
    if (dequantizer)
        read_dequantized(&r, dequantizer, dtype, out, tensor->numel);
    else if (!needs_gathering(&r) && is_transposed(&r.walk))
        read_transposed(&r, dtype, out);
    else
        read_elements(&r, dtype, out, tensor->numel);
}

/* ---- the public copy ---- */

static bool is_quantized(const ptio_tensor *tensor)
{
    return ptio_dtype_rows[tensor->dtype].class_ == PTIO_DTYPE_QUANTIZED;
}

static bool is_float(ptio_dtype dtype)
{
    return ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_REAL;
}

static bool can_cast(const ptio_tensor *tensor, ptio_dtype dtype)
{
    ptio_dtype from = (ptio_dtype)tensor->dtype;
    if (from == dtype)
        return true;
    if (!is_quantized(tensor))
        return ptio_can_convert(from, dtype);
    unsigned class_ = ptio_dtype_rows[dtype].class_;
    return is_float(dtype) || class_ == PTIO_DTYPE_INTEGER || class_ == PTIO_DTYPE_BOOLEAN;
}

/* Bytes of all elements; packed ones fill the last byte with zeros. UINT64_MAX where that is too much. */
static uint64_t bytes_as(const ptio_tensor *tensor, ptio_dtype dtype)
{
    uint64_t bytes;
    if (dtype == (ptio_dtype)tensor->dtype && ptio_dtype_per_byte(dtype) > 1) {
        unsigned per_byte = ptio_dtype_per_byte(dtype);
        return tensor->numel / per_byte + (tensor->numel % per_byte > 0);
    }
    return ptio_mul_u64(tensor->numel, ptio_dtype_rows[dtype].itemsize, &bytes) ? bytes : UINT64_MAX;
}

ptio_status ptio_tensor_check_cast(const ptio_tensor *tensor, ptio_dtype dtype, uint64_t *nbytes, ptio_error *err)
{
    ptio_status status = check_has_elements(tensor, err);
    if (status != PTIO_OK)
        return status;
    if (dtype <= PTIO_NO_DTYPE || dtype >= PTIO_DTYPE_COUNT || !can_cast(tensor, dtype))
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.cast", PTIO_NO_OFFSET, "there is no cast from %s to %s",
                         ptio_dtype_name((ptio_dtype)tensor->dtype), dtype ? ptio_dtype_name(dtype) : "no dtype");
    *nbytes = bytes_as(tensor, dtype);
    return PTIO_OK;
}

bool ptio_tensor_is_dequantized(const ptio_tensor *tensor, ptio_dtype dtype)
{
    return is_quantized(tensor) && is_float(dtype);
}

ptio_status ptio_tensor_check_copy(const ptio_tensor *tensor, ptio_dtype dtype, uint64_t size, ptio_error *err)
{
    uint64_t bytes;
    ptio_status status = ptio_tensor_check_cast(tensor, dtype, &bytes, err);
    if (status != PTIO_OK)
        return status;
    if (bytes != size || size == UINT64_MAX)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.buffer", PTIO_NO_OFFSET,
                         "%llu elements of %s are %llu bytes, the buffer has %llu", (unsigned long long)tensor->numel,
                         ptio_dtype_name(dtype), (unsigned long long)bytes, (unsigned long long)size);
    return PTIO_OK;
}

/* Whether the elements are the bytes of their storage, all of them, as they are. Bytes of bools may have to become 0 or 1. */
static bool is_all_of_storage(const ptio_tensor *tensor, ptio_dtype dtype, uint64_t size)
{
    return tensor->dtype == dtype && dtype != PTIO_BOOL && size == tensor->storage->nbytes && !tensor->storage_offset &&
           ptio_dtype_per_byte(dtype) == 1 && !(tensor->flags & (PTIO_TENSOR_CONJ | PTIO_TENSOR_NEG)) &&
           ptio_tensor_is_contiguous(tensor);
}

ptio_status ptio_tensor_copy(const ptio_tensor *tensor, ptio_dtype dtype, void *buffer, uint64_t size, ptio_error *err)
{
    const void *base = NULL;
    bool done = false;
    ptio_dequantizer dequantizer;
    ptio_status status;
    if (ptio_tensor_is_sparse(tensor)) {
        status = ptio_dense_check(tensor, tensor->numel, dtype, size, err);
        return status == PTIO_OK ? ptio_dense_copy(tensor, dtype, buffer, err) : status;
    }
    status = ptio_tensor_check_copy(tensor, dtype, size, err);
    if (status != PTIO_OK || tensor->numel == 0)
        return status;
    if (is_all_of_storage(tensor, dtype, size)) {
        status = ptio_storage_read_into(tensor->storage, buffer, &done, err);
        if (status != PTIO_OK || done)
            return status;
    }
    bool dequantized = ptio_tensor_is_dequantized(tensor, dtype);
    status = ptio_tensor_read_storage(tensor, &base, err);
    if (status == PTIO_OK && dequantized)
        status = ptio_dequantizer_begin(&dequantizer, tensor, err);
    if (status == PTIO_OK)
        ptio_tensor_read_elements(tensor, base, dequantized ? &dequantizer : NULL, dtype, buffer);
    return status;
}

ptio_status ptio_tensor_data(const ptio_tensor *tensor, const void **ret, ptio_error *err)
{
    const void *data = NULL;
    ptio_status status = check_has_elements(tensor, err);
    if (status == PTIO_OK)
        status = ptio_storage_data(tensor->storage, &data, err);
    if (status != PTIO_OK)
        return status;
    ptio_dtype dtype = (ptio_dtype)tensor->dtype;
    unsigned per_byte = ptio_dtype_per_byte(dtype);
    if (tensor->storage_offset % per_byte != 0)
        return ptio_fail(err, PTIO_ERR_ARGUMENT, "tensor.packed", PTIO_NO_OFFSET,
                         "the first element of this tensor of %s is not at the beginning of a byte", ptio_dtype_name(dtype));
    /* The offset of a tensor without elements may lie anywhere. */
    int64_t offset = tensor->numel ? tensor->storage_offset / per_byte * (int64_t)ptio_dtype_itemsize(dtype) : 0;
    *ret = (const char *)data + offset;
    return PTIO_OK;
}

/* ---- streams ---- */

/* Whether the bytes of the storage are what the stream is made of. */
static bool is_plain(const reader *r)
{
    return !r->conj && !r->neg && r->per_byte == 1 && r->dtype != PTIO_BOOL && r->walk.ndim == 1 &&
           (ptio_element_walk_step(&r->walk) == 1 || r->tensor->numel == 1);
}

static ptio_status stream_plain(const reader *r, ptio_take_bytes take, void *ctx, ptio_error *err)
{
    const char *bytes = r->base + r->tensor->storage_offset * (int64_t)r->itemsize;
    ptio_status status = PTIO_OK;
    for (uint64_t left = r->tensor->numel * r->itemsize; left > 0 && status == PTIO_OK;) {
        size_t n = left < STREAM_MOST ? (size_t)left : STREAM_MOST;
        status = take(ctx, bytes, n, err);
        bytes += n;
        left -= n;
    }
    return status;
}

static ptio_status stream_computed(reader *r, ptio_take_bytes take, void *ctx, ptio_error *err)
{
    alignas(WIDEST) char piece[STREAM_BYTES];
    ptio_status status = PTIO_OK;
    size_t most = STREAM_BYTES / r->itemsize * r->per_byte;
    for (uint64_t left = r->tensor->numel; left > 0 && status == PTIO_OK;) {
        size_t n = left < most ? (size_t)left : most;
        read_elements(r, r->dtype, piece, n);
        status = take(ctx, piece, n / r->per_byte * r->itemsize + (n % r->per_byte > 0), err);
        left -= n;
    }
    return status;
}

ptio_status ptio_tensor_stream(const ptio_tensor *tensor, ptio_take_bytes take, void *ctx, ptio_error *err)
{
    reader r;
    const void *base = NULL;
    ptio_status status = check_has_elements(tensor, err);
    if (status != PTIO_OK || tensor->numel == 0)
        return status;
    status = ptio_tensor_read_storage(tensor, &base, err);
    if (status != PTIO_OK)
        return status;
    begin_reader(&r, tensor, base);
    return is_plain(&r) ? stream_plain(&r, take, ctx, err) : stream_computed(&r, take, ctx, err);
}
