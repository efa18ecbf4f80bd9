/*
 * Texts that grow.
 */
#include "cli/grow.h"

#include <stdlib.h>
#include <string.h>

bool grow_add(grown *text, const char *bytes, size_t size)
{
    if (size >= SIZE_MAX / 4 - text->size)
        return false;
    if (text->size + size + 1 > text->capacity) {
        size_t capacity = 2 * (text->size + size) + 32;
        char *moved = realloc(text->bytes, capacity);
        if (!moved)
            return false;
        text->bytes = moved;
        text->capacity = capacity;
    }
    if (size)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
    return true;
}

bool grow_string(grown *text, const char *string)
{
    return grow_add(text, string, strlen(string));
}

void grow_cut(grown *text, size_t size)
{
    if (!text->bytes || size > text->size)
        return;
    text->size = size;
    text->bytes[size] = '\0';
}

int grow_write(void *ctx, const char *bytes, size_t size)
{
    return grow_add(ctx, bytes, size) ? 0 : -1;
}

void grow_free(grown *text)
{
    free(text->bytes);
    *text = (grown){0};
}
