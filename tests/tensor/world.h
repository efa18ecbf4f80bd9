/*
 * What the tests of tensors stand on: a heap, an arena and a pool, storages over arrays, tensors over those.
 */
#ifndef PTIO_TESTS_TENSOR_WORLD_H
#define PTIO_TESTS_TENSOR_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "tensor/tensor.h"

typedef struct world {
    ptio_heap heap;
    ptio_arena arena;
    ptio_storage_pool pool;
    ptio_error err;
    int64_t allocations, fail_at; /* of the hooks: the how manyth fails; -1: none */
    int64_t live;                 /* allocations not freed */
} world;

void world_open(world *w, const ptio_limits *limits);
void world_close(world *w);

/** A storage whose bytes are `bytes`, which are not copied. */
ptio_storage *world_storage(world *w, ptio_dtype dtype, const void *bytes, uint64_t nbytes);

/** The numbers `values`, cast to a dtype, in a storage of their own. */
ptio_storage *world_numbers(world *w, ptio_dtype dtype, const double *values, size_t count);

/** A strided tensor, or NULL and w->err. Strides NULL: contiguous. */
const ptio_tensor *world_tensor(world *w, const ptio_storage *storage, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                const int64_t *stride, int64_t offset);

/** A contiguous tensor of numbers. */
const ptio_tensor *world_array(world *w, ptio_dtype dtype, size_t ndim, const int64_t *shape, const double *values);

/** A tensor of parts, which is not checked. */
const ptio_tensor *world_composed(world *w, ptio_dtype dtype, ptio_layout layout, unsigned flags, size_t ndim,
                                  const int64_t *shape, size_t part_count, const ptio_tensor_part_row *parts);

/** A quantized one. `parts` may be NULL. */
const ptio_tensor *world_quantized(world *w, const ptio_storage *storage, ptio_dtype dtype, size_t ndim, const int64_t *shape,
                                   const int64_t *stride, ptio_quantizer quantizer, size_t part_count,
                                   const ptio_tensor_part_row *parts);

/** That w->err is this, and forget it. */
void world_expect(world *w, ptio_status status, const char *reason);

/** A number that follows from the last one. */
uint64_t next_random(uint64_t *state);

#endif
