/*
 * The rules of sparse, quantized and nested tensors: what they take, and the reason for which they refuse. The verdicts on sparse
 * elements are those of PyTorch 2.13's own validators.
 */
#include <math.h>

#include "tensor/world.h"

/* One part: its dtype, shape and numbers. */
typedef struct part {
    const char *name;
    ptio_dtype dtype;
    size_t ndim;
    int64_t shape[4];
    double values[16];
} part;

typedef struct composed_case {
    const char *reason; /* NULL: good */
    ptio_layout layout;
    unsigned flags;
    size_t ndim;
    int64_t shape[5];
    part parts[4];
} composed_case;

#define I64 PTIO_INT64
#define I32 PTIO_INT32
#define F32 PTIO_FLOAT32
#define SUM PTIO_TENSOR_COALESCED

static size_t make_parts(world *w, const part *parts, ptio_tensor_part_row *rows)
{
    size_t count = 0;
    for (; count < 4 && parts[count].name; count++) {
        const part *p = &parts[count];
        rows[count] = (ptio_tensor_part_row){p->name, world_array(w, p->dtype, p->ndim, p->shape, p->values), NULL};
    }
    return count;
}

static void check_cases(const composed_case *cases, size_t count)
{
    world w;
    world_open(&w, NULL);
    for (size_t i = 0; i < count; i++) {
        const composed_case *c = &cases[i];
        ptio_tensor_part_row rows[4];
        size_t part_count = make_parts(&w, c->parts, rows);
        const ptio_tensor *tensor = world_composed(&w, F32, c->layout, c->flags, c->ndim, c->shape, part_count, rows);
        ptio_status status = ptio_tensor_check_elements(tensor, &w.heap, &w.err);
        if ((status == PTIO_OK) != !c->reason)
            fail_msg("case %zu: expected %s, got %s", i, c->reason ? c->reason : "good", w.err.message);
        if (c->reason)
            world_expect(&w, PTIO_ERR_FORMAT, c->reason);
    }
    world_close(&w);
}

#define CHECK(cases) check_cases(cases, sizeof cases / sizeof *cases)

#define INDICES(nnz, ...)            \
    {                                \
        "indices", I64, 2, {2, nnz}, \
        {                            \
            __VA_ARGS__              \
        }                            \
    }
#define VALUES(nnz)              \
    {                            \
        "values", F32, 1, {nnz}, \
        {                        \
            0                    \
        }                        \
    }

