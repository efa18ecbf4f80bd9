/*
 * Text to a stdio stream, for everything that writes through a ptio_write.
 */
#include "ptio.h"

int ptio_write_file(void *file, const char *text, size_t size)
{
    return fwrite(text, 1, size, file) == size ? 0 : -1;
}
