/*
 * Values that are objects already: a hash table from the one to the other.
 */
#include <stdlib.h>

#include "build.h"

static size_t memo_slot(const memo *m, const ptio_value *value)
{
    size_t at = (size_t)((uintptr_t)value / 8 * UINT64_C(0x9E3779B97F4A7C15) >> 9) & (m->capacity - 1);
    while (m->slots[at].value && m->slots[at].value != value)
        at = (at + 1) & (m->capacity - 1);
    return at;
}

PyObject *memo_get(const memo *m, const ptio_value *value)
{
    return m->capacity ? m->slots[memo_slot(m, value)].object : NULL;
}

static bool memo_grow(memo *m, size_t capacity)
{
    memo bigger = {.capacity = capacity, .used = m->used};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value)
            bigger.slots[memo_slot(&bigger, m->slots[i].value)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return true;
}

bool memo_put(memo *m, const ptio_value *value, PyObject *object)
{
    if (2 * (m->used + 1) > m->capacity && !memo_grow(m, m->capacity ? m->capacity * 2 : 64))
        return false;
    size_t at = memo_slot(m, value);
    if (m->slots[at].value)
        return true;
    m->slots[at].value = value;
    m->slots[at].object = Py_NewRef(object);
    m->used++;
    return true;
}

void memo_free(memo *m)
{
    for (size_t i = 0; i < m->capacity; i++)
        Py_XDECREF(m->slots[i].object);
    free(m->slots);
}
