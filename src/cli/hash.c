/*
 * SHA-256 of elements, storages and texts.
 *
 * Elements that lie in memory in the right order are hashed where they are; others are copied first.
 */
#include "cli/hash.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>

#include "cli/little.h"

/* nettle takes a size_t; so does this. */
static void add(struct sha256_ctx *sha, const unsigned char *bytes, size_t size, size_t unit)
{
    if (unit <= 1 || little_host()) {
        sha256_update(sha, size, bytes);
        return;
    }
    unsigned char piece[4096];
    for (size_t done = 0; done < size;) {
        size_t n = size - done < sizeof piece ? size - done : sizeof piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = bytes[done + (i / unit * unit + (unit - 1 - i % unit))];
        sha256_update(sha, n, piece);
        done += n;
    }
}

static void hash(const void *bytes, size_t size, size_t unit, uint8_t ret[HASH_BYTES])
{
    struct sha256_ctx sha;
    sha256_init(&sha);
    add(&sha, bytes, size, unit);
    sha256_digest(&sha, HASH_BYTES, ret);
}

void hash_bytes(ptio_text bytes, uint8_t ret[HASH_BYTES])
{
    hash(bytes.bytes, bytes.size, 1, ret);
}

static ptio_status no_memory(ptio_error *err)
{
    if (err && !err->status) {
        *err = (ptio_error){.status = PTIO_ERR_MEMORY, .reason = "memory", .offset = PTIO_NO_OFFSET};
        (void)strcpy(err->message, "no memory for a copy of the elements");
    }
    return PTIO_ERR_MEMORY;
}

static ptio_status hash_copy(const ptio_tensor *tensor, uint64_t bytes, uint8_t ret[HASH_BYTES], ptio_error *err)
{
    ptio_dtype dtype = ptio_tensor_dtype(tensor);
    void *copy = bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
    if (!copy)
        return no_memory(err);
    ptio_status status = ptio_tensor_copy(tensor, dtype, copy, bytes, err);
    if (status == PTIO_OK)
        hash(copy, (size_t)bytes, little_unit(dtype), ret);
    free(copy);
    return status;
}

ptio_status hash_tensor(const ptio_tensor *tensor, uint8_t ret[HASH_BYTES], ptio_error *err)
{
    ptio_dtype dtype = ptio_tensor_dtype(tensor);
    uint64_t bytes = ptio_tensor_numel(tensor) * ptio_dtype_itemsize(dtype);
    if (!bytes) {
        hash("", 0, 1, ret);
        return PTIO_OK;
    }
    hash_uses(ptio_tensor_storage(tensor));
    bool as_it_is = ptio_tensor_is_contiguous(tensor) && !ptio_tensor_is_conj(tensor) && !ptio_tensor_is_neg(tensor) &&
                    dtype != PTIO_BOOL && bytes <= SIZE_MAX;
    if (!as_it_is)
        return hash_copy(tensor, bytes, ret, err);
    const void *data;
    ptio_status status = ptio_tensor_data(tensor, &data, err);
    if (status == PTIO_OK)
        hash(data, (size_t)bytes, little_unit(dtype), ret);
    return status;
}

bool hash_is_packed(ptio_dtype dtype)
{
    return dtype == PTIO_QUINT4X2 || dtype == PTIO_QUINT2X4;
}

ptio_status hash_storage(const ptio_storage *storage, uint8_t ret[HASH_BYTES], ptio_error *err)
{
    hash_uses(storage);
    const void *data;
    uint64_t bytes = ptio_storage_nbytes(storage);
    ptio_status status = ptio_storage_data(storage, &data, err);
    if (status == PTIO_OK)
        hash(data, (size_t)bytes, little_unit(ptio_storage_dtype(storage)), ret);
    return status;
}

ptio_status hash_ndarray(const ptio_value *array, uint64_t nbytes, uint8_t ret[HASH_BYTES], ptio_error *err)
{
    void *copy = nbytes < SIZE_MAX ? malloc((size_t)nbytes + 1) : NULL;
    if (!copy)
        return no_memory(err);
    ptio_status status = ptio_ndarray_copy(array, copy, nbytes, err);
    if (status == PTIO_OK)
        hash(copy, (size_t)nbytes, 1, ret);
    free(copy);
    return status;
}

void hash_uses(const ptio_storage *storage)
{
    static const ptio_storage *last;
    if (last && last != storage)
        ptio_storage_drop(last);
    last = storage;
}
