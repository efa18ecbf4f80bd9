/*
 * Texts with a length: making them, comparing, hashing, escaping, checking UTF-8.
 */
#ifndef PTIO_BASE_TEXT_H
#define PTIO_BASE_TEXT_H

#include <string.h>

#include "base/os.h"
#include "ptio.h"

#define PTIO_TEXT(literal) ((ptio_text){(literal), sizeof(literal) - 1})

static inline ptio_text ptio_text_of(const char *string)
{
    return (ptio_text){string, string ? strlen(string) : 0};
}

static inline bool ptio_text_equal(ptio_text a, ptio_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static inline bool ptio_text_is(ptio_text a, const char *string)
{
    return ptio_text_equal(a, ptio_text_of(string));
}

bool ptio_text_starts(ptio_text text, const char *prefix);
bool ptio_text_ends(ptio_text text, const char *suffix);

/** Keyed hash (SipHash-1-3): a file cannot choose names that collide without knowing the key. */
uint64_t ptio_hash(uint64_t key, const void *bytes, size_t size);

/** Whether `size` bytes are UTF-8. Lone surrogates (ED A0..BF xx) pass where `surrogates` says so, as Python's pickles hold them. */
bool ptio_utf8_valid(const char *bytes, size_t size, bool surrogates);

/**
 * Decode one code point at `bytes`, of which `size` > 0 remain. Gives the bytes it takes; 0 where they are no UTF-8, and then
 * *code is the byte. Surrogates decode as themselves.
 */
size_t ptio_utf8_decode(const char *bytes, size_t size, uint32_t *code);

/** Write a code point (surrogates too) as UTF-8 to `out`, which has room for 4 bytes. Gives the bytes written. */
size_t ptio_utf8_encode(uint32_t code, char *out);

/**
 * Copy `text` to `out`, terminated, with everything but printable ASCII escaped as \n, \xNN, \uNNNN or \UNNNNNNNN.
 * Cut with "..." where it does not fit. Good for error texts, which must be safe everywhere; printing has a finer rule.
 */
void ptio_escape_into(char *out, size_t size, ptio_text text);

#endif
