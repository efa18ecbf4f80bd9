/*
 * Elements as they stand in files: little-endian.
 */
#ifndef PTIO_CLI_LITTLE_H
#define PTIO_CLI_LITTLE_H

#include "ptio.h"

/** Elements in this machine's byte order become little-endian ones. Units: bytes. */
void little_endian(void *elements, size_t size, ptio_dtype dtype);

/** Bytes of an element that are turned round together: of complex numbers each part by itself. */
size_t little_unit(ptio_dtype dtype);

bool little_host(void);

#endif