static const composed_case coo_cases[] = {
    {NULL, PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(3, 0, 1, 1, 2, 0, 2), VALUES(3)}},
    {NULL, PTIO_SPARSE_COO, SUM, 2, {2, 3}, {INDICES(3, 0, 1, 1, 2, 0, 2), VALUES(3)}},
    {NULL, PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(3, 1, 1, 0, 2, 2, 2), VALUES(3)}}, /* neither sorted nor distinct */
    {"sparse.order", PTIO_SPARSE_COO, SUM, 2, {2, 3}, {INDICES(3, 1, 1, 0, 0, 2, 2), VALUES(3)}},
    {"sparse.order", PTIO_SPARSE_COO, SUM, 2, {2, 3}, {INDICES(2, 1, 1, 2, 2), VALUES(2)}},
    {"sparse.order", PTIO_SPARSE_COO, SUM, 2, {2, 3}, {INDICES(2, 1, 1, 2, 1), VALUES(2)}},
    {"sparse.index", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, 2, 0), VALUES(1)}},
    {"sparse.index", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, 1, 3), VALUES(1)}},
    {"sparse.index", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, -1, 0), VALUES(1)}},
    {"sparse.index", PTIO_SPARSE_COO, 0, 2, {0, 3}, {INDICES(1, 0, 0), VALUES(1)}},
    {NULL, PTIO_SPARSE_COO, SUM, 2, {0, 3}, {{"indices", I64, 2, {2, 0}, {0}}, VALUES(0)}},
    {NULL, PTIO_SPARSE_COO, 0, 2, {3, 2}, {{"indices", I64, 2, {1, 2}, {0, 2}}, {"values", F32, 2, {2, 2}, {0}}}},
    {NULL, PTIO_SPARSE_COO, SUM, 1, {2}, {{"indices", I64, 2, {0, 3}, {0}}, {"values", F32, 2, {3, 2}, {0}}}},
    {"sparse.shape", PTIO_SPARSE_COO, 0, 2, {3, 2}, {{"indices", I64, 2, {1, 2}, {0, 2}}, {"values", F32, 2, {2, 3}, {0}}}},
    {"sparse.shape", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(2, 0, 1, 0, 1), VALUES(3)}},
    {"sparse.shape", PTIO_SPARSE_COO, 0, 3, {2, 3, 1}, {INDICES(1, 0, 0), VALUES(1)}},
    {"sparse.shape", PTIO_SPARSE_COO, 0, 1, {2}, {{"indices", I64, 1, {1}, {0}}, VALUES(1)}},
    {"sparse.shape", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, 0, 0), {"values", F32, 0, {0}, {0}}}},
    {"sparse.dtype", PTIO_SPARSE_COO, 0, 2, {2, 3}, {{"indices", I32, 2, {2, 1}, {0, 0}}, VALUES(1)}},
    {"sparse.dtype", PTIO_SPARSE_COO, 0, 2, {2, 3}, {{"indices", F32, 2, {2, 1}, {0, 0}}, VALUES(1)}},
    {"sparse.dtype", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, 0, 0), {"values", PTIO_FLOAT64, 1, {1}, {0}}}},
    {"sparse.part", PTIO_SPARSE_COO, 0, 2, {2, 3}, {VALUES(1)}},
    {"sparse.part", PTIO_SPARSE_COO, 0, 2, {2, 3}, {INDICES(1, 0, 0)}},
};

static void coo(void **state)
{
    (void)state;
    CHECK(coo_cases);
}

#define CROW(dtype, count, ...)    \
    {                              \
        "crow", dtype, 1, {count}, \
        {                          \
            __VA_ARGS__            \
        }                          \
    }
#define COL(dtype, count, ...)    \
    {                             \
        "col", dtype, 1, {count}, \
        {                         \
            __VA_ARGS__           \
        }                         \
    }

