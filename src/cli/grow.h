/*
 * A text that grows, with a NUL behind it.
 */
#ifndef PTIO_CLI_GROW_H
#define PTIO_CLI_GROW_H

#include "ptio.h"

typedef struct grown {
    char *bytes; /* NULL while nothing was added */
    size_t size, capacity;
} grown;

/** False where there is no memory. */
bool grow_add(grown *text, const char *bytes, size_t size);
bool grow_string(grown *text, const char *string);

/** Only the first `size` bytes. */
void grow_cut(grown *text, size_t size);

/** The text, "" where nothing was added. */
static inline const char *grow_chars(const grown *text)
{
    return text->bytes ? text->bytes : "";
}

static inline ptio_text grow_text(const grown *text)
{
    return (ptio_text){grow_chars(text), text->size};
}

/** A ptio_write to a grown text. */
int grow_write(void *ctx, const char *bytes, size_t size);

void grow_free(grown *text);

#endif
