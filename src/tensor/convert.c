/*
 * Casts between any two dtypes, of strided elements, in pieces that stay in the first cache:
 *
 *     gather     elements that lie apart are first laid side by side
 *     complex    an array of complex numbers is one of twice as many floats; its real parts are one with twice the step
 *     cast       by way of a wide type (cast.c), in one loop where source or target is one
 */
#include "tensor/convert.h"

#include <stdalign.h>
#include <string.h>

#include "base/vector.h"
#include "tensor/cast.h"
#include "tensor/dtype.h"

enum {
    PIECE = 256, /* elements converted at a time */
    WIDEST = 16  /* bytes of the largest element */
};

/* Bytes of a result that outgrow the caches: it is written past them, since else each line is read before it is written. */
#define MUCH ((uint64_t)32 << 20)

/* ---- laying elements side by side ---- */

#define GATHER(bytes_each)                                                                 \
    static void gather_##bytes_each(const char *in, int64_t step, char *out, size_t count) \
    {                                                                                      \
        for (size_t i = 0; i < count; i++)                                                 \
            PTIO_MOVE(out + i * (bytes_each), in + (int64_t)i * step, bytes_each);         \
    }
GATHER(1)
GATHER(2)
GATHER(4)
GATHER(8)
GATHER(16)

void ptio_gather(const void *in, int64_t step, size_t itemsize, void *out, uint64_t count)
{
    size_t n = (size_t)count;
    if (step == (int64_t)itemsize) {
        memcpy(out, in, n * itemsize);
        return;
    }
    switch (itemsize) {
    case 1: gather_1(in, step, out, n); return;
    case 2: gather_2(in, step, out, n); return;
    case 4: gather_4(in, step, out, n); return;
    case 8: gather_8(in, step, out, n); return;
    default: gather_16(in, step, out, n); return;
    }
}

/* ---- contiguous pieces ---- */

/* A cast between dtypes that are no complex ones. */
typedef struct plan {
    ptio_cast widen, narrow; /* both NULL: the bytes as they are */
    ptio_cast_stream stream; /* may be NULL                      */
} plan;

static void run(plan casts, size_t itemsize, const char *in, char *out, size_t count)
{
    alignas(WIDEST) char wide[PIECE * sizeof(uint64_t)];
    if (casts.widen && casts.narrow) {
        casts.widen(in, wide, count);
        casts.narrow(wide, out, count);
    } else if (casts.widen) {
        casts.widen(in, out, count);
    } else if (casts.narrow) {
        casts.narrow(in, out, count);
    } else {
        memcpy(out, in, count * itemsize);
    }
}

static bool make_plan(ptio_dtype from, ptio_dtype to, plan *ret)
{
    *ret = (plan){NULL, NULL, NULL};
    if (from == to && from != PTIO_BOOL) /* of bool, bytes other than 0 and 1 become 1 */
        return true;
    ptio_dtype wide = ptio_cast_wide(from);
    if (!wide || !ptio_cast_wide(to))
        return false;
    const ptio_casts *casts = ptio_casts_here();
    ret->widen = casts->widen[from];
    ret->narrow = ptio_cast_narrow(casts, wide, to);
    ret->stream = casts->stream;
    return true;
}

static ptio_dtype real_of(ptio_dtype dtype)
{
    switch (dtype) {
    case PTIO_COMPLEX128: return PTIO_FLOAT64;
    case PTIO_COMPLEX64: return PTIO_FLOAT32;
    case PTIO_COMPLEX32: return PTIO_FLOAT16;
    case PTIO_BCOMPLEX32: return PTIO_BFLOAT16;
    default: return dtype;
    }
}

/* The ints that are stored. */
static ptio_dtype stored_of(ptio_dtype dtype)
{
    switch (dtype) {
    case PTIO_QINT8: return PTIO_INT8;
    case PTIO_QUINT8: return PTIO_UINT8;
    case PTIO_QINT32: return PTIO_INT32;
    default: return dtype;
    }
}

static bool is_complex(ptio_dtype dtype)
{
    return ptio_dtype_rows[dtype].class_ == PTIO_DTYPE_COMPLEX;
}

/* ---- whole conversions ---- */

/* From elements side by side to an aligned result, a whole number of pieces. */
static void convert_streaming(plan casts, const char *in, size_t in_size, char *out, size_t out_size, uint64_t count)
{
    alignas(PTIO_CAST_STREAM) char piece[PIECE * sizeof(uint64_t)];
    for (; count > 0; count -= PIECE, in += PIECE * in_size, out += PIECE * out_size) {
        run(casts, in_size, in, piece, PIECE);
        casts.stream(out, piece, PIECE * out_size);
    }
    ptio_vector_stream_end();
}

