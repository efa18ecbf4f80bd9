/*
 * What became of objects: a hash table by identity. The objects are held by what is saved, which is kept meanwhile.
 */
#include <stdlib.h>

#include "plain.h"

static size_t slot_of(const object_map *m, PyObject *object)
{
    size_t at = (size_t)((uintptr_t)object / 8 * UINT64_C(0x9E3779B97F4A7C15) >> 9) & (m->capacity - 1);
    while (m->slots[at].object && m->slots[at].object != object)
        at = (at + 1) & (m->capacity - 1);
    return at;
}

const void *object_map_get(const object_map *m, PyObject *object)
{
    return m->capacity ? m->slots[slot_of(m, object)].what : NULL;
}

static bool grow(object_map *m)
{
    object_map bigger = {.capacity = m->capacity ? m->capacity * 2 : 64, .used = m->used};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return PyErr_NoMemory(), false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].object)
            bigger.slots[slot_of(&bigger, m->slots[i].object)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return true;
}

bool object_map_put(object_map *m, PyObject *object, const void *what)
{
    if (2 * (m->used + 1) > m->capacity && !grow(m))
        return false;
    size_t at = slot_of(m, object);
    m->used += !m->slots[at].object;
    m->slots[at].object = object;
    m->slots[at].what = what;
    return true;
}

void object_map_free(object_map *m)
{
    free(m->slots);
    *m = (object_map){0};
}
