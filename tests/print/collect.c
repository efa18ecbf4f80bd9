/*
 * Printed text collected in memory.
 */
#include "print/collect.h"

#include <string.h>

int collect(void *ctx, const char *text, size_t size)
{
    collected *c = ctx;
    size_t room = c->size < sizeof c->text - 1 ? sizeof c->text - 1 - c->size : 0;
    memcpy(c->text + (room ? c->size : 0), text, size < room ? size : room);
    c->size += size;
    if (c->size < sizeof c->text)
        c->text[c->size] = '\0';
    return 0;
}
