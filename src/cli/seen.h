/*
 * Numbers of things by their address.
 */
#ifndef PTIO_CLI_SEEN_H
#define PTIO_CLI_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct seen_entry {
    const void *thing; /* NULL: free */
    uint64_t number;
} seen_entry;

typedef struct seen {
    seen_entry *entries;
    size_t count, capacity;
} seen;

/** The entry of a thing; a new one has `fresh` set and its number is the caller's to fill in. NULL where there is no memory.
 *  It moves when the next one is added. */
seen_entry *seen_find(seen *set, const void *thing, bool *fresh);

void seen_free(seen *set);

#endif
