/*
 * Reversing the bytes of elements, in place: what reading a file of the other byte order costs. Plain loops over whole words,
 * which compilers make vectors of; a copy of a word into a variable and back is no copy once compiled.
 */
#include <string.h>

#include "tensor/convert.h"

/* Units of a block: a number that compilers know, so that even cautious ones make vectors of the loop. */
#define BLOCK 64

#define SWAP_ALL(width)                                                                  \
    PTIO_INLINE void swap_some_##width(char *bytes, size_t count)                        \
    {                                                                                    \
        for (size_t i = 0; i < count; i++) {                                             \
            uint##width##_t unit;                                                        \
            PTIO_MOVE(&unit, bytes + i * sizeof unit, sizeof unit);                      \
            unit = ptio_swap##width(unit);                                               \
            PTIO_MOVE(bytes + i * sizeof unit, &unit, sizeof unit);                      \
        }                                                                                \
    }                                                                                    \
    static void swap_all_##width(char *bytes, size_t count)                              \
    {                                                                                    \
        for (; count >= BLOCK; count -= BLOCK, bytes += BLOCK * sizeof(uint##width##_t)) \
            swap_some_##width(bytes, BLOCK);                                             \
        swap_some_##width(bytes, count);                                                 \
    }
SWAP_ALL(16)
SWAP_ALL(32)
SWAP_ALL(64)
#undef SWAP_ALL

void ptio_swap_bytes(void *bytes, uint64_t count, size_t unit)
{
    switch (unit) {
    case 2: swap_all_16(bytes, (size_t)count); return;
    case 4: swap_all_32(bytes, (size_t)count); return;
    case 8: swap_all_64(bytes, (size_t)count); return;
    default: return;
    }
}