static const composed_case compressed_cases[] = {
    {NULL, PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {NULL, PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I32, 3, 0, 0, 0), COL(I32, 0, 0), VALUES(0)}},
    {NULL, PTIO_SPARSE_CSR, 0, 2, {0, 3}, {CROW(I64, 1, 0), COL(I64, 0, 0), VALUES(0)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 1, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 2), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 4), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {3, 3}, {CROW(I64, 4, 0, 2, 1, 3), COL(I64, 3, 0, 2, 1), VALUES(3)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, -1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.pointers", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I32, 3, 0, 1, 1), COL(I32, 0, 0), VALUES(0)}},
    {"sparse.index", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 3, 0, 2), VALUES(3)}},
    {"sparse.index", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, -1, 0, 2), VALUES(3)}},
    {"sparse.order", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 2, 0), VALUES(3)}},
    {"sparse.order", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 1, 1), VALUES(3)}},
    {"sparse.order", PTIO_SPARSE_CSR, 0, 2, {1, 1}, {CROW(I64, 2, 0, 2), COL(I64, 2, 0, 0), VALUES(2)}},
    {"sparse.dtype", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I32, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.dtype", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(PTIO_INT16, 3, 0, 1, 3), COL(PTIO_INT16, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.shape", PTIO_SPARSE_CSR, 0, 2, {3, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.shape", PTIO_SPARSE_CSR, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(2)}},
    {"sparse.shape", PTIO_SPARSE_CSR, 0, 1, {2}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {"sparse.part", PTIO_SPARSE_CSC, 0, 2, {2, 3}, {CROW(I64, 3, 0, 1, 3), COL(I64, 3, 2, 0, 2), VALUES(3)}},
    {NULL, PTIO_SPARSE_CSC, 0, 2, {2, 3}, {{"ccol", I64, 1, {4}, {0, 1, 1, 3}}, {"row", I64, 1, {3}, {1, 0, 1}}, VALUES(3)}},
    {"sparse.index",
     PTIO_SPARSE_CSC,
     0,
     2,
     {2, 3},
     {{"ccol", I64, 1, {4}, {0, 1, 1, 3}}, {"row", I64, 1, {3}, {1, 0, 2}}, VALUES(3)}},
    /* Dense dimensions, batches, blocks. */
    {NULL, PTIO_SPARSE_CSR, 0, 3, {2, 3, 2}, {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 2, 0), {"values", F32, 2, {2, 2}, {0}}}},
    {"sparse.shape",
     PTIO_SPARSE_CSR,
     0,
     3,
     {2, 3, 2},
     {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 2, 0), {"values", F32, 2, {2, 3}, {0}}}},
    {NULL,
     PTIO_SPARSE_CSR,
     0,
     3,
     {2, 2, 2},
     {{"crow", I64, 2, {2, 3}, {0, 1, 2, 0, 2, 2}}, {"col", I64, 2, {2, 2}, {1, 0, 0, 1}}, {"values", F32, 2, {2, 2}, {0}}}},
    {"sparse.pointers",
     PTIO_SPARSE_CSR,
     0,
     3,
     {2, 2, 2},
     {{"crow", I64, 2, {2, 3}, {0, 1, 2, 0, 1, 1}}, {"col", I64, 2, {2, 2}, {1, 0, 0, 1}}, {"values", F32, 2, {2, 2}, {0}}}},
    {"sparse.shape",
     PTIO_SPARSE_CSR,
     0,
     3,
     {1, 2, 2},
     {{"crow", I64, 2, {2, 3}, {0, 1, 2, 0, 2, 2}}, {"col", I64, 2, {2, 2}, {1, 0, 0, 1}}, {"values", F32, 2, {2, 2}, {0}}}},
    {NULL, PTIO_SPARSE_BSR, 0, 2, {4, 6}, {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 1, 0), {"values", F32, 3, {2, 2, 3}, {0}}}},
    {NULL,
     PTIO_SPARSE_BSC,
     0,
     2,
     {4, 6},
     {{"ccol", I64, 1, {3}, {0, 1, 2}}, {"row", I64, 1, {2}, {1, 0}}, {"values", F32, 3, {2, 2, 3}, {0}}}},
    {"sparse.index",
     PTIO_SPARSE_BSR,
     0,
     2,
     {4, 6},
     {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 2, 0), {"values", F32, 3, {2, 2, 3}, {0}}}},
    {"sparse.shape",
     PTIO_SPARSE_BSR,
     0,
     2,
     {4, 5},
     {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 1, 0), {"values", F32, 3, {2, 2, 3}, {0}}}},
    {"sparse.shape",
     PTIO_SPARSE_BSR,
     0,
     2,
     {4, 6},
     {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 1, 0), {"values", F32, 3, {2, 2, 0}, {0}}}},
    {"sparse.shape", PTIO_SPARSE_BSR, 0, 2, {4, 6}, {CROW(I64, 3, 0, 1, 2), COL(I64, 2, 1, 0), VALUES(2)}},
};

static void compressed(void **state)
{
    (void)state;
    CHECK(compressed_cases);
}

/* Two components of 2 x 2 and 1 x 2 in a buffer of 6. */
#define BUFFER(n)              \
    {                          \
        "buffer", F32, 1, {n}, \
        {                      \
            0                  \
        }                      \
    }
#define SIZES(...)               \
    {                            \
        "sizes", I64, 2, {2, 2}, \
        {                        \
            __VA_ARGS__          \
        }                        \
    }
#define STRIDES(...)               \
    {                              \
        "strides", I64, 2, {2, 2}, \
        {                          \
            __VA_ARGS__            \
        }                          \
    }
