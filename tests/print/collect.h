/*
 * Printed text collected in memory, for comparing.
 */
#ifndef PTIO_TESTS_PRINT_COLLECT_H
#define PTIO_TESTS_PRINT_COLLECT_H

#include <stddef.h>

typedef struct collected {
    char text[65536]; /* terminated; what does not fit is dropped, but counted */
    size_t size;
} collected;

/** A ptio_write whose ctx is a collected. */
int collect(void *ctx, const char *text, size_t size);

#endif