static void convert_some(plan casts, const char *in, int64_t in_step, size_t in_size, char *out, size_t out_size, uint64_t count)
{
    alignas(WIDEST) char gathered[PIECE * WIDEST];
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        const char *piece = in;
        if (in_step != (int64_t)in_size) {
            ptio_gather(in, in_step, in_size, gathered, n);
            piece = gathered;
        }
        run(casts, in_size, piece, out, n);
        in += (int64_t)n * in_step;
        out += n * out_size;
        count -= n;
    }
}

/* Elements before the first that lies at a multiple of what streams need; false where there is none, or no reason to stream. */
static bool can_stream(plan casts, const char *out, size_t out_size, uint64_t count, uint64_t *head)
{
    uintptr_t beyond = (uintptr_t)out % PTIO_CAST_STREAM, before = beyond ? PTIO_CAST_STREAM - beyond : 0;
    *head = before / out_size;
    return casts.stream && (casts.widen || casts.narrow) && count >= MUCH / out_size && before % out_size == 0;
}

static void convert_pieces(plan casts, const char *in, int64_t in_step, size_t in_size, char *out, size_t out_size,
                           uint64_t count)
{
    uint64_t head;
    if (in_step == (int64_t)in_size && can_stream(casts, out, out_size, count, &head)) {
        uint64_t body = (count - head) / PIECE * PIECE;
        convert_some(casts, in, in_step, in_size, out, out_size, head);
        convert_streaming(casts, in + head * in_size, in_size, out + head * out_size, out_size, body);
        in += (head + body) * in_size;
        out += (head + body) * out_size;
        count -= head + body;
    }
    convert_some(casts, in, in_step, in_size, out, out_size, count);
}

/* Both complex: two floats for each. */
static void convert_complex(plan casts, const char *in, int64_t in_step, size_t in_size, char *out, size_t out_size,
                            uint64_t count)
{
    alignas(WIDEST) char gathered[PIECE / 2 * WIDEST];
    if (in_step == (int64_t)in_size) {
        convert_pieces(casts, in, in_step / 2, in_size / 2, out, out_size / 2, count * 2);
        return;
    }
    while (count > 0) {
        size_t n = count < PIECE / 2 ? (size_t)count : PIECE / 2;
        ptio_gather(in, in_step, in_size, gathered, n);
        run(casts, in_size / 2, gathered, out, n * 2);
        in += (int64_t)n * in_step;
        out += n * out_size;
        count -= n;
    }
}

/* Real to complex: the imaginary parts are 0. `half` is the size of a part. */
static void convert_to_complex(plan casts, const char *in, int64_t in_step, size_t in_size, char *out, size_t half,
                               uint64_t count)
{
    alignas(WIDEST) char parts[PIECE * sizeof(double)];
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        convert_pieces(casts, in, in_step, in_size, parts, half, n);
        memset(out, 0, n * 2 * half);
        for (size_t i = 0; i < n; i++)
            memcpy(out + i * 2 * half, parts + i * half, half);
        in += (int64_t)n * in_step;
        out += n * 2 * half;
        count -= n;
    }
}

/* Complex to bool: either part is not 0. `half` is the size of a part. */
static void convert_complex_to_bool(plan casts, const char *in, int64_t in_step, size_t half, char *out, uint64_t count)
{
    char imag[PIECE];
    while (count > 0) {
        size_t n = count < PIECE ? (size_t)count : PIECE;
        convert_pieces(casts, in, in_step, half, out, 1, n);
        convert_pieces(casts, in + half, in_step, half, imag, 1, n);
        for (size_t i = 0; i < n; i++)
            out[i] |= imag[i];
        in += (int64_t)n * in_step;
        out += n;
        count -= n;
    }
}

static bool find_plan(ptio_dtype from, ptio_dtype to, plan *ret)
{
    return ptio_dtype_rows[to].class_ != PTIO_DTYPE_QUANTIZED && make_plan(real_of(stored_of(from)), real_of(to), ret);
}

bool ptio_can_convert(ptio_dtype from, ptio_dtype to)
{
    plan casts;
    return from == to || find_plan(from, to, &casts);
}

bool ptio_convert(ptio_dtype from, const void *in, int64_t in_step, ptio_dtype to, void *out, uint64_t count)
{
    size_t in_size = ptio_dtype_rows[from].itemsize, out_size = ptio_dtype_rows[to].itemsize;
    plan casts;
    if (from == to && from != PTIO_BOOL) {
        ptio_gather(in, in_step, in_size, out, count);
        return true;
    }
    if (!find_plan(from, to, &casts))
        return false;
    if (is_complex(from) && is_complex(to))
        convert_complex(casts, in, in_step, in_size, out, out_size, count);
    else if (is_complex(to))
        convert_to_complex(casts, in, in_step, in_size, out, out_size / 2, count);
    else if (is_complex(from) && to == PTIO_BOOL)
        convert_complex_to_bool(casts, in, in_step, in_size / 2, out, count);
    else
        convert_pieces(casts, in, in_step, is_complex(from) ? in_size / 2 : in_size, out, out_size, count);
    return true;
}