#define OFFSETS(...)            \
    {                           \
        "offsets", I64, 1, {2}, \
        {                       \
            __VA_ARGS__         \
        }                       \
    }

static const composed_case nested_cases[] = {
    {NULL, PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(2, 1, 2, 1), OFFSETS(0, 4)}},
    {NULL, PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 0, 2), STRIDES(2, 1, 2, 1), OFFSETS(0, 99)}},
    {NULL,
     PTIO_NESTED,
     0,
     0,
     {0},
     {BUFFER(0), {"sizes", I64, 1, {0}, {0}}, {"strides", I64, 1, {0}, {0}}, {"offsets", I64, 1, {0}, {0}}}},
    {NULL, PTIO_NESTED, 0, 0, {0}, {BUFFER(2)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(5), SIZES(2, 2, 1, 2), STRIDES(2, 1, 2, 1), OFFSETS(0, 4)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(2, 1, 2, 1), OFFSETS(0, 5)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(2, 1, 2, 1), OFFSETS(-1, 4)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(-2, 2, 1, 2), STRIDES(2, 1, 2, 1), OFFSETS(0, 4)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(2, -1, 2, 1), OFFSETS(1, 4)}},
    {"nested.bounds", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(0x1p62, 0x1p62, 2, 1), OFFSETS(0, 4)}},
    {"nested.shape",
     PTIO_NESTED,
     0,
     0,
     {0},
     {BUFFER(6), SIZES(2, 2, 1, 2), {"strides", I64, 1, {4}, {2, 1, 2, 1}}, OFFSETS(0, 4)}},
    {"nested.shape", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), SIZES(2, 2, 1, 2), STRIDES(2, 1, 2, 1), {"offsets", I64, 1, {1}, {0}}}},
    {"nested.shape", PTIO_NESTED, 0, 0, {0}, {{"buffer", F32, 2, {2, 3}, {0}}, SIZES(2, 2, 1, 2)}},
    {"nested.shape", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), {"sizes", I64, 1, {4}, {2, 2, 1, 2}}}},
    {"nested.dtype", PTIO_NESTED, 0, 0, {0}, {BUFFER(6), {"sizes", I32, 2, {2, 2}, {2, 2, 1, 2}}}},
    {NULL, PTIO_JAGGED, 0, 0, {0}, {{"offsets", I64, 1, {4}, {0, 3, 3, 8}}}},
    {"nested.bounds", PTIO_JAGGED, 0, 0, {0}, {{"offsets", I64, 1, {4}, {0, 3, 2, 8}}}},
    {"nested.bounds", PTIO_JAGGED, 0, 0, {0}, {{"offsets", I64, 1, {2}, {-1, 3}}}},
    {"nested.shape", PTIO_JAGGED, 0, 0, {0}, {{"offsets", I64, 1, {0}, {0}}}},
};

static void nested(void **state)
{
    (void)state;
    CHECK(nested_cases);
}

typedef struct quantizer_case {
    const char *reason;
    ptio_dtype dtype;
    ptio_quantizer quantizer;
    part parts[4];
} quantizer_case;

#define TENSOR(scale_)                                    \
    {                                                     \
        .scheme = PTIO_PER_TENSOR_AFFINE, .scale = scale_ \
    }
#define CHANNEL(axis_)                                   \
    {                                                    \
        .scheme = PTIO_PER_CHANNEL_AFFINE, .axis = axis_ \
    }
#define SCALES(...)                     \
    {                                   \
        "scales", PTIO_FLOAT64, 1, {2}, \
        {                               \
            __VA_ARGS__                 \
        }                               \
    }
#define ZEROS(...)                  \
    {                               \
        "zero_points", I64, 1, {2}, \
        {                           \
            __VA_ARGS__             \
        }                           \
    }

