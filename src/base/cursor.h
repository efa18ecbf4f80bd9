/*
 * The one door for bytes from a file. Only a cursor moves a pointer into input, and only it makes integers of bytes.
 *
 * From the first read past the end on, `ok` is false and every read gives zero, so a parser checks once for each header
 * instead of once for each field. Invariant: start <= pos <= end.
 */
#ifndef PTIO_BASE_CURSOR_H
#define PTIO_BASE_CURSOR_H

#include <string.h>

#include "base/os.h"

typedef struct ptio_cursor {
    const uint8_t *start, *pos, *end;
    bool ok;
} ptio_cursor;

static inline ptio_cursor ptio_cursor_over(const void *bytes, size_t size)
{
    const uint8_t *start = bytes;
    return (ptio_cursor){start, start, start + size, true};
}

static inline size_t ptio_cursor_left(const ptio_cursor *c)
{
    return (size_t)(c->end - c->pos);
}

/** Bytes taken so far. */
static inline size_t ptio_cursor_offset(const ptio_cursor *c)
{
    return (size_t)(c->pos - c->start);
}

/** The next n bytes, or NULL where there are fewer. */
PTIO_INLINE const uint8_t *ptio_cursor_take(ptio_cursor *c, uint64_t n)
{
    if (PTIO_UNLIKELY(!c->ok || n > (uint64_t)(c->end - c->pos))) {
        c->ok = false;
        return NULL;
    }
    const uint8_t *taken = c->pos;
    c->pos += (size_t)n;
    return taken;
}

static inline uint16_t ptio_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t ptio_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t ptio_load_u64(const uint8_t *p)
{
    return (uint64_t)ptio_load_u32(p) | (uint64_t)ptio_load_u32(p + 4) << 32;
}

static inline uint64_t ptio_load_u64_big(const uint8_t *p)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | p[i];
    return value;
}

static inline void ptio_store_u16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void ptio_store_u32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static inline void ptio_store_u64(uint8_t *p, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

/* Little-endian integers; zero past the end. */

static inline uint8_t ptio_cursor_u8(ptio_cursor *c)
{
    const uint8_t *p = ptio_cursor_take(c, 1);
    return p ? p[0] : 0;
}

static inline uint16_t ptio_cursor_u16(ptio_cursor *c)
{
    const uint8_t *p = ptio_cursor_take(c, 2);
    return p ? ptio_load_u16(p) : 0;
}

static inline uint32_t ptio_cursor_u32(ptio_cursor *c)
{
    const uint8_t *p = ptio_cursor_take(c, 4);
    return p ? ptio_load_u32(p) : 0;
}

static inline uint64_t ptio_cursor_u64(ptio_cursor *c)
{
    const uint8_t *p = ptio_cursor_take(c, 8);
    return p ? ptio_load_u64(p) : 0;
}

/** The bytes up to the next newline, which is taken too; *size does not count it. NULL where there is none within `limit`. */
static inline const uint8_t *ptio_cursor_line(ptio_cursor *c, size_t limit, size_t *size)
{
    size_t left = ptio_cursor_left(c);
    const uint8_t *newline = c->ok && left ? memchr(c->pos, '\n', left <= limit ? left : limit + 1) : NULL;
    if (!newline) {
        c->ok = false;
        return NULL;
    }
    const uint8_t *line = c->pos;
    *size = (size_t)(newline - line);
    c->pos = newline + 1;
    return line;
}

#endif
