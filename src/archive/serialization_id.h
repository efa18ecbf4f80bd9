/*
 * The record `.data/serialization_id`: 40 digits, two numbers of 64 bits. Both halves mix numbers as c10::hash_combine does.
 *
 *     the first     the hashes of the names of all records before it, in the order of a std::unordered_set of them
 *     the second    the CRC of every data descriptor, in the order of writing
 */
#ifndef PTIO_ARCHIVE_SERIALIZATION_ID_H
#define PTIO_ARCHIVE_SERIALIZATION_ID_H

#include "base/memory.h"

/** The C++ library of the wheel: its std::hash and its std::unordered_set. */
typedef enum ptio_cxx_library {
    PTIO_LIBSTDCXX, /* Linux */
    PTIO_LIBCXX     /* macOS */
} ptio_cxx_library;

#define PTIO_SERIALIZATION_ID_SIZE 40

static inline uint64_t ptio_id_mix(uint64_t seed, uint64_t value)
{
    return seed ^ (value + 0x9E3779B9u + (seed << 6) + (seed >> 2));
}

/** std::hash<std::string>, of a little-endian machine of 64 bits. */
uint64_t ptio_cxx_hash(ptio_cxx_library library, const void *bytes, size_t size);

/** The first half, for names of these hashes, inserted in this order. */
ptio_status ptio_id_of_names(ptio_cxx_library library, const uint64_t *hashes, uint32_t count, ptio_heap *heap, uint64_t *ret,
                             ptio_error *err);

#endif