/* Tensors of 2 x 3. */
static const quantizer_case quantizer_cases[] = {
    {NULL, PTIO_QINT8, TENSOR(0.1), {{0}}},
    {"quantizer.scale", PTIO_QINT8, TENSOR(0), {{0}}},
    {"quantizer.scale", PTIO_QINT8, TENSOR(-1), {{0}}},
    {"quantizer.scale", PTIO_QINT8, TENSOR(INFINITY), {{0}}},
    {"quantizer.scale", PTIO_QINT8, TENSOR(NAN), {{0}}},
    {"quantizer.scheme", PTIO_QINT8, {.scheme = PTIO_NOT_QUANTIZED}, {{0}}},
    {"quantizer.scheme", PTIO_INT8, TENSOR(1), {{0}}},
    {NULL, PTIO_QUINT8, CHANNEL(0), {SCALES(0.1, 2), ZEROS(0, 3)}},
    {NULL,
     PTIO_QUINT8,
     {.scheme = PTIO_PER_CHANNEL_AFFINE_FLOAT_QPARAMS},
     {{"scales", F32, 1, {2}, {1, 2}}, {"zero_points", F32, 1, {2}, {0.5, 3}}}},
    {"quantizer.shape", PTIO_QUINT8, CHANNEL(1), {SCALES(0.1, 2), ZEROS(0, 3)}},
    {"quantizer.axis", PTIO_QUINT8, CHANNEL(2), {SCALES(0.1, 2), ZEROS(0, 3)}},
    {"quantizer.axis", PTIO_QUINT8, CHANNEL(-1), {SCALES(0.1, 2), ZEROS(0, 3)}},
    {"quantizer.shape", PTIO_QUINT8, CHANNEL(0), {SCALES(0.1, 2), {"zero_points", I64, 1, {3}, {0}}}},
    {"quantizer.shape", PTIO_QUINT8, CHANNEL(0), {{"scales", F32, 2, {2, 1}, {1, 1}}, ZEROS(0, 3)}},
    {"quantizer.part", PTIO_QUINT8, CHANNEL(0), {SCALES(0.1, 2)}},
    {"quantizer.part", PTIO_QUINT8, CHANNEL(0), {{"scales", PTIO_BOOL, 1, {2}, {1, 1}}, ZEROS(0, 3)}},
    {"quantizer.scale", PTIO_QUINT8, CHANNEL(0), {SCALES(0.1, 0), ZEROS(0, 3)}},
    {"quantizer.scale", PTIO_QUINT8, CHANNEL(0), {SCALES(NAN, 1), ZEROS(0, 3)}},
    {"quantizer.scale", PTIO_QUINT8, CHANNEL(0), {SCALES(1, -1), ZEROS(0, 3)}},
    {"quantizer.zero-point", PTIO_QUINT8, CHANNEL(0), {SCALES(1, 1), {"zero_points", F32, 1, {2}, {0, INFINITY}}}},
};

static void quantizers(void **state)
{
    (void)state;
    world w;
    static const char bytes[6];
    world_open(&w, NULL);
    for (size_t i = 0; i < sizeof quantizer_cases / sizeof *quantizer_cases; i++) {
        const quantizer_case *c = &quantizer_cases[i];
        ptio_tensor_part_row rows[4];
        size_t part_count = make_parts(&w, c->parts, rows);
        const ptio_tensor *tensor = world_quantized(&w, world_storage(&w, c->dtype, bytes, 6), c->dtype, 2, (int64_t[]){2, 3},
                                                    NULL, c->quantizer, part_count, rows);
        ptio_status status = ptio_tensor_check_elements(tensor, &w.heap, &w.err);
        if ((status == PTIO_OK) != !c->reason)
            fail_msg("case %zu: expected %s, got %s", i, c->reason ? c->reason : "good", w.err.message);
        if (c->reason)
            world_expect(&w, PTIO_ERR_FORMAT, c->reason);
    }
    world_close(&w);
}

