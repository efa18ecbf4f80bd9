/*
 * Memory hooks that count: how many bytes are held, and how many were at most.
 */
#ifndef TESTS_SUPPORT_HELD_H
#define TESTS_SUPPORT_HELD_H

#include <stddef.h>
#include <stdlib.h>

static size_t most_held, held;

static void *count_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    (void)ctx;
    void *moved = NULL;
    if (new_size) {
        moved = realloc(ptr, new_size);
        if (!moved)
            return NULL;
    } else {
        free(ptr);
    }
    held += new_size - old_size;
    most_held = held > most_held ? held : most_held;
    return moved;
}

#endif
