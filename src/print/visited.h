/*
 * Which containers a walk has met, and which of them it is inside of: a hash set of pointers.
 */
#ifndef PTIO_PRINT_VISITED_H
#define PTIO_PRINT_VISITED_H

#include "base/memory.h"

typedef struct ptio_visited {
    ptio_heap *heap;
    uintptr_t *slots; /* 0, or a pointer whose lowest bit tells that the walk is inside it; nodes are aligned to 8 */
    size_t count, capacity;
} ptio_visited;

typedef enum ptio_visit_state {
    PTIO_VISIT_FIRST, /* not met before                    */
    PTIO_VISIT_AGAIN, /* met before, and left              */
    PTIO_VISIT_CYCLE, /* the walk is inside it             */
    PTIO_VISIT_FAILED /* no memory                         */
} ptio_visit_state;

/** Meet a value; but for CYCLE and FAILED the walk is inside it from now on. */
ptio_visit_state ptio_visited_enter(ptio_visited *set, const void *value);

/** Leave a value that was entered. */
void ptio_visited_leave(ptio_visited *set, const void *value);

void ptio_visited_free(ptio_visited *set);

#endif