/* A dequantizing copy asks the same questions, so that it never reads beside the scales. */
static void copies_check_too(void **state)
{
    (void)state;
    world w;
    float out[6];
    world_open(&w, NULL);
    ptio_tensor_part_row rows[4];
    static const part few[] = {SCALES(0.1, 2), ZEROS(0, 3), {0}};
    const ptio_tensor *tensor =
        world_quantized(&w, world_storage(&w, PTIO_QUINT8, "abcdef", 6), PTIO_QUINT8, 2, (int64_t[]){2, 3}, NULL,
                        (ptio_quantizer)CHANNEL(1), make_parts(&w, few, rows), rows);
    assert_int_equal(ptio_tensor_copy(tensor, PTIO_FLOAT32, out, sizeof out, &w.err), PTIO_ERR_FORMAT);
    world_expect(&w, PTIO_ERR_FORMAT, "quantizer.shape");
    world_close(&w);
}

/* Parts may be views: these indices are stored column by column, (0, 2), (1, 0), (1, 2). */
static void views_as_parts(void **state)
{
    (void)state;
    world w;
    static const double numbers[] = {0, 2, 1, 0, 1, 2};
    world_open(&w, NULL);
    const ptio_storage *storage = world_numbers(&w, I64, numbers, 6);
    int64_t shape[] = {2, 3};
    ptio_tensor_part_row rows[] = {{"indices", world_tensor(&w, storage, I64, 2, shape, (int64_t[]){1, 2}, 0), NULL},
                                   {"values", world_array(&w, F32, 1, (int64_t[]){3}, numbers), NULL}};
    const ptio_tensor *tensor = world_composed(&w, F32, PTIO_SPARSE_COO, SUM, 2, shape, 2, rows);
    assert_int_equal(ptio_tensor_check_elements(tensor, &w.heap, NULL), PTIO_OK);
    world_close(&w);
}

/* One stored index shown as 2^40 of them is not read for hours. */
static void expanded_parts(void **state)
{
    (void)state;
    world w;
    static const double zero[1];
    int64_t many = (int64_t)1 << 40;
    world_open(&w, NULL);
    const ptio_storage *storage = world_numbers(&w, I64, zero, 1), *floats = world_numbers(&w, F32, zero, 1);
    ptio_tensor_part_row rows[] = {
        {"indices", world_tensor(&w, storage, I64, 2, (int64_t[]){1, many}, (int64_t[]){0, 0}, 0), NULL},
        {"values", world_tensor(&w, floats, F32, 1, &many, (int64_t[]){0}, 0), NULL}};
    const ptio_tensor *tensor = world_composed(&w, F32, PTIO_SPARSE_COO, 0, 1, (int64_t[]){1}, 2, rows);
    assert_int_equal(ptio_tensor_check_parts(tensor, NULL), PTIO_OK);
    assert_int_equal(ptio_tensor_check_elements(tensor, &w.heap, &w.err), PTIO_ERR_LIMIT);
    world_expect(&w, PTIO_ERR_LIMIT, "limit.expand");
    world_close(&w);
}

static void meta_parts(void **state)
{
    (void)state;
    world w;
    world_open(&w, NULL);
    const ptio_tensor *indices = world_array(&w, I64, 2, (int64_t[]){2, 1}, (double[]){9, 9});
    const ptio_tensor *values = world_array(&w, F32, 1, (int64_t[]){1}, (double[]){1});
    ptio_tensor_part_row rows[] = {{"indices", ptio_tensor_with_flags(&w.arena, indices, PTIO_TENSOR_META, 0), NULL},
                                   {"values", ptio_tensor_with_flags(&w.arena, values, PTIO_TENSOR_META, 0), NULL}};
    const ptio_tensor *tensor = world_composed(&w, F32, PTIO_SPARSE_COO, 0, 2, (int64_t[]){2, 3}, 2, rows);
    assert_int_equal(ptio_tensor_check_elements(tensor, &w.heap, NULL), PTIO_OK);
    world_close(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coo),
        cmocka_unit_test(compressed),
        cmocka_unit_test(nested),
        cmocka_unit_test(quantizers),
        cmocka_unit_test(copies_check_too),
        cmocka_unit_test(views_as_parts),
        cmocka_unit_test(expanded_parts),
        cmocka_unit_test(meta_parts),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
