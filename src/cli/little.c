/*
 * Byte order of elements.
 */
#include "cli/little.h"

#include <string.h>

bool little_host(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

size_t little_unit(ptio_dtype dtype)
{
    size_t size = ptio_dtype_itemsize(dtype);
    bool pair = dtype == PTIO_COMPLEX32 || dtype == PTIO_BCOMPLEX32 || dtype == PTIO_COMPLEX64 || dtype == PTIO_COMPLEX128;
    return pair ? size / 2 : size;
}

void little_endian(void *elements, size_t size, ptio_dtype dtype)
{
    unsigned char *bytes = elements;
    size_t unit = little_unit(dtype);
    if (unit < 2 || little_host())
        return;
    for (size_t at = 0; at + unit <= size; at += unit)
        for (size_t i = 0; i < unit / 2; i++) {
            unsigned char byte = bytes[at + i];
            bytes[at + i] = bytes[at + unit - 1 - i];
            bytes[at + unit - 1 - i] = byte;
        }
}
