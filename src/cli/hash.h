/*
 * SHA-256 of elements, storages and texts.
 */
#ifndef PTIO_CLI_HASH_H
#define PTIO_CLI_HASH_H

#include "cli/cli.h"

#define HASH_BYTES 32

/** Of bytes. */
void hash_bytes(ptio_text bytes, uint8_t ret[HASH_BYTES]);

/** Of the elements of a strided tensor: in C order, little-endian, conj and neg resolved. */
ptio_status hash_tensor(const ptio_tensor *tensor, uint8_t ret[HASH_BYTES], ptio_error *err);

/** Whether elements of a dtype have no bytes of their own to hash: quantized, several in a byte. */
bool hash_is_packed(ptio_dtype dtype);

/** Of the bytes of a storage, little-endian. */
ptio_status hash_storage(const ptio_storage *storage, uint8_t ret[HASH_BYTES], ptio_error *err);

/** Of the bytes of a NumPy array, in C order, as its dtype has them. */
ptio_status hash_ndarray(const ptio_value *array, uint64_t nbytes, uint8_t ret[HASH_BYTES], ptio_error *err);

/** A tensor's elements are about to be hashed, or with NULL no more: gives back what the last one's storage read, if it was another.
 *  Files larger than memory can be hashed so. */
void hash_uses(const ptio_storage *storage);

#endif
