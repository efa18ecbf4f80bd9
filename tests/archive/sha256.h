/*
 * SHA-256, to compare archives with digests that were noted down.
 */
#ifndef PTIO_TESTS_ARCHIVE_SHA256_H
#define PTIO_TESTS_ARCHIVE_SHA256_H

#include <stddef.h>

/* The digest in hex, terminated. */
void sha256_hex(const void *bytes, size_t size, char ret[65]);

#endif
